// SPDX-License-Identifier: GPL-2.0-only
/* Descriptors that a service manager hands over, as sd_listen_fds(3) has it. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared.h"

#define FIRST_FD	3

struct inherited *inherited;
unsigned int inherited_n;

static int expected(void)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");

	if (!pid || !fds || atol(pid) != (long)getpid())
		return 0;
	return atoi(fds);
}

/* Names are separated by colons; there may be fewer than descriptors */
static char *next_name(const char **names)
{
	size_t len = *names ? strcspn(*names, ":") : 0;
	char *name = strndup(*names ? *names : "", len);

	if (*names)
		*names += len + ((*names)[len] == ':');
	return name;
}

/* Once. What is started from here on has none of it, the environment neither */
void inherit(void)
{
	const char *names = getenv("LISTEN_FDNAMES");
	int n = expected(), i;

	if (n > 0)
		inherited = calloc((size_t)n, sizeof(*inherited));
	for (i = 0; inherited && i < n; i++) {
		inherited[i].name = next_name(&names);
		inherited[i].fd = FIRST_FD + i;
		if (fcntl(FIRST_FD + i, F_SETFD, FD_CLOEXEC) || !inherited[i].name)
			inherited[i].fd = -1;
		inherited_n++;
	}
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
}

/* "systemd": all but those whose names begin with not_these; "systemd:NAME" */
static bool is_meant(const struct inherited *h, const char *word, const char *not_these)
{
	if (h->fd < 0 || (*not_these && !strncmp(h->name, not_these, strlen(not_these))))
		return false;
	return !word[7] || !strcmp(h->name, word + 8);
}

static int take(struct words *to, const char *word, const char *not_these)
{
	unsigned int i, n = 0;
	char *place;

	for (i = 0; i < inherited_n; i++) {
		if (!is_meant(&inherited[i], word, not_these))
			continue;
		if (to->n == WORDS_MAX || asprintf(&place, "fd:%d", inherited[i].fd) < 0)
			return -ENOMEM;
		to->word[to->n++] = place;
		inherited[i].fd = -1;
		n++;
	}
	return n ? 0 : -ENOENT;
}

/* Puts the sockets themselves in place of the word systemd among s->listens */
int inherited_listeners(struct node_setup *s, const char *not_these)
{
	struct words w = { .n = 0 };
	unsigned int i;
	int err = 0;

	for (i = 0; !err && i < s->listens.n; i++) {
		const char *word = s->listens.word[i];

		if (!strcmp(word, "systemd") || !strncmp(word, "systemd:", 8))
			err = take(&w, word, not_these);
		else if (w.n == WORDS_MAX)
			err = -ENOMEM;
		else
			w.word[w.n++] = word;
		if (err)
			snprintf(s->error, sizeof(s->error), "listen %s: %s", word, err == -ENOENT ?
				 "systemd has handed over no such socket" : "out of memory");
	}
	if (!err)
		s->listens = w;
	return err;
}
