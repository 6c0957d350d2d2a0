#!/usr/bin/env python3
"""Paging while others write: of what was there at the beginning, nothing comes twice and nothing is missing."""

import threading

from harness import case, finish, until
from leads import LIST, Client, api_house, ids

LEADS = 1000


class Writer:
    """Another program, or another client, that writes as long as the test pages."""

    def __init__(self, write):
        self.write = write
        self.count = 0
        self.error = None
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            while not self.stopping.is_set():
                self.write(self.count)
                self.count += 1
        except Exception as error:
            self.error = error

    def beside(self, pages):
        """The ids on these pages. Between two of them something is written, so that each is read from another state."""
        seen = []
        for page in pages:
            seen += ids(page)
            before = self.count
            until(20, lambda before=before: self.count > before or self.error, "the writer goes on")
        self.stopping.set()
        self.thread.join()
        assert self.error is None, "the writer: %r" % self.error
        return seen


def check(seen, wanted, what):
    assert len(seen) == len(set(seen)), "%s: %d came twice" % (what, len(seen) - len(set(seen)))
    missing = set(wanted) - set(seen)
    assert not missing, "%s: %d are missing: %s" % (what, len(missing), sorted(missing)[:5])
    order = [number for number in seen if number in set(wanted)]
    assert order == wanted, "%s: not in order" % what


def leads_page(house, client, filters):
    """PHP inserts new leads (now), and some in the middle of what is paged, and renames those that are there."""
    wanted = [row[0] for row in house.query("SELECT Id FROM Leads WHERE Id <= ? ORDER BY CreatedAt DESC, Id DESC", LEADS)]

    def write(number):
        with house.open_db() as db:
            db.execute("INSERT INTO Leads (Name, Project, Status) VALUES ('new', 'P', 'new')")
            time = "2026-03-%02d 12:00:00" % (number % 28 + 1)
            db.execute("INSERT INTO Leads (Name, Project, Status, CreatedAt) VALUES ('old', 'P', 'new', ?)", (time,))
            db.execute("UPDATE Leads SET Name = 'renamed', UpdatedAt = '2026-04-01' WHERE Id = ?", (number % LEADS + 1,))

    writer = Writer(write)
    seen = writer.beside(client.pages(LIST, "leads", limit=47, **filters))
    check(seen, wanted, "leads %s" % filters)


def leads_beside_post(house, client):
    other = Client(house)
    wanted = ids(client.all(LIST, "leads", limit=200))
    writer = Writer(lambda number: other.send("POST", LIST, 201, email="paging-%d@example.com" % number))
    seen = writer.beside(client.pages(LIST, "leads", limit=61))
    check(seen, wanted, "leads beside POST")


def activity_pages(house, client):
    events = 1000
    with house.open_db() as db:
        db.execute("BEGIN")
        # Ten at one moment each.
        db.executemany(
            "INSERT INTO LeadCrmActivity (LeadId, CrmLeadId, PayloadJson, ReceivedAt, Status) VALUES (1, 'act', '{}', ?, '')",
            [("2026-03-05T10:%02d:%02d.000Z" % (number // 600, number // 10 % 60),) for number in range(events)],
        )
        db.execute("UPDATE Leads SET CrmLeadId = 'act' WHERE Id = 1")
        db.execute("COMMIT")
    wanted = [row[0] for row in house.query("SELECT Id FROM LeadCrmActivity WHERE LeadId = 1 ORDER BY ReceivedAt DESC, Id DESC")]
    other = Client(house)
    writer = Writer(lambda number: other.happens(1, "act", number=number))
    seen = writer.beside(client.pages(LIST + "/1", "crm_activity", "crm_activity_next", "activity_cursor", activity_limit=19))
    check(seen, wanted, "activity")


def unmatched_pages(house, client):
    held = 300
    with house.open_db() as db:
        db.execute("BEGIN")
        db.executemany(
            "INSERT INTO UnmatchedCrmEvents (CrmLeadId, PayloadJson, ReceivedAt) VALUES (?, '{}', ?)",
            [("held-%d" % (number % 3), "2026-03-05T10:00:%02d.000Z" % (number // 10)) for number in range(held)],
        )
        db.execute("COMMIT")
    query = "SELECT Id FROM UnmatchedCrmEvents WHERE ? IN ('', CrmLeadId) ORDER BY ReceivedAt DESC, Id DESC"
    other = Client(house)
    for crm_lead_id in ("", "held-1"):
        wanted = [row[0] for row in house.query(query, crm_lead_id)]
        writer = Writer(lambda number: other.webhook(b'{"crm_lead_id":"held-%d"}' % (number % 3)))
        seen = writer.beside(client.pages(LIST + "/unmatched", "unmatched", limit=13, crm_lead_id=crm_lead_id))
        check(seen, wanted, "unmatched %s" % crm_lead_id)


with api_house() as (house, client):
    with house.open_db() as db:
        db.execute("BEGIN")
        # Eight at one moment each.
        db.executemany(
            "INSERT INTO Leads (Id, Name, Project, Status, CreatedAt) VALUES (?, 'n', 'P', 'new', ?)",
            [(number + 1, "2026-03-%02d %02d:00:00" % (number * 7 % 28 + 1, number * 5 % 5)) for number in range(LEADS)],
        )
        db.execute("COMMIT")
    case("paging: 1,000 leads while another program inserts and updates", leads_page, house, client, {})
    case("paging: 1,000 leads by project and status, meanwhile", leads_page, house, client, {"project": "P", "status": "new"})
    case("paging: 1,000 leads by time and search, meanwhile", leads_page, house, client, {"from": "2026-03-01", "q": "n"})
    case("paging: the leads while others are posted", leads_beside_post, house, client)
    case("paging: 1,000 events of a lead while more come in", activity_pages, house, client)
    case("paging: held events while more come in", unmatched_pages, house, client)
finish()
