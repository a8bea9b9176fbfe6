%% SPDX-License-Identifier: Apache-2.0
%% A server that plays one script a connection, for the library's tests.
%%
%% Standard input has an Erlang term a line: first {listen, tcp | tcp6 | {unix, Path}}, answered with `port N`; then for
%% each connection to come a script, which is a list of steps. A line `ok` or `failed Why` answers each script when it is
%% through. `close` listens no more, so that connects are refused.
%%
%%   {hello, Kind, Vsn}       the client says Kind (with 0xc0) and Vsn
%%   {hello, Kind}            the same with 82
%%   {answer, Status, Vsn}    the server's hello
%%   {accept, Kind}           both, Vsn 82, accepted
%%   {access, Secret}         challenges the client; a right answer is let in, a wrong one is refused and ends the script
%%   {token, Binary}          the next frame is this
%%   {expect, Term}           the next frame is this term
%%   {send, Term}, {utf8, Term}  a frame with the term, with atoms in the old and in the new form
%%   {status, State, N}       the status reply with N nodes n1@10.0.0.1, n2@10.0.0.2, ...
%%   {frame, Binary}          a frame with these bytes
%%   {raw, Binary}            these bytes
%%   {slowly, Term}           a frame, one byte a segment
%%   {part, Term, N}          the first N bytes of a frame
%%   {repeat, N, Steps}
%%   closed                   waits until the client has closed, and nothing came before
%%   reset                    closes with a TCP reset
%%   shut                     closes the sending side
%%   tell                     writes `told`
-module(lib_server).
-export([main/0]).

-define(DEADLINE, 20000).

main() ->
    ok = io:setopts(standard_io, [binary, {encoding, latin1}]),
    {ok, {listen, Where}} = io:read(standard_io, ""),
    {ok, Listener} = listen(Where),
    ok = say("port ~b", [case Where of {unix, _} -> 0; _ -> {ok, Port} = inet:port(Listener), Port end]),
    loop(Listener).

listen(tcp) -> gen_tcp:listen(0, [inet, {ip, {127, 0, 0, 1}}, {reuseaddr, true} | options()]);
listen(tcp6) -> gen_tcp:listen(0, [inet6, {ip, {0, 0, 0, 0, 0, 0, 0, 1}}, {reuseaddr, true} | options()]);
listen({unix, Path}) -> gen_tcp:listen(0, [{ifaddr, {local, Path}} | options()]).

options() -> [binary, {active, false}, {nodelay, true}, {packet, raw}, {backlog, 128}].

loop(Listener) ->
    case io:read(standard_io, "") of
        eof -> halt(0);
        {ok, close} ->
            ok = gen_tcp:close(Listener),
            ok = say("ok", []),
            loop(Listener);
        {ok, Script} ->
            {ok, Socket} = gen_tcp:accept(Listener, ?DEADLINE),
            try
                ok = run(Script, Socket),
                ok = say("ok", [])
            catch
                throw:over -> ok = say("ok", []);
                _:Why:Stack -> ok = say("failed ~0p ~0p", [Why, hd(Stack)])
            end,
            _ = gen_tcp:close(Socket),
            loop(Listener)
    end.

say(Format, Args) -> io:put_chars([io_lib:format(Format, Args), $\n]).

run([], _) -> ok;
run([Step | More], Socket) ->
    ok = step(Step, Socket),
    run(More, Socket).

step({hello, Kind}, S) -> step({hello, Kind, 82}, S);
step({hello, Kind, Vsn}, S) ->
    {Kind, Vsn, <<8, 2, 5, 0>>, <<0, 0>>} = begin <<K, V:16, L:4/binary, R/binary>> = read(S, 9), {K, V, L, R} end,
    ok;
step({answer, Status, Vsn}, S) -> gen_tcp:send(S, <<Status, Vsn:16, 8, 2, 5, 0, 20, 9>>);
step({accept, Kind}, S) -> run([{hello, Kind}, {answer, 0, 82}], S);
step({access, Secret}, S) ->
    Challenge = rand:bytes(32),
    ok = gen_tcp:send(S, <<11, Challenge/binary>>),
    <<12, Answer/binary>> = read(S, 33),
    case sha256(<<Secret/binary, Challenge/binary>>) of
        Answer -> gen_tcp:send(S, <<0>>);
        _ -> ok = gen_tcp:send(S, <<1>>), throw(over)
    end;
step({token, Token}, S) -> Token = frame(S), ok;
step({expect, Term}, S) ->
    case binary_to_term(frame(S)) of
        Term -> ok;
        Other -> error({expected, Term, got, Other})
    end;
step({send, Term}, S) -> step({frame, term_to_binary(Term)}, S);
step({utf8, Term}, S) -> step({frame, term_to_binary(Term, [{minor_version, 2}])}, S);
step({status, State, N}, S) ->
    step({send, {State, [{<<"n", (integer_to_binary(I))/binary>>, {10, 0, I bsr 8, I band 255}} || I <- lists:seq(1, N)]}}, S);
step({frame, Binary}, S) -> gen_tcp:send(S, <<(byte_size(Binary)):32, Binary/binary>>);
step({raw, Binary}, S) -> gen_tcp:send(S, Binary);
step({slowly, Term}, S) ->
    Binary = term_to_binary(Term),
    _ = [begin ok = gen_tcp:send(S, <<B>>), erlang:yield() end || <<B>> <= <<(byte_size(Binary)):32, Binary/binary>>],
    ok;
step({part, Term, N}, S) ->
    Binary = term_to_binary(Term),
    gen_tcp:send(S, binary:part(<<(byte_size(Binary)):32, Binary/binary>>, 0, N));
step({repeat, N, Steps}, S) ->
    _ = [ok = run(Steps, S) || _ <- lists:seq(1, N)],
    ok;
step(closed, S) ->
    case gen_tcp:recv(S, 0, ?DEADLINE) of
        {error, closed} -> ok;
        {error, econnreset} -> ok
    end;
step(reset, S) ->
    ok = inet:setopts(S, [{linger, {true, 0}}]),
    _ = gen_tcp:close(S),
    throw(over);
step(shut, S) -> gen_tcp:shutdown(S, write);
step(tell, _) -> say("told", []).

%% erlang-base has no crypto application; SHA-256 is short enough to have it here, in other words than OpenSSL's.
sha256(Message) ->
    Bits = bit_size(Message),
    Pad = (447 - Bits) band 511,
    Padded = <<Message/binary, 1:1, 0:Pad, Bits:64>>,
    H = sha_blocks(Padded, [fraction(P, 2) || P <- primes(8)], [fraction(P, 3) || P <- primes(64)]),
    << <<W:32>> || W <- H >>.

%% The first 32 bits of the fraction of the N-th root of P, by search in integers.
fraction(P, N) -> root(P bsl (32 * N), N, 0, 1 bsl 40) band 16#ffffffff.

root(_, _, Low, High) when High - Low =:= 1 -> Low;
root(X, N, Low, High) ->
    Mid = (Low + High) bsr 1,
    case power(Mid, N) =< X of
        true -> root(X, N, Mid, High);
        false -> root(X, N, Low, Mid)
    end.

power(X, 2) -> X * X;
power(X, 3) -> X * X * X.

primes(N) -> lists:sublist([P || P <- lists:seq(2, 311), lists:all(fun(D) -> P rem D =/= 0 end, lists:seq(2, P - 1))], N).

sha_blocks(<<>>, H, _) -> H;
sha_blocks(<<Block:64/binary, Rest/binary>>, H, K) ->
    W = schedule([X || <<X:32>> <= Block], 16),
    After = lists:foldl(fun round/2, H, lists:zip(K, W)),
    sha_blocks(Rest, [(A + B) band 16#ffffffff || {A, B} <- lists:zip(H, After)], K).

schedule(W, 64) -> W;
schedule(W, N) ->
    [W16, W15, W7, W2] = [lists:nth(N - I + 1, W) || I <- [16, 15, 7, 2]],
    S0 = rot(W15, 7) bxor rot(W15, 18) bxor (W15 bsr 3),
    S1 = rot(W2, 17) bxor rot(W2, 19) bxor (W2 bsr 10),
    schedule(W ++ [(W16 + S0 + W7 + S1) band 16#ffffffff], N + 1).

round({K, W}, [A, B, C, D, E, F, G, H]) ->
    S1 = rot(E, 6) bxor rot(E, 11) bxor rot(E, 25),
    Ch = (E band F) bxor ((bnot E) band G),
    T1 = H + S1 + Ch + K + W,
    S0 = rot(A, 2) bxor rot(A, 13) bxor rot(A, 22),
    Maj = (A band B) bxor (A band C) bxor (B band C),
    [(T1 + S0 + Maj) band 16#ffffffff, A, B, C, (D + T1) band 16#ffffffff, E, F, G].

rot(X, N) -> ((X bsr N) bor (X bsl (32 - N))) band 16#ffffffff.

frame(S) ->
    <<N:32>> = read(S, 4),
    case N of
        0 -> <<>>;
        _ -> read(S, N)
    end.

read(S, N) ->
    {ok, Binary} = gen_tcp:recv(S, N, ?DEADLINE),
    Binary.
