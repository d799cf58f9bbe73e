// SPDX-License-Identifier: LGPL-2.1-or-later
/* Paths to listen at that were left behind: one of those that come takes it over. */
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "fake_node.h"

#define RACERS		8
#define ROUNDS		100

static char dir[] = "/tmp/erldist-path-XXXXXX";
static char path[64], place[80], lock_file[80];

typedef int (*open_func)(void);

#define KEPT_MAX	8

/* Open until the process ends */
static struct {
	struct erldist_broker *broker[KEPT_MAX];
	struct erldist_keeper *keeper[KEPT_MAX];
	unsigned int brokers, keepers;
} kept;

static int open_broker(void)
{
	struct erldist_broker_options o = ERLDIST_BROKER_OPTIONS_INIT;
	struct erldist_broker *b;
	int err;

	o.path = path;
	o.node = "svc@host";
	err = erldist_broker_open(&b, &o);
	if (err) {
		printf("# %s\n", erldist_strerror(b, err));
		erldist_broker_close(b);
		return err;
	}
	if (kept.brokers == KEPT_MAX)
		exit(1);
	kept.broker[kept.brokers++] = b;
	return 0;
}

static int open_keeper(void)
{
	struct erldist_keeper_options o = ERLDIST_KEEPER_OPTIONS_INIT;
	struct erldist_keeper *k;
	int err;

	o.name = "svc@host";
	o.cookie = "secret";
	o.listen = place;
	o.options = ERLDIST_KEEPER_WITHOUT_EPMD;
	err = erldist_keeper_open(&k, &o);
	if (err) {
		printf("# %s\n", erldist_strerror(k, err));
		erldist_keeper_close(k);
		return err;
	}
	if (kept.keepers == KEPT_MAX)
		exit(1);
	kept.keeper[kept.keepers++] = k;
	return 0;
}

static int at_path(int type, bool listening)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	strcpy(sa.sun_path, path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) ||
	    (listening && listen(fd, 8)))
		exit(1);
	return fd;
}

static void leave_behind(int type)
{
	unlink(path);
	close(at_path(type, false));
}

static bool served(int type)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0), err;

	strcpy(sa.sun_path, path);
	err = connect(fd, (struct sockaddr *)&sa, sizeof(sa));
	close(fd);
	return !err;
}

/* Begins when the pipe ends, tells with a byte whether it has the path, stays */
static pid_t racer(open_func open_it, const int begin[2], int told)
{
	pid_t pid = fork();
	char byte;

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close(begin[1]);
	if (read(begin[0], &byte, 1))
		_exit(1);
	byte = open_it() ? 'n' : 'y';
	if (write(told, &byte, 1) == 1)
		pause();
	_exit(1);
}

/* How many have it */
static int race(open_func open_it)
{
	pid_t pid[RACERS];
	int begin[2], told[2], i, have = 0;
	char byte = 'y';

	fflush(stdout);
	if (pipe(begin) || pipe(told))
		exit(1);
	for (i = 0; i < RACERS; i++)
		pid[i] = racer(open_it, begin, told[1]);
	close(begin[0]);
	close(begin[1]);
	for (i = 0; i < RACERS; i++)
		have += read(told[0], &byte, 1) == 1 && byte == 'y';
	for (i = 0; i < RACERS; i++) {
		kill(pid[i], SIGKILL);
		waitpid(pid[i], NULL, 0);
	}
	close(told[0]);
	close(told[1]);
	return have;
}

static void check_race(open_func open_it, int type, const char *what)
{
	int i, one = 0;

	for (i = 0; i < ROUNDS; i++) {
		leave_behind(type);
		one += race(open_it) == 1;
	}
	ok(one == ROUNDS, "%s: one of %d takes it over, %d times of %d", what, RACERS, one, ROUNDS);
}

/* Somebody who takes it over, and is slow. The end of what is returned is his end */
static int slow(int type)
{
	int ready[2], done[2];
	char byte;

	fflush(stdout);
	if (pipe(ready) || pipe(done))
		exit(1);
	if (!fork()) {
		int lock = open(lock_file, O_RDONLY | O_CREAT, 0600);

		close(done[1]);
		if (flock(lock, LOCK_EX) || write(ready[1], "", 1) != 1)
			_exit(1);
		poll(NULL, 0, 300);
		unlink(path);
		at_path(type, true);
		unlink(lock_file);
		flock(lock, LOCK_UN);
		_exit(read(done[0], &byte, 1) != 0);
	}
	if (read(ready[0], &byte, 1) != 1)
		exit(1);
	close(ready[0]);
	close(ready[1]);
	close(done[0]);
	return done[1];
}

static void check_slow(open_func open_it, int type, const char *what)
{
	int other, err;

	leave_behind(type);
	other = slow(type);
	err = open_it();
	ok(err == -EADDRINUSE && served(type), "%s: who is about to take it over has it", what);
	close(other);
	wait(NULL);
}

/* A lock that is not given back is no reason to remove anything */
static void check_kept_lock(open_func open_it, int type, const char *what)
{
	int lock = open(lock_file, O_RDONLY | O_CREAT | O_CLOEXEC, 0600);

	leave_behind(type);
	ok(!flock(lock, LOCK_EX) && open_it() == -EWOULDBLOCK && !access(path, F_OK),
	   "%s: the lock is kept", what);
	unlink(path);
	ok(!open_it(), "which does not matter where nothing is to be replaced");
	close(lock);
	unlink(lock_file);
}

/* Any user can lock a directory that it can read: that must not matter */
static void check_locked_directory(open_func open_it, int type, const char *what)
{
	int lock = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	leave_behind(type);
	ok(!flock(lock, LOCK_EX) && !open_it() && served(type),
	   "%s is taken over in a directory that is locked", what);
	close(lock);
	ok(access(lock_file, F_OK), "and no lock is left behind");
}

/* A lock file that others can open, and one that is none */
static void check_odd_lock(open_func open_it, int type)
{
	int fd = open(lock_file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	leave_behind(type);
	ok(!fchmod(fd, 0666) && open_it() == -EACCES, "a lock that is not private is not used");
	close(fd);
	unlink(lock_file);
	ok(!symlink(dir, lock_file) && open_it() == -ELOOP, "nor a link");
	unlink(lock_file);
}

int main(void)
{
	if (!mkdtemp(dir))
		return 1;
	snprintf(path, sizeof(path), "%s/socket", dir);
	snprintf(lock_file, sizeof(lock_file), "%s.lock", path);
	snprintf(place, sizeof(place), "unix:%s", path);
	check_race(open_broker, SOCK_SEQPACKET, "a broker's path");
	check_race(open_keeper, SOCK_STREAM, "a node's path");
	check_slow(open_broker, SOCK_SEQPACKET, "a broker's path");
	check_slow(open_keeper, SOCK_STREAM, "a node's path");
	check_kept_lock(open_broker, SOCK_SEQPACKET, "a broker's path");
	check_kept_lock(open_keeper, SOCK_STREAM, "a node's path");
	check_locked_directory(open_broker, SOCK_SEQPACKET, "a broker's path");
	check_locked_directory(open_keeper, SOCK_STREAM, "a node's path");
	check_odd_lock(open_broker, SOCK_SEQPACKET);
	unlink(path);
	rmdir(dir);
	return tap_end();
}
