// SPDX-License-Identifier: GPL-2.0-only
/*
 * Configuration: in each *.conf of a directory one node, "KEY = VALUE" lines with
 * the long options of "erldist node run" as keys.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "erldistd.h"

#define FILE_MAX	(1 << 20)
#define SUFFIX		".conf"
#define BLANKS		" \t\r"

/* line: 0: the file as a whole; c: NULL: no file in particular */
void mistake(struct mistakes *m, const struct conf *c, unsigned int line, const char *fmt, ...)
{
	char text[900], where[1024] = "";
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (c && line)
		snprintf(where, sizeof(where), "%s:%u: ", c->path, line);
	else if (c)
		snprintf(where, sizeof(where), "%s: ", c->path);
	if (!m->n++)
		snprintf(m->first, sizeof(m->first), "%.500s%.500s", where, text);
	if (m->tell)
		say(LOG_ERR, "%s%s", where, text);
}

static char *trim(char *s)
{
	char *end;

	s += strspn(s, BLANKS);
	for (end = s + strlen(s); end > s && strchr(BLANKS, end[-1]); end--)
		;
	*end = 0;
	return s;
}

static bool given_before(struct conf *c, const struct node_option *option, unsigned int *line)
{
	unsigned int i;

	for (i = 0; option->kind != OPTION_LIST && i < c->n; i++) {
		*line = c->lines[i].number;
		if (c->lines[i].option == option)
			return true;
	}
	return false;
}

static void take_name(struct conf *c, struct mistakes *m, unsigned int number, const char *value)
{
	if (c->name_line)
		mistake(m, c, number, "name: it is given in line %u already", c->name_line);
	c->name = value;
	c->name_line = number;
}

/* Of a flag: yes, no, or -1 */
static int take_flag(struct conf *c, struct mistakes *m, const struct conf_line *l)
{
	if (!strcmp(l->value, "yes"))
		return 1;
	if (!strcmp(l->value, "no"))
		return 0;
	mistake(m, c, l->number, "%s: %s is neither yes nor no", l->option->name, l->value);
	return -1;
}

static void take_line(struct conf *c, struct mistakes *m, const struct conf_line *l)
{
	unsigned int before;

	if (given_before(c, l->option, &before)) {
		mistake(m, c, l->number, "%s: it is given in line %u already", l->option->name,
			before);
		return;
	}
	if (!node_option_has_value(l->option) && take_flag(c, m, l) != 1)
		return;
	if (l->option->how == OPTION_SECRET && c->mode & 077) {
		mistake(m, c, l->number, "%s: the file must be accessible by its owner only "
			"(chmod 600); cookie-file names another one", l->option->name);
		return;
	}
	if (node_option_take(&c->setup, l->option, l->value))
		mistake(m, c, l->number, "%s: %s", l->option->name, c->setup.error);
	else
		c->lines[c->n++] = *l;
}

/* What is wrong may be a cookie: nothing of it is told but what looks like a key */
static void parse_line(struct conf *c, struct mistakes *m, char *text, unsigned int number)
{
	struct conf_line l = { .number = number };
	char *equals, *key;

	text = trim(text);
	if (!*text || *text == '#' || *text == ';')
		return;
	equals = strchr(text, '=');
	if (!equals) {
		mistake(m, c, number, "expected KEY = VALUE");
		return;
	}
	*equals = 0;
	key = trim(text);
	l.value = trim(equals + 1);
	l.option = node_option_find(key);
	if (!l.option && strcmp(key, "name"))
		mistake(m, c, number, "%.64s is no key; keys are the long options of 'erldist node "
			"run', and name", key);
	else if (!*l.value)
		mistake(m, c, number, "%s: it has no value", key);
	else if (!l.option)
		take_name(c, m, number, l.value);
	else
		take_line(c, m, &l);
}

static void parse(struct conf *c, struct mistakes *m)
{
	char *line = c->text, *end;
	unsigned int number = 1;
	size_t len = c->size;

	if (memchr(c->text, 0, c->size)) {
		mistake(m, c, 0, "it is no text");
		return;
	}
	for (; len; number++) {
		end = memchr(line, '\n', len);
		len -= end ? (size_t)(end - line) + 1 : len;
		if (end)
			*end = 0;
		parse_line(c, m, line, number);
		line = end ? end + 1 : line;
	}
}

static unsigned int count_lines(const struct conf *c)
{
	unsigned int n = 1;
	size_t i;

	for (i = 0; i < c->size; i++)
		n += c->text[i] == '\n';
	return n;
}

static int read_all(struct conf *c, int fd)
{
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (st.st_size > FILE_MAX)
		return -EFBIG;
	c->mode = st.st_mode;
	c->text = calloc(1, (size_t)st.st_size + 1);
	if (!c->text)
		return -ENOMEM;
	while (c->size < (size_t)st.st_size) {
		n = read(fd, c->text + c->size, (size_t)st.st_size - c->size);
		if (n < 0)
			return -errno;
		if (!n)
			break;
		c->size += (size_t)n;
	}
	c->lines = calloc(count_lines(c), sizeof(*c->lines));
	return c->lines ? 0 : -ENOMEM;
}

static void read_file(struct conf *c, struct mistakes *m)
{
	int fd = open(c->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), err;

	err = fd < 0 ? -errno : read_all(c, fd);
	if (fd >= 0)
		close(fd);
	if (err == -EINVAL)
		mistake(m, c, 0, "it is no regular file");
	else if (err)
		mistake(m, c, 0, "%s", strerror(-err));
	else
		parse(c, m);
}

/* svc.conf is node svc, if it does not say otherwise */
static int name_by_file(struct conf *c)
{
	const char *file = strrchr(c->path, '/');

	if (c->name)
		return 0;
	file = file ? file + 1 : c->path;
	c->name = strndup(file, strlen(file) - strlen(SUFFIX));
	return c->name ? 0 : -ENOMEM;
}

/* Which sockets systemd hands over is known to who is started by it only */
static void without_systemd(struct words *w)
{
	unsigned int i, n = 0;

	for (i = 0; i < w->n; i++)
		if (strcmp(w->word[i], "systemd") && strncmp(w->word[i], "systemd:", 8))
			w->word[n++] = w->word[i];
	w->n = n;
	w->word[n] = NULL;
}

/* What the library says of it, or NULL. Gives the full name */
static const char *check(struct conf *c, struct node_setup *s, char text[256])
{
	struct erldist_keeper *k;
	int err;

	/* a name that has to be resolved takes seconds where no name server answers */
	notify(-1, "WATCHDOG=1");
	without_systemd(&s->listens);
	/* the full name, once that is known, needs no resolving of this host's */
	node_setup_point(s, c->node[0] ? c->node : c->name);
	err = erldist_keeper_check(&k, &s->keeper);
	if (err)
		snprintf(text, 256, "%s", erldist_strerror(k, err));
	else
		snprintf(c->node, sizeof(c->node), "%s", erldist_keeper_node(k));
	erldist_keeper_close(k);
	return err ? text : NULL;
}

/* Each line alone, so that it can be named */
static void check_lines(struct conf *c, struct mistakes *m)
{
	struct node_setup one = { .keeper.options = c->setup.keeper.options &
						    ERLDIST_KEEPER_LONG_NAMES };
	struct node_setup name = one;
	const char *why;
	char text[256];
	unsigned int i;

	why = check(c, &one, text);
	if (why) {
		mistake(m, c, c->name_line, "name: %s", why);
		return;
	}
	for (i = 0; i < c->n; i++) {
		one = name;
		node_option_take(&one, c->lines[i].option, c->lines[i].value);
		why = check(c, &one, text);
		if (why)
			mistake(m, c, c->lines[i].number, "%s: %s", c->lines[i].option->name, why);
	}
	if (node_setup_finish(&c->setup, c->name))
		mistake(m, c, 0, "%s", c->setup.error);
}

static struct conf *make(const char *dir, const char *file)
{
	struct conf *c = calloc(1, sizeof(*c));

	if (c && asprintf(&c->path, "%s/%s", dir, file) < 0) {
		free(c);
		return NULL;
	}
	return c;
}

static int is_conf(const struct dirent *d)
{
	size_t len = strlen(d->d_name);

	return d->d_name[0] != '.' && len > strlen(SUFFIX) &&
	       !strcmp(d->d_name + len - strlen(SUFFIX), SUFFIX);
}

/* The first that has what c has, too */
static const struct conf *same_node(const struct conf *list, const struct conf *c)
{
	for (; list != c; list = list->next)
		if (!strcmp(list->node, c->node))
			return list;
	return NULL;
}

static void check_together(const struct conf *list, struct mistakes *m)
{
	const struct conf *c, *other, *first_default = NULL;

	for (c = list; c; c = c->next) {
		other = c->node[0] ? same_node(list, c) : NULL;
		if (other)
			mistake(m, c, c->name_line, "name: %s is the node of %s", c->node,
				other->path);
		if (c->setup.mark_default && first_default)
			mistake(m, c, 0, "default: the default is the node of %s",
				first_default->path);
		else if (c->setup.mark_default)
			first_default = c;
	}
}

static struct conf *read_one(const char *dir, const char *file, struct mistakes *m)
{
	unsigned int before = m->n;
	struct conf *c = make(dir, file);

	if (!c) {
		mistake(m, NULL, 0, "out of memory");
		return NULL;
	}
	read_file(c, m);
	if (name_by_file(c))
		mistake(m, c, 0, "out of memory");
	else if (c->text && (c->n || m->n == before))
		check_lines(c, m);
	return c;
}

/* All that is there, in the order of their names; m tells whether it can be used */
struct conf *conf_read(const char *dir, struct mistakes *m)
{
	struct conf *list = NULL, **end = &list;
	struct dirent **files;
	int n, i;

	n = scandir(dir, &files, is_conf, alphasort);
	if (n < 0) {
		mistake(m, NULL, 0, "%s: %s%s", dir, strerror(errno), errno == ENOENT ?
			"; make the directory, with a file NAME.conf for each node" : "");
		return NULL;
	}
	for (i = 0; i < n; i++) {
		*end = read_one(dir, files[i]->d_name, m);
		if (*end)
			end = &(*end)->next;
		free(files[i]);
	}
	free(files);
	check_together(list, m);
	return list;
}

/* The next line with the option, from at on; at is the one behind it then */
static const struct conf_line *next_line(const struct conf *c, const struct node_option *option,
					 unsigned int *at)
{
	while (*at < c->n) {
		const struct conf_line *l = &c->lines[(*at)++];

		if (l->option == option)
			return l;
	}
	return NULL;
}

static void check_option(const struct conf *was, const struct conf *now,
			 const struct node_option *option, struct mistakes *m)
{
	unsigned int a = 0, b = 0;
	const struct conf_line *x, *y;

	do {
		x = next_line(was, option, &a);
		y = next_line(now, option, &b);
		if (!x && !y)
			return;
	} while (x && y && !strcmp(x->value, y->value));
	mistake(m, now, y ? y->number : 0, "%s: it cannot change while %s runs; it does when "
		"erldistd is restarted", option->name, now->node);
}

/* What stays as it is as long as a node runs */
void conf_check_fixed(const struct conf *was, const struct conf *now, struct mistakes *m)
{
	size_t i;

	for (i = 0; i < node_options_n; i++)
		if (node_options[i].how == OPTION_FIXED)
			check_option(was, now, &node_options[i], m);
}

static void free_one(struct conf *c)
{
	if (!c->name_line)
		free((char *)(uintptr_t)c->name);
	/* there may be a cookie in it */
	if (c->text)
		explicit_bzero(c->text, c->size);
	free(c->text);
	free(c->lines);
	free(c->path);
	free(c);
}

void conf_free(struct conf *list)
{
	struct conf *next;

	for (; list; list = next) {
		next = list->next;
		free_one(list);
	}
}
