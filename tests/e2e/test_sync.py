#!/usr/bin/env python3
"""200 is a promise: strace shows that the log was synced between the write of an event and its answer."""

import os
import re
import shutil
import signal
import subprocess
import threading

from harness import SLOW, Fcgi, House, case, event, finish, skip, stored

WRITES = "write,writev,pwrite64,pwritev,pwritev2,send,sendto,sendmsg,sendmmsg"
CALLS = WRITES + ",fsync,fdatasync,sync_file_range,accept,accept4"
# 12:00:00.000000 pwrite64(7</tmp/x/leads.db-wal>, "…", 4096, 32) = 4096, with the thread's number in front.
LINE = re.compile(r"^(?P<thread>\d+) +[\d:.]+ (?:<\.\.\. (?P<resumed>\w+) resumed>|(?P<call>\w+)\((?P<fd>\d+)<(?P<file>[^>]*)>)(?P<rest>.*)$")


class Trace:
    """What strace saw, in its order: ("write" to the log | "synced" | "sent" to a client, text)."""

    def __init__(self, lines, wal):
        self.steps = []
        syncing = set()  # Threads whose sync of the log has begun and not yet returned.
        for line in lines:
            match = LINE.match(line)
            if match is None:
                continue
            call = match["call"] or match["resumed"]
            whole = not match["rest"].endswith("<unfinished ...>")
            if call in ("fsync", "fdatasync"):
                if match["call"] and match["file"] == wal:
                    syncing.add(match["thread"])
                # Only its good return is a sync, not its beginning.
                if whole and match["thread"] in syncing:
                    syncing.discard(match["thread"])
                    if match["rest"].endswith("= 0"):
                        self.steps.append(("synced", ""))
            elif match["call"] and match["file"] == wal:
                self.steps.append(("write", match["rest"]))
            elif match["call"] and match["file"].startswith(("UNIX", "socket", "TCP")):
                # Counted from its beginning: that is the earliest moment at which the client can know.
                self.steps.append(("sent", match["rest"]))

    def first(self, kind, text, start=0):
        return next((at for at in range(start, len(self.steps)) if self.steps[at][0] == kind and text in self.steps[at][1]), None)

    def last_before(self, kind, end):
        return max((at for at in range(end) if self.steps[at][0] == kind), default=None)


def traced(house, work):
    """Runs work() against a service under strace and returns the trace."""
    output = os.path.join(house.dir, "trace")
    house.seed({1: "crm-1"})
    # LeakSanitizer cannot work under ptrace.
    asan = ":".join(filter(None, [os.environ.get("ASAN_OPTIONS"), "detect_leaks=0"]))
    house.start(prefix=["strace", "-f", "-tt", "-yy", "-s", "20000", "-e", "trace=" + CALLS, "-o", output], ASAN_OPTIONS=asan)
    program = house.service_processes()[0]  # strace's child. Its end is strace's, too.
    try:
        work()
    finally:
        os.kill(program, signal.SIGTERM)
        house.await_end(10)
    house.check_log()
    with open(output, encoding="utf-8", errors="replace") as file:
        return Trace(file.read().splitlines(), house.db + "-wal")


def one_event():
    with House() as house:
        answers = []

        def work():
            client = Fcgi(house.socket)
            for turn in range(5):
                answers.append(client.post(event("crm-1", marker="mark-%d." % turn), HTTP_X_REQUEST_ID="mark-%d." % turn))

        trace = traced(house, work)
        assert all(answer.body == stored(1) for answer in answers), "not all were stored"
        for turn in range(5):
            mark = "mark-%d." % turn
            sent = trace.first("sent", mark)
            assert sent is not None, "the answer to %s is not in the trace" % mark
            written = trace.first("write", mark)
            assert written is not None and written < sent, "%s was not written to the log before its answer" % mark
            # Alone on the service: the last write to the log before the answer is this event's commit.
            last = trace.last_before("write", sent)
            synced = trace.last_before("synced", sent)
            assert synced is not None and synced > last, "%s was answered with its last write not synced" % mark


def many_events():
    with House() as house:
        clients = 16
        turns = 5
        bad = []

        def run(number):
            client = Fcgi(house.socket)
            for turn in range(turns):
                mark = "mark-%d-%d." % (number, turn)
                answer = client.post(event("crm-1", marker=mark), HTTP_X_REQUEST_ID=mark)
                if answer.body != stored(1):
                    bad.append(answer.body)

        def work():
            threads = [threading.Thread(target=run, args=(number,)) for number in range(clients)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60 * SLOW)

        trace = traced(house, work)
        assert not bad, "not all were stored: %s" % bad[:2]
        for number in range(clients):
            for turn in range(turns):
                mark = "mark-%d-%d." % (number, turn)
                sent = trace.first("sent", mark)
                written = trace.first("write", mark)
                assert sent is not None and written is not None, "%s: sent %s, written %s" % (mark, sent, written)
                # Later groups may write while this one is answered: what counts is a sync after its own write.
                synced = trace.first("synced", "", written)
                assert synced is not None and synced < sent, "%s was answered without a sync after its write" % mark


def strace_works():
    if not shutil.which("strace"):
        return False
    return subprocess.run(["strace", "-f", "-o", "/dev/null", "true"], capture_output=True, check=False).returncode == 0


if strace_works():
    case("one event: the log is synced between the last write and the answer", one_event)
    case("16 clients at once: each event is synced before its answer", many_events)
else:
    skip("sync before the answer", "strace is missing, or may not trace here")
finish()
