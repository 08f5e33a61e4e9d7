"""Does what the guide's first chapter says, word by word, and holds its conversation: for a bare Debian.

    scripts/in-debian 12 python3 test/docs/start_check.py     (and 13)

It builds the library and installs it into /usr/local, so it is not part of the suite.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

sys.argv[1:] = [str(Path(__file__).resolve().parents[2]), "."]
from guide_check import conversation_with  # noqa: E402

root = Path(sys.argv[1])
page = (root / "docs/guide/start.md").read_text()
commands = re.findall(r"^```sh\n(.*?)^```$", page, flags=re.M | re.S)
assert len(commands) == 3 and commands[0] == "scripts/chat\n", commands

# The finished one: until it listens.
tried = subprocess.Popen(["scripts/chat"], cwd=root, stdout=subprocess.PIPE, text=True, start_new_session=True)
for line in tried.stdout:
    print(line, end="")
    if "chat_server listens on 127.0.0.1:8123" in line:
        break
else:
    sys.exit("scripts/chat ended before it listened")
os.killpg(tried.pid, signal.SIGTERM)
assert tried.wait(timeout=20) == 0

# One's own. Where one is root there may be no sudo.
shell = 'set -e; command -v sudo >/dev/null || sudo() { "$@"; }\n'
environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
subprocess.run(["bash", "-c", shell + commands[1]], cwd=root, env=environment, check=True)
with tempfile.TemporaryDirectory() as folder:
    includes = re.search(r"^```\n(#include.*?)^```$", page, flags=re.M | re.S)[1]
    code = re.findall(r"^```cpp\n(.*?)^```$", page, flags=re.M | re.S)
    assert len(code) == 2, code
    (Path(folder) / "chat.cpp").write_text("\n".join([includes, *code]))
    compile_, run = commands[2].splitlines()
    subprocess.run(["bash", "-c", shell + compile_], cwd=folder, check=True)
    wrong = conversation_with(root / "examples/guide/chat1/session.txt", [f"{folder}/{run}"])
sys.exit(wrong or print("the first chapter is true"))
