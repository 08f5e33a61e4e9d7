"""SOCKS between our server and the clients of others, and our client and the servers of others.

socks_check.py <folder of the programs> <folder of socks_peer>
"""

import http.server
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

PROGRAM = sys.argv[1] + "/socks_server"
PEER = sys.argv[2] + "/socks_peer"
if not os.path.exists(PROGRAM):
    print("troupe::basic is off")
    sys.exit(77)
BODY = bytes(range(256)) * 4000
done = []


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, *args):
        pass


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(port):
    limit = time.monotonic() + 20
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except OSError:
            assert time.monotonic() < limit, f"nobody listens at {port}"
            time.sleep(0.05)


def our_server(*arguments):
    p = subprocess.Popen([PROGRAM, "--port", "0", "--log-level", "error", *arguments], stdout=subprocess.PIPE, text=True)
    return p, int(p.stdout.readline().rsplit(":", 1)[1])


def stop(p):
    p.terminate()
    assert p.wait(20) in (0, -15), p.returncode


def fetch(name, *command, code=0):
    got = subprocess.run(command, capture_output=True, timeout=60)
    assert got.returncode == code, (name, got.returncode, got.stderr)
    assert code != 0 or got.stdout == BODY, (name, len(got.stdout), got.stderr)
    done.append(name)
    return got.stderr


def clients_of_others(url, port, folder):
    p, proxy = our_server()
    where = f"127.0.0.1:{proxy}"
    if shutil.which("curl"):
        quiet = ["curl", "-sS", "--noproxy", ""]
        for option in ("--socks4", "--socks4a", "--socks5", "--socks5-hostname"):
            fetch("curl " + option, *quiet, option, where, url)
        nobody = f"http://localhost:{free_port()}/"
        assert b"(5)" in fetch("curl refused", *quiet, "--socks5-hostname", where, nobody, code=97)
        fetch("curl 4a refused", *quiet, "--socks4a", where, nobody, code=97)
        assert b"(4)" in fetch("curl unknown host", *quiet, "--socks5-hostname", where, "http://no.such.host.invalid/",
                               code=97)
    if shutil.which("ncat"):
        for kind in ("socks4", "socks5"):
            got = subprocess.run(["ncat", "--proxy", where, "--proxy-type", kind, "127.0.0.1", str(port)],
                                 input=b"GET / HTTP/1.0\r\n\r\n", capture_output=True, timeout=60)
            assert got.stdout.endswith(BODY), (kind, got)
            done.append("ncat " + kind)
    if shutil.which("proxychains4") and shutil.which("curl"):
        for kind in ("socks4", "socks5"):
            with open(f"{folder}/chains", "w") as f:
                f.write(f"strict_chain\nproxy_dns\n[ProxyList]\n{kind} 127.0.0.1 {proxy}\n")
            # 127.0.0.1 is reached through the proxy too, as there is no "localnet" line
            fetch("proxychains " + kind, "proxychains4", "-q", "-f", f"{folder}/chains", "curl", "-sS", url)
    stop(p)
    with open(f"{folder}/password", "w") as f:
        f.write("secret\n")
    p, proxy = our_server("--user", "joe", "--password-file", f"{folder}/password")
    if shutil.which("curl"):
        fetch("curl with a password", "curl", "-sS", "--socks5-hostname", f"joe:secret@127.0.0.1:{proxy}", url)
        fetch("curl with a wrong one", "curl", "-sS", "--socks5-hostname", f"joe:guess@127.0.0.1:{proxy}", url, code=97)
        fetch("curl without one", "curl", "-sS", "--socks5-hostname", f"127.0.0.1:{proxy}", url, code=97)
    stop(p)


def through(server, proxy, port, kinds=("socks5",), extra=""):
    """Our client fetches the page through a server of others."""
    for kind in kinds:
        got = subprocess.run([PEER, f"{kind}:localhost:{port}:via=tcp\\:127.0.0.1\\:{proxy}{extra}"],
                             input=b"GET / HTTP/1.0\r\n\r\n", capture_output=True, timeout=60)
        assert got.stdout.endswith(BODY), (server, kind, len(got.stdout), got.stderr)
        done.append(f"our {kind} through {server}")


def servers_of_others(port, folder):
    if shutil.which("microsocks"):
        proxy = free_port()
        p = subprocess.Popen(["microsocks", "-i", "127.0.0.1", "-p", str(proxy)], stderr=subprocess.DEVNULL)
        wait_for(proxy)
        through("microsocks", proxy, port)
        stop(p)
        p = subprocess.Popen(["microsocks", "-i", "127.0.0.1", "-p", str(proxy), "-u", "joe", "-P", "secret"],
                             stderr=subprocess.DEVNULL)
        wait_for(proxy)
        through("microsocks with a password", proxy, port, extra=":user=joe:password=secret")
        got = subprocess.run([PEER, f"socks5:localhost:{port}:via=tcp\\:127.0.0.1\\:{proxy}:user=joe:password=x"],
                             input=b"", capture_output=True, timeout=60)
        assert got.returncode == 1 and b"refuses user and password" in got.stderr, got
        stop(p)
    danted = shutil.which("danted") or shutil.which("sockd") or "/usr/sbin/danted"
    if os.path.exists(danted):
        proxy = free_port()
        with open(f"{folder}/dante", "w") as f:
            f.write(f"""internal: 127.0.0.1 port = {proxy}
external: lo
logoutput: {folder}/dante.log
clientmethod: none
socksmethod: none
client pass {{ from: 127.0.0.0/8 to: 0.0.0.0/0 }}
socks pass {{ from: 127.0.0.0/8 to: 0.0.0.0/0 }}
""")
        p = subprocess.Popen([danted, "-f", f"{folder}/dante", "-p", f"{folder}/dante.pid"], stderr=subprocess.DEVNULL)
        wait_for(proxy)
        through("dante", proxy, port, ("socks5", "socks4"))  # its 4a refuses curl, too
        stop(p)
    if os.path.exists("/usr/sbin/sshd") and shutil.which("ssh") and os.geteuid() == 0:
        ssh_d(port, folder)


def ssh_d(port, folder):
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{folder}/{name}"], check=True)
    shutil.copy(f"{folder}/user.pub", f"{folder}/authorized")
    os.makedirs("/run/sshd", exist_ok=True)
    at, proxy = free_port(), free_port()
    server = subprocess.Popen(["/usr/sbin/sshd", "-D", "-f", "/dev/null", "-h", f"{folder}/host", "-p", str(at),
                               "-o", "ListenAddress=127.0.0.1", "-o", f"AuthorizedKeysFile={folder}/authorized",
                               "-o", "StrictModes=no", "-o", "PermitRootLogin=yes", "-o", "UsePAM=no",
                               "-o", f"PidFile={folder}/sshd.pid"], stderr=subprocess.DEVNULL)
    wait_for(at)
    client = subprocess.Popen(["ssh", "-N", "-D", f"127.0.0.1:{proxy}", "-p", str(at), "-i", f"{folder}/user",
                               "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
                               "-o", "BatchMode=yes", "127.0.0.1"], stderr=subprocess.DEVNULL)
    wait_for(proxy)
    through("ssh -D", proxy, port, ("socks5", "socks4", "socks4a"))
    client.terminate()
    client.wait(20)
    server.terminate()
    server.wait(20)


with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as web, tempfile.TemporaryDirectory() as folder:
    port = web.server_address[1]
    threading.Thread(target=web.serve_forever, daemon=True).start()
    clients_of_others(f"http://localhost:{port}/", port, folder)
    servers_of_others(port, folder)
    p, proxy = our_server()
    through("our own", proxy, port, ("socks5", "socks4", "socks4a"))
    stop(p)
    web.shutdown()
print(len(done), "ways:", ", ".join(done))
