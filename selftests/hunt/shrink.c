// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes a failing program smaller. The directory has best.txt, which fails, and state,
 * the number of the next change to try. A change is written to trying.txt before it
 * runs: a host that finds it there after the kernel's end takes it for best.txt, and
 * boots again.
 */
#include "shrink.h"

static int kmsg = -1;

/* True when the kernel said since the last call that something is wrong with it */
static bool kernel_complained(void)
{
	static const char *const words[] = {
		"BUG:", "WARNING:", "Oops", "KASAN:", "UBSAN:", "ODEBUG:", "refcount_t:",
		"suspicious RCU", "inconsistent lock", "possible circular", "possible recursive",
		"blocked for more", "general protection",
	};
	bool complained = false;
	char text[4096];
	ssize_t n;

	if (kmsg < 0) {
		kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		lseek(kmsg, 0, SEEK_END);
		return false;
	}
	while ((n = read(kmsg, text, sizeof(text) - 1)) > 0 || (n < 0 && errno == EPIPE)) {
		if (n < 0)
			continue;
		text[n] = 0;
		for (unsigned int i = 0; i < ARRAY_SIZE(words); i++)
			complained |= strstr(text, words[i]) != NULL;
	}
	return complained;
}

static bool fails(struct shared *s, const struct prog *p, unsigned int times)
{
	kernel_complained();
	for (unsigned int i = 0; i < times; i++) {
		enum verdict v;

		s->prog = *p;
		v = run_prog(s);
		if (v == HUNG || v == VIOLATED || kernel_complained())
			return true;
	}
	/* what works and grace periods do comes later */
	sleep_ms(200);
	return kernel_complained();
}

/* The change with this number, or false: there is none; *same: it changes nothing */
static bool change(struct prog *p, unsigned int number, bool *same)
{
	unsigned int n = p->n_calls;

	*same = false;
	if (number < n) {
		*same = n == 1;
		if (!*same)
			prog_remove(p, n - 1 - number);
		return true;
	}
	number -= n;
	if (number == 0) {
		*same = !p->processes;
		p->processes = 0;
		return true;
	}
	if (number == 1) {
		*same = p->rounds < 2;
		p->rounds = 1;
		return true;
	}
	if (number == 2) {
		*same = p->race_from == n;
		p->race_from = n;
		p->loop_from = n;
		return true;
	}
	if (number == 3) {
		*same = p->loop_from == p->race_from;
		p->loop_from = p->race_from;
		return true;
	}
	number -= 4;
	if (number < n) {
		*same = !p->call[number].nth;
		p->call[number].nth = 0;
		return true;
	}
	number -= n;
	if (number < n) {
		*same = !p->call[number].worker;
		p->call[number].worker = 0;
		return true;
	}
	return false;
}

static unsigned int read_state(const char *path)
{
	FILE *f = fopen(path, "re");
	unsigned int n = 0;

	if (f && fscanf(f, "%u", &n) != 1)
		n = 0;
	if (f)
		fclose(f);
	return n;
}

static void write_state(const char *path, unsigned int n)
{
	FILE *f = fopen(path, "we");

	if (!f)
		die("%s", path);
	fprintf(f, "%u\n", n);
	fclose(f);
}

int shrink(const char *directory, unsigned int times)
{
	char best[600], trying[600], state[600];
	static struct prog p, q;
	struct shared *s = shared_new();
	unsigned int number;
	bool same;

	snprintf(best, sizeof(best), "%s/best.txt", directory);
	snprintf(trying, sizeof(trying), "%s/trying.txt", directory);
	snprintf(state, sizeof(state), "%s/state", directory);
	if (prog_read(&p, best))
		return 1;
	kernel_settings();
	if (enter_netns())
		return 1;
	for (number = read_state(state);; write_state(state, number)) {
		q = p;
		if (!change(&q, number, &same))
			break;
		if (!same) {
			prog_write(&q, trying, "");
			same = !fails(s, &q, times);
			printf("change %u of %u calls: %s\n", number, p.n_calls,
			       same ? "does not fail" : "fails");
			fflush(stdout);
			unlink(trying);
		}
		if (same) {
			number++;
			continue;
		}
		/* the one removed was the number-th from the end: the next has its number */
		p = q;
		prog_write(&p, best, "");
	}
	printf("shrunk to %u calls\n", p.n_calls);
	return 0;
}
