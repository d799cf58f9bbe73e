// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mailboxes: queueing, limits, and the pool that bytes from peers count in.
 */
#include "channel.h"
#include "node.h"
#include "process.h"
#include "relation.h"

/* What a message counts beyond its payload: small ones are mostly this */
#define MESSAGE_OVERHEAD	sizeof(struct erldist_msg)
/* Less than this is not told apart: what is read at once moves no process */
#define RANK_MIN		4096
/* Processes that are asked what they hold, before the next frame asks others */
#define LARGEST_TRIES		64

/**
 * erldist_queue_init() - an empty queue of messages
 * @queue: the queue
 * @sk: the socket that reads it
 */
void erldist_queue_init(struct erldist_queue *queue, struct sock *sk)
{
	INIT_LIST_HEAD(&queue->list);
	queue->downs = RB_ROOT;
	rcu_assign_pointer(queue->sk, sk);
}

/**
 * erldist_mailbox_init() - an empty mailbox
 * @mb: the mailbox
 * @limit: bytes of local senders before they wait
 * @sk: the process's socket
 */
void erldist_mailbox_init(struct erldist_mailbox *mb, size_t limit,
			  struct sock *sk)
{
	spin_lock_init(&mb->lock);
	erldist_queue_init(&mb->queue, sk);
	INIT_LIST_HEAD(&mb->ports);
	init_waitqueue_head(&mb->wait);
	mb->local_limit = limit;
}

static void queue_wake(struct erldist_queue *queue)
{
	struct sock *sk;

	rcu_read_lock();
	sk = rcu_dereference(queue->sk);
	if (sk)
		sk->sk_data_ready(sk);
	rcu_read_unlock();
}

static void queue_end(struct erldist_queue *queue)
{
	struct sock *sk = rcu_dereference(queue->sk);

	if (!sk)
		return;
	sk->sk_state_change(sk);
	sk_error_report(sk);
}

/**
 * erldist_mailbox_wake() - everyone who waits has to look: the process ended
 * @proc: the process
 *
 * Context: process context.
 */
void erldist_mailbox_wake(struct erldist_process *proc)
{
	struct erldist_port *port;

	wake_up_all(&proc->mailbox.wait);
	rcu_read_lock();
	queue_end(&proc->mailbox.queue);
	list_for_each_entry_rcu(port, &proc->mailbox.ports, list)
		queue_end(&port->queue);
	rcu_read_unlock();
}

static void empty_queue_locked(struct erldist_mailbox *mb,
			       struct erldist_queue *queue,
			       struct list_head *to)
{
	list_splice_tail_init(&queue->list, to);
	queue->downs = RB_ROOT;
	WRITE_ONCE(mb->n, mb->n - queue->n);
	queue->n = 0;
}

/**
 * erldist_mailbox_empty_locked() - take out what nobody will read
 * @proc: the process; its mailbox is locked
 * @to: list to add it to, for erldist_mailbox_discard()
 */
void erldist_mailbox_empty_locked(struct erldist_process *proc,
				  struct list_head *to)
{
	struct erldist_mailbox *mb = &proc->mailbox;
	struct erldist_port *port;

	lockdep_assert_held(&mb->lock);
	empty_queue_locked(mb, &mb->queue, to);
	list_for_each_entry(port, &mb->ports, list)
		empty_queue_locked(mb, &port->queue, to);
}

/**
 * erldist_queue_close() - a socket of the process goes
 * @proc: the process
 * @queue: the socket's
 *
 * Context: process context.
 */
void erldist_queue_close(struct erldist_process *proc,
			 struct erldist_queue *queue)
{
	LIST_HEAD(list);

	RCU_INIT_POINTER(queue->sk, NULL);
	spin_lock_bh(&proc->mailbox.lock);
	queue->closed = true;
	empty_queue_locked(&proc->mailbox, queue, &list);
	spin_unlock_bh(&proc->mailbox.lock);
	erldist_mailbox_discard(proc, &list);
}

static u64 down_sequence(const struct rb_node *down)
{
	return rb_entry(down, struct erldist_msg, down)->sequence;
}

static bool down_less(struct rb_node *a, const struct rb_node *b)
{
	return down_sequence(a) < down_sequence(b);
}

static int down_cmp(const void *sequence, const struct rb_node *down)
{
	u64 a = *(const u64 *)sequence, b = down_sequence(down);

	return a < b ? -1 : a > b;
}

static void enqueue(struct erldist_mailbox *mb, struct erldist_queue *queue,
		    struct erldist_msg *msg)
{
	list_add_tail(&msg->list, &queue->list);
	if (msg->op == ERLDIST_SIG_DOWN)
		rb_add(&msg->down, &queue->downs, down_less);
	queue->n++;
	WRITE_ONCE(mb->n, mb->n + 1);
}

static void dequeue(struct erldist_mailbox *mb, struct erldist_queue *queue,
		    struct erldist_msg *msg)
{
	list_del_init(&msg->list);
	if (msg->op == ERLDIST_SIG_DOWN)
		rb_erase(&msg->down, &queue->downs);
	queue->n--;
	WRITE_ONCE(mb->n, mb->n - 1);
}

/* To an eighth, so that a process that takes much moves rarely */
static size_t rank_of(size_t bytes)
{
	unsigned int shift;

	if (bytes < RANK_MIN)
		return !!bytes;
	shift = ilog2(bytes) - 3;
	return bytes >> shift << shift;
}

static bool rank_less(struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct erldist_mailbox, holder)->rank <
	       rb_entry(b, struct erldist_mailbox, holder)->rank;
}

static void set_rank_locked(struct erldist_process *proc, size_t rank)
{
	struct erldist_mailbox *mb = &proc->mailbox;
	struct erldist_node *node = proc->node;

	lockdep_assert_held(&mb->lock);
	spin_lock(&node->holder_lock);
	if (mb->rank)
		rb_erase(&mb->holder, &node->holders);
	mb->rank = rank;
	if (rank)
		rb_add(&mb->holder, &node->holders, rank_less);
	spin_unlock(&node->holder_lock);
}

/*
 * The bytes of peers that a process holds have changed. With little or nothing it
 * stays among those that hold little.
 */
static void rank_locked(struct erldist_process *proc)
{
	struct erldist_mailbox *mb = &proc->mailbox;
	size_t rank = rank_of(mb->remote_bytes);

	if (rank == mb->rank || (!rank && mb->rank == 1))
		return;
	if (erldist_process_alive(proc))
		set_rank_locked(proc, rank);
}

/**
 * erldist_mailbox_unrank_locked() - a process has ended: it holds no room
 * @proc: the process; its mailbox is locked
 */
void erldist_mailbox_unrank_locked(struct erldist_process *proc)
{
	if (proc->mailbox.rank)
		set_rank_locked(proc, 0);
}

/* The first in rank, which may hold nothing now */
static struct erldist_process *rank_first(struct erldist_node *node)
{
	struct erldist_process *proc = NULL;
	struct rb_node *last;

	spin_lock_bh(&node->holder_lock);
	last = rb_last(&node->holders);
	if (last) {
		proc = rb_entry(last, struct erldist_process, mailbox.holder);
		/* It is there while it lives, so the table of pids has a reference. */
		erldist_process_get(proc);
	}
	spin_unlock_bh(&node->holder_lock);
	return proc;
}

/* False: it was among those that hold little, and holds nothing. */
static bool holds_some(struct erldist_process *proc)
{
	struct erldist_mailbox *mb = &proc->mailbox;
	bool some;

	spin_lock_bh(&mb->lock);
	some = mb->remote_bytes;
	if (!some)
		erldist_mailbox_unrank_locked(proc);
	spin_unlock_bh(&mb->lock);
	return some;
}

/**
 * erldist_mailbox_largest() - the process that holds most of the pool
 * @node: the node
 *
 * Most to an eighth; below RANK_MIN, any that holds something.
 *
 * Context: process context.
 * Return: the process with a reference; NULL: none was found.
 */
struct erldist_process *erldist_mailbox_largest(struct erldist_node *node)
{
	struct erldist_process *proc;
	int i;

	for (i = 0; i < LARGEST_TRIES; i++) {
		proc = rank_first(node);
		if (!proc || holds_some(proc))
			return proc;
		erldist_process_put(proc);
	}
	return NULL;
}

static bool takes_messages(const struct erldist_process *proc,
			   const struct erldist_queue *queue)
{
	return erldist_process_alive(proc) && !queue->closed;
}

static bool above_hard_limit(const struct erldist_mailbox *mb, size_t more)
{
	return mb->hard_limit &&
	       mb->local_bytes + mb->remote_bytes + more > mb->hard_limit;
}

static bool local_room(const struct erldist_mailbox *mb, size_t bytes)
{
	size_t used = READ_ONCE(mb->local_bytes);

	return !used || used + bytes <= READ_ONCE(mb->local_limit);
}

/* To oneself there is room as long as the node's pool would have it. */
static bool own_room(const struct erldist_process *proc, size_t bytes)
{
	const struct erldist_mailbox *mb = &proc->mailbox;

	return READ_ONCE(mb->local_bytes) + bytes <=
	       max_t(u64, READ_ONCE(mb->local_limit),
		     erldist_limit(&proc->node->limits.mailbox_pool));
}

static bool sender_room(const struct erldist_process *proc,
			const struct erldist_process *from, size_t bytes)
{
	return from == proc ? own_room(proc, bytes) :
			      local_room(&proc->mailbox, bytes);
}

/**
 * erldist_mailbox_has_room() - may a local sender go on
 * @proc: the receiver
 * @from: the sender
 * @len: msg->len of its message, which erldist_mailbox_put_local() refused
 *
 * The condition is the one of erldist_mailbox_put_local(): a sender that waits
 * for less than it needs would never sleep.
 *
 * Return: true also when the receiver has ended.
 */
bool erldist_mailbox_has_room(const struct erldist_process *proc,
			      const struct erldist_process *from, size_t len)
{
	return !erldist_process_alive(proc) ||
	       sender_room(proc, from, len + MESSAGE_OVERHEAD);
}

/**
 * erldist_mailbox_has_own_room() - may a process ask for what it will be told
 * @proc: the process
 *
 * What the kernel tells is not held up by limits, so who does not read it has to
 * stop asking.
 */
bool erldist_mailbox_has_own_room(const struct erldist_process *proc)
{
	const struct erldist_mailbox *mb = &proc->mailbox;

	return READ_ONCE(mb->local_bytes) + READ_ONCE(mb->remote_bytes) <=
	       max_t(u64, READ_ONCE(mb->local_limit),
		     erldist_limit(&proc->node->limits.mailbox_pool));
}

static int put_local_locked(struct erldist_process *proc,
			    struct erldist_queue *queue,
			    struct erldist_msg *msg,
			    const struct erldist_process *from,
			    struct erldist_relation *once)
{
	struct erldist_mailbox *mb = &proc->mailbox;

	if (!erldist_process_alive(from))
		return -EPIPE;
	if (!takes_messages(proc, queue))
		return -ESRCH;
	if (!once && !sender_room(proc, from, msg->charged))
		return -EAGAIN;
	if (!once && above_hard_limit(mb, msg->charged))
		return -ENOBUFS;
	if (once && !erldist_relation_take(once))
		return -ESRCH;
	WRITE_ONCE(mb->local_bytes, mb->local_bytes + msg->charged);
	enqueue(mb, queue, msg);
	return 0;
}

/**
 * erldist_mailbox_put_local() - a message of a process of the same node
 * @proc: the receiver
 * @port: its port, or NULL
 * @msg: the message; taken when 0 is returned
 * @from: the sender; nobody waits for himself
 * @once: an alias that is for this message alone, taken with it; limits do not
 *	hold then; or NULL
 *
 * Context: process context.
 * Return: 0; -EAGAIN no room; -ESRCH the receiver has ended; -EPIPE the sender
 * has; -ENOBUFS above the receiver's hard limit.
 */
int erldist_mailbox_put_local(struct erldist_process *proc,
			      struct erldist_port *port,
			      struct erldist_msg *msg,
			      const struct erldist_process *from,
			      struct erldist_relation *once)
{
	struct erldist_queue *queue = erldist_queue(proc, port);
	struct erldist_mailbox *mb = &proc->mailbox;
	int err;

	msg->charged = msg->len + MESSAGE_OVERHEAD;
	spin_lock_bh(&mb->lock);
	err = put_local_locked(proc, queue, msg, from, once);
	spin_unlock_bh(&mb->lock);
	if (!err)
		queue_wake(queue);
	return err;
}

static int put_remote_locked(struct erldist_process *proc,
			     struct erldist_queue *queue,
			     struct erldist_msg *msg, bool limited,
			     struct erldist_relation *once)
{
	struct erldist_mailbox *mb = &proc->mailbox;
	size_t all = MESSAGE_OVERHEAD + msg->body + msg->len -
		     (msg->reason && !msg->reason->told_once ? msg->reason->len : 0);
	size_t more = all - msg->charged;

	if (!takes_messages(proc, queue))
		return -ESRCH;
	if (limited && above_hard_limit(mb, more))
		return -ENOBUFS;
	if (once && !erldist_relation_take(once))
		return -ESRCH;
	WRITE_ONCE(mb->remote_bytes, mb->remote_bytes + more);
	rank_locked(proc);
	msg->charged = all;
	atomic_long_add(more, &proc->node->pool_used);
	atomic_long_add(all, &proc->node->pool_ready);
	enqueue(mb, queue, msg);
	return 0;
}

static int put_remote(struct erldist_process *proc, struct erldist_port *port,
		      struct erldist_msg *msg, bool limited,
		      struct erldist_relation *once)
{
	struct erldist_queue *queue = erldist_queue(proc, port);
	struct erldist_mailbox *mb = &proc->mailbox;
	int err;

	spin_lock_bh(&mb->lock);
	err = put_remote_locked(proc, queue, msg, limited, once);
	spin_unlock_bh(&mb->lock);
	if (!err)
		queue_wake(queue);
	return err;
}

/**
 * erldist_mailbox_put_remote() - a message of a peer
 * @proc: the receiver
 * @port: its port, or NULL
 * @msg: the message; taken when 0 is returned; what was charged for it while it
 *	came stays charged otherwise
 * @once: an alias that is for this message alone, taken with it; the hard limit
 *	does not hold then; or NULL
 *
 * Context: any.
 * Return: 0; -ESRCH the receiver has ended; -ENOBUFS above its hard limit.
 */
int erldist_mailbox_put_remote(struct erldist_process *proc,
			       struct erldist_port *port,
			       struct erldist_msg *msg,
			       struct erldist_relation *once)
{
	return put_remote(proc, port, msg, !once, once);
}

/**
 * erldist_mailbox_put_signal() - a message that the kernel made
 * @proc: the receiver
 * @port: its port, or NULL
 * @msg: the message, taken
 *
 * Limits do not hold it up.
 *
 * Context: any.
 */
void erldist_mailbox_put_signal(struct erldist_process *proc,
				struct erldist_port *port,
				struct erldist_msg *msg)
{
	if (put_remote(proc, port, msg, false, NULL))
		erldist_msg_put(msg);
}

/**
 * erldist_mailbox_charge() - bytes of a message that is still coming
 * @proc: the receiver
 * @bytes: how many
 *
 * Context: any.
 * Return: 0; nothing was charged: -ESRCH the receiver has ended, -ENOBUFS above
 * its hard limit.
 */
int erldist_mailbox_charge(struct erldist_process *proc, size_t bytes)
{
	struct erldist_mailbox *mb = &proc->mailbox;
	int err = 0;

	spin_lock_bh(&mb->lock);
	if (!erldist_process_alive(proc))
		err = -ESRCH;
	else if (above_hard_limit(mb, bytes))
		err = -ENOBUFS;
	else
		WRITE_ONCE(mb->remote_bytes, mb->remote_bytes + bytes);
	rank_locked(proc);
	spin_unlock_bh(&mb->lock);
	if (!err)
		atomic_long_add(bytes, &proc->node->pool_used);
	return err;
}

/**
 * erldist_mailbox_uncharge() - a message that was coming will not come
 * @proc: the receiver
 * @bytes: what was charged for it
 *
 * Context: any.
 */
void erldist_mailbox_uncharge(struct erldist_process *proc, size_t bytes)
{
	struct erldist_mailbox *mb = &proc->mailbox;

	spin_lock_bh(&mb->lock);
	WRITE_ONCE(mb->remote_bytes, mb->remote_bytes - bytes);
	rank_locked(proc);
	spin_unlock_bh(&mb->lock);
	erldist_pool_sub(proc->node, bytes);
}

/**
 * erldist_pool_sub() - bytes of peers that are held no more
 * @node: the node
 * @bytes: how many
 *
 * Context: any.
 */
void erldist_pool_sub(struct erldist_node *node, size_t bytes)
{
	if (!bytes)
		return;
	atomic_long_sub(bytes, &node->pool_used);
	erldist_pool_freed(node);
}

/**
 * erldist_pool_freed() - there may be room again: channels held up go on
 * @node: the node
 *
 * Context: any.
 */
void erldist_pool_freed(struct erldist_node *node)
{
	/* Pairs with stall_begin(). */
	smp_mb__after_atomic();
	if (atomic_read(&node->n_stalled) &&
	    atomic_long_read(&node->pool_used) <
	    erldist_limit(&node->limits.mailbox_pool))
		erldist_channels_unstall(node);
}

/**
 * erldist_mailbox_take() - take the first message
 * @proc: the process
 * @port: where, NULL: its own socket
 * @room: bytes the reader has room for
 * @flags: MSG_PEEK: leave it there; MSG_TRUNC: it may be longer
 * @msg: set to the message, with a reference
 *
 * Context: process context.
 * Return: 0; -EAGAIN none; -EMSGSIZE it is longer; or what the ended process
 * has to say.
 */
int erldist_mailbox_take(struct erldist_process *proc,
			 struct erldist_port *port, size_t room, int flags,
			 struct erldist_msg **msg)
{
	struct erldist_queue *queue = erldist_queue(proc, port);
	struct erldist_mailbox *mb = &proc->mailbox;
	struct erldist_msg *first;
	int err = 0;

	spin_lock_bh(&mb->lock);
	first = list_first_entry_or_null(&queue->list, struct erldist_msg,
					 list);
	if (!first)
		err = erldist_process_alive(proc) ? -EAGAIN : -proc->err;
	else if (first->len > room && !(flags & MSG_TRUNC))
		err = -EMSGSIZE;
	else if (flags & MSG_PEEK)
		refcount_inc(&first->ref);
	else
		dequeue(mb, queue, first);
	spin_unlock_bh(&mb->lock);
	/* Whoever was woken for it alone leaves it to the others. */
	if (err == -EMSGSIZE)
		queue_wake(queue);
	*msg = first;
	return err;
}

/**
 * erldist_mailbox_return() - put a message back that could not be read
 * @proc: the process
 * @port: where from, NULL: its own socket
 * @msg: the message that erldist_mailbox_take() gave
 *
 * Context: process context.
 */
void erldist_mailbox_return(struct erldist_process *proc,
			    struct erldist_port *port, struct erldist_msg *msg)
{
	struct erldist_queue *queue = erldist_queue(proc, port);
	struct erldist_mailbox *mb = &proc->mailbox;
	bool back;

	spin_lock_bh(&mb->lock);
	back = erldist_process_alive(proc) || proc->err == ENETDOWN;
	if (back) {
		enqueue(mb, queue, msg);
		list_move(&msg->list, &queue->list);
	}
	spin_unlock_bh(&mb->lock);
	if (back)
		queue_wake(queue);
	else
		erldist_mailbox_read(proc, msg);
}

static void release_locked(struct erldist_process *proc,
			   const struct erldist_msg *msg)
{
	struct erldist_mailbox *mb = &proc->mailbox;

	if (msg->remote) {
		WRITE_ONCE(mb->remote_bytes, mb->remote_bytes - msg->charged);
		rank_locked(proc);
		atomic_long_sub(msg->charged, &proc->node->pool_used);
		atomic_long_sub(msg->charged, &proc->node->pool_ready);
	} else {
		WRITE_ONCE(mb->local_bytes, mb->local_bytes - msg->charged);
	}
}

/**
 * erldist_mailbox_read() - a message was read: its bytes are free
 * @proc: the process
 * @msg: the message, the reference is dropped
 *
 * Context: process context.
 */
void erldist_mailbox_read(struct erldist_process *proc, struct erldist_msg *msg)
{
	struct erldist_mailbox *mb = &proc->mailbox;

	spin_lock_bh(&mb->lock);
	release_locked(proc, msg);
	spin_unlock_bh(&mb->lock);
	if (msg->remote)
		erldist_pool_freed(proc->node);
	else if (wq_has_sleeper(&mb->wait) &&
		 READ_ONCE(mb->local_bytes) <= READ_ONCE(mb->local_limit) / 2)
		wake_up_all(&mb->wait);
	erldist_msg_put_resched(msg);
}

/**
 * erldist_mailbox_discard() - drop messages that nobody will read
 * @proc: whose they were
 * @queue: list of them, in nobody's hands but the caller's
 *
 * Context: process context.
 */
void erldist_mailbox_discard(struct erldist_process *proc,
			     struct list_head *queue)
{
	struct erldist_msg *msg;

	while (!list_empty(queue)) {
		msg = list_first_entry(queue, struct erldist_msg, list);
		list_del_init(&msg->list);
		erldist_mailbox_read(proc, msg);
		cond_resched();
	}
}

/**
 * erldist_mailbox_first() - size of the first message
 * @proc: the process
 * @port: where, NULL: its own socket
 * Return: bytes of its payload, 0: there is none.
 */
size_t erldist_mailbox_first(struct erldist_process *proc,
			     struct erldist_port *port)
{
	struct erldist_queue *queue = erldist_queue(proc, port);
	struct erldist_mailbox *mb = &proc->mailbox;
	struct erldist_msg *first;
	size_t len = 0;

	spin_lock_bh(&mb->lock);
	first = list_first_entry_or_null(&queue->list, struct erldist_msg,
					 list);
	if (first)
		len = first->len;
	spin_unlock_bh(&mb->lock);
	return len;
}

/**
 * erldist_mailbox_flush() - drop the DOWN of a monitor, if it has come
 * @proc: the process
 * @port: where, NULL: its own socket
 * @ref: the monitor's sequence number
 *
 * Context: process context.
 */
void erldist_mailbox_flush(struct erldist_process *proc,
			   struct erldist_port *port, u64 ref)
{
	struct erldist_queue *queue = erldist_queue(proc, port);
	struct erldist_mailbox *mb = &proc->mailbox;
	struct erldist_msg *found;
	struct rb_node *down;

	spin_lock_bh(&mb->lock);
	/* The first, where a number was used again. */
	down = rb_find_first(&ref, &queue->downs, down_cmp);
	found = rb_entry_safe(down, struct erldist_msg, down);
	if (found)
		dequeue(mb, queue, found);
	spin_unlock_bh(&mb->lock);
	if (found)
		erldist_mailbox_read(proc, found);
}
