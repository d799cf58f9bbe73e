// SPDX-License-Identifier: LGPL-2.1-or-later
/* What a spawn request asks for: its options, and which function it means. */
#include <string.h>

#include "serve.h"

#define ARITY_MAX	1023	/* of apply/3 */
#define APPLIES_MAX	16	/* one in another: each takes the rest apart again */

static bool one_of(const char *word, const char *const *words, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (!strcmp(word, words[i]))
			return true;
	return false;
}

static bool is_size(struct ed_reader *r)
{
	uint64_t magnitude;
	bool negative;

	return ed_is_int(ed_peek(r)) && !ed_read_int(r, &negative, &magnitude) && !negative;
}

static bool is_list(struct ed_reader *r)
{
	struct ed_reader *item;
	struct ed_list l;

	if (ed_list_begin(&l, r))
		return false;
	while ((item = ed_list_next(&l)))
		if (ed_skip(item))
			return false;
	return ed_peek(ed_list_tail(&l)) == ERL_NIL_EXT;
}

static bool is_word(struct ed_reader *r, const char *const *words, size_t n)
{
	struct ed_atom a;

	return ed_is_atom(ed_peek(r)) && !ed_read_atom(r, &a) && one_of(a.s, words, n);
}

/*
 * {Name, Value}, as every release that is a peer knows it. What it is about, a
 * heap or a scheduler, a native process does not have.
 */
static bool pair_ok(const char *name, struct ed_reader *value)
{
	static const char *const sizes[] = {
		"min_heap_size", "min_bin_vheap_size", "fullsweep_after", "scheduler",
	};
	static const char *const priorities[] = { "low", "normal", "high", "max" };
	static const char *const queues[] = { "on_heap", "off_heap" };
	static const char *const bools[] = { "true", "false" };
	static const char *const replies[] = { "yes", "no", "error_only", "success_only" };

	if (one_of(name, sizes, ED_ARRAY_SIZE(sizes)))
		return is_size(value);
	if (!strcmp(name, "max_heap_size"))
		return ed_peek(value) == ERL_MAP_EXT || is_size(value);
	if (!strcmp(name, "priority"))
		return is_word(value, priorities, ED_ARRAY_SIZE(priorities));
	if (!strcmp(name, "message_queue_data"))
		return is_word(value, queues, ED_ARRAY_SIZE(queues));
	if (!strcmp(name, "async_dist"))
		return is_word(value, bools, ED_ARRAY_SIZE(bools));
	if (!strcmp(name, "reply"))
		return is_word(value, replies, ED_ARRAY_SIZE(replies));
	if (!strcmp(name, "monitor") || !strcmp(name, "link"))
		return is_list(value);
	return !strcmp(name, "reply_tag");
}

static bool option_ok(const struct erldist_slice *s)
{
	char name[ERLDIST_ATOM_SIZE];
	struct erldist_slice value;
	struct ed_reader r;

	if (!erldist_match(s->term, s->len, "~a", name, sizeof(name)))
		return !strcmp(name, "link") || !strcmp(name, "monitor");
	if (erldist_match(s->term, s->len, "{~a,~t}", name, sizeof(name), &value))
		return false;
	ed_reader_init(&r, value.term, value.len);
	return pair_ok(name, &r);
}

/* Whether a BEAM would take these options of a spawn request; else it is badopt */
bool ed_spawn_options_ok(const struct erldist_slice *options)
{
	struct ed_reader r, *item;
	struct erldist_slice one;
	struct ed_list l;

	ed_reader_init(&r, options->term, options->len);
	if (ed_list_begin(&l, &r))
		return false;
	while ((item = ed_list_next(&l)))
		if (ed_read_slice(item, &one) || !option_ok(&one))
			return false;
	return ed_peek(ed_list_tail(&l)) == ERL_NIL_EXT;
}

static bool is_atom(const struct erldist_slice *s, const char *name)
{
	struct ed_reader r;

	ed_reader_init(&r, s->term, s->len);
	return ed_read_this_atom(&r, name);
}

static int list_length(const struct erldist_slice *s, unsigned int *n)
{
	struct ed_reader r, *item;
	struct ed_list l;

	*n = 0;
	ed_reader_init(&r, s->term, s->len);
	if (ed_list_begin(&l, &r))
		return -EINVAL;
	while ((item = ed_list_next(&l))) {
		if (ed_skip(item))
			return -EINVAL;
		++*n;
	}
	return ed_peek(ed_list_tail(&l)) == ERL_NIL_EXT ? 0 : -EINVAL;
}

static bool is_any_atom(const struct erldist_slice *s)
{
	struct ed_reader r;

	ed_reader_init(&r, s->term, s->len);
	return ed_is_atom(ed_peek(&r));
}

/* fun m:f/1 names a function; any other fun is code, which only a BEAM can run */
static int from_fun(struct asked *a, const struct erldist_slice *fun)
{
	struct ed_reader r;
	uint8_t tag;

	ed_reader_init(&r, fun->term, fun->len);
	if (ed_peek(&r) == ERL_NEW_FUN_EXT || ed_peek(&r) == ERL_FUN_EXT)
		return -EOPNOTSUPP;
	if (ed_read_u8(&r, &tag) || tag != ERL_EXPORT_EXT ||
	    ed_read_slice(&r, &a->module) || ed_read_slice(&r, &a->function))
		return -EINVAL;
	return 0;
}

/* With three arguments, M, F and A, in place of what it is */
static int from_mfa(struct asked *a)
{
	struct asked b = *a;

	if (erldist_match(a->args.term, a->args.len, "[~t,~t,~t]", &b.module, &b.function,
			  &b.args))
		return -ENOENT;
	*a = b;
	return 0;
}

/* erlang:apply/3, and apply/2 of a fun, are the function that they apply */
static int unwrap(struct asked *a)
{
	const struct erldist_slice args = a->args;
	struct erldist_slice fun, list;

	if (!is_atom(&a->module, "erlang") || !is_atom(&a->function, "apply"))
		return -ENOENT;
	if (!from_mfa(a))
		return 0;
	if (erldist_match(args.term, args.len, "[~t,~t]", &fun, &list))
		return -ENOENT;
	a->args = list;
	return from_fun(a, &fun);
}

/*
 * The function that is meant, and how many arguments it has. -EINVAL: apply/3
 * would fail with badarg; -E2BIG: with system_limit, as do too many in each
 * other; -EOPNOTSUPP: it is a fun.
 */
int ed_asked_resolve(struct asked *a)
{
	int i, err = 0;

	for (i = 0; !err && i <= APPLIES_MAX; i++) {
		if (!is_any_atom(&a->module) || !is_any_atom(&a->function) ||
		    list_length(&a->args, &a->arity))
			return -EINVAL;
		err = unwrap(a);
	}
	if (err != -ENOENT)
		return err ? err : -E2BIG;
	return a->arity <= ARITY_MAX ? 0 : -E2BIG;
}

/* {Res, M, F, A} of erpc:call/4 */
static int from_erpc(struct asked *a)
{
	struct asked b = *a;

	if (erldist_match(a->args.term, a->args.len, "[~t,~t,~t,~t]", &b.mark, &b.module,
			  &b.function, &b.args))
		return -ENOENT;
	b.door = DOOR_ERPC;
	*a = b;
	return 0;
}

/* As ed_asked_resolve(); what erpc has spawned is the function that it executes */
int ed_asked_spawn(struct asked *a)
{
	if (is_atom(&a->module, "erpc") && is_atom(&a->function, "execute_call") &&
	    from_erpc(a))
		from_mfa(a);
	else if (is_atom(&a->module, "erpc") && is_atom(&a->function, "execute_cast"))
		from_mfa(a);
	return ed_asked_resolve(a);
}
