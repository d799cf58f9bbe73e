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

/*
 * What a peer says that knows the cookie, or almost
 */

static void gen_message(struct gen *g, const u8 *p, size_t n)
{
	gen_u8(g, (u8)n);
	gen_bytes(g, p, n);
}

static size_t put_hello(struct gen *g, u8 *p, bool challenge)
{
	static const char *const names[] = {
		"g29@localhost", "g29@localhost", "g29@localhost", "x@y", "", "a", "a@", "@b",
		"a b@c", "a@b@c",
	};
	const char *name = names[gen_below(g, ARRAY_SIZE(names))];
	u8 *start = p;

	*p++ = HS_NAME;
	put_unaligned_be64(gen_below(g, 8) ? DFLAG_DEFAULT :
			   (u64)gen_below(g, ~0u) << 32 | gen_below(g, ~0u), p);
	p += 8;
	if (challenge) {
		put_unaligned_be32(gen_below(g, 8) ? 5 : 0x1c1362d2, p);
		p += 4;
	}
	put_unaligned_be32(7, p);
	put_unaligned_be16(strlen(name) + !gen_below(g, 20), p + 4);
	memcpy(p + 6, name, strlen(name));
	return p + 6 + strlen(name) - start;
}

static size_t put_digest(u8 *p, u8 tag, u32 challenge)
{
	*p++ = tag;
	if (tag == HS_REPLY) {
		put_unaligned_be32(5, p);
		p += 4;
	}
	erldist_digest((const u8 *)"secret", 6, challenge, p);
	return (tag == HS_REPLY ? 5 : 1) + HS_DIGEST_LEN;
}

static void gen_status(struct gen *g)
{
	static const char *const text[] = {
		"sok", "sok_simultaneous", "salive", "snok", "snot_allowed", "strue", "sfalse",
		"snamed:", "s",
	};
	const char *s = text[gen_below(g, gen_below(g, 4) ? 3 : ARRAY_SIZE(text))];

	gen_message(g, (const u8 *)s, strlen(s));
}

size_t fuzz_generate(struct gen *g, u8 *p, size_t max)
{
	bool acceptor = gen_below(g, 2);
	u8 buf[64];

	g->p = p;
	g->end = p + max;
	gen_u8(g, acceptor | gen_below(g, 128) << 1);
	if (acceptor) {
		gen_message(g, buf, put_hello(g, buf, false));
		if ((p[0] >> 2 & 7) == HS_STATUS_ALIVE)
			gen_message(g, (const u8 *)"strue", 5 - !gen_below(g, 8));
		gen_message(g, buf, put_digest(buf, HS_REPLY, 0x40bd7b08));
	} else {
		gen_status(g);
		gen_message(g, buf, put_hello(g, buf, true));
		gen_message(g, buf, put_digest(buf, HS_ACK, 0x1c1362d2));
	}
	if (!gen_below(g, 8))
		gen_status(g);
	return g->p - p;
}

/* A message is repeated, left out, or longer than it says */
size_t fuzz_bend(struct gen *g, u8 *data, size_t size, size_t max)
{
	u8 msg[256];
	size_t at = 1, n;

	while (at < size && gen_below(g, 3))
		at += 1 + data[at];
	if (at >= size)
		return size;
	n = min_t(size_t, 1 + data[at], size - at);
	switch (gen_below(g, 3)) {
	case 0:
		if (size + n > max)
			return size;
		memcpy(msg, data + at, n);
		memmove(data + at + n, data + at, size - at);
		memcpy(data + at, msg, n);
		return size + n;
	case 1:
		memmove(data + at, data + at + n, size - at - n);
		return size - n;
	default:
		data[at + gen_below(g, n)] += 1 + gen_below(g, 2) * 254;
		return size;
	}
}
