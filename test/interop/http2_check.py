"""http_server and http_get over HTTP/2 and programs of others: curl, nghttp, h2load, and python3-h2, a stack of its own;
nginx, node and nghttpd where they are installed.

Usage: http2_check.py <folder of the examples> <folder of the peers>
"""

import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager

from example_server import serving

PROGRAM = f"{sys.argv[1]}/http_server"
GET = f"{sys.argv[1]}/http_get"
missing = [tool for tool in ("curl", "nghttp", "h2load", "openssl") if not shutil.which(tool)]
try:
    import h2.config
    import h2.connection
    import h2.events
    import h2.exceptions
except ImportError:
    missing.append("python3-h2")
if missing:
    print("not installed:", ", ".join(missing))
    sys.exit(77)
if not os.path.exists(PROGRAM) or not os.path.exists(GET):
    print("http_server or http_get is not built")
    sys.exit(77)


def run(*command):
    return subprocess.run(command, check=True, timeout=60, stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout


class Client:
    """A connection of python3-h2, which reads and acknowledges only what it is told to."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), 20)
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.h2.initiate_connection()
        self.send()
        self.events = []

    def __enter__(self):
        return self

    def __exit__(self, *how):
        self.socket.close()

    def send(self):
        self.socket.sendall(self.h2.data_to_send())

    def ask(self, method, path, end=True):
        stream = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream, [(":method", method), (":scheme", "http"), (":authority", "a"), (":path", path)],
                             end_stream=end)
        self.send()
        return stream

    def until(self, wanted):
        """Reads until there is an event for which `wanted(event)` holds, and returns it."""
        while True:
            for event in self.events:
                if wanted(event):
                    return event
            data = self.socket.recv(65536)
            if not data:
                raise EOFError
            self.events += self.h2.receive_data(data)
            self.send()

    def ended(self, stream):
        self.until(lambda e: isinstance(e, h2.events.StreamEnded) and e.stream_id == stream)

    def body(self, stream):
        return b"".join(e.data for e in self.events if isinstance(e, h2.events.DataReceived) and e.stream_id == stream)

    def status(self, stream):
        return next(dict(e.headers)[":status"] for e in self.events
                    if isinstance(e, h2.events.ResponseReceived) and e.stream_id == stream)


def curl_and_nghttp(folder):
    identity = f"{folder}/identity.pem"
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
        "-keyout", identity + ".key", "-out", identity, "-subj", "/CN=localhost",
        "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost")
    how = ("-o", "/dev/null", "-w", "%{http_version} %{http_code} %{size_download}")
    with serving(PROGRAM, "--tls-cert", identity, "--tls-key", identity + ".key", "--root", f"{folder}/root") as (port, _):
        url = f"https://127.0.0.1:{port}/large.bin"
        assert run("curl", "-s", "--cacert", identity, *how, url) == b"2 200 3000000"
        assert run("curl", "-s", "--cacert", identity, "--http1.1", *how, url) == b"1.1 200 3000000"
        with open(f"{folder}/root/large.bin", "rb") as f:
            large = f.read()
        assert run("curl", "-s", "--cacert", identity, url) == large
        assert run("curl", "-s", "--cacert", identity, "-r", "100-199", url) == large[100:200]
        for offered, chosen in ((["http/1.1"], "http/1.1"), (["h2", "http/1.1"], "h2"), ([], None)):
            context = ssl.create_default_context(cafile=identity)
            if offered:
                context.set_alpn_protocols(offered)
            with socket.create_connection(("127.0.0.1", port), 20) as s, \
                    context.wrap_socket(s, server_hostname="localhost") as tls:
                assert tls.selected_alpn_protocol() == chosen
                if chosen != "h2":
                    tls.sendall(b"HEAD /small.txt HTTP/1.1\r\nHost: a\r\n\r\n")
                    assert tls.recv(100).startswith(b"HTTP/1.1 200")
    with serving(PROGRAM) as (port, _):
        url = f"http://127.0.0.1:{port}/"
        assert run("curl", "-s", url) == b"Hello, world!"
        assert run("curl", "-s", "--http2-prior-knowledge", url) == b"Hello, world!"
        assert run("curl", "-s", "--http2-prior-knowledge", "-I", *how, url).endswith(b"2 200 0")
        assert run("curl", "-s", "--http2-prior-knowledge", "-d", "x" * 100_000, *how, url).startswith(b"2 405 ")
        # curl asks for h2c by Upgrade, which is not taken, and goes on with HTTP/1.1.
        assert run("curl", "-s", "--http2", *how, url) == b"1.1 200 13"
        said = run("nghttp", "-v", url, url + "nothing")
        assert b":status: 200" in said and b":status: 404" in said, said
        said = run("h2load", "-n", "20000", "-c", "10", "-m", "100", url).decode()
        assert "20000 succeeded, 0 failed, 0 errored, 0 timeout" in said, said


def streams_of_h2(folder):
    with serving(PROGRAM, "--root", f"{folder}/root") as (port, server):
        with Client(port) as c:
            # A window that is not opened holds its stream, and no other one's.
            large = c.ask("GET", "/large.bin")
            c.until(lambda e: isinstance(e, h2.events.DataReceived) and len(c.body(large)) == 65535)
            # The connection's window is used up by that: so it is opened, for the small one.
            small = c.ask("GET", "/small.txt")
            c.h2.increment_flow_control_window(1000)
            c.send()
            c.ended(small)
            assert c.body(small) == b"small" and c.status(large) == "200"
            assert len(c.body(large)) == 65535
            c.h2.reset_stream(large, 8)
            again = c.ask("HEAD", "/large.bin")
            c.ended(again)
            assert c.status(again) == "200"
        stops_well(port, server)


def frame(kind, flags, stream, payload=b""):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def stops_well(port, server):
    """By hand: python3-h2 hears nothing any more after a goodbye."""
    path = b"/large.bin"
    with socket.create_connection(("127.0.0.1", port), 20) as s:
        reader = s.makefile("rb")

        def next_frame():
            head = reader.read(9)
            return (head[3], head[4], reader.read(int.from_bytes(head[:3], "big"))) if head else None

        s.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0)
                  + frame(1, 5, 1, b"\x82\x86\x41\x01a\x04" + bytes([len(path)]) + path))
        got = 0
        while got < 65535:
            kind, _, payload = next_frame()
            got += len(payload) if kind == 0 else 0
        server.stop()
        goodbyes = []
        while len(goodbyes) < 2:
            kind, flags, payload = next_frame()
            if kind == 7:
                goodbyes.append((int.from_bytes(payload[:4], "big"), int.from_bytes(payload[4:8], "big")))
            elif kind == 6 and not flags & 1:
                s.sendall(frame(6, 1, 0, payload))
        assert goodbyes == [(2**31 - 1, 0), (1, 0)], goodbyes
        more = (3_000_000).to_bytes(4, "big")
        s.sendall(frame(8, 0, 0, more) + frame(8, 0, 1, more))
        while got < 3_000_000:
            kind, _, payload = next_frame()
            got += len(payload) if kind == 0 else 0
        while next_frame():
            pass
        assert got == 3_000_000


def floods():
    with serving(PROGRAM) as (port, _):
        def ends(name, frames):
            begin = time.monotonic()
            with Client(port) as c:
                try:
                    c.socket.settimeout(20)
                    c.socket.sendall(frames)
                    end = c.until(lambda e: isinstance(e, h2.events.ConnectionTerminated))
                    assert end.error_code in (11, 1), (name, end.error_code)  # ENHANCE_YOUR_CALM, PROTOCOL_ERROR
                except (EOFError, ConnectionError):
                    pass
                except h2.exceptions.ProtocolError:  # python3-h2 knows nothing of what was sent
                    try:
                        while c.socket.recv(65536):
                            pass
                    except ConnectionError:
                        pass
            assert time.monotonic() - begin < 10, name
            with Client(port) as c:  # others are served
                stream = c.ask("GET", "/")
                c.ended(stream)
                assert c.body(stream) == b"Hello, world!"

        block = b"\x82\x86\x84\x41\x01a"  # GET http / a
        rapid = b"".join(frame(1, 5, 2 * i + 1, block) + frame(3, 0, 2 * i + 1, b"\0\0\0\x08") for i in range(20_000))
        ends("rapid reset", rapid)
        ends("pings", frame(6, 0, 0, b"12345678") * 20_000)
        ends("settings", frame(4, 0, 0) * 20_000)
        ends("empty data", frame(1, 4, 1, b"\x83" + block[1:]) + frame(0, 0, 1) * 20_000)
        ends("window updates", frame(8, 0, 0, b"\0\0\0\x01") * 20_000)
        ends("priorities", frame(2, 0, 1, b"\0\0\0\0\x10") * 20_000)
        ends("continuations", frame(1, 1, 1, block) + frame(9, 0, 1, b"\0\x01x\x01y") * 20_000)
        entry = b"\x40\x01x\x7f\xa1\x1e" + b"z" * 4000
        ends("a bomb of fields", frame(1, 5, 1, block + entry + b"\xbe" * 10_000))


NGINX = """daemon off; master_process off; pid {0}/pid; error_log {0}/errors; events {{}}
http {{ access_log off; client_body_temp_path {0}/b; proxy_temp_path {0}/p; fastcgi_temp_path {0}/f;
uwsgi_temp_path {0}/u; scgi_temp_path {0}/s; keepalive_requests 3;
server {{ listen 127.0.0.1:{1} ssl http2; ssl_certificate {0}/identity.pem; ssl_certificate_key {0}/identity.pem.key;
root {0}/root; }} }}"""

NODE = """
const http2 = require('http2'), fs = require('fs');
const s = http2.createSecureServer({key: fs.readFileSync(process.argv[1] + '.key'), cert: fs.readFileSync(process.argv[1]),
                                    settings: {initialWindowSize: 1000}});
s.on('stream', (stream, head) => {
  let body = '';
  stream.on('data', (piece) => { body += piece; });
  stream.on('end', () => {
    stream.respond({':status': 200, 'x-method': head[':method']}, {waitForTrailers: true});
    stream.on('wantTrailers', () => stream.sendTrailers({'x-size': String(body.length)}));
    stream.end(body.length > 0 ? body : 'nothing');
  });
});
s.listen(0, '127.0.0.1', () => console.log('port:' + s.address().port));
"""


@contextmanager
def running(*command):
    p = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield p
    finally:
        p.terminate()
        p.wait(20)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def until_open(port):
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            return socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
    raise TimeoutError(port)


def get(*arguments):
    """Returns what http_get prints: the body, and what is told of it."""
    done = subprocess.run([GET, "--verbose", *arguments], timeout=60, capture_output=True)
    return done.stdout, done.stderr.decode()


def agent_and_servers(folder):
    identity = f"{folder}/identity.pem"
    with open(f"{folder}/root/large.bin", "rb") as f:
        large = f.read()
    body = "x=" + "y" * 100_000
    with serving(PROGRAM, "--tls-cert", identity, "--tls-key", identity + ".key", "--root", f"{folder}/root") as (port, _):
        for how, version in ((), "2.0"), (("--http1",), "1.1"):
            got, said = get("--trust", identity, *how, f"https://localhost:{port}/large.bin")
            assert got == large and f"< HTTP/{version} 200" in said, said
    with serving(PROGRAM) as (port, _):
        got, said = get("--http2", f"http://127.0.0.1:{port}/")
        assert got == b"Hello, world!" and "< HTTP/2.0 200" in said, said
    if shutil.which("nginx"):
        port = free_port()
        with open(f"{folder}/conf", "w") as f:
            f.write(NGINX.format(folder, port))
        with running("nginx", "-c", f"{folder}/conf", "-e", f"{folder}/errors"):
            until_open(port)
            got, said = get("--trust", identity, f"https://localhost:{port}/large.bin")
            assert got == large and "< HTTP/2.0 200" in said, said
            got, said = get("--trust", identity, "--http1", f"https://localhost:{port}/small.txt")
            assert got == b"small" and "< HTTP/1.1 200" in said, said
            got, said = get("--trust", identity, "--data", body, f"https://localhost:{port}/small.txt")
            assert "< HTTP/2.0 405" in said, said
    else:
        print("without nginx")
    if shutil.which("node"):
        with running("node", "-e", NODE, identity) as node:
            port = int(node.stdout.readline().rsplit(":", 1)[1])
            got, said = get("--trust", identity, "--data", body, f"https://localhost:{port}/")
            assert got == body.encode() and "< HTTP/2.0 200" in said and "x-method: POST" in said, said
            got, said = get("--trust", identity, f"https://localhost:{port}/")
            assert got == b"nothing", said
    else:
        print("without node")
    if shutil.which("nghttpd"):
        port = free_port()
        with running("nghttpd", "-d", f"{folder}/root", str(port), identity + ".key", identity):
            until_open(port)
            got, said = get("--trust", identity, f"https://localhost:{port}/large.bin")
            assert got == large and "< HTTP/2.0 200" in said, said
    else:
        print("without nghttpd")


def agent_and_h2():
    """A server by python3-h2, which refuses a request, says goodbye, and answers on the next connection."""
    door = socket.create_server(("127.0.0.1", 0))
    heard = []

    def serve():
        for last in (False, True):
            s, _ = door.accept()
            with s:
                c = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
                c.initiate_connection()
                s.sendall(c.data_to_send())
                while True:
                    data = s.recv(65536)
                    if not data:
                        break
                    for event in c.receive_data(data):
                        if isinstance(event, h2.events.RequestReceived):
                            heard.append((event.stream_id, dict(event.headers)[":method"]))
                            if event.stream_id == 1 and not last:
                                c.reset_stream(1, 7)  # REFUSED_STREAM
                            elif not last:
                                c.close_connection(0, last_stream_id=1)
                            else:
                                c.send_headers(event.stream_id, [(":status", "200"), ("x-name", "value")])
                                c.send_data(event.stream_id, b"at last", end_stream=True)
                        elif isinstance(event, h2.events.DataReceived):
                            c.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                    s.sendall(c.data_to_send())

    server = threading.Thread(target=serve, daemon=True)
    server.start()
    got, said = get("--http2", "--data", "x=y", f"http://127.0.0.1:{door.getsockname()[1]}/")
    assert got == b"at last" and "< x-name: value" in said, (got, said)
    server.join(20)
    assert heard == [(1, "POST"), (3, "POST"), (1, "POST")], heard


with tempfile.TemporaryDirectory() as temporary:
    os.mkdir(f"{temporary}/root")
    with open(f"{temporary}/root/large.bin", "wb") as f:
        f.write(os.urandom(3_000_000))
    with open(f"{temporary}/root/small.txt", "wb") as f:
        f.write(b"small")
    curl_and_nghttp(temporary)
    streams_of_h2(temporary)
    agent_and_servers(temporary)
agent_and_h2()
floods()
