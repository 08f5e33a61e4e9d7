from twisted.internet import protocol, reactor


class WordCount(protocol.ProcessProtocol):
    count = b""

    def connectionMade(self):
        self.transport.write(b"Two lines are enough,\nif they break.\n")
        self.transport.closeStdin()

    def outReceived(self, data):
        self.count += data

    def processEnded(self, reason):
        print(f"{int(self.count)} words")
        reactor.stop()


reactor.spawnProcess(WordCount(), "wc", ["wc", "-w"], env=None)
reactor.run()
