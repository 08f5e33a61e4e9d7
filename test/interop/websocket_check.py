"""websocket_echo_server and websocket_cat, and programs of others: python3-websockets, wsproto as a strict reader, and ws of
Node, each as client and as server where it is both.

Usage: websocket_check.py <folder of the examples> <folder of the peers>
"""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
from contextlib import contextmanager

SERVER, CAT = (f"{sys.argv[1]}/websocket_{name}" for name in ("echo_server", "cat"))
if not os.path.exists(SERVER) or not os.path.exists(CAT):
    print("the examples are not there")
    sys.exit(77)
try:
    import websockets
    import websockets.legacy.client
    import websockets.legacy.server
    import wsproto
    from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory, ServerPerMessageDeflateFactory
    from wsproto import events
    from wsproto.extensions import PerMessageDeflate
except ImportError:
    print("python3-websockets or python3-wsproto is not installed")
    sys.exit(77)
NODE_WS = "/usr/share/nodejs/ws"

CLIENT_JS = """
const WebSocket = require(process.argv[1]);
const s = new WebSocket(process.argv[2], {perMessageDeflate: true});
const big = Buffer.alloc(300000, 7);
const got = [];
s.on("open", () => { s.send("h\\u00e9llo \\u{1f3ad}"); s.send(big); s.send(""); s.ping("p"); });
const note = (what) => { if (got.push(what) === 4) s.close(4001, "done"); };
s.on("pong", (d) => note("pong " + d));
s.on("message", (d, binary) => note(binary ? "bytes " + d.equals(big) : "text " + d));
s.on("close", (code, reason) => { console.log(got.sort().join("|") + "|" + code + s.extensions + "|" + s._socket.bytesRead); });
"""

SERVER_JS = """
const {WebSocketServer} = require(process.argv[1]);
const w = new WebSocketServer({port: 0, host: "127.0.0.1", perMessageDeflate: true,
                               handleProtocols: (all) => [...all][0]}, () => console.log(w.address().port));
w.on("connection", (s) => s.on("message", (d, binary) => s.send(s.extensions ? `${s.extensions} ${d}` : d, {binary})));
"""


@contextmanager
def serving(*command):
    """Runs a server that prints its port at the end of a line."""
    p = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield int(p.stdout.readline().rsplit(":", 1)[-1])
    finally:
        p.terminate()
        p.wait(20)


def cat(url, said, *arguments):
    r = subprocess.run([CAT, url, *arguments], input=said, capture_output=True, timeout=30, text=True)
    assert r.returncode == 0, (r.returncode, r.stderr)
    return r.stdout


async def clients_of_python(port):
    async with websockets.legacy.client.connect(f"ws://127.0.0.1:{port}/", max_size=None) as s:
        for message in ("hello", "", "h\u00e9llo \U0001f3ad" * 100, b"", os.urandom(125), os.urandom(126), os.urandom(65536),
                        os.urandom(1_000_000)):
            await s.send(message)
            assert await s.recv() == message
        await s.send(["in ", "three ", "fragments"])
        assert await s.recv() == "in three fragments"
        await asyncio.wait_for(await s.ping(b"data"), 10)
        await s.send("a" * (1024 * 1024))
        assert len(await s.recv()) == 1024 * 1024
        await s.send("a" * (1024 * 1024 + 1))
        try:
            await s.recv()
            raise AssertionError("a message that is too long came back")
        except websockets.ConnectionClosed as e:
            assert e.rcvd.code == 1009, e
    try:
        await websockets.legacy.client.connect(f"ws://127.0.0.1:{port}/", origin="http://evil.example")
        raise AssertionError("any page may connect")
    except websockets.InvalidStatusCode as e:
        assert e.status_code == 403
    async with websockets.legacy.client.connect(f"ws://127.0.0.1:{port}/", origin=f"http://127.0.0.1:{port}") as s:
        await s.close(3000, "bye")
        assert (s.close_code, s.close_reason) == (3000, "")


async def packing_clients_of_python(port):
    url = f"ws://127.0.0.1:{port}/"
    for terms in ({}, {"client_max_window_bits": 9}, {"server_max_window_bits": 10},
                  {"server_no_context_takeover": True, "client_no_context_takeover": True},
                  {"server_max_window_bits": 9, "client_max_window_bits": 12}):
        offer = ClientPerMessageDeflateFactory(**terms)
        async with websockets.legacy.client.connect(url, max_size=None, compression=None, extensions=[offer]) as s:
            assert [e.name for e in s.extensions] == ["permessage-deflate"], s.extensions
            for message in ("hello", "", "h\u00e9llo \U0001f3ad" * 1000, b"", bytes(1_000_000), os.urandom(100_000), "a" * 1024 * 1024):
                await s.send(message)
                assert await s.recv() == message
            await s.send(["in " * 100, "three " * 100, "fragments" * 100])
            assert await s.recv() == "in " * 100 + "three " * 100 + "fragments" * 100
            await s.send(bytes(100 * 1024 * 1024))  # a bomb: 100 KB of it go over the wire
            try:
                await s.recv()
                raise AssertionError("a message that is too long came back")
            except websockets.ConnectionClosed as e:
                assert e.rcvd.code == 1009, e
    # zlib cannot pack with a window of 8 bits.
    offer = ClientPerMessageDeflateFactory(server_max_window_bits=8)
    async with websockets.legacy.client.connect(url, compression=None, extensions=[offer]) as s:
        assert s.extensions == []
        await s.send("x" * 1000)
        assert await s.recv() == "x" * 1000


async def server_of_python():
    async def echo(s):
        async for message in s:
            await s.send(" ".join([e.name for e in s.extensions] + [message]))

    async with websockets.legacy.server.serve(echo, "127.0.0.1", 0, subprotocols=["chat"], ping_interval=None) as server:
        port = server.sockets[0].getsockname()[1]
        said = await asyncio.to_thread(cat, f"ws://127.0.0.1:{port}/x?y", "one\ntwo h\u00e9\n", "--subprotocol", "chat")
        assert said == "one\ntwo h\u00e9\n", said
        long = "many words " * 1000
        said = await asyncio.to_thread(cat, f"ws://127.0.0.1:{port}/x?y", f"one\n{long}\n", "--subprotocol", "chat", "--deflate")
        assert said == f"permessage-deflate one\npermessage-deflate {long}\n", said
    for bits in (9, 12):
        packing = ServerPerMessageDeflateFactory(client_max_window_bits=bits, require_client_max_window_bits=True)
        async with websockets.legacy.server.serve(echo, "127.0.0.1", 0, compression=None, extensions=[packing], ping_interval=None) as server:
            port = server.sockets[0].getsockname()[1]
            said = await asyncio.to_thread(cat, f"ws://127.0.0.1:{port}/", f"{long}\n", "--deflate")
            assert said == f"permessage-deflate {long}\n", said


def reader_of_wsproto(port, extensions=()):
    """What comes is read by wsproto, which refuses frames that are not as the RFC has them."""
    with socket.create_connection(("127.0.0.1", port), 20) as s:
        c = wsproto.WSConnection(wsproto.ConnectionType.CLIENT)
        s.sendall(c.send(events.Request(host="127.0.0.1", target="/", extensions=list(extensions))))
        got = []

        def until(kind):
            while not any(isinstance(e, kind) for e in got):
                data = s.recv(65536)
                c.receive_data(data or None)
                got.extend(c.events())
            return next(e for e in got if isinstance(e, kind))

        assert len(until(events.AcceptConnection).extensions) == len(extensions)
        for size in (0, 1, 125, 126, 65535, 65536):
            got.clear()
            s.sendall(c.send(events.TextMessage(data="x" * size)))
            text = ""
            while True:
                e = until(events.TextMessage)
                got.remove(e)
                text += e.data
                if e.message_finished:
                    break
            assert len(text) == size
        s.sendall(c.send(events.Ping(payload=b"abc")))
        assert until(events.Pong).payload == b"abc"
        s.sendall(c.send(events.CloseConnection(code=1001, reason="gone")))
        assert until(events.CloseConnection).code == 1001
        assert s.recv(1) == b"", "the server closes first"


def main():
    with serving(SERVER, "--port", "0") as port:
        asyncio.run(clients_of_python(port))
        reader_of_wsproto(port)
        assert cat(f"ws://127.0.0.1:{port}/", "hello\n\nworld\n") == "hello\n\nworld\n"
        if shutil.which("node") and os.path.exists(NODE_WS):
            r = subprocess.run(["node", "-e", CLIENT_JS, NODE_WS, f"ws://127.0.0.1:{port}/"], capture_output=True, timeout=30,
                               text=True, check=True)
            *said, size = r.stdout.rsplit("|", 1)
            assert said == ["bytes true|pong p|text |text h\u00e9llo \U0001f3ad|4001"], r.stdout
            assert int(size) > 300_000, r.stdout
    with serving(SERVER, "--port", "0", "--deflate") as port:
        asyncio.run(clients_of_python(port))
        asyncio.run(packing_clients_of_python(port))
        reader_of_wsproto(port, [PerMessageDeflate()])
        long = "many words " * 1000
        assert cat(f"ws://127.0.0.1:{port}/", f"hello\n{long}\n", "--deflate") == f"hello\n{long}\n"
        if shutil.which("node") and os.path.exists(NODE_WS):
            r = subprocess.run(["node", "-e", CLIENT_JS, NODE_WS, f"ws://127.0.0.1:{port}/"], capture_output=True, timeout=30,
                               text=True, check=True)
            *said, size = r.stdout.rsplit("|", 1)
            assert said == ["bytes true|pong p|text |text h\u00e9llo \U0001f3ad|4001permessage-deflate"], r.stdout
            assert int(size) < 3000, r.stdout
    asyncio.run(server_of_python())
    if shutil.which("node") and os.path.exists(NODE_WS):
        with serving("node", "-e", SERVER_JS, NODE_WS) as port:
            assert cat(f"ws://127.0.0.1:{port}/", "one\ntwo\n", "--subprotocol", "a") == "one\ntwo\n"
            said = cat(f"ws://127.0.0.1:{port}/", f"one\n{long}\n", "--deflate")
            assert said == f"permessage-deflate one\npermessage-deflate {long}\n", said


main()
