// SPDX-License-Identifier: GPL-2.0-only
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <linux/io_uring.h>

#include "ways.h"

#define OOM_GROUP	"/sys/fs/cgroup/erldist-oom"

/* Where the program reads and writes its lines */
static int line_in, line_out;

static void await_line(void)
{
	char c;

	do {
		if (read(line_in, &c, 1) != 1)
			_exit(98);
	} while (c != '\n');
}

static void put_line(const char *line)
{
	if (dprintf(line_out, "%s\n", line) < 0)
		_exit(97);
}

static void still_alive(void)
{
	put_line("alive");
	await_line();
}

static noreturn void linger(void)
{
	for (;;)
		pause();
}

/*
 * The descriptor goes
 */

static void by_close(int fd)
{
	close(fd);
	linger();
}

/* What the program becomes lives on, without the descriptor. */
static void by_cloexec(int fd)
{
	execl("/bin/sleep", "sleep", "1000", NULL);
}

static void give(int through, const int *fds, int n)
{
	char control[CMSG_SPACE(3 * sizeof(int))] = { 0 };
	struct iovec iov = { "f", 1 };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = CMSG_SPACE(n * sizeof(int)) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&h);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	if (sendmsg(through, &h, 0) != 1)
		_exit(95);
}

static void unix_pair(int sv[2])
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv))
		_exit(94);
}

/* The message that holds it goes with its socket. */
static void by_message(int fd)
{
	int sv[2];

	unix_pair(sv);
	give(sv[0], &fd, 1);
	close(fd);
	still_alive();
	close(sv[0]);
	close(sv[1]);
	linger();
}

/* Messages that hold each other's sockets: the collector has to find them. */
static void by_collector(int fd)
{
	int sv[2];

	unix_pair(sv);
	give(sv[0], (int[]){ fd, sv[0], sv[1] }, 3);
	give(sv[1], (int[]){ sv[0], sv[1] }, 2);
	close(fd);
	still_alive();
	close(sv[0]);
	close(sv[1]);
	/* it runs when a socket is closed */
	unix_pair(sv);
	close(sv[0]);
	close(sv[1]);
	linger();
}

/*
 * io_uring
 */

static int ring_setup(struct io_uring_params *params)
{
	int ring;

	memset(params, 0, sizeof(*params));
	ring = syscall(SYS_io_uring_setup, 4, params);
	return ring < 0 ? -errno : ring;
}

static int ring_possible(void)
{
	struct io_uring_params params;
	int ring = ring_setup(&params);

	if (ring < 0)
		return ring;
	close(ring);
	return 0;
}

/* A ring in which the descriptor is a registered file */
static int ring_with(int fd)
{
	struct io_uring_params params;
	int ring = ring_setup(&params);

	if (ring < 0 || syscall(SYS_io_uring_register, ring, IORING_REGISTER_FILES, &fd, 1))
		_exit(93);
	return ring;
}

static void *ring_map(int ring, size_t size, off_t what)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
		       ring, what);

	if (p == MAP_FAILED)
		_exit(92);
	return p;
}

/* A ring that waits for the descriptor to be readable */
static void ring_polls(int fd)
{
	struct io_uring_params params;
	int ring = ring_setup(&params);
	struct io_uring_sqe *sqe;
	uint32_t *tail, *array;
	uint8_t *sq;

	if (ring < 0)
		_exit(93);
	sqe = ring_map(ring, params.sq_entries * sizeof(*sqe), IORING_OFF_SQES);
	sq = ring_map(ring, params.sq_off.array + params.sq_entries * 4, IORING_OFF_SQ_RING);
	tail = (void *)(sq + params.sq_off.tail);
	array = (void *)(sq + params.sq_off.array);
	*sqe = (struct io_uring_sqe){ .opcode = IORING_OP_POLL_ADD, .fd = fd,
				      .poll32_events = POLLIN };
	array[0] = 0;
	__atomic_store_n(tail, 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, ring, 1, 0, 0, NULL, 0) != 1)
		_exit(91);
}

static void by_ring(int fd)
{
	int ring = ring_with(fd);

	close(fd);
	still_alive();
	close(ring);
	linger();
}

static void by_kill_in_ring(int fd)
{
	ring_with(fd);
	close(fd);
	still_alive();
	raise(SIGKILL);
}

static void by_kill_in_poll(int fd)
{
	ring_polls(fd);
	close(fd);
	still_alive();
	raise(SIGKILL);
}

/*
 * The program goes
 */

static void by_exit(int fd)
{
	_exit(3);
}

static void by_exit_0(int fd)
{
	_exit(0);
}

static void by_sigkill(int fd)
{
	raise(SIGKILL);
}

static void by_sigabrt(int fd)
{
	const struct rlimit none = { 0 };

	setrlimit(RLIMIT_CORE, &none);
	signal(SIGABRT, SIG_DFL);
	raise(SIGABRT);
}

/* A child removes what this program leaves there. */
static void remove_afterwards(char *dir)
{
	pid_t parent = getpid();

	if (fork())
		return;
	close_range(0, ~0U, 0);
	while (getppid() == parent)
		sleep_ms(20);
	execl("/bin/rm", "rm", "-rf", dir, NULL);
	_exit(1);
}

/* With a core that takes its time */
static void by_sigsegv(int fd)
{
	const struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	const size_t size = 16 << 20;
	char dir[] = "/tmp/erldist-core.XXXXXX";

	if (!mkdtemp(dir) || chdir(dir))
		_exit(90);
	remove_afterwards(dir);
	memset(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
	       1, size);
	setrlimit(RLIMIT_CORE, &all);
	prctl(PR_SET_DUMPABLE, 1);
	signal(SIGSEGV, SIG_DFL);
	raise(SIGSEGV);
}

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		err = -errno;
	close(fd);
	return err;
}

static int oom_possible(void)
{
	int err = write_file("/sys/fs/cgroup/cgroup.subtree_control", "+memory");

	if (err)
		return err;
	if (mkdir(OOM_GROUP, 0755) && errno != EEXIST)
		return -errno;
	err = write_file(OOM_GROUP "/memory.max", "16M");
	/* a machine without swap has no such file */
	write_file(OOM_GROUP "/memory.swap.max", "0");
	return err;
}

static void by_oom(int fd)
{
	const size_t size = 64 << 20;

	if (write_file(OOM_GROUP "/cgroup.procs", "0"))
		_exit(89);
	memset(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
	       1, size);
}

/* A child keeps this descriptor, and no other, for long enough to be noticed. */
static void fork_heir(int fd)
{
	pid_t pid = fork();

	if (pid < 0)
		_exit(88);
	if (pid)
		return;
	close_range(0, fd - 1, 0);
	close_range(fd + 1, ~0U, 0);
	sleep_ms(2 * WAIT_MS);
	_exit(0);
}

static void by_kill_with_heir(int fd)
{
	fork_heir(fd);
	raise(SIGKILL);
}

static void by_exit_with_message(int fd)
{
	int sv[2];

	unix_pair(sv);
	give(sv[0], &fd, 1);
	close(fd);
	fork_heir(sv[1]);
	still_alive();
	_exit(8);
}

/*
 * Threads
 */

static void start_thread(void *(*fn)(void *), void *arg)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, fn, arg))
		_exit(87);
}

static void *ends_alone(void *arg)
{
	return NULL;
}

static void by_exit_after_thread(int fd)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, ends_alone, NULL) || pthread_join(thread, NULL))
		_exit(87);
	still_alive();
	_exit(5);
}

/* The first thread, whose exit a thread group's leader is known by */
static bool leader_is_gone(void)
{
	char path[64], stat[512], *state;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", getpid());
	f = fopen(path, "re");
	if (!f)
		return false;
	if (!fgets(stat, sizeof(stat), f))
		*stat = 0;
	fclose(f);
	state = strrchr(stat, ')');
	return state && state[1] && state[2] == 'Z';
}

static void *outlives(void *status)
{
	while (!leader_is_gone())
		sleep_ms(2);
	still_alive();
	if (status)
		_exit(*(int *)status);
	return NULL;
}

static void by_exit_after_leader(int fd)
{
	static int status = 6;

	start_thread(outlives, &status);
	pthread_exit(NULL);
}

/* Nobody exits, there is just no thread any more. */
static void by_last_thread(int fd)
{
	start_thread(outlives, NULL);
	pthread_exit(NULL);
}

static void *executes(void *arg)
{
	int fd = *(int *)arg;

	/* a shell has numbers of one digit alone */
	dup2(line_in, 0);
	dup2(line_out, 1);
	dup2(fd, 2);
	execl("/bin/sh", "sh", "-c", "echo alive; read line; exit 7", NULL);
	_exit(86);
}

static void by_exit_after_exec(int fd)
{
	start_thread(executes, &fd);
	linger();
}

const struct way ways[] = {
	{ "close", .end = by_close },
	{ "cloexec", .end = by_cloexec },
	{ "message", .end = by_message, .alive = true },
	{ "collector", .end = by_collector, .alive = true },
	{ "exit", .end = by_exit, .status = 3 },
	{ "exit_0", .end = by_exit_0 },
	{ "sigkill", .end = by_sigkill, .signal = "sigkill" },
	{ "sigabrt", .end = by_sigabrt, .signal = "sigabrt" },
	{ "sigsegv", .end = by_sigsegv, .signal = "sigsegv" },
	{ "oom", .end = by_oom, .signal = "sigkill", .possible = oom_possible },
	{ "heir", .end = by_kill_with_heir, .signal = "sigkill" },
	{ "exit_with_message", .end = by_exit_with_message, .status = 8, .alive = true },
	{ "thread", .end = by_exit_after_thread, .status = 5, .alive = true },
	{ "leader", .end = by_exit_after_leader, .status = 6, .alive = true },
	{ "last_thread", .end = by_last_thread, .alive = true },
	{ "exec", .end = by_exit_after_exec, .status = 7, .alive = true },
	{ "ring", .end = by_ring, .alive = true, .possible = ring_possible },
	{ "sigkill_in_ring", .end = by_kill_in_ring, .signal = "sigkill", .alive = true,
	  .possible = ring_possible },
	{ "sigkill_in_poll", .end = by_kill_in_poll, .signal = "sigkill", .alive = true,
	  .possible = ring_possible },
	{ 0 }
};

const struct way *way_find(const char *name)
{
	const struct way *way;

	for (way = ways; way->name; way++) {
		if (!strcmp(way->name, name))
			return way;
	}
	return NULL;
}

void way_reason(const struct way *way, struct buf *reason)
{
	if (way->signal)
		term(reason, "{aa}", "signal", way->signal);
	else if (way->status)
		term(reason, "{ai}", "exit_status", way->status);
	else
		term(reason, "a", "normal");
}

static void put_pid(int fd)
{
	DEFINE_BUF(pid);

	if (proc_term(fd, ERLDIST_SELF, &pid))
		_exit(85);
	/* in one write, as a line is one packet for some */
	{
		char line[8 + 2 * pid.len];
		int at = sprintf(line, "pid ");

		for (size_t i = 0; i < pid.len; i++)
			at += sprintf(line + at, "%02x", pid.p[i]);
		put_line(line);
	}
}

void way_go(const struct way *way, const char *name, const char *node, int in, int out)
{
	int fd;

	line_in = in;
	line_out = out;
	fd = proc(name, node);
	put_pid(fd);
	await_line();
	way->end(fd);
	_exit(99);
}
