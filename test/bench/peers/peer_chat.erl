%% The chat server that Troupe's is compared with, written for Erlang: a process for each user, and
%% one for the room. `plain` passes each line on by itself. `collected` passes on what came in one
%% read together, the room takes all that waits in its mailbox before it sends one batch to each
%% user, and a user's process writes all batches that wait at once.
-module(peer_chat).
-export([start/1]).

start([Mode]) ->
    Room = spawn_link(fun() -> room(Mode, #{}) end),
    Packet = case Mode of plain -> line; collected -> raw end,
    {ok, Listener} = gen_tcp:listen(0, [binary, {ip, {127, 0, 0, 1}}, {active, false},
                                        {packet, Packet}, {nodelay, true}, {backlog, 1000},
                                        {recbuf, 65536}, {buffer, 65536}]),
    {ok, Port} = inet:port(Listener),
    io:format("listens on 127.0.0.1:~b~n", [Port]),
    accept(Listener, Room, Mode).

accept(Listener, Room, Mode) ->
    {ok, Socket} = gen_tcp:accept(Listener),
    User = spawn(fun() -> receive go -> greet(Socket, Room, Mode) end end),
    ok = gen_tcp:controlling_process(Socket, User),
    User ! go,
    accept(Listener, Room, Mode).

%% The room

room(Mode, Users) ->
    receive
        {said, From, Line} when Mode =:= plain ->
            maps:foreach(fun(User, _) when User =:= From -> ok;
                            (User, _) -> User ! {lines, Line}
                         end, Users),
            room(Mode, Users);
        {said, From, Lines} ->
            Batch = waiting([{From, Lines}]),
            maps:foreach(fun(User, _) -> User ! {batch, Batch} end, Users),
            room(Mode, Users);
        {join, User, Name} ->
            case lists:member(Name, maps:values(Users)) of
                true ->
                    User ! taken,
                    room(Mode, Users);
                false ->
                    monitor(process, User),
                    User ! welcome,
                    room(Mode, Users#{User => Name})
            end;
        {'DOWN', _, process, User, _} ->
            room(Mode, maps:remove(User, Users))
    end.

waiting(Batch) ->
    receive {said, From, Lines} -> waiting([{From, Lines} | Batch])
    after 0 -> lists:reverse(Batch)
    end.

%% A user

greet(Socket, Room, Mode) ->
    ok = gen_tcp:send(Socket, <<"What's your name?\r\n">>),
    name(Socket, Room, Mode, <<>>).

name(Socket, Room, Mode, Input) ->
    case binary:split(Input, <<"\r\n">>) of
        [Name, Rest] ->
            Room ! {join, self(), Name},
            receive
                taken ->
                    ok = gen_tcp:send(Socket, <<"Name taken, please choose another.\r\n">>),
                    name(Socket, Room, Mode, Rest);
                welcome ->
                    ok = gen_tcp:send(Socket, [<<"Welcome, ">>, Name, <<"!\r\n">>]),
                    Said = <<"<", Name/binary, "> ">>,
                    Left = said(Mode, Room, Said, Rest),
                    ok = inet:setopts(Socket, [{active, true}]),
                    user(Socket, Room, Mode, Said, Left)
            end;
        [_] ->
            case gen_tcp:recv(Socket, 0) of
                {ok, Data} -> name(Socket, Room, Mode, <<Input/binary, Data/binary>>);
                {error, _} -> gen_tcp:close(Socket)
            end
    end.

user(Socket, Room, Mode, Said, Input) ->
    receive
        {lines, Line} ->
            write(Socket, Line),
            user(Socket, Room, Mode, Said, Input);
        {batch, Batch} ->
            write(Socket, batches([of_others(Batch)])),
            user(Socket, Room, Mode, Said, Input);
        {tcp, Socket, Data} when Mode =:= plain ->
            Room ! {said, self(), [Said, Data]},
            user(Socket, Room, Mode, Said, Input);
        {tcp, Socket, Data} ->
            Left = said(Mode, Room, Said, <<Input/binary, Data/binary>>),
            user(Socket, Room, Mode, Said, Left);
        {tcp_closed, Socket} ->
            ok;
        {tcp_error, Socket, _} ->
            gen_tcp:close(Socket)
    end.

%% Passes on the whole lines, and returns what is left.
said(_, _, _, <<>>) -> <<>>;
said(_, Room, Said, Data) ->
    Parts = binary:split(Data, <<"\r\n">>, [global]),
    {Lines, [Left]} = lists:split(length(Parts) - 1, Parts),
    case Lines of
        [] -> ok;
        _ -> Room ! {said, self(), iolist_to_binary([[Said, Line, <<"\r\n">>] || Line <- Lines])}
    end,
    Left.

batches(Done) ->
    receive {batch, Batch} -> batches([of_others(Batch) | Done])
    after 0 -> lists:reverse(Done)
    end.

of_others(Batch) -> [Lines || {From, Lines} <- Batch, From =/= self()].

write(Socket, Data) ->
    case iolist_size(Data) of
        0 -> ok;
        _ -> gen_tcp:send(Socket, Data) % a peer that left is told by a message
    end.
