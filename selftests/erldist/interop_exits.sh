#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Ends of native processes, calls to them: what an Erlang node is told.
# shellcheck source=selftests/erldist/lib_interop.sh disable=SC2317
. "$(dirname "$(readlink -f "$0")")/lib_interop.sh"

exits()
{
	start_node svc || return
	beam b -- interop_exits "svc@$HOST"
}

interop exits
