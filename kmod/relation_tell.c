// SPDX-License-Identifier: GPL-2.0-only
/*
 * What becomes of relations when a process ends or a peer is lost: EXIT, DOWN,
 * DEMONITOR_P. Nothing here allocates.
 */
#include "channel.h"
#include "node.h"
#include "peer.h"
#include "relation.h"

/* Of a process that has ended, before others have their turn: some milliseconds */
#define RELATIONS_AT_A_TIME	1024

static u8 *put_atom(u8 *p, const char *ascii)
{
	struct etf_atom atom = etf_ascii(ascii);

	return etf_put_atom(p, &atom);
}

static struct erldist_msg *take_told(struct erldist_relation *rel, u8 op,
				     u8 arity)
{
	struct erldist_msg *msg = rel->told;

	rel->told = NULL;
	msg->op = op;
	msg->remote = true;
	msg->data[0] = ETF_SMALL_TUPLE;
	msg->data[1] = arity;
	return msg;
}

static u8 *put_sender(struct erldist_msg *msg, u8 *p, const struct etf_pid *pid)
{
	u8 *end = etf_put_pid(p, pid);

	msg->from = p - msg->data;
	msg->from_len = end - p;
	return end;
}

/* {'EXIT', Pid, to the process at @to */
static void tell_exit(struct erldist_end *to, struct erldist_blob *reason)
{
	struct erldist_msg *msg = take_told(to->relation, ERLDIST_SIG_EXIT, 3);
	struct etf_pid pid = erldist_end_pid(to);
	u8 *p = put_atom(msg->data + 2, "EXIT");

	msg->used = put_sender(msg, p, &pid) - msg->data;
	erldist_process_exit_signal(to->process, msg, reason, false);
}

/* {Name, Node} */
static u8 *put_name(u8 *p, const struct erldist_relation *rel)
{
	*p++ = ETF_SMALL_TUPLE;
	*p++ = 2;
	p = etf_put_atom(p, &rel->name);
	return etf_put_atom(p, rel->peer ? &rel->peer->atom :
					   &rel->near.process->node->atom);
}

/* {'DOWN', Ref, process, Object, to the watcher */
static void tell_down(struct erldist_relation *rel, struct erldist_blob *reason)
{
	struct erldist_msg *msg = take_told(rel, ERLDIST_SIG_DOWN, 5);
	struct erldist_process *proc = rel->near.process;
	struct etf_ref ref = erldist_own_ref(proc->node, proc->id,
					     rel->sequence);
	u8 *p = put_atom(msg->data + 2, "DOWN");
	struct etf_pid pid;

	p = put_atom(etf_put_ref(p, &ref), "process");
	if (rel->by_name) {
		p = put_name(p, rel);
	} else {
		pid = erldist_end_pid(&rel->near);
		p = put_sender(msg, p, &pid);
	}
	msg->used = p - msg->data;
	msg->sequence = rel->sequence;
	msg->user_data = rel->user_data;
	erldist_msg_set_reason(msg, reason);
	erldist_mailbox_put_signal(proc, rel->port, msg);
}

/* {nodedown, Node}, that a spawn failed or is not wanted: it is complete */
static void tell_ready(struct erldist_relation *rel)
{
	struct erldist_msg *msg = rel->told;

	rel->told = NULL;
	erldist_mailbox_put_signal(rel->near.process, rel->port, msg);
}

/* As erldist_relation_relink() left it, or does not touch it any more */
static bool is_active(struct erldist_relation *rel)
{
	bool active;

	spin_lock_bh(&rel->near.process->lock);
	active = rel->active;
	spin_unlock_bh(&rel->near.process->lock);
	return active;
}

/**
 * erldist_relation_tell() - near hears of the end of the other side
 * @rel: a relation that was taken
 * @reason: the reason
 *
 * An EXIT for a link that is active, a DOWN for a monitor of near's, a nodedown
 * for a watch of the node, noconnection for a spawn request; to a process that was
 * spawned for the other side, that it is not monitored any more.
 *
 * Context: process context.
 */
void erldist_relation_tell(struct erldist_relation *rel,
			   struct erldist_blob *reason)
{
	if (rel->type == RELATION_LINK) {
		if (is_active(rel))
			tell_exit(&rel->near, reason);
	} else if (rel->near.kind == END_OWN && rel->type == RELATION_MONITOR) {
		tell_down(rel, reason);
	} else if (rel->type == RELATION_NODE || rel->type == RELATION_NODES ||
		   rel->type == RELATION_SPAWN) {
		tell_ready(rel);
	} else if (rel->near.kind == END_WATCHED && rel->told) {
		tell_ready(rel);
	}
}

static void send_locked(struct erldist_relation *rel,
			struct erldist_blob *reason)
{
	if (reason)
		rel->reason = reason->here_only ?
			      erldist_blob_known(KNOWN_UNSENDABLE) :
			      erldist_blob_get(reason);
	rel->sent = true;
	rel->out.size = sizeof(*rel) + (reason ? rel->reason->len : 0);
	refcount_inc(&rel->ref);
	erldist_send_queue_locked(rel->peer, &rel->out);
}

static void set_name(struct erldist_relation *rel, const struct etf_atom *name)
{
	struct etf_cursor c = { .p = rel->text };

	c.end = etf_put_atom(rel->text, name);
	etf_get_atom(&c, &rel->name);
}

/**
 * erldist_relation_late_locked() - it ended before it was hooked at the peer
 * @rel: a relation that was taken; its peer is locked, with the connection that it
 *	belongs to
 *
 * rel_send() and erldist_relation_answer() did not find it there, so what they
 * would have sent is sent now. The peer knows of it, but for a watch of the
 * node, which is no business of the peer's.
 */
void erldist_relation_late_locked(struct erldist_relation *rel)
{
	const struct etf_atom notsup = etf_ascii("notsup");

	if (rel->sent || rel->type == RELATION_NODES)
		return;
	if (rel->type == RELATION_ASKED) {
		set_name(rel, &notsup);
		send_locked(rel, NULL);
	} else if (rel->near.kind == END_OWN) {
		send_locked(rel, NULL);
	} else if (!erldist_process_alive(rel->near.process)) {
		send_locked(rel, rel->near.process->status);
	}
}

/*
 * Near has ended, or demonitors: the relation becomes its EXIT, DOWN or
 * DEMONITOR_P, in the flow of the process, behind all it sent to that peer.
 */
static void rel_send(struct erldist_relation *rel, struct erldist_blob *reason)
{
	struct erldist_peer *peer = rel->peer;
	bool unhooked, queued;

	spin_lock_bh(&peer->lock);
	unhooked = erldist_relation_unhook_peer_locked(rel);
	queued = unhooked && rel->generation == peer->generation && rel->active;
	if (queued)
		send_locked(rel, reason);
	spin_unlock_bh(&peer->lock);
	if (queued)
		erldist_send_kick(peer);
	if (unhooked)
		erldist_relation_put(rel);
}

/**
 * erldist_relation_demonitor() - the watcher does not want to know any more
 * @rel: a monitor or a spawn request that was taken; the caller's reference is dropped
 *
 * Context: any.
 */
void erldist_relation_demonitor(struct erldist_relation *rel)
{
	if (rel->peer && rel->type == RELATION_MONITOR)
		rel_send(rel, NULL);
	erldist_relation_drop(rel);
}

static void answer_locked(struct erldist_relation *rel,
			  struct erldist_process *child,
			  const struct etf_atom *name)
{
	rel->spawned = child;
	if (child)
		rel->out.key = erldist_process_key(child);
	else
		set_name(rel, name);
	rel->out.size = sizeof(*rel);
}

/**
 * erldist_relation_answer() - a spawn request is answered
 * @rel: the request, taken; for erldist_relation_drop() then
 * @child: the new process, whose flow it goes in; NULL: there is none
 * @name: why there is none, up to ERLDIST_SPAWN_ERROR_SIZE bytes as a term
 * @with: link and monitor of the child, each hooked or NULL
 *
 * Context: process context.
 * Return: false when the connection it came on is gone.
 */
bool erldist_relation_answer(struct erldist_relation *rel,
			     struct erldist_process *child,
			     const struct etf_atom *name,
			     struct erldist_relation *with[2])
{
	struct erldist_peer *peer = rel->peer;
	bool unhooked, queued;
	int i;

	spin_lock_bh(&peer->lock);
	unhooked = erldist_relation_unhook_peer_locked(rel);
	queued = unhooked && rel->generation == peer->generation;
	if (queued) {
		answer_locked(rel, child, name);
		refcount_inc(&rel->ref);
		erldist_send_queue_locked(peer, &rel->out);
	}
	for (i = 0; i < 2 && queued && child; i++) {
		if (with[i] && !erldist_relation_hook_peer_locked(with[i]))
			erldist_relation_late_locked(with[i]);
	}
	spin_unlock_bh(&peer->lock);
	if (queued)
		erldist_send_kick(peer);
	if (unhooked)
		erldist_relation_put(rel);
	return queued;
}

/* The spawn server has ended. */
static void end_unanswered(struct erldist_relation *rel)
{
	struct etf_atom notsup = etf_ascii("notsup");

	erldist_relation_answer(rel, NULL, &notsup, NULL);
}

static void end_died(struct erldist_end *end)
{
	struct erldist_relation *rel = end->relation;
	struct erldist_blob *reason = end->process->status;

	if (end->kind == END_NODE || end->kind == END_NODES ||
	    rel->type == RELATION_ALIAS || rel->type == RELATION_SPAWN)
		return;
	if (rel->type == RELATION_ASKED)
		end_unanswered(rel);
	else if (rel->peer)
		rel_send(rel, end->kind == END_OWN ? NULL : reason);
	else if (rel->type == RELATION_LINK)
		tell_exit(erldist_end_other(end), reason);
	else if (end == &rel->far)
		tell_down(rel, reason);
}

static struct erldist_end *end_pop(struct erldist_process *proc)
{
	struct erldist_end *end = NULL;
	struct rb_node *n;

	spin_lock_bh(&proc->lock);
	n = rb_first(&proc->relations);
	if (n) {
		end = rb_entry(n, struct erldist_end, node);
		erldist_end_erase(end);
	}
	spin_unlock_bh(&proc->lock);
	return end;
}

static struct erldist_relation *port_pop(struct erldist_port *port)
{
	struct erldist_process *proc = port->process;
	struct erldist_relation *rel, *taken = NULL;

	spin_lock_bh(&proc->lock);
	port->closed = true;
	while (!taken && !list_empty(&port->relations)) {
		rel = list_first_entry(&port->relations,
				       struct erldist_relation, port_list);
		if (erldist_relation_take(rel)) {
			erldist_end_erase(&rel->near);
			taken = rel;
		} else {
			/* Whoever took it unhooks it. */
			list_del_init(&rel->port_list);
		}
	}
	spin_unlock_bh(&proc->lock);
	return taken;
}

/**
 * erldist_relations_of_port() - end what was asked for on a port
 * @port: the port; no more are taken in
 *
 * Context: process context.
 */
void erldist_relations_of_port(struct erldist_port *port)
{
	struct erldist_relation *rel;

	while ((rel = port_pop(port))) {
		if (rel->type == RELATION_MONITOR)
			erldist_relation_demonitor(rel);
		else
			erldist_relation_drop(rel);
		cond_resched();
	}
}

/**
 * erldist_relations_end() - tell that a process has ended, in some of its relations
 * @proc: the process, which takes in no new relations
 *
 * Context: the reaper.
 * Return: true when all are told; else call it again.
 */
bool erldist_relations_end(struct erldist_process *proc)
{
	struct erldist_end *end;
	int n;

	for (n = 0; n < RELATIONS_AT_A_TIME; n++) {
		end = end_pop(proc);
		if (!end)
			return true;
		if (erldist_relation_take(end->relation)) {
			end_died(end);
			erldist_relation_unhook(end->relation);
		}
		erldist_relation_put(end->relation);
		cond_resched();
	}
	return false;
}

static struct erldist_relation *pop_lost(struct erldist_peer *peer,
					 struct list_head *list)
{
	struct erldist_relation *rel;

	spin_lock_bh(&peer->lock);
	rel = list_first_entry_or_null(list, struct erldist_relation,
				       peer_list);
	if (rel)
		erldist_relation_unhook_peer_locked(rel);
	spin_unlock_bh(&peer->lock);
	return rel;
}

static void tell_lost(struct erldist_peer *peer, struct list_head *list)
{
	struct erldist_blob *reason = erldist_blob_known(KNOWN_NOCONNECTION);
	struct erldist_relation *rel;

	while ((rel = pop_lost(peer, list))) {
		if (erldist_relation_take(rel)) {
			erldist_relation_tell(rel, reason);
			erldist_relation_unhook(rel);
		}
		erldist_relation_put(rel);
		cond_resched();
	}
	erldist_blob_put(reason);
}

/**
 * erldist_relations_lost() - the peer is gone: noconnection for all
 * @peer: the peer
 *
 * Whoever watches the node hears of it last.
 *
 * Context: process context.
 */
void erldist_relations_lost(struct erldist_peer *peer)
{
	tell_lost(peer, &peer->lost);
	tell_lost(peer, &peer->lost_watches);
}
