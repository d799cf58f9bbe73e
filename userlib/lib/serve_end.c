// SPDX-License-Identifier: LGPL-2.1-or-later
/* The end of a function, as each of those who ask expects it. */
#include <ctype.h>
#include <string.h>
#include <sys/socket.h>

#include "serve.h"

static int put_tuple(struct erldist_term *t, uint8_t arity)
{
	const uint8_t head[] = { ERL_SMALL_TUPLE_EXT, arity };

	return ed_put(t, head, sizeof(head));
}

static int put_word(struct erldist_term *t, const char *word)
{
	return ed_put_atom(t, word, strlen(word));
}

static int put_slice(struct erldist_term *t, const struct erldist_slice *s)
{
	return ed_put(t, s->term, s->len);
}

/* [{M, F, Arity or Args, []}], or that of apply/3 where there is no such function */
static int put_stack(struct erldist_term *t, const struct asked *a, bool with_args)
{
	static const uint8_t one[] = { ERL_LIST_EXT, 0, 0, 0, 1 };
	static const uint8_t end[] = { ERL_NIL_EXT, ERL_NIL_EXT };
	int err = ed_put(t, one, sizeof(one));

	if (!err)
		err = put_tuple(t, 4);
	if (!err)
		err = put_slice(t, &a->module);
	if (!err)
		err = put_slice(t, &a->function);
	if (!err && with_args)
		err = put_slice(t, &a->args);
	else if (!err)
		err = ed_put_int(t, (long long)a->arity);
	return err ? err : ed_put(t, end, sizeof(end));
}

/* {Reason, Stack} */
static int put_crash(struct erldist_term *t, const struct asked *a, const struct ending *e)
{
	int err = put_tuple(t, 2);

	if (!err && e->how == ERLDIST_END_THROW) {
		err = put_tuple(t, 2);
		if (!err)
			err = put_word(t, "nocatch");
	}
	if (!err)
		err = put_slice(t, &e->value);
	return err ? err : put_stack(t, a, e->with_args);
}

/* What a process ends with */
static int put_exit(struct erldist_term *t, const struct asked *a, const struct ending *e)
{
	if (e->how == ERLDIST_END_RETURN)
		return put_word(t, "normal");
	if (e->how == ERLDIST_END_EXIT)
		return put_slice(t, &e->value);
	return put_crash(t, a, e);
}

/* {Res, error, {erpc, Reason}} */
static int put_erpc_error(struct erldist_term *t, const struct ending *e)
{
	int err = put_tuple(t, 2);

	if (!err)
		err = put_word(t, "erpc");
	return err ? err : put_slice(t, &e->value);
}

/* {Res, Class, Value}, {Res, error, Reason, Stack} */
static int put_erpc(struct erldist_term *t, const struct asked *a, const struct ending *e)
{
	static const char *const classes[] = {
		[ERLDIST_END_RETURN] = "return", [ERLDIST_END_THROW] = "throw",
		[ERLDIST_END_EXIT] = "exit", [ERLDIST_END_ERROR] = "error",
	};
	bool stack = e->how == ERLDIST_END_ERROR && !e->of_call;
	int err = put_tuple(t, stack ? 4 : 3);

	if (!err)
		err = put_slice(t, &a->mark);
	if (!err)
		err = put_word(t, classes[e->how]);
	if (!err && e->of_call)
		return put_erpc_error(t, e);
	if (!err)
		err = put_slice(t, &e->value);
	return err || !stack ? err : put_stack(t, a, e->with_args);
}

/* A value, or {badrpc, {'EXIT', Reason}} */
static int put_rpc(struct erldist_term *t, const struct asked *a, const struct ending *e)
{
	int err;

	if (e->how == ERLDIST_END_RETURN || e->how == ERLDIST_END_THROW)
		return put_slice(t, &e->value);
	err = put_tuple(t, 2);
	if (!err)
		err = put_word(t, "badrpc");
	if (!err)
		err = put_tuple(t, 2);
	if (!err)
		err = put_word(t, "EXIT");
	if (err)
		return err;
	return e->of_call || e->how == ERLDIST_END_EXIT ? put_slice(t, &e->value) :
							 put_crash(t, a, e);
}

/* The term that tells it: an exit reason, or a reply */
int ed_put_ending(struct erldist_term *t, const struct asked *a, const struct ending *e)
{
	t->len = 0;
	switch (a->door) {
	case DOOR_ERPC:
		return put_erpc(t, a, e);
	case DOOR_CALL:
	case DOOR_PLAIN:
		return put_rpc(t, a, e);
	default:
		return put_exit(t, a, e);
	}
}

/* {Tag, Result} to the alias or the pid, {rex, Result} to the pid */
static int send_reply(struct request *rq)
{
	static const char pair[] = { ERL_SMALL_TUPLE_EXT, 2 };
	static const char rex[] = { ERL_SMALL_ATOM_UTF8_EXT, 3, 'r', 'e', 'x' };
	struct erldist_slice pieces[] = {
		{ pair, sizeof(pair) }, { rex, sizeof(rex) }, { rq->out.term, rq->out.len },
	};
	struct ed_out out = {
		.fd = rq->open.process->fd, .flags = MSG_DONTWAIT, .dest = rq->m.caller,
		.pieces = pieces, .n = 3,
		.signal = { .op = ERLDIST_SIG_MESSAGE, .flags = ERLDIST_SIG_F_NOCONNECT },
	};
	int err;

	if (rq->asked.door == DOOR_CALL) {
		ed_alias_of(&rq->m.tag, &out.dest);
		pieces[1] = rq->m.tag;
	}
	do {
		err = ed_send(rq->open.process, &out);
		/* an exit signal ended it: that is told all the same */
		if (err == -EPIPE && out.fd != rq->server->p->fd) {
			out.fd = rq->server->p->fd;
			err = -EINTR;
		}
	} while (err == -EINTR);
	/* who asked is gone */
	return err == -EHOSTUNREACH ? 0 : err;
}

/*
 * Sends what is in rq->out. -EAGAIN: there is no room yet, it stays. A process
 * that has ended already, by an exit signal, has told so.
 */
int ed_request_send(struct request *rq)
{
	int err;

	if (rq->asked.door == DOOR_CALL || rq->asked.door == DOOR_PLAIN) {
		err = send_reply(rq);
	} else {
		do {
			err = erldist_exit(rq->open.process, NULL, rq->out.term, rq->out.len);
		} while (err == -EINTR);
	}
	if (err != -EAGAIN)
		erldist_term_free(&rq->out);
	return err == -EPIPE ? 0 : err;
}

static int tell(struct request *rq, const struct ending *e)
{
	int err = ed_put_ending(&rq->out, &rq->asked, e);

	return err ? err : ed_request_send(rq);
}

static const char *failure(int err)
{
	switch (err) {
	case -EINVAL:
	case -ENOMSG:
	case -ERANGE:
	case -EBADMSG:
		return "badarg";
	case -E2BIG:
	case -ENOMEM:
	case -EMSGSIZE:
		return "system_limit";
	case -EOPNOTSUPP:
		return "notsup";
	default:
		return NULL;
	}
}

/* An errno as file:open/2 and the like have it: enoent */
static int put_errno(struct erldist_term *t, int err)
{
	const char *name = failure(err);
	char word[32];
	size_t i;

	if (!name)
		name = strerrorname_np(-err);
	for (i = 0; name && name[i] && i < sizeof(word) - 1; i++)
		word[i] = (char)tolower((unsigned char)name[i]);
	word[name ? i : 0] = 0;
	t->len = 0;
	return name ? put_word(t, word) : ed_put_int(t, err);
}

/* Tells how it ended, whatever is wrong with what it ended with. 0, or what was wrong */
int ed_request_end(struct request *rq, const struct ending *e)
{
	struct erldist_term reason = ERLDIST_TERM_INIT;
	struct ending instead = { .how = ERLDIST_END_ERROR };
	int err;

	rq->ended = true;
	err = tell(rq, e);
	if (!err || err == -EAGAIN)
		return 0;
	if (!put_errno(&reason, err)) {
		instead.value = ed_slice(reason.term, reason.len);
		tell(rq, &instead);
	}
	erldist_term_free(&reason);
	return err;
}

static int end_with(struct request *rq, struct ending *e, int err)
{
	struct erldist_term reason = ERLDIST_TERM_INIT;

	if (err)
		err = put_errno(&reason, err);
	else
		err = put_word(&reason, "undef");
	e->how = ERLDIST_END_ERROR;
	e->value = ed_slice(reason.term, reason.len);
	if (!err)
		err = ed_request_end(rq, e);
	erldist_term_free(&reason);
	rq->ended = true;
	return err;
}

/* A function that gave an errno: an error, with the arguments if they are to blame */
int ed_request_fail(struct request *rq, int err)
{
	const char *name = failure(err);
	struct ending e = { .with_args = name && !strcmp(name, "badarg"),
			    .of_call = err == -E2BIG };

	return end_with(rq, &e, err);
}

int ed_request_undef(struct request *rq)
{
	struct ending e = { .with_args = true };

	return end_with(rq, &e, 0);
}

int erldist_request_end(struct erldist_request *open, enum erldist_end how, const void *term,
			size_t len)
{
	struct request *rq = (struct request *)open;
	struct ending e = { .how = how, .value = ed_slice(term, len) };
	int err;

	if (rq->ended)
		return -EALREADY;
	err = ed_request_end(rq, &e);
	ed_request_finish(rq);
	return err;
}

int erldist_request_endf(struct erldist_request *open, enum erldist_end how, const char *fmt, ...)
{
	struct erldist_term t = ERLDIST_TERM_INIT;
	struct request *rq = (struct request *)open;
	va_list args;
	int err;

	va_start(args, fmt);
	err = ed_vformat(&t, fmt, args);
	va_end(args);
	if (!err) {
		err = erldist_request_end(open, how, t.term, t.len);
	} else if (!rq->ended) {
		ed_request_fail(rq, err);
		ed_request_finish(rq);
	}
	erldist_term_free(&t);
	return err;
}
