// SPDX-License-Identifier: GPL-2.0-only
/* erldist monitor: one line an event. */
#include <string.h>

#include "cli.h"

struct watch {
	struct cli *c;
	unsigned long seen;
};

static void show_node(struct out *o, const struct erldist_node_info *n)
{
	out_word(o, "node", n->name);
	out_number(o, "creation", n->creation);
	if (o->json)
		out_number(o, "seq", n->seq);
}

static void show_peer(struct out *o, enum erldist_event_type type,
		      const struct erldist_peer_info *p)
{
	char why[512];

	out_word(o, "peer", p->name[0] ? p->name : "-");
	out_text(o, "node", p->node);
	if (p->connection)
		out_number(o, "connection", p->connection);
	if (type == ERLDIST_EVENT_PEER_UP)
		out_number(o, "creation", p->creation);
	else
		out_text(o, "reason", erldist_reason_name(p->reason));
	/* the explanation of a failure has it in better words */
	if (p->error && (o->json || type != ERLDIST_EVENT_PEER_FAILED))
		out_text(o, "error", strerror((int)p->error));
	if (type == ERLDIST_EVENT_PEER_FAILED)
		out_number(o, "failed", p->failed);
	if (p->lost)
		out_number(o, "lost", p->lost);
	if (type == ERLDIST_EVENT_PEER_FAILED) {
		erldist_explain(why, sizeof(why), p, NULL);
		out_text(o, "explanation", why);
	}
	if (o->json)
		out_number(o, "seq", p->seq);
}

static void show_name(struct out *o, const struct erldist_process_info *p)
{
	if (p->name) {
		out_name(o, o->json ? "name" : NULL, p->name);
		out_pid(o, "pid", p->node, p->id, p->serial, p->creation);
	} else {
		/* a node that others may not use tells its own name only */
		out_text(o, "node", p->node);
	}
	if (o->json)
		out_number(o, "seq", p->seq);
}

static int show_event(void *user, const struct erldist_event *e)
{
	struct watch *w = user;
	struct out o;

	out_begin(&o, w->c->json);
	if (w->c->json || w->c->stamps)
		out_time(&o);
	out_word(&o, "event", erldist_event_name(e->type));
	if (e->node)
		show_node(&o, e->node);
	if (e->peer)
		show_peer(&o, e->type, e->peer);
	if (e->process)
		show_name(&o, e->process);
	if (e->resync)
		out_true(&o, "resync");
	out_end(&o);
	return ++w->seen == w->c->count;
}

/* Failed handshakes are for the administrator only */
static int subscribe(struct erldist_observer **o)
{
	unsigned int groups = ERLDIST_OBSERVE_NODES | ERLDIST_OBSERVE_NAMES;
	int err;

	err = erldist_observer_open(o, groups | ERLDIST_OBSERVE_HANDSHAKES);
	if (err != -EPERM)
		return err;
	erldist_observer_close(*o);
	return erldist_observer_open(o, groups);
}

int monitor(struct cli *c)
{
	struct watch w = { .c = c };
	struct erldist_observer *o;
	int err;

	stop_prepare();
	err = subscribe(&o);
	/* it hears of changes by now: none is missed */
	if (!err && c->since_start)
		err = erldist_observer_resync(o, show_event, &w);
	while (!err && !stop_asked()) {
		err = stop_wait(&(int){ erldist_observer_fd(o) }, 1);
		if (!err)
			err = erldist_observer_dispatch(o, show_event, &w);
	}
	if (err < 0)
		complain("monitor: %s", erldist_strerror(o, err));
	erldist_observer_close(o);
	return err < 0;
}
