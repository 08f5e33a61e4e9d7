from twisted.internet import reactor
from twisted.internet.protocol import Factory, Protocol


class QOTD(Protocol):
    def connectionMade(self):
        self.transport.write(b"An apple a day keeps the doctor away\r\n")
        self.transport.loseConnection()


port = reactor.listenTCP(8017, Factory.forProtocol(QOTD), interface="127.0.0.1")
print(f"quotes at {port.getHost().host}:{port.getHost().port}", flush=True)
reactor.run()
