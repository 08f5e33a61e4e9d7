"""Uses http_server as its head says: http_server_check.py <folder of the programs>"""

import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager

PROGRAM = f"{sys.argv[1]}/http_server"


@contextmanager
def serving(*arguments):
    """Runs the server; SIGINT must end it well."""
    p = subprocess.Popen([PROGRAM, "--port", "0", *arguments], stdout=subprocess.PIPE, text=True)
    try:
        yield int(p.stdout.readline().rsplit(":", 1)[1])
        p.send_signal(signal.SIGINT)
        begin = time.monotonic()
        assert p.wait(20) == 0
        assert time.monotonic() - begin < 4.5, "idle connections held the end up"  # the grace time is 5 s
    finally:
        p.kill()
        p.wait()


def get(connection, path, method="GET", **fields):
    connection.request(method, path, headers={name.replace("_", "-"): value for name, value in fields.items()})
    answer = connection.getresponse()
    return answer, answer.read()


def to_its_end(port, data):
    """Returns all that the server says to these bytes, until it closes."""
    with socket.create_connection(("127.0.0.1", port), 20) as s:
        s.sendall(data)
        said = b""
        while part := s.recv(65536):
            said += part
        return said


def says_hello():
    with serving("--loops", "2") as port:
        c = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        for _ in range(3):
            answer, body = get(c, "/")
            assert (answer.status, body) == (200, b"Hello, world!"), (answer.status, body)
        assert get(c, "/nothing")[0].status == 404
        answer, body = get(c, "/", "POST")
        assert answer.status == 405 and answer.headers["Allow"] == "OPTIONS, GET, HEAD", answer.headers
        one = b"GET / HTTP/1.1\r\nHost: a\r\n"
        said = to_its_end(port, (one + b"\r\n") * 999 + one + b"Connection: close\r\n\r\n")
        assert said.count(b"Hello, world!") == 1000 and said.count(b"Connection: close") == 1, said[-500:]
        said = to_its_end(port, one + b"\r\n" + b"GET  /\r\n\r\n" + b"x" * 10000)
        assert said.startswith(b"HTTP/1.1 200") and b"HTTP/1.1 400" in said, said


def serves_a_folder():
    with tempfile.TemporaryDirectory() as folder:
        large = os.urandom(3_000_000)
        with open(f"{folder}/large.bin", "wb") as f:
            f.write(large)
        os.symlink("/etc/passwd", f"{folder}/link")
        with serving("--root", folder) as port:
            c = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            answer, body = get(c, "/large.bin")
            assert answer.status == 200 and body == large and answer.headers["Content-Type"] == "application/octet-stream"
            tag = answer.headers["ETag"]
            answer, body = get(c, "/large.bin", Range="bytes=1000000-2999998")
            assert answer.status == 206 and body == large[1000000:2999999]
            answer, body = get(c, "/large.bin", Range="bytes=0-9,20-29")
            assert answer.status == 206 and large[:10] in body and large[20:30] in body
            assert get(c, "/large.bin", If_None_Match=tag)[0].status == 304
            assert get(c, "/large.bin", "HEAD")[0].headers["Content-Length"] == "3000000"
            for path in ("/link", "/../etc/passwd", "/%2e%2e/etc/passwd", "/..%2f..%2fetc/passwd", "//etc/passwd"):
                assert get(c, path)[0].status == 404, path


if os.path.exists(PROGRAM):
    says_hello()
    serves_a_folder()
else:
    print("http_server is not built: its component is off")
