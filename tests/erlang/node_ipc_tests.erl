%% SPDX-License-Identifier: Apache-2.0
%% One node, its IPC port, and clients good and bad: handshake, access check, orders, events, displacement, limits.
-module(node_ipc_tests).
-export([main/0]).

-define(EVENTS, {64, 0, 0, undefined, 0}).
-define(SYNC, {64 bor (1 bsl 20), 0, 0, undefined, 0}).
-define(N1, <<"n1">>).
-define(LO, {127, 0, 0, 1}).

main() ->
    node_proc:run(
      [{"every order from state none", with(fun orders_from_none/1)},
       {"master: events, renaming, leaving", with(fun master/1)},
       {"be slave that cannot connect: HA_CONNECT, with and without wait", with(fun no_connection/1)},
       {"be slave of our own name: HA_BADNAME", with(fun own_name/1)},
       {"HA_BIND changes nothing", fun bind/0},
       {"node ids of every type, and what is none: BADTYPE", with(fun node_ids/1)},
       {"what is no order: PROTOUSAGE", with(fun no_orders/1)},
       {"every encoding of an order", with(fun encodings/1)},
       {"phase 0 serves status only, SIGUSR1 moves on", fun phase0/0},
       {"protocol versions 59 to 100", with(fun versions/1)},
       {"access check: right, wrong, absent", fun access/0},
       {"a secret offered to a node that wants none", with(fun access_not_wanted/1)},
       {"other kinds of clients are closed", with(fun kinds/1)},
       {"a new controller closes the previous one with its whole token frame", with(fun displacement/1)},
       {"tokens of 0 and of 65535 bytes, not of 65536", with(fun tokens/1)},
       {"orders behind each other are answered in order", with(fun pipelining/1)},
       {"byte at a time", with(fun bytewise/1)},
       {"garbage in frames", with(fun garbage/1)},
       {"subscriptions of 4 and 5 elements, and none", with(fun subscriptions/1)},
       {"heartbeat and health check", with(fun periodic/1)},
       {"HA_INFO_SYNC holds steps, status is served", with(fun sync_hold/1)},
       {"HA_INFO_SYNC holds 10 s at most", with(fun sync_timeout/1)},
       {"a sync subscriber that closes holds nothing", with(fun sync_close/1)},
       {"silent and slow handshakes are cut", with(fun silent/1)},
       {"a subscriber that does not read is cut, others are served", with(fun slow_subscriber/1)},
       {"a controller that does not read costs little memory", with(fun slow_controller/1)},
       {"a flood of connections costs little memory", with(fun flood/1)},
       {"IPC on TCP, IPv4 and IPv6", fun tcp/0},
       {"a stale socket is replaced, a live one and a file are not", fun stale_socket/0},
       {"what the service manager is told, watchdog included", fun notify/0},
       {"the help text", fun help/0},
       {"bad configurations: exit 78", fun exit_78/0}],
      60000).

%% A test with a fresh node.
with(Fun) ->
    fun() ->
        Dir = node_proc:dir(),
        N = node_proc:start(Dir, #{address => node_proc:net() ++ "1"}),
        Fun(N),
        true = is_process_alive(self()),
        ok = node_proc:stop(N),
        node_proc:remove(Dir)
    end.

ha(#{ipc := Ipc}) -> {ok, S} = ha_client:connect(Ipc, ha), S.
events(#{ipc := Ipc}) -> ha_client:subscribe(Ipc, 64).
sync(#{ipc := Ipc}) -> ha_client:subscribe(Ipc, ?SYNC, []).
status(S) -> ha_client:call(S, {4}).
error_code({error, Code}) -> Code;
error_code({error, Code, Reason}) when is_binary(Reason) -> Code.

orders_from_none(N) ->
    S = ha(N),
    {1, []} = status(S),
    ok = ha_client:call(S, {3}),
    17 = error_code(ha_client:call(S, {6})),
    ok = ha_client:call(S, {5, <<"unknown">>}),
    {1, []} = status(S).

master(N) ->
    E = events(N),
    S = ha(N),
    ok = ha_client:call(S, {1, ?N1}),
    {5, _} = ha_client:event(E),
    {3, []} = status(S),
    ok = ha_client:call(S, {1, <<"other">>}),
    17 = error_code(ha_client:call(S, {6})),
    {3, []} = status(S),
    ok = ha_client:nothing(E, 50),
    ok = ha_client:call(S, {3}),
    {6, _} = ha_client:event(E),
    ok = ha_client:call(S, {3}),
    ok = ha_client:nothing(E, 50),
    {1, []} = status(S).

no_connection(#{address := Own} = N) ->
    {ok, Address} = inet:parse_address(Own),
    Nobody = setelement(4, Address, 77),
    E = events(N),
    S = ha(N),
    ok = ha_client:call(S, {1, ?N1}),
    {5, _} = ha_client:event(E),
    25 = error_code(ha_client:call(S, {2, <<"n2">>, {?N1, Nobody}, 1})),
    {6, _} = ha_client:event(E),
    {1, []} = status(S),
    ok = ha_client:nothing(E, 50),
    ha_client:send(S, {2, <<"n2">>, {?N1, Nobody}, 0}),
    {7, 25} = ha_client:event(E),
    ok = ha_client:nothing(S, 50),
    25 = error_code(ha_client:call(S, {2, <<"n2">>, {?N1, <<"no.such.host">>}, 1})),
    {1, []} = status(S).

own_name(N) ->
    S = ha(N),
    E = events(N),
    29 = error_code(ha_client:call(S, {2, ?N1, {?N1, ?LO}, 1})),
    ha_client:send(S, {2, ?N1, {?N1, ?LO}, 0}),
    {7, 29} = ha_client:event(E).

bind() ->
    Dir = node_proc:dir(),
    Net = node_proc:net(),
    {ok, Address} = inet:parse_address(Net ++ "1"),
    {ok, L} = gen_tcp:listen(4570, [{reuseaddr, true}, {ip, Address}]),
    N = node_proc:start(Dir, #{address => Net ++ "1"}),
    E = events(N),
    S = ha(N),
    30 = error_code(ha_client:call(S, {1, ?N1})),
    {1, []} = status(S),
    ok = ha_client:nothing(E, 50),
    gen_tcp:close(L),
    ok = ha_client:call(S, {1, ?N1}),
    {3, []} = status(S),
    ok = node_proc:stop(N),
    node_proc:remove(Dir).

node_ids(N) ->
    S = ha(N),
    Long = binary:copy(<<"x">>, 127),
    Good = [<<"n">>, Long, <<255, 0>>, 5, -1, 100000, {6, -5}, {7, 300}, {9, 1 bsl 62}, {10, 255}, {11, 65535}, {12, 1 bsl 31},
            {13, (1 bsl 64) - 1}, {10, 0, 0, 1}, {64768, 0, 0, 0, 0, 0, 0, 1}, {28, 3}, {39, <<"bin">>}],
    [{Id, ok} = {Id, ha_client:call(S, {1, Id})} || Id <- Good],
    Bad = [<<>>, <<Long/binary, "x">>, foo, true, [], {}, {6, 300}, {13, -1}, {14, 1.0}, 1.5, {1, 2, 3}, {256, 0, 0, 1}, #{},
           {39, <<>>}, self(), make_ref(), 1 bsl 70, [1, 2, 3000]],
    [{Id, 5} = {Id, error_code(ha_client:call(S, {1, Id}))} || Id <- Bad],
    [{Id, 5} = {Id, error_code(ha_client:call(S, {5, Id}))} || Id <- Bad],
    [{Id, 5} = {Id, error_code(ha_client:call(S, {2, Id, {?N1, ?LO}, 1}))} || Id <- Bad],
    [{Id, 5} = {Id, error_code(ha_client:call(S, {2, ?N1, {Id, ?LO}, 1}))} || Id <- Bad],
    E = events(N),
    ha_client:send(S, {2, foo, {?N1, ?LO}, 0}),
    {7, 5} = ha_client:event(E),
    [{A, 5} = {A, error_code(ha_client:call(S, {2, <<"n2">>, {?N1, A}, 1}))} || A <- [foo, {1, 2, 3}, {300, 0, 0, 1}, 5, <<>>]],
    {3, []} = status(S).

no_orders(N) ->
    S = ha(N),
    [{T, 21} = {T, error_code(ha_client:call(S, T))}
     || T <- [{0}, {7}, {4, x}, {3, 1}, {1}, {1, ?N1, 2}, {}, foo, 4, [4], <<4>>, {foo}, {1 bsl 80}, "abc",
              {2, ?N1, {<<"n2">>, ?LO}, 2}, {2, ?N1, {<<"n2">>, ?LO}, true}, {2, ?N1, <<"n2">>, 1}, {2, ?N1, {<<"n2">>}, 1}]],
    {1, []} = status(S).

%% The same order with every tag that it may be written with.
encodings(N) ->
    S = ha(N),
    [begin
         ha_client:send_raw(S, [131, Order]),
         {B, {1, []}} = {Order, ha_client:recv(S)}
     end || Order = B <- [<<104, 1, 97, 4>>, <<105, 0, 0, 0, 1, 97, 4>>, <<104, 1, 98, 0, 0, 0, 4>>, <<104, 1, 110, 1, 0, 4>>]],
    Id = <<109, 2:32, "n1">>,
    ha_client:send_raw(S, [131, <<104, 2, 98, 1:32>>, Id]),
    ok = ha_client:recv(S),
    {3, []} = status(S).

phase0() ->
    Dir = node_proc:dir(),
    N = node_proc:start(Dir, #{address => node_proc:net() ++ "1", args => ["--start-phase0"]}),
    E = events(N),
    S = ha(N),
    {1, []} = status(S),
    [{T, 17} = {T, error_code(ha_client:call(S, T))}
     || T <- [{1, ?N1}, {2, <<"n2">>, {?N1, ?LO}, 1}, {3}, {5, ?N1}, {6}]],
    ha_client:send(S, {2, <<"n2">>, {?N1, ?LO}, 0}),
    {7, 17} = ha_client:event(E),
    node_proc:signal(N, "USR1"),
    tap:until(phase1, fun() -> ha_client:call(S, {3}) =:= ok end),
    node_proc:signal(N, "USR1"),
    node_proc:signal(N, "USR1"),
    ok = ha_client:call(S, {1, ?N1}),
    ok = node_proc:stop(N),
    node_proc:remove(Dir).

versions(#{ipc := Ipc}) ->
    [{ok, _} = ha_client:connect(Ipc, Kind, [{version, V}]) || V <- [60, 82, 99], Kind <- [ha, events]],
    [begin
         {error, {version, 82, 16#08020500}} = ha_client:connect(Ipc, Kind, [{version, V}])
     end || V <- [0, 59, 100, 65535], Kind <- [ha, events]],
    {ok, S} = ha_client:open(Ipc),
    ok = ha_client:hello(S, ha, 77, <<20, 9>>),
    {ok, <<0, 77:16, 8, 2, 5, 0, 20, 9>>} = gen_tcp:recv(S, 9, 5000),
    {ok, T} = ha_client:open(Ipc),
    ok = ha_client:hello(T, ha, 59),
    {ok, <<1, 82:16, 8, 2, 5, 0, _:16>>} = gen_tcp:recv(T, 9, 5000),
    true = ha_client:closed(T).

access() ->
    Dir = node_proc:dir(),
    File = filename:join(Dir, "access"),
    Secret = <<"se\0cret\n">>,
    ok = file:write_file(File, Secret),
    ok = file:change_mode(File, 8#600),
    N = #{ipc := Ipc} = node_proc:start(Dir, #{address => node_proc:net() ++ "1", config => ["AccessFile=", File, "\n"]}),
    {ok, S} = ha_client:connect(Ipc, ha, [{secret, Secret}]),
    {1, []} = status(S),
    {ok, E} = ha_client:connect(Ipc, events, [{secret, Secret}]),
    ok = ha_client:call(E, ?EVENTS),
    {error, access_denied} = ha_client:connect(Ipc, ha, [{secret, <<"se\0cret">>}]),
    {error, access_denied} = ha_client:connect(Ipc, events, [{secret, <<>>}]),
    {error, closed} = ha_client:connect(Ipc, ha),
    {error, closed} = ha_client:connect(Ipc, events),
    %% the old answer to a new challenge, and an answer with the wrong first byte
    {ok, R} = ha_client:open(Ipc),
    ok = ha_client:hello(R, 17 bor 16#c0, 82),
    {ok, <<11, C1:32/binary>>} = gen_tcp:recv(R, 33, 5000),
    ok = gen_tcp:send(R, [13, binary:copy(<<0>>, 32)]),
    {ok, <<1>>} = gen_tcp:recv(R, 1, 5000),
    true = ha_client:closed(R),
    {ok, R2} = ha_client:open(Ipc),
    ok = ha_client:hello(R2, 17 bor 16#c0, 82),
    {ok, <<11, C2:32/binary>>} = gen_tcp:recv(R2, 33, 5000),
    true = C1 =/= C2,
    ha_client:close(R2),
    {1, []} = status(S), % and nobody of them has displaced the controller
    ok = node_proc:stop(N),
    node_proc:remove(Dir).

access_not_wanted(#{ipc := Ipc}) ->
    {ok, S} = ha_client:connect(Ipc, ha, [{secret, <<"x">>}]),
    {1, []} = status(S).

kinds(#{ipc := Ipc}) ->
    [begin
         {ok, S} = ha_client:open(Ipc),
         ok = ha_client:hello(S, Kind, 82),
         {Kind, true} = {Kind, ha_client:closed(S)}
     end || Kind <- [0, 1, 5, 10, 12, 16, 18, 255, 16#c0, 17 bor 16#80]],
    {ok, H} = ha_client:open(Ipc),
    ok = gen_tcp:send(H, "GET / HTTP/1.0\r\n\r\n"),
    true = ha_client:closed(H).

displacement(#{ipc := Ipc} = N) ->
    A = ha(N),
    ok = ha_client:call(A, {1, ?N1}),
    {ok, B} = ha_client:open(Ipc),
    ok = ha_client:hello(B, ha, 82),
    {ok, <<0, _/binary>>} = gen_tcp:recv(B, 9, 5000),
    {3, []} = status(A),
    ok = gen_tcp:send(B, <<3:32, "ne">>),
    {3, []} = status(A), % not before the token is whole
    ok = gen_tcp:send(B, <<"w">>),
    true = ha_client:closed(A),
    {3, []} = status(B),
    ha_client:close(B),
    C = ha(N),
    {3, []} = status(C).

tokens(#{ipc := Ipc}) ->
    [begin
         {ok, S} = ha_client:connect(Ipc, ha, [{token, binary:copy(<<"t">>, Size)}]),
         {1, []} = status(S)
     end || Size <- [0, 1, 255, 65535]],
    {ok, S} = ha_client:connect(Ipc, ha, [{token, binary:copy(<<"t">>, 65536)}]),
    true = ha_client:closed(S).

pipelining(N) ->
    S = ha(N),
    ok = gen_tcp:send(S, [ha_client:frame(T) || T <- [{1, ?N1}, {4}, {3}, {4}, {9}, {4}, {1, ?N1}, {3}]]),
    [ok, {3, []}, ok, {1, []}, E, {1, []}, ok, ok] = [ha_client:recv(S) || _ <- lists:seq(1, 8)],
    21 = error_code(E),
    %% more than may wait: the rest is read when there is room again
    Count = 5000,
    spawn_link(fun() -> [ha_client:send(S, {4}) || _ <- lists:seq(1, Count)] end),
    [{1, []} = ha_client:recv(S) || _ <- lists:seq(1, Count)].

bytewise(#{ipc := Ipc}) ->
    {ok, S} = ha_client:open(Ipc),
    ok = ha_client:send_slowly(S, <<17, 82:16, 8, 2, 5, 0, 0, 0, 3:32, "tok">>),
    {ok, <<0, 82:16, _/binary>>} = gen_tcp:recv(S, 9, 5000),
    ok = ha_client:send_slowly(S, <<(ha_client:frame({1, ?N1}))/binary, (ha_client:frame({4}))/binary>>),
    ok = ha_client:recv(S),
    {3, []} = ha_client:recv(S).

garbage(#{ipc := Ipc} = N) ->
    [begin
         S = ha(N),
         ha_client:send_raw(S, Body),
         {Body, true} = {Body, ha_client:closed(S)}
     end || Body <- [<<>>, <<131>>, <<"hello">>, <<130, 104, 1, 97, 4>>, <<131, 104, 2, 97, 4>>, <<131, 104, 1, 97, 4, 0>>,
                     <<131, 109, 16#ffffffff:32, 1>>, <<131, 80, 5:32, 1, 2, 3>>, <<131, 105, 16#ffffffff:32>>,
                     [131, binary:copy(<<104, 1>>, 1000), 106], binary:copy(<<0>>, 4096)]],
    [begin
         S = ha(N),
         ok = gen_tcp:send(S, <<Size:32, "x">>),
         true = ha_client:closed(S)
     end || Size <- [4097, 16#7fffffff, 16#ffffffff]],
    S = ha(N),
    E = ha_client:subscribe(Ipc, 64),
    ha_client:send(E, something_else),
    true = ha_client:closed(E),
    {1, []} = status(S).

subscriptions(#{ipc := Ipc} = N) ->
    A = ha_client:subscribe(Ipc, {64, 0, 0, undefined}, []),
    B = ha_client:subscribe(Ipc, {64 bor 1 bor 2, 0, 0, #{any => [term, 1.5]}, 3}, []),
    C = ha_client:subscribe(Ipc, {1, 0, 0, undefined, 0}, []),
    S = ha(N),
    ok = ha_client:call(S, {1, ?N1}),
    {5, _} = ha_client:event(A),
    {5, _} = ha_client:event(B),
    ok = ha_client:nothing(C, 50),
    [begin
         {ok, X} = ha_client:connect(Ipc, events),
         {T, 21} = {T, error_code(ha_client:call(X, T))},
         true = ha_client:closed(X)
     end || T <- [{}, {64}, {64, 0, 0}, {64, -1, 0, undefined, 0}, {a, 0, 0, undefined, 0}, {64, 0, 0, undefined, 0, 0}, foo]],
    {ok, Y} = ha_client:connect(Ipc, events),
    ha_client:send_raw(Y, <<"junk">>),
    true = ha_client:closed(Y).

periodic(#{ipc := Ipc} = N) ->
    E = ha_client:subscribe(Ipc, {64 bor (1 bsl 13) bor (1 bsl 18), 20, 30, undefined, 0}, []),
    S = ha(N),
    ok = ha_client:call(S, {1, ?N1}),
    Seen = [element(1, ha_client:recv(E)) || _ <- lists:seq(1, 30)],
    true = lists:member(64, Seen),
    true = lists:member(1 bsl 13, Seen),
    true = lists:member(1 bsl 18, Seen),
    %% intervals without their bits are not wanted
    F = ha_client:subscribe(Ipc, {64, 20, 20, undefined, 0}, []),
    ok = ha_client:nothing(F, 100).

sync_hold(N) ->
    A = sync(N),
    B = sync(N),
    Plain = events(N),
    S = ha(N),
    ok = ha_client:call(S, {1, ?N1}),
    {5, _} = ha_client:event(A),
    {5, _} = ha_client:event(B),
    {5, _} = ha_client:event(Plain),
    {3, []} = status(S),
    ha_client:send(S, {3}),
    ok = ha_client:nothing(S, 100),
    ha_client:ack(A),
    ok = ha_client:nothing(S, 100), % the other one is waited for too
    ha_client:ack(B),
    ok = ha_client:recv(S),
    {6, _} = ha_client:event(A),
    {6, _} = ha_client:event(Plain),
    {1, []} = status(S),
    %% a new controller is served status meanwhile, and what was ordered before it stays ordered
    ha_client:send(S, {1, ?N1}),
    ok = ha_client:nothing(S, 50),
    T = ha(N),
    true = ha_client:closed(S),
    {1, []} = status(T),
    {6, _} = ha_client:event(B),
    ha_client:ack(A),
    ha_client:ack(B),
    {5, _} = ha_client:event(A),
    {3, []} = status(T).

sync_timeout(N) ->
    A = sync(N),
    S = ha(N),
    ok = ha_client:call(S, {1, ?N1}),
    T0 = erlang:monotonic_time(millisecond),
    ok = ha_client:call(S, {3}, 15000),
    Took = erlang:monotonic_time(millisecond) - T0,
    {took, Took, true} = {took, Took, Took > 9000 andalso Took < 12000},
    {5, _} = ha_client:event(A),
    {6, _} = ha_client:event(A),
    ok = ha_client:call(S, {1, ?N1}), % who is late is not waited for again until it has caught up
    ok = ha_client:call(S, {3}),
    {5, _} = ha_client:event(A),
    {6, _} = ha_client:event(A),
    [ha_client:ack(A) || _ <- lists:seq(1, 4)],
    %% the acknowledgements and the order come by different sockets: poll until it is waited for again
    tap:until(held_again, fun() ->
        ok = ha_client:call(S, {1, ?N1}),
        {5, _} = ha_client:event(A),
        ha_client:send(S, {3}),
        case gen_tcp:recv(S, 0, 100) of
            {error, timeout} -> true;
            {ok, _} -> {6, _} = ha_client:event(A), ha_client:ack(A), ha_client:ack(A), false
        end
    end).

sync_close(N) ->
    A = sync(N),
    S = ha(N),
    ok = ha_client:call(S, {1, ?N1}),
    ha_client:send(S, {3}),
    ok = ha_client:nothing(S, 50),
    ha_client:close(A),
    ok = ha_client:recv(S).

silent(#{ipc := Ipc}) ->
    {ok, A} = ha_client:open(Ipc),
    {ok, B} = ha_client:open(Ipc),
    ok = ha_client:hello(B, ha, 82),
    {ok, _} = gen_tcp:recv(B, 9, 5000),
    {ok, C} = ha_client:connect(Ipc, events),
    {ok, D} = ha_client:open(Ipc),
    Self = self(),
    spawn_link(fun() -> % one that never pauses for long, and never comes to an end
        _ = [begin _ = gen_tcp:send(D, <<B1>>), timer:sleep(200) end
             || <<B1>> <= <<17, 82:16, 8, 2, 5, 0, 0, 0, 60000:32, (binary:copy(<<"x">>, 40))/binary>>],
        Self ! done
    end),
    [true = ha_client:closed(X, 8000) || X <- [A, B, C]],
    {ok, _} = gen_tcp:recv(D, 9, 5000),
    true = ha_client:closed(D, 8000),
    receive done -> ok end.

slow_subscriber(N) ->
    Slow = events(N),
    Quick = events(N),
    S = ha(N),
    Id = binary:copy(<<"m">>, 127),
    Flap = fun Flap(0) -> never;
               Flap(K) ->
                   ok = ha_client:call(S, {1, Id}),
                   {5, _} = ha_client:event(Quick),
                   ok = ha_client:call(S, {3}),
                   {6, _} = ha_client:event(Quick),
                   case binary:match(node_proc:log(N), <<"does not read">>) of
                       nomatch -> Flap(K - 1);
                       _ -> cut
                   end
           end,
    cut = Flap(200000),
    ha_client:close(Slow),
    {1, []} = status(S).

slow_controller(N) ->
    S = ha(N),
    Before = node_proc:memory(N),
    ok = inet:setopts(S, [{send_timeout, 1000}]),
    Orders = [ha_client:frame({4}) || _ <- lists:seq(1, 1000)],
    Fill = fun Fill() -> case gen_tcp:send(S, Orders) of ok -> Fill(); Error -> Error end end,
    {error, timeout} = Fill(),
    {grown, G, true} = {grown, node_proc:memory(N) - Before, node_proc:memory(N) - Before < 8192},
    T = ha(N),
    {1, []} = status(T),
    _ = G.

flood(#{ipc := Ipc} = N) ->
    S = ha(N),
    E = events(N),
    Before = node_proc:memory(N),
    Open = [begin
                {ok, X} = ha_client:open(Ipc),
                _ = case I rem 3 of
                    0 -> gen_tcp:send(X, <<17, 82:16, 8, 2, 5, 0, 0, 0, 65535:32, (binary:copy(<<"x">>, 60000))/binary>>);
                    1 -> gen_tcp:send(X, <<17, 82:16, 8>>);
                    2 -> ok
                end,
                X
            end || I <- lists:seq(1, 1000)],
    T0 = erlang:monotonic_time(millisecond),
    {1, []} = status(S),
    true = erlang:monotonic_time(millisecond) - T0 < 3000,
    ok = ha_client:call(S, {1, ?N1}),
    {5, _} = ha_client:event(E),
    Grown = node_proc:memory(N) - Before,
    {grown, Grown, true} = {grown, Grown, Grown < 16384},
    {ok, F} = ha_client:connect(Ipc, events),
    ok = ha_client:call(F, ?EVENTS),
    [ha_client:close(X) || X <- Open],
    %% more subscribers than there may be
    Answers = [begin
                   {ok, X} = ha_client:connect(Ipc, events),
                   ha_client:call(X, ?EVENTS)
               end || _ <- lists:seq(1, 460)],
    445 = length([A || A <- Answers, A =:= ok]), % 447 with the two above
    35 = error_code(lists:last(Answers)),
    {3, []} = status(S),
    T = ha(N),
    {3, []} = status(T).

tcp() ->
    Dir = node_proc:dir(),
    Net = node_proc:net(),
    {ok, Address} = inet:parse_address(Net ++ "1"),
    N = node_proc:start(Dir, #{ipc => {tcp, Address, 4565}, address => Net ++ "1"}),
    {1, []} = status(ha(N)),
    ok = node_proc:stop(N),
    {ok, L} = gen_tcp:listen(0, [inet6, {ip, {0, 0, 0, 0, 0, 0, 0, 1}}]),
    {ok, Port} = inet:port(L),
    gen_tcp:close(L),
    M = #{ipc := Ipc} = node_proc:start(Dir, #{ipc => {tcp, {0, 0, 0, 0, 0, 0, 0, 1}, Port}, address => Net ++ "1", wait => false}),
    tap:until(listens, fun() -> case open6(Ipc) of {ok, S} -> gen_tcp:close(S), true; E -> E end end),
    {ok, S} = open6(Ipc),
    ok = ha_client:hello(S, ha, 82),
    {ok, <<0, _/binary>>} = gen_tcp:recv(S, 9, 5000),
    ok = gen_tcp:send(S, <<0:32>>),
    {1, []} = status(S),
    ok = node_proc:stop(M),
    node_proc:remove(Dir).

open6({tcp, Address, Port}) -> gen_tcp:connect(Address, Port, [inet6, binary, {active, false}], 5000).

stale_socket() ->
    Dir = node_proc:dir(),
    A = #{ipc := {unix, Path}} = node_proc:start(Dir),
    "660" = string:trim(os:cmd("stat -c %a " ++ Path)),
    B = node_proc:start(Dir, #{name => "n2", ipc => {unix, Path}, wait => false}),
    1 = node_proc:exit_status(B),
    {match, _} = re:run(node_proc:log(B), "another process listens"),
    {1, []} = status(ha(A)),
    ok = node_proc:kill(A),
    {ok, _} = file:read_link_info(Path),
    C = node_proc:start(Dir),
    {1, []} = status(ha(C)),
    ok = node_proc:stop(C),
    {error, enoent} = file:read_link_info(Path),
    ok = file:write_file(Path, <<"precious">>),
    D = node_proc:start(Dir, #{name => "n3", ipc => {unix, Path}, wait => false}),
    78 = node_proc:exit_status(D), % only a person can take the file away
    {ok, <<"precious">>} = file:read_file(Path),
    node_proc:remove(Dir).

notify() ->
    Dir = node_proc:dir(),
    Path = filename:join(Dir, "notify"),
    {ok, U} = gen_udp:open(0, [local, {ifaddr, {local, Path}}, binary, {active, false}]),
    N = node_proc:start(Dir, #{address => node_proc:net() ++ "1", env => [{"NOTIFY_SOCKET", Path}, {"WATCHDOG_USEC", "200000"}]}),
    told(U, "STATUS=State none: waiting for orders"),
    told(U, "READY=1"),
    told(U, "WATCHDOG=1"),
    told(U, "WATCHDOG=1"),
    S = ha(N),
    ok = ha_client:call(S, {1, ?N1}),
    told(U, "STATUS=State master as n1, 0 slaves"),
    ok = ha_client:call(S, {1, <<"a\nb">>}),
    told(U, "STATUS=State master as a\\x0ab, 0 slaves"), % a name cannot forge a line
    ok = node_proc:stop(N),
    told(U, "STOPPING=1"),
    gen_udp:close(U),
    node_proc:remove(Dir).

%% Waits for a message with that line.
told(U, Line) ->
    {ok, {_, _, Message}} = gen_udp:recv(U, 0, 5000),
    case lists:member(list_to_binary(Line), binary:split(Message, <<"\n">>, [global])) of
        true -> ok;
        false -> told(U, Line)
    end.

help() ->
    Program = os:getenv("CONFD_HA_NODE"),
    Help = os:cmd(Program ++ " --help; echo $?"),
    [{Word, {match, _}} = {Word, re:run(Help, Word)}
     || Word <- ["--config=FILE", "--ipc=ADDRESS", "--ha=ADDRESS", "--data=DIR", "--start-phase0", "--bus-name=NAME", "--help",
                 "--version", "\n0\n$"]],
    {match, _} = re:run(os:cmd(Program ++ " --version; echo $?"), "^confd-ha-node [0-9.]+\n0\n$"),
    {match, _} = re:run(os:cmd(Program ++ " surplus; echo $?"), "surplus.*\n2\n$").

exit_78() ->
    Dir = node_proc:dir(),
    Empty = filename:join(Dir, "empty"),
    Open = filename:join(Dir, "open"),
    ok = file:write_file(Empty, <<>>),
    ok = file:change_mode(Empty, 8#600),
    ok = file:write_file(Open, <<"secret">>),
    ok = file:change_mode(Open, 8#644),
    [begin
         file:delete(filename:join(Dir, "n1.log")),
         N = node_proc:start(Dir, #{config => Config, args => Args, wait => false}),
         {Config, Args, 78} = {Config, Args, node_proc:exit_status(N)},
         {match, _} = re:run(node_proc:log(N), Says)
     end || {Config, Args, Says} <-
         [{"TickTimeoutSec=x\n", [], "n1.conf:2: TickTimeoutSec=x: "},
          {"nonsense\n", [], "n1.conf:2: "},
          {"", ["--config=/nonexistent"], "/nonexistent: "},
          {"", ["--ha=nonsense"], "--ha=nonsense: "},
          {"AccessFile=/nonexistent\n", [], "AccessFile=/nonexistent: "},
          {["AccessFile=", Empty, "\n"], [], "empty"},
          {["AccessFile=", Open, "\n"], [], "others"}]],
    U = node_proc:start(Dir, #{args => ["--what"], wait => false}),
    2 = node_proc:exit_status(U),
    node_proc:remove(Dir).
