#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Native processes as children of an OTP supervisor.
# shellcheck source=selftests/erldist/lib_interop.sh disable=SC2317
. "$(dirname "$(readlink -f "$0")")/lib_interop.sh"

supervised()
{
	start_node svc || return
	beam b -- interop_supervisor "svc@$HOST"
}

interop supervised
