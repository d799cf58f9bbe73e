#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Deaths of native processes that Erlang processes are linked to and monitor: each
# way, ERLDIST_DEATHS (1000) in a row, thousands at once.
# shellcheck source=selftests/erldist/lib_interop.sh disable=SC2317
. "$(dirname "$(readlink -f "$0")")/lib_interop.sh"

deaths()
{
	start_node svc || return
	beam b +P 100000 -- interop_deaths "svc@$HOST"
}

interop deaths
