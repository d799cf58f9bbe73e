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
	u8 buf[ERLDIST_CTL_SIZE];
	struct erldist_ctl again;
	struct etf_cursor c;

	c = (struct etf_cursor){ buf, erldist_ctl_write(buf, &out, flags) };
	if (!c.end)
		return;
	CHECK(c.end - buf <= ERLDIST_CTL_SIZE);
	CHECK(!erldist_ctl_read(&c, &again) && c.p == c.end);
	CHECK(again.op == ctl->op && again.id == ctl->id);
	CHECK(again.to_kind == ctl->to_kind || ctl->op == OP_SPAWN_REPLY);
	CHECK(again.to_kind != CTL_PID || again.to.serial == ctl->to.serial);
	CHECK(again.from_kind != CTL_PID || again.from.id == ctl->from.id);
}

static bool can_write(const struct erldist_ctl *ctl)
{
	switch (ctl->op) {
	case OP_SPAWN_REPLY:	/* reads nothing */
	case OP_SPAWN_REQUEST:
	case OP_GROUP_LEADER:
	case OP_UNLINK:
		return false;
	case OP_SEND:
	case OP_EXIT2:
		return ctl->to_kind != CTL_NAME && ctl->from_kind == CTL_PID;
	}
	return ctl->from_kind != CTL_PORT;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct etf_cursor c = { data, data + size };
	struct erldist_ctl ctl;
	int err = erldist_ctl_read(&c, &ctl);

	CHECK(err == 0 || err == -EBADMSG || err == -ENODATA);
	CHECK(err ? c.p == data : c.p > data && c.p <= c.end);
	if (err)
		return 0;
	CHECK(within(ctl.raw_from, ctl.raw_from_len, data, &c));
	CHECK(within(ctl.raw_ref, ctl.raw_ref_len, data, &c));
	CHECK(!(ctl.payload && ctl.reason_inside));
	if (can_write(&ctl)) {
		rewrite(&ctl, 0);
		rewrite(&ctl, ~0ULL);
		rewrite(&ctl, DFLAG_ALIAS);
	}
	return 0;
}
