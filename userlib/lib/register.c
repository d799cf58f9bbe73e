// SPDX-License-Identifier: LGPL-2.1-or-later
/* Being registered with the epmd of this host, for as long as the node lives. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "keeper.h"

#define RETRY_MS	2000	/* as BEAM */
#define ANSWER_MS	3000
#define STARTING_MS	100	/* between tries while an epmd of ours starts */
#define STARTING_TRIES	20

/* Told once, not every two seconds */
static void lost(struct erldist_keeper *k, int err, const char *what)
{
	struct registration *reg = &k->reg;

	ed_source_close(k, &reg->source);
	reg->state = REG_IDLE;
	reg->err = err;
	reg->next = ed_now() + RETRY_MS;
	if (reg->told)
		return;
	reg->told = true;
	/* that the name is taken is how erldist_keeper_open() fails */
	if (err == -EADDRINUSE && !k->node_source.ready)
		return;
	ed_keeper_tell(k, ERLDIST_KEEPER_NO_EPMD, NULL, -err, "%s is not registered with epmd on "
		       "port %u: %s; until it is, nodes find it and are found by "
		       "configured addresses only", k->node, k->epmd_port, what);
}

/* No epmd answers: start one, the first time, and try until it has come up */
static void missing(struct erldist_keeper *k, int err)
{
	const char *what = err == -ECONNREFUSED ? "none runs" : ed_errno_text(err);
	struct registration *reg = &k->reg;

	if (!(k->options & ERLDIST_KEEPER_NO_EPMD_START) && !reg->started && err == -ECONNREFUSED) {
		reg->started = true;
		if (!ed_epmd_start(&reg->starter, k->epmd_port, k->epmd_given ? &k->epmd.sa : NULL))
			reg->tries = STARTING_TRIES;
		else
			what = "none runs, and there is no command epmd, which comes with Erlang";
	}
	if (!reg->tries) {
		lost(k, err, what);
		return;
	}
	reg->tries--;
	ed_source_close(k, &reg->source);
	reg->state = REG_IDLE;
	reg->next = ed_now() + STARTING_MS;
}

/* It may answer before who started it has ended, of whom nothing is to be left either */
static void end_start(struct registration *reg)
{
	reg->next = ed_child_ended(&reg->starter) ? -1 : ed_now() + STARTING_MS;
}

static void registered(struct erldist_keeper *k, const struct ed_epmd_alive *answer)
{
	struct registration *reg = &k->reg;

	if (answer->result) {
		lost(k, -EADDRINUSE, "another node of this host has the name");
		return;
	}
	end_start(reg);
	reg->state = REG_DONE;
	reg->tries = 0;
	reg->err = 0;
	reg->told = false;
	/* the first one counts: a node keeps its creation while epmd restarts */
	if (!reg->creation)
		reg->creation = answer->creation;
	ed_source_change(k, &reg->source, EPOLLIN | EPOLLRDHUP);
	ed_keeper_tell(k, ERLDIST_KEEPER_REGISTERED, NULL, 0, "%s is registered with epmd, port %u",
		       k->node, k->port);
}

static void on_answer(struct erldist_keeper *k)
{
	struct registration *reg = &k->reg;
	struct ed_epmd_alive answer;
	int n;

	n = ed_exchange_read(&reg->x, reg->source.fd);
	if (n == -EAGAIN)
		return;
	if (n <= 0) {
		lost(k, n ? n : -ECONNRESET, "epmd closed the connection");
		return;
	}
	n = ed_epmd_alive_answer(reg->x.in, reg->x.in_len, &answer);
	if (n < 0)
		lost(k, n, "what answers there is no epmd");
	else if (n)
		registered(k, &answer);
}

static void on_ready(struct source *s, uint32_t events)
{
	struct registration *reg = container_of(s, struct registration, source);
	struct erldist_keeper *k = container_of(reg, struct erldist_keeper, reg);
	int err;

	if (reg->state == REG_DONE) {
		lost(k, -ECONNRESET, "epmd has gone");
		return;
	}
	if (reg->x.out_done < reg->x.out_len) {
		err = ed_connect_result(s->fd);
		if (!err)
			err = ed_exchange_write(&reg->x, s->fd);
		if (err == -EAGAIN)
			return;
		if (err) {
			missing(k, err);
			return;
		}
		reg->x.in_len = 0;
		ed_source_change(k, s, EPOLLIN);
	}
	if (events & ~(uint32_t)EPOLLOUT)
		on_answer(k);
}

/* "192.0.2.1:4369", "[::1]", ":14369"; epmd takes registrations from its own host only */
int ed_register_configure(struct erldist_keeper *k, const char *epmd)
{
	struct addresses a = { .n = 0 };
	char host[ED_NODE_SIZE] = "";
	uint16_t port = 0;
	int err = 0;

	k->epmd_port = (uint16_t)ed_epmd_service();
	k->epmd.in.sin_family = AF_INET;
	k->epmd.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (!epmd)
		return 0;
	if (!strchr(epmd, ':'))
		snprintf(host, sizeof(host), "%s", epmd);
	else
		err = ed_split_place(&k->error, epmd, host, sizeof(host), &port);
	if (err)
		return err;
	if (port)
		k->epmd_port = port;
	if (!host[0])
		return 0;
	if (ed_resolve_number(&a, host))
		return ed_fail(&k->error, -EINVAL, "epmd at %s: expected an address, in numbers, "
			       "and a port", epmd);
	k->epmd = a.list[0];
	k->epmd_given = true;
	return 0;
}

void ed_register_try(struct erldist_keeper *k)
{
	struct registration *reg = &k->reg;
	int fd;

	ed_child_ended(&reg->starter);
	reg->x.out_done = 0;
	reg->x.out_len = ed_epmd_alive_request(reg->x.out, k->node, k->alive_len, k->port,
					       !(k->options & ERLDIST_KEEPER_EPMD_NORMAL));
	fd = ed_connect_to(&k->epmd, k->epmd_port);
	if (fd < 0) {
		missing(k, fd);
		return;
	}
	reg->source.fd = fd;
	reg->source.ready = on_ready;
	reg->state = REG_BUSY;
	reg->next = ed_now() + ANSWER_MS;
	if (ed_source_add(k, &reg->source, EPOLLOUT))
		lost(k, -ENOMEM, "out of memory");
}

/* Another keeper of this node was registered by it, and nobody has noticed its end */
int ed_register_adopt(struct erldist_keeper *k, int given)
{
	struct registration *reg = &k->reg;
	int err;

	reg->source.fd = fcntl(given, F_DUPFD_CLOEXEC, 0);
	if (reg->source.fd < 0)
		return ed_fail(&k->error, -errno, "epmd's connection %d: %s", given,
			       ed_errno_text(errno));
	reg->source.ready = on_ready;
	reg->state = REG_DONE;
	err = ed_source_add(k, &reg->source, EPOLLIN | EPOLLRDHUP);
	return err ? ed_fail(&k->error, err, "epmd's connection %d: %s", given,
			     ed_errno_text(err)) : 0;
}

void ed_register_timer(struct erldist_keeper *k)
{
	struct registration *reg = &k->reg;

	if (reg->next < 0 || reg->next > ed_now())
		return;
	if (reg->state == REG_BUSY)
		lost(k, -ETIMEDOUT, "it does not answer, is a firewall in the way?");
	else if (reg->state == REG_IDLE)
		ed_register_try(k);
	else
		end_start(reg);
}

void ed_register_end(struct erldist_keeper *k)
{
	ed_source_close(k, &k->reg.source);
	k->reg.next = -1;
	/* it has long gone to the background, if nothing is wrong with it */
	ed_child_kill(&k->reg.starter);
	ed_child_wait(&k->reg.starter);
}
