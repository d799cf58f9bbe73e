// SPDX-License-Identifier: GPL-2.0-only
/* erldist send DEST TERM, erldist exit PID REASON */
#include "cli.h"

static int send_parsed(struct cli *c, const struct erldist_term *t)
{
	struct erldist_term dest = ERLDIST_TERM_INIT;
	struct erldist *p;
	int err;

	err = local_reach(c, &p, &dest);
	if (!err) {
		err = erldist_send_term(p, dest.term, dest.len, t->term, t->len, 0);
		if (err)
			complain("%s", erldist_strerror(p, err));
	}
	erldist_close(p);
	erldist_term_free(&dest);
	return err;
}

int send_term(struct cli *c)
{
	struct erldist_term t = ERLDIST_TERM_INIT;
	int err;

	err = parse_term(&t, c->argv[1]);
	if (!err)
		err = send_parsed(c, &t);
	erldist_term_free(&t);
	return err != 0;
}

static int exit_parsed(struct cli *c, const erlang_pid *pid, const struct erldist_term *reason)
{
	struct erldist_term dest = ERLDIST_TERM_INIT;
	struct erldist *p;
	int err;

	err = local_reach(c, &p, &dest);
	if (!err) {
		err = erldist_exit(p, pid, reason->term, reason->len);
		if (err)
			complain("%s: %s", c->argv[0], erldist_strerror(p, err));
	}
	erldist_close(p);
	erldist_term_free(&dest);
	return err;
}

int send_exit(struct cli *c)
{
	struct erldist_term t = ERLDIST_TERM_INIT, reason = ERLDIST_TERM_INIT;
	bool written = *c->argv[0] == '<';
	erlang_pid pid;
	int err;

	err = written ? parse_term(&t, c->argv[0]) : 0;
	if (!written || (!err && erldist_match(t.term, t.len, "~p", &pid)))
		err = complain("%s is no pid; exits are sent to pids, like '<svc@host.12.0>' (in "
			       "quotes); 'erldist process show' has those of this machine",
			       c->argv[0]);
	if (!err)
		err = parse_term(&reason, c->argv[1]);
	if (!err)
		err = exit_parsed(c, &pid, &reason);
	erldist_term_free(&t);
	erldist_term_free(&reason);
	return err != 0;
}
