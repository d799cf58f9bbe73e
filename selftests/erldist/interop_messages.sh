#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Messages between an Erlang node and native processes: every kind of term, up
# to 64 MiB, and their order.
# shellcheck source=selftests/erldist/lib_interop.sh disable=SC2317
. "$(dirname "$(readlink -f "$0")")/lib_interop.sh"

messages()
{
	local path

	start_node svc || return
	path=$(echo_program) || {
		report 1 "there is an echo program"
		return
	}
	start_program echo "$path" || return
	beam b -- interop_messages "svc@$HOST"
}

interop messages
