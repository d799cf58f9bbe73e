// SPDX-License-Identifier: GPL-2.0-only
/* MD5 (RFC 1321) for the handshake, which in the kernel uses its crypto API. */
#include <stdio.h>

#include "handshake.h"
#include "md5.h"

static const u8 shift[4][4] = {
	{ 7, 12, 17, 22 }, { 5, 9, 14, 20 }, { 4, 11, 16, 23 }, { 6, 10, 15, 21 },
};

/* floor(2^32 * abs(sin(i + 1))) */
static const u32 sine[64] = {
	0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee,
	0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
	0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be,
	0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
	0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa,
	0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
	0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed,
	0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
	0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c,
	0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
	0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05,
	0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
	0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039,
	0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
	0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1,
	0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
};

int md5_error;

static u32 md5_mix(int i, u32 b, u32 c, u32 d, int *word)
{
	switch (i / 16) {
	case 0:
		*word = i;
		return (b & c) | (~b & d);
	case 1:
		*word = (5 * i + 1) % 16;
		return (d & b) | (~d & c);
	case 2:
		*word = (3 * i + 5) % 16;
		return b ^ c ^ d;
	default:
		*word = 7 * i % 16;
		return c ^ (b | ~d);
	}
}

static void md5_block(u32 state[4], const u8 *p)
{
	u32 a = state[0], b = state[1], c = state[2], d = state[3];
	u32 m[16], f;
	int i, word, n;

	for (i = 0; i < 16; i++)
		m[i] = p[4 * i] | p[4 * i + 1] << 8 | p[4 * i + 2] << 16 |
		       (u32)p[4 * i + 3] << 24;
	for (i = 0; i < 64; i++) {
		f = md5_mix(i, b, c, d, &word) + a + sine[i] + m[word];
		n = shift[i / 16][i % 4];
		a = d;
		d = c;
		c = b;
		b += f << n | f >> (32 - n);
	}
	state[0] += a;
	state[1] += b;
	state[2] += c;
	state[3] += d;
}

void md5(const void *data, size_t len, u8 digest[16])
{
	u32 state[4] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476 };
	u8 last[128] = {};
	const u8 *p = data;
	size_t n = len, i;

	for (; n >= 64; n -= 64, p += 64)
		md5_block(state, p);
	memcpy(last, p, n);
	last[n] = 0x80;
	i = n < 56 ? 56 : 120;
	for (n = 0; n < 8; n++)
		last[i + n] = (u64)len * 8 >> 8 * n;
	md5_block(state, last);
	if (i == 120)
		md5_block(state, last + 64);
	for (i = 0; i < 16; i++)
		digest[i] = state[i / 4] >> 8 * (i % 4);
}

int erldist_digest(const u8 *cookie, size_t len, u32 challenge,
		   u8 digest[HS_DIGEST_LEN])
{
	u8 text[255 + 11];
	int n;

	if (md5_error)
		return md5_error;
	memcpy(text, cookie, len);
	n = sprintf((char *)text + len, "%u", challenge);
	md5(text, len + n, digest);
	return 0;
}

bool erldist_digest_equal(const u8 *a, const u8 *b)
{
	return !memcmp(a, b, HS_DIGEST_LEN);
}
