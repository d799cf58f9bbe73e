/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _ERLDIST_RELATION_H
#define _ERLDIST_RELATION_H

#include <linux/rbtree.h>

#include "message.h"
#include "process.h"

/* Bytes of the term that answers a spawn request with an error: 64 of UTF-8 */
#define ERLDIST_SPAWN_ERROR_SIZE	(2 + 64)

struct erldist_relation;

enum erldist_relation_type {
	RELATION_LINK,
	RELATION_MONITOR,
	RELATION_ALIAS,
	RELATION_NODE,		/* the loss of a node is told, once */
	RELATION_NODES,		/* the same, of one that all are told of */
	RELATION_SPAWN,		/* a spawn request that is not answered */
	RELATION_ASKED,		/* likewise, one that this node is to answer */
};

/* How a relation looks from one end, and what it is found by there */
enum erldist_end_kind {
	END_LINK,	/* the other process */
	END_WATCHED,	/* the watcher's node, and the reference */
	END_OWN,	/* the reference, of this process: monitor, alias */
	END_NODE,	/* the peer, and a sequence number */
	END_NODES,	/* the peer */
	END_ASKED,	/* the requester's node, and the reference */
};

/* Hangs in the tree of a local process. */
struct erldist_end {
	struct rb_node node;		/* process->relations */
	u8 kind;			/* enum erldist_end_kind */
	struct erldist_process *process;	/* a reference; NULL: a peer's */
	struct erldist_relation *relation;
};

/* What an end is found by. Fields that do not count are zero. */
struct erldist_end_key {
	u8 kind;
	const struct erldist_peer *peer;
	u32 creation, serial, id;
	const struct etf_ref *ref;
};

/*
 * A link, a monitor or an alias. It holds all it needs to become the EXIT or
 * DOWN that ends it: no allocation is made at death.
 *
 * near is the end of the process that asked, or of the only local one; far is
 * of use between two local processes alone. Where peer is set, the other end is
 * the remote process id, serial, creation, or a name of that node.
 *
 * References: one for each end while it hangs in its process's tree, one while
 * it is in the peer's list, one while it is queued as a signal. taken decides
 * who ends it: an unlink or demonitor, the death of either process, the peer's
 * loss; the others only unhook it. The ends' nodes are guarded by their
 * process's lock; port_list, active, unlink_id, alias and once by near's;
 * peer_list, generation and out by peer->lock. reason is written by who took it,
 * before it queues it, and told is taken by who tells it. Who tells near leaves
 * its end in the tree until that is done: an unlink or demonitor that finds it
 * taken waits (erldist_relation_settle()), so that nothing comes after it.
 */
struct erldist_relation {
	struct erldist_out out;
	struct erldist_end near;
	struct erldist_end far;
	struct list_head peer_list;	/* peer->relations, or lost */
	refcount_t ref;
	atomic_t taken;
	u8 type;			/* enum erldist_relation_type */
	bool by_name;			/* monitored by its name */
	bool active;			/* a link that was not unlinked */
	bool alias;			/* ref_id is an address */
	bool once;			/* ... for one message */
	bool by_peer;			/* the peer asked for it, and pays */
	bool sent;			/* what it becomes was queued; under peer->lock */
	bool done;			/* it is in no tree any more */
	struct erldist_port *port;	/* near's, where it was asked for; a reference */
	struct list_head port_list;	/* port->relations */
	struct erldist_peer *peer;	/* a reference, or NULL: all is local */
	u32 generation;			/* of the peer, when it was hooked */
	u32 id, serial, creation;	/* the remote process */
	struct etf_ref ref_id;		/* monitor, alias; its node is not set */
	u64 sequence;			/* of ref_id, when it is near's own; of a node */
	u64 user_data;
	u64 unlink_id;			/* of the UNLINK_ID that is not answered */
	struct erldist_blob *reason;
	u8 spawn_flags;			/* ASKED: SPAWN_LINKED, _MONITORED */
	bool spawned;			/* ASKED: by the process out.key */
	struct erldist_relation *link;	/* SPAWN: to be, or NULL; a reference */
	struct erldist_relation *monitor;	/* likewise */
	struct erldist_msg *told;	/* with room for what near hears, or far */
	struct etf_atom name;
	u8 text[];
};

/* What a relation is made from */
struct erldist_relation_spec {
	u8 type;			/* enum erldist_relation_type */
	bool watched;			/* a monitor that a peer's process holds */
	bool alias;
	bool once;
	bool by_peer;			/* it asked for it */
	struct erldist_process *near;
	struct erldist_port *port;	/* near's, or NULL */
	struct erldist_process *far;	/* local, or NULL */
	struct erldist_peer *peer;	/* remote, or NULL */
	struct etf_pid pid;		/* remote process */
	const struct etf_atom *name;	/* monitored by name, or NULL */
	const struct etf_ref *ref;	/* monitor, alias */
	u64 sequence;
	u64 user_data;
	u8 spawn_flags;
	bool cancel;			/* watched: near is told of its end */
};

static inline struct erldist_end *erldist_end_other(struct erldist_end *end)
{
	struct erldist_relation *rel = end->relation;

	return end == &rel->near ? &rel->far : &rel->near;
}

static inline struct erldist_end_key
erldist_key_link(const struct erldist_peer *peer, const struct etf_pid *pid)
{
	return (struct erldist_end_key) {
		.kind = END_LINK, .peer = peer, .creation = pid->creation,
		.serial = pid->serial, .id = pid->id,
	};
}

static inline struct erldist_end_key erldist_key_own(const struct etf_ref *ref)
{
	return (struct erldist_end_key){ .kind = END_OWN, .ref = ref };
}

/* relation.c */
struct etf_ref erldist_own_ref(const struct erldist_node *node, u32 id, u64 n);
struct erldist_relation *
erldist_relation_new(const struct erldist_relation_spec *spec);
void erldist_relation_put(struct erldist_relation *rel);
int erldist_relation_hook(struct erldist_relation *rel);
void erldist_relation_hook_channel(struct erldist_relation *rel,
				   struct erldist_channel *ch);
bool erldist_relation_hook_peer_locked(struct erldist_relation *rel);
bool erldist_relation_cancel(struct erldist_relation *rel);
void erldist_relation_drop(struct erldist_relation *rel);
bool erldist_relation_take(struct erldist_relation *rel);
bool erldist_relation_settle(struct erldist_process *proc,
			     const struct erldist_end_key *key);
void erldist_relation_unhook(struct erldist_relation *rel);
bool erldist_relation_unhook_peer_locked(struct erldist_relation *rel);
struct etf_pid erldist_end_pid(struct erldist_end *end);
struct erldist_end *erldist_end_find(struct erldist_process *proc,
				     const struct erldist_end_key *key);
struct erldist_end *erldist_end_first(struct erldist_process *proc, u8 kind,
				      const struct erldist_peer *peer);
void erldist_end_erase(struct erldist_end *end);
void erldist_end_unhook(struct erldist_end *end);

/* relation_find.c */
struct erldist_relation *
erldist_relation_find_link(struct erldist_process *proc,
			   const struct erldist_peer *peer,
			   const struct etf_pid *pid);
int erldist_relation_relink(struct erldist_relation *rel);
bool erldist_relation_unlink(struct erldist_relation *rel, u64 id);
struct erldist_relation *
erldist_relation_take_link(struct erldist_process *proc,
			   const struct erldist_peer *peer,
			   const struct etf_pid *pid, u64 acked);
struct erldist_relation *
erldist_relation_claim_link(struct erldist_process *proc,
			    const struct erldist_peer *peer,
			    const struct etf_pid *pid);
struct erldist_relation *
erldist_relation_claim_own(struct erldist_process *proc,
			   const struct etf_ref *ref,
			   const struct erldist_peer *peer);
struct erldist_relation *
erldist_relation_take_watched(struct erldist_process *proc,
			      const struct erldist_peer *peer,
			      const struct etf_ref *ref);
struct erldist_relation *
erldist_relation_take_own(struct erldist_process *proc,
			  const struct etf_ref *ref,
			  const struct erldist_peer *peer, u8 type);
struct erldist_relation *
erldist_relation_take_asked(struct erldist_process *proc,
			    const struct erldist_peer *peer,
			    const struct etf_ref *ref);
struct erldist_process *
erldist_relation_alias_owner(struct erldist_node *node,
			     const struct etf_ref *ref);
int erldist_relation_by_alias(struct erldist_process *proc,
			      const struct etf_ref *ref,
			      struct erldist_msg *msg,
			      const struct erldist_process *from);
int erldist_relation_by_tag(struct erldist_process *proc,
			    struct erldist_msg *msg,
			    const struct erldist_process *from);
int erldist_relation_unalias(struct erldist_process *proc,
			     const struct etf_ref *ref);
struct erldist_relation *
erldist_relation_take_node(struct erldist_process *proc, u8 kind,
			   const struct erldist_peer *peer);

/* relation_tell.c */
void erldist_relation_demonitor(struct erldist_relation *rel);
bool erldist_relation_answer(struct erldist_relation *rel,
			     struct erldist_process *child,
			     const struct etf_atom *name,
			     struct erldist_relation *with[2]);
void erldist_relation_tell(struct erldist_relation *rel,
			   struct erldist_blob *reason);
void erldist_relation_late_locked(struct erldist_relation *rel);
void erldist_relations_of_port(struct erldist_port *port);
bool erldist_relations_end(struct erldist_process *proc);
void erldist_relations_lost(struct erldist_peer *peer);

#endif /* _ERLDIST_RELATION_H */
