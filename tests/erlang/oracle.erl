%% SPDX-License-Identifier: Apache-2.0
%% Erlang's own reading and writing of terms, line by line on standard input and output:
%%   text HEX          the message's term as ~0p prints it, or `bad`
%%   same HEX HEX      true if both messages are the same term
%%   encode TEXT       the term that TEXT says, as term_to_binary/1 writes it, in hex
%%   utf8 TEXT         the same with atoms in their UTF-8 form, as OTP 26 and later write them
%%   random SEED       a random message, of any tag that a node may emit, in a form chosen at random
-module(oracle).
-export([main/0]).

main() ->
    ok = io:setopts(standard_io, [binary, {encoding, latin1}]),
    loop().

loop() ->
    case io:get_line("") of
        eof ->
            halt(0);
        Line ->
            Answer = try command(string:split(string:trim(Line), " ")) catch _:_ -> <<"bad">> end,
            ok = io:put_chars([Answer, $\n]),
            loop()
    end.

command([<<"text">>, Hex]) -> io_lib:format("~0p", [decode(Hex)]);
command([<<"same">>, Two]) ->
    [A, B] = string:split(Two, " "),
    atom_to_list(decode(A) =:= decode(B));
command([<<"encode">>, Text]) -> hex(term_to_binary(parse(Text)));
command([<<"utf8">>, Text]) -> hex(term_to_binary(parse(Text), [{minor_version, 2}]));
command([<<"random">>, Seed]) ->
    _ = rand:seed(exsss, binary_to_integer(Seed)),
    hex(<<131, (random(6))/binary>>).

decode(Hex) -> binary_to_term(unhex(Hex)).

parse(Text) ->
    {ok, Tokens, _} = erl_scan:string(binary_to_list(Text) ++ "."),
    {ok, Term} = erl_parse:parse_term(Tokens),
    Term.

hex(Binary) -> [io_lib:format("~2.16.0b", [X]) || <<X>> <= Binary].
unhex(Hex) -> << <<(binary_to_integer(<<A, B>>, 16))>> || <<A, B>> <= Hex >>.

%% Terms are written by term_to_binary/2 wherever it has the form; forms that it writes only for large terms or only in
%% other releases are put together here, and read by binary_to_term/1 in the tests as well.
random(Depth) ->
    case rand:uniform(case Depth of 0 -> 16; _ -> 21 end) of
        1 -> body(rand:uniform(256) - 1);
        2 -> body(rand:uniform(1 bsl 32) - (1 bsl 31) - 1);
        3 -> body((rand:uniform(1 bsl 64) - 1) * pick([1, -1]));
        4 -> body(pick([1 bsl 31, -(1 bsl 31), -(1 bsl 31) - 1, (1 bsl 63) - 1, 1 bsl 63, -(1 bsl 63), (1 bsl 64) - 1, 1 bsl 64]));
        5 -> body(rand:uniform(1 bsl 200));
        6 -> body(1 bsl (256 * 8)); % LARGE_BIG
        7 -> body(pick([ok, error, true, 'with space', '', list_to_atom(lists:duplicate(255, $a))]));
        8 -> <<_, B/binary>> = term_to_binary(pick([ok, error, 'x y']), [{minor_version, 2}]), B;
        9 -> Name = unicode:characters_to_binary([16#e5, 16#3b1]), <<118, (byte_size(Name)):16, Name/binary>>;
        10 -> <<115, 2, "ok">>; % SMALL_ATOM, deprecated and still read
        11 -> body(rand:bytes(rand:uniform(40) - 1));
        12 -> body([rand:uniform(256) - 1 || _ <- lists:seq(1, rand:uniform(20))]); % STRING
        13 -> body(pick([1.5, -0.0, 1.0e300]));
        14 -> <<_, B/binary>> = term_to_binary(1.25, [{minor_version, 0}]), B; % FLOAT
        15 -> body(pick([self(), make_ref(), hd(erlang:ports()), fun lists:map/2, fun(X) -> X + Depth end]));
        16 -> body(pick([<<1, 2:3>>, []]));
        17 -> N = rand:uniform(5) - 1, join(<<104, N>>, N, Depth);
        18 -> N = rand:uniform(5) - 1, join(<<105, N:32>>, N, Depth); % LARGE_TUPLE
        19 -> N = rand:uniform(5), Tail = case rand:uniform(4) of 1 -> random(Depth - 1); _ -> <<106>> end,
              <<(join(<<108, N:32>>, N, Depth))/binary, Tail/binary>>;
        20 -> N = rand:uniform(4) - 1,
              Pairs = << <<(body(K))/binary, (random(Depth - 1))/binary>> || K <- lists:seq(1, N) >>,
              <<116, N:32, Pairs/binary>>;
        21 -> N = 256 + rand:uniform(10), <<105, N:32, (binary:copy(<<97, 7>>, N))/binary>>
    end.

join(Head, N, Depth) -> iolist_to_binary([Head | [random(Depth - 1) || _ <- lists:seq(1, N)]]).

body(Term) -> <<131, B/binary>> = term_to_binary(Term), B.

pick(List) -> lists:nth(rand:uniform(length(List)), List).
