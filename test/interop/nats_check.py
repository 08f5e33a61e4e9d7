"""nats_pub and nats_sub beside a nats-server and libnats: nats_check.py <folder of the programs> <folder of the peers>"""

import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def running(*command, **how):
    p = subprocess.Popen(command, text=True, **how)
    try:
        yield p
    finally:
        p.kill()
        p.wait()


def output(*command):
    got = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert got.returncode == 0, got
    return got.stdout


def wait_for(stream, text):
    for line in stream:
        if text in line:
            return line
    raise AssertionError(f"the end, and no {text}")


def main():
    pub, sub = Path(sys.argv[1]) / "nats_pub", Path(sys.argv[1]) / "nats_sub"
    peer = Path(sys.argv[2]) / "nats_peer"
    for what, there in (("nats-server", shutil.which("nats-server")), ("nats_peer, which needs libnats-dev", peer.exists()),
                        ("nats_pub, which needs the component nats", pub.exists())):
        if not there:
            print(f"skipped: there is no {what}")
            sys.exit(77)

    with running("nats-server", "-a", "127.0.0.1", "-p", "-1", stderr=subprocess.PIPE) as server:
        line = wait_for(server.stderr, "Listening for client connections on ")
        url = "nats://" + re.search(r"on (127\.0\.0\.1:\d+)", line)[1]
        wait_for(server.stderr, "Server is ready")

        # Theirs reads what ours publishes, headers too.
        with running(peer, "sub", url, "room.>", "1001", stdout=subprocess.PIPE) as theirs:
            assert theirs.stdout.readline() == "ready\n"
            output(pub, "--server", url, "--count", "1000", "room.a", "hello")
            output(pub, "--server", url, "--header", "Key:value", "room.b", "headed")
            said = theirs.stdout.read().splitlines()
            assert said == ["room.a hello"] * 1000 + ["room.b headed Key=value"], said[-3:]

        # Ours reads what theirs publishes.
        with running(sub, "--server", url, "--count", "1000", "chat.*", stdout=subprocess.PIPE,
                     stderr=subprocess.PIPE) as ours:
            wait_for(ours.stderr, "connected")
            output(peer, "pub", url, "other", "passed over", "1")  # by then the server has our subscription
            output(peer, "pub", url, "chat.x", "hi", "1000")
            assert ours.stdout.read().splitlines() == ["[chat.x] hi"] * 1000
            assert ours.wait(timeout=30) == 0

        # Questions both ways.
        with running(peer, "reply", url, "double", stdout=subprocess.PIPE) as theirs:
            assert theirs.stdout.readline() == "ready\n"
            assert output(pub, "--server", url, "--request", "double", "ab") == "abab\n"
        with running(sub, "--server", url, "--reply", "at your service", "help", stdout=subprocess.PIPE,
                     stderr=subprocess.PIPE) as ours:
            wait_for(ours.stderr, "connected")
            assert output(peer, "request", url, "help", "?") == "at your service\n"

        got = subprocess.run([pub, "--server", url, "--request", "nobody", "x"], capture_output=True, text=True, timeout=60)
        assert got.returncode == 1 and "nobody serves" in got.stderr, got

    got = subprocess.run([pub, "--server", url, "a", "x"], capture_output=True, text=True, timeout=60)
    assert got.returncode == 1 and "refused" in got.stderr, got
    got = subprocess.run([pub, "--server", "nats://:x", "a", "x"], capture_output=True, text=True, timeout=60)
    assert got.returncode == 2, got


main()
