"""Runs inetd with a configuration, and clients of others: inetd_check.py <folder of the programs>"""

import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time

PROGRAM = sys.argv[1] + "/inetd"


def start(folder, *lines):
    with open(f"{folder}/services", "w") as f:
        f.write("# a comment\n\n" + "\n".join(lines) + "\n")
    p = subprocess.Popen([PROGRAM, "--config", f"{folder}/services"], stdout=subprocess.PIPE,
                         stderr=open(f"{folder}/log", "w"), text=True)
    return p


def ports(p, count):
    return [int(p.stdout.readline().split()[3].rsplit(":", 1)[1]) for _ in range(count)]


def talk(port, sent=b""):
    with socket.create_connection(("127.0.0.1", port), timeout=20) as c:
        c.sendall(sent)
        c.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: c.recv(65536), b""))


def main(folder):
    me = pwd.getpwuid(os.geteuid()).pw_name
    lines = [f"0 stream tcp nowait {me} /bin/cat cat", f"0 stream tcp nowait {me} internal time",
             f"0 stream tcp nowait {me} internal daytime", f"0 dgram udp wait {me} internal time",
             f"0 stream tcp nowait {me} internal chargen", "0 stream tcp nowait nobody-knows-me /bin/cat cat"]
    as_nobody = os.geteuid() == 0
    if as_nobody:
        lines.append("0 stream tcp nowait nobody.nogroup /usr/bin/id id")
    p = start(folder, *lines)
    cat, clock, day, datagrams, chargen, *rest = ports(p, 5 + as_nobody)
    assert talk(cat, b"hello" * 100_000) == b"hello" * 100_000
    seconds = int.from_bytes(talk(clock), "big") - 2_208_988_800
    assert abs(seconds - time.time()) < 5, seconds
    assert time.strftime("%a %b", time.gmtime()).encode() in talk(day)
    with socket.create_connection(("127.0.0.1", chargen), timeout=20) as c:
        assert c.recv(74, socket.MSG_WAITALL).startswith(b" !\"#$%&'()*+")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(20)
        s.sendto(b"", ("127.0.0.1", datagrams))
        assert len(s.recv(100)) == 4
    if as_nobody:
        said = talk(rest[0])
        assert b"nobody" in said and b"root" not in said, said  # supplementary groups are gone, too
    if shutil.which("rdate"):
        done = subprocess.run(["rdate", "-p", "-o", str(clock), "127.0.0.1"], capture_output=True, text=True, timeout=20)
        assert done.returncode == 0 and str(time.gmtime().tm_year) in done.stdout, done
        done = subprocess.run(["rdate", "-p", "-u", "-o", str(datagrams), "127.0.0.1"], capture_output=True, text=True,
                              timeout=20)
        assert done.returncode == 0 and str(time.gmtime().tm_year) in done.stdout, done
    if shutil.which("ncat"):
        done = subprocess.run(["ncat", "127.0.0.1", str(cat)], input=b"from ncat", capture_output=True, timeout=20)
        assert done.stdout == b"from ncat", done
    p.terminate()
    assert p.wait(20) == 0
    with open(f"{folder}/log") as f:
        log = f.read()
    assert "Unknown user: nobody-knows-me" in log and "/bin/cat for 127.0.0.1" in log, log
    p = start(folder, "7 stream tcp nowait")
    assert p.wait(20) == 1
    with open(f"{folder}/log") as f:
        assert "line 3: Invalid line: '7 stream tcp nowait'" in f.read()


with tempfile.TemporaryDirectory() as folder:
    main(folder)
