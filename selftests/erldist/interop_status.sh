#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What there is, seen from both sides: erldist status, nodes and monitor, and
# Erlang's nodes/1, node/1 and disconnect_node/1 of a native node.
# shellcheck source=selftests/erldist/lib_interop.sh disable=SC2317
. "$(dirname "$(readlink -f "$0")")/lib_interop.sh"

status()
{
	local path puppet

	check "without a node, status says so" no_node
	path=$(echo_program) || {
		report 1 "there is an echo program"
		return
	}
	puppet=$(puppet) || {
		report 1 "there is a program puppet"
		return
	}
	check "a visible node is refused, and why" visible_refused
	# its names are told to everyone
	start_node svc --mode 0666 || return
	start_program echo "$path" || return
	beam b -- interop_status "svc@$HOST" "$puppet"
	check "status and peer show tell of a ping that failed" shown_after_ping
	check "monitor --since-start has no gap while names come and go" since_start
	check "events that are lost: monitor says resync, and tells what there is" overrun
	stop_children
	closed
	not_up
}

no_node()
{
	[ "$(erldist status)" = "there is no node on this machine (network namespace); \
start one with 'erldist node run NAME' or erldistd" ] &&
		[ "$(erldist -j status --interval 0 | jq -c .nodes)" = "[]" ]
}

# The peer that is kept up and is not there
gone()
{
	erldist -j status --interval 0 | jq -e ".nodes[].peers[] | select(.name == \"gone@$HOST\") | $1"
}

failed_often()
{
	gone '.attempts >= 3'
}

# Each of eight samples has it, with all that there is to tell
samples()
{
	local i

	for i in 1 2 3 4 5 6 7 8; do
		gone '.state != "up" and .attempts >= 3 and .reason == "unreachable" and
			(.explanation | contains("knows no node")) and .since > 0 and
			has("retry")' || return 1
		sleep 0.6
	done
}

shown()
{
	erldist status --interval 0 |
		grep -qE "^  gone@$HOST +down .* [0-9]+ failed attempts, (the next in [1-5] s|connecting): gone@$HOST: the epmd on $HOST knows no node"
}

# A connection has failed: status shows it, though it measures for as long as the kernel
# remembers that, and peer show says the same
shown_after_ping()
{
	local i words="nosuch@$HOST: the epmd on $HOST knows no node of that name"

	for i in 1 2 3; do
		erldist ping nosuch
		erldist status > "$TMP/status"
		cat "$TMP/status"
		grep -q "^  nosuch@$HOST .* 1 failed attempt: $words" "$TMP/status" || return
		erldist ping nosuch
		says " reason unreachable explanation $words" erldist peer show nosuch || return
		sleep 2
	done
}

once()
{
	cat "$1"
	[ "$(grep -c "knows no node" "$1")" = 1 ]
}

# Root hears the names of a node that is its own user's alone
closed()
{
	start_node svc || return
	erldist monitor > "$TMP/closed" 2>&1 &
	children+=("$!")
	check "monitor of root tells names whatever the mode" wait_for 10 heard_closed
	stop_children
}

heard_closed()
{
	timeout 2 erldist recv secret
	grep -q "^name-new secret <svc@$HOST" "$TMP/closed" &&
		grep -q "^name-del secret <svc@$HOST" "$TMP/closed"
}

# A peer to be kept up that is not there
not_up()
{
	start_node svc --keep gone || return
	check "a peer that is kept and cannot be reached is tried again" wait_for 30 failed_often
	check "it is in each of 8 samples, with reason, attempts, and the next one" samples
	check "and to be read" wait_for 5 shown
	check "its log has one line of it" once "$TMP/svc.log"
	start_beam gone -setcookie "$COOKIE" || return
	check "ping waits for the next try, and does not tell of the last" says pong erldist ping gone
	check "when it is there, it is up" wait_for 15 gone '.state == "up" and .attempts == null'
	check "and the log says how often that failed" \
		logged "gone@$HOST had failed" "$TMP/svc.log"
	stop_children
}

visible_refused()
{
	local said

	! said=$(erldist node run seen --cookie "$COOKIE" --visible 2>&1) || return 1
	echo "$said"
	[[ $said == *"seen@$HOST cannot be visible"*"global"*hidden* ]]
}

# file: replayed as a program would, with each begin and end once; what there is
replay()
{
	jq -n -r '
		def key: .name + " " + .pid;
		reduce (inputs | select(.name)) as $e ({now: {}, bad: []};
			($e | key) as $k | ($e.name) as $n |
			if $e.event == "name-new" then
				(if .now[$n] == $k then .bad += ["twice " + $k] else . end) |
				.now[$n] = $k
			elif .now[$n] == $k then del(.now[$n])
			else .bad += ["no such " + $k] end) |
		(.bad[] | "bad: " + .), (.now | keys[])' "$1"
}

# Names that come and go until told to stop
churn()
{
	local pid

	while [ ! -e "$TMP/stop" ]; do
		erldist recv "n$1" > /dev/null 2>&1 &
		pid=$!
		wait_for 10 registered "n$1"
		kill "$pid"
		wait "$pid"
	done 2> /dev/null
}

# Of them, all that monitor have heard
churned()
{
	local i

	for i in 1 2 3 4 5 6 7 8; do
		[ "$(grep -c '"name-del"' "$TMP/since$i")" -ge 4 ] || return 1
	done
}

since_start()
{
	local i pid churns=() status=0

	rm -f "$TMP/stop"
	for i in 1 2 3 4; do
		churn "$i" &
		churns+=($!)
	done
	for i in 1 2 3 4 5 6 7 8; do
		erldist -j monitor --since-start > "$TMP/since$i" &
		children+=($!)
		sleep 0.05
	done
	wait_for 20 churned || status=1
	touch "$TMP/stop"
	wait "${churns[@]}"
	wait_for 10 no_churn
	for pid in "${children[@]: -8}"; do
		kill -INT "$pid"
	done
	for i in 1 2 3 4 5 6 7 8; do
		wait_for 5 test -s "$TMP/since$i"
		[ "$(head -n 1 "$TMP/since$i" | jq -r .event)" = resync ] || status=1
		[ "$(grep -c '"resync-end"' "$TMP/since$i")" = 1 ] || status=1
		replay "$TMP/since$i" > "$TMP/replayed"
		[ "$(cat "$TMP/replayed")" = echo ] || {
			cat "$TMP/replayed"
			status=1
		}
	done
	return "$status"
}

no_churn()
{
	! erldist process show | grep -q ' name n[1-4] '
}

# Each name comes and goes: more than a monitor's socket holds
many_names()
{
	local i names=()

	for i in {1..100}; do
		timeout 2 erldist recv "o$i" > /dev/null 2>&1 &
		names+=($!)
		((i % 25)) || {
			wait "${names[@]}"
			names=()
		}
	done
}

# A monitor that is stopped meanwhile
overrun()
{
	local pid

	erldist -j monitor > "$TMP/overrun" &
	pid=$!
	children+=("$pid")
	wait_for 10 heard "$TMP/overrun" || return 1
	kill -STOP "$pid"
	many_names
	kill -CONT "$pid"
	wait_for 20 grep -q resync-end "$TMP/overrun" || return 1
	kill -INT "$pid"
	sed -n '/"event":"resync"/,$p' "$TMP/overrun" > "$TMP/after"
	[ "$(replay "$TMP/after")" = echo ]
}

heard()
{
	timeout 0.5 erldist recv heard
	[ -s "$1" ]
}

interop status
