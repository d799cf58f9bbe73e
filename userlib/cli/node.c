// SPDX-License-Identifier: GPL-2.0-only
/* erldist node show */

#include "cli.h"

struct show {
	struct cli *c;
	const char *only;
	struct holders holders;
	unsigned int shown;
};

static int show_node(void *user, const struct erldist_node_info *n)
{
	const struct holder *holder;
	struct show *s = user;
	struct out o;

	if (s->only && !same_node(s->only, n->name, n->name))
		return 0;
	s->shown++;
	holder = holder_of(&s->holders, n->name);
	out_begin_lines(&o, s->c->json);
	out_word(&o, "name", n->name);
	if (holder)
		out_number(&o, "holder", (uint64_t)holder->pid);
	out_number(&o, "creation", n->creation);
	out_hex(&o, "flags", n->flags);
	out_octal(&o, "mode", n->mode);
	out_number(&o, "uid", n->uid);
	out_number(&o, "gid", n->gid);
	out_seconds(&o, "ticktime", n->ticktime);
	out_number(&o, "intensity", n->intensity);
	out_number(&o, "processes", n->processes);
	out_number(&o, "peers", n->peers);
	out_number(&o, "peers-up", n->peers_up);
	out_number(&o, "handshakes", n->handshakes);
	out_number(&o, "handshakes-failed", n->handshakes_failed);
	if (n->last_reason)
		out_text(&o, "last-reason", erldist_reason_name(n->last_reason));
	out_number(&o, "pool-used", n->pool_used);
	out_number(&o, "pool-limit", n->pool_limit);
	out_number(&o, "max-message", n->max_message);
	out_number(&o, "lost", n->lost);
	out_number(&o, "no-receiver", n->no_receiver);
	out_number(&o, "overflows", n->overflows);
	out_end(&o);
	return 0;
}

int node_show(struct cli *c)
{
	struct show s = { .c = c, .only = c->argc ? c->argv[0] : NULL };
	struct erldist_observer *o;
	int err;

	err = erldist_observer_open(&o, 0);
	holders_find(&s.holders);
	if (!err)
		err = erldist_nodes(o, show_node, &s);
	if (err)
		complain("node show: %s", erldist_strerror(o, err));
	else if (s.only && !s.shown)
		err = tell_not_here(s.only);
	else if (!s.shown)
		tell_no_node(o);
	holders_free(&s.holders);
	erldist_observer_close(o);
	return err != 0;
}
