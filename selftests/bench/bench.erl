%% SPDX-License-Identifier: GPL-2.0-only
%% The BEAM's part in the bench: the far end of whoever asks, and a near end, for
%% BEAM to BEAM.
-module(bench).
-export([far/0, near/1]).

%% A registered process that makes an end for who asks {Pid, Role, Batch, Size,
%% Arg}, which tells its pid by sending it.
far() ->
    register(bench, self()),
    far_loop().

far_loop() ->
    receive
        {Pid, Role, Batch, Size, Arg} ->
            spawn(fun() -> start(Pid, Role, Batch, Size, Arg) end),
            far_loop();
        stop ->
            halt(0)
    end.

start(Pid, Role, Batch, Size, Arg) ->
    Pid ! self(),
    role(Role, Pid, Batch, message(Size), Arg).

%% As an external term, that many bytes without the version
message(Size) ->
    binary:copy(<<"x">>, Size - 5).

role(echo, Pid, _, Message, _) ->
    echo(Pid, Message);
role(sink, Pid, Batch, Message, _) ->
    sink(Pid, Batch, Batch, Message);
role(source, Pid, Batch, Message, _) ->
    source(Pid, Batch, Batch, Message);
role(call, Pid, _, Message, N) ->
    call(Pid, Message, N);
role(fan, Pid, _, Message, Pids) ->
    fan(Pid, Message, Pids).

echo(Pid, Message) ->
    receive _ -> Pid ! Message end,
    echo(Pid, Message).

sink(Pid, 0, Batch, Message) ->
    Pid ! Message,
    sink(Pid, Batch, Batch, Message);
sink(Pid, N, Batch, Message) ->
    receive _ -> sink(Pid, N - 1, Batch, Message) end.

source(Pid, 0, Batch, Message) ->
    receive _ -> source(Pid, Batch, Batch, Message) end;
source(Pid, N, Batch, Message) ->
    Pid ! Message,
    source(Pid, N - 1, Batch, Message).

%% N calls of a server, each time it is asked to
call(Pid, Message, N) ->
    receive _ -> ok end,
    [Message = gen_server:call(Pid, Message, infinity) || _ <- lists:seq(1, N)],
    Pid ! done,
    call(Pid, Message, N).

%% One message to each of many, each time it is asked to
fan(Pid, Message, Pids) ->
    receive _ -> ok end,
    [P ! Message || P <- Pids],
    fan(Pid, Message, Pids).

%% near([What, Node, Size, Count, Batch, Warm]): measures, prints "ns N"
near([What, Node | Numbers]) ->
    [Size, Count, Batch, Warm] = [list_to_integer(atom_to_list(N)) || N <- Numbers],
    Ns = measure(What, Node, message(Size), Count, Batch, Warm),
    io:format("ns ~.1f~n", [float(Ns)]),
    halt(0).

ask(Node, Role, Batch, Message, Arg) ->
    {bench, Node} ! {self(), Role, Batch, byte_size(Message) + 5, Arg},
    receive Pid when is_pid(Pid) -> Pid end.

measure(roundtrip, Node, Message, Count, Batch, Warm) ->
    Far = ask(Node, echo, Batch, Message, 0),
    ping(Far, Message, Warm),
    clock(Count, fun() -> ping(Far, Message, Count) end);
measure(stream, Node, Message, Count, Batch, Warm) ->
    Far = ask(Node, sink, Batch, Message, 0),
    [batch(Far, Message, Batch) || _ <- batches(Warm, Batch)],
    Run = batches(Count, Batch),
    clock(length(Run) * Batch, fun() -> [batch(Far, Message, Batch) || _ <- Run] end);
measure(call, Node, Message, Count, Batch, _) ->
    Far = ask(Node, call, Batch, Message, Count),
    serve_run(Far),
    clock(Count, fun() -> serve_run(Far) end);
measure(fan, Node, Message, Count, Batch, _) ->
    Self = self(),
    Got = counters:new(1, [atomics]),
    Pids = [spawn(fun() -> receiver(Self, Got, Batch) end) || _ <- lists:seq(1, Batch)],
    Far = ask(Node, fan, Batch, Message, Pids),
    fan_run(Far),
    clock(Count * Batch, fun() -> [fan_run(Far) || _ <- lists:seq(1, Count)] end).

batches(Count, Batch) ->
    lists:seq(1, (Count + Batch - 1) div Batch).

clock(N, Fun) ->
    Start = erlang:monotonic_time(nanosecond),
    Fun(),
    (erlang:monotonic_time(nanosecond) - Start) / N.

ping(_, _, 0) ->
    ok;
ping(Far, Message, N) ->
    Far ! Message,
    receive _ -> ok end,
    ping(Far, Message, N - 1).

batch(Far, Message, Batch) ->
    [Far ! Message || _ <- lists:seq(1, Batch)],
    receive _ -> ok end.

%% What gen_server does with a call, without what it does around it
serve_run(Far) ->
    Far ! go,
    serve().

serve() ->
    receive
        {'$gen_call', From, Request} -> gen_server:reply(From, Request), serve();
        done -> ok
    end.

receiver(Self, Got, N) ->
    receive _ -> counters:add(Got, 1, 1) end,
    case counters:get(Got, 1) rem N of
        0 -> Self ! all;
        _ -> ok
    end,
    receiver(Self, Got, N).

fan_run(Far) ->
    Far ! go,
    receive all -> ok end.
