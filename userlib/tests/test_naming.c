// SPDX-License-Identifier: LGPL-2.1-or-later
/* A node that is given its name by the peer that it connects to first. */
#include <endian.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "fake_node.h"

#define PEER		"b@host"
#define COOKIE		"secret"
#define PEER_FLAGS	0xd07df7fbcULL
#define NAME_ME		(1ULL << 33)

/* How the peer behaves. What it gives is as Erlang gives it */
static struct behaviour {
	const char *status;	/* NULL: it closes the connection */
	const char *given;
	uint32_t creation;
	uint64_t flags;
	const char *name;	/* of its own, in the challenge */
	const char *cookie;	/* NULL: it does not like ours, and closes */
	const char *behind;	/* what follows the handshake at once */
	bool silent;
} peer;

static const struct behaviour erlang = {
	.status = "named:", .given = "3INYCRSD45FFJ@host", .creation = 0xcbbbdf76,
	.flags = PEER_FLAGS,
	.name = PEER, .cookie = COOKIE, .behind = "",
};

struct bytes {
	uint8_t b[512];
	size_t n;
};

static void put(struct bytes *m, uint64_t v, int n)
{
	while (n--)
		m->b[m->n++] = (uint8_t)(v >> 8 * n);
}

static void put_text(struct bytes *m, const char *text)
{
	memcpy(m->b + m->n, text, strlen(text));
	m->n += strlen(text);
}

static void put_name(struct bytes *m, const char *name)
{
	put(m, strlen(name), 2);
	put_text(m, name);
}

/* In pieces, as a stream may have it */
static void send_message(int fd, const struct bytes *m)
{
	uint8_t head[2] = { (uint8_t)(m->n >> 8), (uint8_t)m->n };

	if (write(fd, head, 2) != 2 || write(fd, m->b, 1) != 1)
		_exit(2);
	usleep(1000);
	if (write(fd, m->b + 1, m->n - 1) != (ssize_t)m->n - 1)
		_exit(2);
}

static struct bytes receive_message(int fd)
{
	struct bytes m = { .n = 0 };
	uint8_t head[2];

	if (recv(fd, head, 2, MSG_WAITALL) != 2)
		_exit(3);
	m.n = (size_t)(head[0] << 8 | head[1]);
	if (m.n > sizeof(m.b) || recv(fd, m.b, m.n, MSG_WAITALL) != (ssize_t)m.n)
		_exit(3);
	return m;
}

static void digest(const char *cookie, uint32_t challenge, uint8_t d[ED_MD5_SIZE])
{
	char text[300];

	ed_md5(text, (size_t)snprintf(text, sizeof(text), "%s%u", cookie, challenge), d);
}

/* N, flags with NAME_ME, no creation, and only the host */
static void hear_name(int fd)
{
	struct bytes m = receive_message(fd), want = { .n = 0 };

	put_text(&want, "N");
	put(&want, 0x2d07df5fbcULL | NAME_ME, 8);
	put(&want, 0, 4);
	put_name(&want, "host");
	if (m.n != want.n || memcmp(m.b, want.b, m.n))
		_exit(4);
}

static void send_status(int fd)
{
	struct bytes m = { .n = 0 };

	put_text(&m, "s");
	put_text(&m, peer.status);
	if (!strcmp(peer.status, "named:")) {
		put_name(&m, peer.given);
		put(&m, peer.creation, 4);
	}
	send_message(fd, &m);
}

static void send_challenge(int fd)
{
	struct bytes m = { .n = 0 };

	put_text(&m, "N");
	put(&m, peer.flags | NAME_ME, 8);
	put(&m, 4000000000U, 4);
	put(&m, 77, 4);
	put_name(&m, peer.name);
	send_message(fd, &m);
}

static void prove(int fd)
{
	struct bytes m = receive_message(fd), ack = { .n = 0 };
	uint8_t expected[ED_MD5_SIZE];
	uint32_t challenge;

	digest(COOKIE, 4000000000U, expected);
	if (m.n != 21 || m.b[0] != 'r' || memcmp(m.b + 5, expected, sizeof(expected)))
		_exit(5);
	memcpy(&challenge, m.b + 1, sizeof(challenge));
	if (!peer.cookie)
		_exit(0);
	put_text(&ack, "a");
	digest(peer.cookie, be32toh(challenge), ack.b + 1);
	ack.n += ED_MD5_SIZE;
	send_message(fd, &ack);
	if (write(fd, peer.behind, strlen(peer.behind)) < 0)
		_exit(6);
}

static void behave(int listening)
{
	int fd = accept(listening, NULL, NULL);

	hear_name(fd);
	if (peer.silent)
		pause();
	if (!peer.status)
		_exit(0);
	send_status(fd);
	send_challenge(fd);
	prove(fd);
	/* until the other one has had enough */
	receive_message(fd);
}

static struct erldist_keeper *meet(const struct behaviour *b, uint32_t within, int *err)
{
	char place[64];
	const char *peers[] = { place, NULL };
	struct erldist_keeper_options o = {
		.name = "svc@host", .cookie = COOKIE, .peers = peers, .event = on_event,
		.options = ERLDIST_KEEPER_NO_LISTEN | ERLDIST_KEEPER_WITHOUT_EPMD,
		.named_by = PEER, .named_within = within,
	};
	struct erldist_keeper *k;
	uint16_t port;
	int fd = listener(&port);
	pid_t pid;

	snprintf(place, sizeof(place), "%s=127.0.0.1:%u", PEER, port);
	peer = *b;
	memset(&seen, 0, sizeof(seen));
	pid = fork();
	if (!pid) {
		behave(fd);
		_exit(0);
	}
	close(fd);
	*err = erldist_keeper_open(&k, &o);
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
	return k;
}

static void check_given(void)
{
	struct behaviour b = erlang;
	struct erldist_keeper *k;
	char text[8] = "";
	int err;

	b.behind = "frames";
	k = meet(&b, 0, &err);
	ok(!err && !strcmp(erldist_keeper_node(k), b.given), "it is called as the peer says: %s",
	   erldist_keeper_node(k));
	ok(seen.creation == b.creation, "with the creation that goes with the name");
	ok(seen.channels == 1 && seen.role == ERLDIST_ROLE_READY && !strcmp(seen.peer, PEER),
	   "and has the connection");
	ok(seen.flags == (PEER_FLAGS | 0x1070f94) && seen.peer_creation == 77,
	   "flags and creation of the peer");
	ok(recv(seen.fd, text, 6, MSG_WAITALL) == 6 && !strcmp(text, "frames"),
	   "what follows the handshake is there");
	ed_peer_down(k, PEER);
	ed_peer_wanted(k, PEER);
	ok(seen.unreachables == 1 && seen.error == ERLDIST_NOT_BY_ITSELF,
	   "it is not connected by that name again");
	close(seen.fd);
	erldist_keeper_close(k);
}

/* error: what is remembered of it, or 0: it is connected as any peer */
static void not_given(const struct behaviour *b, uint32_t within, int error, const char *why)
{
	struct erldist_keeper *k;
	int err;

	k = meet(b, within, &err);
	ok(!err && !strcmp(erldist_keeper_node(k), "svc@host") && !seen.channels,
	   "its own name where %s", why);
	ed_peer_wanted(k, PEER);
	if (error)
		ok(seen.error == error, "which is remembered");
	else
		ok(ed_dialing(k, PEER) || seen.error == ECONNREFUSED, "and it is connected anew");
	erldist_keeper_close(k);
}

static void check_not_given(void)
{
	struct behaviour b = erlang;

	b.status = "not_allowed";
	not_given(&b, 0, 0, "the peer refuses");
	b.status = "ok";
	not_given(&b, 0, 0, "the peer does not know of that");
	b.status = NULL;
	not_given(&b, 0, 0, "the peer closes the connection");
	b = erlang;
	b.given = "3INYCRSD45FFJ@other";
	not_given(&b, 0, 0, "the name is of another host");
	b.given = "svc2@host";
	not_given(&b, 0, 0, "the name is no made one");
	b.given = "3INYCRSD45FFJ";
	not_given(&b, 0, 0, "the name is none");
	b = erlang;
	b.creation = 3;
	not_given(&b, 0, 0, "the creation is none");
	b = erlang;
	b.name = "c@host";
	not_given(&b, 0, 0, "another node answers");
	b = erlang;
	b.flags &= ~(1ULL << 34);
	not_given(&b, 0, 0, "the peer lacks what is needed");
	b = erlang;
	b.cookie = NULL;
	not_given(&b, 0, EKEYREJECTED, "the peer does not like the proof");
	b.cookie = "another";
	not_given(&b, 0, EKEYREJECTED, "the peer's proof is wrong");
	b = erlang;
	b.silent = true;
	not_given(&b, 300, ETIMEDOUT, "the peer says nothing");
}

static void check_refused(void)
{
	struct erldist_keeper_options o = {
		.name = "svc@host", .cookie = COOKIE, .named_by = PEER,
		.options = ERLDIST_KEEPER_WITHOUT_EPMD,
	};
	struct erldist_keeper *k;
	int err = erldist_keeper_open(&k, &o);

	ok(err == -EINVAL, "only a node that accepts nobody: %s", erldist_strerror(k, err));
	erldist_keeper_close(k);
	o.options |= ERLDIST_KEEPER_NO_LISTEN;
	o.named_by = "host";
	err = erldist_keeper_open(&k, &o);
	ok(err == -EINVAL, "only by a node: %s", erldist_strerror(k, err));
	erldist_keeper_close(k);
	o.named_by = PEER;
	memset(&seen, 0, sizeof(seen));
	err = erldist_keeper_open(&k, &o);
	ed_peer_wanted(k, PEER);
	ok(!err && seen.error == ERLDIST_NO_ADDRESS, "why it cannot be connected is remembered");
	erldist_keeper_close(k);
}

static void check_digest(const char *text, const char *want)
{
	uint8_t d[ED_MD5_SIZE];
	char hex[2 * ED_MD5_SIZE + 1];
	int i;

	ed_md5(text, strlen(text), d);
	for (i = 0; i < ED_MD5_SIZE; i++)
		snprintf(hex + 2 * i, 3, "%02x", d[i]);
	ok(!strcmp(hex, want), "digest of %zu bytes: %s", strlen(text), hex);
}

static void check_digests(void)
{
	static const char digits[] = "1234567890123456789012345678901234567890"
				     "1234567890123456789012345678901234567890";

	check_digest("", "d41d8cd98f00b204e9800998ecf8427e");
	check_digest("message digest", "f96b697d7cb7938d525a2f31aaf161d0");
	check_digest(digits, "57edf4a22be3c955ac49da2e2107b67a");
	check_digest(digits + 24, "9356c57a07949658e67bef446a9dece6");
	check_digest("secret4294967295", "5dfd181e69aa587cc812eb333e6536b6");
}

int main(void)
{
	check_digests();
	check_given();
	check_not_given();
	check_refused();
	return tap_end();
}
