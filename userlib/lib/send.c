// SPDX-License-Identifier: LGPL-2.1-or-later
/* Sending: a destination is a term, and so is a message. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "internal.h"

#define PIECES_MAX	4

struct control {
	_Alignas(struct cmsghdr) char bytes[CMSG_SPACE(ED_DEST_MAX) +
					    CMSG_SPACE(sizeof(struct erldist_signal))];
};

static void add_control(struct msghdr *mh, int type, const void *data, size_t len)
{
	struct cmsghdr *c = (struct cmsghdr *)((char *)mh->msg_control + mh->msg_controllen);

	c->cmsg_level = SOL_ERLDIST;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(c), data, len);
	mh->msg_controllen += CMSG_SPACE(len);
}

static bool has_payload(const struct ed_out *out)
{
	return out->signal.op == ERLDIST_SIG_MESSAGE || out->signal.op == ERLDIST_SIG_EXIT;
}

static size_t size_of(const struct ed_out *out)
{
	size_t size = 0;
	int i;

	for (i = 0; i < out->n; i++)
		size += out->pieces[i].len;
	return size;
}

/* The kernel does not say which of the two it is */
static int no_terms(struct erldist *p, const struct ed_out *out)
{
	char *dest = NULL;
	ssize_t n = out->dest.len ? erldist_print(&dest, out->dest.term, out->dest.len, 0) : 0;

	if (n < 0)
		ed_fail(&p->error, -EINVAL, "the destination is no term");
	else
		ed_fail(&p->error, -EINVAL, "the message of %zu bytes to %s, or that destination, "
			"is no term that an Erlang node would take", size_of(out),
			dest ? dest : "the default destination");
	free(dest);
	return -EINVAL;
}

static int send_failed(struct erldist *p, const struct ed_out *out, int err)
{
	switch (err) {
	case -EPIPE:
		return ed_ended(p, err);
	case -EINVAL:
		if (has_payload(out))
			return no_terms(p, out);
		return ed_fail(&p->error, err, "the destination, or the reference, is not what "
			       "can be asked for");
	case -EMSGSIZE:
		return ed_fail(&p->error, err, "the message of %zu bytes is larger than the limit "
			       "of %s; look at 'erldist node show'", size_of(out), p->node);
	case -EHOSTUNREACH:
		return ed_fail(&p->error, err, "the node is not connected");
	case -EAGAIN:
		return ed_fail(&p->error, err, "the receiver's queue is full");
	case -EUSERS:
		return ed_fail(&p->error, err, "a limit of %s is reached: links and monitors, or "
			       "nodes being connected; look at 'erldist process show'", p->node);
	default:
		return ed_fail(&p->error, err, "send: %s", ed_errno_text(err));
	}
}

static int add_dest(struct erldist *p, struct msghdr *mh, struct sockaddr_erldist *sa,
		    const struct erldist_slice *dest)
{
	int len = ed_sockaddr(sa, p->family, dest->term, dest->len);

	if (len >= 0) {
		mh->msg_name = sa;
		mh->msg_namelen = (socklen_t)len;
		return 0;
	}
	if (dest->len > ED_DEST_MAX)
		return ed_fail(&p->error, -EINVAL, "this is no destination");
	add_control(mh, ERLDIST_DEST, dest->term, dest->len);
	return 0;
}

int ed_send(struct erldist *p, const struct ed_out *out)
{
	struct control control;
	struct iovec iov[PIECES_MAX];
	struct msghdr mh = { .msg_iov = iov, .msg_iovlen = (size_t)out->n };
	struct sockaddr_erldist sa;
	int i, err = 0;

	memset(&control, 0, sizeof(control));
	mh.msg_control = control.bytes;
	for (i = 0; i < out->n; i++) {
		iov[i].iov_base = (void *)(uintptr_t)out->pieces[i].term;
		iov[i].iov_len = out->pieces[i].len;
	}
	if (out->dest.term)
		err = add_dest(p, &mh, &sa, &out->dest);
	if (err)
		return err;
	if (out->signal.op != ERLDIST_SIG_MESSAGE || out->signal.flags)
		add_control(&mh, ERLDIST_SIGNAL, &out->signal, sizeof(out->signal));
	if (sendmsg(out->fd, &mh, MSG_NOSIGNAL | out->flags) < 0)
		return errno == EINTR ? -EINTR : send_failed(p, out, -errno);
	return 0;
}

static int send_pieces(struct erldist *p, const struct erldist_slice *dest,
		       const struct erldist_slice *pieces, int n, unsigned int flags)
{
	const struct ed_out out = {
		.fd = p->fd, .dest = *dest, .pieces = pieces, .n = n,
		.signal = { .op = ERLDIST_SIG_MESSAGE, .flags = (__u16)flags },
	};

	return ed_send(p, &out);
}

int erldist_send_term(struct erldist *p, const void *dest, size_t dest_len,
		      const void *term, size_t len, unsigned int flags)
{
	struct erldist_slice to = ed_slice(dest, dest_len), s = ed_slice(term, len);

	return send_pieces(p, &to, &s, 1, flags);
}

static int send_to(struct erldist *p, const char *dest, const struct erldist_slice *pieces, int n)
{
	struct erldist_term to = ERLDIST_TERM_INIT;
	struct erldist_slice s = { NULL, 0 };
	int err = 0;

	if (dest)
		err = ed_resolve_address(p, &to, dest, false);
	if (!err) {
		s.term = to.term;
		s.len = to.len;
		err = send_pieces(p, &s, pieces, n, 0);
	}
	erldist_term_free(&to);
	return err;
}

int erldist_send(struct erldist *p, const char *dest, const void *term, size_t len)
{
	struct erldist_slice s = ed_slice(term, len);

	return send_to(p, dest, &s, 1);
}

int erldist_cast(struct erldist *p, const char *dest, const void *term, size_t len)
{
	static const char head[] = {
		ERL_SMALL_TUPLE_EXT, 2, ERL_SMALL_ATOM_UTF8_EXT, 9,
		'$', 'g', 'e', 'n', '_', 'c', 'a', 's', 't',
	};
	struct erldist_slice pieces[] = { { head, sizeof(head) }, ed_slice(term, len) };

	return send_to(p, dest, pieces, 2);
}

int erldist_send_pid(struct erldist *p, const erlang_pid *to, const void *term, size_t len)
{
	struct erldist_term t = ERLDIST_TERM_INIT;
	int err = ed_put_pid(&t, to);

	if (!err)
		err = erldist_send_term(p, t.term, t.len, term, len, 0);
	erldist_term_free(&t);
	return err;
}

/* [alias|Ref] or [[alias|Ref]|Label]: where the alias is */
bool ed_alias_of(const struct erldist_slice *tag, struct erldist_slice *alias)
{
	struct ed_reader r;
	uint32_t n;
	int depth;

	ed_reader_init(&r, tag->term, tag->len);
	for (depth = 0; depth < 2; depth++) {
		if (ed_peek(&r) != ERL_LIST_EXT || ed_read_bytes(&r, 1, NULL) ||
		    ed_read_u32(&r, &n) || n != 1)
			return false;
		if (ed_read_this_atom(&r, "alias"))
			return ed_is_ref(ed_peek(&r)) && !ed_read_slice(&r, alias);
	}
	return false;
}

int erldist_reply(struct erldist *p, const struct erldist_msg *m, const void *term, size_t len)
{
	static const char pair[] = { ERL_SMALL_TUPLE_EXT, 2 };
	struct erldist_slice to = m->caller, pieces[3];

	if (m->type != ERLDIST_CALL)
		return ed_fail(&p->error, -EINVAL, "only a call has a reply");
	ed_alias_of(&m->tag, &to);
	pieces[0].term = pair;
	pieces[0].len = sizeof(pair);
	pieces[1] = m->tag;	/* goes back bit for bit */
	pieces[2] = ed_slice(term, len);
	return send_pieces(p, &to, pieces, 3, ERLDIST_SIG_F_NOCONNECT);
}
