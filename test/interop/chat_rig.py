"""What the checks of a chat on several nodes share: nodes, and people who read each line."""

import contextlib
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

PROGRAM = Path(sys.argv[1]) / "chat_server"
PATIENCE = 30


def needs():
    """Ends with 77, which is skipped, where something is not here."""
    has = PROGRAM.exists() and "--nats" in subprocess.run([PROGRAM, "--help"], capture_output=True, text=True).stdout
    for what, there in (("nats-server", shutil.which("nats-server")), ("chat_server with --nats", has)):
        if not there:
            print(f"skipped: there is no {what}")
            sys.exit(77)


def started(words, stream, pattern):
    """Runs a program; gives it and what `pattern` finds in what it says first."""
    p = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    log = []
    for line in getattr(p, stream):
        log.append(line)
        if found := re.search(pattern, line):
            for s in (p.stdout, p.stderr):
                threading.Thread(target=s.read, daemon=True).start()
            return p, found
    p.wait()
    raise AssertionError("".join(log) + p.stderr.read())


class Node:
    """A chat server that is a node. `before` goes before its words, `more` behind them."""

    def __init__(self, name, url, before=(), more=("--jetstream",)):
        self.words = [*before, PROGRAM, "--port", "0", "--irc", "0", "--loops", "2", "--node", name, "--nats", url, *more]
        self.start()

    def start(self):
        self.process = subprocess.Popen(self.words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if "embedded" in self.words:
            self.url = re.search(r"^nats: (nats://\S+)$", self.process.stdout.readline())[1]
        self.port, self.irc = (int(re.search(r":(\d+)( \(irc\))?$", self.process.stdout.readline())[1]) for _ in range(2))
        self.log = []
        self.reader = threading.Thread(target=lambda: self.log.extend(self.process.stderr), daemon=True)
        self.reader.start()

    def stop(self):
        """Ends it as Ctrl-C does; what it said is told if it does not end well."""
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(20)
        self.reader.join(1)
        assert self.process.returncode == 0, (self.process.returncode, self.log[-30:])

    def kill(self):
        self.process.kill()
        self.process.wait()


class User:
    """Somebody at a line port, or at a UNIX socket, and all that was read there."""

    def __init__(self, where, name, first="What's your name?"):
        self.name, self.lines, self.sent = name, [], 0
        self.more = threading.Condition()
        if isinstance(where, int):
            self.socket = socket.create_connection(("127.0.0.1", where), timeout=PATIENCE)
        else:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.connect(str(where))
        self.socket.settimeout(None)
        self.ended = False
        threading.Thread(target=self.read, daemon=True).start()
        if first:
            self.wait(first)

    def read(self):
        with contextlib.suppress(OSError):
            for line in self.socket.makefile("rb"):
                with self.more:
                    self.lines.append(line.decode().rstrip("\r\n"))
                    self.more.notify_all()
        with self.more:
            self.ended = True
            self.more.notify_all()

    def send(self, *lines):
        self.socket.sendall("".join(line + "\r\n" for line in lines).encode())

    def wait(self, text, seconds=PATIENCE):
        with self.more:
            assert self.more.wait_for(lambda: any(text in line for line in self.lines), seconds), (
                self.name, text, self.lines[-5:])

    def ask(self, line, answer, seconds=PATIENCE):
        """Asks until the answer is that one: what nodes know of each other comes a moment later."""
        end = time.monotonic() + seconds
        while True:
            with self.more:
                known = len(self.lines)
            self.send(line)
            with self.more:
                assert self.more.wait_for(lambda: len(self.lines) > known or self.ended, PATIENCE)
                if any(text == answer for text in self.lines[known:]):
                    return
                assert time.monotonic() < end and not self.ended, (line, answer, self.lines[known:])
            time.sleep(0.02)

    def join(self):
        self.send(self.name)
        self.wait(f"Welcome, {self.name}!")
        return self


def children(process):
    return [int(pid) for task in Path(f"/proc/{process.pid}/task").iterdir() for pid in (task / "children").read_text().split()]


def gone(pid):
    """Waits until a process that is not ours has ended; it may be a zombie, where nobody waits for it."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.02)
    return False
