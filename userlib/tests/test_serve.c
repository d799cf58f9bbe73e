// SPDX-License-Identifier: LGPL-2.1-or-later
/* Functions served, without anybody to serve: what is asked for, what is answered. */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "serve.h"
#include "tap.h"

static struct erldist_slice parsed(struct erldist_term *t, const char *text)
{
	struct erldist_slice s = { NULL, 0 };

	if (!erldist_parse(t, text, NULL))
		s = ed_slice(t->term, t->len);
	return s;
}

static void check_options(const char *text, bool want)
{
	struct erldist_term t = ERLDIST_TERM_INIT;
	struct erldist_slice s = parsed(&t, text);

	ok(s.len && ed_spawn_options_ok(&s) == want, "options %s are %s", text,
	   want ? "taken" : "badopt");
	erldist_term_free(&t);
}

static void check_all_options(void)
{
	static const char *const good[] = {
		"[]", "[link,monitor]", "[{monitor,[{tag,x}]}]", "[{priority,low}]",
		"[{max_heap_size,#{size => 1}},{max_heap_size,5},{scheduler,1}]",
		"[{message_queue_data,off_heap},{async_dist,true},{min_heap_size,0}]",
	};
	static const char *const bad[] = {
		"x", "[x]", "[link|x]", "[{x,1}]", "[{priority,x}]", "[{priority,1}]", "[1]",
		"[{min_heap_size,-1}]", "[{min_heap_size,x}]", "[{monitor,x}]", "[{link,[a|b]}]",
		"[{a,b,c}]", "[{}]", "\"ab\"", "[link,x]", "[{1,2}]", "[<<>>]",
	};
	size_t i;

	for (i = 0; i < ED_ARRAY_SIZE(good); i++)
		check_options(good[i], true);
	for (i = 0; i < ED_ARRAY_SIZE(bad); i++)
		check_options(bad[i], false);
}

/* {M, F, Args} is asked to be spawned */
static int ask(struct erldist_term *t, struct asked *a, const char *text)
{
	struct erldist_slice s = parsed(t, text);

	memset(a, 0, sizeof(*a));
	if (erldist_match(s.term, s.len, "{~t,~t,~t}", &a->module, &a->function, &a->args))
		return -EPROTO;
	return ed_asked_spawn(a);
}

static void check_asked(const char *text, enum door door, const char *function,
			unsigned int arity)
{
	struct erldist_term t = ERLDIST_TERM_INIT;
	char m[64], f[64];
	struct asked a;
	int err = ask(&t, &a, text);

	ok(!err && a.door == door && a.arity == arity &&
	   !erldist_match(a.module.term, a.module.len, "~a", m, sizeof(m)) && !strcmp(m, "m") &&
	   !erldist_match(a.function.term, a.function.len, "~a", f, sizeof(f)) &&
	   !strcmp(f, function), "%s is m:%s/%u", text, function, arity);
	erldist_term_free(&t);
}

static void check_refused(const char *text, int want)
{
	struct erldist_term t = ERLDIST_TERM_INIT;
	struct asked a;
	int err = ask(&t, &a, text);

	ok(err == want, "%s: %d", text, err);
	erldist_term_free(&t);
}

static void check_fun(void)
{
	/* fun() of a shell: module, index, uniq, pid, nothing else that matters */
	static const char fun[] = "p\0\0\0\1";
	struct erldist_slice m = ed_slice("w\6erlang", 8), f = ed_slice("w\5apply", 7);
	struct asked a = { .door = DOOR_SPAWN, .module = m, .function = f };
	struct erldist_term t = ERLDIST_TERM_INIT;
	static const uint8_t list[] = { ERL_LIST_EXT, 0, 0, 0, 2 };

	if (!ed_put(&t, list, sizeof(list)) && !ed_put(&t, fun, 5) && !ed_put(&t, "jj", 2))
		a.args = ed_slice(t.term, t.len);
	ok(ed_asked_spawn(&a) < 0, "a fun that is cut short is not run");
	erldist_term_free(&t);
}

static int put_applies(struct erldist_term *t, int n)
{
	static const uint8_t three[] = { ERL_LIST_EXT, 0, 0, 0, 3 }, nil = ERL_NIL_EXT;
	int i, err = 0;

	for (i = 0; !err && i < n; i++)
		err = ed_put(t, three, sizeof(three)) || ed_put_atom(t, "erlang", 6) ||
		      ed_put_atom(t, "apply", 5);
	err = err || ed_put(t, three, sizeof(three)) || ed_put_atom(t, "m", 1) ||
	      ed_put_atom(t, "f", 1);
	for (i = 0; !err && i < n + 2; i++)
		err = ed_put(t, &nil, 1);
	return err;
}

/* erlang:apply(erlang, apply, [erlang, apply, ... [m, f, []]]), n in each other */
static int applies(int n)
{
	struct asked a = { .door = DOOR_SPAWN };
	struct erldist_term t = ERLDIST_TERM_INIT;
	int err = put_applies(&t, n);

	a.module = ed_slice("w\6erlang", 8);
	a.function = ed_slice("w\5apply", 7);
	a.args = ed_slice(t.term, t.len);
	if (!err)
		err = ed_asked_spawn(&a);
	erldist_term_free(&t);
	return err;
}

static void check_applies(void)
{
	clock_t begin = clock();

	ok(!applies(10), "an apply in another, ten times");
	ok(applies(100000) == -E2BIG && clock() - begin < 2 * CLOCKS_PER_SEC,
	   "100000 times is refused at once");
}

static void check_all_asked(void)
{
	char many[4096] = "{m,f,[";
	int i;

	check_asked("{m,f,[]}", DOOR_SPAWN, "f", 0);
	check_asked("{m,f,[1,2]}", DOOR_SPAWN, "f", 2);
	check_asked("{erpc,execute_call,[res,m,f,[a]]}", DOOR_ERPC, "f", 1);
	check_asked("{erpc,execute_call,[m,f,[a]]}", DOOR_SPAWN, "f", 1);
	check_asked("{erpc,execute_cast,[m,f,\"abc\"]}", DOOR_SPAWN, "f", 3);
	check_asked("{erlang,apply,[m,f,[]]}", DOOR_SPAWN, "f", 0);
	check_asked("{erlang,apply,[fun m:g/1,[x]]}", DOOR_SPAWN, "g", 1);
	check_asked("{erpc,execute_call,[res,erlang,apply,[erlang,apply,[m,f,[x,y]]]]}",
		    DOOR_ERPC, "f", 2);
	check_refused("{erpc,execute_call,[res,erlang,apply,[m,f,x]]}", -EINVAL);
	check_refused("{m,f,x}", -EINVAL);
	check_refused("{m,f,[a|b]}", -EINVAL);
	check_refused("{1,f,[]}", -EINVAL);
	check_refused("{erlang,apply,[1,[]]}", -EINVAL);
	for (i = 0; i < 1024; i++)
		strcat(many, i ? ",a" : "a");
	strcat(many, "]}");
	check_refused(many, -E2BIG);
	check_fun();
	check_applies();
}

static void check_ending(enum door door, enum erldist_end how, bool with_args, const char *want)
{
	struct erldist_term t = ERLDIST_TERM_INIT, mark = ERLDIST_TERM_INIT;
	struct erldist_term request = ERLDIST_TERM_INIT;
	struct ending e = { .how = how, .with_args = with_args };
	char *text = NULL;
	struct asked a;

	ask(&request, &a, "{m,f,[1,x]}");
	a.door = door;
	a.mark = parsed(&mark, "res");
	e.value = ed_slice("w\1v", 3);
	ok(!ed_put_ending(&t, &a, &e) && erldist_print(&text, t.term, t.len, 0) > 0 &&
	   !strcmp(text, want), "%s is %s", text ? text : "?", want);
	free(text);
	erldist_term_free(&t);
	erldist_term_free(&mark);
	erldist_term_free(&request);
}

static void check_all_endings(void)
{
	check_ending(DOOR_SPAWN, ERLDIST_END_RETURN, false, "normal");
	check_ending(DOOR_SPAWN, ERLDIST_END_THROW, false, "{{nocatch,v},[{m,f,2,[]}]}");
	check_ending(DOOR_SPAWN, ERLDIST_END_EXIT, false, "v");
	check_ending(DOOR_SPAWN, ERLDIST_END_ERROR, true, "{v,[{m,f,[1,x],[]}]}");
	check_ending(DOOR_ERPC, ERLDIST_END_RETURN, false, "{res,return,v}");
	check_ending(DOOR_ERPC, ERLDIST_END_THROW, false, "{res,throw,v}");
	check_ending(DOOR_ERPC, ERLDIST_END_EXIT, false, "{res,exit,v}");
	check_ending(DOOR_ERPC, ERLDIST_END_ERROR, false, "{res,error,v,[{m,f,2,[]}]}");
	check_ending(DOOR_CALL, ERLDIST_END_RETURN, false, "v");
	check_ending(DOOR_PLAIN, ERLDIST_END_THROW, false, "v");
	check_ending(DOOR_PLAIN, ERLDIST_END_EXIT, false, "{badrpc,{'EXIT',v}}");
	check_ending(DOOR_CALL, ERLDIST_END_ERROR, true,
		     "{badrpc,{'EXIT',{v,[{m,f,[1,x],[]}]}}}");
}

/* A peer without room for anything, or one with */
static struct {
	bool full;
	unsigned int sent, tried, waited;
} peer;

ssize_t sendmsg(int fd, const struct msghdr *mh, int flags)
{
	(void)fd;
	(void)mh;
	peer.tried++;
	peer.waited += !(flags & MSG_DONTWAIT);
	if (!peer.full)
		peer.sent++;
	else
		errno = EAGAIN;
	return peer.full ? -1 : 0;
}

/* A spawn request of f:m/0 with options that are none */
static void spawn_badopt(struct erldist_server *s)
{
	struct erldist_term ref = ERLDIST_TERM_INIT;
	erlang_ref r = { .node = "b@host", .len = 3, .creation = 5 };
	struct erldist_msg m = ERLDIST_MSG_INIT;
	struct asked a = { .door = DOOR_SPAWN };
	struct erldist_slice slice;

	if (!erldist_format(&ref, "~r", &r)) {
		slice = ed_slice(ref.term, ref.len);
		ed_request_start(s, &m, &a, &slice, -EBADR);
	}
	erldist_term_free(&ref);
}

static void check_answers(void)
{
	struct erldist p = { .fd = eventfd(0, EFD_CLOEXEC), .family = 45 };
	struct erldist_server s = { .epfd = epoll_create1(EPOLL_CLOEXEC), .p = &p, .timer = -1,
				    .waiting_max = 1024 };
	struct pollfd pfd = { .fd = s.epfd, .events = POLLIN };
	unsigned int i;

	ok(!ed_answers_open(&s), "a server");
	spawn_badopt(&s);
	ok(peer.sent == 1 && !peer.waited && !s.answers, "an answer is sent at once");
	peer.full = true;
	spawn_badopt(&s);
	spawn_badopt(&s);
	ok(peer.tried == 3 && !peer.waited && s.answers_n == 2, "without room it is not waited for");
	ok(poll(&pfd, 1, 2000) == 1 && !erldist_server_dispatch(&s) && peer.tried == 5 &&
	   s.answers_n == 2, "but tried again");
	peer.full = false;
	ok(poll(&pfd, 1, 2000) == 1 && !erldist_server_dispatch(&s) && peer.sent == 3 &&
	   !s.answers, "until there is");
	ok(!poll(&pfd, 1, 200), "and not any more");
	peer.full = true;
	for (i = 0; i < 1100; i++)
		spawn_badopt(&s);
	ok(s.answers_n == 1024, "%u are kept of 1100", s.answers_n);
	ed_answers_close(&s);
	ok(!s.answers_n && !s.answers, "which go with the server");
	close(s.epfd);
	close(p.fd);
}

/* As serve_run.c makes it, of a socket */
static struct request *request(struct erldist_server *s, int fd)
{
	struct request *rq = calloc(1, sizeof(*rq));
	struct erldist *p = calloc(1, sizeof(*p));

	if (!rq || !p)
		exit(1);
	p->fd = fd;
	rq->server = s;
	rq->open.process = p;
	rq->next = s->requests;
	rq->link = &s->requests;
	if (rq->next)
		rq->next->link = &rq->next;
	s->requests = rq;
	return rq;
}

static void check_replies(void)
{
	struct erldist_server s = {
		.epfd = epoll_create1(EPOLL_CLOEXEC), .timer = -1, .waiting_max = 1024,
	};
	struct request *rq, *first = NULL;
	unsigned int i, n = 0;
	bool lost = true;

	for (i = 0; i < 1025; i++) {
		rq = request(&s, -1);
		first = i ? first : rq;
		rq->ended = true;
		ed_put(&rq->out, "j", 1);
		ed_request_finish(rq);
	}
	for (rq = s.requests; rq; rq = rq->next, n++)
		lost = lost && rq != first;
	ok(n == 1024 && s.waiting == 1024 && lost, "of 1025 replies that wait the oldest is lost");
	while (s.requests)
		ed_request_free(s.requests);
	ok(!s.waiting, "none waits any more");
	close(s.epfd);
}

/* A reply that waits, with so much memory */
static void keep_reply(struct erldist_server *s, size_t bytes)
{
	struct request *rq = request(s, -1);

	rq->ended = true;
	if (ed_reserve(&rq->out, bytes))
		exit(1);
	rq->out.len = bytes;
	ed_request_finish(rq);
}

static void check_large_replies(void)
{
	struct erldist_server s = {
		.epfd = epoll_create1(EPOLL_CLOEXEC), .timer = -1, .waiting_max = 1024,
	};
	unsigned int i;

	for (i = 0; i < 100; i++)
		keep_reply(&s, 1 << 20);
	ok(s.waiting == 8 && s.waiting_held == 8 << 20, "of 100 MiB of replies %zu are kept",
	   s.waiting_held);
	keep_reply(&s, 100 << 20);
	ok(s.waiting == 1, "one that is larger is kept alone");
	while (s.requests)
		ed_request_free(s.requests);
	ok(!s.waiting_held, "none waits any more");
	close(s.epfd);
}

/* Answers that begin something hold what came with the request */
static void check_large_answers(void)
{
	struct erldist p = { .fd = eventfd(0, EFD_CLOEXEC), .family = 45 };
	struct erldist_server s = {
		.epfd = epoll_create1(EPOLL_CLOEXEC), .p = &p, .timer = -1, .waiting_max = 1024,
	};
	struct erldist_slice word = ed_slice("w\1v", 3);
	struct request *rq;
	unsigned int i;

	if (ed_answers_open(&s))
		ok(false, "a server");
	peer.full = true;
	for (i = 0; i < 100; i++) {
		rq = request(&s, -1);
		rq->m.size = 1 << 20;
		ed_answer(&s, &word, &word, rq);
	}
	ok(s.answers_n == 8 && s.answers_held == 8 << 20, "of 100 MiB of requests %zu are kept",
	   s.answers_held);
	peer.full = false;
	ed_answers_close(&s);
	ok(!s.answers_held && !s.requests, "which go with the server");
	close(s.epfd);
	close(p.fd);
}

static void check_descriptors(void)
{
	struct rlimit limit, few = { .rlim_cur = 640 };

	getrlimit(RLIMIT_NOFILE, &limit);
	few.rlim_max = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &few);
	ok(ed_descriptors(16, 16, 1024) == 40, "a part of the descriptors");
	ok(ed_descriptors(16, 16, 30) == 30 && ed_descriptors(64, 16, 30) == 16, "within bounds");
	setrlimit(RLIMIT_NOFILE, &limit);
}

static void check_talk(void)
{
	struct erldist_server s = { .epfd = epoll_create1(EPOLL_CLOEXEC), .timer = -1 };
	struct request *rq;
	int fds[2], i, left = 0;
	char byte;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds))
		exit(1);
	for (i = 0; i < 100; i++)
		if (send(fds[1], "j", 1, MSG_DONTWAIT) != 1)
			ok(false, "send: %s", strerror(errno));
	rq = request(&s, fds[0]);
	ed_request_ready(rq);
	while (recv(fds[0], &byte, 1, MSG_DONTWAIT) == 1)
		left++;
	ok(!rq->cancelled && left > 0 && left < 100, "%d of 100 messages are left for later", left);
	ed_request_free(rq);
	close(fds[1]);
	close(s.epfd);
}

int main(void)
{
	check_all_options();
	check_all_asked();
	check_all_endings();
	check_answers();
	check_replies();
	check_large_replies();
	check_large_answers();
	check_descriptors();
	check_talk();
	return tap_end();
}
