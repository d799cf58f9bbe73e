// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What a keeper is told to do about peers: cookies, places to listen, limits,
 * admission, commands, when to connect and when not.
 */
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "fake_node.h"

static char dir[] = "/tmp/erldist-policy-XXXXXX";

/* Names of files in the directory; four at a time */
static const char *path(const char *name)
{
	static char text[4][128];
	static int i;

	i = (i + 1) % 4;
	snprintf(text[i], sizeof(text[i]), "%s/%s", dir, name);
	return text[i];
}

static const char *put_file(const char *name, const char *text, mode_t mode)
{
	const char *p = path(name);
	int fd;

	unlink(p);
	fd = open(p, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, text, strlen(text)) < 0 || fchmod(fd, mode) || close(fd))
		ok(false, "cannot make %s", p);
	return p;
}

static struct erldist_keeper_options options(void)
{
	struct erldist_keeper_options o = ERLDIST_KEEPER_OPTIONS_INIT;

	o.name = "svc@host";
	o.cookie = "secret";
	o.listen = "127.0.0.1:0";
	o.options = ERLDIST_KEEPER_WITHOUT_EPMD;
	o.event = on_event;
	return o;
}

static struct erldist_keeper *open_keeper(const struct erldist_keeper_options *o)
{
	struct erldist_keeper *k;
	int err;

	memset(&seen, 0, sizeof(seen));
	err = erldist_keeper_open(&k, o);
	if (!k || err) {
		ok(false, "a keeper: %s", erldist_strerror(k, err));
		exit(1);
	}
	return k;
}

static void refused(const struct erldist_keeper_options *o, int error, const char *because)
{
	struct erldist_keeper *k;
	int err = erldist_keeper_open(&k, o);

	ok(err == error && strstr(erldist_strerror(k, err), because), "refused: %s",
	   erldist_strerror(k, err));
	erldist_keeper_close(k);
}

static void run(struct erldist_keeper *k, int ms)
{
	static const unsigned int never;

	wait_for(k, &never, 1, ms);
}

static void check_cookies(void)
{
	struct erldist_keeper_options o = options();
	char one[256], two[256];
	const char *cookies[] = { one, NULL, NULL };
	struct erldist_keeper *k;
	int err;

	snprintf(one, sizeof(one), "b@host=%s", put_file("b", "b's own\n", 0400));
	snprintf(two, sizeof(two), "c=%s", put_file("c", "c's own", 0400));
	o.cookies = cookies;
	k = open_keeper(&o);
	ok(seen.cookies == 2 && !strcmp(seen.cookie, "b@host=b's own"), "a cookie for a node: %s",
	   seen.cookie);
	cookies[0] = two;
	err = erldist_keeper_configure(k, &o);
	ok(!err && seen.cookies == 5 && !strcmp(seen.cookie, "c@host=c's own"),
	   "another configuration: another node's, the first has none any more");
	err = erldist_keeper_set_cookie(k, "d@host", "d's own");
	ok(!err && !strcmp(seen.cookie, "d@host=d's own"), "changed for a node");
	err = erldist_keeper_set_cookie(k, "d@host", NULL);
	ok(!err && !strcmp(seen.cookie, "d@host=-"), "and taken back");
	err = erldist_keeper_set_cookie(k, NULL, "new");
	ok(!err && !strcmp(seen.cookie, "=new"), "changed for all others");
	ok(erldist_keeper_set_cookie(k, NULL, NULL) == -EINVAL, "a node has to have one");
	ok(!memmem(k, sizeof(*k), "new", 3) && !memmem(k, sizeof(*k), "secret", 6),
	   "the keeper keeps none");
	seen.cookie_refused = -ENOMEM;
	err = erldist_keeper_configure(k, &o);
	ok(err == -ENOMEM && seen.restored == 1, "a cookie refused: the node is what it was: %s",
	   erldist_strerror(k, err));
	seen.cookie_refused = 0;
	put_file("c", "c's own", 0440);
	seen.cookies = 0;
	err = erldist_keeper_configure(k, &o);
	ok(err == -EACCES && !seen.cookies && strstr(erldist_strerror(k, err), path("c")),
	   "a file that others may read changes nothing: %s", erldist_strerror(k, err));
	erldist_keeper_close(k);
	cookies[0] = "nofile";
	refused(&o, -EINVAL, "NODE=FILE");
	o.cookie_file = "x";
	cookies[0] = NULL;
	refused(&o, -EINVAL, "only one");
}

static bool is_free(int port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool free = fd >= 0 && !bind(fd, (struct sockaddr *)&sa, sizeof(sa));

	close(fd);
	return free;
}

/*
 * The first of two free ports. They are below those that the kernel gives to
 * connections, so that no other program on this host gets one of them meanwhile; and
 * where this test runs twice at a time, each begins at another place.
 */
static uint16_t two_ports(void)
{
	int i, port = 10000 + 2 * (getpid() % 10000);

	for (i = 0; i < 1000; i++, port += 2)
		if (is_free(port) && is_free(port + 1))
			break;
	return (uint16_t)port;
}

static void check_range(void)
{
	struct erldist_keeper_options o = options();
	struct erldist_keeper *k, *second;
	uint16_t port = two_ports();
	char place[128];

	o.listen_min = port;
	o.listen_max = (uint16_t)(port + 1);
	k = open_keeper(&o);
	ok(erldist_keeper_port(k) == port, "the first port of a range");
	second = open_keeper(&o);
	ok(erldist_keeper_port(second) == port + 1, "the next one");
	snprintf(place, sizeof(place), "listen on 127.0.0.1:%u-%u: ports %u to %u are all in use",
		 port, port + 1, port, port + 1);
	refused(&o, -EADDRINUSE, place);
	o.listen_max = port;
	o.listen = NULL;
	snprintf(place, sizeof(place), "listen on *:%u: port %u is in use", port, port);
	refused(&o, -EADDRINUSE, place);
	o.listen = "[::ffff:127.0.0.1]";
	snprintf(place, sizeof(place), "listen on [::ffff:127.0.0.1]:%u", port);
	refused(&o, -EINVAL, place);
	erldist_keeper_close(second);
	erldist_keeper_close(k);
	o.listen_max = (uint16_t)(port - 1);
	refused(&o, -EINVAL, "no range");
	o = options();
	o.listen = NULL;
	o.dist_port = port;
	k = open_keeper(&o);
	ok(erldist_keeper_port(k) == port, "the port of everybody");
	erldist_keeper_close(k);
}

static int connect_path(const char *name)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", name);
	return connect(fd, (struct sockaddr *)&sa, sizeof(sa)) ? -1 : fd;
}

static void check_places(void)
{
	struct erldist_keeper_options o = options();
	const char *places[] = { NULL, "[::1]:0", NULL, NULL };
	char inherited[16], by_path[160];
	struct erldist_keeper *k;
	uint16_t port;
	int fd = listener(&port), a, b;

	snprintf(inherited, sizeof(inherited), "fd:%d", fd);
	snprintf(by_path, sizeof(by_path), "unix:%s", path("socket"));
	places[0] = by_path;
	places[2] = inherited;
	o.listens = places;
	k = open_keeper(&o);
	a = connect_path(path("socket"));
	ok(a >= 0 && wait_for(k, &seen.channels, 1, 3000) && seen.role == ERLDIST_ROLE_ACCEPTOR,
	   "a path");
	close(seen.fd);
	b = connect_to(port);
	ok(b >= 0 && wait_for(k, &seen.channels, 2, 3000), "a socket that is inherited");
	close(seen.fd);
	ok(erldist_keeper_port(k) && erldist_keeper_port(k) != port, "the port is the first place's");
	erldist_keeper_close(k);
	ok(access(path("socket"), F_OK), "the path is removed");
	close(a);
	close(b);
	put_file("socket", "", 0600);
	places[2] = NULL;
	refused(&o, -EADDRINUSE, path("socket"));
	unlink(path("socket"));
	o.listen = "192.0.2.1:0";
	refused(&o, -EADDRNOTAVAIL, "no address of this host");
}

/* A keeper that comes after another has its socket, and who connects its path */
static void check_path_kept(void)
{
	struct erldist_keeper_options o = options();
	char by_path[160], inherited[16];
	struct erldist_keeper *k;
	int fd, a;

	snprintf(by_path, sizeof(by_path), "unix:%s", path("socket"));
	o.listen = by_path;
	k = open_keeper(&o);
	fd = fcntl(erldist_keeper_listen_fd(k, 0), F_DUPFD_CLOEXEC, 0);
	erldist_keeper_close(k);
	snprintf(inherited, sizeof(inherited), "fd:%d", fd);
	o.listen = inherited;
	k = open_keeper(&o);
	a = connect_path(path("socket"));
	ok(a >= 0 && wait_for(k, &seen.channels, 1, 3000), "a path whose socket is kept stays");
	close(seen.fd);
	close(a);
	erldist_keeper_close(k);
	o.listen = by_path;
	k = open_keeper(&o);
	put_file("socket", "another's", 0600);
	erldist_keeper_close(k);
	ok(!access(path("socket"), F_OK), "another's path is not removed");
	unlink(path("socket"));
}

static void check_commands(void)
{
	struct erldist_keeper_options o = options();
	struct erldist_keeper *k;

	o.admit = path("nothing");
	refused(&o, -ENOENT, "no program");
	o.admit = "erldist-no-such-program";
	refused(&o, -ENOENT, "no program");
	o.admit = dir;
	refused(&o, -ENOENT, "no program");
	o.admit = "true";
	k = open_keeper(&o);
	erldist_keeper_close(k);
	o.admit = NULL;
	o.connect_with = "nc %h %port %x";
	refused(&o, -EINVAL, "%x: expected");
	o.connect_with = "nc %h %p 100%";
	refused(&o, -EINVAL, "100%: expected");
}

static void check_limits(void)
{
	struct erldist_keeper_options o = options();
	int one, two, three, kept[2];
	struct erldist_keeper *k;
	char byte;

	o.per_address = 2;
	k = open_keeper(&o);
	one = connect_to(erldist_keeper_port(k));
	ok(wait_for(k, &seen.channels, 1, 3000), "one from an address");
	kept[0] = seen.fd;
	two = connect_to(erldist_keeper_port(k));
	ok(wait_for(k, &seen.channels, 2, 3000), "two");
	kept[1] = seen.fd;
	three = connect_to(erldist_keeper_port(k));
	ok(wait_for(k, &seen.told[ERLDIST_KEEPER_REJECTED], 1, 3000) && seen.channels == 2 &&
	   strstr(seen.text, "127.0.0.1"), "not three: %s", seen.text);
	ok(read(three, &byte, 1) == 0, "it is closed");
	close(three);
	/* as the kernel ends a connection */
	shutdown(kept[0], SHUT_RDWR);
	close(kept[0]);
	run(k, 50);
	three = connect_to(erldist_keeper_port(k));
	ok(wait_for(k, &seen.channels, 3, 3000), "once one has ended, another one");
	close(seen.fd);
	o.per_address = 0;
	o.connections = 2;
	ok(!erldist_keeper_configure(k, &o), "the limit is another one");
	close(one);
	one = connect_to(erldist_keeper_port(k));
	run(k, 100);
	ok(seen.channels == 3, "in all");
	close(one);
	close(two);
	close(kept[1]);
	seen.refuse = -EUSERS;
	o.connections = 100;
	ok(!erldist_keeper_configure(k, &o), "the kernel has limits, too");
	k->told_limit = 0;
	one = connect_to(erldist_keeper_port(k));
	ok(wait_for(k, &seen.told[ERLDIST_KEEPER_REJECTED], 2, 3000) &&
	   strstr(seen.text, "handshake") && read(one, &byte, 1) == 0, "told, and closed: %s",
	   seen.text);
	seen.refuse = 0;
	close(one);
	close(three);
	erldist_keeper_close(k);
}

/* Without an option */
static void check_default_limit(void)
{
	struct erldist_keeper_options o = options();
	struct erldist_keeper *k = open_keeper(&o);
	int fd[257], i;

	for (i = 0; i < 256; i++) {
		fd[i] = connect_to(erldist_keeper_port(k));
		if (!wait_for(k, &seen.channels, (unsigned int)i + 1, 3000))
			break;
		close(seen.fd);
	}
	ok(i == 256 && !seen.told[ERLDIST_KEEPER_REJECTED], "256 from an address");
	fd[256] = connect_to(erldist_keeper_port(k));
	ok(wait_for(k, &seen.told[ERLDIST_KEEPER_REJECTED], 1, 3000) && seen.channels == 256 &&
	   strstr(seen.text, "one address"), "not 257: %s", seen.text);
	for (i = 0; i < 257; i++)
		close(fd[i]);
	erldist_keeper_close(k);
}

static void allows(const char *const *list, const char *node, bool want)
{
	struct erldist_keeper_options o = options();
	struct erldist_keeper *k;
	char answer[300];

	o.allow = list;
	k = open_keeper(&o);
	ed_admit(k, node, 7, 0);
	snprintf(answer, sizeof(answer), "%s %s -", node, want ? "yes" : "no");
	ok(seen.answers == 1 && seen.tag == 7 && !strcmp(seen.answer, answer) &&
	   seen.told[ERLDIST_KEEPER_REJECTED] == !want, "%s", answer);
	ed_peer_wanted(k, node);
	if (!want)
		ok(seen.unreachables == 1 && seen.error == ERLDIST_NOT_ALLOWED,
		   "nor is it connected");
	erldist_keeper_close(k);
}

static void check_allow(void)
{
	static const char *const list[] = { "b@one", "two", "c@", NULL };
	static const char *const mistakes[] = { "a b@c", NULL };
	struct erldist_keeper_options o = options();

	allows(list, "b@one", true);
	allows(list, "b@three", false);
	allows(list, "x@two", true);
	allows(list, "c@three", true);
	allows(list, "cc@three", false);
	allows(list, "two@three", false);
	allows(NULL, "b@three", true);
	o.allow = mistakes;
	refused(&o, -EINVAL, "a b@c");
}

static void asks(const char *script, const char *want, const char *told)
{
	struct erldist_keeper_options o = options();
	struct erldist_keeper *k;
	char text[512], answer[64];
	const char *program;

	snprintf(text, sizeof(text), "#!/bin/sh\n%s\n", script);
	program = put_file("admit", text, 0700);
	o.admit = program;
	k = open_keeper(&o);
	ed_admit(k, "b@host", 9, 0x1234);
	ed_keeper_arm(k);
	ok(wait_for(k, &seen.answers, 1, 5000), "%s", script);
	snprintf(answer, sizeof(answer), "b@host %s", want);
	ok(!strcmp(seen.answer, answer) && seen.tag == 9, "%s", seen.answer);
	ok(!told == !seen.told[ERLDIST_KEEPER_REJECTED] && (!told || strstr(seen.text, told)),
	   "told: %s", seen.text);
	ok(!k->asks, "and the program is gone");
	erldist_keeper_close(k);
}

static void on_ask(void *user, const struct erldist_keeper_event *e)
{
	struct erldist_keeper **k = user;

	if (e->type == ERLDIST_KEEPER_ASKS)
		erldist_keeper_answer(*k, e->peer, e->tag, 1, "from the event");
}

static void check_admit(void)
{
	struct erldist_keeper_options o = options();
	struct erldist_keeper *k;

	asks("echo yes", "yes -", NULL);
	asks("echo no, not today", "no -", "no, not today");
	asks("echo cookie other one", "yes other one", NULL);
	asks("test \"$1 $3\" = 'b@host 0x1234' && echo yes", "yes -", NULL);
	asks("echo maybe", "no -", "neither");
	asks("exit 1", "no -", "neither");
	asks("printf 'no \\033[31m red\\n'", "no -", "no \\x1b[31m red");
	asks("echo cookie", "no -", "no proper cookie");
	asks("sleep 10", "no -", "does not answer");
	o.admit = put_file("yes", "#!/bin/sh\necho yes\n", 0700);
	k = open_keeper(&o);
	ed_admit(k, "-rf@host", 9, 0);
	ok(!strcmp(seen.answer, "-rf@host no -") && strstr(seen.text, "begins with -"),
	   "a name that looks like an option: %s", seen.text);
	erldist_keeper_close(k);
	o.admit = put_file("gone", "#!/bin/sh\n", 0700);
	k = open_keeper(&o);
	unlink(path("gone"));
	ed_admit(k, "b@host", 9, 0);
	ok(!strcmp(seen.answer, "b@host no -") && strstr(seen.text, o.admit), "%s", seen.text);
	erldist_keeper_close(k);
	o = options();
	o.options |= ERLDIST_KEEPER_ASK;
	o.event = on_ask;
	o.user = &k;
	k = open_keeper(&o);
	ed_admit(k, "b@host", 11, 0);
	ok(!strcmp(seen.answer, "b@host yes from the event"), "the library's user decides");
	erldist_keeper_close(k);
}

static void check_command(void)
{
	struct erldist_keeper_options o = options();
	const char *peers[] = { "b@host=far.example.org:4400", NULL };
	char command[256], script[256], said[64] = "";
	struct erldist_keeper *k;
	int fd;

	snprintf(script, sizeof(script), "#!/bin/sh\necho \"$@\" > %s\nexec cat\n", path("said"));
	snprintf(command, sizeof(command), "%s %%h %%p 100%%%%", put_file("proxy", script, 0700));
	o.peers = peers;
	o.connect_with = command;
	o.dist_port = 4400;
	k = open_keeper(&o);
	ed_dial_start(k, "b@host");
	ok(wait_for(k, &seen.channels, 1, 5000) && seen.role == ERLDIST_ROLE_INITIATOR,
	   "what a command connects");
	ok(write(seen.fd, "through", 7) == 7 && (fcntl(seen.fd, F_SETFL, 0),
	   read(seen.fd, said, sizeof(said))) == 7 && !strcmp(said, "through"), "is a stream");
	fd = open(path("said"), O_RDONLY | O_CLOEXEC);
	memset(said, 0, sizeof(said));
	ok(read(fd, said, sizeof(said) - 1) > 0 && !strcmp(said, "far.example.org 4400 100%\n"),
	   "host and port are filled in: %s", said);
	close(fd);
	ok(k->children && !k->children->next, "the command is ours");
	/* as the kernel does */
	shutdown(seen.fd, SHUT_RDWR);
	close(seen.fd);
	run(k, 500);
	ok(!k->children, "and is waited for when it ends");
	ed_dial_start(k, "c@$(reboot)");
	ok(wait_for(k, &seen.unreachables, 1, 3000), "what a shell would take for more is no host");
	erldist_keeper_close(k);
	o.connect_with = "ssh %x";
	o.dist_port = 0;
	refused(&o, -EINVAL, "ssh %x: expected");
}

static unsigned int count_children(const struct erldist_keeper *k)
{
	const struct child *c;
	unsigned int n = 0;

	for (c = k->children; c; c = c->next)
		n++;
	return n;
}

/* A killed command is waited for a moment later */
static bool children_become(struct erldist_keeper *k, unsigned int n)
{
	int64_t deadline = ed_now() + 5000;

	while (count_children(k) != n && ed_now() < deadline)
		run(k, 20);
	return count_children(k) == n;
}

/* Commands that do not look whether their input ends */
static void check_deaf_command(void)
{
	struct erldist_keeper_options o = options();
	struct erldist_keeper *k;
	char peer[64], command[160];
	int i, fd;

	o.connect_with = "sleep 30 # %h %p";
	o.dist_port = 4400;
	o.options |= ERLDIST_KEEPER_ANY_NAMES;
	k = open_keeper(&o);
	for (i = 0; i < 20; i++) {
		fd = ed_command_connect(k, "hosta", 4400);
		shutdown(fd, SHUT_RDWR);
		close(fd);
	}
	ok(count_children(k) == 20, "20 commands");
	ok(children_become(k, 0), "none outlives its stream");
	for (i = 0; i < 20; i++) {
		seen.refuse = -EALREADY;
		snprintf(peer, sizeof(peer), "x@h%d", i);
		ed_dial_start(k, peer);
		run(k, 20);
	}
	seen.refuse = 0;
	ok(children_become(k, 0), "nor its dial");
	ed_dial_start(k, "b@host");
	ok(wait_for(k, &seen.channels, 1, 5000), "one whose stream was handed over");
	run(k, 200);
	ok(count_children(k) == 1, "goes on");
	shutdown(seen.fd, SHUT_RDWR);
	ok(children_become(k, 0), "until the connection has ended");
	close(seen.fd);
	erldist_keeper_close(k);
	/* an epmd by the command, which tells the port 4401 of b */
	o = options();
	o.options = ERLDIST_KEEPER_NO_LISTEN;
	put_file("proxy", "#!/bin/sh\ntest $2 = 4401 ||\n"
		 "printf 'w\\000\\021\\061H\\000\\000\\006\\000\\006\\000\\001b\\000\\000'\n"
		 "exec sleep 30\n", 0700);
	snprintf(command, sizeof(command), "%s %%h %%p", path("proxy"));
	o.connect_with = command;
	k = open_keeper(&o);
	ed_dial_start(k, "b@host");
	ok(wait_for(k, &seen.channels, 1, 5000), "an epmd by a command");
	ok(children_become(k, 1), "which is killed when it has answered");
	close(seen.fd);
	erldist_keeper_close(k);
}

/* Processes want nodes on hosts of which nothing is known */
static void check_many_wanted(void)
{
	struct erldist_keeper_options o = options();
	char search[1024], *before = strdup(getenv("PATH")), node[64];
	const char *keep[] = { "kept@far", NULL };
	const char *peers[] = { "static@far=192.0.2.1:4400", NULL };
	struct rlimit limit, few = { .rlim_cur = 1024 };
	unsigned int n = 0, children = 0, i;
	struct erldist_keeper *k;
	struct dial *d;

	put_file("getent", "#!/bin/sh\nexec sleep 10\n", 0700);
	snprintf(search, sizeof(search), "%s:%s", dir, before);
	setenv("PATH", search, 1);
	getrlimit(RLIMIT_NOFILE, &limit);
	few.rlim_max = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &few);
	o.dist_port = 4400;
	o.peers = peers;
	k = open_keeper(&o);
	for (i = 0; i < 60; i++) {
		snprintf(node, sizeof(node), "x@h%u", i);
		ed_peer_wanted(k, node);
	}
	for (d = k->dials; d; d = d->next, n++)
		children += d->resolver.child.pid != 0;
	ok(n == 32 && children <= n, "60 nodes are wanted, %u dialled, by %u children", n, children);
	ok(seen.unreachables == 60 - n && seen.error == EUSERS, "the others are not: %s", seen.text);
	ed_peer_wanted(k, "static@far");
	ok(ed_dialing(k, "static@far"), "one that is configured is dialled");
	o.keep = keep;
	ok(!erldist_keeper_configure(k, &o), "one that is to be kept up");
	ed_peers_timer(k);
	ok(ed_dialing(k, "kept@far"), "is dialled, too");
	erldist_keeper_close(k);
	setrlimit(RLIMIT_NOFILE, &limit);
	setenv("PATH", before, 1);
	unlink(path("getent"));
	free(before);
}

/* Another child, with the number that one has had, or 0: this may not be chosen */
static pid_t bystander(pid_t number)
{
	struct clone_args args = {
		.exit_signal = SIGCHLD, .set_tid = (uintptr_t)&number, .set_tid_size = 1,
	};
	long pid = syscall(SYS_clone3, &args, sizeof(args));

	if (!pid)
		for (;;)
			pause();
	return pid < 0 ? 0 : (pid_t)pid;
}

/* What is ended, as a program that waits for all of its children had that one, too */
static void spares_bystander(struct erldist_keeper *k, const char *what)
{
	pid_t ended = waitpid(-1, NULL, 0), other = bystander(ended);
	bool alone;

	ok(ended > 0, "%s, which somebody else has waited for", what);
	erldist_keeper_close(k);
	if (!other) {
		skip(what, "the number of a process cannot be chosen");
		return;
	}
	alone = !waitpid(other, NULL, WNOHANG);
	ok(alone, "%s: who has its number now is left alone", what);
	if (alone) {
		kill(other, SIGKILL);
		waitpid(other, NULL, 0);
	}
}

static void check_waited_for(void)
{
	struct erldist_keeper_options o = options();
	const char *peers[] = { "b@host=far.example.org:4400", NULL };
	struct erldist_keeper *k;

	o.peers = peers;
	o.connect_with = "true";
	k = open_keeper(&o);
	ed_dial_start(k, "b@host");
	spares_bystander(k, "a command");
	o = options();
	o.admit = "true";
	k = open_keeper(&o);
	ed_admit(k, "b@host", 9, 0);
	spares_bystander(k, "a program that was asked");
}

/* Two nodes of one machine: by a path */
static void check_path(void)
{
	struct erldist_keeper_options o = options();
	char place[160], peer[200];
	const char *peers[] = { peer, NULL };
	struct erldist_keeper *k;

	snprintf(place, sizeof(place), "unix:%s", path("socket"));
	snprintf(peer, sizeof(peer), "b@host=%s", place);
	o.listen = place;
	o.peers = peers;
	k = open_keeper(&o);
	ed_dial_start(k, "b@host");
	ok(wait_for(k, &seen.channels, 2, 3000), "a path is listened at and connected to");
	close(seen.fd);
	erldist_keeper_close(k);
}

/* getent, as it is where no name server answers */
static void check_name_server(void)
{
	struct erldist_keeper_options o = options();
	char search[1024], *before = strdup(getenv("PATH"));
	struct erldist_keeper *k;

	put_file("getent", "#!/bin/sh\nexec sleep 10\n", 0700);
	snprintf(search, sizeof(search), "%s:%s", dir, before);
	setenv("PATH", search, 1);
	o.dist_port = 4400;
	k = open_keeper(&o);
	ed_dial_start(k, "b@slow");
	ed_keeper_arm(k);
	ok(wait_for(k, &seen.unreachables, 1, 4000) && seen.error == ERLDIST_NOT_RESOLVED,
	   "no name server: %s", seen.text);
	ok(!k->dials, "nobody waits any more");
	erldist_keeper_close(k);
	setenv("PATH", before, 1);
	free(before);
	unlink(path("getent"));
}

static void check_back_off(void)
{
	struct erldist_keeper_options o = options();
	char peer[64];
	const char *peers[] = { peer, NULL };
	struct erldist_keeper *k;
	uint16_t port;
	int i;

	close(listener(&port));
	snprintf(peer, sizeof(peer), "b@host=127.0.0.1:%u", port);
	o.peers = peers;
	k = open_keeper(&o);
	ed_peer_wanted(k, "b@host");
	ok(wait_for(k, &seen.unreachables, 1, 3000) && seen.error == ECONNREFUSED, "it fails");
	for (i = 0; i < 5; i++)
		ed_peer_wanted(k, "b@host");
	ok(seen.unreachables == 6 && seen.error == ECONNREFUSED &&
	   seen.told[ERLDIST_KEEPER_WANTED] == 1, "for a while the answer is the same at once");
	run(k, 1050);
	ed_peer_wanted(k, "b@host");
	ok(seen.told[ERLDIST_KEEPER_WANTED] == 2 && wait_for(k, &seen.unreachables, 7, 3000),
	   "then it is tried again");
	run(k, 1050);
	ed_peer_wanted(k, "b@host");
	ok(seen.told[ERLDIST_KEEPER_WANTED] == 2, "and left alone for longer");
	ok(!erldist_keeper_connect(k, "b@host") && seen.told[ERLDIST_KEEPER_WANTED] == 3,
	   "unless it is asked for");
	run(k, 100);
	ed_peer_up(k, "b@host");
	ed_peer_down(k, "b@host");
	ed_peer_wanted(k, "b@host");
	ok(seen.told[ERLDIST_KEEPER_WANTED] == 4, "who was up is tried at once");
	run(k, 100);
	seen.unreachables = 0;
	ed_peer_handed_over(k, "c@host", 77);
	ed_peer_rejected(k, "c@host", 76, -EKEYREJECTED);
	ed_peer_wanted(k, "c@host");
	ok(seen.error != EKEYREJECTED, "a stranger's failure is not held against it");
	ed_peer_handed_over(k, "d@host", 78);
	ed_peer_rejected(k, "d@host", 78, -EKEYREJECTED);
	ed_peer_wanted(k, "d@host");
	ok(seen.error == EKEYREJECTED, "its own is");
	ed_peer_handed_over(k, "e@host", 79);
	ed_peer_rejected(k, "e@host", 79, -ECONNREFUSED);
	ed_peer_wanted(k, "e@host");
	ok(seen.error == ERLDIST_REFUSED, "a refusal is not told as a port that is closed");
	erldist_keeper_close(k);
}

static void check_keep(void)
{
	struct erldist_keeper_options o = options();
	char peer[64];
	const char *peers[] = { peer, NULL }, *keep[] = { "b", NULL };
	struct erldist_keeper *k;
	uint16_t port;
	int fd = listener(&port);

	snprintf(peer, sizeof(peer), "b@host=127.0.0.1:%u", port);
	o.peers = peers;
	o.keep = keep;
	k = open_keeper(&o);
	ok(wait_for(k, &seen.channels, 1, 3000) && !strcmp(seen.peer, "b@host"),
	   "connected from the beginning");
	close(seen.fd);
	ed_peer_up(k, "b@host");
	run(k, 100);
	ed_peer_down(k, "b@host");
	ed_keeper_arm(k);
	ok(wait_for(k, &seen.channels, 2, 3000), "and when it is down");
	close(seen.fd);
	close(fd);
	ed_peer_failed(k, "b@host", -ECONNREFUSED);
	ed_keeper_arm(k);
	ok(wait_for(k, &seen.unreachables, 2, 6000), "and again and again");
	ok(seen.retry > 500 && seen.retry <= 5000, "the kernel hears when: in %d ms",
	   (int)seen.retry);
	ed_peer_handed_over(k, "b@host", 99);
	seen.retries = 0;
	ed_peer_rejected(k, "b@host", 99, -EKEYREJECTED);
	ok(seen.retries == 1 && seen.retry > 500, "also after a handshake: in %d ms",
	   (int)seen.retry);
	keep[0] = NULL;
	ok(!erldist_keeper_configure(k, &o), "until it is not to be kept");
	seen.told[ERLDIST_KEEPER_WANTED] = 0;
	run(k, 2500);
	ok(!seen.told[ERLDIST_KEEPER_WANTED], "which ends that");
	fd = listener(&port);
	snprintf(peer, sizeof(peer), "b@host=127.0.0.1:%u", port);
	keep[0] = "b";
	seen.refuse = -EISCONN;
	ok(!erldist_keeper_configure(k, &o), "it is to be kept again");
	run(k, 3500);
	ok(seen.told[ERLDIST_KEEPER_WANTED] == 1, "and was up already: it is left alone");
	close(fd);
	erldist_keeper_close(k);
	keep[0] = "svc@host";
	refused(&o, -EINVAL, "itself");
	keep[0] = "a b@c";
	refused(&o, -EINVAL, "a b@c");
}

static void check_auto_connect(void)
{
	struct erldist_keeper_options o = options();
	char peer[64];
	const char *peers[] = { peer, NULL };
	struct erldist_keeper *k;
	uint16_t port;
	int fd = listener(&port);

	snprintf(peer, sizeof(peer), "b@host=127.0.0.1:%u", port);
	o.peers = peers;
	o.auto_connect = ERLDIST_AUTO_CONNECT_NEVER;
	k = open_keeper(&o);
	ed_peer_wanted(k, "b@host");
	ok(seen.unreachables == 1 && seen.error == ERLDIST_NOT_BY_ITSELF, "never");
	ok(!erldist_keeper_connect(k, "b@host") && wait_for(k, &seen.channels, 1, 3000),
	   "unless it is asked for");
	close(seen.fd);
	o.auto_connect = ERLDIST_AUTO_CONNECT_ONCE;
	ok(!erldist_keeper_configure(k, &o), "once");
	ed_peer_wanted(k, "b@host");
	ok(wait_for(k, &seen.channels, 2, 3000), "is once");
	close(seen.fd);
	ed_peer_up(k, "b@host");
	ed_peer_down(k, "b@host");
	ed_peer_wanted(k, "b@host");
	ok(seen.unreachables == 2 && seen.error == ERLDIST_NOT_BY_ITSELF, "not twice");
	ed_peer_up(k, "b@host");
	ok(!k->peers->barred, "it may come back by itself");
	erldist_keeper_close(k);
	close(fd);
	o = options();
	o.options |= ERLDIST_KEEPER_VISIBLE;
	refused(&o, -EOPNOTSUPP, "global");
}

int main(void)
{
	char cmd[64];

	if (!mkdtemp(dir))
		return 1;
	check_cookies();
	check_range();
	check_places();
	check_path_kept();
	check_commands();
	check_limits();
	check_default_limit();
	check_allow();
	check_admit();
	check_command();
	check_deaf_command();
	check_many_wanted();
	check_waited_for();
	check_path();
	check_name_server();
	check_back_off();
	check_keep();
	check_auto_connect();
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	return system(cmd) ? 1 : tap_end();
}
