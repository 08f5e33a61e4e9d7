"""The chat server that Troupe's is compared with, written for Twisted.

Twisted's transports collect what is written and send it once for each turn. With the argument
`collected` what came in one read is passed on together as well, and put together once for all users.
"""

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


class CollectedChat(Chat):
    def __init__(self, users):
        super().__init__(users)
        self.said = []

    def dataReceived(self, data):
        result = super().dataReceived(data)
        if self.said:
            message = b"".join(self.said)
            self.said.clear()
            for user in self.users.values():
                if user is not self:
                    user.transport.write(message)
        return result

    def lineReceived(self, line):
        if self.name is None:
            super().lineReceived(line)
        else:
            self.said.append(b"<%b> %b\r\n" % (self.name, line))


class ChatFactory(Factory):
    def __init__(self, protocol):
        self.users = {}
        self.protocol = protocol

    def buildProtocol(self, addr):
        return self.protocol(self.users)


chosen = CollectedChat if sys.argv[1:] == ["collected"] else Chat
port = reactor.listenTCP(0, ChatFactory(chosen), backlog=1000, interface="127.0.0.1")
print("listens on 127.0.0.1:%d" % port.getHost().port)
sys.stdout.flush()
reactor.run()
