%% SPDX-License-Identifier: GPL-2.0-only
%% What interop_actor.c is, with processes of an Erlang node.
-module(interop_host).
-export([main/0]).

main() ->
    [Port, Tag] = init:get_plain_arguments(),
    {ok, Socket} = gen_tcp:connect({127, 0, 0, 1}, list_to_integer(Port),
                                   [binary, {packet, 4}, {active, true}, {nodelay, true}]),
    logger:set_primary_config(level, none),
    loop(Socket, #{}, [{0, hello, list_to_atom(Tag)}]).

%% Out: what is to be told, the last one first
loop(Socket, Actors, Out) ->
    receive Message -> loop(Socket, Actors, Out, Message)
    after 0 ->
        Out =:= [] orelse (ok = gen_tcp:send(Socket, term_to_binary(lists:reverse(Out)))),
        receive Message -> loop(Socket, Actors, [], Message) end
    end.

loop(Socket, Actors, Out, {tell, What}) ->
    loop(Socket, Actors, [What | Out]);
loop(Socket, Actors, Out, {tcp, _, Packet}) ->
    {Actors1, Out1} = lists:foldl(fun serve/2, {Actors, Out}, binary_to_term(Packet)),
    loop(Socket, Actors1, Out1);
loop(Socket, Actors, Out, {'DOWN', _, process, Pid, Reason}) ->
    case maps:take(Pid, Actors) of
        {I, Actors1} -> loop(Socket, maps:remove(I, Actors1), [{I, dead, Reason} | Out]);
        error -> loop(Socket, Actors, Out)
    end;
loop(_, _, _, {tcp_closed, _}) ->
    halt(0).

serve({I, spawn, Name, Trap, _}, {Actors, Out}) ->
    Host = self(),
    {Pid, _} = spawn_monitor(fun() ->
                                     process_flag(trap_exit, Trap =:= 1),
                                     actor(I, Host)
                             end),
    true = register(Name, Pid),
    {Actors#{I => Pid, Pid => I}, [{I, pid, Pid} | Out]};
serve({I, stop, _, _, _}, {Actors, Out}) ->
    case maps:take(I, Actors) of
        {Pid, Actors1} -> exit(Pid, kill), {maps:remove(Pid, Actors1), Out};
        error -> {Actors, Out}
    end;
serve({0, disconnect, Node, _, _}, {Actors, Out}) ->
    erlang:disconnect_node(Node),
    {Actors, [{0, disconnected, Node} | Out]};
serve({0, connect, Node, _, _}, {Actors, Out}) ->
    Host = self(),
    spawn(fun() -> Host ! {tell, {0, connected, net_kernel:connect_node(Node)}} end),
    {Actors, Out};
serve(Command, {Actors, Out}) ->
    case Actors of
        #{element(1, Command) := Pid} -> Pid ! {command, Command};
        _ -> gone
    end,
    {Actors, Out}.

%% A process

actor(I, Host) ->
    receive
        {command, {_, hold, _, N, _}} ->
            hold(I, Host, N, N);
        {command, Command} ->
            do(I, Host, Command),
            Host ! {tell, {I, op, 0}},
            drained(I, Host, 1);
        Message ->
            got(I, Host, Message)
    end,
    actor(I, Host).

%% N operations, before the last of them some time
hold(I, Host, 0, N) ->
    drained(I, Host, N);
hold(I, Host, Left, N) ->
    Left =/= 1 orelse timer:sleep(10),
    receive {command, Command} ->
        do(I, Host, Command),
        Host ! {tell, {I, op, 0}}
    end,
    hold(I, Host, Left - 1, N).

drained(I, Host, N) ->
    drain(I, Host),
    [Host ! {tell, {I, drained, 0}} || _ <- lists:seq(1, N)],
    ok.

drain(I, Host) ->
    receive
        Message when element(1, Message) =/= command ->
            got(I, Host, Message),
            drain(I, Host)
    after 0 ->
        ok
    end.

%% Of what is large only number and size are told
got(I, Host, {m, N, Bytes}) when is_binary(Bytes) ->
    Size = byte_size(Bytes),
    case binary:copy(<<N>>, Size) of
        Bytes -> Host ! {tell, {I, got, {big, N, Size}}};
        _ -> Host ! {tell, {I, error, {large, N}}}
    end;
got(I, Host, Message) ->
    Host ! {tell, {I, got, Message}}.

do(I, Host, {_, monitor, To, N, How}) ->
    Options = case How of
                  none -> [];
                  _ -> [{alias, How}]
              end,
    ref(I, Host, N, monitor(process, To, Options));
do(I, Host, {_, alias, _, N, explicit}) ->
    ref(I, Host, N, alias([explicit_unalias]));
do(I, Host, {_, alias, _, N, reply}) ->
    ref(I, Host, N, alias([reply]));
do(_, _, Command) ->
    do(Command).

ref(I, Host, N, Ref) ->
    put(N, Ref),
    Host ! {tell, {I, ref, {N, Ref}}}.

do({_, send, To, _, Message}) -> send(To, Message);
do({_, big, To, N, Size}) -> send(To, {m, N, binary:copy(<<N>>, Size)});
%% Where it is cheap to know, there is an exception instead of the signal.
do({_, link, Pid, _, _}) -> try link(Pid) catch error:noproc -> exit(noproc) end;
do({_, unlink, Pid, _, _}) -> unlink(Pid);
do({_, exit, Pid, _, Reason}) -> exit(Pid, Reason);
do({_, demonitor, _, N, plain}) -> demonitor(get(N));
do({_, demonitor, _, N, flush}) -> demonitor(get(N), [flush]);
do({_, unalias, _, N, _}) -> unalias(get(N));
do({_, trap, _, N, _}) -> process_flag(trap_exit, N =:= 1);
do({_, die, _, _, Reason}) -> exit(Reason).

%% To nobody is no error here, as it is not elsewhere.
send({Name, Node}, Message) when Node =:= node() ->
    try Name ! Message catch error:badarg -> ok end;
send(To, Message) ->
    To ! Message.
