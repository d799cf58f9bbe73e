// SPDX-License-Identifier: GPL-2.0-only
/*
 * Uses the module once, for load.sh: two nodes, processes, a connection of
 * each kind, messages, relations; then leaves it all to be cleaned up.
 *
 *	load use	in this namespace, everything closed by hand
 *	load die	in a namespace of its own; a child does it, and dies with
 *			it all open
 */
#include "wire_peer.h"

#define CHECK(x)							\
	do {								\
		if (!(x))						\
			die("line %d: %s", __LINE__, #x);		\
	} while (0)

static void exchange(int from, int to, const char *name, const char *node)
{
	DEFINE_BUF(d);
	DEFINE_BUF(msg);

	fmt(&d, "{aa}", name, node);
	for (int i = 0; i < 10; i++) {
		term(&msg, "{ib}", i, "hello");
		CHECK(proc_send(from, &d, &msg) == (ssize_t)msg.len);
	}
	for (int i = 0; i < 10; i++)
		CHECK(proc_expect(to, term(&msg, "{ib}", i, "hello")));
}

static void relate(struct wire *w, int p)
{
	struct epid pid, from = wire_pid(w, 3);
	struct eref ref = { .node = "w@h", .creation = w->creation, .n = 1 };
	DEFINE_BUF(ctl);

	proc_self(p, &pid);
	CHECK(!wire_send(w, fmt(&ctl, "{ipp}", OP_LINK, &from, &pid), NULL));
	CHECK(!wire_send(w, term(&ctl, "{ippr}", OP_MONITOR_P, &from, &pid, &ref),
			 NULL));
	CHECK(!wire_reg_send(w, "x", term(&ctl, "a", "unread")));
}

static int use(bool dying)
{
	int a, b, x, y, wanted;
	struct wire w;
	DEFINE_BUF(d);

	signal(SIGPIPE, SIG_IGN);
	if (dying && enter_netns())
		die("network namespace");
	if (family() < 0)
		die("module erldist is not loaded");
	a = node("a@h");
	b = node("b@h");
	CHECK(!nodes_connect(a, b, "b@h",
			     dying ? CARRIER_TCP4 : CARRIER_UNIX));
	x = proc("x", "a@h");
	y = proc("y", "b@h");
	exchange(x, y, "y", "b@h");
	exchange(y, x, "x", "a@h");
	wire_init(&w, -1, "w@h");
	CHECK(!wire_connect(&w, a, dying ? CARRIER_TCP6 : CARRIER_UNIX,
			    ERLDIST_ROLE_ACCEPTOR));
	relate(&w, x);
	wanted = proc(NULL, "a@h");
	CHECK(proc_send(wanted, fmt(&d, "{aa}", "x", "nowhere@h"), &d) > 0);
	if (dying)
		raise(SIGKILL);
	close(x);
	close(a);
	wire_close(&w);
	close(b);
	close(y);
	close(wanted);
	return 0;
}

static int use_and_die(void *arg)
{
	return use(true);
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "die"))
		return reap(spawn(use_and_die, NULL)) != 256 + SIGKILL;
	return use(false);
}
