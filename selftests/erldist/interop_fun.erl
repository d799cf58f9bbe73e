%% SPDX-License-Identifier: GPL-2.0-only
%% The functions that the program served serves, for an Erlang node to serve.
-module(interop_fun).
-export([echo/1, do_throw/1, do_exit/1, do_error/1, only_int/1, enoent/0, sum/2]).
-export([arity/0, arity/1, arity/2, arity/3, sleep/2, never/0, tell/2]).

echo(X) -> X.

do_throw(X) -> throw(X).

do_exit(X) -> exit(X).

do_error(X) -> error(X).

only_int(X) when is_integer(X) -> X;
only_int(X) -> error(badarg, [X]).

enoent() -> error(enoent).

sum(A, B) when is_integer(A), is_integer(B) -> A + B;
sum(A, B) -> error(badarg, [A, B]).

arity() -> 0.
arity(_) -> 1.
arity(_, _) -> 2.
arity(_, _, _) -> 3.

sleep(Ms, X) -> timer:sleep(Ms), X.

never() -> receive after infinity -> ok end.

tell(Pid, X) when is_pid(Pid) -> Pid ! {self(), X}, told;
tell(Pid, X) -> error(badarg, [Pid, X]).
