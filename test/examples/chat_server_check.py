"""Talks to the chat server as its users do: chat_server_check.py <folder of the programs>"""

import signal
import socket
import subprocess
import sys
import urllib.request


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

        ask(eve, eve_lines, "/who", "Choose a name first.")
        ask(eve, eve_lines, "e" * 101, "Name too long, please choose another.")
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
        ask(ann, ann_lines, "/nick " + "a" * 101, "Name too long, please choose another.")
        ask(ann, ann_lines, "/nick anna", "You are anna now.")
        say(ann, "it is me")
        expect(eve_lines, "<anna> it is me")
        ask(eve, eve_lines, "/who", "In lobby: anna, eve")
        ask(bob, bob_lines, "/nick ann", "You are ann now.")  # it is free

        say(bob, "/msg eve come over")
        expect(eve_lines, "[ann] come over")
        ask(eve, eve_lines, "/msg bob where?", "Nobody is called bob.")
        ask(eve, eve_lines, "/msg ann", "Whom, and what? /msg NAME TEXT")
        ask(eve, eve_lines, "/dance", "There is no command /dance; /help lists them.")
        say(eve, "/help")
        help_line = eve_lines.readline()
        assert b"/join ROOM" in help_line and b"/msg NAME TEXT (to a NAME without spaces)" in help_line
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
            b"Name too long, please choose another.\r\n",
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


main()
commands()
long_name()
one_room_on_all_loops()
