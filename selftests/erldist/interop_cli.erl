%% SPDX-License-Identifier: GPL-2.0-only
%% What the command and the examples meet on an Erlang node: a gen_server calc,
%% which keeps what else it was sent.
-module(interop_cli).
-behaviour(gen_server).
-export([start/0, init/1, handle_call/3, handle_cast/2, handle_info/2]).
-export([asks/1]).

start() ->
    {ok, _} = gen_server:start({local, calc}, ?MODULE, [], []).

init([]) ->
    {ok, []}.

handle_call({add, A, B}, _, Came) ->
    {reply, A + B, Came};
handle_call(came, _, Came) ->
    {reply, lists:reverse(Came), []}.

handle_cast(_, Came) ->
    {noreply, Came}.

handle_info(Message, Came) ->
    {noreply, [Message | Came]}.

%% Of the example echo: a call, a message, and whether its node is there
asks(Node) ->
    T = {[1, 2.5, <<"x">>], #{k => "v"}, self(), make_ref()},
    Called = gen_server:call({echo, Node}, T),
    {echo, Node} ! {self(), T},
    Came = receive T -> came after 30000 -> nothing end,
    {Called =:= T, Came, net_adm:ping(Node)}.
