// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A program with more rights than its caller: what it runs is not the caller's
 * choice. A set-uid copy of this test is started by another user, with a PATH and a
 * node of that user's.
 */
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keeper.h"
#include "tap.h"

#define OWNER		4001
#define CALLER		4002
#define COPY_FAILED	100
#define NOT_SECURE	101

static char dir[] = "/tmp/erldist-secure-XXXXXX";
static char copy[64], evil[64];

/* Started by the library by their names, with what ends them at once */
static const char *const started[][3] = {
	{ "erldist", "help" }, { "epmd", "-names" }, { "sh", "-c", ":" },
};

/* All that the caller puts into its PATH */
static const char *const programs[] = {
	"getent", "erldist", "epmd", "sh", "only-of-the-caller",
};

#define PROGRAMS	ED_ARRAY_SIZE(programs)

/* Its end says nothing: it need not be installed. */
static void start(const char *const *words)
{
	char *argv[] = { (char *)(uintptr_t)words[0], (char *)(uintptr_t)words[1],
			 (char *)(uintptr_t)words[2], NULL };
	struct ed_child c;

	if (!ed_spawn(&c, argv, -1, -1, true))
		ed_child_wait(&c);
}

/* In the set-uid copy: bits for what the caller had a say in */
static int in_copy(void)
{
	struct addresses to = { .n = 0 };
	struct pollfd pfd = { .events = POLLIN };
	struct resolver r;
	char path[128];
	int bad = 0;
	size_t i;

	if (!getauxval(AT_SECURE))
		return NOT_SECURE;
	pfd.fd = ed_resolve_start(&r, &to, "localhost");
	if (pfd.fd < 0)
		return COPY_FAILED;
	while (ed_resolve_read(&r, pfd.fd) == -EAGAIN)
		poll(&pfd, 1, 20000);
	ed_resolve_end(&r);
	if (!to.n)
		bad |= 1;
	if (ed_program_find(path, sizeof(path), "only-of-the-caller"))
		bad |= 2;
	if (ed_epmd_service() != 4369)
		bad |= 4;
	for (i = 0; i < ED_ARRAY_SIZE(started); i++)
		start(started[i]);
	return bad;
}

static bool put_program(const char *name)
{
	char path[128], text[256];
	int fd, n;

	snprintf(path, sizeof(path), "%s/%s", evil, name);
	n = snprintf(text, sizeof(text), "#!/bin/sh\n: > %s.ran\n", path);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	if (fd < 0 || write(fd, text, (size_t)n) != n || fchmod(fd, 0755))
		return false;
	return !close(fd);
}

static bool make_copy(void)
{
	char buf[65536];
	int in = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int out = open(copy, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	ssize_t n;

	if (in < 0 || out < 0)
		return false;
	while ((n = read(in, buf, sizeof(buf))) > 0)
		if (write(out, buf, (size_t)n) != n)
			return false;
	close(in);
	/* in this order, as a change of the owner takes the mode back */
	return !fchown(out, OWNER, OWNER) && !fchmod(out, 04755) && !close(out);
}

static int run_copy(void)
{
	int status = 0;
	pid_t pid = fork();

	if (!pid) {
		if (setgid(CALLER) || setuid(CALLER) || setenv("PATH", evil, 1) ||
		    setenv("ERL_EPMD_PORT", "1", 1))
			_exit(COPY_FAILED);
		execl(copy, copy, "copy", NULL);
		_exit(COPY_FAILED);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : COPY_FAILED;
}

static bool put_programs(void)
{
	size_t i;

	for (i = 0; i < PROGRAMS; i++)
		if (!put_program(programs[i]))
			return false;
	return true;
}

/* The caller's program of that name was started */
static bool has_run(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s.ran", evil, name);
	return !access(path, F_OK);
}

static void check_copy(void)
{
	size_t i;
	int bad;

	if (!put_programs() || !make_copy()) {
		ok(false, "a set-uid copy: %s", strerror(errno));
		return;
	}
	bad = run_copy();
	if (bad == NOT_SECURE) {
		skip("a set-uid program", "/tmp is mounted without set-uid programs");
		return;
	}
	ok(bad < COPY_FAILED, "a set-uid copy runs");
	ok(!(bad & 1), "getent answers");
	for (i = 0; i < PROGRAMS; i++)
		ok(!has_run(programs[i]), "the caller's %s does not run", programs[i]);
	ok(!(bad & 2), "a program of the caller is not found");
	ok(!(bad & 4), "nor is the caller's port of epmd used");
}

static void clean(void)
{
	char path[128];
	size_t i;

	for (i = 0; i < PROGRAMS; i++) {
		snprintf(path, sizeof(path), "%s/%s", evil, programs[i]);
		unlink(path);
		strcat(path, ".ran");
		unlink(path);
	}
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "copy"))
		_exit(in_copy());
	if (geteuid()) {
		skip("a set-uid program", "it needs root");
		return tap_end();
	}
	if (!mkdtemp(dir) || chmod(dir, 0755))
		return 1;
	snprintf(copy, sizeof(copy), "%s/copy", dir);
	snprintf(evil, sizeof(evil), "%s/evil", dir);
	if (mkdir(evil, 0777) || chmod(evil, 0777))
		return 1;
	check_copy();
	clean();
	rmdir(evil);
	unlink(copy);
	rmdir(dir);
	return tap_end();
}
