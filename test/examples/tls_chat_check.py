"""TLS between the example programs and others: tls_chat_check.py <folder of the programs>

Others are Python's ssl, `openssl s_client` and `s_server`, and Twisted where it is installed.
"""

import signal
import socket
import ssl
import subprocess
import sys
import tempfile

PROGRAMS = sys.argv[1]
PATIENCE = 20


class started:
    """A process that ends with the block."""

    def __init__(self, command, **more):
        self.p = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **more)

    def __enter__(self):
        return self.p

    def __exit__(self, *_):
        self.p.kill()
        self.p.wait()
        self.p.stdin.close()
        self.p.stdout.close()


def certificate(folder, name, host):
    files = [f"{folder}/{name}.{kind}" for kind in ("pem", "key")]
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-nodes", "-subj", "/CN=" + host, "-addext", "subjectAltName=DNS:" + host, "-days",
                    "1", "-out", files[0], "-keyout", files[1]], check=True, capture_output=True)
    return files


def expect(stream, text):
    got = stream.readline()  # our client prints lines as a terminal has them
    assert got.rstrip(b"\r\n") == text.encode() and got.endswith(b"\n"), (got, text)


def client(port, trust, *more, **streams):
    return [f"{PROGRAMS}/tls_chat_client", "localhost", str(port), "--trust", trust, *more]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def against_server(folder, pem, key, other):
    command = [f"{PROGRAMS}/tls_chat_server", "--port", "0", "--loops", "2", "--certificate", pem, "--key",
               key]
    with started(command, text=True, stderr=subprocess.DEVNULL) as server:
        port = int(server.stdout.readline().rsplit(":", 1)[1])
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):  # Python's
            context = ssl.create_default_context(cafile=pem)
            context.minimum_version = context.maximum_version = version
            with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as s:
                with context.wrap_socket(s, server_hostname="localhost") as t:
                    lines = t.makefile("rb")
                    expect(lines, "What's your name?")
                    t.sendall(b"bob\r\n")
                    expect(lines, "Welcome, bob!")
        for version in ("-tls1_2", "-tls1_3"):  # OpenSSL's
            with started(["openssl", "s_client", "-quiet", version, "-connect", f"127.0.0.1:{port}",
                          "-servername", "localhost", "-verify_return_error", "-verify_hostname",
                          "localhost", "-CAfile", pem], stderr=subprocess.DEVNULL) as c:
                expect(c.stdout, "What's your name?")
                c.stdin.write(b"eve\r\n")
                c.stdin.flush()
                expect(c.stdout, "Welcome, eve!")
        old = subprocess.run(["openssl", "s_client", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0", "-connect",
                              f"127.0.0.1:{port}"], stdin=subprocess.DEVNULL, capture_output=True,
                             timeout=PATIENCE)
        assert b"alert" in old.stderr, old
        with started(client(port, pem)) as ann, started(client(port, pem)) as eve:  # ours
            for who, name in ((ann, b"ann"), (eve, b"bo")):
                expect(who.stdout, "What's your name?")
                who.stdin.write(name + b"\n")
                who.stdin.flush()
                expect(who.stdout, "Welcome, " + name.decode() + "!")
            ann.stdin.write(b"hello\n")
            ann.stdin.flush()
            expect(eve.stdout, "<ann> hello")
            ann.stdin.close()
            assert ann.wait(PATIENCE) == 0
        wrong = subprocess.run(client(port, other), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                               timeout=PATIENCE)
        assert wrong.returncode == 1 and "certificate" in wrong.stderr, wrong
        wrong = subprocess.run(client(port, pem, "--name", "chat.example"), stdin=subprocess.DEVNULL,
                               capture_output=True, text=True, timeout=PATIENCE)
        assert wrong.returncode == 1 and "wanted chat.example" in wrong.stderr, wrong
        server.send_signal(signal.SIGINT)
        assert server.wait(PATIENCE) == 0


def against_s_server(pem, key):
    for version in ("-tls1_2", "-tls1_3"):
        port = free_port()
        with started(["openssl", "s_server", "-quiet", version, "-accept", f"127.0.0.1:{port}", "-cert", pem,
                      "-key", key, "-naccept", "1"], stderr=subprocess.DEVNULL) as server:
            while True:  # until it listens; each look would cost it a connection
                table = open("/proc/net/tcp").read()
                if f":{port:04X} 00000000:0000 0A" in table or server.poll() is not None:
                    break
            with started(client(port, pem), stderr=subprocess.PIPE) as ours:
                ours.stdin.write(b"from ours\n")
                ours.stdin.flush()
                expect(server.stdout, "from ours")
                server.stdin.write(b"from theirs\n")
                server.stdin.flush()
                assert ours.stdout.readline() == b"from theirs\n"
                server.kill()  # no close_notify
                assert ours.wait(PATIENCE) == 1
                assert b"cut off" in ours.stderr.read()


TWISTED = """
import sys
from twisted.internet import reactor, ssl, protocol
class Echo(protocol.Protocol):
    def dataReceived(self, data):
        self.transport.write(data)
        self.transport.loseConnection()
pem, key = sys.argv[1:]
f = protocol.Factory.forProtocol(Echo)
port = reactor.listenSSL(0, f, ssl.DefaultOpenSSLContextFactory(key, pem), interface="127.0.0.1")
print(port.getHost().port, flush=True)
reactor.run()
"""

TWISTED_CLIENT = """
import sys
from twisted.internet import reactor, ssl, protocol, endpoints
class Join(protocol.Protocol):
    text = b""
    def dataReceived(self, data):
        self.text += data
        if self.text == b"What's your name?\\r\\n":
            self.transport.write(b"twisted\\r\\n")
        if self.text.endswith(b"Welcome, twisted!\\r\\n"):
            self.transport.loseConnection()
    def connectionLost(self, reason):
        print(reason.type.__name__, flush=True)
        reactor.stop()
port, pem = sys.argv[1:]
trusted = ssl.Certificate.loadPEM(open(pem).read())
e = endpoints.SSL4ClientEndpoint(reactor, "127.0.0.1", int(port), ssl.optionsForClientTLS("localhost", trusted))
endpoints.connectProtocol(e, Join()).addErrback(lambda f: (print(f, flush=True), reactor.stop()))
reactor.run()
"""


def against_twisted(pem, key):
    python = "/usr/bin/python3"
    if subprocess.run([python, "-c", "import twisted, OpenSSL, service_identity"],
                      capture_output=True).returncode != 0:
        print("Twisted with TLS is not installed; left out")
        return
    with started([python, "-c", TWISTED, pem, key], text=True) as server:
        with started(client(int(server.stdout.readline()), pem)) as ours:
            ours.stdin.write(b"hello\n")
            ours.stdin.flush()
            expect(ours.stdout, "hello")
            assert ours.wait(PATIENCE) == 0
    command = [f"{PROGRAMS}/tls_chat_server", "--port", "0", "--certificate", pem, "--key", key]
    with started(command, text=True, stderr=subprocess.DEVNULL) as server:
        port = server.stdout.readline().strip().rsplit(":", 1)[1]
        said = subprocess.run([python, "-c", TWISTED_CLIENT, port, pem], capture_output=True, text=True,
                              timeout=PATIENCE)
        assert said.stdout.strip() == "ConnectionDone", said


def main():
    with tempfile.TemporaryDirectory() as folder:
        pem, key = certificate(folder, "server", "localhost")
        other, _ = certificate(folder, "other", "localhost")
        against_server(folder, pem, key, other)
        against_s_server(pem, key)
        against_twisted(pem, key)
        for command in (["--certificate", f"{folder}/none"], ["--certificate", pem, "--key", other]):
            refused = subprocess.run([f"{PROGRAMS}/tls_chat_server", *command], capture_output=True, text=True,
                                     timeout=PATIENCE)
            assert refused.returncode == 1 and folder in refused.stderr, refused


main()
