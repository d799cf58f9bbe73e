// SPDX-License-Identifier: LGPL-2.1-or-later
/* Text to term and back. */
#include <limits.h>
#include <locale.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include <erldist.h>

#include "tap.h"

/* Written back as they are */
static const char *const same[] = {
	"0", "255", "256", "-1", "-128", "2147483647", "-2147483648", "2147483648",
	"4294967296", "9223372036854775807", "-9223372036854775808", "18446744073709551615",
	"18446744073709551616", "-18446744073709551616",
	"123456789012345678901234567890123456789012345678901234567890",
	"-100000000000000000000000000000000000000000",
	"0.0", "-0.0", "1.0", "-2.5", "3.14159", "1.0e300", "1.0e-300", "0.1", "1.0e20", "1.0e-5", "1.5e-7", "0.0001", "123456789012345.6", "1.0e16",
	"1.7976931348623157e308", "5.0e-324", "0.30000000000000004",
	"a", "abc_Def@1", "'Abc'", "''", "'hello world'", "'it\\'s'", "'back\\\\slash'",
	"'tab\\t'", "'\\x{1}'", "'end'", "'if'", "'åäö'", "'日本'", "'🙂'", "'_x'", "'1a'",
	"'fun'", "'\\x{202E}'",
	"[]", "[1,2,3]", "[a|b]", "[1,2|c]", "[[],[[]]]", "[alias|x]", "[[alias|x]|y]",
	"{}", "{a}", "{a,{b,[c]}}",
	"#{}", "#{a => 1}", "#{{x,1} => [y],[] => b}",
	"<<>>", "<<\"abc\">>", "<<1,2,3>>", "<<255>>", "<<\"tab\\tnew\\nline\">>",
	"<<\"åäö\"/utf8>>", "<<\"q\\\"uote\">>", "<<0>>", "<<5:3>>", "<<1,2,1:1>>",
	"<svc@host.12.0>", "<svc@host.4294967295.4294967295>", "<svc@host.example.org.12.0>",
	"<svc@192.0.2.1.12.0>", "<svc@192.0.2.1.example.org.12.0>",
	"#Ref<svc@192.0.2.1.example.org.1.2.3>", "<'a b@host'.12.0>", "<'svc@host.1'.12.0>", "<a-b_c@x-y.1.2>",
	"<'svc'.1.2>", "<''.1.2>", "<'a>b@c'.1.2>",
	"#Ref<svc@host.1>", "#Ref<svc@host.1.2.3>", "#Ref<svc@10.0.0.1.1.2.3.4.5>",
	"fun erlang:apply/2", "fun 'My.Mod':'x y'/0",
	"{<a@b.1.2>,#Ref<a@b.1.2.3>,[<<1:1>>,1.5,-3]}",
};

static const struct {
	const char *in, *out;
} other[] = {
	{ " { a , b } . ", "{a,b}" },
	{ "\"abc\"", "[97,98,99]" },
	{ "\"a\" \"b\"", "[97,98]" },
	{ "\"\"", "[]" },
	{ "\"åß\"", "[229,223]" },
	{ "\"日\"", "[26085]" },
	{ "$a", "97" }, { "$\\n", "10" }, { "$ ", "32" }, { "-$a", "-97" },
	{ "16#fF", "255" }, { "2#1010", "10" }, { "36#Z", "35" }, { "-16#10", "-16" },
	{ "1_000_000", "1000000" }, { "+5", "5" },
	{ "16#123456789abcdef0123456789", "90144042682896311822508713865" },
	{ "1.0e3", "1000.0" }, { "1.5E-2", "0.015" }, { "1_0.2_5", "10.25" },
	{ "<<\"\">>", "<<>>" }, { "<<1:16>>", "<<0,1>>" }, { "<<-1:16>>", "<<255,255>>" }, { "<<-256:12>>", "<<240,0:4>>" },
	{ "<<\"å\">>", "<<229>>" }, { "<<1,\"ab\",2>>", "<<1,97,98,2>>" },
	{ "<<300>>", "<<\",\">>" }, { "<<1:3,2:5>>", "<<\"\\\"\">>" }, { "<<1:1,\"a\">>", "<<176,1:1>>" },
	{ "<<16#123456789abcdef01234:80>>", "<<18,52,86,120,154,188,222,240,18,52>>" },
	{ "<svc@host.12.0.77>", "<svc@host.12.0>" },
	{ "<svc@10.0.0.1.12.0.77>", "<svc@10.0.0.1.12.0>" },
	{ "#Ref<svc@host.1.2.3/77>", "#Ref<svc@host.1.2.3>" },
	{ "'\\x{e5}'", "'å'" }, { "'\\xe5'", "'å'" }, { "'\\101'", "'A'" }, { "'\\^A'", "'\\x{1}'" },
	{ "% comment {a,\n{a,% more\n b}", "{a,b}" },
	{ "[a|[b|[c]]]", "[a,b,c]" }, { "[a|\"bc\"]", "[a,98,99]" }, { "[a|[b|c]]", "[a,b|c]" },
	{ "{\t}", "{}" }, { "#{ }", "#{}" }, { "<< >>", "<<>>" }, { "[ ]", "[]" },
	{ "fun  lists : map / 2", "fun lists:map/2" }, { "fun a:b/1.", "fun a:b/1" },
};

#define TEN(s)		s s s s s s s s s s
#define LONG_NODE	"a@" TEN(TEN("aa")) TEN("aaaaaa")	/* of 262 characters */

static const char *const bad[] = {
	"", " ", "{", "{a", "{a,", "{a,}", "[a", "[a|", "[|a]", "[a|b,c]", "[a,]", "#{a}",
	"#{a => 1", "#{a => 1,}", "#{a => 1, a => 2}", "#{1 => a, 16#1 => b}", "\"abc",
	"'abc", "Abc", "_", "a b", "1 2", "<<", "<<1", "<<a>>", "<<1,>>", "<<1.5>>", "<<\"日\">>",
	"16#", "37#1", "1#0", "1.5e999", "<0.12.0>", "#PID<0.12.0>", "<svc@host.12>",
	"<svc@host.12.0.1.2>", "<svc.12.0>", "#Ref<svc@host>", "#Ref<svc@host.1.2.3.4.5.6>",
	"#Fun<m.1.2>", "#Port<a@b.1>", "fun x", "fun a:b/300", "fun a:b", "fun a:b/1.5",
	"fun a:b/1_0", "fun a:b/16#1", "fun fun a:b/1:c/2", "fun 1:b/1", "fun a:b/-1", "\xff", "\"\xff\"",
	"'\\x{110000}'", "'\\x{d800}'", "~i", "=", "a.b", "<svc@host.4294967296.0>",
	"'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	"aaaaaaaaaaaaaaaaaaa'",
	"<a@\xe0\x90\x91.12.0>", "#{<a@\xff.12.0> => 1}", "#Ref<a@\xc3.12>",
	"<'" LONG_NODE "'.12.0>", "<" LONG_NODE ".12.0>", "#Ref<" LONG_NODE ".12>",
};

static void check_text(const char *in, const char *want)
{
	struct erldist_term t = ERLDIST_TERM_INIT, again = ERLDIST_TERM_INIT;
	struct erldist_parse_options o = { .what = "" };
	char *text = NULL, *full = NULL;
	int err = erldist_parse(&t, in, &o);

	if (err) {
		ok(false, "%s: %s at %zu", in, o.what, o.offset);
		return;
	}
	ok(!erldist_check(t.term, t.len), "%s: well formed", in);
	err = (int)erldist_print(&text, t.term, t.len, 0);
	ok(err >= 0 && !strcmp(text, want), "%s is written %s", in, text ? text : "(error)");
	err = (int)erldist_print(&full, t.term, t.len, ERLDIST_PRINT_CREATION);
	ok(err >= 0 && !erldist_parse(&again, full, NULL) &&
	   erldist_equal(t.term, t.len, again.term, again.len) == 1,
	   "%s reads back from %s", in, full ? full : "(error)");
	free(text);
	free(full);
	erldist_term_free(&t);
	erldist_term_free(&again);
}

/* Lists of characters as people read them: the text is the one that was read */
static void check_string(const char *in, const char *want)
{
	struct erldist_term t = ERLDIST_TERM_INIT, again = ERLDIST_TERM_INIT;
	char *text = NULL;
	bool good;

	good = !erldist_parse(&t, in, NULL) &&
	       erldist_print(&text, t.term, t.len, ERLDIST_PRINT_STRINGS) >= 0 &&
	       !strcmp(text, want) && !erldist_parse(&again, text, NULL) &&
	       erldist_equal(t.term, t.len, again.term, again.len) == 1;
	ok(good, "%s is written %s", in, text ? text : "(error)");
	free(text);
	erldist_term_free(&t);
	erldist_term_free(&again);
}

static void check_strings(void)
{
	check_string("\"hi there\"", "\"hi there\"");
	check_string("[104,105]", "[104,105]");
	check_string("{file,\"a\\\\b\\\"c\\n\"}", "{file,\"a\\\\b\\\"c\\n\"}");
	check_string("\"\xc3\xa4\xc3\x9f\"", "\"\xc3\xa4\xc3\x9f\"");
	check_string("\"\\x01\\x02\"", "[1,2]");
	check_string("[1,2,3]", "[1,2,3]");
	check_string("[104,0]", "[104,0]");
	check_string("[104,128]", "[104,128]");
	check_string("[]", "[]");
	check_string("[104,256]", "[104,256]");
	check_string("#{\"k\" => [\"v\"]}", "#{\"k\" => [\"v\"]}");
}

static void check_bad(const char *in)
{
	struct erldist_term t = ERLDIST_TERM_INIT;
	struct erldist_parse_options o = { .what = NULL };
	int err = erldist_parse(&t, in, &o);

	ok(err == -EINVAL && o.what && o.offset <= strlen(in), "refused: %.40s: %s", in,
	   o.what ? o.what : "");
	erldist_term_free(&t);
}

static int creation(void *user, const char *node, uint32_t *c)
{
	*c = *(uint32_t *)user;
	return strcmp(node, "svc@host") ? -ENOENT : 0;
}

static void check_creations(void)
{
	struct erldist_term t = ERLDIST_TERM_INIT;
	uint32_t c = 4711;
	struct erldist_parse_options o = { .creation = creation, .user = &c };
	char *text;

	erldist_parse(&t, "[<svc@host.1.2>,#Ref<svc@host.1.2>,<svc@host.1.2.9>]", &o);
	erldist_print(&text, t.term, t.len, ERLDIST_PRINT_CREATION);
	ok(!strcmp(text, "[<svc@host.1.2.4711>,#Ref<svc@host.1.2/4711>,<svc@host.1.2.9>]"),
	   "creations: %s", text);
	free(text);
	ok(erldist_parse(&t, "<x@host.1.2>", &o) == -ENOENT, "unknown creation: %s", o.what);
	erldist_term_free(&t);
}

/* Every prefix of a term, and every byte of it changed, must be survived */
static void check_damage(void)
{
	static const char text[] =
		"{a,[1,-2,3.5|<<1,2:3>>],#{\"k\" => 12345678901234567890,<<\"b\">> => <a@b.1.2>},"
		"#Ref<a@b.1.2.3>,fun a:b/1,'日本',\"string\"}";
	struct erldist_term t = ERLDIST_TERM_INIT;
	bool survived = true;
	char *out, *copy;
	size_t i;
	int b;

	erldist_parse(&t, text, NULL);
	for (i = 0; i < t.len; i++) {
		copy = malloc(i ? i : 1);	/* exactly, for the sanitizer */
		memcpy(copy, t.term, i);
		survived &= erldist_print(&out, copy, i, 0) == -EBADMSG;
		survived &= erldist_check(copy, i) == -EBADMSG;
		survived &= erldist_match(copy, i, "{a,[_|_],_,_,_,_,_}") != 0;
		free(copy);
	}
	ok(survived, "each truncation is refused");
	for (i = 0; i < t.len; i++) {
		for (b = 0; b < 256; b++) {
			copy = malloc(t.len);
			memcpy(copy, t.term, t.len);
			copy[i] = (char)b;
			erldist_check(copy, t.len);
			if (erldist_print(&out, copy, t.len, 0) >= 0)
				free(out);
			erldist_equal(copy, t.len, t.term, t.len);
			free(copy);
		}
	}
	ok(true, "each changed byte is survived");
	erldist_term_free(&t);
}

/* DEPTH containers in each other, opened by "head" and closed by "tail" */
static char *nest(const char *head, size_t head_len, const char *tail, size_t tail_len,
		  size_t depth, size_t *len)
{
	char *term = malloc((head_len + tail_len) * depth + 1), *p = term;
	size_t i;

	for (i = 0; i < depth; i++, p += head_len)
		memcpy(p, head, head_len);
	*p++ = ERL_NIL_EXT;
	for (i = 0; i < depth; i++, p += tail_len)
		memcpy(p, tail, tail_len);
	*len = (size_t)(p - term);
	return term;
}

/* Funs in each other, each the free variable of the one before */
static char *nest_funs(size_t depth, size_t *len)
{
	enum { HEAD = 1 + 4 + 17 + 4 + 4 + 3 + 2 + 2 + 18 };
	uint8_t *t = calloc(depth, HEAD), *p = t;
	uint32_t size;
	size_t i;

	for (i = 0; i < depth; i++, p += HEAD) {
		size = (uint32_t)((depth - i) * HEAD - 1);
		p[0] = ERL_NEW_FUN_EXT;
		p[1] = (uint8_t)(size >> 24);
		p[2] = (uint8_t)(size >> 16);
		p[3] = (uint8_t)(size >> 8);
		p[4] = (uint8_t)size;
		p[29] = i + 1 < depth;
		memcpy(p + 30, "w\1ma\0a\0Xw\3a@b\0\0\0\1\0\0\0\0\0\0\0\1", HEAD - 30);
	}
	*len = depth * HEAD;
	return (char *)t;
}

static struct {
	char *term;
	size_t len;
	char *text;
	bool done;
} deep;

static void *use_deep(void *unused)
{
	struct erldist_term t = ERLDIST_TERM_INIT;

	deep.done = !erldist_check(deep.term, deep.len) &&
		    erldist_equal(deep.term, deep.len, deep.term, deep.len) == 1 &&
		    erldist_print(&deep.text, deep.term, deep.len, 0) > 0 &&
		    (strchr(deep.text, 'F') ||	/* funs are not read */
		     (!erldist_parse(&t, deep.text, NULL) &&
		      erldist_equal(deep.term, deep.len, t.term, t.len) == 1));
	free(deep.text);
	erldist_term_free(&t);
	return unused;
}

/* In a thread whose stack is what musl gives one */
static void check_one_depth(const char *what)
{
	enum { STACK = 128 * 1024 };
	pthread_attr_t attr;
	pthread_t thread;

	deep.done = false;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK);
	if (!pthread_create(&thread, &attr, use_deep, NULL))
		pthread_join(thread, NULL);
	pthread_attr_destroy(&attr);
	ok(deep.done, "%s in each other, on a small stack", what);
	free(deep.term);
}

static void check_depth(void)
{
	enum { DEEP = 50000 };

	deep.term = nest("h\1", 2, "", 0, DEEP, &deep.len);
	check_one_depth("tuples");
	deep.term = nest("l\0\0\0\1", 5, "j", 1, DEEP, &deep.len);
	check_one_depth("lists");
	deep.term = nest("t\0\0\0\1a\1", 7, "", 0, DEEP, &deep.len);
	check_one_depth("maps, as values");
	deep.term = nest("t\0\0\0\2a\1a\1", 9, "a\2", 2, DEEP, &deep.len);
	check_one_depth("maps, as keys");
	deep.term = nest_funs(DEEP, &deep.len);
	check_one_depth("funs");
}

static void check_encodings(void)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *text;
	} e[] = {
		{ "\x83\x64\x00\x01\xe5", 5, "'å'" },			/* ATOM_EXT */
		{ "\x73\x01\x61", 3, "a" },				/* SMALL_ATOM_EXT */
		{ "\x62\x00\x00\x00\x05", 5, "5" },
		{ "\x6e\x01\x01\x05", 4, "-5" },
		{ "\x6e\x02\x00\x05\x00", 5, "5" },			/* leading zero */
		{ "\x63" "1.50000000000000000000e+00\0\0\0\0\0", 32, "1.5" },
		{ "\x67\x77\x03" "a@b\x00\x00\x00\x01\x00\x00\x00\x02\x03", 15, "<a@b.1.2>" },
		{ "\x72\x00\x01\x77\x03" "a@b\x01\x00\x00\x00\x07", 13, "#Ref<a@b.7>" },
		{ "\x78\x77\x03" "a@b\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01", 18,
		  "#Port<a@b.4294967296>" },
		{ "\x69\x00\x00\x00\x01\x6a", 6, "{[]}" },
		{ "\x6b\x00\x02\x01\x02", 5, "[1,2]" },
		{ "\x6c\x00\x00\x00\x00\x6a", 6, "[]" },
	};
	char *text;
	size_t i;

	for (i = 0; i < sizeof(e) / sizeof(e[0]); i++) {
		if (erldist_print(&text, e[i].bytes, e[i].len, 0) < 0)
			text = strdup("(error)");
		ok(!strcmp(text, e[i].text), "encoding %zu: %s", i, text);
		free(text);
	}
	ok(erldist_equal("\x6b\x00\x01\x05", 4, "\x6c\x00\x00\x00\x01\x62\x00\x00\x00\x05\x6a", 11) == 1,
	   "a string equals the list");
	ok(erldist_equal("\x64\x00\x01\xe5", 4, "\x77\x02\xc3\xa5", 4) == 1,
	   "an atom in Latin-1 equals that in UTF-8");
	ok(erldist_equal("\x61\x01", 2, "\x46\x3f\xf0\0\0\0\0\0\0", 9) == 0, "1 is not 1.0");
	ok(erldist_print(&text, "\x46\x7f\xf8\0\0\0\0\0\0", 9, 0) == -EBADMSG, "no NaN");
}

/* The time grows with the length, not with its square, which would be a minute */
static void check_long(void)
{
	const size_t len = 4000000;
	char *text = malloc(len + 1);
	struct erldist_term t = ERLDIST_TERM_INIT;
	clock_t begin = clock();
	int err = -ENOMEM;

	if (text) {
		memset(text, 'x', len);
		memcpy(text, "[<<\"", 4);
		memcpy(text + len - 4, "\">>]", 5);
		err = erldist_parse(&t, text, NULL);
	}
	ok(!err && t.len > len - 8 && clock() - begin < 10 * CLOCKS_PER_SEC, "a long text");
	erldist_term_free(&t);
	free(text);
}

/* #{#{...} => V} in each other, n times, the last one with the key given */
static size_t nested_keys(char *t, int n, char key)
{
	char *p = t;
	int i;

	for (i = 0; i < n; i++, p += 5)
		memcpy(p, "t\0\0\0\1", 5);
	*p++ = 'a';
	*p++ = key;
	for (i = 0; i < n; i++, p += 2)
		memcpy(p, "a\1", 2);
	return (size_t)(p - t);
}

static void check_nested_keys(void)
{
	char a[512], b[512];
	size_t len = nested_keys(a, 40, 1);
	clock_t begin = clock();

	nested_keys(b, 40, 2);
	ok(!erldist_equal(a, len, b, len) && erldist_equal(a, len, a, len) == 1 &&
	   clock() - begin < CLOCKS_PER_SEC, "maps that are keys of maps");
	ok(erldist_equal("t\0\0\0\3a\1a\1a\2a\2a\3a\3", 17,
			 "t\0\0\0\3a\3a\3a\1a\1a\2a\2", 17) == 1 &&
	   !erldist_equal("t\0\0\0\3a\1a\1a\2a\2a\4a\3", 17,
			  "t\0\0\0\3a\3a\3a\1a\1a\2a\2", 17), "keys in any order");
}

/* The map #{0 => 1, 1 => 1, ...}, or its pairs from the last one on */
static char *long_map(uint32_t n, bool reversed, size_t *len)
{
	uint8_t *t = malloc(5 + 7 * (size_t)n), *p = t;
	uint32_t i, key;

	*p++ = ERL_MAP_EXT;
	for (i = 0; i < 4; i++)
		*p++ = (uint8_t)(n >> (24 - 8 * i));
	for (i = 0; i < n; i++) {
		key = reversed ? n - 1 - i : i;
		*p++ = ERL_INTEGER_EXT;
		*p++ = (uint8_t)(key >> 24);
		*p++ = (uint8_t)(key >> 16);
		*p++ = (uint8_t)(key >> 8);
		*p++ = (uint8_t)key;
		*p++ = ERL_SMALL_INTEGER_EXT;
		*p++ = 1;
	}
	*len = (size_t)(p - t);
	return (char *)t;
}

/* Not in the square of the number of keys, which would be minutes */
static void check_long_map(void)
{
	struct erldist_term t = ERLDIST_TERM_INIT;
	const uint32_t n = 50000;
	clock_t begin = clock();
	char *a, *b, *text = NULL;
	size_t len;

	a = long_map(n, false, &len);
	b = long_map(n, true, &len);
	ok(erldist_equal(a, len, b, len) == 1, "a long map equals itself reversed");
	b[len - 1] = 2;
	ok(!erldist_equal(a, len, b, len), "and not with another value");
	ok(erldist_print(&text, b, len, 0) > 0 && !erldist_parse(&t, text, NULL) &&
	   erldist_equal(b, len, t.term, t.len) == 1, "its text is read");
	ok(clock() - begin < 20 * CLOCKS_PER_SEC, "in time");
	erldist_term_free(&t);
	free(text);
	free(a);
	free(b);
}

/* What has another head, or another text, when it is large */
static void check_large(void)
{
	struct erldist_term t = ERLDIST_TERM_INIT;
	enum { PARTS = 300, BYTES = 4097 };
	static char tuple[2 * PARTS + 2], nested[PARTS * sizeof(tuple) + 2], big[6 + BYTES];
	char *text = NULL;
	int i;

	for (i = 0; i < PARTS; i++)
		memcpy(tuple + 2 * i, i ? ",1" : "{1", 2);
	memcpy(tuple + 2 * PARTS, "}", 2);
	ok(!erldist_parse(&t, tuple, NULL) && !erldist_check(t.term, t.len) &&
	   erldist_print(&text, t.term, t.len, 0) > 0 && !strcmp(text, tuple),
	   "a tuple of %d", PARTS);
	free(text);
	for (i = 0; i < PARTS; i++)
		memcpy(nested + i * (sizeof(tuple)), i ? "," : "{", 1);
	for (i = 0; i < PARTS; i++)
		memcpy(nested + i * sizeof(tuple) + 1, tuple, sizeof(tuple) - 1);
	memcpy(nested + PARTS * sizeof(tuple), "}", 2);
	ok(!erldist_parse(&t, nested, NULL) && !erldist_check(t.term, t.len) &&
	   erldist_print(&text, t.term, t.len, 0) > 0 && !strcmp(text, nested),
	   "%d of them in one", PARTS);
	free(text);
	memset(big, 0xab, sizeof(big));
	memcpy(big, "o\0\0\x10\1\1", 6);
	ok(erldist_print(&text, big, sizeof(big), 0) == 4 + 2 * BYTES &&
	   !strncmp(text, "-16#ABAB", 8) && !erldist_parse(&t, text, NULL) &&
	   erldist_equal(t.term, t.len, big, sizeof(big)) == 1, "an integer of %d bytes", BYTES);
	free(text);
	erldist_term_free(&t);
}

/* Maps in each other, each of which announces as many pairs as could still follow */
static void check_announced(void)
{
	const size_t len = 1 << 20;
	uint8_t *t = calloc(1, len);
	size_t at;

	for (at = 0; at + 5 <= len; at += 5) {
		t[at] = ERL_MAP_EXT;
		t[at + 2] = (uint8_t)((len - at - 5) / 2 >> 16);
		t[at + 3] = (uint8_t)((len - at - 5) / 2 >> 8);
		t[at + 4] = (uint8_t)((len - at - 5) / 2);
	}
	ok(erldist_equal(t, len, t, len) == -EBADMSG, "maps that announce more than there is");
	free(t);
}

static void check_twins(void)
{
	static const char a[] = "t\0\0\0\2a\1a\1a\1a\1", b[] = "t\0\0\0\2a\1a\1a\2a\2",
			  c[] = "t\0\0\0\2a\1a\1a\1a\2", d[] = "t\0\0\0\2a\1a\2a\1a\1";
	const size_t len = sizeof(a) - 1;

	ok(!erldist_equal(a, len, b, len) && !erldist_equal(b, len, a, len),
	   "a key that comes twice stands for one pair only");
	ok(erldist_equal(c, len, d, len) == 1 && !erldist_equal(a, len, c, len) &&
	   !erldist_equal(c, len, a, len), "its values are compared in any order");
}

/* fun of a module m with two free variables, its size as given */
static size_t fun(uint8_t *t, uint32_t size, const char *last, size_t last_len)
{
	uint8_t *p = t;

	*p++ = ERL_NEW_FUN_EXT;
	*p++ = 0;
	*p++ = 0;
	*p++ = 0;
	*p++ = (uint8_t)size;
	memset(p, 0, 1 + 16 + 4 + 4);
	p += 1 + 16 + 4;
	p[3] = 2;
	p += 4;
	memcpy(p, "w\1ma\0a\0Xw\1n\0\0\0\1\0\0\0\0\0\0\0\1a\7", 25);
	p += 25;
	memcpy(p, last, last_len);
	return (size_t)(p - t) + last_len;
}

static void check_funs(void)
{
	uint8_t t[256], in[256];
	uint32_t body = 4 + 25 + 25;
	bool cut = true;
	size_t i, len;

	len = fun(t, body + 1, "j", 1);
	ok(!erldist_check(t, len), "a fun");
	for (i = 0; i < len - 5; i++) {
		memcpy(in, t, len);
		in[4] = (uint8_t)(4 + i);
		cut = cut && erldist_check(in, 5 + i);
	}
	ok(cut, "each that is cut short is refused");
	ok(erldist_check(t, fun(t, body, "j", 1)), "as is one with a smaller size");
	ok(erldist_check(t, fun(t, body + 3, "jjj", 3)), "and with one that is larger");
	ok(erldist_check(t, fun(t, body + 3, "m\0\377", 3)), "and with a broken variable");
	len = fun(in, body + 1, "j", 1);
	ok(!erldist_check(t, fun(t, body + (uint32_t)len, (char *)in, len)), "a fun in a fun");
	ok(erldist_check("p\0\0\0\4", 5), "no fun without a body");
}

static bool same_verdict(const void *t, size_t len)
{
	bool good = !erldist_check(t, len), printed;
	char *text;

	printed = erldist_print(&text, t, len, 0) >= 0;
	free(text);
	return printed == good && (erldist_equal(t, len, t, len) == 1) == good;
}

/* What one function refuses the others do */
static void check_verdicts(void)
{
	uint8_t t[256], in[256];
	bool agreed = true;
	size_t i, len;
	int b;

	len = fun(in, 4 + 25 + 25 + 1, "j", 1);
	len = fun(t, (uint32_t)(4 + 25 + 25 + len), (char *)in, len);
	for (i = 0; i < len; i++) {
		for (b = 0; b < 256; b++) {
			memcpy(in, t, len);
			in[i] = (uint8_t)b;
			agreed = agreed && same_verdict(in, len);
		}
	}
	ok(same_verdict(t, len) && !erldist_check(t, len), "a fun is printed and compared");
	ok(agreed, "check, print and equal refuse the same funs");
	ok(erldist_check("qw\1mjj", 6) && same_verdict("qw\1mjj", 6), "and fun m:[]/[]");
	ok(erldist_check("w\1\377", 3) && same_verdict("w\1\377", 3), "and no UTF-8");
	ok(erldist_check("F\177\370\0\0\0\0\0\0", 9) &&
	   same_verdict("F\177\370\0\0\0\0\0\0", 9), "and NaN");
	ok(erldist_equal("qw\1ms\1fa\2", 9, "qw\1mv\0\1fb\0\0\0\2", 13) == 1,
	   "fun m:f/2 is the same in all encodings");
}

static void check_float(void)
{
	char t[32] = "c1.5";

	ok(!erldist_check(t, sizeof(t)), "a float in text");
	memset(t + 1, '1', 31);
	ok(erldist_check(t, sizeof(t)), "which has an end within");
}

static void check_digits(void)
{
	const size_t len = 1000000;
	struct erldist_term t = ERLDIST_TERM_INIT;
	char *text = malloc(len + 1);
	clock_t begin = clock();

	if (!text)
		exit(1);
	memset(text, '7', len);
	text[len] = 0;
	ok(erldist_parse(&t, text, NULL) == -EINVAL && clock() - begin < 5 * CLOCKS_PER_SEC,
	   "a million digits are refused");
	text[20000] = 0;
	ok(!erldist_parse(&t, text, NULL) && t.len > 8000, "20000 are read");
	erldist_term_free(&t);
	free(text);
}

static void check_errors(void)
{
	ok(strstr(erldist_strerror(NULL, INT_MIN), "nknown"), "the least int is no error's number");
}

int main(void)
{
	size_t i;

	/* a locale with a comma must not show */
	setlocale(LC_ALL, "de_DE.UTF-8");
	for (i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		check_text(same[i], same[i]);
	for (i = 0; i < sizeof(other) / sizeof(other[0]); i++)
		check_text(other[i].in, other[i].out);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		check_bad(bad[i]);
	check_strings();
	check_creations();
	check_damage();
	check_depth();
	check_nested_keys();
	check_long_map();
	check_large();
	check_announced();
	check_twins();
	check_funs();
	check_verdicts();
	check_float();
	check_digits();
	check_encodings();
	check_long();
	check_errors();
	return tap_end();
}
