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
	{ EOVERFLOW, "the term is nested too deeply" },
	{ ENETDOWN, "the local node is gone" },
	{ EPIPE, "the process has ended" },
	{ ECONNRESET, "the process was ended by an exit signal" },
	{ ETIMEDOUT, "no answer in time" },
};

const char *ed_errno_text(int err)
{
	static _Thread_local char other[64];
	size_t i;

	if (err < 0)
		err = -err;
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

int ed_fail(struct ed_error *e, int err, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return err;
	e->err = err;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	return err;
}

const char *erldist_strerror(const void *handle, int err)
{
	const struct ed_error *e = handle;

	if (err >= 0)
		return "success";
	if (e && e->err == err && e->text[0])
		return e->text;
	return ed_errno_text(err);
}
