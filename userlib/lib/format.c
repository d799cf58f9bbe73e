// SPDX-License-Identifier: LGPL-2.1-or-later
/* The directives of erldist_format(). */
#include <string.h>

#include "internal.h"

static int put_atom(struct erldist_term *t, const char *s)
{
	return s ? ed_put_atom(t, s, strlen(s)) : -EINVAL;
}

static int put_binary(struct erldist_term *t, va_list *args)
{
	const void *bytes = va_arg(*args, const void *);
	size_t n = va_arg(*args, size_t);

	return ed_put_binary(t, bytes, n);
}

static int put_term(struct erldist_term *t, va_list *args)
{
	const void *term = va_arg(*args, const void *);
	size_t len = va_arg(*args, size_t);

	return ed_put_term(t, term, len);
}

int ed_format_directive(struct ed_parser *ps, struct erldist_term *t)
{
	const char *s;

	ps->p += 2;
	switch (ps->p[-1]) {
	case 'i':
		return ed_put_int(t, va_arg(*ps->args, int));
	case 'l':
		return ed_put_int(t, va_arg(*ps->args, long));
	case 'u':
		return ed_put_uint(t, va_arg(*ps->args, uint64_t));
	case 'd':
		return ed_put_float(t, va_arg(*ps->args, double));
	case 'a':
		return put_atom(t, va_arg(*ps->args, const char *));
	case 's':
		s = va_arg(*ps->args, const char *);
		return s ? ed_put_string(t, s, strlen(s)) : -EINVAL;
	case 'B':
		s = va_arg(*ps->args, const char *);
		return s ? ed_put_binary(t, s, strlen(s)) : -EINVAL;
	case 'b':
		return put_binary(t, ps->args);
	case 'p':
		return ed_put_pid(t, va_arg(*ps->args, const erlang_pid *));
	case 'r':
		return ed_put_ref(t, va_arg(*ps->args, const erlang_ref *));
	case 't':
		return put_term(t, ps->args);
	default:
		ps->p--;
		return ed_syntax(ps, "unknown directive");
	}
}
