%% SPDX-License-Identifier: GPL-2.0-only
%% Deaths of native processes, seen from Erlang processes that are linked to them
%% and monitor them: in each way, thousands in a row, and thousands at once.
-module(interop_deaths).
-export([main/0]).
-import(interop, [program/2, program/3, call/2, os_pid/1, ms/1, stop/1]).

main() ->
    Node = list_to_atom(interop:node_arg(1)),
    interop:main([{"a program ends: " ++ atom_to_list(element(1, Way)), fun() -> way(Node, Way) end}
                  || Way <- ways()] ++
                 [{"hundreds of deaths in a row, while links and monitors rain",
                   fun() -> storm(Node, Deaths) end} || Deaths <- storms(deaths())] ++
                 [{Text, fun() -> Fun(Node) end} || {Text, Fun} <- tests()]).

tests() ->
    [{"a native process linked to thousands ends", fun one_native/1},
     {"an Erlang process linked to thousands of native ones ends", fun one_erlang/1},
     {"thousands of native processes linked to one end at once", fun many_native/1},
     {"a connection is lost and made again: order", fun reconnect/1}].

now_ms() ->
    erlang:monotonic_time(millisecond).

%% All that this process sent to the node has arrived
sync(Node) ->
    Ref = monitor(process, {'no such process', Node}),
    receive {'DOWN', Ref, _, _, noproc} -> ok
    after ms(20000) -> exit(no_sync)
    end.

silence(Time) ->
    receive
        {Port, _} when is_port(Port) -> silence(Time);
        {'EXIT', Port, _} when is_port(Port) -> silence(Time);
        Other -> exit({not_expected, Other})
    after Time ->
        true
    end.

%%
%% Each way
%%

ways() ->
    {0, Text} = interop:run(filename:join(os:getenv("INTEROP_PATH"), "interop_way"), []),
    {ok, Tokens, _} = erl_scan:string("[" ++ lists:droplast(commas(binary_to_list(Text))) ++ "]."),
    {ok, Ways} = erl_parse:parse_term(Tokens),
    Ways.

%% "{...}.\n{...}." to "{...},{...},"
commas(".\n" ++ Rest) -> [$, | commas(Rest)];
commas(".") -> ",";
commas([C | Rest]) -> [C | commas(Rest)].

line(Port) ->
    receive {Port, {data, {eol, Line}}} -> Line
    after ms(20000) -> exit(no_line)
    end.

hex(<<>>) -> <<>>;
hex(<<Digits:2/binary, Rest/binary>>) -> <<(binary_to_integer(Digits, 16)), (hex(Rest))/binary>>.

way(Node, {Way, Alive, Reason}) ->
    process_flag(trap_exit, true),
    Port = program("interop_way", [atom_to_list(A) || A <- [Node, p, Way]], []),
    <<"pid ", Hex/binary>> = line(Port),
    Pid = binary_to_term(<<131, (hex(Hex))/binary>>),
    OsPid = os_pid(Port),
    Ref = monitor(process, Pid),
    Named = monitor(process, {p, Node}),
    link(Pid),
    sync(Node),
    port_command(Port, "\n"),
    [alive(Port) || Alive],
    Told = lists:sort([told() || _ <- [1, 2, 3]]),
    Told = lists:sort([{'EXIT', Pid, Reason}, {'DOWN', Ref, process, Pid, Reason},
                       {'DOWN', Named, process, {p, Node}, Reason}]),
    true = silence(100),
    os:cmd("kill -KILL " ++ integer_to_list(OsPid)),
    true.

%% Something has happened, and it has ended nothing
alive(Port) ->
    <<"alive">> = line(Port),
    true = silence(150),
    port_command(Port, "\n").

told() ->
    receive
        {Port, _} when is_port(Port) -> told();
        {'EXIT', Port, _} when is_port(Port) -> told();
        Message -> Message
    after ms(20000) ->
        exit(not_told)
    end.

%%
%% Many in a row
%%

factory(Node) ->
    Port = program("interop_factory", [atom_to_list(Node)], []),
    receive {Port, {data, {eol, <<"ready">>}}} -> Port
    after ms(20000) -> exit(no_factory)
    end.

factory_stop(Node, Factory) ->
    Ref = monitor(process, {factory, Node}),
    stop(Factory),
    receive {'DOWN', Ref, process, _, _} -> true after ms(20000) -> exit(factory_stays) end.

make(Node, Request) ->
    call({factory, Node}, Request).

deaths() ->
    case os:getenv("ERLDIST_DEATHS") of
        false -> round(1000 * scale());
        N -> list_to_integer(N)
    end.

%% How many in each storm: 500 at most
storms(Deaths) when Deaths > 500 -> [500 | storms(Deaths - 500)];
storms(Deaths) -> [Deaths].

scale() ->
    Text = os:getenv("ERLDIST_SCALE", "1"),
    try list_to_float(Text) catch error:badarg -> list_to_integer(Text) end.

storm(Node, Deaths) ->
    Factory = factory(Node),
    Echo = program(Node, [echo]),
    ets:new(mortals, [named_table, public]),
    N = Deaths div 4,
    Begin = now_ms(),
    Rain = [spawn_monitor(fun() -> rain(Node) end) || _ <- [1, 2, 3]],
    Talk = spawn_monitor(fun() -> talk(Node, 0) end),
    Workers = [spawn_monitor(fun() -> worker(Node, I, N) end) || I <- [1, 2, 3, 4]],
    [{done, _} = ended(W) || W <- Workers],
    Time = now_ms() - Begin,
    ets:insert(mortals, {stop}),
    Rained = lists:sum([element(2, {done, _} = ended(R)) || R <- Rain]),
    {done, Talked} = ended(Talk),
    true = Talked > 0,
    io:format("# ~b deaths in ~b ms; ~b links and monitors, ~b answers meanwhile~n",
              [4 * N, Time, Rained, Talked]),
    stop(Echo),
    factory_stop(Node, Factory).

ended({Pid, Ref}) ->
    receive {'DOWN', Ref, process, Pid, Reason} -> Reason end.

%% Makes a process, ends it, and makes the next of the same name as soon as it has
%% heard of the end
worker(Node, I, N) ->
    process_flag(trap_exit, true),
    Name = list_to_atom("mortal" ++ integer_to_list(I)),
    worker(Node, Name, I, N, born(Node, Name, I, N)).

worker(_, _, _, 0, _) ->
    true = silence(300),
    exit({done, 0});
worker(Node, Name, I, N, {Pid, Ref}) ->
    Reason = die(Pid, N),
    Exit = {'EXIT', Pid, Reason},
    Down = {'DOWN', Ref, process, Pid, Reason},
    First = told(),
    Next = if N > 1 -> born(Node, Name, I, N - 1); true -> none end,
    %% a selective receive: the next one lives
    Second = receive Exit -> Exit; Down -> Down
             after ms(20000) -> exit({not_told, N, Pid, Reason, First})
             end,
    case lists:sort([First, Second]) =:= lists:sort([Exit, Down]) of
        true -> worker(Node, Name, I, N - 1, Next);
        false -> exit({wrong, First, Second, Exit, Down})
    end.

born(Node, Name, I, N) ->
    How = case N rem 8 of 0 -> fork; _ -> bear end,
    case make(Node, {How, Name}) of
        Pid when is_pid(Pid) ->
            Ref = monitor(process, Pid),
            link(Pid),
            ets:insert(mortals, {I, Pid}),
            {Pid, Ref};
        Other ->
            exit({not_born, N, How, Other})
    end.

%% Returns the reason that is to come
die(Pid, N) when N rem 8 =:= 0 -> Pid ! {die, close}, {signal, sigkill};
die(Pid, N) when N rem 4 =:= 0 -> exit(Pid, kill), killed;
die(Pid, N) when N rem 4 =:= 1 -> Pid ! {die, close}, normal;
die(Pid, N) when N rem 4 =:= 2 -> Pid ! {die, {boom, N}}, {boom, N};
die(Pid, N) -> exit(Pid, {bang, N}), {bang, N}.

%% Links to whoever lives, monitors by pid and by name, drops some of it: of what it
%% did not drop it is told once, of the rest nothing
rain(Node) ->
    process_flag(trap_exit, true),
    rain(Node, #{}, 0).

rain(Node, Pending, N) ->
    case ets:member(mortals, stop) of
        true ->
            rained(Pending),
            true = silence(300),
            exit({done, N});
        false ->
            {More, Asked} = case {ets:lookup(mortals, rand:uniform(4)), map_size(Pending) < 500} of
                                {[{I, Pid}], true} -> rain_on(Node, I, Pid, Pending, N);
                                _ -> timer:sleep(1), {Pending, 0}
                            end,
            %% it is rain, not a flood
            timer:sleep(3),
            rain(Node, drain(More, 0), N + Asked)
    end.

rain_on(_, _, Pid, Pending, N) when N rem 3 =:= 0 ->
    Ref = monitor(process, Pid),
    case N rem 4 of
        0 -> true = demonitor(Ref, [flush]), {Pending, 1};
        _ -> {Pending#{Ref => Pid}, 1}
    end;
rain_on(Node, I, _, Pending, N) when N rem 3 =:= 1 ->
    Name = {list_to_atom("mortal" ++ integer_to_list(I)), Node},
    {Pending#{monitor(process, Name) => Name}, 1};
rain_on(_, _, Pid, Pending, _) when is_map_key(Pid, Pending) ->
    {Pending, 1};
rain_on(_, _, Pid, Pending, N) ->
    link(Pid),
    case N rem 5 of
        0 ->
            unlink(Pid),
            receive {'EXIT', Pid, _} -> ok after 0 -> ok end,
            {Pending, 1};
        _ ->
            {Pending#{Pid => link}, 1}
    end.

drain(Pending, Time) ->
    receive
        {'DOWN', Ref, process, Object, _} ->
            {Object, Rest} = maps:take(Ref, Pending),
            drain(Rest, Time);
        {'EXIT', Pid, _} ->
            {link, Rest} = maps:take(Pid, Pending),
            drain(Rest, Time)
    after Time ->
        Pending
    end.

%% Monitors by name of those who were born last tell nothing before these end
rained(Pending) when map_size(Pending) =:= 0 ->
    true;
rained(Pending) ->
    case drain(Pending, ms(3000)) of
        Pending -> exit({not_told, map_size(Pending), hd(maps:to_list(Pending))});
        Less -> rained(Less)
    end.

talk(Node, N) ->
    N = call({echo, Node}, {talk, N}, N),
    timer:sleep(5),
    case ets:member(mortals, stop) of
        true -> exit({done, N});
        false -> talk(Node, N + 1)
    end.

call(Server, Request, Value) ->
    Request = call(Server, Request),
    Value.

%%
%% Thousands at once
%%

numbers() ->
    [max(10, round(N * scale())) || N <- [100, 1000, 10000]].

%% Fun(N) returns how long it took; of ten times as many not a hundred times as long.
%% A pause of the machine is in one measurement, not in three.
linear(Fun) ->
    linear(Fun, 3).

linear(Fun, Left) ->
    Times = [Fun(N) || N <- numbers()],
    io:format("# ~ts~n", [lists:join(", ", [io_lib:format("~b in ~b ms", [N, T])
                                            || {N, T} <- lists:zip(numbers(), Times)])]),
    [_, T1, T2] = Times,
    if
        T2 < 30 * T1 + 300 -> true;
        Left > 1 -> linear(Fun, Left - 1);
        true -> {not_linear, Times}
    end.

one_native(Node) ->
    Factory = factory(Node),
    true = linear(fun(N) -> one_native(Node, N) end),
    factory_stop(Node, Factory).

one_native(Node, N) ->
    Pid = make(Node, {bear, one}),
    Self = self(),
    Children = [spawn_link(fun() -> linked(Node, Pid, Self) end) || _ <- lists:seq(1, N)],
    [receive {linked, Child} -> ok end || Child <- Children],
    Begin = now_ms(),
    Pid ! {die, boom},
    all_of(Children, fun({told, Child, boom}) -> Child end),
    Time = now_ms() - Begin,
    true = silence(0),
    Time.

%% One message of each of Pids, which Fun finds in it, in any order
all_of(Pids, Fun) ->
    all(maps:from_keys(Pids, ok), Fun).

all(Left, _) when map_size(Left) =:= 0 ->
    ok;
all(Left, Fun) ->
    receive
        Message -> {ok, Rest} = maps:take(Fun(Message), Left), all(Rest, Fun)
    after ms(20000) ->
        exit({not_told, map_size(Left)})
    end.

linked(Node, Pid, Parent) ->
    process_flag(trap_exit, true),
    link(Pid),
    sync(Node),
    Parent ! {linked, self()},
    receive {'EXIT', Pid, Reason} -> Parent ! {told, self(), Reason} end.

%% A process that is linked to N native ones, and does then what it is told
link_to_many(Node, N) ->
    Pids = make(Node, {bear, N}),
    N = length(Pids),
    Self = self(),
    Child = spawn(fun() -> linker(Node, Pids, Self) end),
    receive linked -> ok after ms(60000) -> exit(not_linked) end,
    {Child, Pids}.

linker(Node, Pids, Parent) ->
    process_flag(trap_exit, true),
    [link(Pid) || Pid <- Pids],
    sync(Node),
    Parent ! linked,
    receive {'do', Fun} -> Fun() end.

report(Node, Exits, Messages) ->
    report(Node, Exits, Messages, ms(30000)).

report(Node, Exits, Messages, Left) ->
    case make(Node, report) of
        {Exits, Messages, 0} -> ok;
        Other when Left =< 0 -> exit({report, Other});
        _ -> timer:sleep(2), report(Node, Exits, Messages, Left - 2)
    end.

one_erlang(Node) ->
    Factory = factory(Node),
    true = linear(fun(N) -> one_erlang(Node, N) end),
    factory_stop(Node, Factory).

one_erlang(Node, N) ->
    {Child, _} = link_to_many(Node, N),
    Begin = now_ms(),
    exit(Child, kill),
    report(Node, N, 0),
    Time = now_ms() - Begin,
    ok = make(Node, forget),
    Time.

many_native(Node) ->
    linear(fun(N) -> many_native(Node, N) end).

many_native(Node, N) ->
    Factory = factory(Node),
    {Child, Pids} = link_to_many(Node, N),
    Self = self(),
    Child ! {'do', fun() ->
                           all_of(Pids, fun({'EXIT', Pid, {signal, sigkill}}) -> Pid end),
                           Self ! {told, now_ms()},
                           true = silence(300),
                           Self ! quiet
                   end},
    Begin = now_ms(),
    interop:signal("KILL", Factory),
    Told = receive {told, T} -> T after ms(60000) -> exit(not_told) end,
    receive quiet -> ok end,
    Told - Begin.

reconnect(Node) ->
    Factory = factory(Node),
    true = linear(fun(N) -> reconnect(Node, N) end),
    factory_stop(Node, Factory).

%% Each has heard of the loss when it hears from the new connection
reconnect(Node, N) ->
    {Child, Pids} = link_to_many(Node, N),
    Self = self(),
    Begin = now_ms(),
    Child ! {'do', fun() ->
                           true = erlang:disconnect_node(Node),
                           [Pid ! hello || Pid <- Pids],
                           all_of(Pids, fun({'EXIT', Pid, noconnection}) -> Pid end),
                           Self ! told,
                           true = silence(300),
                           Self ! quiet
                   end},
    receive told -> ok after ms(60000) -> exit(not_told) end,
    report(Node, N, N),
    Time = now_ms() - Begin,
    receive quiet -> ok end,
    ok = make(Node, forget),
    Time.
