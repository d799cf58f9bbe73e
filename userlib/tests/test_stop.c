// SPDX-License-Identifier: GPL-2.0-only
/* Waiting for descriptors or signals: neither is missed for the other. */
#include <unistd.h>

#include "../shared/stop.c"
#include "tap.h"

static void with(int fd, const char *what)
{
	hangup = 0;
	raise(SIGHUP);
	ok(!hangup_came(), "%s: a signal waits while something else is done", what);
	ok(!stop_wait(&fd, 1) && hangup_came(), "and is taken then");
	ok(!hangup_came(), "once");
}

int main(void)
{
	int fd[2];

	if (pipe(fd))
		return 1;
	stop_prepare();
	stop_take_hangup();
	with(fd[0], "nothing to read");
	ok(write(fd[1], "", 1) == 1, "something to read, all the time");
	with(fd[0], "as is a load");
	raise(SIGTERM);
	ok(!stop_wait(&fd[0], 1) && stop_asked(), "nor does that keep it from ending");
	return tap_end();
}
