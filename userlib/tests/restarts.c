// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * restarts N: the keeper of a node ends and another one goes on, N times, while
 * messages go to and fro. The sockets are kept meanwhile, as a service manager does.
 * For tests in guests, with an epmd. TAP.
 */
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "internal.h"
#include "tap.h"

static struct erldist_keeper *a, *b;
static unsigned int a_up, b_up, b_down;
static char a_name[ED_NODE_SIZE];

static void on_event_a(void *user, const struct erldist_keeper_event *e)
{
	(void)user;
	a_up += e->type == ERLDIST_KEEPER_UP;
}

static void on_event_b(void *user, const struct erldist_keeper_event *e)
{
	(void)user;
	b_up += e->type == ERLDIST_KEEPER_UP;
	b_down += e->type == ERLDIST_KEEPER_DOWN;
}

static struct erldist_keeper *open_or_die(const struct erldist_keeper_options *o)
{
	struct erldist_keeper *k;
	int err = erldist_keeper_open(&k, o);

	if (!k || err) {
		ok(false, "%s: %s", o->name, erldist_strerror(k, err));
		exit(1);
	}
	return k;
}

static struct erldist_keeper_options options(const char *name)
{
	struct erldist_keeper_options o = ERLDIST_KEEPER_OPTIONS_INIT;

	o.name = name;
	o.cookie = "secret";
	return o;
}

/* Both have their turns until *what is want */
static bool run_until(const unsigned int *what, unsigned int want)
{
	int64_t deadline = ed_now() + 10000;

	while (*what < want && ed_now() < deadline) {
		struct pollfd pfd[2] = {
			{ erldist_keeper_fd(a), POLLIN, 0 }, { erldist_keeper_fd(b), POLLIN, 0 },
		};

		if (poll(pfd, 2, 100) < 0 || erldist_keeper_dispatch(a) || erldist_keeper_dispatch(b))
			return false;
	}
	return *what >= want;
}

/* What the service manager holds while nobody keeps the node */
struct parked {
	int node, epmd, listener;
};

static void park(struct parked *p)
{
	p->node = fcntl(erldist_keeper_node_fd(a), F_DUPFD_CLOEXEC, 3);
	p->epmd = fcntl(erldist_keeper_epmd_fd(a), F_DUPFD_CLOEXEC, 3);
	p->listener = fcntl(erldist_keeper_listen_fd(a, 0), F_DUPFD_CLOEXEC, 3);
	erldist_keeper_close(a);
}

static void go_on(const struct parked *p)
{
	struct erldist_keeper_options o = options(a_name);
	char place[16];
	const char *places[] = { place, NULL };

	snprintf(place, sizeof(place), "fd:%d", p->listener);
	o.node_fd = p->node;
	o.epmd_fd = p->epmd;
	o.listens = places;
	o.event = on_event_a;
	a = open_or_die(&o);
}

static bool listed(void)
{
	return !system("epmd -names | grep -q '^name parked '");
}

static uint32_t creation(void)
{
	uint32_t c = 0;
	socklen_t len = sizeof(c);

	getsockopt(erldist_keeper_node_fd(a), SOL_ERLDIST, ERLDIST_CREATION, &c, &len);
	return c;
}

static int64_t number_of(struct erldist *p)
{
	struct erldist_msg m = ERLDIST_MSG_INIT;
	long i = -1;

	if (erldist_recv(p, &m, 5000) < 0 || erldist_match(m.term, m.len, "{n,~l}", &i))
		i = -1;
	erldist_msg_free(&m);
	return i;
}

/* One from each side, also while nobody keeps the node */
static bool exchange(struct erldist *pa, struct erldist *pb, long i)
{
	struct erldist_term t = ERLDIST_TERM_INIT;
	char to[ED_NODE_SIZE + 8];
	bool good;

	erldist_format(&t, "{n,~l}", i);
	snprintf(to, sizeof(to), "pa@%s", a_name);
	good = !erldist_send(pa, NULL, t.term, t.len) && !erldist_send(pb, to, t.term, t.len) &&
	       number_of(pa) == i && number_of(pb) == i;
	erldist_term_free(&t);
	return good;
}

static void check_mistakes(const struct parked *p)
{
	struct erldist_keeper_options o = options("another");
	struct erldist_keeper *k;
	int err;

	o.options = ERLDIST_KEEPER_WITHOUT_EPMD | ERLDIST_KEEPER_NO_LISTEN;
	o.node_fd = p->node;
	err = erldist_keeper_open(&k, &o);
	ok(err == -EINVAL && fcntl(p->node, F_GETFD) >= 0, "the socket of another node: %s",
	   erldist_strerror(k, err));
	erldist_keeper_close(k);
	o.node_fd = p->listener;
	err = erldist_keeper_open(&k, &o);
	ok(err == -EINVAL && fcntl(p->listener, F_GETFD) >= 0, "what is no node's: %s",
	   erldist_strerror(k, err));
	erldist_keeper_close(k);
}

static void check_restarts(struct erldist *pa, struct erldist *pb, int n)
{
	bool names = true, same = true, messages = true, ups = true;
	uint32_t c = creation();
	struct parked p;
	int i;

	for (i = 0; i < n; i++) {
		park(&p);
		names &= listed();
		messages &= exchange(pa, pb, 2 * i);
		if (!i)
			check_mistakes(&p);
		a_up = 0;
		go_on(&p);
		names &= listed();
		messages &= exchange(pa, pb, 2 * i + 1);
		same &= creation() == c;
		ups &= run_until(&a_up, 1);
	}
	ok(messages, "%d times: no message is lost", n);
	ok(names, "the name is with epmd all the time");
	ok(same, "the creation stays, %u", c);
	ok(ups, "each keeper is told who is up");
	ok(b_up == 1 && !b_down, "the peer notices nothing");
}

/* The keeper that goes on accepts, and connects */
static void check_works(void)
{
	struct erldist_keeper_options o = options("late");
	unsigned int before = a_up;
	const char *keep[] = { a_name, NULL };

	erldist_keeper_close(b);
	o.options = ERLDIST_KEEPER_NO_LISTEN;
	o.keep = keep;
	o.event = on_event_b;
	b = open_or_die(&o);
	ok(run_until(&a_up, before + 1), "the last one accepts as the first did");
}

int main(int argc, char **argv)
{
	struct erldist_keeper_options o = options("parked");
	int n = argc > 1 ? atoi(argv[1]) : 50, err;
	struct erldist *pa, *pb;
	char to[ED_NODE_SIZE + 8];
	const char *keep[] = { NULL, NULL };

	o.event = on_event_a;
	a = open_or_die(&o);
	snprintf(a_name, sizeof(a_name), "%s", erldist_keeper_node(a));
	keep[0] = a_name;
	o = options("other");
	o.keep = keep;
	o.event = on_event_b;
	b = open_or_die(&o);
	ok(run_until(&b_up, 1) && run_until(&a_up, 1), "two nodes are connected");
	err = erldist_open(&pa, "pa", a_name, 0);
	ok(!err, "a process of the one: %s", erldist_strerror(pa, err));
	err = erldist_open(&pb, "pb", erldist_keeper_node(b), 0);
	ok(!err, "and of the other: %s", erldist_strerror(pb, err));
	snprintf(to, sizeof(to), "pb@%s", erldist_keeper_node(b));
	err = erldist_connect(pa, to, 5000);
	ok(!err, "%s: %s", to, erldist_strerror(pa, err));
	check_restarts(pa, pb, n);
	check_works();
	erldist_close(pa);
	erldist_close(pb);
	erldist_keeper_close(a);
	erldist_keeper_close(b);
	return tap_end();
}
