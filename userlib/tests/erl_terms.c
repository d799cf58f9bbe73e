// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * For erlang.sh: "parse" reads a term a line and writes its bytes in hexadecimal,
 * "print" does the opposite.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <erldist.h>

static int parse(const char *line)
{
	struct erldist_parse_options o = { .what = NULL };
	struct erldist_term t = ERLDIST_TERM_INIT;
	size_t i;

	if (erldist_parse(&t, line, &o)) {
		fprintf(stderr, "%s: %s\n", line, o.what);
		return 1;
	}
	printf("83");
	for (i = 0; i < t.len; i++)
		printf("%02x", (unsigned char)t.term[i]);
	putchar('\n');
	erldist_term_free(&t);
	return 0;
}

static int print(const char *line)
{
	size_t n = strlen(line) / 2, i;
	char *bytes = malloc(n + 1), *text;
	unsigned int v;
	ssize_t len;

	for (i = 0; i < n && sscanf(line + 2 * i, "%2x", &v) == 1; i++)
		bytes[i] = (char)v;
	len = erldist_print(&text, bytes, n, 0);
	if (len < 0) {
		fprintf(stderr, "%s: %s\n", line, erldist_strerror(NULL, (int)len));
		return 1;
	}
	puts(text);
	free(text);
	free(bytes);
	return 0;
}

int main(int argc, char **argv)
{
	char *line = NULL;
	size_t size = 0;
	int bad = 0;

	while (argc > 1 && getline(&line, &size, stdin) > 0) {
		line[strcspn(line, "\n")] = 0;
		bad |= *argv[1] == 'p' && argv[1][1] == 'a' ? parse(line) : print(line);
	}
	free(line);
	return bad;
}
