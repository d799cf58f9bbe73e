// SPDX-License-Identifier: GPL-2.0-only
/* erldist peer show, connect, disconnect */
#include "cli.h"

struct show {
	struct cli *c;
	const char *only;
	struct table table;
	unsigned int shown;
};

/* Why it is not up: the reason's name, and the sentence of status */
static void show_reason(struct out *o, const struct erldist_peer_info *p)
{
	char why[512];

	if (!p->reason)
		return;
	if (!o->table)
		out_text(o, "reason", erldist_reason_name(p->reason));
	if (p->state == ERLDIST_PEER_STATE_UP)
		return;
	erldist_explain(why, sizeof(why), p, NULL);
	out_text(o, "explanation", why);
}

static void show_connection(struct out *o, const struct erldist_peer_info *p)
{
	if (!o->table)
		out_number(o, "connection", p->connection);
	out_seconds(o, "since", p->since);
	if (!o->table) {
		out_number(o, "creation", p->creation);
		out_hex(o, "flags", p->flags);
	}
	out_number(o, "rx-messages", p->rx_messages);
	out_number(o, "rx-bytes", p->rx_bytes);
	out_number(o, "tx-messages", p->tx_messages);
	out_number(o, "tx-bytes", p->tx_bytes);
	out_number(o, "queued", p->queued);
	out_number(o, "lost", p->lost);
	if (!o->table) {
		out_number(o, "relations", p->relations);
		out_seconds(o, "stalled", p->stalled);
	}
}

static int show_peer(void *user, const struct erldist_peer_info *p)
{
	struct show *s = user;
	struct out o;

	if (s->only && !same_node(s->only, p->name, p->node))
		return 0;
	s->shown++;
	out_begin_row(&o, s->c->json, &s->table);
	out_word(&o, "name", p->name);
	out_word(&o, "state", erldist_peer_state_name(p->state));
	out_text(&o, "node", p->node);
	show_connection(&o, p);
	out_number(&o, "failed", p->failed);
	if (p->kept)
		out_seconds(&o, "retry", p->retry);
	else
		out_none(&o, "retry");
	show_reason(&o, p);
	out_end(&o);
	return 0;
}

/* An empty list of peers: 0, or 1 if it was to have one of that name */
static int show_none(struct show *s, struct erldist_observer *o)
{
	if (!tell_no_node(o))
		complain("no local node knows %s; one that could not be connected is forgotten "
			 "after a second, 'erldist monitor' tells of it",
			 s->only ? s->only : "another node");
	return s->only != NULL;
}

int peer_show(struct cli *c)
{
	struct show s = { .c = c, .only = c->argc ? c->argv[0] : NULL };
	struct erldist_observer *o;
	int err;

	table_init(&s.table, c->json);
	err = erldist_observer_open(&o, 0);
	if (!err)
		err = erldist_peers(o, show_peer, &s);
	if (err)
		complain("peer show: %s", erldist_strerror(o, err));
	else if (!s.shown)
		err = show_none(&s, o);
	table_print(&s.table);
	erldist_observer_close(o);
	return err != 0;
}

static void show_connected(struct cli *c, const char *node, const char *peer)
{
	struct out o;

	if (!c->json) {
		printf("%s is connected to %s\n", node, peer);
		return;
	}
	out_begin(&o, true);
	out_word(&o, "name", peer);
	out_text(&o, "state", "up");
	out_text(&o, "node", node);
	out_end(&o);
}

int peer_connect(struct cli *c)
{
	char node[ERLDIST_ATOM_SIZE];
	struct erldist *p;
	erlang_pid self;
	int err;

	err = local_open_lasting(c, &p, node);
	if (!err) {
		err = connect_node(c, p, node);
		if (err)
			complain("%s", erldist_strerror(p, err));
	}
	if (!err) {
		erldist_self(p, &self);
		show_connected(c, self.node, node);
	}
	erldist_close(p);
	return err != 0;
}

int peer_disconnect(struct cli *c)
{
	struct erldist_observer *o;
	int err;

	err = erldist_observer_open(&o, 0);
	if (!err)
		err = erldist_peer_disconnect(o, c->node, c->argv[0], 0);
	if (err)
		complain("peer disconnect %s: %s", c->argv[0], erldist_strerror(o, err));
	erldist_observer_close(o);
	return err != 0;
}
