"""Nodes of a cluster over NATS beside what else moves messages between two processes: CPU time of both nodes, without the server.

Usage: cluster_bench.py <folder of the programs> <folder of the examples> [--repeat N] [--only ROW] [--out FOLDER] [--smoke]

All contestants of a row run in turn, then again, and another one begins each time; a ratio is taken between runs of the same turn. Each run has
fresh processes, and a fresh nats-server where it takes one. Who takes messages compares the number in each with the one that is due.
Exits with 77 if nats-server is not installed.
"""

import argparse
import csv
import fcntl
import os
import re
import selectors
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, contextmanager

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAMS = EXAMPLES = None
PATIENCE = 60


class Process:
    """A program that is told by lines what to do, and answers each by one."""

    def __init__(self, *command, env=None):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                        env={**os.environ, **(env or {})})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def hear(self, wanted=None):
        watch = threading.Timer(PATIENCE, self.process.kill)
        watch.start()
        try:
            line = self.process.stdout.readline().strip()
        finally:
            watch.cancel()
        if not line or (wanted and line != wanted):
            raise RuntimeError(f"{self.process.args}: {line or 'it has ended, or does not answer'}")
        return line

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def do(self, line):
        self.tell(line)
        return self.hear()

    def tasks(self):
        return os.listdir(f"/proc/{self.process.pid}/task")

    def cpu_ns(self):
        total = 0
        for task in self.tasks():
            try:
                with open(f"/proc/{self.process.pid}/task/{task}/schedstat") as f:
                    total += int(f.read().split()[0])
            except (FileNotFoundError, ProcessLookupError):  # a thread that has ended meanwhile
                pass
        return total


@contextmanager
def nats_server(*more):
    """Gives the URL of a fresh one."""
    with subprocess.Popen(["nats-server", "-a", "127.0.0.1", "-p", "-1", *more], stderr=subprocess.PIPE, text=True) as server:
        try:
            url = None
            for line in server.stderr:
                if found := re.search(r"Listening for client connections on (\S+)", line):
                    url = "nats://" + found[1]
                if "Server is ready" in line:
                    break
            if url is None:
                raise RuntimeError("nats-server has ended")
            threading.Thread(target=server.stderr.read, daemon=True).start()
            yield url
        finally:
            server.kill()


@contextmanager
def nodes(count):
    """Gives so many nodes that see each other."""
    with ExitStack() as stack:
        url = stack.enter_context(nats_server())
        all_nodes = [stack.enter_context(Process(f"{PROGRAMS}/bench_node", "cluster", f"n{i}", url)) for i in range(count)]
        for node in all_nodes:
            node.tell(f"nodes {count - 1}")
        for node in all_nodes:
            node.hear("ok")
        yield all_nodes, url


@contextmanager
def two_nodes():
    with nodes(2) as ((giver, taker), _):
        taker.do("takes")
        giver.do("gives")
        giver.do("topics 1")
        taker.do("topics 1")
        yield giver, taker


@contextmanager
def two_frames():
    with Process(f"{PROGRAMS}/bench_node", "listen") as taker:
        with Process(f"{PROGRAMS}/bench_node", "connect", taker.hear()) as giver:
            giver.hear("connected")
            taker.hear("connected")
            yield giver, taker


@contextmanager
def two_libnats():
    with nats_server() as url, Process(f"{PROGRAMS}/peer_libnats", url, "sub") as taker:
        taker.hear("connected")
        with Process(f"{PROGRAMS}/peer_libnats", url, "pub") as giver:
            giver.hear("connected")
            yield giver, taker


@contextmanager
def two_erlang():
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["erlc", "-o", folder, f"{HERE}/peer_distribution.erl"], check=True)
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = str(s.getsockname()[1])
        name = f"bench{os.getpid()}"
        env = {"PEER": f"{name}a@127.0.0.1", "HOME": folder, "ERL_EPMD_PORT": port}
        run = lambda which, what: Process("erl", "-noshell", "-start_epmd", "false", "+S", "1:1", "-name", f"{name}{which}@127.0.0.1", "-setcookie", "bench", "-pa", folder,
                                          "-eval", f'peer_distribution:main("{what}")', env=env)
        with Process("epmd", "-address", "127.0.0.1", "-port", port), ExitStack() as stack:  # one that goes
            for _ in range(200):
                if socket.socket().connect_ex(("127.0.0.1", int(port))) == 0:
                    break
                time.sleep(0.02)
            taker = stack.enter_context(run("a", "sub"))
            taker.hear("connected")
            with run("b", "pub") as giver:
                giver.hear("connected")
                yield giver, taker


def flow(two, count, batch):
    """Returns microseconds of both nodes for each message, and how many come in a second."""
    with two() as (giver, taker):
        def send(n):
            taker.tell(f"expect {n}")
            taker.hear("expecting")
            giver.tell(f"publish {n} {batch}")
            taker.hear("ok")
            giver.hear("ok")
        send(max(count // 5, 1000))
        before, begin = giver.cpu_ns() + taker.cpu_ns(), time.monotonic()
        send(count)
        took = time.monotonic() - begin
        return (giver.cpu_ns() + taker.cpu_ns() - before) / count / 1000, count / took / 1000


def timed(who, what, count, all_of):
    """Returns microseconds of the clock, and of the processor for all of these, for each of `count` things that one is told to do."""
    before, begin = sum(p.cpu_ns() for p in all_of), time.monotonic()
    if (said := who.do(what)) != "ok":
        raise RuntimeError(f"{what}: {said}")
    took = time.monotonic() - begin
    return took / count * 1e6, (sum(p.cpu_ns() for p in all_of) - before) / count / 1000


def ask(kind, count):
    """Returns what a question to another node and its answer take, one after the other."""
    with ExitStack() as stack:
        if kind == "libnats":
            url = stack.enter_context(nats_server())
            asked, asks = [stack.enter_context(Process(f"{PROGRAMS}/peer_libnats", url, role)) for role in ("rep", "req")]
            asked.hear("connected")
            asks.hear("connected")
        else:
            (asks, asked), _ = stack.enter_context(nodes(2))
            asked.do("serve")
        asks.do(f"ask {max(count // 10, 100)}")
        return timed(asks, f"ask {count}", count, [asks, asked])


@contextmanager
def keeper(kind):
    """Gives who keeps messages: in JetStream, raw or by a node of ours, or in SQLite."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("TROUPE_BENCH_DISK")) as folder, ExitStack() as stack:
        if kind == "sqlite":
            one = stack.enter_context(Process(f"{PROGRAMS}/bench_history", "sqlite", folder + "/kept.db"))
        else:
            url = stack.enter_context(nats_server("-js", "-sd", folder))
            role = {"libnats": "keep", "libnats, heard": "hear"}.get(kind)
            one = stack.enter_context(Process(f"{PROGRAMS}/peer_libnats", url, role) if role else Process(f"{PROGRAMS}/bench_history", "jetstream", url))
        if kind.startswith("libnats"):
            one.hear("connected")
        else:
            one.do("ready")
        yield one


def append(kind, count, most):
    """Returns what a message takes until the store has it; ours have heard it by then, too."""
    with keeper(kind) as one:
        one.do(f"append {max(count // 10, most)} {most}")
        return timed(one, f"append {count} {most}", count, [one])


def resume(count, missed=20):
    """Returns what it takes to resume with so many messages missed, from memory."""
    with keeper("sqlite") as one:
        one.do("append 100 100")
        one.do(f"resume {count // 10} {missed}")
        return timed(one, f"resume {count} {missed}", count, [one])


def fan_out(kind, lines, listeners=1000):
    """Returns nanoseconds of the node with the listeners for each line that reaches one of them; who says it is there too, or elsewhere."""
    with ExitStack() as stack:
        if kind == "remote":
            giver, taker = stack.enter_context(two_nodes())
        elif kind == "local":
            [giver], _ = stack.enter_context(nodes(1))
            taker = giver
        else:
            giver = taker = stack.enter_context(Process(f"{PROGRAMS}/bench_node", "plain"))
        if giver is taker:
            taker.do("takes")
            taker.do("gives")
        taker.do(f"listeners {listeners}")

        def say(count):
            for _ in range(count // 10):  # not so many at once that mailboxes are what is measured
                taker.tell("expect 10")
                taker.hear("expecting")
                giver.tell("publish 10 10")
                giver.hear("ok")
                taker.hear("ok")
        say(lines // 5)
        before, heard = taker.cpu_ns(), int(taker.do("heard"))
        say(lines)
        cost, heard = taker.cpu_ns() - before, int(taker.do("heard")) - heard
        if heard != lines * listeners:
            raise RuntimeError(f"{heard} deliveries, not {lines * listeners}")
        return (cost / heard,)


def interest(count):
    """Returns microseconds of both nodes for each topic that is subscribed to, and is known to be elsewhere."""
    with nodes(2) as ((one, other), _):
        before = one.cpu_ns() + other.cpu_ns()
        other.do(f"subscribe 0 {count}")
        one.do(f"topics {count}")
        return ((one.cpu_ns() + other.cpu_ns() - before) / count / 1000,)


def presence(count):
    """Returns bytes for an entry at another node beside its key and meta, and seconds until a node that comes has all."""
    with nodes(2) as ((one, other), url):
        other.do(f"track 1000")  # what comes with the first ones
        one.do("present 1000")
        other.do("present 1000")
        before = int(one.do("resident"))
        other.do(f"track {count}")
        one.do(f"present {count}")
        held = (int(one.do("resident")) - before) / (count - 1000) - len("user 0000000here")
        with Process(f"{PROGRAMS}/bench_node", "cluster", "late", url) as late:
            late.do("nodes 2")
            begin = time.monotonic()
            late.do(f"present {count}")
            return held, time.monotonic() - begin


def presence_change(count):
    """Returns microseconds of each of ten nodes for a change that another one tells them all."""
    with nodes(11) as (everybody, _):
        one, *others = everybody
        one.do(f"track {count}")
        for node in others:
            node.do(f"present {count}")
        spent = lambda: sum(node.cpu_ns() for node in others)
        marks = []
        for change in range(3):  # the first one warms
            time.sleep(1.2)
            idle = spent()
            time.sleep(1.2)
            idle = spent() - idle
            before = spent()
            one.do(f"rekey {count} {change}")
            time.sleep(1.2)
            marks.append((spent() - before - idle) / len(others) / count / 1000)
            for node in others:
                node.do(f"says {count} {change}")
        return (statistics.mean(marks[1:]),)


def idle(seconds):
    """Returns what a node among ten takes of a core while nothing happens, in percent, and how many threads it has."""
    with nodes(10) as (everybody, _):
        time.sleep(1)
        before = sum(node.cpu_ns() for node in everybody)
        time.sleep(seconds)
        return (sum(node.cpu_ns() for node in everybody) - before) / len(everybody) / seconds / 1e7, len(everybody[0].tasks()) - 1  # that reads lines


class User:
    """Somebody in the chat, at a line port: what comes is compared line by line."""

    def __init__(self, number, port):
        self.name = f"u{number:03}"
        self.socket = socket.create_connection(("127.0.0.1", port), 20)
        self.socket.settimeout(20)
        self.rest, self.due, self.said = b"", {}, 0
        self.until(b"name?")
        self.socket.sendall(self.name.encode() + b"\r\n")
        self.until(b"Welcome, ")
        self.until(b"\r\n")

    def until(self, text):
        while text not in self.rest:
            more = self.socket.recv(65536)
            if not more:
                raise RuntimeError(f"{self.name}: the server hung up")
            self.rest += more
        self.rest = self.rest[self.rest.index(text) + len(text):]

    def lines(self, count):
        self.said += count
        return "".join(self.line(k) for k in range(self.said - count, self.said)).encode()

    @staticmethod
    def line(number):
        return f"{number:08} is what I say now, and it has as many bytes as others\r\n"

    def read(self, text_of):
        """Takes what has come; returns how many lines that were."""
        more = self.socket.recv(1 << 18)
        if not more:
            raise RuntimeError(f"{self.name}: the server hung up")
        *lines, self.rest = (self.rest + more).split(b"\r\n")
        for line in lines:
            who = line[:7]
            due = self.due.get(who, 0)
            if line[7:] != text_of(due):
                raise RuntimeError(f"{self.name} got {line}, and {due} was due")
            self.due[who] = due + 1
        return len(lines)


def chat(servers, users, seconds, burst=20, talkers=10):
    """Returns microseconds of the servers for each line that reaches one of the users, who are at them in turn."""
    with ExitStack() as stack:
        commands = [[f"{EXAMPLES}/chat_server", "--port", "0", "--loops", "1", "--log-level", "error"] for _ in range(servers)]
        if servers > 1:
            url = stack.enter_context(nats_server())
            for i, command in enumerate(commands):
                command += ["--node", f"n{i}", "--nats", url]
        running = [stack.enter_context(Process(*command)) for command in commands]
        ports = [int(server.hear().rsplit(":", 1)[1]) for server in running]
        if servers > 1:
            time.sleep(2)  # they have met
        crowd = [User(i, ports[i % servers]) for i in range(users)]
        for user in crowd:
            stack.callback(user.socket.close)
        time.sleep(1.5)  # everybody is known to all
        texts = {}

        def text_of(number):
            if number not in texts:
                texts[number] = User.line(number)[:-2].encode()
            return texts[number]

        eyes = stack.enter_context(selectors.DefaultSelector())
        for user in crowd:
            eyes.register(user.socket, selectors.EVENT_READ, user)

        def round_of_talk():
            texts.clear()
            for user in crowd[:talkers]:
                user.socket.sendall(user.lines(burst))
            left = delivered = burst * (talkers * users - talkers)
            while left > 0:
                ready = eyes.select(20)
                if not ready:
                    raise RuntimeError(f"{left} lines have not come")
                left -= sum(key.data.read(text_of) for key, _ in ready)
            return delivered

        for _ in range(3):
            round_of_talk()
        before, end, count = sum(s.cpu_ns() for s in running), time.monotonic() + seconds, 0
        while time.monotonic() < end:
            count += round_of_talk()
        return ((sum(s.cpu_ns() for s in running) - before) / count / 1000,)


def rows(smoke):
    n = 20 if smoke else 1
    troupe = lambda count, batch: lambda: flow(two_nodes, count // n, batch)
    return {
        "gathered": ("a publication of 100 bytes, 20 in a turn", ("us of both nodes", "k/s"), {
            "Troupe": troupe(2_000_000, 20),
            "frames over TLS": lambda: flow(two_frames, 2_000_000 // n, 20),
            "libnats": lambda: flow(two_libnats, 1_000_000 // n, 1)}, {"frames over TLS": 1.3, "libnats": 0.3}),
        "burst": ("the same, 1,000 in a turn: a program that publishes in a loop, as that of libnats does", ("us of both nodes", "k/s"), {
            "Troupe": troupe(4_000_000, 1000),
            "frames over TLS": lambda: flow(two_frames, 4_000_000 // n, 1000),
            "libnats": lambda: flow(two_libnats, 1_000_000 // n, 1)}, {"frames over TLS": 1.3, "libnats": 0.3}),
        "single": ("a publication of 100 bytes, one in a turn", ("us of both nodes", "k/s"), {
            "Troupe": troupe(300_000, 1),
            "frames over TLS": lambda: flow(two_frames, 300_000 // n, 1),
            "libnats": lambda: flow(two_libnats, 1_000_000 // n, 1),
            "Erlang": lambda: flow(two_erlang, 300_000 // n, 1)}, {"libnats": 0.3, "Erlang": 0.15}),
        "ask": ("a question to an actor of another node and its answer, 100 bytes each, one after the other", ("us", "us of both nodes"), {
            "Troupe": lambda: ask("Troupe", 4_000 // n),
            "libnats": lambda: ask("libnats", 4_000 // n)}, {"libnats": 1.1}),
        "append": ("a message until JetStream has it, and it is heard, one after the other", ("us", "us of the node"), {
            "Troupe": lambda: append("jetstream", 3_000 // n, 1),
            "libnats": lambda: append("libnats", 3_000 // n, 1),
            "libnats, heard": lambda: append("libnats, heard", 3_000 // n, 1)}, {"libnats": 1.2}),
        "append-many": ("the same, 1,000 on their way", ("us", "us of the node"), {
            "Troupe": lambda: append("jetstream", 50_000 // n, 1000),
            "libnats": lambda: append("libnats", 50_000 // n, 1000),
            "libnats, heard": lambda: append("libnats, heard", 50_000 // n, 1000)}, {"libnats": 1.11}),
        "append-sqlite": ("a message until SQLite has it on the disk, and it is heard, 1,000 on their way; target 50 us", ("us", "us of the node"), {
            "Troupe": lambda: append("sqlite", 50_000 // n, 1000)}, {}),
        "resume": ("to resume with 20 messages missed, from memory; target 20 us", ("us", "us of the node"), {
            "Troupe": lambda: resume(20_000 // n)}, {}),
        "local": ("a line to one of 1,000 actors, said in a cluster where nobody else wants it", ("ns",), {
            "Troupe": lambda: fan_out("local", 5000 // n),
            "without cluster": lambda: fan_out("plain", 5000 // n)}, {"without cluster": 1.02}),
        "fan-out": ("the same, said at another node", ("ns of the node with the actors",), {
            "Troupe": lambda: fan_out("remote", 5000 // n),
            "said there": lambda: fan_out("local", 5000 // n)}, {"said there": 1.05}),
        "interest": ("a topic that is subscribed to, and known elsewhere", ("us of both nodes",), {
            "Troupe": lambda: interest(50_000 // n)}, {}),
        "presence": ("an entry of presence at another node, beside key and meta; all of 100,000 told to a node that comes", ("bytes", "s"), {
            "Troupe": lambda: presence(100_000 // n)}, {}),
        "presence-change": ("a change of an entry, told to ten nodes", ("us of each",), {
            "Troupe": lambda: presence_change(10_000 // n)}, {}),
        "chat": ("a line to a user, 200 in a room, 10 talk in bursts of 20", ("us of all nodes",), {
            "Troupe": lambda: chat(2, 40 if smoke else 200, 1 if smoke else 3),
            "one node": lambda: chat(1, 40 if smoke else 200, 1 if smoke else 3)}, {"one node": 1.4}),
        "idle": ("a node among ten, idle", ("% of a core", "threads"), {
            "Troupe": lambda: idle(1 if smoke else 10)}, {}),
    }


def missing(name):
    if name.startswith("libnats") and not os.path.exists(f"{PROGRAMS}/peer_libnats"):
        return "libnats-dev was not installed when it was built"
    if name == "Erlang" and not (shutil.which("erl") and shutil.which("erlc")):
        return "erlang-base is not installed"
    return None


def measure(what, repeat):
    title, units, contestants, targets = what
    taken = {name: [] for name in contestants if not missing(name)}
    for turn in range(repeat):
        names = list(taken)
        for name in names[turn % len(names):] + names[:turn % len(names)]:
            taken[name].append(contestants[name]())
    print(f"\n{title}: {', '.join(units)}", flush=True)
    lines = []
    for name in contestants:
        if name not in taken:
            print(f"  {name:<16} {missing(name)}")
            continue
        line = f"  {name:<16}"
        for i in range(len(units)):
            figures = [run[i] for run in taken[name]]
            line += f" {statistics.median(figures):9.3f} ({min(figures):.3f} - {max(figures):.3f})"
            lines.append([name, units[i], *(f"{x:.4f}" for x in figures)])
        if name != "Troupe":
            ratios = [a[0] / b[0] for a, b in zip(taken["Troupe"], taken[name])]
            line += f"   Troupe / it {statistics.median(ratios):.2f} ({min(ratios):.2f} - {max(ratios):.2f})"
            if name in targets:
                line += f"   target {targets[name]}"
        print(line, flush=True)
    return lines


def main():
    global PROGRAMS, EXAMPLES
    p = argparse.ArgumentParser(description="Nodes of a cluster beside what else moves messages between processes.")
    p.add_argument("programs")
    p.add_argument("examples")
    p.add_argument("--repeat", type=int, default=5, help="how often each figure is taken; the median counts (5)")
    p.add_argument("--only", action="append", help="a row: gathered, burst, single, ask, append, append-many, append-sqlite, resume, local, fan-out, interest, presence, presence-change, chat, idle")
    p.add_argument("--out", help="folder for cluster.csv, which has every run")
    p.add_argument("--smoke", action="store_true", help="each once and short: do they work?")
    o = p.parse_args()
    PROGRAMS, EXAMPLES = o.programs, o.examples
    if not shutil.which("nats-server"):
        print("nats-server is not installed")
        sys.exit(77)
    if not o.smoke:  # one benchmark at a time on this machine
        lock = os.open(tempfile.gettempdir() + "/troupe_bench.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        fcntl.flock(lock, fcntl.LOCK_EX)
    all_rows = rows(o.smoke)
    written = []
    for key in o.only or all_rows:
        for line in measure(all_rows[key], 1 if o.smoke else o.repeat):
            written.append([key, *line])
    if o.out:
        os.makedirs(o.out, exist_ok=True)
        with open(o.out + "/cluster.csv", "w", newline="") as f:
            csv.writer(f).writerows(written)


main()
