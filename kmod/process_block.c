// SPDX-License-Identifier: GPL-2.0-only
/*
 * When a process socket is writable: TIPC's rule. After EAGAIN it is not until
 * the destination that had no room has some, or is gone.
 */
#include <linux/poll.h>
#include <linux/wait.h>

#include "process_socket.h"

static bool block_over(struct erldist_sock *es)
{
	struct erldist_peer *peer = es->block.peer;

	switch (READ_ONCE(es->block.kind)) {
	case BLOCK_MAILBOX:
		return erldist_mailbox_has_room(es->block.process,
						es->process, es->block.bytes);
	case BLOCK_PEER:
		return READ_ONCE(peer->dead) ||
		       READ_ONCE(peer->state) == ERLDIST_PEER_STATE_DOWN ||
		       erldist_send_room(peer, es->block.bytes);
	case BLOCK_CONNECT:
		/* Pairs with peer_new_epoch_locked(). */
		return smp_load_acquire(&peer->epoch) != es->block.epoch ||
		       READ_ONCE(peer->dead);
	default:
		return true;
	}
}

static void block_end(struct erldist_sock *es)
{
	if (es->block.kind == BLOCK_CONNECT)
		es->sk.sk_err = -erldist_peer_verdict(es->block.peer);
	WRITE_ONCE(es->block.kind, BLOCK_NONE);
}

static void sk_writable(struct sock *sk)
{
	struct socket_wq *wq;

	rcu_read_lock();
	wq = rcu_dereference(sk->sk_wq);
	if (skwq_has_sleeper(wq))
		wake_up_interruptible_poll(&wq->wait, EPOLLOUT | EPOLLWRNORM |
					   EPOLLWRBAND);
	rcu_read_unlock();
}

/* Called under the lock of the queue that it waits on. */
static int block_wake(struct wait_queue_entry *wait, unsigned int mode,
		      int flags, void *key)
{
	struct erldist_sock *es = container_of(wait, struct erldist_sock,
					       block.wait);

	if (!block_over(es))
		return 0;
	block_end(es);
	list_del_init(&wait->entry);
	sk_writable(&es->sk);
	return 0;
}

static wait_queue_head_t *block_queue(struct erldist_sock *es)
{
	if (es->block.process)
		return &es->block.process->mailbox.wait;
	return es->block.peer ? &es->block.peer->wait : NULL;
}

/**
 * erldist_block_clear() - release what the socket last waited for
 * @es: the socket, locked
 *
 * Context: process context.
 */
void erldist_block_clear(struct erldist_sock *es)
{
	wait_queue_head_t *queue = block_queue(es);

	if (!queue)
		return;
	remove_wait_queue(queue, &es->block.wait);
	if (es->block.process)
		erldist_process_put(es->block.process);
	erldist_peer_put(es->block.peer);
	es->block.process = NULL;
	es->block.peer = NULL;
	WRITE_ONCE(es->block.kind, BLOCK_NONE);
}

/**
 * erldist_block_on() - not writable until there is room, or a connection
 * @es: the socket
 * @kind: enum block_kind
 * @proc: the process there is no room at, or NULL
 * @peer: the peer, where @proc is NULL
 * @bytes: BLOCK_MAILBOX, BLOCK_PEER: what there must be room for
 * @epoch: BLOCK_CONNECT: peer->epoch before the wait
 *
 * Context: process context.
 */
void erldist_block_on(struct erldist_sock *es, u8 kind,
		      struct erldist_process *proc, struct erldist_peer *peer,
		      size_t bytes, u32 epoch)
{
	lock_sock(&es->sk);
	erldist_block_clear(es);
	if (proc)
		erldist_process_get(proc);
	else
		erldist_peer_get(peer);
	es->block.process = proc;
	es->block.peer = proc ? NULL : peer;
	es->block.bytes = bytes;
	es->block.epoch = epoch;
	init_waitqueue_func_entry(&es->block.wait, block_wake);
	INIT_LIST_HEAD(&es->block.wait.entry);
	WRITE_ONCE(es->block.kind, kind);
	add_wait_queue(block_queue(es), &es->block.wait);
	/* It may have come between the failure and now. */
	smp_mb();
	if (block_over(es)) {
		remove_wait_queue(block_queue(es), &es->block.wait);
		INIT_LIST_HEAD(&es->block.wait.entry);
		block_end(es);
		/* Whoever waits for an edge was told EAGAIN. */
		sk_writable(&es->sk);
	}
	release_sock(&es->sk);
}

/**
 * erldist_block_dissolve() - writable again, whatever it waited for
 * @es: the socket
 *
 * What came of an earlier connect() is not told as the next one's result.
 *
 * Context: process context.
 */
void erldist_block_dissolve(struct erldist_sock *es)
{
	lock_sock(&es->sk);
	erldist_block_clear(es);
	sock_error(&es->sk);
	release_sock(&es->sk);
	sk_writable(&es->sk);
}
