// SPDX-License-Identifier: LGPL-2.1-or-later
/* Receiving, and telling what was received. */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "internal.h"

#ifndef SIOCINQ
#define SIOCINQ	0x541B
#endif

#define FIRST_BUFFER	4096
/* ERLDIST_TO and ERLDIST_FROM stay valid with the message, behind its payload */
#define CONTROL_TERMS	(2 * (ERLDIST_ATOM_SIZE + 64))

struct received {
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(ERLDIST_ATOM_SIZE + 64) * 2 +
					      CMSG_SPACE(sizeof(struct erldist_signal))];
	struct sockaddr_erldist sa;
	struct msghdr mh;
	struct iovec iov;
};

void erldist_msg_free(struct erldist_msg *m)
{
	free(m->buf);
	memset(m, 0, sizeof(*m));
}

static int grow(struct erldist_msg *m, size_t payload)
{
	size_t size = payload + CONTROL_TERMS;
	char *mem;

	if (size <= m->size)
		return 0;
	mem = realloc(m->buf, size);
	if (!mem)
		return -ENOMEM;
	m->buf = mem;
	m->size = size;
	return 0;
}

static ssize_t receive_once(int fd, struct erldist_msg *m, struct received *in, int flags)
{
	ssize_t n;

	memset(&in->mh, 0, sizeof(in->mh));
	in->iov.iov_base = m->buf;
	in->iov.iov_len = m->size - CONTROL_TERMS;
	in->mh.msg_name = &in->sa;
	in->mh.msg_namelen = sizeof(in->sa);
	in->mh.msg_iov = &in->iov;
	in->mh.msg_iovlen = 1;
	in->mh.msg_control = in->control;
	in->mh.msg_controllen = sizeof(in->control);
	n = recvmsg(fd, &in->mh, flags | MSG_CMSG_CLOEXEC);
	return n < 0 ? -errno : n;
}

/* A message that does not fit stays in the mailbox, and its size can be asked for */
static ssize_t receive_growing(int fd, struct erldist_msg *m, struct received *in, int flags)
{
	int err, size;
	ssize_t n;

	err = grow(m, FIRST_BUFFER);
	while (!err) {
		n = receive_once(fd, m, in, flags);
		if (n != -EMSGSIZE)
			return n;
		if (ioctl(fd, SIOCINQ, &size))
			return -errno;
		err = grow(m, size > 0 ? (size_t)size : 2 * m->size);
	}
	return err;
}

static void take_pid(const void *term, size_t len, erlang_pid *pid)
{
	struct ed_reader r;

	ed_reader_init(&r, term, len);
	if (ed_read_pid(&r, pid))
		pid->node[0] = 0;
}

/* Copied behind the payload, as the control buffer does not outlive the call */
static void take_to(struct erldist_msg *m, size_t payload, const void *term, size_t len)
{
	if (len > CONTROL_TERMS)
		return;
	memcpy(m->buf + payload, term, len);
	m->to.term = m->buf + payload;
	m->to.len = len;
}

/* Returns the signal's op if the kernel made the message, else MESSAGE */
static int take_control(struct erldist_msg *m, struct received *in, size_t payload)
{
	struct erldist_signal signal = { .op = ERLDIST_SIG_MESSAGE };
	struct cmsghdr *c;
	size_t len;

	for (c = CMSG_FIRSTHDR(&in->mh); c; c = CMSG_NXTHDR(&in->mh, c)) {
		if (c->cmsg_level != SOL_ERLDIST)
			continue;
		len = c->cmsg_len - CMSG_LEN(0);
		if (c->cmsg_type == ERLDIST_FROM)
			take_pid(CMSG_DATA(c), len, &m->from);
		else if (c->cmsg_type == ERLDIST_TO)
			take_to(m, payload, CMSG_DATA(c), len);
		else if (c->cmsg_type == ERLDIST_SIGNAL)
			memcpy(&signal, CMSG_DATA(c),
			       len < sizeof(signal) ? len : sizeof(signal));
	}
	m->user_data = signal.user_data;
	m->ref = signal.ref;
	return in->mh.msg_flags & ERLDIST_MSG_SIGNAL ? signal.op : ERLDIST_SIG_MESSAGE;
}

static void set_term(struct erldist_msg *m, enum erldist_msg_type type,
		     const struct erldist_slice *s)
{
	m->type = type;
	m->term = s->term;
	m->len = s->len;
}

/* {'$gen_call', {From, Tag}, Request} and {'$gen_cast', Msg}, by whomever sent */
static void classify_message(struct erldist_msg *m)
{
	struct ed_reader r;
	struct erldist_slice body;
	uint32_t arity, pair;

	ed_reader_init(&r, m->raw.term, m->raw.len);
	if (ed_read_tuple(&r, &arity))
		return;
	if (arity == 2 && ed_read_this_atom(&r, "$gen_cast")) {
		if (!ed_read_slice(&r, &body) && !ed_left(&r))
			set_term(m, ERLDIST_CAST, &body);
		return;
	}
	if (arity != 3 || !ed_read_this_atom(&r, "$gen_call") ||
	    ed_read_tuple(&r, &pair) || pair != 2 || !ed_is_pid(ed_peek(&r)))
		return;
	if (!ed_read_slice(&r, &m->caller) && !ed_read_slice(&r, &m->tag) &&
	    !ed_read_slice(&r, &body) && !ed_left(&r))
		set_term(m, ERLDIST_CALL, &body);
}

/* {'EXIT', Pid, Reason}, {'DOWN', Ref, process, Object, Reason}, from the kernel */
static void classify_signal(struct erldist_msg *m, int op)
{
	struct erldist_slice reason;

	if (op == ERLDIST_SIG_EXIT &&
	    !erldist_match(m->raw.term, m->raw.len, "{'EXIT',~t,~t}", &m->caller, &reason))
		set_term(m, ERLDIST_EXIT, &reason);
	if (op == ERLDIST_SIG_DOWN &&
	    !erldist_match(m->raw.term, m->raw.len, "{'DOWN',~t,process,~t,~t}", &m->tag,
			   &m->object, &reason))
		set_term(m, ERLDIST_DOWN, &reason);
}

static int classify(struct erldist_msg *m, struct received *in, size_t payload)
{
	static const struct erldist_slice none;
	int op;

	m->from.node[0] = 0;
	m->caller = none;
	m->tag = none;
	m->object = none;
	m->to = none;
	m->raw.term = m->buf;
	m->raw.len = payload;
	set_term(m, ERLDIST_MESSAGE, &m->raw);
	if (in->mh.msg_namelen > offsetof(struct sockaddr_erldist, sed_term))
		take_pid(in->sa.sed_term, in->mh.msg_namelen -
			 offsetof(struct sockaddr_erldist, sed_term), &m->from);
	op = take_control(m, in, payload);
	if (op == ERLDIST_SIG_MESSAGE)
		classify_message(m);
	else
		classify_signal(m, op);
	return op;
}

int ed_recv_failed(struct erldist *p, int err)
{
	switch (err) {
	case -EAGAIN:
	case -EINTR:
		return err;
	case -ETIMEDOUT:
		return ed_fail(&p->error, err, "no message came in time");
	case -ECONNRESET:
	case -ENOBUFS:
	case -ENETDOWN:
	case -EOWNERDEAD:
	case -ECANCELED:
		return ed_ended(p, err);
	default:
		return ed_fail(&p->error, err, "receive: %s", ed_errno_text(err));
	}
}

/*
 * With MSG_DONTWAIT in flags, or waiting as long as SO_RCVTIMEO says. op: what the
 * kernel says that it is, which nobody else can
 */
ssize_t ed_recv_signal(int fd, struct erldist_msg *m, int flags, int *op)
{
	struct received in;
	ssize_t n = receive_growing(fd, m, &in, flags);

	if (n >= 0)
		*op = classify(m, &in, (size_t)n);
	return n;
}

ssize_t ed_recv(int fd, struct erldist_msg *m, int flags)
{
	int op;

	return ed_recv_signal(fd, m, flags, &op);
}

ssize_t erldist_recv(struct erldist *p, struct erldist_msg *m, int timeout_ms)
{
	int64_t deadline = ed_deadline(timeout_ms);
	ssize_t n;
	int err;

	for (;;) {
		n = ed_recv(p->fd, m, MSG_DONTWAIT);
		if (n >= 0)
			return n;
		if (n != -EAGAIN || !timeout_ms)
			return ed_recv_failed(p, (int)n);
		err = ed_wait(p->fd, POLLIN, deadline);
		if (err)
			return ed_recv_failed(p, err);
	}
}
