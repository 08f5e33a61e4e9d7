"""Starts the program on a free port, talks to it, and ends it: integration_test.py <program>"""

import re
import signal
import socket
import subprocess
import sys

server = subprocess.Popen([sys.argv[1], "0"], stdout=subprocess.PIPE, text=True)
try:
    port = int(re.search(r":(\d+)$", server.stdout.readline().strip())[1])
    with socket.create_connection(("127.0.0.1", port), timeout=20) as s:
        lines = s.makefile("rb")
        assert lines.readline() == b"Hello. Say a word.\r\n"
        s.sendall(b"day\r\nnight\r\nday\r\n")
        assert [lines.readline() for _ in range(3)] == [b"day: 1\r\n", b"night: 1\r\n", b"day: 2\r\n"]
        server.send_signal(signal.SIGTERM)
        assert lines.readline() == b""
    assert server.wait(timeout=20) == 0
finally:
    server.kill()
