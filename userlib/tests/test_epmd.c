// SPDX-License-Identifier: LGPL-2.1-or-later
/* epmd: the bytes, and what a real one makes of them. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "internal.h"
#include "tap.h"

static uint16_t port;

static void check_bytes(void)
{
	static const uint8_t alive[] = "\x00\x10\x78\x11\x22\x48\x00\x00\x06\x00\x06\x00\x03svc\x00\x00";
	static const uint8_t please[] = "\x00\x04\x7asvc";
	static const uint8_t found[] = "\x77\x00\x11\x22\x4d\x00\x00\x06\x00\x05\x00\x03svc\x00\x00";
	uint8_t buf[ED_EPMD_REQUEST_MAX];
	struct ed_epmd_alive a;
	struct ed_epmd_port p;
	size_t i, n;
	bool more = true;

	n = ed_epmd_alive_request(buf, "svc@host", 3, 0x1122, true);
	ok(n == sizeof(alive) - 1 && !memcmp(buf, alive, n), "ALIVE2_REQ");
	n = ed_epmd_alive_request(buf, "svc@host", 3, 0x1122, false);
	ok(n == sizeof(alive) - 1 && buf[5] == 77, "of a node that is not hidden");
	n = ed_epmd_port_request(buf, "svc", 3);
	ok(n == sizeof(please) - 1 && !memcmp(buf, please, n), "PORT_PLEASE2_REQ");
	ok(ed_epmd_alive_answer((const uint8_t *)"\x76\x00\x01\x02\x03\x04", 6, &a) == 6 &&
	   !a.result && a.creation == 0x01020304, "ALIVE2_X_RESP");
	ok(ed_epmd_alive_answer((const uint8_t *)"\x79\x00\x00\x02", 4, &a) == 4 &&
	   a.creation == 2, "ALIVE2_RESP");
	ok(ed_epmd_alive_answer((const uint8_t *)"\x76\x01\x00\x00\x00\x63", 6, &a) == 6 &&
	   a.result == 1, "refused");
	for (i = 0; i < 6; i++)
		more &= !ed_epmd_alive_answer((const uint8_t *)"\x76\x00\x01\x02\x03\x04", i, &a);
	ok(more, "incomplete answers");
	ok(ed_epmd_alive_answer((const uint8_t *)"x", 1, &a) == -EPROTO, "no epmd");
	ok(ed_epmd_port_answer(found, sizeof(found) - 1, &p) > 0 && p.port == 0x1122 &&
	   p.highest == 6 && p.lowest == 5, "PORT2_RESP");
	ok(ed_epmd_port_answer((const uint8_t *)"\x77\x01", 2, &p) == 2 && p.result == 1,
	   "not registered");
	ok(!ed_epmd_port_answer(found, 5, &p), "an incomplete answer");
}

static int dial(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&sa, sizeof(sa))) {
		close(fd);
		return -1;
	}
	return fd;
}

static uint16_t free_port(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	socklen_t len = sizeof(sa);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, len) ||
	    getsockname(fd, (struct sockaddr *)&sa, &len))
		exit(1);
	close(fd);
	return ntohs(sa.sin_port);
}

static bool is_up(void)
{
	int fd, tries;

	for (tries = 0; tries < 50; tries++) {
		fd = dial();
		if (fd >= 0) {
			close(fd);
			return true;
		}
		poll(NULL, 0, 100);
	}
	return false;
}

static ssize_t ask(int fd, const uint8_t *request, size_t n, uint8_t *answer, size_t size)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	if (write(fd, request, n) != (ssize_t)n || poll(&pfd, 1, 3000) != 1)
		return -1;
	return read(fd, answer, size);
}

static int lookup(const char *alive, struct ed_epmd_port *p)
{
	uint8_t buf[ED_EPMD_REQUEST_MAX], answer[512];
	int fd = dial(), ret;
	ssize_t n;

	n = ask(fd, buf, ed_epmd_port_request(buf, alive, strlen(alive)), answer, sizeof(answer));
	ret = n > 0 ? ed_epmd_port_answer(answer, (size_t)n, p) : -1;
	close(fd);
	return ret;
}

/* epmd forgets a name when it has read the end of the connection, not at the close. */
static bool is_gone(const char *alive)
{
	struct ed_epmd_port p = { .result = -1 };
	int tries;

	for (tries = 0; tries < 100; tries++) {
		if (lookup(alive, &p) == 2 && p.result)
			return true;
		poll(NULL, 0, 100);
	}
	return false;
}

static void check_real(void)
{
	uint8_t buf[ED_EPMD_REQUEST_MAX], answer[512];
	struct ed_epmd_alive a = { .result = -1 };
	struct ed_epmd_port p = { .result = -1 };
	int fd = dial(), other = dial();
	ssize_t n;
	size_t len;

	len = ed_epmd_alive_request(buf, "svc@host", 3, 4711, true);
	n = ask(fd, buf, len, answer, sizeof(answer));
	ok(n > 0 && ed_epmd_alive_answer(answer, (size_t)n, &a) == 6 && !a.result &&
	   a.creation > 3, "registered, creation %u", a.creation);
	ok(lookup("svc", &p) > 0 && !p.result && p.port == 4711, "looked up, port %u", p.port);
	ok(lookup("other", &p) == 2 && p.result, "another name is not known");
	n = ask(other, buf, len, answer, sizeof(answer));
	ok(n > 0 && ed_epmd_alive_answer(answer, (size_t)n, &a) > 0 && a.result,
	   "the name is taken");
	close(other);
	close(fd);
	ok(is_gone("svc"), "gone with the connection");
}

int main(void)
{
	char text[16];
	struct ed_child child;
	bool started;
	int err, fd;

	check_bytes();
	port = free_port();
	snprintf(text, sizeof(text), "%u", port);
	setenv("ERL_EPMD_PORT", text, 1);
	setenv("ERL_EPMD_RELAXED_COMMAND_CHECK", "1", 1);
	ok(ed_epmd_service() == port, "ERL_EPMD_PORT");
	err = ed_epmd_start(&child, port, NULL);
	if (err) {
		skip("a real epmd", "there is none");
		return tap_end();
	}
	started = is_up();
	ed_child_wait(&child);
	ok(started && !child.pid, "epmd is started and goes to the background");
	if (started) {
		check_real();
		/* KILL_REQ */
		fd = dial();
		if (write(fd, "\x00\x01\x6b", 3) != 3 || read(fd, text, 2) != 2)
			printf("# epmd on port %u may still run\n", port);
		close(fd);
	}
	return tap_end();
}
