/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _ERLDIST_ACCOUNT_H
#define _ERLDIST_ACCOUNT_H

#include <linux/atomic.h>
#include <linux/types.h>

struct erldist_node;

/* Kinds of objects that are counted, for the node and in one account */
enum erldist_held {
	HELD_PROCESSES,
	HELD_PORTS,		/* the limit is that of processes */
	HELD_RELATIONS,
	HELD_WANTED,		/* peers that are being connected */
	HELD_PEERS,		/* peers that the node knows, without the next ones */
	HELD_STRANGERS,		/* peers that have not proven the cookie; the keeper's */
	HELD_MAX,
};

/*
 * An account of a node: of a user, of a peer for the relations that it asks for, or of
 * the keeper.
 *
 * The account of a user stands in node->users under the uid. References, counted in
 * refs: one for each process of the user and one for each peer that was made for one of
 * them. The account is freed with the last reference. The lock of node->users guards
 * refs. The other accounts are parts of the node or of a peer and have no references.
 * held is atomic.
 */
struct erldist_account {
	unsigned long uid;	/* in the initial namespace */
	u32 refs;
	atomic_t held[HELD_MAX];
};

struct erldist_account *erldist_account_get(struct erldist_node *node);
void erldist_account_hold(struct erldist_node *node,
			  struct erldist_account *account);
void erldist_account_put(struct erldist_node *node,
			 struct erldist_account *account);
bool erldist_held_room(const struct erldist_node *node,
		       const struct erldist_account *account,
		       enum erldist_held what, u32 limit);
int erldist_held_take(struct erldist_node *node,
		      struct erldist_account *account,
		      enum erldist_held what, u32 limit);
void erldist_held_add(struct erldist_node *node,
		      struct erldist_account *account,
		      enum erldist_held what);
void erldist_held_give(struct erldist_node *node,
		       struct erldist_account *account,
		       enum erldist_held what);

#endif /* _ERLDIST_ACCOUNT_H */
