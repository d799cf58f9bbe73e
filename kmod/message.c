// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages: memory, and copying to and from user space.
 */
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/uio.h>
#include <net/sock.h>

#include "message.h"

static struct kmem_cache *small_cache;

/**
 * erldist_blob_new() - a shared copy of a term
 * @p: its bytes, or NULL to leave them to the caller
 * @len: how many
 * @gfp: flags of the allocation
 *
 * Return: a blob with one reference, or NULL.
 */
struct erldist_blob *erldist_blob_new(const void *p, size_t len, gfp_t gfp)
{
	struct erldist_blob *blob;

	blob = kvmalloc(struct_size(blob, data, len), gfp);
	if (!blob)
		return NULL;
	refcount_set(&blob->ref, 1);
	blob->here_only = false;
	blob->told_once = false;
	blob->len = len;
	if (p)
		memcpy(blob->data, p, len);
	return blob;
}

static struct erldist_blob *known[KNOWN_MAX];

static const char *const known_text[KNOWN_MAX] = {
	[KNOWN_NORMAL] = "normal",
	[KNOWN_NOCONNECTION] = "noconnection",
	[KNOWN_KILLED] = "killed",
	[KNOWN_OVERFLOW] = "mailbox_overflow",
	[KNOWN_NOPROC] = "noproc",
	[KNOWN_UNSENDABLE] = "unsendable_reason",
};

static void known_free(void)
{
	int i;

	for (i = 0; i < KNOWN_MAX; i++)
		erldist_blob_put(known[i]);
}

static int __init known_make(void)
{
	struct etf_atom atom;
	int i;

	for (i = 0; i < KNOWN_MAX; i++) {
		atom = etf_ascii(known_text[i]);
		known[i] = erldist_blob_new(NULL, etf_atom_size(&atom),
					    GFP_KERNEL);
		if (!known[i]) {
			known_free();
			return -ENOMEM;
		}
		etf_put_atom(known[i]->data, &atom);
	}
	return 0;
}

/**
 * erldist_messages_exit() - after the last message
 */
void erldist_messages_exit(void)
{
	known_free();
	kmem_cache_destroy(small_cache);
}

/**
 * erldist_messages_init() - before the first message
 * Return: 0 or -ENOMEM.
 */
int __init erldist_messages_init(void)
{
	const size_t data = offsetof(struct erldist_msg, data);
	int err;

	small_cache = kmem_cache_create_usercopy("erldist_msg",
						 ERLDIST_SMALL_SIZE, 0,
						 SLAB_HWCACHE_ALIGN, data,
						 ERLDIST_SMALL_SIZE - data,
						 NULL);
	if (!small_cache)
		return -ENOMEM;
	err = known_make();
	if (err)
		kmem_cache_destroy(small_cache);
	return err;
}

/**
 * erldist_blob_known() - one of the known reasons
 * @which: which
 * Return: the blob, with a reference.
 */
struct erldist_blob *erldist_blob_known(enum erldist_known which)
{
	return erldist_blob_get(known[which]);
}

/**
 * erldist_blob_put() - drop a reference
 * @blob: or NULL
 */
void erldist_blob_put(struct erldist_blob *blob)
{
	if (blob && refcount_dec_and_test(&blob->ref))
		kvfree(blob);
}

/**
 * erldist_msg_alloc() - a message with room for bytes in one piece
 * @room: bytes of data
 * @gfp: flags of the allocation; __GFP_ACCOUNT: charged to the caller's cgroup
 *
 * Return: an empty message, one reference, or NULL.
 */
struct erldist_msg *erldist_msg_alloc(u32 room, gfp_t gfp)
{
	bool small = room <= ERLDIST_SMALL_ROOM;
	struct erldist_msg *msg;

	gfp |= __GFP_NOWARN;
	msg = small ? kmem_cache_alloc(small_cache, gfp) :
		      kmalloc(struct_size(msg, data, room), gfp);
	if (!msg)
		return NULL;
	/* What is before is the queue's, and data is read when it was written. */
	memset_startat(msg, 0, ref);
	refcount_set(&msg->ref, 1);
	msg->small = small;
	msg->room = room;
	msg->tail = &msg->pieces;
	return msg;
}

/**
 * erldist_msg_grow() - a message with more room for data
 * @msg: with data only; gone when it has grown
 * @room: bytes of data
 * @gfp: flags of the allocation
 *
 * Return: a message with the same data, or NULL.
 */
struct erldist_msg *erldist_msg_grow(struct erldist_msg *msg, u32 room,
				     gfp_t gfp)
{
	struct erldist_msg *new = erldist_msg_alloc(room, gfp);

	if (!new)
		return NULL;
	memcpy(new->data, msg->data, msg->used);
	new->used = msg->used;
	new->remote = msg->remote;
	erldist_msg_put(msg);
	return new;
}

/**
 * erldist_msg_room() - how much data a message needs
 * @front: bytes that must be in data
 * @len: bytes in all
 *
 * What a long one has beyond whole pages is there too, if it is not most of one.
 *
 * Return: bytes of data.
 */
u32 erldist_msg_room(u32 front, size_t len)
{
	u32 beyond;

	if (len <= ERLDIST_DATA_MAX)
		return len;
	beyond = (len - front) % PAGE_SIZE;
	return beyond < PAGE_SIZE / 2 ? front + beyond : front;
}

static struct erldist_piece *piece_new(struct page *page, size_t room, gfp_t gfp)
{
	struct erldist_piece *piece;

	piece = kmalloc(struct_size(piece, bytes, page ? 0 : room),
			gfp | __GFP_NOWARN);
	if (!piece)
		return NULL;
	piece->next = NULL;
	piece->page = page;
	piece->data = page ? page_address(page) : piece->bytes;
	piece->len = 0;
	piece->room = room;
	return piece;
}

/* At most a quarter of the pages stays unused. */
static unsigned int pages_order(size_t expect)
{
	size_t n = min_t(size_t, expect, max(ERLDIST_PIECE_SIZE, PAGE_SIZE));
	unsigned int order = ilog2(n / PAGE_SIZE);

	return n > (PAGE_SIZE << order) / 2 * 3 ? order + 1 : order;
}

static struct erldist_piece *piece_alloc(size_t expect, gfp_t gfp)
{
	struct erldist_piece *piece;
	unsigned int order;
	struct page *page;

	if (expect < PAGE_SIZE)
		return piece_new(NULL, expect, gfp);
	order = pages_order(expect);
	gfp |= __GFP_NOWARN;
	page = alloc_pages(gfp | __GFP_COMP, order);
	/* Who cannot wait for memory to be compacted takes it as it is. */
	if (!page && order && !gfpflags_allow_blocking(gfp)) {
		order = 0;
		page = alloc_pages(gfp, order);
	}
	if (!page)
		return NULL;
	piece = piece_new(page, PAGE_SIZE << order, gfp);
	if (!piece)
		put_page(page);
	return piece;
}

static void piece_free(struct erldist_piece *piece)
{
	if (piece->page)
		put_page(piece->page);
	kfree(piece);
}

static struct erldist_piece *last_piece(const struct erldist_msg *msg)
{
	return container_of(msg->tail, struct erldist_piece, next);
}

/**
 * erldist_msg_unused() - room behind the payload
 * @msg: the message
 *
 * Return: bytes that its last piece still has room for.
 */
size_t erldist_msg_unused(const struct erldist_msg *msg)
{
	return msg->pieces ? last_piece(msg)->room - last_piece(msg)->len : 0;
}

/* The last piece if it has room, else a new one for up to @expect bytes */
static struct erldist_piece *piece_for(struct erldist_msg *msg, size_t expect,
				       gfp_t gfp)
{
	struct erldist_piece *piece;

	if (erldist_msg_unused(msg))
		return last_piece(msg);
	piece = piece_alloc(expect, gfp);
	if (!piece)
		return NULL;
	*msg->tail = piece;
	msg->tail = &piece->next;
	return piece;
}

/**
 * erldist_msg_append() - add bytes at the end
 * @msg: the message; its first piece is filled before others are made
 * @p: bytes
 * @len: how many
 * @expect: how many are still to come, these included; sizes the next piece
 * @gfp: flags of allocations
 *
 * Return: how many bytes were taken, fewer than @len when memory ran out.
 */
int erldist_msg_append(struct erldist_msg *msg, const u8 *p, size_t len,
		       size_t expect, gfp_t gfp)
{
	struct erldist_piece *piece;
	size_t n, done = 0;

	n = min_t(size_t, len, msg->room - msg->used);
	memcpy(msg->data + msg->used, p, n);
	msg->used += n;
	for (done = n; done < len; done += n) {
		piece = piece_for(msg, expect - done, gfp);
		if (!piece)
			break;
		n = min_t(size_t, len - done, piece->room - piece->len);
		memcpy(piece->data + piece->len, p + done, n);
		piece->len += n;
	}
	return done;
}

/**
 * erldist_msg_append_page() - add bytes at the end, where they are
 * @msg: the message; its first piece is full
 * @page: what they are in, of which a reference is taken
 * @p: bytes
 * @len: how many
 * @gfp: flags of the allocation
 *
 * Return: false without memory.
 */
bool erldist_msg_append_page(struct erldist_msg *msg, struct page *page,
			     const u8 *p, size_t len, gfp_t gfp)
{
	struct erldist_piece *piece = piece_new(page, len, gfp);

	if (!piece)
		return false;
	get_page(page);
	piece->data = (u8 *)p;
	piece->len = len;
	*msg->tail = piece;
	msg->tail = &piece->next;
	return true;
}

static void msg_free(struct erldist_msg *msg, bool resched)
{
	struct erldist_piece *piece, *next;

	for (piece = msg->pieces; piece; piece = next) {
		next = piece->next;
		piece_free(piece);
		if (resched)
			cond_resched();
	}
	erldist_blob_put(msg->reason);
	if (msg->small)
		kmem_cache_free(small_cache, msg);
	else
		kfree(msg);
}

/**
 * erldist_msg_put() - drop a reference
 * @msg: or NULL
 *
 * Context: any.
 */
void erldist_msg_put(struct erldist_msg *msg)
{
	if (msg && refcount_dec_and_test(&msg->ref))
		msg_free(msg, false);
}

/**
 * erldist_msg_put_resched() - drop a reference, and let others run meanwhile
 * @msg: or NULL
 *
 * A message may have thousands of pieces.
 *
 * Context: process context, no spinlock held; any for what has no pieces.
 */
void erldist_msg_put_resched(struct erldist_msg *msg)
{
	if (msg && refcount_dec_and_test(&msg->ref))
		msg_free(msg, true);
}

/**
 * erldist_msg_set_reason() - end the payload with a shared term
 * @msg: a message whose own payload is complete
 * @reason: a reference is taken
 *
 * Allocates nothing: how the news of a death is told.
 */
void erldist_msg_set_reason(struct erldist_msg *msg,
			    struct erldist_blob *reason)
{
	msg->reason = erldist_blob_get(reason);
	msg->len = msg->used - msg->body + reason->len;
}

static int copy_pieces(struct erldist_msg *msg, struct msghdr *mh, size_t len,
		       struct etf_scan *scan)
{
	struct erldist_piece *piece;
	size_t n;
	int err;

	for (; len; len -= n) {
		piece = piece_for(msg, len, GFP_KERNEL_ACCOUNT);
		if (!piece)
			return -ENOMEM;
		n = min_t(size_t, len, piece->room);
		if (!copy_from_iter_full(piece->data, n, &mh->msg_iter))
			return -EFAULT;
		err = etf_scan_feed(scan, piece->data, n);
		if (err)
			return err;
		piece->len = n;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

static int copy_all(struct erldist_msg *msg, struct msghdr *mh, size_t len,
		    struct etf_scan *scan)
{
	size_t n = min_t(size_t, len, msg->room - msg->used);
	u8 *p = msg->data + msg->used;
	bool version;
	int err;

	if (!copy_from_iter_full(p, n, &mh->msg_iter))
		return -EFAULT;
	version = *p == ETF_VERSION;
	if (len == version)
		return -EINVAL;
	msg->body = msg->used + version;
	msg->used += n;
	msg->len = len - version;
	err = etf_scan_feed(scan, p + version, n - version);
	if (!err)
		err = copy_pieces(msg, mh, len - n, scan);
	return err ?: etf_scan_end(scan);
}

/**
 * erldist_msg_from_user() - copy a term from user space behind what is in data
 * @msg: the message; body and len are set
 * @mh: where the term comes from
 * @len: its bytes, a version byte in front included
 * @rules: what the receiver refuses, or NULL
 *
 * What was scanned is what will be sent: the kernel's copy.
 *
 * Context: process context, may sleep.
 * Return: 0; -EINVAL: not one term that OTP decodes; -E2BIG; -ENOMEM; -EFAULT.
 */
int erldist_msg_from_user(struct erldist_msg *msg, struct msghdr *mh,
			  size_t len, const struct etf_scan_rules *rules)
{
	struct etf_scan scan = ETF_SCAN_INIT(rules);
	int err;

	if (!len)
		return -EINVAL;
	err = copy_all(msg, mh, len, &scan);
	etf_scan_free(&scan);
	return err;
}

/**
 * erldist_msg_span() - the contiguous payload at a position
 * @msg: the message
 * @pos: offset in the payload
 *
 * Return: where it lies and how much lies there; len 0 behind the end.
 */
struct erldist_span erldist_msg_span(const struct erldist_msg *msg, size_t pos)
{
	const struct erldist_piece *piece;
	size_t head = msg->used - msg->body;

	if (pos < head)
		return (struct erldist_span){ msg->data + msg->body + pos,
					      head - pos, false };
	pos -= head;
	for (piece = msg->pieces; piece; piece = piece->next) {
		if (pos < piece->len)
			return (struct erldist_span){ piece->data + pos,
						      piece->len - pos,
						      piece->page };
		pos -= piece->len;
	}
	if (msg->reason && pos < msg->reason->len)
		return (struct erldist_span){ msg->reason->data + pos,
					      msg->reason->len - pos, false };
	return (struct erldist_span){};
}

/**
 * erldist_msg_peek() - copy what the payload begins with
 * @msg: the message
 * @p: where to
 * @len: bytes there
 *
 * Return: how many bytes were copied.
 */
size_t erldist_msg_peek(const struct erldist_msg *msg, u8 *p, size_t len)
{
	struct erldist_span span;
	size_t pos, n;

	for (pos = 0; pos < len; pos += n) {
		span = erldist_msg_span(msg, pos);
		if (!span.len)
			break;
		n = min(span.len, len - pos);
		memcpy(p + pos, span.p, n);
	}
	return pos;
}

static int copy_out(const u8 *p, size_t n, size_t *left, struct msghdr *mh)
{
	n = min(n, *left);
	if (copy_to_iter(p, n, &mh->msg_iter) != n)
		return -EFAULT;
	*left -= n;
	return 0;
}

/**
 * erldist_msg_to_user() - copy the payload to user space
 * @msg: the message
 * @mh: where to
 * @len: how many bytes, at most the payload's
 *
 * Context: process context, may sleep.
 * Return: 0 or -EFAULT.
 */
int erldist_msg_to_user(const struct erldist_msg *msg, struct msghdr *mh,
			size_t len)
{
	const struct erldist_piece *piece;
	int err;

	err = copy_out(msg->data + msg->body, msg->used - msg->body, &len, mh);
	for (piece = msg->pieces; piece && len && !err; piece = piece->next) {
		err = copy_out(piece->data, piece->len, &len, mh);
		cond_resched();
	}
	if (!err && msg->reason)
		err = copy_out(msg->reason->data, msg->reason->len, &len, mh);
	return err;
}

/* Without the first *@skip bytes, of which those are taken away that were there */
static u8 *put_part(u8 *to, const u8 *p, size_t n, size_t *skip)
{
	size_t without = min(n, *skip);

	*skip -= without;
	memcpy(to, p + without, n - without);
	return to + n - without;
}

/**
 * erldist_msg_blob() - the payload as one shared term
 * @msg: the message
 * @skip: bytes to leave out at its start
 *
 * Context: process context.
 * Return: a blob with one reference, or NULL.
 */
struct erldist_blob *erldist_msg_blob(const struct erldist_msg *msg, size_t skip)
{
	const struct erldist_blob *reason = msg->reason;
	const struct erldist_piece *piece;
	struct erldist_blob *blob;
	u8 *p;

	blob = erldist_blob_new(NULL, msg->len - skip, GFP_KERNEL_ACCOUNT);
	if (!blob)
		return NULL;
	p = put_part(blob->data, msg->data + msg->body, msg->used - msg->body,
		     &skip);
	for (piece = msg->pieces; piece; piece = piece->next)
		p = put_part(p, piece->data, piece->len, &skip);
	if (reason)
		p = put_part(p, reason->data, reason->len, &skip);
	WARN_ON_ONCE(p != blob->data + blob->len);
	return blob;
}
