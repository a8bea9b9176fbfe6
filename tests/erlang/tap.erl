%% SPDX-License-Identifier: Apache-2.0
%% Runs test functions and prints TAP.
-module(tap).
-export([run/2, until/2, until/3]).

%% Tests: [{Name, Fun}]; each in a process of its own with that many ms. Whether all have passed.
run(Tests, Timeout) ->
    ok = logger:set_primary_config(level, none), % what fails is printed here
    io:format("1..~b~n", [length(Tests)]),
    Numbered = lists:zip(lists:seq(1, length(Tests)), Tests),
    Results = [one(N, Name, Fun, Timeout) || {N, {Name, Fun}} <- Numbered],
    lists:all(fun(R) -> R end, Results).

one(N, Name, Fun, Timeout) ->
    {Pid, Ref} = spawn_monitor(Fun),
    Result = receive
                 {'DOWN', Ref, process, Pid, normal} -> ok;
                 {'DOWN', Ref, process, Pid, Reason} -> Reason
             after Timeout ->
                 Where = erlang:process_info(Pid, current_stacktrace),
                 exit(Pid, kill),
                 receive {'DOWN', Ref, process, Pid, _} -> ok end,
                 {timeout, Where}
             end,
    case Result of
        ok -> io:format("ok ~b - ~s~n", [N, Name]);
        _ ->
            io:format("not ok ~b - ~s~n", [N, Name]),
            Text = lists:flatten(io_lib:format("~p", [Result])),
            [io:format("# ~s~n", [Line]) || Line <- string:split(Text, "\n", all)]
    end,
    Result =:= ok.

%% Polls until Fun says true, or gives up with What.
until(What, Fun) -> until(What, Fun, 10000).
until(What, Fun, Time) -> poll(What, Fun, erlang:monotonic_time(millisecond) + Time).

poll(What, Fun, End) ->
    case Fun() of
        true -> ok;
        Other ->
            case erlang:monotonic_time(millisecond) > End of
                true -> error({never, What, Other});
                false -> timer:sleep(10), poll(What, Fun, End)
            end
    end.
