#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A node that keeps a hundred others up, which then are all cut at once; a node
# whose keeper ends and is followed by another one, fifty times.
# shellcheck source=selftests/erldist/lib_interop.sh disable=SC2317
. "$(dirname "$(readlink -f "$0")")/lib_interop.sh"

nothing() { :; }

# program, argument: numbers what it reports
run_program()
{
	local program line

	program=$(dirname "$(command -v erldist)")/tests/$1
	while IFS= read -r line; do
		case $line in
		'ok '*) report 0 "${line#* - }" ;;
		'not ok '*) report 1 "${line#* - }" ;;
		1..*) ;;
		*) echo "# $line" ;;
		esac
	done < <("$program" "$2" 2>&1 || echo "not ok - $1 ends with status $?")
}

many()
{
	OTP=none
	run_program keepers "${KEEPERS:-100}"
	run_program restarts "${RESTARTS:-50}"
}

interop nothing many
