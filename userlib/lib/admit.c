// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Who may come in: the list of those allowed, then a program of the operator's
 * or the user of the library.
 */
#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "keeper.h"

#define MARGIN_MS	500	/* before the kernel refuses by itself */

static void deny(struct erldist_keeper *k, const char *peer, uint64_t tag, const char *from,
		 const char *why)
{
	ed_node_answer(k, peer, tag, false, NULL);
	ed_keeper_tell(k, ERLDIST_KEEPER_REJECTED, peer, EACCES, "%s, from %s, was refused: %s",
		       peer, from, why);
}

static void forget(struct ask *a)
{
	struct ask **at;

	for (at = &a->k->asks; *at != a; at = &(*at)->next)
		;
	*at = a->next;
	ed_source_close(a->k, &a->source);
	/* it has answered, or is not waited for any more */
	ed_child_kill(&a->child);
	ed_child_wait(&a->child);
	explicit_bzero(a, sizeof(*a));
	free(a);
}

static bool begins(const char *answer, const char *word)
{
	size_t n = strlen(word);

	return !strncmp(answer, word, n) && !isalnum((unsigned char)answer[n]);
}

static void allow_with(struct ask *a, const char *value)
{
	struct ed_cookie c = { 0 };
	struct ed_error e = { 0 };
	char why[600];

	if (ed_cookie_get(&e, &c, value, NULL)) {
		snprintf(why, sizeof(why), "%s gives no proper cookie", a->k->config.admit);
		deny(a->k, a->peer, a->tag, a->from, why);
	} else {
		ed_node_answer(a->k, a->peer, a->tag, true, &c);
	}
	explicit_bzero(&c, sizeof(c));
}

static void decide(struct ask *a)
{
	const char *program = a->k->config.admit ? a->k->config.admit : "the program asked";
	char why[ED_DEST_MAX];

	a->answer[strcspn(a->answer, "\r\n")] = 0;
	if (begins(a->answer, "yes")) {
		ed_node_answer(a->k, a->peer, a->tag, true, NULL);
	} else if (begins(a->answer, "cookie")) {
		allow_with(a, a->answer + 6 + strspn(a->answer + 6, " "));
	} else {
		if (begins(a->answer, "no"))
			snprintf(why, sizeof(why), "%s says %s", program, a->answer);
		else
			snprintf(why, sizeof(why), "%s says neither yes, no nor a cookie", program);
		deny(a->k, a->peer, a->tag, a->from, why);
	}
	forget(a);
}

static void on_answer(struct source *s, uint32_t events)
{
	struct ask *a = container_of(s, struct ask, source);
	ssize_t n;

	(void)events;
	n = read(s->fd, a->answer + a->len, sizeof(a->answer) - 1 - a->len);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		a->len += (size_t)n;
	if (n <= 0 || memchr(a->answer, '\n', a->len) || a->len == sizeof(a->answer) - 1)
		decide(a);
}

static int spawn(struct ask *a, uint64_t flags, int out)
{
	char text[24];
	char *const argv[] = { a->k->config.admit, a->peer, a->from, text, NULL };

	snprintf(text, sizeof(text), "0x%llx", (unsigned long long)flags);
	return ed_spawn(&a->child, argv, -1, out, false);
}

static int start(struct ask *a, uint64_t flags)
{
	int fd[2], err;

	if (pipe2(fd, O_CLOEXEC | O_NONBLOCK))
		return -errno;
	a->source.fd = fd[0];
	err = spawn(a, flags, fd[1]);
	close(fd[1]);
	return err ? err : ed_source_add(a->k, &a->source, EPOLLIN);
}

static int ask_program(struct erldist_keeper *k, const char *peer, uint64_t tag,
		       const char *from, uint64_t flags)
{
	struct ask *a = calloc(1, sizeof(*a));
	int err;

	if (!a)
		return -ENOMEM;
	a->k = k;
	a->tag = tag;
	a->source.fd = -1;
	a->source.ready = on_answer;
	a->deadline = ed_now() + k->setup - (k->setup > 2 * MARGIN_MS ? MARGIN_MS : 0);
	snprintf(a->peer, sizeof(a->peer), "%s", peer);
	snprintf(a->from, sizeof(a->from), "%s", from);
	a->next = k->asks;
	k->asks = a;
	err = start(a, flags);
	if (err)
		forget(a);
	return err;
}

static void ask_user(struct erldist_keeper *k, const char *peer, uint64_t tag,
		     const char *from, uint64_t flags)
{
	char text[ED_NODE_SIZE + ADDRESS_TEXT + 32];
	struct erldist_keeper_event event = {
		.type = ERLDIST_KEEPER_ASKS, .text = text, .peer = peer, .tag = tag,
		.address = from, .flags = flags,
	};

	snprintf(text, sizeof(text), "%s, from %s, wants to connect", peer, from);
	if (k->event)
		k->event(k->user, &event);
}

/* A node has told its name, and waits */
void ed_admit(struct erldist_keeper *k, const char *peer, uint64_t tag, uint64_t flags)
{
	char from[ADDRESS_TEXT], why[600];
	int err;

	ed_accepted_from(k, tag, from);
	if (!ed_config_allows(&k->config, peer)) {
		deny(k, peer, tag, from, "it is not in the list of nodes allowed");
	} else if (k->config.admit && peer[0] == '-') {
		/* the program would take it for an option */
		deny(k, peer, tag, from, "its name begins with -");
	} else if (k->config.admit) {
		err = ask_program(k, peer, tag, from, flags);
		if (!err)
			return;
		snprintf(why, sizeof(why), "%s: %s", k->config.admit, ed_errno_text(err));
		deny(k, peer, tag, from, why);
	} else if (k->config.ask) {
		ask_user(k, peer, tag, from, flags);
	} else {
		ed_node_answer(k, peer, tag, true, NULL);
	}
}

void ed_admit_timer(struct erldist_keeper *k)
{
	struct ask *a, *next;
	int64_t now = ed_now();

	for (a = k->asks; a; a = next) {
		next = a->next;
		if (a->deadline > now)
			continue;
		deny(k, a->peer, a->tag, a->from, "the program asked does not answer");
		forget(a);
	}
}

void ed_admit_close(struct erldist_keeper *k)
{
	while (k->asks)
		forget(k->asks);
}

int erldist_keeper_answer(struct erldist_keeper *k, const char *node, uint64_t tag, int allow,
			  const char *cookie)
{
	struct ed_cookie c = { 0 };
	int err = 0;

	if (cookie)
		err = ed_cookie_get(&k->error, &c, cookie, NULL);
	if (!err) {
		err = ed_node_answer(k, node, tag, allow, cookie ? &c : NULL);
		if (err)
			ed_fail(&k->error, err, "%s: %s", node, err == -ENOENT ?
				"it does not wait any more" : ed_errno_text(err));
	}
	explicit_bzero(&c, sizeof(c));
	return err;
}
