"""Attacks a server on loopback as hostile, slow and broken clients do, and asks what they leave for the others.

Run by scripts/try-hostile, which serves a corpus with --no-password and sets PGHOST, PGPORT, SERVER (the process),
MEMORY_MB (its --memory) and CLIENTS. Needs nothing beyond Python. Prints the server's peak memory after each attack, and
exits with 1 when it exceeds --memory by more than 200 MB, when a good client gets no answer, or when the server ends.
"""

import os
import random
import socket
import struct
import sys
import threading
import time

from checking import check, end

HOST, PORT = os.environ["PGHOST"], int(os.environ["PGPORT"])
SERVER, MEMORY_MB = int(os.environ["SERVER"]), int(os.environ["MEMORY_MB"])
CLIENTS = int(os.environ.get("CLIENTS", "100"))
SLACK_MB = 200


def resident_mb():
    """Returns the memory that the server holds, in MB of 1,000,000 bytes."""
    with open(f"/proc/{SERVER}/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE") // 1_000_000


class Peak:
    """The highest memory of the server while a `with` runs."""

    def __init__(self, what):
        self.what, self.mb, self.ended = what, 0, False

    def watch(self):
        while not self.ended:
            try:
                self.mb = max(self.mb, resident_mb())
            except (FileNotFoundError, ProcessLookupError):
                return
            time.sleep(0.02)

    def __enter__(self):
        self.watcher = threading.Thread(target=self.watch)
        self.watcher.start()
        return self

    def __exit__(self, *_):
        self.ended = True
        self.watcher.join()
        until, alive = time.monotonic() + 20, False
        # Clients that left may still be in the way for a moment.
        while not alive and os.path.exists(f"/proc/{SERVER}/statm") and time.monotonic() < until:
            alive = Client().asks("SELECT 1") == ("rows", 1)
        check(f"{self.what}: the server answers", alive)
        print(f"      {self.what}: peak {self.mb} MB", flush=True)
        check(f"{self.what}: at most --memory + {SLACK_MB} MB ({self.mb} MB)", self.mb <= MEMORY_MB + SLACK_MB)
        if not alive:
            sys.exit(1)


def message(kind, body):
    return kind + struct.pack("!I", len(body) + 4) + body


STARTUP = struct.pack("!I", 196608) + b"user\0flowsift\0database\0flowsift\0\0"
STARTUP = struct.pack("!I", len(STARTUP) + 4) + STARTUP


class Client:
    """A connection that speaks the protocol by hand, so that it can also speak it badly."""

    def __init__(self, receive_bytes=None, timeout=60):
        self.socket = socket.socket()
        if receive_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.settimeout(timeout)
        self.socket.connect((HOST, PORT))
        self.buffer = b""

    def login(self):
        self.socket.sendall(STARTUP)
        return self.until_ready()[0]

    def read(self, count):
        while len(self.buffer) < count:
            more = self.socket.recv(65536)
            if not more:
                raise EOFError("the server closed the connection without a message")
            self.buffer += more
        found, self.buffer = self.buffer[:count], self.buffer[count:]
        return found

    def next(self):
        kind, length = struct.unpack("!cI", self.read(5))
        return kind, self.read(length - 4)

    def until_ready(self):
        """Reads to ReadyForQuery; returns ("rows", N), ("warning", TEXT) or (SQLSTATE, TEXT) of the first error."""
        rows, answer = 0, None
        while True:
            try:
                kind, body = self.next()
            except EOFError as error:
                return answer or ("closed", str(error)), rows
            if kind == b"D":
                rows += 1
            elif kind == b"E":
                fields = {part[:1]: part[1:].decode(errors="replace") for part in body.split(b"\0") if part}
                answer = answer or (fields[b"C"], fields[b"M"])
            elif kind == b"N":
                answer = answer or ("warning", body.decode(errors="replace"))
            elif kind == b"Z":
                return answer or ("rows", rows), rows

    def query(self, sql):
        self.socket.sendall(message(b"Q", sql.encode() + b"\0"))

    def asks(self, sql):
        """Logs in, asks and leaves."""
        try:
            came = self.login()
            if came[0] != "rows":
                return came
            self.query(sql)
            return self.until_ready()[0]
        except OSError as error:
            return "lost", str(error)
        finally:
            self.socket.close()


# Each would make more than memory holds, in one value or in all the rows of a batch.
GROWING = """
SELECT max(length(repeat(srcaddr, 20000))) FROM flows
SELECT length(lpad('x', 1500000000, 'y'))
SELECT length(rpad('x', 1500000000, 'y'))
SELECT length(repeat('x', 2000000000))
SELECT max(length(lpad(srcaddr, 200000, 'y'))) FROM flows
SELECT max(length(rpad(srcaddr, 200000, dstaddr))) FROM flows
SELECT max(length(replace(repeat(srcaddr, 100), '1', repeat('x', 10000)))) FROM flows
SELECT max(length(regexp_replace(repeat(srcaddr, 100), '.', repeat('x', 10000), 'g'))) FROM flows
SELECT max(length(translate(repeat(srcaddr, 10000), '.', 'x'))) FROM flows
SELECT max(cardinality(range(0, bytes * 0 + 100000))) FROM flows
SELECT cardinality(range(0, 1000000000))
SELECT cardinality(generate_series(0, 1000000000))
SELECT count(*) FROM (SELECT unnest(range(0, 1000000000)))
SELECT count(*) FROM (SELECT srcaddr, unnest(range(0, 100000)) FROM flows)
SELECT cardinality(array_repeat('x', 1000000000))
SELECT max(cardinality(array_repeat(srcaddr, 100000))) FROM flows
SELECT max(cardinality(array_resize([bytes], 1000000, bytes))) FROM flows
SELECT max(length(array_to_string(array_repeat(srcaddr, 1000), repeat('x', 1000)))) FROM flows
SELECT max(length(concat(repeat(srcaddr, 2000), repeat(dstaddr, 2000)))) FROM flows
SELECT max(length(repeat(srcaddr, 2000) || repeat(dstaddr, 2000))) FROM flows
SELECT repeat('x', 10000000) FROM flows
SELECT max(length(concat(srcaddr, repeat('x', 10000000)))) FROM flows
SELECT length(string_agg(repeat(srcaddr, 1000), repeat('x', 1000))) FROM flows
SELECT cardinality(array_agg(repeat(srcaddr, 2000))) FROM flows
SELECT max(length(encode(repeat(srcaddr, 10000)::bytea, 'hex'))) FROM flows
SELECT max(length(to_char(start, repeat('%Y', 100000)))) FROM flows
SELECT max(length(overlay(srcaddr PLACING repeat('x', 1000000) FROM 1))) FROM flows
SELECT max(length(CASE WHEN bytes > 0 THEN repeat('x', 1000000) ELSE '' END)) FROM flows
SELECT max(length(a.v)) FROM (SELECT repeat('x', 10000000) AS v) a, flows
WITH RECURSIVE t(v) AS (SELECT 'x' UNION ALL SELECT v || v FROM t WHERE length(v) < 2000000000) SELECT max(length(v)) FROM t
SELECT max(length(chr(65) || initcap(upper(repeat(srcaddr, 20000))))) FROM flows
SELECT max(cardinality(string_to_array(repeat('x,', 1000000), ','))) FROM flows
SELECT count(*) FROM range(0, length(lpad('x', 1500000000, 'y')))
SELECT count(*) FROM flows WHERE srcaddr LIKE repeat('%a', 10000000)
SELECT count(*) FROM flows WHERE regexp_like(srcaddr, repeat('a*', 10000000))
SELECT max(length(split_part(repeat(srcaddr, 20000), '.', 2))) FROM flows
""".strip().split("\n")


def growing():
    for sql in GROWING:
        with Peak(sql[:90]):
            began = time.monotonic()
            answer = Client().asks(f"SET statement_timeout = '20s'; {sql}")
            print(f"      {time.monotonic() - began:.1f} s, {answer[0]}: {str(answer[1])[:200]}", flush=True)


def odd():
    """Statements of unusual shapes and sizes, and messages that are none."""
    deep = 10_000
    statements = {
        "parentheses, 10,000 deep": "SELECT " + "(" * deep + "1" + ")" * deep,
        "NOT, 10,000 deep": "SELECT " + "NOT " * deep + "true",
        "functions, 10,000 deep": "SELECT " + "abs(" * deep + "1" + ")" * deep,
        "arrays, 10,000 deep": "SELECT " + "[" * deep + "1" + "]" * deep,
        "CASE, 10,000 deep": "SELECT " + "CASE WHEN true THEN " * deep + "1" + " END" * deep,
        "subqueries, 2,000 deep": "SELECT * FROM " + "(SELECT * FROM " * 2_000 + "flows" + ")" * 2_000,
        "1 + 1 + …, 100,000 long": "SELECT " + "+".join(["1"] * 100_000),
        "IN with 1,500,000 numbers": "SELECT count(*) FROM flows WHERE srcport IN (" + ",".join(map(str, range(1_500_000))) + ")",
        "100,000 columns": "SELECT " + ",".join(["bytes"] * 100_000) + " FROM flows LIMIT 1",
        "UNION, 2,000 long": " UNION ALL ".join(["SELECT 1"] * 2_000),
        "a text of 10 MB": "SELECT length('" + "x" * 10_000_000 + "')",
        "10 MB of comments": "SELECT 1 " + "/* x */ " * 1_250_000,
        "10 MB of semicolons": ";" * 10_000_000,
        "1,000 statements": "SELECT 1;" * 1_000,
        "10 MB of nonsense": "x(" * 5_000_000,
    }
    for what, sql in statements.items():
        with Peak(what):
            began = time.monotonic()
            answer = Client().asks(f"SET statement_timeout = '20s';{sql}")
            print(f"      {time.monotonic() - began:.1f} s, {answer[0]}: {str(answer[1])[:160]}", flush=True)
    with Peak("a message of 1 GB"):
        client = Client()
        client.login()
        try:
            client.socket.sendall(b"Q" + struct.pack("!I", 1_000_000_000))
            for _ in range(1_000):
                client.socket.sendall(b"x" * 1_000_000)
            print("      all was taken", flush=True)
        except OSError as error:
            print(f"      refused: {error}", flush=True)
        client.socket.close()


def noise(seconds):
    """Random bytes, before and after login, and valid messages cut short."""
    made = random.Random(17)
    with Peak("random bytes"):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            try:
                client = Client(timeout=0.2)
                if made.random() < 0.7:
                    client.login()
                kind = bytes([made.choice(b"QPBDECHSXdcfpF\0\xff")])
                body = made.randbytes(made.choice([0, 1, 7, 100, 5_000]))
                cut = message(kind, body) if made.random() < 0.7 else made.randbytes(200)
                client.socket.sendall(cut[: made.randrange(1, len(cut) + 1)])
                if made.random() < 0.5:
                    client.socket.recv(100)
                client.socket.close()
            except (OSError, EOFError):
                pass


def stalled(count, seconds):
    """Clients that ask for everything and read nothing, while another asks."""
    with Peak(f"{count} stalled readers"):
        clients = []
        for number in range(count):
            client = Client(receive_bytes=4096)
            if client.login()[0] != "rows":
                continue
            if number % 2:
                parse = message(b"P", b"\0SELECT * FROM flows\0\0\0")
                bind = message(b"B", b"\0\0\0\0\0\0\0\0")
                client.socket.sendall(parse + bind + message(b"E", b"\0" + struct.pack("!I", 1_000_000)) + message(b"S", b""))
            else:
                client.query("SELECT * FROM flows")
            clients.append(client)
        until, slowest = time.monotonic() + seconds, 0
        while time.monotonic() < until:
            began = time.monotonic()
            answer = Client().asks("SELECT count(*) FROM flows")
            slowest = max(slowest, time.monotonic() - began)
            check("another client is answered", answer, ("rows", 1)) if answer != ("rows", 1) else None
            time.sleep(0.2)
        print(f"      {len(clients)} stalled, the slowest answer to another took {slowest:.1f} s", flush=True)
        for client in clients:
            client.socket.close()


def silent(count):
    """Sockets that say nothing, while others want to come in."""
    with Peak(f"{count} silent sockets"):
        known = Client()
        known.login()
        sockets = []
        for _ in range(count):
            try:
                sockets.append(socket.create_connection((HOST, PORT), timeout=5))
            except OSError:
                pass
        began = time.monotonic()
        answer = None
        while time.monotonic() - began < 60:
            answer = Client().asks("SELECT 1")
            if answer == ("rows", 1):
                break
            time.sleep(0.2)
        waited = time.monotonic() - began
        check(f"a new client comes in within 12 s ({waited:.1f} s)", answer == ("rows", 1) and waited < 12)
        known.query("SELECT 1")
        check("one that was in goes on", known.until_ready()[0], ("rows", 1))
        for one in sockets:
            one.close()


def refused(count):
    """More clients at once than there is room for: each is served or told why not."""
    with Peak(f"{count} at once"):
        answers = [None] * count
        barrier = threading.Barrier(min(count, 100))

        def ask(number):
            if number < barrier.parties:
                barrier.wait()
            try:
                client = Client()
                # A client that sends ahead: what is unread when the server closes must not lose the message.
                client.socket.sendall(STARTUP + message(b"Q", b"SELECT 1\0") * 50)
                answers[number] = client.until_ready()[0]
                client.socket.close()
            except (OSError, EOFError) as error:
                answers[number] = ("lost", str(error))

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(count)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        found = {}
        for answer in answers:
            found[answer[0]] = found.get(answer[0], 0) + 1
        print(f"      {found}", flush=True)
        check("everyone was told", found.get("lost", 0) + found.get("closed", 0), 0)


def killed(count):
    """Clients that vanish in the middle of a result."""
    with Peak(f"{count} killed clients"):
        for number in range(count):
            try:
                client = Client(receive_bytes=4096)
                client.login()
                client.query("SELECT * FROM flows ORDER BY bytes" if number % 3 == 0 else "SELECT * FROM flows")
                time.sleep(0.01 * (number % 10))
                # A reset instead of a goodbye.
                client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.socket.close()
            except (OSError, EOFError):
                pass
        time.sleep(1)
        check("no wrong warning", Client().asks("SELECT count(*) FROM flows"), ("rows", 1))


def crowd(count, seconds):
    """Many clients at once, most of them hostile or slow; the good ones want answers."""
    answers, lock, until = {}, threading.Lock(), time.monotonic() + seconds

    def bad(number):
        made = random.Random(number)
        while time.monotonic() < until:
            try:
                client = Client(receive_bytes=4096, timeout=5)
                kind = made.randrange(5)
                if kind == 0:
                    time.sleep(made.random() * 5)
                elif kind == 1:
                    client.socket.sendall(made.randbytes(made.randrange(1, 2_000)))
                elif client.login()[0] == "rows":
                    client.query(made.choice(GROWING) if kind == 2 else "SELECT * FROM flows")
                    time.sleep(made.random() * (10 if kind == 3 else 1))
                client.socket.close()
            except (OSError, EOFError):
                pass
            time.sleep(made.random())

    def good(number):
        while time.monotonic() < until:
            answer = Client().asks("SELECT count(*) FROM flows WHERE bytes > 0")
            with lock:
                answers[answer[0]] = answers.get(answer[0], 0) + 1
            time.sleep(0.2)

    with Peak(f"{count} clients, nine of ten hostile, for {seconds} s"):
        clients = [threading.Thread(target=bad if number % 10 else good, args=(number,)) for number in range(count)]
        [client.start() for client in clients]
        [client.join() for client in clients]
        print(f"      answers to good clients: {answers}", flush=True)
        check("good clients were answered", answers.get("rows", 0) > 0)
        check("no wrong warning", answers.get("warning", 0), 0)


short = os.environ.get("SHORT") == "1"
attacks = {
    "growing": growing,
    "odd": odd,
    "noise": lambda: noise(3 if short else 20),
    "stalled": lambda: stalled(20, 4 if short else 15),
    "silent": lambda: silent(128),
    "refused": lambda: refused(200 if short else 500),
    "killed": lambda: killed(20 if short else 100),
    "crowd": lambda: crowd(CLIENTS, 10 if short else int(os.environ.get("SECONDS_OF_CROWD", "180"))),
}
for name in sys.argv[1:] or attacks:
    attacks[name]()
end()
