%% The actor benchmarks in Erlang, a process for each actor: erl -s peer_actors start BENCHMARK SIZE
%% Prints the operations, the seconds, the seconds of CPU time and the result.
-module(peer_actors).
-export([start/1]).

start([Name, Size]) ->
    Self = self(),
    Benchmark = benchmark(Name),
    Number = list_to_integer(atom_to_list(Size)),
    %% A process of its own: the one that runs -s has the boot's heap and links.
    spawn_link(fun() ->
        Cpu = cpu(),
        Start = erlang:monotonic_time(nanosecond),
        {Operations, Result} = Benchmark(Number),
        Time = erlang:monotonic_time(nanosecond) - Start,
        io:format("~b ~.9f ~.9f ~b~n", [Operations, Time / 1.0e9, (cpu() - Cpu) / 1.0e9, Result]),
        Self ! done
    end),
    receive done -> halt(0) end.

benchmark('ping-pong') -> fun ping_pong/1;
benchmark(ring) -> fun ring/1;
benchmark('fan-out') -> fun fan_out/1;
benchmark(throughput) -> fun throughput/1;
benchmark(create) -> fun create/1;
benchmark(spawn) -> fun spawn_and_end/1.

%% The CPU time of all threads, in nanoseconds: statistics(runtime) knows milliseconds only.
cpu() ->
    {ok, Threads} = file:list_dir("/proc/self/task"),
    lists:sum([cpu(Thread) || Thread <- Threads]).

cpu(Thread) ->
    case file:read_file(["/proc/self/task/", Thread, "/schedstat"]) of
        {ok, Line} -> binary_to_integer(hd(binary:split(Line, <<" ">>)));
        {error, enoent} -> 0
    end.

ping_pong(Messages) ->
    Result = self(),
    Left = spawn(fun() -> receive {other, Right} -> player(Right, Messages, Result) end end),
    Right = spawn(fun() -> player(Left, Messages, Result) end),
    Left ! {other, Right},
    Left ! 1,
    receive {result, Last} -> {Messages, Last} end.

player(Other, Last, Result) ->
    receive
        Last -> Result ! {result, Last};
        N -> Other ! N + 1, player(Other, Last, Result)
    end.

ring(Hops) ->
    Result = self(),
    First = spawn(fun() -> receive {next, Next} -> member(Next, 0, Result) end end),
    Second = lists:foldl(fun(Number, Next) -> spawn(fun() -> member(Next, Number, Result) end) end,
                         First, lists:seq(99, 1, -1)),
    First ! {next, Second},
    First ! Hops,
    receive {result, Number} -> {Hops, Number} end.

member(Next, Number, Result) ->
    receive
        0 -> Result ! {result, Number};
        Left -> Next ! Left - 1, member(Next, Number, Result)
    end.

fan_out(Deliveries) ->
    Rounds = Deliveries div 1000,
    Publisher = self(),
    To = [spawn(fun() -> subscriber(Publisher, Number) end) || Number <- lists:seq(0, 999)],
    {1000 * Rounds, publish(To, 1, Rounds, 0)}.

subscriber(Publisher, Number) ->
    receive Round -> Publisher ! Round + Number, subscriber(Publisher, Number) end.

publish(_, Round, Rounds, Sum) when Round > Rounds -> Sum;
publish(To, Round, Rounds, Sum) ->
    send_all(To, Round),
    publish(To, Round + 1, Rounds, sum(1000, Sum)).

send_all([], _) -> ok;
send_all([To | More], Message) -> To ! Message, send_all(More, Message).

%% Adds up so many numbers.
sum(0, Sum) -> Sum;
sum(Left, Sum) -> receive N -> sum(Left - 1, Sum + N) end.

throughput(Messages) ->
    Rounds = Messages div 60,
    Result = self(),
    To = [spawn(fun() -> Result ! sum(Rounds, 0) end) || _ <- lists:seq(1, 60)],
    rounds(To, 1, Rounds),
    {60 * Rounds, sum(60, 0)}.

rounds(_, Round, Rounds) when Round > Rounds -> ok;
rounds(To, Round, Rounds) -> send_all(To, Round), rounds(To, Round + 1, Rounds).

create(Actors) ->
    Result = self(),
    Collector = spawn(fun() -> Result ! sum(Actors, 0) end),
    by_the_hundred(Actors, fun(N) ->
        spawn(fun() -> receive X -> Collector ! X end end) ! N
    end),
    receive Sum -> {Actors, Sum} end.

spawn_and_end(Actors) ->
    Result = self(),
    Sum = atomics:new(1, []),
    Expected = Actors * (Actors + 1) div 2,
    by_the_hundred(Actors, fun(N) ->
        spawn(fun() ->
            case atomics:add_get(Sum, 1, N) of
                Expected -> Result ! Expected;
                _ -> ok
            end
        end)
    end),
    receive Expected -> {Actors, Expected} end.

%% Lets others run after each hundred.
by_the_hundred(0, _) -> ok;
by_the_hundred(N, Spawn) ->
    Spawn(N),
    case N rem 100 of
        0 -> erlang:yield();
        _ -> ok
    end,
    by_the_hundred(N - 1, Spawn).
