"""What tests/bench/scale and tests/bench/run share: a client, databases of a size that are kept, promises and tables."""

import contextlib
import os
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))
from harness import BIN, ROOT, SECRET, event  # noqa: E402

KEY = "analytics-Key_1~+/="
NOTHING = "no lead has this text"

broken = []


# ---- a client that costs little itself


class Client:
    """One kept connection to nginx; requests are made in advance."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), 60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, request):
        """(status, body, milliseconds)."""
        begun = time.perf_counter()
        self.socket.sendall(request)
        data = b""
        while b"\r\n\r\n" not in data:
            data += self.more()
        head, _, body = data.partition(b"\r\n\r\n")
        length = int(next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))[15:])
        parts = [body]
        missing = length - len(body)
        while missing > 0:
            parts.append(self.more())
            missing -= len(parts[-1])
        took_ms = (time.perf_counter() - begun) * 1000
        return int(head[9:12]), b"".join(parts), took_ms

    def more(self):
        data = self.socket.recv(1 << 18)
        if not data:
            raise ConnectionError("nginx has closed the connection")
        return data

    def good(self, request):
        status, body, took_ms = self.ask(request)
        if status != 200:
            sys.exit("%d %s for %s" % (status, body[:200], request.split(b"\r\n")[0]))
        return body, took_ms


def get(path, **parameters):
    target = path + ("?" + urllib.parse.urlencode(parameters) if parameters else "")
    return ("GET %s HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\n\r\n" % (target, KEY)).encode()


def anew(request, number):
    """The same GET with a parameter that is ignored, so that it is not answered with a page that the service has kept."""
    method, target, rest = request.split(b" ", 2)
    return b"%s %s%sanew=%d %s" % (method, target, b"&" if b"?" in target else b"?", number, rest)


def post(crm_lead_id, secret=SECRET):
    body = event(crm_lead_id, event_type="note_added", text="a note of the benchmark")
    head = "POST /webhooks/crm/lead HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n" % (secret, len(body))
    return head.encode() + body


# ---- databases that are kept for the next run


def database(path, leads, submissions, events):
    """Makes the database where it is not there yet, or has another schema than the program."""
    if os.path.exists(path) and schema_of(path) != schema_of_program(path + ".empty"):
        print("%s has another schema" % path, flush=True)
        remove(path)
    if not os.path.exists(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        print("Making %s" % path, flush=True)
        words = [os.path.join(ROOT, "scripts", "generate"), path, str(leads), str(submissions), str(events)]
        subprocess.run(words, env={**os.environ, "LEADLINE_BIN": BIN}, check=True)
    check_totals(path)
    return path


def remove(path):
    """A database, with what a killed program may have left of its log."""
    for suffix in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            os.remove(path + suffix)


def schema_of_program(path):
    schema = schema_of(migrated(path))
    remove(path)
    return schema


def migrated(path):
    """An empty database of the program's own schema."""
    remove(path)
    subprocess.run([BIN, "migrate"], env={**os.environ, "DATABASE_URL": "sqlite:" + path}, stdout=subprocess.DEVNULL, check=True)
    return path


def schema_of(path):
    db = sqlite3.connect(path)
    schema = db.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY sql").fetchall()
    db.close()
    return schema


def check_totals(path):
    """What scripts/generate filled in must be what the triggers would have: the totals, and the statuses of some leads."""
    db = sqlite3.connect(path)
    for kept, counted in (
        ("SELECT SUM(Leads), SUM(Events) FROM DailyTotals", "SELECT (SELECT COUNT(*) FROM Leads), (SELECT COUNT(*) FROM LeadCrmActivity)"),
        ("SELECT SUM(Leads) FROM CrmStatusTotals", "SELECT COUNT(*) FROM Leads"),
        (
            "SELECT group_concat(CrmStatus) FROM (SELECT CrmStatus FROM Leads ORDER BY Id LIMIT 1000)",
            "SELECT group_concat(Status) FROM (SELECT COALESCE((SELECT Status FROM LeadCrmActivity WHERE LeadId = Leads.Id AND Status <> '' "
            "ORDER BY ReceivedAt DESC, Id DESC LIMIT 1), '') AS Status FROM Leads ORDER BY Id LIMIT 1000)",
        ),
    ):
        if db.execute(kept).fetchall() != db.execute(counted).fetchall():
            sys.exit("%s: not what the triggers would have kept: %s" % (path, kept))
    db.close()


# ---- what is promised, and how it is shown


def promise(kept, what):
    if not kept:
        broken.append(what)
    return "yes" if kept else "NO"


def table(heads, rows):
    print("| " + " | ".join(heads) + " |")
    print("| " + " | ".join(["---"] + ["---:"] * (len(heads) - 1)) + " |")
    for row in rows:
        print("| " + " | ".join(row) + " |", flush=True)
    print()


def percentile(times, share):
    return sorted(times)[min(len(times) - 1, int(len(times) * share))]
