/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * External term format: bounded reading, writing, and the scanner that checks
 * what leaves this node. Pure: compiles in user space as well (pure.h).
 */
#ifndef _ERLDIST_ETF_H
#define _ERLDIST_ETF_H

#include "pure.h"

#define ETF_ATOM_CHARS		255	/* longest atom, characters */
#define ETF_ATOM_BYTES		1020	/* the same as UTF-8 */
#define ETF_ATOM_SIZE		(3 + ETF_ATOM_BYTES)
#define ETF_PID_SIZE		(1 + ETF_ATOM_SIZE + 12)
#define ETF_REF_WORDS		5
#define ETF_REF_SIZE		(3 + ETF_ATOM_SIZE + 4 + 4 * ETF_REF_WORDS)
#define ETF_U64_SIZE		11

enum etf_tag {
	ETF_VERSION		= 131,
	ETF_SMALL_INTEGER	= 97,
	ETF_INTEGER		= 98,
	ETF_FLOAT		= 99,
	ETF_NEW_FLOAT		= 70,
	ETF_SMALL_BIG		= 110,
	ETF_LARGE_BIG		= 111,
	ETF_ATOM		= 100,
	ETF_SMALL_ATOM		= 115,
	ETF_ATOM_UTF8		= 118,
	ETF_SMALL_ATOM_UTF8	= 119,
	ETF_ATOM_CACHE_REF	= 82,
	ETF_PID			= 103,
	ETF_NEW_PID		= 88,
	ETF_REFERENCE		= 101,
	ETF_NEW_REFERENCE	= 114,
	ETF_NEWER_REFERENCE	= 90,
	ETF_PORT		= 102,
	ETF_NEW_PORT		= 89,
	ETF_V4_PORT		= 120,
	ETF_SMALL_TUPLE		= 104,
	ETF_LARGE_TUPLE		= 105,
	ETF_NIL			= 106,
	ETF_STRING		= 107,
	ETF_LIST		= 108,
	ETF_BINARY		= 109,
	ETF_BIT_BINARY		= 77,
	ETF_MAP			= 116,
	ETF_NEW_FUN		= 112,
	ETF_FUN			= 117,
	ETF_EXPORT		= 113,
	ETF_RECORD		= 67,
	ETF_COMPRESSED		= 80,
	ETF_LOCAL		= 121,
};

/* What is left to read: nothing below reads at or behind end. */
struct etf_cursor {
	const u8 *p;
	const u8 *end;
};

/* The text of an atom where it stands; latin1 atoms are not converted. */
struct etf_atom {
	const u8 *text;
	u16 len;		/* bytes */
	bool latin1;
};

struct etf_pid {
	struct etf_atom node;
	u32 id;
	u32 serial;
	u32 creation;
};

struct etf_ref {
	struct etf_atom node;
	u32 creation;
	u32 n;			/* words, 1 to ETF_REF_WORDS */
	u32 word[ETF_REF_WORDS];
};

/*
 * Readers. Each takes one term and moves the cursor behind it. -EBADMSG: it is
 * no such term; -ENODATA: it may be one, and the bytes end within it. The
 * cursor is where it was after an error.
 *
 * Atoms are checked (UTF-8, up to 255 characters; none is allowed). Integers
 * may come in any encoding, with leading zeros; one that does not fit is
 * -EBADMSG. etf_skip() checks no more than it needs to find the end.
 */
int etf_get_atom(struct etf_cursor *c, struct etf_atom *atom);
int etf_get_pid(struct etf_cursor *c, struct etf_pid *pid);
int etf_get_ref(struct etf_cursor *c, struct etf_ref *ref);
int etf_get_int(struct etf_cursor *c, s64 *value);
int etf_get_u64(struct etf_cursor *c, u64 *value);
int etf_get_tuple(struct etf_cursor *c, u32 *arity);
int etf_skip(struct etf_cursor *c);

/* Atoms are equal, and hash alike, when their code points are. */
bool etf_atom_equal(const struct etf_atom *a, const struct etf_atom *b);
bool etf_atom_is(const struct etf_atom *a, const char *ascii);
u32 etf_atom_hash(const struct etf_atom *a, u32 seed);
/* A name that is well-formed: UTF-8, 1 to 255 characters (0 is an error too) */
bool etf_atom_valid(const struct etf_atom *a);

/*
 * Writers: canonical form (UTF-8, tags 119/118, 88, 90). The caller has room
 * for etf_*_size() bytes; they return the end of what was written.
 */
size_t etf_atom_size(const struct etf_atom *a);
size_t etf_pid_size(const struct etf_pid *pid);
size_t etf_ref_size(const struct etf_ref *ref);
u8 *etf_put_atom(u8 *p, const struct etf_atom *a);
u8 *etf_put_pid(u8 *p, const struct etf_pid *pid);
u8 *etf_put_ref(u8 *p, const struct etf_ref *ref);
u8 *etf_put_u64(u8 *p, u64 value);	/* at most ETF_U64_SIZE bytes */

static inline struct etf_atom etf_ascii(const char *s)
{
	return (struct etf_atom){ .text = (const u8 *)s, .len = strlen(s) };
}

/*
 * The scanner: is this one term that OTP 25 to 29 decode? It is fed in pieces
 * cut anywhere, and looks at each byte once; what a binary holds it does not
 * look at. Tuples and lists may be nested without limit, as nothing is kept of
 * them but how many terms are to come. Maps of two or more pairs need a record
 * of the keys seen, and funs one of their parts; both are allocated.
 *
 * Keys are compared by a keyed 64-bit hash of what they mean: equal keys are
 * always found, and one map in 2^64 / pairs^2 is refused wrongly.
 *
 * Refused although a BEAM decodes it: FLOAT_EXT in a map key (comparing it with
 * a NEW_FLOAT would take decimal conversion) and with a decimal comma; a fun
 * whose Size is not its size; an arity of EXPORT_EXT or an index of NEW_FUN_EXT
 * in an unusual encoding; RECORD_EXT, as no node here offers NATIVE_RECORDS.
 * And maps of more than 32 keys with two that differ only in the fourth or fifth
 * word of a reference: OTP 25 decodes these, and ends with its stack overflown,
 * as it hashes three words only and has no place for keys that hash alike.
 */

/* Parts open at one time: maps, funs, and lists within keys. Else -E2BIG */
#define ETF_SCAN_DEPTH		65536U
/* Slots for hashes of keys; room for 3 million in one map. Else -E2BIG */
#define ETF_SCAN_KEYS		(3U << 21)

/**
 * struct etf_scan_rules - what a term may hold depends on the receiver
 * @peer: name of the receiving node, UTF-8; empty: not known, no such check
 * @creation: its creation
 * @any_creation: which one is the present one is not known
 * @any_peer: nor is it known who the receiver will be
 *
 * A pid, port or reference that names the receiving node itself, in its
 * present creation, has a narrower range than one of another node.
 */
struct etf_scan_rules {
	struct etf_atom peer;
	u32 creation;
	bool any_creation;
	bool any_peer;
};

struct etf_scan_heap;

/* A UTF-8 sequence that is not complete */
struct etf_utf8 {
	u8 left;		/* bytes still to come */
	u8 lo, hi;		/* range of the next one */
};

/* Private to the scanner */
struct etf_scan {
	const struct etf_scan_rules *rules;
	struct etf_scan_heap *heap;	/* open maps and funs, NULL until needed */
	u64 left;		/* terms still to come at this level */
	u64 fed;		/* bytes, up to the end of the present piece */
	u64 hash;		/* of the key being scanned */
	u64 word;		/* bytes that are not in hash yet */
	u32 need;		/* bytes of the present item still to come */
	u32 size;		/* bytes of it that count, normalised */
	u32 zeros;		/* bignum: the last so many bytes were 0 */
	u16 chars;		/* of the present atom */
	u16 match;		/* bytes of it that are the peer's name */
	struct etf_utf8 utf8;
	u8 state;
	u8 want;		/* what kind of term must come next */
	u8 tag;			/* of the item */
	u8 outer;		/* tag of the pid, port or reference it is in */
	u8 words;		/* of that reference */
	u8 bits;		/* bit binary: Bits; bignum: sign */
	u8 have;		/* bytes in buf */
	u8 nword;		/* bytes in word */
	bool hashing;		/* within a key */
	bool brief;		/* as OTP 25 would: not all of a reference */
	bool done;
	u8 buf[32];		/* head of an item that was cut */
};

static_assert(sizeof(struct etf_scan) <= 128, "to be kept beside a message");

/* Behind the name in a pid as etf_put_pid() writes it: numbers, then creation */
#define ETF_PID_NUMBERS	8
#define ETF_PID_TAIL	12

/* Any kind of term */
#define ETF_ANY		0xff

/* Scans one term by rules, which are kept, not copied; NULL for none */
#define ETF_SCAN_INIT(r) { .rules = (r), .left = 1, .want = ETF_ANY }

/**
 * etf_scan_init() - start to scan one term
 * @s: state, to be released with etf_scan_free()
 * @rules: as for ETF_SCAN_INIT()
 */
static inline void etf_scan_init(struct etf_scan *s,
				 const struct etf_scan_rules *rules)
{
	*s = (struct etf_scan)ETF_SCAN_INIT(rules);
}

/**
 * etf_scan_feed() - scan the next piece of the term
 * @s: state
 * @p: bytes
 * @len: how many
 *
 * After an error only etf_scan_free() may follow.
 *
 * Context: may sleep, may allocate (maps).
 * Return: 0; -EINVAL: BEAM would not decode it, or bytes follow the term;
 * -ENOMEM; -E2BIG: deeper or with larger maps than the scanner follows.
 */
int etf_scan_feed(struct etf_scan *s, const u8 *p, size_t len);

/**
 * etf_scan_end() - the whole term was fed
 * @s: state
 *
 * Return: 0, or -EINVAL when the term is not complete.
 */
int etf_scan_end(struct etf_scan *s);

/**
 * etf_scan_free() - release what the scanner allocated
 * @s: state; may be freed twice, not fed again
 */
void etf_scan_free(struct etf_scan *s);

/**
 * etf_scan_term() - scan one term that lies in one piece
 * @p: bytes
 * @len: how many
 * @rules: as for etf_scan_init()
 *
 * Return: as etf_scan_feed() and etf_scan_end().
 */
int etf_scan_term(const u8 *p, size_t len, const struct etf_scan_rules *rules);

#endif /* _ERLDIST_ETF_H */
