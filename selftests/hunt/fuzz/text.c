// SPDX-License-Identifier: GPL-2.0-only
/*
 * Text of a user: what erldist_parse() reads is a term, is printed, and reads back as
 * the same one. Input: which allocation fails, then the text.
 */
#include <erldist.h>

#include "fuzz.h"
#include "internal.h"

/* Text: the words of the syntax, some of which only look like it */
static const char *const words[] = {
	"{", "}", "[", "]", "#{", " => ", ",", "|", "<<", ">>", "\"", "'", "<", ">", "#Ref<",
	"fun ", ":", "/", ".", "svc@host", "a@10.0.0.1", "'a b@c'", "0", "1", "255", "256",
	"-1", "4294967295", "18446744073709551616", "16#ff", "36#Zz", "2#1", "1_000", "1.5",
	"1.0e308", "-0.0", "1e5", "1.5E-300", "$a", "$\\n", "$\\x{1f600}", "\\x41", "\\^A",
	"\\101", "/utf8", ":3", ":16", "% no\n", "\xe6\x97\xa5", "\xc3\xa5", "\xff", "a", "ok",
	"end", "'fun'", "abc_Def@1", "A", "_", "<a@b.1.2>", "<a@b.1.2.3>", "#Ref<a@b.1.2/3>",
	"#Ref<a@b.1.2.3.4.5>", "fun a:b/1", "fun 'A':'b c'/255", "<<1:1,2:7>>", "<<\"x\"/utf8>>",
	"#{a => 1,b => 2}", "#{1 => a,1 => b}", "[a|b]", "{}", "\"abc\"", " ", "\n", "\\", "~i",
	"<'x@y'.1.2>", "#Port<a@b.1>", "#Fun<m.1.2>", "1.", "a.b", "-", "+", "#",
};

/* Strings as such are the same term */
static void check_strings(const struct erldist_term *t)
{
	struct erldist_term again = ERLDIST_TERM_INIT;
	char *text;

	CHECK(erldist_print(&text, t->term, t->len,
			    ERLDIST_PRINT_CREATION | ERLDIST_PRINT_STRINGS) > 0);
	CHECK(!erldist_parse(&again, text, NULL));
	CHECK(erldist_equal(t->term, t->len, again.term, again.len) == 1);
	free(text);
	erldist_term_free(&again);
}

static void check_text(const char *text, bool failing)
{
	struct erldist_term t = ERLDIST_TERM_INIT, again = ERLDIST_TERM_INIT;
	struct erldist_parse_options o = { .what = NULL };
	char *full = NULL, *twice = NULL;
	ssize_t len;
	int err;

	err = erldist_parse(&t, text, &o);
	CHECK(err == 0 || (failing && err == -ENOMEM) || err == -EINVAL);
	CHECK(!err || (o.what && o.offset <= strlen(text)));
	fuzz_fail_from(0);
	if (!err) {
		CHECK(!erldist_check(t.term, t.len));
		CHECK(ed_has_twins(t.term, t.len) == 0);
		CHECK(erldist_equal(t.term, t.len, t.term, t.len) == 1);
		len = erldist_print(&full, t.term, t.len, ERLDIST_PRINT_CREATION);
		CHECK(len >= 0 && (size_t)len == strlen(full));
		CHECK(!erldist_parse(&again, full, NULL));
		CHECK(erldist_equal(t.term, t.len, again.term, again.len) == 1);
		CHECK(erldist_print(&twice, again.term, again.len, ERLDIST_PRINT_CREATION) == len);
		CHECK(!strcmp(full, twice));
		check_strings(&t);
	}
	free(full);
	free(twice);
	erldist_term_free(&t);
	erldist_term_free(&again);
}

/* What goes to a terminal or a log fits, ends, and is UTF-8 without controls. */
static void check_escape(const char *text, size_t size)
{
	char *to = malloc(size + 1);
	const char *p = to, *end;
	uint32_t c;

	ed_utf8_escape(to, size + 1, text);
	end = p + strlen(to);
	CHECK((size_t)(end - p) <= size);
	while (p < end)
		CHECK(!ed_utf8_next(&p, end, &c) && ed_utf8_printable(c));
	free(to);
}

static void check_name(const char *text)
{
	struct erldist_term t = ERLDIST_TERM_INIT;
	int err = ed_put_name_at(&t, text, strlen(text), "svc@host");

	CHECK(err == -EINVAL || (!err && !erldist_check(t.term, t.len)));
	erldist_term_free(&t);
}

/* A binary may announce bits by the million in few bytes: not what is looked for */
static bool is_large(const char *text)
{
	const char *p = text;
	unsigned long bits = 0;

	while ((p = strchr(p, ':')))
		bits += strtoul(++p, NULL, 10);
	return bits > 1 << 21;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	unsigned int fail;
	char *text;

	if (!size)
		return 0;
	fail = data[0] & 1 ? data[0] >> 1 : 0;
	text = malloc(size);
	memcpy(text, data + 1, size - 1);
	text[size - 1] = 0;
	if (!is_large(text)) {
		fuzz_fail_from(fail);
		check_text(text, fail);
	}
	fuzz_fail_from(0);
	check_escape(text, data[0]);
	check_name(text);
	free(text);
	return 0;
}

static void gen_words(struct gen *g, u32 n)
{
	const char *word;

	while (n--) {
		word = words[gen_below(g, ARRAY_SIZE(words))];
		gen_bytes(g, word, strlen(word));
	}
}

/* The text of a term, that was generated */
size_t fuzz_generate(struct gen *g, u8 *p, size_t max)
{
	static u8 term[8192];
	struct gen in = { .state = g->state, .p = term, .end = term + sizeof(term) };
	char *text;
	ssize_t len;

	g->p = p;
	g->end = p + max;
	gen_u8(g, gen_below(g, 3) ? 0 : gen_below(g, 256));
	gen_term(&in, gen_below(g, 4));
	len = erldist_print(&text, term, in.p - term, ERLDIST_PRINT_CREATION);
	if (len >= 0 && (size_t)len < max)
		gen_bytes(g, text, len);
	else
		gen_words(g, 1 + gen_below(g, 12));
	free(text);
	return g->p - p;
}

/* Some characters are replaced by a word, or by a piece of the same text */
size_t fuzz_bend(struct gen *g, u8 *data, size_t size, size_t max)
{
	static u8 piece[64];
	size_t at, len, n;
	const char *word;

	if (!size)
		return fuzz_generate(g, data, max);
	at = 1 + gen_below(g, size);
	at = min(at, size);
	len = gen_below(g, 3) ? 0 : gen_below(g, min(size - at, 8UL) + 1);
	if (gen_below(g, 4)) {
		word = words[gen_below(g, ARRAY_SIZE(words))];
		n = strlen(word);
		memcpy(piece, word, n);
	} else {
		n = gen_below(g, min(size, sizeof(piece)) + 1);
		memcpy(piece, data + gen_below(g, size - n + 1), n);
	}
	if (size - len + n > max)
		return size;
	memmove(data + at + n, data + at + len, size - at - len);
	memcpy(data + at, piece, n);
	return size - len + n;
}
