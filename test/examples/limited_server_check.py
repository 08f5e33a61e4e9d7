"""Asks the limited server for more than it gives: limited_server_check.py <folder of the programs>"""

import signal
import socket
import subprocess
import sys


def connect(port, source="127.0.0.1"):
    return socket.create_connection(("127.0.0.1", port), timeout=20, source_address=(source, 0))


def expect(s, text):
    got = b""
    while len(got) < len(text):
        piece = s.recv(4096)
        assert piece, got
        got += piece
    assert got == text, got


def main():
    program = sys.argv[1] + "/limited_server"
    server = subprocess.Popen([program, "--port", "0", "--loops", "2"], stdout=subprocess.PIPE, text=True)
    try:
        port = int(server.stdout.readline().rsplit(":", 1)[1])
        users = []
        for i in range(10):
            s = connect(port, f"127.0.0.{2 + i // 3}")
            s.sendall(b"hello")
            expect(s, b"hello")
            users.append(s)
            if i == 2:
                assert connect(port, "127.0.0.2").recv(10) == b""  # the fourth of that address
        late = connect(port, "127.0.0.9")
        expect(late, b"The server is busy, please try again later.\r\n")
        assert late.recv(10) == b""
        server.send_signal(signal.SIGINT)
        assert server.wait(20) == 0
    finally:
        server.kill()


main()
