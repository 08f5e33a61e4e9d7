"""Connections between our programs and Twisted's, both ways, over TCP, UNIX sockets and TLS, also
of which TLS begins in the middle.

streams_check.py <folder of the programs> <folder of starttls_peer>
"""

import os
import subprocess
import sys
import tempfile

PYTHON = "/usr/bin/python3"  # Debian's, which has Debian's Twisted
if os.path.realpath(sys.executable) != os.path.realpath(PYTHON):
    os.execv(PYTHON, [PYTHON, *sys.argv])

from OpenSSL import crypto
from twisted.internet import defer, endpoints, protocol, ssl, task
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.threads import deferToThread
from twisted.protocols.basic import LineReceiver
from zope.interface import implementer

NETCAT = sys.argv[1] + "/netcat"
ECHO = sys.argv[1] + "/echo_server"
STARTTLS = sys.argv[2] + "/starttls_peer"
BIG = bytes(range(256)) * 8_000


@implementer(IHalfCloseableProtocol)
class Echo(protocol.Protocol):
    """Gives back what comes, and closes when the peer has sent everything."""

    def dataReceived(self, data):
        self.transport.write(data)

    def readConnectionLost(self):
        self.transport.loseConnection()

    def writeConnectionLost(self):
        pass


class Caller(protocol.Protocol):
    """Sends, and reads until as much has come back."""

    def __init__(self, data, finished):
        self.data, self.finished, self.got = data, finished, bytearray()

    def connectionMade(self):
        self.transport.write(self.data)

    def dataReceived(self, data):
        self.got += data
        if len(self.got) >= len(self.data):
            self.transport.loseConnection()

    def connectionLost(self, why):
        self.finished.callback((bytes(self.got), why))


class Answer(protocol.Protocol):
    """Answers the first line in capitals, and closes."""

    def __init__(self, finished):
        self.finished, self.got = finished, b""

    def dataReceived(self, data):
        self.got += data
        if self.got.endswith(b"\n"):
            self.transport.write(self.got.upper())
            self.transport.loseConnection()

    def connectionLost(self, why):
        self.finished.callback(why.type)


class UpgradingServer(LineReceiver):
    """What starttls_peer is as a server."""

    def __init__(self, options, finished):
        self.options, self.finished, self.sealed = options, finished, False

    def connectionMade(self):
        self.sendLine(b"220 ready")

    def lineReceived(self, line):
        if line == b"STARTTLS":
            self.sendLine(b"220 go ahead")
            self.sealed = True
            self.transport.startTLS(self.options)
        elif line == b"QUIT":
            self.transport.loseConnection()
        else:
            self.sendLine((b"sealed " if self.sealed else b"plain ") + line)

    def connectionLost(self, why):
        self.finished.callback(why.type)


class UpgradingClient(LineReceiver):
    """What starttls_peer is as a client."""

    def __init__(self, options, finished):
        self.options, self.finished, self.got = options, finished, []

    def lineReceived(self, line):
        self.got.append(line)
        if line == b"220 ready":
            self.sendLine(b"hello")
        elif line == b"plain hello":
            self.sendLine(b"STARTTLS")
        elif line == b"220 go ahead":
            self.transport.startTLS(self.options)
            self.sendLine(b"hello again")
        else:
            self.sendLine(b"QUIT")

    def connectionLost(self, why):
        self.finished.callback((self.got, why.type))


def certificate(folder):
    key = crypto.PKey()
    key.generate_key(crypto.TYPE_RSA, 2048)
    made = crypto.X509()
    made.set_version(2)
    made.set_serial_number(1)
    made.get_subject().CN = "localhost"
    made.set_issuer(made.get_subject())
    made.add_extensions([crypto.X509Extension(b"subjectAltName", False, b"DNS:localhost")])
    made.gmtime_adj_notBefore(-3600)
    made.gmtime_adj_notAfter(86400)
    made.set_pubkey(key)
    made.sign(key, "sha256")
    with open(f"{folder}/key.pem", "wb") as f:
        f.write(crypto.dump_privatekey(crypto.FILETYPE_PEM, key))
    with open(f"{folder}/cert.pem", "wb") as f:
        f.write(crypto.dump_certificate(crypto.FILETYPE_PEM, made))


def run(words, data):
    """Runs netcat with `data` as its input, without blocking Twisted; gives what it wrote."""

    def work():
        done = subprocess.run([NETCAT, *words], input=data, capture_output=True, timeout=30)
        return done.returncode, done.stdout, done.stderr

    return deferToThread(work)


def start(words):
    """Starts one of our servers; gives it, and the line in which it says where it listens."""
    pipe = subprocess.PIPE
    server = subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe)
    line = (server.stderr if words[0] == NETCAT else server.stdout).readline().decode()
    assert "listens on" in line, line
    return server, line.split()[-1]


@defer.inlineCallbacks
def their_server(reactor, folder):
    for text, ours in (
        ("tcp:0:interface=127.0.0.1", "tcp:localhost:{}"),
        (f"unix:{folder}/theirs", f"unix:{folder}/theirs"),
    ):
        port = yield endpoints.serverFromString(reactor, text).listen(protocol.Factory.forProtocol(Echo))
        number = getattr(port.getHost(), "port", None)
        code, out, err = yield run([ours.format(number)], BIG)
        assert (code, out) == (0, BIG), (text, code, len(out), err)
        yield port.stopListening()

    finished = defer.Deferred()
    factory = protocol.Factory()
    factory.buildProtocol = lambda _: Answer(finished)
    text = f"ssl:0:interface=127.0.0.1:privateKey={folder}/key.pem:certKey={folder}/cert.pem"
    port = yield endpoints.serverFromString(reactor, text).listen(factory)
    target = f"tls:localhost:{port.getHost().port}:caCertsFile={folder}/cert.pem"
    code, out, err = yield run([target], b"hello\n")
    assert (code, out) == (0, b"HELLO\n"), (code, out, err)
    why = yield finished
    assert why is ConnectionDone, why
    yield port.stopListening()


@defer.inlineCallbacks
def their_client(reactor, folder):
    server, where = start([ECHO, "--port", "0"])
    try:
        for _ in range(3):
            finished = defer.Deferred()
            end = endpoints.clientFromString(reactor, f"tcp:{where}")
            yield endpoints.connectProtocol(end, Caller(BIG, finished))
            got, why = yield finished
            assert got == BIG and why.check(ConnectionDone), (len(got), why)
    finally:
        server.kill()
        server.wait()

    options = trusting(folder)
    for words, connect in (
        (f"unix:{folder}/ours", lambda _: endpoints.UNIXClientEndpoint(reactor, f"{folder}/ours")),
        (
            f"ssl:0:{folder}/key.pem:{folder}/cert.pem",
            lambda port: endpoints.wrapClientTLS(options, endpoints.TCP4ClientEndpoint(reactor, "127.0.0.1", port)),
        ),
    ):
        server, where = start([NETCAT, "--listen", words])
        try:
            finished = defer.Deferred()
            port = int(where.rsplit(":", 1)[1]) if words.startswith("ssl") else None
            caller = Caller(b"ping\n", finished)
            yield endpoints.connectProtocol(connect(port), caller)
            line = yield deferToThread(server.stdout.readline)
            assert line == b"ping\n", line
            server.stdin.write(b"pong\n")
            server.stdin.close()  # its half ends behind that
            got, why = yield finished
            assert got == b"pong\n" and why.check(ConnectionDone), (words, got, why)
            assert server.wait(20) == 0, server.stderr.read()
        finally:
            server.kill()
            server.wait()


def trusting(folder):
    with open(f"{folder}/cert.pem", "rb") as f:
        trusted = ssl.trustRootFromCertificates([ssl.Certificate.loadPEM(f.read())])
    return ssl.optionsForClientTLS("localhost", trustRoot=trusted)


@defer.inlineCallbacks
def their_upgrade(reactor, folder):
    with open(f"{folder}/key.pem") as key, open(f"{folder}/cert.pem") as cert:
        options = ssl.PrivateCertificate.loadPEM(key.read() + cert.read()).options()
    finished = defer.Deferred()
    factory = protocol.Factory()
    factory.buildProtocol = lambda _: UpgradingServer(options, finished)
    port = yield endpoints.TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(factory)

    def client():
        words = [STARTTLS, "--connect", str(port.getHost().port), "--trust", f"{folder}/cert.pem"]
        return subprocess.run(words, capture_output=True, text=True, timeout=30)

    done = yield deferToThread(client)
    lines = done.stdout.splitlines()
    assert [line for line in lines if line.startswith("got")] == [
        "got 220 ready", "got plain hello", "got 220 go ahead", "got sealed hello again",
    ], (lines, done.stderr)
    assert "version TLSv1.3" in lines and lines[-1] == "lost cleanly", (lines, done.stderr)
    why = yield finished
    assert why is ConnectionDone, why
    yield port.stopListening()


@defer.inlineCallbacks
def our_upgrade(reactor, folder):
    server, where = start([STARTTLS, "--identity", folder])
    try:
        finished = defer.Deferred()
        end = endpoints.clientFromString(reactor, f"tcp:{where}")
        yield endpoints.connectProtocol(end, UpgradingClient(trusting(folder), finished))
        got, why = yield finished
        assert got == [b"220 ready", b"plain hello", b"220 go ahead", b"sealed hello again"], got
        assert why is ConnectionDone, why
        line = yield deferToThread(server.stdout.readline)
        assert line == b"lost cleanly\n", line
    finally:
        server.kill()
        server.wait()


@defer.inlineCallbacks
def main(reactor):
    reactor.callLater(60, lambda: os._exit(3))  # whatever hangs
    with tempfile.TemporaryDirectory() as folder:
        certificate(folder)
        yield their_server(reactor, folder)
        yield their_client(reactor, folder)
        yield their_upgrade(reactor, folder)
        yield our_upgrade(reactor, folder)


task.react(main)
