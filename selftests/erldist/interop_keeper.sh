#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What an operator tells a node: names, cookies, epmd, where to listen, whom to
# connect and let in; with Erlang nodes on the other side.
# shellcheck source=selftests/erldist/lib_interop.sh disable=SC2317
. "$(dirname "$(readlink -f "$0")")/lib_interop.sh"

# node, module, function, arguments: what an Erlang node does, asked from the node ctl
ask()
{
	erldist rpc --node "ctl@$HOST" --timeout $((20000 * SLOW)) "$@"
}

# pong or pang, Erlang node, node
beam_pings()
{
	says "$1" ask "$2" net_adm ping "['$3']"
}

# node, node
native_pings()
{
	erldist ping --node "$1@$HOST" --timeout $((10 * SLOW)) "$2@$HOST"
}

# text, options of "erldist node run"...: that fails, and says so
refuses()
{
	local text=$1 output status=0
	shift
	output=$(timeout 30 erldist node run "$@" 2>&1) || status=$?
	echo "$output"
	[ "$status" -eq 1 ] && [[ $output == *"$text"* ]]
}

# Disconnected on both sides: node, Erlang node
apart()
{
	ask "$2@$HOST" erlang disconnect_node "['$1@$HOST']" > /dev/null
	wait_for 10 is_apart "$@"
}

is_apart()
{
	[[ $(erldist peer show) != *"$2@$HOST up node $1@$HOST "* ]]
}

is_up()
{
	[[ $(erldist peer show) == *"$2@$HOST up node $1@$HOST "* ]]
}

mistakes()
{
	echo secret > "$TMP/open"
	check "an unreadable cookie is named" refuses "$TMP/open must be accessible by its owner" \
		x --cookie-file "$TMP/open"
	check "a cookie file that is missing is named" refuses "no cookie file /no/file" \
		x --cookie-file /no/file
	check "a short name with --long-names" refuses "is a short name" x@a --long-names --cookie c
	check "a visible node" refuses "global" x --visible --cookie c
	check "a peer without an address" refuses "b=nowhere" x --peer b=nowhere --cookie c
	check "an address of another host" refuses "192.0.2.1:0" x --listen 192.0.2.1:0 --cookie c
	check "an option's value" refuses "--listen-min: 70000" x --listen-min 70000 --cookie c
	check "a name that epmd has given away" refuses "epmd knows another node b on" b --cookie c
}

names()
{
	hold_node long@l.example.org --cookie "$COOKIE" || return
	check "long to short: the message says so" \
		says "b@$HOST has a short name, long@l.example.org a long one" \
		erldist ping --node long "b@$HOST"
	check "short to long: the message says so" \
		says "long@l.example.org has a long name, ctl@$HOST a short one" \
		erldist ping --node ctl long@l.example.org
	check "nor does Erlang connect the two" beam_pings pang "b@$HOST" long@l.example.org
	end_child "$NODE_PID"
}

made_cookie()
{
	[[ $(cat "$HOME/.erlang.cookie") =~ ^[A-Z]{20}$ ]] &&
		[ "$(stat -c %a "$HOME/.erlang.cookie")" = 400 ]
}

# No tool and no log has it, nor the environment or the arguments of a process
nowhere_shown()
{
	local secret=$TMP/secret

	# from a file, as the arguments of grep are looked at, too
	echo "$1" > "$secret"
	! grep -rlF -f "$secret" "$TMP"/*.log || return 1
	! { erldist node show; erldist -j node show; erldist peer show; dmesg; } |
		grep -F -f "$secret" || return 1
	! grep -laF -f "$secret" /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2> /dev/null
}

cookies()
{
	local secret log=$TMP/svc.log

	rm -f "$HOME/.erlang.cookie"
	hold_node home || return
	check "a cookie is made: 20 capitals, mode 0400" made_cookie
	start_beam c || return
	check "Erlang finds the same" native_pings home c
	end_child "$NODE_PID"
	secret=$(cat "$HOME/.erlang.cookie")
	start_node svc --cookie-for "c=$HOME/.erlang.cookie" || return
	check "a cookie for one node" native_pings svc c
	check "and another one for the others" native_pings svc b
	check "cookies are not shown" nowhere_shown "$secret"
	end_child "$NODE_PID"
	(umask 077 && echo "first-$secret" > "$TMP/cookie")
	hold_node svc --cookie-file "$TMP/cookie" || return
	check "with another cookie: pang" says "other cookie" native_pings svc c
	echo "$secret" > "$TMP/cookie"
	kill -HUP "$NODE_PID"
	check "SIGHUP: read again" logged "is configured again" "$log"
	check "and used" wait_for 10 native_pings svc c
	echo "third-$secret" > "$TMP/cookie"
	kill -HUP "$NODE_PID"
	sleep 1
	check "connections stay" is_up svc c
	chmod 644 "$TMP/cookie"
	kill -HUP "$NODE_PID"
	check "what cannot be read changes nothing" logged "nothing is changed" "$log"
	check "and ends nothing" is_up svc c
	check "cookies are not shown in the end" nowhere_shown "$secret"
	end_child "$NODE_PID"
	end_child "$BEAM_PID"
	rm -f "$HOME/.erlang.cookie" "$TMP/cookie"
}

# name, letter of the node's type
epmd_type_is()
{
	local type

	# PORT_PLEASE2_REQ, and the type is the fifth byte of the answer
	exec 9<> "/dev/tcp/127.0.0.1/$ERL_EPMD_PORT" || return
	printf '%b' "\\0000\\x$(printf %02x $((${#1} + 1)))z$1" >&9
	type=$(dd bs=5 count=1 <&9 2> /dev/null | tail -c 1)
	exec 9>&-
	echo "$type"
	[ "$type" = "$2" ]
}

epmds()
{
	start_node svc || return
	check "registered as hidden" epmd_type_is svc H
	check "Erlang finds it" beam_pings pong "b@$HOST" "svc@$HOST"
	# shellcheck disable=SC2046
	kill -KILL $(pidof epmd)
	check "epmd is gone: told" logged "not registered" "$TMP/svc.log"
	epmd -daemon
	check "it is back: the name is, too" wait_for 15 in_epmd svc
	wait_for 15 in_epmd b
	check "nothing of that ended a connection" is_up svc b
	check "and Erlang finds it again" beam_pings pong "b@$HOST" "svc@$HOST"
	end_child "$NODE_PID"
	start_node svc --epmd-type normal || return
	check "registered as normal" epmd_type_is svc M
	end_child "$NODE_PID"
	start_node svc --epmd 127.0.0.1:14370 || return
	check "another epmd, which is started" says "name svc " epmd -port 14370 -names
	end_child "$NODE_PID"
	epmd -port 14370 -kill > /dev/null 2>&1
	start_node svc --epmd :14371 --no-epmd-start || return
	check "not started if not wanted: told" logged "not registered with epmd on port 14371" \
		"$TMP/svc.log"
	end_child "$NODE_PID"
}

# The child that the port is handed to starts with the first connection
start_activated()
{
	systemd-socket-activate -E ERL_EPMD_PORT -l 0.0.0.0:14510 \
		erldist node run svc --cookie "$COOKIE" --listen systemd > "$TMP/svc.log" 2>&1 &
	NODE_PID=$!
	children+=("$NODE_PID")
	wait_for 20 knock 14510
}

knock()
{
	: < "/dev/tcp/127.0.0.1/$1"
}

accepting()
{
	local range=(--listen-min 14500 --listen-max 14501) first

	start_node svc "${range[@]}" || return
	first=$NODE_PID
	check "the first port of a range" says ", port 14500," cat "$TMP/svc.log"
	start_node svc2 "${range[@]}" || return
	check "the next one" says ", port 14501," cat "$TMP/svc2.log"
	check "no port left: told" refuses "ports 14500 to 14501" svc3 "${range[@]}" --cookie c
	check "Erlang connects the one" beam_pings pong "b@$HOST" "svc@$HOST"
	check "and the other" beam_pings pong "b@$HOST" "svc2@$HOST"
	end_child "$NODE_PID"
	end_child "$first"
	start_node svc --listen 127.0.0.1:14502 --listen '[::1]:14502' \
		--listen "unix:$TMP/socket" || return
	check "several places: IPv4" knock 14502
	start_node other --no-epmd --peer "svc=[::1]:14502" || return
	check "IPv6" native_pings other svc
	end_child "$NODE_PID"
	start_node other --no-epmd --no-listen --peer "svc=unix:$TMP/socket" || return
	check "a path" native_pings other svc
	stop_others
	if command -v systemd-socket-activate > /dev/null; then
		start_activated
		check "sockets that systemd hands over" logged "is running, port 14510" \
			"$TMP/svc.log"
		check "are listened at" beam_pings pong "b@$HOST" "svc@$HOST"
		stop_others
	fi
	start_node svc --max-per-address 1 || return
	check "limit: one connection from an address" beam_pings pong "b@$HOST" "svc@$HOST"
	native_pings ctl svc > /dev/null
	check "not two: told" logged "limit of connections from one address" "$TMP/svc.log"
	check "nor is the other one connected" is_apart ctl svc
	apart svc b
	check "when it is over there may be one again" wait_for 10 native_pings ctl svc
	stop_others
	start_node svc --max-handshakes 1 || return
	exec 8<> "/dev/tcp/127.0.0.1/$(port_of svc)"
	wait_for 10 in_handshake
	check "limit: one handshake at a time: the next one is taken" native_pings ctl svc
	check "and the silent one is closed" timeout 10 cat <&8
	exec 8>&-
	stop_others
	start_node svc --no-listen || return
	check "who accepts nobody is not registered" says "not" not_in_epmd svc
	check "but connects" native_pings svc b
	stop_others
}

port_of()
{
	sed -n 's/.* is running, port \([0-9]*\),.*/\1/p' "$TMP/$1.log"
}

not_in_epmd()
{
	in_epmd "$1" || echo not
}

# All but the Erlang node and ctl
stop_others()
{
	local pid

	for pid in "${children[@]}"; do
		[ "$pid" = "$B" ] || [ "$pid" = "$CTL" ] || end_child "$pid"
	done
}

connecting()
{
	start_node svc --keep b || return
	check "a node that is kept comes up by itself" wait_for 20 is_up svc b
	ask "b@$HOST" erlang disconnect_node "['svc@$HOST']" > /dev/null
	check "told when it was cut" logged "closed the connection" "$TMP/svc.log"
	check "and comes up again" wait_for 20 is_up svc b
	end_child "$NODE_PID"
	start_node svc --dist-auto-connect never || return
	check "never: the message says so" says "does not connect it by itself" native_pings svc b
	check "never, but for others" beam_pings pong "b@$HOST" "svc@$HOST"
	end_child "$NODE_PID"
	start_node svc --dist-auto-connect once || return
	check "once: it connects" native_pings svc b
	apart svc b
	check "and not again" says "does not connect it by itself" native_pings svc b
	check "but for others" beam_pings pong "b@$HOST" "svc@$HOST"
	end_child "$NODE_PID"
	start_node svc --connect-with "$(proxy) %h %p" || return
	check "connected by a command" native_pings svc b
	check "which was asked for epmd, and for the node" says "$HOST $ERL_EPMD_PORT" \
		cat "$TMP/proxied"
	check "it works as any connection" beam_pings pong "b@$HOST" "svc@$HOST"
	apart svc b
	check "and the command ends with it" wait_for 10 no_proxy
	end_child "$NODE_PID"
}

no_proxy()
{
	! pgrep -f "^/bin/bash $TMP/proxy "
}

# A program that does what "ssh -W" does
proxy()
{
	cat > "$TMP/proxy" <<-END
		#!/bin/bash
		echo "\$@" >> $TMP/proxied
		exec 3<> "/dev/tcp/\$1/\$2" || exit
		cat <&3 &
		cat <&0 >&3 &
		wait -n
		kill %1 %2
	END
	chmod 755 "$TMP/proxy"
	echo "$TMP/proxy"
}

admission()
{
	start_node svc --allow "b@$HOST" || return
	check "who is in the list is let in" beam_pings pong "b@$HOST" "svc@$HOST"
	check "who is not is refused, told with the address" wait_for 15 not_in_list
	check "the other one is told, too" says "not allow" native_pings ctl svc
	check "nor connected" says "not in the list of nodes" native_pings svc ctl
	end_child "$NODE_PID"
	start_node svc --admit "$(porter)" || return
	check "a program says yes" beam_pings pong "b@$HOST" "svc@$HOST"
	check "it is told node, address and flags" grep -q "^b@$HOST 127.*:[0-9]* 0x[0-9a-f]*$" \
		"$TMP/asked"
	check "it says no, and that is told" wait_for 15 turned_away
	check "to the other one, too" says "not allow" native_pings ctl svc
	hold_node guest --cookie another || return
	check "it says which cookie: that is proven" native_pings guest svc
	end_child "$NODE_PID"
	stop_others
}

not_in_list()
{
	native_pings ctl svc
	grep -qF "ctl@$HOST, from 127." "$TMP/svc.log"
}

# Not at once where ctl met svc just before, which it leaves alone then
turned_away()
{
	native_pings ctl svc
	grep -q "says no, you are not expected" "$TMP/svc.log"
}

# Who is asked whether to let somebody in
porter()
{
	cat > "$TMP/porter" <<-END
		#!/bin/sh
		echo "\$@" >> $TMP/asked
		case \$1 in
		b@*) echo yes ;;
		guest@*) echo cookie another ;;
		*) echo no, you are not expected ;;
		esac
	END
	chmod 755 "$TMP/porter"
	echo "$TMP/porter"
}

# A path is there before anybody listens
listens_at()
{
	grep -q " 00010000 .* $1\$" /proc/net/unix
}

# A handshake of a program's own: without the module's, and without a cookie
own_handshake()
{
	local program

	program=$(dirname "$(echo_program)")/handshake
	"$program" one listen "$TMP/meet" > "$TMP/one.log" 2>&1 &
	children+=($!)
	wait_for 10 listens_at "$TMP/meet"
	"$program" two connect "$TMP/meet" > "$TMP/two.log" 2>&1 &
	children+=($!)
	check "a handshake of its own: up" logged "two@$HOST is up" "$TMP/one.log"
	check "on the other side, too" logged "one@$HOST is up" "$TMP/two.log"
	check "and good for all that a connection is" native_pings one two
	stop_others
	stranger "$program"
	stop_others
}

# The cookie is its program's own, the path open to all
stranger()
{
	rm -f "$TMP/meet"
	(umask 0 && exec "$1" one listen "$TMP/meet") > "$TMP/one.log" 2>&1 &
	children+=($!)
	wait_for 10 listens_at "$TMP/meet"
	chmod 711 "$TMP"
	setpriv --reuid 12345 --clear-groups --inh-caps +net_admin --ambient-caps +net_admin \
		env HOME=/tmp ERL_EPMD_PORT="$ERL_EPMD_PORT" "$1" two connect "$TMP/meet" \
		> "$TMP/two.log" 2>&1 &
	children+=($!)
	check "but for somebody else" logged "somebody else" "$TMP/one.log"
	rm -f /tmp/.erlang.cookie
}

# No node is there but what is made for the command
out_of_nothing()
{
	local dest=b@$HOST pid

	(umask 077 && echo "$COOKIE" > "$HOME/.erlang.cookie")
	check "ping without a node" says pong erldist ping "$dest"
	check "call" says yes erldist call "net_kernel@$dest" "{is_auth,'x@y'}"
	check "rpc: the node is hidden, and has a name that it was given" given_by "$dest"
	check "as all of them have: 20 leave no atom" no_atoms "$dest"
	held "$dest"
	# in JSON it has its creation, which nobody knows who was not connected before
	pid=$(erldist -j rpc "$dest" erlang spawn '[timer,sleep,[100000]]' |
		sed 's/.*"\(<[^"]*>\)".*/\1/')
	check "send, at once" erldist send "$pid" first
	check "send, more than is on its way when that ends" send_much "$pid"
	check "it is there" has_messages "$dest" "$pid" 2
	check "much, again and again" much_again "$dest" "$pid"
	check "nothing of it was lost" has_messages "$dest" "$pid" 12
	start_beam l@127.0.0.1 -setcookie "$COOKIE" || return
	check "a node with a long name is as good" says pong erldist ping l@127.0.0.1
	check "and gives a name, too" given_by l@127.0.0.1
	check "who gives none there meets one of few" not_given l@127.0.0.1
	end_child "$BEAM_PID"
	check "who may not make one is told so" says "needs root (CAP_NET_ADMIN)" \
		setpriv --reuid 12345 --clear-groups env HOME=/tmp erldist ping "$dest"
	rm -f /tmp/.erlang.cookie
	echo another > "$HOME/.erlang.cookie"
	check "with another cookie the message says where ours is from" \
		says "has the one of $HOME/.erlang.cookie" erldist ping "$dest"
	echo "$COOKIE" > "$HOME/.erlang.cookie"
	check "nothing is left of it" wait_for 10 no_nodes
	check "without epmd there the message says so" \
		says "no epmd answers on $HOST; that is this host" \
		env ERL_EPMD_PORT=14999 erldist ping "$dest"
	start_node svc --default || return
	start_node svc2 || return
	check "the node that is marked is the default one" says "[svc@$HOST]" \
		erldist rpc "$dest" erlang nodes '[hidden]'
	end_child "$NODE_PID"
	stop_others
	check "the mark goes with its node" test ! -e /run/erldist/default
	rm -f "$HOME/.erlang.cookie"
}

# node: what the node of a command is called there, as that gives names
given_by()
{
	local name

	name=$(erldist rpc "$1" erlang nodes '[hidden]')
	echo "$name"
	[[ $name =~ ^\[\'?[0-9A-Z]+@$HOST\'?\]$ ]]
}

# node: that lets in only a name which it did not give
not_given()
{
	erldist rpc "$1" net_kernel allow "[['erldist-1@$HOST']]" &&
		says "['erldist-1@$HOST']" erldist rpc "$1" erlang nodes '[hidden]'
}

# node: a command that comes before the end of the one before was seen gets another
# name, once
no_atoms()
{
	local before after _

	for _ in 1 2 3; do
		before=$(erldist rpc "$1" erlang system_info '[atom_count]')
		twenty "$1" || return
		after=$(erldist rpc "$1" erlang system_info '[atom_count]')
		echo "$before, $after"
		[ -z "$before" ] || [ "$before" != "$after" ] || return 0
	done
	return 1
}

twenty()
{
	local _

	for _ in {1..5}; do
		erldist ping "$1" && erldist send "nobody@$1" hello &&
			erldist call "net_kernel@$1" "{is_auth,'x@y'}" &&
			erldist rpc "$1" erlang node '[]' || return
	done
}

# node, file, command...: the command runs "node own", until the descriptor OWN is closed
hold_own()
{
	local node=$1 file=$2
	shift 2
	exec {OWN}> >(exec "$@" erldist node own "$node" > "$TMP/$file")
	wait_for 10 grep -q @ "$TMP/$file"
}

# Nodes for one program that are there for longer: node that names them
held()
{
	local node=$1 first second name creation

	hold_own "$node" own1 env
	first=$OWN name=$(cat "$TMP/own1") creation=$(creation_of "$name")
	check "its creation is what was given with the name" \
		says ",dynamic,$creation,false}" erldist rpc "$node" ets lookup "[sys_dist,'$name']"
	check "no other program uses it" says "not used" not_used "$name" "$node"
	if same_host; then
		hold_own "$node" own2 ip netns exec same
		second=$OWN
		check "one of another machine that is called the same has another name" \
			both_in "$node" "$name" "$(cat "$TMP/own2")"
		check "a native node gives none: one of few" says pong native_ping_from_same
		exec {second}>&-
	fi
	exec {first}>&-
	check "they end with their programs" wait_for 10 no_nodes
	hold_own "$node" own1 env
	first=$OWN name=$(cat "$TMP/own1") creation=$(creation_of "$name")
	exec {first}>&-
	wait_for 10 no_nodes
	sleep 1
	hold_own "$node" own1 env
	first=$OWN
	check "the same name again, with the next creation" \
		next_of "$name" "$creation" "$(cat "$TMP/own1")"
	erldist rpc "$node" erlang disconnect_node "['$(cat "$TMP/own1")']" > /dev/null
	check "without the connection it ends" wait_for 10 no_nodes
	exec {first}>&-
	check "the node that gives the name may be named without its host" \
		named_by_bare "${node%@*}"
	ip netns delete same
	rm -rf /etc/netns/same
}

# Only a BEAM node gives such a name
named_by_bare()
{
	hold_own "$1" own1 env
	cat "$TMP/own1"
	exec {OWN}>&-
	wait_for 10 no_nodes && grep -q '^[0-9A-Z]*@' "$TMP/own1"
}

creation_of()
{
	erldist -j node show "$1" | sed 's/.*"creation":\([0-9]*\).*/\1/'
}

# A network namespace, from which this host is reached by its name
same_host()
{
	ip netns add same &&
		ip link add same0 type veth peer name same1 netns same || return
	mkdir -p /etc/netns/same
	echo "10.78.0.1 $HOST" > /etc/netns/same/hosts
	ip address add 10.78.0.1/24 dev same0
	ip -n same address add 10.78.0.2/24 dev same1
	ip link set same0 up
	ip -n same link set same1 up
}

# name of the one there is, node
not_used()
{
	[[ $(erldist rpc "$2" erlang nodes '[hidden]') =~ ^\[.*,.*\]$ ]] && echo "not used"
}

# node, names
both_in()
{
	local nodes

	nodes=$(erldist rpc --node "$2" "$1" erlang nodes '[hidden]')
	echo "$nodes, $3"
	[ "$2" != "$3" ] && [[ $nodes == *"$2"* && $nodes == *"$3"* ]]
}

native_ping_from_same()
{
	start_node svc && ip netns exec same erldist ping "svc@$HOST" &&
		says "erldist-1@$HOST" erldist peer show
	end_child "$NODE_PID"
}

# name, creation, name of another time
next_of()
{
	echo "$1 $2, $3 $(creation_of "$3")"
	[ "$1" = "$3" ] && [ "$(creation_of "$3")" -eq $(($2 + 1)) ]
}

# node, pid, how many
has_messages()
{
	says "{message_queue_len,$3}" erldist rpc "$1" erlang process_info "[$2,message_queue_len]"
}

send_much()
{
	erldist send "$1" "[$(printf '<<0:1048576>>,%.0s' {1..8})last]"
}

# Each command has a node of the same name, as a rule
much_again()
{
	local _

	for _ in {1..10}; do
		send_much "$2" && erldist ping "$1" || return
	done
}

no_nodes()
{
	[ -z "$(erldist node show)" ] && ! pgrep -f 'erldist node own'
}

keeper()
{
	start_beam b -setcookie "$COOKIE" || return
	B=$BEAM_PID
	start_node ctl || return
	CTL=$NODE_PID
	mistakes
	names
	cookies
	epmds
	accepting
	connecting
	admission
	end_child "$CTL"
	CTL=
	own_handshake
	out_of_nothing
}

interop keeper
