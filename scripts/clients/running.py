"""Asks a running `flowsift serve` with Python's clients; run by scripts/try-serve, which sets PGHOST and so on."""

import datetime
import os
import threading
import time

import pandas
import psycopg
import psycopg2
import sqlalchemy
from checking import check, end

utc = datetime.timezone.utc
since, until = datetime.datetime(2023, 11, 22, 3, tzinfo=utc), datetime.datetime(2023, 11, 22, 4, tzinfo=utc)
question = "SELECT count(*), min(start), bool_and(bytes >= %s) FROM flows WHERE start >= %s AND start < %s AND host = %s"

with psycopg.connect() as connection:
    row = connection.execute(question, (0, since, until, "10.0.44.5")).fetchone()
    check("psycopg: parameters", (row[0] > 0, since <= row[1] < until, row[2]), (True, True, True))
    for binary in (False, True):
        with connection.cursor(binary=binary) as cursor:
            cursor.execute(
                "SELECT bytes, bytes / 2.0, host, start, outbound, sublocation_id FROM flows WHERE host IS NOT NULL LIMIT 1"
            )
            kinds = [type(value) for value in cursor.fetchone()]
            check(
                f"psycopg: types, binary={binary}",
                kinds,
                [int, float, str, datetime.datetime, bool, type(None)],
            )
    beacon = connection.execute(
        "SELECT beacon(start) FROM flows WHERE outbound AND host = %s AND remote = %s", ("10.0.44.5", "135.76.202.223")
    ).fetchone()[0]
    check("psycopg: a struct is a dict", (type(beacon), 70 < beacon["period_s"] < 80), (dict, True))
    check("psycopg: a text is a parameter", connection.execute("SELECT upper(%s)", ("a'; --",)).fetchone()[0], "A'; --")
    with connection.cursor(name="rows") as cursor:
        cursor.execute("SELECT start, host FROM flows")
        check("psycopg: cursor on the server", sum(1 for _ in cursor), 149984)
    try:
        connection.execute("SELECT nothing FROM flows")
    except psycopg.errors.UndefinedColumn as error:
        check("psycopg: a mistake", error.diag.statement_position, "8")
    try:
        connection.execute("SELECT 1")
        check("psycopg: a failed transaction", "went on", "failed")
    except psycopg.errors.InFailedSqlTransaction:
        connection.rollback()
        check("psycopg: rollback", connection.execute("SELECT 1").fetchone(), (1,))

with psycopg.connect(autocommit=True) as connection:
    threading.Timer(1, connection.cancel).start()
    begun = time.monotonic()
    try:
        connection.execute("SELECT count(*) FROM flows a JOIN flows b ON a.bytes + b.bytes = 1")
        check("psycopg: cancel", "went on", "cancelled")
    except psycopg.errors.QueryCanceled:
        check("psycopg: cancel", time.monotonic() - begun < 10, True)
    check("psycopg: after it", connection.execute("SELECT 2").fetchone(), (2,))

connection = psycopg2.connect("")
with connection, connection.cursor() as cursor:
    cursor.execute(question, (0, since, until, "10.0.44.5"))
    check("psycopg2: parameters", cursor.fetchone()[0], row[0])
connection.close()

for driver in ("psycopg", "psycopg2"):
    url = sqlalchemy.URL.create(
        f"postgresql+{driver}",
        os.environ["PGUSER"],
        os.environ["PGPASSWORD"],
        os.environ["PGHOST"],
        int(os.environ["PGPORT"]),
        "flowsift",
    )
    engine = sqlalchemy.create_engine(url)
    inspector = sqlalchemy.inspect(engine)
    check(f"SQLAlchemy {driver}: tables", "flows" in inspector.get_table_names(), True)
    frame = pandas.read_sql(
        sqlalchemy.text("SELECT host, sum(bytes) AS total FROM flows WHERE outbound AND hour = :hour GROUP BY host"),
        engine,
        params={"hour": 13},
    )
    check(f"pandas {driver}: rows", (len(frame) > 100, frame["host"].notna().sum() > 100), (True, True))
    frame = pandas.read_sql("SELECT start, bytes FROM flows LIMIT 10", engine)
    check(f"pandas {driver}: times", str(frame["start"].dtype).startswith("datetime64"), True)

end()
