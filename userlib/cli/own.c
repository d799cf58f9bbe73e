// SPDX-License-Identifier: GPL-2.0-only
/* erldist node own: a node for the program that started it, until its input ends. */
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

#define NAMES_MAX	65536
#define DRAIN_MS	5000	/* without anything moving */
#define DRAIN_ALL_MS	15000	/* however slowly it moves */
#define LOOK_MS		10
#define LINGER_MS	1000

/* The peer that gave the name, and whether it is still connected */
struct giver {
	char node[ERLDIST_ATOM_SIZE];	/* empty: no peer gave it */
	bool gone;
};

static void on_event(void *user, const struct erldist_keeper_event *e)
{
	struct giver *g = user;

	if (e->type == ERLDIST_KEEPER_DOWN && e->peer && !strcmp(e->peer, g->node))
		g->gone = true;
}

/* A short name where the peer has one: what it knows no other of */
static int own_host(char *host, size_t size, const char *peer)
{
	if (gethostname(host, size - 1))
		return -errno;
	if (*peer && !strpbrk(peer, ".:"))
		host[strcspn(host, ".")] = 0;
	return 0;
}

/*
 * Nobody connects to it, so that names of both kinds are the same to it. A name that
 * the peer gives is the best one, as that gives it again and again, and to nobody
 * else meanwhile. Else few names, used again and again: each stays in a table of the
 * Erlang nodes it meets.
 */
static int make_named(struct erldist_keeper **k, struct erldist_keeper_options *o,
		      const char *host)
{
	char name[ERLDIST_NAME_MAX + 32];
	int i, err = -EADDRINUSE;
	bool asked;

	o->name = name;
	for (i = 1; i <= NAMES_MAX; i++) {
		snprintf(name, sizeof(name), "%s%d@%.200s", ERLDIST_OWN_PREFIX, i, host);
		asked = o->named_by;
		err = erldist_keeper_open(k, o);
		o->named_by = NULL;
		if (!err || err == -EINVAL || (err != -EADDRINUSE && !asked))
			break;
		erldist_keeper_close(*k);
		*k = NULL;
	}
	o->name = NULL;
	return err;
}

static int make(struct cli *c, struct erldist_keeper **k, struct giver *g)
{
	struct erldist_keeper_options *o = &c->setup.keeper;
	char host[ERLDIST_NAME_MAX + 1] = "";
	int err;

	if (c->argc) {
		err = erldist_node_name(g->node, sizeof(g->node), c->argv[0], NULL);
		if (err)
			return err;
	}
	err = own_host(host, sizeof(host), g->node);
	if (err)
		return err;
	o->options |= ERLDIST_KEEPER_NO_LISTEN | ERLDIST_KEEPER_ANY_NAMES;
	if (strchr(host, '.'))
		o->options |= ERLDIST_KEEPER_LONG_NAMES;
	o->mode = 0600 | ERLDIST_MODE_OWN;
	o->named_by = *g->node ? g->node : NULL;
	o->named_within = (uint32_t)c->timeout_ms;
	o->event = on_event;
	o->user = g;
	err = make_named(k, o, host);
	if (!err && !strncmp(erldist_keeper_node(*k), ERLDIST_OWN_PREFIX,
			     strlen(ERLDIST_OWN_PREFIX)))
		*g->node = 0;
	return err;
}

struct draining {
	const char *node;
	struct erldist *p;
	uint64_t queued;
	int64_t until;		/* CLOCK_MONOTONIC, in ms */
};

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int add_queued(void *user, const struct erldist_peer_info *info)
{
	struct draining *d = user;

	if (!strcmp(info->node, d->node))
		d->queued += info->queued;
	return 0;
}

static int add_answer(void *user, const struct erldist_peer_info *info)
{
	struct draining *d = user;
	int64_t left = d->until - now_ms();

	if (left <= 0)
		return 1;
	if (!strcmp(info->node, d->node) && info->state == ERLDIST_PEER_STATE_UP)
		ask_node(d->p, info->name, left < DRAIN_MS ? (int)left : DRAIN_MS);
	return 0;
}

/* Until nothing is queued, or nothing of it moves for some time */
static void drain_queues(struct erldist_keeper *k, struct erldist_observer *o, struct draining *d)
{
	uint64_t before = UINT64_MAX;
	int i = 0;

	for (;;) {
		d->queued = 0;
		if (erldist_peers(o, add_queued, d) || !d->queued)
			return;
		i = d->queued < before ? 0 : i + 1;
		if (i >= DRAIN_MS / LOOK_MS || now_ms() >= d->until)
			return;
		before = d->queued;
		poll(NULL, 0, LOOK_MS);
		erldist_keeper_dispatch(k);
	}
}

/*
 * What was sent last is to arrive. To be on its way is not enough: the next one of
 * this name would have the peer end the connection, with what it has not read yet.
 */
static void drain(struct erldist_keeper *k)
{
	struct draining d = {
		.node = erldist_keeper_node(k), .until = now_ms() + DRAIN_ALL_MS,
	};
	struct erldist_observer *o = NULL;

	if (!erldist_observer_open(&o, 0)) {
		drain_queues(k, o, &d);
		if (!erldist_open(&d.p, NULL, d.node, 0))
			erldist_peers(o, add_answer, &d);
		erldist_close(d.p);
	}
	erldist_observer_close(o);
}

/*
 * With the connection to who gave it the name is not its own any more. Those who
 * wait for something have a moment to see why that does not come.
 */
static int hold(struct erldist_keeper *k, const struct giver *g)
{
	struct pollfd pfd[2] = {
		{ .fd = erldist_keeper_fd(k), .events = POLLIN },
		{ .fd = STDIN_FILENO, .events = POLLIN },
	};
	int err = 0, n;

	while (!err && !pfd[1].revents) {
		n = poll(pfd, 2, g->gone ? LINGER_MS : -1);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (!n)
			return 0;
		err = erldist_keeper_dispatch(k);
	}
	drain(k);
	return err;
}

static void tell(struct cli *c, const char *key, const char *text)
{
	struct out o;

	out_begin(&o, c->json);
	out_word(&o, key, text);
	out_end(&o);
}

int node_own(struct cli *c)
{
	struct giver g = { .gone = false };
	struct erldist_keeper *k = NULL;
	int err;

	/* of the terminal they are for the program */
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	err = make(c, &k, &g);
	if (err) {
		tell(c, "error", erldist_strerror(k, err));
	} else {
		tell(c, "name", erldist_keeper_node(k));
		err = hold(k, &g);
	}
	erldist_keeper_close(k);
	return err != 0;
}
