"""What the Python tests here share: the end-to-end tests' house and clients, how long to go on, the seed."""

import argparse
import os
import random
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))

from harness import SLOW, Fcgi, House, case, event, finish, skip, stored, until  # noqa: E402,F401  (passed on)

_parser = argparse.ArgumentParser()
_parser.add_argument("--quick", action="store_true", help="a short run")
_parser.add_argument("--seed", type=int, default=None)
_parser.add_argument("--only", default="", help="cases whose name holds this")
OPTIONS = _parser.parse_args()
QUICK = OPTIONS.quick
# A run without a seed draws one, and says which: with it the run can be seen again.
SEED = OPTIONS.seed if OPTIONS.seed is not None else random.SystemRandom().randrange(1_000_000)

KEY = "analytics-Key_1~+/="


class Counted:
    """A case whose name gets figures at its end."""

    def __init__(self):
        self.counts = {}

    def add(self, name, number=1):
        self.counts[name] = self.counts.get(name, 0) + number

    def __str__(self):
        return ", ".join("%d %s" % (number, name) for name, number in self.counts.items())


def counted_case(name, function, *arguments):
    """A case that is given a Counted first; its figures stand in the line that says how it went."""
    if OPTIONS.only not in name:
        return
    counts = Counted()

    class Name(str):
        def __str__(self):
            return name + (": " + str(counts) if counts.counts else "")

    case(Name(name), function, counts, *arguments)


def descriptors(process):
    return len(os.listdir("/proc/%d/fd" % process.pid))


def rss_kib(process):
    with open("/proc/%d/status" % process.pid, encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))


class Pulse:
    """Asks for something again and again, and remembers the longest wait."""

    def __init__(self, ask, every=0.1):
        self.ask = ask
        self.every = every
        self.times = []
        self.errors = []
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.stopping.is_set():
            begun = time.monotonic()
            try:
                self.ask()
            except Exception as error:  # Whatever it was, it was no good answer.
                self.errors.append(repr(error)[:200])
            self.times.append(time.monotonic() - begun)
            self.stopping.wait(self.every)

    def finish(self, counts, most=1.0):
        self.stopping.set()
        self.thread.join(60 * SLOW)
        assert not self.thread.is_alive(), "a good request has got no answer for 60 s"
        assert not self.errors, "%d good requests failed: %s" % (len(self.errors), self.errors[0])
        counts.add("good requests meanwhile", len(self.times))
        counts.counts["ms the slowest of them"] = int(max(self.times) * 1000)
        assert max(self.times) < most * SLOW, "a good request took %.2f s, %d of %d over %g s" % (
            max(self.times),
            sum(taken > most * SLOW for taken in self.times),
            len(self.times),
            most * SLOW,
        )
