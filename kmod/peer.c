// SPDX-License-Identifier: GPL-2.0-only
/*
 * Remote nodes: state, who may connect, what happens when they come and go.
 */
#include <linux/sched/signal.h>
#include <net/sock.h>

#include "channel.h"
#include "kcov.h"
#include "netlink.h"
#include "peer.h"
#include "process.h"
#include "relation.h"

static u32 peer_key_hash(const void *key, u32 len, u32 seed)
{
	return etf_atom_hash(key, seed);
}

static u32 peer_obj_hash(const void *obj, u32 len, u32 seed)
{
	const struct erldist_peer *peer = obj;

	return etf_atom_hash(&peer->atom, seed);
}

static int peer_cmp(struct rhashtable_compare_arg *arg, const void *obj)
{
	const struct erldist_peer *peer = obj;

	return !etf_atom_equal(arg->key, &peer->atom);
}

const struct rhashtable_params erldist_peer_params = {
	.head_offset = offsetof(struct erldist_peer, hash),
	.key_len = sizeof(struct etf_atom),
	.hashfn = peer_key_hash,
	.obj_hashfn = peer_obj_hash,
	.obj_cmpfn = peer_cmp,
	.automatic_shrinking = true,
};

#define TO(state)	BIT(ERLDIST_PEER_STATE_##state)

/* From each state, which may follow */
static const u8 peer_transitions[] = {
	[ERLDIST_PEER_STATE_DOWN] = TO(WANTED) | TO(CONNECTING) | TO(UP),
	[ERLDIST_PEER_STATE_WANTED] = TO(CONNECTING) | TO(UP) | TO(DOWN) |
				      TO(DRAINING),
	[ERLDIST_PEER_STATE_CONNECTING] = TO(WANTED) | TO(UP) | TO(DOWN) |
					  TO(DRAINING),
	[ERLDIST_PEER_STATE_UP] = TO(DRAINING),
	[ERLDIST_PEER_STATE_DRAINING] = TO(DOWN),
};

/* After draining, the connection is wanted for all senders: no user's share. */
static struct erldist_account *wanted_for(struct erldist_node *node,
					  const struct erldist_process *by)
{
	return by ? by->account : &node->keeper;
}

static void peer_count_wanted(struct erldist_peer *peer)
{
	struct erldist_process *by = peer->wanted_by;

	erldist_held_add(peer->node, wanted_for(peer->node, by), HELD_WANTED);
	if (by)
		atomic_inc(&by->n_wanted);
}

static void peer_unwant(struct erldist_peer *peer)
{
	struct erldist_process *by = peer->wanted_by;

	peer->told_nok = false;
	erldist_held_give(peer->node, wanted_for(peer->node, by), HELD_WANTED);
	if (!by)
		return;
	atomic_dec(&by->n_wanted);
	erldist_process_put(by);
	peer->wanted_by = NULL;
}

static void peer_set_state(struct erldist_peer *peer, u8 state)
{
	lockdep_assert_held(&peer->lock);
	if (peer->state == state)
		return;
	WARN_ON_ONCE(!(peer_transitions[peer->state] & BIT(state)));
	if (peer->state == ERLDIST_PEER_STATE_WANTED)
		peer_unwant(peer);
	if (state == ERLDIST_PEER_STATE_WANTED)
		peer_count_wanted(peer);
	if (peer->state == ERLDIST_PEER_STATE_UP)
		atomic_dec(&peer->node->n_up);
	if (state == ERLDIST_PEER_STATE_UP)
		atomic_inc(&peer->node->n_up);
	if (peer->state == ERLDIST_PEER_STATE_UP ||
	    state == ERLDIST_PEER_STATE_UP)
		peer->changed = get_jiffies_64();
	WRITE_ONCE(peer->state, state);
	peer->since = jiffies;
}

/**
 * erldist_reason_errno() - what connect() returns for a reason
 * @reason: enum erldist_reason
 * Return: a negative errno.
 */
int erldist_reason_errno(u8 reason)
{
	switch (reason) {
	case ERLDIST_REASON_BAD_DIGEST:
	case ERLDIST_REASON_CLOSED_AFTER_PROOF:
		return -EKEYREJECTED;
	case ERLDIST_REASON_NOT_ALLOWED:
	case ERLDIST_REASON_NOK:
	case ERLDIST_REASON_ALIVE:
	case ERLDIST_REASON_NOT_WANTED:
	case ERLDIST_REASON_DENIED:
		return -ECONNREFUSED;
	case ERLDIST_REASON_SETUP_TIMEOUT:
	case ERLDIST_REASON_NET_TICK_TIMEOUT:
		return -ETIMEDOUT;
	case ERLDIST_REASON_UNREACHABLE:
		return -EHOSTUNREACH;
	case ERLDIST_REASON_NODE_DOWN:
		return -ENETDOWN;
	case ERLDIST_REASON_NO_MEMORY:
		return -ENOMEM;
	case ERLDIST_REASON_CONNECTION_CLOSED:
	case ERLDIST_REASON_DISCONNECT:
	case ERLDIST_REASON_REPLACED:
		return -ECONNRESET;
	default:
		return -EPROTO;
	}
}

static void peer_free_rcu(struct rcu_head *rcu)
{
	struct erldist_peer *peer = container_of(rcu, struct erldist_peer, rcu);

	kfree_sensitive(peer->cookie);
	kfree(peer);
}

/**
 * erldist_peer_put() - drop a reference
 * @peer: the peer, or NULL
 *
 * Context: process context, no lock held.
 */
void erldist_peer_put(struct erldist_peer *peer)
{
	struct erldist_node *node;

	if (!peer || !refcount_dec_and_test(&peer->ref))
		return;
	node = peer->node;
	erldist_account_put(node, peer->payer);
	call_rcu(&peer->rcu, peer_free_rcu);
	erldist_node_put(node);
}

/*
 * The keeper tells of each of its attempts to a kept peer. An attempt resolves a name,
 * asks an epmd and shakes hands, each within the setup time; a keeper that is silent
 * for longer does not keep the peer any more.
 */
static unsigned long peer_kept_until(const struct erldist_peer *peer,
				     unsigned long setup)
{
	return peer->next_try + 4 * setup;
}

/* Jiffies to what is due next, 0: nothing. The one timer serves them all. */
static unsigned long peer_deadline_locked(const struct erldist_peer *peer,
					  unsigned long setup)
{
	unsigned long due;

	if (peer->state == ERLDIST_PEER_STATE_WANTED)
		due = peer->since + setup;
	else if (peer->remember)
		due = peer->retry;
	else if (peer->kept)
		due = peer_kept_until(peer, setup);
	else
		return 0;
	return time_after(due, jiffies) ? due - jiffies + 1 : 1;
}

/*
 * A queued or armed work holds a reference. Nothing is armed once the peer is
 * dead: peer_close() cancels what was armed before. The next deadline is never
 * postponed: each handshake of a stranger that fails arms the work anew.
 */
static void peer_arm(struct erldist_peer *peer, unsigned long delay)
{
	unsigned long setup = msecs_to_jiffies(READ_ONCE(peer->node->tick.setup)), due;

	spin_lock_bh(&peer->lock);
	if (!peer->dead) {
		due = peer_deadline_locked(peer, setup);
		if (due)
			delay = min(delay, due);
		erldist_peer_get(peer);
		if (mod_delayed_work(erldist_wq, &peer->work, delay))
			refcount_dec(&peer->ref);
	}
	spin_unlock_bh(&peer->lock);
}

/* Once for each time the peer is DRAINING. The node is there until it is over. */
static void peer_begin_drain(struct erldist_peer *peer)
{
	atomic_inc(&peer->node->busy);
	erldist_peer_get(peer);
	/* It is not queued: nobody else's state leads here. */
	queue_work(erldist_reaper_wq, &peer->drain);
}

static void peer_work(struct work_struct *work);
static void peer_close(struct erldist_peer *peer);
static void peer_drain(struct work_struct *work);

static struct erldist_peer *peer_alloc(struct erldist_node *node,
				       const struct etf_atom *name,
				       struct erldist_account *payer)
{
	struct erldist_peer *peer;

	peer = kzalloc(struct_size(peer, name, name->len + 1),
		       GFP_KERNEL_ACCOUNT);
	if (!peer)
		return NULL;
	refcount_set(&peer->ref, 2);	/* the table's and the caller's */
	erldist_node_get(node);
	peer->node = node;
	erldist_account_hold(node, payer);
	peer->payer = payer;
	spin_lock_init(&peer->lock);
	peer->since = jiffies;
	peer->changed = get_jiffies_64();
	INIT_LIST_HEAD(&peer->relations);
	INIT_LIST_HEAD(&peer->watches);
	INIT_LIST_HEAD(&peer->lost);
	INIT_LIST_HEAD(&peer->lost_watches);
	peer->flow_tree = RB_ROOT;
	INIT_LIST_HEAD(&peer->flows);
	init_waitqueue_head(&peer->wait);
	INIT_DELAYED_WORK(&peer->work, peer_work);
	INIT_WORK(&peer->drain, peer_drain);
	INIT_LIST_HEAD(&peer->event);
	memcpy(peer->name, name->text, name->len);
	peer->atom = (struct etf_atom){ .text = peer->name, .len = name->len };
	return peer;
}

/**
 * erldist_peer_find() - a peer by its name
 * @node: the local node
 * @name: the remote one's name
 * Return: the peer with a reference, or NULL.
 */
struct erldist_peer *erldist_peer_find(struct erldist_node *node,
				       const struct etf_atom *name)
{
	struct erldist_peer *peer;

	rcu_read_lock();
	peer = rhashtable_lookup(&node->peers, name, erldist_peer_params);
	if (peer && !refcount_inc_not_zero(&peer->ref))
		peer = NULL;
	rcu_read_unlock();
	return peer;
}

static void peer_discard(struct erldist_peer *peer)
{
	struct erldist_node *node = peer->node;

	erldist_account_put(node, peer->payer);
	kfree(peer);
	erldist_node_put(node);
}

static struct erldist_peer *peer_insert(struct erldist_node *node,
					struct erldist_peer *new)
{
	struct erldist_peer *old;

	bool freed;

	/* One without references is not in the table any more: look again. */
	do {
		rcu_read_lock();
		old = rhashtable_lookup_get_insert_key(&node->peers, &new->atom,
						       &new->hash,
						       erldist_peer_params);
		freed = !IS_ERR_OR_NULL(old) && !refcount_inc_not_zero(&old->ref);
		rcu_read_unlock();
	} while (freed);
	return old;
}

static bool name_is_ascii(const struct etf_atom *name)
{
	return erldist_name_valid((const char *)name->text, name->len);
}

/*
 * Places for strangers, who have one until they have proven the cookie: half of them for
 * names of which the keeper has not read, the others for handshakes
 */
static u32 stranger_places(const struct erldist_node *node)
{
	return min_t(u64, U32_MAX, (u64)READ_ONCE(node->limits.peers) +
				   2 * (u64)READ_ONCE(node->limits.handshakes));
}

static int place_take(struct erldist_node *node, struct erldist_account *payer)
{
	if (!payer)
		return erldist_held_take(node, &node->keeper, HELD_STRANGERS,
					 stranger_places(node));
	return erldist_held_take(node, payer, HELD_PEERS,
				 READ_ONCE(node->limits.peers));
}

static void place_give(struct erldist_node *node, struct erldist_account *payer)
{
	if (payer)
		erldist_held_give(node, payer, HELD_PEERS);
	else
		erldist_held_give(node, &node->keeper, HELD_STRANGERS);
}

/* The peer is no stranger any more. Returns 0 or -EUSERS. */
static int peer_pay_locked(struct erldist_peer *peer,
			   struct erldist_account *payer)
{
	struct erldist_node *node = peer->node;
	int err;

	lockdep_assert_held(&peer->lock);
	if (peer->payer)
		return 0;
	err = place_take(node, payer);
	if (err)
		return err;
	place_give(node, NULL);
	erldist_account_hold(node, payer);
	WRITE_ONCE(peer->payer, payer);
	return 0;
}

/* A peer with a reference; in its place an error, if @payer cannot pay for a stranger */
static struct erldist_peer *peer_paid(struct erldist_peer *peer,
				      struct erldist_account *payer)
{
	int err = 0;

	if (!payer || READ_ONCE(peer->payer))
		return peer;
	spin_lock_bh(&peer->lock);
	if (!peer->dead)
		err = peer_pay_locked(peer, payer);
	spin_unlock_bh(&peer->lock);
	if (!err)
		return peer;
	erldist_peer_put(peer);
	return ERR_PTR(err);
}

/**
 * erldist_peer_make() - a peer by its name, made if need be
 * @node: the local node
 * @name: the remote one's name; not the node's own
 * @payer: the account of a new one, or of one that was a stranger; the caller has a
 *	reference; NULL: it is a stranger
 *
 * Context: process context.
 * Return: the peer with a reference; ERR_PTR: -EINVAL no node name, -EUSERS too
 * many peers, -ENETDOWN the node is closed, -ENOMEM.
 */
struct erldist_peer *erldist_peer_make(struct erldist_node *node,
				       const struct etf_atom *name,
				       struct erldist_account *payer)
{
	struct erldist_peer *peer, *old;

	peer = erldist_peer_find(node, name);
	if (peer)
		return peer_paid(peer, payer);
	if (!name_is_ascii(name))
		return ERR_PTR(-EINVAL);
	if (READ_ONCE(node->dead))
		return ERR_PTR(-ENETDOWN);
	if (place_take(node, payer)) {
		/* Another caller may have made it meanwhile, in the last place. */
		peer = erldist_peer_find(node, name);
		return peer ? peer_paid(peer, payer) : ERR_PTR(-EUSERS);
	}
	peer = peer_alloc(node, name, payer);
	old = peer ? peer_insert(node, peer) : ERR_PTR(-ENOMEM);
	if (!old) {
		/* The node's close finds it, or we find the node closed. */
		smp_mb();
		if (READ_ONCE(node->dead))
			peer_close(peer);
		/* Removed again when nobody comes to use it. */
		peer_arm(peer, msecs_to_jiffies(READ_ONCE(node->tick.retry)));
		return peer;
	}
	place_give(node, payer);
	if (peer)
		peer_discard(peer);
	return IS_ERR(old) ? old : peer_paid(old, payer);
}

/* What a dead peer is to the caller: look it up again, or give up. */
static int peer_dead_error(const struct erldist_peer *peer)
{
	return READ_ONCE(peer->node->dead) ? -ENETDOWN : -ESTALE;
}

/**
 * erldist_peer_set_cookie() - change the cookie that is shared with a peer
 * @peer: the peer
 * @cookie: the new one, or NULL for the node's; the old one afterwards
 *
 * Pairs with peer_work(): a peer with a cookie is not forgotten, and a forgotten
 * one takes none.
 *
 * Context: process context.
 * Return: 0; -ESTALE the peer was forgotten, look it up again; -ENETDOWN.
 */
int erldist_peer_set_cookie(struct erldist_peer *peer,
			    struct erldist_cookie **cookie)
{
	int err = 0;

	mutex_lock(&peer->node->conf_lock);
	spin_lock_bh(&peer->lock);
	if (peer->dead)
		err = peer_dead_error(peer);
	else
		swap(peer->cookie, *cookie);
	spin_unlock_bh(&peer->lock);
	mutex_unlock(&peer->node->conf_lock);
	return err;
}

static int want_limits(struct erldist_node *node, struct erldist_process *by)
{
	struct erldist_limits *limits = &node->limits;

	if (!erldist_held_room(node, wanted_for(node, by), HELD_WANTED,
			       READ_ONCE(limits->wanted)))
		return -EUSERS;
	if (by && atomic_read(&by->n_wanted) >= READ_ONCE(limits->process_wanted))
		return -EUSERS;
	return 0;
}

/**
 * erldist_peer_for() - the peer a process sends to
 * @by: the process
 * @name: the node's name
 * @noconnect: only one that is known
 *
 * Names that a process makes up must not fill the table: a peer that is to be
 * made counts as wanted.
 *
 * Context: process context.
 * Return: as erldist_peer_make(); -EHOSTUNREACH; -EUSERS.
 */
struct erldist_peer *erldist_peer_for(struct erldist_process *by,
				      const struct etf_atom *name,
				      bool noconnect)
{
	struct erldist_peer *peer = erldist_peer_find(by->node, name);
	int err;

	if (peer)
		return noconnect ? peer : peer_paid(peer, by->account);
	if (noconnect)
		return ERR_PTR(-EHOSTUNREACH);
	err = want_limits(by->node, by);
	return err ? ERR_PTR(err) : erldist_peer_make(by->node, name, by->account);
}

/* The caller is the one who set dead. */
static void peer_remove(struct erldist_peer *peer)
{
	int err = rhashtable_remove_fast(&peer->node->peers, &peer->hash,
					 erldist_peer_params);

	if (err)
		return;
	place_give(peer->node, peer->payer);
	erldist_peer_put(peer);
}

/*
 * News that has not been read keeps its tag where what comes now is about no
 * connection, or only about one that has failed beside the one that is up. A
 * connection that asks has its tag in asking_tag.
 */
static bool event_has_tag(const struct erldist_peer *peer, u32 pending)
{
	switch (pending) {
	case ERLDIST_PENDING_WANTED:
	case ERLDIST_PENDING_ASKS:
		return !peer->pending;
	case ERLDIST_PENDING_FAILED:
		return !(peer->pending & ERLDIST_PENDING_UP);
	default:
		return true;
	}
}

/* Strangers whose failures the keeper does not read must not take all their places. */
static bool is_one_too_many(const struct erldist_peer *peer)
{
	const struct erldist_node *node = peer->node;

	return !READ_ONCE(peer->payer) &&
	       atomic_read(&node->held[HELD_STRANGERS]) >
	       stranger_places(node) / 2;
}

/**
 * erldist_peer_event() - report a state to the node socket
 * @peer: the peer
 * @pending: enum erldist_pending, what is new
 * @tag: of the connection it is about
 * @connection: its number, or 0
 *
 * Context: any, takes node->event_lock.
 */
void erldist_peer_event(struct erldist_peer *peer, u32 pending, u64 tag,
			u64 connection)
{
	struct erldist_node *node = peer->node;

	if (pending == ERLDIST_PENDING_FAILED && is_one_too_many(peer))
		return;
	spin_lock_bh(&node->event_lock);
	if (event_has_tag(peer, pending))
		peer->event_tag = tag;
	peer->pending |= pending;
	if (connection)
		peer->event_connection = connection;
	if (list_empty(&peer->event) && !READ_ONCE(node->dead)) {
		erldist_peer_get(peer);
		list_add_tail(&peer->event, &node->events);
	}
	spin_unlock_bh(&node->event_lock);
	erldist_node_socket_wake(node);
}

/**
 * erldist_peer_event_return() - news that could not be told is news again
 * @peer: the peer
 * @pending: what was taken
 * @tag: likewise
 * @connection: likewise
 *
 * What has happened since then is newer, and stays.
 *
 * Context: process context.
 */
void erldist_peer_event_return(struct erldist_peer *peer, u32 pending, u64 tag,
			       u64 connection)
{
	struct erldist_node *node = peer->node;

	spin_lock_bh(&node->event_lock);
	if (peer->pending) {
		tag = peer->event_tag;
		connection = peer->event_connection;
	}
	spin_unlock_bh(&node->event_lock);
	erldist_peer_event(peer, pending, tag, connection);
}

static u32 peer_present_state(struct erldist_peer *peer)
{
	switch (READ_ONCE(peer->state)) {
	case ERLDIST_PEER_STATE_UP:
		return ERLDIST_PENDING_UP;
	case ERLDIST_PEER_STATE_WANTED:
		return ERLDIST_PENDING_WANTED;
	default:
		return READ_ONCE(peer->asking) ? ERLDIST_PENDING_ASKS :
						 ERLDIST_PENDING_DOWN;
	}
}

/**
 * erldist_peers_each() - do something with each peer
 * @node: the node
 * @fn: what; it may sleep
 * @arg: for @fn
 *
 * Context: process context.
 */
void erldist_peers_each(struct erldist_node *node,
			void (*fn)(struct erldist_peer *peer, void *arg),
			void *arg)
{
	struct rhashtable_iter iter;
	struct erldist_peer *peer;

	rhashtable_walk_enter(&node->peers, &iter);
	rhashtable_walk_start(&iter);
	while ((peer = rhashtable_walk_next(&iter))) {
		if (IS_ERR(peer) || !refcount_inc_not_zero(&peer->ref))
			continue;
		rhashtable_walk_stop(&iter);
		fn(peer, arg);
		erldist_peer_put(peer);
		cond_resched();
		rhashtable_walk_start(&iter);
	}
	rhashtable_walk_stop(&iter);
	rhashtable_walk_exit(&iter);
}

static void peer_replay(struct erldist_peer *peer, void *arg)
{
	u64 tag, connection;

	spin_lock_bh(&peer->lock);
	tag = peer->tag;
	connection = peer->connection;
	spin_unlock_bh(&peer->lock);
	erldist_peer_event(peer, peer_present_state(peer), tag, connection);
	/* In any state a connection can be waiting for the keeper's answer. */
	if (READ_ONCE(peer->asking))
		erldist_peer_event(peer, ERLDIST_PENDING_ASKS, tag, 0);
}

/**
 * erldist_peer_replay() - every peer's state is news again
 * @node: the node
 *
 * Context: process context.
 */
void erldist_peer_replay(struct erldist_node *node)
{
	erldist_peers_each(node, peer_replay, NULL);
}

/* Does anything hold with the present connection, or wait for the next? */
static bool peer_related_locked(const struct erldist_peer *peer)
{
	return !list_empty(&peer->relations) || !list_empty(&peer->watches);
}

/* What waited for a connection, or had one, is over. */
static void peer_give_up_locked(struct erldist_peer *peer,
				struct list_head *drop)
{
	peer->generation++;
	list_splice_tail_init(&peer->relations, &peer->lost);
	list_splice_tail_init(&peer->watches, &peer->lost_watches);
	erldist_send_take_locked(peer, drop);
}

/* A wait for a connection is decided: error, reason, open and dead are set. */
static void peer_new_epoch_locked(struct erldist_peer *peer)
{
	lockdep_assert_held(&peer->lock);
	/*
	 * Pairs with smp_load_acquire() in peer_wait_up() and block_over(): after a
	 * new epoch erldist_peer_verdict() reads what was set before it.
	 */
	smp_store_release(&peer->epoch, peer->epoch + 1);
}

/* Nobody is connected, and nobody tries. Queued messages go to @drop. */
static void peer_fail_locked(struct erldist_peer *peer, u8 reason, int error,
			     struct list_head *drop)
{
	/* Noconnection comes before anything of a newer connection. */
	if (!peer_related_locked(peer)) {
		peer_set_state(peer, ERLDIST_PEER_STATE_DOWN);
	} else {
		peer_set_state(peer, ERLDIST_PEER_STATE_DRAINING);
		peer_begin_drain(peer);
	}
	WRITE_ONCE(peer->reason, reason);
	WRITE_ONCE(peer->error, error ?: -erldist_reason_errno(reason));
	peer->failed++;
	peer_new_epoch_locked(peer);
	peer->remembered = -peer->error;
	peer->remember = true;
	peer->retry = jiffies + msecs_to_jiffies(READ_ONCE(peer->node->tick.retry));
	peer_give_up_locked(peer, drop);
}

static void peer_lose(struct erldist_peer *peer, struct list_head *drop)
{
	u32 n = erldist_send_drop(peer, drop);

	if (!n)
		return;
	atomic64_add(n, &peer->node->lost);
	spin_lock_bh(&peer->lock);
	peer->lost_messages += n;
	spin_unlock_bh(&peer->lock);
}

/*
 * An unused peer stays in the table for a while, so that its last error can be read. If
 * the account that pays for it has more than a quarter of the places, it is removed at
 * once, and the next one finds room.
 */
static unsigned long peer_lingers(const struct erldist_peer *peer)
{
	const struct erldist_account *payer = READ_ONCE(peer->payer);
	const struct erldist_node *node = peer->node;
	u32 held;

	held = payer ? atomic_read(&payer->held[HELD_PEERS]) :
		       atomic_read(&node->held[HELD_STRANGERS]);
	if (held > READ_ONCE(node->limits.peers) / 4)
		return 0;
	return msecs_to_jiffies(READ_ONCE(node->tick.retry)) + 1;
}

static void peer_failed(struct erldist_peer *peer, u64 tag,
			struct list_head *drop)
{
	peer_lose(peer, drop);
	wake_up_all(&peer->wait);
	erldist_peer_event(peer, ERLDIST_PENDING_FAILED, tag, 0);
	erldist_netlink_peer(peer, ERLDIST_CMD_PEER_FAILED_NTF);
	peer_arm(peer, peer_lingers(peer));
}

static bool peer_unused_locked(struct erldist_peer *peer)
{
	return peer->state == ERLDIST_PEER_STATE_DOWN && !peer->remember &&
	       !peer->kept && !peer->users && !peer->n_queued && !peer_related_locked(peer) &&
	       list_empty(&peer->event) && !peer->cookie &&
	       /* who is about to wait made the peer wanted, under the lock */
	       !waitqueue_active(&peer->wait);
}

static void peer_work(struct work_struct *work)
{
	struct erldist_peer *peer = container_of(to_delayed_work(work),
						 struct erldist_peer, work);
	unsigned long setup = msecs_to_jiffies(READ_ONCE(peer->node->tick.setup));
	bool failed = false, gone = false;
	unsigned long next;
	LIST_HEAD(drop);

	erldist_kcov_work_start(peer->node);
	spin_lock_bh(&peer->lock);
	if (peer->state == ERLDIST_PEER_STATE_WANTED &&
	    time_after_eq(jiffies, peer->since + setup)) {
		peer_fail_locked(peer, ERLDIST_REASON_SETUP_TIMEOUT, 0, &drop);
		failed = true;
	} else if (peer->remember && time_after_eq(jiffies, peer->retry)) {
		peer->remember = false;
	}
	if (peer->kept && time_after_eq(jiffies, peer_kept_until(peer, setup)))
		peer->kept = false;
	if (!failed && !peer->dead && peer_unused_locked(peer)) {
		WRITE_ONCE(peer->dead, true);
		gone = true;
	}
	next = peer_deadline_locked(peer, setup);
	spin_unlock_bh(&peer->lock);
	if (failed)
		peer_failed(peer, 0, &drop);
	if (gone)
		peer_remove(peer);
	if (next)
		peer_arm(peer, next);
	erldist_peer_put(peer);
	erldist_kcov_work_stop();
}

/**
 * erldist_peer_settle() - see later whether the peer is still of use
 * @peer: a peer that lost a user
 *
 * Context: process context.
 */
void erldist_peer_settle(struct erldist_peer *peer)
{
	if (READ_ONCE(peer->state) == ERLDIST_PEER_STATE_DOWN)
		peer_arm(peer, peer_lingers(peer));
}

/* Why there is no attempt to connect, or 0 */
static int peer_want_error_locked(struct erldist_peer *peer,
				  struct erldist_process *by)
{
	if (peer->remember && time_before(jiffies, peer->retry))
		return peer->remembered;
	return want_limits(peer->node, by);
}

/**
 * erldist_peer_want_locked() - someone needs a connection
 * @peer: the peer, locked
 * @by: the process, or NULL
 * @news: set when the keeper must be told (erldist_peer_wanted())
 *
 * Return: 0: connected, or on the way; a negative errno: the remembered
 * failure; -EUSERS: too many wanted peers.
 */
int erldist_peer_want_locked(struct erldist_peer *peer,
			     struct erldist_process *by, bool *news)
{
	int err;

	if (peer->state == ERLDIST_PEER_STATE_DRAINING)
		peer->again = true;
	if (peer->state != ERLDIST_PEER_STATE_DOWN)
		return 0;
	err = peer_want_error_locked(peer, by);
	if (err)
		return err;
	if (by) {
		erldist_process_get(by);
		peer->wanted_by = by;
	}
	peer_set_state(peer, ERLDIST_PEER_STATE_WANTED);
	*news = true;
	return 0;
}

/**
 * erldist_peer_admit_locked() - may a process ask something of a peer
 * @peer: the peer, locked; wanted from now on, if it is not connected
 * @by: the process
 * @noconnect: only if connected
 * @news: as for erldist_peer_want_locked()
 *
 * Return: 0; 1: there is no way to it; -EHOSTUNREACH, -EUSERS, -EPIPE, -ESTALE,
 * -ENETDOWN as for erldist_peer_relate().
 */
int erldist_peer_admit_locked(struct erldist_peer *peer,
			      struct erldist_process *by, bool noconnect,
			      bool *news)
{
	int err;

	if (peer->dead)
		return peer_dead_error(peer);
	if (!erldist_process_alive(by))
		return -EPIPE;
	if (noconnect && !peer->open)
		return -EHOSTUNREACH;
	err = erldist_peer_want_locked(peer, by, news);
	if (!err || err == -EUSERS)
		return err;
	return 1;
}

/**
 * erldist_peer_relate() - a relation that holds with the connection to a peer
 * @peer: the peer
 * @by: the process; a connection is wanted on its behalf
 * @rel: the relation, hooked in its tree
 * @noconnect: only if connected
 *
 * Context: process context.
 * Return: 0; 1: there is no way to the peer, the relation is not hooked;
 * -EHOSTUNREACH; -EUSERS; -EPIPE the process has ended; -ESTALE the peer was
 * forgotten, look it up again; -ENETDOWN.
 */
int erldist_peer_relate(struct erldist_peer *peer, struct erldist_process *by,
			struct erldist_relation *rel, bool noconnect)
{
	bool news = false;
	int err;

	spin_lock_bh(&peer->lock);
	err = erldist_peer_admit_locked(peer, by, noconnect, &news);
	if (!err)
		erldist_relation_hook_peer_locked(rel);
	spin_unlock_bh(&peer->lock);
	if (news)
		erldist_peer_wanted(peer);
	return err;
}

/**
 * erldist_peer_wanted() - tell the keeper that a peer is wanted
 * @peer: the peer; erldist_peer_want_locked() said so
 *
 * Context: process context.
 */
void erldist_peer_wanted(struct erldist_peer *peer)
{
	erldist_peer_event(peer, ERLDIST_PENDING_WANTED, 0, 0);
	peer_arm(peer, msecs_to_jiffies(READ_ONCE(peer->node->tick.setup)) + 1);
}

/**
 * erldist_peer_use() - a connection of this name is in handshake
 * @peer: the peer; erldist_peer_detach() is the end of it
 *
 * Return: false: it has just been forgotten, look it up again.
 */
bool erldist_peer_use(struct erldist_peer *peer)
{
	bool there;

	spin_lock_bh(&peer->lock);
	there = !peer->dead;
	if (there)
		peer->users++;
	spin_unlock_bh(&peer->lock);
	return there;
}

/* Of two connections begun at once, the one begun by the greater name wins. */
static bool peer_is_smaller(const struct erldist_peer *peer)
{
	return strcmp(peer->node->name, peer->name) > 0;
}

/**
 * erldist_peer_ask() - have the keeper decide about a connection
 * @peer: the peer
 * @ch: the connection, which has told its name
 *
 * One connection of a name at a time: another one must not take the place of
 * the one about which the keeper was told, and which is answered by its tag.
 *
 * Context: process context.
 */
void erldist_peer_ask(struct erldist_peer *peer,
		      const struct erldist_channel *ch)
{
	bool asks;

	spin_lock_bh(&peer->node->event_lock);
	asks = !peer->asking;
	if (asks) {
		WRITE_ONCE(peer->asking, ch);
		peer->asking_tag = ch->tag;
		peer->asking_flags = ch->hs->peer_flags;
	}
	spin_unlock_bh(&peer->node->event_lock);
	if (asks)
		erldist_peer_event(peer, ERLDIST_PENDING_ASKS, ch->tag, 0);
}

/**
 * erldist_peer_ask_over() - the keeper need not decide about a connection any more
 * @peer: the peer
 * @ch: the connection
 *
 * Return: true: the keeper was asked about it; now another one can ask.
 */
bool erldist_peer_ask_over(struct erldist_peer *peer,
			   const struct erldist_channel *ch)
{
	bool over;

	spin_lock_bh(&peer->node->event_lock);
	over = peer->asking == ch;
	if (over)
		WRITE_ONCE(peer->asking, NULL);
	spin_unlock_bh(&peer->node->event_lock);
	return over;
}

/**
 * erldist_peer_status() - answer a node that introduces itself
 * @peer: the peer of that name
 *
 * dist_util:handshake_other_started/1: alive when connected; when we try
 * too, the greater name's attempt wins. The node has proven nothing: our own
 * attempt goes on beside it, and what waits for the peer goes on waiting.
 *
 * Context: process context.
 * Return: enum erldist_hs_status, or -EALREADY: close without a word, another
 * connection that is proven waits to be the peer's.
 */
int erldist_peer_status(struct erldist_peer *peer)
{
	int status = HS_STATUS_OK;

	spin_lock_bh(&peer->lock);
	if (peer->next)
		status = -EALREADY;
	else if (peer->state == ERLDIST_PEER_STATE_UP)
		status = HS_STATUS_ALIVE;
	else if (peer->attempt)
		status = peer_is_smaller(peer) ? HS_STATUS_NOK :
						 HS_STATUS_OK_SIMULTANEOUS;
	spin_unlock_bh(&peer->lock);
	return status;
}

/**
 * erldist_peer_attempt() - our own handshake with a peer begins
 * @peer: the peer
 * @ch: the channel, as initiator
 *
 * An accepted handshake that has proven nothing is no reason to refuse it: it
 * can be a stranger's.
 *
 * Return: 0; -EISCONN connected; -EALREADY another attempt of ours is in
 * progress, or a connection that is proven is about to be the peer's; -ESTALE
 * the peer was forgotten, look it up again; -ENETDOWN.
 */
int erldist_peer_attempt(struct erldist_peer *peer, struct erldist_channel *ch)
{
	int err = 0;

	spin_lock_bh(&peer->lock);
	if (peer->dead)
		err = peer_dead_error(peer);
	else if (peer->state == ERLDIST_PEER_STATE_UP)
		err = -EISCONN;
	else if (peer->attempt || peer->next)
		err = -EALREADY;
	if (!err) {
		erldist_channel_get(ch);
		peer->attempt = ch;
		if (peer->state != ERLDIST_PEER_STATE_DRAINING)
			peer_set_state(peer, ERLDIST_PEER_STATE_CONNECTING);
	}
	spin_unlock_bh(&peer->lock);
	return err;
}

/**
 * erldist_peer_wants() - told "alive": is our attempt still wanted
 * @peer: the peer
 * @ch: the initiator
 * Return: true unless another connection came up.
 */
bool erldist_peer_wants(struct erldist_peer *peer, struct erldist_channel *ch)
{
	bool wants;

	spin_lock_bh(&peer->lock);
	wants = peer->state != ERLDIST_PEER_STATE_UP && peer->attempt == ch;
	spin_unlock_bh(&peer->lock);
	return wants;
}

/* Forget @ch where it is not the connection. Returns a reference to drop. */
static struct erldist_channel *peer_unhook_locked(struct erldist_peer *peer,
						  struct erldist_channel *ch)
{
	if (peer->attempt == ch) {
		peer->attempt = NULL;
		return ch;
	}
	if (peer->next == ch) {
		peer->next = NULL;
		return ch;
	}
	return NULL;
}

static void peer_take_over_locked(struct erldist_peer *peer,
				  struct erldist_channel *ch)
{
	peer_set_state(peer, ERLDIST_PEER_STATE_UP);
	erldist_channel_get(ch);
	peer->channel = ch;
	WRITE_ONCE(peer->open, false);
	peer->connection = ch->connection;
	peer->tag = ch->tag;
	peer->flags = ch->dflags;
	WRITE_ONCE(peer->creation, ch->hs->peer_creation);
	/*
	 * reason and error stay: a wait that an earlier failure has ended reads them
	 * in erldist_peer_verdict(), until the peer is open.
	 */
	peer->failed = 0;
	peer->remembered = 0;
	peer->remember = false;
	peer->kept = false;
}

/*
 * A peer of smaller name answers ok_simultaneous to our attempt, and closes its own
 * connection then: the one that is proven first must wait for that answer, lest
 * both are closed.
 */
static bool peer_must_wait_locked(const struct erldist_peer *peer,
				  const struct erldist_channel *ch)
{
	return peer->attempt && ch->role == ERLDIST_ROLE_ACCEPTOR &&
	       peer_is_smaller(peer);
}

/*
 * Is there a connection that @ch must not take the place of? One that waits gives
 * way to our attempt: the peer has closed its own when it accepted ours.
 */
static bool peer_taken_locked(const struct erldist_peer *peer,
			      const struct erldist_channel *ch, bool ours)
{
	if (peer->state == ERLDIST_PEER_STATE_UP)
		return peer->next || !ch->replaces;
	return peer->next && !ours;
}

static void channel_end_replaced(struct erldist_channel *ch)
{
	if (!ch)
		return;
	erldist_channel_abort(ch, ERLDIST_REASON_REPLACED, 0);
	erldist_channel_put(ch);
}

/**
 * erldist_peer_adopt() - a handshake is done, the cookie proven
 * @peer: the peer
 * @ch: the channel
 *
 * Context: process context.
 * Return: 0: it is the connection now; -EINPROGRESS: it will be when the old
 * one has been drained, or our attempt has failed, erldist_channel_resume() says
 * when; -EALREADY: there is another one; -EUSERS: too many peers; -ENETDOWN.
 */
int erldist_peer_adopt(struct erldist_peer *peer, struct erldist_channel *ch)
{
	struct erldist_channel *mine, *old = NULL, *attempt = NULL, *next = NULL;
	bool ours;
	int err = 0;

	spin_lock_bh(&peer->lock);
	ours = peer->attempt == ch;
	/*
	 * The timer has aborted it meanwhile. It stays hooked: erldist_peer_detach()
	 * finds there that the attempt is over.
	 */
	if (test_bit(CHANNEL_CLOSING, &ch->flags)) {
		spin_unlock_bh(&peer->lock);
		return -EALREADY;
	}
	mine = peer_unhook_locked(peer, ch);
	if (peer->dead) {
		err = -ENETDOWN;
	} else if (peer_taken_locked(peer, ch, ours)) {
		err = -EALREADY;
	} else if (peer->state == ERLDIST_PEER_STATE_UP ||
		   peer->state == ERLDIST_PEER_STATE_DRAINING ||
		   peer_must_wait_locked(peer, ch)) {
		err = -EINPROGRESS;
		erldist_channel_get(ch);
		next = peer->next;
		peer->next = ch;
		old = peer->channel;
		if (old)
			erldist_channel_get(old);
	} else if (peer_pay_locked(peer, &peer->node->keeper)) {
		err = -EUSERS;
	} else {
		peer_take_over_locked(peer, ch);
		attempt = peer->attempt;
		next = peer->next;
		peer->attempt = NULL;
		peer->next = NULL;
	}
	spin_unlock_bh(&peer->lock);
	if (mine)
		erldist_channel_put(mine);
	channel_end_replaced(old);
	channel_end_replaced(attempt);
	channel_end_replaced(next);
	return err;
}

/**
 * erldist_peer_open() - frames may flow
 * @peer: the peer
 * @ch: its connection
 *
 * It is up for everybody: who hears so can send without waiting.
 *
 * Context: process context.
 * Return: false when the connection is gone already.
 */
bool erldist_peer_open(struct erldist_peer *peer, struct erldist_channel *ch)
{
	bool open;

	spin_lock_bh(&peer->lock);
	open = peer->channel == ch;
	if (open) {
		/* Pairs with send_rules(), which reads creation, set before. */
		smp_store_release(&peer->open, true);
		peer_new_epoch_locked(peer);
	}
	spin_unlock_bh(&peer->lock);
	wake_up_all(&peer->wait);
	if (!open)
		return false;
	erldist_netlink_peer(peer, ERLDIST_CMD_PEER_UP_NTF);
	erldist_peer_event(peer, ERLDIST_PENDING_UP, ch->tag, ch->connection);
	erldist_send_kick(peer);
	return true;
}

/* The connection itself goes. */
static void peer_down_locked(struct erldist_peer *peer,
			     struct erldist_channel *ch, u8 reason, int error,
			     struct list_head *drop)
{
	peer_set_state(peer, ERLDIST_PEER_STATE_DRAINING);
	peer->channel = NULL;
	WRITE_ONCE(peer->reason, reason);
	WRITE_ONCE(peer->error, error);
	peer->rx_bytes += atomic64_read(&ch->rx_bytes);
	peer->tx_bytes += atomic64_read(&ch->tx_bytes);
	peer->rx_messages += atomic64_read(&ch->rx_messages);
	peer->tx_messages += atomic64_read(&ch->tx_messages);
	peer->over = peer->open ? ERLDIST_PENDING_DOWN : ERLDIST_PENDING_FAILED;
	/* Who waits has been told that it is open, or is told now why it is not. */
	if (!peer->open)
		peer_new_epoch_locked(peer);
	WRITE_ONCE(peer->open, false);
	peer_give_up_locked(peer, drop);
}

static void peer_went_down(struct erldist_peer *peer,
			   struct erldist_channel *ch, struct list_head *drop)
{
	peer_lose(peer, drop);
	peer_begin_drain(peer);
	erldist_channel_put(ch);
}

/*
 * The connection that was proven is over before it was the peer's, and ours has
 * failed before. Returns true when the peer is wanted again.
 */
static bool peer_rejected_locked(struct erldist_peer *peer, u8 reason,
				 int error)
{
	bool wanted = !peer->dead &&
		      (peer->n_queued || peer_related_locked(peer) ||
		       /* who is about to wait finds the state changed */
		       waitqueue_active(&peer->wait));

	peer_set_state(peer, wanted ? ERLDIST_PEER_STATE_WANTED :
				      ERLDIST_PEER_STATE_DOWN);
	WRITE_ONCE(peer->reason, reason);
	if (wanted)
		return true;
	WRITE_ONCE(peer->error, error);
	peer->failed++;
	peer_new_epoch_locked(peer);
	return false;
}

/*
 * A handshake failed that the state does not depend on: a stranger's, perhaps. It
 * says nothing about the real node of that name, and nothing is remembered
 * against our own attempts.
 */
static void peer_stranger_over_locked(struct erldist_peer *peer, u8 reason,
				      int error)
{
	if (peer->state == ERLDIST_PEER_STATE_UP ||
	    peer->state == ERLDIST_PEER_STATE_DRAINING)
		return;
	WRITE_ONCE(peer->reason, reason);
	if (peer->state != ERLDIST_PEER_STATE_DOWN)
		return;
	WRITE_ONCE(peer->error, error);
	peer->failed++;
}

/* What becomes of the peer when neither our attempt nor a proven one is left */
enum peer_over {
	OVER_FAILED,
	OVER_WANTED,	/* the keeper must be told */
	OVER_WAITS,	/* for the peer's connection, which is in its handshake */
};

static enum peer_over peer_over_locked(struct erldist_peer *peer,
				       struct erldist_channel *ch, u8 reason,
				       int error, struct list_head *drop)
{
	if (ch->role == ERLDIST_ROLE_ACCEPTOR)
		return peer_rejected_locked(peer, reason, error) ? OVER_WANTED :
								   OVER_FAILED;
	/* nok: the peer's own attempt wins. It is one of the users, or none is. */
	if (reason == ERLDIST_REASON_NOK && peer->users && !peer->dead) {
		peer_set_state(peer, ERLDIST_PEER_STATE_WANTED);
		peer->told_nok = true;
		WRITE_ONCE(peer->reason, reason);
		return OVER_WAITS;
	}
	peer_fail_locked(peer, reason, error, drop);
	return OVER_FAILED;
}

/* After nok: the peer's own connection was none of those in their handshake. */
static bool peer_waits_in_vain_locked(struct erldist_peer *peer)
{
	if (!peer->told_nok || peer->users)
		return false;
	peer->told_nok = false;
	return true;
}

/* A handshake is over without a connection. */
static void peer_attempt_over(struct erldist_peer *peer,
			      struct erldist_channel *ch, u8 reason, int error)
{
	enum peer_over over = OVER_FAILED;
	struct erldist_channel *mine;
	LIST_HEAD(drop);

	spin_lock_bh(&peer->lock);
	mine = peer_unhook_locked(peer, ch);
	if (!mine || peer->state != ERLDIST_PEER_STATE_CONNECTING || peer->attempt)
		peer_stranger_over_locked(peer, reason, error);
	else if (peer->next)
		erldist_channel_resume(peer->next);
	else
		over = peer_over_locked(peer, ch, reason, error, &drop);
	if (peer_waits_in_vain_locked(peer))
		over = OVER_WANTED;
	spin_unlock_bh(&peer->lock);
	if (over == OVER_WAITS)
		peer_arm(peer, msecs_to_jiffies(READ_ONCE(peer->node->tick.setup)) + 1);
	else
		peer_failed(peer, ch->tag, &drop);
	if (over == OVER_WANTED)
		erldist_peer_wanted(peer);
	if (mine)
		erldist_channel_put(mine);
}

/**
 * erldist_peer_detach() - a channel of this peer is over
 * @peer: the peer
 * @ch: the channel; nothing runs on it any more
 * @reason: enum erldist_reason
 * @error: positive errno that goes with it, or 0
 *
 * Context: process context.
 */
void erldist_peer_detach(struct erldist_peer *peer, struct erldist_channel *ch,
			 u8 reason, int error)
{
	LIST_HEAD(drop);
	bool up;

	spin_lock_bh(&peer->lock);
	if (ch->role == ERLDIST_ROLE_ACCEPTOR)
		peer->users--;
	up = peer->channel == ch;
	if (up)
		peer_down_locked(peer, ch, reason, error, &drop);
	spin_unlock_bh(&peer->lock);
	if (up)
		peer_went_down(peer, ch, &drop);
	else
		peer_attempt_over(peer, ch, reason, error);
}

/**
 * erldist_peer_unreachable() - the keeper cannot connect
 * @peer: the peer
 * @error: positive errno for connect()
 * @kept: it tries again by itself; if not, the peer is not kept any more
 *
 * Of the keeper's own attempts only the one that fails in another way than the
 * last is told to observers: they go on for as long as the peer is away.
 *
 * Context: process context.
 */
void erldist_peer_unreachable(struct erldist_peer *peer, int error, bool kept)
{
	bool failed = false, news = false;
	LIST_HEAD(drop);

	spin_lock_bh(&peer->lock);
	if (peer->kept && !kept) {
		peer->kept = false;
		/* The failure was to be remembered until the next try: there is none. */
		peer->retry = jiffies;
	}
	if (peer->state == ERLDIST_PEER_STATE_WANTED) {
		peer_fail_locked(peer, ERLDIST_REASON_UNREACHABLE, error, &drop);
		failed = true;
	} else if (kept && peer->state == ERLDIST_PEER_STATE_DOWN) {
		error = error ?: EHOSTUNREACH;
		news = peer->reason != ERLDIST_REASON_UNREACHABLE || peer->error != error;
		WRITE_ONCE(peer->reason, ERLDIST_REASON_UNREACHABLE);
		WRITE_ONCE(peer->error, error);
		peer->remembered = -error;
		peer->failed++;
	}
	spin_unlock_bh(&peer->lock);
	if (failed)
		peer_failed(peer, 0, &drop);
	else if (news)
		erldist_netlink_peer(peer, ERLDIST_CMD_PEER_FAILED_NTF);
	else if (!kept)
		erldist_peer_settle(peer);
}

/**
 * erldist_peer_retry() - the keeper connects a peer by itself
 * @peer: the peer
 * @ms: when
 *
 * Until then a sender is told of the last failure, as the keeper would tell it.
 *
 * Context: process context.
 * Return: 0; -ESTALE the peer was forgotten, look it up again; -ENETDOWN.
 */
int erldist_peer_retry(struct erldist_peer *peer, u32 ms)
{
	int err = 0;

	spin_lock_bh(&peer->lock);
	if (peer->dead)
		err = peer_dead_error(peer);
	peer->kept = peer->state != ERLDIST_PEER_STATE_UP;
	peer->next_try = jiffies + msecs_to_jiffies(ms);
	if (ms && peer->remembered && peer->state == ERLDIST_PEER_STATE_DOWN) {
		peer->remember = true;
		peer->retry = peer->next_try;
	}
	spin_unlock_bh(&peer->lock);
	return err;
}

/* Nobody is about to connect, or has. */
static bool peer_alone_locked(const struct erldist_peer *peer)
{
	return !peer->next && !peer->attempt;
}

/*
 * What was asked for while the peer was draining, and cannot have a connection
 * either, ends before there can be one.
 */
static bool peer_in_vain_locked(struct erldist_peer *peer)
{
	return peer_related_locked(peer) && peer_alone_locked(peer) &&
	       (peer->dead || peer_want_error_locked(peer, NULL));
}

/* Ends it, and what the connection that went down had. */
static void peer_drain_all(struct erldist_peer *peer)
{
	LIST_HEAD(drop);
	bool more;

	do {
		erldist_relations_lost(peer);
		spin_lock_bh(&peer->lock);
		more = peer_in_vain_locked(peer);
		if (more)
			peer_give_up_locked(peer, &drop);
		spin_unlock_bh(&peer->lock);
		peer_lose(peer, &drop);
	} while (more);
}

/* DRAINING is over: the next connection, or none. False: there is more of it. */
static bool peer_drained(struct erldist_peer *peer)
{
	struct erldist_channel *next;
	bool wanted = false;
	LIST_HEAD(drop);
	int err = 0;

	spin_lock_bh(&peer->lock);
	if (peer_in_vain_locked(peer)) {
		spin_unlock_bh(&peer->lock);
		return false;
	}
	peer_set_state(peer, ERLDIST_PEER_STATE_DOWN);
	next = peer->next;
	peer->next = NULL;
	if (next || peer->attempt)
		peer_set_state(peer, ERLDIST_PEER_STATE_CONNECTING);
	else if ((peer->n_queued || peer->again ||
		  peer_related_locked(peer)) && !peer->dead)
		err = erldist_peer_want_locked(peer, NULL, &wanted);
	peer->again = false;
	if (err) {
		WRITE_ONCE(peer->error, -err);
		peer_new_epoch_locked(peer);
		peer_give_up_locked(peer, &drop);
	}
	spin_unlock_bh(&peer->lock);
	peer_lose(peer, &drop);
	/* There are none, unless the limit of wanted peers was reached now. */
	erldist_relations_lost(peer);
	wake_up_all(&peer->wait);
	if (next) {
		erldist_channel_resume(next);
		erldist_channel_put(next);
	} else if (wanted) {
		erldist_peer_wanted(peer);
	} else {
		erldist_peer_settle(peer);
	}
	return true;
}

/* It is down, or never was up for anybody. */
static void peer_tell_over(struct erldist_peer *peer)
{
	u32 over = peer->over;

	peer->over = 0;
	if (!over)
		return;
	erldist_netlink_peer(peer, over == ERLDIST_PENDING_DOWN ?
				   ERLDIST_CMD_PEER_DOWN_NTF :
				   ERLDIST_CMD_PEER_FAILED_NTF);
	erldist_peer_event(peer, over, peer->tag,
			   over == ERLDIST_PENDING_DOWN ? peer->connection : 0);
}

static void peer_drain(struct work_struct *work)
{
	struct erldist_peer *peer = container_of(work, struct erldist_peer,
						 drain);

	erldist_kcov_work_start(peer->node);
	peer_drain_all(peer);
	peer_tell_over(peer);
	while (!peer_drained(peer))
		peer_drain_all(peer);
	erldist_node_quiet(peer->node);
	erldist_peer_put(peer);
	erldist_kcov_work_stop();
}

/**
 * erldist_peer_verdict() - what came of the wait for a connection
 * @peer: the peer, whose epoch has changed
 * Return: 0 connected; else why not.
 */
int erldist_peer_verdict(const struct erldist_peer *peer)
{
	int error = READ_ONCE(peer->error);

	if (READ_ONCE(peer->open))
		return 0;
	if (READ_ONCE(peer->dead))
		return -ENETDOWN;
	return error ? -error : erldist_reason_errno(READ_ONCE(peer->reason));
}

static int peer_wait_up(struct erldist_peer *peer, struct erldist_process *by,
			struct sock *sk, u32 epoch)
{
	long t = sock_sndtimeo(sk, false);

	t = wait_event_interruptible_timeout(peer->wait,
					     /* Pairs with peer_new_epoch_locked(). */
					     smp_load_acquire(&peer->epoch) != epoch ||
					     READ_ONCE(peer->dead) ||
					     !erldist_process_alive(by), t);
	if (t < 0)
		return sock_intr_errno(sock_sndtimeo(sk, false));
	if (!t)
		return -EINPROGRESS;
	return erldist_process_alive(by) ? erldist_peer_verdict(peer) : -by->err;
}

/**
 * erldist_peer_connect() - have a connection, wait for it
 * @peer: the peer
 * @by: the process
 * @sk: the socket whose SO_SNDTIMEO says how long at most
 * @wait: or do not wait
 * @epoch: set to peer->epoch before anything could be decided
 *
 * Context: process context.
 * Return: 0 connected; -EINPROGRESS; -ESTALE the peer was forgotten, look it up
 * again; why not.
 */
int erldist_peer_connect(struct erldist_peer *peer, struct erldist_process *by,
			 struct sock *sk, bool wait, u32 *epoch)
{
	DEFINE_WAIT_FUNC(dying, default_wake_function);
	bool news = false, open;
	int err;

	spin_lock_bh(&peer->lock);
	open = peer->open;
	*epoch = peer->epoch;
	err = peer->dead ? peer_dead_error(peer) :
			   erldist_peer_want_locked(peer, by, &news);
	spin_unlock_bh(&peer->lock);
	if (news)
		erldist_peer_wanted(peer);
	if (err || open)
		return err;
	if (!wait)
		return -EINPROGRESS;
	/* A process that ends meanwhile wakes its own mailbox's waiters. */
	add_wait_queue(&by->mailbox.wait, &dying);
	err = peer_wait_up(peer, by, sk, *epoch);
	remove_wait_queue(&by->mailbox.wait, &dying);
	return err;
}

/**
 * erldist_peer_disconnect() - close the connection
 * @peer: the peer
 * @connection: only if this is its number; 0: whichever
 * @reason: enum erldist_reason
 *
 * Context: process context.
 * Return: 0; -ENOTCONN; -ESTALE: it is another connection by now.
 */
int erldist_peer_disconnect(struct erldist_peer *peer, u64 connection,
			    u8 reason)
{
	struct erldist_channel *ch = NULL;
	int err = 0;

	spin_lock_bh(&peer->lock);
	if (!peer->channel) {
		err = -ENOTCONN;
	} else if (connection && connection != peer->connection) {
		err = -ESTALE;
	} else {
		ch = peer->channel;
		erldist_channel_get(ch);
	}
	spin_unlock_bh(&peer->lock);
	if (!ch)
		return err;
	erldist_channel_abort(ch, reason, 0);
	erldist_channel_put(ch);
	return 0;
}

static void peer_close(struct erldist_peer *peer)
{
	LIST_HEAD(drop);
	bool mine;

	spin_lock_bh(&peer->lock);
	mine = !peer->dead;
	WRITE_ONCE(peer->dead, true);
	peer_new_epoch_locked(peer);
	if (peer->state == ERLDIST_PEER_STATE_WANTED)
		peer_set_state(peer, ERLDIST_PEER_STATE_DOWN);
	/* What holds with a connection is over when that is. */
	if (!peer->channel)
		peer_give_up_locked(peer, &drop);
	else
		erldist_send_take_locked(peer, &drop);
	spin_unlock_bh(&peer->lock);
	peer_lose(peer, &drop);
	erldist_relations_lost(peer);
	wake_up_all(&peer->wait);
	if (cancel_delayed_work_sync(&peer->work))
		erldist_peer_put(peer);
	if (mine)
		peer_remove(peer);
}

static void peer_close_one(struct erldist_peer *peer, void *arg)
{
	peer_close(peer);
}

static void events_close(struct erldist_node *node)
{
	struct erldist_peer *peer;

	spin_lock_bh(&node->event_lock);
	while (!list_empty(&node->events)) {
		peer = list_first_entry(&node->events, struct erldist_peer,
					event);
		list_del_init(&peer->event);
		spin_unlock_bh(&node->event_lock);
		erldist_peer_put(peer);
		spin_lock_bh(&node->event_lock);
	}
	spin_unlock_bh(&node->event_lock);
}

static bool peers_are_left(const struct erldist_node *node)
{
	if (atomic_read(&node->held[HELD_STRANGERS]))
		return true;
	/* Pairs with the barrier of erldist_held_take(): peer_pay_locked() takes, then gives. */
	smp_rmb();
	return atomic_read(&node->held[HELD_PEERS]);
}

/**
 * erldist_peers_close() - the node goes: forget every peer
 * @node: the node, unpublished; its channels are closing
 *
 * Context: process context.
 */
void erldist_peers_close(struct erldist_node *node)
{
	/* A walk from which entries are removed may miss some. */
	while (peers_are_left(node)) {
		erldist_peers_each(node, peer_close_one, NULL);
		cond_resched();
	}
	events_close(node);
}
