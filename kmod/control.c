// SPDX-License-Identifier: GPL-2.0-only
/*
 * Control messages: a table of what the tuple of each operation holds, one
 * reader that follows it, and a writer.
 */
#include "control.h"

/*
 * Operations by their number on the wire, and the elements behind it:
 *
 *	f	From, a pid
 *	x	From of an exit, a pid or a port
 *	d	From of a DOWN, a pid, a name or a port
 *	t	To, a pid
 *	p	To, a pid or a name
 *	n	To, a name
 *	a	To, an alias
 *	?	To, as the flags say
 *	r	the reference
 *	s	the result of a spawn, a pid or a name
 *	q	a term to be kept as it stands
 *	g	flags of a spawn
 *	i	the id of an unlink
 *	b	flags
 *	.	any term: the cookie, a token, or what is not for us
 *	*	whatever there still is
 *	R	the reason, which is left to the caller
 */
#define MONITORS	(DFLAG_DIST_MONITOR | DFLAG_DIST_MONITOR_NAME)

/*
 * What each form needs is for sending: a peer gets no operation that it did not offer.
 * A peer that offers only one of the two flags of monitors gets none, as from a BEAM.
 * A spawn reply goes to a peer that asked.
 */
static const struct ctl_form {
	u8 op;			/* the plain one */
	bool payload;		/* a term follows */
	const char *elems;
	u64 needs;		/* distribution flags */
} ctl_forms[] = {
	[OP_LINK]		= { OP_LINK, false, "ft" },
	[OP_SEND]		= { OP_SEND, true, ".t" },
	[OP_EXIT]		= { OP_EXIT, false, "xtR" },
	[OP_UNLINK]		= { OP_UNLINK, false, "ft" },
	[OP_REG_SEND]		= { OP_REG_SEND, true, "f.n" },
	[OP_GROUP_LEADER]	= { OP_GROUP_LEADER, false, ".." },
	[OP_EXIT2]		= { OP_EXIT2, false, "xtR" },
	[OP_SEND_TT]		= { OP_SEND, true, ".t." },
	[OP_EXIT_TT]		= { OP_EXIT, false, "xt.R" },
	[OP_REG_SEND_TT]	= { OP_REG_SEND, true, "f.n." },
	[OP_EXIT2_TT]		= { OP_EXIT2, false, "xt.R" },
	[OP_MONITOR_P]		= { OP_MONITOR_P, false, "fpr", MONITORS },
	[OP_DEMONITOR_P]	= { OP_DEMONITOR_P, false, "fpr", MONITORS },
	[OP_MONITOR_P_EXIT]	= {
		OP_MONITOR_P_EXIT, false, "dtrR", MONITORS
	},
	[OP_SEND_SENDER]	= { OP_SEND, true, "ft", DFLAG_SEND_SENDER },
	[OP_SEND_SENDER_TT]	= { OP_SEND, true, "ft." },
	[OP_PAYLOAD_EXIT]	= { OP_EXIT, true, "xt", DFLAG_EXIT_PAYLOAD },
	[OP_PAYLOAD_EXIT_TT]	= { OP_EXIT, true, "xt." },
	[OP_PAYLOAD_EXIT2]	= { OP_EXIT2, true, "xt", DFLAG_EXIT_PAYLOAD },
	[OP_PAYLOAD_EXIT2_TT]	= { OP_EXIT2, true, "xt." },
	[OP_PAYLOAD_MONITOR_P_EXIT] = {
		OP_MONITOR_P_EXIT, true, "dtr", MONITORS | DFLAG_EXIT_PAYLOAD
	},
	[OP_SPAWN_REQUEST]	= {
		OP_SPAWN_REQUEST, true, "rfqqq", DFLAG_SPAWN
	},
	[OP_SPAWN_REQUEST_TT]	= { OP_SPAWN_REQUEST, true, "rfqqq." },
	[OP_SPAWN_REPLY]	= { OP_SPAWN_REPLY, false, "rtgs" },
	[OP_SPAWN_REPLY_TT]	= { OP_SPAWN_REPLY, false, "rtgs." },
	[OP_ALIAS_SEND]		= { OP_SEND, true, "fa", DFLAG_ALIAS },
	[OP_ALIAS_SEND_TT]	= { OP_SEND, true, "fa." },
	[OP_UNLINK_ID]		= {
		OP_UNLINK_ID, false, "ift", DFLAG_UNLINK_ID
	},
	[OP_UNLINK_ID_ACK]	= {
		OP_UNLINK_ID_ACK, false, "ift", DFLAG_UNLINK_ID
	},
	[OP_ALTACT_SIG_SEND]	= {
		OP_SEND, true, "bf?*", DFLAG_ALTACT_SIG
	},
};

/*
 * Reading
 */

static int ctl_skip(struct etf_cursor *c, u32 n)
{
	int err = 0;

	while (n-- && !err)
		err = etf_skip(c);
	return err;
}

static int ctl_port(struct etf_cursor *c)
{
	if (c->p == c->end)
		return -ENODATA;
	switch (*c->p) {
	case ETF_PORT:
	case ETF_NEW_PORT:
	case ETF_V4_PORT:
		return etf_skip(c);
	}
	return -EBADMSG;
}

/* From: a pid, or what else the element may be */
static int ctl_from_kind(struct etf_cursor *c, struct erldist_ctl *ctl, char elem)
{
	int err = etf_get_pid(c, &ctl->from);

	ctl->from_kind = CTL_PID;
	if (err == -EBADMSG && elem == 'd') {
		err = etf_get_atom(c, &ctl->name);
		ctl->from_kind = CTL_NAME;
	}
	if (err == -EBADMSG && elem != 'f') {
		err = ctl_port(c);
		ctl->from_kind = CTL_PORT;
	}
	return err;
}

static int ctl_from(struct etf_cursor *c, struct erldist_ctl *ctl, char elem)
{
	const u8 *start = c->p;
	int err = ctl_from_kind(c, ctl, elem);

	ctl->raw_from = start;
	ctl->raw_from_len = c->p - start;
	return err;
}

static int ctl_to_pid(struct etf_cursor *c, struct erldist_ctl *ctl)
{
	ctl->to_kind = CTL_PID;
	return etf_get_pid(c, &ctl->to);
}

static int ctl_to_name(struct etf_cursor *c, struct erldist_ctl *ctl)
{
	ctl->to_kind = CTL_NAME;
	return etf_get_atom(c, &ctl->name);
}

static int ctl_to_alias(struct etf_cursor *c, struct erldist_ctl *ctl)
{
	ctl->to_kind = CTL_REF;
	return etf_get_ref(c, &ctl->to_ref);
}

static int ctl_to_proc(struct etf_cursor *c, struct erldist_ctl *ctl)
{
	int err = ctl_to_pid(c, ctl);

	return err == -EBADMSG ? ctl_to_name(c, ctl) : err;
}

static int ctl_to_flags(struct etf_cursor *c, struct erldist_ctl *ctl)
{
	if (ctl->flags & ALTACT_ALIAS)
		return ctl_to_alias(c, ctl);
	if (ctl->flags & ALTACT_NAME)
		return ctl_to_name(c, ctl);
	return ctl_to_pid(c, ctl);
}

static int ctl_ref(struct etf_cursor *c, struct erldist_ctl *ctl)
{
	const u8 *start = c->p;
	int err = etf_get_ref(c, &ctl->ref);

	ctl->raw_ref = start;
	ctl->raw_ref_len = c->p - start;
	return err;
}

static int ctl_id(struct etf_cursor *c, struct erldist_ctl *ctl)
{
	int err = etf_get_u64(c, &ctl->id);

	return err || ctl->id ? err : -EBADMSG;
}

static int ctl_flags(struct etf_cursor *c, struct erldist_ctl *ctl)
{
	const u32 both = ALTACT_ALIAS | ALTACT_NAME;
	u64 flags = 0;
	int err = etf_get_u64(c, &flags);

	ctl->flags = flags;
	if (!err && (flags & both) == both)
		return -EBADMSG;
	if (flags & ALTACT_EXIT)
		ctl->op = OP_EXIT2;
	return err;
}

static int ctl_spawn_flags(struct etf_cursor *c, struct erldist_ctl *ctl)
{
	u64 flags = 0;
	int err = etf_get_u64(c, &flags);

	ctl->flags = flags;
	return err;
}

static int ctl_result(struct etf_cursor *c, struct erldist_ctl *ctl)
{
	const u8 *start = c->p;
	int err = etf_get_pid(c, &ctl->from);

	ctl->from_kind = CTL_PID;
	if (err == -EBADMSG) {
		ctl->from_kind = CTL_NAME;
		err = etf_get_atom(c, &ctl->name);
	}
	ctl->raw_from = start;
	ctl->raw_from_len = c->p - start;
	return err;
}

static int ctl_keep(struct etf_cursor *c, struct erldist_ctl *ctl)
{
	struct erldist_ctl_raw *raw = &ctl->raw[ctl->n_raw++];
	int err;

	raw->p = c->p;
	err = etf_skip(c);
	raw->len = c->p - raw->p;
	return err;
}

static int ctl_elem(struct etf_cursor *c, struct erldist_ctl *ctl, char elem)
{
	switch (elem) {
	case 'f':
	case 'x':
	case 'd':
		return ctl_from(c, ctl, elem);
	case 't':
		return ctl_to_pid(c, ctl);
	case 'p':
		return ctl_to_proc(c, ctl);
	case 'n':
		return ctl_to_name(c, ctl);
	case 'a':
		return ctl_to_alias(c, ctl);
	case '?':
		return ctl_to_flags(c, ctl);
	case 'r':
		return ctl_ref(c, ctl);
	case 'i':
		return ctl_id(c, ctl);
	case 'b':
		return ctl_flags(c, ctl);
	case 'g':
		return ctl_spawn_flags(c, ctl);
	case 's':
		return ctl_result(c, ctl);
	case 'q':
		return ctl_keep(c, ctl);
	case 'R':
		ctl->reason_inside = true;
		return 0;
	default:
		return etf_skip(c);
	}
}

/* What is behind the operation, in a tuple with n elements still to come */
static int ctl_elems(struct etf_cursor *c, struct erldist_ctl *ctl,
		     const char *elem, u32 n)
{
	int err;

	for (; *elem && *elem != '*'; elem++, n--) {
		if (!n)
			return -EBADMSG;
		err = ctl_elem(c, ctl, *elem);
		if (err)
			return err;
	}
	if (!*elem)
		return n ? -EBADMSG : 0;
	if (ctl->flags & ALTACT_TOKEN && !n)
		return -EBADMSG;
	return ctl_skip(c, n);
}

static const struct ctl_form *ctl_form(s64 op)
{
	if (op < 0 || op >= (s64)ARRAY_SIZE(ctl_forms) || !ctl_forms[op].op)
		return NULL;
	return &ctl_forms[op];
}

int erldist_ctl_read(struct etf_cursor *c, struct erldist_ctl *ctl)
{
	const struct ctl_form *form;
	struct etf_cursor t = *c;
	u32 arity;
	s64 op;
	int err;

	memset(ctl, 0, sizeof(*ctl));
	err = etf_get_tuple(&t, &arity);
	if (err)
		return err;
	err = arity ? etf_get_int(&t, &op) : -EBADMSG;
	if (err)
		return err;
	form = ctl_form(op);
	if (!form)
		return -EBADMSG;
	ctl->op = form->op;
	ctl->op_wire = op;
	ctl->payload = form->payload;
	err = ctl_elems(&t, ctl, form->elems, arity - 1);
	if (!err)
		*c = t;
	return err;
}

static u64 eight_bytes(const u8 *p)
{
	u64 v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static u32 four_bytes(const u8 *p)
{
	u32 v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* At least eight bytes. memcmp() goes by single ones at the end. */
static bool same_bytes(const u8 *a, const u8 *b, size_t len)
{
	size_t i;

	for (i = 0; i + 8 <= len; i += 8) {
		if (eight_bytes(a + i) != eight_bytes(b + i))
			return false;
	}
	return eight_bytes(a + len - 8) == eight_bytes(b + len - 8);
}

static bool ctl_is_like(const struct erldist_ctl_last *last, const u8 *p)
{
	const u8 *was = last->bytes;
	u32 behind = last->to + ETF_PID_NUMBERS, at = 0;

	if (last->from) {
		if (!same_bytes(p, was, last->from))
			return false;
		at = last->from + ETF_PID_NUMBERS;
	}
	return same_bytes(p + at, was + at, last->to - at) &&
	       four_bytes(p + behind) == four_bytes(was + behind);
}

static void ctl_move(struct erldist_ctl *ctl, ptrdiff_t by)
{
	ctl->to.node.text += by;
	if (!ctl->raw_from)
		return;
	ctl->raw_from += by;
	ctl->from.node.text += by;
}

static void ctl_numbers(struct etf_pid *pid, const u8 *p)
{
	pid->id = get_unaligned_be32(p);
	pid->serial = get_unaligned_be32(p + 4);
}

static const u8 *behind_name(const struct etf_pid *pid)
{
	return pid->node.text + pid->node.len;
}

/* Where each part that is compared has eight bytes, and To is what ends it */
static void ctl_keep_last(struct erldist_ctl_last *last,
			  const struct erldist_ctl *ctl, const u8 *start,
			  const u8 *end)
{
	const u8 *to = behind_name(&ctl->to), *from = NULL, *at = start;

	last->len = 0;
	if (ctl->op != OP_SEND || ctl->to_kind != CTL_PID ||
	    to + ETF_PID_TAIL != end || end > start + sizeof(last->bytes))
		return;
	if (ctl->raw_from) {
		from = behind_name(&ctl->from);
		if (ctl->from_kind != CTL_PID || from - start < 8 ||
		    from + ETF_PID_TAIL != ctl->raw_from + ctl->raw_from_len)
			return;
		at = from + ETF_PID_NUMBERS;
	}
	if (to - at < 8)
		return;
	last->len = end - start;
	last->to = to - start;
	last->from = from ? from - start : 0;
	last->at = start;
	memcpy(last->bytes, start, last->len);
}

int erldist_ctl_read_next(struct etf_cursor *c, struct erldist_ctl *ctl,
			  struct erldist_ctl_last *last)
{
	const u8 *start = c->p;
	int err;

	if (last->len && c->end - start >= last->len && ctl_is_like(last, start)) {
		ctl_move(ctl, start - last->at);
		last->at = start;
		ctl_numbers(&ctl->to, start + last->to);
		if (last->from)
			ctl_numbers(&ctl->from, start + last->from);
		c->p += last->len;
		return 0;
	}
	last->len = 0;
	err = erldist_ctl_read(c, ctl);
	if (!err)
		ctl_keep_last(last, ctl, start, c->p);
	return err;
}

/*
 * Writing
 */

static bool offers(u64 flags, enum erldist_op op)
{
	return !(ctl_forms[op].needs & ~flags);
}

static u8 *put_op(u8 *p, u8 arity, enum erldist_op op)
{
	*p++ = ETF_SMALL_TUPLE;
	*p++ = arity;
	*p++ = ETF_SMALL_INTEGER;
	*p++ = op;
	return p;
}

static u8 *put_none(u8 *p)
{
	*p++ = ETF_SMALL_ATOM_UTF8;
	*p++ = 0;
	return p;
}

static u8 *put_from_to(u8 *p, const struct erldist_ctl_out *out)
{
	return etf_put_pid(etf_put_pid(p, &out->from), &out->to);
}

static u8 *put_to_alias(u8 *p, const struct erldist_ctl_out *out, u64 flags)
{
	if (offers(flags, OP_ALTACT_SIG_SEND))
		p = etf_put_u64(put_op(p, 4, OP_ALTACT_SIG_SEND), ALTACT_ALIAS);
	else if (offers(flags, OP_ALIAS_SEND))
		p = put_op(p, 3, OP_ALIAS_SEND);
	else
		return NULL;
	return etf_put_ref(etf_put_pid(p, &out->from), &out->to_ref);
}

static u8 *put_send(u8 *p, const struct erldist_ctl_out *out, u64 flags)
{
	if (out->to_kind == CTL_REF)
		return put_to_alias(p, out, flags);
	if (offers(flags, OP_SEND_SENDER))
		return put_from_to(put_op(p, 3, OP_SEND_SENDER), out);
	return etf_put_pid(put_none(put_op(p, 3, OP_SEND)), &out->to);
}

static u8 *put_reg_send(u8 *p, const struct erldist_ctl_out *out)
{
	p = etf_put_pid(put_op(p, 4, OP_REG_SEND), &out->from);
	return etf_put_atom(put_none(p), &out->name);
}

/* An operation with a reason, which follows as the last element or behind */
static u8 *put_reason_op(u8 *p, u8 arity, enum erldist_op op,
			 enum erldist_op payload_op, u64 flags)
{
	if (offers(flags, payload_op))
		return put_op(p, arity, payload_op);
	return put_op(p, arity + 1, op);
}

static u8 *put_exit(u8 *p, const struct erldist_ctl_out *out, u64 flags)
{
	p = put_reason_op(p, 3, OP_EXIT, OP_PAYLOAD_EXIT, flags);
	return put_from_to(p, out);
}

static u8 *put_exit2(u8 *p, const struct erldist_ctl_out *out, u64 flags)
{
	if (out->to_kind == CTL_REF)
		return NULL;
	p = put_reason_op(p, 3, OP_EXIT2, OP_PAYLOAD_EXIT2, flags);
	return put_from_to(p, out);
}

static u8 *put_down(u8 *p, const struct erldist_ctl_out *out, u64 flags)
{
	p = put_reason_op(p, 4, OP_MONITOR_P_EXIT, OP_PAYLOAD_MONITOR_P_EXIT,
			  flags);
	if (out->from_kind == CTL_NAME)
		p = etf_put_atom(p, &out->name);
	else
		p = etf_put_pid(p, &out->from);
	return etf_put_ref(etf_put_pid(p, &out->to), out->ref);
}

static u8 *put_monitor(u8 *p, const struct erldist_ctl_out *out)
{
	p = etf_put_pid(put_op(p, 4, out->op), &out->from);
	if (out->to_kind == CTL_NAME)
		p = etf_put_atom(p, &out->name);
	else
		p = etf_put_pid(p, &out->to);
	return etf_put_ref(p, out->ref);
}

static u8 *put_unlink(u8 *p, const struct erldist_ctl_out *out)
{
	return put_from_to(etf_put_u64(put_op(p, 4, out->op), out->id), out);
}

static u8 *put_spawn_reply(u8 *p, const struct erldist_ctl_out *out)
{
	p = etf_put_ref(put_op(p, 5, OP_SPAWN_REPLY), out->ref);
	p = etf_put_u64(etf_put_pid(p, &out->to), out->id);
	if (out->from_kind == CTL_PID)
		return etf_put_pid(p, &out->from);
	return etf_put_atom(p, &out->name);
}

/* The sender is the group leader too. */
static u8 *put_spawn(u8 *p, const struct erldist_ctl_out *out)
{
	p = etf_put_ref(put_op(p, 6, OP_SPAWN_REQUEST), out->ref);
	p = etf_put_pid(etf_put_pid(p, &out->from), &out->from);
	memcpy(p, out->raw, out->raw_len);
	return p + out->raw_len;
}

u8 *erldist_ctl_write(u8 *p, const struct erldist_ctl_out *out, u64 flags)
{
	if (!ctl_form(out->op) || !offers(flags, out->op))
		return NULL;
	switch (out->op) {
	case OP_SEND:
		return put_send(p, out, flags);
	case OP_REG_SEND:
		return put_reg_send(p, out);
	case OP_EXIT:
		return put_exit(p, out, flags);
	case OP_EXIT2:
		return put_exit2(p, out, flags);
	case OP_MONITOR_P_EXIT:
		return put_down(p, out, flags);
	case OP_LINK:
		return put_from_to(put_op(p, 3, OP_LINK), out);
	case OP_UNLINK_ID:
	case OP_UNLINK_ID_ACK:
		return put_unlink(p, out);
	case OP_MONITOR_P:
	case OP_DEMONITOR_P:
		return put_monitor(p, out);
	case OP_SPAWN_REQUEST:
		return put_spawn(p, out);
	case OP_SPAWN_REPLY:
		return put_spawn_reply(p, out);
	default:
		return NULL;
	}
}
