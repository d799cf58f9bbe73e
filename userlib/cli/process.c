// SPDX-License-Identifier: GPL-2.0-only
/* erldist process show */
#include "cli.h"

struct show {
	struct cli *c;
	struct table table;
	unsigned int shown;
};

static int show_process(void *user, const struct erldist_process_info *p)
{
	struct show *s = user;
	struct cli *c = s->c;
	struct out o;

	s->shown++;
	out_begin_row(&o, c->json, &s->table);
	out_pid(&o, "pid", p->node, p->id, p->serial, p->creation);
	if (p->name)
		out_name(&o, "name", p->name);
	else
		out_none(&o, "name");
	if (c->json) {
		out_text(&o, "node", p->node);
		out_number(&o, "id", p->id);
		out_number(&o, "serial", p->serial);
		out_number(&o, "creation", p->creation);
	}
	out_text(&o, "state", erldist_process_state_name(p->state));
	out_number(&o, "owner", p->owner);
	out_number(&o, "uid", p->uid);
	out_number(&o, "messages", p->messages);
	out_number(&o, "local-bytes", p->local_bytes);
	out_number(&o, "remote-bytes", p->remote_bytes);
	out_number(&o, "relations", p->relations);
	out_end(&o);
	return 0;
}

int process_show(struct cli *c)
{
	struct show s = { .c = c };
	struct erldist_observer *o;
	int err;

	table_init(&s.table, c->json);
	err = erldist_observer_open(&o, 0);
	if (!err)
		err = erldist_processes(o, show_process, &s);
	if (err)
		complain("process show: %s", erldist_strerror(o, err));
	else if (!s.shown && !tell_no_node(o))
		tell_closed(o);
	table_print(&s.table);
	erldist_observer_close(o);
	return err != 0;
}
