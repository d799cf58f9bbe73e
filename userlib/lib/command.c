// SPDX-License-Identifier: LGPL-2.1-or-later
/* Connections that a command of the operator's makes, as ssh's ProxyCommand does. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "keeper.h"

#define COMMAND_MAX	4096
#define GRACE_MS	1000	/* to pass on what was written last, and to end */

/* A host that is no option, and means nothing to a shell */
bool ed_host_sane(const char *host)
{
	return host[0] && host[0] != '-' && host[0] != '.' &&
	       host[strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				 "0123456789-._:")] == 0;
}

/* "exec ssh -W %h:%p gate" with host and port: the shell becomes the command */
static int expand(char *to, size_t size, const char *format, const char *host, uint16_t port)
{
	FILE *f = fmemopen(to, size, "w");
	bool good = true;
	long n;

	if (!f)
		return -ENOMEM;
	fputs("exec ", f);
	for (; good && *format; format += good) {
		if (*format != '%')
			fputc(*format, f);
		else if (*++format == 'h')
			fputs(host, f);
		else if (*format == 'p')
			fprintf(f, "%u", port);
		else if (*format == '%')
			fputc('%', f);
		else
			good = false;	/* at the end, too */
	}
	fflush(f);
	n = ftell(f);
	fclose(f);
	if (!good)
		return -EINVAL;
	return n < 0 || (size_t)n >= size - 1 ? -E2BIG : 0;
}

/* Whether it can be a command, with some host */
int ed_command_check(const char *format)
{
	char command[COMMAND_MAX];

	return expand(command, sizeof(command), format, "", 0);
}

static int spawn(struct ed_child *child, const char *command, int fd)
{
	char *const argv[] = { "sh", "-c", (char *)(uintptr_t)command, NULL };

	return ed_spawn(child, argv, fd, fd, false);
}

static void forget(struct child *c)
{
	struct child **at;

	for (at = &c->k->children; *at != c; at = &(*at)->next)
		;
	*at = c->next;
	ed_source_close(c->k, &c->source);
	ed_source_close(c->k, &c->stream);
	free(c);
}

/* Given up, or the connection has ended: the command need not look whether its input ends */
static void on_stream_end(struct source *s, uint32_t events)
{
	struct child *c = container_of(s, struct child, stream);

	if (!(events & (EPOLLHUP | EPOLLERR)))
		return;
	ed_source_close(c->k, s);
	c->kill_at = ed_now() + GRACE_MS;
}

int64_t ed_commands_next(const struct erldist_keeper *k)
{
	const struct child *c;
	int64_t next = -1;

	for (c = k->children; c; c = c->next)
		if (c->kill_at >= 0 && (next < 0 || c->kill_at < next))
			next = c->kill_at;
	return next;
}

void ed_commands_timer(struct erldist_keeper *k)
{
	int64_t now = ed_now();
	struct child *c;

	for (c = k->children; c; c = c->next) {
		if (c->kill_at < 0 || c->kill_at > now)
			continue;
		c->kill_at = -1;
		ed_child_kill(&c->child);
	}
}

static void on_end(struct source *s, uint32_t events)
{
	struct child *c = container_of(s, struct child, source);

	(void)events;
	if (ed_child_ended(&c->child))
		forget(c);
}

static int watch(struct erldist_keeper *k, const struct ed_child *child, int stream)
{
	struct child *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return -ENOMEM;
	c->k = k;
	c->child = *child;
	c->kill_at = -1;
	c->next = k->children;
	k->children = c;
	c->source.ready = on_end;
	c->source.fd = fcntl(child->fd, F_DUPFD_CLOEXEC, 0);
	c->stream.ready = on_stream_end;
	c->stream.fd = fcntl(stream, F_DUPFD_CLOEXEC, 0);
	err = c->source.fd < 0 || c->stream.fd < 0 ? -EMFILE :
						    ed_source_add(k, &c->source, EPOLLIN);
	if (!err)
		err = ed_source_add(k, &c->stream, 0);
	if (err)
		forget(c);
	return err;
}

/* The two ends of a stream: one for the kernel, one for the command */
static int start(struct erldist_keeper *k, const char *command, const int fd[2])
{
	struct ed_child child;
	int err;

	if (fcntl(fd[0], F_SETFL, O_NONBLOCK))
		return -errno;
	err = spawn(&child, command, fd[1]);
	if (err || !child.pid)
		return err;
	err = watch(k, &child, fd[0]);
	if (err) {
		ed_child_kill(&child);
		ed_child_wait(&child);
	}
	return err;
}

/* A stream that is connected by the command as soon as that has come so far, or -errno */
int ed_command_connect(struct erldist_keeper *k, const char *host, uint16_t port)
{
	char command[COMMAND_MAX];
	int fd[2], err;

	if (!ed_host_sane(host))
		return -ERLDIST_NO_SUCH_HOST;
	err = expand(command, sizeof(command), k->config.connect_with, host, port);
	if (err)
		return err;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd))
		return -errno;
	err = start(k, command, fd);
	close(fd[1]);
	if (err)
		close(fd[0]);
	return err ? err : fd[0];
}

/* Their streams end with the node: who does not end then is ended */
void ed_command_close(struct erldist_keeper *k)
{
	while (k->children) {
		ed_child_kill(&k->children->child);
		ed_child_wait(&k->children->child);
		forget(k->children);
	}
}
