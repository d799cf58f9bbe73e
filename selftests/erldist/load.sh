#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Load, use and unload the module $ERLDIST_ROUNDS times (50); make and delete as
# many network namespaces with live nodes in them. Memory has to be as it was.
#
# ERLDIST_KO (or ERLDIST_MODULE) names the module file; without it the module is
# loaded by name. ERLDIST_PARAMETERS are its parameters.

KO=${ERLDIST_KO:-$ERLDIST_MODULE}
ROUNDS=${ERLDIST_ROUNDS:-50}
# The first rounds fill caches, and on a debug kernel the quarantine
WARM=$((ROUNDS / 5))
HERE=$(dirname "$(readlink -f "$0")")
LOAD=$HERE/load
failed=0

# shellcheck source=selftests/erldist/lib_memory.sh
. "$HERE/lib_memory.sh"

load()
{
	# shellcheck disable=SC2086
	if [ -n "$KO" ]; then
		insmod "$KO" $ERLDIST_PARAMETERS
	else
		modprobe erldist $ERLDIST_PARAMETERS
	fi
}

# The last socket that was handed over may still be on its way out
unload()
{
	local i

	for i in $(seq 100); do
		rmmod erldist 2> /dev/null && return 0
		[ -d /sys/module/erldist ] || return 0
		sleep 0.05
	done
	rmmod erldist
}

loaded()
{
	[ -d /sys/module/erldist ]
}

# name and result of a test
report()
{
	number=$((number + 1))
	if [ "$2" -eq 0 ]; then
		echo "ok $number $1"
	else
		echo "not ok $number $1"
		failed=1
	fi
}

load_use_unload()
{
	load && "$LOAD" use && unload
}

netns_with_nodes()
{
	"$LOAD" die
}

# Runs $1 that often; memory from round $WARM on
repeat()
{
	local i before after

	for i in $(seq "$ROUNDS"); do
		if ! "$1"; then
			echo "# round $i failed"
			return 1
		fi
		[ "$i" -eq $WARM ] && before=$(memory)
	done
	after=$(memory)
	echo "# $1: $before KiB after $WARM rounds, $after KiB after $ROUNDS"
	as_before "$before" "$after"
}

if [ "$(id -u)" -ne 0 ]; then
	echo "1..0 # SKIP needs root"
	exit 4
fi
was_loaded=no
if loaded; then
	was_loaded=yes
	if ! unload; then
		echo "Bail out! the module is in use"
		exit 1
	fi
fi
if ! load; then
	echo "1..0 # SKIP no module to load"
	exit 4
fi
unload

mount -t debugfs none /sys/kernel/debug 2> /dev/null
number=0
echo "TAP version 13"
echo "1..4"

repeat load_use_unload
report "load, use, unload $ROUNDS times" $?

load
"$LOAD" use
report "the module works after that" $?

repeat netns_with_nodes
report "$ROUNDS namespaces deleted with live nodes" $?

unload
report "the module goes at once when its last socket has gone" $?

[ $was_loaded = yes ] && load
exit $failed
