#!/usr/bin/env python3
"""POST /webhooks/crm/lead is safe to repeat: Idempotency-Key or webhook-id."""

import subprocess

from harness import BIN, HELD, PATH, SECRET, SLOW, case, event, finish, stored
from leads import LIST, Client, api_house, together

NAMES = ("Idempotency-Key", "webhook-id")
REPEATED = stored(1)[:-1] + b',"duplicate":true}'
HELD_REPEATED = HELD[:-1] + b',"duplicate":true}'


def send(client, key, body=None, name="Idempotency-Key"):
    reply = client.ask("POST", PATH, body or event("crm-1"), {"Authorization": "Bearer " + SECRET, name: key})
    return reply.status, reply.bytes


def rows(house):
    """Events, held events, keys."""
    return house.query(
        "SELECT (SELECT count(*) FROM LeadCrmActivity), (SELECT count(*) FROM UnmatchedCrmEvents), (SELECT count(*) FROM WebhookKeys)"
    )[0]


class Grown:
    """Within it so many rows are added, and no other."""

    def __init__(self, house, events=0, held=0, keys=0):
        self.house = house
        self.wanted = (events, held, keys)

    def __enter__(self):
        self.before = rows(self.house)

    def __exit__(self, kind, *why):
        if kind is None:
            grown = tuple(after - before for after, before in zip(rows(self.house), self.before))
            assert grown == self.wanted, "(events, held, keys) grew by %s, not %s" % (grown, self.wanted)


def repeated(client, house, name):
    with Grown(house, events=1, keys=1):
        assert send(client, "first-" + name, name=name) == (200, stored(1))
        for _ in range(3):
            assert send(client, "first-" + name, name=name) == (200, REPEATED)
        # Another body under the key adds nothing either, be its lead known or not.
        assert send(client, "first-" + name, event("crm-2", note="other"), name) == (200, REPEATED)
        assert send(client, "first-" + name, event("nobody"), name) == (200, REPEATED)
    assert house.query("SELECT count(*) FROM LeadCrmActivity WHERE CrmLeadId = 'crm-2'") == [(0,)]


def one_space(client, house):
    """A key is the same key under either name."""
    with Grown(house, events=1, keys=1):
        assert send(client, "shared", name="webhook-id") == (200, stored(1))
        assert send(client, "shared", name="Idempotency-Key") == (200, REPEATED)


def other_keys(client, house):
    with Grown(house, events=4, keys=4):
        for key in ("k1", "k2", "K1", "k1."):
            assert send(client, key) == (200, stored(1)), key


def without_a_key(client, house):
    with Grown(house, events=3):
        for _ in range(3):
            reply = client.webhook(event("crm-1"))
            assert (reply.status, reply.bytes) == (200, stored(1)), reply


def unmatched(client, house):
    with Grown(house, held=1, keys=1):
        assert send(client, "held", event("later")) == (200, HELD)
        assert send(client, "held", event("later")) == (200, HELD_REPEATED)
    # Answered like the first, also once the lead is there; the one event is the lead's.
    with house.open_db() as db:
        db.execute("INSERT INTO Leads (Id, CrmLeadId) VALUES (9, 'later')")
    with Grown(house):
        assert send(client, "held", event("later")) == (200, HELD_REPEATED)
    assert len(client.get(LIST + "/9")["crm_activity"]) == 1


GOOD_KEYS = ["x", "!", "~", "k" * 255, "".join(map(chr, range(33, 127))), "5f0c7a52-3c1f-4b7e-9a53-0f7f5d0a1c55", "0", "null", "%00"]
BAD_KEYS = ["k" * 256, "k" * 3000, "a b", "a\tb", "\xe9".encode(), b"\xff", b"a\x7f", "é".encode()]


def good_key(client, house, name, key):
    # Of its own for each name: they are the same keys.
    key = key[:254] + name[0] if len(key) > 1 else key + name
    with Grown(house, events=1, keys=1):
        assert send(client, key, name=name) == (200, stored(1))
        assert send(client, key, name=name) == (200, REPEATED)


def bad_key(client, house, name, key):
    with Grown(house):
        client.refused(400, name, "POST", PATH, event("crm-1"), {"Authorization": "Bearer " + SECRET, name: key})


def bad_events_use_no_key(client, house):
    """What is refused has not happened: the same key with a good event is new."""
    with Grown(house):
        assert send(client, "unused", b"{")[0] == 400
        assert send(client, "unused", b'{"crm_lead_id":""}')[0] == 400
        assert client.ask("POST", PATH, event("crm-1"), {"Authorization": "Bearer wrong", "Idempotency-Key": "unused"}).status == 401
        assert client.ask("PUT", PATH, event("crm-1"), {"Authorization": "Bearer " + SECRET, "Idempotency-Key": "unused"}).status == 405
    with Grown(house, events=1, keys=1):
        assert send(client, "unused") == (200, stored(1))


def at_once(house, body, first, again, grown):
    """In one burst, so that several come to the same transaction."""
    clients = [Client(house) for _ in range(24)]
    for turn in range(4):
        with Grown(house, keys=1, **grown):
            key = "burst-%d-%s" % (turn, next(iter(grown)))
            answers = together(24, lambda number, key=key: send(clients[number], key, body, NAMES[turn % 2]))
        assert sorted(answers) == sorted([(200, first)] + [(200, again)] * 23), set(answers)


def many_at_once(house):
    """Eight keys, each three times, in one burst."""
    clients = [Client(house) for _ in range(24)]
    with Grown(house, events=8, keys=8):
        answers = together(24, lambda number: send(clients[number], "mixed-%d" % (number % 8)))
    for key in range(8):
        assert sorted(answers[key::8]) == sorted([(200, stored(1)), (200, REPEATED), (200, REPEATED)]), answers[key::8]


def age(house, key, days):
    with house.open_db() as db:
        change = "UPDATE WebhookKeys SET ReceivedAt = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', ?) WHERE Key = ?"
        changed = db.execute(change, ("-%g days" % days, key)).rowcount
        assert changed == 1, "%d keys" % changed


def old_key(client, house):
    with Grown(house, events=1, keys=1):
        assert send(client, "aged") == (200, stored(1))
    with Grown(house):
        age(house, "aged", 29.99)
        assert send(client, "aged") == (200, REPEATED)
    age(house, "aged", 30.01)
    with Grown(house, events=1):
        again = send(client, "aged")
        assert again == (200, stored(1)), again
        # From now on it is known again, for another 30 days.
        assert send(client, "aged") == (200, REPEATED)
    age(house, "aged", 31)
    with Grown(house, held=1):
        assert send(client, "aged", event("somebody")) == (200, HELD)
        assert send(client, "aged", event("crm-1")) == (200, HELD_REPEATED)


def after_a_restart(client, house):
    with Grown(house, events=1, keys=1):
        assert send(client, "restart") == (200, stored(1))
        house.stop()
        house.start()
        assert send(Client(house), "restart") == (200, REPEATED)


def by_cgi(house):
    body = event("crm-1")

    def run(variable):
        environment = house.environment(
            GATEWAY_INTERFACE="CGI/1.1",
            REQUEST_METHOD="POST",
            REQUEST_URI=PATH,
            CONTENT_LENGTH=str(len(body)),
            HTTP_X_API_KEY=SECRET,
            **{variable: "cgi"},
        )
        done = subprocess.run([BIN], env=environment, input=body, capture_output=True, check=True, timeout=60 * SLOW)
        return done.stdout.partition(b"\r\n\r\n")[2]

    with Grown(house, events=1, keys=1):
        assert run("HTTP_IDEMPOTENCY_KEY") == stored(1)
        assert run("HTTP_IDEMPOTENCY_KEY") == REPEATED


with api_house() as (house, client):
    with house.open_db() as db:
        db.execute("INSERT INTO Leads (Id, CrmLeadId) VALUES (1, 'crm-1'), (2, 'crm-2')")
    for name in NAMES:
        case("key: %s: the second adds nothing and says duplicate" % name, repeated, client, house, name)
        for key in GOOD_KEYS:
            case("key: %s is good: %.40s" % (name, key), good_key, client, house, name, key)
        for key in BAD_KEYS:
            case("key: %s of %d bytes is bad: %.40r" % (name, len(key), key), bad_key, client, house, name, key)
    case("key: the same under either name", one_space, client, house)
    case("key: other keys are other events", other_keys, client, house)
    case("key: without one every event is stored", without_a_key, client, house)
    case("key: of an event that no lead has", unmatched, client, house)
    case("key: what is refused uses none", bad_events_use_no_key, client, house)
    case("key: 24 at once: one row", at_once, house, event("crm-1"), stored(1), REPEATED, {"events": 1})
    case("key: 24 at once that no lead has: one row", at_once, house, event("at-once"), HELD, HELD_REPEATED, {"held": 1})
    case("key: eight keys at once, each three times", many_at_once, house)
    case("key: known for 30 days", old_key, client, house)
    case("key: known after a restart", after_a_restart, client, house)
    case("key: CGI knows it, too", by_cgi, house)
finish()
