// SPDX-License-Identifier: GPL-2.0-only
/* Marking the default node in a directory that another user can write to. */
#include <erldist.h>

#undef ERLDIST_DEFAULT_FILE
#define ERLDIST_DEFAULT_FILE	"/tmp/erldist-mark-test/default"
#define VICTIM			"/tmp/erldist-mark-test/victim"

#include "../shared/mark.c"
#include "tap.h"

static bool holds(const char *path, const char *text)
{
	char line[300] = "";
	FILE *f = fopen(path, "re");

	if (!f)
		return false;
	if (!fgets(line, sizeof(line), f))
		line[0] = 0;
	fclose(f);
	return !strcmp(line, text);
}

static void put_victim(void)
{
	FILE *f = fopen(VICTIM, "we");

	if (f) {
		fputs("precious", f);
		fclose(f);
	}
}

int main(void)
{
	mode_t mask = umask(077);
	struct stat st;

	ok(!mark_default("svc@host") && holds(ERLDIST_DEFAULT_FILE, "svc@host\n"), "a node is marked");
	ok(!stat(ERLDIST_DEFAULT_FILE, &st) && (st.st_mode & 0777) == 0644, "for all, whatever the mask");
	umask(mask);
	ok(!mark_default("b@host") && holds(ERLDIST_DEFAULT_FILE, "b@host\n"), "another one instead");
	unmark_default("svc@host");
	ok(holds(ERLDIST_DEFAULT_FILE, "b@host\n"), "that is not marked any more");
	unmark_default("b@host");
	ok(access(ERLDIST_DEFAULT_FILE, F_OK), "none is marked");
	put_victim();
	ok(!symlink(VICTIM, ERLDIST_DEFAULT_FILE) && !mark_default("svc@host") &&
	   holds(VICTIM, "precious"), "a link: the file it leads to is left alone");
	ok(!lstat(ERLDIST_DEFAULT_FILE, &st) && S_ISREG(st.st_mode) &&
	   holds(ERLDIST_DEFAULT_FILE, "svc@host\n"), "and the link is replaced");
	unlink(ERLDIST_DEFAULT_FILE);
	unlink(VICTIM);
	ok(!rmdir("/tmp/erldist-mark-test"), "nothing else is there");
	return tap_end();
}
