/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _ERLDIST_TARGET_H
#define _ERLDIST_TARGET_H

#include "peer.h"
#include "process.h"

/* A default destination, kept: its term, what it says, and its peer. */
struct erldist_target {
	refcount_t ref;
	struct erldist_dest dest;
	struct erldist_peer *peer;	/* NULL: local */
	u32 len;
	u8 term[];
};

int erldist_dest_is_node(const struct erldist_node *node,
			 struct erldist_dest *dest);
int erldist_dest_parse(const struct erldist_node *node, const u8 *term,
		       size_t len, struct erldist_dest *dest);
struct erldist_target *erldist_target_new(struct erldist_process *by,
					  const u8 *term, size_t len);
void erldist_target_put(struct erldist_target *target);

static inline struct erldist_target *
erldist_target_get(struct erldist_target *target)
{
	if (target)
		refcount_inc(&target->ref);
	return target;
}

#endif /* _ERLDIST_TARGET_H */
