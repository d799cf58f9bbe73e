// SPDX-License-Identifier: LGPL-2.1-or-later
/* Echo: {From, X} sent to echo comes back as X, gen_server:call(echo, X) returns X. */
#include <erldist.h>
#include <stdio.h>

int main(void)
{
	struct erldist_msg m = ERLDIST_MSG_INIT;
	struct erldist_slice x;
	struct erldist *p;
	erlang_pid self, from;
	ssize_t err = erldist_open(&p, "echo", NULL, 0);

	if (err == -EADDRNOTAVAIL || err == -ENOENT || err == -ECONNREFUSED) {
		fprintf(stderr, "echo: waiting for a node: %s\n", erldist_strerror(p, (int)err));
		erldist_close(p);
		err = erldist_open(&p, "echo", NULL, ERLDIST_OPEN_WAIT);
	}
	if (!err && !erldist_self(p, &self))
		fprintf(stderr, "echo: I am {echo, '%s'}\n", self.node);
	/* -EHOSTUNREACH: the sender is gone */
	while ((!err || err == -EHOSTUNREACH) && (err = erldist_recv(p, &m, -1)) >= 0)
		err = m.type == ERLDIST_CALL ? erldist_reply(p, &m, m.term, m.len) :
		      erldist_match(m.term, m.len, "{~p,~t}", &from, &x) ? 0 :
		      erldist_send_pid(p, &from, x.term, x.len);
	fprintf(stderr, "echo: %s\n", erldist_strerror(p, (int)err));
	erldist_msg_free(&m);
	erldist_close(p);
	return 1;
}
