// SPDX-License-Identifier: GPL-2.0-only
/* A server that is ended: it is opened again, and the node hears of it only. */
#include <poll.h>
#include <sys/eventfd.h>

#include "../shared/serve_info.c"
#include "tap.h"

static struct {
	int opened, closed;
	int open_fails, dispatch_fails;
	int fd;
} seen;

int erldist_server_open(struct erldist_server **s, const char *node, unsigned int flags,
			const struct erldist_function *functions, unsigned int n)
{
	(void)node;
	(void)flags;
	(void)functions;
	(void)n;
	seen.opened++;
	*s = (struct erldist_server *)&seen;
	seen.fd = eventfd(0, EFD_CLOEXEC);
	return seen.open_fails;
}

void erldist_server_close(struct erldist_server *s)
{
	if (!s)
		return;
	seen.closed++;
	close(seen.fd);
}

int erldist_server_fd(const struct erldist_server *s)
{
	(void)s;
	return seen.fd;
}

int erldist_server_dispatch(struct erldist_server *s)
{
	(void)s;
	return seen.dispatch_fails;
}

const char *erldist_strerror(const void *handle, int err)
{
	(void)handle;
	return strerror(-err);
}

/* Has it work within the time? */
static bool ready(const struct serve_info *si, int ms)
{
	struct pollfd pfd = { .fd = serve_info_fd(si), .events = POLLIN };

	return poll(&pfd, 1, ms) == 1;
}

int main(void)
{
	struct serve_info *si;
	const char *text;
	int err;

	ok(!serve_info_open(&si, "svc@host") && seen.opened == 1, "a server");
	ok(!ready(si, 0) && !serve_info_dispatch(si), "has nothing to do");
	seen.dispatch_fails = -ECONNRESET;
	eventfd_write(seen.fd, 1);
	ok(ready(si, 0), "then something comes");
	text = serve_info_dispatch(si);
	ok(text && strstr(text, "opened again") && seen.closed == 1, "it is ended: %s", text);
	seen.dispatch_fails = 0;
	ok(!ready(si, 50) && !serve_info_dispatch(si) && seen.opened == 1,
	   "not opened again in the same second");
	seen.open_fails = -EADDRINUSE;
	ok(ready(si, 5000), "but in the next");
	text = serve_info_dispatch(si);
	ok(text && seen.opened == 2 && seen.closed == 2, "which fails: %s", text);
	seen.open_fails = 0;
	ok(ready(si, 5000) && !serve_info_dispatch(si) && seen.opened == 3, "and is tried again");
	ok(!ready(si, 0), "there is a server");
	serve_info_close(si);
	ok(seen.closed == 3, "which ends with the node");
	seen.open_fails = -EPERM;
	err = serve_info_open(&si, "svc@host");
	ok(err == -EPERM && *serve_info_error(si), "why there is none at first: %s",
	   serve_info_error(si));
	serve_info_close(si);
	return tap_end();
}
