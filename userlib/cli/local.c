// SPDX-License-Identifier: GPL-2.0-only
/* Acting in a local node: a process of ours there. */
#include "cli.h"

int local_open(struct cli *c, struct erldist **p, const char *name)
{
	int err = erldist_open(p, name, c->node);

	if (err)
		complain("%s", erldist_strerror(*p, err));
	return err;
}
