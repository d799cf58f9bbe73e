#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Run the unit tests and print one TAP stream, the output of each test in front
# of its line. Called by make check.

count=0
failed=0

# run NAME COMMAND...
run()
{
	name=$1
	shift
	count=$((count + 1))
	{ "$@" 2>&1; echo $? >"$OUT/status"; } | sed 's/^/# /'
	read -r status <"$OUT/status"
	if [ "$status" = 0 ]; then
		echo "ok $count $name"
	else
		echo "not ok $count $name # exit=$status"
		failed=1
	fi
}

skip()
{
	count=$((count + 1))
	echo "ok $count $1 # SKIP $2"
}

OUT=$(cd "$OUT" && pwd)
export OUT
echo "TAP version 13"
for t in $TESTS; do
	run "$t" "$OUT/$t"
done
if [ -n "$ERL" ]; then
	run scan.escript ./scan.escript "$TERMS" ${SEED:+"$SEED"}
else
	skip scan.escript "no erl"
fi
echo "1..$count"
exit $failed
