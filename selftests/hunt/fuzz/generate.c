// SPDX-License-Identifier: GPL-2.0-only
/*
 * The structure-aware part: terms and control messages from random numbers, and
 * changes to them that keep most of the structure.
 */
#include "control.h"
#include "fuzz.h"

/* Items of a term that are looked at when it is bent */
#define ITEMS_MAX	512

u32 gen_below(struct gen *g, u32 n)
{
	g->state ^= g->state << 13;
	g->state ^= g->state >> 7;
	g->state ^= g->state << 17;
	return (u32)((g->state >> 16) % n);
}

static bool gen_weird(struct gen *g)
{
	return g->weird && !gen_below(g, g->weird);
}

void gen_bytes(struct gen *g, const void *p, size_t n)
{
	if ((size_t)(g->end - g->p) < n) {
		g->end = g->p;	/* what does not fit ends it */
		return;
	}
	memcpy(g->p, p, n);
	g->p += n;
}

void gen_u8(struct gen *g, u8 v)
{
	gen_bytes(g, &v, 1);
}

void gen_u16(struct gen *g, u16 v)
{
	u8 b[2];

	put_unaligned_be16(v, b);
	gen_bytes(g, b, sizeof(b));
}

void gen_u32(struct gen *g, u32 v)
{
	u8 b[4];

	put_unaligned_be32(v, b);
	gen_bytes(g, b, sizeof(b));
}

/* Numbers that lie at the edges more often than others */
static u32 gen_edge(struct gen *g)
{
	static const u32 edge[] = {
		0, 1, 2, 3, 7, 8, 127, 128, 255, 256, 0x3ffff, 0x40000, 0x7fffffff,
		0x80000000, 0xffffffff, 0xfffffff, 0x10000000, 65535, 65536,
	};
	u32 v = edge[gen_below(g, ARRAY_SIZE(edge))];

	return gen_below(g, 3) ? v : v + gen_below(g, 1000);
}

static u32 gen_creation(struct gen *g)
{
	static const u32 creation[] = { 0, 1, 3, 7, 4711, 0xffffffff };

	return creation[gen_below(g, ARRAY_SIZE(creation))];
}

static void gen_text(struct gen *g, const char *s, size_t n)
{
	u32 how = gen_below(g, 4);

	if (how > 1) {	/* latin1 */
		gen_u8(g, how == 2 ? ETF_SMALL_ATOM : ETF_ATOM);
		if (how == 3)
			gen_u8(g, 0);
		gen_u8(g, (u8)n);
	} else {
		gen_u8(g, how ? ETF_ATOM_UTF8 : ETF_SMALL_ATOM_UTF8);
		if (how)
			gen_u8(g, 0);
		gen_u8(g, (u8)n);
	}
	gen_bytes(g, s, n);
}

/* Not ASCII, or long */
static void gen_odd_atom(struct gen *g)
{
	u32 n, i;

	switch (gen_below(g, 4)) {
	case 0:
		gen_bytes(g, "w\5a\xc3\xa9\xce\xb1", 7);
		break;
	case 1:
		gen_bytes(g, "s\2a\xe9", 4);
		break;
	case 2:
		n = 250 + gen_below(g, 6);
		gen_u8(g, ETF_ATOM);
		gen_u16(g, n + (gen_weird(g) ? 1 : 0));
		for (i = 0; i < n; i++)
			gen_u8(g, 'a' + gen_below(g, 2) * 0x60);
		break;
	default:
		n = 60 + gen_below(g, 196);
		gen_u8(g, ETF_ATOM_UTF8);
		gen_u16(g, 4 * n);
		for (i = 0; i < n; i++)
			gen_bytes(g, "\xf0\x9f\x98\x80", 4);
	}
}

void gen_atom(struct gen *g)
{
	static const char *const atom[] = {
		"", "a", "ok", "end", "fun", "_x", "Abc", "it's", "a b", "a@b", "x1",
		"net_kernel", "\\", "\n", "\x7f",
	};
	const char *s = atom[gen_below(g, ARRAY_SIZE(atom))];

	if (!gen_below(g, 12))
		gen_odd_atom(g);
	else
		gen_text(g, s, strlen(s));
}

static void gen_node(struct gen *g)
{
	static const char *const node[] = {
		"p@h", "svc@host", "p@h", "a@b.c", "x@10.0.0.1", "a b@h", "x@h.1", "x@1.2",
		"p@hh", "p@", "@h", "a-b_c@x-y.org", "x@h.", "x@y@z", "a.b@1.2.3.4.5",
		"x@1.2.3.", "x@.1",
	};
	const char *s = node[gen_below(g, ARRAY_SIZE(node))];

	if (gen_below(g, 10))
		gen_text(g, s, strlen(s));
	else
		gen_atom(g);
}

static void gen_tail(struct gen *g, bool old)
{
	if (old)
		gen_u8(g, gen_weird(g) ? 4 : gen_below(g, 4));
	else
		gen_u32(g, gen_creation(g));
}

void gen_pid(struct gen *g)
{
	bool old = !gen_below(g, 4);

	gen_u8(g, old ? ETF_PID : ETF_NEW_PID);
	gen_node(g);
	gen_u32(g, gen_edge(g) & (gen_weird(g) ? ~0u : 0x7fff));
	gen_u32(g, gen_below(g, 3));
	gen_tail(g, old);
}

void gen_ref(struct gen *g)
{
	static const u8 tag[] = { ETF_NEWER_REFERENCE, ETF_NEW_REFERENCE, ETF_REFERENCE };
	u8 kind = tag[gen_below(g, 3)];
	u32 words = kind == ETF_REFERENCE ? 1 : 1 + gen_below(g, gen_weird(g) ? 7 : 5), i;

	gen_u8(g, kind);
	if (kind != ETF_REFERENCE)
		gen_u16(g, words);
	gen_node(g);
	if (kind != ETF_REFERENCE)
		gen_tail(g, kind == ETF_NEW_REFERENCE);
	for (i = 0; i < words; i++)
		gen_u32(g, gen_edge(g) & (i || gen_weird(g) ? ~0u : 0x3ffff));
	if (kind == ETF_REFERENCE)
		gen_tail(g, true);
}

static void gen_port(struct gen *g)
{
	static const u8 tag[] = { ETF_PORT, ETF_NEW_PORT, ETF_V4_PORT };
	u8 kind = tag[gen_below(g, 3)];

	gen_u8(g, kind);
	gen_node(g);
	if (kind == ETF_V4_PORT)
		gen_u32(g, gen_below(g, 2));
	gen_u32(g, gen_edge(g) & (gen_weird(g) ? ~0u : 0xffffff));
	gen_tail(g, kind == ETF_PORT);
}

static void gen_int(struct gen *g)
{
	u32 n, i;

	switch (gen_below(g, 4)) {
	case 0:
		gen_u8(g, ETF_SMALL_INTEGER);
		gen_u8(g, gen_below(g, 256));
		break;
	case 1:
		gen_u8(g, ETF_INTEGER);
		gen_u32(g, gen_edge(g));
		break;
	default:
		n = gen_below(g, gen_below(g, 8) ? 12 : 40);
		/* Longer than what is printed in decimal */
		if (!gen_below(g, 200))
			n = 4090 + gen_below(g, 20);
		gen_u8(g, gen_below(g, 4) && n < 256 ? ETF_SMALL_BIG : ETF_LARGE_BIG);
		if (g->p[-1] == ETF_LARGE_BIG)
			gen_u32(g, n);
		else
			gen_u8(g, n);
		gen_u8(g, gen_below(g, 2));
		for (i = 0; i < n; i++)
			gen_u8(g, gen_below(g, 3) ? gen_below(g, 256) : 255 * gen_below(g, 2));
	}
}

static void gen_float(struct gen *g)
{
	static const char *const text[] = {
		"1.50000000000000000000e+00", "-0.00000000000000000000e+00", "1.5", "1.0e308",
		"1.79769313486231570815e+308", "1.0e309", "4.9e-324", "1", ".5", "1.e5", "1.5e",
		"+1.5", "0.0e999999", "1.5E2", "1,5", "123456789012345678901234567.8", "nan",
	};
	static const u64 bits[] = {
		0, 1ULL << 63, 0x3ff0000000000000, 0x7fefffffffffffff, 1, 0x3fb999999999999a,
		0x4341c37937e08000, 0x7ff0000000000000,
	};
	char copy[31] = { 0 };
	u64 v = bits[gen_below(g, 7 + !!g->weird)];

	if (gen_below(g, 3)) {
		gen_u8(g, ETF_NEW_FLOAT);
		if (!gen_below(g, 3))
			v = (u64)gen_edge(g) << 31 ^ gen_edge(g);
		gen_u32(g, v >> 32);
		gen_u32(g, (u32)v);
		return;
	}
	strcpy(copy, text[gen_below(g, gen_weird(g) ? ARRAY_SIZE(text) : 3)]);
	gen_u8(g, ETF_FLOAT);
	gen_bytes(g, copy, sizeof(copy));
}

static void gen_raw(struct gen *g)
{
	u32 n = gen_below(g, gen_below(g, 20) ? 10 : 400), i, kind = gen_below(g, 3);

	if (kind == 0) {
		gen_u8(g, ETF_STRING);
		gen_u16(g, n);
	} else {
		gen_u8(g, kind == 1 ? ETF_BINARY : ETF_BIT_BINARY);
		gen_u32(g, n);
		if (kind == 2)
			gen_u8(g, n ? 1 + gen_below(g, 8) : gen_weird(g) * 5);
	}
	kind = gen_below(g, 3);
	for (i = 0; i < n; i++)
		gen_u8(g, kind ? ' ' + gen_below(g, 95) : gen_below(g, 256));
}

static void gen_export(struct gen *g)
{
	gen_u8(g, ETF_EXPORT);
	gen_atom(g);
	gen_atom(g);
	gen_u8(g, ETF_SMALL_INTEGER);
	gen_u8(g, gen_below(g, 256));
}

static void gen_fun(struct gen *g, unsigned int depth)
{
	u32 n = gen_below(g, 3), i;
	u8 *start;

	gen_u8(g, ETF_NEW_FUN);
	start = g->p;
	gen_u32(g, 0);
	gen_u8(g, gen_below(g, 4));
	for (i = 0; i < 4; i++)
		gen_u32(g, gen_below(g, 2));
	gen_u32(g, gen_below(g, 3));
	gen_u32(g, n);
	gen_atom(g);
	gen_u8(g, ETF_SMALL_INTEGER);
	gen_u8(g, gen_below(g, 3));
	gen_u8(g, ETF_INTEGER);
	gen_u32(g, gen_edge(g));
	gen_pid(g);
	for (i = 0; i < n; i++)
		gen_term(g, depth);
	if (g->p - start >= 4)
		put_unaligned_be32(g->p - start + gen_weird(g), start);
}

static void gen_map(struct gen *g, unsigned int depth)
{
	u32 n = gen_below(g, gen_below(g, 12) ? 5 : 80), i;

	gen_u8(g, ETF_MAP);
	gen_u32(g, n);
	for (i = 0; i < n; i++) {
		/* Most keys differ */
		if (n > 5 || gen_below(g, 2)) {
			gen_u8(g, ETF_SMALL_INTEGER);
			gen_u8(g, i);
		} else {
			gen_term(g, depth);
		}
		gen_term(g, n > 5 ? 0 : depth);
	}
}

static void gen_list(struct gen *g, unsigned int depth)
{
	u32 n = gen_below(g, 4), i;

	gen_u8(g, ETF_LIST);
	gen_u32(g, n);
	for (i = 0; i < n; i++)
		gen_term(g, depth);
	if (gen_below(g, 4))
		gen_u8(g, ETF_NIL);
	else
		gen_term(g, depth);
}

static void gen_tuple(struct gen *g, unsigned int depth)
{
	u32 n = gen_below(g, gen_below(g, 40) ? 4 : 300), i;
	bool large = n > 255 || !gen_below(g, 4);

	gen_u8(g, large ? ETF_LARGE_TUPLE : ETF_SMALL_TUPLE);
	if (large)
		gen_u32(g, n);
	else
		gen_u8(g, n);
	for (i = 0; i < n; i++)
		gen_term(g, n > 4 ? 0 : depth);
}

static void gen_leaf(struct gen *g)
{
	switch (gen_below(g, 9)) {
	case 0:
	case 1:
		gen_int(g);
		break;
	case 2:
		gen_float(g);
		break;
	case 3:
		gen_pid(g);
		break;
	case 4:
		gen_ref(g);
		break;
	case 5:
		gen_port(g);
		break;
	case 6:
		gen_raw(g);
		break;
	case 7:
		gen_export(g);
		break;
	default:
		gen_atom(g);
	}
}

void gen_term(struct gen *g, unsigned int depth)
{
	if (g->p == g->end)
		return;
	switch (depth ? gen_below(g, 8) : 4) {
	case 0:
		gen_tuple(g, depth - 1);
		break;
	case 1:
		gen_list(g, depth - 1);
		break;
	case 2:
		gen_map(g, depth - 1);
		break;
	case 3:
		if (gen_below(g, 2))
			gen_fun(g, depth - 1);
		else
			gen_u8(g, ETF_NIL);
		break;
	default:
		gen_leaf(g);
	}
}

/* Elements as ctl_forms[] of control.c names them, written from the protocol */
static const struct {
	u8 op;
	bool payload;
	const char *elems;
} forms[] = {
	{ OP_LINK, false, "pp" }, { OP_SEND, true, "ap" }, { OP_SEND, true, "ap" },
	{ OP_EXIT, false, "ppt" }, { OP_UNLINK, false, "pp" }, { OP_REG_SEND, true, "paa" },
	{ OP_REG_SEND, true, "paa" }, { OP_GROUP_LEADER, false, "pp" },
	{ OP_EXIT2, false, "ppt" }, { OP_SEND_TT, true, "apt" }, { OP_EXIT_TT, false, "pptt" },
	{ OP_REG_SEND_TT, true, "paat" }, { OP_EXIT2_TT, false, "pptt" },
	{ OP_MONITOR_P, false, "pnr" }, { OP_DEMONITOR_P, false, "pnr" },
	{ OP_MONITOR_P_EXIT, false, "dprt" }, { OP_SEND_SENDER, true, "pp" },
	{ OP_SEND_SENDER, true, "pp" }, { OP_SEND_SENDER_TT, true, "ppt" },
	{ OP_PAYLOAD_EXIT, true, "xp" }, { OP_PAYLOAD_EXIT_TT, true, "xpt" },
	{ OP_PAYLOAD_EXIT2, true, "xp" }, { OP_PAYLOAD_EXIT2_TT, true, "xpt" },
	{ OP_PAYLOAD_MONITOR_P_EXIT, true, "dpr" }, { OP_SPAWN_REQUEST, true, "rpptt" },
	{ OP_SPAWN_REQUEST_TT, true, "rppttt" }, { OP_SPAWN_REPLY, false, "rpin" },
	{ OP_SPAWN_REPLY_TT, false, "rpint" }, { OP_ALIAS_SEND, true, "pr" },
	{ OP_ALIAS_SEND_TT, true, "prt" }, { OP_UNLINK_ID, false, "ipp" },
	{ OP_UNLINK_ID_ACK, false, "ipp" }, { OP_ALTACT_SIG_SEND, true, "bp" },
};

static void gen_elem(struct gen *g, char elem)
{
	switch (elem) {
	case 'p':
		gen_pid(g);
		break;
	case 'a':
		gen_atom(g);
		break;
	case 'r':
		gen_ref(g);
		break;
	case 'n':
		if (gen_below(g, 2))
			gen_pid(g);
		else
			gen_atom(g);
		break;
	case 'x':
		if (gen_below(g, 3))
			gen_pid(g);
		else
			gen_port(g);
		break;
	case 'd':
		if (gen_below(g, 2))
			gen_elem(g, 'x');
		else
			gen_atom(g);
		break;
	case 'i':
		gen_int(g);
		break;
	default:
		gen_term(g, 1);
	}
}

/* Flags, From, and To by the flags, the token and what else there may be */
static void gen_altact(struct gen *g)
{
	u32 flags = gen_below(g, 32), more = gen_below(g, 3);

	if (!gen_weird(g) && (flags & 12) == 12)
		flags &= ~8u;
	if (flags & ALTACT_TOKEN)
		more++;
	gen_u8(g, 4 + more);
	gen_u8(g, ETF_SMALL_INTEGER);
	gen_u8(g, OP_ALTACT_SIG_SEND);
	gen_u8(g, ETF_SMALL_INTEGER);
	gen_u8(g, flags);
	gen_pid(g);
	gen_elem(g, flags & ALTACT_ALIAS ? 'r' : flags & ALTACT_NAME ? 'a' : 'p');
	while (more--)
		gen_term(g, 1);
}

static bool gen_form(struct gen *g)
{
	u32 form = gen_below(g, ARRAY_SIZE(forms));
	const char *elem = forms[form].elems;

	gen_u8(g, ETF_SMALL_TUPLE);
	if (forms[form].op == OP_ALTACT_SIG_SEND) {
		gen_altact(g);
		return true;
	}
	gen_u8(g, 1 + strlen(elem) + gen_weird(g));
	gen_u8(g, ETF_SMALL_INTEGER);
	gen_u8(g, forms[form].op);
	for (; *elem; elem++)
		gen_elem(g, gen_weird(g) ? 't' : *elem);
	return forms[form].payload;
}

void gen_control(struct gen *g)
{
	gen_form(g);
}

void gen_signal(struct gen *g, bool version)
{
	if (!gen_form(g))
		return;
	if (version)
		gen_u8(g, ETF_VERSION);
	gen_term(g, 2);
}

/*
 * Bending
 */

struct items {
	u32 n;
	u32 at[ITEMS_MAX];
	u32 len[ITEMS_MAX];
};

/* Bytes of fixed layout in front of parts; 0: the parts are not looked at */
static size_t head_of(u8 tag)
{
	switch (tag) {
	case ETF_SMALL_TUPLE:
		return 2;
	case ETF_LARGE_TUPLE:
	case ETF_LIST:
	case ETF_MAP:
		return 5;
	case ETF_NEW_FUN:
		return 30;
	case ETF_EXPORT:
	case ETF_PID:
	case ETF_NEW_PID:
	case ETF_PORT:
	case ETF_NEW_PORT:
	case ETF_V4_PORT:
	case ETF_REFERENCE:
		return 1;
	case ETF_NEW_REFERENCE:
	case ETF_NEWER_REFERENCE:
		return 3;
	}
	return 0;
}

/* The terms in data and their parts, from the outside inwards */
static void find_items(struct items *items, const u8 *data, size_t size)
{
	struct etf_cursor c = { data, data + size };
	const u8 *start;
	size_t head;

	items->n = 0;
	while (c.p < c.end && items->n < ITEMS_MAX) {
		start = c.p;
		if (etf_skip(&c)) {
			c.p = start + 1;	/* a version, a length, a tail */
			continue;
		}
		items->at[items->n] = start - data;
		items->len[items->n++] = c.p - start;
		head = head_of(*start);
		if (head && head < (size_t)(c.p - start))
			c.p = start + head;
	}
}

/* Replace len bytes at "at" by n others */
static size_t splice(u8 *data, size_t size, size_t max, u32 at, u32 len, const u8 *p, size_t n)
{
	if (size - len + n > max)
		return size;
	memmove(data + at + n, data + at + len, size - at - len);
	memcpy(data + at, p, n);
	return size - len + n;
}

static void bend_head(struct gen *g, u8 *p, u32 len)
{
	u32 i = gen_below(g, min_t(u32, len, 6));

	switch (gen_below(g, 4)) {
	case 0:
		p[i]++;
		break;
	case 1:
		p[i]--;
		break;
	case 2:
		p[i] ^= 1 << gen_below(g, 8);
		break;
	default:
		p[i] = gen_edge(g);
	}
}

size_t bend_terms(struct gen *g, u8 *data, size_t size, size_t max)
{
	static struct items items;
	static u8 copy[8192];
	struct gen in = { 0 };
	u32 a, b, n;

	find_items(&items, data, size);
	in.state = g->state;
	in.weird = 24;
	in.p = copy;
	in.end = copy + sizeof(copy);
	a = gen_below(g, items.n + 1);
	if (a == items.n) {	/* one more, behind */
		gen_term(&in, 2);
		return splice(data, size, max, size, 0, copy, in.p - copy);
	}
	b = gen_below(g, items.n);
	n = min_t(u32, items.len[b], sizeof(copy));
	switch (gen_below(g, 6)) {
	case 0:
		gen_term(&in, 2);
		return splice(data, size, max, items.at[a], items.len[a], copy, in.p - copy);
	case 1:
		memcpy(copy, data + items.at[b], n);
		return splice(data, size, max, items.at[a], items.len[a], copy, n);
	case 2:
		memcpy(copy, data + items.at[a], min_t(u32, items.len[a], sizeof(copy)));
		n = min_t(u32, items.len[a], sizeof(copy));
		return splice(data, size, max, items.at[a], 0, copy, n);
	case 3:
		return splice(data, size, max, items.at[a], items.len[a], copy, 0);
	case 4:
		return splice(data, size, max, items.at[a], 0,
			      (const u8 *)"h\1l\0\0\0\1t\0\0\0\1" + 2 * (a % 2), 2 + 3 * (a % 2));
	default:
		bend_head(g, data + items.at[a], items.len[a]);
		return size;
	}
}

size_t LLVMFuzzerCustomMutator(u8 *data, size_t size, size_t max, unsigned int seed)
{
	struct gen g = { .state = (seed + 1ULL) * 0x9e3779b97f4a7c15ULL };
	u32 how = gen_below(&g, 16);

	if (how == 0) {
		g.weird = gen_below(&g, 2) * 64;
		return fuzz_generate(&g, data, max);
	}
	return how < 9 ? fuzz_bend(&g, data, size, max) : LLVMFuzzerMutate(data, size, max);
}
