%% SPDX-License-Identifier: Apache-2.0
%% Owns the scripted ConfD: an IPC server whose bytes are read and written by Erlang, not by our codec.
%%
%% It is told what to do by terms on standard input, one a line ending in a full stop, and answers each with the line
%% `done`; what it sees it prints as terms, one a line. By itself it behaves like a ConfD with a small model of roles,
%% so that a test scripts only the deviation. End of input ends it.
%%
%% Lines it prints
%%   {listening,Where} {not_listening}
%%   {hello,Kind,Proto,{A,B,C,D},AccessAsked}   Kind: ha, events or a number
%%   {access,ok|wrong}                          the answer to the challenge
%%   {refused,Proto}                            the protocol version
%%   {token,Binary} {order,Term} {subscribed,Term} {ack}
%%   {closed,ha|events}                         the peer has closed
%%   {displaced}                                a newer HA connection took over
%%   {bad_frame,Kind,Binary}                    not one whole term, or not an order: always a bug of the peer
%%
%% Commands
%%   {listen,{tcp,"127.0.0.1",Port}|{unix,Path}}, listen (where it was before), stop_listening
%%   {set,Key,Value}: see options/0
%%   {on,N,Action}      once, for the next order number N (several queue up); {always,N,Action}; {never,N}
%%     Action: model | hang | close | hold | {reply,Term} | {raw,Binary} | {cut,Bytes} | {delay,Ms}
%%   release            what `hold` keeps back (the order and all behind it) is served
%%   {reply,Term}       a reply out of the blue, or the one to an order that hangs
%%   {event,{Type,Data}} {event_term,Term}
%%   {raw,ha|events,Binary} {cut,ha|events,Size,Bytes}   a frame said to have Size bytes ends after Bytes of them
%%   {close,ha|events|both|all}, {stop_reading,ha|events}
%%   {state,none|slave|master|relay,Master,Slaves}       without events; Master: none or {Id,Addr}
%%   go_on              ends {set,handshake,hold}
%%   sync               nothing: all that was seen before is printed before `done`
%%   {arrive,Id,Addr} {die,Id} {master_lost,Code}        with events
%%   {joined,ByCopy} {join_failed,Code}                  the be slave under way, when {set,sync,manual|early}
-module(confd_sim).
-export([main/0]).

options() ->
    #{handshake => accept,      % silent | close | {raw,Binary} | {cut,Bytes}: instead of the server's 9 bytes;
                                % hold: not before `go_on`
      code => 0,                % the first of those bytes
      version => echo,          % or the server's own protocol version
      versions => any,          % or the list of those it accepts
      release => {8,2,5,0},     % its library version
      secret => none,           % or the content of the access file
      refusal => close,         % or the byte that says so
      events => accept,         % close | silent | {reply,Term} | old (wants 4-tuples)
      phase => 1,
      sync => auto,             % or manual, or early: the same, but it says slave at once
      by_copy => 1,
      events_first => true,     % before the reply that they come from
      health => true,           % sends health checks as often as subscribed
      atoms => default,         % or the tag to write atoms with: 100 115 118 119
      strings => binary,        % string | list: how node ids are written
      tuples => small,          % or large
      errors => plain}.         % binary | string: {error,Code,Reason}

main() ->
    Main = self(),
    _ = io:setopts([{encoding, latin1}]),
    spawn_link(fun() -> read_commands(Main) end),
    loop(#{o => options(), where => none, listener => none, ha => none, subscribers => #{}, conns => #{},
           once => [], always => #{}, held => none,
           state => none, master => none, slaves => [], join => none, late => []}).

read_commands(Main) ->
    case io:get_line("") of
        Line when is_list(Line) ->
            {ok, Tokens, _} = erl_scan:string(Line),
            {ok, Term} = erl_parse:parse_term(Tokens),
            Main ! {command, Term},
            read_commands(Main);
        _ ->
            halt(0, [{flush, false}])
    end.

say(Term) -> io:format("~0p~n", [Term]).

loop(S) ->
    receive
        {command, C} ->
            S1 = command(C, S),
            say(done),
            loop(S1);
        {accepted, Pid, Sock} ->
            Pid ! {options, maps:get(o, S)},
            loop(S#{conns := maps:put(Pid, {new, Sock}, maps:get(conns, S))});
        {ready, Pid, Kind} ->
            case maps:get(conns, S) of
                #{Pid := {_, Sock}} = Conns -> loop(S#{conns := Conns#{Pid := {Kind, Sock}}});
                _ -> loop(S)    % closed meanwhile
            end;
        {frame, Pid, Bin} ->
            case maps:get(Pid, maps:get(conns, S), gone) of
                {ha, _} -> loop(token(Bin, Pid, S));
                {orders, _} -> loop(ha_frame(Bin, Pid, S));
                {events, _} -> loop(event_frame(Bin, Pid, S));
                _ -> loop(S)
            end;
        {ended, Pid} ->
            loop(forget(Pid, S, peer));
        {release} ->
            loop(release(S));
        {health, Pid, Ms} ->
            case maps:is_key(Pid, maps:get(subscribers, S)) of
                true ->
                    option(health, S) andalso send_to(Pid, {1 bsl 18, Ms}, S),
                    erlang:send_after(Ms, self(), {health, Pid, Ms});
                false -> ok
            end,
            loop(S)
    end.

option(Key, S) -> maps:get(Key, maps:get(o, S)).

%% Listening and connections. A connection's process reads; the main process writes.

command({listen, Where}, S) ->
    S1 = stop_listening(S),
    Common = [binary, {active, false}, {packet, raw}, {reuseaddr, true}, {backlog, 64}, {nodelay, true},
              {send_timeout, 2000}],
    {ok, L} = case Where of
                  {unix, Path} ->
                      _ = file:delete(Path),
                      gen_tcp:listen(0, [{ifaddr, {local, Path}} | Common -- [{nodelay, true}]]);
                  {tcp, Host, Port} ->
                      {ok, IP} = inet:parse_address(Host),
                      Family = if tuple_size(IP) =:= 8 -> [inet6]; true -> [inet] end,
                      gen_tcp:listen(Port, Family ++ [{ip, IP} | Common])
              end,
    Real = case Where of
               {tcp, H, _} -> {ok, P} = inet:port(L), {tcp, H, P};
               _ -> Where
           end,
    Main = self(),
    spawn_link(fun() -> accept(L, Main) end),
    say({listening, Real}),
    S1#{listener := L, where := Real};
command(listen, S) -> command({listen, maps:get(where, S)}, S);
command(stop_listening, S) -> say({not_listening}), stop_listening(S);
command({set, Key, Value}, S) ->
    O = maps:get(o, S),
    true = maps:is_key(Key, O),
    S#{o := O#{Key := Value}};
command({on, N, Action}, S) -> S#{once := maps:get(once, S) ++ [{N, Action}]};
command({always, N, Action}, S) -> S#{always := maps:put(N, Action, maps:get(always, S))};
command({never, N}, S) -> S#{always := maps:remove(N, maps:get(always, S))};
command(release, S) -> release(S);
command({reply, T}, S) -> reply(T, S);
command({event, E}, S) -> event(E, S);
command({event_term, T}, S) -> event_term(T, S);
command({raw, Kind, Bin}, S) -> raw(Kind, Bin, S);
command({cut, Kind, Size, N}, S) ->
    close(Kind, raw(Kind, [<<Size:32>>, binary:copy(<<131>>, N)], S));
command({close, Kind}, S) -> close(Kind, S);
command({stop_reading, Kind}, S) ->
    [Pid ! stop_reading || Pid <- pids(Kind, S)],
    S;
command({state, State, Master, Slaves}, S) -> S#{state := State, master := Master, slaves := Slaves};
command({arrive, Id, Addr}, S) ->
    event({3, {Id, Addr}}, S#{slaves := lists:keystore(Id, 1, maps:get(slaves, S), {Id, Addr})});
command({die, Id}, S) -> slave_died(Id, S);
command({master_lost, Code}, S) ->
    event({6, 0}, event({1, Code}, S#{state := none, master := none, slaves := []}));
command({joined, ByCopy}, S) -> end_join(0, ByCopy, S);
command({join_failed, Code}, S) -> end_join(Code, 0, S);
command(go_on, S) ->
    [Pid ! go_on || Pid <- pids(all, S)],
    S#{o := (maps:get(o, S))#{handshake := accept}};
command(sync, S) -> S.

stop_listening(S) ->
    case maps:get(listener, S) of
        none -> S;
        L ->
            gen_tcp:close(L),
            S#{listener := none}
    end.

accept(L, Main) ->
    case gen_tcp:accept(L) of
        {ok, Sock} ->
            Pid = spawn(fun() ->
                                receive go -> ok end,
                                Main ! {accepted, self(), Sock},
                                receive {options, O} -> handshake(Sock, Main, O) end
                        end),
            ok = gen_tcp:controlling_process(Sock, Pid),
            Pid ! go,
            accept(L, Main);
        {error, closed} -> ok
    end.

kind(17) -> ha;
kind(11) -> events;
kind(N) -> N.

handshake(Sock, Main, O) ->
    case gen_tcp:recv(Sock, 9) of
        {ok, <<K, Proto:16, A, B, C, D, _Depth, _KeyLen>>} ->
            Asked = K band 16#C0 =:= 16#C0,
            Kind = kind(K band 16#3F),
            say({hello, Kind, Proto, {A, B, C, D}, Asked}),
            case access(Sock, Asked, O) of
                ok -> welcome(Sock, Main, Kind, Proto, O);
                refused -> finish(Sock, Main)
            end;
        _ -> finish(Sock, Main)
    end.

finish(Sock, Main) ->
    gen_tcp:close(Sock),
    Main ! {ended, self()}.

access(_, _, #{secret := none}) -> ok;
access(_, false, _) -> refused;
access(Sock, true, #{secret := Secret, refusal := Refusal}) ->
    Challenge = list_to_binary([rand:uniform(256) - 1 || _ <- lists:seq(1, 32)]),
    ok = gen_tcp:send(Sock, <<11, Challenge/binary>>),
    Right = sha256(<<Secret/binary, Challenge/binary>>),
    case gen_tcp:recv(Sock, 33, 10000) of
        {ok, <<12, Right:32/binary>>} ->
            say({access, ok}),
            ok = gen_tcp:send(Sock, <<0>>),
            ok;
        _ ->
            say({access, wrong}),
            is_integer(Refusal) andalso gen_tcp:send(Sock, <<Refusal>>),
            refused
    end.

welcome(Sock, Main, Kind, Proto, O) ->
    #{handshake := How, code := Code, version := Version, versions := Versions, release := {A, B, C, D}} = O,
    Own = if Version =:= echo -> Proto; true -> Version end,
    Good = Versions =:= any orelse lists:member(Proto, Versions),
    Said = if Good -> Code; true -> 1 end,
    Bytes = <<Said, Own:16, A, B, C, D, 0, 0>>,
    case How of
        accept when Good ->
            Main ! {ready, self(), Kind},
            ok = gen_tcp:send(Sock, Bytes),
            ok = inet:setopts(Sock, [{active, once}]),
            read(Sock, Main, <<>>);
        accept ->
            say({refused, Proto}),
            _ = gen_tcp:send(Sock, Bytes),
            finish(Sock, Main);
        hold ->
            receive go_on -> ok end,
            welcome(Sock, Main, Kind, Proto, O#{handshake := accept});
        silent -> receive after infinity -> ok end;
        close -> finish(Sock, Main);
        {raw, Raw} ->
            _ = gen_tcp:send(Sock, Raw),
            receive after infinity -> ok end;
        {cut, N} ->
            _ = gen_tcp:send(Sock, binary:part(Bytes, 0, N)),
            finish(Sock, Main)
    end.

read(Sock, Main, Buffer) ->
    case Buffer of
        <<N:32, Bin:N/binary, Rest/binary>> ->
            Main ! {frame, self(), Bin},
            read(Sock, Main, Rest);
        _ ->
            receive
                {tcp, Sock, Data} ->
                    ok = inet:setopts(Sock, [{active, once}]),
                    read(Sock, Main, <<Buffer/binary, Data/binary>>);
                {tcp_closed, Sock} -> finish(Sock, Main);
                {tcp_error, Sock, _} -> finish(Sock, Main);
                stop_reading ->
                    inet:setopts(Sock, [{active, false}]),
                    receive after infinity -> ok end
            end
    end.

pids(all, S) -> maps:keys(maps:get(conns, S));
pids(both, S) -> pids(ha, S) ++ pids(events, S);
pids(ha, S) ->
    case maps:get(ha, S) of
        none -> [];
        Pid -> [Pid]
    end;
pids(events, S) -> maps:keys(maps:get(subscribers, S)).

close(Kind, S) -> lists:foldl(fun(Pid, Acc) -> drop(Pid, Acc) end, S, pids(Kind, S)).

%% Ends a connection from our side.
drop(Pid, S) ->
    {_, Sock} = maps:get(Pid, maps:get(conns, S)),
    exit(Pid, kill),
    gen_tcp:close(Sock),
    forget(Pid, S, us).

forget(Pid, S, Who) ->
    #{conns := Conns, subscribers := Subs, ha := Ha} = S,
    Who =:= peer andalso Pid =:= Ha andalso say({closed, ha}),
    Who =:= peer andalso maps:is_key(Pid, Subs) andalso say({closed, events}),
    S1 = if Pid =:= Ha -> S#{ha := none, held := none, late := []}; true -> S end,
    S1#{conns := maps:remove(Pid, Conns), subscribers := maps:remove(Pid, Subs)}.

%% Frames

token(Bin, Pid, S) ->
    say({token, Bin}),
    S1 = case maps:get(ha, S) of
             none -> S;
             Old -> say({displaced}), drop(Old, S)
         end,
    {ha, Sock} = maps:get(Pid, maps:get(conns, S1)),
    S1#{ha := Pid, conns := maps:put(Pid, {orders, Sock}, maps:get(conns, S1))}.

decode(Kind, Bin) ->
    try binary_to_term(Bin, [used]) of
        {Term, Used} when Used =:= byte_size(Bin) -> {ok, Term};
        _ -> say({bad_frame, Kind, Bin}), error
    catch
        _:_ -> say({bad_frame, Kind, Bin}), error
    end.

ha_frame(Bin, Pid, S) ->
    case decode(ha, Bin) of
        {ok, T} when Pid =:= map_get(ha, S) -> say({order, T}), queue(T, S);
        _ -> S
    end.

event_frame(Bin, Pid, S) ->
    case decode(events, Bin) of
        {ok, ha_synced} -> say({ack}), S;
        {ok, T} -> say({subscribed, T}), subscribe(T, option(events, S), Pid, S);
        error -> S
    end.

subscribe(T, old, Pid, S) when tuple_size(T) =/= 4 -> drop(Pid, S);
subscribe(_, close, Pid, S) -> drop(Pid, S);
subscribe(_, silent, _, S) -> S;
subscribe(_, {reply, T}, Pid, S) -> send_to(Pid, T, S), S;
subscribe(T, _, Pid, S) ->
    send_to(Pid, ok, S),
    HealthMs = element(3, T),
    is_integer(HealthMs) andalso HealthMs > 0 andalso erlang:send_after(HealthMs, self(), {health, Pid, HealthMs}),
    S#{subscribers := maps:put(Pid, T, maps:get(subscribers, S))}.

%% Orders

queue(T, #{held := none} = S) -> dispatch(T, S);
queue(T, #{held := Held} = S) -> S#{held := Held ++ [T]}.

release(#{held := none} = S) -> S;
release(#{held := [First | Rest]} = S) ->
    lists:foldl(fun queue/2, obey(First, S#{held := none}), Rest).

dispatch(T, S) ->
    N = element(1, T),
    {Action, S1} = case lists:keytake(N, 1, maps:get(once, S)) of
                       {value, {N, A}, Rest} -> {A, S#{once := Rest}};
                       false -> {maps:get(N, maps:get(always, S), model), S}
                   end,
    case Action of
        model -> obey(T, S1);
        hang -> S1;
        close -> close(ha, S1);
        hold -> S1#{held := [T]};
        {delay, Ms} ->
            erlang:send_after(Ms, self(), {release}),
            S1#{held := [T]};
        {reply, R} -> reply(R, S1);
        {raw, Bin} -> raw(ha, Bin, S1);
        {cut, Bytes} ->
            Whole = encode(ok, S1),
            Frame = <<(byte_size(Whole)):32, Whole/binary>>,
            close(ha, raw(ha, binary:part(Frame, 0, min(Bytes, byte_size(Frame) - 1)), S1))
    end.

%% A role order ends a be slave that is under way.
obey({4}, #{join := {_, _, _, 1}, late := Late} = S) -> S#{late := Late ++ [{4}]};
obey({4}, S) -> reply(status(S), S);
%% The same again, when it says slave early: it goes on copying for the later order.
obey({2, _, Master, 0} = T, #{state := slave, master := Master, join := {2, _, Master, 0}, o := #{sync := early}} = S) ->
    event({7, 71}, S#{join := T});
obey(T, S) ->
    case option(phase, S) of
        0 -> refuse(T, 17, S);
        _ when element(1, T) =/= 5, map_get(join, S) =/= none -> role(T, end_join(71, 0, S));
        _ -> role(T, S)
    end.

refuse({2, _, _, 0}, Code, S) -> event({7, Code}, S);
refuse(_, Code, S) -> reply(failure(Code, S), S).

role({1, Id}, S) when is_binary(Id) ->
    Old = maps:get(state, S),
    S1 = S#{state := master, master := none, slaves := if Old =:= master -> maps:get(slaves, S); true -> [] end},
    with_events([{5, 0} || Old =/= master], ok, S1);
role({2, _, {Mid, Addr}, Wait} = T, S) when Wait =:= 0; Wait =:= 1 ->
    case S of
        #{state := slave, master := {Mid, Addr}} -> end_join(0, none, S#{join := T});
        #{state := Old} ->
            S1 = S#{state := none, master := none, slaves := [], join := T},
            S2 = if Old =:= none -> S1; true -> event({6, 0}, S1) end,
            case option(sync, S2) of
                auto -> end_join(0, option(by_copy, S2), S2);
                manual -> S2;
                early -> S2#{state := slave, master := {Mid, Addr}}
            end
    end;
role({3}, #{state := Old} = S) ->
    with_events([{6, 0} || Old =/= none], ok, S#{state := none, master := none, slaves := []});
role({5, Id}, #{state := slave, master := {Id, _}} = S) ->
    with_events([{1, 26}, {6, 0}], ok, S#{state := none, master := none});
role({5, Id}, S) ->
    reply(ok, slave_died(Id, S));
role({6}, #{state := State} = S) when State =:= slave; State =:= relay ->
    reply(ok, S#{state := relay});
role({6} = T, S) -> refuse(T, 17, S);
role(T, S) ->
    say({bad_frame, ha, T}),
    S.

end_join(_, _, #{join := none} = S) -> S;
end_join(Code, ByCopy, #{join := {2, _, Master, Wait}, late := Late} = S) ->
    S1 = S#{join := none, late := []},
    S2 = if
             Code =/= 0, map_get(state, S1) =:= slave -> event({6, 0}, S1#{state := none, master := none});
             Code =/= 0 -> S1;
             ByCopy =:= none -> S1#{state := slave, master := Master};
             true -> event({4, ByCopy}, S1#{state := slave, master := Master, slaves := []})
         end,
    S3 = if
             Wait =:= 0 -> event({7, Code}, S2);
             Code =:= 0 -> reply(ok, S2);
             true -> reply(failure(Code, S2), S2)
         end,
    lists:foldl(fun obey/2, S3, Late).

slave_died(Id, #{slaves := Slaves, state := State} = S) ->
    case lists:keytake(Id, 1, Slaves) of
        {value, Node, Rest} when State =:= master -> event({2, Node}, S#{slaves := Rest});
        {value, _, Rest} -> S#{slaves := Rest};
        false -> S
    end.

with_events(Events, Reply, S) ->
    Tell = fun(Acc) -> lists:foldl(fun event/2, Acc, Events) end,
    case option(events_first, S) of
        true -> reply(Reply, Tell(S));
        false -> Tell(reply(Reply, S))
    end.

status(#{state := State, master := Master, slaves := Slaves}) ->
    case State of
        none -> {1, []};
        slave -> {2, [Master]};
        master -> {3, Slaves};
        relay -> {4, [Master | Slaves]}
    end.

failure(Code, S) ->
    case option(errors, S) of
        plain -> {error, Code};
        binary -> {error, Code, <<"the reason">>};
        string -> {error, Code, "the reason"}
    end.

%% Writing

reply(T, S) ->
    [send_to(Pid, T, S) || Pid <- pids(ha, S)],
    S.

event(E, S) -> event_term({64, E}, S).

event_term(T, S) ->
    [send_to(Pid, T, S) || Pid <- pids(events, S)],
    S.

raw(Kind, Bin, S) ->
    [send_bytes(Pid, Bin, S) || Pid <- pids(Kind, S)],
    S.

send_to(Pid, T, S) ->
    Bin = encode(T, S),
    send_bytes(Pid, [<<(byte_size(Bin)):32>>, Bin], S).

send_bytes(Pid, Bytes, S) ->
    {_, Sock} = maps:get(Pid, maps:get(conns, S)),
    _ = gen_tcp:send(Sock, Bytes),
    ok.

%% term_to_binary() writes one form of each term; other releases of Erlang, and ConfD by its own code, write others.
encode(T, #{o := #{atoms := default, strings := binary, tuples := small}}) -> term_to_binary(T);
encode(T, #{o := O}) ->
    Bin = iolist_to_binary([131, enc(T, O)]),
    _ = binary_to_term(Bin),    % Erlang itself must be able to read what we call a term
    Bin.

enc(A, #{atoms := Tag}) when is_atom(A) ->
    Name = atom_to_binary(A, utf8),
    N = byte_size(Name),
    case Tag of
        default -> tl_bin(term_to_binary(A));
        100 -> [100, <<N:16>>, Name];
        118 -> [118, <<N:16>>, Name];
        115 -> [115, N, Name];
        119 -> [119, N, Name]
    end;
enc(B, #{strings := string}) when is_binary(B), byte_size(B) > 0 -> [107, <<(byte_size(B)):16>>, B];
enc(B, #{strings := list}) when is_binary(B), byte_size(B) > 0 ->
    [108, <<(byte_size(B)):32>>, [[97, C] || <<C>> <= B], 106];
enc(T, #{tuples := Size} = O) when is_tuple(T) ->
    Head = if Size =:= large -> [105, <<(tuple_size(T)):32>>]; true -> [104, tuple_size(T)] end,
    [Head, [enc(E, O) || E <- tuple_to_list(T)]];
enc([], _) -> [106];
enc(L, O) when is_list(L) ->
    case lists:all(fun(C) -> is_integer(C) andalso C >= 0 andalso C < 256 end, L) of
        true -> tl_bin(term_to_binary(L));
        false -> [108, <<(length(L)):32>>, [enc(E, O) || E <- L], 106]
    end;
enc(T, _) -> tl_bin(term_to_binary(T)).

tl_bin(<<131, Rest/binary>>) -> Rest.

%% SHA-256 (FIPS 180-4): erlang-base alone has no crypto application.
sha256(Data) ->
    Bits = byte_size(Data) * 8,
    Pad = (448 - (Bits + 8)) rem 512,
    Zeros = if Pad < 0 -> Pad + 512; true -> Pad end,
    Message = <<Data/binary, 16#80, 0:Zeros, Bits:64>>,
    H = lists:foldl(fun compress/2, [fraction(P, 2) || P <- primes(8)],
                    [Block || <<Block:64/binary>> <= Message]),
    << <<X:32>> || X <- H >>.

primes(N) -> lists:sublist([P || P <- lists:seq(2, 400), lists:all(fun(D) -> P rem D =/= 0 end, lists:seq(2, P - 1))], N).

%% The first 32 bits of the fraction of a prime's root, by integer arithmetic (floats are one bit short).
fraction(P, Root) ->
    Scaled = P bsl (32 * Root),
    iroot(Scaled, Root, 0, 1 bsl 40) band 16#FFFFFFFF.

iroot(_, _, Low, High) when High - Low =< 1 -> Low;
iroot(X, Root, Low, High) ->
    Mid = (Low + High) div 2,
    Power = if Root =:= 2 -> Mid * Mid; true -> Mid * Mid * Mid end,
    if Power =< X -> iroot(X, Root, Mid, High); true -> iroot(X, Root, Low, Mid) end.

rotr(X, N) -> ((X bsr N) bor (X bsl (32 - N))) band 16#FFFFFFFF.

compress(Block, H0) ->
    W = schedule(lists:reverse([X || <<X:32>> <= Block]), 16),
    K = [fraction(P, 3) || P <- primes(64)],
    H = lists:foldl(
          fun({Kt, Wt}, [A, B, C, D, E, F, G, Hh]) ->
                  S1 = rotr(E, 6) bxor rotr(E, 11) bxor rotr(E, 25),
                  Ch = (E band F) bxor ((E bxor 16#FFFFFFFF) band G),
                  T1 = Hh + S1 + Ch + Kt + Wt,
                  S0 = rotr(A, 2) bxor rotr(A, 13) bxor rotr(A, 22),
                  Maj = (A band B) bxor (A band C) bxor (B band C),
                  [(T1 + S0 + Maj) band 16#FFFFFFFF, A, B, C, (D + T1) band 16#FFFFFFFF, E, F, G]
          end, H0, lists:zip(K, W)),
    [(X + Y) band 16#FFFFFFFF || {X, Y} <- lists:zip(H0, H)].

schedule(Reversed, 64) -> lists:reverse(Reversed);
schedule(Reversed, N) ->
    W15 = lists:nth(15, Reversed),
    W2 = lists:nth(2, Reversed),
    S0 = rotr(W15, 7) bxor rotr(W15, 18) bxor (W15 bsr 3),
    S1 = rotr(W2, 17) bxor rotr(W2, 19) bxor (W2 bsr 10),
    New = (lists:nth(16, Reversed) + S0 + lists:nth(7, Reversed) + S1) band 16#FFFFFFFF,
    schedule([New | Reversed], N + 1).
