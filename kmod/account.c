// SPDX-License-Identifier: GPL-2.0-only
/*
 * Accounts: each object of a node is counted for the node, and in the account of
 * the user or the peer that asked for it, or of the node's keeper.
 *
 * The keeper, the node's owner and administrators can reach the node's limit. The last
 * eighth of the limit is reserved for them. Anybody else can take one more object
 * while its own objects are not more than the free ones of the first seven eighths: one
 * alone gets half, two get a third each. So a greedy one leaves room for later
 * ones, though less for each further one.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/slab.h>
#include <linux/uidgid.h>
#include <linux/user_namespace.h>
#include <linux/xarray.h>

#include "account.h"
#include "node.h"

/*
 * A user can have thousands of uids in a user namespace of its own: processes in
 * there count for the user that made the namespace. In a namespace that root or the
 * node's owner made, each uid counts for itself.
 */
static unsigned long account_uid(const struct erldist_node *node)
{
	const struct user_namespace *ns = current_user_ns();
	kuid_t uid = current_fsuid();

	for (; ns && ns != node->net->user_ns; ns = ns->parent)
		uid = ns->owner;
	if (!ns || uid_eq(uid, GLOBAL_ROOT_UID) || uid_eq(uid, node->uid))
		uid = current_fsuid();
	return __kuid_val(uid);
}

/* An ordinary user fails this test at each bind: do not audit it. */
static bool has_all(const struct erldist_node *node)
{
	return uid_eq(current_fsuid(), node->uid) ||
	       ns_capable_noaudit(node->net->user_ns, CAP_NET_ADMIN);
}

static void user_use_locked(struct erldist_user *user, bool owner)
{
	user->refs++;
	if (owner)
		WRITE_ONCE(user->account.owner, true);
}

static struct erldist_user *user_find(struct erldist_node *node,
				      unsigned long uid, bool owner)
{
	struct erldist_user *user;

	xa_lock_bh(&node->users);
	user = xa_load(&node->users, uid);
	if (user)
		user_use_locked(user, owner);
	xa_unlock_bh(&node->users);
	return user;
}

/* If another thread of the user has added the account meanwhile, that one is used. */
static struct erldist_user *user_add(struct erldist_node *node,
				     struct erldist_user *new, bool owner)
{
	struct erldist_user *user;

	xa_lock_bh(&node->users);
	user = __xa_cmpxchg(&node->users, new->uid, NULL, new,
			    GFP_KERNEL_ACCOUNT);
	if (!user)
		user = new;
	else if (xa_is_err(user))
		user = NULL;
	if (user)
		user_use_locked(user, owner);
	xa_unlock_bh(&node->users);
	return user;
}

/**
 * erldist_user_get() - the account of the caller
 * @node: the node
 *
 * Context: process context.
 * Return: a reference to the account of the caller's fsuid, or of the user that made
 * the caller's user namespace (account_uid()); NULL: no memory.
 */
struct erldist_user *erldist_user_get(struct erldist_node *node)
{
	bool owner = has_all(node);
	unsigned long uid = account_uid(node);
	struct erldist_user *user = user_find(node, uid, owner), *new;

	if (user)
		return user;
	new = kzalloc(sizeof(*new), GFP_KERNEL_ACCOUNT);
	if (!new)
		return NULL;
	new->uid = uid;
	user = user_add(node, new, owner);
	if (user != new)
		kfree(new);
	return user;
}

/**
 * erldist_user_hold() - take another reference
 * @node: the node
 * @user: the user; the caller has a reference
 *
 * Context: any but hard interrupts.
 */
void erldist_user_hold(struct erldist_node *node, struct erldist_user *user)
{
	xa_lock_bh(&node->users);
	user->refs++;
	xa_unlock_bh(&node->users);
}

/**
 * erldist_user_put() - drop a reference
 * @node: the node
 * @user: the account; what it held was given back, if this is the last one
 *
 * Context: any but hard interrupts.
 */
void erldist_user_put(struct erldist_node *node, struct erldist_user *user)
{
	bool last;

	xa_lock_bh(&node->users);
	last = !--user->refs;
	if (last)
		__xa_erase(&node->users, user->uid);
	xa_unlock_bh(&node->users);
	if (last)
		kfree(user);
}

/* total, own: the numbers with this one */
static bool may_have(const struct erldist_account *account, u32 total, u32 own,
		     u32 limit)
{
	if (READ_ONCE(account->owner))
		return total <= limit;
	limit -= DIV_ROUND_UP(limit, 8);
	return total <= limit && own - 1 <= limit - total;
}

/**
 * erldist_held_room() - could one more be taken
 * @node: the node
 * @account: for whom
 * @what: which number
 * @limit: the node's
 *
 * Return: true if so, at the moment.
 */
bool erldist_held_room(const struct erldist_node *node,
		       const struct erldist_account *account,
		       enum erldist_held what, u32 limit)
{
	return may_have(account, atomic_read(&node->held[what]) + 1,
			atomic_read(&account->held[what]) + 1, limit);
}

/**
 * erldist_held_take() - reserve one, before it is made
 * @node: the node
 * @account: for whom
 * @what: which number
 * @limit: the node's
 *
 * Return: 0, and erldist_held_give() is the end of it; -EUSERS.
 */
int erldist_held_take(struct erldist_node *node,
		      struct erldist_account *account,
		      enum erldist_held what, u32 limit)
{
	/* An attempt that must fail does not raise the numbers, not even briefly. */
	if (!erldist_held_room(node, account, what, limit))
		return -EUSERS;
	erldist_held_add(node, account, what);
	/*
	 * Pairs with the same in concurrent callers: each sees what all of them
	 * have added, so that they cannot exceed the share together.
	 */
	smp_mb__after_atomic();
	if (may_have(account, atomic_read(&node->held[what]),
		     atomic_read(&account->held[what]), limit))
		return 0;
	erldist_held_give(node, account, what);
	return -EUSERS;
}

/**
 * erldist_held_add() - count one that no limit keeps from being made
 * @node: the node
 * @account: for whom
 * @what: which number
 */
void erldist_held_add(struct erldist_node *node,
		      struct erldist_account *account, enum erldist_held what)
{
	atomic_inc(&node->held[what]);
	atomic_inc(&account->held[what]);
}

/**
 * erldist_held_give() - one is gone
 * @node: the node
 * @account: as when it was taken
 * @what: which number
 */
void erldist_held_give(struct erldist_node *node,
		       struct erldist_account *account, enum erldist_held what)
{
	atomic_dec(&node->held[what]);
	atomic_dec(&account->held[what]);
}
