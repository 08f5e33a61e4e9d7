"""Several nats-servers that are one, nodes at them, and what may happen to them: for checks."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

PATIENCE = 40
STORING = 10
LONGEST = 130  # of a program, all that it waits for taken together
over = time.monotonic() + LONGEST


def until(what, seconds=PATIENCE, told=lambda: None):
    """Waits until `what()` is true, and returns it."""
    begin = time.monotonic()
    end = min(begin + seconds, over)
    while not (got := what()):
        assert time.monotonic() < end, (f"not within {max(end - begin, 0):.1f} of {seconds} s", told())
        time.sleep(0.01)
    return got


class Server:
    """A nats-server with JetStream, at an address of its own. `routes` are URLs of others."""

    def __init__(self, folder, name, host, cluster, routes):
        self.name, self.host = name, host
        self.url = f"nats://{host}:4222"
        self.file, self.log = Path(folder) / f"{name}.conf", Path(folder) / f"{name}.log"
        self.file.write_text(f"""
            server_name: "{name}"
            listen: "{host}:4222"
            http: "{host}:8222"
            ping_interval: "1s"
            write_deadline: "2s"
            jetstream {{ store_dir: "{folder}/{name}", max_file_store: 268435456 }}
            cluster {{ name: "{cluster}", listen: "{host}:6222", routes: [{", ".join(f'"{r}"' for r in routes)}] }}
            """)
        self.process, self.frozen = None, False
        self.start()

    def start(self):
        with self.log.open("a") as log:
            self.process = subprocess.Popen(["nats-server", "-c", self.file], stdout=log, stderr=log)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def freeze(self):
        self.frozen = True  # once, and that stays so
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def page(self, what):
        """What its monitoring says, or nothing if it does not."""
        try:
            with urllib.request.urlopen(f"http://{self.host}:8222/{what}", timeout=2) as answer:
                return json.load(answer)
        except OSError:
            return {}

    def clients(self):
        return {c.get("name") for c in self.page("connz").get("connections", [])}


def address(number):
    """One of this machine's loopback addresses, which no other process that asks has."""
    return f"127.{1 + os.getpid() // 250 % 250}.{1 + os.getpid() % 250}.{number}"


class Servers:
    """Three of them, each with routes to the others."""

    def __init__(self, stack, folder):
        hosts = {f"s{i}": address(i) for i in (1, 2, 3)}
        self.all = []
        stack.callback(self.close)
        for name, host in hosts.items():
            routes = [f"nats://{other}:6222" for other in hosts.values() if other != host]
            self.all.append(Server(folder, name, host, "check", routes))

    def close(self):
        for server in self.all:
            server.thaw()
            server.kill()

    def leaders(self, stream="kept"):
        """The names of the servers that lead a stream, as they all see it: two while they do not agree."""
        details = [account for server in self.all
                   for account in server.page("jsz?accounts=true&streams=true").get("account_details", [])]
        return {name for account in details for one in account.get("stream_detail", [])
                if one["name"] == stream and (name := one.get("cluster", {}).get("leader"))}

    def leader(self, stream="kept"):
        """The server that leads a stream, if they agree about that."""
        names = self.leaders(stream)
        return next(s for s in self.all if s.name in names) if len(names) == 1 else None


class Proxy:
    """Passes on what one server sends to another, until it is cut: then nothing goes in either direction, and nobody is told."""

    def __init__(self, stack, listen, to):
        self.to, self.whole, self.links, self.over = to, threading.Event(), [], False
        self.whole.set()
        self.port = socket.create_server(listen)
        stack.callback(self.close)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                near = self.port.accept()[0]
                try:
                    far = socket.create_connection(self.to)
                except OSError:
                    near.close()
                    continue
                self.links += [near, far]
                for a, b in ((near, far), (far, near)):
                    threading.Thread(target=self.carry, args=(a, b), daemon=True).start()

    def carry(self, a, b):
        with contextlib.suppress(OSError):
            while data := a.recv(65536):
                self.whole.wait()
                b.sendall(data)
        for one in (a, b):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def cut(self):
        self.whole.clear()

    def heal(self):
        self.whole.set()

    def close(self):
        self.whole.set()
        for one in (self.port, *self.links):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


class Node:
    """A node_peer, and what it has said, each line with the time."""

    def __init__(self, stack, name, servers, replicas=3):
        self.name, self.lines = name, []
        self.words = [Path(sys.argv[2]) / "node_peer", name, ",".join(s.url for s in servers), str(replicas)]
        self.process = subprocess.Popen(self.words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.log = []
        self.readers = [threading.Thread(target=self.read, daemon=True), threading.Thread(target=lambda: self.log.extend(self.process.stderr), daemon=True)]
        for reader in self.readers:
            reader.start()
        stack.callback(self.kill)

    def read(self):
        for line in self.process.stdout:
            self.lines.append((time.monotonic(), line.rstrip("\n")))

    def kill(self):
        self.process.kill()
        self.process.wait()

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def said(self, begin, since=0.0):
        """What followed `begin` in the lines that begin so."""
        return [line[len(begin):] for when, line in list(self.lines) if when >= since and line.startswith(begin)]

    def wait(self, line, seconds=PATIENCE, since=0.0):
        """Waits until it says a line, and returns when it did."""
        return until(lambda: next((when for when, text in list(self.lines) if when >= since and text == line), None), seconds,
                     lambda: (self.name, line, self.lines[-5:], self.log[-20:]))


class Writer:
    """Appends numbered messages at a node all the time, and each again, by its id, until it is kept."""

    def __init__(self, node, pace=0.05):
        self.node, self.pace, self.over = node, pace, threading.Event()
        self.sent, self.kept, self.twice, self.failed, self.at = {}, {}, [], [], 0
        self.stuck = set()  # said to be just being stored, all the time
        self.go_on()

    def go_on(self):
        self.over.clear()
        self.thread = threading.Thread(target=self.write, daemon=True)
        self.thread.start()

    def write(self):
        while not self.over.wait(self.pace):
            self.begin(f"{self.node.name}.{len(self.sent)}")
            self.look()

    def begin(self, identity):
        self.sent.setdefault(identity, time.monotonic())
        self.node.tell(f"keep {identity}")

    def look(self):
        """Notes what is kept, and sends again what is not."""
        lines = self.node.lines[self.at:]
        self.at += len(lines)
        for when, line in lines:
            verb, *rest = line.split(" ", 2)
            if verb == "kept":
                if rest[0] in self.kept:
                    self.twice.append(line)
                self.kept[rest[0]] = when
            elif verb == "failed":
                self.failed.append((when, rest[0], rest[1]))
                self.begin(rest[0])

    def resumed(self, since):
        """Seconds until something was kept that was first sent after `since`."""
        return min((when for identity, when in self.kept.items() if self.sent[identity] >= since), default=float("inf")) - since

    def stop(self):
        self.over.set()
        self.thread.join()

        begin = time.monotonic()

        def all_kept():
            self.look()
            time.sleep(0.05)
            # nats-server 2.10.14 to 2.10.29 may say so for two minutes of what was sent while too few servers were there.
            latest = {identity: why for _, identity, why in self.failed}
            missing = set(self.sent) - set(self.kept)
            if time.monotonic() - begin > STORING and all("is just being stored" in latest.get(m, "") for m in missing):
                self.stuck = missing
            return self.stuck == missing
        until(all_kept, told=lambda: (set(self.sent) - set(self.kept), self.failed[-5:]))
        assert not self.twice, self.twice
