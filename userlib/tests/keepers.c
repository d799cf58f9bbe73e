// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * keepers N: a node that keeps N others up, all in one program, each an object of
 * its own. For tests in guests: tells how long it takes until all are up, and again
 * after all of them were cut at once. TAP.
 */
#include <poll.h>
#include <string.h>
#include <sys/resource.h>

#include "internal.h"
#include "tap.h"

#define NODES_MAX	1000
#define LIMIT_MS	30000

static struct erldist_keeper *hub, *nodes[NODES_MAX];
static char names[NODES_MAX][64], peers[NODES_MAX][96];
static unsigned int up, down, slow = 1;
static int n;

static void on_event(void *user, const struct erldist_keeper_event *e)
{
	(void)user;
	up += e->type == ERLDIST_KEEPER_UP;
	down += e->type == ERLDIST_KEEPER_DOWN;
}

static void make_nodes(void)
{
	struct erldist_keeper_options o = ERLDIST_KEEPER_OPTIONS_INIT;
	int i, err;

	o.cookie = "secret";
	o.listen = "127.0.0.1:0";
	o.options = ERLDIST_KEEPER_WITHOUT_EPMD;
	for (i = 0; i < n; i++) {
		snprintf(names[i], sizeof(names[i]), "n%d@host", i);
		o.name = names[i];
		err = erldist_keeper_open(&nodes[i], &o);
		if (err) {
			ok(false, "%s: %s", names[i], erldist_strerror(nodes[i], err));
			exit(1);
		}
		snprintf(peers[i], sizeof(peers[i]), "%s=127.0.0.1:%d", names[i],
			 erldist_keeper_port(nodes[i]));
	}
}

static void make_hub(void)
{
	struct erldist_keeper_options o = ERLDIST_KEEPER_OPTIONS_INIT;
	const char *keep[NODES_MAX + 1] = { NULL }, *where[NODES_MAX + 1] = { NULL };
	int i, err;

	for (i = 0; i < n; i++) {
		keep[i] = names[i];
		where[i] = peers[i];
	}
	o.name = "hub@host";
	o.cookie = "secret";
	o.options = ERLDIST_KEEPER_WITHOUT_EPMD | ERLDIST_KEEPER_NO_LISTEN;
	o.keep = keep;
	o.peers = where;
	o.event = on_event;
	err = erldist_keeper_open(&hub, &o);
	if (err) {
		ok(false, "hub: %s", erldist_strerror(hub, err));
		exit(1);
	}
}

/* Until *what has reached want; the time it took, or -1 */
static int64_t run_until(const unsigned int *what, unsigned int want)
{
	struct pollfd pfd[NODES_MAX + 1];
	int64_t begin = ed_now();
	int i;

	for (i = 0; i < n; i++)
		pfd[i] = (struct pollfd){ erldist_keeper_fd(nodes[i]), POLLIN, 0 };
	pfd[n] = (struct pollfd){ erldist_keeper_fd(hub), POLLIN, 0 };
	while (*what < want && ed_now() - begin < LIMIT_MS * slow) {
		if (poll(pfd, (nfds_t)n + 1, 1000) < 0)
			return -1;
		for (i = 0; i < n; i++)
			if (pfd[i].revents)
				erldist_keeper_dispatch(nodes[i]);
		if (pfd[n].revents)
			erldist_keeper_dispatch(hub);
	}
	return *what < want ? -1 : ed_now() - begin;
}

static void cut_all(void)
{
	struct erldist_observer *o;
	int i, err = erldist_observer_open(&o, 0);

	for (i = 0; !err && i < n; i++)
		err = erldist_peer_disconnect(o, "hub@host", names[i], 0);
	ok(!err, "all of them are cut: %s", erldist_strerror(o, err));
	erldist_observer_close(o);
}

int main(int argc, char **argv)
{
	struct rlimit files = { 16384, 16384 };
	int64_t ms;
	int i;

	n = argc > 1 ? atoi(argv[1]) : 100;
	if (n < 1 || n > NODES_MAX)
		return 1;
	if (getenv("INTEROP_SLOW"))
		slow = (unsigned int)atoi(getenv("INTEROP_SLOW"));
	setrlimit(RLIMIT_NOFILE, &files);
	make_nodes();
	make_hub();
	ms = run_until(&up, (unsigned int)n);
	ok(ms >= 0, "%d nodes that are kept are up after %lld ms (%u)", n, (long long)ms, up);
	cut_all();
	ms = run_until(&down, (unsigned int)n);
	ok(ms >= 0, "and told to be down (%u)", down);
	ms = run_until(&up, 2 * (unsigned int)n);
	ok(ms >= 0, "and up again after %lld ms (%u)", (long long)ms, up);
	erldist_keeper_close(hub);
	for (i = 0; i < n; i++)
		erldist_keeper_close(nodes[i]);
	return tap_end();
}
