%% SPDX-License-Identifier: Apache-2.0
%% Starts and ends confd-ha-node processes for tests; $CONFD_HA_NODE names the program.
%%
%% A node is a map: ipc (where), dir, port (Erlang's), pid (the system's), address, log. Whatever becomes of the test and of
%% this VM, the node does not outlive them: a shell between sees its standard input end, and kills it.
-module(node_proc).
-export([run/2, start/1, start/2, stop/1, kill/1, signal/2, log/1, memory/1, dir/0, remove/1, net/0, exit_status/1]).

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
net() ->
    X = rand:uniform(254),
    case gen_tcp:listen(9, [{ip, {127, 78, X, 254}}]) of
        {ok, _} -> "127.78." ++ integer_to_list(X) ++ ".";
        {error, _} -> net()
    end.

start(Dir) -> start(Dir, #{}).

%% Options: name, address, args (more switches), config (text of the configuration), ipc ({unix,Path} or {tcp,..}),
%% wait (false: do not wait until it listens), env
start(Dir, Options) ->
    Name = maps:get(name, Options, "n1"),
    Address = maps:get(address, Options, "127.0.0.1"),
    Ipc = maps:get(ipc, Options, {unix, filename:join(Dir, Name ++ ".ipc")}),
    Config = filename:join(Dir, Name ++ ".conf"),
    Log = filename:join(Dir, Name ++ ".log"),
    ok = file:write_file(Config, ["[Node]\n", maps:get(config, Options, "")]),
    Args = ["--config=" ++ Config, "--ipc=" ++ text(Ipc), "--ha=" ++ Address,
            "--data=" ++ filename:join(Dir, Name ++ ".data")] ++ maps:get(args, Options, []),
    Script = "exec 3<&0 2>/dev/null; log=$1; shift; \"$@\" </dev/null >>\"$log\" 2>&1 3<&- & p=$!; echo $p; "
             "(cat <&3 >/dev/null; kill -KILL $p 2>/dev/null) & w=$!; wait $p; echo exit $?; kill $w 2>/dev/null",
    Port = open_port({spawn_executable, "/bin/bash"},
                     [{args, ["-c", Script, "node", Log, program() | Args]},
                      {line, 100}, use_stdio, {env, maps:get(env, Options, [])}]),
    Pid = receive {Port, {data, {eol, Line}}} -> list_to_integer(Line) after 5000 -> error(no_pid) end,
    N = #{ipc => Ipc, dir => Dir, port => Port, pid => Pid, address => Address, log => Log, name => list_to_binary(Name)},
    case maps:get(wait, Options, true) of
        true -> tap:until({listens, Ipc}, fun() -> listens(N) end);
        false -> ok
    end,
    N.

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

%% Resident memory in KiB.
memory(#{pid := Pid}) ->
    {ok, Text} = file:read_file("/proc/" ++ integer_to_list(Pid) ++ "/status"),
    {match, [K]} = re:run(Text, "VmRSS:\\s*(\\d+)", [{capture, all_but_first, list}]),
    list_to_integer(K).
