// SPDX-License-Identifier: LGPL-2.1-or-later
/* RFC 1321, which the proof of a cookie is made with. Of short texts. */
#include <endian.h>
#include <string.h>

#include "internal.h"

/* floor(2^32 * abs(sin(i + 1))) */
static const uint32_t sines[64] = {
	0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a,
	0xa8304613, 0xfd469501, 0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be,
	0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821, 0xf61e2562, 0xc040b340,
	0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
	0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8,
	0x676f02d9, 0x8d2a4c8a, 0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c,
	0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70, 0x289b7ec6, 0xeaa127fa,
	0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
	0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92,
	0xffeff47d, 0x85845dd1, 0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1,
	0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
};

static const uint8_t shifts[4][4] = {
	{ 7, 12, 17, 22 }, { 5, 9, 14, 20 }, { 4, 11, 16, 23 }, { 6, 10, 15, 21 },
};

static uint32_t mix(int i, uint32_t b, uint32_t c, uint32_t d)
{
	switch (i / 16) {
	case 0:
		return (b & c) | (~b & d);
	case 1:
		return (d & b) | (~d & c);
	case 2:
		return b ^ c ^ d;
	default:
		return c ^ (b | ~d);
	}
}

static int word_of(int i)
{
	static const uint8_t mul[4] = { 1, 5, 3, 7 }, add[4] = { 0, 1, 5, 0 };

	return (i * mul[i / 16] + add[i / 16]) % 16;
}

static void block(uint32_t h[4], const uint8_t *p)
{
	uint32_t a = h[0], b = h[1], c = h[2], d = h[3], f, w[16];
	int i, s;

	memcpy(w, p, sizeof(w));
	for (i = 0; i < 64; i++) {
		s = shifts[i / 16][i % 4];
		f = mix(i, b, c, d) + a + sines[i] + le32toh(w[word_of(i)]);
		a = d;
		d = c;
		c = b;
		b += f << s | f >> (32 - s);
	}
	h[0] += a;
	h[1] += b;
	h[2] += c;
	h[3] += d;
	explicit_bzero(w, sizeof(w));
}

/* At most ED_MD5_MAX bytes */
void ed_md5(const void *text, size_t len, uint8_t digest[ED_MD5_SIZE])
{
	uint32_t h[4] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476 };
	uint8_t padded[ED_MD5_MAX + 128] = { 0 };
	size_t size = (len + 8) / 64 * 64 + 64, at;
	uint64_t bits = htole64(len * 8);
	int i;

	memcpy(padded, text, len);
	padded[len] = 0x80;
	memcpy(padded + size - sizeof(bits), &bits, sizeof(bits));
	for (at = 0; at < size; at += 64)
		block(h, padded + at);
	for (i = 0; i < 4; i++)
		h[i] = htole32(h[i]);
	memcpy(digest, h, ED_MD5_SIZE);
	explicit_bzero(padded, sizeof(padded));
}
