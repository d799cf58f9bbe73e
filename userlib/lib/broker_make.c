// SPDX-License-Identifier: LGPL-2.1-or-later
/* What a broker hands out: a process that nobody owns yet. */
#include <stdio.h>
#include <sys/socket.h>

#include "broker.h"

/* Its descriptor. It has no name: who may have which is for the kernel to judge, of the asker */
int ed_broker_make(struct ed_error *e, const char *node, erlang_pid *self)
{
	const int32_t none = ERLDIST_OWNER_NONE;
	struct erldist *p;
	int err, fd = -1;

	err = erldist_open(&p, NULL, node, 0);
	if (!err && setsockopt(p->fd, SOL_ERLDIST, ERLDIST_OWNER, &none, sizeof(none)))
		err = -errno;
	if (err) {
		ed_fail(e, err, "%s", erldist_strerror(p, err));
	} else {
		*self = p->self;
		fd = p->fd;
		p->fd = -1;
	}
	erldist_close(p);
	return err ? err : fd;
}
