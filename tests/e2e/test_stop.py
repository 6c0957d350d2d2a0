#!/usr/bin/env python3
"""SIGTERM: what is in flight is answered, what was answered is in the database, and the end comes in time."""

import re
import signal
import time

from harness import HELD, SLOW, Fcgi, House, case, event, finish, stored, until
from load import LEAD, Load, check_kept


def stop_under_load(way):
    with House() as house:
        house.seed(LEAD)
        house.start()
        if way == "nginx":
            house.start_nginx()
        load = Load(house, way, 32, way)
        until(20, lambda: len(load.answered) >= 500, "500 answers before the signal")
        house.service.terminate()
        house.await_end(10)
        load.finish(10 * SLOW)
        house.check_log()
        assert not load.wrong, "%d wrong answers: %s" % (len(load.wrong), load.wrong[:3])
        assert not load.unanswered, "%d requests were taken and not answered: %s" % (len(load.unanswered), load.unanswered[:3])
        if way == "nginx":
            check_nginx_log(house)
        check_kept(house, [load])


def check_nginx_log(house):
    """A connection or a write may have been refused to nginx, but no request that it had handed over was dropped."""
    refusal = re.compile(r"connect\(\) to .* failed|\(32: Broken pipe\) while sending request to upstream")
    with open(house.dir + "/nginx-error.log", encoding="utf-8", errors="replace") as log:
        bad = [line for line in log if "upstream" in line and not refusal.search(line)]
    assert not bad, "%d requests that nginx had handed over were dropped: %s" % (len(bad), bad[0][:300])


def locked_house(house):
    """A service whose database another program has locked, with an event that waits for it."""
    house.seed(LEAD)
    house.start(LEADLINE_THREADS="2")
    client = Fcgi(house.socket)
    assert client.post(event("crm-1", marker="before")).status == 200
    return client


def stop_while_an_event_waits():
    with House() as house, house.open_db() as other:
        client = locked_house(house)
        other.execute("BEGIN IMMEDIATE")
        client.send(event("crm-1", marker="waits"))
        # Whether the service has taken it in shows nowhere; the answers of the same threads come after it.
        assert Fcgi(house.socket).post(b"{}", secret="wrong").status == 401
        house.service.terminate()
        until(10, lambda: refuses_connections(house), "no new connection is taken")
        other.execute("ROLLBACK")
        answer = client.answer()
        assert (answer.status, answer.body) == (200, stored(1)), (answer.status, answer.body)
        house.await_end(10)
        house.check_log()
        assert house.query("SELECT count(*) FROM LeadCrmActivity") == [(2,)]


def refuses_connections(house):
    try:
        Fcgi(house.socket).close()
    except OSError:
        return True
    return False


def stop_while_locked_for_good():
    with House() as house, house.open_db() as other:
        client = locked_house(house)
        other.execute("BEGIN IMMEDIATE")
        client.send(event("crm-1", marker="waits"))
        assert Fcgi(house.socket).post(b"{}", secret="wrong").status == 401
        house.service.terminate()
        answer = client.answer()
        assert answer.status == 503 and answer.headers["retry-after"].isdigit(), (answer.status, answer.headers)
        house.await_end(10)
        house.check_log()
        other.execute("ROLLBACK")
        assert house.query("SELECT count(*) FROM LeadCrmActivity") == [(1,)], "an event that was refused is in the database"


def second_signal():
    with House() as house, house.open_db() as other:
        client = locked_house(house)
        other.execute("BEGIN IMMEDIATE")
        client.send(event("crm-1", marker="waits"))
        assert Fcgi(house.socket).post(b"{}", secret="wrong").status == 401
        house.service.terminate()
        until(10, lambda: refuses_connections(house), "no new connection is taken")
        assert house.service.poll() is None, "it ended with an event in flight"
        house.service.terminate()
        begun = time.monotonic()
        code = house.service.wait(10 * SLOW)
        assert time.monotonic() - begun < 1 * SLOW, "it took %.1f s" % (time.monotonic() - begun)
        assert code != 0, "an end that left an event unanswered must not look like a good one"


def stop_idle(number):
    with House() as house:
        house.seed(LEAD)
        house.start()
        idle = [Fcgi(house.socket) for _ in range(20)]
        for client in idle:
            assert client.post(event("nobody")).body == HELD
        begun = time.monotonic()
        house.service.send_signal(number)
        house.await_end(10)
        # Nothing is in flight: nothing to wait for.
        assert time.monotonic() - begun < 4 * SLOW, "it took %.1f s" % (time.monotonic() - begun)
        house.check_log()


def stop_with_half_a_request():
    with House() as house:
        house.seed(LEAD)
        house.start(LEADLINE_THREADS="2")
        halves = [Fcgi(house.socket) for _ in range(4)]
        for number, client in enumerate(halves):
            body = event("crm-1", marker="half")
            # Only the params; or also some of the body.
            client.socket.sendall(client.head(length=len(body)) + (b"" if number % 2 else client.record(5, body[:10])))
        assert Fcgi(house.socket).post(b"{}", secret="wrong").status == 401
        house.service.terminate()
        house.await_end(10)
        house.check_log()
        assert house.query("SELECT count(*) FROM LeadCrmActivity") == [(0,)]


case("SIGTERM under load through nginx", stop_under_load, "nginx")
case("SIGTERM under load, kept connections straight to the service", stop_under_load, "kept")
case("SIGTERM under load, a connection for each request", stop_under_load, "single")
case("SIGTERM while an event waits for a lock: it is stored and answered first", stop_while_an_event_waits)
case("SIGTERM while the database is locked for good: 503, and the end within 10 s", stop_while_locked_for_good)
case("a second SIGTERM ends at once", second_signal)
case("SIGTERM with 20 idle kept connections ends soon", stop_idle, signal.SIGTERM)
case("SIGINT is as SIGTERM", stop_idle, signal.SIGINT)
case("SIGTERM with requests that never become whole", stop_with_half_a_request)
finish()
