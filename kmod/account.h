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
	HELD_PEERS,		/* peers that the node knows */
	HELD_MAX,
};

/* One for each user of the node, one for each peer, one for the node's keeper */
struct erldist_account {
	bool owner;		/* can reach the node's limits; once and for all */
	atomic_t held[HELD_MAX];
};

/*
 * A user of a node. It stands in node->users under its uid.
 *
 * References, counted in refs: one for each process of the user and for each peer that
 * was made for one of them. It is freed with the last one. The lock of node->users
 * guards refs and changes of account.owner, which is read without it.
 */
struct erldist_user {
	unsigned long uid;	/* in the initial namespace */
	u32 refs;
	struct erldist_account account;	/* owner: of the node, or an administrator */
};

struct erldist_user *erldist_user_get(struct erldist_node *node);
void erldist_user_hold(struct erldist_node *node, struct erldist_user *user);
void erldist_user_put(struct erldist_node *node, struct erldist_user *user);
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
