// SPDX-License-Identifier: GPL-2.0-only
/* The default node of the machine, which programs use that name no node. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared.h"

int mark_default(const char *node)
{
	FILE *f;
	int bad;

	if (mkdir("/run/erldist", 0755) && errno != EEXIST)
		return -errno;
	f = fopen(ERLDIST_DEFAULT_FILE, "we");
	if (!f)
		return -errno;
	/* for everybody, whatever the mask */
	bad = fchmod(fileno(f), 0644) || fprintf(f, "%s\n", node) < 0;
	return fclose(f) || bad ? -errno : 0;
}

/* Another one may have been marked since */
void unmark_default(const char *node)
{
	char marked[ERLDIST_NAME_MAX + 2] = "";
	FILE *f = fopen(ERLDIST_DEFAULT_FILE, "re");

	if (!f)
		return;
	if (fgets(marked, sizeof(marked), f))
		marked[strcspn(marked, "\n")] = 0;
	fclose(f);
	if (!strcmp(marked, node))
		unlink(ERLDIST_DEFAULT_FILE);
}
