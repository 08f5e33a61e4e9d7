"""Nodes at three nats-servers, of which some are killed or stop, and at two whose route is cut:
nats_servers_check.py <folder of the programs> <folder of the peers> [CASE]

What was acknowledged is kept, once, and heard by all in one order; nobody is seen leaving whose server is lost.
"""

import contextlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from nats_servers import LONGEST, Node, Proxy, Server, Servers, Writer, address, until

DOWN = 3.0  # seconds within which a node is seen to be down
FAILOVER = 35.0  # and the stream has another leader: 4 to 9 s, and again as long each time the votes were split
RACES = 25  # for one lease, by each of three nodes


class Rig:
    """Three servers, a node at each, which knows that one only and is told of the others."""

    def __init__(self, stack):
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        self.servers = Servers(stack, folder)
        self.nodes = [Node(stack, name, [server]) for name, server in zip("abc", self.servers.all)]
        all_up(self.nodes)
        for node in self.nodes:
            node.wait("follows")

    def server_of(self, node):
        """The server at which all connections of a node are, as soon as there is one such."""
        there = [s for s in self.servers.all if node.name in s.clients()]
        return there[0] if len(there) == 1 else None

    def is_kept(self, writers, stopped):
        """All is kept, unless a server leads that was stopped: it may lack what it was told meanwhile, for good (2.9.10)."""
        if stopped.frozen and until(self.servers.leader) is stopped:
            print(f"  {stopped.name} leads again: what it has is not looked at")
        else:
            is_kept(self.nodes, writers)

    def nobody_left(self):
        for node in self.nodes:
            lost = node.said("event down ") + node.said("event left ")
            assert not lost, (node.name, lost)


def all_up(nodes):
    for node in nodes:
        for other in nodes:
            if other is not node:
                node.wait(f"event up {other.name}")


def all_hear(nodes, text, seconds):
    """Each says something until all others have heard it."""
    begin = time.monotonic()
    for node in nodes:
        def heard():
            node.tell(f"say {text}")
            time.sleep(0.02)
            return all(other.said(f"{node.name} says {text}", begin) for other in nodes if other is not node)
        until(heard, seconds, lambda: [(n.name, n.lines[-5:]) for n in nodes])


def is_kept(nodes, writers):
    """All that was appended is there, once, and all have heard all of it, in the same order."""
    sent = {identity for writer in writers for identity in writer.sent}
    stuck = {identity for writer in writers for identity in writer.stuck}
    if stuck:
        print(f"  {len(stuck)} are said to be just being stored, and are perhaps not there")
    pages = []
    for node in nodes:
        def page():  # a copy that is not up to date yet is no page, and says so
            before = time.monotonic()
            node.tell("page")
            until(lambda: node.said("page", before) or node.said("no page", before))
            return node.said("page", before)
        pages.append(until(page, told=lambda: (node.lines[-3:], node.log[-5:]))[0].split())
    assert pages[0] == pages[1] == pages[-1], pages
    assert len(pages[0]) == len(set(pages[0])), pages[0]
    assert sent - stuck <= set(pages[0]) <= sent, (sent - stuck - set(pages[0]), set(pages[0]) - sent)
    for node in nodes:
        def heard():
            return [line.split()[1] for line in node.said("read ")]
        until(lambda: len(heard()) >= len(pages[0]), 5, lambda: (node.name, sent - set(heard()), node.log[-20:]))
        assert heard() == pages[0], (node.name, heard(), pages[0])
    unread = [line for node in nodes for line in node.log if "could not be read" in line]
    print(f"  {len(sent)} messages, {len(unread)} complaints of reading")


def tell_failures(writers):
    reasons = {re.sub(r" of \d+ |#\d+", " ", why) for w in writers for _, _, why in w.failed}
    print(f"  failures: {sorted(reasons)}")


def leader_lost(stack, lose):
    rig = Rig(stack)
    writers = [Writer(node) for node in rig.nodes]
    until(lambda: all(len(w.kept) > 20 for w in writers))
    leader = until(rig.servers.leader)
    at_it = [n.name for n in rig.nodes if rig.server_of(n) is leader]
    lost = time.monotonic()
    lose(leader)
    until(lambda: all(w.resumed(lost + 0.2) < 100 for w in writers), told=lambda: [w.failed[-2:] for w in writers])
    took = max(w.resumed(lost + 0.2) for w in writers)
    print(f"  {leader.name} led, with {at_it} at it; all append again after {took:.1f} s")
    others = [s for s in rig.servers.all if s is not leader]
    until(lambda: all(any(n.name in s.clients() for s in others) for n in rig.nodes))
    leader.thaw()
    if leader.process.poll() is not None:
        leader.start()
    for w in writers:
        w.stop()
    tell_failures(writers)
    rig.is_kept(writers, leader)
    assert took < FAILOVER, took
    rig.nobody_left()


def leader_killed(stack):
    """The server that leads the stream is killed: what was acknowledged is kept, and appending goes on."""
    leader_lost(stack, Server.kill)


def leader_frozen(stack):
    """The same if it stops, and goes on when another one leads: what it says then does no harm."""
    leader_lost(stack, Server.freeze)


def servers_lost(stack):
    """All but the leader are killed: nothing can be kept, all talk at the third, and all goes on by itself when they are back."""
    rig = Rig(stack)
    writer = Writer(rig.nodes[0])
    until(lambda: len(writer.kept) > 20)
    leader = until(rig.servers.leader)
    gone = [s for s in rig.servers.all if s is not leader]
    lost = time.monotonic()
    for server in gone:
        server.kill()
    all_hear(rig.nodes, "all at one", 5)
    print(f"  all talk after {time.monotonic() - lost:.1f} s")
    until(lambda: any("JetStream is not available" in why for _, _, why in writer.failed), told=lambda: writer.failed)
    seen = [round(next(when for when, _, why in writer.failed if text in why) - lost, 1)
            for text in ("has not said whether", "JetStream is not available") if any(text in why for _, _, why in writer.failed)]
    print(f"  appending failed after {seen} s")
    for server in gone:
        server.start()
    back = time.monotonic()
    until(lambda: writer.resumed(back) < 100, told=lambda: writer.failed[-3:])
    print(f"  kept again {writer.resumed(back):.1f} s after they are back")
    writer.stop()
    tell_failures([writer])
    is_kept(rig.nodes, [writer])
    rig.nobody_left()


def all_lost(stack):
    """All are killed and come back: the stream is the one that was there, though who leads them says at first that there is none."""
    rig = Rig(stack)
    writers = [Writer(node) for node in rig.nodes]
    until(lambda: all(len(w.kept) > 20 for w in writers))
    for w in writers:
        w.stop()
    for server in rig.servers.all:
        server.kill()
    for server in rig.servers.all:
        server.start()
    back = time.monotonic()
    for w in writers:
        w.go_on()
    until(lambda: all(w.resumed(back) < 100 for w in writers), told=lambda: [w.failed[-2:] for w in writers])
    print(f"  kept again {max(w.resumed(back) for w in writers):.1f} s after they are back")
    for w in writers:
        w.stop()
    tell_failures(writers)
    is_kept(rig.nodes, writers)
    rig.nobody_left()


def lease_raced(stack):
    """Three nodes want one lease all the time, each at a server of its own: no two have it at once."""
    rig = Rig(stack)
    for node in rig.nodes:
        node.tell(f"race {RACES}")
    for node in rig.nodes:
        node.wait("raced", LONGEST)
    held = sorted(tuple(map(int, line.split())) for node in rig.nodes for line in node.said("held "))
    assert len(held) > 2 * RACES, len(held)
    both = [(a, b) for a, b in zip(held, held[1:]) if b[0] < a[1]]
    assert not both, both
    waits = sorted(b[0] - a[1] for a, b in zip(held, held[1:]))
    print(f"  {len(held)} times, from one to the next in {waits[len(waits) // 2] / 1e6:.1f} ms")


def server_frozen(stack):
    """The server of a node stops: the node sees it by its silence and goes to another one, and nobody sees it leave."""
    rig = Rig(stack)
    a = rig.nodes[0]
    writer = Writer(a)
    until(lambda: len(writer.kept) > 20)
    server = until(lambda: rig.server_of(a))
    frozen = time.monotonic()
    server.freeze()
    seen = a.wait("event isolated a", since=frozen) - frozen
    back = a.wait("event rejoined a", since=frozen) - frozen
    print(f"  noticed after {seen:.2f} s, at another one after {back:.2f} s")
    assert seen < DOWN, seen
    all_hear(rig.nodes, "without it", 5)
    until(lambda: writer.resumed(frozen + 0.2) < 100, told=lambda: writer.failed[-2:])
    took = writer.resumed(frozen + 0.2)
    print(f"  and appends again after {took:.1f} s")
    assert took < FAILOVER, took
    server.thaw()
    all_hear(rig.nodes, "with it", 5)
    writer.stop()
    rig.is_kept([writer], server)
    rig.nobody_left()


def route_cut(stack):
    """The route between two servers is cut, without a word: each half goes on, and sees the other down; then they are one again."""
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    proxies = [Proxy(stack, (address(i + 10), 6222), (address(i), 6222)) for i in (1, 2)]
    servers = []

    def close():
        for server in servers:
            server.kill()
    stack.callback(close)
    for i in (1, 2):
        servers.append(Server(folder, f"s{i}", address(i), "check", [f"nats://{address(13 - i)}:6222"]))
    nodes = [Node(stack, name, [server], 1) for name, server in zip("ab", servers)]
    a, b = nodes
    all_up(nodes)
    for node in nodes:
        node.wait("follows")
    writers = [Writer(node) for node in nodes]
    until(lambda: all(len(w.kept) > 20 for w in writers))
    cut = time.monotonic()
    for proxy in proxies:
        proxy.cut()
    seen = max(a.wait("event down b", since=cut), b.wait("event down a", since=cut)) - cut
    print(f"  each sees the other down after {seen:.2f} s")
    assert seen < DOWN + 0.5, seen
    until(lambda: any(w.failed for w in writers), told=lambda: [len(w.kept) for w in writers])
    had = sum(len(w.kept) for w in writers)
    until(lambda: sum(len(w.kept) for w in writers) > had + 20, told=lambda: [w.failed[-2:] for w in writers])
    healed = time.monotonic()
    for proxy in proxies:
        proxy.heal()
    again = max(a.wait("event up b", since=healed), b.wait("event up a", since=healed)) - healed
    all_hear(nodes, "one again", 10)
    print(f"  and up {again:.2f} s after it is mended")
    for w in writers:
        w.stop()
    tell_failures(writers)
    is_kept(nodes, writers)
    for node in nodes:  # once each, and no flood
        events = node.said("event ", cut)
        assert len(events) < 12, events


def main():
    for what, there in (("nats-server", shutil.which("nats-server")), ("node_peer", (Path(sys.argv[2]) / "node_peer").exists())):
        if not there:
            print(f"skipped: there is no {what}")
            sys.exit(77)
    cases = [leader_killed, leader_frozen, servers_lost, all_lost, lease_raced, server_frozen, route_cut]
    if len(sys.argv) == 4:
        begin = time.monotonic()
        case = next(c for c in cases if c.__name__ == sys.argv[3])
        print(case.__doc__, flush=True)
        with contextlib.ExitStack() as stack:
            case(stack)
        print(f"  {case.__name__}: {time.monotonic() - begin:.1f} s", flush=True)
        return
    # They wait for elections most of the time, so two wait together; with more, a busy machine keeps them from their time.
    running, wrong = [], False
    try:
        while cases or running:
            while cases and len(running) < 2:
                running.append(subprocess.Popen([sys.executable, __file__, *sys.argv[1:3], cases.pop(0).__name__],
                                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
            print(running[0].communicate(timeout=LONGEST + 20)[0], end="", flush=True)
            wrong |= running.pop(0).returncode != 0
    finally:
        for one in running:
            one.terminate()  # which takes its children along
            one.wait()
    sys.exit(wrong)


signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
main()
