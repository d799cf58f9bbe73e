// SPDX-License-Identifier: GPL-2.0-only
/*
 * interop_factory NODE: a native process "factory" on NODE that makes others.
 *
 * Prints "ready", ends with its standard input, and answers gen_server:call:
 *
 *	{bear, Name}	a process of this name in the factory's program
 *	{fork, Name}	one in a program of its own
 *			both: its pid, or {error, Errno}
 *	{bear, Number}	so many without a name, which trap exits: a list of pids
 *	report		of those: {Exits, Messages, OutOfOrder}, messages and exits that
 *			came, and messages before the exit of the same process
 *	forget		closes them; ok
 *
 * A process with a name ends when it is sent {die, close}: by close, or, in its own
 * program, by SIGKILL; or {die, Reason}.
 */
#include <sys/epoll.h>
#include <sys/resource.h>

#include "erldist_test.h"

#define MANY	16384

struct born {
	int fd;
	bool many;		/* one of many */
	bool told;		/* an exit came */
};

static int epoll;
static bool alone;		/* a program of a process's own */
static struct born factory;
static struct born many[MANY];
static int n_many, exits, messages, out_of_order;

static void listen_to(struct born *b)
{
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = b };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, b->fd, &e))
		die("epoll_ctl");
}

/* A process that is reported on */
static void bear_nameless(void)
{
	struct born *b = &many[n_many++];

	*b = (struct born){ .fd = proc("", NULL), .many = true };
	proc_trap_exit(b->fd, true);
	listen_to(b);
}

static void bear_many(int64_t n, struct buf *answer)
{
	struct epid pid;

	buf_u8(answer, 108);
	buf_be32(answer, n);
	for (int64_t i = 0; i < n && n_many < MANY; i++) {
		bear_nameless();
		proc_self(many[n_many - 1].fd, &pid);
		fmt(answer, "p", &pid);
	}
	buf_u8(answer, 106);
}

static void forget(void)
{
	while (n_many)
		close(many[--n_many].fd);
	exits = 0;
	messages = 0;
	out_of_order = 0;
}

static bool bear(const char *name, const char *node, struct buf *answer)
{
	struct born *b = calloc(1, sizeof(*b));
	struct epid pid;

	if (!b)
		die("memory");
	b->fd = proc_open(name, node);
	if (b->fd < 0) {
		term(answer, "{ai}", "error", -b->fd);
		free(b);
		return false;
	}
	listen_to(b);
	proc_self(b->fd, &pid);
	term(answer, "p", &pid);
	return true;
}

/* The child has nothing of the factory's when this returns in the parent. */
static bool fork_off(void)
{
	int closed[2];
	pid_t pid;
	char c;

	if (pipe2(closed, O_CLOEXEC))
		die("pipe");
	fflush(NULL);
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid) {
		close(closed[1]);
		/* its end */
		while (read(closed[0], &c, 1) < 0 && errno == EINTR)
			;
		close(closed[0]);
		return false;
	}
	close_range(3, ~0U, 0);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	alone = true;
	return true;
}

/* In a program of its own. What answers is a process without a name. */
static void bear_alone(const char *name, const char *node, const struct epid *from,
		       const struct slice *tag)
{
	DEFINE_BUF(answer);
	bool born;
	int fd;

	if (!fork_off())
		return;
	born = bear(name, node, &answer);
	fd = proc(NULL, node);
	proc_reply(fd, from, tag, &answer);
	close(fd);
	if (!born)
		_exit(1);
}

/* False: somebody else answers */
static bool serve(const char *node, const struct slice *request, struct buf *answer,
		  const struct epid *from, const struct slice *tag)
{
	const uint8_t *r = request->p;
	int64_t n;
	char word[512], name[512];

	if (scan(r, request->len, "a", word) > 0 && !strcmp(word, "report")) {
		term(answer, "{iii}", exits, messages, out_of_order);
	} else if (scan(r, request->len, "a", word) > 0 && !strcmp(word, "forget")) {
		forget();
		term(answer, "a", "ok");
	} else if (scan(r, request->len, "{ai}", word, &n) > 0 && !strcmp(word, "bear")) {
		bear_many(n, answer);
	} else if (scan(r, request->len, "{aa}", word, name) > 0 && !strcmp(word, "bear")) {
		bear(name, node, answer);
	} else if (scan(r, request->len, "{aa}", word, name) > 0 && !strcmp(word, "fork")) {
		bear_alone(name, node, from, tag);
		answer->len = 0;
	} else {
		term(answer, "a", "what");
	}
	return answer->len;
}

static void request(const char *node, const struct buf *m)
{
	struct slice tag, what;
	struct epid pid;
	char word[512];
	DEFINE_BUF(answer);

	if (scan(m->p, m->len, "{a{pt}t}", word, &pid, &tag, &what) > 0 &&
	    !strcmp(word, "$gen_call") && serve(node, &what, &answer, &pid, &tag))
		proc_reply(factory.fd, &pid, &tag, &answer);
}

static void end(struct born *b, const struct slice *how)
{
	struct buf reason = { (uint8_t *)how->p, how->len };
	struct epid pid;
	char word[512];
	DEFINE_BUF(self);

	if (scan(how->p, how->len, "a", word) > 0 && !strcmp(word, "close")) {
		if (alone)
			raise(SIGKILL);
	} else {
		proc_self(b->fd, &pid);
		proc_sendto(b->fd, &(struct to){ .op = ERLDIST_SIG_EXIT,
						 .dest = fmt(&self, "p", &pid) }, &reason);
	}
	if (alone)
		_exit(0);
	close(b->fd);
	free(b);
}

static void count(struct born *b, const struct msg *m)
{
	if (m->op == ERLDIST_SIG_EXIT) {
		exits++;
		b->told = true;
		return;
	}
	messages++;
	out_of_order += !b->told;
}

/* Returns false when there is nothing more for now, or of this process at all */
static bool receive(struct born *b, const char *node)
{
	struct slice how;
	char word[512];
	DEFINE_MSG(m);
	int err = proc_recv(b->fd, &m, 0);

	if (err == -ETIMEDOUT)
		return false;
	if (err && b == &factory)
		die("the factory has ended");
	if (err && alone)
		_exit(0);
	if (err) {
		/* an exit has ended it */
		close(b->fd);
		if (!b->many)
			free(b);
		return false;
	}
	if (b == &factory) {
		request(node, &m.term);
		return !alone;
	}
	if (b->many) {
		count(b, &m);
	} else if (scan(m.term.p, m.term.len, "{at}", word, &how) > 0 && !strcmp(word, "die")) {
		end(b, &how);
		return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	const struct rlimit files = { MANY + 1000, MANY + 1000 };
	struct epoll_event in = { .events = EPOLLIN }, e;

	if (argc != 2)
		die("usage: interop_factory NODE");
	/* children are not waited for */
	signal(SIGCHLD, SIG_IGN);
	setrlimit(RLIMIT_NOFILE, &files);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	factory.fd = proc("factory", argv[1]);
	listen_to(&factory);
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, 0, &in))
		die("epoll_ctl");
	puts("ready");
	fflush(stdout);
	/* one at a time: the others may go meanwhile */
	while (epoll_wait(epoll, &e, 1, -1) == 1 || errno == EINTR) {
		if (!e.data.ptr)
			return 0;
		while (receive(e.data.ptr, argv[1]))
			;
	}
	return 0;
}
