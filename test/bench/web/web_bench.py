"""The web of the examples beside programs of others, under one load: CPU time of the server for each answer, of the client for each request,
and memory.

Usage: web_bench.py <folder of the examples> <folder of the benchmarks> [--repeat N] [--only ROW] [--out FOLDER] [--smoke]

Each run has a fresh program, tied to core 0; the load has core 1. All programs of a row run in turn, then again, and another one begins each
time; a ratio is taken between runs of the same turn. HTTP is asked by wrk and h2load, which want status 200 of each answer; WebSockets by this
program, which compares every byte. Exits with 77 if wrk is not installed.
"""

import argparse
import csv
import fcntl
import os
import re
import resource
import select
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
NODE_WS = "/usr/share/nodejs/ws"


def tied(core, *command):
    """The command, tied to a core if there are several."""
    return [*(["taskset", "-c", str(core)] if os.cpu_count() > 1 else []), *command]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    """A program that is tied to a core, from when it takes connections to the end of the block."""

    def __init__(self, command, port=None, core=0):
        self.process = subprocess.Popen(tied(core, *command), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.port = port
        if port is None:
            line = self.process.stdout.readline()
            if ":" not in line:
                raise RuntimeError(f"{command[0]} does not say where it listens")
            self.port = int(line.rsplit(":", 1)[1])

    def __enter__(self):
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port), 5).close()
                return self
            except ConnectionRefusedError:
                time.sleep(0.05)
        self.__exit__()
        raise RuntimeError("the server takes no connections")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(20)

    def cpu_ns(self):
        total = 0
        for task in os.listdir(f"/proc/{self.process.pid}/task"):
            with open(f"/proc/{self.process.pid}/task/{task}/schedstat") as f:
                total += int(f.read().split()[0])
        return total

    def memory(self):
        """Returns the bytes that are its own."""
        with open(f"/proc/{self.process.pid}/status") as f:
            return int(re.search(r"RssAnon:\s+(\d+) kB", f.read())[1]) * 1024


class Asker:
    """A program that asks a server of ours, which has the other core."""

    def __init__(self, program, server):
        self.program, self.server = program, server

    def __enter__(self):
        self.server.__enter__()
        return self

    def __exit__(self, *_):
        self.server.__exit__()

    def ask(self, count):
        """Returns what it says: microseconds of its CPU for each request."""
        url = f"http://127.0.0.1:{self.server.port}/"
        said = subprocess.run([*tied(0, *self.program), url, str(count)], capture_output=True, text=True, timeout=120)
        if said.returncode != 0:
            raise RuntimeError(said.stderr)
        return float(said.stdout)


class Nginx(Server):
    """One process, which answers by itself."""

    def __init__(self, answer):
        self.folder = tempfile.TemporaryDirectory()
        port = free_port()
        path = self.folder.name + "/nginx.conf"
        with open(path, "w") as f:
            f.write(f"""daemon off; master_process off; worker_processes 1; pid {self.folder.name}/pid; error_log stderr error;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 1000000000; default_type text/plain; sendfile on; tcp_nopush on;
  {' '.join(f'{kind}_temp_path {self.folder.name}/{kind};' for kind in ('client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'))}
  server {{ listen 127.0.0.1:{port}; location / {{ {answer} }} }}
}}
""")
        super().__init__(["nginx", "-e", "stderr", "-c", path], port)

    def __exit__(self, *_):
        super().__exit__()
        self.folder.cleanup()


def ask(server, connections, seconds, path="/", script=None, size=13):
    """Returns microseconds of the server's CPU for each answer to wrk."""
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=20) as answer:
        if len(answer.read()) != size:
            raise RuntimeError("this is not the answer")
    command = tied(1, "wrk", "-t1", f"-c{connections}", *(["-s", f"{HERE}/{script}"] if script else []))
    url = f"http://127.0.0.1:{server.port}{path}"
    subprocess.run([*command, "-d1", url], capture_output=True, check=True)
    before = server.cpu_ns()
    said = subprocess.run([*command, f"-d{seconds}", url], capture_output=True, check=True, text=True).stdout
    cost = server.cpu_ns() - before
    if "Non-2xx" in said or "Socket errors" in said:
        raise RuntimeError(said)
    return cost / int(re.search(r"(\d+) requests in", said)[1]) / 1000


def ask_http2(server, seconds):
    """Returns the same for each answer over HTTP/2, to h2load: 10 connections with 100 streams each."""
    command = tied(1, "h2load", "-t1", "-c10", "-m100", f"http://127.0.0.1:{server.port}/")
    subprocess.run([*command, "-n20000"], capture_output=True, check=True)
    before = server.cpu_ns()
    said = subprocess.run([*command, f"-D{seconds}"], capture_output=True, check=True, text=True).stdout
    cost = server.cpu_ns() - before
    count = int(re.search(r"(\d+) succeeded", said)[1])
    if " 0 failed, 0 errored, 0 timeout" not in said or not count or f"{count} 2xx" not in said:
        raise RuntimeError(said)
    return cost / count / 1000


def nghttpd(folder):
    port = free_port()
    return Server(["nghttpd", "--no-tls", "-n1", "-d", folder, str(port)], port)


def libwebsockets(programs):
    port = free_port()
    return Server([f"{programs}/peer_libwebsockets", str(port)], port)


def masked(text):
    mask = b"\x37\xfa\x21\x3d"
    return bytes([0x81, 0x80 | len(text)]) + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(text))


def connected(server):
    s = socket.create_connection(("127.0.0.1", server.port), 20)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def greeted(server):
    """Returns a socket of somebody who is in the room of lines."""
    s = connected(server)
    if s.recv(100) != b"hello\r\n":
        raise RuntimeError("nobody says hello")
    return s


def websocket(server):
    """Returns a socket behind its handshake."""
    s = connected(server)
    s.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
              b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += s.recv(1)
    if not head.startswith(b"HTTP/1.1 101 "):
        raise RuntimeError(head)
    return s


def echo(server, connections, seconds):
    """Returns microseconds of the server's CPU for each message of 64 bytes that comes back."""
    poll = select.epoll()
    sockets, said, heard = {}, {}, {}
    for i in range(connections):
        s = websocket(server)
        text = (f"{i:4} is who says this; " + "filling " * 6)[:64].encode()
        sockets[s.fileno()], said[s.fileno()], heard[s.fileno()] = s, masked(text), b"\x81\x40" + text
        poll.register(s.fileno(), select.EPOLLIN)
        s.sendall(said[s.fileno()])
    count, before, end = 0, None, None
    begin = time.monotonic() + 0.3  # warm by then
    while True:
        now = time.monotonic()
        if before is None and now >= begin:
            count, before, end = 0, server.cpu_ns(), now + seconds
        if end is not None and now >= end:
            cost = server.cpu_ns() - before
            break
        for fd, _ in poll.poll(5):
            s = sockets[fd]
            got = s.recv(4096)
            while len(got) < 66:
                more = s.recv(4096)
                if not more:
                    raise RuntimeError("the server hung up")
                got += more
            if got != heard[fd]:
                raise RuntimeError("this is not what was said")
            count += 1
            s.send(said[fd])
    for s in sockets.values():
        s.close()
    return cost / count / 1000


def room(server, connect, frame, users, rounds, senders=10, burst=5):
    """Returns microseconds of the server's CPU for each delivery of 64 bytes, when some of the users say several each at once and wait until
    all have heard them. `frame(text)` is what goes there, and what comes back."""
    sockets = [connect(server) for _ in range(users)]
    poll = select.epoll()
    heard, by_number = {}, {s.fileno(): s for s in sockets}
    for s in sockets:
        poll.register(s.fileno(), select.EPOLLIN)
    before = 0
    for k in range(rounds + 1):
        if k == 1:  # the first one tells that all are in
            before = server.cpu_ns()
        said, due = [], []
        for i in range(senders):
            pairs = [frame(f"{k:6} {i:3} {n:3} ".encode().ljust(64, b"x")) for n in range(burst)]
            said.append(b"".join(there for there, _ in pairs))
            due += [back for _, back in pairs]
        size = sum(map(len, due))
        heard = {fd: bytearray() for fd in by_number}
        for s, text in zip(sockets, said):
            s.sendall(text)
        left = users
        while left:
            ready = poll.poll(20)
            if not ready:
                raise RuntimeError("somebody did not hear all")
            for fd, _ in ready:
                got = by_number[fd].recv(65536)
                if not got:
                    raise RuntimeError("the server hung up")
                heard[fd] += got
                left -= len(heard[fd]) == size
        for fd in (sockets[0].fileno(), sockets[-1].fileno()):
            width = len(due[0])
            if sorted(bytes(heard[fd][i:i + width]) for i in range(0, size, width)) != sorted(due):
                raise RuntimeError("this is not what was said")
    cost = server.cpu_ns() - before
    for s in sockets:
        s.close()
    return cost / (rounds * senders * burst * users) / 1000


def asked_once(server):
    s = connected(server)
    s.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    got = b""
    while not got.endswith(b"world!"):
        more = s.recv(4096)
        if not more:
            raise RuntimeError("the server hung up")
        got += more
    return s


def websocket_frame(text):
    return masked(text), bytes([0x81, len(text)]) + text


def line(text):
    return text[:64] + b"\r\n", text[:64] + b"\r\n"


def idle(server, connect, count):
    """Returns the bytes of memory that the server takes for a connection that says nothing."""
    warm = [connect(server) for _ in range(100)]
    before = server.memory()
    sockets = [connect(server) for _ in range(count)]
    took = server.memory() - before
    for s in warm + sockets:
        s.close()
    return took / count


def rows(examples, programs, folder, smoke):
    ours = lambda what: lambda: Server([f"{programs}/bench_web", what])
    sockets = lambda: Server([f"{examples}/websocket_echo_server", "--port", "0", "--loops", "1"])
    http = lambda *more, core=0: lambda: Server([f"{examples}/http_server", "--port", "0", "--loops", "1", *more], core=core)
    node = lambda *more: lambda: Server(["node", f"{HERE}/peer_web.js", *more])
    hello = {"Troupe": http(), "nginx": lambda: Nginx('return 200 "Hello, world!";'), "Node": node("http"),
             "Go": lambda: Server([f"{programs}/peer_http_go"])}
    users, rounds = (100, 2) if smoke else (1000, 40)
    size = os.path.getsize(folder + "/file.bin")
    return {
        "http": ("GET of 13 bytes, 64 connections kept alive: us of the server's CPU", hello, lambda s, t: ask(s, 64, t), {"nginx": 1.1, "Go": 0.5, "Node": 0.25}),
        "http-16": ("the same, 16 requests at once: us of the server's CPU", hello, lambda s, t: ask(s, 64, t, script="pipelined.lua"), {"nginx": 0.9}),
        "http2": ("the same over HTTP/2, 10 connections with 100 streams each: us of the server's CPU",
                  {"Troupe": http(), "nghttpd": lambda: nghttpd(folder)},
                  lambda s, t: ask_http2(s, t), {"nghttpd": 1.0}),
        "file": ("a file of 1 MiB, 16 connections: us of the server's CPU",
                 {"Troupe": http("--root", folder), "nginx": lambda: Nginx(f"root {folder};")},
                 lambda s, t: ask(s, 16, t, path="/file.bin", size=size), {"nginx": 1.2}),
        "websocket": ("WebSocket echo of 64 bytes of text, 50 connections: us of the server's CPU",
                      {"Troupe": sockets, "by hand": ours("frames"), "libwebsockets": lambda: libwebsockets(programs),
                       "ws of Node": node("ws", NODE_WS)},
                      lambda s, t: echo(s, 50, t), {"by hand": 1.15, "libwebsockets": 0.6, "ws of Node": 0.4}),
        "room": (f"a room of {users} WebSockets, 10 of which say 5 messages of 64 bytes at once; us of the server's CPU for each delivery",
                 {"Troupe": ours("room"), "its lines": ours("lines")},
                 lambda s, t: room(s, greeted, line, users, rounds) if s.process.args[-1] == "lines"
                 else room(s, websocket, websocket_frame, users, rounds), {"its lines": 1.3}),
        "agent": ("GET of 13 bytes, 64 at a time: us of the client's CPU",
                  {"Troupe": lambda: Asker([f"{programs}/bench_web", "agent"], http(core=1)()),
                   "libcurl": lambda: Asker([f"{programs}/peer_curl"], http(core=1)())},
                  lambda a, t: a.ask(1000 if smoke else 30000), {"libcurl": 0.7}),
        "idle": ("an idle WebSocket: bytes of the server's memory, 2458 wanted", {"Troupe": sockets},
                 lambda s, t: idle(s, websocket, 200 if smoke else 3000), {}),
        "idle-http": ("an idle connection of HTTP/1.1 that has asked once: bytes of the server's memory", {"Troupe": http()},
                      lambda s, t: idle(s, asked_once, 200 if smoke else 3000), {}),
    }


def missing(name, programs):
    if name == "nginx" and not shutil.which("nginx", path="/usr/sbin:" + os.environ["PATH"]):
        return "nginx is not installed"
    if name == "nghttpd" and not (shutil.which("nghttpd") and shutil.which("h2load")):
        return "nghttp2-server or nghttp2-client is not installed"
    if "Node" in name and (not shutil.which("node") or ("ws" in name and not os.path.exists(NODE_WS))):
        return "nodejs or node-ws is not installed"
    program = {"Go": "peer_http_go", "libcurl": "peer_curl", "libwebsockets": "peer_libwebsockets"}.get(name)
    if program and not os.path.exists(f"{programs}/{program}"):
        return "it was not there when the benchmarks were built"
    return None


def measure(what, programs, repeat, seconds):
    title, contestants, load, targets = what
    taken = {name: [] for name in contestants if not missing(name, programs)}
    for turn in range(repeat):
        names = list(taken)
        for name in names[turn % len(names):] + names[:turn % len(names)]:
            with contestants[name]() as server:
                taken[name].append(load(server, seconds))
    print(f"\n{title}", flush=True)
    lines = []
    for name in contestants:
        if name not in taken:
            print(f"  {name:<14} {missing(name, programs)}")
            continue
        us = taken[name]
        line = f"  {name:<14} {statistics.median(us):8.2f}   ({min(us):.2f} - {max(us):.2f})"
        if name != "Troupe":
            ratios = [a / b for a, b in zip(taken["Troupe"], us)]
            line += f"   Troupe / it {statistics.median(ratios):.2f} ({min(ratios):.2f} - {max(ratios):.2f})"
            if name in targets:
                line += f"   target {targets[name]}"
        print(line, flush=True)
        lines += [[name, *(f"{x:.4f}" for x in us)]]
    return lines


def main():
    p = argparse.ArgumentParser(description="The web of the examples beside servers of others.")
    p.add_argument("examples")
    p.add_argument("programs")
    p.add_argument("--repeat", type=int, default=5, help="how often each figure is taken; the median counts (5)")
    p.add_argument("--only", action="append", help="a row: http, http-16, http2, file, websocket, room, agent, idle, idle-http")
    p.add_argument("--out", help="folder for web.csv, which has every run")
    p.add_argument("--smoke", action="store_true", help="each once and short: do they serve?")
    o = p.parse_args()
    os.environ["PATH"] += ":/usr/sbin"
    resource.setrlimit(resource.RLIMIT_NOFILE, 2 * (resource.getrlimit(resource.RLIMIT_NOFILE)[1],))
    if not shutil.which("wrk"):
        print("wrk is not installed")
        sys.exit(77)
    if not o.smoke:  # one benchmark at a time on this machine
        lock = os.open(tempfile.gettempdir() + "/troupe_bench.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        fcntl.flock(lock, fcntl.LOCK_EX)
    if os.cpu_count() > 1:
        os.sched_setaffinity(0, {1})
    written = []
    with tempfile.TemporaryDirectory() as folder:
        with open(folder + "/file.bin", "wb") as f:
            f.write(os.urandom(1024 * 1024))
        with open(folder + "/index.html", "w") as f:
            f.write("Hello, world!")
        all_rows = rows(o.examples, o.programs, folder, o.smoke)
        for key in o.only or all_rows:
            for line in measure(all_rows[key], o.programs, 1 if o.smoke else o.repeat, 1 if o.smoke else 2):
                written.append([key, *line])
    if o.out:
        os.makedirs(o.out, exist_ok=True)
        with open(o.out + "/web.csv", "w", newline="") as f:
            csv.writer(f).writerows(written)


main()
