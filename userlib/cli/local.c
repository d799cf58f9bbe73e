// SPDX-License-Identifier: GPL-2.0-only
/* Acting in a local node: a process of ours there. */
#include <string.h>

#include "cli.h"

/*
 * dest: whom it is about, or NULL. A process without a name is a client, for which a
 * private node will do; one with a name has to be found by others.
 */
int local_open(struct cli *c, struct erldist **p, const char *name, const char *dest)
{
	unsigned int flags = name ? 0 : ERLDIST_OPEN_PRIVATE;
	int err = erldist_open_to(p, name, c->node, flags, dest, c->timeout_ms);

	if (err)
		complain("%s", erldist_strerror(*p, err));
	return err;
}

/*
 * A process whose default destination is dest, and the node of that connected:
 * without it much would succeed without anybody there.
 */
int local_reach(struct cli *c, struct erldist **p, const char *dest)
{
	int err = local_open(c, p, NULL, dest);

	if (err)
		return err;
	err = erldist_connect(*p, dest, c->timeout_ms);
	if (err)
		complain("%s", erldist_strerror(*p, err));
	return err;
}

/* As net_adm:ping/1 does: it answers when all that came before this was handled there */
int ask_node(struct erldist *p, const char *node, int timeout_ms)
{
	struct erldist_term request = ERLDIST_TERM_INIT;
	struct erldist_msg m = ERLDIST_MSG_INIT;
	char dest[ERLDIST_NAME_MAX + 16];
	erlang_pid self;
	ssize_t n;

	snprintf(dest, sizeof(dest), "net_kernel@%s", node);
	n = erldist_self(p, &self);
	if (!n)
		n = erldist_format(&request, "{is_auth,~a}", self.node);
	if (!n)
		n = erldist_call(p, dest, request.term, request.len, &m, timeout_ms);
	if (n >= 0 && erldist_match(m.term, m.len, "yes"))
		n = -EPROTO;
	erldist_term_free(&request);
	erldist_msg_free(&m);
	return n < 0 ? (int)n : 0;
}

int parse_term(struct erldist_term *t, const char *text)
{
	struct erldist_parse_options o = { .creation = erldist_creation_of };
	int err = erldist_parse(t, text, &o);

	if (err)
		complain("%s: %s, at \"%.20s\"", text, o.what,
			 o.offset <= strlen(text) ? text + o.offset : "");
	return err;
}
