#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# What we read and write means the same to a real Erlang.
build=$1
tool=$(realpath "$build/tests/erl_terms")
n=0 bad=0
ok()
{
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; bad=1; fi
}
if ! command -v erl > /dev/null; then
	echo "ok 1 - a real Erlang # SKIP there is none"
	echo "1..1"
	exit 0
fi
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cat > "$dir/texts" <<'END'
0
-1
255
256
2147483648
-9223372036854775809
123456789012345678901234567890
16#ffffffffffffffffffffffff
1.0
-0.0
1.0e300
0.1
5.0e-324
123456789012345.6
$a
$\n
'Hello World'
'it\'s'
'日本'
'end'
"abc"
"a\x{3b1}\n\t\""
"日本"
""
[1,2|3]
[a|[b,c]]
{}
{a,{b,[c,"d",<<"e">>]}}
#{}
#{a => 1, "b" => [2.5], {c} => #{d => e}}
<<>>
<<"abc">>
<<"åß">>
<<"åß日"/utf8>>
<<1,2,3:5>>
<<-1:16,500:12>>
<<16#123456789abcdef0123:76>>
fun lists:map/2
END
# random terms of every kind, and 40 numbers around the limits of the encodings
cat > "$dir/t.erl" <<'END'
-module(t).
-export([main/1]).

main([Dir]) ->
    rand:seed(exsss, {1, 2, 3}),
    Texts = lines(Dir ++ "/texts"),
    Parsed = [unhex(L) || L <- lines(Dir ++ "/parsed")],
    Same = [eval(T) =:= binary_to_term(B) || {T, B} <- lists:zip(Texts, Parsed)],
    report("read", Texts, Same),
    Terms = [random(4) || _ <- lists:seq(1, 1000)]
        ++ [Sign * (1 bsl N) + D || Sign <- [1, -1], N <- [7, 8, 27, 28, 31, 32, 59, 63, 64, 65, 2040, 40000],
                                    D <- [-1, 0, 1]]
        ++ [list_to_tuple(lists:seq(1, N)) || N <- [255, 256]]
        ++ [lists:duplicate(70000, 1), lists:duplicate(70000, 1000)]
        ++ [begin <<F/float>> = <<X:64>>, F end || _ <- lists:seq(1, 300), X <- [rand:uniform(16#7fe) bsl 52 + rand:uniform(1 bsl 52) - 1]],
    file:write_file(Dir ++ "/terms", [[hex(term_to_binary(T)), $\n] || T <- Terms]),
    os:cmd(Dir ++ "/tool print < " ++ Dir ++ "/terms > " ++ Dir ++ "/printed"),
    Printed = lines(Dir ++ "/printed"),
    report("written", Printed, [eval(P) =:= T || {P, T} <- lists:zip(Printed, Terms)]),
    os:cmd(Dir ++ "/tool parse < " ++ Dir ++ "/printed > " ++ Dir ++ "/again"),
    Again = lines(Dir ++ "/again"),
    report("read back", Printed, [binary_to_term(unhex(A)) =:= T || {A, T} <- lists:zip(Again, Terms)]),
    halt(0).

report(What, Texts, Same) ->
    io:format("~s ~b ~b~n", [What, length(Same), length([x || true <- Same])]),
    [io:format("# ~s: ~ts~n", [What, T]) || {T, false} <- lists:zip(Texts, Same)].

lines(File) ->
    {ok, B} = file:read_file(File),
    [unicode:characters_to_list(L) || L <- binary:split(B, <<"\n">>, [global]), L =/= <<>>].

eval(Text) ->
    {ok, Tokens, _} = erl_scan:string(Text ++ "."),
    {ok, Exprs} = erl_parse:parse_exprs(Tokens),
    {value, V, _} = erl_eval:exprs(Exprs, []),
    V.

hex(B) -> [io_lib:format("~2.16.0b", [X]) || <<X>> <= B].
unhex(L) -> binary:decode_unsigned(list_to_binary(L), big), list_to_binary(pairs(L)).
pairs([A, B | T]) -> [list_to_integer([A, B], 16) | pairs(T)];
pairs([]) -> [].

random(0) -> scalar(rand:uniform(8));
random(D) ->
    case rand:uniform(12) of
        1 -> [random(D - 1) || _ <- lists:seq(1, rand:uniform(4))];
        2 -> list_to_tuple([random(D - 1) || _ <- lists:seq(1, rand:uniform(4))]);
        3 -> maps:from_list([{random(D - 1), random(D - 1)} || _ <- lists:seq(1, rand:uniform(4))]);
        4 -> [random(D - 1) | random(D - 1)];
        _ -> scalar(rand:uniform(8))
    end.

scalar(1) -> rand:uniform(1 bsl rand:uniform(200)) - (1 bsl 60);
scalar(2) -> rand:normal() * math:pow(10, rand:uniform(60) - 30);
scalar(3) -> list_to_atom([chr() || _ <- lists:seq(1, rand:uniform(6))]);
scalar(4) -> list_to_binary([rand:uniform(256) - 1 || _ <- lists:seq(1, rand:uniform(6))]);
scalar(5) -> unicode:characters_to_binary([chr() || _ <- lists:seq(1, rand:uniform(6))]);
scalar(6) -> N = rand:uniform(40), <<(rand:uniform(1 bsl N) - 1):N>>;
scalar(7) -> [chr() || _ <- lists:seq(1, rand:uniform(6))];
scalar(8) -> rand:uniform(1000) - 500.

chr() ->
    case rand:uniform(5) of
        1 -> rand:uniform(255);
        2 -> rand:uniform(16#d7ff);
        3 -> 16#e000 + rand:uniform(16#1000);
        4 -> 16#10000 + rand:uniform(16#ffff);
        5 -> $a + rand:uniform(26) - 1
    end.
END
cp "$tool" "$dir/tool"
"$tool" parse < "$dir/texts" > "$dir/parsed"
ok $? "all texts are read"
HOME=$dir erlc -o "$dir" "$dir/t.erl" > "$dir/log" 2>&1
HOME=$dir erl +fnu -noshell -pa "$dir" -run t main "$dir" > "$dir/out" 2>&1
sed -n 's/^#/#/p' "$dir/out" | head -20
for what in read written "read back"; do
	# shellcheck disable=SC2046
	set -- $(sed -n "s/^$what \([0-9]*\) \([0-9]*\)$/\1 \2/p" "$dir/out")
	[ -n "$1" ] && [ "$1" = "$2" ]
	ok $? "$what: $2 of $1 terms mean the same to Erlang"
done
[ $bad -eq 0 ] || sed 's/^/# /' "$dir/out" | head -30
echo "1..$n"
exit $bad
