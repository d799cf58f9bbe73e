// SPDX-License-Identifier: GPL-2.0-only
/*
 * SOCK_RDM: a process. The calls of its socket.
 */
#include <asm/ioctls.h>
#include <linux/file.h>
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
#include "relation.h"

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
	if (es->port)
		erldist_port_close(es->port);
	else if (es->process)
		erldist_process_close(es->process);
	erldist_target_put(es->target);
	sock_orphan(sk);
	sock->sk = NULL;
	sock_put(sk);
	return 0;
}

/**
 * erldist_addr_term() - a term in a sockaddr
 * @addr: the address
 * @len: its bytes
 * @term: set to where the term is in it
 *
 * Return: the term's length; -EINVAL; -EAFNOSUPPORT.
 */
int erldist_addr_term(const erldist_sockaddr *addr, int len, const u8 **term)
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
	err = erldist_owner_set(proc, ERLDIST_OWNER_SELF);
	if (!err)
		err = erldist_process_publish(proc, to->name.len ? &to->name :
								   NULL);
	if (err) {
		erldist_process_close(proc);
		return err;
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

static int attach_to(struct sock *sk, struct sock *to)
{
	struct erldist_process *proc;
	struct erldist_port *port;

	if (to->sk_prot != &erldist_process_proto)
		return -EINVAL;
	proc = sk_process(to);
	if (!proc)
		return -ENOTCONN;
	port = erldist_port_new(proc, sk);
	if (IS_ERR(port))
		return PTR_ERR(port);
	erldist_sk(sk)->port = port;
	/* Everyone sees a port that is complete. */
	smp_store_release(&erldist_sk(sk)->process, proc);
	return 0;
}

/**
 * erldist_sock_attach() - become a reply port
 * @sk: the socket, not bound
 * @fd: a socket of the process; to hold it is the permission
 *
 * Context: process context.
 * Return: 0; -EBADF, -ENOTSOCK; -EINVAL it is no process, or @sk is bound
 * already; -ENOTCONN it is not bound; -EPIPE, -EUSERS, -ENOMEM.
 */
int erldist_sock_attach(struct sock *sk, int fd)
{
	struct socket *to;
	int err;

	to = sockfd_lookup(fd, &err);
	if (!to)
		return err;
	lock_sock(sk);
	err = erldist_sk(sk)->process ? -EINVAL : attach_to(sk, to->sk);
	release_sock(sk);
	sockfd_put(to);
	return err;
}

static int process_bind(struct socket *sock, erldist_sockaddr *addr, int len)
{
	const u8 *term;
	int n = erldist_addr_term(addr, len, &term);

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
	bool forgotten;
	int err;

	if (!proc)
		return -ENOTCONN;
	if (!erldist_process_alive(proc))
		return -proc->err;
	do {
		target = erldist_target_new(proc, term, len);
		if (IS_ERR(target))
			return PTR_ERR(target);
		err = connect_peer(es, target, wait);
		/* A keeper may report this errno itself: look at the peer, too. */
		forgotten = err == -ESTALE && READ_ONCE(target->peer->dead);
		if (err && err != -EINPROGRESS)
			erldist_target_put(target);
		else
			set_target(es, target);
		cond_resched();
	} while (forgotten);
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
	n = erldist_addr_term(addr, len, &term);
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

/* Is there something to read? */
static bool recv_any(const struct erldist_sock *es)
{
	return !list_empty_careful(&erldist_queue(es->process,
						  es->port)->list);
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
	if (recv_any(erldist_sk(sk)))
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
	len = erldist_mailbox_first(proc, erldist_sk(sock->sk)->port);
	return put_user((int)min_t(size_t, len, INT_MAX), (int __user *)arg);
}

static bool recv_ready(const struct erldist_sock *es)
{
	return recv_any(es) || !erldist_process_alive(es->process);
}

static long recv_wait(struct sock *sk, long t)
{
	DEFINE_WAIT(wait);

	for (;;) {
		prepare_to_wait_exclusive(sk_sleep(sk), &wait,
					  TASK_INTERRUPTIBLE);
		if (recv_ready(erldist_sk(sk)) || !t)
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

static int recv_take(struct sock *sk, size_t room, int flags,
		     struct erldist_msg **msg)
{
	struct erldist_sock *es = erldist_sk(sk);
	long t = sock_rcvtimeo(sk, flags & MSG_DONTWAIT);
	int err;

	while ((err = erldist_mailbox_take(es->process, es->port, room, flags,
					   msg)) == -EAGAIN) {
		if (!t)
			return -EAGAIN;
		t = recv_wait(sk, t);
		if (t < 0)
			return t;
		if (!t && !recv_ready(es))
			return -EAGAIN;
	}
	return err;
}

static int recv_name(struct msghdr *mh, const u8 *from, size_t len)
{
	int n = -EOVERFLOW;

	if (mh->msg_name && len)
		n = put_addr(mh->msg_name, from, len);
	mh->msg_namelen = max(n, 0);
	if (n != -EOVERFLOW || !len)
		return 0;
	return put_cmsg(mh, SOL_ERLDIST, ERLDIST_FROM, len, (void *)from);
}

static noinline_for_stack int recv_local(struct msghdr *mh,
					 const struct erldist_process *proc,
					 const struct erldist_msg *msg)
{
	u8 self[ERLDIST_SELF_MAX];

	return recv_name(mh, self, erldist_put_self(self, proc, msg->from_id,
						    msg->from_serial));
}

static int recv_from(struct msghdr *mh, const struct erldist_process *proc,
		     const struct erldist_msg *msg)
{
	/* The caller does not ask. */
	if (!mh->msg_name && !mh->msg_controllen)
		return 0;
	if (msg->local_from)
		return recv_local(mh, proc, msg);
	return recv_name(mh, msg->data + msg->from, msg->from_len);
}

/* The name, the alias or the pid that a message was sent to */
static size_t put_to(u8 *term, const struct erldist_process *proc,
		     const struct erldist_msg *msg)
{
	struct etf_atom name = erldist_msg_name(msg);
	struct etf_ref ref;

	switch (msg->to_kind) {
	case CTL_NAME:
		return etf_put_atom(term, &name) - term;
	case CTL_REF:
		ref = erldist_own_ref(proc->node, proc->id, msg->sequence);
		return etf_put_ref(term, &ref) - term;
	default:
		return erldist_put_self(term, proc, proc->id, proc->serial);
	}
}

static int recv_to(struct msghdr *mh, const struct erldist_process *proc,
		   const struct erldist_msg *msg)
{
	/* A node's name is ASCII, a process's need not be. */
	u8 *term = kmalloc(ETF_ATOM_SIZE, GFP_KERNEL);
	int err;

	if (!term)
		return -ENOMEM;
	err = put_cmsg(mh, SOL_ERLDIST, ERLDIST_TO, put_to(term, proc, msg),
		       term);
	kfree(term);
	return err;
}

static int recv_signal(struct msghdr *mh, const struct erldist_msg *msg)
{
	struct erldist_signal sig = {
		.op = msg->op,
		.user_data = msg->user_data,
		.ref = msg->sequence,
	};

	if (msg->op != ERLDIST_SIG_MESSAGE)
		mh->msg_flags |= ERLDIST_MSG_SIGNAL;
	return put_cmsg(mh, SOL_ERLDIST, ERLDIST_SIGNAL, sizeof(sig), &sig);
}

/* An error leaves the message in the mailbox: without its sender, it is no use. */
static int recv_describe(struct erldist_sock *es, struct msghdr *mh,
			 const struct erldist_msg *msg)
{
	int err = recv_from(mh, es->process, msg);

	if (!err && (msg->op != ERLDIST_SIG_MESSAGE || msg->sequence))
		err = recv_signal(mh, msg);
	if (!err && msg->op == ERLDIST_SIG_MESSAGE && READ_ONCE(es->recvto))
		err = recv_to(mh, es->process, msg);
	return err;
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
	err = recv_take(sock->sk, len, flags, &msg);
	if (err)
		return err;
	n = min(len, msg->len);
	err = erldist_msg_to_user(msg, mh, n);
	if (!err)
		err = recv_describe(es, mh, msg);
	if (!err) {
		if (n < msg->len)
			mh->msg_flags |= MSG_TRUNC;
		err = flags & MSG_TRUNC ? min_t(size_t, msg->len, INT_MAX) : n;
	}
	if (flags & MSG_PEEK)
		erldist_msg_put_resched(msg);
	else if (err < 0)
		erldist_mailbox_return(proc, es->port, msg);
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
	.sendmsg = erldist_process_sendmsg,
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
