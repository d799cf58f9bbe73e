/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * QEMU's interface for plugins, version 1, as far as it is used here: Debian has
 * no header for it. And the marks of the bench.
 */
#ifndef ERLDIST_BENCH_PLUGIN_H
#define ERLDIST_BENCH_PLUGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define EXPORT	__attribute__((visibility("default")))

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;

enum { INLINE_ADD_U64 };
enum { CB_NO_REGS };
enum { MEM_READ_AND_WRITE = 3 };

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
					   void (*cb)(qemu_plugin_id_t, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *tb, int op, void *ptr,
					      uint64_t imm);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
					    void (*cb)(unsigned int, void *), int flags,
					    void *data);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb,
					  void (*cb)(unsigned int, void *), int flags,
					  void *data);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *insn,
				      void (*cb)(unsigned int, uint32_t, uint64_t, void *),
				      int flags, int which, void *data);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, void (*cb)(qemu_plugin_id_t, void *),
				    void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t i);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);

/* bench_mark() in bench.h: nopl 0x1de471xx(%rax). Returns xx, or -1. */
static inline int mark_of(const struct qemu_plugin_insn *insn)
{
	static const uint8_t before[] = { 0x0f, 0x1f, 0x80 };
	static const uint8_t behind[] = { 0x71, 0xe4, 0x1d };
	const uint8_t *p = qemu_plugin_insn_data(insn);

	if (qemu_plugin_insn_size(insn) != 7 || memcmp(p, before, sizeof(before)) ||
	    memcmp(p + 4, behind, sizeof(behind)))
		return -1;
	return p[3];
}

/* Kernels on one processor have put 0x3e in place of the prefix. */
static inline bool is_locked(const struct qemu_plugin_insn *insn)
{
	const uint8_t *p = qemu_plugin_insn_data(insn);

	return qemu_plugin_insn_size(insn) > 2 &&
	       (p[0] == 0xf0 || (p[0] == 0x3e && p[1] != 0xff));
}

/* Of the only argument, out=PATH; NULL if it is another */
static inline const char *path_of(int argc, char **argv)
{
	return argc == 1 && !strncmp(argv[0], "out=", 4) ? strdup(argv[0] + 4) : NULL;
}

#endif /* ERLDIST_BENCH_PLUGIN_H */
