// SPDX-License-Identifier: GPL-2.0-only
/*
 * The handshake, version 6, both roles.
 *
 *	initiator			acceptor
 *	N name		------------>
 *			<------------	s status
 *	s true		------------>			(only after "alive")
 *			<------------	N challenge
 *	r reply		------------>
 *			<------------	a ack
 *
 * Each state takes one kind of message, everything else ends the handshake.
 */
#include "handshake.h"

/* Fixed parts of messages, with the tag */
#define NAME_HEAD		15
#define CHALLENGE_HEAD		19
#define REPLY_LEN		(5 + HS_DIGEST_LEN)
#define ACK_LEN			(1 + HS_DIGEST_LEN)

static bool alive_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '-' || c == '_';
}

bool erldist_name_valid(const char *name, size_t len)
{
	size_t i = 0, host;

	if (len > ERLDIST_HS_NAME_MAX)
		return false;
	while (i < len && alive_char(name[i]))
		i++;
	if (!i || i == len || name[i] != '@')
		return false;
	host = ++i;
	while (i < len && name[i] > ' ' && name[i] <= '~' && name[i] != '@')
		i++;
	return i == len && i > host;
}

static int hs_fail(struct erldist_hs *hs, enum erldist_reason reason)
{
	hs->state = HS_ST_FAILED;
	hs->reason = reason;
	return -EPROTO;
}

static int hs_send(struct erldist_hs *hs, enum erldist_hs_state state)
{
	hs->state = state;
	return HS_SEND;
}

/*
 * Writing
 */

/* Begin a message behind those that are in out; returns where it goes on */
static u8 *hs_open(struct erldist_hs *hs, u8 tag)
{
	u8 *p = hs->out + hs->out_len + hs->framing;

	*p++ = tag;
	return p;
}

static void hs_close(struct erldist_hs *hs, const u8 *end)
{
	u8 *len = hs->out + hs->out_len;
	size_t n = end - len - hs->framing;

	if (hs->framing == 4)
		put_unaligned_be32(n, len);
	else
		put_unaligned_be16(n, len);
	hs->out_len = end - hs->out;
}

static u8 *put_u32(u8 *p, u32 v)
{
	put_unaligned_be32(v, p);
	return p + 4;
}

static u8 *put_flags(u8 *p, u64 flags)
{
	put_unaligned_be64(flags, p);
	return p + 8;
}

static u8 *put_bytes(u8 *p, const void *bytes, size_t len)
{
	memcpy(p, bytes, len);
	return p + len;
}

/* What name and challenge end with */
static void hs_put_name(struct erldist_hs *hs, u8 *p)
{
	p = put_u32(p, hs->creation);
	put_unaligned_be16(hs->name_len, p);
	hs_close(hs, put_bytes(p + 2, hs->name, hs->name_len));
}

static void hs_put_status(struct erldist_hs *hs, const char *status)
{
	hs_close(hs, put_bytes(hs_open(hs, HS_STATUS), status, strlen(status)));
}

/* Our full flags, not what both have */
static int hs_put_challenge(struct erldist_hs *hs)
{
	u8 *p = put_flags(hs_open(hs, HS_NAME), hs->flags);

	hs_put_name(hs, put_u32(p, hs->challenge));
	return hs_send(hs, HS_ST_WAIT_REPLY);
}

/*
 * Proof
 */

static int hs_digest(struct erldist_hs *hs, u32 challenge, u8 *digest)
{
	int err = -ENOKEY;

	if (hs->cookie_len)
		err = erldist_digest(hs->cookie, hs->cookie_len, challenge,
				     digest);
	if (err)
		hs->state = HS_ST_FAILED;
	return err;
}

/* Does the peer know the cookie? */
static int hs_verify(struct erldist_hs *hs, const u8 *digest)
{
	u8 expected[HS_DIGEST_LEN];
	int err = hs_digest(hs, hs->challenge, expected);

	if (err)
		return err;
	if (!erldist_digest_equal(expected, digest))
		return hs_fail(hs, ERLDIST_REASON_BAD_DIGEST);
	return 0;
}

/* Who sends our own challenge back wants us to answer it */
static bool hs_is_reflected(const struct erldist_hs *hs)
{
	return hs->peer_challenge == hs->challenge;
}

static void hs_take_flags(struct erldist_hs *hs, const u8 *p)
{
	hs->peer_flags = get_unaligned_be64(p);
	if (hs->peer_flags & DFLAG_MANDATORY_25_DIGEST)
		hs->peer_flags |= DFLAG_MANDATORY_25;
	hs->missing = hs->demand & ~hs->peer_flags;
}

/*
 * Acceptor
 */

static int hs_refuse(struct erldist_hs *hs, const char *status,
		     enum erldist_reason reason)
{
	hs_put_status(hs, status);
	return hs_fail(hs, reason);
}

/* N Flags:64 Creation:32 Length:16 Name, and what may follow is ignored */
static int hs_recv_name(struct erldist_hs *hs, const u8 *msg, size_t len)
{
	size_t n;

	if (len < NAME_HEAD || msg[0] != HS_NAME)
		return hs_fail(hs, ERLDIST_REASON_BAD_HANDSHAKE);
	n = get_unaligned_be16(msg + 13);
	if (n > len - NAME_HEAD)
		return hs_fail(hs, ERLDIST_REASON_BAD_HANDSHAKE);
	hs_take_flags(hs, msg + 1);
	if (hs->peer_flags & DFLAG_NAME_ME)
		return hs_refuse(hs, "not_allowed", ERLDIST_REASON_NOT_ALLOWED);
	if (!erldist_name_valid((const char *)msg + NAME_HEAD, n))
		return hs_fail(hs, ERLDIST_REASON_BAD_NAME);
	memcpy(hs->peer_name, msg + NAME_HEAD, n);
	hs->peer_name[n] = 0;
	hs->peer_name_len = n;
	hs->peer_creation = get_unaligned_be32(msg + 9);
	if (hs->missing)
		return hs_refuse(hs, "not_allowed", ERLDIST_REASON_MISSING_FLAGS);
	hs->state = HS_ST_DECIDING;
	return HS_DECIDE;
}

static bool hs_status_is(const u8 *msg, size_t len, const char *status)
{
	return len == 1 + strlen(status) && msg[0] == HS_STATUS &&
	       !memcmp(msg + 1, status, len - 1);
}

static int hs_recv_true(struct erldist_hs *hs, const u8 *msg, size_t len)
{
	if (hs_status_is(msg, len, "true"))
		return hs_put_challenge(hs);
	if (hs_status_is(msg, len, "false"))
		return hs_fail(hs, ERLDIST_REASON_ALIVE);
	return hs_fail(hs, msg[0] == HS_STATUS ? ERLDIST_REASON_BAD_STATUS :
						 ERLDIST_REASON_BAD_HANDSHAKE);
}

/* r Challenge:32 Digest */
static int hs_recv_reply(struct erldist_hs *hs, const u8 *msg, size_t len)
{
	int err;

	if (len != REPLY_LEN || msg[0] != HS_REPLY)
		return hs_fail(hs, ERLDIST_REASON_BAD_HANDSHAKE);
	hs->peer_challenge = get_unaligned_be32(msg + 1);
	if (hs_is_reflected(hs))
		return hs_fail(hs, ERLDIST_REASON_BAD_HANDSHAKE);
	err = hs_verify(hs, msg + 5);
	if (err)
		return err;
	hs->state = HS_ST_PROVEN;
	return HS_PROVEN;
}

int erldist_hs_decide(struct erldist_hs *hs, enum erldist_hs_status status)
{
	hs->out_len = 0;
	if (hs->state != HS_ST_DECIDING)
		return hs_fail(hs, ERLDIST_REASON_BAD_HANDSHAKE);
	switch (status) {
	case HS_STATUS_OK:
		hs_put_status(hs, "ok");
		return hs_put_challenge(hs);
	case HS_STATUS_OK_SIMULTANEOUS:
		hs_put_status(hs, "ok_simultaneous");
		return hs_put_challenge(hs);
	case HS_STATUS_ALIVE:
		hs_put_status(hs, "alive");
		return hs_send(hs, HS_ST_WAIT_TRUE);
	case HS_STATUS_NOK:
		return hs_refuse(hs, "nok", ERLDIST_REASON_NOK);
	default:
		return hs_refuse(hs, "not_allowed", ERLDIST_REASON_NOT_ALLOWED);
	}
}

int erldist_hs_accept(struct erldist_hs *hs)
{
	u8 digest[HS_DIGEST_LEN];
	int err;

	hs->out_len = 0;
	if (hs->state != HS_ST_PROVEN)
		return hs_fail(hs, ERLDIST_REASON_BAD_HANDSHAKE);
	err = hs_digest(hs, hs->peer_challenge, digest);
	if (err)
		return err;
	hs_close(hs, put_bytes(hs_open(hs, HS_ACK), digest, sizeof(digest)));
	hs->state = HS_ST_UP;
	return HS_UP;
}

/*
 * Initiator
 */

static int hs_put_hello(struct erldist_hs *hs)
{
	hs_put_name(hs, put_flags(hs_open(hs, HS_NAME), hs->flags));
	return hs_send(hs, HS_ST_WAIT_STATUS);
}

static int hs_recv_status(struct erldist_hs *hs, const u8 *msg, size_t len)
{
	if (msg[0] != HS_STATUS)
		return hs_fail(hs, ERLDIST_REASON_BAD_HANDSHAKE);
	if (hs_status_is(msg, len, "ok") ||
	    hs_status_is(msg, len, "ok_simultaneous")) {
		hs->state = HS_ST_WAIT_CHALLENGE;
		return HS_WAIT;
	}
	if (hs_status_is(msg, len, "alive")) {
		hs->state = HS_ST_ASKED_ALIVE;
		return HS_ALIVE;
	}
	if (hs_status_is(msg, len, "nok")) {
		hs_fail(hs, ERLDIST_REASON_NOK);
		return HS_NOK;
	}
	if (hs_status_is(msg, len, "not_allowed"))
		return hs_fail(hs, ERLDIST_REASON_NOT_ALLOWED);
	return hs_fail(hs, ERLDIST_REASON_BAD_STATUS);
}

int erldist_hs_alive(struct erldist_hs *hs, bool wanted)
{
	hs->out_len = 0;
	if (hs->state != HS_ST_ASKED_ALIVE)
		return hs_fail(hs, ERLDIST_REASON_BAD_HANDSHAKE);
	if (!wanted)
		return hs_refuse(hs, "false", ERLDIST_REASON_ALIVE);
	hs_put_status(hs, "true");
	return hs_send(hs, HS_ST_WAIT_CHALLENGE);
}

static int hs_put_reply(struct erldist_hs *hs)
{
	u8 digest[HS_DIGEST_LEN];
	u8 *p;
	int err;

	err = hs_digest(hs, hs->peer_challenge, digest);
	if (err)
		return err;
	p = put_u32(hs_open(hs, HS_REPLY), hs->challenge);
	hs_close(hs, put_bytes(p, digest, sizeof(digest)));
	return hs_send(hs, HS_ST_WAIT_ACK);
}

/* N Flags:64 Challenge:32 Creation:32 Length:16 Name, the rest is ignored */
static int hs_recv_challenge(struct erldist_hs *hs, const u8 *msg, size_t len)
{
	size_t n;

	if (len < CHALLENGE_HEAD || msg[0] != HS_NAME)
		return hs_fail(hs, ERLDIST_REASON_BAD_HANDSHAKE);
	n = get_unaligned_be16(msg + 17);
	if (n > len - CHALLENGE_HEAD)
		return hs_fail(hs, ERLDIST_REASON_BAD_HANDSHAKE);
	if (n != hs->peer_name_len ||
	    memcmp(msg + CHALLENGE_HEAD, hs->peer_name, n))
		return hs_fail(hs, ERLDIST_REASON_WRONG_NAME);
	hs_take_flags(hs, msg + 1);
	if (hs->missing)
		return hs_fail(hs, ERLDIST_REASON_MISSING_FLAGS);
	hs->peer_challenge = get_unaligned_be32(msg + 9);
	hs->peer_creation = get_unaligned_be32(msg + 13);
	if (hs_is_reflected(hs) || hs->peer_flags & DFLAG_NAME_ME)
		return hs_fail(hs, ERLDIST_REASON_BAD_HANDSHAKE);
	return hs_put_reply(hs);
}

static int hs_recv_ack(struct erldist_hs *hs, const u8 *msg, size_t len)
{
	int err;

	if (len != ACK_LEN || msg[0] != HS_ACK)
		return hs_fail(hs, ERLDIST_REASON_BAD_HANDSHAKE);
	err = hs_verify(hs, msg + 1);
	if (err)
		return err;
	hs->state = HS_ST_UP;
	return HS_UP;
}

int erldist_hs_start(struct erldist_hs *hs)
{
	hs->out_len = 0;
	hs->reason = ERLDIST_REASON_NONE;
	if (hs->state != HS_ST_NONE || hs->name_len > ERLDIST_HS_NAME_MAX)
		return hs_fail(hs, ERLDIST_REASON_BAD_HANDSHAKE);
	if (!hs->acceptor)
		return hs_put_hello(hs);
	hs->state = HS_ST_WAIT_NAME;
	return HS_WAIT;
}

int erldist_hs_recv(struct erldist_hs *hs, const u8 *msg, size_t len)
{
	hs->out_len = 0;
	if (hs->state == HS_ST_FAILED)
		return -EPROTO;
	if (!len || len > ERLDIST_HS_MSG_MAX)
		return hs_fail(hs, ERLDIST_REASON_BAD_HANDSHAKE);
	switch (hs->state) {
	case HS_ST_WAIT_NAME:
		return hs_recv_name(hs, msg, len);
	case HS_ST_WAIT_TRUE:
		return hs_recv_true(hs, msg, len);
	case HS_ST_WAIT_REPLY:
		return hs_recv_reply(hs, msg, len);
	case HS_ST_WAIT_STATUS:
		return hs_recv_status(hs, msg, len);
	case HS_ST_WAIT_CHALLENGE:
		return hs_recv_challenge(hs, msg, len);
	case HS_ST_WAIT_ACK:
		return hs_recv_ack(hs, msg, len);
	default:
		return hs_fail(hs, ERLDIST_REASON_BAD_HANDSHAKE);
	}
}
