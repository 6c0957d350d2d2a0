#!/usr/bin/env python3
"""The lists beside the leads: projects, sources, unmatched, and the summary."""

import datetime
import json
import urllib.parse

from harness import case, finish
from leads import LIST, TIME, api_house, ids

UNMATCHED = LIST + "/unmatched"
SUMMARY = LIST + "/summary"


def clear(house):
    with house.open_db() as db:
        # Else SQLite leaves a removed lead's events behind.
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("DELETE FROM Leads")
        db.execute("DELETE FROM UnmatchedCrmEvents")


def nothing(client):
    assert client.get(LIST) == {"leads": [], "next_cursor": None}
    assert client.get(LIST + "/projects") == {"projects": []}
    assert client.get(LIST + "/sources") == {"sources": []}
    assert client.get(UNMATCHED) == {"unmatched": [], "next_cursor": None}
    summary = client.get(SUMMARY)
    assert summary["crm_statuses"] == [] and all((day["leads"], day["events"]) == (0, 0) for day in summary["days"])


def values(client, house, path, column):
    """Distinct, sorted, without empty ones; and as they are at this moment."""
    words = ["b", "a", "B", "ä", "a b", "a", "a ", "10", "9", "", None, "😀", "%"]
    with house.open_db() as db:
        db.executemany("INSERT INTO Leads (%s) VALUES (?)" % column, [(word,) for word in words])
        wanted = sorted({word for word in words if word}, key=str.encode)
        assert client.get("%s/%s" % (LIST, path)) == {path: wanted}, client.get("%s/%s" % (LIST, path))
        db.execute("UPDATE Leads SET %s = 'c' WHERE %s = 'b'" % (column, column))
        wanted = sorted({*wanted, "c"} - {"b"}, key=str.encode)
        assert client.get("%s/%s" % (LIST, path)) == {path: wanted}
        db.execute("DELETE FROM Leads")
    assert client.get("%s/%s" % (LIST, path)) == {path: []}


def many_values(client, house):
    with house.open_db() as db:
        db.execute("BEGIN")
        db.executemany("INSERT INTO Leads (Project, Source) VALUES (?, ?)", [("p%03d" % (number % 700), "s") for number in range(2000)])
        db.execute("COMMIT")
    assert client.get(LIST + "/projects")["projects"] == ["p%03d" % number for number in range(700)]
    assert client.get(LIST + "/sources")["sources"] == ["s"]
    with house.open_db() as db:
        db.execute("DELETE FROM Leads")


def held_shape(client):
    body = b'{ "crm_lead_id":"held-1", "big":9007199254740993, "event_type":"status_changed", "a":1, "a":2 }'
    client.webhook(body)
    reply = client.ask("GET", UNMATCHED)
    page = reply.json
    assert list(page) == ["unmatched", "next_cursor"] and page["next_cursor"] is None
    [held] = page["unmatched"]
    assert set(held) == {"id", "crm_lead_id", "event_type", "payload", "received_at"}, held
    assert (held["crm_lead_id"], held["event_type"]) == ("held-1", "status_changed") and TIME.match(held["received_at"]), held
    assert b'"payload":' + body + b',"received_at"' in reply.bytes, reply


def held_filter(client):
    for crm_lead_id in ("held-2", "held-2", "a b", "a%b", "größe"):
        client.hold(crm_lead_id)
    assert len(client.get(UNMATCHED, crm_lead_id="held-2")["unmatched"]) == 2
    assert len(client.get(UNMATCHED, crm_lead_id="a b")["unmatched"]) == 1
    assert len(client.ask("GET", UNMATCHED + "?crm_lead_id=a+b").json["unmatched"]) == 1
    assert len(client.get(UNMATCHED, crm_lead_id="größe")["unmatched"]) == 1
    for none in ("HELD-2", "held", "held-2 ", "%", "held-_", "nobody"):
        assert client.get(UNMATCHED, crm_lead_id=none) == {"unmatched": [], "next_cursor": None}, none
    whole = client.get(UNMATCHED)
    assert len(whole["unmatched"]) == 6
    for query in ("crm_lead_id=", "limit=&cursor=", "x=1&x=2", "status=new", "q=x", "project=x"):
        assert client.ask("GET", UNMATCHED + "?" + query).json == whole, query


def held_pages(client, house):
    with house.open_db() as db:
        db.execute("BEGIN")
        db.executemany(
            "INSERT INTO UnmatchedCrmEvents (CrmLeadId, PayloadJson, ReceivedAt) VALUES (?, '{}', ?)",
            [("many-%d" % (number % 2), "2026-03-05 10:00:%02d" % (number * 7 % 30)) for number in range(450)],
        )
        db.execute("COMMIT")
    order = [row[0] for row in house.query("SELECT Id FROM UnmatchedCrmEvents ORDER BY ReceivedAt DESC, Id DESC")]
    assert [len(page) for page in client.pages(UNMATCHED, "unmatched", crm_lead_id="many-0")] == [50] * 4 + [25]
    assert [len(page) for page in client.pages(UNMATCHED, "unmatched", crm_lead_id="many-1", limit=45)] == [45] * 5
    for limit in (1, 7, 200):
        assert ids(client.all(UNMATCHED, "unmatched", limit=limit)) == order, limit


def held_bad(client):
    for raw in ("0", "-1", "201", "1e1", "ten", "%205", "+5", "99999999999999999999", "%zz", "%00"):
        client.refused(400, "limit", "GET", UNMATCHED + "?limit=" + raw)
    for raw in ("%zz", "%ff", "%00", "a%00"):
        client.refused(400, "crm_lead_id", "GET", UNMATCHED + "?crm_lead_id=" + raw)
    for name in ("limit", "cursor", "crm_lead_id"):
        client.refused(400, name, "GET", "%s?%s=1&%s=1" % (UNMATCHED, name, name))
    plain = client.get(UNMATCHED, limit=1)["next_cursor"]
    filtered = client.get(UNMATCHED, limit=1, crm_lead_id="many-0")["next_cursor"]
    for cursor, crm_lead_id in ((plain, "many-0"), (filtered, ""), (filtered, "many-1"), ("x", ""), (plain + "0", "")):
        query = urllib.parse.urlencode({"cursor": cursor, "crm_lead_id": crm_lead_id})
        client.refused(400, "cursor", "GET", UNMATCHED + "?" + query)


def days_shape(client):
    """The last days, the oldest first, today last, none left out."""
    for days in (None, 1, 2, 7, 365, 366):
        before = datetime.datetime.now(datetime.timezone.utc).date()
        shown = [day["date"] for day in client.get(SUMMARY, **({"days": days} if days else {}))["days"]]
        after = datetime.datetime.now(datetime.timezone.utc).date()

        def ending(today, days=days):
            return [(today - datetime.timedelta(ago)).isoformat() for ago in reversed(range(days or 30))]

        assert shown in (ending(before), ending(after)), "days=%s: %s … %s" % (days, shown[0], shown[-1])


def days_bad(client):
    for raw in ("0", "-1", "367", "1000", "1e1", "0x1", "1.0", "ten", "+5", "%205", "5%20", "99999999999999999999", "%zz", "%00", "%ff"):
        client.refused(400, "days", "GET", SUMMARY + "?days=" + raw)
    client.refused(400, "days", "GET", SUMMARY + "?days=5&days=5")
    client.refused(400, "days", "GET", SUMMARY + "?days=&days=5")
    whole = client.get(SUMMARY)
    for query in ("days=", "days", "limit=0", "x=1&x=2", "Days=1"):
        assert client.ask("GET", SUMMARY + "?" + query).json == whole, query


def days_figures(client, house):
    """Leads and events by day, whoever writes, moves or removes them."""
    clear(house)

    def day(ago):
        return (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(ago)).strftime("%Y-%m-%d")

    def figures():
        days = {one["date"]: (one["leads"], one["events"]) for one in client.get(SUMMARY, days=366)["days"]}
        return {date: counts for date, counts in days.items() if counts != (0, 0)}

    assert figures() == {}, figures()
    client.send("POST", LIST, 201, email="a@example.com", crm_lead_id="sum-1")
    [[lead]] = house.query("SELECT Id FROM Leads")
    client.happens(lead, "sum-1")
    client.happens(lead, "sum-1")
    client.hold("sum-2")
    assert figures() == {day(0): (1, 2)}, "held events are no lead's: %s" % figures()
    with house.open_db() as db:
        db.execute("INSERT INTO Leads (Id, CreatedAt) VALUES (71, ?), (72, ?)", (day(10) + " 10:00:00", day(10) + "T23:30:00-01:00"))
        assert figures() == {day(0): (1, 2), day(10): (1, 0), day(9): (1, 0)}, figures()
        insert = "INSERT INTO LeadCrmActivity (LeadId, CrmLeadId, PayloadJson, ReceivedAt) VALUES (71, 'x', '{}', ?)"
        db.execute(insert, (day(9) + " 00:00:00",))
        db.execute("UPDATE Leads SET CrmLeadId = 'sum-2', CreatedAt = ? WHERE Id = 72", (day(8),))
        assert figures() == {day(0): (1, 3), day(10): (1, 0), day(9): (0, 1), day(8): (1, 0)}, figures()
    clear(house)
    assert figures() == {}, figures()


def statuses(client, house):
    """As many leads as the list shows with each crm_status; the most frequent first."""
    clear(house)
    with house.open_db() as db:
        db.executemany("INSERT INTO Leads (Id, CrmLeadId) VALUES (?, ?)", [(number, "st-%d" % number) for number in range(1, 10)])

    def check(wanted):
        shown = client.get(SUMMARY)["crm_statuses"]
        assert {row["status"]: row["leads"] for row in shown} == wanted and len(shown) == len(wanted), shown
        counts = [row["leads"] for row in shown]
        assert counts == sorted(counts, reverse=True), shown
        listed = [lead["crm_status"] for lead in client.get(LIST, limit=200)["leads"]]
        assert {status: listed.count(status) for status in set(listed)} == wanted, listed

    check({None: 9})
    for number, status in ((1, "won"), (2, "won"), (3, "lost"), (4, "won"), (4, "lost"), (5, "größe"), (6, 7), (7, "")):
        client.happens(number, "st-%d" % number, status=status)
    check({None: 4, "won": 2, "lost": 2, "größe": 1})
    client.happens(2, "st-2", status="lost")
    client.happens(3, "st-3", note="no status")
    client.hold("st-later", status="lost")
    check({None: 4, "won": 1, "lost": 3, "größe": 1})
    with house.open_db() as db:
        db.execute("UPDATE Leads SET CrmLeadId = 'st-later' WHERE Id = 9")
        check({None: 3, "won": 1, "lost": 4, "größe": 1})
        db.execute("DELETE FROM Leads WHERE Id IN (5, 8)")
    check({None: 2, "won": 1, "lost": 4})


def long_status(client, house):
    """A status that is too long for an index counts as any other."""
    clear(house)
    with house.open_db() as db:
        db.execute("INSERT INTO Leads (Id, CrmLeadId) VALUES (1, 'long')")
    client.happens(1, "long", status="s" * 300)
    assert client.get(LIST + "/1")["lead"]["crm_status"] == "s" * 300
    shown = client.get(SUMMARY)["crm_statuses"]
    assert shown == [{"status": "s" * 300, "leads": 1}], "%.200s" % json.dumps(shown)


with api_house() as (house, client):
    case("lists: an empty database", nothing, client)
    case("projects: distinct, sorted, as they are now", values, client, house, "projects", "Project")
    case("sources: distinct, sorted, as they are now", values, client, house, "sources", "Source")
    case("projects: 700 of them", many_values, client, house)
    case("unmatched: the shape, the payload byte for byte", held_shape, client)
    case("unmatched: crm_lead_id is exact, other parameters are ignored", held_filter, client)
    case("unmatched: pages, the newest first", held_pages, client, house)
    case("unmatched: bad parameters are named", held_bad, client)
    case("summary: days=1 to 366, 30 by default", days_shape, client)
    case("summary: bad days are named", days_bad, client)
    case("summary: leads and events by day", days_figures, client, house)
    case("summary: leads by crm_status, as the list shows them", statuses, client, house)
    case("summary: a status of 300 bytes", long_status, client, house)
finish()
