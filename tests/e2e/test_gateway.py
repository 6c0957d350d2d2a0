#!/usr/bin/env python3
"""The service spoken to directly in FastCGI: what nginx would never send, or not so."""

import os
import socket
import struct
import subprocess
import threading
import time

from harness import BEGIN, BIN, HELD, PARAMS, PATH, SECRET, SLOW, STDIN, Fcgi, House, case, event, finish, free_port, stored, until
from load import LEAD

QUICK_S = 2.0


def quickly(function):
    begun = time.monotonic()
    result = function()
    took = time.monotonic() - begun
    assert took < QUICK_S * SLOW, "it took %.1f s" % took
    return result


def still_serves(house):
    answer = quickly(lambda: Fcgi(house.socket).post(event("crm-1")))
    assert (answer.status, answer.body) == (200, stored(1)), (answer.status, answer.body)


def refused_unread(house, status, **request):
    """The answer comes though the body does not go on. (A short one may be waited for: that costs no thread.)"""
    client = Fcgi(house.socket)
    client.socket.sendall(client.head(**request) + client.record(STDIN, b"x" * 40_000))
    answer = quickly(lambda: client.answer(to_the_end=False))
    assert answer.status == status, (answer.status, answer.body)
    client.close()
    still_serves(house)


def unread_as_cgi(house):
    """The same of CGI: standard input stays open and silent."""
    environment = house.environment(
        GATEWAY_INTERFACE="CGI/1.1", REQUEST_METHOD="POST", REQUEST_URI=PATH, CONTENT_LENGTH="1000", HTTP_AUTHORIZATION="Bearer wrong"
    )
    program = subprocess.Popen([BIN], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        # The answer is complete while the body has not even begun. (The program itself may stay to take in the body: some
        # servers, fcgiwrap among them, make an error of a script that does not.)
        output = quickly(lambda: read_answer(program.stdout))
        assert output.startswith(b"Status: 401 "), output
        program.stdin.close()
        assert program.wait(QUICK_S * SLOW) == 0
    finally:
        program.kill()
        program.wait()
        program.stdout.close()


def read_answer(stream):
    """Head and body as far as Content-Length says."""
    output = b""
    for line in stream:
        output += line
        if line == b"\r\n":
            break
    length = next(int(line.split(b":")[1]) for line in output.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    return output + stream.read(length)


def a_body_after_its_refusal(house):
    """A client that sends its body although it is refused gets its answer, and the service stays in step."""
    client = Fcgi(house.socket)
    answer = client.post(b"x" * 200_000, secret="wrong")
    assert answer.status == 401, answer.status
    still_serves(house)


def many_on_one_connection(house):
    client = Fcgi(house.socket)
    for turn in range(100):
        if turn % 10 == 3:
            assert client.post(b"", secret="wrong").status == 401
        else:
            answer = client.post(event("crm-1", turn=turn))
            assert (answer.status, answer.body) == (200, stored(1)), (turn, answer.status)


def small_records(house):
    client = Fcgi(house.socket)
    body = event("crm-1", text="é😀" * 50)
    records = b"".join(client.record(STDIN, body[at : at + 1]) for at in range(len(body)))
    client.socket.sendall(client.head(length=len(body)) + records + client.record(STDIN, b""))
    assert client.answer().body == stored(1)
    assert house.query("SELECT CAST(PayloadJson AS BLOB) FROM LeadCrmActivity ORDER BY Id DESC LIMIT 1") == [(body,)]


def params_in_pieces(house):
    """Params may be cut anywhere, also inside of a length."""
    client = Fcgi(house.socket)
    body = event("crm-1")
    params = {"REQUEST_METHOD": "POST", "REQUEST_URI": PATH, "HTTP_X_API_KEY": SECRET, "CONTENT_LENGTH": str(len(body)), "LONG": "x" * 300}
    packed = b"".join(client.pair(name.encode(), value.encode()) for name, value in params.items())
    client.socket.sendall(client.record(BEGIN, struct.pack(">BB5x", 0, 1) + b"\0"))
    for at in range(0, len(packed), 7):
        client.socket.sendall(client.record(PARAMS, packed[at : at + 7]))
    client.socket.sendall(client.record(PARAMS, b"") + client.body(body))
    assert client.answer().status == 200


def length_lies(house, length, body, statuses):
    before = house.query("SELECT count(*) FROM LeadCrmActivity")
    client = Fcgi(house.socket)
    client.socket.sendall(client.head(CONTENT_LENGTH=length) + client.body(body))
    answer = quickly(client.answer)
    assert answer.status in statuses, (answer.status, answer.body)
    assert house.query("SELECT count(*) FROM LeadCrmActivity") == before, "half a body was stored"
    client.close()
    still_serves(house)


def broken_off(house):
    """Clients that go away at every point of a request."""
    before = house.query("SELECT count(*) FROM LeadCrmActivity")[0][0]
    body = event("crm-1", broken=True)
    whole = Fcgi(house.socket)
    request = whole.head(length=len(body)) + whole.body(body)
    # Short of the end of the body itself: what follows is only its empty record.
    end = len(request) - 8
    for at in [*range(0, end, 11), end - 1]:
        client = Fcgi(house.socket)
        client.socket.sendall(request[:at])
        client.close()
    still_serves(house)
    after = house.query("SELECT count(*) FROM LeadCrmActivity")[0][0]
    assert after == before + 1, "%d events of requests that never became whole" % (after - before - 1)


def gone_before_the_answer(house):
    """Who does not wait for the answer: the event is stored all the same, and the service lives."""
    before = house.query("SELECT count(*) FROM LeadCrmActivity")[0][0]
    for _ in range(20):
        client = Fcgi(house.socket)
        client.send(event("crm-1"))
        # Read by the service before the end of the connection is: the bytes come first.
        client.socket.shutdown(socket.SHUT_WR)
        client.close()
    until(10, lambda: house.query("SELECT count(*) FROM LeadCrmActivity")[0][0] == before + 20, "20 events of clients that went away")
    still_serves(house)


def garbage(house):
    for bytes_ in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\0" * 100, b"\xff" * 100, os.urandom(10_000), Fcgi.record(PARAMS, b"x" * 100)):
        client = Fcgi(house.socket)
        try:
            client.socket.sendall(bytes_)
        except OSError:
            pass  # Closed already: as good an answer as any.
        client.close()
    still_serves(house)


def slow_ones_do_not_starve(house):
    """More requests that have begun and do not go on than there are threads."""
    slow = [Fcgi(house.socket) for _ in range(20)]
    body = event("crm-1")
    for number, client in enumerate(slow):
        request = client.head(length=len(body)) + client.body(body)
        client.socket.sendall(request[: 4 + number * (len(request) - 20) // 20])
    for _ in range(5):
        still_serves(house)
    for client in slow:
        client.close()


def huge_params(house):
    """Variables without end are refused in some way, and cost nothing."""
    client = Fcgi(house.socket)
    packed = client.pair(b"REQUEST_METHOD", b"POST") + client.pair(b"HTTP_X_LONG", b"x" * 5_000_000)
    try:
        client.socket.sendall(client.record(BEGIN, struct.pack(">HB5x", 1, 1)))
        for at in range(0, len(packed), 65000):
            client.socket.sendall(client.record(PARAMS, packed[at : at + 65000]))
        client.socket.sendall(client.record(PARAMS, b"") + client.record(STDIN, b""))
        status = client.answer().status
        assert status >= 400, status
    except (ConnectionError, BrokenPipeError):
        pass  # The connection was closed.
    still_serves(house)


def many_connections(house):
    """More connections than the service holds: new ones are served, an old idle one may be closed for it."""
    idle = [Fcgi(house.socket) for _ in range(1100)]
    try:
        still_serves(house)
        assert idle[-1].post(event("nobody")).body == HELD
    finally:
        for client in idle:
            client.close()
    still_serves(house)


def tcp(house):
    port = free_port()
    house.stop()
    listen = "127.0.0.1:%d" % port
    with open(house.log, "ab") as log:
        house.service = subprocess.Popen(
            [BIN, "serve"], env=house.environment(LEADLINE_LISTEN=listen), stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )

    def connect():
        assert house.service.poll() is None, "the service ended: " + house.log_text()[-300:]
        try:
            return Fcgi(listen)
        except OSError:
            return None

    client = until(10, connect, "the service accepts on TCP")
    for _ in range(3):
        assert client.post(event("crm-1")).body == stored(1)
    house.stop()


def one_bad_event_fails_alone(house, kind):
    """Events that the database refuses, among many others: each of those gets its 200 and is there once."""
    clients = 48
    turns = 10
    with house.open_db() as db:
        db.execute("DROP TRIGGER IF EXISTS refuse")
        db.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON LeadCrmActivity WHEN new.EventType = 'refuse' BEGIN SELECT RAISE(%s, 'refused'); END" % kind
        )
    seen = {}
    step = threading.Barrier(clients)

    def run(number):
        client = Fcgi(house.socket)
        for turn in range(turns):
            step.wait(30 * SLOW)
            bad = (number + turn) % 12 == 0
            marker = "%s-%d-%d" % (kind, number, turn)
            answer = client.post(event("crm-1", event_type="refuse" if bad else "fine", marker=marker))
            seen[marker] = (bad, answer.status)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == clients * turns, "%d answers" % len(seen)
    wrong = {marker: status for marker, (bad, status) in seen.items() if status != (500 if bad else 200)}
    assert not wrong, "%d wrong answers: %s" % (len(wrong), dict(list(wrong.items())[:4]))
    rows = house.query("SELECT json_extract(PayloadJson, '$.marker') FROM LeadCrmActivity WHERE EventType IN ('fine', 'refuse')")
    kept = sorted(marker for (marker,) in rows if marker.startswith(kind + "-"))
    assert kept == sorted(marker for marker, (bad, _) in seen.items() if not bad), "the rows are not the events that were answered 200"
    with house.open_db() as db:
        db.execute("DROP TRIGGER refuse")


UNREAD = [
    ("a wrong secret is refused before the body is sent", 401, {"length": 200_000, "secret": "wrong"}),
    ("another method is refused before the body is sent", 405, {"length": 200_000, "method": "PUT"}),
    ("another path is refused before the body is sent", 404, {"length": 200_000, "path": "/webhooks/x"}),
    ("a body that is announced as too long is refused before it is sent", 413, {"length": 1_048_577}),
]
with House() as the_house:
    the_house.seed(LEAD)
    the_house.start(LEADLINE_THREADS="2")
    for name, status, request in UNREAD:
        case(name, lambda status=status, request=request: refused_unread(the_house, status, **request))
    case("CGI: a wrong secret is refused before the body is read", unread_as_cgi, the_house)
    case("a body that follows its refusal", a_body_after_its_refusal, the_house)
    case("100 requests on one connection", many_on_one_connection, the_house)
    case("a body in records of one byte", small_records, the_house)
    case("params in pieces of seven bytes", params_in_pieces, the_house)
    case("Content-Length is more than the body", length_lies, the_house, "100", event("crm-1"), (400,))
    case("Content-Length is less than the body", length_lies, the_house, "10", event("crm-1"), (400,))
    case("Content-Length is no number", length_lies, the_house, "1x", event("crm-1"), (400,))
    case("Content-Length is negative", length_lies, the_house, "-1", event("crm-1"), (400,))
    case("Content-Length is beyond 64 bits", length_lies, the_house, "9" * 30, event("crm-1"), (400, 413))
    case("clients that break off at every point of a request", broken_off, the_house)
    case("clients that do not wait for the answer", gone_before_the_answer, the_house)
    case("bytes that are no FastCGI", garbage, the_house)
    case("20 requests that begin and do not go on, 2 threads", slow_ones_do_not_starve, the_house)
    case("variables without end", huge_params, the_house)
    case("1100 idle connections", many_connections, the_house)
    for rule in ("ABORT", "FAIL", "ROLLBACK"):
        case("an event that the database refuses (%s) fails alone" % rule, one_bad_event_fails_alone, the_house, rule)
    case("TCP, by LEADLINE_LISTEN", tcp, the_house)
finish()
