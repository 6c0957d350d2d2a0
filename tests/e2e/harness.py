"""What the Python tests share: cases, the service and nginx as processes, an HTTP client and a FastCGI client.

A case is a function that raises AssertionError where something is not as it must be. A test's last line is finish().
Run as a program it prints a free port, for the shell.
"""

import contextlib
import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BIN = os.path.abspath(os.environ.get("LEADLINE_BIN") or os.path.join(ROOT, "build", "leadline"))
SLOW = float(os.environ.get("LEADLINE_SLOW") or 1)  # A sanitizer's build: every bound is so many times longer.

PATH = "/webhooks/crm/lead"
SECRET = "hook-Secret_1~+/="
HELD = b'{"ok":true,"stored":false,"reason":"No matching lead or submission for crm_lead_id"}'
SANITIZER = re.compile(r"ERROR: (Address|Leak)Sanitizer|runtime error:|WARNING: ThreadSanitizer")

READY = "e2e-is-ready"  # The id of the first request to each service, which shows that it is there.

# A stop from outside (the runner's time-out) has to run the clean-up, too.
signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))


def stored(lead):
    return b'{"ok":true,"stored":true,"lead_id":%d}' % lead


# ---- cases

_failures = 0


def case(name, function, *arguments):
    """Runs one case and says how it went."""
    global _failures
    try:
        function(*arguments)
    except Exception as error:  # A bug in the test is a failure as well, with its place.
        why = str(error) if isinstance(error, AssertionError) and str(error) else "".join(traceback.format_exc()[-500:])
        print("FAIL %s: %s" % (name, " ".join(why.split())[:700]), flush=True)
        _failures += 1
    else:
        print("ok %s" % name, flush=True)


def skip(name, why):
    print("skip %s: %s" % (name, why), flush=True)


def finish():
    print("# finished", flush=True)
    sys.exit(1 if _failures else 0)


def until(seconds, condition, what):
    """Asks again and again, so that nothing has to sleep and hope."""
    deadline = time.monotonic() + seconds * SLOW
    while True:
        result = condition()
        if result:
            return result
        assert time.monotonic() < deadline, "not within %g s: %s" % (seconds * SLOW, what)
        time.sleep(0.005)


# ---- processes


def free_port():
    """A port that nobody listens on, below those that the kernel gives to outgoing connections."""
    while True:
        port = random.randint(10240, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def accepts(path):
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except OSError:
            return False
        return True


class House:
    """A directory, a database, the service and nginx; all gone at the end. Use with `with`."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="leadline-e2e.")
        self.db = os.path.join(self.dir, "leads.db")
        self.socket = os.path.join(self.dir, "leadline.sock")
        self.log = os.path.join(self.dir, "service.log")
        self.port = None
        self.service = None
        self.nginx = None

    def __enter__(self):
        return self

    def __exit__(self, *why):
        if self.nginx is not None and self.nginx.poll() is None:
            self.nginx.terminate()  # Killed, it would leave its workers behind.
            self.nginx.wait()
        for process in self.service_processes():
            os.kill(process, signal.SIGKILL)
        if self.service is not None:
            self.service.wait()
        if os.environ.get("KEEP"):
            print("# kept " + self.dir)
        else:
            shutil.rmtree(self.dir, ignore_errors=True)

    def environment(self, **settings):
        """The settings given, and nothing of the environment that the test was started in."""
        kept = {name: os.environ[name] for name in ("PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS") if name in os.environ}
        return {**kept, "DATABASE_URL": "sqlite:" + self.db, "CRM_WEBHOOK_SECRET": SECRET, **settings}

    def run(self, *arguments, **settings):
        """The program, to its end."""
        return subprocess.run(
            [BIN, *arguments], env=self.environment(**settings), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60 * SLOW
        )

    def seed(self, leads):
        """Makes the database, with leads by id: {id: crm_lead_id}."""
        done = self.run("migrate")
        assert done.returncode == 0, "migrate: " + done.stderr
        with self.open_db() as db:
            db.executemany("INSERT INTO Leads (Id, CrmLeadId) VALUES (?, ?)", leads.items())

    def open_db(self):
        """Another program's connection. As a context it commits and closes."""

        @contextlib.contextmanager
        def opened():
            db = sqlite3.connect(self.db, timeout=20, isolation_level=None)
            try:
                yield db
            finally:
                db.close()

        return opened()

    def query(self, sql, *values):
        with self.open_db() as db:
            return db.execute(sql, values).fetchall()

    def start(self, prefix=(), listen=None, **settings):
        """Starts the service, and waits until it accepts."""
        with open(self.log, "ab") as log:
            self.service = subprocess.Popen(
                [*prefix, BIN, "serve", "--listen", listen or "unix:" + self.socket],
                env=self.environment(**settings),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        until(10, lambda: self.service.poll() is not None or accepts(self.socket), "the service accepts")
        if listen is None and self.service.poll() is None:
            # It listens before it has opened its database; an answer shows that it has. Its line in the log is READY's.
            with contextlib.suppress(OSError):
                Fcgi(self.socket).post(b"", path="/", HTTP_X_REQUEST_ID=READY)
        assert self.service.poll() is None, "the service ended at once: " + self.log_text()[-500:]

    def service_processes(self):
        """The service, or strace and the service below it, as far as they still run."""
        if self.service is None or self.service.poll() is not None:
            return []
        pid = self.service.pid
        with open("/proc/%d/task/%d/children" % (pid, pid), encoding="ascii") as file:
            return [*map(int, file.read().split()), pid]

    def log_text(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()

    def stop(self, seconds=10):
        """SIGTERM, and then the end has to come in time, well, and without a word of a sanitizer."""
        self.service.terminate()
        self.await_end(seconds)
        self.check_log()

    def await_end(self, seconds=10):
        try:
            code = self.service.wait(seconds * SLOW)
        except subprocess.TimeoutExpired:
            raise AssertionError("still running %g s after the signal" % (seconds * SLOW)) from None
        assert code == 0, "exit code %d; %s" % (code, self.log_text()[-300:])

    def check_log(self):
        said = SANITIZER.search(self.log_text())
        assert said is None, "a sanitizer said: " + self.log_text()[said.start() : said.start() + 300]

    def nginx_configuration(self):
        words = [os.path.join(HERE, "nginx_conf"), "serve", self.dir, str(self.port), self.socket, BIN]
        return subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout

    def start_nginx(self):
        self.port = free_port()
        conf = os.path.join(self.dir, "nginx.conf")
        with open(conf, "w", encoding="utf-8") as file:
            file.write(self.nginx_configuration())
        errors = os.path.join(self.dir, "nginx-error.log")
        self.nginx = subprocess.Popen(
            ["nginx", "-p", self.dir, "-e", errors, "-c", conf], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

        def answers():
            assert self.nginx.poll() is None, "nginx ended at once: " + open(errors, encoding="utf-8").read()[-300:]
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.port)) == 0

        until(10, answers, "nginx accepts")


# ---- clients


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = {name.lower(): value for name, value in headers}
        self.body = body


class Http:
    """One kept connection to nginx."""

    def __init__(self, port, timeout=30):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout * SLOW)

    def post(self, body, secret=SECRET, path=PATH, method="POST", **headers):
        head = {"Authorization": "Bearer " + secret, **{name.replace("_", "-"): value for name, value in headers.items()}}
        self.connection.request(method, path, body, head)
        response = self.connection.getresponse()
        return Answer(response.status, response.getheaders(), response.read())

    def close(self):
        self.connection.close()


BEGIN, END, PARAMS, STDIN, STDOUT = 1, 3, 4, 5, 6


class Fcgi:
    """One FastCGI connection straight to the service, kept or not. https://fastcgi-archives.github.io/FastCGI_Specification.html"""

    def __init__(self, path, keep=True, timeout=30):
        self.keep = keep
        if ":" in path:
            host, port = path.rsplit(":", 1)
            self.socket = socket.create_connection((host, int(port)), timeout * SLOW)
        else:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(timeout * SLOW)
            until(timeout, lambda: self.connects(path), "room in the queue of " + path)

    def connects(self, path):
        """False where the queue of connections is full (connect(2), EAGAIN): how long it is, the machine decides."""
        try:
            self.socket.connect(path)
        except BlockingIOError:
            return False
        return True

    @staticmethod
    def record(kind, content):
        return struct.pack(">BBHHBB", 1, kind, 1, len(content), 0, 0) + content

    @staticmethod
    def pair(name, value):
        def length(text):
            return bytes([len(text)]) if len(text) < 128 else struct.pack(">I", len(text) | 0x80000000)

        return length(name) + length(value) + name + value

    def head(self, method="POST", path=PATH, length=0, secret=SECRET, **variables):
        """The records up to the body: what the service knows before it has read any of it."""
        params = {
            "GATEWAY_INTERFACE": "CGI/1.1",
            "REQUEST_METHOD": method,
            "REQUEST_URI": path,
            "PATH_INFO": path,
            "CONTENT_LENGTH": str(length),
            "HTTP_AUTHORIZATION": "Bearer " + secret,
            **variables,
        }
        packed = b"".join(self.pair(name.encode(), value.encode()) for name, value in params.items())
        begin = self.record(BEGIN, struct.pack(">HB5x", 1, 1 if self.keep else 0))
        return begin + self.record(PARAMS, packed) + self.record(PARAMS, b"")

    def body(self, body):
        chunks = [self.record(STDIN, body[at : at + 65000]) for at in range(0, len(body), 65000)]
        return b"".join(chunks) + self.record(STDIN, b"")

    def send(self, body, **request):
        self.socket.sendall(self.head(length=len(body), **request) + self.body(body))

    def post(self, body, **request):
        self.send(body, **request)
        return self.answer()

    def exactly(self, count):
        data = b""
        while len(data) < count:
            more = self.socket.recv(count - len(data))
            if not more:
                raise ConnectionError("the connection ended after %d of %d bytes" % (len(data), count))
            data += more
        return data

    def answer(self, to_the_end=True):
        """The answer; with its end record, or as soon as it is complete by its own Content-Length."""
        output = b""
        while True:
            _, kind, _, length, padding, _ = struct.unpack(">BBHHBB", self.exactly(8))
            content = self.exactly(length + padding)[:length]
            if kind == STDOUT:
                output += content
            head, _, body = output.partition(b"\r\n\r\n")
            headers = [tuple(line.split(": ", 1)) for line in head.decode().split("\r\n") if ": " in line]
            named = {name.lower(): value for name, value in headers}
            if kind == END or (not to_the_end and len(body) == int(named.get("content-length", -1))):
                return Answer(int(named["status"].split()[0]), headers, body)

    def close(self):
        self.socket.close()


def event(crm_lead_id, **more):
    return json.dumps({"crm_lead_id": crm_lead_id, **more}).encode()


if __name__ == "__main__":
    print(free_port())
