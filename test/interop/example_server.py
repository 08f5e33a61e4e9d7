"""A server of the examples, for the time of a block."""

import signal
import subprocess
from contextlib import contextmanager


class Server(subprocess.Popen):
    told = False

    def stop(self):
        """Asks it to end, once: a second signal would cut its end short."""
        if not self.told:
            self.told = True
            self.send_signal(signal.SIGINT)


@contextmanager
def serving(program, *arguments):
    """Runs it; gives its port and itself. It must end well when it is stopped, in the block or behind it."""
    p = Server([program, "--port", "0", "--loops", "2", *arguments], stdout=subprocess.PIPE, text=True)
    try:
        yield int(p.stdout.readline().rsplit(":", 1)[1]), p
        p.stop()
        assert p.wait(20) == 0, p.returncode
    finally:
        p.kill()
        p.wait()
