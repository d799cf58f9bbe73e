// SPDX-License-Identifier: LGPL-2.1-or-later
/* Pids and references as text. Ports and funs cannot be read back. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define NUMBERS_MAX	7	/* five words, and one more to tell too many */

struct id {
	char node[ERLDIST_ATOM_SIZE];
	uint32_t number[NUMBERS_MAX];
	unsigned int n;
	bool has_creation;	/* behind a slash */
	uint32_t creation;
};

static int parse_u32(struct ed_parser *ps, uint32_t *v)
{
	unsigned long long x;
	char *end;

	if (!(*ps->p >= '0' && *ps->p <= '9'))
		return ed_syntax(ps, "expected a number");
	x = strtoull(ps->p, &end, 10);
	if (x > UINT32_MAX)
		return ed_syntax(ps, "a number larger than 32 bits");
	*v = (uint32_t)x;
	ps->p = end;
	return 0;
}

static int parse_quoted_node(struct ed_parser *ps, struct id *id)
{
	struct erldist_term s = ERLDIST_TERM_INIT;
	int err;

	ps->p++;
	err = ed_parse_quoted(ps, '\'', &s);
	if (!err && (s.len >= sizeof(id->node) || (s.len && memchr(s.term, 0, s.len))))
		err = ed_syntax(ps, "no node name");
	if (!err) {
		if (s.len)
			memcpy(id->node, s.term, s.len);
		id->node[s.len] = 0;
	}
	erldist_term_free(&s);
	return err;
}

/* Where in "host.12.0" the numbers begin: at the dot before them */
static size_t host_length(const char *host, size_t len)
{
	static const char number[] = "0123456789";
	size_t i = 0, at = len, label = len;
	int part;

	/* an IPv4 address takes four numbers, and only numbers follow */
	for (part = 0; part < 4; part++) {
		i += strspn(host + i, number);
		if (part < 3 && host[i] != '.')
			break;
		i += part < 3;
	}
	if (part == 4 && i < len && host[i] == '.' && i + strspn(host + i, "0123456789.") >= len)
		return i;
	/* else the host ends before the labels that are numbers */
	while (at) {
		for (label = at; label && host[label - 1] != '.'; label--)
			;
		if (!label || label == at || label + strspn(host + label, number) < at)
			break;
		at = label - 1;
	}
	return at;
}

static int parse_bare_node(struct ed_parser *ps, struct id *id)
{
	const char *node = ps->p, *at = strchr(node, '@');
	size_t len = strcspn(node, ">/"), n;

	if (!at || at >= node + len)
		return ed_syntax(ps, "a pid or reference begins with its node: <svc@host.12.0>; "
				     "<0.12.0> and #PID<0.12.0> mean something in one shell only");
	n = (size_t)(at + 1 - node);
	n += host_length(at + 1, len - n);
	if (ed_utf8_count(node, n) < 0)
		return ed_syntax(ps, "a node name that is no UTF-8");
	if (n >= sizeof(id->node))
		return ed_syntax(ps, "the node name is too long");
	memcpy(id->node, node, n);
	id->node[n] = 0;
	ps->p += n;
	return 0;
}

/* From behind the < to behind the > */
static int parse_id(struct ed_parser *ps, struct id *id)
{
	int err;

	memset(id, 0, sizeof(*id));
	err = *ps->p == '\'' ? parse_quoted_node(ps, id) : parse_bare_node(ps, id);
	if (!err && ed_utf8_count(id->node, strlen(id->node)) > 255)
		err = ed_syntax(ps, "the node name is too long");
	while (!err && *ps->p == '.' && id->n < NUMBERS_MAX) {
		ps->p++;
		err = parse_u32(ps, &id->number[id->n++]);
	}
	if (!err && *ps->p == '/') {
		ps->p++;
		id->has_creation = true;
		err = parse_u32(ps, &id->creation);
	}
	if (!err && *ps->p != '>')
		err = ed_syntax(ps, "expected > behind the numbers");
	if (!err)
		ps->p++;
	return err;
}

static int find_creation(struct ed_parser *ps, const char *node, uint32_t *creation)
{
	int err;

	*creation = 0;
	if (!ps->options || !ps->options->creation)
		return 0;
	err = ps->options->creation(ps->options->user, node, creation);
	if (err)
		ed_syntax(ps, "the creation of this node is not known here: write it, "
			      "<node.ID.SERIAL.CREATION> or #Ref<node.words/CREATION>");
	return err;
}

int ed_parse_pid(struct ed_parser *ps, struct erldist_term *t)
{
	uint32_t creation;
	erlang_pid pid;
	struct id id;
	int err;

	ps->p++;
	err = parse_id(ps, &id);
	if (err)
		return err;
	if (id.n < 2 || id.n > 3 || id.has_creation)
		return ed_syntax(ps, "a pid is written <node.ID.SERIAL> or "
				     "<node.ID.SERIAL.CREATION>");
	if (id.n == 3)
		creation = id.number[2];
	else
		err = find_creation(ps, id.node, &creation);
	if (err)
		return err;
	memcpy(pid.node, id.node, sizeof(pid.node));
	pid.num = id.number[0];
	pid.serial = id.number[1];
	pid.creation = creation;
	return ed_put_pid(t, &pid);
}

static int parse_ref(struct ed_parser *ps, struct erldist_term *t)
{
	erlang_ref ref;
	struct id id;
	unsigned int i;
	int err;

	err = parse_id(ps, &id);
	if (err)
		return err;
	if (id.n < 1 || id.n > ED_ARRAY_SIZE(ref.n))
		return ed_syntax(ps, "a reference has 1 to 5 numbers");
	if (!id.has_creation)
		err = find_creation(ps, id.node, &id.creation);
	if (err)
		return err;
	memset(&ref, 0, sizeof(ref));
	memcpy(ref.node, id.node, sizeof(ref.node));
	ref.len = (int)id.n;
	for (i = 0; i < id.n; i++)
		ref.n[i] = id.number[i];
	ref.creation = id.creation;
	return ed_put_ref(t, &ref);
}

int ed_parse_hash(struct ed_parser *ps, struct erldist_term *t)
{
	if (!strncmp(ps->p, "#Ref<", 5)) {
		ps->p += 5;
		return parse_ref(ps, t);
	}
	if (!strncmp(ps->p, "#Fun<", 5))
		return ed_syntax(ps, "a fun cannot be written as text; fun module:name/arity can");
	if (!strncmp(ps->p, "#Port<", 6))
		return ed_syntax(ps, "a port cannot be written as text");
	if (!strncmp(ps->p, "#PID<", 5))
		return ed_syntax(ps, "#PID<0.12.0> means something in one shell only: "
				     "write the node, <svc@host.12.0>");
	return ed_syntax(ps, "no term begins so; maps are #{key => value}");
}
