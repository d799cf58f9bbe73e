%% SPDX-License-Identifier: GPL-2.0-only
%% What there is, as Erlang and as the native side show it.
-module(interop_status).
-export([main/0]).
-import(interop, [run/2, eventually/1, event/2, ms/1]).

main() ->
    Node = list_to_atom(interop:node_arg(1)),
    interop:main([{Text, fun() -> Fun(Node) end} || {Text, Fun} <- tests()]).

tests() ->
    [{"Erlang shows a native node as hidden, and its pids as its own", fun erlang_shows/1},
     {"erldist nodes is nodes/1 of the native node", fun native_shows/1},
     {"erldist node of is node/1", fun node_of/1},
     {"erlang:disconnect_node, and what both show then", fun disconnect/1},
     {"erldist peer disconnect, and what both show then", fun native_disconnect/1},
     {"status: a node, its peer, since when, flags", fun status/1},
     {"status -j: rates of what is going on", fun rates/1},
     {"status: why a peer is not up", fun why_not/1},
     {"status: the queue to a peer that does not read", fun queue/1},
     {"monitor --since-start: what there is, then what happens", fun since_start/1}].

connect(Node) ->
    pong = net_adm:ping(Node),
    true = eventually(fun() -> native_nodes("connected") =:= [me()] end),
    Node.

me() ->
    atom_to_binary(node()).

lines(Text) ->
    binary:split(Text, <<"\n">>, [global, trim_all]).

native_nodes(Which) ->
    {0, Text} = run("erldist", ["nodes", Which]),
    lists:sort(lines(Text)).

%% Whether the JSON of "erldist -j Args" is as jq's Filter says
holds(Args, Filter) ->
    Command = "erldist -j " ++ Args ++ " | jq -e '" ++ Filter ++ "'",
    case run("sh", ["-c", Command]) of
        {0, _} -> true;
        Other -> {Other, run("sh", ["-c", "erldist -j " ++ Args])}
    end.

erlang_shows(Node) ->
    connect(Node),
    [Node] = erlang:nodes(hidden),
    [] = erlang:nodes(),
    [] = erlang:nodes(visible),
    [Node] = erlang:nodes(connected),
    true = lists:member(Node, erlang:nodes(known)),
    register(inbox, self()),
    Echo = echo_pid(),
    hi = gen_server:call(Echo, hi),
    Node =:= node(Echo).

%% The pid of echo, in a message
echo_pid() ->
    {0, Text} = run("erldist", ["-j", "process", "show"]),
    [Line] = [L || L <- lines(Text), binary:match(L, <<"\"name\":\"echo\"">>) =/= nomatch],
    {match, [Pid]} = re:run(Line, "\"pid\":\"([^\"]*)\"", [{capture, all_but_first, binary}]),
    Send = <<"{pid, ", Pid/binary, "}">>,
    {0, _} = run("erldist", ["send", "inbox@" ++ atom_to_list(node()), binary_to_list(Send)]),
    receive {pid, P} -> P end.

native_shows(Node) ->
    connect(Node),
    [] = native_nodes("visible"),
    Me = me(),
    [Me] = native_nodes("hidden"),
    Known = lists:sort([Me, atom_to_binary(Node)]),
    Known = native_nodes("known"),
    This = [atom_to_binary(Node)],
    This = native_nodes("this"),
    {0, Me} = run("erldist", ["nodes", "--node", atom_to_list(Node)]),
    true = holds("nodes", ".name == \"" ++ binary_to_list(Me) ++ "\""),
    {1, Said} = run("erldist", ["nodes", "--node", "other@" ++ host(Node)]),
    true = binary:match(Said, <<"is no node of this machine">>) =/= nomatch,
    {1, Wrong} = run("erldist", ["nodes", "some"]),
    binary:match(Wrong, <<"none of visible, hidden">>) =/= nomatch.

host(Node) ->
    lists:last(string:split(atom_to_list(Node), "@")).

node_of(Node) ->
    This = atom_to_binary(Node),
    Pid = "<" ++ atom_to_list(Node) ++ ".12.0>",
    {0, This} = run("erldist", ["node", "of", Pid]),
    {0, This} = run("erldist", ["node", "of", "#Ref<" ++ atom_to_list(Node) ++ ".1.2.3>"]),
    {1, Said} = run("erldist", ["node", "of", "atom"]),
    binary:match(Said, <<"no pid or reference">>) =/= nomatch.

%% A retry time (a second) after its connection a peer is forgotten, which a slow guest
%% may be too late for: then another connection is made and ended.
gone(Node, Reason, Disconnect) ->
    connect(Node),
    Disconnect(),
    true = eventually(fun() -> native_nodes("connected") =:= [] andalso
                                   not lists:member(Node, erlang:nodes(connected)) end),
    Known = lists:member(me(), native_nodes("known")),
    Known andalso
        holds("status --interval 0",
              ".nodes[0].peers[] | select(.name == \"" ++ atom_to_list(node()) ++
                  "\") | .state == \"down\" and .reason == \"" ++ Reason ++ "\"") =:= true.

disconnect(Node) ->
    Disconnect = fun() -> true = erlang:disconnect_node(Node) end,
    true = eventually(fun() -> gone(Node, "connection-closed", Disconnect) end),
    false =:= erlang:disconnect_node(Node).

native_disconnect(Node) ->
    Args = ["peer", "disconnect", atom_to_list(node())],
    Disconnect = fun() -> {0, _} = run("erldist", Args) end,
    true = eventually(fun() -> gone(Node, "disconnect", Disconnect) end),
    {1, _} = run("erldist", Args),
    true.

status(Node) ->
    connect(Node),
    timer:sleep(2000),
    {0, Text} = run("erldist", ["status"]),
    Line = ["^", atom_to_list(Node), ", pid [0-9]+, hidden, creation [0-9]+, mode 0666 of root, "
            "processes 1, peers up 1 of [0-9]+, unread 0 B$"],
    {match, _} = re:run(Text, Line, [multiline]),
    Peer = ["^  ", atom_to_list(node()), " +up +[0-9]{4}-[0-9-]{5} [0-9:]{8}  "
            "[0-9]+/s [0-9.]+ k?B/s +[0-9]+/s [0-9.]+ k?B/s +0 B +hidden +0x[0-9a-f]+$"],
    case re:run(Text, Peer, [multiline]) of
        nomatch -> Text;
        _ ->
            holds("status --interval 0",
                  ".nodes | length == 1 and (.[0] | .type == \"hidden\" and .processes == 1 "
                  "and (.peers[] | select(.name == \"" ++ atom_to_list(node()) ++ "\") "
                  "| .state == \"up\" and .type == \"hidden\" and .since >= 2 and .since < 300 "
                  "and .queued == 0 and .flags > 1000 and .connection > 0 "
                  "and (has(\"rx-bytes-rate\") | not)))")
    end.

traffic(Node) ->
    {echo, Node} ! {self(), lists:duplicate(100, x)},
    receive _ -> traffic(Node) end.

rates(Node) ->
    connect(Node),
    Pid = spawn_link(fun() -> traffic(Node) end),
    Result = holds("status",
                   ".interval >= 1 and (.nodes[0].peers[] | select(.state == \"up\") "
                   "| .\"rx-messages-rate\" > 10 and .\"tx-messages-rate\" > 10 "
                   "and .\"rx-bytes-rate\" > 1000 and .\"tx-bytes-rate\" > 1000)"),
    unlink(Pid),
    exit(Pid, kill),
    Result.

%% A second after it failed it is forgotten, which a slow guest may be too late for
why_not(Node) ->
    Nobody = "nobody@" ++ host(Node),
    eventually(fun() -> tells_why(Nobody) end) andalso
        eventually(fun() -> tells_why_in_json(Nobody) =:= true end).

tells_why(Nobody) ->
    {1, _} = run("erldist", ["peer", "connect", Nobody]),
    {0, Text} = run("erldist", ["status", "--interval", "0"]),
    match =:= re:run(Text, ["^  ", Nobody, " .*knows no node of that name"],
                     [multiline, {capture, none}]).

tells_why_in_json(Nobody) ->
    {1, _} = run("erldist", ["peer", "connect", Nobody]),
    holds("status --interval 0", ".nodes[0].peers[] | select(.name == \"" ++ Nobody ++
              "\") | .explanation | contains(\"knows no node of that name\")").

queued(Other) ->
    holds("status --interval 0", ".nodes[0].peers[] | select(.name == \"" ++ Other ++
              "\") | .queued > 0").

%% More than two sockets hold
fill(Other) ->
    Line = ["send x@", Other, " <<\"", lists:duplicate(1000000, $x), "\">>\n"],
    ok = file:write_file("lines", lists:duplicate(12, Line)),
    {0, _} = run("sh", ["-c", interop:node_arg(2) ++ " < lines"]),
    queued(Other).

queue(Node) ->
    Cookie = atom_to_list(erlang:get_cookie()),
    {Other, Port} = Beam = interop:beam("other", ["-setcookie", Cookie]),
    pong = rpc:call(Other, net_adm, ping, [Node]),
    interop:signal("STOP", Port),
    Full = fill(atom_to_list(Other)),
    interop:signal("CONT", Port),
    Empty = eventually(fun() -> queued(atom_to_list(Other)) =/= true end),
    interop:beam_stop(Beam),
    {true, true} =:= {Full, Empty} orelse {Full, Empty}.

until_end(Port) ->
    receive
        {Port, {data, {eol, <<"resync-end">>}}} -> [];
        {Port, {data, {eol, Line}}} -> [Line | until_end(Port)]
    after ms(20000) -> exit(no_end)
    end.

since_start(Node) ->
    connect(Node),
    Command = "erldist monitor --since-start & cat > /dev/null; kill $!",
    Port = interop:program("/bin/sh", ["-c", Command], []),
    [<<"resync">> | State] = until_end(Port),
    true = lists:all(fun(L) -> binary:longest_common_suffix([L, <<" resync">>]) =:= 7 end, State),
    Size = fun(Begin) ->
                   length([L || L <- State, binary:longest_common_prefix([L, Begin])
                                    =:= byte_size(Begin)])
           end,
    Name = atom_to_binary(Node),
    1 = Size(<<"node-new ", Name/binary>>),
    1 = Size(<<"peer-up ", (me())/binary, " node ", Name/binary>>),
    1 = Size(<<"name-new echo <", Name/binary>>),
    3 = length(State),
    true = erlang:disconnect_node(Node),
    event(Port, <<"peer-down ", (me())/binary>>),
    connect(Node),
    Up = event(Port, <<"peer-up ", (me())/binary>>),
    interop:stop(Port),
    binary:match(Up, <<"resync">>) =:= nomatch.
