"""Runs the programs of docs/from-twisted.md, Python's and ours, against the same client; they must do the same.

Usage: twisted_check.py <source folder> <folder of the examples>
"""

import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

PYTHON = "/usr/bin/python3"  # Debian's, which has Debian's Twisted
if subprocess.run([PYTHON, "-c", "import twisted"], stderr=subprocess.DEVNULL).returncode != 0:
    print("python3-twisted is not installed")
    sys.exit(77)

root, programs = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
theirs = root / "examples/guide/from_twisted"
sys.path.insert(0, str(Path(__file__).parent))
sys.argv[2] = str(programs / "guide")
from guide_check import conversation_with  # noqa: E402

PRINT = ("hello", "countdown", "looping_call", "call_in_thread", "word_count")


def pair(name):
    return [[PYTHON, theirs / f"{name}.py"], [programs / name]]


def prints(name):
    """Both print the same, and succeed."""
    running = [subprocess.Popen(c, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for c in pair(name)]
    python, ours = [(*p.communicate(timeout=60), p.returncode) for p in running]
    if python[0] != ours[0] or python[2] or ours[2] or not ours[0]:
        return f"{name}: {python} {ours}"
    return None


def quotes():
    """Both serve the same quote, at the same port."""
    got = []
    for command in pair("quote_of_the_day"):
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            said = server.stdout.readline()
            with socket.create_connection(("127.0.0.1", 8017), timeout=20) as s:
                got.append((said, s.makefile("rb").read()))
        finally:
            server.terminate()
            server.communicate()
    return f"quote_of_the_day: {got}" if got[0] != got[1] or not got[0][1] else None


def chats():
    """The session of our second chat, with Python's."""
    return conversation_with(root / "examples/guide/chat2/session.txt", [PYTHON, theirs / "chat.py", "0"])


def main():
    with ThreadPoolExecutor(8) as pool:
        jobs = [pool.submit(prints, n) for n in PRINT] + [pool.submit(quotes), pool.submit(chats)]
        wrong = [w for w in (j.result() for j in jobs) if w]
    print(f"{len(PRINT) + 2} pairs")
    return "\n".join(wrong) or 0


sys.exit(main())
