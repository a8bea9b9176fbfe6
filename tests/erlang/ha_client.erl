%% SPDX-License-Identifier: Apache-2.0
%% A client of ConfD's IPC port that shares no code with ours: orders, events, and everything a bad client may do.
%%
%% Where: {tcp,Address,Port} or {unix,Path}. A socket is what gen_tcp gives; frames are terms.
-module(ha_client).
-export([open/1, hello/3, hello/4, connect/2, connect/3, prove/2, subscribe/2, subscribe/3,
         send/2, send_raw/2, send_slowly/2, recv/1, recv/2, call/2, call/3, closed/1, closed/2, nothing/2,
         event/1, event/2, ack/1, frame/1, close/1]).

-define(TIMEOUT, 5000).

open({unix, Path}) -> gen_tcp:connect({local, Path}, 0, [binary, {active, false}], ?TIMEOUT);
open({tcp, Address, Port}) -> gen_tcp:connect(Address, Port, [binary, {active, false}, {nodelay, true}], ?TIMEOUT).

%% The 9 bytes of a client. Kind: ha, events or a number.
kind(ha) -> 17;
kind(events) -> 11;
kind(N) -> N.

hello(S, Kind, Version) -> hello(S, Kind, Version, <<0, 0>>).
hello(S, Kind, Version, Limits) -> gen_tcp:send(S, [<<(kind(Kind)), Version:16, 8, 2, 5, 0>>, Limits]).

%% The whole handshake, with the access check if Options has {secret,S}. {ok,Socket} or {error,What}.
connect(Where, Kind) -> connect(Where, Kind, []).
connect(Where, Kind, Options) ->
    Version = proplists:get_value(version, Options, 82),
    Secret = proplists:get_value(secret, Options, none),
    {ok, S} = open(Where),
    Offered = case Secret of none -> kind(Kind); _ -> kind(Kind) bor 16#c0 end,
    ok = hello(S, Offered, Version),
    case Secret =:= none orelse prove(S, Secret) of
        true -> answer(S, Kind, Options);
        {first, Byte} -> answer(S, Kind, Options, Byte);
        Refused -> Refused
    end.

%% true, {first,Byte} when no challenge came, or {error,access_denied}.
prove(S, Secret) ->
    case gen_tcp:recv(S, 1, ?TIMEOUT) of
        {ok, <<11>>} ->
            {ok, Challenge} = gen_tcp:recv(S, 32, ?TIMEOUT),
            ok = gen_tcp:send(S, <<12, (sha256([Secret, Challenge]))/binary>>),
            case gen_tcp:recv(S, 1, ?TIMEOUT) of
                {ok, <<0>>} -> true;
                _ -> {error, access_denied}
            end;
        {ok, Byte} -> {first, Byte};
        {error, closed} -> {error, access_denied}
    end.

%% erlang-base has no crypto: coreutils has SHA-256 too.
sha256(Data) ->
    File = "/tmp/ha_client_" ++ os:getpid() ++ "_" ++ integer_to_list(erlang:unique_integer([positive])),
    ok = file:write_file(File, Data),
    Hex = string:slice(os:cmd("sha256sum " ++ File), 0, 64),
    ok = file:delete(File),
    << <<(list_to_integer([A, B], 16))>> || <<A, B>> <= list_to_binary(Hex) >>.

answer(S, Kind, Options) ->
    case gen_tcp:recv(S, 1, ?TIMEOUT) of
        {ok, Byte} -> answer(S, Kind, Options, Byte);
        {error, closed} -> {error, closed}
    end.

answer(S, Kind, Options, First) ->
    {ok, <<Version:16, Library:32, _:16>>} = gen_tcp:recv(S, 8, ?TIMEOUT),
    case First of
        <<0>> when Kind =:= ha ->
            Token = proplists:get_value(token, Options, <<"secret">>),
            ok = gen_tcp:send(S, [<<(byte_size(Token)):32>>, Token]),
            {ok, S};
        <<0>> -> {ok, S};
        <<1>> -> {error, {version, Version, Library}}
    end.

%% An event socket for this mask, by the newer form of subscription.
subscribe(Where, Mask) -> subscribe(Where, {Mask, 0, 0, undefined, 0}, []).
subscribe(Where, Subscription, Options) ->
    {ok, S} = connect(Where, events, Options),
    send(S, Subscription),
    ok = recv(S),
    S.

frame(Term) ->
    B = term_to_binary(Term),
    <<(byte_size(B)):32, B/binary>>.

send(S, Term) -> ok = gen_tcp:send(S, frame(Term)).
send_raw(S, Body) -> ok = gen_tcp:send(S, [<<(iolist_size(Body)):32>>, Body]).
send_slowly(S, Bytes) -> [begin ok = gen_tcp:send(S, <<B>>), timer:sleep(1) end || <<B>> <= Bytes], ok.

recv(S) -> recv(S, ?TIMEOUT).
recv(S, Timeout) ->
    {ok, <<N:32>>} = gen_tcp:recv(S, 4, Timeout),
    {ok, B} = gen_tcp:recv(S, N, Timeout),
    binary_to_term(B).

call(S, Order) -> call(S, Order, ?TIMEOUT).
call(S, Order, Timeout) -> send(S, Order), recv(S, Timeout).

%% The other side closes, after nothing more.
closed(S) -> closed(S, ?TIMEOUT).
closed(S, Timeout) ->
    case gen_tcp:recv(S, 0, Timeout) of
        {error, closed} -> true;
        {error, econnreset} -> true;
        Other -> {not_closed, Other}
    end.

%% Nothing comes within that time.
nothing(S, Time) -> {error, timeout} = gen_tcp:recv(S, 0, Time), ok.

%% The next HA event: {Type,Data}.
event(S) -> event(S, ?TIMEOUT).
event(S, Timeout) ->
    {64, Event} = recv(S, Timeout),
    Event.

ack(S) -> send(S, ha_synced).
close(S) -> gen_tcp:close(S).
