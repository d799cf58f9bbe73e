// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What every server answers: a few functions of the module erlang that tell of
 * the node, and change nothing.
 */
#include <string.h>

#include "serve.h"

/* A list that grows */
struct list {
	struct erldist_server *s;
	struct erldist_term t;
	uint32_t n;
	const char *name;	/* wanted: a name, or a kind of node */
	uint64_t flags;
};

static struct erldist_server *server_of(const struct erldist_request *open)
{
	return ((const struct request *)open)->server;
}

static int put_name(struct list *l, const char *name)
{
	l->n++;
	return ed_put_atom(&l->t, name, strlen(name));
}

static int list_begin(struct list *l)
{
	int err = ed_put_u8(&l->t, ERL_LIST_EXT);

	return err ? err : ed_put_u32(&l->t, 0);
}

static int list_end(struct list *l)
{
	int err = ed_put_u8(&l->t, ERL_NIL_EXT);

	if (!err && !l->n)
		l->t.len = 0, err = ed_put_u8(&l->t, ERL_NIL_EXT);
	else if (!err)
		ed_patch_u32(&l->t, 1, l->n);
	return err;
}

/* Returns its value, or an error */
static int give(struct erldist_request *open, struct list *l, int err)
{
	if (!err)
		err = list_end(l);
	if (!err)
		erldist_request_end(open, ERLDIST_END_RETURN, l->t.term, l->t.len);
	erldist_term_free(&l->t);
	return err;
}

static int run_node(struct erldist_request *open, void *data)
{
	(void)data;
	return erldist_request_endf(open, ERLDIST_END_RETURN, "~a", server_of(open)->p->node);
}

static bool is_wanted(const struct list *l, const struct erldist_peer_info *info)
{
	const char *kind = info->flags & ERLDIST_DFLAG_PUBLISHED ? "visible" : "hidden";

	if (strcmp(info->node, l->s->p->node))
		return false;
	if (!strcmp(l->name, "known"))
		return true;
	return info->state == ERLDIST_PEER_STATE_UP &&
	       (!strcmp(l->name, "connected") || !strcmp(l->name, kind));
}

static int add_peer(void *user, const struct erldist_peer_info *info)
{
	struct list *l = user;

	return is_wanted(l, info) ? put_name(l, info->name) : 0;
}

static int add_kind(struct list *l, const char *kind)
{
	static const char *const kinds[] = { "visible", "hidden", "connected", "known", "this" };
	int err = 0;
	size_t i;

	for (i = 0; i < ED_ARRAY_SIZE(kinds) && strcmp(kind, kinds[i]);)
		i++;
	if (i == ED_ARRAY_SIZE(kinds))
		return -EINVAL;
	l->name = kind;
	if (!strcmp(kind, "this") || !strcmp(kind, "known"))
		err = put_name(l, l->s->p->node);
	if (!err && strcmp(kind, "this"))
		err = erldist_peers(l->s->observer, add_peer, l);
	return err;
}

static int run_nodes(struct erldist_request *open, void *data)
{
	struct list l = { .s = server_of(open) };
	int err = list_begin(&l);

	(void)data;
	return give(open, &l, err ? err : add_kind(&l, "visible"));
}

/* [Kind]: each node once, though it may be of several kinds */
static int add_kinds(struct list *l, struct ed_reader *r)
{
	bool visible = false, hidden = false, this = false, known = false;
	struct ed_reader *item;
	struct ed_atom kind;
	struct ed_list in;
	int err = ed_list_begin(&in, r);

	while (!err && (item = ed_list_next(&in))) {
		err = ed_is_atom(ed_peek(item)) ? ed_read_atom(item, &kind) : -EINVAL;
		if (err)
			break;
		visible |= !strcmp(kind.s, "visible") || !strcmp(kind.s, "connected");
		hidden |= !strcmp(kind.s, "hidden") || !strcmp(kind.s, "connected");
		this |= !strcmp(kind.s, "this");
		known |= !strcmp(kind.s, "known");
		if (strcmp(kind.s, "visible") && strcmp(kind.s, "hidden") &&
		    strcmp(kind.s, "connected") && strcmp(kind.s, "this") &&
		    strcmp(kind.s, "known"))
			err = -EINVAL;
	}
	if (err || ed_peek(ed_list_tail(&in)) != ERL_NIL_EXT)
		return -EINVAL;
	if (known)
		return add_kind(l, "known");
	if (this)
		err = add_kind(l, "this");
	if (!err && visible)
		err = add_kind(l, hidden ? "connected" : "visible");
	else if (!err && hidden)
		err = add_kind(l, "hidden");
	return err;
}

static int run_nodes_of(struct erldist_request *open, void *data)
{
	struct list l = { .s = server_of(open) };
	char kind[ERLDIST_ATOM_SIZE];
	struct erldist_slice kinds;
	struct ed_reader r;
	int err = list_begin(&l);

	(void)data;
	if (!err && !erldist_match(open->args.term, open->args.len, "[~a]", kind, sizeof(kind)))
		return give(open, &l, add_kind(&l, kind));
	if (!err)
		err = erldist_match(open->args.term, open->args.len, "[~t]", &kinds);
	if (!err) {
		ed_reader_init(&r, kinds.term, kinds.len);
		err = add_kinds(&l, &r);
	}
	return give(open, &l, err);
}

static bool is_ours(const struct list *l, const struct erldist_process_info *info)
{
	return !strcmp(info->node, l->s->p->node) &&
	       info->state == ERLDIST_PROCESS_STATE_ALIVE;
}

static int add_registered(void *user, const struct erldist_process_info *info)
{
	struct list *l = user;

	return is_ours(l, info) && info->name ? put_name(l, info->name) : 0;
}

static int run_registered(struct erldist_request *open, void *data)
{
	struct list l = { .s = server_of(open) };
	int err = list_begin(&l);

	(void)data;
	return give(open, &l, err ? err : erldist_processes(l.s->observer, add_registered, &l));
}

static int put_process(struct list *l, const struct erldist_process_info *info)
{
	erlang_pid pid = l->s->p->self;

	pid.num = info->id;
	pid.serial = info->serial;
	pid.creation = info->creation;
	l->n++;
	return ed_put_pid(&l->t, &pid);
}

static int add_process(void *user, const struct erldist_process_info *info)
{
	struct list *l = user;

	return is_ours(l, info) ? put_process(l, info) : 0;
}

static int run_processes(struct erldist_request *open, void *data)
{
	struct list l = { .s = server_of(open) };
	int err = list_begin(&l);

	(void)data;
	return give(open, &l, err ? err : erldist_processes(l.s->observer, add_process, &l));
}

static int add_named(void *user, const struct erldist_process_info *info)
{
	struct list *l = user;

	if (!is_ours(l, info) || !info->name || strcmp(info->name, l->name))
		return 0;
	return put_process(l, info);
}

/* The pid of a name of this node. -ENOENT: there is none */
int ed_serve_whereis(struct erldist_server *s, const char *name, struct erldist_term *pid)
{
	struct list l = { .s = s, .name = name };
	int err = erldist_processes(s->observer, add_named, &l);

	*pid = l.t;
	return err ? err : l.n ? 0 : -ENOENT;
}

static int run_whereis(struct erldist_request *open, void *data)
{
	struct erldist_term pid = ERLDIST_TERM_INIT;
	char name[ERLDIST_ATOM_SIZE];
	int err = erldist_match(open->args.term, open->args.len, "[~a]", name, sizeof(name));

	(void)data;
	if (!err)
		err = ed_serve_whereis(server_of(open), name, &pid);
	if (!err)
		erldist_request_end(open, ERLDIST_END_RETURN, pid.term, pid.len);
	erldist_term_free(&pid);
	if (err == -ENOENT)
		return erldist_request_endf(open, ERLDIST_END_RETURN, "undefined");
	return err;
}

static const struct erldist_function info[] = {
	{ "erlang", "node", 0, run_node, NULL },
	{ "erlang", "nodes", 0, run_nodes, NULL },
	{ "erlang", "nodes", 1, run_nodes_of, NULL },
	{ "erlang", "registered", 0, run_registered, NULL },
	{ "erlang", "processes", 0, run_processes, NULL },
	{ "erlang", "whereis", 1, run_whereis, NULL },
};

const struct erldist_function *ed_serve_info(const char *module, const char *name,
					     unsigned int arity)
{
	size_t i;

	for (i = 0; i < ED_ARRAY_SIZE(info); i++)
		if (!strcmp(module, info[i].module) && !strcmp(name, info[i].name) &&
		    info[i].arity == (int)arity)
			return &info[i];
	return NULL;
}
