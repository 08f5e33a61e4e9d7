"""Two people with browsers, and one with telnet, in the chat: chat_web_check.py <folder of the programs>

The browsers are real ones. With TROUPE_PICTURES=FOLDER it leaves pictures there. Skipped where Chromium is missing,
or the chat has no door for browsers.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import chromium

program = sys.argv[1] + "/chat_server"
MARKUP = '<img src=x onerror="document.title=\'owned\'">'
CROWD = 1000


def skip(why):
    print(f"skipped: {why}")
    sys.exit(77)


class Server:
    """The chat; started again, it has the same ports."""

    def __init__(self, identity=None):
        self.port = self.web = 0
        self.options = ["--web-cert", identity, "--web-key", identity + ".key"] if identity else []
        self.start()

    @property
    def page(self):
        return f"http{'s' if self.options else ''}://127.0.0.1:{self.web}/"

    def start(self):
        self.program = subprocess.Popen(
            [program, "--port", str(self.port), "--web", str(self.web), "--loops", "2", *self.options],
            stdout=subprocess.PIPE, text=True)
        for line in self.program.stdout:
            if "listens on" in line:
                self.port = int(line.rsplit(":", 1)[1])
            if line.startswith("web: "):
                self.web = int(line.rsplit(":", 1)[1].strip("/\n"))
                return
        raise AssertionError("the server ended before it listened")

    def kill(self):
        self.program.kill()
        self.program.wait()

    def stop(self):
        self.program.send_signal(signal.SIGTERM)
        assert self.program.wait(20) == 0, "the server did not end well"


class Telnet:
    def __init__(self, port, name):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.lines = self.socket.makefile("rb")
        self.until("What's your name?")
        self.say(name)
        self.until(f"Welcome, {name}!")

    def say(self, *lines):
        self.socket.sendall("".join(line + "\r\n" for line in lines).encode())

    def until(self, wanted):
        while True:
            line = self.lines.readline()
            assert line, f"the connection ended before: {wanted}"
            if line.decode().rstrip("\r\n") == wanted:
                return


def text(element):
    return f"document.getElementById('{element}').innerText"


def lines():
    return "[...document.querySelectorAll('#log p')].map((p) => [...p.childNodes].slice(1).map((n) => n.textContent).join(''))"


def quoted(some):
    return "'" + some.replace("\\", "\\\\").replace("'", "\\'") + "'"


def hears(page, who, what):
    page.until(f"{lines()}.includes({quoted(who + ' ' + what)})")


def says(page, what):
    """Types into what has the focus, as after a log-in without a mouse."""
    page.until("document.activeElement?.id === 'say'")
    page.type(what)
    page.key("Enter")


def comes(page, name):
    page.until("document.activeElement?.id === 'name'")
    page.value("document.activeElement.select()")
    page.type(name)
    page.key("Enter")


def picture(page, name):
    folder = os.environ.get("TROUPE_PICTURES")
    if folder:
        time.sleep(0.2)  # for the eye: what has just come is drawn
        page.picture(f"{folder}/{name}.png")


def conversation(server, browser):
    tom = Telnet(server.port, "tom")
    ann = browser.page(server.page)
    bob = browser.page(server.page, 400, 750)
    picture(bob, "login-400")
    comes(ann, "ann")
    ann.until("document.getElementById('title').textContent === 'lobby'")
    ann.until("document.getElementById('present').innerText.includes('tom')")

    # A name that is markup, one that is taken, and one that looks like an entity.
    comes(bob, "<b>bob</b>")
    bob.until(f"{text('refused')}.includes('< > [ ]')")
    comes(bob, "ANN")
    bob.until(f"{text('refused')}.includes('taken')")
    evil = "b&lt;o\"b' onclick=alert"
    comes(bob, evil)
    bob.until("document.getElementById('title').textContent === 'lobby'")
    ann.until(f"[...document.querySelectorAll('#present bdi')].some((n) => n.textContent === {quoted(evil)})")

    # All hear each other; what looks like markup is text.
    says(ann, "hello from ann")
    hears(bob, "ann", "hello from ann")
    tom.until("<ann> hello from ann")
    tom.say("hello from tom", MARKUP)
    for page in (ann, bob):
        hears(page, "tom", "hello from tom")
        hears(page, "tom", MARKUP)
    says(bob, MARKUP)
    tom.until(f"<{evil}> {MARKUP}")
    hears(ann, evil, MARKUP)
    assert ann.value("document.querySelectorAll('img, #log b b, #log script').length") == 0
    picture(ann, "lobby-1200")
    picture(bob, "lobby-400")

    # In private, both ways, and to nobody.
    says(ann, "/msg tom psst, tom")
    tom.until("[ann] psst, tom")
    tom.say(f"/msg ann back {MARKUP}")
    ann.until("document.querySelector('#open .new')?.textContent === '1'")
    ann.key("ArrowDown", 1)
    ann.until("document.getElementById('title').textContent === '@tom'")
    hears(ann, "tom", f"back {MARKUP}")
    picture(ann, "private-1200")
    says(ann, "/msg nobody hello")
    ann.until(f"{text('log')}.includes('Nobody is called nobody.')")
    ann.key("ArrowUp", 1)

    # Another room, who is there, another name.
    says(ann, "/join garden")
    ann.until("document.getElementById('title').textContent === 'garden'")
    tom.say("/join Garden")
    tom.until("You are in Garden.")
    ann.until("[...document.querySelectorAll('#present bdi')].map((n) => n.textContent).join() === 'ann,tom'")
    bob.until("[...document.querySelectorAll('#others bdi')].some((n) => n.textContent === 'garden')")
    tom.say("/nick tim")
    ann.until(f"{text('log')}.includes('tom is called tim now.')")
    says(ann, "/nick anna")
    ann.until("[...document.querySelectorAll('#present bdi')].map((n) => n.textContent).join() === 'anna,tim'")
    says(ann, "do you see my name?")
    tom.until("<anna> do you see my name?")
    tom.say("/who")
    tom.until("In garden: anna, tim")

    # On a narrow page the lists lie over the messages, and Escape leads back.
    bob.value("document.getElementById('show-people').click()")
    bob.until("getComputedStyle(document.getElementById('people')).display === 'block'")
    picture(bob, "people-400")
    bob.key("Escape")
    bob.until("document.activeElement?.id === 'say' && getComputedStyle(document.getElementById('people')).display === 'none'")
    assert bob.value("document.documentElement.scrollWidth") <= 400, "the page is wider than the screen"
    return ann, bob


def reconnect(server, ann, bob):
    server.kill()
    for page in (ann, bob):
        page.until(f"!document.getElementById('state').hidden && {text('state')}.includes('No connection')")
    picture(bob, "lost-400")
    server.start()
    for page in (ann, bob):
        page.until("document.getElementById('state').hidden")
        page.until(f"{text('log')}.includes('You are back.')")
    ann.until("document.getElementById('title').textContent === 'garden'")
    tom = Telnet(server.port, "tom")
    tom.say("/join garden")
    tom.until("You are in garden.")
    says(ann, "back again")
    tom.until("<anna> back again")
    says(bob, "me too")
    bob.until(f"{text('log')}.includes('me too')")
    tom.socket.close()


def crowd(server, bob):
    """The page stays usable among many: it tells how long a line takes from one to the other."""
    many = []
    for i in range(CROWD):
        s = socket.create_connection(("127.0.0.1", server.port), timeout=30)
        s.sendall(f"user{i:04}\r\n".encode())
        many.append(s)
    bob.until(f"document.querySelectorAll('#present li').length > {CROWD}", 60)
    picture(bob, "crowd-400")
    took = []
    for i in range(20):
        begun = time.monotonic()
        many[i].sendall(f"line {i} of the crowd\r\n".encode())
        hears(bob, f"user{i:04}", f"line {i} of the crowd")
        took.append(time.monotonic() - begun)
    took.sort()
    print(f"among {CROWD}: a line is on the page after {took[10] * 1000:.0f} ms (median; {took[0] * 1000:.0f} to"
          f" {took[-1] * 1000:.0f})")
    assert took[10] < 1, took
    for s in many:
        s.close()
    bob.until("document.querySelectorAll('#present li').length < 5", 60)


def over_tls(browser, server):
    """The page over https, where its WebSocket is a stream of the connection that it came over."""
    ann, bob = conversation(server, browser)
    for page in (ann, bob):
        assert page.errors() == [], page.errors()
    eve = browser.page("about:blank")
    eve.call("Network.enable")
    eve.call("Page.navigate", url=server.page)
    comes(eve, "eve")
    eve.until("document.getElementById('title').textContent === 'lobby'")
    if eve.value("performance.getEntriesByType('navigation')[0].nextHopProtocol") == "h2":
        answers = [e["params"]["response"]["status"] for e in browser.events
                   if e["method"] == "Network.webSocketHandshakeResponseReceived" and e["sessionId"] == eve.session]
        assert answers == [200], answers
    reconnect(server, ann, bob)


def identity_in(folder):
    name = f"{folder}/identity.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-keyout", name + ".key", "-out", name, "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"], check=True, capture_output=True)
    return name


def main():
    if not chromium.PROGRAM:
        skip("Chromium is not installed")
    if "--web" not in subprocess.run([program, "--help"], capture_output=True, text=True, check=True).stdout:
        skip("the chat has no door for browsers here")
    server = Server()
    try:
        with chromium.Chromium() as browser:
            ann, bob = conversation(server, browser)
            for page in (ann, bob):
                assert page.errors() == [], page.errors()
            reconnect(server, ann, bob)
            crowd(server, bob)
            for page in (ann, bob):
                assert page.value("document.title") != "owned"
        server.stop()
    finally:
        server.kill()
    if not shutil.which("openssl"):
        return
    with tempfile.TemporaryDirectory() as folder:
        server = Server(identity_in(folder))
        try:
            with chromium.Chromium("--ignore-certificate-errors") as browser:
                over_tls(browser, server)
            server.stop()
        finally:
            server.kill()


main()
