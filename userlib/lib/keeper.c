// SPDX-License-Identifier: LGPL-2.1-or-later
/* A node in one object: its making, its event loop, its end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "keeper.h"

#define TURNS_MAX	256	/* of one dispatch */
#define EPMD_WAIT_MS	5000	/* at the start, an epmd that comes up included */

int ed_source_add(struct erldist_keeper *k, struct source *s, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = s };

	return epoll_ctl(k->epfd, EPOLL_CTL_ADD, s->fd, &ev) ? -errno : 0;
}

int ed_source_change(struct erldist_keeper *k, struct source *s, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = s };

	return epoll_ctl(k->epfd, EPOLL_CTL_MOD, s->fd, &ev) ? -errno : 0;
}

void ed_source_close(struct erldist_keeper *k, struct source *s)
{
	if (s->fd < 0)
		return;
	/* explicitly, as a child may hold a duplicate for a moment */
	epoll_ctl(k->epfd, EPOLL_CTL_DEL, s->fd, NULL);
	close(s->fd);
	s->fd = -1;
}

void ed_keeper_tell(struct erldist_keeper *k, enum erldist_keeper_event_type type,
		    const char *peer, int error, const char *fmt, ...)
{
	char text[sizeof(k->error.text)], raw[sizeof(k->error.text)];
	struct erldist_keeper_event event = {
		.type = type, .text = text, .peer = peer, .error = error,
	};
	va_list ap;

	if (!k->event)
		return;
	va_start(ap, fmt);
	vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	ed_utf8_escape(text, sizeof(text), raw);
	k->event(k->user, &event);
}

static void sooner(int64_t *next, int64_t t)
{
	if (t >= 0 && (*next < 0 || t < *next))
		*next = t;
}

/* The timer, for what comes first */
void ed_keeper_arm(struct erldist_keeper *k)
{
	struct itimerspec when = { .it_value = { 0, 0 } };
	int64_t next = -1;
	struct dial *d;
	struct ask *a;

	sooner(&next, k->reg.next);
	sooner(&next, k->listen_again);
	sooner(&next, ed_peers_next(k));
	sooner(&next, ed_commands_next(k));
	for (d = k->dials; d; d = d->next) {
		sooner(&next, d->deadline);
		sooner(&next, d->sooner);
	}
	for (a = k->asks; a; a = a->next)
		sooner(&next, a->deadline);
	if (next >= 0) {
		when.it_value.tv_sec = next / 1000;
		/* never 0, which would disarm it */
		when.it_value.tv_nsec = next % 1000 * 1000000 + 1;
	}
	timerfd_settime(k->timer.fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static void on_timer(struct source *s, uint32_t events)
{
	struct erldist_keeper *k = container_of(s, struct erldist_keeper, timer);
	uint64_t n;

	(void)events;
	if (read(s->fd, &n, sizeof(n)) < 0)
		return;
	ed_register_timer(k);
	ed_dial_timer(k);
	ed_listen_timer(k);
	ed_peers_timer(k);
	ed_admit_timer(k);
	ed_commands_timer(k);
}

/*
 * One event a turn: what it does may end other sources, of which an event taken
 * together with it would still speak.
 */
static int turn(struct erldist_keeper *k, int timeout_ms)
{
	struct epoll_event ev;
	struct source *s;
	int n;

	n = epoll_wait(k->epfd, &ev, 1, timeout_ms);
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	if (n) {
		s = ev.data.ptr;
		s->ready(s, ev.events);
		ed_keeper_arm(k);
	}
	return k->fatal ? k->fatal : n;
}

int erldist_keeper_dispatch(struct erldist_keeper *k)
{
	int i, n = 1;

	for (i = 0; n > 0 && i < TURNS_MAX; i++)
		n = turn(k, 0);
	return n < 0 ? n : 0;
}

static int open_loop(struct erldist_keeper *k)
{
	k->epfd = epoll_create1(EPOLL_CLOEXEC);
	k->timer.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	k->timer.ready = on_timer;
	if (k->epfd < 0 || k->timer.fd < 0 || ed_source_add(k, &k->timer, EPOLLIN))
		return ed_fail(&k->error, -errno, "epoll: %s", ed_errno_text(errno));
	return 0;
}

static int take_name(struct erldist_keeper *k, const struct erldist_keeper_options *o)
{
	int err = ed_full_name(&k->error, k->node, o->name,
			       o->options & ERLDIST_KEEPER_LONG_NAMES);

	if (err)
		return err;
	if (o->options & ERLDIST_KEEPER_VISIBLE || o->flags & ERLDIST_DFLAG_PUBLISHED)
		return ed_fail(&k->error, -EOPNOTSUPP, "%s cannot be visible: other nodes would "
			       "expect it to take part in global, which it does not; nodes are "
			       "hidden", k->node);
	k->alive_len = strcspn(k->node, "@");
	return ed_register_configure(k, o->epmd);
}

/* Whether processes or a peer want something is known from here on */
static int begin(struct erldist_keeper *k)
{
	int err;

	k->node_source.ready = ed_node_ready;
	err = ed_source_add(k, &k->node_source, EPOLLIN);
	if (!err)
		err = ed_listen_start(k);
	return err ? ed_fail(&k->error, err, "epoll: %s", ed_errno_text(err)) : 0;
}

/* Until it is settled whether epmd takes the name */
static int register_first(struct erldist_keeper *k, int epmd_fd)
{
	int64_t deadline = ed_now() + EPMD_WAIT_MS, left;
	struct registration *reg = &k->reg;
	int n = 0;

	if (k->options & ERLDIST_KEEPER_WITHOUT_EPMD || !k->port)
		return 0;
	if (epmd_fd)
		return ed_register_adopt(k, epmd_fd);
	ed_register_try(k);
	ed_keeper_arm(k);
	while (n >= 0 && reg->state != REG_DONE && !reg->told) {
		left = deadline - ed_now();
		if (left <= 0)
			break;
		n = turn(k, (int)left);
	}
	if (n < 0)
		return n;
	if (reg->err == -EADDRINUSE)
		return ed_fail(&k->error, -EADDRINUSE, "epmd knows another node %.*s on this host: "
			       "stop that or choose another name; look at 'epmd -names' and "
			       "'erldist node show'", (int)k->alive_len, k->node);
	return 0;
}

/* Until it is settled whether a peer gives the name */
static int name_first(struct erldist_keeper *k, const struct erldist_keeper_options *o,
		      struct config *c)
{
	int64_t left;
	int n;

	if (!o->named_by)
		return 0;
	n = ed_naming_begin(k, o, c);
	if (n)
		return n;
	ed_keeper_arm(k);
	while (n >= 0 && (left = ed_naming_left(k)))
		n = turn(k, (int)left);
	ed_naming_settle(k);
	return n < 0 ? n : 0;
}

static int start(struct erldist_keeper *k, const struct erldist_keeper_options *o,
		 struct config *c)
{
	int err;

	err = take_name(k, o);
	if (!err)
		err = ed_config_make(k, c, o);
	if (!err)
		err = open_loop(k);
	if (!err) {
		err = ed_node_open(k, o->node_fd);
		err = err < 0 ? err : 0;
	}
	if (!err && !(o->options & ERLDIST_KEEPER_NO_LISTEN))
		err = ed_listen_open(k, o);
	if (!err)
		err = register_first(k, o->epmd_fd);
	if (!err)
		err = name_first(k, o, c);
	if (!err)
		err = ed_node_bind(k, o);
	if (!err)
		err = ed_config_apply(k, c);
	if (!err)
		err = begin(k);
	if (!err)
		err = ed_naming_give(k);
	if (!err)
		ed_keeper_arm(k);
	ed_naming_end(k);
	return err;
}

/* There is another descriptor of each now */
static void take_given(const struct erldist_keeper_options *o)
{
	if (o->node_fd)
		close(o->node_fd);
	if (o->epmd_fd)
		close(o->epmd_fd);
	ed_listen_take(o);
}

static struct erldist_keeper *make(const struct erldist_keeper_options *options)
{
	struct erldist_keeper *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	k->epfd = -1;
	k->node_source.fd = -1;
	k->timer.fd = -1;
	k->reg.source.fd = -1;
	k->reg.next = -1;
	k->listen_again = -1;
	/* those of a keeper before us may still be in use */
	k->next_tag = (uint64_t)ed_now() << 20;
	k->options = options->options;
	if (options->dist_port)
		k->options |= ERLDIST_KEEPER_WITHOUT_EPMD;
	k->event = options->event;
	k->user = options->user;
	return k;
}

int erldist_keeper_open(struct erldist_keeper **kp, const struct erldist_keeper_options *options)
{
	struct erldist_keeper *k = make(options);
	struct config c = { 0 };
	int err;

	*kp = k;
	if (!k)
		return -ENOMEM;
	err = start(k, options, &c);
	ed_config_free(&c);
	if (!err)
		take_given(options);
	return err;
}

int erldist_keeper_check(struct erldist_keeper **kp, const struct erldist_keeper_options *options)
{
	struct erldist_keeper *k = make(options);
	int err;

	*kp = k;
	if (!k)
		return -ENOMEM;
	err = take_name(k, options);
	if (!err)
		err = ed_config_check(k, options);
	if (!err && !(options->options & ERLDIST_KEEPER_NO_LISTEN))
		err = ed_listen_check(k, options);
	return err;
}

int erldist_keeper_configure(struct erldist_keeper *k,
			     const struct erldist_keeper_options *options)
{
	struct node_settings old;
	struct config c;
	int err;

	err = ed_config_make(k, &c, options);
	if (!err)
		err = ed_node_settings(k, &old);
	if (!err)
		err = ed_node_change(k, options);
	if (!err) {
		err = ed_config_apply(k, &c);
		if (err)
			ed_node_restore(k, &old);
	}
	ed_config_free(&c);
	if (!err)
		ed_keeper_arm(k);
	return err;
}

int erldist_keeper_set_cookie(struct erldist_keeper *k, const char *node, const char *cookie)
{
	struct ed_cookie c = { 0 };
	char full[ED_NODE_SIZE];
	int err = node ? ed_node_name(&k->error, full, node, k->node) : 0;

	if (err)
		return err;
	if (!node && !cookie)
		return ed_fail(&k->error, -EINVAL, "%s: a node has to have a cookie", k->node);
	if (cookie)
		err = ed_cookie_get(&k->error, &c, cookie, NULL);
	if (!err) {
		err = ed_node_cookie(k, node ? full : NULL, cookie ? &c : NULL);
		if (err)
			ed_fail(&k->error, err, "the kernel takes no cookie: %s",
				ed_errno_text(err));
	}
	if (!err && !node)
		snprintf(k->cookie_source, sizeof(k->cookie_source), "%s", c.source);
	explicit_bzero(&c, sizeof(c));
	return err;
}

void erldist_keeper_close(struct erldist_keeper *k)
{
	if (!k)
		return;
	while (k->dials)
		ed_dial_cancel(k, k->dials->peer);
	ed_admit_close(k);
	ed_register_end(k);
	ed_listen_close(k);
	ed_accepted_close(k);
	ed_source_close(k, &k->node_source);
	ed_command_close(k);
	ed_source_close(k, &k->timer);
	ed_peers_free(k);
	ed_config_free(&k->config);
	if (k->epfd >= 0)
		close(k->epfd);
	free(k);
}

int erldist_keeper_fd(const struct erldist_keeper *k)
{
	return k->epfd >= 0 ? k->epfd : -EBADF;
}

const char *erldist_keeper_node(const struct erldist_keeper *k)
{
	return k->node;
}

int erldist_keeper_node_fd(const struct erldist_keeper *k)
{
	return k->node_source.fd >= 0 ? k->node_source.fd : -EBADF;
}

int erldist_keeper_epmd_fd(const struct erldist_keeper *k)
{
	return k->reg.state == REG_DONE ? k->reg.source.fd : -ENOENT;
}

int erldist_keeper_listen_fd(const struct erldist_keeper *k, unsigned int n)
{
	struct listener *l;

	for (l = k->listeners; l && n; l = l->next)
		n--;
	if (!l)
		return -ENOENT;
	l->kept = true;
	return l->source.fd;
}

int erldist_keeper_port(const struct erldist_keeper *k)
{
	return k->port;
}

const char *erldist_keeper_cookie_source(const struct erldist_keeper *k)
{
	return k->cookie_source;
}
