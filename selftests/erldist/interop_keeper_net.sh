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
	check "nothing is left of the attempts" no_attempts
	end_child "$BEAM_PID"
	end_child "$NODE_PID"
}

# Neither sockets nor children of the keeper
no_attempts()
{
	local pid

	sleep 8
	pid=$(pgrep -f "node run svc@near")
	near ss -tn state syn-sent | grep 10.77 && return 1
	! pgrep -P "$pid"
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
	stop_children
	no_network
}

interop net
