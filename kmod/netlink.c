// SPDX-License-Identifier: GPL-2.0-only
/*
 * Generic netlink: what is there, and what happens. It observes; its one
 * mutator closes a connection.
 */
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/pid_namespace.h>
#include <net/genetlink.h>

#include "channel.h"
#include "main.h"
#include "netlink.h"
#include "netlink_gen.h"
#include "node.h"
#include "peer.h"
#include "process.h"

static const struct genl_multicast_group groups[] = {
	[ERLDIST_NLGRP_NODES] = { .name = ERLDIST_MCGRP_NODES },
	[ERLDIST_NLGRP_HANDSHAKES] = { .name = ERLDIST_MCGRP_HANDSHAKES,
				       .flags = GENL_MCAST_CAP_NET_ADMIN },
	[ERLDIST_NLGRP_NAMES] = { .name = ERLDIST_MCGRP_NAMES },
	[ERLDIST_NLGRP_NAMES_ALL] = { .name = ERLDIST_MCGRP_NAMES_ALL,
				      .flags = GENL_MCAST_CAP_NET_ADMIN },
};

static struct genl_family erldist_genl __ro_after_init = {
	.name = ERLDIST_FAMILY_NAME,
	.version = ERLDIST_FAMILY_VERSION,
	.netnsok = true,
	.parallel_ops = true,
	.module = THIS_MODULE,
	.ops = erldist_nl_ops,
	.n_ops = ARRAY_SIZE(erldist_nl_ops),
	.mcgrps = groups,
	.n_mcgrps = ARRAY_SIZE(groups),
	.resv_start_op = ERLDIST_CMD_MAX + 1,
};

/**
 * erldist_netlink_init() - register the family
 * Return: 0 or a negative errno.
 */
int __init erldist_netlink_init(void)
{
	return genl_register_family(&erldist_genl);
}

/**
 * erldist_netlink_exit() - take the family back
 */
void erldist_netlink_exit(void)
{
	genl_unregister_family(&erldist_genl);
}

static u64 group_seq(struct net *net, int group)
{
	return atomic64_read(&erldist_net(net)->seq[group]);
}

static int put_u64(struct sk_buff *skb, int attr, u64 value, int pad)
{
	return nla_put_u64_64bit(skb, attr, value, pad);
}

static int fill_node(struct sk_buff *skb, struct erldist_node *node, u64 seq)
{
	const int pad = ERLDIST_A_NODE_PAD;

	return nla_put_string(skb, ERLDIST_A_NODE_NAME, node->name) ?:
	       nla_put_u32(skb, ERLDIST_A_NODE_CREATION, node->creation) ?:
	       put_u64(skb, ERLDIST_A_NODE_FLAGS, node->flags, pad) ?:
	       nla_put_u32(skb, ERLDIST_A_NODE_MODE, READ_ONCE(node->mode)) ?:
	       nla_put_u32(skb, ERLDIST_A_NODE_UID,
			   from_kuid_munged(node->net->user_ns, node->uid)) ?:
	       nla_put_u32(skb, ERLDIST_A_NODE_GID,
			   from_kgid_munged(node->net->user_ns, node->gid)) ?:
	       nla_put_u32(skb, ERLDIST_A_NODE_TICKTIME,
			   READ_ONCE(node->tick.ticktime)) ?:
	       nla_put_u32(skb, ERLDIST_A_NODE_INTENSITY,
			   READ_ONCE(node->tick.intensity)) ?:
	       nla_put_u32(skb, ERLDIST_A_NODE_PROCESSES,
			   atomic_read(&node->held[HELD_PROCESSES])) ?:
	       nla_put_u32(skb, ERLDIST_A_NODE_PEERS,
			   atomic_read(&node->held[HELD_PEERS]) +
			   atomic_read(&node->held[HELD_STRANGERS])) ?:
	       nla_put_u32(skb, ERLDIST_A_NODE_PEERS_UP,
			   atomic_read(&node->n_up)) ?:
	       nla_put_u32(skb, ERLDIST_A_NODE_HANDSHAKES,
			   atomic_read(&node->n_handshakes)) ?:
	       put_u64(skb, ERLDIST_A_NODE_HANDSHAKES_FAILED,
		       atomic64_read_acquire(&node->failed), pad) ?:
	       nla_put_u32(skb, ERLDIST_A_NODE_LAST_REASON,
			   READ_ONCE(node->last_reason)) ?:
	       put_u64(skb, ERLDIST_A_NODE_POOL_USED,
		       atomic_long_read(&node->pool_used), pad) ?:
	       put_u64(skb, ERLDIST_A_NODE_POOL_LIMIT,
		       erldist_limit(&node->limits.mailbox_pool), pad) ?:
	       put_u64(skb, ERLDIST_A_NODE_MAX_MESSAGE,
		       erldist_limit(&node->limits.max_message), pad) ?:
	       put_u64(skb, ERLDIST_A_NODE_LOST, atomic64_read(&node->lost),
		       pad) ?:
	       put_u64(skb, ERLDIST_A_NODE_NO_RECEIVER,
		       atomic64_read(&node->no_receiver), pad) ?:
	       put_u64(skb, ERLDIST_A_NODE_OVERFLOWS,
		       atomic64_read(&node->overflows), pad) ?:
	       put_u64(skb, ERLDIST_A_NODE_SEQ, seq, pad) ?:
	       nla_put_u32(skb, ERLDIST_A_NODE_BY_ADMIN, node->by_admin);
}

/* A consistent copy of what the peer's lock guards */
struct peer_view {
	u8 state;
	u8 reason;
	int error;
	u32 failed;
	u32 relations;
	u32 creation;
	u32 retry;
	bool kept;
	u64 connection;
	u64 tag;
	u64 flags;
	u64 since;
	u64 rx_bytes, rx_messages, tx_bytes, tx_messages;
	u64 queued;
	u64 lost;
	u64 stalled;
};

static void view_peer(struct erldist_peer *peer, struct peer_view *v)
{
	struct erldist_channel *ch;

	memset(v, 0, sizeof(*v));
	spin_lock_bh(&peer->lock);
	v->state = peer->state;
	if (v->state != ERLDIST_PEER_STATE_UP) {
		v->reason = peer->reason;
		v->error = peer->error;
	}
	v->failed = peer->failed;
	v->relations = peer->n_relations;
	v->creation = peer->creation;
	v->connection = peer->connection;
	v->tag = peer->tag;
	v->flags = peer->flags;
	v->since = jiffies64_to_msecs(get_jiffies_64() - peer->changed);
	v->kept = peer->kept;
	if (v->kept && time_after(peer->next_try, jiffies))
		v->retry = jiffies_to_msecs(peer->next_try - jiffies);
	v->rx_bytes = peer->rx_bytes;
	v->rx_messages = peer->rx_messages;
	v->tx_bytes = peer->tx_bytes;
	v->tx_messages = peer->tx_messages;
	v->queued = peer->queued;
	v->lost = peer->lost_messages;
	ch = peer->channel;
	if (ch) {
		v->queued += READ_ONCE(ch->tx.taken);
		v->rx_bytes += atomic64_read(&ch->rx_bytes);
		v->rx_messages += atomic64_read(&ch->rx_messages);
		v->tx_bytes += atomic64_read(&ch->tx_bytes);
		v->tx_messages += atomic64_read(&ch->tx_messages);
		v->stalled = jiffies64_to_msecs(atomic64_read(&ch->stall_total));
	}
	spin_unlock_bh(&peer->lock);
}

static int fill_view(struct sk_buff *skb, const struct peer_view *v)
{
	const int pad = ERLDIST_A_PEER_PAD;

	return nla_put_u32(skb, ERLDIST_A_PEER_STATE, v->state) ?:
	       nla_put_u32(skb, ERLDIST_A_PEER_CREATION, v->creation) ?:
	       put_u64(skb, ERLDIST_A_PEER_FLAGS, v->flags, pad) ?:
	       nla_put_u32(skb, ERLDIST_A_PEER_REASON, v->reason) ?:
	       nla_put_u32(skb, ERLDIST_A_PEER_ERROR, v->error) ?:
	       nla_put_u32(skb, ERLDIST_A_PEER_FAILED, v->failed) ?:
	       put_u64(skb, ERLDIST_A_PEER_SINCE, v->since, pad) ?:
	       put_u64(skb, ERLDIST_A_PEER_RX_BYTES, v->rx_bytes, pad) ?:
	       put_u64(skb, ERLDIST_A_PEER_RX_MESSAGES, v->rx_messages, pad) ?:
	       put_u64(skb, ERLDIST_A_PEER_TX_BYTES, v->tx_bytes, pad) ?:
	       put_u64(skb, ERLDIST_A_PEER_TX_MESSAGES, v->tx_messages, pad) ?:
	       put_u64(skb, ERLDIST_A_PEER_QUEUED, v->queued, pad) ?:
	       put_u64(skb, ERLDIST_A_PEER_LOST, v->lost, pad) ?:
	       nla_put_u32(skb, ERLDIST_A_PEER_RELATIONS, v->relations) ?:
	       put_u64(skb, ERLDIST_A_PEER_STALLED, v->stalled, pad) ?:
	       (v->kept ? nla_put_u32(skb, ERLDIST_A_PEER_RETRY, v->retry) : 0);
}

/* @news: what a node socket is told, NULL for everybody else */
static int fill_peer(struct sk_buff *skb, struct erldist_peer *peer,
		     const struct erldist_peer_news *news, u64 seq)
{
	const int pad = ERLDIST_A_PEER_PAD;
	struct peer_view v;

	view_peer(peer, &v);
	if (news) {
		v.tag = news->tag;
		v.connection = news->connection;
		if (news->pending & ERLDIST_PENDING_ASKS)
			v.flags = news->flags;
		if (nla_put_u32(skb, ERLDIST_A_PEER_PENDING, news->pending))
			return -EMSGSIZE;
	}
	return nla_put_string(skb, ERLDIST_A_PEER_NODE, peer->node->name) ?:
	       nla_put_string(skb, ERLDIST_A_PEER_NAME, peer->name) ?:
	       put_u64(skb, ERLDIST_A_PEER_CONNECTION, v.connection, pad) ?:
	       put_u64(skb, ERLDIST_A_PEER_TAG, v.tag, pad) ?:
	       fill_view(skb, &v) ?:
	       put_u64(skb, ERLDIST_A_PEER_SEQ, seq, pad);
}

/* Names are UTF-8 in netlink; the kernel keeps them so. */
static int put_name(struct sk_buff *skb, const struct etf_atom *name)
{
	struct nlattr *attr = nla_reserve(skb, ERLDIST_A_PROCESS_NAME,
					  name->len + 1);
	u8 *p;

	if (!attr)
		return -EMSGSIZE;
	p = nla_data(attr);
	memcpy(p, name->text, name->len);
	p[name->len] = 0;
	return 0;
}

static int fill_pid(struct sk_buff *skb, const struct erldist_process *proc)
{
	return nla_put_string(skb, ERLDIST_A_PROCESS_NODE, proc->node->name) ?:
	       nla_put_u32(skb, ERLDIST_A_PROCESS_ID, proc->id) ?:
	       nla_put_u32(skb, ERLDIST_A_PROCESS_SERIAL, proc->serial) ?:
	       nla_put_u32(skb, ERLDIST_A_PROCESS_CREATION,
			   proc->node->creation);
}

static int fill_process_name(struct sk_buff *skb,
			     const struct erldist_process *proc)
{
	struct erldist_name *name;
	int err = 0;

	rcu_read_lock();
	name = READ_ONCE(proc->name);
	if (name)
		err = put_name(skb, &name->atom);
	rcu_read_unlock();
	return err;
}

static int fill_process(struct sk_buff *skb, struct erldist_process *proc,
			u64 seq)
{
	struct erldist_mailbox *mb = &proc->mailbox;
	const int pad = ERLDIST_A_PROCESS_PAD;

	return fill_pid(skb, proc) ?: fill_process_name(skb, proc) ?:
	       nla_put_u32(skb, ERLDIST_A_PROCESS_STATE,
			   READ_ONCE(proc->state)) ?:
	       nla_put_u32(skb, ERLDIST_A_PROCESS_OWNER,
			   erldist_owner_pid(proc,
					     task_active_pid_ns(current))) ?:
	       nla_put_u32(skb, ERLDIST_A_PROCESS_UID,
			   from_kuid_munged(proc->node->net->user_ns,
					    READ_ONCE(proc->uid))) ?:
	       nla_put_u32(skb, ERLDIST_A_PROCESS_MESSAGES,
			   READ_ONCE(mb->n)) ?:
	       put_u64(skb, ERLDIST_A_PROCESS_LOCAL_BYTES,
		       READ_ONCE(mb->local_bytes), pad) ?:
	       put_u64(skb, ERLDIST_A_PROCESS_REMOTE_BYTES,
		       READ_ONCE(mb->remote_bytes), pad) ?:
	       nla_put_u32(skb, ERLDIST_A_PROCESS_RELATIONS,
			   READ_ONCE(proc->n_asked) +
			   READ_ONCE(proc->n_others)) ?:
	       put_u64(skb, ERLDIST_A_PROCESS_SEQ, seq, pad);
}

/* One entry of any kind */
struct entry {
	u8 cmd;
	union {
		struct erldist_node *node;
		struct erldist_peer *peer;
		struct erldist_process *process;
	};
};

static int fill_entry(struct sk_buff *skb, const struct entry *e, u64 seq)
{
	switch (e->cmd) {
	case ERLDIST_CMD_NODE_GET:
		return fill_node(skb, e->node, seq);
	case ERLDIST_CMD_PEER_GET:
		return fill_peer(skb, e->peer, NULL, seq);
	default:
		return fill_process(skb, e->process, seq);
	}
}

static u64 entry_seq(struct net *net, const struct entry *e)
{
	return group_seq(net, e->cmd == ERLDIST_CMD_PROCESS_GET ?
			 ERLDIST_NLGRP_NAMES : ERLDIST_NLGRP_NODES);
}

static int reply_entry(struct genl_info *info, const struct entry *e)
{
	struct sk_buff *skb = genlmsg_new(NLMSG_GOODSIZE, GFP_KERNEL);
	void *hdr;

	if (!skb)
		return -ENOMEM;
	hdr = genlmsg_put_reply(skb, info, &erldist_genl, 0, e->cmd);
	if (!hdr || fill_entry(skb, e, entry_seq(genl_info_net(info), e))) {
		nlmsg_free(skb);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, hdr);
	return genlmsg_reply(skb, info);
}

static int dump_entry(struct sk_buff *skb, struct netlink_callback *cb,
		      const struct entry *e)
{
	void *hdr;

	hdr = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
			  &erldist_genl, NLM_F_MULTI, e->cmd);
	if (!hdr)
		return -EMSGSIZE;
	if (fill_entry(skb, e, entry_seq(sock_net(skb->sk), e))) {
		genlmsg_cancel(skb, hdr);
		return -EMSGSIZE;
	}
	genl_dump_check_consistent(cb, hdr);
	genlmsg_end(skb, hdr);
	return 0;
}

/*
 * Events. Numbers and multicasts go in step. An event whose message could not be
 * built uses a number, too, and the listeners read ENOBUFS, as they do where their
 * receive buffer was full.
 */
static struct sk_buff *event_begin(u8 cmd, void **hdr)
{
	struct sk_buff *skb = genlmsg_new(NLMSG_GOODSIZE, GFP_KERNEL);

	if (!skb)
		return NULL;
	*hdr = genlmsg_put(skb, 0, 0, &erldist_genl, 0, cmd);
	return skb;
}

static void event_send(struct net *net, int group, struct sk_buff *skb,
		       void *hdr)
{
	genlmsg_end(skb, hdr);
	genlmsg_multicast_netns(&erldist_genl, net, skb, 0, group, GFP_KERNEL);
}

/* The netlink core tells the listeners itself of what a multicast could not deliver. */
static void event_lost(struct net *net, int group, struct sk_buff *skb)
{
	nlmsg_free(skb);
	genl_set_err(&erldist_genl, net, 0, group, -ENOBUFS);
}

/**
 * erldist_netlink_node() - tell of a node
 * @node: the node
 * @cmd: ERLDIST_CMD_NODE_NEW_NTF or _DEL_NTF
 *
 * Context: process context.
 */
void erldist_netlink_node(struct erldist_node *node, u8 cmd)
{
	struct erldist_net *en = erldist_net(node->net);
	struct sk_buff *skb;
	void *hdr;

	mutex_lock(&en->seq_lock[ERLDIST_NLGRP_NODES]);
	atomic64_inc(&en->seq[ERLDIST_NLGRP_NODES]);
	skb = event_begin(cmd, &hdr);
	if (skb && !fill_node(skb, node, atomic64_read(&en->seq[ERLDIST_NLGRP_NODES])))
		event_send(node->net, ERLDIST_NLGRP_NODES, skb, hdr);
	else
		event_lost(node->net, ERLDIST_NLGRP_NODES, skb);
	mutex_unlock(&en->seq_lock[ERLDIST_NLGRP_NODES]);
}

/**
 * erldist_netlink_peer() - tell of a peer
 * @peer: the peer
 * @cmd: ERLDIST_CMD_PEER_UP_NTF, _DOWN_NTF or _FAILED_NTF
 *
 * Context: process context.
 */
void erldist_netlink_peer(struct erldist_peer *peer, u8 cmd)
{
	int group = cmd == ERLDIST_CMD_PEER_FAILED_NTF ?
		    ERLDIST_NLGRP_HANDSHAKES : ERLDIST_NLGRP_NODES;
	struct net *net = peer->node->net;
	struct erldist_net *en = erldist_net(net);
	struct sk_buff *skb;
	void *hdr;

	mutex_lock(&en->seq_lock[group]);
	atomic64_inc(&en->seq[group]);
	skb = event_begin(cmd, &hdr);
	if (skb && !fill_peer(skb, peer, NULL, atomic64_read(&en->seq[group])))
		event_send(net, group, skb, hdr);
	else
		event_lost(net, group, skb);
	mutex_unlock(&en->seq_lock[group]);
}

static void name_event(struct erldist_process *proc, const struct etf_atom *name,
		       u8 cmd, int group, bool shown)
{
	struct erldist_node *node = proc->node;
	u64 seq = group_seq(node->net, ERLDIST_NLGRP_NAMES);
	struct sk_buff *skb;
	void *hdr;
	int err;

	skb = event_begin(cmd, &hdr);
	if (!skb) {
		event_lost(node->net, group, NULL);
		return;
	}
	if (shown)
		err = fill_pid(skb, proc) ?: put_name(skb, name);
	else
		err = nla_put_string(skb, ERLDIST_A_PROCESS_NODE, node->name);
	err = err ?: put_u64(skb, ERLDIST_A_PROCESS_SEQ, seq,
			     ERLDIST_A_PROCESS_PAD);
	if (!err)
		event_send(node->net, group, skb, hdr);
	else
		event_lost(node->net, group, skb);
}

/**
 * erldist_netlink_name() - tell of a name
 * @proc: whose it is, or was
 * @name: the name
 * @cmd: ERLDIST_CMD_NAME_NEW_NTF or _DEL_NTF
 *
 * A node that others may not see gives its own name away, and no more, but in
 * the group names-all, which is the administrator's. Both groups have the
 * numbers of group names.
 *
 * Context: process context.
 */
void erldist_netlink_name(struct erldist_process *proc,
			  const struct etf_atom *name, u8 cmd)
{
	struct erldist_node *node = proc->node;
	struct erldist_net *en = erldist_net(node->net);
	bool shown = READ_ONCE(node->mode) & 0006;

	mutex_lock(&en->seq_lock[ERLDIST_NLGRP_NAMES]);
	atomic64_inc(&en->seq[ERLDIST_NLGRP_NAMES]);
	name_event(proc, name, cmd, ERLDIST_NLGRP_NAMES, shown);
	name_event(proc, name, cmd, ERLDIST_NLGRP_NAMES_ALL, true);
	mutex_unlock(&en->seq_lock[ERLDIST_NLGRP_NAMES]);
}

/**
 * erldist_netlink_news() - what a node socket reads: a header and attributes
 * @peer: the peer
 * @news: what is new
 *
 * Context: process context.
 * Return: a buffer, or NULL.
 */
struct sk_buff *erldist_netlink_news(struct erldist_peer *peer,
				     const struct erldist_peer_news *news)
{
	struct sk_buff *skb = alloc_skb(NLMSG_GOODSIZE, GFP_KERNEL);
	struct genlmsghdr *hdr;

	if (!skb)
		return NULL;
	hdr = skb_put_zero(skb, GENL_HDRLEN);
	hdr->cmd = ERLDIST_CMD_PEER_GET;
	hdr->version = ERLDIST_FAMILY_VERSION;
	if (!fill_peer(skb, peer, news, group_seq(peer->node->net,
						  ERLDIST_NLGRP_NODES)))
		return skb;
	kfree_skb(skb);
	return NULL;
}

static int fill_family(struct sk_buff *skb, struct net *net)
{
	const int pad = ERLDIST_A_FAMILY_PAD;
	struct erldist_limits limits;

	erldist_limits_default(&limits);
	return nla_put_u32(skb, ERLDIST_A_FAMILY_ADDRESS_FAMILY,
			   erldist_family()) ?:
	       nla_put_string(skb, ERLDIST_A_FAMILY_VERSION, ERLDIST_VERSION) ?:
	       put_u64(skb, ERLDIST_A_FAMILY_FEATURES, 0, pad) ?:
	       put_u64(skb, ERLDIST_A_FAMILY_NODES_SEQ,
		       group_seq(net, ERLDIST_NLGRP_NODES), pad) ?:
	       put_u64(skb, ERLDIST_A_FAMILY_HANDSHAKES_SEQ,
		       group_seq(net, ERLDIST_NLGRP_HANDSHAKES), pad) ?:
	       put_u64(skb, ERLDIST_A_FAMILY_NAMES_SEQ,
		       group_seq(net, ERLDIST_NLGRP_NAMES), pad) ?:
	       put_u64(skb, ERLDIST_A_FAMILY_MAX_MESSAGE, limits.max_message,
		       pad) ?:
	       put_u64(skb, ERLDIST_A_FAMILY_MAILBOX_POOL,
		       limits.mailbox_pool, pad);
}

int erldist_nl_family_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct sk_buff *reply = genlmsg_new(NLMSG_GOODSIZE, GFP_KERNEL);
	void *hdr;

	if (!reply)
		return -ENOMEM;
	hdr = genlmsg_put_reply(reply, info, &erldist_genl, 0,
				ERLDIST_CMD_FAMILY_GET);
	if (!hdr || fill_family(reply, genl_info_net(info))) {
		nlmsg_free(reply);
		return -EMSGSIZE;
	}
	genlmsg_end(reply, hdr);
	return genlmsg_reply(reply, info);
}

static struct etf_atom attr_atom(const struct nlattr *attr)
{
	return etf_ascii(nla_data(attr));
}

static struct erldist_node *attr_node(struct genl_info *info, int attr)
{
	struct erldist_node *node;
	struct etf_atom name;

	if (GENL_REQ_ATTR_CHECK(info, attr)) {
		NL_SET_ERR_MSG(info->extack, "a node's name is missing");
		return ERR_PTR(-EINVAL);
	}
	name = attr_atom(info->attrs[attr]);
	node = erldist_node_find(genl_info_net(info), &name);
	if (node)
		return node;
	NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[attr],
			    "no such local node");
	return ERR_PTR(-ENOENT);
}

static struct erldist_peer *attr_peer(struct genl_info *info,
				      struct erldist_node *node)
{
	struct erldist_peer *peer;
	struct etf_atom name;

	if (GENL_REQ_ATTR_CHECK(info, ERLDIST_A_PEER_NAME)) {
		NL_SET_ERR_MSG(info->extack, "a peer's name is missing");
		return ERR_PTR(-EINVAL);
	}
	name = attr_atom(info->attrs[ERLDIST_A_PEER_NAME]);
	peer = erldist_peer_find(node, &name);
	if (peer)
		return peer;
	NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[ERLDIST_A_PEER_NAME],
			    "the node knows no such peer");
	return ERR_PTR(-ENOENT);
}

int erldist_nl_node_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct entry e = { .cmd = ERLDIST_CMD_NODE_GET };
	int err;

	e.node = attr_node(info, ERLDIST_A_NODE_NAME);
	if (IS_ERR(e.node))
		return PTR_ERR(e.node);
	err = reply_entry(info, &e);
	erldist_node_put(e.node);
	return err;
}

static int with_peer(struct genl_info *info,
		     int (*fn)(struct genl_info *info,
			       struct erldist_peer *peer))
{
	struct erldist_node *node;
	struct erldist_peer *peer;
	int err;

	node = attr_node(info, ERLDIST_A_PEER_NODE);
	if (IS_ERR(node))
		return PTR_ERR(node);
	peer = attr_peer(info, node);
	err = IS_ERR(peer) ? PTR_ERR(peer) : fn(info, peer);
	if (!IS_ERR(peer))
		erldist_peer_put(peer);
	erldist_node_put(node);
	return err;
}

static int peer_reply(struct genl_info *info, struct erldist_peer *peer)
{
	struct entry e = { .cmd = ERLDIST_CMD_PEER_GET, .peer = peer };

	return reply_entry(info, &e);
}

int erldist_nl_peer_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	return with_peer(info, peer_reply);
}

static int peer_disconnect(struct genl_info *info, struct erldist_peer *peer)
{
	struct nlattr *attr = info->attrs[ERLDIST_A_PEER_CONNECTION];
	int err;

	err = erldist_peer_disconnect(peer, attr ? nla_get_u64(attr) : 0,
				      ERLDIST_REASON_DISCONNECT);
	if (err == -ENOTCONN)
		NL_SET_ERR_MSG(info->extack, "the peer is not connected");
	else if (err == -ESTALE)
		NL_SET_ERR_MSG_ATTR(info->extack, attr,
				    "the peer has another connection by now");
	return err;
}

int erldist_nl_peer_disconnect_doit(struct sk_buff *skb,
				    struct genl_info *info)
{
	return with_peer(info, peer_disconnect);
}

static struct erldist_process *attr_process(const struct sk_buff *skb,
					    struct genl_info *info,
					    struct erldist_node *node)
{
	struct erldist_process *proc;
	struct nlattr *serial = info->attrs[ERLDIST_A_PROCESS_SERIAL];

	if (GENL_REQ_ATTR_CHECK(info, ERLDIST_A_PROCESS_ID))
		return ERR_PTR(-EINVAL);
	if (!erldist_node_may_see(node, skb))
		return ERR_PTR(-EACCES);
	proc = erldist_process_find(node,
				    nla_get_u32(info->attrs[ERLDIST_A_PROCESS_ID]),
				    serial ? nla_get_u32(serial) : 0);
	if (proc)
		return proc;
	NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[ERLDIST_A_PROCESS_ID],
			    "no such process");
	return ERR_PTR(-ENOENT);
}

int erldist_nl_process_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct entry e = { .cmd = ERLDIST_CMD_PROCESS_GET };
	struct erldist_node *node;
	int err;

	node = attr_node(info, ERLDIST_A_PROCESS_NODE);
	if (IS_ERR(node))
		return PTR_ERR(node);
	e.process = attr_process(skb, info, node);
	err = IS_ERR(e.process) ? PTR_ERR(e.process) : reply_entry(info, &e);
	if (!IS_ERR(e.process))
		erldist_process_put(e.process);
	erldist_node_put(node);
	return err;
}

/* The nth node of the namespace, with a reference */
static struct erldist_node *nth_node(struct net *net, unsigned long n)
{
	struct erldist_node *node;

	rcu_read_lock();
	list_for_each_entry_rcu(node, &erldist_net(net)->nodes, list) {
		if (n-- || !refcount_inc_not_zero(&node->ref))
			continue;
		rcu_read_unlock();
		return node;
	}
	rcu_read_unlock();
	return NULL;
}

/*
 * Dumps keep in cb->args: [0] the node, [1] where in it. @fn fills what it can
 * and returns -EMSGSIZE when the buffer is full.
 */
static int dump_nodes(struct sk_buff *skb, struct netlink_callback *cb,
		      int group,
		      int (*fn)(struct sk_buff *skb, struct netlink_callback *cb,
				struct erldist_node *node))
{
	struct net *net = sock_net(skb->sk);
	struct erldist_node *node;
	int err = 0;

	/* Nodes are found by their place in the list. */
	cb->seq = group_seq(net, group) + READ_ONCE(erldist_net(net)->generation);
	while (!err && (node = nth_node(net, cb->args[0]))) {
		err = fn(skb, cb, node);
		erldist_node_put(node);
		if (err)
			break;
		cb->args[0]++;
		cb->args[1] = 0;
	}
	return skb->len ?: err;
}

static int dump_node(struct sk_buff *skb, struct netlink_callback *cb,
		     struct erldist_node *node)
{
	struct entry e = { .cmd = ERLDIST_CMD_NODE_GET, .node = node };

	return dump_entry(skb, cb, &e);
}

int erldist_nl_node_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	return dump_nodes(skb, cb, ERLDIST_NLGRP_NODES, dump_node);
}

static int dump_peers(struct sk_buff *skb, struct netlink_callback *cb,
		      struct erldist_node *node)
{
	struct entry e = { .cmd = ERLDIST_CMD_PEER_GET };
	struct rhashtable_iter iter;
	long n = 0;
	int err = 0;

	rhashtable_walk_enter(&node->peers, &iter);
	rhashtable_walk_start(&iter);
	while (!err && (e.peer = rhashtable_walk_next(&iter))) {
		/* The table was resized: the walk starts again, and we say so. */
		if (IS_ERR(e.peer)) {
			cb->seq++;
			continue;
		}
		if (n++ < cb->args[1])
			continue;
		err = dump_entry(skb, cb, &e);
		if (!err)
			cb->args[1]++;
	}
	rhashtable_walk_stop(&iter);
	rhashtable_walk_exit(&iter);
	return err;
}

int erldist_nl_peer_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	return dump_nodes(skb, cb, ERLDIST_NLGRP_NODES, dump_peers);
}

static int dump_processes(struct sk_buff *skb, struct netlink_callback *cb,
			  struct erldist_node *node)
{
	struct entry e = { .cmd = ERLDIST_CMD_PROCESS_GET };
	unsigned long id = cb->args[1];
	int err = 0;

	if (!erldist_node_may_see(node, cb->skb))
		return 0;
	while (!err && (e.process = erldist_process_next(node, &id))) {
		err = dump_entry(skb, cb, &e);
		erldist_process_put(e.process);
		if (!err)
			cb->args[1] = ++id;
	}
	return err;
}

int erldist_nl_process_get_dumpit(struct sk_buff *skb,
				  struct netlink_callback *cb)
{
	return dump_nodes(skb, cb, ERLDIST_NLGRP_NAMES, dump_processes);
}
