// SPDX-License-Identifier: LGPL-2.1-or-later
/* gen_server:call, from a process made for the call. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

static int left(int64_t deadline)
{
	int64_t ms = deadline < 0 ? -1 : deadline - ed_now();

	return deadline < 0 ? -1 : ms < 0 ? 0 : (int)ms;
}

/* The reply is {Ref, Reply}; what else may come to a fresh process is dropped */
static ssize_t wait_reply(struct erldist *p, const struct erldist_term *ref,
			  struct erldist_msg *m, int64_t deadline)
{
	struct erldist_slice tag, reply;
	ssize_t n;

	for (;;) {
		n = erldist_recv(p, m, left(deadline));
		if (n == -EAGAIN)
			n = ed_fail(&p->error, -ETIMEDOUT, "no reply in time");
		if (n < 0)
			return n;
		if (m->type != ERLDIST_MESSAGE ||
		    erldist_match(m->term, m->len, "{~t,~t}", &tag, &reply) ||
		    erldist_equal(tag.term, tag.len, ref->term, ref->len) != 1)
			continue;
		m->term = reply.term;
		m->len = reply.len;
		return (ssize_t)reply.len;
	}
}

static ssize_t call_from(struct erldist *p, const char *dest, const struct erldist_slice *request,
			 struct erldist_msg *m, int64_t deadline)
{
	struct erldist_term ref = ERLDIST_TERM_INIT, msg = ERLDIST_TERM_INIT;
	erlang_ref made;
	ssize_t n;

	n = erldist_connect(p, dest, left(deadline));
	if (!n)
		n = erldist_make_ref(p, &made);
	if (!n)
		n = ed_put_ref(&ref, &made);
	if (!n)
		n = erldist_format(&msg, "{'$gen_call',{~p,~r},~t}", &p->self, &made,
				   request->term, request->len);
	if (!n)
		n = erldist_send(p, NULL, msg.term, msg.len);
	if (!n)
		n = wait_reply(p, &ref, m, deadline);
	if (n == -ETIMEDOUT && p->error.err != -ETIMEDOUT)
		ed_fail(&p->error, -ETIMEDOUT, "%s: no reply in time", dest);
	erldist_term_free(&ref);
	erldist_term_free(&msg);
	return n;
}

ssize_t erldist_call(struct erldist *p, const char *dest, const void *term, size_t len,
		     struct erldist_msg *m, int timeout_ms)
{
	int64_t deadline = ed_deadline(timeout_ms);
	struct erldist_slice request = ed_slice(term, len);
	struct erldist *caller;
	ssize_t n;

	if (p->fd < 0)
		return -EBADF;
	caller = calloc(1, sizeof(*caller));
	if (!caller)
		return ed_fail(&p->error, -ENOMEM, "out of memory");
	n = ed_open_on(caller, p->family, NULL, p->node);
	if (!n)
		n = call_from(caller, dest, &request, m, deadline);
	if (n < 0)
		p->error = caller->error;
	erldist_close(caller);
	return n;
}
