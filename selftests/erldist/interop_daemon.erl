%% SPDX-License-Identifier: GPL-2.0-only
%% Traffic with a process of a native node, until a file appears.
-module(interop_daemon).
-export([main/0, flood/2]).

-define(PIPELINE, 10).
-define(LIMIT, 1200000).

%% Arguments: the native node, the file, where to tell that it goes well
main() ->
    Node = list_to_atom(interop:node_arg(1)),
    [_, Stop, Going | _] = init:get_plain_arguments(),
    interop:main([{"no message is lost, no node is down",
                   fun() -> traffic(Node, Stop, Going) end, ?LIMIT}]).

traffic(Node, Stop, Going) ->
    {hello, 0} = gen_server:call({echo, Node}, {hello, 0}, 60000),
    monitor_node(Node, true),
    Monitor = monitor(process, {echo, Node}),
    Connection = nodes(hidden, #{connection_id => true}),
    N = loop(Node, Stop, Going, 0),
    Connection = nodes(hidden, #{connection_id => true}),
    receive
        {nodedown, Node} -> exit({nodedown, N});
        {'DOWN', Monitor, _, _, Reason} -> exit({down, Reason, N});
        Other -> exit({unexpected, Other, N})
    after 0 -> ok
    end,
    io:format("# ~b messages each way~n", [N]),
    N > 0.

%% Some are under way all the time, each comes back, and in the order they went
loop(Node, Stop, Going, N) ->
    Numbers = lists:seq(N, N + ?PIPELINE - 1),
    [{echo, Node} ! {self(), {n, I}} || I <- Numbers],
    [receive
         {n, I} -> ok;
         Other -> exit({expected, I, got, Other})
     after 60000 -> exit({lost, I})
     end || I <- Numbers],
    N rem 1000 =:= 0 andalso file:write_file(Going, integer_to_list(N)),
    case filelib:is_file(Stop) of
        true -> N + ?PIPELINE;
        false -> timer:sleep(10), loop(Node, Stop, Going, N + ?PIPELINE)
    end.

%% So many MiB to one process, which need not read them
flood(To, MiB) ->
    Piece = binary:copy(<<"x">>, 1 bsl 20),
    lists:foreach(fun(_) -> To ! Piece end, lists:seq(1, MiB)).
