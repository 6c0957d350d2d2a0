#!/usr/bin/env python3
"""GET /analytics/leads/:id: the lead, its submissions, its activity by pages, its payloads byte for byte, its crm_status."""

import json
import urllib.parse

from harness import case, finish
from leads import LIST, TIME, api_house, ids

ONE = LIST + "/1"


def add(house, table, **columns):
    """A row, as another program writes it."""
    names = ", ".join(columns)
    with house.open_db() as db:
        return db.execute("INSERT INTO %s (%s) VALUES (%s)" % (table, names, ", ".join("?" * len(columns))), list(columns.values())).lastrowid


def whole(client, house):
    lead = add(
        house,
        "Leads",
        Id=123,
        CrmLeadId="crm-abc-456",
        Name="Zoë \"Q\" O'Neil\n😀",
        Email="zoe@example.com",
        Phone="+49 30 1",
        Project="Größe",
        Source="website",
        Status="won",
        CreatedAt="2026-03-05 10:00:00",
        UpdatedAt="2026-03-05T12:00:00+01:00",
    )
    submission = add(
        house,
        "LeadSubmissions",
        LeadId=lead,
        CrmLeadId="sub-1",
        Form="contact",
        PageUrl="https://example.com/?a=b&c=d",
        PayloadJson='{"a":1}',
        SubmittedAt="2026-03-05 10:00:00.5",
    )
    body = b'{"crm_lead_id":"crm-abc-456","event_type":"status_changed","status":"qualified"}'
    client.webhook(body)
    page = client.get(LIST + "/123")
    event = page["crm_activity"][0]
    assert TIME.match(event["received_at"]), event
    assert page == {
        "lead": {
            "id": 123,
            "crm_lead_id": "crm-abc-456",
            "name": "Zoë \"Q\" O'Neil\n😀",
            "email": "zoe@example.com",
            "phone": "+49 30 1",
            "project": "Größe",
            "source": "website",
            "status": "won",
            "crm_status": "qualified",
            "created_at": "2026-03-05T10:00:00.000Z",
            "updated_at": "2026-03-05T11:00:00.000Z",
        },
        "submissions": [
            {
                "id": submission,
                "crm_lead_id": "sub-1",
                "form": "contact",
                "page_url": "https://example.com/?a=b&c=d",
                "payload": {"a": 1},
                "submitted_at": "2026-03-05T10:00:00.500Z",
            },
        ],
        "crm_activity": [
            {
                "id": event["id"],
                "crm_lead_id": "crm-abc-456",
                "event_type": "status_changed",
                "payload": json.loads(body),
                "received_at": event["received_at"],
            },
        ],
        "crm_activity_next": None,
    }, page


def bare(client, house):
    """Nothing but defaults."""
    lead = add(house, "Leads", Name=None)
    page = client.get(LIST + "/%d" % lead)
    assert page["lead"]["status"] == "new", page
    assert TIME.match(page["lead"]["created_at"]) and TIME.match(page["lead"]["updated_at"]), page
    for name in ("crm_lead_id", "name", "email", "phone", "project", "source", "crm_status"):
        assert page["lead"][name] is None, page
    assert (page["submissions"], page["crm_activity"], page["crm_activity_next"]) == ([], [], None), page


def empty_texts(client, house):
    lead = add(house, "Leads", CrmLeadId="", Name="", Email="", Phone="", Project="", Source="", Status="")
    add(house, "LeadSubmissions", LeadId=lead, CrmLeadId="", Form="", PageUrl="", PayloadJson="")
    page = client.get(LIST + "/%d" % lead)
    for name in ("crm_lead_id", "name", "email", "phone", "project", "source", "status", "crm_status"):
        assert page["lead"][name] is None, page
    for name in ("crm_lead_id", "form", "page_url", "payload"):
        assert page["submissions"][0][name] is None, page


def submissions_order(client, house):
    """All are given, whatever the pages of the activity; the newest first, equal times by id."""
    lead = add(house, "Leads", Name="many")
    with house.open_db() as db:
        db.execute("BEGIN")
        db.executemany(
            "INSERT INTO LeadSubmissions (LeadId, Form, SubmittedAt) VALUES (?, ?, ?)",
            [(lead, "f%d" % number, "2026-03-%02d 10:00:00" % (number * 7 % 28 + 1)) for number in range(1500)],
        )
        db.execute("COMMIT")
    page = client.get(LIST + "/%d" % lead, activity_limit=1)
    wanted = [row[0] for row in house.query("SELECT Id FROM LeadSubmissions WHERE LeadId = ? ORDER BY SubmittedAt DESC, Id DESC", lead)]
    assert len(wanted) == 1500 and ids(page["submissions"]) == wanted


def activity_pages(client, house):
    lead = add(house, "Leads", CrmLeadId="pages")
    path = LIST + "/%d" % lead
    with house.open_db() as db:
        db.execute("BEGIN")
        db.executemany(
            "INSERT INTO LeadCrmActivity (LeadId, CrmLeadId, PayloadJson, ReceivedAt) VALUES (?, 'pages', '{}', ?)",
            [(lead, "2026-03-05T10:00:%02d.000Z" % (number * 7 % 60)) for number in range(1200)],
        )
        db.execute("COMMIT")
    wanted = [row[0] for row in house.query("SELECT Id FROM LeadCrmActivity WHERE LeadId = ? ORDER BY ReceivedAt DESC, Id DESC", lead)]

    def sizes(**parameters):
        pages = list(client.pages(path, "crm_activity", "crm_activity_next", "activity_cursor", **parameters))
        assert [number for page in pages for number in ids(page)] == wanted, parameters
        return [len(page) for page in pages]

    assert sizes() == [100] * 12
    assert sizes(activity_limit=1000) == [1000, 200]
    assert sizes(activity_limit=7) == [7] * 171 + [3]
    assert sizes(activity_limit=600) == [600, 600], "a full last page has no cursor"
    # The limit may change from page to page.
    cursor = client.get(path, activity_limit=3)["crm_activity_next"]
    assert ids(client.get(path, activity_limit=5, activity_cursor=cursor)["crm_activity"]) == wanted[3:8]


def newest_decides(client, house):
    """By time, whatever the order of the ids."""
    lead = add(house, "Leads", CrmLeadId="order")
    times = ["2026-03-05T10:00:00Z", "2026-03-07T10:00:00Z", "2026-03-06 10:00:00", "2026-03-06T10:00:00.000Z", "2026-03-07T11:30:00+02:00"]
    numbers = [add(house, "LeadCrmActivity", LeadId=lead, CrmLeadId="order", PayloadJson="{}", ReceivedAt=time) for time in times]
    page = client.get(LIST + "/%d" % lead)
    assert ids(page["crm_activity"]) == [numbers[at] for at in (1, 4, 3, 2, 0)], page["crm_activity"]
    assert [event["received_at"] for event in page["crm_activity"]][1] == "2026-03-07T09:30:00.000Z"


BAD_LIMITS = ["0", "-1", "1001", "1e2", "0x10", "1.0", "ten", " 5", "+5", "5 ", "99999999999999999999999", "%00", "%zz", "%ff"]


def bad_parameter(client, name, raw):
    client.refused(400, name, "GET", "%s?%s=%s" % (ONE, name, raw))


def parameters(client):
    whole = client.get(ONE)
    empty = ("activity_limit=", "activity_cursor=", "activity_limit=&activity_cursor=", "activity_limit")
    for query in (*empty, "limit=0", "cursor=x", "x=%zz", "a=1&a=2", "Activity_limit=0"):
        assert client.ask("GET", ONE + "?" + query).json == whole, query
    for query in ("activity_limit=5&activity_limit=5", "activity_limit=&activity_limit=5", "activity_limit=5&activity%5Flimit=6"):
        client.refused(400, "activity_limit", "GET", ONE + "?" + query)
    client.refused(400, "activity_cursor", "GET", ONE + "?activity_cursor=&activity_cursor=")


def foreign_cursors(client, house):
    for lead in (51, 52):
        add(house, "Leads", Id=lead, CrmLeadId="cursor-%d" % lead)
        for _ in range(3):
            client.happens(lead, "cursor-%d" % lead)
    good = client.get(LIST + "/51", activity_limit=1)["crm_activity_next"]
    assert len(client.get(LIST + "/51", activity_cursor=good)["crm_activity"]) == 2
    client.refused(400, "activity_cursor", "GET", LIST + "/52?activity_cursor=" + good)
    client.refused(400, "cursor", "GET", LIST + "?cursor=" + good)
    for bad in (good[:-1], good + "0", good.upper() + "x", "1", "x", "-", " ", "ä", "%", "a" * 3000):
        client.refused(400, "activity_cursor", "GET", LIST + "/51?activity_cursor=" + urllib.parse.quote(bad))


PAYLOADS = [
    '{"crm_lead_id":"bytes","id":9007199254740993,"big":123456789012345678901234567890,"e":1E400,"m":-0,"z":1.10}',
    '{"crm_lead_id":"x","a":1,"a":2,"crm_lead_id":"bytes","a":{"b":1,"b":2}}',
    ' \t\r\n{ "crm_lead_id" : "bytes" ,\n\t"v" : [ 1 , 2 ] }\n ',
    '{"crm_lead_id":"bytes","s":"\\u00e9é\\/\\u2028 \\ud83d\\ude00😀\\ud800\\u0000"}',
    '{"z":1,"y":2,"crm_lead_id":"bytes","x":3,"":4,"__proto__":5}',
    '{"crm_lead_id":"bytes","html":"<script>alert(1)</script>&amp;"}',
    '{"crm_lead_id":"bytes","deep":%s%s}' % ("[" * 511, "]" * 511),
    '{"crm_lead_id":"bytes","long":"%s"}' % ("x" * 1_000_000),
]


def payload_bytes(client, house, payload):
    """Cut out of the answer's text, whose next word after a payload is known."""
    add(house, "Leads", CrmLeadId="bytes")
    [[lead]] = house.query("SELECT max(Id) FROM Leads")
    add(house, "LeadSubmissions", LeadId=lead, PayloadJson=payload)
    reply = client.webhook(payload.encode())
    assert reply.json == {"ok": True, "stored": True, "lead_id": lead}, reply
    text = client.ask("GET", LIST + "/%d" % lead).text
    for after in ("submitted_at", "received_at"):
        end = text.index(',"%s"' % after)
        begin = text.rindex('"payload":', 0, end) + len('"payload":')
        assert text[begin:end] == payload, "%s: %.200r" % (after, text[begin:end])
    json.loads(text)


# The body, and the crm_status that it stands for; None: it says nothing of it, and an older event decides.
STATUSES = [
    ('"status":"a"', "a"),
    ('"status":7', None),
    ('"status":null', None),
    ('"status":""', None),
    ('"status":true', None),
    ('"status":["x"]', None),
    ('"status":{"status":"x"}', None),
    ('"data":{"status":"x"}', None),
    ('"Status":"x","STATUS":"y","status ":"z"', None),
    ('"status":"x","status":"b"', "b"),
    ('"status":"x","status":7', None),
    ('"status":7,"status":"c"', "c"),
    ('"st\\u0061tus":"d"', "d"),
    ('"status":"\\u00e9é\\n\\"\\\\\\/"', 'éé\n"\\/'),
    ('"status":"\\ud83d\\ude00"', "😀"),
    ('"status":"a\\ud800b"', "a\ufffdb"),
    ('"status":" "', " "),
    ('"status":"%s"' % ("s" * 300), "s" * 300),
    ('"status":"%s"' % ("ü" * 5000), "ü" * 5000),
    ('"status":"Q"', "Q"),
]


def status_of(client, lead):
    """The lead's crm_status, which each of its faces has to show alike."""
    one = client.get(LIST + "/%d" % lead, activity_limit=1)["lead"]["crm_status"]
    listed = [row for row in client.all(LIST, "leads", limit=200) if row["id"] == lead][0]["crm_status"]
    assert one == listed, "crm_status is %r in the lead, %r in the list" % (one, listed)
    return one


def status_follows(client, house, way):
    """Each body in turn, by the webhook or by another program's INSERT."""
    lead = add(house, "Leads", CrmLeadId="status-" + way)
    current = None
    for number, (members, status) in enumerate(STATUSES):
        body = '{"crm_lead_id":"status-%s",%s}' % (way, members)
        if way == "webhook":
            assert client.webhook(body.encode()).json["lead_id"] == lead
        else:
            add(house, "LeadCrmActivity", LeadId=lead, CrmLeadId="x", PayloadJson=body, ReceivedAt="2026-03-05 10:00:%02d" % number)
        current = current if status is None else status
        assert status_of(client, lead) == current, "after %.60s: %.60r, not %.60r" % (members, status_of(client, lead), current)


def status_out_of_order(client, house):
    lead = add(house, "Leads", CrmLeadId="late")

    def insert(time, payload):
        add(house, "LeadCrmActivity", LeadId=lead, CrmLeadId="late", PayloadJson=payload, ReceivedAt=time)

    insert("2026-03-05T10:00:00.000Z", '{"status":"b"}')
    insert("2026-03-04T10:00:00.000Z", '{"status":"older"}')
    assert status_of(client, lead) == "b"
    insert("2026-03-06 10:00:00", '{"status":5}')
    assert status_of(client, lead) == "b"
    insert("2026-03-05T10:00:00.001Z", "no JSON")
    assert status_of(client, lead) == "b"
    insert("2026-03-07T10:00:00+12:00", '{"status":"c"}')
    assert status_of(client, lead) == "c"
    insert("2026-03-05T09:59:59.999Z", '{"status":"%s"}' % ("o" * 300))
    assert status_of(client, lead) == "c"
    client.happens(lead, "late", status="now")
    assert status_of(client, lead) == "now"
    insert("2999-01-01 00:00:00", '{"status":"future"}')
    assert status_of(client, lead) == "future"
    client.happens(lead, "late", status="not the newest")
    assert status_of(client, lead) == "future"


def status_after_changes(client, house):
    """Another program changes a payload, a time, or takes an event away."""
    lead = add(house, "Leads", CrmLeadId="changes")
    for status in ("one", "two", "three"):
        client.happens(lead, "changes", status=status)
    newest, middle, oldest = ids(client.get(LIST + "/%d" % lead)["crm_activity"])
    with house.open_db() as db:
        db.execute("""UPDATE LeadCrmActivity SET PayloadJson = '{"status":"THREE"}' WHERE Id = ?""", (newest,))
        assert status_of(client, lead) == "THREE"
        db.execute("""UPDATE LeadCrmActivity SET PayloadJson = '{"status":3}' WHERE Id = ?""", (newest,))
        assert status_of(client, lead) == "two"
        db.execute("UPDATE LeadCrmActivity SET ReceivedAt = '2999-01-01 00:00:00' WHERE Id = ?", (oldest,))
        assert status_of(client, lead) == "one"
        db.execute("DELETE FROM LeadCrmActivity WHERE Id = ?", (oldest,))
        assert status_of(client, lead) == "two"
        db.execute("DELETE FROM LeadCrmActivity WHERE Id = ?", (middle,))
        assert status_of(client, lead) is None


def by_submission(client, house):
    """An event that was matched by a submission's CRM id belongs to the lead as any other."""
    lead = add(house, "Leads", Name="by submission")
    add(house, "LeadSubmissions", LeadId=lead, CrmLeadId="of-submission")
    client.happens(lead, "of-submission", status="s")
    page = client.get(LIST + "/%d" % lead)
    assert page["lead"]["crm_lead_id"] is None and page["lead"]["crm_status"] == "s", page
    assert page["crm_activity"][0]["crm_lead_id"] == "of-submission", page


def removed(client, house):
    lead = add(house, "Leads", CrmLeadId="removed")
    client.happens(lead, "removed")
    with house.open_db() as db:
        db.execute("DELETE FROM Leads WHERE Id = ?", (lead,))
    client.refused(404, "lead", "GET", LIST + "/%d" % lead)


def highest_id(client, house):
    add(house, "Leads", Id=9223372036854775806, CrmLeadId="highest")
    client.happens(9223372036854775806, "highest")
    text = client.ask("GET", LIST + "/9223372036854775806").text
    assert text.startswith('{"lead":{"id":9223372036854775806,'), text
    with house.open_db() as db:
        db.execute("DELETE FROM Leads WHERE Id > 1000000")


with api_house() as (house, client):
    add(house, "Leads", Id=1, CrmLeadId="crm-1")
    case("lead: each field, a submission, an event", whole, client, house)
    case("lead: nothing but defaults", bare, client, house)
    case("lead: empty texts are null", empty_texts, client, house)
    case("lead: 1,500 submissions, all, the newest first", submissions_order, client, house)
    case("lead: activity in pages of 100, 1,000, 7 and exactly", activity_pages, client, house)
    case("lead: activity is ordered by time, then id", newest_decides, client, house)
    for raw in BAD_LIMITS:
        sent = raw if raw[0] == "%" else urllib.parse.quote(raw)
        case("lead: a bad activity_limit is named: " + raw, bad_parameter, client, "activity_limit", sent)
    for raw in ("%00", "%zz", "%ff", "%"):
        case("lead: a bad activity_cursor is named: " + raw, bad_parameter, client, "activity_cursor", raw)
    case("lead: empty, unknown and repeated parameters", parameters, client)
    case("lead: a cursor of another lead, and garbled ones", foreign_cursors, client, house)
    for payload in PAYLOADS:
        case("lead: payloads come byte for byte: %.60s" % " ".join(payload.split()), payload_bytes, client, house, payload)
    case("crm_status: follows the webhook", status_follows, client, house, "webhook")
    case("crm_status: follows another program's INSERT", status_follows, client, house, "insert")
    case("crm_status: the newest decides, in whatever order they come", status_out_of_order, client, house)
    case("crm_status: after another program's UPDATE and DELETE", status_after_changes, client, house)
    case("lead: an event matched by a submission", by_submission, client, house)
    case("lead: 404 once it is removed", removed, client, house)
    case("lead: the highest id", highest_id, client, house)
finish()
