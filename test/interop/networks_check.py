"""A silent peer, a lost link and a restarted server, in network namespaces: networks_check.py <examples> <folder of steady_peer>

It takes root; where namespaces are not permitted, it says so and is skipped.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager

EXAMPLES, PEERS = sys.argv[1], sys.argv[2]
HERE, THERE = f"troupe-{os.getpid()}-a", f"troupe-{os.getpid()}-b"
OURS, THEIRS, SILENT = "10.77.0.1", "10.77.0.2", "10.77.0.9"
PORT = "7007"  # these networks are nobody else's
PATIENCE = 20


def ip(*words):
    done = subprocess.run(["ip", *words], capture_output=True, text=True)
    assert done.returncode == 0, (words, done.stderr)
    return done.stdout


def skip(why):
    print("skipped: " + why)
    sys.exit(77)


@contextmanager
def two_networks():
    """Two namespaces, and a cable between them. What they hold ends with them."""
    with ExitStack() as undo:
        for name in (HERE, THERE):
            made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True)
            if made.returncode != 0:
                skip("no network namespaces here: " + made.stderr.strip())
            undo.callback(subprocess.run, ["ip", "netns", "delete", name])
        made = subprocess.run(["ip", "-n", HERE, "link", "add", "cable", "type", "veth", "peer", "name", "cable",
                               "netns", THERE], capture_output=True, text=True)
        if made.returncode != 0:
            skip("no pairs of virtual links here: " + made.stderr.strip())
        for name, address in ((HERE, OURS), (THERE, THEIRS)):
            ip("-n", name, "address", "add", address + "/24", "dev", "cable")
            ip("-n", name, "link", "set", "lo", "up")
            ip("-n", name, "link", "set", "cable", "up")
        # What is sent to the silent address reaches the other end, and is dropped there.
        mac = ip("-n", THERE, "-o", "link", "show", "cable").split("link/ether ")[1].split()[0]
        ip("-n", HERE, "neighbour", "add", SILENT, "lladdr", mac, "dev", "cable", "nud", "permanent")
        ip("-n", THERE, "route", "add", "blackhole", SILENT + "/32")
        yield


@contextmanager
def program(network, *command):
    p = subprocess.Popen(["ip", "netns", "exec", network, *command], stdout=subprocess.PIPE, text=True,
                         stderr=subprocess.DEVNULL)
    try:
        yield p
    finally:
        p.kill()
        p.wait()
        p.stdout.close()


@contextmanager
def echo_server():
    with program(THERE, f"{EXAMPLES}/echo_server", "--port", PORT, "--interface", THEIRS) as server:
        assert "listens on" in server.stdout.readline()
        yield server


def until(p, *texts):
    said = []
    for line in p.stdout:
        said.append(line.strip())
        if all(text in line for text in texts):
            return
    raise AssertionError((texts, said))


def silent_peer():
    for seconds in (1, 2):
        began = time.monotonic()
        done = subprocess.run(["ip", "netns", "exec", HERE, f"{EXAMPLES}/netcat",
                               f"tcp:{SILENT}:{PORT}:timeout={seconds}"], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=PATIENCE)
        took = time.monotonic() - began
        assert done.returncode == 1 and "longer than allowed" in done.stderr and SILENT in done.stderr, done
        assert took >= seconds, took  # and before the system would give up, which is after two minutes


def lost_link_and_restarted_server():
    for way in ("service", "factory"):
        with program(HERE, f"{PEERS}/steady_peer", way, THEIRS, PORT) as client:
            with echo_server() as server:
                until(client, "answered")
                ip("-n", THERE, "link", "set", "cable", "down")
                until(client, "lost:", "silent for too long")
                ip("-n", THERE, "link", "set", "cable", "up")
                until(client, "answered")
                server.kill()
                until(client, "lost:")
            with echo_server():
                until(client, "answered")
                assert client.poll() is None
                client.send_signal(signal.SIGINT)
                assert client.wait(PATIENCE) == 0


def give_up(*_):
    raise TimeoutError("the check was told to end, or took too long")


def main():
    for reason in (signal.SIGTERM, signal.SIGALRM):
        signal.signal(reason, give_up)  # so that nothing is left behind
    signal.alarm(80)  # before ctest would kill it
    if shutil.which("ip") is None:
        skip("ip is not installed (iproute2)")
    with two_networks():
        silent_peer()
        lost_link_and_restarted_server()


main()
