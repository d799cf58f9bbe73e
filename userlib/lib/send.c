// SPDX-License-Identifier: LGPL-2.1-or-later
/* Sending: a destination is a term, and so is a message. */
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "internal.h"

#define PIECES_MAX	4

struct control {
	_Alignas(struct cmsghdr) char bytes[CMSG_SPACE(2 * ERLDIST_ATOM_SIZE + 64) +
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

static int send_failed(struct erldist *p, int err)
{
	switch (err) {
	case -EPIPE:
		return ed_ended(p, err);
	case -EINVAL:
		return ed_fail(&p->error, err, "the message or its destination is no term that "
			       "an Erlang node would take");
	case -EMSGSIZE:
		return ed_fail(&p->error, err, "the message is larger than the node's limit; "
			       "look at 'erldist node show'");
	case -EHOSTUNREACH:
		return ed_fail(&p->error, err, "the node is not connected");
	case -EAGAIN:
		return ed_fail(&p->error, err, "the receiver's queue is full");
	default:
		return ed_fail(&p->error, err, "send: %s", ed_errno_text(err));
	}
}

/* A message in pieces that are one term together; dest NULL: the default */
int ed_send_pieces(struct erldist *p, const void *dest, size_t dest_len,
		   const struct erldist_slice *pieces, int n, unsigned int flags)
{
	struct erldist_signal signal = { .op = ERLDIST_SIG_MESSAGE };
	struct control control;
	struct iovec iov[PIECES_MAX];
	struct msghdr mh = { .msg_iov = iov, .msg_iovlen = (size_t)n };
	struct sockaddr_erldist sa;
	int i, len;

	memset(&control, 0, sizeof(control));
	mh.msg_control = control.bytes;
	for (i = 0; i < n; i++) {
		iov[i].iov_base = (void *)(uintptr_t)pieces[i].term;
		iov[i].iov_len = pieces[i].len;
	}
	if (dest) {
		len = ed_sockaddr(&sa, p->family, dest, dest_len);
		if (len >= 0) {
			mh.msg_name = &sa;
			mh.msg_namelen = (socklen_t)len;
		} else if (dest_len <= 2 * ERLDIST_ATOM_SIZE + 64) {
			add_control(&mh, ERLDIST_DEST, dest, dest_len);
		} else {
			return ed_fail(&p->error, -EINVAL, "this is no destination");
		}
	}
	if (flags) {
		signal.flags = (__u16)flags;
		add_control(&mh, ERLDIST_SIGNAL, &signal, sizeof(signal));
	}
	if (sendmsg(p->fd, &mh, MSG_NOSIGNAL) < 0)
		return errno == EINTR ? -EINTR : send_failed(p, -errno);
	return 0;
}

int erldist_send_term(struct erldist *p, const void *dest, size_t dest_len,
		      const void *term, size_t len, unsigned int flags)
{
	struct erldist_slice to = ed_slice(dest, dest_len), s = ed_slice(term, len);

	return ed_send_pieces(p, to.term, to.len, &s, 1, flags);
}

int erldist_send(struct erldist *p, const char *dest, const void *term, size_t len)
{
	struct erldist_term to = ERLDIST_TERM_INIT;
	struct erldist_slice s = ed_slice(term, len);
	int err;

	if (!dest)
		return ed_send_pieces(p, NULL, 0, &s, 1, 0);
	err = ed_resolve_address(p, &to, dest, false);
	if (!err)
		err = ed_send_pieces(p, to.term, to.len, &s, 1, 0);
	erldist_term_free(&to);
	return err;
}

int erldist_send_pid(struct erldist *p, const erlang_pid *to, const void *term, size_t len)
{
	struct erldist_term t = ERLDIST_TERM_INIT;
	struct erldist_slice s = ed_slice(term, len);
	int err;

	err = ed_put_pid(&t, to);
	if (!err)
		err = ed_send_pieces(p, t.term, t.len, &s, 1, 0);
	erldist_term_free(&t);
	return err;
}

/* [alias|Ref] or [[alias|Ref]|Label]: where the alias is */
static bool alias_of(const struct erldist_slice *tag, struct erldist_slice *alias)
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
	alias_of(&m->tag, &to);
	pieces[0].term = pair;
	pieces[0].len = sizeof(pair);
	pieces[1] = m->tag;	/* goes back bit for bit */
	pieces[2] = ed_slice(term, len);
	return ed_send_pieces(p, to.term, to.len, pieces, 3, ERLDIST_SIG_F_NOCONNECT);
}
