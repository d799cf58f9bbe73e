// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Connecting what is wanted: resolve the host, ask its epmd for the port unless
 * it is configured, connect, hand over. The addresses of a host are tried as in
 * RFC 8305: one after the other, the next beginning before the last has failed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "keeper.h"

/* Before the kernel's patience ends, to say something better than "timeout" */
#define MARGIN_MS	250
#define NEXT_ADDRESS_MS	250	/* RFC 8305's Connection Attempt Delay */

/* A dial has a child or some sockets, each attempt another one */
#define DIALS_PART	32	/* of the descriptors, so many dials */
#define DIALS_MIN	8
#define DIALS_MAX	256

static void try_address(struct dial *d);

/* Not the close alone: command.c has a duplicate, and ends the command by it */
static void close_stream(struct attempt *a)
{
	if (a->source.fd >= 0)
		shutdown(a->source.fd, SHUT_RDWR);
	ed_source_close(a->d->k, &a->source);
}

static void attempt_end(struct attempt *a)
{
	struct attempt **at;

	for (at = &a->d->attempts; *at != a; at = &(*at)->next)
		;
	*at = a->next;
	close_stream(a);
	free(a);
}

static void forget(struct dial *d)
{
	struct dial **at;

	for (at = &d->k->dials; *at != d; at = &(*at)->next)
		;
	*at = d->next;
	while (d->attempts)
		attempt_end(d->attempts);
	ed_source_close(d->k, &d->source);
	ed_resolve_end(&d->resolver);
	free(d);
}

static void failed(struct dial *d, int err)
{
	char text[sizeof(d->k->error.text)];
	struct erldist_peer_info info = {
		.node = d->k->node, .name = d->peer,
		.reason = ERLDIST_REASON_UNREACHABLE, .error = (uint32_t)-err,
	};

	ed_peer_failed(d->k, d->peer, err);
	erldist_explain(text, sizeof(text), &info, d->k->cookie_source);
	ed_keeper_tell(d->k, ERLDIST_KEEPER_UNREACHABLE, d->peer, -err, "%s", text);
	ed_node_unreachable(d->k, d->peer, -err, ed_peer_retry(d->k, d->peer));
	forget(d);
}

/* "no epmd" on one address of a host says less than what another one met */
static void note(struct dial *d, int err)
{
	if (!d->err || err != -ERLDIST_NO_EPMD)
		d->err = err;
}

/* Its next address at once. May free the dial */
static void attempt_failed(struct attempt *a, int err)
{
	struct dial *d = a->d;

	attempt_end(a);
	note(d, err);
	try_address(d);
}

static void hand_over(struct attempt *a)
{
	int err = ed_connect_result(a->source.fd);
	struct dial *d = a->d;
	struct hand_over h = {
		.fd = a->source.fd, .role = ERLDIST_ROLE_INITIATOR, .peer = d->peer,
	};

	if (err) {
		attempt_failed(a, err);
		return;
	}
	epoll_ctl(d->k->epfd, EPOLL_CTL_DEL, h.fd, NULL);
	if (ed_naming_takes(d->k, h.fd)) {
		a->source.fd = -1;
		forget(d);
		return;
	}
	h.tag = ++d->k->next_tag;
	err = ed_node_channel(d->k, &h);
	/* it may have come up by the peer's own attempt meanwhile */
	if (err && err != -EISCONN && err != -EALREADY) {
		failed(d, err);
		return;
	}
	if (err == -EISCONN)
		ed_peer_up(d->k, d->peer);
	else
		ed_peer_handed_over(d->k, d->peer, h.tag);
	/* it is the kernel's now, if that has taken it */
	if (!err)
		ed_source_close(d->k, &a->source);
	forget(d);
}

/* To the epmd or the node of an address */
static int begin(struct attempt *a, enum attempt_state state, uint16_t port)
{
	struct erldist_keeper *k = a->d->k;

	a->state = state;
	if (a->to.sa.sa_family == AF_UNSPEC)
		a->source.fd = ed_command_connect(k, a->d->host, port);
	else
		a->source.fd = ed_connect_to(&a->to, port);
	if (a->source.fd < 0)
		return a->source.fd;
	return ed_source_add(k, &a->source, EPOLLOUT);
}

static int connect_node(struct attempt *a, uint16_t port)
{
	return begin(a, ATTEMPT_NODE, port);
}

static int no_epmd(int err)
{
	return err == -ECONNREFUSED ? -ERLDIST_NO_EPMD : err;
}

static int ask_epmd(struct attempt *a)
{
	const char *peer = a->d->peer;

	a->x.out_done = 0;
	a->x.in_len = 0;
	a->x.out_len = ed_epmd_port_request(a->x.out, peer, strcspn(peer, "@"));
	return no_epmd(begin(a, ATTEMPT_EPMD, a->d->k->epmd_port));
}

static void on_epmd_answer(struct attempt *a)
{
	struct ed_epmd_port answer;
	int n, len, err = 0;

	n = ed_exchange_read(&a->x, a->source.fd);
	if (n == -EAGAIN)
		return;
	len = ed_epmd_port_answer(a->x.in, a->x.in_len, &answer);
	if (!len && n > 0)
		return;
	close_stream(a);
	if (len <= 0)
		err = n < 0 ? n : -EPROTO;
	else if (answer.result)
		err = -ERLDIST_NOT_REGISTERED;
	else
		err = connect_node(a, answer.port);
	if (err)
		attempt_failed(a, err);
}

static void on_epmd(struct attempt *a, uint32_t events)
{
	int err;

	if (a->x.out_done < a->x.out_len) {
		err = ed_connect_result(a->source.fd);
		if (!err)
			err = ed_exchange_write(&a->x, a->source.fd);
		if (err == -EAGAIN)
			return;
		if (err) {
			attempt_failed(a, no_epmd(err));
			return;
		}
		ed_source_change(a->d->k, &a->source, EPOLLIN);
	}
	if (events & ~(uint32_t)EPOLLOUT)
		on_epmd_answer(a);
}

static void on_attempt(struct source *s, uint32_t events)
{
	struct attempt *a = container_of(s, struct attempt, source);

	if (a->state == ATTEMPT_EPMD)
		on_epmd(a, events);
	else
		hand_over(a);
}

static struct attempt *attempt_new(struct dial *d)
{
	struct attempt *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->d = d;
	a->to = d->addresses.list[d->at++];
	a->source.fd = -1;
	a->source.ready = on_attempt;
	a->next = d->attempts;
	d->attempts = a;
	return a;
}

static int try_one(struct dial *d)
{
	struct attempt *a = attempt_new(d);
	int err;

	if (!a)
		return -ENOMEM;
	err = d->port || a->to.sa.sa_family == AF_UNIX ? connect_node(a, d->port) : ask_epmd(a);
	if (err)
		attempt_end(a);
	return err;
}

/* The next address that does not fail at once, or the end. May free d */
static void try_address(struct dial *d)
{
	int err;

	d->sooner = -1;
	while (d->at < d->addresses.n) {
		err = try_one(d);
		if (!err) {
			if (d->at < d->addresses.n)
				d->sooner = ed_now() + NEXT_ADDRESS_MS;
			return;
		}
		note(d, err);
	}
	if (!d->attempts)
		failed(d, d->err ? d->err : -ERLDIST_NO_SUCH_HOST);
}

static void on_resolved(struct source *s, uint32_t events)
{
	struct dial *d = container_of(s, struct dial, source);

	(void)events;
	if (ed_resolve_read(&d->resolver, s->fd) == -EAGAIN)
		return;
	ed_source_close(d->k, s);
	ed_resolve_end(&d->resolver);
	ed_resolve_interleave(&d->addresses);
	try_address(d);
}

static void resolve(struct dial *d)
{
	int fd;

	if (d->k->config.connect_with) {
		d->addresses.n = 1;	/* AF_UNSPEC */
		try_address(d);
		return;
	}
	if (!ed_resolve_number(&d->addresses, d->host)) {
		try_address(d);
		return;
	}
	fd = ed_resolve_start(&d->resolver, &d->addresses, d->host);
	if (fd < 0) {
		failed(d, fd == -ENOENT ? -ERLDIST_NO_SUCH_HOST : fd);
		return;
	}
	d->source.fd = fd;
	if (ed_source_add(d->k, &d->source, EPOLLIN))
		failed(d, -ENOMEM);
}

static void by_path(struct dial *d, const char *path)
{
	union address *a = &d->addresses.list[0];

	a->un.sun_family = AF_UNIX;
	/* its length was looked at when it was configured */
	memcpy(a->un.sun_path, path, strnlen(path, sizeof(a->un.sun_path) - 1));
	d->addresses.n = 1;
	try_address(d);
}

static void by_name(struct dial *d)
{
	const char *host = strchr(d->peer, '@');

	snprintf(d->host, sizeof(d->host), "%s", host ? host + 1 : "");
	d->port = d->k->config.dist_port;
	if (!d->host[0])
		failed(d, -ERLDIST_NO_SUCH_HOST);
	else if (!(d->k->options & ERLDIST_KEEPER_ANY_NAMES) &&
		 ed_host_kind(d->host) != ed_host_kind(strchr(d->k->node, '@') + 1))
		failed(d, -ERLDIST_OTHER_NAMES);
	else if (!d->port && d->k->options & ERLDIST_KEEPER_WITHOUT_EPMD)
		failed(d, -ERLDIST_NO_ADDRESS);
	else
		resolve(d);
}

static void start(struct dial *d)
{
	const struct static_peer *s = ed_config_static(&d->k->config, d->peer);

	if (!s) {
		by_name(d);
	} else if (!s->port) {
		by_path(d, s->host);
	} else {
		d->port = s->port;
		snprintf(d->host, sizeof(d->host), "%s", s->host);
		resolve(d);
	}
}

static struct dial *find(struct erldist_keeper *k, const char *peer)
{
	struct dial *d;

	for (d = k->dials; d; d = d->next)
		if (!strcmp(d->peer, peer))
			return d;
	return NULL;
}

bool ed_dialing(struct erldist_keeper *k, const char *peer)
{
	return find(k, peer);
}

/* Whether one more can be dialled because a process wants it */
bool ed_dial_room(const struct erldist_keeper *k)
{
	unsigned int n = 0;
	const struct dial *d;

	for (d = k->dials; d; d = d->next)
		n++;
	return n < ed_descriptors(DIALS_PART, DIALS_MIN, DIALS_MAX);
}

void ed_dial_start(struct erldist_keeper *k, const char *peer)
{
	struct dial *d;

	if (find(k, peer))
		return;
	d = calloc(1, sizeof(*d));
	if (!d || strlen(peer) >= sizeof(d->peer)) {
		free(d);
		ed_node_unreachable(k, peer, ENOMEM, ed_peer_retry(k, peer));
		return;
	}
	d->k = k;
	d->next = k->dials;
	k->dials = d;
	d->source.fd = -1;
	d->source.ready = on_resolved;
	d->sooner = -1;
	d->deadline = ed_now() + k->setup - (k->setup > 2 * MARGIN_MS ? MARGIN_MS : 0);
	memcpy(d->peer, peer, strlen(peer) + 1);
	ed_keeper_tell(k, ERLDIST_KEEPER_WANTED, peer, 0, "%s: connecting", peer);
	start(d);
}

/* It is connected without us */
void ed_dial_cancel(struct erldist_keeper *k, const char *peer)
{
	struct dial *d = find(k, peer);

	if (d)
		forget(d);
}

static int why_late(const struct dial *d)
{
	const struct attempt *a;

	if (d->source.fd >= 0)
		return -ERLDIST_NOT_RESOLVED;
	if (d->err)
		return d->err;
	for (a = d->attempts; a; a = a->next)
		if (a->state == ATTEMPT_NODE)
			return -ETIMEDOUT;
	return -ERLDIST_EPMD_SILENT;
}

void ed_dial_timer(struct erldist_keeper *k)
{
	struct dial *d, *next;
	int64_t now = ed_now();

	for (d = k->dials; d; d = next) {
		next = d->next;
		if (d->deadline <= now)
			failed(d, why_late(d));
		else if (d->sooner >= 0 && d->sooner <= now)
			try_address(d);
	}
}
