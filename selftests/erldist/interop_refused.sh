#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What would make an Erlang node close the connection, or die, is refused: a
# native process cannot cut off its neighbours by what it sends.
# shellcheck source=selftests/erldist/lib_interop.sh disable=SC2317
. "$(dirname "$(readlink -f "$0")")/lib_interop.sh"

refused()
{
	start_node svc || return
	beam b -- interop_refused "svc@$HOST"
}

interop refused
