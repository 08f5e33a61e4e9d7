"""UDP and multicast beside Twisted, in both directions: datagrams_check.py <folder of the programs>"""

import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

PYTHON = "/usr/bin/python3"  # Debian's, which has Debian's Twisted
PEER = [PYTHON, str(Path(__file__).with_name("twisted_datagrams.py"))]


@contextmanager
def running(*command):
    p = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield p.stdout
    finally:
        p.kill()
        p.wait()


def expect(output, text):
    """Returns the next line that the program says; its log is passed over."""
    line = output.readline()
    while "] [info] " in line:
        line = output.readline()
    assert text in line, (line, text)
    return line


def port_in(line):
    return line.strip().rsplit(":", 1)[-1]


def peer_succeeds(*arguments):
    got = subprocess.run(PEER + list(arguments), capture_output=True, text=True, timeout=60)
    assert got.returncode == 0 and got.stdout == "ok\n", got


def main():
    folder = sys.argv[1] + "/"
    if subprocess.run([PYTHON, "-c", "import twisted"], stderr=subprocess.DEVNULL).returncode != 0:
        print("skipped: python3-twisted is not installed")
        sys.exit(77)

    with running(folder + "udp_echo_server", "0") as ours:
        peer_succeeds("client", port_in(expect(ours, "listens on")))

    with running(*PEER, "echo") as theirs:
        port = port_in(theirs.readline())
        with running(folder + "udp_helloer", "127.0.0.1", port) as ours:
            expect(ours, "now we can only send to")
            expect(ours, f'received "hello" from 127.0.0.1:{port}')

    with running(folder + "multicast_server", "0", "127.0.0.1") as ours:
        port = port_in(expect(ours, "listens on"))
        expect(ours, "joined 228.0.0.5")
        peer_succeeds("ping", port)
        expect(ours, 'Datagram "Client: Ping" received')

    with running(*PEER, "group") as theirs:
        port = port_in(theirs.readline())
        with running(folder + "multicast_client", port, "127.0.0.1") as ours:
            expect(ours, 'Datagram "Server: Pong" received')


main()
