#!/usr/bin/env python3
"""POST /analytics/leads and PATCH /analytics/leads/:id; held events adopted by each way in which a CRM id can appear."""

import json

from harness import case, event, finish
from leads import LIST, TIME, Client, api_house, together

FIELDS = ("name", "email", "phone", "project", "source", "form", "page_url", "crm_lead_id")


def post(client, status=None, **fields):
    """Takes somebody in; (created, lead, submission)."""
    reply = client.ask("POST", LIST, json.dumps(fields).encode())
    assert reply.status in ((200, 201) if status is None else (status,)), "POST %s: %s" % (fields, reply)
    answer = reply.json
    assert set(answer) == {"ok", "lead_id", "submission_id", "created"} and answer["ok"] is True, reply
    assert answer["created"] is (reply.status == 201), reply
    return answer["created"], answer["lead_id"], answer["submission_id"]


def counts(house):
    return house.query("SELECT (SELECT count(*) FROM Leads), (SELECT count(*) FROM LeadSubmissions)")[0]


# ---- POST


def first_and_second(client, house):
    body = (
        b'{"name":" Zo\xc3\xab ","email":"Zoe@Example.com","phone":"+49 30 1","project":"First","source":"website","form":"contact",'
        b'"page_url":"https://example.com/?a=b","crm_lead_id":"in-1", "payload" : { "b":9007199254740993, "a":1.10,"a":2 } ,"other":[1]}'
    )
    reply = client.ask("POST", LIST, body)
    lead, submission = reply.json["lead_id"], reply.json["submission_id"]
    assert reply.status == 201 and reply.bytes == b'{"ok":true,"lead_id":%d,"submission_id":%d,"created":true}' % (lead, submission), reply
    shown = client.ask("GET", "%s/%d" % (LIST, lead))
    page = shown.json
    at = page["lead"]["created_at"]
    assert TIME.match(at)
    assert page["lead"] == {
        "id": lead,
        "crm_lead_id": "in-1",
        "name": "Zoë",
        "email": "Zoe@Example.com",
        "phone": "+49 30 1",
        "project": "First",
        "source": "website",
        "status": "new",
        "crm_status": None,
        "created_at": at,
        "updated_at": at,
    }, page
    assert b'"payload":{ "b":9007199254740993, "a":1.10,"a":2 },"submitted_at"' in shown.bytes, shown
    sent = page["submissions"][0]
    wanted = {"id": submission, "form": "contact", "page_url": "https://example.com/?a=b", "submitted_at": at, "crm_lead_id": "in-1"}
    assert {name: sent[name] for name in wanted} == wanted, sent

    again = client.ask("POST", LIST, b'{"email":" zOE@example.COM\\n","project":"First","form":"again"}')
    second = again.json["submission_id"]
    assert again.status == 200 and again.bytes == b'{"ok":true,"lead_id":%d,"submission_id":%d,"created":false}' % (lead, second), again
    page = client.get("%s/%d" % (LIST, lead))
    assert [one["id"] for one in page["submissions"]] == [second, submission], page
    assert page["submissions"][0]["payload"] is None and page["submissions"][0]["page_url"] is None, page
    assert page["lead"]["name"] == "Zoë" and page["lead"]["created_at"] == at, page


# What is known, what is posted, whether it is the same person.
PEOPLE = [
    ("the same email", {"email": "a@x.de"}, {"email": "a@x.de"}, True),
    ("the email in other letters", {"email": "a@x.de"}, {"email": "A@X.DE"}, True),
    ("the email with blanks around it", {"email": "a@x.de"}, {"email": "\t a@x.de \r\n"}, True),
    ("an email of 17 letters", {"email": "ada.b@example.com"}, {"email": "Ada.B@example.com"}, True),
    ("a long email", {"email": "a" * 200 + "@x.de"}, {"email": "A" * 200 + "@x.de"}, True),
    ("a long email, one letter apart", {"email": "a" * 200 + "@x.de"}, {"email": "a" * 199 + "b@x.de"}, False),
    ("a long phone and project", {"phone": "1" * 100, "project": "P" * 100}, {"phone": "1" * 100, "project": "P" * 100}, True),
    ("another email", {"email": "a@x.de"}, {"email": "a@x.d"}, False),
    ("the email with a blank inside", {"email": "a@x.de"}, {"email": "a @x.de"}, False),
    ("the same phone", {"phone": "+49 30 1"}, {"phone": "+49 30 1"}, True),
    ("the phone with blanks around it", {"phone": "+49 30 1"}, {"phone": "  +49 30 1 "}, True),
    ("another phone", {"phone": "+49 30 1"}, {"phone": "+49301"}, False),
    ("another email, the same phone", {"email": "a@x.de", "phone": "1"}, {"email": "b@x.de", "phone": "1"}, True),
    ("the same email, another phone", {"email": "a@x.de", "phone": "1"}, {"email": "a@x.de", "phone": "2"}, True),
    ("no email, the same phone", {"email": "a@x.de", "phone": "1"}, {"phone": "1"}, True),
    ("the phone as email", {"phone": "1"}, {"email": "1"}, False),
    ("the same name alone", {"name": "n", "email": "a@x.de"}, {"name": "n", "email": "b@x.de"}, False),
    ("another project", {"email": "a@x.de", "project": "P"}, {"email": "a@x.de", "project": "Q"}, False),
    ("the project in other letters", {"email": "a@x.de", "project": "P"}, {"email": "a@x.de", "project": "p"}, False),
    ("the project with blanks around it", {"email": "a@x.de", "project": "P"}, {"email": "a@x.de", "project": " P\n"}, True),
    ("no project beside one", {"email": "a@x.de", "project": "P"}, {"email": "a@x.de"}, False),
    ("an empty project and none", {"email": "a@x.de", "project": ""}, {"email": "a@x.de"}, True),
    ("a project of null and none", {"email": "a@x.de"}, {"email": "a@x.de", "project": None}, True),
    ("letters beyond ASCII", {"email": "müller@x.de"}, {"email": "müller@X.de"}, True),
    ("another source", {"email": "a@x.de", "source": "s"}, {"email": "a@x.de", "source": "t"}, True),
]


def clear(house):
    with house.open_db() as db:
        db.execute("PRAGMA foreign_keys = ON")
        for table in ("Leads", "LeadSubmissions", "UnmatchedCrmEvents"):
            db.execute("DELETE FROM " + table)


def person(client, house, known, posted, same):
    clear(house)
    _, lead, _ = post(client, 201, **known)
    created, again, _ = post(client, 200 if same else 201, **posted)
    assert (again == lead) is same and created is not same
    assert counts(house) == (1 if same else 2, 2)


def email_before_phone(client, house):
    clear(house)
    _, by_phone, _ = post(client, 201, email="a@x.de", phone="1")
    _, by_email, _ = post(client, 201, email="b@x.de", phone="2")
    assert post(client, 200, email="B@x.de", phone="1")[1] == by_email
    assert post(client, 200, email="c@x.de", phone="1")[1] == by_phone


# How another program left an email or phone.
FOREIGN = [("Email", " Ann@Example.COM "), ("Email", "ann@example.com\r\n"), ("Email", "\tann@example.com"), ("Phone", " 123 "), ("Phone", "123\n")]


def known_from_another_program(client, house, column, text):
    clear(house)
    with house.open_db() as db:
        lead = db.execute("INSERT INTO Leads (%s, Project) VALUES (?, ' P ')" % column, (text,)).lastrowid
    assert post(client, 200, email="ann@example.com", phone="123", project="P")[1] == lead


def at_the_same_time(client, house):
    """Twenty times the same person in one burst: one lead."""
    clear(house)
    clients = [Client(house) for _ in range(20)]
    results = together(20, lambda number: post(clients[number], email=" Burst@x.de "[number % 2 :], project="B"))
    assert len({lead for _, lead, _ in results}) == 1, results
    assert [created for created, _, _ in results].count(True) == 1, results
    assert len({submission for _, _, submission in results}) == 20, results
    assert counts(house) == (1, 20)


def least(client, house):
    clear(house)
    empty = dict.fromkeys(FIELDS, "") | {"email": "e"}
    null = dict.fromkeys(FIELDS) | {"phone": "p", "payload": None}
    for fields in ({"email": "a@x.de"}, {"phone": "1"}, empty, null):
        lead = post(client, 201, **fields)[1]
        page = client.get("%s/%d" % (LIST, lead))
        for name in ("name", "email", "phone", "project", "source", "crm_lead_id"):
            assert page["lead"][name] == (fields.get(name) or None), page
        assert page["submissions"][0]["payload"] is None and page["submissions"][0]["form"] is None, page


def payloads(client, house):
    """Any JSON, byte for byte."""
    given = ["{}", "[]", '[1, 2 ,"é"]', '"text"', "0", "-1.50e+10", "true", '{ "a" : null }', '"\\ud800"', '{"a":1,"a":1}']
    for number, payload in enumerate(given):
        body = '{"email":"p%d@x.de","payload": %s }' % (number, payload)
        lead = client.ask("POST", LIST, body.encode()).json["lead_id"]
        text = client.ask("GET", "%s/%d" % (LIST, lead)).text
        assert '"payload":%s,"submitted_at"' % payload in text, text


# The body, and the word that its refusal has to hold.
BAD_BODIES = [
    ("{}", "email"),
    ('{"name":"n"}', "phone"),
    ('{"email":"","phone":""}', "email"),
    ('{"email":" \\t\\n","phone":null}', "email"),
    ("", "JSON"),
    ("{", "JSON"),
    ('{"email":"a@x.de"} x', "JSON"),
    ('{"email":"a@x.de",}', "JSON"),
    ("\ufeff{}", "JSON"),
    ('{"email":"a@x.de","payload":{a:1}}', "JSON"),
    ("email=a%40x.de", "JSON"),
    ("[]", "object"),
    ('[{"email":"a@x.de"}]', "object"),
    ("null", "object"),
    ('"a@x.de"', "object"),
]


def bad_field(client, house, name):
    before = counts(house)
    other = "phone" if name == "email" else "email"
    for value in ("5", "true", "{}", '["a"]', '"a\\u0000b"', '"\\u0000"', '"\\ud800"', '"a\\udc00"', '"good","%s":5' % name):
        client.refused(400, name, "POST", LIST, ('{"%s":"x","%s":%s}' % (other, name, value)).encode())
    assert counts(house) == before, "something was stored"
    client.refused(400, "JSON", "POST", LIST, b'{"email":"a","%s":"\xe9"}' % name.encode())


def bad_body(client, house, body, word):
    before = counts(house)
    client.refused(400, word, "POST", LIST, body.encode())
    assert counts(house) == before, "something was stored"


def last_key_counts(client, house):
    reply = client.ask("POST", LIST, b'{"email":7,"em\\u0061il":"last@x.de","name":"first","name":"last"}')
    assert reply.status == 201, reply
    lead = client.get("%s/%d" % (LIST, reply.json["lead_id"]))["lead"]
    assert (lead["email"], lead["name"]) == ("last@x.de", "last"), lead


# ---- PATCH


def patch(client, lead, **fields):
    answer = client.send("PATCH", "%s/%d" % (LIST, lead), 200, **fields)
    assert list(answer) == ["lead"], answer
    return answer["lead"]


def changes(client, house):
    clear(house)
    with house.open_db() as db:
        db.execute("INSERT INTO Leads (Id, Name, CrmLeadId, CreatedAt, UpdatedAt) VALUES (31, 'n', 'old', '2026-01-01', '2026-01-01')")
        db.execute("INSERT INTO Leads (Id, CrmLeadId) VALUES (32, 'm')")
    before = client.get(LIST + "/31")["lead"]
    other = client.get(LIST + "/32")
    now = patch(client, 31, status="won")
    assert now["updated_at"] > before["updated_at"], now
    assert {**now, "updated_at": before["updated_at"]} == {**before, "status": "won"}, now
    assert client.get(LIST + "/31")["lead"] == now
    assert patch(client, 31, crm_lead_id="new")["crm_lead_id"] == "new"
    assert patch(client, 31, crm_lead_id=None, status="größe 😀")["crm_lead_id"] is None
    now = patch(client, 31, crm_lead_id="both", status="open", name="ignored", email=5)
    assert (now["crm_lead_id"], now["status"], now["name"], now["email"]) == ("both", "open", "n", None), now
    assert client.get(LIST + "/31")["lead"] == now
    assert client.get(LIST + "/32") == other, "another lead has changed"
    client.happens(31, "both", status="crm")
    assert patch(client, 31, status="x")["crm_status"] == "crm"


def linked_at_once(client, house):
    """What PATCH has answered counts for the next event."""
    clear(house)
    with house.open_db() as db:
        db.execute("INSERT INTO Leads (Id) VALUES (41)")
    patch(client, 41, crm_lead_id="linked")
    client.happens(41, "linked")
    patch(client, 41, crm_lead_id=None)
    client.hold("linked")


BAD_CHANGES = [
    ("{}", "crm_lead_id"),
    ("{}", "status"),
    ('{"name":"n"}', "status"),
    ('{"status":null}', "status"),
    ('{"status":""}', "status"),
    ('{"status":5}', "status"),
    ('{"status":["a"]}', "status"),
    ('{"status":"a\\u0000"}', "status"),
    ('{"status":"\\ud800"}', "status"),
    ('{"crm_lead_id":""}', "crm_lead_id"),
    ('{"crm_lead_id":5}', "crm_lead_id"),
    ('{"crm_lead_id":{}}', "crm_lead_id"),
    ('{"crm_lead_id":false}', "crm_lead_id"),
    ('{"crm_lead_id":"\\u0000"}', "crm_lead_id"),
    ('{"crm_lead_id":"a\\udc00"}', "crm_lead_id"),
    ('{"crm_lead_id":"good","status":5}', "status"),
    ('{"status":"good","crm_lead_id":5}', "crm_lead_id"),
    ('{"status":"good","status":5}', "status"),
    ("", "JSON"),
    ('{"status":"x"', "JSON"),
    ('{"status":"x"}}', "JSON"),
    ("[]", "object"),
    ("null", "object"),
    ('"status"', "object"),
]


def bad_change(client, house, body, word):
    with house.open_db() as db:
        db.execute("INSERT OR IGNORE INTO Leads (Id, CrmLeadId, Status) VALUES (51, 'fifty', 'one')")
    client.refused(400, word, "PATCH", LIST + "/51", body.encode())
    assert house.query("SELECT CrmLeadId, Status FROM Leads WHERE Id = 51") == [("fifty", "one")]


def nobody(client):
    for lead in ("4711", "9223372036854775807"):
        client.refused(404, "lead", "PATCH", "%s/%s" % (LIST, lead), b'{"status":"x","crm_lead_id":"y"}')


# ---- held events


def by_post(client, house, crm_lead_id):
    return post(client, 201, email="%s@x.de" % crm_lead_id, crm_lead_id=crm_lead_id)[1]


def by_follow_up(client, house, crm_lead_id):
    lead = post(client, 201, phone=crm_lead_id)[1]
    assert post(client, 200, phone=crm_lead_id, crm_lead_id=crm_lead_id)[1] == lead
    return lead


def by_patch(client, house, crm_lead_id):
    lead = post(client, 201, email="%s@x.de" % crm_lead_id)[1]
    patch(client, lead, crm_lead_id=crm_lead_id)
    return lead


def by_insert(client, house, crm_lead_id):
    with house.open_db() as db:
        return db.execute("INSERT INTO Leads (CrmLeadId) VALUES (?)", (crm_lead_id,)).lastrowid


def by_update(client, house, crm_lead_id):
    with house.open_db() as db:
        lead = db.execute("INSERT INTO Leads (Name) VALUES ('n')").lastrowid
        db.execute("UPDATE Leads SET CrmLeadId = ? WHERE Id = ?", (crm_lead_id, lead))
        return lead


def by_submission(client, house, crm_lead_id):
    with house.open_db() as db:
        lead = db.execute("INSERT INTO Leads (Name) VALUES ('n')").lastrowid
        db.execute("INSERT INTO LeadSubmissions (LeadId, CrmLeadId) VALUES (?, ?)", (lead, crm_lead_id))
        return lead


def by_submission_update(client, house, crm_lead_id):
    with house.open_db() as db:
        lead = db.execute("INSERT INTO Leads (Name) VALUES ('n')").lastrowid
        submission = db.execute("INSERT INTO LeadSubmissions (CrmLeadId) VALUES (?)", (crm_lead_id,)).lastrowid
        db.execute("UPDATE LeadSubmissions SET LeadId = ? WHERE Id = ?", (lead, submission))
        return lead


def by_import(client, house, crm_lead_id):
    path = house.dir + "/adopt.csv"
    with open(path, "w", encoding="utf-8") as file:
        file.write("email,crm_lead_id\nimport-%s@x.de,%s\n" % (crm_lead_id, crm_lead_id))
    done = house.run("import", path)
    assert done.returncode == 0, done.stderr
    return house.query("SELECT Id FROM Leads WHERE CrmLeadId = ?", crm_lead_id)[0][0]


ADOPTIONS = {
    "POST": by_post,
    "a POST that follows up": by_follow_up,
    "PATCH": by_patch,
    "sqlite3's INSERT of a lead": by_insert,
    "sqlite3's UPDATE of a lead": by_update,
    "sqlite3's INSERT of a submission": by_submission,
    "sqlite3's UPDATE of a submission": by_submission_update,
    "import": by_import,
}


def adopted(client, house, way):
    clear(house)
    crm_lead_id = "held " + str(list(ADOPTIONS.values()).index(way))
    body = b'{ "crm_lead_id":"%s","event_type":"first","status":"s1","n":9007199254740993 }' % crm_lead_id.encode()
    client.webhook(body)
    client.hold(crm_lead_id, event_type="second", status="s2")
    client.hold(crm_lead_id, event_type="third")
    client.hold("somebody else")
    # As if they had come long ago.
    with house.open_db() as db:
        for number, kind in enumerate(("first", "second", "third")):
            db.execute("UPDATE UnmatchedCrmEvents SET ReceivedAt = ? WHERE EventType = ?", ("2026-01-0%dT10:00:00.123Z" % (number + 1), kind))
    held = client.get(LIST + "/unmatched", crm_lead_id=crm_lead_id)["unmatched"]
    assert [one["event_type"] for one in held] == ["third", "second", "first"], held

    lead = way(client, house, crm_lead_id)
    shown = client.ask("GET", "%s/%d" % (LIST, lead))
    page = shown.json

    def bare(events):
        return [{name: value for name, value in one.items() if name != "id"} for one in events]

    assert bare(page["crm_activity"]) == bare(held), page["crm_activity"]
    assert page["lead"]["crm_status"] == "s2", page
    assert b'"payload":' + body + b',"received_at":"2026-01-01T10:00:00.123Z"' in shown.bytes, shown
    [listed] = [row for row in client.get(LIST)["leads"] if row["id"] == lead]
    assert (listed["crm_event_count"], listed["last_activity_at"]) == (3, "2026-01-03T10:00:00.123Z"), listed
    rest = client.get(LIST + "/unmatched")["unmatched"]
    assert [one["crm_lead_id"] for one in rest] == ["somebody else"], rest
    client.happens(lead, crm_lead_id)


def while_they_come(client, house):
    """Events and the lead at the same instant, many times: none is left held, none is lost."""
    clear(house)
    rounds, events = 12, 3
    clients = [Client(house) for _ in range(events + 1)]
    for turn in range(rounds):
        crm_lead_id = "race-%d" % turn

        def act(number, crm_lead_id=crm_lead_id):
            if number == events:
                return post(clients[number], 201, email=crm_lead_id, crm_lead_id=crm_lead_id)
            return clients[number].webhook(event(crm_lead_id, n=number)).status

        lead = together(events + 1, act)[events][1]
        page = client.get("%s/%d" % (LIST, lead))
        assert sorted(one["payload"]["n"] for one in page["crm_activity"]) == list(range(events)), page
    assert client.get(LIST + "/unmatched")["unmatched"] == []


with api_house() as (house, client):
    case("POST: a new lead, then a follow-up", first_and_second, client, house)
    for name, known, posted, same in PEOPLE:
        case("POST: %s: %s" % (name, "the same person" if same else "another person"), person, client, house, known, posted, same)
    case("POST: the email decides before the phone", email_before_phone, client, house)
    for column, text in FOREIGN:
        case("POST: known from another program's %s %r" % (column, text), known_from_another_program, client, house, column, text)
    case("POST: one person twenty times at once is one lead", at_the_same_time, client, house)
    case("POST: the least that is accepted", least, client, house)
    case("POST: payloads byte for byte", payloads, client, house)
    for name in FIELDS:
        case("POST: a bad field is named: " + name, bad_field, client, house, name)
    for body, word in BAD_BODIES:
        case("POST: refused: %s" % (body.replace("\ufeff", "BOM") or "nothing"), bad_body, client, house, body, word)
    case("POST: of a key given twice the last counts", last_key_counts, client, house)
    case("PATCH: status, CRM id, both, null", changes, client, house)
    case("PATCH: counts for the next event", linked_at_once, client, house)
    for body, word in BAD_CHANGES:
        case("PATCH: refused, naming %s: %s" % (word, body or "nothing"), bad_change, client, house, body, word)
    case("PATCH: 404 for nobody", nobody, client)
    for name, way in ADOPTIONS.items():
        case("held events are adopted by " + name, adopted, client, house, way)
    case("held events: the lead and its events at one instant", while_they_come, client, house)
finish()
