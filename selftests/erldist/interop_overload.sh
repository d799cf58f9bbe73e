#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Native programs that sleep or never read, and Erlang nodes that are gone: who
# has nothing to do with them is not held up, or not for long.
# shellcheck source=selftests/erldist/lib_interop.sh disable=SC2317
. "$(dirname "$(readlink -f "$0")")/lib_interop.sh"

overload()
{
	start_node svc || return
	beam b -- interop_overload "svc@$HOST" "$NODE_PID"
}

interop overload
