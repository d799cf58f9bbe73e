// SPDX-License-Identifier: GPL-2.0-only
/* The handshake: whatever comes, it waits, ends, or somebody knew the cookie. */
#include "fuzz.h"
#include "handshake.h"
#include "md5.h"

static void setup(struct erldist_hs *hs, u8 how)
{
	memset(hs, 0, sizeof(*hs));
	hs->acceptor = how & 1;
	hs->framing = how & 2 ? 4 : 2;
	hs->name = hs->acceptor ? "g29@localhost" : "kc@localhost";
	hs->name_len = strlen(hs->name);
	hs->flags = DFLAG_DEFAULT;
	hs->demand = DFLAG_MANDATORY;
	hs->cookie = (const u8 *)"secret";
	hs->cookie_len = 6;
	hs->challenge = hs->acceptor ? 0x40bd7b08 : 0x1c1362d2;
	memcpy(hs->peer_name, "g29@localhost", 14);
	hs->peer_name_len = hs->acceptor ? 0 : strlen(hs->peer_name);
}

/* What a caller would do */
static int react(struct erldist_hs *hs, int verdict, u8 how)
{
	switch (verdict) {
	case HS_DECIDE:
		CHECK(erldist_name_valid(hs->peer_name, hs->peer_name_len));
		CHECK(!(hs->demand & ~hs->peer_flags));
		return erldist_hs_decide(hs, how >> 2 & 7);
	case HS_ALIVE:
		return erldist_hs_alive(hs, how & 4);
	case HS_PROVEN:
		return erldist_hs_accept(hs);
	}
	return verdict;
}

static void check(const struct erldist_hs *hs, int verdict)
{
	CHECK(hs->out_len <= sizeof(hs->out));
	CHECK(hs->peer_name_len <= ERLDIST_HS_NAME_MAX);
	if (verdict < 0)
		CHECK(verdict == -EPROTO && hs->state == HS_ST_FAILED && hs->reason);
	if (verdict == HS_SEND)
		CHECK(hs->out_len);
	if (verdict == HS_UP)
		CHECK(hs->state == HS_ST_UP && !(hs->demand & ~hs->peer_flags) &&
		      hs->peer_challenge != hs->challenge);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	const u8 *end = data + size;
	struct erldist_hs hs;
	int verdict;
	size_t n;
	u8 how;

	if (!size)
		return 0;
	how = *data++;
	setup(&hs, how);
	verdict = erldist_hs_start(&hs);
	check(&hs, verdict);
	while (data < end) {
		n = *data++;
		n = min_t(size_t, n, end - data);
		verdict = erldist_hs_recv(&hs, data, n);
		check(&hs, verdict);
		verdict = react(&hs, verdict, how);
		check(&hs, verdict);
		data += n;
	}
	return 0;
}
