#!/usr/bin/env python3
"""A random sequence of all that may happen to the database through the API, the import and other programs, with restarts in
between, beside a small model of the contract. What the API shows has to be what the model says. The seed replays a failure."""

import json
import os
import random
import signal
import urllib.parse

from common import KEY, QUICK, SEED, Fcgi, House, counted_case, finish

SEQUENCES = 2 if QUICK else 24
STEPS = 120 if QUICK else 300
REASON = "No matching lead or submission for crm_lead_id"

CRM_IDS = ["crm-1", "crm-2", "CRM-1", "7", "007", "a b", " crm-1", "ü-€-😀", 'q"uote\\', "x" * 300, "line\nend", "%27--"]
EMAILS = ["a@example.com", "A@Example.COM", "b@example.com", "c+x@example.com", "d@example.com"]
PHONES = ["+49 1", "0800", "+1 (2) 3"]
PROJECTS = ["", "North", "north", "Süd"]
SOURCES = ["", "web", "fair"]
STATUSES = ["", "new", "qualified", "won", "x" * 200]
LONG_STATUS = "y" * 201  # Longer than the summary counts (kIndexedStatusBytesMax): in every other sequence.
TIMES = [  # What another program writes, and what it becomes.
    ("2026-11-0%d 10:00:00", "2026-11-0%dT10:00:00.000Z"),
    ("2026-11-0%dT12:00:00+02:00", "2026-11-0%dT10:00:00.000Z"),
    ("2026-11-0%dT09:30:00.125Z", "2026-11-0%dT09:30:00.125Z"),
    ("2026-11-0%d", "2026-11-0%dT00:00:00.000Z"),
]


class Model:
    """What the contract says there is."""

    def __init__(self):
        self.leads = {}  # id: {"crm", "name", "email", "phone", "project", "source", "status", "created_at" (None: not known)}
        self.submissions = {}  # id: {"lead", "crm", "at"}
        self.events = {}  # marker: {"lead" (None: held), "crm", "type", "body"}
        self.keys = {}  # key: the lead's id, or None

    def lead_of(self, crm):
        own = [lead for lead, fields in self.leads.items() if fields["crm"] == crm]
        if own:
            return max(own)
        sent = [(fields["at"], number) for number, fields in self.submissions.items() if fields["crm"] == crm]
        lead = self.submissions[max(sent)[1]]["lead"] if sent else None
        return lead if lead in self.leads else None

    def appears(self, crm):
        lead = self.lead_of(crm) if crm else None
        for event in self.events.values():
            if lead and event["lead"] is None and event["crm"] == crm:
                event["lead"] = lead

    def person(self, email, phone, project):
        def newest(same):
            return max((lead for lead, fields in self.leads.items() if same(fields) and (fields["project"] or "").strip() == project), default=None)

        def lower(text):
            return "".join(c.lower() if c.isascii() else c for c in text)

        found = newest(lambda fields: lower(fields["email"] or "").strip() == lower(email)) if email else None
        if found is None and phone:
            found = newest(lambda fields: (fields["phone"] or "").strip() == phone)
        return found

    def delete(self, lead):
        del self.leads[lead]
        self.events = {marker: event for marker, event in self.events.items() if event["lead"] != lead}
        for fields in self.submissions.values():
            if fields["lead"] == lead:
                fields["lead"] = None
        for fields in list(self.submissions.values()):
            if fields["lead"] is None:
                self.appears(fields["crm"])


class Walk:
    """One sequence: the service, the model, and the steps."""

    def __init__(self, house, seed, counts):
        self.house = house
        self.rng = random.Random(seed)
        self.has_long_status = seed % 2 == 1
        self.model = Model()
        self.counts = counts
        self.client = None
        self.count = 0
        self.steps = []
        self.start()

    # ---- the service

    def start(self):
        self.house.start(ANALYTICS_API_KEY=KEY, LEADLINE_LOG_LEVEL="error")
        self.client = Fcgi(self.house.socket)

    def ask(self, method, path, body=b"", secret=KEY, **variables):
        if isinstance(body, dict):
            body = json.dumps(body, ensure_ascii=self.rng.random() < 0.5).encode()
        path, _, query = path.partition("?")
        answer = self.client.post(body, method=method, path=path, secret=secret, QUERY_STRING=query, **variables)
        self.counts.add("answers compared")
        return answer.status, json.loads(answer.body), answer.body

    def get(self, path, **parameters):
        query = urllib.parse.urlencode({name: value for name, value in parameters.items() if value is not None})
        status, answer, _ = self.ask("GET", path + "?" + query)
        assert status == 200, "GET %s?%s: %d %s" % (path, query, status, answer)
        return answer

    def pages(self, path, items, limit, next_name="next_cursor", cursor_name="cursor", limit_name="limit", **parameters):
        cursor, page = None, None
        found = []
        while True:
            page = self.get(path, **{limit_name: limit, cursor_name: cursor}, **parameters)
            assert len(page[items]) <= limit, "a page of %d" % len(page[items])
            found += page[items]
            cursor = page[next_name]
            if cursor is None:
                return found, page

    # ---- steps

    def webhook(self):
        self.count += 1
        crm = self.rng.choice(CRM_IDS)
        marker = "m%d" % self.count
        body = {"crm_lead_id": crm, "marker": marker, "n": 9007199254740993}
        if self.rng.random() < 0.5:
            body["event_type"] = self.rng.choice(["status_changed", "", 5, "created"])
        if self.rng.random() < 0.6:
            body["status"] = self.rng.choice([*STATUSES, None, 7, LONG_STATUS if self.has_long_status else "new"])
        text = json.dumps(body, ensure_ascii=self.rng.random() < 0.5, indent=self.rng.choice([None, 1])).encode()
        if self.rng.random() < 0.1:  # A key given twice: the last one counts.
            text = text.replace(b"{", b'{"crm_lead_id":"somebody else",', 1)
        key = self.rng.choice(["", "", "", "key-%d" % self.rng.randrange(20)])
        more = {self.rng.choice(["HTTP_IDEMPOTENCY_KEY", "HTTP_WEBHOOK_ID"]): key} if key else {}
        status, answer, _ = self.ask("POST", "/webhooks/crm/lead", text, "hook-Secret_1~+/=", **more)
        duplicate = bool(key) and key in self.model.keys
        lead = self.model.keys[key] if duplicate else self.model.lead_of(crm)
        wanted = {"ok": True, "stored": True, "lead_id": lead} if lead else {"ok": True, "stored": False, "reason": REASON}
        if duplicate:
            wanted["duplicate"] = True
        assert (status, answer) == (200, wanted), "the answer is %d %s, and should be %s" % (status, answer, wanted)
        if key:
            self.model.keys[key] = lead
        if not duplicate:
            kind = body.get("event_type")
            kind = kind if isinstance(kind, str) and kind else "updated"
            self.model.events[marker] = {"lead": lead, "crm": crm, "type": kind, "body": text.decode(), "status": body.get("status")}
        return "webhook of %.20r, key %r" % (crm, key)

    def bad_webhook(self):
        text = self.rng.choice([b"{", b"[]", b'{"crm_lead_id":7}', b'{"crm_lead_id":""}', b'{"crm_lead_id":"a\\u0000"}', b'\xef\xbb\xbf{"crm_lead_id":"7"}', b'{"crm_lead_id":"\xff"}'])
        status, _, _ = self.ask("POST", "/webhooks/crm/lead", text, "hook-Secret_1~+/=")
        assert status == 400, "%r: %d" % (text, status)
        return "a bad webhook"

    def draft(self):
        lead = {"name": self.rng.choice(["", "Zoë", "Bob's"]), "email": self.rng.choice(["", *EMAILS]), "phone": self.rng.choice(["", *PHONES])}
        lead["project"], lead["source"] = self.rng.choice(PROJECTS), self.rng.choice(SOURCES)
        if not lead["email"] and not lead["phone"]:
            lead["email"] = EMAILS[0]
        lead["crm_lead_id"] = self.rng.choice(["", "", *CRM_IDS])  # Byte for byte: blanks are part of it.
        return lead

    def taken_in(self, draft, lead, submission, created):
        """The model's share of a lead that was taken in by the service."""
        fields = {name: draft[name] or None for name in ("name", "email", "phone", "project", "source")}
        crm = draft["crm_lead_id"] or None
        if created:
            self.model.leads[lead] = {**fields, "crm": crm, "status": "new", "created_at": None}
            self.model.appears(crm)
        shown = self.get("/analytics/leads/%d" % lead)["submissions"]
        at = next(item["submitted_at"] for item in shown if item["id"] == submission)
        self.model.submissions[submission] = {"lead": lead, "crm": crm, "at": at}
        self.model.appears(crm)

    def post_lead(self):
        draft = self.draft()
        blank = self.rng.choice(["", " "])
        status, answer, _ = self.ask("POST", "/analytics/leads", {name: value if name == "crm_lead_id" else blank + value + blank for name, value in draft.items()})
        known = self.model.person(draft["email"], draft["phone"], draft["project"])
        assert status == (200 if known else 201) and answer["ok"] is True, "%d %s; the model knows %s" % (status, answer, known)
        assert answer["created"] is (known is None), answer
        assert known in (None, answer["lead_id"]), "the submission went to %d, and should go to %d" % (answer["lead_id"], known)
        assert answer["lead_id"] not in self.model.leads or known, "the id %d comes again" % answer["lead_id"]
        self.taken_in(draft, answer["lead_id"], answer["submission_id"], known is None)
        return "a lead %s" % draft

    def import_leads(self):
        drafts = [self.draft() for _ in range(self.rng.randrange(1, 4))]
        path = os.path.join(self.house.dir, "leads.jsonl")
        with open(path, "w", encoding="utf-8") as file:
            for draft in drafts:
                file.write(json.dumps(draft) + "\n")
        before = {row for (row,) in self.house.query("SELECT Id FROM LeadSubmissions")}
        done = self.house.run("import", path)
        assert done.returncode == 0, done.stderr
        new = [row for row in self.house.query("SELECT Id, LeadId FROM LeadSubmissions ORDER BY Id") if row[0] not in before]
        assert len(new) == len(drafts), "%d submissions of %d rows" % (len(new), len(drafts))
        for draft, (submission, lead) in zip(drafts, new):
            known = self.model.person(draft["email"], draft["phone"], draft["project"])
            assert known in (None, lead), "the import put a submission to %d, and not to %d" % (lead, known)
            # All rows are in the database already: the model takes in one after the other.
            self.taken_in(draft, lead, submission, known is None)
        return "an import of %d" % len(drafts)

    def patch(self):
        lead = self.rng.choice([*self.model.leads, 999_999])
        change = {}
        if self.rng.random() < 0.7:
            change["crm_lead_id"] = self.rng.choice([None, *CRM_IDS])
        if self.rng.random() < 0.5 or not change:
            change["status"] = self.rng.choice(["won", "lost"])
        status, answer, _ = self.ask("PATCH", "/analytics/leads/%d" % lead, change)
        if lead not in self.model.leads:
            assert status == 404, status
            return "a change of no lead"
        assert status == 200, "%d %s" % (status, answer)
        fields = self.model.leads[lead]
        if "status" in change:
            fields["status"] = change["status"]
        if "crm_lead_id" in change:
            fields["crm"] = change["crm_lead_id"]
            self.model.appears(fields["crm"])
        return "PATCH %d %.60s" % (lead, change)

    def time(self):
        day = self.rng.randrange(1, 10)
        written, kept = self.rng.choice(TIMES)
        return written % day, kept % day

    def foreign_lead(self):
        crm = self.rng.choice([None, "", *CRM_IDS])
        email, project = self.rng.choice([None, " F@example.com ", *EMAILS]), self.rng.choice([None, *PROJECTS])
        written, kept = self.time()
        with self.house.open_db() as db:
            lead = db.execute("INSERT INTO Leads (CrmLeadId, Email, Project, CreatedAt) VALUES (?, ?, ?, ?)", (crm, email, project, written)).lastrowid
        assert lead not in self.model.leads
        self.model.leads[lead] = {"crm": crm, "name": None, "email": email, "phone": None, "project": project, "source": None, "status": "new", "created_at": kept}
        self.model.appears(crm)
        return "another program's lead %d, %.20r" % (lead, crm)

    def foreign_submission(self):
        crm, lead = self.rng.choice([None, *CRM_IDS]), self.rng.choice([None, *self.model.leads])
        written, kept = self.time()
        payload = self.rng.choice([None, '{"a":1}', "no json", "{"])
        with self.house.open_db() as db:
            submission = db.execute(
                "INSERT INTO LeadSubmissions (LeadId, CrmLeadId, SubmittedAt, PayloadJson) VALUES (?, ?, ?, ?)", (lead, crm, written, payload)
            ).lastrowid
        self.model.submissions[submission] = {"lead": lead, "crm": crm, "at": kept}
        self.model.appears(crm)
        return "another program's submission %d to %s, %.20r" % (submission, lead, crm)

    def foreign_link(self):
        with self.house.open_db() as db:
            if self.rng.random() < 0.5 and self.model.leads:
                lead, crm = self.rng.choice(list(self.model.leads)), self.rng.choice([None, *CRM_IDS])
                db.execute("UPDATE Leads SET CrmLeadId = ? WHERE Id = ?", (crm, lead))
                self.model.leads[lead]["crm"] = crm
                self.model.appears(crm)
                return "another program links lead %d to %.20r" % (lead, crm)
            if not self.model.submissions:
                return "nothing"
            submission, lead = self.rng.choice(list(self.model.submissions)), self.rng.choice([None, *self.model.leads])
            db.execute("UPDATE LeadSubmissions SET LeadId = ? WHERE Id = ?", (lead, submission))
            self.model.submissions[submission]["lead"] = lead
            self.model.appears(self.model.submissions[submission]["crm"])
            return "another program links submission %d to %s" % (submission, lead)

    def foreign_delete(self):
        if not self.model.leads:
            return "nothing"
        lead = self.rng.choice(list(self.model.leads))
        with self.house.open_db() as db:
            db.execute("PRAGMA foreign_keys=ON")
            db.execute("DELETE FROM Leads WHERE Id = ?", (lead,))
        self.model.delete(lead)
        return "another program deletes lead %d" % lead

    def restart(self):
        self.client.close()
        if self.rng.random() < 0.5:
            self.house.stop()
        else:
            self.house.service.send_signal(signal.SIGKILL)
            self.house.service.wait()
        self.start()
        self.counts.add("restarts")
        return "a restart"

    def step(self):
        choices = [(self.webhook, 40), (self.bad_webhook, 3), (self.post_lead, 14), (self.patch, 10), (self.foreign_lead, 8)]
        choices += [(self.foreign_submission, 8), (self.foreign_link, 8), (self.foreign_delete, 3), (self.import_leads, 1), (self.restart, 1)]
        kind = self.rng.choices([choice for choice, _ in choices], [weight for _, weight in choices])[0]
        self.steps.append(kind.__name__)
        self.steps[-1] = kind()
        self.counts.add("steps")

    # ---- the comparison

    def compare(self):
        model = self.model
        shown, _ = self.pages("/analytics/leads", "leads", self.rng.choice([1, 3, 50, 200]))
        assert sorted(item["id"] for item in shown) == sorted(model.leads), "the leads are %s, not %s" % (sorted(item["id"] for item in shown), sorted(model.leads))
        order = [(item["created_at"], item["id"]) for item in shown]
        assert order == sorted(order, reverse=True), "the list is not in its order"
        statuses = {}
        for item in shown:
            fields = model.leads[item["id"]]
            fields["created_at"] = fields["created_at"] or item["created_at"]
            for name, value in (("crm_lead_id", fields["crm"]), *((name, fields[name]) for name in ("name", "email", "phone", "project", "source", "status", "created_at"))):
                assert item[name] == (value or None), "lead %d: %s is %r, and should be %r" % (item["id"], name, item[name], value)
            self.compare_lead(item)
            statuses[item["crm_status"]] = statuses.get(item["crm_status"], 0) + 1
        held, _ = self.pages("/analytics/leads/unmatched", "unmatched", self.rng.choice([1, 7, 200]))
        markers = sorted(item["payload"]["marker"] for item in held)
        wanted = sorted(marker for marker, event in model.events.items() if event["lead"] is None)
        assert markers == wanted, "held are %s, and should be %s" % (markers, wanted)
        for what, name in (("projects", "project"), ("sources", "source")):
            values = sorted({fields[name].encode() for fields in model.leads.values() if fields[name]})
            assert [value.encode() for value in self.get("/analytics/leads/" + what)[what]] == values, what
        summary = self.get("/analytics/leads/summary", days=366)
        assert sum(day["events"] for day in summary["days"]) == sum(event["lead"] is not None for event in model.events.values()), "the summary's events"
        assert sum(day["leads"] for day in summary["days"]) == len(model.leads), "the summary's leads"
        assert self.has_long_status or {item["status"]: item["leads"] for item in summary["crm_statuses"]} == statuses, "the summary's statuses: %s, and the leads': %s" % (summary["crm_statuses"], statuses)
        self.compare_filters()
        self.counts.add("comparisons of everything")

    def compare_lead(self, listed):
        lead = listed["id"]
        activity, page = self.pages("/analytics/leads/%d" % lead, "crm_activity", self.rng.choice([1, 5, 1000]), "crm_activity_next", "activity_cursor", "activity_limit")
        wanted = {marker: event for marker, event in self.model.events.items() if event["lead"] == lead}
        markers = [item["payload"]["marker"] for item in activity]
        assert sorted(markers) == sorted(wanted), "lead %d has %s, and should have %s" % (lead, sorted(markers), sorted(wanted))
        order = [(item["received_at"], item["id"]) for item in activity]
        assert order == sorted(order, reverse=True), "lead %d: the activity is not in its order" % lead
        for item in activity:
            event = wanted[item["payload"]["marker"]]
            assert (item["crm_lead_id"], item["event_type"]) == (event["crm"], event["type"]), "an event of lead %d: %s" % (lead, item)
        status = next((item["payload"]["status"] for item in activity if isinstance(item["payload"].get("status"), str) and item["payload"]["status"]), None)
        assert listed["crm_status"] == page["lead"]["crm_status"] == status, "lead %d: crm_status %r, and should be %r" % (lead, listed["crm_status"], status)
        assert listed["crm_event_count"] == len(wanted), "lead %d: %d events are counted" % (lead, listed["crm_event_count"])
        assert listed["last_activity_at"] == (order[0][0] if order else None), "lead %d: last_activity_at" % lead
        shown = [(item["submitted_at"], item["id"], item["crm_lead_id"]) for item in page["submissions"]]
        mine = sorted(((fields["at"], number, fields["crm"] or None) for number, fields in self.model.submissions.items() if fields["lead"] == lead), key=lambda one: one[:2], reverse=True)
        assert shown == mine, "lead %d: the submissions are %s, and should be %s" % (lead, shown, mine)
        # The bytes of each payload, as they were received.
        _, _, text = self.ask("GET", "/analytics/leads/%d?activity_limit=1000" % lead)
        for event in wanted.values():
            assert event["body"].encode() in text, "a payload of lead %d has changed" % lead

    def compare_filters(self):
        def ascii_lower(text):
            return "".join(c.lower() if c.isascii() else c for c in text)

        leads = self.model.leads
        for parameters, fits in (
            ({"q": self.rng.choice(["EXAMPLE", "b", "ü", "%", "_", "zo"])}, None),
            ({"project": self.rng.choice(["North", "Süd", "none"])}, lambda fields, value: fields["project"] == value["project"]),
            ({"source": "web", "status": "new"}, lambda fields, value: fields["source"] == "web" and fields["status"] == "new"),
            ({"from": "2026-11-03", "to": "2026-11-06T10:00:00+00:00"}, lambda fields, value: "2026-11-03" <= fields["created_at"] <= "2026-11-06T10:00:00.000Z"),
        ):
            if "q" in parameters:
                q = ascii_lower(parameters["q"])
                wanted = [lead for lead, fields in leads.items() if any(q in ascii_lower(fields[name] or "") for name in ("name", "email", "phone", "crm"))]
            else:
                wanted = [lead for lead, fields in leads.items() if fits(fields, parameters)]
            shown, _ = self.pages("/analytics/leads", "leads", self.rng.choice([2, 200]), **parameters)
            assert sorted(item["id"] for item in shown) == sorted(wanted), "%s gives %s, and should give %s" % (parameters, sorted(item["id"] for item in shown), sorted(wanted))


def walk(counts, seed):
    with House() as house:
        house.seed({})
        one = Walk(house, seed, counts)
        try:
            for number in range(1, STEPS + 1):
                one.step()
                if number % 15 == 0 or number == STEPS:
                    one.compare()
        except AssertionError as error:
            raise AssertionError("seed %d, step %d: %s; the last steps: %s" % (seed, len(one.steps), error, " | ".join(one.steps[-4:]))) from None
        house.stop()


def walks(counts):
    for number in range(SEQUENCES):
        walk(counts, SEED + number)
        counts.add("sequences")


print("# seed %d" % SEED, flush=True)
counted_case("random sequences beside a model", walks)
finish()
