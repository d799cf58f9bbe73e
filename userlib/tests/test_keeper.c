// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The keeper against a real epmd. In place of the kernel there is a node that
 * notes what it is given.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fake_node.h"

/* It answers first, and then ends: for a while it takes connections. */
static void kill_epmd(void)
{
	int fd = connect_to(ed_epmd_service()), tries = 500;
	char answer[2];

	if (fd >= 0 && write(fd, "\x00\x01\x6b", 3) == 3 && read(fd, answer, 2) != 2)
		printf("# epmd did not answer\n");
	while (fd >= 0 && tries--) {
		close(fd);
		poll(NULL, 0, 10);
		fd = connect_to(ed_epmd_service());
	}
	if (fd >= 0)
		printf("# epmd does not end\n");
	close(fd);
}

/* Registers a name, for as long as the descriptor is open */
static int register_name(const char *alive, uint16_t port)
{
	uint8_t buf[ED_EPMD_REQUEST_MAX];
	int fd = connect_to(ed_epmd_service());
	size_t n = ed_epmd_alive_request(buf, alive, strlen(alive), port, true);

	if (write(fd, buf, n) != (ssize_t)n || read(fd, buf, 6) != 6 || buf[1])
		printf("# %s is not registered\n", alive);
	return fd;
}

static bool registered(const char *alive, int port)
{
	uint8_t buf[ED_EPMD_REQUEST_MAX], answer[512];
	size_t n = ed_epmd_port_request(buf, alive, strlen(alive));
	struct ed_epmd_port p = { .result = -1 };
	int fd = connect_to(ed_epmd_service());
	ssize_t len = 0;

	if (fd >= 0 && write(fd, buf, n) == (ssize_t)n)
		len = read(fd, answer, sizeof(answer));
	close(fd);
	return len > 0 && ed_epmd_port_answer(answer, (size_t)len, &p) > 0 && !p.result &&
	       p.port == port;
}

static void fails_with(struct erldist_keeper *k, const char *peer, int error)
{
	unsigned int before = seen.unreachables;

	ed_dial_start(k, peer);
	ok(wait_for(k, &seen.unreachables, before + 1, 5000) && seen.error == error &&
	   !strcmp(seen.peer, peer), "%s: %s", peer, seen.text);
}

static void comes_up(struct erldist_keeper *k, const char *peer, int listening, const char *how)
{
	unsigned int before = seen.channels;
	bool up;
	int fd;

	ed_dial_start(k, peer);
	up = wait_for(k, &seen.channels, before + 1, 5000);
	fd = up ? accept(listening, NULL, NULL) : -1;
	ok(up && fd >= 0 && seen.role == ERLDIST_ROLE_INITIATOR && !strcmp(seen.peer, peer),
	   "%s is connected: %s", peer, how);
	close(fd);
	close(seen.fd);
}

static void check_dials(struct erldist_keeper *k, int listening, uint16_t closed)
{
	char bad[64];
	int fd, stale;

	comes_up(k, "static@nowhere", listening, "a configured address");
	fails_with(k, "b@localhost", ERLDIST_NOT_REGISTERED);
	fd = register_name("b", ntohs(0));
	close(fd);
	stale = register_name("stale", closed);
	fails_with(k, "stale@localhost", ECONNREFUSED);
	close(stale);
	fails_with(k, "b@no-such-host", ERLDIST_NO_SUCH_HOST);
	fails_with(k, "b@long.example.org", ERLDIST_OTHER_NAMES);
	fails_with(k, "nohost", ERLDIST_NO_SUCH_HOST);
	snprintf(bad, sizeof(bad), "b@-rf");
	fails_with(k, bad, ERLDIST_NO_SUCH_HOST);
	fails_with(k, "refused@nowhere", ECONNREFUSED);
}

static void check_accept(struct erldist_keeper *k)
{
	unsigned int before = seen.channels;
	int fd = connect_to(erldist_keeper_port(k));

	ok(fd >= 0 && wait_for(k, &seen.channels, before + 1, 3000) &&
	   seen.role == ERLDIST_ROLE_ACCEPTOR && !seen.peer[0], "who connects is handed over");
	close(fd);
	close(seen.fd);
}

/* Without descriptors it waits, rather than looking again and again */
static void check_exhausted(struct erldist_keeper *k)
{
	unsigned int before = seen.channels, told = seen.told[ERLDIST_KEEPER_REJECTED];
	int fd = connect_to(erldist_keeper_port(k)), next = dup(fd);
	struct rlimit all, none;
	bool paused;

	close(next);
	getrlimit(RLIMIT_NOFILE, &all);
	none = all;
	none.rlim_cur = (rlim_t)next;
	setrlimit(RLIMIT_NOFILE, &none);
	paused = wait_for(k, &seen.told[ERLDIST_KEEPER_REJECTED], told + 1, 3000) &&
		 !wait_for(k, &seen.told[ERLDIST_KEEPER_REJECTED], told + 2, 300);
	setrlimit(RLIMIT_NOFILE, &all);
	ok(paused, "without descriptors it waits: %s", seen.text);
	ok(wait_for(k, &seen.channels, before + 1, 3000), "and accepts afterwards");
	close(fd);
	close(seen.fd);
}

static void check_restart(struct erldist_keeper *k)
{
	unsigned int lost = seen.told[ERLDIST_KEEPER_NO_EPMD];
	unsigned int again = seen.told[ERLDIST_KEEPER_REGISTERED];
	uint32_t creation = k->reg.creation;
	struct ed_child child;

	kill_epmd();
	ok(wait_for(k, &seen.told[ERLDIST_KEEPER_NO_EPMD], lost + 1, 5000), "epmd goes: told");
	ed_epmd_start(&child, k->epmd_port, NULL);
	ed_child_wait(&child);
	ok(wait_for(k, &seen.told[ERLDIST_KEEPER_REGISTERED], again + 1, 6000) &&
	   registered("svc", erldist_keeper_port(k)), "epmd comes back: registered again");
	ok(k->reg.creation == creation, "with the same creation");
}

/* An epmd that answers before who started it has ended */
static void check_starter(const struct erldist_keeper_options *options)
{
	static const char script[] = "#!/bin/sh\nPATH=${PATH#*:}\nepmd \"$@\"\nsleep 3\n";
	char dir[] = "/tmp/erldist-epmd-XXXXXX", file[64], path[4096];
	const char *old = getenv("PATH");
	static const unsigned int never;
	struct erldist_keeper *k;
	int tries = 100;
	bool good;
	FILE *f;

	kill_epmd();
	snprintf(file, sizeof(file), "%s/epmd", mkdtemp(dir));
	f = fopen(file, "w");
	good = f && fputs(script, f) >= 0;
	good = f && !fclose(f) && good && !chmod(file, 0700);
	snprintf(path, sizeof(path), "%s:%s", dir, old);
	setenv("PATH", path, 1);
	good = good && !erldist_keeper_open(&k, options) && k->reg.starter.pid;
	setenv("PATH", strchr(path, ':') + 1, 1);
	ok(good, "an epmd answers while its starter is there");
	while (good && k->reg.starter.pid && tries--)
		wait_for(k, &never, 1, 100);
	ok(good && !k->reg.starter.pid, "which is waited for when it ends");
	if (good)
		erldist_keeper_close(k);
	unlink(file);
	rmdir(dir);
}

static void check_cancel(struct erldist_keeper *k, int listening)
{
	unsigned int channels = seen.channels, fails = seen.unreachables;

	(void)listening;
	ed_dial_start(k, "cancel@localhost");
	ed_dial_start(k, "cancel@localhost");
	ok(k->dials && !k->dials->next, "one attempt a peer");
	ed_dial_cancel(k, "cancel@localhost");
	ok(!k->dials && seen.channels == channels && seen.unreachables == fails,
	   "an attempt is called off");
}

/* An address that never answers: the test's own listener with a full queue */
static void check_timeout(struct erldist_keeper *k)
{
	unsigned int before = seen.unreachables;
	uint16_t port, epmd = k->epmd_port;
	int silent = listener(&port), fd;

	/* an epmd that accepts and says nothing */
	k->epmd_port = port;
	ed_dial_start(k, "silent@localhost");
	ok(wait_for(k, &seen.unreachables, before + 1, 4000) &&
	   seen.error == ERLDIST_EPMD_SILENT, "a silent epmd: %s", seen.text);
	k->epmd_port = epmd;
	fd = accept(silent, NULL, NULL);
	close(fd);
	close(silent);
}

int main(void)
{
	struct erldist_keeper_options o = ERLDIST_KEEPER_OPTIONS_INIT;
	const char *peers[3] = { NULL };
	char text[16], one[64], two[64];
	uint16_t port, closed, epmd;
	struct erldist_keeper *k, *other;
	int listening = listener(&port), err;

	close(listener(&closed));
	close(listener(&epmd));
	snprintf(text, sizeof(text), "%u", epmd);
	setenv("ERL_EPMD_PORT", text, 1);
	setenv("ERL_EPMD_RELAXED_COMMAND_CHECK", "1", 1);
	snprintf(one, sizeof(one), "static@nowhere=127.0.0.1:%u", port);
	snprintf(two, sizeof(two), "refused@nowhere=127.0.0.1:%u", closed);
	peers[0] = one;
	peers[1] = two;
	o.name = "svc@localhost";
	o.cookie = "secret";
	o.listen = "127.0.0.1:0";
	o.peers = peers;
	o.event = on_event;

	o.options = ERLDIST_KEEPER_NO_EPMD_START;
	err = erldist_keeper_open(&k, &o);
	ok(!err && seen.told[ERLDIST_KEEPER_NO_EPMD] == 1 && !seen.creation,
	   "without epmd there is a node all the same: %s", erldist_strerror(k, err));
	comes_up(k, "static@nowhere", listening, "without epmd");
	fails_with(k, "b@localhost", ERLDIST_NO_EPMD);
	erldist_keeper_close(k);

	o.options = 0;
	err = erldist_keeper_open(&k, &o);
	if (err || !seen.told[ERLDIST_KEEPER_REGISTERED]) {
		skip("a real epmd", "there is none");
		return tap_end();
	}
	ok(seen.creation > 3 && registered("svc", erldist_keeper_port(k)),
	   "epmd is started, and the node registered, creation %u", seen.creation);
	ok(!strcmp(erldist_keeper_node(k), "svc@localhost") && erldist_keeper_port(k),
	   "name and port are told");
	err = erldist_keeper_open(&other, &o);
	ok(err == -EADDRINUSE, "the name once only: %s", erldist_strerror(other, err));
	erldist_keeper_close(other);
	check_dials(k, listening, closed);
	check_accept(k);
	check_exhausted(k);
	check_cancel(k, listening);
	check_timeout(k);
	check_restart(k);
	erldist_keeper_close(k);
	poll(NULL, 0, 100);
	ok(!registered("svc", 0), "closed, the name is free");
	check_starter(&o);
	kill_epmd();
	close(listening);
	return tap_end();
}
