// SPDX-License-Identifier: GPL-2.0-only
/* Programs are made from the descriptions. */
#include "generate.h"

static const char *maker_name(unsigned int what, uint64_t *rng)
{
	if (what & R_FRESH)
		return "socket_rdm";
	if (what & R_FRESH_NODE)
		return "socket_raw";
	if (what & R_PROC && !one_in(rng, 12))
		return "process";
	if (what & R_NODE)
		return "node";
	if (what & R_PROC)
		return "socket_rdm";
	if (what & R_WIRE)
		return one_in(rng, 3) ? "ready" : "connect_peer";
	if (what & R_NL)
		return "netlink";
	if (what & R_CHILD)
		return "child";
	return "pipe";
}

/* The process that sends: another one than the receiver @m->res, if there is one */
static unsigned int other_res(const struct maker *m, unsigned int what)
{
	unsigned int res = m->res;

	for (unsigned int i = 0; i < 8 && res == m->res; i++)
		res = find_res(m->p, m->at, what, m->rng);
	return res;
}

/* What most calls on a socket that is not bound yet have to say is ENOTCONN. */
static unsigned int usual_res(const struct maker *m, unsigned int what)
{
	unsigned int res = find_res(m->p, m->at, what, m->rng), fresh = R_FRESH | R_FRESH_NODE;

	for (unsigned int i = 0; i < 3 && m->plain && res != NO_RES && !(what & fresh); i++) {
		if (!(desc_of(m->p->call[res].desc)->makes & fresh))
			break;
		res = find_res(m->p, m->at, what, m->rng);
	}
	return res;
}

/* Takes a result of an earlier call, which is made first where there is none */
static unsigned int take_res(struct maker *m, unsigned int what)
{
	unsigned int res = usual_res(m, what);

	if (is_towards(m, what))
		return other_res(m, what);
	if (is_about(m, what) && (m->taken ? one_in(m->rng, 2) : !one_in(m->rng, 8))) {
		m->taken = true;
		return m->res;
	}
	if (res != NO_RES && !(one_in(m->rng, 14) && m->p->n_calls < MAX_CALLS / 2))
		return res;
	if (m->p->n_calls >= MAX_CALLS - 1)
		return res;
	make_call(m, desc_find(maker_name(what, m->rng)));
	return m->at - 1;
}

static uint64_t make_flags(struct maker *m, const struct param *q)
{
	uint64_t *rng = m->rng, v = 0;

	if (!m->plain && one_in(rng, 8))
		return some_number(rng);
	if (m->plain ? q->kind == P_ODD_FLAGS || one_in(rng, 2) : one_in(rng, 3))
		return 0;
	do {
		v |= q->values[rnd(rng, q->n)];
	} while (one_in(rng, 2));
	return v;
}

void put_param(struct maker *m, const struct param *q)
{
	uint64_t *rng = m->rng;

	switch (q->kind) {
	case P_PICK:
		put(m, A_INT, q->values[rnd(rng, m->plain && q->n > 2 ? 2 : q->n)]);
		break;
	case P_ONE_OF:
		put(m, A_INT, !m->plain && one_in(rng, 12) ? some_number(rng) :
		    q->values[rnd(rng, q->n)]);
		break;
	case P_FLAGS:
	case P_ODD_FLAGS:
		put(m, A_INT, make_flags(m, q));
		break;
	case P_RANGE:
		put(m, A_INT, q->values[0] + rnd(rng, q->values[1] - q->values[0] + 1));
		break;
	case P_RES_MAYBE:
		if (one_in(rng, 3)) {
			put(m, A_RES, 0);
			break;
		}
		/* fall through */
	case P_RES: {
		bool other = !m->plain && one_in(rng, 15);
		unsigned int res = take_res(m, other ? R_ANY_FD : q->what);

		put(m, A_RES, 0)->res = res;
		break;
	}
	case P_TERM_MAYBE:
	case P_TERM_ODD:
		if (q->kind == P_TERM_ODD ? m->plain : one_in(rng, 4)) {
			put(m, A_NONE, 0);
			break;
		}
		/* fall through */
	default:
		put_term(m, q->what, 0);
	}
}

unsigned int some_nth(uint64_t *rng)
{
	return one_in(rng, 2) ? NTH_SWEEP : 1 + rnd(rng, 20);
}

static unsigned int some_worker(const struct prog *p, uint64_t *rng)
{
	if (!one_in(rng, 3))
		return 0;
	/* each is made for this program, or for this runner */
	return one_in(rng, 8) ? rnd(rng, MAX_WORKERS) : rnd(rng, 3);
}

/* A call was put in at @at; at a border it belongs to either side */
void make_room(struct prog *p, unsigned int at, uint64_t *rng)
{
	bool races = p->race_from < p->n_calls - 1, loops = p->loop_from < p->race_from;

	if (p->race_from > at || (p->race_from == at && (!races || one_in(rng, 2))))
		p->race_from++;
	if (!loops)
		p->loop_from = p->race_from;
	else if (p->loop_from > at || (p->loop_from == at && one_in(rng, 2)))
		p->loop_from++;
}

/*
 * The call before @at that makes the node, or connects the peer, of the same name as
 * @c; or NO_RES
 */
unsigned int find_named(const struct prog *p, unsigned int at, const struct call *c)
{
	unsigned int makes = desc_of(c->desc)->makes;
	int name = makes == R_NODE || makes == R_WIRE ? name_argument(desc_of(c->desc)) : -1;

	for (unsigned int i = 0; name >= 0 && name < c->n_args && i < at; i++)
		if (p->call[i].desc == c->desc && name < p->call[i].n_args &&
		    arg_v(&p->call[i].arg[name]) == arg_v(&c->arg[name]))
			return i;
	return NO_RES;
}

/* A name that is in use is an error, most times */
static void choose_name(const struct prog *p, unsigned int at, struct call *c)
{
	int name = name_argument(desc_of(c->desc));

	for (unsigned int i = 0; i < 8 && find_named(p, at, c) != NO_RES; i++)
		arg_set(&c->arg[name], i);
}

/*
 * Makes a call and puts it before the one that is being made, whose place moves. What
 * it names comes before it.
 */
void make_call(struct maker *outer, unsigned int desc)
{
	struct call c = { .desc = desc };
	struct maker m = { .p = outer->p, .rng = outer->rng, .at = outer->at, .call = &c,
			   .about = outer->about, .towards = outer->towards, .res = outer->res };
	struct prog *p = outer->p;

	/* what comes of a program of mostly wrong calls is mostly errors */
	m.plain = outer->plain || !one_in(outer->rng, 5);
	c.worker = some_worker(p, outer->rng);
	if (one_in(outer->rng, 30))
		c.nth = some_nth(outer->rng);
	for (const struct param *q = desc_of(desc)->params; q->kind; q++)
		put_param(&m, q);
	if (m.plain)
		choose_name(p, m.at, &c);
	if (p->n_calls == MAX_CALLS)
		return;
	/* Calls behind it name results by place. */
	for (unsigned int i = m.at; i < p->n_calls; i++) {
		for (unsigned int k = 0; k < p->call[i].n_args; k++) {
			struct arg *a = &p->call[i].arg[k];

			if (a->res != NO_RES && a->res >= m.at)
				a->res++;
		}
	}
	memmove(&p->call[m.at + 1], &p->call[m.at], (p->n_calls - m.at) * sizeof(c));
	p->call[m.at] = c;
	p->n_calls++;
	make_room(p, m.at, outer->rng);
	outer->at = m.at + 1;
}

static unsigned int some_desc(uint64_t *rng)
{
	unsigned int total = 0, n = desc_count(), at;

	for (unsigned int i = 0; i < n; i++)
		total += desc_of(i)->weight;
	at = rnd(rng, total);
	for (unsigned int i = 0; i < n; i++) {
		if (at < desc_of(i)->weight)
			return i;
		at -= desc_of(i)->weight;
	}
	return 0;
}

void add_call(struct prog *p, unsigned int at, uint64_t *rng)
{
	struct maker m = { .p = p, .rng = rng, .at = at };

	if (p->n_calls < MAX_CALLS)
		make_call(&m, some_desc(rng));
}

void choose_race(struct prog *p, uint64_t *rng)
{
	p->processes = one_in(rng, 4) ? rnd(rng, 256) & rnd(rng, 256) & ~1 : 0;
	p->race_from = p->n_calls;
	p->loop_from = p->n_calls;
	p->rounds = 0;
	if (one_in(rng, 3))
		return;
	p->race_from = rnd(rng, p->n_calls);
	p->loop_from = p->race_from;
	/* what was made before must be made again in each round: it may end in the race */
	if (one_in(rng, 3))
		p->loop_from = rnd(rng, p->race_from + 1);
	p->rounds = 1 + (one_in(rng, 2) ? rnd(rng, 30) : rnd(rng, 3));
	/* otherwise there is nothing to race with */
	for (unsigned int i = p->race_from; i < p->n_calls; i++)
		if (one_in(rng, 2))
			p->call[i].worker = rnd(rng, 4);
}

static bool takes(const struct desc *d, unsigned int what)
{
	for (const struct param *q = d->params; q->kind; q++)
		if (q->kind == P_RES && q->what & what)
			return true;
	return false;
}

/* It is sent to a process that is named by its pid, or may be */
static bool has_destination(const struct desc *d)
{
	for (const struct param *q = d->params; q->kind; q++) {
		if (q->kind != P_TERM)
			continue;
		if (q->what == G_ADDRESS || q->what == G_PID)
			return takes(d, R_PROC);
		if (q->what >= G_CONTROL && q->what <= G_SPAWN_REPLY)
			return true;
	}
	return false;
}

/* A call about a thing: on its socket, or, if it is a process, sent to it by another one */
struct about {
	unsigned int desc;
	bool towards;
};

/* Comes last, with what it needs before it */
static void add_about(struct prog *p, struct about made, unsigned int res, bool plain,
		      uint64_t *rng)
{
	struct maker m = { .p = p, .rng = rng, .at = p->n_calls, .plain = plain, .about = true,
			   .towards = made.towards, .res = res };

	if (p->n_calls < MAX_CALLS)
		make_call(&m, made.desc);
}

static struct about some_towards(uint64_t *rng)
{
	unsigned int desc;

	do {
		desc = some_desc(rng);
	} while (!has_destination(desc_of(desc)));
	return (struct about){ desc, true };
}

static struct about some_about(const struct prog *p, unsigned int res, uint64_t *rng)
{
	unsigned int desc = some_desc(rng), what = desc_of(p->call[res].desc)->makes;

	if (what & R_PROC && one_in(rng, 4))
		return some_towards(rng);
	for (unsigned int i = 0; i < 50 && !takes(desc_of(desc), what); i++)
		desc = some_desc(rng);
	return (struct about){ desc, false };
}

/* @calls about one thing, each by another worker, again and again */
static void meet_about(struct prog *p, unsigned int res, const struct about *calls, unsigned int n,
		       uint64_t *rng)
{
	unsigned int race_from = p->n_calls, loop_from = race_from, at;

	if (!one_in(rng, 4))
		loop_from = one_in(rng, 3) ? rnd(rng, res + 1) : res;
	for (unsigned int k = 0; k < n; k++) {
		at = p->n_calls;
		add_about(p, calls[k], res, !one_in(rng, 6), rng);
		for (; at < p->n_calls; at++)
			p->call[at].worker = k + 1;
	}
	p->race_from = race_from;
	p->loop_from = loop_from;
	p->rounds = 10 + rnd(rng, 40);
}

void add_encounter(struct prog *p, uint64_t *rng)
{
	unsigned int res = find_res(p, p->n_calls, R_SOCKET | R_WIRE, rng);
	struct about calls[3];

	if (res == NO_RES || p->n_calls > MAX_CALLS - 4)
		return;
	for (unsigned int k = 0; k < 3; k++)
		calls[k] = some_about(p, res, rng);
	meet_about(p, res, calls, one_in(rng, 3) ? 3 : 2, rng);
}

static void add_plain(struct prog *p, const char *name, uint64_t *rng)
{
	struct maker m = { .p = p, .rng = rng, .at = p->n_calls, .plain = true };

	make_call(&m, desc_find(name));
	p->call[p->n_calls - 1].worker = 0;
	p->call[p->n_calls - 1].nth = 0;
}

/* What most programs need: a node, processes in it, a peer */
static void add_surroundings(struct prog *p, bool all, uint64_t *rng)
{
	static const char *const usual[] = { "node", "process_of", "process_of", "ready" };

	for (unsigned int i = 0; i < ARRAY_SIZE(usual); i++)
		if (all || !i || !one_in(rng, 4))
			add_plain(p, usual[i], rng);
	/* the name of most addresses */
	arg_set(&p->call[0].arg[0], 0);
}

/*
 * How a feature is used, about one process: what random calls seldom put together.
 * "@": the call is sent to it, "@*": any such call
 */
static const char *const stories[][6] = {
	{ "set_spawn_server", "frame_spawn", "receive", "spawn_answer", "drain" },
	{ "spawn", "drain", "frame_spawn_reply", "receive" },
	{ "link", "exit2", "receive", "unlink" },
	{ "link", "unlink", "drain", "link" },
	{ "link", "frame_link", "frame_exit", "receive" },
	{ "set_name", "monitor", "close" },
	{ "monitor", "drain", "frame_monitor", "demonitor" },
	{ "monitor_nodes", "ready", "wire_shut", "receive" },
	{ "monitor_node", "ready", "peer_request", "receive" },
	{ "set_mailbox", "@flood", "@*", "@*", "receive" },
	{ "set_trap_exit", "set_mailbox", "@flood", "@exit2", "@*", "receive" },
	{ "set_mailbox", "flood", "@flood", "@*", "receive" },
	{ "set_limits", "ready", "@frame_flood", "@*", "@frame_flood", "receive" },
	{ "set_limits", "ready", "@frame_flood", "sleep", "@frame_flood", "close" },
	{ "set_limits", "set_trap_exit", "@frame_exit", "@fragmented", "@*", "receive" },
	{ "set_limits", "hand_over", "hand_over", "connect_peer", "hand_over", "handshake" },
	{ "set_recvto", "@send", "receive", "alias", "@frame_message", "receive" },
	{ "ready", "frame_call", "frame_call", "drain" },
	{ "netlink", "ready", "peer_get", "peer_disconnect", "receive" },
	{ "connect", "send_connected", "drain", "receive" },
	{ "connect", "wire_shut", "sleep", "send_connected", "receive" },
	{ "link", "monitor", "wire_shut", "sleep", "unlink", "demonitor" },
	{ "alias", "frame_message", "receive", "unalias" },
	{ "socket_rdm", "attach", "send_asking", "receive", "close" },
	{ "child", "set_owner", "set_kill_signal", "kill", "receive" },
	{ "child", "set_owner", "set_kill_signal", "@exit2", "@exit2" },
};

static struct about story_call(const char *name, uint64_t *rng)
{
	bool towards = *name == '@';

	if (!strcmp(name, "@*"))
		return some_towards(rng);
	return (struct about){ desc_find(name + towards), towards };
}

void add_story(struct prog *p, uint64_t *rng)
{
	const char *const *story = stories[rnd(rng, ARRAY_SIZE(stories))];
	unsigned int res = find_res(p, p->n_calls, R_PROC, rng), from = p->n_calls;
	bool waits = one_in(rng, 2);

	for (unsigned int i = 0; res != NO_RES && i < ARRAY_SIZE(stories[0]) && story[i]; i++)
		add_about(p, story_call(story[i], rng), res, true, rng);
	/* calls of worker 0 do not wait */
	for (; waits && from < p->n_calls; from++)
		p->call[from].worker = 1;
}

/* Two calls that take what @maker makes, and room for a third */
struct pair {
	const char *maker;
	struct about call[3];
};

/* What is rare is left to chance, or the pairs would be four times as many. */
static bool pairs_with(const struct desc *d, unsigned int what)
{
	return d->weight >= 4 && takes(d, what);
}

/* The @number-th of all pairs; how many there are */
static unsigned int find_pair(unsigned int number, struct pair *pair)
{
	static const char *const makers[] = { "process_of", "socket_rdm", "node", "ready" };
	unsigned int n = 0, descs = desc_count();

	for (unsigned int i = 0; i < ARRAY_SIZE(makers); i++) {
		unsigned int what = desc_of(desc_find(makers[i]))->makes;

		for (unsigned int a = 0; a < descs; a++) {
			for (unsigned int b = a; b < descs && pairs_with(desc_of(a), what); b++) {
				if (pairs_with(desc_of(b), what) && n++ == number)
					*pair = (struct pair){ makers[i], { { a }, { b }, { 0 } } };
			}
		}
	}
	return n;
}

unsigned int pair_count(void)
{
	struct pair pair;

	return find_pair(0, &pair);
}

/*
 * The pairs in an order of their own, so that each two calls about one thing meet
 * long before chance would bring them together.
 */
void prog_pair(struct prog *p, unsigned int number, uint64_t *rng)
{
	static unsigned int pairs;
	unsigned int res;
	struct pair pair;

	if (!pairs)
		pairs = pair_count();
	find_pair((uint64_t)number * 7919 % pairs, &pair);
	p->n_calls = 0;
	p->race_from = 0;
	add_surroundings(p, !one_in(rng, 4), rng);
	if (one_in(rng, 4))
		add_story(p, rng);
	choose_race(p, rng);
	add_plain(p, pair.maker, rng);
	res = p->n_calls - 1;
	while (one_in(rng, 2) && p->n_calls < MAX_CALLS - 8)
		add_about(p, some_about(p, res, rng), res, true, rng);
	for (unsigned int i = res; i < p->n_calls; i++)
		p->call[i].worker = 0;
	pair.call[1].towards = has_destination(desc_of(pair.call[1].desc)) && one_in(rng, 3);
	pair.call[2] = some_about(p, res, rng);
	meet_about(p, res, pair.call, one_in(rng, 4) ? 3 : 2, rng);
}

void prog_generate(struct prog *p, uint64_t *rng)
{
	unsigned int n = 8 + rnd(rng, 16);

	p->n_calls = 0;
	p->race_from = 0;
	if (!one_in(rng, 4))
		add_surroundings(p, false, rng);
	if (one_in(rng, 3))
		add_story(p, rng);
	while (p->n_calls < n)
		add_call(p, p->n_calls, rng);
	choose_race(p, rng);
	if (one_in(rng, 3))
		add_encounter(p, rng);
}
