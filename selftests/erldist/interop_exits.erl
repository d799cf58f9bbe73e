%% SPDX-License-Identifier: GPL-2.0-only
%% How native processes end, seen from an Erlang node: links, monitors, calls.
-module(interop_exits).
-export([main/0]).
-import(interop, [program/2, call/2, call/3, signal/2, stop/1, ms/1, eventually/1, related/3]).

main() ->
    Node = list_to_atom(interop:node_arg(1)),
    interop:main([{Text, fun() -> Fun(Node) end} || {Text, Fun} <- tests()]).

tests() ->
    [{"exit(0) is DOWN normal", fun(N) -> down(N, fun interop:stop/1, normal) end},
     {"exit(3) is DOWN {exit_status, 3}",
      fun(N) -> down(N, fun(_) -> cast(N, {exit, 3}) end, {exit_status, 3}) end},
     {"SIGSEGV is DOWN {signal, sigsegv}",
      fun(N) -> down(N, fun(_) -> cast(N, {signal, 11}) end, {signal, sigsegv}) end},
     {"SIGKILL is DOWN {signal, sigkill}",
      fun(N) -> down(N, fun(P) -> signal("KILL", P) end, {signal, sigkill}) end},
     {"exit(Pid, kill) is DOWN killed",
      fun(N) -> down(N, fun(_) -> exit(pid(N), kill) end, killed) end},
     {"exit(Pid, Reason) is DOWN Reason",
      fun(N) -> down(N, fun(_) -> exit(pid(N), {why, <<"so">>}) end, {why, <<"so">>}) end},
     {"exit(Pid, normal) ends nothing", fun exit_normal/1},
     {"a monitor by name tells the name", fun by_name/1},
     {"a monitor of a name that is not there: noproc",
      fun(N) -> R = monitor(process, {nobody, N}), await({'DOWN', R, process, {nobody, N}, noproc}) end},
     {"a monitor of a pid that has gone: noproc", fun gone/1},
     {"a link to a pid that has gone: noproc", fun gone_link/1},
     {"a demonitored process ends in silence", fun demonitored/1},
     {"SIGKILL is EXIT {signal, sigkill} to a link that traps", fun link_trap/1},
     {"exit(0) is EXIT normal to a link that traps", fun link_normal/1},
     {"a linked Erlang process that does not trap ends with the reason", fun link_die/1},
     {"an unlinked process ends in silence", fun unlinked/1},
     {"an Erlang process's end ends the native process linked to it", fun link_back/1},
     {"gen_server:call is answered", fun answered/1},
     {"gen_server:call to a name that is not there: noproc", fun call_nobody/1},
     {"gen_server:call to a program that is killed: {signal, sigkill}, at once", fun call_killed/1},
     {"gen_server:call to a program that exits: {exit_status, 4}, at once", fun call_exits/1},
     {"a late answer leaves nothing in the caller's mailbox", fun late/1},
     {"50 monitors of 20 processes of one program: each one DOWN", fun many/1},
     {"a program's end leaves the node and its neighbour up", fun neighbour/1}].

%% A process p that is monitored, then ended by Fun
down(Node, Fun, Reason) ->
    Port = program(Node, [p]),
    Pid = pid(Node),
    Ref = monitor(process, Pid),
    true = is_pid(call({p, Node}, pid)),
    Fun(Port),
    await({'DOWN', Ref, process, Pid, Reason}).

pid(Node) ->
    call({p, Node}, pid).

cast(Node, Request) ->
    {p, Node} ! {'$gen_call', {self(), make_ref()}, Request}.

%% Exactly this message
await(Message) ->
    receive
        Message -> true;
        {Port, _} when is_port(Port) -> await(Message);
        {'EXIT', Port, _} when is_port(Port) -> await(Message);
        Other -> {wrong, Other, expected, Message}
    after ms(20000) ->
        {nothing, expected, Message}
    end.

silence() ->
    receive
        {Port, _} when is_port(Port) -> silence();
        {'EXIT', Port, _} when is_port(Port) -> silence();
        Other -> {not_expected, Other}
    after 300 ->
        true
    end.

exit_normal(Node) ->
    Port = program(Node, [p]),
    exit(pid(Node), normal),
    hello = call({p, Node}, hello),
    stop(Port).

by_name(Node) ->
    Port = program(Node, [p]),
    Ref = monitor(process, {p, Node}),
    hello = call({p, Node}, hello),
    signal("KILL", Port),
    await({'DOWN', Ref, process, {p, Node}, {signal, sigkill}}).

dead(Node) ->
    Port = program(Node, [p]),
    Pid = pid(Node),
    Ref = monitor(process, Pid),
    hello = call(Pid, hello),
    stop(Port),
    true = await({'DOWN', Ref, process, Pid, normal}),
    Pid.

gone(Node) ->
    Pid = dead(Node),
    Ref = monitor(process, Pid),
    await({'DOWN', Ref, process, Pid, noproc}).

gone_link(Node) ->
    process_flag(trap_exit, true),
    Pid = dead(Node),
    link(Pid),
    await({'EXIT', Pid, noproc}).

demonitored(Node) ->
    Port = program(Node, [p]),
    Ref = monitor(process, {p, Node}),
    hello = call({p, Node}, hello),
    true = demonitor(Ref, [flush]),
    hello = call({p, Node}, hello),
    signal("KILL", Port),
    silence().

linked(Node) ->
    process_flag(trap_exit, true),
    Port = program(Node, [p]),
    Pid = pid(Node),
    link(Pid),
    hello = call({p, Node}, hello),
    {Port, Pid}.

link_trap(Node) ->
    {Port, Pid} = linked(Node),
    signal("KILL", Port),
    await({'EXIT', Pid, {signal, sigkill}}).

link_normal(Node) ->
    {Port, Pid} = linked(Node),
    stop(Port),
    await({'EXIT', Pid, normal}).

link_die(Node) ->
    Port = program(Node, [p]),
    Pid = pid(Node),
    Self = self(),
    {Child, Ref} = spawn_monitor(fun() -> link(Pid), Self ! linked, receive after infinity -> ok end end),
    receive linked -> ok end,
    hello = call({p, Node}, hello),
    signal("KILL", Port),
    await({'DOWN', Ref, process, Child, {signal, sigkill}}).

unlinked(Node) ->
    {Port, Pid} = linked(Node),
    unlink(Pid),
    hello = call({p, Node}, hello),
    signal("KILL", Port),
    silence().

link_back(Node) ->
    program(Node, [p]),
    Pid = pid(Node),
    Ref = monitor(process, Pid),
    spawn(fun() -> link(Pid), exit(broken) end),
    await({'DOWN', Ref, process, Pid, broken}).

answered(Node) ->
    Port = program(Node, [p]),
    Request = {add, [1, 2.5, <<"x">>], #{a => self()}},
    Request = call({p, Node}, Request),
    Request = call(pid(Node), Request, infinity),
    true = stop(Port),
    silence().

call_nobody(Node) ->
    {'EXIT', {noproc, {gen_server, call, _}}} = (catch call({nobody, Node}, hello)),
    silence().

%% The reason a call ends with, and that it was at once
call_ends(Node, Request, End) ->
    Port = program(Node, [p]),
    Self = self(),
    spawn(fun() -> End(Port), Self ! {ended, erlang:monotonic_time(millisecond)} end),
    {'EXIT', {Reason, {gen_server, call, _}}} = (catch call({p, Node}, Request, ms(30000))),
    Told = erlang:monotonic_time(millisecond),
    receive {ended, Ended} when Told - Ended < 10000 -> ok end,
    true = silence(),
    Reason.

call_killed(Node) ->
    {signal, sigkill} = call_ends(Node, mute, fun(Port) ->
        %% the call's monitor has come
        true = eventually(fun() -> related(p, Node, 1) end),
        signal("KILL", Port)
    end),
    true.

call_exits(Node) ->
    {exit_status, 4} = call_ends(Node, {exit, 4}, fun(_) -> ok end),
    true.

late(Node) ->
    Port = program(Node, [p]),
    hello = call({p, Node}, hello),
    {'EXIT', {timeout, _}} = (catch call({p, Node}, {late, 3000}, 300)),
    hello = call({p, Node}, hello),
    true = silence(),
    stop(Port).

many(Node) ->
    Names = [list_to_atom("p" ++ integer_to_list(N)) || N <- lists:seq(1, 20)],
    Port = program(Node, Names),
    Pids = [call({Name, Node}, pid) || Name <- Names],
    Refs = [{monitor(process, Pid), Pid} || _ <- lists:seq(1, 50), Pid <- Pids],
    [hello = call(Pid, hello) || Pid <- Pids],
    signal("KILL", Port),
    [] = [Pid || {Ref, Pid} <- Refs,
                 true =/= receive {'DOWN', Ref, process, Pid, {signal, sigkill}} -> true
                          after ms(20000) -> false
                          end],
    silence().

neighbour(Node) ->
    One = program(Node, [p]),
    Two = program(Node, [q]),
    monitor_node(Node, true),
    [hello = call({Name, Node}, hello) || Name <- [p, q]],
    signal("KILL", One),
    hello = call({q, Node}, hello),
    true = eventually(fun() -> element(1, catch call({p, Node}, hello)) =:= 'EXIT' end),
    hello = call({q, Node}, hello),
    true = silence(),
    true = lists:member(Node, nodes(hidden)),
    stop(Two).
