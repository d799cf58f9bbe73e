%% SPDX-License-Identifier: GPL-2.0-only
%% Connections between an Erlang node and a native one, whoever makes them.
-module(interop_connect).
-export([main/0, ping6/0]).
-import(interop, [run/2, eventually/1, event/2, peers/0, ms/1]).

main() ->
    Node = list_to_atom(interop:node_arg(1)),
    net_kernel:monitor_nodes(true, [{node_type, all}]),
    interop:main([{Text, fun() -> Fun(Node) end} || {Text, Fun} <- tests()]).

tests() ->
    [{"net_adm:ping connects: pong", fun beam_pings/1},
     {"a second ping: pong, on the same connection", fun again/1},
     {"erlang:disconnect_node ends it on both sides", fun beam_disconnects/1},
     {"net_kernel:connect_node connects", fun connect_node/1},
     {"erldist peer disconnect ends it on both sides", fun native_disconnects/1},
     {"erldist ping connects: pong", fun native_pings/1},
     {"net_adm:ping on that connection: pong", fun again/1},
     {"erldist ping on a connection that Erlang made: pong", fun native_again/1},
     {"messages connect: Erlang to a native program", fun beam_first/1},
     {"messages connect: a native program to Erlang", fun native_first/1},
     {"up and down on netlink, and in Erlang, ten times", fun up_and_down/1},
     {"another cookie, Erlang connects: pang, told on netlink", fun wrong_from_beam/1},
     {"another cookie, native connects: refused, the message says so", fun wrong_from_native/1},
     {"a stranger's failure is not held against an attempt of ours", fun stranger/1},
     {"a node that is not there: the message says so", fun nowhere/1},
     {"an Erlang node that ends is down on netlink and in its programs' view", fun beam_ends/1}].

down(Node) ->
    erlang:disconnect_node(Node),
    true = eventually(fun() -> peers() =:= [] andalso nodes(connected) =:= [] end).

me() ->
    atom_to_binary(node()).

beam_pings(Node) ->
    [] = nodes(connected),
    pong = net_adm:ping(Node),
    [Node] = nodes(hidden),
    [] = nodes(),
    peers() =:= [me()].

again(Node) ->
    pong = net_adm:ping(Node),
    Connection = nodes(hidden, #{connection_id => true}),
    pong = net_adm:ping(Node),
    Connection =:= nodes(hidden, #{connection_id => true}).

beam_disconnects(Node) ->
    true = erlang:disconnect_node(Node),
    true = eventually(fun() -> peers() =:= [] end),
    [] =:= nodes(connected).

connect_node(Node) ->
    true = net_kernel:connect_node(Node),
    true = net_kernel:connect_node(Node),
    [Node] = nodes(hidden),
    peers() =:= [me()].

native_disconnects(_) ->
    {0, _} = run("erldist", ["peer", "disconnect", atom_to_list(node())]),
    true = eventually(fun() -> nodes(connected) =:= [] end),
    eventually(fun() -> peers() =:= [] end).

native_pings(Node) ->
    [] = nodes(connected),
    {0, <<"pong from ", _/binary>>} = run("erldist", ["ping", atom_to_list(node())]),
    [Node] =:= nodes(hidden).

native_again(Node) ->
    down(Node),
    pong = net_adm:ping(Node),
    {0, <<"pong from ", _/binary>>} = run("erldist", ["ping", atom_to_list(node())]),
    true.

beam_first(Node) ->
    down(Node),
    {echo, Node} ! {self(), [first, 1]},
    {echo, Node} ! {self(), [first, 2]},
    receive [first, 1] -> ok end,
    receive [first, 2] -> true end.

native_first(Node) ->
    down(Node),
    register(inbox, self()),
    {0, _} = run("erldist", ["send", "inbox@" ++ atom_to_list(node()), "{hello, \"world\", 42}"]),
    receive {hello, "world", 42} -> true end.

up_and_down(Node) ->
    down(Node),
    Monitor = interop:watch(Node),
    net_kernel:monitor_nodes(true, [{node_type, all}]),
    [begin
         pong = net_adm:ping(Node),
         event(Monitor, <<"peer-up ", (me())/binary, " node ", (atom_to_binary(Node))/binary>>),
         receive {nodeup, Node, _} -> ok end,
         true = erlang:disconnect_node(Node),
         Down = event(Monitor, <<"peer-down ", (me())/binary>>),
         true = binary:match(Down, <<"reason connection-closed">>) =/= nomatch,
         receive {nodedown, Node, _} -> ok end
     end || _ <- lists:seq(1, 10)],
    true.

wrong_from_beam(Node) ->
    down(Node),
    Monitor = interop:watch(Node),
    erlang:set_cookie(Node, another),
    pang = net_adm:ping(Node),
    erlang:set_cookie(Node, erlang:get_cookie()),
    Event = event(Monitor, <<"peer-failed ", (me())/binary>>),
    true = binary:match(Event, <<"reason bad-digest">>) =/= nomatch,
    [] =:= peers().

wrong_from_native(Node) ->
    Monitor = interop:watch(Node),
    erlang:set_cookie(Node, another),
    timer:sleep(1500),	% longer than a failure is remembered
    {1, Said} = run("erldist", ["ping", atom_to_list(node())]),
    Event = event(Monitor, <<"peer-failed ", (me())/binary>>),
    erlang:set_cookie(Node, erlang:get_cookie()),
    true = binary:match(Event, <<"reason closed-after-proof">>) =/= nomatch,
    true = binary:match(Said, <<"pang">>) =/= nomatch,
    case binary:match(Said, <<"cookie">>) of
        nomatch -> Said;
        _ -> timer:sleep(1500), [] =:= peers()
    end.

stranger(Node) ->
    erlang:set_cookie(Node, another),
    pang = net_adm:ping(Node),
    erlang:set_cookie(Node, erlang:get_cookie()),
    native_pings(Node).

nowhere(_) ->
    [_, Host] = string:split(atom_to_list(node()), "@"),
    {1, Said} = run("erldist", ["ping", "nobody@" ++ Host]),
    binary:match(Said, <<"knows no node of that name">>) =/= nomatch orelse Said.

beam_ends(Node) ->
    Monitor = interop:watch(Node),
    Cookie = atom_to_list(erlang:get_cookie()),
    {Other, _} = Beam = interop:beam("other", ["-setcookie", Cookie]),
    {echo, Node} ! {self(), hello},
    receive hello -> ok end,
    pong = rpc:call(Other, net_adm, ping, [Node]),
    event(Monitor, <<"peer-up ", (atom_to_binary(Other))/binary>>),
    interop:beam_stop(Beam),
    event(Monitor, <<"peer-down ", (atom_to_binary(Other))/binary>>),
    peers() =:= [me()].

%% Whether the node named by the argument answers, as the exit status
ping6() ->
    Node = list_to_atom(interop:node_arg(1)),
    pong = net_adm:ping(Node),
    [Node] = nodes(hidden),
    {0, <<"pong from ", _/binary>>} = run("erldist", ["ping", atom_to_list(node())]),
    halt(0).
