/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _ERLDIST_SIGNAL_H
#define _ERLDIST_SIGNAL_H

#include "process.h"

/**
 * struct erldist_ask - what a process asks for
 * @from: the process
 * @port: the port it asks on, where answers come; or NULL
 * @dest: of whom; not used by DEMONITOR, ALIAS and UNALIAS
 * @peer: his node, unless that is the process's own
 * @sig: the rest
 */
struct erldist_ask {
	struct erldist_process *from;
	struct erldist_port *port;
	const struct erldist_dest *dest;
	struct erldist_peer *peer;
	const struct erldist_signal *sig;
};

struct erldist_process *erldist_ask_whom(const struct erldist_process *from,
					 const struct erldist_dest *dest);
bool erldist_ask_ref_valid(const struct erldist_ask *ask);
int erldist_ask_link(const struct erldist_ask *ask);
int erldist_ask_unlink(const struct erldist_ask *ask);
int erldist_ask_monitor(const struct erldist_ask *ask);
int erldist_ask_demonitor(const struct erldist_ask *ask);
int erldist_ask_alias(const struct erldist_ask *ask);
int erldist_ask_unalias(const struct erldist_ask *ask);
int erldist_ask_exit(struct erldist_process *from, struct erldist_process *to,
		     struct erldist_blob *reason, struct erldist_msg **told);

#endif /* _ERLDIST_SIGNAL_H */
