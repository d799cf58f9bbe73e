// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Functions served: a process that is rex and takes the node's spawn requests. It
 * never waits for anybody; a function that does keeps its request.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "serve.h"

#define TURNS_MAX	256	/* of one dispatch */

static void on_spawn(struct erldist_server *s, struct erldist_msg *m)
{
	struct asked a = { .door = DOOR_SPAWN };
	struct erldist_slice ref, options;
	int why;

	if (erldist_match(m->raw.term, m->raw.len,
			  "{spawn_request,~t,~t,_,{~t,~t,_},~t,~t}", &ref, &m->caller, &a.module,
			  &a.function, &options, &a.args))
		return;
	if (ed_spawn_options_ok(&options))
		why = ed_asked_spawn(&a);
	else
		why = -EBADR;
	ed_request_start(s, m, &a, &ref, why);
}

/* What has come to rex: one message of it. -EAGAIN: nothing */
static int take(struct erldist_server *s)
{
	struct erldist_msg m = ERLDIST_MSG_INIT;
	ssize_t n;
	int op;

	n = ed_recv_signal(s->p->fd, &m, MSG_DONTWAIT, &op);
	if (n >= 0 && op == ERLDIST_SIG_SPAWN_REQUEST)
		on_spawn(s, &m);
	else if (n >= 0 && op == ERLDIST_SIG_MESSAGE)
		ed_serve_rex(s, &m);
	erldist_msg_free(&m);
	return n < 0 ? (int)n : 0;
}

static int failed(struct erldist_server *s, int err)
{
	return ed_fail(&s->error, err, "%s", erldist_strerror(s->p, err));
}

/*
 * One event a turn: what it does may end other requests, of which an event taken
 * together with it would still speak.
 */
static int turn(struct erldist_server *s)
{
	struct epoll_event ev;
	int n, err;

	n = epoll_wait(s->epfd, &ev, 1, 0);
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	if (n && ev.data.ptr == &s->timer) {
		ed_answers_again(s);
	} else if (n && ev.data.ptr) {
		ed_request_ready(ev.data.ptr);
	} else if (n) {
		err = take(s);
		if (err && err != -EAGAIN && err != -EINTR && err != -ENOMEM)
			return failed(s, ed_recv_failed(s->p, err));
	}
	return n;
}

int erldist_server_dispatch(struct erldist_server *s)
{
	int i, n = 1;

	if (!s->p || s->p->fd < 0)
		return -EBADF;
	for (i = 0; n > 0 && i < TURNS_MAX; i++)
		n = turn(s);
	return n < 0 ? n : 0;
}

static int be_spawn_server(struct erldist_server *s)
{
	const uint32_t on = 1;

	if (!setsockopt(s->p->fd, SOL_ERLDIST, ERLDIST_SPAWN_SERVER, &on, sizeof(on)))
		return 0;
	if (errno == EADDRINUSE)
		return ed_fail(&s->error, -EADDRINUSE, "another program takes the spawn requests "
			       "of %s", s->p->node);
	return ed_fail(&s->error, -errno, "spawn requests: %s", ed_errno_text(errno));
}

static int open_loop(struct erldist_server *s)
{
	struct epoll_event ev = { .events = EPOLLIN };

	s->epfd = epoll_create1(EPOLL_CLOEXEC);
	if (s->epfd < 0 || epoll_ctl(s->epfd, EPOLL_CTL_ADD, s->p->fd, &ev) || ed_answers_open(s))
		return ed_fail(&s->error, -errno, "epoll: %s", ed_errno_text(errno));
	return 0;
}

static int start(struct erldist_server *s, const char *node, unsigned int flags)
{
	int err = erldist_open(&s->p, "rex", node, flags);

	if (!err)
		err = erldist_trap_exit(s->p, 1);
	if (err)
		return s->p ? failed(s, err) : err;
	err = erldist_observer_open(&s->observer, 0);
	if (err)
		return ed_fail(&s->error, err, "%s", erldist_strerror(s->observer, err));
	err = open_loop(s);
	return err ? err : be_spawn_server(s);
}

int erldist_server_open(struct erldist_server **sp, const char *node, unsigned int flags,
			const struct erldist_function *functions, unsigned int n)
{
	struct erldist_server *s = calloc(1, sizeof(*s));

	*sp = s;
	if (!s)
		return -ENOMEM;
	s->epfd = -1;
	s->timer = -1;
	s->waiting_max = ed_descriptors(16, 16, 1024);
	s->functions = functions;
	s->n = n;
	if (flags & ~ERLDIST_OPEN_WAIT)
		return ed_fail(&s->error, -EINVAL, "a server has no flags but "
			       "ERLDIST_OPEN_WAIT: callers could not reach a private node");
	return start(s, node, flags);
}

/* Whoever waits hears that the server was shut down */
static void end_all(struct erldist_server *s)
{
	static const char word[] = { ERL_SMALL_ATOM_UTF8_EXT, 8, 's', 'h', 'u', 't', 'd', 'o',
				     'w', 'n' };
	const struct ending e = { .how = ERLDIST_END_EXIT, .value = { word, sizeof(word) } };
	struct request *rq;

	while ((rq = s->requests)) {
		rq->running = true;
		if (!rq->ended && !rq->cancelled && rq->open.cancel) {
			rq->cancelled = true;
			rq->open.cancel(&rq->open);
		}
		if (!rq->ended)
			ed_request_end(rq, &e);
		ed_request_free(rq);
	}
}

void erldist_server_close(struct erldist_server *s)
{
	if (!s)
		return;
	ed_answers_close(s);
	end_all(s);
	erldist_close(s->p);
	erldist_observer_close(s->observer);
	if (s->epfd >= 0)
		close(s->epfd);
	free(s);
}

int erldist_server_fd(const struct erldist_server *s)
{
	return s->epfd >= 0 ? s->epfd : -EBADF;
}
