// SPDX-License-Identifier: GPL-2.0-only
/* The default node of the machine, which programs use that name no node. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared.h"

/*
 * The directory can belong to the user of erldistd, and root can be the one that
 * marks: what stands at the path, a link for example, is replaced and not written to.
 */
int mark_default(const char *node)
{
	char dir[] = ERLDIST_DEFAULT_FILE, made[] = ERLDIST_DEFAULT_FILE ".XXXXXX";
	int fd, err = 0;

	*strrchr(dir, '/') = 0;
	if (mkdir(dir, 0755) && errno != EEXIST)
		return -errno;
	fd = mkostemp(made, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	/* readable by all, whatever the mask */
	if (dprintf(fd, "%s\n", node) < 0 || fchmod(fd, 0644) ||
	    rename(made, ERLDIST_DEFAULT_FILE))
		err = -errno;
	close(fd);
	if (err)
		unlink(made);
	return err;
}

/* Another one may have been marked since */
void unmark_default(const char *node)
{
	int fd = open(ERLDIST_DEFAULT_FILE, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	char marked[ERLDIST_NAME_MAX + 2];
	ssize_t n;

	if (fd < 0)
		return;
	n = read(fd, marked, sizeof(marked) - 1);
	close(fd);
	marked[n > 0 ? n : 0] = 0;
	marked[strcspn(marked, "\n")] = 0;
	if (!strcmp(marked, node))
		unlink(ERLDIST_DEFAULT_FILE);
}
