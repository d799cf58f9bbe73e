// SPDX-License-Identifier: GPL-2.0-only
/*
 * Descriptions of the peer's side: streams handed over, handshakes right, wrong and
 * bent, frames and fragments with every control message. What the node sends is read
 * and must be what the protocol allows.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "hunt.h"

#define STEP_MS		100	/* longest wait for a step of a handshake */
#define HEADER_FLAGS	(FLAG_FRAGMENTS | 0x2000)

/* syncs of struct wire is not used here: not 0, what was sent was no valid term */
static void mark_bent(struct wire *w)
{
	w->syncs = 1;
}

static bool has_bend(const struct cursor *c)
{
	for (size_t i = 0; i < c->left; i++)
		if (c->a[i].kind == A_BEND || c->a[i].kind == A_RAW)
			return true;
	return false;
}

static const char *cookie_of(uint64_t which)
{
	static const char *const cookies[] = { COOKIE, "other", "", "x" };

	return cookies[which & 3];
}

static void our_end(int fd)
{
	const struct timeval soon = { .tv_usec = STEP_MS * 1000 };

	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof(soon));
}

/* What both have agreed on, if the peer is in state up at all */
static void agree(struct wire *w, int node)
{
	uint64_t flags = DEFAULT_FLAGS;
	socklen_t len = sizeof(flags);

	getsockopt(node, SOL_ERLDIST, ERLDIST_FLAGS, &flags, &len);
	w->header = w->flags & flags & HEADER_FLAGS;
}

struct peer_end {
	struct channel channel;
	int node;
	int carrier;
};

/* A stream whose one end is the node's from now on */
static long hand_over(struct cursor *c, struct peer_end *e, const char *name)
{
	struct wire *w = &c->out->wire;
	int sv[2], err;

	err = hunt_pair(c, e->carrier % 3, sv);
	if (err)
		return err;
	our_end(sv[1]);
	wire_init(w, sv[1], name);
	if (e->channel.flags)
		w->flags = e->channel.flags;
	if (e->channel.creation)
		w->creation = e->channel.creation;
	if (e->channel.framing)
		w->length_bytes = e->channel.framing == 4 ? 4 : 2;
	e->channel.fd = sv[0];
	err = node_channel(e->node, &e->channel);
	close(sv[0]);
	agree(w, e->node);
	make_fd(c, sv[1], R_WIRE);
	return err;
}

static long call_hand_over(struct cursor *c)
{
	struct peer_end e = { .node = arg_fd(c) };
	const char *name;
	DEFINE_BUF(data);

	e.carrier = arg_int(c);
	e.channel.role = arg_int(c);
	name = name_text(arg_int(c));
	if (e.channel.role != ERLDIST_ROLE_ACCEPTOR)
		e.channel.peer = name;
	e.channel.framing = arg_int(c);
	e.channel.tag = arg_int(c);
	e.channel.flags = arg_int(c);
	e.channel.creation = arg_int(c);
	if (arg_term(c, &data))
		e.channel.data = &data;
	return hand_over(c, &e, name);
}

/* Any descriptor, as a stream */
static long call_hand_over_fd(struct cursor *c)
{
	struct channel ch = { 0 };
	int node = arg_fd(c);

	ch.fd = arg_fd(c);
	ch.role = arg_int(c);
	ch.peer = ch.role == ERLDIST_ROLE_ACCEPTOR ? NULL : name_text(arg_int(c));
	ch.flags = DEFAULT_FLAGS;
	ch.creation = 77;
	return node_channel(node, &ch);
}

/* The handshake was done elsewhere: up at once */
static long call_ready(struct cursor *c)
{
	struct peer_end e = { .node = arg_fd(c), .channel.role = ERLDIST_ROLE_READY };
	socklen_t len = sizeof(c->out->wire.peer_creation);
	long err;

	e.carrier = arg_int(c);
	e.channel.peer = name_text(arg_int(c));
	e.channel.flags = arg_int(c);
	e.channel.creation = arg_int(c);
	err = hand_over(c, &e, e.channel.peer);
	getsockopt(e.node, SOL_ERLDIST, ERLDIST_CREATION, &c->out->wire.peer_creation, &len);
	return err;
}

/* Handshake. bend: which message is bent (from 1), and how */

enum { BEND_NONE, BEND_DIGEST, BEND_LENGTH, BEND_TAG, BEND_BYTE, BEND_STOP, BEND_TWICE };

struct bend {
	unsigned int step, how, at;
};

static int send_step(struct wire *w, struct buf *b, struct bend *x)
{
	int err;

	if (!x->step || --x->step)
		return hs_send(w, b);
	switch (x->how) {
	case BEND_DIGEST:
		b->p[b->len - 1] ^= 1;
		break;
	case BEND_LENGTH:
		b->len = x->at % (b->len + 1);
		break;
	case BEND_TAG:
		b->p[0] = x->at;
		break;
	case BEND_BYTE:
		b->p[x->at % b->len] ^= 1 << (x->at >> 8 & 7);
		break;
	case BEND_STOP:
		return -ECANCELED;
	case BEND_TWICE:
		err = hs_send(w, b);
		if (err)
			return err;
	}
	return hs_send(w, b);
}

static int take_status(struct wire *w, const struct buf *b, struct bend *x)
{
	DEFINE_BUF(answer);

	if (hs_is_status(b, "ok") || hs_is_status(b, "ok_simultaneous"))
		return 0;
	if (!hs_is_status(b, "alive"))
		return -EPROTO;
	hs_status(&answer, x->at & 1 ? "true" : "false");
	return send_step(w, &answer, x);
}

static int initiate(struct wire *w, struct bend *x)
{
	DEFINE_BUF(b);
	int err;

	hs_name(w, &b);
	err = send_step(w, &b, x);
	if (!err)
		err = hs_recv(w, &b, STEP_MS);
	if (!err)
		err = take_status(w, &b, x);
	if (!err)
		err = hs_recv(w, &b, STEP_MS);
	if (err)
		return err;
	if (!hs_take_challenge(w, &b))
		return -EPROTO;
	b.len = 0;
	hs_reply(w, &b);
	err = send_step(w, &b, x);
	return err ? err : hs_recv(w, &b, STEP_MS);
}

static int accept_one(struct wire *w, struct bend *x, const char *status)
{
	DEFINE_BUF(b);
	int err = hs_recv(w, &b, STEP_MS);

	if (err)
		return err;
	if (!hs_take_name(w, &b))
		return -EPROTO;
	b.len = 0;
	hs_status(&b, status);
	err = send_step(w, &b, x);
	if (err)
		return err;
	if (!strcmp(status, "alive"))
		hs_recv(w, &b, STEP_MS);
	b.len = 0;
	hs_challenge(w, &b);
	err = send_step(w, &b, x);
	if (!err)
		err = hs_recv(w, &b, STEP_MS);
	if (err)
		return err;
	if (!hs_take_reply(w, &b))
		return -EPROTO;
	b.len = 0;
	hs_ack(w, &b);
	return send_step(w, &b, x);
}

static const char *const statuses[] = {
	"ok", "ok_simultaneous", "nok", "not_allowed", "alive", "named:", "ok ", "",
};

static long shake(struct wire *w, uint64_t role, struct bend *x, uint64_t status)
{
	if (role == ERLDIST_ROLE_INITIATOR)
		return accept_one(w, x, statuses[status % ARRAY_SIZE(statuses)]);
	return initiate(w, x);
}

static long call_connect_peer(struct cursor *c)
{
	struct peer_end e = { .node = arg_fd(c) };
	struct bend none = { 0 };
	uint64_t cookie, flags, creation;
	const char *name;
	long err;

	e.carrier = arg_int(c);
	e.channel.role = arg_int(c);
	name = name_text(arg_int(c));
	cookie = arg_int(c);
	flags = arg_int(c);
	creation = arg_int(c);
	e.channel.tag = arg_int(c);
	if (e.channel.role == ERLDIST_ROLE_INITIATOR)
		e.channel.peer = name;
	err = hand_over(c, &e, name);
	/* The handshake says them. */
	if (flags)
		c->out->wire.flags = flags;
	if (creation)
		c->out->wire.creation = creation;
	agree(&c->out->wire, e.node);
	c->out->wire.cookie = cookie_of(cookie);
	none.at = 1;
	return err ? err : shake(&c->out->wire, e.channel.role, &none, 0);
}

static long call_handshake(struct cursor *c)
{
	struct result *r = arg_res(c);
	uint64_t role = arg_int(c), status;
	struct bend x;

	x.step = arg_int(c);
	x.how = arg_int(c);
	x.at = arg_int(c);
	status = arg_int(c);
	if (!r)
		return -EBADF;
	return shake(&r->wire, role, &x, status);
}

/* One message of a handshake, whatever it is the turn for */
static long call_hs_message(struct cursor *c)
{
	struct result *r = arg_res(c);
	uint64_t kind = arg_int(c), v = arg_int(c);
	DEFINE_BUF(b);

	if (!r)
		return -EBADF;
	switch (kind) {
	case 'N':
		if (v & 1)
			hs_challenge(&r->wire, &b);
		else
			hs_name(&r->wire, &b);
		break;
	case 's':
		hs_status(&b, statuses[v % ARRAY_SIZE(statuses)]);
		break;
	case 'r':
		hs_reply(&r->wire, &b);
		break;
	case 'a':
		hs_ack(&r->wire, &b);
		break;
	case 'n':
		buf_u8(&b, 'n');
		buf_be16(&b, 5);
		buf_be32(&b, (uint32_t)DEFAULT_FLAGS);
		buf_add(&b, r->wire.name, strlen(r->wire.name));
		break;
	default:
		buf_u8(&b, kind);
		buf_be64(&b, v);
	}
	return hs_send(&r->wire, &b);
}

/* Two nodes of the kernel, connected to each other */
static long call_join(struct cursor *c)
{
	int a = arg_fd(c), b = arg_fd(c), carrier = arg_int(c), sv[2], err;
	struct sockaddr_storage name = { 0 };
	socklen_t len = sizeof(name);
	const uint8_t *term = (uint8_t *)&name + 2;
	char text[256];

	if (getsockname(b, (void *)&name, &len))
		return -errno;
	if (len < 5 || len > sizeof(name) || term[0] != 119 || len < 4u + term[1])
		return -EINVAL;
	memcpy(text, term + 2, term[1]);
	text[term[1]] = 0;
	err = hunt_pair(c, carrier % 3, sv);
	if (err)
		return err;
	err = node_accept(b, sv[1], 5);
	if (!err)
		err = node_dial(a, sv[0], text, 6);
	close(sv[0]);
	close(sv[1]);
	return err;
}

/* Frames */

static long write_frame(struct wire *w, const struct buf *b, uint64_t bend)
{
	DEFINE_BUF(out);

	buf_add(&out, b->p, b->len);
	if (bend) {
		mark_bent(w);
		if (bend & 1 && out.len > 4)
			out.p[3] += bend >> 8;
		if (bend & 2)
			out.len = (bend >> 16) % (out.len + 1);
		if (bend & 4)
			out.p[(bend >> 16) % out.len] ^= 1 << (bend >> 8 & 7);
	}
	return wire_write(w, out.p, out.len);
}

static long call_frame(struct cursor *c)
{
	struct result *r = arg_res(c);
	bool payload, header, bent = has_bend(c);
	uint64_t mode, bend;
	DEFINE_BUF(ctl);
	DEFINE_BUF(msg);
	DEFINE_BUF(b);

	arg_term(c, &ctl);
	payload = arg_term(c, &msg);
	mode = arg_int(c);
	bend = arg_int(c);
	if (!r)
		return -EBADF;
	if (bent)
		mark_bent(&r->wire);
	header = r->wire.header;
	if (mode == 1)
		r->wire.header = !header;
	wire_frame(&r->wire, &b, &ctl, payload ? &msg : NULL);
	r->wire.header = header;
	return write_frame(&r->wire, &b, bend);
}

/* The same message many times, until the node takes no more, so that its pool fills */
static long call_frame_flood(struct cursor *c)
{
	static uint8_t big[60000];
	struct result *r = arg_res(c);
	uint64_t count, size;
	bool bent = has_bend(c);
	unsigned int n = 0;
	DEFINE_BUF(ctl);
	DEFINE_BUF(msg);
	DEFINE_BUF(b);

	arg_term(c, &ctl);
	count = arg_int(c) & 0x3ff;
	size = arg_int(c);
	size = size * arg_int(c) % sizeof(big);
	if (!r)
		return -EBADF;
	if (bent)
		mark_bent(&r->wire);
	fmt(&msg, "B", big, (size_t)size);
	wire_frame(&r->wire, &b, &ctl, &msg);
	while (n < count && !wire_write(&r->wire, b.p, b.len))
		n++;
	/* the rest of the last one is not there */
	if (n < count)
		mark_bent(&r->wire);
	return n;
}

/* A message in parts, all of them, or without the last */
static long call_fragmented(struct cursor *c)
{
	struct result *r = arg_res(c);
	uint64_t seq, parts, leave;
	bool bent = has_bend(c);
	size_t at = 0;
	long err = 0;
	DEFINE_BUF(ctl);
	DEFINE_BUF(msg);

	arg_term(c, &ctl);
	arg_term(c, &msg);
	seq = arg_int(c);
	parts = arg_int(c) & 63;
	leave = arg_int(c);
	if (!r)
		return -EBADF;
	if (bent)
		mark_bent(&r->wire);
	for (uint64_t id = parts; id > leave && !err; id--) {
		size_t len = id == 1 ? msg.len - at : msg.len / parts;
		DEFINE_BUF(b);

		wire_fragment(&b, id == parts ? 69 : 70, seq, id, id == parts ? &ctl : NULL,
			      msg.p + at, len);
		err = wire_write(&r->wire, b.p, b.len);
		at += len;
	}
	return err;
}

static long call_fragment(struct cursor *c)
{
	struct result *r = arg_res(c);
	uint64_t type = arg_int(c), seq = arg_int(c), id = arg_int(c), bend;
	DEFINE_BUF(ctl);
	DEFINE_BUF(part);
	DEFINE_BUF(b);
	bool control;

	control = arg_term(c, &ctl);
	arg_term(c, &part);
	bend = arg_int(c);
	if (!r)
		return -EBADF;
	mark_bent(&r->wire);
	wire_fragment(&b, type, seq, id, control ? &ctl : NULL, part.p, part.len);
	return write_frame(&r->wire, &b, bend);
}

static long call_tick(struct cursor *c)
{
	struct result *r = arg_res(c);

	return r ? wire_tick(&r->wire) : -EBADF;
}

static long call_wire_raw(struct cursor *c)
{
	struct result *r = arg_res(c);
	DEFINE_BUF(b);

	arg_term(c, &b);
	if (!r)
		return -EBADF;
	mark_bent(&r->wire);
	return wire_write(&r->wire, b.p, b.len);
}

/* One byte at a time, so that every state of the reader is met */
static long call_dribble(struct cursor *c)
{
	struct result *r = arg_res(c);
	int one = 1;
	long err = 0;
	DEFINE_BUF(ctl);
	DEFINE_BUF(msg);
	DEFINE_BUF(b);

	arg_term(c, &ctl);
	arg_term(c, &msg);
	if (!r)
		return -EBADF;
	mark_bent(&r->wire);
	setsockopt(r->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	wire_frame(&r->wire, &b, &ctl, &msg);
	for (size_t i = 0; i < b.len && i < 300 && !err; i++)
		err = wire_write(&r->wire, b.p + i, i < 150 ? 1 : b.len - i);
	return err;
}

/* What the node sends */

/*
 * Elements of what a node may send: p a pid that was, o the same or <Node.0.0>, from
 * which the node itself answers, q a pid or a name, r a reference, else anything. + a
 * payload follows, - none does
 */
static const struct sent_form {
	uint8_t op;
	char payload;
	const char *elements;
} sent_forms[] = {
	{ 1, '-', "pp" }, { 2, '+', "ep" }, { 3, '-', "ppx" }, { 6, '+', "pen" },
	{ 8, '-', "ppx" }, { 19, '-', "pqr" }, { 20, '-', "pqr" }, { 21, '-', "qprx" },
	{ 22, '+', "op" }, { 24, '+', "pp" }, { 26, '+', "pp" }, { 28, '+', "qpr" },
	{ 29, '+', "rpxxx" }, { 31, '-', "rpxx" }, { 33, '+', "or" }, { 35, '-', "xpp" },
	{ 36, '-', "xpp" }, { 37, '+', "xox" },
};

static bool is_pid_term(const uint8_t *p, size_t len)
{
	return len > 14 && p[0] == 88;
}

static bool is_pid(const uint8_t *p, size_t len)
{
	return is_pid_term(p, len) && (get32(p + len - 12) || get32(p + len - 8));
}

static bool is_ref(const uint8_t *p, size_t len)
{
	return len > 12 && p[0] == 90 && get16(p + 1);
}

static bool element_ok(char element, const uint8_t *p, size_t len)
{
	switch (element) {
	case 'p':
		return is_pid(p, len);
	case 'o':
		return is_pid_term(p, len);
	case 'q':
		return is_pid(p, len) || *p == 119 || *p == 118;
	case 'r':
		return is_ref(p, len);
	}
	return true;
}

static bool control_ok(const uint8_t *p, size_t len, bool payload)
{
	const struct sent_form *f;
	size_t at = 4;

	if (len < 4 || p[0] != 104 || p[2] != 97)
		return false;
	for (f = sent_forms; f < sent_forms + ARRAY_SIZE(sent_forms) && f->op != p[3]; f++)
		;
	if (f == sent_forms + ARRAY_SIZE(sent_forms) || p[1] != strlen(f->elements) + 1 ||
	    payload != (f->payload == '+'))
		return false;
	for (const char *e = f->elements; *e; e++) {
		ssize_t n = term_len(p + at, len - at);

		if (n < 0 || !element_ok(*e, p + at, n))
			return false;
		at += n;
	}
	return true;
}

static void look_at_frame(struct cursor *c, struct result *r, const uint8_t *p, size_t len)
{
	size_t head = r->wire.header ? 3 : 2;
	bool fragment = len > 1 && p[0] == 131 && p[1] == 69;
	ssize_t n;

	if (fragment)
		head = 19;
	if (len < head || (len > 1 && p[0] == 131 && p[1] == 70))
		return;
	n = term_len(p + head, len - head);
	if (n < 0)
		return;
	seen_terms(r, p + head, n);
	if (!r->wire.syncs && !control_ok(p + head, n, fragment || len > head + n)) {
		char hex[3 * 120 + 1] = "";

		for (ssize_t i = 0; i < n && i < 120; i++)
			snprintf(hex + 3 * i, 4, " %02x", p[head + i]);
		violation(c, "a frame that no node may send (payload: %zd bytes):%s",
			  len - head - n, hex);
	}
}

/* Reads what came, and looks at the frames that are whole and not too long */
static long drain(struct cursor *c, struct result *r)
{
	static __thread uint8_t b[70000];
	uint32_t held;
	size_t at = 0, len;
	ssize_t n;

	held = __atomic_exchange_n(&r->buffered, 0, __ATOMIC_ACQ_REL);
	if (held == UINT32_MAX || held > sizeof(r->buffer))
		held = 0;
	memcpy(b, r->buffer, held);
	n = recv(r->fd, b + held, sizeof(b) - held, MSG_DONTWAIT);
	if (n <= 0)
		return n ? -errno : 0;
	len = held + n;
	while (len - at >= 4) {
		uint32_t size = get32(b + at);

		if (size > len - at - 4)
			break;
		if (size)
			look_at_frame(c, r, b + at + 4, size);
		at += 4 + size;
	}
	if (len - at <= sizeof(r->buffer)) {
		memcpy(r->buffer, b + at, len - at);
		r->buffered = len - at;
	} else {
		/* the rest of a long one is not looked at: out of step from now on */
		mark_bent(&r->wire);
	}
	return n;
}

static long call_drain(struct cursor *c)
{
	struct result *r = arg_res(c);

	if (!r)
		return -EBADF;
	poll_for(r->fd, POLLIN, COME_MS);
	return drain(c, r);
}

/* What came on the streams of a program, at its end */
void hunt_drain(struct shared *s)
{
	struct cursor c = { .s = s };

	for (unsigned int i = 0; i < s->prog.n_calls; i++)
		if (s->res[i].type == R_WIRE)
			for (unsigned int k = 0; k < 20 && drain(&c, &s->res[i]) > 0; k++)
				;
}

static long call_wire_shut(struct cursor *c)
{
	struct result *r = arg_res(c);
	int how = arg_int(c);
	struct linger l = { .l_onoff = 1 };

	if (!r)
		return -EBADF;
	if (how == 3)
		setsockopt(r->fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	return how == 3 ? close(r->fd) : shutdown(r->fd, how);
}

#define CARRIER		PICK("carrier", CARRIER_TCP4, CARRIER_UNIX, CARRIER_TCP6)
#define PEER_FLAGS	PICK("flags", DEFAULT_FLAGS, DEFAULT_FLAGS & ~FLAG_FRAGMENTS,	\
			     DEFAULT_FLAGS | 1, MANDATORY_FLAGS, 0, UINT64_MAX,		\
			     DEFAULT_FLAGS & ~FLAG_EXIT_PAYLOAD, DEFAULT_FLAGS & ~FLAG_ALIAS, \
			     DEFAULT_FLAGS & ~FLAG_ALTACT_SIG, DEFAULT_FLAGS & ~0x28ULL)
#define ROLE		PICK("role", ERLDIST_ROLE_ACCEPTOR, ERLDIST_ROLE_INITIATOR,	\
			     ERLDIST_ROLE_READY, 0, 4)
#define TAG		PICK("tag", 1, 2, 3, 0)
#define CREATION	PICK("creation", 0x11223344, 5, 0)
#define FRAME(name, weight, control, payload)	{ name, 0, weight, 0, PARAMS(		\
		RES("wire", R_WIRE), TERM("control", control), TERM("payload", payload), \
		PICK("mode", 0, 0), PICK("bend", 0, 0),), call_frame }
#define FRAME_BEND	PICK("bend", 0, 0, 0, 0x101, 0x50002, 0xa0304, 0x140104, 0x20002)

const struct desc wire_table[] = {
	{ "hand_over", R_WIRE, 3, 0, PARAMS(
		RES("node", R_NODE), CARRIER, ROLE, PEER_PICK("name"), PICK("framing", 2, 4, 0, 3),
		TAG, PICK("flags", 0, 0, DEFAULT_FLAGS, UINT64_MAX), PICK("creation", 0, 0, 5),
		TERM_ODD("data", G_CONTROL),), call_hand_over },
	{ "hand_over_data", R_WIRE, 1, 0, PARAMS(
		RES("node", R_NODE), CARRIER, PICK("role", ERLDIST_ROLE_READY, ERLDIST_ROLE_READY),
		PEER_PICK("name"), PICK("framing", 2, 2, 4), TAG, PEER_FLAGS, CREATION,
		TERM("data", G_CONTROL),), call_hand_over },
	{ "hand_over_fd", 0, 2, 0, PARAMS(
		RES("node", R_NODE), RES("fd", R_ANY_FD), ROLE, PEER_PICK("name"),),
	  call_hand_over_fd },
	{ "ready", R_WIRE, 8, 0, PARAMS(
		RES("node", R_NODE), CARRIER, PEER_PICK("name"), PEER_FLAGS, CREATION,),
	  call_ready },
	{ "connect_peer", R_WIRE, 5, 0, PARAMS(
		RES("node", R_NODE), CARRIER,
		PICK("role", ERLDIST_ROLE_ACCEPTOR, ERLDIST_ROLE_INITIATOR), PEER_PICK("name"),
		PICK("cookie", 0, 0, 1, 2), PEER_FLAGS, CREATION, TAG,), call_connect_peer },
	{ "handshake", 0, 3, 0, PARAMS(
		RES("wire", R_WIRE), PICK("role", ERLDIST_ROLE_ACCEPTOR, ERLDIST_ROLE_INITIATOR),
		RANGE("step", 0, 4), RANGE("how", 0, BEND_TWICE), RANGE("at", 0, 4095),
		PICK("status", 0, 1, 2, 3, 4, 5, 6, 7),), call_handshake },
	{ "hs_message", 0, 3, 0, PARAMS(
		RES("wire", R_WIRE), PICK("kind", 'N', 's', 'r', 'a', 'n', 'c', 0),
		RANGE("value", 0, 15),), call_hs_message },
	{ "join", 0, 4, 0, PARAMS(RES("from", R_NODE), RES("to", R_NODE), CARRIER,), call_join },
	{ "frame", 0, 18, 0, PARAMS(
		RES("wire", R_WIRE), TERM("control", G_CONTROL), TERM_MAYBE("payload", G_ANY),
		PICK("mode", 0, 0, 0, 0, 1), FRAME_BEND,), call_frame },
	FRAME("frame_plain", 8, G_CONTROL, G_ANY), FRAME("frame_link", 4, G_LINK_CONTROL, G_ANY),
	FRAME("frame_monitor", 4, G_MONITOR_CONTROL, G_ANY),
	FRAME("frame_message", 4, G_MESSAGE_CONTROL, G_ANY),
	FRAME("frame_call", 3, G_MESSAGE_CONTROL, G_REQUEST),
	FRAME("frame_exit", 4, G_EXIT_CONTROL, G_REASON),
	FRAME("frame_spawn", 4, G_SPAWN_REQUEST, G_ARGUMENTS),
	FRAME("frame_spawn_reply", 3, G_SPAWN_REPLY, G_ANY),
	{ "frame_flood", 0, 4, 0, PARAMS(
		RES("wire", R_WIRE), TERM("control", G_MESSAGE_CONTROL),
		PICK("count", 300, 30, 3), RANGE("size", 1, 250), PICK("scale", 4, 20, 1, 200),),
	  call_frame_flood },
	{ "fragmented", 0, 4, 0, PARAMS(
		RES("wire", R_WIRE), TERM("control", G_CONTROL), TERM("payload", G_ANY),
		PICK("seq", 1, 2, 3, UINT64_MAX), PICK("parts", 2, 3, 1, 20, 63),
		PICK("leave", 0, 0, 1),), call_fragmented },
	{ "fragment", 0, 3, 0, PARAMS(
		RES("wire", R_WIRE), PICK("type", 69, 70, 68, 71), PICK("seq", 1, 2, 3, UINT64_MAX),
		PICK("id", 2, 1, 0, 3, 4096, 4097, UINT64_MAX), TERM_MAYBE("control", G_CONTROL),
		TERM("part", G_ANY), FRAME_BEND,), call_fragment },
	{ "tick", 0, 1, 0, PARAMS(RES("wire", R_WIRE),), call_tick },
	{ "wire_raw", 0, 2, 0, PARAMS(RES("wire", R_WIRE), TERM("bytes", G_CONTROL),),
	  call_wire_raw },
	{ "dribble", 0, 1, 0, PARAMS(
		RES("wire", R_WIRE), TERM("control", G_CONTROL), TERM("payload", G_ANY),),
	  call_dribble },
	{ "drain", 0, 10, 0, PARAMS(RES("wire", R_WIRE),), call_drain },
	{ "wire_shut", 0, 2, 0, PARAMS(RES("wire", R_WIRE), PICK("how", 1, 2, 0, 3),),
	  call_wire_shut },
	{ 0 }
};
