"""IRC with programs of others: people with irssi, weechat and ii in the chat, beside one with a bare line client; and our client at
ngircd and inspircd.

Usage: irc_check.py <folder of the programs> <folder of the peers>
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


def wait_for(what, told):
    end = time.monotonic() + 30
    while not what():
        assert time.monotonic() < end, told()
        time.sleep(0.02)


class terminals:
    """A tmux server of its own, in which each program has a window."""

    def __init__(self, folder):
        self.socket = str(Path(folder) / "tmux")
        self.open("keeps the server", "cat")

    def tmux(self, *words):
        done = subprocess.run(["tmux", "-u", "-S", self.socket, "-f", "/dev/null", *words], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20)
        return done.stdout

    def open(self, name, command):
        self.tmux("new-session", "-d", "-s", name, "-x", "100", "-y", "30", command)

    def line(self, name, text):
        self.tmux("send-keys", "-t", name, "-l", text)
        self.tmux("send-keys", "-t", name, "Enter")

    def screen(self, name):
        return self.tmux("capture-pane", "-p", "-t", name)

    def until(self, name, pattern):
        wait_for(lambda: re.search(pattern, self.screen(name), re.M), lambda: f"{name}: no {pattern} in\n{self.screen(name)}")

    def close(self):
        self.tmux("kill-server")


class bare:
    """A user who speaks lines alone."""

    def __init__(self, port, name):
        self.lines = socket.create_connection(("127.0.0.1", port), timeout=30).makefile("rwb", 0)
        assert self.lines.readline() == b"What's your name?\r\n"
        self.say(name)
        self.hears(f"Welcome, {name}!")

    def say(self, text):
        self.lines.write(text.encode() + b"\n")

    def hears(self, text):
        got = self.lines.readline().decode()
        assert got == text + "\r\n", (got, text)


class chat:
    def __init__(self):
        self.process = subprocess.Popen([programs / "chat_server", "--port", "0", "--irc", "0"], text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.port, self.irc = (int(re.search(r":(\d+)( |$)", self.process.stdout.readline())[1]) for _ in range(2))

    def end(self):
        self.process.terminate()
        assert self.process.wait(20) == 0


# How people with a terminal begin; and how they say things, with which pattern their screen shows them.
def irssi(t, port, folder):
    t.open("ann", f"irssi --home={folder}/irssi -n ann -c 127.0.0.1 -p {port}")
    t.until("ann", r"A chat\.|End of .?MOTD|End of message of the day")


def weechat(t, port, folder):
    t.open("wee", f"weechat -d {folder}/weechat -r '/server add here 127.0.0.1/{port} -nicks=wee;/connect here'")
    t.until("wee", r"A chat\.|End of message of the day")


def in_terminals(t, here, bob, folder):
    people = [(name, begin) for name, begin, program in (("ann", irssi, "irssi"), ("wee", weechat, "weechat"))
              if shutil.which(program)]
    for name, begin in people:
        begin(t, here.irc, folder)
        t.line(name, "/join #lobby")
        bob.hears(f"* {name} has come.")
        t.until(name, r"\bbob\b")
    for name, _ in people:
        t.line(name, f"hello from {name}, wörld")
        bob.hears(f"<{name}> hello from {name}, wörld")
        for other, _ in people:
            t.until(other, f"{name}.*hello from {name}, wörld")
        t.line(name, "/me waves")
        bob.hears(f"* {name} waves")
        bob.say(f"\x1b[31mto {name}\x1b]0;title\x07")
        t.until(name, rf"bob.*\[31mto {name}\]0;title")
        t.line(name, "/msg bob psst")
        bob.hears(f"[{name}] psst")
        bob.say(f"/msg {name} for you alone")
    # Who is first in a room has its channel.
    for name, _ in people:
        t.line(name, f"/join #of-{name}")
        t.until(name, rf"@ ?{name}")
        bob.say(f"/join of-{name}")
        bob.hears(f"You are in of-{name}.")
        t.line(name, f"/topic #of-{name} tea with {name}")
        bob.hears(f"* {name} has set the topic: tea with {name}")
        t.until(name, f"tea with {name}")
        t.line(name, f"/part #of-{name}")
        bob.hears(f"* {name} has left.")
        bob.say("/leave")
        bob.hears("You are in lobby.")
    for name, _ in people:
        t.line(name, "/nick " + name + "2")
        bob.hears(f"* {name} is called {name}2 now.")
        t.line(name, "/part #lobby")
        bob.hears(f"* {name}2 has left.")
        t.line(name, "/quit")
    return [begin.__name__ for _, begin in people]


def with_ii(here, bob, folder):
    root = Path(folder) / "ii"
    p = subprocess.Popen(["ii", "-s", "127.0.0.1", "-p", str(here.irc), "-n", "ivy", "-i", root], stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL)
    try:
        told, room = root / "127.0.0.1" / "out", root / "127.0.0.1" / "#lobby"

        def read(path):
            return path.read_text() if path.exists() else ""

        wait_for(lambda: "A chat." in read(told), lambda: read(told))
        (told.parent / "in").write_text("/j #lobby\n")
        bob.hears("* ivy has come.")
        wait_for(lambda: (room / "in").exists(), lambda: read(told))
        (room / "in").write_text("hello from ii\n")
        bob.hears("<ivy> hello from ii")
        bob.say("hello, ivy")
        wait_for(lambda: "<bob> hello, ivy" in read(room / "out"), lambda: read(room / "out"))
    finally:
        p.terminate()
        p.wait(20)
    bob.hears("* ivy has left.")


# Our client beside a bare one at a server of others.
def at_server(which):
    peer = Path(__file__).parent.parent / "bench" / "peers" / "irc_server.py"
    server = subprocess.Popen([sys.executable, peer, which], text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    logger = None
    try:
        port = int(server.stdout.readline().rsplit(":", 1)[1])
        logger = subprocess.Popen([programs / "irc_logger", "127.0.0.1", "#troupe", "--port", str(port), "--nick", "scribe"], text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

        def prints(text):
            got = logger.stdout.readline().rstrip("\n")
            assert got == text, (which, got, text)

        prints("signed on as scribe")
        prints("in #troupe")
        prints("#troupe has 1 users")
        eve = socket.create_connection(("127.0.0.1", port), timeout=30).makefile("rwb", 0)
        eve.write(b"NICK eve\r\nUSER eve 0 * :eve\r\n")
        while b" 001 " not in eve.readline():
            pass
        eve.write(b"JOIN #troupe\r\n")
        prints("#troupe * eve has come")
        eve.write("PRIVMSG #troupe :hello \x1b[31m\x0304wörld\r\n".encode())
        prints("#troupe <eve> hello [31mwörld")
        eve.write(b"PRIVMSG #troupe :\x01ACTION waves\x01\r\nNICK eva\r\n")
        prints("#troupe * eve waves")
        prints("* eve is called eva now")
        eve.write(b"PART #troupe\r\n")
        prints("#troupe * eva has left")
        logger.terminate()
        assert logger.wait(20) == 0
    finally:
        for p in (logger, server):
            if p is not None:
                p.kill()
                p.wait(20)


tried = []
with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
    here = chat()
    t = terminals(folder) if shutil.which("tmux") else None
    try:
        bob = bare(here.port, "bob")
        bob.say("/notices on")
        bob.hears("You are told who comes, leaves and is renamed.")
        if t:
            tried += in_terminals(t, here, bob, folder)
        if shutil.which("ii"):
            with_ii(here, bob, folder)
            tried.append("ii")
    finally:
        if t:
            t.close()
        here.end()
for which in ("ngircd", "inspircd"):
    if os.path.exists("/usr/sbin/" + which):
        at_server(which)
        tried.append(which)
if not tried:
    print("none of irssi, weechat, ii, ngircd, inspircd is installed")
    sys.exit(77)
print("IRC works with " + ", ".join(tried))
