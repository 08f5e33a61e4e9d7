"""A chat on three nodes in which something fails all the time, at random:
random_faults_check.py <folder of the programs> <folder of the peers> [--seconds N] [--seed N] [--networks]

Nodes and the server stop, are killed and start again, one or two at a time; with `--networks`, which takes root, they are cut off too, in one direction or
both. Once all is mended everybody has to hear everybody again, and nobody may have heard anything twice or out of order; at the end, all nodes show
the same history. The same seed makes the same faults, as long as nothing else differs.
"""

import argparse
import contextlib
import random
import signal
import sys
import time

from chat_rig import needs
from failing_chat import Networks, Rig


class Faults:
    def __init__(self, rig, chance):
        self.rig, self.chance = rig, chance
        self.targets = ["server", 1, 2, 3]

    def stop(self, process):
        process.send_signal(signal.SIGSTOP)
        return lambda: process.send_signal(signal.SIGCONT)

    def kill_server(self):
        self.rig.nats.kill()
        self.rig.nats.wait()
        return self.rig.start_server

    def kill_node(self, i):
        self.rig.nodes[i - 1].kill()
        return lambda: self.rig.restart(i)

    def cut(self, i):
        ways = self.chance.choice([(True, True), (True, False), (False, True)])
        self.rig.networks.cut(i, *ways)
        return lambda: self.rig.networks.heal(i)

    def begin(self, target):
        """Makes something fail; gives what it was, and what mends it."""
        if target == "server":
            kind = self.chance.choice(["stop", "kill"])
            return f"{kind} server", self.stop(self.rig.nats) if kind == "stop" else self.kill_server()
        kind = self.chance.choice(["stop", "stop", "kill", *(["cut"] * 2 if self.rig.networks else [])])
        mend = {"stop": lambda: self.stop(self.rig.nodes[target - 1].process), "kill": lambda: self.kill_node(target),
                "cut": lambda: self.cut(target)}[kind]()
        return f"{kind} {target}", mend

    def round(self):
        """One or two things fail, for up to 7 s; returns what it was."""
        names, mends = [], []
        for target in self.chance.sample(self.targets, self.chance.choice([1, 1, 2])):
            name, mend = self.begin(target)
            names.append(name)
            mends.append(mend)
            time.sleep(self.chance.uniform(0, 0.5))
        lasts = self.chance.choice([0.1, 0.5, 2, 4, 7]) * self.chance.uniform(0.5, 1)
        time.sleep(lasts)
        self.chance.shuffle(mends)
        # A node that starts finds nobody to let people in while the server is away: that comes first.
        for mend in sorted(mends, key=lambda m: m != self.rig.start_server):
            mend()
        return f"{' and '.join(names)} for {lasts:.1f} s"


def main():
    needs()
    parser = argparse.ArgumentParser()
    parser.add_argument("programs")
    parser.add_argument("peers")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--networks", action="store_true")
    o = parser.parse_args()
    print(f"--seconds {o.seconds:g} --seed {o.seed}", flush=True)
    with contextlib.ExitStack() as stack:
        rig = Rig(stack, stack.enter_context(Networks(3)) if o.networks else None)
        faults = Faults(rig, random.Random(o.seed))
        end, rounds = time.monotonic() + o.seconds, 0
        while time.monotonic() < end:
            what = faults.round()
            took = rig.all_hear(60)
            rig.in_order()
            rounds += 1
            print(f"{what}; all hear all after {took:.2f} s", flush=True)
        rig.check()
        rig.history_is_the_same()
        print(f"{rounds} rounds, {sum(p.sent for p in rig.people)} lines said by those who are there")


if __name__ == "__main__":
    sys.exit(main())
