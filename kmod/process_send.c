// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a process sends: messages, and through signal.c what else it asks for.
 */
#include <linux/sched/signal.h>
#include <net/sock.h>

#include "node.h"
#include "node_watch.h"
#include "peer.h"
#include "process_socket.h"
#include "relation.h"
#include "signal.h"
#include "spawn.h"

/* What one sendmsg() is about */
struct send_op {
	struct erldist_sock *es;
	struct erldist_process *from;
	struct msghdr *mh;
	size_t len;
	const struct erldist_dest *dest;
	struct erldist_peer *peer;		/* remote: a reference */
	struct erldist_target *target;		/* holds dest, or NULL */
	struct erldist_signal sig;
	bool noconnect;
	bool nobody;				/* and none that could be meant */
	const u8 *dest_term;			/* ERLDIST_DEST */
	size_t dest_len;
};

/* What each operation allows besides NOCONNECT */
static const struct {
	u16 flags;
	bool known;
	bool dest;		/* goes to somebody */
	bool payload;
	bool undoes;		/* so does F_OFF: there is less to be told then */
} signal_ops[] = {
	[ERLDIST_SIG_MESSAGE] = {
		ERLDIST_SIG_F_MONITOR | ERLDIST_SIG_F_ALIAS | ERLDIST_SIG_F_ONCE,
		true, true, true
	},
	[ERLDIST_SIG_EXIT] = { 0, true, true, true },
	[ERLDIST_SIG_LINK] = { 0, true, true, false },
	[ERLDIST_SIG_UNLINK] = { 0, true, true, false, true },
	[ERLDIST_SIG_MONITOR] = {
		ERLDIST_SIG_F_ALIAS | ERLDIST_SIG_F_ONCE,
		true, true, false
	},
	[ERLDIST_SIG_DEMONITOR] = {
		ERLDIST_SIG_F_FLUSH, true, false, false, true
	},
	[ERLDIST_SIG_ALIAS] = { ERLDIST_SIG_F_ONCE, true, false, false },
	[ERLDIST_SIG_UNALIAS] = { 0, true, false, false, true },
	[ERLDIST_SIG_MONITOR_NODE] = { ERLDIST_SIG_F_OFF, true, true, false },
	[ERLDIST_SIG_MONITOR_NODES] = {
		ERLDIST_SIG_F_OFF | ERLDIST_SIG_F_VISIBLE |
		ERLDIST_SIG_F_HIDDEN,
		true, false, false
	},
	[ERLDIST_SIG_SPAWN] = { 0, true, true, true },
	[ERLDIST_SIG_SPAWN_ANSWER] = {
		ERLDIST_SIG_F_CANCEL, true, true, true
	},
};

static bool signal_undoes(const struct erldist_signal *sig)
{
	return signal_ops[sig->op].undoes || sig->flags & ERLDIST_SIG_F_OFF;
}

static bool uses_ref(const struct erldist_signal *sig)
{
	switch (sig->op) {
	case ERLDIST_SIG_MESSAGE:
		return sig->flags & (ERLDIST_SIG_F_MONITOR | ERLDIST_SIG_F_ALIAS);
	case ERLDIST_SIG_MONITOR:
	case ERLDIST_SIG_DEMONITOR:
	case ERLDIST_SIG_ALIAS:
	case ERLDIST_SIG_UNALIAS:
	case ERLDIST_SIG_SPAWN:
		return true;
	default:
		return false;
	}
}

static int signal_check(const struct erldist_signal *sig)
{
	u16 most;

	if (sig->op >= ARRAY_SIZE(signal_ops) || !signal_ops[sig->op].known)
		return -EOPNOTSUPP;
	most = signal_ops[sig->op].flags | ERLDIST_SIG_F_NOCONNECT;
	if (sig->flags & ~most || sig->reserved)
		return -EINVAL;
	if (!uses_ref(sig) && sig->ref)
		return -EINVAL;
	/* One message of what? */
	if (sig->flags & ERLDIST_SIG_F_ONCE && sig->op != ERLDIST_SIG_ALIAS &&
	    !(sig->flags & ERLDIST_SIG_F_ALIAS))
		return -EINVAL;
	return 0;
}

static int send_signal(struct send_op *op, const struct cmsghdr *cmsg)
{
	size_t len = cmsg->cmsg_len - CMSG_LEN(0);
	const u8 *data = CMSG_DATA(cmsg);

	if (len > sizeof(op->sig) &&
	    memchr_inv(data + sizeof(op->sig), 0, len - sizeof(op->sig)))
		return -E2BIG;
	memset(&op->sig, 0, sizeof(op->sig));
	memcpy(&op->sig, data, min(len, sizeof(op->sig)));
	op->noconnect = op->sig.flags & ERLDIST_SIG_F_NOCONNECT;
	return signal_check(&op->sig);
}

static int send_cmsg(struct send_op *op, struct cmsghdr *cmsg)
{
	if (cmsg->cmsg_level != SOL_ERLDIST)
		return 0;
	switch (cmsg->cmsg_type) {
	case ERLDIST_DEST:
		op->dest_term = CMSG_DATA(cmsg);
		op->dest_len = cmsg->cmsg_len - CMSG_LEN(0);
		return 0;
	case ERLDIST_SIGNAL:
		return send_signal(op, cmsg);
	default:
		return -EINVAL;
	}
}

static int send_cmsgs(struct send_op *op)
{
	struct cmsghdr *cmsg;
	int err = 0;

	if (!op->mh->msg_controllen)
		return 0;
	for_each_cmsghdr(cmsg, op->mh) {
		if (!CMSG_OK(op->mh, cmsg))
			return -EINVAL;
		err = send_cmsg(op, cmsg);
		if (err)
			return err;
	}
	return 0;
}

static bool names_node(const struct send_op *op)
{
	return op->sig.op == ERLDIST_SIG_MONITOR_NODE ||
	       op->sig.op == ERLDIST_SIG_SPAWN;
}

/* What is to be ended cannot be with a peer that is not known. */
static bool ends(const struct send_op *op)
{
	return op->sig.op == ERLDIST_SIG_UNLINK ||
	       op->sig.op == ERLDIST_SIG_SPAWN_ANSWER ||
	       (op->sig.op == ERLDIST_SIG_MONITOR_NODE &&
		op->sig.flags & ERLDIST_SIG_F_OFF);
}

static int send_find_peer(struct send_op *op)
{
	op->peer = erldist_peer_find(op->from->node, &op->dest->node);
	if (op->peer)
		return 0;
	op->nobody = ends(op);
	return op->noconnect && !op->nobody ? -EHOSTUNREACH : 0;
}

/* One that is not known yet is made when nothing else can be wrong. */
static int send_make_peer(struct send_op *op)
{
	struct erldist_peer *peer;

	if (op->peer || op->nobody || op->dest->local ||
	    !signal_ops[op->sig.op].dest)
		return 0;
	peer = erldist_peer_for(op->from, &op->dest->node, op->noconnect);
	if (IS_ERR(peer))
		return PTR_ERR(peer);
	op->peer = peer;
	return 0;
}

static void send_address(struct send_op *op, struct erldist_msg *msg)
{
	const struct erldist_dest *dest = op->dest;

	msg->to_kind = dest->kind;
	msg->local_from = true;
	msg->from_id = op->from->id;
	msg->from_serial = op->from->serial;
	switch (dest->kind) {
	case CTL_PID:
		msg->to_id = dest->pid.id;
		msg->to_serial = dest->pid.serial;
		msg->to_creation = dest->pid.creation;
		break;
	case CTL_REF:
		msg->to_creation = dest->ref.creation;
		msg->ref_n = dest->ref.n;
		memcpy(msg->ref_word, dest->ref.word, sizeof(msg->ref_word));
		break;
	default:
		msg->to = msg->used;
		msg->to_len = dest->name.len;
		msg->to_latin1 = dest->name.latin1;
		erldist_msg_append(msg, dest->name.text, dest->name.len,
				   dest->name.len, GFP_KERNEL);
	}
}

/* What the receiver refuses */
static struct etf_scan_rules send_rules(const struct send_op *op)
{
	struct etf_scan_rules rules = {};

	if (!op->dest->local) {
		rules.peer = op->peer ? op->peer->atom : op->dest->node;
		/*
		 * Without an open connection, the creation of the peer that will
		 * receive it is not known yet. Pairs with smp_store_release() in
		 * erldist_peer_open(): creation is that connection's, or a newer one's.
		 */
		rules.any_creation = !op->peer || !smp_load_acquire(&op->peer->open);
		if (op->peer)
			rules.creation = READ_ONCE(op->peer->creation);
	}
	/* The reason is forwarded to links on any node: it must decode everywhere. */
	if (op->dest->local && op->sig.op == ERLDIST_SIG_EXIT)
		rules.any_peer = true;
	return rules;
}

/* Copying can take as long as the sender wants: the peer may have restarted. */
static bool send_rules_hold(const struct send_op *op,
			    const struct etf_scan_rules *rules)
{
	struct etf_scan_rules now = send_rules(op);

	return op->dest->local || rules->any_creation ||
	       (!now.any_creation && now.creation == rules->creation);
}

static struct erldist_msg *send_copy(struct send_op *op,
				     const struct etf_scan_rules *rules)
{
	u32 name = op->dest->kind == CTL_NAME ? op->dest->name.len : 0;
	struct erldist_msg *msg;
	u32 front, room;
	int err;

	if (op->len > erldist_limit(&op->from->node->limits.max_message))
		return ERR_PTR(-EMSGSIZE);
	/* What is sent to a name, or asks for a process, may be read here. */
	front = op->dest->kind != CTL_NAME && !op->sig.op ?
		name + min_t(size_t, op->len, 2) : ERLDIST_FRONT;
	room = erldist_msg_room(front, op->len + name);
	msg = erldist_msg_alloc(room, GFP_KERNEL_ACCOUNT);
	if (!msg)
		return ERR_PTR(-ENOMEM);
	send_address(op, msg);
	err = erldist_msg_from_user(msg, op->mh, op->len, rules);
	if (!err)
		return msg;
	erldist_msg_put_resched(msg);
	return ERR_PTR(err);
}

static struct erldist_msg *send_build(struct send_op *op)
{
	struct etf_scan_rules rules = send_rules(op);
	struct erldist_msg *msg = send_copy(op, &rules);

	if (IS_ERR(msg) || send_rules_hold(op, &rules))
		return msg;
	erldist_msg_put_resched(msg);
	/* Copy it again, checked for any creation of the peer. */
	iov_iter_revert(&op->mh->msg_iter, op->len);
	rules.any_creation = true;
	return send_copy(op, &rules);
}

/* How long a full destination is waited for: SO_SNDTIMEO, or the stall time */
static long send_timeo(struct send_op *op)
{
	long t = sock_sndtimeo(&op->es->sk, op->mh->msg_flags & MSG_DONTWAIT);

	if (t == MAX_SCHEDULE_TIMEOUT)
		t = msecs_to_jiffies(READ_ONCE(op->from->node->limits.stall));
	return t;
}

static int wait_verdict(long left)
{
	/* The wait was to end some time: it does not start over. */
	if (left < 0)
		return -EINTR;
	return left ? 0 : -EAGAIN;
}

static long wait_peer(struct send_op *op, size_t len, long t)
{
	struct erldist_peer *peer = op->peer;

	return wait_event_interruptible_timeout(peer->wait,
						erldist_send_room(peer, len) ||
						READ_ONCE(peer->dead) ||
						!erldist_process_alive(op->from),
						t);
}

static long wait_mailbox(struct send_op *op, struct erldist_process *to,
			 size_t len, long t)
{
	wait_queue_head_t *wait = &to->mailbox.wait;

	return wait_event_interruptible_timeout(*wait,
						erldist_mailbox_has_room(to, op->from, len) ||
						!erldist_process_alive(op->from),
						t);
}

/*
 * Wait for room for @len bytes at @to, or at the peer: msg->len, as the put tests
 * it, which an EXIT makes longer than the payload of the call. A sender that ends
 * meanwhile wakes its own mailbox's waiters, so it waits there as well.
 */
static long send_wait(struct send_op *op, struct erldist_process *to,
		      size_t len, long t)
{
	DEFINE_WAIT_FUNC(dying, default_wake_function);

	if (!t)
		return 0;
	add_wait_queue(&op->from->mailbox.wait, &dying);
	t = to ? wait_mailbox(op, to, len, t) : wait_peer(op, len, t);
	remove_wait_queue(&op->from->mailbox.wait, &dying);
	return t;
}

static int send_remote(struct send_op *op, struct erldist_msg *msg)
{
	bool batch = op->mh->msg_flags & MSG_BATCH;
	struct erldist_peer *peer = op->peer;
	long t = send_timeo(op);
	int err;

	for (;;) {
		err = erldist_send(peer, op->from, msg, NULL, op->noconnect,
				   batch);
		if (err != -EAGAIN)
			return min(err, 0);
		t = send_wait(op, NULL, msg->len, t);
		err = wait_verdict(t);
		if (err == -EAGAIN)
			erldist_block_on(op->es, BLOCK_PEER, NULL, peer, msg->len, 0);
		if (err)
			return err;
	}
}

static int put_mailbox(struct send_op *op, struct erldist_process *to,
		       struct erldist_msg *msg)
{
	int err = -ESRCH;

	if (op->dest->kind == CTL_REF)
		return erldist_relation_by_alias(to, &op->dest->ref, msg,
						 op->from);
	if (op->dest->kind == CTL_PID && !op->sig.op)
		err = erldist_relation_by_tag(to, msg, op->from);
	if (err != -ESRCH)
		return err;
	return erldist_mailbox_put_local(to, NULL, msg, op->from, NULL);
}

static int send_mailbox(struct send_op *op, struct erldist_process *to,
			struct erldist_msg *msg)
{
	long t = send_timeo(op);
	int err;

	for (;;) {
		err = put_mailbox(op, to, msg);
		if (err == -ENOBUFS) {
			atomic64_inc(&to->node->overflows);
			erldist_process_end_known(to, KNOWN_OVERFLOW, ENOBUFS);
			return -ESRCH;
		}
		if (err != -EAGAIN)
			return err;
		t = send_wait(op, to, msg->len, t);
		err = wait_verdict(t);
		if (err == -EAGAIN)
			erldist_block_on(op->es, BLOCK_MAILBOX, to, NULL, msg->len, 0);
		if (err)
			return err;
	}
}

static int send_net_kernel(struct send_op *op, struct erldist_msg *msg)
{
	struct erldist_process *from = op->from;
	struct etf_ref alias;
	struct erldist_msg *reply;
	int err;

	reply = erldist_netkernel_local(from->node, &op->dest->name, msg, &alias);
	if (!reply)
		return -ESRCH;
	if (alias.n)
		err = erldist_relation_by_alias(from, &alias, reply, from);
	else
		err = erldist_mailbox_put_local(from, NULL, reply, from, NULL);
	if (err)
		erldist_msg_put(reply);
	return -ESRCH;
}

/* To a process of the same node. Nobody there is no error, as in Erlang. */
static int send_local(struct send_op *op, struct erldist_msg *msg)
{
	struct erldist_process *to = erldist_ask_whom(op->from, op->dest);
	int err = -ESRCH;

	if (to) {
		err = send_mailbox(op, to, msg);
		erldist_process_put(to);
	} else if (op->dest->kind == CTL_NAME &&
		   erldist_netkernel_is(&op->dest->name)) {
		err = send_net_kernel(op, msg);
	}
	if (err != -ESRCH)
		return err;
	erldist_msg_put_resched(msg);
	return 0;
}

/*
 * The peer was forgotten, since the look-up or since connect(): the operation is
 * about the one that has its name now. Without a peer it would be about the own
 * node's process of that name.
 */
static int send_renew(struct send_op *op)
{
	erldist_peer_put(op->peer);
	op->peer = NULL;
	return send_find_peer(op) ?: send_make_peer(op);
}

static int send_deliver(struct send_op *op, struct erldist_msg *msg)
{
	int err;

	if (op->dest->local)
		err = send_local(op, msg);
	else
		err = send_remote(op, msg);
	while (err == -ESTALE) {
		err = send_renew(op) ?: send_remote(op, msg);
		cond_resched();
	}
	if (err)
		erldist_msg_put_resched(msg);
	return err;
}

/* Room for a signal without payload, where its receiver is a peer's */
static int signal_room(struct send_op *op)
{
	long t = send_timeo(op);
	int err = 0;

	if (!signal_undoes(&op->sig) && !erldist_mailbox_has_own_room(op->from))
		return -EAGAIN;
	while (op->peer && !err && !erldist_send_room(op->peer, 0)) {
		if (!erldist_process_alive(op->from))
			return -EPIPE;
		t = send_wait(op, NULL, 0, t);
		err = wait_verdict(t);
		if (err == -EAGAIN)
			erldist_block_on(op->es, BLOCK_PEER, NULL, op->peer, 0, 0);
	}
	return err;
}

static int signal_once(struct send_op *op, const struct erldist_ask *ask)
{
	switch (op->sig.op) {
	case ERLDIST_SIG_LINK:
		return erldist_ask_link(ask);
	case ERLDIST_SIG_UNLINK:
		return erldist_ask_unlink(ask);
	case ERLDIST_SIG_DEMONITOR:
		return erldist_ask_demonitor(ask);
	case ERLDIST_SIG_ALIAS:
		return erldist_ask_alias(ask);
	case ERLDIST_SIG_UNALIAS:
		return erldist_ask_unalias(ask);
	case ERLDIST_SIG_MONITOR_NODE:
		return erldist_watch_node(ask);
	case ERLDIST_SIG_MONITOR_NODES:
		return erldist_watch_nodes(ask);
	default:
		return erldist_ask_monitor(ask);
	}
}

static int signal_ask(struct send_op *op)
{
	struct erldist_ask ask = {
		.from = op->from,
		.port = op->es->port,
		.dest = op->dest,
		.sig = &op->sig,
	};
	int err = signal_room(op);

	while (!err && !op->nobody) {
		ask.peer = op->peer;
		err = signal_once(op, &ask);
		if (err != -ESTALE)
			break;
		err = send_renew(op);
		cond_resched();
	}
	return err;
}

/* exit/2. Who traps it is told as by any other message. */
static int exit_to(struct send_op *op, struct erldist_process *to,
		   struct erldist_blob *reason)
{
	struct erldist_msg *told;
	int err = erldist_ask_exit(op->from, to, reason, &told);

	if (!told)
		return err;
	err = send_mailbox(op, to, told);
	if (err)
		erldist_msg_put(told);
	return err == -ESRCH ? 0 : err;
}

static int exit_local(struct send_op *op, struct erldist_msg *msg)
{
	struct erldist_process *to = erldist_ask_whom(op->from, op->dest);
	struct erldist_blob *reason;
	int err = -ENOMEM;

	if (!to)
		return 0;
	reason = erldist_msg_blob(msg, 0);
	if (reason) {
		err = exit_to(op, to, reason);
		erldist_blob_put(reason);
	}
	erldist_process_put(to);
	return err;
}

static int send_exit(struct send_op *op, struct erldist_msg *msg)
{
	int err;

	if (op->dest->kind != CTL_PID) {
		erldist_msg_put_resched(msg);
		return -EINVAL;
	}
	msg->ctl_op = OP_EXIT2;
	if (!op->dest->local)
		return send_deliver(op, msg);
	err = exit_local(op, msg);
	erldist_msg_put_resched(msg);
	return err;
}

/* Takes back what was asked for with a message that could not be sent. */
static void message_undo(struct send_op *op)
{
	const struct erldist_ask ask = {
		.from = op->from, .port = op->es->port, .sig = &op->sig,
	};

	op->sig.flags |= ERLDIST_SIG_F_FLUSH;
	if (op->sig.flags & ERLDIST_SIG_F_MONITOR)
		erldist_ask_demonitor(&ask);
	else if (op->sig.flags & ERLDIST_SIG_F_ALIAS)
		erldist_ask_unalias(&ask);
}

static int message_ask(struct send_op *op)
{
	const struct erldist_ask ask = {
		.from = op->from, .port = op->es->port, .sig = &op->sig,
	};

	if (op->sig.flags & ERLDIST_SIG_F_MONITOR)
		return signal_ask(op);
	if (op->sig.flags & ERLDIST_SIG_F_ALIAS)
		return erldist_ask_alias(&ask);
	return 0;
}

static int send_message(struct send_op *op, struct erldist_msg *msg)
{
	int err = message_ask(op);

	if (err) {
		erldist_msg_put_resched(msg);
		return err;
	}
	err = send_deliver(op, msg);
	if (err)
		message_undo(op);
	return err;
}

/* The message is what it says, not what is sent. */
static int send_spawn(struct send_op *op, struct erldist_msg *msg)
{
	struct erldist_ask ask = {
		.from = op->from,
		.port = op->es->port,
		.dest = op->dest,
		.sig = &op->sig,
		.peer = op->peer,
	};
	/* A node that nobody knows has asked for nothing. */
	int err = op->nobody ? -ENOENT : signal_room(op);

	if (!err && op->sig.op == ERLDIST_SIG_SPAWN)
		err = erldist_ask_spawn(&ask, msg);
	else if (!err)
		err = erldist_ask_spawn_answer(&ask, msg);
	erldist_msg_put_resched(msg);
	return err == -ESTALE ? -EAGAIN : err;
}

static int send_it(struct send_op *op)
{
	struct erldist_msg *msg;
	int err;

	if (!signal_ops[op->sig.op].payload)
		return op->len ? -EINVAL : send_make_peer(op) ?: signal_ask(op);
	msg = send_build(op);
	if (IS_ERR(msg))
		return PTR_ERR(msg);
	err = send_make_peer(op);
	if (err) {
		erldist_msg_put_resched(msg);
		return err;
	}
	switch (op->sig.op) {
	case ERLDIST_SIG_EXIT:
		return send_exit(op, msg);
	case ERLDIST_SIG_SPAWN:
	case ERLDIST_SIG_SPAWN_ANSWER:
		return send_spawn(op, msg);
	default:
		return send_message(op, msg);
	}
}

static int send_to_default(struct send_op *op)
{
	op->target = erldist_sock_target(op->es);
	if (!op->target)
		return -EDESTADDRREQ;
	op->dest = &op->target->dest;
	op->peer = op->target->peer;
	if (op->peer)
		erldist_peer_get(op->peer);
	/* It is a process. */
	return names_node(op) ? -EINVAL : send_it(op);
}

/* What the term says stays here: who has a default destination needs no room for it. */
static noinline_for_stack int send_to_term(struct send_op *op, const u8 *term,
					   size_t len)
{
	struct erldist_dest dest;
	int err;

	err = erldist_dest_parse(op->from->node, term, len, &dest);
	if (!err && names_node(op))
		err = erldist_dest_is_node(op->from->node, &dest);
	op->dest = &dest;
	if (!err && !dest.local)
		err = send_find_peer(op);
	return err ?: send_it(op);
}

static int send_to_whom(struct send_op *op)
{
	const u8 *term;
	int n;

	if (!signal_ops[op->sig.op].dest)
		return send_it(op);
	if (op->dest_term)
		return send_to_term(op, op->dest_term, op->dest_len);
	if (!op->mh->msg_name || !op->mh->msg_namelen)
		return send_to_default(op);
	n = erldist_addr_term(op->mh->msg_name, op->mh->msg_namelen, &term);
	return n < 0 ? n : send_to_term(op, term, n);
}

/**
 * erldist_process_sendmsg() - sendmsg() of a process
 * @sock: the socket
 * @mh: where to, what kind of signal, and the payload
 * @len: bytes of the payload
 *
 * Context: process context.
 * Return: @len, or a negative errno.
 */
int erldist_process_sendmsg(struct socket *sock, struct msghdr *mh, size_t len)
{
	static const struct erldist_dest nobody;
	struct send_op op = {
		.es = erldist_sk(sock->sk),
		.from = sk_process(sock->sk),
		.mh = mh,
		.len = len,
		.dest = &nobody,
	};
	int err;

	if (mh->msg_flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (!op.from)
		return -ENOTCONN;
	if (!erldist_process_alive(op.from))
		return -EPIPE;
	err = send_cmsgs(&op);
	if (!err)
		err = send_to_whom(&op);
	erldist_peer_put(op.peer);
	erldist_target_put(op.target);
	return err ?: len;
}
