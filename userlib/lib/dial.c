// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Connecting what is wanted: resolve the host, ask its epmd for the port unless
 * it is configured, connect, hand over. Each address of the host is tried.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "keeper.h"

/* Before the kernel's patience ends, to say something better than "timeout" */
#define MARGIN_MS	250

static void try_address(struct dial *d);

static void forget(struct dial *d)
{
	struct dial **at;

	for (at = &d->k->dials; *at != d; at = &(*at)->next)
		;
	*at = d->next;
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

	erldist_explain(text, sizeof(text), &info, d->k->cookie.source);
	ed_keeper_tell(d->k, ERLDIST_KEEPER_UNREACHABLE, d->peer, -err, "%s", text);
	ed_node_unreachable(d->k, d->peer, -err);
	forget(d);
}

static void next_address(struct dial *d, int err)
{
	ed_source_close(d->k, &d->source);
	/* "no epmd" on one address of a host says less than what another one met */
	if (!d->err || err != -ERLDIST_NO_EPMD)
		d->err = err;
	d->at++;
	try_address(d);
}

static void hand_over(struct dial *d)
{
	int err = ed_connect_result(d->source.fd);

	if (err) {
		next_address(d, err);
		return;
	}
	epoll_ctl(d->k->epfd, EPOLL_CTL_DEL, d->source.fd, NULL);
	err = ed_node_channel(d->k, d->source.fd, ERLDIST_ROLE_INITIATOR, d->peer);
	/* it may have come up by the peer's own attempt meanwhile */
	if (err && err != -EISCONN && err != -EALREADY)
		failed(d, err);
	else
		forget(d);
}

static void connect_node(struct dial *d, uint16_t port)
{
	int fd = ed_connect_to(&d->addresses.list[d->at], port);

	if (fd < 0) {
		next_address(d, fd);
		return;
	}
	d->state = DIAL_NODE;
	d->source.fd = fd;
	if (ed_source_add(d->k, &d->source, EPOLLOUT))
		failed(d, -ENOMEM);
}

static void ask_epmd(struct dial *d)
{
	int fd = ed_connect_to(&d->addresses.list[d->at], (uint16_t)ed_epmd_service());

	if (fd < 0) {
		next_address(d, fd == -ECONNREFUSED ? -ERLDIST_NO_EPMD : fd);
		return;
	}
	d->state = DIAL_EPMD;
	d->x.out_done = 0;
	d->x.in_len = 0;
	d->x.out_len = ed_epmd_port_request(d->x.out, d->peer, strcspn(d->peer, "@"));
	d->source.fd = fd;
	if (ed_source_add(d->k, &d->source, EPOLLOUT))
		failed(d, -ENOMEM);
}

/* The next address, or the end. May free d */
static void try_address(struct dial *d)
{
	if (d->at == d->addresses.n)
		failed(d, d->err ? d->err : -ERLDIST_NO_SUCH_HOST);
	else if (d->port)
		connect_node(d, d->port);
	else if (d->k->options & ERLDIST_KEEPER_WITHOUT_EPMD)
		failed(d, -ERLDIST_NOT_REGISTERED);
	else
		ask_epmd(d);
}

static void on_epmd_answer(struct dial *d)
{
	struct ed_epmd_port answer;
	int n, len;

	n = ed_exchange_read(&d->x, d->source.fd);
	if (n == -EAGAIN)
		return;
	len = ed_epmd_port_answer(d->x.in, d->x.in_len, &answer);
	if (!len && n > 0)
		return;
	ed_source_close(d->k, &d->source);
	if (len <= 0)
		next_address(d, n < 0 ? n : -EPROTO);
	else if (answer.result)
		next_address(d, -ERLDIST_NOT_REGISTERED);
	else
		connect_node(d, answer.port);
}

static void on_epmd(struct dial *d, uint32_t events)
{
	int err;

	if (d->x.out_done < d->x.out_len) {
		err = ed_connect_result(d->source.fd);
		if (!err)
			err = ed_exchange_write(&d->x, d->source.fd);
		if (err == -EAGAIN)
			return;
		if (err) {
			next_address(d, err == -ECONNREFUSED ? -ERLDIST_NO_EPMD : err);
			return;
		}
		ed_source_change(d->k, &d->source, EPOLLIN);
	}
	if (events & ~(uint32_t)EPOLLOUT)
		on_epmd_answer(d);
}

static void on_resolved(struct dial *d)
{
	if (ed_resolve_read(&d->resolver, d->source.fd) == -EAGAIN)
		return;
	ed_source_close(d->k, &d->source);
	ed_resolve_end(&d->resolver);
	try_address(d);
}

static void on_ready(struct source *s, uint32_t events)
{
	struct dial *d = container_of(s, struct dial, source);

	switch (d->state) {
	case DIAL_RESOLVE:
		on_resolved(d);
		return;
	case DIAL_EPMD:
		on_epmd(d, events);
		return;
	case DIAL_NODE:
		hand_over(d);
		return;
	}
}

static void resolve(struct dial *d, const char *host)
{
	int fd;

	if (!ed_resolve_number(&d->addresses, host)) {
		try_address(d);
		return;
	}
	fd = ed_resolve_start(&d->resolver, &d->addresses, host);
	if (fd < 0) {
		failed(d, fd == -ENOENT ? -ERLDIST_NO_SUCH_HOST : fd);
		return;
	}
	d->state = DIAL_RESOLVE;
	d->source.fd = fd;
	if (ed_source_add(d->k, &d->source, EPOLLIN))
		failed(d, -ENOMEM);
}

static const struct static_peer *find_static(struct erldist_keeper *k, const char *peer)
{
	const struct static_peer *s;

	for (s = k->statics; s; s = s->next)
		if (!strcmp(s->node, peer))
			return s;
	return NULL;
}

static struct dial *find(struct erldist_keeper *k, const char *peer)
{
	struct dial *d;

	for (d = k->dials; d; d = d->next)
		if (!strcmp(d->peer, peer))
			return d;
	return NULL;
}

void ed_dial_start(struct erldist_keeper *k, const char *peer)
{
	const struct static_peer *s = find_static(k, peer);
	const char *host = strchr(peer, '@');
	struct dial *d;

	if (find(k, peer))
		return;
	d = calloc(1, sizeof(*d));
	if (!d || strlen(peer) >= sizeof(d->peer)) {
		free(d);
		ed_node_unreachable(k, peer, ENOMEM);
		return;
	}
	d->k = k;
	d->next = k->dials;
	k->dials = d;
	d->source.fd = -1;
	d->source.ready = on_ready;
	d->deadline = ed_now() + k->setup - (k->setup > 2 * MARGIN_MS ? MARGIN_MS : 0);
	memcpy(d->peer, peer, strlen(peer) + 1);
	ed_keeper_tell(k, ERLDIST_KEEPER_WANTED, peer, 0, "%s: connecting", peer);
	if (s) {
		d->port = s->port;
		resolve(d, s->host);
	} else if (!host || !host[1]) {
		failed(d, -ERLDIST_NO_SUCH_HOST);
	} else if (ed_host_kind(host + 1) != ed_host_kind(strchr(k->node, '@') + 1)) {
		failed(d, -ERLDIST_OTHER_NAMES);
	} else {
		resolve(d, host + 1);
	}
}

/* It is connected without us */
void ed_dial_cancel(struct erldist_keeper *k, const char *peer)
{
	struct dial *d = find(k, peer);

	if (d)
		forget(d);
}

void ed_dial_timer(struct erldist_keeper *k)
{
	struct dial *d, *next;
	int64_t now = ed_now();

	for (d = k->dials; d; d = next) {
		next = d->next;
		if (d->deadline <= now)
			failed(d, d->err ? d->err : -ETIMEDOUT);
	}
}

/* "b@host=192.0.2.1:4400", "b=host:4400": the own host if none is given */
int ed_static_add(struct erldist_keeper *k, const char *text)
{
	const char *equals = strchr(text, '='), *colon = strrchr(text, ':');
	const char *host = equals ? equals + 1 : NULL, *end = colon;
	struct static_peer *s;
	char *rest;
	long port;
	int n;

	if (!equals || !colon || colon <= host || equals == text)
		return ed_fail(&k->error, -EINVAL, "%s: expected NODE=HOST:PORT", text);
	port = strtol(colon + 1, &rest, 10);
	if (*rest || rest == colon + 1 || port < 1 || port > 65535)
		return ed_fail(&k->error, -EINVAL, "%s: %s is no port", text, colon + 1);
	if (*host == '[' && colon[-1] == ']') {
		host++;
		end--;
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		return ed_fail(&k->error, -ENOMEM, "out of memory");
	n = snprintf(s->node, sizeof(s->node), "%.*s%s", (int)(equals - text), text,
		     memchr(text, '@', (size_t)(equals - text)) ? "" : strchr(k->node, '@'));
	s->port = (uint16_t)port;
	if (n >= (int)sizeof(s->node) || !ed_node_ok(s->node) ||
	    (size_t)(end - host) >= sizeof(s->host) || end <= host) {
		free(s);
		return ed_fail(&k->error, -EINVAL, "%s: expected NODE=HOST:PORT", text);
	}
	memcpy(s->host, host, (size_t)(end - host));
	s->next = k->statics;
	k->statics = s;
	return 0;
}
