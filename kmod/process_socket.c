// SPDX-License-Identifier: GPL-2.0-only
/*
 * SOCK_RDM: a process. The calls of its socket.
 */
#include <asm/ioctls.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/sockios.h>
#include <net/sock.h>

#include "main.h"
#include "netlink.h"
#include "node.h"
#include "peer.h"
#include "process_socket.h"

static int process_release(struct socket *sock)
{
	struct sock *sk = sock->sk;
	struct erldist_sock *es;

	if (!sk)
		return 0;
	es = erldist_sk(sk);
	lock_sock(sk);
	erldist_block_clear(es);
	release_sock(sk);
	if (es->process)
		erldist_process_close(es->process);
	erldist_target_put(es->target);
	sock_orphan(sk);
	sock->sk = NULL;
	sock_put(sk);
	return 0;
}

/* A term in a sockaddr. Returns its length, or a negative errno. */
static int addr_term(const erldist_sockaddr *addr, int len, const u8 **term)
{
	const struct sockaddr_erldist *sed = (const void *)addr;
	int head = offsetof(struct sockaddr_erldist, sed_term);

	if (len < head || len > sizeof(*sed))
		return -EINVAL;
	if (sed->sed_family != erldist_family())
		return -EAFNOSUPPORT;
	*term = sed->sed_term;
	return len - head;
}

struct bind_to {
	struct etf_atom name;
	struct etf_atom node;
};

static bool has_at(const struct etf_atom *atom)
{
	return memchr(atom->text, '@', atom->len);
}

/* Nothing, Node, Name, or {Name, Node} */
static int bind_parse(const u8 *term, size_t len, struct bind_to *to)
{
	struct etf_cursor c = { term, term + len };
	u32 arity;

	memset(to, 0, sizeof(*to));
	if (!len)
		return 0;
	if (!etf_get_atom(&c, &to->name)) {
		if (has_at(&to->name))
			swap(to->name, to->node);
	} else if (etf_get_tuple(&c, &arity) || arity != 2 ||
		   etf_get_atom(&c, &to->name) ||
		   etf_get_atom(&c, &to->node)) {
		return -EINVAL;
	}
	return c.p == c.end ? 0 : -EINVAL;
}

static bool name_reserved(const struct etf_atom *name)
{
	static const char *const reserved[] = {
		"rex", "global_name_server", "init", "user",
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(reserved); i++) {
		if (etf_atom_is(name, reserved[i]))
			return true;
	}
	return false;
}

/**
 * erldist_sock_name_permit() - may the caller register a name
 * @node: the node
 * @name: the name
 * Return: 0; -EACCES: it is the node's owner's.
 */
int erldist_sock_name_permit(const struct erldist_node *node,
			     const struct etf_atom *name)
{
	return !name_reserved(name) || erldist_node_is_owner(node) ? 0 : -EACCES;
}

static struct erldist_node *bind_node(struct sock *sk, const struct bind_to *to)
{
	struct net *net = sock_net(sk);
	struct erldist_node *node;

	node = to->node.len ? erldist_node_find(net, &to->node) :
			      erldist_node_default(net);
	if (!node)
		return ERR_PTR(-EADDRNOTAVAIL);
	if (erldist_node_may_use(node) && !erldist_sock_name_permit(node, &to->name))
		return node;
	erldist_node_put(node);
	return ERR_PTR(-EACCES);
}

static int bind_process(struct sock *sk, struct erldist_node *node,
			const struct bind_to *to)
{
	struct erldist_process *proc = erldist_process_new(node, sk);
	int err;

	if (IS_ERR(proc))
		return PTR_ERR(proc);
	proc->watch = erldist_watch_new(proc);
	err = erldist_process_publish(proc, to->name.len ? &to->name : NULL);
	if (err || !proc->watch) {
		erldist_process_close(proc);
		return err ?: -ENOMEM;
	}
	/* Everyone sees a process that is complete. */
	smp_store_release(&erldist_sk(sk)->process, proc);
	/* Something may have come before poll could see it. */
	sk->sk_data_ready(sk);
	return 0;
}

/**
 * erldist_sock_bind() - become a process
 * @sk: the socket
 * @term: nothing, Node, Name, or {Name, Node}
 * @len: its bytes
 *
 * Context: process context.
 * Return: 0; -EINVAL; -EADDRINUSE, -EADDRNOTAVAIL, -EACCES, -EUSERS, -ENOMEM.
 */
int erldist_sock_bind(struct sock *sk, const u8 *term, size_t len)
{
	struct erldist_node *node;
	struct bind_to to;
	int err;

	err = bind_parse(term, len, &to);
	if (err)
		return err;
	if (sk_process(sk))
		return -EINVAL;
	node = bind_node(sk, &to);
	if (IS_ERR(node))
		return PTR_ERR(node);
	lock_sock(sk);
	err = erldist_sk(sk)->process ? -EINVAL : bind_process(sk, node, &to);
	release_sock(sk);
	erldist_node_put(node);
	return err;
}

static int process_bind(struct socket *sock, erldist_sockaddr *addr, int len)
{
	const u8 *term;
	int n = addr_term(addr, len, &term);

	return n < 0 ? n : erldist_sock_bind(sock->sk, term, n);
}

static void set_target(struct erldist_sock *es, struct erldist_target *target)
{
	spin_lock(&es->lock);
	swap(es->target, target);
	spin_unlock(&es->lock);
	erldist_target_put(target);
}

/**
 * erldist_sock_target() - the default destination
 * @es: the socket
 * Return: the target with a reference, or NULL.
 */
struct erldist_target *erldist_sock_target(struct erldist_sock *es)
{
	struct erldist_target *target;

	spin_lock(&es->lock);
	target = erldist_target_get(es->target);
	spin_unlock(&es->lock);
	return target;
}

static int connect_peer(struct erldist_sock *es, struct erldist_target *target,
			bool wait)
{
	u32 epoch;
	int err;

	erldist_block_dissolve(es);
	if (!target->peer)
		return 0;
	err = erldist_peer_connect(target->peer, es->process, &es->sk, wait,
				   &epoch);
	if (err == -EINPROGRESS)
		erldist_block_on(es, BLOCK_CONNECT, NULL, target->peer, 0, epoch);
	return err;
}

/**
 * erldist_sock_connect() - set the default destination, have a connection to it
 * @sk: the socket
 * @term: the destination
 * @len: its bytes
 * @wait: until its node is up, or it is known why it is not
 *
 * Context: process context.
 * Return: 0; -EINPROGRESS; -ENOTCONN before bind; why there is no connection.
 */
int erldist_sock_connect(struct sock *sk, const u8 *term, size_t len,
			 bool wait)
{
	struct erldist_process *proc = sk_process(sk);
	struct erldist_sock *es = erldist_sk(sk);
	struct erldist_target *target;
	int err;

	if (!proc)
		return -ENOTCONN;
	if (!erldist_process_alive(proc))
		return -proc->err;
	target = erldist_target_new(proc->node, term, len);
	if (IS_ERR(target))
		return PTR_ERR(target);
	err = connect_peer(es, target, wait);
	if (err && err != -EINPROGRESS)
		erldist_target_put(target);
	else
		set_target(es, target);
	return err;
}

static int process_connect(struct socket *sock, erldist_sockaddr *addr,
			   int len, int flags)
{
	const struct sockaddr_erldist *sed = (const void *)addr;
	const u8 *term;
	int n;

	if (len >= sizeof(sed->sed_family) && sed->sed_family == AF_UNSPEC) {
		set_target(erldist_sk(sock->sk), NULL);
		erldist_block_dissolve(erldist_sk(sock->sk));
		return 0;
	}
	n = addr_term(addr, len, &term);
	if (n < 0)
		return n;
	return erldist_sock_connect(sock->sk, term, n, !(flags & O_NONBLOCK));
}

/* A term as an address. Returns its length, or -EOVERFLOW. */
static int put_addr(void *addr, const u8 *term, size_t len)
{
	struct sockaddr_erldist *sed = addr;

	if (len > sizeof(sed->sed_term))
		return -EOVERFLOW;
	sed->sed_family = erldist_family();
	memcpy(sed->sed_term, term, len);
	return offsetof(struct sockaddr_erldist, sed_term) + len;
}

static int process_getname(struct socket *sock, struct sockaddr *addr,
			   int peer)
{
	struct erldist_process *proc = sk_process(sock->sk);
	struct erldist_target *target;
	u8 self[ERLDIST_SELF_MAX];
	int n;

	if (!proc)
		return -ENOTCONN;
	if (!peer)
		return put_addr(addr, self, erldist_put_self(self, proc, proc->id,
						     proc->serial));
	target = erldist_sock_target(erldist_sk(sock->sk));
	if (!target)
		return -ENOTCONN;
	n = put_addr(addr, target->term, target->len);
	erldist_target_put(target);
	return n;
}

static __poll_t process_poll(struct file *file, struct socket *sock,
			     struct poll_table_struct *wait)
{
	struct sock *sk = sock->sk;
	struct erldist_process *proc;
	__poll_t mask = 0;

	sock_poll_wait(file, sock, wait);
	proc = sk_process(sk);
	if (sk->sk_err)
		mask |= EPOLLERR;
	if (!proc)
		return mask | EPOLLOUT | EPOLLWRNORM;
	if (!erldist_process_alive(proc))
		return mask | EPOLLIN | EPOLLRDNORM | EPOLLHUP | EPOLLERR |
		       EPOLLRDHUP;
	if (!list_empty_careful(&proc->mailbox.queue))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (!READ_ONCE(erldist_sk(sk)->block.kind))
		mask |= EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
	return mask;
}

static int process_ioctl(struct socket *sock, unsigned int cmd,
			 unsigned long arg)
{
	struct erldist_process *proc = sk_process(sock->sk);
	size_t len;

	if (cmd != SIOCINQ)
		return -ENOIOCTLCMD;
	if (!proc)
		return -ENOTCONN;
	len = erldist_mailbox_first(proc);
	return put_user((int)min_t(size_t, len, INT_MAX), (int __user *)arg);
}

/* What one sendmsg() is about */
struct send_op {
	struct erldist_sock *es;
	struct erldist_process *from;
	struct msghdr *mh;
	size_t len;
	struct erldist_dest dest;
	struct erldist_peer *peer;		/* remote: a reference */
	struct erldist_target *target;		/* holds what dest points into */
	bool noconnect;
	const u8 *dest_term;			/* ERLDIST_DEST */
	size_t dest_len;
};

static int send_signal(struct send_op *op, const struct cmsghdr *cmsg)
{
	struct erldist_signal sig = {};
	size_t len = cmsg->cmsg_len - CMSG_LEN(0);
	const u8 *data = CMSG_DATA(cmsg);

	if (len > sizeof(sig) &&
	    memchr_inv(data + sizeof(sig), 0, len - sizeof(sig)))
		return -E2BIG;
	memcpy(&sig, data, min(len, sizeof(sig)));
	if (sig.op != ERLDIST_SIG_MESSAGE)
		return -EOPNOTSUPP;
	if (sig.flags & ~ERLDIST_SIG_F_NOCONNECT || sig.reserved)
		return -EINVAL;
	op->noconnect = sig.flags & ERLDIST_SIG_F_NOCONNECT;
	return 0;
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

static int send_to_default(struct send_op *op)
{
	op->target = erldist_sock_target(op->es);
	if (!op->target)
		return -EDESTADDRREQ;
	op->dest = op->target->dest;
	op->peer = op->target->peer;
	if (op->peer)
		erldist_peer_get(op->peer);
	return 0;
}

static int send_to_term(struct send_op *op, const u8 *term, size_t len)
{
	int err;

	err = erldist_dest_parse(op->from->node, term, len, &op->dest);
	if (err || op->dest.local)
		return err;
	op->peer = erldist_peer_for(op->from, &op->dest.node, op->noconnect);
	if (!IS_ERR(op->peer))
		return 0;
	err = PTR_ERR(op->peer);
	op->peer = NULL;
	return err;
}

static int send_resolve(struct send_op *op)
{
	const u8 *term;
	int n;

	n = send_cmsgs(op);
	if (n)
		return n;
	if (op->dest_term)
		return send_to_term(op, op->dest_term, op->dest_len);
	if (!op->mh->msg_name || !op->mh->msg_namelen)
		return send_to_default(op);
	n = addr_term(op->mh->msg_name, op->mh->msg_namelen, &term);
	return n < 0 ? n : send_to_term(op, term, n);
}

static void send_address(struct send_op *op, struct erldist_msg *msg)
{
	const struct erldist_dest *dest = &op->dest;

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

static struct erldist_msg *send_build(struct send_op *op)
{
	struct etf_scan_rules rules = {};
	u32 name = op->dest.kind == CTL_NAME ? op->dest.name.len : 0;
	struct erldist_msg *msg;
	size_t room;
	int err;

	if (op->len > READ_ONCE(op->from->node->limits.max_message))
		return ERR_PTR(-EMSGSIZE);
	room = min_t(size_t, op->len + name,
		     ERLDIST_PIECE_SIZE - sizeof(*msg));
	msg = erldist_msg_alloc(room, GFP_KERNEL_ACCOUNT);
	if (!msg)
		return ERR_PTR(-ENOMEM);
	send_address(op, msg);
	if (op->peer) {
		rules.peer = op->peer->atom;
		rules.creation = READ_ONCE(op->peer->creation);
		/* Who will be there when it is sent is not known yet. */
		rules.any_creation = !READ_ONCE(op->peer->open);
	}
	err = erldist_msg_from_user(msg, op->mh, op->len, &rules);
	if (!err)
		return msg;
	erldist_msg_put(msg);
	return ERR_PTR(err);
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

static long wait_peer(struct send_op *op, long t)
{
	struct erldist_peer *peer = op->peer;

	return wait_event_interruptible_timeout(peer->wait,
						erldist_send_room(peer, op->len) ||
						READ_ONCE(peer->dead) ||
						!erldist_process_alive(op->from),
						t);
}

static long wait_mailbox(struct send_op *op, struct erldist_process *to, long t)
{
	wait_queue_head_t *wait = &to->mailbox.wait;

	return wait_event_interruptible_timeout(*wait,
						erldist_mailbox_has_room(to, op->len) ||
						!erldist_process_alive(op->from),
						t);
}

/*
 * Wait for room at @to, or at the peer. A sender that ends meanwhile wakes its
 * own mailbox's waiters, so it waits there as well.
 */
static long send_wait(struct send_op *op, struct erldist_process *to, long t)
{
	DEFINE_WAIT_FUNC(dying, default_wake_function);

	if (!t)
		return 0;
	add_wait_queue(&op->from->mailbox.wait, &dying);
	t = to ? wait_mailbox(op, to, t) : wait_peer(op, t);
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
		err = erldist_send(peer, op->from, msg, op->noconnect, batch);
		if (err != -EAGAIN)
			return err;
		t = send_wait(op, NULL, t);
		err = wait_verdict(t);
		if (err == -EAGAIN)
			erldist_block_on(op->es, BLOCK_PEER, NULL, peer, op->len, 0);
		if (err)
			return err;
	}
}

static int send_mailbox(struct send_op *op, struct erldist_process *to,
			struct erldist_msg *msg)
{
	long t = send_timeo(op);
	int err;

	for (;;) {
		err = erldist_mailbox_put_local(to, msg, op->from);
		if (err == -ENOBUFS) {
			atomic64_inc(&to->node->overflows);
			erldist_process_end_known(to, KNOWN_OVERFLOW, ENOBUFS);
			return -ESRCH;
		}
		if (err != -EAGAIN)
			return err;
		t = send_wait(op, to, t);
		err = wait_verdict(t);
		if (err == -EAGAIN)
			erldist_block_on(op->es, BLOCK_MAILBOX, to, NULL, op->len, 0);
		if (err)
			return err;
	}
}

static struct erldist_process *find_local(struct send_op *op)
{
	struct erldist_node *node = op->from->node;
	const struct erldist_dest *dest = &op->dest;

	if (dest->kind == CTL_NAME)
		return erldist_process_named(node, &dest->name);
	if (dest->kind == CTL_PID && dest->pid.creation == node->creation)
		return erldist_process_find(node, dest->pid.id,
					    dest->pid.serial);
	return NULL;
}

static int send_net_kernel(struct send_op *op, struct erldist_msg *msg)
{
	struct erldist_msg *reply = erldist_netkernel_local(msg);

	if (reply && erldist_mailbox_put_local(op->from, reply, op->from))
		erldist_msg_put(reply);
	return -ESRCH;
}

/* To a process of the same node. Nobody there is no error, as in Erlang. */
static int send_local(struct send_op *op, struct erldist_msg *msg)
{
	struct erldist_process *to;
	int err = -ESRCH;

	if (op->dest.kind == CTL_NAME &&
	    etf_atom_is(&op->dest.name, "net_kernel"))
		err = send_net_kernel(op, msg);
	to = find_local(op);
	if (to) {
		err = send_mailbox(op, to, msg);
		erldist_process_put(to);
	}
	if (err != -ESRCH)
		return err;
	erldist_msg_put(msg);
	return 0;
}

/* The peer was forgotten between the look-up and now: it is a new one. */
static int send_again(struct send_op *op, struct erldist_msg *msg)
{
	int err;

	do {
		erldist_peer_put(op->peer);
		op->peer = erldist_peer_for(op->from, &op->dest.node,
					    op->noconnect);
		if (IS_ERR(op->peer)) {
			err = PTR_ERR(op->peer);
			op->peer = NULL;
			return err;
		}
		err = send_remote(op, msg);
		cond_resched();
	} while (err == -ESTALE);
	return err;
}

static int send_deliver(struct send_op *op, struct erldist_msg *msg)
{
	int err;

	if (op->dest.local)
		err = send_local(op, msg);
	else
		err = send_remote(op, msg);
	if (err == -ESTALE)
		err = send_again(op, msg);
	if (err)
		erldist_msg_put(msg);
	return err;
}

static int process_sendmsg(struct socket *sock, struct msghdr *mh, size_t len)
{
	struct send_op op = {
		.es = erldist_sk(sock->sk),
		.from = sk_process(sock->sk),
		.mh = mh,
		.len = len,
	};
	struct erldist_msg *msg;
	int err;

	if (mh->msg_flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (!op.from)
		return -ENOTCONN;
	if (!erldist_process_alive(op.from))
		return -EPIPE;
	err = send_resolve(&op);
	if (!err) {
		msg = send_build(&op);
		err = IS_ERR(msg) ? PTR_ERR(msg) : send_deliver(&op, msg);
	}
	erldist_peer_put(op.peer);
	erldist_target_put(op.target);
	return err ?: len;
}

static bool recv_ready(const struct erldist_process *proc)
{
	return !list_empty_careful(&proc->mailbox.queue) ||
	       !erldist_process_alive(proc);
}

static long recv_wait(struct sock *sk, const struct erldist_process *proc,
		      long t)
{
	DEFINE_WAIT(wait);

	for (;;) {
		prepare_to_wait_exclusive(sk_sleep(sk), &wait,
					  TASK_INTERRUPTIBLE);
		if (recv_ready(proc) || !t)
			break;
		if (signal_pending(current)) {
			t = sock_intr_errno(t);
			break;
		}
		t = schedule_timeout(t);
	}
	finish_wait(sk_sleep(sk), &wait);
	return t;
}

static int recv_take(struct sock *sk, struct erldist_process *proc,
		     size_t room, int flags, struct erldist_msg **msg)
{
	long t = sock_rcvtimeo(sk, flags & MSG_DONTWAIT);
	int err;

	while ((err = erldist_mailbox_take(proc, room, flags, msg)) == -EAGAIN) {
		if (!t)
			return -EAGAIN;
		t = recv_wait(sk, proc, t);
		if (t < 0)
			return t;
		if (!t && !recv_ready(proc))
			return -EAGAIN;
	}
	return err;
}

static void recv_name(struct msghdr *mh, const u8 *from, size_t len)
{
	int n = -EOVERFLOW;

	if (mh->msg_name && len)
		n = put_addr(mh->msg_name, from, len);
	mh->msg_namelen = max(n, 0);
	if (n == -EOVERFLOW && len)
		put_cmsg(mh, SOL_ERLDIST, ERLDIST_FROM, len, (void *)from);
}

static void recv_from(struct msghdr *mh, const struct erldist_process *proc,
		      const struct erldist_msg *msg)
{
	u8 self[ERLDIST_SELF_MAX];

	if (msg->local_from)
		recv_name(mh, self,
			  erldist_put_self(self, proc, msg->from_id,
					   msg->from_serial));
	else
		recv_name(mh, msg->data + msg->from, msg->from_len);
}

static void recv_to(struct msghdr *mh, const struct erldist_process *proc,
		    const struct erldist_msg *msg)
{
	struct etf_atom name = erldist_msg_name(msg);
	size_t room = max_t(size_t, etf_atom_size(&name), ERLDIST_SELF_MAX), len;
	u8 *term = kmalloc(room, GFP_KERNEL);

	if (!term) {
		mh->msg_flags |= MSG_CTRUNC;
		return;
	}
	if (msg->to_kind == CTL_NAME)
		len = etf_put_atom(term, &name) - term;
	else
		len = erldist_put_self(term, proc, proc->id, proc->serial);
	put_cmsg(mh, SOL_ERLDIST, ERLDIST_TO, len, term);
	kfree(term);
}

static void recv_signal(struct msghdr *mh, const struct erldist_msg *msg)
{
	struct erldist_signal sig = { .op = msg->op };

	mh->msg_flags |= ERLDIST_MSG_SIGNAL;
	put_cmsg(mh, SOL_ERLDIST, ERLDIST_SIGNAL, sizeof(sig), &sig);
}

static void recv_describe(struct erldist_sock *es, struct msghdr *mh,
			  const struct erldist_msg *msg)
{
	recv_from(mh, es->process, msg);
	if (msg->op != ERLDIST_SIG_MESSAGE)
		recv_signal(mh, msg);
	else if (READ_ONCE(es->recvto))
		recv_to(mh, es->process, msg);
}

static int process_recvmsg(struct socket *sock, struct msghdr *mh, size_t len,
			   int flags)
{
	struct erldist_process *proc = sk_process(sock->sk);
	struct erldist_sock *es = erldist_sk(sock->sk);
	struct erldist_msg *msg;
	size_t n;
	int err;

	if (flags & (MSG_OOB | MSG_ERRQUEUE))
		return -EOPNOTSUPP;
	if (!proc)
		return -ENOTCONN;
	err = sock_error(sock->sk);
	if (err)
		return err;
	err = recv_take(sock->sk, proc, len, flags, &msg);
	if (err)
		return err;
	n = min(len, msg->len);
	err = erldist_msg_to_user(msg, mh, n);
	if (!err) {
		if (n < msg->len)
			mh->msg_flags |= MSG_TRUNC;
		recv_describe(es, mh, msg);
		err = flags & MSG_TRUNC ? min_t(size_t, msg->len, INT_MAX) : n;
	}
	if (flags & MSG_PEEK)
		erldist_msg_put(msg);
	else if (err < 0)
		erldist_mailbox_return(proc, msg);
	else
		erldist_mailbox_read(proc, msg);
	return err;
}

static const struct proto_ops process_ops = {
	.family = AF_ERLDIST,
	.owner = THIS_MODULE,
	.release = process_release,
	.bind = process_bind,
	.connect = process_connect,
	.socketpair = sock_no_socketpair,
	.accept = sock_no_accept,
	.getname = process_getname,
	.poll = process_poll,
	.ioctl = process_ioctl,
	.gettstamp = sock_gettstamp,
	.listen = sock_no_listen,
	.shutdown = sock_no_shutdown,
	.setsockopt = erldist_process_setsockopt,
	.getsockopt = erldist_process_getsockopt,
	.sendmsg = process_sendmsg,
	.recvmsg = process_recvmsg,
	.mmap = sock_no_mmap,
};

struct proto erldist_process_proto = {
	.name = "ERLDIST",
	.owner = THIS_MODULE,
	.obj_size = sizeof(struct erldist_sock),
};

/**
 * erldist_process_socket_create() - socket(SOCK_RDM)
 * @net: the namespace
 * @sock: the socket
 * @kern: made by the kernel
 * Return: 0 or -ENOMEM.
 */
int erldist_process_socket_create(struct net *net, struct socket *sock,
				  int kern)
{
	struct sock *sk;

	sk = sk_alloc(net, erldist_family(), GFP_KERNEL, &erldist_process_proto,
		      kern);
	if (!sk)
		return -ENOMEM;
	sock_init_data(sock, sk);
	sock_set_flag(sk, SOCK_RCU_FREE);
	spin_lock_init(&erldist_sk(sk)->lock);
	sock->ops = &process_ops;
	sock->state = SS_UNCONNECTED;
	return 0;
}
