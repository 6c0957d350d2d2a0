"""What the tests of the lead API share: a house with a key and nginx in front, and a client that checks each answer's headers."""

import contextlib
import http.client
import json
import re
import threading
import urllib.parse

from harness import HELD, SECRET, SLOW, House, event, stored

KEY = "analytics-Key_1~+/="
LIST = "/analytics/leads"
TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
ERROR = re.compile(r'\{"ok":false,"error":"(?:[^"\\]|\\.)+"\}')
RIGHT = {"Authorization": "Bearer " + KEY}


class Reply:
    """An answer. Its body has to be valid UTF-8, and JSON where it is looked into."""

    def __init__(self, response):
        self.status = response.status
        self.headers = [(name.lower(), value) for name, value in response.getheaders()]
        self.bytes = response.read()

    def header(self, name):
        """The header's value; it stands once or not at all."""
        values = [value for given, value in self.headers if given == name.lower()]
        assert len(values) <= 1, "%s stands %d times: %s" % (name, len(values), values)
        return values[0] if values else None

    @property
    def text(self):
        return self.bytes.decode("utf-8", "strict")

    @property
    def json(self):
        return json.loads(self.text)

    @property
    def error(self):
        assert ERROR.fullmatch(self.text), "not an error's shape: " + self.text[:200]
        return self.json["error"]

    def __str__(self):
        return "%d %s" % (self.status, self.bytes[:300])


class Client:
    """One kept connection to nginx. Each answer's headers are checked: contract, section 5."""

    def __init__(self, house, timeout=30):
        self.connection = http.client.HTTPConnection("127.0.0.1", house.port, timeout=timeout * SLOW)

    def ask(self, method, target, body=None, headers=None):
        """One request; `headers` stand for the right key where they are not given. A value may be bytes."""
        self.connection.request(method, target, body, RIGHT if headers is None else headers)
        reply = Reply(self.connection.getresponse())
        for name, wanted in (
            ("Content-Type", "application/json; charset=utf-8"),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
        ):
            assert reply.header(name) == wanted, "%s of %s %s is %r: %s" % (name, method, target, reply.header(name), reply)
        assert re.fullmatch(r"[A-Za-z0-9._-]{1,128}", reply.header("X-Request-Id") or ""), "X-Request-Id: %s" % reply.headers
        if reply.status == 401:
            assert reply.header("WWW-Authenticate") == "Bearer", "no WWW-Authenticate: %s" % reply.headers
        if reply.status == 405:
            assert reply.header("Allow"), "no Allow: %s" % reply.headers
        if reply.status == 503:
            assert re.fullmatch(r"[1-9][0-9]*", reply.header("Retry-After") or ""), "Retry-After: %s" % reply.headers
        if reply.status >= 400 and method != "HEAD":
            assert reply.error
        return reply

    def get(self, path, **parameters):
        """GET, which has to be 200; returns the JSON."""
        reply = self.ask("GET", target_of(path, parameters))
        assert reply.status == 200, "GET %s: %s" % (target_of(path, parameters), reply)
        return reply.json

    def send(self, method, path, status, /, **fields):
        """A JSON object, which has to be answered with this status; returns the JSON."""
        reply = self.ask(method, path, json.dumps(fields).encode())
        assert reply.status == status, "%s %s %s: %s" % (method, path, fields, reply)
        return reply.json

    def refused(self, status, word, method, target, body=None, headers=None):
        """It has to get this status, and the word has to stand in the error as a word of its own."""
        reply = self.ask(method, target, body, headers)
        assert reply.status == status, "%s %s %.100r: %s" % (method, target, body, reply)
        assert re.search(r"(?<!\w)%s(?!\w)" % re.escape(word), reply.error), "%s %s: %r does not name %s" % (method, target, reply.error, word)

    def webhook(self, body, **headers):
        """An event, as the CRM sends it."""
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        head = {"Authorization": "Bearer " + SECRET, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return self.ask("POST", "/webhooks/crm/lead", body, head)

    def happens(self, lead, crm_lead_id, **more):
        """An event that has to be stored for the lead."""
        reply = self.webhook(event(crm_lead_id, **more))
        assert (reply.status, reply.bytes) == (200, stored(lead)), "event of %s: %s" % (crm_lead_id, reply)

    def hold(self, crm_lead_id, **more):
        """An event that no lead has. Returns how the list of held ones shows it."""
        reply = self.webhook(event(crm_lead_id, **more))
        assert (reply.status, reply.bytes) == (200, HELD), "event of %s: %s" % (crm_lead_id, reply)
        return self.get(LIST + "/unmatched", crm_lead_id=crm_lead_id)["unmatched"][0]

    def pages(self, path, items, next_name="next_cursor", cursor_name="cursor", **parameters):
        """All pages of a list, one after the other."""
        seen = set()
        while True:
            page = self.get(path, **parameters)
            yield page[items]
            cursor = page[next_name]
            if cursor is None:
                return
            assert isinstance(cursor, str) and cursor and cursor not in seen, "the cursor %r comes again" % cursor
            seen.add(cursor)
            parameters[cursor_name] = cursor

    def all(self, path, items, **more):
        return [item for page in self.pages(path, items, **more) for item in page]

    def close(self):
        self.connection.close()


def target_of(path, parameters):
    return path + ("?" + urllib.parse.urlencode(parameters) if parameters else "")


def ids(items):
    return [item["id"] for item in items]


@contextlib.contextmanager
def api_house(**settings):
    """A house that is open: (house, client). The service has to end well at the end, as each house's does."""
    with House() as house:
        house.seed({})
        house.start(**{"ANALYTICS_API_KEY": KEY, **settings})
        house.start_nginx()
        client = Client(house)
        yield house, client
        client.close()
        house.stop()


def together(count, function):
    """Runs function(0), function(1)… at the same instant, each on a thread of its own, and returns what they returned."""
    results = [None] * count
    step = threading.Barrier(count)

    def run(number):
        try:
            step.wait(30 * SLOW)
            results[number] = function(number)
        except Exception as error:
            results[number] = error

    threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60 * SLOW)
    for result in results:
        assert result is not None and not isinstance(result, Exception), "one of %d: %r" % (count, result)
    return results
