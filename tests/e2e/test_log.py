#!/usr/bin/env python3
"""One JSON line a request on stderr: what it says, and what it never says."""

import json
import subprocess

from harness import BIN, PATH, READY, SECRET, SLOW, House, Http, case, event, finish

# (name, arguments of post, what the line must hold)
REQUESTS = [
    ("stored", {"body": event("crm-1", note="PAYLOAD-TEXT")}, {"status": 200, "stored": True, "lead": 1}),
    ("unmatched", {"body": event("nobody-7", note="PAYLOAD-TEXT")}, {"status": 200, "stored": False, "crm_lead_id": "nobody-7"}),
    (
        "unmatched, an id that could break the line",
        {"body": event('a"b\\c\n{"id":1}\u2028\x7f\u00e9')},
        {"status": 200, "stored": False, "crm_lead_id": 'a"b\\c\n{"id":1}\u2028\x7f\u00e9'},
    ),
    ("invalid JSON", {"body": b'{"crm_lead_id":"PAYLOAD-TEXT",}'}, {"status": 400}),
    ("missing id", {"body": b'{"event_type":"PAYLOAD-TEXT"}'}, {"status": 400}),
    ("a wrong secret", {"body": event("crm-1"), "secret": "WRONG-SECRET"}, {"status": 401}),
    ("a right key, a wrong secret", {"body": event("crm-1"), "secret": "WRONG-SECRET", "X_API_Key": SECRET}, {"status": 200, "stored": True, "lead": 1}),
    ("another method", {"body": event("crm-1"), "method": "PUT"}, {"status": 405, "method": "PUT"}),
    ("another path", {"body": event("crm-1"), "path": "/webhooks/x%22%0A"}, {"status": 404, "path": "/webhooks/x%22%0A"}),
    ("a secret in the query", {"body": event("crm-1"), "path": PATH + "?key=" + SECRET}, {"status": 200, "stored": True, "lead": 1}),
    ("too long", {"body": b"x" * 1_048_577}, {"status": 413}),
]


def check_lines(text, ids):
    """Every line is one JSON object; each request has exactly one. Returns them by request id."""
    lines = {}
    # Not splitlines(), which would also cut at what JSON leaves alone, such as U+2028.
    for line in text.removesuffix("\n").split("\n"):
        try:
            parsed = json.loads(line)
        except ValueError:
            raise AssertionError("not JSON: " + line[:200]) from None
        assert isinstance(parsed, dict), line
        if "method" in parsed and parsed["id"] != READY:
            assert parsed["id"] not in lines, "two lines for one request: " + line
            lines[parsed["id"]] = parsed
    assert sorted(lines) == sorted(ids), "lines for %s, requests %s" % (sorted(lines), sorted(ids))
    return lines


def check_line(line, wanted):
    for key in ("id", "method", "path", "status", "ms"):
        assert key in line, "%s is missing: %s" % (key, line)
    assert isinstance(line["ms"], (int, float)) and 0 <= line["ms"] < 30_000 * SLOW, line
    for key, value in {"method": "POST", "path": PATH, **wanted}.items():
        assert line.get(key) == value, "%s is %r, not %r: %s" % (key, line.get(key), value, line)
    if wanted["status"] != 200:
        assert line.get("stored") is not True and "lead" not in line, line


def says_nothing_secret(text):
    for word in (SECRET, "WRONG-SECRET", "PAYLOAD-TEXT", "callback-secret-text", "analytics-key-text"):
        assert word not in text, "the log holds %r: %s" % (word, next(line for line in text.splitlines() if word in line)[:300])


with House() as house:
    house.seed({1: "crm-1"})
    house.start(CRM_CALLBACK_SECRET="callback-secret-text", ANALYTICS_API_KEY="analytics-key-text")
    house.start_nginx()
    ids = {}
    for name, arguments, _ in REQUESTS:
        ids[name] = Http(house.port).post(**arguments).headers["x-request-id"]
    own = Http(house.port).post(event("crm-1"), X_Request_Id="my-own.id").headers["x-request-id"]
    house.stop()
    log = house.log_text()
    by_id = {}

    def parse():
        by_id.update(check_lines(log, [*ids.values(), own]))
        assert own == "my-own.id"

    case("log: one JSON line for each request, with its X-Request-Id", parse)
    case("log: no secret and no payload", says_nothing_secret, log)
    for name, _, wanted in REQUESTS:
        case("log: the line of a request: " + name, lambda name=name, wanted=wanted: check_line(by_id[ids[name]], wanted))

    def of_cgi():
        body = event("nobody-cgi", note="PAYLOAD-TEXT")
        environment = house.environment(
            GATEWAY_INTERFACE="CGI/1.1",
            REQUEST_METHOD="POST",
            REQUEST_URI=PATH,
            CONTENT_LENGTH=str(len(body)),
            HTTP_AUTHORIZATION="Bearer " + SECRET,
            HTTP_X_REQUEST_ID="cgi-1",
        )
        done = subprocess.run([BIN], env=environment, input=body, capture_output=True, check=True, timeout=30 * SLOW)
        text = done.stderr.decode()
        check_line(check_lines(text, ["cgi-1"])["cgi-1"], {"status": 200, "stored": False, "crm_lead_id": "nobody-cgi"})
        says_nothing_secret(text)

    case("log: CGI writes its line, too", of_cgi)

    def quiet():
        with open(house.log, "w", encoding="utf-8"):
            pass  # Emptied.
        house.start(LEADLINE_LOG_LEVEL="error")
        assert Http(house.port).post(event("crm-1")).status == 200
        house.stop()
        assert house.log_text() == "", house.log_text()[:200]

    case("log: LEADLINE_LOG_LEVEL=error leaves good requests out", quiet)
finish()
