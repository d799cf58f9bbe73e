// SPDX-License-Identifier: GPL-2.0-only
/*
 * External term format: readers, writers, and the scanner of outgoing terms.
 *
 * Nothing here trusts a length: readers work on a cursor that knows its end,
 * and the scanner on counters that only say what is still to come.
 */
#include "etf.h"

/* What a tag stands for; a set of these says which terms may come */
#define K_ATOM		0x01
#define K_PID		0x02
#define K_REF		0x04
#define K_PORT		0x08
#define K_INT		0x10
#define K_BIG		0x20
#define K_TUPLE		0x40
#define K_OTHER		0x80
#define K_NODE		(K_PID | K_REF | K_PORT)	/* has a node's name */

/* Creations of the old tags PID, PORT, REFERENCE and NEW_REFERENCE */
#define TINY_CREATION_MAX	3
/* Their references, and those of a node's own, keep word 0 below */
#define REF_WORD0_LIMIT		0x40000
/* A node's own processes and ports are numbered below */
#define OWN_ID_LIMIT		0x10000000

/*
 * Tags that may stand in a term. Head: bytes of fixed layout, with the tag;
 * tail: bytes behind the name of the node, without the words of a reference.
 */
static const struct etf_kind {
	u8 kind;
	u8 head;
	u8 tail;
} etf_kinds[256] = {
	[ETF_SMALL_INTEGER]	= { K_INT, 2, 0 },
	[ETF_INTEGER]		= { K_INT, 5, 0 },
	[ETF_SMALL_BIG]		= { K_BIG, 3, 0 },
	[ETF_LARGE_BIG]		= { K_BIG, 6, 0 },
	[ETF_FLOAT]		= { K_OTHER, 32, 0 },
	[ETF_NEW_FLOAT]		= { K_OTHER, 9, 0 },
	[ETF_ATOM]		= { K_ATOM, 3, 0 },
	[ETF_SMALL_ATOM]	= { K_ATOM, 2, 0 },
	[ETF_ATOM_UTF8]		= { K_ATOM, 3, 0 },
	[ETF_SMALL_ATOM_UTF8]	= { K_ATOM, 2, 0 },
	[ETF_PID]		= { K_PID, 1, 9 },
	[ETF_NEW_PID]		= { K_PID, 1, 12 },
	[ETF_PORT]		= { K_PORT, 1, 5 },
	[ETF_NEW_PORT]		= { K_PORT, 1, 8 },
	[ETF_V4_PORT]		= { K_PORT, 1, 12 },
	[ETF_REFERENCE]		= { K_REF, 1, 1 },
	[ETF_NEW_REFERENCE]	= { K_REF, 3, 1 },
	[ETF_NEWER_REFERENCE]	= { K_REF, 3, 4 },
	[ETF_SMALL_TUPLE]	= { K_TUPLE, 2, 0 },
	[ETF_LARGE_TUPLE]	= { K_TUPLE, 5, 0 },
	[ETF_NIL]		= { K_OTHER, 1, 0 },
	[ETF_STRING]		= { K_OTHER, 3, 0 },
	[ETF_LIST]		= { K_OTHER, 5, 0 },
	[ETF_BINARY]		= { K_OTHER, 5, 0 },
	[ETF_BIT_BINARY]	= { K_OTHER, 6, 0 },
	[ETF_MAP]		= { K_OTHER, 5, 0 },
	[ETF_NEW_FUN]		= { K_OTHER, 30, 0 },
	[ETF_EXPORT]		= { K_OTHER, 1, 0 },
};

/* Offsets in the head of a NEW_FUN */
#define FUN_SIZE	1
#define FUN_INDEX	22
#define FUN_FREE	26

static bool tag_is_latin1(u8 tag)
{
	return tag == ETF_ATOM || tag == ETF_SMALL_ATOM;
}

/* Their creation is one byte */
static bool tag_is_old(u8 tag)
{
	return tag == ETF_PID || tag == ETF_PORT || tag == ETF_REFERENCE ||
	       tag == ETF_NEW_REFERENCE;
}

/* Bytes of an atom's text, by its head */
static u16 head_text_len(const u8 *head)
{
	if (etf_kinds[head[0]].head == 2)
		return head[1];
	return get_unaligned_be16(head + 1);
}

/* Words of a reference, by its head; too many or none of them is the caller's */
static u16 head_ref_words(const u8 *head)
{
	if (head[0] == ETF_REFERENCE)
		return 1;
	return get_unaligned_be16(head + 1);
}

/*
 * Text
 */

static void utf8_start(struct etf_utf8 *u, u8 left, u8 lo, u8 hi)
{
	u->left = left;
	u->lo = lo;
	u->hi = hi;
}

/* The first byte of a sequence: no overlong ones, surrogates, or > 10FFFF */
static bool utf8_lead(struct etf_utf8 *u, u8 b)
{
	if (b < 0x80)
		return true;
	if (b < 0xc2 || b > 0xf4)
		return false;
	if (b < 0xe0)
		utf8_start(u, 1, 0x80, 0xbf);
	else if (b < 0xf0)
		utf8_start(u, 2, b == 0xe0 ? 0xa0 : 0x80, b == 0xed ? 0x9f : 0xbf);
	else
		utf8_start(u, 3, b == 0xf0 ? 0x90 : 0x80, b == 0xf4 ? 0x8f : 0xbf);
	return true;
}

static bool utf8_next(struct etf_utf8 *u, u8 b)
{
	if (!u->left)
		return utf8_lead(u, b);
	if (b < u->lo || b > u->hi)
		return false;
	utf8_start(u, u->left - 1, 0x80, 0xbf);
	return true;
}

/* Is all of it ASCII? Names mostly are. */
static bool is_ascii(const u8 *p, size_t len)
{
	u64 word, all = 0;

	for (; len >= sizeof(word); len -= sizeof(word), p += sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		all |= word;
	}
	while (len--)
		all |= *p++;
	return !(all & 0x8080808080808080ULL);
}

/* Characters of an atom, or -1 when it is none */
static int atom_chars(const struct etf_atom *a)
{
	struct etf_utf8 u = {};
	int chars = 0;
	size_t i;

	if (a->latin1 || is_ascii(a->text, a->len))
		return a->len <= ETF_ATOM_CHARS ? a->len : -1;
	if (a->len > ETF_ATOM_BYTES)
		return -1;
	for (i = 0; i < a->len; i++) {
		chars += !u.left;
		if (!utf8_next(&u, a->text[i]))
			return -1;
	}
	return !u.left && chars <= ETF_ATOM_CHARS ? chars : -1;
}

bool etf_atom_valid(const struct etf_atom *a)
{
	return atom_chars(a) > 0;
}

/* The bytes of an atom as UTF-8, one by one */
struct atom_bytes {
	const u8 *p;
	const u8 *end;
	bool latin1;
	u8 second;		/* of a latin1 character above 127 */
};

static struct atom_bytes atom_bytes(const struct etf_atom *a)
{
	return (struct atom_bytes){
		.p = a->text,
		.end = a->text + a->len,
		.latin1 = a->latin1,
	};
}

/* The next byte, or -1 */
static int atom_byte(struct atom_bytes *it)
{
	u8 b = it->second;

	it->second = 0;
	if (b)
		return b;
	if (it->p == it->end)
		return -1;
	b = *it->p++;
	if (b < 0x80 || !it->latin1)
		return b;
	it->second = 0x80 | (b & 0x3f);
	return 0xc0 | b >> 6;
}

bool etf_atom_equal(const struct etf_atom *a, const struct etf_atom *b)
{
	struct atom_bytes x = atom_bytes(a);
	struct atom_bytes y = atom_bytes(b);
	int c;

	if (a->latin1 == b->latin1)
		return a->len == b->len && !memcmp(a->text, b->text, a->len);
	do {
		c = atom_byte(&x);
		if (c != atom_byte(&y))
			return false;
	} while (c >= 0);
	return true;
}

bool etf_atom_is(const struct etf_atom *a, const char *ascii)
{
	struct etf_atom b = etf_ascii(ascii);

	return etf_atom_equal(a, &b);
}

u32 etf_atom_hash(const struct etf_atom *a, u32 seed)
{
	const siphash_key_t key = { { seed, ~(u64)seed } };
	struct atom_bytes it = atom_bytes(a);
	u64 hash = 0, word = 0;
	u32 n = 0;
	int b;

	while ((b = atom_byte(&it)) >= 0) {
		word = word << 8 | b;
		if (!(++n & 7))
			hash = siphash_2u64(hash, word, &key);
	}
	if (n & 7)
		word &= (1ULL << (n & 7) * 8) - 1;
	return siphash_2u64(hash ^ n, word, &key);
}

/*
 * Readers
 */

static int etf_open(struct etf_cursor *c, u8 kinds, const u8 **head)
{
	const struct etf_kind *k;

	if (c->p == c->end)
		return -ENODATA;
	k = &etf_kinds[*c->p];
	if (!(k->kind & kinds))
		return -EBADMSG;
	if (c->end - c->p < k->head)
		return -ENODATA;
	*head = c->p;
	c->p += k->head;
	return 0;
}

static const u8 *etf_take(struct etf_cursor *c, size_t n)
{
	const u8 *p = c->p;

	if ((size_t)(c->end - p) < n)
		return NULL;
	c->p += n;
	return p;
}

int etf_get_atom(struct etf_cursor *c, struct etf_atom *atom)
{
	struct etf_cursor t = *c;
	struct etf_atom a = {};
	const u8 *head;
	int err;

	err = etf_open(&t, K_ATOM, &head);
	if (err)
		return err;
	a.len = head_text_len(head);
	a.latin1 = tag_is_latin1(*head);
	if (a.len > (a.latin1 ? ETF_ATOM_CHARS : ETF_ATOM_BYTES))
		return -EBADMSG;
	a.text = etf_take(&t, a.len);
	if (!a.text)
		return -ENODATA;
	if (atom_chars(&a) < 0)
		return -EBADMSG;
	*atom = a;
	*c = t;
	return 0;
}

/* A term that names a node: its head, the name, and n bytes behind it */
static int etf_get_node(struct etf_cursor *c, struct etf_atom *node, size_t n,
			const u8 **tail)
{
	int err = etf_get_atom(c, node);

	if (err)
		return err;
	*tail = etf_take(c, n);
	return *tail ? 0 : -ENODATA;
}

/* -EBADMSG when the tag is an old one and the creation not */
static int etf_get_creation(u8 tag, const u8 *p, u32 *creation)
{
	if (!tag_is_old(tag))
		*creation = get_unaligned_be32(p);
	else
		*creation = *p;
	return tag_is_old(tag) && *creation > TINY_CREATION_MAX ? -EBADMSG : 0;
}

int etf_get_pid(struct etf_cursor *c, struct etf_pid *pid)
{
	struct etf_cursor t = *c;
	struct etf_pid v;
	const u8 *head, *p;
	int err;

	err = etf_open(&t, K_PID, &head);
	if (err)
		return err;
	err = etf_get_node(&t, &v.node, etf_kinds[*head].tail, &p);
	if (err)
		return err;
	v.id = get_unaligned_be32(p);
	v.serial = get_unaligned_be32(p + 4);
	err = etf_get_creation(*head, p + 8, &v.creation);
	if (err)
		return err;
	*pid = v;
	*c = t;
	return 0;
}

/* The words of a reference, and its creation, which stands in front or behind */
static int etf_get_words(u8 tag, const u8 *p, struct etf_ref *ref)
{
	size_t at = tag == ETF_REFERENCE ? 0 : etf_kinds[tag].tail;
	u32 i;

	for (i = 0; i < ref->n; i++)
		ref->word[i] = get_unaligned_be32(p + at + 4 * i);
	return etf_get_creation(tag, tag == ETF_REFERENCE ? p + 4 : p,
				&ref->creation);
}

int etf_get_ref(struct etf_cursor *c, struct etf_ref *ref)
{
	struct etf_cursor t = *c;
	struct etf_ref v = {};
	const u8 *head, *p;
	int err;

	err = etf_open(&t, K_REF, &head);
	if (err)
		return err;
	v.n = head_ref_words(head);
	if (!v.n || v.n > ETF_REF_WORDS)
		return -EBADMSG;
	err = etf_get_node(&t, &v.node, etf_kinds[*head].tail + 4 * v.n, &p);
	if (err)
		return err;
	err = etf_get_words(*head, p, &v);
	if (err)
		return err;
	*ref = v;
	*c = t;
	return 0;
}

/* The digits of a bignum, least significant first */
static int etf_get_digits(struct etf_cursor *c, u32 n, u64 *magnitude)
{
	const u8 *p = etf_take(c, n);
	u64 v = 0;

	if (!p)
		return -ENODATA;
	while (n--) {
		if (v >> 56)
			return -EBADMSG;
		v = v << 8 | p[n];
	}
	*magnitude = v;
	return 0;
}

static int etf_get_magnitude(struct etf_cursor *c, u64 *magnitude, bool *negative)
{
	const u8 *head;
	s32 v;
	int err;

	err = etf_open(c, K_INT | K_BIG, &head);
	if (err)
		return err;
	switch (*head) {
	case ETF_SMALL_BIG:
		*negative = head[2];
		return etf_get_digits(c, head[1], magnitude);
	case ETF_LARGE_BIG:
		*negative = head[5];
		return etf_get_digits(c, get_unaligned_be32(head + 1), magnitude);
	case ETF_SMALL_INTEGER:
		*negative = false;
		*magnitude = head[1];
		return 0;
	}
	v = get_unaligned_be32(head + 1);
	*negative = v < 0;
	*magnitude = v < 0 ? -(u64)v : (u64)v;
	return 0;
}

int etf_get_int(struct etf_cursor *c, s64 *value)
{
	struct etf_cursor t = *c;
	bool negative;
	u64 v;
	int err;

	err = etf_get_magnitude(&t, &v, &negative);
	if (err)
		return err;
	if (v > (1ULL << 63) - !negative)
		return -EBADMSG;
	*value = negative ? -v : v;
	*c = t;
	return 0;
}

int etf_get_u64(struct etf_cursor *c, u64 *value)
{
	struct etf_cursor t = *c;
	bool negative;
	u64 v;
	int err;

	err = etf_get_magnitude(&t, &v, &negative);
	if (err)
		return err;
	if (v && negative)
		return -EBADMSG;
	*value = v;
	*c = t;
	return 0;
}

int etf_get_tuple(struct etf_cursor *c, u32 *arity)
{
	const u8 *head;
	int err;

	err = etf_open(c, K_TUPLE, &head);
	if (err)
		return err;
	*arity = *head == ETF_SMALL_TUPLE ? head[1] : get_unaligned_be32(head + 1);
	return 0;
}

/* Bytes and terms that follow a head */
static void skip_extent(const u8 *head, u64 *bytes, u64 *terms)
{
	switch (*head) {
	case ETF_SMALL_BIG:
		*bytes = head[1];
		break;
	case ETF_STRING:
		*bytes = get_unaligned_be16(head + 1);
		break;
	case ETF_LARGE_BIG:
	case ETF_BINARY:
	case ETF_BIT_BINARY:
		*bytes = get_unaligned_be32(head + 1);
		break;
	case ETF_SMALL_TUPLE:
		*terms = head[1];
		break;
	case ETF_LARGE_TUPLE:
		*terms = get_unaligned_be32(head + 1);
		break;
	case ETF_LIST:
		*terms = (u64)get_unaligned_be32(head + 1) + 1;
		break;
	case ETF_MAP:
		*terms = (u64)get_unaligned_be32(head + 1) * 2;
		break;
	case ETF_NEW_FUN:	/* its Size may be wrong: erts ignores it, too */
		*terms = (u64)get_unaligned_be32(head + FUN_FREE) + 4;
		break;
	case ETF_EXPORT:
		*terms = 3;
		break;
	}
}

/* The rest of a pid, port or reference */
static int skip_node(struct etf_cursor *c, const u8 *head)
{
	size_t n = etf_kinds[*head].tail;
	struct etf_atom node;
	const u8 *tail;

	if (etf_kinds[*head].kind == K_REF)
		n += 4 * head_ref_words(head);
	return etf_get_node(c, &node, n, &tail);
}

static int skip_item(struct etf_cursor *c, u64 *left)
{
	u64 bytes = 0, terms = 0;
	const u8 *head;
	int err;

	err = etf_open(c, ETF_ANY, &head);
	if (err)
		return err;
	if (etf_kinds[*head].kind & K_NODE)
		return skip_node(c, head);
	if (etf_kinds[*head].kind == K_ATOM)
		bytes = head_text_len(head);
	else
		skip_extent(head, &bytes, &terms);
	if (!etf_take(c, bytes))
		return -ENODATA;
	/* Each of these takes a byte at least */
	if (terms > (size_t)(c->end - c->p))
		return -ENODATA;
	*left += terms;
	return 0;
}

int etf_skip(struct etf_cursor *c)
{
	struct etf_cursor t = *c;
	u64 left = 1;
	int err;

	do {
		err = skip_item(&t, &left);
		if (err)
			return err;
	} while (--left);
	*c = t;
	return 0;
}

/*
 * Writers
 */

/* Bytes of an atom's text as UTF-8 */
static size_t atom_text_size(const struct etf_atom *a)
{
	size_t n = a->len;
	size_t i;

	if (a->latin1)
		for (i = 0; i < a->len; i++)
			n += a->text[i] >> 7;
	return n;
}

size_t etf_atom_size(const struct etf_atom *a)
{
	size_t n = atom_text_size(a);

	return n > 255 ? 3 + n : 2 + n;
}

size_t etf_pid_size(const struct etf_pid *pid)
{
	return 1 + etf_atom_size(&pid->node) + 12;
}

size_t etf_ref_size(const struct etf_ref *ref)
{
	return 3 + etf_atom_size(&ref->node) + 4 + 4 * ref->n;
}

static u8 *etf_put_u32(u8 *p, u32 v)
{
	put_unaligned_be32(v, p);
	return p + 4;
}

u8 *etf_put_atom(u8 *p, const struct etf_atom *a)
{
	struct atom_bytes it = atom_bytes(a);
	size_t n = atom_text_size(a);
	int b;

	*p++ = n > 255 ? ETF_ATOM_UTF8 : ETF_SMALL_ATOM_UTF8;
	if (n > 255)
		*p++ = n >> 8;
	*p++ = n;
	/* Nothing is to be recoded. */
	if (n == a->len) {
		memcpy(p, a->text, n);
		return p + n;
	}
	while ((b = atom_byte(&it)) >= 0)
		*p++ = b;
	return p;
}

u8 *etf_put_pid(u8 *p, const struct etf_pid *pid)
{
	*p++ = ETF_NEW_PID;
	p = etf_put_atom(p, &pid->node);
	p = etf_put_u32(p, pid->id);
	p = etf_put_u32(p, pid->serial);
	return etf_put_u32(p, pid->creation);
}

u8 *etf_put_ref(u8 *p, const struct etf_ref *ref)
{
	u32 i;

	*p++ = ETF_NEWER_REFERENCE;
	put_unaligned_be16(ref->n, p);
	p = etf_put_atom(p + 2, &ref->node);
	p = etf_put_u32(p, ref->creation);
	for (i = 0; i < ref->n; i++)
		p = etf_put_u32(p, ref->word[i]);
	return p;
}

u8 *etf_put_u64(u8 *p, u64 value)
{
	u8 *len;

	if (value < 256) {
		*p++ = ETF_SMALL_INTEGER;
		*p++ = value;
		return p;
	}
	if (value < 1U << 31) {
		*p++ = ETF_INTEGER;
		return etf_put_u32(p, value);
	}
	*p++ = ETF_SMALL_BIG;
	len = p++;
	*p++ = 0;
	for (; value; value >>= 8)
		*p++ = value;
	*len = p - len - 2;
	return p;
}

/*
 * The scanner
 *
 * A term is a head, and what the head announces: bytes (text of an atom, raw
 * bytes) or terms. Terms to come are counted in s->left; a tuple adds to it
 * and is forgotten. Where more must be known, the count is put aside in a
 * frame and begins anew for one part of the map, fun or list, and
 * scan_next_part() decides how it goes on when the part is complete.
 *
 * Within a key everything is hashed as words: structure as hash_token(), bytes
 * and numbers as hash_data(), which cannot be taken for each other.
 */

/* Terms that may be announced; as many bytes would have to come */
#define SCAN_TERMS_MAX		0x10000000000ULL
#define SCAN_BIG_MAX		(8 * 0xffffU)	/* OTP 26: 4194240 bits */
#define SCAN_TUPLE_LIMIT	0x1000000
#define SCAN_FREE_MAX		255
#define SCAN_HASH_SLICE		65536
#define SCAN_FIRST_KEYS		64
/* OTP 25 hashes the keys of larger maps, and three words of a reference */
#define SCAN_SMALL_MAP		32
#define SCAN_BRIEF_WORDS	3
#define SCAN_NO_MATCH		0xffff

enum scan_state {
	SCAN_HEAD,
	SCAN_TEXT,
	SCAN_RAW,
	SCAN_TAIL,
};

enum scan_token {
	TOKEN_INT = 1,
	TOKEN_FLOAT,
	TOKEN_ATOM,
	TOKEN_PID,
	TOKEN_PORT,
	TOKEN_REF,
	TOKEN_TUPLE,
	TOKEN_CONS,
	TOKEN_NIL,
	TOKEN_BITS,
	TOKEN_MAP,
	TOKEN_FUN,
	TOKEN_EXPORT,
};

enum scan_frame_kind {
	FRAME_LIST,		/* in a key only: the elements */
	FRAME_MAP,
	FRAME_FUN,
	FRAME_EXPORT,
};

struct etf_scan_frame {
	u64 left;		/* s->left of the term that this is */
	u64 hash;		/* map in a key: the hash up to here */
	u64 sum;		/* map in a key: of its pairs; fun: where it ends */
	u32 count;		/* list, map: parts to come; fun: free variables */
	u32 keys;		/* map: the keys seen */
	u32 base;		/* map: where their slots begin, */
	u32 slots;		/*	and how many there are, a power of 2 */
	u8 kind;
	u8 part;		/* of a fun or export; map: 1 in a value */
	bool large;		/* map: more keys than SCAN_SMALL_MAP */
	bool hashing;		/* s->hashing and s->brief outside of it */
	bool brief;
};

struct etf_scan_heap {
	siphash_key_t key;
	struct etf_scan_frame *frame;
	u64 *slot;		/* keys seen, 0: free; the topmost map's are last */
	u32 depth;		/* frames in use */
	u32 frames;		/* and in all */
	u32 used;		/* slots in use */
	u32 slots;		/* and in all */
};

static void hash_token(struct etf_scan *s, enum scan_token token, u64 value)
{
	s->hash = siphash_2u64(s->hash, (u64)token << 56 | value, &s->heap->key);
}

static void hash_data(struct etf_scan *s, u64 word)
{
	s->hash = siphash_2u64(~s->hash, word, &s->heap->key);
}

static void hash_flush(struct etf_scan *s)
{
	if (s->nword)
		hash_data(s, s->word);
	s->nword = 0;
	s->word = 0;
}

static void hash_byte(struct etf_scan *s, u8 b)
{
	s->word = s->word << 8 | b;
	if (++s->nword == sizeof(s->word))
		hash_flush(s);
}

/* The end of bytes: their number tells what the last word holds */
static void hash_end(struct etf_scan *s, enum scan_token token, u64 value)
{
	hash_flush(s);
	hash_token(s, token, value);
}

static void hash_int(struct etf_scan *s, bool negative, u64 magnitude)
{
	u32 size = 0;

	for (; magnitude; magnitude >>= 8, size++)
		hash_byte(s, magnitude);
	hash_end(s, TOKEN_INT, (u64)negative << 32 | size);
}

static int scan_heap(struct etf_scan *s)
{
	if (s->heap)
		return 0;
	s->heap = pure_realloc(NULL, 0, sizeof(*s->heap));
	if (!s->heap)
		return -ENOMEM;
	memset(s->heap, 0, sizeof(*s->heap));
	pure_random(&s->heap->key, sizeof(s->heap->key));
	return 0;
}

static int scan_more_frames(struct etf_scan_heap *h)
{
	u32 n = h->frames ? 2 * h->frames : 8;
	struct etf_scan_frame *frame;

	if (n > ETF_SCAN_DEPTH)
		return -E2BIG;
	frame = pure_realloc(h->frame, h->frames * sizeof(*frame),
			     n * sizeof(*frame));
	if (!frame)
		return -ENOMEM;
	h->frame = frame;
	h->frames = n;
	return 0;
}

static struct etf_scan_frame *scan_top(const struct etf_scan *s)
{
	return &s->heap->frame[s->heap->depth - 1];
}

/* What comes next is a part of the term that just began */
static int scan_push(struct etf_scan *s, enum scan_frame_kind kind, u32 count)
{
	int err = scan_heap(s);

	if (!err && s->heap->depth == s->heap->frames)
		err = scan_more_frames(s->heap);
	if (err)
		return err;
	s->heap->depth++;
	*scan_top(s) = (struct etf_scan_frame){
		.left = s->left,
		.kind = kind,
		.count = count,
		.hashing = s->hashing,
		.brief = s->brief,
	};
	s->left = 1;
	return 0;
}

/* The term is complete but for being counted */
static int scan_pop(struct etf_scan *s)
{
	const struct etf_scan_frame *f = scan_top(s);

	s->left = f->left;
	s->hashing = f->hashing;
	s->brief = f->brief;
	s->heap->depth--;
	return 1;
}

/*
 * Keys
 */

static int keys_reserve(struct etf_scan_heap *h, u32 n)
{
	u32 slots = max(2 * h->slots, 256U);
	u64 *slot;

	if (n <= h->slots)
		return 0;
	if (n > ETF_SCAN_KEYS)
		return -E2BIG;
	slots = min(max(slots, n), ETF_SCAN_KEYS);
	slot = pure_realloc(h->slot, h->slots * sizeof(*slot),
			    slots * sizeof(*slot));
	if (!slot)
		return -ENOMEM;
	h->slot = slot;
	h->slots = slots;
	return 0;
}

/* Find room for hash; false when it is there */
static bool keys_insert(u64 *slot, u32 slots, u64 hash)
{
	u32 i = hash & (slots - 1);

	while (slot[i]) {
		if (slot[i] == hash)
			return false;
		i = (i + 1) & (slots - 1);
	}
	slot[i] = hash;
	return true;
}

/* The topmost map's slots are the last ones: double them behind, move down */
static int keys_grow(struct etf_scan_heap *h, struct etf_scan_frame *f)
{
	u32 slots = 2 * f->slots;
	u64 *from, *to;
	u32 i;
	int err;

	err = keys_reserve(h, f->base + f->slots + slots);
	if (err)
		return err;
	from = h->slot + f->base;
	to = from + f->slots;
	memset(to, 0, slots * sizeof(*to));
	for (i = 0; i < f->slots; i++) {
		if (from[i])
			keys_insert(to, slots, from[i]);
		if (!(i & 4095))
			pure_resched();
	}
	memmove(from, to, slots * sizeof(*to));
	f->slots = slots;
	h->used = f->base + slots;
	return 0;
}

static int keys_add(struct etf_scan_heap *h, struct etf_scan_frame *f, u64 hash)
{
	int err;

	if (f->keys + 1 > f->slots / 4 * 3) {
		err = keys_grow(h, f);
		if (err)
			return err;
	}
	f->keys++;
	return keys_insert(h->slot + f->base, f->slots, hash ? hash : 1) ? 0 : -EINVAL;
}

/* Slots for a map of so many pairs, if it holds what it announces */
static int keys_start(struct etf_scan_heap *h, struct etf_scan_frame *f)
{
	u32 slots = 4;
	int err;

	while (slots < SCAN_FIRST_KEYS && slots / 4 * 3 < f->count)
		slots *= 2;
	err = keys_reserve(h, h->used + slots);
	if (err)
		return err;
	memset(h->slot + h->used, 0, slots * sizeof(*h->slot));
	f->base = h->used;
	f->slots = slots;
	h->used += slots;
	return 0;
}

/*
 * Parts of a term
 */

static void map_start_key(struct etf_scan *s, const struct etf_scan_frame *f)
{
	s->hashing = true;
	s->brief = f->brief || f->large;
	s->hash = 0;
	s->left = 1;
}

static int map_key_end(struct etf_scan *s, struct etf_scan_frame *f)
{
	f->part = 1;
	s->hashing = f->hashing;
	s->brief = f->brief;
	s->left = 1;
	return keys_add(s->heap, f, s->hash);
}

/* In a key, the order of the pairs must not matter */
static int map_value_end(struct etf_scan *s, struct etf_scan_frame *f)
{
	if (f->hashing)
		f->sum += s->hash;
	f->part = 0;
	if (--f->count) {
		map_start_key(s, f);
		return 0;
	}
	if (f->hashing) {
		s->hash = f->hash;
		hash_data(s, f->sum);
	}
	s->heap->used = f->base;
	return scan_pop(s);
}

/* Behind the elements comes the tail, which is a term like the list itself */
static int list_next(struct etf_scan *s, struct etf_scan_frame *f)
{
	if (--f->count) {
		hash_token(s, TOKEN_CONS, 0);
		s->left = 1;
		return 0;
	}
	scan_pop(s);
	return 0;
}

/*
 * The parts of funs that come before the free variables. What a BEAM compares
 * is hashed: module, index, uniq and free variables.
 */
static const struct scan_part {
	u8 want;
	bool hashed;
} fun_parts[] = {
	{ K_ATOM, true },
	{ K_INT | K_BIG, false },
	{ K_INT | K_BIG, true },
	{ K_PID, false },
}, export_parts[] = {
	{ K_ATOM, true },
	{ K_ATOM, true },
	{ K_INT, true },
};

static void scan_start_part(struct etf_scan *s, const struct scan_part *part)
{
	s->want = part->want;
	s->hashing = part->hashed && scan_top(s)->hashing;
	s->left = 1;
}

static int export_next(struct etf_scan *s, struct etf_scan_frame *f)
{
	if (++f->part == ARRAY_SIZE(export_parts))
		return scan_pop(s);
	scan_start_part(s, &export_parts[f->part]);
	return 0;
}

static int fun_next(struct etf_scan *s, struct etf_scan_frame *f, u64 pos)
{
	if (++f->part < ARRAY_SIZE(fun_parts)) {
		scan_start_part(s, &fun_parts[f->part]);
		return 0;
	}
	if (f->part == ARRAY_SIZE(fun_parts) && f->count) {
		s->hashing = f->hashing;
		s->left = f->count;
		return 0;
	}
	return pos == f->sum ? scan_pop(s) : -EINVAL;
}

/* 0: more terms are to come; 1: the term that the parts make is complete */
static int scan_next_part(struct etf_scan *s, u64 pos)
{
	struct etf_scan_frame *f;

	if (!s->heap || !s->heap->depth) {
		s->done = true;
		return 0;
	}
	f = scan_top(s);
	switch (f->kind) {
	case FRAME_LIST:
		return list_next(s, f);
	case FRAME_MAP:
		return f->part ? map_value_end(s, f) : map_key_end(s, f);
	case FRAME_FUN:
		return fun_next(s, f, pos);
	default:
		return export_next(s, f);
	}
}

static int scan_term_end(struct etf_scan *s, const struct etf_cursor *c)
{
	u64 pos = s->fed - (c->end - c->p);
	int err = 1;

	s->state = SCAN_HEAD;
	s->want = ETF_ANY;
	s->outer = 0;
	while (err > 0 && !--s->left)
		err = scan_next_part(s, pos);
	return min(err, 0);
}

/* Count n terms more, and the present one as complete */
static int scan_add(struct etf_scan *s, const struct etf_cursor *c, u64 n)
{
	if (n > SCAN_TERMS_MAX - s->left)
		return -E2BIG;
	s->left += n;
	return scan_term_end(s, c);
}

/*
 * Items
 */

/* n bytes in one piece, or NULL when their end is yet to come */
static const u8 *scan_take(struct etf_scan *s, struct etf_cursor *c, size_t n)
{
	size_t avail = c->end - c->p;
	const u8 *p = c->p;

	if (!s->have && avail >= n) {
		c->p += n;
		return p;
	}
	avail = min(avail, n - s->have);
	memcpy(s->buf + s->have, p, avail);
	c->p += avail;
	s->have += avail;
	if (s->have < n)
		return NULL;
	s->have = 0;
	return s->buf;
}

static int scan_int(struct etf_scan *s, struct etf_cursor *c, s32 v)
{
	if (s->want == K_INT && (v < 0 || v > 255))
		return -EINVAL;
	if (s->hashing)
		hash_int(s, v < 0, v < 0 ? -(u64)v : (u64)v);
	return scan_term_end(s, c);
}

static int scan_float(struct etf_scan *s, struct etf_cursor *c, u64 v)
{
	if ((v >> 52 & 0x7ff) == 0x7ff)
		return -EINVAL;
	if (s->hashing) {
		hash_data(s, v << 1 ? v : 0);
		hash_token(s, TOKEN_FLOAT, 0);
	}
	return scan_term_end(s, c);
}

static bool is_digit(u8 b)
{
	return b >= '0' && b <= '9';
}

/* Pass over digits: how many there were */
static size_t float_digits(const u8 **p)
{
	const u8 *start = *p;

	while (is_digit(**p))
		++*p;
	return *p - start;
}

/* An exponent that ends the text; absurd ones need not be exact */
static bool float_exponent(const u8 *p, int *exponent)
{
	bool negative = false;
	int v = 0;

	*exponent = 0;
	if (!*p)
		return true;
	if (*p != 'e' && *p != 'E')
		return false;
	if (*++p == '+' || *p == '-')
		negative = *p++ == '-';
	if (!*p)
		return false;
	for (; is_digit(*p); p++)
		v = min(v * 10 + *p - '0', 10000);
	*exponent = negative ? -v : v;
	return !*p;
}

/* Is a number below infinity? 1.7976931348623157e308 is the largest */
static bool float_finite(const u8 *digit, size_t whole, int exponent)
{
	int scale = (int)whole + exponent;
	u64 v = 0;
	u32 n;

	for (; *digit == '0' || *digit == '.'; digit++)
		scale -= *digit == '0';
	if (scale != 309)
		return scale < 309 || !is_digit(*digit);
	for (n = 0; n < 17; n++) {
		digit += *digit == '.';
		v *= 10;
		if (is_digit(*digit))
			v += *digit++ - '0';
	}
	return v <= 17976931348623157ULL;
}

/* The text of a FLOAT: what sprintf("%.20e") makes, and the like of it */
static bool float_text(const u8 *p)
{
	const u8 *digit;
	size_t whole;
	int exponent;

	if (!memchr(p, 0, etf_kinds[ETF_FLOAT].head - 1))
		return false;
	if (*p == '+' || *p == '-')
		p++;
	digit = p;
	whole = float_digits(&p);
	if (!whole || *p++ != '.' || !float_digits(&p))
		return false;
	return float_exponent(p, &exponent) && float_finite(digit, whole, exponent);
}

static int scan_old_float(struct etf_scan *s, struct etf_cursor *c, const u8 *p)
{
	if (s->hashing || !float_text(p))
		return -EINVAL;
	return scan_term_end(s, c);
}

static int scan_tail(struct etf_scan *s, struct etf_cursor *c);

static int scan_text_end(struct etf_scan *s, struct etf_cursor *c)
{
	if (s->utf8.left || s->chars > ETF_ATOM_CHARS)
		return -EINVAL;
	if (s->hashing)
		hash_end(s, TOKEN_ATOM, s->size);
	if (!s->outer)
		return scan_term_end(s, c);
	s->state = SCAN_TAIL;
	return scan_tail(s, c);
}

/* One byte of a text that is compared or hashed, as UTF-8 */
static void scan_text_out(struct etf_scan *s, u8 b)
{
	const struct etf_scan_rules *r = s->rules;

	s->size++;
	if (r && s->match < r->peer.len && r->peer.text[s->match] == b)
		s->match++;
	else
		s->match = SCAN_NO_MATCH;
	if (s->hashing)
		hash_byte(s, b);
}

static void scan_text_byte(struct etf_scan *s, u8 b, bool latin1)
{
	if (!latin1 || b < 0x80) {
		scan_text_out(s, b);
		return;
	}
	scan_text_out(s, 0xc0 | b >> 6);
	scan_text_out(s, 0x80 | (b & 0x3f));
}

static int scan_text(struct etf_scan *s, struct etf_cursor *c)
{
	bool latin1 = tag_is_latin1(s->tag);
	bool out = s->hashing || s->outer;

	for (; s->need && c->p != c->end; s->need--, c->p++) {
		s->chars += latin1 || !s->utf8.left;
		if (!latin1 && !utf8_next(&s->utf8, *c->p))
			return -EINVAL;
		if (out)
			scan_text_byte(s, *c->p, latin1);
	}
	return s->need ? 0 : scan_text_end(s, c);
}

static int scan_atom(struct etf_scan *s, struct etf_cursor *c, u16 len)
{
	s->state = SCAN_TEXT;
	s->need = len;
	s->size = 0;
	s->chars = 0;
	s->match = 0;
	if (len > (tag_is_latin1(s->tag) ? ETF_ATOM_CHARS : ETF_ATOM_BYTES))
		return -EINVAL;
	return scan_text(s, c);
}

/* A pid, port or reference: the name of its node comes next */
static int scan_node(struct etf_scan *s, const u8 *head)
{
	u16 words = 0;

	if (etf_kinds[*head].kind == K_REF) {
		words = head_ref_words(head);
		if (!words || words > ETF_REF_WORDS)
			return -EINVAL;
	}
	s->words = words;
	s->outer = *head;
	s->want = K_ATOM;
	return 0;
}

static bool scan_is_own(const struct etf_scan *s, u32 creation)
{
	const struct etf_scan_rules *r = s->rules;

	if (r && r->any_peer)
		return true;
	return r && r->peer.len && s->match == r->peer.len &&
	       (r->any_creation || creation == r->creation);
}

static int scan_pid_tail(struct etf_scan *s, const u8 *p)
{
	u32 id = get_unaligned_be32(p);
	u32 creation;

	if (etf_get_creation(s->outer, p + 8, &creation))
		return -EINVAL;
	if (id >= OWN_ID_LIMIT && scan_is_own(s, creation))
		return -EINVAL;
	if (s->hashing) {
		hash_data(s, get_unaligned_be64(p));
		hash_token(s, TOKEN_PID, creation);
	}
	return 0;
}

static int scan_port_tail(struct etf_scan *s, const u8 *p)
{
	bool v4 = s->outer == ETF_V4_PORT;
	u64 id = v4 ? get_unaligned_be64(p) : get_unaligned_be32(p);
	u32 creation;

	if (etf_get_creation(s->outer, p + (v4 ? 8 : 4), &creation))
		return -EINVAL;
	if (id >= OWN_ID_LIMIT && scan_is_own(s, creation))
		return -EINVAL;
	if (s->hashing) {
		hash_data(s, id);
		hash_token(s, TOKEN_PORT, creation);
	}
	return 0;
}

static int scan_ref_tail(struct etf_scan *s, const u8 *p)
{
	struct etf_ref ref = { .n = s->words };
	u32 i;

	if (etf_get_words(s->outer, p, &ref))
		return -EINVAL;
	if (ref.word[0] >= REF_WORD0_LIMIT &&
	    (tag_is_old(s->outer) || scan_is_own(s, ref.creation)))
		return -EINVAL;
	if (!s->hashing)
		return 0;
	/* Words that are missing are 0 */
	for (i = 0; i < (s->brief ? SCAN_BRIEF_WORDS : ETF_REF_WORDS); i++)
		hash_data(s, ref.word[i]);
	hash_token(s, TOKEN_REF, ref.creation);
	return 0;
}

static int scan_tail(struct etf_scan *s, struct etf_cursor *c)
{
	const u8 *p = scan_take(s, c, etf_kinds[s->outer].tail + 4 * s->words);
	int err;

	if (!p)
		return 0;
	switch (etf_kinds[s->outer].kind) {
	case K_PID:
		err = scan_pid_tail(s, p);
		break;
	case K_PORT:
		err = scan_port_tail(s, p);
		break;
	default:
		err = scan_ref_tail(s, p);
	}
	return err ? err : scan_term_end(s, c);
}

/* A digit of a bignum; zeros at the end do not count */
static void hash_digit(struct etf_scan *s, u8 b)
{
	if (!b) {
		s->zeros++;
		return;
	}
	for (; s->zeros; s->zeros--, s->size++)
		hash_byte(s, 0);
	hash_byte(s, b);
	s->size++;
}

static void hash_raw(struct etf_scan *s, u8 b, bool last)
{
	switch (s->tag) {
	case ETF_STRING:
		hash_token(s, TOKEN_CONS, 0);
		hash_int(s, false, b);
		break;
	case ETF_SMALL_BIG:
	case ETF_LARGE_BIG:
		hash_digit(s, b);
		break;
	case ETF_BIT_BINARY:
		hash_byte(s, last ? b & (0xff << (8 - s->bits)) : b);
		break;
	default:
		hash_byte(s, b);
	}
}

static void hash_raw_end(struct etf_scan *s)
{
	switch (s->tag) {
	case ETF_STRING:
		hash_token(s, TOKEN_NIL, 0);
		break;
	case ETF_SMALL_BIG:
	case ETF_LARGE_BIG:
		hash_end(s, TOKEN_INT, (u64)(s->bits && s->size) << 32 | s->size);
		break;
	default:
		hash_end(s, TOKEN_BITS, s->size * 8ULL + s->bits - 8);
	}
}

static int scan_raw(struct etf_scan *s, struct etf_cursor *c)
{
	size_t n = c->end - c->p;
	size_t i;

	if (n > s->need)
		n = s->need;
	if (s->hashing) {
		n = min_t(size_t, n, SCAN_HASH_SLICE);
		for (i = 0; i < n; i++)
			hash_raw(s, c->p[i], i + 1 == s->need);
	}
	c->p += n;
	s->need -= n;
	if (s->need)
		return 0;
	if (s->hashing)
		hash_raw_end(s);
	return scan_term_end(s, c);
}

/* A string or a bignum; size is what there is to count to */
static int scan_bytes(struct etf_scan *s, struct etf_cursor *c, u32 len, u8 bits)
{
	s->state = SCAN_RAW;
	s->need = len;
	s->size = 0;
	s->zeros = 0;
	s->bits = bits;
	return scan_raw(s, c);
}

static int scan_big(struct etf_scan *s, struct etf_cursor *c, u32 len, u8 sign)
{
	/* In a fun, it must fit a word with a tag */
	if (len > (s->want == ETF_ANY ? SCAN_BIG_MAX : 7))
		return -EINVAL;
	return scan_bytes(s, c, len, !!sign);
}

static int scan_binary(struct etf_scan *s, struct etf_cursor *c, u32 len, u8 bits)
{
	if (bits > 8 || !bits != !len)
		return -EINVAL;
	s->state = SCAN_RAW;
	s->need = len;
	s->size = len;
	s->bits = len ? bits : 8;
	return scan_raw(s, c);
}

static int scan_tuple(struct etf_scan *s, struct etf_cursor *c, u32 arity)
{
	if (arity >= SCAN_TUPLE_LIMIT)
		return -EINVAL;
	if (s->hashing)
		hash_token(s, TOKEN_TUPLE, arity);
	return scan_add(s, c, arity);
}

static int scan_nil(struct etf_scan *s, struct etf_cursor *c)
{
	if (s->hashing)
		hash_token(s, TOKEN_NIL, 0);
	return scan_term_end(s, c);
}

/* In a key, a list must hash alike however it is cut: [a, b] is [a | [b]] */
static int scan_list(struct etf_scan *s, struct etf_cursor *c, u32 len)
{
	int err;

	if (!s->hashing)
		return scan_add(s, c, (u64)len + 1);
	if (!len)
		return 0;
	err = scan_push(s, FRAME_LIST, len);
	if (err)
		return err;
	hash_token(s, TOKEN_CONS, 0);
	return 0;
}

static int scan_map(struct etf_scan *s, struct etf_cursor *c, u32 pairs)
{
	struct etf_scan_frame *f;
	int err;

	if (s->hashing)
		hash_token(s, TOKEN_MAP, pairs);
	if (!pairs || (pairs == 1 && !s->hashing))
		return scan_add(s, c, 2ULL * pairs);
	err = scan_push(s, FRAME_MAP, pairs);
	if (err)
		return err;
	f = scan_top(s);
	f->hash = s->hash;
	f->large = pairs > SCAN_SMALL_MAP;
	map_start_key(s, f);
	return keys_start(s->heap, f);
}

static int scan_export(struct etf_scan *s)
{
	int err = scan_push(s, FRAME_EXPORT, 0);

	if (err)
		return err;
	if (s->hashing)
		hash_token(s, TOKEN_EXPORT, 0);
	scan_start_part(s, &export_parts[0]);
	return 0;
}

/* Size counts itself and what follows, not the tag */
static int scan_fun(struct etf_scan *s, const struct etf_cursor *c, const u8 *p)
{
	u64 pos = s->fed - (c->end - c->p);
	u32 size = get_unaligned_be32(p + FUN_SIZE);
	u32 free = get_unaligned_be32(p + FUN_FREE);
	int err;

	if (free > SCAN_FREE_MAX)
		return -EINVAL;
	err = scan_push(s, FRAME_FUN, free);
	if (err)
		return err;
	scan_top(s)->sum = pos - (etf_kinds[ETF_NEW_FUN].head - 1) + size;
	if (s->hashing) {
		hash_data(s, get_unaligned_be32(p + FUN_INDEX));
		hash_token(s, TOKEN_FUN, free);
	}
	scan_start_part(s, &fun_parts[0]);
	return 0;
}

static int scan_item(struct etf_scan *s, struct etf_cursor *c, const u8 *p)
{
	switch (s->tag) {
	case ETF_SMALL_INTEGER:
		return scan_int(s, c, p[1]);
	case ETF_INTEGER:
		return scan_int(s, c, get_unaligned_be32(p + 1));
	case ETF_SMALL_BIG:
		return scan_big(s, c, p[1], p[2]);
	case ETF_LARGE_BIG:
		return scan_big(s, c, get_unaligned_be32(p + 1), p[5]);
	case ETF_FLOAT:
		return scan_old_float(s, c, p + 1);
	case ETF_NEW_FLOAT:
		return scan_float(s, c, get_unaligned_be64(p + 1));
	case ETF_SMALL_TUPLE:
		return scan_tuple(s, c, p[1]);
	case ETF_LARGE_TUPLE:
		return scan_tuple(s, c, get_unaligned_be32(p + 1));
	case ETF_NIL:
		return scan_nil(s, c);
	case ETF_STRING:
		return scan_bytes(s, c, get_unaligned_be16(p + 1), 0);
	case ETF_LIST:
		return scan_list(s, c, get_unaligned_be32(p + 1));
	case ETF_BINARY:
		return scan_binary(s, c, get_unaligned_be32(p + 1),
				   get_unaligned_be32(p + 1) ? 8 : 0);
	case ETF_BIT_BINARY:
		return scan_binary(s, c, get_unaligned_be32(p + 1), p[5]);
	case ETF_MAP:
		return scan_map(s, c, get_unaligned_be32(p + 1));
	case ETF_NEW_FUN:
		return scan_fun(s, c, p);
	case ETF_EXPORT:
		return scan_export(s);
	default:
		return -EINVAL;
	}
}

static int scan_head(struct etf_scan *s, struct etf_cursor *c)
{
	const struct etf_kind *k = &etf_kinds[s->have ? s->buf[0] : *c->p];
	const u8 *p;

	if (!(k->kind & s->want))
		return -EINVAL;
	p = scan_take(s, c, k->head);
	if (!p)
		return 0;
	s->tag = *p;
	if (k->kind == K_ATOM)
		return scan_atom(s, c, head_text_len(p));
	if (k->kind & K_NODE)
		return scan_node(s, p);
	return scan_item(s, c, p);
}

static int scan_step(struct etf_scan *s, struct etf_cursor *c)
{
	switch (s->state) {
	case SCAN_HEAD:
		return s->done ? -EINVAL : scan_head(s, c);
	case SCAN_TEXT:
		return scan_text(s, c);
	case SCAN_RAW:
		return scan_raw(s, c);
	default:
		return scan_tail(s, c);
	}
}

int etf_scan_feed(struct etf_scan *s, const u8 *p, size_t len)
{
	struct etf_cursor c = { p, p + len };
	u32 n = 0;
	int err;

	s->fed += len;
	while (c.p != c.end) {
		err = scan_step(s, &c);
		if (err)
			return err;
		if (!(++n % 1024))
			pure_resched();
	}
	return 0;
}

int etf_scan_end(struct etf_scan *s)
{
	return s->done ? 0 : -EINVAL;
}

void etf_scan_free(struct etf_scan *s)
{
	if (!s->heap)
		return;
	pure_free(s->heap->frame);
	pure_free(s->heap->slot);
	pure_free(s->heap);
	s->heap = NULL;
}

int etf_scan_term(const u8 *p, size_t len, const struct etf_scan_rules *rules)
{
	struct etf_scan s;
	int err;

	etf_scan_init(&s, rules);
	err = etf_scan_feed(&s, p, len);
	if (!err)
		err = etf_scan_end(&s);
	etf_scan_free(&s);
	return err;
}
