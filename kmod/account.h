/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _ERLDIST_ACCOUNT_H
#define _ERLDIST_ACCOUNT_H

#include <linux/atomic.h>
#include <linux/types.h>

struct erldist_node;

/* What is counted: in all for the node, and for the user on whose behalf it is */
enum erldist_held {
	HELD_PROCESSES,
	HELD_PORTS,		/* the limit is that of processes */
	HELD_RELATIONS,
	HELD_WANTED,		/* peers that are being connected */
	HELD_MAX,
};

/*
 * The account of a user in a node. It stands in node->users under the user's uid.
 *
 * References: one for each process of the user, counted in refs. The account is
 * freed with the last one. The lock of node->users guards refs and changes of owner;
 * owner is read without it. held is atomic.
 */
struct erldist_user {
	unsigned long uid;	/* in the initial namespace */
	bool owner;		/* of the node, or an administrator; once and for all */
	u32 refs;
	atomic_t held[HELD_MAX];
};

struct erldist_user *erldist_user_get(struct erldist_node *node);
void erldist_user_put(struct erldist_node *node, struct erldist_user *user);
bool erldist_held_room(const struct erldist_node *node,
		       const struct erldist_user *user,
		       enum erldist_held what, u32 limit);
int erldist_held_take(struct erldist_node *node, struct erldist_user *user,
		      enum erldist_held what, u32 limit);
void erldist_held_add(struct erldist_node *node, struct erldist_user *user,
		      enum erldist_held what);
void erldist_held_give(struct erldist_node *node, struct erldist_user *user,
		       enum erldist_held what);

#endif /* _ERLDIST_ACCOUNT_H */
