#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Functions that native nodes serve, or do not, for Erlang nodes and erl_call.
# shellcheck source=selftests/erldist/lib_interop.sh disable=SC2317
. "$(dirname "$(readlink -f "$0")")/lib_interop.sh"

# The program that serves, which comes with the library
served_program()
{
	local path=${ERLDIST_SERVED:-$(dirname "$(command -v erldist)")/tests/served}

	[ -x "$path" ] || return 1
	echo "$path"
}

served()
{
	local path bare

	path=$(served_program) || {
		report 1 "there is a program served"
		return
	}
	start_node svc || return
	start_node bare || return
	bare=$NODE_PID
	start_node info --serve-info || return
	beam b -- interop_served "svc@$HOST" "bare@$HOST" "info@$HOST" "$path" "$bare"
}

interop served
