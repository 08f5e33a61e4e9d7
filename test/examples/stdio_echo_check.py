"""Talks to stdio_echo through pipes, a file, a socket and a terminal: stdio_echo_check.py <folder>"""

import os
import pty
import select
import socket
import subprocess
import sys
import tempfile

PROGRAM = f"{sys.argv[1]}/stdio_echo"
GREETING = "Say something, or quit.\n"


def run(**streams):
    return subprocess.run([PROGRAM], timeout=30, text=True, check=True, **streams)


def main():
    assert run(input="hello\nquit\n", stdout=subprocess.PIPE).stdout == GREETING + "You said: hello\nBye.\n"
    assert run(stdin=subprocess.DEVNULL, stdout=subprocess.PIPE).stdout == GREETING  # the end at once

    with tempfile.TemporaryFile("w+") as source, tempfile.TemporaryFile("w+") as target:
        source.write("from a file\n" * 10000)
        source.seek(0)
        run(stdin=source, stdout=target)
        target.seek(0)
        assert target.read() == GREETING + "You said: from a file\n" * 10000

    for closed, text in (("<&-", "input"), (">&-", "output"), ("<&- >&-", "input"), ("<&- >&- 2>&-", None)):
        done = subprocess.run(["bash", "-c", f'exec "{PROGRAM}" {closed}'], timeout=30, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert done.returncode == 1 and done.stdout == "", (closed, done)
        assert text is None or done.stderr.startswith(f"stdio_echo: standard {text} is closed"), (closed, done)

    ours, theirs = socket.socketpair()
    with ours, theirs:
        program = subprocess.Popen([PROGRAM], stdin=theirs, stdout=theirs)
        ours.sendall(b"quit\n")
        assert program.wait(30) == 0
        assert os.get_blocking(theirs.fileno())
        assert ours.recv(1000).startswith(GREETING.encode())

    master, slave = pty.openpty()
    program = subprocess.Popen([PROGRAM], stdin=slave, stdout=slave, stderr=slave)
    os.write(master, b"quit\n")
    assert program.wait(30) == 0
    assert os.get_blocking(slave)
    said = b""
    while b"Bye." not in said:  # the terminal hands on what it likes
        assert select.select([master], [], [], 20)[0], said
        said += os.read(master, 1000)


main()
