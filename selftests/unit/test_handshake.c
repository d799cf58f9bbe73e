// SPDX-License-Identifier: GPL-2.0-only
/* The handshake, both roles, message by message. */
#include <stdlib.h>

#include "handshake.h"
#include "md5.h"
#include "tap.h"

#define SECRET		"secret"
#define OUR_NAME	"kc@localhost"
#define OUR_CREATION	0x11223344
#define OUR_FLAGS	0x2c075f5fbcULL
#define OUR_CHALLENGE	0x1c1362d2
#define BEAM_NAME	"g29@localhost"
#define BEAM_CREATION	0x6b02d8f4
#define BEAM_FLAGS	0x6d07df7fbdULL
#define BEAM_CHALLENGE	0x40bd7b08

/* A message, with what it is long */
struct message {
	const char *name;
	size_t len;
	const u8 *p;
};

#define MESSAGE(name, ...) \
	{ name, sizeof((const u8[]){ __VA_ARGS__ }), (const u8[]){ __VA_ARGS__ } }
#define TEXT(name, text) { name, sizeof(text) - 1, (const u8 *)(text) }

/* Recorded: what OTP 29 sent and accepted, behind lengths of two bytes */
static const struct message golden_name = MESSAGE("name",
	0, 0x1b, 0x4e, 0, 0, 0, 0x2c, 0x07, 0x5f, 0x5f, 0xbc, 0x11, 0x22, 0x33, 0x44,
	0, 0x0c, 'k', 'c', '@', 'l', 'o', 'c', 'a', 'l', 'h', 'o', 's', 't');
static const struct message golden_status = MESSAGE("status", 0, 3, 0x73, 0x6f, 0x6b);
static const struct message golden_challenge = MESSAGE("challenge",
	0, 0x20, 0x4e, 0, 0, 0, 0x6d, 0x07, 0xdf, 0x7f, 0xbd, 0x40, 0xbd, 0x7b, 0x08,
	0x6b, 0x02, 0xd8, 0xf4,
	0, 0x0d, 'g', '2', '9', '@', 'l', 'o', 'c', 'a', 'l', 'h', 'o', 's', 't');
static const struct message golden_reply = MESSAGE("reply",
	0, 0x15, 0x72, 0x1c, 0x13, 0x62, 0xd2, 0xc7, 0x1a, 0xf0, 0xaf, 0x12, 0x02, 0xf3,
	0xc5, 0x2f, 0xef, 0xc4, 0xb7, 0x8b, 0x5d, 0x4b, 0x84);
static const struct message golden_ack = MESSAGE("ack",
	0, 0x11, 0x61, 0x87, 0xa0, 0x22, 0x2f, 0xc2, 0xf4, 0x73, 0xe8, 0x5c, 0xc8, 0xcd,
	0xff, 0x46, 0x07, 0xa3, 0x89);

static void setup(struct erldist_hs *hs, bool acceptor)
{
	memset(hs, 0, sizeof(*hs));
	hs->acceptor = acceptor;
	hs->name = acceptor ? BEAM_NAME : OUR_NAME;
	hs->name_len = strlen(hs->name);
	hs->creation = acceptor ? BEAM_CREATION : OUR_CREATION;
	hs->flags = acceptor ? BEAM_FLAGS : OUR_FLAGS;
	hs->challenge = acceptor ? BEAM_CHALLENGE : OUR_CHALLENGE;
	hs->demand = DFLAG_MANDATORY;
	hs->cookie = (const u8 *)SECRET;
	hs->cookie_len = strlen(SECRET);
	hs->framing = 2;
	if (!acceptor) {
		hs->peer_name_len = strlen(BEAM_NAME);
		memcpy(hs->peer_name, BEAM_NAME, hs->peer_name_len);
	}
}

/* From memory that ends where the message does */
static int recv_copy(struct erldist_hs *hs, const u8 *p, size_t len)
{
	u8 *copy = malloc(len ? len : 1);
	int verdict;

	memcpy(copy, p, len);
	verdict = erldist_hs_recv(hs, copy, len);
	free(copy);
	return verdict;
}

/* A recorded message, without its length */
static int recv_golden(struct erldist_hs *hs, const struct message *m)
{
	return recv_copy(hs, m->p + 2, m->len - 2);
}

static bool sent(const struct erldist_hs *hs, const struct message *a,
		 const struct message *b)
{
	if (hs->out_len != a->len + (b ? b->len : 0))
		return false;
	return !memcmp(hs->out, a->p, a->len) &&
	       (!b || !memcmp(hs->out + a->len, b->p, b->len));
}

static bool failed(const struct erldist_hs *hs, int verdict, u8 reason)
{
	return verdict == -EPROTO && hs->state == HS_ST_FAILED && hs->reason == reason;
}

static void test_digest(void)
{
	static const struct {
		const char *cookie;
		u32 challenge;
		const char *digest;
	} vectors[] = {
		{ "secret", 5, "\xbe\xe2\x99\x34\x62\x7d\x7d\xea"
			       "\xdb\x4e\x4d\x5b\xaf\x92\x3a\xd7" },
		{ "secret", 4294967295U, "\x5d\xfd\x18\x1e\x69\xaa\x58\x7c"
					 "\xc8\x12\xeb\x33\x3e\x65\x36\xb6" },
		{ "secret", BEAM_CHALLENGE, "\xc7\x1a\xf0\xaf\x12\x02\xf3\xc5"
					    "\x2f\xef\xc4\xb7\x8b\x5d\x4b\x84" },
		{ "secret", OUR_CHALLENGE, "\x87\xa0\x22\x2f\xc2\xf4\x73\xe8"
					   "\x5c\xc8\xcd\xff\x46\x07\xa3\x89" },
	};
	u8 digest[HS_DIGEST_LEN];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(vectors); i++) {
		erldist_digest((const u8 *)vectors[i].cookie, strlen(vectors[i].cookie),
			       vectors[i].challenge, digest);
		ok(!memcmp(digest, vectors[i].digest, sizeof(digest)),
		   "digest of %s and %u", vectors[i].cookie, vectors[i].challenge);
	}
}

static void test_names(void)
{
	static const struct {
		const char *name;
		bool valid;
	} names[] = {
		{ "a@b", true }, { "svc_1-X@host.example.org", true }, { "1@2", true },
		{ "a@[::1]", true }, { "a@b~", true }, { "_@_", true },
		{ "", false }, { "@", false }, { "a@", false }, { "@b", false },
		{ "a", false }, { "a@b@c", false }, { "a.b@c", false },
		{ "a b@c", false }, { "a@b c", false }, { "a@b\x7f", false },
		{ "a@b\n", false }, { "\xe9@b", false }, { "a@\xe9", false },
		{ "a@\xc3\xa9", false }, { "a@@b", false }, { "!@b", false },
	};
	char longest[257];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		ok(erldist_name_valid(names[i].name, strlen(names[i].name)) ==
		   names[i].valid, "name %zu: %s", i,
		   names[i].valid ? "valid" : "not valid");
	ok(!erldist_name_valid("a@b\0c", 5), "name with a zero byte: not valid");
	memset(longest, 'a', sizeof(longest));
	longest[7] = '@';
	ok(erldist_name_valid(longest, 255), "name of 255 bytes: valid");
	ok(!erldist_name_valid(longest, 256), "name of 256 bytes: not valid");
}

static void test_golden_initiator(void)
{
	struct erldist_hs hs;

	setup(&hs, false);
	ok(erldist_hs_start(&hs) == HS_SEND && sent(&hs, &golden_name, NULL),
	   "initiator: name");
	ok(recv_golden(&hs, &golden_status) == HS_WAIT && !hs.out_len,
	   "initiator: status ok");
	ok(recv_golden(&hs, &golden_challenge) == HS_SEND &&
	   sent(&hs, &golden_reply, NULL), "initiator: challenge, reply");
	ok(recv_golden(&hs, &golden_ack) == HS_UP && !hs.out_len &&
	   hs.state == HS_ST_UP, "initiator: ack, up");
	ok(hs.peer_flags == BEAM_FLAGS && hs.peer_creation == BEAM_CREATION &&
	   hs.peer_challenge == BEAM_CHALLENGE, "initiator: what is known of the peer");
}

static void test_golden_acceptor(void)
{
	struct erldist_hs hs;

	setup(&hs, true);
	ok(erldist_hs_start(&hs) == HS_WAIT && !hs.out_len, "acceptor: waits");
	ok(recv_golden(&hs, &golden_name) == HS_DECIDE && !hs.out_len,
	   "acceptor: name");
	ok(!strcmp(hs.peer_name, OUR_NAME) && hs.peer_name_len == strlen(OUR_NAME) &&
	   hs.peer_creation == OUR_CREATION && hs.peer_flags == OUR_FLAGS,
	   "acceptor: what is known of the peer");
	ok(erldist_hs_decide(&hs, HS_STATUS_OK) == HS_SEND &&
	   sent(&hs, &golden_status, &golden_challenge), "acceptor: status, challenge");
	ok(recv_golden(&hs, &golden_reply) == HS_PROVEN && !hs.out_len,
	   "acceptor: reply, proven");
	ok(erldist_hs_accept(&hs) == HS_UP && sent(&hs, &golden_ack, NULL) &&
	   hs.state == HS_ST_UP, "acceptor: ack, up");
}

/*
 * Two of them talk
 */

struct talk {
	struct erldist_hs a, b;		/* initiator, acceptor */
	int va, vb;			/* their last verdicts */
};

/* Deliver what from has to send; the verdict of the last message */
static int deliver(const struct erldist_hs *from, struct erldist_hs *to)
{
	u8 out[sizeof(from->out)];
	size_t at = 0, len = from->out_len, n;
	int verdict = HS_WAIT;

	memcpy(out, from->out, len);
	while (at < len) {
		n = from->framing == 4 ? get_unaligned_be32(out + at) :
					 get_unaligned_be16(out + at);
		at += from->framing;
		verdict = recv_copy(to, out + at, n);
		at += n;
	}
	return verdict;
}

static void talk_start(struct talk *t, u8 framing)
{
	setup(&t->a, false);
	setup(&t->b, true);
	t->a.framing = framing;
	t->b.framing = framing;
	t->vb = erldist_hs_start(&t->b);
	t->va = erldist_hs_start(&t->a);
	t->vb = deliver(&t->a, &t->b);
}

static void talk_decide(struct talk *t, enum erldist_hs_status status)
{
	t->vb = erldist_hs_decide(&t->b, status);
	t->va = deliver(&t->b, &t->a);
}

static void talk_finish(struct talk *t)
{
	if (t->va == HS_SEND)
		t->vb = deliver(&t->a, &t->b);
	if (t->vb == HS_PROVEN)
		t->vb = erldist_hs_accept(&t->b);
	if (t->vb == HS_UP)
		t->va = deliver(&t->b, &t->a);
}

static bool talk_up(const struct talk *t)
{
	return t->va == HS_UP && t->vb == HS_UP && t->a.state == HS_ST_UP &&
	       t->b.state == HS_ST_UP && t->a.peer_creation == t->b.creation &&
	       t->b.peer_creation == t->a.creation &&
	       t->a.peer_flags == t->b.flags && t->b.peer_flags == t->a.flags;
}

static void test_talk(u8 framing)
{
	struct talk t;

	talk_start(&t, framing);
	talk_decide(&t, HS_STATUS_OK);
	talk_finish(&t);
	ok(talk_up(&t), "framing %u: ok", framing);
	talk_start(&t, framing);
	talk_decide(&t, HS_STATUS_OK_SIMULTANEOUS);
	talk_finish(&t);
	ok(talk_up(&t), "framing %u: ok_simultaneous", framing);
	talk_start(&t, framing);
	talk_decide(&t, HS_STATUS_NOK);
	ok(failed(&t.b, t.vb, ERLDIST_REASON_NOK) && t.va == HS_NOK &&
	   t.a.reason == ERLDIST_REASON_NOK, "framing %u: nok", framing);
	talk_start(&t, framing);
	talk_decide(&t, HS_STATUS_NOT_ALLOWED);
	ok(failed(&t.b, t.vb, ERLDIST_REASON_NOT_ALLOWED) &&
	   failed(&t.a, t.va, ERLDIST_REASON_NOT_ALLOWED),
	   "framing %u: not_allowed", framing);
	talk_start(&t, framing);
	talk_decide(&t, 77);
	ok(failed(&t.a, t.va, ERLDIST_REASON_NOT_ALLOWED),
	   "framing %u: an unknown status is not_allowed", framing);
}

static void test_alive(u8 framing)
{
	struct talk t;

	talk_start(&t, framing);
	talk_decide(&t, HS_STATUS_ALIVE);
	ok(t.va == HS_ALIVE && t.vb == HS_SEND, "framing %u: alive", framing);
	t.va = erldist_hs_alive(&t.a, true);
	t.vb = deliver(&t.a, &t.b);
	t.va = deliver(&t.b, &t.a);
	talk_finish(&t);
	ok(talk_up(&t), "framing %u: alive, true", framing);
	talk_start(&t, framing);
	talk_decide(&t, HS_STATUS_ALIVE);
	t.va = erldist_hs_alive(&t.a, false);
	t.vb = deliver(&t.a, &t.b);
	ok(failed(&t.a, t.va, ERLDIST_REASON_ALIVE) &&
	   failed(&t.b, t.vb, ERLDIST_REASON_ALIVE), "framing %u: alive, false", framing);
}

static void test_cookies(void)
{
	struct talk t;

	talk_start(&t, 2);
	t.b.cookie = (const u8 *)"Secret";
	talk_decide(&t, HS_STATUS_OK);
	talk_finish(&t);
	ok(failed(&t.b, t.vb, ERLDIST_REASON_BAD_DIGEST) && !t.b.out_len &&
	   t.a.state == HS_ST_WAIT_ACK, "another cookie: closed without a word");
	talk_start(&t, 2);
	talk_decide(&t, HS_STATUS_OK);
	t.vb = deliver(&t.a, &t.b);
	t.b.cookie_len--;
	t.vb = erldist_hs_accept(&t.b);
	t.va = deliver(&t.b, &t.a);
	ok(failed(&t.a, t.va, ERLDIST_REASON_BAD_DIGEST) && !t.a.out_len,
	   "another cookie in the ack");
	talk_start(&t, 2);
	t.a.cookie_len = 0;
	talk_decide(&t, HS_STATUS_OK);
	ok(t.va == -ENOKEY && t.a.state == HS_ST_FAILED && !t.a.out_len,
	   "no cookie: no reply");
	talk_start(&t, 2);
	talk_decide(&t, HS_STATUS_OK);
	t.b.cookie_len = 0;
	t.vb = deliver(&t.a, &t.b);
	ok(t.vb == -ENOKEY && t.b.state == HS_ST_FAILED, "no cookie: nothing is proven");
}

static void test_no_md5(void)
{
	struct talk t;

	talk_start(&t, 2);
	md5_error = -ENOMEM;
	talk_decide(&t, HS_STATUS_OK);
	ok(t.va == -ENOMEM && t.a.state == HS_ST_FAILED, "no MD5: initiator");
	md5_error = 0;
	talk_start(&t, 2);
	talk_decide(&t, HS_STATUS_OK);
	md5_error = -ENOMEM;
	t.vb = deliver(&t.a, &t.b);
	ok(t.vb == -ENOMEM && t.b.state == HS_ST_FAILED, "no MD5: reply");
	md5_error = 0;
	talk_start(&t, 2);
	talk_decide(&t, HS_STATUS_OK);
	t.vb = deliver(&t.a, &t.b);
	md5_error = -ENOMEM;
	ok(erldist_hs_accept(&t.b) == -ENOMEM && t.b.state == HS_ST_FAILED &&
	   !t.b.out_len, "no MD5: ack");
	md5_error = 0;
}

/*
 * States and messages: what is not expected ends it
 */

/* Bring a handshake into a state */
static void reach(struct erldist_hs *hs, enum erldist_hs_state state)
{
	setup(hs, state <= HS_ST_PROVEN);
	if (state == HS_ST_NONE)
		return;
	erldist_hs_start(hs);
	if (hs->acceptor) {
		if (state == HS_ST_WAIT_NAME)
			return;
		recv_golden(hs, &golden_name);
		if (state == HS_ST_DECIDING)
			return;
		erldist_hs_decide(hs, state == HS_ST_WAIT_TRUE ? HS_STATUS_ALIVE :
								  HS_STATUS_OK);
		if (state == HS_ST_PROVEN)
			recv_golden(hs, &golden_reply);
		return;
	}
	if (state == HS_ST_WAIT_STATUS)
		return;
	if (state == HS_ST_ASKED_ALIVE) {
		recv_copy(hs, (const u8 *)"salive", 6);
		return;
	}
	recv_golden(hs, &golden_status);
	if (state == HS_ST_WAIT_CHALLENGE)
		return;
	recv_golden(hs, &golden_challenge);
	if (state >= HS_ST_UP)
		recv_golden(hs, &golden_ack);
	if (state == HS_ST_FAILED)
		recv_golden(hs, &golden_ack);
}

enum { M_NAME, M_STATUS, M_TRUE, M_CHALLENGE, M_REPLY, M_ACK, M_OTHER };

static const struct message kinds[] = {
	[M_NAME] = TEXT("name", "N\0\0\0\x2c\x07\x5f\x5f\xbc\x11\x22\x33\x44\0\014kc@localhost"),
	[M_STATUS] = TEXT("status", "sok"),
	[M_TRUE] = TEXT("true", "strue"),
	[M_CHALLENGE] = TEXT("challenge", "N\0\0\0\x6d\x07\xdf\x7f\xbd\x40\xbd\x7b\x08"
			     "\x6b\x02\xd8\xf4\0\015g29@localhost"),
	[M_REPLY] = TEXT("reply", "r\x1c\x13\x62\xd2\xc7\x1a\xf0\xaf\x12\x02\xf3\xc5\x2f"
			 "\xef\xc4\xb7\x8b\x5d\x4b\x84"),
	[M_ACK] = TEXT("ack", "a\x87\xa0\x22\x2f\xc2\xf4\x73\xe8\x5c\xc8\xcd\xff\x46"
		       "\x07\xa3\x89"),
	[M_OTHER] = TEXT("nonsense", "xyz"),
};

static const struct {
	const char *name;
	int kind;		/* what it takes, or -1 */
	int verdict;
} states[] = {
	[HS_ST_NONE] = { "not started", -1, 0 },
	[HS_ST_WAIT_NAME] = { "waiting for the name", M_NAME, HS_DECIDE },
	[HS_ST_DECIDING] = { "deciding", -1, 0 },
	[HS_ST_WAIT_TRUE] = { "waiting for true", M_TRUE, HS_SEND },
	[HS_ST_WAIT_REPLY] = { "waiting for the reply", M_REPLY, HS_PROVEN },
	[HS_ST_PROVEN] = { "proven", -1, 0 },
	[HS_ST_WAIT_STATUS] = { "waiting for the status", M_STATUS, HS_WAIT },
	[HS_ST_ASKED_ALIVE] = { "asked about alive", -1, 0 },
	[HS_ST_WAIT_CHALLENGE] = { "waiting for the challenge", M_CHALLENGE, HS_SEND },
	[HS_ST_WAIT_ACK] = { "waiting for the ack", M_ACK, HS_UP },
	[HS_ST_UP] = { "up", -1, 0 },
	[HS_ST_FAILED] = { "failed", -1, 0 },
};

/* Every beginning of what it takes ends it, too; the whole is taken */
static bool cuts_are_refused(enum erldist_hs_state state, const struct message *m)
{
	struct erldist_hs hs;
	size_t i;

	for (i = 0; i < m->len; i++) {
		reach(&hs, state);
		if (recv_copy(&hs, m->p, i) != -EPROTO || hs.state != HS_ST_FAILED ||
		    hs.out_len || !hs.reason)
			return false;
	}
	return true;
}

static void test_state(enum erldist_hs_state state)
{
	struct erldist_hs hs;
	size_t i;
	int verdict;

	reach(&hs, state);
	ok(hs.state == state, "state %s", states[state].name);
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		reach(&hs, state);
		verdict = recv_copy(&hs, kinds[i].p, kinds[i].len);
		if ((int)i == states[state].kind)
			ok(verdict == states[state].verdict, "%s: %s is taken",
			   states[state].name, kinds[i].name);
		else
			ok(verdict == -EPROTO && hs.state == HS_ST_FAILED &&
			   !hs.out_len && hs.reason, "%s: %s ends it",
			   states[state].name, kinds[i].name);
	}
	if (states[state].kind >= 0)
		ok(cuts_are_refused(state, &kinds[states[state].kind]),
		   "%s: less than a message ends it", states[state].name);
}

/* The caller's steps out of their state */
static void test_steps(void)
{
	struct erldist_hs hs;
	unsigned int s;

	for (s = 0; s < ARRAY_SIZE(states); s++) {
		reach(&hs, s);
		if (s != HS_ST_NONE)
			ok(erldist_hs_start(&hs) == -EPROTO, "%s: no second start",
			   states[s].name);
		reach(&hs, s);
		if (s != HS_ST_DECIDING)
			ok(erldist_hs_decide(&hs, HS_STATUS_OK) == -EPROTO && !hs.out_len,
			   "%s: nothing to decide", states[s].name);
		reach(&hs, s);
		if (s != HS_ST_ASKED_ALIVE)
			ok(erldist_hs_alive(&hs, true) == -EPROTO && !hs.out_len,
			   "%s: nobody is alive", states[s].name);
		reach(&hs, s);
		if (s != HS_ST_PROVEN)
			ok(erldist_hs_accept(&hs) == -EPROTO && !hs.out_len,
			   "%s: nothing is proven", states[s].name);
	}
}

/*
 * Single messages
 */

#define FLAGS_OK	"\0\0\0\x2c\x07\x5f\x5f\xbc"
#define NAME_TAIL	"\x11\x22\x33\x44\0\003a@b"
#define CHALLENGE_TAIL	"\x40\xbd\x7b\x08\x6b\x02\xd8\xf4\0\015g29@localhost"
#define NOT_ALLOWED	"\0\014snot_allowed"

static const struct {
	enum erldist_hs_state state;
	struct message in;
	int verdict;
	u8 reason;
	const char *out;
	size_t out_len;
	u64 missing;
} cases[] = {
#define CASE(state, name, text, ...) { HS_ST_##state, TEXT(name, text), __VA_ARGS__ }
#define ENDS(reason)	-EPROTO, ERLDIST_REASON_##reason, "", 0, 0
#define REFUSES(reason, missing) \
	-EPROTO, ERLDIST_REASON_##reason, NOT_ALLOWED, sizeof(NOT_ALLOWED) - 1, missing
#define GOES(verdict)	verdict, 0, NULL, 0, 0
	CASE(WAIT_NAME, "bytes behind the name", "N" FLAGS_OK NAME_TAIL "more", GOES(HS_DECIDE)),
	CASE(WAIT_NAME, "unknown high flags", "N\xff\0\0\x2c\x07\x5f\x5f\xbc" NAME_TAIL,
	     GOES(HS_DECIDE)),
	CASE(WAIT_NAME, "creation 0", "N" FLAGS_OK "\0\0\0\0\0\003a@b", GOES(HS_DECIDE)),
	CASE(WAIT_NAME, "digest, V4_NC and UNLINK_ID only",
	     "N\0\0\0\x04\x06\0\0\0" NAME_TAIL, GOES(HS_DECIDE)),
	CASE(WAIT_NAME, "the mandatory flags written out",
	     "N\0\0\0\x04\x03\x07\x0f\x94" NAME_TAIL, GOES(HS_DECIDE)),
	CASE(WAIT_NAME, "no V4_NC", "N\0\0\0\0\x07\x07\x0f\x94" NAME_TAIL,
	     REFUSES(MISSING_FLAGS, DFLAG_V4_NC)),
	CASE(WAIT_NAME, "no UNLINK_ID", "N\0\0\0\x04\x04\0\0\0" NAME_TAIL,
	     REFUSES(MISSING_FLAGS, DFLAG_UNLINK_ID)),
	CASE(WAIT_NAME, "flags 0", "N\0\0\0\0\0\0\0\0" NAME_TAIL,
	     REFUSES(MISSING_FLAGS, DFLAG_MANDATORY)),
	CASE(WAIT_NAME, "bit 36 is no digest", "N\0\0\0\x14\x02\0\0\0" NAME_TAIL,
	     REFUSES(MISSING_FLAGS, DFLAG_MANDATORY_25)),
	CASE(WAIT_NAME, "a node without a name",
	     "N\0\0\0\x2e\x07\x5f\x5f\xbc\0\0\0\0\0\004host", REFUSES(NOT_ALLOWED, 0)),
	CASE(WAIT_NAME, "version 5", "n\0\005\x07\x5f\x5f\xbc" "a@b", ENDS(BAD_HANDSHAKE)),
	CASE(WAIT_NAME, "no @", "N" FLAGS_OK "\x11\x22\x33\x44\0\003abc", ENDS(BAD_NAME)),
	CASE(WAIT_NAME, "empty name", "N" FLAGS_OK "\x11\x22\x33\x44\0\0", ENDS(BAD_NAME)),
	CASE(WAIT_NAME, "two @", "N" FLAGS_OK "\x11\x22\x33\x44\0\005a@b@c", ENDS(BAD_NAME)),
	CASE(WAIT_NAME, "zero in the name", "N" FLAGS_OK "\x11\x22\x33\x44\0\004a@b\0",
	     ENDS(BAD_NAME)),
	CASE(WAIT_NAME, "name longer than the message",
	     "N" FLAGS_OK "\x11\x22\x33\x44\0\004a@b", ENDS(BAD_HANDSHAKE)),
	CASE(WAIT_NAME, "name of 65535", "N" FLAGS_OK "\x11\x22\x33\x44\xff\xff" "a@b",
	     ENDS(BAD_HANDSHAKE)),
	CASE(WAIT_TRUE, "false", "sfalse", ENDS(ALIVE)),
	CASE(WAIT_TRUE, "truer", "struer", ENDS(BAD_STATUS)),
	CASE(WAIT_TRUE, "tru", "stru", ENDS(BAD_STATUS)),
	CASE(WAIT_TRUE, "ok", "sok", ENDS(BAD_STATUS)),
	CASE(WAIT_REPLY, "a byte too much", "r\x1c\x13\x62\xd2\xc7\x1a\xf0\xaf\x12\x02\xf3"
	     "\xc5\x2f\xef\xc4\xb7\x8b\x5d\x4b\x84\0", ENDS(BAD_HANDSHAKE)),
	CASE(WAIT_REPLY, "wrong digest", "r\x1c\x13\x62\xd2\xc7\x1a\xf0\xaf\x12\x02\xf3\xc5"
	     "\x2f\xef\xc4\xb7\x8b\x5d\x4b\x85", ENDS(BAD_DIGEST)),
	CASE(WAIT_REPLY, "our challenge reflected", "r\x40\xbd\x7b\x08\xc7\x1a\xf0\xaf\x12\x02"
	     "\xf3\xc5\x2f\xef\xc4\xb7\x8b\x5d\x4b\x84", ENDS(BAD_HANDSHAKE)),
	CASE(WAIT_REPLY, "complement of version 5", "c\0\0\0\x2c\x11\x22\x33\x44",
	     ENDS(BAD_HANDSHAKE)),
	CASE(WAIT_STATUS, "ok", "sok", GOES(HS_WAIT)),
	CASE(WAIT_STATUS, "ok_simultaneous", "sok_simultaneous", GOES(HS_WAIT)),
	CASE(WAIT_STATUS, "alive", "salive", GOES(HS_ALIVE)),
	CASE(WAIT_STATUS, "not_allowed", "snot_allowed", ENDS(NOT_ALLOWED)),
	CASE(WAIT_STATUS, "named", "snamed:\0\003x@y\0\0\0\001", ENDS(BAD_STATUS)),
	CASE(WAIT_STATUS, "nothing", "s", ENDS(BAD_STATUS)),
	CASE(WAIT_STATUS, "okay", "sokay", ENDS(BAD_STATUS)),
	CASE(WAIT_STATUS, "o", "so", ENDS(BAD_STATUS)),
	CASE(WAIT_STATUS, "OK", "sOK", ENDS(BAD_STATUS)),
	CASE(WAIT_STATUS, "ok and a zero", "sok\0", ENDS(BAD_STATUS)),
	CASE(WAIT_STATUS, "true", "strue", ENDS(BAD_STATUS)),
	CASE(WAIT_STATUS, "nok as challenge", "N", ENDS(BAD_HANDSHAKE)),
	CASE(WAIT_CHALLENGE, "bytes behind the name", "N" FLAGS_OK CHALLENGE_TAIL "more",
	     GOES(HS_SEND)),
	CASE(WAIT_CHALLENGE, "version 5", "n\0\005\x07\x5f\x5f\xbc\x40\xbd\x7b\x08g29@localhost",
	     ENDS(BAD_HANDSHAKE)),
	CASE(WAIT_CHALLENGE, "another name", "N" FLAGS_OK
	     "\x40\xbd\x7b\x08\x6b\x02\xd8\xf4\0\015g28@localhost", ENDS(WRONG_NAME)),
	CASE(WAIT_CHALLENGE, "a shorter name", "N" FLAGS_OK
	     "\x40\xbd\x7b\x08\x6b\x02\xd8\xf4\0\014g29@localhost", ENDS(WRONG_NAME)),
	CASE(WAIT_CHALLENGE, "a longer name", "N" FLAGS_OK
	     "\x40\xbd\x7b\x08\x6b\x02\xd8\xf4\0\016g29@localhosts", ENDS(WRONG_NAME)),
	CASE(WAIT_CHALLENGE, "missing flags", "N\0\0\0\0\x07\x5f\x5f\xbc" CHALLENGE_TAIL,
	     -EPROTO, ERLDIST_REASON_MISSING_FLAGS, "", 0, DFLAG_V4_NC),
	CASE(WAIT_CHALLENGE, "NAME_ME", "N\0\0\0\x2e\x07\x5f\x5f\xbc" CHALLENGE_TAIL,
	     ENDS(BAD_HANDSHAKE)),
	CASE(WAIT_CHALLENGE, "our challenge reflected", "N" FLAGS_OK
	     "\x1c\x13\x62\xd2\x6b\x02\xd8\xf4\0\015g29@localhost", ENDS(BAD_HANDSHAKE)),
	CASE(WAIT_ACK, "wrong digest", "a\x87\xa0\x22\x2f\xc2\xf4\x73\xe8\x5c\xc8\xcd\xff\x46"
	     "\x07\xa3\x88", ENDS(BAD_DIGEST)),
	CASE(WAIT_ACK, "our own digest", "a\xc7\x1a\xf0\xaf\x12\x02\xf3\xc5\x2f\xef\xc4\xb7"
	     "\x8b\x5d\x4b\x84", ENDS(BAD_DIGEST)),
	CASE(WAIT_ACK, "a byte too much", "a\x87\xa0\x22\x2f\xc2\xf4\x73\xe8\x5c\xc8\xcd\xff"
	     "\x46\x07\xa3\x89\0", ENDS(BAD_HANDSHAKE)),
};

static void test_cases(void)
{
	struct erldist_hs hs;
	int verdict;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		reach(&hs, cases[i].state);
		verdict = recv_copy(&hs, cases[i].in.p, cases[i].in.len);
		ok(verdict == cases[i].verdict && hs.reason == cases[i].reason,
		   "%s: %s", states[cases[i].state].name, cases[i].in.name);
		if (cases[i].out)
			ok(hs.out_len == cases[i].out_len &&
			   !memcmp(hs.out, cases[i].out, hs.out_len) &&
			   hs.missing == cases[i].missing &&
			   hs.state == HS_ST_FAILED,
			   "%s: %s, and its answer", states[cases[i].state].name,
			   cases[i].in.name);
	}
}

static void test_limits(void)
{
	u8 big[ERLDIST_HS_MSG_MAX + 1];
	char name[256];
	struct erldist_hs hs;
	struct talk t;

	memset(big, 0, sizeof(big));
	memcpy(big, kinds[M_NAME].p, kinds[M_NAME].len);
	reach(&hs, HS_ST_WAIT_NAME);
	ok(recv_copy(&hs, big, ERLDIST_HS_MSG_MAX) == HS_DECIDE, "longest message");
	reach(&hs, HS_ST_WAIT_NAME);
	ok(failed(&hs, recv_copy(&hs, big, sizeof(big)), ERLDIST_REASON_BAD_HANDSHAKE),
	   "a longer one");
	memset(name, 'x', sizeof(name));
	name[3] = '@';
	talk_start(&t, 4);
	setup(&t.a, false);
	setup(&t.b, true);
	t.a.framing = 4;
	t.b.framing = 4;
	t.b.name = name;
	t.a.name = name;
	t.b.name_len = 255;
	t.a.name_len = 254;
	t.a.peer_name_len = 255;
	memcpy(t.a.peer_name, name, 255);
	erldist_hs_start(&t.b);
	erldist_hs_start(&t.a);
	t.vb = deliver(&t.a, &t.b);
	talk_decide(&t, HS_STATUS_OK_SIMULTANEOUS);
	talk_finish(&t);
	ok(talk_up(&t) && t.b.peer_name_len == 254, "longest names");
	setup(&hs, false);
	hs.name_len = 256;
	ok(failed(&hs, erldist_hs_start(&hs), ERLDIST_REASON_BAD_HANDSHAKE),
	   "a longer name of our own");
}

/* After a failure nothing more is taken, and the reason stays */
static void test_failed(void)
{
	struct erldist_hs hs;

	reach(&hs, HS_ST_WAIT_STATUS);
	recv_copy(&hs, (const u8 *)"snot_allowed", 12);
	ok(recv_copy(&hs, (const u8 *)"sok", 3) == -EPROTO &&
	   hs.reason == ERLDIST_REASON_NOT_ALLOWED, "the first reason stays");
	reach(&hs, HS_ST_WAIT_STATUS);
	ok(recv_copy(&hs, (const u8 *)"snok", 4) == HS_NOK &&
	   hs.reason == ERLDIST_REASON_NOK &&
	   recv_golden(&hs, &golden_challenge) == -EPROTO &&
	   hs.reason == ERLDIST_REASON_NOK, "nothing follows nok");
}

/* For the fuzzer: the role, then messages behind lengths of one byte */
static int write_seeds(const char *dir)
{
	static const int order[2][3] = {
		{ M_STATUS, M_CHALLENGE, M_ACK }, { M_NAME, M_REPLY, M_ACK },
	};
	char path[4096];
	FILE *f;
	int i, j;

	for (i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/hs%d", dir, i);
		f = fopen(path, "w");
		if (!f)
			return 1;
		fputc(i, f);
		for (j = 0; j < 3; j++) {
			fputc(kinds[order[i][j]].len, f);
			fwrite(kinds[order[i][j]].p, 1, kinds[order[i][j]].len, f);
		}
		fclose(f);
	}
	return 0;
}

int main(int argc, char **argv)
{
	unsigned int s;

	if (argc > 2 && !strcmp(argv[1], "--seeds"))
		return write_seeds(argv[2]);
	tap_begin();
	test_digest();
	test_names();
	test_golden_initiator();
	test_golden_acceptor();
	test_talk(2);
	test_talk(4);
	test_alive(2);
	test_alive(4);
	test_cookies();
	test_no_md5();
	for (s = 0; s < ARRAY_SIZE(states); s++)
		test_state(s);
	test_steps();
	test_cases();
	test_limits();
	test_failed();
	return tap_end();
}
