// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * gen_server:call, and rpc by it. One sendmsg() monitors the server, makes an
 * alias for one reply and sends the request; one recvmsg() on a reply port gives
 * the reply or the DOWN, of which only one can come.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "internal.h"

#define LATE_MAX	64	/* messages among which a late reply is looked for */

struct call {
	struct erldist *p;
	const char *name;		/* of the destination, for messages */
	struct erldist_slice dest;
	struct erldist_slice request;
	struct erldist_msg *m;
	int timeout_ms;
	int64_t deadline;
	bool delayed;			/* the request had to wait for room */
	bool left;			/* something is still asked for */
	struct ed_port *port;
	uint64_t ref;
};

/* {'$gen_call',{Self,[alias|Ref]}, before the request */
int ed_put_call(struct erldist_term *t, const erlang_pid *self, const erlang_ref *alias)
{
	int err = erldist_format(t, "{'$gen_call',{~p,[alias|~r]},[]}", self, alias);

	if (!err)
		t->len--;	/* the empty list stood for the request */
	return err;
}

/* Where the way is full it is tried again, until the deadline */
static int send_request(struct call *c, const struct ed_out *out)
{
	int err;

	for (;;) {
		err = ed_send(c->p, out);
		if (err != -EAGAIN)
			return err;
		c->delayed = true;
		err = ed_wait(out->fd, POLLOUT, c->deadline);
		if (err)
			return err;
	}
}

static int request(struct call *c)
{
	const unsigned int flags = ERLDIST_SIG_F_MONITOR | ERLDIST_SIG_F_ALIAS |
				   ERLDIST_SIG_F_ONCE;
	struct erldist_term head = ERLDIST_TERM_INIT;
	struct erldist_slice pieces[2];
	const struct ed_out out = {
		.fd = c->port->fd, .flags = MSG_DONTWAIT, .dest = c->dest,
		.pieces = pieces, .n = 2,
		.signal = { .op = ERLDIST_SIG_MESSAGE, .flags = flags, .ref = c->ref },
	};
	erlang_ref alias;
	int err;

	ed_ref_make(c->p, c->ref, &alias);
	err = ed_put_call(&head, &c->p->self, &alias);
	if (!err) {
		pieces[0].term = head.term;
		pieces[0].len = head.len;
		pieces[1] = c->request;
		err = send_request(c, &out);
	}
	erldist_term_free(&head);
	return err;
}

/* What else comes to the port does not put the deadline off */
static ssize_t await(struct call *c)
{
	ssize_t n;
	int wait;

	do {
		wait = c->delayed ? ed_time_left(c->deadline) : c->timeout_ms;
		n = wait ? ed_port_wait(c->port, wait) : 0;
		if (!n)
			n = ed_recv(c->port->fd, c->m, wait ? 0 : MSG_DONTWAIT);
		if (n < 0 || c->m->ref == c->ref)
			return n == -EAGAIN ? -ETIMEDOUT : n;
		c->delayed = true;
	} while (wait);
	return -ETIMEDOUT;
}

/* After it nothing comes any more, but the reply may have come just before */
static ssize_t give_up(struct call *c, ssize_t why)
{
	const struct ed_out out = {
		.fd = c->port->fd, .flags = MSG_DONTWAIT,
		.signal = {
			.op = ERLDIST_SIG_DEMONITOR, .flags = ERLDIST_SIG_F_FLUSH,
			.ref = c->ref,
		},
	};
	ssize_t n = ed_send(c->p, &out);
	int i;

	c->left = n;
	for (i = 0; !n && i < LATE_MAX; i++) {
		n = ed_recv(c->port->fd, c->m, MSG_DONTWAIT);
		if (n >= 0 && c->m->ref == c->ref)
			return n;
		n = n < 0 ? n : 0;
	}
	/* the next call on the port must not find messages of this one */
	c->left = c->left || !n;
	return !n || n == -EAGAIN ? why : n;
}

/* The reply or DOWN once the request is out, and nothing left behind */
static ssize_t outcome(struct call *c)
{
	ssize_t n = await(c);

	if (n == -ETIMEDOUT || n == -EINTR)
		n = give_up(c, n);
	if (n < 0 && n != -ETIMEDOUT && n != -EINTR)
		ed_recv_failed(c->p, (int)n);
	return n;
}

static ssize_t talk(struct call *c)
{
	ssize_t n = request(c);
	bool sent = !n;

	if (sent)
		n = outcome(c);
	/* closing undoes whatever is still asked for */
	if (n >= 0 || (sent && !c->left && (n == -ETIMEDOUT || n == -EINTR)))
		ed_port_put(c->p, c->port);
	else
		ed_port_close(c->port);
	return n;
}

int ed_reason_errno(const struct erldist_slice *reason)
{
	struct ed_reader r;

	ed_reader_init(&r, reason->term, reason->len);
	if (ed_read_this_atom(&r, "noproc"))
		return -ESRCH;
	ed_reader_init(&r, reason->term, reason->len);
	if (ed_read_this_atom(&r, "noconnection"))
		return -EHOSTUNREACH;
	return -EREMOTEIO;
}

static int fail_with(struct erldist *p, int err, const char *name, const char *what,
		     const struct erldist_slice *reason)
{
	char *text = NULL;

	if (erldist_print(&text, reason->term, reason->len, ERLDIST_PRINT_STRINGS) < 0)
		text = NULL;
	ed_fail(&p->error, err, "%s: %s: %s", name, what, text ? text : "a reason that cannot be "
		"shown");
	free(text);
	return err;
}

/* The receiver does not exist. Only a local node's processes are known to be listed here. */
static int no_process(const struct call *c)
{
	char node[ED_NODE_SIZE];

	if (!ed_node_of(&c->dest, node) || !strcmp(node, c->p->node))
		return ed_fail(&c->p->error, -ESRCH, "%s: there is no such process on %s "
			       "(noproc); look at 'erldist process show'", c->name, c->p->node);
	return ed_fail(&c->p->error, -ESRCH, "%s: there is no such process on %s (noproc); "
		       "registered() there lists the names, or 'erldist process show' if it is "
		       "no BEAM", c->name, node);
}

/* There was no reply but the server's end: m has the reason */
static int down(const struct call *c)
{
	struct erldist_slice reason = { c->m->term, c->m->len };
	int err = ed_reason_errno(&reason);

	switch (err) {
	case -ESRCH:
		return no_process(c);
	case -EHOSTUNREACH:
		return ed_not_connected(c->p, c->name, &c->dest, err);
	default:
		return fail_with(c->p, err, c->name, "ended before it replied", &reason);
	}
}

static int timed_out(const struct call *c)
{
	ed_fail(&c->p->error, -ETIMEDOUT, "%s: no reply in %d ms", c->name, c->timeout_ms);
	ed_suspect_node_of(c->p, &c->dest);
	ed_suspect_within(c->timeout_ms);
	return -ETIMEDOUT;
}

/* {Tag, Reply}: it came to the alias in the tag, or to the pid with that tag */
static ssize_t take_reply(const struct call *c)
{
	struct erldist_slice reply;

	if (c->m->type != ERLDIST_MESSAGE ||
	    erldist_match(c->m->term, c->m->len, "{_,~t}", &reply))
		return ed_fail(&c->p->error, -EPROTO, "%s: what came is no reply of a gen_server",
			       c->name);
	c->m->term = reply.term;
	c->m->len = reply.len;
	return (ssize_t)reply.len;
}

static ssize_t result(const struct call *c, ssize_t n)
{
	if (n == -ETIMEDOUT)
		return timed_out(c);
	if (n < 0)
		return n;
	return c->m->type == ERLDIST_DOWN ? down(c) : take_reply(c);
}

static ssize_t call(struct call *c)
{
	int err;

	if (c->p->fd < 0)
		return -EBADF;
	c->deadline = ed_deadline(c->timeout_ms);
	err = ed_ref_next(c->p, &c->ref);
	if (err)
		return err;
	c->port = ed_port_get(c->p, &err);
	return c->port ? result(c, talk(c)) : err;
}

ssize_t erldist_call_term(struct erldist *p, const void *dest, size_t dest_len,
			  const void *term, size_t len, struct erldist_msg *m, int timeout_ms)
{
	struct call c = {
		.p = p, .dest = ed_slice(dest, dest_len), .request = ed_slice(term, len),
		.m = m, .timeout_ms = timeout_ms < 0 ? -1 : timeout_ms,
	};
	char *name = NULL;
	ssize_t n;

	if (erldist_print(&name, dest, dest_len, 0) < 0)
		return ed_fail(&p->error, -EINVAL, "this is no destination");
	c.name = name;
	n = call(&c);
	free(name);
	return n;
}

ssize_t erldist_call(struct erldist *p, const char *dest, const void *term, size_t len,
		     struct erldist_msg *m, int timeout_ms)
{
	struct call c = {
		.p = p, .name = dest ? dest : "the default destination",
		.request = ed_slice(term, len), .m = m,
		.timeout_ms = timeout_ms < 0 ? -1 : timeout_ms,
	};
	struct erldist_term to = ERLDIST_TERM_INIT;
	ssize_t n = ed_destination(p, &to, dest);

	if (!n) {
		c.dest.term = to.term;
		c.dest.len = to.len;
		n = call(&c);
	}
	erldist_term_free(&to);
	return n;
}

/* What rex answers is the result, or {badrpc, Reason} */
static ssize_t rpc_result(struct erldist *p, const char *name, struct erldist_msg *m, ssize_t n)
{
	struct erldist_slice reason;

	if (n == -ESRCH)
		return ed_fail(&p->error, (int)n, "%s: the node serves no rpc, it has no process "
			       "rex (noproc); of a native one a program, or --serve-info, has to "
			       "serve it", name);
	if (n >= 0 && !erldist_match(m->term, m->len, "{badrpc,notsup}"))
		return ed_fail(&p->error, -EOPNOTSUPP, "%s: the node serves no functions (notsup); of a "
			       "native one a program, or --serve-info, has to", name);
	if (n < 0 || erldist_match(m->term, m->len, "{badrpc,~t}", &reason))
		return n;
	m->term = reason.term;
	m->len = reason.len;
	return fail_with(p, -EREMOTEIO, name, "badrpc", &reason);
}

static int rpc_request(struct erldist *p, struct erldist_term *t, const char *module,
		       const char *function, const struct erldist_slice *args)
{
	struct ed_reader r;
	int err;

	ed_reader_init(&r, args->term, args->len);
	if (ed_peek(&r) != ERL_NIL_EXT && ed_peek(&r) != ERL_LIST_EXT &&
	    ed_peek(&r) != ERL_STRING_EXT)
		return ed_fail(&p->error, -EINVAL, "the arguments of %s:%s are no list", module,
			       function);
	err = erldist_format(t, "{call,~a,~a,~t,user}", module, function, args->term, args->len);
	return err ? ed_fail(&p->error, err, "%s:%s: %s", module, function, ed_errno_text(err)) : 0;
}

ssize_t erldist_rpc(struct erldist *p, const char *node, const char *module,
		    const char *function, const void *args, size_t len,
		    struct erldist_msg *m, int timeout_ms)
{
	struct erldist_term dest = ERLDIST_TERM_INIT, request = ERLDIST_TERM_INIT;
	struct erldist_slice list = ed_slice(args, len);
	char full[ED_NODE_SIZE];
	struct call c = {
		.p = p, .name = full, .m = m, .timeout_ms = timeout_ms < 0 ? -1 : timeout_ms,
	};
	ssize_t n = ed_node_name(&p->error, full, node, p->node);

	if (!n)
		n = ed_put_name_at(&dest, "rex", 3, full);
	if (!n)
		n = rpc_request(p, &request, module, function, &list);
	if (!n) {
		c.dest = ed_slice(dest.term, dest.len);
		c.request = ed_slice(request.term, request.len);
		n = rpc_result(p, full, m, call(&c));
	}
	erldist_term_free(&dest);
	erldist_term_free(&request);
	return n;
}
