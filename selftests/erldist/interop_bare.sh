#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A peer that offers only the mandatory distribution flags: interop_bare.py.
# shellcheck source=selftests/erldist/lib_interop.sh disable=SC2317
. "$(dirname "$(readlink -f "$0")")/lib_interop.sh"

bare()
{
	local path

	path=$(puppet) || {
		report 1 "there is a program puppet"
		return
	}
	command -v python3 > /dev/null || skip "no python3"
	start_node svc || return
	export ERLDIST_NODE=svc@$HOST
	peer_program "$HERE/interop_bare.py" "bare@$HOST" "$COOKIE" "$path"
}

interop_without_otp bare
