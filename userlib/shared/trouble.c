// SPDX-License-Identifier: GPL-2.0-only
/* Peers that fail: a failure is told once, repetitions of it are counted. */
#include <stdlib.h>
#include <string.h>

#include "shared.h"

#define TROUBLES_MAX	256

/* A way in which a peer failed since it was up */
struct trouble {
	struct trouble *next;
	enum erldist_keeper_event_type type;
	uint32_t reason;
	int error;
	unsigned int repeated;
	char peer[];
};

/* Of all peers if peer is NULL. How often they were repeated */
static unsigned int forget(struct troubles *all, const char *peer)
{
	struct trouble **at = &all->first, *t;
	unsigned int repeated = 0;

	while ((t = *at)) {
		if (peer && strcmp(t->peer, peer)) {
			at = &t->next;
			continue;
		}
		repeated += t->repeated;
		*at = t->next;
		all->n--;
		free(t);
	}
	return repeated;
}

void troubles_free(struct troubles *all)
{
	forget(all, NULL);
}

static bool any(const struct troubles *all, const char *peer)
{
	const struct trouble *t = all->first;

	while (t && strcmp(t->peer, peer))
		t = t->next;
	return t;
}

static struct trouble *find(const struct troubles *all, const struct erldist_keeper_event *e)
{
	struct trouble *t = all->first;

	while (t && (t->type != e->type || t->reason != e->reason || t->error != e->error ||
		     strcmp(t->peer, e->peer)))
		t = t->next;
	return t;
}

static void add(struct troubles *all, const struct erldist_keeper_event *e)
{
	struct trouble *t;

	if (all->n == TROUBLES_MAX)
		troubles_free(all);
	t = calloc(1, sizeof(*t) + strlen(e->peer) + 1);
	if (!t)
		return;
	t->type = e->type;
	t->reason = e->reason;
	t->error = e->error;
	strcpy(t->peer, e->peer);
	t->next = all->first;
	all->first = t;
	all->n++;
}

/*
 * Is the event news? Not where the peer fails as it did before, nor that it is being
 * connected again. repeated receives, when it is up, how often it failed without news.
 */
bool trouble_news(struct troubles *all, const struct erldist_keeper_event *e,
		  unsigned int *repeated)
{
	struct trouble *t;

	*repeated = 0;
	if (!e->peer)
		return true;
	switch (e->type) {
	case ERLDIST_KEEPER_WANTED:
		return !any(all, e->peer);
	case ERLDIST_KEEPER_UP:
		*repeated = forget(all, e->peer);
		return true;
	case ERLDIST_KEEPER_UNREACHABLE:
	case ERLDIST_KEEPER_FAILED:
	case ERLDIST_KEEPER_REJECTED:
		break;
	default:
		return true;
	}
	t = find(all, e);
	if (t)
		t->repeated++;
	else
		add(all, e);
	return !t;
}
