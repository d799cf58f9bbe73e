// SPDX-License-Identifier: GPL-2.0-only
/* Lines for a person: errors, and what happens to a node. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

/* The node that this process holds, or empty */
static char held_node[ERLDIST_ATOM_SIZE];

void speak_as(const char *node)
{
	snprintf(held_node, sizeof(held_node), "%s", node);
}

/* "svc@vm is not registered": the text begins with that name */
static bool names_held_node(const char *text)
{
	size_t n = strlen(held_node);

	return n && !strncmp(text, held_node, n) && strchr(" :,", text[n]);
}

/*
 * In front is the command's name, or that of the node it holds: the line can be one of
 * many in a terminal or a log. It is one write(), so that lines do not mix.
 */
void say_line(int fd, const char *text)
{
	const char *name = held_node[0] ? held_node : "erldist";
	bool bare = names_held_node(text) || (!held_node[0] && fd != STDERR_FILENO);
	char *line;
	int n;

	n = asprintf(&line, "%s%s%s\n", bare ? "" : name, bare ? "" : ": ", text);
	if (n < 0)
		return;
	if (write(fd, line, (size_t)n) < 0)
		errno = 0;	/* the reader is gone: there is no other place to say so */
	free(line);
}

int complain(const char *fmt, ...)
{
	va_list ap;
	char *text;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		return 1;
	say_line(STDERR_FILENO, text);
	free(text);
	return 1;
}
