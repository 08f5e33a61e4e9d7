"""Framed strings between our receivers and Twisted's, both ways.

framing_check.py <folder of the programs> <folder of framing_peer>
"""

import os
import subprocess
import sys

PYTHON = "/usr/bin/python3"  # Debian's, which has Debian's Twisted
if os.path.realpath(sys.executable) != os.path.realpath(PYTHON):
    os.execv(PYTHON, [PYTHON, *sys.argv])

PEER = sys.argv[2] + "/framing_peer"
try:
    from twisted.internet import defer, protocol, reactor, task
    from twisted.protocols import basic
except ImportError:
    print("python3-twisted is not installed")
    sys.exit(77)
if not os.path.exists(PEER):
    sys.exit(77)

KINDS = {"int8": basic.Int8StringReceiver, "int16": basic.Int16StringReceiver,
         "int32": basic.Int32StringReceiver, "netstring": basic.NetstringReceiver}
SIZES = {"int8": [0, 1, 255, 0], "int16": [0, 1, 255, 256, 65535], "int32": [0, 70000, 99999, 3],
         "netstring": [0, 1, 10, 99999]}


def echo(base):
    class Echo(base):
        def stringReceived(self, string):
            self.sendString(string)

    return protocol.Factory.forProtocol(Echo)


def ask(base, due, finished):
    class Ask(base):
        def connectionMade(self):
            for string in due:
                self.sendString(string)
            self.got = []

        def stringReceived(self, string):
            self.got.append(string)
            if len(self.got) == len(due):
                self.transport.loseConnection()

        def connectionLost(self, why):
            finished.callback((self.got, why))

    factory = protocol.ClientFactory.forProtocol(Ask)
    factory.noisy = False
    return factory


@defer.inlineCallbacks
def main(reactor):
    for kind, base in KINDS.items():
        # Theirs asks ours.
        server = subprocess.Popen([PEER, "serve", kind], stdout=subprocess.PIPE, text=True)
        try:
            port = int(server.stdout.readline())
            due = [os.urandom(size) for size in SIZES[kind]]
            finished = defer.Deferred()
            reactor.connectTCP("127.0.0.1", port, ask(base, due, finished))
            got, why = yield finished
            assert got == due, (kind, [len(x) for x in got], why)
        finally:
            server.terminate()
            assert server.wait(20) == 0
        # Ours asks theirs.
        listening = reactor.listenTCP(0, echo(base), interface="127.0.0.1")
        client = subprocess.Popen([PEER, "ask", kind, str(listening.getHost().port)],
                                  stdout=subprocess.PIPE, text=True)
        while client.poll() is None:
            yield task.deferLater(reactor, 0.02, lambda: None)
        output = client.stdout.read()
        assert output.startswith("ok "), (kind, output)
        count, of = output.split()[1::2]
        assert count == of and int(of) >= 4, (kind, output)
        print(kind, "both ways:", output.strip())
        yield listening.stopListening()


task.react(main)
