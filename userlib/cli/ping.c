// SPDX-License-Identifier: GPL-2.0-only
/* erldist ping: what net_adm:ping/1 does. */
#include <string.h>
#include <time.h>

#include "cli.h"

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static int ask(struct cli *c, struct erldist *p, const char *node)
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
		n = erldist_call(p, dest, request.term, request.len, &m, c->timeout_ms);
	if (n >= 0 && erldist_match(m.term, m.len, "yes"))
		n = -EPROTO;
	erldist_term_free(&request);
	erldist_msg_free(&m);
	return n < 0 ? (int)n : 0;
}

static int ping_node(struct cli *c, struct erldist *p, const char *node)
{
	double begin = now_ms(), up;
	int err;

	err = erldist_connect(p, node, c->timeout_ms);
	up = now_ms();
	if (!err)
		err = ask(c, p, node);
	if (err) {
		puts("pang");
		complain("%s", erldist_strerror(p, err));
		return 1;
	}
	printf("pong from %s: %.3f ms (connected after %.3f ms)\n", node, now_ms() - up,
	       up - begin);
	return 0;
}

int ping(struct cli *c)
{
	struct erldist *p;
	int status = 1;

	if (strlen(c->argv[0]) > ERLDIST_NAME_MAX)
		return complain("%s is no node name", c->argv[0]);
	if (!local_open(c, &p, NULL))
		status = ping_node(c, p, c->argv[0]);
	erldist_close(p);
	return status;
}
