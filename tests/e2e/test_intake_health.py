#!/usr/bin/env python3
"""GET /healthz and /readyz: no key, no details of the host; 503 where the database cannot be written."""

import os
import time

from harness import SLOW, case, finish, skip
from leads import RIGHT, Client, api_house

FINE = b'{"ok":true}'


def fine(client, path):
    for headers in ({}, RIGHT, {"Authorization": "Bearer wrong"}, {"X-API-Key": ""}):
        reply = client.ask("GET", path + "?x=%zz", None, headers)
        assert (reply.status, reply.bytes) == (200, FINE), reply


def says_nothing(house, reply):
    """Neither where the database is nor what it is."""
    for word in (house.dir, "leads.db", ".db", "sqlite", "SQLite", "errno", "leadline.sock", os.uname().nodename):
        assert word not in reply.text, reply


def adds_nothing(client, house):
    tables = ("Leads", "LeadSubmissions", "LeadCrmActivity", "UnmatchedCrmEvents", "WebhookKeys")
    query = "SELECT " + ", ".join("(SELECT count(*) FROM %s)" % table for table in tables)
    before = house.query(query)
    for _ in range(50):
        assert client.ask("GET", "/readyz", None, {}).status == 200
        assert client.ask("HEAD", "/readyz", None, {}).status == 200
    assert house.query(query) == before


def moved():
    """A file that was moved away takes writes that nobody ever sees."""
    with api_house() as (house, client):
        os.rename(house.db, house.db + ".away")
        reply = client.ask("GET", "/readyz", None, {})
        assert reply.status == 503, reply
        says_nothing(house, reply)
        assert client.ask("GET", "/healthz", None, {}).bytes == FINE
        os.rename(house.db + ".away", house.db)
        assert client.ask("GET", "/readyz", None, {}).bytes == FINE


def broken():
    """The probe's table is gone: any error of the database will do."""
    with api_house() as (house, client):
        with house.open_db() as db:
            db.execute("DROP TABLE Probe")
        reply = client.ask("GET", "/readyz", None, {})
        assert reply.status == 503, reply
        says_nothing(house, reply)
        assert client.ask("GET", "/healthz", None, {}).bytes == FINE


def short_lock():
    with api_house() as (house, client):
        with house.open_db() as other:
            other.execute("BEGIN IMMEDIATE")
            begun = time.monotonic()
            assert client.ask("GET", "/healthz", None, {}).bytes == FINE
            # Reading goes on as well.
            assert client.get("/analytics/leads")["leads"] == []
            assert time.monotonic() - begun < 1 * SLOW, "the lock held up what does not write"
            other.execute("COMMIT")
        assert client.ask("GET", "/readyz", None, {}).bytes == FINE


def long_lock():
    with api_house() as (house, client):
        with house.open_db() as other:
            other.execute("BEGIN IMMEDIATE")
            begun = time.monotonic()
            reply = client.ask("GET", "/readyz", None, {})
            took = time.monotonic() - begun
            assert reply.status == 503 and "locked" in reply.error, reply
            assert took <= 15 * SLOW, "it took %.1f s" % took
            says_nothing(house, reply)
            assert Client(house).ask("GET", "/healthz", None, {}).bytes == FINE
            other.execute("COMMIT")
        assert client.ask("GET", "/readyz", None, {}).bytes == FINE


def read_only():
    with api_house() as (house, client):
        for name in os.listdir(house.dir):
            if name.startswith("leads.db"):
                os.chmod(os.path.join(house.dir, name), 0o444)
        # What is open already stays writable: only a new start sees the mode.
        house.stop()
        house.start()
        reply = client.ask("GET", "/readyz", None, {})
        assert reply.status == 503, reply
        says_nothing(house, reply)


with api_house() as (house, client):
    case("healthz: 200, with any key or none", fine, client, "/healthz")
    case("readyz: 200, with any key or none", fine, client, "/readyz")
    case("readyz: leaves nothing behind", adds_nothing, client, house)
case("readyz: 503 where the file was moved, and 200 when it is back", moved)
case("readyz: 503 where writing fails", broken)
case("healthz and reading do not wait for a lock", short_lock)
if os.environ.get("LEADLINE_QUICK"):
    skip("readyz: 503 where the lock stays", "LEADLINE_QUICK is set")
else:
    case("readyz: 503 where the lock stays", long_lock)
finish()
