// SPDX-License-Identifier: GPL-2.0-only
/* erldist node stop: ends the program that holds a node. */
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

#define LOOK_MS	20

struct stop {
	struct cli *c;
	struct erldist_observer *o;
	char node[ERLDIST_ATOM_SIZE];	/* empty: there is no such node */
	uint32_t creation;		/* tells it from a later node of that name */
	uint32_t uid;
	struct holders holders;
	const struct holder *holder;
};

static int find(void *user, const struct erldist_node_info *n)
{
	struct stop *s = user;

	if (!same_node(s->c->argv[0], n->name, n->name))
		return 0;
	snprintf(s->node, sizeof(s->node), "%s", n->name);
	s->creation = n->creation;
	s->uid = n->uid;
	return 1;
}

static int is_it(void *user, const struct erldist_node_info *n)
{
	const struct stop *s = user;

	return !strcmp(n->name, s->node) && n->creation == s->creation;
}

/* It would end with this one: their names, or nothing */
static void other_nodes(const struct stop *s, char *text, size_t size)
{
	const struct holder *h;
	size_t n = 0;

	*text = 0;
	for (h = s->holders.first; h; h = h->next)
		if (h->pid == s->holder->pid && strcmp(h->node, s->node) && n < size)
			n += (size_t)snprintf(text + n, size - n, "%s%s", n ? ", " : "", h->node);
}

/* May the holder be ended for this node? What is in the way is told */
static int check_holder(const struct stop *s)
{
	const struct holder *h = s->holder;
	char others[512];

	if (!h)
		return complain("%s: its program cannot be found by this user: the node is that of "
				"uid %u, or the program is in another container; try it there, or "
				"as root", s->node, s->uid);
	if (holder_is_store(h))
		return complain("%s is held by the service manager (pid %d) while its service is "
				"started again; end the service, as with 'systemctl stop erldistd'",
				s->node, (int)h->pid);
	if (!strcmp(h->program, "erldistd"))
		return complain("%s is held by erldistd (pid %d): nothing was stopped; remove the "
				"node's file and send SIGHUP ('systemctl reload erldistd'), or end "
				"the service", s->node, (int)h->pid);
	other_nodes(s, others, sizeof(others));
	if (*others)
		return complain("%s is held by %s (pid %d), which holds %s too: nothing was "
				"stopped; 'kill %d' ends them all", s->node, h->program,
				(int)h->pid, others, (int)h->pid);
	return 0;
}

/* By a descriptor, so that no other process of that number is meant: the program that was found */
static int end_holder(const struct stop *s)
{
	int pidfd = (int)syscall(SYS_pidfd_open, s->holder->pid, 0);
	struct holders now;
	bool still;
	int err;

	if (pidfd < 0)
		return errno == ESRCH ? 0 : -errno;
	err = holders_find(&now);
	still = !err && holder_of(&now, s->node) && holder_of(&now, s->node)->pid == s->holder->pid;
	if (still && syscall(SYS_pidfd_send_signal, pidfd, SIGTERM, NULL, 0) && errno != ESRCH)
		err = -errno;
	holders_free(&now);
	close(pidfd);
	return err;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* 0: it is gone; 1: not in time */
static int wait_until_gone(struct stop *s)
{
	int64_t end = now_ms() + s->c->timeout_ms;
	int n;

	while ((n = erldist_nodes(s->o, is_it, s)) > 0 && now_ms() < end)
		poll(NULL, 0, LOOK_MS);
	return n;
}

static void tell_ended(const struct stop *s)
{
	struct out o;

	if (!s->c->json) {
		printf("%s has ended, with its program %s (pid %d)\n", s->node,
		       s->holder->program, (int)s->holder->pid);
		return;
	}
	out_begin(&o, true);
	out_word(&o, "name", s->node);
	out_text(&o, "state", "ended");
	out_number(&o, "holder", (uint64_t)s->holder->pid);
	out_end(&o);
}

static int stop_found(struct stop *s)
{
	int err = holders_find(&s->holders);

	if (err)
		return complain("/proc: %s", strerror(-err));
	s->holder = holder_of(&s->holders, s->node);
	if (check_holder(s))
		return 1;
	err = end_holder(s);
	if (err)
		return complain("%s: its program %s (pid %d) cannot be ended by this user: %s",
				s->node, s->holder->program, (int)s->holder->pid, strerror(-err));
	err = wait_until_gone(s);
	if (err < 0)
		return complain("node stop: %s", erldist_strerror(s->o, err));
	if (err)
		return complain("%s: its program %s (pid %d) was told to end, and has not within "
				"%d s; 'kill -KILL %d' ends it at once", s->node,
				s->holder->program, (int)s->holder->pid, s->c->timeout_ms / 1000,
				(int)s->holder->pid);
	tell_ended(s);
	return 0;
}

int node_stop(struct cli *c)
{
	struct stop s = { .c = c };
	int err, status = 1;

	err = erldist_observer_open(&s.o, 0);
	if (!err)
		err = erldist_nodes(s.o, find, &s);
	if (err < 0)
		complain("node stop: %s", erldist_strerror(s.o, err));
	else if (!*s.node)
		tell_not_here(c->argv[0]);
	else
		status = stop_found(&s);
	holders_free(&s.holders);
	erldist_observer_close(s.o);
	return status;
}
