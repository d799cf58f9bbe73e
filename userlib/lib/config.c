// SPDX-License-Identifier: LGPL-2.1-or-later
/* What of a keeper can be changed while it runs, made as a whole and then put in place. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keeper.h"

/* Connections from one address where no limit is given: more than a host has nodes */
#define PER_ADDRESS	256

static int out_of_memory(struct erldist_keeper *k)
{
	return ed_fail(&k->error, -ENOMEM, "out of memory");
}

static int add_text(struct erldist_keeper *k, struct text_list ***end, const char *text)
{
	struct text_list *t = malloc(sizeof(*t) + strlen(text) + 1);

	if (!t)
		return out_of_memory(k);
	t->next = NULL;
	strcpy(t->text, text);
	**end = t;
	*end = &t->next;
	return 0;
}

static int copy_text(struct erldist_keeper *k, char **to, const char *text)
{
	if (!text || !*text)
		return 0;
	*to = strdup(text);
	return *to ? 0 : out_of_memory(k);
}

/* "b" is on the own host */
static int peer_name(struct erldist_keeper *k, char node[ED_NODE_SIZE], const char *text,
		     size_t len)
{
	char name[ED_NODE_SIZE];

	if (len >= sizeof(name))
		return -EINVAL;
	snprintf(name, sizeof(name), "%.*s", (int)len, text);
	return ed_node_name(NULL, node, name, k->node);
}

/* "192.0.2.1:4400", "[2001:db8::1]:4400", "unix:/run/b" */
static int static_place(struct erldist_keeper *k, struct static_peer *s, const char *text,
			const char *place)
{
	union address a;

	if (!strncmp(place, "unix:", 5)) {
		place += 5;
		if (!*place || strlen(place) >= sizeof(a.un.sun_path))
			return ed_fail(&k->error, -EINVAL, "%s: a path has 1 to %zu bytes", text,
				       sizeof(a.un.sun_path) - 1);
		snprintf(s->host, sizeof(s->host), "%s", place);
		return 0;
	}
	if (!strrchr(place, ':') || ed_split_place(NULL, place, s->host, sizeof(s->host), &s->port) ||
	    !s->host[0] || !s->port)
		return ed_fail(&k->error, -EINVAL, "%s: expected NODE=HOST:PORT or NODE=unix:PATH, "
			       "port 1 to 65535", text);
	return 0;
}

/* "b@host=192.0.2.1:4400", "b=host:4400": the own host if none is given */
static int add_static(struct erldist_keeper *k, struct config *c, const char *text)
{
	const char *equals = strchr(text, '=');
	struct static_peer *s = calloc(1, sizeof(*s));

	if (!s)
		return out_of_memory(k);
	s->next = c->statics;
	c->statics = s;
	if (!equals || peer_name(k, s->node, text, (size_t)(equals - text)))
		return ed_fail(&k->error, -EINVAL, "%s: expected NODE=HOST:PORT or NODE=unix:PATH",
			       text);
	return static_place(k, s, text, equals + 1);
}

/* "b@host=/etc/erldist/b.cookie" */
static int add_cookie(struct erldist_keeper *k, struct config *c, const char *text)
{
	const char *equals = strchr(text, '=');
	struct peer_cookie *p = calloc(1, sizeof(*p));

	if (!p)
		return out_of_memory(k);
	p->next = c->cookies;
	c->cookies = p;
	if (!equals || !equals[1] || peer_name(k, p->node, text, (size_t)(equals - text)))
		return ed_fail(&k->error, -EINVAL, "%s: expected NODE=FILE", text);
	return ed_cookie_get(&k->error, &p->cookie, NULL, equals + 1);
}

static int add_keep(struct erldist_keeper *k, struct text_list ***end, const char *text)
{
	char node[ED_NODE_SIZE];

	if (peer_name(k, node, text, strlen(text)))
		return ed_fail(&k->error, -EINVAL, "%s is no node name", text);
	if (!strcmp(node, k->node))
		return ed_fail(&k->error, -EINVAL, "%s is this node, which cannot connect to itself",
			       node);
	return add_text(k, end, node);
}

/* "b@host", "host", "b@" */
static int add_allow(struct erldist_keeper *k, struct text_list ***end, const char *text)
{
	const char *at = strchr(text, '@');

	if (!*text || at == text || (at && at[1] && !ed_node_ok(text)))
		return ed_fail(&k->error, -EINVAL, "\"%s\": expected a node NAME@HOST, a host, or "
			       "NAME@", text);
	return add_text(k, end, text);
}

static int make_lists(struct erldist_keeper *k, struct config *c,
		      const struct erldist_keeper_options *o)
{
	struct text_list **keep = &c->keep, **allow = &c->allow;
	const char *const *t;
	int err = 0;

	for (t = o->peers; !err && t && *t; t++)
		err = add_static(k, c, *t);
	for (t = o->cookies; !err && t && *t; t++)
		err = add_cookie(k, c, *t);
	for (t = o->keep; !err && t && *t; t++)
		err = add_keep(k, &keep, *t);
	for (t = o->allow; !err && t && *t; t++)
		err = add_allow(k, &allow, *t);
	return err;
}

/* For messages: that it is not there is told once, not of each node */
static bool runnable(const char *program)
{
	char path[4096];

	return ed_program_find(path, sizeof(path), program);
}

static int make_commands(struct erldist_keeper *k, struct config *c,
			 const struct erldist_keeper_options *o)
{
	int err = copy_text(k, &c->admit, o->admit);

	if (!err)
		err = copy_text(k, &c->connect_with, o->connect_with);
	if (err)
		return err;
	if (c->admit && !runnable(c->admit))
		return ed_fail(&k->error, -ENOENT, "%s, which is to be asked about connections, is "
			       "no program that can be run", c->admit);
	if (c->connect_with && ed_command_check(c->connect_with))
		return ed_fail(&k->error, -EINVAL, "%s: expected a command of less than 4096 "
			       "bytes; %%h is the host, %%p the port, %%%% a %%",
			       c->connect_with);
	return 0;
}

static int make_settings(struct erldist_keeper *k, struct config *c,
			 const struct erldist_keeper_options *o)
{
	int err;

	memset(c, 0, sizeof(*c));
	c->dist_port = o->dist_port;
	c->auto_connect = o->auto_connect;
	c->connections = o->connections;
	c->per_address = o->per_address ? o->per_address : PER_ADDRESS;
	c->ask = o->options & ERLDIST_KEEPER_ASK;
	if (c->auto_connect > ERLDIST_AUTO_CONNECT_NEVER)
		return ed_fail(&k->error, -EINVAL, "%u is no way to connect", c->auto_connect);
	if (o->cookie && o->cookie_file)
		return ed_fail(&k->error, -EINVAL, "a cookie and a cookie file: only one can be");
	err = make_lists(k, c, o);
	if (!err)
		err = make_commands(k, c, o);
	return err;
}

/* On error, what was made is to be freed all the same */
int ed_config_make(struct erldist_keeper *k, struct config *c,
		   const struct erldist_keeper_options *o)
{
	int err = make_settings(k, c, o);

	return err ? err : ed_cookie_get(&k->error, &c->cookie, o->cookie, o->cookie_file);
}

/* Makes nothing: not even the cookie of the home directory */
int ed_config_check(struct erldist_keeper *k, const struct erldist_keeper_options *o)
{
	struct config c;
	int err = make_settings(k, &c, o);

	if (!err && (o->cookie || o->cookie_file))
		err = ed_cookie_get(&k->error, &c.cookie, o->cookie, o->cookie_file);
	ed_config_free(&c);
	return err;
}

static const struct peer_cookie *find_cookie(const struct config *c, const char *node)
{
	const struct peer_cookie *p;

	for (p = c->cookies; p; p = p->next)
		if (!strcmp(p->node, node))
			return p;
	return NULL;
}

/* The one for a peer */
const struct ed_cookie *ed_config_cookie(const struct config *c, const char *node)
{
	const struct peer_cookie *p = find_cookie(c, node);

	return p ? &p->cookie : &c->cookie;
}

static int give_cookies(struct erldist_keeper *k, struct config *c)
{
	struct peer_cookie *p;
	int err;

	err = ed_node_cookie(k, NULL, &c->cookie);
	for (p = k->config.cookies; !err && p; p = p->next)
		if (!find_cookie(c, p->node))
			err = ed_node_cookie(k, p->node, NULL);
	for (p = c->cookies; !err && p; p = p->next)
		err = ed_node_cookie(k, p->node, &p->cookie);
	return err ? ed_fail(&k->error, err, "the kernel takes no cookie: %s",
			     ed_errno_text(err)) : 0;
}

/* Puts it in place: k->config is what was, or nothing. The node is bound */
int ed_config_apply(struct erldist_keeper *k, struct config *c)
{
	struct peer_cookie *p;
	int err = give_cookies(k, c);

	if (!err)
		err = ed_peers_keep(k, c->keep);
	explicit_bzero(c->cookie.value, sizeof(c->cookie.value));
	for (p = c->cookies; p; p = p->next)
		explicit_bzero(p->cookie.value, sizeof(p->cookie.value));
	if (err)
		return err;
	ed_config_free(&k->config);
	k->config = *c;
	memset(c, 0, sizeof(*c));
	snprintf(k->cookie_source, sizeof(k->cookie_source), "%s", k->config.cookie.source);
	return 0;
}

static void free_texts(struct text_list *t)
{
	struct text_list *next;

	for (; t; t = next) {
		next = t->next;
		free(t);
	}
}

void ed_config_free(struct config *c)
{
	struct static_peer *s;
	struct peer_cookie *p;

	while ((s = c->statics)) {
		c->statics = s->next;
		free(s);
	}
	while ((p = c->cookies)) {
		c->cookies = p->next;
		explicit_bzero(p, sizeof(*p));
		free(p);
	}
	free_texts(c->keep);
	free_texts(c->allow);
	free(c->admit);
	free(c->connect_with);
	explicit_bzero(c, sizeof(*c));
}

const struct static_peer *ed_config_static(const struct config *c, const char *node)
{
	const struct static_peer *s;

	for (s = c->statics; s; s = s->next)
		if (!strcmp(s->node, node))
			return s;
	return NULL;
}

/* "b@host" is a node, "host" its host, "b@" its name */
static bool matches(const char *allowed, const char *node)
{
	const char *at = strchr(allowed, '@'), *host = strchr(node, '@');

	if (!host)
		return false;
	if (!at)
		return !strcmp(allowed, host + 1);
	if (!at[1])
		return host - node == at - allowed && !memcmp(node, allowed, (size_t)(at - allowed));
	return !strcmp(allowed, node);
}

bool ed_config_allows(const struct config *c, const char *node)
{
	const struct text_list *t;

	for (t = c->allow; t; t = t->next)
		if (matches(t->text, node))
			return true;
	return !c->allow;
}
