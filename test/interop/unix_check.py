"""UNIX datagrams and descriptors beside Twisted, in both directions, and beside Python's own sockets:
unix_check.py <folder of the programs>
"""

import array
import os
import resource
import select
import shutil
import socket
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

PYTHON = "/usr/bin/python3"  # Debian's, which has Debian's Twisted
PEER = [PYTHON, str(Path(__file__).with_name("twisted_unix.py"))]


@contextmanager
def running(*command):
    p = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    p.said = lambda text: expect(p.stdout, text)
    try:
        yield p
    finally:
        p.kill()
        p.wait()


def expect(output, text):
    """Returns the next line that the program says; its log is passed over."""
    line = output.readline()
    while "] [info] " in line:
        line = output.readline()
    assert text in line, (line, text)
    return line


def said(*command):
    """Runs a program to its end, which must be a good one; returns what it said besides its log."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done
    return [l for l in done.stdout.splitlines() if "] [info] " not in l]


def descriptors_of(process):
    return len(os.listdir(f"/proc/{process.pid}/fd"))


def datagrams(program, folder):
    with running(program, "serve", folder + "/ours") as ours:
        ours.said("listens on")
        assert said(*PEER, "ask", folder + "/ours", folder + "/asker") == ["ok"]
    with running(*PEER, "echo", folder + "/theirs") as theirs:
        theirs.said("ready")
        got = said(program, "ask", folder + "/theirs", folder + "/own", "hello")
        assert got == ['"hello" came back'], got


def descriptors(program, folder):
    file = folder + "/file"
    with open(file, "w") as f:
        f.write("from the file")
    took = [f"took {file}, 13 bytes: from the file"]

    with running(program, "give", folder + "/giver", file) as ours:
        ours.said("gives")
        for _ in range(3):
            assert said(*PEER, "take", folder + "/giver") == took
        before = descriptors_of(ours)
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(folder + "/giver")
            data, given, _, _ = socket.recv_fds(s, 100, 10)
            assert data.decode() == file + "\r\n" and len(given) == 1, (data, given)
            assert os.pread(given[0], 100, 0) == b"from the file"
            os.close(given[0])
            flood(s)  # it takes none, and has closed the connection
        assert said(*PEER, "take", folder + "/giver") == took
        assert descriptors_of(ours) == before, (descriptors_of(ours), before)

    with running(*PEER, "give", folder + "/twisted", file) as theirs:
        theirs.said("ready")
        for _ in range(3):
            got = said(program, "take", folder + "/twisted")
            assert got == took, got


def in_use(folder):
    """A server of Twisted's that lives is left alone, and its lock is understood."""
    programs, file = sys.argv[1], folder + "/file"

    def refused(text, *command):
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 1 and text in done.stdout + done.stderr, done

    path = folder + "/alive"
    took = [f"took {file}, 13 bytes: from the file"]
    with running(*PEER, "give", path, file) as theirs:
        theirs.said("ready")
        refused("it is in use", programs + "/pass_descriptor", "give", path, file)
        refused("it is in use", programs + "/unix_datagrams", "serve", path)
        assert said(programs + "/pass_descriptor", "take", path) == took
    assert not os.path.exists(path + ".lock")

    path = folder + "/echoes"
    with running(*PEER, "echo", path) as theirs:
        theirs.said("ready")
        refused("it is in use", programs + "/unix_datagrams", "serve", path)
        refused("it is in use", programs + "/pass_descriptor", "give", path, file)
        got = said(programs + "/unix_datagrams", "ask", path, folder + "/own", "hello")
        assert got == ['"hello" came back'], got

    path = folder + "/locked"
    check = [programs + "/netcat", f"unix:{path}:checkPID=1"]
    with running(*PEER, "lock", path, file) as theirs:
        theirs.said("ready")
        whose = f"its lock is Twisted's, of process {theirs.pid}: "
        refused(whose, programs + "/pass_descriptor", "give", path, file)
        done = subprocess.run(check, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0 and done.stdout == file + "\n", done
    assert os.path.islink(path + ".lock")  # it was killed
    refused("nobody holds its lock", *check)
    refused(whose, programs + "/pass_descriptor", "give", path, file)


def flood(s):
    """Sends descriptors, as many as there is room for, for as long as it is taken."""
    s.setblocking(False)
    many = array.array("i", [0] * 253)
    try:
        for _ in range(2000):
            socket.send_fds(s, [b"x"], many)
    except (BlockingIOError, BrokenPipeError, ConnectionResetError):
        pass


def flooded_taker(program, folder):
    """Our taker reads from a peer that floods it, and holds one descriptor at most."""
    path = folder + "/flooder"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        with running(program, "take", path) as ours:
            s, _ = server.accept()
            with s:
                s.settimeout(20)
                many = [0] * 253
                socket.send_fds(s, [b"x"], many)
                for _ in range(500):
                    socket.send_fds(s, [b"x"], many)
                    assert descriptors_of(ours) < 20 + 253 + 1, descriptors_of(ours)
                with open(folder + "/file") as f:
                    socket.send_fds(s, [b"\r\n"], [f.fileno()])
            ours.said("13 bytes: from the file")
            assert ours.wait(20) == 0


def crowded_giver(program, folder):
    """So many descriptors are on the way that the system refuses more: the rest waits, and comes."""
    if os.getuid() != 0:
        return  # the refusal is for users without privileges, and for all of one user's processes
    limit, count = 64, 80
    path, file = folder + "/crowded", folder + "/file"
    os.chmod(folder, 0o777)
    program = shutil.copy(program, folder)  # where anybody can run it

    def humble():
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
        os.setgid(65534)
        os.setuid(65534)

    p = subprocess.Popen([program, "give", path, file], stdout=subprocess.PIPE, text=True, preexec_fn=humble)
    try:
        expect(p.stdout, "gives")
        takers = []
        for i in range(count):
            s = socket.socket(socket.AF_UNIX)
            s.connect(path)
            s.settimeout(20)
            takers.append(s)
            if i < limit:
                assert select.select([s], [], [], 20)[0]
        there = select.select(takers, [], [], 0)[0]
        assert limit <= len(there) <= limit + 1, len(there)  # and the others wait
        for s in takers:
            data, given, _, _ = socket.recv_fds(s, 100, 10)
            assert data.decode() == file + "\r\n" and len(given) == 1, (data, given)
            os.close(given[0])
            s.close()
    finally:
        p.kill()
        p.wait()


def main():
    if subprocess.run([PYTHON, "-c", "import twisted"], stderr=subprocess.DEVNULL).returncode != 0:
        print("skipped: python3-twisted is not installed")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as folder:
        datagrams(sys.argv[1] + "/unix_datagrams", folder)
        descriptors(sys.argv[1] + "/pass_descriptor", folder)
        in_use(folder)
        flooded_taker(sys.argv[1] + "/pass_descriptor", folder)
        crowded_giver(sys.argv[1] + "/pass_descriptor", folder)


main()
