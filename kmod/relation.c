// SPDX-License-Identifier: GPL-2.0-only
/*
 * Links and monitors between local processes and those of peers.
 */
#include "channel.h"
#include "node.h"
#include "peer.h"
#include "process.h"
#include "relation.h"

/**
 * erldist_relation_put() - drop a reference
 * @rel: the relation
 *
 * Context: process context, no lock held.
 */
void erldist_relation_put(struct erldist_relation *rel)
{
	if (!refcount_dec_and_test(&rel->ref))
		return;
	atomic_dec(&rel->process->node->n_relations);
	erldist_process_put(rel->process);
	erldist_peer_put(rel->peer);
	erldist_blob_put(rel->reason);
	kfree(rel);
}

static int rel_cmp_u32(u32 a, u32 b)
{
	return a < b ? -1 : a > b;
}

static int cmp_ref(const struct etf_ref *a, const struct etf_ref *b)
{
	int c = rel_cmp_u32(a->creation, b->creation);
	u32 i;

	if (!c)
		c = rel_cmp_u32(a->n, b->n);
	for (i = 0; !c && i < a->n; i++)
		c = rel_cmp_u32(a->word[i], b->word[i]);
	return c;
}

/* Order in a process's tree: type, peer, then who or which reference */
static int cmp_key(const struct erldist_relation *rel, u8 type,
		   const struct erldist_peer *peer,
		   const struct erldist_ctl *ctl)
{
	int c = rel_cmp_u32(type, rel->type);

	if (c)
		return c;
	if (peer != rel->peer)
		return peer < rel->peer ? -1 : 1;
	if (type == RELATION_MONITORED)
		return cmp_ref(&ctl->ref, &rel->ref_id);
	c = rel_cmp_u32(ctl->from.creation, rel->creation);
	if (!c)
		c = rel_cmp_u32(ctl->from.serial, rel->serial);
	return c ?: rel_cmp_u32(ctl->from.id, rel->id);
}

static struct erldist_relation *rel_find(struct erldist_process *proc, u8 type,
					 const struct erldist_peer *peer,
					 const struct erldist_ctl *ctl)
{
	struct rb_node *n = proc->relations.rb_node;
	struct erldist_relation *rel;
	int c;

	lockdep_assert_held(&proc->lock);
	while (n) {
		rel = rb_entry(n, struct erldist_relation, node);
		c = cmp_key(rel, type, peer, ctl);
		if (!c)
			return rel;
		n = c < 0 ? n->rb_left : n->rb_right;
	}
	return NULL;
}

static int rel_cmp(const struct erldist_relation *a,
		   const struct erldist_relation *b)
{
	struct erldist_ctl key;

	key.from.id = a->id;
	key.from.serial = a->serial;
	key.from.creation = a->creation;
	key.ref = a->ref_id;
	return cmp_key(b, a->type, a->peer, &key);
}

static void rel_insert(struct erldist_process *proc,
		       struct erldist_relation *rel)
{
	struct rb_node **link = &proc->relations.rb_node, *parent = NULL;
	struct erldist_relation *other;

	while (*link) {
		parent = *link;
		other = rb_entry(parent, struct erldist_relation, node);
		link = rel_cmp(rel, other) < 0 ? &parent->rb_left :
						 &parent->rb_right;
	}
	rb_link_node(&rel->node, parent, link);
	rb_insert_color(&rel->node, &proc->relations);
	proc->n_relations++;
}

/* Returns true when it hung there: its reference is the caller's to drop. */
static bool rel_unhook_process(struct erldist_relation *rel)
{
	struct erldist_process *proc = rel->process;
	bool hung;

	spin_lock_bh(&proc->lock);
	hung = !RB_EMPTY_NODE(&rel->node);
	if (hung) {
		rb_erase(&rel->node, &proc->relations);
		RB_CLEAR_NODE(&rel->node);
		proc->n_relations--;
	}
	spin_unlock_bh(&proc->lock);
	return hung;
}

static bool rel_unhook_peer_locked(struct erldist_relation *rel)
{
	if (list_empty(&rel->peer_list))
		return false;
	list_del_init(&rel->peer_list);
	rel->peer->n_relations--;
	return true;
}

static bool rel_unhook_peer(struct erldist_relation *rel)
{
	bool hung;

	spin_lock_bh(&rel->peer->lock);
	hung = rel_unhook_peer_locked(rel);
	spin_unlock_bh(&rel->peer->lock);
	return hung;
}

static bool rel_take(struct erldist_relation *rel)
{
	return !atomic_xchg(&rel->taken, 1);
}

static int rel_count(struct erldist_process *proc)
{
	struct erldist_node *node = proc->node;

	if (READ_ONCE(proc->n_relations) >= READ_ONCE(node->limits.relations))
		return -EUSERS;
	if (atomic_inc_return(&node->n_relations) <=
	    READ_ONCE(node->limits.node_relations))
		return 0;
	atomic_dec(&node->n_relations);
	return -EUSERS;
}

static void rel_init(struct erldist_relation *rel, struct erldist_process *proc,
		     struct erldist_channel *ch)
{
	INIT_LIST_HEAD(&rel->out.list);
	INIT_LIST_HEAD(&rel->out.items);
	INIT_LIST_HEAD(&rel->out.ring);
	rel->out.kind = OUT_RELATION;
	rel->out.key = erldist_process_key(proc);
	INIT_LIST_HEAD(&rel->peer_list);
	RB_CLEAR_NODE(&rel->node);
	refcount_set(&rel->ref, 1);
	erldist_process_get(proc);
	rel->process = proc;
	erldist_peer_get(ch->peer);
	rel->peer = ch->peer;
	rel->connection = ch->connection;
}

static void rel_describe(struct erldist_relation *rel,
			 const struct erldist_ctl *ctl)
{
	struct etf_cursor c = { .p = rel->text };

	rel->type = ctl->op == OP_LINK ? RELATION_LINK : RELATION_MONITORED;
	rel->id = ctl->from.id;
	rel->serial = ctl->from.serial;
	rel->creation = ctl->from.creation;
	if (rel->type == RELATION_MONITORED)
		rel->ref_id = ctl->ref;
	rel->ref_id.node = rel->peer->atom;
	if (!rel->by_name)
		return;
	c.end = etf_put_atom(rel->text, &ctl->name);
	etf_get_atom(&c, &rel->name);
}

/**
 * erldist_relation_new() - a relation that a peer asks for
 * @proc: the local process
 * @ch: the connection
 * @ctl: OP_LINK or OP_MONITOR_P
 *
 * Everything its end will need is allocated here.
 *
 * Context: process context.
 * Return: the relation, in no list; -EUSERS: a limit; -ENOMEM.
 */
struct erldist_relation *erldist_relation_new(struct erldist_process *proc,
					      struct erldist_channel *ch,
					      const struct erldist_ctl *ctl)
{
	bool by_name = ctl->op == OP_MONITOR_P && ctl->to_kind == CTL_NAME;
	size_t text = by_name ? etf_atom_size(&ctl->name) : 0;
	struct erldist_relation *rel;
	int err = rel_count(proc);

	if (err)
		return ERR_PTR(err);
	rel = kzalloc(struct_size(rel, text, text), GFP_KERNEL_ACCOUNT);
	if (!rel) {
		atomic_dec(&proc->node->n_relations);
		return ERR_PTR(-ENOMEM);
	}
	rel_init(rel, proc, ch);
	rel->by_name = by_name;
	rel_describe(rel, ctl);
	return rel;
}

/* To the process's tree; a relation that is there already stays. */
static int rel_hook_process(struct erldist_relation *rel)
{
	struct erldist_process *proc = rel->process;
	struct erldist_ctl key;
	int err = 0;

	key.from.id = rel->id;
	key.from.serial = rel->serial;
	key.from.creation = rel->creation;
	key.ref = rel->ref_id;
	spin_lock_bh(&proc->lock);
	if (proc->closed)
		err = -ESRCH;
	else if (rel_find(proc, rel->type, rel->peer, &key))
		err = -EEXIST;
	else
		rel_insert(proc, rel);
	spin_unlock_bh(&proc->lock);
	return err;
}

/* To the peer's list, if its connection still is the one that asked. */
static void rel_hook_peer(struct erldist_relation *rel)
{
	struct erldist_peer *peer = rel->peer;
	bool gone;

	spin_lock_bh(&peer->lock);
	gone = !peer->channel || peer->connection != rel->connection;
	if (!gone && !atomic_read(&rel->taken)) {
		refcount_inc(&rel->ref);
		list_add_tail(&rel->peer_list, &peer->relations);
		peer->n_relations++;
	}
	spin_unlock_bh(&peer->lock);
	if (gone && rel_take(rel) && rel_unhook_process(rel))
		erldist_relation_put(rel);
}

/**
 * erldist_relation_add() - make a relation hold
 * @rel: a new relation, the caller's reference is taken
 *
 * Context: rx_work.
 * Return: 0, also when it was there already; -ESRCH: the process has ended.
 */
int erldist_relation_add(struct erldist_relation *rel)
{
	int err;

	refcount_inc(&rel->ref);
	err = rel_hook_process(rel);
	if (err)
		erldist_relation_put(rel);	/* the tree's */
	else
		rel_hook_peer(rel);
	erldist_relation_put(rel);
	return err == -EEXIST ? 0 : err;
}

/**
 * erldist_relation_drop() - an unlink, a demonitor, or the other side's exit
 * @proc: the local process
 * @peer: the peer
 * @type: enum erldist_relation_type
 * @ctl: says which: From for a link, Ref for a monitor
 *
 * Context: process context.
 * Return: true when it was there.
 */
bool erldist_relation_drop(struct erldist_process *proc,
			   struct erldist_peer *peer, u8 type,
			   const struct erldist_ctl *ctl)
{
	struct erldist_relation *rel;
	bool mine = false;

	spin_lock_bh(&proc->lock);
	rel = rel_find(proc, type, peer, ctl);
	if (rel) {
		mine = rel_take(rel);
		rb_erase(&rel->node, &proc->relations);
		RB_CLEAR_NODE(&rel->node);
		proc->n_relations--;
	}
	spin_unlock_bh(&proc->lock);
	if (!rel)
		return false;
	if (rel_unhook_peer(rel))
		erldist_relation_put(rel);
	erldist_relation_put(rel);
	return mine;
}

/*
 * The process has ended: the relation becomes its EXIT or DOWN, in the flow of
 * the process, behind all it sent to that peer.
 */
static void rel_signal(struct erldist_relation *rel)
{
	struct erldist_peer *peer = rel->peer;
	bool unhooked, queued;

	rel->reason = erldist_blob_get(rel->process->status);
	rel->out.size = sizeof(*rel);
	spin_lock_bh(&peer->lock);
	unhooked = rel_unhook_peer_locked(rel);
	queued = peer->channel && peer->connection == rel->connection;
	if (queued) {
		refcount_inc(&rel->ref);
		erldist_send_queue_locked(peer, &rel->out);
	}
	spin_unlock_bh(&peer->lock);
	if (queued)
		erldist_send_kick(peer);
	if (unhooked)
		erldist_relation_put(rel);
}

static struct erldist_relation *rel_pop(struct erldist_process *proc)
{
	struct erldist_relation *rel = NULL;
	struct rb_node *n;

	spin_lock_bh(&proc->lock);
	n = rb_first(&proc->relations);
	if (n) {
		rel = rb_entry(n, struct erldist_relation, node);
		rb_erase(n, &proc->relations);
		RB_CLEAR_NODE(n);
		proc->n_relations--;
	}
	spin_unlock_bh(&proc->lock);
	return rel;
}

/**
 * erldist_relations_end() - tell everyone that a process has ended
 * @proc: the process, closed to new relations
 *
 * Allocates nothing.
 *
 * Context: the reaper.
 */
void erldist_relations_end(struct erldist_process *proc)
{
	struct erldist_relation *rel;

	while ((rel = rel_pop(proc))) {
		if (rel_take(rel))
			rel_signal(rel);
		erldist_relation_put(rel);
		cond_resched();
	}
}

static struct erldist_relation *rel_pop_lost(struct erldist_peer *peer)
{
	struct erldist_relation *rel;

	spin_lock_bh(&peer->lock);
	rel = list_first_entry_or_null(&peer->lost, struct erldist_relation,
				       peer_list);
	if (rel) {
		list_del_init(&rel->peer_list);
		peer->n_relations--;
	}
	spin_unlock_bh(&peer->lock);
	return rel;
}

static void rel_noconnection(struct erldist_relation *rel,
			     struct erldist_blob *reason)
{
	/* A peer's name is ASCII. */
	u8 term[1 + 3 + ERLDIST_NAME_MAX + 12];
	struct etf_pid from = {
		.node = rel->peer->atom,
		.id = rel->id,
		.serial = rel->serial,
		.creation = rel->creation,
	};
	u8 *end = etf_put_pid(term, &from);

	if (rel->type == RELATION_LINK)
		erldist_process_exit_signal(rel->process, term, end - term,
					    reason, false);
}

/**
 * erldist_relations_lost() - the peer is gone: noconnection to all linked
 * @peer: the peer, draining
 *
 * Context: the reaper.
 */
void erldist_relations_lost(struct erldist_peer *peer)
{
	struct erldist_blob *reason = erldist_blob_known(KNOWN_NOCONNECTION);
	struct erldist_relation *rel;

	while ((rel = rel_pop_lost(peer))) {
		if (rel_take(rel)) {
			if (rel_unhook_process(rel))
				erldist_relation_put(rel);
			rel_noconnection(rel, reason);
		}
		erldist_relation_put(rel);
		cond_resched();
	}
	erldist_blob_put(reason);
}
