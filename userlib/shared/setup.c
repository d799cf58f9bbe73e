// SPDX-License-Identifier: GPL-2.0-only
/* The options that say what a node is like: one table for command line and files. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared.h"

#define AT(member)	offsetof(struct node_setup, member)

const struct node_option node_options[] = {
	{ "cookie", OPTION_TEXT, 0, AT(keeper.cookie), OPTION_SECRET,
	  "C", "the cookie itself; a file is safer", "Cookie" },
	{ "cookie-file", OPTION_TEXT, 0, AT(keeper.cookie_file), OPTION_CAN_CHANGE,
	  "FILE", "file with the cookie; else ~/.erlang.cookie", NULL },
	{ "cookie-for", OPTION_LIST, 0, AT(cookies), OPTION_CAN_CHANGE,
	  "NODE=FILE", "file with the cookie for one node", NULL },
	{ "listen", OPTION_LIST, 0, AT(listens), OPTION_FIXED,
	  "ADDR:PORT", "where to listen; unix:PATH, fd:N, systemd too",
	  "Connections that come" },
	{ "listen-min", OPTION_PORT, 0, AT(keeper.listen_min), OPTION_FIXED,
	  "PORT", "the first port to try", NULL },
	{ "listen-max", OPTION_PORT, 0, AT(keeper.listen_max), OPTION_FIXED,
	  "PORT", "the last port to try", NULL },
	{ "no-listen", OPTION_FLAG, ERLDIST_KEEPER_NO_LISTEN, 0, OPTION_FIXED,
	  NULL, "accept none", NULL },
	{ "allow", OPTION_LIST, 0, AT(allow), OPTION_CAN_CHANGE,
	  "NODE|HOST|NAME@", "only these, in both directions", NULL },
	{ "admit", OPTION_TEXT, 0, AT(keeper.admit), OPTION_CAN_CHANGE,
	  "PROGRAM", "a program that is asked about each", NULL },
	{ "max-handshakes", OPTION_NUMBER, UINT32_MAX, AT(keeper.handshakes), OPTION_CAN_CHANGE,
	  "N", "limit of those that are not up yet; 64", NULL },
	{ "max-connections", OPTION_NUMBER, UINT32_MAX, AT(keeper.connections), OPTION_CAN_CHANGE,
	  "N", "limit in all; none", NULL },
	{ "max-per-address", OPTION_NUMBER, UINT32_MAX, AT(keeper.per_address), OPTION_CAN_CHANGE,
	  "N", "limit from one address; 256", NULL },
	{ "peer", OPTION_LIST, 0, AT(peers), OPTION_CAN_CHANGE,
	  "NAME=HOST:PORT", "where a node listens; NAME=unix:PATH too",
	  "Connections to other nodes" },
	{ "keep", OPTION_LIST, 0, AT(keep), OPTION_CAN_CHANGE,
	  "NODE", "connect it, again whenever it is down", NULL },
	{ "connect-with", OPTION_TEXT, 0, AT(keeper.connect_with), OPTION_CAN_CHANGE,
	  "COMMAND", "through a command, as 'ssh -W %h:%p gate'", NULL },
	{ "dist-auto-connect", OPTION_AUTO_CONNECT, 0, 0, OPTION_CAN_CHANGE,
	  "never|once", "for what processes send: never, or once", NULL },
	{ "setuptime", OPTION_NUMBER, 120, AT(keeper.setuptime), OPTION_CAN_CHANGE,
	  "S", "seconds to connect in; 7", NULL },
	{ "ticktime", OPTION_NUMBER, 1000000, AT(keeper.ticktime), OPTION_CAN_CHANGE,
	  "S", "seconds of silence until a peer is down; 60", NULL },
	{ "long-names", OPTION_FLAG, ERLDIST_KEEPER_LONG_NAMES, 0, OPTION_FIXED,
	  NULL, "fill in the host with its domain", "Name and epmd" },
	{ "epmd", OPTION_TEXT, 0, AT(keeper.epmd), OPTION_FIXED,
	  "ADDR:PORT", "the epmd to register with", NULL },
	{ "epmd-type", OPTION_EPMD_TYPE, 0, 0, OPTION_FIXED,
	  "hidden|normal", "what epmd is told about the node; hidden", NULL },
	{ "no-epmd", OPTION_FLAG, ERLDIST_KEEPER_WITHOUT_EPMD, 0, OPTION_FIXED,
	  NULL, "neither register nor ask", NULL },
	{ "no-epmd-start", OPTION_FLAG, ERLDIST_KEEPER_NO_EPMD_START, 0, OPTION_FIXED,
	  NULL, "do not start epmd if it is missing", NULL },
	{ "dist-port", OPTION_PORT, 0, AT(keeper.dist_port), OPTION_FIXED,
	  "PORT", "the port of all nodes; no epmd is asked", NULL },
	{ "mode", OPTION_OCTAL, 0777, AT(keeper.mode), OPTION_CAN_CHANGE,
	  "OCTAL", "users that can have processes; 0600: the owner",
	  "Programs on this machine" },
	{ "default", OPTION_BOOL, 0, AT(mark_default), OPTION_CAN_CHANGE,
	  NULL, "the node that programs use if none is given", NULL },
	{ "serve-info", OPTION_BOOL, 0, AT(serve_info), OPTION_CAN_CHANGE,
	  NULL, "answer nodes(), registered() and the like", NULL },
	{ "hand-out", OPTION_TEXT, 0, AT(hand_out), OPTION_FIXED,
	  "PATH", "processes for other network namespaces", NULL },
	{ "hand-out-mode", OPTION_OCTAL, 0777, AT(hand_out_mode), OPTION_FIXED,
	  "OCTAL", "mode of that path; 0600", NULL },
	{ "visible", OPTION_FLAG, ERLDIST_KEEPER_VISIBLE, 0, OPTION_FIXED,
	  NULL, NULL, NULL },
};

const size_t node_options_n = sizeof(node_options) / sizeof(node_options[0]);

const struct node_option *node_option_find(const char *name)
{
	size_t i;

	for (i = 0; i < node_options_n; i++)
		if (!strcmp(node_options[i].name, name))
			return &node_options[i];
	return NULL;
}

bool node_option_has_value(const struct node_option *option)
{
	return option->kind != OPTION_FLAG && option->kind != OPTION_BOOL;
}

__attribute__((format(printf, 2, 3)))
static int refuse(struct node_setup *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s->error, sizeof(s->error), fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static int number(struct node_setup *s, const char *text, int base, unsigned long max,
		  unsigned long *v)
{
	char *end;

	*v = strtoul(text, &end, base);
	if (!*text || *end || text[0] == '-' || *v > max)
		return refuse(s, "%s is no number up to %lu", text, max);
	return 0;
}

static int take_port(struct node_setup *s, uint16_t *to, const char *text)
{
	unsigned long v;

	if (number(s, text, 10, UINT16_MAX, &v))
		return -EINVAL;
	if (!v)
		return refuse(s, "0 is no port");
	*to = (uint16_t)v;
	return 0;
}

/* Octal digits, as chmod has them */
static int take_mode(struct node_setup *s, uint32_t *to, const char *text)
{
	unsigned long v;

	if (number(s, text, 8, 0777, &v))
		return refuse(s, "%s is no mode: octal digits up to 777", text);
	*to = (uint32_t)v;
	return 0;
}

static int take_number(struct node_setup *s, uint32_t *to, const char *text, uint32_t max)
{
	unsigned long v;

	if (number(s, text, 10, max, &v))
		return -EINVAL;
	*to = (uint32_t)v;
	return 0;
}

static int take_word(struct node_setup *s, struct words *w, const char *word)
{
	if (w->n == WORDS_MAX)
		return refuse(s, "it is given more than %d times", WORDS_MAX);
	w->word[w->n++] = word;
	return 0;
}

static int take_auto_connect(struct node_setup *s, const char *how)
{
	if (!strcmp(how, "never"))
		s->keeper.auto_connect = ERLDIST_AUTO_CONNECT_NEVER;
	else if (!strcmp(how, "once"))
		s->keeper.auto_connect = ERLDIST_AUTO_CONNECT_ONCE;
	else
		return refuse(s, "%s is neither never nor once", how);
	return 0;
}

static int take_epmd_type(struct node_setup *s, const char *type)
{
	if (!strcmp(type, "normal"))
		s->keeper.options |= ERLDIST_KEEPER_EPMD_NORMAL;
	else if (strcmp(type, "hidden"))
		return refuse(s, "%s is neither hidden nor normal", type);
	return 0;
}

/* value: of a flag it is not looked at. On error s->error says why, without the name */
int node_option_take(struct node_setup *s, const struct node_option *option, const char *value)
{
	void *at = (char *)s + option->at;

	switch (option->kind) {
	case OPTION_FLAG:
		s->keeper.options |= option->limit;
		return 0;
	case OPTION_BOOL:
		*(bool *)at = true;
		return 0;
	case OPTION_TEXT:
		*(const char **)at = value;
		return 0;
	case OPTION_LIST:
		return take_word(s, at, value);
	case OPTION_PORT:
		return take_port(s, at, value);
	case OPTION_NUMBER:
		return take_number(s, at, value, option->limit);
	case OPTION_OCTAL:
		return take_mode(s, at, value);
	case OPTION_AUTO_CONNECT:
		return take_auto_connect(s, value);
	case OPTION_EPMD_TYPE:
		return take_epmd_type(s, value);
	}
	return refuse(s, "it is not known");
}

/* The keeper's options are whole then */
void node_setup_point(struct node_setup *s, const char *name)
{
	struct erldist_keeper_options *o = &s->keeper;

	o->name = name;
	o->listens = s->listens.word;
	o->peers = s->peers.word;
	o->cookies = s->cookies.word;
	o->keep = s->keep.word;
	o->allow = s->allow.n ? s->allow.word : NULL;
}

/* All options were taken: do they go together? */
int node_setup_finish(struct node_setup *s, const char *name)
{
	struct erldist_keeper_options *o = &s->keeper;

	if (o->cookie && o->cookie_file)
		return refuse(s, "cookie or cookie-file, not both");
	if (o->options & ERLDIST_KEEPER_NO_LISTEN && s->listens.n)
		return refuse(s, "listen or no-listen, not both");
	if (s->hand_out_mode && !s->hand_out)
		return refuse(s, "hand-out-mode goes with hand-out");
	if (o->listen_max && !o->listen_min)
		return refuse(s, "listen-max goes with listen-min");
	if (!o->listen_max)
		o->listen_max = o->listen_min;
	if (o->listen_min > o->listen_max)
		return refuse(s, "listen-min %u is more than listen-max %u", o->listen_min,
			      o->listen_max);
	node_setup_point(s, name);
	return 0;
}
