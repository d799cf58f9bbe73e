// SPDX-License-Identifier: GPL-2.0-only
/*
 * The scanner as a port program for scan.escript: packets with a length of four
 * bytes, answered by one byte, 1 for a term that is accepted.
 *
 * A packet is Creation:32 NameLength:8 Name Cut:32 Term; the term is fed in
 * pieces of at most Cut bytes. A name of length 0: no rules.
 */
#include <stdio.h>

#include "etf.h"

static int read_exactly(u8 *p, size_t len)
{
	return fread(p, 1, len, stdin) == len;
}

static int scan_cut(const u8 *p, size_t len, size_t cut,
		    const struct etf_scan_rules *rules)
{
	struct etf_scan s;
	int err = 0;
	size_t n;

	etf_scan_init(&s, rules);
	for (; len && !err; p += n, len -= n) {
		n = len < cut ? len : cut;
		err = etf_scan_feed(&s, p, n);
	}
	if (!err)
		err = etf_scan_end(&s);
	etf_scan_free(&s);
	return err;
}

static int scan_packet(const u8 *p, size_t len)
{
	struct etf_scan_rules rules = { .creation = get_unaligned_be32(p) };
	const u8 *term = p + 5 + p[4] + 4;

	rules.peer.text = p + 5;
	rules.peer.len = p[4];
	return scan_cut(term, p + len - term, get_unaligned_be32(term - 4),
			&rules);
}

int main(void)
{
	static u8 buf[1 << 24];
	u8 head[5] = { 0, 0, 0, 1 };
	u32 len;

	while (read_exactly(head, 4)) {
		len = get_unaligned_be32(head);
		if (len < 9 || len > sizeof(buf) || !read_exactly(buf, len))
			return 1;
		put_unaligned_be32(1, head);
		head[4] = !scan_packet(buf, len);
		fwrite(head, 1, sizeof(head), stdout);
		fflush(stdout);
	}
	return 0;
}
