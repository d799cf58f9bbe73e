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

static int pang(struct cli *c, const char *node, const char *why)
{
	struct out o;

	out_begin(&o, c->json);
	out_word(&o, "answer", "pang");
	if (c->json) {
		out_text(&o, "node", node);
		out_text(&o, "error", why);
	}
	out_end(&o);
	return complain("%s", why);
}

/* net_adm: would net_adm:ping/1 say so too? */
static void json_pong(const char *node, double ms, double connected_ms, bool net_adm)
{
	struct out o;

	out_begin(&o, true);
	out_word(&o, "answer", "pong");
	out_text(&o, "node", node);
	out_rate(&o, "ms", ms);
	out_rate(&o, "connected-ms", connected_ms);
	out_text(&o, "net_adm", net_adm ? "pong" : "pang");
	out_end(&o);
}

/* begin: before there was anything, as a node of its own may come with the connection */
static int ping_node(struct cli *c, struct erldist *p, const char *node, double begin)
{
	bool answers = false;
	double up;
	int err;

	err = connect_node(c, p, node);
	up = now_ms();
	if (!err) {
		err = ask_node(p, node, c->timeout_ms);
		answers = node_answers(err);
	}
	if (!answers)
		return pang(c, node, erldist_strerror(p, err));
	if (c->json)
		json_pong(node, now_ms() - up, up - begin, !err);
	else
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
