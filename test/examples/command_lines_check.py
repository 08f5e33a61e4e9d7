"""How the programs take their arguments: command_lines_check.py <folder of the programs>"""

import os
import subprocess
import sys

SERVERS = ["chat_server", "tls_chat_server", "echo_server", "limited_server"]
if os.path.exists(f"{sys.argv[1]}/http_server"):  # its component may be off
    SERVERS.append("http_server")
OTHERS = ["echo_client", "netcat", "tls_chat_client", "udp_echo_server", "udp_helloer", "multicast_client",
          "multicast_server", "unix_datagrams", "pass_descriptor", "port_forward", "socks_server", "inetd"]


def run(name, *arguments):
    return subprocess.run([f"{sys.argv[1]}/{name}", *arguments], capture_output=True, text=True, timeout=20)


def main():
    for name in SERVERS + OTHERS:
        p = run(name, "--help")
        assert p.returncode == 0 and f"Usage: {name} " in p.stdout and not p.stderr, p
        assert all(len(line) < 120 for line in p.stdout.splitlines()), p.stdout
        p = run(name, "--version")
        assert p.returncode == 0 and p.stdout.startswith(f"{name} ") and p.stdout.split()[1][0].isdigit(), p
        p = run(name, "--no-such-option")
        assert p.returncode == 2 and p.stderr and not p.stdout, p
    for name in ("unix_datagrams", "pass_descriptor", "netcat", "echo_client", "port_forward"):
        p = run(name)
        assert p.returncode == 2 and p.stderr, p
    for name in SERVERS:
        for wrong in (["--port", "99999"], ["--port", "x"], ["--placement", "anywhere"], ["--log-level", "loud"]):
            p = run(name, *wrong)
            assert p.returncode == 2 and wrong[0] in p.stderr, p
        p = run(name, "--interface", "localhost")
        assert p.returncode == 2 and "names are not looked up" in p.stderr and "127.0.0.1" in p.stderr, p
    p = run("chat_server", "--port", "0", "--interface", "192.0.2.1")  # an address, but not ours
    assert p.returncode == 1 and "192.0.2.1" in p.stderr, p


main()
