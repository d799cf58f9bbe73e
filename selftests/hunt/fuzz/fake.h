/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What kmod/receive.c needs of the kernel and of the rest of the module, so that it is
 * built here as it is: lists, counters, buffers of the network, and stand-ins for a
 * node, its processes and messages. Included before all else.
 */
#ifndef _FAKE_H
#define _FAKE_H

#include <stdio.h>

#include "pure.h"
#include <linux/erldist.h>

/* Headers of the module that are stood in for */
#define _ERLDIST_NODE_H
#define _ERLDIST_PEER_H
#define _ERLDIST_PROCESS_H

#define __init
#define __read_mostly
#define READ_ONCE(x)		(x)
#define WRITE_ONCE(x, v)	((x) = (v))
#define likely(x)		(x)
#define unlikely(x)		(x)
#define container_of(p, type, member)	((type *)((char *)(p) - offsetof(type, member)))
#define max_t(type, a, b)	max((type)(a), (type)(b))
#define round_up(n, to)		(((n) + (to) - 1) / (to) * (to))
#define div_u64(a, b)		((a) / (b))
#ifndef U32_MAX
#define U32_MAX			0xffffffffU
#endif
#define PAGE_SIZE		4096UL

typedef unsigned int gfp_t;
#define __GFP_NOWARN		1
#define __GFP_NOMEMALLOC	2
#define __GFP_ACCOUNT		4
#define GFP_NOWAIT		8
#define GFP_KERNEL		16
#define GFP_KERNEL_ACCOUNT	(GFP_KERNEL | __GFP_ACCOUNT)
#define GFP_ATOMIC		32

#define kvmalloc(size, gfp)	((void)(gfp), malloc(size))
#define kvfree(p)		free(p)
#define kfree(p)		free(p)

static inline void *kzalloc(size_t size, gfp_t gfp)
{
	void *p = malloc(size);

	(void)gfp;
	return p ? memset(p, 0, size) : NULL;
}

/*
 * Lists
 */

struct list_head {
	struct list_head *next, *prev;
};

struct rb_node {
	void *unused;
};

struct rb_root {
	void *unused;
};

static inline void INIT_LIST_HEAD(struct list_head *list)
{
	list->next = list;
	list->prev = list;
}

static inline void list_add(struct list_head *new, struct list_head *head)
{
	new->next = head->next;
	new->prev = head;
	head->next->prev = new;
	head->next = new;
}

static inline void list_del(struct list_head *entry)
{
	entry->next->prev = entry->prev;
	entry->prev->next = entry->next;
	entry->next = NULL;
	entry->prev = NULL;
}

#define list_entry(p, type, member)	container_of(p, type, member)
#define list_for_each_entry(pos, head, member)					\
	for (pos = list_entry((head)->next, typeof(*pos), member);		\
	     &pos->member != (head);						\
	     pos = list_entry(pos->member.next, typeof(*pos), member))
#define list_for_each_entry_safe(pos, n, head, member)				\
	for (pos = list_entry((head)->next, typeof(*pos), member),		\
	     n = list_entry(pos->member.next, typeof(*pos), member);		\
	     &pos->member != (head);						\
	     pos = n, n = list_entry(n->member.next, typeof(*n), member))

/*
 * Counters, bits, time: one thread
 */

typedef struct {
	int v;
} atomic_t;

typedef struct {
	long v;
} atomic_long_t;

typedef struct {
	s64 v;
} atomic64_t;

typedef struct {
	int v;
} refcount_t;

#define atomic_inc(a)		((void)(a)->v++)
#define atomic_dec(a)		((void)(a)->v--)
#define atomic64_inc(a)		((void)(a)->v++)
#define atomic64_read(a)	((a)->v)
#define atomic64_set(a, n)	((void)((a)->v = (n)))
#define atomic_long_add(n, a)	((void)((a)->v += (n)))
#define atomic_long_read(a)	((a)->v)
/* One thread needs no barrier. */
#define smp_mb__after_atomic()	do { } while (0)
#define refcount_inc(r)		((void)(r)->v++)
#define test_bit(bit, p)	(*(p) >> (bit) & 1)

static inline bool test_and_clear_bit(int bit, unsigned long *p)
{
	bool was = *p >> bit & 1;

	*p &= ~(1UL << bit);
	return was;
}

#define HZ			250
extern unsigned long jiffies;
#define get_jiffies_64()	((u64)jiffies)
#define msecs_to_jiffies(ms)	((unsigned long)(ms) / (1000 / HZ))
#define time_after64(a, b)	((s64)((b) - (a)) < 0)

struct work_struct {
	int unused;
};

struct delayed_work {
	struct work_struct work;
};

#define to_delayed_work(w)	container_of(w, struct delayed_work, work)

struct rcu_head {
	int unused;
};

typedef struct {
	int unused;
} spinlock_t;

/*
 * Buffers of the network
 */

struct kvec {
	void *iov_base;
	size_t iov_len;
};

/* Pages of a buffer lie together, each with its own structure. */
struct page {
	struct page *head;
	u8 *bytes;
	u32 pages;		/* head: in all */
	int ref;		/* likewise */
};

#define compound_head(page)	((page)->head)
#define page_size(page)		((page)->pages * PAGE_SIZE)
#define page_address(page)	((void *)(page)->bytes)
#define page_to_phys(page)	((size_t)(page)->bytes)
#define kmap_local_page(page)	((page)->bytes)
#define kunmap_local(p)		((void)(p))

typedef struct {
	struct page *page;
	u32 offset;
	u32 size;
} skb_frag_t;

struct skb_shared_info {
	u8 nr_frags;
	skb_frag_t frags[17];
	struct sk_buff *frag_list;
};

struct sk_buff {
	u8 *data;
	u32 headlen;
	u32 len;		/* with fragments and the list */
	struct sk_buff *next;
	bool shared;		/* its fragments may change */
	bool unreadable;
	struct skb_shared_info info;
};

#define skb_shinfo(skb)			(&(skb)->info)
#define skb_headlen(skb)		((skb)->headlen)
#define skb_has_shared_frag(skb)	((skb)->shared)
#define skb_zcopy(skb)			((void)(skb), false)
#define skb_pfmemalloc(skb)		((void)(skb), false)
#define skb_frags_readable(skb)		(!(skb)->unreadable)
#define skb_frag_page(frag)		((frag)->page)
#define skb_frag_off(frag)		((frag)->offset)
#define skb_frag_size(frag)		((frag)->size)
#define skb_walk_frags(skb, frag)						\
	for (frag = (skb)->info.frag_list; frag; frag = frag->next)
/* As the kernel's, where all memory is mapped for good: in one step */
#define skb_frag_foreach_page(frag, off, len, pg, p_off, p_len, copied)		\
	for (pg = skb_frag_page(frag) + ((off) >> 12), p_off = (off) & 4095,	\
	     p_len = (len), copied = 0; copied < (len); copied += p_len)

static inline u32 skb_pagelen(const struct sk_buff *skb)
{
	u32 n = skb->headlen, i;

	for (i = 0; i < skb->info.nr_frags; i++)
		n += skb->info.frags[i].size;
	return n;
}

#define TCP_ESTABLISHED	1
#define TCP_CLOSE	7

struct sock {
	int sk_err;
	u8 sk_shutdown;
	u8 sk_state;
	u16 urg_data;
};

struct socket {
	struct sock *sk;
};

typedef struct {
	union {
		void *data;
	} arg;
	size_t count;
} read_descriptor_t;

typedef int (*sk_read_actor_t)(read_descriptor_t *desc, struct sk_buff *skb,
			       unsigned int offset, size_t len);

#define tcp_sk(sk)		(sk)
#define lock_sock(sk)		((void)(sk))
#define release_sock(sk)	((void)(sk))
int tcp_read_sock(struct sock *sk, read_descriptor_t *desc, sk_read_actor_t actor);
int tcp_inq(struct sock *sk);

#define kcov_remote_stop()		do { } while (0)
#define kcov_remote_stop_softirq()	do { } while (0)

/*
 * The rest of the module
 */

struct erldist_msg;
struct erldist_peer;
struct erldist_cookie;

struct erldist_node {
	struct erldist_limits limits;
	atomic_long_t pool_used;
	atomic_long_t pool_ready;
	atomic_t n_stalled;
	atomic64_t overflows;
};

static inline u64 erldist_limit(const u64 *limit)
{
	return *limit;
}

struct erldist_process {
	struct erldist_node *node;
	int ref;
	bool alive;
	size_t charged;
	size_t hard;
};

#define erldist_process_alive(proc)	((proc)->alive)
void erldist_process_put(struct erldist_process *proc);
bool erldist_process_end_known(struct erldist_process *proc, unsigned int which, int error);
void erldist_process_overflow(struct erldist_node *node);
int erldist_mailbox_charge(struct erldist_process *proc, size_t bytes);
void erldist_mailbox_uncharge(struct erldist_process *proc, size_t bytes);
void erldist_pool_sub(struct erldist_node *node, size_t bytes);

#endif /* _FAKE_H */
