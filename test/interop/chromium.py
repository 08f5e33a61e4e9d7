"""Drives a Chromium without a window by its DevTools protocol, over pipes: pages, keys, expressions, pictures.

    with Chromium() as browser:
        page = browser.page("http://127.0.0.1:8080/")
        page.until("document.title === 'Chat'")
"""

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE = 30


class Chromium:
    def __init__(self, *more):
        self.profile = tempfile.mkdtemp(prefix="troupe-chromium-")
        to_it, self.to = os.pipe()
        self.of, from_it = os.pipe()

        def lend():
            # It reads from 3 and writes to 4; copies first, for these may be the numbers of pipes.
            reads, writes = os.dup(to_it), os.dup(from_it)
            reads, writes = (os.dup2(fd, n) for fd, n in ((reads, 50), (writes, 51)))
            os.dup2(reads, 3), os.dup2(writes, 4)

        self.program = subprocess.Popen(
            [PROGRAM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             "--no-first-run", "--disable-background-networking", "--disable-component-update",
             *more, "--force-color-profile=srgb", "--remote-debugging-pipe", f"--user-data-dir={self.profile}"],
            preexec_fn=lend, pass_fds=(3, 4), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        os.close(to_it)
        os.close(from_it)
        self.left = b""
        self.last = 0
        self.answers = {}
        self.events = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.call("Browser.close")
            self.program.wait(timeout=10)
        except (OSError, EOFError, TimeoutError, subprocess.TimeoutExpired):
            self.program.kill()
            self.program.wait()
        os.close(self.to)
        os.close(self.of)
        shutil.rmtree(self.profile, ignore_errors=True)

    def read(self, deadline):
        while b"\0" not in self.left:
            ready, _, _ = select.select([self.of], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError("the browser does not answer")
            some = os.read(self.of, 1 << 20)
            if not some:
                raise EOFError("the browser has ended")
            self.left += some
        text, self.left = self.left.split(b"\0", 1)
        return json.loads(text)

    def call(self, method, session=None, patience=PATIENCE, **params):
        self.last += 1
        message = {"id": self.last, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.to, data):]
        deadline = time.monotonic() + patience
        while True:
            got = self.read(deadline)
            if got.get("id") == self.last:
                if "error" in got:
                    raise RuntimeError(f"{method}: {got['error']['message']}")
                return got["result"]
            if "method" in got:
                self.events.append(got)

    def empty_page(self):
        context = self.call("Target.createBrowserContext")["browserContextId"]
        target = self.call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable", session, patience=PATIENCE / 3)
        return Page(self, session)

    def page(self, address, width=1200, height=800):
        try:
            made = self.empty_page()
        except TimeoutError:  # the process that draws it sometimes never starts; nothing of ours has been asked yet
            made = self.empty_page()
        made.resize(width, height)
        made.call("Page.navigate", url=address)
        return made


class Page:
    def __init__(self, browser, session):
        self.browser, self.session = browser, session

    def call(self, method, **params):
        return self.browser.call(method, self.session, **params)

    def resize(self, width, height):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                  mobile=width < 600)

    def value(self, expression):
        """Returns what the expression is in the page; a promise is waited for."""
        got = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in got:
            raise RuntimeError(f"{expression}: {got['exceptionDetails']}")
        return got["result"].get("value")

    def until(self, expression, patience=PATIENCE):
        """Waits until the expression is true in the page, looking whenever it draws."""
        looks = ("new Promise((done) => { const end = Date.now() + 1000; const look = () => { let v = false;"
                 f" try {{ v = ({expression}); }} catch {{}}"
                 " if (v || Date.now() > end) done(v); else setTimeout(look, 20); }; look(); })")
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            try:
                got = self.value(looks)
            except RuntimeError:
                got = None  # the page is just being loaded
            if got:
                return got
        raise AssertionError(f"never true: {expression}\nthe page: {self.value('document.body.innerText')}")

    def type(self, text):
        self.call("Input.insertText", text=text)

    def key(self, name, modifiers=0):
        codes = {"Enter": 13, "Tab": 9, "Escape": 27, "ArrowDown": 40, "ArrowUp": 38}
        text = {"text": "\r"} if name == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=name, code=name, modifiers=modifiers,
                      windowsVirtualKeyCode=codes[name], **(text if kind == "keyDown" else {}))

    def picture(self, path):
        data = self.call("Page.captureScreenshot", format="png")["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))

    def errors(self):
        """Returns what the page complained of."""
        found = []
        for event in self.browser.events:
            if event.get("sessionId") != self.session:
                continue
            if event["method"] == "Runtime.exceptionThrown":
                found.append(event["params"]["exceptionDetails"].get("exception", {}).get("description", "exception"))
            elif event["method"] == "Log.entryAdded" and event["params"]["entry"]["level"] == "error":
                found.append(event["params"]["entry"]["text"])
        return found
