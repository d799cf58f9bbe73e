// SPDX-License-Identifier: LGPL-2.1-or-later
/* UTF-8, strictly: no overlong forms, no surrogates. */
#include <stdio.h>
#include <string.h>

#include "internal.h"

static int sequence_length(uint8_t first)
{
	if (first < 0x80)
		return 1;
	if (first >= 0xc2 && first <= 0xdf)
		return 2;
	if ((first & 0xf0) == 0xe0)
		return 3;
	if (first >= 0xf0 && first <= 0xf4)
		return 4;
	return -EILSEQ;
}

int ed_utf8_next(const char **p, const char *end, uint32_t *c)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const uint8_t *s = (const uint8_t *)*p;
	int i, n;

	if (*p >= end)
		return -EILSEQ;
	n = sequence_length(s[0]);
	if (n < 0 || end - *p < n)
		return -EILSEQ;
	*c = n == 1 ? s[0] : s[0] & (0x7f >> n);
	for (i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return -EILSEQ;
		*c = *c << 6 | (s[i] & 0x3f);
	}
	if (*c < least[n] || *c > 0x10ffff || (*c >= 0xd800 && *c <= 0xdfff))
		return -EILSEQ;
	*p += n;
	return 0;
}

int ed_utf8_put(char out[4], uint32_t c)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c >= 0xd800 && c <= 0xdfff)
		return -EILSEQ;
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	if (c > 0x10ffff)
		return -EILSEQ;
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

/*
 * Printable without an escape: no controls, nothing that reorders or hides what
 * a terminal shows, no private use, no noncharacters.
 */
bool ed_utf8_printable(uint32_t c)
{
	static const uint32_t hidden[][2] = {
		{ 0, 0x1f }, { 0x7f, 0x9f }, { 0xad, 0xad }, { 0x61c, 0x61c },
		{ 0x180e, 0x180e }, { 0x200b, 0x200f }, { 0x2028, 0x202e },
		{ 0x2060, 0x206f }, { 0xd800, 0xf8ff }, { 0xfdd0, 0xfdef },
		{ 0xfeff, 0xfeff }, { 0xfff0, 0xffff }, { 0xe0000, 0x10ffff },
	};
	size_t i;

	for (i = 0; i < ED_ARRAY_SIZE(hidden); i++)
		if (c >= hidden[i][0] && c <= hidden[i][1])
			return false;
	return true;
}

/*
 * Text for a terminal or a log: what is not printable, or not UTF-8, becomes \xNN,
 * as a peer or another user can have a say in it.
 */
void ed_utf8_escape(char *to, size_t size, const char *s)
{
	const char *end = s + strlen(s), *next;
	size_t n = 0, len;
	uint32_t c;

	for (; s < end; s = next) {
		next = s;
		if (!ed_utf8_next(&next, end, &c) && ed_utf8_printable(c)) {
			len = (size_t)(next - s);
			if (n + len >= size)
				break;
			memcpy(to + n, s, len);
		} else {
			next = s + 1;
			len = 4;
			if (n + len >= size)
				break;
			snprintf(to + n, len + 1, "\\x%02x", (uint8_t)*s);
		}
		n += len;
	}
	to[n] = 0;
}

/* Characters in s, or -EILSEQ */
ssize_t ed_utf8_count(const char *s, size_t len)
{
	const char *end = s + len;
	ssize_t n = 0;
	uint32_t c;

	for (; s < end; n++)
		if (ed_utf8_next(&s, end, &c))
			return -EILSEQ;
	return n;
}
