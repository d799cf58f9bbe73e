#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Native processes of a node in other namespaces: handed out over an AF_UNIX path,
# used by Erlang, and ended with who asked; askers that mean no good.
# shellcheck source=selftests/erldist/lib_interop.sh disable=SC2317
. "$(dirname "$(readlink -f "$0")")/lib_interop.sh"

containers()
{
	local path where

	path=$(echo_program) || {
		report 1 "there is an echo program"
		return
	}
	# others than root have to come to the path
	chmod 711 "$TMP"
	ip netns add "c$OTP" || {
		report 1 "there is a network namespace"
		return
	}
	where=$TMP/svc.sock
	start_node svc --hand-out "$where" --hand-out-mode 0666 || return
	beam b -- interop_containers "svc@$HOST" "c$OTP" "$where" "$path" "$NODE_PID"
	stop_children
	check "the path goes with the broker" test ! -e "$where"
	ip netns del "c$OTP"
}

interop containers
