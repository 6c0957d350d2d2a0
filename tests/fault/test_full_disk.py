#!/usr/bin/env python3
"""The disk is full, or the file may not be written: 500 or 503 as JSON, nothing half stored, reads go on, and once there is
room again so does the service, without a restart. The disk is a small tmpfs; where none may be mounted, only the file is tested
(and the full disk by vfs_test)."""

import contextlib
import json
import os
import shutil
import subprocess
import sys

from common import KEY, QUICK, SEED, Fcgi, House, counted_case, event, finish, skip, stored, until
from harness import BIN, HELD, PATH, SECRET

ROUNDS = 2 if QUICK else 8


@contextlib.contextmanager
def small_disk(house, kib):
    """The house's database lies on a disk of its own."""
    disk = os.path.join(house.dir, "disk")
    os.mkdir(disk)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%dk" % kib, "leadline-fault", disk], check=True, capture_output=True)
    try:
        house.db = os.path.join(disk, "leads.db")
        yield disk
    finally:
        for process in house.service_processes():
            os.kill(process, 9)
        if house.service is not None:
            house.service.wait()
        subprocess.run(["umount", "-l", disk], check=True)


def can_mount():
    with House() as house:
        try:
            with small_disk(house, 64):
                return True
        except (OSError, subprocess.CalledProcessError):
            return False


def fill(disk):
    with open(os.path.join(disk, "ballast"), "ab", buffering=0) as file:
        for size in (65536, 4096, 512, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"x" * size)


def ask(client, method, path, body=b"", query=""):
    return client.post(body, method=method, path=path, secret=KEY, QUERY_STRING=query)


def check_kept(house, answers):
    kept = {}
    for (payload,) in house.query("SELECT PayloadJson FROM LeadCrmActivity UNION ALL SELECT PayloadJson FROM UnmatchedCrmEvents"):
        marker = json.loads(payload)["marker"]
        kept[marker] = kept.get(marker, 0) + 1
    for marker, status in answers.items():
        count = kept.pop(marker, 0)
        assert count == 1 if status == 200 else count <= 1, "%s was answered %d, and is there %d times" % (marker, status, count)
    assert not kept, "events that nobody sent: %s" % list(kept)[:5]
    assert house.query("PRAGMA integrity_check") == [("ok",)]


def full_disk(counts):
    with House() as house, small_disk(house, 4096) as disk:
        house.seed({1: "crm-1"})
        house.start(ANALYTICS_API_KEY=KEY)
        answers = {}
        number = 0

        def post(size):
            nonlocal number
            number += 1
            marker = "m%d" % number
            answer = Fcgi(house.socket).post(event("crm-1" if number % 3 else "nobody", marker=marker, padding="x" * size))
            answers[marker] = answer.status
            counts.add("answers %d" % answer.status)
            if answer.status == 200:
                assert answer.body == (stored(1) if number % 3 else HELD), answer.body
            else:
                assert answer.status in (500, 503) and json.loads(answer.body)["ok"] is False, (answer.status, answer.body)
            return answer.status

        for turn in range(ROUNDS):
            assert post(100) == 200, "round %d begins with a refusal" % turn
            if turn % 2:
                fill(disk)
            # Until nothing goes any more, large and small.
            until(30, lambda: post(40_000) != 200, "the disk fills")
            until(30, lambda: [post(10) for _ in range(3)] == [500] * 3 or turn % 2 == 0, "the disk is full")
            client = Fcgi(house.socket)
            for method, path, query, wanted in (
                ("GET", "/analytics/leads/1", "activity_limit=1000", (200,)),
                ("GET", "/analytics/leads", "q=x", (200,)),
                ("GET", "/analytics/leads/unmatched", "", (200,)),
                ("GET", "/healthz", "", (200,)),
                ("GET", "/readyz", "", (503, 200) if turn % 2 == 0 else (503,)),
            ):
                answer = ask(client, method, path, query=query)
                assert answer.status in wanted, "%s on a full disk: %d %s" % (path, answer.status, answer.body[:200])
                json.loads(answer.body)
            answer = ask(client, "POST", "/analytics/leads", b'{"email":"full%d@example.com","payload":"%s"}' % (turn, b"x" * 60_000))
            assert answer.status in (500, 503), answer.status
            # Room again: by removing what filled it, or what was stored.
            with contextlib.suppress(FileNotFoundError):
                os.remove(os.path.join(disk, "ballast"))
            subprocess.run(["mount", "-o", "remount,size=%dk" % (4096 * (turn + 2)), disk], check=True, capture_output=True)
            assert post(100) == 200, "there is room again, and an event is refused"
            assert ask(client, "GET", "/readyz").status == 200
            check_kept(house, answers)
            counts.add("times full")
        assert house.query("SELECT count(*) FROM Leads") == [(1,)], "half a lead"
        house.stop()
        check_kept(house, answers)


def full_at_the_start(counts):
    """A full disk when the service starts: it says so and ends, or serves what it can."""
    with House() as house, small_disk(house, 1024) as disk:
        house.seed({1: "crm-1"})
        fill(disk)
        process = subprocess.Popen([BIN, "serve", "--listen", "unix:" + house.socket], env=house.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            process.wait(2)
        except subprocess.TimeoutExpired:
            answer = Fcgi(house.socket).post(event("crm-1"))
            assert answer.status in (500, 503) and json.loads(answer.body)["ok"] is False
            process.terminate()
            assert process.wait(10) == 0
            counts.add("starts and refuses")
        else:
            said = process.stderr.read()
            assert process.returncode == 78 and "DATABASE_URL" in said, "exit code %d: %s" % (process.returncode, said)
            counts.add("says so and ends")
        process.stderr.close()


def as_nobody():
    """Root may write a file whatever its mode says, so the service has to be somebody else."""
    return ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []


def cgi(house, prefix, body):
    environment = house.environment(
        GATEWAY_INTERFACE="CGI/1.1", REQUEST_METHOD="POST", REQUEST_URI=PATH, CONTENT_LENGTH=str(len(body)), HTTP_AUTHORIZATION="Bearer " + SECRET
    )
    return subprocess.run([*prefix, BIN], env=environment, input=body, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60, check=False).stdout


def read_only_file(counts):
    with House() as house:
        house.seed({1: "crm-1"})
        prefix = as_nobody()
        program = shutil.copy(BIN, house.dir)  # Where nobody may reach it.
        os.chmod(house.dir, 0o755)
        data = os.path.join(house.dir, "data")
        os.mkdir(data)
        for suffix in ("", "-wal", "-shm"):
            if os.path.exists(house.db + suffix):
                shutil.move(house.db + suffix, data)
        house.db = os.path.join(data, "leads.db")
        globals()["BIN"] = program
        for file_mode, dir_mode in ((0o444, 0o755), (0o444, 0o777), (0o666, 0o755), (0o000, 0o777)):
            os.chmod(house.db, file_mode)
            os.chmod(data, dir_mode)
            output = cgi(house, prefix, event("crm-1", marker="no"))
            assert output.startswith((b"Status: 500 ", b"Status: 503 ")), "modes %o and %o: %r" % (file_mode, dir_mode, output[:300])
            assert json.loads(output.partition(b"\r\n\r\n")[2])["ok"] is False
            done = subprocess.run([*prefix, program, "serve", "--listen", "127.0.0.1:1"], env=house.environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False)
            assert done.returncode == 78 and len(done.stderr.strip().splitlines()) == 1, "%d %s" % (done.returncode, done.stderr)
            counts.add("kinds of modes")
        os.chmod(house.db, 0o666)
        os.chmod(data, 0o777)
        output = cgi(house, prefix, event("crm-1", marker="yes"))
        assert output.endswith(stored(1)), output
        assert house.query("SELECT count(*) FROM LeadCrmActivity") == [(1,)]


print("# seed %d" % SEED, flush=True)
if can_mount():
    counted_case("a full disk, again and again", full_disk)
    counted_case("a full disk at the start", full_at_the_start)
else:
    skip("a full disk", "no tmpfs may be mounted here; vfs_test has it")
if as_nobody() and shutil.which("setpriv") is None:
    skip("a file that may not be written", "there is no setpriv")
else:
    counted_case("a file that may not be written", read_only_file)
finish()
