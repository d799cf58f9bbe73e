#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# erldistd with two nodes: its files read again, good ones and broken ones; with
# Erlang nodes on the other side.
# shellcheck source=selftests/erldist/lib_interop.sh disable=SC2317
. "$(dirname "$(readlink -f "$0")")/lib_interop.sh"

# file, lines...
conf()
{
	local file=$TMP/nodes/$1.conf
	shift
	printf '%s\n' "$@" > "$file"
	chmod 600 "$file"
}

start_daemon()
{
	erldistd --config "$TMP/nodes" > "$TMP/erldistd.log" 2>&1 &
	DAEMON=$!
	children+=("$DAEMON")
	wait_for 20 grep -q 'two.* is running' "$TMP/erldistd.log" && return
	sed 's/^/# /' "$TMP/erldistd.log"
	report 1 "erldistd starts"
	return 1
}

# log
no_cookie()
{
	grep -q "is running" "$1" && ! grep "$COOKIE" "$1"
}

# text: SIGHUP makes it say that, from now on
reload_says()
{
	local before

	before=$(wc -l < "$TMP/erldistd.log")
	kill -HUP "$DAEMON"
	wait_for 15 said_since "$before" "$1" && return
	cat "$TMP/erldistd.log"
	return 1
}

said_since()
{
	tail -n "+$(($1 + 1))" "$TMP/erldistd.log" | grep -qF -- "$2"
}

# node, Erlang node: the number of their connection
connection()
{
	erldist -j peer show "$2@$HOST" | jq -c "select(.node == \"$1@$HOST\" and .state == \"up\") |
		.connection"
}

is_connection()
{
	local now
	now=$(connection "$1" "$2")
	echo "connection $now, was $3"
	[ -n "$now" ] && [ "$now" = "$3" ]
}

beam_pings()
{
	says "$1" erldist rpc --node "one@$HOST" --timeout $((20000 * SLOW)) "b@$HOST" \
		net_adm ping "['$2@$HOST']"
}

native_pings()
{
	erldist ping --node "$1@$HOST" --timeout $((10 * SLOW)) "b@$HOST"
}

# node, mode
mode_is()
{
	says "mode $2" erldist node show "$1@$HOST"
}

no_node()
{
	! erldist node show "$1@$HOST"
}

refused()
{
	local first=$1

	conf two "cookie = $COOKIE" "kep = b"
	check "a broken line is refused, by file and line" \
		reload_says "two.conf:2: kep is no key"
	check "and it says what that means" reload_says "; nothing is changed"
	conf two "cookie-file = $TMP/none"
	check "an unreadable cookie" reload_says "two.conf:1: cookie-file: there is no cookie file"
	conf two "cookie = $COOKIE" "listen = 127.0.0.1:14700"
	check "what cannot change is named" \
		reload_says "two.conf:2: listen: it cannot change while two@$HOST runs"
	conf two "name = other" "cookie = $COOKIE"
	check "nor can the name" reload_says "two.conf:1: name: it cannot change from two@$HOST"
	conf two "cookie = $COOKIE" "mode = 0660"
	conf three "cookie = $COOKIE" "listen = :14701"
	conf four "cookie = $COOKIE" "listen = :14701"
	check "a port in use" reload_says "three.conf:2: listen on :14701: port 14701 is in use; choose another ('ss -ltnp' shows the owner); nothing is changed"
	check "nothing of that is left: no node" no_node four
	check "no name" wait_for 5 not_in_epmd four
	check "nor a change" mode_is two 0600
	rm "$TMP/nodes/three.conf" "$TMP/nodes/four.conf"
	check "the connection stayed up" is_connection one b "$first"
	check "and works" beam_pings pong one
}

not_in_epmd()
{
	! in_epmd "$1"
}

is_served()
{
	says "two@$HOST" erldist rpc --node "one@$HOST" "b@$HOST" rpc call \
		"['two@$HOST', erlang, node, []]"
}

kill_server()
{
	local pid

	pid=$(erldist rpc --node "one@$HOST" "b@$HOST" rpc call \
		"['two@$HOST', erlang, whereis, [rex]]") &&
		erldist exit --node "one@$HOST" "$pid" kill &&
		wait_for 10 grep -q "two@$HOST: serve-info: .* it is opened again" "$TMP/erldistd.log"
}

# Node two keeps at most 256 MiB of unread messages
flood_server()
{
	local before status=0

	before=$(wc -l < "$TMP/erldistd.log")
	kill -STOP "$DAEMON"
	erldist rpc --node "one@$HOST" --timeout $((120000 * SLOW)) "b@$HOST" \
		interop_daemon flood "[{rex,'two@$HOST'}, 300]" || status=$?
	kill -CONT "$DAEMON"
	[ "$status" -eq 0 ] || return
	wait_for 10 said_since "$before" "two@$HOST: serve-info: " && kill -0 "$DAEMON" && return
	tail -n "+$((before + 1))" "$TMP/erldistd.log"
	return 1
}

tells_of()
{
	erldist peer show | grep -q "^$1@$HOST "
}

tells_not_of()
{
	! tells_of "$1"
}

accepted()
{
	local first=$1

	conf three "cookie = $COOKIE"
	check "a new file is a new node" reload_says "three@$HOST is running"
	check "which is connected" beam_pings pong three
	check "another one has changed" mode_is two 0660
	rm "$TMP/nodes/three.conf"
	check "a file that is gone is the end of its node" reload_says "three@$HOST ends"
	check "of its name, too" wait_for 5 not_in_epmd three
	check "there is no node" no_node three
	conf three "cookie = $COOKIE"
	check "it can come back at once" reload_says "three@$HOST is running"
	rm "$TMP/nodes/three.conf"
	conf two "cookie = $COOKIE"
	check "all is well" reload_says "two@$HOST is configured again"
	conf two "cookie = $COOKIE" "keep = gone"
	check "a node that is to be kept" reload_says "two@$HOST is configured again"
	check "is told of though it is not there" wait_for 10 tells_of gone
	conf two "cookie = $COOKIE"
	check "and is not any more" reload_says "two@$HOST is configured again"
	check "which is seen soon" wait_for 8 tells_not_of gone
	check "what is not said any more is as at first" mode_is two 0600
	conf two "cookie = another"
	check "another cookie" reload_says "two@$HOST is configured again"
	erldist peer disconnect --node "two@$HOST" "b@$HOST"
	sleep 2
	check "and it is used" says "cookie" native_pings two
	conf two "cookie = $COOKIE" "serve-info = yes" "hand-out = $TMP/two.sock"
	check "a path cannot be added" reload_says "two.conf:3: hand-out: it cannot change"
	conf two "cookie = $COOKIE" "serve-info = yes"
	check "but what is served can" reload_says "two@$HOST is configured again"
	check "it is" is_served
	check "the server can be killed" kill_server
	check "and it is served again" wait_for 10 is_served
	check "its mailbox can overflow" flood_server
	check "and it is served again then, too" wait_for 10 is_served
	check "the connection stayed up all the while" is_connection one b "$first"
}

# path, times
ask_often()
{
	python3 - "$@" << 'END'
import socket, sys

for _ in range(int(sys.argv[2])):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.connect(sys.argv[1])
    s.recv(600)
    s.close()
END
}

# before: at most 60 lines in half a minute, however many there could be
few_lines()
{
	local n

	n=$(tail -n "+$(($1 + 1))" "$TMP/erldistd.log" | grep -c "is handed out")
	echo "$n lines"
	[ "$n" -ge 50 ] && [ "$n" -le 120 ]
}

floods()
{
	local before

	if ! command -v python3 > /dev/null; then
		leave_out python3 "a user who asks without end does not fill the log"
		return
	fi
	conf three "cookie = $COOKIE" "hand-out = $TMP/three.sock"
	check "a node that hands out" reload_says "three@$HOST is running"
	before=$(wc -l < "$TMP/erldistd.log")
	check "a user asks without end" ask_often "$TMP/three.sock" 400
	check "which does not fill the log" few_lines "$before"
	rm "$TMP/nodes/three.conf"
	check "the node ends" reload_says "three@$HOST ends"
}

# level, text: a line for the journal
has_line()
{
	grep -q "^<$1>.*$2" "$TMP/journal"
}

# The least level to be said, what is waited for: with a file that is broken later on
say_levels()
{
	local pid stream

	rm -f "$TMP/nodes/two.conf"
	: > "$TMP/journal"
	stream=$(stat -c %d:%i "$TMP/journal")
	JOURNAL_STREAM=$stream erldistd --config "$TMP/nodes" --log-level "$1" \
		2>> "$TMP/journal" &
	pid=$!
	children+=("$pid")
	wait_for 20 has_line 4 "not registered"
	wait_for 20 has_line "${@:2}"
	conf two "kep = b"
	kill -HUP "$pid"
	wait_for 20 has_line 3 "is no key"
	end_child "$pid"
	rm -f "$TMP/nodes/two.conf"
	cat "$TMP/journal"
}

all_levels()
{
	say_levels info 6 "b@$HOST is up"
	has_line 6 "b@$HOST is up" && has_line 5 "one@$HOST is running" &&
		has_line 4 "three@$HOST is not registered with epmd" &&
		has_line 3 "two.conf:1: kep is no key" && ! grep -v '^<[3-6]>' "$TMP/journal"
}

fewer_levels()
{
	say_levels warning 4 "not registered"
	has_line 4 "not registered" && has_line 3 "is no key" && ! grep -v '^<[34]>' "$TMP/journal"
}

journal()
{
	conf three "cookie = $COOKIE" "epmd = 127.0.0.1:14371" "no-epmd-start = yes"
	check "for the journal each line has its level" all_levels
	check "and there are those that are asked for" fewer_levels
	rm "$TMP/nodes/three.conf"
}

ends()
{
	local status

	kill "$DAEMON"
	wait "$DAEMON"
	status=$?
	check "SIGTERM: status 0" [ "$status" -eq 0 ]
	check "no node" no_node one
	check "no name" wait_for 5 not_in_epmd one
	check "its cookie is not in the log" no_cookie "$TMP/erldistd.log"
}

cannot_start()
{
	conf two "name = b" "cookie = $COOKIE"
	check "a name that epmd has given away" \
		says "two.conf: epmd knows another node b on this host" \
		timeout 30 erldistd --config "$TMP/nodes"
	conf two "cookie = $COOKIE" "listen = 192.0.2.1:0"
	check "an address of another host" says "two.conf:2: listen on 192.0.2.1:0" \
		timeout 30 erldistd --config "$TMP/nodes"
	check "a node that could run does not" no_node one
}

daemon()
{
	local first

	rm -rf "$TMP/nodes"
	mkdir "$TMP/nodes"
	start_beam b -setcookie "$COOKIE" || return
	conf one "cookie = $COOKIE" "keep = b"
	conf two "cookie = $COOKIE"
	cannot_start
	journal
	conf two "cookie = $COOKIE"
	start_daemon || return
	check "two nodes: Erlang finds the one" beam_pings pong one
	check "and the other" beam_pings pong two
	check "node stop does not end the service" \
		fails "one@$HOST is held by erldistd (pid $DAEMON): nothing was stopped" \
		erldist node stop one
	first=$(connection one b)
	refused "$first"
	accepted "$first"
	floods
	ends
	end_child "$BEAM_PID"
}

command -v erldistd > /dev/null || skip "no erldistd in PATH"
interop daemon
