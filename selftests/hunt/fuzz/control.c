// SPDX-License-Identifier: GPL-2.0-only
/* Control messages: what was read stays within its bytes, and can be written. */
#include "control.h"
#include "fuzz.h"

static bool within(const u8 *p, u32 len, const u8 *start, const struct etf_cursor *c)
{
	return !len || (p >= start && p + len <= c->p);
}

static void rewrite(const struct erldist_ctl *ctl, u64 flags)
{
	struct erldist_ctl_out out = {
		.op = ctl->op, .to_kind = ctl->to_kind, .from_kind = ctl->from_kind,
		.id = ctl->id, .from = ctl->from, .to = ctl->to, .name = ctl->name,
		.to_ref = ctl->to_ref, .ref = &ctl->ref,
	};
	struct erldist_ctl again;
	struct etf_cursor c;
	u8 *buf;

	if (ctl->op == OP_SPAWN_REQUEST) {
		out.raw = ctl->raw[1].p;
		out.raw_len = ctl->raw[1].len + ctl->raw[2].len;
	}
	if (ctl->op == OP_SPAWN_REPLY)
		out.id = ctl->flags;
	buf = malloc(ERLDIST_CTL_SIZE + out.raw_len);
	c = (struct etf_cursor){ buf, erldist_ctl_write(buf, &out, flags) };
	if (!c.end) {
		free(buf);
		return;
	}
	CHECK((size_t)(c.end - buf) <= ERLDIST_CTL_SIZE + out.raw_len);
	CHECK(!erldist_ctl_read(&c, &again) && c.p == c.end);
	CHECK(again.op == ctl->op && again.id == ctl->id);
	CHECK(again.to_kind == ctl->to_kind || ctl->op == OP_SPAWN_REPLY);
	CHECK(again.to_kind != CTL_PID || again.to.serial == ctl->to.serial);
	CHECK(again.from_kind != CTL_PID || again.from.id == ctl->from.id);
	CHECK(!memcmp(again.ref.word, ctl->ref.word, sizeof(ctl->ref.word)));
	CHECK(again.flags == ctl->flags || ctl->op != OP_SPAWN_REPLY);
	free(buf);
}

static bool can_write(const struct erldist_ctl *ctl)
{
	switch (ctl->op) {
	case OP_GROUP_LEADER:	/* reads nothing */
	case OP_UNLINK:
		return false;
	case OP_SEND:
	case OP_EXIT2:
		return ctl->to_kind != CTL_NAME && ctl->from_kind == CTL_PID;
	}
	return ctl->from_kind != CTL_PORT;
}

static bool atoms_same(const struct etf_atom *a, const struct etf_atom *b)
{
	return a->text == b->text && a->len == b->len && a->latin1 == b->latin1;
}

static bool pids_same(const struct etf_pid *a, const struct etf_pid *b)
{
	return atoms_same(&a->node, &b->node) && a->id == b->id && a->serial == b->serial &&
	       a->creation == b->creation;
}

/* Whether it was read as another like the one before, or anew, cannot be told. */
static void check_same(const struct erldist_ctl *a, const struct erldist_ctl *b)
{
	CHECK(a->op == b->op && a->payload == b->payload && a->flags == b->flags);
	CHECK(a->from_kind == b->from_kind && a->to_kind == b->to_kind && a->id == b->id);
	CHECK(a->reason_inside == b->reason_inside && a->n_raw == b->n_raw);
	CHECK(a->from_kind != CTL_PID || pids_same(&a->from, &b->from));
	CHECK(a->to_kind != CTL_PID || pids_same(&a->to, &b->to));
	CHECK(atoms_same(&a->name, &b->name));
	CHECK(a->raw_from == b->raw_from && a->raw_from_len == b->raw_from_len);
	CHECK(a->raw_ref == b->raw_ref && a->raw_ref_len == b->raw_ref_len);
}

static void check_one(const struct etf_cursor *whole, const struct erldist_ctl *ctl)
{
	const u8 *data = whole->p;
	struct etf_cursor c = *whole;
	struct erldist_ctl again;
	ptrdiff_t n;

	CHECK(!erldist_ctl_read(&c, &again));
	check_same(ctl, &again);
	CHECK(within(ctl->raw_from, ctl->raw_from_len, data, &c));
	CHECK(within(ctl->raw_ref, ctl->raw_ref_len, data, &c));
	CHECK(!(ctl->payload && ctl->reason_inside));
	/* Fewer bytes are not enough, for either way. */
	for (n = 1; n < 8 && n < c.p - data; n++)
		CHECK(erldist_ctl_read(&(struct etf_cursor){ data, c.p - n }, &again));
	if (can_write(ctl)) {
		rewrite(ctl, 0);
		rewrite(ctl, ~0ULL);
		rewrite(ctl, DFLAG_ALIAS);
		rewrite(ctl, ~0ULL & ~DFLAG_EXIT_PAYLOAD);
		rewrite(ctl, DFLAG_SPAWN);
	}
}

/* One after the other, as one channel reads them */
int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct erldist_ctl_last last = { 0 };
	struct etf_cursor c = { data, data + size }, whole;
	struct erldist_ctl ctl, fresh;
	int err, n = 0;

	do {
		whole = c;
		err = erldist_ctl_read_next(&c, &ctl, &last);
		CHECK(err == 0 || err == -EBADMSG || err == -ENODATA);
		CHECK(err ? c.p == whole.p : c.p > whole.p && c.p <= c.end);
		if (err)
			CHECK(erldist_ctl_read(&c, &fresh) == err && c.p == whole.p);
		else
			check_one(&whole, &ctl);
	} while (!err && ++n < 64);
	return 0;
}

/* Some of them alike but for the numbers of pids */
size_t fuzz_generate(struct gen *g, u8 *p, size_t max)
{
	u32 n = 1 + gen_below(g, 6);
	u8 *start;
	size_t len;

	g->p = p;
	g->end = p + max;
	while (n--) {
		start = g->p;
		gen_control(g);
		len = g->p - start;
		while (len > 12 && !gen_below(g, 3)) {
			start = g->p;
			if ((size_t)(g->end - g->p) < len)
				break;
			gen_bytes(g, start - len, len);
			put_unaligned_be32(gen_below(g, 1000), start + len - 12);
		}
	}
	return g->p - p;
}

size_t fuzz_bend(struct gen *g, u8 *data, size_t size, size_t max)
{
	return bend_terms(g, data, size, max);
}
