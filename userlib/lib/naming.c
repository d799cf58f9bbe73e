// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A name that a peer gives: before there is a node, the peer is dialled, and the
 * handshake done here, as it tells the name. The kernel gets the connection when
 * the node is made. Where nothing comes of it, it is as if nothing had been asked;
 * but of a peer that cannot be reached the failure is remembered, and not met again.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "keeper.h"


_Static_assert(sizeof(((struct exchange *)0)->out) >= ED_SHAKE_MAX, "a message has room");

struct naming {
	struct source source;	/* the connection, once there is one */
	struct erldist_keeper *k;
	struct ed_shake shake;
	struct exchange x;
	enum { NAMING_DIALS, NAMING_SHAKES, NAMING_GIVEN, NAMING_OVER } state;
	int64_t deadline;
};

/* What a new attempt would meet, too, is remembered: where a name is refused it would not */
static void over(struct naming *n, int err)
{
	/* not the close alone: command.c has a duplicate, and ends the command by it */
	if (n->source.fd >= 0)
		shutdown(n->source.fd, SHUT_RDWR);
	ed_source_close(n->k, &n->source);
	n->state = NAMING_OVER;
	if (err == -EKEYREJECTED || err == -ETIMEDOUT)
		ed_peer_failed(n->k, n->shake.peer, err);
}

/* No byte more than the handshake's: what follows is for the kernel */
static int read_message(struct naming *n)
{
	struct exchange *x = &n->x;
	size_t want = 2;
	ssize_t got;

	for (;;) {
		if (x->in_len >= 2)
			want = 2 + (x->in[0] << 8 | x->in[1]);
		if (want > sizeof(x->in))
			return -EPROTO;
		if (x->in_len == want)
			return 0;
		got = recv(n->source.fd, x->in + x->in_len, want - x->in_len, 0);
		if (got < 0)
			return -errno;
		if (!got)
			return -ECONNRESET;
		x->in_len += (size_t)got;
	}
}

static int take_message(struct naming *n)
{
	struct exchange *x = &n->x;
	int len = ed_shake_take(&n->shake, x->in + 2, x->in_len - 2, x->out);

	if (len < 0)
		return len;
	x->in_len = 0;
	x->out_done = 0;
	x->out_len = (size_t)len;
	return 0;
}

/* Until the other side has to do something: -EAGAIN */
static int go_on(struct naming *n)
{
	int err;

	do {
		err = ed_exchange_write(&n->x, n->source.fd);
		if (!err)
			err = read_message(n);
		if (!err)
			err = take_message(n);
	} while (!err && n->shake.state != ED_SHAKE_DONE);
	return err;
}

static void on_ready(struct source *s, uint32_t events)
{
	struct naming *n = container_of(s, struct naming, source);
	int err = go_on(n);

	(void)events;
	if (err == -EAGAIN) {
		ed_source_change(n->k, s, n->x.out_done < n->x.out_len ? EPOLLOUT : EPOLLIN);
	} else if (!err) {
		epoll_ctl(n->k->epfd, EPOLL_CTL_DEL, s->fd, NULL);
		n->state = NAMING_GIVEN;
	} else {
		/* an Erlang node that does not like the proof says nothing */
		if (n->shake.state == ED_SHAKE_ACK && err != -EPROTO)
			err = -EKEYREJECTED;
		over(n, err);
	}
}

/* The dial has succeeded: is the connection ours? */
bool ed_naming_takes(struct erldist_keeper *k, int fd)
{
	struct naming *n = k->naming;
	int len;

	if (!n || n->state != NAMING_DIALS)
		return false;
	n->source.fd = fd;
	n->source.ready = on_ready;
	n->state = NAMING_SHAKES;
	len = ed_shake_hello(&n->shake, n->x.out);
	n->x.out_len = len < 0 ? 0 : (size_t)len;
	if (len < 0 || ed_source_add(k, &n->source, EPOLLOUT))
		over(n, -ENOMEM);
	return true;
}

/* c is not in place yet, but says where the peer is, and its cookie */
int ed_naming_begin(struct erldist_keeper *k, const struct erldist_keeper_options *o,
		    struct config *c)
{
	uint32_t within = o->named_within && o->named_within < ED_SETUP_MS ?
			  o->named_within : ED_SETUP_MS;
	struct naming *n;
	int err;

	if (!ed_node_ok(o->named_by))
		return ed_fail(&k->error, -EINVAL, "%s is no node name: NAME@HOST", o->named_by);
	if (!(o->options & ERLDIST_KEEPER_NO_LISTEN))
		return ed_fail(&k->error, -EINVAL, "%s: a node whose name is given to it accepts "
			       "nobody", k->node);
	n = calloc(1, sizeof(*n));
	if (!n)
		return ed_fail(&k->error, -ENOMEM, "out of memory");
	n->k = k;
	n->source.fd = -1;
	n->deadline = ed_now() + within;
	k->naming = n;
	n->shake.peer = o->named_by;
	n->shake.host = strchr(k->node, '@') + 1;
	n->shake.cookie = ed_config_cookie(c, o->named_by);
	err = ed_node_flags(k, o, &n->shake.flags);
	if (err)
		return err;
	k->config = *c;
	k->setup = within;
	ed_dial_start(k, o->named_by);
	return 0;
}

/* How long it may still take; 0: it is settled */
int64_t ed_naming_left(struct erldist_keeper *k)
{
	struct naming *n = k->naming;

	/* why it cannot be dialled is remembered by then */
	if (n->state == NAMING_DIALS && !ed_dialing(k, n->shake.peer))
		over(n, 0);
	if (n->state == NAMING_GIVEN || n->state == NAMING_OVER)
		return 0;
	if (ed_now() >= n->deadline) {
		ed_dial_cancel(k, n->shake.peer);
		over(n, -ETIMEDOUT);
		return 0;
	}
	return n->deadline - ed_now();
}

/* The node is to have this name, and the creation that goes with it */
void ed_naming_settle(struct erldist_keeper *k)
{
	struct naming *n = k->naming;

	ed_dial_cancel(k, n->shake.peer);
	memset(&k->config, 0, sizeof(k->config));
	if (n->state != NAMING_GIVEN)
		return;
	strcpy(k->node, n->shake.name);
	k->alive_len = strcspn(k->node, "@");
	k->reg.creation = n->shake.creation;
}

/* There is a node: the connection is its own */
int ed_naming_give(struct erldist_keeper *k)
{
	struct naming *n = k->naming;
	struct hand_over h = { .role = ERLDIST_ROLE_READY };
	int err;

	if (!n || n->state != NAMING_GIVEN)
		return 0;
	h.fd = n->source.fd;
	h.peer = n->shake.peer;
	h.tag = ++k->next_tag;
	h.flags = n->shake.peer_flags;
	h.creation = n->shake.peer_creation;
	ed_peer_named_us(k, h.peer);
	err = ed_node_channel(k, &h);
	return err ? ed_fail(&k->error, err, "%s: the kernel does not take the connection: %s",
			     h.peer, ed_errno_text(err)) : 0;
}

void ed_naming_end(struct erldist_keeper *k)
{
	if (!k->naming)
		return;
	ed_source_close(k, &k->naming->source);
	explicit_bzero(k->naming, sizeof(*k->naming));
	free(k->naming);
	k->naming = NULL;
}
