// SPDX-License-Identifier: GPL-2.0-only
/*
 * A QEMU plugin: how many instructions a guest executed where, between two
 * marks that programs of the bench set around what they measure. Writes lines
 * "ADDRESS INSTRUCTIONS LOCKED", one for each block of code, to out=PATH; locked
 * are those that several processors would have to agree on.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin.h"

EXPORT int qemu_plugin_version = 1;

struct block {
	struct block *next;
	uint64_t address;
	uint64_t now;		/* counted in line by the guest's code */
	uint64_t total;		/* of what was between marks */
	size_t n, locked;	/* instructions in it */
};

static struct block *blocks;
static const char *path;

static void start(unsigned int cpu, void *data)
{
	for (struct block *b = blocks; b; b = b->next)
		b->now = 0;
}

static void stop(unsigned int cpu, void *data)
{
	for (struct block *b = blocks; b; b = b->next) {
		b->total += b->now;
		b->now = 0;
	}
}

static void look_for_mark(struct qemu_plugin_insn *insn)
{
	int mark = mark_of(insn);

	if (mark >= 0)
		qemu_plugin_register_vcpu_insn_exec_cb(insn, mark ? start : stop, CB_NO_REGS,
						       NULL);
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t n = qemu_plugin_tb_n_insns(tb);
	struct block *b = calloc(1, sizeof(*b));

	b->address = qemu_plugin_tb_vaddr(tb);
	b->n = n;
	b->next = blocks;
	blocks = b;
	qemu_plugin_register_vcpu_tb_exec_inline(tb, INLINE_ADD_U64, &b->now, n);
	for (size_t i = 0; i < n; i++) {
		look_for_mark(qemu_plugin_tb_get_insn(tb, i));
		b->locked += is_locked(qemu_plugin_tb_get_insn(tb, i));
	}
}

static void finish(qemu_plugin_id_t id, void *data)
{
	FILE *f = fopen(path, "w");

	for (struct block *b = blocks; f && b; b = b->next) {
		if (b->total)
			fprintf(f, "%" PRIx64 " %" PRIu64 " %" PRIu64 "\n", b->address,
				b->total, b->total / b->n * b->locked);
	}
	if (f)
		fclose(f);
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv)
{
	path = path_of(argc, argv);
	if (!path)
		return -1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	qemu_plugin_register_atexit_cb(id, finish, NULL);
	return 0;
}
