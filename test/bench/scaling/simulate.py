#!/usr/bin/python3
"""Predicts how the actor benchmarks go on 1 to 128 loops, from costs measured on two cores.

Usage: simulate.py [--loops 1,2,4] [--only NAME] [--COST NANOSECONDS]...

It runs Troupe's scheduler by its rules: a floating actor goes to the loop that woke it; a loop without work takes half of
what waits at the next loop that has some, looks again for 40 us and then sleeps; one sleeping loop at a time is woken when
work waits. All but the first sleep when a benchmark begins. Nothing is random: the same costs give the same table.
docs/internals/scaling.md says where the costs come from, and what is left out.
"""

import argparse
import heapq
from collections import deque

# Nanoseconds; see docs/internals/scaling.md for where they come from.
COSTS = {
    "send": 35,      # a message made and put into a mailbox
    "handle": 60,    # and handled, on the same loop
    "remote": 100,   # more, if it was sent on another loop than that of its receiver
    "move": 60,      # more, for an actor that runs on another loop than the last time
    "line": 30,      # to get a cache line that another core has written to
    "steal": 500,    # a theft, of however many actors
    "wake": 25_000,  # until a loop that sleeps runs
    "spawn": 450,    # an actor, from its making to its end, without its messages
}
POLL, LOOK = 40_000, 10_000  # how long a loop looks for work before it sleeps, and how often
MESSAGES_PER_ACTOR, MOST_STOLEN = 50, 256


class Actor:
    __slots__ = ("handle", "mail", "queued", "last", "line_of", "line_free", "left")

    def __init__(self, handle):
        self.handle = handle
        self.mail = deque()
        self.queued = False
        self.last = None     # the loop that ran it
        self.left = 0        # when it had done so
        self.line_of = None  # the loop that wrote to its mailbox last
        self.line_free = 0


class Loop:
    __slots__ = ("number", "time", "queue", "lock_free", "asleep", "dry_since", "busy", "lines")

    def __init__(self, number):
        self.number = number
        self.time = 0.0
        self.queue = deque()
        self.lock_free = 0.0  # of the queue
        self.asleep = False
        self.dry_since = None
        self.busy = 0.0
        self.lines = 0.0  # of that, spent waiting for cache lines


class Machine:
    def __init__(self, loops, costs):
        self.loops = [Loop(i) for i in range(loops)]
        self.costs = costs
        self.searching = []  # until when those that were woken are on their way
        self.events = []
        self.done = None
        self.stolen = 0
        for one in self.loops[1:]:
            one.asleep = True  # nothing has happened for a while
        heapq.heappush(self.events, (0.0, 0))

    # -- what actors do ---------------------------------------------------------------------------

    def send(self, loop, to, what=None):
        loop.time += self.costs["send"]
        self.take_line(loop, to)
        to.mail.append((loop, what, loop.time))
        if not to.queued:
            to.queued = True
            loop.queue.append(to)

    def spawn(self, loop, handle):
        loop.time += self.costs["spawn"]
        made = Actor(handle)
        made.last = loop
        made.line_of = loop
        return made

    def stop(self, loop):
        self.done = loop.time

    # -- what loops do ----------------------------------------------------------------------------

    def take_line(self, loop, of):
        if of.line_of is loop:
            return
        if of.line_of is not None:
            got = max(loop.time, of.line_free) + self.costs["line"]
            of.line_free = got
            loop.lines += got - loop.time
            loop.time = got
        of.line_of = loop

    def run_actor(self, loop):
        actor = loop.queue.popleft()
        if loop.queue:
            self.work_available(loop)
        if actor.last is not loop:
            if actor.last is not None:
                loop.time = max(loop.time, actor.left) + self.costs["move"]
            actor.last = loop
        self.take_line(loop, actor)
        for _ in range(min(MESSAGES_PER_ACTOR, len(actor.mail))):
            source, what, sent = actor.mail.popleft()
            loop.time = max(loop.time, sent) + self.costs["handle"]  # loops' clocks are a turn apart
            if source is not loop:
                loop.time += self.costs["remote"]
            actor.handle(self, loop, actor, what)
            if self.done is not None:
                return
        actor.left = loop.time
        if actor.mail:
            loop.queue.append(actor)
        else:
            actor.queued = False

    def work_available(self, loop):
        self.searching = [until for until in self.searching if until > loop.time]
        if len(self.searching) >= self.costs["thieves"]:
            return
        for i in range(1, len(self.loops)):
            peer = self.loops[(loop.number + i) % len(self.loops)]
            if peer.asleep:
                peer.asleep = False
                peer.time = loop.time + self.costs["wake"]
                self.searching.append(peer.time)
                heapq.heappush(self.events, (peer.time, peer.number))
                return

    def steal(self, loop):
        for i in range(1, len(self.loops)):
            victim = self.loops[(loop.number + i) % len(self.loops)]
            loop.time += self.costs["line"] / 4  # several sizes are on their way at once
            if not victim.queue:
                continue
            got = max(loop.time, victim.lock_free) + self.costs["line"]
            loop.lines += got - loop.time
            loop.time = victim.lock_free = got
            loop.time += self.costs["steal"]
            for _ in range(min(MOST_STOLEN, (len(victim.queue) + 1) // 2)):
                loop.queue.appendleft(victim.queue.pop())
                self.stolen += 1
            if victim.queue or len(loop.queue) > 1:
                self.work_available(loop)
            return True
        return False

    def run(self, limit=1e12):
        while self.done is None and self.events:
            now, number = heapq.heappop(self.events)
            if now > limit:
                raise SystemExit("the simulation does not come to an end")
            loop = self.loops[number]
            loop.time = max(loop.time, now)
            begun = loop.time
            if loop.queue or (len(self.loops) > 1 and self.steal(loop)):
                loop.dry_since = None
                if loop.queue:
                    self.run_actor(loop)
                loop.busy += loop.time - begun
            else:
                loop.dry_since = begun if loop.dry_since is None else loop.dry_since
                if loop.time - loop.dry_since >= POLL or len(self.loops) == 1:
                    loop.dry_since = None
                    loop.asleep = True
                    continue
                loop.time += LOOK
            heapq.heappush(self.events, (loop.time, number))
        return self.done


# -- the benchmarks: each begins on loop 0, and returns how many operations it has ----------------


def pairs(count, messages):
    def begin(machine):
        left = [count]

        def player(m, loop, self, what):
            other, n = what
            if n == 0:
                left[0] -= 1
                if left[0] == 0:
                    m.stop(loop)
                return
            m.send(loop, other, (self, n - 1))

        for _ in range(count):
            a, b = Actor(player), Actor(player)
            machine.send(machine.loops[0], a, (b, messages))
        return count * messages

    return begin


def throughput(receivers, rounds):
    def begin(machine):
        left = [receivers * rounds]

        def receiver(m, loop, self, what):
            left[0] -= 1
            if left[0] == 0:
                m.stop(loop)

        all_of_them = [Actor(receiver) for _ in range(receivers)]

        def sender(m, loop, self, n):
            for one in all_of_them:
                m.send(loop, one)
            if n > 1:
                m.send(loop, self, n - 1)

        machine.send(machine.loops[0], Actor(sender), rounds)
        return receivers * rounds

    return begin


def fan_in(senders, messages):
    def begin(machine):
        left = [senders * messages]

        def counter(m, loop, self, what):
            left[0] -= 1
            if left[0] == 0:
                m.stop(loop)

        target = Actor(counter)

        def sender(m, loop, self, n):
            m.send(loop, target)
            if n > 1:
                m.send(loop, self, n - 1)

        for _ in range(senders):
            machine.send(machine.loops[0], Actor(sender), messages)
        return senders * messages

    return begin


def big(actors, questions):
    def begin(machine):
        left = [actors]
        seed = [12345]
        everyone = []

        def ask(m, loop, self, n):
            seed[0] = (seed[0] * 6364136223846793005 + 1442695040888963407) % 2**64
            m.send(loop, everyone[(seed[0] >> 33) % actors], ("question", self, n))

        def member(m, loop, self, what):
            kind, other, n = what
            if kind == "question":
                m.send(loop, other, ("answer", self, n))
            elif n > 1:
                ask(m, loop, self, n - 1)
            else:
                left[0] -= 1
                if left[0] == 0:
                    m.stop(loop)

        everyone += [Actor(member) for _ in range(actors)]
        for one in everyone:
            machine.send(machine.loops[0], one, ("answer", one, questions + 1))
        return actors * questions

    return begin


def skynet(depth):
    def begin(machine):
        def node_of(parent, level):
            waiting = [10]

            def node(m, loop, self, what):
                if what == "go":
                    if level == 0:
                        return answer(m, loop)
                    for _ in range(10):
                        m.send(loop, m.spawn(loop, node_of(self, level - 1)), "go")
                    return None
                waiting[0] -= 1
                return answer(m, loop) if waiting[0] == 0 else None

            def answer(m, loop):
                if parent is None:
                    m.stop(loop)
                else:
                    m.send(loop, parent, "sum")

            return node

        machine.send(machine.loops[0], Actor(node_of(None, depth)), "go")
        return sum(10**i for i in range(depth + 1))

    return begin


def cpu(actors, messages, work):
    def begin(machine):
        left = [actors]

        def worker(m, loop, self, n):
            loop.time += work
            if n > 1:
                return m.send(loop, self, n - 1)
            left[0] -= 1
            if left[0] == 0:
                m.stop(loop)

        for _ in range(actors):
            machine.send(machine.loops[0], Actor(worker), messages)
        return actors * messages

    return begin


BENCHMARKS = {
    "pairs": pairs(100, 2000),
    "pairs of 1000": pairs(1000, 200),
    "throughput": throughput(60, 2000),
    "fan-in": fan_in(1000, 100),
    "big": big(100, 500),
    "big of 1000": big(1000, 50),
    "skynet": skynet(4),
    "skynet of 5 levels": skynet(5),
    "cpu": cpu(64, 100, 10_000),
    "cpu of 1024": cpu(1024, 20, 10_000),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--loops", default="1,2,4,8,16,32,64,128")
    parser.add_argument("--only", choices=BENCHMARKS)
    for name, value in COSTS.items():
        parser.add_argument(f"--{name}", type=float, default=value, help=f"nanoseconds ({value})")
    parser.add_argument("--thieves", type=int, default=1, help="how many may be woken at once (1, as Troupe has it)")
    options = parser.parse_args()
    costs = {name: getattr(options, name) for name in (*COSTS, "thieves")}
    loops = [int(n) for n in options.loops.split(",")]
    print("| benchmark | M/s on 1 |" + "".join(f" {n} |" for n in loops[1:]) + " stolen, lines on the most |")
    print("| --- | ---: |" + " ---: |" * len(loops[1:]) + " ---: |")
    for name, begin in BENCHMARKS.items():
        if options.only not in (None, name):
            continue
        times = []
        for n in loops:
            machine = Machine(n, costs)
            operations = begin(machine)
            times.append(machine.run())
        share = sum(l.lines for l in machine.loops) / max(1.0, sum(l.busy for l in machine.loops))
        print(f"| {name} | {operations / times[0] * 1e3:.2f} |"
              + "".join(f" {times[0] / t:.1f} |" for t in times[1:])
              + f" {machine.stolen / operations:.2f} an operation, {share:.0%} |")


main()
