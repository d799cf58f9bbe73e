%% SPDX-License-Identifier: GPL-2.0-only
%% Native processes in network namespaces that their node is not in.
-module(interop_containers).
-export([main/0]).
-import(interop, [run/2, eventually/1, ms/1, call/2]).

main() ->
    [Node | _] = init:get_plain_arguments(),
    pong = net_adm:ping(list_to_atom(Node)),
    interop:main([{Text, fun() -> Fun(list_to_atom(Node)) end} || {Text, Fun} <- tests()]).

tests() ->
    [{"without a broker there is no node in another network namespace", fun nothing/1},
     {"a native server there answers gen_server:call", fun server/1},
     {"it is on the node, and its own owner", fun owner/1},
     {"a name that is taken is refused, and said", fun taken/1},
     {"the broker is not in the way: stopped, and the server answers", fun data_path/1},
     {"erldist ping, send, call and rpc from there", fun commands/1},
     {"kill -9 of the server: its reason", fun killed/1},
     {"all namespaces of its own, pids and users too", fun container/1},
     {"who may not write to the path is told so", fun not_permitted/1},
     {"a process is of the user who asked", fun user/1},
     {"a reserved name is refused to other users than the node's", fun reserved/1},
     {"who asks and takes nothing is refused in the end, and he alone", fun greedy/1},
     {"users without number who do so hold nobody up for long", fun many_greedy/1},
     {"nothing is left of them", fun nothing_left/1},
     {"who comes and goes at once does no harm", fun restless/1}].

arg(N) ->
    interop:node_arg(N).

broker() ->
    "ERLDIST_NODE=unix:" ++ arg(3).

%% In the other network namespace, with the broker for a node
there(Words) ->
    ["netns", "exec", arg(2), "env", broker() | Words].

run_there(Words) ->
    run("ip", there(Words)).

%% As another user
nobody(Words) ->
    ["--reuid", "65534", "--regid", "65534", "--clear-groups", "env", broker() | Words].

registered(Name) ->
    {0, Text} = run("erldist", ["process", "show"]),
    binary:match(Text, <<" name ", Name/binary, " ">>) =/= nomatch.

%% A server that registers echo
start(Command, Args) ->
    Port = interop:program(os:find_executable(Command), Args, []),
    true = eventually(fun() -> registered(<<"echo">>) end),
    Port.

start() ->
    start("ip", there([arg(4)])).

ends(Port) ->
    interop:signal("KILL", Port),
    true = eventually(fun() -> not registered(<<"echo">>) end).

says({Status, Text}, Words) ->
    true = Status =/= 0,
    case binary:match(Text, Words) of
        nomatch -> Text;
        _ -> true
    end.

nothing(_) ->
    {0, <<"erldist: there is no node on this machine", _/binary>>} =
        run("ip", ["netns", "exec", arg(2), "erldist", "node", "show"]),
    says(run("ip", ["netns", "exec", arg(2), "erldist", "nodes"]),
         <<"there is no node on this machine (network namespace)">>).

server(Node) ->
    Port = start(),
    Terms = [a, {1, 2.5, <<"x">>}, self(), make_ref(), lists:seq(1, 1000)],
    true = Terms =:= [call({echo, Node}, T) || T <- Terms],
    {echo, Node} ! {self(), hello},
    receive hello -> ok end,
    ends(Port).

%% What is shown of the server
echo() ->
    {0, Text} = run("erldist", ["-j", "process", "show"]),
    [Echo] = [L || L <- binary:split(Text, <<"\n">>, [global]),
                   binary:match(L, <<"\"name\":\"echo\"">>) =/= nomatch],
    Echo.

owner(Node) ->
    Port = start(),
    Echo = echo(),
    Owner = iolist_to_binary(["\"owner\":", integer_to_list(interop:os_pid(Port)), ","]),
    true = binary:match(Echo, Owner) =/= nomatch,
    true = binary:match(Echo, atom_to_binary(Node)) =/= nomatch,
    ends(Port).

taken(Node) ->
    Port = start(),
    true = says(run_there([arg(4)]), <<"the name echo is taken">>),
    hi = call({echo, Node}, hi),
    ends(Port).

data_path(Node) ->
    Port = start(),
    Broker = list_to_integer(arg(5)),
    interop:signal("STOP", Broker),
    Answers = [call({echo, Node}, N) || N <- lists:seq(1, 100)],
    Asked = run_there(["timeout", "60", "erldist", "send", "x@" ++ atom_to_list(Node), "y"]),
    interop:signal("CONT", Broker),
    Answers = lists:seq(1, 100),
    true = says(Asked, <<"no answer in time">>),
    ends(Port).

commands(Node) ->
    Me = atom_to_list(node()),
    {0, <<"pong from ", _/binary>>} = run_there(["erldist", "ping", Me]),
    register(inbox, self()),
    {0, _} = run_there(["erldist", "send", "inbox@" ++ Me, "{hello, [1]}"]),
    receive {hello, [1]} -> ok end,
    {0, <<"b">>} = run_there(["erldist", "rpc", Me, "erlang", "hd", "[[b]]"]),
    {0, _} = run("ip", ["netns", "exec", arg(2), "erldist", "send", "--node",
                        "unix:" ++ arg(3), "inbox@" ++ Me, "by_option"]),
    receive by_option -> ok end,
    Port = start(),
    {0, <<"{x}">>} = run_there(["erldist", "call", "echo@" ++ atom_to_list(Node), "{x}"]),
    ends(Port).

killed(Node) ->
    Port = start(),
    Ref = monitor(process, {echo, Node}),
    interop:signal("KILL", Port),
    receive
        {'DOWN', Ref, process, {echo, Node}, {signal, sigkill}} -> ok;
        {'DOWN', Ref, _, _, Other} -> exit(Other)
    end,
    eventually(fun() -> not registered(<<"echo">>) end).

container(Node) ->
    Port = start("unshare", ["--user", "--map-root-user", "--net", "--pid", "--fork",
                             "--kill-child", "--mount-proc", "env", broker(), arg(4)]),
    hi = call({echo, Node}, hi),
    Ref = monitor(process, {echo, Node}),
    interop:signal("KILL", Port),
    receive
        {'DOWN', Ref, process, {echo, Node}, {signal, sigkill}} -> true;
        {'DOWN', Ref, _, _, Other} -> Other
    end.

not_permitted(Node) ->
    ok = file:change_mode(arg(3), 8#600),
    Result = run("setpriv", nobody(["erldist", "send", "x@" ++ atom_to_list(Node), "y"])),
    ok = file:change_mode(arg(3), 8#666),
    says(Result, <<"needs write permission">>).

user(_) ->
    Port = start("setpriv", nobody([arg(4)])),
    Echo = echo(),
    true = binary:match(Echo, <<"\"uid\":65534,">>) =/= nomatch orelse Echo,
    ends(Port).

%% A user namespace makes no difference
reserved(Node) ->
    Refused = <<"the name rex is reserved for the owner of svc@">>,
    true = says(run("setpriv", nobody(["erldist", "recv", "rex"])), Refused),
    true = says(run("setpriv", nobody(["unshare", "--user", "--map-root-user", "--net",
                                       "erldist", "recv", "rex"])), Refused),
    Port = start("setpriv", nobody([arg(4)])),
    hi = call({echo, Node}, hi),
    ends(Port).

all_processes() ->
    {0, Text} = run("erldist", ["process", "show"]),
    %% of none there is a line that says so
    length([Line || Line <- binary:split(Text, <<"\n">>, [global]),
                    binary:match(Line, <<"<">>) =/= nomatch]).

%% Connects often, as these users, and reads nothing
greedy_script(Users) ->
    "import os, socket, sys, time\n"
        "held = []\n"
        "for user in " ++ lists:flatten(io_lib:format("~w", [Users])) ++ ":\n"
        "    os.seteuid(user)\n"
        "    for i in range(100):\n"
        "        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)\n"
        "        s.connect(sys.argv[1])\n"
        "        try: s.send(b'x' * 1000)\n"
        "        except OSError: pass\n"
        "        held.append(s)\n"
        "    os.seteuid(0)\n"
        "time.sleep(1)\n"
        "print('held', flush=True)\n"
        "sys.stdin.read()\n".

greedy_program(Users) ->
    Port = interop:program(os:find_executable("python3"), ["-c", greedy_script(Users), arg(3)],
                           []),
    receive {Port, {data, {eol, <<"held">>}}} -> Port after ms(20000) -> exit(no_script) end.

greedy(Node) ->
    Before = all_processes(),
    Port = greedy_program([65534]),
    true = eventually(fun() -> 64 =:= all_processes() - Before end),
    Begin = erlang:monotonic_time(millisecond),
    {0, _} = run_there(["erldist", "send", "x@" ++ atom_to_list(Node), "y"]),
    true = erlang:monotonic_time(millisecond) - Begin < ms(4000),
    Send = ["erldist", "send", "x@" ++ atom_to_list(Node), "y"],
    true = says(run("setpriv", nobody(Send)), <<"too many ask at once">>),
    interop:stop(Port).

%% Of 256 places each has 64, or half of those that are left: 192 + 32 + 16 + 8
many_greedy(Node) ->
    Port = greedy_program(lists:seq(60001, 60006)),
    true = eventually(fun() -> 248 =:= all_processes() end),
    Begin = erlang:monotonic_time(millisecond),
    {0, _} = run_there(["erldist", "send", "x@" ++ atom_to_list(Node), "y"]),
    true = erlang:monotonic_time(millisecond) - Begin < ms(4000),
    interop:stop(Port).

nothing_left(Node) ->
    Send = ["erldist", "send", "x@" ++ atom_to_list(Node), "y"],
    true = eventually(fun() -> {0, _} = run("setpriv", nobody(Send)), true end),
    eventually(fun() -> all_processes() =:= 0 end).

restless_script() ->
    "import socket, sys\n"
        "for i in range(1000):\n"
        "    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)\n"
        "    s.connect(sys.argv[1])\n"
        "    s.close()\n".

restless(Node) ->
    {0, _} = run("python3", ["-c", restless_script(), arg(3)]),
    Port = start(),
    hi = call({echo, Node}, hi),
    ends(Port),
    eventually(fun() -> all_processes() =:= 0 end).
