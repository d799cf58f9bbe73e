// SPDX-License-Identifier: GPL-2.0-only
/*
 * Streams that user space hands over: what is accepted, taking over their
 * callbacks and giving them back, sending and receiving.
 */
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/module.h>
#include <linux/net.h>
#include <net/af_unix.h>
#include <net/inet_sock.h>
#include <net/ipv6.h>
#include <net/sock.h>
#include <net/tcp.h>
#include <net/tls.h>

#include "channel.h"
#include "kcov.h"

#define ULP_NAME		"erldist"
/* What may wait in TCP behind the frame that is being sent */
#define NOTSENT_LOWAT		65536

/* The callback lock is held: what is there stays until it is dropped. */
static struct erldist_channel *callback_channel(struct sock *sk)
{
	struct erldist_channel *ch;

	rcu_read_lock();
	ch = rcu_dereference_sk_user_data(sk);
	rcu_read_unlock();
	return ch;
}

static void channel_data_ready(struct sock *sk)
{
	struct erldist_channel *ch;

	read_lock_bh(&sk->sk_callback_lock);
	ch = callback_channel(sk);
	if (ch) {
		erldist_kcov_softirq_start(ch->node);
		ch->saved_data_ready(sk);
		erldist_rx_ready(ch, sk);
		erldist_kcov_softirq_stop();
	}
	read_unlock_bh(&sk->sk_callback_lock);
}

static void channel_write_space(struct sock *sk)
{
	struct erldist_channel *ch;

	read_lock_bh(&sk->sk_callback_lock);
	ch = callback_channel(sk);
	if (ch) {
		erldist_kcov_softirq_start(ch->node);
		ch->saved_write_space(sk);
		set_bit(CHANNEL_WAKE, &ch->flags);
		erldist_channel_queue(ch, &ch->tx_work);
		erldist_kcov_softirq_stop();
	}
	read_unlock_bh(&sk->sk_callback_lock);
}

static void channel_state_change(struct sock *sk)
{
	struct erldist_channel *ch;

	read_lock_bh(&sk->sk_callback_lock);
	ch = callback_channel(sk);
	if (ch) {
		erldist_kcov_softirq_start(ch->node);
		ch->saved_state_change(sk);
		erldist_channel_queue(ch, &ch->rx_work);
		erldist_kcov_softirq_stop();
	}
	read_unlock_bh(&sk->sk_callback_lock);
}

/* An error, or connect(AF_UNSPEC) by the giver */
static void channel_error_report(struct sock *sk)
{
	struct erldist_channel *ch;

	read_lock_bh(&sk->sk_callback_lock);
	ch = callback_channel(sk);
	if (ch) {
		erldist_kcov_softirq_start(ch->node);
		ch->saved_error_report(sk);
		erldist_channel_queue(ch, &ch->rx_work);
		erldist_kcov_softirq_stop();
	}
	read_unlock_bh(&sk->sk_callback_lock);
}

/*
 * The upper layer protocol exists to hold its place: as long as the channel has the
 * socket, TLS, sockmap and listen() are refused, and the module stays.
 */
static int ulp_init(struct sock *sk)
{
	return sk->sk_data_ready == channel_data_ready ? 0 : -EPERM;
}

static struct tcp_ulp_ops erldist_ulp __read_mostly = {
	.name = ULP_NAME,
	.owner = THIS_MODULE,
	.init = ulp_init,
};

/**
 * erldist_transport_init() - register the upper layer protocol
 * Return: 0 or a negative errno.
 */
int __init erldist_transport_init(void)
{
	return tcp_register_ulp(&erldist_ulp);
}

/**
 * erldist_transport_exit() - take the upper layer protocol back
 */
void erldist_transport_exit(void)
{
	tcp_unregister_ulp(&erldist_ulp);
}

static int tls_check(const struct sock *sk)
{
	const struct tls_context *ctx = tls_get_ctx(sk);

	if (!ctx || ctx->tx_conf == TLS_BASE || ctx->rx_conf == TLS_BASE)
		return -EBUSY;
	return CARRIER_TLS;
}

static int tcp_check(const struct sock *sk)
{
	const struct tcp_ulp_ops *ulp = inet_csk(sk)->icsk_ulp_ops;

	if (!((1 << sk->sk_state) & (TCPF_ESTABLISHED | TCPF_CLOSE_WAIT)))
		return -ENOTCONN;
	if (tcp_sk(sk)->repair)
		return -EBUSY;
	if (!ulp)
		return CARRIER_TCP;
	return strcmp(ulp->name, "tls") ? -EBUSY : tls_check(sk);
}

static int carrier_of(const struct socket *sock)
{
	const struct sock *sk = sock->sk;

	if (sock->type != SOCK_STREAM)
		return -EPROTONOSUPPORT;
	if ((sk->sk_family == AF_INET || sk->sk_family == AF_INET6) &&
	    sk->sk_protocol == IPPROTO_TCP)
		return tcp_check(sk);
	if (sk->sk_family == AF_UNIX)
		return sk->sk_state == TCP_ESTABLISHED ? CARRIER_UNIX :
							 -ENOTCONN;
	return -EPROTONOSUPPORT;
}

/* Called with the socket locked. */
static void tcp_normalise(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);

	tp->nonagle &= ~TCP_NAGLE_CORK;
	tp->nonagle |= TCP_NAGLE_OFF;
	WRITE_ONCE(tp->notsent_lowat, NOTSENT_LOWAT);
	WRITE_ONCE(sk->sk_rcvlowat, 1);
}

static int callbacks_take(struct erldist_channel *ch)
{
	struct sock *sk = ch->sock->sk;
	int err = 0;

	write_lock_bh(&sk->sk_callback_lock);
	if (sk->sk_user_data) {
		err = -EBUSY;
	} else {
		ch->saved_data_ready = sk->sk_data_ready;
		ch->saved_write_space = sk->sk_write_space;
		ch->saved_state_change = sk->sk_state_change;
		ch->saved_error_report = sk->sk_error_report;
		erldist_channel_get(ch);
		__rcu_assign_sk_user_data_with_flags(sk, ch,
						     SK_USER_DATA_NOCOPY);
		sk->sk_data_ready = channel_data_ready;
		sk->sk_write_space = channel_write_space;
		sk->sk_state_change = channel_state_change;
		sk->sk_error_report = channel_error_report;
		ch->attached = true;
	}
	write_unlock_bh(&sk->sk_callback_lock);
	return err;
}

/**
 * erldist_transport_detach() - give the callbacks back
 * @ch: the channel; no callback runs on it afterwards
 *
 * The upper layer protocol stays until erldist_transport_release(): what is under
 * way may still be written.
 *
 * Context: process context.
 */
void erldist_transport_detach(struct erldist_channel *ch)
{
	struct sock *sk;

	if (!ch->attached)
		return;
	sk = ch->sock->sk;
	write_lock_bh(&sk->sk_callback_lock);
	sk->sk_data_ready = ch->saved_data_ready;
	sk->sk_write_space = ch->saved_write_space;
	sk->sk_state_change = ch->saved_state_change;
	sk->sk_error_report = ch->saved_error_report;
	rcu_assign_sk_user_data(sk, NULL);
	write_unlock_bh(&sk->sk_callback_lock);
	ch->attached = false;
	erldist_channel_put(ch);
}

/*
 * TCP does not try again to allocate a FIN. Behind the peer's own FIN nothing else comes
 * that would end the socket: it would wait for an ACK for ever. A FIN that is on its way
 * is in a queue until it is acknowledged.
 */
static bool fin_is_lost(const struct sock *sk)
{
	return ((1 << sk->sk_state) &
		(TCPF_FIN_WAIT1 | TCPF_CLOSING | TCPF_LAST_ACK)) &&
	       tcp_rtx_and_write_queues_empty(sk);
}

/**
 * erldist_transport_shutdown() - the stream ends, behind what was sent
 * @ch: the channel
 *
 * Context: process context.
 */
void erldist_transport_shutdown(struct erldist_channel *ch)
{
	struct sock *sk = ch->sock->sk;
	bool lost;

	/*
	 * A lingering close would hold up a work that many share. sock_no_linger()
	 * would reset the stream, and lose what was sent last.
	 */
	lock_sock(sk);
	sock_reset_flag(sk, SOCK_LINGER);
	release_sock(sk);
	kernel_sock_shutdown(ch->sock, SHUT_RDWR);
	if (ch->carrier == CARRIER_UNIX)
		return;
	lock_sock(sk);
	lost = fin_is_lost(sk);
	release_sock(sk);
	if (lost)
		tcp_abort(sk, ECONNABORTED);
}

static int ulp_take(struct erldist_channel *ch)
{
	char name[] = ULP_NAME;

	return ch->sock->ops->setsockopt(ch->sock, SOL_TCP, TCP_ULP,
					 KERNEL_SOCKPTR(name), sizeof(name));
}

/**
 * erldist_transport_release() - give the place of the upper layer protocol back
 * @ch: the channel, detached; it neither reads nor writes any more
 *
 * TCP may keep a socket for minutes after its last descriptor was closed, and the
 * program that handed it over may keep its own descriptor. Neither is to hold the module.
 *
 * Context: process context.
 */
void erldist_transport_release(struct erldist_channel *ch)
{
	struct sock *sk;

	if (!ch->on_top)
		return;
	sk = ch->sock->sk;
	lock_sock(sk);
	/* as tcp_cleanup_ulp() does it, which is not exported; tcp_diag reads it */
	WRITE_ONCE(inet_csk(sk)->icsk_ulp_ops, NULL);
	release_sock(sk);
	ch->on_top = false;
	module_put(THIS_MODULE);
}

/**
 * erldist_transport_attach() - take over a stream
 * @ch: the channel, with sock; carrier is set
 *
 * The hand-over contract: connected, TCP without a user (our upper layer
 * protocol takes that place), TLS with both directions set, or AF_UNIX.
 *
 * Context: process context.
 * Return: 0; -EPROTONOSUPPORT, -ENOTCONN, -EBUSY.
 */
int erldist_transport_attach(struct erldist_channel *ch)
{
	struct sock *sk = ch->sock->sk;
	int err;

	lock_sock(sk);
	err = carrier_of(ch->sock);
	if (err >= 0) {
		ch->carrier = err;
		err = callbacks_take(ch);
	}
	if (!err && ch->carrier != CARRIER_UNIX)
		tcp_normalise(sk);
	release_sock(sk);
	if (err || ch->carrier != CARRIER_TCP)
		return err;
	err = ulp_take(ch);
	if (!err) {
		ch->on_top = true;
		return 0;
	}
	erldist_transport_detach(ch);
	return err == -EEXIST ? -EBUSY : err;
}

/**
 * erldist_transport_origin() - where a stream comes from
 * @ch: the channel, attached
 *
 * For limits: an IPv4 address, or the network that one IPv6 host has for itself.
 *
 * Return: a number; 0 for AF_UNIX.
 */
u64 erldist_transport_origin(const struct erldist_channel *ch)
{
	const struct sock *sk = ch->sock->sk;

	switch (sk->sk_family) {
	case AF_INET:
		return 0xffff00000000ULL | be32_to_cpu(sk->sk_daddr);
#if IS_ENABLED(CONFIG_IPV6)
	case AF_INET6:
		if (ipv6_addr_v4mapped(&sk->sk_v6_daddr))
			return get_unaligned_be64(&sk->sk_v6_daddr.s6_addr[8]);
		return get_unaligned_be64(&sk->sk_v6_daddr);
#endif
	default:
		return 0;
	}
}

/* Nothing is wrong with the stream: it is to be tried again later. */
static bool send_passing(int n)
{
	switch (n) {
	case 0:
	case -EINTR:
	case -ERESTARTSYS:
	case -ENOMEM:
	case -ENOBUFS:
		return true;
	default:
		return false;
	}
}

/**
 * erldist_transport_send() - give bytes to the stream
 * @ch: the channel
 * @vec: where they are; changed
 * @n: how many parts
 * @len: bytes in all
 * @flags: MSG_MORE: more follow at once; MSG_SPLICE_PAGES: the stream may keep
 *	the pages, which nobody changes (erldist_transport_splices());
 *	MSG_NO_SHARED_FRAGS
 *
 * With the credentials of who handed the stream over, so that no security
 * module judges one process's frames by another's profile.
 *
 * Context: process context; does not wait.
 * Return: bytes taken, at least 1; -EAGAIN; another negative errno.
 */
int erldist_transport_send(struct erldist_channel *ch, struct kvec *vec,
			   unsigned int n, size_t len, int flags)
{
	struct msghdr mh = {
		.msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL | flags,
	};
	const struct cred *saved;
	int sent;

	iov_iter_kvec(&mh.msg_iter, ITER_SOURCE, vec, n, len);
	saved = override_creds(ch->cred);
	sent = sock_sendmsg(ch->sock, &mh);
	revert_creds(saved);
	return send_passing(sent) ? -EAGAIN : sent;
}

/**
 * erldist_transport_splices() - may the stream keep pages, not a copy
 * @ch: the channel
 *
 * kTLS may have to encrypt in place.
 *
 * Return: true if so.
 */
bool erldist_transport_splices(const struct erldist_channel *ch)
{
	return MSG_SPLICE_PAGES && ch->carrier == CARRIER_TCP;
}

/* What type kTLS says a record has; 23: data */
static u8 tls_record_type(const struct msghdr *mh, const void *control)
{
	const struct cmsghdr *cmsg = control;

	if ((const u8 *)mh->msg_control - (const u8 *)control <
	    (long)CMSG_LEN(sizeof(u8)) ||
	    cmsg->cmsg_level != SOL_TLS ||
	    cmsg->cmsg_type != TLS_GET_RECORD_TYPE)
		return 23;
	return *(const u8 *)CMSG_DATA(cmsg);
}

/*
 * Data: @n; a session ticket: -ERESTART, it is none of our business;
 * close_notify: 0, the end; all else, a change of keys above all, ends us.
 */
static int tls_verdict(struct erldist_channel *ch, const struct msghdr *mh,
		       const void *control, const u8 *p, int n)
{
	u8 type = tls_record_type(mh, control);

	if (type == 23)
		return n;
	if (type == 22 && (ch->rx.ticket || p[0] == 4)) {
		/* Its rest comes with the next call. */
		ch->rx.ticket = !(mh->msg_flags & MSG_EOR);
		return -ERESTART;
	}
	if (type == 21 && n > 1 && p[1] == 0)
		return 0;
	return -EBADMSG;
}

/**
 * erldist_transport_recv() - take bytes from the stream
 * @ch: the channel; a kTLS or AF_UNIX stream, or TCP in handshake
 * @p: room
 * @len: how much
 *
 * Context: process context; does not wait.
 * Return: bytes; 0 at the end of the stream; -EAGAIN nothing there; -EBADMSG
 * a TLS record that is no data; another negative errno.
 */
int erldist_transport_recv(struct erldist_channel *ch, void *p, size_t len)
{
	char control[CMSG_SPACE(sizeof(u8))] __aligned(8);
	struct kvec vec = { .iov_base = p, .iov_len = len };
	const struct cred *saved;
	struct msghdr mh;
	int n;

	do {
		mh = (struct msghdr) {};
		if (ch->carrier == CARRIER_TLS) {
			mh.msg_control = control;
			mh.msg_controllen = sizeof(control);
		}
		iov_iter_kvec(&mh.msg_iter, ITER_DEST, &vec, 1, len);
		saved = override_creds(ch->cred);
		n = sock_recvmsg(ch->sock, &mh, MSG_DONTWAIT);
		revert_creds(saved);
		if (n > 0 && ch->carrier == CARRIER_TLS)
			n = tls_verdict(ch, &mh, control, p, n);
	} while (n == -ERESTART);
	return n;
}

/**
 * erldist_transport_idle() - would a push now travel alone
 * @ch: the channel
 *
 * A hint: TCP has nothing unacknowledged; on AF_UNIX, something came in since
 * the last push. kTLS waits for a mutex, which is the work's business.
 *
 * Return: true if so.
 */
bool erldist_transport_idle(const struct erldist_channel *ch)
{
	if (ch->carrier == CARRIER_TCP)
		return !READ_ONCE(tcp_sk(ch->sock->sk)->packets_out);
	return ch->carrier == CARRIER_UNIX &&
	       (unsigned long)atomic64_read(&ch->rx_bytes) !=
	       READ_ONCE(ch->pushed_rx);
}

/**
 * erldist_transport_error() - why the stream ended
 * @ch: the channel
 * Return: a positive errno, or 0.
 */
int erldist_transport_error(struct erldist_channel *ch)
{
	return -sock_error(ch->sock->sk);
}
