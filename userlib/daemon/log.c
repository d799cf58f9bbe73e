// SPDX-License-Identifier: GPL-2.0-only
/* The log: standard error, which may be the journal's. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "erldistd.h"

static const char *const levels[] = {
	[LOG_ERR] = "err", [LOG_WARNING] = "warning", [LOG_NOTICE] = "notice",
	[LOG_INFO] = "info", [LOG_DEBUG] = "debug",
};

static int most = LOG_INFO;
static bool journal;

/* The journal takes <6> in front of a line for its level, as sd-daemon(3) has it */
void log_open(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	journal = stream && sscanf(stream, "%llu:%llu", &dev, &ino) == 2 &&
		  !fstat(STDERR_FILENO, &st) && st.st_dev == dev && st.st_ino == ino;
}

/* -1: there is none of that name */
int log_level(const char *name)
{
	int level;

	for (level = LOG_ERR; level <= LOG_DEBUG; level++)
		if (!strcmp(levels[level], name))
			return level;
	return -1;
}

void log_set_level(int level)
{
	most = level;
}

/* One write a line: others may write there, too */
static void write_line(int level, const char *text)
{
	char prefix[16] = "erldistd: ";

	if (journal)
		snprintf(prefix, sizeof(prefix), "<%d>", level);
	dprintf(STDERR_FILENO, "%s%s\n", prefix, text);
}

void say(int level, const char *fmt, ...)
{
	char text[1200];
	va_list ap;

	if (level > most)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	write_line(level, text);
}

/* For what a peer or a local user can cause as often as it likes */
void say_limited(struct limit *l, int level, const char *fmt, ...)
{
	char text[1200];
	unsigned int left_out;
	va_list ap;

	if (level > most || !limit_pass(l, &left_out))
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (left_out)
		say(level, "%u more messages of the next one's kind were left out", left_out);
	write_line(level, text);
}
