%% SPDX-License-Identifier: GPL-2.0-only
%% An Erlang node sends more than a native program reads, and a native program
%% answers Erlang nodes that are gone: what that costs those beside them.
-module(interop_overload).
-export([main/0]).
-import(interop, [program/2, call/2, call/3, signal/2, stop/1, run/2, ms/1, eventually/1, peers/0]).

-define(BURST, 10000).
-define(POOL, (2 bsl 20)).
-define(STALL, 1000).	% ms
-define(PIECE, 10000).	% bytes of one message to who does not read
-define(PROMPT, 500).	% ms, most round trips where nothing is held up take less
-define(BEHIND, 4000).	% ms, longest round trip behind a burst
-define(ROUNDS, 10).

main() ->
    Node = list_to_atom(interop:node_arg(1)),
    interop:main([{Text, fun() -> Fun(Node) end} || {Text, Fun} <- tests()]).

tests() ->
    [{"10000 messages to a stopped program: none lost, in order, its neighbour is not held up",
      fun burst/1},
     {"a small pool, a short stall time", fun limits/1},
     {"one that never reads ends with mailbox_overflow, and holds up its neighbour for one stall time",
      fun(N) -> never_read(N, 1, 2000) end},
     {"100 that never read end with mailbox_overflow, and hold up their neighbour for one stall time",
      fun(N) -> never_read(N, 100, 16000) end},
     {"answers to a node that is silent, does not come up, or is gone do not delay those to others",
      fun gone/1}].

%% The neighbour: who has to be answered all the time

%% A process that asks the native process Name again and again, until told
%% to stop; it keeps how many milliseconds each round trip took
neighbour(Node, Name) ->
    hello = call({Name, Node}, hello),
    spawn_link(fun() -> ask({Name, Node}, []) end).

ask(Server, Trips) ->
    receive
        {stop, From} -> From ! {trips, self(), Trips}
    after 5 ->
        Begin = now_ms(),
        Begin = call(Server, Begin, ms(60000)),
        ask(Server, [now_ms() - Begin | Trips])
    end.

trips(Asking) ->
    Asking ! {stop, self()},
    receive {trips, Asking, Trips} -> Trips end.

now_ms() ->
    erlang:monotonic_time(millisecond).

%% The longest round trip, and the time in all by which any were late
late(Trips) ->
    {lists:max(Trips), lists:sum([T - ms(?PROMPT) || T <- Trips, T > ms(?PROMPT)])}.

%% Most of them: a machine that pauses holds up one or the other
prompt(Trips) ->
    lists:nth((length(Trips) + 1) div 2, lists:sort(Trips)) < ms(?PROMPT).

connection(Node) ->
    #{Node := #{connection_id := Id}} = maps:from_list(nodes(hidden, #{connection_id => true})),
    Id.

%% On a connection of its own, as what held up another minute's counts
reconnect(Node) ->
    erlang:disconnect_node(Node),
    true = eventually(fun() -> peers() =:= [] end),
    pong = net_adm:ping(Node),
    connection(Node).

%% What is told in words: "key value" in the line with Part
told(Command, Part, Key) ->
    {0, Text} = run("erldist", Command),
    [Line] = [L || L <- binary:split(Text, <<"\n">>, [global]), binary:match(L, Part) =/= nomatch],
    {match, [Value]} = re:run(Line, [" ", Key, " ([0-9.]+)"], [{capture, all_but_first, list}]),
    Value.

unread(Name) ->
    list_to_integer(told(["process", "show"], <<" name ", Name/binary, " ">>, "messages")).

overflows(Node) ->
    list_to_integer(told(["node", "show"], atom_to_binary(Node), "overflows")).

stalled() ->
    round(list_to_float(told(["peer", "show"], atom_to_binary(node()), "stalled")) * 1000).

%% A burst

%% All of it has come before the program goes on. Until then the neighbour's
%% messages have those of the burst ahead of them, on the same connection.
burst(Node) ->
    Sleeper = program(Node, [sleeper]),
    Other = program(Node, [neighbour]),
    hello = call({sleeper, Node}, hello),
    Connection = connection(Node),
    Overflows = overflows(Node),
    signal("STOP", Sleeper),
    First = neighbour(Node, neighbour),
    [{sleeper, Node} ! {1, Seq, <<"0123456789012345678901234567890123456789">>} || Seq <- lists:seq(1, ?BURST)],
    true = eventually(fun() -> unread(<<"sleeper">>) =:= ?BURST end),
    During = trips(First),
    Second = neighbour(Node, neighbour),
    timer:sleep(1000),
    After = trips(Second),
    signal("CONT", Sleeper),
    true = eventually(fun() -> call({sleeper, Node}, report) =:= {?BURST, 0} end),
    io:format("# longest of ~b, then ~b round trips: ~b, ~b ms~n",
              [length(During), length(After), lists:max(During), lists:max(After)]),
    lists:max(During) < ms(?BEHIND) orelse exit({behind_the_burst, During}),
    prompt(After) orelse exit({after_the_burst, After}),
    true = length(After) > 10,
    {Connection, Overflows, 0} = {connection(Node), overflows(Node), stalled()},
    stop(Sleeper),
    stop(Other).

%% Readers that never read

limits(Node) ->
    Args = [interop:node_arg(2), "max_message=1048576", "mailbox_pool=" ++ integer_to_list(?POOL),
            "stall=" ++ integer_to_list(?STALL)],
    {0, <<>>} = run(filename:join(os:getenv("INTEROP_PATH"), "interop_limits"), Args),
    integer_to_list(?POOL) =:= told(["node", "show"], atom_to_binary(Node), "pool-limit").

%% The node held up reads for as long as a stall may take in a minute, for all
%% that do not read together; then they end, who has most first. Backlog: ms
%% for what was sent before a round trip began, up to five times the pool
never_read(Node, Number, Backlog) ->
    Names = [list_to_atom("hog" ++ integer_to_list(N)) || N <- lists:seq(1, Number)],
    Connection = reconnect(Node),
    Overflows = overflows(Node),
    Hogs = program(Node, Names),
    Other = program(Node, [neighbour]),
    Alive = maps:from_list([{monitor(process, {Name, Node}), Name} || Name <- Names]),
    [hello = call({Name, Node}, hello) || Name <- Names],
    signal("STOP", Hogs),
    Asking = neighbour(Node, neighbour),
    Begin = now_ms(),
    [] = [R || R <- flood(Node, Alive, <<0:?PIECE/unit:8>>), R =/= mailbox_overflow],
    Trips = trips(Asking),
    hello = call({neighbour, Node}, hello),
    Connection = connection(Node),
    Number = overflows(Node) - Overflows,
    Allowed = ?STALL * (1 + (now_ms() - Begin) div 60000),
    io:format("# round trips: ~p longest, late in all; stalled ~b ms~n", [late(Trips), stalled()]),
    {Longest, Late} = late(Trips),
    Longest =< ?STALL + ms(Backlog) orelse exit({longest, Longest}),
    Late =< Allowed + ms(Backlog) orelse exit({late, Late}),
    stalled() > 0 andalso stalled() =< Allowed + ms(800) orelse exit({stalled, stalled()}),
    stop(Hogs),
    stop(Other).

%% Sends to all in turn, until each has ended; their reasons
flood(_, Alive, _) when map_size(Alive) =:= 0 ->
    [];
flood(Node, Alive, Piece) ->
    [{Name, Node} ! Piece || Name <- maps:values(Alive)],
    Reasons = ended(Node, Alive),
    [Reason || {_, Reason} <- Reasons] ++ flood(Node, maps:without([Ref || {Ref, _} <- Reasons], Alive), Piece).

ended(Node, Alive) ->
    receive
        {'DOWN', Ref, process, {Name, Node}, Reason} when map_get(Ref, Alive) =:= Name ->
            [{Ref, Reason} | ended(Node, Alive)]
    after 0 ->
        []
    end.

%% Answers to a node that is gone

gone(Node) ->
    Server = program(Node, [server]),
    {Other, Beam, Pid} = client(Node),
    Connection = connection(Node),
    signal("STOP", Beam),
    answers(silent, Node, Pid),
    <<"up">> = peer_state(Other),
    {0, _} = run("erldist", ["peer", "disconnect", atom_to_list(Other)]),
    true = eventually(fun() -> peer_state(Other) =/= <<"up">> end),
    %% it is in epmd, and the system accepts connections for it
    ok = call({server, Node}, {send, Pid, term_to_binary(answer)}),
    true = eventually(fun() -> peer_state(Other) =:= <<"connecting">> end),
    answers(does_not_come_up, Node, Pid),
    <<"connecting">> = peer_state(Other),
    signal("KILL", Beam),
    receive {Beam, {exit_status, _}} -> ok end,
    answers(gone, Node, Pid),
    true = peer_state(Other) =/= <<"up">>,
    Connection = connection(Node),
    stop(Server).

%% Another Erlang node, which the native server has answered, and a process there
client(Node) ->
    Name = "c" ++ erlang:system_info(otp_release),
    {Other, Beam} = interop:beam(Name, ["-setcookie", atom_to_list(erlang:get_cookie())]),
    hello = rpc:call(Other, gen_server, call, [{server, Node}, hello]),
    {Other, Beam, spawn(Other, timer, sleep, [infinity])}.

%% A node that nobody refers to any more is not known
peer_state(Peer) ->
    case run("erldist", ["peer", "show", atom_to_list(Peer)]) of
        {0, Text} -> lists:nth(2, binary:split(Text, <<" ">>, [global]));
        {1, _} -> <<"unknown">>
    end.

%% After each answer to Pid, one only where there is a connection and one that
%% makes it, the next one is for us
answers(Stage, Node, Pid) ->
    Answer = term_to_binary(answer),
    Trips = [begin
                 timer:sleep(20),
                 Begin = now_ms(),
                 {server, Node} ! {'$gen_call', {Pid, make_ref()}, hello},
                 ok = call({server, Node}, {send, Pid, Answer}),
                 hello = call({server, Node}, hello),
                 now_ms() - Begin
             end || _ <- lists:seq(1, ?ROUNDS)],
    io:format("# ~s: longest round trip ~b ms~n", [Stage, lists:max(Trips)]),
    prompt(Trips) orelse exit({Stage, Trips}).
