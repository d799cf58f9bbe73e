// SPDX-License-Identifier: GPL-2.0-only
/*
 * interop_actor PORT TAG NODE: native processes that do what a controller says.
 *
 * The controller listens at the TCP port PORT of the loopback. Both ways go
 * packets of four bytes of length and a term. First {0, hello, Tag}; then the
 * controller's are lists of {I, Op, T, N, M}, the answers lists of {I, K, T}. I
 * is the number of a process, N that of a monitor or an alias.
 *
 *	spawn T N	is a process named T, that traps exits if N; {I, pid, Pid}
 *	stop		ends without an answer
 *	send T M	sends the message M to T
 *	big T N M	sends {m, N, Binary of M bytes} to T
 *	link T, unlink T
 *	exit T M	exit(T, M)
 *	monitor T N M	M is none, or how an alias ends: demonitor, reply_demonitor
 *	demonitor N M	M is plain or flush
 *	alias N M	M is explicit or reply
 *	unalias N
 *	trap N
 *	hold N		nothing is read before N operations have been done
 *	die T M		ends with the reason M: T is exit (exit/1) or close, which is
 *			answered with {I, closed, 0}: whether an exit signal came
 *			before it is not known
 *
 * What a process asked for with a reference is answered with {I, ref, {N, Ref}}.
 * Each that returned is {I, op, 0}; then all that is in the mailbox is told, and
 * {I, drained, 0}: what is told after that came after the call had returned.
 * What a process receives is {I, got, Message}, its end {I, dead, Reason}, what
 * must not be {I, error, {Op, Errno}}.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>

#include "erldist_test.h"

#define BUCKETS	4096
#define EVENTS	64
#define LONGEST	(1 << 20)
#define LARGE	4096		/* of what is longer only number and size are told */
#define REFS	64		/* numbers that proc_refs() gives at once */

struct actor {
	struct actor *next;
	int64_t id;
	int fd;
	struct epid self;
	uint64_t ref, refs_end;	/* numbers of references for it */
	struct asked {
		int64_t n;
		uint64_t ref;
	} *asked;
	unsigned int n_asked;
	unsigned int held;	/* operations until what has come is read */
	unsigned int unread;	/* that were done meanwhile */
};

struct command {
	int64_t id;
	char op[512];
	struct slice t;
	int64_t n;
	struct slice m;
};

static struct actor *actors[BUCKETS];
static const char *node_name;
static int poller;
static struct buf out;		/* answers that are not sent yet */
static uint32_t n_out;

/* Answers */

static void tell(int64_t id, const char *what, const struct buf *t)
{
	if (!n_out)
		buf_hex(&out, "00000000 83 6c 00000000");
	n_out++;
	if (t)
		fmt(&out, "{uat}", (uint64_t)id, what, t);
	else
		fmt(&out, "{uai}", (uint64_t)id, what, 0);
}

static void put_length(uint8_t *p, uint32_t v)
{
	v = htonl(v);
	memcpy(p, &v, sizeof(v));
}

static void flush_out(int control)
{
	size_t at = 0;
	ssize_t n;

	if (!n_out)
		return;
	buf_u8(&out, 106);
	put_length(out.p, out.len - 4);
	put_length(out.p + 6, n_out);
	while (at < out.len) {
		n = write(control, out.p + at, out.len - at);
		if (n < 0)
			die("write to the controller: %s", strerror(errno));
		at += n;
	}
	out.len = 0;
	n_out = 0;
}

static void tell_error(int64_t id, const char *op, int err)
{
	DEFINE_BUF(t);

	tell(id, "error", term(&t, "{ai}", op, err));
}

/* Processes */

static struct actor **find(int64_t id)
{
	struct actor **a = &actors[(uint64_t)id * 2654435761U % BUCKETS];

	while (*a && (*a)->id != id)
		a = &(*a)->next;
	return a;
}

static void drop(int64_t id)
{
	struct actor **at = find(id), *a = *at;

	*at = a->next;
	close(a->fd);
	free(a->asked);
	free(a);
}

static int set_trap(int fd, uint32_t on)
{
	return setsockopt(fd, SOL_ERLDIST, ERLDIST_TRAP_EXIT, &on, sizeof(on)) ? -errno : 0;
}

static void start(const struct command *c)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u64 = c->id };
	struct actor *a = calloc(1, sizeof(*a));
	char name[512];
	DEFINE_BUF(pid);

	if (!a || scan(c->t.p, c->t.len, "a", name) < 0)
		die("spawn");
	a->id = c->id;
	a->fd = proc(name, node_name);
	if (set_trap(a->fd, c->n))
		die("ERLDIST_TRAP_EXIT: %s", strerror(errno));
	proc_self(a->fd, &a->self);
	if (epoll_ctl(poller, EPOLL_CTL_ADD, a->fd, &e))
		die("epoll_ctl: %s", strerror(errno));
	*find(c->id) = a;
	tell(c->id, "pid", fmt(&pid, "p", &a->self));
}

static uint64_t asked_ref(const struct actor *a, int64_t n)
{
	for (unsigned int i = a->n_asked; i--;)
		if (a->asked[i].n == n)
			return a->asked[i].ref;
	return 0;
}

/* A reference of its own for the monitor or alias n */
static uint64_t new_ref(struct actor *a, int64_t n)
{
	if (a->ref == a->refs_end) {
		a->ref = proc_refs(a->fd);
		a->refs_end = a->ref + REFS;
	}
	a->asked = reallocarray(a->asked, a->n_asked + 1, sizeof(*a->asked));
	if (!a->asked)
		die("memory");
	a->asked[a->n_asked++] = (struct asked){ n, a->ref };
	return a->ref++;
}

static void tell_ref(const struct actor *a, int64_t n, uint64_t number)
{
	struct eref ref = { .creation = a->self.creation, .n = 3,
			    .word = { number & 0x3ffff, number >> 18, a->self.id } };
	DEFINE_BUF(t);

	snprintf(ref.node, sizeof(ref.node), "%s", a->self.node);
	tell(a->id, "ref", fmt(&t, "{ur}", (uint64_t)n, &ref));
}

/* Receiving */

struct received {
	struct buf term;
	int flags;
	struct erldist_signal sig;
};

static int receive(int fd, struct received *r)
{
	static uint8_t bytes[LONGEST];
	char control[1024] __aligned(8);
	struct iovec iov = { bytes, sizeof(bytes) };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			    .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(fd, &h, MSG_DONTWAIT);
	struct cmsghdr *c;

	if (n < 0)
		return -errno;
	r->term = (struct buf){ bytes, n };
	r->flags = h.msg_flags;
	memset(&r->sig, 0, sizeof(r->sig));
	for (c = CMSG_FIRSTHDR(&h); c; c = CMSG_NXTHDR(&h, c))
		if (c->cmsg_level == SOL_ERLDIST && c->cmsg_type == ERLDIST_SIGNAL)
			memcpy(&r->sig, CMSG_DATA(c), sizeof(r->sig));
	return 0;
}

/* What comes beside the term says the same as the term. */
static bool agrees(const struct actor *a, const struct received *r)
{
	bool made = r->flags & ERLDIST_MSG_SIGNAL;
	int64_t number, n = r->sig.user_data;
	char what[512];

	if (n && asked_ref(a, n) != r->sig.ref)
		return false;
	if (scan(r->term.p, r->term.len, "{a____}", what) > 0 && !strcmp(what, "DOWN"))
		return made && n && r->sig.op == ERLDIST_SIG_DOWN;
	if (scan(r->term.p, r->term.len, "{a__}", what) > 0 && !strcmp(what, "EXIT"))
		return made && !n && r->sig.op == ERLDIST_SIG_EXIT;
	/* to the alias number */
	if (scan(r->term.p, r->term.len, "{ai_}", what, &number) > 0 && !strcmp(what, "a"))
		return !made && n == number && r->sig.op == ERLDIST_SIG_MESSAGE;
	return !made && !n;
}

static void tell_large(const struct actor *a, const struct received *r)
{
	struct slice bytes;
	char what[512];
	DEFINE_BUF(t);
	int64_t n;

	if (scan(r->term.p, r->term.len, "{ait}", what, &n, &bytes) < 0 || *bytes.p != 109)
		return tell_error(a->id, "large", EBADMSG);
	for (size_t i = 5; i < bytes.len; i++)
		if (bytes.p[i] != (n & 0xff))
			return tell_error(a->id, "large", EILSEQ);
	tell(a->id, "got", fmt(&t, "{auu}", "big", (uint64_t)n, (uint64_t)bytes.len - 5));
}

static void tell_received(const struct actor *a, const struct received *r)
{
	if (!agrees(a, r))
		tell_error(a->id, "signal", EBADMSG);
	if (r->term.len > LARGE)
		tell_large(a, r);
	else
		tell(a->id, "got", &r->term);
}

static void tell_end(int64_t id, int fd, int err)
{
	DEFINE_BUF(reason);

	if (proc_term(fd, ERLDIST_EXIT_STATUS, &reason))
		tell_error(id, "recvmsg", -err);
	else
		tell(id, "dead", &reason);
}

/* All that is there; how much, or negative: the process is no more. */
static int drain(int64_t id)
{
	struct actor *a = *find(id);
	struct received r;
	int n, err = 0;

	if (!a)
		return -ESRCH;
	for (n = 0; !err; n++) {
		err = receive(a->fd, &r);
		if (!err)
			tell_received(a, &r);
	}
	if (err == -EAGAIN)
		return n - 1;
	tell_end(id, a->fd, err);
	drop(id);
	return err;
}

/* Operations */

static int ask(const struct actor *a, const struct command *c, int op, int flags, uint64_t ref)
{
	struct buf dest = { (uint8_t *)c->t.p, c->t.len };

	return proc_ask(a->fd, &(struct to){ .dest = op == ERLDIST_SIG_DEMONITOR ||
						     op == ERLDIST_SIG_ALIAS ||
						     op == ERLDIST_SIG_UNALIAS ? NULL : &dest,
					     .op = op, .sig_flags = flags, .ref = ref,
					     .user_data = ref ? c->n : 0 });
}

static int send_term(const struct actor *a, const struct command *c, int op,
		     const struct slice *t)
{
	struct buf dest = { (uint8_t *)c->t.p, c->t.len }, m = { (uint8_t *)t->p, t->len };
	ssize_t n = proc_sendto(a->fd, &(struct to){ .dest = &dest, .op = op }, &m);

	return n < 0 ? n : 0;
}

static int send_big(const struct actor *a, const struct command *c)
{
	static uint8_t bytes[LONGEST];
	int64_t size;
	DEFINE_BUF(t);

	if (scan(c->m.p, c->m.len, "i", &size) < 0 || size > LONGEST)
		die("size");
	memset(bytes, c->n & 0xff, size);
	fmt(&t, "{auB}", "m", (uint64_t)c->n, bytes, (size_t)size);
	return send_term(a, c, 0, &(struct slice){ t.p, t.len });
}

static int alias_flags(const char *how)
{
	if (!strcmp(how, "none") || !strcmp(how, "explicit"))
		return 0;
	if (!strcmp(how, "reply"))
		return ERLDIST_SIG_F_ONCE;
	if (!strcmp(how, "demonitor"))
		return ERLDIST_SIG_F_ALIAS;
	if (strcmp(how, "reply_demonitor"))
		die("alias %s", how);
	return ERLDIST_SIG_F_ALIAS | ERLDIST_SIG_F_ONCE;
}

static int ask_with_ref(struct actor *a, const struct command *c, int op)
{
	uint64_t ref = new_ref(a, c->n);
	char how[512];
	int err;

	if (scan(c->m.p, c->m.len, "a", how) < 0)
		die("monitor or alias");
	err = ask(a, c, op, alias_flags(how), ref);
	if (!err)
		tell_ref(a, c->n, ref);
	return err;
}

static int demonitor(const struct actor *a, const struct command *c)
{
	char how[512];

	if (scan(c->m.p, c->m.len, "a", how) < 0)
		die("demonitor");
	return ask(a, c, ERLDIST_SIG_DEMONITOR,
		   strcmp(how, "flush") ? 0 : ERLDIST_SIG_F_FLUSH, asked_ref(a, c->n));
}

/* It may have been an address only until the first message. */
static int unalias(const struct actor *a, const struct command *c)
{
	int err = ask(a, c, ERLDIST_SIG_UNALIAS, 0, asked_ref(a, c->n));

	return err == -ENOENT ? 0 : err;
}

static int end_with_close(const struct actor *a, const struct command *c)
{
	struct buf reason = { (uint8_t *)c->m.p, c->m.len };

	if (setsockopt(a->fd, SOL_ERLDIST, ERLDIST_EXIT_REASON, reason.p, reason.len))
		return -errno;
	tell(a->id, "closed", NULL);
	drop(a->id);
	return -ESRCH;
}

static int end(const struct actor *a, const struct command *c)
{
	char how[512];
	DEFINE_BUF(self);

	if (scan(c->t.p, c->t.len, "a", how) < 0)
		die("die");
	/* close() of a process that has ended meanwhile has no say */
	if (!strcmp(how, "close") && !(poll_now(a->fd) & POLLHUP))
		return end_with_close(a, c);
	fmt(&self, "p", &a->self);
	return send_term(a, &(struct command){ .t = { self.p, self.len } }, ERLDIST_SIG_EXIT,
			 &c->m);
}

static int obey(struct actor *a, const struct command *c)
{
	if (!strcmp(c->op, "send"))
		return send_term(a, c, 0, &c->m);
	if (!strcmp(c->op, "big"))
		return send_big(a, c);
	if (!strcmp(c->op, "link"))
		return ask(a, c, ERLDIST_SIG_LINK, 0, 0);
	if (!strcmp(c->op, "unlink"))
		return ask(a, c, ERLDIST_SIG_UNLINK, 0, 0);
	if (!strcmp(c->op, "exit"))
		return send_term(a, c, ERLDIST_SIG_EXIT, &c->m);
	if (!strcmp(c->op, "monitor"))
		return ask_with_ref(a, c, ERLDIST_SIG_MONITOR);
	if (!strcmp(c->op, "alias"))
		return ask_with_ref(a, c, ERLDIST_SIG_ALIAS);
	if (!strcmp(c->op, "demonitor"))
		return demonitor(a, c);
	if (!strcmp(c->op, "unalias"))
		return unalias(a, c);
	if (!strcmp(c->op, "trap"))
		return set_trap(a->fd, c->n);
	if (!strcmp(c->op, "die"))
		return end(a, c);
	return -EOPNOTSUPP;
}

static void tell_drained(int64_t id, unsigned int n)
{
	if (drain(id) < 0)
		return;
	while (n--)
		tell(id, "drained", NULL);
}

/* An operation has returned. Of several the last is done when something may be there. */
static void returned(struct actor *a)
{
	unsigned int n = ++a->unread;

	tell(a->id, "op", NULL);
	if (a->held && --a->held) {
		if (a->held == 1)
			poll_for(a->fd, POLLIN, 10);
		return;
	}
	a->unread = 0;
	tell_drained(a->id, n);
}

static void serve(const struct command *c)
{
	struct actor *a = *find(c->id);
	int err;

	if (!strcmp(c->op, "spawn"))
		return start(c);
	/* It has ended: what it was still to do it does not. */
	if (!a)
		return;
	if (!strcmp(c->op, "stop"))
		return drop(c->id);
	if (!strcmp(c->op, "hold")) {
		a->held = c->n;
		return;
	}
	err = obey(a, c);
	if (!*find(c->id))
		return;
	if (err && err != -EPIPE)
		tell_error(c->id, c->op, -err);
	if (err || !strcmp(c->op, "die")) {
		drain(c->id);
		return;
	}
	returned(a);
}

/* The controller */

static int dial(int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0 || connect(fd, (void *)&a, sizeof(a)))
		die("the controller: %s", strerror(errno));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

/* A list of commands, or [] */
static void read_commands(const uint8_t *p, size_t len)
{
	struct command c;
	size_t at = 6;
	ssize_t n;

	if (len < 2 || p[0] != 131 || (p[1] != 108 && p[1] != 106))
		die("a packet that is no list");
	if (p[1] == 106)
		return;
	for (uint32_t left = get32(p + 2); left; left--) {
		n = scan(p + at, len - at, "{iatit}", &c.id, c.op, &c.t, &c.n, &c.m);
		if (n < 0)
			die("a command that does not parse");
		serve(&c);
		at += n;
	}
}

/* Whole packets of what has come; false at its end */
static bool read_control(int fd)
{
	static struct buf in;
	size_t at = 0, len = in.len;
	ssize_t n = read(fd, buf_grow(&in, LONGEST), LONGEST);

	in.len = len + (n < 0 ? 0 : n);
	if (n <= 0)
		return false;
	while (in.len - at >= 4) {
		len = get32(in.p + at);
		if (in.len - at < 4 + len)
			break;
		read_commands(in.p + at + 4, len);
		at += 4 + len;
	}
	memmove(in.p, in.p + at, in.len - at);
	in.len -= at;
	return true;
}

int main(int argc, char **argv)
{
	struct epoll_event e[EVENTS] = { { .events = EPOLLIN } };
	bool on = true;
	DEFINE_BUF(tag);
	int control, n;

	if (argc != 4)
		die("usage: interop_actor PORT TAG NODE");
	node_name = argv[3];
	control = dial(atoi(argv[1]));
	poller = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_ctl(poller, EPOLL_CTL_ADD, control, e))
		die("epoll_ctl: %s", strerror(errno));
	tell(0, "hello", fmt(&tag, "a", argv[2]));
	while (on) {
		flush_out(control);
		n = epoll_wait(poller, e, EVENTS, -1);
		for (int i = 0; i < n && on; i++) {
			if (e[i].data.u64)
				drain(e[i].data.u64);
			else
				on = read_control(control);
		}
	}
	return 0;
}
