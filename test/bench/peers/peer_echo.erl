%% The echo server that Troupe's is compared with, written for Erlang: a process for each connection.
-module(peer_echo).
-export([start/1]).

start(_) ->
    {ok, Listener} = gen_tcp:listen(0, [binary, {ip, {127, 0, 0, 1}}, {active, false},
                                        {nodelay, true}, {backlog, 1000},
                                        {recbuf, 65536}, {buffer, 65536}]),
    {ok, Port} = inet:port(Listener),
    io:format("listens on 127.0.0.1:~b~n", [Port]),
    accept(Listener).

accept(Listener) ->
    {ok, Socket} = gen_tcp:accept(Listener),
    Connection = spawn(fun() -> receive go -> echo(Socket) end end),
    ok = gen_tcp:controlling_process(Socket, Connection),
    Connection ! go,
    accept(Listener).

echo(Socket) ->
    case gen_tcp:recv(Socket, 0) of
        {ok, Data} ->
            gen_tcp:send(Socket, Data),
            echo(Socket);
        {error, _} ->
            gen_tcp:close(Socket)
    end.
