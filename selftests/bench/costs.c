// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an emulated processor takes for what tables.c counts: prints
 * "instruction access block found missed walk locked", in nanoseconds.
 */
#include <sys/mman.h>

#include "bench.h"

#define N	64		/* of each, one after the other */
#define TIMES	20000
#define ROUNDS	9		/* the least of them */
#define PAGE	4096
#define PAGES	2048
/* The table of blocks has one place for addresses this far from each other. */
#define SAME_PLACE	(16 << 20)
#define CODE	(SAME_PLACE + 2 * PAGE)

#define REPEAT(text)	asm volatile(".rept 64\n" text "\n.endr" : : "r"(word) : "rax", "memory")

static uint64_t *word;
static uint8_t *code, *many;

static void do_nothing(void) { REPEAT(""); }
static void do_instructions(void) { REPEAT("lea 1(%%rax), %%rax"); }
static void do_loads(void) { REPEAT("mov (%0), %%rax"); }
static void do_jumps(void) { REPEAT("jmp 1f\n1:"); }
static void do_locked(void) { REPEAT("lock incl (%0)"); }
static void do_calls(void) { ((void (*)(void))code)(); }

static void do_pages(void)
{
	static unsigned int at;

	for (int i = 0; i < N; i++, at++)
		*(volatile uint8_t *)(many + at % PAGES * PAGE);
}

static double cost_of(void (*what)(void))
{
	double least = 0, ns;
	uint64_t start;

	for (int round = 0; round < ROUNDS; round++) {
		start = now_ns();
		for (int i = 0; i < TIMES; i++)
			what();
		ns = (double)(now_ns() - start) / TIMES / N;
		least = !round || ns < least ? ns : least;
	}
	return least;
}

static uint8_t *write_call(uint8_t *p, uint8_t *to)
{
	int32_t distance = to - (p + 5);

	*to = 0xc3;
	*p = 0xe8;
	memcpy(p + 1, &distance, sizeof(distance));
	return p + 5;
}

/* N calls of two functions in other pages, one so many bytes behind the other */
static void write_calls(size_t apart)
{
	static const uint8_t start[] = { 0xb9, N / 2, 0, 0, 0 };	/* mov $N / 2, %ecx */
	static const uint8_t end[] = { 0xff, 0xc9, 0x75, 0xf2, 0xc3 };	/* dec, jnz, ret */
	uint8_t *p = code;

	memcpy(p, start, sizeof(start));
	p = write_call(p + sizeof(start), code + PAGE);
	p = write_call(p, code + PAGE + apart);
	memcpy(p, end, sizeof(end));
}

static void *memory(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE | PROT_EXEC,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED || madvise(p, bytes, MADV_NOHUGEPAGE))
		die("mmap");
	return p;
}

int main(void)
{
	double none, instruction, access, block, calls, found, missed;

	word = memory(PAGE);
	code = memory(CODE);
	many = memory((size_t)PAGES * PAGE);
	memset(many, 1, (size_t)PAGES * PAGE);
	none = cost_of(do_nothing);
	instruction = cost_of(do_instructions) - none;
	access = cost_of(do_loads) - none - instruction;
	block = cost_of(do_jumps) - none - instruction;
	/* A call and a return, both of which are looked up, and half of a loop */
	write_calls(PAGE + 64);
	calls = cost_of(do_calls) - none;
	found = (calls - 3 * instruction - 2 * access - 2.5 * block) / 2;
	write_calls(SAME_PLACE);
	missed = cost_of(do_calls) - none - calls + found;
	printf("%.2f %.2f %.2f %.2f %.2f %.2f %.2f\n", instruction, access, block, found, missed,
	       cost_of(do_pages) - cost_of(do_loads), cost_of(do_locked) - none);
	return 0;
}
