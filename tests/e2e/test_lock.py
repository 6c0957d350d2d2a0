#!/usr/bin/env python3
"""Another program holds the database: events wait, then are stored; in the end they are refused, and nothing is half done."""

import os
import subprocess
import threading
import time

from harness import BIN, PATH, SECRET, SLOW, Fcgi, House, Http, case, event, finish, skip, stored
from load import LEAD

HOLD_S = 2.0


def in_parallel(count, function):
    results = [None] * count

    def run(number):
        try:
            results[number] = function(number)
        except Exception as error:
            results[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    return threads, results


def join(threads):
    for thread in threads:
        thread.join(60 * SLOW)


def events_wait():
    with House() as house, house.open_db() as other:
        house.seed(LEAD)
        house.start(LEADLINE_THREADS="2")
        house.start_nginx()
        other.execute("BEGIN IMMEDIATE")
        begun = time.monotonic()
        threads, results = in_parallel(8, lambda number: Http(house.port).post(event("crm-1", marker="m%d" % number)))
        # Meanwhile, with more events waiting than there are threads, others are answered: no thread waits for the disk.
        time.sleep(HOLD_S / 2)  # The point is that they have had the time to block.
        asked = time.monotonic()
        assert Http(house.port).post(b"{}", secret="wrong").status == 401
        assert Http(house.port).post(b"{").status == 400
        took = time.monotonic() - asked
        assert took < 0.5 * SLOW, "a 401 and a 400 took %.1f s while events waited" % took
        time.sleep(max(0.0, begun + HOLD_S - time.monotonic()))
        assert not any(results), "answered while the database was locked: %s" % [r for r in results if r][:1]
        other.execute("COMMIT")
        join(threads)
        for result in results:
            assert not isinstance(result, Exception) and result is not None, "no answer: %r" % result
            assert (result.status, result.body) == (200, stored(1)), (result.status, result.body)
        assert house.query("SELECT count(DISTINCT PayloadJson), count(*) FROM LeadCrmActivity") == [(8, 8)]
        house.stop()


def events_wait_as_cgi():
    with House() as house, house.open_db() as other:
        house.seed(LEAD)
        other.execute("BEGIN IMMEDIATE")
        threads, results = in_parallel(4, lambda number: cgi(house, event("crm-1", marker="m%d" % number)))
        time.sleep(HOLD_S)
        assert not any(results), "answered while the database was locked: %s" % [r for r in results if r][:1]
        other.execute("COMMIT")
        join(threads)
        for result in results:
            assert isinstance(result, bytes) and result.startswith(b"Status: 200 ") and result.endswith(stored(1)), result
        assert house.query("SELECT count(DISTINCT PayloadJson), count(*) FROM LeadCrmActivity") == [(4, 4)]


def start_waits():
    """A service that is started while another program writes must not give up at once."""
    with House() as house, house.open_db() as other:
        house.seed(LEAD)
        other.execute("BEGIN IMMEDIATE")
        threads, results = in_parallel(1, lambda number: house.start())
        time.sleep(HOLD_S)  # The point is that it has had the time to give up.
        other.execute("COMMIT")
        join(threads)
        assert results[0] is None, "it did not start: %s" % results[0]
        assert house.service.poll() is None, "it ended with code %d: %s" % (house.service.returncode, house.log_text()[-300:])
        assert Fcgi(house.socket).post(event("crm-1")).status == 200
        house.stop()


def cgi(house, body):
    """One CGI request; the whole output."""
    environment = house.environment(
        GATEWAY_INTERFACE="CGI/1.1",
        REQUEST_METHOD="POST",
        REQUEST_URI=PATH,
        CONTENT_LENGTH=str(len(body)),
        HTTP_AUTHORIZATION="Bearer " + SECRET,
    )
    return subprocess.run([BIN], env=environment, input=body, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True, timeout=60 * SLOW).stdout


def locked_too_long():
    """The service and CGI at the same time, since it takes as long as it takes."""
    with House() as house, house.open_db() as other:
        house.seed(LEAD)
        house.start()
        house.start_nginx()
        other.execute("BEGIN IMMEDIATE")
        begun = time.monotonic()

        def ask(number):
            body = event("crm-1", marker="m%d" % number)
            result = cgi(house, body) if number == 0 else Http(house.port).post(body)
            return result, time.monotonic() - begun

        threads, results = in_parallel(4, ask)
        join(threads)
        for result in results:
            assert isinstance(result, tuple), "no answer: %r" % result
            assert result[1] <= 15 * SLOW, "the answer took %.1f s" % result[1]
        output = results[0][0]
        assert output.startswith(b"Status: 503 ") and b"\r\nRetry-After: " in output, output
        for answer, _ in results[1:]:
            assert answer.status == 503 and answer.headers["retry-after"].isdigit(), (answer.status, answer.headers)
            assert answer.body.startswith(b'{"ok":false,"error":"'), answer.body
        other.execute("COMMIT")
        answer = Http(house.port).post(event("crm-1", marker="after"))
        assert (answer.status, answer.body) == (200, stored(1)), (answer.status, answer.body)
        rows = house.query("SELECT count(*) FROM LeadCrmActivity")
        assert rows == [(1,)], "refused events are in the database: %s" % rows
        house.stop()


def queue_is_bounded():
    """64 MiB of events while nothing can be written: the memory has an end, and who is refused is told so at once."""
    with House() as house, house.open_db() as other:
        house.seed(LEAD)
        house.start()
        other.execute("BEGIN IMMEDIATE")
        padding = "x" * 1_000_000
        threads, results = in_parallel(64, lambda number: Fcgi(house.socket).post(event("crm-1", marker=number, padding=padding)))
        deadline = time.monotonic() + 10 * SLOW
        while not any(results) and time.monotonic() < deadline:
            time.sleep(0.01)
        early = [result for result in results if result is not None]
        other.execute("COMMIT")
        join(threads)
        assert early, "nobody was refused while 64 MiB waited for the disk"
        for result in results:
            assert result is not None and not isinstance(result, Exception), "no answer: %r" % result
            assert result.status in (200, 503), (result.status, result.body)
            assert result.status == 200 or result.headers["retry-after"].isdigit()
        assert all(result.status == 503 for result in early), [result.status for result in early]
        good = sum(result.status == 200 for result in results)
        assert good > 0 and house.query("SELECT count(*) FROM LeadCrmActivity") == [(good,)]
        house.stop()


def readers_do_not_block():
    with House() as house, house.open_db() as other:
        house.seed(LEAD)
        house.start()
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM LeadCrmActivity").fetchall()
        client = Fcgi(house.socket)
        begun = time.monotonic()
        # Enough for several checkpoints, none of which can finish while the reader holds its snapshot.
        for number in range(300):
            answer = client.post(event("crm-1", padding="x" * 20_000))
            assert answer.status == 200, "event %d: %d %s" % (number, answer.status, answer.body)
        took = time.monotonic() - begun
        assert other.execute("SELECT count(*) FROM LeadCrmActivity").fetchall() == [(0,)], "the snapshot has moved"
        other.execute("COMMIT")
        assert took < 15 * SLOW, "300 events took %.1f s beside a reader" % took
        assert house.query("SELECT count(*) FROM LeadCrmActivity") == [(300,)]
        house.stop()


case("a lock of 2 s: events wait and are stored, other requests do not wait", events_wait)
case("a lock of 2 s: CGI requests wait and are stored", events_wait_as_cgi)
case("a lock of 2 s: a start waits", start_waits)
case("a long read of another program blocks no event", readers_do_not_block)
case("a lock and 64 MiB of events: the queue has an end", queue_is_bounded)
if os.environ.get("LEADLINE_QUICK"):
    skip("a lock that stays: 503 within 15 s, and recovery", "LEADLINE_QUICK is set")
else:
    case("a lock that stays: 503 within 15 s, and recovery", locked_too_long)
finish()
