#!/usr/bin/env python3
"""Other programs write the same database all the time, and one of them holds the lock: events wait, then get a 503 that says
when to come back; nothing is lost, and nobody ever sees a 500 for a lock."""

import json
import os
import shutil
import subprocess
import threading
import time

from common import HERE, KEY, QUICK, SEED, SLOW, Fcgi, House, counted_case, event, finish, skip, stored
from harness import Http

SECONDS = 4 if QUICK else 20


class Clients:
    """Threads that post events through nginx, and remember every answer and how long it took."""

    def __init__(self, house, count, body_of):
        self.answers = []  # (marker, crm_lead_id, status, body, headers, seconds)
        self.failures = []
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(house, number, body_of), daemon=True) for number in range(count)]
        for thread in self.threads:
            thread.start()

    def run(self, house, number, body_of):
        client = Http(house.port, timeout=60)
        turn = 0
        while not self.stopping.is_set():
            turn += 1
            marker = "c%d-%d" % (number, turn)
            crm_lead_id = body_of(number, turn)
            begun = time.monotonic()
            try:
                answer = client.post(event(crm_lead_id, marker=marker))
            except Exception as error:
                self.failures.append(repr(error))
                client = Http(house.port, timeout=60)
                continue
            self.answers.append((marker, crm_lead_id, answer.status, answer.body, answer.headers, time.monotonic() - begun))

    def finish(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(60 * SLOW)
        assert not self.failures, "%d requests got no answer: %s" % (len(self.failures), self.failures[0])

    def check(self, counts, statuses, longest):
        for marker, _, status, body, headers, took in self.answers:
            counts.add("answers %d" % status)
            assert status in statuses, "%s: %d %s" % (marker, status, body)
            assert took < longest * SLOW, "%s: the answer %d took %.1f s" % (marker, status, took)
            if status == 503:
                assert headers["retry-after"].isdigit() and json.loads(body)["ok"] is False, (headers, body)

    def check_kept(self, house):
        kept = {}
        for (payload,) in house.query("SELECT PayloadJson FROM LeadCrmActivity UNION ALL SELECT PayloadJson FROM UnmatchedCrmEvents"):
            marker = json.loads(payload)["marker"]
            kept[marker] = kept.get(marker, 0) + 1
        for marker, _, status, _, _, _ in self.answers:
            wanted = 1 if status == 200 else 0
            assert kept.pop(marker, 0) == wanted, "%s was answered %d, and is not there %d times" % (marker, status, wanted)
        assert not kept, "events that nobody was told of: %s" % list(kept)[:5]


def start_php(house, tag, seconds):
    return subprocess.Popen(
        ["php", "-d", "display_errors=stderr", os.path.join(HERE, "neighbour.php"), house.db, str(seconds), tag],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )


def sqlite_command(house, number):
    sql = (
        ".timeout 60000\nBEGIN IMMEDIATE; INSERT INTO Leads (CrmLeadId, Email) VALUES ('sh-%d', 'sh-%d@example.com'); "
        "INSERT INTO LeadSubmissions (LeadId, CrmLeadId, SubmittedAt) VALUES (last_insert_rowid(), 'sh-sub-%d', '2026-11-0%d 10:00:00'); COMMIT;"
    ) % (number, number, number, number % 9 + 1)
    done = subprocess.run(["sqlite3", "-batch", "-bail", house.db], input=sql, capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr, "sqlite3: " + done.stderr


def writing_together(counts):
    with House() as house:
        house.seed({})
        house.start(ANALYTICS_API_KEY=KEY, LEADLINE_LOG_LEVEL="error")
        house.start_nginx()
        # Events for leads that PHP and the shell are about to make, or have made: held ones have to be adopted.
        clients = Clients(house, 4, lambda number, turn: ("a-%d", "b-%d", "sh-%d", "sh-sub-%d")[number] % (turn % 200))
        begun = time.monotonic()
        php = [start_php(house, "a", SECONDS), start_php(house, "b", SECONDS)]
        number = 0
        while time.monotonic() < begun + SECONDS:
            sqlite_command(house, number)
            number += 1
            time.sleep(0.05)
        written = number
        for one in php:
            output, errors = one.communicate(timeout=60)
            assert one.returncode == 0 and not errors, "php: " + errors[-500:]
            written += json.loads(output)["leads"]
        clients.finish()
        clients.check(counts, (200,), 15)
        clients.check_kept(house)
        assert house.query("SELECT count(*), count(DISTINCT Email) FROM Leads") == [(written, written)], "the neighbours' leads"
        counts.add("leads of PHP and sqlite3", written)
        # Whatever has a lead by now is with it, and each event is where its lead is.
        stray = house.query("SELECT count(*) FROM UnmatchedCrmEvents WHERE CrmLeadId IN (SELECT CrmLeadId FROM Leads UNION SELECT CrmLeadId FROM LeadSubmissions WHERE CrmLeadId IS NOT NULL)")
        assert stray == [(0,)], "%d events are held though their lead is there" % stray[0][0]
        wrong = house.query(
            "SELECT count(*) FROM LeadCrmActivity AS Event WHERE LeadId IS NOT COALESCE((SELECT max(Id) FROM Leads WHERE CrmLeadId = Event.CrmLeadId), "
            "(SELECT LeadId FROM LeadSubmissions WHERE CrmLeadId = Event.CrmLeadId))"
        )
        assert wrong == [(0,)], "%d events are with another lead" % wrong[0][0]
        counts.add("events adopted or matched", house.query("SELECT count(*) FROM LeadCrmActivity")[0][0])
        assert house.query("PRAGMA integrity_check") == [("ok",)]
        assert "locked" not in house.log_text(), "the log speaks of a lock: " + house.log_text()[:300]
        house.stop()


def lock_held(counts, seconds):
    """Others take their turns while one holds the write lock; before, during and after it events are posted."""
    with House() as house:
        house.seed({1: "crm-1"})
        house.start(ANALYTICS_API_KEY=KEY, LEADLINE_LOG_LEVEL="error")
        house.start_nginx()
        clients = Clients(house, 8, lambda number, turn: "crm-1")
        time.sleep(0.5)
        with house.open_db() as other:
            other.execute("BEGIN IMMEDIATE")
            other.execute("INSERT INTO Leads (CrmLeadId) VALUES ('holder')")
            php = start_php(house, "waiting", 1)
            begun = time.monotonic()
            while time.monotonic() < begun + seconds * SLOW:
                # Reads do not wait for a writer.
                asked = time.monotonic()
                answer = Fcgi(house.socket).post(b"", method="GET", path="/analytics/leads/1", secret=KEY)
                assert answer.status == 200, (answer.status, answer.body)
                assert time.monotonic() - asked < 1 * SLOW, "a read took %.1f s beside a lock" % (time.monotonic() - asked)
                counts.add("reads meanwhile")
                time.sleep(0.2)
            other.execute("COMMIT")
        after = time.monotonic()
        answer = Http(house.port, timeout=60).post(event("crm-1", marker="after"))
        assert (answer.status, answer.body) == (200, stored(1)), "after the lock: %d %s" % (answer.status, answer.body)
        assert time.monotonic() - after < 3 * SLOW, "the recovery took %.1f s" % (time.monotonic() - after)
        clients.answers.append(("after", "crm-1", 200, b"", {}, 0.0))
        time.sleep(0.5)
        clients.finish()
        output, errors = php.communicate(timeout=90)
        assert php.returncode == 0 and not errors, "php: " + errors[-500:]
        is_long = seconds > 15
        clients.check(counts, (200, 503) if is_long else (200,), 15)
        refused = sum(status == 503 for _, _, status, _, _, _ in clients.answers)
        assert refused > 0 or not is_long, "nobody was refused though the lock stayed for %d s" % seconds
        slowest = max(took for *_, took in clients.answers)
        counts.counts["ms the slowest answer"] = int(slowest * 1000)
        assert slowest > min(seconds, 11) * 0.9, "nobody waited for the lock"
        clients.check_kept(house)
        house.stop()


print("# seed %d" % SEED, flush=True)
if shutil.which("php") is None:
    skip("neighbours", "there is no php")
else:
    counted_case("PHP, the sqlite3 command and webhooks write together", writing_together)
    counted_case("a neighbour holds the write lock for 2 s", lock_held, 2)
    if QUICK:
        skip("a neighbour holds the write lock for 60 s", "a short run")
    else:
        counted_case("a neighbour holds the write lock for 60 s", lock_held, 60)
finish()
