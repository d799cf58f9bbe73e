// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * AF_UNIX paths to listen at. One that was left behind is told from one that is in
 * use by connecting: a socket between bind() and listen() would pass for the first.
 * So a path is made, and taken over, under a lock on its directory.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "internal.h"

#define LOCK_MS		2000	/* longer than any of us has it */
#define LOOK_MS		10

static int open_directory(const struct sockaddr_un *sa)
{
	const char *slash = strrchr(sa->sun_path, '/');
	char dir[sizeof(sa->sun_path) + 1] = ".";

	if (slash)
		snprintf(dir, sizeof(dir), "%.*s", (int)(slash - sa->sun_path) + 1, sa->sun_path);
	return open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* For ed_path_unlock(). Without the lock a path can be made, but none taken over */
int ed_path_lock(const struct sockaddr_un *sa)
{
	int fd = open_directory(sa), err = fd < 0 ? -errno : 0;
	int64_t deadline = ed_now() + LOCK_MS;

	while (!err && flock(fd, LOCK_EX | LOCK_NB)) {
		if ((errno != EWOULDBLOCK && errno != EINTR) || ed_now() > deadline)
			err = -errno;
		else
			poll(NULL, 0, LOOK_MS);
	}
	if (err && fd >= 0)
		close(fd);
	return err ? err : fd;
}

void ed_path_unlock(int lock)
{
	if (lock < 0)
		return;
	/* explicitly, as a child may hold a duplicate for a moment */
	flock(lock, LOCK_UN);
	close(lock);
}

static int in_use(struct ed_error *e, const char *what)
{
	return ed_fail(e, -EADDRINUSE, "%s is served by another program", what);
}

/* It is removed if it is a socket, and nobody listens */
static int remove_stale(struct ed_error *e, int lock, const struct sockaddr_un *sa, int type,
			const char *what)
{
	struct stat st;
	int fd, err;

	if (!lstat(sa->sun_path, &st) && !S_ISSOCK(st.st_mode))
		return ed_fail(e, -EADDRINUSE, "%s exists and is no socket", what);
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return ed_fail(e, -errno, "socket: %s", ed_errno_text(errno));
	err = connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) ? -errno : 0;
	close(fd);
	if (err == -ENOENT)
		return 0;
	if (err != -ECONNREFUSED)
		return in_use(e, what);
	if (lock < 0)
		return ed_fail(e, lock, "%s was left behind, and its directory cannot be locked to "
			       "replace it: %s", what, ed_errno_text(lock));
	return unlink(sa->sun_path) && errno != ENOENT ?
	       ed_fail(e, -errno, "%s: %s", what, ed_errno_text(errno)) : 0;
}

/* what: for messages. Who has the lock has to listen before it gives that back */
int ed_path_bind(struct ed_error *e, int lock, int fd, const struct sockaddr_un *sa,
		 const char *what)
{
	int type = 0, err;
	socklen_t len = sizeof(type);

	if (!bind(fd, (const struct sockaddr *)sa, sizeof(*sa)))
		return 0;
	if (errno != EADDRINUSE)
		return ed_fail(e, -errno, "%s: %s", what, ed_errno_text(errno));
	getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len);
	err = remove_stale(e, lock, sa, type, what);
	if (err)
		return err;
	if (!bind(fd, (const struct sockaddr *)sa, sizeof(*sa)))
		return 0;
	return errno == EADDRINUSE ? in_use(e, what) :
				     ed_fail(e, -errno, "%s: %s", what, ed_errno_text(errno));
}
