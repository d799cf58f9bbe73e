// SPDX-License-Identifier: GPL-2.0-only
/*
 * What many of something cost, --count=N of them:
 *
 *	grow memory process|unix|peer|tcp	bytes of kernel memory of each, and
 *		of which caches ("cache/NAME"); "more": with 8 KiB on top
 *	grow connect erldist|ei		nanoseconds of each, "ns" and, for erldist,
 *		"close": of its end
 *	grow idle			--count=N peers: busy nanoseconds a second
 */
#include <arpa/inet.h>
#include <sys/resource.h>

#include "bench.h"
#include "wire_peer.h"

static unsigned int number;
static int near;

/* Memory */

/* A number behind its name, in a file of such lines; the first of that name */
static double number_in(const char *path, const char *name)
{
	char line[256], *at = NULL;
	FILE *f = fopen(path, "r");
	double value;

	while (f && !at && fgets(line, sizeof(line), f))
		at = strstr(line, name);
	if (!at)
		die("no %s in %s", name, path);
	value = strtod(at + strlen(name) + strspn(at + strlen(name), " :"), NULL);
	fclose(f);
	return value;
}

static double memory_not_free(void)
{
	return 1024 * (number_in("/proc/meminfo", "MemTotal") -
		       number_in("/proc/meminfo", "MemFree"));
}

struct cache {
	char name[64];
	double bytes;
};

static unsigned int caches(struct cache *cache, unsigned int most)
{
	unsigned long objects, size;
	unsigned int n = 0;
	char line[256];
	FILE *f = fopen("/proc/slabinfo", "r");

	while (f && n < most && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%63s %lu %*u %lu", cache[n].name, &objects, &size) == 3)
			cache[n++].bytes = (double)objects * size;
	}
	if (f)
		fclose(f);
	return n;
}

static void make_processes(void)
{
	for (unsigned int i = 0; i < number; i++)
		proc(NULL, NULL);
}

static void make_unix(void)
{
	int sv[2];

	for (unsigned int i = 0; i < number / 2; i++) {
		if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv))
			die("socketpair");
	}
}

static void make_peers(void)
{
	struct wire w;
	char name[32];

	for (unsigned int i = 0; i < number; i++) {
		snprintf(name, sizeof(name), "p%u@h", i);
		wire_init(&w, -1, name);
		if (wire_connect(&w, near, CARRIER_TCP4, ERLDIST_ROLE_ACCEPTOR))
			die("%s", name);
	}
}

static void make_tcp(void)
{
	int sv[2];

	for (unsigned int i = 0; i < number; i++)
		stream_pair(CARRIER_TCP4, sv);
}

static void memory(void (*make)(void))
{
	struct cache before[400], after[400];
	unsigned int n, m;
	double used;
	char name[80];

	n = caches(before, ARRAY_SIZE(before));
	used = memory_not_free();
	make();
	used = (memory_not_free() - used) / number;
	m = caches(after, ARRAY_SIZE(after));
	result("bytes", used);
	result("more", used + 8192);
	for (unsigned int i = 0; i < m; i++) {
		for (unsigned int j = 0; j < n; j++) {
			if (!strcmp(after[i].name, before[j].name))
				after[i].bytes -= before[j].bytes;
		}
		snprintf(name, sizeof(name), "cache/%.63s", after[i].name);
		if (after[i].bytes / number >= 16)
			result(name, after[i].bytes / number);
	}
}

/* Connecting */

static void connect_erldist(void)
{
	struct peer_info info;
	uint64_t start;
	int (*sv)[2] = calloc(number, sizeof(*sv)), *far = calloc(number, sizeof(*far));
	char name[32];

	for (unsigned int i = 0; i < number; i++) {
		snprintf(name, sizeof(name), "p%u@h", i);
		far[i] = node(name);
		stream_pair(CARRIER_TCP4, sv[i]);
	}
	start = clock_start();
	for (unsigned int i = 0; i < number; i++) {
		snprintf(name, sizeof(name), "p%u@h", i);
		if (node_accept(far[i], sv[i][1], 0) || node_dial(near, sv[i][0], name, 0))
			die("%s", name);
		close(sv[i][0]);
		close(sv[i][1]);
		if (node_wait(near, ERLDIST_PENDING_UP, NULL))
			die("%s does not connect", name);
	}
	result("ns", (double)(clock_stop() - start) / number);
	start = now_ns();
	for (unsigned int i = 0; i < number; i++)
		close(far[i]);
	for (unsigned int i = 0; i < number; i++) {
		if (node_event(near, &info, WAIT_MS))
			die("%u are not down", number - i);
	}
	result("close", (double)(now_ns() - start) / number);
}

/* Two ends in turn need two processes: the child accepts. */
static ei_cnode ec;
static int port, listener;

static int accept_ei(void *arg)
{
	ErlConnect from;

	for (unsigned int i = 0; i < number; i++) {
		if (ei_accept(&ec, listener, &from) < 0)
			die("ei_accept");
	}
	return 0;
}

static void init_ei(const char *alive, const char *name)
{
	struct in_addr addr = { htonl(INADDR_LOOPBACK) };

	if (ei_connect_xinit(&ec, "127.0.0.1", alive, name, (void *)&addr, COOKIE, 1))
		die("ei_connect_xinit");
}

static void connect_ei(void)
{
	uint64_t start;

	ei_init();
	init_ei("far", "far@127.0.0.1");
	listener = ei_listen(&ec, &port, 5);
	if (listener < 0)
		die("ei_listen");
	spawn(accept_ei, NULL);
	init_ei("near", "near@127.0.0.1");
	start = clock_start();
	for (unsigned int i = 0; i < number; i++) {
		if (ei_connect_host_port(&ec, "127.0.0.1", port) < 0)
			die("ei: no connection");
	}
	result("ns", (double)(clock_stop() - start) / number);
}

/* Idle */

#define IDLE_SECONDS	32	/* more than two ticks of each peer */

/* Nanoseconds that the processor has slept */
static double idle_ns(void)
{
	return number_in("/proc/timer_list", ".idle_sleeptime");
}

static void idle(void)
{
	uint64_t start;
	double slept;
	char name[32];
	int far;

	for (unsigned int i = 0; i < number; i++) {
		snprintf(name, sizeof(name), "p%u@h", i);
		far = node(name);
		if (nodes_connect(near, far, name, CARRIER_TCP4))
			die("%s", name);
	}
	sleep_ms(2000);
	start = now_ns();
	slept = idle_ns();
	sleep_ms(IDLE_SECONDS * 1000);
	slept = idle_ns() - slept;
	result("ns", (now_ns() - start - slept) / IDLE_SECONDS);
}

static void files(void)
{
	const struct rlimit most = { 4 * number + 1000, 4 * number + 1000 };

	if (setrlimit(RLIMIT_NOFILE, &most))
		die("RLIMIT_NOFILE");
}

static void memory_of(const char *what)
{
	if (!strcmp(what, "process"))
		memory(make_processes);
	else if (!strcmp(what, "unix"))
		memory(make_unix);
	else
		memory(strcmp(what, "peer") ? make_tcp : make_peers);
}

int main(int argc, char **argv)
{
	struct bench b = { .count = 1000 };
	char **rest = bench_options(&b, argv + 1);

	number = b.count;
	files();
	if (enter_netns())
		die("namespace");
	near = node("near@h");
	if (!rest[0] || (!rest[1] && strcmp(rest[0], "idle")))
		die("usage: grow [--count=N] memory|connect|idle WHAT");
	if (!strcmp(rest[0], "memory"))
		memory_of(rest[1]);
	else if (!strcmp(rest[0], "idle"))
		idle();
	else if (!strcmp(rest[1], "ei"))
		connect_ei();
	else
		connect_erldist();
	return 0;
}
