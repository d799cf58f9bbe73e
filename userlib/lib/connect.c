// SPDX-License-Identifier: LGPL-2.1-or-later
/* Waiting for a node to be connected, and telling why it is not. */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "internal.h"

static int start(struct erldist *p, const struct erldist_term *to)
{
	struct sockaddr_erldist sa;
	int len = ed_sockaddr(&sa, p->family, to->term, to->len), ret;

	if (len < 0)
		ret = setsockopt(p->fd, SOL_ERLDIST, ERLDIST_CONNECT, to->term,
				 (socklen_t)to->len);
	else
		ret = connect(p->fd, (struct sockaddr *)&sa, (socklen_t)len);
	return ret ? -errno : 0;
}

static int finish(struct erldist *p, int64_t deadline)
{
	socklen_t len = sizeof(int);
	int err, so_error = 0;

	err = ed_wait(p->fd, POLLOUT, deadline);
	if (err)
		return err;
	if (getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &so_error, &len))
		return -errno;
	return -so_error;
}

/* Non-blocking for the time of the call, to have a timeout of its own */
static int connect_within(struct erldist *p, const struct erldist_term *to, int timeout_ms)
{
	int64_t deadline = ed_deadline(timeout_ms);
	int fl = fcntl(p->fd, F_GETFL), err;

	if (fl < 0 || fcntl(p->fd, F_SETFL, fl | O_NONBLOCK))
		return -errno;
	err = start(p, to);
	if (err == -EINPROGRESS)
		err = finish(p, deadline);
	if (fcntl(p->fd, F_SETFL, fl) && !err)
		err = -errno;
	return err;
}

struct search {
	const char *node;
	const char *peer;
	struct ed_error *e;
	int within_ms;	/* what the caller waited; 0: as long as the kernel */
};

/* What the kernel remembers of the peer explains more than a number can */
static int explain_peer(void *user, const struct erldist_peer_info *info)
{
	char text[sizeof(((struct ed_error *)0)->text)];
	char within[48] = "in time";
	struct search *s = user;

	if (strcmp(info->name, s->peer) || strcmp(info->node, s->node))
		return 0;
	/* up: what it remembers is of another time */
	if (info->state == ERLDIST_PEER_STATE_UP)
		return 1;
	if (info->reason != ERLDIST_REASON_NONE) {
		erldist_explain(text, sizeof(text), info, NULL);
		ed_fail(s->e, s->e->err, "%s", text);
	} else if (s->e->err == -ETIMEDOUT) {
		if (s->within_ms)
			snprintf(within, sizeof(within), "within the %d ms of the call",
				 s->within_ms);
		ed_fail(s->e, s->e->err, "%s: not connected %s; is its host up, is a "
			"firewall in the way, and does the program that holds %s still run?",
			s->peer, within, s->node);
	}
	return 1;
}

/* Makes more of the error, if the connection to the peer is why */
void ed_explain_peer(struct ed_error *e, const char *node, const char *peer, int within_ms)
{
	struct search s = { .node = node, .peer = peer, .e = e, .within_ms = within_ms };
	struct erldist_observer *o = NULL;

	if (!erldist_observer_open(&o, 0))
		erldist_peers(o, explain_peer, &s);
	erldist_observer_close(o);
}

static const char *by_number(int err)
{
	switch (err) {
	case -EKEYREJECTED:
		return "the cookie was refused, or another one is in use there";
	case -ECONNREFUSED:
	case -ERLDIST_REFUSED:
		return "the connection was refused";
	case -ETIMEDOUT:
		return "not connected in time; is its host up, is a firewall in the way?";
	case -ERLDIST_EPMD_SILENT:
		return "the epmd of its host does not answer";
	case -EHOSTUNREACH:
		return "the node cannot be reached";
	case -EPROTO:
		return "it does not speak the distribution protocol";
	case -ENETDOWN:
		return "the local node is gone";
	default:
		return ed_errno_text(err);
	}
}

/* The node a destination is on; false: it is hard to tell */
bool ed_node_of(const struct erldist_slice *to, char node[ED_NODE_SIZE])
{
	struct ed_atom name, at;
	struct ed_reader r;
	erlang_pid pid;
	uint32_t arity;

	ed_reader_init(&r, to->term, to->len);
	if (ed_is_pid(ed_peek(&r))) {
		if (ed_read_pid(&r, &pid))
			return false;
		snprintf(node, ED_NODE_SIZE, "%.*s", ERLDIST_NAME_MAX, pid.node);
	} else {
		if (ed_read_tuple(&r, &arity) || arity != 2 || ed_read_atom(&r, &name) ||
		    ed_read_atom(&r, &at) || at.len > ERLDIST_NAME_MAX)
			return false;
		memcpy(node, at.s, at.len + 1);
	}
	return true;
}

void ed_suspect_node_of(struct erldist *p, const struct erldist_slice *to)
{
	char node[ED_NODE_SIZE];

	if (ed_node_of(to, node) && strcmp(node, p->node))
		ed_suspect(p->node, node);
}

/* There is no connection to the node of a destination. Returns err */
int ed_not_connected(struct erldist *p, const char *dest, const struct erldist_slice *to, int err)
{
	ed_fail(&p->error, err, "%s: %s", dest, by_number(err));
	if (err != -EINVAL && err != -EINTR)
		ed_suspect_node_of(p, to);
	return err;
}

int erldist_connect(struct erldist *p, const char *dest, int timeout_ms)
{
	struct erldist_term to = ERLDIST_TERM_INIT;
	struct erldist_slice s;
	int err;

	err = ed_resolve_address(p, &to, dest, true);
	if (!err) {
		err = connect_within(p, &to, timeout_ms);
		s.term = to.term;
		s.len = to.len;
		if (err)
			ed_not_connected(p, dest, &s, err);
	}
	erldist_term_free(&to);
	return err;
}
