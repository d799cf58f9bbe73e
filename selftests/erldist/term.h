/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * External terms for the tests: a growing buffer, a writer and a reader by
 * format. The codec is the tests' own on purpose: it shares no line with what
 * it tests.
 */
#ifndef ERLDIST_TEST_TERM_H
#define ERLDIST_TEST_TERM_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct buf {
	uint8_t *p;
	size_t len;
	size_t cap;
};

void buf_free(struct buf *b);

/* A buffer that lives as long as its block */
#define DEFINE_BUF(name) struct buf name __attribute__((cleanup(buf_free))) = { 0 }

struct slice {
	const uint8_t *p;
	size_t len;
};

struct epid {
	char node[512];
	uint32_t id;
	uint32_t serial;
	uint32_t creation;
};

struct eref {
	char node[512];
	uint32_t creation;
	uint32_t n;
	uint32_t word[6];
};

uint8_t *buf_grow(struct buf *b, size_t n);
void buf_add(struct buf *b, const void *p, size_t n);
void buf_u8(struct buf *b, uint8_t v);
void buf_be16(struct buf *b, uint16_t v);
void buf_be32(struct buf *b, uint32_t v);
void buf_be64(struct buf *b, uint64_t v);
/* "83 61 01": blanks are for the reader */
struct buf *buf_hex(struct buf *b, const char *hex);
bool buf_eq(const struct buf *a, const struct buf *b);
void buf_dump(const char *what, const struct buf *b);

uint16_t get16(const uint8_t *p);
uint32_t get32(const uint8_t *p);
uint64_t get64(const uint8_t *p);

/**
 * fmt() - append a term, without version byte
 * @b: where
 * @f: { } tuple, [ ] list, | before an improper tail, a atom (char *),
 *     i integer (int), u integer (uint64_t), b binary (char *),
 *     B binary (const void *, size_t), p pid (struct epid *), r reference
 *     (struct eref *), t a term as it is (struct buf *)
 *
 * Commas and blanks are skipped. Returns @b.
 */
struct buf *fmt(struct buf *b, const char *f, ...);
/* Like fmt(), and forgets first what was in it. */
struct buf *term(struct buf *b, const char *f, ...);

/* Length of the term at p, or -1 when it is none. */
ssize_t term_len(const uint8_t *p, size_t len);

/**
 * scan() - take a term apart
 * @p: the term
 * @len: bytes there; what follows the term is not looked at
 * @f: as for fmt(): a (char[512]), i (int64_t *), u (uint64_t *),
 *     p (struct epid *), r (struct eref *), t any (struct slice *), _ any
 *
 * Returns the length of the term, or -1 when it has another shape.
 */
ssize_t scan(const uint8_t *p, size_t len, const char *f, ...);

bool pid_eq(const struct epid *a, const struct epid *b);
bool ref_eq(const struct eref *a, const struct eref *b);

#endif /* ERLDIST_TEST_TERM_H */
