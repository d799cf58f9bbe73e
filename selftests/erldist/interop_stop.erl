%% SPDX-License-Identifier: GPL-2.0-only
%% A native node all of whose programs are stopped, and an Erlang node that is.
-module(interop_stop).
-export([main/0]).
-import(interop, [program/2, call/2, signal/2, ms/1]).

-define(STOPPED, 40000).
-define(INTERVAL, 10).	% 100 messages a second
-define(TICKTIME, 8).

%% Arguments: the native node, the process that keeps it
main() ->
    Node = list_to_atom(interop:node_arg(1)),
    Keeper = list_to_integer(interop:node_arg(2)),
    interop:main([{"stopped for 40 s under 100 messages a second: up, all delivered afterwards",
                   fun() -> stopped(Node, Keeper) end},
                  {"an Erlang node that is stopped is down within 1.25 ticktimes",
                   fun() -> silent(Node) end}]).

stopped(Node, Keeper) ->
    Programs = [program(Node, [p, q]), program(Node, [r])],
    Targets = [{Name, Node} || Name <- [p, q, r]],
    [hello = call(T, hello) || T <- Targets],
    monitor_node(Node, true),
    Connection = nodes(hidden, #{connection_id => true}),
    Stopped = [Keeper | [interop:os_pid(P) || P <- Programs]],
    [signal("STOP", Pid) || Pid <- Stopped],
    Begin = erlang:monotonic_time(millisecond),
    Sent = send(Targets, Begin, 1),
    Connection = nodes(hidden, #{connection_id => true}),
    [signal("CONT", Pid) || Pid <- Stopped],
    Reports = [call(T, report) || T <- Targets],
    receive {nodedown, Node} -> exit(nodedown) after 0 -> ok end,
    pong = net_adm:ping(Node),
    [interop:stop(P) || P <- Programs],
    Expected = [{Sent, 0} || _ <- Targets],
    io:format("# ~b messages to each of ~b processes~n", [Sent, length(Targets)]),
    Reports =:= Expected orelse {Sent, Reports}.

%% Each target in turn, for as long as they are stopped; how many for each
send(Targets, Begin, Seq) ->
    [begin
         Target ! {1, Seq, <<"while you were away">>},
         At = Begin + ((Seq - 1) * length(Targets) + I) * ?INTERVAL,
         timer:sleep(max(0, At - erlang:monotonic_time(millisecond)))
     end || {I, Target} <- lists:zip(lists:seq(1, length(Targets)), Targets)],
    case erlang:monotonic_time(millisecond) - Begin of
        Time when Time < ?STOPPED; Seq * length(Targets) < ?STOPPED div ?INTERVAL ->
            send(Targets, Begin, Seq + 1);
        _ -> Seq
    end.

silent(Node) ->
    Name = "silent" ++ erlang:system_info(otp_release),
    Monitor = interop:watch(Node),
    {Other, Beam} = interop:beam(Name, ["-setcookie", atom_to_list(erlang:get_cookie()),
                                        "-hidden", "-kernel", "net_ticktime", integer_to_list(?TICKTIME)]),
    pong = rpc:call(Other, net_adm, ping, [Node]),
    Pid = list_to_integer(rpc:call(Other, os, getpid, [])),
    Text = atom_to_binary(Other),
    interop:event(Monitor, <<"peer-up ", Text/binary, " node ", (atom_to_binary(Node))/binary>>),
    signal("STOP", Pid),
    Begin = erlang:monotonic_time(millisecond),
    Event = interop:event(Monitor, <<"peer-down ", Text/binary, " node ", (atom_to_binary(Node))/binary>>),
    Time = erlang:monotonic_time(millisecond) - Begin,
    signal("KILL", Pid),
    port_close(Beam),
    io:format("# ~ts after ~b ms~n", [Event, Time]),
    true = binary:match(Event, <<"reason net-tick-timeout">>) =/= nomatch,
    %% it may have sent its last tick a quarter of the time before the signal
    true = Time > ?TICKTIME * 1000 * 3 div 5,
    Time =< ?TICKTIME * 1250 + ms(2000).
