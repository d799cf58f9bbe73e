#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The command erldist and the examples as a person uses them, beside an Erlang node:
# what they print, what they say of a mistake, and the events of all that.
# shellcheck source=selftests/erldist/lib_interop.sh disable=SC2317
. "$(dirname "$(readlink -f "$0")")/lib_interop.sh"

NO_NODE="erldist: there is no node on this machine (network namespace); start one with \
'erldist node run NAME' or erldistd"

# text, command...: all that it prints
prints()
{
	local text=$1 output
	shift
	output=$("$@" 2>&1)
	echo "$output"
	[ "$output" = "$text" ]
}

# It may have been about to start
end_epmd()
{
	epmd -kill
	! epmd -names
}

no_node()
{
	check "ping without a node and without epmd says so, from a node of its own" \
		fails "no epmd answers on $HOST" erldist ping "x@$HOST"
	check "which is gone" prints "$NO_NODE" erldist node show
	check "process show says what to do" prints "$NO_NODE" erldist process show
	check "so does peer show" prints "$NO_NODE" erldist peer show
	check "and peer show of one peer, which fails" fails "$NO_NODE" erldist peer show "x@$HOST"
	check "peer connect makes no node that would end with it" \
		prints "$NO_NODE" erldist peer connect "x@$HOST"
	check "nothing but JSON in a list of nothing" test -z "$(erldist -j node show 2> /dev/null)"
	check "a script sees an empty list" test -z "$(erldist process show 2> /dev/null)"
	epmd -daemon
}

# A node that is made for a moment is an event
hears()
{
	erldist ping "x@$HOST"
	[ -s "$TMP/events" ]
}

node_of_ours()
{
	erldist monitor > "$TMP/events" 2>&1 &
	MONITOR=$!
	children+=("$MONITOR")
	check "monitor prints events" wait_for 10 hears
	hold_node "svc@$HOST" --mode 0666 || return
	check "node run tells where the cookie is from" \
		logged "cookie from $HOME/.erlang.cookie" "$TMP/svc@$HOST.log"
	check "node show" says "svc@$HOST" erldist node show
	check "in JSON" says "\"name\":\"svc@$HOST\"" erldist -j node show
	check "with the pid of its program" says "svc@$HOST holder $NODE_PID " erldist node show
	check "in JSON too, and the mode in octal" in_json_show \
		".holder == $NODE_PID and .mode == \"0666\""
	check "status shows the pid" says "svc@$HOST, pid $NODE_PID, " erldist status --interval 0
	check "the same node twice: the one that runs, and what stops it" \
		fails "erldist: svc@$HOST is running already (pid $NODE_PID); 'erldist node stop \
svc' stops it" erldist node run svc
	check "also without epmd" fails "svc@$HOST is running already (pid $NODE_PID)" \
		erldist node run "svc@$HOST" --no-epmd
}

# filter: what jq is to find in the only node
in_json_show()
{
	erldist -j node show | jq -e "$1" && erldist -j status --interval 0 | jq -e ".nodes[] | $1"
}

# command...: what it prints is JSON
is_json()
{
	local output

	output=$("$@" 2> /dev/null)
	echo "$output"
	jq -e . > /dev/null <<< "$output"
}

in_json()
{
	check "ping in JSON" is_json erldist -j ping b
	check "pang in JSON" is_json erldist -j ping c
	check "peer connect in JSON" is_json erldist -j peer connect b
	check "node run in JSON" is_json timeout 2 erldist -j node run other --no-epmd
}

a_peer()
{
	check "ping" says pong erldist ping "b@$HOST"
	check "peer show" says "b@$HOST up" erldist peer show
	check "in JSON" says '"state":"up"' erldist -j peer show "b@$HOST"
	check "a node that is not there: pang" fails pang erldist ping "c@$HOST"
}

came()
{
	says "$1" erldist call "calc@b@$HOST" came
}

sending()
{
	check "send" erldist send "calc@b@$HOST" '{hello, "world", #{a => <<"b">>}, 42}'
	check "send to {Name, Node}" erldist send "{calc, 'b@$HOST'}" second
	check "both have come, in order" \
		came '[{hello,"world",#{a => <<"b">>},42},second]'
	check "send to nobody is no mistake" erldist send "inbox@svc@$HOST" x
	check "a mistake in a term" \
		prints 'erldist: {a: expected , or } in a tuple, at the end' \
		erldist send "calc@b@$HOST" '{a'
}

# heading, command: on a terminal, and only there, it prints a table with that
headed()
{
	local heading=$1
	shift
	script -qec "$*" /dev/null > "$TMP/table" && cat "$TMP/table"
	head -n 1 "$TMP/table" | tr -s ' \r' ' ' | grep -qx "$heading *" || return
	! "$@" | grep "^${heading%% *} "
}

lines_of_node()
{
	script -qec "erldist node show" /dev/null | tr -d '\r' > "$TMP/lines" && cat "$TMP/lines"
	grep -qx "svc@$HOST" "$TMP/lines" && grep -qx "  holder $NODE_PID" "$TMP/lines" &&
		grep -qx "  mode 0666" "$TMP/lines"
}

tables()
{
	if ! command -v script > /dev/null; then
		leave_out script "tables on a terminal"
		return
	fi
	check "process show on a terminal has headings" \
		headed "pid name state owner uid messages local-bytes remote-bytes relations" \
		erldist process show
	check "node show has a line for each value" lines_of_node
	check "so has peer show" headed "name state node since rx-messages rx-bytes \
tx-messages tx-bytes queued lost failed retry" erldist peer show
}

# name: its pid, as it is written
pid_of()
{
	erldist -j process show | jq -r "select(.name == \"$1\") | .pid"
}

receiving()
{
	erldist recv inbox --count 2 > "$TMP/inbox" 2>&1 &
	RECV=$!
	children+=("$RECV")
	wait_for 10 registered inbox
	check "a pid in a term: Erlang sends to it" says from_b erldist rpc "b@$HOST" \
		erlang send "[$(pid_of inbox), {from_b, [1,2,3], 1.5}]"
	check "send to a process of ours" erldist send "inbox@svc@$HOST" "'from here'"
	wait "$RECV"
	report $? "recv ends after two"
	check "from there, with the sender" grep -q "<b@$HOST\..*> {from_b,\[1,2,3\],1.5}" \
		"$TMP/inbox"
	check "from here" grep -q "> 'from here'" "$TMP/inbox"
	check "recv ends when no message comes in time" \
		fails "inbox: no message in 300 ms" timeout 20 erldist recv inbox --timeout 300ms
}

examples()
{
	local echo_at
	echo_at=$(echo_program) || {
		report 1 "there is an example echo"
		return
	}
	start_program echo "$echo_at" || return
	tables
	check "echo: a call, a message, net_adm:ping" says "{true,came,pong}" \
		erldist rpc "b@$HOST" interop_cli asks "['svc@$HOST']"
	without_hosts
	check "client: a call" prints 42 "${echo_at%/*}/client" "calc@b@$HOST" 19 23
	check "client: to a node that is not there" fails "epmd on $HOST knows no node" \
		"${echo_at%/*}/client" "nobody@c@$HOST" 1 2
}

# text, command for puppet: what it answers
puppet_says()
{
	says "$1" "$(puppet)" <<< "$2"
}

# A node where a process is wanted, and other mistakes of the first hour. b is connected
mistaken()
{
	local word

	for word in b "b@$HOST" "b.$HOST"; do
		check "call a node: $word" prints \
			"erldist: $word is a node, and a process is wanted: write NAME@b, for example \
calc@b" erldist call "$word" hi
	done
	check "send to a node" fails "erldist: b@$HOST is a node" erldist send "b@$HOST" hi
	check "call a dot for an @" prints "erldist: calc.b is no process: write calc@b" \
		erldist call calc.b hi
	check "call a node that is not there" fails "nosuch@$HOST means the process nosuch of \
the node $HOST, which is not there; a process of the node nosuch@$HOST is written calc@nosuch" \
		erldist call "nosuch@$HOST" hi
	check "a process that is not there" fails "(noproc); look at 'erldist process show'; \
a process of another node is NAME@NODE" erldist call nosuch hi
	check "an option behind the arguments" prints 5 erldist call echo 5 --timeout 9000
	check "a negative number is no option" prints -5 erldist call echo -5
	check "ERLDIST_NODE is named where it is why" fails "; ERLDIST_NODE is nosuch" \
		env ERLDIST_NODE=nosuch erldist call echo hi
	check "also by nodes" fails "; ERLDIST_NODE is nosuch" \
		env ERLDIST_NODE=nosuch erldist nodes
}

# A name is of the own node; NAME@NODE, and a NODE, are of this host. echo is there
without_hosts()
{
	check "send to a name of the own node" erldist send echo x
	check "and of a node of this host" erldist send echo@svc x
	check "watch a name of the own node" says "down {nobody,svc@$HOST} noproc" \
		erldist process watch nobody
	check "and of a node of this host" says "down {nobody,b@$HOST} noproc" \
		erldist process watch nobody@b
	check "call a name of a node of this host" prints hello erldist call echo@svc hello
	check "rpc to a node of this host" prints "b@$HOST" erldist rpc b erlang node '[]'
	check "send to a node is no success: a process is wanted" \
		fails "svc is a node, and a process is wanted" erldist send svc hello
	check "nor is watching it" fails "svc is a node, and a process is wanted" \
		erldist process watch svc
	check "rpc to a process: the node is wanted" \
		fails "echo@b is a process of the node b, and the node is wanted: write b" \
		erldist rpc echo@b erlang node '[]'
	check "Elixir's modules: the name is told" \
		fails "an Elixir module, write Elixir.MyApp.Counter@b" erldist call MyApp.Counter@b hi
	check "of functions, too" fails "an Elixir module, write Elixir.String" \
		erldist rpc b String upcase '[a]'
	check "lists of characters are text" prints '"a/b"' \
		erldist rpc b filename join '["a","b"]'
	check "node show, peer show without a host" says "b@$HOST up" erldist peer show b
	check "peer disconnect" erldist peer disconnect --node svc b
	check "erldist_connect(): a node of this host" puppet_says $'ok\nok' 'connect 10000 b'
	check "erldist_rpc()" puppet_says "reply b@$HOST" 'rpc 10000 b erlang node []'
	check "erldist_call()" puppet_says "reply hello" 'call 10000 echo@svc hello'
	mistaken
	check "what is no node of this host" fails "no node of that name" \
		erldist send "calc@nosuch" x
}

# node, pid: it is there until it is stopped, and not after that
stops()
{
	prints "$1@$HOST has ended, with its program erldist (pid $2)" erldist node stop "$1" ||
		return
	fails "$1 is no node of this machine" erldist node show "$1" &&
		fails "$1 is no node of this machine" erldist node stop "$1" && ! kill -0 "$2"
}

# svc is everybody's
only_closed()
{
	local output

	output=$(unshare -n bash -c "ip link set lo up
		erldist node run shut --background --no-epmd > /dev/null
		setpriv --reuid 65534 --regid 65534 --clear-groups erldist process show
		erldist node stop shut > /dev/null" 2>&1)
	echo "$output"
	[[ $output == "erldist: no processes are shown, as this user may use no node here: shut@$HOST \
is one of uid 0; run this as that user or root,"* ]]
}

# A node of the same name, whose program is to live
other_namespace()
{
	unshare -n bash -c "ip link set lo up
		erldist node run svc --background --no-epmd
		! erldist node show svc | grep ' holder $NODE_PID ' &&
			erldist node stop svc" && erldist node show svc && kill -0 "$NODE_PID"
}

# What node stop does not do, or not in time
not_stopped()
{
	check "process show of a user who may use no node says so" only_closed
	check "node stop by another user: why not" \
		fails "svc@$HOST: its program cannot be found by this user: the node is that of uid 0" \
		setpriv --reuid 65534 --regid 65534 --clear-groups erldist node stop svc
	check "node stop of a node of that name in another network namespace" other_namespace
	check "the node is there" erldist node show svc
	erldist node run slow --background --no-epmd > "$TMP/slow"
	SLOW_PID=$(sed -n 's/.*process \([0-9]*\).*/\1/p' "$TMP/slow")
	kill -STOP "$SLOW_PID"
	check "node stop of a program that is stopped" \
		fails "erldist (pid $SLOW_PID) was told to end, and has not within 1 s" \
		erldist node stop --timeout 1 slow
	kill -CONT "$SLOW_PID"
	wait_for 10 fails "is no node" erldist node show slow
	erldist node run slow --background --no-epmd > "$TMP/slow"
	check "node stop in JSON" says "\"name\":\"slow@$HOST\",\"state\":\"ended\"" \
		erldist -j node stop slow
}

# An error of the node is not the command's: the line has the node's name in front
background()
{
	local pid

	erldist node run back --background --no-epmd > "$TMP/back" 2>&1 || return
	erldist --node back ping --timeout 5 "nosuch@$HOST"
	wait_for 10 grep -q "^back@$HOST: nosuch@$HOST: " "$TMP/back"
	cat "$TMP/back"
	pid=$(sed -n "s/^back@$HOST is running.*process \\([0-9]*\\).*/\\1/p" "$TMP/back")
	stops back "$pid"
	grep -q "^back@$HOST: nosuch@$HOST: " "$TMP/back" && ! grep "^erldist:" "$TMP/back"
}

# $(...) returns though the node goes on
background_in_pipe()
{
	local status=0
	# shellcheck disable=SC2016
	timeout 20 bash -c 'out=$(erldist node run pipe --background --no-epmd 2>&1); echo "$out"' \
		> "$TMP/pipe" || status=$?
	cat "$TMP/pipe"
	erldist node show "pipe@$HOST" > "$TMP/pipe.node" || status=$?
	pkill -f "erldist node run pipe "
	[ "$status" -eq 0 ] && grep -q "^pipe@$HOST is running, .*process [0-9]" "$TMP/pipe"
}

another_cookie()
{
	start_beam wrong -setcookie another || return
	check "another cookie is explained" fails "most likely it has another cookie" \
		erldist peer connect "wrong@$HOST"
	check "by the keeper with the source of ours" \
		logged "ours is from $HOME/.erlang.cookie" "$TMP/svc@$HOST.log"
	end_child "$BEAM_PID"
}

# The node's program is stopped
program_stopped()
{
	local status

	kill -STOP "$NODE_PID"
	fails "does the program that holds svc@$HOST still run" erldist peer connect --timeout 1 d &&
		fails "not connected within the 200 ms of the call" erldist call --timeout 200 x@d hi
	status=$?
	kill -CONT "$NODE_PID"
	return "$status"
}

connections()
{
	check "that the program of the node may not run is told" program_stopped
	check "peer disconnect" erldist peer disconnect "b@$HOST"
	check "is an event" logged "peer-down b@$HOST" "$TMP/events"
	check "of a stranger" fails "nobody@$HOST" erldist peer disconnect "nobody@$HOST"
	check "peer connect" prints "svc@$HOST is connected to b@$HOST" \
		erldist peer connect "b@$HOST"
	check "a node that is not there" fails "other@$HOST" \
		erldist recv --node "other@$HOST" x
}

the_end()
{
	local event

	kill "$NODE_PID"
	wait "$NODE_PID"
	report $? "node run ends with SIGTERM"
	check "is an event" logged "node-del svc@$HOST" "$TMP/events"
	wait "$PROGRAM_PID"
	check "echo ends with its node" logged "its node svc@$HOST is gone" "$TMP/echo.log"
	kill -INT "$MONITOR"
	wait "$MONITOR"
	report $? "monitor ends with SIGINT"
	for event in "node-new svc@$HOST" "peer-up b@$HOST" "name-new inbox <svc@$HOST." \
		     "name-del inbox <svc@$HOST." "peer-failed wrong@$HOST"; do
		check "event: $event" grep -q "^$event" "$TMP/events"
	done
}

cli()
{
	wait_for 10 epmd -names
	wait_for 10 end_epmd
	rm -f "$HOME/.erlang.cookie"
	no_node
	node_of_ours || return
	start_beam b -s interop_cli || return
	a_peer
	in_json
	sending
	receiving
	examples
	check "what a node in the background says begins with its name" background
	check "a node in the background leaves a pipe" background_in_pipe
	not_stopped
	another_cookie
	connections
	the_end
	stop_children
}

interop cli
