"""Peers written for Twisted: twisted_unix.py echo PATH | ask PATH OWN | give PATH FILE | take PATH

echo and give say "ready" when they listen, as does lock, which is give with a lock; ask says "ok" when all came back that should; take says
what it was given, as our pass_descriptor does.
"""

import os
import sys

from twisted.internet import interfaces, protocol, reactor
from twisted.protocols.basic import LineReceiver
from zope.interface import implementer


def say(text):
    print(text)
    sys.stdout.flush()


class Echo(protocol.DatagramProtocol):
    def datagramReceived(self, data, address):
        self.transport.write(data, address)


class Ask(protocol.ConnectedDatagramProtocol):
    """Sends datagrams of many sizes, one after the other, and compares what comes back."""

    due = [bytes([i % 256]) * n for i, n in enumerate([5, 1, 64, 1400] * 20 + [8000])]

    def startProtocol(self):
        self.transport.write(self.due[0])

    def datagramReceived(self, data):
        assert data == self.due.pop(0)
        if self.due:
            return self.transport.write(self.due[0])
        say("ok")
        reactor.stop()


class Give(protocol.Protocol):
    def connectionMade(self):
        self.file = open(sys.argv[3], "rb")
        self.transport.sendFileDescriptor(self.file.fileno())
        self.transport.write(sys.argv[3].encode() + b"\r\n")
        self.transport.loseConnection()


@implementer(interfaces.IFileDescriptorReceiver)
class Take(LineReceiver):
    given = None

    def fileDescriptorReceived(self, descriptor):
        self.given = descriptor

    def lineReceived(self, line):
        text = os.pread(self.given, 4096, 0)
        say(f"took {line.decode()}, {len(text)} bytes: {text.decode()}")

    def connectionLost(self, why):
        reactor.stop()


what, path = sys.argv[1:3]
if what == "echo":
    reactor.listenUNIXDatagram(path, Echo())
    say("ready")
elif what == "ask":
    reactor.connectUNIXDatagram(path, Ask(), bindAddress=sys.argv[3])
elif what in ("give", "lock"):
    reactor.listenUNIX(path, protocol.Factory.forProtocol(Give), wantPID=what == "lock")
    say("ready")
elif what == "take":
    reactor.connectUNIX(path, protocol.ClientFactory.forProtocol(Take))
reactor.callLater(20, reactor.stop)
reactor.run()
