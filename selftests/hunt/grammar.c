// SPDX-License-Identifier: GPL-2.0-only
/* Terms are made: messages, addresses, control messages, requests. */
#include "generate.h"

struct arg *put(struct maker *m, int kind, uint64_t v)
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
unsigned int find_res(const struct prog *p, unsigned int at, unsigned int what, uint64_t *rng)
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

bool is_about(const struct maker *m, unsigned int what)
{
	return m->about && m->res < m->at && desc_of(m->p->call[m->res].desc)->makes & what;
}

bool is_towards(const struct maker *m, unsigned int what)
{
	return m->towards && is_about(m, what);
}

uint64_t some_number(uint64_t *rng)
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
	unsigned int i;
	struct arg *a;

	do {
		i = rnd(m->rng, names_count());
	} while (!(names_table[i].kind & kinds));
	a = put(m, A_ATOM, i);
	if (one_in(m->rng, 6))
		a->n = rnd(m->rng, 4);
}

/*
 * The stream that the call writes to, or the process that sends; or NO_RES. The peer's
 * pids are of that stream's node, and a process answers what it has received.
 */
static unsigned int sender_of_call(const struct maker *m, unsigned int what)
{
	const struct arg *a = &m->call->arg[0];

	if (!m->call->n_args || a->kind != A_RES || a->res >= m->at ||
	    !(desc_of(m->p->call[a->res].desc)->makes & what))
		return NO_RES;
	return a->res;
}

static void put_res_term(struct maker *m, int kind, unsigned int what)
{
	unsigned int res = find_res(m->p, m->at, what, m->rng);
	unsigned int sender = sender_of_call(m, what);
	bool own = what == R_WIRE ? m->plain : kind == A_SEEN_PID || kind == A_SEEN_REF;
	struct arg *a = put(m, kind, 0);

	if (is_towards(m, what) && kind == A_PID)
		a->res = m->res;
	else if (sender != NO_RES && own && !one_in(m->rng, what == R_WIRE ? 20 : 4))
		a->res = sender;
	else
		a->res = is_about(m, what) && !one_in(m->rng, 4) ? m->res : res;
	if (kind == A_REF)
		a->n = rnd(m->rng, 5);
	else if (kind == A_PID)
		a->n = !is_towards(m, what) && one_in(m->rng, 6) ? rnd(m->rng, 6) : 0;
	else
		a->n = one_in(m->rng, 2) ? rnd(m->rng, SEEN) : 0;
}

static void put_pid(struct maker *m)
{
	bool it = is_towards(m, R_PROC) || (is_about(m, R_PROC) && one_in(m->rng, 2));

	switch (it ? 0 : rnd(m->rng, 8)) {
	case 0 ... 3:
		put_res_term(m, A_PID, R_PROC);
		break;
	case 4 ... 5:
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
		put(m, A_FLOAT, rnd64(m->rng))->n = one_in(m->rng, 4);
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

/* {Option, Value} of a spawn that is accepted */
static void put_good_option(struct maker *m)
{
	put_tuple(m, 2);
	if (one_in(m->rng, 2)) {
		put_word(m, "priority");
		put_atom_kind(m, NAME_WORD);
	} else {
		put_word(m, "heap");
		put(m, A_NUMBER, rnd(m->rng, 1000));
	}
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
		if (m->plain && one_in(m->rng, 4)) {
			put_good_option(m);
		} else if (!m->plain && one_in(m->rng, 4)) {
			put_tuple(m, 2);
			put_word(m, options[rnd(m->rng, ARRAY_SIZE(options))]);
			put_any(m, 3);
		} else {
			put_word(m, options[rnd(m->rng, m->plain ? 2 : ARRAY_SIZE(options))]);
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
	if (!is_towards(m, R_PROC) && one_in(m->rng, 3))
		put_res_term(m, A_SEEN_PID, R_WIRE);
	else
		put_res_term(m, A_PID, one_in(m->rng, 10) ? R_WIRE : R_PROC);
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
	/* the pid that the answer goes to: on a stream, a pid of the peer's node */
	if (sender_of_call(m, R_WIRE) == NO_RES)
		put_pid(m);
	else
		put_from(m);
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
	uint8_t op, weight, group;
	const char *elements;
} control_forms[] = {
	{ 1, 6, G_LINK_CONTROL, "pq" }, { 4, 1, G_LINK_CONTROL, "pq" },
	{ 35, 6, G_LINK_CONTROL, "upq" }, { 36, 5, G_LINK_CONTROL, "upq" },
	{ 2, 2, G_MESSAGE_CONTROL, "eq" }, { 6, 5, G_MESSAGE_CONTROL, "pen" },
	{ 12, 1, G_MESSAGE_CONTROL, "eqt" }, { 16, 1, G_MESSAGE_CONTROL, "pent" },
	{ 22, 5, G_MESSAGE_CONTROL, "pq" }, { 23, 1, G_MESSAGE_CONTROL, "pqt" },
	{ 33, 4, G_MESSAGE_CONTROL, "pa" }, { 34, 1, G_MESSAGE_CONTROL, "pat" },
	{ 37, 3, G_MESSAGE_CONTROL, "fpa" }, { 37, 2, G_MESSAGE_CONTROL, "fpq" },
	{ 37, 2, G_MESSAGE_CONTROL, "fpn" }, { 37, 1, G_MESSAGE_CONTROL, "fpat" },
	{ 3, 4, G_EXIT_CONTROL, "pqx" }, { 8, 4, G_EXIT_CONTROL, "pqx" },
	{ 13, 1, G_EXIT_CONTROL, "pqtx" }, { 18, 1, G_EXIT_CONTROL, "pqtx" },
	{ 24, 4, G_EXIT_CONTROL, "pq" }, { 25, 1, G_EXIT_CONTROL, "pqt" },
	{ 26, 4, G_EXIT_CONTROL, "pq" }, { 27, 1, G_EXIT_CONTROL, "pqt" },
	{ 19, 6, G_MONITOR_CONTROL, "pqr" }, { 19, 4, G_MONITOR_CONTROL, "pnr" },
	{ 20, 4, G_MONITOR_CONTROL, "pqr" }, { 20, 2, G_MONITOR_CONTROL, "pnr" },
	{ 21, 3, G_MONITOR_CONTROL, "pqrx" }, { 21, 2, G_MONITOR_CONTROL, "nqrx" },
	{ 28, 4, G_MONITOR_CONTROL, "pqr" }, { 28, 2, G_MONITOR_CONTROL, "nqr" },
	{ 29, 6, G_SPAWN_REQUEST, "rppmo" }, { 30, 1, G_SPAWN_REQUEST, "rppmot" },
	{ 31, 6, G_SPAWN_REPLY, "rqfs" }, { 32, 1, G_SPAWN_REPLY, "rqfst" },
	{ 5, 1, G_CONTROL, "" }, { 7, 1, G_CONTROL, "pq" }, { 38, 1, G_CONTROL, "pq" },
	{ 99, 1, G_CONTROL, "" },
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

/* @group: G_CONTROL: any. What is sent towards a process has to name it. */
static bool is_of(const struct maker *m, const struct control_form *f, unsigned int group)
{
	if (group == G_CONTROL)
		return true;
	return f->group == group && (!is_towards(m, R_PROC) || strchr(f->elements, 'q'));
}

static const struct control_form *some_form(struct maker *m, unsigned int group)
{
	const struct control_form *f, *end = control_forms + ARRAY_SIZE(control_forms);
	unsigned int total = 0, at;

	for (f = control_forms; f < end; f++)
		total += is_of(m, f, group) ? f->weight : 0;
	at = rnd(m->rng, total);
	for (f = control_forms; f < end; f++) {
		if (!is_of(m, f, group))
			continue;
		if (at < f->weight)
			break;
		at -= f->weight;
	}
	return f;
}

static void put_control(struct maker *m, unsigned int group)
{
	const struct control_form *f = some_form(m, group);
	size_t n = strlen(f->elements);

	put_tuple(m, n + 1);
	put(m, A_NUMBER, f->op);
	for (size_t i = 0; i < n; i++) {
		if (!m->plain && one_in(m->rng, 10))
			put_any(m, 2);
		else
			put_element(m, f->elements[i]);
	}
}

/* Which argument of a call names the node or peer that it makes, or -1 */
int name_argument(const struct desc *d)
{
	for (int i = 0; d->params[i].kind; i++)
		if (!strcmp(d->params[i].name, "name"))
			return i;
	return -1;
}

/* The name of a node or a peer of the program, more often than any other */
static void put_name_of(struct maker *m, unsigned int what, unsigned int kinds)
{
	unsigned int res = find_res(m->p, m->at, what, m->rng);
	const struct call *c = &m->p->call[res == NO_RES ? 0 : res];
	int at = res == NO_RES ? -1 : name_argument(desc_of(c->desc));

	/* what stands before a name are no terms: each is one argument */
	if (at < 0 || at >= c->n_args || one_in(m->rng, m->plain ? 12 : 3))
		put_atom_kind(m, kinds);
	else
		put(m, A_ATOM, arg_v(&c->arg[at]) % names_count());
}

static void put_address(struct maker *m)
{
	switch (is_towards(m, R_PROC) ? 0 : rnd(m->rng, 10)) {
	case 0 ... 3:
		put_pid(m);
		break;
	case 4:
		put_ref(m);
		break;
	case 5 ... 6:
		put_tuple(m, 2);
		put_atom_kind(m, m->plain ? NAME_PROCESS : NAME_PROCESS | NAME_ODD);
		put_name_of(m, R_NODE | R_WIRE, NAME_NODE | NAME_PEER);
		break;
	case 7 ... 8:
		put_atom_kind(m, NAME_PROCESS);
		break;
	default:
		if (m->plain)
			put_pid(m);
		else
			put_atom_kind(m, NAME_NODE | NAME_PEER | NAME_ODD);
	}
}

/* What a process is bound to */
static void put_bind(struct maker *m)
{
	if (!m->plain && one_in(m->rng, 4)) {
		put_address(m);
		return;
	}
	if (one_in(m->rng, 2)) {
		put_tuple(m, 2);
		put_atom_kind(m, NAME_PROCESS);
	}
	if (m->plain && find_res(m->p, m->at, R_NODE, m->rng) == NO_RES &&
	    m->p->n_calls < MAX_CALLS - 1)
		make_call(m, desc_find("node"));
	put_name_of(m, R_NODE, NAME_NODE);
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

/* What the process has to have received before it can answer */
static void make_spawn_request(struct maker *m)
{
	static const char *const before[] = { "set_spawn_server", "frame_spawn", "receive" };
	unsigned int sender = sender_of_call(m, R_PROC);
	struct maker request = *m;

	request.about = true;
	request.towards = false;
	request.res = sender;
	for (unsigned int i = 0; sender != NO_RES && i < ARRAY_SIZE(before); i++) {
		request.at = m->at;
		make_call(&request, desc_find(before[i]));
		m->at = request.at;
	}
}

void put_term(struct maker *m, unsigned int grammar, unsigned int depth)
{
	if (!m->plain && one_in(m->rng, 15)) {
		struct arg *a = put(m, A_BEND, rnd64(m->rng));

		a->n = rnd(m->rng, 5);
	}
	if (!m->plain && one_in(m->rng, 20)) {
		put(m, A_RAW, rnd64(m->rng))->n = rnd(m->rng, 200);
		return;
	}
	if (!m->plain && grammar != G_ANY && one_in(m->rng, 10))
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
		put_name_of(m, one_in(m->rng, 4) ? R_NODE : R_WIRE, NAME_NODE | NAME_PEER);
		break;
	case G_NAME:
		put_atom_kind(m, m->plain ? NAME_PROCESS : NAME_PROCESS | NAME_ODD);
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
			put_atom_kind(m, one_in(m->rng, 2) ? NAME_WORD : NAME_ODD);
		break;
	case G_CONTROL ... G_SPAWN_REPLY:
		put_control(m, grammar);
		break;
	case G_ARGUMENTS:
		put_arguments(m);
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
		if (m->plain && !one_in(m->rng, 4))
			make_spawn_request(m);
		put_res_term(m, A_SEEN_REF, R_PROC);
		break;
	default:
		if (one_in(m->rng, 6))
			put_request(m);
		else
			put_any(m, depth);
	}
}
