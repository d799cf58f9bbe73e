// SPDX-License-Identifier: LGPL-2.1-or-later
/* Calls, without anybody to call: bytes, references, reasons, errors of threads. */
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "internal.h"
#include "tap.h"

static const erlang_pid self = { .node = "svc@host", .num = 12, .serial = 3, .creation = 77 };

static void check_head(void)
{
	struct erldist_term t = ERLDIST_TERM_INIT;
	erlang_ref ref = { .node = "svc@host", .len = 3, .creation = 77, .n = { 1, 0, 12 } };
	struct erldist_slice tag, alias, all;
	erlang_ref got;
	erlang_pid pid;
	int err = ed_put_call(&t, &self, &ref);

	/* a request behind it makes it a call */
	if (!err)
		err = ed_put_atom(&t, "hello", 5);
	ok(!err && !erldist_check(t.term, t.len), "a call is a term");
	ok(!erldist_match(t.term, t.len, "{'$gen_call',{~p,~t},hello}", &pid, &tag) &&
	   pid.num == 12 && pid.serial == 3, "with the caller's pid");
	ok(ed_alias_of(&tag, &alias) && !erldist_match(alias.term, alias.len, "~r", &got) &&
	   got.n[0] == 1 && got.n[2] == 12, "and the alias in its tag");
	erldist_term_free(&t);
	erldist_format(&t, "[[alias|~r]|label]", &ref);
	all.term = t.term;
	all.len = t.len;
	ok(ed_alias_of(&all, &alias), "an alias with a label");
	erldist_format(&t, "~r", &ref);
	all.term = t.term;
	all.len = t.len;
	ok(!ed_alias_of(&all, &alias), "a tag that is no alias");
	erldist_format(&t, "[alias,~r]", &ref);
	all.term = t.term;
	all.len = t.len;
	ok(!ed_alias_of(&all, &alias), "another list is no alias");
	erldist_term_free(&t);
}

static void check_refs(void)
{
	static const uint64_t numbers[] = { 1, 0x3ffff, 0x40000, 0x123456789aULL };
	struct erldist p = { .self = self };
	erlang_ref ref;
	uint64_t back;
	size_t i;

	for (i = 0; i < ED_ARRAY_SIZE(numbers); i++) {
		ed_ref_make(&p, numbers[i], &ref);
		ok(!ed_ref_number(&p, &ref, &back) && back == numbers[i] && ref.n[0] < 1 << 18,
		   "reference %llx", (unsigned long long)numbers[i]);
	}
	ref.n[2]++;
	ok(ed_ref_number(&p, &ref, &back) == -EINVAL, "of another process: %s", p.error.text);
	ref.n[2]--;
	ref.creation++;
	ok(ed_ref_number(&p, &ref, &back) == -EINVAL, "of another creation");
	ref.creation--;
	ref.node[0]++;
	ok(ed_ref_number(&p, &ref, &back) == -EINVAL, "of another node");
}

static void check_reason(const char *text, int want)
{
	struct erldist_term t = ERLDIST_TERM_INIT;
	struct erldist_slice s;

	erldist_parse(&t, text, NULL);
	s.term = t.term;
	s.len = t.len;
	ok(ed_reason_errno(&s) == want, "%s is %s", text, ed_errno_text(want));
	erldist_term_free(&t);
}

static struct erldist shared = { .error.shared_by = &shared };

static void *other_thread(void *arg)
{
	(void)arg;
	ok(!strstr(erldist_strerror(&shared, -EIO), "first"), "an error is the thread's own");
	ed_fail(&shared.error, -EIO, "second");
	ok(!strcmp(erldist_strerror(&shared, -EIO), "second"), "each has one");
	return NULL;
}

static void refused(ssize_t err, const char *what)
{
	const char *text = erldist_strerror(&shared, (int)err);

	ok(err == -EINVAL && strstr(text, what), "%s", text);
}

static void check_errors(void)
{
	static struct erldist more = { .error.shared_by = &more };
	pthread_t thread;

	ed_fail(&shared.error, -EIO, "first %d", 1);
	if (!pthread_create(&thread, NULL, other_thread, NULL))
		pthread_join(thread, NULL);
	ok(!strcmp(erldist_strerror(&shared, -EIO), "first 1"), "and keeps it");
	ok(strcmp(erldist_strerror(&shared, -EAGAIN), "first 1"), "of this number");
	ok(strcmp(erldist_strerror(&more, -EIO), "first 1"), "and of this handle");
	refused(erldist_rpc(&shared, "no node", "m", "f", "\152", 1, NULL, 0), "no node");
	refused(erldist_rpc(&shared, "b@host", "m", "f", "\141\1", 2, NULL, 0), "m:f");
	refused(erldist_exitf(&shared, NULL, "{oops"), "{oops");
}

/* Messages that are no reply come to a port, one after the other, for a while */
static struct {
	int fd;
	int64_t until;
} junk;

ssize_t recvmsg(int fd, struct msghdr *mh, int flags)
{
	if (fd != junk.fd || ed_now() > junk.until) {
		errno = EAGAIN;
		return -1;
	}
	poll(NULL, 0, flags & MSG_DONTWAIT ? 1 : 10);
	memcpy(mh->msg_iov[0].iov_base, "j", 1);
	mh->msg_namelen = 0;
	mh->msg_controllen = 0;
	mh->msg_flags = 0;
	return 1;
}

ssize_t sendmsg(int fd, const struct msghdr *mh, int flags)
{
	(void)mh;
	(void)flags;
	errno = EINVAL;
	return fd < 0 ? -1 : 0;
}

static void check_deadline(void)
{
	struct erldist p = { .self = self, .node = "svc@host", .refs = { .first = 1, .count = 9 } };
	struct erldist_msg m = ERLDIST_MSG_INIT;
	struct ed_port *port = calloc(1, sizeof(*port));
	int64_t begin = ed_now();
	int fds[2];
	ssize_t n;

	if (!port || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
		exit(1);
	pthread_mutex_init(&p.lock, NULL);
	port->fd = fds[0];
	port->wait_ms = -1;
	p.idle = port;
	p.n_idle = 1;
	junk.fd = fds[0];
	junk.until = ed_now() + 5000;
	n = erldist_call_term(&p, "w\1x", 3, "w\1y", 3, &m, 300);
	ok(n == -ETIMEDOUT && ed_now() - begin < 3000,
	   "a call ends at its deadline, whatever else comes: %s", erldist_strerror(&p, (int)n));
	ok(!p.idle, "and its port is not used again");
	erldist_msg_free(&m);
	close(fds[1]);
}

static void check_refused(void)
{
	struct erldist p = { .fd = -1 };
	const char *text;
	int err;

	err = erldist_send_term(&p, "w\1x", 3, "w\2yz", 4, 0);
	text = erldist_strerror(&p, err);
	ok(err == -EINVAL && !strncmp(text, "the message of 4 bytes to x, or", 31),
	   "what was not taken is named: %s", text);
}

int main(void)
{
	check_head();
	check_refused();
	check_refs();
	check_reason("noproc", -ESRCH);
	check_reason("noconnection", -EHOSTUNREACH);
	check_reason("{noproc,1}", -EREMOTEIO);
	check_reason("normal", -EREMOTEIO);
	check_errors();
	check_deadline();
	return tap_end();
}
