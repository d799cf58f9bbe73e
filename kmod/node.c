// SPDX-License-Identifier: GPL-2.0-only
/*
 * Local nodes: making, finding, closing, and who may use them.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/mm.h>
#include <linux/netlink.h>
#include <linux/random.h>
#include <linux/user_namespace.h>

#include "channel.h"
#include "kcov.h"
#include "netlink.h"
#include "node.h"
#include "peer.h"
#include "process.h"

/* Defaults, in milliseconds: OTP's net_ticktime, intensity, net_setuptime */
#define TICKTIME_DEFAULT	60000
#define INTENSITY_DEFAULT	4
#define SETUP_DEFAULT		7000
#define RETRY_DEFAULT		1000

/**
 * erldist_tick_default() - times of a node that sets none
 * @tick: filled in
 */
void erldist_tick_default(struct erldist_ticktime *tick)
{
	*tick = (struct erldist_ticktime) {
		.ticktime = TICKTIME_DEFAULT,
		.intensity = INTENSITY_DEFAULT,
		.setup = SETUP_DEFAULT,
		.retry = RETRY_DEFAULT,
	};
}

/**
 * erldist_limits_default() - limits of a node that sets none
 * @limits: filled in
 */
void erldist_limits_default(struct erldist_limits *limits)
{
	u64 ram = (u64)totalram_pages() << PAGE_SHIFT;

	*limits = (struct erldist_limits) {
		.mailbox_pool = min_t(u64, 256 << 20, ram / 4),
		.mailbox = 8 << 20,
		.send_queue = 8 << 20,
		.stall = 5000,
		.peers = 65536,
		.handshakes = 64,
		.processes = 1 << 20,
		.relations = 65536,
		.node_relations = 1 << 20,
		.wanted = 1024,
		.process_wanted = 16,
		.fragments = 256,
	};
	limits->max_message = min_t(u64, 128 << 20, limits->mailbox_pool / 2);
}

static int node_tables_init(struct erldist_node *node)
{
	int err;

	err = rhashtable_init(&node->names, &erldist_name_params);
	if (err)
		return err;
	err = rhashtable_init(&node->peers, &erldist_peer_params);
	if (err)
		rhashtable_destroy(&node->names);
	return err;
}

static bool is_admin(const struct erldist_node *node)
{
	return ns_capable(node->net->user_ns, CAP_NET_ADMIN);
}

static struct lock_class_key users_lock_class;

static void node_init(struct erldist_node *node, struct net *net)
{
	refcount_set(&node->ref, 1);
	INIT_LIST_HEAD(&node->list);
	mutex_init(&node->conf_lock);
	xa_init_flags(&node->pids, XA_FLAGS_ALLOC1);
	xa_init_flags(&node->users, XA_FLAGS_LOCK_BH);
	/* All arrays have one class, and that of pids is used with softirqs on. */
	lockdep_set_class(&node->users.xa_lock, &users_lock_class);
	spin_lock_init(&node->event_lock);
	INIT_LIST_HEAD(&node->events);
	spin_lock_init(&node->channel_lock);
	INIT_LIST_HEAD(&node->channels);
	spin_lock_init(&node->reap_lock);
	spin_lock_init(&node->holder_lock);
	node->holders = RB_ROOT;
	INIT_LIST_HEAD(&node->reaped);
	INIT_WORK(&node->reaper, erldist_process_reap);
	erldist_kcov_init(node);
	atomic_set(&node->busy, 1);
	node->net = get_net_track(net, &node->ns_tracker, GFP_KERNEL);
	node->uid = current_fsuid();
	node->gid = current_fsgid();
	node->by_admin = is_admin(node);
	node->next_id = 1;
	node->flags = DFLAG_DEFAULT;
	node->mode = 0600;
	erldist_tick_default(&node->tick);
	erldist_limits_default(&node->limits);
}

/**
 * erldist_node_new() - a node that nobody can find yet
 * @net: its namespace, held until the node is freed
 * @name: its name, valid as erldist_name_valid() has it
 * @len: bytes of @name
 *
 * The caller's fsuid and fsgid own it. Creation is random, above 3 as BEAM's.
 *
 * Context: process context.
 * Return: the node with one reference, or an ERR_PTR.
 */
struct erldist_node *erldist_node_new(struct net *net, const char *name,
				      size_t len)
{
	struct erldist_node *node;
	int err;

	node = kzalloc(struct_size(node, name, len + 1), GFP_KERNEL_ACCOUNT);
	if (!node)
		return ERR_PTR(-ENOMEM);
	err = node_tables_init(node);
	if (err) {
		kfree(node);
		return ERR_PTR(err);
	}
	node_init(node, net);
	memcpy(node->name, name, len);
	node->atom = (struct etf_atom){ .text = node->name, .len = len };
	node->hash = etf_atom_hash(&node->atom, 0);
	do {
		node->creation = get_random_u32();
	} while (node->creation <= 3);
	return node;
}

static void node_free_rcu(struct rcu_head *rcu)
{
	kfree(container_of(rcu, struct erldist_node, rcu));
}

/**
 * erldist_node_put() - drop a reference
 * @node: the node
 *
 * Context: process context (the tables are destroyed with the last one).
 */
void erldist_node_put(struct erldist_node *node)
{
	if (!refcount_dec_and_test(&node->ref))
		return;
	rhashtable_destroy(&node->names);
	rhashtable_destroy(&node->peers);
	xa_destroy(&node->pids);
	xa_destroy(&node->users);
	memzero_explicit(&node->cookie, sizeof(node->cookie));
	put_net_track(node->net, &node->ns_tracker);
	call_rcu(&node->rcu, node_free_rcu);
}

/**
 * erldist_node_is() - is this the node's name
 * @node: the node
 * @name: a name
 * Return: true if so.
 */
bool erldist_node_is(const struct erldist_node *node,
		     const struct etf_atom *name)
{
	return etf_atom_equal(&node->atom, name);
}

static struct erldist_node *node_lookup(struct erldist_net *en,
					const struct etf_atom *name)
{
	struct erldist_node *node;

	list_for_each_entry_rcu(node, &en->nodes, list,
				lockdep_is_held(&en->lock)) {
		if (erldist_node_is(node, name))
			return node;
	}
	return NULL;
}

/**
 * erldist_node_publish() - make a node exist
 * @node: a new node
 *
 * Context: process context.
 * Return: 0; -EADDRINUSE when the namespace has a node of that name.
 */
int erldist_node_publish(struct erldist_node *node)
{
	struct erldist_net *en = erldist_net(node->net);
	int err = 0;

	mutex_lock(&en->lock);
	if (node_lookup(en, &node->atom))
		err = -EADDRINUSE;
	else
		list_add_tail_rcu(&node->list, &en->nodes);
	WRITE_ONCE(en->generation, en->generation + 1);
	mutex_unlock(&en->lock);
	if (!err)
		erldist_netlink_node(node, ERLDIST_CMD_NODE_NEW_NTF);
	return err;
}

/**
 * erldist_node_quiet() - a channel is over, a peer is drained, the node closed
 * @node: the node
 *
 * The last of them tells that the node is gone: after every peer-down.
 *
 * Context: process context.
 */
void erldist_node_quiet(struct erldist_node *node)
{
	if (atomic_dec_and_test(&node->busy))
		erldist_netlink_node(node, ERLDIST_CMD_NODE_DEL_NTF);
}

/**
 * erldist_node_close() - the node socket goes, the node with it
 * @node: the node; the caller's reference is kept
 *
 * Unpublishes in one pass; channels, processes and relations end in works.
 *
 * Context: process context.
 */
void erldist_node_close(struct erldist_node *node)
{
	struct erldist_net *en = erldist_net(node->net);

	mutex_lock(&en->lock);
	WRITE_ONCE(node->dead, true);
	list_del_rcu(&node->list);
	WRITE_ONCE(en->generation, en->generation + 1);
	mutex_unlock(&en->lock);
	/* Who found the node before now sees it dead, or is seen below. */
	synchronize_rcu();
	erldist_processes_close(node);
	erldist_channels_close(node);
	erldist_peers_close(node);
	erldist_node_quiet(node);
}

/**
 * erldist_node_find() - a node by its name
 * @net: the namespace
 * @name: the name
 * Return: the node with a reference, or NULL.
 */
struct erldist_node *erldist_node_find(struct net *net,
				       const struct etf_atom *name)
{
	struct erldist_node *node;

	rcu_read_lock();
	node = node_lookup(erldist_net(net), name);
	if (node && !refcount_inc_not_zero(&node->ref))
		node = NULL;
	rcu_read_unlock();
	return node;
}

static bool mode_allows(const struct erldist_node *node, u32 owner_bit)
{
	u32 mode = READ_ONCE(node->mode);

	if (uid_eq(node->uid, current_fsuid()))
		return mode & owner_bit;
	if (in_group_p(node->gid))
		return mode & (owner_bit >> 3);
	return mode & (owner_bit >> 6);
}

static bool may_be_default(const struct erldist_node *node)
{
	return (node->by_admin || uid_eq(node->uid, current_fsuid())) &&
	       erldist_node_may_use(node);
}

/**
 * erldist_node_default() - the node of a program that names none
 * @net: the namespace
 *
 * Return: the first node that the caller may use and that is its own or was
 * made with CAP_NET_ADMIN, with a reference; or NULL. What another user opens to
 * all must be named.
 */
struct erldist_node *erldist_node_default(struct net *net)
{
	struct erldist_node *node;

	rcu_read_lock();
	list_for_each_entry_rcu(node, &erldist_net(net)->nodes, list) {
		if (may_be_default(node) &&
		    refcount_inc_not_zero(&node->ref)) {
			rcu_read_unlock();
			return node;
		}
	}
	rcu_read_unlock();
	return NULL;
}

/**
 * erldist_node_may_use() - may the caller bind processes to a node
 * @node: the node
 *
 * Whoever may can do what the node's cookie can: run code on its peers.
 *
 * Return: true if so.
 */
bool erldist_node_may_use(const struct erldist_node *node)
{
	return mode_allows(node, 0200) || is_admin(node);
}

static bool may_see(const struct erldist_node *node)
{
	return mode_allows(node, 0600) || is_admin(node);
}

/**
 * erldist_node_may_see() - may a node's processes and names be shown
 * @node: the node
 * @skb: the netlink request
 *
 * To the caller, and to the program that opened the socket, as in
 * netlink_capable(): the caller may have been given the socket, to write a
 * request of the opener's or to read an answer to one.
 *
 * Return: true if so.
 */
bool erldist_node_may_see(const struct erldist_node *node,
			  const struct sk_buff *skb)
{
	struct file *file = NETLINK_CB(skb).sk->sk_socket->file;
	const struct cred *caller;
	bool opener;

	caller = override_creds(file->f_cred);
	opener = may_see(node);
	revert_creds(caller);
	return opener && may_see(node);
}

/**
 * erldist_node_is_owner() - does the caller own the node
 * @node: the node
 * Return: true if so, or with CAP_NET_ADMIN.
 */
bool erldist_node_is_owner(const struct erldist_node *node)
{
	return uid_eq(node->uid, current_fsuid()) || is_admin(node);
}
