// SPDX-License-Identifier: LGPL-2.1-or-later
/* Generic netlink, with the true errno and the kernel's own words for it. */
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "internal.h"

#ifndef SOL_NETLINK
#define SOL_NETLINK	270
#endif

struct talk {
	int err;
	char text[256];
	int (*cb)(void *user, int cmd, struct nlattr *attrs, int len);
	void *user;
	int stop;		/* what cb returned */
	bool done;		/* acknowledged, refused, or the end of a dump */
};

static int on_error(struct sockaddr_nl *who, struct nlmsgerr *e, void *arg)
{
	struct nlmsghdr *nlh = (struct nlmsghdr *)e - 1;
	struct nlattr *tb[NLMSGERR_ATTR_MAX + 1] = { NULL };
	struct talk *t = arg;
	int skip = (int)sizeof(*e);

	(void)who;
	t->err = e->error;
	t->done = true;
	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS))
		return NL_STOP;
	if (!(nlh->nlmsg_flags & NLM_F_CAPPED))
		skip += (int)e->msg.nlmsg_len - NLMSG_HDRLEN;
	skip = NLMSG_ALIGN(skip);
	if (!nla_parse(tb, NLMSGERR_ATTR_MAX, (struct nlattr *)((char *)e + skip),
		       (int)nlh->nlmsg_len - NLMSG_HDRLEN - skip, NULL) &&
	    tb[NLMSGERR_ATTR_MSG])
		snprintf(t->text, sizeof(t->text), "%s", nla_get_string(tb[NLMSGERR_ATTR_MSG]));
	return NL_STOP;
}

static int on_valid(struct nl_msg *msg, void *arg)
{
	struct genlmsghdr *g = genlmsg_hdr(nlmsg_hdr(msg));
	struct talk *t = arg;

	if (t->cb && !t->stop)
		t->stop = t->cb(t->user, g->cmd, genlmsg_attrdata(g, 0), genlmsg_attrlen(g, 0));
	return NL_OK;
}

/* The end of a dump carries its error */
static int on_finish(struct nl_msg *msg, void *arg)
{
	struct nlmsghdr *nlh = nlmsg_hdr(msg);
	struct talk *t = arg;

	if (nlh->nlmsg_len >= NLMSG_LENGTH(sizeof(int)))
		memcpy(&t->err, nlmsg_data(nlh), sizeof(t->err));
	if (t->err > 0)
		t->err = 0;
	t->done = true;
	return NL_STOP;
}

static int on_ack(struct nl_msg *msg, void *arg)
{
	struct talk *t = arg;

	(void)msg;
	t->done = true;
	return NL_STOP;
}

static int on_any_sequence(struct nl_msg *msg, void *arg)
{
	(void)msg;
	(void)arg;
	return NL_OK;
}

static int nle_errno(int nle)
{
	switch (-nle) {
	case NLE_NOMEM:
		return -ENOMEM;
	case NLE_AGAIN:
		return -EAGAIN;
	case NLE_INTR:
		return -EINTR;
	case NLE_OBJ_NOTFOUND:
		return -ENOENT;
	case NLE_PERM:
	case NLE_NOACCESS:
		return -EPERM;
	case NLE_DUMP_INTR:
		return -EAGAIN;
	case NLE_INVAL:
		return -EINVAL;
	default:
		return -EIO;
	}
}

int ed_nl_open(struct ed_netlink *n, struct ed_error *e)
{
	static const int one = 1;
	int fd, nle;

	n->sock = nl_socket_alloc();
	if (!n->sock)
		return ed_fail(e, -ENOMEM, "out of memory");
	nle = genl_connect(n->sock);
	if (nle) {
		ed_nl_close(n);
		return ed_fail(e, nle_errno(nle), "no generic netlink: %s", nl_geterror(nle));
	}
	fd = nl_socket_get_fd(n->sock);
	/* without them the errors are numbers only, which is no failure */
	setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	n->family = genl_ctrl_resolve(n->sock, ERLDIST_FAMILY_NAME);
	if (n->family < 0) {
		ed_nl_close(n);
		return ed_fail(e, -EAFNOSUPPORT, "%s", ed_errno_text(EAFNOSUPPORT));
	}
	return 0;
}

void ed_nl_close(struct ed_netlink *n)
{
	if (n->sock)
		nl_socket_free(n->sock);
	n->sock = NULL;
}

struct nl_msg *ed_nl_request(struct ed_netlink *n, int cmd, int flags)
{
	struct nl_msg *msg = nlmsg_alloc();

	if (msg && !genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, n->family, 0, flags,
				(uint8_t)cmd, ERLDIST_FAMILY_VERSION)) {
		nlmsg_free(msg);
		return NULL;
	}
	return msg;
}

static struct nl_cb *callbacks(struct talk *t, bool events)
{
	struct nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);

	if (!cb)
		return NULL;
	nl_cb_err(cb, NL_CB_CUSTOM, on_error, t);
	nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, on_valid, t);
	nl_cb_set(cb, NL_CB_FINISH, NL_CB_CUSTOM, on_finish, t);
	nl_cb_set(cb, NL_CB_ACK, NL_CB_CUSTOM, on_ack, t);
	if (events)
		nl_cb_set(cb, NL_CB_SEQ_CHECK, NL_CB_CUSTOM, on_any_sequence, NULL);
	return cb;
}

/* Events: one datagram. A request: all up to its acknowledgment, which libnl asks for */
static int receive(struct ed_netlink *n, struct talk *t, bool events)
{
	struct nl_cb *cb = callbacks(t, events);
	int nle, err;

	if (!cb)
		return -ENOMEM;
	do {
		errno = 0;
		nle = nl_recvmsgs(n->sock, cb);
		err = errno;
	} while (nle >= 0 && !events && !t->done);
	nl_cb_put(cb);
	if (t->err)
		return t->err;
	if (nle >= 0)
		return 0;
	/* an overrun is NLE_NOMEM to libnl */
	return err == ENOBUFS ? -ENOBUFS : nle_errno(nle);
}

static int report(struct ed_error *e, const struct talk *t, int err)
{
	if (t->text[0])
		return ed_fail(e, err, "%s", t->text);
	return ed_fail(e, err, "%s", ed_errno_text(err));
}

/* Send a request, which is freed, and call back for each object of the answer */
int ed_nl_talk(struct ed_netlink *n, struct ed_error *e, struct nl_msg *msg,
	       ed_nl_cb cb, void *user)
{
	struct talk t = { .cb = cb, .user = user };
	int nle, err;

	if (!msg)
		return ed_fail(e, -ENOMEM, "out of memory");
	nle = nl_send_auto(n->sock, msg);
	nlmsg_free(msg);
	if (nle < 0)
		return ed_fail(e, nle_errno(nle), "netlink: %s", nl_geterror(nle));
	err = receive(n, &t, false);
	return err ? report(e, &t, err) : t.stop;
}

/* The notifications of one datagram; -EAGAIN when there is none */
int ed_nl_receive(struct ed_netlink *n, struct ed_error *e, ed_nl_cb cb, void *user)
{
	struct talk t = { .cb = cb, .user = user };
	int err = receive(n, &t, true);

	if (err)
		return err == -EAGAIN || err == -ENOBUFS ? err : report(e, &t, err);
	return t.stop;
}

int ed_nl_join(struct ed_netlink *n, struct ed_error *e, const char *group)
{
	int id = genl_ctrl_resolve_grp(n->sock, ERLDIST_FAMILY_NAME, group), fd;

	if (id < 0)
		return ed_fail(e, -ENOENT, "the kernel has no netlink group %s", group);
	/* not by libnl, which hides the errno */
	fd = nl_socket_get_fd(n->sock);
	if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &id, sizeof(id)))
		return ed_fail(e, -errno, "netlink group %s: %s", group, ed_errno_text(errno));
	return 0;
}

static int on_family(void *user, int cmd, struct nlattr *attrs, int len)
{
	struct nlattr *a = nla_find(attrs, len, ERLDIST_A_FAMILY_ADDRESS_FAMILY);

	(void)cmd;
	if (a && nla_len(a) >= 4)
		*(int *)user = (int)nla_get_u32(a);
	return 0;
}

/* The number of the address family, which depends on how the module was loaded */
int ed_family(struct ed_error *e, int *family)
{
	struct ed_netlink n;
	int err;

	*family = -1;
	err = ed_nl_open(&n, e);
	if (err)
		return err;
	err = ed_nl_talk(&n, e, ed_nl_request(&n, ERLDIST_CMD_FAMILY_GET, 0), on_family, family);
	ed_nl_close(&n);
	if (!err && *family < 0)
		err = ed_fail(e, -EPROTO, "the kernel does not tell the address family");
	return err;
}
