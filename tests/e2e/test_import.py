#!/usr/bin/env python3
"""leadline import: CSV and JSON Lines, each row taken in as POST /analytics/leads would; bad rows; all or nothing."""

import json
import os
import pty
import re
import subprocess
import threading
import time

from harness import BIN, SLOW, House, case, finish, stored
from leads import LIST, api_house, together

COLUMNS = "name,email,phone,project,source,form,page_url,crm_lead_id,payload"
QUERY = """SELECT L.Name, L.Email, L.Phone, L.Project, L.Source, S.Form, S.PageUrl, S.CrmLeadId, S.PayloadJson
           FROM Leads AS L JOIN LeadSubmissions AS S ON S.LeadId = L.Id ORDER BY S.Id"""


class Done:
    """How an import went."""

    def __init__(self, done):
        self.code = done.returncode
        self.said = done.stdout.decode()
        self.complaints = done.stderr.decode().splitlines()

    def __str__(self):
        return "code %d, out %r, err %r" % (self.code, self.said[:200], self.complaints[:5])


def load(house, data, *options, name="leads.csv", by_pipe=False):
    """Imports these bytes, out of a file or a pipe."""
    if isinstance(data, str):
        data = data.encode()
    path = "-"
    if not by_pipe:
        path = os.path.join(house.dir, name)
        with open(path, "wb") as file:
            file.write(data)
    return Done(
        subprocess.run(
            [BIN, "import", path, *options],
            env=house.environment(),
            input=data if by_pipe else b"",
            capture_output=True,
            check=False,
            timeout=60 * SLOW,
        )
    )


def clear(house):
    with house.open_db() as db:
        db.execute("PRAGMA foreign_keys = ON")
        for table in ("Leads", "LeadSubmissions", "UnmatchedCrmEvents"):
            db.execute("DELETE FROM " + table)


def good(done, rows):
    assert done.code == 0 and done.complaints == [], done
    assert len(done.said.splitlines()) == 1 and re.search(r"\b%d\b" % rows, done.said), "no summary line: %s" % done


def complained(done, lines):
    """Exit 65, and one complaint for each of these lines, {line: a word of the reason}."""
    assert done.code == 65, done
    said = [re.fullmatch(r"line (\d+): (.+)", line) for line in done.complaints]
    assert all(said), done
    assert [int(one.group(1)) for one in said] == list(lines), done
    for one, word in zip(said, lines.values()):
        assert word in one.group(2), "line %s: %r does not name %s" % (one.group(1), one.group(2), word)
    assert len(done.said.splitlines()) == 1, "no summary line: %s" % done


def table(house, data, rows, **options):
    clear(house)
    good(load(house, data, **options), len(rows))
    found = [tuple(value or "" for value in row) for row in house.query(QUERY)]
    wanted = [tuple(row) + ("",) * (9 - len(row)) for row in rows]
    assert found == wanted, "%s, not %s" % (found, wanted)


ADA = ("Ada", "ada@x.de", "+49 1", "P", "s", "f", "https://x.de/?a=b", "crm-1", '{"a":1}')
ADA_LINE = 'Ada,ada@x.de,+49 1,P,s,f,https://x.de/?a=b,crm-1,"{""a"":1}"\n'
EMAIL = ("", "ada@x.de")
AS_SENT = ("", "a", "", "", "", "", "", "", '{ "id":9007199254740993, "a":1,"a":2 }')

# What it is, the file, the rows that it must give.
GOOD_CSV = [
    ("every column", COLUMNS + "\n" + ADA_LINE, [ADA]),
    ("the columns in another order", 'payload,phone,name,email\n"[1, 2]",1,n,e\n', [("n", "e", "1", "", "", "", "", "", "[1, 2]")]),
    ("one column", "email\nada@x.de\n", [EMAIL]),
    ("names in other letters, with blanks", " Email ,PHONE\nada@x.de,1\n", [("", "ada@x.de", "1")]),
    ("no line end at the end", "email\nada@x.de", [EMAIL]),
    ("CRLF", "email,name\r\nada@x.de,Ada\r\nb@x.de,B\r\n", [("Ada", "ada@x.de"), ("B", "b@x.de")]),
    ("CRLF without the last", "name,email\r\nAda,ada@x.de", [("Ada", "ada@x.de")]),
    ("a BOM", "\ufeffemail,name\nada@x.de,Ada\n", [("Ada", "ada@x.de")]),
    ("a BOM before a quote", '\ufeff"email","name"\n"ada@x.de","Ada"\n', [("Ada", "ada@x.de")]),
    ("a BOM, CRLF and semicolons, as a spreadsheet saves it", '\ufeffname;email;phone\r\n"Ada; B";ada@x.de;1,5\r\n', [("Ada; B", "ada@x.de", "1,5")]),
    ("semicolons", "name;email\nAda, B.;ada@x.de\n", [("Ada, B.", "ada@x.de")]),
    ("a quoted comma", 'name,email\n"Lovelace, Ada",ada@x.de\n', [("Lovelace, Ada", "ada@x.de")]),
    ("quoted quotes", 'name,email\n"Ada ""Countess"" L",ada@x.de\n', [('Ada "Countess" L', "ada@x.de")]),
    ("a quoted line end", 'name,email\n"Ada\nLovelace",ada@x.de\nB,b@x.de\n', [("Ada\nLovelace", "ada@x.de"), ("B", "b@x.de")]),
    ("a quoted CRLF", 'name,email\r\n"Ada\r\nLovelace",ada@x.de\r\nB,b@x.de\r\n', [("Ada\r\nLovelace", "ada@x.de"), ("B", "b@x.de")]),
    ("quoted empty lines", 'name,email\n"a\n\n\nb",ada@x.de\n', [("a\n\n\nb", "ada@x.de")]),
    ("a quoted header", '"name","email"\n"Ada","ada@x.de"\n', [("Ada", "ada@x.de")]),
    ("empty fields", "name,email,phone\n,ada@x.de,\n", [EMAIL]),
    ("quoted empty fields", 'name,email,phone\n"",ada@x.de,""\n', [EMAIL]),
    ("empty lines", "\n\nemail\n\nada@x.de\n\n\nb@x.de\n\n", [EMAIL, ("", "b@x.de")]),
    ("blanks around values", "name,email\n  Ada ,\tada@x.de \n", [("Ada", "ada@x.de")]),
    ("a quote inside of a field", 'name,email\nAda "B" L,ada@x.de\n', [('Ada "B" L', "ada@x.de")]),
    ("letters beyond ASCII", "name,email\nZoë 😀,zoë@x.de\n", [("Zoë 😀", "zoë@x.de")]),
    ("a payload byte for byte", 'email,payload\na,"{ ""id"":9007199254740993, ""a"":1,""a"":2 }"\n', [AS_SENT]),
    ("a long field", "name,email\n%s,ada@x.de\n" % ("x" * 300_000), [("x" * 300_000, "ada@x.de")]),
    ("a header and nothing else", "name,email\n", []),
]

GOOD_JSON = [
    ("every field", json.dumps(dict(zip(COLUMNS.split(","), ADA[:8]))) [:-1] + ',"payload":{"a":1}}\n', [ADA]),
    ("no line end at the end", '{"email":"ada@x.de"}\n{"phone":"1"}', [EMAIL, ("", "", "1")]),
    ("CRLF, empty lines and blanks", '{"email":"ada@x.de"}\r\n\r\n \n  {"phone":"1"}  \r\n', [EMAIL, ("", "", "1")]),
    ("empty lines first", '\n\n{"email":"ada@x.de"}\n', [EMAIL]),
    ("a BOM", '\ufeff{"email":"ada@x.de"}\n', [EMAIL]),
    ("a payload byte for byte", '{"email":"a","payload":%s}\n' % AS_SENT[-1], [AS_SENT]),
    ("null and unknown fields", '{"email":"ada@x.de","name":null,"other":[1,{}]}\n', [EMAIL]),
]


def bad_rows(house):
    """Each is reported with its line and skipped; the good ones are there."""
    clear(house)
    done = load(
        house,
        "name,email,phone,payload\n"  # 1
        "Ada,ada@x.de,1,\n"
        "nobody,,,\n"  # 3
        '"over\nthree\nlines",b@x.de,2,\n'  # 4 to 6
        "short,c@x.de\n"  # 7
        "long,c@x.de,3,,5\n"
        "json,d@x.de,4,{a:1}\n"  # 9
        "\n"
        '"quote"x,e@x.de,5,\n'  # 11
        '"\nnobody",,,\n'  # 12 and 13
        "Zed,z@x.de,9,1\n",
    )
    complained(done, {3: "email", 7: "fields", 8: "fields", 9: "payload", 11: "quote", 12: "email"})
    assert [row[0] for row in house.query("SELECT Name FROM Leads ORDER BY Id")] == ["Ada", "over\nthree\nlines", "Zed"]
    assert re.search(r"\b3\b", done.said) and re.search(r"\b6\b", done.said), done


def bad_bytes(house):
    clear(house)
    data = b"name,email\nM\xfcller,a@x.de\nMeier,b@x.de\nnul\0,c@x.de\n\xff,d@x.de\n"
    complained(load(house, data), {2: "name", 4: "name", 5: "name"})
    assert house.query("SELECT Email FROM Leads") == [("b@x.de",)]


def bad_end(house):
    """A quote that is never closed."""
    clear(house)
    complained(load(house, 'name,email\nA,a@x.de\n"B,b@x.de\nC,c@x.de\n'), {3: "quote"})
    assert house.query("SELECT Email FROM Leads") == [("a@x.de",)]


def bad_json(house):
    clear(house)
    done = load(
        house,
        '{"email":"a@x.de"}\n{"email":5}\n\nnot json\n{}\n["a"]\n'
        '{"email":"b@x.de","name":"\\u0000"}\n{"email":"c@x.de"\n{"email":"z@x.de"}\n',
        name="leads.jsonl",
    )
    complained(done, {2: "email", 4: "JSON", 5: "email", 6: "object", 7: "name", 8: "JSON"})
    assert house.query("SELECT Email FROM Leads ORDER BY Id") == [("a@x.de",), ("z@x.de",)]


def line_numbers_after_empty_lines(house):
    """A line is a line of the file."""
    clear(house)
    complained(load(house, "\n\n\nname,email\nn,\n"), {5: "email"})
    complained(load(house, '\n\n\n{"email":"a@x.de"}\n{}\n', name="leads.jsonl"), {5: "email"})


def atomic(house, by_pipe):
    clear(house)
    done = load(house, "email\na@x.de\n\"\"\nb@x.de\n", "--atomic", by_pipe=by_pipe)
    complained(done, {3: "email"})
    assert house.query("SELECT count(*) FROM Leads") == [(0,)] and house.query("SELECT count(*) FROM LeadSubmissions") == [(0,)]
    good(load(house, "email\na@x.de\nb@x.de\na@x.de\n", "--atomic", by_pipe=by_pipe), 3)
    assert house.query("SELECT (SELECT count(*) FROM Leads), (SELECT count(*) FROM LeadSubmissions)") == [(2, 3)]


def atomic_late(house):
    """The bad row is the last of more than one transaction's worth."""
    clear(house)
    rows = "".join("p%d\n" % number for number in range(5000))
    complained(load(house, "phone\n" + rows + '""\n', "--atomic"), {5002: "email"})
    assert house.query("SELECT count(*) FROM Leads") == [(0,)]
    complained(load(house, "phone\n" + rows + '""\n'), {5002: "email"})
    assert house.query("SELECT count(*) FROM Leads") == [(5000,)]


def option_first(house):
    clear(house)
    path = os.path.join(house.dir, "first.csv")
    with open(path, "w", encoding="utf-8") as file:
        file.write("email\na@x.de\n\"\"\n")
    done = house.run("import", "--atomic", path)
    assert done.returncode == 65 and house.query("SELECT count(*) FROM Leads") == [(0,)], done


def like_post(client, house):
    """The same person in the file, in the table, and by POST."""
    clear(house)
    first = client.send("POST", LIST, 201, email="ada.lovelace@example.com", project="P")["lead_id"]
    good(load(house, "email,phone,project\n Ada.Lovelace@Example.com ,, P \nada.lovelace@example.com,1,Q\n,1,Q\n"), 3)
    query = "SELECT L.Email, L.Project, count(*) FROM Leads AS L JOIN LeadSubmissions AS S ON S.LeadId = L.Id GROUP BY L.Id ORDER BY L.Id"
    found = house.query(query)
    assert found == [("ada.lovelace@example.com", "P", 2), ("ada.lovelace@example.com", "Q", 2)], found
    assert client.get(LIST)["leads"][1]["id"] == first


def beside_the_service(client, house):
    """Webhooks are answered while a long import runs, and each sees its lead as soon as it is there."""
    clear(house)
    with house.open_db() as db:
        db.execute("INSERT INTO Leads (Id, CrmLeadId) VALUES (1, 'crm-1')")
    rows = "".join("e%06d@example.com,c%06d\n" % (number, number) for number in range(30000))
    results = []
    worker = threading.Thread(target=lambda: results.append(load(house, "email,crm_lead_id\n" + rows)))
    begun = time.monotonic()
    worker.start()
    asked, slowest = 0, 0.0
    while worker.is_alive() or asked < 5:
        before = time.monotonic()
        reply = client.webhook(b'{"crm_lead_id":"crm-1"}')
        assert reply.bytes == stored(1), reply
        slowest = max(slowest, time.monotonic() - before)
        asked += 1
    worker.join()
    took = time.monotonic() - begun
    good(results[0], 30000)
    assert house.query("SELECT count(*) FROM Leads") == [(30001,)]
    assert client.webhook(b'{"crm_lead_id":"c029999"}').json["stored"] is True
    assert slowest < 1.5 * SLOW, "an event waited %.1f s" % slowest
    # The goal is 20,000 rows a second, measured elsewhere: here others are at work as well.
    assert took < 15 * SLOW, "30,000 rows took %.1f s" % took


def twice_at_once(house):
    """Two imports of the same people: each is one lead."""
    clear(house)
    data = "email\n" + "".join("same%d@example.com\n" % number for number in range(3000))
    for done in together(2, lambda number: load(house, data, name="same%d.csv" % number)):
        good(done, 3000)
    assert house.query("SELECT (SELECT count(*) FROM Leads), (SELECT count(*) FROM LeadSubmissions)") == [(3000, 6000)]


def refused(house, arguments, code, word):
    done = house.run("import", *arguments)
    assert done.returncode == code, "code %d: %s" % (done.returncode, done.stderr[:200])
    assert word in done.stderr, done.stderr[:200]
    assert done.stdout == "", done.stdout


def bad_file(house, data, word):
    clear(house)
    done = load(house, data)
    assert done.code == 65 and any(word in line for line in done.complaints), done
    assert house.query("SELECT count(*) FROM Leads") == [(0,)]


def unknown_column(house):
    """Said, and left out."""
    clear(house)
    done = load(house, "email,Favourite colour,name\na@x.de,blue,A\n")
    assert done.code == 0 and "avourite colour" in " ".join(done.complaints), done
    assert house.query("SELECT Name FROM Leads") == [("A",)]


def progress(house):
    """A bar on a terminal; nothing of it in a file, which every other case has seen."""
    clear(house)
    path = os.path.join(house.dir, "bar.csv")
    with open(path, "w", encoding="utf-8") as file:
        file.write("email\n" + "".join("bar%d@example.com\n" % number for number in range(4500)))
    ours, theirs = pty.openpty()
    try:
        command = [BIN, "import", path]
        with subprocess.Popen(command, env=house.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=theirs) as process:
            said, _ = process.communicate(timeout=60 * SLOW)
        shown = os.read(ours, 65536).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    assert process.returncode == 0 and len(said.splitlines()) == 1, said
    assert "\r" in shown and "%" in shown and "100" in shown and "4500" in shown, repr(shown)


def locked_for_a_moment(house):
    """Another program's lock is waited for."""
    clear(house)
    results = []
    with house.open_db() as other:
        other.execute("BEGIN IMMEDIATE")
        worker = threading.Thread(target=lambda: results.append(load(house, "email\na@x.de\n")))
        worker.start()
        time.sleep(2)
        other.execute("COMMIT")
        worker.join()
    good(results[0], 1)


def into_nothing():
    """An empty database is migrated by whoever opens it first."""
    with House() as house:
        good(load(house, "email\na@x.de\n"), 1)
        assert house.query("SELECT Email, Status FROM Leads") == [("a@x.de", "new")]


with api_house() as (house, client):
    for name, data, rows in GOOD_CSV:
        case("import CSV: " + name, table, house, data, rows)
    for name, data, rows in GOOD_JSON:
        case("import JSON Lines: " + name, lambda data=data, rows=rows: table(house, data, rows, name="leads.jsonl"))
    case("import CSV from a pipe", lambda: table(house, COLUMNS + "\n" + ADA_LINE, [ADA], by_pipe=True))
    case("import JSON Lines from a pipe", lambda: table(house, '{"email":"ada@x.de"}\n', [EMAIL], by_pipe=True))
    case("import: bad rows are reported and skipped", bad_rows, house)
    case("import: bytes that are no text", bad_bytes, house)
    case("import: a quote that is never closed", bad_end, house)
    case("import: bad JSON Lines", bad_json, house)
    case("import: lines are the file's", line_numbers_after_empty_lines, house)
    case("import --atomic: nothing where a row is bad", atomic, house, False)
    case("import --atomic: nothing where a row is bad, from a pipe", atomic, house, True)
    case("import --atomic: nothing where the last of 5,001 rows is bad", atomic_late, house)
    case("import --atomic: in front of the file", option_first, house)
    case("import: a person is known as to POST", like_post, client, house)
    case("import: 30,000 rows beside webhooks, none of which waits long", beside_the_service, client, house)
    case("import: two at once", twice_at_once, house)
    case("import: waits for a lock", locked_for_a_moment, house)
    case("import: no file named", refused, house, [], 64, "import")
    case("import: two files named", refused, house, ["a.csv", "b.csv"], 64, "import")
    case("import: an unknown option", refused, house, ["--nonsense", "a.csv"], 64, "import")
    case("import: a file that is not there", refused, house, [os.path.join(house.dir, "none.csv")], 66, "none.csv")
    for name, data, word in (
        ("an empty file", "", "header"),
        ("neither email nor phone in the header", "name,project\nA,P\n", "email"),
        ("no header", "Ada,ada@x.de\n", "email"),
    ):
        case("import: refused: " + name, bad_file, house, data, word)
    case("import: a column that nobody knows", unknown_column, house)
    case("import: a bar on a terminal", progress, house)
case("import: into a database that is not there yet", into_nothing)
finish()
