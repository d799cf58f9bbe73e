// SPDX-License-Identifier: LGPL-2.1-or-later
/* What a process asks of others besides messages: links, monitors, exits, aliases. */
#include "internal.h"

static int ask(struct erldist *p, int op, const struct erldist_slice *dest, uint64_t ref,
	       unsigned int flags, uint64_t user_data)
{
	struct ed_out out = {
		.fd = p->fd,
		.signal = {
			.op = (__u16)op, .flags = (__u16)flags, .ref = ref,
			.user_data = user_data,
		},
	};

	if (dest)
		out.dest = *dest;
	return ed_send(p, &out);
}

static int ask_pid(struct erldist *p, int op, const erlang_pid *pid)
{
	struct erldist_term t = ERLDIST_TERM_INIT;
	struct erldist_slice to;
	int err = ed_put_pid(&t, pid);

	if (!err) {
		to.term = t.term;
		to.len = t.len;
		err = ask(p, op, &to, 0, 0, 0);
	}
	erldist_term_free(&t);
	return err;
}

int erldist_link(struct erldist *p, const erlang_pid *pid)
{
	return ask_pid(p, ERLDIST_SIG_LINK, pid);
}

int erldist_unlink(struct erldist *p, const erlang_pid *pid)
{
	return ask_pid(p, ERLDIST_SIG_UNLINK, pid);
}

int erldist_monitor_term(struct erldist *p, const void *dest, size_t dest_len, erlang_ref *ref,
			 uint64_t user_data, unsigned int flags)
{
	struct erldist_slice to = ed_slice(dest, dest_len);
	uint64_t number;
	int err = ed_ref_next(p, &number);

	if (!err)
		err = ask(p, ERLDIST_SIG_MONITOR, &to, number, flags, user_data);
	if (!err && ref)
		ed_ref_make(p, number, ref);
	return err;
}

int erldist_monitor(struct erldist *p, const char *dest, erlang_ref *ref, uint64_t user_data)
{
	struct erldist_term to = ERLDIST_TERM_INIT;
	int err = ed_destination(p, &to, dest);

	if (!err)
		err = erldist_monitor_term(p, to.term, to.len, ref, user_data, 0);
	erldist_term_free(&to);
	return err;
}

static int ask_ref(struct erldist *p, int op, const erlang_ref *ref, unsigned int flags)
{
	uint64_t number;
	int err = ed_ref_number(p, ref, &number);

	return err ? err : ask(p, op, NULL, number, flags, 0);
}

int erldist_demonitor(struct erldist *p, const erlang_ref *ref, unsigned int flags)
{
	return ask_ref(p, ERLDIST_SIG_DEMONITOR, ref, flags);
}

int erldist_alias(struct erldist *p, erlang_ref *ref, uint64_t user_data, unsigned int flags)
{
	uint64_t number;
	int err = ed_ref_next(p, &number);

	if (!err)
		err = ask(p, ERLDIST_SIG_ALIAS, NULL, number, flags, user_data);
	if (!err)
		ed_ref_make(p, number, ref);
	return err;
}

int erldist_unalias(struct erldist *p, const erlang_ref *ref)
{
	return ask_ref(p, ERLDIST_SIG_UNALIAS, ref, 0);
}

int erldist_exit(struct erldist *p, const erlang_pid *pid, const void *reason, size_t len)
{
	struct erldist_slice s = ed_slice(reason, len);
	struct ed_out out = {
		.fd = p->fd, .pieces = &s, .n = 1, .signal = { .op = ERLDIST_SIG_EXIT },
	};
	struct erldist_term t = ERLDIST_TERM_INIT;
	int err = ed_put_pid(&t, pid ? pid : &p->self);

	if (!err) {
		out.dest.term = t.term;
		out.dest.len = t.len;
		err = ed_send(p, &out);
	}
	erldist_term_free(&t);
	return err;
}

int erldist_exitf(struct erldist *p, const erlang_pid *pid, const char *fmt, ...)
{
	struct erldist_term reason = ERLDIST_TERM_INIT;
	va_list args;
	int err;

	va_start(args, fmt);
	err = ed_vformat(&reason, fmt, args);
	va_end(args);
	if (err)
		ed_fail(&p->error, err, "the reason \"%s\": %s", fmt, ed_errno_text(err));
	else
		err = erldist_exit(p, pid, reason.term, reason.len);
	erldist_term_free(&reason);
	return err;
}
