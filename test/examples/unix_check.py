"""Uses the programs for UNIX sockets as their heads say: unix_check.py <folder of the programs>"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import contextmanager


@contextmanager
def running(*command):
    """Runs a program, and requires that SIGINT ends it well."""
    p = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield p.stdout
        p.send_signal(signal.SIGINT)
        assert p.wait(20) == 0
    finally:
        p.kill()
        p.wait()


def expect(output, text):
    """Returns the next line that the program says; its log is passed over."""
    line = output.readline()
    while "] [info] " in line:
        line = output.readline()
    assert text in line, (line, text)


def said(*command):
    """Runs a program to its end; returns its code and what it said besides its log."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    lines = [l for l in (done.stdout + done.stderr).splitlines() if "] [info] " not in l]
    return done.returncode, lines


def main():
    passing, datagrams = sys.argv[1] + "/pass_descriptor", sys.argv[1] + "/unix_datagrams"
    with tempfile.TemporaryDirectory() as folder:
        path, own, file = folder + "/server", folder + "/own", folder + "/file"
        with open(file, "w") as f:
            f.write("from the file")

        with running(passing, "give", path, file) as out:
            expect(out, f"gives {file} at {path}")
            for _ in range(3):
                assert said(passing, "take", path) == (0, [f"took {file}, 13 bytes: from the file"])
            code, lines = said(passing, "give", path, file)
            assert code == 1 and "its lock is held" in lines[0], (code, lines)

        code, lines = said(passing, "take", path)
        assert code == 1 and lines[0].startswith(f"pass_descriptor: {path}: No such file or directory"), (code, lines)
        code, lines = said(passing, "take", folder + "/" + 200 * "x")
        assert code == 1 and lines[0].startswith("pass_descriptor: "), (code, lines)
        for given in (b"", b"no descriptor goes with it\r\n"):
            with socket.socket(socket.AF_UNIX) as stingy:
                stingy.bind(path)
                stingy.listen()
                taker = subprocess.Popen([passing, "take", path], stderr=subprocess.PIPE, text=True)
                connection, _ = stingy.accept()
                connection.sendall(given)
                connection.close()
                text = taker.communicate(timeout=20)[1]
                assert taker.returncode == 1 and text.startswith("pass_descriptor: "), (taker.returncode, text)
            os.unlink(path)

        with running(datagrams, "serve", path) as out:
            expect(out, f"listens on {path}")
            for _ in range(3):
                assert said(datagrams, "ask", path, own, "hello") == (0, ['"hello" came back'])
                expect(out, f'received "hello" from {own}')
            code, lines = said(datagrams, "serve", path)
            assert code == 1 and "its lock is held" in lines[0], (code, lines)
        code, lines = said(datagrams, "ask", path, own, "hello")
        assert code == 1 and "No such file" in lines[0], (code, lines)
        assert os.listdir(folder) == ["file"], os.listdir(folder)


main()
