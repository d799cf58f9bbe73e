# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What the tests with Erlang nodes share. Sourced, by a test that then calls
# "interop TESTS": TESTS is a function that runs the tests for one Erlang/OTP, the
# first in PATH, whose release is $OTP.
#
# ERL25, ERL27 and ERL29 name directories with an erl of that release; without
# them the erl in PATH is what there is. ERLDIST_OTP says which of them are used
# ("25 27"). The command erldist has to be in PATH.

HERE=$(dirname "$(readlink -f "$0")")
export INTEROP_BEAMS=$HERE
COOKIE=secret
number=0
failed=0
children=()

# All that is waited for takes longer on a kernel that checks itself
case $(uname -r) in
*-erldist-debug) SLOW=6 ;;
*) SLOW=1 ;;
esac

skip()
{
	echo "1..0 # SKIP $*"
	exit 4
}

# status, text
report()
{
	number=$((number + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $number - ${OTP:+OTP $OTP: }$2"
	else
		echo "not ok $number - ${OTP:+OTP $OTP: }$2"
		failed=1
	fi
}

# text, command...: ok if the command succeeds; if not, shows what it said
check()
{
	local text=$1 output status=0
	shift
	output=$("$@" 2>&1) || status=$?
	report $status "$text"
	[ $status -eq 0 ] || echo "# $* gave $status: ${output//$'\n'/$'\n# '}"
}

# command, text: what is not tested where that command is missing
leave_out()
{
	number=$((number + 1))
	echo "ok $number - ${OTP:+OTP $OTP: }$2 # SKIP no $1"
}

# seconds, command...: until it succeeds. What is late is not wrong yet, on a machine
# that pauses: it has three times as long.
wait_for()
{
	local end=$((SECONDS + 3 * $1 * SLOW))
	shift
	until "$@" > /dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.1
	done
}

# Numbers the results that an Erlang module prints
number_results()
{
	local line

	while IFS= read -r line; do
		case $line in
		'ok - '*) report 0 "${line#ok - }" ;;
		'not ok - '*) report 1 "${line#not ok - }" ;;
		*) echo "# ${line#\# }" ;;
		esac
	done
}

# node name, erl flags, --, module, arguments...: runs its main/0 on a node, for
# INTEROP_TIME seconds at most
beam()
{
	local name=$1 flags=() status=0
	shift
	while [ "$1" != -- ]; do
		flags+=("$1")
		shift
	done
	shift
	timeout -k 5 $((${INTEROP_TIME:-420} * SLOW)) erl -sname "$name" -setcookie $COOKIE -noinput \
		+fnu -pa "$INTEROP_BEAMS" "${flags[@]}" -run "$1" main -extra "${@:2}" \
		> "$TMP/$name.results" 2>&1 < /dev/null || status=$?
	# a node's own words about a large term are very long
	number_results < <(cut -c 1-1000 "$TMP/$name.results")
	if ! grep -q '^ok - \|^not ok - ' "$TMP/$name.results" || [ $status -gt 123 ]; then
		report 1 "$1 ends (status $status)"
	fi
}

# command...: a peer that is no Erlang node, and prints results, in INTEROP_TIME seconds
peer_program()
{
	local status=0

	timeout -k 5 $((${INTEROP_TIME:-420} * SLOW)) "$@" > "$TMP/peer.results" 2>&1 < /dev/null ||
		status=$?
	number_results < <(cut -c 1-1000 "$TMP/peer.results")
	[ $status -eq 0 ] || report 1 "${1##*/} ends (status $status)"
}

# name, options of "erldist node run"...: holds a node; its process is $NODE_PID
start_node()
{
	hold_node "$@" --cookie $COOKIE
}

# The same, with the cookie of the options, or of the home directory
hold_node()
{
	local name=$1
	shift
	erldist node run "$name" "$@" > "$TMP/$name.log" 2>&1 &
	NODE_PID=$!
	children+=("$NODE_PID")
	wait_for 20 grep -q 'is running' "$TMP/$name.log" && return
	sed 's/^/# /' "$TMP/$name.log"
	report 1 "node $name starts"
	return 1
}

# name, flags...: holds an Erlang node, which does what it is asked
start_beam()
{
	local name=$1 kind=-sname
	shift
	[[ $name != *@*.* ]] || kind=-name
	erl $kind "$name" -noinput +fnu -pa "$INTEROP_BEAMS" "$@" > "$TMP/$name.log" 2>&1 \
		< /dev/null &
	BEAM_PID=$!
	children+=("$BEAM_PID")
	wait_for 60 in_epmd "${name%@*}" && return
	sed 's/^/# /' "$TMP/$name.log"
	report 1 "Erlang node $name starts"
	return 1
}

in_epmd()
{
	epmd -names | grep -q "^name $1 "
}

# pid: ends a node, or an Erlang node
end_child()
{
	local pid

	kill "$1" 2> /dev/null
	wait "$1" 2> /dev/null
	for pid in "${!children[@]}"; do
		[ "${children[pid]}" != "$1" ] || unset "children[pid]"
	done
}

# text, command...: it fails within SOON or 60 seconds, and the text is in what it prints
fails()
{
	local text=$1 output status=0
	shift
	output=$(timeout "${SOON:-60}" "$@" 2>&1) || status=$?
	echo "$status: $output"
	[ $status -ne 0 ] && [ $status -ne 124 ] && [[ $output == *"$text"* ]]
}

# text, command...: prints what it prints, and succeeds, if the text is in there
says()
{
	local text=$1 output
	shift
	output=$("$@" 2>&1)
	echo "$output"
	[[ $output == *"$text"* ]]
}

# text, file: a log that has it now, or soon
logged()
{
	wait_for 15 grep -qF -- "$1" "$2" && return
	cat "$2"
	return 1
}

# name, program, arguments...: starts a program that registers the name
start_program()
{
	local name=$1
	shift
	"$@" > "$TMP/$name.log" 2>&1 < /dev/null &
	PROGRAM_PID=$!
	children+=("$PROGRAM_PID")
	wait_for 20 registered "$name" && return
	sed 's/^/# /' "$TMP/$name.log"
	report 1 "program $name starts"
	return 1
}

registered()
{
	erldist process show | grep -q " name $1 "
}

# A node has a handshake under way, in its namespace
in_handshake()
{
	erldist node show | grep -q ' handshakes [1-9]'
}

# The example that comes with the library
echo_program()
{
	local path=${ERLDIST_ECHO:-$(dirname "$(command -v erldist)")/examples/echo}

	[ -x "$path" ] || return 1
	echo "$path"
}

# The program that does what it is told, which comes with the library
puppet()
{
	local path=${ERLDIST_PUPPET:-$(dirname "$(command -v erldist)")/tests/puppet}

	[ -x "$path" ] || return 1
	echo "$path"
}

stop_children()
{
	local pid

	[ ${#children[@]} -gt 0 ] || return
	for pid in "${children[@]}"; do
		kill -CONT "$pid" 2> /dev/null
		kill "$pid" 2> /dev/null
	done
	wait "${children[@]}" 2> /dev/null
	children=()
}

cleanup()
{
	stop_children
	epmd -kill > /dev/null 2>&1
	rm -rf "$TMP"
}

# A directory, an epmd and a home of this test's own
surroundings()
{
	TMP=$(mktemp -d)
	trap cleanup EXIT
	export HOME=$TMP ERL_EPMD_PORT=14369 INTEROP_PATH=$HERE INTEROP_SLOW=$SLOW
	export ERL_CRASH_DUMP_SECONDS=0
	# shellcheck disable=SC2034
	HOST=$(hostname -s)
	cd "$TMP" || exit 1
}

# directory: it has a newer .beam of each .erl
has_beams()
{
	local source beam

	for source in "$HERE"/interop*.erl; do
		beam=${source##*/}
		[ "$1/${beam%.erl}.beam" -nt "$source" ] || return 1
	done
}

# The beams for the release that is first in PATH. What 25 compiles is run by 27, but
# not by 29. Where the tests were built without a compiler, they are compiled here.
use_beams()
{
	local dir=$HERE

	[ "$OTP" != 29 ] || dir=$HERE/otp29
	export INTEROP_BEAMS=$dir
	has_beams "$dir" && return
	export INTEROP_BEAMS=$TMP/beams
	[ "$OTP" != 29 ] || INTEROP_BEAMS=$TMP/beams29
	has_beams "$INTEROP_BEAMS" && return
	mkdir -p "$INTEROP_BEAMS"
	erlc -o "$INTEROP_BEAMS" "$HERE"/interop*.erl || exit 1
}

needs_module()
{
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	[ -d /sys/module/erldist ] || skip "module erldist is not loaded"
	command -v erldist > /dev/null || skip "no erldist in PATH"
}

# tests: runs them once, with peers that are no Erlang nodes
interop_without_otp()
{
	needs_module
	command -v epmd > /dev/null || skip "no epmd"
	OTP=
	surroundings
	epmd -daemon
	"$1"
	echo "1..$number"
	exit $failed
}

# tests [end]: runs the first for each OTP, then the second once
interop()
{
	local path=$PATH releases=() bin i

	needs_module
	command -v erl > /dev/null || [ -n "$ERL25$ERL27$ERL29" ] || skip "no Erlang"
	surroundings
	for OTP in ${ERLDIST_OTP:-25 27}; do
		bin=ERL$OTP
		[ -z "${!bin}" ] || releases+=("$OTP" "${!bin}")
	done
	[ ${#releases[@]} -gt 0 ] || releases=("in PATH" "$(dirname "$(command -v erl)")")
	PATH=${releases[1]}:$path
	epmd -daemon
	for ((i = 0; i < ${#releases[@]}; i += 2)); do
		OTP=${releases[i]}
		PATH=${releases[i + 1]}:$path
		use_beams
		"$1"
		stop_children
	done
	[ $# -lt 2 ] || "$2"
	echo "1..$number"
	exit $failed
}
