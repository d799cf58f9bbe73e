/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The handshake, version 6, as a state machine: one whole message in, one
 * verdict out. Pure: it owns no socket, sleeps nowhere, and knows no node but
 * by the configuration it is given. erts lib/kernel/src/dist_util.erl.
 */
#ifndef _ERLDIST_HANDSHAKE_H
#define _ERLDIST_HANDSHAKE_H

#include "pure.h"
#include "wire.h"

#define ERLDIST_HS_NAME_MAX	255
/* Longest message either side sends; a longer one is refused by its length */
#define ERLDIST_HS_MSG_MAX	(19 + ERLDIST_HS_NAME_MAX + 64)

/* What the caller does next. */
enum erldist_hs_verdict {
	HS_WAIT,	/* for the next message */
	HS_SEND,	/* send out[0..out_len), then wait */
	HS_DECIDE,	/* acceptor: the name is known: erldist_hs_decide() */
	HS_ALIVE,	/* initiator: told "alive": erldist_hs_alive() */
	HS_NOK,		/* initiator: told "nok": the peer's connection wins, wait */
	HS_PROVEN,	/* acceptor: the peer has the cookie: erldist_hs_accept() */
	HS_UP,		/* done; when out_len, send out first */
};

enum erldist_hs_status {
	HS_STATUS_OK,
	HS_STATUS_OK_SIMULTANEOUS,
	HS_STATUS_NOK,
	HS_STATUS_NOT_ALLOWED,
	HS_STATUS_ALIVE,
};

enum erldist_hs_state {
	HS_ST_NONE,
	HS_ST_WAIT_NAME,	/* acceptor */
	HS_ST_DECIDING,
	HS_ST_WAIT_TRUE,	/* said alive */
	HS_ST_WAIT_REPLY,
	HS_ST_PROVEN,
	HS_ST_WAIT_STATUS,	/* initiator */
	HS_ST_ASKED_ALIVE,
	HS_ST_WAIT_CHALLENGE,
	HS_ST_WAIT_ACK,
	HS_ST_UP,
	HS_ST_FAILED,		/* also after HS_NOK: nothing more may come */
};

/**
 * struct erldist_hs - one handshake
 * @state: HS_ST_NONE before erldist_hs_start()
 * @acceptor: the peer dialled
 * @name: ours; not copied, at most ERLDIST_HS_NAME_MAX bytes
 * @name_len: its length
 * @creation: ours
 * @flags: ours, all that are offered
 * @demand: flags the peer must have
 * @cookie: shared with this peer; not copied; it may be set as late as
 *	erldist_hs_decide()
 * @cookie_len: its length; without a cookie nothing is proven (-ENOKEY)
 * @challenge: ours, random, set before the first message
 * @peer_flags: what the peer offers, DFLAG_MANDATORY_25 added where its digest
 *	is set
 * @peer_creation: the peer's
 * @peer_challenge: the peer's
 * @peer_name_len: length of @peer_name
 * @peer_name: initiator: whom we dialled, set before; acceptor: who came
 * @missing: flags the peer lacks, when @reason says so
 * @reason: enum erldist_reason, after -EPROTO and HS_NOK
 * @out_len: bytes of @out
 * @out: messages to send, each behind its length
 * @framing: bytes of a length: 2 or 4
 *
 * All but the results is set by the caller, the rest is 0. What is known of the
 * peer is valid from HS_DECIDE (acceptor) or HS_UP (initiator) on. Not locked:
 * one thread at a time.
 */
struct erldist_hs {
	enum erldist_hs_state state;
	bool acceptor;

	const char *name;
	u16 name_len;
	u32 creation;
	u64 flags;
	u64 demand;
	const u8 *cookie;
	u16 cookie_len;
	u32 challenge;

	u64 peer_flags;
	u32 peer_creation;
	u32 peer_challenge;
	u16 peer_name_len;
	char peer_name[ERLDIST_HS_NAME_MAX + 1];

	u64 missing;
	u8 reason;
	u16 out_len;
	u8 out[2 * ERLDIST_HS_MSG_MAX];
	u8 framing;
};

/**
 * erldist_digest() - MD5 of the cookie and the challenge in decimal
 * @cookie: bytes
 * @len: how many
 * @challenge: the one to be answered
 * @digest: the answer
 *
 * Given by the surroundings (kernel crypto; the unit tests' own).
 *
 * Return: 0, or a negative errno (MD5 may be unavailable).
 */
int erldist_digest(const u8 *cookie, size_t len, u32 challenge,
		   u8 digest[HS_DIGEST_LEN]);

/**
 * erldist_digest_equal() - compare digests in constant time
 * @a: one
 * @b: the other
 *
 * Given by the surroundings, too.
 */
bool erldist_digest_equal(const u8 *a, const u8 *b);

/*
 * All of these return a verdict, or -EPROTO (reason says what was wrong; when
 * out_len is not 0, out is still to be sent before closing), or what
 * erldist_digest() returned. Each begins with out empty.
 */

/**
 * erldist_hs_start() - begin
 * @hs: configured
 *
 * Return: HS_WAIT (acceptor) or HS_SEND (initiator).
 */
int erldist_hs_start(struct erldist_hs *hs);

/**
 * erldist_hs_recv() - a message has come
 * @hs: the handshake
 * @msg: the message without its length
 * @len: bytes, up to ERLDIST_HS_MSG_MAX
 *
 * Return: any verdict.
 */
int erldist_hs_recv(struct erldist_hs *hs, const u8 *msg, size_t len);

/**
 * erldist_hs_decide() - answer to HS_DECIDE
 * @hs: the handshake
 * @status: what to tell the peer
 *
 * Return: HS_SEND, or -EPROTO for HS_STATUS_NOK (reason NOK) and
 * HS_STATUS_NOT_ALLOWED (reason NOT_ALLOWED).
 */
int erldist_hs_decide(struct erldist_hs *hs, enum erldist_hs_status status);

/**
 * erldist_hs_alive() - answer to HS_ALIVE
 * @hs: the handshake
 * @wanted: replace the connection that the peer still has
 *
 * Return: HS_SEND, or -EPROTO (reason ALIVE) when not wanted.
 */
int erldist_hs_alive(struct erldist_hs *hs, bool wanted);

/**
 * erldist_hs_accept() - answer to HS_PROVEN, when an old connection is gone
 * @hs: the handshake
 *
 * Return: HS_UP, with the last message to be sent.
 */
int erldist_hs_accept(struct erldist_hs *hs);

/**
 * erldist_name_valid() - check a node name
 * @name: bytes
 * @len: how many
 *
 * The rules of OTP: one @, alive part of [-_A-Za-z0-9], a host; printable ASCII,
 * up to ERLDIST_HS_NAME_MAX bytes.
 */
bool erldist_name_valid(const char *name, size_t len);

#endif /* _ERLDIST_HANDSHAKE_H */
