// SPDX-License-Identifier: LGPL-2.1-or-later
/* Errors: numbers for programs, sentences for people. */
#include <stdio.h>
#include <string.h>

#include "internal.h"

static const struct {
	int err;
	const char *text;
} texts[] = {
	{ EAFNOSUPPORT, "the kernel module erldist is not loaded (modprobe erldist)" },
	{ EADDRNOTAVAIL, "no such node here" },
	{ EADDRINUSE, "the name is taken" },
	{ EPERM, "not permitted; it needs CAP_NET_ADMIN" },
	{ EKEYREJECTED, "the cookie was refused" },
	{ ENOKEY, "no cookie" },
	{ EDESTADDRREQ, "no destination" },
	{ ENOMSG, "the term does not match" },
	{ EBADMSG, "malformed term" },
	{ EOVERFLOW, "the address is too long" },
	{ ENETDOWN, "the local node is gone" },
	{ EPIPE, "the process has ended" },
	{ ECONNRESET, "the process was ended by an exit signal" },
	{ ECANCELED, "the process has ended itself" },
	{ EOWNERDEAD, "the process has ended with its owner" },
	{ ESRCH, "no such process" },
	{ EREMOTEIO, "the other process ended, or failed, with a reason of its own" },
	{ ETIMEDOUT, "no answer in time" },
};

const char *ed_errno_text(int err)
{
	static _Thread_local char other[64];
	size_t i;

	/* the least int has no negative */
	err = (int)(err < 0 ? 0u - (unsigned int)err : (unsigned int)err);
	for (i = 0; i < ED_ARRAY_SIZE(texts); i++)
		if (texts[i].err == err)
			return texts[i].text;
	/* the POSIX and the GNU function differ in what they return */
#if defined(__GLIBC__) && defined(_GNU_SOURCE)
	return strerror_r(err, other, sizeof(other));
#else
	return strerror_r(err, other, sizeof(other)) ? "unknown error" : other;
#endif
}

/* Of handles that threads share: the last error of this thread */
static _Thread_local struct ed_error mine;

/* Whose connection may be why. To ask takes a while, so it waits until somebody wonders */
static _Thread_local struct {
	char node[ED_NODE_SIZE];
	char peer[ED_NODE_SIZE];	/* empty: nobody's */
	int within_ms;			/* how long the call had; 0: not known */
} suspect;

void ed_suspect(const char *node, const char *peer)
{
	snprintf(suspect.node, sizeof(suspect.node), "%s", node);
	snprintf(suspect.peer, sizeof(suspect.peer), "%s", peer);
	suspect.within_ms = 0;
}

/* A time-out of its caller's, not the kernel's */
void ed_suspect_within(int ms)
{
	suspect.within_ms = ms;
}

int ed_fail(struct ed_error *e, int err, const char *fmt, ...)
{
	char text[sizeof(e->text)];
	va_list ap;

	if (!e)
		return err;
	if (e->shared_by) {
		mine.shared_by = e->shared_by;
		suspect.peer[0] = 0;
		e = &mine;
	}
	e->err = err;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ed_utf8_escape(e->text, sizeof(e->text), text);
	return err;
}

static void explain_suspect(void)
{
	char node[ED_NODE_SIZE], peer[ED_NODE_SIZE];

	memcpy(node, suspect.node, sizeof(node));
	memcpy(peer, suspect.peer, sizeof(peer));
	suspect.peer[0] = 0;
	ed_explain_peer(&mine, node, peer, suspect.within_ms);
}

const char *erldist_strerror(const void *handle, int err)
{
	const struct ed_error *e = handle;

	if (err >= 0)
		return "success";
	if (e && e->shared_by)
		e = mine.shared_by == e->shared_by ? &mine : NULL;
	if (!e || e->err != err || !e->text[0])
		return ed_errno_text(err);
	if (e == &mine && suspect.peer[0])
		explain_suspect();
	return e->text;
}
