// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The process rex: rpc of OTP before 23, of erl_call and of other C nodes
 * (lib/kernel/src/rpc.erl). What it does not know it ignores, as rex does.
 */
#include <string.h>
#include <sys/socket.h>

#include "serve.h"

static void send_term(struct erldist_server *s, const erlang_pid *to, struct erldist_term *t)
{
	struct erldist_term pid = ERLDIST_TERM_INIT;
	struct erldist_slice piece = { t->term, t->len };
	struct ed_out out = {
		.fd = s->p->fd, .flags = MSG_DONTWAIT, .pieces = &piece, .n = 1,
		.signal = { .op = ERLDIST_SIG_MESSAGE, .flags = ERLDIST_SIG_F_NOCONNECT },
	};

	if (!ed_put_pid(&pid, to)) {
		out.dest = ed_slice(pid.term, pid.len);
		ed_send(s->p, &out);
	}
	erldist_term_free(&pid);
}

/* What a visible node asks for when it comes */
static void features(struct erldist_server *s, const erlang_pid *to)
{
	struct erldist_term t = ERLDIST_TERM_INIT;

	if (!erldist_format(&t, "{features_reply,~a,[erpc]}", s->p->node))
		send_term(s, to, &t);
	erldist_term_free(&t);
}

/* rpc:sbcast/3: a message to a name, and whether there is anybody */
static void sbcast(struct erldist_server *s, const erlang_pid *to, const char *name,
		   const struct erldist_slice *message)
{
	struct erldist_term pid = ERLDIST_TERM_INIT, t = ERLDIST_TERM_INIT;
	struct ed_out out = { .fd = s->p->fd, .flags = MSG_DONTWAIT, .pieces = message, .n = 1 };
	int err = ed_serve_whereis(s, name, &pid);

	if (!err) {
		out.dest = ed_slice(pid.term, pid.len);
		ed_send(s->p, &out);
		err = erldist_format(&t, "{rex,~a,~a}", s->p->node, s->p->node);
	} else {
		err = erldist_format(&t, "{rex,~a,{nonexisting_name,~a}}", s->p->node, name);
	}
	if (!err)
		send_term(s, to, &t);
	erldist_term_free(&pid);
	erldist_term_free(&t);
}

static void start(struct erldist_server *s, struct erldist_msg *m, struct asked *a)
{
	ed_request_start(s, m, a, NULL, ed_asked_resolve(a));
}

static bool is_call(const struct erldist_msg *m, struct asked *a)
{
	return !erldist_match(m->term, m->len, "{call,~t,~t,~t,_}", &a->module, &a->function,
			      &a->args) ||
	       !erldist_match(m->term, m->len, "{block_call,~t,~t,~t,_}", &a->module,
			      &a->function, &a->args);
}

static void plain(struct erldist_server *s, struct erldist_msg *m)
{
	struct asked a = { .door = DOOR_PLAIN };
	char name[ERLDIST_ATOM_SIZE];
	struct erldist_slice body;
	erlang_pid from;

	if (erldist_match(m->term, m->len, "{~t,~t}", &m->caller, &body) ||
	    erldist_match(m->caller.term, m->caller.len, "~p", &from))
		return;
	if (!erldist_match(body.term, body.len, "{call,~t,~t,~t,_}", &a.module, &a.function,
			   &a.args))
		start(s, m, &a);
	else if (!erldist_match(body.term, body.len, "features_request"))
		features(s, &from);
	else if (!erldist_match(body.term, body.len, "{sbcast,~a,~t}", name, sizeof(name), &body))
		sbcast(s, &from, name, &body);
}

void ed_serve_rex(struct erldist_server *s, struct erldist_msg *m)
{
	struct asked a = { .door = DOOR_CALL };

	switch (m->type) {
	case ERLDIST_CALL:
		if (is_call(m, &a))
			start(s, m, &a);
		break;
	case ERLDIST_CAST:
		a.door = DOOR_CAST;
		if (!erldist_match(m->term, m->len, "{cast,~t,~t,~t,_}", &a.module, &a.function,
				   &a.args))
			start(s, m, &a);
		break;
	case ERLDIST_MESSAGE:
		plain(s, m);
		break;
	default:
		break;
	}
}
