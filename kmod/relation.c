// SPDX-License-Identifier: GPL-2.0-only
/*
 * Links, monitors and aliases: the records, and what becomes of them when a
 * process ends or a peer is lost.
 */
#include "channel.h"
#include "node.h"
#include "peer.h"
#include "process.h"
#include "relation.h"

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
	atomic_dec(&rel->near.process->node->n_relations);
	end_free(&rel->near);
	end_free(&rel->far);
	erldist_port_put(rel->port);
	erldist_peer_put(rel->peer);
	erldist_blob_put(rel->reason);
	erldist_msg_put(rel->told);
	kfree(rel);
}

static struct erldist_end *other_end(struct erldist_end *end)
{
	struct erldist_relation *rel = end->relation;

	return end == &rel->near ? &rel->far : &rel->near;
}

/*
 * Trees
 */

/* What an end is found by; fields that do not count are zero */
struct rel_key {
	u8 kind;
	const struct erldist_peer *peer;
	u32 creation, serial, id;
	const struct etf_ref *ref;
};

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

static int cmp_key(const struct rel_key *a, const struct rel_key *b)
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

static struct rel_key link_key(const struct erldist_peer *peer,
			       const struct etf_pid *pid)
{
	return (struct rel_key) {
		.kind = END_LINK, .peer = peer, .creation = pid->creation,
		.serial = pid->serial, .id = pid->id,
	};
}

static struct rel_key own_key(const struct etf_ref *ref)
{
	return (struct rel_key){ .kind = END_OWN, .ref = ref };
}

/* The process at the other side of a link or of a monitor */
static struct etf_pid other_pid(struct erldist_end *end)
{
	struct erldist_process *other = other_end(end)->process;
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

static struct rel_key end_key(struct erldist_end *end)
{
	struct erldist_relation *rel = end->relation;
	struct etf_pid pid;

	if (end->kind == END_OWN)
		return own_key(&rel->ref_id);
	if (end->kind == END_WATCHED)
		return (struct rel_key) {
			.kind = END_WATCHED, .peer = rel->peer,
			.ref = &rel->ref_id,
		};
	pid = other_pid(end);
	return link_key(rel->peer, &pid);
}

static struct erldist_end *tree_find(struct erldist_process *proc,
				     const struct rel_key *key)
{
	struct rb_node *n = proc->relations.rb_node;
	struct erldist_end *end;
	struct rel_key have;
	int c;

	lockdep_assert_held(&proc->lock);
	while (n) {
		end = rb_entry(n, struct erldist_end, node);
		have = end_key(end);
		c = cmp_key(key, &have);
		if (!c)
			return end;
		n = c < 0 ? n->rb_left : n->rb_right;
	}
	return NULL;
}

static void tree_insert(struct erldist_end *end)
{
	struct erldist_relation *rel = end->relation;
	struct erldist_process *proc = end->process;
	struct rb_node **link = &proc->relations.rb_node, *parent = NULL;
	struct rel_key key = end_key(end), have;

	while (*link) {
		parent = *link;
		have = end_key(rb_entry(parent, struct erldist_end, node));
		link = cmp_key(&key, &have) < 0 ? &parent->rb_left :
						  &parent->rb_right;
	}
	rb_link_node(&end->node, parent, link);
	rb_insert_color(&end->node, &proc->relations);
	proc->n_relations++;
	if (end == &rel->near && rel->port)
		list_add_tail(&rel->port_list, &rel->port->relations);
}

/* The tree's reference is the caller's then. */
static void tree_erase(struct erldist_end *end)
{
	struct erldist_process *proc = end->process;

	lockdep_assert_held(&proc->lock);
	rb_erase(&end->node, &proc->relations);
	RB_CLEAR_NODE(&end->node);
	proc->n_relations--;
	if (end == &end->relation->near)
		list_del_init(&end->relation->port_list);
}

static bool rel_take(struct erldist_relation *rel)
{
	return !atomic_xchg(&rel->taken, 1);
}

/* Returns -ESRCH, -EEXIST, or -ECANCELED: it was taken before it was there. */
static int end_hook(struct erldist_end *end)
{
	struct erldist_relation *rel = end->relation, *stale = NULL;
	struct erldist_process *proc = end->process;
	struct rel_key key = end_key(end);
	struct erldist_end *old;
	int err = 0;

	spin_lock_bh(&proc->lock);
	old = tree_find(proc, &key);
	if (old && atomic_read(&old->relation->taken)) {
		/* Whoever took it does not find it here any more. */
		tree_erase(old);
		stale = old->relation;
		old = NULL;
	}
	if (proc->closed || (rel->port && rel->port->closed)) {
		err = -ESRCH;
	} else if (old) {
		err = -EEXIST;
	} else if (atomic_read(&rel->taken)) {
		err = -ECANCELED;
	} else {
		refcount_inc(&rel->ref);
		tree_insert(end);
	}
	spin_unlock_bh(&proc->lock);
	if (stale)
		erldist_relation_put(stale);
	return err;
}

static void end_unhook(struct erldist_end *end)
{
	struct erldist_process *proc = end->process;
	bool hung;

	if (!proc)
		return;
	spin_lock_bh(&proc->lock);
	hung = !RB_EMPTY_NODE(&end->node);
	if (hung)
		tree_erase(end);
	spin_unlock_bh(&proc->lock);
	if (hung)
		erldist_relation_put(end->relation);
}

static bool unhook_peer_locked(struct erldist_relation *rel)
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
	hung = unhook_peer_locked(rel);
	spin_unlock_bh(&rel->peer->lock);
	if (hung)
		erldist_relation_put(rel);
}

static void unhook_all(struct erldist_relation *rel)
{
	end_unhook(&rel->near);
	end_unhook(&rel->far);
	unhook_peer(rel);
}

/**
 * erldist_relation_drop() - a relation that was taken is over
 * @rel: the relation; the caller's reference is dropped
 *
 * Context: any.
 */
void erldist_relation_drop(struct erldist_relation *rel)
{
	unhook_all(rel);
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
	if (!rel_take(rel))
		return false;
	unhook_all(rel);
	return true;
}

/*
 * Making
 */

static int count_limits(const struct erldist_process *proc)
{
	return proc && READ_ONCE(proc->n_relations) >=
		       READ_ONCE(proc->node->limits.relations) ? -EUSERS : 0;
}

static int rel_count(const struct erldist_relation_spec *spec)
{
	struct erldist_node *node = spec->near->node;
	int err = count_limits(spec->near) ?: count_limits(spec->far);

	if (err)
		return err;
	if (atomic_inc_return(&node->n_relations) <=
	    READ_ONCE(node->limits.node_relations))
		return 0;
	atomic_dec(&node->n_relations);
	return -EUSERS;
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
	if (spec->type == RELATION_LINK)
		return END_LINK;
	return spec->watched ? END_WATCHED : END_OWN;
}

static void rel_init(struct erldist_relation *rel,
		     const struct erldist_relation_spec *spec)
{
	INIT_LIST_HEAD(&rel->out.list);
	INIT_LIST_HEAD(&rel->out.items);
	INIT_LIST_HEAD(&rel->out.ring);
	rel->out.kind = OUT_RELATION;
	rel->out.key = erldist_process_key(spec->near);
	INIT_LIST_HEAD(&rel->peer_list);
	INIT_LIST_HEAD(&rel->port_list);
	refcount_set(&rel->ref, 1);
	rel->type = spec->type;
	rel->active = true;
	rel->alias = spec->alias;
	rel->once = spec->once;
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

/* Room for {'DOWN', Ref, process, Object, which is longer than {'EXIT', Pid, */
static int prepare_told(struct erldist_relation *rel)
{
	size_t pid = 13 + node_atom_size(rel);
	size_t name = 2 + etf_atom_size(&rel->name) + node_atom_size(rel);
	size_t ref = 3 + etf_atom_size(&rel->near.process->node->atom) + 4 +
		     4 * ETF_REF_WORDS;

	if (rel->near.kind == END_WATCHED || rel->type == RELATION_ALIAS)
		return 0;
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

	if (err)
		return ERR_PTR(err);
	rel = kzalloc(struct_size(rel, text, text), GFP_KERNEL_ACCOUNT);
	if (!rel) {
		atomic_dec(&spec->near->node->n_relations);
		return ERR_PTR(-ENOMEM);
	}
	rel_init(rel, spec);
	rel_describe(rel, spec);
	err = prepare_told(rel);
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
		failed = other_end(first);
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
	list_add_tail(&rel->peer_list, &rel->peer->relations);
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
 * Context: rx_work.
 */
void erldist_relation_hook_channel(struct erldist_relation *rel,
				   struct erldist_channel *ch)
{
	struct erldist_peer *peer = rel->peer;
	bool there;

	spin_lock_bh(&peer->lock);
	there = peer->channel == ch;
	/* The process may have unlinked already, which hooked it. */
	if (there && !atomic_read(&rel->taken) && list_empty(&rel->peer_list))
		hook_peer_locked(rel);
	spin_unlock_bh(&peer->lock);
	if (!there)
		erldist_relation_cancel(rel);
}

/*
 * Finding and ending
 */

/**
 * erldist_relation_find_link() - a link by the process at its other side
 * @proc: the local process
 * @peer: the other's node; NULL: the same
 * @pid: the other
 *
 * Context: any.
 * Return: the relation with a reference, or NULL.
 */
struct erldist_relation *
erldist_relation_find_link(struct erldist_process *proc,
			   const struct erldist_peer *peer,
			   const struct etf_pid *pid)
{
	struct rel_key key = link_key(peer, pid);
	struct erldist_relation *rel = NULL;
	struct erldist_end *end;

	spin_lock_bh(&proc->lock);
	end = tree_find(proc, &key);
	if (end && !atomic_read(&end->relation->taken)) {
		rel = end->relation;
		refcount_inc(&rel->ref);
	}
	spin_unlock_bh(&proc->lock);
	return rel;
}

/**
 * erldist_relation_relink() - link() where there is a link
 * @rel: the link
 * Return: true when it had been unlinked: LINK is to be sent again.
 */
bool erldist_relation_relink(struct erldist_relation *rel)
{
	bool again;

	spin_lock_bh(&rel->near.process->lock);
	again = !rel->active;
	rel->active = true;
	rel->unlink_id = 0;
	spin_unlock_bh(&rel->near.process->lock);
	return again;
}

/**
 * erldist_relation_unlink() - unlink() from a process of a peer
 * @rel: the link; it stays until the peer has answered
 * @id: of the UNLINK_ID
 * Return: true when that is to be sent.
 */
bool erldist_relation_unlink(struct erldist_relation *rel, u64 id)
{
	bool send;

	spin_lock_bh(&rel->near.process->lock);
	send = rel->active;
	if (send) {
		rel->active = false;
		rel->unlink_id = id;
	}
	spin_unlock_bh(&rel->near.process->lock);
	return send;
}

static bool link_matches(const struct erldist_relation *rel, u64 acked)
{
	return acked ? !rel->active && rel->unlink_id == acked : rel->active;
}

/**
 * erldist_relation_take_link() - end a link by the process at its other side
 * @proc: the local process
 * @peer: the other's node; NULL: the same
 * @pid: the other
 * @acked: the unlink that was answered; 0: only a link that is active
 *
 * Context: any.
 * Return: the relation, taken, for erldist_relation_drop(), or NULL.
 */
struct erldist_relation *
erldist_relation_take_link(struct erldist_process *proc,
			   const struct erldist_peer *peer,
			   const struct etf_pid *pid, u64 acked)
{
	struct rel_key key = link_key(peer, pid);
	struct erldist_relation *rel = NULL;
	struct erldist_end *end;

	spin_lock_bh(&proc->lock);
	end = tree_find(proc, &key);
	if (end && link_matches(end->relation, acked) &&
	    rel_take(end->relation)) {
		rel = end->relation;
		tree_erase(end);
	}
	spin_unlock_bh(&proc->lock);
	return rel;
}

/**
 * erldist_relation_take_watched() - a peer's process demonitors
 * @proc: the local process
 * @peer: the peer
 * @ref: the monitor
 *
 * Context: any.
 * Return: the relation, taken, for erldist_relation_drop(), or NULL.
 */
struct erldist_relation *
erldist_relation_take_watched(struct erldist_process *proc,
			      const struct erldist_peer *peer,
			      const struct etf_ref *ref)
{
	const struct rel_key key = {
		.kind = END_WATCHED, .peer = peer, .ref = ref,
	};
	struct erldist_relation *rel = NULL;
	struct erldist_end *end;

	spin_lock_bh(&proc->lock);
	end = tree_find(proc, &key);
	if (end && rel_take(end->relation)) {
		rel = end->relation;
		tree_erase(end);
	}
	spin_unlock_bh(&proc->lock);
	return rel;
}

/**
 * erldist_relation_take_own() - end a monitor of this process
 * @proc: the process
 * @ref: the monitor
 * @peer: only if it is one of this peer's processes; NULL: any
 *
 * Context: any.
 * Return: the relation, taken, for erldist_relation_drop() or
 * erldist_relation_demonitor(), or NULL.
 */
struct erldist_relation *
erldist_relation_take_own(struct erldist_process *proc,
			  const struct etf_ref *ref,
			  const struct erldist_peer *peer)
{
	const struct rel_key key = own_key(ref);
	struct erldist_relation *rel = NULL;
	struct erldist_end *end;

	spin_lock_bh(&proc->lock);
	end = tree_find(proc, &key);
	if (end && end->relation->type == RELATION_MONITOR &&
	    (!peer || end->relation->peer == peer) && rel_take(end->relation)) {
		rel = end->relation;
		tree_erase(end);
	}
	spin_unlock_bh(&proc->lock);
	return rel;
}

static struct erldist_end *find_alias(struct erldist_process *proc,
				      const struct etf_ref *ref)
{
	const struct rel_key key = own_key(ref);
	struct erldist_end *end = tree_find(proc, &key);

	return end && end->relation->alias &&
	       !atomic_read(&end->relation->taken) ? end : NULL;
}

static struct erldist_process *ref_maker(struct erldist_node *node,
					 const struct etf_ref *ref)
{
	struct erldist_process *proc;

	if (ref->creation != node->creation || ref->n != 3)
		return NULL;
	rcu_read_lock();
	proc = xa_load(&node->pids, ref->word[2]);
	if (proc && !erldist_process_tryget(proc))
		proc = NULL;
	rcu_read_unlock();
	return proc;
}

/**
 * erldist_relation_alias_owner() - whom an alias leads to
 * @node: the node, which is the reference's
 * @ref: the reference
 *
 * Context: any.
 * Return: the process with a reference; NULL: it is no alias now.
 */
struct erldist_process *
erldist_relation_alias_owner(struct erldist_node *node,
			     const struct etf_ref *ref)
{
	struct erldist_process *proc = ref_maker(node, ref);
	bool is;

	if (!proc)
		return NULL;
	spin_lock_bh(&proc->lock);
	is = find_alias(proc, ref);
	spin_unlock_bh(&proc->lock);
	if (is)
		return proc;
	erldist_process_put(proc);
	return NULL;
}

/**
 * erldist_relation_by_alias() - a message for an alias
 * @proc: the process
 * @ref: the alias; if it was for one message, it ends, and its monitor too
 * @msg: the message; what belongs to the alias is noted in it
 * @port: set to the port it is for, with a reference, or NULL
 *
 * Context: any.
 * Return: 0; 1: it was for this message alone; -ESRCH: it is none.
 */
int erldist_relation_by_alias(struct erldist_process *proc,
			       const struct etf_ref *ref,
			       struct erldist_msg *msg,
			      struct erldist_port **port)
{
	struct erldist_relation *over = NULL;
	struct erldist_end *end;

	*port = NULL;
	spin_lock_bh(&proc->lock);
	end = find_alias(proc, ref);
	if (end && end->relation->once && !rel_take(end->relation))
		end = NULL;
	if (end) {
		msg->sequence = end->relation->sequence;
		msg->user_data = end->relation->user_data;
		*port = end->relation->port;
		if (*port)
			erldist_port_get(*port);
		if (end->relation->once) {
			over = end->relation;
			tree_erase(end);
		}
	}
	spin_unlock_bh(&proc->lock);
	if (over && over->type == RELATION_MONITOR)
		erldist_relation_demonitor(over);
	else if (over)
		erldist_relation_drop(over);
	if (!end)
		return -ESRCH;
	return over ? 1 : 0;
}

/**
 * erldist_relation_unalias() - a reference is no address any more
 * @proc: the process
 * @ref: the reference; a monitor stays
 *
 * Context: process context.
 * Return: 0; -ENOENT it was none.
 */
int erldist_relation_unalias(struct erldist_process *proc,
			     const struct etf_ref *ref)
{
	struct erldist_relation *over = NULL;
	struct erldist_end *end;

	spin_lock_bh(&proc->lock);
	end = find_alias(proc, ref);
	if (end && end->relation->type == RELATION_MONITOR) {
		end->relation->alias = false;
	} else if (end && rel_take(end->relation)) {
		over = end->relation;
		tree_erase(end);
	}
	spin_unlock_bh(&proc->lock);
	if (over)
		erldist_relation_drop(over);
	return end ? 0 : -ENOENT;
}

/*
 * Telling. Nothing here allocates.
 */

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
	struct etf_pid pid = other_pid(to);
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
		pid = other_pid(&rel->near);
		p = put_sender(msg, p, &pid);
	}
	msg->used = p - msg->data;
	msg->sequence = rel->sequence;
	msg->user_data = rel->user_data;
	erldist_msg_set_reason(msg, reason);
	erldist_mailbox_put_signal(proc, rel->port, msg);
}

/**
 * erldist_relation_tell() - near hears of the end of the other side
 * @rel: a relation that was taken
 * @reason: the reason
 *
 * An EXIT for a link that is active, a DOWN for a monitor of near's.
 *
 * Context: process context.
 */
void erldist_relation_tell(struct erldist_relation *rel,
			   struct erldist_blob *reason)
{
	if (rel->type == RELATION_LINK && rel->active)
		tell_exit(&rel->near, reason);
	else if (rel->near.kind == END_OWN && rel->type == RELATION_MONITOR)
		tell_down(rel, reason);
}

/*
 * Near has ended, or demonitors: the relation becomes its EXIT, DOWN or
 * DEMONITOR_P, in the flow of the process, behind all it sent to that peer.
 */
static void rel_send(struct erldist_relation *rel, struct erldist_blob *reason)
{
	struct erldist_peer *peer = rel->peer;
	bool unhooked, queued;

	rel->reason = reason ? erldist_blob_get(reason) : NULL;
	rel->out.size = sizeof(*rel);
	spin_lock_bh(&peer->lock);
	unhooked = unhook_peer_locked(rel);
	queued = unhooked && rel->generation == peer->generation && rel->active;
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

/**
 * erldist_relation_demonitor() - the watcher does not want to know any more
 * @rel: a monitor that was taken; the caller's reference is dropped
 *
 * Context: any.
 */
void erldist_relation_demonitor(struct erldist_relation *rel)
{
	if (rel->peer)
		rel_send(rel, NULL);
	erldist_relation_drop(rel);
}

static void end_died(struct erldist_end *end)
{
	struct erldist_relation *rel = end->relation;
	struct erldist_blob *reason = end->process->status;

	if (rel->type == RELATION_ALIAS)
		return;
	if (rel->peer)
		rel_send(rel, end->kind == END_OWN ? NULL : reason);
	else if (rel->type == RELATION_LINK)
		tell_exit(other_end(end), reason);
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
		tree_erase(end);
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
		if (rel_take(rel)) {
			tree_erase(&rel->near);
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
 * erldist_relations_end() - tell everyone that a process has ended
 * @proc: the process, closed to new relations
 *
 * Context: the reaper.
 */
void erldist_relations_end(struct erldist_process *proc)
{
	struct erldist_end *end;

	while ((end = end_pop(proc))) {
		if (rel_take(end->relation)) {
			end_died(end);
			unhook_all(end->relation);
		}
		erldist_relation_put(end->relation);
		cond_resched();
	}
}

static struct erldist_relation *rel_pop_lost(struct erldist_peer *peer)
{
	struct erldist_relation *rel;

	spin_lock_bh(&peer->lock);
	rel = list_first_entry_or_null(&peer->lost, struct erldist_relation,
				       peer_list);
	if (rel)
		unhook_peer_locked(rel);
	spin_unlock_bh(&peer->lock);
	return rel;
}

/**
 * erldist_relations_lost() - the peer is gone: noconnection for all
 * @peer: the peer
 *
 * Context: process context.
 */
void erldist_relations_lost(struct erldist_peer *peer)
{
	struct erldist_blob *reason = erldist_blob_known(KNOWN_NOCONNECTION);
	struct erldist_relation *rel;

	while ((rel = rel_pop_lost(peer))) {
		if (rel_take(rel)) {
			end_unhook(&rel->near);
			erldist_relation_tell(rel, reason);
		}
		erldist_relation_put(rel);
		cond_resched();
	}
	erldist_blob_put(reason);
}
