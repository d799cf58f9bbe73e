// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The handshake of a node without a name, which the peer that it connects to gives
 * it one (NAME_ME): version 6, the side that connects. Bytes only, no sockets. All
 * other handshakes are the kernel's.
 */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "internal.h"

#define TAG_NAME	'N'
#define TAG_STATUS	's'
#define TAG_REPLY	'r'
#define TAG_ACK		'a'

#define DFLAG_UNLINK_ID			(1ULL << 25)
#define DFLAG_MANDATORY_25_DIGEST	(1ULL << 26)
#define DFLAG_NAME_ME			(1ULL << 33)
#define DFLAG_V4_NC			(1ULL << 34)
/* What the digest flag stands for, and what the kernel demands of a peer */
#define DFLAG_MANDATORY_25		0x01070F94ULL
#define DFLAG_MANDATORY			(DFLAG_MANDATORY_25 | DFLAG_V4_NC | DFLAG_UNLINK_ID)

static const char named[] = "named:";

static uint8_t *put(uint8_t *p, uint64_t v, int bytes)
{
	while (bytes--)
		*p++ = (uint8_t)(v >> 8 * bytes);
	return p;
}

/* With its length in front */
static size_t finish(uint8_t *out, const uint8_t *end)
{
	put(out, (uint64_t)(end - out - 2), 2);
	return (size_t)(end - out);
}

static void prove(const struct ed_cookie *c, uint32_t challenge, uint8_t digest[ED_MD5_SIZE])
{
	char text[sizeof(c->value) + 16];
	int n = snprintf(text, sizeof(text), "%s%u", c->value, challenge);

	ed_md5(text, (size_t)n, digest);
	explicit_bzero(text, sizeof(text));
}

/* How long it takes tells nothing */
static bool same_digest(const uint8_t *a, const uint8_t *b)
{
	uint8_t differ = 0;
	int i;

	for (i = 0; i < ED_MD5_SIZE; i++)
		differ |= a[i] ^ b[i];
	return !differ;
}

/* The first message: there is no name, but the host of it. Its length, or -errno */
int ed_shake_hello(struct ed_shake *s, uint8_t out[ED_SHAKE_MAX])
{
	size_t len = strlen(s->host);
	uint8_t *p = out + 2;

	if (getrandom(&s->challenge, sizeof(s->challenge), 0) != sizeof(s->challenge))
		return -errno;
	*p++ = TAG_NAME;
	p = put(p, s->flags | DFLAG_NAME_ME, 8);
	p = put(p, 0, 4);
	p = put(p, len, 2);
	memcpy(p, s->host, len);
	s->state = ED_SHAKE_STATUS;
	return (int)finish(out, p + len);
}

/*
 * Letters and digits as BEAM makes them, so that no name that an operator would
 * think of is taken, on the host that was told; and a creation that is none of the
 * special ones.
 */
static bool given_ok(const struct ed_shake *s)
{
	const char *at = strchr(s->name, '@');

	return ed_node_ok(s->name) && ed_given_name(s->name) && !strcmp(at + 1, s->host) &&
	       s->creation > 3;
}

static int take_status(struct ed_shake *s, struct ed_reader *r)
{
	const uint8_t *word, *name;
	uint16_t len;
	uint8_t tag;

	if (ed_read_u8(r, &tag) || tag != TAG_STATUS)
		return -EPROTO;
	if (ed_read_bytes(r, strlen(named), &word) || memcmp(word, named, strlen(named)))
		return -EOPNOTSUPP;
	if (ed_read_u16(r, &len) || len >= sizeof(s->name) || ed_read_bytes(r, len, &name) ||
	    ed_read_u32(r, &s->creation))
		return -EPROTO;
	memcpy(s->name, name, len);
	s->name[len] = 0;
	s->state = ED_SHAKE_CHALLENGE;
	return given_ok(s) ? 0 : -EPROTO;
}

static int put_reply(struct ed_shake *s, uint32_t challenge, uint8_t *out)
{
	uint8_t *p = out + 2;

	*p++ = TAG_REPLY;
	p = put(p, s->challenge, 4);
	prove(s->cookie, challenge, p);
	s->state = ED_SHAKE_ACK;
	return (int)finish(out, p + ED_MD5_SIZE);
}

static int take_challenge(struct ed_shake *s, struct ed_reader *r, uint8_t *out)
{
	const uint8_t *name;
	uint32_t challenge;
	uint16_t len;
	uint8_t tag;

	if (ed_read_u8(r, &tag) || tag != TAG_NAME || ed_read_u64(r, &s->peer_flags) ||
	    ed_read_u32(r, &challenge) || ed_read_u32(r, &s->peer_creation) ||
	    ed_read_u16(r, &len) || ed_read_bytes(r, len, &name))
		return -EPROTO;
	/* our own challenge would have us answer it */
	if (len != strlen(s->peer) || memcmp(name, s->peer, len) || challenge == s->challenge)
		return -EPROTO;
	if (s->peer_flags & DFLAG_MANDATORY_25_DIGEST)
		s->peer_flags |= DFLAG_MANDATORY_25;
	if ((s->peer_flags & DFLAG_MANDATORY) != DFLAG_MANDATORY)
		return -EPROTO;
	s->peer_flags &= ~DFLAG_NAME_ME;
	return put_reply(s, challenge, out);
}

static int take_ack(struct ed_shake *s, struct ed_reader *r)
{
	uint8_t expected[ED_MD5_SIZE], tag;
	const uint8_t *digest;

	if (ed_read_u8(r, &tag) || tag != TAG_ACK || ed_left(r) != ED_MD5_SIZE ||
	    ed_read_bytes(r, ED_MD5_SIZE, &digest))
		return -EPROTO;
	prove(s->cookie, s->challenge, expected);
	if (!same_digest(expected, digest))
		return -EKEYREJECTED;
	s->state = ED_SHAKE_DONE;
	return 0;
}

/*
 * A message, without its length. How many bytes of out are to be sent now, or
 * -EOPNOTSUPP: no name is given, -EKEYREJECTED: another cookie, -EPROTO.
 */
int ed_shake_take(struct ed_shake *s, const uint8_t *msg, size_t len, uint8_t out[ED_SHAKE_MAX])
{
	struct ed_reader r = { msg, msg + len };

	switch (s->state) {
	case ED_SHAKE_STATUS:
		return take_status(s, &r);
	case ED_SHAKE_CHALLENGE:
		return take_challenge(s, &r, out);
	case ED_SHAKE_ACK:
		return take_ack(s, &r);
	default:
		return -EPROTO;
	}
}
