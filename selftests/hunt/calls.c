// SPDX-License-Identifier: GPL-2.0-only
/*
 * Descriptions of the calls on node sockets and process sockets: every option, control
 * message and signal with its structures.
 */
#include "hunt.h"

/* Node names, peers, processes, words; and what should be refused */
#define LONG60	"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz12345678"

const struct name_entry names_table[] = {
	{ "n1", "n1@h", NAME_NODE }, { "n2", "n2@h", NAME_NODE }, { "m1", "m1@h", NAME_NODE },
	{ "p1", "p1@h", NAME_PEER }, { "z1", "z1@h", NAME_PEER }, { "a1", "a1@h", NAME_PEER },
	{ "longnode", LONG60 LONG60 LONG60 LONG60 "1234@x", NAME_NODE | NAME_PEER },
	{ "hundrednode", LONG60 "1234567890@x", NAME_NODE | NAME_PEER },
	{ "bob", "bob", NAME_PROCESS }, { "eve", "eve", NAME_PROCESS },
	{ "rex", "rex", NAME_PROCESS }, { "net_kernel", "net_kernel", NAME_PROCESS },
	{ "longname", LONG60 LONG60 LONG60 LONG60 "abcdefghijklmno", NAME_PROCESS | NAME_ODD },
	{ "empty", "", NAME_ODD }, { "undefined", "undefined", NAME_ODD },
	{ "latin", "\xe4\xf6\xfc", NAME_ODD },
	{ "latinlong", "\xe4\xf6\xfc\xdf\xe4\xf6\xfc\xdf\xe4\xf6\xfc\xdf\xe4\xf6\xfc\xdf"
	  "\xe4\xf6\xfc\xdf\xe4\xf6\xfc\xdf\xe4\xf6\xfc\xdf\xe4\xf6\xfc\xdf\xe4\xf6\xfc\xdf"
	  "\xe4\xf6\xfc\xdf\xe4\xf6\xfc\xdf\xe4\xf6\xfc\xdf\xe4\xf6\xfc\xdf\xe4\xf6\xfc\xdf"
	  "\xe4\xf6\xfc\xdf\xe4\xf6", NAME_ODD },
	{ "utf8", "\xd0\x9b\xd1\x8e\xd0\xb4\xd0\xbc\xd0\xb8\xd0\xbb\xd0\xb0", NAME_ODD },
	{ "noat", "nohost", NAME_ODD }, { "twoat", "a@b@c", NAME_ODD },
	{ "utf8bad", "\xd0", NAME_ODD },
	{ "normal", "normal", NAME_WORD }, { "kill", "kill", NAME_WORD },
	{ "killed", "killed", NAME_WORD }, { "shutdown", "shutdown", NAME_WORD },
	{ "noproc", "noproc", NAME_WORD }, { "noconnection", "noconnection", NAME_WORD },
	{ "alias", "alias", NAME_WORD }, { "gen_call", "$gen_call", NAME_WORD },
	{ "call", "call", NAME_WORD }, { "is_auth", "is_auth", NAME_WORD },
	{ "link", "link", NAME_WORD }, { "monitor", "monitor", NAME_WORD },
	{ "reply", "reply", NAME_WORD }, { "junk", "junk", NAME_WORD },
	{ "priority", "priority", NAME_WORD }, { "heap", "min_heap_size", NAME_WORD },
	{ "erpc", "erpc", NAME_WORD }, { "execute_call", "execute_call", NAME_WORD },
};

unsigned int names_count(void)
{
	return ARRAY_SIZE(names_table);
}

const char *name_text(unsigned int i)
{
	return names_table[i % ARRAY_SIZE(names_table)].text;
}

/* Sockets */

long make_fd(struct cursor *c, int fd, int type)
{
	if (fd < 0)
		return -errno;
	c->out->fd = fd;
	c->out->n_pids = 0;
	c->out->n_refs = 0;
	c->out->first_ref = 0;
	c->out->self.len = 0;
	c->out->buffered = 0;
	__atomic_store_n(&c->out->type, type, __ATOMIC_RELEASE);
	return fd;
}

static long set_option(int fd, int option, const void *p, socklen_t len)
{
	return setsockopt(fd, SOL_ERLDIST, option, p, len) ? -errno : 0;
}

static long call_socket(struct cursor *c)
{
	uint64_t flags = arg_int(c), protocol = arg_int(c);

	return make_fd(c, socket(hunt_family(), c->op | (flags & (SOCK_NONBLOCK | SOCK_CLOEXEC)),
				 protocol), c->op == SOCK_RAW ? R_NODE : R_PROC);
}

static long call_socket_type(struct cursor *c)
{
	int fd = socket(hunt_family(), arg_int(c), 0);

	return make_fd(c, fd, R_FD);
}

static long bind_to(struct cursor *c, int fd, const struct buf *b)
{
	struct sockaddr_erldist a = { .sed_family = hunt_family() };

	if (b->len > sizeof(a.sed_term))
		return set_option(fd, ERLDIST_BIND, b->p, b->len);
	if (b->len)
		memcpy(a.sed_term, b->p, b->len);
	return bind(fd, (void *)&a, 2 + b->len) ? -errno : 0;
}

static const char *some_cookie(uint64_t which)
{
	static const char *const cookies[] = { COOKIE, "other", "", "x" };

	return cookies[which & 3];
}

static long call_node(struct cursor *c)
{
	const char *name = name_text(arg_int(c)), *cookie = some_cookie(arg_int(c));
	uint64_t flags = arg_int(c);
	uint32_t creation = arg_int(c), mode = arg_int(c), admit = arg_int(c);
	struct erldist_ticktime t = { .retry = arg_int(c) };
	int fd = socket(hunt_family(), SOCK_RAW | SOCK_CLOEXEC, 0);
	long err;
	DEFINE_BUF(b);

	if (fd < 0)
		return -errno;
	if (*cookie)
		set_option(fd, ERLDIST_COOKIE, cookie, strlen(cookie));
	if (flags)
		set_option(fd, ERLDIST_FLAGS, &flags, sizeof(flags));
	if (creation)
		set_option(fd, ERLDIST_CREATION, &creation, sizeof(creation));
	if (mode)
		set_option(fd, ERLDIST_MODE, &mode, sizeof(mode));
	if (admit)
		set_option(fd, ERLDIST_ADMIT, &admit, sizeof(admit));
	/* A peer that is away is then forgotten while the program still runs. */
	if (t.retry)
		set_option(fd, ERLDIST_TICKTIME, &t, sizeof(t));
	err = bind_to(c, fd, fmt(&b, "a", name));
	make_fd(c, fd, R_NODE);
	return err;
}

static long call_process(struct cursor *c)
{
	int fd = socket(hunt_family(), SOCK_RDM | SOCK_CLOEXEC, 0);
	long err = -ENODATA;
	uint32_t trap;
	DEFINE_BUF(b);

	if (fd < 0)
		return -errno;
	if (arg_term(c, &b))
		err = bind_to(c, fd, &b);
	trap = arg_int(c);
	if (trap)
		set_option(fd, ERLDIST_TRAP_EXIT, &trap, sizeof(trap));
	make_fd(c, fd, R_PROC);
	return err;
}

/* An anonymous process of the node that is asked for by a socket of it */
static long call_process_of(struct cursor *c)
{
	struct result *node = arg_res(c);
	int fd = socket(hunt_family(), SOCK_RDM | SOCK_CLOEXEC, 0);
	struct sockaddr_storage a = { 0 };
	socklen_t len = sizeof(a);
	uint32_t trap = arg_int(c);
	long err = -ENODATA;

	if (fd < 0)
		return -errno;
	if (node && !getsockname(node->fd, (void *)&a, &len))
		err = bind(fd, (void *)&a, len) ? -errno : 0;
	if (trap)
		set_option(fd, ERLDIST_TRAP_EXIT, &trap, sizeof(trap));
	make_fd(c, fd, R_PROC);
	return err;
}

/* What waits in worker 0 keeps all others waiting */
static void may_wait(struct cursor *c, int fd)
{
	fcntl(fd, F_SETFL, c->worker ? 0 : O_NONBLOCK);
}

/* op: bind() or connect(), and what the length is off by */
static long call_address(struct cursor *c)
{
	struct sockaddr_storage a = { .ss_family = hunt_family() };
	int fd = arg_fd(c);
	uint64_t family, off;
	socklen_t len;
	DEFINE_BUF(b);

	arg_term(c, &b);
	family = arg_int(c);
	off = arg_int(c);
	if (family)
		a.ss_family = family;
	len = b.len < sizeof(a) - 2 ? b.len : sizeof(a) - 2;
	if (len)
		memcpy((char *)&a + 2, b.p, len);
	len += 2 + (int)off;
	may_wait(c, fd);
	return (c->op ? connect(fd, (void *)&a, len) : bind(fd, (void *)&a, len)) ? -errno : 0;
}

/* Options: op is the option, what is set is a term, or a number of 4 or 8 bytes */
static long call_set_term(struct cursor *c)
{
	int fd = arg_fd(c);
	DEFINE_BUF(b);

	arg_term(c, &b);
	if (c->op == ERLDIST_CONNECT)
		may_wait(c, fd);
	return set_option(fd, c->op, b.p, b.len);
}

static long call_set_u32(struct cursor *c)
{
	int fd = arg_fd(c);
	uint32_t v = arg_int(c);

	return set_option(fd, c->op, &v, sizeof(v));
}

static long call_set_u64(struct cursor *c)
{
	int fd = arg_fd(c);
	uint64_t v = arg_int(c);

	return set_option(fd, c->op, &v, sizeof(v));
}

static long call_set_cookie(struct cursor *c)
{
	int fd = arg_fd(c);
	char cookie[300];
	uint64_t len = arg_int(c);

	memset(cookie, 'c', sizeof(cookie));
	if (len < 4)
		return set_option(fd, ERLDIST_COOKIE, some_cookie(len), strlen(some_cookie(len)));
	return set_option(fd, ERLDIST_COOKIE, cookie, len < sizeof(cookie) ? len : sizeof(cookie));
}

static long call_set_ticktime(struct cursor *c)
{
	int fd = arg_fd(c);
	struct erldist_ticktime t = { 0 };

	t.ticktime = arg_int(c);
	t.intensity = arg_int(c);
	t.setup = arg_int(c);
	t.retry = arg_int(c);
	return set_option(fd, ERLDIST_TICKTIME, &t, sizeof(t));
}

/* Only what is not 0 is changed */
static long call_set_limits(struct cursor *c)
{
	int fd = arg_fd(c);
	struct erldist_limits l;
	__u64 *const wide[] = { &l.max_message, &l.mailbox_pool, &l.mailbox, &l.send_queue };
	__u32 *const narrow[] = { &l.stall, &l.peers, &l.handshakes, &l.processes,
				     &l.relations, &l.node_relations, &l.wanted,
				     &l.process_wanted, &l.fragments, &l.reserved };
	uint64_t v;

	if (node_limits(fd, &l))
		return -errno;
	for (unsigned int i = 0; i < ARRAY_SIZE(wide); i++) {
		v = arg_int(c);
		if (v)
			*wide[i] = v - 1;
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(narrow); i++) {
		v = arg_int(c);
		if (v)
			*narrow[i] = v - 1;
	}
	return set_option(fd, ERLDIST_LIMITS, &l, sizeof(l));
}

static long call_set_mailbox(struct cursor *c)
{
	int fd = arg_fd(c);
	struct erldist_mailbox_limits l;

	l.local = arg_int(c);
	l.hard = arg_int(c);
	return set_option(fd, ERLDIST_MAILBOX, &l, sizeof(l));
}

static long call_set_fd(struct cursor *c)
{
	int fd = arg_fd(c);
	int32_t other = arg_fd(c);

	return set_option(fd, c->op, &other, sizeof(other));
}

static long call_set_owner(struct cursor *c)
{
	int fd = arg_fd(c);
	struct result *child = arg_res(c);
	int32_t v = arg_int(c);

	if (child)
		v = child->child;
	return set_option(fd, ERLDIST_OWNER, &v, sizeof(v));
}

static long call_peer_request(struct cursor *c)
{
	int fd = arg_fd(c);
	struct erldist_peer_request h = { 0 };
	const char *name, *cookie;
	uint64_t off;
	DEFINE_BUF(b);

	name = name_text(arg_int(c));
	h.action = arg_int(c);
	h.error = arg_int(c);
	h.tag = arg_int(c);
	h.retry = arg_int(c);
	cookie = some_cookie(arg_int(c));
	off = arg_int(c);
	h.name_len = strlen(name);
	h.cookie_len = strlen(cookie) + off;
	buf_add(&b, &h, sizeof(h));
	buf_add(&b, name, strlen(name));
	buf_add(&b, cookie, strlen(cookie));
	return set_option(fd, ERLDIST_PEER, b.p, b.len);
}

static long call_replay(struct cursor *c)
{
	return set_option(arg_fd(c), ERLDIST_REPLAY, NULL, 0);
}

/* Any option with any bytes */
static long call_set_raw(struct cursor *c)
{
	int fd = arg_fd(c), level = arg_int(c), option = arg_int(c);
	DEFINE_BUF(b);
	uint64_t len;

	arg_term(c, &b);
	len = arg_int(c);
	return setsockopt(fd, level ? level : SOL_ERLDIST, option, b.p,
			  len ? len - 1 : b.len) ? -errno : 0;
}

static long call_get(struct cursor *c)
{
	static __thread uint8_t out[70000];
	int fd = arg_fd(c), level = arg_int(c), option = arg_int(c);
	socklen_t len = arg_int(c);

	if (len > sizeof(out) && (int)len > 0)
		len = sizeof(out);
	return getsockopt(fd, level ? level : SOL_ERLDIST, option, out, &len) ? -errno : len;
}

/* Messages */

struct cmsg_space {
	char p[2600] __aligned(8);
	size_t len;
};

static void add_cmsg(struct cmsg_space *s, int level, int type, const void *p, size_t len)
{
	struct cmsghdr *c = (void *)(s->p + s->len);

	if (s->len + CMSG_SPACE(len) > sizeof(s->p))
		return;
	memset(c, 0, CMSG_SPACE(len));
	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(len);
	if (len)
		memcpy(CMSG_DATA(c), p, len);
	s->len += CMSG_SPACE(len);
}

uint64_t ref_number(struct result *r, unsigned int k)
{
	struct erldist_refs refs;
	socklen_t len = sizeof(refs);

	if (!k || !r)
		return 0;
	if (!r->first_ref && !getsockopt(r->fd, SOL_ERLDIST, ERLDIST_REFS, &refs, &len))
		r->first_ref = refs.first;
	return r->first_ref + k - 1;
}

/*
 * op: of the signal. Parameters: the process, where to, payload, flags of the signal,
 * ref, user_data, flags of sendmsg, how the destination is given
 */
static long call_send(struct cursor *c)
{
	struct result *r = arg_res(c);
	struct sockaddr_storage a = { .ss_family = hunt_family() };
	struct erldist_signal sig = { .op = c->op };
	struct cmsg_space control = { .len = 0 };
	struct msghdr h = { 0 };
	struct iovec iov[2];
	uint64_t how, flags;
	bool dest;
	ssize_t n;
	DEFINE_BUF(to);
	DEFINE_BUF(message);

	dest = arg_term(c, &to);
	arg_term(c, &message);
	sig.flags = arg_int(c);
	sig.ref = ref_number(r, arg_int(c));
	sig.user_data = arg_int(c);
	flags = arg_int(c);
	how = arg_int(c);
	if (!r)
		return -EBADF;
	if (dest && (how & 1 || to.len > sizeof(a) - 2)) {
		add_cmsg(&control, SOL_ERLDIST, ERLDIST_DEST, to.p, to.len);
	} else if (dest) {
		memcpy((char *)&a + 2, to.p, to.len);
		h.msg_name = &a;
		h.msg_namelen = 2 + to.len;
	}
	if (c->op || sig.flags || sig.ref)
		add_cmsg(&control, SOL_ERLDIST, ERLDIST_SIGNAL, &sig,
			 sizeof(sig) - (how & 2 ? 8 : 0));
	if (how & 4)
		add_cmsg(&control, SOL_ERLDIST, how >> 8 & 7, &sig, how >> 12 & 63);
	if (control.len) {
		h.msg_control = control.p;
		h.msg_controllen = control.len;
	}
	iov[0] = (struct iovec){ message.p, how & 8 ? message.len / 2 : message.len };
	iov[1] = (struct iovec){ message.p + message.len / 2, message.len - message.len / 2 };
	h.msg_iov = iov;
	h.msg_iovlen = how & 8 ? 2 : 1;
	if (!c->worker)
		flags |= MSG_DONTWAIT;
	n = sendmsg(r->fd, &h, MSG_NOSIGNAL | flags);
	return n < 0 ? -errno : n;
}

static long send_sized(struct result *r, const struct buf *to, unsigned int op, size_t size,
		       int flags)
{
	static const uint8_t big[60000];
	struct sockaddr_storage a = { .ss_family = hunt_family() };
	struct erldist_signal sig = { .op = op };
	struct cmsg_space control = { .len = 0 };
	struct iovec iov;
	struct msghdr h = { .msg_name = &a, .msg_namelen = 2 + to->len, .msg_iov = &iov,
			    .msg_iovlen = 1 };
	DEFINE_BUF(b);

	memcpy((char *)&a + 2, to->p, to->len);
	fmt(&b, "B", big, size % sizeof(big));
	iov = (struct iovec){ b.p, b.len };
	if (op) {
		add_cmsg(&control, SOL_ERLDIST, ERLDIST_SIGNAL, &sig, sizeof(sig));
		h.msg_control = control.p;
		h.msg_controllen = control.len;
	}
	return sendmsg(r->fd, &h, MSG_NOSIGNAL | flags) < 0 ? -errno : 0;
}

/*
 * Many messages at once, so that mailboxes, queues and pools fill. The one that is
 * refused is sent again, and waits. Each flood's are of another size, so that there
 * is room for another part of the last one each time.
 */
static long call_flood(struct cursor *c)
{
	static unsigned int floods;
	struct result *r = arg_res(c);
	uint64_t count, size, op;
	unsigned int n = 0;
	bool waits;
	long err = 0;
	DEFINE_BUF(to);

	arg_term(c, &to);
	count = arg_int(c) & 0x3ff;
	size = arg_int(c) + (__atomic_fetch_add(&floods, 1, __ATOMIC_RELAXED) & 63);
	size *= arg_int(c);
	op = arg_int(c) ? ERLDIST_SIG_EXIT : ERLDIST_SIG_MESSAGE;
	waits = arg_int(c) && c->worker;
	if (!r || to.len > sizeof(struct sockaddr_storage) - 2)
		return -EBADF;
	while (n < count && !(err = send_sized(r, &to, op, size, MSG_DONTWAIT)))
		n++;
	if (err == -EAGAIN && waits)
		send_sized(r, &to, op, size, 0);
	return n;
}

/* op: from a node, whose events are no terms */
static long call_receive(struct cursor *c)
{
	static __thread uint8_t out[66000];
	struct result *r = arg_res(c);
	uint64_t flags = arg_int(c), size = arg_int(c), room = arg_int(c);
	struct sockaddr_storage a;
	char control[2600] __aligned(8);
	struct iovec iov = { out, size < sizeof(out) ? size : sizeof(out) };
	struct msghdr h = { .msg_name = &a, .msg_namelen = sizeof(a), .msg_iov = &iov,
			    .msg_iovlen = 1, .msg_control = control };
	ssize_t n;

	if (!r)
		return -EBADF;
	h.msg_controllen = room < sizeof(control) ? room : sizeof(control);
	if (!c->worker) {
		flags |= MSG_DONTWAIT;
		poll_for(r->fd, POLLIN, COME_MS);
	}
	n = recvmsg(r->fd, &h, flags);
	if (n < 0)
		return -errno;
	if (c->op)
		return n;
	seen_terms(r, out, (size_t)n < iov.iov_len ? (size_t)n : iov.iov_len);
	if (h.msg_namelen > 2 && h.msg_namelen <= sizeof(a))
		seen_add(r->pids, &r->n_pids, (uint8_t *)&a + 2, h.msg_namelen - 2);
	return n;
}

static long call_mmsg(struct cursor *c)
{
	static __thread uint8_t out[4][300];
	int fd = arg_fd(c), flags = arg_int(c) | MSG_DONTWAIT;
	struct mmsghdr h[4] = { 0 };
	struct iovec iov[4];
	int n;

	for (int i = 0; i < 4; i++) {
		iov[i] = (struct iovec){ out[i], sizeof(out[i]) };
		h[i].msg_hdr.msg_iov = &iov[i];
		h[i].msg_hdr.msg_iovlen = 1;
	}
	n = c->op ? sendmmsg(fd, h, 4, flags) : recvmmsg(fd, h, 4, flags, NULL);
	return n < 0 ? -errno : n;
}

#define FD_FLAGS	ODD_FLAGS("msg_flags", MSG_DONTWAIT, MSG_PEEK, MSG_TRUNC, MSG_WAITALL, \
			      MSG_ERRQUEUE, MSG_CMSG_CLOEXEC, MSG_OOB)
#define SEND_TAIL								\
	PICK("user_data", 0, 7, 0xffffffffffffffff),				\
	ODD_FLAGS("msg_flags", MSG_DONTWAIT, MSG_MORE, MSG_EOR, MSG_OOB, MSG_CONFIRM), \
	ODD_FLAGS("how", 1, 2, 4, 8, 0x4104, 0x3304)
/* The first two are the usual ones. */
#define SIG_FLAGS(...)	PICK("sig_flags", __VA_ARGS__, 1, 2, 4, 8, 0x10, 0x20, 0x40, 0x80, 0x100)
#define ALL_SIG_FLAGS	FLAGS("sig_flags", 1, 2, 4, 8, 0x10, 0x20, 0x40, 0x80, 0x100)
/* So few that what ends one often meets one that was made */
#define REF		ONE_OF("ref", 1, 2, 3, 4)
#define NO_REF		PICK("ref", 0, 0, 1, 64)
#define SIGNAL(name, weight, op, dest, payload, flags, ref) \
	{ name, 0, weight, op, \
	  PARAMS(RES("process", R_PROC), dest, payload, flags, ref, SEND_TAIL,), call_send }
#define NO_DEST		TERM_ODD("to", G_SMALL)
#define NO_PAYLOAD	TERM_ODD("payload", G_SMALL)
#define OPTION_U32(name, option, socket, ...) \
	{ name, 0, 2, option, PARAMS(RES("socket", socket), PICK("value", __VA_ARGS__),), \
	  call_set_u32 }
#define OPTION_TERM(name, weight, option, what, grammar) \
	{ name, 0, weight, option, PARAMS(RES("process", what), TERM("term", grammar),), \
	  call_set_term }
/* One more than what is set; 0: as it is. A message of any length does not fit a small pool. */
#define SIZES		0, 65537, 1, 2, 5, 100, 4097, 100001, 0x80000001, 0x100000000
#define COUNTS		0, 4, 1, 2, 3, 5, 17, 1001, 0x80000000, 0x100000000
const struct desc calls_table[] = {
	/* sockets */
	{ "node", R_NODE, 8, 0, PARAMS(
		NODE_PICK("name"), PICK("cookie", 0, 0, 1, 2, 3),
		PICK("flags", 0, 0, DEFAULT_FLAGS, MANDATORY_FLAGS, DEFAULT_FLAGS | 1,
		     DEFAULT_FLAGS & ~FLAG_FRAGMENTS, DEFAULT_FLAGS & ~FLAG_SPAWN, UINT64_MAX),
		PICK("creation", 0, 0x1234, 1, 0xffffffff), PICK("mode", 0, 0666, 0600, 0222, 0777),
		PICK("admit", 0, 0, 1), PICK("retry", 0, 1, 50),), call_node },
	{ "process", R_PROC, 12, 0, PARAMS(
		TERM("address", G_BIND), PICK("trap", 0, 1),), call_process },
	{ "process_of", R_PROC, 12, 0, PARAMS(
		RES("node", R_NODE), PICK("trap", 0, 1),), call_process_of },
	{ "socket_raw", R_NODE | R_FRESH_NODE, 1, SOCK_RAW, PARAMS(
		FLAGS("flags", SOCK_NONBLOCK, SOCK_CLOEXEC), PICK("protocol", 0, 0, 1),),
	  call_socket },
	{ "socket_rdm", R_PROC | R_FRESH, 6, SOCK_RDM, PARAMS(
		FLAGS("flags", SOCK_NONBLOCK, SOCK_CLOEXEC), PICK("protocol", 0, 0, 1),),
	  call_socket },
	{ "socket_type", R_FD, 1, 0, PARAMS(RANGE("type", 0, 10),), call_socket_type },
	{ "bind", 0, 6, 0, PARAMS(
		RES("socket", R_FRESH), TERM("address", G_BIND), PICK("family", 0, 0, 1, 2),
		PICK("off", 0, 0, 0xffffffff, 1, 100, 0xfffffffe),), call_address },
	{ "connect", 0, 4, 1, PARAMS(
		RES("socket", R_SOCKET), TERM("address", G_ADDRESS), PICK("family", 0, 0, 1, 2),
		PICK("off", 0, 0, 0xffffffff, 1, 100, 0xfffffffe),), call_address },
	/* options of a node */
	OPTION_U32("set_creation", ERLDIST_CREATION, R_FRESH_NODE, 1, 0x1234, 0, 0xffffffff),
	{ "set_flags", 0, 1, ERLDIST_FLAGS, PARAMS(
		RES("node", R_FRESH_NODE), PICK("flags", DEFAULT_FLAGS, MANDATORY_FLAGS, 0, UINT64_MAX),),
	  call_set_u64 },
	{ "set_cookie", 0, 1, ERLDIST_COOKIE, PARAMS(
		RES("node", R_NODE), PICK("len", 0, 1, 2, 3, 255, 256),), call_set_cookie },
	{ "set_ticktime", 0, 2, 0, PARAMS(
		RES("node", R_NODE), PICK("ticktime", 40, 60000, 0, 1, 1000, 0xffffffff),
		PICK("intensity", 4, 1000, 3, 1001, 0), PICK("setup", 7000, 20, 0, 1, 0xffffffff),
		PICK("retry", 1, 0, 50, 5000, 0xffffffff),), call_set_ticktime },
	{ "set_limits", 0, 4, 0, PARAMS(
		RES("node", R_NODE), PICK("max_message", 1, 1, SIZES), PICK("mailbox_pool", SIZES),
		PICK("mailbox", SIZES), PICK("send_queue", SIZES), PICK("stall", 0, 11, 1, 1001),
		PICK("peers", COUNTS), PICK("handshakes", COUNTS),
		PICK("processes", 0, COUNTS), PICK("relations", 0, COUNTS),
		PICK("node_relations", 0, COUNTS), PICK("wanted", 0, COUNTS),
		PICK("process_wanted", 0, COUNTS), PICK("fragments", 0, 1, 2, 5, 4097, 4098),
		PICK("reserved", 0, 0, 2),), call_set_limits },
	OPTION_U32("set_mode", ERLDIST_MODE, R_NODE, 0666, 0222, 0, 0600, 07777),
	{ "peer_request", 0, 7, 0, PARAMS(
		RES("node", R_NODE), PEER_PICK("name"),
		ONE_OF("action", 1, 2, 3, 4, 8, 0x10, 0x11, 0x18, 0x19),
		PICK("error", 0, ECONNREFUSED, 4096), ONE_OF("tag", 0, 1, 2, 3), PICK("retry", 0, 0, 1),
		RANGE("cookie", 0, 3), PICK("off", 0, 0, 1, 0xffff),), call_peer_request },
	{ "peer_retry", 0, 2, 0, PARAMS(
		RES("node", R_NODE), PEER_PICK("name"), ONE_OF("action", 0x20, 0x30, 0x28),
		PICK("error", ECONNREFUSED, 0, 4096), PICK("tag", 0, 0, 1),
		PICK("retry", 1, 100, 3600000, 3600001), RANGE("cookie", 0, 3),
		PICK("off", 0, 0, 1),), call_peer_request },
	{ "replay", 0, 1, 0, PARAMS(RES("node", R_NODE),), call_replay },
	OPTION_U32("set_admit", ERLDIST_ADMIT, R_NODE, 1, 0, 2),
	/* options of a process */
	OPTION_TERM("bind_option", 3, ERLDIST_BIND, R_FRESH, G_BIND),
	OPTION_TERM("connect_option", 3, ERLDIST_CONNECT, R_PROC, G_ADDRESS),
	OPTION_TERM("set_name", 4, ERLDIST_NAME, R_PROC, G_NAME),
	OPTION_U32("set_trap_exit", ERLDIST_TRAP_EXIT, R_PROC, 1, 1, 0, 2),
	OPTION_TERM("set_exit_reason", 3, ERLDIST_EXIT_REASON, R_PROC, G_REASON),
	{ "set_mailbox", 0, 2, 0, PARAMS(
		RES("process", R_PROC), PICK("local", 5000, 20000, 0, 1, 100, 1000000),
		PICK("hard", 0, 5000, 1, 100, 1000000, UINT64_MAX),), call_set_mailbox },
	OPTION_U32("set_recvto", ERLDIST_RECVTO, R_PROC, 1, 1, 0),
	{ "attach", 0, 7, ERLDIST_ATTACH, PARAMS(
		RES("port", R_FRESH), RES("process", R_PROC),), call_set_fd },
	{ "set_owner", 0, 7, 0, PARAMS(
		RES("process", R_PROC), RES_MAYBE("child", R_CHILD),
		PICK("value", 0, 0xffffffff, 1, 2),), call_set_owner },
	OPTION_U32("set_kill_signal", ERLDIST_KILL_SIGNAL, R_PROC, 15, 9, 0, 1),
	OPTION_U32("set_spawn_server", ERLDIST_SPAWN_SERVER, R_PROC, 1, 1, 0),
	/* options of both, and of sockets */
	{ "set_raw", 0, 3, 0, PARAMS(
		RES("socket", R_SOCKET), PICK("level", 0, 0, 0, SOL_SOCKET, 6),
		RANGE("option", 1, 50), TERM("bytes", G_ANY), PICK("len", 5, 9, 0, 1, 2, 0x80000000),),
	  call_set_raw },
	{ "get", 0, 6, 0, PARAMS(
		RES("socket", R_SOCKET), PICK("level", 0, 0, 0, SOL_SOCKET, 6),
		RANGE("option", 1, 50), PICK("len", 4, 66000, 8, 255, 300, 0, 1, 0xffffffff),),
	  call_get },
	/* messages and signals */
	SIGNAL("send", 12, ERLDIST_SIG_MESSAGE, TERM("to", G_ADDRESS), TERM("message", G_ANY),
	       SIG_FLAGS(0, 1), NO_REF),
	SIGNAL("send_asking", 6, ERLDIST_SIG_MESSAGE, TERM("to", G_ADDRESS),
	       TERM("message", G_ANY), ONE_OF("sig_flags", 2, 4, 6, 0xc, 0xe, 7), REF),
	SIGNAL("send_connected", 4, ERLDIST_SIG_MESSAGE, TERM_ODD("to", G_ADDRESS),
	       TERM("message", G_ANY), SIG_FLAGS(0, 1), NO_REF),
	SIGNAL("exit2", 5, ERLDIST_SIG_EXIT, TERM("to", G_PID), TERM("reason", G_REASON),
	       SIG_FLAGS(0, 1), NO_REF),
	SIGNAL("link", 6, ERLDIST_SIG_LINK, TERM("to", G_PID), NO_PAYLOAD, SIG_FLAGS(0, 1),
	       NO_REF),
	SIGNAL("unlink", 5, ERLDIST_SIG_UNLINK, TERM("from", G_PID), NO_PAYLOAD,
	       SIG_FLAGS(0, 1), NO_REF),
	SIGNAL("monitor", 7, ERLDIST_SIG_MONITOR, TERM("to", G_ADDRESS), NO_PAYLOAD,
	       ONE_OF("sig_flags", 0, 0, 1, 4, 0xc), REF),
	SIGNAL("demonitor", 5, ERLDIST_SIG_DEMONITOR, NO_DEST, NO_PAYLOAD,
	       SIG_FLAGS(0, 0x10), REF),
	SIGNAL("alias", 4, ERLDIST_SIG_ALIAS, NO_DEST, NO_PAYLOAD, SIG_FLAGS(0, 8), REF),
	SIGNAL("unalias", 3, ERLDIST_SIG_UNALIAS, NO_DEST, NO_PAYLOAD, SIG_FLAGS(0, 0), REF),
	SIGNAL("monitor_node", 5, ERLDIST_SIG_MONITOR_NODE, TERM("node", G_NODE), NO_PAYLOAD,
	       ONE_OF("sig_flags", 0, 0, 1, 0x20), NO_REF),
	SIGNAL("monitor_nodes", 4, ERLDIST_SIG_MONITOR_NODES, NO_DEST, NO_PAYLOAD,
	       ONE_OF("sig_flags", 0x40, 0x80, 0xc0, 0x20, 0), NO_REF),
	SIGNAL("spawn", 7, ERLDIST_SIG_SPAWN, TERM("node", G_NODE), TERM("request", G_SPAWN),
	       SIG_FLAGS(0, 1), REF),
	SIGNAL("spawn_answer", 5, ERLDIST_SIG_SPAWN_ANSWER, TERM("ref", G_SEEN_REF),
	       TERM("answer", G_ANSWER), SIG_FLAGS(0, 0x100), NO_REF),
	SIGNAL("signal_down", 1, ERLDIST_SIG_DOWN, TERM("to", G_ADDRESS), NO_PAYLOAD,
	       ALL_SIG_FLAGS, NO_REF),
	SIGNAL("signal_any", 1, 77, TERM("to", G_ADDRESS), TERM("payload", G_ANY), ALL_SIG_FLAGS,
	       NO_REF),
	{ "flood", 0, 4, 0, PARAMS(
		RES("process", R_PROC), TERM("to", G_PID), PICK("count", 1000, 30, 3, 200),
		RANGE("size", 1, 200), PICK("scale", 1, 1, 8, 100, 230), PICK("exit", 0, 1),
		PICK("waits", 1, 1, 0),), call_flood },
	{ "receive", 0, 12, 0, PARAMS(
		RES("socket", R_PROC), FD_FLAGS, PICK("size", 66000, 4096, 0, 1, 30),
		PICK("room", 2600, 2600, 0, 16, 40, 100),), call_receive },
	{ "receive_event", 0, 6, 1, PARAMS(
		RES("node", R_NODE), FD_FLAGS, PICK("size", 66000, 4096, 0, 1, 30),
		PICK("room", 2600, 0),), call_receive },
	{ "recvmmsg", 0, 1, 0, PARAMS(RES("socket", R_PROC), FD_FLAGS,), call_mmsg },
	{ "sendmmsg", 0, 1, 1, PARAMS(RES("socket", R_PROC), FD_FLAGS,), call_mmsg },
	{ 0 }
};
