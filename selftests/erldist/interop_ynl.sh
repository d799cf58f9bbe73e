#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The generic netlink family with tools that know nothing of it: the kernel's
# own tools/net/ynl/cli.py, with the specification, and genl-ctrl-list.
# shellcheck source=selftests/erldist/lib_interop.sh disable=SC2317
. "$(dirname "$(readlink -f "$0")")/lib_interop.sh"

SPEC=Documentation/netlink/specs/erldist.yaml
YNL=tools/net/ynl/cli.py

# file: below this directory's tree or that of $KSFT, whichever has it
find_file()
{
	local dir

	for dir in "$HERE/../.." "$HERE/../../../../.." "${KSFT:-.}/../../.."; do
		[ -e "$dir/$1" ] && readlink -f "$dir/$1" && return
	done
	return 1
}

# A JSON document, on which the rest is a test for jq
ynl()
{
	if /usr/bin/python3 "$cli" --spec "$spec" --output-json "${@:2}" > "$TMP/json" 2> "$TMP/error" &&
		jq -e "$1" "$TMP/json" > /dev/null 2>> "$TMP/error"; then
		return
	fi
	cat "$TMP/json" "$TMP/error"
	return 1
}

family_is_listed()
{
	genl-ctrl-list | grep -w erldist
}

# Events of a subscription, while a peer comes and goes
subscription()
{
	local watcher

	/usr/bin/python3 "$cli" --spec "$spec" --output-json --subscribe nodes --sleep $((4 * SLOW)) \
		> "$TMP/events" 2>&1 &
	watcher=$!
	while kill -0 "$watcher" 2> /dev/null; do
		erldist peer disconnect "b@$HOST"
		sleep 0.5
		erldist ping "b@$HOST"
	done
	wait "$watcher"
	cat "$TMP/events"
	grep -q peer-down "$TMP/events" && grep -q peer-up "$TMP/events"
}

tests()
{
	start_node svc || return
	start_program inbox erldist recv inbox || return
	erl -sname b -setcookie "$COOKIE" -noinput > "$TMP/b.log" 2>&1 &
	children+=($!)
	wait_for 30 erldist ping "b@$HOST"
	check "genl-ctrl-list lists the family" family_is_listed
	check "family-get" ynl '."address-family" > 0 and .version' --do family-get
	check "node-get, one" ynl ".name == \"svc@$HOST\" and .processes == 1" --do node-get \
		--json "{\"name\": \"svc@$HOST\"}"
	check "node-get, a dump" ynl 'length == 1' --dump node-get
	check "peer-get, a dump" ynl "length == 1 and .[0].name == \"b@$HOST\" and .[0].state == \"up\"" \
		--dump peer-get
	check "process-get, a dump" ynl 'length == 1 and .[0].name == "inbox"' --dump process-get
	check "a subscription to nodes" subscription
	stop_children
}

spec=$(find_file $SPEC) || skip "no $SPEC"
cli=$(find_file $YNL) || skip "no $YNL"
/usr/bin/python3 -c 'import yaml, jsonschema' 2> /dev/null || skip "no python3-yaml, python3-jsonschema"
command -v jq > /dev/null || skip "no jq"
interop : tests
