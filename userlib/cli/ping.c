// SPDX-License-Identifier: GPL-2.0-only
/* erldist ping: what net_adm:ping/1 does. */
#include <time.h>

#include "cli.h"

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

/* begin: before there was anything, as a node of its own may come with the connection */
static int ping_node(struct cli *c, struct erldist *p, const char *node, double begin)
{
	double up;
	int err;

	err = erldist_connect(p, node, c->timeout_ms);
	up = now_ms();
	if (!err)
		err = ask_node(p, node, c->timeout_ms);
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
	char node[ERLDIST_ATOM_SIZE];
	double begin = now_ms();
	struct erldist *p;
	int status = 1;

	if (!local_open_to_node(c, &p, node))
		status = ping_node(c, p, node, begin);
	erldist_close(p);
	return status;
}
