"""Many clients that post numbered events until they are told to stop or the service is gone, and what they saw."""

import http.client
import json
import threading
import time

from harness import HELD, Fcgi, Http, event, stored

LEAD = {1: "crm-1"}


class Load:
    """`count` clients, each on a thread of its own. way: "nginx", "kept" or "single" (straight, a connection a request)."""

    def __init__(self, house, way, count, tag):
        self.house = house
        self.way = way
        self.tag = tag
        self.answered = []  # (marker, status): as many as came back whole.
        self.unanswered = []  # (marker, why): sent whole, and then nothing or half an answer.
        self.wrong = []  # Answers that nobody should ever see.
        self.refused = 0  # Connections or requests that were not taken: the client knows that nothing has happened.
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.client, args=(number,), daemon=True) for number in range(count)]
        for thread in self.threads:
            thread.start()

    def client(self, number):
        connection = None
        for turn in range(1_000_000):
            if self.stopping.is_set():
                break
            marker = "%s-%d-%d" % (self.tag, number, turn)
            if connection is None:
                try:
                    connection = self.connect()
                except OSError:
                    self.refused += 1
                    break
            # Each fourth event is one that no lead has: held ones have to be there as well.
            body = event("crm-1" if turn % 4 else "nobody", marker=marker)
            if not self.ask(connection, marker, body, stored(1) if turn % 4 else HELD):
                break
            if self.way == "single":
                connection.close()
                connection = None
        if connection is not None:
            connection.close()

    def connect(self):
        if self.way != "nginx":
            return Fcgi(self.house.socket, keep=self.way == "kept")
        client = Http(self.house.port)
        client.connection.connect()
        return client

    def ask(self, connection, marker, body, good):
        """Returns whether to go on."""
        sent = self.way == "nginx"  # It takes everything, and has to answer it all.
        try:
            if self.way == "nginx":
                answer = connection.post(body)
            else:
                connection.send(body)
                sent = True
                answer = connection.answer()
        except (OSError, http.client.HTTPException) as error:
            if sent:
                self.unanswered.append((marker, repr(error)))
            else:
                self.refused += 1
            return False
        self.answered.append((marker, answer.status))
        if answer.status == 200:
            if answer.body != good:
                self.wrong.append((marker, answer.status, answer.body))
            return True
        # The end of the service as its clients may see it: JSON that says when to come back.
        ok = answer.status in (502, 503) and answer.headers.get("retry-after", "").isdigit()
        try:
            ok = ok and json.loads(answer.body)["ok"] is False
        except ValueError:
            ok = False
        if not ok:
            self.wrong.append((marker, answer.status, answer.body))
        return False

    def good(self):
        """The markers that were answered with 200."""
        return [marker for marker, status in self.answered if status == 200]

    def finish(self, seconds):
        """Waits for the clients; one that still waits for an answer then has been left hanging."""
        self.stopping.set()
        deadline = time.monotonic() + seconds
        for thread in self.threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        hanging = sum(thread.is_alive() for thread in self.threads)
        assert hanging == 0, "%d clients got no answer within %g s" % (hanging, seconds)


def kept_events(house):
    """How often each marker is in the database."""
    counts = {}
    for (payload,) in house.query("SELECT PayloadJson FROM LeadCrmActivity UNION ALL SELECT PayloadJson FROM UnmatchedCrmEvents"):
        marker = json.loads(payload)["marker"]
        counts[marker] = counts.get(marker, 0) + 1
    return counts


def check_kept(house, loads):
    """What was answered 200 is there once, and nothing is there twice."""
    counts = kept_events(house)
    lost = [marker for load in loads for marker in load.good() if marker not in counts]
    assert not lost, "%d events were answered 200 and are not there: %s" % (len(lost), lost[:5])
    twice = [marker for marker, count in counts.items() if count != 1]
    assert not twice, "%d events are there more than once: %s" % (len(twice), twice[:5])
    check = house.query("PRAGMA integrity_check")
    assert check == [("ok",)], "integrity_check: %s" % check
