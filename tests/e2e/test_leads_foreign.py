#!/usr/bin/env python3
"""What other programs wrote badly: Latin-1, BLOBs, NULLs, payloads that are no JSON. Still 200, and valid UTF-8 JSON."""

from harness import case, event, finish
from leads import LIST, TIME, api_house, ids

# SQL for a value, and how it has to come out (None: null).
TEXTS = [
    ("NULL", None),
    ("''", None),
    ("CAST(x'4d9e6ce9' AS TEXT)", "M\ufffdl\ufffd"),  # Latin-1
    ("x'4d75'", "Mu"),
    ("x'4de9'", "M\ufffd"),
    ("x''", None),
    ("CAST(x'ff' AS TEXT)", "\ufffd"),
    ("CAST(x'e282' AS TEXT)", "\ufffd\ufffd"),
    ("CAST(x'eda080' AS TEXT)", "\ufffd\ufffd\ufffd"),
    ("CAST(x'c0af' AS TEXT)", "\ufffd\ufffd"),
    ("CAST(x'f0288cbc' AS TEXT)", "\ufffd(\ufffd\ufffd"),
    ("'a' || char(0) || 'b'", "a\0b"),
    ("'a' || char(1) || char(31) || char(127) || 'b'", "a\x01\x1f\x7fb"),
    ("'\"\\/' || char(8232)", '"\\/\u2028'),
    ("12", "12"),
    ("1.5", "1.5"),
    ("' '", " "),
    ("printf('%.*c', 100000, 'x')", "x" * 100000),
]
COLUMNS = ["CrmLeadId", "Name", "Email", "Phone", "Project", "Source", "Status"]
NAMES = ["crm_lead_id", "name", "email", "phone", "project", "source", "status"]

# SQL for a payload, and how it has to come out.
PAYLOADS = [
    ("NULL", None),
    ("''", None),
    ("'{\"a\":1}'", {"a": 1}),
    ("'[1,2]'", [1, 2]),
    ("'12'", 12),
    ("12", 12),
    ("'\"text\"'", "text"),
    ("'null'", None),
    ("'no JSON'", "no JSON"),
    ("'{\"a\":1'", '{"a":1'),
    ("'{\"a\":1}}'", '{"a":1}}'),
    ("'{a:1}'", "{a:1}"),
    ("'NaN'", "NaN"),
    ("'01'", "01"),
    ("' '", " "),
    ("'a:2:{i:0;i:1;}'", "a:2:{i:0;i:1;}"),
    ("'name=Ada&email=a%40b'", "name=Ada&email=a%40b"),
    ("'{\"a\":\"' || char(10) || '\"}'", '{"a":"\n"}'),
    ("char(65279) || '{}'", "\ufeff{}"),
    ("CAST(x'7b2261223a22e9227d' AS TEXT)", '{"a":"\ufffd"}'),
    ("x'7b2261223a22e9227d'", '{"a":"\ufffd"}'),
    ("x'7b7d'", {}),
    ("x'00ff'", "\0\ufffd"),
    ("'{}' || char(0)", "{}\0"),
    ("replace(printf('%.513c', '['), ' ', '') || '1' || replace(printf('%.513c', ']'), ' ', '')", "[" * 513 + "1" + "]" * 513),
    ("'<script>\"</script>'", '<script>"</script>'),
]


def lead_of(house, columns):
    """A lead with these columns, {name: SQL}."""
    with house.open_db() as db:
        return db.execute("INSERT INTO Leads (%s) VALUES (%s)" % (", ".join(columns), ", ".join(columns.values()))).lastrowid


def text(client, house, sql, wanted):
    """In every column of a lead at once, and in those of a submission; in the lead, in the list, and in both value lists."""
    lead = lead_of(house, {name: sql for name in COLUMNS})
    with house.open_db() as db:
        db.execute("INSERT INTO LeadSubmissions (LeadId, CrmLeadId, Form, PageUrl) VALUES (%d, %s, %s, %s)" % (lead, sql, sql, sql))
    try:
        check_texts(client, lead, wanted)
    finally:
        with house.open_db() as db:
            db.execute("DELETE FROM Leads WHERE Id = ?", (lead,))


def check_texts(client, lead, wanted):
    page = client.get(LIST + "/%d" % lead)
    listed = [row for row in client.get(LIST, limit=200)["leads"] if row["id"] == lead][0]
    for name in NAMES:
        assert page["lead"][name] == wanted, "%s is %.80r" % (name, page["lead"][name])
        assert listed[name] == wanted, "%s in the list is %.80r" % (name, listed[name])
    for name in ("crm_lead_id", "form", "page_url"):
        assert page["submissions"][0][name] == wanted, "a submission's %s is %.80r" % (name, page["submissions"][0][name])
    for items in ("projects", "sources"):
        values = client.get("%s/%s" % (LIST, items))[items]
        assert values == ([] if wanted is None else [wanted]), "%s: %.200r" % (items, values)


def submission_payload(client, house, sql, wanted):
    lead = lead_of(house, {"Name": "'p'"})
    with house.open_db() as db:
        db.execute("INSERT INTO LeadSubmissions (LeadId, PayloadJson) VALUES (%d, %s)" % (lead, sql))
    page = client.get(LIST + "/%d" % lead)
    assert page["submissions"][0]["payload"] == wanted, page["submissions"][0]


def activity_payload(client, house, sql, wanted):
    """By another program's INSERT; by its UPDATE of an event of the webhook's; and of a held one, which is adopted then."""
    if sql == "NULL":
        return
    with house.open_db() as db:
        db.execute("DELETE FROM Leads WHERE CrmLeadId GLOB 'act*'")
        lead = lead_of(house, {"CrmLeadId": "'act'"})
        db.execute("INSERT INTO LeadCrmActivity (LeadId, CrmLeadId, PayloadJson) VALUES (%d, 'act', %s)" % (lead, sql))
        client.happens(lead, "act", status="was")
        assert client.get(LIST + "/%d" % lead)["lead"]["crm_status"] == "was"
        db.execute("UPDATE LeadCrmActivity SET PayloadJson = %s WHERE LeadId = %d" % (sql, lead))
        page = client.get(LIST + "/%d" % lead)
        assert [one["payload"] for one in page["crm_activity"]] == [wanted, wanted], page
        assert page["lead"]["crm_status"] is None, page

        held = client.hold("act-held", status="was")
        db.execute("UPDATE UnmatchedCrmEvents SET PayloadJson = %s WHERE Id = %d" % (sql, held["id"]))
        shown = client.get(LIST + "/unmatched", crm_lead_id="act-held")["unmatched"]
        assert [one["payload"] for one in shown] == [wanted], shown
        db.execute("UPDATE Leads SET CrmLeadId = 'act-held' WHERE Id = %d" % lead)
        page = client.get(LIST + "/%d" % lead)
        assert [one["payload"] for one in page["crm_activity"]] == [wanted] * 3, page
        assert page["lead"]["crm_status"] is None, page


# SQL for a time, and how it has to come out (None: as some canonical time).
TIMES = {
    "'2026-03-05 10:00:00'": "2026-03-05T10:00:00.000Z",
    "'2026-03-05T10:00:00'": "2026-03-05T10:00:00.000Z",
    "'2026-03-05 12:30:00+02:00'": "2026-03-05T10:30:00.000Z",
    "'2026-03-05T10:00:00Z'": "2026-03-05T10:00:00.000Z",
    "'2026-03-05T10:00:00.123456Z'": "2026-03-05T10:00:00.123Z",
    "'2026-03-05 10:00'": "2026-03-05T10:00:00.000Z",
    "'2026-03-05'": "2026-03-05T00:00:00.000Z",
    "'05.03.2026'": "05.03.2026",
    "'yesterday'": "yesterday",
    "CAST(x'ff80' AS TEXT)": "\ufffd\ufffd",
    "CAST(x'80' AS TEXT)": "\ufffd",
    "'a' || char(0) || 'b'": "a\0b",
    "-1": "-1",
    "'2026-02-30 10:00:00.000'": None,  # SQLite takes it for a day of March.
    "NULL": None,
    "''": None,
}
BLOB_TIMES = {
    "x'ff'": "\ufffd",
    "x'00'": "\0",
    "x'61'": "a",
    "x'323032362d30332d30352031303a30303a3030'": "2026-03-05T10:00:00.000Z",
    "'2026-03-05 10:00:00'": "2026-03-05T10:00:00.000Z",
}


def odd_times(client, house, times):
    """Canonical where SQLite knows them, else as they are; each row is on a page, once."""
    with house.open_db() as db:
        db.execute("DELETE FROM Leads")
        wanted = {}
        for sql, shown in times.items():
            for _ in range(2):
                number = db.execute("INSERT INTO Leads (CreatedAt, UpdatedAt) VALUES (%s, %s)" % (sql, sql)).lastrowid
                wanted[number] = (sql, shown)
    for lead in client.get(LIST, limit=200)["leads"]:
        sql, shown = wanted[lead["id"]]
        for name in ("created_at", "updated_at"):
            if shown is None:
                assert TIME.match(lead[name]), "%s of %s: %r" % (name, sql, lead[name])
            else:
                assert lead[name] == shown, "%s of %s: %r" % (name, sql, lead[name])
    for limit in (1, 2, 3, 200):
        found = ids(client.all(LIST, "leads", limit=limit))
        missing = [wanted[number][0] for number in wanted if number not in found]
        assert sorted(found) == sorted(wanted), "limit %d: %d of %d leads, missing: %s" % (limit, len(found), len(wanted), missing)


def odd_activity_times(client, house, times):
    with house.open_db() as db:
        db.execute("DELETE FROM LeadCrmActivity")
        db.execute("DELETE FROM LeadSubmissions")
        db.execute("DELETE FROM Leads")
        db.execute("INSERT INTO Leads (Id, CrmLeadId) VALUES (1, 'odd')")
        known = [sql for sql in times if sql != "NULL"]
        for sql in known:
            db.execute("INSERT INTO LeadCrmActivity (LeadId, CrmLeadId, PayloadJson, ReceivedAt) VALUES (1, 'odd', '{}', %s)" % sql)
            db.execute("INSERT INTO LeadSubmissions (LeadId, SubmittedAt) VALUES (1, %s)" % sql)
    for limit in (1, 3, 100):
        pages = client.pages(LIST + "/1", "crm_activity", "crm_activity_next", "activity_cursor", activity_limit=limit)
        found = [number for page in pages for number in ids(page)]
        assert len(found) == len(set(found)) == len(known), "limit %d: %d of %d events" % (limit, len(found), len(known))
    assert len(client.get(LIST + "/1")["submissions"]) == len(known)


def search_and_filters(client, house):
    """Latin-1 beside UTF-8 hides neither."""
    with house.open_db() as db:
        db.execute("DELETE FROM Leads")
        db.execute("INSERT INTO Leads (Id, Name, Project) VALUES (1, CAST(x'4de96c' AS TEXT), CAST(x'e9' AS TEXT)), (2, 'Mél', 'é')")
    assert ids(client.get(LIST, q="l")["leads"]) == [2, 1]
    assert ids(client.get(LIST, q="é")["leads"]) == [2]
    assert ids(client.get(LIST, project="é")["leads"]) == [2]
    assert client.get(LIST + "/projects")["projects"] in (["é", "\ufffd"], ["\ufffd", "é"])


def crm_ids_as_numbers(client, house):
    """Another program's number is the same text."""
    with house.open_db() as db:
        db.execute("DELETE FROM Leads")
        db.execute("INSERT INTO Leads (Id, CrmLeadId) VALUES (1, 4711)")
    reply = client.webhook(event("4711"))
    assert reply.json["lead_id"] == 1
    assert client.get(LIST + "/1")["lead"]["crm_lead_id"] == "4711"


with api_house() as (house, client):
    for sql, wanted in TEXTS:
        case("foreign text: " + sql, text, client, house, sql, wanted)
    for sql, wanted in PAYLOADS:
        case("foreign payload of a submission: %.60s" % sql, submission_payload, client, house, sql, wanted)
    for sql, wanted in PAYLOADS:
        case("foreign payload of an event: %.60s" % sql, activity_payload, client, house, sql, wanted)
    for kind, times in (("texts", TIMES), ("BLOBs", BLOB_TIMES)):
        case("foreign times, %s: each lead is on a page, once" % kind, odd_times, client, house, times)
        case("foreign times, %s: each event is on a page, once" % kind, odd_activity_times, client, house, times)
    case("foreign text: search, filters and values", search_and_filters, client, house)
    case("foreign CRM ids: a number", crm_ids_as_numbers, client, house)
finish()
