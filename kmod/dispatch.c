// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a peer's control messages ask for: messages to mailboxes, signals to
 * processes, and the answers that a peer must get (erts/emulator/beam/dist.c,
 * erts_net_message()).
 */
#include "channel.h"
#include "node.h"
#include "peer.h"
#include "process.h"
#include "relation.h"
#include "spawn.h"

static bool pid_is_ours(const struct erldist_node *node,
			const struct etf_pid *pid)
{
	return pid->creation == node->creation &&
	       erldist_node_is(node, &pid->node);
}

static bool is_own_ref(const struct erldist_node *node,
		       const struct etf_ref *ref)
{
	return ref->creation == node->creation &&
	       erldist_node_is(node, &ref->node);
}

static struct erldist_process *find_to(struct erldist_node *node,
				       const struct erldist_ctl *ctl)
{
	if (ctl->to_kind == CTL_NAME)
		return erldist_process_named(node, &ctl->name);
	if (ctl->to_kind == CTL_REF && is_own_ref(node, &ctl->to_ref))
		return erldist_relation_alias_owner(node, &ctl->to_ref);
	if (ctl->to_kind == CTL_PID && pid_is_ours(node, &ctl->to))
		return erldist_process_find(node, ctl->to.id, ctl->to.serial);
	return NULL;
}

/* Where no process has the name */
static bool to_net_kernel(const struct erldist_ctl *ctl)
{
	return ctl->to_kind == CTL_NAME && erldist_netkernel_is(&ctl->name);
}

/**
 * erldist_dispatch_receiver() - whom a message is for
 * @ch: where it came in
 * @ctl: its control message
 * @to: set to the process with a reference; NULL: the node itself
 *
 * Context: any.
 * Return: 0; -ESRCH: nobody, counted.
 */
int erldist_dispatch_receiver(struct erldist_channel *ch,
			      const struct erldist_ctl *ctl,
			      struct erldist_process **to)
{
	*to = find_to(ch->node, ctl);
	if (*to || to_net_kernel(ctl))
		return 0;
	atomic64_inc(&ch->node->no_receiver);
	return -ESRCH;
}

static int put_message(const struct erldist_ctl *ctl,
		       struct erldist_process *to, struct erldist_msg *msg)
{
	int err = -ESRCH;

	if (ctl->to_kind == CTL_REF)
		return erldist_relation_by_alias(to, &ctl->to_ref, msg, NULL);
	if (ctl->to_kind == CTL_PID)
		err = erldist_relation_by_tag(to, msg, NULL);
	if (err != -ESRCH)
		return err;
	return erldist_mailbox_put_remote(to, NULL, msg, NULL);
}

/**
 * erldist_dispatch_message() - deliver a message
 * @ch: where it came in
 * @ctl: its control message
 * @to: the receiver, NULL: the node itself
 * @msg: the message
 * @may_sleep: in the work
 *
 * Return: 0: @msg is taken; -EAGAIN: it is not, the work must do it.
 */
int erldist_dispatch_message(struct erldist_channel *ch,
			     const struct erldist_ctl *ctl,
			     struct erldist_process *to,
			     struct erldist_msg *msg, bool may_sleep)
{
	int err;

	if (!to) {
		if (!may_sleep)
			return -EAGAIN;
		erldist_netkernel_call(ch, &ctl->name, msg);
		erldist_pool_sub(ch->node, msg->charged);
		erldist_msg_put_resched(msg);
		return 0;
	}
	err = put_message(ctl, to, msg);
	if (!err)
		return 0;
	if (!may_sleep && (err == -ENOBUFS || msg->pieces))
		return -EAGAIN;
	if (err == -ENOBUFS) {
		atomic64_inc(&ch->node->overflows);
		erldist_process_end_known(to, KNOWN_OVERFLOW, ENOBUFS);
	}
	erldist_mailbox_uncharge(to, msg->charged);
	erldist_msg_put_resched(msg);
	return 0;
}

static struct etf_pid our_pid(const struct erldist_channel *ch,
			      const struct etf_pid *as_given)
{
	struct etf_pid pid = *as_given;

	pid.node = ch->node->atom;
	return pid;
}

static u64 pid_key(const struct etf_pid *pid)
{
	return (u64)pid->serial << 32 | pid->id;
}

/* Room for the control message: the tuple, its numbers, and what it names */
static size_t answer_size(const struct erldist_ctl_out *out)
{
	return 32 + etf_pid_size(&out->from) + etf_pid_size(&out->to) +
	       etf_atom_size(&out->name) +
	       (out->ref ? etf_ref_size(out->ref) : 0);
}

/* An answer in the name of @from, in its flow: order holds against it. */
static int answer(struct erldist_channel *ch, struct erldist_ctl_out *out,
		  const char *reason)
{
	struct etf_atom atom = etf_ascii(reason ?: "");
	struct erldist_msg *msg;
	u8 *p;

	msg = erldist_msg_alloc(answer_size(out) + etf_atom_size(&atom),
				GFP_KERNEL);
	if (!msg)
		return -ERLDIST_REASON_NO_MEMORY;
	p = erldist_ctl_write(msg->data, out, ch->dflags);
	if (!p) {
		erldist_msg_put(msg);
		return 0;
	}
	if (reason) {
		if (!ch->header_mode && ch->dflags & DFLAG_EXIT_PAYLOAD)
			*p++ = ETF_VERSION;
		p = etf_put_atom(p, &atom);
	}
	msg->used = p - msg->data;
	erldist_send_raw(ch, out->from_kind == CTL_PID ? pid_key(&out->from) : 0,
			 msg);
	return 0;
}

static int answer_exit(struct erldist_channel *ch,
		       const struct erldist_ctl *ctl, const char *reason)
{
	struct erldist_ctl_out out = {
		.op = OP_EXIT,
		.from_kind = CTL_PID,
		.from = our_pid(ch, &ctl->to),
		.to_kind = CTL_PID,
		.to = ctl->from,
	};

	return answer(ch, &out, reason);
}

static int answer_down(struct erldist_channel *ch,
		       const struct erldist_ctl *ctl, const char *reason)
{
	struct erldist_ctl_out out = {
		.op = OP_MONITOR_P_EXIT,
		.from_kind = ctl->to_kind,
		.from = our_pid(ch, &ctl->to),
		.name = ctl->name,
		.to_kind = CTL_PID,
		.to = ctl->from,
		.ref = &ctl->ref,
	};

	return answer(ch, &out, reason);
}

static int answer_unlink(struct erldist_channel *ch,
			 const struct erldist_ctl *ctl)
{
	struct erldist_ctl_out out = {
		.op = OP_UNLINK_ID_ACK,
		.id = ctl->id,
		.from_kind = CTL_PID,
		.from = our_pid(ch, &ctl->to),
		.to_kind = CTL_PID,
		.to = ctl->from,
	};

	return answer(ch, &out, NULL);
}

static int answer_spawn(struct erldist_channel *ch,
			const struct erldist_ctl *ctl, const char *why)
{
	struct erldist_ctl_out out = {
		.op = OP_SPAWN_REPLY,
		.to_kind = CTL_PID,
		.to = ctl->from,
		.ref = &ctl->ref,
		.name = etf_ascii(why),
	};

	return answer(ch, &out, NULL);
}

static int answer_demonitor(struct erldist_channel *ch,
			    const struct erldist_ctl *ctl)
{
	struct erldist_ctl_out out = {
		.op = OP_DEMONITOR_P,
		.from_kind = CTL_PID,
		.from = our_pid(ch, &ctl->to),
		.to_kind = CTL_PID,
		.to = ctl->from,
		.ref = &ctl->ref,
	};

	return answer(ch, &out, NULL);
}

/**
 * erldist_dispatch_orphan() - a child that nobody here waits for
 * @ch: where it was told of
 * @ctl: OP_SPAWN_REPLY
 * @flags: SPAWN_LINKED, SPAWN_MONITORED: what it thinks it is
 * @why: the reason a linked one hears
 *
 * Context: rx_work.
 * Return: 0, or minus the enum erldist_reason to close the channel with.
 */
int erldist_dispatch_orphan(struct erldist_channel *ch,
			    const struct erldist_ctl *ctl, u8 flags,
			    const char *why)
{
	int err = 0;

	if (flags & SPAWN_MONITORED)
		err = answer_demonitor(ch, ctl);
	if (!err && flags & SPAWN_LINKED)
		err = answer_exit(ch, ctl, why);
	return err;
}

static const char *refusal(int err)
{
	return err == -ESRCH ? "noproc" : "system_limit";
}

static struct erldist_end_key
relation_key(const struct erldist_relation_spec *spec)
{
	if (spec->type == RELATION_LINK)
		return erldist_key_link(spec->peer, &spec->pid);
	return (struct erldist_end_key) {
		.kind = END_WATCHED, .peer = spec->peer, .ref = spec->ref,
	};
}

/* The one there is may be about to end: one that was asked for in vain. */
static bool relation_settles(struct erldist_process *proc,
			     const struct erldist_relation_spec *spec)
{
	const struct erldist_end_key key = relation_key(spec);

	return erldist_relation_settle(proc, &key);
}

/*
 * The other side may have asked for it too, when there was no room for one more. It does
 * not know yet of one that has not been sent, which may still fail.
 */
static bool relation_is_there(struct erldist_process *proc,
			      const struct erldist_relation_spec *spec)
{
	const struct erldist_end_key key = relation_key(spec);
	struct erldist_end *end;
	bool there;

	spin_lock_bh(&proc->lock);
	end = erldist_end_find(proc, &key);
	there = end && !atomic_read(&end->relation->taken) &&
		!list_empty_careful(&end->relation->peer_list);
	spin_unlock_bh(&proc->lock);
	return there;
}

/* A relation a peer asks for. Returns 0, or why not. */
static int relate(struct erldist_channel *ch, struct erldist_process *proc,
		  struct erldist_relation_spec *spec)
{
	struct erldist_relation *rel;
	int err;

	if (!proc)
		return -ESRCH;
	spec->near = proc;
	spec->peer = ch->peer;
	spec->by_peer = true;
	rel = erldist_relation_new(spec);
	if (IS_ERR(rel))
		return relation_is_there(proc, spec) ? 0 : PTR_ERR(rel);
	do {
		err = erldist_relation_hook(rel);
	} while (err == -EEXIST && relation_settles(proc, spec));
	if (!err)
		erldist_relation_hook_channel(rel, ch);
	erldist_relation_put(rel);
	if (err == -EEXIST)
		return 0;
	return err ? -ESRCH : 0;
}

static int on_link(struct erldist_channel *ch, const struct erldist_ctl *ctl,
		   struct erldist_process *proc)
{
	struct erldist_relation_spec spec = {
		.type = RELATION_LINK,
		.pid = ctl->from,
	};
	int err = relate(ch, proc, &spec);

	return err ? answer_exit(ch, ctl, refusal(err)) : 0;
}

static int on_monitor(struct erldist_channel *ch,
		      const struct erldist_ctl *ctl,
		      struct erldist_process *proc)
{
	struct erldist_relation_spec spec = {
		.type = RELATION_MONITOR,
		.watched = true,
		.pid = ctl->from,
		.name = ctl->to_kind == CTL_NAME ? &ctl->name : NULL,
		.ref = &ctl->ref,
	};
	int err;

	/* It always exists, and nothing is to be told of it. */
	if (!proc && to_net_kernel(ctl))
		return 0;
	err = relate(ch, proc, &spec);
	return err ? answer_down(ch, ctl, refusal(err)) : 0;
}

static int on_unlink(struct erldist_channel *ch, const struct erldist_ctl *ctl,
		     struct erldist_process *proc)
{
	struct erldist_relation *rel = NULL;
	int err = 0;

	/* Before anything that the process may send once the link is gone */
	if (ctl->op == OP_UNLINK_ID)
		err = answer_unlink(ch, ctl);
	if (proc)
		rel = erldist_relation_take_link(proc, ch->peer, &ctl->from, 0);
	if (rel)
		erldist_relation_drop(rel);
	return err;
}

static void on_unlink_ack(struct erldist_channel *ch,
			  const struct erldist_ctl *ctl,
			  struct erldist_process *proc)
{
	struct erldist_relation *rel = NULL;

	if (proc)
		rel = erldist_relation_take_link(proc, ch->peer, &ctl->from,
						 ctl->id);
	if (rel)
		erldist_relation_drop(rel);
}

static void on_demonitor(struct erldist_channel *ch,
			 const struct erldist_ctl *ctl,
			 struct erldist_process *proc)
{
	struct erldist_relation *rel = NULL;

	if (proc)
		rel = erldist_relation_take_watched(proc, ch->peer, &ctl->ref);
	if (rel) {
		erldist_relation_tell(rel, NULL);
		erldist_relation_drop(rel);
	}
}

static bool is_one_term(const struct erldist_blob *blob)
{
	struct etf_cursor c = { blob->data, blob->data + blob->len };

	return !etf_skip(&c) && c.p == c.end;
}

/*
 * The reason. It may go on to others that are linked, of any release, if all
 * would decode it.
 */
static struct erldist_blob *reason_of(const struct erldist_msg *msg)
{
	static const struct etf_scan_rules rules = { .any_peer = true };
	struct erldist_blob *blob = erldist_msg_blob(msg, 0);
	int err;

	if (!blob)
		return ERR_PTR(-ERLDIST_REASON_NO_MEMORY);
	err = etf_scan_term(blob->data, blob->len, &rules);
	blob->here_only = err;
	blob->told_once = true;
	if (!err || (err != -ENOMEM && is_one_term(blob)))
		return blob;
	erldist_blob_put(blob);
	return ERR_PTR(err == -ENOMEM ? -ERLDIST_REASON_NO_MEMORY :
					-ERLDIST_REASON_BAD_TERM);
}

/* exit/2 by a process of the peer */
static int on_exit2(const struct erldist_msg *msg, struct erldist_process *proc)
{
	struct erldist_blob *reason = reason_of(msg);
	struct erldist_msg *told;

	if (IS_ERR(reason))
		return PTR_ERR(reason);
	told = erldist_process_exit_message(msg->data + msg->from,
					    msg->from_len);
	if (told && proc)
		erldist_process_exit_signal(proc, told, reason, true);
	else
		erldist_msg_put(told);
	erldist_blob_put(reason);
	return told ? 0 : -ERLDIST_REASON_NO_MEMORY;
}

/* What an EXIT or a DOWN ends, if it is there */
static struct erldist_relation *take_ended(struct erldist_channel *ch,
					   const struct erldist_ctl *ctl,
					   struct erldist_process *proc)
{
	if (ctl->op == OP_EXIT && ctl->from_kind == CTL_PID)
		return erldist_relation_claim_link(proc, ch->peer, &ctl->from);
	if (ctl->op == OP_MONITOR_P_EXIT && is_own_ref(ch->node, &ctl->ref))
		return erldist_relation_claim_own(proc, &ctl->ref, ch->peer);
	return NULL;
}

/* The other side of a relation has ended. */
static int on_ended(struct erldist_channel *ch, const struct erldist_ctl *ctl,
		    struct erldist_process *proc, const struct erldist_msg *msg)
{
	struct erldist_relation *rel;
	struct erldist_blob *reason;

	/* Without the reason the connection ends, and the relation with it. */
	reason = reason_of(msg);
	if (IS_ERR(reason))
		return PTR_ERR(reason);
	rel = proc ? take_ended(ch, ctl, proc) : NULL;
	if (rel) {
		erldist_relation_tell(rel, reason);
		erldist_relation_drop(rel);
	}
	erldist_blob_put(reason);
	return 0;
}

static int on_spawn(struct erldist_channel *ch, const struct erldist_ctl *ctl,
		    struct erldist_msg *msg)
{
	int err = erldist_spawn_requested(ch, ctl, msg);

	switch (err) {
	case 0:
		return 0;
	case -ENOMEM:
		return -ERLDIST_REASON_NO_MEMORY;
	case -EINVAL:
		return answer_spawn(ch, ctl, "badopt");
	case -EUSERS:
		return answer_spawn(ch, ctl, "system_limit");
	default:
		return answer_spawn(ch, ctl, "notsup");
	}
}

static int dispatch(struct erldist_channel *ch, const struct erldist_ctl *ctl,
		    struct erldist_msg *msg, struct erldist_process *proc)
{
	switch (ctl->op) {
	case OP_LINK:
		return on_link(ch, ctl, proc);
	case OP_UNLINK:
	case OP_UNLINK_ID:
		return on_unlink(ch, ctl, proc);
	case OP_UNLINK_ID_ACK:
		on_unlink_ack(ch, ctl, proc);
		return 0;
	case OP_MONITOR_P:
		return on_monitor(ch, ctl, proc);
	case OP_DEMONITOR_P:
		on_demonitor(ch, ctl, proc);
		return 0;
	case OP_MONITOR_P_EXIT:
	case OP_EXIT:
		return on_ended(ch, ctl, proc, msg);
	case OP_EXIT2:
		return on_exit2(msg, proc);
	case OP_SPAWN_REQUEST:
		return on_spawn(ch, ctl, msg);
	case OP_SPAWN_REPLY:
		if (!is_own_ref(ch->node, &ctl->ref))
			return -ERLDIST_REASON_BAD_CONTROL;
		return erldist_spawn_replied(ch, ctl, proc);
	case OP_GROUP_LEADER:
		return 0;
	default:
		return -ERLDIST_REASON_BAD_CONTROL;
	}
}

static bool is_peers(const struct erldist_channel *ch,
		     const struct etf_atom *node)
{
	return etf_atom_equal(node, &ch->peer->atom);
}

/* Signals and references of a third node are not this one's to send. */
static bool from_is_peers(const struct erldist_channel *ch,
			  const struct erldist_ctl *ctl)
{
	switch (ctl->op) {
	case OP_GROUP_LEADER:
	case OP_SPAWN_REPLY:
	case OP_MONITOR_P_EXIT:
		return true;
	case OP_MONITOR_P:
	case OP_DEMONITOR_P:
	case OP_SPAWN_REQUEST:
		if (!is_peers(ch, &ctl->ref.node))
			return false;
		fallthrough;
	default:
		return ctl->from_kind != CTL_PID ||
		       is_peers(ch, &ctl->from.node);
	}
}

/**
 * erldist_dispatch_signal() - do what a control message other than a send asks
 * @ch: where it came in
 * @ctl: the control message
 * @msg: the frame; its payload is the reason, where there is one
 *
 * Context: rx_work.
 * Return: 0, or minus the enum erldist_reason to close the channel with.
 */
int erldist_dispatch_signal(struct erldist_channel *ch,
			    const struct erldist_ctl *ctl,
			    struct erldist_msg *msg)
{
	struct erldist_process *proc;
	int err;

	if (!from_is_peers(ch, ctl))
		return -ERLDIST_REASON_FOREIGN_SENDER;
	proc = find_to(ch->node, ctl);
	err = dispatch(ch, ctl, msg, proc);
	if (proc)
		erldist_process_put(proc);
	return err;
}
