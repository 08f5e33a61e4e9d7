"""Talks to the chat server as its users do: chat_server_check.py <folder of the programs>"""

import contextlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request


TOO_LONG = "Name too long (32 characters at most), please choose another."


@contextlib.contextmanager
def chat(*options, **more):
    """Runs the server; gives its process and port, and requires that SIGTERM ends it well."""
    server = subprocess.Popen(
        [sys.argv[1] + "/chat_server", "--port", "0", *options], stdout=subprocess.PIPE, text=True, **more
    )
    try:
        port = int(server.stdout.readline().rsplit(":", 1)[1])
        yield server, port
        server.send_signal(signal.SIGTERM)
        assert server.wait(20) == 0
    finally:
        server.kill()
        server.wait()


def connect(port):
    s = socket.create_connection(("127.0.0.1", port), timeout=20)
    return s, s.makefile("rb")


def expect(lines, text):
    got = lines.readline()
    assert got == text.encode() + b"\r\n", (got, text)


def join(port, name):
    s, lines = connect(port)
    expect(lines, "What's your name?")
    s.sendall(name.encode() + b"\r\n")
    expect(lines, f"Welcome, {name}!")
    return s, lines


def main():
    program = sys.argv[1] + "/chat_server"
    server = subprocess.Popen([program, "--port", "0", "--loops", "2"], stdout=subprocess.PIPE, text=True)
    try:
        port = int(server.stdout.readline().rsplit(":", 1)[1])
        ann, ann_lines = join(port, "ann")
        bob, bob_lines = connect(port)
        expect(bob_lines, "What's your name?")
        bob.sendall(b"ann\r\nbob\r\nhello\r\nthere\r\n")  # all at once
        expect(bob_lines, "Name taken, please choose another.")
        expect(bob_lines, "Welcome, bob!")
        expect(ann_lines, "<bob> hello")
        expect(ann_lines, "<bob> there")
        ann.sendall(b"good ")
        ann.sendall(b"morning\r\n")
        expect(bob_lines, "<ann> good morning")

        for _ in range(200):  # a name is free again at once
            eve, eve_lines = join(port, "eve")
            eve_lines.close()
            eve.close()

        second = subprocess.run([program, "--port", str(port)], capture_output=True, text=True, timeout=20)
        assert second.returncode == 1 and f"127.0.0.1:{port}" in second.stderr, second

        server.send_signal(signal.SIGINT)
        assert server.wait(20) == 0
        assert ann_lines.readline() == b""
    finally:
        server.kill()
        server.wait()


def one_room_on_all_loops():
    """With a port on each loop there is still one room, and the metrics page counts its users."""
    options = ["--port", "0", "--loops", "3", "--placement", "reuse_port", "--metrics", "0"]
    server = subprocess.Popen([sys.argv[1] + "/chat_server", *options], stdout=subprocess.PIPE, text=True)
    try:
        url = server.stdout.readline().split()[1]
        port = int(server.stdout.readline().rsplit(":", 1)[1])
        users = [join(port, f"user{i}") for i in range(12)]
        users[0][0].sendall(b"all of you\r\n")
        for _, lines in users[1:]:
            expect(lines, "<user0> all of you")
        with urllib.request.urlopen(url, timeout=20) as page:
            metrics = dict(line.rsplit(" ", 1) for line in page.read().decode().splitlines() if line[0] != "#")
        actors = [int(metrics[f'troupe_loop_actors{{loop="{i}"}}']) for i in range(3)]
        assert sum(actors) >= 12, actors
        assert sum(int(metrics[f'troupe_loop_bytes_sent_total{{loop="{i}"}}']) for i in range(3)) > 12 * 20
        server.send_signal(signal.SIGTERM)
        assert server.wait(20) == 0
    finally:
        server.kill()
        server.wait()


def commands():
    """Rooms, names, private messages, and what begins with a slash."""
    server = subprocess.Popen(
        [sys.argv[1] + "/chat_server", "--port", "0", "--loops", "2"], stdout=subprocess.PIPE, text=True
    )
    try:
        port = int(server.stdout.readline().rsplit(":", 1)[1])
        ann, ann_lines = join(port, "ann")
        bob, bob_lines = join(port, "bob")
        eve, eve_lines = connect(port)
        expect(eve_lines, "What's your name?")

        def say(who, text):
            who.sendall(text.encode() + b"\r\n")

        def ask(who, lines, text, answer):
            say(who, text)
            expect(lines, answer)

        ask(eve, eve_lines, "/who", "Choose a name first: type it, and press Enter.")
        ask(eve, eve_lines, "e" * 33, TOO_LONG)
        ask(eve, eve_lines, "eve", "Welcome, eve!")
        ask(ann, ann_lines, "/who", "In lobby: ann, bob, eve")
        ask(bob, bob_lines, "/join", "Which room? /join ROOM")
        ask(bob, bob_lines, "/join the games", "You are in the games.")
        ask(eve, eve_lines, "/join the games", "You are in the games.")
        ask(ann, ann_lines, "/who", "In lobby: ann")
        say(ann, "nobody hears this")
        ask(bob, bob_lines, "/who", "In the games: bob, eve")
        say(eve, "//slash")
        expect(bob_lines, "<eve> /slash")
        say(eve, "before\r\n/leave\r\nin the lobby")
        expect(eve_lines, "You are in lobby.")
        expect(bob_lines, "<eve> before")
        expect(ann_lines, "<eve> in the lobby")
        ask(eve, eve_lines, "/leave", "You are in the lobby already.")

        ask(ann, ann_lines, "/nick bob", "Name taken, please choose another.")
        ask(ann, ann_lines, "/nick", "Which name? /nick NAME")
        ask(ann, ann_lines, "/nick ann", "You are ann already.")
        ask(ann, ann_lines, "/nick " + "a" * 33, TOO_LONG)
        ask(ann, ann_lines, "/nick anna", "You are anna now.")
        say(ann, "it is me")
        expect(eve_lines, "<anna> it is me")
        ask(eve, eve_lines, "/who", "In lobby: anna, eve")
        ask(bob, bob_lines, "/nick ann", "You are ann now.")  # it is free

        say(bob, "/msg eve come over")
        expect(eve_lines, "[ann] come over")
        ask(eve, eve_lines, "/msg bob where?", "Nobody is called bob; /who tells who is in your room.")
        ask(eve, eve_lines, "/msg ann", "Whom, and what? /msg NAME TEXT")
        ask(eve, eve_lines, "/dance", "There is no command /dance; /help lists them.")
        say(eve, "/help")
        shown = [eve_lines.readline() for _ in range(11)]  # a screen has 24
        assert b"/join ROOM" in shown[1] and b"//text" in shown[-1], shown
        assert all(len(line) <= 80 for line in shown), shown
        say(eve, "/quit")
        assert eve_lines.readline() == b""
        again, again_lines = join(port, "eve")
        ask(again, again_lines, "/who", "In lobby: anna, eve")

        # Commands and lines in one piece, and names that are given up while others ask for them.
        users = [join(port, f"u{i}") for i in range(8)]
        for i, (s, _) in enumerate(users):
            s.sendall(b"".join(b"/nick n%d-%d\r\n/who\r\n/join r%d\r\n" % (i, k, k) for k in range(50)))
        for i, (_, lines) in enumerate(users):
            for k in range(50):
                expect(lines, f"You are n{i}-{k} now.")
                assert lines.readline().startswith(b"In ")
                expect(lines, f"You are in r{k}.")
        server.send_signal(signal.SIGTERM)
        assert server.wait(20) == 0
    finally:
        server.kill()
        server.wait()


def most_memory(server):
    with open(f"/proc/{server.pid}/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))


def long_name():
    """A long name is not put in front of very many short lines."""
    server = subprocess.Popen(
        [sys.argv[1] + "/chat_server", "--port", "0", "--loops", "2"], stdout=subprocess.PIPE, text=True
    )
    try:
        port = int(server.stdout.readline().rsplit(":", 1)[1])
        ann, ann_lines = join(port, "ann")
        eve, eve_lines = connect(port)
        expect(eve_lines, "What's your name?")
        before = most_memory(server)
        eve.sendall(b"e" * 16384 + b"\r\neve\r\n" + b"\r\n" * 32000 + b"/leave\r\n")
        answers = []
        for line in eve_lines:
            answers.append(line[:80])
            if line.startswith(b"You are in"):
                break
        assert most_memory(server) < before + 100_000_000, (before, most_memory(server))
        assert answers == [
            TOO_LONG.encode() + b"\r\n",
            b"Welcome, eve!\r\n",
            b"You are in the lobby already.\r\n",
        ], answers
        for _ in range(32000):
            expect(ann_lines, "<eve> ")
        server.send_signal(signal.SIGTERM)
        assert server.wait(20) == 0
    finally:
        server.kill()
        server.wait()


def without_commands():
    """Who uses no commands sees the lines of the first chat server, and not a byte more."""
    with chat("--loops", "2") as (_, port):
        ann, bob = (socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(2))
        ann.sendall(b"ann\r\n")
        got = b""
        while not got.endswith(b"Welcome, ann!\r\n"):
            got += ann.recv(4096)
        assert got == b"What's your name?\r\nWelcome, ann!\r\n", got
        bob.sendall(b"ann\r\nbob\r\nhello\r\n\r\n a  b \r\n")
        heard = b""
        while not heard.endswith(b"a  b \r\n"):
            heard += ann.recv(4096)
        assert heard == b"<bob> hello\r\n<bob> \r\n<bob>  a  b \r\n", heard
        ann.sendall(b"bye\r\n")
        ann.close()
        got = b""
        while not got.endswith(b"<ann> bye\r\n"):
            got += bob.recv(4096)
        assert got == (
            b"What's your name?\r\nName taken, please choose another.\r\nWelcome, bob!\r\n<ann> bye\r\n"
        ), got
        bob.settimeout(0.3)  # nothing tells that ann has gone
        try:
            assert not bob.recv(100)
        except TimeoutError:
            pass


def people():
    """What telnet, nc and people send: keys that are commands, LF, UTF-8, control characters, long lines."""
    with chat("--loops", "2") as (_, port):
        ann, ann_lines = join(port, "ann")
        eve, eve_lines = connect(port)
        expect(eve_lines, "What's your name?")
        eve.sendall(b"eve\n")
        expect(eve_lines, "Welcome, eve!")
        for byte in "caf\u00e9 \u672c\n".encode():  # one at a time
            eve.sendall(bytes([byte]))
        expect(ann_lines, "<eve> caf\u00e9 \u672c")
        for byte in b"hel\xff\xf4\xff\xfd\x06lo\r\0":  # Ctrl-C in telnet
            eve.sendall(bytes([byte]))
        assert eve.recv(100) == b"\xff\xfc\x06"
        expect(ann_lines, "<eve> hello")
        eve.sendall(b"hi\n<bob> I owe you 100\x00\xff\xf4\r<bob> and more\x1b[2J\xc3\r\n")
        expect(ann_lines, "<eve> hi")
        expect(ann_lines, "<eve> <bob> I owe you 100 <bob> and more[2J\ufffd")
        eve.sendall(b"x" * 3_000_000 + b"\nstill here\n")
        line = eve_lines.readline()
        assert line.startswith(b"Line too long (16384 bytes at most)"), line
        expect(ann_lines, "<eve> still here")


def notices_and_log():
    """Notices come to those who turned them on; the log tells the operator who comes and leaves."""
    with chat("--loops", "2", stderr=subprocess.PIPE) as (server, port):
        ann, ann_lines = join(port, "ann")
        ann.sendall(b"/notices on\r\n")
        expect(ann_lines, "You are told who comes, leaves and is renamed.")
        eve, eve_lines = join(port, "eve")
        expect(ann_lines, "* eve has come.")
        eve.sendall(b"/nick eva\r\n")
        expect(ann_lines, "* eve is called eva now.")
        eve_lines.close()
        eve.close()
        expect(ann_lines, "* eva has left.")
        log = ""
        while "eva has left" not in log:
            log += server.stderr.readline()
        assert re.search(r"\[info\] ann has come from 127\.0\.0\.1:", log), log
        threading.Thread(target=server.stderr.read, daemon=True).start()
    with chat("--log-level", "error", stderr=subprocess.PIPE) as (server, port):
        join(port, "ann")
    assert server.stderr.read() == ""


def unix_socket():
    """The same chat at a UNIX socket."""
    with tempfile.TemporaryDirectory() as folder, chat("--unix", folder + "/chat") as (server, port):
        assert server.stdout.readline() == f"chat_server listens on {folder}/chat\n"
        ann, ann_lines = join(port, "ann")
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(20)
            s.connect(folder + "/chat")
            s.sendall(b"eve\nhello\n")
            expect(ann_lines, "<eve> hello")


def history():
    """What is said is kept in a file: after a crash, and for whoever comes later."""
    if b"--history" not in subprocess.run([sys.argv[1] + "/chat_server", "--help"], capture_output=True).stdout:
        return  # the component is off
    with tempfile.TemporaryDirectory() as folder:
        file = folder + "/chat.db"
        words = [sys.argv[1] + "/chat_server", "--port", "0", "--history", file]
        with subprocess.Popen([*words, "--loops", "2"], stdout=subprocess.PIPE, text=True) as server:
            try:
                ann, ann_lines = join(int(server.stdout.readline().rsplit(":", 1)[1]), "ann")
                second = subprocess.run(words, capture_output=True, text=True, timeout=20)
                assert second.returncode == 1 and "stop the other process" in second.stderr, second
                ann.sendall(b"one\r\ntwo\r\n/join attic\r\n")
                expect(ann_lines, "You are in attic.")
                ann.sendall(b"three\r\n")
                ann.sendall(b"/history\r\n")
                while ann_lines.readline() == b"Nothing was said here before.\r\n":  # until it is kept
                    ann.sendall(b"/history\r\n")
            finally:
                server.kill()
        with chat("--history", file) as (_, port):
            ann, ann_lines = join(port, "ann")
            ann.sendall(b"/history\r\n")
            expect(ann_lines, "What was said here before, in UTC:")
            for said in (b"<ann> one", b"<ann> two"):
                line = ann_lines.readline()
                assert re.fullmatch(rb"\d\d-\d\d \d\d:\d\d " + said + b"\r\n", line), line
            expect(ann_lines, "That was it.")
            ann.sendall(b"/history 1\r\n")
            expect(ann_lines, "What was said here before, in UTC:")
            assert ann_lines.readline().endswith(b"<ann> two\r\n")
            expect(ann_lines, "That was it.")
        with open(file, "wb") as text:
            text.write(b"no database" * 1000)
        wrong = subprocess.run(words, capture_output=True, text=True, timeout=20)
        assert wrong.returncode == 1 and file in wrong.stderr and "choose another file" in wrong.stderr, wrong


def loud_user():
    """Who talks without end is slowed down to those who listen at 2 MB/s, who keep their connections."""
    with chat("--loops", "2", stderr=subprocess.DEVNULL) as (_, port):
        listeners = [join(port, f"v{i}")[0] for i in range(20)]
        got = dict.fromkeys(listeners, 0)
        lost = []
        loud = join(port, "loud")[0]
        start = time.monotonic()

        def read():
            while time.monotonic() - start < 3 and not lost:
                for s in listeners:
                    allowed = int(2e6 * (time.monotonic() - start)) - got[s]
                    if allowed < 1:
                        continue
                    try:
                        piece = s.recv(min(allowed, 65536), socket.MSG_DONTWAIT)
                        got[s] += len(piece)
                        if not piece:
                            lost.append(s)
                    except BlockingIOError:
                        pass
                    except OSError:
                        lost.append(s)
                time.sleep(0.001)

        reader = threading.Thread(target=read)
        reader.start()
        loud.setblocking(False)
        piece = (b"z" * 200 + b"\r\n") * 300
        while reader.is_alive():
            try:
                loud.send(piece)
            except BlockingIOError:
                time.sleep(0.001)
        reader.join()
        assert not lost, (len(lost), min(got.values()))


main()
commands()
long_name()
one_room_on_all_loops()
without_commands()
people()
notices_and_log()
unix_socket()
history()
loud_user()
