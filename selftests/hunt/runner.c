// SPDX-License-Identifier: GPL-2.0-only
/*
 * The runner: a child that runs programs, one after the other. Its threads stay, its
 * descriptors are closed after each program. All workers share the descriptors and the
 * results.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "futex.h"
#include "hunt.h"

#define CALL_MS		20	/* after that the next call does not wait for one */
#define TURNS_MS	1000	/* after that no further failures of a call */
#define RACE_MS		150	/* how long calls run freely */
#define MEET_US		2000	/* how long a worker waits for the others of a race */
#define BACK_MS		1500	/* until an interrupted worker is back */
#define RUNNER_PROGRAMS	100	/* of one runner */
#define SWEEP_MAX	60	/* failures of one call */

/* What a worker is to do: its turn is 256 times a count, plus a call's number or this */
#define TURN_RACE	MAX_CALLS

/* Descriptors of the runner, from first_fd on: fail-nth of each worker, listeners */
enum { KEPT_LISTENER = MAX_WORKERS, KEPT = KEPT_LISTENER + 2 };
/* Descriptors: of streams, and below of all else */
enum { STREAM_FD = 400, STREAM_FDS = 3600 };
static int first_fd;

static uint64_t microseconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000ULL + t.tv_nsec / 1000;
}

static bool is_over(struct shared *s)
{
	return load(&s->stop) || now_ms() > s->race_end;
}

/* Failures */

static __thread int nth_fd = -1;

static void open_nth(unsigned int worker, bool process)
{
	nth_fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	/* a thread keeps it, a process has it among those of the program */
	if (process || nth_fd < 0)
		return;
	dup3(nth_fd, first_fd + worker, O_CLOEXEC);
	close(nth_fd);
	nth_fd = first_fd + worker;
}

/* Fails the n-th allocation or copy from now on, within the module; 0: none */
static void set_nth(unsigned int n)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", n);
	if (nth_fd >= 0 && pwrite(nth_fd, text, strlen(text), 0) < 0)
		return;
}

/* True when the failure that was set has happened */
static bool nth_done(void)
{
	char text[16] = "";

	return nth_fd >= 0 && pread(nth_fd, text, sizeof(text) - 1, 0) > 0 && !atoi(text);
}

/* Calls */

static long run_once(struct shared *s, unsigned int i, unsigned int worker)
{
	const struct call *call = &s->prog.call[i];
	const struct desc *d = desc_of(call->desc);
	struct cursor c = { .s = s, .a = call->arg, .left = call->n_args,
			    .out = &s->res[i], .worker = worker, .op = d->op };
	long ret;
	int err;

	/* each round has its own */
	if (d->makes & ~R_CHILD && c.out->type)
		close(c.out->fd);
	__atomic_add_fetch(&s->executed, 1, __ATOMIC_RELAXED);
	ret = d->run(&c);
	err = ret >= 0 ? 0 : ret > -ERRNOS ? -ret : EINVAL;
	__atomic_add_fetch(&s->outcomes.n[call->desc % MAX_DESCS][err], 1, __ATOMIC_RELAXED);
	return ret;
}

/* One failure after the other, until the call needs no more */
static void run_sweep(struct shared *s, unsigned int i, unsigned int worker)
{
	bool done = true;

	for (unsigned int n = 1; n <= SWEEP_MAX && done && !is_over(s); n++) {
		set_nth(n);
		s->ret[i] = run_once(s, i, worker);
		done = nth_done();
		set_nth(0);
	}
}

static void run_call(struct shared *s, unsigned int i, unsigned int worker)
{
	unsigned int nth = s->prog.call[i].nth;

	if (nth && nth_fd < 0)
		open_nth(worker, s->prog.processes >> worker & 1);
	if (nth == NTH_SWEEP) {
		run_sweep(s, i, worker);
		return;
	}
	if (nth)
		set_nth(nth);
	s->ret[i] = run_once(s, i, worker);
	if (nth)
		set_nth(0);
}

/* Workers */

/* Two calls meet at another place each time */
static void delay(uint64_t *rng)
{
	uint64_t end;

	if (one_in(rng, 2))
		return;
	end = microseconds() + rnd(rng, one_in(rng, 4) ? 2000 : 150);
	while (microseconds() < end)
		;
}

static void meet(struct shared *s)
{
	uint64_t end = microseconds() + MEET_US;

	__atomic_add_fetch(&s->arrived, 1, __ATOMIC_ACQ_REL);
	while (load(&s->arrived) < s->racers && microseconds() < end)
		sched_yield();
}

static void race(struct shared *s, unsigned int worker)
{
	const struct prog *p = &s->prog;
	unsigned int rounds = p->loop_from < p->race_from ? 1 : p->rounds;
	uint64_t rng = microseconds() ^ (uint64_t)worker << 32;

	meet(s);
	for (unsigned int k = 0; k < rounds; k++) {
		for (unsigned int i = p->race_from; i < p->n_calls; i++) {
			if (p->call[i].worker != worker)
				continue;
			if (is_over(s))
				return;
			delay(&rng);
			run_call(s, i, worker);
		}
	}
}

/* A thread waits for its own turns while a process has its number */
static unsigned int area_of(const struct shared *s, unsigned int worker)
{
	return s->prog.processes >> worker & 1 ? MAX_WORKERS + worker : worker;
}

static void work(struct shared *s, unsigned int worker, unsigned int area)
{
	uint32_t seen = s->done[area], turn;

	for (;;) {
		while ((turn = load(&s->turn[area])) == seen)
			futex_wait(&s->turn[area], seen, 10000);
		seen = turn;
		if ((turn & 0xff) == TURN_RACE)
			race(s, worker);
		else
			run_call(s, turn & 0xff, worker);
		store_wake(&s->done[area], turn);
	}
}

struct worker {
	struct shared *s;
	unsigned int number;
};

static void *work_thread(void *arg)
{
	const struct worker *w = arg;

	w->s->tid[w->number] = syscall(SYS_gettid);
	kcov_thread_start(w->s, w->number);
	work(w->s, w->number, w->number);
	return NULL;
}

static void start_process(struct shared *s, unsigned int worker)
{
	/* Shares the descriptors, but is a program of its own */
	pid_t pid = syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL);

	if (pid) {
		s->pid[worker] = pid < 0 ? 0 : pid;
		return;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	nth_fd = -1;
	kcov_thread_start(s, MAX_WORKERS + worker);
	work(s, worker, MAX_WORKERS + worker);
	_exit(0);
}

static void start_thread(struct shared *s, unsigned int worker)
{
	static struct worker w[MAX_WORKERS];
	pthread_attr_t attr;
	pthread_t thread;

	if (s->tid[worker])
		return;
	w[worker] = (struct worker){ s, worker };
	/* until it knows its own */
	s->tid[worker] = -1;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 512 << 10);
	if (pthread_create(&thread, &attr, work_thread, &w[worker]))
		s->tid[worker] = 0;
}

static unsigned int used_workers(const struct prog *p, unsigned int from)
{
	unsigned int bits = 0;

	for (unsigned int i = from; i < p->n_calls; i++)
		bits |= 1 << p->call[i].worker;
	return bits;
}

static void start_workers(struct shared *s)
{
	unsigned int used = used_workers(&s->prog, 0);

	for (unsigned int i = 1; i < MAX_WORKERS; i++)
		if (used & s->prog.processes & 1 << i)
			start_process(s, i);
	for (unsigned int i = 1; i < MAX_WORKERS; i++)
		if (used & ~s->prog.processes & 1 << i)
			start_thread(s, i);
}

static void post(struct shared *s, unsigned int worker, unsigned int what)
{
	uint32_t *turn = &s->turn[area_of(s, worker)];

	store_wake(turn, (*turn & ~0xffU) + 256 + what);
}

static void wait_for(struct shared *s, unsigned int worker, uint64_t end)
{
	unsigned int area = area_of(s, worker);
	uint64_t now = now_ms();
	uint32_t done;

	while ((done = load(&s->done[area])) != s->turn[area] && now < end) {
		futex_wait(&s->done[area], done, end - now);
		now = now_ms();
	}
}

static void in_turn(struct shared *s, unsigned int i)
{
	unsigned int worker = s->prog.call[i].worker;

	if (!worker) {
		run_call(s, i, 0);
		return;
	}
	post(s, worker, i);
	wait_for(s, worker, now_ms() + CALL_MS);
}

/* All workers that have calls in the race run them */
static void race_all(struct shared *s, unsigned int ms)
{
	unsigned int used = used_workers(&s->prog, s->prog.race_from);
	uint64_t end;

	s->arrived = 0;
	s->racers = __builtin_popcount(used | 1);
	for (unsigned int i = 1; i < MAX_WORKERS; i++)
		if (used >> i & 1)
			post(s, i, TURN_RACE);
	race(s, 0);
	end = now_ms() + ms;
	if (end > s->race_end)
		end = s->race_end;
	for (unsigned int i = 1; i < MAX_WORKERS; i++)
		if (used >> i & 1)
			wait_for(s, i, end);
}

/* In each round the calls from loop_from on run in turn, then those of the race freely */
static void run_calls(struct shared *s)
{
	const struct prog *p = &s->prog;

	s->race_end = now_ms() + TURNS_MS;
	for (unsigned int i = 0; i < p->loop_from; i++)
		in_turn(s, i);
	s->race_end = now_ms() + RACE_MS;
	if (p->loop_from == p->race_from) {
		if (p->race_from < p->n_calls)
			race_all(s, RACE_MS);
		return;
	}
	for (unsigned int k = 0; k < p->rounds && (!k || !is_over(s)); k++) {
		for (unsigned int i = p->loop_from; i < p->race_from; i++)
			in_turn(s, i);
		race_all(s, CALL_MS);
	}
}

/* The runner */

static void interrupted(int sig)
{
}

/* Threads that wait are interrupted until they are back */
static bool threads_back(struct shared *s)
{
	uint64_t end = now_ms() + BACK_MS;
	uint32_t done;

	for (unsigned int i = 1; i < MAX_WORKERS; i++) {
		while ((done = load(&s->done[i])) != s->turn[i]) {
			if (now_ms() > end)
				return false;
			if (s->tid[i] > 0)
				syscall(SYS_tgkill, getpid(), s->tid[i], SIGUSR1);
			futex_wait(&s->done[i], done, 4);
		}
	}
	return true;
}

static bool children_gone(struct shared *s)
{
	uint64_t end = now_ms() + BACK_MS;
	unsigned int n = load(&s->n_children);
	pid_t pid;

	for (unsigned int i = 1; i < MAX_WORKERS; i++) {
		if (s->pid[i])
			kill(s->pid[i], SIGKILL);
		s->done[MAX_WORKERS + i] = s->turn[MAX_WORKERS + i];
		s->pid[i] = 0;
	}
	for (unsigned int i = 0; i < n && i < MAX_CHILDREN; i++)
		if (s->children[i])
			kill(s->children[i], SIGKILL);
	while ((pid = waitpid(-1, NULL, WNOHANG)) != -1) {
		if (pid)
			continue;
		if (now_ms() > end)
			return false;
		sleep_ms(1);
	}
	return true;
}

static void run_here(struct shared *s)
{
	start_workers(s);
	run_calls(s);
	hunt_drain(s);
	s->ran_at = now_ms();
	store_wake(&s->stop, 1);
	if (s->changed || !threads_back(s) || !children_gone(s))
		s->retire = true;
	else if (++s->programs >= RUNNER_PROGRAMS)
		s->retire = true;
	if (!s->retire)
		close_range(first_fd + KEPT, ~0U, 0);
}

/* Listens on loopback, for both ends of connections */
static void keep_listener(int domain, int fd)
{
	struct sockaddr_in6 a = { .sin6_family = domain };
	int s = socket(domain, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (domain == AF_INET)
		((struct sockaddr_in *)&a)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		a.sin6_addr = in6addr_loopback;
	if (s < 0 || bind(s, (void *)&a, sizeof(a)) || listen(s, 16))
		die("a listener");
	dup3(s, fd, O_CLOEXEC);
	close(s);
}

static void keep_descriptors(void)
{
	int zero = open("/dev/null", O_RDWR | O_CLOEXEC);

	first_fd = zero;
	for (int i = 1; i < KEPT; i++)
		dup3(zero, first_fd + i, O_CLOEXEC);
	keep_listener(AF_INET, first_fd + KEPT_LISTENER);
	keep_listener(AF_INET6, first_fd + KEPT_LISTENER + 1);
}

void runner(struct shared *s)
{
	const struct rlimit files = { STREAM_FD + STREAM_FDS, STREAM_FD + STREAM_FDS };
	const struct rlimit none = { 0, 0 };
	const struct sigaction interrupt = { .sa_handler = interrupted };
	uint32_t seen = 0;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	setrlimit(RLIMIT_NOFILE, &files);
	setrlimit(RLIMIT_CORE, &none);
	signal(SIGPIPE, SIG_IGN);
	sigaction(SIGUSR1, &interrupt, NULL);
	keep_descriptors();
	kcov_thread_start(s, 0);
	for (;;) {
		while (load(&s->ask) == seen)
			futex_wait(&s->ask, seen, 10000);
		seen = load(&s->ask);
		run_here(s);
		store_wake(&s->answer, seen);
	}
}

/*
 * The other end of @fd, or a negative errno. What an interrupted call or an earlier
 * program has left in the queue is not it, and holds bytes of that program.
 */
static int accept_end(int listener, int fd)
{
	struct sockaddr_in6 ours = { 0 }, theirs = { 0 };
	socklen_t our_len = sizeof(ours), their_len;
	int end;

	if (getsockname(fd, (void *)&ours, &our_len))
		return -errno;
	while (poll_for(listener, POLLIN, CALL_MS)) {
		their_len = sizeof(theirs);
		end = accept4(listener, (void *)&theirs, &their_len, SOCK_CLOEXEC);
		if (end < 0)
			return -errno;
		if (theirs.sin6_port == ours.sin6_port)
			return end;
		close(end);
	}
	return -ETIMEDOUT;
}

/*
 * Two ends of a stream, or a negative errno. One pair at a time, as the end of another
 * one would be closed. A process that has died with the lock must not stop all.
 */
static int make_pair(struct cursor *c, enum carrier kind, int sv[2])
{
	int listener = first_fd + KEPT_LISTENER + (kind == CARRIER_TCP6), one = 1, err = 0;
	struct sockaddr_in6 a;
	socklen_t len = sizeof(a);
	uint64_t end;

	if (kind != CARRIER_TCP4 && kind != CARRIER_TCP6)
		return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) ? -errno : 0;
	sv[0] = socket(kind == CARRIER_TCP4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	end = now_ms() + CALL_MS;
	while (__atomic_exchange_n(&c->s->pairing, 1, __ATOMIC_ACQUIRE) && now_ms() < end)
		sched_yield();
	if (getsockname(listener, (void *)&a, &len) || connect(sv[0], (void *)&a, len))
		err = -errno;
	else
		err = sv[1] = accept_end(listener, sv[0]);
	__atomic_store_n(&c->s->pairing, 0, __ATOMIC_RELEASE);
	if (err < 0)
		close(sv[0]);
	else
		setsockopt(sv[1], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return err < 0 ? err : 0;
}

/*
 * A number that no stream had for long: what is written to a stream that a race has
 * closed must not reach another one, as if the node had sent it.
 */
static int move_stream(struct cursor *c, int fd)
{
	unsigned int n = __atomic_fetch_add(&c->s->streams, 1, __ATOMIC_RELAXED);
	int moved = fcntl(fd, F_DUPFD_CLOEXEC, STREAM_FD + n % STREAM_FDS);
	int err = errno;

	close(fd);
	return moved < 0 ? -err : moved;
}

/* Two ends of a stream, or a negative errno */
int hunt_pair(struct cursor *c, enum carrier kind, int sv[2])
{
	int err = make_pair(c, kind, sv);

	if (err)
		return err;
	sv[0] = move_stream(c, sv[0]);
	sv[1] = move_stream(c, sv[1]);
	if (sv[0] >= 0 && sv[1] >= 0)
		return 0;
	err = sv[0] < 0 ? sv[0] : sv[1];
	close(sv[0] < 0 ? sv[1] : sv[0]);
	return err;
}
