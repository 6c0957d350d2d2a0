#!/usr/bin/env python3
"""kill -9 and SIGTERM of the service under load, again and again on one database. After each restart the API is asked: every
event that was answered 200 is there, exactly once; after SIGTERM nothing that was taken has gone unanswered."""

import json
import random
import signal
import time

from common import KEY, QUICK, SEED, SLOW, Fcgi, House, counted_case, event, finish, until
from harness import HELD, stored
from load import Load, check_kept

ROUNDS = 5 if QUICK else 100
STOPS = 3 if QUICK else 25


class Api:
    """The lead API, straight at the socket."""

    def __init__(self, house):
        self.client = Fcgi(house.socket)

    def ask(self, method, path, body=b"", query=""):
        return self.client.post(body, method=method, path=path, secret=KEY, QUERY_STRING=query)

    def get(self, path, query=""):
        answer = self.ask("GET", path, query=query)
        assert answer.status == 200, "GET %s: %d %s" % (path, answer.status, answer.body[:200])
        return json.loads(answer.body)

    def pages(self, path, query, items, cursor, next_name):
        after = ""
        while True:
            page = self.get(path, query + (after and "&%s=%s" % (cursor, after)))
            yield from page[items]
            after = page[next_name]
            if after is None:
                return

    def events_of(self, lead):
        return self.pages("/analytics/leads/%d" % lead, "activity_limit=1000", "crm_activity", "activity_cursor", "crm_activity_next")

    def held_of(self, crm_lead_id):
        return self.pages("/analytics/leads/unmatched", "limit=200&crm_lead_id=" + crm_lead_id, "unmatched", "cursor", "next_cursor")


class RoundLoad(Load):
    """Each round has a lead of its own, and an id that no lead has; some events are large, so that the log is copied back often."""

    def __init__(self, house, way, count, tag, lead, rng):
        self.lead = lead
        self.rng = rng
        super().__init__(house, way, count, tag)

    def ask(self, connection, marker, body, good):
        held = good == HELD
        crm_lead_id = ("nobody-" if held else "crm-") + self.tag.split("/")[0]
        size = self.rng.choice((0, 0, 0, 0, 0, 0, 500, 20_000, 60_000))
        body = event(crm_lead_id, marker=marker, padding="x" * size)
        return super().ask(connection, marker, body, good if held else stored(self.lead))


def new_lead(house, crm_lead_id):
    answer = Api(house).ask("POST", "/analytics/leads", json.dumps({"email": crm_lead_id + "@example.com", "crm_lead_id": crm_lead_id}).encode())
    assert answer.status == 201, "a new lead: %d %s" % (answer.status, answer.body)
    return json.loads(answer.body)["lead_id"]


def check_api(house, tag, lead, loads, counts):
    """What the API shows of one round is what its clients were told."""
    api = Api(house)
    shown = {}
    for item in (*api.events_of(lead), *api.held_of("nobody-" + tag)):
        marker = item["payload"]["marker"]
        shown[marker] = shown.get(marker, 0) + 1
    good = [marker for one in loads for marker in one.good()]
    lost = [marker for marker in good if marker not in shown]
    assert not lost, "%d events were answered 200 and are not there: %s" % (len(lost), lost[:5])
    twice = [marker for marker, count in shown.items() if count != 1]
    assert not twice, "%d events are there more than once: %s" % (len(twice), twice[:5])
    counts.add("events answered 200, each there once", len(good))
    sent = set(marker for one in loads for marker, _ in one.answered + one.unanswered)
    counts.add("more that nobody was told of", len(set(shown) - set(good)))
    strange = set(shown) - sent
    assert len(strange) <= sum(one.refused for one in loads), "events that nobody sent: %s" % sorted(strange)[:5]


def killed(counts):
    rng = random.Random(SEED)
    with House() as house:
        house.seed({})
        house.start(ANALYTICS_API_KEY=KEY, LEADLINE_LOG_LEVEL="error")
        all_loads = []
        for turn in range(ROUNDS):
            tag = "round%d" % turn
            lead = new_lead(house, "crm-" + tag)
            loads = [
                RoundLoad(house, "kept", rng.choice((1, 8, 24)), tag + "/kept", lead, rng),
                RoundLoad(house, "single", rng.choice((1, 4)), tag + "/single", lead, rng),
            ]
            wanted = rng.randrange(1, 400)
            until(30, lambda: sum(len(one.answered) for one in loads) >= wanted, "answers before the kill")
            time.sleep(rng.random() * 0.01)
            house.service.kill()
            house.service.wait()
            for one in loads:
                one.finish(10 * SLOW)
                assert not one.wrong, "seed %d: wrong answers: %s" % (SEED, one.wrong[:3])
            if rng.random() < 0.3:  # It dies once more while it starts.
                begun = house.start(ANALYTICS_API_KEY=KEY, LEADLINE_LOG_LEVEL="error") if rng.random() < 0.5 else None
                if begun is None and house.service.poll() is None:
                    time.sleep(rng.random() * 0.02)
                    house.service.kill()
                    house.service.wait()
                    counts.add("kills right after the start")
            house.start(ANALYTICS_API_KEY=KEY, LEADLINE_LOG_LEVEL="error")
            counts.add("rounds")
            check_api(house, tag, lead, loads, counts)
            all_loads += loads
        house.stop()
        check_kept(house, all_loads)


def stopped(counts):
    rng = random.Random(SEED + 1)
    with House() as house:
        house.seed({})
        all_loads = []
        for turn in range(STOPS):
            house.start(ANALYTICS_API_KEY=KEY, LEADLINE_LOG_LEVEL="error")
            if turn == 0:
                house.start_nginx()
            tag = "stop%d" % turn
            lead = new_lead(house, "crm-" + tag)
            loads = [RoundLoad(house, way, rng.choice((4, 16)), "%s/%s" % (tag, way), lead, rng) for way in ("kept", "single", "nginx")]
            wanted = rng.randrange(30, 300)
            until(30, lambda: sum(len(one.answered) for one in loads) >= wanted, "answers before SIGTERM")
            house.service.send_signal(rng.choice((signal.SIGTERM, signal.SIGINT)))
            house.await_end(10)
            for one in loads:
                one.finish(10 * SLOW)
                assert not one.wrong, "seed %d: wrong answers: %s" % (SEED, one.wrong[:3])
                assert not one.unanswered, "seed %d: %d requests were taken and not answered: %s" % (SEED, len(one.unanswered), one.unanswered[:3])
            counts.add("rounds")
            house.start(ANALYTICS_API_KEY=KEY, LEADLINE_LOG_LEVEL="error")
            check_api(house, tag, lead, loads, counts)
            house.stop()
            all_loads += loads
        check_kept(house, all_loads)


print("# seed %d" % SEED, flush=True)
counted_case("kill -9 under load", killed)
counted_case("SIGTERM under load", stopped)
finish()
