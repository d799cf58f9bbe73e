/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _ERLDIST_RELATION_H
#define _ERLDIST_RELATION_H

#include <linux/rbtree.h>

#include "message.h"
#include "process.h"

enum erldist_relation_type {
	RELATION_LINK,
	RELATION_MONITORED,	/* a process of the peer monitors ours */
};

/*
 * A link, or a monitor, between a local process and one of a peer. It holds
 * all it needs to become the EXIT or DOWN that ends it: no allocation is made
 * at death.
 *
 * References: one while it hangs in the process's tree, one while it is in the
 * peer's list, one while it is queued as a signal. taken decides who ends it:
 * an unlink or demonitor, the process's death, the peer's loss; the others only
 * unhook it. node is guarded by process->lock, peer_list and out by
 * peer->lock, reason is written by who took it, before it queues it.
 */
struct erldist_relation {
	struct erldist_out out;
	struct rb_node node;		/* process->relations */
	struct list_head peer_list;	/* peer->relations */
	refcount_t ref;
	atomic_t taken;
	u8 type;
	bool by_name;			/* monitored by its name */
	struct erldist_process *process;	/* a reference */
	struct erldist_peer *peer;	/* a reference */
	u64 connection;
	u32 id, serial, creation;	/* the remote process */
	struct etf_ref ref_id;		/* RELATION_MONITORED; its node is the peer's */
	struct erldist_blob *reason;
	struct etf_atom name;
	u8 text[];
};

struct erldist_relation *erldist_relation_new(struct erldist_process *proc,
					      struct erldist_channel *ch,
					      const struct erldist_ctl *ctl);
int erldist_relation_add(struct erldist_relation *rel);
bool erldist_relation_drop(struct erldist_process *proc,
			   struct erldist_peer *peer, u8 type,
			   const struct erldist_ctl *ctl);
void erldist_relations_end(struct erldist_process *proc);
void erldist_relations_lost(struct erldist_peer *peer);
void erldist_relation_put(struct erldist_relation *rel);

#endif /* _ERLDIST_RELATION_H */
