/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _ERLDIST_NODE_H
#define _ERLDIST_NODE_H

#include <linux/kcov.h>
#include <linux/mutex.h>
#include <linux/rbtree.h>
#include <linux/refcount.h>
#include <linux/rhashtable.h>
#include <linux/uidgid.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include <net/net_namespace.h>
#include <net/sock.h>
#include <uapi/linux/erldist.h>
#include <uapi/linux/erldist_netlink.h>

#include "account.h"
#include "etf.h"
#include "handshake.h"

struct erldist_process;

#define ERLDIST_PROCESS_ID_MAX	((1U << 28) - 1)
/*
 * No limit is for more bytes than this: they can be added up, and on 32 bit the
 * upper half of a limit is always 0, so that it can be read without a lock.
 */
#define ERLDIST_BYTES_MAX	(SIZE_MAX / 4)

/* What this module keeps in a network namespace */
struct erldist_net {
	struct mutex lock;		/* changes of nodes */
	struct list_head nodes;		/* RCU */
	u32 generation;			/* of the list */
	struct mutex seq_lock[3];	/* numbers and multicasts of a group */
	atomic64_t seq[3];		/* grows under seq_lock, is read without */
	atomic64_t connections;		/* last connection id given out */
};

struct erldist_net *erldist_net(const struct net *net);

struct erldist_cookie {
	u16 len;
	u8 data[ERLDIST_COOKIE_MAX];
};

/*
 * A local node.
 *
 * References: the node socket (until its close), every peer, channel and
 * process, and the reaper's work. It is in net->nodes from bind to close. The
 * memory goes with the last reference, after a grace period; the namespace is
 * held until then.
 *
 * Guarded by conf_lock: cookie, spawn_server, tick and limits (these two are also read
 * without it, field by field). By the lock of the node socket: mode and admit, which
 * are read without it. By event_lock, a leaf: events and every peer's pending and
 * event. By reap_lock, a leaf: reaped. By holder_lock, a leaf that is taken under
 * mailboxes' locks: holders. The rest does not change after bind, or
 * is atomic, or has locks of its own (xarray, rhashtables).
 */
struct erldist_node {
	struct list_head list;		/* net->nodes, RCU */
	refcount_t ref;
	struct rcu_head rcu;
	struct net *net;
	netns_tracker ns_tracker;
	bool dead;			/* closed; set under net->lock */

	struct etf_atom atom;		/* name */
	u32 hash;
	u32 creation;
	u64 flags;
	bool admit;
	kuid_t uid;
	kgid_t gid;
	bool by_admin;			/* made with CAP_NET_ADMIN */

	struct mutex conf_lock;		/* see above */
	struct erldist_cookie cookie;
	struct erldist_ticktime tick;
	struct erldist_limits limits;
	u32 mode;

	struct xarray pids;		/* id -> process */
	u32 next_id;
	u32 serial;			/* bumped when ids wrap */
	struct rhashtable names;	/* struct erldist_name */
	struct rhashtable peers;	/* struct erldist_peer */

	atomic64_t sequence;		/* of references given out */
	atomic_t n_up;
	atomic_t n_handshakes;
	atomic_t n_all_nodes;		/* processes that are told of all nodes */
	atomic_t held[HELD_MAX];	/* in all accounts: account.c */
	struct erldist_account keeper;	/* and of the owner, of administrators */
	struct xarray users;		/* uid -> account; its lock is a leaf */
	atomic_long_t pool_used;	/* bytes from peers, in mailboxes or coming */
	atomic_long_t pool_ready;	/* of these, in complete messages */
	spinlock_t holder_lock;		/* a leaf: holders */
	struct rb_root holders;		/* processes that live, by what they hold of it */
	atomic64_t lost;
	atomic64_t no_receiver;
	atomic64_t overflows;
	atomic64_t failed;
	u32 last_reason;

	struct erldist_process *spawn_server;	/* a reference, or NULL */

	spinlock_t event_lock;		/* a leaf: see above */
	struct list_head events;	/* peers with something pending */
	struct sock __rcu *sk;		/* the node socket */

	spinlock_t channel_lock;	/* a leaf: channels */
	struct list_head channels;
	atomic_t n_stalled;
	atomic_t busy;			/* channels, drains, and 1 until closed */

	spinlock_t reap_lock;		/* a leaf: reaped */
	struct list_head reaped;	/* ended processes */
	struct work_struct reaper;

#ifdef CONFIG_KCOV
	typeof(kcov_common_handle()) kcov;	/* of the task that made it */
#endif

	char name[];
};

/* node.c */
struct erldist_node *erldist_node_new(struct net *net, const char *name,
				      size_t len);
int erldist_node_publish(struct erldist_node *node);
void erldist_node_close(struct erldist_node *node);
void erldist_node_put(struct erldist_node *node);
void erldist_node_quiet(struct erldist_node *node);
struct erldist_node *erldist_node_find(struct net *net,
				       const struct etf_atom *name);
struct erldist_node *erldist_node_default(struct net *net);
bool erldist_node_may_use(const struct erldist_node *node);
bool erldist_node_may_see(const struct erldist_node *node,
			  const struct sk_buff *skb);
bool erldist_node_is_owner(const struct erldist_node *node);
bool erldist_node_is(const struct erldist_node *node,
		     const struct etf_atom *name);
void erldist_tick_default(struct erldist_ticktime *tick);
void erldist_limits_default(struct erldist_limits *limits);

/*
 * A limit of bytes, read without a lock. "make lint" refuses READ_ONCE() of an u64,
 * which on 32 bit can read half of a new value; the upper half of this one is 0.
 */
static inline u64 erldist_limit(const u64 *limit)
{
	return __READ_ONCE(*limit);
}

/**
 * erldist_limit_set() - change a limit of bytes that is read without a lock
 * @limit: a limit of a published node
 * @bytes: its new value, at most ERLDIST_BYTES_MAX
 *
 * The other side of erldist_limit(), for the same reason.
 */
static inline void erldist_limit_set(u64 *limit, u64 bytes)
{
	__WRITE_ONCE(*limit, bytes);
}

static inline void erldist_node_get(struct erldist_node *node)
{
	refcount_inc(&node->ref);
}

/* node_socket.c */
int erldist_node_socket_create(struct net *net, struct socket *sock, int kern);
void erldist_node_socket_wake(struct erldist_node *node);

#endif /* _ERLDIST_NODE_H */
