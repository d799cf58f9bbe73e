// SPDX-License-Identifier: GPL-2.0-only
/*
 * A QEMU plugin: what emulated processors execute and have to look up, between the
 * marks of the bench. Writes a line of numbers for each of two processors to
 * out=PATH, of what enum count has.
 *
 * It does as QEMU 7.2 (accel/tcg) does. A block of code goes on to the next one
 * by itself if that was known when it was made and is in the same page. Else the
 * next one is looked up in a table of 4096, and if it is not there in a hash of
 * all of them. The page of an address is looked up in a table (one for the kernel,
 * one for programs), and among 8 that others have taken the place of. If it is not
 * there the page table is walked. Loading CR3 empties all that, and makes a table
 * larger that was full to seven tenths.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "plugin.h"

#define PAGE_BITS	12
#define JUMPS		4096
#define JUMPS_PAGE	64	/* for those of one page */
#define PAGES_FIRST	256
#define PAGES		4096
#define VICTIMS		8
#define CPUS		2

EXPORT int qemu_plugin_version = 1;

enum count { INSTRUCTIONS, ACCESSES, BLOCKS, JUMPS_FOUND, JUMPS_MISSED, WALKS, LOCKED, N_COUNTS };

struct block {
	uint64_t address;
	size_t n, locked;	/* instructions */
	bool goes_on;		/* to what comes behind, or is named, if it is near */
};

struct pages {
	uint64_t in[PAGES], out[VICTIMS];
	unsigned int size, used;	/* of in */
	unsigned int next;		/* in out */
};

static struct cpu {
	const struct block *last;
	uint64_t jumps[JUMPS];
	struct pages pages[2];
	uint64_t n[N_COUNTS];
} cpus[CPUS];

static const char *path;
static bool counting;

static void start(unsigned int cpu, void *data)
{
	counting = true;
}

static void stop(unsigned int cpu, void *data)
{
	counting = false;
}

static void add(struct cpu *c, enum count which, uint64_t n)
{
	if (counting)
		c->n[which] += n;
}

static void forget(unsigned int cpu, void *data)
{
	struct pages *pages = cpus[cpu].pages;

	memset(cpus[cpu].jumps, 0, sizeof(cpus[cpu].jumps));
	for (; pages < cpus[cpu].pages + 2; pages++) {
		if (pages->used * 10 > pages->size * 7 && pages->size < PAGES)
			pages->size *= 2;
		pages->used = 0;
		memset(pages->in, 0, sizeof(pages->in));
		memset(pages->out, 0, sizeof(pages->out));
	}
}

static void look_up_page(struct cpu *c, uint64_t address)
{
	struct pages *pages = &c->pages[address >> 63];
	uint64_t page = address >> PAGE_BITS, old;
	uint64_t *in = &pages->in[page % pages->size];

	if (*in == page)
		return;
	old = *in;
	pages->used += !old;
	*in = page;
	for (int i = 0; i < VICTIMS; i++) {
		if (pages->out[i] == page) {
			pages->out[i] = old;
			return;
		}
	}
	pages->out[pages->next++ % VICTIMS] = old;
	add(c, WALKS, 1);
}

static void accessed(unsigned int cpu, uint32_t info, uint64_t address, void *data)
{
	add(&cpus[cpu], ACCESSES, 1);
	look_up_page(&cpus[cpu], address);
}

/* tb_jmp_cache_hash_func() */
static unsigned int jump_hash(uint64_t pc)
{
	uint64_t mixed = pc ^ (pc >> 6);

	return ((mixed >> 6) & (JUMPS - JUMPS_PAGE)) | (mixed & (JUMPS_PAGE - 1));
}

static void look_up_block(struct cpu *c, uint64_t address)
{
	uint64_t *in = &c->jumps[jump_hash(address)];

	if (*in == address) {
		add(c, JUMPS_FOUND, 1);
		return;
	}
	*in = address;
	add(c, JUMPS_MISSED, 1);
	look_up_page(c, address);
}

static void executed(unsigned int cpu, void *data)
{
	const struct block *b = data;
	struct cpu *c = &cpus[cpu];
	bool near = c->last && c->last->goes_on &&
		    c->last->address >> PAGE_BITS == b->address >> PAGE_BITS;

	c->last = b;
	add(c, INSTRUCTIONS, b->n);
	add(c, LOCKED, b->locked);
	add(c, BLOCKS, 1);
	if (!near)
		look_up_block(c, b->address);
}

static bool is_prefix(uint8_t p)
{
	return p == 0xf2 || p == 0xf3 || p == 0x66 || p == 0x2e || p == 0x3e || (p & 0xf0) == 0x40;
}

/* Not after what goes where a register or memory says, nor what changes how to go on */
static bool goes_on(const struct qemu_plugin_insn *insn)
{
	const uint8_t *p = qemu_plugin_insn_data(insn);
	size_t n = qemu_plugin_insn_size(insn);

	for (; n > 1 && is_prefix(*p); p++)
		n--;
	switch (*p) {
	case 0xc2: case 0xc3:	/* ret */
	case 0xcf:		/* iret */
	case 0xf4:		/* hlt */
	case 0xfb: case 0x9d:	/* sti, popf */
		return false;
	case 0xff:		/* call, jmp */
		return ((p[1] >> 3) & 7) != 2 && ((p[1] >> 3) & 7) != 4;
	case 0x0f:		/* syscall, sysret, mov cr, wrmsr */
		return p[1] != 0x05 && p[1] != 0x07 && p[1] != 0x22 && p[1] != 0x30;
	}
	return true;
}

static bool loads_cr3(const struct qemu_plugin_insn *insn)
{
	const uint8_t *p = qemu_plugin_insn_data(insn);

	return qemu_plugin_insn_size(insn) == 3 && p[0] == 0x0f && p[1] == 0x22 &&
	       ((p[2] >> 3) & 7) == 3;
}

static void look_at(struct qemu_plugin_insn *insn)
{
	int mark = mark_of(insn);

	qemu_plugin_register_vcpu_mem_cb(insn, accessed, CB_NO_REGS, MEM_READ_AND_WRITE, NULL);
	if (mark >= 0)
		qemu_plugin_register_vcpu_insn_exec_cb(insn, mark ? start : stop, CB_NO_REGS,
						       NULL);
	if (loads_cr3(insn))
		qemu_plugin_register_vcpu_insn_exec_cb(insn, forget, CB_NO_REGS, NULL);
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t n = qemu_plugin_tb_n_insns(tb);
	struct block *b = calloc(1, sizeof(*b));

	b->address = qemu_plugin_tb_vaddr(tb);
	b->n = n;
	b->goes_on = goes_on(qemu_plugin_tb_get_insn(tb, n - 1));
	qemu_plugin_register_vcpu_tb_exec_cb(tb, executed, CB_NO_REGS, b);
	for (size_t i = 0; i < n; i++) {
		b->locked += is_locked(qemu_plugin_tb_get_insn(tb, i));
		look_at(qemu_plugin_tb_get_insn(tb, i));
	}
}

static void finish(qemu_plugin_id_t id, void *data)
{
	FILE *f = fopen(path, "w");

	for (int cpu = 0; f && cpu < CPUS; cpu++) {
		for (int i = 0; i < N_COUNTS; i++)
			fprintf(f, "%" PRIu64 " ", cpus[cpu].n[i]);
		fputc('\n', f);
	}
	if (f)
		fclose(f);
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv)
{
	path = path_of(argc, argv);
	if (!path)
		return -1;
	for (int i = 0; i < CPUS * 2; i++)
		cpus[i / 2].pages[i % 2].size = PAGES_FIRST;
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	qemu_plugin_register_atexit_cb(id, finish, NULL);
	return 0;
}
