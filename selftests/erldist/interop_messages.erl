%% SPDX-License-Identifier: GPL-2.0-only
%% Messages between an Erlang node and native processes.
-module(interop_messages).
-export([main/0, terms/0]).
-import(interop, [program/2, call/2, stop/1, ms/1, eventually/2]).

-define(SENDERS, 50).
-define(RECEIVERS, 20).
-define(PROGRAMS, 4).

%% What takes long is not repeated on a slow kernel
main() ->
    Node = list_to_atom(interop:node_arg(1)),
    rand:seed(exsss, {1, 2, 3}),
    Again = case os:getenv("INTEROP_SLOW") of "1" -> short() ++ long(); _ -> short() end,
    interop:main([{Text, fun() -> Fun(Node) end} ||
                     {Text, Fun} <- [{"the Erlang node connects", fun beam_connects/1}] ++ short() ++ long() ++
                                    [{"the native node connects", fun native_connects/1}] ++ Again]).

short() ->
    [{"every tag comes back equal from the echo program", fun every_tag/1},
     {"so do sizes around the limits of encodings", fun(N) -> echo_all(N, sizes()) end},
     {"so do 500 random terms", fun(N) -> echo_all(N, [random(4) || _ <- lists:seq(1, 500)]) end},
     {"so do large terms of many parts", fun(N) -> echo_all(N, large()) end},
     {"binaries from 0 bytes to 4 MiB have the same checksum", fun binaries/1},
     {"what an Erlang node understands is sent, and the connection stays up", fun accepted/1}].

long() ->
    [{"a binary of 64 MiB has the same checksum", fun(N) -> checksum(N, 64 bsl 20) end},
     {"50 processes to 20 in 4 programs: " ++ integer_to_list(?SENDERS * ?RECEIVERS * each()) ++
          " messages in order, none lost", fun order/1}].

%% From each sender to each receiver
each() ->
    case os:getenv("ERLDIST_SCALE") of
        false -> 100;
        Scale -> {N, _} = string:to_float(Scale ++ ".0"), max(1, round(100 * N))
    end.

beam_connects(Node) ->
    [] = nodes(hidden),
    pong = net_adm:ping(Node),
    [Node] =:= nodes(hidden).

native_connects(Node) ->
    true = erlang:disconnect_node(Node),
    true = interop:eventually(fun() -> interop:peers() =:= [] end),
    [] = nodes(hidden),
    {0, <<"pong", _/binary>>} = interop:run("erldist", ["ping", atom_to_list(node())]),
    [Node] =:= nodes(hidden).

%% Echo

echo(Node, X) ->
    {echo, Node} ! {self(), X},
    receive Y -> Y after ms(60000) -> exit({no_echo, X}) end.

echo_all(Node, Terms) ->
    [] = [{sent, X, got, Y} || X <- Terms, Y <- [echo(Node, X)], Y =/= X],
    true.

every_tag(Node) ->
    [] = [{Tag, X} || {Tag, X} <- terms(), tag(X) =/= Tag],
    echo_all(Node, [X || {_, X} <- terms()]).

tag(X) ->
    <<131, Tag, _/binary>> = term_to_binary(X, [{minor_version, 2}]),
    Tag.

%% {Tag, Term}: the external format of Term begins with Tag
terms() ->
    {_, Closure} = {env, fun(X) -> {X, self(), node(), terms} end},
    Env = [a, "b", <<"c">>, 1 bsl 100, self()],
    [{97, 0}, {97, 255}, {98, 256}, {98, -1}, {98, -1 bsl 31}, {98, 1 bsl 31 - 1},
     {110, 1 bsl 31}, {110, -1 bsl 63}, {110, 1 bsl 64}, {110, -(1 bsl 2040 - 1)},
     {111, 1 bsl 2040}, {111, -(1 bsl 100000)},
     {70, 0.0}, {70, -0.0}, {70, 1.5e300}, {70, 5.0e-324},
     {119, a}, {119, ''}, {119, list_to_atom([16#e5, 16#df])}, {119, list_to_atom([16#65e5, 16#1f600])},
     {119, list_to_atom(lists:duplicate(255, $x))}, {118, list_to_atom(lists:duplicate(255, 16#1f600))},
     {118, list_to_atom(lists:duplicate(128, 16#e5))},
     {88, self()}, {88, foreign(88, <<1:32, 2:32, 3:32>>)}, {88, foreign(88, <<-1:32, -1:32, -1:32>>)},
     {88, list_to_pid("<0.32767.8191>")},
     {90, make_ref()}, {90, alias()} | [{90, foreign_ref(N)} || N <- [1, 2, 3, 4, 5]]] ++
    [{tag(P), P} || P <- [hd(erlang:ports()), foreign(89, <<7:32, 3:32>>)]] ++
    [{120, foreign(120, <<1:1, 7:63, 3:32>>)},
     {104, {}}, {104, {a, {b}}}, {105, list_to_tuple(lists:seq(1, 300))},
     {106, []}, {107, "text"}, {108, [a]}, {108, [a | b]}, {108, [1000, [[2000]], {}]},
     {109, <<>>}, {109, <<"binary">>}, {77, <<1:1>>}, {77, <<"bits", 5:7>>},
     {116, #{}}, {116, #{a => 1, "b" => #{1.0 => 2, 1 => 3}}},
     {116, maps:from_list([{N, {N}} || N <- lists:seq(1, 32)])},
     {116, maps:from_list([{{N, self()}, [N]} || N <- lists:seq(1, 5000)])},
     {113, fun lists:map/2}, {113, fun nowhere:nothing/255},
     {112, fun tag/1}, {112, Closure}, {112, fun() -> Env end}].

%% Pids, ports, references of a node that nobody knows
foreign(Tag, Rest) ->
    binary_to_term(<<131, Tag, (node_atom())/binary, Rest/binary>>).

foreign_ref(Words) ->
    binary_to_term(<<131, 90, Words:16, (node_atom())/binary, 5:32,
                     (<< <<N:32>> || N <- lists:seq(1, Words) >>)/binary>>).

node_atom() ->
    <<119, 9, "other@far">>.

sizes() ->
    [Sign * (1 bsl Bits) + D || Bits <- [7, 8, 16, 27, 28, 31, 32, 59, 60, 63, 64, 65, 127, 1024, 2040, 8192],
                                Sign <- [1, -1], D <- [-1, 0, 1]]
        ++ [list_to_tuple(lists:duplicate(N, x)) || N <- [1, 254, 255, 256, 1000]]
        ++ [lists:duplicate(N, C) || N <- [1, 65534, 65535, 65536], C <- [$a, 1000]]
        ++ [list_to_atom(lists:duplicate(N, C)) || N <- [1, 63, 64, 85, 86, 127, 128, 254, 255],
                                                   C <- [$z, 16#e9, 16#20ac, 16#10000]]
        ++ [<<0:N>> || N <- [1, 7, 8, 9, 511, 512, 513]]
        ++ [maps:from_list([{I, x} || I <- lists:seq(1, N)]) || N <- [1, 31, 32, 33, 255, 256]]
        ++ [nest(N) || N <- [10, 255, 256, 1000]].

nest(0) -> done;
nest(N) when N rem 3 =:= 0 -> {nest(N - 1)};
nest(N) when N rem 3 =:= 1 -> [nest(N - 1)];
nest(N) -> #{nested => nest(N - 1)}.

large() ->
    [lists:seq(1, 100000), lists:duplicate(50000, {a, 1.0, <<"b">>}),
     maps:from_list([{integer_to_binary(N), N} || N <- lists:seq(1, 20000)]),
     [binary:copy(<<N>>, 1000) || N <- lists:seq(0, 999)], binary:copy(<<0>>, 1000000),
     list_to_tuple(lists:seq(1, 65536))].

random(0) -> scalar(rand:uniform(9));
random(D) ->
    case rand:uniform(12) of
        1 -> [random(D - 1) || _ <- lists:seq(1, rand:uniform(5))];
        2 -> list_to_tuple([random(D - 1) || _ <- lists:seq(1, rand:uniform(5))]);
        3 -> maps:from_list([{random(D - 1), random(D - 1)} || _ <- lists:seq(1, rand:uniform(5))]);
        4 -> [random(D - 1) | random(D - 1)];
        _ -> scalar(rand:uniform(9))
    end.

scalar(1) -> rand:uniform(1 bsl rand:uniform(2500)) - (1 bsl 60);
scalar(2) -> rand:normal() * math:pow(10, rand:uniform(60) - 30);
scalar(3) -> list_to_atom([char() || _ <- lists:seq(1, rand:uniform(3))]);
scalar(4) -> rand:bytes(rand:uniform(100));
scalar(5) -> N = rand:uniform(100), <<(rand:uniform(1 bsl N) - 1):N>>;
scalar(6) -> [char() || _ <- lists:seq(1, rand:uniform(9))];
scalar(7) -> self();
scalar(8) -> make_ref();
scalar(9) -> N = rand:uniform(9), fun(X) -> {X, N} end.

char() ->
    element(rand:uniform(3), {$a + rand:uniform(25), 16#100 + rand:uniform(16#ff), 16#10000 + rand:uniform(99)}).

%% Of a length that no period of a mistake would divide
data(Size) ->
    Part = rand:bytes(min(Size, 1000003)),
    <<Data:Size/binary, _/binary>> = binary:copy(Part, Size div max(byte_size(Part), 1) + 1),
    Data.

binaries(Node) ->
    Sizes = [0, 1, 2, 255, 256, 4095, 4096, 4097, 65000, 65535, 65536, 65537, 131071, 131072,
             131073, 1 bsl 20, 3000017, 1 bsl 22],
    lists:all(fun(Size) -> checksum(Node, Size) end, Sizes).

checksum(Node, Size) ->
    Sent = data(Size),
    Got = echo(Node, Sent),
    Size = byte_size(Got),
    erlang:md5(Got) =:= erlang:md5(Sent).

%% Order

order(Node) ->
    Names = [list_to_atom("sink" ++ integer_to_list(N)) || N <- lists:seq(1, ?RECEIVERS)],
    Ports = [program(Node, [Name || {Name, I} <- lists:zip(Names, lists:seq(1, ?RECEIVERS)),
                                    I rem ?PROGRAMS =:= P]) || P <- lists:seq(0, ?PROGRAMS - 1)],
    Targets = [{Name, Node} || Name <- Names],
    Senders = [spawn_monitor(fun() -> send(S, Targets, 1, each()) end) || S <- lists:seq(1, ?SENDERS)],
    [receive {'DOWN', Ref, process, Pid, normal} -> ok end || {Pid, Ref} <- Senders],
    Whole = {?SENDERS * each(), 0},
    Result = [eventually(fun() -> case call(T, report) of Whole -> true; R -> R end end, ms(60000))
              || T <- Targets],
    [stop(Port) || Port <- Ports],
    lists:all(fun(R) -> R =:= true end, Result) orelse lists:zip(Names, Result).

send(_, _, Seq, Last) when Seq > Last ->
    ok;
send(Sender, Targets, Seq, Last) ->
    [Target ! {Sender, Seq, {text, <<"some more of it">>}} || Target <- Targets],
    send(Sender, Targets, Seq + 1, Last).

%% Terms that Erlang nodes decode, in every encoding, from a native process

accepted(Node) ->
    Port = program(Node, [sender]),
    hello = call({sender, Node}, hello),
    Connection = nodes(hidden, #{connection_id => true}),
    [] = [{Bytes, Result} || Bytes <- encodings(), Result <- [sent(Node, Bytes)], Result =/= true],
    Connection = nodes(hidden, #{connection_id => true}),
    stop(Port).

sent(Node, Bytes) ->
    X = binary_to_term(<<131, Bytes/binary>>),
    case call({sender, Node}, {send, self(), Bytes}) of
        ok -> receive X -> true; Other -> {got, Other} after ms(20000) -> nothing end;
        Error -> Error
    end.

encodings() ->
    Node = node_atom(),
    Atom = <<119, 1, "a">>,
    [<<97, 7>>, <<98, 7:32>>, <<98, -7:32>>, <<110, 1, 0, 7>>, <<110, 0, 0>>, <<110, 9, 1, 0:64, 9>>,
         <<110, 4, 0, 1, 0, 0, 0>>, <<111, 3:32, 0, 1, 2, 3>>, <<111, 300:32, 1, 1:2400>>,
         <<99, "1.50000000000000000000e+00", 0:40>>, <<70, 1.5/float>>, <<70, 1:1, 0:63>>,
         <<100, 1:16, "a">>, <<100, 2:16, 229, 223>>, <<115, 1, 229>>, <<118, 2:16, 229/utf8>>,
         <<119, 0>>, <<118, 0:16>>, <<119, 4, 16#1f600/utf8>>,
         <<103, Node/binary, 1:32, 2:32, 3>>, <<88, Node/binary, -1:32, -1:32, -1:32>>,
         <<102, Node/binary, 1:32, 3>>, <<89, Node/binary, 1:32, 5:32>>, <<120, Node/binary, -1:64, 5:32>>,
         <<101, Node/binary, 1:32, 3>>, <<114, 3:16, Node/binary, 1, 1:32, 2:32, 3:32>>,
         <<90, 1:16, Node/binary, 5:32, 1:32>>, <<90, 5:16, Node/binary, 5:32, 1:32, 2:32, 3:32, 4:32, 5:32>>,
         <<104, 0>>, <<105, 1:32, 97, 1>>, <<105, 0:32>>, <<106>>, <<107, 0:16>>, <<107, 3:16, "abc">>,
         <<108, 0:32, 106>>, <<108, 1:32, 97, 1, 97, 2>>, <<108, 1:32, 97, 1, 107, 1:16, 9>>,
         <<109, 0:32>>, <<77, 1:32, 8, 7>>, <<77, 1:32, 1, 128>>, <<77, 2:32, 7, 255, 254>>,
         <<116, 0:32>>, <<116, 2:32, 97, 1, 106, 70, 1.0/float, 106>>, <<116, 1:32, 116, 0:32, 116, 0:32>>,
         <<113, Atom/binary, Atom/binary, 97, 2>>, <<113, Atom/binary, Atom/binary, 97, 255>>]
        ++ [begin <<131, B/binary>> = term_to_binary(X), B end || {_, X} <- terms()].
