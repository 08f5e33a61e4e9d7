"""Runs the programs that print something and end, all at once, and some that fail: small_programs_check.py <folder>"""

import os
import subprocess
import sys

EXPECTED = {
    "hello": "Starting the reactor.\nHello from the reactor loop!\nLately I feel like I'm stuck in a rut.\n",
    "countdown": "Start!\n5 ...\n4 ...\n3 ...\n2 ...\n1 ...\nStop!\n",
    "looping_call": "called 1 times\ncalled 2 times\ncalled 3 times\nLoop done.\n",
    "defer_later": "This will run 3.5 seconds after it was scheduled: hello, world\n",
    "call_in_thread": "the reactor runs meanwhile\n2 seconds have passed\n",
    "defer_to_thread": "442\n",
    "blocking_call_from_thread": "the answer\nwrong question\n",
    "three_actors": "with callbacks: bonjour\n"
    "with callbacks: no word for night: invalid argument\n"
    "as a coroutine: bonjour\n"
    "as a coroutine: no word for night: invalid argument\n",
    "request_client": "day: jour\ngoodbye: au revoir\nnonsense: no such word: invalid argument\nsilence: no answer\n",
    "word_count": "7 words\n",
    "process_output": "expr says 42\ntest says 1\n"
    "/no/such/program: No such file or directory: the process could not be started\n",
}


def check_failures(folder):
    """Who cannot do what it is for says why, and fails."""
    p = subprocess.run([f"{folder}/word_count"], env={"PATH": "/nowhere"}, capture_output=True, text=True, timeout=20)
    assert (p.returncode, p.stdout) == (1, ""), p
    assert p.stderr.startswith("word_count: wc: No such file or directory"), p

    with open("/dev/full", "w") as full, open(os.devnull) as nothing:
        p = subprocess.run(
            [f"{folder}/stdio_echo"], stdin=nothing, stdout=full, stderr=subprocess.PIPE, text=True, timeout=20
        )
    assert p.returncode == 1 and p.stderr.startswith("stdio_echo: No space left on device"), p


def main():
    check_failures(sys.argv[1])
    running = {
        name: subprocess.Popen([f"{sys.argv[1]}/{name}"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for name in EXPECTED
    }
    failed = []
    for name, program in running.items():
        try:
            out, err = program.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            program.kill()
            out, err = program.communicate()
        complaints = [line for line in err.splitlines() if "[info]" not in line]
        if (out, complaints, program.returncode) != (EXPECTED[name], [], 0):
            failed.append((name, program.returncode, out, err))
    assert not failed, failed


main()
