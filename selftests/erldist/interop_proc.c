// SPDX-License-Identifier: GPL-2.0-only
/*
 * interop_proc NODE NAME...: native processes for the tests with Erlang nodes.
 *
 * Prints "ready" when all NAMEs are registered on NODE, and ends with status 0
 * when its standard input does. Each process counts messages {Sender, Seq, _},
 * where Seq has to be 1, 2, 3... for each Sender, and answers gen_server:call:
 *
 *	pid			its pid
 *	report			{Received, OutOfOrder}
 *	{exit, Status}		no answer, the program exits
 *	{signal, Number}	no answer, the program raises it
 *	{late, Milliseconds}	late, so much later
 *	mute			no answer
 *	{send, To, Binary}	sends Binary's bytes as a term; ok or {error, Errno}
 *	{send, To, Binary, Op}	the same as a signal. To may be a binary as well:
 *				its bytes are the destination
 *	{reason, Binary}	makes Binary's bytes the exit reason; ok or
 *				{error, Errno}
 *	{trap, 0 | 1}		ERLDIST_TRAP_EXIT; ok or {error, Errno}. What it traps
 *				becomes its exit reason, and the program exits
 *	{kill_signal, Number}	ERLDIST_KILL_SIGNAL; ok or {error, Errno}
 *	anything else		the same
 */
#include "erldist_test.h"

#define SENDERS	1024
#define MANY	32

struct process {
	int fd;
	int64_t next[SENDERS];
	int received;
	int out_of_order;
};

static void count(struct process *p, int64_t sender, int64_t seq)
{
	if (sender < 0 || sender >= SENDERS)
		return;
	p->received++;
	if (seq != ++p->next[sender]) {
		p->out_of_order++;
		p->next[sender] = seq;
	}
}

static bool is_binary(const struct slice *t)
{
	return t->len >= 5 && *t->p == 109;
}

/* What a binary holds; another term as it is */
static struct buf bytes_of(const struct slice *t)
{
	int head = is_binary(t) ? 5 : 0;

	return (struct buf){ (uint8_t *)t->p + head, t->len - head };
}

static bool tell(struct buf *answer, int err)
{
	if (err)
		term(answer, "{ai}", "error", err);
	else
		term(answer, "a", "ok");
	return true;
}

/* What is to be tried with bytes that the request holds; false: nothing */
static bool try_bytes(struct process *p, const struct slice *request, struct buf *answer)
{
	const uint8_t *r = request->p;
	struct slice to, binary = { 0 };
	struct buf dest, bytes;
	char word[512];
	int64_t op = 0;

	if (scan(r, request->len, "{at}", word, &binary) > 0 && is_binary(&binary) &&
	    !strcmp(word, "reason")) {
		bytes = bytes_of(&binary);
		return tell(answer, setsockopt(p->fd, SOL_ERLDIST, ERLDIST_EXIT_REASON,
					       bytes.p, bytes.len) ? errno : 0);
	}
	if (scan(r, request->len, "{att}", word, &to, &binary) < 0 &&
	    scan(r, request->len, "{atti}", word, &to, &binary, &op) < 0)
		return false;
	if (strcmp(word, "send") || !is_binary(&binary))
		return false;
	dest = bytes_of(&to);
	bytes = bytes_of(&binary);
	op = proc_sendto(p->fd, &(struct to){ .dest = &dest, .op = op }, &bytes);
	return tell(answer, op < 0 ? -op : 0);
}

/* An option that is a number; false: there is no such option */
static bool set_number(struct process *p, const char *word, uint32_t number, struct buf *answer)
{
	int option = 0;

	if (!strcmp(word, "trap"))
		option = ERLDIST_TRAP_EXIT;
	if (!strcmp(word, "kill_signal"))
		option = ERLDIST_KILL_SIGNAL;
	if (!option)
		return false;
	return tell(answer, setsockopt(p->fd, SOL_ERLDIST, option, &number, sizeof(number)) ?
			    errno : 0);
}

/* The answer to a request; false: there is none */
static bool serve(struct process *p, const struct slice *request, struct buf *answer)
{
	char word[512];
	struct epid self;
	int64_t number = 0;

	*word = 0;
	if (try_bytes(p, request, answer))
		return true;
	if (scan(request->p, request->len, "{ai}", word, &number) > 0 &&
	    set_number(p, word, number, answer))
		return true;
	buf_add(answer, request->p, request->len);
	if (scan(request->p, request->len, "{ai}", word, &number) < 0 &&
	    scan(request->p, request->len, "a", word) < 0)
		return true;
	if (!strcmp(word, "exit"))
		_exit(number);
	if (!strcmp(word, "signal"))
		raise(number);
	if (!strcmp(word, "late"))
		sleep_ms(number);
	if (!strcmp(word, "late"))
		term(answer, "a", "late");
	if (!strcmp(word, "report"))
		term(answer, "{ii}", p->received, p->out_of_order);
	if (!strcmp(word, "pid")) {
		proc_self(p->fd, &self);
		term(answer, "p", &self);
	}
	return strcmp(word, "mute") != 0;
}

/* Told to end, it does */
static void end_with(struct process *p, const struct slice *reason)
{
	setsockopt(p->fd, SOL_ERLDIST, ERLDIST_EXIT_REASON, reason->p, reason->len);
	_exit(0);
}

static void handle(struct process *p, const struct buf *m)
{
	struct slice tag, request, rest;
	int64_t sender, seq;
	struct epid pid;
	char word[512];
	DEFINE_BUF(answer);

	if (scan(m->p, m->len, "{iit}", &sender, &seq, &rest) > 0)
		count(p, sender, seq);
	else if (scan(m->p, m->len, "{a{pt}t}", word, &pid, &tag, &request) > 0 &&
		 !strcmp(word, "$gen_call") && serve(p, &request, &answer))
		proc_reply(p->fd, &pid, &tag, &answer);
	else if (scan(m->p, m->len, "{a_t}", word, &rest) > 0 && !strcmp(word, "EXIT"))
		end_with(p, &rest);
}

/* A message longer than those of receive_short() */
static int receive_long(struct process *p)
{
	DEFINE_MSG(m);
	int err = proc_recv(p->fd, &m, 0);

	if (!err)
		handle(p, &m.term);
	return err;
}

/* Some messages at once; a negative errno: the first is too long, or none */
static int receive_short(struct process *p)
{
	static uint8_t bytes[MANY][1024];
	struct mmsghdr m[MANY] = { 0 };
	struct iovec iov[MANY];
	int n;

	for (int i = 0; i < MANY; i++) {
		iov[i] = (struct iovec){ bytes[i], sizeof(bytes[i]) };
		m[i].msg_hdr.msg_iov = &iov[i];
		m[i].msg_hdr.msg_iovlen = 1;
	}
	n = recvmmsg(p->fd, m, MANY, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++)
		handle(p, &(struct buf){ bytes[i], m[i].msg_len });
	return n < 0 ? -errno : 0;
}

/* All that is there; false when the process has ended */
static bool drain(struct process *p)
{
	int err;

	do {
		err = receive_short(p);
		if (err == -EMSGSIZE)
			err = receive_long(p);
	} while (!err);
	return err == -ETIMEDOUT || err == -EAGAIN;
}

int main(int argc, char **argv)
{
	int n = argc - 2;
	struct process *p = calloc(argc, sizeof(*p));
	struct pollfd *fds = calloc(argc, sizeof(*fds));

	if (n < 1 || !p || !fds)
		die("usage: interop_proc NODE NAME...");
	for (int i = 0; i < n; i++) {
		p[i].fd = proc(argv[i + 2], argv[1]);
		fds[i] = (struct pollfd){ p[i].fd, POLLIN };
	}
	fds[n] = (struct pollfd){ 0, POLLIN };
	puts("ready");
	fflush(stdout);
	while (poll(fds, n + 1, -1) > 0 && !fds[n].revents)
		for (int i = 0; i < n; i++)
			if (fds[i].revents && !drain(&p[i]))
				return 70;
	return 0;
}
