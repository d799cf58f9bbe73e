// SPDX-License-Identifier: GPL-2.0-only
/* libei, one C node to another */
#include <arpa/inet.h>

#include "bench.h"

#define VERSION_BYTE	131

static int listener, port;

static void init(struct end *e)
{
	struct in_addr addr;
	const char *alive = e->far ? "far" : "near";
	const char *name = e->far ? FAR_NODE : NEAR_NODE;
	const char *host = e->far ? FAR_ADDRESS : NEAR_ADDRESS;

	inet_aton(host, &addr);
	if (ei_connect_xinit(&e->ec, host, alive, name, (void *)&addr, COOKIE, 1))
		die("ei_connect_xinit");
}

static void prepare(const struct bench *b)
{
	struct end far = { .far = true };

	if (ei_init())
		die("ei_init");
	init(&far);
	netns_enter(FAR_NETNS);
	listener = ei_listen(&far.ec, &port, 5);
	if (listener < 0)
		die("ei_listen");
}

static void join(struct end *e)
{
	ErlConnect from;

	init(e);
	if (e->far) {
		e->fd = ei_accept(&e->ec, listener, &from);
	} else {
		netns_enter(NEAR_NETNS);
		e->fd = ei_connect_host_port(&e->ec, FAR_ADDRESS, port);
	}
	if (e->fd < 0)
		die("ei: no connection (%d)", erl_errno);
	swap_bytes(e, ei_self(&e->ec), &e->pid, sizeof(e->pid));
	ei_x_new(&e->in);
}

/* Its answer is the pid of the far end. */
static void join_beam(struct end *e, const char *role)
{
	struct epid self = {};
	erlang_msg msg;
	int version, n;
	DEFINE_BUF(arg);
	DEFINE_BUF(ask);

	if (ei_init())
		die("ei_init");
	init(e);
	netns_enter(NEAR_NETNS);
	e->fd = ei_connect_host_port(&e->ec, FAR_ADDRESS, BEAM_PORT);
	if (e->fd < 0)
		die("ei: no connection to the BEAM (%d)", erl_errno);
	ei_x_new(&e->in);
	snprintf(self.node, sizeof(self.node), NEAR_NODE);
	self.id = ei_self(&e->ec)->num;
	self.serial = ei_self(&e->ec)->serial;
	self.creation = ei_self(&e->ec)->creation;
	buf_u8(&ask, VERSION_BYTE);
	ask_term(&ask, e, &self, role, fmt(&arg, "i", 0));
	if (ei_reg_send(&e->ec, e->fd, "bench", (char *)ask.p, ask.len))
		die("ei_reg_send");
	do {
		n = ei_xreceive_msg(e->fd, &msg, &e->in);
	} while (n == ERL_TICK);
	e->in.index = 0;
	if (n != ERL_MSG || ei_decode_version(e->in.buff, &e->in.index, &version) ||
	    ei_decode_pid(e->in.buff, &e->in.index, &e->pid))
		die("the BEAM gives no far end");
}

/* The version byte stands in front, in memory made once. */
static void send_ei(struct end *e, const uint8_t *message)
{
	if (!e->spare) {
		e->spare = malloc(e->bench->size + 1);
		e->spare[0] = VERSION_BYTE;
		memcpy(e->spare + 1, message, e->bench->size);
	}
	if (ei_send(e->fd, &e->pid, (char *)e->spare, e->bench->size + 1) < 0)
		die("ei_send");
}

static size_t recv_ei(struct end *e, uint8_t *p, size_t room)
{
	erlang_msg msg;
	int n;

	e->in.index = 0;
	do {
		n = ei_xreceive_msg(e->fd, &msg, &e->in);
	} while (n == ERL_TICK);
	if (n != ERL_MSG)
		die("ei_xreceive_msg (%d)", erl_errno);
	return e->in.index - 1;
}

const struct peer peer_ei = {
	.name = "ei",
	.prepare = prepare,
	.join = join,
	.join_beam = join_beam,
	.send = send_ei,
	.recv = recv_ei,
};
