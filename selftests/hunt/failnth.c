// SPDX-License-Identifier: GPL-2.0-only
/*
 * A library to preload: each allocation and each copy from or to user space of each
 * system call on a socket fails, one after the other. A call is made with the first
 * one failing, and again with the second one, until it needs no more. What gave an
 * error must have left all as it was, because it is made again: the assertions of
 * the program that made the call show whether it did.
 *
 * The kernel counts down /proc/thread-self/fail-nth with each allocation (failslab,
 * fail_page_alloc) and copy (fail_usercopy). The script "failnth" sets the filter of
 * these so that only those with a function of erldist on the stack count. A call that
 * does not reach erldist therefore has none, and is made once.
 *
 * Calls that are not made again, and why:
 *	close, _exit	The descriptor or the thread is gone. One failure each; the next
 *			call from the same place has the next failure. Nothing tells
 *			that the failure took place in _exit().
 *	kill (SIGKILL)	Likewise; the failure is set for the process that dies.
 *	what succeeds	An allocation has a fallback, or the loss has another effect than
 *			an error. The next call from the same place has the next failure.
 * poll(), select() and epoll_wait() are not wrapped: erldist allocates nothing there.
 * Calls by io_uring or by syscall() are not wrapped.
 *
 * In the environment:
 *	FAILNTH=calls	as above
 *	FAILNTH=works	this program's own calls never fail, whatever the probability: only
 *			works and softirqs do (a task with a fail-nth is not asked for it)
 *	FAILNTH=none	all is as with "calls", but nothing fails: for comparison
 *	FAILNTH=report	the program prints what the others have counted, and ends
 *	FAILNTH_STATE	the file in which all programs count
 *	FAILNTH_ONLY	PLACE or PLACE:N, from the report: only calls from there, and
 *			only the Nth failure of them
 *	FAILNTH_OFTEN	a call from a place that this process has exhausted so many times is
 *			made with failures only once in 8 times (20)
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <string.h>
#include <unistd.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <linux/erldist.h>
#include <linux/netlink.h>

#define PLACES		4096
/* More than that are not tried: a large message is copied page by page. */
#define MOST		500
#define NEVER		(1U << 30)
#define SELDOM		8
#define TIME_FACTOR	10
/* A descriptor that no test uses */
#define OWN_FD		900

enum mode { MODE_OFF, MODE_CALLS, MODE_WORKS, MODE_NONE };

/* A call at one place of a program */
struct place {
	_Atomic uint64_t key;		/* 0: free */
	char name[16];
	char program[24];
	uint32_t option;		/* of setsockopt(); or what is sent, its size */
	_Atomic uint32_t next;		/* failure to begin with, less 1 */
	_Atomic uint32_t calls, failed, deepest, succeeded, exhausted;
	_Atomic uint64_t errors[2];	/* bits: the errnos with a failure */
};

static struct {
	_Atomic uint32_t findings, unarmed;
	struct place place[PLACES];
} *state;

static enum mode mode;
static struct {
	uint64_t offset;
	unsigned int n;
	bool set;
} only;
static unsigned int often = 20;

/*
 * The errnos that a call may have for lack of memory, or for memory of the user that
 * cannot be read or written. All others are findings, unless the call has the same one
 * without a failure.
 */
static bool is_documented(long nr, int error)
{
	switch (error) {
	case ENOMEM:
	case ENOBUFS:
		return true;
	case EFAULT:	/* nothing is copied for these */
		return nr != SYS_socket && nr != SYS_socketpair && nr != SYS_shutdown;
	}
	return false;
}

/*
 * fail-nth
 */

static _Thread_local struct {
	pid_t tid;
	int fd;
} own = { .fd = -1 };

/* Also after a fork, and where the program has closed all its descriptors */
static int fail_nth_open(void)
{
	pid_t tid = syscall(SYS_gettid);
	int fd;

	if (own.tid == tid && own.fd >= 0)
		return own.fd;
	/* after a fork it is the one of the parent */
	if (own.fd >= 0 && own.tid != tid && syscall(SYS_getpid) == tid)
		syscall(SYS_close, own.fd);
	own.tid = tid;
	own.fd = -1;
	fd = syscall(SYS_openat, AT_FDCWD, "/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -1;
	own.fd = syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, OWN_FD);
	syscall(SYS_close, fd);
	return own.fd;
}

static bool fail_nth_write(int fd, unsigned int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", n);

	return syscall(SYS_pwrite64, fd, text, len, 0) == len;
}

/* Whether it is armed: not for a program that is no longer root's */
static bool arm(unsigned int n)
{
	for (int i = 0; i < 2; i++) {
		int fd = fail_nth_open();

		if (fd < 0)
			break;
		if (fail_nth_write(fd, n))
			return true;
		own.fd = -1;
	}
	atomic_fetch_add(&state->unarmed, 1);
	return false;
}

/* What is left to count: 0 when it has failed */
static unsigned int disarm(void)
{
	char text[16] = "";
	unsigned int left = NEVER;

	if (syscall(SYS_pread64, own.fd, text, sizeof(text) - 1, 0) > 0)
		left = strtoul(text, NULL, 10);
	fail_nth_write(own.fd, 0);
	return left;
}

/* Calls of this thread do not fail by probability */
static void immune(void)
{
	pid_t tid = syscall(SYS_gettid);

	if (own.tid != tid || own.fd < 0)
		arm(NEVER);
}

/*
 * Places
 */

static struct place *place_get(const char *name, uint32_t option, const void *caller)
{
	uint64_t key, offset = (uintptr_t)caller;
	const char *program = "?";
	Dl_info info;

	if (dladdr(caller, &info) && info.dli_fbase) {
		offset -= (uintptr_t)info.dli_fbase;
		program = strrchr(info.dli_fname, '/') ? strrchr(info.dli_fname, '/') + 1 :
							 info.dli_fname;
	}
	if (only.set && only.offset != offset)
		return NULL;
	key = offset << 24 ^ (uint64_t)option << 8 ^ (uint64_t)name[0] << 4 ^ strlen(name);
	for (const char *p = program; *p; p++)
		key = key * 31 + (unsigned char)*p;
	key |= 1;
	for (unsigned int i = 0; i < PLACES; i++) {
		struct place *p = &state->place[(key / 2 + i) % PLACES];
		uint64_t none = 0;

		if (p->key == key)
			return p;
		if (!atomic_compare_exchange_strong(&p->key, &none, key)) {
			if (none == key)
				return p;
			continue;
		}
		snprintf(p->name, sizeof(p->name), "%s", name);
		snprintf(p->program, sizeof(p->program), "%s+%#llx", program,
			 (unsigned long long)offset);
		p->option = option;
		return p;
	}
	return NULL;
}

/* Of this process: each test of a program has one */
static struct {
	_Atomic uint32_t exhausted, seen;
} here[PLACES];

/* What was exhausted often is tried seldom */
static bool is_tried(const struct place *p)
{
	size_t i = p - state->place;
	uint32_t seen = atomic_fetch_add(&here[i].seen, 1);

	return only.set || here[i].exhausted < often || seen % SELDOM == 0;
}

static void place_failed(struct place *p, unsigned int n, int error)
{
	uint32_t deepest = p->deepest;

	atomic_fetch_add(&p->failed, 1);
	if (error > 0 && error < 128)
		atomic_fetch_or(&p->errors[error / 64], 1ULL << error % 64);
	while (deepest < n && !atomic_compare_exchange_weak(&p->deepest, &deepest, n))
		;
}

static void finding(const struct place *p, unsigned int n, const char *what, int error)
{
	const char *at = strchr(p->program, '+');

	atomic_fetch_add(&state->findings, 1);
	dprintf(STDERR_FILENO, "# failnth: %s at %s: %s (errno %d, failure %u); repeat with ONLY=%s:%u\n",
		p->name, p->program, what, error, n, at ? at + 1 : "?", n);
}

/*
 * Calls
 */

/* What a call reads and writes: it is as before when the call is made again */
struct saved {
	void *p;
	size_t len;
	char *copy;
};

struct call {
	const char *name;
	long nr;
	unsigned long arg[6];
	uint32_t option;
	int family;			/* of the socket */
	bool once;
	struct saved saved;
	const void *caller;
};

static long make(struct call *c)
{
	if (c->saved.copy)
		memcpy(c->saved.p, c->saved.copy, c->saved.len);
	return syscall(c->nr, c->arg[0], c->arg[1], c->arg[2], c->arg[3], c->arg[4], c->arg[5]);
}

/*
 * A netlink request has succeeded when it is sent: its error is the first answer.
 * Where that is for lack of memory it is dropped, and the request made again.
 */
static bool take_refusal(const struct call *c)
{
	struct {
		struct nlmsghdr h;
		int error;
	} a;
	const struct nlmsghdr *request = (void *)c->arg[1];
	long n;

	if (c->nr != SYS_sendto)
		return false;
	n = syscall(SYS_recvfrom, c->arg[0], &a, sizeof(a), MSG_PEEK | MSG_DONTWAIT, NULL, NULL);
	if (n < (long)sizeof(a) || a.h.nlmsg_seq != request->nlmsg_seq ||
	    (a.h.nlmsg_type != NLMSG_ERROR && a.h.nlmsg_type != NLMSG_DONE) ||
	    a.error >= 0 || !is_documented(c->nr, -a.error))
		return false;
	syscall(SYS_recvfrom, c->arg[0], &a, sizeof(a), MSG_DONTWAIT, NULL, NULL);
	return true;
}

/*
 * What the next call without a failure has, too; or what has changed since then. While a
 * stream is handed over, the peer's own connection can come up: the call says so, whatever
 * failed, and the next one finds the peer connected. A name can become free.
 */
static bool is_explained(const struct call *c, int error, long plain, int plain_error)
{
	if (plain >= 0)
		return c->nr == SYS_bind && error == EADDRINUSE;
	return error == plain_error ||
	       (c->nr == SYS_setsockopt && c->option == ERLDIST_CHANNEL &&
		error == EALREADY && plain_error == EISCONN);
}

/* Made with an nth failure. True when that was the last time */
static bool make_nth(struct call *c, struct place *p, unsigned int n, long *result)
{
	unsigned int left;
	long plain;
	int error;

	if (!arm(n)) {
		*result = make(c);
		return true;
	}
	*result = make(c);
	error = *result < 0 ? errno : 0;
	left = disarm();
	errno = error;
	if (left) {
		atomic_store(&p->next, 0);
		atomic_fetch_add(&p->exhausted, 1);
		atomic_fetch_add(&here[p - state->place].exhausted, 1);
		return true;
	}
	place_failed(p, n, error);
	if (c->family == AF_NETLINK && *result > 0 && take_refusal(c))
		return false;
	if (*result >= 0 || c->once) {
		atomic_fetch_add(&p->succeeded, 1);
		atomic_store(&p->next, n);
		return true;
	}
	if (is_documented(c->nr, error))
		return false;
	plain = make(c);
	if (!is_explained(c, error, plain, errno))
		finding(p, n, "an error that is not documented", error);
	*result = plain;
	atomic_store(&p->next, n);
	return true;
}

static long make_all(struct call *c, struct place *p)
{
	unsigned int n = mode == MODE_NONE ? NEVER : atomic_load(&p->next) + 1;
	long result;

	atomic_fetch_add(&p->calls, 1);
	if (only.n)
		n = only.n;
	if (n > MOST && mode != MODE_NONE)
		n = 1;
	for (; n <= MOST || mode == MODE_NONE; n++) {
		if (make_nth(c, p, n, &result))
			return result;
		if (only.n)
			break;
	}
	return make(c);
}

/* Of a socket: its family; else -1 */
static int family_of(int fd)
{
	socklen_t len = sizeof(int);
	int domain = -1, error = errno;

	syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_DOMAIN, &domain, &len);
	errno = error;
	return domain;
}

/* The copy is on the stack: a thread may be ended, or fork, at any time. */
#define DO_CALL(c, fd)							\
	({								\
		char copy[(c)->saved.len + 1];				\
									\
		if ((c)->saved.p)					\
			(c)->saved.copy = memcpy(copy, (c)->saved.p, (c)->saved.len); \
		(c)->caller = __builtin_return_address(0);		\
		do_call(c, fd);						\
	})

static long call_wrapped(struct call *c, int fd)
{
	struct place *p;

	if (mode == MODE_WORKS)
		immune();
	if (mode == MODE_OFF || mode == MODE_WORKS)
		return make(c);
	c->family = fd < 0 ? AF_UNSPEC : family_of(fd);
	/* a dump's later parts are made as they are read: the error is among them */
	if (c->family < 0 || (c->family == AF_NETLINK && c->nr == SYS_recvfrom))
		return make(c);
	p = place_get(c->name, c->option, c->caller);
	if (!p || !is_tried(p))
		return make(c);
	return make_all(c, p);
}

/* A call that succeeds leaves errno as it was: programs close() before they read it. */
static long do_call(struct call *c, int fd)
{
	int error = errno;
	long result = call_wrapped(c, fd);

	if (result >= 0)
		errno = error;
	return result;
}

#define A(x)	((unsigned long)(x))
#define CALL(fn, ...)	struct call c = { .name = #fn, .nr = SYS_##fn, .arg = { __VA_ARGS__ } }

int socket(int domain, int type, int protocol)
{
	CALL(socket, A(domain), A(type), A(protocol));

	return DO_CALL(&c, -1);
}

int bind(int fd, const struct sockaddr *a, socklen_t len)
{
	CALL(bind, A(fd), A(a), A(len));

	return DO_CALL(&c, fd);
}

int connect(int fd, const struct sockaddr *a, socklen_t len)
{
	CALL(connect, A(fd), A(a), A(len));

	return DO_CALL(&c, fd);
}

int listen(int fd, int backlog)
{
	CALL(listen, A(fd), A(backlog));

	return DO_CALL(&c, fd);
}

static void save_len(struct call *c, socklen_t *len)
{
	/* a pointer that cannot be read is a test's own */
	if (len && (uintptr_t)len > 65536)
		c->saved = (struct saved){ .p = len, .len = sizeof(*len) };
}

int accept4(int fd, struct sockaddr *a, socklen_t *len, int flags)
{
	CALL(accept4, A(fd), A(a), A(len), A(flags));

	save_len(&c, len);
	return DO_CALL(&c, fd);
}

int accept(int fd, struct sockaddr *a, socklen_t *len)
{
	CALL(accept, A(fd), A(a), A(len));

	save_len(&c, len);
	return DO_CALL(&c, fd);
}

int shutdown(int fd, int how)
{
	CALL(shutdown, A(fd), A(how));

	return DO_CALL(&c, fd);
}

int getsockname(int fd, struct sockaddr *a, socklen_t *len)
{
	CALL(getsockname, A(fd), A(a), A(len));

	save_len(&c, len);
	return DO_CALL(&c, fd);
}

int getpeername(int fd, struct sockaddr *a, socklen_t *len)
{
	CALL(getpeername, A(fd), A(a), A(len));

	save_len(&c, len);
	return DO_CALL(&c, fd);
}

int setsockopt(int fd, int level, int option, const void *value, socklen_t len)
{
	CALL(setsockopt, A(fd), A(level), A(option), A(value), A(len));

	c.option = option;
	return DO_CALL(&c, fd);
}

int getsockopt(int fd, int level, int option, void *value, socklen_t *len)
{
	CALL(getsockopt, A(fd), A(level), A(option), A(value), A(len));

	c.option = option;
	save_len(&c, len);
	return DO_CALL(&c, fd);
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	{
		CALL(ioctl, A(fd), request, A(arg));

		c.option = request;
		return DO_CALL(&c, fd);
	}
}

/* Different calls come from the same place of a helper: by the length, in powers of 2 */
static uint32_t kind_of_length(size_t n)
{
	return n ? 64 - __builtin_clzll(n) : 0;
}

/* By what they ask for, too: the operation in a message of control */
static uint32_t kind_of_message(const struct msghdr *m)
{
	struct erldist_signal sig;
	struct cmsghdr *h;
	uint32_t kind = 0;

	if ((uintptr_t)m <= 65536)
		return 0;
	if (m->msg_iovlen == 1 && m->msg_iov)
		kind = kind_of_length(m->msg_iov->iov_len);
	for (h = CMSG_FIRSTHDR(m); h; h = CMSG_NXTHDR((struct msghdr *)m, h)) {
		if (h->cmsg_level != SOL_ERLDIST || h->cmsg_type != ERLDIST_SIGNAL ||
		    h->cmsg_len < CMSG_LEN(sizeof(sig)))
			continue;
		memcpy(&sig, CMSG_DATA(h), sizeof(sig));
		kind += sig.op * 100 + (sig.flags & 0xff) * 10000;
	}
	return kind;
}

ssize_t sendto(int fd, const void *p, size_t n, int flags, const struct sockaddr *a, socklen_t len)
{
	CALL(sendto, A(fd), A(p), n, A(flags), A(a), A(len));

	return DO_CALL(&c, fd);
}

ssize_t send(int fd, const void *p, size_t n, int flags)
{
	CALL(sendto, A(fd), A(p), n, A(flags), 0, 0);

	c.option = kind_of_length(n);
	return DO_CALL(&c, fd);
}

ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
	CALL(sendmsg, A(fd), A(m), A(flags));

	c.option = kind_of_message(m);
	return DO_CALL(&c, fd);
}

int sendmmsg(int fd, struct mmsghdr *m, unsigned int n, int flags)
{
	CALL(sendmmsg, A(fd), A(m), A(n), A(flags));

	c.saved = (struct saved){ .p = m, .len = n * sizeof(*m) };
	return DO_CALL(&c, fd);
}

ssize_t write(int fd, const void *p, size_t n)
{
	CALL(write, A(fd), A(p), n);

	c.option = kind_of_length(n);
	return DO_CALL(&c, fd);
}

ssize_t writev(int fd, const struct iovec *v, int n)
{
	CALL(writev, A(fd), A(v), A(n));

	return DO_CALL(&c, fd);
}

ssize_t sendfile(int fd, int from, off_t *offset, size_t n)
{
	CALL(sendfile, A(fd), A(from), A(offset), n);

	if (offset)
		c.saved = (struct saved){ .p = offset, .len = sizeof(*offset) };
	return DO_CALL(&c, fd);
}

ssize_t recvfrom(int fd, void *p, size_t n, int flags, struct sockaddr *a, socklen_t *len)
{
	CALL(recvfrom, A(fd), A(p), n, A(flags), A(a), A(len));

	save_len(&c, len);
	return DO_CALL(&c, fd);
}

ssize_t recv(int fd, void *p, size_t n, int flags)
{
	CALL(recvfrom, A(fd), A(p), n, A(flags), 0, 0);

	return DO_CALL(&c, fd);
}

ssize_t recvmsg(int fd, struct msghdr *m, int flags)
{
	CALL(recvmsg, A(fd), A(m), A(flags));

	if ((uintptr_t)m > 65536)
		c.saved = (struct saved){ .p = m, .len = sizeof(*m) };
	return DO_CALL(&c, fd);
}

int recvmmsg(int fd, struct mmsghdr *m, unsigned int n, int flags, struct timespec *timeout)
{
	CALL(recvmmsg, A(fd), A(m), A(n), A(flags), A(timeout));

	/* not wrapped: the error of a later message is the next call's */
	return make(&c);
}

ssize_t read(int fd, void *p, size_t n)
{
	CALL(read, A(fd), A(p), n);

	return DO_CALL(&c, fd);
}

ssize_t readv(int fd, const struct iovec *v, int n)
{
	CALL(readv, A(fd), A(v), A(n));

	return DO_CALL(&c, fd);
}

int epoll_ctl(int ep, int op, int fd, struct epoll_event *e)
{
	CALL(epoll_ctl, A(ep), A(op), A(fd), A(e));

	return DO_CALL(&c, fd);
}

int close(int fd)
{
	CALL(close, A(fd));

	/* erldist's sockets are released here, or by what holds the last reference */
	c.once = true;
	return DO_CALL(&c, fd);
}

/* Nothing is read back: how many there are is not known. A few are tried. */
#define AT_DEATH	8

static struct place *place_of_death(const char *name, const void *caller)
{
	struct place *p = mode == MODE_CALLS ? place_get(name, 0, caller) : NULL;

	if (p)
		atomic_fetch_add(&p->calls, 1);
	return p;
}

static unsigned int next_at_death(struct place *p)
{
	return only.n ?: atomic_fetch_add(&p->next, 1) % AT_DEATH + 1;
}

noreturn void _exit(int status)
{
	struct place *p = place_of_death("_exit", __builtin_return_address(0));

	if (p)
		arm(next_at_death(p));
	for (;;)
		syscall(SYS_exit_group, status);
}

int kill(pid_t pid, int sig)
{
	struct place *p = sig == SIGKILL && pid > 0 ?
			  place_of_death("kill", __builtin_return_address(0)) : NULL;
	char path[64];
	int fd;

	if (p) {
		snprintf(path, sizeof(path), "/proc/%d/fail-nth", pid);
		fd = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CLOEXEC);
		if (fd >= 0) {
			fail_nth_write(fd, next_at_death(p));
			syscall(SYS_close, fd);
		}
	}
	return syscall(SYS_kill, pid, sig);
}

/*
 * A test takes as much longer as it makes more calls. In works, one that waits for what
 * was lost is ended after half its time.
 */
static unsigned int scale_time(unsigned int seconds)
{
	switch (mode) {
	case MODE_CALLS:
	case MODE_NONE:
		return seconds * TIME_FACTOR;
	case MODE_WORKS:
		return (seconds + 1) / 2;
	default:
		return seconds;
	}
}

unsigned int alarm(unsigned int seconds)
{
	unsigned int (*real)(unsigned int seconds) = dlsym(RTLD_NEXT, "alarm");

	return real(scale_time(seconds));
}

/*
 * The report
 */

static void report_place(const struct place *p)
{
	printf("%-11s %-24s %6u %7u %7u %6u %7u ", p->name, p->program, p->option, p->calls,
	       p->failed, p->deepest, p->succeeded);
	for (int e = 1; e < 128; e++) {
		if (p->errors[e / 64] & 1ULL << e % 64)
			printf(" %s", strerrorname_np(e) ?: "?");
	}
	putchar('\n');
}

static void report(void)
{
	unsigned int calls = 0, failed = 0, deepest = 0, places = 0, succeeded = 0;

	puts("# call      place                    option   calls  failed deepest success  errors");
	for (int i = 0; i < PLACES; i++) {
		const struct place *p = &state->place[i];

		calls += p->calls;
		failed += p->failed;
		succeeded += p->succeeded;
		places += p->failed > 0;
		deepest = p->deepest > deepest ? p->deepest : deepest;
		if (p->failed)
			report_place(p);
	}
	printf("total: %u calls, %u failures at %u places, the deepest the %uth; %u calls succeeded all the same; %u findings; %u calls could not be armed\n",
	       calls, failed, places, deepest, succeeded, state->findings, state->unarmed);
	fflush(stdout);
}

static void state_open(const char *path)
{
	int fd = path ? syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CREAT | O_CLOEXEC, 0666) : -1;
	int flags = fd < 0 ? MAP_SHARED | MAP_ANONYMOUS : MAP_SHARED;

	if (fd >= 0 && ftruncate(fd, sizeof(*state)))
		fd = -1;
	state = mmap(NULL, sizeof(*state), PROT_READ | PROT_WRITE, flags, fd, 0);
	if (fd >= 0)
		syscall(SYS_close, fd);
}

__attribute__((constructor)) static void begin(void)
{
	const char *s = getenv("FAILNTH"), *place = getenv("FAILNTH_ONLY");
	char *end;

	if (!s)
		return;
	state_open(getenv("FAILNTH_STATE"));
	if (state == MAP_FAILED)
		return;
	if (!strcmp(s, "report")) {
		report();
		syscall(SYS_exit_group, 0);
	}
	if (place) {
		only.set = true;
		only.offset = strtoull(place, &end, 16);
		only.n = *end == ':' ? atoi(end + 1) : 0;
	}
	if (getenv("FAILNTH_OFTEN"))
		often = atoi(getenv("FAILNTH_OFTEN"));
	mode = !strcmp(s, "calls") ? MODE_CALLS : !strcmp(s, "works") ? MODE_WORKS :
	       !strcmp(s, "none") ? MODE_NONE : MODE_OFF;
	if (mode == MODE_WORKS)
		immune();
}
