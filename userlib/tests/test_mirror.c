// SPDX-License-Identifier: LGPL-2.1-or-later
/* What an observer tells after a resync: each thing's beginning and end once. */
#include <string.h>

#include "internal.h"
#include "tap.h"

static struct ed_fact name(const char *s, uint64_t id, uint64_t seq)
{
	struct ed_fact f = {
		.kind = ED_NAME, .node = "svc@host", .name = s, .id = id, .creation = 7,
		.seq = seq,
	};

	return f;
}

static int is(struct ed_mirror *m, struct ed_fact f)
{
	return ed_mirror_is(m, &f);
}

static int begins(struct ed_mirror *m, struct ed_fact f)
{
	return ed_mirror_new(m, &f);
}

static int ends(struct ed_mirror *m, struct ed_fact f)
{
	return ed_mirror_del(m, &f);
}

static void check_off(void)
{
	struct ed_mirror m = { .root = NULL };

	ok(begins(&m, name("a", 1, 1)) == 1 && begins(&m, name("a", 1, 2)) == 1 &&
	   ends(&m, name("b", 1, 3)) == 1 && !m.root, "before a resync all is news");
	ed_mirror_free(&m);
}

static void check_names(void)
{
	struct ed_mirror m = { .root = NULL };
	char text[8] = "a";

	ed_mirror_begin(&m);
	is(&m, name(text, 1, 10));
	memset(text, 'x', sizeof(text) - 1);
	ok(!begins(&m, name("a", 1, 11)), "a name that a dump showed begins once");
	ok(!begins(&m, name("a", 2, 9)), "what a dump was later than is over");
	ok(!ends(&m, name("a", 2, 9)) && !ends(&m, name("a", 2, 12)), "and so is its end");
	ok(!ends(&m, name("b", 1, 11)), "what a dump did not show does not end");
	ok(begins(&m, name("b", 3, 12)) == 1 && ends(&m, name("b", 3, 13)) == 1,
	   "what begins afterwards ends");
	ok(ends(&m, name("a", 1, 14)) == 1 && !ends(&m, name("a", 1, 15)), "once");
	ok(begins(&m, name("a", 1, 16)) == 1, "and may begin again");
	ok(begins(&m, name("a", 4, 17)) == 1 && !ends(&m, name("a", 1, 18)),
	   "a name's next holder may be told before the end of the last");
	ok(ends(&m, name("a", 4, 19)) == 1, "and ends");
	ed_mirror_begin(&m);
	ok(!ends(&m, name("a", 4, 20)), "a resync forgets");
	ed_mirror_free(&m);
	ok(!m.root && !m.on, "nothing is kept");
}

static void check_kinds(void)
{
	struct ed_fact node = { .kind = ED_NODE, .node = "a@h", .name = "", .creation = 1 };
	struct ed_fact peer = { .kind = ED_PEER, .node = "a@h", .name = "", .id = 1 };
	struct ed_mirror m = { .root = NULL };

	ed_mirror_begin(&m);
	is(&m, node);
	node.seq = 1;
	peer.seq = 2;
	ok(!begins(&m, node) && begins(&m, peer) == 1, "kinds are kept apart");
	node.creation = 2;
	ok(begins(&m, node) == 1, "a node of another creation is another node");
	ed_mirror_free(&m);
}

static void check_many(void)
{
	struct ed_mirror m = { .root = NULL };
	unsigned int i, bad = 0;
	char text[16];

	ed_mirror_begin(&m);
	for (i = 0; i < 20000; i++) {
		snprintf(text, sizeof(text), "n%u", i);
		bad += is(&m, name(text, i, 1)) != 0;
	}
	for (i = 0; i < 20000; i++) {
		snprintf(text, sizeof(text), "n%u", i);
		bad += begins(&m, name(text, i, 2)) != 0;
		bad += ends(&m, name(text, i, 3)) != 1;
	}
	ok(!bad && !m.root, "20000 names");
	ed_mirror_free(&m);
}

int main(void)
{
	check_off();
	check_names();
	check_kinds();
	check_many();
	return tap_end();
}
