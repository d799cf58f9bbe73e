// SPDX-License-Identifier: GPL-2.0-only
/* Programs are made from the descriptions, changed, and joined. */
#include "hunt.h"

static bool is_term(const struct arg *a)
{
	return a->kind > A_RES;
}

/* The program that is being made, and where */
struct maker {
	struct prog *p;
	uint64_t *rng;
	unsigned int at;	/* the call that takes arguments now */
	struct call *call;
	bool about;		/* most results that it takes are of the call @res */
	unsigned int res;
};

static struct arg *put(struct maker *m, int kind, uint64_t v)
{
	struct call *c = m->call;
	struct arg *a;

	/* the last one is kept for what must follow */
	if (c->n_args == MAX_ARGS)
		return &c->arg[MAX_ARGS - 1];
	a = &c->arg[c->n_args++];
	*a = (struct arg){ .kind = kind, .res = NO_RES };
	arg_set(a, v);
	return a;
}

static bool is_full(const struct maker *m)
{
	return m->call->n_args > MAX_ARGS - 24;
}

/* A call before @at that makes what is wanted, the later ones more often */
static unsigned int find_res(const struct prog *p, unsigned int at, unsigned int what,
			     uint64_t *rng)
{
	unsigned int found[MAX_CALLS], n = 0;

	for (unsigned int i = 0; i < at; i++)
		if (desc_of(p->call[i].desc)->makes & what)
			found[n++] = i;
	if (!n)
		return NO_RES;
	if (one_in(rng, 2))
		return found[n - 1 - rnd(rng, n < 3 ? n : 3)];
	return found[rnd(rng, n)];
}

static void make_call(struct maker *outer, unsigned int desc);

static const char *maker_name(unsigned int what, uint64_t *rng)
{
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

static bool is_about(const struct maker *m, unsigned int what)
{
	return m->about && m->res < m->at && desc_of(m->p->call[m->res].desc)->makes & what;
}

/* Takes a result of an earlier call, which is made first where there is none */
static unsigned int take_res(struct maker *m, unsigned int what)
{
	unsigned int res = find_res(m->p, m->at, what, m->rng);

	if (is_about(m, what) && !one_in(m->rng, 8))
		return m->res;
	if (res != NO_RES && !(one_in(m->rng, 14) && m->p->n_calls < MAX_CALLS / 2))
		return res;
	if (m->p->n_calls >= MAX_CALLS - 1)
		return res;
	make_call(m, desc_find(maker_name(what, m->rng)));
	return m->at - 1;
}

static uint64_t some_number(uint64_t *rng)
{
	static const uint64_t edges[] = {
		0, 1, 2, 3, 7, 8, 127, 128, 255, 256, 4095, 4096, 65535, 65536, 0x7fffffff,
		0x80000000, 0xffffffff, 0x100000000ULL, 0x7fffffffffffffffULL, UINT64_MAX,
		UINT64_MAX - 1, 1ULL << 63,
	};

	if (one_in(rng, 3))
		return rnd64(rng);
	if (one_in(rng, 2))
		return rnd(rng, 70);
	return edges[rnd(rng, ARRAY_SIZE(edges))];
}

static void put_atom_kind(struct maker *m, unsigned int kinds)
{
	unsigned int n = names_count(), i = rnd(m->rng, n);
	struct arg *a;

	for (unsigned int k = 0; k < n && !(names_table[i].kind & kinds); k++)
		i = (i + 1) % n;
	a = put(m, A_ATOM, i);
	if (one_in(m->rng, 6))
		a->n = rnd(m->rng, 4);
}

static void put_res_term(struct maker *m, int kind, unsigned int what)
{
	unsigned int res = find_res(m->p, m->at, what, m->rng);
	struct arg *a = put(m, kind, 0);

	a->res = is_about(m, what) && one_in(m->rng, 2) ? m->res : res;
	if (kind == A_REF)
		a->n = rnd(m->rng, 5);
	else if (kind == A_PID)
		a->n = one_in(m->rng, 6) ? rnd(m->rng, 6) : 0;
	else
		a->n = one_in(m->rng, 2) ? rnd(m->rng, SEEN) : 0;
}

static void put_pid(struct maker *m)
{
	switch (rnd(m->rng, 8)) {
	case 0 ... 4:
		put_res_term(m, A_PID, R_PROC);
		break;
	case 5:
		put_res_term(m, A_PID, R_WIRE);
		break;
	default:
		put_res_term(m, A_SEEN_PID, R_PROC | R_WIRE);
	}
}

static void put_ref(struct maker *m)
{
	if (one_in(m->rng, 2))
		put_res_term(m, A_REF, one_in(m->rng, 3) ? R_WIRE : R_PROC);
	else
		put_res_term(m, A_SEEN_REF, R_PROC | R_WIRE);
}

static void put_term(struct maker *m, unsigned int grammar, unsigned int depth);

static void put_number(struct maker *m)
{
	struct arg *a = put(m, A_NUMBER, some_number(m->rng));

	a->n = one_in(m->rng, 5) ? rnd(m->rng, 5) : 0;
}

static void put_tuple(struct maker *m, unsigned int n)
{
	put(m, A_TUPLE, 0)->n = n;
}

static void put_leaf(struct maker *m)
{
	static const uint16_t sizes[] = { 0, 1, 2, 60, 127, 255, 256, 1000, 4096, 33000 };

	switch (rnd(m->rng, 14)) {
	case 0 ... 2:
		put_number(m);
		break;
	case 3 ... 5:
		put_atom_kind(m, NAME_WORD | NAME_PROCESS | NAME_ODD);
		break;
	case 6:
		put(m, A_BINARY, sizes[rnd(m->rng, ARRAY_SIZE(sizes))]);
		break;
	case 7:
		put(m, A_STRING, sizes[rnd(m->rng, ARRAY_SIZE(sizes) - 2)]);
		break;
	case 8:
		put_pid(m);
		break;
	case 9:
		put_ref(m);
		break;
	case 10:
		put(m, A_FLOAT, rnd64(m->rng));
		break;
	case 11:
		put(m, A_BIG, sizes[rnd(m->rng, 6)] + 1);
		break;
	case 12:
		if (one_in(m->rng, 2))
			put(m, A_BITS, rnd(m->rng, 9));
		else
			put(m, A_EXPORT, rnd(m->rng, 300));
		break;
	default:
		put(m, A_NIL, 0);
	}
}

static void put_any(struct maker *m, unsigned int depth)
{
	unsigned int n;

	if (depth > 3 || is_full(m) || !one_in(m->rng, depth + 2)) {
		put_leaf(m);
		return;
	}
	n = rnd(m->rng, 4);
	switch (rnd(m->rng, 6)) {
	case 0:
		put(m, A_LIST, 0)->n = n;
		break;
	case 1:
		put(m, A_IMPROPER, 0)->n = n = n ? n : 1;
		n++;
		break;
	case 2:
		put(m, A_MAP, 0)->n = n;
		n *= 2;
		break;
	default:
		put_tuple(m, n);
	}
	while (n--)
		put_any(m, depth + 1);
}

static void put_word(struct maker *m, const char *id)
{
	for (unsigned int i = 0; i < names_count(); i++) {
		if (!strcmp(names_table[i].id, id)) {
			put(m, A_ATOM, i);
			return;
		}
	}
	put(m, A_NIL, 0);
}

/* {'$gen_call', {Pid, Tag}, Request} and replies to aliases */
static void put_request(struct maker *m)
{
	if (one_in(m->rng, 2)) {
		put_tuple(m, 2);
		put(m, A_IMPROPER, 0)->n = 1;
		put_word(m, "alias");
		put_ref(m);
		put_any(m, 2);
		return;
	}
	put_tuple(m, 3);
	put_word(m, "gen_call");
	put_tuple(m, 2);
	put_pid(m);
	if (one_in(m->rng, 2)) {
		put(m, A_IMPROPER, 0)->n = 1;
		put_word(m, "alias");
	}
	put_ref(m);
	if (one_in(m->rng, 3)) {
		put_any(m, 2);
		return;
	}
	put_tuple(m, 2);
	put_word(m, one_in(m->rng, 3) ? "call" : "is_auth");
	put_atom_kind(m, NAME_NODE | NAME_PEER);
}

static void put_options(struct maker *m)
{
	static const char *const options[] = { "link", "monitor", "alias", "reply", "junk" };
	unsigned int n = rnd(m->rng, 4);

	if (!n) {
		put(m, A_NIL, 0);
		return;
	}
	put(m, A_LIST, 0)->n = n;
	while (n--) {
		if (one_in(m->rng, 4)) {
			put_tuple(m, 2);
			put_word(m, options[rnd(m->rng, ARRAY_SIZE(options))]);
			put_any(m, 3);
		} else {
			put_word(m, options[rnd(m->rng, 2 + rnd(m->rng, 4))]);
		}
	}
}

static void put_mfa(struct maker *m)
{
	put_tuple(m, 3);
	put_atom_kind(m, NAME_WORD | NAME_PROCESS);
	put_atom_kind(m, NAME_WORD);
	put(m, A_NUMBER, rnd(m->rng, 4));
}

static void put_arguments(struct maker *m)
{
	unsigned int n = rnd(m->rng, 3);

	if (n)
		put(m, A_LIST, 0)->n = n;
	else
		put(m, A_NIL, 0);
	while (n--)
		put_any(m, 3);
}

static void put_spawn(struct maker *m)
{
	put_tuple(m, 4);
	put_atom_kind(m, NAME_WORD);
	put_atom_kind(m, NAME_WORD);
	put_options(m);
	put_arguments(m);
}

static void put_from(struct maker *m)
{
	put_res_term(m, A_PID, one_in(m->rng, 10) ? R_PROC : R_WIRE);
}

static void put_to(struct maker *m)
{
	if (one_in(m->rng, 3))
		put_res_term(m, A_SEEN_PID, R_WIRE);
	else
		put_res_term(m, A_PID, one_in(m->rng, 10) ? R_WIRE : R_PROC);
}

static void put_monitor_ref(struct maker *m)
{
	put_res_term(m, one_in(m->rng, 2) ? A_REF : A_SEEN_REF, R_WIRE);
}

static void put_token(struct maker *m)
{
	if (one_in(m->rng, 2)) {
		put(m, A_NIL, 0);
		return;
	}
	put_tuple(m, 5);
	put(m, A_NUMBER, rnd(m->rng, 8));
	put_any(m, 3);
	put(m, A_NUMBER, rnd(m->rng, 300));
	put_from(m);
	put(m, A_NUMBER, rnd(m->rng, 300));
}

/* Elements of control messages: p From, q To, n a name, e the empty atom, t the token,
 * r a reference of the peer's or one it saw, a an alias, x a reason, u the id of an
 * unlink, m {M, F, Arity}, o options, f a number, s the result of a spawn
 */
static const struct control_form {
	uint8_t op, weight;
	const char *elements;
} control_forms[] = {
	{ 1, 6, "pq" }, { 2, 2, "eq" }, { 3, 4, "pqx" }, { 4, 1, "pq" }, { 5, 1, "" },
	{ 6, 5, "pen" }, { 7, 1, "pq" }, { 8, 4, "pqx" }, { 12, 1, "eqt" }, { 13, 1, "pqtx" },
	{ 16, 1, "pent" }, { 18, 1, "pqtx" }, { 19, 6, "pqr" }, { 19, 4, "pnr" },
	{ 20, 4, "pqr" }, { 20, 2, "pnr" }, { 21, 3, "pqrx" }, { 21, 2, "nqrx" },
	{ 22, 5, "pq" }, { 23, 1, "pqt" }, { 24, 4, "pq" }, { 25, 1, "pqt" },
	{ 26, 4, "pq" }, { 27, 1, "pqt" }, { 28, 4, "pqr" }, { 28, 2, "nqr" },
	{ 29, 6, "rppmo" }, { 30, 1, "rppmot" }, { 31, 6, "rqfs" }, { 32, 1, "rqfst" },
	{ 33, 4, "pa" }, { 34, 1, "pat" }, { 35, 6, "upq" }, { 36, 5, "upq" },
	{ 37, 3, "fpa" }, { 37, 2, "fpq" }, { 37, 2, "fpn" }, { 37, 1, "fpat" },
	{ 38, 1, "pq" }, { 99, 1, "" },
};

static void put_element(struct maker *m, char element)
{
	switch (element) {
	case 'p':
		put_from(m);
		break;
	case 'q':
		put_to(m);
		break;
	case 'n':
		put_atom_kind(m, NAME_PROCESS | NAME_ODD);
		break;
	case 'e':
		put_word(m, "empty");
		break;
	case 't':
		put_token(m);
		break;
	case 'r':
		put_monitor_ref(m);
		break;
	case 'a':
		put_res_term(m, one_in(m->rng, 3) ? A_SEEN_REF : A_REF, R_PROC);
		break;
	case 'x':
		put_term(m, G_REASON, 0);
		break;
	case 'u':
		put(m, A_NUMBER, one_in(m->rng, 4) ? some_number(m->rng) : 1 + rnd(m->rng, 3));
		break;
	case 'm':
		put_mfa(m);
		break;
	case 'o':
		put_options(m);
		break;
	case 'f':
		put(m, A_NUMBER, rnd(m->rng, 12));
		break;
	case 's':
		if (one_in(m->rng, 2))
			put_res_term(m, A_PID, R_WIRE);
		else
			put_atom_kind(m, NAME_WORD | NAME_ODD);
		break;
	}
}

static void put_control(struct maker *m)
{
	const struct control_form *f;
	unsigned int total = 0, at;
	size_t n;

	for (f = control_forms; f < control_forms + ARRAY_SIZE(control_forms); f++)
		total += f->weight;
	at = rnd(m->rng, total);
	for (f = control_forms; at >= f->weight; f++)
		at -= f->weight;
	n = strlen(f->elements);
	put_tuple(m, n + 1);
	put(m, A_NUMBER, f->op);
	for (size_t i = 0; i < n; i++) {
		if (one_in(m->rng, 40))
			put_any(m, 2);
		else
			put_element(m, f->elements[i]);
	}
}

static void put_address(struct maker *m)
{
	switch (rnd(m->rng, 10)) {
	case 0 ... 3:
		put_pid(m);
		break;
	case 4:
		put_ref(m);
		break;
	case 5 ... 6:
		put_tuple(m, 2);
		put_atom_kind(m, NAME_PROCESS | NAME_ODD);
		put_atom_kind(m, NAME_NODE | NAME_PEER);
		break;
	case 7 ... 8:
		put_atom_kind(m, NAME_PROCESS);
		break;
	default:
		put_atom_kind(m, NAME_NODE | NAME_PEER | NAME_ODD);
	}
}

/* What a process is bound to */
static void put_bind(struct maker *m)
{
	static const char *const nodes[] = { "n1", "n1", "n1", "n2" };

	if (one_in(m->rng, 12)) {
		put_address(m);
		return;
	}
	if (one_in(m->rng, 2)) {
		put_tuple(m, 2);
		put_atom_kind(m, NAME_PROCESS);
	}
	if (one_in(m->rng, 8))
		put_atom_kind(m, NAME_NODE);
	else
		put_word(m, nodes[rnd(m->rng, ARRAY_SIZE(nodes))]);
}

static void put_reason(struct maker *m)
{
	static const char *const reasons[] = { "normal", "kill", "shutdown", "noproc",
					       "killed", "noconnection" };

	if (one_in(m->rng, 3))
		put_any(m, 1);
	else
		put_word(m, reasons[rnd(m->rng, ARRAY_SIZE(reasons))]);
}

static void put_term(struct maker *m, unsigned int grammar, unsigned int depth)
{
	if (one_in(m->rng, 60)) {
		struct arg *a = put(m, A_BEND, rnd64(m->rng));

		a->n = rnd(m->rng, 5);
	}
	if (one_in(m->rng, 80)) {
		put(m, A_RAW, rnd64(m->rng))->n = rnd(m->rng, 200);
		return;
	}
	if (grammar != G_ANY && one_in(m->rng, 40))
		grammar = rnd(m->rng, G_SEEN_REF + 1);
	switch (grammar) {
	case G_ADDRESS:
		put_address(m);
		break;
	case G_PID:
		put_pid(m);
		break;
	case G_REF:
		put_ref(m);
		break;
	case G_NODE:
		put_atom_kind(m, NAME_NODE | NAME_PEER);
		break;
	case G_NAME:
		put_atom_kind(m, NAME_PROCESS | NAME_ODD);
		break;
	case G_REASON:
		put_reason(m);
		break;
	case G_SPAWN:
		put_spawn(m);
		break;
	case G_ANSWER:
		if (one_in(m->rng, 3))
			put_pid(m);
		else
			put_atom_kind(m, NAME_WORD | NAME_ODD);
		break;
	case G_CONTROL:
		put_control(m);
		break;
	case G_SMALL:
		put_leaf(m);
		break;
	case G_REQUEST:
		put_request(m);
		break;
	case G_BIND:
		put_bind(m);
		break;
	case G_SEEN_REF:
		put_res_term(m, A_SEEN_REF, R_PROC);
		break;
	default:
		if (one_in(m->rng, 6))
			put_request(m);
		else
			put_any(m, depth);
	}
}

static uint64_t make_flags(const struct param *q, uint64_t *rng)
{
	uint64_t v = 0;

	if (one_in(rng, 30))
		return some_number(rng);
	if (one_in(rng, 2))
		return 0;
	do {
		v |= q->values[rnd(rng, q->n)];
	} while (one_in(rng, 2));
	return v;
}

static void put_param(struct maker *m, const struct param *q)
{
	uint64_t *rng = m->rng;

	switch (q->kind) {
	case P_PICK:
		/* the first ones are the usual ones */
		put(m, A_INT, one_in(rng, 50) ? some_number(rng) :
		    q->values[one_in(rng, 2) ? rnd(rng, q->n > 2 ? 2 : q->n) : rnd(rng, q->n)]);
		break;
	case P_FLAGS:
		put(m, A_INT, make_flags(q, rng));
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
		unsigned int res = take_res(m, one_in(rng, 60) ? R_ANY_FD : q->what);

		put(m, A_RES, 0)->res = res;
		break;
	}
	case P_TERM_MAYBE:
		if (one_in(rng, 4)) {
			put(m, A_NONE, 0);
			break;
		}
		/* fall through */
	default:
		put_term(m, q->what, 0);
	}
}

static unsigned int some_nth(uint64_t *rng)
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
static void make_room(struct prog *p, unsigned int at, uint64_t *rng)
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
 * Makes a call and puts it before the one that is being made, whose place moves. What
 * it names comes before it.
 */
static void make_call(struct maker *outer, unsigned int desc)
{
	struct call c = { .desc = desc };
	struct maker m = { .p = outer->p, .rng = outer->rng, .at = outer->at, .call = &c,
			   .about = outer->about, .res = outer->res };
	struct prog *p = outer->p;

	c.worker = some_worker(p, outer->rng);
	if (one_in(outer->rng, 30))
		c.nth = some_nth(outer->rng);
	for (const struct param *q = desc_of(desc)->params; q->kind; q++)
		put_param(&m, q);
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

static void add_call(struct prog *p, unsigned int at, uint64_t *rng)
{
	struct maker m = { .p = p, .rng = rng, .at = at };

	if (p->n_calls < MAX_CALLS)
		make_call(&m, some_desc(rng));
}

static void choose_race(struct prog *p, uint64_t *rng)
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

static void add_call_about(struct prog *p, unsigned int res, uint64_t *rng)
{
	struct maker m = { .p = p, .rng = rng, .at = p->n_calls, .about = true, .res = res };
	unsigned int desc = some_desc(rng), what = desc_of(p->call[res].desc)->makes;

	for (unsigned int i = 0; i < 50 && !takes(desc_of(desc), what); i++)
		desc = some_desc(rng);
	if (p->n_calls < MAX_CALLS)
		make_call(&m, desc);
}

/* Two or three calls about one thing, each by another worker, again and again */
static void add_encounter(struct prog *p, uint64_t *rng)
{
	unsigned int res = find_res(p, p->n_calls, R_SOCKET | R_WIRE, rng), n, worker = 0;

	if (res == NO_RES || p->n_calls > MAX_CALLS - 4)
		return;
	p->race_from = p->n_calls;
	p->loop_from = one_in(rng, 4) ? p->race_from : one_in(rng, 3) ? rnd(rng, res + 1) : res;
	p->rounds = 5 + rnd(rng, 40);
	for (n = one_in(rng, 3) ? 3 : 2; n; n--) {
		unsigned int loop = p->loop_from, from = p->race_from;

		add_call_about(p, res, rng);
		p->loop_from = loop;
		p->race_from = from;
	}
	for (unsigned int i = p->race_from; i < p->n_calls; i++)
		p->call[i].worker = worker++ % MAX_WORKERS;
}

/* What most programs need: a node, processes in it, a peer */
static void add_surroundings(struct prog *p, uint64_t *rng)
{
	static const char *const usual[] = { "node", "process_of", "process_of", "ready" };

	for (unsigned int i = 0; i < ARRAY_SIZE(usual); i++) {
		struct maker m = { .p = p, .rng = rng, .at = p->n_calls };

		if (i && one_in(rng, 4))
			continue;
		make_call(&m, desc_find(usual[i]));
		p->call[p->n_calls - 1].worker = 0;
		p->call[p->n_calls - 1].nth = 0;
	}
	/* the name of most addresses */
	arg_set(&p->call[0].arg[0], 0);
}

void prog_generate(struct prog *p, uint64_t *rng)
{
	unsigned int n = 8 + rnd(rng, 16);

	p->n_calls = 0;
	p->race_from = 0;
	if (!one_in(rng, 4))
		add_surroundings(p, rng);
	while (p->n_calls < n)
		add_call(p, p->n_calls, rng);
	choose_race(p, rng);
	if (one_in(rng, 3))
		add_encounter(p, rng);
}

/* Another term in the place of some part of one */
static void change_term(struct maker *m, struct call *c, unsigned int at)
{
	struct call fresh = { .n_args = 0 };
	size_t old = term_args(&c->arg[at], c->n_args - at);

	m->call = &fresh;
	if (one_in(m->rng, 8) && c->n_args < MAX_ARGS) {
		memmove(&c->arg[at + 1], &c->arg[at], (c->n_args - at) * sizeof(c->arg[0]));
		c->arg[at] = (struct arg){ .kind = A_BEND, .res = NO_RES,
					   .n = rnd(m->rng, 5) };
		arg_set(&c->arg[at], rnd64(m->rng));
		c->n_args++;
		return;
	}
	put_term(m, rnd(m->rng, G_SEEN_REF + 1), 1);
	if (c->n_args - old + fresh.n_args > MAX_ARGS)
		return;
	memmove(&c->arg[at + fresh.n_args], &c->arg[at + old],
		(c->n_args - at - old) * sizeof(c->arg[0]));
	memcpy(&c->arg[at], fresh.arg, fresh.n_args * sizeof(c->arg[0]));
	c->n_args += fresh.n_args - old;
}

static const struct param *param_of(const struct call *c, unsigned int at)
{
	const struct param *q = desc_of(c->desc)->params;

	for (unsigned int i = 0; q->kind && i < c->n_args; q++) {
		size_t n = term_args(&c->arg[i], c->n_args - i);

		if (at < i + n)
			return q;
		i += n;
	}
	return NULL;
}

static void change_arg(struct prog *p, unsigned int i, uint64_t *rng)
{
	struct maker m = { .p = p, .rng = rng, .at = i };
	struct call *c = &p->call[i], fresh = { .n_args = 0 };
	const struct param *q;
	struct arg *a;
	unsigned int at;

	if (!c->n_args)
		return;
	at = rnd(rng, c->n_args);
	a = &c->arg[at];
	q = param_of(c, at);
	if (is_term(a)) {
		if (a->res != NO_RES && one_in(rng, 2))
			a->res = rnd(rng, i);
		else if (one_in(rng, 3))
			a->n = a->kind >= A_PID || a->kind == A_ATOM ? rnd(rng, 6) : a->n;
		else
			change_term(&m, c, at);
		return;
	}
	if (!q)
		return;
	if (a->kind == A_RES) {
		a->res = find_res(p, i, q->what, rng);
	} else if (one_in(rng, 3)) {
		arg_set(a, arg_v(a) ^ 1ULL << rnd(rng, 12));
	} else {
		m.call = &fresh;
		put_param(&m, q);
		/* the call may have moved, no other way is a number made */
		if (fresh.n_args == 1)
			p->call[m.at].arg[at] = fresh.arg[0];
	}
}

static void mutate_once(struct prog *p, uint64_t *rng)
{
	unsigned int i = rnd(rng, p->n_calls);

	switch (rnd(rng, 20)) {
	case 0 ... 5:
		add_call(p, one_in(rng, 2) ? p->n_calls : rnd(rng, p->n_calls + 1), rng);
		break;
	case 6 ... 11:
		change_arg(p, i, rng);
		break;
	case 12 ... 13:
		if (p->n_calls > 2)
			prog_remove(p, i);
		break;
	case 14:
		p->call[i].worker = rnd(rng, 4);
		break;
	case 15:
		p->call[i].nth = one_in(rng, 3) ? 0 : some_nth(rng);
		break;
	case 16:
		choose_race(p, rng);
		break;
	case 17:
		add_encounter(p, rng);
		break;
	default: {
		/* the same once more, by another or later */
		struct call c = p->call[i];
		unsigned int at = i + 1 + rnd(rng, p->n_calls - i);

		if (p->n_calls == MAX_CALLS || desc_of(c.desc)->makes)
			break;
		if (one_in(rng, 2))
			c.worker = rnd(rng, 4);
		for (unsigned int k = at; k < p->n_calls; k++)
			for (unsigned int j = 0; j < p->call[k].n_args; j++)
				if (p->call[k].arg[j].res != NO_RES &&
				    p->call[k].arg[j].res >= at)
					p->call[k].arg[j].res++;
		memmove(&p->call[at + 1], &p->call[at], (p->n_calls - at) * sizeof(c));
		p->call[at] = c;
		p->n_calls++;
		make_room(p, at, rng);
		break;
	}
	}
}

/* What named a call that was removed names another one */
static void relink(struct prog *p, uint64_t *rng)
{
	for (unsigned int i = 0; i < p->n_calls; i++) {
		struct call *c = &p->call[i];

		for (unsigned int k = 0; k < c->n_args; k++) {
			struct arg *a = &c->arg[k];
			const struct param *q;

			if (a->res != NO_RES || one_in(rng, 10))
				continue;
			if (a->kind >= A_PID && a->kind <= A_SEEN_REF)
				a->res = find_res(p, i, R_PROC | R_WIRE, rng);
			q = a->kind == A_RES ? param_of(c, k) : NULL;
			if (q && q->kind == P_RES)
				a->res = find_res(p, i, q->what, rng);
		}
	}
}

void prog_mutate(struct prog *p, uint64_t *rng)
{
	do {
		mutate_once(p, rng);
	} while (!one_in(rng, 3));
	relink(p, rng);
}

void prog_splice(struct prog *p, const struct prog *other, uint64_t *rng)
{
	unsigned int keep = 1 + rnd(rng, p->n_calls), n = other->n_calls;

	if (keep + n > MAX_CALLS)
		n = MAX_CALLS - keep;
	for (unsigned int i = 0; i < n; i++) {
		struct call *c = &p->call[keep + i];

		*c = other->call[i];
		for (unsigned int k = 0; k < c->n_args; k++)
			if (c->arg[k].res != NO_RES)
				c->arg[k].res += keep;
	}
	p->n_calls = keep + n;
	choose_race(p, rng);
}
