"""Runs port_forward between clients and servers of others: port_forward_check.py <folder of the programs>"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading

PROGRAM = sys.argv[1] + "/port_forward"
BIG = bytes(range(256)) * 40_000


def start(*arguments):
    """Starts the program; returns it, and where it listens."""
    p = subprocess.Popen([PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    line = p.stdout.readline()
    assert line.startswith("port_forward listens on "), line
    return p, line.split()[-1]


def stop(p):
    p.terminate()
    assert p.wait(20) == 0, p.returncode


def half_close(connect):
    """A server answers when its input has ended, by how much it got."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        p, where = start("tcp:0", f"tcp:127.0.0.1:{server.getsockname()[1]}")

        def serve():
            c, _ = server.accept()
            got = 0
            while data := c.recv(65536):
                got += len(data)
            c.sendall(b"got %d" % got)
            c.close()

        thread = threading.Thread(target=serve)
        thread.start()
        assert connect(int(where.rsplit(":", 1)[1])) == b"got %d" % len(BIG)
        thread.join(20)
        stop(p)


def by_socket(port):
    with socket.create_connection(("127.0.0.1", port), timeout=20) as c:
        c.sendall(BIG)
        c.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: c.recv(65536), b""))


def by_program(*command):
    def connect(port):
        done = subprocess.run([word.replace("PORT", str(port)) for word in command], input=BIG, capture_output=True,
                              timeout=30)
        return done.stdout

    return connect


def over_unix(folder):
    """TCP to a UNIX socket and back to TCP, to a server of Python's."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        inner, _ = start(f"unix:{folder}/s", f"tcp:127.0.0.1:{server.getsockname()[1]}")
        outer, where = start("tcp:0", f"unix:{folder}/s")
        with socket.create_connection(("127.0.0.1", int(where.rsplit(":", 1)[1])), timeout=20) as c:
            s, _ = server.accept()
            s.sendall(b"hello")
            assert c.recv(100) == b"hello"
            s.close()
            assert c.recv(100) == b""
        stop(outer)
        stop(inner)


half_close(by_socket)
if shutil.which("socat"):
    half_close(by_program("socat", "-t", "20", "-", "TCP:127.0.0.1:PORT"))
if shutil.which("ncat"):
    half_close(by_program("ncat", "127.0.0.1", "PORT"))
with tempfile.TemporaryDirectory() as folder:
    over_unix(folder)
for wrong in (["tcp:0"], ["tcp:x", "tcp:localhost:7"], ["tcp:0", "gopher:localhost"]):
    done = subprocess.run([PROGRAM, *wrong], capture_output=True, text=True, timeout=20)
    assert done.returncode != 0 and done.stderr, done
