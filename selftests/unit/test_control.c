// SPDX-License-Identifier: GPL-2.0-only
/* Control messages: each operation, read and written. */
#include <stdlib.h>

#include "control.h"
#include "tap.h"
#include "terms.h"

/*
 * Messages are put together from elements: F the sender's pid, T the receiver's,
 * N a name, R a reference, A an alias, O a port, C the cookie, S a token, I an
 * id, X a reason, M {m,f,1}, 0 a small integer, B flags in a bignum; 1 to 8:
 * flags in a small integer, see below.
 */
static const struct row elements[128] = {
	['F'] = T(88, 119, 3, 'f', '@', 'h', WORD(1), WORD(2), WORD(3)),
	['T'] = T(103, 100, 0, 3, 't', '@', 'h', WORD(4), WORD(5), 2),
	['P'] = T(88, 119, 3, 'p', '@', 'h', WORD(12), WORD(13), WORD(14)),
	['N'] = T(115, 4, 'n', 'a', 'm', 0xe9),
	['R'] = T(90, 0, 3, 119, 3, 'r', '@', 'h', WORD(3), WORD(6), WORD(7), WORD(8)),
	['A'] = T(114, 0, 2, 119, 3, 'a', '@', 'h', 2, WORD(9), WORD(10)),
	['O'] = T(120, 119, 3, 'o', '@', 'h', WORD(0), WORD(11), WORD(3)),
	['C'] = T(119, 0),
	['S'] = T(104, 5, 97, 1, 106, 97, 2, 88, 119, 3, 'f', '@', 'h', WORD(1),
		  WORD(2), WORD(3), 97, 0),
	['I'] = T(110, 8, 0, 239, 205, 171, 137, 103, 69, 35, 1),
	['X'] = T(104, 2, 119, 5, 'e', 'r', 'r', 'o', 'r', 107, 0, 1, 'x'),
	['M'] = T(104, 3, 119, 1, 'm', 119, 1, 'f', 97, 1),
	['0'] = T(97, 0),
	['B'] = T(110, 6, 0, 4, 0, 0, 0, 0, 1),
	['1'] = T(97, 0),
	['2'] = T(97, ALTACT_ALIAS),
	['3'] = T(97, ALTACT_ALIAS | ALTACT_PRIO),
	['4'] = T(97, ALTACT_NAME),
	['5'] = T(97, ALTACT_EXIT),
	['6'] = T(98, 0, 0, 0, ALTACT_EXIT | ALTACT_ALIAS | ALTACT_PRIO),
	['7'] = T(97, ALTACT_TOKEN),
	['8'] = T(97, ALTACT_ALIAS | ALTACT_NAME),
	/* Of no type that is read */
	['?'] = T(109, 0, 0, 0, 1, 0),
};

struct message {
	u8 wire;
	const char *elems;
	u8 op;
	u8 from, to;
	char follows;		/* p: payload, r: reason inside, 0: nothing */
};

static const struct message messages[] = {
	{ 1, "FT", OP_LINK, CTL_PID, CTL_PID, 0 },
	{ 2, "CT", OP_SEND, CTL_NONE, CTL_PID, 'p' },
	{ 3, "FTX", OP_EXIT, CTL_PID, CTL_PID, 'r' },
	{ 3, "OTX", OP_EXIT, CTL_PORT, CTL_PID, 'r' },
	{ 4, "FT", OP_UNLINK, CTL_PID, CTL_PID, 0 },
	{ 6, "FCN", OP_REG_SEND, CTL_PID, CTL_NAME, 'p' },
	{ 7, "FT", OP_GROUP_LEADER, CTL_NONE, CTL_NONE, 0 },
	{ 8, "FTX", OP_EXIT2, CTL_PID, CTL_PID, 'r' },
	{ 12, "CTS", OP_SEND, CTL_NONE, CTL_PID, 'p' },
	{ 13, "FTSX", OP_EXIT, CTL_PID, CTL_PID, 'r' },
	{ 16, "FCNS", OP_REG_SEND, CTL_PID, CTL_NAME, 'p' },
	{ 18, "FTSX", OP_EXIT2, CTL_PID, CTL_PID, 'r' },
	{ 19, "FTR", OP_MONITOR_P, CTL_PID, CTL_PID, 0 },
	{ 19, "FNR", OP_MONITOR_P, CTL_PID, CTL_NAME, 0 },
	{ 20, "FTR", OP_DEMONITOR_P, CTL_PID, CTL_PID, 0 },
	{ 20, "FNR", OP_DEMONITOR_P, CTL_PID, CTL_NAME, 0 },
	{ 21, "FTRX", OP_MONITOR_P_EXIT, CTL_PID, CTL_PID, 'r' },
	{ 21, "NTRX", OP_MONITOR_P_EXIT, CTL_NAME, CTL_PID, 'r' },
	{ 21, "OTRX", OP_MONITOR_P_EXIT, CTL_PORT, CTL_PID, 'r' },
	{ 22, "FT", OP_SEND, CTL_PID, CTL_PID, 'p' },
	{ 23, "FTS", OP_SEND, CTL_PID, CTL_PID, 'p' },
	{ 24, "FT", OP_EXIT, CTL_PID, CTL_PID, 'p' },
	{ 24, "OT", OP_EXIT, CTL_PORT, CTL_PID, 'p' },
	{ 25, "FTS", OP_EXIT, CTL_PID, CTL_PID, 'p' },
	{ 26, "FT", OP_EXIT2, CTL_PID, CTL_PID, 'p' },
	{ 27, "FTS", OP_EXIT2, CTL_PID, CTL_PID, 'p' },
	{ 28, "FTR", OP_MONITOR_P_EXIT, CTL_PID, CTL_PID, 'p' },
	{ 28, "NTR", OP_MONITOR_P_EXIT, CTL_NAME, CTL_PID, 'p' },
	{ 29, "RFFMX", OP_SPAWN_REQUEST, CTL_PID, CTL_NONE, 'p' },
	{ 30, "RFFMXS", OP_SPAWN_REQUEST, CTL_PID, CTL_NONE, 'p' },
	{ 31, "RT0F", OP_SPAWN_REPLY, CTL_PID, CTL_PID, 0 },
	{ 31, "RT0N", OP_SPAWN_REPLY, CTL_NAME, CTL_PID, 0 },
	{ 32, "RT0FS", OP_SPAWN_REPLY, CTL_PID, CTL_PID, 0 },
	{ 33, "FA", OP_SEND, CTL_PID, CTL_REF, 'p' },
	{ 34, "FAS", OP_SEND, CTL_PID, CTL_REF, 'p' },
	{ 35, "IFT", OP_UNLINK_ID, CTL_PID, CTL_PID, 0 },
	{ 36, "IFT", OP_UNLINK_ID_ACK, CTL_PID, CTL_PID, 0 },
	{ 37, "1FT", OP_SEND, CTL_PID, CTL_PID, 'p' },
	{ 37, "2FA", OP_SEND, CTL_PID, CTL_REF, 'p' },
	{ 37, "BFA", OP_SEND, CTL_PID, CTL_REF, 'p' },
	{ 37, "3FA", OP_SEND, CTL_PID, CTL_REF, 'p' },
	{ 37, "4FN", OP_SEND, CTL_PID, CTL_NAME, 'p' },
	{ 37, "5FT", OP_EXIT2, CTL_PID, CTL_PID, 'p' },
	{ 37, "6FA", OP_EXIT2, CTL_PID, CTL_REF, 'p' },
	{ 37, "7FTS", OP_SEND, CTL_PID, CTL_PID, 'p' },
	{ 37, "7FTSXM", OP_SEND, CTL_PID, CTL_PID, 'p' },
	{ 37, "1FTX", OP_SEND, CTL_PID, CTL_PID, 'p' },
};

/* What is no control message: -EBADMSG */
static const struct message bad_messages[] = {
	{ 0, "FT", 0, 0, 0, 0 },
	{ 5, "", 0, 0, 0, 0 },
	{ 9, "FT", 0, 0, 0, 0 },
	{ 10, "FT", 0, 0, 0, 0 },
	{ 11, "FT", 0, 0, 0, 0 },
	{ 14, "FT", 0, 0, 0, 0 },
	{ 15, "FT", 0, 0, 0, 0 },
	{ 17, "FT", 0, 0, 0, 0 },
	{ 38, "FT", 0, 0, 0, 0 },
	{ 255, "FT", 0, 0, 0, 0 },
	{ 1, "OT", 0, 0, 0, 0 },
	{ 1, "FO", 0, 0, 0, 0 },
	{ 1, "FN", 0, 0, 0, 0 },
	{ 2, "CN", 0, 0, 0, 0 },
	{ 2, "CA", 0, 0, 0, 0 },
	{ 2, "CO", 0, 0, 0, 0 },
	{ 6, "OCN", 0, 0, 0, 0 },
	{ 6, "NCN", 0, 0, 0, 0 },
	{ 6, "FCT", 0, 0, 0, 0 },
	{ 19, "OTR", 0, 0, 0, 0 },
	{ 19, "FAR", 0, 0, 0, 0 },
	{ 19, "FOR", 0, 0, 0, 0 },
	{ 22, "NT", 0, 0, 0, 0 },
	{ 22, "OT", 0, 0, 0, 0 },
	{ 24, "NT", 0, 0, 0, 0 },
	{ 28, "ATR", 0, 0, 0, 0 },
	{ 29, "NFFMX", 0, 0, 0, 0 },
	{ 33, "FT", 0, 0, 0, 0 },
	{ 33, "FN", 0, 0, 0, 0 },
	{ 35, "0FT", 0, 0, 0, 0 },
	{ 35, "NFT", 0, 0, 0, 0 },
	{ 37, "8FA", 0, 0, 0, 0 },
	{ 37, "8FN", 0, 0, 0, 0 },
	{ 37, "1FA", 0, 0, 0, 0 },
	{ 37, "2FT", 0, 0, 0, 0 },
	{ 37, "4FT", 0, 0, 0, 0 },
	{ 37, "7FT", 0, 0, 0, 0 },
	{ 37, "1OT", 0, 0, 0, 0 },
	{ 37, "NFT", 0, 0, 0, 0 },
};

static size_t put_elem(u8 *p, char elem)
{
	const struct row *r = &elements[(u8)elem];

	memcpy(p, r->p, r->len);
	return r->len;
}

/* Returns the length; reason is where the last element starts */
static size_t build(u8 *buf, u8 wire, const char *elems, size_t *reason)
{
	size_t n = 0;

	buf[n++] = 104;
	buf[n++] = strlen(elems) + 1;
	buf[n++] = 97;
	buf[n++] = wire;
	for (; *elems; elems++) {
		*reason = n;
		n += put_elem(buf + n, *elems);
	}
	return n;
}

/* The same with a LARGE_TUPLE and the operation as an INTEGER */
static size_t build_long(u8 *buf, u8 wire, const char *elems, size_t *reason)
{
	u8 tmp[1024];
	size_t n = build(tmp, wire, elems, reason);

	memcpy(buf, (const u8[]){ 105, 0, 0, 0, tmp[1], 98, 0, 0, 0, wire }, 10);
	memcpy(buf + 10, tmp + 4, n - 4);
	*reason += 6;
	return n + 6;
}

/* From memory that ends where the bytes do */
static int read_copy(const u8 *p, size_t len, size_t *used)
{
	u8 *copy = malloc(len ? len : 1);
	struct etf_cursor c = { copy, copy + len };
	struct erldist_ctl ctl;
	int err;

	memcpy(copy, p, len);
	err = erldist_ctl_read(&c, &ctl);
	*used = c.p - copy;
	free(copy);
	return err;
}

static bool pid_is(const struct etf_pid *pid, const char *node, u32 id, u32 serial,
		   u32 creation)
{
	return etf_atom_is(&pid->node, node) && pid->id == id &&
	       pid->serial == serial && pid->creation == creation;
}

static bool name_is(const struct etf_atom *name)
{
	struct etf_atom want = etf_ascii("nam\xc3\xa9");

	return etf_atom_equal(name, &want);
}

static bool from_is_right(const struct erldist_ctl *ctl, const u8 *raw, char elem)
{
	const struct row *r = &elements[(u8)elem];

	switch (ctl->from_kind) {
	case CTL_NONE:
		return !ctl->raw_from && !ctl->raw_from_len;
	case CTL_PID:
		if (!pid_is(&ctl->from, "f@h", 1, 2, 3))
			return false;
		break;
	case CTL_NAME:
		if (!name_is(&ctl->name))
			return false;
		break;
	}
	return ctl->raw_from == raw && ctl->raw_from_len == r->len;
}

static bool to_is_right(const struct erldist_ctl *ctl)
{
	switch (ctl->to_kind) {
	case CTL_PID:
		return pid_is(&ctl->to, "t@h", 4, 5, 2);
	case CTL_NAME:
		return name_is(&ctl->name);
	case CTL_REF:
		return etf_atom_is(&ctl->to_ref.node, "a@h") &&
		       ctl->to_ref.n == 2 && ctl->to_ref.word[1] == 10;
	}
	return true;
}

/* Where the first element of a kind is, NULL if there is none */
static const u8 *find(const u8 *first, const char *elems, const char *kinds, char *which)
{
	for (; *elems; elems++) {
		if (strchr(kinds, *elems)) {
			*which = *elems;
			return first;
		}
		first += elements[(u8)*elems].len;
	}
	return NULL;
}

static bool ref_is_right(const struct message *m, const struct erldist_ctl *ctl,
			 const u8 *first)
{
	const u8 *raw;
	char which;

	if (!strchr(m->elems, 'R'))
		return !ctl->raw_ref;
	raw = find(first, m->elems, "R", &which);
	return ctl->raw_ref == raw && ctl->raw_ref_len == elements['R'].len &&
	       ctl->ref.n == 3 && ctl->ref.word[2] == 8 && ctl->ref.creation == 3;
}

static bool read_is_right(const struct message *m, const u8 *buf, size_t len,
			  size_t first, size_t reason)
{
	struct etf_cursor c = { buf, buf + len };
	struct erldist_ctl ctl;
	const u8 *raw = NULL;
	char which = 0;

	memset(&ctl, 0x55, sizeof(ctl));
	if (erldist_ctl_read(&c, &ctl))
		return false;
	raw = find(buf + first, m->elems, "FON", &which);
	return ctl.op == m->op && ctl.op_wire == m->wire &&
	       ctl.from_kind == m->from && ctl.to_kind == m->to &&
	       ctl.payload == (m->follows == 'p') &&
	       ctl.reason_inside == (m->follows == 'r') &&
	       ctl.id == (m->elems[0] == 'I' ? 0x0123456789abcdefULL : 0) &&
	       from_is_right(&ctl, raw, which) && to_is_right(&ctl) &&
	       ref_is_right(m, &ctl, buf + first) &&
	       c.p == (m->follows == 'r' ? buf + reason : c.end);
}

/* Too short everywhere, but a reason may be */
static bool cuts_are_right(const struct message *m, const u8 *buf, size_t len,
			   size_t reason)
{
	size_t enough = m->follows == 'r' ? reason : len;
	size_t i, used;
	int err;

	for (i = 0; i <= len; i++) {
		err = read_copy(buf, i, &used);
		if (err != (i < enough ? -ENODATA : 0) || used != (err ? 0 : enough))
			return false;
	}
	return true;
}

static bool arity_is_exact(const struct message *m)
{
	char elems[16];
	size_t n = strlen(m->elems), reason, len, used;
	u8 buf[1024];

	snprintf(elems, sizeof(elems), "%s0", m->elems);
	len = build(buf, m->wire, elems, &reason);
	if (read_copy(buf, len, &used) != (m->wire == 37 ? 0 : -EBADMSG))
		return false;
	if (m->wire == 37 && n > 3)
		return true;
	elems[n - 1] = 0;
	len = build(buf, m->wire, elems, &reason);
	return read_copy(buf, len, &used) == -EBADMSG;
}

/* Elements that this implementation does not look into */
static bool is_read(const struct message *m, size_t i)
{
	if (m->op == OP_GROUP_LEADER)
		return false;
	if (m->op == OP_SPAWN_REQUEST)
		return i < 2;
	return !strchr("CSXM", m->elems[i]);
}

static bool types_are_checked(const struct message *m)
{
	char elems[16];
	size_t i, len, reason, used;
	u8 buf[1024];

	for (i = 0; m->elems[i]; i++) {
		snprintf(elems, sizeof(elems), "%s", m->elems);
		elems[i] = '?';
		len = build(buf, m->wire, elems, &reason);
		if (read_copy(buf, len, &used) != (is_read(m, i) ? -EBADMSG : 0))
			return false;
	}
	return true;
}

static void test_read(const struct message *m)
{
	size_t len, reason = 0;
	u8 buf[1024];

	len = build(buf, m->wire, m->elems, &reason);
	if (!ok(read_is_right(m, buf, len, 4, reason), "read {%u,%s}", m->wire, m->elems))
		tap_bytes("message", buf, len);
	ok(cuts_are_right(m, buf, len, reason), "read {%u,%s} cut", m->wire, m->elems);
	len = build_long(buf, m->wire, m->elems, &reason);
	ok(read_is_right(m, buf, len, 10, reason), "read {%u,%s} in long form",
	   m->wire, m->elems);
	ok(cuts_are_right(m, buf, len, reason), "read {%u,%s} in long form, cut",
	   m->wire, m->elems);
	ok(arity_is_exact(m), "read {%u,%s} with the right arity only", m->wire, m->elems);
	ok(types_are_checked(m), "read {%u,%s} with the right types only", m->wire,
	   m->elems);
}

static void test_bad(void)
{
	const struct message *m;
	size_t i, len, reason, used;
	u8 buf[1024];
	int err;

	for (i = 0; i < ARRAY_SIZE(bad_messages); i++) {
		m = &bad_messages[i];
		len = build(buf, m->wire, m->elems, &reason);
		err = read_copy(buf, len, &used);
		ok(err == -EBADMSG && !used, "bad {%u,%s}", m->wire, m->elems);
	}
}

static const struct row bad_terms[] = {
	NO("no tuple", 106),
	NO("a list", 108, 0, 0, 0, 1, 97, 1, 106),
	NO("a string", 107, 0, 1, 1),
	NO("an empty tuple", 104, 0),
	NO("an atom for the operation", 104, 3, ATOM_A),
	NO("an operation of 2^32 + 1", 104, 3, 110, 5, 0, 1, 0, 0, 0, 1),
	NO("an operation of 2^64 + 1", 104, 3, 110, 9, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1),
	NO("an operation of -1", 104, 3, 98, ONES),
	NO("an unlink of 2^64", 104, 4, 97, 35, 110, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
	NO("an unlink of -1", 104, 4, 97, 35, 98, ONES),
	NO("an unlink of a float", 104, 4, 97, 35, 70, 0, 0, 0, 0, 0, 0, 0, 0),
	NO("an altact with negative flags", 104, 4, 97, 37, 98, ONES),
	NO("a version byte", 131, 104, 1, 97, 5),
	NO("a cached atom", 104, 3, 97, 2, 82, 0),
	NO("a compressed token", 104, 3, 97, 2, 80, 0, 0, 0, 1),
	NO("a reference of 6 words", 104, 6, 97, 29, 90, 0, 6),
};

static const struct row short_terms[] = {
	ROW(-ENODATA, "nothing"),
	ROW(-ENODATA, "a tuple of 2^32 - 1 without end", 105, ONES, 97, 37, 97, 0,
	    PID_A, PID_A, 106, 106, 106),
	ROW(-ENODATA, "a cookie of 2^32 - 1 elements", 104, 3, 97, 2, 105, ONES, 106),
};

static void test_terms(void)
{
	size_t i, used;
	int err;

	for (i = 0; i < ARRAY_SIZE(bad_terms); i++) {
		err = read_copy(bad_terms[i].p, bad_terms[i].len, &used);
		ok(err == -EBADMSG && !used, "bad: %s", bad_terms[i].name);
	}
	for (i = 0; i < ARRAY_SIZE(short_terms); i++) {
		err = read_copy(short_terms[i].p, short_terms[i].len, &used);
		ok(err == -ENODATA && !used, "short: %s", short_terms[i].name);
	}
}

/*
 * Writing: what is written for the flags, and what is read of it
 */

#define F_MONITORS	(DFLAG_DIST_MONITOR | DFLAG_DIST_MONITOR_NAME)
#define F_ALL	(DFLAG_MANDATORY | DFLAG_SEND_SENDER | DFLAG_EXIT_PAYLOAD | F_MONITORS | \
		 DFLAG_ALIAS | DFLAG_ALTACT_SIG)

static const struct {
	u8 op, to, from;
	u64 flags;
	int wire;		/* 0: refused */
	u8 arity;
} writes[] = {
	{ OP_SEND, CTL_PID, CTL_PID, 0, OP_SEND, 3 },
	{ OP_SEND, CTL_PID, CTL_PID, F_ALL, OP_SEND_SENDER, 3 },
	{ OP_SEND, CTL_REF, CTL_PID, F_ALL, OP_ALTACT_SIG_SEND, 4 },
	{ OP_SEND, CTL_REF, CTL_PID, DFLAG_ALTACT_SIG, OP_ALTACT_SIG_SEND, 4 },
	{ OP_SEND, CTL_REF, CTL_PID, DFLAG_ALIAS, OP_ALIAS_SEND, 3 },
	{ OP_SEND, CTL_REF, CTL_PID, DFLAG_SEND_SENDER, 0, 0 },
	{ OP_REG_SEND, CTL_NAME, CTL_PID, 0, OP_REG_SEND, 4 },
	{ OP_REG_SEND, CTL_NAME, CTL_PID, F_ALL, OP_REG_SEND, 4 },
	{ OP_EXIT, CTL_PID, CTL_PID, 0, OP_EXIT, 4 },
	{ OP_EXIT, CTL_PID, CTL_PID, F_ALL, OP_PAYLOAD_EXIT, 3 },
	{ OP_EXIT2, CTL_PID, CTL_PID, 0, OP_EXIT2, 4 },
	{ OP_EXIT2, CTL_PID, CTL_PID, F_ALL, OP_PAYLOAD_EXIT2, 3 },
	{ OP_EXIT2, CTL_REF, CTL_PID, F_ALL, 0, 0 },
	{ OP_MONITOR_P_EXIT, CTL_PID, CTL_PID, F_MONITORS, OP_MONITOR_P_EXIT, 5 },
	{ OP_MONITOR_P_EXIT, CTL_PID, CTL_NAME, F_MONITORS, OP_MONITOR_P_EXIT, 5 },
	{ OP_MONITOR_P_EXIT, CTL_PID, CTL_PID, DFLAG_EXIT_PAYLOAD, 0, 0 },
	{ OP_MONITOR_P_EXIT, CTL_PID, CTL_PID, F_ALL, OP_PAYLOAD_MONITOR_P_EXIT, 4 },
	{ OP_MONITOR_P_EXIT, CTL_PID, CTL_NAME, F_ALL, OP_PAYLOAD_MONITOR_P_EXIT, 4 },
	{ OP_LINK, CTL_PID, CTL_PID, F_ALL, OP_LINK, 3 },
	{ OP_LINK, CTL_PID, CTL_PID, 0, OP_LINK, 3 },
	{ OP_UNLINK_ID, CTL_PID, CTL_PID, DFLAG_MANDATORY, OP_UNLINK_ID, 4 },
	{ OP_UNLINK_ID, CTL_PID, CTL_PID, 0, 0, 0 },
	{ OP_UNLINK_ID_ACK, CTL_PID, CTL_PID, 0, 0, 0 },
	{ OP_UNLINK_ID, CTL_PID, CTL_PID, F_ALL, OP_UNLINK_ID, 4 },
	{ OP_UNLINK_ID_ACK, CTL_PID, CTL_PID, F_ALL, OP_UNLINK_ID_ACK, 4 },
	{ OP_MONITOR_P, CTL_PID, CTL_PID, F_ALL, OP_MONITOR_P, 4 },
	{ OP_MONITOR_P, CTL_NAME, CTL_PID, F_ALL, OP_MONITOR_P, 4 },
	{ OP_DEMONITOR_P, CTL_PID, CTL_PID, F_ALL, OP_DEMONITOR_P, 4 },
	{ OP_DEMONITOR_P, CTL_NAME, CTL_PID, F_ALL, OP_DEMONITOR_P, 4 },
	{ OP_MONITOR_P, CTL_PID, CTL_PID, DFLAG_MANDATORY, 0, 0 },
	{ OP_MONITOR_P, CTL_PID, CTL_PID, DFLAG_DIST_MONITOR, 0, 0 },
	{ OP_MONITOR_P, CTL_NAME, CTL_PID, DFLAG_DIST_MONITOR_NAME, 0, 0 },
	{ OP_DEMONITOR_P, CTL_PID, CTL_PID, DFLAG_MANDATORY, 0, 0 },
	{ OP_SPAWN_REPLY, CTL_PID, CTL_PID, F_ALL, OP_SPAWN_REPLY, 5 },
	{ OP_SPAWN_REPLY, CTL_PID, CTL_PID, DFLAG_MANDATORY, OP_SPAWN_REPLY, 5 },
	{ OP_SPAWN_REQUEST, CTL_PID, CTL_PID, F_ALL, 0, 0 },
	{ OP_NODE_LINK, CTL_PID, CTL_PID, F_ALL, 0, 0 },
	{ OP_GROUP_LEADER, CTL_PID, CTL_PID, F_ALL, 0, 0 },
	{ 0, CTL_PID, CTL_PID, F_ALL, 0, 0 },
};

static struct erldist_ctl_out write_out(u8 op, u8 to, u8 from, struct etf_atom name,
					struct etf_ref *ref)
{
	*ref = (struct etf_ref){
		.node = name, .creation = 5, .n = 5, .word = { 1, 2, 3, 4, 5 },
	};
	return (struct erldist_ctl_out){
		.op = op, .to_kind = to, .from_kind = from, .id = ~0ULL,
		.from = { .node = name, .id = 1, .serial = 2, .creation = 3 },
		.to = { .node = name, .id = 4, .serial = 5, .creation = 6 },
		.name = name, .to_ref = *ref, .ref = ref,
	};
}

static bool pids_equal(const struct etf_pid *a, const struct etf_pid *b)
{
	return etf_atom_equal(&a->node, &b->node) && a->id == b->id &&
	       a->serial == b->serial && a->creation == b->creation;
}

static bool read_back(const struct erldist_ctl_out *out, const struct erldist_ctl *ctl)
{
	bool down = ctl->from_kind == CTL_NAME;

	if (ctl->op != out->op)
		return false;
	if (out->op == OP_SPAWN_REPLY)
		return true;
	if (ctl->to_kind != out->to_kind)
		return false;
	if (ctl->from_kind == CTL_PID && !pids_equal(&ctl->from, &out->from))
		return false;
	if (ctl->to_kind == CTL_PID && !pids_equal(&ctl->to, &out->to))
		return false;
	if (ctl->to_kind == CTL_REF && ctl->to_ref.word[4] != 5)
		return false;
	if ((ctl->to_kind == CTL_NAME || down) &&
	    !etf_atom_equal(&ctl->name, &out->name))
		return false;
	if (ctl->raw_ref && (ctl->ref.n != 5 || ctl->ref.word[4] != 5))
		return false;
	return !ctl->id || ctl->id == out->id;
}

static void test_write(size_t i, struct etf_atom name, const char *how)
{
	u8 buf[ERLDIST_CTL_SIZE + 16];
	struct erldist_ctl_out out;
	struct erldist_ctl ctl;
	struct etf_ref ref;
	struct etf_cursor c;
	bool reason;
	u8 *end;

	memset(buf, 0, sizeof(buf));
	out = write_out(writes[i].op, writes[i].to, writes[i].from, name, &ref);
	end = erldist_ctl_write(buf, &out, writes[i].flags);
	if (!writes[i].wire) {
		ok(!end, "write %u to kind %u, flags %llx: refused, %s", out.op,
		   out.to_kind, writes[i].flags, how);
		return;
	}
	c = (struct etf_cursor){ buf, end };
	ok(end && end - buf <= ERLDIST_CTL_SIZE && buf[1] == writes[i].arity &&
	   buf[3] == writes[i].wire, "write %u to kind %u, flags %llx: as %u, %s",
	   out.op, out.to_kind, writes[i].flags, writes[i].wire, how);
	ok(!erldist_ctl_read(&c, &ctl) && c.p == c.end && read_back(&out, &ctl),
	   "write %u, read back, %s", out.op, how);
	reason = !(writes[i].flags & DFLAG_EXIT_PAYLOAD) &&
		 (out.op == OP_EXIT || out.op == OP_EXIT2 ||
		  out.op == OP_MONITOR_P_EXIT);
	ok(ctl.reason_inside == reason, "write %u, the reason is %s, %s", out.op,
	   reason ? "inside" : "not inside", how);
}

static void test_writes(void)
{
	u8 text[1020];
	struct etf_atom penguins = { .text = text, .len = sizeof(text) };
	struct etf_atom latin1 = { .text = text, .len = 255, .latin1 = true };
	size_t i;

	for (i = 0; i < sizeof(text); i += 4)
		memcpy(text + i, "\xf0\x9f\x90\xa7", 4);
	for (i = 0; i < ARRAY_SIZE(writes); i++) {
		test_write(i, etf_ascii("svc@host"), "short names");
		test_write(i, penguins, "longest names");
		test_write(i, latin1, "latin1 names");
	}
}

/*
 * Recorded from OTP 29 and understood by it
 */

#define KC	119, 12, 'k', 'c', '@', 'l', 'o', 'c', 'a', 'l', 'h', 'o', 's', 't'
#define KC_PID	88, KC, WORD(1), WORD(0), 0x11, 0x22, 0x33, 0x44
#define KC_REF	90, 0, 3, KC, 0x11, 0x22, 0x33, 0x44, WORD(1), WORD(2), WORD(3)
#define NET_KERNEL 119, 10, 'n', 'e', 't', '_', 'k', 'e', 'r', 'n', 'e', 'l'
#define G29_PID(id) 88, 119, 13, 'g', '2', '9', '@', 'l', 'o', 'c', 'a', 'l', 'h', \
	'o', 's', 't', WORD(id), WORD(0), 0x6b, 0x02, 0xd8, 0xf4

static const struct row monitor = T(104, 4, 97, 19, KC_PID, NET_KERNEL, KC_REF);
static const struct row reg_send = T(104, 4, 97, 6, KC_PID, 119, 0, NET_KERNEL);
static const struct row reply = T(104, 3, 97, 22, G29_PID(0x42), KC_PID);
static const struct row hello = T(104, 4, 97, 6, G29_PID(0x5a), 119, 0,
				  119, 3, 's', 'v', 'c');

static bool writes_row(const struct erldist_ctl_out *out, const struct row *r)
{
	u8 buf[ERLDIST_CTL_SIZE];
	u8 *end = erldist_ctl_write(buf, out, 0x2c075f5fbcULL);

	return end == buf + r->len && !memcmp(buf, r->p, r->len);
}

static void test_golden(void)
{
	struct etf_ref ref = {
		.node = etf_ascii("kc@localhost"), .creation = 0x11223344, .n = 3,
		.word = { 1, 2, 3 },
	};
	struct erldist_ctl_out out = {
		.op = OP_MONITOR_P, .to_kind = CTL_NAME, .ref = &ref,
		.from = { .node = ref.node, .id = 1, .creation = 0x11223344 },
		.name = etf_ascii("net_kernel"),
	};
	struct etf_cursor c = { reply.p, reply.p + reply.len };
	struct erldist_ctl ctl;

	ok(writes_row(&out, &monitor), "golden: monitor of net_kernel");
	out.op = OP_REG_SEND;
	ok(writes_row(&out, &reg_send), "golden: message to net_kernel");
	ok(!erldist_ctl_read(&c, &ctl) && ctl.op == OP_SEND && ctl.payload &&
	   pid_is(&ctl.from, "g29@localhost", 0x42, 0, 0x6b02d8f4) &&
	   pid_is(&ctl.to, "kc@localhost", 1, 0, 0x11223344), "golden: its answer");
	c = (struct etf_cursor){ hello.p, hello.p + hello.len };
	ok(!erldist_ctl_read(&c, &ctl) && ctl.op == OP_REG_SEND &&
	   etf_atom_is(&ctl.name, "svc"), "golden: message to a name");
}

static bool same_pid(const struct etf_pid *a, const struct etf_pid *b)
{
	return a->node.text == b->node.text && a->node.len == b->node.len &&
	       a->node.latin1 == b->node.latin1 && a->id == b->id &&
	       a->serial == b->serial && a->creation == b->creation;
}

static bool same_send(const struct erldist_ctl *a, const struct erldist_ctl *b)
{
	return a->op == b->op && a->op_wire == b->op_wire &&
	       a->from_kind == b->from_kind && a->to_kind == b->to_kind &&
	       a->payload == b->payload && a->flags == b->flags &&
	       a->raw_from == b->raw_from && a->raw_from_len == b->raw_from_len &&
	       same_pid(&a->to, &b->to) &&
	       (!a->raw_from || same_pid(&a->from, &b->from));
}

/* What is read after another one is what it is, whatever that was */
static bool reads_after(const u8 *before, size_t before_len, const u8 *p, size_t len)
{
	struct etf_cursor b = { before, before + before_len };
	struct etf_cursor c = { p, p + len }, d = c;
	struct erldist_ctl ctl = {}, same;
	struct erldist_ctl_last last = {};
	int err, other;

	erldist_ctl_read_next(&b, &ctl, &last);
	err = erldist_ctl_read_next(&c, &ctl, &last);
	other = erldist_ctl_read(&d, &same);
	if (err != other || c.p != d.p)
		return false;
	return err || same.op != OP_SEND || same.to_kind != CTL_PID ||
	       same_send(&ctl, &same);
}

/* In memory that ends where the bytes do */
static bool reads_copy_after(const u8 *before, size_t before_len, const u8 *p, size_t len)
{
	u8 *copy = malloc(len ?: 1);
	bool good;

	memcpy(copy, p, len);
	good = reads_after(before, before_len, copy, len);
	free(copy);
	return good;
}

static const struct message sends[] = {
	{ 2, "CP", OP_SEND, CTL_NONE, CTL_PID, 'p' },
	{ 22, "FP", OP_SEND, CTL_PID, CTL_PID, 'p' },
	{ 23, "FPS", OP_SEND, CTL_PID, CTL_PID, 'p' },
	{ 37, "1FP", OP_SEND, CTL_PID, CTL_PID, 'p' },
};

static size_t build_next(u8 *buf, size_t i)
{
	const struct message *m = i < ARRAY_SIZE(sends) ? &sends[i] :
						&messages[i - ARRAY_SIZE(sends)];
	size_t reason;

	return build(buf, m->wire, m->elems, &reason);
}

static void test_next(void)
{
	size_t all = ARRAY_SIZE(sends) + ARRAY_SIZE(messages);
	size_t i, j, k, bad = 0, len[2];
	u8 buf[2][1024];

	for (i = 0; i < all; i++) {
		len[0] = build_next(buf[0], i);
		for (j = 0; j < all; j++) {
			len[1] = build_next(buf[1], j);
			bad += !reads_copy_after(buf[0], len[0], buf[1], len[1]);
		}
	}
	ok(!bad, "next: any operation after any other");
	for (i = 0; i < ARRAY_SIZE(sends); i++) {
		len[0] = build_next(buf[0], i);
		for (j = 0; j < len[0]; j++) {
			for (k = 1; k < 256; k++) {
				memcpy(buf[1], buf[0], len[0]);
				buf[1][j] ^= k;
				bad += !reads_copy_after(buf[0], len[0], buf[1], len[0]);
			}
			bad += !reads_copy_after(buf[0], len[0], buf[0], j);
		}
	}
	ok(!bad, "next: any byte that is another, and any that is missing");
}

/* Only numbers differ: it is not decoded, and nothing points to the one before */
static void test_next_like(void)
{
	struct erldist_ctl_last last = {};
	struct erldist_ctl ctl = {};
	struct etf_cursor c;
	u8 buf[2][1024];
	size_t i, len;

	for (i = 0; i < 2; i++) {
		len = build_next(buf[0], i);
		memcpy(buf[1], buf[0], len);
		buf[1][len - 9] = 99;		/* of the id */
		c = (struct etf_cursor){ buf[0], buf[0] + len };
		ok(!erldist_ctl_read_next(&c, &ctl, &last) && last.len == len,
		   "next: op %u is kept", sends[i].wire);
		memset(buf[0], 0, len);
		c = (struct etf_cursor){ buf[1], buf[1] + len };
		ok(!erldist_ctl_read_next(&c, &ctl, &last) && c.p == c.end &&
		   pid_is(&ctl.to, "p@h", 99, 13, 14), "next: op %u to another",
		   sends[i].wire);
	}
	ok(pid_is(&ctl.from, "f@h", 1, 2, 3) && ctl.raw_from > buf[1] &&
	   ctl.raw_from + ctl.raw_from_len < buf[1] + len, "next: its sender is of the copy");
}

static int write_seeds(const char *dir)
{
	char path[4096];
	u8 buf[1024];
	size_t i, len, reason;
	FILE *f;

	for (i = 0; i < ARRAY_SIZE(messages); i++) {
		snprintf(path, sizeof(path), "%s/ctl%zu", dir, i);
		f = fopen(path, "w");
		if (!f)
			return 1;
		len = build(buf, messages[i].wire, messages[i].elems, &reason);
		fwrite(buf, 1, len, f);
		fclose(f);
	}
	return 0;
}

int main(int argc, char **argv)
{
	size_t i;

	if (argc > 2 && !strcmp(argv[1], "--seeds"))
		return write_seeds(argv[2]);
	tap_begin();
	for (i = 0; i < ARRAY_SIZE(messages); i++)
		test_read(&messages[i]);
	test_bad();
	test_terms();
	test_writes();
	test_golden();
	test_next();
	test_next_like();
	return tap_end();
}
