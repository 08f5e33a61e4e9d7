"""Does what the guide's first chapter says, word by word, in a root of Debian, and holds its conversation.

Usage: start_check.py <folder of the root>        start-check, beside this, makes one and calls it
"""

import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

root, inside = Path(__file__).resolve().parents[2], Path(sys.argv[1]).resolve()
sys.argv[1:] = [str(root), "."]
from guide_check import conversation_with, user  # noqa: E402

page = (root / "docs/guide/start.md").read_text()
commands = re.findall(r"^```sh\n(.*?)^```$", page, flags=re.M | re.S)
assert len(commands) == 3 and commands[0] == "scripts/chat\n", commands
prints = re.search(r"It prints where it listens, `(.*?)`", page)[1]
for_browsers = re.search(r"`(http://127.0.0.1:\d+/)`", page)[1]


def in_root(script):
    """Returns the command that runs a script of a shell there, in the source folder."""
    # Where one is root there may be no sudo.
    shell = 'set -e; export DEBIAN_FRONTEND=noninteractive; command -v sudo >/dev/null || sudo() { "$@"; }\n'
    libraries = f". '{root}/scripts/lib/common.sh'; . '{root}/scripts/lib/debian.sh'; "
    return ["bash", "-c", libraries + 'run_in_root "$@"', "bash", str(inside), "bash", "-c", shell + script]


# The finished one: somebody comes in, a browser asks for the page, and it ends.
tried = subprocess.Popen(in_root("exec " + commands[0]), stdout=subprocess.PIPE, text=True, start_new_session=True)
for line in tried.stdout:
    print(line, end="", flush=True)
    if "chat_server listens on 127.0.0.1:8123" in line:
        break
else:
    sys.exit("scripts/chat ended before it listened")
user(8123).reads("What's your name?")
with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(for_browsers, timeout=20) as answer:
    assert b"<title>Chat</title>" in answer.read(), f"{for_browsers} has another page"
os.killpg(tried.pid, signal.SIGTERM)
assert tried.wait(timeout=20) == 0, f"scripts/chat ended with {tried.returncode}"

# One's own.
subprocess.run(in_root(commands[1]), check=True)
includes = re.search(r"^```\n(#include.*?)^```$", page, flags=re.M | re.S)[1]
code = re.findall(r"^```cpp\n(.*?)^```$", page, flags=re.M | re.S)
assert len(code) == 2, code
(inside / "root/chat.cpp").write_text("\n".join([includes, *code]))
compile_, run = commands[2].splitlines()
subprocess.run(in_root(f"cd\n{compile_}"), check=True)
session = root / "examples/guide/chat1/session.txt"
assert session.read_text() in page, "the page has another conversation"
wrong = conversation_with(session, in_root(f"cd; exec {run}"), says=[prints])
sys.exit(wrong or print("the first chapter is true"))
