"""Runs several chat servers that are one chat, and the nats-server at which they meet, until Ctrl-C:
chat_nodes.py <chat_server> <how many> <first port> <first port for browsers, or empty> [option of the servers...]"""

import re
import shlex
import signal
import subprocess
import sys
import tempfile
import threading


def run(words, **how):
    """Starts a process that Ctrl-C does not reach: the nodes end first, and then what they talk over."""
    return subprocess.Popen(words, stderr=subprocess.PIPE, text=True, start_new_session=True, **how)


def end(processes):
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def pass_on(name, stream):
    def read():
        for line in stream:
            sys.stderr.write(f"{name}: {line}")
    threading.Thread(target=read, daemon=True).start()


def start_nats(folder):
    """Gives the process, and its URL once it is ready."""
    server = run(["nats-server", "-a", "127.0.0.1", "-p", "-1", "-js", "-sd", folder])
    url, log = None, []
    for line in server.stderr:
        log.append(line)
        if found := re.search(r"Listening for client connections on (\S+)", line):
            url = "nats://" + found[1]
        if "Server is ready" in line:
            threading.Thread(target=server.stderr.read, daemon=True).start()
            return server, url
    sys.exit("".join(log) + "nats-server has ended")


def start_node(words, name):
    """Gives the process, and its host and port; no port if it has ended."""
    node = run(words, stdout=subprocess.PIPE)
    pass_on(name, node.stderr)
    for line in node.stdout:
        if found := re.search(r" listens on (\S+):(\d+)$", line):
            pass_on(name, node.stdout)
            return node, *found.groups()
    return node, None, None


def main():
    program, count, port, web, *options = sys.argv[1:]
    interrupted = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: interrupted.set())
    with tempfile.TemporaryDirectory(prefix="chat-") as folder:
        nats, url = start_nats(folder)
        nodes = []
        try:
            for i in range(int(count)):
                name = f"chat-{i + 1}"
                words = [program, "--port", str(int(port) + i), "--node", name, "--nats", url, "--jetstream", *options]
                if web:
                    words += ["--web", str(int(web) + i)]
                node, host, number = start_node(words, name)
                nodes.append(node)
                if number is None:
                    return node.wait() or 1
                print(f"{name}, process {node.pid}:  telnet {host} {number}"
                      + (f"  or  http://{host}:{int(web) + i}/" if web else "")
                      + f"\n    after its end, again:  {shlex.join(words)}")
            print("Ctrl-C ends all of them.", flush=True)
            while not interrupted.wait(1):
                if nats.poll() is not None:
                    return f"nats-server has ended with {nats.returncode}"
        finally:
            end(nodes)
            end([nats])
    return 0


if __name__ == "__main__":
    sys.exit(main())
