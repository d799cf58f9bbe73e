// SPDX-License-Identifier: GPL-2.0-only
#include "md5.h"
#include "wire_peer.h"

#define HEADER_MODE	(FLAG_FRAGMENTS | 0x2000)

void frame_free(struct frame *f)
{
	buf_free(&f->ctl);
	buf_free(&f->msg);
}

void wire_init(struct wire *w, int fd, const char *name)
{
	memset(w, 0, sizeof(*w));
	w->fd = fd;
	w->cookie = COOKIE;
	w->flags = DEFAULT_FLAGS;
	w->creation = 0x11223344;
	w->challenge = 0x1c1362d2;
	w->length_bytes = 2;
	snprintf(w->name, sizeof(w->name), "%s", name);
}

void wire_close(struct wire *w)
{
	for (int i = 0; i < FRAG_SEQS; i++)
		buf_free(&w->frag[i].data);
	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
}

int wire_read(struct wire *w, void *p, size_t len, int timeout_ms)
{
	uint64_t end = now_ms() + timeout_ms;
	uint8_t *at = p;
	ssize_t n;

	while (len) {
		int64_t left = end - now_ms();

		if (!poll_for(w->fd, POLLIN, left > 0 ? left : 0))
			return -ETIMEDOUT;
		n = recv(w->fd, at, len, MSG_DONTWAIT);
		if (!n)
			return -EPIPE;
		if (n < 0 && errno == EAGAIN)
			continue;
		if (n < 0)
			return -errno;
		at += n;
		len -= n;
	}
	return 0;
}

int wire_write(struct wire *w, const void *p, size_t len)
{
	const uint8_t *at = p;
	ssize_t n;

	while (len) {
		n = send(w->fd, at, len, MSG_NOSIGNAL);
		if (n < 0)
			return -errno;
		at += n;
		len -= n;
	}
	return 0;
}

bool wire_ends(struct wire *w, int timeout_ms)
{
	uint64_t end = now_ms() + timeout_ms;
	uint8_t waste[65536];
	int err;

	while (now_ms() < end) {
		if (!poll_for(w->fd, POLLIN, end - now_ms()))
			return false;
		err = recv(w->fd, waste, sizeof(waste), MSG_DONTWAIT);
		if (!err || (err < 0 && errno != EAGAIN))
			return true;
	}
	return false;
}

/* Handshake */

void hs_name(const struct wire *w, struct buf *b)
{
	size_t n = strlen(w->name);

	buf_u8(b, 'N');
	buf_be64(b, w->flags);
	buf_be32(b, w->creation);
	buf_be16(b, n);
	buf_add(b, w->name, n);
}

void hs_status(struct buf *b, const char *status)
{
	buf_u8(b, 's');
	buf_add(b, status, strlen(status));
}

void hs_challenge(const struct wire *w, struct buf *b)
{
	size_t n = strlen(w->name);

	buf_u8(b, 'N');
	buf_be64(b, w->flags);
	buf_be32(b, w->challenge);
	buf_be32(b, w->creation);
	buf_be16(b, n);
	buf_add(b, w->name, n);
}

static void digest(const struct wire *w, uint32_t challenge, uint8_t out[16])
{
	char text[400];
	int n = snprintf(text, sizeof(text), "%s%u", w->cookie, challenge);

	md5(text, n, out);
}

void hs_reply(const struct wire *w, struct buf *b)
{
	uint8_t d[16];

	digest(w, w->peer_challenge, d);
	buf_u8(b, 'r');
	buf_be32(b, w->challenge);
	buf_add(b, d, 16);
}

void hs_ack(const struct wire *w, struct buf *b)
{
	uint8_t d[16];

	digest(w, w->peer_challenge, d);
	buf_u8(b, 'a');
	buf_add(b, d, 16);
}

int hs_send(struct wire *w, const struct buf *b)
{
	DEFINE_BUF(m);

	if (w->length_bytes == 4)
		buf_be32(&m, b->len);
	else
		buf_be16(&m, b->len);
	buf_add(&m, b->p, b->len);
	return wire_write(w, m.p, m.len);
}

int hs_recv(struct wire *w, struct buf *b, int timeout_ms)
{
	uint8_t len[4];
	size_t n;
	int err;

	b->len = 0;
	err = wire_read(w, len, w->length_bytes, timeout_ms);
	if (err)
		return err;
	n = w->length_bytes == 4 ? get32(len) : get16(len);
	if (n > 65535)
		return -EMSGSIZE;
	return wire_read(w, buf_grow(b, n), n, timeout_ms);
}

static bool take_name_at(struct wire *w, const struct buf *b, size_t at)
{
	size_t n = b->len >= at + 2 ? get16(b->p + at) : 0;

	if (!n || n > 255 || b->len < at + 2 + n)
		return false;
	memcpy(w->peer_name, b->p + at + 2, n);
	w->peer_name[n] = 0;
	return true;
}

bool hs_take_name(struct wire *w, const struct buf *b)
{
	if (b->len < 15 || b->p[0] != 'N')
		return false;
	w->peer_flags = get64(b->p + 1);
	w->peer_creation = get32(b->p + 9);
	return take_name_at(w, b, 13);
}

bool hs_is_status(const struct buf *b, const char *status)
{
	size_t n = strlen(status);

	return b->len == 1 + n && b->p[0] == 's' && !memcmp(b->p + 1, status, n);
}

bool hs_take_challenge(struct wire *w, const struct buf *b)
{
	if (b->len < 19 || b->p[0] != 'N')
		return false;
	w->peer_flags = get64(b->p + 1);
	w->peer_challenge = get32(b->p + 9);
	w->peer_creation = get32(b->p + 13);
	return take_name_at(w, b, 17);
}

bool hs_take_reply(struct wire *w, const struct buf *b)
{
	uint8_t d[16];

	if (b->len != 21 || b->p[0] != 'r')
		return false;
	w->peer_challenge = get32(b->p + 1);
	digest(w, w->challenge, d);
	return !memcmp(d, b->p + 5, 16);
}

bool hs_take_ack(struct wire *w, const struct buf *b)
{
	uint8_t d[16];

	digest(w, w->challenge, d);
	return b->len == 17 && b->p[0] == 'a' && !memcmp(d, b->p + 1, 16);
}

static int hs_done(struct wire *w)
{
	w->header = w->flags & w->peer_flags & HEADER_MODE;
	return 0;
}

int wire_initiate(struct wire *w)
{
	DEFINE_BUF(b);
	int err;

	hs_name(w, &b);
	err = hs_send(w, &b);
	if (!err)
		err = hs_recv(w, &b, WAIT_MS);
	if (err)
		return err;
	if (hs_is_status(&b, "alive")) {
		/* This one takes the place of the connection there is. */
		b.len = 0;
		hs_status(&b, "true");
		err = hs_send(w, &b);
	} else if (!hs_is_status(&b, "ok") && !hs_is_status(&b, "ok_simultaneous")) {
		err = -EPROTO;
	}
	if (err)
		return err;
	err = hs_recv(w, &b, WAIT_MS);
	if (err)
		return err;
	if (!hs_take_challenge(w, &b))
		return -EPROTO;
	b.len = 0;
	hs_reply(w, &b);
	err = hs_send(w, &b);
	if (!err)
		err = hs_recv(w, &b, WAIT_MS);
	if (err)
		return err;
	return hs_take_ack(w, &b) ? hs_done(w) : -EPROTO;
}

int wire_accept(struct wire *w)
{
	DEFINE_BUF(b);
	int err = hs_recv(w, &b, WAIT_MS);

	if (err)
		return err;
	if (!hs_take_name(w, &b))
		return -EPROTO;
	b.len = 0;
	hs_status(&b, "ok");
	err = hs_send(w, &b);
	if (err)
		return err;
	b.len = 0;
	hs_challenge(w, &b);
	err = hs_send(w, &b);
	if (!err)
		err = hs_recv(w, &b, WAIT_MS);
	if (err)
		return err;
	if (!hs_take_reply(w, &b))
		return -EPROTO;
	b.len = 0;
	hs_ack(w, &b);
	err = hs_send(w, &b);
	return err ? err : hs_done(w);
}

int wire_connect(struct wire *w, int node, enum carrier carrier, int role)
{
	int sv[2], err;

	stream_pair(carrier, sv);
	w->fd = sv[1];
	err = node_channel(node, &(struct channel){
		.fd = sv[0], .role = role, .framing = w->length_bytes,
		.peer = role == ERLDIST_ROLE_INITIATOR ? w->name : NULL });
	close(sv[0]);
	if (err)
		return err;
	err = role == ERLDIST_ROLE_INITIATOR ? wire_accept(w) : wire_initiate(w);
	return err ? err : node_wait(node, ERLDIST_PENDING_UP, NULL);
}

int wire_up_as(struct wire *w, int node, const char *name)
{
	wire_init(w, -1, name);
	return wire_connect(w, node, CARRIER_TCP4, ERLDIST_ROLE_ACCEPTOR);
}

int wire_up(struct wire *w, int node)
{
	return wire_up_as(w, node, "w@h");
}

/* Frames */

void wire_frame(const struct wire *w, struct buf *b, const struct buf *ctl,
		const struct buf *msg)
{
	size_t at = b->len;

	buf_be32(b, 0);
	buf_hex(b, w->header ? "83 44 00" : "70 83");
	buf_add(b, ctl->p, ctl->len);
	if (msg && !w->header)
		buf_u8(b, 131);
	if (msg)
		buf_add(b, msg->p, msg->len);
	for (int i = 0; i < 4; i++)
		b->p[at + i] = (b->len - at - 4) >> (24 - 8 * i);
}

int wire_send(struct wire *w, const struct buf *ctl, const struct buf *msg)
{
	DEFINE_BUF(b);

	wire_frame(w, &b, ctl, msg);
	return wire_write(w, b.p, b.len);
}

void wire_fragment(struct buf *b, int type, uint64_t seq, uint64_t id,
		   const struct buf *ctl, const void *part, size_t len)
{
	buf_be32(b, 18 + (type == 69) + (ctl ? ctl->len : 0) + len);
	buf_u8(b, 131);
	buf_u8(b, type);
	buf_be64(b, seq);
	buf_be64(b, id);
	if (type == 69)
		buf_u8(b, 0);
	if (ctl)
		buf_add(b, ctl->p, ctl->len);
	buf_add(b, part, len);
}

int wire_tick(struct wire *w)
{
	return wire_write(w, "\0\0\0\0", 4);
}

struct epid wire_pid(const struct wire *w, uint32_t id)
{
	struct epid pid = { .id = id, .creation = w->creation };

	snprintf(pid.node, sizeof(pid.node), "%s", w->name);
	return pid;
}

struct eref wire_ref(const struct wire *w, uint32_t n)
{
	struct eref ref = { .creation = w->creation, .n = 3, .word = { n, 2, 3 } };

	snprintf(ref.node, sizeof(ref.node), "%s", w->name);
	return ref;
}

int wire_reg_send(struct wire *w, const char *name, const struct buf *msg)
{
	struct epid from = wire_pid(w, 66);
	DEFINE_BUF(ctl);

	fmt(&ctl, "{ipaa}", OP_REG_SEND, &from, "", name);
	return wire_send(w, &ctl, msg);
}

int wire_pid_send(struct wire *w, const struct epid *to, const struct buf *msg)
{
	struct epid from = wire_pid(w, 66);
	DEFINE_BUF(ctl);

	fmt(&ctl, "{ipp}", OP_SEND_SENDER, &from, to);
	return wire_send(w, &ctl, msg);
}

static struct frag *find_frag(struct wire *w, uint64_t seq, bool fresh)
{
	for (int i = 0; i < FRAG_SEQS; i++) {
		struct frag *f = &w->frag[i];

		if (fresh ? !f->next : f->next && f->seq == seq)
			return f;
	}
	return NULL;
}

/* Control message and payload of a whole message, behind the headers */
static int split(struct frame *out, const uint8_t *p, size_t len, bool version)
{
	ssize_t n = term_len(p, len);

	out->ctl.len = 0;
	out->msg.len = 0;
	if (n < 0)
		return -EBADMSG;
	buf_add(&out->ctl, p, n);
	p += n;
	len -= n;
	if (version && len) {
		if (*p != 131)
			return -EBADMSG;
		p++;
		len--;
	}
	buf_add(&out->msg, p, len);
	return 0;
}

/* 1: the message is whole and in *out; 0: more of it has to come */
static int take_fragment(struct wire *w, const uint8_t *p, size_t len,
			 struct frame *out)
{
	bool first = p[1] == 69;
	struct frag *f;
	uint64_t id;
	int err;

	if (len < 18u + first || (first && p[18]))
		return -EBADMSG;
	id = get64(p + 10);
	if (first && find_frag(w, get64(p + 2), false))
		return -EBADMSG;
	f = find_frag(w, get64(p + 2), first);
	if (!f || !id || (!first && id != f->next))
		return -EBADMSG;
	if (first) {
		f->seq = get64(p + 2);
		f->data.len = 0;
	}
	buf_add(&f->data, p + 18 + first, len - 18 - first);
	f->next = id - 1;
	out->fragments++;
	if (f->next)
		return 0;
	err = split(out, f->data.p, f->data.len, false);
	buf_free(&f->data);
	return err ? err : 1;
}

static int take_frame(struct wire *w, const uint8_t *p, size_t len,
		      struct frame *out)
{
	int err = -EBADMSG;

	if (!w->header && len > 2 && p[0] == 112 && p[1] == 131)
		err = split(out, p + 2, len - 2, true);
	else if (w->header && len > 3 && p[0] == 131 && p[1] == 68 && !p[2])
		err = split(out, p + 3, len - 3, false);
	else if (w->header && len >= 18 && p[0] == 131 &&
		 (p[1] == 69 || p[1] == 70))
		return take_fragment(w, p, len, out);
	return err ? err : 1;
}

int wire_recv(struct wire *w, struct frame *f, int timeout_ms)
{
	uint64_t end = now_ms() + timeout_ms;
	uint8_t len[4];
	DEFINE_BUF(b);
	int err;

	f->fragments = 0;
	do {
		int64_t left = end - now_ms();

		err = wire_read(w, len, 4, left > 0 ? left : 0);
		if (err)
			return err;
		if (!get32(len)) {
			w->ticks++;
			continue;
		}
		b.len = 0;
		err = wire_read(w, buf_grow(&b, get32(len)), get32(len), WAIT_MS);
		if (err)
			return err;
		err = take_frame(w, b.p, b.len, f);
		if (err < 0)
			buf_dump("bad frame", &b);
	} while (!err);
	return err < 0 ? err : 0;
}

int wire_sync(struct wire *w)
{
	struct epid from = wire_pid(w, 1), to = { .id = 0xffffff };
	DEFINE_FRAME(f);
	DEFINE_BUF(ctl);
	DEFINE_BUF(ack);
	int err;

	snprintf(to.node, sizeof(to.node), "%s", w->peer_name);
	to.creation = w->peer_creation;
	w->syncs++;
	fmt(&ctl, "{iupp}", OP_UNLINK_ID, w->syncs, &from, &to);
	fmt(&ack, "{iupp}", OP_UNLINK_ID_ACK, w->syncs, &to, &from);
	err = wire_send(w, &ctl, NULL);
	if (!err)
		err = wire_recv(w, &f, WAIT_MS);
	if (!err && !buf_eq(&f.ctl, &ack)) {
		buf_dump("another frame", &f.ctl);
		err = -EPROTO;
	}
	return err;
}

int frame_op(const struct frame *f)
{
	const uint8_t *p = f->ctl.p;

	return f->ctl.len > 3 && p[0] == 104 && p[2] == 97 ? p[3] : -1;
}

bool wire_expect(struct wire *w, const struct buf *ctl, const struct buf *payload)
{
	static const struct buf nothing;
	DEFINE_FRAME(f);
	int err = wire_recv(w, &f, WAIT_MS);

	if (!payload)
		payload = &nothing;
	if (!err && buf_eq(&f.ctl, ctl) && buf_eq(&f.msg, payload))
		return true;
	fprintf(stderr, "# frame: %d\n", err);
	buf_dump("received", &f.ctl);
	buf_dump("expected", ctl);
	buf_dump("payload", &f.msg);
	buf_dump("expected", payload);
	return false;
}
