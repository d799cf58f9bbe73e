#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What a node is called and which cookie it has where nobody says so: the same as an
# Erlang node beside it. And in which node a program acts, where nobody says that.
# shellcheck source=selftests/erldist/lib_interop.sh disable=SC2317
. "$(dirname "$(readlink -f "$0")")/lib_interop.sh"

OTHER_UID=65534

# node of ours, Erlang node: as they call themselves
native_pings()
{
	erldist ping --node "$1" --timeout $((10 * SLOW)) "$2"
}

# name: what "erldist node run" calls it, whatever host that has
called()
{
	sed -n 's/^\([^ ]*@[^ ]*\) is running.*/\1/p' "$TMP/$1.log"
}

# What an Erlang node calls itself that is given a long name's first part
start_long_beam()
{
	rm -f "$TMP/$1.name"
	erl -name "$1" -setcookie "$COOKIE" -noinput +fnu \
		-eval 'file:write_file(init:get_plain_arguments(), atom_to_list(node()))' \
		-extra "$TMP/$1.name" > "$TMP/$1.log" 2>&1 < /dev/null &
	BEAM_PID=$!
	children+=("$BEAM_PID")
	wait_for 60 test -s "$TMP/$1.name" && return
	sed 's/^/# /' "$TMP/$1.log"
	report 1 "Erlang node $1 starts"
	return 1
}

# nodes: hosts of the same name, which is a long one
on_same_long_host()
{
	echo "$1, $2"
	[ -n "$1" ] && [ "${1#*@}" = "${2#*@}" ] && [[ ${1#*@} == *.* ]]
}

names()
{
	local ours beams

	start_long_beam l || return
	beams=$(cat "$TMP/l.name")
	start_node long --long-names || return
	ours=$(called long)
	check "a long name's host is filled in as Erlang does it" on_same_long_host "$ours" "$beams"
	check "and connected by that name" native_pings "$ours" "$beams"
	check "Erlang does so, too" says pong erldist rpc --node "$ours" "$beams" net_adm ping \
		"['$ours']"
	end_child "$NODE_PID"
	end_child "$BEAM_PID"
}

# file, content: a cookie that its owner alone may read
put_cookie()
{
	rm -f "$1"
	mkdir -p "$(dirname "$1")"
	(umask 077 && echo "$2" > "$1")
}

erlang_fails()
{
	! timeout 60 erl -sname y -noinput -eval 'halt(0).' > "$TMP/y.log" 2>&1 < /dev/null &&
		says "$1" cat "$TMP/y.log"
}

cookies()
{
	local home=$HOME/.erlang.cookie elsewhere=$TMP/xdg/erlang/.erlang.cookie

	rm -f "$home"
	put_cookie "$elsewhere" "$COOKIE-xdg"
	export XDG_CONFIG_HOME=$TMP/xdg
	start_beam c && hold_node svc || return
	check "the cookie of XDG_CONFIG_HOME, which Erlang finds, too" \
		native_pings "svc@$HOST" "c@$HOST"
	check "its place is told" says "cookie from $elsewhere" cat "$TMP/svc.log"
	check "none is made at home" test ! -e "$home"
	end_child "$NODE_PID"
	put_cookie "$home" "$COOKIE-home"
	hold_node svc || return
	check "that at home comes first: another one" \
		says "other cookie" native_pings "svc@$HOST" "c@$HOST"
	end_child "$NODE_PID"
	end_child "$BEAM_PID"
	start_beam c && hold_node svc || return
	check "as it does for Erlang" native_pings "svc@$HOST" "c@$HOST"
	end_child "$NODE_PID"
	end_child "$BEAM_PID"
	chmod 440 "$home"
	check "one at home that others may read is refused, and named" \
		fails "$home must be accessible by its owner" erldist node run svc
	check "by Erlang, too" erlang_fails ".erlang.cookie must be accessible by owner only"
	not_ones_own "$home"
	unset XDG_CONFIG_HOME
	rm -f "$home" "$elsewhere"
}

# Who may read all files is not fooled by one that somebody else put there
not_ones_own()
{
	chmod 711 "$TMP"
	chmod 400 "$1"
	chown 4711 "$1"
	check "so is one of somebody else" fails "belongs to somebody else" \
		setpriv --reuid "$OTHER_UID" --regid "$OTHER_UID" --clear-groups \
		--inh-caps +net_admin,+dac_read_search \
		--ambient-caps +net_admin,+dac_read_search erldist node run svc
	chown 0 "$1"
}

# Of whom a node of b's is told
met_by()
{
	erldist rpc "$@" "b@$HOST" erlang nodes '[hidden]'
}

met_by_other_user()
{
	setpriv --reuid "$OTHER_UID" --regid "$OTHER_UID" --clear-groups env "HOME=$TMP" \
		erldist rpc "b@$HOST" erlang nodes '[hidden]'
}

# "svc" is first, "open" the first that other users may use
nodes()
{
	start_beam b -setcookie "$COOKIE" && start_node svc && start_node open --mode 0666 &&
		start_node late --mode 0666 || return
	check "the node is the first that the user may use" says "[open@$HOST]" \
		met_by_other_user
	erldist peer disconnect --node "open@$HOST" "b@$HOST"
	check "which is the first one for who may use all" says "[svc@$HOST]" met_by
	check "ERLDIST_NODE names another one" says "late@$HOST" \
		env "ERLDIST_NODE=late@$HOST" erldist rpc "b@$HOST" erlang nodes '[hidden]'
	erldist peer disconnect --node "late@$HOST" "b@$HOST"
	check "an option says more than that" says "open@$HOST" \
		env "ERLDIST_NODE=late@$HOST" erldist rpc --node "open@$HOST" "b@$HOST" \
		erlang nodes '[hidden]'
	check "nor is any other one used when it is not there" fails "is no node of this" \
		env "ERLDIST_NODE=gone@$HOST" erldist ping "b@$HOST"
}

# text, program...: it ends without a process, without a node, and says that
opens_none()
{
	local text=$1 output status=0
	shift
	output=$(timeout 20 "$@" < /dev/null 2>&1) || status=$?
	echo "$status: $output"
	[ "$status" -eq 1 ] && [[ $output == *"$text"* ]] && [ -z "$(erldist node show)" ]
}

is_waiting()
{
	sleep 1
	cat "$TMP/waiter"
	kill -0 "$1" && [ -z "$(erldist node show)" ]
}

# name, text, program...: it waits for its node, and has a process of that name with it
waits_for_node()
{
	local name=$1 text=$2
	shift 2
	"$@" > "$TMP/waiter" 2>&1 < <(exec sleep 1000) &
	children+=("$!")
	check "$text waits" is_waiting "$!"
	start_node svc --hand-out "$TMP/svc.sock" || return
	check "and is there with it" wait_for 10 registered "$name"
	stop_children
}

# Programs, not the command, where there is no node
programs()
{
	local puppet path

	if ! puppet=$(puppet) || ! path=$(echo_program); then
		report 1 "there are the programs puppet and echo"
		return
	fi
	stop_children
	check "a program without a node fails, and says why" \
		opens_none "there is no node on this machine (network namespace)" "$puppet" waits
	check "so does a command that others have to find" \
		opens_none "there is no node on this machine (network namespace)" erldist recv waits
	check "and one whose receiver can only be on it" \
		opens_none "there is no node on this machine (network namespace)" erldist send waits x
	waits_for_node waits "a program that asked to wait for a node" "$puppet" --wait waits
	waits_for_node waits "one that asked to wait for a path" \
		env "ERLDIST_NODE=unix:$TMP/svc.sock" "$puppet" --wait waits
	waits_for_node echo "the example echo" "$path"
	check "which has said for what" \
		says "echo: waiting for a node: there is no node on this machine" cat "$TMP/waiter"
	not_let_in "$path"
	private_node "$puppet"
	others_node "$puppet"
}

# echo: it says that it waits only where there is no node that its user may use
not_let_in()
{
	start_node svc && start_program echo "$1" || return
	check "echo with a node does not say that it waits" says 0 grep -c waiting "$TMP/echo.log"
	end_child "$PROGRAM_PID"
	chmod 711 "$TMP"
	setpriv --reuid "$OTHER_UID" --regid "$OTHER_UID" --clear-groups "$1" \
		> "$TMP/waiter" 2>&1 < /dev/null &
	children+=("$!")
	check "a mode that excludes the user is named" \
		logged "waiting for a node: svc@$HOST lets in whom its mode 0600 allows" "$TMP/waiter"
	check "with what to do" says "or start the node with --mode 0660" \
		cat "$TMP/waiter"
	check "the same of a node that is named" \
		says "svc@$HOST lets in whom its mode 0600 allows" setpriv --reuid "$OTHER_UID" \
		--regid "$OTHER_UID" --clear-groups "$(command -v erldist)" --node svc recv echo
	end_child "$NODE_PID"
	start_node svc --mode 0666 || return
	check "echo is there with a node that lets it in" wait_for 10 registered echo
	stop_children
}

# puppet: a node for the program alone, while it runs, where it asks for that
private_node()
{
	local dest=b@$HOST

	put_cookie "$HOME/.erlang.cookie" "$COOKIE"
	start_beam b -setcookie "$COOKIE" || return
	check "there is no node" test -z "$(erldist node show)"
	check "a program that asks for a private node has one" says "reply yes" \
		"$1" --private <<< "call 20000 net_kernel@$dest {is_auth,'x@y'}"
	check "which is hidden, and ends with it" wait_for 10 unknown_to "$dest"
	rm -f "$HOME/.erlang.cookie"
}

# puppet: where root has a private node only, another user's node is not used instead
others_node()
{
	local unprivileged=/sys/module/erldist/parameters/unprivileged was

	was=$(cat "$unprivileged")
	echo 1 > "$unprivileged"
	put_cookie "$HOME/.erlang.cookie" "$COOKIE"
	"$1" --private > "$TMP/private" 2>&1 < <(echo self && exec sleep 1000) &
	children+=("$!")
	check "a program has a private node" wait_for 10 grep -q "^pid <" "$TMP/private"
	setpriv --reuid "$OTHER_UID" --regid "$OTHER_UID" --clear-groups erldist node run theirs \
		--mode 0666 --no-epmd --cookie theirs > "$TMP/theirs" 2>&1 &
	children+=("$!")
	check "and another user a node for all" wait_for 10 grep -q "is running" "$TMP/theirs"
	check "which is not the default of root's programs" lands_nowhere "$1"
	check "but can be named" says "theirs@$HOST" env "ERLDIST_NODE=theirs@$HOST" "$1" \
		<<< self
	stop_children
	rm -f "$HOME/.erlang.cookie"
	echo "$was" > "$unprivileged"
}

# puppet: without a node that it may choose it ends with an error, and had no pid
lands_nowhere()
{
	local output status=0

	output=$(timeout 20 "$1" <<< self 2>&1) || status=$?
	echo "$status: $output"
	[ "$status" -eq 1 ] && [[ $output != *"pid <"* ]]
}

unknown_to()
{
	[ -z "$(erldist node show)" ] && [ "$(erldist rpc "$1" erlang nodes '[]')" = "[]" ]
}

unsaid()
{
	names
	cookies
	nodes
	programs
}

interop unsaid
