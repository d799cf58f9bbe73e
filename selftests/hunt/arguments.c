// SPDX-License-Identifier: GPL-2.0-only
/*
 * The arguments of a call: numbers, results of earlier calls, and terms that are built
 * from both. Keeps pids and references that were received, for later calls.
 */
#include "hunt.h"

static const struct desc *const tables[] = { calls_table, world_table, wire_table };
static const struct desc *descs[MAX_DESCS];

unsigned int desc_count(void)
{
	static unsigned int count;
	unsigned int n = 0;

	if (count)
		return count;
	for (unsigned int i = 0; i < ARRAY_SIZE(tables); i++)
		for (const struct desc *d = tables[i]; d->name && n < MAX_DESCS; d++)
			descs[n++] = d;
	count = n;
	return count;
}

const struct desc *desc_of(unsigned int i)
{
	return descs[i % desc_count()];
}

int desc_find(const char *name)
{
	for (unsigned int i = 0; i < desc_count(); i++)
		if (!strcmp(desc_of(i)->name, name))
			return i;
	return -1;
}

int hunt_family(void)
{
	int number = family();

	return number < 0 ? 0 : number;
}

static const struct arg *next_arg(struct cursor *c)
{
	static const struct arg nothing = { .kind = A_NONE, .res = NO_RES };

	if (!c->left)
		return &nothing;
	c->left--;
	return c->a++;
}

uint64_t arg_int(struct cursor *c)
{
	return arg_v(next_arg(c));
}

static struct result *result_at(struct cursor *c, unsigned int i)
{
	struct result *r = i < MAX_CALLS ? &c->s->res[i] : NULL;

	return r && __atomic_load_n(&r->type, __ATOMIC_ACQUIRE) ? r : NULL;
}

struct result *arg_res(struct cursor *c)
{
	return result_at(c, next_arg(c)->res);
}

int arg_fd(struct cursor *c)
{
	struct result *r = arg_res(c);

	return r ? r->fd : -1;
}

static void encode_bytes(struct buf *b, uint64_t seed, size_t n)
{
	while (n--)
		buf_u8(b, rnd64(&seed));
}

static void encode_name(struct buf *b, const char *text, unsigned int how)
{
	size_t n = strlen(text);

	/* Latin-1 names are no UTF-8: ATOM_EXT, unless it is to be wrong */
	if (!how && n && (text[0] & 0xf0) == 0xe0)
		how = 2;
	switch (how) {
	case 1:
		buf_u8(b, 118);
		buf_be16(b, n);
		break;
	case 2:
		buf_u8(b, 100);
		buf_be16(b, n);
		break;
	case 3:
		buf_u8(b, 115);
		buf_u8(b, n);
		break;
	default:
		buf_u8(b, 119);
		buf_u8(b, n);
	}
	buf_add(b, text, n);
}

static void encode_int(struct buf *b, uint64_t v, unsigned int how)
{
	switch (how) {
	case 1:
		buf_u8(b, 98);
		buf_be32(b, v);
		break;
	case 2:
		buf_u8(b, 110);
		buf_u8(b, 8);
		buf_u8(b, v & 1);
		buf_add(b, &v, 8);
		break;
	case 3:
		buf_u8(b, 97);
		buf_u8(b, v);
		break;
	default:
		fmt(b, "u", v);
	}
}

static void wire_pid_term(struct result *r, const struct arg *a, struct buf *b)
{
	struct epid pid = wire_pid(&r->wire, 66 + a->n % 5);

	if (a->n == 5)
		snprintf(pid.node, sizeof(pid.node), "other@h");
	fmt(b, "p", &pid);
}

static void fetch_self(struct result *r)
{
	uint8_t pid[600];
	socklen_t len = sizeof(pid);

	if (!r->self.len && !getsockopt(r->fd, SOL_ERLDIST, ERLDIST_SELF, pid, &len) &&
	    len <= SEEN_BYTES) {
		memcpy(r->self.bytes, pid, len);
		r->self.len = len;
	}
}

/* n: 1 another creation, 2 another serial, 3 the next number, else it is it */
static void proc_pid_term(struct result *r, const struct arg *a, struct buf *b)
{
	size_t at = b->len, len;

	if (r->type & R_PROC)
		fetch_self(r);
	len = r->self.len;
	if (len < 15 || len > SEEN_BYTES) {
		const struct epid nobody = { "n1@h", 1000, 0, 0x1234 };

		fmt(b, "p", &nobody);
		return;
	}
	buf_add(b, r->self.bytes, len);
	if (a->n == 1)
		b->p[at + len - 1] ^= 1;
	else if (a->n == 2)
		b->p[at + len - 5] ^= 1;
	else if (a->n == 3)
		b->p[at + len - 9]++;
}

static void proc_ref_term(struct result *r, const struct arg *a, struct buf *b)
{
	struct eref ref = { .n = 3 };
	struct epid self;
	uint64_t n;

	fetch_self(r);
	if (!r->self.len || scan(r->self.bytes, r->self.len, "p", &self) < 0) {
		buf_u8(b, 106);
		return;
	}
	n = ref_number(r, a->n);
	snprintf(ref.node, sizeof(ref.node), "%s", self.node);
	ref.creation = self.creation;
	ref.word[0] = n & 0x3ffff;
	ref.word[1] = n >> 18;
	ref.word[2] = self.id;
	fmt(b, "r", &ref);
}

static void seen_term(const struct seen *list, unsigned int n, unsigned int which,
		      struct buf *b)
{
	const struct seen *s;

	s = &list[which % (n < SEEN ? n : SEEN)];
	buf_add(b, s->bytes, s->len < SEEN_BYTES ? s->len : SEEN_BYTES);
}

void term_of_res(struct cursor *c, const struct arg *a, struct buf *b)
{
	struct result *r = result_at(c, a->res);
	bool pid = a->kind == A_PID || a->kind == A_SEEN_PID;
	struct eref ref;

	/* where nothing was received: its own */
	if (!r) {
		buf_u8(b, 106);
	} else if (a->kind == A_SEEN_PID && r->n_pids) {
		seen_term(r->pids, r->n_pids, a->n, b);
	} else if (a->kind == A_SEEN_REF && r->n_refs) {
		seen_term(r->refs, r->n_refs, a->n, b);
	} else if (r->type & R_WIRE) {
		ref = wire_ref(&r->wire, a->n);
		if (pid)
			wire_pid_term(r, a, b);
		else
			fmt(b, "r", &ref);
	} else if (pid) {
		proc_pid_term(r, a, b);
	} else {
		proc_ref_term(r, a, b);
	}
}

static void build(struct cursor *c, struct buf *b);

/* As text, of 31 bytes */
static void encode_old_float(struct buf *b, uint64_t v)
{
	char text[31] = "";

	snprintf(text, sizeof(text), "%.20e", (double)(int64_t)v);
	buf_u8(b, 99);
	buf_add(b, text, sizeof(text));
}

/* n: 0 a bit, 1 the end cut off, 2 more behind it, 3 a byte, 4 the length of something */
static void build_bent(struct cursor *c, const struct arg *a, struct buf *b)
{
	uint64_t v = arg_v(a);
	size_t from = b->len, n, at;

	build(c, b);
	n = b->len - from;
	if (!n)
		return;
	at = from + (v >> 8) % (n < 64 ? n : 64);
	switch (a->n) {
	case 0:
		b->p[at] ^= 1 << (v & 7);
		break;
	case 1:
		b->len = at;
		break;
	case 2:
		encode_bytes(b, v, v & 15);
		break;
	case 3:
		b->p[at] = v;
		break;
	default:
		b->p[from + (n > 1)] = v & 1 ? 255 : v >> 8;
	}
}

static void build_many(struct cursor *c, struct buf *b, unsigned int n)
{
	while (n--)
		build(c, b);
}

static void build(struct cursor *c, struct buf *b)
{
	const struct arg *a = next_arg(c);
	uint64_t v = arg_v(a);

	/* one term is not to take all memory */
	if (b->len > 200000)
		return;
	switch (a->kind) {
	case A_TUPLE:
		buf_u8(b, 104);
		buf_u8(b, a->n);
		build_many(c, b, a->n);
		break;
	case A_LIST:
	case A_IMPROPER:
		buf_u8(b, 108);
		buf_be32(b, a->n);
		build_many(c, b, a->n);
		if (a->kind == A_LIST)
			buf_u8(b, 106);
		else
			build(c, b);
		break;
	case A_MAP:
		buf_u8(b, 116);
		buf_be32(b, a->n);
		build_many(c, b, 2 * a->n);
		break;
	case A_ATOM:
		encode_name(b, name_text(v), a->n);
		break;
	case A_NUMBER:
		encode_int(b, v, a->n);
		break;
	case A_BIG:
		buf_u8(b, 110);
		buf_u8(b, v);
		buf_u8(b, v & 1);
		encode_bytes(b, v, v & 255);
		break;
	case A_BINARY:
		v &= 0x1ffff;
		buf_u8(b, 109);
		buf_be32(b, v);
		memset(buf_grow(b, v), 'x', v);
		b->len += v;
		break;
	case A_STRING:
		v &= 0xffff;
		buf_u8(b, 107);
		buf_be16(b, v);
		encode_bytes(b, v, v);
		break;
	case A_BITS:
		buf_u8(b, 77);
		buf_be32(b, 2);
		buf_u8(b, v);
		buf_be16(b, 0x1280);
		break;
	case A_FLOAT:
		if (a->n & 1) {
			encode_old_float(b, v);
			break;
		}
		buf_u8(b, 70);
		buf_be64(b, v);
		break;
	case A_EXPORT:
		buf_u8(b, 113);
		encode_name(b, "erlang", 0);
		encode_name(b, "self", 0);
		encode_int(b, v, v > 255 ? 0 : 3);
		break;
	case A_RAW:
		encode_bytes(b, v, a->n);
		break;
	case A_PID ... A_SEEN_REF:
		term_of_res(c, a, b);
		break;
	case A_BEND:
		build_bent(c, a, b);
		break;
	default:
		buf_u8(b, 106);
	}
}

bool arg_term(struct cursor *c, struct buf *b)
{
	if (c->left && c->a->kind == A_NONE) {
		next_arg(c);
		return false;
	}
	build(c, b);
	return true;
}

/* What was received */

void seen_add(struct seen *list, uint8_t *n, const uint8_t *p, size_t len)
{
	unsigned int at = *n;
	struct seen *s = &list[at % SEEN];

	if (len > SEEN_BYTES)
		return;
	memcpy(s->bytes, p, len);
	s->len = len;
	*n = at + 1 < 2 * SEEN ? at + 1 : SEEN;
}

/* Pids and references in the first bytes, wherever they stand */
void seen_terms(struct result *r, const uint8_t *p, size_t len)
{
	size_t end = len < 700 ? len : 700;

	for (size_t i = 0; i < end; i++) {
		ssize_t n;

		if (p[i] != 88 && p[i] != 90)
			continue;
		n = term_len(p + i, len - i);
		if (n < 13)
			continue;
		if (p[i] == 88)
			seen_add(r->pids, &r->n_pids, p + i, n);
		else
			seen_add(r->refs, &r->n_refs, p + i, n);
		i += n - 1;
	}
}

void violation(struct cursor *c, const char *f, ...)
{
	va_list ap;

	va_start(ap, f);
	if (!c->s->violation[0])
		vsnprintf(c->s->violation, sizeof(c->s->violation), f, ap);
	va_end(ap);
}
