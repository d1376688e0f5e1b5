#!/usr/bin/env python3
"""One question to one engine in this process; prints one line of JSON with times and a check value.

    ask.py ENGINE QUESTION FOLDER [HOST HOUR]      engines: duckdb chdb polars datafusion
    ask.py check QUESTION FOLDER                   the check value of another program's answer, as CSV on stdin

Questions, of egress records unless said:
  hosts    per internal host: records, bytes out to external addresses, distinct external destinations, fullest hour
  groups   per (srcaddr, dstaddr, dstport, protocol) of accepted records: count, bytes, first start, last end
  rare     destinations of at most two hosts with over 100 MB out, joined with their host's baseline; the best 100
  lookup   every record of one host in one hour, all columns, both directions

The clock runs from opening the engine to the fetched result; the start of Python and imports are outside of it.
"""

import csv
import hashlib
import json
import sys

import engine
from engine import PRIVATE, RARE_BYTES, RARE_HOSTS

ENGINE, QUESTION, FOLDER = sys.argv[1:4]
HOST, HOUR = sys.argv[4:6] if QUESTION == "lookup" else (None, None)

GROUPS = """select count(*) g, sum(c) c, sum(b) b, sum(s) s, sum(e) e from (
    select count(*) c, sum(bytes) b, min(start) s, max("end") e from f
    where flow_direction='egress' and action='ACCEPT' group by srcaddr, dstaddr, dstport, protocol)"""
LOOKUP = f"select * from f where hour='{HOUR}' and (srcaddr='{HOST}' or dstaddr='{HOST}')"


def rare_sql(sums, join):
    """Returns the query of rare destinations over t (s, d, h, c, b), the same joins in every dialect."""
    return f"""{sums}, p as (select s, d, sum(c) pf, sum(b) pb from t group by s, d),
        rr as (select d, count(*) nh, sum(pb) db from p group by d
               having count(*) <= {RARE_HOSTS} and sum(pb) > {RARE_BYTES})
        select p.s, p.d, pb, pf, nh, db, bytes, nd, mh from p {join} order by db desc, p.d, p.s limit 100"""


def ask_duckdb(watch):
    import duckdb
    import pyarrow  # noqa: F401

    watch.start()
    db = engine.open_duckdb()
    db.execute(f"create view f as select * from read_parquet('{engine.files_of(FOLDER)}', hive_partitioning=true)")

    def answer(sql):
        return duckdb.__version__, db.sql(sql).to_arrow_table()

    if QUESTION == "lookup":
        return answer(LOOKUP)
    if QUESTION == "groups":
        return answer(GROUPS)
    db.execute(f"""create temp table t as
        select srcaddr s, dstaddr d, start//3600 h, count(*)::BIGINT c, sum(bytes)::BIGINT b from f
        where flow_direction='egress' and regexp_matches(srcaddr,'{PRIVATE}')
          and not regexp_matches(dstaddr,'{PRIVATE}') group by all""")
    hours = """with h as (select s, h, sum(c) c, sum(b) b from t group by all),
        hh as (select s, sum(c)::BIGINT flows, sum(b)::BIGINT bytes, max(b)::BIGINT mh from h group by s),
        nd as (select s, count(*) nd from (select distinct s, d from t) group by s)"""
    if QUESTION == "hosts":
        return answer(f"{hours} select s, flows, bytes, nd, mh from hh join nd using (s)")
    return answer(rare_sql(hours, "join rr using (d) join hh on p.s = hh.s join nd on p.s = nd.s"))


def ask_chdb(watch):
    import chdb
    import pyarrow  # noqa: F401

    watch.start()
    db = engine.ClickHouse(FOLDER)
    outward = f"where flow_direction = 'egress' and {db.is_private('sa')} and not {db.is_private('da')}"
    if QUESTION == "lookup":
        db.query("set use_hive_partitioning=1")
        is_asked = f"hour = '{HOUR}' and (srcaddr = '{HOST}' or dstaddr = '{HOST}')"
        answer = db.ask(f"select * from {db.files}) where {is_asked}")
    elif QUESTION == "groups":
        db.filter_after_reading()
        answer = db.ask(f"""select count() g, sum(c) c, sum(b) b, sum(s) s, sum(e) e from (
            {db.ADDRESSES} select count() c, sum(bytes) b, min(start) s, max(`end`) e from {db.logs}
            where flow_direction = 'egress' and action = 'ACCEPT' group by sa, da, dstport, protocol)""")
    elif QUESTION == "hosts":
        db.filter_after_reading()
        answer = db.ask(f"""
            select IPv4NumToString(sa) s, sum(c) flows, sum(b) bytes, uniqExactMerge(u) nd, max(b) mh from (
              {db.ADDRESSES} select sa, intDiv(start, 3600) h, count() c, sum(bytes) b, uniqExactState(da) u
              from {db.logs} {outward} group by sa, h) group by sa""")
    else:
        db.filter_after_reading()
        db.query(f"""create table t engine=Memory as {db.ADDRESSES}
            select sa, da, intDiv(start, 3600) h, count() c0, sum(bytes) b0 from {db.logs} {outward}
            group by sa, da, h""")
        answer = db.ask(f"""with p as (select sa, da, sum(c0) pf, sum(b0) pb from t group by sa, da),
            rr as (select da, count() nh, sum(pb) db from p group by da
                   having nh <= {RARE_HOSTS} and db > {RARE_BYTES}),
            pr as (select p.sa sa, p.da da, pb, pf, nh, db from p join rr on p.da = rr.da),
            hb as (select sa, sum(c) flows, sum(b) bytes, uniqExactMerge(u) nd, max(b) mh from
                   (select sa, h, sum(c0) c, sum(b0) b, uniqExactState(da) u from t group by sa, h) group by sa)
            select IPv4NumToString(pr.sa) s, IPv4NumToString(pr.da) d, pb, pf, nh, db, hb.bytes bytes, hb.nd nd,
              hb.mh mh from pr join hb on pr.sa = hb.sa order by db desc, d, s limit 100""")
    watch.stop()
    return chdb.__version__, db.table(answer)


def ask_polars(watch):
    import polars as pl
    import pyarrow  # noqa: F401

    watch.start()
    c = pl.col
    logs = pl.scan_parquet(engine.files_of(FOLDER), hive_partitioning=QUESTION == "lookup")
    is_egress = c.flow_direction == "egress"

    def run(plan):
        return plan.collect(engine="streaming")

    def answer(plan):
        return pl.__version__, run(plan).to_arrow()

    if QUESTION == "lookup":
        is_hour = c.hour.cast(pl.String) == str(int(HOUR))
        return answer(logs.filter(is_hour & ((c.srcaddr == HOST) | (c.dstaddr == HOST))))
    if QUESTION == "groups":
        groups = logs.filter(is_egress & (c.action == "ACCEPT")).group_by("srcaddr", "dstaddr", "dstport", "protocol")
        sums = groups.agg(pl.len().alias("c"), b=c.bytes.sum(), s=c.start.min(), e=c.end.max())
        return answer(sums.select(pl.len().alias("g"), c.c.sum(), c.b.sum(), c.s.sum(), c.e.sum()))
    outward = logs.filter(is_egress & c.srcaddr.str.contains(PRIVATE) & ~c.dstaddr.str.contains(PRIVATE))
    t = outward.group_by("srcaddr", "dstaddr", h=c.start // 3600).agg(pl.len().alias("c"), b=c.bytes.sum())
    t = run(t).lazy()
    pairs = run(t.group_by("srcaddr", "dstaddr").agg(pf=c.c.sum(), pb=c.b.sum())).lazy()
    by_hour = t.group_by("srcaddr", "h").agg(c.c.sum(), c.b.sum())
    by_host = by_hour.group_by("srcaddr").agg(flows=c.c.sum(), hbytes=c.b.sum(), mh=c.b.max())
    remotes = pairs.group_by("srcaddr").agg(nd=pl.len())
    hosts = by_host.join(remotes, on="srcaddr").select("srcaddr", "flows", "hbytes", "nd", "mh")
    if QUESTION == "hosts":
        return answer(hosts)
    few = pairs.group_by("dstaddr").agg(nh=pl.len(), db=c.pb.sum())
    few = few.filter((c.nh <= RARE_HOSTS) & (c.db > RARE_BYTES))
    best = pairs.join(few, on="dstaddr").join(hosts, on="srcaddr")
    best = best.sort("db", "dstaddr", "srcaddr", descending=[True, False, False]).head(100)
    return answer(best.select("srcaddr", "dstaddr", "pb", "pf", "nh", "db", "hbytes", "nd", "mh"))


def ask_datafusion(watch):
    import datafusion

    watch.start()
    selective = "true" if QUESTION == "lookup" else "false"
    db = engine.open_datafusion(FOLDER, {
        "datafusion.execution.parquet.pushdown_filters": selective,
        "datafusion.execution.parquet.reorder_filters": selective,
    })

    def answer(sql):
        return datafusion.__version__, db.sql(sql).to_arrow_table()

    if QUESTION == "lookup":
        return answer(LOOKUP)
    if QUESTION == "groups":
        return answer(GROUPS)
    outward = db.sql(f"""select srcaddr s, dstaddr d, start/3600 h, count(*) c, sum(bytes) b from f
        where flow_direction='egress' and regexp_like(srcaddr,'{PRIVATE}') and not regexp_like(dstaddr,'{PRIVATE}')
        group by 1, 2, 3""")
    db.register_table("t", outward.cache())
    hours = """with h as (select s, h, sum(c) c, sum(b) b from t group by 1, 2),
        hh as (select s, sum(c) flows, sum(b) bytes, max(b) mh from h group by s),
        nd as (select s, count(distinct d) nd from t group by s)"""
    if QUESTION == "hosts":
        return answer(f"{hours} select hh.s, flows, bytes, nd, mh from hh join nd on hh.s = nd.s")
    return answer(rare_sql(hours, "join rr on p.d = rr.d join hh on p.s = hh.s join nd on p.s = nd.s"))


def check(columns):
    """Returns what every engine must agree on: counts and sums, and a hash of the best hundred."""
    values = list(columns.values())
    rows = len(values[0])
    if QUESTION == "lookup":
        return [rows, int(sum(columns["bytes"])), int(sum(columns["packets"]))]
    if QUESTION == "rare":
        text = repr(sorted(tuple(str(value) for value in row) for row in zip(*values)))
        return [rows, hashlib.md5(text.encode()).hexdigest()[:12]]
    return [rows] + [int(sum(column)) for column in values if not isinstance(column[0], str)]


def checked_columns(names):
    """Returns the columns that the check needs: looked-up rows have others that engines write differently."""
    return ["bytes", "packets"] if QUESTION == "lookup" else names


def check_table(table):
    """Checks a table of Arrow."""
    return check({name: table.column(name).to_pylist() for name in checked_columns(table.column_names)})


def check_csv(lines):
    """Checks an answer in CSV."""
    def value(text):
        return int(text) if text.lstrip("-").isdigit() else text

    rows = list(csv.DictReader(lines))
    return check({name: [value(row[name]) for row in rows] for name in checked_columns(list(rows[0]))})


if __name__ == "__main__":
    if ENGINE == "check":
        print(json.dumps(check_csv(sys.stdin)))
    else:
        engines = {"duckdb": ask_duckdb, "chdb": ask_chdb, "polars": ask_polars, "datafusion": ask_datafusion}
        engine.run(engines, ENGINE, QUESTION, check_table)
