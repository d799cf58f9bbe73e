// SPDX-License-Identifier: GPL-2.0-only
/*
 * What processes ask of others besides messages: links, monitors, aliases,
 * exits. As erlang:link/1, monitor/2, alias/1 and exit/2 have it.
 */
#include "node.h"
#include "peer.h"
#include "process_socket.h"
#include "relation.h"
#include "signal.h"

static bool noconnect(const struct erldist_ask *ask)
{
	return ask->sig->flags & ERLDIST_SIG_F_NOCONNECT;
}

/**
 * erldist_ask_whom() - the process of the same node that a destination means
 * @from: a process of the node
 * @dest: the destination, which is local
 *
 * Context: any.
 * Return: the process with a reference, or NULL.
 */
struct erldist_process *erldist_ask_whom(const struct erldist_process *from,
					 const struct erldist_dest *dest)
{
	struct erldist_node *node = from->node;

	switch (dest->kind) {
	case CTL_NAME:
		return erldist_process_named(node, &dest->name);
	case CTL_REF:
		return erldist_relation_alias_owner(node, &dest->ref);
	default:
		if (dest->pid.creation != node->creation)
			return NULL;
		return erldist_process_find(node, dest->pid.id,
					    dest->pid.serial);
	}
}

/* An operation without payload, to the peer's process that was asked for */
static struct erldist_msg *control_new(const struct erldist_ask *ask, u8 op)
{
	const struct erldist_dest *dest = ask->dest;
	u32 room = dest->kind == CTL_NAME ? dest->name.len : 0;
	struct erldist_msg *msg;

	msg = erldist_msg_alloc(room, GFP_KERNEL_ACCOUNT);
	if (!msg)
		return NULL;
	msg->ctl_op = op;
	msg->to_kind = dest->kind;
	msg->to_id = dest->pid.id;
	msg->to_serial = dest->pid.serial;
	msg->to_creation = dest->pid.creation;
	msg->to_len = room;
	msg->to_latin1 = dest->name.latin1;
	erldist_msg_append(msg, dest->name.text, room, room, GFP_KERNEL);
	msg->body = msg->used;
	return msg;
}

static int control_send(const struct erldist_ask *ask, struct erldist_msg *msg,
			struct erldist_relation *rel)
{
	/* An unlink follows its link, wherever that has got to. */
	bool connected = noconnect(ask) && msg->ctl_op != OP_UNLINK_ID;
	int err = erldist_send(ask->peer, ask->from, msg, rel, connected,
			       false);

	if (err < 0)
		erldist_msg_put(msg);
	return err;
}

static void tell_known(struct erldist_relation *rel, enum erldist_known why)
{
	struct erldist_blob *reason = erldist_blob_known(why);

	erldist_relation_tell(rel, reason);
	erldist_blob_put(reason);
}

/*
 * LINK or MONITOR_P goes out with the relation, which ends at once where there
 * is no way to the peer.
 */
static int send_related(const struct erldist_ask *ask, u8 op,
			struct erldist_relation *rel)
{
	struct erldist_msg *msg = control_new(ask, op);
	int err = -ENOMEM;

	if (msg) {
		msg->sequence = ask->sig->ref;
		err = control_send(ask, msg, rel);
	}
	/* Where it has ended since, that was told. */
	if (!err || !erldist_relation_cancel(rel))
		return 0;
	if (err < 0)
		return err;
	tell_known(rel, KNOWN_NOCONNECTION);
	return 0;
}

/* What ends is told before link() or unlink() returns. */
static bool link_settles(const struct erldist_ask *ask)
{
	const struct erldist_end_key key = erldist_key_link(ask->peer,
							    &ask->dest->pid);

	return erldist_relation_settle(ask->from, &key);
}

/* There is a link already. */
static int link_again(const struct erldist_ask *ask)
{
	struct erldist_relation *rel;
	int err = 0;

	if (link_settles(ask))
		return -EAGAIN;
	rel = erldist_relation_find_link(ask->from, ask->peer, &ask->dest->pid);
	/* It has ended meanwhile, and that was told; or the other is linking. */
	if (!rel) {
		schedule_timeout_uninterruptible(1);
		return -EAGAIN;
	}
	if (ask->peer)
		err = erldist_relation_relink(rel);
	if (err > 0)
		err = send_related(ask, OP_LINK, rel);
	erldist_relation_put(rel);
	return err;
}

/* The other has ended: who is linked already is told of that, and of no more. */
static int link_ended(const struct erldist_ask *ask,
		      struct erldist_relation *rel)
{
	struct erldist_relation *old;

	old = erldist_relation_find_link(ask->from, NULL, &ask->dest->pid);
	if (old) {
		erldist_relation_put(old);
		return 0;
	}
	if (link_settles(ask))
		return -EAGAIN;
	tell_known(rel, KNOWN_NOPROC);
	return 0;
}

static int link_once(const struct erldist_ask *ask, struct erldist_process *to)
{
	const struct erldist_relation_spec spec = {
		.type = RELATION_LINK,
		.near = ask->from,
		.far = to,
		.peer = ask->peer,
		.pid = ask->dest->pid,
	};
	struct erldist_relation *rel = erldist_relation_new(&spec);
	int err;

	if (IS_ERR(rel))
		return PTR_ERR(rel);
	err = erldist_relation_hook(rel);
	if (!err && ask->peer)
		err = send_related(ask, OP_LINK, rel);
	else if (err == -EEXIST)
		err = link_again(ask);
	else if (err == -ESRCH)
		err = link_ended(ask, rel);
	erldist_relation_put(rel);
	return err;
}

/* {'EXIT', Pid, noproc} for a pid that leads to nobody */
static int link_nobody(const struct erldist_ask *ask)
{
	struct erldist_msg *told;
	struct erldist_blob *reason;
	u8 term[ERLDIST_SELF_MAX];
	struct etf_pid pid = ask->dest->pid;

	pid.node = ask->from->node->atom;
	told = erldist_process_exit_message(term, etf_put_pid(term, &pid) - term);
	if (!told)
		return -ENOMEM;
	reason = erldist_blob_known(KNOWN_NOPROC);
	erldist_process_exit_signal(ask->from, told, reason, false);
	erldist_blob_put(reason);
	return 0;
}

static int link_to(const struct erldist_ask *ask, struct erldist_process *to)
{
	int err;

	mutex_lock(&ask->from->asking);
	do {
		err = link_once(ask, to);
		cond_resched();
	} while (err == -EAGAIN);
	mutex_unlock(&ask->from->asking);
	return err;
}

/**
 * erldist_ask_link() - link to a process
 * @ask: who, and to whom: a pid
 *
 * Context: process context.
 * Return: 0, also where an EXIT with noproc or noconnection comes at once;
 * -EINVAL no pid; -EOPNOTSUPP on a port; -EUSERS a limit; -EHOSTUNREACH with NOCONNECT; -EPIPE the
 * process has ended; -ESTALE another peer must be looked up; -ENOMEM.
 */
int erldist_ask_link(const struct erldist_ask *ask)
{
	struct erldist_process *to = NULL;
	int err;

	if (ask->dest->kind != CTL_PID)
		return -EINVAL;
	if (ask->port)
		return -EOPNOTSUPP;
	if (ask->peer)
		return link_to(ask, NULL);
	to = erldist_ask_whom(ask->from, ask->dest);
	if (!to)
		return link_nobody(ask);
	err = to == ask->from ? 0 : link_to(ask, to);
	erldist_process_put(to);
	return err;
}

/* There is no link any more: its end may have ended the caller's process too. */
static int unlink_late(const struct erldist_ask *ask)
{
	link_settles(ask);
	return erldist_process_alive(ask->from) ? 0 : -EPIPE;
}

static int unlink_remote(const struct erldist_ask *ask)
{
	struct erldist_relation *rel;
	struct erldist_msg *msg;
	int err = 0;

	rel = erldist_relation_find_link(ask->from, ask->peer, &ask->dest->pid);
	if (!rel) {
		err = unlink_late(ask);
		/* The link may be with the peer that came after this one. */
		return !err && READ_ONCE(ask->peer->dead) ? -ESTALE : err;
	}
	msg = control_new(ask, OP_UNLINK_ID);
	if (!msg) {
		err = -ENOMEM;
	} else {
		msg->unlink_id = ++ask->from->unlinks;
		if (erldist_relation_unlink(rel, msg->unlink_id)) {
			err = control_send(ask, msg, rel);
		} else {
			erldist_msg_put(msg);
			err = unlink_late(ask);
		}
	}
	erldist_relation_put(rel);
	/* Not connected: what held is over by itself. */
	return err == -ESTALE ? 0 : min(err, 0);
}

static int unlink_local(const struct erldist_ask *ask)
{
	struct erldist_relation *rel;

	rel = erldist_relation_take_link(ask->from, NULL, &ask->dest->pid, 0);
	if (!rel)
		return unlink_late(ask);
	erldist_relation_drop(rel);
	return 0;
}

/**
 * erldist_ask_unlink() - unlink from a process
 * @ask: who, and from whom: a pid
 *
 * No EXIT of the link comes after the return; one may have come before. If the
 * return value is 0, that EXIT has not ended the process.
 *
 * Context: process context.
 * Return: 0; -EINVAL no pid; -EPIPE the process has ended; -ENOMEM: the link
 * is as it was.
 */
int erldist_ask_unlink(const struct erldist_ask *ask)
{
	int err;

	if (ask->dest->kind != CTL_PID)
		return -EINVAL;
	mutex_lock(&ask->from->asking);
	err = ask->peer ? unlink_remote(ask) : unlink_local(ask);
	mutex_unlock(&ask->from->asking);
	return err;
}

/**
 * erldist_ask_ref_valid() - has the reference been given out
 * @ask: who asks, with which
 */
bool erldist_ask_ref_valid(const struct erldist_ask *ask)
{
	u64 n = ask->sig->ref;

	return n && n <= (u64)atomic64_read(&ask->from->node->sequence);
}

static struct etf_ref asked_ref(const struct erldist_ask *ask)
{
	return erldist_own_ref(ask->from->node, ask->from->id, ask->sig->ref);
}

/* The node's own net_kernel, and its rex, always exist. */
static bool is_net_kernel(const struct erldist_ask *ask)
{
	return !ask->peer && ask->dest->kind == CTL_NAME &&
	       erldist_netkernel_is(&ask->dest->name);
}

static int monitor_make(const struct erldist_ask *ask,
			struct erldist_relation *rel, bool nobody)
{
	const struct erldist_end_key key = erldist_key_own(&rel->ref_id);
	int err;

	do {
		err = erldist_relation_hook(rel);
	} while (err == -EEXIST && erldist_relation_settle(ask->from, &key));
	if (!err && ask->peer)
		return send_related(ask, OP_MONITOR_P, rel);
	if (!err && nobody)
		err = erldist_relation_cancel(rel) ? -ESRCH : 0;
	if (err != -ESRCH)
		return err;
	tell_known(rel, KNOWN_NOPROC);
	return 0;
}

static int monitor_of(const struct erldist_ask *ask, struct erldist_process *to)
{
	struct etf_ref ref = asked_ref(ask);
	bool by_name = ask->dest->kind == CTL_NAME;
	const struct erldist_relation_spec spec = {
		.type = RELATION_MONITOR,
		.alias = ask->sig->flags & ERLDIST_SIG_F_ALIAS,
		.once = ask->sig->flags & ERLDIST_SIG_F_ONCE,
		.near = ask->from,
		.port = ask->port,
		.far = to,
		.peer = ask->peer,
		.pid = ask->dest->pid,
		.name = by_name ? &ask->dest->name : NULL,
		.ref = &ref,
		.sequence = ask->sig->ref,
		.user_data = ask->sig->user_data,
	};
	struct erldist_relation *rel = erldist_relation_new(&spec);
	int err;

	if (IS_ERR(rel))
		return PTR_ERR(rel);
	err = monitor_make(ask, rel, !to && !ask->peer && !is_net_kernel(ask));
	erldist_relation_put(rel);
	return err;
}

/**
 * erldist_ask_monitor() - monitor a process
 * @ask: who, and whom: a pid or a name
 *
 * Context: process context.
 * Return: 0, also where a DOWN with noproc or noconnection comes at once;
 * -EINVAL an alias, or a reference that was not given out; -EEXIST it is in
 * use; else as erldist_ask_link().
 */
int erldist_ask_monitor(const struct erldist_ask *ask)
{
	struct erldist_process *to = NULL;
	int err;

	if (ask->dest->kind == CTL_REF || !erldist_ask_ref_valid(ask))
		return -EINVAL;
	if (!ask->peer)
		to = erldist_ask_whom(ask->from, ask->dest);
	mutex_lock(&ask->from->asking);
	err = monitor_of(ask, to);
	mutex_unlock(&ask->from->asking);
	if (to)
		erldist_process_put(to);
	return err;
}

/**
 * erldist_ask_demonitor() - end a monitor, and the alias it may be, or abandon a
 * spawn request
 * @ask: who, and which: its reference
 *
 * Once it returns no DOWN of it comes any more; FLUSH drops one that came.
 *
 * Context: process context.
 * Return: 0.
 */
int erldist_ask_demonitor(const struct erldist_ask *ask)
{
	struct etf_ref ref = asked_ref(ask);
	const struct erldist_end_key key = erldist_key_own(&ref);
	struct erldist_relation *rel;

	mutex_lock(&ask->from->asking);
	rel = erldist_relation_take_own(ask->from, &ref, NULL,
					RELATION_MONITOR);
	if (!rel)
		rel = erldist_relation_take_own(ask->from, &ref, NULL,
						RELATION_SPAWN);
	if (rel)
		erldist_relation_demonitor(rel);
	mutex_unlock(&ask->from->asking);
	if (rel)
		return 0;
	erldist_relation_settle(ask->from, &key);
	if (ask->sig->flags & ERLDIST_SIG_F_FLUSH)
		erldist_mailbox_flush(ask->from, ask->port, ask->sig->ref);
	return 0;
}

/**
 * erldist_ask_alias() - make a reference an address of a process
 * @ask: who, and which reference
 *
 * Context: process context.
 * Return: 0; -EINVAL it was not given out; -EEXIST it is in use; -EUSERS a
 * limit; -EPIPE the process has ended; -ENOMEM.
 */
int erldist_ask_alias(const struct erldist_ask *ask)
{
	struct etf_ref ref = asked_ref(ask);
	const struct erldist_relation_spec spec = {
		.type = RELATION_ALIAS,
		.alias = true,
		.once = ask->sig->flags & ERLDIST_SIG_F_ONCE,
		.near = ask->from,
		.port = ask->port,
		.ref = &ref,
		.sequence = ask->sig->ref,
		.user_data = ask->sig->user_data,
	};
	struct erldist_relation *rel;
	int err;

	if (!erldist_ask_ref_valid(ask))
		return -EINVAL;
	rel = erldist_relation_new(&spec);
	if (IS_ERR(rel))
		return PTR_ERR(rel);
	err = erldist_relation_hook(rel);
	erldist_relation_put(rel);
	return err;
}

/**
 * erldist_ask_unalias() - a reference is no address any more
 * @ask: who, and which
 *
 * Context: process context.
 * Return: 0; -ENOENT: it was none.
 */
int erldist_ask_unalias(const struct erldist_ask *ask)
{
	struct etf_ref ref = asked_ref(ask);

	return erldist_relation_unalias(ask->from, &ref);
}

/**
 * erldist_ask_exit() - exit/2 to a process of the same node
 * @from: the sender
 * @to: the receiver; the sender itself ends with the reason
 * @reason: the reason
 * @told: set to {'EXIT', From, Reason} where that is to be sent as a message is
 *
 * Context: process context.
 * Return: 0; -ENOMEM.
 */
int erldist_ask_exit(struct erldist_process *from, struct erldist_process *to,
		     struct erldist_blob *reason, struct erldist_msg **told)
{
	u8 self[ERLDIST_SELF_MAX];
	struct erldist_msg *msg;

	*told = NULL;
	if (to == from) {
		erldist_process_end(from, reason, ECANCELED);
		return 0;
	}
	if (erldist_process_exits(to, from, reason, true))
		return 0;
	msg = erldist_process_exit_message(self, erldist_put_self(self, from,
								  from->id,
								  from->serial));
	if (!msg)
		return -ENOMEM;
	erldist_msg_set_reason(msg, reason);
	msg->remote = false;
	*told = msg;
	return 0;
}
