// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What is remembered of peers between attempts to connect them: who is kept up,
 * who failed and is left alone for a while, who was up and is not to be again.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "keeper.h"

#define BACK_OFF_MIN_MS		1000	/* as long as the kernel remembers a failure */
#define BACK_OFF_MAX_MS		5000

static struct peer *find(struct erldist_keeper *k, const char *node)
{
	struct peer *p;

	for (p = k->peers; p; p = p->next)
		if (!strcmp(p->node, node))
			return p;
	return NULL;
}

static struct peer *make(struct erldist_keeper *k, const char *node)
{
	struct peer *p = find(k, node);

	if (p || strlen(node) >= sizeof(p->node))
		return p;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	strcpy(p->node, node);
	p->again = -1;
	p->next = k->peers;
	k->peers = p;
	return p;
}

static bool matters(const struct peer *p, int64_t now)
{
	return p->keep || p->up || p->barred || p->named || p->settled > now ||
	       (p->failures && p->again > now - BACK_OFF_MAX_MS);
}

/* Failures are forgotten some time after the peer could be tried again */
static void sweep(struct erldist_keeper *k)
{
	int64_t now = ed_now();
	struct peer **at = &k->peers, *p;

	while ((p = *at)) {
		if (matters(p, now)) {
			at = &p->next;
			continue;
		}
		*at = p->next;
		free(p);
	}
}

/* Doubled with each failure; two that fail with each other must not stay in step */
static int64_t back_off(const struct peer *p)
{
	int64_t ms = BACK_OFF_MIN_MS;
	unsigned int i;
	uint16_t dice = 0;

	for (i = 1; i < p->failures && ms < BACK_OFF_MAX_MS; i++)
		ms *= 2;
	if (ms > BACK_OFF_MAX_MS)
		ms = BACK_OFF_MAX_MS;
	if (getrandom(&dice, sizeof(dice), GRND_NONBLOCK) != sizeof(dice))
		dice = 0;
	/* down to three quarters */
	return ms - ms / 4 * dice / UINT16_MAX;
}

/* The list of those to be kept up is another one */
int ed_peers_keep(struct erldist_keeper *k, const struct text_list *keep)
{
	struct peer *p;

	for (p = k->peers; p; p = p->next) {
		p->was_kept = p->keep;
		p->keep = false;
	}
	for (; keep; keep = keep->next) {
		p = make(k, keep->text);
		if (!p)
			return ed_fail(&k->error, -ENOMEM, "out of memory");
		p->keep = true;
		if (p->again < 0)
			p->again = ed_now();
	}
	for (p = k->peers; p; p = p->next)
		if (p->was_kept && !p->keep && !p->up && !ed_dialing(k, p->node))
			ed_node_unreachable(k, p->node, -p->err, -1);
	sweep(k);
	return 0;
}

/* Why it is not to be connected now because a process sent to it, or 0 */
static int unwanted(struct erldist_keeper *k, const struct peer *p)
{
	if (p && p->keep)
		return p->failures && p->again > ed_now() ? p->err : 0;
	if (k->config.auto_connect == ERLDIST_AUTO_CONNECT_NEVER || (p && p->barred))
		return -ERLDIST_NOT_BY_ITSELF;
	return p && p->failures && p->again > ed_now() ? p->err : 0;
}

/*
 * Processes can want any number of nodes at once. Those that an operator has
 * configured are few, and are dialled all the same.
 */
static bool too_many(struct erldist_keeper *k, const char *node)
{
	const struct peer *p = find(k, node);

	return !ed_dial_room(k) && !(p && p->keep) && !ed_config_static(&k->config, node);
}

/* How many ms until it is connected by itself; -1: it is not */
int64_t ed_peer_retry(struct erldist_keeper *k, const char *node)
{
	const struct peer *p = find(k, node);
	int64_t left;

	if (!p || !p->keep)
		return -1;
	left = p->again - ed_now();
	return left > 0 ? left : 0;
}

/* A process sent to it */
void ed_peer_wanted(struct erldist_keeper *k, const char *node)
{
	int err;

	if (ed_dialing(k, node))
		return;
	err = ed_config_allows(&k->config, node) ? unwanted(k, find(k, node)) :
						   -ERLDIST_NOT_ALLOWED;
	if (!err && too_many(k, node)) {
		err = -EUSERS;
		ed_keeper_tell(k, ERLDIST_KEEPER_UNREACHABLE, NULL, EUSERS, "%s is not connected: "
			       "too many nodes are being connected at once", node);
	}
	if (err)
		ed_node_unreachable(k, node, -err, ed_peer_retry(k, node));
	else
		ed_dial_start(k, node);
}

void ed_peer_failed(struct erldist_keeper *k, const char *node, int err)
{
	struct peer *p;

	sweep(k);
	p = make(k, node);
	if (!p)
		return;
	p->failures++;
	p->err = err;
	p->again = ed_now() + back_off(p);
}

/* The handshake has begun. What comes of it is told, or it is over after this time */
void ed_peer_handed_over(struct erldist_keeper *k, const char *node, uint64_t tag)
{
	struct peer *p = make(k, node);

	if (!p)
		return;
	p->tag = tag;
	p->settled = ed_now() + k->setup + BACK_OFF_MIN_MS;
}

/* A handshake failed: of ours, or of a stranger that takes the name, which says nothing */
void ed_peer_rejected(struct erldist_keeper *k, const char *node, uint64_t tag, int err)
{
	struct peer *p = find(k, node);
	bool keep;

	if (!p || p->tag != tag || !p->settled)
		return;
	keep = p->keep;
	p->settled = 0;
	/* connect() has one number for this and a port at which nothing listens */
	if (err == -ECONNREFUSED)
		err = -ERLDIST_REFUSED;
	/* this can free p, of which nothing is to be remembered any more */
	ed_peer_failed(k, node, err);
	if (keep)
		ed_node_retry(k, node, ed_peer_retry(k, node));
}

void ed_peer_up(struct erldist_keeper *k, const char *node)
{
	bool once = k->config.auto_connect == ERLDIST_AUTO_CONNECT_ONCE;
	struct peer *p = once ? make(k, node) : find(k, node);

	if (!p)
		return;
	/* of others it is not of use to know */
	p->up = p->keep || once;
	p->barred = false;
	p->failures = 0;
	p->settled = 0;
	p->again = -1;
}

void ed_peer_down(struct erldist_keeper *k, const char *node)
{
	struct peer *p = find(k, node);

	if (!p)
		return;
	p->up = false;
	p->barred = p->named ||
		    (k->config.auto_connect == ERLDIST_AUTO_CONNECT_ONCE && !p->keep);
	p->again = ed_now();
	sweep(k);
}

/* It may give the name to another one once the connection has ended */
void ed_peer_named_us(struct erldist_keeper *k, const char *node)
{
	struct peer *p = make(k, node);

	if (p)
		p->named = true;
}

int erldist_keeper_connect(struct erldist_keeper *k, const char *node)
{
	char full[ED_NODE_SIZE];
	struct peer *p;
	int err = ed_node_name(&k->error, full, node, k->node);

	if (err)
		return err;
	node = full;
	if (!strcmp(node, k->node))
		return ed_fail(&k->error, -EINVAL, "%s is this node", node);
	if (!ed_config_allows(&k->config, node))
		return ed_fail(&k->error, -ERLDIST_NOT_ALLOWED, "%s is not in the list of nodes "
			       "that %s allows", node, k->node);
	p = find(k, node);
	if (p) {
		p->barred = false;
		p->failures = 0;
	}
	if (!p || !p->up)
		ed_dial_start(k, node);
	ed_keeper_arm(k);
	return 0;
}

/* When a kept peer is to be connected; -1: it is, or is being */
static int64_t due(struct erldist_keeper *k, const struct peer *p)
{
	if (!p->keep || p->up || p->again < 0 || ed_dialing(k, p->node))
		return -1;
	return p->again > p->settled ? p->again : p->settled;
}

int64_t ed_peers_next(struct erldist_keeper *k)
{
	const struct peer *p;
	int64_t next = -1, t;

	for (p = k->peers; p; p = p->next) {
		t = due(k, p);
		if (t >= 0 && (next < 0 || t < next))
			next = t;
	}
	return next;
}

/* A dial may fail at once, but takes no peer from the list */
void ed_peers_timer(struct erldist_keeper *k)
{
	int64_t now = ed_now(), t;
	struct peer *p;

	for (p = k->peers; p; p = p->next) {
		t = due(k, p);
		if (t < 0 || t > now)
			continue;
		ed_node_retry(k, p->node, 0);
		ed_dial_start(k, p->node);
	}
	sweep(k);
}

void ed_peers_free(struct erldist_keeper *k)
{
	struct peer *p;

	while ((p = k->peers)) {
		k->peers = p->next;
		free(p);
	}
}
