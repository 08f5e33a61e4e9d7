"""Runs netcat against nc, socat, openssl and itself: netcat_check.py <folder of the programs>"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading

PROGRAM = sys.argv[1] + "/netcat"
BIG = bytes(range(256)) * 40_000  # more than any buffer on the way holds


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def start(*command, **options):
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)


def listening(endpoint):
    """Starts netcat as a server; returns it, and where it listens."""
    server = start(PROGRAM, "--listen", endpoint)
    line = server.stderr.readline().decode()
    assert line.startswith("netcat listens on "), line
    return server, line.split()[-1]


def both_ways(server, client, to_client=BIG, to_server=BIG):
    """Each sends, and ends its half; each gets what the other sent."""
    try:
        got = []
        thread = threading.Thread(target=lambda: got.append(server.communicate(to_client, timeout=20)))
        thread.start()
        out, err = client.communicate(to_server, timeout=20)
        thread.join(20)
        assert out == to_client, (len(out), err)
        assert got and got[0][0] == to_server, (len(got[0][0]), got[0][1])
        result = server.wait(20), client.wait(20)
        assert result == (0, 0), (result, err, got[0][1])
    finally:
        for program in (server, client):
            program.kill()
            program.wait()


def against_itself(folder):
    for endpoint in ("tcp:0", "tcp6:0", f"unix:{folder}/own"):
        server, where = listening(endpoint)
        port = where.rsplit(":", 1)[-1]
        target = {
            "tcp": f"tcp:localhost:{port}",
            "tcp6": f"tcp6:\\:\\:1:{port}",
            "unix": f"unix:{folder}/own",
        }[endpoint.split(":")[0]]
        both_ways(server, start(PROGRAM, target))


def against_others(folder):
    server, where = listening("tcp:0")
    port = where.rsplit(":", 1)[1]
    both_ways(server, start("nc", "-N", "127.0.0.1", port))
    server, where = listening("tcp:0")
    both_ways(server, start("socat", "-t", "20", "-", f"TCP:{where}"))
    server, _ = listening(f"unix:{folder}/s:mode=600")
    assert os.stat(f"{folder}/s").st_mode & 0o777 == 0o600
    both_ways(server, start("socat", "-t", "20", "-", f"UNIX-CONNECT:{folder}/s"))
    assert not os.path.exists(f"{folder}/s")

    # An echo by socat gives everything back, then ends its half.
    for name, listen, endpoint in (
        ("tcp", "TCP-LISTEN:0,bind=127.0.0.1", "tcp:127.0.0.1:{}"),
        ("unix", f"UNIX-LISTEN:{folder}/echo", f"unix:{folder}/echo"),
    ):
        echo = subprocess.Popen(["socat", "-t", "20", "-d", "-d", listen, "EXEC:cat"], stderr=subprocess.PIPE, text=True)
        try:
            for line in echo.stderr:
                if "listening on" in line:
                    break
            target = endpoint.format(line.rsplit(":", 1)[1].strip()) if name == "tcp" else endpoint
            out = subprocess.run([PROGRAM, target], input=BIG, capture_output=True, timeout=20)
            assert (out.returncode, out.stdout) == (0, BIG), (name, out.stderr, len(out.stdout))
        finally:
            echo.kill()
            echo.wait()


def over_tls(folder):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2",
         "-keyout", f"{folder}/key.pem", "-out", f"{folder}/cert.pem"],
        check=True, capture_output=True,
    )
    server, where = listening(f"ssl:0:{folder}/key.pem:{folder}/cert.pem")
    port = where.rsplit(":", 1)[1]
    client = start(PROGRAM, f"tls:localhost:{port}:caCertsFile={folder}/cert.pem")
    both_ways(server, client)

    port = free_port()
    echo = subprocess.Popen(
        ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", f"{folder}/cert.pem",
         "-key", f"{folder}/key.pem", "-rev"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )
    try:
        for line in echo.stdout:
            if "ACCEPT" in line:
                break
        target = f"tls:localhost:{port}:caCertsFile={folder}/cert.pem"
        client = start(PROGRAM, target)
        client.stdin.write(b"stressed\n")
        client.stdin.flush()
        assert client.stdout.readline() == b"desserts\n"
        client.communicate(timeout=20)
        # Whom the system does not trust, we do not.
        out = subprocess.run([PROGRAM, f"tls:localhost:{port}"], input=b"", capture_output=True, timeout=20)
        assert out.returncode == 1 and b"certificate" in out.stderr, out
    finally:
        echo.kill()
        echo.wait()


def activated(folder):
    """Started as systemd starts a service for which it has opened sockets."""
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as unix:
        unix.bind(f"{folder}/activated")
        unix.listen()
        port = tcp.getsockname()[1]
        for endpoint, target in (
            ("systemd:domain=INET:index=0", f"tcp:localhost:{port}"),
            ("systemd:UNIX:name=local", f"unix:{folder}/activated"),
            ("fd:3", f"tcp:localhost:{port}"),
        ):
            setting = "LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=web:local"
            words = f'{setting} exec "{PROGRAM}" --listen {endpoint} 3<&{tcp.fileno()} 4<&{unix.fileno()}'
            server = start("bash", "-c", words, pass_fds=[tcp.fileno(), unix.fileno()])
            line = server.stderr.readline().decode()
            assert line.startswith("netcat listens on "), line
            both_ways(server, start(PROGRAM, target))
        words = f'LISTEN_PID=$$ LISTEN_FDS=1 exec "{PROGRAM}" --listen systemd:INET6:0 3<&{tcp.fileno()}'
        server = start("bash", "-c", words, pass_fds=[tcp.fileno()])
        err = server.communicate(timeout=20)[1].decode()
        assert server.returncode == 1, err
        assert err.endswith('"domain" is that of descriptor 3, and not "INET6"\n  systemd:INET6:0\n          ^\n'), err

    if shutil.which("systemd-socket-activate") is None:
        return
    port = free_port()
    service = start("systemd-socket-activate", "-l", f"127.0.0.1:{port}", PROGRAM, "--listen", "systemd:INET:0")
    for line in service.stderr:
        if b"Listening" in line:
            break
    both_ways(service, start(PROGRAM, f"tcp:localhost:{port}"))


def refused(folder):
    for words, text in (
        (["tcp:localhost"], "port"),
        (["smoke:1"], "smoke"),
        ([f"tcp:127.0.0.1:{free_port()}"], "refused"),
        ([f"unix:{folder}/nobody"], f"{folder}/nobody"),
        (["--listen", "tcp:70000"], "70000"),
        (["--listen", f"unix:{folder}/no/such"], f"{folder}/no/such"),
        (["--listen", "unix:" + "x" * 200], "xxx"),
    ):
        out = subprocess.run([PROGRAM, *words], input="", capture_output=True, text=True, timeout=20)
        assert out.returncode == 1 and text in out.stderr, (words, out)


def without_a_user():
    """Started with standard input and output closed."""
    with socket.create_server(("127.0.0.1", 0)) as peer:
        words = f'exec "{PROGRAM}" tcp:127.0.0.1:{peer.getsockname()[1]} <&- >&-'
        out = subprocess.run(["bash", "-c", words], stderr=subprocess.PIPE, text=True, timeout=20)
    assert out.returncode == 1 and out.stderr.startswith("netcat: standard input is closed"), out


def main():
    with tempfile.TemporaryDirectory() as folder:
        against_itself(folder)
        against_others(folder)
        over_tls(folder)
        activated(folder)
        refused(folder)
    without_a_user()


main()
