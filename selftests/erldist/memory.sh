#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Kernel memory is as it was when processes with thousands of links and monitors,
# calls, spawned processes and lost nodes are gone. The tests of these run again and
# again: what the first time fills caches with is there before.
HERE=$(dirname "$(readlink -f "$0")")
TESTS="crowd deaths relations signals watch"
ROUNDS=2
# Its rounds run at once, as it waits most of the time
WAITING=signals

# shellcheck source=selftests/erldist/lib_memory.sh
. "$HERE/lib_memory.sh"

export ERLDIST_SCALE=0.05

# Only whether it passes
run() # TEST
{
	local output

	output=$("$HERE/$1" 2>&1) || {
		echo "# ${output//$'\n'/$'\n# '}"
		return 1
	}
}

run_rounds() # TEST
{
	local i pids=()

	for ((i = 0; i < ROUNDS; i++)); do
		if [ "$1" = $WAITING ]; then
			run "$1" &
			pids+=($!)
		else
			run "$1" || return
		fi
	done
	for i in "${pids[@]}"; do
		wait "$i" || return
	done
}

# What the first time fills caches with is the same as what is measured, if tests run
# at once.
#
# What leaks grows each time. A cache can grow in the second round, too: Linux 7 keeps
# free objects for each processor. So growth is looked at once more.
returns() # TEST
{
	local before after

	if [ "$1" = $WAITING ]; then
		run_rounds "$1" || return
	else
		run "$1" || return
	fi
	after=$(memory)
	for _ in 1 2; do
		before=$after
		run_rounds "$1" || return
		after=$(memory)
		echo "# $1: $before KiB, $after KiB after $ROUNDS times more"
		as_before "$before" "$after" && return
	done
	return 1
}

if [ "$(id -u)" -ne 0 ]; then
	echo "1..0 # SKIP needs root"
	exit 4
fi
mount -t debugfs none /sys/kernel/debug 2> /dev/null
if [ -e /sys/kernel/debug/kmemleak ]; then
	echo "1..0 # SKIP kmemleak sees it better"
	exit 4
fi
# shellcheck disable=SC2086
set -- $TESTS
echo "TAP version 13"
echo "1..$#"
number=0
failed=0
for test; do
	number=$((number + 1))
	if returns "$test"; then
		echo "ok $number memory after $test"
	else
		echo "not ok $number memory after $test"
		failed=1
	fi
done
exit $failed
