/* SPDX-License-Identifier: GPL-2.0-only */
/* Test Anything Protocol, as little as is needed. */
#ifndef _TAP_H
#define _TAP_H

#include <stdarg.h>
#include <stdio.h>

static unsigned int tap_tests, tap_failures;

/* Line by line, so that a crash leaves what came before it */
static inline void tap_begin(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("TAP version 13\n");
}

__attribute__((format(printf, 2, 3)))
static inline int ok(int pass, const char *fmt, ...)
{
	va_list ap;

	tap_failures += !pass;
	printf("%sok %u - ", pass ? "" : "not ", ++tap_tests);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	return pass;
}

static inline int tap_end(void)
{
	printf("1..%u\n", tap_tests);
	return tap_failures ? 1 : 0;
}

static inline void tap_bytes(const char *what, const void *p, size_t len)
{
	const unsigned char *b = p;
	size_t i;

	printf("# %s:", what);
	for (i = 0; i < len; i++)
		printf(" %02x", b[i]);
	putchar('\n');
}

#endif /* _TAP_H */
