/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _ERLDIST_PROCESS_SOCKET_H
#define _ERLDIST_PROCESS_SOCKET_H

#include <net/sock.h>

#include "process.h"
#include "target.h"

/* What a socket waits for to be writable again */
enum block_kind {
	BLOCK_NONE,
	BLOCK_MAILBOX,
	BLOCK_PEER,
	BLOCK_CONNECT,
};

/*
 * A process socket. process is set once, by bind, and stays until release.
 * target is guarded by lock, the block by the socket's lock, but for kind, which
 * the wake clears: the socket is then writable, the references are dropped later.
 */
struct erldist_sock {
	struct sock sk;			/* first */
	struct erldist_process *process;
	struct erldist_port *port;	/* of process, set with it; or NULL */
	spinlock_t lock;		/* target */
	struct erldist_target *target;	/* default destination */
	bool recvto;
	struct {
		u8 kind;
		size_t bytes;
		u32 epoch;
		struct erldist_process *process;
		struct erldist_peer *peer;
		struct wait_queue_entry wait;
	} block;
};

static inline struct erldist_sock *erldist_sk(const struct sock *sk)
{
	return (struct erldist_sock *)sk;
}

static inline struct erldist_process *sk_process(const struct sock *sk)
{
	/* Pairs with the store in bind_process(). */
	return smp_load_acquire(&erldist_sk(sk)->process);
}

/* A local pid: its node's name is ASCII. */
#define ERLDIST_SELF_MAX	(1 + 3 + ERLDIST_NAME_MAX + 12)

static inline size_t erldist_put_self(u8 *term,
				      const struct erldist_process *proc,
				      u32 id, u32 serial)
{
	struct etf_pid pid = erldist_process_pid(proc);

	pid.id = id;
	pid.serial = serial;
	return etf_put_pid(term, &pid) - term;
}

/* process_socket.c */
int erldist_sock_bind(struct sock *sk, const u8 *term, size_t len);
int erldist_sock_attach(struct sock *sk, int fd);
int erldist_sock_connect(struct sock *sk, const u8 *term, size_t len,
			 bool wait);
struct erldist_target *erldist_sock_target(struct erldist_sock *es);
int erldist_sock_name_permit(const struct erldist_node *node,
			     const struct etf_atom *name);

int erldist_addr_term(const erldist_sockaddr *addr, int len, const u8 **term);

/* process_send.c */
int erldist_process_sendmsg(struct socket *sock, struct msghdr *mh, size_t len);

/* process_block.c */
void erldist_block_on(struct erldist_sock *es, u8 kind,
		      struct erldist_process *proc, struct erldist_peer *peer,
		      size_t bytes, u32 epoch);
void erldist_block_clear(struct erldist_sock *es);
void erldist_block_dissolve(struct erldist_sock *es);

/* process_option.c */
int erldist_process_setsockopt(struct socket *sock, int level, int name,
			       sockptr_t optval, unsigned int optlen);
int erldist_process_getsockopt(struct socket *sock, int level, int name,
			       char __user *optval, int __user *optlen);

#endif /* _ERLDIST_PROCESS_SOCKET_H */
