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

# process: the server of --serve-info ends, the node that it is of does not
server_is_killed()
{
	local rex

	rex=$(erldist -j process show | jq -r "select(.name == \"rex\") | .pid" |
		grep "^<info@$HOST")
	erldist exit --node "svc@$HOST" "$rex" kill &&
		logged "it is opened again" "$TMP/info.log" && kill -0 "$1"
}

is_served()
{
	[ "$(erldist rpc --node "svc@$HOST" info erlang node '[]')" = "info@$HOST" ]
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
	check "the server of a node can be killed" server_is_killed "$NODE_PID"
	check "and it is served again" wait_for 10 is_served
}

interop served
