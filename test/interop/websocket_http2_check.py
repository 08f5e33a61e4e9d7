"""websocket_echo_server over HTTP/2 (RFC 8441), and programs of others: python3-h2 with wsproto in its streams, and a page in
Chromium, which opens its WebSockets on the connection over which it came.

Usage: websocket_http2_check.py <folder of the examples> <folder of the peers>
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import chromium
from example_server import serving

SERVER = f"{sys.argv[1]}/websocket_echo_server"
if not os.path.exists(SERVER):
    print("websocket_echo_server is not built")
    sys.exit(77)
try:
    import h2.config
    import h2.connection
    import h2.events
    from wsproto import events
    from wsproto.connection import Connection, ConnectionType
    from wsproto.extensions import PerMessageDeflate
except ImportError:
    print("python3-h2 or python3-wsproto is not installed")
    sys.exit(77)


class Session:
    """A connection of python3-h2; what its streams say is kept for them."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), 20)
        self.authority = f"127.0.0.1:{port}"
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.h2.initiate_connection()
        self.send()
        self.heads, self.data, self.ended, self.resets, self.goodbye, self.left = {}, {}, set(), {}, False, b""
        self.until(lambda: self.h2.remote_settings.enable_connect_protocol == 1)

    def send(self):
        self.socket.sendall(self.h2.data_to_send())

    def read(self):
        data = self.socket.recv(65536)
        if not data:
            raise EOFError
        for e in self.h2.receive_data(self.without_goodbyes(data)):
            if isinstance(e, h2.events.ResponseReceived):
                self.heads[e.stream_id] = dict(e.headers)
            elif isinstance(e, h2.events.DataReceived):
                self.data[e.stream_id] = self.data.get(e.stream_id, b"") + e.data
                self.h2.acknowledge_received_data(e.flow_controlled_length, e.stream_id)
            elif isinstance(e, h2.events.StreamEnded):
                self.ended.add(e.stream_id)
            elif isinstance(e, h2.events.StreamReset):
                self.resets[e.stream_id] = e.error_code
        self.send()

    def without_goodbyes(self, data):
        """Takes GOAWAY out: python3-h2 refuses whatever comes behind it, though what is under way goes on."""
        self.left += data
        whole = b""
        while len(self.left) >= 9 and len(self.left) >= (size := 9 + int.from_bytes(self.left[:3], "big")):
            if self.left[3] == 7:
                self.goodbye = True
            else:
                whole += self.left[:size]
            self.left = self.left[size:]
        return whole

    def until(self, wanted):
        while not wanted():
            self.read()

    def connect(self, *more, protocol="websocket", version="13"):
        stream = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream, [(":method", "CONNECT"), (":protocol", protocol), (":scheme", "http"), (":path", "/"),
                                      (":authority", self.authority), ("sec-websocket-version", version), *more])
        self.send()
        self.until(lambda: stream in self.heads or stream in self.resets)
        return stream

    def write(self, stream, data, end=False):
        """Sends as the server's windows let it."""
        while data:
            room = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)
            if room == 0:
                self.read()
                continue
            self.h2.send_data(stream, data[:room])
            data = data[room:]
            self.send()
        if end:
            self.h2.end_stream(stream)
            self.send()


class Socket:
    """A WebSocket of wsproto, which refuses frames that are not as the RFC has them, in a stream."""

    def __init__(self, session, extensions=()):
        self.session = session
        offer = [("sec-websocket-extensions", f"{e.name}; {e.offer()}") for e in extensions]
        self.stream = session.connect(*offer)
        head = session.heads[self.stream]
        assert head[":status"] == "200", head
        assert "sec-websocket-accept" not in head and "upgrade" not in head, head
        for e in extensions:
            e.finalize(head["sec-websocket-extensions"])
        self.ws = Connection(ConnectionType.CLIENT, list(extensions))
        self.got = []

    def say(self, event):
        self.session.write(self.stream, self.ws.send(event))

    def hears(self, kind):
        while True:
            self.ws.receive_data(self.session.data.pop(self.stream, b""))
            self.got += self.ws.events()
            for e in self.got:
                if isinstance(e, kind):
                    self.got.remove(e)
                    return e
            self.session.until(lambda: self.stream in self.session.data)

    def message(self):
        all = None
        while True:
            e = self.hears(events.Message)
            all = e.data if all is None else all + e.data
            if e.message_finished:
                return all


def echoes(session, extensions=()):
    s = Socket(session, extensions)
    for size in (0, 1, 125, 126, 65535, 65536, 1024 * 1024):
        s.say(events.TextMessage(data="x" * size))
        assert len(s.message()) == size
    s.say(events.BytesMessage(data=bytes(range(256)) * 100))
    assert s.message() == bytes(range(256)) * 100
    s.say(events.TextMessage(data="h\u00e9llo \U0001f3ad"))
    assert s.message() == "h\u00e9llo \U0001f3ad"
    s.say(events.Ping(payload=b"abc"))
    assert s.hears(events.Pong).payload == b"abc"
    return s


def streams(port):
    session = Session(port)
    first, second = echoes(session), echoes(session, [PerMessageDeflate()])
    # The client closes, the server answers and ends the stream; the other one goes on.
    first.say(events.CloseConnection(code=3000, reason="bye"))
    assert first.hears(events.CloseConnection).code == 3000
    session.until(lambda: first.stream in session.ended)
    session.write(first.stream, b"", end=True)
    second.say(events.TextMessage(data="still here"))
    assert second.message() == "still here"
    # What is too long is told so, and its stream ends.
    second.say(events.TextMessage(data="many words " * 200_000))
    assert second.hears(events.CloseConnection).code == 1009
    # Refusals.
    assert session.heads[session.connect(("origin", "http://evil.example"))][":status"] == "403"
    assert session.heads[session.connect(protocol="connect-udp")][":status"] == "400"
    assert session.heads[session.connect(version="8")][":status"] == "426"
    # Many at once, one that is reset among them.
    sockets = [Socket(session) for _ in range(50)]
    for i, s in enumerate(sockets):
        s.say(events.TextMessage(data=str(i)))
    session.h2.reset_stream(sockets[7].stream, 8)
    session.send()
    for i, s in enumerate(sockets):
        assert i == 7 or s.message() == str(i)
    session.socket.close()


def stops(port, program):
    """The server says goodbye to the WebSocket, waits for the answer, and then to the connection."""
    session = Session(port)
    s = Socket(session)
    program.stop()
    e = s.hears(events.CloseConnection)
    assert e.code == 1001
    s.say(e.response())
    session.until(lambda: s.stream in session.ended)
    session.write(s.stream, b"", end=True)
    try:
        while True:
            session.read()
    except EOFError:
        assert session.goodbye


def page(port):
    """A page's WebSockets: the answers say 200 where they are in streams, and 101 where they have a connection."""
    with chromium.Chromium("--ignore-certificate-errors") as browser:
        p = browser.page(f"https://127.0.0.1:{port}/")  # which is told that this is for WebSockets
        p.until("document.body.innerText.includes('WebSockets')")
        assert p.value("performance.getEntriesByType('navigation')[0].nextHopProtocol") == "h2"
        p.call("Network.enable")
        p.value("""(() => {
          globalThis.got = [];
          globalThis.many = [0, 1, 2].map((i) => {
            const s = new WebSocket(location.origin.replace('https', 'wss') + '/');
            s.binaryType = 'arraybuffer';
            s.onopen = () => { s.send('h\\u00e9llo ' + i); s.send(new Uint8Array(300000)); };
            s.onmessage = (e) => got.push(typeof e.data === 'string' ? e.data : e.data.byteLength);
            s.onclose = (e) => got.push(`${e.code} ${e.wasClean}`);
            return s;
          });
        })()""")
        p.until("got.length === 6")
        p.value("many[0].close(3000, 'bye')")
        p.until("got.length === 7")
        p.value("many[1].send('x'.repeat(2000000))")
        p.until("got.length === 8")
        p.value("many[2].send('last')")
        p.until("got.length === 9")
        got = p.value("got")
        assert sorted(map(str, got[:6])) == ["300000"] * 3 + [f"h\u00e9llo {i}" for i in range(3)], got
        # Chromium calls the second one clean if it has sent all before it reads why.
        assert got[6] == "3000 true" and got[7].startswith("1009 ") and got[8:] == ["last"], got
        answers = [e["params"]["response"]["status"] for e in browser.events
                   if e["method"] == "Network.webSocketHandshakeResponseReceived"]
        assert answers == [200] * 3, answers
        # Pages of another origin are refused, and one that is left ends what it has.
        assert p.value(f"""new Promise((done) => {{
          const s = new WebSocket('wss://localhost:{port}/');
          s.onclose = (e) => done(e.code); s.onopen = () => done('open'); }})""") == 1006
        p.call("Page.navigate", url="about:blank")
        p.until("location.href === 'about:blank'")


def main():
    with serving(SERVER, "--deflate") as (port, _):
        streams(port)
    with serving(SERVER) as (port, program):
        stops(port, program)
    if not chromium.PROGRAM or not shutil.which("openssl"):
        return print("without Chromium")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                        "-keyout", f"{folder}/key", "-out", f"{folder}/cert", "-subj", "/CN=localhost",
                        "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"], check=True, capture_output=True)
        for deflate in ([], ["--deflate"]):
            with serving(SERVER, "--tls-cert", f"{folder}/cert", "--tls-key", f"{folder}/key", *deflate) as (port, _):
                page(port)


main()
