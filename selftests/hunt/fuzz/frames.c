// SPDX-License-Identifier: GPL-2.0-only
/*
 * Frames: from the bytes of a stream to messages, with kmod/receive.c as it is.
 *
 * Input: flags, a seed of how the stream is cut, which allocation fails, limits; then
 * the stream. Without stress it is received several times, cut differently and on both
 * kinds of carriers: all deliver the same, which is what a simple model says. With
 * stress allocations fail, limits are low, receivers end and the pool is full: all that
 * was charged is given back, and no memory is lost.
 */
#include "receive.c"

#include "fuzz.h"

#define HEAD		4	/* bytes of input before the stream */
#define IN_HEADER	1	/* header mode */
#define IN_HANDSHAKE	2	/* the stream begins with a handshake */
#define IN_FRAMING	4	/* with lengths of four bytes */
#define IN_STRESS	8
#define IN_UNIX		16	/* with stress: the carrier */
#define IN_LEFTOVER	32	/* user space read some of the stream */
#define PROCESSES	8
#define HS_MESSAGES	2

unsigned long jiffies;

static struct erldist_node node;
static struct erldist_process process[PROCESSES];
static struct erldist_channel channel;
static struct erldist_hs handshake;
static struct socket stream_socket;
static struct sock stream_sock;
static int messages, pages, channel_refs, hs_messages;
static bool queued, stall_queued, stress;
static struct gen cuts;

/* The stream, what of it has come, and the buffer that is being read */
static struct {
	const u8 *p;
	size_t pos, here, len;
	struct sk_buff *skb;
	size_t offset;
} in;

/* What was delivered, to be compared */
struct events {
	u8 *p;
	size_t len, size;
	u32 reason;
};

static struct events *events;

static void record(struct events *e, const void *p, size_t n)
{
	if (e->len + n > e->size) {
		e->size = 2 * (e->len + n);
		e->p = realloc(e->p, e->size);
	}
	if (n)
		memcpy(e->p + e->len, p, n);
	e->len += n;
}

/* The module's own memory may fail, not that of what stands for the rest. */
static unsigned int fail_in;

static bool may_fail(void)
{
	return fail_in && !--fail_in;
}

/*
 * Messages
 */

struct erldist_msg *erldist_msg_alloc(u32 room, gfp_t gfp)
{
	struct erldist_msg *msg = may_fail() ? NULL : malloc(sizeof(*msg) + room);

	(void)gfp;
	if (!msg)
		return NULL;
	memset(msg, 0, sizeof(*msg));
	msg->ref.v = 1;
	msg->room = room;
	msg->tail = &msg->pieces;
	messages++;
	return msg;
}

struct erldist_msg *erldist_msg_grow(struct erldist_msg *msg, u32 room, gfp_t gfp)
{
	struct erldist_msg *new = erldist_msg_alloc(room, gfp);

	if (!new)
		return NULL;
	CHECK(room > msg->room && !msg->pieces && !msg->charged);
	memcpy(new->data, msg->data, msg->used);
	new->used = msg->used;
	new->remote = msg->remote;
	erldist_msg_put(msg);
	return new;
}

u32 erldist_msg_room(u32 front, size_t len)
{
	u32 beyond;

	if (len <= ERLDIST_DATA_MAX)
		return len;
	beyond = (len - front) % PAGE_SIZE;
	return beyond < PAGE_SIZE / 2 ? front + beyond : front;
}

static struct erldist_piece *last_piece(const struct erldist_msg *msg)
{
	return container_of(msg->tail, struct erldist_piece, next);
}

size_t erldist_msg_unused(const struct erldist_msg *msg)
{
	return msg->pieces ? last_piece(msg)->room - last_piece(msg)->len : 0;
}

static struct erldist_piece *piece_new(struct erldist_msg *msg, size_t room, struct page *page)
{
	struct erldist_piece *piece = may_fail() ? NULL : malloc(sizeof(*piece) +
								 (page ? 0 : room));

	if (!piece)
		return NULL;
	*piece = (struct erldist_piece){ .page = page, .room = room, .data = piece->bytes };
	*msg->tail = piece;
	msg->tail = &piece->next;
	return piece;
}

int erldist_msg_append(struct erldist_msg *msg, const u8 *p, size_t len, size_t expect,
		       gfp_t gfp)
{
	struct erldist_piece *piece;
	size_t n, done;

	(void)gfp;
	CHECK(len <= expect || !expect);
	n = min_t(size_t, len, msg->room - msg->used);
	memcpy(msg->data + msg->used, p, n);
	msg->used += n;
	for (done = n; done < len; done += n) {
		piece = erldist_msg_unused(msg) ? last_piece(msg) :
			piece_new(msg, min_t(size_t, expect - done, ERLDIST_PIECE_SIZE), NULL);
		if (!piece)
			break;
		n = min_t(size_t, len - done, piece->room - piece->len);
		memcpy(piece->data + piece->len, p + done, n);
		piece->len += n;
	}
	return done;
}

bool erldist_msg_append_page(struct erldist_msg *msg, struct page *page, const u8 *p,
			     size_t len, gfp_t gfp)
{
	struct erldist_piece *piece;

	(void)gfp;
	CHECK(msg->used == msg->room);
	piece = piece_new(msg, len, page);
	if (!piece)
		return false;
	page->head->ref++;
	piece->data = (u8 *)p;
	piece->len = len;
	return true;
}

static void page_put(struct page *page)
{
	if (--page->head->ref)
		return;
	pages--;
	free(page->head->bytes);
	free(page->head);
}

void erldist_msg_put(struct erldist_msg *msg)
{
	struct erldist_piece *piece, *next;

	if (!msg || --msg->ref.v)
		return;
	for (piece = msg->pieces; piece; piece = next) {
		next = piece->next;
		if (piece->page)
			page_put(piece->page);
		free(piece);
	}
	free(msg);
	messages--;
}

void erldist_msg_put_resched(struct erldist_msg *msg)
{
	erldist_msg_put(msg);
}

/*
 * Processes
 */

void erldist_process_put(struct erldist_process *proc)
{
	CHECK(proc->ref-- > 0);
}

int erldist_mailbox_charge(struct erldist_process *proc, size_t bytes)
{
	if (!proc->alive)
		return -ESRCH;
	if (proc->charged + bytes > proc->hard)
		return -ENOBUFS;
	proc->charged += bytes;
	atomic_long_add(bytes, &node.pool_used);
	return 0;
}

void erldist_pool_sub(struct erldist_node *of, size_t bytes)
{
	CHECK(of->pool_used.v >= (long)bytes);
	of->pool_used.v -= bytes;
}

void erldist_mailbox_uncharge(struct erldist_process *proc, size_t bytes)
{
	CHECK(proc->charged >= bytes);
	proc->charged -= bytes;
	erldist_pool_sub(&node, bytes);
}

bool erldist_process_end_known(struct erldist_process *proc, unsigned int which, int error)
{
	CHECK(which == KNOWN_OVERFLOW && error == ENOBUFS);
	proc->alive = false;
	if (!gen_below(&cuts, 2))
		channel.flags |= 1UL << CHANNEL_SWEEP;
	return true;
}

void erldist_process_overflow(struct erldist_node *of)
{
	int i, most = 0;

	(void)of;
	for (i = 1; i < PROCESSES; i++)
		if (process[i].alive && process[i].charged > process[most].charged)
			most = i;
	erldist_process_end_known(&process[most], KNOWN_OVERFLOW, ENOBUFS);
}

/*
 * What receive.c calls upwards
 */

static struct erldist_process *find_process(const struct erldist_ctl *ctl)
{
	struct erldist_process *proc = NULL;

	if (ctl->to_kind == CTL_PID)
		proc = &process[ctl->to.id % PROCESSES];
	else if (ctl->to_kind == CTL_REF)
		proc = &process[ctl->to_ref.word[0] % PROCESSES];
	else if (ctl->to_kind == CTL_NAME && ctl->name.len)
		proc = &process[ctl->name.text[0] % PROCESSES];
	/* One of them never was. */
	return proc != process && proc && proc->alive ? proc : NULL;
}

static bool to_kernel(const struct erldist_ctl *ctl)
{
	return ctl->to_kind == CTL_NAME && etf_atom_is(&ctl->name, "net_kernel");
}

int erldist_dispatch_receiver(struct erldist_channel *ch, const struct erldist_ctl *ctl,
			      struct erldist_process **to)
{
	CHECK(ch == &channel);
	*to = to_kernel(ctl) ? NULL : find_process(ctl);
	if (*to)
		(*to)->ref++;
	return *to || to_kernel(ctl) ? 0 : -ESRCH;
}

static void record_front(struct events *e, const struct erldist_ctl *ctl, size_t len)
{
	const u64 front[] = {
		ctl->op, ctl->op_wire, ctl->from_kind, ctl->to_kind, ctl->raw_from_len, len,
		ctl->to_kind == CTL_PID ? ctl->to.id : 0, ctl->id,
	};

	record(e, front, sizeof(front));
	record(e, ctl->raw_from, ctl->raw_from_len);
}

static void record_message(const struct erldist_ctl *ctl, const struct erldist_msg *msg)
{
	const struct erldist_piece *piece;
	size_t n = msg->used - msg->body;

	CHECK(msg->body <= msg->used && msg->used <= msg->room);
	CHECK(ctl->raw_from_len == 0 || (ctl->raw_from >= msg->data &&
	      ctl->raw_from + ctl->raw_from_len <= msg->data + msg->used));
	record_front(events, ctl, msg->len);
	record(events, msg->data + msg->body, n);
	for (piece = msg->pieces; piece; piece = piece->next) {
		n += piece->len;
		record(events, piece->data, piece->len);
	}
	CHECK(n == msg->len);
}

int erldist_dispatch_message(struct erldist_channel *ch, const struct erldist_ctl *ctl,
			     struct erldist_process *to, struct erldist_msg *msg,
			     bool may_sleep)
{
	CHECK(ch == &channel && msg->ref.v == 1);
	if (!may_sleep && (!to || (stress && !gen_below(&cuts, 3))))
		return -EAGAIN;
	if (!to || to->alive)
		record_message(ctl, msg);
	if (to)
		erldist_mailbox_uncharge(to, msg->charged);
	else
		erldist_pool_sub(&node, msg->charged);
	erldist_msg_put(msg);
	return 0;
}

/* A link to a certain process is what ends the connection. */
int erldist_dispatch_signal(struct erldist_channel *ch, const struct erldist_ctl *ctl,
			    struct erldist_msg *msg)
{
	CHECK(ch == &channel && msg->ref.v == 1);
	record_message(ctl, msg);
	return ctl->op == OP_LINK && ctl->to.id == 3 ? -ERLDIST_REASON_LIMIT : 0;
}

void erldist_channel_abort(struct erldist_channel *ch, u8 reason, int error)
{
	(void)error;
	CHECK(reason);
	if (!ch->verdict)
		ch->verdict = reason;
}

void erldist_channel_queue(struct erldist_channel *ch, struct work_struct *work)
{
	CHECK(work == &ch->rx_work);
	queued = true;
}

void erldist_channel_queue_delayed(struct erldist_channel *ch, struct delayed_work *work,
				   unsigned long delay)
{
	CHECK(work == &ch->stall_work && delay && ch->rx.stalled && node.n_stalled.v == 1);
	stall_queued = true;
}

void erldist_channel_put(struct erldist_channel *ch)
{
	(void)ch;
	channel_refs--;
}

void erldist_channels_sweep(struct erldist_node *of)
{
	(void)of;
	channel.flags |= 1UL << CHANNEL_SWEEP;
}

int erldist_channel_handshake(struct erldist_channel *ch, const u8 *msg, size_t len)
{
	CHECK(!msg == !len && len <= ERLDIST_HS_MSG_MAX);
	if (!msg)
		return 0;
	record(events, msg, len);
	if (++hs_messages < HS_MESSAGES)
		return 0;
	ch->state = CHANNEL_UP;
	return 0;
}

u8 erldist_stream_end_reason(int err, u8 other)
{
	return err == -ECONNRESET ? ERLDIST_REASON_CONNECTION_CLOSED : err ? other :
	       ERLDIST_REASON_CONNECTION_CLOSED;
}

u8 erldist_hs_end_reason(const struct erldist_channel *ch, int err)
{
	(void)ch;
	return erldist_stream_end_reason(err, ERLDIST_REASON_RECEIVE_ERROR);
}

int erldist_transport_error(struct erldist_channel *ch)
{
	(void)ch;
	return 0;
}

void erldist_tx_tick(struct erldist_channel *ch)
{
	ch->tx_bytes.v += 4;
}

int erldist_transport_recv(struct erldist_channel *ch, void *p, size_t len)
{
	static const int failures[] = { -EBADMSG, -ENOMEM, -ECONNRESET, -EIO };
	size_t n = min(len, in.here - in.pos);

	(void)ch;
	if (!n)
		return in.pos < in.len || !stream_sock.sk_shutdown ? -EAGAIN : 0;
	if (stress && !gen_below(&cuts, 64))
		return failures[gen_below(&cuts, ARRAY_SIZE(failures))];
	if (n > 1 && !gen_below(&cuts, 3))
		n = 1 + gen_below(&cuts, n);
	memcpy(p, in.p + in.pos, n);
	in.pos += n;
	return n;
}

/*
 * TCP: buffers with a linear part, fragments in pages, and a list of others
 */

static struct page *pages_new(u32 n)
{
	struct page *page = calloc(n, sizeof(*page));
	u32 i;

	page->bytes = calloc(n, PAGE_SIZE);
	page->pages = n;
	page->ref = 1;
	for (i = 0; i < n; i++) {
		page[i].head = page;
		page[i].bytes = page->bytes + i * PAGE_SIZE;
	}
	pages++;
	return page;
}

static struct sk_buff *skb_free(struct sk_buff *skb)
{
	struct sk_buff *next = skb->next;
	int i;

	while (skb->info.frag_list)
		skb->info.frag_list = skb_free(skb->info.frag_list);
	for (i = 0; i < skb->info.nr_frags; i++)
		page_put(skb->info.frags[i].page);
	free(skb->data);
	free(skb);
	return next;
}

/* A fragment of n bytes: in pages of its own, or behind the one before in memory */
static void skb_add(struct sk_buff *skb, const u8 *p, u32 n)
{
	skb_frag_t *frag = &skb->info.frags[skb->info.nr_frags++];
	u32 offset = gen_below(&cuts, 3) ? 0 : gen_below(&cuts, 2 * PAGE_SIZE), first;
	struct page *page = pages_new((offset + n + PAGE_SIZE - 1) / PAGE_SIZE + 1);

	memcpy(page->bytes + offset, p, n);
	*frag = (skb_frag_t){ page, offset, n };
	skb->len += n;
	if (n < 2 || gen_below(&cuts, 2))
		return;
	first = 1 + gen_below(&cuts, n - 1);
	frag->size = first;
	offset += first;
	frag = &skb->info.frags[skb->info.nr_frags++];
	*frag = (skb_frag_t){ page + offset / PAGE_SIZE, offset % PAGE_SIZE, n - first };
	page->ref++;
}

static struct sk_buff *skb_new(const u8 *p, size_t len, bool list)
{
	struct sk_buff *skb = calloc(1, sizeof(*skb));
	u32 n = gen_below(&cuts, 2) ? 0 : gen_below(&cuts, len + 1);

	skb->headlen = n;
	skb->len = n;
	skb->data = malloc(n + 1);
	memcpy(skb->data, p, n);
	skb->shared = !gen_below(&cuts, 8);
	while (skb->len < len && skb->info.nr_frags < 12) {
		n = len - skb->len;
		if (gen_below(&cuts, 3))
			n = 1 + gen_below(&cuts, n);
		skb_add(skb, p + skb->len, n);
	}
	if (skb->len < len && list) {
		skb->info.frag_list = skb_new(p + skb->len, len - skb->len, false);
		skb->len += skb->info.frag_list->len;
	}
	skb->unreadable = stress && skb->info.nr_frags && !gen_below(&cuts, 64);
	return skb;
}

int tcp_read_sock(struct sock *sk, read_descriptor_t *desc, sk_read_actor_t actor)
{
	int total = 0, n;
	size_t len;

	(void)sk;
	while (in.pos < in.here) {
		if (!in.skb) {
			len = in.here - in.pos;
			if (gen_below(&cuts, 2))
				len = 1 + gen_below(&cuts, len);
			in.skb = skb_new(in.p + in.pos, len, true);
			in.offset = 0;
		}
		n = actor(desc, in.skb, in.offset, in.skb->len - in.offset);
		CHECK(n >= 0 && in.offset + n <= in.skb->len);
		if (!n)
			break;
		in.offset += n;
		in.pos += n;
		total += n;
		if (in.offset == in.skb->len) {
			skb_free(in.skb);
			in.skb = NULL;
		}
	}
	return total;
}

int tcp_inq(struct sock *sk)
{
	(void)sk;
	return in.here - in.pos;
}

/*
 * One run over the stream
 */

static void setup(const u8 *data, u8 carrier)
{
	static const u32 most[] = { 1 << 20, 1 << 20, 100, 0, 40000 };
	int i;

	memset(&channel, 0, sizeof(channel));
	memset(&node, 0, sizeof(node));
	memset(&handshake, 0, sizeof(handshake));
	memset(&stream_sock, 0, sizeof(stream_sock));
	stress = data[0] & IN_STRESS;
	node.limits = (struct erldist_limits){
		.max_message = stress ? most[data[3] % ARRAY_SIZE(most)] : 1 << 20,
		.mailbox_pool = stress ? 1 << (8 + data[3] % 16) : 1 << 24,
		.fragments = 4, .stall = 1000,
	};
	/* Others hold some of the pool, and half of that can be read. */
	node.pool_used.v = stress && data[3] & 64 ? node.limits.mailbox_pool : 0;
	node.pool_ready.v = data[3] & 128 ? node.pool_used.v : 0;
	for (i = 0; i < PROCESSES; i++)
		process[i] = (struct erldist_process){
			.node = &node, .alive = true, .hard = stress ? 1000 * i : 1 << 24,
		};
	channel.node = &node;
	channel.sock = &stream_socket;
	channel.carrier = carrier;
	channel.header_mode = data[0] & IN_HEADER;
	channel.state = data[0] & IN_HANDSHAKE ? CHANNEL_HANDSHAKE : CHANNEL_UP;
	channel.hs = &handshake;
	channel.flags = 1UL << CHANNEL_STARTED;
	handshake.framing = data[0] & IN_FRAMING ? 4 : 2;
	handshake.state = HS_ST_WAIT_NAME;
	stream_socket.sk = &stream_sock;
	stream_sock.sk_state = TCP_ESTABLISHED;
	hs_messages = 0;
	queued = false;
	stall_queued = false;
	erldist_rx_init(&channel);
	if (channel.state == CHANNEL_HANDSHAKE)
		channel.rx.hs_buf = malloc(4 + ERLDIST_HS_MSG_MAX);
}

/* What else happens meanwhile */
static void disturb(void)
{
	u32 i = 1 + gen_below(&cuts, PROCESSES - 1);

	jiffies += gen_below(&cuts, 40 * HZ);
	switch (gen_below(&cuts, 12)) {
	case 0:
		process[i].alive = false;
		channel.flags |= 1UL << CHANNEL_SWEEP;
		break;
	case 1:
		process[i].alive = false;
		break;
	case 2:
		stream_sock.urg_data = !gen_below(&cuts, 4);
		break;
	case 3:
		stream_sock.sk_err = gen_below(&cuts, 8) ? 0 : ECONNRESET;
		break;
	case 4:
		channel.flags |= gen_below(&cuts, 8) ? 0 : 1UL << CHANNEL_DEAD;
		break;
	}
}

static void run_work(void)
{
	int runs = 0;

	while (queued || stall_queued) {
		/* A work that is queued again and again without a byte taken would spin. */
		CHECK(++runs < 100000);
		if (!queued) {
			stall_queued = false;
			jiffies += HZ / 10;
			erldist_rx_stall_over(&channel.stall_work.work);
			CHECK(queued || channel.flags & 1UL << CHANNEL_DEAD);
			continue;
		}
		queued = false;
		channel_refs++;
		erldist_rx_run(&channel.rx_work);
		if (stress)
			disturb();
	}
}

static void receive(const u8 *data, const u8 *stream, size_t len, u8 carrier, u32 seed,
		    struct events *e)
{
	long held;
	size_t n;
	int i;

	events = e;
	cuts = (struct gen){ .state = (seed + 1ULL) * 0x9e3779b97f4a7c15ULL };
	setup(data, carrier);
	held = node.pool_used.v;
	in.p = stream;
	in.len = len;
	in.pos = 0;
	in.here = 0;
	if (data[0] & IN_LEFTOVER && channel.state == CHANNEL_UP) {
		n = gen_below(&cuts, len + 1);
		CHECK(!erldist_rx_leftover(&channel, stream, n));
		in.pos = n;
		in.here = n;
	}
	fail_in = stress ? data[2] & 15 : 0;
	fuzz_fail_from(stress && data[2] & 128 ? data[2] & 31 : 0);
	do {
		n = in.len - in.here;
		in.here += seed && n ? 1 + gen_below(&cuts, gen_below(&cuts, 4) ? n : min(n, 8UL)) : n;
		erldist_rx_ready(&channel, &stream_sock);
		fuzz_fail_from(0);
		run_work();
	} while (in.here < in.len && !channel.verdict);
	/* The other side closes. */
	stream_sock.sk_shutdown = 1;
	queued = true;
	run_work();
	CHECK(channel.verdict || channel.rx.work || channel.state != CHANNEL_UP || stress);
	e->reason = channel.verdict;
	fuzz_fail_from(0);
	erldist_rx_free(&channel);
	while (in.skb)
		in.skb = skb_free(in.skb);
	CHECK(node.pool_used.v == held && !messages && !pages && !channel.rx.n_seqs);
	CHECK(!channel_refs);
	for (i = 0; i < PROCESSES; i++)
		CHECK(!process[i].ref && !process[i].charged);
}

/*
 * The model: frames one after the other, and what they must lead to
 */

struct model_seq {
	bool used;
	u64 id, next;
	struct erldist_ctl ctl;
	u8 *payload;
	size_t len;
	bool dropped;
};

struct model {
	struct events *e;
	struct model_seq seq[5];
	bool header;
	bool alive[PROCESSES];
};

static struct model_seq *model_find(struct model *m, u64 id)
{
	u32 i;

	for (i = 0; i < 4; i++)
		if (m->seq[i].used && m->seq[i].id == id)
			return &m->seq[i];
	return NULL;
}

static bool model_message(const struct erldist_ctl *ctl)
{
	return ctl->op == OP_SEND || ctl->op == OP_REG_SEND;
}

static u32 model_deliver(struct model *m, struct model_seq *s)
{
	struct erldist_process *proc = find_process(&s->ctl);

	if (s->ctl.payload && !s->len && !s->dropped)
		return ERLDIST_REASON_BAD_CONTROL;
	if (s->dropped || (model_message(&s->ctl) && !to_kernel(&s->ctl) &&
			   (!proc || !m->alive[proc - process])))
		return 0;
	record_front(m->e, &s->ctl, s->len);
	record(m->e, s->payload, s->len);
	return s->ctl.op == OP_LINK && s->ctl.to.id == 3 ? ERLDIST_REASON_LIMIT : 0;
}

static u32 model_append(struct model_seq *s, const u8 *p, size_t n)
{
	s->payload = realloc(s->payload, s->len + n + 1);
	if (n)
		memcpy(s->payload + s->len, p, n);
	s->len += n;
	return 0;
}

/* The control message, and the first bytes of payload */
static u32 model_front(struct model *m, struct model_seq *s, const u8 *p, size_t n, u64 frag)
{
	struct etf_cursor c = { p, p + n };
	struct erldist_process *proc;
	bool more;

	if (erldist_ctl_read(&c, &s->ctl))
		return ERLDIST_REASON_BAD_CONTROL;
	if (s->ctl.payload && !m->header && (c.p == c.end || *c.p++ != ETF_VERSION))
		return ERLDIST_REASON_BAD_CONTROL;
	more = s->ctl.payload || s->ctl.reason_inside;
	if (more && c.p == c.end && frag == 1)
		return ERLDIST_REASON_BAD_CONTROL;
	model_append(s, c.p, c.end - c.p);
	proc = find_process(&s->ctl);
	if (proc && !m->alive[proc - process])
		proc = NULL;
	s->dropped = model_message(&s->ctl) && !proc && !to_kernel(&s->ctl);
	if (s->dropped || frag == 1 || s->len * (frag - 1) <= (1 << 20) + ERLDIST_PIECE_SIZE)
		return 0;
	if (!model_message(&s->ctl))
		return ERLDIST_REASON_LIMIT;
	if (proc)
		m->alive[proc - process] = false;
	s->dropped = true;
	return 0;
}

static void model_end(struct model_seq *s)
{
	free(s->payload);
	memset(s, 0, sizeof(*s));
}

static u32 model_next(struct model *m, const u8 *p, size_t n, u64 id, u64 frag)
{
	struct model_seq *s = model_find(m, id);
	u32 reason;

	if (!s || s->next != frag)
		return ERLDIST_REASON_BAD_FRAGMENT;
	model_append(s, p, n);
	s->next--;
	if (frag > 1)
		return 0;
	reason = model_deliver(m, s);
	model_end(s);
	return reason;
}

static u32 model_first(struct model *m, const u8 *p, size_t n, u64 id, u64 frag)
{
	struct model_seq *s = &m->seq[4];
	u32 reason = 0;
	int i;

	if (!n)
		return ERLDIST_REASON_BAD_CONTROL;
	if (!frag || frag > (1 << 20) / 1024 + 2 || (frag != ~0ULL && model_find(m, id)))
		return ERLDIST_REASON_BAD_FRAGMENT;
	if (frag > 1) {
		for (i = 0; i < 4 && m->seq[i].used; i++)
			;
		if (i == 4)
			return ERLDIST_REASON_LIMIT;
		s = &m->seq[i];
	}
	*s = (struct model_seq){ .used = true, .id = id, .next = frag - 1 };
	reason = model_front(m, s, p, n, frag);
	if (!reason && frag == 1)
		reason = model_deliver(m, s);
	if (frag == 1 || reason)
		model_end(s);
	return reason;
}

static u32 model_plain(struct model *m, const u8 *p, size_t n)
{
	struct model_seq *s = &m->seq[4];
	u32 reason;

	if (!n)
		return ERLDIST_REASON_BAD_CONTROL;
	*s = (struct model_seq){ .used = true };
	reason = model_front(m, s, p, n, 1);
	if (!reason)
		reason = model_deliver(m, s);
	model_end(s);
	return reason;
}

static u32 model_frame(struct model *m, const u8 *p, size_t n)
{
	if (n < 2 || p[0] != (m->header ? FRAME_VERSION : FRAME_PASS_THROUGH))
		return ERLDIST_REASON_BAD_FRAME;
	if (!m->header)
		return p[1] != FRAME_VERSION ? ERLDIST_REASON_BAD_FRAME :
		       model_plain(m, p + 2, n - 2);
	switch (p[1]) {
	case FRAME_NORMAL:
		if (n < 3 || (n > 3 && p[2]))
			return ERLDIST_REASON_BAD_FRAME;
		return model_plain(m, p + 3, n - 3);
	case FRAME_FRAG_FIRST:
		if (n < 19 || (n > 19 && p[18]))
			return ERLDIST_REASON_BAD_FRAME;
		return model_first(m, p + 19, n - 19, get_unaligned_be64(p + 2),
				   get_unaligned_be64(p + 10));
	case FRAME_FRAG_NEXT:
		if (n < 18)
			return ERLDIST_REASON_BAD_FRAME;
		return model_next(m, p + 18, n - 18, get_unaligned_be64(p + 2),
				  get_unaligned_be64(p + 10));
	}
	return ERLDIST_REASON_BAD_FRAME;
}

/* Over frames that are whole */
static void model(const u8 *data, const u8 *p, size_t len, struct events *e)
{
	struct model m = { .e = e, .header = data[0] & IN_HEADER };
	const u8 *end = p + len;
	u32 n, i;

	memset(m.alive, 1, sizeof(m.alive));
	for (i = 0; i < PROCESSES; i++)
		process[i].alive = true;
	while (p < end && !e->reason) {
		n = get_unaligned_be32(p);
		if (n)
			e->reason = model_frame(&m, p + 4, n);
		p += 4 + n;
	}
	if (!e->reason)
		e->reason = ERLDIST_REASON_CONNECTION_CLOSED;
	for (i = 0; i < ARRAY_SIZE(m.seq); i++)
		free(m.seq[i].payload);
}

/* Up to the last frame that is whole */
static size_t whole_frames(const u8 *p, size_t len)
{
	size_t pos = 0, n;

	while (len - pos >= 4) {
		n = get_unaligned_be32(p + pos);
		if (n > len - pos - 4)
			break;
		pos += 4 + n;
	}
	return pos;
}

static void compare(const struct events *a, const struct events *b)
{
	CHECK(a->reason == b->reason);
	CHECK(a->len == b->len && (!a->len || !memcmp(a->p, b->p, a->len)));
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct events once = { 0 }, cut = { 0 }, unix_stream = { 0 }, said = { 0 };
	const u8 *stream = data + HEAD;
	size_t len = size - HEAD;

	if (size < HEAD)
		return 0;
	if (data[0] & IN_STRESS) {
		receive(data, stream, len, data[0] & IN_UNIX ? CARRIER_UNIX : CARRIER_TCP,
			data[1], &once);
	} else {
		if (!(data[0] & IN_HANDSHAKE))
			len = whole_frames(stream, len);
		receive(data, stream, len, CARRIER_TCP, 0, &once);
		receive(data, stream, len, CARRIER_TCP, data[1] + 1, &cut);
		receive(data, stream, len, CARRIER_UNIX, data[1] + 1, &unix_stream);
		if (!(data[0] & IN_HANDSHAKE)) {
			compare(&once, &cut);
			compare(&once, &unix_stream);
			model(data, stream, len, &said);
			compare(&once, &said);
		}
	}
	free(once.p);
	free(cut.p);
	free(unix_stream.p);
	free(said.p);
	return 0;
}

/*
 * Streams of frames
 */

static void gen_head(struct gen *g, u8 type, u64 id, u64 frag)
{
	gen_u8(g, FRAME_VERSION);
	gen_u8(g, type);
	if (type != FRAME_NORMAL) {
		gen_u32(g, id >> 32);
		gen_u32(g, id);
		gen_u32(g, frag >> 32);
		gen_u32(g, frag);
	}
	if (type != FRAME_FRAG_NEXT)
		gen_u8(g, g->weird && !gen_below(g, g->weird));
}

/* What a message is, and sometimes much of it */
static void gen_body(struct gen *g, bool header)
{
	static const u8 zeros[4096];
	u32 n;

	if (gen_below(g, 6)) {
		gen_signal(g, !header);
		return;
	}
	gen_bytes(g, "h\3a\2w\0", 6);
	gen_pid(g);
	if (!header)
		gen_u8(g, ETF_VERSION);
	n = gen_below(g, 20000);
	gen_u8(g, ETF_BINARY);
	gen_u32(g, n);
	for (; n; n -= min(n, 4096U))
		gen_bytes(g, zeros, min(n, 4096U));
}

static void close_frame(struct gen *g, u8 *start)
{
	if (g->p - start >= 4)
		put_unaligned_be32(g->p - start - 4, start);
}

/* One message in fragments, those of two messages by turns */
static void gen_fragments(struct gen *g)
{
	static u8 body[2][32768];
	struct gen part;
	size_t len[2], pos[2] = { 0, 0 }, n;
	u32 count[2], i, k, id = 2 * gen_below(g, 6);
	u8 *start;

	for (k = 0; k < 2; k++) {
		part = (struct gen){ .state = g->state + k + 1, .p = body[k],
				     .end = body[k] + sizeof(body[k]), .weird = g->weird };
		gen_body(&part, true);
		len[k] = part.p - body[k];
		count[k] = 1 + gen_below(g, 5);
	}
	for (i = 0; i < 10; i++) {
		k = i % 2;
		if (!count[k])
			continue;
		start = g->p;
		gen_u32(g, 0);
		gen_head(g, pos[k] || i > 1 ? FRAME_FRAG_NEXT : FRAME_FRAG_FIRST, id + k,
			 count[k]);
		n = count[k] == 1 ? len[k] - pos[k] : pos[k] ?
		    gen_below(g, len[k] - pos[k] + 1) : min(len[k], 60UL + gen_below(g, 900));
		gen_bytes(g, body[k] + pos[k], n);
		pos[k] += n;
		count[k]--;
		close_frame(g, start);
	}
}

size_t fuzz_generate(struct gen *g, u8 *p, size_t max)
{
	bool header;
	u32 n, i;
	u8 *start;

	g->p = p;
	g->end = p + max;
	gen_u32(g, gen_below(g, ~0u));
	if (g->p - p < HEAD)
		return g->p - p;
	if (gen_below(g, 4))
		p[0] &= ~IN_HANDSHAKE;
	header = p[0] & IN_HEADER;
	if (p[0] & IN_HANDSHAKE) {
		for (i = 0; i < HS_MESSAGES; i++) {
			if (p[0] & IN_FRAMING)
				gen_u16(g, 0);
			gen_u16(g, 3);
			gen_bytes(g, "sok", 3);
		}
	}
	for (n = 1 + gen_below(g, 6); n; n--) {
		if (header && !gen_below(g, 3)) {
			gen_fragments(g);
			continue;
		}
		start = g->p;
		gen_u32(g, 0);
		if (!gen_below(g, 6))
			continue;
		if (header)
			gen_head(g, FRAME_NORMAL, 0, 0);
		else
			gen_bytes(g, "p\203", 2);
		gen_body(g, header);
		close_frame(g, start);
	}
	return g->p - p;
}

/* Within a frame, whose length follows; or frames are repeated, swapped, left out */
size_t fuzz_bend(struct gen *g, u8 *data, size_t size, size_t max)
{
	static u8 frame[65536];
	size_t pos = HEAD, n, left;
	u32 len;

	if (size < HEAD + 8)
		return size;
	if (!gen_below(g, 8)) {
		data[gen_below(g, HEAD)] = gen_below(g, 256);
		return size;
	}
	for (;;) {
		len = get_unaligned_be32(data + pos);
		if (len > size - pos - 4)
			return size;
		n = 4 + len;
		if (size - pos - n < 8 || !gen_below(g, 3))
			break;
		pos += n;
	}
	left = size - pos - n;
	switch (gen_below(g, 4)) {
	case 0:	/* again */
		if (size + n > max)
			return size;
		memmove(data + pos + n, data + pos, size - pos);
		return size + n;
	case 1:
		memmove(data + pos, data + pos + n, left);
		return size - n;
	case 2:	/* a number of the head */
		data[pos + gen_below(g, min(n, 23UL))] += 1 + 254 * gen_below(g, 2);
		return size;
	default:	/* a term within */
		if (len > 65536)
			return size;
		memcpy(frame, data + pos + 4, len);
		n = bend_terms(g, frame, len, min(65536UL, len + max - size));
		memmove(data + pos + 4 + n, data + pos + 4 + len, left);
		memcpy(data + pos + 4, frame, n);
		put_unaligned_be32(n, data + pos);
		return size - len + n;
	}
}
