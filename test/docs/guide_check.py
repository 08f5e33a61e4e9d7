"""Runs the guide's programs, and compares what they print with what the guide shows.

Usage: guide_check.py <source folder> <folder of the guide's programs> [<program whose component is off>...]

`time.cancel.txt` is what `time cancel` prints, and `time.txt` what `time` does. A `session.txt` in the folder of a
server is a conversation with it:

    ann connects  (or `connects over TLS`, or `connects by WebSocket`)
    ann reads  What's your name?
    ann types  ann
    ann ends   closes the connection
    ann lost   the server closes it
"""

import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

root, programs = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
off = sys.argv[3:]
guide = root / "examples/guide"


def output_of(page):
    """Runs what `page` has the output of; returns what is wrong."""
    name, *case = page.name[: -len(".txt")].split(".")
    if name in off:
        print(f"a component of {name} is off: it was not tried")
        return None
    done = subprocess.run([programs / name, *case], capture_output=True, text=True, timeout=60, cwd=guide)
    if done.returncode != 0 or done.stdout != page.read_text():
        return f"{name} {' '.join(case)}: status {done.returncode}\n{done.stdout}{done.stderr}--- expected:\n{page.read_text()}"
    return None


class user:
    def __init__(self, port, tls=None):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
        self.file = self.socket.makefile("rb")

    def reads(self, text):
        got = self.file.readline().decode().rstrip("\r\n")
        assert got == text, f"read {got!r}, not {text!r}"

    def types(self, text):
        self.socket.sendall(text.encode() + b"\r\n")

    def ends(self, _):
        self.file.close()
        self.socket.close()

    def lost(self, _):
        assert self.file.readline() == b"", "the connection is open"


class page_of(user):
    """What the page of the seventh chat is: one end of a WebSocket."""

    def __init__(self, port, name):
        super().__init__(port)
        self.socket.sendall((f"GET /chat?name={name} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
                             f"Connection: Upgrade\r\nOrigin: http://127.0.0.1:{port}\r\nSec-WebSocket-Version: 13\r\n"
                             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n").encode())
        head = [self.file.readline()]
        while head[-1].strip():
            head.append(self.file.readline())
        assert head[0].startswith(b"HTTP/1.1 101 "), head

    def reads(self, text):
        kind, size = self.file.read(2)
        assert kind == 0x81 and size < 126, f"a frame of kind {kind:x} with {size} bytes"
        got = self.file.read(size).decode()
        assert got == text + "\r\n", f"read {got!r}, not {text!r}"

    def types(self, text):
        data = text.encode()
        assert len(data) < 126
        self.socket.sendall(bytes([0x81, 0x80 | len(data), 0, 0, 0, 0]) + data)  # a mask of zeros


def arguments_of(name, folder):
    """Returns what the program of a chat is started with, and how one comes to it over TLS."""
    if name == "chat7":
        return ["0", "0", str(guide / "chat7/page")], None
    if name != "chat5":
        return ([] if name == "chat1" else ["0"]), None  # the first program has no arguments
    key, chain = f"{folder}/key.pem", f"{folder}/chain.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", chain], check=True, capture_output=True)
    return ["tcp:0", f"ssl:0:privateKey={key}:certKey={chain}"], ssl.create_default_context(cafile=chain)


def conversation(page):
    """Starts a server, and plays a session with it."""
    name = page.parent.name
    if name in off:
        print(f"a component of {name} is off: it was not tried")
        return None
    if name == "chat1":
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", 8123))
            except OSError:
                print("something listens at port 8123: chat1 was not tried")
                return None
    with tempfile.TemporaryDirectory() as folder:
        arguments, tls = arguments_of(name, folder)
        return conversation_with(page, [programs / name, *arguments], tls)


def conversation_with(page, command, tls=None, says=None):
    """Plays a session with a server that says where it listens; over TLS or by WebSocket at its second port."""
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        said = [server.stdout.readline() for _ in range(2 if " connects " in page.read_text() else 1)]
        if says is not None and said != [line + "\n" for line in says]:
            return f"the server said {said}, not {says}"
        return play(page, server, [int(re.search(r":(\d+)/?$", line.strip())[1]) for line in said], tls)
    finally:
        server.kill()
        server.communicate()


def play(page, server, ports, tls):
    users = {}
    for number, line in enumerate(page.read_text().splitlines(), 1):
        who, does, *text = line.split(maxsplit=2)
        try:
            if does == "connects":
                by_page = text == ["by WebSocket"]
                users[who] = page_of(ports[1], who) if by_page else user(ports[1], tls) if text else user(ports[0])
            else:
                getattr(users[who], does)(text[0] if text else "")
        except (AssertionError, OSError) as e:
            return f"{page.relative_to(root)}:{number}: {line}: {e}"
    os.killpg(server.pid, signal.SIGTERM)  # it may run in a shell
    if server.wait(timeout=20) != 0:
        return f"{page.relative_to(root)}: the server ended with {server.returncode}"
    return None


def two_nodes():
    """What is said on one node of the sixth chat is read on the other, by way of a NATS server."""
    if "chat6" in off or not shutil.which("nats-server"):
        print("a component, or nats-server, is not here: chat6 was not tried")
        return None
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    running = [subprocess.Popen(["nats-server", "-a", "127.0.0.1", "-p", str(port)], stderr=subprocess.DEVNULL)]
    try:
        ports = []
        for name in ("chat-1", "chat-2"):
            node = subprocess.Popen([programs / "chat6", "0", name, f"nats://127.0.0.1:{port}"], stdout=subprocess.PIPE,
                                    stderr=subprocess.DEVNULL, text=True)
            running.append(node)
            ports.append(int(re.search(r":(\d+)$", node.stdout.readline().strip())[1]))
        ann, bob = map(user, ports)
        for who, name in ((ann, "ann"), (bob, "bob")):
            who.reads("What's your name?")
            who.types(name)
            who.reads(f"Welcome, {name}!")
            who.reads("You are in lobby.")
        ann.socket.settimeout(0.1)  # the nodes have to meet first, so bob says it again
        heard, tries = b"", 0
        while b"<bob> is anybody there?" not in heard and tries < 300:
            tries += 1
            bob.types("is anybody there?")
            try:
                heard += ann.socket.recv(4096)
            except TimeoutError:
                pass
        assert b"<bob> is anybody there?" in heard, "ann has heard nothing of bob"
        for node in running[:0:-1]:
            node.send_signal(signal.SIGTERM)
            assert node.wait(timeout=20) == 0, f"a node ended with {node.returncode}"
    except (AssertionError, OSError) as e:
        return f"chat6: {e}"
    finally:
        for process in running:
            process.kill()
            process.communicate()
    return None


def main():
    outputs = [p for p in sorted(guide.glob("*.txt")) if p.name != "CMakeLists.txt"]
    sessions = sorted(guide.glob("*/session.txt"))
    assert outputs and sessions, guide
    with ThreadPoolExecutor(4) as pool:
        wrong = [w for w in [*pool.map(output_of, outputs), *pool.map(conversation, sessions), two_nodes()] if w]
    print(f"{len(outputs)} outputs, {len(sessions)} sessions")
    return "\n".join(wrong) or 0


if __name__ == "__main__":
    sys.exit(main())
