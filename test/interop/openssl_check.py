"""TLS beside `openssl s_client` and `s_server`: openssl_check.py <folder of the examples> <folder of tls_peer>

Versions, ALPN, names of hosts (SNI), certificates of clients, truncation, and sessions that go on.
"""

import shutil
import socket
import subprocess
import sys
import tempfile
from contextlib import contextmanager

PEER = sys.argv[2] + "/tls_peer"
PATIENCE = 20
OLD = ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"]  # what OpenSSL itself would no longer speak


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


def authority(folder, name):
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", f"/CN={name}", "-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.pem")


def identity(folder, name, signer):
    """Makes <name>.pem and <name>.key, for the host of that name."""
    request, extensions = f"{folder}/{name}.csr", f"{folder}/{name}.ext"
    with open(extensions, "w") as f:
        f.write(f"subjectAltName=DNS:{name}\n")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
            "-keyout", f"{folder}/{name}.key", "-out", request)
    openssl("x509", "-req", "-in", request, "-CA", f"{folder}/{signer}.pem", "-CAkey", f"{folder}/{signer}.key",
            "-CAcreateserial", "-days", "2", "-extfile", extensions, "-out", f"{folder}/{name}.pem")
    return f"{folder}/{name}"


class Program:
    """A program whose lines are read until one has what is looked for."""

    def __init__(self, *command):
        self.p = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.said = []

    def until(self, *texts):
        for line in self.p.stdout:
            self.said.append(line.decode(errors="replace").strip())
            if all(text in self.said[-1] for text in texts):
                return self.said[-1]
        raise AssertionError((texts, self.p.args, self.said))

    def rest(self):
        """Ends its input, and returns all that it has said."""
        out, _ = self.p.communicate(timeout=PATIENCE)
        self.said += out.decode(errors="replace").splitlines()
        return "\n".join(self.said)

    def type(self, line):
        self.p.stdin.write(line.encode() + b"\n")
        self.p.stdin.flush()


@contextmanager
def program(*command):
    it = Program(*command)
    try:
        yield it
    finally:
        it.p.kill()
        it.p.wait()
        it.p.stdin.close()
        it.p.stdout.close()


@contextmanager
def our_server(*options):
    with program(PEER, *options) as server:
        server.port = server.until("listens on").rsplit(":", 1)[1]
        yield server


def s_client(server, *options):
    return program("openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", *options)


def talk(client, line="hello there"):
    client.type(line)
    client.until(line)


@contextmanager
def s_server(identity, *options):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = str(s.getsockname()[1])
    with program("openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", identity + ".pem", "-key",
                 identity + ".key", *options) as server:
        server.port = port
        server.until("ACCEPT")
        yield server


def our_client(server, *options):
    return program(PEER, "--connect", server.port, *options)


def versions(folder, ours, trust):
    with our_server("--identity", ours) as server:
        for option, name in (("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")):
            with s_client(server, option) as client:
                server.until("made", f"version={name}")
                talk(client)
                client.rest()
                server.until("lost cleanly")
        with s_client(server, *OLD) as client:
            assert "alert protocol version" in client.rest(), client.said
            server.until("log:", "unsupported protocol")
    for option, name in (("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")):
        with s_server(ours, "-rev", option) as server, our_client(server, "--trust", trust) as client:
            client.until("made", f"version={name}")
            client.until("answered")
            client.until("lost cleanly")
    with s_server(ours, "-rev", *OLD) as server, our_client(server, "--trust", trust) as client:
        client.until("failed:", "version")


def alpn(folder, ours, trust):
    speaks = ["--alpn", "chat/2", "--alpn", "chat/1"]
    with our_server("--identity", ours, *speaks) as server:
        for version in ("-tls1_2", "-tls1_3"):
            for offer, agreed in (("chat/1", "chat/1"), ("chat/1,chat/2", "chat/2"), ("mail,chat/1", "chat/1")):
                with s_client(server, version, "-alpn", offer) as client:
                    server.until("made", f"alpn={agreed} ")
                    client.until(f"ALPN protocol: {agreed}")
            with s_client(server, version) as client:
                client.until("No ALPN negotiated")
                server.until("made", "alpn= ")
            with s_client(server, version, "-alpn", "mail") as client:
                assert "no application protocol" in client.rest(), client.said
                server.until("log:", "no application protocol")
    with s_server(ours, "-rev", "-alpn", "chat/1") as server:
        with our_client(server, "--trust", trust, *speaks) as client:
            client.until("made", "alpn=chat/1 ")
    with s_server(ours, "-rev", "-alpn", "mail") as server:
        with our_client(server, "--trust", trust, *speaks) as client:
            client.until("failed:", "no application protocol")


def names(folder, ours, trust):
    one, two = identity(folder, "one.example", "ca"), identity(folder, "two.example", "ca")
    with our_server("--identity", one, "--identity", two) as server:
        for asked, shown in (("one.example", "one.example"), ("two.example", "two.example"),
                             ("three.example", "one.example")):
            with s_client(server, "-servername", asked, "-CAfile", trust) as client:
                client.until("subject", shown)
                server.until("made", f"name={asked} ")
        with s_client(server, "-noservername") as client:
            client.until("subject", "one.example")
            server.until("made", "name= ")
    with s_server(one, "-rev", "-servername", "two.example", "-cert2", two + ".pem", "-key2", two + ".key") as server:
        for asked in ("one.example", "two.example"):
            with our_client(server, "--trust", trust, "--name", asked) as client:
                client.until("made", f"name={asked} ", f"peer=CN={asked}")
        with our_client(server, "--trust", trust, "--name", "three.example") as client:
            client.until("failed:", "wanted three.example")


def client_certificates(folder, ours, trust):
    known = identity(folder, "known.example", "ca")
    foreign = identity(folder, "foreign.example", "otherca")

    def shows(who):
        return ["-cert", who + ".pem", "-key", who + ".key"]

    for version in ("-tls1_2", "-tls1_3"):
        with our_server("--identity", ours, "--clients", "required", "--trust", trust) as server:
            with s_client(server, version, *shows(known)) as client:
                server.until("made", "peer=CN=known.example")
                talk(client)
            with s_client(server, version) as client:
                server.until("log:", "showed no certificate")
                assert "alert" in client.rest(), client.said
            with s_client(server, version, *shows(foreign)) as client:
                server.until("log:", "certificate")
                assert "alert" in client.rest(), client.said
            assert sum(line.startswith("made") for line in server.said) == 1, server.said
        with our_server("--identity", ours, "--clients", "optional", "--trust", trust) as server:
            with s_client(server, version) as client:
                server.until("made", "peer=nobody")
                talk(client)
            with s_client(server, version, *shows(foreign)) as client:
                server.until("log:", "certificate")
                assert "alert" in client.rest(), client.said
        asks = ["-rev", version, "-Verify", "1", "-verify_return_error", "-CAfile", trust]
        # With TLS 1.3 the server looks when the client's handshake is over.
        refused = ("failed:", "alert") if version == "-tls1_2" else ("lost:", "alert")
        with s_server(ours, *asks) as server:
            with our_client(server, "--trust", trust, "--identity", known) as client:
                client.until("answered")
            for who in ([], ["--identity", foreign]):
                with our_client(server, "--trust", trust, "--stay", *who) as client:
                    client.until(*refused)


def truncation(folder, ours, trust):
    for version in ("-tls1_2", "-tls1_3"):
        with our_server("--identity", ours) as server:
            with s_client(server, version) as client:
                talk(client)
                client.p.kill()  # no close_notify
                server.until("lost:", "cut off")
            with s_client(server, version) as client:
                talk(client)
                client.rest()
                server.until("lost cleanly")
        with s_server(ours, "-rev", version) as server:
            with our_client(server, "--trust", trust, "--stay") as client:
                client.until("answered")
                server.p.kill()
                client.until("lost:", "cut off")


def sessions(folder, ours, trust):
    with our_server("--identity", ours) as server:
        with s_client(server, "-tls1_2", "-reconnect") as client:
            for _ in range(5):
                client.until("Reused, TLSv1.2")
                server.until("made", "resumed=yes")
        for version, name in (("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")):
            kept = f"{folder}/session{version}"
            with s_client(server, version, "-sess_out", kept) as client:
                server.until("made", "resumed=no")
                talk(client)  # what it sends with TLS 1.3, it sends behind the handshake
                client.rest()
            with s_client(server, version, "-sess_in", kept) as client:
                client.until(f"Reused, {name}")
                server.until("made", f"version={name}", "resumed=yes")
                talk(client)
    for version in ("-tls1_2", "-tls1_3"):
        with s_server(ours, "-rev", version) as server:
            with our_client(server, "--trust", trust, "--times", "2") as client:
                client.until("made", "resumed=no")
                client.until("made", "resumed=yes")


def main():
    if shutil.which("openssl") is None:
        print("skipped: openssl is not installed")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as folder:
        authority(folder, "ca")
        authority(folder, "otherca")
        ours = identity(folder, "localhost", "ca")
        for check in (versions, alpn, names, client_certificates, truncation, sessions):
            print(check.__name__, flush=True)
            check(folder, ours, f"{folder}/ca.pem")


main()
