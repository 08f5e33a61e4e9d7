#!/usr/bin/python3
"""Counts the instructions of user space that an operation takes of the server alone, with callgrind.

Usage: instructions.py <build folder of the preset bench> [--only NAME]... [--keep FOLDER] [--smoke]

Each row runs twice, the second time with twice the load, and the difference counts: the start, connecting and the end
are in both. The load sees to it that both do the same: a server has read and answered all of a round before the next one,
and is stopped while several connections write, so that one look finds them all. So a figure tells of one build on one set of libraries, and hardly moves with the
machine's load. What `--keep` leaves is read with callgrind_annotate.
"""

import argparse
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

patience = 60  # seconds; callgrind is some 50 times as slow


def counted(command, out, **more):
    """Starts a command under callgrind."""
    return subprocess.Popen(["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", *map(str, command)],
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, **more)


class server:
    """A server with one loop, which is one thread."""

    def __init__(self, command, out):
        self.process = counted(command, out)
        for line in self.process.stdout:
            if told := re.search(r"127\.0\.0\.1:(\d+)$", line.strip()):
                self.port = int(told[1])
                return
        raise RuntimeError(f"{command[0]} did not tell its port")

    def connect(self):
        s = socket.create_connection(("127.0.0.1", self.port), patience)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return s

    def wait(self, state):
        """Waits until it sleeps (S), or is stopped (T)."""
        end = time.monotonic() + patience
        while Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != state:
            if time.monotonic() > end:
                raise RuntimeError("the server does not come to rest")

    def given(self, texts):
        """Writes a text to each of these peers, so that it finds all of them at once when it looks."""
        self.wait("S")
        if len(texts) > 1:
            self.process.send_signal(signal.SIGSTOP)
            self.wait("T")
        for peer, text in texts:
            peer.sendall(text)
        if len(texts) > 1:
            self.process.send_signal(signal.SIGCONT)

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        if self.process.wait(patience) != 0:
            raise RuntimeError(f"the server ended with {self.process.returncode}")

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def read(peer, size):
    got = bytearray()
    while len(got) < size:
        part = peer.recv(size - len(got))
        if not part:
            raise RuntimeError("the server closed a connection")
        got += part
    return got


def expect(s, wanted):
    """Reads what must come, to the byte."""
    got = read(s, len(wanted))
    if got != wanted:
        raise RuntimeError(f"{bytes(got[:80])!r} came, not {wanted[:80]!r}")


def echo(s, rounds, connections):
    """Every connection sends 64 bytes and has them back."""
    peers = [s.connect() for _ in range(connections)]
    for i in range(rounds):
        text = [f"{i} of {k} ".ljust(62, "x").encode() + b"\r\n" for k in range(connections)]
        s.given(list(zip(peers, text)))
        for peer, line in zip(peers, text):
            expect(peer, line)
    return rounds * connections


def chat(s, rounds, users, senders, lines):
    """Users join; in each round some of them write lines, which all others read in any order of the senders."""
    peers = []
    for k in range(users):
        peers.append(s.connect())
        expect(peers[k], b"What's your name?\r\n")
        peers[k].sendall(b"u%d\r\n" % k)
        expect(peers[k], b"Welcome, u%d!\r\n" % k)
    for i in range(rounds):
        text = [[f"{i} {n} of {k} ".ljust(62, "x") + "\r\n" for n in range(lines)] for k in range(senders)]
        s.given([(peer, "".join(said).encode()) for peer, said in zip(peers, text)])
        for k, peer in enumerate(peers):
            due = [f"<u{m}> " + line for m in range(senders) if m != k for line in text[m]]
            size, got = sum(map(len, due)), bytearray()
            while len(got) < size:
                part = peer.recv(size - len(got))
                if not part:
                    raise RuntimeError("the server closed a connection")
                got += part
            if sorted(got.decode().splitlines(True)) != sorted(due):
                raise RuntimeError("a line was lost, doubled or damaged")
    return rounds * lines * (senders * (users - senders) + senders * (senders - 1))


def http(s, rounds, connections):
    """Every connection asks for a page of 13 bytes."""
    peers = [s.connect() for _ in range(connections)]
    request = b"GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: load\r\nAccept: */*\r\n\r\n"
    peers[0].sendall(request)
    first = b""
    while not first.endswith(b"world!"):
        first += read(peers[0], 1)
    for _ in range(rounds):
        s.given([(peer, request) for peer in peers])
        for peer in peers:
            if not read(peer, len(first)).endswith(b"\r\n\r\nHello, world!"):
                raise RuntimeError("this is not the page")
    return rounds * connections


def websocket(s, rounds, connections):
    """Every connection sends a message of 64 bytes and has it back."""
    peers = [s.connect() for _ in range(connections)]
    for peer in peers:
        peer.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                     b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += read(peer, 1)
    for i in range(rounds):
        text = f"{i} ".ljust(64, "x").encode()
        s.given([(peer, b"\x81\xc0\0\0\0\0" + text) for peer in peers])
        for peer in peers:
            expect(peer, b"\x81\x40" + text)
    return rounds * connections


def rows(build):
    """Returns for each row: what it is, its command, its load (none: the command takes its size), and the size."""
    bench, listening = build / "test/bench", ["--port", "0", "--interface", "127.0.0.1", "--loops", "1"]
    chat_server = [build / "examples/chat_server", *listening]
    actors = [bench / "scaling/peers/troupe_once", "ping-pong", "1"]
    web = lambda name: [build / "examples" / name, "--port", "0", "--loops", "1"]
    return {
        "echo": ("64 B there and back, one connection", [bench / "bench_echo"],
                 lambda s, n: echo(s, n, 1), 400),
        "echo-50": ("64 B there and back, 50 connections at once", [bench / "bench_echo"],
                    lambda s, n: echo(s, n, 50), 40),
        "chat": ("a line delivered, 100 users, 10 senders, bursts of 20", chat_server,
                 lambda s, n: chat(s, n, 100, 10, 20), 20),
        "chat-lines": ("a line delivered, 100 users, 10 senders, single lines", chat_server,
                       lambda s, n: chat(s, n, 100, 10, 1), 40),
        "chat-one": ("a line delivered, 100 users, one sender, single lines", chat_server,
                     lambda s, n: chat(s, n, 100, 1, 1), 100),
        "message": ("a message between two actors", actors, None, 20000),
        "http": ("a page of 13 bytes, 50 connections at once", web("http_server"), lambda s, n: http(s, n, 50), 40),
        "websocket": ("a WebSocket's message of 64 B there and back, 50 connections at once", web("websocket_echo_server"),
                      lambda s, n: websocket(s, n, 50), 40),
    }


def count(command, load, size, out):
    """Returns the instructions of one run, and its operations."""
    if load is None:
        run = counted([*command, size], out)
        said = run.communicate(timeout=10 * patience)[0]
        if run.returncode != 0:
            raise RuntimeError(f"{command[0]} ended with {run.returncode}")
        operations = int(said.split()[0])
    else:
        s = server(command, out)
        try:
            operations = load(s, size)
            s.wait("S")
            s.end()
        finally:
            s.kill()
    return int(re.search(r"^(?:totals|summary): (\d+)", out.read_text(), re.M)[1]), operations


def main():
    options = argparse.ArgumentParser(description="instructions for each operation, counted with callgrind")
    options.add_argument("build", type=Path, help="the build folder of the preset bench")
    options.add_argument("--only", action="append", metavar="NAME", help="this row")
    options.add_argument("--keep", type=Path, metavar="FOLDER", help="leave what callgrind wrote in this folder")
    options.add_argument("--smoke", action="store_true", help="a small load: does it run and verify?")
    given = options.parse_args()
    table = rows(given.build)
    if unknown := set(given.only or ()) - set(table):
        options.error(f"no row {', '.join(unknown)}; there are {', '.join(table)}")
    page = (Path(__file__).parent / "README.md").read_text()
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        print(f"{'':12}{'instructions':>14}{'recorded':>12}")
        for name in given.only or table:
            what, command, load, size = table[name]
            size = max(2, size // 20) if given.smoke else size
            (once, few), (twice, many) = (count(command, load, size * n, folder / f"{name}.{n}") for n in (1, 2))
            figure = (twice - once) / (many - few)
            recorded = re.search(rf"^\| `{name}` \|.*\| ([\d.,]+) \|$", page, re.M)
            change = ""
            if recorded and not given.smoke:
                before = float(recorded[1].replace(",", ""))
                change = f"{before:12,.1f} {100 * (figure / before - 1):+6.1f} %"
            print(f"{name:12}{figure:14,.1f}{change:21}  {what}", flush=True)


if __name__ == "__main__":
    try:
        main()
    except RuntimeError as error:
        sys.exit(f"instructions.py: {error}")
