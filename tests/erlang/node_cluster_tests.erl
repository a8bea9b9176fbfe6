%% SPDX-License-Identifier: Apache-2.0
%% Several nodes with data, ordered about by an Erlang client: joins, copies, losses, relays, and what each of them says.
-module(node_cluster_tests).
-export([main/0]).

-define(BUSY_MS, 20000).

main() ->
    node_proc:run(
      [{"join with wait copies, and commits follow", with(2, fun join/1)},
       {"join with the same data copies nothing", with(2, fun join_again/1)},
       {"without wait: SLAVE_INITIALIZED, then one BESLAVE_RESULT each", with(2, fun no_wait/1)},
       {"an order that is ended by a later one: 71 first", with(2, fun superseded/1)},
       {"while joining: none, no nodes, read-only; then what it had", with(2, fun joining/1)},
       {"status waits behind a be slave with wait", with(2, fun status_behind/1)},
       {"a synchronization outlives its controller", with(2, fun controller_gone/1)},
       {"HA_BADTOKEN, HA_BADNAME, HA_BADFXS, in that order", with(3, fun refused/1)},
       {"HA_CONNECT: refused and never answered; HA_CLOSED: connected, and then silence", with(1, fun connect/1)},
       {"a circle of relays: HA_BADNAME", with(3, fun circle/1)},
       {"tokens of any length", with(2, fun long_token/1)},
       {"slave dead of one that is still copying or unknown", with(2, fun dead_unknown/1)},
       {"a new token is for later joins", with(3, fun new_token/1)},
       {"the death of a master: NOMASTER 26, IS_NONE", with(2, fun master_dies/1)},
       {"the death of a slave: SLAVE_DIED", with(2, fun slave_dies/1)},
       {"ticks: a stopped master is HA_NOTICK", with(2, "TickTimeoutSec=0.5\n", fun master_stops/1)},
       {"ticks: a stopped slave is SLAVE_DIED", with(2, "TickTimeoutSec=0.5\n", fun slave_stops/1)},
       {"slave dead at the master and at the slave", with(3, fun slave_dead/1)},
       {"master leaves by order: slaves lose it, it reports none", with(3, fun master_leaves/1)},
       {"a new name keeps the slaves", with(2, fun rename/1)},
       {"a join under a connected slave's name replaces it", with(3, fun replaced/1)},
       {"relay: status, data, no arrivals of its own; ends with the same be slave", with(3, fun relay/1)},
       {"a relay that loses its master drops its slaves", with(3, fun relay_loses/1)},
       {"a relay becomes master with its slaves", with(3, fun relay_promoted/1)},
       {"be relay with the address taken: HA_BIND", with(2, fun relay_bind/1)},
       {"failover copies nothing, divergence copies", with(3, fun failover/1)},
       {"addresses as strings with a port, also IPv6", fun addresses/0},
       {"extra listen addresses", fun extra_listen/0},
       {"HA_INFO_SYNC holds the arrival of a slave", with(3, fun sync_arrival/1)},
       {"a slave that becomes master stops following", with(2, fun slave_to_master/1)}],
      90000).

%% Nodes n1, n2, ... on addresses of their own and one bus.
with(Count, Fun) -> with(Count, "", Fun).
with(Count, Config, Fun) ->
    fun() ->
        Dir = node_proc:dir(),
        Bus = node_proc:bus(Dir),
        Net = node_proc:net(),
        Nodes = [start(Dir, Bus, Net, I, Config) || I <- lists:seq(1, Count)],
        Fun(Nodes),
        [ok = node_proc:stop(N) || N <- Nodes, not is_map_key(N, gone), alive(N)],
        node_proc:remove(Dir)
    end.

start(Dir, Bus, Net, I, Config) ->
    I1 = integer_to_list(I),
    node_proc:start(Dir, #{name => "n" ++ I1, address => Net ++ I1, bus => Bus, config => Config}).

alive(#{pid := Pid}) -> os:cmd("kill -0 " ++ integer_to_list(Pid)) =:= "".

ha(N) -> ha(N, <<"secret">>).
ha(#{ipc := Ipc}, Token) -> {ok, S} = ha_client:connect(Ipc, ha, [{token, Token}]), S.
events(#{ipc := Ipc}) -> ha_client:subscribe(Ipc, 64).
call(S, Order) -> ha_client:call(S, Order, ?BUSY_MS).
event(S) -> ha_client:event(S, ?BUSY_MS).
status(S) -> call(S, {4}).
address(#{address := A}) -> {ok, T} = inet:parse_address(A), T.
node_of(#{name := Name} = N) -> {Name, address(N)}.
code({error, Code}) -> Code;
code({error, Code, Reason}) when is_binary(Reason) -> Code.
quiet(S) -> ok = ha_client:nothing(S, 100).

be_master(#{name := Name} = N) -> be_master(N, ha(N), Name).
be_master(_, S, Name) -> ok = call(S, {1, Name}), S.
slave_order(#{name := Name}, Master, Wait) -> {2, Name, node_of(Master), Wait}.
be_slave(N, Master) -> be_slave(N, ha(N), Master).
be_slave(N, S, Master) -> ok = call(S, slave_order(N, Master, 1)), S.

join([N1, N2]) ->
    {ok, _} = node_proc:set(N1, "/a", "1"),
    {ok, _} = node_proc:set(N2, "/old", "1"),
    E1 = events(N1),
    E2 = events(N2),
    S1 = be_master(N1),
    {5, _} = event(E1),
    S2 = be_slave(N2, N1),
    {4, 1} = event(E2),
    {2, [M]} = status(S2),
    M = node_of(N1),
    A = node_of(N2),
    {3, A} = event(E1),
    {3, [A]} = status(S1),
    "s \"1\"" = node_proc:get(N2, "/a"),
    "Call failed: There is no /old" = node_proc:get(N2, "/old"),
    {ok, Id} = node_proc:set(N1, "/a", "2"),
    "s \"2\"" = node_proc:get(N2, "/a"),
    "s " ++ Id = node_proc:property(N2, "TransactionId"),
    {error, "Call failed: Only a master" ++ _} = node_proc:set(N2, "/a", "3"),
    "s \"slave\"" = node_proc:property(N2, "State"),
    quiet(E1),
    quiet(E2).

join_again([N1, N2]) ->
    {ok, Id} = node_proc:set(N1, "/a", "1"),
    be_master(N1),
    S2 = be_slave(N2, N1),
    E1 = events(N1),
    E2 = events(N2),
    ok = call(S2, {3}),
    {6, _} = event(E2),
    A = node_of(N2),
    {2, A} = event(E1),
    ok = call(S2, slave_order(N2, N1, 1)),
    {4, 0} = event(E2),
    {3, A} = event(E1),
    "s " ++ Id = node_proc:property(N2, "TransactionId").

no_wait([N1, N2]) ->
    be_master(N1),
    E2 = events(N2),
    S2 = ha(N2),
    ha_client:send(S2, slave_order(N2, N1, 0)),
    {4, _} = event(E2),
    {7, 0} = event(E2),
    {2, [_]} = status(S2),
    [ha_client:send(S2, slave_order(N2, N1, 0)) || _ <- [1, 2, 3]],
    ok = call(S2, slave_order(N2, N1, 1)),
    [{7, 0} = event(E2) || _ <- [1, 2, 3]],
    quiet(E2),
    quiet(S2).

%% A master that accepts connections and says nothing.
mute(#{address := A}) ->
    Net = string:slice(A, 0, string:length(A) - length(string:find(A, ".", trailing)) + 1),
    {ok, Address} = inet:parse_address(Net ++ "99"),
    {ok, _} = gen_tcp:listen(4570, [{reuseaddr, true}, {ip, Address}, {active, false}]),
    #{name => <<"mute">>, address => Net ++ "99"}.

superseded([N1, N2]) ->
    Mute = mute(N1),
    be_master(N1),
    E2 = events(N2),
    S2 = ha(N2),
    ha_client:send(S2, slave_order(N2, Mute, 0)),
    {1, []} = status(S2),
    ha_client:send(S2, slave_order(N2, N1, 0)),
    {7, 71} = event(E2),
    {4, _} = event(E2),
    {7, 0} = event(E2),
    ha_client:send(S2, slave_order(N2, Mute, 1)),
    {6, _} = event(E2),
    71 = code(call(S2, slave_order(N2, N1, 1))),
    ok = ha_client:recv(S2, ?BUSY_MS),
    {4, 0} = event(E2),
    ha_client:send(S2, slave_order(N2, Mute, 1)),
    {6, _} = event(E2),
    ha_client:send(S2, {3}),
    71 = code(ha_client:recv(S2)),
    ok = ha_client:recv(S2),
    ha_client:send(S2, slave_order(N2, Mute, 1)),
    ha_client:send(S2, {1, <<"n2">>}),
    71 = code(ha_client:recv(S2)),
    ok = ha_client:recv(S2),
    {5, _} = event(E2),
    {3, []} = status(S2),
    ha_client:send(S2, slave_order(N2, Mute, 0)),
    {6, _} = event(E2),
    17 = code(call(S2, {6})),
    ok = call(S2, {3}),
    {7, 71} = event(E2),
    quiet(E2),
    quiet(S2).

joining([N1, N2]) ->
    Mute = mute(N1),
    {ok, _} = node_proc:set(N2, "/mine", "1"),
    E2 = events(N2),
    S2 = be_master(N2),
    {5, _} = event(E2),
    ha_client:send(S2, slave_order(N2, Mute, 0)),
    {6, _} = event(E2),
    {1, []} = status(S2),
    {error, "Call failed: Only a master" ++ _} = node_proc:set(N2, "/mine", "2"),
    "s \"1\"" = node_proc:get(N2, "/mine"),
    "s \"none\"" = node_proc:property(N2, "State"),
    {7, 26} = event(E2),
    {1, []} = status(S2),
    quiet(E2),
    {ok, _} = node_proc:set(N2, "/mine", "3").

status_behind([N1, N2]) ->
    Mute = mute(N1),
    S2 = ha(N2),
    ha_client:send(S2, slave_order(N2, Mute, 1)),
    ha_client:send(S2, {4}),
    ha_client:send(S2, {5, <<"x">>}),
    quiet(S2),
    26 = code(ha_client:recv(S2, ?BUSY_MS)),
    {1, []} = ha_client:recv(S2),
    ok = ha_client:recv(S2).

controller_gone([N1, N2]) ->
    be_master(N1),
    os:cmd("kill -STOP " ++ integer_to_list(maps:get(pid, N1))),
    E2 = events(N2),
    S2 = ha(N2),
    ha_client:send(S2, slave_order(N2, N1, 1)),
    quiet(S2),
    T2 = ha(N2),
    true = ha_client:closed(S2),
    {1, []} = status(T2),
    node_proc:signal(N1, "CONT"),
    {4, _} = event(E2),
    {2, [_]} = status(T2),
    quiet(E2).

refused([N1, N2, N3]) ->
    be_master(N1),
    S2 = ha(N2, <<"another">>),
    29 = code(call(ha(N3), {2, <<"n3">>, {<<"nobody">>, address(N1)}, 1})),
    28 = code(call(S2, {2, <<"n2">>, {<<"nobody">>, address(N1)}, 1})), % the token before the name
    28 = code(call(ha(N2, <<>>), slave_order(N2, N1, 1))),
    29 = code(call(ha(N3), {2, <<"n1">>, {<<"n1">>, address(N1)}, 1})),
    29 = code(call(ha(N3), {2, <<"n3">>, {{39, <<"n1">>}, address(N1)}, 1})), % other type, other name
    %% another schema set
    Dir = maps:get(dir, N1),
    Schema = filename:join(Dir, "fxs"),
    ok = file:make_dir(Schema),
    ok = file:write_file(filename:join(Schema, "a.fxs"), <<"1">>),
    Net = string:slice(maps:get(address, N1), 0, length(maps:get(address, N1)) - 1),
    N4 = node_proc:start(Dir, #{name => "n4", address => Net ++ "4", config => ["SchemaDirectory=", Schema, "\n"]}),
    27 = code(call(ha(N4), slave_order(N4, N1, 1))),
    29 = code(call(ha(N4), {2, <<"n4">>, {<<"nobody">>, address(N1)}, 1})), % the name before the schema
    E4 = events(N4),
    ha_client:send(ha(N4), slave_order(N4, N1, 0)),
    {7, 27} = event(E4),
    ok = node_proc:stop(N4),
    S3 = ha(N3),
    ok = call(S3, slave_order(N3, N1, 1)).

connect([N1]) ->
    S = ha(N1),
    {A, B, C, _} = address(N1),
    25 = code(call(S, {2, <<"n1">>, {<<"x">>, {A, B, C, 98}}, 1})),
    %% Connected, but nobody answers: that is no lack of a connection.
    26 = took(9000, 15000, fun() -> code(call(S, slave_order(N1, mute(N1), 1))) end),
    %% A full backlog drops what asks for a connection, as a dead host does.
    {ok, L} = gen_tcp:listen(4570, [{reuseaddr, true}, {ip, {A, B, C, 97}}, {backlog, 0}]),
    Full = fill({A, B, C, 97}),
    25 = took(9000, 15000, fun() -> code(call(S, {2, <<"n1">>, {<<"x">>, {A, B, C, 97}}, 1})) end),
    [gen_tcp:close(F) || F <- Full],
    gen_tcp:close(L),
    {1, []} = status(S).

%% Until one is not let in.
fill(Ip) ->
    case gen_tcp:connect(Ip, 4570, [], 500) of
        {ok, Socket} -> [Socket | fill(Ip)];
        {error, timeout} -> []
    end.

took(Min, Max, Fun) ->
    T0 = erlang:monotonic_time(millisecond),
    Result = Fun(),
    Took = erlang:monotonic_time(millisecond) - T0,
    {took, Took, true} = {took, Took, Took >= Min andalso Took =< Max},
    Result.

circle([N1, N2, N3]) ->
    S1 = be_master(N1),
    S2 = be_slave(N2, N1),
    ok = call(S2, {6}),
    S3 = be_slave(N3, N2),
    ok = call(S3, {6}),
    %% n2 under n3, which is under n2: it leaves n1 for that, and n3 loses it at once, so nobody is there to follow
    {error, Code, _} = call(S2, slave_order(N2, N3, 1)),
    true = lists:member(Code, [25, 26, 29]),
    {1, []} = status(S2),
    {3, []} = status(S1),
    %% one name twice in a chain: n3, named as the master is, joins below its relay
    ok = call(S2, slave_order(N2, N1, 1)),
    ok = call(S2, {6}),
    29 = code(call(S3, {2, <<"n1">>, node_of(N2), 1})),
    29 = code(call(S3, {2, <<"n2">>, node_of(N2), 1})),
    ok = call(S3, slave_order(N3, N2, 1)).

long_token([N1, N2]) ->
    Token = binary:copy(<<"t">>, 65535),
    be_master(N1, ha(N1, Token), <<"n1">>),
    28 = code(call(ha(N2, binary:part(Token, 0, 65534)), slave_order(N2, N1, 1))),
    ok = call(ha(N2, Token), slave_order(N2, N1, 1)).

dead_unknown([N1, N2]) ->
    S1 = be_master(N1),
    S2 = be_slave(N2, N1),
    ok = call(S1, {5, <<"n1">>}),
    ok = call(S1, {5, {39, <<"n2">>}}),
    ok = call(S2, {5, <<"n2">>}),
    {3, [_]} = status(S1),
    {2, [_]} = status(S2).

new_token([N1, N2, N3]) ->
    be_master(N1),
    S2 = be_slave(N2, N1),
    S1 = ha(N1, <<"new">>),
    {3, [_]} = status(S1),
    {2, [_]} = status(S2),
    28 = code(call(ha(N3), slave_order(N3, N1, 1))),
    ok = call(ha(N3, <<"new">>), slave_order(N3, N1, 1)),
    {3, [_, _]} = status(S1),
    {ok, _} = node_proc:set(N1, "/x", "1"),
    "s \"1\"" = node_proc:get(N2, "/x"),
    "s \"1\"" = node_proc:get(N3, "/x").

master_dies([N1, N2]) ->
    be_master(N1),
    S2 = be_slave(N2, N1),
    E2 = events(N2),
    ok = node_proc:kill(N1),
    {1, 26} = event(E2),
    {6, _} = event(E2),
    {1, []} = status(S2),
    quiet(E2),
    {ok, _} = node_proc:set(N2, "/x", "1").

slave_dies([N1, N2]) ->
    S1 = be_master(N1),
    be_slave(N2, N1),
    E1 = events(N1),
    A = node_of(N2),
    ok = node_proc:kill(N2),
    {2, A} = event(E1),
    {3, []} = status(S1),
    {ok, _} = node_proc:set(N1, "/x", "1").

master_stops([N1, N2]) ->
    be_master(N1),
    S2 = be_slave(N2, N1),
    E2 = events(N2),
    node_proc:signal(N1, "STOP"),
    {1, 31} = event(E2),
    {6, _} = event(E2),
    {1, []} = status(S2),
    node_proc:signal(N1, "CONT").

slave_stops([N1, N2]) ->
    S1 = be_master(N1),
    S2 = be_slave(N2, N1),
    E1 = events(N1),
    E2 = events(N2),
    A = node_of(N2),
    node_proc:signal(N2, "STOP"),
    {2, A} = event(E1),
    {3, []} = status(S1),
    {ok, _} = node_proc:set(N1, "/x", "1"),
    node_proc:signal(N2, "CONT"),
    {1, _} = event(E2),
    {6, _} = event(E2),
    {1, []} = status(S2).

slave_dead([N1, N2, N3]) ->
    S1 = be_master(N1),
    S2 = be_slave(N2, N1),
    S3 = be_slave(N3, N1),
    E1 = events(N1),
    E2 = events(N2),
    E3 = events(N3),
    A = node_of(N2),
    B = node_of(N3),
    ok = call(S1, {5, <<"nobody">>}),
    {3, [_, _]} = status(S1),
    ok = call(S1, {5, <<"n2">>}),
    {3, [B]} = status(S1),
    {2, A} = event(E1),
    {1, 26} = event(E2),
    {6, _} = event(E2),
    {1, []} = status(S2),
    ok = call(S3, {5, <<"n1">>}),
    {1, []} = status(S3),
    {1, 26} = event(E3),
    {6, _} = event(E3),
    {2, B} = event(E1),
    {3, []} = status(S1),
    quiet(E1).

master_leaves([N1, N2, N3]) ->
    S1 = be_master(N1),
    be_slave(N2, N1),
    be_slave(N3, N1),
    E1 = events(N1),
    E2 = events(N2),
    E3 = events(N3),
    ok = call(S1, {3}),
    {6, _} = event(E1),
    [begin {1, 26} = event(E), {6, _} = event(E) end || E <- [E2, E3]],
    {1, []} = status(S1),
    quiet(E1).

rename([N1, N2]) ->
    S1 = be_master(N1),
    S2 = be_slave(N2, N1),
    E1 = events(N1),
    ok = call(S1, {1, <<"boss">>}),
    {3, [_]} = status(S1),
    {2, [_]} = status(S2),
    quiet(E1),
    {ok, _} = node_proc:set(N1, "/x", "1"),
    "s \"1\"" = node_proc:get(N2, "/x"),
    ok = call(S2, {3}),
    29 = code(call(S2, slave_order(N2, N1, 1))),
    ok = call(S2, {2, <<"n2">>, {<<"boss">>, address(N1)}, 1}).

replaced([N1, N2, N3]) ->
    S1 = be_master(N1),
    S2 = be_slave(N2, N1),
    E1 = events(N1),
    E2 = events(N2),
    S3 = ha(N3),
    ok = call(S3, {2, <<"n2">>, node_of(N1), 1}),
    Old = node_of(N2),
    New = {<<"n2">>, address(N3)},
    {2, Old} = event(E1),
    {3, New} = event(E1),
    {1, 26} = event(E2),
    {3, [New]} = status(S1),
    {6, _} = event(E2),
    {1, []} = status(S2).

relay([N1, N2, N3]) ->
    E1 = events(N1),
    E2 = events(N2),
    {ok, _} = node_proc:set(N1, "/x", "0"),
    S1 = be_master(N1),
    S2 = be_slave(N2, N1),
    ok = call(S2, {6}),
    17 = code(call(S2, {6})),
    S3 = be_slave(N3, N2),
    [M, R, L] = [node_of(N) || N <- [N1, N2, N3]],
    {4, [M, L]} = status(S2),
    {3, [R]} = status(S1),
    {2, [R]} = status(S3),
    {5, _} = event(E1),
    {3, R} = event(E1),
    {4, _} = event(E2),
    "s \"0\"" = node_proc:get(N3, "/x"),
    {ok, Id} = node_proc:set(N1, "/x", "1"),
    "s \"1\"" = node_proc:get(N2, "/x"),
    "s \"1\"" = node_proc:get(N3, "/x"),
    "s " ++ Id = node_proc:property(N3, "TransactionId"),
    {error, "Call failed: Only a master" ++ _} = node_proc:set(N2, "/x", "2"),
    "s \"slave-relay\"" = node_proc:property(N2, "State"),
    %% the same order on the relay ends the relaying: its slave loses it
    E3 = events(N3),
    ok = call(S2, slave_order(N2, N1, 1)),
    {2, [M]} = status(S2),
    {1, 26} = event(E3),
    {6, _} = event(E3),
    {1, []} = status(S3),
    quiet(E1),
    quiet(E2).

relay_loses([N1, N2, N3]) ->
    be_master(N1),
    S2 = be_slave(N2, N1),
    ok = call(S2, {6}),
    S3 = be_slave(N3, N2),
    E2 = events(N2),
    E3 = events(N3),
    ok = node_proc:kill(N1),
    {1, 26} = event(E2),
    {6, _} = event(E2),
    {1, 26} = event(E3),
    {6, _} = event(E3),
    {1, []} = status(S2),
    {1, []} = status(S3),
    quiet(E2).

relay_promoted([N1, N2, N3]) ->
    be_master(N1),
    S2 = be_slave(N2, N1),
    ok = call(S2, {6}),
    S3 = be_slave(N3, N2),
    E2 = events(N2),
    ok = node_proc:kill(N1),
    _ = {S2, S3, E2},
    %% by order before it has noticed, or after: either way it is master in the end, and takes writes
    ok = call(S2, {1, <<"n2">>}),
    {3, _} = status(S2),
    {ok, _} = node_proc:set(N2, "/x", "1").

relay_bind([N1, N2]) ->
    be_master(N1),
    S2 = be_slave(N2, N1),
    {ok, L} = gen_tcp:listen(4570, [{reuseaddr, true}, {ip, address(N2)}]),
    30 = code(call(S2, {6})),
    30 = code(call(S2, {1, <<"n2">>})),
    {2, [_]} = status(S2),
    gen_tcp:close(L),
    ok = call(S2, {6}),
    {4, [_]} = status(S2),
    E2 = events(N2),
    ok = call(S2, slave_order(N2, N1, 1)), % ends the relaying, and nothing else
    {2, [_]} = status(S2),
    quiet(E2),
    {ok, L2} = gen_tcp:listen(4570, [{reuseaddr, true}, {ip, address(N2)}]),
    gen_tcp:close(L2).

failover([N1, N2, N3]) ->
    be_master(N1),
    {ok, Id} = node_proc:set(N1, "/x", "1"),
    S2 = be_slave(N2, N1),
    S3 = be_slave(N3, N1),
    ok = node_proc:kill(N1),
    ok = call(S2, {1, <<"n2">>}),
    E3 = events(N3),
    tap:until(lost, fun() -> status(S3) =:= {1, []} end),
    ok = call(S3, slave_order(N3, N2, 1)),
    [{4, 0}] = [E || {4, _} = E <- until_initialized(E3)],
    "s " ++ Id = node_proc:property(N3, "TransactionId"),
    %% both write: other ids, so the one that joins copies
    ok = call(S3, {1, <<"n3">>}),
    {ok, _} = node_proc:set(N3, "/x", "mine"),
    {ok, New} = node_proc:set(N2, "/x", "2"),
    E3b = events(N3),
    ok = call(S3, slave_order(N3, N2, 1)),
    [{4, 1}] = [E || {4, _} = E <- until_initialized(E3b)],
    "s \"2\"" = node_proc:get(N3, "/x"),
    "s " ++ New = node_proc:property(N3, "TransactionId").

until_initialized(E) ->
    case event(E) of
        {4, _} = I -> [I];
        Other -> [Other | until_initialized(E)]
    end.

free_port(Options) ->
    {ok, L} = gen_tcp:listen(0, Options),
    {ok, Port} = inet:port(L),
    gen_tcp:close(L),
    integer_to_list(Port).

addresses() ->
    Dir = node_proc:dir(),
    Bus = node_proc:bus(Dir),
    At = "[::1]:" ++ free_port([inet6, {ip, {0, 0, 0, 0, 0, 0, 0, 1}}]),
    N1 = node_proc:start(Dir, #{name => "n1", address => At, bus => Bus}),
    N2 = node_proc:start(Dir, #{name => "n2", address => "[::1]:" ++ free_port([inet6, {ip, {0, 0, 0, 0, 0, 0, 0, 1}}]), bus => Bus}),
    S1 = ha(N1),
    ok = call(S1, {1, <<"n1">>}),
    S2 = ha(N2),
    ok = call(S2, {2, <<"n2">>, {<<"n1">>, list_to_binary(At)}, 1}),
    {2, [{<<"n1">>, Shown}]} = status(S2),
    At = binary_to_list(Shown),
    {3, [{<<"n2">>, {0, 0, 0, 0, 0, 0, 0, 1}}]} = status(S1),
    ok = call(S2, {2, <<"n2">>, {<<"n1">>, At}, 1}), % as a list of characters, it is the same
    ok = node_proc:stop(N2),
    ok = node_proc:stop(N1),
    node_proc:remove(Dir).

extra_listen() ->
    Dir = node_proc:dir(),
    Bus = node_proc:bus(Dir),
    Net = node_proc:net(),
    Extra = Net ++ "11:" ++ free_port([]),
    N1 = node_proc:start(Dir, #{name => "n1", address => Net ++ "1", bus => Bus,
                                config => ["ExtraListen=", Net, "12 ", Extra, "\n"]}),
    N2 = node_proc:start(Dir, #{name => "n2", address => Net ++ "2", bus => Bus}),
    S1 = be_master(N1),
    S2 = ha(N2),
    {ok, A12} = inet:parse_address(Net ++ "12"),
    ok = call(S2, {2, <<"n2">>, {<<"n1">>, A12}, 1}),
    ok = call(S2, {2, <<"n2">>, {<<"n1">>, list_to_binary(Extra)}, 1}),
    ok = call(S2, {3}),
    %% one of several that cannot be bound is enough for HA_BIND, and nothing stays bound
    ok = call(S1, {3}),
    {ok, L} = gen_tcp:listen(4570, [{reuseaddr, true}, {ip, A12}]),
    30 = code(call(S1, {1, <<"n1">>})),
    {ok, L2} = gen_tcp:listen(4570, [{reuseaddr, true}, {ip, address(N1)}]),
    [gen_tcp:close(X) || X <- [L, L2]],
    ok = call(S1, {1, <<"n1">>}),
    ok = node_proc:stop(N2),
    ok = node_proc:stop(N1),
    node_proc:remove(Dir).

sync_arrival([N1, N2, N3]) ->
    {ok, E1} = ha_client:connect(maps:get(ipc, N1), events),
    ok = call(E1, {64 bor (1 bsl 20), 0, 0, undefined, 0}),
    S1 = be_master(N1),
    {5, _} = event(E1),
    S2 = ha(N2),
    ha_client:send(S2, slave_order(N2, N1, 1)),
    {error, timeout} = gen_tcp:recv(S2, 0, 300),
    {3, []} = status(S1),
    ha_client:ack(E1),
    {3, {<<"n2">>, _}} = event(E1),
    ok = ha_client:recv(S2, ?BUSY_MS),
    {3, [_]} = status(S1),
    S3 = ha(N3),
    ha_client:send(S3, slave_order(N3, N1, 1)),
    {error, timeout} = gen_tcp:recv(S3, 0, 300),
    ha_client:ack(E1),
    {3, {<<"n3">>, _}} = event(E1),
    ha_client:ack(E1),
    ok = ha_client:recv(S3, ?BUSY_MS).

slave_to_master([N1, N2]) ->
    S1 = be_master(N1),
    S2 = be_slave(N2, N1),
    E1 = events(N1),
    E2 = events(N2),
    ok = call(S2, {1, <<"n2">>}),
    {5, _} = event(E2),
    A = node_of(N2),
    {2, A} = event(E1),
    {3, []} = status(S1),
    {3, []} = status(S2),
    quiet(E2).
