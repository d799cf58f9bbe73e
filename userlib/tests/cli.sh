#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The command and the examples against a real Erlang node. Needs the module and root.
# shellcheck disable=SC2016,SC2086,SC2317
build=$(realpath "$1")
PATH=$build:$build/examples:$PATH
n=0 bad=0
ok()
{
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; bad=1; fi
}
same()
{
	[ "$1" = "$2" ]
	ok $? "$3: $1"
}
has()
{
	case $1 in *"$2"*) ok 0 "$3: $1" ;; *) ok 1 "$3: $1" ;; esac
}
finish()
{
	echo "1..$n"
	exit $bad
}
if ! erldist node show > /dev/null 2>&1; then
	echo "ok 1 - the command in use # SKIP the module is not loaded"
	n=1
	finish
fi
if ! command -v erl > /dev/null; then
	echo "ok 1 - the command in use # SKIP there is no erl"
	n=1
	finish
fi
dir=$(mktemp -d)
HOME=$dir
# names of its own, so that nothing else is met
ERL_EPMD_PORT=44369
ERL_EPMD_RELAXED_COMMAND_CHECK=1
export HOME ERL_EPMD_PORT ERL_EPMD_RELAXED_COMMAND_CHECK
unset ERLDIST_NODE
pids=
stop_all()
{
	[ -n "$pids" ] && kill $pids 2> /dev/null
	epmd -kill > /dev/null 2>&1
	rm -rf "$dir"
}
trap stop_all EXIT
wait_for()
{
	i=0
	while ! eval "$1" && [ $i -lt 200 ]; do
		i=$((i + 1))
		sleep 0.1
	done
	[ $i -lt 200 ]
}

erldist ping b@localhost > "$dir/out" 2>&1
ok $((! $?)) "ping without a node and without epmd fails"
has "$(cat "$dir/out")" "no epmd answers on localhost" "and says so, from a node of its own"
same "$(erldist node show)" "" "which is gone"

erldist monitor > "$dir/events" 2>&1 &
monitor=$!
pids="$pids $monitor"
sleep 0.5
erldist node run svc@localhost --mode 0666 > "$dir/svc" 2> "$dir/svc.err" &
keeper=$!
pids="$pids $keeper"
wait_for 'grep -q "is running" "$dir/svc"'
ok $? "node run: $(cat "$dir/svc" "$dir/svc.err" | tr '\n' ' ')"
has "$(cat "$dir/svc")" "cookie from $dir/.erlang.cookie" "the source of the cookie"
has "$(erldist node show)" "svc@localhost" "node show"
has "$(erldist -j node show)" '"name":"svc@localhost"' "in JSON"

cat > "$dir/calc.erl" <<'END'
-module(calc).
-behaviour(gen_server).
-export([start/0, init/1, handle_call/3, handle_cast/2]).
start() ->
    {ok, _} = gen_server:start({local, calc}, ?MODULE, [], []),
    register(shell, spawn(fun shell/0)).
init([]) -> {ok, []}.
handle_call({add, A, B}, _, S) -> {reply, {ok, A + B}, S};
handle_call(slow, _, S) -> timer:sleep(2000), {reply, late, S}.
handle_cast(_, S) -> {noreply, S}.
shell() ->
    receive
        {eval, Pid, Text} ->
            {ok, T, _} = erl_scan:string(Text),
            {ok, E} = erl_parse:parse_exprs(T),
            Pid ! (catch element(2, erl_eval:exprs(E, [])));
        Other -> io:format("~tp~n", [Other])
    end,
    shell().
END
(cd "$dir" && erlc calc.erl)
erl -noshell -pa "$dir" -sname b@localhost -s calc start > "$dir/b" 2>&1 &
pids="$pids $!"
wait_for 'epmd -names | grep -q "name b "'
ok $? "a real node"

out=$(erldist ping b@localhost 2>&1)
ok $? "ping"
has "$out" "pong" "ping"
has "$(erldist peer show)" "b@localhost up" "peer show"
has "$(erldist -j peer show b@localhost)" '"state":"up"' "in JSON"

erldist send shell@b@localhost '{hello, "world", #{a => <<"b">>}, 42}'
ok $? "send"
wait_for 'grep -q hello "$dir/b"'
same "$(tail -1 "$dir/b")" '{hello,"world",#{a => <<"b">>},42}' "it arrives"
erldist send "{shell, 'b@localhost'}" second
ok $? "send to {Name, Node}"

erldist recv inbox --count 2 > "$dir/inbox" 2>&1 &
recv=$!
wait_for 'erldist process show | grep -q "name inbox"'
ok $? "process show: $(erldist process show | head -1)"
erldist send shell@b@localhost "{eval, $(erldist -j process show | sed -n 's/.*"pid":"\([^"]*\)","name":"inbox".*/\1/p'), \"{from_b, [1,2,3], 1.5, node()}.\"}"
ok $? "a pid in a message"
erldist send inbox@svc@localhost "'from here'"
wait $recv
same "$?" 0 "recv ends after two"
has "$(grep from_b "$dir/inbox")" "{from_b,[1,2,3],1.5,b@localhost}" "from there"
has "$(grep from_b "$dir/inbox")" "<b@localhost." "with its sender"
has "$(grep here "$dir/inbox")" "> 'from here'" "from here"

"$build/examples/echo" 2> "$dir/echo.err" &
echo_pid=$!
pids="$pids $echo_pid"
wait_for 'erldist process show | grep -q "name echo"'
erldist recv answers --count 1 > "$dir/answers" &
recv=$!
wait_for 'erldist process show | grep -q "name answers"'
cat > "$dir/eval" <<'END'
begin
	T = {[1, 2.5, <<"x">>], #{k => "v"}, self(), make_ref()},
	Call = gen_server:call({echo, 'svc@localhost'}, T),
	{echo, 'svc@localhost'} ! {self(), T},
	Send = receive T -> ok after 3000 -> nothing end,
	{Call =:= T, Send, net_adm:ping('svc@localhost')}
end.
END
erldist send shell@b@localhost "{eval, $(erldist -j process show | sed -n 's/.*"pid":"\([^"]*\)","name":"answers".*/\1/p'), \"$(sed 's/"/\\"/g' "$dir/eval" | tr '\n\t' '  ')\"}"
wait $recv
has "$(cat "$dir/answers")" "{true,ok,pong}" "echo: gen_server:call, a message, net_adm:ping"
same "$("$build/examples/client" calc@b@localhost 19 23)" 42 "client: gen_server:call"
"$build/examples/client" nobody@c@localhost 1 2 > "$dir/out" 2>&1
ok $((! $?)) "client to a node that is not there fails"
has "$(cat "$dir/out")" "epmd on localhost knows no node" "and says why"

erldist ping c@localhost > "$dir/out" 2>&1
ok $((! $?)) "ping of a node that is not there fails"
has "$(cat "$dir/out")" "pang" "pang"
erl -noshell -sname wrong@localhost -setcookie other > /dev/null 2>&1 &
wrong=$!
pids="$pids $wrong"
wait_for 'epmd -names | grep -q "name wrong "'
erldist peer connect wrong@localhost > "$dir/out" 2>&1
ok $((! $?)) "another cookie fails"
has "$(cat "$dir/out")" "most likely another cookie" "and is explained"
sleep 0.3
has "$(cat "$dir/svc.err")" "ours is from $dir/.erlang.cookie" "by the keeper with its source"

erldist peer disconnect b@localhost
ok $? "peer disconnect"
wait_for 'grep -q "peer-down b@localhost" "$dir/events"'
ok $? "is an event"
erldist peer disconnect nobody@localhost > "$dir/out" 2>&1
ok $((! $?)) "peer disconnect of a stranger: $(cat "$dir/out")"
out=$(erldist peer connect b@localhost 2>&1)
same "$out" "svc@localhost is connected to b@localhost" "peer connect"
same "$(erldist send shell@b@localhost '{a' 2>&1)" \
	'erldist: {a: expected , or } in a tuple, at ""' "a mistake in a term"
erldist send inbox@svc@localhost x
same "$?" 0 "sending to nobody succeeds"
erldist recv --node other@localhost x > "$dir/out" 2>&1
ok $((! $?)) "another node: $(cat "$dir/out")"
erldist node run svc@localhost --no-epmd > "$dir/out" 2>&1
ok $((! $?)) "the same node twice: $(tail -1 "$dir/out")"

kill -TERM $keeper
wait $keeper
same "$?" 0 "node run ends with SIGTERM"
wait_for 'grep -q "node-del svc@localhost" "$dir/events"'
ok $? "node-del"
wait $echo_pid
has "$(cat "$dir/echo.err")" "its node svc@localhost is gone" "echo ends with its node"
kill -INT $monitor
wait $monitor
same "$?" 0 "monitor ends with SIGINT"
for e in "node-new svc@localhost" "peer-up b@localhost" "name-new inbox <svc@localhost." "name-del inbox <svc@localhost." \
	 "peer-failed wrong@localhost"; do
	has "$(grep "^$e" "$dir/events" | head -1)" "$e" "event"
done
finish
