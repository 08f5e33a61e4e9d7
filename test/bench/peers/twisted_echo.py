"""The echo server that Troupe's is compared with, written for Twisted."""

import sys

from twisted.internet import reactor
from twisted.internet.protocol import Factory, Protocol


class Echo(Protocol):
    def dataReceived(self, data):
        self.transport.write(data)


port = reactor.listenTCP(
    0, Factory.forProtocol(Echo), backlog=1000, interface="127.0.0.1"
)
print("listens on 127.0.0.1:%d" % port.getHost().port)
sys.stdout.flush()
reactor.run()
