#!/usr/bin/env python3
"""Hostile FastCGI peers, straight at the socket: whatever they send, others are served, and memory and descriptors stay bounded."""

import json
import random
import select
import socket
import struct
import time

from common import KEY, OPTIONS, QUICK, SEED, SLOW, Fcgi, House, Pulse, counted_case, descriptors, event, finish, rss_kib, stored, until
from harness import PATH, SECRET, Http

LEAD = {1: "crm-1"}
BEGIN, ABORT, END, PARAMS, STDIN, STDOUT, VALUES, UNKNOWN = 1, 2, 3, 4, 5, 6, 10, 11
THREADS = "4"
GOOD_S = 1.0


def record(kind, content=b"", request=1, padding=0, version=1):
    return struct.pack(">BBHHBB", version, kind, request, len(content), padding, 0) + content + b"\0" * padding


def begin(request=1, role=1, flags=1):
    return record(BEGIN, struct.pack(">HB5x", role, flags), request)


def packed(length, **more):
    variables = {"REQUEST_METHOD": "POST", "REQUEST_URI": PATH, "CONTENT_LENGTH": str(length), "HTTP_X_API_KEY": SECRET, **more}
    return b"".join(Fcgi.pair(name.encode(), value.encode()) for name, value in variables.items())


def request_records(body, **more):
    """A good POST, record by record."""
    records = [begin(), record(PARAMS, packed(len(body), **more)), record(PARAMS)]
    records += [record(STDIN, body[at : at + 65_000]) for at in range(0, len(body), 65_000)]
    return records + [record(STDIN)]


def good(house):
    answer = Fcgi(house.socket, keep=False, timeout=30).post(event("crm-1", marker="good"))
    assert (answer.status, answer.body) == (200, stored(1)), (answer.status, answer.body)


def quick_good(house):
    begun = time.monotonic()
    good(house)
    took = time.monotonic() - begun
    assert took < GOOD_S * SLOW, "a good request took %.2f s" % took


def raw(house):
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(20 * SLOW)
    client.connect(house.socket)
    return client


def throw(client, data):
    """Sends, and does not mind that the other side has had enough."""
    try:
        client.sendall(data)
    except OSError:
        return False
    return True


def hear(client, seconds):
    """What comes back until the end of the request, of the connection or of the patience."""
    data = b""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        ready, _, _ = select.select([client], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            break
        try:
            more = client.recv(65536)
        except OSError:
            return data, "closed"
        if not more:
            return data, "closed"
        data += more
        if any(kind == END for kind, _ in records_of(data)):
            return data, "ended"
    return data, "silent"


def records_of(data):
    at = 0
    while at + 8 <= len(data):
        version, kind, _, length, padding, _ = struct.unpack(">BBHHBB", data[at : at + 8])
        assert version == 1 and kind in (END, STDOUT, VALUES, UNKNOWN), "the service sent a record of version %d and type %d" % (version, kind)
        if at + 8 + length + padding > len(data):
            return
        yield kind, data[at + 8 : at + 8 + length]
        at += 8 + length + padding


def status_of(data):
    """The status of the answer in these bytes, or None; its body has to be JSON."""
    output = b"".join(content for kind, content in records_of(data) if kind == STDOUT)
    if not output:
        return None
    head, _, body = output.partition(b"\r\n\r\n")
    json.loads(body)
    return int(head.split(b" ", 2)[1])


def payloads(house):
    return [bytes(payload) for (payload,) in house.query("SELECT CAST(PayloadJson AS BLOB) FROM LeadCrmActivity UNION ALL SELECT CAST(PayloadJson AS BLOB) FROM UnmatchedCrmEvents")]


# ---- what is good though odd


def split_everywhere(counts, house):
    """A request cut in two at each of its bytes, and one that comes byte by byte."""
    data = b"".join(request_records(event("crm-1", marker="split")))
    step = 7 if QUICK else 1
    for at in range(1, len(data), step):
        client = raw(house)
        client.sendall(data[:at])
        if at % 5 == 0:
            time.sleep(0.002)  # So that the first part is looked at alone.
        client.sendall(data[at:])
        answer, _ = hear(client, 5 * SLOW)
        assert status_of(answer) == 200, "cut at byte %d: %r" % (at, answer[:100])
        client.close()
        counts.add("cuts")
    quick_good(house)


def many_small_writes(counts, house):
    """A body that comes in many records, each written by itself, as a web server that does not buffer sends it."""
    for pieces in (10, 50, 100, 200, 400):
        body = event("crm-1", marker="pieces", padding="x" * 20 * pieces)
        client = raw(house)
        client.settimeout(2 * SLOW)
        parts = [begin(), record(PARAMS, packed(len(body))), record(PARAMS)]
        parts += [record(STDIN, body[at : at + 20]) for at in range(0, len(body), 20)] + [record(STDIN)]
        for number, part in enumerate(parts):
            try:
                client.sendall(part)
            except OSError as error:
                raise AssertionError("a request in %d writes is not taken past write %d: %r" % (len(parts), number, error)) from None
        answer, how = hear(client, 5 * SLOW)
        assert status_of(answer) == 200, "a request in %d writes: %r, %s" % (len(parts), answer[:100], how)
        client.close()
        counts.add("records", len(parts))
    quick_good(house)


def padded(counts, house):
    """Records with every padding, names and values in records of one byte."""
    for padding in range(0, 256, 51 if QUICK else 3):
        body = event("crm-1", marker="padded")
        client = raw(house)
        client.sendall(
            begin() + record(PARAMS, packed(len(body)), padding=padding) + record(PARAMS)
            + record(STDIN, body, padding=255 - padding) + record(STDIN)
        )
        answer, _ = hear(client, 5 * SLOW)
        assert status_of(answer) == 200, "padding %d: %r" % (padding, answer[:100])
        client.close()
        # No web server pads a record that has no content, and libfcgi loses its place there: no 200 without the row.
        before = len(payloads(house))
        client = raw(house)
        throw(client, begin() + record(PARAMS, packed(len(body))) + record(PARAMS, padding=padding))
        throw(client, record(STDIN, body) + record(STDIN, padding=padding))
        status = status_of(hear(client, 2 * SLOW)[0])
        assert (status == 200) == (len(payloads(house)) == before + 1), "padding %d of an end: %s" % (padding, status)
        client.close()
        counts.add("requests")
    body = event("crm-1", marker="tiny")
    variables = packed(len(body), HTTP_X_LONG="v" * 300)
    data = begin() + b"".join(record(PARAMS, variables[at : at + 1], padding=7) for at in range(len(variables))) + record(PARAMS)
    data += b"".join(record(STDIN, body[at : at + 1], padding=1) for at in range(len(body))) + record(STDIN)
    client = raw(house)
    client.sendall(data)
    assert status_of(hear(client, 5 * SLOW)[0]) == 200, "records of one byte"
    quick_good(house)


def lengths_lie(counts, house):
    """Bodies shorter and longer than CONTENT_LENGTH: never half a body, never the next request's bytes."""
    before = len(payloads(house))
    for more in (*range(-20, 0), *range(1, 21), 1000, 40_000, 300_000):
        body = event("crm-1", marker="lies%d" % more)
        said = max(0, len(body) + more)
        client = raw(house)
        client.sendall(begin() + record(PARAMS, packed(said)) + record(PARAMS) + record(STDIN, body) + record(STDIN))
        answer, how = hear(client, 5 * SLOW)
        assert status_of(answer) == 400, "CONTENT_LENGTH %+d: %r, %s" % (more, answer[:100], how)
        client.close()
        counts.add("requests")
    assert len(payloads(house)) == before, "half a body was stored"
    quick_good(house)


def strange_numbers(counts, house):
    for length in ("", " 5", "5 ", "+5", "-0", "0x5", "5.0", "1e1", "18446744073709551615", "18446744073709551616", "9" * 400, "٥"):
        client = raw(house)
        body = event("crm-1", marker="number")
        client.sendall(begin() + record(PARAMS, packed(0, CONTENT_LENGTH=length)) + record(PARAMS) + record(STDIN, body) + record(STDIN))
        answer, how = hear(client, 5 * SLOW)
        # An empty CONTENT_LENGTH is an absent one.
        wanted = (200,) if length == "" else (400, 413)
        assert status_of(answer) in wanted, "CONTENT_LENGTH %r: %r, %s" % (length[:30], answer[:100], how)
        client.close()
        counts.add("requests")
    quick_good(house)


# ---- what is wrong


def broken_streams(rng):
    """One stream that no web server would send, and what it is."""
    body = event("crm-1", marker="broken")
    records = request_records(body)
    kind = rng.randrange(14)
    at = rng.randrange(len(records))
    chosen = bytearray(records[at])
    if kind == 0:  # A header's byte.
        chosen[rng.randrange(8)] = rng.randrange(256)
        name = "a header's byte"
    elif kind == 1:
        chosen[4:6] = struct.pack(">H", max(0, min(65535, struct.unpack(">H", chosen[4:6])[0] + rng.randrange(-9, 10))))
        name = "a length"
    elif kind == 2:
        chosen[6] = rng.randrange(256)
        name = "a padding"
    elif kind == 3:
        chosen[2:4] = struct.pack(">H", rng.choice((0, 2, 256, 65535)))
        name = "an id"
    elif kind == 4:
        chosen[1] = rng.choice((0, 1, 2, 3, 6, 7, 8, 9, 10, 11, 12, 255))
        name = "a type"
    elif kind == 5:
        chosen[0] = rng.choice((0, 2, 255))
        name = "a version"
    elif kind == 6:
        del records[at]
        return "a record left out", b"".join(records)
    elif kind == 7:
        records.insert(at, bytes(chosen))
        return "a record twice", b"".join(records)
    elif kind == 8:
        rng.shuffle(records)
        return "records in another order", b"".join(records)
    elif kind == 9:
        records.insert(at, record(ABORT))
        return "an abort", b"".join(records)
    elif kind == 10:
        records.insert(at, record(rng.choice((9, 10, 11, 200)), Fcgi.pair(b"FCGI_MAX_CONNS", b""), request=0))
        return "a management record", b"".join(records)
    elif kind == 11:  # Lengths of names and values that go past what is there.
        lie = struct.pack(">II", rng.choice((0x80000000, 0xFFFFFFFF, 0x80010000)), rng.choice((0x80000000, 0xFFFFFFFF, 0x80001000)))
        records[1] = record(PARAMS, packed(len(body)) + lie + b"x" * rng.randrange(40))
        return "lengths of variables", b"".join(records)
    elif kind == 12:
        data = bytearray(b"".join(records))
        for _ in range(rng.randrange(1, 6)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        return "bytes anywhere", bytes(data)
    else:
        other = [begin(2), record(PARAMS, packed(len(body)), 2), record(PARAMS, b"", 2), record(STDIN, body, 2), record(STDIN, b"", 2)]
        mixed = []
        while records or other:
            queue = rng.choice([q for q in (records, other) if q])
            mixed.append(queue.pop(0))
        return "two requests at once", b"".join(mixed)
    records[at] = bytes(chosen)
    return name, b"".join(records)


def fuzzed(counts, house):
    """Broken streams by the seed, many at once and left open; meanwhile good requests are served."""
    rng = random.Random(SEED)
    pulse = Pulse(lambda: good(house))
    open_ones = []
    for turn in range(300 if QUICK else 6000):
        name, data = broken_streams(rng)
        client = raw(house)
        throw(client, data)
        if turn % 4 == 0:
            answer, _ = hear(client, 0.02 * SLOW)
            try:
                status_of(answer)
            except (AssertionError, ValueError) as error:
                raise AssertionError("seed %d, turn %d (%s): %r after %r" % (SEED, turn, name, error, data[:200])) from None
        open_ones.append(client)
        counts.add("streams")
        if len(open_ones) > 60:
            open_ones.pop(rng.randrange(len(open_ones))).close()
        if turn % 100 == 0:
            assert house.service.poll() is None, "seed %d: the service has ended before turn %d: %s" % (SEED, turn, house.log_text()[-300:])
    pulse.finish(counts, GOOD_S)
    for client in open_ones:
        client.close()
    quick_good(house)


def interleaved(counts, house):
    """Two requests on one connection at the same time: what is stored is one of them, never a mixture."""
    rng = random.Random(SEED)
    sent = set()
    for turn in range(40 if QUICK else 400):
        streams = []
        for request in (1, 2):
            body = event("crm-1", marker="multi-%d-%d" % (turn, request), padding="x" * rng.randrange(200))
            sent.add(body)
            cut = rng.randrange(len(body))
            streams.append([
                begin(request), record(PARAMS, packed(len(body)), request), record(PARAMS, b"", request),
                record(STDIN, body[:cut], request), record(STDIN, body[cut:], request), record(STDIN, b"", request),
            ])
        data = b""
        while any(streams):
            data += rng.choice([stream for stream in streams if stream]).pop(0)
        client = raw(house)
        throw(client, data)
        hear(client, 0.01 * SLOW)
        client.close()
        counts.add("pairs")
    quick_good(house)
    for payload in payloads(house):
        assert b'"multi-' not in payload or payload in sent, "seed %d: a mixture was stored: %r" % (SEED, payload[:200])


def held_threads(counts, house, what, data, answers=None):
    """More such peers than there are threads: good requests are served all the same."""
    peers = [raw(house) for _ in range(3 * int(THREADS))]
    for peer in peers:
        throw(peer, data)
    time.sleep(0.2)  # They have had the time to take the threads.
    pulse = Pulse(lambda: good(house), every=0.05)
    deadline = time.monotonic() + 5 * SLOW
    enough = 6 if QUICK else 20
    while len(pulse.times) < enough and time.monotonic() < deadline:
        time.sleep(0.02)
    if len(pulse.times) < enough:  # Only when they let go can the rest be served; the next case must not suffer for it.
        for peer in peers:
            peer.close()
        pulse.stopping.set()
        pulse.thread.join(30 * SLOW)
        raise AssertionError("%d peers with %s: good requests wait for them, one for %.1f s" % (len(peers), what, max(pulse.times)))
    pulse.finish(counts, GOOD_S)
    counts.add("such peers", len(peers))
    for peer in peers:
        if answers is not None:
            assert hear(peer, 12 * SLOW)[1] in answers, "the peer is left waiting"
        peer.close()


def other_records(counts, house):
    """Records in places where the look-ahead and libfcgi might not agree."""
    body = event("crm-1", marker="other")
    variables = packed(len(body))
    tail = record(STDIN, body) + record(STDIN)
    strays = []
    for at in range(1, 5):
        records = request_records(body)
        records[at] = records[at][:2] + b"\0\2" + records[at][4:]
        strays.append(("another request's id in record %d" % at, b"".join(records)))
    wrong = []
    for what, data in (
        *strays,
        ("an abort in place of a body", begin() + record(PARAMS, variables) + record(PARAMS) + record(ABORT)),
        ("an abort within the variables", begin() + record(PARAMS, variables) + record(ABORT)),
        ("a body before the variables' end", begin() + record(PARAMS, variables) + tail),
        ("a body's end before the variables", begin() + record(STDIN) + record(PARAMS, variables) + record(PARAMS)),
        ("data instead of the body", begin() + record(PARAMS, variables) + record(PARAMS) + record(8, body) + record(8) + record(STDIN)),
        ("an unknown record within the body", begin() + record(PARAMS, variables) + record(PARAMS) + record(77, b"x") + tail),
        ("an unknown record within the variables", begin() + record(77, b"x") + record(PARAMS, variables) + record(PARAMS) + tail),
        ("a management record within the body", begin() + record(PARAMS, variables) + record(PARAMS) + record(9, b"", 0) + tail),
        ("a begin that is too short", record(BEGIN, b"\0\1") + record(PARAMS, variables) + record(PARAMS) + tail),
        ("a begin that is too long", record(BEGIN, b"\0\1\1" + b"\0" * 50) + record(PARAMS, variables) + record(PARAMS) + tail),
        ("the filter's role", begin(role=3) + record(PARAMS, variables) + record(PARAMS) + tail),
        ("the authorizer's role", begin(role=2) + record(PARAMS, variables) + record(PARAMS) + tail),
        ("a role that is none", begin(role=99) + record(PARAMS, variables) + record(PARAMS) + tail),
        ("a name that goes past the variables", begin() + record(PARAMS, variables + struct.pack(">II", 0x80010000, 0x80000005)) + record(PARAMS) + tail),
        ("a name's length that is cut off", begin() + record(PARAMS, variables + b"\x80") + record(PARAMS) + tail),
        ("a name of 2 GiB", begin() + record(PARAMS, variables + struct.pack(">II", 0xFFFFFFFF, 0xFFFFFFFF)) + record(PARAMS) + tail),
        ("no variable at all", begin() + record(PARAMS) + record(STDIN)),
    ):
        try:
            held_threads(counts, house, what, data)
        except AssertionError as error:
            wrong.append(str(error))
    assert not wrong, "; ".join(wrong)


def variables_without_end(counts, house):
    """5 MiB of variables; and a value that says it is 1 GiB."""
    before = rss_kib(house.service)
    for value in (b"x" * 5_000_000, None):
        for _ in range(4 if QUICK else 20):
            client = raw(house)
            client.settimeout(None)  # With one, Python waits until a quarter of the socket is free before it writes.
            throw(client, begin())
            if value is None:
                throw(client, record(PARAMS, packed(0) + struct.pack(">BI", 4, 0x80000000 | (1 << 30)) + b"name"))
            else:
                data = Fcgi.pair(b"HTTP_X_LONG", value)
                for at in range(0, len(data), 65_000):
                    if not throw(client, record(PARAMS, data[at : at + 65_000])):
                        break
            client.close()
            counts.add("peers")
    quick_good(house)
    grown = rss_kib(house.service) - before
    assert grown < 16 * 1024, "the service has grown by %d KiB" % grown


def never_read(counts, house):
    """Peers that ask and ask and never read an answer."""
    data = b"".join(request_records(event("crm-1", marker="unread")))
    peers = [raw(house) for _ in range(3 * int(THREADS))]
    for peer in peers:
        peer.setblocking(False)
    pulse = Pulse(lambda: good(house), every=0.05)
    deadline = time.monotonic() + (4 if QUICK else 15)
    rest = {peer: b"" for peer in peers}
    while time.monotonic() < deadline:
        for peer in peers:
            # Whole requests one after the other, as far as the socket takes them.
            try:
                rest[peer] = rest[peer] or data * 20
                sent = peer.send(rest[peer])
                rest[peer] = rest[peer][sent:]
                counts.add("KiB of requests sent", sent // 1024)
            except BlockingIOError:
                pass
            except OSError:
                peers = [other for other in peers if other is not peer]
        time.sleep(0.01)
    pulse.finish(counts, GOOD_S)
    for peer in rest:
        peer.close()
    until(20, lambda: quick_good(house) is None, "recovery")


def long_answer(house):
    """The request for an answer of 4 MB, more than a socket holds."""
    with house.open_db() as db:
        db.execute("INSERT OR IGNORE INTO Leads (Id, CrmLeadId) VALUES (2, 'long')")
        if db.execute("SELECT COUNT(*) FROM LeadCrmActivity WHERE LeadId = 2").fetchone() == (0,):
            payload = json.dumps({"crm_lead_id": "long", "x": "y" * 4000})
            db.executemany("INSERT INTO LeadCrmActivity (LeadId, CrmLeadId, PayloadJson) VALUES (2, 'long', ?)", [(payload,)] * 1000)
    variables = {"REQUEST_METHOD": "GET", "REQUEST_URI": "/analytics/leads/2", "QUERY_STRING": "activity_limit=1000", "HTTP_X_API_KEY": KEY}
    head = b"".join(Fcgi.pair(name.encode(), value.encode()) for name, value in variables.items())
    return begin() + record(PARAMS, head) + record(PARAMS) + record(STDIN)


def never_read_lead(counts, house):
    """Peers that ask for a long answer and never read it."""
    held_threads(counts, house, "an answer of 4 MB unread", long_answer(house))


def slow_reader(counts, house):
    """A peer that reads a long answer bit by bit gets all of it, and the connection can be used again."""
    client = raw(house)
    for _ in range(2):
        client.sendall(long_answer(house))
        data = b""
        while not data.endswith(record(END, bytes(8))):
            time.sleep(0.01)
            data += client.recv(50_000)
            counts.add("reads")
        output = b"".join(content for kind, content in records_of(data) if kind == STDOUT)
        body = json.loads(output.partition(b"\r\n\r\n")[2])
        assert [event["payload"]["x"] for event in body["crm_activity"]] == ["y" * 4000] * 1000
    client.close()


def slow_bodies(counts, house):
    """The variables and much of a long body at once, then a byte a second."""
    head = begin() + record(PARAMS, packed(200_000)) + record(PARAMS)
    long = record(STDIN, b" " * 65_000)
    held_threads(counts, house, "a body that does not go on", head + long[: 40_000])


def trickle(counts, house, through_nginx):
    """500 idle connections, and 200 that send a byte a second."""
    clients, senders = [], []
    idle, slow = (60, 40) if QUICK else (500, 200)
    if through_nginx:
        body = event("crm-1", marker="slow")
        data = ("POST %s HTTP/1.1\r\nHost: x\r\nX-API-Key: %s\r\nContent-Length: %d\r\n\r\n" % (PATH, SECRET, len(body))).encode() + body
        connect = lambda: socket.create_connection(("127.0.0.1", house.port))
        kept = Http(house.port)
        ask = lambda: kept.post(event("crm-1", marker="good")).status == 200 or 1 / 0
    else:
        data = b"".join(request_records(event("crm-1", marker="slow")))
        connect = lambda: raw(house)
        ask = lambda: good(house)
    threads_before, memory = descriptors(house.service), rss_kib(house.service)
    for _ in range(idle):
        clients.append(connect())
    for _ in range(slow):
        senders.append(connect())
    counts.add("idle connections", idle)
    counts.add("connections that send a byte a second", slow)
    pulse = Pulse(ask)
    for second in range(3 if QUICK else 14):
        begun = time.monotonic()
        for client in senders:
            throw(client, data[second : second + 1])
        time.sleep(max(0.0, 1 - (time.monotonic() - begun)))
    held = descriptors(house.service)
    grown = rss_kib(house.service) - memory
    pulse.finish(counts, GOOD_S)
    assert held <= threads_before + idle + slow + 40, "%d descriptors" % held
    assert grown < 16 * 1024, "the service has grown by %d KiB" % grown
    for client in clients + senders:
        client.close()
    until(15, lambda: descriptors(house.service) <= threads_before + 40, "the descriptors are given back")
    counts.counts["KiB more memory"] = max(0, grown)


def main():
    with House() as house:
        house.seed(LEAD)
        house.start(LEADLINE_THREADS=THREADS, ANALYTICS_API_KEY=KEY)
        house.start_nginx()
        quick_good(house)
        before = descriptors(house.service)
        for name, function, *more in (
            ("a request cut at each byte", split_everywhere),
            ("bodies in many small writes", many_small_writes),
            ("every padding, records of one byte", padded),
            ("bodies shorter and longer than CONTENT_LENGTH", lengths_lie),
            ("CONTENT_LENGTHs that are no number", strange_numbers),
            ("records fuzzed", fuzzed),
            ("two requests interleaved on one connection", interleaved),
            ("records out of place", other_records),
            ("variables without end", variables_without_end),
            ("long bodies that do not go on", slow_bodies),
            ("peers that never read their answers", never_read),
            ("long answers that nobody reads", never_read_lead),
            ("a long answer read bit by bit", slow_reader),
            ("idle and slow connections, straight", trickle, False),
            ("idle and slow connections, through nginx", trickle, True),
        ):
            counted_case(name, function, house, *more)
        counted_case("descriptors and memory at the end", at_the_end, house, before)
        if house.service.poll() is None:
            counted_case("the end", lambda counts: house.stop())
    finish()


def at_the_end(counts, house, before):
    assert house.service.poll() is None, "the service has ended: " + house.log_text()[-500:]
    until(30, lambda: descriptors(house.service) <= before + 40, "the descriptors are given back: %d" % descriptors(house.service))
    counts.counts["descriptors"] = descriptors(house.service)
    counts.counts["KiB of memory"] = rss_kib(house.service)
    assert rss_kib(house.service) < 64 * 1024, "%d KiB" % rss_kib(house.service)


print("# seed %d" % SEED, flush=True)
main()
