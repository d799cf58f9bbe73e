// SPDX-License-Identifier: GPL-2.0-only
/* erldist node own: a node for the program that started it, until its input ends. */
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

#define NAMES_MAX	65536
#define DRAIN_MS	5000	/* without anything moving */
#define LOOK_MS		10

/* Nobody connects to it, so that names of both kinds are the same to it */
static int make(struct cli *c, struct erldist_keeper **k)
{
	struct erldist_keeper_options *o = &c->keeper;
	char host[ERLDIST_NAME_MAX + 1] = "", name[ERLDIST_NAME_MAX + 32];
	int i, err = -EADDRINUSE;

	if (gethostname(host, sizeof(host) - 1))
		return -errno;
	o->name = name;
	o->options |= ERLDIST_KEEPER_NO_LISTEN | ERLDIST_KEEPER_ANY_NAMES;
	if (strchr(host, '.'))
		o->options |= ERLDIST_KEEPER_LONG_NAMES;
	/* few names, used again and again: each stays in a table of the Erlang nodes it meets */
	for (i = 1; err == -EADDRINUSE && i <= NAMES_MAX; i++) {
		snprintf(name, sizeof(name), "%s%d@%.200s", ERLDIST_OWN_PREFIX, i, host);
		err = erldist_keeper_open(k, o);
		if (err == -EADDRINUSE)
			erldist_keeper_close(*k);
	}
	o->name = NULL;
	return err;
}

struct draining {
	const char *node;
	struct erldist *p;
	uint64_t queued;
};

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

	if (!strcmp(info->node, d->node) && info->state == ERLDIST_PEER_STATE_UP)
		ask_node(d->p, info->name, DRAIN_MS);
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
		if (i >= DRAIN_MS / LOOK_MS)
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
	struct draining d = { .node = erldist_keeper_node(k) };
	struct erldist_observer *o = NULL;

	if (!erldist_observer_open(&o, 0)) {
		drain_queues(k, o, &d);
		if (!erldist_open(&d.p, NULL, d.node))
			erldist_peers(o, add_answer, &d);
		erldist_close(d.p);
	}
	erldist_observer_close(o);
}

static int hold(struct erldist_keeper *k)
{
	struct pollfd pfd[2] = {
		{ .fd = erldist_keeper_fd(k), .events = POLLIN },
		{ .fd = STDIN_FILENO, .events = POLLIN },
	};
	int err = 0;

	while (!err && !pfd[1].revents) {
		if (poll(pfd, 2, -1) < 0 && errno != EINTR)
			return -errno;
		err = erldist_keeper_dispatch(k);
	}
	drain(k);
	return err;
}

int node_own(struct cli *c)
{
	struct erldist_keeper *k = NULL;
	int err;

	/* of the terminal they are for the program */
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	err = make(c, &k);
	if (err) {
		puts(erldist_strerror(k, err));
	} else {
		puts(erldist_keeper_node(k));
		err = hold(k);
	}
	erldist_keeper_close(k);
	return err != 0;
}
