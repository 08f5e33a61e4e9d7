"""The example leased_child in three processes, by a file and by a nats-server: leases_check.py <folder of the programs> <folder of the peers>

Who has the job is killed, stopped for longer than its lease, and ended; the next token is always greater, and the job never works
with a lesser one after that.
"""

import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

program = Path(sys.argv[1]) / "leased_child"
if not program.exists():
    print("skipped: there is no leased_child, which needs the component sqlite_leases")
    sys.exit(77)


class node:
    def __init__(self, by, name, all_lines):
        self.name = name
        self.process = subprocess.Popen([program, *by, name], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.thread = threading.Thread(target=self.listen, args=(all_lines,))
        self.thread.start()

    def listen(self, all_lines):
        for line in self.process.stdout:
            with all_lines:
                all_lines.told.append((time.monotonic(), self.name, line.strip()))
                all_lines.notify_all()

    def end(self, number=signal.SIGKILL):
        self.process.send_signal(number)
        self.process.wait(20)
        self.thread.join(20)


def starts(lines):
    """Returns who began, and with which token, in the order in which that was told."""
    return [(name, int(m[1])) for _, name, text in lines.told if (m := re.fullmatch(r"it is our turn, with token (\d+)", text))]


def next_start(lines, after):
    with lines:
        assert lines.wait_for(lambda: len(starts(lines)) > after, 30), f"nobody began: {lines.told}"
        return starts(lines)[after]


def check(by):
    lines = threading.Condition()
    lines.told = []
    nodes = {name: node(by, name, lines) for name in ("ann", "bob", "eve")}
    try:
        seen = [next_start(lines, 0)]
        for accident in ("killed", "stopped", "ended"):
            holder = nodes[seen[-1][0]]
            begun = time.monotonic()
            if accident == "killed":
                holder.end()
            elif accident == "stopped":
                holder.process.send_signal(signal.SIGSTOP)
            else:
                holder.end(signal.SIGTERM)
            seen.append(next_start(lines, len(seen)))
            took = time.monotonic() - begun
            print(f"{by[0]}: {accident}, another began after {took:.2f} s")
            assert seen[-1][0] != holder.name, seen
            assert seen[-1][1] > seen[-2][1], seen
            assert took < (3 if accident == "ended" else 15), took
            if accident == "stopped":
                with lines:
                    before = len(lines.told)
                holder.process.send_signal(signal.SIGCONT)
                with lines:
                    over = (holder.name, "it is not our turn any more")
                    assert lines.wait_for(lambda: over in [t[1:] for t in lines.told[before:]], 20), lines.told
                    assert (holder.name, "working") not in [t[1:] for t in lines.told[before:]], lines.told
            elif accident == "ended":
                assert holder.process.returncode == 0, holder.process.returncode
            nodes[holder.name] = node(by, holder.name, lines) if accident == "killed" else holder
    finally:
        for n in nodes.values():
            if n.process.poll() is None:
                n.process.send_signal(signal.SIGCONT)
                n.end()


with tempfile.TemporaryDirectory() as folder:
    check(["--file", f"{folder}/leases.db"])
    if shutil.which("nats-server"):
        server = subprocess.Popen(["nats-server", "-js", "-sd", f"{folder}/js", "-a", "127.0.0.1", "-p", "-1"],
                                  stderr=subprocess.PIPE, text=True)
        try:
            for line in server.stderr:
                if m := re.search(r"client connections on (127\.0\.0\.1:\d+)", line):
                    break
            threading.Thread(target=server.stderr.read, daemon=True).start()
            check(["--nats", "nats://" + m[1]])
        finally:
            server.kill()
            server.wait()
    else:
        print("nats-server is not installed: only the file was tried")
