#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The README as it is: its commands print what it says, its C program answers its
# Elixir script, and what it says of BEAM nodes holds. Then all that can go wrong on
# that way: each failure is reported soon, and says what it is and where to look.
# shellcheck source=selftests/erldist/lib_interop.sh disable=SC2317
. "$(dirname "$(readlink -f "$0")")/lib_interop.sh"

README=$HERE/../../README.md
SOON=$((15 * SLOW))	# seconds: a silent host may take 7
BOB_PORT=9131
OTHER_UID=65534

CALC=$HERE/../../userlib/build/readme/calc	# its C program

# language: the README's block of that
block()
{
	awk -v fence="\`\`\`$1" '
		/^```/ { inside = !inside && $0 == fence; next }
		inside' "$README"
}

# flags...: the Erlang node bob, with a shell that reads what is written to $BOB
start_bob()
{
	: > "$TMP/bob.log"
	erl "$@" +fnu -kernel inet_dist_listen_min "$BOB_PORT" \
		inet_dist_listen_max "$BOB_PORT" \
		< "$TMP/bob.in" >> "$TMP/bob.log" 2>&1 &
	BOB_PID=$!
	children+=("$BOB_PID")
	wait_for 60 in_epmd bob && return
	sed 's/^/# /' "$TMP/bob.log"
	report 1 "Erlang node bob starts"
	return 1
}

not_in_epmd()
{
	! in_epmd "$1"
}

end_bob()
{
	end_child "$BOB_PID"
	wait_for 20 not_in_epmd bob
}

# words, expression: bob's shell says that to it
bob_says()
{
	: > "$TMP/bob.log"
	echo "$2" >&"$BOB"
	logged "$1" "$TMP/bob.log"
}

# words: what the log of node svc has
svc_says()
{
	logged "$1" "$TMP/svc.log"
}

svc_gone()
{
	says "there is no node on this machine" erldist status &&
		not_in_epmd svc
}

# The commands are a group of processes; the node is one of its own
run_readme()
{
	(cd "$HERE/../.." && exec setsid bash -ec "$(block sh)") > "$TMP/readme.log" 2>&1 \
		< /dev/null &
	README_PID=$!
	wait "$README_PID"
}

# The lines that the README promises, which has them of a host vm
printed()
{
	local line

	block text | grep . > "$TMP/promised" || return
	while IFS= read -r line; do
		logged "${line//@vm/@$HOST}" "$TMP/readme.log" || return
	done < "$TMP/promised"
}

echo_gone()
{
	! kill -0 -- "-$README_PID"
}

# As it says; echo ends with its node
end_readme()
{
	erldist node stop svc || return
	wait_for 10 svc_gone && wait_for 10 echo_gone
}

# Debian's Elixir is one for OTP 25
elixir_calls()
{
	local output

	block elixir > "$TMP/calc.exs"
	output=$(LC_ALL=C.UTF-8 PATH=${ERL25:+$ERL25:}$PATH timeout $((60 * SLOW)) \
		elixir --sname alice "$TMP/calc.exs" 2>&1)
	echo "$output"
	[ "$output" = $'3\n{:signal, :sigkill}' ]
}

calc_by_readme()
{
	if ! command -v elixir > /dev/null; then
		leave_out elixir "the README's Elixir script"
		return
	fi
	cp "$CALC" "$TMP/calc"
	start_program calc "$TMP/calc" || return
	check "the C program answers what it does not know" says "{error,unknown}" \
		erldist call calc '{sub,1,2}'
	check "and a sum that does not fit" says "{error,unknown}" \
		erldist call calc '{add,9223372036854775807,1}'
	check "Elixir calls the C program, kills it, and is told the reason" elixir_calls
}

# What the README does not hide
beam_can_tell()
{
	start_bob -sname bob || return
	check "a name without a host" says "pong from bob@$HOST" erldist ping bob
	check "the node is hidden" \
		bob_says true "{nodes(), nodes(hidden)} =:= {[], ['svc@$HOST']}."
	check "a C program answers no system message" \
		bob_says "{'EXIT',{timeout" "catch sys:get_state({echo,'svc@$HOST'}, 500)."
	end_bob
}

by_readme()
{
	check "its commands succeed" run_readme
	check "they print what it says" printed
	calc_by_readme
	beam_can_tell
	check "the end" end_readme
}

# Both nodes have short names, and different cookies
other_cookie()
{
	start_bob -sname bob -setcookie other && start_node svc || return
	check "other cookie: ping" fails "another cookie (of a BEAM erlang:get_cookie() shows it)" \
		erldist ping bob
	check "other cookie: call" fails "another cookie" erldist call "x@bob@$HOST" hello
	check "other cookie: the node's log says where ours is from" \
		svc_says "ours is from the options given"
	check "other cookie: bob pings" bob_says pang "net_adm:ping('svc@$HOST')."
	check "other cookie: told here" svc_says "bob@$HOST has another cookie"
	end_child "$NODE_PID"
	check "other cookie: without a node of ours" fails "has the one of $HOME/.erlang.cookie" \
		erldist ping bob
	end_bob
}

other_names()
{
	local kinds="such nodes cannot connect"

	start_bob -sname bob -setcookie "$COOKIE" || return
	hold_node svc@127.0.0.1 --cookie "$COOKIE" || return
	check "short against long: ping" fails "$kinds" erldist ping "bob@$HOST"
	check "short against long: ping by a short name" fails "(erl -sname)" erldist ping bob
	check "short against long: bob pings" \
		bob_says "NOT running to use fully qualified" "net_adm:ping('svc@127.0.0.1')."
	end_child "$NODE_PID"
	end_bob
	start_bob -name bob@127.0.0.1 -setcookie "$COOKIE" && start_node svc || return
	check "long against short: ping" fails "$kinds" erldist ping bob@127.0.0.1
	check "long against short: ping by a short name" fails "(erl -name)" erldist ping bob
	check "long against short: bob pings" bob_says pang "net_adm:ping('svc@127.0.0.1')."
	check "long against short: told here" svc_says "$kinds"
	end_child "$NODE_PID"
	end_bob
}

wrong_names()
{
	start_bob -sname bob -setcookie "$COOKIE" && start_node svc || return
	check "wrong host" fails "host name nosuch does not resolve" erldist ping bob@nosuch
	check "wrong node, or not running" fails "is not running, or has another name" \
		erldist ping carol
	check "no such node of ours" fails "is no node of this machine" \
		erldist --node carol ping bob
	check "echo is not running" fails \
		"echo: there is no such process on svc@$HOST (noproc); look at 'erldist process show'" \
		erldist call echo hello
	check "a name that bob does not have" \
		fails "echo@bob: there is no such process on bob@$HOST (noproc); registered() there" \
		erldist call echo@bob hello
	check "echo is not running: bob calls" \
		bob_says noproc "gen_server:call({echo,'svc@$HOST'}, hello)."
	check "the name is taken" fails "look at 'epmd -names'" \
		erldist node run bob --cookie "$COOKIE"
	check "the name is taken: in the background" fails "look at 'epmd -names'" \
		erldist node run bob --cookie "$COOKIE" --background
	end_child "$NODE_PID"
	wait_for 10 svc_gone
	check "our node is not running: bob calls" \
		bob_says nodedown "gen_server:call({echo,'svc@$HOST'}, hello)."
	check "our node is not running: call" fails "is not running, or has another name" \
		erldist call "echo@svc@$HOST" hello
	check "our node is not running: status" says "there is no node" erldist status
	end_bob
}

no_filter()
{
	nft delete table inet readme 2> /dev/null
}

# port, what becomes of those who begin to connect to it: others may go on, and end
filter()
{
	no_filter
	nft add table inet readme &&
		nft add chain inet readme out '{ type filter hook output priority 0; }' &&
		nft add rule inet readme out tcp dport "$1" 'tcp flags & (syn | ack) == syn' "${@:2}"
}

# port and what is done to it, what is said, command...
filtered()
{
	local rule=$1 words=$2
	shift 2
	# shellcheck disable=SC2086
	filter $rule || return
	start_node svc || return
	check "firewall, ${rule/$ERL_EPMD_PORT/epmd}: $2" fails "$words" "$@"
	end_child "$NODE_PID"
	no_filter
}

firewall()
{
	local way="is a firewall in the way"

	if ! command -v nft > /dev/null; then
		leave_out nft "what is said of firewalls"
		return
	fi
	start_bob -sname bob -setcookie "$COOKIE" || return
	filtered "$BOB_PORT drop" "its port on $HOST does not answer" erldist ping bob
	filtered "$BOB_PORT drop" "$way" erldist call "x@bob@$HOST" hello
	filtered "$BOB_PORT reject" "a firewall rejects it" erldist ping bob
	filtered "$BOB_PORT reject with icmpx admin-prohibited" "a firewall rejects it" \
		erldist ping bob
	# those of the host itself: ours is registered on the way
	start_node svc || return
	filter "$ERL_EPMD_PORT" drop
	check "firewall, epmd drop: ping" fails "in the way of port 4369" erldist ping bob
	end_child "$NODE_PID"
	start_node svc || return
	check "firewall, epmd drop: the node's log" svc_says "is not registered with epmd"
	check "firewall, epmd drop: the reason" svc_says "$way"
	end_child "$NODE_PID"
	filter "$ERL_EPMD_PORT" reject
	start_node svc --no-epmd-start || return
	check "firewall, epmd reject: ping" fails "no epmd answers on $HOST" erldist ping bob
	end_child "$NODE_PID"
	no_filter
	end_bob
}

# It refuses while it knows a node
end_epmd()
{
	epmd -kill
	! epmd -names
}

no_epmd()
{
	local erldist

	check "no epmd runs" wait_for 10 end_epmd
	start_node svc --no-epmd-start || return
	check "no epmd: ping" fails "no epmd answers on $HOST" erldist ping bob
	check "no epmd: the node's log" svc_says "is not registered with epmd"
	end_child "$NODE_PID"
	erldist=$(command -v erldist)
	mkdir -p "$TMP/bin"
	: > "$TMP/svc.log"
	PATH=$TMP/bin "$erldist" node run svc --cookie "$COOKIE" > "$TMP/svc.log" 2>&1 &
	NODE_PID=$!
	children+=("$NODE_PID")
	check "no epmd to start: the node's log" svc_says "there is no command epmd"
	check "no epmd to start: it runs" svc_says "is running"
	end_child "$NODE_PID"
	epmd -daemon
}

not_root()
{
	local user

	user=(setpriv --reuid "$OTHER_UID" --regid "$OTHER_UID" --clear-groups
		env "HOME=$OTHER_HOME")
	check "not root: node run" fails "making a node needs root" \
		"${user[@]}" erldist node run svc --cookie "$COOKIE"
	check "not root: ping" fails "making a node needs root" "${user[@]}" erldist ping bob
	start_node svc || return
	check "not root: a node of root's" fails "or start the node with --mode 0660" \
		"${user[@]}" erldist ping bob
	end_child "$NODE_PID"
}

readme()
{
	by_readme
	stop_children
	wait_for 10 svc_gone
	check "without a node the C program says so" fails "calc: there is no node on this machine" \
		"$CALC"
	other_cookie
	other_names
	wrong_names
	firewall
	no_epmd
	not_root
}

if [ ! -e "$README" ] || [ ! -x "$CALC" ]; then
	skip "not in the tree that README.md is of"
fi
modprobe -q nf_tables

# Once there is a home
with_shell()
{
	[ -p "$TMP/bob.in" ] || mkfifo "$TMP/bob.in"
	[ -n "$BOB" ] || exec {BOB}<> "$TMP/bob.in"
	if [ -z "$OTHER_HOME" ]; then
		OTHER_HOME=$(mktemp -d)
		chown "$OTHER_UID" "$OTHER_HOME"
	fi
	trap 'no_filter; rm -rf "$OTHER_HOME"; cleanup' EXIT
	readme
}

interop with_shell
