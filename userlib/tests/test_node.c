// SPDX-License-Identifier: LGPL-2.1-or-later
/* What a node is set to, by a kernel that is here: an option after the other. */
#include <string.h>

#include "keeper.h"
#include "tap.h"

/* As the kernel has it: 0 becomes the default where that is said in its header */
static struct {
	struct node_settings now;
	int refuse;	/* an option */
} kernel;

static void *place(int option)
{
	switch (option) {
	case ERLDIST_MODE:
		return &kernel.now.mode;
	case ERLDIST_TICKTIME:
		return &kernel.now.tick;
	case ERLDIST_LIMITS:
		return &kernel.now.limits;
	case ERLDIST_ADMIT:
		return &kernel.now.admit;
	default:
		return NULL;
	}
}

int setsockopt(int fd, int level, int option, const void *value, socklen_t len)
{
	(void)fd;
	(void)level;
	if (option == kernel.refuse || !place(option)) {
		errno = ENOMEM;
		return -1;
	}
	memcpy(place(option), value, len);
	if (!kernel.now.tick.ticktime)
		kernel.now.tick.ticktime = 60000;
	if (!kernel.now.tick.setup)
		kernel.now.tick.setup = 7000;
	if (!kernel.now.limits.handshakes)
		kernel.now.limits.handshakes = 64;
	return 0;
}

int getsockopt(int fd, int level, int option, void *restrict value, socklen_t *restrict len)
{
	(void)fd;
	(void)level;
	memcpy(value, place(option), *len);
	return 0;
}

static void begin(void)
{
	memset(&kernel, 0, sizeof(kernel));
	kernel.now.mode = 0600;
	kernel.now.tick = (struct erldist_ticktime){ 60000, 4, 7000, 1000 };
	kernel.now.limits.handshakes = 64;
	kernel.now.limits.peers = 1024;
}

static bool is(uint32_t mode, uint32_t ticktime, uint32_t handshakes, uint32_t admit)
{
	const struct node_settings *s = &kernel.now;

	return s->mode == mode && s->tick.ticktime == ticktime && s->tick.setup == 7000 &&
	       s->limits.handshakes == handshakes && s->limits.peers == 1024 && s->admit == admit;
}

static void check_refused(int option, const char *what)
{
	struct erldist_keeper_options o = ERLDIST_KEEPER_OPTIONS_INIT;
	struct erldist_keeper k = { .node_source.fd = -1 };
	int err;

	begin();
	o.mode = 0666;
	o.ticktime = 8;
	o.handshakes = 3;
	o.options = ERLDIST_KEEPER_ASK;
	kernel.refuse = option;
	err = ed_node_change(&k, &o);
	ok(err == -ENOMEM && is(0600, 60000, 64, 0), "%s refused: nothing is changed: %s", what,
	   k.error.text);
}

int main(void)
{
	struct erldist_keeper_options o = ERLDIST_KEEPER_OPTIONS_INIT;
	struct erldist_keeper k = { .node_source.fd = -1 };

	begin();
	o.mode = 0666;
	o.ticktime = 8;
	o.handshakes = 3;
	o.options = ERLDIST_KEEPER_ASK;
	ok(!ed_node_change(&k, &o) && is(0666, 8000, 3, 1), "options are set");
	ok(k.setup == 7000, "what the kernel's patience is, is known");
	memset(&o, 0, sizeof(o));
	ok(!ed_node_change(&k, &o) && is(0600, 60000, 64, 0), "none given: the kernel's defaults");
	o.setuptime = 30;
	ok(!ed_node_change(&k, &o) && kernel.now.tick.setup == 30000 && k.setup == 30000,
	   "another patience, of the kernel and of ours");
	o.setuptime = 0;
	ok(!ed_node_change(&k, &o) && is(0600, 60000, 64, 0) && k.setup == 7000, "and back");
	o.ticktime = UINT32_MAX;
	ok(ed_node_change(&k, &o) == -EINVAL && is(0600, 60000, 64, 0), "too long a ticktime");
	check_refused(ERLDIST_MODE, "the mode");
	check_refused(ERLDIST_TICKTIME, "the ticktime");
	check_refused(ERLDIST_LIMITS, "a limit");
	check_refused(ERLDIST_ADMIT, "asking");
	return tap_end();
}
