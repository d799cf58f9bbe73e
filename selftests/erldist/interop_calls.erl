%% SPDX-License-Identifier: GPL-2.0-only
%% What a native process asks of Erlang processes: calls, rpc, links, monitors.
%% This module is the gen_server that is called as well.
-module(interop_calls).
-behaviour(gen_server).
-export([main/0, serve/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).
-import(interop, [ms/1, eventually/1, eventually/2]).

main() ->
    Node = list_to_atom(interop:node_arg(1)),
    logger:set_primary_config(level, none),
    %% a slow machine is not what is tested
    true = eventually(fun() -> net_kernel:connect_node(Node) end, ms(30000)),
    start_other(),
    interop:main([{Text, fun() -> Fun(Node) end} || {Text, Fun} <- tests()] ++
                 [{"threads call at once while messages rain: each call ends once",
                   fun() -> storm(Node) end, 120000 + 500 * calls()}]).

tests() ->
    [{"a call is answered", fun answered/1},
     {"a call to a pid, and one with a large request and reply", fun large/1},
     {"a call that is not answered ends in time, and leaves no monitor", fun timeout/1},
     {"a late reply vanishes", fun late/1},
     {"a server that ends in the call: its reason, at once", fun dies/1},
     {"a call to a name that is not there, and to a pid that has gone: noproc", fun noproc/1},
     {"a call to a native process, its late reply and its end", fun native/1},
     {"a reply to an Erlang caller, and a late one, which vanishes", fun replies/1},
     {"rpc: a result, a throw, an error, no such function, none served", fun rpc/1},
     {"a cast", fun cast/1},
     {"a native process links and monitors: the reasons", fun relations/1},
     {"unlink, demonitor: silence", fun silent/1},
     {"a native process that does not trap ends with what it is linked to", fun no_trap/1},
     {"exit/2 by a native process, and its own exit", fun exits/1},
     {"aliases: one message, many, none", fun aliases/1},
     {"erldist call", fun cli_call/1},
     {"erldist rpc", fun cli_rpc/1},
     {"erldist exit", fun cli_exit/1},
     {"erldist process watch", fun cli_watch/1},
     {"a node that ends in a call, and one in rpc, and then is not there: noconnection",
      fun noconnection/1}].

%% The server

%% A new one under this name
serve(Name) ->
    case whereis(Name) of
        undefined -> ok;
        Old ->
            Ref = monitor(process, Old),
            exit(Old, kill),
            receive {'DOWN', Ref, process, Old, _} -> ok end
    end,
    {ok, Pid} = gen_server:start({local, Name}, ?MODULE, Name, []),
    Pid.

init(Name) ->
    {ok, Name}.

handle_call({echo, X}, _, S) -> {reply, X, S};
handle_call(who, {Pid, _}, S) -> {reply, Pid, S};
handle_call({size, B}, _, S) -> {reply, {byte_size(B), B}, S};
handle_call({sleep, Ms, X}, _, S) -> timer:sleep(Ms), {reply, X, S};
handle_call({twice, X}, From, S) -> gen_server:reply(From, X), {reply, X, S};
handle_call(last_cast, _, S) -> {reply, erase(last_cast), S};
handle_call({stop, Reason}, _, S) -> {stop, Reason, S};
handle_call(mute, _, S) -> {noreply, S};
handle_call({work, Id}, From, S) -> work(rand:uniform(100), From, {done, Id}, S).

handle_cast({stop, Reason}, S) -> {stop, Reason, S};
handle_cast(X, S) -> put(last_cast, X), {noreply, S}.

handle_info(_, S) -> {noreply, S}.

%% At once, by somebody else, later, never, or it ends
work(N, _, Reply, S) when N =< 60 ->
    {reply, Reply, S};
work(N, From, Reply, S) when N =< 75 ->
    spawn(fun() -> gen_server:reply(From, Reply) end),
    {noreply, S};
work(N, From, Reply, S) when N =< 92 ->
    spawn(fun() -> timer:sleep(rand:uniform(100)), gen_server:reply(From, Reply) end),
    {noreply, S};
work(N, _, _, S) when N =< 97 ->
    {noreply, S};
work(_, _, _, S) ->
    {stop, {shutdown, enough}, S}.

%% The native program

puppet(Args) ->
    Port = interop:program(interop:node_arg(2), Args, []),
    <<"ok">> = line(Port),
    Port.

puppet() ->
    puppet([]).

line(Port) ->
    line(Port, ms(60000)).

line(Port, Time) ->
    receive
        {Port, {data, {eol, <<"#", _/binary>> = Line}}} ->
            io:format("~ts~n", [Line]),
            line(Port, Time);
        {Port, {data, {eol, Line}}} -> Line;
        {Port, {exit_status, N}} -> {exit_status, N}
    after Time ->
        exit({no_answer, Port})
    end.

tell(Port, Format, Args) ->
    port_command(Port, [unicode:characters_to_binary(io_lib:format(Format, Args)), $\n]).

do(Port, Format, Args) ->
    tell(Port, Format, Args),
    line(Port).

%% As native programs write pids and names
text(Pid) when is_pid(Pid) ->
    [_, Id, Serial] = string:lexemes(pid_to_list(Pid), "<.>"),
    io_lib:format("<~ts.~ts.~ts>", [node(Pid), Id, Serial]);
text(Name) ->
    text(Name, node()).

text(Name, Node) ->
    io_lib:format("~ts@~ts", [Name, Node]).

%% Who calls is known by the pid that the server sees
get_pid(Port) ->
    Self = self(),
    Child = spawn(fun() -> receive {'$gen_call', {P, _} = From, pid} ->
                                       gen_server:reply(From, ok), Self ! {native, P}
                           end
                  end),
    <<"reply ok">> = do(Port, "call 20000 ~ts pid", [text(Child)]),
    receive {native, Pid} -> Pid end.

begins(Begin, Text) ->
    Size = byte_size(Begin),
    case Text of
        <<Begin:Size/binary, _/binary>> -> true;
        _ -> {wrong, Text, expected, Begin}
    end.

has(Part, Text) ->
    case binary:match(Text, Part) of
        nomatch -> {wrong, Text, expected, Part};
        _ -> true
    end.

%% Nobody of Node monitors Server, and nothing waits there
left_alone(Name, Node) when is_atom(Name) ->
    eventually(fun() -> is_left_alone(whereis(Name), Node) end, ms(30000));
left_alone(Server, Node) ->
    eventually(fun() -> is_left_alone(Server, Node) end).

is_left_alone(Server, Node) ->
    {monitored_by, By} = process_info(Server, monitored_by),
    [] = [P || P <- By, is_pid(P), node(P) =:= Node],
    {messages, []} = process_info(Server, messages),
    true.

silence(Port) ->
    <<"none">> = do(Port, "recv 200", []),
    true.

since(Begin) ->
    erlang:monotonic_time(millisecond) - Begin.

now_ms() ->
    erlang:monotonic_time(millisecond).

answered(Node) ->
    Server = serve(server),
    Port = puppet(),
    Term = <<"{a,[1,2.5,\"text\"],#{b => <<\"bin\">>}}">>,
    <<"reply ", Back/binary>> = do(Port, "call 20000 ~ts {echo,~ts}", [text(server), Term]),
    {ok, Scan, _} = erl_scan:string(binary_to_list(<<Back/binary, ".">>)),
    {ok, {a, [1, 2.5, "text"], #{b := <<"bin">>}}} = erl_parse:parse_term(Scan),
    <<"reply x">> = do(Port, "call -1 {server,'~ts'} {twice,x}", [node()]),
    <<"reply y">> = do(Port, "call 20000 ~ts {echo,y}", [text(server)]),
    true = left_alone(Server, Node),
    silence(Port).

large(Node) ->
    Server = serve(server),
    Port = puppet(),
    <<"reply x">> = do(Port, "call 20000 ~ts {echo,x}", [text(Server)]),
    Sizes = [begin
                 tell(Port, "call 60000 ~ts {size,<<0:~b>>}", [text(Server), 8 * N]),
                 reply_size(Port, <<>>)
             end || N <- [1000, 100000]],
    [<<"reply {1000,">>, <<"reply {100000,">>] = Sizes,
    left_alone(Server, Node).

%% The beginning of a line that comes in pieces
reply_size(Port, Begin) ->
    receive
        {Port, {data, {noeol, Part}}} when Begin =:= <<>> -> reply_size(Port, head(Part));
        {Port, {data, {noeol, _}}} -> reply_size(Port, Begin);
        {Port, {data, {eol, Part}}} when Begin =:= <<>> -> head(Part);
        {Port, {data, {eol, _}}} -> Begin
    after ms(60000) -> exit(no_answer)
    end.

head(Part) ->
    {At, _} = binary:match(Part, <<",">>),
    binary:part(Part, 0, At + 1).

timeout(Node) ->
    Server = serve(server),
    Port = puppet(),
    Begin = now_ms(),
    true = begins(<<"error ETIMEDOUT server@">>, do(Port, "call 300 ~ts mute", [text(server)])),
    Time = since(Begin),
    true = Time >= 300 andalso Time < 300 + ms(4000),
    true = begins(<<"error ETIMEDOUT ">>, do(Port, "call 0 ~ts mute", [text(server)])),
    true = left_alone(Server, Node),
    <<"reply x">> = do(Port, "call 20000 ~ts {echo,x}", [text(server)]),
    silence(Port).

late(Node) ->
    Server = serve(server),
    Port = puppet(),
    true = begins(<<"error ETIMEDOUT">>, do(Port, "call 100 ~ts {sleep,3000,late}", [text(server)])),
    <<"reply x">> = do(Port, "call 20000 ~ts {echo,x}", [text(server)]),
    <<"reply y">> = do(Port, "call 20000 ~ts {echo,y}", [text(server)]),
    true = left_alone(Server, Node),
    silence(Port).

dies(_) ->
    serve(server),
    Port = puppet(),
    Begin = now_ms(),
    Text = do(Port, "call 60000 ~ts {stop,{why,<<\"so\">>}}", [text(server)]),
    true = since(Begin) < ms(20000),
    true = begins(<<"down EREMOTEIO {why,<<\"so\">>} server@">>, Text),
    true = has(<<"{why,<<\"so\">>}">>, Text),
    Server = serve(server),
    tell(Port, "call 60000 ~ts mute", [text(Server)]),
    true = eventually(fun() -> {monitored_by, [_]} = process_info(Server, monitored_by), true end),
    exit(Server, kill),
    true = begins(<<"down EREMOTEIO killed ">>, line(Port)),
    serve(server),
    true = begins(<<"down EREMOTEIO normal ">>,
                  do(Port, "call 60000 ~ts {stop,normal}", [text(server)])),
    silence(Port).

noproc(_) ->
    Port = puppet(),
    Text = do(Port, "call 60000 ~ts hello", [text(nobody)]),
    true = begins(<<"down ESRCH noproc nobody@">>, Text),
    {Pid, Ref} = spawn_monitor(fun() -> ok end),
    receive {'DOWN', Ref, _, _, _} -> ok end,
    true = begins(<<"down ESRCH noproc ">>, do(Port, "call 60000 ~ts hello", [text(Pid)])),
    silence(Port).

%% Another Erlang node, which comes up meanwhile. It goes in one test
start_other() ->
    Cookie = atom_to_list(erlang:get_cookie()),
    register(other, spawn(fun() ->
        {Node, Port} = interop:beam(interop:node_arg(3), ["-setcookie", Cookie]),
        receive {which, Pid} -> Pid ! {other, Node} end,
        receive {Port, {exit_status, Status}} -> Pid ! {other_ended, Status} end
    end)).

noconnection(_) ->
    other ! {which, self()},
    Node = receive {other, N} -> N after ms(30000) -> exit(not_there) end,
    [Port, Other] = [puppet(), puppet()],
    true = is_pid(rpc:call(Node, ?MODULE, serve, [server])),
    <<"reply x">> = do(Port, "call 20000 ~ts {echo,x}", [text(server, Node)]),
    tell(Port, "call 60000 ~ts mute", [text(server, Node)]),
    Halt = do(Other, "rpc 60000 ~ts erlang halt [0]", [Node]),
    true = begins(<<"down EHOSTUNREACH noconnection ">>, Halt),
    true = has(<<"closed the connection">>, Halt),
    true = begins(<<"down EHOSTUNREACH noconnection ">>, line(Port)),
    receive {other_ended, 0} -> ok after ms(20000) -> exit(still_there) end,
    Text = do(Port, "call 60000 ~ts mute", [text(server, Node)]),
    true = begins(<<"down EHOSTUNREACH noconnection ">>, Text),
    true = has(<<"epmd">>, Text),
    true = silence(Port),
    silence(Other).

native(Node) ->
    interop:program(Node, [p]),
    Port = puppet(),
    To = text(p, Node),
    <<"reply hello">> = do(Port, "call 20000 ~ts hello", [To]),
    true = begins(<<"error ETIMEDOUT">>, do(Port, "call 100 ~ts {late,400}", [To])),
    <<"reply hello">> = do(Port, "call 20000 ~ts hello", [To]),
    Exits = do(Port, "call 60000 ~ts {exit,4}", [To]),
    true = begins(<<"down EREMOTEIO {exit_status,4} p@">>, Exits),
    true = begins(<<"down ESRCH noproc p@">>, do(Port, "call 60000 ~ts hello", [To])),
    silence(Port).

replies(Node) ->
    Port = puppet(["replier"]),
    To = {replier, Node},
    Self = self(),
    spawn(fun() -> Self ! {got, catch gen_server:call(To, hello, ms(20000))} end),
    <<"call 0 hello">> = do(Port, "recv 20000", []),
    <<"ok">> = do(Port, "reply {fine,1}", []),
    receive {got, {fine, 1}} -> ok after ms(20000) -> exit(no_reply) end,
    {'EXIT', {timeout, _}} = (catch gen_server:call(To, late, 200)),
    <<"call 0 late">> = do(Port, "recv 20000", []),
    <<"ok">> = do(Port, "reply sorry", []),
    <<"ok">> = do(Port, "send ~ts after_it", [text(self())]),
    receive after_it -> ok after ms(20000) -> exit(nothing) end,
    {messages, []} = process_info(self(), messages),
    silence(Port).

rpc(Node) ->
    Port = puppet(),
    Call = fun(Format, Args) -> do(Port, "rpc 60000 ~ts " ++ Format, [node() | Args]) end,
    <<"reply 6">> = Call("lists sum [[1,2,3]]", []),
    <<"reply ", _/binary>> = Call("erlang node []", []),
    <<"reply thrown">> = Call("erlang throw [thrown]", []),
    true = begins(<<"failed EREMOTEIO {'EXIT',{badarith,">>, Call("erlang + [1,a]", [])),
    true = begins(<<"failed EREMOTEIO {'EXIT',gone} ">>, Call("erlang exit [gone]", [])),
    Undef = Call("nomodule nofunction []", []),
    true = begins(<<"failed EREMOTEIO {'EXIT',{undef,">>, Undef),
    true = has(<<": badrpc: {'EXIT',{undef,">>, Undef),
    true = begins(<<"error EINVAL ">>, Call("erlang node 1", [])),
    true = begins(<<"error ETIMEDOUT ">>, do(Port, "rpc 200 ~ts timer sleep [3000]", [node()])),
    <<"reply ok">> = Call("timer sleep [500]", []),
    true = begins(<<"error EOPNOTSUPP ">>, do(Port, "rpc 60000 ~ts erlang node []", [Node])),
    true = begins(<<"error EINVAL ">>, do(Port, "rpc 60000 a@b@c erlang node []", [])),
    %% a bare name is that of a node of this host, and there is none
    true = begins(<<"down EHOSTUNREACH ">>, do(Port, "rpc 60000 nonode erlang node []", [])),
    silence(Port).

cast(_) ->
    serve(server),
    Port = puppet(),
    <<"ok">> = do(Port, "cast ~ts {new,1}", [text(server)]),
    <<"reply {new,1}">> = do(Port, "call 20000 ~ts last_cast", [text(server)]),
    <<"ok">> = do(Port, "cast ~ts x", [text(nobody)]),
    silence(Port).

idle() ->
    receive after infinity -> ok end.

%% A process that ends when told, with what it is told
mortal() ->
    spawn(fun() -> receive {die, Reason} -> exit(Reason) end end).

relations(Node) ->
    Port = puppet(["puppet"]),
    <<"ok">> = do(Port, "trap 1", []),
    [A, B, C] = Pids = [mortal() || _ <- [1, 2, 3]],
    register(named, C),
    <<"ok">> = do(Port, "link ~ts", [text(A)]),
    <<"ref ", _/binary>> = do(Port, "monitor ~ts 71", [text(B)]),
    <<"ref ", _/binary>> = do(Port, "monitor ~ts 72", [text(named)]),
    <<"ref ", _/binary>> = do(Port, "monitor ~ts 73", [text(nobody)]),
    {Down, _} = {do(Port, "recv 20000", []), Pids},
    true = begins(<<"down 73 {nobody,">>, Down),
    true = has(<<"} noproc">>, Down),
    true = eventually(fun() ->
        {links, [L]} = process_info(A, links), node(L) =:= Node
    end),
    A ! {die, {bad, news}},
    Exit = do(Port, "recv 20000", []),
    true = begins(<<"exit <">>, Exit),
    true = has(<<"> {bad,news}">>, Exit),
    B ! {die, normal},
    true = has(<<"> normal">>, do(Port, "recv 20000", [])),
    exit(C, kill),
    true = begins(<<"down 72 {named,">>, do(Port, "recv 20000", [])),
    <<"ok">> = do(Port, "link ~ts", [text(A)]),
    true = has(<<"> noproc">>, do(Port, "recv 20000", [])),
    silence(Port).

silent(_) ->
    Port = puppet(),
    <<"ok">> = do(Port, "trap 1", []),
    [A, B] = [mortal(), mortal()],
    <<"ok">> = do(Port, "link ~ts", [text(A)]),
    <<"ok">> = do(Port, "unlink ~ts", [text(A)]),
    <<"ref ", Ref/binary>> = do(Port, "monitor ~ts 1", [text(A)]),
    <<"ok">> = do(Port, "demonitor ~ts 0", [Ref]),
    <<"ref ", Gone/binary>> = do(Port, "monitor ~ts 2", [text(B)]),
    B ! {die, gone},
    true = eventually(fun() -> not is_process_alive(B) end),
    serve(server),
    <<"reply x">> = do(Port, "call 20000 ~ts {echo,x}", [text(server)]),
    timer:sleep(300),
    <<"ok">> = do(Port, "demonitor ~ts 16", [Gone]),
    true = eventually(fun() ->
        {links, []} =:= process_info(A, links) andalso
            {monitored_by, []} =:= process_info(A, monitored_by)
    end),
    A ! {die, gone},
    true = begins(<<"error EINVAL">>, do(Port, "demonitor #Ref<~ts.1.2.3/4> 0", [node()])),
    silence(Port).

no_trap(_) ->
    Port = puppet(),
    Pid = get_pid(Port),
    Ref = monitor(process, Pid),
    A = mortal(),
    <<"ok">> = do(Port, "link ~ts", [text(A)]),
    true = eventually(fun() -> {links, [Pid]} =:= process_info(A, links) end),
    A ! {die, broken},
    receive {'DOWN', Ref, process, Pid, broken} -> ok after ms(20000) -> exit(no_down) end,
    Text = do(Port, "recv 20000", []),
    true = begins(<<"error ECONNRESET ">>, Text),
    true = has(<<"broken">>, Text),
    begins(<<"error EPIPE ">>, do(Port, "call 1000 ~ts x", [text(A)])).

exits(_) ->
    process_flag(trap_exit, true),
    Port = puppet(),
    Pid = get_pid(Port),
    <<"ok">> = do(Port, "exit ~ts {from,native}", [text(self())]),
    receive {'EXIT', Pid, {from, native}} -> ok after ms(20000) -> exit(no_exit) end,
    {A, Ref} = spawn_monitor(fun() -> process_flag(trap_exit, true), idle() end),
    <<"ok">> = do(Port, "exit ~ts kill", [text(A)]),
    receive {'DOWN', Ref, process, A, killed} -> ok after ms(20000) -> exit(no_down) end,
    link(Pid),
    Watch = monitor(process, Pid),
    <<"reply ok">> = do(Port, "call 20000 ~ts {echo,ok}", [text(serve(server))]),
    <<"ok">> = do(Port, "exit self {own,[\"will\"]}", []),
    receive {'EXIT', Pid, {own, ["will"]}} -> ok after ms(20000) -> exit(no_exit) end,
    receive {'DOWN', Watch, process, Pid, {own, ["will"]}} -> ok
    after ms(20000) -> exit(no_down)
    end,
    begins(<<"error ECANCELED ">>, do(Port, "recv 0", [])).

aliases(_) ->
    Port = puppet(),
    Relay = spawn(fun relay/0),
    Send = fun(Ref, Term) ->
        <<"ok">> = do(Port, "send ~ts {to,~ts,~w}", [text(Relay), Ref, Term])
    end,
    <<"ref ", Once/binary>> = do(Port, "alias 8 5", []),
    <<"ref ", Many/binary>> = do(Port, "alias 0 6", []),
    Send(Once, a), Send(Once, b), Send(Many, c), Send(Many, d),
    [<<"message 5 a">>, <<"message 6 c">>, <<"message 6 d">>] =
        [do(Port, "recv 20000", []) || _ <- [1, 2, 3]],
    <<"ok">> = do(Port, "unalias ~ts", [Many]),
    true = begins(<<"error ENOENT">>, do(Port, "unalias ~ts", [Many])),
    Send(Many, e),
    silence(Port).

relay() ->
    receive {to, Ref, Term} -> Ref ! Term end,
    relay().

%% The command

cli(Args) ->
    interop:run("erldist", [lists:flatten(A) || A <- Args]).

cli_call(Node) ->
    Server = serve(server),
    {0, <<"{ok,[1,2]}">>} = cli(["call", text(server), "{echo,{ok,[1,2]}}"]),
    {0, <<"-1">>} = cli(["call", "--timeout", "20000", text(Server), "{echo,-1}"]),
    {0, <<"{\"term\":\"{a,<<\\\"x\\\">>}\"}">>} =
        cli(["-j", "call", text(server), "{echo,{a,<<\"x\">>}}"]),
    Begin = now_ms(),
    {1, Late} = cli(["call", "--timeout", "300", text(server), "mute"]),
    true = since(Begin) < ms(4500),
    true = has(<<"no reply in 300 ms">>, Late),
    {1, Nobody} = cli(["call", text(nobody), "x"]),
    true = begins(<<"erldist: nobody@">>, Nobody),
    true = has(<<"noproc">>, Nobody),
    {1, Stop} = cli(["call", text(server), "{stop,{boom,1}}"]),
    true = has(<<": {boom,1}">>, Stop),
    {1, Away} = cli(["call", text(server, "nowhere@" ++ host()), "x"]),
    true = has(<<"epmd">>, Away),
    {1, _} = cli(["call", "{", "x"]),
    {1, _} = cli(["call", text(server), "{x"]),
    {1, None} = cli(["call", "--node", "other@" ++ host(), text(server), "x"]),
    true = has(<<"other@">>, None),
    is_atom(Node).

host() ->
    [_, Host] = string:split(atom_to_list(node()), "@"),
    Host.

cli_rpc(Node) ->
    Here = atom_to_list(node()),
    {0, <<"[3,2,1]">>} = cli(["rpc", Here, "lists", "reverse", "[[1,2,3]]"]),
    {0, <<"{\"term\":\"ok\"}">>} = cli(["-j", "rpc", Here, "timer", "sleep", "[1]"]),
    {1, Undef} = cli(["rpc", Here, "no", "such", "[]"]),
    true = begins(<<"erldist: b">>, Undef),
    true = has(<<"undef">>, Undef),
    {1, Late} = cli(["rpc", "--timeout", "200", Here, "timer", "sleep", "[5000]"]),
    true = has(<<"no reply in 200 ms">>, Late),
    {1, NoList} = cli(["rpc", Here, "erlang", "node", "x"]),
    true = has(<<"list">>, NoList),
    {1, None} = cli(["rpc", atom_to_list(Node), "erlang", "node", "[]"]),
    has(<<"serves no functions">>, None).

cli_exit(_) ->
    {A, Ref} = spawn_monitor(fun idle/0),
    {0, <<>>} = cli(["exit", text(A), "{by,<<\"hand\">>}"]),
    receive {'DOWN', Ref, process, A, {by, <<"hand">>}} -> ok after ms(20000) -> exit(no_down) end,
    {0, <<>>} = cli(["exit", text(A), "again"]),
    {1, NoPid} = cli(["exit", text(server), "x"]),
    true = has(<<"no pid">>, NoPid),
    {1, NoTerm} = cli(["exit", text(A), "{"]),
    begins(<<"erldist: {">>, NoTerm).

cli_watch(Node) ->
    true = watched(fun text/1, [], fun(A) -> exit(A, {at, last}) end, <<"> {at,last}">>),
    true = watched(fun(A) -> register(watched, A), text(watched) end, [],
                   fun(A) -> exit(A, kill) end, <<"} killed">>),
    true = watched(fun text/1, ["-j"], fun(A) -> exit(A, x) end, <<"\"reason\":\"x\"">>),
    Program = interop:program(Node, [p]),
    Watch = watch([], text(p, Node)),
    true = eventually(fun() -> interop:related(p, Node, 1) end),
    interop:signal("KILL", Program),
    true = watch_tells(Watch, <<"{p,", (atom_to_binary(Node))/binary>>, <<"{signal,sigkill}">>),
    {0, Nobody} = cli(["process", "watch", text(nobody)]),
    true = has(<<"noproc">>, Nobody),
    {1, Away} = cli(["process", "watch", text(p, "nowhere@" ++ host())]),
    has(<<"epmd">>, Away).

watch(Options, Dest) ->
    Args = Options ++ ["process", "watch", lists:flatten(Dest)],
    interop:program(os:find_executable("erldist"), Args, []).

watched(Name, Options, End, Says) ->
    A = spawn(fun idle/0),
    Watch = watch(Options, Name(A)),
    true = eventually(fun() -> {monitored_by, [_]} = process_info(A, monitored_by), true end),
    End(A),
    watch_tells(Watch, <<"down">>, Says).

watch_tells(Watch, Begin, Says) ->
    Line = line(Watch),
    {exit_status, 0} = line(Watch),
    true = has(Begin, Line),
    has(Says, Line).

%% Calls by threads of one process

number(Name, Default) ->
    list_to_integer(os:getenv(Name, Default)).

%% Of each thread
calls() ->
    number("INTEROP_CALLS", "25").

storm(Node) ->
    process_flag(trap_exit, true),
    Threads = number("INTEROP_THREADS", "16"),
    Calls = calls(),
    Longest = ms(number("INTEROP_LONGEST", "150")),
    Keeper = spawn_link(fun() -> process_flag(trap_exit, true), keep(work) end),
    Port = puppet(["storm"]),
    Rainer = spawn_link(fun() -> rain({storm, Node}, 0) end),
    tell(Port, "storm ~b ~b ~b ~ts", [Threads, Calls, Longest, text(work)]),
    <<"calls done">> = line(Port, infinity),
    Rainer ! stop,
    <<"storm ", Text/binary>> = line(Port),
    io:format("# ~ts~n", [Text]),
    {ok, [Replies, Timeouts, Downs, 0, Got, Got, 0], []} =
        io_lib:fread("~d ~d ~d ~d rain ~d ~d ~d", binary_to_list(Text)),
    true = Replies + Timeouts + Downs =:= Threads * Calls,
    true = Replies > 0 andalso Timeouts > 0 andalso Downs > 0,
    true = silence(Port),
    true = left_alone(work, Node),
    true = eventually(fun() -> unrelated(Node) end),
    Keeper ! stop,
    true.

%% The native process has none left
unrelated(Node) ->
    {0, Text} = cli(["process", "show"]),
    On = <<"<", (atom_to_binary(Node))/binary, ".">>,
    [Line] = [L || L <- binary:split(Text, <<"\n">>, [global]),
                   true =:= begins(On, L), true =:= has(<<"name storm ">>, L)],
    has(<<"messages 0 local-bytes 0 remote-bytes 0 relations 0">>, Line).

keep(Name) ->
    {ok, Pid} = gen_server:start_link({local, Name}, ?MODULE, Name, []),
    receive
        {'EXIT', Pid, _} -> keep(Name);
        stop -> exit(Pid, kill)
    end.

rain(To, N) ->
    %% no more than can be taken: replies come behind it
    receive stop -> To ! {dry, N}
    after ms(10) ->
        Last = N + max(1, number("INTEROP_RAIN", "20") div ms(1)),
        [To ! {rain, I} || I <- lists:seq(N + 1, Last)],
        rain(To, Last)
    end.
