%% SPDX-License-Identifier: GPL-2.0-only
%% Functions that a native node serves, asked for in every way there is. What is
%% expected is what another Erlang node gives that has the same functions.
-module(interop_served).
-compile({no_auto_import, [processes/0]}).
-export([main/0]).
-import(interop, [ms/1, node_arg/1, eventually/1, eventually/2]).

-define(F, interop_fun).

main() ->
    logger:set_primary_config(level, none),
    Names = [svc, bare, info],
    Nodes = [{Name, list_to_atom(node_arg(N))} || {N, Name} <- lists:enumerate(Names)],
    [true = eventually(fun() -> net_kernel:connect_node(N) end, ms(30000)) || {_, N} <- Nodes],
    {Beam, Port} = interop:beam("oracle", ["-setcookie", atom_to_list(erlang:get_cookie())]),
    ok = rpc:call(Beam, logger, set_primary_config, [level, none]),
    T = maps:from_list([{beam, Beam}, {port, Port} | Nodes]),
    Program = program(T),
    interop:main([{Text, fun() -> Fun(T#{program => Program}) end} || {Text, Fun} <- tests()]).

tests() ->
    [same("rpc:call/4", fun calls/0, fun rpc_call/4),
     same("rpc:call/5", fun calls/0, fun rpc_call_timeout/4),
     same("rpc:block_call", fun calls/0, fun rpc_block_call/4),
     same("rpc:async_call", fun calls/0, fun rpc_async_call/4),
     same("rpc:multicall", fun calls/0, fun rpc_multicall/4),
     same("erpc:call/4", fun calls/0, fun erpc_call/4),
     same("erpc:call/5", fun calls/0, fun erpc_call_timeout/4),
     same("erpc:send_request", fun calls/0, fun erpc_request/4),
     same("erpc:multicall", fun calls/0, fun erpc_multicall/4),
     same("a call to rex", fun calls/0, fun rex_call/4),
     same("a call to rex by a tag without alias", fun calls/0, fun rex_bare/4),
     same("the old form of rex", fun calls/0, fun rex_old/4),
     same("spawn_monitor/4", fun processes/0, fun do_spawn_monitor/4),
     same("spawn_link/4", fun processes/0, fun do_spawn_link/4),
     same("spawn_opt/5", fun processes/0, fun do_spawn_opt/4),
     {"spawn_request/5 with all its options", fun requests/1},
     {"spawn/4, casts: the function runs", fun casts/1},
     {"funs: notsup, or the function that they name", fun funs/1},
     {"more arguments than there may be", fun limits/1},
     {"erl_call", fun erl_call/1},
     {"sbcast, abcast, features", fun broadcasts/1},
     {"timeouts", fun timeouts/1},
     {"exit signals end what runs", fun signals/1},
     {"who gives up, or ends, cancels what runs for him", fun cancels/1},
     {"what is no term: badarg", fun shapeless/1},
     {"1,000 at once, each its own", fun storm/1},
     {"what every server tells of its node", fun info/1},
     {"one server at a time", fun one_server/1},
     {"the server is killed: its reason, then notsup at once", fun killed/1},
     {"the server ends: shut down, then notsup at once", fun shut_down/1},
     {"a node that serves nothing: notsup at once", fun nothing/1},
     {"the same when its program is stopped", fun stopped/1}].

%% The same to both

same(Text, Cases, Door) ->
    {Text ++ " as to an Erlang node", fun(T) -> all_same(T, Cases(), Door) end}.

all_same(#{svc := Native, beam := Beam}, Cases, Door) ->
    Got = [{Case, isolated(Native, Case, Door), isolated(Beam, Case, Door)} || Case <- Cases],
    true = length(lists:usort([Y || {_, _, Y} <- Got])) > 1,
    case [One || {_, X, Y} = One <- Got, X =/= Y] of
        [] -> true;
        Differ -> {differ, Differ}
    end.

%% With a mailbox of its own
isolated(Node, {M, F, A}, Door) ->
    isolated(Node, fun() -> Door(Node, M, F, A) end).

isolated(Node, Fun) ->
    Self = self(),
    {Pid, Ref} = spawn_monitor(fun() ->
        Result = plain(Fun(), Node),
        Self ! {self(), Result, process_info(self(), messages)}
    end),
    receive
        {Pid, Result, {messages, []}} -> Result;
        {Pid, Result, {messages, More}} -> {Result, more, plain(More, Node)};
        {'DOWN', Ref, process, Pid, Why} -> {ended, Why}
    after ms(20000) ->
        Where = process_info(Pid, [current_stacktrace, messages]),
        exit(Pid, kill),
        {late, Where}
    end.

%% What must differ made equal: the node and its pids, where in a file
plain(Node, Node) -> '$node';
plain({M, F, A, L}, _) when is_atom(M), is_atom(F), is_list(L) -> {M, F, A};
plain(P, Node) when is_pid(P), node(P) =:= Node -> '$pid';
plain(P, _) when is_pid(P), node(P) =:= node() -> '$own';
plain([H | T], Node) -> [plain(H, Node) | plain(T, Node)];
plain(T, Node) when is_tuple(T) -> list_to_tuple(plain(tuple_to_list(T), Node));
plain(M, Node) when is_map(M) -> maps:from_list(plain(maps:to_list(M), Node));
plain(X, _) -> X.

caught(Fun) ->
    try {value, Fun()}
    catch Class:Reason -> {Class, Reason}
    end.

%% What is called: values, exceptions, what is not there

values() ->
    [x, [], "text", [1, 2], 1.5, -1, 1 bsl 100, <<>>, <<1:3>>, {}, #{a => [b]},
     lists:duplicate(300, {y, <<"z">>}), self(), make_ref(), fun erlang:node/0,
     {badrpc, mine}, {'EXIT', mine}, binary:copy(<<"0123456789abcdef">>, 150000)].

calls() ->
    [{?F, echo, [V]} || V <- values()] ++ exceptions() ++
        [{?F, arity, A} || A <- [[], [1], [1, 2], [a, b, c], "ab"]] ++
        [{?F, sum, [1, 2]}, {?F, sleep, [30, done]},
         {erlang, apply, [?F, echo, [x]]}, {erlang, apply, [fun ?F:echo/1, [x]]}].

exceptions() ->
    [{?F, do_throw, [V]} || V <- [x, {'EXIT', x}, {badrpc, x}]] ++
        [{?F, do_exit, [V]} || V <- [x, normal, kill, shutdown, {a, "b"}, binary:copy(<<0>>, 200000)]] ++
        [{?F, do_error, [V]} || V <- [x, badarg, undef, {badmatch, [1]}]] ++
        [{?F, only_int, [a]}, {?F, only_int, [7]}, {?F, sum, [1, b]}, {?F, enoent, []},
         {?F, nothing, []}, {?F, nothing, [1, "two"]}, {?F, echo, []}, {?F, echo, [1, 2]},
         {no_such_module, f, [x]}, {'', '', []}, {'mödul', 'funçtion', []}].

processes() ->
    exceptions() ++ [{?F, echo, [x]}, {?F, sleep, [30, x]}, {?F, arity, []},
                     {erlang, apply, [?F, do_exit, [x]]},
                     {erlang, apply, [fun ?F:do_exit/1, [x]]}].

%% The doors

rpc_call(N, M, F, A) -> caught(fun() -> rpc:call(N, M, F, A) end).
rpc_call_timeout(N, M, F, A) -> caught(fun() -> rpc:call(N, M, F, A, ms(10000)) end).
rpc_block_call(N, M, F, A) -> caught(fun() -> rpc:block_call(N, M, F, A) end).
rpc_async_call(N, M, F, A) -> caught(fun() -> rpc:yield(rpc:async_call(N, M, F, A)) end).
rpc_multicall(N, M, F, A) -> caught(fun() -> rpc:multicall([N, N], M, F, A, ms(10000)) end).
erpc_call(N, M, F, A) -> caught(fun() -> erpc:call(N, M, F, A) end).
erpc_call_timeout(N, M, F, A) -> caught(fun() -> erpc:call(N, M, F, A, ms(10000)) end).
erpc_multicall(N, M, F, A) -> caught(fun() -> erpc:multicall([N, N], M, F, A) end).

erpc_request(N, M, F, A) ->
    caught(fun() -> erpc:receive_response(erpc:send_request(N, M, F, A), ms(10000)) end).

rex_call(N, M, F, A) ->
    caught(fun() -> gen_server:call({rex, N}, {call, M, F, A, group_leader()}, ms(10000)) end).

rex_bare(N, M, F, A) ->
    Tag = make_ref(),
    {rex, N} ! {'$gen_call', {self(), Tag}, {call, M, F, A, user}},
    receive {Tag, Reply} -> Reply end.

rex_old(N, M, F, A) ->
    {rex, N} ! {self(), {call, M, F, A, user}},
    receive {rex, Reply} -> Reply end.

do_spawn_monitor(N, M, F, A) ->
    {P, R} = spawn_monitor(N, M, F, A),
    receive {'DOWN', R, process, P, Reason} -> {node(P), Reason} end.

do_spawn_link(N, M, F, A) ->
    process_flag(trap_exit, true),
    P = spawn_link(N, M, F, A),
    receive {'EXIT', P, Reason} -> {node(P), Reason} end.

do_spawn_opt(N, M, F, A) ->
    process_flag(trap_exit, true),
    {P, R} = spawn_opt(N, M, F, A, [link, monitor, {priority, low}, {min_heap_size, 1000},
                                    {min_bin_vheap_size, 1000}, {fullsweep_after, 5},
                                    {message_queue_data, off_heap},
                                    {max_heap_size, #{size => 10000000, kill => false}}]),
    [receive {'DOWN', R, process, P, Reason} -> {down, node(P), Reason} end,
     receive {'EXIT', P, Reason} -> {exit, node(P), Reason} end].

%% Messages of a request, as many as the options let expect
requests(#{svc := Native, beam := Beam}) ->
    Good = [{1, []}, {1, [{reply, yes}]}, {2, [monitor]}, {1, [monitor, {reply, no}]},
            {1, [monitor, {reply, error_only}]}, {2, [monitor, {reply, success_only}]},
            {2, [link]}, {3, [link, monitor]}, {2, [monitor, {reply_tag, {a, "tag"}}]},
            {2, [{monitor, [{tag, mine}]}]}, {2, [{monitor, []}]},
            {2, [{monitor, [{alias, explicit_unalias}]}]}, {2, [{monitor, [{alias, demonitor}]}]},
            {2, [monitor, {priority, high}]}, {2, [{max_heap_size, 0}, monitor]},
            {2, [{scheduler, 1}, monitor]}, {2, [monitor, monitor]}],
    Bad = [{1, [O]} || O <- [unknown, {unknown, 1}, {priority, unknown}, {min_heap_size, -1},
                             {min_heap_size, x}, {fullsweep_after, x}, {max_heap_size, x},
                             {message_queue_data, x}, {link, true}, {monitor, x}, {a, b, c},
                             "x", 1, <<>>, {}]] ++ [{1, [monitor, unknown]}, {1, [link, unknown]}],
    Cases = [{N, O, F} || {N, O} <- Good, F <- [echo, do_exit, do_error, nothing]] ++
        [{N, O, echo} || {N, O} <- Bad],
    Got = [{Case, request(Native, Case), request(Beam, Case)} || Case <- Cases],
    case [One || {_, X, Y} = One <- Got, X =/= Y] of
        [] -> [] =:= [late || {_, {late, _}, _} <- Got];
        Differ -> {differ, Differ}
    end.

request(Node, {N, Options, F}) ->
    isolated(Node, fun() ->
        process_flag(trap_exit, true),
        caught(fun() ->
            Id = spawn_request(Node, ?F, F, [x], Options),
            lists:sort([receive M -> without(M, Id, Node) end || _ <- lists:seq(1, N)])
        end)
    end).

without(M, Id, Node) ->
    [case E of Id -> id; _ -> plain(E, Node) end || E <- tuple_to_list(M)].

%% What nobody waits for
casts(#{svc := Native, beam := Beam}) ->
    Doors = [fun(N, A) -> node(spawn(N, ?F, tell, A)) =:= N end,
             fun(N, A) -> node(spawn(N, erlang, apply, [?F, tell, A])) =:= N end,
             fun(N, A) -> rpc:cast(N, ?F, tell, A) end,
             fun(N, A) -> erpc:cast(N, ?F, tell, A) end,
             fun(N, A) -> erpc:multicast([N], ?F, tell, A) end,
             fun(N, A) -> rpc:eval_everywhere([N], ?F, tell, A) end,
             fun(N, A) -> gen_server:cast({rex, N}, {cast, ?F, tell, A, user}) end,
             fun(N, A) -> is_reference(spawn_request(N, ?F, tell, A, [{reply, no}])) end],
    Cast = fun(Door, N) ->
        isolated(N, fun() ->
            Result = Door(N, [self(), "what"]),
            receive {P, What} -> {Result, node(P), What} end
        end)
    end,
    Got = [{Cast(Door, Native), Cast(Door, Beam)} || Door <- Doors],
    {true, true} =:= {lists:all(fun({X, X}) -> true; (_) -> false end, Got),
                      [] =:= [late || {{late, _}, _} <- Got]} orelse Got.

funs(#{svc := Native}) ->
    Fun = fun() -> x end,
    {error, {erpc, notsup}} = caught(fun() -> erpc:call(Native, Fun) end),
    {badrpc, notsup} = rpc:call(Native, erlang, apply, [Fun, []]),
    [{error, {erpc, notsup}}] = erpc:multicall([Native], Fun),
    {error, notsup} = caught(fun() -> spawn_monitor(Native, Fun) end),
    {error, notsup} = receive_reply(spawn_request(Native, Fun, [])),
    normal = receive_down(spawn_monitor(Native, erlang, apply, [fun ?F:echo/1, [x]])),
    x =:= erpc:call(Native, erlang, apply, [fun ?F:echo/1, [x]]).

receive_down({P, R}) ->
    receive {'DOWN', R, process, P, Reason} -> Reason after ms(20000) -> late end.

receive_reply(R) ->
    receive {spawn_reply, R, What, Term} -> {What, Term} after ms(20000) -> late end.

limits(T) ->
    Cases = [{?F, echo, lists:seq(1, N)} || N <- [1, 255, 256, 1000, 1022, 1023, 1024, 5000]],
    Doors = [fun rpc_call/4, fun erpc_call/4, fun erpc_multicall/4, fun rex_call/4, fun rex_old/4],
    Same = [all_same(T, Cases, Door) || Door <- Doors],
    [] =:= [S || S <- Same, S =/= true] orelse Same.

erl_call(#{svc := Native, beam := Beam}) ->
    %% a list of bytes would come back as it was written, which only a BEAM changes
    Asks = ["interop_fun echo [{a,\"text\",[b,12]}]", "interop_fun arity", "interop_fun arity [x,y]",
            "interop_fun do_throw [x]", "interop_fun do_exit [x]", "interop_fun nothing [x]",
            "no_module f []"],
    Ask = fun(What, N) -> plain_text(c_node(N, What), N) end,
    Got = [{What, Ask(What, Native), Ask(What, Beam)} || What <- Asks],
    {_, {0, <<"{a, \"text\", [b, 12]}">>}, _} = hd(Got),
    Names = binary:replace(atom_to_binary(Native), <<"'">>, <<>>),
    {0, Here} = c_node(Native, "erlang node []"),
    nomatch =/= binary:match(Here, Names) andalso
        [] =:= [One || {_, X, Y} = One <- Got, X =/= Y] orelse Got.

c_node(Node, What) ->
    %% it ends its line only where it runs in a terminal
    interop:run("sh", ["-c", "timeout 10 erl_call -c \"$1\" -n \"$2\" -a \"$3\"; s=$?; echo; exit $s",
                       "sh", atom_to_list(erlang:get_cookie()), atom_to_list(Node), What]).

plain_text({Status, Text}, Node) ->
    {Status, binary:replace(Text, atom_to_binary(Node), <<"$node">>, [global])}.

broadcasts(#{svc := Native, info := Info, beam := Beam, program := Program}) ->
    {[], [Native, Beam]} = rpc:sbcast([Native, Beam], nobody, x),
    Proc = interop:program(Info, [listener]),
    {[Info], []} = rpc:sbcast([Info], listener, {1, 1, x}),
    abcast = rpc:abcast([Info], listener, {1, 2, x}),
    true = eventually(fun() -> {2, 0} =:= interop:call({listener, Info}, report) end),
    interop:stop(Proc),
    {rex, Native} ! {self(), features_request},
    receive {features_reply, Native, [erpc]} -> ok after ms(20000) -> exit(late) end,
    {rex, Native} ! {self(), whatever},
    {rex, Native} ! whatever,
    {rex, Native} ! {self(), {call, m, f}},
    gen_server:cast({rex, Native}, whatever),
    x = rpc:call(Native, ?F, echo, [x]),
    is_port(Program).

timeouts(#{svc := Native, beam := Beam}) ->
    Calls = [fun(N) -> caught(fun() -> erpc:call(N, ?F, sleep, [ms(2000), x], 200) end) end,
             fun(N) -> caught(fun() -> rpc:call(N, ?F, sleep, [ms(2000), x], 200) end) end,
             fun(N) -> caught(fun() -> rpc:block_call(N, ?F, sleep, [ms(2000), x], 200) end) end,
             fun(N) -> caught(fun() -> rpc:multicall([N], ?F, sleep, [ms(2000), x], 200) end) end,
             fun(N) -> caught(fun() -> erpc:multicall([N], ?F, sleep, [ms(2000), x], 200) end) end,
             fun(N) -> rpc:nb_yield(rpc:async_call(N, ?F, sleep, [ms(2000), x]), 200) end],
    Got = [{isolated(Native, fun() -> Call(Native) end), isolated(Beam, fun() -> Call(Beam) end)}
           || Call <- Calls],
    [] =:= [One || {X, Y} = One <- Got, X =/= Y] orelse Got.

none_left(Native) ->
    eventually(fun() -> 0 =:= rpc:call(Native, ?F, open, []) end).

cancelled(Native) ->
    N = rpc:call(Native, ?F, cancelled, []),
    true = is_integer(N),
    N.

signals(#{svc := Native, beam := Beam}) ->
    true = none_left(Native),
    Before = cancelled(Native),
    Kill = fun(N, Why) -> isolated(N, fun() ->
        {P, R} = spawn_monitor(N, ?F, never, []),
        exit(P, Why),
        receive {'DOWN', R, process, P, Reason} -> Reason end
    end) end,
    [true = Kill(Native, Why) =:= Kill(Beam, Why) || Why <- [kill, shutdown, {a, b}]],
    %% whom it is linked to ends
    Self = self(),
    {Linked, Ref} = spawn_monitor(fun() ->
        Self ! {linked, spawn_link(Native, ?F, never, [])},
        receive stop -> exit(stopped) end
    end),
    P = receive {linked, Child} -> Child end,
    Mon = monitor(process, P),
    Linked ! stop,
    receive {'DOWN', Mon, process, P, stopped} -> ok after ms(20000) -> exit(no_down) end,
    receive {'DOWN', Ref, process, Linked, stopped} -> ok end,
    %% a normal one does not
    P2 = spawn(Native, ?F, never, []),
    exit(P2, normal),
    Mon2 = monitor(process, P2),
    receive {'DOWN', Mon2, process, P2, Early} -> exit({early, Early}) after 300 -> ok end,
    exit(P2, enough),
    receive {'DOWN', Mon2, process, P2, enough} -> ok after ms(20000) -> exit(no_down) end,
    true = none_left(Native),
    5 =:= cancelled(Native) - Before.

cancels(#{svc := Native}) ->
    true = none_left(Native),
    Before = cancelled(Native),
    {error, {erpc, timeout}} = caught(fun() -> erpc:call(Native, ?F, never, [], 200) end),
    true = none_left(Native),
    {badrpc, timeout} = rpc:call(Native, ?F, never, [], 200),
    true = none_left(Native),
    %% who waits ends
    [begin
        {Caller, Ref} = spawn_monitor(fun() -> Wait(Native) end),
        true = eventually(fun() -> 1 =:= rpc:call(Native, ?F, open, []) end),
        exit(Caller, kill),
        receive {'DOWN', Ref, process, Caller, killed} -> ok end,
        true = none_left(Native)
     end || Wait <- [fun(N) -> erpc:call(N, ?F, never, []) end,
                     fun(N) -> rpc:call(N, ?F, never, []) end,
                     fun(N) -> spawn_monitor(N, ?F, never, []), timer:sleep(infinity) end]],
    %% who demonitors
    {P, Mon} = spawn_monitor(Native, ?F, never, []),
    demonitor(Mon),
    true = none_left(Native),
    Watch = monitor(process, P),
    receive {'DOWN', Watch, process, P, _} -> ok after ms(20000) -> exit(no_down) end,
    %% the connection goes
    {_, Lost} = spawn_monitor(fun() -> exit(caught(fun() -> erpc:call(Native, ?F, never, []) end)) end),
    true = eventually(fun() -> 1 =:= rpc:call(Native, ?F, open, []) end),
    true = erlang:disconnect_node(Native),
    receive {'DOWN', Lost, process, _, {error, {erpc, noconnection}}} -> ok
    after ms(20000) -> exit(no_down)
    end,
    true = none_left(Native),
    7 =:= cancelled(Native) - Before.

shapeless(#{svc := Native}) ->
    {error, {exception, badarg, [{?F, shapeless, 0, []}]}} =
        caught(fun() -> erpc:call(Native, ?F, shapeless, []) end),
    {badrpc, {'EXIT', {badarg, [{?F, shapeless, 0, []}]}}} =
        rex_old(Native, ?F, shapeless, []),
    true.

storm(#{svc := Native}) ->
    Doors = {fun erpc_call/4, fun rpc_call/4, fun rex_call/4, fun erpc_request/4},
    Call = fun(I) ->
        Door = element(I rem 4 + 1, Doors),
        {value, {I, x}} = Door(Native, ?F, sleep, [rand:uniform(200), {I, x}])
    end,
    Calls = [spawn_monitor(fun() -> Call(I) end) || I <- lists:seq(1, 1000)],
    Ends = [receive {'DOWN', R, process, P, Reason} -> Reason end || {P, R} <- Calls],
    true = none_left(Native),
    [normal] =:= lists:usort(Ends).

info(#{svc := Native, info := Info, beam := Beam}) ->
    Proc = interop:program(Info, [first, second]),
    Info = rpc:call(Info, erlang, node, []),
    Native = erpc:call(Native, erlang, node, []),
    [] = rpc:call(Info, erlang, nodes, []),
    [] = rpc:call(Info, erlang, nodes, [visible]),
    Up = lists:sort(rpc:call(Info, erlang, nodes, [hidden])),
    true = lists:member(node(), Up),
    false = lists:member(Beam, Up),
    Up = lists:sort(rpc:call(Info, erlang, nodes, [connected])),
    Up = lists:sort(rpc:call(Info, erlang, nodes, [[hidden, visible]])),
    [Info] = rpc:call(Info, erlang, nodes, [this]),
    true = lists:member(Info, rpc:call(Info, erlang, nodes, [known])),
    true = lists:sort([Info | Up]) =:= lists:sort(rpc:call(Info, erlang, nodes, [[this, connected]])),
    [first, rex, second] = lists:sort(rpc:call(Info, erlang, registered, [])),
    [P1, P2, undefined] = [rpc:call(Info, erlang, whereis, [Name]) || Name <- [first, second, third]],
    true = P1 =:= interop:call({first, Info}, pid),
    Pids = rpc:call(Info, erlang, processes, []),
    [] = [P1, P2, rpc:call(Info, erlang, whereis, [rex])] -- Pids,
    Bad = [{whereis, [1]}, {whereis, ["first"]}, {nodes, [all]}, {nodes, [1]}, {nodes, [[this, x]]},
           {nodes, [[this | x]]}],
    [{badrpc, {'EXIT', {badarg, [{erlang, F, A, _}]}}} = rpc:call(Info, erlang, F, A)
     || {F, A} <- Bad],
    [{badrpc, {'EXIT', {undef, _}}} = rpc:call(Info, M, F, A)
     || {M, F, A} <- [{erlang, halt, []}, {erlang, halt, [0]}, {os, cmd, ["id"]},
                      {erlang, node, [x]}, {erlang, nodes, [a, b]}]],
    {0, Text} = c_node(Info, "erlang whereis [first]"),
    true = binary:match(Text, <<(atom_to_binary(Info))/binary, ".">>) =/= nomatch,
    interop:stop(Proc).

%% The program, which another test may end

program(#{svc := Native}) ->
    Port = start(Native),
    receive {Port, {data, {eol, <<"ready">>}}} -> Port after ms(20000) -> exit(not_ready) end.

start(Native) ->
    interop:program(node_arg(4), [], [{"ERLDIST_NODE", atom_to_list(Native)}]).

one_server(#{svc := Native}) ->
    Port = start(Native),
    receive {Port, {data, {eol, Line}}} -> true = binary:match(Line, <<"taken">>) =/= nomatch
    after ms(20000) -> exit(late)
    end,
    receive {Port, {exit_status, 1}} -> true after ms(20000) -> late end.

running(Native) ->
    {Caller, Ref} = spawn_monitor(fun() ->
        exit(caught(fun() -> erpc:call(Native, ?F, never, []) end))
    end),
    true = eventually(fun() -> 1 =:= rpc:call(Native, ?F, open, []) end),
    {Caller, Ref}.

killed(#{svc := Native, program := Program} = T) ->
    Call = running(Native),
    interop:signal("KILL", Program),
    {exit, {signal, {signal, sigkill}}} = receive_down(Call),
    true = nothing(T#{bare := Native}),
    Again = program(T),
    x = rpc:call(Native, ?F, echo, [x]),
    interop:stop(Again),
    true = eventually(fun() -> {badrpc, notsup} =:= rpc:call(Native, ?F, echo, [x]) end),
    true.

shut_down(#{svc := Native} = T) ->
    Port = program(T),
    {exit, {exception, cancelled}} = begin
        Call = running(Native),
        interop:signal("TERM", Port),
        receive_down(Call)
    end,
    receive {Port, {exit_status, 0}} -> ok after ms(20000) -> exit(late) end,
    nothing(T#{bare := Native}).

%% Who serves nothing says so at once
nothing(#{bare := Bare} = T) ->
    Begin = now_ms(),
    {0, <<"{badrpc, notsup}">>} = c_node(Bare, "interop_fun echo [x]"),
    true = now_ms() - Begin < ms(5000),
    known_nothing(T).

%% To a node that is connected
known_nothing(#{bare := Bare}) ->
    F = fun(Door) -> Door(Bare, ?F, echo, [x]) end,
    Expect =
        [{fun rpc_call/4, {value, {badrpc, notsup}}},
         {fun rpc_call_timeout/4, {value, {badrpc, notsup}}},
         {fun rpc_block_call/4, {value, {badrpc, notsup}}},
         {fun rpc_async_call/4, {value, {badrpc, notsup}}},
         {fun rpc_multicall/4, {value, {[{badrpc, notsup}, {badrpc, notsup}], []}}},
         {fun erpc_call/4, {error, {erpc, notsup}}},
         {fun erpc_call_timeout/4, {error, {erpc, notsup}}},
         {fun erpc_multicall/4, {value, [{error, {erpc, notsup}}, {error, {erpc, notsup}}]}},
         {fun erpc_request/4, {error, {erpc, notsup}}},
         {fun rex_call/4, {value, {badrpc, notsup}}},
         {fun rex_bare/4, {badrpc, notsup}},
         {fun rex_old/4, {badrpc, notsup}},
         {fun(N, M, Fn, A) -> caught(fun() -> spawn_monitor(N, M, Fn, A) end) end,
          {error, notsup}},
         {fun(N, M, Fn, A) -> element(2, do_spawn_link(N, M, Fn, A)) end, notsup},
         {fun(N, M, Fn, A) -> receive_reply(spawn_request(N, M, Fn, A, [])) end, {error, notsup}},
         {fun(N, M, Fn, A) -> receive_reply(spawn_request(N, M, Fn, A, [link, monitor])) end,
          {error, notsup}},
         {fun(N, M, Fn, A) -> rpc:cast(N, M, Fn, A) end, true},
         {fun(N, _, _, _) -> rpc:sbcast([N], nobody, x) end, {[], ['$node']}}],
    Got = [{Begin, isolated(Bare, fun() -> F(Door) end), now_ms(), Want}
           || {Door, Want} <- Expect, Begin <- [now_ms()]],
    case [One || {Begin, X, End, Want} = One <- Got, X =/= Want orelse End - Begin > ms(5000)] of
        [] -> true;
        Wrong -> {wrong, Wrong}
    end.

now_ms() ->
    erlang:monotonic_time(millisecond).

stopped(T) ->
    Holder = list_to_integer(node_arg(5)),
    interop:signal("STOP", Holder),
    Result = known_nothing(T),
    interop:signal("CONT", Holder),
    Result.
