%% SPDX-License-Identifier: GPL-2.0-only
%% Random sequences of what processes of two nodes do to each other, compared with
%% the model interop_signals.
%%
%% interop_model MODE NODE-A NODE-B STEPS SEED. MODE has a letter for each node: b
%% is an Erlang node, n a native one; the same node twice: one node.
%%
%% Many small worlds of five processes each, independent of each other, share
%% the nodes. In each some processes do some random operations at once, and the
%% next begin when all that these led to has been seen. What makes that certain is
%% nothing but the order of signals between two processes: a last message to each
%% process that something was sent to, and a monitor of each process by each
%% other, whose DOWN comes after all else but the exit signal of a link. From time
%% to time the connection is lost, in rest or while something is under way.
%%
%% All is drawn from the seed, and where two things are done at once, what comes
%% of it decides what can be drawn next.
-module(interop_model).
-export([main/0]).
-import(interop, [ms/1, node_arg/1]).

-define(WORLDS, 40).
-define(ACTORS, 5).
-define(BATCHES, 10).           % between two losses of the connection, at most
-define(KEPT, 12).              % batches that are shown where something is wrong
-define(WORLD, 1000000).        % numbers of processes of one world
-define(PATIENCE, 30).          % seconds, each by itself: a machine that pauses loses one

main() ->
    [A, B] = [list_to_atom(node_arg(N)) || N <- [2, 3]],
    [Steps, Seed] = [list_to_integer(node_arg(N)) || N <- [4, 5]],
    Mode = node_arg(1),
    Begin = erlang:monotonic_time(millisecond),
    {Text, Result} = run(Mode, A, B, Steps, Seed),
    Time = erlang:monotonic_time(millisecond) - Begin,
    report(Result, text(Mode, A, B)),
    io:format("# seed ~b, ~b ms: ~ts~n", [Seed, Time, Text]),
    halt(length([failed || Result =/= ok])).

text("bb", A, A) -> "processes of an Erlang node agree with the model";
text("bb", _, _) -> "two Erlang nodes agree with the model";
text("nn", A, A) -> "processes of a native node agree with the model";
text("nn", _, _) -> "two native nodes agree with the model";
text(_, _, _) -> "a native and an Erlang node agree with the model".

report(ok, Text) ->
    io:format("ok - ~ts~n", [Text]);
report({failed, Why}, Text) ->
    io:format("not ok - ~ts~n", [Text]),
    io:format("# ~ts~n", [string:replace(lists:flatten(Why), "\n", "\n# ", all)]).

%%
%% Nodes and worlds
%%

run(Mode, A, B, Steps, Seed) ->
    {ok, Listen} = gen_tcp:listen(0, [binary, {packet, 4}, {active, false}, {nodelay, true},
                                      {ip, {127, 0, 0, 1}}]),
    {ok, Port} = inet:port(Listen),
    [KindA, KindB] = [kind(C) || C <- Mode],
    %% One Erlang node is both sides; a native one has two programs.
    Hosts = [{KindA, A, a}] ++ [{KindB, B, b} || A =/= B orelse KindB =:= native],
    [start_host(Kind, Node, Port, Side) || {Kind, Node, Side} <- Hosts],
    Sockets = accept(Listen, length(Hosts)),
    Sides = #{a => {KindA, A, maps:get(a, Sockets)},
              b => {KindB, B, maps:get(b, Sockets, maps:get(a, Sockets))}},
    Worlds = [{W, start_world(W, Sides, Seed)} || W <- lists:seq(1, ?WORLDS)],
    [reader(Socket, Worlds) || Socket <- maps:values(Sockets)],
    Pids = [Pid || {_, Pid} <- Worlds],
    rand:seed(exsss, {Seed, 0, 0}),
    try
        true = A =:= B orelse connect(Sides),
        {N, Text} = epochs(Pids, Sides, Steps, 0, 0),
        settle(Pids),
        {io_lib:format("~b steps, ~ts", [N, Text]), ok}
    catch
        throw:{failed, Why} -> {"", {failed, Why}};
        Class:Why:Stack ->
            {"", {failed, io_lib:format("~p", [{Class, Why, Stack}])}}
    end.

kind($b) -> beam;
kind($n) -> native.

start_host(native, Node, Port, Side) ->
    interop:program("interop_actor", [integer_to_list(Port), atom_to_list(Side),
                                      atom_to_list(Node)], []);
start_host(beam, Node, Port, Side) ->
    [Name, _] = string:split(atom_to_list(Node), "@"),
    interop:program(filename:join([code:root_dir(), "bin", "erl"]),
                    ["-sname", Name, "-setcookie", atom_to_list(erlang:get_cookie()),
                     "-noinput", "-connect_all", "false", "+fnu",
                     "-pa", os:getenv("INTEROP_BEAMS"), "-run", "interop_host", "main",
                     "-extra", integer_to_list(Port), atom_to_list(Side)], []).

accept(_, 0) ->
    #{};
accept(Listen, N) ->
    {ok, Socket} = gen_tcp:accept(Listen, ms(60000)),
    {ok, Packet} = gen_tcp:recv(Socket, 0, ms(60000)),
    [{0, hello, Side}] = binary_to_term(Packet),
    (accept(Listen, N - 1))#{Side => Socket}.

%% Sends each world what its processes have told, and the main process the rest
reader(Socket, Worlds) ->
    Main = self(),
    Map = maps:from_list(Worlds),
    Pid = spawn_link(fun() ->
                             receive go -> ok end,
                             inet:setopts(Socket, [{active, true}]),
                             read(Socket, Map, Main)
                     end),
    ok = gen_tcp:controlling_process(Socket, Pid),
    Pid ! go.

read(Socket, Worlds, Main) ->
    receive
        {tcp, _, Packet} ->
            Parts = lists:foldr(fun({I, _, _} = T, Acc) ->
                                        W = I div ?WORLD,
                                        Acc#{W => [T | maps:get(W, Acc, [])]}
                                end, #{}, binary_to_term(Packet)),
            maps:foreach(fun(0, Told) -> [Main ! {control, T} || {0, connected, T} <- Told];
                            (W, Told) -> maps:get(W, Worlds) ! {told, Told}
                         end, Parts),
            read(Socket, Worlds, Main);
        {tcp_closed, _} ->
            Main ! ended
    end.

command({_, _, Socket}, Commands) ->
    ok = gen_tcp:send(Socket, term_to_binary(Commands)).

%% Until there are enough steps
epochs(Pids, Sides, Steps, Lost, Done) when Done < Steps ->
    tell(Pids, {go, batches(Steps)}),
    _ = gather(ready, Pids),
    Lost1 = case Sides of
                #{a := {_, Node, _}, b := {_, Node, _}} -> Lost;
                _ -> lose(Pids, Sides, Lost rem 3), Lost + 1
            end,
    tell(Pids, count),
    epochs(Pids, Sides, Steps, Lost1, lists:sum([N || {N, _, _, _} <- gather(count, Pids)]));
epochs(Pids, _, _, Lost, Done) ->
    tell(Pids, count),
    Counts = gather(count, Pids),
    [Batches, Nodes, Given] = [lists:sum([element(N, Count) || Count <- Counts]) || N <- [2, 3, 4]],
    %% What could not be explained within reason has to be the exception.
    Given =< 1 + Batches div 1000
        orelse throw({failed, io_lib:format("~b of ~b batches given up", [Given, Batches])}),
    {Done, io_lib:format("~b batches, ~b of them given up, ~b states looked at, "
                         "connection lost ~b times", [Batches, Given, Nodes, Lost])}.

%% A short run loses the connection in rest, and while something is under way, too.
batches(Steps) ->
    max(2, min(?BATCHES, Steps div (8 * ?WORLDS))).

tell(Pids, What) ->
    [Pid ! What || Pid <- Pids],
    ok.

%% An answer of each world
gather(Tag, Pids) ->
    [answer(Tag, Pid) || Pid <- Pids].

answer(Tag, Pid) ->
    receive
        {Tag, Pid, Answer} -> Answer;
        {failed, Why} -> throw({failed, Why});
        ended -> throw({failed, ["a node's program has ended", last_words()]});
        {Port, {exit_status, N}} when is_port(Port) -> throw({failed, ended(N)});
        {Port, {data, {_, Line}}} when is_port(Port) ->
            io:format("# ~ts~n", [Line]),
            answer(Tag, Pid)
    after ms(120000) ->
        Where = process_info(Pid, [current_stacktrace, message_queue_len]),
        throw({failed, io_lib:format("a world does nothing: ~p", [Where])})
    end.

%% What a program prints may come behind the end of its socket
last_words() ->
    receive
        {Port, {data, {_, Line}}} when is_port(Port) -> ["\n", Line | last_words()];
        {Port, {exit_status, N}} when is_port(Port) -> ["\n", ended(N)]
    after ms(10000) -> "\nit does not tell its status"
    end.

ended(Status) ->
    io_lib:format("a program ends: ~b", [Status]).

%% In rest, or while something is under way
lose(Pids, Sides, N) ->
    Kind = case N of
               0 -> rest;
               _ -> busy
           end,
    tell(Pids, prepare),
    gather(prepared, Pids),
    tell(Pids, {lose, Kind}),
    Kind =:= busy orelse gather(armed, Pids),
    disconnect(Sides),
    gather(seen, Pids),
    true = connect(Sides),
    tell(Pids, connected),
    gather(ready, Pids).

disconnect(#{a := {KindA, NodeA, _} = A, b := {KindB, NodeB, _} = B}) ->
    case {rand:uniform(2), KindA, KindB} of
        {1, beam, _} -> command(A, [{0, disconnect, NodeB, 0, 0}]);
        {2, _, beam} -> command(B, [{0, disconnect, NodeA, 0, 0}]);
        {1, native, _} -> disconnect(NodeA, NodeB);
        {2, _, native} -> disconnect(NodeB, NodeA)
    end.

disconnect(Node, Peer) ->
    {0, _} = erldist(["peer", "disconnect", "--node", atom_to_list(Node), atom_to_list(Peer)]).

erldist(Args) ->
    Port = open_port({spawn_executable, os:find_executable("erldist")},
                     [{args, Args}, exit_status, binary, stderr_to_stdout]),
    erldist(Port, []).

erldist(Port, Text) ->
    receive
        {Port, {data, More}} -> erldist(Port, [Text, More]);
        {Port, {exit_status, Status}} -> {Status, unicode:characters_to_list(iolist_to_binary(Text))}
    after ms(60000) ->
        throw({failed, "the command erldist does not end"})
    end.

connect(Sides) ->
    connect(Sides, 50).

connect(_, 0) ->
    false;
connect(Sides, Left) ->
    case connected(Sides) of
        true -> true;
        false -> timer:sleep(200), connect(Sides, Left - 1)
    end.

connected(#{a := {beam, _, _} = A, b := {_, Node, _}}) ->
    connected_beam(A, Node);
connected(#{a := {_, Node, _}, b := {beam, _, _} = B}) ->
    connected_beam(B, Node);
connected(#{a := {_, A, _}, b := {_, B, _}}) ->
    {Status, _} = erldist(["peer", "connect", "--node", atom_to_list(A), atom_to_list(B)]),
    Status =:= 0.

connected_beam(Side, Node) ->
    command(Side, [{0, connect, Node, 0, 0}]),
    receive {control, Is} -> Is
    after ms(30000) -> throw({failed, "connect_node/1 does not return"})
    end.

%% What should not come has had its time.
settle(Pids) ->
    timer:sleep(ms(500)),
    tell(Pids, settle),
    gather(settled, Pids).

%%
%% A world
%%

-record(world, {number, sides, main,
                states = [],
                live = [], gone = [],   % processes; the last that have ended
                known = #{},            % I => {Side, Pid, Name}
                pids = #{},             % Pid => I
                refs = #{},             % Ref => N, and N => Ref
                monitors = #{},         % N => {Who, Whom, as DOWN tells it}
                guards = #{},           % {Who, Whom} => N
                aliases = [],           % [{N, Whose}]
                logs = #{},             % I => what it has seen, the last first
                next = 1,               % numbers
                born = 0,
                history = [], batches = 0, steps = 0, nodes = 0, given_up = 0}).

start_world(W, Sides, Seed) ->
    Main = self(),
    spawn_link(fun() ->
                       rand:seed(exsss, {Seed, W, 0}),
                       World = #world{number = W, sides = Sides, main = Main,
                                      states = [interop_signals:new(eager(Sides))]},
                       try world(World)
                       catch
                           throw:{wrong, Why} -> Main ! {failed, Why};
                           Class:Why:Stack ->
                               Text = io_lib:format("world ~b: ~p", [W, {Class, Why, Stack}]),
                               Main ! {failed, Text}
                       end
               end).

world(#world{main = Main} = W) ->
    receive
        {go, N} ->
            W1 = lists:foldl(fun(_, Acc) -> batch(setup(Acc)) end, W, lists:seq(1, N)),
            W2 = setup(W1),
            Main ! {ready, self(), ok},
            world(W2);
        prepare ->
            %% What comes in place of those that have ended gets the time to come.
            {Syncs, W1} = syncs(cross_pairs(W), W),
            W2 = run_batch(none, Syncs, W1),
            Main ! {prepared, self(), ok},
            world(W2);
        {lose, Kind} ->
            world(setup(lost(Kind, W)));
        count ->
            Main ! {count, self(), {W#world.steps, W#world.batches, W#world.nodes, W#world.given_up}},
            world(W);
        settle ->
            W1 = take(W, 0),
            W1#world.logs =:= #{} orelse wrong("something came late", none, #{}, W1),
            Main ! {settled, self(), ok},
            world(W1)
    end.

eager(Sides) ->
    [Side || {Side, {beam, _, _}} <- maps:to_list(Sides)].

number(#world{next = N} = W) ->
    {N, W#world{next = N + 1}}.

one_of(List) ->
    lists:nth(rand:uniform(length(List)), List).

%% Living processes, and monitors of each by each other
setup(#world{live = Live} = W) when length(Live) < ?ACTORS ->
    setup(spawn_actor(W));
setup(#world{live = Live, guards = Gs} = W) ->
    case [{I, J} || I <- Live, J <- Live, I =/= J, not maps:is_key({I, J}, Gs)] of
        [] -> W;
        Pairs ->
            {Ops, W1} = lists:mapfoldl(fun guard/2, W, Pairs),
            run_batch(none, by_actor(Ops), W1)
    end.

guard({I, J}, W) ->
    {N, #world{guards = Gs} = W1} = number(W),
    {{I, {monitor, J, pid, N, none}}, W1#world{guards = Gs#{{I, J} => N}}}.

by_actor(Ops) ->
    lists:foldr(fun({I, Op}, Acc) -> Acc#{I => [Op | maps:get(I, Acc, [])]} end, #{}, Ops).

spawn_actor(#world{number = Number, sides = Sides, born = Born, known = Known, live = Live,
                   states = States} = W) ->
    I = Number * ?WORLD + Born,
    Side = side(Live, Known),
    Trap = rand:uniform(5) =< 3,
    Name = list_to_atom("m" ++ integer_to_list(I)),
    command(maps:get(Side, Sides), [{I, spawn, Name, case Trap of true -> 1; false -> 0 end, 0}]),
    W1 = W#world{born = Born + 1, live = Live ++ [I], known = Known#{I => {Side, none, Name}},
                 states = [interop_signals:add(S, I, Side, Trap) || S <- States]},
    await_pid(I, W1).

await_pid(I, W) ->
    case W#world.known of
        #{I := {_, Pid, _}} when is_pid(Pid) -> W;
        _ -> await_pid(I, take(W, ms(30000)))
    end.

%% At least two at each side
side(Live, Known) ->
    Of = fun(Side) -> length([I || I <- Live, element(1, maps:get(I, Known)) =:= Side]) end,
    case {Of(a), Of(b)} of
        {N, M} when N < M, N < 2 -> a;
        {_, M} when M < 2 -> b;
        {N, _} when N < 2 -> a;
        _ -> one_of([a, b])
    end.

%%
%% What the processes have told
%%

take(W, Time) ->
    receive {told, Told} -> lists:foldl(fun told/2, W, Told)
    after Time -> W
    end.

told({I, _, _}, #world{known = Known} = W) when not is_map_key(I, Known) ->
    W;
told({I, pid, Pid}, #world{known = Known, pids = Pids} = W) ->
    {Side, none, Name} = maps:get(I, Known),
    W#world{known = Known#{I := {Side, Pid, Name}}, pids = Pids#{Pid => I}};
told({_, ref, {N, Ref}}, #world{refs = Refs} = W) ->
    W#world{refs = Refs#{N => Ref, Ref => N}};
told({I, got, Message}, W) ->
    log(I, {got, translate(I, Message, W)}, W);
told({I, dead, Reason}, W) ->
    log(I, {dead, Reason}, W);
told({I, error, What}, W) ->
    log(I, {got, {error, What}}, W);
told({I, What, _}, W) ->
    log(I, What, W).

log(I, What, #world{logs = Logs} = W) ->
    W#world{logs = Logs#{I => [What | maps:get(I, Logs, [])]}}.

translate(_, {'EXIT', Pid, Reason} = Message, #world{pids = Pids}) ->
    case Pids of
        #{Pid := I} -> {exit, I, Reason};
        _ -> {unknown, Message}
    end;
translate(I, {'DOWN', Ref, process, Object, Reason} = Message, #world{refs = Refs, monitors = Ms}) ->
    N = maps:get(Ref, Refs, none),
    case Ms of
        #{N := {I, _, Object}} -> {down, N, Reason};
        _ -> {unknown, Message}
    end;
translate(_, Message, _) ->
    Message.

%%
%% A batch
%%

batch(W) ->
    {Ops, W1} = draw(W),
    Steps = lists:sum([length(X) || X <- maps:values(Ops)]),
    run_batch(none, Ops, W1#world{steps = W1#world.steps + Steps}).

run_batch(Loss, Ops, W) ->
    {Ops1, W1} = with_syncs(Ops, W),
    W2 = start_batch(Ops1, W1),
    finish_batch(Loss, Ops1, W2).

start_batch(Ops, W) ->
    W1 = note_monitors(Ops, W),
    send_ops(Ops, W1),
    W1.

finish_batch(Loss, Ops, W) ->
    compare(Loss, Ops, await(fun(X) -> complete(Ops, X) end, Loss, Ops, W)).

%% A last message to each that something was sent to, unless it ends itself
with_syncs(Ops, W) ->
    lists:foldl(fun({I, List}, {Acc, W1}) ->
                        {Syncs, W2} = syncs(I, List, W1),
                        {Acc#{I => List ++ Syncs}, W2}
                end, {#{}, W}, lists:sort(maps:to_list(Ops))).

syncs(I, List, W) ->
    To = lists:usort([J || Op <- List, J <- concerns(Op, W), lists:member(J, W#world.live), J =/= I]),
    case element(1, lists:last(List)) of
        die -> {[], W};
        _ -> lists:mapfoldl(fun sync/2, W, To)
    end.

sync(J, W) ->
    {K, W1} = number(W),
    {{send, J, sync, {m, K}}, W1}.

concerns({demonitor, N, _}, W) ->
    {_, J, _} = maps:get(N, W#world.monitors),
    [J];
concerns({send, _, sync, _}, _) -> [];
concerns({alias, _, _}, _) -> [];
concerns({unalias, _}, _) -> [];
concerns({trap, _}, _) -> [];
concerns({die, _, _}, _) -> [];
concerns(Op, _) -> [element(2, Op)].

note_monitors(Ops, W) ->
    lists:foldl(fun note/2, W, [{I, Op} || {I, List} <- maps:to_list(Ops), Op <- List]).

note({I, {monitor, J, How, N, _}}, #world{monitors = Ms} = W) ->
    W#world{monitors = Ms#{N => {I, J, address(J, How, W)}}};
note(_, W) ->
    W.

address(J, How, #world{known = Known, sides = Sides}) ->
    {Side, Pid, Name} = maps:get(J, Known),
    case How of
        name -> {Name, element(2, maps:get(Side, Sides))};
        _ -> Pid
    end.

%% To each side its own, those of several processes in turn
send_ops(Ops, #world{sides = Sides, known = Known} = W) ->
    Commands = fun(Side) ->
                       in_turn([commands(I, List, W)
                                || {I, List} <- maps:to_list(Ops),
                                   element(1, maps:get(I, Known)) =:= Side])
               end,
    [command(Where, List) || {Side, Where} <- maps:to_list(Sides), List <- [Commands(Side)],
                             List =/= []].

%% Of a monitor that is flushed, what is told meanwhile is left unread, every other time.
commands(I, List, W) ->
    {Before, From} = lists:splitwith(fun(Op) -> held(Op, List) =:= 0 end, List),
    [encode(I, Op, W) || Op <- Before]
        ++ [{I, hold, 0, held(Op, List), 0} || Op <- lists:sublist(From, 1)]
        ++ [encode(I, Op, W) || Op <- From].

%% Operations from a monitor until it is flushed
held({monitor, _, _, N, _} = Op, List) when N rem 2 =:= 1 ->
    {Until, Rest} = lists:splitwith(fun(X) -> X =/= {demonitor, N, flush} end,
                                    lists:dropwhile(fun(X) -> X =/= Op end, List)),
    case Rest of
        [] -> 0;
        _ -> length(Until) + 1
    end;
held(_, _) ->
    0.

in_turn([]) -> [];
in_turn(Lists) -> [H || [H | _] <- Lists] ++ in_turn([T || [_ | [_ | _] = T] <- Lists]).

encode(I, {send, J, How, {big, K, Size}}, W) -> {I, big, address(J, How, W), K, Size};
encode(I, {send, J, How, T}, W) -> {I, send, address(J, How, W), 0, T};
encode(I, {asend, _, N, T}, W) -> {I, send, maps:get(N, W#world.refs), 0, T};
encode(I, {exit, J, Reason}, W) -> {I, exit, address(J, pid, W), 0, Reason};
encode(I, {monitor, J, How, N, Mode}, W) -> {I, monitor, address(J, How, W), N, Mode};
encode(I, {demonitor, N, How}, _) -> {I, demonitor, 0, N, How};
encode(I, {alias, N, Mode}, _) -> {I, alias, 0, N, Mode};
encode(I, {unalias, N}, _) -> {I, unalias, 0, N, 0};
encode(I, {trap, true}, _) -> {I, trap, 0, 1, 0};
encode(I, {trap, false}, _) -> {I, trap, 0, 0, 0};
encode(I, {die, How, Reason}, _) -> {I, die, How, 0, Reason};
encode(I, {Op, J}, W) -> {I, Op, address(J, pid, W), 0, 0}.

await(Done, Loss, Ops, W) ->
    await(Done, Loss, Ops, ?PATIENCE, W).

await(Done, Loss, Ops, Left, W) ->
    case Done(W) of
        true -> W;
        What when Left =:= 0 -> wrong(io_lib:format("nothing comes: ~p", [What]), Loss, Ops, W);
        _ ->
            receive {told, Told} -> await(Done, Loss, Ops, lists:foldl(fun told/2, W, Told))
            after ms(1000) -> await(Done, Loss, Ops, Left - 1, W)
            end
    end.

%% Each that lives has done all; each last message has come, or its sender's end
%% or its receiver's; each end is known to all that live. True, or what is missing.
complete(Ops, W) ->
    case unfinished(maps:to_list(Ops), W) of
        [] -> unknown_ends(W);
        Missing -> {not_done, Missing}
    end.

unfinished(Ops, W) ->
    [I || {I, List} <- Ops, not ended(I, W),
          length([drained || drained <- log_of(I, W)]) < length(List)
              orelse not lists:all(fun(Op) -> synced(Op, W) end, List)].

synced({send, J, sync, T}, W) ->
    ended(J, W) orelse not lists:member(J, W#world.live)
        orelse lists:member({got, T}, log_of(J, W));
synced(_, _) ->
    true.

log_of(I, #world{logs = Logs}) ->
    maps:get(I, Logs, []).

ended(I, #world{logs = Logs}) ->
    case Logs of
        #{I := [{dead, _} | _]} -> true;
        #{I := [closed | _]} -> true;
        _ -> false
    end.

unknown_ends(#world{live = Live, guards = Gs} = W) ->
    {Dead, Alive} = lists:partition(fun(I) -> ended(I, W) end, Live),
    case [{I, J} || J <- Dead, I <- Alive, N <- [maps:get({I, J}, Gs, none)], N =/= none,
                    not has_down(N, log_of(I, W))] of
        [] -> true;
        Missing -> {end_not_known, Missing}
    end.

has_down(N, Log) ->
    lists:any(fun({got, {down, M, _}}) -> M =:= N;
                 (_) -> false
              end, Log).

%% Not all that will come need have come: an EXIT of a link may be the last.
compare(Loss, Ops, #world{states = States, logs = Logs, nodes = Nodes} = W) ->
    Seen = maps:map(fun(_, Log) -> lists:reverse(Log) end, Logs),
    try interop_signals:check(States, {Loss, Ops}, Seen) of
        {[], _} ->
            receive {told, Told} -> compare(Loss, Ops, lists:foldl(fun told/2, W, Told))
            after ms(10000) -> wrong("the model has no explanation", Loss, Ops, W)
            end;
        {Next, N} ->
            after_batch(Ops, W#world{states = Next, nodes = Nodes + N})
    catch
        throw:too_many -> renew(W);
        error:Why:Stack -> wrong(io_lib:format("~p", [{Why, Stack}]), Loss, Ops, W)
    end.

after_batch(Ops, #world{live = Live, gone = Gone, logs = Logs, known = Known, guards = Gs,
                        history = History, batches = Batches, states = States,
                        aliases = Aliases} = W) ->
    {Dead, Alive} = lists:partition(fun(I) -> ended(I, W) end, Live),
    Gone1 = lists:sublist(Dead ++ Gone, 3),
    Keep = Alive ++ Gone1,
    Guards = maps:filter(fun({I, J}, N) ->
                                 lists:member(I, Alive) andalso lists:member(J, Alive)
                                     andalso not has_down(N, log_of(I, W))
                         end, Gs),
    New = [{N, I} || {I, List} <- maps:to_list(Ops), Op <- List, N <- new_alias(Op),
                     maps:is_key(N, W#world.refs)],
    tidy(W#world{live = Alive, gone = Gone1, guards = Guards, logs = #{},
                 known = maps:with(Keep, Known),
                 states = [interop_signals:forget(S, Keep) || S <- States],
                 aliases = lists:sublist([A || {_, I} = A <- New ++ Aliases,
                                               lists:member(I, Keep)], 12),
                 history = lists:sublist([{Ops, Logs} | History], ?KEPT),
                 batches = Batches + 1}).

new_alias({alias, N, _}) -> [N];
new_alias({monitor, _, _, N, Mode}) when Mode =/= none -> [N];
new_alias(_) -> [].

%% There are too many ways in which it may have gone: nothing is said about it, and
%% other processes take the place of these.
renew(#world{known = Known, sides = Sides, given_up = N} = W) ->
    [command(maps:get(Side, Sides), [{I, stop, 0, 0, 0}]) || {I, {Side, _, _}} <- maps:to_list(Known)],
    W#world{states = [interop_signals:new(eager(Sides))], live = [], gone = [], known = #{},
            pids = #{}, refs = #{}, monitors = #{}, guards = #{}, aliases = [], logs = #{},
            history = [], given_up = N + 1}.

%% Forgets now and then what belongs to processes that are not known any more
tidy(#world{batches = B} = W) when B rem 50 =/= 0 ->
    W;
tidy(#world{known = Known, pids = Pids, monitors = Ms, refs = Refs, aliases = As} = W) ->
    Ms1 = maps:filter(fun(_, {I, J, _}) ->
                              maps:is_key(I, Known) andalso maps:is_key(J, Known)
                      end, Ms),
    Kept = fun(N) -> maps:is_key(N, Ms1) orelse lists:keymember(N, 1, As) end,
    W#world{pids = maps:filter(fun(_, I) -> maps:is_key(I, Known) end, Pids),
            monitors = Ms1,
            refs = maps:filter(fun(N, _) when is_integer(N) -> Kept(N);
                                  (_, N) -> Kept(N)
                               end, Refs)}.

wrong(What, Loss, Ops, #world{number = Number, logs = Logs, history = History, states = States} = W) ->
    Past = [show_batch(O, L, W) || {O, L} <- lists:reverse(History)],
    throw({wrong, [io_lib:format("world ~b, batch ~b: ~ts~n", [Number, W#world.batches, What]),
                   "before:\n", Past,
                   [io_lib:format("state ~p~n", [S]) || S <- States],
                   io_lib:format("now (connection: ~p):~n", [Loss]),
                   show_batch(Ops, Logs, W)]}).

show_batch(Ops, Logs, W) ->
    ["-- batch\n",
     [io_lib:format("~b (~p) does ~0p~n", [I, where(I, W), List]) || {I, List} <- maps:to_list(Ops)],
     [io_lib:format("~b (~p) sees ~0p~n", [I, where(I, W), lists:reverse(List)])
      || {I, List} <- maps:to_list(Logs)]].

where(I, #world{known = Known}) ->
    case Known of
        #{I := {Side, _, _}} -> Side;
        _ -> gone
    end.

%%
%% The connection is lost
%%

lost(Kind, #world{main = Main} = W) ->
    {Ops, W1} = case Kind of
                    rest -> {#{}, W};
                    busy -> draw_busy(W)
                end,
    Steps = 1 + lists:sum([length(X) || X <- maps:values(Ops)]),
    W2 = start_batch(Ops, W1#world{steps = W1#world.steps + Steps}),
    Main ! {armed, self(), ok},
    W3 = await(fun(X) -> all_lost(Ops, X) end, lost, Ops, W2),
    Main ! {seen, self(), ok},
    W4 = await_connected(W3),
    %% What goes by the new connection has come when these have.
    {Later, W5} = syncs([P || Kind =:= busy, P <- cross_pairs(W4)], W4),
    send_ops(Later, W5),
    All = maps:fold(fun(I, List, Acc) -> Acc#{I => maps:get(I, Acc, []) ++ List} end, Ops, Later),
    W6 = finish_batch(lost, All, W5),
    Main ! {ready, self(), ok},
    W6.

syncs(Pairs, W) ->
    {Syncs, W1} = lists:mapfoldl(fun({I, J}, X) ->
                                         {Op, X1} = sync(J, X),
                                         {{I, Op}, X1}
                                 end, W, Pairs),
    {by_actor(Syncs), W1}.

await_connected(W) ->
    receive
        connected -> W;
        {told, Told} -> await_connected(lists:foldl(fun told/2, W, Told))
    after ms(60000) ->
        wrong("no connection", lost, #{}, W)
    end.

cross_pairs(#world{live = Live, known = Known} = W) ->
    Alive = [I || I <- Live, not ended(I, W)],
    [{I, J} || I <- Alive, J <- Alive,
               element(1, maps:get(I, Known)) =/= element(1, maps:get(J, Known))].

all_lost(Ops, #world{guards = Gs} = W) ->
    case [P || {I, J} = P <- cross_pairs(W), not has_down(maps:get({I, J}, Gs), log_of(I, W))] of
        [] -> complete(Ops, W);
        Missing -> {not_told, Missing}
    end.

%%
%% Drawing
%%

draw(#world{live = Live} = W) ->
    case rand:uniform(20) of
        1 -> draw_trap(W);
        N when N =< 5 -> draw(1, any, W, Live);
        N when N =< 13 -> draw(2, any, W, Live);
        _ -> draw(3, any, W, Live)
    end.

%% Only with who is there: of others it would not be known when all has come. And by
%% who does not end meanwhile: that would have too many explanations.
draw_busy(#world{live = Live, gone = Gone, states = [S | _]} = W) ->
    Traps = [I || I <- Live, interop_signals:trap(S, I)],
    {Ops, W1} = draw(rand:uniform(2), busy, W#world{gone = []}, Traps),
    {Ops, W1#world{gone = Gone}}.

%% An actor alone: with others at once, it could not be told when it has been told
%% of an end that it ignores, or not.
draw_trap(#world{live = Live, states = States} = W) ->
    I = one_of(Live),
    case lists:any(fun(S) -> interop_signals:dirty(S, I) end, States) of
        true -> draw(1, any, W, [I]);
        false ->
            {#{I := Ops}, W1} = draw(1, busy, W, [I]),
            {#{I => Ops ++ [{trap, not interop_signals:trap(hd(States), I)}]}, W1}
    end.

draw(0, _, W, _) ->
    {#{}, W};
draw(_, _, W, []) ->
    {#{}, W};
draw(N, Kind, W, From) ->
    I = one_of(From),
    Most = case Kind of
               busy -> 3;
               any -> 4
           end,
    {Ops, W1} = draw_ops(I, Kind, rand:uniform(Most), [], W),
    {More, W2} = draw(N - 1, Kind, W1, From -- [I]),
    {More#{I => Ops}, W2}.

draw_ops(_, _, 0, Ops, W) ->
    {lists:reverse(Ops), W};
draw_ops(I, Kind, N, Ops, W) ->
    case draw_op(what(Kind), I, Ops, W) of
        none -> draw_ops(I, Kind, N, Ops, W);
        {{die, _, _} = Op, W1} -> {lists:reverse([Op | Ops]), W1};
        {[First, Last], W1} -> draw_ops(I, Kind, N - 1, [Last, First | Ops], W1);
        {Op, W1} -> draw_ops(I, Kind, N - 1, [Op | Ops], W1)
    end.

what(any) -> weighted(rand:uniform(100), what());
what(busy) -> weighted(rand:uniform(88), what()).

what() ->
    [{send, 14}, {big, 1}, {asend, 10}, {link, 14}, {unlink, 12}, {monitor, 12}, {demonitor, 9},
     {alias, 6}, {unalias, 4}, {call, 6}, {exit, 8}, {die, 4}].

weighted(N, [{What, M} | _]) when N =< M -> What;
weighted(N, [{_, M} | T]) -> weighted(N - M, T).

draw_op(send, I, _, W) ->
    {K, W1} = number(W),
    {{send, whom(any, I, W), how(), {m, K}}, W1};
draw_op(big, I, _, W) ->
    {K, W1} = number(W),
    {{send, whom(any, I, W), how(), {big, K, 5000 + rand:uniform(200000)}}, W1};
draw_op(asend, _, _, #world{aliases = []}) ->
    none;
draw_op(asend, _, _, #world{aliases = As} = W) ->
    {K, W1} = number(W),
    {N, Whose} = one_of(As),
    {{asend, Whose, N, {a, N, K}}, W1};
draw_op(link, I, _, W) ->
    {{link, whom(other, I, W)}, W};
draw_op(unlink, I, _, W) ->
    {{unlink, whom(other, I, W)}, W};
draw_op(monitor, I, _, W) ->
    {N, W1} = number(W),
    {{monitor, whom(other, I, W), how(), N, mode(I, W)}, W1};
draw_op(demonitor, I, Ops, W) ->
    case [N || {monitor, _, _, N, _} <- Ops] ++ own_monitors(I, W) of
        [] -> none;
        Ns -> demonitor(one_of(Ns), Ops, W)
    end;
%% As a call does, that is answered or not
draw_op(call, I, _, W) ->
    {N, #world{monitors = Ms} = W1} = number(W),
    J = whom(call, I, W),
    {[{monitor, J, how(), N, mode(I, W)}, {demonitor, N, flush}],
     W1#world{monitors = Ms#{N => {none, J, none}}}};
draw_op(alias, _, _, W) ->
    {N, W1} = number(W),
    {{alias, N, one_of([explicit, reply])}, W1};
draw_op(unalias, I, _, #world{aliases = As} = W) ->
    case [N || {N, Whose} <- As, Whose =:= I] of
        [] -> none;
        Ns -> {{unalias, one_of(Ns)}, W}
    end;
draw_op(exit, I, _, W) ->
    {{exit, whom(other, I, W), one_of([normal, normal, kill | reasons(W)])}, W};
draw_op(die, _, _, W) ->
    {{die, one_of([exit, close]), one_of([normal, kill | reasons(W)])}, W}.

%% One that is asked for in this batch is not known to the world yet.
demonitor(N, Ops, #world{monitors = Ms} = W) ->
    How = one_of([plain, flush]),
    case [J || {monitor, J, _, M, _} <- Ops, M =:= N] of
        [J] -> {{demonitor, N, How}, W#world{monitors = Ms#{N => {none, J, none}}}};
        [] -> {{demonitor, N, How}, W}
    end.

own_monitors(I, #world{monitors = Ms, guards = Gs}) ->
    Guards = maps:values(Gs),
    Own = [N || {N, {Who, _, _}} <- maps:to_list(Ms), Who =:= I, not lists:member(N, Guards)],
    lists:sublist(lists:reverse(lists:sort(Own)), 5).

reasons(W) ->
    [shutdown, noproc, {shutdown, <<"so">>}, {why, W#world.next, [1, 2.5, #{}]}].

%% Now and then one that has ended
whom(Which, I, #world{live = Live, gone = Gone}) ->
    Known = case Which of
                any -> Live;
                _ -> Live -- [I]
            end,
    case rand:uniform(12) of
        N when Gone =/= [], N =:= 1 orelse Which =:= call andalso N =< 4 -> one_of(Gone);
        _ -> one_of(Known)
    end.

how() ->
    one_of([pid, pid, name]).

%% A native process's monitor that is an alias ends it, too.
mode(I, #world{known = Known, sides = Sides}) ->
    {Side, _, _} = maps:get(I, Known),
    case maps:get(Side, Sides) of
        {native, _, _} -> one_of([none, none, demonitor, reply_demonitor]);
        {beam, _, _} -> one_of([none, none, demonitor, reply_demonitor, explicit_unalias])
    end.
