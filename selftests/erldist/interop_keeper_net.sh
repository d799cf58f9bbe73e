#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A native node and Erlang nodes on two hosts: addresses and name servers that
# lead nowhere, no epmd, one port for all, one interface.
# shellcheck source=selftests/erldist/lib_interop.sh disable=SC2317
. "$(dirname "$(readlink -f "$0")")/lib_interop.sh"

near() { ip netns exec near "$@"; }
far() { ip netns exec far "$@"; }

# Host "half" has addresses of which one leads somewhere, "gone" has none such
hosts()
{
	local net

	for net in near far; do
		mkdir -p "/etc/netns/$net"
		cat > "/etc/netns/$net/hosts" <<-END
			127.0.0.1 localhost
			10.77.0.1 near
			10.77.0.2 far
			fd77::2 far6
			fd77::1 near6
			10.77.0.9 half
			10.77.0.10 half
			fd77::9 half
			10.77.0.2 half
			10.77.0.9 gone
			10.77.0.10 gone
		END
		echo "hosts: files dns" > "/etc/netns/$net/nsswitch.conf"
		echo "nameserver 10.77.0.9" > "/etc/netns/$net/resolv.conf"
	done
}

# What is sent to 9 and 10 arrives where it is nobody's
network()
{
	local mac=02:00:00:00:00:02

	ip netns add near && ip netns add far || return
	ip link add near0 netns near type veth peer name far0 netns far address "$mac" || return
	ip -n near link set lo up
	ip -n far link set lo up
	ip -n near address add 10.77.0.1/24 dev near0
	ip -n far address add 10.77.0.2/24 dev far0
	ip -n near address add fd77::1/64 dev near0 nodad
	ip -n far address add fd77::2/64 dev far0 nodad
	ip -n near link set near0 up
	ip -n far link set far0 up
	ip -n near neigh add 10.77.0.9 lladdr "$mac" dev near0 nud permanent
	ip -n near neigh add 10.77.0.10 lladdr "$mac" dev near0 nud permanent
	ip -n near neigh add fd77::9 lladdr "$mac" dev near0 nud permanent
	hosts
}

no_network()
{
	far epmd -kill > /dev/null 2>&1
	near epmd -kill > /dev/null 2>&1
	ip netns delete near
	ip netns delete far
	rm -rf /etc/netns/near /etc/netns/far
}

# name, options: a node on the near host
near_node()
{
	local name=$1
	shift
	ip netns exec near erldist node run "$name" --cookie "$COOKIE" "$@" > "$TMP/$name.log" 2>&1 &
	NODE_PID=$!
	children+=("$NODE_PID")
	wait_for 20 grep -q 'is running' "$TMP/$name.log" && return
	sed 's/^/# /' "$TMP/$name.log"
	report 1 "node $name starts"
	return 1
}

# name, flags: an Erlang node on the far host
far_beam()
{
	local name=$1
	shift
	ip netns exec far erl -sname "$name" -setcookie "$COOKIE" -noinput +fnu "$@" \
		-eval 'file:write_file(init:get_plain_arguments(), "up")' \
		-extra "$TMP/$name.up" > "$TMP/$name.log" 2>&1 < /dev/null &
	BEAM_PID=$!
	children+=("$BEAM_PID")
	wait_for 60 test -e "$TMP/$name.up" && rm "$TMP/$name.up" && return
	sed 's/^/# /' "$TMP/$name.log"
	report 1 "Erlang node $name starts"
	return 1
}

# local node, node
pings()
{
	near erldist ping --node "$1" --timeout $((20 * SLOW)) "$2"
}

# local node, Erlang node that pings it
beam_pings()
{
	says "${3:-pong}" near erldist rpc --node asker@near --timeout $((20000 * SLOW)) \
		"$2" net_adm ping "['$1']"
}

# seconds, text, command...: it says so within the time
within()
{
	local limit=$1 begin=$SECONDS
	shift
	says "$@" || return
	echo "after $((SECONDS - begin)) s"
	[ $((SECONDS - begin)) -le $((limit * SLOW)) ]
}

# While one peer's host is silent, another one is connected and answers
beside()
{
	local silent

	pings svc@near b@gone > /dev/null 2>&1 &
	silent=$!
	sleep 1
	within 5 pong pings svc@near b@half || return
	kill -0 "$silent" && wait "$silent"
	[ $? -eq 1 ]
}

unreachable()
{
	far_beam b@half || return
	near_node svc@near || return
	check "half of the addresses lead nowhere: connected all the same" \
		within 6 pong pings svc@near b@half
	check "no address leads anywhere: an answer within the setup time" \
		within 14 "gone does not answer" pings svc@near b@gone
	sleep 6
	check "of which other peers notice nothing" beside
	check "a name server that is silent: the same" \
		within 14 "nowhere was not resolved in time" pings svc@near b@nowhere
	far epmd -kill > /dev/null 2>&1 || far pkill -x epmd
	check "no epmd: an answer at once" within 5 "no epmd answers on far" pings svc@near x@far
	check "connections that there are stay" within 5 pong pings svc@near b@half
	check "nothing is left of the attempts" wait_for 8 no_attempts
	end_child "$BEAM_PID"
	end_child "$NODE_PID"
}

# Neither sockets nor children of the keeper
no_attempts()
{
	local pid

	pid=$(pgrep -f "node run svc@near")
	near ss -tn state syn-sent | grep 10.77 && return 1
	! pgrep -P "$pid"
}

# node, seconds, lines: a program of that node does what they say, within the time
does()
{
	local node=$1 limit=$(($2 * 1000 * SLOW)) begin took
	shift 2
	begin=$(date +%s%3N)
	printf '%s\n' "$@" | near env "ERLDIST_NODE=$node" "$PUPPET"
	took=$(($(date +%s%3N) - begin))
	echo "after $took ms"
	[ "$took" -le "$limit" ]
}

# nodes: who sends to a process there, and monitors it, gets an answer in the time that
# a connection has, which is 3 s
sender_is_told()
{
	local node lines=() output status=0

	for node in "$@"; do
		lines+=("send x@$node hello" "monitor x@$node 7")
	done
	for node in "$@"; do
		lines+=("recv 30000")
	done
	output=$(does svc@near 5 "${lines[@]}") || status=$?
	echo "$output"
	[ "$(grep -c '^down 7 .* noconnection$' <<< "$output")" -eq $# ] &&
		[ "$status" -eq 0 ] && return
	tail -n 12 "$TMP/svc@near.log"
	return 1
}

# What the keeper holds: descriptors and children
holds()
{
	local pids fds

	mapfile -t pids < <(pgrep -P "$SVC")
	fds=("/proc/$SVC/fd"/*)
	echo "${#fds[@]} descriptors, ${#pids[@]} children"
}

holds_only()
{
	[ "$(holds)" = "$1" ] && near erldist node show svc@near | grep -q ' handshakes 0 ' &&
		near erldist node show svc@near | grep -q ' pool-used 0 '
}

holds_no_more()
{
	wait_for 10 holds_only "$1" && return
	echo "it was: $1"
	holds
	ps -o pid=,stat=,args= --ppid "$SVC"
	near erldist node show svc@near
	return 1
}

# remote node: the number of its connection
connection()
{
	near erldist -j peer show "$1" |
		jq 'select(.node == "svc@near" and .state == "up") | .connection'
}

# What a good peer sees of those that are not: it is connected, and answers
meanwhile()
{
	local silent status=0

	near erldist peer disconnect --node svc@near b@half
	sender_is_told a1@gone a2@gone a3@gone a4@nowhere a5@nowhere a6@nowhere > "$TMP/silent" &
	silent=$!
	sleep 1
	# a name that is resolved, and half of whose addresses are silent
	within 5 pong pings svc@near b@half || status=1
	wait "$silent" || status=1
	cat "$TMP/silent"
	return "$status"
}

is_connection()
{
	local now
	now=$(connection "$1")
	echo "connection $now, was $2"
	[ -n "$now" ] && [ "$now" = "$2" ]
}

epmd_again()
{
	local first pid

	first=$(connection b@half)
	# not those of the other host, which are as near
	for pid in $(ip netns pids far); do
		[ "$(cat "/proc/$pid/comm")" != epmd ] || kill "$pid"
	done
	check "no epmd: a sender is told at once" sender_is_told y@far
	check "who is connected is so still" is_connection b@half "$first"
	far epmd -daemon
	wait_for 15 registered_far b
	near erldist peer disconnect --node svc@near b@half
	check "an epmd again: connected anew" within 6 pong pings svc@near b@half
}

registered_far()
{
	far epmd -names | grep -q "^name $1 "
}

# Nobody is there any more, and then is
link_down()
{
	ip -n far link set far0 down
	check "no link: a sender is told" sender_is_told z@far
	check "who was connected is down soon" wait_for 15 gone b@half
	ip -n far link set far0 up
	check "with the link it is connected again" wait_for 20 pings svc@near b@half
}

gone()
{
	[ -z "$(connection "$1")" ]
}

# Times are those of a node whose connections have 3 s each, and which notices soon
senders()
{
	local first held ticktime=$((8 * SLOW))

	PUPPET=$(puppet) || {
		report 1 "there is a program puppet"
		return
	}
	far_beam b@half -kernel net_ticktime "$ticktime" || return
	near_node good@near --ticktime "$ticktime" || return
	near_node svc@near --setuptime 3 --ticktime "$ticktime" || return
	SVC=$NODE_PID
	pings svc@near b@half > /dev/null
	pings svc@near good@near > /dev/null
	first=$(connection good@near)
	sender_is_told w@gone v@nowhere > /dev/null
	sleep 1
	held=$(holds)
	check "who sends to a silent host is told in time" sender_is_told s@gone
	check "so is who sends where the name server is silent" sender_is_told s@nowhere
	check "many of both, while another peer is connected" meanwhile
	check "who was connected before notices nothing" is_connection good@near "$first"
	check "nothing is left of all that" holds_no_more "$held"
	epmd_again
	link_down
	check "nor of this" holds_no_more "$held"
	check "and the other one noticed nothing" is_connection good@near "$first"
	stop_children
}

one_port()
{
	far_beam d@far -erl_epmd_port 14600 -start_epmd false || return
	near_node asker@near --dist-port 14600 || return
	check "a port for everybody: no epmd is asked" within 6 pong pings asker@near d@far
	check "nor by Erlang" beam_pings asker@near d@far
	check "there is no epmd" nobody near epmd
	end_child "$NODE_PID"
	end_child "$BEAM_PID"
}

nobody()
{
	! "$1" bash -c ": < /dev/tcp/127.0.0.1/$ERL_EPMD_PORT" 2> /dev/null
}

interfaces()
{
	far_beam b@far || return
	near_node asker@near --no-listen || return
	near_node svc@near --listen 10.77.0.1:0 || return
	check "one address: reached there" beam_pings svc@near b@far
	end_child "$NODE_PID"
	near_node svc@near --listen 127.0.0.1:0 || return
	check "another one: not" beam_pings svc@near b@far pang
	end_child "$NODE_PID"
	end_child "$BEAM_PID"
	far_beam b@far6 -proto_dist inet6_tcp || return
	near_node svc@near6 --listen '[fd77::1]:0' || return
	check "IPv6: to Erlang" pings svc@near6 b@far6
	check "and from there" beam_pings svc@near6 b@far6
	stop_children
}

net()
{
	network || skip "no network namespaces"
	unreachable
	one_port
	interfaces
	senders
	stop_children
	no_network
}

interop net
