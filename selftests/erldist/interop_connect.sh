#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Connections between an Erlang node and a native one: both ways, wrong
# cookies, and what is told about them on netlink.
# shellcheck source=selftests/erldist/lib_interop.sh disable=SC2317
. "$(dirname "$(readlink -f "$0")")/lib_interop.sh"

ipv6_and_long_names()
{
	local host=$1 name="svc@$1"

	start_node "$name" --long-names --listen "[::1]:0" || return
	check "net_adm:ping over IPv6, long names" ipv6_ping "b@$host" "$name"
	stop_children
}

ipv6_ping()
{
	# shellcheck disable=SC2016
	timeout -k 5 $((60 * SLOW)) erl -name "$1" -proto_dist inet6_tcp -setcookie "$COOKIE" \
		-noinput -run interop_connect ping6 -pa "$INTEROP_BEAMS" -extra "$2" < /dev/null
}

connect()
{
	local path

	start_node svc || return
	path=$(echo_program) || {
		report 1 "there is an echo program"
		return
	}
	start_program echo "$path" || return
	beam b -- interop_connect "svc@$HOST"
	check "the native node is as at its beginning" node_is_idle
	stop_children
	# a name that means ::1 alone
	! getent ahosts vm6.example.org > /dev/null || ipv6_and_long_names vm6.example.org
}

# Nothing held for connections that are gone
node_is_idle()
{
	wait_for 10 nothing_held && return
	erldist node show
	return 1
}

nothing_held()
{
	local text

	text=$(erldist node show)
	[[ $text == *" peers-up 0 handshakes 0 "* && $text == *" pool-used 0 "* ]]
}

interop connect
