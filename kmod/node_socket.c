// SPDX-License-Identifier: GPL-2.0-only
/*
 * SOCK_RAW: a node. The calls of its socket.
 */
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <net/sock.h>

#include "channel.h"
#include "main.h"
#include "netlink.h"
#include "node.h"
#include "option.h"
#include "peer.h"

#define SETUP_MAX		120000
#define TICKTIME_MIN		40
#define INTENSITY_MIN		4
#define INTENSITY_MAX		1000
#define LEFTOVER_MAX		65536

/* What is set before bind */
struct node_config {
	u32 creation;
	u64 flags;
	u32 mode;
	bool mode_set;
	bool admit;
	struct erldist_ticktime tick;
	struct erldist_limits limits;
	struct erldist_cookie cookie;
};

/* A node socket. node is set once, by bind; config is used until then. */
struct erldist_node_sock {
	struct sock sk;		/* first */
	struct erldist_node *node;
	struct node_config config;
};

static struct erldist_node_sock *node_sk(const struct sock *sk)
{
	return (struct erldist_node_sock *)sk;
}

static struct erldist_node *bound_node(const struct sock *sk)
{
	/* Pairs with the store in node_bind_locked(). */
	return smp_load_acquire(&node_sk(sk)->node);
}

/**
 * erldist_node_socket_wake() - there is news to be read
 * @node: the node
 *
 * Context: any.
 */
void erldist_node_socket_wake(struct erldist_node *node)
{
	struct sock *sk;

	rcu_read_lock();
	sk = rcu_dereference(node->sk);
	if (sk)
		sk->sk_data_ready(sk);
	rcu_read_unlock();
}

static int node_release(struct socket *sock)
{
	struct sock *sk = sock->sk;
	struct erldist_node_sock *ns;

	if (!sk)
		return 0;
	ns = node_sk(sk);
	if (ns->node) {
		RCU_INIT_POINTER(ns->node->sk, NULL);
		erldist_node_close(ns->node);
		erldist_node_put(ns->node);
	}
	memzero_explicit(&ns->config.cookie, sizeof(ns->config.cookie));
	sock_orphan(sk);
	sock->sk = NULL;
	sock_put(sk);
	return 0;
}

/* In both structures 0 stands for the default. */
static void set_tick(struct erldist_ticktime *tick,
		     const struct erldist_ticktime *set)
{
	erldist_tick_default(tick);
	tick->ticktime = set->ticktime ?: tick->ticktime;
	tick->intensity = set->intensity ?: tick->intensity;
	tick->setup = set->setup ?: tick->setup;
	tick->retry = set->retry ?: tick->retry;
}

static void set_bytes(__u64 *limit, u64 set)
{
	if (set)
		*limit = min_t(u64, set, ERLDIST_BYTES_MAX);
}

static void set_limits(struct erldist_limits *limits,
		       const struct erldist_limits *set)
{
	erldist_limits_default(limits);
	set_bytes(&limits->mailbox_pool, set->mailbox_pool);
	set_bytes(&limits->mailbox, set->mailbox);
	set_bytes(&limits->send_queue, set->send_queue);
	limits->stall = set->stall ?: limits->stall;
	limits->peers = set->peers ?: limits->peers;
	limits->handshakes = set->handshakes ?: limits->handshakes;
	limits->processes = set->processes ?: limits->processes;
	limits->relations = set->relations ?: limits->relations;
	limits->node_relations = set->node_relations ?: limits->node_relations;
	limits->wanted = set->wanted ?: limits->wanted;
	limits->process_wanted = set->process_wanted ?: limits->process_wanted;
	limits->fragments = set->fragments ?: limits->fragments;
	/* A message has to fit twice: one that is read, one that comes. */
	limits->max_message = set->max_message ?: min(limits->max_message,
						      limits->mailbox_pool / 2);
}

/* They are read without conf_lock, field by field. */
static void publish_tick(struct erldist_ticktime *to,
			 const struct erldist_ticktime *from)
{
	WRITE_ONCE(to->ticktime, from->ticktime);
	WRITE_ONCE(to->intensity, from->intensity);
	WRITE_ONCE(to->setup, from->setup);
	WRITE_ONCE(to->retry, from->retry);
}

static void publish_limits(struct erldist_limits *to,
			   const struct erldist_limits *from)
{
	erldist_limit_set(&to->mailbox_pool, from->mailbox_pool);
	erldist_limit_set(&to->mailbox, from->mailbox);
	erldist_limit_set(&to->send_queue, from->send_queue);
	erldist_limit_set(&to->max_message, from->max_message);
	WRITE_ONCE(to->stall, from->stall);
	WRITE_ONCE(to->peers, from->peers);
	WRITE_ONCE(to->handshakes, from->handshakes);
	WRITE_ONCE(to->processes, from->processes);
	WRITE_ONCE(to->relations, from->relations);
	WRITE_ONCE(to->node_relations, from->node_relations);
	WRITE_ONCE(to->wanted, from->wanted);
	WRITE_ONCE(to->process_wanted, from->process_wanted);
	WRITE_ONCE(to->fragments, from->fragments);
}

static void node_configure(struct erldist_node *node,
			   const struct node_config *config)
{
	if (config->creation)
		node->creation = config->creation;
	if (config->flags)
		node->flags = config->flags;
	if (config->mode_set)
		node->mode = config->mode;
	node->admit = config->admit;
	node->cookie = config->cookie;
	set_tick(&node->tick, &config->tick);
	set_limits(&node->limits, &config->limits);
}

static int node_bind_locked(struct sock *sk, const struct etf_atom *name)
{
	struct erldist_node_sock *ns = node_sk(sk);
	struct erldist_node *node;
	int err;

	if (ns->node)
		return -EINVAL;
	node = erldist_node_new(sock_net(sk), name->text, name->len);
	if (IS_ERR(node))
		return PTR_ERR(node);
	node_configure(node, &ns->config);
	rcu_assign_pointer(node->sk, sk);
	err = erldist_node_publish(node);
	if (err) {
		RCU_INIT_POINTER(node->sk, NULL);
		erldist_node_put(node);
		return err;
	}
	memzero_explicit(&ns->config.cookie, sizeof(ns->config.cookie));
	/* Everyone sees a node that is complete. */
	smp_store_release(&ns->node, node);
	return 0;
}

static int node_bind(struct socket *sock, erldist_sockaddr *addr, int len)
{
	const struct sockaddr_erldist *sed = (const void *)addr;
	int head = offsetof(struct sockaddr_erldist, sed_term), err;
	struct etf_cursor c = { sed->sed_term, (const u8 *)addr + len };
	struct etf_atom name;

	if (len <= head || len > sizeof(*sed))
		return -EINVAL;
	if (sed->sed_family != erldist_family())
		return -EAFNOSUPPORT;
	if (etf_get_atom(&c, &name) || c.p != c.end ||
	    !erldist_name_valid((const char *)name.text, name.len))
		return -EINVAL;
	lock_sock(sock->sk);
	err = node_bind_locked(sock->sk, &name);
	release_sock(sock->sk);
	return err;
}

/* A name of up to 255 bytes does not fit a sockaddr. */
static int node_bind_term(struct sock *sk, sockptr_t optval,
			  unsigned int optlen)
{
	u8 *term = erldist_option_dup(optval, optlen, ETF_ATOM_SIZE);
	struct etf_atom name;
	struct etf_cursor c;
	int err = -EINVAL;

	if (IS_ERR(term))
		return PTR_ERR(term);
	c = (struct etf_cursor){ term, term + optlen };
	if (!etf_get_atom(&c, &name) && c.p == c.end &&
	    erldist_name_valid((const char *)name.text, name.len)) {
		lock_sock(sk);
		err = node_bind_locked(sk, &name);
		release_sock(sk);
	}
	kvfree(term);
	return err;
}

static int node_getname(struct socket *sock, struct sockaddr *addr, int peer)
{
	struct sockaddr_erldist *sed = (void *)addr;
	struct erldist_node *node = bound_node(sock->sk);
	size_t len;

	if (!node || peer)
		return -ENOTCONN;
	len = etf_atom_size(&node->atom);
	if (len > sizeof(sed->sed_term))
		return -EOVERFLOW;
	sed->sed_family = erldist_family();
	etf_put_atom(sed->sed_term, &node->atom);
	return offsetof(struct sockaddr_erldist, sed_term) + len;
}

static __poll_t node_poll(struct file *file, struct socket *sock,
			  struct poll_table_struct *wait)
{
	struct erldist_node *node;
	__poll_t mask = 0;

	sock_poll_wait(file, sock, wait);
	node = bound_node(sock->sk);
	if (node && !list_empty_careful(&node->events))
		mask |= EPOLLIN | EPOLLRDNORM;
	return mask;
}

/*
 * A question has the tag of the connection that asks. What else is new is about
 * another one, and told before.
 */
static void event_take(struct erldist_peer *peer, struct erldist_peer_news *news)
{
	u32 others = peer->pending & ~ERLDIST_PENDING_ASKS;

	news->pending = others ?: peer->pending;
	news->tag = !others && peer->asking ? peer->asking_tag : peer->event_tag;
	news->connection = peer->event_connection;
	news->flags = peer->asking_flags;
	peer->pending &= ~news->pending;
}

/* The first peer with news, with a reference, its news taken */
static struct erldist_peer *event_pop(struct erldist_node *node,
				      struct erldist_peer_news *news)
{
	struct erldist_peer *peer;

	spin_lock_bh(&node->event_lock);
	peer = list_first_entry_or_null(&node->events, struct erldist_peer,
					event);
	if (peer) {
		event_take(peer, news);
		/* While it is in the list, that has the reference. */
		if (peer->pending)
			erldist_peer_get(peer);
		else
			list_del_init(&peer->event);
	}
	spin_unlock_bh(&node->event_lock);
	return peer;
}

static int event_wait(struct sock *sk, struct erldist_node *node, int flags)
{
	long t = sock_rcvtimeo(sk, flags & MSG_DONTWAIT);

	if (!t)
		return -EAGAIN;
	t = wait_event_interruptible_timeout(*sk_sleep(sk),
					     !list_empty_careful(&node->events),
					     t);
	if (t < 0)
		return sock_intr_errno(sock_rcvtimeo(sk, 0));
	return t ? 0 : -EAGAIN;
}

static struct erldist_peer *event_next(struct sock *sk,
				       struct erldist_node *node, int flags,
				       struct erldist_peer_news *news)
{
	struct erldist_peer *peer;
	int err;

	while (!(peer = event_pop(node, news))) {
		err = event_wait(sk, node, flags);
		if (err)
			return ERR_PTR(err);
	}
	return peer;
}

static int event_copy(struct erldist_peer *peer,
		      const struct erldist_peer_news *news, struct msghdr *mh,
		      size_t len)
{
	struct sk_buff *skb = erldist_netlink_news(peer, news);
	int err;

	if (!skb)
		return -ENOMEM;
	if (skb->len > len)
		err = -EMSGSIZE;
	else
		err = copy_to_iter(skb->data, skb->len, &mh->msg_iter) ==
		      skb->len ? skb->len : -EFAULT;
	kfree_skb(skb);
	return err;
}

static int node_recvmsg(struct socket *sock, struct msghdr *mh, size_t len,
			int flags)
{
	struct erldist_node *node = bound_node(sock->sk);
	struct erldist_peer_news news;
	struct erldist_peer *peer;
	int err;

	if (flags & ~(MSG_DONTWAIT | MSG_PEEK | MSG_CMSG_CLOEXEC | MSG_NOSIGNAL |
		      MSG_CMSG_COMPAT))
		return -EOPNOTSUPP;
	if (!node)
		return -ENOTCONN;
	peer = event_next(sock->sk, node, flags, &news);
	if (IS_ERR(peer))
		return PTR_ERR(peer);
	err = event_copy(peer, &news, mh, len);
	mh->msg_namelen = 0;
	/* Nothing is lost: what could not be told is news again. */
	if (err < 0 || flags & MSG_PEEK)
		erldist_peer_event_return(peer, news.pending, news.tag,
					  news.connection);
	else
		erldist_peer_settle(peer);
	erldist_peer_put(peer);
	return err;
}

static int opt_u32(sockptr_t optval, unsigned int optlen, u32 *value)
{
	return erldist_option_get(value, sizeof(*value), optval, optlen);
}

static int set_creation(struct erldist_node_sock *ns, sockptr_t optval,
			unsigned int optlen)
{
	u32 creation;
	int err;

	if (ns->node)
		return -EISCONN;
	err = opt_u32(optval, optlen, &creation);
	if (err)
		return err;
	if (!creation)
		return -EINVAL;
	ns->config.creation = creation;
	return 0;
}

static int set_flags(struct erldist_node_sock *ns, sockptr_t optval,
		     unsigned int optlen)
{
	u64 flags;
	int err;

	if (ns->node)
		return -EISCONN;
	err = erldist_option_get(&flags, sizeof(flags), optval, optlen);
	if (err)
		return err;
	if ((flags & DFLAG_MANDATORY) != DFLAG_MANDATORY)
		return -EINVAL;
	if (flags & (DFLAG_REFUSED | DFLAG_NAME_ME))
		return -EINVAL;
	ns->config.flags = flags;
	return 0;
}

static int set_cookie(struct erldist_node_sock *ns, sockptr_t optval,
		      unsigned int optlen)
{
	struct erldist_cookie cookie = { .len = optlen };
	struct erldist_node *node = ns->node;
	int err = 0;

	if (!optlen || optlen > ERLDIST_COOKIE_MAX)
		return -EINVAL;
	if (copy_from_sockptr(cookie.data, optval, optlen)) {
		err = -EFAULT;
	} else if (node) {
		mutex_lock(&node->conf_lock);
		node->cookie = cookie;
		mutex_unlock(&node->conf_lock);
	} else {
		ns->config.cookie = cookie;
	}
	memzero_explicit(&cookie, sizeof(cookie));
	return err;
}

static bool tick_valid(const struct erldist_ticktime *tick)
{
	if (tick->ticktime && tick->ticktime < TICKTIME_MIN)
		return false;
	if (tick->intensity && (tick->intensity < INTENSITY_MIN ||
				tick->intensity > INTENSITY_MAX))
		return false;
	return tick->setup <= SETUP_MAX;
}

static int set_ticktime(struct erldist_node_sock *ns, sockptr_t optval,
			unsigned int optlen)
{
	struct erldist_node *node = ns->node;
	struct erldist_ticktime tick, all;
	int err;

	err = erldist_option_get(&tick, sizeof(tick), optval, optlen);
	if (err)
		return err;
	if (!tick_valid(&tick))
		return -EINVAL;
	if (!node) {
		ns->config.tick = tick;
		return 0;
	}
	set_tick(&all, &tick);
	mutex_lock(&node->conf_lock);
	publish_tick(&node->tick, &all);
	mutex_unlock(&node->conf_lock);
	return 0;
}

static int opt_limits(struct erldist_node_sock *ns, sockptr_t optval,
		      unsigned int optlen)
{
	struct erldist_node *node = ns->node;
	struct erldist_limits limits, all;
	int err;

	err = erldist_option_get(&limits, sizeof(limits), optval, optlen);
	if (err)
		return err;
	if (limits.reserved)
		return -E2BIG;
	set_limits(&all, &limits);
	if (all.max_message > all.mailbox_pool / 2 || all.max_message > INT_MAX ||
	    all.fragments > ERLDIST_FRAGMENTS_MAX)
		return -EINVAL;
	if (!node) {
		ns->config.limits = limits;
		return 0;
	}
	mutex_lock(&node->conf_lock);
	publish_limits(&node->limits, &all);
	mutex_unlock(&node->conf_lock);
	return 0;
}

static int set_mode(struct erldist_node_sock *ns, sockptr_t optval,
		    unsigned int optlen)
{
	u32 mode;
	int err;

	err = opt_u32(optval, optlen, &mode);
	if (err)
		return err;
	if (mode & ~0777)
		return -EINVAL;
	if (ns->node) {
		WRITE_ONCE(ns->node->mode, mode);
	} else {
		ns->config.mode = mode;
		ns->config.mode_set = true;
	}
	return 0;
}

static int set_admit(struct erldist_node_sock *ns, sockptr_t optval,
		     unsigned int optlen)
{
	u32 admit;
	int err;

	err = opt_u32(optval, optlen, &admit);
	if (err)
		return err;
	if (admit > 1)
		return -EINVAL;
	if (ns->node)
		WRITE_ONCE(ns->node->admit, admit);
	else
		ns->config.admit = admit;
	return 0;
}

static bool name_ok(const struct etf_atom *name)
{
	return erldist_name_valid((const char *)name->text, name->len);
}

/* The fixed part of a hand-over says what follows it. */
static int hand_over_req(const u8 *p, unsigned int len,
			 struct erldist_channel_req *req)
{
	struct erldist_hand_over ho;

	if (len < sizeof(ho))
		return -EINVAL;
	memcpy(&ho, p, sizeof(ho));
	if (len != sizeof(ho) + ho.name_len + (u64)ho.data_len)
		return -EINVAL;
	*req = (struct erldist_channel_req) {
		.fd = ho.fd,
		.role = ho.role,
		.framing = ho.framing ?: 2,
		.tag = ho.tag,
		.flags = ho.flags,
		.creation = ho.creation,
		.name = { .text = p + sizeof(ho), .len = ho.name_len },
		.data = p + sizeof(ho) + ho.name_len,
		.data_len = ho.data_len,
	};
	return 0;
}

static int hand_over_valid(const struct erldist_channel_req *req)
{
	if (req->framing != 2 && req->framing != 4)
		return -EINVAL;
	switch (req->role) {
	case ERLDIST_ROLE_ACCEPTOR:
		return req->name.len || req->data_len || req->flags ||
		       req->creation ? -EINVAL : 0;
	case ERLDIST_ROLE_INITIATOR:
		return !name_ok(&req->name) || req->data_len || req->flags ||
		       req->creation ? -EINVAL : 0;
	case ERLDIST_ROLE_READY:
		return !name_ok(&req->name) ||
		       (req->flags & DFLAG_MANDATORY) != DFLAG_MANDATORY ?
		       -EINVAL : 0;
	default:
		return -EINVAL;
	}
}

static int set_channel(struct erldist_node *node, sockptr_t optval,
		       unsigned int optlen)
{
	struct erldist_channel_req req;
	u8 *copy;
	int err;

	if (!node)
		return -ENOTCONN;
	copy = erldist_option_dup(optval, optlen,
				  sizeof(struct erldist_hand_over) +
				  ERLDIST_NAME_MAX + LEFTOVER_MAX);
	if (IS_ERR(copy))
		return PTR_ERR(copy);
	err = hand_over_req(copy, optlen, &req) ?: hand_over_valid(&req) ?:
	      erldist_channel_hand_over(node, &req);
	kvfree(copy);
	return err;
}

static int peer_set_cookie(struct erldist_peer *peer, const u8 *p, size_t len)
{
	struct erldist_cookie *cookie = NULL;
	int err;

	if (len > ERLDIST_COOKIE_MAX)
		return -EINVAL;
	if (len) {
		cookie = kmalloc(sizeof(*cookie), GFP_KERNEL_ACCOUNT);
		if (!cookie)
			return -ENOMEM;
		cookie->len = len;
		memcpy(cookie->data, p, len);
	}
	err = erldist_peer_set_cookie(peer, &cookie);
	kfree_sensitive(cookie);
	return err;
}

static int peer_act(struct erldist_node *node, struct erldist_peer *peer,
		    const struct erldist_peer_request *pr, const u8 *cookie)
{
	int err = 0;

	if (pr->action & ERLDIST_PEER_COOKIE)
		err = peer_set_cookie(peer, cookie, pr->cookie_len);
	if (!err && pr->action & (ERLDIST_PEER_ALLOW | ERLDIST_PEER_DENY))
		err = erldist_channel_answer(node, &peer->atom, pr->tag,
					     pr->action & ERLDIST_PEER_ALLOW);
	if (!err && pr->action & ERLDIST_PEER_DISCONNECT)
		err = erldist_peer_disconnect(peer, 0, ERLDIST_REASON_DISCONNECT);
	if (!err && pr->action & ERLDIST_PEER_UNREACHABLE)
		erldist_peer_unreachable(peer, pr->error,
					 pr->action & ERLDIST_PEER_RETRY);
	if (!err && pr->action & ERLDIST_PEER_RETRY)
		err = erldist_peer_retry(peer, pr->retry);
	return err;
}

static int peer_request_valid(const struct erldist_peer_request *pr,
			      unsigned int len)
{
	if (len != sizeof(*pr) + pr->name_len + pr->cookie_len)
		return -EINVAL;
	if (!pr->action || pr->action & ~0x3f)
		return -EINVAL;
	if (pr->retry > (pr->action & ERLDIST_PEER_RETRY ? ERLDIST_RETRY_MAX : 0))
		return -EINVAL;
	if (pr->action & ERLDIST_PEER_ALLOW && pr->action & ERLDIST_PEER_DENY)
		return -EINVAL;
	if (pr->error < 0 || pr->error > 4095)
		return -EINVAL;
	return 0;
}

/* -ESTALE: the peer has just been forgotten, nothing was done */
static int peer_request_once(struct erldist_node *node,
			     const struct erldist_peer_request *pr,
			     const struct etf_atom *name, const u8 *cookie)
{
	const u32 answer = ERLDIST_PEER_ALLOW | ERLDIST_PEER_DENY;
	struct erldist_peer *peer;
	int err;

	/* Who asked may have gone: a stranger, whom the keeper does not pay for. */
	if (pr->action & ~answer)
		peer = erldist_peer_make(node, name, &node->keeper);
	else
		peer = erldist_peer_find(node, name) ?: ERR_PTR(-ENOENT);
	if (IS_ERR(peer))
		return PTR_ERR(peer);
	err = peer_act(node, peer, pr, cookie);
	erldist_peer_settle(peer);
	erldist_peer_put(peer);
	return err;
}

static int peer_request(struct erldist_node *node, const u8 *copy,
			unsigned int len)
{
	struct erldist_peer_request pr;
	struct etf_atom name;
	int err;

	if (len < sizeof(pr))
		return -EINVAL;
	memcpy(&pr, copy, sizeof(pr));
	err = peer_request_valid(&pr, len);
	if (err)
		return err;
	name = (struct etf_atom){ .text = copy + sizeof(pr),
				  .len = pr.name_len };
	if (!name_ok(&name) || erldist_node_is(node, &name))
		return -EINVAL;
	do {
		err = peer_request_once(node, &pr, &name,
					copy + sizeof(pr) + pr.name_len);
		cond_resched();
	} while (err == -ESTALE);
	return err;
}

static int set_peer(struct erldist_node *node, sockptr_t optval,
		    unsigned int optlen)
{
	u8 *copy;
	int err;

	if (!node)
		return -ENOTCONN;
	copy = erldist_option_dup(optval, optlen,
				  sizeof(struct erldist_peer_request) +
				  ERLDIST_NAME_MAX + ERLDIST_COOKIE_MAX);
	if (IS_ERR(copy))
		return PTR_ERR(copy);
	err = peer_request(node, copy, optlen);
	/* There may be a cookie in it. */
	memzero_explicit(copy, optlen);
	kvfree(copy);
	return err;
}

static int set_replay(struct erldist_node *node)
{
	if (!node)
		return -ENOTCONN;
	erldist_peer_replay(node);
	return 0;
}

static int node_config_set(struct erldist_node_sock *ns, int name,
			   sockptr_t optval, unsigned int optlen)
{
	switch (name) {
	case ERLDIST_CREATION:
		return set_creation(ns, optval, optlen);
	case ERLDIST_FLAGS:
		return set_flags(ns, optval, optlen);
	case ERLDIST_COOKIE:
		return set_cookie(ns, optval, optlen);
	case ERLDIST_TICKTIME:
		return set_ticktime(ns, optval, optlen);
	case ERLDIST_LIMITS:
		return opt_limits(ns, optval, optlen);
	case ERLDIST_MODE:
		return set_mode(ns, optval, optlen);
	case ERLDIST_ADMIT:
		return set_admit(ns, optval, optlen);
	default:
		return -ENOPROTOOPT;
	}
}

static int node_setsockopt(struct socket *sock, int level, int name,
			   sockptr_t optval, unsigned int optlen)
{
	struct sock *sk = sock->sk;
	int err;

	if (level != SOL_ERLDIST)
		return -ENOPROTOOPT;
	switch (name) {
	case ERLDIST_CHANNEL:
		return set_channel(bound_node(sk), optval, optlen);
	case ERLDIST_PEER:
		return set_peer(bound_node(sk), optval, optlen);
	case ERLDIST_REPLAY:
		return set_replay(bound_node(sk));
	case ERLDIST_BIND:
		return node_bind_term(sk, optval, optlen);
	}
	lock_sock(sk);
	err = node_config_set(node_sk(sk), name, optval, optlen);
	release_sock(sk);
	return err;
}

/* What the node has, or will have when it is bound now */
static void node_effective(struct erldist_node_sock *ns,
			   struct node_config *now)
{
	struct erldist_node *node = ns->node;

	memset(now, 0, sizeof(*now));
	if (node) {
		now->creation = node->creation;
		now->flags = node->flags;
		now->mode = node->mode;
		now->admit = node->admit;
		now->tick = node->tick;
		now->limits = node->limits;
		return;
	}
	now->creation = ns->config.creation;
	now->flags = ns->config.flags ?: DFLAG_DEFAULT;
	now->mode = ns->config.mode_set ? ns->config.mode : 0600;
	now->admit = ns->config.admit;
	set_tick(&now->tick, &ns->config.tick);
	set_limits(&now->limits, &ns->config.limits);
}

static int node_getsockopt(struct socket *sock, int level, int name,
			   char __user *optval, int __user *optlen)
{
	struct node_config now;
	u32 value;

	if (level != SOL_ERLDIST)
		return -ENOPROTOOPT;
	lock_sock(sock->sk);
	node_effective(node_sk(sock->sk), &now);
	release_sock(sock->sk);
	switch (name) {
	case ERLDIST_CREATION:
		return erldist_option_put(&now.creation, sizeof(now.creation),
					  optval, optlen);
	case ERLDIST_FLAGS:
		return erldist_option_put(&now.flags, sizeof(now.flags), optval,
					  optlen);
	case ERLDIST_TICKTIME:
		return erldist_option_put(&now.tick, sizeof(now.tick), optval,
					  optlen);
	case ERLDIST_LIMITS:
		return erldist_option_put(&now.limits, sizeof(now.limits),
					  optval, optlen);
	case ERLDIST_MODE:
		return erldist_option_put(&now.mode, sizeof(now.mode), optval,
					  optlen);
	case ERLDIST_ADMIT:
		value = now.admit;
		return erldist_option_put(&value, sizeof(value), optval,
					  optlen);
	default:
		return -ENOPROTOOPT;
	}
}

static const struct proto_ops node_ops = {
	.family = AF_ERLDIST,
	.owner = THIS_MODULE,
	.release = node_release,
	.bind = node_bind,
	.connect = sock_no_connect,
	.socketpair = sock_no_socketpair,
	.accept = sock_no_accept,
	.getname = node_getname,
	.poll = node_poll,
	.ioctl = sock_no_ioctl,
	.gettstamp = sock_gettstamp,
	.listen = sock_no_listen,
	.shutdown = sock_no_shutdown,
	.setsockopt = node_setsockopt,
	.getsockopt = node_getsockopt,
	.sendmsg = sock_no_sendmsg,
	.recvmsg = node_recvmsg,
	.mmap = sock_no_mmap,
};

struct proto erldist_node_proto = {
	.name = "ERLDIST-NODE",
	.owner = THIS_MODULE,
	.obj_size = sizeof(struct erldist_node_sock),
};

/**
 * erldist_node_socket_create() - socket(SOCK_RAW)
 * @net: the namespace
 * @sock: the socket
 * @kern: made by the kernel
 * Return: 0; -EPERM; -ENOMEM.
 */
int erldist_node_socket_create(struct net *net, struct socket *sock, int kern)
{
	struct sock *sk;

	if (!erldist_may_make_nodes())
		return -EPERM;
	sk = sk_alloc(net, erldist_family(), GFP_KERNEL, &erldist_node_proto,
		      kern);
	if (!sk)
		return -ENOMEM;
	sock_init_data(sock, sk);
	sock_set_flag(sk, SOCK_RCU_FREE);
	sock->ops = &node_ops;
	sock->state = SS_UNCONNECTED;
	return 0;
}
