/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ERLDIST_HUNT_SHRINK_H
#define ERLDIST_HUNT_SHRINK_H

#include "hunt.h"

int prog_read(struct prog *p, const char *path);
int prog_write(const struct prog *p, const char *path, const char *head);
void kernel_settings(void);
int shrink(const char *directory, unsigned int times);

#endif /* ERLDIST_HUNT_SHRINK_H */
