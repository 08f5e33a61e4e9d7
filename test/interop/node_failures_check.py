"""A chat on three nodes whose processes, server, network and disk fail; everybody who listens compares every line:
node_failures_check.py <folder of the programs> <folder of the peers> [--all | CASE...]

Without a word it runs the cases that take little; `--all` runs all of them, some minutes. Those with networks and full disks take root: each
node and the server have a network of their own, and whoever is at a node talks to it by a UNIX socket. What is cut is cut silently: a
queue that takes nothing (pfifo limit 0), in one direction or both.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from chat_rig import PATIENCE, User, needs, started
from failing_chat import Networks, Rig, Talker, ip

HELD, DOWN = 5.0, 2.5  # seconds that users of a lost node are held, and after which it is down
HOLD = 10.0  # and that a node believes what it knew when it has lost the server


def between(*names):
    """Pairs of those who must hear all of each other."""
    return [(a, b) for a in names for b in names if a != b]


REST = ("ann", "amy", "eve", "eli")  # all but those of chat-2


def stopped_shortly(stack):
    """A node that stops for a second is at most suspected: nobody leaves, nothing is lost."""
    rig = Rig(stack)
    rig.nodes[1].process.send_signal(signal.SIGSTOP)
    time.sleep(1)
    rig.nodes[1].process.send_signal(signal.SIGCONT)
    rig.all_hear()
    rig.check(between(*(p.name for p in rig.people)))
    assert not rig.notices(), rig.notices()


def stopped_node(stack):
    """A node that stops for ten seconds is down for the others, its users leave once, and are back when it is."""
    rig = Rig(stack)
    begin = time.monotonic()
    rig.nodes[1].process.send_signal(signal.SIGSTOP)
    rig.wait_notice("* bob has left.", 12)
    took = time.monotonic() - begin
    assert DOWN + HELD - 0.6 < took < 11, took
    rig.nodes[1].process.send_signal(signal.SIGCONT)
    rig.wait_notice("* bob has come.", 5)
    rig.wait_notice("* ben has come.", 5)
    rig.all_hear()
    rig.check(between(*REST))
    assert sorted(rig.notices()) == ["* ben has come.", "* ben has left.", "* bob has come.", "* bob has left."], rig.notices()


def killed_server(stack):
    """A server that is killed, and there again after four seconds: people at a node go on, nobody leaves, all is kept as before."""
    rig = Rig(stack)
    rig.ann.ask("/history 10", "That was it.")
    rig.nats.kill()
    rig.nats.wait()
    time.sleep(4)
    rig.start_server()
    took = rig.all_hear()
    print(f"  all hear all {took:.2f} s after the server is back")
    assert took < 2.5, took
    rig.check()
    rig.history_is_the_same()
    assert not rig.notices(), rig.notices()


def stopped_server(stack):
    """The same for a server that stops for five seconds, which is noticed by its silence."""
    rig = Rig(stack)
    rig.nats.send_signal(signal.SIGSTOP)
    time.sleep(5)
    rig.nats.send_signal(signal.SIGCONT)
    print(f"  all hear all {rig.all_hear():.2f} s after the server goes on")
    rig.check()
    rig.history_is_the_same()
    assert not rig.notices(), rig.notices()


def server_away(stack):
    """A server that is away for longer than nodes believe what they knew: the others leave, and come back."""
    rig = Rig(stack)
    rig.nats.kill()
    rig.nats.wait()
    for name in ("bob", "ben", "eve", "eli"):
        rig.wait_notice(f"* {name} has left.", HOLD + HELD + 8)
    rig.ann.ask("/who", "In lobby: amy, ann")
    rig.start_server()
    for name in ("bob", "ben", "eve", "eli"):
        rig.wait_notice(f"* {name} has come.", 20)
    rig.all_hear()
    rig.check()
    assert len(rig.notices()) == 8, rig.notices()


def all_killed(stack):
    """All nodes are killed at once, and start together: nobody waits for the dead, and all is there again."""
    rig = Rig(stack, jetstream=False)
    for person in rig.people:
        person.stop()
    for node in rig.nodes:
        node.kill()
    begin = time.monotonic()
    for node in rig.nodes:
        node.socket.unlink(missing_ok=True)
        node.start()
    rig.people = []
    for node, name in zip(rig.nodes, ("ann", "bob", "eve")):
        while not node.socket.exists():
            time.sleep(0.01)
        person = User(node.socket, name)
        person.ask(name, f"Welcome, {name}!", 20)
        rig.people.append(person)
    rig.people[0].ask("/who", "In lobby: ann, bob, eve")
    print(f"  all are there again {time.monotonic() - begin:.2f} s after the end of all")
    for person in rig.people:
        person.over = threading.Event()


def cut(stack, **ways):
    with contextlib.ExitStack() as nets:
        networks = stack.enter_context(Networks(3))
        rig = Rig(stack, networks)
        networks.cut(2, **ways)
        rig.wait_notice("* bob has left.", 14)
        rig.wait_notice("* ben has left.", 2)
        if all(ways.values()):
            rig.people[2].ask("/who", "In lobby: ben, bob", HOLD + HELD + 8)
        networks.heal(2)
        rig.wait_notice("* bob has come.", 20)
        print(f"  all hear all {rig.all_hear():.2f} s later")
        rig.check(between(*REST))
        rig.history_is_the_same()
        assert sorted(rig.notices()) == ["* ben has come.", "* ben has left.", "* bob has come.", "* bob has left."], rig.notices()


def cut_both_ways(stack):
    """A node whose network is cut is gone for the rest, who lose nothing; it goes on by itself, and is back when the network is."""
    cut(stack, to_server=True, from_server=True)


def cut_from_server(stack):
    """The same if only what the server sends is lost."""
    cut(stack, to_server=False, from_server=True)


def cut_to_server(stack):
    """The same if only what the node sends is lost."""
    cut(stack, to_server=True, from_server=False)


@contextlib.contextmanager
def small_disk(megabytes):
    with tempfile.TemporaryDirectory() as folder:
        ip("-t", "tmpfs", "-o", f"size={megabytes}m", "none", folder, program="mount")
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "-l", folder])


def fill(disk):
    with open(disk / "ballast", "wb", buffering=0) as f:
        with contextlib.suppress(OSError):
            while True:
                f.write(bytes(4096))


def full_disk_of_server(stack):
    """The server's disk is full: what is said reaches all, and after there is room, and another server, it is kept again."""
    disk = stack.enter_context(small_disk(16))
    rig = Rig(stack, store=str(disk / "js"))
    fill(disk)
    time.sleep(6)
    rig.all_hear()
    assert not rig.notices(), rig.notices()
    assert any("was not kept" in line for node in rig.nodes for line in node.log)
    (disk / "ballast").unlink()
    rig.nats.kill()  # one whose disk was full does not end by SIGTERM
    rig.nats.wait()
    rig.start_server()
    rig.all_hear()
    rig.check()
    rig.history_is_the_same()


def full_disk_of_node(stack):
    """The disk with the file of SQLite is full: the chat goes on, and keeps again what is said when there is room."""
    disk = stack.enter_context(small_disk(4))
    from chat_rig import PROGRAM
    server, found = started([PROGRAM, "--port", "0", "--loops", "2", "--history", disk / "chat.db"], "stdout", r" listens on \S+:(\d+)$")
    stack.callback(server.wait)
    stack.callback(server.kill)
    ann, bob = (Talker(int(found[1]), name).join(pace=0.005) for name in ("ann", "bob"))
    ann.ask("/history 5", "That was it.")
    fill(disk)
    time.sleep(3)
    since = len(bob.lines)
    mark = ann.sent
    end = time.monotonic() + PATIENCE
    while not any(n >= mark for n in bob.heard(ann, since)):
        assert time.monotonic() < end
        time.sleep(0.05)
    (disk / "ballast").unlink()
    mark = ann.sent
    kept = []
    while not any(n >= mark for n in kept):
        assert time.monotonic() < end, kept
        since = len(bob.lines)
        bob.ask("/history 20", "That was it.")
        kept = [int(line.split()[-1]) for line in bob.lines[since:] if line[:1].isdigit() and "<ann> ann " in line]
    for person in (ann, bob):
        person.stop()
    bob.wait(f"<ann> ann {ann.sent - 1}")
    assert bob.heard(ann) == list(range(bob.heard(ann)[0], ann.sent))
    assert server.poll() is None


QUICK = [stopped_shortly, killed_server, stopped_server, all_killed]
LONG = [stopped_node, server_away]
ROOTED = [cut_both_ways, cut_from_server, cut_to_server, full_disk_of_server, full_disk_of_node]


def main():
    needs()
    wanted = sys.argv[3:]
    cases = QUICK
    if wanted:
        rooted = ROOTED if os.geteuid() == 0 and shutil.which("ip") and shutil.which("tc") else []
        cases = [case for case in QUICK + LONG + rooted if wanted == ["--all"] or case.__name__ in wanted]
        if not rooted:
            print("those with networks and disks are left out: they take root and iproute2")
    for case in cases:
        begin = time.monotonic()
        print(case.__doc__, flush=True)
        with contextlib.ExitStack() as stack:
            case(stack)
        print(f"  {case.__name__}: {time.monotonic() - begin:.1f} s", flush=True)


main()
