#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Whom a node lets in, by host, by name, by number, and with which cookie; and how
# often it tries whom it cannot reach. With Erlang nodes of two hosts' names.
# shellcheck source=selftests/erldist/lib_interop.sh disable=SC2317
. "$(dirname "$(readlink -f "$0")")/lib_interop.sh"

ELSEWHERE=localhost	# a host name, too

# Erlang node, what it is to say of pinging svc
pings_us()
{
	says "$2" erldist rpc --node "ctl@$HOST" --timeout $((20000 * SLOW)) "$1" \
		net_adm ping "['svc@$HOST']"
}

# Erlang node: no name of it was let in, which is told with the address
turned_away()
{
	pings_us "$1" pang && logged "$1, from 127." "$TMP/svc.log"
}

allowed()
{
	start_node svc --allow "$HOST" || return
	check "a host is let in" pings_us "b@$HOST" pong
	check "another host is not, which is told" turned_away "c@$ELSEWHERE"
	end_child "$NODE_PID"
	start_node svc --allow c@ || return
	check "a name is let in, wherever it is" pings_us "c@$ELSEWHERE" pong
	check "another name is not, which is told" turned_away "b@$HOST"
	end_child "$NODE_PID"
}

# Who is asked: one node has a cookie of its own
porter()
{
	cat > "$TMP/porter" <<-END
		#!/bin/sh
		case \$1 in
		guest@*) echo cookie another ;;
		*) echo no ;;
		esac
	END
	chmod 755 "$TMP/porter"
	echo "$TMP/porter"
}

admitted()
{
	(umask 077 && echo another > "$TMP/another")
	start_node ctl --cookie-for "guest=$TMP/another" || return
	start_beam guest -setcookie another || return
	start_node svc --admit "$(porter)" || return
	check "a program says which cookie: Erlang proves that" pings_us "guest@$HOST" pong
	check "and nobody else is let in" pings_us "b@$HOST" pang
	end_child "$NODE_PID"
	start_node svc || return
	check "without it the cookie is another one" pings_us "guest@$HOST" pang
	end_child "$NODE_PID"
	end_child "$BEAM_PID"
}

in_all()
{
	start_node svc --max-connections 1 || return
	check "limit: one connection" pings_us "b@$HOST" pong
	check "no second one" pings_us "c@$ELSEWHERE" pang
	check "which is told" logged "limit of accepted connections" "$TMP/svc.log"
	erldist rpc --node "ctl@$HOST" "b@$HOST" erlang disconnect_node "['svc@$HOST']" \
		> /dev/null
	check "once it is over another one" wait_for 10 pings_us "c@$ELSEWHERE" pong
	end_child "$NODE_PID"
}

# A command that tells when it is run and for which host, and fails when it is told to
failing()
{
	cat > "$TMP/failing" <<-END
		#!/bin/bash
		echo "\$(date +%s%3N) \$1" >> $TMP/tried
		until [ -e $TMP/fail ]; do sleep 0.1; done
		exit 1
	END
	chmod 755 "$TMP/failing"
	rm -f "$TMP/tried" "$TMP/fail"
	echo "$TMP/failing %h %p"
}

# host: how often it was tried
tries()
{
	grep -c " $1\$" "$TMP/tried"
}

tried()
{
	[ "$(tries "$1")" -ge "$2" ]
}

# It is to be kept up, and many want it at once: all of them get the answer
at_once()
{
	local pids=() pid bad=0 i

	for i in {1..8}; do
		erldist ping --node "svc@$HOST" --timeout $((60 * SLOW)) x@once > "$TMP/once$i" 2>&1 &
		pids+=($!)
	done
	wait_for 10 tried once 1
	sleep 3
	tries once
	[ "$(tries once)" -eq 1 ] || return
	touch "$TMP/fail"
	for pid in "${pids[@]}"; do
		wait "$pid"
		[ $? -eq 1 ] || bad=1
	done
	cat "$TMP"/once*
	return "$bad"
}

# host: the pauses between its tries: the fourth is longer than the second may be
longer_and_longer()
{
	local times i pauses=()

	wait_for 30 tried "$1" 5 || return
	mapfile -t times < <(sed -n "s/ $1\$//p" "$TMP/tried")
	for ((i = 1; i < ${#times[@]}; i++)); do
		pauses+=($((times[i] - times[i - 1])))
	done
	echo "pauses: ${pauses[*]} ms"
	[ "${pauses[0]}" -ge 700 ] && [ "${pauses[1]}" -ge 1400 ] && [ "${pauses[2]}" -ge 2900 ] &&
		[ "${pauses[3]}" -ge 3600 ]
}

trying()
{
	start_node svc --no-listen --setuptime 60 --keep x@once \
		--connect-with "$(failing)" || return
	check "one attempt at a time, however many want it" at_once
	end_child "$NODE_PID"
	start_node svc --no-listen --keep x@kept --connect-with "$(failing)" || return
	touch "$TMP/fail"
	check "who cannot be reached is tried again, with longer pauses" longer_and_longer kept
	erldist ping --node "svc@$HOST" x@other > /dev/null 2>&1
	check "which another peer has nothing to do with" tried other 1
	end_child "$NODE_PID"
}

policy()
{
	start_beam b -setcookie "$COOKIE" && start_beam "c@$ELSEWHERE" -setcookie "$COOKIE" &&
		start_node ctl || return
	allowed
	in_all
	trying
	stop_children
	start_beam b -setcookie "$COOKIE" && admitted
}

interop policy
