"""One chat on three nodes that meet at a nats-server, one of which is killed and started again; and on two, of which the first brings the server:
chat_nodes_check.py <folder of the programs> <folder of the peers>"""

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from chat_rig import PATIENCE, PROGRAM, Node, User, children, gone, needs, started

HELD = 5.0  # seconds that users of a lost node are held
DOWN = 2.5  # and after which it is down


def main():
    needs()
    with tempfile.TemporaryDirectory() as folder:
        nats, found = started(["nats-server", "-a", "127.0.0.1", "-p", "-1", "-js", "-sd", folder], "stderr",
                              r"Listening for client connections on (\S+)")
        nodes = []
        try:
            nodes += [Node(f"chat-{i}", "nats://" + found[1]) for i in (1, 2, 3)]
            over_nodes(nodes)
            nodes[0].stop()
        finally:
            for node in nodes:
                node.kill()
            nats.kill()
            nats.wait()
    embedded()


def over_nodes(nodes):
    ann, bob, eve = (User(node.port, name).join() for node, name in zip(nodes, ("ann", "bob", "eve")))
    ann.ask("/who", "In lobby: ann, bob, eve")
    bob.ask("/who", "In lobby: ann, bob, eve")
    ann.send("/notices on")
    ann.wait("You are told who comes")

    # A name is one user's, on whichever node and by whichever door.
    tim = User(nodes[1].port, "tim")
    tim.send("Ann")
    tim.wait("Name taken, please choose another.")
    tim.join()
    ann.wait("* tim has come.")
    tim.send("/nick tom")
    ann.wait("* tim is called tom now.")
    tim.send("/msg ann psst")
    ann.wait("[tom] psst")
    eve.ask("/who", "In lobby: ann, bob, eve, tom")
    irc = User(nodes[2].irc, "kim", first=None)
    irc.send("NICK bob", "USER kim 0 * :Kim")
    irc.wait(" 433 ")
    irc.send("NICK kim", "JOIN #lobby")
    irc.wait(" 366 ")
    ann.wait("* kim has come.")
    names = next(line for line in irc.lines if " 353 " in line)
    assert set(names.split(":")[-1].split()) == {"ann", "bob", "eve", "tom", "kim"}, names
    irc.send("PRIVMSG #lobby :hello from irc", "PRIVMSG ann :psst, too")
    ann.wait("<kim> hello from irc")
    ann.wait("[kim] psst, too")
    ann.send("hello, kim")
    irc.wait(":ann!chat@other.door PRIVMSG #lobby :hello, kim")

    # All read all, once and in order, while one node is killed; those of the others lose nothing.
    stop = threading.Event()

    def talk(user):
        with contextlib.suppress(OSError):  # one is killed
            while not stop.is_set():
                user.send(*(f"{user.name} {user.sent + k}" for k in range(3)))
                user.sent += 3
                time.sleep(0.01)

    talkers = [threading.Thread(target=talk, args=(u,)) for u in (ann, bob, eve)]
    for t in talkers:
        t.start()
    time.sleep(1)
    for talker in ("bob", "eve"):
        ann.wait(f"<{talker}> {talker} 31")
    killed = time.monotonic()
    lost = len(ann.lines)
    nodes[1].kill()
    back = User(nodes[2].port, "tom")  # who is back in time was never away
    back.send("tom")
    back.wait("Welcome, tom!", DOWN + HELD)
    ann.wait("* bob has left.", 20)
    gone_after = time.monotonic() - killed
    print(f"users of the node were gone {gone_after:.1f} s after its end")
    assert DOWN + HELD - 0.6 < gone_after < 12, gone_after
    stop.set()
    for t in talkers:
        t.join()
    ann.ask("/who", "In lobby: ann, eve, kim, tom")
    assert not any("tom has left" in line or "tom has come" in line for line in ann.lines[lost:]), ann.lines[lost:]
    for reader, writer in ((ann, eve), (eve, ann)):
        reader.wait(f"<{writer.name}> {writer.name} {writer.sent - 1}")
        said = [line for line in reader.lines if line.startswith(f"<{writer.name}> {writer.name} ")]
        assert said == [f"<{writer.name}> {writer.name} {k}" for k in range(writer.sent)], (len(said), writer.sent)
    said = [int(line.split()[-1]) for line in ann.lines if line.startswith("<bob> bob ")]
    assert said == list(range(len(said))) and len(said) > 30, said[-5:]

    # It comes back under its name, and is part of it all again.
    nodes[1].start()
    bob = User(nodes[1].port, "bob").join()
    ann.wait("* bob has come.")
    bob.ask("/who", "In lobby: ann, bob, eve, kim, tom")
    bob.send("I am back")
    for reader in (ann, eve, back):
        reader.wait("<bob> I am back")
    irc.wait("PRIVMSG #lobby :I am back")
    eve.send("good to see you")
    bob.wait("<eve> good to see you")
    late = User(nodes[1].port, "tom")
    late.send("tom")
    late.wait("Name taken, please choose another.")

    # What was said is kept for all nodes, and nothing twice.
    end, kept = time.monotonic() + PATIENCE, []
    while not any("<eve> good to see you" in line for line in kept):
        assert time.monotonic() < end, kept
        known = len(bob.lines)
        bob.ask("/history 100", "That was it.")
        said = bob.lines[known:]  # more than one answer, if something else came first
        kept = [line[12:] for line in said[:said.index("That was it.")] if line[:1].isdigit()]
    assert len(kept) == len(set(kept)) == 100 and "<bob> I am back" in kept, kept

    # A node that ends in order says so; its users are held, and gone then.
    nodes[2].stop()
    ann.wait("* eve has left.", HELD + 5)
    ann.ask("/who", "In lobby: ann, bob")
    assert all(reader.lines.count("<bob> I am back") == 1 for reader in (ann, eve, back))
    errors = [line for node in nodes for line in node.log
              if "[error]" in line and " history: " not in line]  # which tells that its store is away, on a busy machine
    assert not errors, errors


def embedded():
    """The first node brings the server, and takes it along, however it ends."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TMPDIR"] = folder
        nodes = []
        try:
            nodes.append(Node("chat-1", "embedded"))
            nodes.append(Node("chat-2", nodes[0].url))
            ann, bob = (User(node.port, name).join() for node, name in zip(nodes, ("ann", "bob")))
            ann.ask("/who", "In lobby: ann, bob")
            bob.send("hello from elsewhere")
            ann.wait("<bob> hello from elsewhere")

            # Killed, the server is there again at its place, with what it keeps.
            ann.ask("/history 10", "That was it.")
            ann.lines.clear()
            [server] = children(nodes[0].process)
            os.kill(server, signal.SIGKILL)
            ann.ask("/history 10", "That was it.")
            assert any(line.endswith("<bob> hello from elsewhere") and line[:1].isdigit() for line in ann.lines), ann.lines
            end = time.monotonic() + PATIENCE
            while not any(line.startswith("<ann> are you there") for line in bob.lines):
                assert time.monotonic() < end, bob.lines
                ann.send("are you there?")
                time.sleep(0.1)

            # The server ends with its node. The other node is by itself then, and ends in order.
            [server] = children(nodes[0].process)
            nodes[0].kill()
            assert gone(server)
            bob.ask("/who", "In lobby: bob")
            nodes[1].stop()

            # In order, it leaves nothing at all: of what was killed neither.
            nodes[0].start()
            [server] = children(nodes[0].process)
            User(nodes[0].port, "ann").join()
            nodes[0].stop()
            assert not Path(f"/proc/{server}").exists()
            assert not os.listdir(folder), os.listdir(folder)
        finally:
            for node in nodes:
                node.kill()
    without = subprocess.run(nodes[0].words, capture_output=True, text=True, timeout=60, env={"PATH": "/nonexistent"})
    assert without.returncode == 1 and "Debian's package nats-server" in without.stderr, without


main()
