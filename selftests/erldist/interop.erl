%% SPDX-License-Identifier: GPL-2.0-only
%% What the tests with Erlang nodes share: results, native programs, patience.
-module(interop).
-export([main/1, node_arg/1, ms/1, call/2, call/3, eventually/1, eventually/2]).
-export([program/2, program/3, os_pid/1, signal/2, stop/1, run/2]).
-export([watch/1, event/2, lines/2, beam/2, beam_stop/1, peers/0, related/3]).

%% Runs [{Text, Fun}] or [{Text, Fun, Limit}], milliseconds: each in a process of its
%% own, ok when it returns true in time.
main(Tests) ->
    Results = [test(Test) || Test <- Tests],
    halt(length([failed || false <- Results])).

test({Text, Fun}) ->
    test({Text, Fun, 120000});
test({Text, Fun, Limit}) ->
    Begin = erlang:monotonic_time(millisecond),
    {Pid, Ref} = spawn_monitor(fun() -> exit({result, catch Fun()}) end),
    Result =
        receive {'DOWN', Ref, process, Pid, R} -> R
        after ms(Limit) ->
            Where = process_info(Pid, [current_stacktrace, messages]),
            exit(Pid, kill),
            {no_end, Where}
        end,
    Time = erlang:monotonic_time(millisecond) - Begin,
    case Result of
        {result, true} ->
            io:format("ok - ~ts~n# ~b ms~n", [Text, Time]),
            true;
        _ ->
            io:format("not ok - ~ts~n# ~b ms~n", [Text, Time]),
            Got = lists:flatten(io_lib:format("~tP", [Result, 100])),
            io:format("# got ~ts~n", [string:replace(Got, "\n", "\n# ", all)]),
            false
    end.

%% Argument number N of the module's main
node_arg(N) ->
    lists:nth(N, init:get_plain_arguments()).

%% A time limit: more of it on a slow kernel
ms(N) ->
    N * list_to_integer(os:getenv("INTEROP_SLOW", "1")).

call(Server, Request) ->
    call(Server, Request, ms(20000)).

call(Server, Request, Timeout) ->
    gen_server:call(Server, Request, Timeout).

%% Waits until Fun returns true
eventually(Fun) ->
    eventually(Fun, ms(30000)).

eventually(Fun, Left) ->
    case catch Fun() of
        true -> true;
        Other when Left =< 0 -> {not_in_time, Other};
        _ -> timer:sleep(50), eventually(Fun, Left - 50)
    end.

%% Native processes Names on Node in one program
program(Node, Names) ->
    Port = program("interop_proc", [atom_to_list(A) || A <- [Node | Names]], []),
    receive {Port, {data, {eol, <<"ready">>}}} -> Port
    after ms(20000) -> exit({not_ready, Names, flush()})
    end.

program(Name, Args, Env) ->
    Path = case filename:pathtype(Name) of
               absolute -> Name;
               _ -> filename:join(os:getenv("INTEROP_PATH"), Name)
           end,
    open_port({spawn_executable, Path},
              [{args, Args}, {env, Env}, exit_status, binary, {line, 4096},
               stderr_to_stdout, use_stdio]).

flush() ->
    receive M -> [M | flush()] after 0 -> [] end.

os_pid(Port) ->
    {os_pid, Pid} = erlang:port_info(Port, os_pid),
    Pid.

%% signal("KILL", Port)
signal(Signal, Port) when is_port(Port) ->
    signal(Signal, os_pid(Port));
signal(Signal, Pid) ->
    "" = os:cmd("kill -" ++ Signal ++ " " ++ integer_to_list(Pid)),
    true.

%% Ends a program that ends with its standard input
stop(Port) ->
    port_close(Port),
    true.

%% Runs a command to its end: {Status, Output}
run(Name, Args) ->
    Path = os:find_executable(Name),
    collect(program(Path, Args, []), []).

collect(Port, Lines) ->
    receive
        {Port, {data, {_, Line}}} -> collect(Port, [Line | Lines]);
        {Port, {exit_status, Status}} ->
            {Status, iolist_to_binary(lists:join($\n, lists:reverse(Lines)))}
    after ms(60000) ->
        exit({no_end, Port, Lines})
    end.

%% `erldist monitor' with its events as messages, once it tells that a name on
%% Node went
watch(Node) ->
    %% it ends with the port
    Command = "erldist monitor & cat > /dev/null; kill $!",
    Port = program("/bin/sh", ["-c", Command], []),
    watching(Port, Node, 20).

watching(_, _, 0) ->
    exit({monitor_tells_nothing, flush()});
watching(Port, Node, Left) ->
    stop(program(Node, [watched])),
    receive
        {Port, {data, {eol, <<"name-del ", _/binary>>}}} -> Port
    after ms(500) ->
        watching(Port, Node, Left - 1)
    end.

%% An event that begins with Begin, within Timeout
event(Port, Begin) ->
    Size = byte_size(Begin),
    receive
        {Port, {data, {eol, <<Begin:Size/binary, _/binary>> = Line}}} -> Line
    after ms(20000) ->
        exit({no_event, Begin, flush()})
    end.

%% The lines that come within Time
lines(Port, Time) ->
    receive {Port, {data, {eol, Line}}} -> [Line | lines(Port, Time)]
    after Time -> []
    end.

%% Another Erlang node, until beam_stop(); Flags as for erl
beam(Name, Flags) ->
    Args = ["-sname", Name, "-noinput", "-pa", os:getenv("INTEROP_BEAMS") | Flags],
    Port = program(filename:join([code:root_dir(), "bin", "erl"]), Args, []),
    [_, Host] = string:split(atom_to_list(node()), "@"),
    Node = list_to_atom(Name ++ "@" ++ Host),
    true = eventually(fun() -> net_adm:ping(Node) =:= pong end, ms(30000)),
    {Node, Port}.

beam_stop({Node, Port}) ->
    rpc:cast(Node, erlang, halt, [0]),
    receive {Port, {exit_status, _}} -> true
    after ms(20000) -> exit({still_there, Node})
    end.

%% The native process Name of Node has this many links and monitors
related(Name, Node, N) ->
    {0, Text} = run("erldist", ["process", "show"]),
    On = <<"<", (atom_to_binary(Node))/binary, ".">>,
    Named = <<" name ", (atom_to_binary(Name))/binary, " ">>,
    [Line] = [L || L <- binary:split(Text, <<"\n">>, [global]),
                   string:prefix(L, On) =/= nomatch, binary:match(L, Named) =/= nomatch],
    Relations = iolist_to_binary(io_lib:format(" relations ~b", [N])),
    binary:match(<<Line/binary, " ">>, <<Relations/binary, " ">>) =/= nomatch.

%% The remote nodes that are up, as the native side sees it
peers() ->
    {0, Text} = run("erldist", ["peer", "show"]),
    [hd(binary:split(Line, <<" ">>)) || Line <- binary:split(Text, <<"\n">>, [global]),
                                        binary:match(Line, <<" up node ">>) =/= nomatch].
