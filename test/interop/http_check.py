"""http_server and programs of others: curl, h11 as a strict reader, nginx in front.

Usage: http_check.py <folder of the examples> <folder of the peers>
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager

PROGRAM = f"{sys.argv[1]}/http_server"
if not os.path.exists(PROGRAM) or not shutil.which("curl") or not shutil.which("nginx"):
    print("http_server, curl or nginx is not there")
    sys.exit(77)
try:
    import h11
except ImportError:
    print("python3-h11 is not installed")
    sys.exit(77)

NGINX = """daemon off; master_process off; pid {0}/pid; error_log {0}/errors; worker_processes 1; events {{}}
http {{ access_log off; client_body_temp_path {0}/b; proxy_temp_path {0}/p; fastcgi_temp_path {0}/f;
uwsgi_temp_path {0}/u; scgi_temp_path {0}/s; upstream troupe {{ server 127.0.0.1:{1}; keepalive 4; }}
server {{ listen unix:{0}/door; location / {{ proxy_pass http://troupe; proxy_http_version 1.1;
proxy_set_header Host a; proxy_set_header Connection ""; }} }} }}"""


@contextmanager
def running(*command, **more):
    p = subprocess.Popen(command, **more)
    try:
        yield p
    finally:
        p.terminate()
        p.wait(20)


def ask(s, c, method, target):
    """Returns the status and the body that h11 reads; it throws if the answer is not as RFC 9112 has it."""
    s.sendall(c.send(h11.Request(method=method, target=target, headers=[("Host", "a")])) + c.send(h11.EndOfMessage()))
    events = []
    while not events or type(events[-1]) is not h11.EndOfMessage:
        event = c.next_event()
        if event is h11.NEED_DATA:
            c.receive_data(s.recv(65536))
        else:
            events.append(event)
    c.start_next_cycle()
    return events[0].status_code, b"".join(e.data for e in events if type(e) is h11.Data)


def curl(*arguments):
    return subprocess.run(["curl", "-sS", "--path-as-is", *arguments], capture_output=True, timeout=20, check=True).stdout


def main():
    with tempfile.TemporaryDirectory() as folder:
        www = f"{folder}/www"
        os.mkdir(www)
        text = os.urandom(500_000)
        with open(f"{www}/a.bin", "wb") as f:
            f.write(text)
        with running(PROGRAM, "--port", "0", "--root", www, stdout=subprocess.PIPE, text=True) as p:
            port = int(p.stdout.readline().rsplit(":", 1)[1])
            url = f"http://127.0.0.1:{port}"
            with socket.create_connection(("127.0.0.1", port), 20) as s:
                c = h11.Connection(h11.CLIENT)
                assert ask(s, c, "GET", "/a.bin") == (200, text)
                assert ask(s, c, "HEAD", "/a.bin") == (200, b"")
                assert ask(s, c, "GET", "/nothing")[0] == 404
                assert ask(s, c, "POST", "/a.bin")[0] == 405
            assert curl(f"{url}/a.bin", f"{url}/a.bin") == text * 2
            assert curl("-r", "100-199", f"{url}/a.bin") == text[100:200]
            assert curl("-o", "/dev/null", "-w", "%{http_code}", f"{url}/../../etc/passwd") == b"404"
            assert curl("-0", f"{url}/a.bin") == text
            assert b" 405 " in curl("-i", "-T", f"{www}/a.bin", f"{url}/b.bin")
            with open(f"{folder}/conf", "w") as f:
                f.write(NGINX.format(folder, port))
            with running("nginx", "-c", f"{folder}/conf", "-e", f"{folder}/errors"):
                until = time.monotonic() + 10
                while not os.path.exists(f"{folder}/door") and time.monotonic() < until:
                    time.sleep(0.05)
                for _ in range(3):
                    assert curl("--unix-socket", f"{folder}/door", "http://a/a.bin") == text
        assert p.returncode == 0, p.returncode


main()
