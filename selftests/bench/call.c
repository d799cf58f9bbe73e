// SPDX-License-Identifier: GPL-2.0-only
/*
 * gen_server:call of a BEAM's process to one of ours, with the library:
 * nanoseconds of a call.
 *
 *	call [--count=N] [--size=N]
 */
#include <erldist.h>

#include "bench.h"

static void must(struct erldist *p, ssize_t err)
{
	if (err < 0)
		die("%s", erldist_strerror(p, err));
}

/* Until anything comes that is no call */
static void serve(struct erldist *p, struct erldist_msg *m)
{
	for (;;) {
		must(p, erldist_recv(p, m, -1));
		if (m->type != ERLDIST_CALL)
			return;
		must(p, erldist_reply(p, m, m->term, m->len));
	}
}

static void ask(struct erldist *p, const struct bench *b)
{
	struct erldist_term t = ERLDIST_TERM_INIT;
	erlang_pid self;

	must(p, erldist_self(p, &self));
	must(p, erldist_format(&t, "{~p,call,~i,~i,~i}", &self, (int)b->batch,
			       (int)b->size, (int)b->count));
	must(p, erldist_send(p, "{bench,'" BEAM_NODE "'}", t.term, t.len));
	erldist_term_free(&t);
}

static void run(struct erldist *p, const struct erldist_term *caller, struct erldist_msg *m)
{
	must(p, erldist_send_term(p, caller->term, caller->len, "w\2go", 4, 0));
	serve(p, m);
}

int main(int argc, char **argv)
{
	struct bench b = { .size = 64, .count = 1000, .batch = 1 };
	struct erldist_msg m = ERLDIST_MSG_INIT;
	struct erldist_term caller = ERLDIST_TERM_INIT;
	struct erldist *p;
	uint64_t start;

	bench_options(&b, argv + 1);
	node_beam();
	must(p, erldist_open(&p, NULL, NULL, 0));
	ask(p, &b);
	must(p, erldist_recv(p, &m, WAIT_MS));
	must(p, erldist_format(&caller, "~t", m.term, m.len));
	run(p, &caller, &m);
	start = clock_start();
	run(p, &caller, &m);
	result("ns", (double)(clock_stop() - start) / b.count);
	return 0;
}
