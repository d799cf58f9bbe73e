// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a message costs.
 *
 *	message [OPTION]... PEER roundtrip|stream|back
 *
 * Two ends in processes of their own; --pairs=N such pairs at once. The near end
 * measures, nanoseconds of a round trip, or of a message. All begin when the last
 * is ready, and none ends before the last has measured: what it costs to start and
 * to end them is not in it. A stream goes on after
 * every --batch=N messages, when one has come back: how the ends alternate does
 * not depend on luck then. For the same reason neither end interrupts the other.
 * With --beam=1 the far end is a BEAM's process; "back" is a stream from there.
 * BENCH_APART in the environment: near ends on one processor, far ends on another.
 */
#include <sched.h>

#include "bench.h"

static const struct peer *const peers[] = {
	&peer_unix, &peer_tipc, &peer_tcp, &peer_ei, &peer_erldist, &peer_erldist_tcp,
};

static const struct peer *peer;
static bool stream, back;

/* Where ends tell that they are ready, and then what they measured */
#define RESULT_FD	200

/* Pipes that ends read from until the parent closes them */
static int begin[2], leave[2];

static void echo(struct end *e, const uint8_t *message, uint8_t *in, unsigned int n)
{
	while (n--) {
		peer->recv(e, in, e->bench->size + 64);
		(peer->answer ? peer->answer : peer->send)(e, message);
	}
}

static void ping(struct end *e, const uint8_t *message, uint8_t *in, unsigned int n)
{
	while (n--) {
		peer->send(e, message);
		peer->recv(e, in, e->bench->size + 64);
	}
}

static void sink(struct end *e, const uint8_t *message, uint8_t *in, unsigned int n)
{
	for (unsigned int i = 1; i <= n; i++) {
		if (peer->recv(e, in, e->bench->size + 64) != e->bench->size)
			die("a message of another size");
		if (!(i % e->bench->batch))
			peer->send(e, message);
	}
}

static void source(struct end *e, const uint8_t *message, uint8_t *in, unsigned int n)
{
	for (unsigned int i = 1; i <= n; i++) {
		peer->send(e, message);
		if (!(i % e->bench->batch))
			peer->recv(e, in, e->bench->size + 64);
	}
}

static void polite(void)
{
	struct sched_param param = {};

	if (sched_setscheduler(0, SCHED_BATCH, &param))
		die("SCHED_BATCH");
}

static void own_processor(bool far)
{
	cpu_set_t cpu;

	CPU_ZERO(&cpu);
	CPU_SET(far, &cpu);
	if (sched_setaffinity(0, sizeof(cpu), &cpu))
		die("processor %d", far);
}

/* Rounded up to whole batches, so that the last message is waited for */
static unsigned int whole_batches(const struct bench *b, unsigned int n)
{
	return stream ? (n + b->batch - 1) / b->batch * b->batch : n;
}

static void join(struct end *e)
{
	if (!e->bench->beam)
		peer->join(e);
	else
		peer->join_beam(e, back ? "source" : stream ? "sink" : "echo");
}

/* A BEAM's end needs no word. */
static void ready(struct end *e)
{
	if (!e->bench->beam)
		meet(e);
}

static void wait_for(const int gate[2])
{
	char none;

	if (read(gate[0], &none, 1))
		die("gate");
}

static void be_ready(struct end *e)
{
	ready(e);
	if (write(RESULT_FD, "", 1) != 1)
		die("ready");
	wait_for(begin);
}

static int run_end(void *arg)
{
	struct end *e = arg;
	uint8_t *message = bench_message(e->bench->size);
	uint8_t *in = malloc(e->bench->size + 64);
	void (*part)(struct end *e, const uint8_t *message, uint8_t *in, unsigned int n);
	uint64_t ns[2];

	close(begin[1]);
	close(leave[1]);
	if (getenv("BENCH_APART"))
		own_processor(e->far);
	if (stream) {
		part = e->far != back ? sink : source;
		polite();
	} else {
		part = e->far ? echo : ping;
	}
	join(e);
	ready(e);
	part(e, message, in, whole_batches(e->bench, e->bench->warm));
	be_ready(e);
	ns[0] = e->far ? 0 : clock_start();
	part(e, message, in, whole_batches(e->bench, e->bench->count));
	ns[1] = e->far ? 0 : clock_stop();
	ready(e);
	if (!e->far && write(RESULT_FD, ns, sizeof(ns)) != sizeof(ns))
		die("result");
	wait_for(leave);
	return 0;
}

static void start_pair(const struct bench *b, unsigned int i)
{
	struct end e = { .bench = b, .pair = i };
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv))
		die("socketpair");
	e.control = sv[0];
	spawn(run_end, &e);
	e.far = true;
	e.control = sv[1];
	if (!b->beam)
		spawn(run_end, &e);
	close(sv[0]);
	close(sv[1]);
}

static void start_all(unsigned int ends, int fd)
{
	char one;

	while (ends--) {
		if (read(fd, &one, 1) != 1)
			die("an end died");
	}
	close(begin[1]);
}

/* From the first start to the last end */
static double collect(const struct bench *b, int fd)
{
	uint64_t first = UINT64_MAX, last = 0, ns[2];

	for (unsigned int i = 0; i < b->pairs; i++) {
		if (read(fd, ns, sizeof(ns)) != sizeof(ns))
			die("an end died");
		first = ns[0] < first ? ns[0] : first;
		last = ns[1] > last ? ns[1] : last;
	}
	return (double)(last - first) / whole_batches(b, b->count) / b->pairs;
}

static void choose(const char *name, const char *what)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(peers); i++) {
		if (!strcmp(peers[i]->name, name))
			peer = peers[i];
	}
	back = what && !strcmp(what, "back");
	stream = back || (what && !strcmp(what, "stream"));
	if (!peer || !what)
		die("usage: message [OPTION]... PEER roundtrip|stream|back");
}

int main(int argc, char **argv)
{
	struct bench b = { .size = 64, .count = 2000, .batch = 128, .pairs = 1,
			   .warm = 256 };
	char **rest = bench_options(&b, argv + 1);
	unsigned int ends;
	int p[2];

	if (!rest[0])
		die("which peer?");
	choose(rest[0], rest[1]);
	ends = b.beam ? b.pairs : 2 * b.pairs;
	if (pipe(p) || dup2(p[1], RESULT_FD) < 0)
		die("pipe");
	close(p[1]);
	if (peer->prepare && !b.beam)
		peer->prepare(&b);
	/* Behind it: who holds processes must not hold the gates. */
	if (pipe(begin) || pipe(leave))
		die("pipe");
	for (unsigned int i = 0; i < b.pairs; i++)
		start_pair(&b, i);
	close(RESULT_FD);
	start_all(ends, p[0]);
	result("ns", collect(&b, p[0]));
	close(leave[1]);
	while (ends--)
		wait(NULL);
	return 0;
}
