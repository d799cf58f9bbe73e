#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Programs that are stopped do not make their node look dead; a peer that is
# silent is announced down. Both Erlang/OTPs at once: it is mostly waiting.
# shellcheck source=selftests/erldist/lib_interop.sh disable=SC2317
. "$(dirname "$(readlink -f "$0")")/lib_interop.sh"

begun=()
kept=()

begin()
{
	start_node "svc$OTP" --ticktime 8 || return
	kept+=("${children[@]}")
	# what it prints is read when all have ended
	(
		beam "b$OTP" -kernel net_ticktime 8 -- interop_stop "svc$OTP@$HOST" "$NODE_PID"
	) > "$TMP/stop$OTP" &
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
		done < "$TMP/stop$OTP"
	done
	children=("${kept[@]}")
}

interop begin all
