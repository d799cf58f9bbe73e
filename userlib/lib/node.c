// SPDX-License-Identifier: LGPL-2.1-or-later
/* The node socket: making the node, handing over, reading its news. */
#include <fcntl.h>
#include <linux/genetlink.h>
#include <netlink/attr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "keeper.h"

#define MODE_DEFAULT	0600	/* the kernel's */
#define NEWS_SIZE	8192	/* always suffices */
#define NEWS_MAX	64	/* of one call, so that others have their turn */

/* The socket of this node, which has its name already */
static int adopt(struct erldist_keeper *k, int family, int given)
{
	struct sockaddr_erldist sa = { 0 };
	socklen_t len = sizeof(sa);
	struct ed_reader r;
	struct ed_atom name;
	int err;

	err = getsockname(given, (struct sockaddr *)&sa, &len) ? -errno : 0;
	/* a name may be too long for it */
	if (err == -EOVERFLOW)
		err = 0;
	else if (!err && sa.sed_family != family)
		err = -EINVAL;
	else if (!err) {
		ed_reader_init(&r, sa.sed_term, len - offsetof(struct sockaddr_erldist, sed_term));
		if (ed_read_atom(&r, &name) || strcmp(name.s, k->node))
			err = -EINVAL;
	}
	if (err)
		return ed_fail(&k->error, err, "descriptor %d is not the socket of %s", given,
			       k->node);
	k->node_source.fd = fcntl(given, F_DUPFD_CLOEXEC, 0);
	if (k->node_source.fd < 0)
		return ed_fail(&k->error, -errno, "descriptor %d: %s", given,
			       ed_errno_text(errno));
	return family;
}

/* given: 0, or the socket of the node */
int ed_node_open(struct erldist_keeper *k, int given)
{
	int family, err;

	err = ed_family(&k->error, &family);
	if (err)
		return err;
	if (given)
		return adopt(k, family, given);
	k->node_source.fd = socket(family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (k->node_source.fd >= 0)
		return family;
	if (errno == EPERM)
		return ed_fail(&k->error, -EPERM, "making a node needs root (CAP_NET_ADMIN), or the "
			       "module parameter unprivileged=1 (in /sys/module/erldist/parameters "
			       "while it is loaded)");
	return ed_fail(&k->error, -errno, "socket: %s", ed_errno_text(errno));
}

static int set(struct erldist_keeper *k, int option, const void *value, size_t len)
{
	return setsockopt(k->node_source.fd, SOL_ERLDIST, option, value, (socklen_t)len) ?
	       -errno : 0;
}

/* What it is to offer */
int ed_node_flags(struct erldist_keeper *k, const struct erldist_keeper_options *o,
		  uint64_t *flags)
{
	socklen_t len = sizeof(*flags);

	*flags = o->flags;
	if (o->flags || !getsockopt(k->node_source.fd, SOL_ERLDIST, ERLDIST_FLAGS, flags, &len))
		return 0;
	return ed_fail(&k->error, -errno, "the flags of the node: %s", ed_errno_text(errno));
}

static int get(struct erldist_keeper *k, int option, void *value, socklen_t len)
{
	return getsockopt(k->node_source.fd, SOL_ERLDIST, option, value, &len) ? -errno : 0;
}

static int refused(struct erldist_keeper *k, int err)
{
	return ed_fail(&k->error, err, "the kernel refuses an option of the node: %s",
		       ed_errno_text(err));
}

/* What the node is like now */
int ed_node_settings(struct erldist_keeper *k, struct node_settings *s)
{
	int err = get(k, ERLDIST_MODE, &s->mode, sizeof(s->mode));

	if (!err)
		err = get(k, ERLDIST_TICKTIME, &s->tick, sizeof(s->tick));
	if (!err)
		err = get(k, ERLDIST_LIMITS, &s->limits, sizeof(s->limits));
	if (!err)
		err = get(k, ERLDIST_ADMIT, &s->admit, sizeof(s->admit));
	return err ? refused(k, err) : 0;
}

static int put_settings(struct erldist_keeper *k, const struct node_settings *s)
{
	int err = set(k, ERLDIST_MODE, &s->mode, sizeof(s->mode));

	if (!err)
		err = set(k, ERLDIST_TICKTIME, &s->tick, sizeof(s->tick));
	if (!err)
		err = set(k, ERLDIST_LIMITS, &s->limits, sizeof(s->limits));
	return err ? err : set(k, ERLDIST_ADMIT, &s->admit, sizeof(s->admit));
}

/* As it was: the kernel had that before */
void ed_node_restore(struct erldist_keeper *k, const struct node_settings *s)
{
	put_settings(k, s);
}

/* What can be changed at any time: all of it, or nothing. 0 is the kernel's default */
int ed_node_change(struct erldist_keeper *k, const struct erldist_keeper_options *o)
{
	struct node_settings old, new;
	int err = ed_node_settings(k, &old);

	if (err)
		return err;
	if (o->ticktime > UINT32_MAX / 1000 || o->setuptime > UINT32_MAX / 1000)
		return refused(k, -EINVAL);
	new = old;
	new.mode = o->mode ? o->mode : MODE_DEFAULT;
	new.tick.ticktime = 1000 * o->ticktime;
	new.tick.setup = 1000 * o->setuptime;
	new.limits.handshakes = o->handshakes;
	new.admit = (o->allow && *o->allow) || o->admit || o->options & ERLDIST_KEEPER_ASK;
	err = put_settings(k, &new);
	if (err) {
		ed_node_restore(k, &old);
		return refused(k, err);
	}
	k->setup = new.tick.setup ? new.tick.setup : ED_SETUP_MS;
	return 0;
}

static int set_options(struct erldist_keeper *k, const struct erldist_keeper_options *o)
{
	int err = 0;

	if (k->reg.creation)
		err = set(k, ERLDIST_CREATION, &k->reg.creation, sizeof(k->reg.creation));
	if (!err && o->flags)
		err = set(k, ERLDIST_FLAGS, &o->flags, sizeof(o->flags));
	return err ? refused(k, err) : ed_node_change(k, o);
}

static int bind_name(struct erldist_keeper *k, int family)
{
	struct erldist_term name = ERLDIST_TERM_INIT;
	struct sockaddr_erldist sa;
	int err, len;

	err = ed_put_atom(&name, k->node, strlen(k->node));
	if (!err) {
		len = ed_sockaddr(&sa, family, name.term, name.len);
		if (len < 0)
			err = set(k, ERLDIST_BIND, name.term, name.len);
		else if (bind(k->node_source.fd, (struct sockaddr *)&sa, (socklen_t)len))
			err = -errno;
	}
	erldist_term_free(&name);
	return err;
}

/* What its peers are, and want, is news to us */
static int go_on(struct erldist_keeper *k, const struct erldist_keeper_options *o)
{
	int err = ed_node_change(k, o);

	if (!err && set(k, ERLDIST_REPLAY, NULL, 0))
		err = ed_fail(&k->error, -errno, "%s: %s", k->node, ed_errno_text(errno));
	return err;
}

int ed_node_bind(struct erldist_keeper *k, const struct erldist_keeper_options *o)
{
	socklen_t len = sizeof(int);
	int family = 0, err;

	if (o->node_fd)
		return go_on(k, o);
	err = set_options(k, o);
	if (err)
		return err;
	if (getsockopt(k->node_source.fd, SOL_SOCKET, SO_DOMAIN, &family, &len))
		return ed_fail(&k->error, -errno, "socket: %s", ed_errno_text(errno));
	err = bind_name(k, family);
	if (err == -EADDRINUSE)
		return ed_fail(&k->error, err, "there is a node %s on " ED_THIS_MACHINE
			       " already; look at 'erldist node show'", k->node);
	return err ? ed_fail(&k->error, err, "bind %s: %s", k->node, ed_errno_text(err)) : 0;
}

int ed_node_channel(struct erldist_keeper *k, const struct hand_over *h)
{
	size_t name_len = h->peer ? strlen(h->peer) : 0;
	struct erldist_hand_over *c = calloc(1, sizeof(*c) + name_len);
	int err;

	if (!c)
		return -ENOMEM;
	c->fd = h->fd;
	c->role = (__u8)h->role;
	c->framing = 2;
	c->tag = h->tag;
	c->flags = h->flags;
	c->creation = h->creation;
	c->name_len = (__u16)name_len;
	if (name_len)
		memcpy(c->data, h->peer, name_len);
	err = set(k, ERLDIST_CHANNEL, c, sizeof(*c) + name_len);
	free(c);
	return err;
}

/* What p says, about a peer. A cookie, too, where there is one */
static int ask_kernel(struct erldist_keeper *k, const struct erldist_peer_request *p,
		      const char *peer, const struct ed_cookie *cookie)
{
	size_t name_len = strlen(peer), cookie_len = cookie ? cookie->len : 0;
	size_t size = sizeof(*p) + name_len + cookie_len;
	struct erldist_peer_request *r = calloc(1, size);
	int err;

	if (!r)
		return -ENOMEM;
	*r = *p;
	r->name_len = (__u16)name_len;
	r->cookie_len = (__u16)cookie_len;
	memcpy(r->data, peer, name_len);
	if (cookie_len)
		memcpy(r->data + name_len, cookie->value, cookie_len);
	err = set(k, ERLDIST_PEER, r, size);
	explicit_bzero(r, size);
	free(r);
	return err;
}

/*
 * error: a positive errno. retry: ms until it is tried again by itself, or -1. The kernel
 * may have given up the peer, which is all right.
 */
void ed_node_unreachable(struct erldist_keeper *k, const char *peer, int error, int64_t retry)
{
	struct erldist_peer_request p = {
		.action = ERLDIST_PEER_UNREACHABLE, .error = error,
	};

	if (retry >= 0) {
		p.action |= ERLDIST_PEER_RETRY;
		p.retry = (uint32_t)retry;
	}
	/* without memory the kernel's own timeout remains */
	ask_kernel(k, &p, peer, NULL);
}

/* Tells the kernel in how many ms a kept peer is tried again. A failure does no harm. */
void ed_node_retry(struct erldist_keeper *k, const char *peer, int64_t ms)
{
	struct erldist_peer_request p = {
		.action = ERLDIST_PEER_RETRY, .retry = (uint32_t)ms,
	};

	ask_kernel(k, &p, peer, NULL);
}

/* The node's, or a peer's; none: the peer has the node's */
int ed_node_cookie(struct erldist_keeper *k, const char *peer, const struct ed_cookie *c)
{
	struct erldist_peer_request p = { .action = ERLDIST_PEER_COOKIE };

	if (!peer)
		return set(k, ERLDIST_COOKIE, c->value, c->len);
	return ask_kernel(k, &p, peer, c);
}

/* -ENOENT: it is gone */
int ed_node_answer(struct erldist_keeper *k, const char *peer, uint64_t tag, bool allow,
		   const struct ed_cookie *c)
{
	struct erldist_peer_request p = {
		.action = allow ? ERLDIST_PEER_ALLOW : ERLDIST_PEER_DENY, .tag = tag,
	};

	if (c)
		p.action |= ERLDIST_PEER_COOKIE;
	return ask_kernel(k, &p, peer, c);
}

int erldist_keeper_give(struct erldist_keeper *k, int fd, int role, const char *node,
			uint64_t flags, uint32_t creation)
{
	struct hand_over h = {
		.fd = fd, .role = role, .peer = node, .tag = ++k->next_tag, .flags = flags,
		.creation = creation,
	};
	int err = ed_node_channel(k, &h);

	return err ? ed_fail(&k->error, err, "%s: the kernel does not take the connection: %s",
			     node ? node : "somebody", ed_errno_text(err)) : 0;
}

/* One of long and one of short names: an Erlang node wants nothing of the other */
static bool other_names(const struct erldist_keeper *k, const char *peer)
{
	const char *host = strchr(peer, '@');

	return host && ed_host_kind(host + 1) != ed_host_kind(strchr(k->node, '@') + 1);
}

static void tell_closed(char *text, size_t size, struct erldist_peer_info *info, bool names)
{
	if (!names) {
		snprintf(text, size, "%s closed the connection in the handshake",
			 info->name[0] ? info->name : "someone");
		return;
	}
	info->reason = ERLDIST_REASON_UNREACHABLE;
	info->error = ERLDIST_OTHER_NAMES;
	erldist_explain(text, size, info, NULL);
}

static void tell(struct erldist_keeper *k, enum erldist_keeper_event_type type,
		 const struct erldist_peer_info *info)
{
	char text[sizeof(k->error.text)];
	struct erldist_keeper_event event = {
		.type = type, .text = text, .peer = info->name[0] ? info->name : NULL,
		.reason = info->reason, .error = (int)info->error,
		.connection = info->connection,
	};
	struct erldist_peer_info mine = *info;

	if (!k->event)
		return;
	mine.node = k->node;
	if (type == ERLDIST_KEEPER_UP)
		snprintf(text, sizeof(text), "%s is up", info->name);
	else if (type == ERLDIST_KEEPER_FAILED &&
		 info->reason == ERLDIST_REASON_CONNECTION_CLOSED)
		tell_closed(text, sizeof(text), &mine, other_names(k, info->name));
	else
		erldist_explain(text, sizeof(text), &mine, k->cookie_source);
	k->event(k->user, &event);
}

static void take_up(struct erldist_keeper *k, const struct erldist_peer_info *info)
{
	ed_dial_cancel(k, info->name);
	ed_peer_up(k, info->name);
	tell(k, ERLDIST_KEEPER_UP, info);
}

static void take_news(struct erldist_keeper *k, const struct erldist_peer_info *info)
{
	/* in the order in which they must have happened */
	if (info->pending & ERLDIST_PENDING_DOWN) {
		ed_peer_down(k, info->name);
		tell(k, ERLDIST_KEEPER_DOWN, info);
	}
	/* what we answered ourselves has been told by whom found it out */
	if (info->pending & ERLDIST_PENDING_FAILED &&
	    info->reason != ERLDIST_REASON_UNREACHABLE) {
		ed_peer_rejected(k, info->name, info->tag, info->error ? -(int)info->error :
									 -EHOSTUNREACH);
		tell(k, ERLDIST_KEEPER_FAILED, info);
	}
	if (info->pending & ERLDIST_PENDING_UP)
		take_up(k, info);
	if (info->pending & ERLDIST_PENDING_ASKS)
		ed_admit(k, info->name, info->tag, info->flags);
	if (info->pending & ERLDIST_PENDING_WANTED && info->name[0])
		ed_peer_wanted(k, info->name);
}

static int read_news(struct erldist_keeper *k)
{
	union {
		char bytes[NEWS_SIZE];
		struct genlmsghdr head;
		struct nlattr align;
	} news;
	struct erldist_peer_info info;
	ssize_t n;

	n = recv(k->node_source.fd, news.bytes, sizeof(news.bytes), MSG_DONTWAIT);
	if (n < 0)
		return -errno;
	if (n < (ssize_t)GENL_HDRLEN)
		return -EPROTO;
	if (!ed_peer_info(&info, (struct nlattr *)(news.bytes + GENL_HDRLEN),
			  (int)(n - GENL_HDRLEN)))
		take_news(k, &info);
	return 0;
}

void ed_node_ready(struct source *s, uint32_t events)
{
	struct erldist_keeper *k = container_of(s, struct erldist_keeper, node_source);
	int err = 0, i;

	(void)events;
	for (i = 0; !err && i < NEWS_MAX; i++)
		err = read_news(k);
	if (err && err != -EAGAIN && err != -EINTR)
		k->fatal = ed_fail(&k->error, err, "%s: the node socket failed: %s", k->node,
				   ed_errno_text(err));
}
