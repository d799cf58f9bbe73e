%% SPDX-License-Identifier: GPL-2.0-only
%% What Erlang promises about signals: a model to compare a run with.
%%
%% Processes have links, monitors and aliases. What one does takes effect at once
%% where it is, and what that is to the other goes into the channel between the
%% two, in order. Between channels there is no order: what is at the head of any
%% may be delivered at any time. check/3 takes all the ways in which some
%% operations of some processes may have gone, and tells the states to which
%% those lead that explain what each process has seen. None: a promise is broken.
%%
%% A connection that is lost (between the sides a and b) is lost for each channel
%% at a time of its own: what was not delivered before never is; then come the
%% signals with noconnection; then what was sent by the new connection. A sender
%% changes to the new connection at any time, at the latest when it has been told.
%%
%% What asks something of a process that has ended is answered with noproc, by the
%% node, at any time. Of its own node Erlang says it at once, and once more to who
%% is still to be told that a link has ended (option eager).
%%
%% Links have the protocol of unlink and acknowledgement that distribution has:
%% from an unlink to its acknowledgement no exit signal of the link is taken.
%%
%% Operations: {send, To, How, Message}, {asend, To, N, Message} (to the alias N),
%% {link, To}, {unlink, To}, {monitor, To, How, N, Mode}, {demonitor, N, plain |
%% flush}, {alias, N, Mode}, {unalias, N}, {exit, To, Reason}, {die, How, Reason},
%% {trap, Boolean}. Mode: none, demonitor, reply_demonitor, explicit_unalias,
%% explicit, reply.
%%
%% What a process has seen, in order: op (one more operation has returned), drained
%% (all that there was then has been read), {got, What}, and {dead, Reason} or closed
%% (it ended itself, if nothing else ended it before). What is a message, {exit, From,
%% Reason} or {down, N, Reason}.
-module(interop_signals).
-export([new/1, add/4, trap/2, dirty/2, forget/2, check/3]).

-define(MOST, 150000).          % states: hardly any batch has more

-record(actor, {side,
                alive = true,
                trap = false,
                links = #{},            % Other => old | new | lost
                unlinking = #{},        % Other => {Id, old | new}
                monitors = #{},         % N => {Other, old | new}
                watchers = #{},         % N => Other
                aliases = #{},          % N => Mode
                unlinks = 0,
                dirty = false,          % may an EXIT normal be under way that is ignored?
                %% of the present check
                ops = [],               % [{Op, got before, has it returned?}]
                got = [],               % [{What, operations before}]
                n_ops = 0,              % done
                n_got = 0,              % delivered, to be read
                fate = lives}).         % lives | {dead, Reason} | closed

%% Actors; channels {From, To} => [signal], where From is {nobody, I} for what comes in
%% place of I ({late, I} since the last check); channels of a connection that is being
%% lost => {by which From sends: old | new, what To knows: old | seen}
-record(state, {eager, actors = #{}, channels = #{}, lost = #{}}).

%% A check: the states to remember, those at the end, how many there were in all
-record(search, {loss, seen = #{}, ends = #{}, n = 0}).

%% Eager: the sides that are Erlang nodes
new(Eager) ->
    #state{eager = Eager}.

add(#state{actors = As} = S, I, Side, Trap) ->
    S#state{actors = As#{I => #actor{side = Side, trap = Trap}}}.

trap(#state{actors = As}, I) ->
    (maps:get(I, As))#actor.trap.

%% An exit signal that means nothing to a process that does not trap may come late.
dirty(#state{actors = As}, I) ->
    (maps:get(I, As))#actor.dirty.

%% Of the dead only those in Keep are still known
forget(#state{actors = As, channels = Cs} = S, Keep) ->
    Busy = [I || {From, To} <- maps:keys(Cs), I <- [who(From), To]],
    Known = fun(I, A) -> A#actor.alive orelse lists:member(I, Keep)
                             orelse lists:member(I, Busy)
            end,
    S#state{actors = maps:filter(Known, As)}.

%% Loss: none, or the connection between the sides was lost meanwhile. Ops and
%% Logs: what each process was to do, and has seen.
%% {States, nodes visited}: none, where nothing explains it with nothing under way
%% at the end. If something does, it may still be that something is: an answer in
%% place of a process that has ended, for which nothing tells when it must have come;
%% until the end of the next check it has.
check(States, {Loss, Ops}, Logs) ->
    Begin = [begin_check(S, Loss, Ops, Logs) || S <- States],
    {Ends, N} = explore(Begin, #search{loss = Loss}),
    Next = case lists:member(all, maps:values(Ends)) of
               true -> lists:usort([end_check(S) || S <- maps:keys(Ends)]);
               false -> []
           end,
    {Next, N}.

begin_check(#state{actors = As, channels = Cs} = S, Loss, Ops, Logs) ->
    As1 = maps:map(fun(I, A) ->
                           log(A, maps:get(I, Ops, []), maps:get(I, Logs, []))
                   end, As),
    S#state{actors = As1, lost = lost(Loss, As1),
            channels = maps:from_list([{late(C), Signals} || {C, Signals} <- maps:to_list(Cs)])}.

late({{nobody, I}, To}) -> {{late, I}, To};
late(C) -> C.

lost(none, _) ->
    #{};
lost(lost, As) ->
    maps:from_list([{{I, J}, {old, old}}
                    || {I, #actor{side = X, alive = true}} <- maps:to_list(As),
                       {J, #actor{side = Y, alive = true}} <- maps:to_list(As), X =/= Y]).

log(A, Ops, Log) ->
    {Got, Before, Fate} = log(Log, 0, 0, [], [], lives),
    A#actor{ops = returned(Ops, Before, length(Got)), got = Got, n_ops = 0, n_got = 0,
            fate = Fate}.

%% Drained operations; reads; reads with those; reads before each operation
log([op | T], Drained, N, Got, Before, Fate) -> log(T, Drained, N, Got, [N | Before], Fate);
log([drained | T], Drained, N, Got, Before, Fate) -> log(T, Drained + 1, N, Got, Before, Fate);
log([{got, What} | T], Drained, N, Got, Before, Fate) ->
    log(T, Drained, N + 1, [{What, Drained} | Got], Before, Fate);
log([End | T], Drained, N, Got, Before, lives) -> log(T, Drained, N, Got, Before, End);
log([], _, _, Got, Before, Fate) -> {lists:reverse(Got), lists:reverse(Before), Fate}.

returned([Op | Ops], [N | Before], All) -> [{Op, N, true} | returned(Ops, Before, All)];
%% It tells of one before it begins the next.
returned([Op | _], [], All) -> [{Op, All, false}];
returned([], _, _) -> [].

end_check(#state{actors = As} = S) ->
    S#state{lost = #{}, actors = maps:map(fun(_, A) ->
                                      A#actor{ops = [], got = [], n_ops = 0, n_got = 0,
                                              fate = lives}
                              end, As)}.

%%
%% The search
%%

explore([], #search{ends = Ends, n = N}) ->
    {Ends, N};
explore([S | Rest], #search{seen = Seen} = X) ->
    case Seen of
        #{S := _} -> explore(Rest, X);
        _ -> follow(S, Rest, X#search{seen = Seen#{S => true}})
    end.

%% Where there is one way on only, what is on it is remembered after a loss alone:
%% there many ways lead into its middle.
follow(_, _, #search{n = N}) when N > ?MOST ->
    throw(too_many);
follow(S, Rest, #search{n = N, loss = Loss, ends = Ends} = X) ->
    X1 = X#search{n = N + 1},
    case steps(S) of
        [Next] when Loss =:= none -> follow(Next, Rest, X1);
        [_ | _] = Next -> explore(Next ++ Rest, X1);
        [] ->
            case what_end(S, Loss) of
                none -> explore(Rest, X1);
                What -> explore(Rest, X1#search{ends = Ends#{S => What}})
            end
    end.

%% All: all is explained, and nothing is under way but, where a connection was lost,
%% what the dead have sent. Some: what comes in place of the dead is.
what_end(#state{actors = As, channels = Cs, lost = L} = S, Loss) ->
    Explained = lists:all(fun done/1, maps:values(As))
        andalso lists:all(fun({_, Told}) -> Told =:= seen end, maps:values(L)),
    Left = [From || {From, _} <- maps:keys(Cs),
                    not (Loss =:= lost andalso not (actor(who(From), S))#actor.alive)],
    case Explained of
        true when Left =:= [] -> all;
        true -> case [From || From <- Left, not is_nobody(From)] of
                    [] -> some;
                    _ -> none
                end;
        false -> none
    end.

is_nobody({nobody, _}) -> true;
is_nobody(_) -> false.

done(#actor{alive = true, fate = lives, ops = [], got = []}) -> true;
done(#actor{alive = false, got = []}) -> true;
done(_) -> false.

%% What may happen next. One thing only where it does not matter when it happens:
%% where nothing that could happen before would make a difference.
steps(S) ->
    case safe_op(maps:iterator(S#state.actors), S) of
        none ->
            case safe_delivery(maps:iterator(S#state.channels), S) of
                none ->
                    case safe_loss(maps:to_list(S#state.lost), S) of
                        none -> all_steps(S);
                        Next -> [Next]
                    end;
                Next -> [Next]
            end;
        Next -> [Next]
    end.

all_steps(S) ->
    lists:append([do_next(I, A, S) || {I, A} <- maps:to_list(S#state.actors)])
        ++ lists:append([deliver(C, S) || C <- maps:keys(S#state.channels)])
        ++ [S1 || C <- maps:keys(S#state.lost), S1 <- [lose(C, S)], S1 =/= false].

safe_op(Iterator, S) ->
    case maps:next(Iterator) of
        none -> none;
        {I, #actor{alive = true, ops = [{Op, _, Returned} | _]} = A, Next} ->
            case (Returned orelse A#actor.fate =:= lives) andalso is_safe(Op)
                 andalso do_next(I, A, S) of
                [S1] -> S1;
                _ -> safe_op(Next, S)
            end;
        {_, _, Next} -> safe_op(Next, S)
    end.

%% It only adds to what is under way.
is_safe(Op) ->
    lists:member(element(1, Op), [send, asend, monitor, alias, exit]).

safe_delivery(Iterator, S) ->
    case maps:next(Iterator) of
        none -> none;
        {{From, To} = C, [Signal | Rest], Next} ->
            case safe_deliver(C, Signal, Rest, who(From), actor(To, S), S) of
                [S1 | _] -> S1;
                _ -> safe_delivery(Next, S)
            end
    end.

safe_deliver(C, {bag, Signals}, Rest, From, A, S) ->
    first(fun(X) ->
                  safe_deliver(C, X, Rest, From, A, S) =/= []
                      andalso arrive(From, element(2, C), A, X,
                                     put_back(C, Signals -- [X], put_rest(C, Rest, S)))
          end, Signals);
safe_deliver(C, Signal, Rest, From, A, S) ->
    case is_safe(From, Signal, Rest, A, S) of
        true -> arrive_head(C, Signal, Rest, S);
        false -> []
    end.

first(_, []) -> [];
first(Fun, [H | T]) ->
    case Fun(H) of
        [_ | _] = Next -> Next;
        _ -> first(Fun, T)
    end.

is_safe(_, new_connection, _, _, _) -> false;
is_safe(_, _, _, #actor{alive = false}, _) -> true;
is_safe(_, _, _, #actor{fate = lives, ops = []}, _) -> true;
is_safe(From, Signal, Rest, #actor{fate = Fate, ops = Ops} = A, S) ->
    not lists:any(fun({Op, _, _}) -> meets(Op, From, Signal) end, Ops)
        andalso (Fate =:= lives orelse is_safe_before_end(Signal, From, Rest, A, S)).

%% Is it all the same, or sure, that it comes before the process's end?
is_safe_before_end({message, _}, _, _, _, _) -> true;
is_safe_before_end({to_alias, _, _}, _, _, _, _) -> true;
is_safe_before_end({unlinked, _}, _, _, _, _) -> true;
is_safe_before_end({down, _, _}, _, _, _, _) -> true;
is_safe_before_end({demonitor, _}, _, _, _, _) -> true;
is_safe_before_end({unlink, _}, From, Rest, _, S) ->
    (actor(From, S))#actor.ops =:= [] andalso not lists:member(link, Rest);
is_safe_before_end({monitor, N}, From, _, #actor{fate = {dead, R}}, S) when R =/= noproc ->
    not lists:keymember({down, N, noproc}, 1, (actor(From, S))#actor.got);
is_safe_before_end({exit, _}, From, _, #actor{trap = Trap, links = Ls}, _) ->
    Trap orelse not maps:is_key(From, Ls);
is_safe_before_end({exit2, R}, _, _, #actor{trap = Trap}, _) ->
    R =/= kill andalso (Trap orelse R =:= normal);
is_safe_before_end(_, _, _, _, _) -> false.

%% Does it matter which of them is first?
meets({link, From}, From, Signal) -> of_link(Signal);
meets({unlink, From}, From, Signal) -> of_link(Signal);
meets({demonitor, N, _}, _, Signal) -> of_ref(N, Signal);
meets({unalias, N}, _, Signal) -> of_ref(N, Signal);
meets({trap, _}, _, {exit, _}) -> true;
meets({trap, _}, _, {exit2, _}) -> true;
meets({trap, _}, _, lost_link) -> true;
meets(Op, From, {bag, Signals}) -> lists:any(fun(X) -> meets(Op, From, X) end, Signals);
meets(_, _, _) -> false.

of_link(link) -> true;
of_link({unlink, _}) -> true;
of_link({unlinked, _}) -> true;
of_link({exit, _}) -> true;
of_link(lost_link) -> true;
of_link({bag, Signals}) -> lists:any(fun of_link/1, Signals);
of_link(_) -> false.

of_ref(N, {to_alias, N, _}) -> true;
of_ref(N, {down, N, _}) -> true;
of_ref(N, {bag, Signals}) -> lists:any(fun(X) -> of_ref(N, X) end, Signals);
of_ref(_, _) -> false.

%% A channel by which nothing goes: nothing is to be lost, nothing can be late.
safe_loss([], _) ->
    none;
safe_loss([{{From, To} = C, {_, old}} | Rest], #state{channels = Cs} = S) ->
    Idle = not maps:is_key(C, Cs)
        andalso not lists:any(fun is_answered/1, maps:get({To, From}, Cs, []))
        andalso idle(From, To, S) andalso idle(To, From, S),
    case Idle andalso lose(C, S) of
        false -> safe_loss(Rest, S);
        S1 -> S1
    end;
safe_loss([_ | Rest], S) ->
    safe_loss(Rest, S).

%% May it lead to a signal the other way?
is_answered(link) -> true;
is_answered({unlink, _}) -> true;
is_answered({monitor, _}) -> true;
is_answered({to_alias, _, _}) -> true;
is_answered(_) -> false.

%% Will I do nothing that concerns Other? If it ends with noconnection, others are
%% told the same by the loss.
idle(I, Other, S) ->
    #actor{alive = Alive, fate = Fate, ops = Ops} = A = actor(I, S),
    not Alive orelse ((Fate =:= lives orelse Fate =:= {dead, noconnection}) andalso
                      not lists:any(fun({Op, Before, _}) ->
                                            whom(Op, A) =:= Other
                                                andalso not after_loss(Other, Before, A)
                                    end, Ops)).

%% Is it done after a DOWN has been read that tells that the connection to Other is lost?
after_loss(Other, Before, #actor{got = Got, n_got = N, monitors = Ms}) ->
    lists:any(fun({{down, M, noconnection}, _}) ->
                      case Ms of
                          #{M := {Other, _}} -> true;
                          _ -> false
                      end;
                 (_) -> false
              end, lists:sublist(Got, max(0, Before - N))).

%%
%% A connection that is lost
%%

%% To is told; what it sends goes by the new connection. When it does not read it now,
%% it makes no difference that it is told: what it sends may go by that already, and
%% nothing comes by that before it has read.
lose({From, To} = C, #state{channels = Cs, lost = L} = S) ->
    case L of
        #{C := {How, old}} ->
            reads_loss(From, actor(To, S), S) andalso lose(C, How, Cs, S);
        _ -> false
    end.

lose({From, To} = C, How, Cs, S) ->
    Cs1 = case lists:dropwhile(fun(X) -> X =/= new_connection end, maps:get(C, Cs, [])) of
              [new_connection, Signal | T] -> Cs#{C => [Signal | T]};
              _ -> maps:remove(C, Cs)
          end,
    lost(From, To, flip({To, From}, seen(C, How, S#state{channels = Cs1}))).

reads_loss(From, #actor{alive = true, fate = lives, got = Got, monitors = Ms}, S) ->
    not (actor(From, S))#actor.alive
        orelse case Got of
                   [{{exit, From, noconnection}, _} | _] -> true;
                   [{{down, N, noconnection}, _} | _] ->
                       case Ms of
                           #{N := {From, _}} -> true;
                           _ -> false
                       end;
                   _ -> false
               end;
reads_loss(_, _, _) ->
    true.

%% Its sender may not have noticed: what it sends is lost.
seen(C, new, #state{lost = L} = S) ->
    S#state{lost = maps:remove(C, L)};
seen(C, old, #state{lost = L} = S) ->
    S#state{lost = L#{C := {old, seen}}}.

%% The sender changes to the new connection.
flip(C, #state{lost = L} = S) ->
    case L of
        #{C := {old, old}} ->
            S1 = put_signal(C, new_connection, S),
            S1#state{lost = L#{C := {new, old}}};
        #{C := {old, seen}} ->
            S#state{lost = maps:remove(C, L)};
        _ -> S
    end.

%% Is what Me begins now with Other of a connection that comes after the one that
%% Me is still to be told of?
tag(Me, Other, #state{lost = L}) ->
    case L of
        #{{Other, Me} := {_, old}} ->
            case maps:get({Me, Other}, L, {new, seen}) of
                {new, _} -> new;
                {old, _} -> old
            end;
        _ -> old
    end.

%%
%% Channels
%%

put_signal(C, Signal, #state{channels = Cs, lost = L} = S) ->
    case L of
        #{C := {old, seen}} -> S;
        _ -> S#state{channels = Cs#{C => maps:get(C, Cs, []) ++ [Signal]}}
    end.

put_noproc({From, To} = C, Signal, #state{channels = Cs, lost = L} = S) ->
    case {L, Cs} of
        {#{C := _}, _} -> put_signal(C, Signal, S);
        {_, #{{{nobody, From}, To} := [{bag, Signals}]}} ->
            S#state{channels = Cs#{{{nobody, From}, To} := [{bag, lists:sort([Signal | Signals])}]}};
        _ -> S#state{channels = Cs#{{{nobody, From}, To} => [{bag, [Signal]}]}}
    end.

who({nobody, I}) -> I;
who({late, I}) -> I;
who(I) -> I.

actor(I, S) ->
    maps:get(I, S#state.actors).

put_actor(I, A, #state{actors = As} = S) ->
    S#state{actors = As#{I := A}}.

deliver({From, To} = C, #state{channels = Cs} = S) ->
    [Signal | Rest] = maps:get(C, Cs),
    case Signal of
        new_connection -> [];
        {bag, Signals} -> of_bag(C, Signals, put_rest(C, Rest, S));
        {monitor, N} -> monitor_in_time(N, From, actor(To, S), arrive_head(C, Signal, Rest, S), S);
        _ -> arrive_head(C, Signal, Rest, S)
    end.

arrive_head({From, To} = C, Signal, Rest, S) ->
    arrive(who(From), To, actor(To, S), Signal, put_rest(C, Rest, S)).

%% Who reads that there was no process has not asked in time.
monitor_in_time(N, From, #actor{alive = true, fate = {dead, R}}, Next, S) when R =/= noproc ->
    case lists:keymember({down, N, noproc}, 1, (actor(From, S))#actor.got) of
        true -> [];
        false -> Next
    end;
monitor_in_time(_, _, _, Next, _) ->
    Next.

put_rest(C, [], #state{channels = Cs} = S) -> S#state{channels = maps:remove(C, Cs)};
put_rest(C, Rest, #state{channels = Cs} = S) -> S#state{channels = Cs#{C := Rest}}.

%% Any of them is the first.
of_bag({From, To} = C, Signals, S) ->
    A = actor(To, S),
    lists:append([arrive(who(From), To, A, X, put_back(C, Signals -- [X], S)) || X <- Signals]).

put_back(_, [], S) -> S;
put_back(C, Signals, #state{channels = Cs} = S) ->
    S#state{channels = Cs#{C => [{bag, Signals} | maps:get(C, Cs, [])]}}.

%% What is with From is over.
lost(From, To, S) ->
    #actor{links = Ls, unlinking = Us, monitors = Ms, watchers = Ws} = A = actor(To, S),
    {Ls1, Link} = case Ls of
                      #{From := old} -> {Ls#{From := lost}, [lost_link]};
                      #{From := new} -> {Ls#{From := old}, []};
                      _ -> {Ls, []}
                  end,
    Us1 = case Us of
              #{From := {_, old}} -> maps:remove(From, Us);
              #{From := {Id, new}} -> Us#{From := {Id, old}};
              _ -> Us
          end,
    Downs = [{down, N, noconnection} || {N, {Other, old}} <- maps:to_list(Ms), Other =:= From],
    Ms1 = maps:map(fun(_, {Other, new}) when Other =:= From -> {Other, old};
                      (_, M) -> M
                   end, Ms),
    Ws1 = maps:filter(fun(_, Other) -> Other =/= From end, Ws),
    put_back({From, To}, Link ++ Downs,
             put_actor(To, A#actor{links = Ls1, unlinking = Us1, monitors = Ms1,
                                   watchers = Ws1}, S)).

%%
%% What arrives: the states it may lead to. None: it does not arrive now.
%%

arrive(From, To, #actor{alive = false}, link, S) ->
    [put_noproc({To, From}, {exit, noproc}, S)];
arrive(From, To, #actor{alive = false}, {monitor, N}, S) ->
    [put_noproc({To, From}, {down, N, noproc}, S)];
arrive(_, _, #actor{alive = false}, _, S) ->
    [S];
arrive(_, To, A, {message, T}, S) ->
    got(To, A, T, S);
arrive(_, To, #actor{aliases = Al} = A, {to_alias, N, T}, S) ->
    case Al of
        #{N := reply} -> got(To, A#actor{aliases = maps:remove(N, Al)}, T, S);
        #{N := reply_demonitor} ->
            {A1, S1} = demonitor(N, To, A#actor{aliases = maps:remove(N, Al)}, S),
            got(To, A1, T, S1);
        #{N := _} -> got(To, A, T, S);
        _ -> [S]
    end;
arrive(_, To, A, {exit2, kill}, S) ->
    die(To, A, killed, S);
arrive(From, To, #actor{trap = true} = A, {exit2, R}, S) ->
    got(To, A, {exit, From, R}, S);
arrive(_, _, _, {exit2, normal}, S) ->
    [S];
arrive(_, To, A, {exit2, R}, S) ->
    die(To, A, R, S);
arrive(From, To, #actor{links = Ls, unlinking = Us} = A, link, S) ->
    case maps:is_key(From, Us) orelse maps:is_key(From, Ls) of
        true -> [S];
        false -> [put_actor(To, A#actor{links = Ls#{From => old}}, S)]
    end;
arrive(From, To, #actor{links = Ls} = A, {unlink, Id}, S) ->
    S1 = put_actor(To, A#actor{links = maps:remove(From, Ls)}, S),
    [put_signal({To, From}, {unlinked, Id}, S1)];
arrive(From, To, #actor{unlinking = Us} = A, {unlinked, Id}, S) ->
    case Us of
        #{From := {Id, _}} -> [put_actor(To, A#actor{unlinking = maps:remove(From, Us)}, S)];
        _ -> [S]
    end;
arrive(From, To, #actor{links = Ls} = A, {exit, R}, S) ->
    case Ls of
        #{From := _} -> exit_of_link(From, To, A#actor{links = maps:remove(From, Ls)}, R, S);
        _ -> [S]
    end;
arrive(From, To, #actor{links = Ls} = A, lost_link, S) ->
    case Ls of
        #{From := lost} ->
            exit_of_link(From, To, A#actor{links = maps:remove(From, Ls)}, noconnection, S);
        _ -> [S]
    end;
arrive(From, To, #actor{watchers = Ws} = A, {monitor, N}, S) ->
    [put_actor(To, A#actor{watchers = Ws#{N => From}}, S)];
arrive(_, To, #actor{watchers = Ws} = A, {demonitor, N}, S) ->
    [put_actor(To, A#actor{watchers = maps:remove(N, Ws)}, S)];
arrive(_, To, #actor{monitors = Ms, aliases = Al} = A, {down, N, R}, S) ->
    case maps:is_key(N, Ms) of
        true ->
            down(To, A#actor{monitors = maps:remove(N, Ms), aliases = unmonitored(N, Al)},
                 N, R, S);
        false -> [S]
    end.

%% The alias that a monitor was ends with it, unless it was to be ended by unalias/1.
unmonitored(N, Al) ->
    case Al of
        #{N := explicit_unalias} -> Al;
        _ -> maps:remove(N, Al)
    end.

exit_of_link(From, To, #actor{trap = true} = A, R, S) ->
    got(To, A, {exit, From, R}, S);
exit_of_link(From, To, A, normal, S) ->
    Late = not (actor(From, S))#actor.alive,
    [put_actor(To, A#actor{dirty = A#actor.dirty orelse Late}, S)];
exit_of_link(_, To, A, R, S) ->
    die(To, A, R, S).

%% It may be flushed before it is read, and must not be read after that.
down(To, #actor{ops = Ops, n_got = N_got} = A, N, R, S) ->
    case [Before || {{demonitor, M, flush}, Before, _} <- Ops, M =:= N] of
        [] -> got(To, A, {down, N, R}, S);
        [Before | _] ->
            [put_actor(To, A, S)]
                ++ case N_got < Before of
                       true -> got(To, A, {down, N, R}, S);
                       false -> []
                   end
    end.

%% What it will read next, after as many operations as it had drained before
got(To, #actor{got = [{T, Drained} | Got], n_ops = Done, n_got = N} = A, T, S)
  when Drained =< Done ->
    [put_actor(To, A#actor{got = Got, n_got = N + 1}, S)];
got(To, #actor{got = [], fate = Fate} = A, _, S) when Fate =/= lives ->
    [put_actor(To, A, S)];
got(_, _, _, _) ->
    [].

die(_, #actor{fate = lives}, _, _) ->
    [];
die(_, #actor{fate = {dead, R1}}, R, _) when R1 =/= R ->
    [];
die(_, #actor{got = [_ | _]}, _, _) ->
    [];
die(_, #actor{ops = [{_, _, true} | _]}, _, _) ->
    [];
die(I, #actor{links = Ls, watchers = Ws} = A, R, #state{actors = As} = S) ->
    S1 = put_actor(I, A#actor{alive = false, links = #{}, unlinking = #{}, monitors = #{},
                              watchers = #{}, aliases = #{}, ops = [], n_ops = 0,
                              n_got = 0, dirty = false}, S),
    Others = [O || O <- lists:usort(maps:keys(Ls) ++ maps:values(Ws)),
                   #{O := #actor{alive = true}} <- [As]],
    [lists:foldl(fun(Other, T) ->
                         Link = [{exit, R} || maps:is_key(Other, Ls)],
                         Downs = [{down, N, R} || {N, O} <- maps:to_list(Ws), O =:= Other],
                         put_signal({I, Other}, {bag, Link ++ Downs}, T)
                 end, S1, Others)].

%%
%% What a process does
%%

do_next(I, #actor{alive = true, ops = [{Op, Before, _} | Ops], n_got = N, n_ops = Done} = A, S)
  when N >= Before ->
    A1 = A#actor{ops = Ops, n_ops = Done + 1},
    C = {I, whom(Op, A)},
    case S#state.lost of
        #{C := {old, _}} -> do(I, Op, A1, S) ++ do(I, Op, A1, flip(C, S));
        _ -> do(I, Op, A1, S)
    end;
do_next(_, _, _) ->
    [].

whom({demonitor, N, _}, #actor{monitors = Ms}) ->
    {To, _} = maps:get(N, Ms, {none, old}),
    To;
whom({Op, To}, _) when Op =:= link; Op =:= unlink -> To;
whom({send, To, _, _}, _) -> To;
whom({asend, To, _, _}, _) -> To;
whom({monitor, To, _, _, _}, _) -> To;
whom({exit, To, _}, _) -> To;
whom(_, _) -> none.

do(I, {send, To, _, T}, A, S) ->
    [put_signal({I, To}, {message, T}, put_actor(I, A, S))];
do(I, {asend, To, N, T}, A, S) ->
    [put_signal({I, To}, {to_alias, N, T}, put_actor(I, A, S))];
do(I, {exit, To, R}, A, S) ->
    [put_signal({I, To}, {exit2, R}, put_actor(I, A, S))];
do(I, {link, To}, #actor{side = Side} = A, #state{eager = Eager} = S) ->
    case actor(To, S) of
        #actor{side = Side, alive = false} ->
            link_to(I, To, A, S) ++ case lists:member(Side, Eager) of
                                        true -> exit_of_link(To, I, A, noproc, S);
                                        false -> []
                                    end;
        _ -> link_to(I, To, A, S)
    end;
do(I, {unlink, To}, #actor{links = Ls} = A, S) ->
    case Ls of
        %% The exit signal is under way: where that is known, nothing is to be asked.
        #{To := lost} -> [put_actor(I, A#actor{links = maps:remove(To, Ls)}, S),
                          unlink_from(I, To, A, S)];
        #{To := _} -> [unlink_from(I, To, A, S)];
        _ -> [put_actor(I, A, S)]
    end;
do(I, {monitor, To, _, N, Mode}, #actor{monitors = Ms, aliases = Al} = A, S) ->
    Al1 = case Mode of
              none -> Al;
              _ -> Al#{N => Mode}
          end,
    A1 = A#actor{monitors = Ms#{N => {To, tag(I, To, S)}}, aliases = Al1},
    [put_signal({I, To}, {monitor, N}, put_actor(I, A1, S))];
do(I, {demonitor, N, _}, A, S) ->
    {A1, S1} = demonitor(N, I, A, S),
    [put_actor(I, A1, S1)];
do(I, {alias, N, Mode}, #actor{aliases = Al} = A, S) ->
    [put_actor(I, A#actor{aliases = Al#{N => Mode}}, S)];
do(I, {unalias, N}, #actor{aliases = Al} = A, S) ->
    [put_actor(I, A#actor{aliases = maps:remove(N, Al)}, S)];
do(I, {trap, Trap}, A, S) ->
    [put_actor(I, A#actor{trap = Trap}, S)];
do(I, {die, _, R}, A, S) ->
    die(I, A, R, S).

unlink_from(I, To, #actor{links = Ls, unlinking = Us, unlinks = Id} = A, S) ->
    A1 = A#actor{links = maps:remove(To, Ls), unlinks = Id + 1,
                 unlinking = Us#{To => {Id, tag(I, To, S)}}},
    put_signal({I, To}, {unlink, Id}, put_actor(I, A1, S)).

link_to(I, To, #actor{links = Ls, unlinking = Us} = A, S) ->
    case Ls of
        #{To := _} -> [put_actor(I, A, S)];
        _ ->
            A1 = A#actor{links = Ls#{To => tag(I, To, S)}, unlinking = maps:remove(To, Us)},
            [put_signal({I, To}, link, put_actor(I, A1, S))]
    end.

demonitor(N, I, #actor{monitors = Ms, aliases = Al} = A, S) ->
    case Ms of
        #{N := {To, _}} ->
            {A#actor{monitors = maps:remove(N, Ms), aliases = unmonitored(N, Al)},
             put_signal({I, To}, {demonitor, N}, S)};
        _ -> {A, S}
    end.
