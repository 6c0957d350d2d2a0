#!/usr/bin/env python3
"""Who may ask the lead API what: keys, methods, paths, ids, and the headers of every answer."""

import time

from harness import SECRET, SLOW, case, finish
from leads import KEY, LIST, RIGHT, Client, api_house

READS = [LIST, LIST + "/projects", LIST + "/sources", LIST + "/unmatched", LIST + "/summary", LIST + "/1"]
WRITES = [("POST", LIST, b'{"email":"a@example.com"}'), ("PATCH", LIST + "/1", b'{"status":"open"}')]
GUARDED = [("GET", path, None) for path in READS] + WRITES
HEALTH = ["/healthz", "/readyz"]

WRONG_KEYS = {
    "none": {},
    "a wrong Bearer": {"Authorization": "Bearer wrong"},
    "a wrong X-API-Key": {"X-API-Key": "wrong"},
    "both wrong": {"Authorization": "Bearer wrong", "X-API-Key": "wrong"},
    "an empty Bearer": {"Authorization": "Bearer "},
    "a Bearer without anything": {"Authorization": "Bearer"},
    "an empty Authorization": {"Authorization": ""},
    "an empty X-API-Key": {"X-API-Key": ""},
    "the webhook's secret": {"Authorization": "Bearer " + SECRET},
    "the webhook's secret as X-API-Key": {"X-API-Key": SECRET},
    "Basic": {"Authorization": "Basic " + KEY},
    "no scheme": {"Authorization": KEY},
    "Bearer inside of X-API-Key": {"X-API-Key": "Bearer " + KEY},
    "a prefix of it": {"Authorization": "Bearer " + KEY[:-1]},
    "more than it": {"X-API-Key": KEY + "x"},
    "in other letters": {"Authorization": "Bearer " + KEY.upper()},
    "in another header": {"X-Analytics-Key": KEY},
    "in a cookie": {"Cookie": "key=" + KEY},
}
GOOD_KEYS = {
    "Bearer": {"Authorization": "Bearer " + KEY},
    "bearer in small letters": {"authorization": "bearer " + KEY},
    "X-API-Key": {"X-API-Key": KEY},
    "both": {"Authorization": "Bearer " + KEY, "X-API-Key": KEY},
    "a wrong Bearer, a good X-API-Key": {"Authorization": "Bearer wrong", "X-API-Key": KEY},
    "a good Bearer, a wrong X-API-Key": {"Authorization": "Bearer " + KEY, "X-API-Key": "wrong"},
}

ALLOWED = {
    LIST: "GET HEAD POST",
    LIST + "/projects": "GET HEAD",
    LIST + "/sources": "GET HEAD",
    LIST + "/unmatched": "GET HEAD",
    LIST + "/summary": "GET HEAD",
    LIST + "/1": "GET HEAD PATCH",
    "/healthz": "GET HEAD",
    "/readyz": "GET HEAD",
}

NO_PATHS = [
    "/analytics",
    "/analytics/",
    "/analytics/leads/",
    "/analytics/leads//",
    "/analytics//leads",
    "//analytics/leads",
    "/analytics/leads//1",
    "/analytics/leads/1/",
    "/analytics/leads/1//",
    "/analytics/leads/1/x",
    "/analytics/leads/projects/",
    "/analytics/leads//projects",
    "/analytics/leads/projects/x",
    "/analytics/leads/sources/",
    "/analytics/leads/unmatched/",
    "/analytics/leads/summary/",
    "/analytics/lead",
    "/analytics/Leads",
    "/Analytics/leads",
    "/analytics/%6Ceads",
    "/analytics/leads%2F1",
    "/analytics/leads;x",
    "/analytics/x",
    "/healthz/",
    "//healthz",
    "/healthz/x",
    "/readyz/",
    "//readyz",
    "/Healthz",
]

# Lead 1 is there, and so are 7 and 16: none of these is its plain number.
NO_IDS = """0 -1 +1 00 01 007 1e0 1e3 0x1 0b1 1.0 1. .1 1, 1_0 1a a1 %31 %30%31 %201 1%20 %D9%A1 1%0A 1%2F -0 +7 ''
  9223372036854775806 9223372036854775807 9223372036854775808 18446744073709551617 99999999999999999999999 null NaN Projects 1;2 1:2 * ~1"""


def wrong_key(client, headers):
    for method, path, body in GUARDED:
        client.refused(401, "secret", method, path, body, headers)
    client.refused(401, "secret", "GET", LIST + "/4711", None, headers)


def key_in_the_query(client):
    for parameter in ("key", "api_key", "X-API-Key", "Authorization", "ANALYTICS_API_KEY"):
        client.refused(401, "secret", "GET", "%s?%s=%s" % (LIST, parameter, KEY), None, {})


def good_key(client, headers):
    for method, path, body in GUARDED:
        reply = client.ask(method, path, body, headers)
        assert reply.status in (200, 201), "%s %s: %s" % (method, path, reply)


def analytics_key_is_no_webhook_secret(client):
    client.refused(401, "secret", "POST", "/webhooks/crm/lead", b'{"crm_lead_id":"c"}', RIGHT)


def not_configured(setting):
    settings = {} if setting is None else {"ANALYTICS_API_KEY": setting}
    with api_house(**settings) as (house, client):
        if setting is None:
            house.stop()
            environment = house.environment()
            assert "ANALYTICS_API_KEY" not in environment
            house.start()
        for method, path, body in GUARDED:
            for headers in ({}, RIGHT, {"X-API-Key": ""}, {"Authorization": "Bearer "}, {"X-API-Key": SECRET}):
                client.refused(503, "configured", method, path, body, headers)
        for path in HEALTH:
            assert client.ask("GET", path, None, {}).status == 200
        client.refused(405, "Method", "DELETE", LIST, None, {})
        client.refused(404, "found", "GET", LIST + "/1/", None, {})


def methods(client, path):
    for headers in (RIGHT, {}):
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "LEADLINE"):
            if method in ALLOWED[path]:
                continue
            reply = client.ask(method, path, b"{" if method in ("POST", "PUT", "PATCH") else None, headers)
            assert reply.status == 405, "%s %s: %s" % (method, path, reply)
            allow = sorted(name.strip() for name in reply.header("Allow").split(","))
            assert allow == sorted(ALLOWED[path].split()), "Allow of %s: %s" % (path, allow)


def post_to_the_webhook_alone(client):
    reply = client.ask("GET", "/webhooks/crm/lead")
    assert (reply.status, reply.header("Allow")) == (405, "POST"), reply


def no_path(client, path):
    for method in ("GET", "POST", "PATCH", "DELETE"):
        for headers in (RIGHT, {}):
            reply = client.ask(method, path, None, headers)
            assert reply.status == 404, "%s %s: %s" % (method, path, reply)


def no_id(client, text):
    text = "" if text == "''" else text
    for method, body in (("GET", None), ("PATCH", b'{"status":"changed"}')):
        reply = client.ask(method, LIST + "/" + text, body)
        assert reply.status == 404, "%s of %r: %s" % (method, text, reply)


def nothing_changed(house):
    assert house.query("SELECT Id FROM Leads WHERE Status = 'changed'") == []


def a_query_does_not_matter(client):
    for query in ("?", "?x", "?x=1&x=2", "?%zz", "?%zz=%zz", "?=", "?&&&", "?x=%00", "?x=%FF", "?limit=0"):
        assert client.ask("GET", LIST + "/1" + query).status == 200, query
        assert client.ask("GET", LIST + "/projects" + query).status == 200, query


def head(client, path, headers, status):
    """The same headers, and no body. The date may go on meanwhile."""
    headers = {**headers, "X-Request-Id": "head-1"}
    get = client.ask("GET", path, None, headers)
    head = client.ask("HEAD", path, None, headers)
    assert get.status == head.status == status, "GET %s, HEAD %s" % (get, head)
    assert get.header("Content-Length") == str(len(get.bytes)), get.headers
    assert head.bytes == b"", head
    assert [pair for pair in get.headers if pair[0] != "date"] == [pair for pair in head.headers if pair[0] != "date"], head.headers


def request_ids(client):
    for path in READS + HEALTH + [LIST + "/0", LIST + "?limit=0"]:
        assert client.ask("GET", path, None, {**RIGHT, "X-Request-Id": "my-id.7"}).header("X-Request-Id") == "my-id.7"
        for bad in ("a b", "a/b", "i" * 129, ""):
            assert client.ask("GET", path, None, {**RIGHT, "X-Request-Id": bad}).header("X-Request-Id") != bad
        assert client.ask("GET", path).header("X-Request-Id") != client.ask("GET", path).header("X-Request-Id")


def too_long(house):
    big = b" " * 1_048_577
    for method, path, _ in WRITES:
        for status, word, method, headers in ((413, "longer", method, RIGHT), (401, "secret", method, {}), (405, "Method", "PUT", {})):
            client = Client(house)
            client.refused(status, word, method, path, big, headers)
            client.close()
    client = Client(house)
    padding = b'{"email":"limit@example.com","x":"' + b"x" * (1_048_576 - 36) + b'"}'
    assert len(padding) == 1_048_576
    assert client.ask("POST", LIST, padding).status == 201


def refusals_hold_nobody_up():
    """More bodies that nobody reads than there are threads, from clients that keep their connections."""
    with api_house(LEADLINE_THREADS="2") as (house, client):
        clients = [Client(house) for _ in range(6)]
        begun = time.monotonic()
        for refused in clients:
            refused.refused(401, "secret", "POST", LIST, b" " * 1_048_577, {})
        assert client.ask("GET", "/healthz").status == 200
        for refused in clients:
            assert refused.ask("GET", "/healthz").status == 200
            refused.close()
        took = time.monotonic() - begun
        assert took < 3 * SLOW, "it took %.1f s" % took


with api_house() as (house, client):
    with house.open_db() as db:
        db.executemany("INSERT INTO Leads (Id) VALUES (?)", [(1,), (7,), (16,)])
    for name, headers in WRONG_KEYS.items():
        case("key: %s: 401 for each route" % name, wrong_key, client, headers)
    case("key: in the query: 401", key_in_the_query, client)
    for name, headers in GOOD_KEYS.items():
        case("key: %s: each route answers" % name, good_key, client, headers)
    case("key: the analytics key is not the webhook's", analytics_key_is_no_webhook_secret, client)
    for path in ALLOWED:
        case("405 with Allow: " + path, methods, client, path)
    case("405 with Allow: the webhook's is POST alone", post_to_the_webhook_alone, client)
    for path in NO_PATHS:
        case("404 for " + path, no_path, client, path)
    for text in NO_IDS.split():
        case("404 for the id " + text, no_id, client, text)
    case("404 changes nothing", nothing_changed, house)
    case("a query that nobody knows does not matter", a_query_does_not_matter, client)
    for path in READS + HEALTH + [LIST + "?limit=1", LIST + "/1?activity_limit=5"]:
        case("HEAD is GET without a body: " + path, head, client, path, RIGHT, 200)
    for path, status in ((LIST + "/0", 404), (LIST + "/x/", 404), (LIST + "?limit=0", 400)):
        case("HEAD is GET without a body: %s, %d" % (path, status), head, client, path, RIGHT, status)
    case("HEAD is GET without a body: 401", head, client, LIST, {}, 401)
    case("X-Request-Id: a good one comes back, another is replaced", request_ids, client)
    case("a body over the limit: 413, behind 405 and 401", too_long, house)
case("a body that is refused unread holds up neither its own connection nor others", refusals_hold_nobody_up)
case("key: not configured: 503 for each route, whatever is sent", not_configured, None)
case("key: configured as nothing: 503 for each route, whatever is sent", not_configured, "")
finish()
