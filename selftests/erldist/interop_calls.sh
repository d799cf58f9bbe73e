#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Calls of native processes to gen_servers of an Erlang node, rpc, casts; links,
# monitors, exits and aliases of native processes; by liberldist and erldist.
# Both Erlang/OTPs at once: half of it is waiting. INTEROP_THREADS, INTEROP_CALLS
# of each, INTEROP_LONGEST (ms) and INTEROP_RAIN (messages in 10 ms) make the storm
# of calls larger; it may then need a larger INTEROP_TIME.
# shellcheck source=selftests/erldist/lib_interop.sh disable=SC2317
. "$(dirname "$(readlink -f "$0")")/lib_interop.sh"

begun=()
kept=()

# A node for each Erlang/OTP, which its programs find in their environment
begin()
{
	local path

	path=$(puppet) || {
		report 1 "there is a program puppet"
		return
	}
	start_node "svc$OTP" || return
	kept+=("${children[@]}")
	# what it prints is read when all have ended
	(
		export ERLDIST_NODE=svc$OTP@$HOST
		beam "b$OTP" -- interop_calls "$ERLDIST_NODE" "$path" "c$OTP"
		check "ping of the own node" erldist ping --timeout 10 "$ERLDIST_NODE"
	) > "$TMP/calls$OTP" &
	begun+=("$OTP" $!)
	children=()
}

all()
{
	local i line

	for ((i = 0; i < ${#begun[@]}; i += 2)); do
		wait "${begun[i + 1]}"
		OTP=${begun[i]}
		while IFS= read -r line; do
			case $line in
			'ok '*) report 0 "${line#*: }" ;;
			'not ok '*) report 1 "${line#*: }" ;;
			*) echo "$line" ;;
			esac
		done < "$TMP/calls$OTP"
	done
	children=("${kept[@]}")
}

interop begin all
