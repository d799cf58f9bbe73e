// SPDX-License-Identifier: GPL-2.0-only
/*
 * The run loop. Executors, one for each processor, make programs, run them and keep
 * those that reached something new. A program is written to the directory before it
 * runs, because the kernel may end with it.
 */
#include <dirent.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "hunt.h"
#include "shrink.h"

#define CORPUS_MAX	20000
#define ARENA		(192UL << 20)
#define RECENT		32	/* programs of an executor that are kept as text */
#define EXECUTORS	8
#define RECENT_SIZE	((size_t)EXECUTORS * RECENT * TEXT_MAX)
#define IVSHMEM		"0000:00:10.0"	/* see ./run */
#define REPORT_MS	10000
#define LEFT_EVERY	64	/* programs between two looks at what is left */
#define LEFT_MS		20000

struct entry {
	size_t at;
	size_t len;
};

struct hunt {
	struct coverage all;
	uint32_t corpus;
	uint32_t loaded, replayed;	/* of an earlier hunt: run as they are, first */
	uint32_t lock;
	size_t used;
	struct entry entry[CORPUS_MAX];
	uint64_t programs, calls, late, runners;
	uint32_t pairs;
	uint64_t remote;	/* places that works and softirqs told */
	uint64_t run_ms, end_ms;	/* of all programs: until their end, and it */
	uint32_t stop;
	char finding[1024];
	struct outcomes outcomes;
	uint8_t arena[ARENA];
};

struct executor {
	struct hunt *h;
	struct shared *s;
	unsigned int number;
	char *recent;		/* the last programs, in a ring */
	uint64_t rng;
	uint64_t seq;
	bool as_it_is;		/* the program is the corpus's */
};

static const char *directory;
static bool verbose;

static void lock(struct hunt *h)
{
	while (__atomic_exchange_n(&h->lock, 1, __ATOMIC_ACQUIRE))
		sleep_ms(1);
}

static void unlock(struct hunt *h)
{
	__atomic_store_n(&h->lock, 0, __ATOMIC_RELEASE);
}

/* Calls, without the arguments that are not used */
static void corpus_add(struct hunt *h, const struct prog *p)
{
	size_t head = offsetof(struct prog, call), len = head, at;

	for (unsigned int i = 0; i < p->n_calls; i++)
		len += offsetof(struct call, arg) + p->call[i].n_args * sizeof(struct arg);
	lock(h);
	if (h->corpus < CORPUS_MAX && h->used + len <= ARENA) {
		at = h->used;
		memcpy(h->arena + at, p, head);
		at += head;
		for (unsigned int i = 0; i < p->n_calls; i++) {
			size_t n = offsetof(struct call, arg) +
				   p->call[i].n_args * sizeof(struct arg);

			memcpy(h->arena + at, &p->call[i], n);
			at += n;
		}
		h->entry[h->corpus] = (struct entry){ h->used, len };
		h->used = at;
		__atomic_add_fetch(&h->corpus, 1, __ATOMIC_RELEASE);
	}
	unlock(h);
}

static void corpus_get(struct hunt *h, unsigned int i, struct prog *p)
{
	const uint8_t *at = h->arena + h->entry[i].at;

	memcpy(p, at, offsetof(struct prog, call));
	at += offsetof(struct prog, call);
	for (unsigned int k = 0; k < p->n_calls; k++) {
		size_t n = offsetof(struct call, arg);

		memcpy(&p->call[k], at, n);
		n += p->call[k].n_args * sizeof(struct arg);
		memcpy(&p->call[k], at, n);
		at += n;
	}
}

static char *read_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text = calloc(1, TEXT_MAX + 1);
	ssize_t n = fd < 0 ? -1 : read(fd, text, TEXT_MAX);

	if (fd >= 0)
		close(fd);
	if (n < 0) {
		free(text);
		return NULL;
	}
	return text;
}

int prog_read(struct prog *p, const char *path)
{
	char *text = read_file(path);
	int err = text ? prog_parse(p, text) : -ENOENT;

	free(text);
	return err;
}

int prog_write(const struct prog *p, const char *path, const char *head)
{
	static char text[TEXT_MAX];
	char name[600];
	FILE *f;

	if (prog_print(p, text, sizeof(text)) < 0)
		return -E2BIG;
	snprintf(name, sizeof(name), "%s.new", path);
	f = fopen(name, "we");
	if (!f)
		return -errno;
	fprintf(f, "%s%s", head, text);
	if (fclose(f))
		return -EIO;
	return rename(name, path) ? -errno : 0;
}

static void load_corpus(struct hunt *h)
{
	static struct prog p;
	char path[600];
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "%s/corpus", directory);
	mkdir(path, 0755);
	d = opendir(path);
	while (d && (e = readdir(d))) {
		snprintf(path, sizeof(path), "%s/corpus/%s", directory, e->d_name);
		if (strstr(e->d_name, ".txt") && !strstr(e->d_name, ".new") &&
		    !prog_read(&p, path))
			corpus_add(h, &p);
	}
	if (d)
		closedir(d);
}

static void save_corpus(struct hunt *h, unsigned int from, uint64_t seed)
{
	static struct prog p;
	char path[600];

	for (unsigned int i = from; i < __atomic_load_n(&h->corpus, __ATOMIC_ACQUIRE); i++) {
		corpus_get(h, i, &p);
		snprintf(path, sizeof(path), "%s/corpus/%016llx-%u.txt", directory,
			 (unsigned long long)seed, i);
		prog_write(&p, path, "");
	}
}

static void make_program(struct executor *x)
{
	struct hunt *h = x->h;
	unsigned int n = __atomic_load_n(&h->corpus, __ATOMIC_ACQUIRE), i;
	struct prog *p = &x->s->prog;
	static struct prog other;

	x->as_it_is = h->replayed < h->loaded;
	if (x->as_it_is) {
		i = __atomic_fetch_add(&h->replayed, 1, __ATOMIC_RELAXED);
		x->as_it_is = i < h->loaded;
	}
	if (x->as_it_is) {
		corpus_get(h, i, p);
		return;
	}
	if (one_in(&x->rng, 2)) {
		prog_pair(p, __atomic_fetch_add(&h->pairs, 1, __ATOMIC_RELAXED), &x->rng);
		return;
	}
	if (!n || one_in(&x->rng, n < 50 ? 2 : 10)) {
		prog_generate(p, &x->rng);
		return;
	}
	i = one_in(&x->rng, 2) && n > 64 ? n - 1 - rnd(&x->rng, 64) : rnd(&x->rng, n);
	corpus_get(h, i, p);
	if (one_in(&x->rng, 8)) {
		corpus_get(h, rnd(&x->rng, n), &other);
		prog_splice(p, &other, &x->rng);
	}
	prog_mutate(p, &x->rng);
	prog_repair(p);
}

/*
 * The last programs of all executors: places in memory that is the host's, too, if
 * QEMU has such a device, so that it has them when the kernel ends. Otherwise, for a
 * run without it, in the file.
 */
static char *map_recent(void)
{
	static const char device[] = "/sys/bus/pci/devices/" IVSHMEM "/resource2";
	char path[600];
	int fd = open(device, O_RDWR | O_CLOEXEC);
	char *p;

	if (fd < 0) {
		snprintf(path, sizeof(path), "%s/recent", directory);
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
		if (fd < 0 || ftruncate(fd, RECENT_SIZE))
			die("%s", path);
	}
	p = mmap(NULL, RECENT_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		die("mmap of the last programs");
	madvise(p, RECENT_SIZE, MADV_DONTFORK);
	close(fd);
	return p;
}

static void log_program(struct executor *x)
{
	char *text = x->recent + (x->number * RECENT + x->seq % RECENT) * (size_t)TEXT_MAX;
	int head = snprintf(text, 64, "## %llu %llu\n", (unsigned long long)x->seq,
			    (unsigned long long)now_ms());

	prog_print(&x->s->prog, text + head, TEXT_MAX - head);
}

static void found(struct executor *x, const char *what)
{
	char path[600];

	if (__atomic_exchange_n(&x->h->stop, 1, __ATOMIC_ACQ_REL))
		return;
	snprintf(x->h->finding, sizeof(x->h->finding), "%s", what);
	snprintf(path, sizeof(path), "%s/finding.txt", directory);
	prog_write(&x->s->prog, path, "");
	printf("FINDING: %s\n", what);
	fflush(stdout);
}

static void count_node(const struct genl_msg *m, void *arg)
{
	unsigned int *n = arg;

	(*n)++;
}

/* Nodes end with their sockets, and processes with them: none is left, or soon */
static bool nothing_left(void)
{
	uint64_t end = now_ms() + LEFT_MS;
	unsigned int n;
	struct genl g;

	if (genl_open(&g, ERLDIST_FAMILY_NAME))
		return true;
	do {
		n = 0;
		genl_dump(&g, ERLDIST_CMD_NODE_GET, NULL, count_node, &n);
		if (n)
			sleep_ms(50);
	} while (n && now_ms() < end);
	genl_close(&g);
	return !n;
}

static void run_one(struct executor *x)
{
	struct hunt *h = x->h;
	uint64_t begin = now_ms(), over;
	enum verdict v;

	kcov_reset(x->s);
	x->s->executed = 0;
	x->s->started = 0;
	v = run_prog(x->s);
	over = x->s->ran_at ? x->s->ran_at : now_ms();
	__atomic_add_fetch(&h->run_ms, over - begin, __ATOMIC_RELAXED);
	__atomic_add_fetch(&h->end_ms, now_ms() - over, __ATOMIC_RELAXED);
	x->seq++;
	__atomic_add_fetch(&h->programs, 1, __ATOMIC_RELAXED);
	__atomic_add_fetch(&h->runners, x->s->started, __ATOMIC_RELAXED);
	__atomic_add_fetch(&h->calls, x->s->executed, __ATOMIC_RELAXED);
	if (x->s->kcov_remote >= 0)
		__atomic_add_fetch(&h->remote, x->s->remote[0], __ATOMIC_RELAXED);
	if (kcov_collect(x->s, &h->all) && !x->as_it_is)
		corpus_add(h, &x->s->prog);
	if (v == TIMED_OUT)
		__atomic_add_fetch(&h->late, 1, __ATOMIC_RELAXED);
	else if (v == HUNG)
		found(x, "a program does not end by SIGKILL");
	else if (v == VIOLATED)
		found(x, x->s->violation);
	else if (x->seq % LEFT_EVERY == 0 && !nothing_left())
		found(x, "a node is left behind by this program or one shortly before");
}

static void count_outcomes(struct executor *x)
{
	for (unsigned int i = 0; i < MAX_DESCS; i++)
		for (unsigned int k = 0; k < ERRNOS; k++)
			__atomic_add_fetch(&x->h->outcomes.n[i][k], x->s->outcomes.n[i][k],
					   __ATOMIC_RELAXED);
}

static void execute(struct hunt *h, unsigned int number, uint64_t seed, uint64_t end)
{
	struct executor x = { .h = h, .number = number, .rng = seed ^ (number + 1) * 0x51ed27ULL };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	x.s = shared_new();
	if (enter_netns())
		die("network namespace");
	kcov_setup(x.s, number);
	x.recent = map_recent();
	while (now_ms() < end && !__atomic_load_n(&h->stop, __ATOMIC_ACQUIRE)) {
		make_program(&x);
		log_program(&x);
		run_one(&x);
	}
	count_outcomes(&x);
	_exit(0);
}

static void put_setting(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, value, strlen(value)) < 0)
		fprintf(stderr, "# %s: errno %d\n", path, errno);
	close(fd);
}

/* Where the module's text begins and ends, roughly */
static bool module_range(unsigned long long *first, unsigned long long *last)
{
	FILE *f = fopen("/proc/kallsyms", "re");
	unsigned long long at;
	char line[300], type;

	*first = ~0ULL;
	*last = 0;
	while (f && fgets(line, sizeof(line), f)) {
		if (!strstr(line, "\t[erldist]") || sscanf(line, "%llx %c", &at, &type) != 2 ||
		    (type | 32) != 't')
			continue;
		if (at < *first)
			*first = at;
		if (at > *last)
			*last = at;
	}
	if (f)
		fclose(f);
	return *last;
}

static void fault_setting(const char *kind, const char *name, const char *f, ...)
{
	char path[200], value[40];
	va_list ap;

	va_start(ap, f);
	vsnprintf(value, sizeof(value), f, ap);
	va_end(ap);
	snprintf(path, sizeof(path), "/sys/kernel/debug/%s/%s", kind, name);
	put_setting(path, value);
}

/*
 * What fails: allocations and copies with a function of the module on their stack. Those
 * that may wait fail, too, and nothing is said about it.
 */
static void fault_settings(void)
{
	static const char *const kinds[] = { "failslab", "fail_page_alloc", "fail_usercopy" };
	unsigned long long first, last;
	bool filter = module_range(&first, &last);

	for (unsigned int i = 0; i < ARRAY_SIZE(kinds); i++) {
		fault_setting(kinds[i], "verbose", "0");
		if (i < 2)
			fault_setting(kinds[i], "ignore-gfp-wait", "N");
		if (!filter)
			continue;
		fault_setting(kinds[i], "stacktrace-depth", "32");
		fault_setting(kinds[i], "require-start", "%#llx", first);
		fault_setting(kinds[i], "require-end", "%#llx", last + 4096);
	}
	fault_setting("fail_page_alloc", "min-order", "0");
}

/* What fails, and that the module is held up here and there (erldist/modules/stall.c) */
void kernel_settings(void)
{
	fault_settings();
	put_setting("/sys/module/erldist/parameters/stall", "70");
}

static void save_pcs(const struct coverage *all)
{
	char path[600];
	FILE *f;

	snprintf(path, sizeof(path), "%s/pcs", directory);
	f = fopen(path, "we");
	if (!f)
		return;
	for (uint32_t i = 0; i < PC_BITS; i++)
		if (all->pcs[i / 64] >> (i & 63) & 1)
			fprintf(f, "%#x\n", i);
	fclose(f);
}

static void report(struct hunt *h, uint64_t since)
{
	uint64_t ms = now_ms() - since;

	printf("%4llu s: %llu programs (%llu/s), %llu calls, %u PCs, signal %u, corpus %u, late %llu, runners %llu, ms %llu+%llu, remote %llu\n",
	       (unsigned long long)ms / 1000, (unsigned long long)h->programs,
	       (unsigned long long)(h->programs * 1000 / (ms + 1)),
	       (unsigned long long)h->calls, h->all.n_pcs, h->all.n_signal, h->corpus,
	       (unsigned long long)h->late, (unsigned long long)h->runners,
	       (unsigned long long)(h->run_ms / (h->programs + 1)),
	       (unsigned long long)(h->end_ms / (h->programs + 1)),
	       (unsigned long long)h->remote);
	fflush(stdout);
}

static unsigned int most_frequent(const uint64_t *n)
{
	unsigned int best = 1;

	for (unsigned int k = 2; k < ERRNOS; k++)
		if (n[k] > n[best])
			best = k;
	return best;
}

/* A description of which no call succeeds is wrong, or what it needs is hardly ever there */
static void report_outcomes(struct hunt *h)
{
	for (unsigned int i = 0; i < desc_count(); i++) {
		uint64_t *n = h->outcomes.n[i], all = 0;

		for (unsigned int k = 0; k < ERRNOS; k++)
			all += n[k];
		printf("%-16s %8llu calls, %5.1f %% succeed;", desc_of(i)->name,
		       (unsigned long long)all, 100.0 * n[0] / (all ? all : 1));
		for (unsigned int k = 0; k < 3; k++) {
			unsigned int err = most_frequent(n);

			if (n[err])
				printf(" %s %.1f %%", strerrorname_np(err), 100.0 * n[err] / all);
			n[err] = 0;
		}
		puts("");
	}
	fflush(stdout);
}

static void manage(struct hunt *h, uint64_t seed, uint64_t end, unsigned int saved)
{
	uint64_t start = now_ms(), next = start + REPORT_MS;

	while (now_ms() < end && !__atomic_load_n(&h->stop, __ATOMIC_ACQUIRE)) {
		sleep_ms(500);
		if (h->corpus > saved) {
			unsigned int n = h->corpus;

			save_corpus(h, saved, seed);
			saved = n;
		}
		if (now_ms() > next) {
			report(h, start);
			save_pcs(&h->all);
			next += REPORT_MS;
		}
	}
	report(h, start);
	save_pcs(&h->all);
}

static int hunt(uint64_t seed, unsigned int seconds, unsigned int executors)
{
	struct hunt *h = mmap(NULL, sizeof(*h), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uint64_t end = now_ms() + seconds * 1000ULL;
	unsigned int loaded;
	pid_t pid[EXECUTORS];

	if (h == MAP_FAILED)
		die("mmap");
	kernel_settings();
	load_corpus(h);
	loaded = h->corpus;
	h->loaded = loaded;
	h->pairs = seed & 0xffff;
	printf("seed %#llx, corpus %u, calls described %u, pairs %u\n",
	       (unsigned long long)seed, loaded, desc_count(), pair_count());
	fflush(stdout);
	for (unsigned int i = 0; i < executors; i++) {
		pid[i] = fork();
		if (!pid[i])
			execute(h, i, seed, end);
	}
	manage(h, seed, end, loaded);
	for (unsigned int i = 0; i < executors; i++)
		waitpid(pid[i], NULL, 0);
	report_outcomes(h);
	return h->stop ? 2 : 0;
}

static int repeat(const char *path, unsigned int times)
{
	struct shared *s = shared_new();
	struct prog *p = &s->prog;

	if (prog_read(p, path)) {
		fprintf(stderr, "%s: not a program\n", path);
		return 1;
	}
	kernel_settings();
	if (enter_netns())
		return 1;
	for (unsigned int i = 0; i < times; i++) {
		enum verdict v = run_prog(s);

		if (verbose && (v != RAN || i == times - 1))
			for (unsigned int k = 0; k < p->n_calls; k++)
				printf("x%u = %s: %ld\n", k, desc_of(p->call[k].desc)->name,
				       s->ret[k]);
		if (v == HUNG || v == VIOLATED) {
			printf("FINDING: %s\n", v == HUNG ?
			       "a program does not end by SIGKILL" : s->violation);
			return 2;
		}
	}
	return 0;
}

/* Programs that were made, without running them: for a look, and for a test of text */
static int generate(uint64_t seed, unsigned int n)
{
	static struct prog p, q;
	static char text[TEXT_MAX], again[TEXT_MAX];

	for (unsigned int i = 0; i < n; i++) {
		if (i & 1)
			prog_pair(&p, i, &seed);
		else
			prog_generate(&p, &seed);
		for (unsigned int k = i % 5; k; k--)
			prog_mutate(&p, &seed);
		prog_repair(&p);
		if (prog_print(&p, text, sizeof(text)) < 0 || prog_parse(&q, text) ||
		    prog_print(&q, again, sizeof(again)) < 0 || strcmp(text, again)) {
			printf("%s\nis not what is read:\n%s", text, again);
			return 1;
		}
		if (verbose)
			puts(text);
	}
	return 0;
}

static bool read_recent(unsigned int place, char text[TEXT_MAX + 1])
{
	char path[600];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/recent", directory);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = pread(fd, text, TEXT_MAX, place * (size_t)TEXT_MAX);
	text[n < 0 ? 0 : n] = 0;
	close(fd);
	return n > 0;
}

/* When and where the last programs of all executors are */
static int recent(void)
{
	static char text[TEXT_MAX + 1];
	unsigned long long seq, ms;

	for (unsigned int i = 0; i < EXECUTORS * RECENT; i++)
		if (read_recent(i, text) && sscanf(text, "## %llu %llu", &seq, &ms) == 2)
			printf("%llu %u\n", ms, i);
	return 0;
}

static int extract(unsigned int place)
{
	static char text[TEXT_MAX + 1];

	if (!read_recent(place, text))
		return 1;
	fputs(text, stdout);
	return 0;
}

static int print(const char *path, const char *sources)
{
	static struct prog p;

	if (prog_read(&p, path)) {
		fprintf(stderr, "%s: not a program\n", path);
		return 1;
	}
	return print_c(&p, sources, stdout);
}

static const char usage[] =
	"hunt run DIRECTORY SEED SECONDS EXECUTORS\n"
	"hunt repeat|verbose FILE TIMES\n"
	"hunt shrink DIRECTORY TIMES\n"
	"hunt generate|show SEED NUMBER\n"
	"hunt recent DIRECTORY\n"
	"hunt extract DIRECTORY PLACE\n"
	"hunt print FILE SOURCES\n";

int main(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";

	verbose = !strcmp(verb, "verbose") || !strcmp(verb, "show");
	if (argc > 2)
		directory = argv[2];
	if (!strcmp(verb, "pause"))
		return pause();
	if (!strcmp(verb, "run") && argc == 6)
		return hunt(strtoull(argv[3], NULL, 0), atoi(argv[4]), atoi(argv[5]));
	if ((!strcmp(verb, "repeat") || !strcmp(verb, "verbose")) && argc == 4)
		return repeat(argv[2], atoi(argv[3]));
	if (!strcmp(verb, "shrink") && argc == 4)
		return shrink(argv[2], atoi(argv[3]));
	if ((!strcmp(verb, "generate") || !strcmp(verb, "show")) && argc == 4)
		return generate(strtoull(argv[2], NULL, 0), atoi(argv[3]));
	if (!strcmp(verb, "recent") && argc == 3)
		return recent();
	if (!strcmp(verb, "extract") && argc == 4)
		return extract(atoi(argv[3]));
	if (!strcmp(verb, "print") && argc == 4)
		return print(argv[2], argv[3]);
	fputs(usage, stderr);
	return 1;
}
