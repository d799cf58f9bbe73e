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
told 1 "erldist: node: NAME is missing" node run
told 1 "erldist: rpc: MOD is missing" rpc b@host
told 1 "erldist: ping: there is no place for c@host" ping b@host c@host
told 1 "erldist: node run: hand-out-mode goes with hand-out" node run svc --hand-out-mode 600
told 0 "usage: erldist [-j] OBJECT [VERB] ..." help
told 0 "usage: erldist [-j] OBJECT [VERB] ..." help ping
told 0 "usage: erldist [-j] OBJECT [VERB] ..." ping help
echo "1..$n"
exit $bad
