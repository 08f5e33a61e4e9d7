"""A chat on three nodes that can be made to fail, and people who say numbered lines at each and compare those of the others."""

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from chat_rig import PATIENCE, Node, User, started


def ip(*words, program="ip"):
    done = subprocess.run([program, *words], capture_output=True, text=True)
    assert done.returncode == 0, (words, done.stderr)


class Networks:
    """One for the server and one for each node, and a cable from each of these to that of the server."""

    def __init__(self, count):
        self.count = count
        self.name = lambda i: f"troupe-{os.getpid()}-{i}"  # 0: the server's

    def __enter__(self):
        self.undo = contextlib.ExitStack()
        for i in range(self.count + 1):
            ip("netns", "add", self.name(i))
            self.undo.callback(subprocess.run, ["ip", "netns", "delete", self.name(i)])
            ip("-n", self.name(i), "link", "set", "lo", "up")
        for i in range(1, self.count + 1):
            ip("-n", self.name(0), "link", "add", f"to{i}", "type", "veth", "peer", "name", "cable", "netns", self.name(i))
            for place, device, address in ((self.name(0), f"to{i}", f"10.78.{i}.1"), (self.name(i), "cable", f"10.78.{i}.2")):
                ip("-n", place, "address", "add", address + "/24", "dev", device)
                ip("-n", place, "link", "set", device, "up")
        return self

    def __exit__(self, *_):
        self.undo.close()

    def url(self, i, port):
        return f"nats://10.78.{i}.1:{port}"

    def cut(self, i, to_server=True, from_server=True):
        for yes, place, device in ((to_server, self.name(i), "cable"), (from_server, self.name(0), f"to{i}")):
            if yes:
                ip("-n", place, "qdisc", "replace", "dev", device, "root", "pfifo", "limit", "0", program="tc")

    def heal(self, i):
        for place, device in ((self.name(i), "cable"), (self.name(0), f"to{i}")):
            subprocess.run(["tc", "-n", place, "qdisc", "delete", "dev", device, "root"], capture_output=True)


class Talker(User):
    """Says numbered lines all the time, and compares those that others say."""

    def join(self, pace=0.02):
        super().join()
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.talk, args=(pace,), daemon=True)
        self.thread.start()
        return self

    def talk(self, pace):
        with contextlib.suppress(OSError):
            while not self.over.wait(pace):
                self.send(f"{self.name} {self.sent}")
                self.sent += 1

    def stop(self):
        self.over.set()
        self.thread.join()

    def heard(self, who, since=0):
        begin = f"<{who.name}> {who.name} "
        with self.more:
            return [int(line[len(begin):]) for line in self.lines[since:] if line.startswith(begin)]


class Rig:
    """Three nodes, two people at each. Those of one node hear each other whatever happens."""

    def __init__(self, stack, networks=None, store=None, jetstream=True):
        self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        self.networks, self.store = networks, store or str(self.folder / "js")
        self.port, self.lives = "-1", 0
        stack.callback(self.close)
        self.nats, self.nodes, self.people = None, [], []
        self.start_server()
        for i in (1, 2, 3):
            socket = self.folder / f"{i}.sock"
            url = networks.url(i, self.port) if networks else f"nats://127.0.0.1:{self.port}"
            before = ["ip", "netns", "exec", networks.name(i)] if networks else []
            self.nodes.append(Node(f"chat-{i}", url, before, ["--unix", socket, *(["--jetstream"] if jetstream else [])]))
            self.nodes[-1].socket = socket
        names = (("ann", "amy"), ("bob", "ben"), ("eve", "eli"))
        for node, pair in zip(self.nodes, names):
            end = time.monotonic() + PATIENCE
            while not node.socket.exists() and time.monotonic() < end:
                time.sleep(0.01)
            for name in pair:
                self.people.append(Talker(node.socket, name).join())
        self.ann = self.people[0]
        for talker in self.people:
            talker.ask("/who", "In lobby: amy, ann, ben, bob, eli, eve")
        self.ann.send("/notices on")
        self.ann.wait("You are told who comes")
        self.told = len(self.ann.lines)
        self.all_hear()

    def start_server(self):
        words = ["nats-server", "-a", "0.0.0.0" if self.networks else "127.0.0.1", "-p", self.port, "-js", "-sd", self.store]
        before = ["ip", "netns", "exec", self.networks.name(0)] if self.networks else []
        self.nats, found = started([*before, *words], "stderr", r"Listening for client connections on \S+:(\d+)")
        self.port = found[1]

    def at(self, node):
        return self.people[2 * node - 2:2 * node]

    def all_hear(self, seconds=PATIENCE):
        """Waits until everybody hears what everybody says from now on; gives how long that took."""
        begin = time.monotonic()
        marks = [(reader, len(reader.lines)) for reader in self.people]
        first = {writer.name: writer.sent for writer in self.people}
        while True:
            missing = [(r.name, w.name) for r, since in marks for w in self.people
                       if r is not w and not any(n >= first[w.name] for n in r.heard(w, since))]
            if not missing:
                return time.monotonic() - begin
            assert time.monotonic() < begin + seconds, missing
            time.sleep(0.05)

    def notices(self):
        with self.ann.more:
            return [line for line in self.ann.lines[self.told:] if line.startswith("* ")]

    def wait_notice(self, text, seconds):
        end = time.monotonic() + seconds
        while text not in self.notices():
            assert time.monotonic() < end, (text, self.notices())
            time.sleep(0.02)

    def restart(self, i):
        """Starts a node that was killed; others are at it then, as nobody is known there any more."""
        node, self.lives = self.nodes[i - 1], self.lives + 1
        node.socket.unlink(missing_ok=True)
        node.start()
        end = time.monotonic() + PATIENCE
        while not node.socket.exists() and time.monotonic() < end:
            time.sleep(0.01)
        for k, old in enumerate(self.at(i), 2 * i - 2):
            old.stop()
            name = f"{old.name.rstrip('0123456789')}{self.lives}"
            self.people[k] = Talker(node.socket, name).join()
        self.ann = self.people[0]

    def in_order(self):
        """Nobody has heard anything twice, or out of order."""
        for reader in self.people:
            for writer in self.people:
                said = reader.heard(writer) if reader is not writer else []
                assert said == sorted(set(said)), (reader.name, writer.name, said[-200:])

    def check(self, whole=()):
        """Nothing twice, nothing out of order; within a node, and between those named, nothing is missing."""
        for talker in self.people:
            talker.stop()
        end = time.monotonic() + PATIENCE
        complete = [(r, w) for r in self.people for w in self.people if r is not w
                    and (self.people.index(r) // 2 == self.people.index(w) // 2 or (r.name, w.name) in whole)]
        while any(r.heard(w)[-1:] != [w.sent - 1] for r, w in complete):
            assert time.monotonic() < end, [(r.name, w.name, r.heard(w)[-1:], w.sent) for r, w in complete]
            time.sleep(0.05)
        self.in_order()
        for reader, writer in complete:
            said = reader.heard(writer)
            assert said == list(range(said[0], writer.sent)), (reader.name, writer.name, len(said), writer.sent)
        for node in self.nodes:
            assert node.process.poll() is None, node.log
            errors = [line for line in node.log if "[error]" in line and " history: " not in line]  # it tells what is not kept
            assert not errors, errors

    def history_is_the_same(self):
        """Waits until something new is kept, and all nodes show the same. Nobody else talks."""
        end, number = time.monotonic() + PATIENCE, 0
        while True:
            number += 1
            self.ann.send(f"mark {number}")
            time.sleep(0.2)  # what has just been said is on its way to the store
            shown = []
            for person in self.people[::2]:
                since = len(person.lines)
                person.ask("/history 50", "That was it.")
                said = person.lines[since:]  # more than one answer, if something else came first
                shown.append([line[12:] for line in said[:said.index("That was it.")] if line[:1].isdigit()])
            assert all(len(lines) == len(set(lines)) for lines in shown), shown
            if shown[0] == shown[1] == shown[2] and any(f"<{self.ann.name}> mark " in line for line in shown[0]):
                return
            assert time.monotonic() < end, shown

    def close(self):
        for person in self.people:
            person.over.set()
        for node in self.nodes:
            with contextlib.suppress(ProcessLookupError):
                node.process.send_signal(signal.SIGCONT)
            node.kill()
        if self.nats:
            self.nats.kill()
            self.nats.wait()
