// SPDX-License-Identifier: LGPL-2.1-or-later
/* The cookie, by OTP's rules (auth.erl). */
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"

#define MADE_LENGTH	20
#define FILE_MAX	1024
#define PASSWD_SIZE	4096
#define PATH_SIZE	sizeof(((struct ed_cookie *)0)->source)

/*
 * Printable characters, blanks among them; behind the first line end only line
 * ends and blanks may follow. Returns the length or -EINVAL.
 */
static ssize_t cookie_length(const char *s, size_t n)
{
	size_t len = 0, i;

	while (len < n && s[len] >= ' ' && s[len] <= '~')
		len++;
	for (i = len; i < n; i++)
		if (s[i] != '\n' && s[i] != '\r' && s[i] != ' ')
			return -EINVAL;
	return len ? (ssize_t)len : -EINVAL;
}

static int take(struct ed_error *e, struct ed_cookie *c, const char *s, size_t n)
{
	ssize_t len = cookie_length(s, n);

	if (len < 0)
		return ed_fail(e, -EINVAL, "%s: a cookie is a line of printable ASCII characters",
			       c->source);
	if (len > ERLDIST_COOKIE_MAX)
		return ed_fail(e, -EINVAL, "%s: a cookie has at most %d characters", c->source,
			       ERLDIST_COOKIE_MAX);
	memcpy(c->value, s, (size_t)len);
	c->value[len] = 0;
	c->len = (size_t)len;
	return 0;
}

static int check_file(struct ed_error *e, int fd, const char *path)
{
	struct stat st;

	if (fstat(fd, &st))
		return ed_fail(e, -errno, "%s: %s", path, ed_errno_text(errno));
	if (!S_ISREG(st.st_mode))
		return ed_fail(e, -EINVAL, "cookie file %s is no regular file", path);
	if (st.st_uid != geteuid() && st.st_uid && geteuid())
		return ed_fail(e, -EACCES, "cookie file %s belongs to somebody else", path);
	if (st.st_mode & 077)
		return ed_fail(e, -EACCES, "cookie file %s must be accessible by its owner only "
			       "(chmod 400)", path);
	return 0;
}

static int read_file(struct ed_error *e, struct ed_cookie *c, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), err;
	char text[FILE_MAX];
	ssize_t n;

	if (fd < 0 && errno == ENOENT)
		return ed_fail(e, -ENOENT, "there is no cookie file %s%s", path, *path == '~' ?
			       "; ~ is not replaced here: write the whole path" : "");
	if (fd < 0)
		return ed_fail(e, -errno, "cookie file %s: %s", path, ed_errno_text(errno));
	snprintf(c->source, sizeof(c->source), "%s", path);
	err = check_file(e, fd, path);
	if (!err) {
		n = read(fd, text, sizeof(text));
		err = n < 0 ? ed_fail(e, -errno, "%s: %s", path, ed_errno_text(errno))
			    : take(e, c, text, (size_t)n);
		explicit_bzero(text, sizeof(text));
	}
	close(fd);
	return err;
}

/* Capitals, each with the same chance */
static int make_value(char *s, size_t n)
{
	uint8_t byte;
	size_t i = 0;

	while (i < n) {
		if (getrandom(&byte, 1, 0) != 1)
			return -errno;
		if (byte < 26 * 9)
			s[i++] = (char)('A' + byte % 26);
	}
	return 0;
}

/*
 * Whoever makes the file makes it whole, under a name of its own first: of those
 * that do so at once, be they threads or in containers, one file is left.
 */
static int make_file(struct ed_error *e, const char *path)
{
	char value[MADE_LENGTH], made[PATH_SIZE + 16];
	int fd, err;

	err = make_value(value, sizeof(value));
	if (err)
		return ed_fail(e, err, "no random numbers: %s", ed_errno_text(err));
	snprintf(made, sizeof(made), "%s.XXXXXX", path);
	fd = mkostemp(made, O_CLOEXEC);
	if (fd < 0)
		return ed_fail(e, -errno, "cannot make cookie file %s: %s", path,
			       ed_errno_text(errno));
	err = write(fd, value, sizeof(value)) == (ssize_t)sizeof(value) ? 0 : -EIO;
	if (!err && fchmod(fd, 0400))
		err = -errno;
	if (close(fd) || (!err && link(made, path) && errno != EEXIST))
		err = -errno;
	unlink(made);
	return err ? ed_fail(e, err, "cannot make cookie file %s: %s", path,
			     ed_errno_text(err)) : 0;
}

/* The caller of a set-uid program does not choose the directory. "text" keeps it */
static const char *home(char *text, size_t size)
{
	const char *dir = secure_getenv("HOME");
	struct passwd entry, *pw = NULL;

	if (dir && *dir)
		return dir;
	return getpwuid_r(geteuid(), &entry, text, size, &pw) || !pw ? NULL : pw->pw_dir;
}

static int path_of(struct ed_error *e, char path[PATH_SIZE], const char *dir, const char *name)
{
	if (snprintf(path, PATH_SIZE, "%s/%s", dir, name) >= (int)PATH_SIZE)
		return ed_fail(e, -ENAMETOOLONG, "%s/%s: the name is too long", dir, name);
	return 0;
}

/* $HOME/.erlang.cookie and the XDG place; one of them may be empty */
static int default_places(struct ed_error *e, char first[PATH_SIZE], char second[PATH_SIZE])
{
	const char *xdg = secure_getenv("XDG_CONFIG_HOME");
	char text[PASSWD_SIZE];
	const char *dir = home(text, sizeof(text));

	first[0] = 0;
	if (dir && path_of(e, first, dir, ".erlang.cookie"))
		return -ENAMETOOLONG;
	if (xdg && *xdg)
		return path_of(e, second, xdg, "erlang/.erlang.cookie");
	if (dir)
		return path_of(e, second, dir, ".config/erlang/.erlang.cookie");
	return ed_fail(e, -ENOKEY, "no home directory to find a cookie in: set HOME, or "
		       "give a cookie");
}

/* The first that is there, else the first there can be is made */
static int default_file(struct ed_error *e, struct ed_cookie *c)
{
	char first[PATH_SIZE] = "", second[PATH_SIZE] = "";
	const char *made;
	int err = default_places(e, first, second);

	if (err)
		return err;
	err = first[0] ? read_file(e, c, first) : -ENOENT;
	if (err == -ENOENT)
		err = read_file(e, c, second);
	if (err != -ENOENT)
		return err;
	made = first[0] ? first : second;
	err = make_file(e, made);
	return err ? err : read_file(e, c, made);
}

/* Where a node that was given no cookie has it from, for messages */
int ed_cookie_file(char *file, size_t size)
{
	char first[PATH_SIZE] = "", second[PATH_SIZE] = "";
	int err = default_places(NULL, first, second);

	if (err)
		return err;
	snprintf(file, size, "%s", first[0] && !(access(first, F_OK) && !access(second, F_OK)) ?
		 first : second);
	return 0;
}

int ed_cookie_get(struct ed_error *e, struct ed_cookie *c, const char *value, const char *file)
{
	if (!value)
		return file ? read_file(e, c, file) : default_file(e, c);
	snprintf(c->source, sizeof(c->source), "the options given");
	return take(e, c, value, strlen(value));
}
