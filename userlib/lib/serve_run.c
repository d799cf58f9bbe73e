// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Requests: each is a process, from its begin to the end of its function. One
 * that is ended is freed by whoever sees that first, unless a function of it runs
 * or its reply waits for room.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "serve.h"

#define SIGNALS_MAX	16	/* that are read of one process at a time */

static struct request *request_new(struct erldist_server *s, struct erldist_msg *m,
				   const struct asked *a)
{
	struct request *rq = calloc(1, sizeof(*rq));

	if (!rq || ed_open_alone(&rq->open.process, s->p)) {
		if (rq)
			erldist_close(rq->open.process);
		free(rq);
		return NULL;
	}
	rq->server = s;
	rq->asked = *a;
	rq->m = *m;
	memset(m, 0, sizeof(*m));
	rq->next = s->requests;
	rq->link = &s->requests;
	if (rq->next)
		rq->next->link = &rq->next;
	s->requests = rq;
	return rq;
}

static void unwatch(struct request *rq)
{
	if (rq->watched)
		epoll_ctl(rq->server->epfd, EPOLL_CTL_DEL, rq->open.process->fd, NULL);
	rq->watched = false;
}

void ed_request_free(struct request *rq)
{
	*rq->link = rq->next;
	if (rq->next)
		rq->next->link = rq->link;
	unwatch(rq);
	rq->server->waiting -= rq->waiting;
	rq->server->waiting_held -= rq->held;
	erldist_close(rq->open.process);
	erldist_term_free(&rq->out);
	erldist_msg_free(&rq->m);
	free(rq);
}

static void watch(struct request *rq, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = rq };

	unwatch(rq);
	rq->watched = !epoll_ctl(rq->server->epfd, EPOLL_CTL_ADD, rq->open.process->fd, &ev);
}

static void give_up_oldest(struct erldist_server *s)
{
	struct request *rq, *oldest = NULL;

	for (rq = s->requests; rq; rq = rq->next)
		if (rq->waiting && (!oldest || rq->since <= oldest->since))
			oldest = rq;
	if (oldest)
		ed_request_free(oldest);
}

/* A peer that does not read what it asks for costs so many descriptors and so much memory */
static void wait_for_room(struct request *rq)
{
	struct erldist_server *s = rq->server;
	size_t held = rq->m.size + rq->out.len;

	if (!rq->waiting) {
		while (s->waiting && (s->waiting >= s->waiting_max ||
				      s->waiting_held + held > ED_WAITING_BYTES))
			give_up_oldest(s);
		rq->waiting = true;
		rq->since = ed_now();
		rq->held = held;
		s->waiting++;
		s->waiting_held += held;
	}
	watch(rq, EPOLLOUT);
}

/* After it the request may be gone */
void ed_request_finish(struct request *rq)
{
	if (rq->running)
		return;
	if (rq->ended && rq->out.len)
		wait_for_room(rq);
	else if (rq->ended)
		ed_request_free(rq);
	else if (!rq->watched && !rq->cancelled)
		watch(rq, EPOLLIN);
}

static const struct erldist_function *find(const struct request *rq)
{
	const struct erldist_function *f = rq->server->functions;
	unsigned int i;

	for (i = 0; i < rq->server->n; i++, f++)
		if ((f->arity == ERLDIST_ANY_ARITY || f->arity == (int)rq->asked.arity) &&
		    !strcmp(f->name, rq->function) && !strcmp(f->module, rq->module))
			return f;
	return ed_serve_info(rq->module, rq->function, rq->asked.arity);
}

static int copy_name(char name[ERLDIST_ATOM_SIZE], const struct erldist_slice *atom)
{
	return erldist_match(atom->term, atom->len, "~a", name, (size_t)ERLDIST_ATOM_SIZE);
}

static void run(struct request *rq)
{
	const struct erldist_function *f;
	int err = copy_name(rq->module, &rq->asked.module);

	if (!err)
		err = copy_name(rq->function, &rq->asked.function);
	f = err ? NULL : find(rq);
	if (!f) {
		ed_request_undef(rq);
		return;
	}
	rq->open.module = rq->module;
	rq->open.function = rq->function;
	rq->open.arity = rq->asked.arity;
	rq->open.args = rq->asked.args;
	err = f->run(&rq->open, f->data);
	if (err < 0 && !rq->ended)
		ed_request_fail(rq, err);
}

static void refuse_spawn(struct erldist_server *s, const struct erldist_slice *ref,
			 const char *why)
{
	struct erldist_term t = ERLDIST_TERM_INIT;
	struct erldist_slice answer;

	if (!ed_put_atom(&t, why, strlen(why))) {
		answer = ed_slice(t.term, t.len);
		ed_answer(s, ref, &answer, NULL);
	}
	erldist_term_free(&t);
}

static int accept_spawn(struct request *rq, const struct erldist_slice *ref)
{
	struct erldist_term t = ERLDIST_TERM_INIT;
	struct erldist_slice answer;
	int err = ed_put_pid(&t, &rq->open.process->self);

	if (!err) {
		answer = ed_slice(t.term, t.len);
		err = ed_answer(rq->server, ref, &answer, rq);
	}
	erldist_term_free(&t);
	return err;
}

/* Where no process is to be had, rex itself replies */
static void no_room(struct erldist_server *s, struct erldist_msg *m, const struct asked *a)
{
	static const char limit[] = { ERL_SMALL_ATOM_UTF8_EXT, 12, 's', 'y', 's', 't', 'e', 'm',
				      '_', 'l', 'i', 'm', 'i', 't' };
	const struct ending e = { .how = ERLDIST_END_EXIT, .value = { limit, sizeof(limit) } };
	struct request rq = { .server = s, .asked = *a, .m = *m, .open.process = s->p };

	if ((a->door == DOOR_CALL || a->door == DOOR_PLAIN) &&
	    !ed_put_ending(&rq.out, a, &e))
		ed_request_send(&rq);
	erldist_term_free(&rq.out);
}

/* After it the request may be gone */
void ed_request_begin(struct request *rq)
{
	rq->running = true;
	if (rq->why)
		ed_request_fail(rq, rq->why);
	else
		run(rq);
	rq->running = false;
	ed_request_finish(rq);
}

/*
 * Runs what is asked for, or tells why not, if why is an errno; -EBADR: its options.
 * spawn: the reference of a spawn request. The message is taken over.
 */
void ed_request_start(struct erldist_server *s, struct erldist_msg *m, const struct asked *a,
		      const struct erldist_slice *spawn, int why)
{
	struct request *rq;
	erlang_pid caller;
	int err = 0;

	if (spawn && (why == -EOPNOTSUPP || why == -EBADR)) {
		refuse_spawn(s, spawn, why == -EBADR ? "badopt" : "notsup");
		return;
	}
	caller = m->from;
	(void)erldist_match(m->caller.term, m->caller.len, "~p", &caller);
	rq = request_new(s, m, a);
	if (!rq && spawn)
		refuse_spawn(s, spawn, "system_limit");
	else if (!rq)
		no_room(s, m, a);
	if (!rq)
		return;
	rq->open.caller = caller;
	rq->why = why;
	if (spawn)
		err = accept_spawn(rq, spawn);
	if (!err)
		ed_request_begin(rq);
	else if (err != -EAGAIN)
		ed_request_free(rq);
}

/* After it the request may be gone */
void ed_request_cancel(struct request *rq)
{
	if (rq->cancelled || rq->ended)
		return;
	rq->cancelled = true;
	unwatch(rq);
	rq->running = true;
	if (rq->open.cancel)
		rq->open.cancel(&rq->open);
	rq->running = false;
	ed_request_finish(rq);
}

/* Something came to its process: that it is not wanted any more, or for nobody */
static void hear(struct request *rq)
{
	struct erldist_msg m = ERLDIST_MSG_INIT;
	ssize_t n = -EAGAIN;
	int op = ERLDIST_SIG_MESSAGE, i;

	/* whoever sends more and more to it is not all that there is to do */
	for (i = 0; i < SIGNALS_MAX && op != ERLDIST_SIG_SPAWN_CANCEL; i++) {
		n = ed_recv_signal(rq->open.process->fd, &m, MSG_DONTWAIT, &op);
		if (n < 0 && n != -EINTR)
			break;
	}
	erldist_msg_free(&m);
	if (op == ERLDIST_SIG_SPAWN_CANCEL || (n < 0 && n != -EAGAIN && n != -EINTR))
		ed_request_cancel(rq);
}

/* Its process has something, or has room now. After it the request may be gone. */
void ed_request_ready(struct request *rq)
{
	if (!rq->ended) {
		hear(rq);
		return;
	}
	if (ed_request_send(rq) != -EAGAIN)
		ed_request_free(rq);
}
