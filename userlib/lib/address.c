// SPDX-License-Identifier: LGPL-2.1-or-later
/* Destinations as people write them. */
#include <string.h>
#include <sys/socket.h>

#include "internal.h"

static int fail(struct erldist_parse_options *o, const char *what)
{
	if (o) {
		o->offset = 0;
		o->what = what;
	}
	return -EINVAL;
}

/* Is the term something that can be sent to? */
static bool addressable(const struct erldist_term *t)
{
	struct ed_reader r;
	struct ed_atom a;
	uint32_t arity;
	int tag;

	ed_reader_init(&r, t->term, t->len);
	tag = ed_peek(&r);
	if (ed_is_pid(tag) || ed_is_ref(tag) || ed_is_atom(tag))
		return true;
	return !ed_read_tuple(&r, &arity) && arity == 2 && !ed_read_atom(&r, &a) &&
	       !ed_read_atom(&r, &a) && memchr(a.s, '@', a.len);
}

static int parse_term(struct erldist_term *t, const char *dest, struct erldist_parse_options *o)
{
	int err = erldist_parse(t, dest, o);

	if (!err && !addressable(t))
		return fail(o, "a destination is NAME, NAME@NODE, {Name, 'Node'}, a pid or a reference");
	return err;
}

static int put_name(struct erldist_term *t, const char *name, size_t len, const char *node,
		    struct erldist_parse_options *o)
{
	int err;

	if (node)
		err = ed_put_name_at(t, name, len, node);
	else
		err = ed_put_atom(t, name, len);
	return err == -EINVAL ? fail(o, "a name has 1 to 255 characters, in UTF-8") : err;
}

/*
 * NAME is of the own node, NAME@NODE of this host, NAME@NODE@HOST is split at the last @
 * but one, as a name may hold some. With node_alone, what has one @ or none is a node and
 * stands for its net_kernel, which every node has.
 */
int ed_address(struct erldist_term *t, const char *dest, struct erldist_parse_options *o,
	       bool node_alone)
{
	const char *last = strrchr(dest, '@'), *at;
	char node[ED_NODE_SIZE];

	t->len = 0;
	if (!*dest)
		return fail(o, "no destination given");
	if (strchr("<{#'", *dest))
		return parse_term(t, dest, o);
	at = last ? memrchr(dest, '@', (size_t)(last - dest)) : NULL;
	if (!last && !node_alone)
		return put_name(t, dest, strlen(dest), NULL, o);
	if (!at && !node_alone)
		at = last;
	if (at == dest || ed_node_name(NULL, node, at ? at + 1 : dest, o ? o->node : NULL))
		return fail(o, node_alone ? "a node is NAME or NAME@HOST" :
			    "a destination is NAME, NAME@NODE or NAME@NODE@HOST");
	return at ? put_name(t, dest, (size_t)(at - dest), node, o) :
		    put_name(t, "net_kernel", 10, node, o);
}

int erldist_address(struct erldist_term *t, const char *dest,
		    struct erldist_parse_options *options)
{
	return ed_address(t, dest, options, false);
}

int ed_resolve_address(struct erldist *p, struct erldist_term *t, const char *dest,
		       bool node_alone)
{
	struct erldist_parse_options o = { .creation = erldist_creation_of, .node = p->node };
	int err = ed_address(t, dest, &o, node_alone);

	return err ? ed_fail(&p->error, err, "%s: %s", dest,
			     o.what ? o.what : ed_errno_text(err)) : 0;
}

/* For what is not asked on the process's own socket: NULL is its default destination */
int ed_destination(struct erldist *p, struct erldist_term *t, const char *dest)
{
	char term[ED_DEST_MAX];
	socklen_t len = sizeof(term);

	if (dest)
		return ed_resolve_address(p, t, dest, false);
	if (getsockopt(p->fd, SOL_ERLDIST, ERLDIST_PEERNAME, term, &len))
		return ed_fail(&p->error, -EDESTADDRREQ, "%s", ed_errno_text(EDESTADDRREQ));
	return ed_put(t, term, len);
}
