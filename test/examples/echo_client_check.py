"""Runs the echo client before and after its server: echo_client_check.py <folder of the programs>"""

import socket
import subprocess
import sys


def main():
    folder = sys.argv[1]
    for wrong in ("99999", "-5", "abc"):
        p = subprocess.run([f"{folder}/echo_client", "127.0.0.1", wrong], capture_output=True, text=True, timeout=20)
        assert p.returncode > 0 and not p.stdout and p.stderr, p
    with socket.socket() as s:  # a port that is free
        s.bind(("127.0.0.1", 0))
        port = str(s.getsockname()[1])
    client = subprocess.Popen(
        [f"{folder}/echo_client", "127.0.0.1", port], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    server = None
    try:
        for line in client.stderr:  # it logs that nobody is there
            if "again in" in line:
                break
        server = subprocess.Popen([f"{folder}/echo_server", "--port", port], stdout=subprocess.PIPE, text=True)
        assert server.stdout.readline()
        assert client.stdout.readline() == "Server said: Hello, world!\n"
        assert client.wait(20) == 0
        by_name = subprocess.run(
            [f"{folder}/echo_client", "localhost", port], stdout=subprocess.PIPE, text=True, timeout=20
        )
        assert (by_name.stdout, by_name.returncode) == ("Server said: Hello, world!\n", 0), by_name
    finally:
        for program in (client, server):
            if program is not None:
                program.kill()
                program.wait()


main()
