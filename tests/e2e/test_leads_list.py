#!/usr/bin/env python3
"""GET /analytics/leads: every filter alone and combined, against an oracle; every bad parameter; cursors."""

import random
import string
import urllib.parse

from harness import case, finish
from leads import LIST, TIME, api_house, ids

FIELDS = ("Id", "CrmLeadId", "Name", "Email", "Phone", "Project", "Source", "Status", "CreatedAt")
PROJECTS = ["Hafenblick", "hafenblick", "Seeufer", "Größe 1", "a b", "a+b", "100%", "x_y", "", None]
SOURCES = ["website", "fair", "Website", "", None]
STATUSES = ["new", "won", "New", "", None]
WORDS = ["Ada", "ADA", "ada@", "100%", "a_b", "a*b", "a?b", "[ab]", "\\", "Müller", "MÜLLER", "müller", "+49 30", "crm-", "CRM-"]
WORDS += ["'", '"', "😀", "b"]


def random_leads():
    """(row) in the order of FIELDS; many at one moment, so that the id decides."""
    dice = random.Random(7)

    def text():
        return dice.choice([None, "", " ".join(dice.choices(WORDS, k=dice.randint(1, 3)))])

    leads = []
    for number in range(1, 301):
        day = dice.randint(1, 9)
        time = dice.choice(["00:00:00.000", "23:59:59.999", "12:00:00.000", "12:00:00.001"])
        created = "2026-03-%02dT%sZ" % (day, time)
        choices = (dice.choice(PROJECTS), dice.choice(SOURCES), dice.choice(STATUSES))
        leads.append((number, text(), text(), text(), text(), *choices, created))
    return leads


def lower(text):
    """Without regard to ASCII case, and no other."""
    return text.translate(str.maketrans(string.ascii_uppercase, string.ascii_lowercase))


def expected(leads, q="", project="", source="", status="", since="", until=""):
    """What the contract says, in its own words. `since` and `until` are canonical."""
    found = []
    for lead in leads:
        row = dict(zip(FIELDS, lead))
        if q and not any(lower(q) in lower(row[field] or "") for field in ("Name", "Email", "Phone", "CrmLeadId")):
            continue
        if (project and row["Project"] != project) or (source and row["Source"] != source) or (status and row["Status"] != status):
            continue
        if (since and row["CreatedAt"] < since) or (until and row["CreatedAt"] > until):
            continue
        found.append((row["CreatedAt"], row["Id"]))
    return [number for _, number in sorted(found, reverse=True)]


def same(client, leads, wanted, **parameters):
    found = ids(client.all(LIST, "leads", **{"limit": 200, **parameters}))
    assert found == wanted, "%s: %d found, %d wanted; first difference: %s" % (
        parameters,
        len(found),
        len(wanted),
        next(((a, b) for a, b in zip(found + [None], wanted + [None]) if a != b), None),
    )


def shape(client):
    page = client.get(LIST)
    assert list(page) == ["leads", "next_cursor"], list(page)
    assert len(page["leads"]) == 50, "the default page has %d" % len(page["leads"])
    for lead in page["leads"]:
        assert set(lead) == {
            *("id", "crm_lead_id", "name", "email", "phone", "project", "source", "status", "crm_status", "created_at", "updated_at"),
            *("crm_event_count", "last_activity_at"),
        }, set(lead)
        assert TIME.match(lead["created_at"]) and TIME.match(lead["updated_at"])
        assert lead["crm_event_count"] == 0 and lead["last_activity_at"] is None and lead["crm_status"] is None


def values(client, leads):
    """Each lead as it is in the table; an unset or empty text is null."""
    shown = {lead["id"]: lead for lead in client.all(LIST, "leads", limit=200)}
    names = ("id", "crm_lead_id", "name", "email", "phone", "project", "source", "status", "created_at")
    for lead in leads:
        wanted = {name: value if value != "" else None for name, value in zip(names, lead)}
        assert {name: shown[lead[0]][name] for name in names} == wanted, (shown[lead[0]], wanted)


def every_limit(client, leads):
    for limit in (1, 7, 99, 200):
        pages = list(client.pages(LIST, "leads", limit=limit))
        assert [len(page) for page in pages[:-1]] == [limit] * (len(pages) - 1) and 1 <= len(pages[-1]) <= limit
        assert [number for page in pages for number in ids(page)] == expected(leads)


def exact_page(client, leads):
    count = len(expected(leads, project="Seeufer"))
    page = client.get(LIST, project="Seeufer", limit=count)
    assert len(page["leads"]) == count and page["next_cursor"] is None, "a last page that is full: %s" % page["next_cursor"]


def alone(client, leads, name, choices):
    for value in choices:
        if value:
            same(client, leads, expected(leads, **{name: value}), **{name: value})
            same(client, leads, expected(leads, **{name: value}), **{name: value, "limit": 3})


def searches(client, leads):
    odd = ["%", "_", "*", "?", "[", "\\\\", "a%b", "%%", "__", "0%", "_b", "' OR 1=1 --"]
    for q in WORDS + odd + ["Ü", "ü", "ß", " ", "ada 100", "Ada ADA", "nobody", "A", "@"]:
        same(client, leads, expected(leads, q=q), q=q)


def combined(client, leads):
    dice = random.Random(11)
    for _ in range(120):
        filters = {}
        for name, choices in (("q", WORDS), ("project", PROJECTS), ("source", SOURCES), ("status", STATUSES)):
            if dice.random() < 0.45:
                filters[name] = dice.choice(choices) or ""
        wanted = dict(filters)
        if dice.random() < 0.4:
            day = dice.randint(1, 9)
            filters["from"] = "2026-03-%02d" % day
            wanted["since"] = "2026-03-%02dT00:00:00.000Z" % day
        if dice.random() < 0.4:
            day = dice.randint(1, 9)
            filters["to"] = "2026-03-%02dT12:00:00Z" % day
            wanted["until"] = "2026-03-%02dT12:00:00.000Z" % day
        same(client, leads, expected(leads, **wanted), limit=dice.choice([2, 17, 200]), **filters)


def times(client, leads, parameter, given, meant):
    name = "since" if parameter == "from" else "until"
    same(client, leads, expected(leads, **{name: meant}), **{parameter: given})


# parameter, what is given, what it means
TIMES = [
    ("from", "2026-03-05", "2026-03-05T00:00:00.000Z"),
    ("to", "2026-03-05", "2026-03-05T23:59:59.999Z"),
    ("from", "2026-03-05T12:00:00Z", "2026-03-05T12:00:00.000Z"),
    ("to", "2026-03-05T12:00:00Z", "2026-03-05T12:00:00.000Z"),
    ("from", "2026-03-05T12:00:00.001Z", "2026-03-05T12:00:00.001Z"),
    ("to", "2026-03-05T11:59:59.999Z", "2026-03-05T11:59:59.999Z"),
    ("from", "2026-03-05T23:59:59.999Z", "2026-03-05T23:59:59.999Z"),
    ("from", "2026-03-05T14:00:00+02:00", "2026-03-05T12:00:00.000Z"),
    ("to", "2026-03-05T14:00:00.001+02:00", "2026-03-05T12:00:00.001Z"),
    ("from", "2026-03-05T00:30:00+01:00", "2026-03-04T23:30:00.000Z"),
    ("to", "2026-03-04T23:30:00-12:30", "2026-03-05T12:00:00.000Z"),
    ("from", "2026-03-05T00:00:00-00:00", "2026-03-05T00:00:00.000Z"),
    ("from", "2026-03-05t12:00:00z", "2026-03-05T12:00:00.000Z"),
    ("from", "2026-03-05T12:00:00.0Z", "2026-03-05T12:00:00.000Z"),
    ("from", "2026-03-05T12:00:00.000000000Z", "2026-03-05T12:00:00.000Z"),
    ("from", "2026-03-05T12:00:00.0005Z", "2026-03-05T12:00:00.001Z"),  # The lead of 12:00:00.000 is earlier.
    ("to", "2026-03-05T12:00:00.0005Z", "2026-03-05T12:00:00.000Z"),
    ("from", "2025-12-31T23:00:00-01:00", "2026-01-01T00:00:00.000Z"),
    ("from", "2024-02-29", "2024-02-29T00:00:00.000Z"),
    ("to", "2024-02-29", "2024-02-29T23:59:59.999Z"),
    ("from", "0001-01-01", "0001-01-01T00:00:00.000Z"),
    ("from", "9999-12-31", "9999-12-31T00:00:00.000Z"),
    ("to", "9999-12-31", "9999-12-31T23:59:59.999Z"),
    ("to", "9999-12-31T23:59:59-01:00", "9999-12-31T23:59:59.999Z"),  # No row is later than the year 9999.
    ("from", "0000-01-01T00:00:00+01:00", "0000-01-01T00:00:00.000Z"),
]

BAD_TIMES = """2026-02-30 2026-13-01 2026-00-01 2026-01-00 2025-02-29 2026-3-5 26-03-05 2026-03 2026 20260305 yesterday now 0 1772704800
  2026-03-05T 2026-03-05T12 2026-03-05T12:00 2026-03-05T12:00Z 2026-03-05T12:00:00 2026-03-05T24:00:00Z 2026-03-05T23:60:00Z
  2026-03-05T12:00:61Z 2026-03-05T12:00:00.Z 2026-03-05T12:00:00,5Z 2026-03-05T12:00:00+0200 2026-03-05T12:00:00+02
  2026-03-05T12:00:00+24:00 2026-03-05T12:00:00+02:60 2026-03-05T12:00:00ZZ 2026-03-05Z 2026-03-05+02:00 2026/03/05 05.03.2026
  +2026-03-05 -2026-03-05 02026-03-05 2026-03-05T12:00:00UTC 2026-03-05x ２026-03-05""".split()
BAD_LIMITS = ["0", "-1", "201", "1000", "1e1", "0x10", "1.0", "1,0", "ten", "5 ", " 5", "+5", "5;", "NaN", "٥"]
BAD_LIMITS += ["18446744073709551617", "99999999999999999999999"]


def bad(client, name, raw):
    """`raw` is what stands behind the equals sign, as it is sent."""
    client.refused(400, name, "GET", "%s?%s=%s" % (LIST, name, raw))
    client.refused(400, name, "GET", "%s?status=new&%s=%s&x=1" % (LIST, name, raw))


def repeated(client, name, value):
    for again in (value, "", urllib.parse.quote("x")):
        client.refused(400, name, "GET", "%s?%s=%s&%s=%s" % (LIST, name, value, name, again))
        client.refused(400, name, "GET", "%s?%s=%s&a=b&%s=%s" % (LIST, name, again, name, value))
    client.refused(400, name, "GET", "%s?%s&%s" % (LIST, name, name))
    client.refused(400, name, "GET", "%s?%s=%s&%s=%s" % (LIST, name, value, "%%%02x%s" % (ord(name[0]), name[1:]), value))


def empty_is_absent(client):
    whole = client.get(LIST)
    for query in ("limit=", "cursor=", "q=", "project=", "source=", "status=", "from=", "to=", "q", "limit&to", "&", "&&q=&&"):
        reply = client.ask("GET", LIST + "?" + query)
        assert reply.status == 200 and reply.json == whole, "%s: %s" % (query, reply)
    everything = client.ask("GET", LIST + "?limit=&cursor=&q=&project=&source=&status=&from=&to=")
    assert everything.json == whole
    # And a cursor made with an empty filter is one made without it.
    cursor = client.get(LIST, project="", q="", limit=5)["next_cursor"]
    client.get(LIST, cursor=cursor, status="")


def unknown_is_ignored(client):
    whole = client.get(LIST)
    odd = ("x=%zz", "%zz=1", "q%20=x", "=q", "limit[]=1")
    for query in ("offset=5", "Limit=1", "LIMIT=1", "page=2&page=3", "Q=nobody", "crm_lead_id=x", "crm_status=won", *odd):
        reply = client.ask("GET", LIST + "?" + query)
        assert reply.status == 200 and reply.json == whole, "%s: %s" % (query, reply)


def plus_is_a_blank(client, leads):
    for query, wanted in (
        ("project=a+b", {"project": "a b"}),
        ("project=a%20b", {"project": "a b"}),
        ("project=a%2Bb", {"project": "a+b"}),
        ("project=100%25", {"project": "100%"}),
        ("q=%2B49+30", {"q": "+49 30"}),
        ("q=a%5fb", {"q": "a_b"}),
        ("%71=%62", {"q": "b"}),
    ):
        found = ids(client.ask("GET", LIST + "?limit=200&" + query).json["leads"])
        assert found == expected(leads, **wanted)[:200] and found, "%s: %d" % (query, len(found))
    # So an offset's plus has to be sent as %2B.
    client.refused(400, "from", "GET", LIST + "?from=2026-03-05T12:00:00+02:00")


def semicolon_is_no_separator(client):
    client.refused(400, "limit", "GET", LIST + "?limit=5;status=new")


def long_search(client):
    for q in ("x" * 500, "ä" * 250, "%" * 500, "_" * 500):
        assert client.get(LIST, q=q)["leads"] == []
    for q in ("x" * 501, "ä" * 251, "x" * 5000):
        client.refused(400, "q", "GET", LIST + "?" + urllib.parse.urlencode({"q": q}))


def from_after_to(client):
    assert client.get(LIST, **{"from": "2026-03-09", "to": "2026-03-01"}) == {"leads": [], "next_cursor": None}


FILTERS = [
    {},
    {"project": "Hafenblick"},
    {"source": "website"},
    {"status": "new"},
    {"q": "b"},
    {"q": "B"},
    {"from": "2026-03-02"},
    {"to": "2026-03-08"},
    {"status": "new", "q": "b"},
    {"project": "website"},
]


def cursor_of_other_filters(client):
    cursors = [client.get(LIST, limit=1, **filters)["next_cursor"] for filters in FILTERS[:-1]]
    for mine, cursor in zip(FILTERS, cursors):
        for filters in FILTERS:
            target = LIST + "?" + urllib.parse.urlencode({"cursor": cursor, **filters})
            if filters == mine:
                # Neither the order of the parameters nor the limit is a filter.
                assert client.ask("GET", target + "&limit=3").status == 200, target
            else:
                client.refused(400, "cursor", "GET", target)


def cursor_of_another_list(client):
    for number in range(3):
        client.hold("cursor-%d" % number)
    held = client.get(LIST + "/unmatched", limit=1)["next_cursor"]
    client.refused(400, "cursor", "GET", LIST + "?cursor=" + held)
    with_filter = client.get(LIST, limit=1)["next_cursor"]
    client.refused(400, "cursor", "GET", LIST + "/unmatched?cursor=" + with_filter)
    client.refused(400, "activity_cursor", "GET", LIST + "/1?activity_cursor=" + with_filter)


def garbled_cursor(client):
    good = client.get(LIST, limit=1)["next_cursor"]
    garbled = [good[:-1], good[1:], good + "0", good + good, good[::-1], " " + good]
    garbled += ["x", "0", "-1", "null", "1", "2026-03-05T10:00:00.000Z", "ä", "a" * 5000]
    garbled += [good[:at] + ("0" if good[at] != "0" else "1") + good[at + 1 :] for at in range(len(good))]
    for cursor in garbled:
        client.refused(400, "cursor", "GET", LIST + "?" + urllib.parse.urlencode({"cursor": cursor}))
    for raw in ("%00", "%zz", "%ff", good + "%00"):
        client.refused(400, "cursor", "GET", LIST + "?cursor=" + raw)


def figures(client, house):
    """crm_event_count, last_activity_at and crm_status of each row of a page."""
    with house.open_db() as db:
        db.executemany(
            "INSERT INTO Leads (Id, CrmLeadId, CreatedAt) VALUES (?, ?, '2027-01-01')", [(1001, "fig-1"), (1002, "fig-2"), (1003, "fig-3")]
        )
    client.happens(1001, "fig-1", status="qualified")
    client.happens(1001, "fig-1", note="no status")
    client.happens(1002, "fig-2")
    shown = {lead["id"]: lead for lead in client.get(LIST, **{"from": "2027-01-01"})["leads"]}
    for lead, count, status in ((1001, 2, "qualified"), (1002, 1, None), (1003, 0, None)):
        newest = client.get(LIST + "/%d" % lead)["crm_activity"]
        wanted = (count, status, newest[0]["received_at"] if newest else None)
        got = (shown[lead]["crm_event_count"], shown[lead]["crm_status"], shown[lead]["last_activity_at"])
        assert got == wanted, "lead %d: %s, not %s" % (lead, got, wanted)
        del shown[lead]["crm_event_count"], shown[lead]["last_activity_at"]
        assert shown[lead] == client.get(LIST + "/%d" % lead)["lead"]


with api_house() as (house, client):
    leads = random_leads()
    with house.open_db() as db:
        db.executemany("INSERT INTO Leads (%s) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)" % ", ".join(FIELDS), leads)
    case("list: the shape, 50 a page", shape, client)
    case("list: each field as it is stored, empty as null", values, client, leads)
    case("list: limits 1, 7, 99, 200: latest first, ids decide between equal times", every_limit, client, leads)
    case("list: a full last page has no cursor", exact_page, client, leads)
    case("list: project alone", alone, client, leads, "project", PROJECTS + ["nobody", "Hafen", "%", "größe 1", "a b "])
    case("list: source alone", alone, client, leads, "source", SOURCES + ["web"])
    case("list: status alone", alone, client, leads, "status", STATUSES + ["ne_", "new "])
    case("list: q: %, _, *, case, not ASCII, CRM ids", searches, client, leads)
    case("list: filters combined", combined, client, leads)
    for parameter, given, meant in TIMES:
        case("list: %s=%s" % (parameter, given), times, client, leads, parameter, given, meant)
    for name in ("from", "to"):
        for value in BAD_TIMES:
            case("list: a bad time is named: %s=%s" % (name, value), bad, client, name, urllib.parse.quote(value))
    for value in BAD_LIMITS:
        case("list: a bad limit is named: %r" % value, bad, client, "limit", urllib.parse.quote(value))
    for name in ("limit", "cursor", "q", "project", "source", "status", "from", "to"):
        for raw in ("%zz", "%4", "%", "%ff", "%C3", "%ED%A0%80", "%00", "a%00b", "%C0%AF"):
            case("list: not text: %s=%s" % (name, raw), bad, client, name, raw)
    for name in ("limit", "cursor", "q", "project", "source", "status", "from", "to"):
        value = {"limit": "5", "from": "2026-03-01", "to": "2026-03-01"}.get(name, "x")
        case("list: given twice: " + name, repeated, client, name, value)
    case("list: an empty parameter is an absent one", empty_is_absent, client)
    case("list: an unknown parameter is ignored", unknown_is_ignored, client)
    case("list: a plus is a blank", plus_is_a_blank, client, leads)
    case("list: a semicolon separates nothing", semicolon_is_no_separator, client)
    case("list: q of 500 bytes, and of more", long_search, client)
    case("list: from after to is an empty list", from_after_to, client)
    case("list: a cursor fits its own filters alone", cursor_of_other_filters, client)
    case("list: a cursor of another list", cursor_of_another_list, client)
    case("list: a garbled cursor", garbled_cursor, client)
    case("list: crm_event_count, last_activity_at, crm_status", figures, client, house)
finish()
