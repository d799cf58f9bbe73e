/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* TAP for the host tests. */
#ifndef TAP_H
#define TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static unsigned int tap_n, tap_failed;

__attribute__((format(printf, 2, 3)))
static inline bool ok(bool pass, const char *fmt, ...)
{
	char text[1024], *p;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	for (p = text; *p; p++)
		if ((unsigned char)*p < ' ')
			*p = ' ';
	printf("%sok %u - %s\n", pass ? "" : "not ", ++tap_n, text);
	fflush(stdout);
	tap_failed += !pass;
	return pass;
}

static inline void skip(const char *what, const char *why)
{
	printf("ok %u - %s # SKIP %s\n", ++tap_n, what, why);
}

static inline int tap_end(void)
{
	printf("1..%u\n", tap_n);
	return tap_failed != 0;
}

#endif /* TAP_H */
