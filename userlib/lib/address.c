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
		return fail(o, "a destination is NAME@NODE, {Name, 'Node'}, a pid or a reference");
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
 * NAME@NODE is split at the last @ but one, as a name may hold some. With
 * node_alone, a NODE by itself stands for its net_kernel, which every node has.
 */
int ed_address(struct erldist_term *t, const char *dest, struct erldist_parse_options *o,
	       bool node_alone)
{
	const char *host, *at;

	t->len = 0;
	if (!*dest)
		return fail(o, "no destination given");
	if (strchr("<{#'", *dest))
		return parse_term(t, dest, o);
	host = strrchr(dest, '@');
	if (!host)
		return node_alone ? fail(o, "a node is written NAME@HOST")
				  : put_name(t, dest, strlen(dest), NULL, o);
	at = memrchr(dest, '@', (size_t)(host - dest));
	if (!at && !node_alone)
		return fail(o, "this is a node; a process on it is NAME@NODE, like echo@svc@host");
	if (!at)
		return put_name(t, "net_kernel", 10, dest, o);
	if (at == dest || at + 1 == host || !host[1])
		return fail(o, "a destination is NAME@NODE, NODE being alive@host");
	return put_name(t, dest, (size_t)(at - dest), at + 1, o);
}

int erldist_address(struct erldist_term *t, const char *dest,
		    struct erldist_parse_options *options)
{
	return ed_address(t, dest, options, false);
}

int ed_resolve_address(struct erldist *p, struct erldist_term *t, const char *dest,
		       bool node_alone)
{
	struct erldist_parse_options o = { .creation = erldist_creation_of };
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
