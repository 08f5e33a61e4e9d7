"""Uses the UDP and multicast programs as their heads say: datagrams_check.py <folder of the programs>"""

import signal
import socket
import subprocess
import sys
from contextlib import contextmanager


@contextmanager
def running(*command):
    """Runs a program, and requires that SIGINT ends it well."""
    p = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield p.stdout
        p.send_signal(signal.SIGINT)
        assert p.wait(20) == 0
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


def failed(status, *command):
    """Requires that a program fails with `status` (None: any), and says nothing but why; returns that."""
    p = subprocess.run(command, capture_output=True, text=True, timeout=20)
    said = [l for l in p.stdout.splitlines() if "] [info] " not in l]
    assert p.returncode == status or (status is None and p.returncode > 0), p
    assert p.stderr and not said, p
    return p.stderr


def port_in(line):
    return line.strip().rsplit(":", 1)[1]


def main():
    folder = sys.argv[1] + "/"
    server, helloer = folder + "udp_echo_server", folder + "udp_helloer"

    with running(server, "0") as out:
        port = port_in(expect(out, "listens on 127.0.0.1:"))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(20)
            s.connect(("127.0.0.1", int(port)))
            s.send(b"from here")
            assert s.recv(100) == b"from here"
        expect(out, 'received "from here" from 127.0.0.1:')
        with running(helloer, "127.0.0.1", port) as hello:
            expect(hello, f"now we can only send to 127.0.0.1:{port}")
            expect(hello, f'received "hello" from 127.0.0.1:{port}')
        second = subprocess.run([server, port], capture_output=True, text=True, timeout=20)
        assert second.returncode == 1 and f"127.0.0.1:{port}" in second.stderr, second

    with running(helloer, "127.0.0.1", port) as hello:
        expect(hello, "now we can only send to")
        expect(hello, "No one listening")

    assert "udp_helloer: localhost:9999: this is not an address of the right kind\n" in failed(1, helloer, "localhost")
    for port in ("99999", "-5", "abc"):
        for program in (server, folder + "multicast_server", folder + "multicast_client"):
            failed(None, program, port)
        failed(None, helloer, "127.0.0.1", port)

    with running(folder + "multicast_server", "0", "127.0.0.1") as out:
        port = port_in(expect(out, "multicast_server listens on"))
        expect(out, "joined 228.0.0.5")
        with running(folder + "multicast_client", port, "127.0.0.1") as client:
            expect(client, 'Datagram "Server: Pong" received from ')
        expect(out, 'Datagram "Client: Ping" received from ')
    for program in ("multicast_server", "multicast_client"):
        p = subprocess.run([folder + program, "0", "nosuch"], capture_output=True, text=True, timeout=20)
        assert p.returncode == 1 and f"{program}: " in p.stderr and "nosuch" in p.stderr, p


main()
