/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a broker and who asks it say to each other, on one machine and over a
 * SOCK_SEQPACKET socket: who connects has asked. The answer is one packet, with
 * the process's socket in SCM_RIGHTS if error is 0, else with a sentence behind.
 * Who has taken it closes.
 */
#ifndef ERLDIST_BROKER_H
#define ERLDIST_BROKER_H

#include <sys/socket.h>
#include <sys/un.h>

#include "internal.h"

#define ED_BROKER_MAGIC		0x45444831	/* "EDH1" */
#define ED_BROKER_TEXT		512
#define ED_BROKER_WAIT_MS	5000	/* for the other side to do its part */

struct ed_broker_answer {
	uint32_t magic;
	int32_t error;			/* a negative errno, or 0 */
	char text[ED_BROKER_TEXT];	/* ends with the packet */
};

#define ED_BROKER_HEAD		offsetof(struct ed_broker_answer, text)

union ed_broker_control {
	char bytes[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

/* broker_make.c */
int ed_broker_make(struct ed_error *e, const char *node, erlang_pid *self);

/* broker_ask.c */
int ed_broker_address(struct ed_error *e, struct sockaddr_un *sa, const char *path);

#endif /* ERLDIST_BROKER_H */
