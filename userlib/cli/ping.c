// SPDX-License-Identifier: GPL-2.0-only
/* erldist ping: does a node answer, as net_adm:ping/1 asks it */
#include <time.h>

#include "cli.h"

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

/*
 * A node answers if its net_kernel replies, whatever it replies, or if the node says
 * that there is none: nodes of ergo do the one or the other. net_adm:ping/1 takes only
 * yes for an answer.
 */
static bool node_answers(int err)
{
	return !err || err == -EPROTO || err == -ESRCH || err == -EREMOTEIO;
}

/* begin: before there was anything, as a node of its own may come with the connection */
static int ping_node(struct cli *c, struct erldist *p, const char *node, double begin)
{
	bool pong = false;
	double up;
	int err;

	err = erldist_connect(p, node, c->timeout_ms);
	up = now_ms();
	if (!err) {
		err = ask_node(p, node, c->timeout_ms);
		pong = node_answers(err);
	}
	if (!pong) {
		puts("pang");
		complain("%s", erldist_strerror(p, err));
		return 1;
	}
	printf("pong from %s: %.3f ms (connected after %.3f ms)%s\n", node, now_ms() - up,
	       up - begin, err ? "; net_adm:ping/1 says pang" : "");
	return 0;
}

int ping(struct cli *c)
{
	char node[ERLDIST_ATOM_SIZE];
	double begin = now_ms();
	struct erldist *p;
	int status = 1;

	if (!local_open_to_node(c, &p, node))
		status = ping_node(c, p, node, begin);
	erldist_close(p);
	return status;
}
