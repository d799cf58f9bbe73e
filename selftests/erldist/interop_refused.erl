%% SPDX-License-Identifier: GPL-2.0-only
%% What a native process cannot send to an Erlang node, as that would close the
%% connection, or end the node, for all who share it. Beside each such thing its
%% twins: all but the same, and understood.
-module(interop_refused).
-export([main/0]).
-import(interop, [program/2, call/2, stop/1, ms/1]).

-define(EINVAL, 22).
-define(EOPNOTSUPP, 95).
-define(REASON_MAX, 65536).

%% A row: {What, Bytes, Twins, Releases}: the last ones decode Bytes, so it is
%% for the others that nobody may send it
main() ->
    Node = list_to_atom(interop:node_arg(1)),
    program(Node, [sender]),
    interop:main([{"refused: " ++ element(1, Row), fun() -> refused(Node, Row) end}
                  || Row <- for_all() ++ own()] ++
                 [{"refused as a destination: " ++ element(1, Row), fun() -> destination(Node, Row) end}
                  || Row <- destinations()] ++
                 [{Text, fun() -> Fun(Node) end} || {Text, Fun} <- made()]).

release() ->
    list_to_integer(erlang:system_info(otp_release)).

connection(Node) ->
    maps:get(Node, maps:from_list(nodes(hidden, #{connection_id => true})), none).

%% There is one, and the sender is alive
connected(Node) ->
    hello = call({sender, Node}, hello),
    connection(Node).

send(Node, To, Bytes) ->
    call({sender, Node}, {send, To, Bytes}).

%% By a process that is alive, as BEAM decodes a message only for those
refused(Node, {_, Bytes, Twins, Decode}) ->
    register(receiver, self()),
    Connection = connected(Node),
    lists:member(release(), Decode) orelse not decodes(Bytes) orelse exit(it_decodes),
    [{error, ?EINVAL} = send(Node, To, Bytes) || To <- [self(), {receiver, node()}]],
    [goes(Node, To, Twin) || Twin <- Twins, To <- [self(), {receiver, node()}]],
    Connection =:= connection(Node).

decodes(Bytes) ->
    try value(Bytes) of _ -> true
    catch error:badarg -> false
    end.

%% With its version in front or without
value(<<131, _/binary>> = Bytes) -> binary_to_term(Bytes);
value(Bytes) -> binary_to_term(<<131, Bytes/binary>>).

%% It is the next message that comes
goes(Node, To, Bytes) ->
    X = value(Bytes),
    ok = send(Node, To, Bytes),
    receive
        X -> true;
        Other -> exit({got, Other, sent, Bytes})
    after ms(20000) ->
        exit({nothing, sent, Bytes})
    end.

%% {What, Destination, Destinations that are us}
destination(Node, {_, Bytes, Twins}) ->
    register(receiver, self()),
    Connection = connected(Node),
    {error, ?EINVAL} = send(Node, Bytes, atom("hello")),
    [goes(Node, Twin, tuple([atom("hello"), int(N)])) || {N, Twin} <- lists:enumerate(Twins)],
    Connection =:= connection(Node).

%% External terms

int(N) -> <<97, N>>.
nil() -> <<106>>.
atom(Text) -> <<119, (byte_size(iolist_to_binary(Text))), (iolist_to_binary(Text))/binary>>.
double(X) -> <<70, X/float>>.
float_text(Text) -> <<99, Text/binary, 0:((31 - byte_size(Text)) * 8)>>.
tuple(Terms) -> <<104, (length(Terms)), (iolist_to_binary(Terms))/binary>>.
map(Keys) -> <<116, (length(Keys)):32, << <<Key/binary, 106>> || Key <- Keys >>/binary>>.
export(M, F, A) -> <<113, M/binary, F/binary, A/binary>>.

native(Term) ->
    <<131, Bytes/binary>> = term_to_binary(Term),
    Bytes.

%% A fun with one free variable, which says it has so many
fun_(Module, Index, Pid, Free, Number) ->
    Rest = <<0, 1:128, 0:32, Number:32, Module/binary, Index/binary, 97, 0, Pid/binary, Free/binary>>,
    <<112, (byte_size(Rest) + 4):32, Rest/binary>>.

%% Pids, references and ports of this node, and of Creation
creation() ->
    <<Creation:32>> = binary:part(native(self()), {byte_size(native(self())), -4}),
    Creation.

pid(Creation, Id, Serial) -> pid(native(node()), Creation, Id, Serial).
pid(Node, Creation, Id, Serial) -> <<88, Node/binary, Id:32, Serial:32, Creation:32>>.
ref(Creation, Words) -> ref(native(node()), Creation, Words).
ref(Node, Creation, Words) ->
    <<90, (length(Words)):16, Node/binary, Creation:32, << <<W:32>> || W <- Words >>/binary>>.
port(Creation, Id) -> <<120, (native(node()))/binary, Id:64, Creation:32>>.

%% Terms

%% Refused whoever receives them
for_all() ->
    maps_() ++ scalars() ++ composed() ++ tags() ++ large().

maps_() ->
    Many = [<<98, N:32>> || N <- lists:seq(1, 40)],
    [{"a map with a key twice", map([int(1), int(1)]), [map([int(1), int(2)])], []},
     {"a map with a key twice, written as a byte and as a word", map([int(1), <<98, 1:32>>]),
      [map([int(1), <<98, 2:32>>]), map([int(1), double(1.0)])], []},
     {"a map with a key twice, written as a byte and as a bignum", map([int(1), <<110, 1, 0, 1>>]),
      [map([int(1), <<110, 1, 0, 2>>]), map([int(1), <<110, 1, 1, 1>>])], []},
     {"a map with an atom twice, in Latin-1 and in UTF-8", map([<<115, 1, 229>>, <<119, 2, 229/utf8>>]),
      [map([<<115, 1, 229>>, <<119, 2, 228/utf8>>])], []},
     {"a map with a string and the same list", map([<<107, 1:16, 7>>, <<108, 1:32, 97, 7, 106>>]),
      [map([<<107, 1:16, 7>>, <<108, 1:32, 97, 8, 106>>])], []},
     {"a map of 41 with a key twice", map(Many ++ [int(40)]), [map(Many ++ [int(41)])], []},
     {"a map of 41 with a key twice, inside", tuple([map(Many ++ [<<98, 1:32>>])]), [tuple([map(Many)])], []},
     {"a map with 0.0 and -0.0", map([double(0.0), <<70, 1:1, 0:63>>]), [map([double(0.0), double(1.0)])], [27, 29]}].

scalars() ->
    [{"NaN", <<70, 16#7ff8000000000001:64>>, [<<70, 16#7fefffffffffffff:64>>], []},
     {"infinity", <<70, 16#7ff0000000000000:64>>, [double(1.0)], []},
     {"minus infinity", <<70, 16#fff0000000000000:64>>, [<<70, 16#ffefffffffffffff:64>>], []},
     {"the text of a float that is none", float_text(<<"abc">>), [float_text(<<"1.5e0">>)], []},
     {"the text of a float, infinity", float_text(<<"inf">>), [float_text(<<"-1.5e+300">>)], []},
     {"an atom that is not UTF-8", <<119, 2, 16#c3, 16#28>>, [<<119, 2, 16#c3, 16#a8>>], []},
     {"an atom in overlong UTF-8", <<119, 2, 16#c0, 16#80>>, [<<119, 1, 0>>], []},
     {"an atom that is a surrogate", <<119, 3, 16#ed, 16#a0, 16#80>>, [<<119, 3, 16#ed, 16#9f, 16#bf>>], []},
     {"an atom of 256 characters", <<118, 256:16, 0:2048>>, [<<118, 255:16, 0:2040>>], []},
     {"an atom of 256 characters of two bytes", utf8_atom(256), [utf8_atom(255)], []},
     {"bits: none of the last byte", <<77, 1:32, 0, 255>>, [<<77, 1:32, 1, 128>>], []},
     {"bits: nine of the last byte", <<77, 1:32, 9, 255>>, [<<77, 1:32, 8, 255>>], []},
     {"bits of no bytes", <<77, 0:32, 3>>, [<<77, 1:32, 3, 224>>], []}].

utf8_atom(N) ->
    <<118, (2 * N):16, << <<229/utf8>> || _ <- lists:seq(1, N) >>/binary>>.

composed() ->
    Pid = pid(atom("a@b"), 5, 1, 2),
    [{"a fun whose module is no atom", fun_(int(1), int(0), Pid, int(7), 1),
      [fun_(atom("m"), int(0), Pid, int(7), 1)], []},
     {"a fun that lacks a free variable", fun_(atom("m"), int(0), Pid, int(7), 2),
      [fun_(atom("m"), int(0), Pid, <<97, 7, 97, 8>>, 2)], []},
     {"a fun whose index is no integer", fun_(atom("m"), atom("i"), Pid, int(7), 1), [], []},
     {"a fun whose process is no pid", fun_(atom("m"), int(0), int(1), int(7), 1), [], [25]},
     {"a fun with a broken free variable", fun_(atom("m"), int(0), Pid, <<119, 1, 255>>, 1),
      [fun_(atom("m"), int(0), Pid, <<119, 1, 127>>, 1)], []},
     {"an export whose module is no atom", export(int(1), atom("f"), int(1)),
      [export(atom("m"), atom("f"), int(1))], []},
     {"an export whose function is no atom", export(atom("m"), int(1), int(1)), [], []},
     {"an export whose arity is no integer", export(atom("m"), atom("f"), atom("a")), [], []},
     %% delivered, and the end of the node of OTP 27 as soon as it is measured
     {"an export of arity 300", export(atom("m"), atom("f"), <<98, 300:32>>),
      [export(atom("m"), atom("f"), int(255))], [25, 27, 29]},
     {"a pid whose node is no atom", pid(int(1), 5, 1, 2), [Pid], []},
     {"a reference whose node is no atom", ref(nil(), 5, [1]), [ref(atom("a@b"), 5, [1 bsl 18])], []},
     {"a reference of no word", ref(atom("a@b"), 5, []), [ref(atom("a@b"), 5, [1])], [25, 27, 29]},
     {"a reference of six words", ref(atom("a@b"), 5, [1, 2, 3, 4, 5, 6]), [ref(atom("a@b"), 5, [1, 2, 3, 4, 5])], []}].

tags() ->
    Fun = <<117, 0:32, (pid(atom("a@b"), 5, 1, 2))/binary, 119, 1, "m", 97, 0, 97, 0>>,
    Compressed = zlib:compress(atom("a")),
    [{"an old fun (tag 117)", Fun, [], []},
     {"a compressed term inside (tag 80)", tuple([<<80, 3:32, Compressed/binary>>]), [tuple([atom("a")])], []},
     {"a version inside (tag 131)", tuple([<<131, 106>>]), [<<131, 104, 1, 106>>], []},
     {"a term of local form (tag 121)", <<121, 0:64, 106>>, [], []},
     {"the same inside", tuple([<<121, 0:64, 106>>]), [tuple([nil()])], []},
     {"a native record, which nobody agreed on (tag 67)", <<67, 0:32, 0:32, 106>>, [], []},
     {"an entry of an atom cache that there is none of (tag 82)", tuple([<<82, 0>>]), [], []},
     {"no term", <<>>, [], []},
     {"a term that is cut", <<104, 2, 106>>, [<<104, 1, 106>>], []},
     %% binary_to_term() does not mind
     {"bytes behind the term", <<106, 106>>, [nil()], [25, 27, 29]}].

%% A native integer or tuple cannot be larger than some release's
large() ->
    [{"an integer of 600 kB", <<111, 600000:32, 0, -1:4800000>>, [<<111, 60000:32, 0, -1:480000>>], [25]},
     {"a tuple of 2^24", <<105, (1 bsl 24):32, (binary:copy(nil(), 1 bsl 24))/binary>>,
      [<<105, (1 bsl 16):32, (binary:copy(nil(), 1 bsl 16))/binary>>], [25]}].

%% Of this node, as it is now; anything goes in another creation. OTP 25 has
%% pids of 15 and 13 bits and references of three words, and does not say so:
%% what it alone does not decode cannot be refused.
own() ->
    Now = creation(),
    Not = Now bxor 1,
    {Pids, Refs} = case release() of
                       25 -> {[], []};
                       _ -> {[pid(Now, 1 bsl 28 - 1, 1 bsl 13)], [ref(Now, [1, 2, 3, 4, 5])]}
                   end,
    [{"a pid of the receiving node with a number of 2^28", pid(Now, 1 bsl 28, 0),
      [native(self()), pid(Now, 1 bsl 15 - 1, 1 bsl 13 - 1), pid(Not, -1, -1) | Pids], []},
     {"a reference of the receiving node whose first word is 2^18", ref(Now, [1 bsl 18, 1, 1]),
      [native(make_ref()), ref(Now, [1 bsl 18 - 1, -1, -1]), ref(Not, [-1, -1, -1, -1, -1]) | Refs], []},
     {"a port of the receiving node with the number 2^64 - 1", port(Now, -1),
      [native(hd(erlang:ports())), port(Not, -1)], []}].

%% Destinations

destinations() ->
    Now = creation(),
    Me = native(node()),
    Named = tuple([atom("receiver"), Me]),
    [{"a name that is not UTF-8", tuple([<<119, 8, 255, "eceiver">>, Me]), [Named]},
     {"a name of 256 characters", tuple([utf8_atom(256), Me]), []},
     {"an empty name", tuple([atom(""), Me]), []},
     {"a name that is no atom", tuple([int(1), Me]), []},
     {"a node that is no atom", tuple([atom("receiver"), int(1)]), []},
     {"a node without a host", tuple([atom("receiver"), atom("b@")]), []},
     {"a tuple of one", tuple([atom("receiver")]), [<<105, 2:32, (atom("receiver"))/binary, Me/binary>>]},
     {"a tuple of three", tuple([atom("receiver"), Me, nil()]), []},
     {"a list", <<108, 1:32, (native(self()))/binary, 106>>, []},
     {"an integer", int(1), []},
     {"a port", native(hd(erlang:ports())), []},
     {"a pid with a number of 2^28", pid(Now, 1 bsl 28, 0), []},
     {"a pid whose node is no atom", pid(int(1), Now, 5, 0), []},
     {"a pid that is cut", <<88, Me/binary, 5:32, 0:32>>, []},
     {"an alias whose first word is 2^18", ref(Now, [1 bsl 18, 1, 1]), []},
     {"an alias of six words", ref(Now, [1, 1, 1, 1, 1, 1]), []},
     {"an alias whose node is no atom", ref(int(1), Now, [1, 1, 1]), []},
     {"an alias with a byte behind", <<(ref(Now, [1, 1, 1]))/binary, 0>>, []}].

%% What only the kernel makes

made() ->
    [{"each of these terms is refused as an exit reason as well", fun reasons/1},
     {"a pid, an alias, a name as destination: all three go", fun all_go/1},
     {"a process cannot send signals, whichever: SPAWN, SPAWN_REPLY, GROUP_LEADER, LINK...", fun signals/1},
     {"no spawn is served, so no reply to one is made, and no options are read", fun no_spawn/1},
     {"a seq_trace token comes in, none goes out with the answer", fun tokens/1},
     {"a reason that was checked comes with DOWN and EXIT", fun checked/1},
     {"a reason with a pid that the receiver could not have does not cut it off",
      fun(N) -> harmless(N, pid(creation(), 1 bsl 28, 0)) end},
     {"a reason with a reference that the receiver could not have does not cut it off",
      fun(N) -> harmless(N, tuple([ref(creation(), [1 bsl 18, 1, 1])])) end},
     {"a reason with a port that the receiver could not have does not cut it off",
      fun(N) -> harmless(N, port(creation(), -1)) end},
     {"0.0 and -0.0 as keys, in a reason from a release that knows them apart", fun zeros/1}].

reasons(Node) ->
    Connection = connected(Node),
    Errors = [{What, byte_size(Bytes) > ?REASON_MAX, call({sender, Node}, {reason, Bytes})}
              || {What, Bytes, _, _} <- for_all()],
    [] = [Error || {_, Long, Said} = Error <- Errors,
                   Said =/= {error, ?EINVAL}, not Long orelse element(1, Said) =/= error],
    Connection =:= connection(Node).

all_go(Node) ->
    register(receiver, self()),
    Alias = alias(),
    Connection = connected(Node),
    [goes(Node, To, atom("hello")) || To <- [self(), Alias, named(), native(self()), native(Alias)]],
    Connection =:= connection(Node).

named() ->
    {receiver, node()}.

signals(Node) ->
    Connection = connected(Node),
    [{error, ?EOPNOTSUPP} = call({sender, Node}, {send, self(), atom("hello"), Op})
     || Op <- [2, 11, 12 | lists:seq(40, 60)] ++ [255, 65535]],
    goes(Node, self(), atom("hello")),
    Connection =:= connection(Node).

no_spawn(Node) ->
    Connection = connected(Node),
    Requests = [spawn_request(Node, m, f, [], Options) || Options <- [[], [monitor, link], [{min_heap_size, 100}]]],
    [receive {spawn_reply, R, error, notsup} -> ok after ms(20000) -> exit({no_reply, R}) end || R <- Requests],
    hello = call({sender, Node}, hello),
    Connection =:= connection(Node).

%% A message without a token takes away the receiver's
tokens(Node) ->
    Connection = connected(Node),
    [begin
         seq_trace:set_token(label, Label),
         seq_trace:set_token(send, true),
         hello = Ask(),
         [] = seq_trace:get_token()
     end || Label <- [17, a, {a, "label"}, 1 bsl 100],
            Ask <- [fun() -> call({sender, Node}, hello) end,
                    fun() ->
                            Name = {sender, Node},
                            Name ! {'$gen_call', {self(), tag}, {send, self(), atom("hello")}},
                            receive hello -> seq_trace:get_token() =:= [] andalso receive {tag, ok} -> hello end end
                    end]],
    Connection =:= connection(Node).

%% The reason comes, unless it was refused
checked(Node) ->
    Reason = {why, #{1 => 1.5, a => [self()]}},
    {ok, Reason} = ends_with(Node, native(Reason)),
    true.

%% What depends on who receives it is refused, or does no harm there
harmless(Node, Bytes) ->
    case ends_with(Node, Bytes) of
        {{error, ?EINVAL}, normal} -> true;
        {ok, Reason} when Reason =/= noconnection -> true;
        Other -> Other
    end.

%% A process that ends by itself: what it was said about its reason, and what
%% comes
ends_with(Node, Bytes) ->
    Connection = connected(Node),
    process_flag(trap_exit, true),
    Port = program(Node, [ends]),
    Pid = call({ends, Node}, pid),
    Said = call({ends, Node}, {reason, Bytes}),
    Refs = [monitor(process, P) || P <- [Pid, {ends, Node}]],
    link(Pid),
    hello = call(Pid, hello),
    stop(Port),
    Reason = receive {'EXIT', Pid, R} -> R after ms(20000) -> exit({no_exit, Said}) end,
    [receive {'DOWN', Ref, _, _, Reason} -> ok after ms(20000) -> exit({no_down, Said, Reason}) end || Ref <- Refs],
    hello = call({sender, Node}, hello),
    Connection =:= connection(Node) orelse exit({connection_was_cut, Said, Reason}),
    {Said, Reason}.

%% Equal for OTP 25, which sends one of them. The sender is not to blame.
zeros(Node) ->
    Connection = connected(Node),
    program(Node, [ends]),
    Pid = call({ends, Node}, pid),
    Ref = monitor(process, Pid),
    exit(Pid, maps:from_list([{0.0, a}, {binary_to_term(<<131, 70, 1:1, 0:63>>), b}])),
    receive {'DOWN', Ref, _, _, Reason} -> io:format("# ~p~n", [Reason]) after ms(20000) -> exit(no_down) end,
    hello = call({sender, Node}, hello),
    Connection =:= connection(Node).
