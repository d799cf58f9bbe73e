// SPDX-License-Identifier: LGPL-2.1-or-later
/* erldist_format() and erldist_match(). */
#include <limits.h>
#include <string.h>

#include <erldist.h>

#include "internal.h"
#include "tap.h"

static struct erldist_term t = ERLDIST_TERM_INIT;

static void parse(const char *text)
{
	if (erldist_parse(&t, text, NULL))
		ok(false, "parse %s", text);
}

static void check_format(void)
{
	struct erldist_term u = ERLDIST_TERM_INIT;
	erlang_pid pid = { .node = "a@b", .num = 1, .serial = 2, .creation = 3 };
	erlang_ref ref = { .node = "a@b", .len = 3, .n = { 1, 2, 3 }, .creation = 4 };
	char *text;
	int err;

	err = erldist_format(&t, "{~i,~l,~u,~d,~a,~s,~B,~b,~p,~r}", -1, LONG_MAX, UINT64_MAX, 1.5,
			     "My Atom", "åb", "åb", "\x01\x02", (size_t)2, &pid, &ref);
	ok(!err, "format: %d", err);
	erldist_print(&text, t.term, t.len, ERLDIST_PRINT_CREATION);
	ok(!strcmp(text, "{-1,9223372036854775807,18446744073709551615,1.5,'My Atom',[229,98],"
			 "<<\"åb\"/utf8>>,<<1,2>>,<a@b.1.2.3>,#Ref<a@b.1.2.3/4>}"), "%s", text);
	free(text);
	ok(!erldist_format(&u, "#{k => ~t, [~t|~t] => x}", t.term, t.len, t.term, t.len, t.term,
			   t.len) && !erldist_check(u.term, u.len), "terms in terms");
	ok(!erldist_format(&u, "{~t}", "\x83\x61\x01", (size_t)3) && u.len == 4,
	   "the version byte of a part is left out");
	ok(erldist_format(&u, "{~t}", "\x61", (size_t)1) == -EINVAL, "a malformed part is refused");
	ok(erldist_format(&u, "{~z}", 1) == -EINVAL, "an unknown directive is refused");
	ok(erldist_format(&u, "~a", "\xff") == -EINVAL, "an atom that is no UTF-8 is refused");
	ok(erldist_format(&u, "~d", 0.0 / 0.0) == -EINVAL, "NaN is refused");
	erldist_term_free(&u);
}

static void check_numbers(void)
{
	uint64_t u;
	double d;
	long l;
	int i;

	parse("{2147483647,-2147483648,9223372036854775807,-9223372036854775808}");
	ok(!erldist_match(t.term, t.len, "{~i,_,~l,_}", &i, &l) && i == INT_MAX && l == LONG_MAX,
	   "largest integers");
	ok(!erldist_match(t.term, t.len, "{_,~i,_,~l}", &i, &l) && i == INT_MIN && l == LONG_MIN,
	   "smallest integers");
	ok(erldist_match(t.term, t.len, "{_,_,~i,_}", &i) == -ERANGE, "too large for an int");
	parse("9223372036854775808");
	ok(erldist_match(t.term, t.len, "~l", &l) == -ERANGE, "too large for a long");
	ok(!erldist_match(t.term, t.len, "~u", &u) && u == 1ULL << 63, "but not for a uint64_t");
	parse("-9223372036854775809");
	ok(erldist_match(t.term, t.len, "~l", &l) == -ERANGE, "too small for a long");
	ok(erldist_match(t.term, t.len, "~u", &u) == -ERANGE, "no unsigned number");
	parse("{1.5,3}");
	ok(!erldist_match(t.term, t.len, "{~d,_}", &d) && d == 1.5, "a float");
	ok(!erldist_match(t.term, t.len, "{_,~d}", &d) && d == 3.0, "an integer as a float");
	ok(erldist_match(t.term, t.len, "{~i,_}", &i) == -ENOMSG, "a float is no integer");
	parse("100000000000000000000");
	ok(erldist_match(t.term, t.len, "~l", &l) == -ERANGE, "a big integer");
	ok(!erldist_match(t.term, t.len, "100000000000000000000"), "equal big integers");
}

static void check_texts(void)
{
	struct erldist_slice s;
	char a[32], small[4];

	parse("{'My Atom',\"åb\",<<\"xyz\">>,\"日\"}");
	ok(!erldist_match(t.term, t.len, "{~a,_,_,_}", a, sizeof(a)) && !strcmp(a, "My Atom"),
	   "an atom");
	ok(erldist_match(t.term, t.len, "{~a,_,_,_}", small, sizeof(small)) == -ERANGE,
	   "an atom too long for its memory");
	ok(!erldist_match(t.term, t.len, "{_,~s,_,_}", a, sizeof(a)) && !strcmp(a, "åb"),
	   "a string");
	ok(!erldist_match(t.term, t.len, "{_,_,~s,~s}", a, sizeof(a), small, sizeof(small)) &&
	   !strcmp(a, "xyz") && !strcmp(small, "日"), "a binary as text, a list of characters");
	ok(!erldist_match(t.term, t.len, "{_,_,~b,_}", &s) && s.len == 3 &&
	   !memcmp(s.term, "xyz", 3), "a binary");
	ok(!erldist_match(t.term, t.len, "{'My Atom',\"åb\",<<\"xyz\">>,[26085]}"), "constants");
	ok(erldist_match(t.term, t.len, "{~s,_,_,_}", a, sizeof(a)) == -ENOMSG, "an atom is no text");
	parse("[]");
	ok(!erldist_match(t.term, t.len, "~s", a, sizeof(a)) && !*a, "the empty text");
	parse("[1|a]");
	ok(erldist_match(t.term, t.len, "~s", a, sizeof(a)) == -ENOMSG, "no text");
	parse("\"xyz\"");
	ok(erldist_match(t.term, t.len, "~s", a, (size_t)3) == -ERANGE &&
	   !erldist_match(t.term, t.len, "~s", a, (size_t)4), "memory for the NUL");
}

static void check_lists(void)
{
	struct erldist_slice s;
	int i, j;

	parse("[1,2,3]");
	ok(!erldist_match(t.term, t.len, "[~i,2,~i]", &i, &j) && i == 1 && j == 3, "a list");
	ok(!erldist_match(t.term, t.len, "[~i|_]", &i) && i == 1, "its head");
	ok(erldist_match(t.term, t.len, "[~i,_]", &i) == -ENOMSG, "a longer list");
	ok(erldist_match(t.term, t.len, "[_,_,_,_]") == -ENOMSG, "a shorter list");
	ok(!erldist_match(t.term, t.len, "[_,_,_|[]]"), "the tail of a proper list");
	ok(erldist_match(t.term, t.len, "[_|~t]", &s) == -EOPNOTSUPP, "a tail that is no term");
	ok(!erldist_match(t.term, t.len, "[_,_,_|~t]", &s) && s.len == 1, "a tail that is one");
	parse("\"abc\"");
	ok(!erldist_match(t.term, t.len, "[~i,~t|_]", &i, &s) && i == 97 && s.len == 2 &&
	   s.term[1] == 98, "the elements of a string");
	ok(!erldist_match(t.term, t.len, "\"abc\"") && !erldist_match(t.term, t.len, "[97,98,99]"),
	   "a string equals its list");
	parse("[alias|#Ref<a@b.1.2.3>]");
	ok(!erldist_match(t.term, t.len, "[alias|~t]", &s) && s.len > 4, "an alias");
	ok(erldist_match(t.term, t.len, "[alias]") == -ENOMSG, "an improper list is no proper one");
	parse("[]");
	ok(!erldist_match(t.term, t.len, "[]") && erldist_match(t.term, t.len, "[_]") == -ENOMSG,
	   "the empty list");
}

static void check_maps(void)
{
	struct erldist_slice s;
	int i;

	parse("#{a => 1, \"k\" => {x,2}, 3 => #{}}");
	ok(!erldist_match(t.term, t.len, "#{\"k\" => {x,~i}}", &i) && i == 2, "a key");
	ok(!erldist_match(t.term, t.len, "#{3 => #{}, a => 1}"), "keys in another order");
	ok(erldist_match(t.term, t.len, "#{b => _}") == -ENOMSG, "no such key");
	ok(erldist_match(t.term, t.len, "#{a => 2}") == -ENOMSG, "another value");
	ok(!erldist_match(t.term, t.len, "~t", &s) && s.len == t.len, "the whole");
	ok(!erldist_match(t.term, t.len, "#{}"), "any map");
	parse("{#{a => 1},x}");
	ok(!erldist_match(t.term, t.len, "{#{a => _},x}"), "what follows a map");
	parse("#{a => 1, b => 2, c => 3}");
	ok(erldist_match(t.term, t.len, "{}") == -ENOMSG &&
	   erldist_equal(t.term, t.len, t.term, t.len) == 1, "a map equals itself");
}

static void check_structure(void)
{
	erlang_pid pid;
	erlang_ref ref;
	int i;

	parse("{<a@b.1.2.3>,#Ref<a@b.1.2/4>}");
	ok(!erldist_match(t.term, t.len, "{~p,~r}", &pid, &ref) && pid.num == 1 &&
	   pid.serial == 2 && pid.creation == 3 && !strcmp(pid.node, "a@b") && ref.len == 2 &&
	   ref.creation == 4, "a pid and a reference");
	ok(!erldist_match(t.term, t.len, "{<a@b.1.2.3>,_}"), "a pid as a constant");
	ok(erldist_match(t.term, t.len, "{~r,_}", &ref) == -ENOMSG, "a pid is no reference");
	ok(erldist_match(t.term, t.len, "{_}") == -ENOMSG &&
	   erldist_match(t.term, t.len, "{_,_,_}") == -ENOMSG, "other arities");
	parse("{ok,5}");
	ok(!erldist_match(t.term, t.len, " { ok , ~i } ", &i) && i == 5, "white space");
	ok(erldist_match(t.term, t.len, "{error,_}") == -ENOMSG, "another atom");
	ok(erldist_match(t.term, t.len, "{ok,~i} x", &i) == -EINVAL, "something behind");
	ok(erldist_match(t.term, t.len, "{ok,~z}", &i) == -EINVAL, "an unknown directive");
	ok(erldist_match(t.term, t.len, "{ok,_") == -EINVAL, "an open brace");
	ok(erldist_match(t.term, t.len - 1, "{ok,_}") == -EBADMSG, "a truncated term");
	ok(erldist_match("\x83\x61\x01", 3, "1") == 0, "the version byte");
	parse("{}");
	ok(!erldist_match(t.term, t.len, "{}") && erldist_match(t.term, t.len, "{_}") == -ENOMSG,
	   "the empty tuple");
}

/* Lists that a peer may write otherwise than this library: of no elements, with a tail */
static void check_encodings(void)
{
	static const char none[] = "l\0\0\0\0l\0\0\0\0j", one[] = "l\0\0\0\1a\1k\0\0",
			  tail[] = "l\0\0\0\0a\5", text[] = "l\0\0\0\0k\0\2ab";
	char s[4];
	int i = 0;

	ok(!erldist_match(none, sizeof(none) - 1, "[]"), "no elements, twice");
	ok(!erldist_match(one, sizeof(one) - 1, "[1]") &&
	   erldist_match(one, sizeof(one) - 1, "[]") == -ENOMSG, "an empty string as the tail");
	ok(!erldist_match(tail, sizeof(tail) - 1, "~i", &i) && i == 5,
	   "a list of no elements is its tail");
	ok(!erldist_match(text, sizeof(text) - 1, "~s", s, sizeof(s)) && !strcmp(s, "ab"),
	   "which may be text");
}

/* [1|...], with a tail that is cut off, has none, and no empty one either */
static void check_cut_tail(void)
{
	static const char *const tails[] = { "k", "k\0\5a", "l\0\0", "l\0\0\0\7j" };
	static const size_t len[] = { 1, 4, 3, 6 };
	char term[16] = "l\0\0\0\1a\1";
	struct ed_reader r, *tail;
	struct ed_list l;
	size_t i;

	for (i = 0; i < sizeof(len) / sizeof(len[0]); i++) {
		memcpy(term + 7, tails[i], len[i]);
		ed_reader_init(&r, term, 7 + len[i]);
		ok(!ed_list_begin(&l, &r) && !ed_skip(ed_list_next(&l)) && !ed_list_next(&l),
		   "one element in front of tail %zu", i);
		tail = ed_list_tail(&l);
		ok(ed_skip(tail) == -EBADMSG, "which is malformed");
	}
}

/* ~i in LEVELS tuples */
static int match_deep(int levels, int *v)
{
	char pattern[256];
	int i;

	for (i = 0; i < levels; i++)
		pattern[i] = '{';
	memcpy(pattern + i, "7", 2);
	memset(pattern + i + 1, '}', (size_t)levels);
	pattern[i + 1 + levels] = 0;
	parse(pattern);
	memmove(pattern + i + 2, pattern + i + 1, (size_t)levels + 1);
	memcpy(pattern + i, "~i", 2);
	return erldist_match(t.term, t.len, pattern, v);
}

static void check_deep(void)
{
	int v = 0;

	ok(!match_deep(64, &v) && v == 7, "a directive 64 levels deep");
	ok(match_deep(65, &v) == -EINVAL, "not deeper");
}

int main(void)
{
	check_format();
	check_numbers();
	check_texts();
	check_lists();
	check_encodings();
	check_cut_tail();
	check_maps();
	check_structure();
	check_deep();
	erldist_term_free(&t);
	return tap_end();
}
