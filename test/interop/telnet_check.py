"""Telnet clients of others, each in a terminal of its own (tmux): people type, others speak, windows change.

Usage: telnet_check.py <folder of the programs> <folder of the peers>
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

programs = Path(sys.argv[1])
os.environ.update(LANG="C.UTF-8", TERM="xterm-256color")
if not shutil.which("tmux"):
    print("tmux is not installed")
    sys.exit(77)


class terminals:
    """A tmux server of its own, in which each program has a window."""

    def __init__(self, folder):
        self.socket = str(Path(folder) / "tmux")
        self.open("keeps the server", "cat")

    def tmux(self, *words):
        done = subprocess.run(["tmux", "-u", "-S", self.socket, "-f", "/dev/null", *words], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20)
        return done.stdout

    def open(self, name, command, columns=60, rows=10):
        self.tmux("new-session", "-d", "-s", name, "-x", str(columns), "-y", str(rows), command)

    def keys(self, name, *keys):
        self.tmux("send-keys", "-t", name, *keys)

    def screen(self, name):
        return self.tmux("capture-pane", "-p", "-t", name)

    def until(self, name, *patterns):
        """Returns the screen once it has all of these, each at the beginning of a row, in this order."""
        wanted = re.compile(".*".join(f"^{p}" for p in patterns), re.M | re.S)
        end = time.monotonic() + 20
        while True:
            shown = self.screen(name)
            if wanted.search(shown):
                return shown
            assert time.monotonic() < end, f"{name}: no {patterns} in\n{shown}"
            time.sleep(0.02)

    def cursor(self, name):
        return self.tmux("display", "-p", "-t", name, "#{cursor_x},#{cursor_y}").strip()

    def close(self):
        self.tmux("kill-server")


class server:
    def __init__(self, *options):
        self.process = subprocess.Popen([programs / "chat_server", "--port", "0", *options], text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def port(self):
        return re.search(r":(\d+)( |$)", self.process.stdout.readline())[1]

    def end(self):
        self.process.terminate()
        assert self.process.wait(20) == 0


def joined(port, name):
    """Returns the lines of a user who speaks no telnet."""
    s = socket.create_connection(("127.0.0.1", int(port)))
    lines = s.makefile("rwb", 0)
    assert lines.readline() == b"What's your name?\r\n"
    lines.write(name.encode() + b"\n")
    assert lines.readline() == f"Welcome, {name}!\r\n".encode()
    return lines


def edits(t, name, command, bob):
    """Types with the keys of a line editor, while Bob speaks, in a window that changes its size."""
    t.open(name, command)
    t.until(name, "What's your name", "Choose a name", "> ?$")
    t.keys(name, name, "Enter")
    t.until(name, f"Welcome, {name}!", f"{name} in lobby .*/quit", f"<{name}>")
    t.keys(name, "wörld!", "Home", "hello ", "Left", ",", "BSpace", ",", "End", "Left", "DC")
    t.until(name, f"<{name}> hello, wörld$")
    assert t.cursor(name) == f"{len(name) + 3 + 12},9", t.cursor(name)
    bob.write("first\nsecond ünd\n".encode())
    t.until(name, "<bob> first", "<bob> second ünd", f"{name} in lobby", f"<{name}> hello, wörld$")
    if name != "busybox":  # which tells its first size only
        t.tmux("resize-window", "-t", name, "-x", "70", "-y", "12")
        t.until(name, "<bob> first", "<bob> second ünd", f"{name} in lobby {{30,}}.*/quit",
                f"<{name}> hello, wörld$")
    t.keys(name, "Enter")
    assert bob.readline().decode() == f"<{name}> hello, wörld\r\n"
    t.until(name, "<bob> second ünd", f"<{name}> hello, wörld$", f"{name} in lobby", f"<{name}> ?$")
    t.keys(name, "Up", "C-a", "again: ", "Enter")
    assert bob.readline().decode() == f"<{name}> again: hello, wörld\r\n"
    t.keys(name, "/le", "Tab", "C-u", "/jo", "Tab", "dev", "Enter")
    t.until(name, "You are in dev", f"{name} in dev", f"<{name}> ?$")
    t.keys(name, "/quit", "Enter")


with tempfile.TemporaryDirectory() as folder:
    t = terminals(folder)
    manhole = f"{folder}/manhole"
    chat = server("--telnet", "0", "--manhole", manhole, "--manhole-changes")
    try:
        plain, door = chat.port(), chat.port()
        bob = joined(plain, "bob")
        tried = []
        for name, program, command in (("inetutils", "telnet", f"telnet 127.0.0.1 {door}"),
                                       ("plink", "plink", f"plink -telnet -P {door} 127.0.0.1"),
                                       ("offers", "plink", f"plink -telnet -P {plain} 127.0.0.1"),
                                       ("busybox", "busybox", f"busybox telnet 127.0.0.1 {door}")):
            if shutil.which(program):
                edits(t, name, command, bob)
                tried.append(name)
        if shutil.which("telnet"):  # on the plain port, when its user asks for it
            t.open("asks", f"telnet 127.0.0.1 {plain}")
            t.until("asks", "What's your name")
            t.keys("asks", "asks", "Enter", "/terminal", "Enter")
            t.until("asks", "asks in lobby", "<asks> ?$")
            t.keys("asks", "/quit", "Enter")
        tintin = shutil.which("tt++") or shutil.which("/usr/games/tt++")
        if tintin:  # edits by itself, so it is left to it
            t.open("tintin", f"{tintin} -e '#session a 127.0.0.1 {door}'")
            t.until("tintin", "What's your name")
            t.keys("tintin", "tintin", "Enter")
            t.until("tintin", "Welcome, tintin!")
            assert "/quit" not in t.screen("tintin"), t.screen("tintin")
            t.keys("tintin", "hello", "Enter")
            assert bob.readline() == b"<tintin> hello\r\n"
            tried.append("tintin++")

        # The manhole of the same process, by its own terminal and by a script.
        t.open("console", f"{programs / 'console'} {manhole}", 100, 20)
        t.until("console", ">>> ?$")
        t.keys("console", "conn", "Tab", "Enter")
        t.until("console", "id +loop +peer", r"\d+ +\d+ +127.0.0.1", "chat_server, process")
        t.tmux("resize-window", "-t", "console", "-x", "90", "-y", "14")
        t.keys("console", "topics", "Enter")
        t.until("console", "directory +subscribers +name", r"rooms +\d+ +lobby", "chat_server, process")
        t.keys("console", "C-d")
        script = subprocess.run([programs / "console", manhole], input="actors listening\nfactories\nnonsense\n",
                                text=True, stdout=subprocess.PIPE, timeout=20)
        assert script.returncode == 0 and "There is no command nonsense" in script.stdout, script
        assert "telnet_lines_factory" in script.stdout, script.stdout
        assert os.stat(manhole).st_mode & 0o777 == 0o600
        done = subprocess.run([programs / "console", manhole], input="stop\n", text=True, stdout=subprocess.PIPE,
                              timeout=20)
        assert "stopping" in done.stdout, done
        assert chat.process.wait(20) == 0
        print("edited with:", ", ".join(tried))
    finally:
        t.close()
        chat.process.kill()
