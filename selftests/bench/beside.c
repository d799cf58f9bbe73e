// SPDX-License-Identifier: GPL-2.0-only
/*
 * Round trips of 64 bytes while something else goes on, in microseconds: "p50",
 * "p99", and "idle" (p99) without it.
 *
 *	beside [--count=N] erldist|ei bulk	64 MiB messages pass on the same
 *		connection; "allowed": idle and the time of 128 KiB at their rate
 *	beside [--count=N] erldist casts	a thousand messages to a process asleep
 *		for 100 ms, again and again; "lost": of them
 */
#include <pthread.h>
#include <sys/mman.h>

#include "bench.h"

#define BULK		(64 << 20)
#define CASTS		1000
#define ASLEEP_MS	100

/* What the programs of both ends know of each other */
struct shared {
	volatile bool go, stop;
	volatile uint64_t bytes;	/* that have passed */
	volatile uint64_t casts, got;
};

static struct shared *shared;
static struct bench small = { .size = 64 }, large = { .size = BULK };
static const struct peer *peer;
static unsigned int trips;

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double percentile(double *us, double part)
{
	qsort(us, trips, sizeof(*us), by_size);
	return us[(unsigned int)((trips - 1) * part)];
}

static void pings(struct end *e, const uint8_t *message, double *us)
{
	uint8_t in[256];
	uint64_t start;

	for (unsigned int i = 0; i < trips; i++) {
		start = now_ns();
		peer->send(e, message);
		peer->recv(e, in, sizeof(in));
		us[i] = (now_ns() - start) / 1000.0;
	}
}

static void report(struct end *e)
{
	double *us = calloc(trips, sizeof(*us)), idle, rate;
	uint8_t *message = bench_message(small.size);
	uint64_t start, bytes;

	pings(e, message, us);
	pings(e, message, us);
	idle = percentile(us, .99);
	shared->go = true;
	while (!shared->bytes && !shared->casts)
		sleep_ms(1);
	bytes = shared->bytes;
	start = now_ns();
	pings(e, message, us);
	rate = (double)(shared->bytes - bytes) / (now_ns() - start);
	result("idle", idle);
	result("p50", percentile(us, .5));
	result("p99", percentile(us, .99));
	if (bytes) {
		result("rate_MB", rate * 1000);
		result("allowed", idle + (128 << 10) / rate / 1000);
	}
	shared->stop = true;
}

/* The near and the far end of the round trips */
static int pinger(void *arg)
{
	struct end *e = arg;

	peer->join(e);
	meet(e);
	report(e);
	return 0;
}

static int echoer(void *arg)
{
	struct end *e = arg;
	uint8_t *message = bench_message(small.size), in[256];

	peer->join(e);
	meet(e);
	while (!shared->stop) {
		peer->recv(e, in, sizeof(in));
		peer->send(e, message);
	}
	return 0;
}

/* Of the large messages: as many as have come in are counted, by parts */
static int bulk_source(void *arg)
{
	struct end *e = arg;
	uint8_t *message = bench_message(BULK);

	peer->join(e);
	meet(e);
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

	peer->join(e);
	meet(e);
	while (!shared->stop)
		shared->bytes += peer->recv(e, in, BULK + 64);
	return 0;
}

static int cast_source(void *arg)
{
	struct end *e = arg;
	uint8_t *message = bench_message(small.size);

	peer->join(e);
	meet(e);
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

	peer->join(e);
	meet(e);
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
 * small message waits for the large one.
 */
static pthread_mutex_t writing = PTHREAD_MUTEX_INITIALIZER;
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
		sched_yield();
	}
	return NULL;
}

static void ei_small(struct end *e, const uint8_t *message)
{
	pthread_mutex_lock(&writing);
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

int main(int argc, char **argv)
{
	struct bench b = { .count = 1000, .pairs = 2 };
	char **rest = bench_options(&b, argv + 1);
	bool casts;
	pid_t pid;

	if (!rest[0] || !rest[1])
		die("usage: beside [--count=N] erldist|ei bulk|casts");
	trips = b.count;
	casts = !strcmp(rest[1], "casts");
	peer = strcmp(rest[0], "ei") ? &peer_erldist_tcp : &peer_ei;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	peer->prepare(&b);
	if (peer == &peer_ei) {
		pid = start(&small, 0, ei_near, ei_far);
	} else {
		pid = start(&small, 0, pinger, echoer);
		start(casts ? &small : &large, 1, casts ? cast_source : bulk_source,
		      casts ? cast_sink : bulk_sink);
	}
	waitpid(pid, NULL, 0);
	if (casts) {
		sleep_ms(2 * ASLEEP_MS);
		result("lost", shared->casts - shared->got);
	}
	return 0;
}
