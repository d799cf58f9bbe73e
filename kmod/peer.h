/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _ERLDIST_PEER_H
#define _ERLDIST_PEER_H

#include <linux/spinlock.h>
#include <linux/wait.h>

#include "message.h"
#include "node.h"

struct erldist_channel;
struct erldist_relation;

/*
 * What a node knows of one remote node name.
 *
 * References: the node's table until the peer is unused and down (dead is set
 * then), channels, relations, destinations of process sockets, a queued or
 * armed work. It is freed after a grace period.
 *
 * Guarded by lock, under which only the lock of node->users is taken: state and what
 * follows it up to the counters. The channel that is up is a reference. pending, what
 * follows it and event belong to node->event_lock; asking is no reference, and cleared
 * before its channel goes. cookie changes under node->conf_lock and lock, and is read
 * under either.
 *
 * payer changes at most once, under lock and while dead is not set: from NULL, which
 * makes the peer a stranger, when somebody asks for the peer or it proves the cookie.
 *
 * State changes in erldist_peer_set_state() alone.
 */
struct erldist_peer {
	struct rhash_head hash;
	refcount_t ref;
	struct rcu_head rcu;
	struct erldist_node *node;
	struct erldist_account *payer;	/* a reference, or NULL; see above */
	struct erldist_account account;	/* what it asked for */

	spinlock_t lock;		/* see above */
	u8 state;			/* enum erldist_peer_state */
	bool dead;			/* not in the table any more */
	u8 reason;			/* enum erldist_reason, of the last end */
	int error;			/* errno of the last end, positive, or 0 */
	u32 failed;			/* attempts since it was last up */
	u32 users;			/* accepted handshakes of this name */
	u32 epoch;			/* grows whenever a wait for it is decided */
	bool again;			/* wanted again, after draining */
	bool told_nok;			/* WANTED: until one of users is the peer's connection */
	u8 over;			/* draining: ERLDIST_PENDING_* to tell; the drain's */
	unsigned long since;		/* jiffies of the last state change */
	unsigned long retry;		/* jiffies until remembered counts */
	bool remember;
	int remembered;			/* our last attempt's error, negative; 0: none */
	bool kept;			/* not up, the keeper connects it by itself */
	unsigned long next_try;		/* kept: when, in jiffies */
	u64 changed;			/* jiffies since it is up, or is not */
	struct erldist_process *wanted_by;	/* while WANTED; a reference */
	struct erldist_channel *channel;	/* up */
	struct erldist_channel *attempt;	/* ours, handshake begun */
	struct erldist_channel *next;	/* proven, waits: for the end of draining, or ours */
	u64 connection;
	u64 tag;
	u64 flags;			/* both sides have */
	u32 creation;
	u32 generation;			/* grows when a connection, or a try, is over */
	struct list_head relations;	/* of the present connection, or the next */
	struct list_head watches;	/* likewise: of the node itself */
	struct list_head lost;		/* relations of those before */
	struct list_head lost_watches;
	u32 n_relations;

	struct rb_root flow_tree;	/* heads of flows, by key */
	struct list_head flows;		/* the same heads, round robin */
	size_t queued;			/* bytes of items in flows */
	size_t queued_raw;		/* of these, answers to the peer */
	u32 n_queued;
	bool open;			/* channel takes frames */

	u64 lost_messages;
	u64 rx_bytes;			/* of ended connections */
	u64 tx_bytes;
	u64 rx_messages;
	u64 tx_messages;

	wait_queue_head_t wait;		/* room in the queue, state changes */
	struct delayed_work work;	/* end of wanted, of remember, of unused */
	struct work_struct drain;

	u32 pending;			/* enum erldist_pending */
	u64 event_tag;
	u64 event_connection;
	const struct erldist_channel *asking;	/* the keeper decides about it */
	u64 asking_tag;
	u64 asking_flags;		/* what it offers */
	struct list_head event;		/* node->events */
	struct erldist_cookie *cookie;

	struct etf_atom atom;
	char name[];
};

/* peer.c */
extern const struct rhashtable_params erldist_peer_params;

struct erldist_peer *erldist_peer_find(struct erldist_node *node,
				       const struct etf_atom *name);
struct erldist_peer *erldist_peer_make(struct erldist_node *node,
				       const struct etf_atom *name,
				       struct erldist_account *payer);
void erldist_peer_put(struct erldist_peer *peer);
int erldist_peer_set_cookie(struct erldist_peer *peer,
			    struct erldist_cookie **cookie);
bool erldist_peer_use(struct erldist_peer *peer);
void erldist_peer_ask(struct erldist_peer *peer,
		      const struct erldist_channel *ch);
bool erldist_peer_ask_over(struct erldist_peer *peer,
			   const struct erldist_channel *ch);
int erldist_peer_status(struct erldist_peer *peer);
int erldist_peer_attempt(struct erldist_peer *peer, struct erldist_channel *ch);
bool erldist_peer_wants(struct erldist_peer *peer, struct erldist_channel *ch);
int erldist_peer_adopt(struct erldist_peer *peer, struct erldist_channel *ch);
bool erldist_peer_open(struct erldist_peer *peer, struct erldist_channel *ch);
void erldist_peer_detach(struct erldist_peer *peer, struct erldist_channel *ch,
			 u8 reason, int error);
void erldist_peer_unreachable(struct erldist_peer *peer, int error, bool kept);
int erldist_peer_retry(struct erldist_peer *peer, u32 ms);
int erldist_peer_connect(struct erldist_peer *peer, struct erldist_process *by,
			 struct sock *sk, bool wait, u32 *epoch);
int erldist_peer_verdict(const struct erldist_peer *peer);
struct erldist_peer *erldist_peer_for(struct erldist_process *by,
				      const struct etf_atom *name,
				      bool noconnect);
int erldist_peer_want_locked(struct erldist_peer *peer,
			     struct erldist_process *by, bool *news);
void erldist_peer_wanted(struct erldist_peer *peer);
int erldist_peer_admit_locked(struct erldist_peer *peer,
			      struct erldist_process *by, bool noconnect,
			      bool *news);
int erldist_peer_relate(struct erldist_peer *peer, struct erldist_process *by,
			struct erldist_relation *rel, bool noconnect);
int erldist_peer_disconnect(struct erldist_peer *peer, u64 connection,
			    u8 reason);
void erldist_peer_event(struct erldist_peer *peer, u32 pending, u64 tag,
			u64 connection);
void erldist_peer_event_return(struct erldist_peer *peer, u32 pending, u64 tag,
			       u64 connection);
void erldist_peer_replay(struct erldist_node *node);
void erldist_peers_each(struct erldist_node *node,
			void (*fn)(struct erldist_peer *peer, void *arg),
			void *arg);
void erldist_peers_close(struct erldist_node *node);
int erldist_reason_errno(u8 reason);
void erldist_peer_settle(struct erldist_peer *peer);

static inline void erldist_peer_get(struct erldist_peer *peer)
{
	refcount_inc(&peer->ref);
}

/* send.c */
int erldist_send(struct erldist_peer *peer, struct erldist_process *from,
		 struct erldist_msg *msg, struct erldist_relation *rel,
		 bool noconnect, bool batch);
bool erldist_send_room(const struct erldist_peer *peer, size_t bytes);
void erldist_send_raw(struct erldist_channel *ch, u64 key,
		      struct erldist_msg *msg);
void erldist_send_queue_locked(struct erldist_peer *peer,
			       struct erldist_out *out);
void erldist_send_kick(struct erldist_peer *peer);
void erldist_send_take_locked(struct erldist_peer *peer,
			      struct list_head *items);
u32 erldist_send_drop(struct erldist_peer *peer, struct list_head *items);

#endif /* _ERLDIST_PEER_H */
