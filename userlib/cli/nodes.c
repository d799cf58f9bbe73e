// SPDX-License-Identifier: GPL-2.0-only
/* erldist nodes, erldist node of */
#include <string.h>

#include "cli.h"

static const struct {
	const char *name;
	unsigned int which;
} kinds[] = {
	{ "visible", ERLDIST_NODES_VISIBLE },
	{ "hidden", ERLDIST_NODES_HIDDEN },
	{ "connected", ERLDIST_NODES_CONNECTED },
	{ "this", ERLDIST_NODES_THIS },
	{ "known", ERLDIST_NODES_CONNECTED | ERLDIST_NODES_THIS | ERLDIST_NODES_KNOWN },
};

static unsigned int kind(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(name, kinds[i].name))
			return kinds[i].which;
	return 0;
}

static int show(void *user, const char *node)
{
	struct cli *c = user;
	struct out o;

	out_begin(&o, c->json);
	out_word(&o, "name", node);
	out_end(&o);
	return 0;
}

int nodes(struct cli *c)
{
	unsigned int which = ERLDIST_NODES_CONNECTED;
	struct erldist_observer *o;
	int err;

	if (c->argc)
		which = kind(c->argv[0]);
	if (!which)
		return complain("nodes: %s is none of visible, hidden, connected, this, known",
				c->argv[0]);
	err = erldist_observer_open(&o, 0);
	if (!err)
		err = erldist_nodes_of(o, c->node, which, show, c);
	if (err)
		complain("nodes: %s", erldist_strerror(o, err));
	erldist_observer_close(o);
	return err != 0;
}

int node_of(struct cli *c)
{
	/* no creation is asked for: it is not shown */
	struct erldist_parse_options options = { .creation = NULL };
	struct erldist_term t = ERLDIST_TERM_INIT;
	char node[ERLDIST_ATOM_SIZE];
	int err;

	err = erldist_parse(&t, c->argv[0], &options);
	if (err)
		complain("%s: %s", c->argv[0], options.what);
	else if (erldist_node_of(node, sizeof(node), t.term, t.len))
		err = complain("%s is no pid or reference", c->argv[0]);
	else
		show(c, node);
	erldist_term_free(&t);
	return err != 0;
}
