# SPDX-License-Identifier: GPL-2.0-only
# What the kernel holds, before and after. Sourced.

# KiB that the kernel holds for itself
memory()
{
	sync
	echo 3 > /proc/sys/vm/drop_caches
	sleep 0.3
	awk '/^(Slab|SReclaimable|VmallocUsed|Percpu|KernelStack):/ {
		sum += $1 == "SReclaimable:" ? -$2 : $2 } END { print sum }' \
		/proc/meminfo
}

# What one leaked page a round would come to is more than this
tolerance()
{
	if [ -e /sys/kernel/debug/kmemleak ] ||
	   grep -qw kasan_init /proc/kallsyms 2> /dev/null; then
		echo 6144
	else
		echo 640
	fi
}

as_before() # BEFORE AFTER
{
	[ $(($2 - $1)) -le "$(tolerance)" ]
}
