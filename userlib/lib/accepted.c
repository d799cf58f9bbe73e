// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Connections that were accepted: where they are from, for the decision about them,
 * and how many there are, for limits. The duplicate of a stream tells when the
 * kernel, or the peer, has ended it.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "keeper.h"

/* All of the paths are one */
static bool same_host(const union address *a, const union address *b)
{
	if (a->sa.sa_family != b->sa.sa_family)
		return false;
	if (a->sa.sa_family == AF_INET)
		return a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
	if (a->sa.sa_family == AF_INET6)
		return !memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, sizeof(a->in6.sin6_addr));
	return true;
}

/* Why one more is too many, or NULL */
const char *ed_accepted_refuse(struct erldist_keeper *k, const union address *from)
{
	const struct accepted *c;
	uint32_t all = 0, same = 0;

	for (c = k->accepted; c; c = c->next) {
		all++;
		same += same_host(&c->from, from);
	}
	if (k->config.connections && all >= k->config.connections)
		return "the limit of accepted connections is reached";
	if (same >= k->config.per_address)
		return "the limit of connections from one address is reached";
	return NULL;
}

static void forget(struct accepted *c)
{
	struct accepted **at;

	for (at = &c->k->accepted; *at != c; at = &(*at)->next)
		;
	*at = c->next;
	ed_source_close(c->k, &c->source);
	free(c);
}

/* Nothing is asked for but what cannot be left out: hangup */
static void on_end(struct source *s, uint32_t events)
{
	if (events & (EPOLLHUP | EPOLLERR))
		forget(container_of(s, struct accepted, source));
}

void ed_accepted_add(struct erldist_keeper *k, int fd, uint64_t tag, const union address *from)
{
	struct accepted *c = calloc(1, sizeof(*c));

	if (!c)
		return;
	c->k = k;
	c->tag = tag;
	c->from = *from;
	c->source.ready = on_end;
	c->source.fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	c->next = k->accepted;
	k->accepted = c;
	if (c->source.fd < 0 || ed_source_add(k, &c->source, 0))
		forget(c);
}

static struct accepted *find(struct erldist_keeper *k, uint64_t tag)
{
	struct accepted *c;

	for (c = k->accepted; c; c = c->next)
		if (c->tag == tag)
			return c;
	return NULL;
}

/* It came to nothing */
void ed_accepted_forget(struct erldist_keeper *k, uint64_t tag)
{
	struct accepted *c = find(k, tag);

	if (c)
		forget(c);
}

void ed_address_text(char text[ADDRESS_TEXT], const union address *a)
{
	char host[INET6_ADDRSTRLEN] = "";

	if (a->sa.sa_family == AF_INET) {
		inet_ntop(AF_INET, &a->in.sin_addr, host, sizeof(host));
		snprintf(text, ADDRESS_TEXT, "%s:%u", host, ntohs(a->in.sin_port));
	} else if (a->sa.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &a->in6.sin6_addr, host, sizeof(host));
		snprintf(text, ADDRESS_TEXT, "[%s]:%u", host, ntohs(a->in6.sin6_port));
	} else {
		snprintf(text, ADDRESS_TEXT, "%s", a->sa.sa_family == AF_UNIX ? "unix" : "unknown");
	}
}

void ed_accepted_from(struct erldist_keeper *k, uint64_t tag, char text[ADDRESS_TEXT])
{
	static const union address unknown;
	const struct accepted *c = find(k, tag);

	ed_address_text(text, c ? &c->from : &unknown);
}

void ed_accepted_close(struct erldist_keeper *k)
{
	while (k->accepted)
		forget(k->accepted);
}
