/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Terms and what is no term, row by row: what OTP 25 to 29 decode, and what
 * makes one of them drop the connection or end. Without the version byte.
 */
#ifndef _TERMS_H
#define _TERMS_H

#include "etf.h"

struct row {
	const char *name;
	int verdict;
	const u8 *p;
	size_t len;
};

#define ROW(verdict, name, ...) \
	{ name, verdict, (const u8[]){ __VA_ARGS__ }, \
	  sizeof((const u8[]){ __VA_ARGS__ }) }
#define YES(...)	ROW(0, __VA_ARGS__)
#define NO(...)		ROW(-EINVAL, __VA_ARGS__)

/* The receiving node of the rules, and another one */
#define PEER_NAME	"p@h"
#define PEER_CREATION	7
#define PEER		119, 3, 'p', '@', 'h'
#define NODE		119, 3, 'x', '@', 'h'
#define CREATION7	0, 0, 0, 7
#define WORD(n)		0, 0, 0, n
#define ONES		255, 255, 255, 255
#define ATOM_A		119, 1, 'a'
#define UNIQ16		1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16
#define PID_A		88, NODE, WORD(1), WORD(2), CREATION7

/* Size 4 + 1 + 16 + 4 + 4 + atom 3 + int 2 + int 2 + pid 18, and more */
#define FUN_HEAD(more, index, free) \
	112, 0, 0, 0, 54 + (more), 2, UNIQ16, WORD(index), WORD(free)
#define FUN_A		FUN_HEAD(0, 0, 0), ATOM_A, 97, 1, 97, 2, PID_A

static const struct row rows[] = {
	YES("small integer", 97, 0),
	YES("integer", 98, 255, 255, 255, 255),
	YES("small big", 110, 8, 0, ONES, ONES),
	YES("small big, negative", 110, 1, 1, 5),
	YES("small big, odd sign", 110, 1, 77, 5),
	YES("small big of no digits", 110, 0, 0),
	YES("small big, leading zeros", 110, 4, 0, 1, 0, 0, 0),
	YES("large big", 111, 0, 0, 0, 3, 0, 1, 2, 3),
	YES("large big of no digits", 111, 0, 0, 0, 0, 1),
	NO("large big, 524281 bytes", 111, 0, 7, 0xff, 0xf9, 0),
	NO("large big, 4294967295 bytes", 111, ONES, 0),

	YES("float", 70, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0),
	YES("float, largest", 70, 0x7f, 0xef, ONES, 255, 255),
	YES("float, subnormal", 70, 0, 0, 0, 0, 0, 0, 0, 1),
	NO("float, infinity", 70, 0x7f, 0xf0, 0, 0, 0, 0, 0, 0),
	NO("float, -infinity", 70, 0xff, 0xf0, 0, 0, 0, 0, 0, 0),
	NO("float, NaN", 70, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0),
	NO("float, signalling NaN", 70, 0xff, 0xf0, 0, 0, 0, 0, 0, 1),

	YES("atom", ATOM_A),
	YES("atom, empty", 119, 0),
	YES("atom, long tag", 118, 0, 1, 'a'),
	YES("atom, latin1", 100, 0, 1, 0xe9),
	YES("atom, small latin1", 115, 2, 0xe9, 0xff),
	YES("atom, UTF-8", 119, 2, 0xc3, 0xa9),
	YES("atom, U+0800", 119, 3, 0xe0, 0xa0, 0x80),
	YES("atom, U+D7FF", 119, 3, 0xed, 0x9f, 0xbf),
	YES("atom, U+E000", 119, 3, 0xee, 0x80, 0x80),
	YES("atom, U+FFFF", 119, 3, 0xef, 0xbf, 0xbf),
	YES("atom, U+10000", 119, 4, 0xf0, 0x90, 0x80, 0x80),
	YES("atom, U+10FFFF", 119, 4, 0xf4, 0x8f, 0xbf, 0xbf),
	NO("atom, U+110000", 119, 4, 0xf4, 0x90, 0x80, 0x80),
	NO("atom, F5", 119, 4, 0xf5, 0x80, 0x80, 0x80),
	NO("atom, overlong in 2", 119, 2, 0xc1, 0xbf),
	NO("atom, overlong in 3", 119, 3, 0xe0, 0x9f, 0xbf),
	NO("atom, overlong in 4", 119, 4, 0xf0, 0x8f, 0xbf, 0xbf),
	NO("atom, surrogate", 119, 3, 0xed, 0xa0, 0x80),
	NO("atom, cut sequence", 119, 2, 'a', 0xc3),
	NO("atom, sequence cut by a letter", 119, 3, 0xe2, 0x82, 'a'),
	NO("atom, lone continuation", 119, 1, 0x80),
	NO("atom, 1021 bytes announced", 118, 3, 0xfd),
	NO("atom, latin1, 256 bytes announced", 100, 1, 0),

	YES("nil", 106),
	YES("string", 107, 0, 3, 1, 2, 255),
	YES("string, empty", 107, 0, 0),
	YES("list", 108, 0, 0, 0, 2, 97, 1, 97, 2, 106),
	YES("list, improper", 108, 0, 0, 0, 1, 97, 1, 97, 2),
	YES("list of none", 108, 0, 0, 0, 0, 97, 1),
	YES("list, reply tag", 108, 0, 0, 0, 1, 119, 5, 'a', 'l', 'i', 'a', 's',
	    90, 0, 1, NODE, CREATION7, WORD(1)),
	YES("tuple, empty", 104, 0),
	YES("tuple", 104, 2, 106, 97, 1),
	YES("tuple, large", 105, 0, 0, 0, 1, 106),
	YES("tuple, large and empty", 105, 0, 0, 0, 0),
	NO("tuple of 2^24", 105, 1, 0, 0, 0),
	NO("tuple of 2^32 - 1", 105, ONES),

	YES("binary", 109, 0, 0, 0, 3, 1, 2, 3),
	YES("binary, empty", 109, 0, 0, 0, 0),
	YES("bit binary, 8 bits", 77, 0, 0, 0, 1, 8, 255),
	YES("bit binary, 1 bit", 77, 0, 0, 0, 2, 1, 255, 128),
	YES("bit binary, unused bits set", 77, 0, 0, 0, 1, 3, 255),
	YES("bit binary, empty", 77, 0, 0, 0, 0, 0),
	NO("bit binary, 0 bits", 77, 0, 0, 0, 1, 0, 106),
	NO("bit binary, 9 bits", 77, 0, 0, 0, 1, 9, 106),
	NO("bit binary, bits of nothing", 77, 0, 0, 0, 0, 1, 106),

	YES("map, empty", 116, 0, 0, 0, 0),
	YES("map", 116, 0, 0, 0, 1, 97, 1, 97, 1),
	YES("map of two", 116, 0, 0, 0, 2, 97, 1, 97, 1, 97, 2, 97, 1),
	YES("map in a map's key", 116, 0, 0, 0, 2,
	    116, 0, 0, 0, 1, 97, 1, 106, 97, 1,
	    116, 0, 0, 0, 1, 97, 1, 104, 0, 97, 1),
	NO("map, duplicate key", 116, 0, 0, 0, 2, 97, 1, 97, 1, 97, 1, 97, 2),
	NO("map, duplicate key in other tags", 116, 0, 0, 0, 2,
	   97, 1, 106, 98, 0, 0, 0, 1, 106),
	NO("map, duplicate key in a value", 104, 2, 106, 116, 0, 0, 0, 2,
	   97, 1, 106, 97, 2, 116, 0, 0, 0, 2, 106, 106, 106, 106),
	NO("map, keys 0.0 and -0.0", 116, 0, 0, 0, 2,
	   70, 0, 0, 0, 0, 0, 0, 0, 0, 106, 70, 0x80, 0, 0, 0, 0, 0, 0, 0, 106),

	YES("pid", 88, NODE, ONES, ONES, CREATION7),
	YES("pid, old", 103, NODE, ONES, ONES, 3),
	NO("pid, old, creation 4", 103, NODE, WORD(1), WORD(1), 4),
	YES("pid of the peer", 88, PEER, 15, 255, 255, 255, ONES, CREATION7),
	NO("pid of the peer, 2^28", 88, PEER, 16, 0, 0, 0, WORD(0), CREATION7),
	YES("pid of the peer, 2^28, other creation", 88, PEER, 16, 0, 0, 0,
	    WORD(0), WORD(8)),
	NO("pid of the peer, 2^28, latin1 name", 88, 100, 0, 3, 'p', '@', 'h',
	   16, 0, 0, 0, WORD(0), CREATION7),
	YES("pid of a peer with a longer name", 88, 119, 4, 'p', '@', 'h', 'h',
	    16, 0, 0, 0, WORD(0), CREATION7),
	YES("pid of a peer with a shorter name", 88, 119, 2, 'p', '@',
	    16, 0, 0, 0, WORD(0), CREATION7),
	NO("pid whose node is a binary", 88, 109, 0, 0, 0, 1, 'a',
	   WORD(1), WORD(1), CREATION7),
	NO("pid whose node is a number", 88, 97, 1, WORD(1), WORD(1), CREATION7),
	NO("pid in a pid", 88, PID_A, WORD(1), WORD(1), CREATION7),

	YES("port, v4", 120, NODE, ONES, ONES, CREATION7),
	YES("port, new", 89, NODE, ONES, CREATION7),
	YES("port, old", 102, NODE, ONES, 3),
	NO("port, old, creation 4", 102, NODE, WORD(1), 4),
	YES("port of the peer", 120, PEER, WORD(0), 15, 255, 255, 255, CREATION7),
	NO("port of the peer, 2^28", 120, PEER, WORD(0), 16, 0, 0, 0, CREATION7),
	NO("port of the peer, 2^64 - 1", 120, PEER, ONES, ONES, CREATION7),
	NO("port of the peer, new tag, 2^28", 89, PEER, 16, 0, 0, 0, CREATION7),
	NO("port whose node is nil", 120, 106, ONES, ONES, CREATION7),

	YES("reference", 90, 0, 3, NODE, CREATION7, ONES, ONES, ONES),
	YES("reference of 1 word", 90, 0, 1, NODE, CREATION7, ONES),
	YES("reference of 5 words", 90, 0, 5, NODE, CREATION7, ONES, ONES, ONES,
	    ONES, ONES),
	NO("reference of 6 words", 90, 0, 6, NODE, CREATION7, ONES, ONES, ONES,
	   ONES, ONES, ONES),
	NO("reference of 0 words", 90, 0, 0, NODE, CREATION7),
	YES("reference, new", 114, 0, 2, NODE, 3, 0, 3, 255, 255, ONES),
	NO("reference, new, creation 4", 114, 0, 1, NODE, 4, WORD(1)),
	NO("reference, new, 2^18", 114, 0, 1, NODE, 3, 0, 4, 0, 0),
	YES("reference, old", 101, NODE, 0, 3, 255, 255, 0),
	NO("reference, old, creation 4", 101, NODE, WORD(1), 4),
	NO("reference, old, 2^18", 101, NODE, 0, 4, 0, 0, 0),
	YES("reference of the peer", 90, 0, 3, PEER, CREATION7, 0, 3, 255, 255,
	    ONES, ONES),
	NO("reference of the peer, 2^18", 90, 0, 3, PEER, CREATION7, 0, 4, 0, 0,
	   ONES, ONES),
	YES("reference of the peer, 2^18, other creation", 90, 0, 1, PEER,
	    WORD(6), 0, 4, 0, 0),
	NO("reference whose node is a tuple", 90, 0, 1, 104, 0, CREATION7, ONES),

	YES("fun", FUN_A),
	YES("fun of a free variable", FUN_HEAD(2, 1, 1), ATOM_A, 97, 1, 97, 2,
	    PID_A, 97, 1),
	YES("fun, uniq in other encodings", FUN_HEAD(11, 1, 0), ATOM_A,
	    98, ONES, 110, 7, 1, ONES, 255, 255, 255, PID_A),
	NO("fun, uniq of 8 bytes", FUN_HEAD(12, 1, 0), ATOM_A, 98, ONES,
	   110, 8, 1, ONES, ONES, PID_A),
	NO("fun, size too large", FUN_HEAD(1, 1, 0), ATOM_A, 97, 1, 97, 2, PID_A),
	NO("fun, size too small", FUN_HEAD(-1, 1, 0), ATOM_A, 97, 1, 97, 2, PID_A),
	NO("fun, module is a binary", FUN_HEAD(3, 1, 0), 109, 0, 0, 0, 1, 'a',
	   97, 1, 97, 2, PID_A),
	NO("fun, index is an atom", FUN_HEAD(1, 1, 0), ATOM_A, ATOM_A, 97, 2, PID_A),
	NO("fun, uniq is nil", FUN_HEAD(-1, 1, 0), ATOM_A, 97, 1, 106, PID_A),
	NO("fun, creator is an atom", FUN_HEAD(-15, 1, 0), ATOM_A, 97, 1, 97, 2,
	   ATOM_A),
	NO("fun of 256 free variables", 112, 0, 0, 1, 200, 2, UNIQ16, WORD(1),
	   0, 0, 1, 0, ATOM_A, 97, 1, 97, 2, PID_A),
	NO("fun, bad free variable", FUN_HEAD(3, 1, 1), ATOM_A, 97, 1, 97, 2,
	   PID_A, 119, 1, 0x80),

	YES("export", 113, ATOM_A, ATOM_A, 97, 255),
	YES("export, arity as integer", 113, ATOM_A, ATOM_A, 98, 0, 0, 0, 3),
	NO("export, arity 256", 113, ATOM_A, ATOM_A, 98, 0, 0, 1, 0),
	NO("export, arity 300", 113, ATOM_A, ATOM_A, 98, 0, 0, 1, 44),
	NO("export, arity -1", 113, ATOM_A, ATOM_A, 98, ONES),
	NO("export, arity is an atom", 113, ATOM_A, ATOM_A, ATOM_A),
	NO("export, module is a string", 113, 107, 0, 1, 'a', ATOM_A, 97, 1),
	NO("export, function is nil", 113, ATOM_A, 106, 97, 1),

	NO("fun, old", 117, WORD(0), PID_A, ATOM_A, 97, 1, 97, 1),
	NO("version", 131, 97, 1),
	NO("version inside", 104, 1, 131, 97, 1),
	NO("compressed", 80, 0, 0, 0, 2, 0x78, 0x9c),
	NO("local", 121, 0, 0, 0, 0, 97, 1),
	NO("atom cache reference", 82, 0),
	NO("record", 67, 0, 0, 0, 0),
	NO("atom by index", 73, 0, 1),
	NO("tag 0", 0),
	NO("tag 255", 255),
};

/*
 * Terms that are equal as keys of a map although they look different, and
 * after them others that look alike and are not.
 */
struct pair {
	const char *name;
	struct row a, b;
};

#define T(...)	{ NULL, 0, (const u8[]){ __VA_ARGS__ }, \
		  sizeof((const u8[]){ __VA_ARGS__ }) }

static const struct pair equal[] = {
	{ "1", T(97, 1), T(98, 0, 0, 0, 1) },
	{ "1, small big", T(97, 1), T(110, 1, 0, 1) },
	{ "1, large big", T(97, 1), T(111, 0, 0, 0, 3, 0, 1, 0, 0) },
	{ "256", T(98, 0, 0, 1, 0), T(110, 3, 0, 0, 1, 0) },
	{ "-1", T(98, ONES), T(110, 1, 1, 1) },
	{ "-2^31", T(98, 128, 0, 0, 0), T(110, 4, 5, 0, 0, 0, 128) },
	{ "0", T(97, 0), T(110, 0, 0) },
	{ "0, negative", T(97, 0), T(110, 1, 1, 0) },
	{ "2^72", T(110, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
	  T(111, 0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0) },
	{ "0.0", T(70, 0, 0, 0, 0, 0, 0, 0, 0), T(70, 128, 0, 0, 0, 0, 0, 0, 0) },
	{ "atom", T(119, 1, 'a'), T(100, 0, 1, 'a') },
	{ "atom e acute", T(119, 2, 0xc3, 0xa9), T(115, 1, 0xe9) },
	{ "atom y diaeresis", T(118, 0, 2, 0xc3, 0xbf), T(100, 0, 1, 0xff) },
	{ "empty list", T(106), T(107, 0, 0) },
	{ "list of none", T(106), T(108, 0, 0, 0, 0, 106) },
	{ "list of none and a tail", T(97, 1), T(108, 0, 0, 0, 0, 97, 1) },
	{ "string", T(107, 0, 2, 1, 2), T(108, 0, 0, 0, 2, 97, 1, 97, 2, 106) },
	{ "string as tail", T(107, 0, 2, 1, 2), T(108, 0, 0, 0, 1, 98, 0, 0, 0, 1,
						  107, 0, 1, 2) },
	{ "list in two parts", T(108, 0, 0, 0, 2, 97, 1, 97, 2, 97, 3),
	  T(108, 0, 0, 0, 1, 97, 1, 108, 0, 0, 0, 1, 97, 2, 97, 3) },
	{ "tuple", T(104, 1, 106), T(105, 0, 0, 0, 1, 106) },
	{ "nested", T(104, 2, 104, 1, 97, 1, 106), T(104, 2, 105, 0, 0, 0, 1,
						    110, 1, 0, 1, 107, 0, 0) },
	{ "binary", T(109, 0, 0, 0, 1, 7), T(77, 0, 0, 0, 1, 8, 7) },
	{ "empty binary", T(109, 0, 0, 0, 0), T(77, 0, 0, 0, 0, 0) },
	{ "bit binary, unused bits", T(77, 0, 0, 0, 2, 3, 9, 0xa0),
	  T(77, 0, 0, 0, 2, 3, 9, 0xbf) },
	{ "map in another order",
	  T(116, 0, 0, 0, 3, 97, 1, 106, 97, 2, 97, 9, 97, 3, 106),
	  T(116, 0, 0, 0, 3, 97, 3, 106, 97, 1, 107, 0, 0, 110, 1, 0, 2, 97, 9) },
	{ "map of one", T(116, 0, 0, 0, 1, 97, 1, 106),
	  T(116, 0, 0, 0, 1, 98, 0, 0, 0, 1, 107, 0, 0) },
	{ "pid", T(88, NODE, WORD(1), WORD(2), WORD(3)),
	  T(103, 100, 0, 3, 'x', '@', 'h', WORD(1), WORD(2), 3) },
	{ "port", T(120, NODE, WORD(0), WORD(2), WORD(3)),
	  T(89, NODE, WORD(2), WORD(3)) },
	{ "port, old", T(102, NODE, WORD(2), 3), T(89, NODE, WORD(2), WORD(3)) },
	{ "reference", T(90, 0, 2, NODE, WORD(3), WORD(1), WORD(2)),
	  T(114, 0, 2, NODE, 3, WORD(1), WORD(2)) },
	{ "reference, old", T(90, 0, 1, NODE, WORD(3), WORD(1)),
	  T(101, NODE, WORD(1), 3) },
	{ "reference, words of 0", T(90, 0, 1, NODE, CREATION7, WORD(1)),
	  T(90, 0, 3, NODE, CREATION7, WORD(1), WORD(0), WORD(0)) },
	{ "fun of another creator", T(FUN_A),
	  T(FUN_HEAD(0, 0, 0), ATOM_A, 97, 9, 98 - 1, 2, 88, NODE, WORD(7),
	    WORD(7), CREATION7) },
	{ "export", T(113, ATOM_A, ATOM_A, 97, 1),
	  T(113, 115, 1, 'a', ATOM_A, 98, 0, 0, 0, 1) },
};

static const struct pair different[] = {
	{ "1 and 2", T(97, 1), T(97, 2) },
	{ "1 and -1", T(97, 1), T(98, ONES) },
	{ "1 and 256", T(97, 1), T(110, 2, 0, 0, 1) },
	{ "2^64 and 2^72", T(110, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
	  T(110, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1) },
	{ "1 and 1.0", T(97, 1), T(70, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0) },
	{ "0 and 0.0", T(97, 0), T(70, 0, 0, 0, 0, 0, 0, 0, 0) },
	{ "1.0 and -1.0", T(70, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0),
	  T(70, 0xbf, 0xf0, 0, 0, 0, 0, 0, 0) },
	{ "a and b", T(119, 1, 'a'), T(119, 1, 'b') },
	{ "a and aa", T(119, 1, 'a'), T(119, 2, 'a', 'a') },
	{ "e acute and its bytes", T(119, 2, 0xc3, 0xa9), T(115, 2, 0xc3, 0xa9) },
	{ "a and <<a>>", T(119, 1, 'a'), T(109, 0, 0, 0, 1, 'a') },
	{ "a and [a]", T(119, 1, 'a'), T(107, 0, 1, 'a') },
	{ "<<>>, [], {}, 1", T(109, 0, 0, 0, 0), T(106) },
	{ "[] and {}", T(106), T(104, 0) },
	{ "{} and #{}", T(104, 0), T(116, 0, 0, 0, 0) },
	{ "'' and []", T(119, 0), T(106) },
	{ "[1] and {1}", T(107, 0, 1, 1), T(104, 1, 97, 1) },
	{ "[1] and 1", T(107, 0, 1, 1), T(97, 1) },
	{ "[1,2] and [1|2]", T(107, 0, 2, 1, 2), T(108, 0, 0, 0, 1, 97, 1, 97, 2) },
	{ "[[1],2] and [1,[2]]", T(108, 0, 0, 0, 2, 107, 0, 1, 1, 97, 2, 106),
	  T(108, 0, 0, 0, 2, 97, 1, 107, 0, 1, 2, 106) },
	{ "[[1]] and [1]", T(108, 0, 0, 0, 1, 107, 0, 1, 1, 106), T(107, 0, 1, 1) },
	{ "{{1},2} and {1,{2}}", T(104, 2, 104, 1, 97, 1, 97, 2),
	  T(104, 2, 97, 1, 104, 1, 97, 2) },
	{ "{{},{}} and {{{}}}", T(104, 2, 104, 0, 104, 0), T(104, 1, 104, 1, 104, 0) },
	{ "<<1:1>> and <<128>>", T(77, 0, 0, 0, 1, 1, 128), T(109, 0, 0, 0, 1, 128) },
	{ "<<1:1>> and <<2:2>>", T(77, 0, 0, 0, 1, 1, 128), T(77, 0, 0, 0, 1, 2, 128) },
	{ "<<0>> and <<0,0>>", T(109, 0, 0, 0, 1, 0), T(109, 0, 0, 0, 2, 0, 0) },
	{ "<<1,2>> in other halves", T(104, 2, 109, 0, 0, 0, 1, 1, 109, 0, 0, 0, 1, 2),
	  T(104, 2, 109, 0, 0, 0, 2, 1, 2, 109, 0, 0, 0, 0) },
	{ "#{1=>2} and #{2=>1}", T(116, 0, 0, 0, 1, 97, 1, 97, 2),
	  T(116, 0, 0, 0, 1, 97, 2, 97, 1) },
	{ "#{1=>1,2=>2} and #{1=>2,2=>1}",
	  T(116, 0, 0, 0, 2, 97, 1, 97, 1, 97, 2, 97, 2),
	  T(116, 0, 0, 0, 2, 97, 1, 97, 2, 97, 2, 97, 1) },
	{ "pids, id", T(88, NODE, WORD(1), WORD(2), WORD(3)),
	  T(88, NODE, WORD(2), WORD(2), WORD(3)) },
	{ "pids, serial", T(88, NODE, WORD(1), WORD(2), WORD(3)),
	  T(88, NODE, WORD(1), WORD(3), WORD(3)) },
	{ "pids, creation", T(88, NODE, WORD(1), WORD(2), WORD(3)),
	  T(88, NODE, WORD(1), WORD(2), WORD(4)) },
	{ "pids, node", T(88, NODE, WORD(1), WORD(2), WORD(3)),
	  T(88, PEER, WORD(1), WORD(2), WORD(3)) },
	{ "pid and port", T(88, NODE, WORD(1), WORD(2), WORD(3)),
	  T(120, NODE, WORD(1), WORD(2), WORD(3)) },
	{ "references", T(90, 0, 2, NODE, WORD(3), WORD(1), WORD(2)),
	  T(90, 0, 2, NODE, WORD(3), WORD(1), WORD(3)) },
	{ "references, words", T(90, 0, 1, NODE, WORD(3), WORD(1)),
	  T(90, 0, 2, NODE, WORD(3), WORD(1), WORD(1)) },
	{ "references, word 4", T(90, 0, 4, NODE, WORD(3), WORD(1), WORD(2), WORD(3),
				  WORD(4)),
	  T(90, 0, 4, NODE, WORD(3), WORD(1), WORD(2), WORD(3), WORD(5)) },
	{ "funs, index", T(FUN_A),
	  T(FUN_HEAD(0, 1, 0), ATOM_A, 97, 1, 97, 2, PID_A) },
	{ "funs, free variable",
	  T(FUN_HEAD(2, 0, 1), ATOM_A, 97, 1, 97, 2, PID_A, 97, 1),
	  T(FUN_HEAD(2, 0, 1), ATOM_A, 97, 1, 97, 2, PID_A, 97, 2) },
	{ "funs, module", T(FUN_A),
	  T(FUN_HEAD(0, 0, 0), 119, 1, 'b', 97, 1, 97, 2, PID_A) },
	{ "funs, uniq", T(FUN_A),
	  T(FUN_HEAD(0, 0, 0), ATOM_A, 97, 1, 97, 3, PID_A) },
	{ "exports, module", T(113, ATOM_A, ATOM_A, 97, 1),
	  T(113, 119, 1, 'b', ATOM_A, 97, 1) },
	{ "exports, function", T(113, ATOM_A, ATOM_A, 97, 1),
	  T(113, ATOM_A, 119, 1, 'b', 97, 1) },
	{ "exports, arity", T(113, ATOM_A, ATOM_A, 97, 1),
	  T(113, ATOM_A, ATOM_A, 97, 2) },
};

#endif /* _TERMS_H */
