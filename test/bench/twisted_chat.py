"""The chat server that Troupe's is compared with, written for Twisted."""

import sys

from twisted.internet import reactor
from twisted.internet.protocol import Factory
from twisted.protocols.basic import LineReceiver


class Chat(LineReceiver):
    def __init__(self, users):
        self.users = users
        self.name = None

    def connectionMade(self):
        self.sendLine(b"What's your name?")

    def connectionLost(self, reason):
        if self.name is not None:
            del self.users[self.name]

    def lineReceived(self, line):
        if self.name is not None:
            message = b"<" + self.name + b"> " + line
            for user in self.users.values():
                if user is not self:
                    user.sendLine(message)
        elif line in self.users:
            self.sendLine(b"Name taken, please choose another.")
        else:
            self.name = line
            self.users[line] = self
            self.sendLine(b"Welcome, " + line + b"!")


class ChatFactory(Factory):
    def __init__(self):
        self.users = {}

    def buildProtocol(self, addr):
        return Chat(self.users)


port = reactor.listenTCP(0, ChatFactory(), backlog=1000, interface="127.0.0.1")
print("listens on 127.0.0.1:%d" % port.getHost().port)
sys.stdout.flush()
reactor.run()
