"""Asks a server with Python's clients; run by scripts/try-python, which sets PGHOST and the like."""

import asyncio
import datetime
import os
import subprocess
import sys

import asyncpg
import pandas
import psycopg
import psycopg2
import sqlalchemy
from checking import check, end

def tried(what, ask, expected):
    try:
        found = ask()
    except Exception as error:
        found = f"{type(error).__name__}: {error}"
    check(what, found, expected)


utc = datetime.timezone.utc
midnight = datetime.datetime(2023, 11, 22, tzinfo=utc)
hour = datetime.timedelta(hours=1)
# Each question with arrays or intervals in the other form of the same question.
with psycopg.connect(autocommit=True) as plain:
    one = lambda sql: plain.execute(sql).fetchone()[0]
    ports = one("SELECT count(*) FROM flows WHERE dstport IN (443, 80)")
    others = one("SELECT count(*) FROM flows WHERE dstport NOT IN (443, 80)")
    hosts = [row[0] for row in plain.execute("SELECT host FROM hosts ORDER BY host LIMIT 2").fetchall()]
    of_hosts = one("SELECT count(*) FROM flows WHERE host IN ('%s', '%s')" % tuple(hosts))
    first_hour = one("SELECT count(*) FROM flows WHERE start < TIMESTAMP '2023-11-22T01:00:00Z'")
    all_ports = plain.execute("SELECT DISTINCT dstport FROM flows WHERE host = '%s'" % hosts[0]).fetchall()
    all_ports = sorted(row[0] for row in all_ports if row[0] is not None)
    check("the corpus has what is asked for", min(ports, others, of_hosts, first_hour, len(all_ports)) > 0, True)
listed = "SELECT array_agg(DISTINCT dstport) FILTER (WHERE dstport IS NOT NULL) FROM flows WHERE host = "

with psycopg.connect(autocommit=True) as connection:
    for binary in (False, True):
        cursor = connection.cursor(binary=binary)
        mark = "%b" if binary else "%s"

        def ask(sql, *values):
            return cursor.execute(sql.replace("%s", mark), values).fetchone()[0]

        name = f"psycopg, binary={binary}"
        tried(f"{name}: = ANY of numbers", lambda: ask("SELECT count(*) FROM flows WHERE dstport = ANY(%s)", [443, 80]), ports)
        tried(f"{name}: <> ALL of numbers", lambda: ask("SELECT count(*) FROM flows WHERE dstport <> ALL(%s)", [443, 80]), others)
        tried(f"{name}: = ANY of texts", lambda: ask("SELECT count(*) FROM flows WHERE host = ANY(%s)", hosts), of_hosts)
        tried(f"{name}: = ANY of none", lambda: ask("SELECT count(*) FROM flows WHERE host = ANY(%s)", []), 0)
        tried(f"{name}: a span", lambda: ask("SELECT count(*) FROM flows WHERE start < %s + %s", midnight, hour), first_hour)
        tried(f"{name}: a list", lambda: sorted(ask(listed + "%s", hosts[0])), all_ports)
        tried(f"{name}: a span back", lambda: ask("SELECT max(start) - min(start) FROM flows") < 3 * hour, True)
        tried(f"{name}: now()", lambda: ask("SELECT now()").utcoffset(), datetime.timedelta(0))
        tried(f"{name}: timestamptz", lambda: ask("SELECT '2023-11-22T00:00:00Z'::timestamptz"), midnight)
        text = "SELECT count(*) FROM flows WHERE dstport = ANY('{443,80}'::int[])"
        tried(f"{name}: an array's text", lambda: ask(text), ports)
        field = "SELECT (beacon(start)).connections = beacon(start).connections FROM flows"
        tried(f"{name}: a struct's field", lambda: ask(field), True)

with psycopg2.connect("") as connection, connection.cursor() as cursor:

    def ask2(sql, *values):
        cursor.execute(sql, values)
        return cursor.fetchone()[0]

    tried("psycopg2: = ANY of numbers", lambda: ask2("SELECT count(*) FROM flows WHERE dstport = ANY(%s)", [443, 80]), ports)
    tried("psycopg2: = ANY of texts", lambda: ask2("SELECT count(*) FROM flows WHERE host = ANY(%s)", hosts), of_hosts)
    tried("psycopg2: a span", lambda: ask2("SELECT count(*) FROM flows WHERE start < %s + %s", midnight, hour), first_hour)
    tried("psycopg2: a list", lambda: sorted(ask2(listed + "%s", hosts[0])), all_ports)


async def with_asyncpg():
    connection = await asyncpg.connect()

    async def ask(what, expected, sql, *values, of=lambda found: found):
        try:
            found = of(await connection.fetchval(sql, *values))
        except Exception as error:
            found = f"{type(error).__name__}: {error}"
        check(f"asyncpg: {what}", found, expected)

    await ask("= ANY of numbers", ports, "SELECT count(*) FROM flows WHERE dstport = ANY($1::int[])", [443, 80])
    await ask("= ANY without a type", ports, "SELECT count(*) FROM flows WHERE dstport = ANY($1)", [443, 80])
    await ask("= ANY of texts", of_hosts, "SELECT count(*) FROM flows WHERE host = ANY($1)", hosts)
    await ask("<> ALL of numbers", others, "SELECT count(*) FROM flows WHERE dstport <> ALL($1)", [443, 80])
    span = "SELECT count(*) FROM flows WHERE start < $1::timestamptz + $2::interval"
    await ask("a span", first_hour, span, midnight, hour)
    await ask("a list", all_ports, listed + "$1", hosts[0], of=sorted)
    await ask("a time", midnight, "SELECT '2023-11-22T00:00:00Z'::timestamptz")
    await connection.close()


asyncio.run(with_asyncpg())

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
    name = f"SQLAlchemy, {driver}"
    tried(f"{name}: schemas", lambda: "public" in inspector.get_schema_names(), True)
    tried(f"{name}: tables", lambda: {"flows", "hosts"} <= set(inspector.get_table_names()), True)
    tried(f"{name}: views", lambda: inspector.get_view_names(), [])
    columns = lambda: {column["name"]: str(column["type"]) for column in inspector.get_columns("flows")}
    tried(f"{name}: columns", lambda: (columns()["start"], columns()["bytes"]), ("TIMESTAMP", "BIGINT"))
    tried(f"{name}: primary key", lambda: inspector.get_pk_constraint("flows")["constrained_columns"], [])
    tried(f"{name}: foreign keys", lambda: inspector.get_foreign_keys("flows"), [])
    tried(f"{name}: indexes", lambda: inspector.get_indexes("flows"), [])
    tried(f"{name}: unique", lambda: inspector.get_unique_constraints("flows"), [])
    tried(f"{name}: comment", lambda: inspector.get_table_comment("flows"), {"text": None})
    tried(f"pandas, {driver}: a table", lambda: len(pandas.read_sql_table("hosts", engine)) > 0, True)
    query = sqlalchemy.text("SELECT count(*) AS n FROM flows WHERE start >= :since AND dstport IN :ports")
    query = query.bindparams(sqlalchemy.bindparam("ports", expanding=True))
    values = {"since": midnight, "ports": [443, 80]}
    tried(f"pandas, {driver}: parameters", lambda: int(pandas.read_sql(query, engine, params=values)["n"][0]), ports)

command = [sys.argv[1], "-l"]
listed_databases = subprocess.run(command, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
check("pgcli -l", "flowsift" in listed_databases.stdout, True)
script = "\\dt\nSELECT count(*) AS n FROM flows WHERE dstport = ANY('{443,80}'::int[]);\n\\q\n"
asked = subprocess.run([sys.argv[1], "--less-chatty"], input=script, capture_output=True, text=True, timeout=120)
check("pgcli: tables and a question", ("pair_hours" in asked.stdout, str(ports) in asked.stdout), (True, True))

end()
