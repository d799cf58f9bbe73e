// SPDX-License-Identifier: GPL-2.0-only
/* erldist node run --hand-out: the broker beside a node. */
#include "cli.h"

static void on_event(void *user, const struct erldist_broker_event *e)
{
	static struct limit good, bad;

	(void)user;
	tell_limited(e->error ? &bad : &good, e->error ? "not-handed-out" : "handed-out",
		     e->error, e->text);
}

/* 0, or 1: that was told */
int hand_out_open(struct cli *c, struct erldist_broker **b, const char *node)
{
	struct erldist_broker_options options = ERLDIST_BROKER_OPTIONS_INIT;
	int err;

	if (!c->setup.hand_out)
		return 0;
	options.path = c->setup.hand_out;
	options.mode = c->setup.hand_out_mode;
	options.node = node;
	options.event = on_event;
	err = erldist_broker_open(b, &options);
	return err ? complain("--hand-out: %s", erldist_strerror(*b, err)) : 0;
}

/* 0, or 1: that was told */
int hand_out_dispatch(struct erldist_broker *b)
{
	int err = b ? erldist_broker_dispatch(b) : 0;

	return err ? complain("--hand-out: %s", erldist_strerror(b, err)) : 0;
}
