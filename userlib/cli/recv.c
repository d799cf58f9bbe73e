// SPDX-License-Identifier: GPL-2.0-only
/* erldist recv NAME */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static const char *type_name(enum erldist_msg_type type)
{
	switch (type) {
	case ERLDIST_CALL:
		return "call";
	case ERLDIST_CAST:
		return "cast";
	case ERLDIST_EXIT:
		return "exit";
	case ERLDIST_DOWN:
		return "down";
	default:
		return "message";
	}
}

static void show_sender(struct out *o, const erlang_pid *from)
{
	if (!from->node[0]) {
		out_word(o, "from", "-");
		return;
	}
	out_pid(o, "from", from->node, from->num, from->serial, from->creation);
	if (!o->json)
		return;
	out_text(o, "from-node", from->node);
	out_number(o, "from-id", from->num);
	out_number(o, "from-serial", from->serial);
	out_number(o, "from-creation", from->creation);
}

static int show(struct cli *c, const struct erldist_msg *m)
{
	struct out o;
	ssize_t n;
	char *text;

	n = erldist_print(&text, m->raw.term, m->raw.len, print_flags(c->json));
	if (n < 0) {
		complain("a message of %zu bytes cannot be shown: %s", m->raw.len,
			 erldist_strerror(NULL, (int)n));
		return (int)n;
	}
	out_begin(&o, c->json);
	if (c->json) {
		out_time(&o);
		out_text(&o, "type", type_name(m->type));
	}
	show_sender(&o, &m->from);
	out_word(&o, "term", text);
	out_end(&o);
	free(text);
	return 0;
}

int receive(struct cli *c)
{
	struct erldist_msg m = ERLDIST_MSG_INIT;
	const char *at = strchr(c->argv[0], '@');
	unsigned long seen = 0;
	int timeout = c->timeout_given ? c->timeout_ms : -1;
	bool bad = false;
	struct erldist *p;
	ssize_t n;

	if (at && !c->node && !getenv("ERLDIST_NODE"))
		return complain("recv: %s: the node of a name is given with --node: recv --node "
				"%s %.*s", c->argv[0], at + 1, (int)(at - c->argv[0]), c->argv[0]);
	n = local_open(c, &p, c->argv[0], NULL);
	while (n >= 0 && (!c->count || seen < c->count)) {
		n = erldist_recv(p, &m, timeout);
		if (n >= 0) {
			bad |= show(c, &m) != 0;
			seen++;
		} else if (n == -ETIMEDOUT) {
			complain("%s: no message in %d ms", c->argv[0], timeout);
		} else {
			complain("%s: %s", c->argv[0], erldist_strerror(p, (int)n));
		}
	}
	erldist_msg_free(&m);
	erldist_close(p);
	return n < 0 || bad;
}
