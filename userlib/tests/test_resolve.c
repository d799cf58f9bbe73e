// SPDX-License-Identifier: LGPL-2.1-or-later
/* Resolving without waiting, listening, configured peers. */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
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
	struct erldist_keeper_options o = ERLDIST_KEEPER_OPTIONS_INIT;
	struct erldist_keeper k = { .node = "svc@myhost" };
	const char *const peers[] = { text, NULL };
	const struct static_peer *s;
	struct config c;
	int err;

	o.cookie = "secret";
	o.peers = peers;
	err = ed_config_make(&k, &c, &o);
	s = c.statics;
	if (node)
		ok(!err && !strcmp(s->node, node) && !strcmp(s->host, host) && s->port == port,
		   "%s", text);
	else
		ok(err == -EINVAL && strstr(k.error.text, text), "refused: %s", k.error.text);
	ed_config_free(&c);
}

static void check_listen(const char *where, bool good)
{
	struct erldist_keeper_options o = ERLDIST_KEEPER_OPTIONS_INIT;
	struct erldist_keeper k = { .epfd = -1 };
	int err;

	o.listen = where;
	err = ed_listen_open(&k, &o);
	ok(good ? !err && k.port : err < 0 && strstr(k.error.text, where), "listen on %s: port %u %s",
	   where ? where : "anything", k.port, k.error.text);
	ed_listen_close(&k);
}

static void check_interleave(void)
{
	static const int in[] = { 6, 6, 6, 4, 4 }, want[] = { 6, 4, 6, 4, 6 };
	struct addresses a = { .n = 5 };
	bool good = true;
	int i;

	for (i = 0; i < 5; i++) {
		a.list[i].sa.sa_family = in[i] == 6 ? AF_INET6 : AF_INET;
		a.list[i].in.sin_port = (in_port_t)i;
	}
	ed_resolve_interleave(&a);
	for (i = 0; i < 5; i++)
		good &= a.list[i].sa.sa_family == (want[i] == 6 ? AF_INET6 : AF_INET);
	ok(good && a.n == 5 && a.list[2].in.sin_port == 1 && a.list[3].in.sin_port == 4,
	   "the families take turns, each in its order");
}

/* A resolver that waits for a name server which does not answer; so does getent below */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
		struct addrinfo **res)
{
	static int (*real)(const char *, const char *, const struct addrinfo *,
			   struct addrinfo **);

	if (!real)
		real = (typeof(real))(uintptr_t)dlsym(RTLD_NEXT, "getaddrinfo");
	if (node && !strcmp(node, "slow") && !(hints->ai_flags & AI_NUMERICHOST))
		sleep(15);
	return real(node, service, hints, res);
}

static void check_slow(void)
{
	char dir[] = "/tmp/erldist-resolve-XXXXXX", path[64], search[1024];
	struct erldist_keeper_options o = ERLDIST_KEEPER_OPTIONS_INIT;
	char *before = strdup(getenv("PATH"));
	struct erldist_keeper *k;
	int64_t begin = ed_now();
	FILE *f;
	int err;

	if (!mkdtemp(dir))
		exit(1);
	snprintf(path, sizeof(path), "%s/getent", dir);
	f = fopen(path, "we");
	if (!f || fputs("#!/bin/sh\nexec sleep 15\n", f) < 0 || fchmod(fileno(f), 0700) || fclose(f))
		exit(1);
	snprintf(search, sizeof(search), "%s:%s", dir, before);
	setenv("PATH", search, 1);
	o.name = "svc@host";
	o.cookie = "secret";
	o.listen = "slow:0";
	err = erldist_keeper_check(&k, &o);
	ok(err == -ETIMEDOUT && ed_now() - begin < 10000, "a name server is waited for, not for "
	   "long: %s", erldist_strerror(k, err));
	erldist_keeper_close(k);
	setenv("PATH", before, 1);
	free(before);
	unlink(path);
	rmdir(dir);
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
	check_peer("b@h=unix:/run/b", "b@h", "/run/b", 0);
	check_peer("b@h=unix:", NULL, NULL, 0);
	check_interleave();
	check_listen(NULL, true);
	check_listen("fd:0", false);
	check_listen("fd:x", false);
	check_listen("unix:", false);
	check_listen("127.0.0.1:0", true);
	check_listen(":0", true);
	check_listen("0", true);
	check_listen("*:0", true);
	check_listen("[::1]:0", true);
	check_listen("127.0.0.1:99999", false);
	check_listen("127.0.0.1", false);
	check_listen("192.0.2.1:0", false);
	check_listen("localhost:0", true);
	check_slow();
	return tap_end();
}
