// SPDX-License-Identifier: GPL-2.0-only
/*
 * Destinations: the terms that say where a message goes.
 */
#include "target.h"

static int parse_name(struct etf_cursor *c, struct erldist_dest *dest)
{
	u32 arity;

	if (etf_get_tuple(c, &arity) || arity != 2 ||
	    etf_get_atom(c, &dest->name) || etf_get_atom(c, &dest->node))
		return -EINVAL;
	return 0;
}

static int parse_kind(struct etf_cursor *c, struct erldist_dest *dest)
{
	if (!etf_get_pid(c, &dest->pid)) {
		dest->kind = CTL_PID;
		dest->node = dest->pid.node;
		return 0;
	}
	if (!etf_get_ref(c, &dest->ref)) {
		dest->kind = CTL_REF;
		dest->node = dest->ref.node;
		return 0;
	}
	dest->kind = CTL_NAME;
	if (etf_get_atom(c, &dest->name))
		return parse_name(c, dest);
	dest->local = true;
	return 0;
}

/*
 * A BEAM closes the connection on a pid or reference of its own that is out of
 * its range (erts/emulator/beam/external.c).
 */
static bool dest_in_range(const struct erldist_dest *dest)
{
	switch (dest->kind) {
	case CTL_PID:
		return dest->pid.id <= ERLDIST_PROCESS_ID_MAX;
	case CTL_REF:
		return dest->ref.word[0] <= ERLDIST_REF_WORD0_MAX;
	default:
		return etf_atom_valid(&dest->name);
	}
}

/**
 * erldist_dest_parse() - read a destination
 * @node: the local node
 * @term: a pid, a reference, {Name, Node} or an atom
 * @len: its bytes
 * @dest: filled in; points into @term
 *
 * Return: 0 or -EINVAL.
 */
int erldist_dest_parse(const struct erldist_node *node, const u8 *term,
		       size_t len, struct erldist_dest *dest)
{
	struct etf_cursor c = { term, term + len };

	memset(dest, 0, sizeof(*dest));
	if (parse_kind(&c, dest) || c.p != c.end || !dest_in_range(dest))
		return -EINVAL;
	if (!dest->local)
		dest->local = erldist_node_is(node, &dest->node);
	if (!dest->local &&
	    !erldist_name_valid((const char *)dest->node.text, dest->node.len))
		return -EINVAL;
	return 0;
}

/**
 * erldist_dest_is_node() - a destination that names a node, not a process
 * @node: the local node
 * @dest: an atom; made to be of that node
 *
 * Return: 0 or -EINVAL.
 */
int erldist_dest_is_node(const struct erldist_node *node,
			 struct erldist_dest *dest)
{
	if (dest->kind != CTL_NAME || dest->node.len ||
	    !erldist_name_valid((const char *)dest->name.text, dest->name.len))
		return -EINVAL;
	dest->node = dest->name;
	dest->local = erldist_node_is(node, &dest->node);
	return 0;
}

static int target_resolve(struct erldist_target *target,
			  struct erldist_process *by)
{
	struct erldist_peer *peer;
	int err;

	err = erldist_dest_parse(by->node, target->term, target->len,
				 &target->dest);
	if (err || target->dest.local)
		return err;
	peer = erldist_peer_for(by, &target->dest.node, false);
	if (IS_ERR(peer))
		return PTR_ERR(peer);
	target->peer = peer;
	return 0;
}

/**
 * erldist_target_new() - keep a destination
 * @by: the process that keeps it, and will want a connection
 * @term: what names it
 * @len: its bytes
 *
 * Context: process context.
 * Return: the target with one reference, or an ERR_PTR.
 */
struct erldist_target *erldist_target_new(struct erldist_process *by,
					  const u8 *term, size_t len)
{
	struct erldist_target *target;
	int err;

	target = kzalloc(struct_size(target, term, len), GFP_KERNEL_ACCOUNT);
	if (!target)
		return ERR_PTR(-ENOMEM);
	refcount_set(&target->ref, 1);
	target->len = len;
	memcpy(target->term, term, len);
	err = target_resolve(target, by);
	if (!err)
		return target;
	erldist_target_put(target);
	return ERR_PTR(err);
}

/**
 * erldist_target_put() - drop a reference
 * @target: the target, or NULL
 *
 * Context: process context.
 */
void erldist_target_put(struct erldist_target *target)
{
	if (!target || !refcount_dec_and_test(&target->ref))
		return;
	erldist_peer_put(target->peer);
	kfree(target);
}
