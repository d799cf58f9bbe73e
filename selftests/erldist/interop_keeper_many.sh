#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A node that keeps a hundred others up, which then are all cut at once.
# shellcheck source=selftests/erldist/lib_interop.sh disable=SC2317
. "$(dirname "$(readlink -f "$0")")/lib_interop.sh"

nothing() { :; }

many()
{
	local program line

	OTP=none
	program=$(dirname "$(command -v erldist)")/tests/keepers
	while IFS= read -r line; do
		case $line in
		'ok '*) report 0 "${line#* - }" ;;
		'not ok '*) report 1 "${line#* - }" ;;
		*) echo "# $line" ;;
		esac
	done < <("$program" "${KEEPERS:-100}" 2>&1)
}

interop nothing many
