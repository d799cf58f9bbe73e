// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * AF_UNIX paths to listen at. One that was left behind is told from one that is in
 * use by connecting: a socket between bind() and listen() would pass for the first.
 * So a path is made, and taken over, under a lock. The lock is a file beside the path
 * that only its owner can open, as any user that could open it could also hold it.
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

#define LOCK_SUFFIX	".lock"

struct lock_name {
	char path[sizeof(((struct sockaddr_un *)0)->sun_path) + sizeof(LOCK_SUFFIX)];
};

static void name_lock(struct lock_name *name, const struct sockaddr_un *sa)
{
	snprintf(name->path, sizeof(name->path), "%.*s" LOCK_SUFFIX, (int)sizeof(sa->sun_path),
		 sa->sun_path);
}

/* A file that another user made is not used: that user could hold the lock for ever */
static int open_lock(const char *path)
{
	int fd = open(path, O_RDONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
	    !(st.st_mode & 077))
		return fd;
	close(fd);
	return -EACCES;
}

/* The holder before us may have removed the file that we have opened */
static bool still_there(int fd, const char *path)
{
	struct stat ours, there;

	return !fstat(fd, &ours) && !lstat(path, &there) && ours.st_ino == there.st_ino &&
	       ours.st_dev == there.st_dev;
}

/* A descriptor, or -EAGAIN: it is held, or was removed just now */
static int try_lock(const char *path)
{
	int fd = open_lock(path), err = 0;

	if (fd < 0)
		return fd;
	if (flock(fd, LOCK_EX | LOCK_NB))
		err = errno == EINTR ? -EAGAIN : -errno;
	else if (!still_there(fd, path))
		err = -EAGAIN;
	if (!err)
		return fd;
	close(fd);
	return err;
}

/* For ed_path_unlock(). Without the lock a path can be made, but none taken over */
int ed_path_lock(const struct sockaddr_un *sa)
{
	int64_t deadline = ed_now() + LOCK_MS;
	struct lock_name name;
	int fd;

	name_lock(&name, sa);
	while ((fd = try_lock(name.path)) == -EAGAIN && ed_now() <= deadline)
		poll(NULL, 0, LOOK_MS);
	return fd;
}

void ed_path_unlock(int lock, const struct sockaddr_un *sa)
{
	struct lock_name name;

	if (lock < 0)
		return;
	name_lock(&name, sa);
	unlink(name.path);
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
		return ed_fail(e, lock, "%s was left behind, and %s%s cannot be locked to replace it: "
			       "%s", what, sa->sun_path, LOCK_SUFFIX, ed_errno_text(lock));
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
