"""The guide's chat for browsers, in a real one: guide_page_check.py <folder of the programs>

Skipped where Chromium or the program is missing.
"""

import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import chromium

program = Path(sys.argv[1]) / "guide/chat7"
page_folder = Path(__file__).resolve().parents[2] / "examples/guide/chat7/page"
MARKUP = "<img src=x onerror=\"document.title='owned'\">"
LOG = "document.getElementById('log').textContent"

if not chromium.PROGRAM or not program.exists():
    print("skipped: Chromium is not installed, or chat7 is not built")
    sys.exit(77)


def says(page, text):
    page.until("document.activeElement?.id === 'say'")
    page.type(text)
    page.key("Enter")
    page.until("document.getElementById('say').value === ''")


def conversation(browser, lines, web):
    ann = socket.create_connection(("127.0.0.1", lines), timeout=30)
    heard = ann.makefile("rb")

    def reads(*wanted):
        for line in wanted:
            got = heard.readline().decode().rstrip("\r\n")
            assert got == line, f"read {got!r}, not {line!r}"

    reads("What's your name?")
    ann.sendall(b"ann\r\n")
    reads("Welcome, ann!", "You are in lobby.")
    pages = [browser.page(f"http://127.0.0.1:{web}/") for _ in range(2)]
    bob, other = pages
    for page in pages:
        page.until(f"{LOG} === \"What's your name?\\n\"")
    says(bob, "bob")
    reads("* bob has come")
    says(other, "ann")  # who is there already
    other.until(f"{LOG}.includes('That name is taken.')")
    says(other, "carl")
    reads("* carl has come")
    bob.until(f"{LOG}.includes('* carl has come')")
    says(bob, MARKUP)
    reads(f"<bob> {MARKUP}")
    ann.sendall(f"{MARKUP}\r\n".encode())
    for page in pages:
        page.until(f"{LOG}.includes('<bob> <img') && {LOG}.includes('<ann> <img')")
        assert page.value("document.querySelectorAll('img').length") == 0, "what somebody wrote is markup"
        assert page.value("document.title") == "Chat"
        assert page.errors() == [], page.errors()
    return bob


def main():
    server = subprocess.Popen([program, "0", "0", page_folder], stdout=subprocess.PIPE, text=True)
    try:
        ports = [int(re.search(r":(\d+)/?$", server.stdout.readline().strip())[1]) for _ in range(2)]
        with chromium.Chromium() as browser:
            bob = conversation(browser, *ports)
            server.send_signal(signal.SIGTERM)
            assert server.wait(20) == 0, f"the server ended with {server.returncode}"
            bob.until(f"{LOG}.endsWith(\"What's your name?\\n\")")
    finally:
        server.kill()
        server.communicate()


main()
