"""Servers behind programs that speak the PROXY protocol: curl as a proxy, haproxy and nginx in front.

Usage: proxy_protocol_check.py <folder of the examples> <folder of the peers>
"""

import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager

PROGRAM = f"{sys.argv[1]}/http_server"
CHAT = f"{sys.argv[1]}/chat_server"
if not os.path.exists(PROGRAM) or not shutil.which("curl"):
    print("http_server or curl is not there")
    sys.exit(77)

HAPROXY = """defaults
  mode tcp
  timeout connect 5s
  timeout client 20s
  timeout server 20s
frontend v1
  bind {folder}/v1
  use_backend v1
backend v1
  server s 127.0.0.1:{port} send-proxy check check-send-proxy inter 50ms fall 1000
frontend v2
  bind 127.0.0.1:{front}
  use_backend v2
backend v2
  server s 127.0.0.1:{port} send-proxy-v2 proxy-v2-options crc32c,unique-id check inter 50ms fall 1000
frontend secure
  bind {folder}/secure
  use_backend secure
backend secure
  server s 127.0.0.1:{secure} send-proxy-v2
"""

NGINX = """load_module {module}; daemon off; master_process off; pid {folder}/pid; error_log {folder}/errors;
worker_processes 1; events {{}}
stream {{ server {{ listen 127.0.0.1:{front}; proxy_pass 127.0.0.1:{port}; proxy_protocol on; }} }}"""

STREAM = "/usr/lib/nginx/modules/ngx_stream_module.so"


@contextmanager
def running(*command, **more):
    p = subprocess.Popen(command, **more)
    try:
        yield p
    finally:
        p.terminate()
        p.wait(20)


@contextmanager
def server(log, *options):
    with open(log, "w") as errors, running(PROGRAM, "--port", "0", "--access-log", *options,
                                           stdout=subprocess.PIPE, stderr=errors, text=True) as p:
        yield int(p.stdout.readline().rsplit(":", 1)[1])


def curl(*arguments):
    return subprocess.run(["curl", "-sS", *arguments], capture_output=True, timeout=20)


def wait_for(path):
    until = time.monotonic() + 10
    while not os.path.exists(path) and time.monotonic() < until:
        time.sleep(0.02)


def clients(log):
    """Returns whom the access log names."""
    with open(log) as f:
        return [line.split('" ')[0].split(" - - ")[0].split()[-1] for line in f if '"GET /' in line]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def check_curl(folder):
    with server(f"{folder}/log", "--proxied-by", "127.0.0.1") as port:
        url = f"http://127.0.0.1:{port}/"
        got = curl("--haproxy-protocol", url)
        assert got.stdout == b"Hello, world!", got
        got = curl("--haproxy-protocol", "--http2-prior-knowledge", url)
        assert got.stdout == b"Hello, world!", got
        assert curl(url).returncode != 0  # no header
    with open(f"{folder}/log") as f:
        assert "no header of the PROXY protocol" in f.read()
    with server(f"{folder}/log", "--proxied-by", "192.0.2.0/24") as port:
        assert curl("--haproxy-protocol", f"http://127.0.0.1:{port}/").returncode != 0
    with open(f"{folder}/log") as f:
        assert "it is none of the named proxies" in f.read()


def make_certificate(folder):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-keyout", f"{folder}/key.pem", "-out", f"{folder}/cert.pem", "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=DNS:localhost", "-days", "2"], check=True, capture_output=True)


def check_haproxy(folder):
    if not shutil.which("haproxy"):
        return print("haproxy is not installed")
    make_certificate(folder)
    front = free_port()
    secure = ("--tls-cert", f"{folder}/cert.pem", "--tls-key", f"{folder}/key.pem")
    with (server(f"{folder}/log", "--proxied-by", "127.0.0.1,::1") as port,
          server(f"{folder}/secure-log", "--proxied-by", "127.0.0.1", *secure) as secure_port):
        with open(f"{folder}/haproxy.cfg", "w") as f:
            f.write(HAPROXY.format(folder=folder, port=port, front=front, secure=secure_port))
        with running("haproxy", "-db", "-f", f"{folder}/haproxy.cfg", stderr=subprocess.DEVNULL):
            wait_for(f"{folder}/secure")
            time.sleep(0.3)  # some of its looks at the server
            # A client of a UNIX socket has no words in version 1: UNKNOWN, and the address is haproxy's.
            assert curl("--unix-socket", f"{folder}/v1", "http://a/").stdout == b"Hello, world!"
            assert clients(f"{folder}/log") == ["127.0.0.1"], clients(f"{folder}/log")
            for source in ("127.0.0.7", "127.1.2.3"):
                assert curl("--interface", source, f"http://127.0.0.1:{front}/").stdout == b"Hello, world!"
                assert clients(f"{folder}/log")[-1] == source, clients(f"{folder}/log")
            got = curl("--cacert", f"{folder}/cert.pem", "--unix-socket", f"{folder}/secure", "https://localhost/")
            assert got.stdout == b"Hello, world!", got
    with open(f"{folder}/log") as f:
        assert "warning" not in f.read()


def check_nginx(folder):
    if not shutil.which("nginx") or not os.path.exists(STREAM):
        return print("nginx or its stream module (libnginx-mod-stream) is not installed")
    with server(f"{folder}/log", "--proxied-by", "127.0.0.1") as port:
        front = free_port()
        with open(f"{folder}/conf", "w") as f:
            f.write(NGINX.format(module=STREAM, folder=folder, port=port, front=front))
        with running("nginx", "-c", f"{folder}/conf", "-e", f"{folder}/errors"):
            until = time.monotonic() + 10
            while curl(f"http://127.0.0.1:{front}/").returncode != 0 and time.monotonic() < until:
                time.sleep(0.05)
            assert curl("--interface", "127.0.0.9", f"http://127.0.0.1:{front}/").stdout == b"Hello, world!"
            assert clients(f"{folder}/log")[-1] == "127.0.0.9", clients(f"{folder}/log")


def check_chat():
    """A server that speaks first, and lines behind the header."""
    if not os.path.exists(CHAT):
        return
    with running(CHAT, "--port", "0", "--proxied-by", "127.0.0.1", stdout=subprocess.PIPE, text=True) as p:
        port = int(p.stdout.readline().rsplit(":", 1)[1])
        with socket.create_connection(("127.0.0.1", port), 20) as s:
            s.settimeout(0.3)
            try:
                assert not s.recv(1), "it spoke before the header"
            except TimeoutError:
                pass
            s.settimeout(20)
            s.sendall(b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nann\r\n")
            text = b""
            while b"Welcome, ann!" not in text:
                text += s.recv(1000)


def main():
    for check in (check_curl, check_haproxy, check_nginx):
        with tempfile.TemporaryDirectory() as folder:
            check(folder)
    check_chat()


main()
