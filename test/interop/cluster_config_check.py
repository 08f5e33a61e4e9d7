"""A real nats-server with the configuration of scripts/cluster-config: a node may speak in its own name only."""

import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "cluster-config"


def run(*arguments):
    return subprocess.run([SCRIPT, *arguments], capture_output=True, text=True, timeout=60)


class Node:
    def __init__(self, folder, port, name):
        raw = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.line(raw)  # INFO; TLS begins behind it
        context = ssl.create_default_context(cafile=folder / "authority.pem")
        if name:
            context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
        self.socket = context.wrap_socket(raw, server_hostname="127.0.0.1")
        self.socket.sendall(b'CONNECT {"verbose":false,"pedantic":false,"echo":false}\r\n')
        self.sync()

    @staticmethod
    def line(of):
        got = b""
        while not got.endswith(b"\r\n"):
            more = of.recv(1)
            if not more:
                raise ConnectionError("closed by the server")
            got += more
        return got.decode().strip()

    def say(self, text):
        self.socket.sendall(text.replace("\n", "\r\n").encode())

    def sync(self):
        """Returns what the server says until it answers a PING."""
        self.say("PING\n")
        said = []
        while (line := self.line(self.socket)) != "PONG":
            if line == "PING":
                self.say("PONG\n")
            else:
                said.append(line)
        return said


def expect(got, wanted):
    if got != wanted:
        sys.exit(f"got {got!r}, not {wanted!r}")


def check(folder, port):
    one, two = Node(folder, port, "chat-1"), Node(folder, port, "chat_2")
    two.say("SUB t.all.* 1\nSUB t.n.chat_2.* 2\n")
    expect(two.sync(), [])
    two.say("SUB t.n.chat-1.* 3\nSUB > 4\n")
    expect(two.sync(), ["-ERR 'Permissions Violation for Subscription to \"t.n.chat-1.*\"'",
                        "-ERR 'Permissions Violation for Subscription to \">\"'"])
    one.say("PUB t.all.chat-1 2\nhi\nPUB t.n.chat_2.chat-1 3\nyou\n")
    expect(one.sync(), [])
    expect(two.sync(), ["MSG t.all.chat-1 1 2", "hi", "MSG t.n.chat_2.chat-1 2 3", "you"])
    one.say("PUB t.all.chat_2 4\nfake\nPUB t.n.chat_2.chat_2 4\nfake\n")
    expect(one.sync(), ["-ERR 'Permissions Violation for Publish to \"t.all.chat_2\"'",
                        "-ERR 'Permissions Violation for Publish to \"t.n.chat_2.chat_2\"'"])
    expect(two.sync(), [])
    try:
        Node(folder, port, None)
    except (ssl.SSLError, ConnectionError):
        pass
    else:
        sys.exit("one without a certificate was let in")


def main():
    server = shutil.which("nats-server") or shutil.which("nats-server", path="/usr/sbin")
    if server is None or shutil.which("openssl") is None:
        print("nats-server or openssl is not installed: skipped")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "a folder"
        for wrong, text in [([], "usage"), ([folder], "name the nodes"), ([folder, "a.b"], "no name"),
                            ([folder, "a", "a"], "twice"), ([folder, "server"], "cannot be called"),
                            ([folder, "a", "--listen", "1"], "HOST:PORT"), ([folder, "--foo"], "no option")]:
            refused = run(*wrong)
            if refused.returncode != 2 or text not in refused.stderr:
                sys.exit(f"{wrong}: {refused}")
        if folder.exists():
            sys.exit("what was refused has left something")
        made = run(folder, "--cluster", "t", "chat-1")
        expect((made.returncode, made.stderr), (0, ""))
        before = (folder / "chat-1.pem").read_bytes()
        made = run(folder, "--cluster", "t", "chat-1", "chat_2")
        expect((made.returncode, made.stderr), (0, ""))
        expect((folder / "chat-1.pem").read_bytes(), before)
        expect({file.stat().st_mode & 0o077 for file in folder.iterdir()}, {0})
        configuration = folder / "nats-server.conf"
        configuration.write_text(configuration.read_text().replace("127.0.0.1:4222", "127.0.0.1:-1"))
        log = folder / "log"
        with log.open("w") as out:
            process = subprocess.Popen([server, "-c", configuration], stdout=out, stderr=out)
        try:
            end = time.monotonic() + 20
            while not (port := re.search(r"client connections on 127.0.0.1:(\d+)", log.read_text())):
                if time.monotonic() > end or process.poll() is not None:
                    sys.exit(log.read_text())
                time.sleep(0.02)
            check(folder, int(port[1]))
        finally:
            process.terminate()
            process.wait(timeout=20)


main()
