"""Peers written for Twisted: twisted_datagrams.py echo | client PORT | group | ping PORT

echo and group print the port at which they listen; client and ping print "ok" when everything came
back that should.
"""

import sys

from twisted.internet import reactor
from twisted.internet.protocol import DatagramProtocol

GROUP = "228.0.0.5"
LOOPBACK = "127.0.0.1"


def say(text):
    print(text)
    sys.stdout.flush()


class Echo(DatagramProtocol):
    def datagramReceived(self, data, address):
        self.transport.write(data, address)


class Client(DatagramProtocol):
    """Sends datagrams of many sizes, one after the other, and compares what comes back."""

    def __init__(self, port):
        self.port = port
        self.due = [bytes([i % 256]) * n for i, n in enumerate([5, 1, 0, 64, 1400] * 20 + [8000])]

    def startProtocol(self):
        self.transport.connect(LOOPBACK, self.port)
        self.transport.write(self.due[0])

    def datagramReceived(self, data, address):
        assert data == self.due.pop(0) and address == (LOOPBACK, self.port)
        if self.due:
            return self.transport.write(self.due[0])
        say("ok")
        reactor.stop()


class Group(DatagramProtocol):
    def startProtocol(self):
        self.transport.joinGroup(GROUP, LOOPBACK)

    def datagramReceived(self, data, address):
        if data == b"Client: Ping":
            self.transport.write(b"Server: Pong", address)


class Ping(DatagramProtocol):
    def __init__(self, port):
        self.port = port

    def startProtocol(self):
        self.transport.setOutgoingInterface(LOOPBACK)
        self.transport.write(b"Client: Ping", (GROUP, self.port))

    def datagramReceived(self, data, address):
        assert data == b"Server: Pong" and address[1] == self.port, (data, address)
        say("ok")
        reactor.stop()


what = sys.argv[1]
if what == "echo":
    say(reactor.listenUDP(0, Echo(), interface=LOOPBACK).getHost().port)
elif what == "client":
    reactor.listenUDP(0, Client(int(sys.argv[2])), interface=LOOPBACK)
elif what == "group":
    say(reactor.listenMulticast(0, Group()).getHost().port)
elif what == "ping":
    reactor.listenMulticast(0, Ping(int(sys.argv[2])))
reactor.callLater(20, reactor.stop)
reactor.run()
