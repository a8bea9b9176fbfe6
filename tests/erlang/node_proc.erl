%% SPDX-License-Identifier: Apache-2.0
%% Starts and ends confd-ha-node processes for tests; $CONFD_HA_NODE names the program.
%%
%% A node is a map: ipc (where), dir, port (Erlang's), pid (the system's), address, log. Whatever becomes of the test and of
%% this VM, the node does not outlive them: a shell between sees its standard input end, and kills it.
-module(node_proc).
-export([run/2, start/1, start/2, stop/1, kill/1, signal/2, log/1, memory/1, dir/0, remove/1, net/0, exit_status/1,
         bus/1, set/3, get/2, property/2]).

program() ->
    case os:getenv("CONFD_HA_NODE") of
        false -> error(set_CONFD_HA_NODE);
        P -> P
    end.

%% Runs the tests, and removes what they leave in their directories.
run(Tests, Timeout) ->
    Root = string:trim(os:cmd("mktemp -d /tmp/confd-ha-node-test.XXXXXX")),
    true = os:putenv("NODE_TEST_ROOT", Root),
    Passed = tap:run(Tests, Timeout),
    remove(Root),
    halt(case Passed of true -> 0; false -> 1 end).

%% A directory of its own for a test.
dir() ->
    string:trim(os:cmd("mktemp -d $NODE_TEST_ROOT/XXXXXX")).

remove(Dir) -> os:cmd("rm -rf " ++ Dir), ok.

%% A loopback network that nobody else uses: "127.78.X.", held by a socket that listens in it.
net() -> net(100).

net(0) -> error(no_free_network);
net(Tries) ->
    X = rand:uniform(254),
    case gen_tcp:listen(9009, [{ip, {127, 78, X, 254}}]) of
        {ok, _} -> "127.78." ++ integer_to_list(X) ++ ".";
        {error, eaddrinuse} -> net(Tries - 1);
        {error, Why} -> error({no_network, Why})
    end.

start(Dir) -> start(Dir, #{}).

%% Options: name, address, args (more switches), config (text of the configuration), ipc ({unix,Path} or {tcp,..}),
%% wait (false: do not wait until it listens), bus (what bus/1 gave: offer the data there), env
start(Dir, Options) ->
    Name = maps:get(name, Options, "n1"),
    Address = maps:get(address, Options, "127.0.0.1"),
    Ipc = maps:get(ipc, Options, {unix, filename:join(Dir, Name ++ ".ipc")}),
    Config = filename:join(Dir, Name ++ ".conf"),
    Log = filename:join(Dir, Name ++ ".log"),
    ok = file:write_file(Config, ["[Node]\n", maps:get(config, Options, "")]),
    Args = ["--config=" ++ Config, "--ipc=" ++ text(Ipc), "--ha=" ++ Address,
            "--data=" ++ filename:join(Dir, Name ++ ".data")] ++ maps:get(args, Options, []),
    Env = case maps:find(bus, Options) of
              {ok, Bus} -> [{"DBUS_SYSTEM_BUS_ADDRESS", Bus}];
              error -> []
          end,
    BusName = "org.confd.HANode." ++ Name,
    BusArgs = ["--bus-name=" ++ BusName || Env =/= []],
    {Port, Pid} = child(Log, [program() | Args ++ BusArgs], Env ++ maps:get(env, Options, [])),
    N = #{ipc => Ipc, dir => Dir, port => Port, pid => Pid, address => Address, log => Log, name => list_to_binary(Name),
          bus => {maps:get(bus, Options, none), BusName}},
    case maps:get(wait, Options, true) of
        true -> tap:until({listens, Ipc}, fun() -> listens(N) end);
        false -> ok
    end,
    N.

%% A program under a shell that kills it when we are gone. {Port,Pid}.
child(Log, Command, Env) ->
    Script = "exec 3<&0 2>/dev/null; log=$1; shift; \"$@\" </dev/null >>\"$log\" 2>&1 3<&- & p=$!; echo $p; "
             "(cat <&3 >/dev/null; kill -KILL $p 2>/dev/null) & w=$!; wait $p; echo exit $?; kill $w 2>/dev/null",
    Port = open_port({spawn_executable, "/bin/bash"},
                     [{args, ["-c", Script, "child", Log | Command]}, {line, 100}, use_stdio, {env, Env}]),
    receive {Port, {data, {eol, Line}}} -> {Port, list_to_integer(Line)} after 5000 -> error(no_pid) end.

%% A bus of the test's own; its address.
bus(Dir) ->
    Path = filename:join(Dir, "bus"),
    Address = "unix:path=" ++ Path,
    _ = child(filename:join(Dir, "bus.log"), ["dbus-daemon", "--session", "--nofork", "--nopidfile", "--address=" ++ Address], []),
    tap:until(bus, fun() -> case gen_tcp:connect({local, Path}, 0, []) of {ok, S} -> gen_tcp:close(S), true; E -> E end end),
    Address.

%% Data, by busctl.
busctl(#{bus := {Address, Name}}, Verb, Rest) ->
    Command = ["DBUS_SYSTEM_BUS_ADDRESS=", Address, " busctl --system --timeout=60 ", Verb, " ", Name,
               " /org/confd/HANode org.confd.HANode ", Rest, " 2>&1"],
    string:trim(os:cmd(lists:flatten(Command))).

%% {ok,TransactionId} or {error,Message}.
set(N, Key, Value) ->
    case busctl(N, "call", ["Apply 'a{ss}as' 1 ", Key, " ", Value, " 0"]) of
        "s " ++ Id -> {ok, Id};
        Error -> {error, Error}
    end.

get(N, Key) -> busctl(N, "call", ["Get s ", Key]).
property(N, Name) -> busctl(N, "get-property", Name).

text({unix, Path}) -> "unix:" ++ Path;
text({tcp, {A, B, C, D}, Port}) -> lists:flatten(io_lib:format("~b.~b.~b.~b:~b", [A, B, C, D, Port]));
text({tcp, Address, Port}) -> "[" ++ inet:ntoa(Address) ++ "]:" ++ integer_to_list(Port).

listens(#{ipc := Ipc} = N) ->
    case ha_client:open(Ipc) of
        {ok, S} -> gen_tcp:close(S), true;
        Error -> {Error, log(N)}
    end.

%% What the program exited with (more than 128: a signal, as shells say it).
exit_status(#{port := Port}) ->
    receive {Port, {data, {eol, "exit " ++ Status}}} -> list_to_integer(Status) after 10000 -> error(still_running) end.

signal(#{pid := Pid}, Name) -> os:cmd("kill -" ++ Name ++ " " ++ integer_to_list(Pid)), ok.

stop(N) ->
    signal(N, "TERM"),
    0 = exit_status(N),
    ok.

kill(N) ->
    signal(N, "KILL"),
    _ = exit_status(N),
    ok.

log(#{log := Log}) ->
    case file:read_file(Log) of
        {ok, Text} -> Text;
        {error, enoent} -> <<>>
    end.

%% Resident memory in KiB; what a sanitizer adds is taken off roughly.
memory(#{pid := Pid}) ->
    {ok, Maps} = file:read_file("/proc/" ++ integer_to_list(Pid) ++ "/maps"),
    Share = case binary:match(Maps, <<"libasan">>) of nomatch -> 1; _ -> 8 end,
    {ok, Text} = file:read_file("/proc/" ++ integer_to_list(Pid) ++ "/status"),
    {match, [K]} = re:run(Text, "VmRSS:\\s*(\\d+)", [{capture, all_but_first, list}]),
    list_to_integer(K) div Share.
