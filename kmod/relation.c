// SPDX-License-Identifier: GPL-2.0-only
/*
 * Links, monitors and aliases: the records, and what becomes of them when a
 * process ends or a peer is lost.
 */
#include <linux/wait_bit.h>

#include "channel.h"
#include "node.h"
#include "node_watch.h"
#include "peer.h"
#include "process.h"
#include "relation.h"
#include "spawn.h"

/**
 * erldist_own_ref() - a reference of a process
 * @node: its node
 * @id: its pid's id
 * @n: the sequence number, see struct erldist_refs
 * Return: the reference; its node points into the node.
 */
struct etf_ref erldist_own_ref(const struct erldist_node *node, u32 id, u64 n)
{
	return (struct etf_ref) {
		.node = node->atom,
		.creation = node->creation,
		.n = 3,
		.word = { n & ERLDIST_REF_WORD0_MAX, n >> 18, id },
	};
}

static void end_free(struct erldist_end *end)
{
	if (end->process)
		erldist_process_put(end->process);
}

/* In whose account a relation of @near counts; @by: the peer that asked for it, or NULL */
static struct erldist_account *held_by(const struct erldist_process *near,
				       struct erldist_peer *by)
{
	return by ? &by->account : near->account;
}

static void rel_uncount(const struct erldist_process *near, u8 type,
			struct erldist_peer *by)
{
	if (type != RELATION_NODES)
		erldist_held_give(near->node, held_by(near, by), HELD_RELATIONS);
}

/**
 * erldist_relation_put() - drop a reference
 * @rel: the relation
 *
 * Context: any, no lock held; whoever calls holds the node.
 */
void erldist_relation_put(struct erldist_relation *rel)
{
	if (!refcount_dec_and_test(&rel->ref))
		return;
	rel_uncount(rel->near.process, rel->type,
		    rel->by_peer ? rel->peer : NULL);
	end_free(&rel->near);
	end_free(&rel->far);
	erldist_port_put(rel->port);
	erldist_peer_put(rel->peer);
	erldist_blob_put(rel->reason);
	erldist_msg_put(rel->told);
	if (rel->link)
		erldist_relation_put(rel->link);
	if (rel->monitor)
		erldist_relation_put(rel->monitor);
	kfree(rel);
}

/*
 * Trees
 */

static int cmp_u32(u32 a, u32 b)
{
	return a < b ? -1 : a > b;
}

static int cmp_ref(const struct etf_ref *a, const struct etf_ref *b)
{
	int c = cmp_u32(a->creation, b->creation) ?: cmp_u32(a->n, b->n);
	u32 i;

	for (i = 0; !c && i < a->n; i++)
		c = cmp_u32(a->word[i], b->word[i]);
	return c;
}

static int cmp_key(const struct erldist_end_key *a, const struct erldist_end_key *b)
{
	int c = cmp_u32(a->kind, b->kind);

	if (c)
		return c;
	if (a->peer != b->peer)
		return a->peer < b->peer ? -1 : 1;
	if (a->ref)
		return cmp_ref(a->ref, b->ref);
	return cmp_u32(a->creation, b->creation) ?:
	       cmp_u32(a->serial, b->serial) ?: cmp_u32(a->id, b->id);
}

/**
 * erldist_end_pid() - the process at the other side of a link or of a monitor
 * @end: an end of it
 * Return: the pid; its node points into the node, or the peer.
 */
struct etf_pid erldist_end_pid(struct erldist_end *end)
{
	struct erldist_process *other = erldist_end_other(end)->process;
	struct erldist_relation *rel = end->relation;

	if (other)
		return erldist_process_pid(other);
	return (struct etf_pid) {
		.node = rel->peer ? rel->peer->atom :
				    end->process->node->atom,
		.id = rel->id,
		.serial = rel->serial,
		.creation = rel->creation,
	};
}

static struct erldist_end_key end_key(struct erldist_end *end)
{
	struct erldist_relation *rel = end->relation;
	struct erldist_end_key key = { .kind = end->kind, .peer = rel->peer };
	struct etf_pid pid;

	switch (end->kind) {
	case END_OWN:
		return erldist_key_own(&rel->ref_id);
	case END_WATCHED:
	case END_ASKED:
		key.ref = &rel->ref_id;
		return key;
	case END_NODE:
		key.serial = upper_32_bits(rel->sequence);
		key.id = lower_32_bits(rel->sequence);
		return key;
	case END_NODES:
		return key;
	default:
		pid = erldist_end_pid(end);
		return erldist_key_link(rel->peer, &pid);
	}
}

/* The first end that is not before @key, or NULL */
static struct erldist_end *end_not_before(struct erldist_process *proc,
					  const struct erldist_end_key *key)
{
	struct rb_node *n = proc->relations.rb_node;
	struct erldist_end *end, *found = NULL;
	struct erldist_end_key have;

	lockdep_assert_held(&proc->lock);
	while (n) {
		end = rb_entry(n, struct erldist_end, node);
		have = end_key(end);
		if (cmp_key(key, &have) <= 0) {
			found = end;
			n = n->rb_left;
		} else {
			n = n->rb_right;
		}
	}
	return found;
}

/**
 * erldist_end_find() - an end in the tree of a process
 * @proc: the process, locked
 * @key: what it is known by
 * Return: the end, or NULL.
 */
struct erldist_end *erldist_end_find(struct erldist_process *proc,
				     const struct erldist_end_key *key)
{
	struct erldist_end *end = end_not_before(proc, key);
	struct erldist_end_key have;

	if (!end)
		return NULL;
	have = end_key(end);
	return cmp_key(key, &have) ? NULL : end;
}

/**
 * erldist_end_first() - the first end of a kind
 * @proc: the process, locked
 * @kind: END_NODE or END_NODES
 * @peer: only one that concerns this peer; NULL: any
 * Return: the end, or NULL.
 */
struct erldist_end *erldist_end_first(struct erldist_process *proc, u8 kind,
				      const struct erldist_peer *peer)
{
	const struct erldist_end_key key = { .kind = kind, .peer = peer };
	struct erldist_end *end = end_not_before(proc, &key);

	if (!end || end->kind != kind || (peer && end->relation->peer != peer))
		return NULL;
	return end;
}

/* The counter of the end's process: n_asked, or n_others if another side asked */
static u32 *end_number(const struct erldist_end *end)
{
	bool others = end == &end->relation->far || end->relation->by_peer;

	return others ? &end->process->n_others : &end->process->n_asked;
}

static void tree_insert(struct erldist_end *end)
{
	struct erldist_relation *rel = end->relation;
	struct erldist_process *proc = end->process;
	struct rb_node **link = &proc->relations.rb_node, *parent = NULL;
	struct erldist_end_key key = end_key(end), have;
	u32 *number = end_number(end);

	while (*link) {
		parent = *link;
		have = end_key(rb_entry(parent, struct erldist_end, node));
		link = cmp_key(&key, &have) < 0 ? &parent->rb_left :
						  &parent->rb_right;
	}
	rb_link_node(&end->node, parent, link);
	rb_insert_color(&end->node, &proc->relations);
	WRITE_ONCE(*number, *number + 1);
	if (end == &rel->near && rel->port)
		list_add_tail(&rel->port_list, &rel->port->relations);
}

/**
 * erldist_end_erase() - take an end out of the tree of its process
 * @end: the end, which is there; the process is locked
 *
 * The tree's reference is the caller's then.
 */
void erldist_end_erase(struct erldist_end *end)
{
	struct erldist_process *proc = end->process;
	u32 *number = end_number(end);

	lockdep_assert_held(&proc->lock);
	rb_erase(&end->node, &proc->relations);
	RB_CLEAR_NODE(&end->node);
	WRITE_ONCE(*number, *number - 1);
	if (end == &end->relation->near)
		list_del_init(&end->relation->port_list);
}

/**
 * erldist_relation_take() - be the one who ends a relation
 * @rel: the relation
 * Return: false when someone else is.
 */
bool erldist_relation_take(struct erldist_relation *rel)
{
	return !atomic_xchg(&rel->taken, 1);
}

/* Returns -ESRCH, -EEXIST, or -ECANCELED: it was taken before it was there. */
static int end_hook(struct erldist_end *end)
{
	struct erldist_relation *rel = end->relation;
	struct erldist_process *proc = end->process;
	struct erldist_end_key key = end_key(end);
	int err = 0;

	spin_lock_bh(&proc->lock);
	if (!erldist_process_alive(proc) || (rel->port && rel->port->closed)) {
		err = -ESRCH;
	} else if (erldist_end_find(proc, &key)) {
		err = -EEXIST;
	} else if (atomic_read(&rel->taken)) {
		err = -ECANCELED;
	} else {
		refcount_inc(&rel->ref);
		tree_insert(end);
	}
	spin_unlock_bh(&proc->lock);
	return err;
}

/**
 * erldist_end_unhook() - out of the tree of its process, if it is there
 * @end: an end of a relation that was taken; the caller has a reference
 *
 * Context: any.
 */
void erldist_end_unhook(struct erldist_end *end)
{
	struct erldist_process *proc = end->process;
	bool hung;

	if (!proc)
		return;
	spin_lock_bh(&proc->lock);
	hung = !RB_EMPTY_NODE(&end->node);
	if (hung)
		erldist_end_erase(end);
	spin_unlock_bh(&proc->lock);
	if (hung)
		erldist_relation_put(end->relation);
}

/**
 * erldist_relation_unhook_peer_locked() - out of the peer's list
 * @rel: a relation; its peer is locked
 * Return: true when it was there; the list's reference is the caller's then.
 */
bool erldist_relation_unhook_peer_locked(struct erldist_relation *rel)
{
	if (list_empty(&rel->peer_list))
		return false;
	list_del_init(&rel->peer_list);
	rel->peer->n_relations--;
	return true;
}

static void unhook_peer(struct erldist_relation *rel)
{
	bool hung;

	if (!rel->peer)
		return;
	spin_lock_bh(&rel->peer->lock);
	hung = erldist_relation_unhook_peer_locked(rel);
	spin_unlock_bh(&rel->peer->lock);
	if (hung)
		erldist_relation_put(rel);
}

/**
 * erldist_relation_unhook() - out of all trees and lists
 * @rel: a relation that was taken; the caller has a reference
 *
 * Context: any.
 */
void erldist_relation_unhook(struct erldist_relation *rel)
{
	erldist_end_unhook(&rel->near);
	erldist_end_unhook(&rel->far);
	unhook_peer(rel);
	/* Pairs with the wait in erldist_relation_settle(). */
	smp_store_release(&rel->done, true);
	smp_mb();	/* wake_up_var() looks for sleepers without a lock */
	wake_up_var(&rel->done);
}

/**
 * erldist_relation_settle() - wait until what is ending has ended
 * @proc: the process
 * @key: what the relation is known by
 *
 * Context: process context; not where relations are told.
 * Return: false: there is none that is about to end.
 */
bool erldist_relation_settle(struct erldist_process *proc,
			     const struct erldist_end_key *key)
{
	struct erldist_relation *rel = NULL;
	struct erldist_end *end;

	spin_lock_bh(&proc->lock);
	end = erldist_end_find(proc, key);
	if (end && atomic_read(&end->relation->taken)) {
		rel = end->relation;
		refcount_inc(&rel->ref);
	}
	spin_unlock_bh(&proc->lock);
	if (!rel)
		return false;
	/* Pairs with the store in erldist_relation_unhook(). */
	wait_var_event(&rel->done, smp_load_acquire(&rel->done));
	erldist_relation_put(rel);
	return true;
}

/**
 * erldist_relation_drop() - a relation that was taken is over
 * @rel: the relation; the caller's reference is dropped
 *
 * Context: any.
 */
void erldist_relation_drop(struct erldist_relation *rel)
{
	erldist_relation_unhook(rel);
	erldist_relation_put(rel);
}

/**
 * erldist_relation_cancel() - end a relation without a word
 * @rel: the relation; the caller's reference stays
 *
 * Context: any.
 * Return: true unless someone else has ended it.
 */
bool erldist_relation_cancel(struct erldist_relation *rel)
{
	if (!erldist_relation_take(rel))
		return false;
	erldist_relation_unhook(rel);
	return true;
}

/*
 * Making
 */

static struct erldist_peer *asked_by(const struct erldist_relation_spec *spec)
{
	return spec->by_peer ? spec->peer : NULL;
}

/* The side that asks pays: requests of others do not keep a process from asking. */
static int rel_count(const struct erldist_relation_spec *spec)
{
	struct erldist_account *account = held_by(spec->near, asked_by(spec));
	struct erldist_node *node = spec->near->node;

	/* No limit must keep the node from connecting: it is in no number. */
	if (spec->type == RELATION_NODES)
		return 0;
	if (!spec->by_peer &&
	    READ_ONCE(spec->near->n_asked) >= READ_ONCE(node->limits.relations))
		return -EUSERS;
	return erldist_held_take(node, account, HELD_RELATIONS,
				 READ_ONCE(node->limits.node_relations));
}

static void end_init(struct erldist_end *end, struct erldist_relation *rel,
		     struct erldist_process *proc, u8 kind)
{
	RB_CLEAR_NODE(&end->node);
	end->relation = rel;
	end->kind = kind;
	end->process = proc;
	if (proc)
		erldist_process_get(proc);
}

static u8 near_kind(const struct erldist_relation_spec *spec)
{
	switch (spec->type) {
	case RELATION_LINK:
		return END_LINK;
	case RELATION_NODE:
		return END_NODE;
	case RELATION_NODES:
		return END_NODES;
	case RELATION_ASKED:
		return END_ASKED;
	default:
		return spec->watched ? END_WATCHED : END_OWN;
	}
}

static void rel_init(struct erldist_relation *rel,
		     const struct erldist_relation_spec *spec)
{
	rel->out.kind = OUT_RELATION;
	rel->out.key = erldist_process_key(spec->near);
	INIT_LIST_HEAD(&rel->peer_list);
	INIT_LIST_HEAD(&rel->port_list);
	refcount_set(&rel->ref, 1);
	rel->type = spec->type;
	rel->active = true;
	rel->alias = spec->alias;
	rel->once = spec->once;
	rel->by_peer = spec->by_peer;
	rel->spawn_flags = spec->spawn_flags;
	end_init(&rel->near, rel, spec->near, near_kind(spec));
	end_init(&rel->far, rel, spec->far,
		 spec->type == RELATION_LINK ? END_LINK : END_WATCHED);
	rel->peer = spec->peer;
	if (rel->peer)
		erldist_peer_get(rel->peer);
	rel->port = spec->port;
	if (rel->port)
		erldist_port_get(rel->port);
}

static void rel_describe(struct erldist_relation *rel,
			 const struct erldist_relation_spec *spec)
{
	struct etf_cursor c = { .p = rel->text };

	rel->id = spec->pid.id;
	rel->serial = spec->pid.serial;
	rel->creation = spec->pid.creation;
	rel->sequence = spec->sequence;
	rel->user_data = spec->user_data;
	if (spec->ref)
		rel->ref_id = *spec->ref;
	/* What the slice points into may go. */
	rel->ref_id.node = (struct etf_atom){};
	rel->by_name = spec->name;
	if (!spec->name)
		return;
	c.end = etf_put_atom(rel->text, spec->name);
	etf_get_atom(&c, &rel->name);
}

static size_t node_atom_size(const struct erldist_relation *rel)
{
	return etf_atom_size(rel->peer ? &rel->peer->atom :
					 &rel->near.process->node->atom);
}

static bool watches_node(const struct erldist_relation *rel)
{
	return rel->type == RELATION_NODE || rel->type == RELATION_NODES;
}

/* Room for {'DOWN', Ref, process, Object, which is longer than {'EXIT', Pid, */
static int prepare_told(struct erldist_relation *rel, bool cancel)
{
	size_t pid = 13 + node_atom_size(rel);
	size_t name = 2 + etf_atom_size(&rel->name) + node_atom_size(rel);
	size_t ref = 3 + etf_atom_size(&rel->near.process->node->atom) + 4 +
		     4 * ETF_REF_WORDS;

	if (cancel) {
		rel->told = erldist_spawn_cancel_message(rel);
		return rel->told ? 0 : -ENOMEM;
	}
	if (rel->near.kind == END_WATCHED || rel->type == RELATION_ALIAS ||
	    rel->type == RELATION_ASKED)
		return 0;
	if (rel->type == RELATION_SPAWN) {
		rel->told = erldist_spawn_message(rel, "noconnection");
		return rel->told ? 0 : -ENOMEM;
	}
	if (watches_node(rel)) {
		rel->told = erldist_watch_message(rel, ERLDIST_SIG_NODEDOWN);
		return rel->told ? 0 : -ENOMEM;
	}
	rel->told = erldist_msg_alloc(17 + ref + max(pid, name),
				      GFP_KERNEL_ACCOUNT);
	return rel->told ? 0 : -ENOMEM;
}

/**
 * erldist_relation_new() - a link, a monitor or an alias
 * @spec: what it is
 *
 * Everything its end will need is allocated here.
 *
 * Context: process context.
 * Return: the relation, hooked nowhere; -EUSERS: a limit; -ENOMEM.
 */
struct erldist_relation *
erldist_relation_new(const struct erldist_relation_spec *spec)
{
	size_t text = spec->name ? etf_atom_size(spec->name) : 0;
	struct erldist_relation *rel;
	int err = rel_count(spec);

	/* The answer may be an atom. */
	if (spec->type == RELATION_ASKED)
		text = ERLDIST_SPAWN_ERROR_SIZE;
	if (err)
		return ERR_PTR(err);
	rel = kzalloc(struct_size(rel, text, text), GFP_KERNEL_ACCOUNT);
	if (!rel) {
		rel_uncount(spec->near, spec->type, asked_by(spec));
		return ERR_PTR(-ENOMEM);
	}
	rel_init(rel, spec);
	rel_describe(rel, spec);
	err = prepare_told(rel, spec->cancel);
	if (!err)
		return rel;
	erldist_relation_put(rel);
	return ERR_PTR(err);
}

static bool far_is_first(const struct erldist_relation *rel)
{
	return rel->type == RELATION_LINK &&
	       erldist_process_key(rel->far.process) <
	       erldist_process_key(rel->near.process);
}

/* Two ends: those of links in the order of pids, so that one of two wins. */
static int hook_both(struct erldist_relation *rel)
{
	bool swap = far_is_first(rel);
	struct erldist_end *first = swap ? &rel->far : &rel->near;
	struct erldist_end *failed = first;
	int err = end_hook(first);

	if (!err) {
		failed = erldist_end_other(first);
		err = end_hook(failed);
		if (err && !erldist_relation_cancel(rel))
			return 0;
	}
	return err == -ESRCH && failed == &rel->near ? -EPIPE : err;
}

/**
 * erldist_relation_hook() - a relation begins to hold
 * @rel: a new relation; the caller's reference stays
 *
 * With a peer it still has to be hooked there.
 *
 * Context: process context.
 * Return: 0, also when it has ended since, which was told; -EEXIST there is one;
 * -EPIPE near has ended; -ESRCH far has.
 */
int erldist_relation_hook(struct erldist_relation *rel)
{
	int err;

	if (rel->far.process)
		return hook_both(rel);
	err = end_hook(&rel->near);
	return err == -ESRCH ? -EPIPE : err;
}

static void hook_peer_locked(struct erldist_relation *rel)
{
	refcount_inc(&rel->ref);
	list_add_tail(&rel->peer_list, watches_node(rel) ?
		      &rel->peer->watches : &rel->peer->relations);
	rel->peer->n_relations++;
	rel->generation = rel->peer->generation;
}

/**
 * erldist_relation_hook_peer_locked() - it holds with the next connection, or
 * the one there is
 * @rel: a relation; its peer is locked and not dead
 *
 * Return: false when it has ended, or belongs to a connection that went down.
 */
bool erldist_relation_hook_peer_locked(struct erldist_relation *rel)
{
	lockdep_assert_held(&rel->peer->lock);
	if (atomic_read(&rel->taken))
		return false;
	if (list_empty(&rel->peer_list))
		hook_peer_locked(rel);
	return rel->generation == rel->peer->generation;
}

/**
 * erldist_relation_hook_channel() - it was asked for on a connection
 * @rel: a new relation that hangs in its process's tree
 * @ch: the connection; if it is not the peer's any more, the relation ends
 *
 * Where it has ended since, that is sent now.
 *
 * Context: rx_work.
 */
void erldist_relation_hook_channel(struct erldist_relation *rel,
				   struct erldist_channel *ch)
{
	struct erldist_peer *peer = rel->peer;
	bool there, late;

	spin_lock_bh(&peer->lock);
	there = peer->channel == ch;
	late = there && atomic_read(&rel->taken);
	/* The process may have unlinked already, which hooked it. */
	if (late)
		erldist_relation_late_locked(rel);
	else if (there && list_empty(&rel->peer_list))
		hook_peer_locked(rel);
	spin_unlock_bh(&peer->lock);
	if (late)
		erldist_send_kick(peer);
	else if (!there)
		erldist_relation_cancel(rel);
}
