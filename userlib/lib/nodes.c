// SPDX-License-Identifier: LGPL-2.1-or-later
/* nodes/1 and node/1 of Erlang. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

struct local {
	const char *text;
	char found[ED_NODE_SIZE];
};

static int is_local(void *user, const struct erldist_node_info *info)
{
	struct local *l = user;

	return !ed_node_name(NULL, l->found, l->text, info->name) && !strcmp(l->found, info->name);
}

/* A local node: the first that the text names, whatever its host; else of this host */
int ed_local_node(struct ed_error *e, char node[ED_NODE_SIZE], const char *text)
{
	struct erldist_observer *o = NULL;
	struct local l = { .text = text };
	bool found = false;

	if (!strchr(text, '@')) {
		found = !erldist_observer_open(&o, 0) && erldist_nodes(o, is_local, &l) > 0;
		erldist_observer_close(o);
	}
	if (found)
		memcpy(node, l.found, sizeof(l.found));
	return found ? 0 : ed_full_name(e, node, text, false);
}

struct view {
	const char *node;		/* NULL: the first */
	char found[ED_NODE_SIZE];
	unsigned int which;
	erldist_name_cb cb;
	void *user;
};

static int find(void *user, const struct erldist_node_info *info)
{
	struct view *v = user;

	if (v->node && (ed_node_name(NULL, v->found, v->node, info->name) ||
			strcmp(v->found, info->name)))
		return 0;
	snprintf(v->found, sizeof(v->found), "%s", info->name);
	return 1;
}

static unsigned int kind(const struct erldist_peer_info *info)
{
	if (info->state != ERLDIST_PEER_STATE_UP)
		return ERLDIST_NODES_KNOWN;
	return info->flags & ERLDIST_DFLAG_PUBLISHED ? ERLDIST_NODES_VISIBLE : ERLDIST_NODES_HIDDEN;
}

static int show(void *user, const struct erldist_peer_info *info)
{
	struct view *v = user;

	if (strcmp(info->node, v->found) || !(v->which & kind(info)))
		return 0;
	return v->cb(v->user, info->name);
}

int erldist_nodes_of(struct erldist_observer *o, const char *node, unsigned int which,
		     erldist_name_cb cb, void *user)
{
	struct view v = { .node = node, .which = which, .cb = cb, .user = user };
	struct ed_error *e = (struct ed_error *)o;	/* every handle begins with one */
	int err;

	if (!v.node)
		v.node = secure_getenv("ERLDIST_NODE");
	if (v.node && !*v.node)
		v.node = NULL;
	err = erldist_nodes(o, find, &v);
	if (err < 0)
		return err;
	if (!err && v.node)
		return ed_fail(e, -EADDRNOTAVAIL, "%s is no node of " ED_THIS_MACHINE "; look at "
			       "'erldist node show'%s%s", v.node, node ? "" : "; ERLDIST_NODE is ",
			       node ? "" : v.node);
	if (!err)
		return ed_fail(e, -EADDRNOTAVAIL, ED_NO_NODE);
	err = which & ERLDIST_NODES_THIS ? cb(user, v.found) : 0;
	return err ? err : erldist_peers(o, show, &v);
}

static int read_node(struct ed_reader *r, char node[MAXATOMLEN_UTF8])
{
	erlang_pid pid;
	erlang_ref ref;
	erlang_port port;
	int tag = ed_peek(r), err;

	if (ed_is_pid(tag)) {
		err = ed_read_pid(r, &pid);
		memcpy(node, pid.node, err ? 0 : sizeof(pid.node));
		return err;
	}
	if (ed_is_ref(tag)) {
		err = ed_read_ref(r, &ref);
		memcpy(node, ref.node, err ? 0 : sizeof(ref.node));
		return err;
	}
	err = ed_read_port(r, &port);
	memcpy(node, port.node, err ? 0 : sizeof(port.node));
	return err;
}

int erldist_node_of(char *node, size_t size, const void *term, size_t len)
{
	struct erldist_slice s = ed_slice(term, len);
	char name[MAXATOMLEN_UTF8] = "";
	struct ed_reader r;

	ed_reader_init(&r, s.term, s.len);
	if (read_node(&r, name) || ed_left(&r))
		return -EINVAL;
	if (strlen(name) >= size)
		return -ERANGE;
	memcpy(node, name, strlen(name) + 1);
	return 0;
}
