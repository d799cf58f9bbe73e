#!/usr/bin/env escript
%%! +A0 +S1
%% SPDX-License-Identifier: GPL-2.0-only
%%
%% The scanner (scan_pipe) against the decoder of the Erlang that is installed:
%% what this accepts and the scanner need not is in allowed/1, the other way
%% round nothing is allowed.
%%
%% Usage: scan.escript [Terms [Seed]]

-mode(compile).

main(Args) ->
    {Count, Seed} = arguments([list_to_integer(A) || A <- Args]),
    rand:seed(exsss, Seed),
    Dir = filename:dirname(filename:absname(escript:script_name())),
    Out = case os:getenv("OUT") of
              false -> filename:join(Dir, "build");
              O -> O
          end,
    Port = open_port({spawn_executable, filename:join(Out, "scan_pipe")},
                     [{packet, 4}, binary, exit_status]),
    io:format("TAP version 13~n1..5~n# OTP ~s, ~b terms, seed ~b~n",
              [erlang:system_info(otp_release), Count, Seed]),
    Results = [run(1, "terms of term_to_binary() are accepted",
                   fun() -> native(Port, Count) end),
               run(2, "terms in other encodings are accepted",
                   fun() -> encoded(Port, Count) end),
               run(3, "mutated terms that are accepted can be decoded, and back",
                   fun() -> mutated(Port, 8 * Count) end),
               run(4, "maps of any keys in two encodings are refused",
                   fun() -> duplicates(Port, Count) end),
               run(5, "the rows of terms.h are right",
                   fun() -> rows(filename:join(Out, "test_scan")) end)],
    halt(case lists:all(fun(R) -> R end, Results) of true -> 0; false -> 1 end).

arguments([]) -> {800, erlang:unique_integer([positive]) +
                      erlang:system_time()};
arguments([Count]) -> {Count, erlang:system_time()};
arguments([Count, Seed]) -> {Count, Seed}.

run(N, Name, Test) ->
    try Test() of
        ok -> io:format("ok ~b - ~s~n", [N, Name]), true
    catch
        throw:{What, Bin} ->
            io:format("# ~s: ~w~nnot ok ~b - ~s~n", [What, Bin, N, Name]),
            false
    end.

repeat(0, _) -> ok;
repeat(N, F) -> F(), repeat(N - 1, F).

native(Port, Count) ->
    repeat(Count, fun() ->
        Minor = pick([0, 1, 2, 2, 2]),
        Term = term(size(), Minor =:= 0),
        <<131, Bin/binary>> = term_to_binary(Term, [{minor_version, Minor}]),
        scan(Port, Bin) orelse throw({"refused", Bin})
    end).

encoded(Port, Count) ->
    repeat(Count, fun() ->
        Bin = iolist_to_binary(encode(term(size(), true), false)),
        decodes(Bin) orelse throw({"test is wrong", Bin}),
        scan(Port, Bin) orelse throw({"refused", Bin})
    end).

mutated(Port, Count) ->
    repeat(Count, fun() ->
        Bin = mutate(iolist_to_binary(encode(term(pick([1, 2, 3, 5, 20]), false),
                                             false))),
        check(decodes(Bin), scan(Port, Bin), Bin)
    end).

check(Same, Same, _) -> ok;
check(false, true, Bin) ->
    narrow(Bin) orelse throw({"accepted, but not by erl", Bin});
check(true, false, Bin) ->
    allowed(Bin) orelse throw({"refused, but not by erl", Bin}).

duplicates(Port, Count) ->
    repeat(Count, fun() ->
        Key = term(pick([1, 2, 5, 20]), true),
        Others = [{K, 0} || K <- lists:usort([rand:uniform(1000)
                            || _ <- lists:seq(1, pick([0, 1, 7, 40])) ]),
                  K =/= Key],
        Pairs = shuffle([{Key, 1}, {Key, 2} | Others]),
        Bin = iolist_to_binary([<<116, (length(Pairs)):32>>,
                                [[encode(K, true), encode(V, false)]
                                 || {K, V} <- Pairs]]),
        scan(Port, Bin) andalso throw({"accepted", Bin}),
        decodes(Bin) andalso throw({"test is wrong", Bin})
    end).

%% OTP 25 has a narrower range for what is its own, which cannot be known from
%% the handshake: pids of 15 and 13 bits, references of 3 words.
narrow(Bin) ->
    erlang:system_info(otp_release) =:= "25" andalso
        lists:any(fun({At, Len}) -> narrow(Bin, At, Len) end,
                  binary:matches(Bin, atom_to_binary(node()))).

narrow(Bin, At, Len) ->
    Before = binary:part(Bin, max(0, At - 5), min(At, 5)),
    Tail = binary:part(Bin, At + Len, byte_size(Bin) - At - Len),
    case Tail of
        <<Id:32, Serial:32, _/binary>> when Id >= 1 bsl 15; Serial >= 1 bsl 13 ->
            binary:match(Before, [<<88>>, <<103>>]) =/= nomatch;
        _ ->
            binary:match(Before, [<<90, 0, 4>>, <<90, 0, 5>>,
                                  <<114, 0, 4>>, <<114, 0, 5>>]) =/= nomatch
    end.

rows(Program) ->
    [row(string:split(string:trim(Line), " ", all))
     || Line <- string:lexemes(os:cmd(Program ++ " --rows"), "\n")],
    ok.

row([Verdict, Hex | Words]) ->
    Name = lists:flatten(lists:join(" ", Words)),
    Bin = binary:decode_hex(list_to_binary(Hex)),
    %% What the peer is called there, this node is not
    Own = string:find(Name, "peer") =/= nomatch,
    case Own orelse decodes(Bin) =:= (Verdict =:= "1")
         orelse Verdict =:= "0" andalso lists:member(Name, stricter()) of
        true -> ok;
        false -> throw({Name, Bin})
    end.

%% Rows that are refused though this release decodes them
stricter() ->
    ["fun, size too large", "fun, size too small",
     "fun, creator is an atom",
     "export, arity 256", "export, arity 300",  % ends the VM of OTP 27 and 29
     "tuple of 2^24",
     "reference of 0 words",
     "atom by index",
     "compressed"].

%% Decoded without the version, all of it
decodes(Bin) ->
    All = byte_size(Bin) + 1,
    try {_, All} = binary_to_term(<<131, Bin/binary>>, [used]), true
    catch error:_ -> false
    end.

%% What the scanner refuses though this release decodes it. A mutated term is
%% only searched for the bytes that make such a case.
allowed(Bin) ->
    lists:any(fun(Tag) -> binary:match(Bin, <<Tag>>) =/= nomatch end,
              [99,      % FLOAT_EXT in a key, or with a decimal comma
               112,     % NEW_FUN_EXT: Size, creator that is no pid, numbers
               113,     % EXPORT_EXT: arity over 255, odd encoding
               73, 75,  % atoms by their index in erts' own table
               80]).    % compressed

scan(Port, Bin) ->
    Name = atom_to_binary(node()),
    <<131, 88, 119, Len, _:Len/binary, _:64, Creation:32>> =
        own(term_to_binary(self())),
    Cut = pick([1, 2, 3, 7, 1000000]),
    port_command(Port, [<<Creation:32, (byte_size(Name)), Name/binary, Cut:32>>,
                        Bin]),
    receive
        {Port, {data, <<Ok>>}} -> Ok =:= 1;
        {Port, {exit_status, S}} -> throw({"scan_pipe died", {S, Bin}})
    end.

own(<<131, 103, 100, Len:16, Name:Len/binary, Id:64, Creation>>) ->
    <<131, 88, 119, Len, Name/binary, Id:64, Creation:32>>;
own(<<131, 88, 100, Len:16, Rest/binary>>) ->
    <<131, 88, 119, Len, Rest/binary>>;
own(Bin) -> Bin.

%%% Random terms

pick(List) -> lists:nth(rand:uniform(length(List)), List).

shuffle(List) -> [X || {_, X} <- lists:sort([{rand:uniform(), X} || X <- List])].

size() -> pick([1, 1, 2, 5, 20, 50]).

%% NoFloat: none within keys
term(Size, NoFloat) -> term(Size, NoFloat, false).

term(Size, _, Key) when Size =< 1 -> leaf(Key);
term(Size, NF, Key) ->
    Sub = fun() -> term(Size div pick([2, 3, 4]), NF, Key) end,
    case rand:uniform(9) of
        1 -> leaf(Key);
        2 -> [Sub() || _ <- lists:seq(1, rand:uniform(5))];
        3 -> [Sub(), Sub() | Sub()];
        4 -> list_to_tuple([Sub() || _ <- lists:seq(1, rand:uniform(5))]);
        5 -> list_to_tuple(lists:duplicate(pick([0, 3, 300]), leaf(Key)));
        6 -> A = Sub(), B = Sub(), pick([fun() -> A end, fun(X) -> {X, A, B} end]);
        7 -> maps:from_list([{rand:uniform(1 bsl 40), x}
                             || _ <- lists:seq(1, pick([1, 3, 32, 33, 60]))]);
        _ -> maps:from_list([{term(Size div 3, NF, Key orelse NF), Sub()}
                             || _ <- lists:seq(1, pick([1, 2, 3, 5, 40]))])
    end.

leaf(Key) ->
    case rand:uniform(if Key -> 11; true -> 12 end) of
        1 -> rand:uniform(300) - 20;
        2 -> integer(rand:uniform(80));
        3 -> integer(pick([1, 8, 28, 31, 32, 59, 60, 63, 64, 800, 4000]));
        4 -> pick([a, '', ok, 'nonode@nohost', 'żółw', 'ÿé', true]);
        5 -> list_to_atom([pick("abcdefghß€𐍈") || _ <- lists:seq(1, pick([1, 2, 250, 255]))]);
        6 -> rand:bytes(pick([0, 1, 5, 64, 65, 300]));
        7 -> Bits = rand:uniform(70), <<(rand:uniform(1 bsl Bits)):Bits>>;
        8 -> pick([[], "abc", {}, #{}, "", lists:seq(0, 255)]);
        9 -> pick([self(), make_ref(), hd(erlang:ports())]);
        10 -> foreign();
        11 -> pick([fun lists:map/2, fun erlang:node/0, fun no:such/255]);
        12 -> float()
    end.

float() ->
    case rand:uniform(3) of
        1 -> pick([0.0, 1.0, -1.5, 1.7976931348623157e308, 5.0e-324, 1.0e22]);
        2 -> rand:normal() * math:pow(10, rand:uniform(600) - 300);
        3 -> float(rand:uniform(100))
    end.

integer(Bits) ->
    N = (1 bsl Bits) - pick([0, 1, rand:uniform(1 bsl Bits)]),
    pick([N, -N]).

foreign() ->
    Node = <<119, 6, "x@host">>,
    %% OTP 25 hashes three words of a reference, be they there or not
    Words = pick([3, 4, 5]),
    Any = rand:bytes(20),
    Bin = pick([<<88, Node/binary, -1:32, -1:32, 77:32>>,
                <<103, Node/binary, -1:32, -1:32, 3>>,
                <<120, Node/binary, -1:64, 77:32>>,
                <<89, Node/binary, -1:32, 77:32>>,
                <<90, Words:16, Node/binary, 77:32, Any:Words/binary-unit:32>>,
                <<114, Words:16, Node/binary, 2, 16#3ffff:32,
                  Any:(Words - 1)/binary-unit:32>>]),
    binary_to_term(<<131, Bin/binary>>).

%%% Encoding, with a choice among equal ones where there is one

encode(T, _) when is_integer(T) -> encode_integer(T);
encode(T, Key) when is_float(T) -> encode_float(T, Key);
encode(T, _) when is_atom(T) -> encode_atom(T);
encode(T, _) when is_binary(T) ->
    N = byte_size(T),
    pick([<<109, N:32, T/binary>> |
          [<<77, N:32, 8, T/binary>> || N > 0] ++ [<<77, 0:32, 0>> || N =:= 0]]);
encode(T, _) when is_bitstring(T) ->
    Bits = bit_size(T) rem 8,
    Pad = rand:uniform(1 bsl (8 - Bits)) - 1,
    <<77, (byte_size(T)):32, Bits, T/bitstring, Pad:(8 - Bits)>>;
encode(T, Key) when is_tuple(T) ->
    N = tuple_size(T),
    [pick([<<105, N:32>> | [<<104, N>> || N < 256]]),
     [encode(E, Key) || E <- tuple_to_list(T)]];
encode([], _) -> pick([<<106>>, <<107, 0:16>>, <<108, 0:32, 106>>]);
encode([_ | _] = T, Key) -> encode_list(T, Key);
encode(T, Key) when is_map(T) ->
    [<<116, (map_size(T)):32>>,
     [[encode(K, true), encode(V, Key)] || {K, V} <- shuffle(maps:to_list(T))]];
encode(T, _) when is_pid(T); is_port(T); is_reference(T) ->
    <<131, Bin/binary>> = term_to_binary(T),
    Bin;
encode(T, _) ->
    <<131, Bin/binary>> = term_to_binary(T),
    Bin.

encode_list(T, Key) ->
    Bytes = is_list(catch length(T)) orelse is_integer(catch length(T)) andalso
        length(T) < 65536 andalso
        lists:all(fun(E) -> is_integer(E) andalso E >= 0 andalso E < 256 end, T),
    case Bytes andalso pick([true, false]) of
        true -> [<<107, (length(T)):16>>, T];
        false -> encode_cons(T, Key)
    end.

encode_cons(T, Key) ->
    {Some, Tail} = split(T, pick([1, 2, 1000]), []),
    [<<108, (length(Some)):32>>, [encode(E, Key) || E <- Some],
     encode(Tail, Key)].

split([H | T], N, Acc) when N > 0 -> split(T, N - 1, [H | Acc]);
split(T, _, Acc) -> {lists:reverse(Acc), T}.

encode_integer(N) ->
    Sign = if N < 0 -> 1; true -> 0 end,
    Digits0 = case abs(N) of
                  0 -> <<>>;
                  A -> list_to_binary(lists:reverse(binary_to_list(binary:encode_unsigned(A))))
              end,
    Digits = <<Digits0/binary, 0:(8 * pick([0, 0, 1, 9]))>>,
    Size = byte_size(Digits),
    pick([<<111, Size:32, Sign, Digits/binary>> |
          [<<110, Size, Sign, Digits/binary>> || Size < 256] ++
          [<<98, N:32>> || N >= -(1 bsl 31), N < 1 bsl 31] ++
          [<<97, N>> || N >= 0, N < 256]]).

encode_float(F, true) -> <<70, F/float>>;
encode_float(F, false) ->
    <<131, Old:32/binary>> = term_to_binary(F, [{minor_version, 0}]),
    pick([<<70, F/float>>, Old]).

encode_atom(A) ->
    Utf8 = atom_to_binary(A, utf8),
    N = byte_size(Utf8),
    Latin1 = try atom_to_binary(A, latin1) of
                 L -> [<<100, (byte_size(L)):16, L/binary>>,
                       <<115, (byte_size(L)), L/binary>>]
             catch error:_ -> []
             end,
    pick([<<118, N:16, Utf8/binary>> |
          [<<119, N, Utf8/binary>> || N < 256] ++ Latin1]).

%%% Mutation

mutate(Bin) -> mutate(Bin, pick([1, 1, 1, 2, 4])).

mutate(Bin, 0) -> Bin;
mutate(<<>>, _) -> <<>>;
mutate(Bin, N) ->
    At = rand:uniform(byte_size(Bin)) - 1,
    <<A:At/binary, B, C/binary>> = Bin,
    mutate(case rand:uniform(6) of
               1 -> <<A/binary, (rand:uniform(256) - 1), C/binary>>;
               2 -> <<A/binary, (B bxor (1 bsl (rand:uniform(8) - 1))), C/binary>>;
               3 -> <<A/binary, C/binary>>;
               4 -> <<A/binary, B, B, C/binary>>;
               5 -> <<A/binary, (pick(tags())), C/binary>>;
               6 -> <<A/binary, (B + pick([1, -1])), C/binary>>
           end, N - 1).

tags() -> [70, 77, 88, 89, 90, 97, 98, 99, 100, 101, 102, 103, 104, 105, 106, 107,
           108, 109, 110, 111, 112, 113, 114, 115, 116, 117, 118, 119, 120, 121,
           131, 80, 82, 67, 0, 255].
