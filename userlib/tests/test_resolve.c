// SPDX-License-Identifier: LGPL-2.1-or-later
/* Resolving without waiting, listening, configured peers. */
#include <arpa/inet.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "keeper.h"
#include "tap.h"

static int resolve(const char *host, struct addresses *to)
{
	struct resolver r;
	int fd, err = -EAGAIN;

	memset(to, 0, sizeof(*to));
	fd = ed_resolve_start(&r, to, host);
	if (fd < 0)
		return fd;
	while (err == -EAGAIN) {
		struct pollfd pfd = { .fd = fd, .events = POLLIN };

		if (poll(&pfd, 1, 20000) < 1)
			break;
		err = ed_resolve_read(&r, fd);
	}
	close(fd);
	ed_resolve_end(&r);
	return err ? err : to->n ? 0 : -ENOENT;
}

static void check_peer(const char *text, const char *node, const char *host, int port)
{
	struct erldist_keeper k = { .node = "svc@myhost" };
	int err = ed_static_add(&k, text);

	if (!node) {
		ok(err == -EINVAL, "refused: %s", k.error.text);
		return;
	}
	ok(!err && !strcmp(k.statics->node, node) && !strcmp(k.statics->host, host) &&
	   k.statics->port == port, "%s", text);
	free(k.statics);
}

static void check_listen(const char *where, bool good)
{
	struct erldist_keeper k = { .listener.fd = -1 };
	int err = ed_listen_open(&k, where);

	ok(good ? !err && k.port : err < 0, "listen on %s: port %u %s", where ? where : "anything",
	   k.port, k.error.text);
	if (k.listener.fd >= 0)
		close(k.listener.fd);
}

int main(void)
{
	struct addresses to = { 0 };

	ok(!ed_resolve_number(&to, "192.0.2.1") && to.n == 1 &&
	   to.list[0].in.sin_addr.s_addr == htonl(0xc0000201), "an IPv4 address");
	memset(&to, 0, sizeof(to));
	ok(!ed_resolve_number(&to, "::1") && to.list[0].sa.sa_family == AF_INET6, "an IPv6 address");
	ok(ed_resolve_number(&to, "localhost") == -ENOENT, "a name is no number");
	ok(!resolve("localhost", &to), "localhost resolves, %u addresses", to.n);
	ok(resolve("no-such-host.invalid", &to) == -ENOENT, "an unknown name does not");
	ok(resolve("-s", &to) == -ERLDIST_NO_SUCH_HOST, "an option is no name");
	ok(resolve("a;b", &to) == -ERLDIST_NO_SUCH_HOST, "nor is this");
	check_peer("b@h=192.0.2.1:4400", "b@h", "192.0.2.1", 4400);
	check_peer("b=h:4400", "b@myhost", "h", 4400);
	check_peer("b@h=[::1]:4400", "b@h", "::1", 4400);
	check_peer("b@h=h", NULL, NULL, 0);
	check_peer("b@h=h:0", NULL, NULL, 0);
	check_peer("b@h=h:65536", NULL, NULL, 0);
	check_peer("b@h=:1", NULL, NULL, 0);
	check_peer("=h:1", NULL, NULL, 0);
	check_peer("b c=h:1", NULL, NULL, 0);
	check_listen(NULL, true);
	check_listen("127.0.0.1:0", true);
	check_listen(":0", true);
	check_listen("0", true);
	check_listen("*:0", true);
	check_listen("[::1]:0", true);
	check_listen("127.0.0.1:99999", false);
	check_listen("127.0.0.1", false);
	check_listen("192.0.2.1:0", false);
	return tap_end();
}
