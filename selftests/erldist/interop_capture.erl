%% SPDX-License-Identifier: GPL-2.0-only
%% A little of everything, to be looked at on the wire.
-module(interop_capture).
-export([main/0]).
-import(interop, [program/2, call/2, call/3, signal/2, stop/1]).

main() ->
    Node = list_to_atom(interop:node_arg(1)),
    interop:main([{"the Erlang node connects, and talks", fun() -> beam_connects(Node) end},
                  {"the native node connects, and talks", fun() -> native_connects(Node) end}]).

beam_connects(Node) ->
    pong = net_adm:ping(Node),
    traffic(Node).

native_connects(Node) ->
    true = erlang:disconnect_node(Node),
    true = interop:eventually(fun() -> interop:peers() =:= [] end),
    {0, _} = interop:run("erldist", ["ping", atom_to_list(node())]),
    traffic(Node).

traffic(Node) ->
    Port = program(Node, [p]),
    Pid = call({p, Node}, pid),
    {'EXIT', {timeout, _}} = (catch call({p, Node}, {late, 200}, 100)),
    process_flag(trap_exit, true),
    Ref = monitor(process, Pid),
    link(Pid),
    unlink(Pid),
    demonitor(Ref),
    monitor(process, Pid),
    link(Pid),
    [X = echo(Node, X) || {_, X} <- interop_messages:terms()],
    Big = binary:copy(<<"fragments">>, 100000),
    Big = echo(Node, Big),
    hello = call({p, Node}, hello),
    signal("KILL", Port),
    receive {'EXIT', Pid, {signal, sigkill}} -> ok end,
    receive {'DOWN', _, process, Pid, {signal, sigkill}} -> ok end,
    Other = program(Node, [q]),
    exit(call({q, Node}, pid), kill),
    stop(Other).

echo(Node, X) ->
    {echo, Node} ! {self(), X},
    receive Y when Y =:= X -> Y end.
