// SPDX-License-Identifier: GPL-2.0-only
/*
 * Processes that are told of nodes: erlang:monitor_node/2, and
 * net_kernel:monitor_nodes/1. A watch is a relation with the node's connection.
 */
#include "channel.h"
#include "node.h"
#include "node_watch.h"
#include "peer.h"
#include "process.h"
#include "relation.h"
#include "signal.h"

/**
 * erldist_watch_message() - {nodeup, Node} or {nodedown, Node}
 * @rel: the watch
 * @op: ERLDIST_SIG_NODEUP or ERLDIST_SIG_NODEDOWN
 *
 * Context: process context.
 * Return: the message, or NULL.
 */
struct erldist_msg *erldist_watch_message(const struct erldist_relation *rel,
					  u8 op)
{
	struct etf_atom tag = etf_ascii(op == ERLDIST_SIG_NODEUP ? "nodeup" :
								   "nodedown");
	struct erldist_msg *msg;
	u8 *p;

	msg = erldist_msg_alloc(2 + etf_atom_size(&tag) +
				etf_atom_size(&rel->peer->atom),
				GFP_KERNEL_ACCOUNT);
	if (!msg)
		return NULL;
	p = msg->data;
	*p++ = ETF_SMALL_TUPLE;
	*p++ = 2;
	p = etf_put_atom(etf_put_atom(p, &tag), &rel->peer->atom);
	msg->used = p - msg->data;
	msg->len = msg->used;
	msg->op = op;
	msg->remote = true;
	msg->user_data = rel->user_data;
	return msg;
}

static int watch_begin(const struct erldist_ask *ask)
{
	const struct erldist_relation_spec spec = {
		.type = RELATION_NODE,
		.near = ask->from,
		.port = ask->port,
		.peer = ask->peer,
		.sequence = ++ask->from->node_watches,
		.user_data = ask->sig->user_data,
	};
	struct erldist_relation *rel = erldist_relation_new(&spec);
	int err;

	if (IS_ERR(rel))
		return PTR_ERR(rel);
	err = erldist_relation_hook(rel) ?:
	      erldist_peer_relate(ask->peer, ask->from, rel,
				  ask->sig->flags & ERLDIST_SIG_F_NOCONNECT);
	if (err && erldist_relation_cancel(rel) && err > 0)
		erldist_relation_tell(rel, NULL);
	erldist_relation_put(rel);
	return min(err, 0);
}

static int watch_end(const struct erldist_ask *ask)
{
	struct erldist_relation *rel;

	rel = erldist_relation_take_node(ask->from, END_NODE, ask->peer);
	if (rel)
		erldist_relation_drop(rel);
	else if (READ_ONCE(ask->peer->dead))
		return -ESTALE;
	return 0;
}

/**
 * erldist_watch_node() - be told once of the loss of a node, or no more
 * @ask: who, and which peer; the own node is never lost
 *
 * Context: process context.
 * Return: 0, also where a nodedown comes at once; else as erldist_ask_link().
 */
int erldist_watch_node(const struct erldist_ask *ask)
{
	int err;

	if (!ask->peer)
		return 0;
	mutex_lock(&ask->from->asking);
	err = ask->sig->flags & ERLDIST_SIG_F_OFF ? watch_end(ask) :
						    watch_begin(ask);
	mutex_unlock(&ask->from->asking);
	return err;
}

static u16 channel_kind(const struct erldist_channel *ch)
{
	return ch->dflags & DFLAG_PUBLISHED ? ERLDIST_SIG_F_VISIBLE :
					      ERLDIST_SIG_F_HIDDEN;
}

/*
 * A connection and a process that wants to know of all: once. Who subscribes
 * while it comes up is told of its end alone.
 */
static int watch_all(struct erldist_process *proc, struct erldist_channel *ch,
		     bool tell)
{
	const struct erldist_relation_spec spec = {
		.type = RELATION_NODES,
		.near = proc,
		.peer = ch->peer,
		.user_data = proc->all_nodes_data,
	};
	struct erldist_relation *rel = erldist_relation_new(&spec);
	struct erldist_msg *msg = NULL;
	int err;

	if (IS_ERR(rel))
		return PTR_ERR(rel);
	if (tell)
		msg = erldist_watch_message(rel, ERLDIST_SIG_NODEUP);
	err = tell && !msg ? -ENOMEM : erldist_relation_hook(rel);
	/* He may not want to know any more. */
	if (!err && !(READ_ONCE(proc->all_nodes) & channel_kind(ch)))
		erldist_relation_cancel(rel);
	if (!err && msg && !atomic_read(&rel->taken)) {
		erldist_mailbox_put_signal(proc, NULL, msg);
		msg = NULL;
	}
	if (!err)
		erldist_relation_hook_channel(rel, ch);
	erldist_msg_put(msg);
	erldist_relation_put(rel);
	return err == -ENOMEM || err == -EUSERS ? err : 0;
}

/**
 * erldist_watch_up() - a connection is about to come up
 * @ch: the connection, which is its peer's, and is not read yet
 *
 * Context: process context.
 * Return: 0; -ENOMEM, -EUSERS: someone could not be told, it must not come up.
 */
int erldist_watch_up(struct erldist_channel *ch)
{
	struct erldist_process *proc;
	unsigned long id = 0;
	int err = 0;

	/* Who subscribes now sees the peer up: erldist_watch_nodes() */
	smp_mb();
	if (!atomic_read(&ch->node->n_all_nodes))
		return 0;
	while (!err && (proc = erldist_process_next(ch->node, &id))) {
		id++;
		if (READ_ONCE(proc->all_nodes) & channel_kind(ch))
			err = watch_all(proc, ch, true);
		erldist_process_put(proc);
		cond_resched();
	}
	return err;
}

struct present {
	struct erldist_process *proc;
	int err;
};

static void watch_present(struct erldist_peer *peer, void *arg)
{
	struct erldist_channel *ch = NULL;
	struct present *p = arg;

	spin_lock_bh(&peer->lock);
	if (peer->channel) {
		ch = peer->channel;
		erldist_channel_get(ch);
	}
	spin_unlock_bh(&peer->lock);
	if (!ch)
		return;
	if (!p->err && p->proc->all_nodes & channel_kind(ch))
		p->err = watch_all(p->proc, ch, false);
	erldist_channel_put(ch);
}

static void forget_all(struct erldist_process *proc)
{
	struct erldist_relation *rel;

	while ((rel = erldist_relation_take_node(proc, END_NODES, NULL)))
		erldist_relation_drop(rel);
}

static void set_all(struct erldist_process *proc, u16 kinds)
{
	if (!proc->all_nodes && kinds)
		atomic_inc(&proc->node->n_all_nodes);
	else if (proc->all_nodes && !kinds)
		atomic_dec(&proc->node->n_all_nodes);
	WRITE_ONCE(proc->all_nodes, kinds);
	/* Connections that come up now see it: erldist_watch_up() */
	smp_mb();
}

static int watch_all_nodes(struct erldist_process *proc, u16 kinds)
{
	struct present p = { .proc = proc };

	set_all(proc, kinds);
	erldist_peers_each(proc->node, watch_present, &p);
	if (!p.err)
		return 0;
	set_all(proc, 0);
	forget_all(proc);
	return p.err;
}

/**
 * erldist_watch_nodes() - be told of all nodes that come and go, or no more
 * @ask: who; flags say which nodes
 *
 * Nodes that are there are not told of. Asked again, it begins anew.
 *
 * Context: process context.
 * Return: 0; -EINVAL no kind of nodes; -EOPNOTSUPP on a port; -EUSERS a limit;
 * -ENOMEM.
 */
int erldist_watch_nodes(const struct erldist_ask *ask)
{
	u16 kinds = ask->sig->flags &
		    (ERLDIST_SIG_F_VISIBLE | ERLDIST_SIG_F_HIDDEN);
	bool off = ask->sig->flags & ERLDIST_SIG_F_OFF;
	int err = 0;

	if (ask->port)
		return -EOPNOTSUPP;
	if (off == !!kinds)
		return -EINVAL;
	mutex_lock(&ask->from->asking);
	set_all(ask->from, 0);
	forget_all(ask->from);
	ask->from->all_nodes_data = ask->sig->user_data;
	if (kinds)
		err = watch_all_nodes(ask->from, kinds);
	mutex_unlock(&ask->from->asking);
	return err;
}
