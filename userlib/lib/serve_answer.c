// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Answers to spawn requests. One for which its peer has no room is kept and tried
 * again: the socket's EPOLLOUT would tell of one peer only. Nobody is waited for.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "serve.h"

#define AGAIN_MS	50

struct answer {
	struct answer *next;		/* a younger one */
	struct request *rq;		/* what begins once it is sent; NULL: it refuses */
	size_t held;			/* memory of that */
	struct erldist_term ref;
	struct erldist_term what;
};

/* The link and the monitor that were asked for hold from then on */
static int send_answer(struct erldist_server *s, const struct erldist_slice *ref,
		       const struct erldist_slice *what)
{
	const struct ed_out out = {
		.fd = s->p->fd, .flags = MSG_DONTWAIT, .dest = *ref, .pieces = what, .n = 1,
		.signal = { .op = ERLDIST_SIG_SPAWN_ANSWER, .flags = ERLDIST_SIG_F_CANCEL },
	};
	int err;

	do {
		err = ed_send(s->p, &out);
	} while (err == -EINTR);
	return err;
}

/* Takes it off the list */
static void answer_free(struct erldist_server *s, struct answer **at)
{
	struct answer *a = *at;

	*at = a->next;
	s->answers_n--;
	s->answers_held -= a->held;
	erldist_term_free(&a->ref);
	erldist_term_free(&a->what);
	free(a);
}

static void arm(struct erldist_server *s)
{
	const struct itimerspec when = {
		.it_value.tv_nsec = s->answers ? AGAIN_MS * 1000000 : 0,
	};

	timerfd_settime(s->timer, 0, &when, NULL);
}

/* It never was: whoever asked hears nothing, or has not waited */
static void give_up(struct erldist_server *s, struct answer **at)
{
	struct request *rq = (*at)->rq;

	answer_free(s, at);
	if (rq)
		ed_request_free(rq);
}

static int keep(struct erldist_server *s, const struct erldist_slice *ref,
		const struct erldist_slice *what, struct request *rq)
{
	size_t held = rq ? rq->m.size : 0;
	struct answer *a, **at;

	while (s->answers && (s->answers_n >= s->waiting_max ||
			      s->answers_held + held > ED_WAITING_BYTES))
		give_up(s, &s->answers);
	a = calloc(1, sizeof(*a));
	if (!a)
		return -ENOMEM;
	a->rq = rq;
	a->held = held;
	s->answers_held += held;
	for (at = &s->answers; *at; at = &(*at)->next)
		;
	*at = a;
	if (!s->answers_n++)
		arm(s);
	if (!ed_put(&a->ref, ref->term, ref->len) && !ed_put(&a->what, what->term, what->len))
		return -EAGAIN;
	answer_free(s, at);
	return -ENOMEM;
}

/*
 * Answers the spawn request ref. rq: what is to begin with it, or NULL. 0: it is
 * sent; -EAGAIN: it will be, and rq begins then, or is freed.
 */
int ed_answer(struct erldist_server *s, const struct erldist_slice *ref,
	      const struct erldist_slice *what, struct request *rq)
{
	int err = send_answer(s, ref, what);

	return err == -EAGAIN ? keep(s, ref, what, rq) : err;
}

/* 1: it is done with, 0: it waits on */
static int try_again(struct erldist_server *s, struct answer **at)
{
	const struct erldist_slice ref = ed_slice((*at)->ref.term, (*at)->ref.len);
	const struct erldist_slice what = ed_slice((*at)->what.term, (*at)->what.len);
	struct request *rq = (*at)->rq;
	int err = send_answer(s, &ref, &what);

	if (err == -EAGAIN)
		return 0;
	if (err) {
		give_up(s, at);
		return 1;
	}
	answer_free(s, at);
	if (rq)
		ed_request_begin(rq);
	return 1;
}

/*
 * What begins may end others, but adds no answer: those of this server come from
 * what is read only.
 */
void ed_answers_again(struct erldist_server *s)
{
	struct answer **at = &s->answers;
	uint64_t n;

	if (read(s->timer, &n, sizeof(n)) < 0)
		return;
	while (*at)
		if (!try_again(s, at))
			at = &(*at)->next;
	arm(s);
}

int ed_answers_open(struct erldist_server *s)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = &s->timer };

	s->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	return s->timer < 0 || epoll_ctl(s->epfd, EPOLL_CTL_ADD, s->timer, &ev) ? -errno : 0;
}

void ed_answers_close(struct erldist_server *s)
{
	while (s->answers)
		give_up(s, &s->answers);
	if (s->timer >= 0)
		close(s->timer);
	s->timer = -1;
}
