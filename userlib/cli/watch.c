// SPDX-License-Identifier: GPL-2.0-only
/* erldist process watch DEST: one line when it ends. */
#include "cli.h"

static int show(struct cli *c, const struct erldist_msg *m)
{
	struct out o;
	int status;

	out_begin(&o, c->json);
	if (c->json)
		out_time(&o);
	out_word(&o, "event", "down");
	status = out_term(&o, "object", m->object.term, m->object.len);
	if (!status)
		status = out_term(&o, "reason", m->term, m->len);
	out_end(&o);
	return status;
}

int process_watch(struct cli *c)
{
	struct erldist_term dest = ERLDIST_TERM_INIT;
	struct erldist_msg m = ERLDIST_MSG_INIT;
	struct erldist *p;
	int status = 1;
	ssize_t n;

	n = local_reach(c, &p, &dest);
	if (!n) {
		n = erldist_monitor_term(p, dest.term, dest.len, NULL, 0, 0);
		/* nobody knows the pid, but whoever guesses it */
		while (!n && m.type != ERLDIST_DOWN) {
			n = erldist_recv(p, &m, -1);
			n = n < 0 ? n : 0;
		}
		if (n)
			complain("%s: %s", c->argv[0], erldist_strerror(p, (int)n));
		else
			status = show(c, &m);
	}
	erldist_msg_free(&m);
	erldist_term_free(&dest);
	erldist_close(p);
	return status;
}
