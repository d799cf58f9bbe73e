// SPDX-License-Identifier: GPL-2.0-only
/*
 * Accounts: each object of a node is counted for the node, and in the account of
 * the user or the peer that asked for it, or of the node's keeper.
 *
 * Processes of the node's owner and of administrators use the keeper's account, which
 * can reach the node's limit. The last eighth of the limit is reserved for it. Any
 * other account can take one more object while its own objects are not more than the
 * free ones of the first seven eighths: one account alone gets half, two get a third
 * each. So a greedy account leaves room for later ones, though less for each further
 * one.
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

static bool is_users(const struct erldist_node *node,
		     const struct erldist_account *account)
{
	return account && account != &node->keeper;
}

static struct erldist_account *account_find(struct erldist_node *node,
					    unsigned long uid)
{
	struct erldist_account *account;

	xa_lock_bh(&node->users);
	account = xa_load(&node->users, uid);
	if (account)
		account->refs++;
	xa_unlock_bh(&node->users);
	return account;
}

/* If another thread of the user has added the account meanwhile, that one is used. */
static struct erldist_account *account_add(struct erldist_node *node,
					   struct erldist_account *new)
{
	struct erldist_account *account;

	xa_lock_bh(&node->users);
	account = __xa_cmpxchg(&node->users, new->uid, NULL, new,
			       GFP_KERNEL_ACCOUNT);
	if (!account)
		account = new;
	else if (xa_is_err(account))
		account = NULL;
	if (account)
		account->refs++;
	xa_unlock_bh(&node->users);
	return account;
}

/**
 * erldist_account_get() - the account of the caller
 * @node: the node
 *
 * Context: process context.
 * Return: a reference to the account of the caller's fsuid, or of the user that made
 * the caller's user namespace (account_uid()); for the node's owner and
 * administrators the keeper's; ERR_PTR(-ENOMEM).
 */
struct erldist_account *erldist_account_get(struct erldist_node *node)
{
	struct erldist_account *account, *new;
	unsigned long uid;

	if (has_all(node))
		return &node->keeper;
	uid = account_uid(node);
	account = account_find(node, uid);
	if (account)
		return account;
	new = kzalloc(sizeof(*new), GFP_KERNEL_ACCOUNT);
	if (!new)
		return ERR_PTR(-ENOMEM);
	new->uid = uid;
	account = account_add(node, new);
	if (account != new)
		kfree(new);
	return account ?: ERR_PTR(-ENOMEM);
}

/**
 * erldist_account_hold() - take another reference
 * @node: the node
 * @account: the account; the caller has a reference; or NULL
 *
 * Context: any but hard interrupts.
 */
void erldist_account_hold(struct erldist_node *node,
			  struct erldist_account *account)
{
	if (!is_users(node, account))
		return;
	xa_lock_bh(&node->users);
	account->refs++;
	xa_unlock_bh(&node->users);
}

/**
 * erldist_account_put() - drop a reference
 * @node: the node
 * @account: the account; if this is the last reference, all objects were given back;
 *	or NULL
 *
 * Context: any but hard interrupts.
 */
void erldist_account_put(struct erldist_node *node,
			 struct erldist_account *account)
{
	bool last;

	if (!is_users(node, account))
		return;
	xa_lock_bh(&node->users);
	last = !--account->refs;
	if (last)
		__xa_erase(&node->users, account->uid);
	xa_unlock_bh(&node->users);
	if (last)
		kfree(account);
}

/* total, own: the numbers with this one */
static bool may_have(const struct erldist_node *node,
		     const struct erldist_account *account, u32 total, u32 own,
		     u32 limit)
{
	if (account == &node->keeper)
		return total <= limit;
	limit -= limit / 8 + !!(limit % 8);
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
	return may_have(node, account, atomic_read(&node->held[what]) + 1,
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
	if (may_have(node, account, atomic_read(&node->held[what]),
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
