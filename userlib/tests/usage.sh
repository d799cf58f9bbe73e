#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# What the command says to a command line that is wrong. Needs neither module nor root.
build=$(realpath "$1")
PATH=$build:$PATH
n=0 bad=0
# told STATUS WORDS ARGUMENT...: it ends so, and the first line is that
told()
{
	want=$1 words=$2
	shift 2
	out=$(erldist "$@" 2>&1)
	status=$?
	first=$(echo "$out" | head -1)
	n=$((n + 1))
	if [ $status -eq "$want" ] && [ "$first" = "$words" ]; then
		echo "ok $n - $first"
	else
		echo "not ok $n - erldist $*: $status, $first"
		bad=1
	fi
	case $out in *SECRET*) echo "not ok - a value is shown" bad=1 ;; esac
}
# says WORDS ARGUMENT...: that is one of the lines
says()
{
	words=$1
	shift
	n=$((n + 1))
	if erldist "$@" 2>&1 | grep -qxF -- "$words"; then
		echo "ok $n - $words"
	else
		echo "not ok $n - erldist $*: $(erldist "$@" 2>&1)"
		bad=1
	fi
}
told 1 "erldist: no such option: --cokie" node run svc --cokie=SECRET
told 1 "erldist: no such option: --cokie" --cokie=SECRET node run svc
told 1 "erldist: --cookie wants a value" node run svc --cookie
told 1 "erldist: --default takes no value" node run svc --default=SECRET
told 1 "erldist: no such option: -x" status -x
told 1 "erldist: ping does not take --count" ping --count 3 b@host
told 1 "erldist: ping does not take --background" ping --background b@host
told 1 "erldist: no such command: bogus" help bogus
told 1 "erldist: no such command: bogus" bogus help
told 1 "erldist: ping: NODE is missing" ping
told 1 "erldist: call: TERM is missing" call --node a@host dest
told 1 "erldist: node run: NAME is missing" node run
told 1 "erldist: --cookie wants a value, and --background is an option; if it is the value, write --cookie=--background" node run svc --cookie --background
told 1 "erldist: --background is an option of a command: put it behind that" --background node run svc
told 1 "erldist: call: there is no place for {add,1,2}: a process of another node is one word, like calc@svc" call svc calc '{add,1,2}'
told 1 "erldist: rpc: MOD is missing" rpc b@host
told 1 "erldist: ping: there is no place for c@host" ping b@host c@host
told 1 "erldist: node run: hand-out-mode goes with hand-out" node run svc --hand-out-mode 600
told 1 "erldist: node is followed by one of: show, run, stop, own, of" node
told 1 "erldist: no such command: peer shw" peer shw
told 1 "erldist: no such command: start svc" start svc
says "erldist: there is 'erldist node run'" start svc
says "erldist: there are: status, node, nodes, peer, process, monitor, ping, send, call, rpc, exit, recv" list
says "erldist: there is 'erldist node stop'" stop svc
elixir="; this is Elixir's syntax, and Erlang's is wanted: {add,1,2} and #{a => 1}, with no colons"
told 1 "erldist: {:add,1}: no term begins so, at \":add,1}\"$elixir" call echo '{:add,1}'
told 1 "erldist: :ok: no term begins so, at \":ok\"$elixir" send echo :ok
told 1 "erldist: [a: 1]: expected , or | or ] in a list, at \": 1]\"$elixir" call echo '[a: 1]'
told 1 "erldist: %{}: the text ends where a term was expected, at the end$elixir" call echo '%{}'
told 1 "erldist: a:b(): something follows the term, at \":b()\"" call echo 'a:b()'
told 1 "erldist: call: there is no place for 1: put a term in quotes for the shell, like '{add,1,2}'" call echo add 1 2
told 1 "erldist: {calc,svc}: a node in a tuple has its host, as in {calc,'svc@HOST'}; or write calc@svc" call '{calc,svc}' hi
told 1 "erldist: rpc: 5: the arguments are a list; write '[5]'" rpc b erlang abs 5
told 1 "erldist: rpc: 1, 2: the arguments are a list; write '[1, 2]'" rpc b erlang max '1, 2'
told 1 "erldist: calc@svc is no pid; exits are sent to pids, like '<svc@host.12.0>' (in quotes); 'erldist process show' has those of this machine" exit calc@svc kill
told 1 "erldist: recv: x@svc: the node of a name is given with --node: recv --node svc x" recv x@svc
told 1 "erldist: --count: 0: at least 1; without --count there is no end" recv x --count 0
# Options can be behind the arguments, and a negative number is none
told 1 "erldist: --timeout in milliseconds: x is no number up to 1000000000" call echo hi --timeout x
told 1 "erldist: --timeout in milliseconds: x is no number up to 1000000000" call echo -5 --timeout x
told 1 "erldist: call does not take --count" call echo hi --count 1
told 1 "erldist: ping: there is no place for --timeout" ping -- b --timeout 1
told 1 "erldist: call: TERM is missing" call --timeout 5 -- -5
long=$(printf '%0300d' 0)
told 1 "erldist: bad name is no node name: letters, digits, _ and -, then @ and the host, at most 255 characters" node run 'bad name'
told 1 "erldist: bad name is no node name: NAME or NAME@HOST" node own 'bad name'
told 1 "erldist: $long is no node name: NAME or NAME@HOST" node own "$long"
told 1 "erldist: svc.vm is no node name, as NAME has no dot: type NAME or NAME@HOST, for example svc@vm" node run svc.vm
told 1 "erldist: svc.vm is no node name, as NAME has no dot: type NAME or NAME@HOST, for example svc@vm" ping svc.vm
told 1 "erldist: --timeout in seconds: 1m is no number up to 1000000" ping --timeout 1m b@host
told 1 "erldist: --timeout in milliseconds: 2000000000 is no number up to 1000000000" ping --timeout 2000000000ms b@host
told 1 "erldist: --timeout in milliseconds: s is no number up to 1000000000" call --timeout s b hi
told 1 "erldist: --interval in milliseconds: x is no number up to 1000000" status --interval x
told 0 "erldist 0.1" --version
told 0 "usage: erldist [-j] OBJECT [VERB] ..." help
told 0 "usage: erldist [-j] OBJECT [VERB] ..." help ping
told 0 "usage: erldist [-j] OBJECT [VERB] ..." ping help
told 0 "usage: erldist [-j] OBJECT [VERB] ..." node --help
# has WORDS ARGUMENT...: a line of what it prints is that, but for blanks in front
has()
{
	words=$1
	shift
	n=$((n + 1))
	if erldist "$@" | sed 's/^ *//' | grep -qFx -- "$words"; then
		echo "ok $n - $* has: $words"
	else
		echo "not ok $n - $* does not have: $words"
		bad=1
	fi
}
for command in call rpc "node own"; do
	# shellcheck disable=SC2086
	has "--timeout: milliseconds, as in Erlang, or 5s; 5000 if not given" $command --help
done
has "--timeout: seconds to wait for its end, or 500ms; 10 if not given" node --help
has "--timeout: seconds to wait for a message, or 500ms; if not given, as long as it takes" recv --help
for command in ping send exit "peer connect" "process watch"; do
	# shellcheck disable=SC2086
	has "--timeout: seconds to connect, or 500ms; 10 if not given" $command --help
done
has "--interval: milliseconds in which rates are measured; 1000 if not given, 0: none" status --help
# Each option of the manual page has a line with a phrase, and the other way round
here=$(dirname "$0")
page=$here/../../Documentation/man/erldist.8
described=$(sed -n '/^\.SS Options of node run/,/^\.SS Terms/{s/\\-/-/g;/^\.BI\{0,1\} --/p}' "$page" |
	grep -o -- '--[a-z-]*' | grep -v -e --visible | sort -u)
listed=$(erldist node run --help | sed -n 's/^ *\(--[a-z-]*\) .*   *[a-z].*/\1/p' |
	grep -v -e --timeout -e --node | sort -u)
n=$((n + 1))
if [ -n "$listed" ] && [ "$listed" = "$described" ]; then
	echo "ok $n - node run --help has all options of erldist(8)"
else
	echo "not ok $n - node run --help has $listed"
	echo "# erldist(8) has $described"
	bad=1
fi
# The module, the library and the commands have one version
n=$((n + 1))
if grep -q '^MODULE_VERSION("0.1");' "$here/../../kmod/main.c" &&
	grep -q '^VERSION		:= 0.1$' "$here/../Makefile"; then
	echo "ok $n - one version"
else
	echo "not ok $n - the module, the library and the commands have several versions"
	bad=1
fi
# In a manual page an option or a command that begins a paragraph has its tag
for page in "$here"/../../Documentation/man/*.8; do
	n=$((n + 1))
	untagged=$(awk '/^\.BI? \\-\\-[a-z\\-]+ ("|$)/ && before ~ /\.$/ { print } { before = $0 }' "$page")
	if [ -z "$untagged" ]; then
		echo "ok $n - ${page##*/}: options are tagged"
	else
		echo "not ok $n - ${page##*/}: no .TP before $untagged"
		bad=1
	fi
done
echo "1..$n"
exit $bad
