/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the pure files (etf.c, control.c, handshake.c) need of their
 * surroundings, in the kernel and in user space.
 */
#ifndef _ERLDIST_PURE_H
#define _ERLDIST_PURE_H

#ifdef __KERNEL__

#include <linux/build_bug.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/random.h>
#include <linux/sched.h>
#include <linux/siphash.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/types.h>
#include <uapi/linux/erldist_netlink.h>
#include "compat.h"

#define pure_realloc(p, old, new)	erldist_kvrealloc(p, old, new)
#define pure_free(p)			kvfree(p)
#define pure_resched()			cond_resched()
#define pure_random(p, len)		get_random_bytes(p, len)

#else

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <linux/erldist_netlink.h>
#include <linux/types.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;
typedef __s64 s64;

#define BIT_ULL(n)	(1ULL << (n))
#define min(a, b) ({		\
	__auto_type _x = (a);	\
	__auto_type _y = (b);	\
	_x < _y ? _x : _y;	\
})

#define max(a, b) ({		\
	__auto_type _x = (a);	\
	__auto_type _y = (b);	\
	_x > _y ? _x : _y;	\
})

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define fallthrough	__attribute__((__fallthrough__))

#define min_t(type, a, b)	min((type)(a), (type)(b))

static inline u16 get_unaligned_be16(const void *p)
{
	const u8 *b = p;

	return b[0] << 8 | b[1];
}

static inline u32 get_unaligned_be32(const void *p)
{
	return (u32)get_unaligned_be16(p) << 16 |
	       get_unaligned_be16((const u8 *)p + 2);
}

static inline u64 get_unaligned_be64(const void *p)
{
	return (u64)get_unaligned_be32(p) << 32 |
	       get_unaligned_be32((const u8 *)p + 4);
}

static inline void put_unaligned_be16(u16 v, void *p)
{
	u8 *b = p;

	b[0] = v >> 8;
	b[1] = v;
}

static inline void put_unaligned_be32(u32 v, void *p)
{
	put_unaligned_be16(v >> 16, p);
	put_unaligned_be16(v, (u8 *)p + 2);
}

static inline void put_unaligned_be64(u64 v, void *p)
{
	put_unaligned_be32(v >> 32, p);
	put_unaligned_be32(v, (u8 *)p + 4);
}

/* The kernel's siphash_2u64(), which is SipHash-2-4 of both words */
#define siphash_key_t struct pure_siphash_key

siphash_key_t {
	u64 key[2];
};

static inline u64 pure_rol64(u64 v, unsigned int n)
{
	return v << n | v >> (64 - n);
}

static inline void pure_sipround(u64 v[4], unsigned int rounds)
{
	while (rounds--) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = pure_rol64(v[1], 13) ^ v[0];
		v[3] = pure_rol64(v[3], 16) ^ v[2];
		v[0] = pure_rol64(v[0], 32);
		v[2] += v[1];
		v[0] += v[3];
		v[1] = pure_rol64(v[1], 17) ^ v[2];
		v[3] = pure_rol64(v[3], 21) ^ v[0];
		v[2] = pure_rol64(v[2], 32);
	}
}

static inline u64 siphash_2u64(u64 a, u64 b, const siphash_key_t *key)
{
	u64 m[3] = { a, b, 16ULL << 56 };
	u64 v[4] = {
		0x736f6d6570736575ULL ^ key->key[0],
		0x646f72616e646f6dULL ^ key->key[1],
		0x6c7967656e657261ULL ^ key->key[0],
		0x7465646279746573ULL ^ key->key[1],
	};

	for (size_t i = 0; i < ARRAY_SIZE(m); i++) {
		v[3] ^= m[i];
		pure_sipround(v, 2);
		v[0] ^= m[i];
	}
	v[2] ^= 0xff;
	pure_sipround(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static inline void *pure_realloc(void *p, size_t old, size_t new)
{
	(void)old;
	return realloc(p, new);
}

#define pure_free(p)			free(p)
#define pure_resched()			do { } while (0)
/* Tests shall be repeatable */
#define pure_random(p, len)		memset(p, 0x5a, len)

#endif /* __KERNEL__ */

#endif /* _ERLDIST_PURE_H */
