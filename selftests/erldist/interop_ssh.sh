#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# An Erlang node on a host that only the gate reaches, through OpenSSH on the gate:
# with ssh -W for each connection, and through a tunnel that is there.
# shellcheck source=selftests/erldist/lib_interop.sh disable=SC2317
. "$(dirname "$(readlink -f "$0")")/lib_interop.sh"

SSHD=${SSHD:-/usr/sbin/sshd}
PORT=9100		# of the Erlang node
TUNNEL=127.0.0.1:14600

# Nothing is forwarded between us and the far host
network()
{
	ip netns add gate && ip netns add far || return
	ip link add gate0 type veth peer name us0 netns gate &&
		ip -n gate link add far0 type veth peer name gate0 netns far || return
	ip address add 10.79.0.1/24 dev gate0
	ip -n gate address add 10.79.0.2/24 dev us0
	ip -n gate address add 10.79.1.1/24 dev far0
	ip -n far address add 10.79.1.2/24 dev gate0
	ip link set gate0 up
	ip -n gate link set us0 up
	ip -n gate link set far0 up
	ip -n far link set lo up
	ip -n far link set gate0 up
	mkdir -p /etc/netns/gate /etc/netns/far
	echo "10.79.1.2 far" > /etc/netns/gate/hosts
	printf '127.0.0.1 localhost\n10.79.1.2 far\n' > /etc/netns/far/hosts
}

no_network()
{
	ip netns exec far epmd -kill > /dev/null 2>&1
	ip netns delete far
	ip netns delete gate
	rm -rf /etc/netns/far /etc/netns/gate
}

# Keys of this test's own, for the gate and for us
keys()
{
	ssh-keygen -q -t ed25519 -N '' -f "$TMP/host" &&
		ssh-keygen -q -t ed25519 -N '' -f "$TMP/key" &&
		ssh-keygen -q -t ed25519 -N '' -f "$TMP/stranger" || return
	cp "$TMP/key.pub" "$TMP/authorized"
	echo "[10.79.0.2]:2222 $(cut -d ' ' -f 1,2 "$TMP/host.pub")" > "$TMP/known"
	cat > "$TMP/sshd_config" <<-END
		ListenAddress 10.79.0.2:2222
		HostKey $TMP/host
		AuthorizedKeysFile $TMP/authorized
		StrictModes no
		UsePAM no
		PidFile none
	END
	cat > "$TMP/ssh_config" <<-END
		Host gate
			HostName 10.79.0.2
			Port 2222
			User root
			IdentitiesOnly yes
			BatchMode yes
			UserKnownHostsFile $TMP/known
			ExitOnForwardFailure yes
			LogLevel ERROR
	END
}

# What the server takes for granted
server_account()
{
	mkdir -p /run/sshd
	id sshd > /dev/null 2>&1 ||
		useradd --system --no-create-home --home-dir /run/sshd --shell /bin/false sshd
}

start_gate()
{
	ip netns exec gate "$SSHD" -D -e -f "$TMP/sshd_config" > "$TMP/sshd.log" 2>&1 &
	GATE=$!
	children+=("$GATE")
	wait_for 20 grep -q "Server listening" "$TMP/sshd.log" && return
	sed 's/^/# /' "$TMP/sshd.log"
	report 1 "sshd starts"
	return 1
}

far_beam()
{
	ip netns exec far erl -sname b@far -setcookie "$COOKIE" -noinput +fnu \
		-kernel inet_dist_listen_min "$PORT" inet_dist_listen_max "$PORT" \
		-eval 'file:write_file(init:get_plain_arguments(), "up")' \
		-extra "$TMP/b.up" > "$TMP/b.log" 2>&1 < /dev/null &
	children+=($!)
	wait_for 60 test -e "$TMP/b.up" && rm "$TMP/b.up" && return
	sed 's/^/# /' "$TMP/b.log"
	report 1 "Erlang node b@far starts"
	return 1
}

pings()
{
	erldist ping --node "svc@$HOST" --timeout $((60 * SLOW)) b@far
}

ask()
{
	erldist rpc --node "svc@$HOST" --timeout $((30000 * SLOW)) b@far "$@"
}

# It works as any connection does
is_good()
{
	local echo_program

	check "$1: connected" pings
	check "$1: to the node itself" says b@far ask erlang node '[]'
	check "$1: it pings us" says pong ask net_adm ping "['svc@$HOST']"
	check "$1: much out" says 1048576 \
		ask erlang iolist_size "[[$(printf '<<0:1048576>>,%.0s' {1..7})<<0:1048576>>]]"
	check "$1: much in" much_in
	echo_program=$(echo_program) || return
	ERLDIST_NODE=svc@$HOST start_program echo "$echo_program"
	check "$1: it calls a native process" \
		says "{hello,far}" ask gen_server call "[{echo,'svc@$HOST'},{hello,far}]"
	end_child "$PROGRAM_PID"
}

much_in()
{
	local n

	n=$(ask binary copy '[<<"far">>,300000]' | wc -c)
	echo "$n"
	[ "$n" -gt 900000 ]
}

# The sessions of the gate, not the gate
cut_sessions()
{
	local pid

	for pid in $(ip netns pids gate); do
		[ "$pid" = "$GATE" ] || kill "$pid" 2> /dev/null
	done
}

no_ssh()
{
	! pgrep -f "^ssh .*$TMP/ssh_config"
}

by_command()
{
	local ssh="ssh -F $TMP/ssh_config"

	start_node svc --no-listen || return
	check "the far host is not reached, nor known" says "does not resolve" pings
	end_child "$NODE_PID"
	start_node svc --no-listen --connect-with "$ssh -i $TMP/stranger -W %h:%p gate" || return
	check "ssh is refused: pang" says pang pings
	check "ssh says why" logged "Permission denied" "$TMP/svc.log"
	end_child "$NODE_PID"
	# on a busy machine ssh alone takes longer than a connection may
	start_node svc --no-listen --setuptime 60 \
		--connect-with "$ssh -i $TMP/key -W %h:%p gate" || return
	is_good "ssh -W"
	cut_sessions
	check "ssh -W: cut at the gate: told" logged "b@far closed the connection" "$TMP/svc.log"
	sleep 2
	check "ssh -W: connected again" pings
	end_child "$NODE_PID"
	check "ssh -W: nothing of it is left" wait_for 10 no_ssh
}

by_tunnel()
{
	local tunnel

	ssh -F "$TMP/ssh_config" -i "$TMP/key" -N -L "$TUNNEL:far:$PORT" gate \
		> "$TMP/tunnel.log" 2>&1 &
	tunnel=$!
	children+=("$tunnel")
	wait_for 20 knock
	start_node svc --no-listen --no-epmd --peer "b@far=$TUNNEL" || return
	is_good "ssh -L"
	end_child "$tunnel"
	check "ssh -L: the tunnel ends: told" logged "b@far closed the connection" "$TMP/svc.log"
	sleep 2
	check "ssh -L: nothing is there any more" says "nothing listens" pings
	end_child "$NODE_PID"
}

knock()
{
	: < "/dev/tcp/${TUNNEL/:/\/}"
}

through_ssh()
{
	server_account
	network && keys && start_gate && far_beam && {
		by_command
		by_tunnel
	}
	stop_children
	rm -f "$TMP"/{host,key,stranger}{,.pub}
	no_network
}

[ -x "$SSHD" ] || skip "no OpenSSH server ($SSHD)"
command -v ssh > /dev/null || skip "no ssh in PATH"
interop through_ssh
