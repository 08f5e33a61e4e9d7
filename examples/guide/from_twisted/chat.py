import sys

from twisted.internet import reactor
from twisted.internet.protocol import Factory
from twisted.protocols.basic import LineReceiver


# [chat]
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
        if self.name is None:
            self.claim(line)
        else:
            self.say(b"<" + self.name + b"> " + line)

    def claim(self, name):
        if name in self.users:
            return self.sendLine(b"Name taken, please choose another.")
        self.name = name
        self.users[name] = self
        self.sendLine(b"Welcome, " + name + b"!")

    def say(self, text):
        for protocol in self.users.values():
            if protocol is not self:
                protocol.sendLine(text)


class ChatFactory(Factory):
    def __init__(self):
        self.users = {}

    def buildProtocol(self, addr):
        return Chat(self.users)
# [/chat]


# [main]
port = reactor.listenTCP(int(sys.argv[1]), ChatFactory(), interface="127.0.0.1")
print(f"chat listens on {port.getHost().host}:{port.getHost().port}", flush=True)
reactor.run()
# [/main]
