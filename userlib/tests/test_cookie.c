// SPDX-License-Identifier: LGPL-2.1-or-later
/* The cookie file, by OTP's rules. */
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <pwd.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "internal.h"
#include "tap.h"

static char dir[] = "/tmp/erldist-cookie-XXXXXX";
static char path[128], xdg[128];
static pthread_barrier_t begin;

static bool has_entry;

/* In place of libc's: getpwuid() has one result for all threads */
struct passwd *getpwuid(uid_t uid)
{
	(void)uid;
	return NULL;
}

int getpwuid_r(uid_t uid, struct passwd *pw, char *text, size_t size, struct passwd **result)
{
	(void)uid;
	*result = NULL;
	if (!has_entry)
		return 0;
	snprintf(text, size, "%s", dir);
	memset(pw, 0, sizeof(*pw));
	pw->pw_dir = text;
	*result = pw;
	return 0;
}

static void put_file(const char *name, const char *text, mode_t mode)
{
	int fd;

	unlink(name);
	fd = open(name, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (fd < 0 || write(fd, text, strlen(text)) < 0 || fchmod(fd, mode) || close(fd))
		ok(false, "cannot make %s", name);
}

static void check(const char *text, const char *want)
{
	struct ed_cookie c = { 0 };
	struct ed_error e = { 0 };
	int err;

	put_file(path, text, 0400);
	err = ed_cookie_get(&e, &c, NULL, NULL);
	if (want)
		ok(!err && !strcmp(c.value, want) && c.len == strlen(want), "\"%s\" %s", want, e.text);
	else
		ok(err == -EINVAL, "refused: %s", e.text);
}

static void check_made(void)
{
	struct ed_cookie c = { 0 }, again = { 0 };
	struct ed_error e = { 0 };
	struct stat st;
	size_t i;
	int err;

	unlink(path);
	err = ed_cookie_get(&e, &c, NULL, NULL);
	ok(!err && c.len == 20, "a missing file is made %s", e.text);
	for (i = 0; i < c.len && c.value[i] >= 'A' && c.value[i] <= 'Z'; i++)
		;
	ok(i == 20, "of 20 capitals");
	ok(!stat(path, &st) && (st.st_mode & 07777) == 0400, "with mode 0400");
	err = ed_cookie_get(&e, &again, NULL, NULL);
	ok(!err && !strcmp(c.value, again.value), "and found again");
	ok(strstr(c.source, path) != NULL, "the source is told: %s", c.source);
}

static void check_places(void)
{
	struct ed_cookie c = { 0 };
	struct ed_error e = { 0 };
	char name[256];
	int err;

	unlink(path);
	snprintf(name, sizeof(name), "%s/erlang", xdg);
	mkdir(xdg, 0700);
	mkdir(name, 0700);
	snprintf(name, sizeof(name), "%s/erlang/.erlang.cookie", xdg);
	put_file(name, "from_xdg", 0400);
	err = ed_cookie_get(&e, &c, NULL, NULL);
	ok(!err && !strcmp(c.value, "from_xdg"), "the XDG place is the second");
	put_file(path, "from_home", 0400);
	err = ed_cookie_get(&e, &c, NULL, NULL);
	ok(!err && !strcmp(c.value, "from_home"), "the home directory is the first");
	err = ed_cookie_get(&e, &c, NULL, name);
	ok(!err && !strcmp(c.value, "from_xdg"), "a file that is given");
	err = ed_cookie_get(&e, &c, "given", NULL);
	ok(!err && !strcmp(c.value, "given"), "a cookie that is given");
	err = ed_cookie_get(&e, &c, NULL, "/nonexistent/cookie");
	ok(err == -ENOENT, "a given file is not made: %s", e.text);
	put_file(path, "open", 0440);
	err = ed_cookie_get(&e, &c, NULL, NULL);
	ok(err == -EACCES, "others may not read it: %s", e.text);
	err = ed_cookie_get(&e, &c, NULL, dir);
	ok(err == -EINVAL, "a directory is no file: %s", e.text);
}

static void check_no_home(void)
{
	struct ed_cookie c = { 0 };
	struct ed_error e = { 0 };
	int err;

	put_file(path, "from_passwd", 0400);
	unsetenv("HOME");
	has_entry = true;
	err = ed_cookie_get(&e, &c, NULL, NULL);
	has_entry = false;
	setenv("HOME", dir, 1);
	ok(!err && !strcmp(c.value, "from_passwd"),
	   "without HOME the home directory is asked for as threads may: %s", e.text);
}

/* Of two missing files the first is made */
static void check_missing(void)
{
	struct ed_cookie c = { 0 };
	struct ed_error e = { 0 };
	char name[256];
	int err;

	snprintf(name, sizeof(name), "%s/erlang/.erlang.cookie", xdg);
	unlink(name);
	unlink(path);
	err = ed_cookie_get(&e, &c, NULL, NULL);
	ok(!err && !access(path, F_OK) && access(name, F_OK), "both are missing: made at home");
}

/* Many at once make one file, and all have the same cookie */
static void check_race(void)
{
	char made[16][64], first[64] = "";
	int fd[16][2], i, same = 0;

	unlink(path);
	for (i = 0; i < 16; i++) {
		struct ed_cookie c = { 0 };
		struct ed_error e = { 0 };

		if (pipe(fd[i]))
			exit(1);
		if (fork())
			continue;
		memset(made[0], 0, sizeof(made[0]));
		if (!ed_cookie_get(&e, &c, NULL, NULL))
			memcpy(made[0], c.value, c.len);
		_exit(write(fd[i][1], made[0], sizeof(made[0])) != sizeof(made[0]));
	}
	for (i = 0; i < 16; i++) {
		if (read(fd[i][0], made[i], sizeof(made[i])) != sizeof(made[i]))
			made[i][0] = 0;
		if (!i)
			memcpy(first, made[0], sizeof(first));
		same += first[0] && !strcmp(first, made[i]);
		close(fd[i][0]);
		close(fd[i][1]);
	}
	ok(same == 16, "%d of 16 that begin at once have the same cookie", same);
}

#define THREADS	8

static void *make(void *arg)
{
	struct ed_error e = { 0 };

	pthread_barrier_wait(&begin);
	if (ed_cookie_get(&e, arg, NULL, NULL))
		printf("# %s\n", e.text);
	return NULL;
}

/* So do threads of one program */
static void check_threads(void)
{
	struct ed_cookie c[THREADS];
	pthread_t thread[THREADS];
	int round, i, same = 0;

	pthread_barrier_init(&begin, NULL, THREADS);
	for (round = 0; round < 100; round++) {
		unlink(path);
		memset(c, 0, sizeof(c));
		for (i = 0; i < THREADS; i++)
			if (pthread_create(&thread[i], NULL, make, &c[i]))
				exit(1);
		for (i = 0; i < THREADS; i++) {
			pthread_join(thread[i], NULL);
			same += c[i].len && !strcmp(c[i].value, c[0].value);
		}
	}
	ok(same == 100 * THREADS, "%d of %d threads", same, 100 * THREADS);
}

/* Who may read all files must not take the cookie of another user for its own */
static void check_owner(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[2] = { { 0 } };
	struct ed_cookie c = { 0 };
	struct ed_error e = { 0 };
	int status = 1;
	pid_t pid;

	if (geteuid()) {
		skip("a cookie of somebody else", "needs root");
		return;
	}
	put_file(path, "secret", 0400);
	if (chown(path, 1234, 1234))
		ok(false, "chown");
	ok(!ed_cookie_get(&e, &c, NULL, path), "root may use another user's cookie");
	pid = fork();
	if (!pid) {
		caps[0].effective = caps[0].permitted = 1U << CAP_DAC_READ_SEARCH;
		if (prctl(PR_SET_KEEPCAPS, 1) || setresuid(4321, 4321, 4321) ||
		    syscall(SYS_capset, &head, caps))
			_exit(2);
		_exit(ed_cookie_get(&e, &c, NULL, path) != -EACCES ||
		      !strstr(e.text, "somebody else"));
	}
	waitpid(pid, &status, 0);
	ok(!status, "nobody else, even who can read it");
}

#define OWNER		4321	/* has no home directory */
#define NOT_SECURE	77

/* As the set-uid program of somebody else: what it takes from the environment */
static int take_elsewhere(void)
{
	struct ed_cookie c = { 0 };
	struct ed_error e = { 0 };
	int err = ed_cookie_get(&e, &c, NULL, NULL);

	return !getauxval(AT_SECURE) ? NOT_SECURE : err != -ENOKEY;
}

static bool copy(const char *from, const char *to, mode_t mode)
{
	int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT, 0700);
	struct stat st;

	return in >= 0 && out >= 0 && !fstat(in, &st) &&
	       sendfile(out, in, NULL, (size_t)st.st_size) == st.st_size &&
	       !fchown(out, OWNER, OWNER) && !fchmod(out, mode) && !close(out) && !close(in);
}

static void check_set_uid(void)
{
	static const char what[] = "the environment of a set-uid program";
	char program[160];
	int status = -1;
	pid_t pid;

	if (geteuid()) {
		skip(what, "needs root");
		return;
	}
	snprintf(program, sizeof(program), "%s/set-uid", dir);
	put_file(path, "secret", 0400);
	if (!copy("/proc/self/exe", program, 04755) || chmod(dir, 0755) ||
	    chown(path, OWNER, OWNER))
		ok(false, "cannot make %s", program);
	pid = fork();
	if (!pid) {
		execl(program, program, "elsewhere", NULL);
		_exit(1);
	}
	waitpid(pid, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_SECURE)
		skip(what, "there are none in /tmp");
	else
		ok(!status, "%s is not used", what);
}

int main(int argc, char **argv)
{
	char cmd[160], text[400];

	(void)argv;
	/* LeakSanitizer cannot look at a set-uid program: end before it tries */
	if (argc > 1)
		_exit(take_elsewhere());
	if (!mkdtemp(dir))
		return 1;
	snprintf(path, sizeof(path), "%s/.erlang.cookie", dir);
	snprintf(xdg, sizeof(xdg), "%s/xdg", dir);
	setenv("HOME", dir, 1);
	setenv("XDG_CONFIG_HOME", xdg, 1);
	check("secret", "secret");
	check("secret\n", "secret");
	check("secret\r\n" " " "\n", "secret");
	check("with blank ", "with blank ");
	check(" lead\n", " lead");
	check("", NULL);
	check("\n", NULL);
	check("two\nlines", NULL);
	check("tab\there", NULL);
	check("\xe5", NULL);
	memset(text, 'x', 255);
	text[255] = 0;
	check(text, text);
	text[255] = 'x';
	text[256] = 0;
	check(text, NULL);
	check_made();
	check_places();
	check_no_home();
	check_missing();
	check_race();
	check_threads();
	check_owner();
	check_set_uid();
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	return system(cmd) ? 1 : tap_end();
}
