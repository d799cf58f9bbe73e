// SPDX-License-Identifier: GPL-2.0-only
/*
 * Round trips of 64 bytes while something else goes on, in microseconds: "p50",
 * "p99", and "idle" (p99) without it.
 *
 *	beside [--count=N] erldist|ei|tcp bulk [fair]	64 MiB messages pass on the
 *		same connection (tcp: on another); "allowed": idle and the time of
 *		128 KiB at their rate
 *	beside [--count=N] erldist|tcp spin [fair]	so many processes compute as the
 *		large messages keep busy
 *	beside [--count=N] erldist casts [fair]	a thousand messages to a process
 *		asleep for 100 ms, again and again; "lost": of them
 *
 * The ends of the round trips are SCHED_FIFO: with more to do than there are
 * processors, any other task waits for the next tick of the scheduler, of 4 ms,
 * and nothing else would be measured. "fair": they are not, nor are ei's, where
 * large messages are written by the same program.
 */
#include <pthread.h>
#include <sys/mman.h>

#include "bench.h"

#define BULK		(64 << 20)
#define BULKS		4
#define CASTS		1000
#define ASLEEP_MS	100
/* Who sends, who receives, and what the kernel does for both */
#define SPINNERS	3

/* What the programs of both ends know of each other */
struct shared {
	volatile bool go, stop;
	volatile unsigned int ready;	/* ends of what goes on */
	volatile uint64_t bytes;	/* that have passed */
	volatile uint64_t casts, got;
};

static struct shared *shared;
static struct bench small = { .size = 64 }, large = { .size = BULK };
static const struct peer *peer;
static unsigned int trips;
static bool passes;	/* messages, beside the round trips */
static bool fair;
static unsigned int others;	/* ends of those, in programs of their own */

/* Round trips that were measured, in microseconds */
static double us[100000];
static unsigned int n_us;

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double percentile(double part)
{
	return us[(unsigned int)((n_us - 1) * part)];
}

/* @n round trips, and more until @bytes have passed */
static void pings(struct end *e, const uint8_t *message, unsigned int n, uint64_t bytes)
{
	uint8_t in[256];
	uint64_t start;

	for (n_us = 0; n_us < ARRAY_SIZE(us) && (n_us < n || shared->bytes < bytes); n_us++) {
		start = now_ns();
		peer->send(e, message);
		peer->recv(e, in, sizeof(in));
		us[n_us] = (now_ns() - start) / 1000.0;
	}
	qsort(us, n_us, sizeof(*us), by_size);
}

static void report(struct end *e)
{
	uint8_t *message = bench_message(small.size);
	uint64_t start, bytes;
	double idle, rate;

	while (shared->ready < others)
		sleep_ms(1);
	pings(e, message, trips, 0);
	pings(e, message, trips, 0);
	idle = percentile(.99);
	shared->go = true;
	while (passes && !shared->bytes && !shared->casts)
		sleep_ms(1);
	bytes = shared->bytes;
	start = now_ns();
	pings(e, message, trips, bytes ? bytes + BULKS * BULK : 0);
	if (bytes && shared->bytes == bytes)
		die("large messages do not pass");
	rate = (double)(shared->bytes - bytes) / (now_ns() - start);
	result("idle", idle);
	result("p50", percentile(.5));
	result("p99", percentile(.99));
	if (bytes) {
		result("rate_MB", rate * 1000);
		result("allowed", idle + (128 << 10) / rate / 1000);
	}
	shared->stop = true;
}

static void comes_first(void)
{
	const struct sched_param first = { .sched_priority = 1 };

	if (!fair && sched_setscheduler(0, SCHED_FIFO, &first))
		die("SCHED_FIFO");
}

/* The near and the far end of the round trips */
static int pinger(void *arg)
{
	struct end *e = arg;

	peer->join(e);
	meet(e);
	comes_first();
	report(e);
	return 0;
}

static int echoer(void *arg)
{
	struct end *e = arg;
	uint8_t *message = bench_message(small.size), in[256];

	peer->join(e);
	meet(e);
	comes_first();
	while (!shared->stop) {
		peer->recv(e, in, sizeof(in));
		peer->send(e, message);
	}
	return 0;
}

/* An end of what goes on beside them: its memory is there. */
static void is_ready(struct end *e)
{
	peer->join(e);
	meet(e);
	__atomic_add_fetch(&shared->ready, 1, __ATOMIC_SEQ_CST);
}

/* Of the large messages: as many as have come in are counted, by parts */
static int bulk_source(void *arg)
{
	struct end *e = arg;
	uint8_t *message = bench_message(BULK);

	is_ready(e);
	while (!shared->go)
		sleep_ms(1);
	while (!shared->stop)
		peer->send(e, message);
	return 0;
}

static int bulk_sink(void *arg)
{
	struct end *e = arg;
	uint8_t *in = malloc(BULK + 64);

	/* Not 0, which would make it calloc(), and its pages come with the messages */
	memset(in, 1, BULK + 64);
	is_ready(e);
	while (!shared->stop)
		shared->bytes += peer->recv(e, in, BULK + 64);
	return 0;
}

static int spinner(void *arg)
{
	while (!shared->go)
		sleep_ms(1);
	while (!shared->stop)
		;
	return 0;
}

static int cast_source(void *arg)
{
	struct end *e = arg;
	uint8_t *message = bench_message(small.size);

	is_ready(e);
	while (!shared->go)
		sleep_ms(1);
	while (!shared->stop) {
		for (int i = 0; i < CASTS; i++)
			peer->send(e, message);
		shared->casts += CASTS;
		while (shared->got < shared->casts)
			sleep_ms(1);
	}
	return 0;
}

static int cast_sink(void *arg)
{
	struct end *e = arg;
	uint8_t in[256];

	is_ready(e);
	while (!shared->stop) {
		sleep_ms(ASLEEP_MS);
		for (int i = 0; i < CASTS; i++) {
			peer->recv(e, in, sizeof(in));
			shared->got++;
		}
	}
	return 0;
}

static pid_t start(const struct bench *b, unsigned int pair, int (*near)(void *),
		   int (*far)(void *))
{
	struct end e = { .bench = b, .pair = pair };
	int sv[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv))
		die("socketpair");
	e.control = sv[0];
	pid = spawn(near, &e);
	e.far = true;
	e.control = sv[1];
	spawn(far, &e);
	return pid;
}

/*
 * ei has one connection, which one thread at a time may write to: who sends a
 * small message waits for the large one, but not for the next.
 */
static pthread_mutex_t writing = PTHREAD_MUTEX_INITIALIZER;
static volatile bool small_waits;
static struct end both;
static uint8_t *large_copy;

static void *ei_bulk(void *arg)
{
	while (!shared->go)
		sleep_ms(1);
	while (!shared->stop) {
		pthread_mutex_lock(&writing);
		if (ei_send(both.fd, &both.pid, (char *)large_copy, BULK + 1) < 0)
			die("ei_send");
		pthread_mutex_unlock(&writing);
		while (small_waits)
			sched_yield();
	}
	return NULL;
}

static void ei_small(struct end *e, const uint8_t *message)
{
	small_waits = true;
	pthread_mutex_lock(&writing);
	small_waits = false;
	peer_ei.send(e, message);
	pthread_mutex_unlock(&writing);
}

static int ei_near(void *arg)
{
	static struct peer locked;
	pthread_t thread;

	both = *(struct end *)arg;
	peer->join(&both);
	locked = peer_ei;
	locked.send = ei_small;
	peer = &locked;
	large_copy = malloc(BULK + 1);
	large_copy[0] = 131;
	memcpy(large_copy + 1, bench_message(BULK), BULK);
	meet(&both);
	if (pthread_create(&thread, NULL, ei_bulk, NULL))
		die("thread");
	report(&both);
	_exit(0);
}

static int ei_far(void *arg)
{
	struct end *e = arg;
	uint8_t *message = bench_message(small.size);
	size_t n;

	peer->join(e);
	meet(e);
	while (!shared->stop) {
		n = peer->recv(e, NULL, 0);
		if (n > small.size)
			shared->bytes += n;
		else
			peer->send(e, message);
	}
	return 0;
}

static const struct peer *peer_named(const char *name)
{
	if (!strcmp(name, "ei"))
		return &peer_ei;
	return strcmp(name, "tcp") ? &peer_erldist_tcp : &peer_tcp;
}

/* What goes on beside the round trips */
static void start_other(const char *what)
{
	if (!strcmp(what, "casts")) {
		start(&small, 1, cast_source, cast_sink);
	} else if (!strcmp(what, "bulk")) {
		start(&large, 1, bulk_source, bulk_sink);
	} else {
		for (int i = 0; i < SPINNERS; i++)
			spawn(spinner, NULL);
	}
}

int main(int argc, char **argv)
{
	struct bench b = { .count = 1000, .pairs = 2 };
	char **rest = bench_options(&b, argv + 1);
	pid_t pid;

	if (!rest[0] || !rest[1] || (rest[2] && strcmp(rest[2], "fair")))
		die("usage: beside [--count=N] erldist|ei|tcp bulk|spin|casts [fair]");
	trips = b.count;
	passes = strcmp(rest[1], "spin");
	peer = peer_named(rest[0]);
	fair = rest[2] || peer == &peer_ei;
	others = passes && peer != &peer_ei ? 2 : 0;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	peer->prepare(&b);
	if (peer == &peer_ei) {
		pid = start(&small, 0, ei_near, ei_far);
	} else {
		pid = start(&small, 0, pinger, echoer);
		start_other(rest[1]);
	}
	waitpid(pid, NULL, 0);
	if (!strcmp(rest[1], "casts")) {
		sleep_ms(2 * ASLEEP_MS);
		result("lost", shared->casts - shared->got);
	}
	return 0;
}
