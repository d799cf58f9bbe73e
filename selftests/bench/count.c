// SPDX-License-Identifier: GPL-2.0-only
/*
 * A QEMU plugin: how many instructions a guest executed where, between two
 * marks that programs of the bench set around what they measure. Writes lines
 * "ADDRESS INSTRUCTIONS LOCKED", one for each block of code, to out=PATH; locked
 * are those that several processors would have to agree on.
 *
 * Debian has no header for plugins: what is used of the interface (version 1)
 * is declared here.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT	__attribute__((visibility("default")))

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;

enum { INLINE_ADD_U64 };
enum { CB_NO_REGS };

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
					   void (*cb)(qemu_plugin_id_t, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *tb, int op, void *ptr,
					      uint64_t imm);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
					    void (*cb)(unsigned int, void *), int flags,
					    void *data);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, void (*cb)(qemu_plugin_id_t, void *),
				    void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t i);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);

EXPORT int qemu_plugin_version = 1;

/* bench_mark() in bench.h: nopl 0x1de471xx(%rax) */
static const uint8_t mark[] = { 0x0f, 0x1f, 0x80 };
static const uint8_t mark_end[] = { 0x71, 0xe4, 0x1d };

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
	const uint8_t *p = qemu_plugin_insn_data(insn);

	if (qemu_plugin_insn_size(insn) == 7 && !memcmp(p, mark, sizeof(mark)) &&
	    !memcmp(p + 4, mark_end, sizeof(mark_end)))
		qemu_plugin_register_vcpu_insn_exec_cb(insn, p[3] ? start : stop, CB_NO_REGS,
						       NULL);
}

/* Kernels on one processor have put 0x3e in place of the prefix. */
static bool is_locked(const struct qemu_plugin_insn *insn)
{
	const uint8_t *p = qemu_plugin_insn_data(insn);

	return qemu_plugin_insn_size(insn) > 2 &&
	       (p[0] == 0xf0 || (p[0] == 0x3e && p[1] != 0xff));
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
	if (argc != 1 || strncmp(argv[0], "out=", 4))
		return -1;
	path = strdup(argv[0] + 4);
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	qemu_plugin_register_atexit_cb(id, finish, NULL);
	return 0;
}
