// SPDX-License-Identifier: GPL-2.0-only
/* erldist status: all nodes and their peers at a glance. */
#include <inttypes.h>
#include <pwd.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"

#define NAME_SIZE	(ERLDIST_NAME_MAX + 1)

struct node {
	struct node *next;
	struct erldist_node_info info;
	char name[NAME_SIZE];
};

struct peer {
	struct peer *next;
	struct erldist_peer_info info;
	char node[NAME_SIZE];
	char name[NAME_SIZE];
};

/* What there was at one time */
struct sample {
	struct node *nodes, **last_node;
	struct peer *peers, **last_peer;
	struct timespec at;
};

struct status {
	struct cli *c;
	struct erldist_observer *o;
	struct sample before, now;
	struct holders holders;
	double seconds;		/* between the two; 0: there is one only */
	const struct peer *next;	/* of before, likely to be asked for next */
};

struct rates {
	bool known;
	double rx_messages, rx_bytes, tx_messages, tx_bytes;
};

static int keep_node(void *user, const struct erldist_node_info *info)
{
	struct sample *s = user;
	struct node *n = calloc(1, sizeof(*n));

	if (!n)
		return -ENOMEM;
	n->info = *info;
	snprintf(n->name, sizeof(n->name), "%s", info->name);
	n->info.name = n->name;
	*s->last_node = n;
	s->last_node = &n->next;
	return 0;
}

static int keep_peer(void *user, const struct erldist_peer_info *info)
{
	struct sample *s = user;
	struct peer *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->info = *info;
	snprintf(p->node, sizeof(p->node), "%s", info->node);
	snprintf(p->name, sizeof(p->name), "%s", info->name);
	p->info.node = p->node;
	p->info.name = p->name;
	*s->last_peer = p;
	s->last_peer = &p->next;
	return 0;
}

static int take(struct erldist_observer *o, struct sample *s)
{
	int err;

	s->last_node = &s->nodes;
	s->last_peer = &s->peers;
	clock_gettime(CLOCK_MONOTONIC, &s->at);
	err = erldist_nodes(o, keep_node, s);
	return err ? err : erldist_peers(o, keep_peer, s);
}

static void drop(struct sample *s)
{
	struct node *n;
	struct peer *p;

	while ((n = s->nodes)) {
		s->nodes = n->next;
		free(n);
	}
	while ((p = s->peers)) {
		s->peers = p->next;
		free(p);
	}
}

static int by_name(const void *a, const void *b)
{
	const struct peer *p = a, *q = b;
	int order = strcmp(p->node, q->node);

	return order ? order : strcmp(p->name, q->name);
}

static void keep_tree(void *peer)
{
	(void)peer;
}

/* Those of the first sample that had failed and are not in the second, as they were */
static int keep_missing(struct status *s, void *const *now)
{
	struct erldist_peer_info info;
	const struct peer *p;
	int err = 0;

	for (p = s->before.peers; !err && p; p = p->next) {
		if (p->info.state == ERLDIST_PEER_STATE_UP || !p->info.reason ||
		    tfind(p, now, by_name))
			continue;
		info = p->info;
		info.since += (uint64_t)(s->seconds * 1000);
		err = keep_peer(&s->now, &info);
	}
	return err;
}

/*
 * The kernel forgets a peer about a second after its connection failed. That can be
 * while the rates are measured: what was there at the start is shown too.
 */
static int keep_failed(struct status *s)
{
	const struct peer *p;
	void *now = NULL;
	int err = 0;

	for (p = s->now.peers; !err && p; p = p->next)
		err = tsearch(p, &now, by_name) ? 0 : -ENOMEM;
	if (!err)
		err = keep_missing(s, &now);
	tdestroy(now, keep_tree);
	return err;
}

/* The peer as it was before. The order is mostly the same */
static const struct peer *find(struct status *s, const struct peer *p)
{
	const struct peer *old, *begin = s->next ? s->next : s->before.peers;

	if (!begin)
		return NULL;
	old = begin;
	while (strcmp(old->node, p->node) || strcmp(old->name, p->name)) {
		old = old->next ? old->next : s->before.peers;
		if (old == begin)
			return NULL;
	}
	s->next = old->next;
	return old;
}

static void rates_of(struct status *s, const struct peer *p, struct rates *r)
{
	const struct erldist_peer_info *a, *b = &p->info;
	const struct peer *old = find(s, p);

	memset(r, 0, sizeof(*r));
	if (!old || s->seconds <= 0 || b->rx_bytes < old->info.rx_bytes ||
	    b->tx_bytes < old->info.tx_bytes)
		return;
	a = &old->info;
	r->known = true;
	r->rx_messages = (double)(b->rx_messages - a->rx_messages) / s->seconds;
	r->rx_bytes = (double)(b->rx_bytes - a->rx_bytes) / s->seconds;
	r->tx_messages = (double)(b->tx_messages - a->tx_messages) / s->seconds;
	r->tx_bytes = (double)(b->tx_bytes - a->tx_bytes) / s->seconds;
}

static bool hidden(uint64_t flags)
{
	return !(flags & ERLDIST_DFLAG_PUBLISHED);
}

static time_t since(uint64_t ms)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec - (time_t)((ms + 999 - (uint64_t)now.tv_nsec / 1000000) / 1000);
}

static void json_peer(struct status *s, struct out *o, const struct peer *p)
{
	const struct erldist_peer_info *i = &p->info;
	char why[512];
	struct rates r;

	rates_of(s, p, &r);
	out_item(o);
	out_word(o, "name", p->name);
	out_text(o, "state", erldist_peer_state_name(i->state));
	out_seconds(o, "since", i->since);
	out_number(o, "connection", i->connection);
	out_number(o, "creation", i->creation);
	out_number(o, "flags", i->flags);
	if (i->state == ERLDIST_PEER_STATE_UP)
		out_text(o, "type", hidden(i->flags) ? "hidden" : "visible");
	out_number(o, "queued", i->queued);
	out_number(o, "lost", i->lost);
	out_number(o, "relations", i->relations);
	out_seconds(o, "stalled", i->stalled);
	if (r.known) {
		out_rate(o, "rx-messages-rate", r.rx_messages);
		out_rate(o, "rx-bytes-rate", r.rx_bytes);
		out_rate(o, "tx-messages-rate", r.tx_messages);
		out_rate(o, "tx-bytes-rate", r.tx_bytes);
	}
	if (i->state != ERLDIST_PEER_STATE_UP)
		out_number(o, "attempts", i->failed);
	if (i->kept)
		out_seconds(o, "retry", i->retry);
	if (i->state != ERLDIST_PEER_STATE_UP && i->reason) {
		erldist_explain(why, sizeof(why), i, NULL);
		out_text(o, "reason", erldist_reason_name(i->reason));
		out_text(o, "explanation", why);
	}
	out_item_end(o);
}

static void json_node(struct status *s, struct out *o, const struct node *n)
{
	const struct holder *holder = holder_of(&s->holders, n->name);
	const struct erldist_node_info *i = &n->info;
	const struct peer *p;

	out_item(o);
	out_word(o, "name", n->name);
	if (holder)
		out_number(o, "holder", (uint64_t)holder->pid);
	out_text(o, "type", hidden(i->flags) ? "hidden" : "visible");
	out_number(o, "creation", i->creation);
	out_number(o, "flags", i->flags);
	out_octal(o, "mode", i->mode);
	out_number(o, "uid", i->uid);
	out_number(o, "gid", i->gid);
	out_number(o, "processes", i->processes);
	out_number(o, "peers-up", i->peers_up);
	out_number(o, "handshakes-failed", i->handshakes_failed);
	out_number(o, "pool-used", i->pool_used);
	out_number(o, "pool-limit", i->pool_limit);
	out_number(o, "lost", i->lost);
	out_number(o, "overflows", i->overflows);
	out_list(o, "peers");
	for (p = s->now.peers; p; p = p->next)
		if (!strcmp(p->node, n->name))
			json_peer(s, o, p);
	out_list_end(o);
	out_item_end(o);
}

static void json(struct status *s)
{
	const struct node *n;
	struct out o;

	out_begin(&o, true);
	out_time(&o);
	out_rate(&o, "interval", s->seconds);
	out_list(&o, "nodes");
	for (n = s->now.nodes; n; n = n->next)
		json_node(s, &o, n);
	out_list_end(&o);
	out_end(&o);
}

/* "12.3 kB" */
static const char *size_text(char text[32], double bytes, const char *behind)
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB" };
	unsigned int i = 0;

	while (bytes >= 999.5 && i < sizeof(units) / sizeof(units[0]) - 1) {
		bytes /= 1000;
		i++;
	}
	snprintf(text, 32, "%.*f %s%s", i && bytes < 99.95 ? 1 : 0, bytes, units[i], behind);
	return text;
}

static const char *rate_text(char text[64], bool known, double messages, double bytes)
{
	char size[32];

	snprintf(text, 64, "-");
	if (known)
		snprintf(text, 64, "%.0f/s %s", messages, size_text(size, bytes, "/s"));
	return text;
}

static const char *since_text(char text[32], uint64_t ms)
{
	time_t t = since(ms);
	struct tm tm;

	localtime_r(&t, &tm);
	strftime(text, 32, "%Y-%m-%d %H:%M:%S", &tm);
	return text;
}

/* "3 failed attempts, the next in 2 s: why" */
static void text_attempts(const struct erldist_peer_info *i)
{
	char why[512];

	if (!i->failed)
		printf("  no failed attempt");
	else
		printf("  %u failed attempt%s", i->failed, i->failed == 1 ? "" : "s");
	if (i->kept && i->retry)
		printf(", the next in %u s", (i->retry + 999) / 1000);
	else if (i->kept)
		printf(", connecting");
	if (!i->reason)
		return;
	erldist_explain(why, sizeof(why), i, NULL);
	printf(": %s", why);
}

static void text_peer(struct status *s, const struct peer *p, int width)
{
	const struct erldist_peer_info *i = &p->info;
	char when[32], in[64], out[64], queued[32];
	struct rates r;

	rates_of(s, p, &r);
	printf("  %-*s  %-10s  %s", width, p->name, erldist_peer_state_name(i->state),
	       since_text(when, i->since));
	if (i->state == ERLDIST_PEER_STATE_UP) {
		printf("  %-18s  %-18s  %-8s  %-10s  0x%" PRIx64,
		       rate_text(in, r.known, r.rx_messages, r.rx_bytes),
		       rate_text(out, r.known, r.tx_messages, r.tx_bytes),
		       size_text(queued, (double)i->queued, ""),
		       hidden(i->flags) ? "hidden" : "visible", i->flags);
	} else {
		text_attempts(i);
	}
	putchar('\n');
}

static const char *owner(char text[64], uint32_t uid)
{
	const struct passwd *pw = getpwuid(uid);

	snprintf(text, 64, "%u", uid);
	if (pw)
		snprintf(text, 64, "%s", pw->pw_name);
	return text;
}

static void text_node(struct status *s, const struct node *n)
{
	const struct holder *holder = holder_of(&s->holders, n->name);
	const struct erldist_node_info *i = &n->info;
	int width = 4, len, peers = 0;
	char who[64], used[32];
	const struct peer *p;

	for (p = s->now.peers; p; p = p->next) {
		if (strcmp(p->node, n->name))
			continue;
		peers++;
		len = (int)strlen(p->name);
		width = len > width ? len : width;
	}
	printf("%s, ", n->name);
	if (holder)
		printf("pid %d, ", (int)holder->pid);
	printf("%s, creation %u, mode %04o of %s, processes %u, peers up %u of %d, unread %s\n",
	       hidden(i->flags) ? "hidden" : "visible", i->creation, i->mode,
	       owner(who, i->uid), i->processes, i->peers_up, peers,
	       size_text(used, (double)i->pool_used, ""));
	if (peers)
		printf("  %-*s  %-10s  %-19s  %-18s  %-18s  %-8s  connection  flags\n", width,
		       "peer", "state", "since", "in", "out", "queued");
	for (p = s->now.peers; p; p = p->next)
		if (!strcmp(p->node, n->name))
			text_peer(s, p, width);
}

static void text(struct status *s)
{
	const struct node *n;

	if (!s->now.nodes)
		puts(NO_NODE);
	for (n = s->now.nodes; n; n = n->next)
		text_node(s, n);
}

static void nap(unsigned long ms)
{
	const struct timespec ts = {
		.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000,
	};

	nanosleep(&ts, NULL);
}

static int sample(struct status *s)
{
	int err = erldist_observer_open(&s->o, 0);

	if (!err && s->c->interval_ms) {
		err = take(s->o, &s->before);
		if (!err)
			nap(s->c->interval_ms);
	}
	if (!err)
		err = take(s->o, &s->now);
	if (!err)
		err = holders_find(&s->holders);
	if (!err && s->c->interval_ms)
		s->seconds = (double)(s->now.at.tv_sec - s->before.at.tv_sec) +
			     (double)(s->now.at.tv_nsec - s->before.at.tv_nsec) / 1e9;
	return err ? err : keep_failed(s);
}

int status(struct cli *c)
{
	struct status s = { .c = c };
	int err = sample(&s);

	if (err)
		complain("status: %s", erldist_strerror(s.o, err));
	else if (c->json)
		json(&s);
	else
		text(&s);
	holders_free(&s.holders);
	drop(&s.before);
	drop(&s.now);
	erldist_observer_close(s.o);
	return err != 0;
}
