// SPDX-License-Identifier: GPL-2.0-only
/* A failure that is repeated is told once and counted, until the peer is up. */
#include "../shared/trouble.c"
#include "tap.h"

static struct troubles all;
static unsigned int repeated;

static bool news(enum erldist_keeper_event_type type, const char *peer, int error)
{
	const struct erldist_keeper_event e = { .type = type, .peer = peer, .error = error };

	return trouble_news(&all, &e, &repeated);
}

int main(void)
{
	char peer[32];
	int i;

	ok(news(ERLDIST_KEEPER_WANTED, "b@h", 0), "connecting is told");
	ok(news(ERLDIST_KEEPER_UNREACHABLE, "b@h", 1), "and that it failed");
	ok(!news(ERLDIST_KEEPER_WANTED, "b@h", 0), "connecting again is not");
	ok(!news(ERLDIST_KEEPER_UNREACHABLE, "b@h", 1), "nor the same failure");
	ok(news(ERLDIST_KEEPER_UNREACHABLE, "b@h", 2), "another one is");
	ok(!news(ERLDIST_KEEPER_UNREACHABLE, "b@h", 1), "the first one is still not");
	ok(news(ERLDIST_KEEPER_UNREACHABLE, "c@h", 1), "another peer's is");
	ok(news(ERLDIST_KEEPER_UP, "b@h", 0), "that it is up is told");
	ok(repeated == 2, "with %u failures that were not", repeated);
	ok(news(ERLDIST_KEEPER_DOWN, "b@h", 0) && !repeated, "down is told");
	ok(news(ERLDIST_KEEPER_UNREACHABLE, "b@h", 1), "and what fails from then on");
	ok(news(ERLDIST_KEEPER_REJECTED, NULL, 1) && news(ERLDIST_KEEPER_REJECTED, NULL, 1),
	   "what has no name is left to the limit");
	for (i = 0; i < 5 * TROUBLES_MAX; i++) {
		snprintf(peer, sizeof(peer), "x%d@h", i);
		news(ERLDIST_KEEPER_REJECTED, peer, 1);
	}
	ok(all.n <= TROUBLES_MAX, "%u are remembered", all.n);
	troubles_free(&all);
	ok(!all.n && !all.first, "and then none");
	return tap_end();
}
