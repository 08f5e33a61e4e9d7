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
benchmark(spawn) -> fun spawn_and_end/1;
benchmark(counting) -> fun counting/1;
benchmark('fan-in') -> fun fan_in/1;
benchmark(chameneos) -> fun chameneos/1;
benchmark(big) -> fun big/1;
benchmark(skynet) -> fun skynet/1.

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

counting(Messages) ->
    Counter = spawn(fun() -> counter(0) end),
    count(Counter, Messages),
    Counter ! {report, self()},
    receive {counted, Counted} -> {Messages, Counted} end.

count(_, 0) -> ok;
count(Counter, Left) -> Counter ! one_more, count(Counter, Left - 1).

counter(Counted) ->
    receive
        one_more -> counter(Counted + 1);
        {report, To} -> To ! {counted, Counted}, counter(Counted)
    end.

fan_in(Messages) ->
    Each = Messages div 1000,
    To = self(),
    [spawn(fun() -> count_down(To, Each) end) || _ <- lists:seq(1, 1000)],
    {1000 * Each, sum(1000 * Each, 0)}.

count_down(_, 0) -> ok;
count_down(To, Left) -> To ! Left, count_down(To, Left - 1).

chameneos(Meetings) ->
    Result = self(),
    Mall = spawn(fun() -> mall(nobody, Meetings) end),
    [spawn(fun() -> Mall ! {meet, self(), I rem 3}, creature(Mall, Result, I rem 3, 0) end)
     || I <- lists:seq(0, 99)],
    {Meetings, sum(100, 0)}.

mall(_, 0) ->
    receive {meet, Who, _} -> Who ! report, mall(nobody, 0) end;
mall(nobody, Left) ->
    receive {meet, Who, _} -> mall(Who, Left) end;
mall(Waiting, Left) ->
    receive {meet, _, _} = Met -> Waiting ! Met, mall(nobody, Left - 1) end.

creature(Mall, Result, Colour, Meetings) ->
    receive
        {meet, Other, Its} ->
            New = complement(Colour, Its),
            Mall ! {meet, self(), New},
            Other ! {change, Colour},
            creature(Mall, Result, New, Meetings + 1);
        {change, Its} ->
            New = complement(Colour, Its),
            Mall ! {meet, self(), New},
            creature(Mall, Result, New, Meetings + 1);
        report -> Result ! Meetings
    end.

complement(Colour, Colour) -> Colour;
complement(Mine, Other) -> 3 - Mine - Other.

big(Questions) ->
    Each = Questions div 100,
    Result = self(),
    All = [spawn(fun() ->
               receive {others, Others} -> ok end,
               Random = ask_next(Others, I, Each, 0, Result),
               big_member(Others, Random, Each, 0, Result)
           end) || I <- lists:seq(1, 100)],
    [One ! {others, list_to_tuple(lists:delete(One, All))} || One <- All],
    {100 * Each, sum(100, 0)}.

big_member(Others, Random, Left, Right, Result) ->
    receive
        {ask, From, X} ->
            From ! {answer, X + 1},
            big_member(Others, Random, Left, Right, Result);
        {answer, X} ->
            Now = case X - 1 of Left -> Right + 1; _ -> Right end,
            big_member(Others, ask_next(Others, Random, Left - 1, Now, Result), Left - 1, Now, Result)
    end.

%% Numbers at random that stay small ones, which Troupe's and Go's of 64 bits would not.
ask_next(_, Random, 0, Right, Result) -> Result ! Right, Random;
ask_next(Others, Random, Left, _, _) ->
    Next = Random * 16807 rem 2147483647,
    element(Next rem 99 + 1, Others) ! {ask, self(), Left},
    Next.

skynet(Size) ->
    Leaves = power_of_ten(10, Size),
    Result = self(),
    spawn(fun() -> node(Result, 0, Leaves) end),
    receive Sum -> {Leaves + (Leaves - 1) div 9, Sum} end.

power_of_ten(N, Size) when N * 10 > Size -> N;
power_of_ten(N, Size) -> power_of_ten(N * 10, Size).

node(Parent, First, 1) -> Parent ! First;
node(Parent, First, Leaves) ->
    Self = self(),
    Part = Leaves div 10,
    [spawn(fun() -> node(Self, First + I * Part, Part) end) || I <- lists:seq(0, 9)],
    Parent ! sum(10, 0).
