// SPDX-License-Identifier: GPL-2.0-only
/* One node: a keeper, what is served beside it, and what of them is parked. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "erldistd.h"

#define DEFAULT_PLACE	"*"

static struct park park_of(const struct node *n, enum park_kind kind, const char *place)
{
	return (struct park){ .kind = kind, .node = n->conf->node, .place = place };
}

static int level_of(const struct erldist_keeper_event *e)
{
	switch (e->type) {
	case ERLDIST_KEEPER_WANTED:
		return LOG_DEBUG;
	case ERLDIST_KEEPER_REGISTERED:
	case ERLDIST_KEEPER_UP:
		return LOG_INFO;
	case ERLDIST_KEEPER_DOWN:
		return LOG_NOTICE;
	case ERLDIST_KEEPER_UNREACHABLE:
		return LOG_NOTICE;
	default:
		return LOG_WARNING;
	}
}

static void on_event(void *user, const struct erldist_keeper_event *e)
{
	struct node *n = user;
	unsigned int repeated;
	bool news = trouble_news(&n->troubles, e, &repeated);
	int level = news ? level_of(e) : LOG_DEBUG;

	if (e->type == ERLDIST_KEEPER_REGISTERED || e->type == ERLDIST_KEEPER_NO_EPMD)
		n->registration = true;
	if (repeated)
		say_limited(&n->limits[e->type], level, "%s: %s had failed %u more times as told",
			    n->conf->node, e->peer, repeated);
	/* with several nodes it matters which one */
	if (!strncmp(e->text, n->conf->node, strlen(n->conf->node)))
		say_limited(&n->limits[e->type], level, "%s", e->text);
	else
		say_limited(&n->limits[e->type], level, "%s: %s", n->conf->node, e->text);
}

static void on_hand_out(void *user, const struct erldist_broker_event *e)
{
	struct node *n = user;

	if (e->error)
		say_limited(&n->not_handed_out, LOG_NOTICE, "%s", e->text);
	else
		say_limited(&n->handed_out, LOG_INFO, "%s", e->text);
}

/* The line whose value the text speaks of, or 0 */
static unsigned int line_of(const struct conf *c, const char *text)
{
	unsigned int i;

	for (i = 0; i < c->n; i++)
		if (c->lines[i].option->how != OPTION_SECRET &&
		    c->lines[i].option->kind <= OPTION_LIST && strlen(c->lines[i].value) > 3 &&
		    strstr(text, c->lines[i].value))
			return c->lines[i].number;
	return 0;
}

int node_failed(struct mistakes *m, const struct conf *c, const char *what, const void *handle,
		  int err)
{
	const char *text = erldist_strerror(handle, err);

	mistake(m, c, line_of(c, text), "%s%s", what, text);
	return -1;
}

/* Sockets of an erldistd before this one in place of what s says. Are all of them there? */
static bool adopt_listeners(const struct node *n, struct words *places, char (*fds)[16])
{
	bool all = true;
	unsigned int i;
	struct park p;
	int fd;

	if (n->conf->setup.keeper.options & ERLDIST_KEEPER_NO_LISTEN)
		return true;
	if (!places->n)
		places->word[places->n++] = DEFAULT_PLACE;
	for (i = 0; i < places->n; i++) {
		/* a socket unit's are handed over each time */
		if (!strncmp(places->word[i], "systemd", 7))
			continue;
		p = park_of(n, PARK_LISTEN, places->word[i]);
		fd = park_take(&p);
		all = all && fd;
		if (!fd)
			continue;
		snprintf(fds[i], sizeof(fds[i]), "fd:%d", fd);
		places->word[i] = fds[i];
	}
	return all;
}

/* A registration that tells another port is of no use; it ends here */
static void drop_registration(const struct node *n, struct erldist_keeper_options *o)
{
	struct park p = park_of(n, PARK_EPMD, "");

	if (!o->epmd_fd)
		return;
	close(o->epmd_fd);
	o->epmd_fd = 0;
	park_drop(&p);
	notify_barrier();
}

static void take_parked(struct node *n, struct erldist_keeper_options *o, struct words *places,
			char (*fds)[16])
{
	struct park node = park_of(n, PARK_NODE, ""), epmd = park_of(n, PARK_EPMD, "");
	bool all;

	o->node_fd = park_take(&node);
	o->epmd_fd = park_take(&epmd);
	all = adopt_listeners(n, places, fds);
	n->adopted = o->node_fd;
	if (!all || !o->node_fd || o->dist_port ||
	    o->options & (ERLDIST_KEEPER_WITHOUT_EPMD | ERLDIST_KEEPER_NO_LISTEN))
		drop_registration(n, o);
	if (places->n == 1 && !strcmp(places->word[0], DEFAULT_PLACE)) {
		places->n = 0;
		places->word[0] = NULL;
	}
	o->listens = places->word;
}

static void park_epmd(struct node *n)
{
	struct park p = park_of(n, PARK_EPMD, "");
	int fd = erldist_keeper_epmd_fd(n->k);

	n->registration = false;
	if (fd >= 0)
		park_put(&p, fd);
	else
		park_drop(&p);
}

/*
 * What the service manager has it is not given again: a node that goes on, places
 * that are descriptors, be they from the store or a socket unit's.
 */
static void park_node(struct node *n, const struct words *places)
{
	struct park p = park_of(n, PARK_NODE, "");
	unsigned int i;

	if (!n->adopted)
		park_put(&p, erldist_keeper_node_fd(n->k));
	for (i = 0; i < places->n; i++) {
		p = park_of(n, PARK_LISTEN, places->word[i]);
		if (strncmp(places->word[i], "fd:", 3))
			park_put(&p, erldist_keeper_listen_fd(n->k, i));
	}
	p = park_of(n, PARK_LISTEN, DEFAULT_PLACE);
	if (!places->n)
		park_put(&p, erldist_keeper_listen_fd(n->k, 0));
	if (n->registration)
		park_epmd(n);
}

static void unpark_node(const struct node *n)
{
	const struct words *places = &n->conf->setup.listens;
	struct park p = park_of(n, PARK_EPMD, "");
	unsigned int i;

	park_drop(&p);
	for (i = 0; i < places->n; i++) {
		p = park_of(n, PARK_LISTEN, places->word[i]);
		park_drop(&p);
	}
	p = park_of(n, PARK_LISTEN, DEFAULT_PLACE);
	park_drop(&p);
	if (n->conf->setup.hand_out) {
		p = park_of(n, PARK_HAND_OUT, n->conf->setup.hand_out);
		park_drop(&p);
	}
	p = park_of(n, PARK_NODE, "");
	park_drop(&p);
}

/* All that a node of this file can go on with */
void node_want_parked(const struct conf *c)
{
	const struct words *places = &c->setup.listens;
	struct park p = { .kind = PARK_NODE, .node = c->node, .place = "" };
	unsigned int i;

	park_want(&p);
	p.kind = PARK_EPMD;
	park_want(&p);
	p.kind = PARK_LISTEN;
	for (i = 0; i < places->n; i++) {
		p.place = places->word[i];
		park_want(&p);
	}
	p.place = DEFAULT_PLACE;
	if (!places->n && !(c->setup.keeper.options & ERLDIST_KEEPER_NO_LISTEN))
		park_want(&p);
	p.kind = PARK_HAND_OUT;
	p.place = c->setup.hand_out;
	if (p.place)
		park_want(&p);
}

static int open_keeper(struct node *n, struct mistakes *m)
{
	struct erldist_keeper_options o = n->conf->setup.keeper;
	struct node_setup s = n->conf->setup;
	char fds[WORDS_MAX][16];
	int err;

	o.event = on_event;
	o.user = n;
	take_parked(n, &o, &s.listens, fds);
	if (inherited_listeners(&s, PARK_PREFIX)) {
		mistake(m, n->conf, line_of(n->conf, s.error), "%s", s.error);
		return -1;
	}
	o.listens = s.listens.word;
	err = erldist_keeper_open(&n->k, &o);
	if (err)
		return node_failed(m, n->conf, "", n->k, err);
	park_node(n, &s.listens);
	return 0;
}

static int open_broker(struct node *n, struct mistakes *m)
{
	struct erldist_broker_options o = ERLDIST_BROKER_OPTIONS_INIT;
	struct park p = park_of(n, PARK_HAND_OUT, n->conf->setup.hand_out);
	int err;

	o.path = n->conf->setup.hand_out;
	o.mode = n->conf->setup.hand_out_mode;
	o.node = n->conf->node;
	o.event = on_hand_out;
	o.user = n;
	o.listen_fd = park_take(&p);
	err = erldist_broker_open(&n->b, &o);
	if (err)
		return node_failed(m, n->conf, "hand-out: ", n->b, err);
	if (!o.listen_fd)
		park_put(&p, erldist_broker_listen_fd(n->b));
	return 0;
}

static int open_info(struct node *n, struct mistakes *m)
{
	if (!serve_info_open(&n->info, n->conf->node))
		return 0;
	mistake(m, n->conf, 0, "serve-info: %s", serve_info_error(n->info));
	return -1;
}

static void close_info(struct node *n)
{
	serve_info_close(n->info);
	n->info = NULL;
}

static int take_default(struct node *n, struct mistakes *m)
{
	int err = mark_default(n->conf->node);

	if (err)
		mistake(m, n->conf, 0, "default: " ERLDIST_DEFAULT_FILE ": %s", strerror(-err));
	return err;
}

/* The paths of sockets that were adopted are ours to remove */
static void remove_paths(const struct node *n)
{
	const struct words *places = &n->conf->setup.listens;
	unsigned int i;

	for (i = 0; n->adopted && i < places->n; i++)
		if (!strncmp(places->word[i], "unix:", 5))
			unlink(places->word[i] + 5);
}

void node_close(struct node *n)
{
	if (n->conf->setup.mark_default)
		unmark_default(n->conf->node);
	close_info(n);
	erldist_broker_close(n->b);
	if (n->k)
		unpark_node(n);
	remove_paths(n);
	erldist_keeper_close(n->k);
	troubles_free(&n->troubles);
	conf_free(n->conf);
	free(n);
}

static int watch(struct node *n, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = n };

	return fd >= 0 && epoll_ctl(n->epfd, EPOLL_CTL_ADD, fd, &ev) ? -errno : 0;
}

static int watch_all(struct node *n, struct mistakes *m)
{
	int err = watch(n, erldist_keeper_fd(n->k));

	if (!err && n->info)
		err = watch(n, serve_info_fd(n->info));
	if (!err && n->b)
		err = watch(n, erldist_broker_fd(n->b));
	if (err)
		mistake(m, n->conf, 0, "epoll: %s", strerror(-err));
	return err;
}

/* A cookie in the file itself is the library's options to the library */
const char *node_cookie_source(const struct node *n)
{
	return n->conf->setup.keeper.cookie ? n->conf->path : erldist_keeper_cookie_source(n->k);
}

void node_tell_start(const struct node *n)
{
	char port[32] = "";

	if (erldist_keeper_port(n->k))
		snprintf(port, sizeof(port), ", port %d", erldist_keeper_port(n->k));
	say(LOG_NOTICE, "%s %s%s, cookie from %s", n->conf->node,
	    n->adopted ? "goes on" : "is running", port, node_cookie_source(n));
}

/* Takes the configuration, also if it fails */
struct node *node_open(int epfd, struct conf *c, struct mistakes *m)
{
	struct node *n = calloc(1, sizeof(*n));
	int err;

	/* epmd may take its time with each */
	notify(-1, "WATCHDOG=1\nEXTEND_TIMEOUT_USEC=30000000");
	c->next = NULL;
	if (!n) {
		mistake(m, c, 0, "out of memory");
		conf_free(c);
		return NULL;
	}
	n->epfd = epfd;
	n->conf = c;
	err = open_keeper(n, m);
	if (!err && c->setup.serve_info)
		err = open_info(n, m);
	if (!err && c->setup.hand_out)
		err = open_broker(n, m);
	if (!err && c->setup.mark_default)
		err = take_default(n, m);
	if (!err)
		err = watch_all(n, m);
	if (err) {
		node_close(n);
		return NULL;
	}
	return n;
}

int node_configure(struct node *n, const struct conf *c)
{
	struct erldist_keeper_options o = c->setup.keeper;

	o.event = on_event;
	o.user = n;
	return erldist_keeper_configure(n->k, &o);
}

/* What is beside the keeper: from here on it is told what fails, and goes on */
void node_change_rest(struct node *n, const struct node_setup *was)
{
	const struct node_setup *now = &n->conf->setup;
	struct mistakes m = { .tell = true };

	if (was->serve_info && !now->serve_info)
		close_info(n);
	if (!was->serve_info && now->serve_info) {
		if (open_info(n, &m))
			close_info(n);
		else
			watch(n, serve_info_fd(n->info));
	}
	if (was->mark_default && !now->mark_default)
		unmark_default(n->conf->node);
	if (now->mark_default)
		take_default(n, &m);
}

/* An error is one that a restart may help against */
int node_dispatch(struct node *n)
{
	int err = erldist_keeper_dispatch(n->k);
	const char *text;

	if (n->registration)
		park_epmd(n);
	if (err) {
		say(LOG_ERR, "%s: %s", n->conf->node, erldist_strerror(n->k, err));
		return err;
	}
	text = n->info ? serve_info_dispatch(n->info) : NULL;
	if (text)
		say_limited(&n->not_served, LOG_WARNING, "%s: serve-info: %s", n->conf->node, text);
	err = n->b ? erldist_broker_dispatch(n->b) : 0;
	if (err)
		say(LOG_ERR, "%s: hand-out: %s", n->conf->node, erldist_strerror(n->b, err));
	return err;
}
