"""Runs the tree that heals: supervision_check.py <folder of the programs>"""

import subprocess
import sys

ROUND = ["  the audience listens", "  1", "  2", "supervisor show: child counter ended: cannot count to three"]


def main():
    done = subprocess.run([sys.argv[1] + "/supervision"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done
    lines = [line for line in done.stdout.splitlines() if line in ROUND]
    assert lines == ROUND * 3, done.stdout
    for text in [
        "supervisor show: child counter restarts in 0.1 s (1 within the period)",
        "supervisor show: child counter restarts in 0.2 s (2 within the period)",
        "supervisor show: child audience stopped",
        "supervisor show: child counter crashed too often; giving up",
        "supervisor root: child show ended: ",
        "supervisor root: stopped",
    ]:
        assert text in done.stdout, (text, done.stdout)


main()
