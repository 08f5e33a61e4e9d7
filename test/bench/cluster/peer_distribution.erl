%% Erlang's distribution, as cluster_bench.py tells it by lines on standard input: the program of bench_node.
%%
%%   peer_distribution:main("sub")   expect N
%%   peer_distribution:main("pub")   publish N, to the node that was named in the environment
-module(peer_distribution).
-export([main/1]).

-define(WINDOW, 20000).

main("sub") ->
    register(room, spawn(fun() -> take(0, 0) end)),
    io:format("connected~n"),
    lines(fun(N) -> room ! {expect, N} end);
main("pub") ->
    Node = list_to_atom(os:getenv("PEER")),
    pong = net_adm:ping(Node),
    io:format("connected~n"),
    Publisher = spawn(fun() -> give({room, Node}, 0, 0) end),
    lines(fun(N) -> Publisher ! {publish, N} end).

lines(Fn) ->
    case io:get_line("") of
        eof -> halt();
        Line ->
            [_, N | _] = string:lexemes(Line, " \n"),
            Fn(list_to_integer(N)),
            lines(Fn)
    end.

take(Taken, Wanted) ->
    receive
        {expect, N} ->
            io:format("expecting~n"),
            take(Taken, Taken + N);
        {From, <<Number:64, _:92/binary>>} when Number =:= Taken ->
            if (Taken + 1) rem (?WINDOW div 4) =:= 0 -> From ! {ack, Taken + 1}; true -> ok end,
            if Taken + 1 =:= Wanted -> io:format("ok~n"); true -> ok end,
            take(Taken + 1, Wanted);
        _ -> io:format("wrong~n"), halt(1)
    end.

give(To, Sent, Acked) ->
    receive
        {publish, N} -> give(To, Sent, Acked, Sent + N);
        {ack, A} -> give(To, Sent, A)
    end.

give(To, Sent, Acked, Sent) ->
    io:format("ok~n"),
    give(To, Sent, Acked);
give(To, Sent, Acked, End) when Sent - Acked >= ?WINDOW ->
    receive {ack, A} -> give(To, Sent, A, End) end;
give(To, Sent, Acked, End) ->
    To ! {self(), <<Sent:64, 0:736>>},
    give(To, Sent + 1, Acked, End).
