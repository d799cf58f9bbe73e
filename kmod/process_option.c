// SPDX-License-Identifier: GPL-2.0-only
/*
 * The options of a process socket.
 */
#include <linux/pid_namespace.h>
#include <net/sock.h>

#include "option.h"
#include "process_socket.h"
#include "spawn.h"

#define EXIT_REASON_MAX		65536
#define TERM_MAX		4096	/* an address, by option or control message */
#define REFS_AT_ONCE		64

static int opt_u32(sockptr_t optval, unsigned int optlen, u32 most, u32 *value)
{
	int err = erldist_option_get(value, sizeof(*value), optval, optlen);

	if (err)
		return err;
	return *value > most ? -EINVAL : 0;
}

static int opt_name(struct erldist_process *proc, const u8 *term, size_t len)
{
	struct etf_cursor c = { term, term + len };
	struct etf_atom name;
	int err;

	if (!len)
		return erldist_process_rename(proc, NULL);
	if (etf_get_atom(&c, &name) || c.p != c.end)
		return -EINVAL;
	err = erldist_sock_name_permit(proc->node, &name);
	return err ?: erldist_process_rename(proc, &name);
}

/* It goes to whoever is linked or monitors then, unchecked. */
static int opt_exit_reason(struct erldist_process *proc, const u8 *term,
			   size_t len)
{
	static const struct etf_scan_rules rules = { .any_peer = true };
	struct erldist_blob *blob, *old;
	int err;

	if (len && *term == ETF_VERSION) {
		term++;
		len--;
	}
	err = etf_scan_term(term, len, &rules);
	if (err)
		return err;
	blob = erldist_blob_new(term, len, GFP_KERNEL_ACCOUNT);
	if (!blob)
		return -ENOMEM;
	spin_lock_bh(&proc->lock);
	old = proc->exit_reason;
	proc->exit_reason = blob;
	spin_unlock_bh(&proc->lock);
	erldist_blob_put(old);
	return 0;
}

static int opt_mailbox(struct erldist_process *proc, sockptr_t optval,
		       unsigned int optlen)
{
	struct erldist_mailbox *mb = &proc->mailbox;
	struct erldist_mailbox_limits limits;
	int err;

	err = erldist_option_get(&limits, sizeof(limits), optval, optlen);
	if (err)
		return err;
	spin_lock_bh(&mb->lock);
	WRITE_ONCE(mb->local_limit,
		   min_t(u64, limits.local ?: erldist_limit(&proc->node->limits.mailbox),
			 ERLDIST_BYTES_MAX));
	WRITE_ONCE(mb->hard_limit, min_t(u64, limits.hard, ERLDIST_BYTES_MAX));
	spin_unlock_bh(&mb->lock);
	wake_up_all(&mb->wait);
	return 0;
}

/* Options whose value is a term */
static int set_term(struct socket *sock, struct erldist_process *proc, int name,
		    sockptr_t optval, unsigned int optlen)
{
	bool wait = !(sock->file && sock->file->f_flags & O_NONBLOCK);
	struct sock *sk = sock->sk;
	u8 *term = erldist_option_dup(optval, optlen,
				      name == ERLDIST_EXIT_REASON ?
				      EXIT_REASON_MAX + 1 : TERM_MAX);
	int err;

	if (IS_ERR(term))
		return PTR_ERR(term);
	if (name == ERLDIST_BIND) {
		err = erldist_sock_bind(sk, term, optlen);
	} else if (name == ERLDIST_CONNECT) {
		err = erldist_sock_connect(sk, term, optlen, wait);
	} else if (!proc) {
		err = -ENOTCONN;
	} else if (name == ERLDIST_NAME) {
		lock_sock(sk);
		err = opt_name(proc, term, optlen);
		release_sock(sk);
	} else {
		err = opt_exit_reason(proc, term, optlen);
	}
	kvfree(term);
	return err;
}

static int set_flag(struct sock *sk, struct erldist_process *proc, int name,
		    sockptr_t optval, unsigned int optlen)
{
	u32 on;
	int err;

	err = opt_u32(optval, optlen, 1, &on);
	if (err)
		return err;
	if (name == ERLDIST_RECVTO)
		WRITE_ONCE(erldist_sk(sk)->recvto, on);
	else if (proc && name == ERLDIST_SPAWN_SERVER)
		return erldist_node_is_owner(proc->node) ?
		       erldist_spawn_server_set(proc, on) : -EACCES;
	else if (proc)
		WRITE_ONCE(proc->trap_exit, on);
	else
		return -ENOTCONN;
	return 0;
}

static int opt_attach(struct sock *sk, sockptr_t optval, unsigned int optlen)
{
	s32 fd;
	int err = erldist_option_get(&fd, sizeof(fd), optval, optlen);

	return err ?: erldist_sock_attach(sk, fd);
}

static int opt_owner(struct sock *sk, struct erldist_process *proc, int name,
		     sockptr_t optval, unsigned int optlen)
{
	s32 value;
	int err = erldist_option_get(&value, sizeof(value), optval, optlen);

	if (err)
		return err;
	if (!proc)
		return -ENOTCONN;
	if (name == ERLDIST_KILL_SIGNAL)
		return erldist_owner_kill_signal(proc, value);
	if (value < ERLDIST_OWNER_NONE)
		return -EINVAL;
	lock_sock(sk);
	err = erldist_owner_set(proc, value);
	release_sock(sk);
	return err;
}

/* What concerns a socket rather than the process */
static bool on_port(int name)
{
	return name == ERLDIST_CONNECT || name == ERLDIST_RECVTO;
}

/**
 * erldist_process_setsockopt() - setsockopt(SOL_ERLDIST) of a process
 * @sock: the socket
 * @level: SOL_ERLDIST
 * @name: which
 * @optval: its value
 * @optlen: bytes of it
 *
 * Context: process context.
 * Return: 0; -ENOPROTOOPT; -EOPNOTSUPP not on a port; -ENOTCONN before bind;
 * -EINVAL, -E2BIG, and what
 * the option itself has to say.
 */
int erldist_process_setsockopt(struct socket *sock, int level, int name,
			       sockptr_t optval, unsigned int optlen)
{
	struct erldist_process *proc = sk_process(sock->sk);

	if (level != SOL_ERLDIST)
		return -ENOPROTOOPT;
	/*
	 * Below, the process is this one, or none: a socket that becomes a port
	 * now was not bound yet. Thus its process is the socket's own, which the
	 * file keeps open, and the socket's lock serialises changes of it.
	 */
	if (proc && erldist_sk(sock->sk)->port && !on_port(name))
		return -EOPNOTSUPP;
	switch (name) {
	case ERLDIST_OWNER:
	case ERLDIST_KILL_SIGNAL:
		return opt_owner(sock->sk, proc, name, optval, optlen);
	case ERLDIST_ATTACH:
		return opt_attach(sock->sk, optval, optlen);
	case ERLDIST_BIND:
	case ERLDIST_CONNECT:
	case ERLDIST_NAME:
	case ERLDIST_EXIT_REASON:
		return set_term(sock, proc, name, optval, optlen);
	case ERLDIST_TRAP_EXIT:
	case ERLDIST_RECVTO:
	case ERLDIST_SPAWN_SERVER:
		return set_flag(sock->sk, proc, name, optval, optlen);
	case ERLDIST_MAILBOX:
		return proc ? opt_mailbox(proc, optval, optlen) : -ENOTCONN;
	default:
		return -ENOPROTOOPT;
	}
}

static int get_self(struct erldist_process *proc, char __user *optval,
		    int __user *optlen)
{
	u8 self[ERLDIST_SELF_MAX];

	return erldist_option_put_all(self, erldist_put_self(self, proc, proc->id,
						     proc->serial),
				      optval, optlen);
}

static int get_peername(struct erldist_sock *es, char __user *optval,
			int __user *optlen)
{
	struct erldist_target *target = erldist_sock_target(es);
	int err;

	if (!target)
		return -ENOTCONN;
	err = erldist_option_put_all(target->term, target->len, optval, optlen);
	erldist_target_put(target);
	return err;
}

static int get_name(struct sock *sk, struct erldist_process *proc,
		    char __user *optval, int __user *optlen)
{
	struct erldist_name *name;
	size_t len = 0;
	u8 *copy;
	int err;

	copy = kmalloc(ETF_ATOM_SIZE, GFP_KERNEL);
	if (!copy)
		return -ENOMEM;
	rcu_read_lock();
	name = READ_ONCE(proc->name);
	if (name) {
		len = etf_atom_size(&name->atom);
		memcpy(copy, name->text, len);
	}
	rcu_read_unlock();
	err = erldist_option_put_all(copy, len, optval, optlen);
	kfree(copy);
	return err;
}

static int get_status(struct erldist_process *proc, char __user *optval,
		      int __user *optlen)
{
	if (erldist_process_alive(proc))
		return -EBUSY;
	/* Written once, before the state was. */
	smp_rmb();
	return erldist_option_put_all(proc->status->data, proc->status->len,
				      optval, optlen);
}

static int get_node(struct erldist_process *proc, char __user *optval,
		    int __user *optlen)
{
	u8 term[3 + ERLDIST_NAME_MAX];

	return erldist_option_put_all(term,
				      etf_put_atom(term, &proc->node->atom) -
				      term, optval, optlen);
}

static int get_refs(struct erldist_process *proc, char __user *optval,
		    int __user *optlen)
{
	struct erldist_refs refs = {
		.count = REFS_AT_ONCE,
		.id = proc->id,
		.creation = proc->node->creation,
	};

	refs.first = atomic64_add_return(REFS_AT_ONCE, &proc->node->sequence) -
		     REFS_AT_ONCE + 1;
	return erldist_option_put(&refs, sizeof(refs), optval, optlen);
}

static int get_mailbox(struct erldist_process *proc, char __user *optval,
		       int __user *optlen)
{
	struct erldist_mailbox_limits limits = {
		.local = READ_ONCE(proc->mailbox.local_limit),
		.hard = READ_ONCE(proc->mailbox.hard_limit),
	};

	return erldist_option_put(&limits, sizeof(limits), optval, optlen);
}

static int get_u32(u32 value, char __user *optval, int __user *optlen)
{
	return erldist_option_put(&value, sizeof(value), optval, optlen);
}

/**
 * erldist_process_getsockopt() - getsockopt(SOL_ERLDIST) of a process
 * @sock: the socket
 * @level: SOL_ERLDIST
 * @name: which
 * @optval: where to
 * @optlen: room there, set to what there is
 *
 * Context: process context.
 * Return: 0; -ENOPROTOOPT; -ENOTCONN before bind; -EMSGSIZE too little room.
 */
int erldist_process_getsockopt(struct socket *sock, int level, int name,
			       char __user *optval, int __user *optlen)
{
	struct erldist_process *proc = sk_process(sock->sk);
	struct erldist_sock *es = erldist_sk(sock->sk);

	if (level != SOL_ERLDIST)
		return -ENOPROTOOPT;
	if (name == ERLDIST_RECVTO)
		return get_u32(READ_ONCE(es->recvto), optval, optlen);
	if (!proc)
		return -ENOTCONN;
	switch (name) {
	case ERLDIST_SELF:
		return get_self(proc, optval, optlen);
	case ERLDIST_PEERNAME:
		return get_peername(es, optval, optlen);
	case ERLDIST_NAME:
		return get_name(sock->sk, proc, optval, optlen);
	case ERLDIST_TRAP_EXIT:
		return get_u32(READ_ONCE(proc->trap_exit), optval, optlen);
	case ERLDIST_SPAWN_SERVER:
		return get_u32(erldist_spawn_server_is(proc), optval, optlen);
	case ERLDIST_EXIT_STATUS:
		return get_status(proc, optval, optlen);
	case ERLDIST_OWNER:
		return get_u32(erldist_owner_pid(proc, task_active_pid_ns(current)),
			       optval, optlen);
	case ERLDIST_KILL_SIGNAL:
		return get_u32(READ_ONCE(proc->kill_signal), optval, optlen);
	case ERLDIST_MAILBOX:
		return get_mailbox(proc, optval, optlen);
	case ERLDIST_REFS:
		return get_refs(proc, optval, optlen);
	case ERLDIST_NODE:
		return get_node(proc, optval, optlen);
	default:
		return -ENOPROTOOPT;
	}
}
