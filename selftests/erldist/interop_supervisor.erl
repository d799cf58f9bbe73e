%% SPDX-License-Identifier: GPL-2.0-only
%% Native processes as children of an OTP supervisor: shutdown, brutal_kill, and
%% restarts as of Erlang children that end with the same reasons.
-module(interop_supervisor).
-behaviour(supervisor).
-export([main/0, init/1, start_native/3, start_erlang/0]).
-import(interop, [program/2, call/2, signal/2, os_pid/1, ms/1, eventually/1]).

main() ->
    Node = list_to_atom(interop:node_arg(1)),
    logger:set_primary_config(level, none),
    ets:new(programs, [named_table, public]),
    interop:main([{Text, fun() -> Fun(Node) end} || {Text, Fun} <- tests()]).

tests() ->
    [{"shutdown of a program that runs, and does not trap", fun(N) -> ends(N, #{}, run, 2000) end},
     {"shutdown of a program that traps: it ends itself", fun says_goodbye/1},
     {"shutdown of a stopped program that does not trap", fun(N) -> ends(N, #{}, stop, 2000) end},
     {"shutdown of a stopped program that traps: killed after 2 s", fun killed_late/1},
     {"brutal_kill of a program that runs", fun(N) -> ends(N, #{}, run, brutal_kill) end},
     {"brutal_kill of a program that traps",
      fun(N) -> ends(N, #{trap => 1}, run, brutal_kill) end},
     {"brutal_kill of a stopped program",
      fun(N) -> ends(N, #{kill_signal => 9}, stop, brutal_kill) end},
     {"brutal_kill of a stopped program that traps",
      fun(N) -> ends(N, #{trap => 1, kill_signal => 9}, stop, brutal_kill) end},
     {"without a kill signal, a stopped program stays until it goes on", fun stays/1},
     {"permanent, transient, temporary: as Erlang children", fun restarts/1},
     {"a child that ends again and again ends its supervisor, and that its others",
      fun intensity/1},
     {"a supervisor that is shut down ends its children, in time", fun tree/1},
     {"one for all: one dies, both are new", fun one_for_all/1},
     {"kill -9, twenty times: started again under its name", fun again/1}].

%% The supervisor

init({Strategy, Intensity, Children}) ->
    {ok, {#{strategy => Strategy, intensity => Intensity, period => 60}, Children}}.

start(Strategy, Intensity, Children) ->
    process_flag(trap_exit, true),
    {ok, Sup} = supervisor:start_link(?MODULE, {Strategy, Intensity, Children}),
    Sup.

start(Children) ->
    start(one_for_one, 1000, Children).

native(Id, Node, Options, Restart, Shutdown) ->
    #{id => Id, start => {?MODULE, start_native, [Node, Id, Options]},
      restart => Restart, shutdown => Shutdown}.

%% What a supervisor starts a native child with: somebody else has the program's
%% port, the supervisor is linked to its process.
start_native(Node, Name, Options) ->
    Self = self(),
    {Keeper, Ref} = spawn_monitor(fun() -> keep(Node, Name, Options, Self) end),
    receive
        {Keeper, Pid, OsPid} ->
            demonitor(Ref, [flush]),
            link(Pid),
            ets:insert(programs, {Name, OsPid}),
            {ok, Pid};
        {'DOWN', Ref, process, Keeper, Reason} ->
            {error, Reason}
    end.

keep(Node, Name, Options, Parent) ->
    Port = program(Node, [Name]),
    [ok = call({Name, Node}, Option) || Option <- maps:to_list(Options)],
    Parent ! {self(), call({Name, Node}, pid), os_pid(Port)},
    kept(Port).

kept(Port) ->
    receive
        {Port, {exit_status, _}} -> ok;
        _ -> kept(Port)
    end.

%% The program of a native child
os_pid_of(Name) ->
    ets:lookup_element(programs, Name, 2).

runs(OsPid) ->
    filelib:is_dir("/proc/" ++ integer_to_list(OsPid)).

gone(OsPid) ->
    eventually(fun() -> not runs(OsPid) end).

pid_of(Sup, Id) ->
    case lists:keyfind(Id, 1, supervisor:which_children(Sup)) of
        {Id, Pid, _, _} -> Pid;
        false -> none
    end.

now_ms() ->
    erlang:monotonic_time(millisecond).

%% Milliseconds that Fun took
took(Fun) ->
    Begin = now_ms(),
    Fun(),
    now_ms() - Begin.

stop(Sup) ->
    unlink(Sup),
    Ref = monitor(process, Sup),
    exit(Sup, shutdown),
    receive {'DOWN', Ref, process, Sup, _} -> true end.

%% Where it takes no time: less than the shutdown
at_once() -> max(1500, ms(400)).
%% The shutdown of 2000, once
in_time() -> 2000 + ms(1500).

%% Ends

%% A child in a program that runs or is stopped is ended by its supervisor
begin_child(Node, Options, State, Shutdown) ->
    Sup = start([native(a, Node, Options, permanent, Shutdown)]),
    Pid = pid_of(Sup, a),
    OsPid = os_pid_of(a),
    [signal("STOP", OsPid) || State =:= stop],
    {Sup, Pid, OsPid, monitor(process, Pid)}.

reason(Ref) ->
    receive {'DOWN', Ref, process, _, Reason} -> Reason after ms(20000) -> not_told end.

ends(Node, Options, State, Shutdown) ->
    {Sup, _, OsPid, Ref} = begin_child(Node, Options, State, Shutdown),
    Time = took(fun() -> ok = supervisor:terminate_child(Sup, a) end),
    io:format("# terminate_child took ~b ms~n", [Time]),
    true = Time < at_once(),
    Reason = case Shutdown of brutal_kill -> killed; _ -> shutdown end,
    Reason = reason(Ref),
    undefined = pid_of(Sup, a),
    %% one that is stopped ends by the signal, or as soon as it goes on
    [signal("CONT", OsPid) || State =:= stop, not is_map_key(kill_signal, Options)],
    true = gone(OsPid),
    stop(Sup).

says_goodbye(Node) ->
    ends(Node, #{trap => 1, kill_signal => 9}, run, 2000).

killed_late(Node) ->
    {Sup, _, OsPid, Ref} = begin_child(Node, #{trap => 1, kill_signal => 9}, stop, 2000),
    Time = took(fun() -> ok = supervisor:terminate_child(Sup, a) end),
    io:format("# terminate_child took ~b ms~n", [Time]),
    true = Time >= 2000 andalso Time < in_time(),
    killed = reason(Ref),
    true = gone(OsPid),
    stop(Sup).

stays(Node) ->
    {Sup, _, OsPid, Ref} = begin_child(Node, #{}, stop, brutal_kill),
    ok = supervisor:terminate_child(Sup, a),
    killed = reason(Ref),
    timer:sleep(200),
    true = runs(OsPid),
    %% its name is free meanwhile
    {ok, _} = supervisor:restart_child(Sup, a),
    hello = call({a, Node}, hello),
    signal("CONT", OsPid),
    true = gone(OsPid),
    hello = call({a, Node}, hello),
    stop(Sup).

%% Restarts

%% The Erlang child that a native one is compared with
start_erlang() ->
    {ok, spawn_link(fun() -> receive {exit, Reason} -> exit(Reason) end end)}.

%% What becomes of a child when End(Pid) has ended it
fate(Sup, Id, End) ->
    Pid = pid_of(Sup, Id),
    true = is_pid(Pid),
    Ref = monitor(process, Pid),
    End(Pid),
    Reason = reason(Ref),
    %% the supervisor has been told before it is asked, or is soon
    true = eventually(fun() -> pid_of(Sup, Id) =/= Pid end),
    case pid_of(Sup, Id) of
        New when is_pid(New) -> {Reason, restarted};
        Other -> {Reason, Other}
    end.

kill(Id) ->
    fun(_) -> signal("KILL", os_pid_of(Id)) end.

restarts(Node) ->
    Exit = fun(N) -> fun(Pid) -> Pid ! {'$gen_call', {self(), make_ref()}, {exit, N}} end end,
    Ends = [{normal, Exit(0)}, {{exit_status, 3}, Exit(3)}, {{signal, sigkill}, kill(a)}],
    Fates = [{Restart, fate_of_erlang(Restart, Reason), fate_of_native(Node, Restart, End)}
             || Restart <- [permanent, transient, temporary], {Reason, End} <- Ends],
    [io:format("# ~p: ~p~n", [Restart, Native]) || {Restart, _, Native} <- Fates],
    case [Fate || {_, Erlang, Native} = Fate <- Fates, Erlang =/= Native] of
        [] -> true;
        Different -> Different
    end.

fate_of_native(Node, Restart, End) ->
    Sup = start([native(a, Node, #{}, Restart, 2000)]),
    Fate = fate(Sup, a, End),
    %% the new one works
    [hello = call({a, Node}, hello) || element(2, Fate) =:= restarted],
    stop(Sup),
    Fate.

fate_of_erlang(Restart, Reason) ->
    Sup = start([#{id => e, start => {?MODULE, start_erlang, []}, restart => Restart,
                   shutdown => 2000}]),
    Fate = fate(Sup, e, fun(Pid) -> Pid ! {exit, Reason} end),
    stop(Sup),
    Fate.

intensity(Node) ->
    Sup = start(one_for_one, 2, [native(a, Node, #{}, permanent, 2000),
                                 native(b, Node, #{}, permanent, 2000)]),
    B = monitor(process, pid_of(Sup, b)),
    Ref = monitor(process, Sup),
    [{_, restarted} = fate(Sup, a, kill(a)) || _ <- [1, 2]],
    signal("KILL", os_pid_of(a)),
    shutdown = reason(Ref),
    shutdown = reason(B),
    true.

tree(Node) ->
    Sup = start([native(a, Node, #{}, permanent, 2000),
                 native(b, Node, #{trap => 1}, permanent, 2000),
                 native(c, Node, #{trap => 1, kill_signal => 9}, permanent, 2000)]),
    Refs = [{Id, monitor(process, pid_of(Sup, Id))} || Id <- [a, b, c]],
    Programs = [os_pid_of(Id) || Id <- [a, b, c]],
    signal("STOP", lists:last(Programs)),
    Time = took(fun() -> stop(Sup) end),
    io:format("# it took ~b ms~n", [Time]),
    true = Time < in_time(),
    [{a, shutdown}, {b, shutdown}, {c, killed}] = [{Id, reason(Ref)} || {Id, Ref} <- Refs],
    [true = gone(OsPid) || OsPid <- Programs],
    true.

one_for_all(Node) ->
    Sup = start(one_for_all, 10, [native(Id, Node, #{}, permanent, 2000) || Id <- [a, b]]),
    [A, B] = [pid_of(Sup, Id) || Id <- [a, b]],
    Ref = monitor(process, B),
    signal("SEGV", os_pid_of(a)),
    shutdown = reason(Ref),
    true = eventually(fun() -> is_pid(pid_of(Sup, a)) andalso pid_of(Sup, a) =/= A andalso
                               is_pid(pid_of(Sup, b)) andalso pid_of(Sup, b) =/= B
                      end),
    [hello = call({Id, Node}, hello) || Id <- [a, b]],
    stop(Sup).

%% Its name is free when the supervisor has been told: a start that failed would count
%% as one more restart, which is one too many.
again(Node) ->
    Sup = start(one_for_one, 20, [native(a, Node, #{}, permanent, 2000)]),
    [{{signal, sigkill}, restarted} = fate(Sup, a, kill(a))
     || _ <- lists:seq(1, 20)],
    hello = call({a, Node}, hello),
    stop(Sup).
