/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _ERLDIST_PROCESS_H
#define _ERLDIST_PROCESS_H

#include <linux/mutex.h>
#include <linux/rbtree.h>
#include <linux/rhashtable.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <net/sock.h>

#include "message.h"
#include "node.h"
#include "peer.h"

struct erldist_channel;
struct erldist_relation;
struct erldist_watch;

/*
 * Unread messages for one socket. Guarded by the lock of the process's mailbox;
 * sk is RCU, it is there until release().
 */
struct erldist_queue {
	struct list_head list;
	struct rb_root downs;		/* those of them that are a DOWN, by sequence */
	u32 n;
	struct sock __rcu *sk;
	bool closed;			/* nobody will read what comes */
};

/*
 * Unread messages of a process, on all its sockets. Guarded by lock, under which
 * only node->holder_lock is taken. remote bytes include those of messages that are
 * still coming. wait is where local senders wait for room. holder and rank change
 * under both locks.
 */
struct erldist_mailbox {
	spinlock_t lock;		/* see above */
	struct erldist_queue queue;	/* of the process's own socket */
	struct list_head ports;		/* struct erldist_port, RCU */
	u32 n_ports;
	u32 n;
	size_t local_bytes;
	size_t remote_bytes;
	struct rb_node holder;		/* node->holders, while rank is not 0 */
	size_t rank;			/* remote_bytes, to an eighth */
	size_t local_limit;
	size_t hard_limit;
	wait_queue_head_t wait;
};

/*
 * A reply port: another socket of a process, where the answers to what was asked
 * for on it arrive.
 *
 * References: its socket, relations that were made on it. relations and closed
 * are guarded by process->lock; list and queue by the mailbox's. Freed after a
 * grace period.
 */
struct erldist_port {
	refcount_t ref;
	struct rcu_head rcu;
	struct erldist_process *process;	/* a reference */
	struct list_head list;		/* mailbox.ports */
	struct list_head relations;
	bool closed;			/* no more relations are taken in */
	struct erldist_queue queue;
};

/* A registered name. In node->names from registration to the process's end. */
struct erldist_name {
	struct rhash_head hash;
	struct rcu_head rcu;
	struct erldist_process *process;	/* a reference */
	struct etf_atom atom;
	u8 text[];
};

/*
 * A process: a process socket that was bound.
 *
 * References: its socket, its ports, the node's table of pids (until it ended
 * and everyone was told), its name, its relations, a message that is coming in,
 * its owner's watch when that is queued, and the reaper. Freed after a grace
 * period.
 *
 * state is ALIVE from erldist_process_publish() on, until it, err and status
 * change once, under mailbox.lock, in process_ended(); no relation is taken in
 * any more then. relations, n_asked and n_others are guarded by lock, a leaf, and
 * so are kill_signal, kill_cred and exit_reason. watch is RCU, and exchanged
 * atomically, as name is.
 * asking is held while the process asks for a relation or ends one, so that
 * what it sends comes in the order of what it did; it guards unlinks, the last
 * id of an UNLINK_ID, node_watches, a counter, and changes of all_nodes.
 */
struct erldist_process {
	refcount_t ref;
	struct rcu_head rcu;
	struct erldist_node *node;
	u32 id;
	u32 serial;
	u8 state;			/* enum erldist_process_state */
	bool trap_exit;
	int err;			/* what recvmsg returns once ended */
	kuid_t uid;			/* its last owner's; of one int */
	struct erldist_account *account;	/* of the binder; a reference */
	atomic_t counts;		/* its socket, its pid: see process_uncount() */
	struct erldist_blob *status;	/* the reason it ended with */
	struct erldist_blob *exit_reason;
	struct erldist_name *name;
	struct erldist_mailbox mailbox;
	spinlock_t lock;		/* a leaf: see above */
	struct rb_root relations;	/* struct erldist_end */
	u32 n_asked;			/* relations that this process asked for */
	u32 n_others;			/* that other processes and peers asked for */
	struct mutex asking;		/* see above */
	u64 unlinks;
	u64 node_watches;
	u16 all_nodes;			/* ERLDIST_SIG_F_VISIBLE, _HIDDEN */
	u64 all_nodes_data;
	atomic_t n_wanted;
	struct erldist_watch __rcu *watch;	/* of the owner, or NULL */
	u32 kill_signal;
	const struct cred *kill_cred;	/* of the program that set it, or NULL */
	struct list_head reap;		/* node->reaped */
};

/* A destination: where a message goes. Slices point into the term it was read from. */
struct erldist_dest {
	u8 kind;		/* CTL_PID, CTL_NAME, CTL_REF */
	bool local;
	struct etf_atom node;
	struct etf_pid pid;
	struct etf_atom name;
	struct etf_ref ref;
};

/* process.c */
int erldist_processes_init(void);
void erldist_processes_exit(void);
struct erldist_process *erldist_process_new(struct erldist_node *node,
					    struct sock *sk);
int erldist_process_publish(struct erldist_process *proc,
			    const struct etf_atom *name);
int erldist_process_rename(struct erldist_process *proc,
			   const struct etf_atom *name);
bool erldist_process_end(struct erldist_process *proc, struct erldist_blob *why,
			 int err);
bool erldist_process_end_known(struct erldist_process *proc,
			       enum erldist_known why, int err);
void erldist_process_close(struct erldist_process *proc);
bool erldist_process_exits(struct erldist_process *proc,
			   const struct erldist_process *from,
			   struct erldist_blob *reason, bool exit2);
struct erldist_msg *erldist_process_exit_message(const u8 *from, u32 from_len);
void erldist_process_exit_signal(struct erldist_process *proc,
				 struct erldist_msg *msg,
				 struct erldist_blob *reason, bool exit2);
void erldist_process_put(struct erldist_process *proc);
struct erldist_blob *erldist_process_last_reason(struct erldist_process *proc);
struct erldist_process *erldist_process_next(struct erldist_node *node,
					     unsigned long *id);
struct erldist_process *erldist_process_find(struct erldist_node *node, u32 id,
					     u32 serial);
struct erldist_process *erldist_process_named(struct erldist_node *node,
					      const struct etf_atom *name);
void erldist_processes_close(struct erldist_node *node);
void erldist_process_reap(struct work_struct *work);
bool erldist_process_overflow(struct erldist_node *node);
struct etf_pid erldist_process_pid(const struct erldist_process *proc);

extern const struct rhashtable_params erldist_name_params;

static inline bool erldist_process_alive(const struct erldist_process *proc)
{
	/* Pairs with the store in process_ended(). */
	return smp_load_acquire(&proc->state) == ERLDIST_PROCESS_STATE_ALIVE;
}

static inline u64 erldist_process_key(const struct erldist_process *proc)
{
	return (u64)proc->serial << 32 | proc->id;
}

static inline bool erldist_process_tryget(struct erldist_process *proc)
{
	return refcount_inc_not_zero(&proc->ref);
}

static inline void erldist_process_get(struct erldist_process *proc)
{
	refcount_inc(&proc->ref);
}

/* mailbox.c */
void erldist_mailbox_init(struct erldist_mailbox *mb, size_t limit,
			  struct sock *sk);
int erldist_mailbox_put_local(struct erldist_process *proc,
			      struct erldist_port *port,
			      struct erldist_msg *msg,
			      const struct erldist_process *from,
			      struct erldist_relation *once);
int erldist_mailbox_put_remote(struct erldist_process *proc,
			       struct erldist_port *port,
			       struct erldist_msg *msg,
			       struct erldist_relation *once);
bool erldist_mailbox_has_own_room(const struct erldist_process *proc);
void erldist_mailbox_put_signal(struct erldist_process *proc,
				struct erldist_port *port,
				struct erldist_msg *msg);
int erldist_mailbox_charge(struct erldist_process *proc, size_t bytes);
void erldist_mailbox_uncharge(struct erldist_process *proc, size_t bytes);
int erldist_mailbox_take(struct erldist_process *proc,
			 struct erldist_port *port, size_t room, int flags,
			 struct erldist_msg **msg);
void erldist_mailbox_return(struct erldist_process *proc,
			    struct erldist_port *port, struct erldist_msg *msg);
void erldist_mailbox_read(struct erldist_process *proc, struct erldist_msg *msg);
bool erldist_mailbox_has_room(const struct erldist_process *proc,
			      const struct erldist_process *from, size_t len);
void erldist_mailbox_discard(struct erldist_process *proc,
			     struct list_head *queue);
void erldist_mailbox_flush(struct erldist_process *proc,
			   struct erldist_port *port, u64 ref);
size_t erldist_mailbox_first(struct erldist_process *proc,
			     struct erldist_port *port);
struct erldist_process *erldist_mailbox_largest(struct erldist_node *node);
void erldist_mailbox_unrank_locked(struct erldist_process *proc);
void erldist_mailbox_empty_locked(struct erldist_process *proc,
				  struct list_head *to);
void erldist_mailbox_wake(struct erldist_process *proc);
void erldist_queue_init(struct erldist_queue *queue, struct sock *sk);
void erldist_queue_close(struct erldist_process *proc,
			 struct erldist_queue *queue);
void erldist_pool_freed(struct erldist_node *node);
void erldist_pool_sub(struct erldist_node *node, size_t bytes);

/* Where messages for a socket of the process wait */
static inline struct erldist_queue *erldist_queue(struct erldist_process *proc,
						  struct erldist_port *port)
{
	return port ? &port->queue : &proc->mailbox.queue;
}

/* port.c */
struct erldist_port *erldist_port_new(struct erldist_process *proc,
				      struct sock *sk);
void erldist_port_put(struct erldist_port *port);
void erldist_port_close(struct erldist_port *port);

static inline void erldist_port_get(struct erldist_port *port)
{
	refcount_inc(&port->ref);
}

/* owner.c */
int erldist_owner_set(struct erldist_process *proc, s32 owner);
void erldist_owner_drop(struct erldist_process *proc);
struct erldist_blob *erldist_owner_reason(struct erldist_process *proc,
					  bool *signal);
pid_t erldist_owner_pid(const struct erldist_process *proc,
			struct pid_namespace *ns);
int erldist_owner_kill_signal(struct erldist_process *proc, u32 signal);
void erldist_owner_kill(struct erldist_process *proc);

/* process_socket.c */
int erldist_process_socket_create(struct net *net, struct socket *sock,
				  int kern);

/* netkernel.c */
bool erldist_netkernel_is(const struct etf_atom *name);
void erldist_netkernel_call(struct erldist_channel *ch,
			    const struct etf_atom *name,
			    const struct erldist_msg *msg);
struct erldist_msg *erldist_netkernel_local(const struct erldist_node *node,
					    const struct etf_atom *name,
					    const struct erldist_msg *msg,
					    struct etf_ref *alias);

#endif /* _ERLDIST_PROCESS_H */
