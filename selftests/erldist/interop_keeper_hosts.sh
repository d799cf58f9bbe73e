#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A node that keeps a hundred others up, on ten hosts with an epmd each: they come up
# soon, and do so again when the network was gone for as long as all of them noticed.
# shellcheck source=selftests/erldist/lib_interop.sh disable=SC2317
. "$(dirname "$(readlink -f "$0")")/lib_interop.sh"

HOSTS=10
EACH=10
LIMIT=$((30000 * SLOW))	# milliseconds
TICKTIME=$((4 * SLOW))

hub() { ip netns exec hub "$@"; }

nothing() { :; }

# number
add_host()
{
	local i=$1

	ip netns add "h$i" &&
		ip link add "to$i" netns hub type veth peer name eth0 netns "h$i" || return
	ip -n hub address add "10.80.$i.1/24" dev "to$i"
	ip -n "h$i" address add "10.80.$i.2/24" dev eth0
	ip -n hub link set "to$i" up
	ip -n "h$i" link set lo up
	ip -n "h$i" link set eth0 up
	mkdir -p "/etc/netns/h$i"
	printf '%s\n' "127.0.0.1 localhost" "10.80.$i.2 h$i" "10.80.$i.1 hub" > "/etc/netns/h$i/hosts"
	echo "10.80.$i.2 h$i" >> /etc/netns/hub/hosts
}

network()
{
	local i

	ip netns add hub || return
	ip -n hub link set lo up
	mkdir -p /etc/netns/hub
	echo "127.0.0.1 localhost" > /etc/netns/hub/hosts
	for ((i = 0; i < HOSTS; i++)); do
		add_host "$i" || return
	done
}

no_network()
{
	local i pids

	for ((i = 0; i < HOSTS; i++)); do
		mapfile -t pids < <(ip netns pids "h$i")
		[ ${#pids[@]} -eq 0 ] || kill "${pids[@]}"
		ip netns delete "h$i"
		rm -rf "/etc/netns/h$i"
	done
	ip netns delete hub
	rm -rf /etc/netns/hub
}

# number: a daemon with the host's nodes
start_host()
{
	local i=$1 j file

	mkdir "$TMP/h$i"
	for ((j = 0; j < EACH; j++)); do
		file=$TMP/h$i/n$j.conf
		printf '%s\n' "name = n$j@h$i" "cookie = $COOKIE" "ticktime = $TICKTIME" > "$file"
		chmod 600 "$file"
	done
	ip netns exec "h$i" erldistd --config "$TMP/h$i" > "$TMP/h$i.log" 2>&1 &
	children+=($!)
}

# text, file, how many lines have it, at least
has_lines()
{
	[ "$(grep -c -- "$1" "$2")" -ge "$3" ]
}

start_hosts()
{
	local i

	for ((i = 0; i < HOSTS; i++)); do
		start_host "$i"
	done
	for ((i = 0; i < HOSTS; i++)); do
		wait_for 60 has_lines "is running" "$TMP/h$i.log" "$EACH" && continue
		sed 's/^/# /' "$TMP/h$i.log"
		report 1 "the nodes of host $i start"
		return 1
	done
}

now()
{
	date +%s%3N
}

# when it began: until all are up, within the time
all_up()
{
	local want=$((HOSTS * EACH)) up=0

	while [ "$up" -lt "$want" ] && [ $(($(now) - $1)) -lt "$LIMIT" ]; do
		sleep 0.2
		up=$(hub erldist peer show | grep -c ' up node hub@hub ')
	done
	echo "$up of $want are up after $(($(now) - $1)) ms"
	[ "$up" -eq "$want" ] && [ $(($(now) - $1)) -lt "$LIMIT" ]
}

# The numbers of the connections: none is one that was there before
connections()
{
	hub erldist -j peer show | jq 'select(.state == "up") | .connection' | sort -u
}

all_new()
{
	connections > "$TMP/after"
	wc -l "$TMP/before" "$TMP/after"
	[ "$(wc -l < "$TMP/after")" -eq $((HOSTS * EACH)) ] &&
		[ -z "$(comm -12 "$TMP/before" "$TMP/after")" ]
}

# up or down
links()
{
	local i

	for ((i = 0; i < HOSTS; i++)); do
		ip -n "h$i" link set eth0 "$1"
	done
}

none_up()
{
	[[ $(hub erldist peer show) != *" up node hub@hub "* ]]
}

keep_all()
{
	local keep=() i j begin came

	for ((i = 0; i < HOSTS; i++)); do
		for ((j = 0; j < EACH; j++)); do
			keep+=(--keep "n$j@h$i")
		done
	done
	begin=$(now)
	hub erldist node run hub@hub --no-listen --cookie "$COOKIE" --ticktime "$TICKTIME" \
		"${keep[@]}" > "$TMP/hub.log" 2>&1 &
	children+=($!)
	came=$(all_up "$begin")
	report $? "$((HOSTS * EACH)) nodes on $HOSTS hosts: $came"
	connections > "$TMP/before"
	links down
	check "without a network none is" wait_for 30 none_up
	sleep 2
	links up
	came=$(all_up "$(now)")
	report $? "with it: $came"
	check "each by a new connection" all_new
}

hosts()
{
	OTP=none
	network || skip "no network namespaces"
	start_hosts && keep_all
	stop_children
	no_network
}

command -v erldistd > /dev/null || skip "no erldistd in PATH"
command -v jq > /dev/null || skip "no jq"
interop nothing hosts
