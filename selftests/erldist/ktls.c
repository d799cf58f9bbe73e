// SPDX-License-Identifier: GPL-2.0-only
/*
 * Connections inside TLS 1.3 that the kernel encrypts: handshake lengths of
 * four bytes, records that are no data, and sockets half set up.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <linux/tls.h>

#include "kselftest_harness.h"
#include "wire_peer.h"

#ifndef SOL_TLS
#define SOL_TLS		282
#endif
#ifndef TCP_ULP
#define TCP_ULP		31
#endif

#define RECORD_ALERT		21
#define RECORD_HANDSHAKE	22

FIXTURE(ktls) {
	int node;
	int svc;
	int sv[2];
	struct wire w;
};

static int key(int fd, int direction, int n)
{
	struct tls12_crypto_info_aes_gcm_128 k = {
		.info.version = TLS_1_3_VERSION,
		.info.cipher_type = TLS_CIPHER_AES_GCM_128,
	};

	memset(k.key, 0x40 + n, sizeof(k.key));
	memset(k.iv, 0x20 + n, sizeof(k.iv));
	memset(k.salt, 0x10 + n, sizeof(k.salt));
	return setsockopt(fd, SOL_TLS, direction, &k, sizeof(k)) ? -errno : 0;
}

static int tls(int fd, int sends, int receives)
{
	int err = setsockopt(fd, SOL_TCP, TCP_ULP, "tls", 3) ? -errno : 0;

	if (!err)
		err = key(fd, TLS_TX, sends);
	return err ? err : key(fd, TLS_RX, receives);
}

FIXTURE_SETUP(ktls)
{
	SETUP_ERLDIST();
	self->node = node("k@h");
	self->svc = proc("svc", NULL);
	stream_pair(CARRIER_TCP4, self->sv);
	if (tls(self->sv[0], 1, 2))
		SKIP(return, "no TLS in this kernel: %s", strerror(errno));
	ASSERT_EQ(0, tls(self->sv[1], 2, 1));
	wire_init(&self->w, self->sv[1], "w@h");
	self->w.length_bytes = 4;
}

FIXTURE_TEARDOWN(ktls)
{
}

static int hand_over(FIXTURE_DATA(ktls) *self, int role)
{
	int err = node_channel(self->node, &(struct channel){
		.fd = self->sv[0], .role = role, .framing = 4,
		.peer = role == ERLDIST_ROLE_ACCEPTOR ? NULL : "w@h" });

	close(self->sv[0]);
	return err;
}

static bool works(FIXTURE_DATA(ktls) *self, size_t size)
{
	DEFINE_BUF(msg);
	DEFINE_BUF(d);
	DEFINE_FRAME(f);

	buf_u8(&msg, 109);
	buf_be32(&msg, size);
	memset(buf_grow(&msg, size), 'k', size);
	if (wire_reg_send(&self->w, "svc", &msg) || !proc_expect(self->svc, &msg))
		return false;
	return proc_send(self->svc, fmt(&d, "{aa}", "x", "w@h"), &msg) > 0 &&
	       !wire_recv(&self->w, &f, WAIT_MS) && buf_eq(&f.msg, &msg);
}

TEST_F_TIMEOUT(ktls, acceptor, 60)
{
	ASSERT_EQ(0, hand_over(self, ERLDIST_ROLE_ACCEPTOR));
	ASSERT_EQ(0, wire_initiate(&self->w));
	ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_UP, NULL));
	for (int i = 0; i < 100; i++)
		ASSERT_TRUE(works(self, i));
	EXPECT_TRUE(works(self, 1 << 20));
}

TEST_F_TIMEOUT(ktls, initiator, 60)
{
	ASSERT_EQ(0, hand_over(self, ERLDIST_ROLE_INITIATOR));
	ASSERT_EQ(0, wire_accept(&self->w));
	ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_UP, NULL));
	EXPECT_TRUE(works(self, 100));
	EXPECT_TRUE(works(self, 100000));
}

/* A record is not kept for what follows when that is not sent at all. */
TEST_F_TIMEOUT(ktls, nothing_follows, 120)
{
	struct eref ref = wire_ref(&self->w, 1);
	int size = 65536, sent;
	struct epid pid = wire_pid(&self->w, 9);
	DEFINE_BUF(alias);
	DEFINE_BUF(dest);
	DEFINE_BUF(msg);

	setsockopt(self->sv[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	setsockopt(self->sv[1], SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	self->w.flags = DEFAULT_FLAGS & ~(FLAG_ALIAS | FLAG_ALTACT_SIG);
	ASSERT_EQ(0, hand_over(self, ERLDIST_ROLE_ACCEPTOR));
	ASSERT_EQ(0, wire_initiate(&self->w));
	ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_UP, NULL));
	fmt(&dest, "p", &pid);
	fmt(&alias, "r", &ref);
	buf_u8(&msg, 109);
	buf_be32(&msg, 10000);
	memset(buf_grow(&msg, 10000), 'k', 10000);
	/* more than the stream takes, and behind it what this peer cannot be sent */
	for (sent = 0; sent < 100; sent++)
		ASSERT_LT(0, proc_send(self->svc, &dest, &msg));
	ASSERT_LT(0, proc_send(self->svc, &alias, &msg));
	while (sent--) {
		DEFINE_FRAME(f);

		ASSERT_EQ(0, wire_recv(&self->w, &f, 5000)) {
			TH_LOG("%d are still to come", sent + 1);
		}
		EXPECT_TRUE(buf_eq(&f.msg, &msg));
	}
}

/* Many frames in one record, and one frame in many */
TEST_F(ktls, records_and_frames_do_not_match)
{
	struct epid from = wire_pid(&self->w, 1);
	DEFINE_BUF(ctl);
	DEFINE_BUF(msg);
	DEFINE_BUF(all);

	ASSERT_EQ(0, hand_over(self, ERLDIST_ROLE_ACCEPTOR));
	ASSERT_EQ(0, wire_initiate(&self->w));
	fmt(&ctl, "{ipaa}", OP_REG_SEND, &from, "", "svc");
	for (int i = 0; i < 100; i++)
		wire_frame(&self->w, &all, &ctl, term(&msg, "i", i));
	ASSERT_EQ(0, wire_write(&self->w, all.p, all.len));
	for (int i = 0; i < 100; i++)
		ASSERT_TRUE(proc_expect(self->svc, term(&msg, "i", i)));
	for (size_t at = 0; at < 200; at++)
		ASSERT_EQ(0, wire_write(&self->w, all.p + at, 1));
	ASSERT_EQ(0, wire_write(&self->w, all.p + 200, all.len - 200));
	for (int i = 0; i < 100; i++)
		ASSERT_TRUE(proc_expect(self->svc, term(&msg, "i", i)));
}

static int send_record(int fd, uint8_t type, const void *p, size_t len)
{
	char control[CMSG_SPACE(1)] = { 0 };
	struct iovec iov = { (void *)p, len };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&h);

	c->cmsg_level = SOL_TLS;
	c->cmsg_type = TLS_SET_RECORD_TYPE;
	c->cmsg_len = CMSG_LEN(1);
	*CMSG_DATA(c) = type;
	return sendmsg(fd, &h, 0) == (ssize_t)len ? 0 : -errno;
}

TEST_F(ktls, session_tickets_are_skipped)
{
	static const uint8_t ticket[] = { 4, 0, 0, 4, 1, 2, 3, 4 };

	ASSERT_EQ(0, send_record(self->w.fd, RECORD_HANDSHAKE, ticket, 8));
	ASSERT_EQ(0, hand_over(self, ERLDIST_ROLE_ACCEPTOR));
	ASSERT_EQ(0, wire_initiate(&self->w)) {
		struct node_info i;

		node_info("k@h", &i);
		TH_LOG("reason %u", i.last_reason);
	}
	ASSERT_EQ(0, send_record(self->w.fd, RECORD_HANDSHAKE, ticket, 8));
	EXPECT_TRUE(works(self, 100));
}

/* A handshake message of this type, so many bytes long; none of them says so */
static int send_handshake(int fd, uint8_t type, size_t len)
{
	DEFINE_BUF(b);

	buf_u8(&b, type);
	memset(buf_grow(&b, len - 1), 0x18, len - 1);
	return send_record(fd, RECORD_HANDSHAKE, b.p, b.len);
}

static const size_t ticket_sizes[] = { 1, 2, 5, 300, 5000, 16384 };

/* Tickets longer than what is read at a time, before each step and in between */
TEST_F(ktls, long_session_tickets)
{
	DEFINE_BUF(b);
	DEFINE_BUF(framed);

	ASSERT_EQ(0, hand_over(self, ERLDIST_ROLE_ACCEPTOR));
	for (size_t i = 0; i < ARRAY_SIZE(ticket_sizes); i++)
		ASSERT_EQ(0, send_handshake(self->w.fd, 4, ticket_sizes[i]));
	hs_name(&self->w, &b);
	buf_be32(&framed, b.len);
	buf_add(&framed, b.p, b.len);
	for (size_t at = 0; at < framed.len; at++) {
		ASSERT_EQ(0, wire_write(&self->w, framed.p + at, 1));
		ASSERT_EQ(0, send_handshake(self->w.fd, 4, ticket_sizes[at % 6]));
	}
	ASSERT_EQ(0, hs_recv(&self->w, &b, WAIT_MS));
	EXPECT_TRUE(hs_is_status(&b, "ok"));
	ASSERT_EQ(0, hs_recv(&self->w, &b, WAIT_MS));
	ASSERT_TRUE(hs_take_challenge(&self->w, &b));
	b.len = 0;
	hs_reply(&self->w, &b);
	ASSERT_EQ(0, send_handshake(self->w.fd, 4, 300));
	ASSERT_EQ(0, hs_send(&self->w, &b));
	ASSERT_EQ(0, hs_recv(&self->w, &b, WAIT_MS));
	EXPECT_TRUE(hs_take_ack(&self->w, &b));
	self->w.header = true;
	ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_UP, NULL));
	for (size_t i = 0; i < ARRAY_SIZE(ticket_sizes); i++) {
		ASSERT_EQ(0, send_handshake(self->w.fd, 4, ticket_sizes[i]));
		EXPECT_TRUE(works(self, 100));
	}
}

/* The handshake ends with the next record, as it would without a ticket */
static void fails_with(struct __test_metadata *_metadata,
		       FIXTURE_DATA(ktls) *self, uint8_t type, const void *p,
		       size_t len, size_t ticket, uint32_t reason)
{
	struct node_info i;

	ASSERT_EQ(0, hand_over(self, ERLDIST_ROLE_ACCEPTOR));
	ASSERT_EQ(0, wire_write(&self->w, "\0", 1));
	ASSERT_EQ(0, send_handshake(self->w.fd, 4, ticket));
	ASSERT_EQ(0, send_record(self->w.fd, type, p, len));
	EXPECT_TRUE(wire_ends(&self->w, WAIT_MS));
	ASSERT_EQ(0, node_info("k@h", &i));
	EXPECT_EQ(1, i.handshakes_failed);
	EXPECT_EQ(reason, i.last_reason);
}

TEST_F(ktls, key_update_behind_a_ticket)
{
	fails_with(_metadata, self, RECORD_HANDSHAKE, "\x18\x00\x00\x01\x00", 5,
		   300, ERLDIST_REASON_TLS_RECORD);
}

/* Longer than what is read at a time, too */
TEST_F(ktls, another_handshake_record_behind_a_ticket)
{
	uint8_t request[300] = { 13 };

	memset(request + 1, 4, sizeof(request) - 1);
	fails_with(_metadata, self, RECORD_HANDSHAKE, request, sizeof(request), 3,
		   ERLDIST_REASON_TLS_RECORD);
}

TEST_F(ktls, alert_behind_a_ticket)
{
	fails_with(_metadata, self, RECORD_ALERT, "\x02\x28", 2, 300,
		   ERLDIST_REASON_TLS_RECORD);
}

TEST_F(ktls, close_notify_behind_a_ticket)
{
	fails_with(_metadata, self, RECORD_ALERT, "\x01\x00", 2, 300,
		   ERLDIST_REASON_CONNECTION_CLOSED);
}

static void ends_with(struct __test_metadata *_metadata,
		      FIXTURE_DATA(ktls) *self, uint8_t type, const void *p,
		      size_t len, uint32_t reason)
{
	struct peer_info i;

	ASSERT_EQ(0, hand_over(self, ERLDIST_ROLE_ACCEPTOR));
	ASSERT_EQ(0, wire_initiate(&self->w));
	ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_UP, NULL));
	ASSERT_TRUE(works(self, 10));
	ASSERT_EQ(0, send_record(self->w.fd, type, p, len));
	ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_DOWN, &i));
	EXPECT_EQ(reason, i.reason);
}

TEST_F(ktls, close_notify)
{
	ends_with(_metadata, self, RECORD_ALERT, "\x01\x00", 2,
		  ERLDIST_REASON_CONNECTION_CLOSED);
}

TEST_F(ktls, alert)
{
	ends_with(_metadata, self, RECORD_ALERT, "\x02\x28", 2,
		  ERLDIST_REASON_TLS_RECORD);
}

TEST_F(ktls, key_update)
{
	ends_with(_metadata, self, RECORD_HANDSHAKE, "\x18\x00\x00\x01\x00", 5,
		  ERLDIST_REASON_TLS_RECORD);
}

TEST_F(ktls, half_set_up)
{
	struct channel c = { .role = ERLDIST_ROLE_ACCEPTOR, .framing = 4 };
	int sv[2];

	for (int i = 0; i < 3; i++) {
		stream_pair(CARRIER_TCP4, sv);
		ASSERT_EQ(0, setsockopt(sv[0], SOL_TCP, TCP_ULP, "tls", 3));
		if (i)
			ASSERT_EQ(0, key(sv[0], i == 1 ? TLS_TX : TLS_RX, 1));
		c.fd = sv[0];
		EXPECT_EQ(-EBUSY, node_channel(self->node, &c)) {
			TH_LOG("case %d", i);
		}
	}
}

TEST_F(ktls, closed_by_the_peer)
{
	struct peer_info i;

	ASSERT_EQ(0, hand_over(self, ERLDIST_ROLE_ACCEPTOR));
	ASSERT_EQ(0, wire_initiate(&self->w));
	ASSERT_EQ(0, node_wait(self->node, ERLDIST_PENDING_UP, NULL));
	close(self->w.fd);
	EXPECT_EQ(0, node_wait(self->node, ERLDIST_PENDING_DOWN, &i));
}

TEST_HARNESS_MAIN
