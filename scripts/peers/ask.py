#!/usr/bin/env python3
"""One question to one engine in this process; prints one line of JSON with times and a check value.

    ask.py ENGINE QUESTION FOLDER [HOST HOUR]      engines: duckdb chdb polars datafusion

Questions, of egress records unless said:
  hosts    per internal host: records, bytes out to external addresses, distinct external destinations, fullest hour
  groups   per (srcaddr, dstaddr, dstport, protocol) of accepted records: count, bytes, first start, last end
  rare     destinations of at most two hosts with over 100 MB out, joined with their host's baseline; the best 100
  lookup   every record of one host in one hour, all columns, both directions
The clock runs from opening the engine to the fetched result; start of Python and imports are outside of it.
"""
import hashlib, json, os, resource, sys, time

ENGINE, QUESTION, FOLDER = sys.argv[1:4]
HOST, HOUR = sys.argv[4:6] if QUESTION == "lookup" else (None, None)
THREADS = os.environ.get("PEER_THREADS", "2")
for name in ("POLARS_MAX_THREADS", "RAYON_NUM_THREADS", "TOKIO_WORKER_THREADS"):
    os.environ[name] = THREADS
ROOT = FOLDER.rstrip("/") + "/AWSLogs/"
GLOB = ROOT + "*/*/*/*/*/*/*/*.parquet"
PRIVATE = r"^(10\.|192\.168\.|172\.(1[6-9]|2[0-9]|3[01])\.)"
RARE_HOSTS, RARE_BYTES = 2, 100_000_000


def clock():
    return time.perf_counter(), time.process_time()


def rare_of(sums, join):
    """The same joins in every dialect over t (s, d, h, c, b)."""
    return f"""{sums}, p as (select s, d, sum(c) pf, sum(b) pb from t group by s, d),
        rr as (select d, count(*) nh, sum(pb) db from p group by d having count(*) <= {RARE_HOSTS} and sum(pb) > {RARE_BYTES})
        select p.s, p.d, pb, pf, nh, db, bytes, nd, mh from p {join} order by db desc, p.d, p.s limit 100"""


def duckdb_():
    import duckdb, pyarrow  # noqa: F401
    begun = clock()
    db = duckdb.connect()
    db.execute(f"set threads={THREADS}; set preserve_insertion_order=false")
    db.execute(f"create view f as select * from read_parquet('{GLOB}', hive_partitioning=true)")
    ask = lambda sql: db.sql(sql).to_arrow_table()
    if QUESTION == "lookup":
        return begun, duckdb.__version__, ask(f"select * from f where hour='{HOUR}' and (srcaddr='{HOST}' or dstaddr='{HOST}')")
    if QUESTION == "groups":
        return begun, duckdb.__version__, ask("""select count(*) g, sum(c) c, sum(b) b, sum(s) s, sum(e) e from (select count(*) c,
            sum(bytes) b, min(start) s, max("end") e from f where flow_direction='egress' and action='ACCEPT'
            group by srcaddr, dstaddr, dstport, protocol)""")
    db.execute(f"""create temp table t as select srcaddr s, dstaddr d, start//3600 h, count(*)::BIGINT c, sum(bytes)::BIGINT b
        from f where flow_direction='egress' and regexp_matches(srcaddr,'{PRIVATE}') and not regexp_matches(dstaddr,'{PRIVATE}') group by all""")
    hours = """with h as (select s, h, sum(c) c, sum(b) b from t group by all),
        hh as (select s, sum(c)::BIGINT flows, sum(b)::BIGINT bytes, max(b)::BIGINT mh from h group by s),
        nd as (select s, count(*) nd from (select distinct s, d from t) group by s)"""
    if QUESTION == "hosts":
        return begun, duckdb.__version__, ask(f"{hours} select s, flows, bytes, nd, mh from hh join nd using (s)")
    return begun, duckdb.__version__, ask(rare_of(hours, "join rr using (d) join hh on p.s = hh.s join nd on p.s = nd.s"))


def chdb_():
    import io
    import chdb, pyarrow as pa
    from chdb import session
    begun = clock()
    db = session.Session()
    db.query(f"set max_threads={THREADS}")
    number = "toUInt32(toIPv4OrDefault({}))"
    private = lambda x: f"(bitAnd({x}, 4278190080) = 167772160 or bitAnd({x}, 4294901760) = 3232235520 or bitAnd({x}, 4293918720) = 2886729728)"
    types = ("srcaddr String, dstaddr String, srcport Int32, dstport Int32, protocol Int32, packets Int64, bytes Int64, "
             "start Int64, `end` Int64, action String, flow_direction String")
    logs = f"file('{GLOB}', 'Parquet', '{types}')"
    both = f"with {number.format('srcaddr')} as sa, {number.format('dstaddr')} as da"
    outward = f"where flow_direction = 'egress' and {private('sa')} and not {private('da')}"
    hosts = """select sa, sum(c) flows, sum(b) bytes, uniqExactMerge(u) nd, max(b) mh from
        (select sa, h, sum(c0) c, sum(b0) b, uniqExactState(da) u from t group by sa, h) group by sa"""
    if QUESTION == "lookup":
        db.query("set use_hive_partitioning=1")
        answer = db.query(f"select * from file('{GLOB}', 'Parquet') where hour = '{HOUR}' and (srcaddr = '{HOST}' or dstaddr = '{HOST}')", "Arrow")
    else:
        # Rows of both directions interleave, so filtering inside the reader only costs.
        db.query("set optimize_move_to_prewhere=0")
        if QUESTION == "groups":
            answer = db.query(f"""select count() g, sum(c) c, sum(b) b, sum(s) s, sum(e) e from ({both} select count() c, sum(bytes) b,
                min(start) s, max(`end`) e from {logs} where flow_direction = 'egress' and action = 'ACCEPT' group by sa, da, dstport, protocol)""", "Arrow")
        elif QUESTION == "hosts":
            answer = db.query(f"""select IPv4NumToString(sa) s, sum(c) flows, sum(b) bytes, uniqExactMerge(u) nd, max(b) mh from
                ({both} select sa, intDiv(start, 3600) h, count() c, sum(bytes) b, uniqExactState(da) u from {logs} {outward} group by sa, h) group by sa""", "Arrow")
        else:
            db.query(f"create table t engine=Memory as {both} select sa, da, intDiv(start, 3600) h, count() c0, sum(bytes) b0 from {logs} {outward} group by sa, da, h")
            answer = db.query(f"""with p as (select sa, da, sum(c0) pf, sum(b0) pb from t group by sa, da),
                rr as (select da, count() nh, sum(pb) db from p group by da having nh <= {RARE_HOSTS} and db > {RARE_BYTES}),
                pr as (select p.sa sa, p.da da, pb, pf, nh, db from p join rr on p.da = rr.da), hb as ({hosts})
                select IPv4NumToString(pr.sa) s, IPv4NumToString(pr.da) d, pb, pf, nh, db, hb.bytes bytes, hb.nd nd, hb.mh mh
                from pr join hb on pr.sa = hb.sa order by db desc, d, s limit 100""", "Arrow")
    ended = clock()
    return (begun, ended), chdb.__version__, pa.ipc.open_file(io.BytesIO(answer.bytes())).read_all()


def polars_():
    import polars as pl, pyarrow  # noqa: F401
    begun = clock()
    c = pl.col
    logs = pl.scan_parquet(GLOB, hive_partitioning=QUESTION == "lookup")
    run = lambda plan: plan.collect(engine="streaming")
    done = lambda frame: (begun, pl.__version__, frame.to_arrow())
    if QUESTION == "lookup":
        return done(run(logs.filter((c.hour.cast(pl.String) == str(int(HOUR))) & ((c.srcaddr == HOST) | (c.dstaddr == HOST)))))
    if QUESTION == "groups":
        accepted = logs.filter((c.flow_direction == "egress") & (c.action == "ACCEPT"))
        of = accepted.group_by("srcaddr", "dstaddr", "dstport", "protocol").agg(pl.len().alias("c"), b=c.bytes.sum(), s=c.start.min(), e=c.end.max())
        return done(run(of.select(pl.len().alias("g"), c.c.sum(), c.b.sum(), c.s.sum(), c.e.sum())))
    outward = logs.filter((c.flow_direction == "egress") & c.srcaddr.str.contains(PRIVATE) & ~c.dstaddr.str.contains(PRIVATE))
    t = run(outward.group_by("srcaddr", "dstaddr", h=c.start // 3600).agg(pl.len().alias("c"), b=c.bytes.sum())).lazy()
    pairs = run(t.group_by("srcaddr", "dstaddr").agg(pf=c.c.sum(), pb=c.b.sum())).lazy()
    by_hour = t.group_by("srcaddr", "h").agg(c.c.sum(), c.b.sum()).group_by("srcaddr").agg(flows=c.c.sum(), hbytes=c.b.sum(), mh=c.b.max())
    hosts = by_hour.join(pairs.group_by("srcaddr").agg(nd=pl.len()), on="srcaddr").select("srcaddr", "flows", "hbytes", "nd", "mh")
    if QUESTION == "hosts":
        return done(run(hosts))
    few = pairs.group_by("dstaddr").agg(nh=pl.len(), db=c.pb.sum()).filter((c.nh <= RARE_HOSTS) & (c.db > RARE_BYTES))
    best = pairs.join(few, on="dstaddr").join(hosts, on="srcaddr").sort("db", "dstaddr", "srcaddr", descending=[True, False, False]).head(100)
    return done(run(best.select("srcaddr", "dstaddr", "pb", "pf", "nh", "db", "hbytes", "nd", "mh")))


def datafusion_():
    import datafusion, pyarrow as pa
    from datafusion import SessionConfig, SessionContext
    begun = clock()
    selective = "true" if QUESTION == "lookup" else "false"
    db = SessionContext(SessionConfig({
        "datafusion.execution.target_partitions": THREADS,
        "datafusion.execution.skip_partial_aggregation_probe_ratio_threshold": "0.3",
        "datafusion.execution.collect_statistics": "false",
        "datafusion.execution.parquet.pushdown_filters": selective, "datafusion.execution.parquet.reorder_filters": selective,
    }))
    parts = ("aws-account-id", "aws-service", "aws-region", "year", "month", "day", "hour")
    db.register_listing_table("f", ROOT, table_partition_cols=[(name, pa.string()) for name in parts], file_extension=".parquet")
    done = lambda sql: (begun, datafusion.__version__, db.sql(sql).to_arrow_table())
    if QUESTION == "lookup":
        return done(f"select * from f where hour='{HOUR}' and (srcaddr='{HOST}' or dstaddr='{HOST}')")
    if QUESTION == "groups":
        return done("""select count(*) g, sum(c) c, sum(b) b, sum(s) s, sum(e) e from (select count(*) c, sum(bytes) b, min(start) s,
            max("end") e from f where flow_direction='egress' and action='ACCEPT' group by srcaddr, dstaddr, dstport, protocol)""")
    db.register_table("t", db.sql(f"""select srcaddr s, dstaddr d, start/3600 h, count(*) c, sum(bytes) b from f where flow_direction='egress'
        and regexp_like(srcaddr,'{PRIVATE}') and not regexp_like(dstaddr,'{PRIVATE}') group by 1, 2, 3""").cache())
    hours = """with h as (select s, h, sum(c) c, sum(b) b from t group by 1, 2),
        hh as (select s, sum(c) flows, sum(b) bytes, max(b) mh from h group by s),
        nd as (select s, count(distinct d) nd from t group by s)"""
    if QUESTION == "hosts":
        return done(f"{hours} select hh.s, flows, bytes, nd, mh from hh join nd on hh.s = nd.s")
    return done(rare_of(hours, "join rr on p.d = rr.d join hh on p.s = hh.s join nd on p.s = nd.s"))


def check(columns):
    """What every engine must agree on: counts and sums, of the best hundred a hash."""
    rows = len(next(iter(columns.values())))
    values = list(columns.values())
    if QUESTION == "lookup":
        return [rows, int(sum(columns["bytes"])), int(sum(columns["packets"]))]
    if QUESTION == "rare":
        text = repr(sorted(tuple(str(value) for value in row) for row in zip(*values)))
        return [rows, hashlib.md5(text.encode()).hexdigest()[:12]]
    return [rows] + [int(sum(column)) for column in values if not isinstance(column[0], str)]


def main():
    if ENGINE == "check":
        # Of a result of another program, as CSV on stdin.
        import csv
        rows = list(csv.DictReader(sys.stdin))
        number = lambda text: int(text) if text.lstrip("-").isdigit() else text
        keep = ["bytes", "packets"] if QUESTION == "lookup" else list(rows[0])
        return print(json.dumps(check({name: [number(row[name]) for row in rows] for name in keep})))
    begun, version, table = {"duckdb": duckdb_, "chdb": chdb_, "polars": polars_, "datafusion": datafusion_}[ENGINE]()
    # chdb hands over bytes; making Arrow of them is for the check only.
    (begun, ended) = begun if isinstance(begun[0], tuple) else (begun, clock())
    keep = ["bytes", "packets"] if QUESTION == "lookup" else table.column_names
    line = {
        "engine": ENGINE, "workload": QUESTION, "version": version,
        "wall_s": round(ended[0] - begun[0], 4), "cpu_s": round(ended[1] - begun[1], 4),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "check": check({name: table.column(name).to_pylist() for name in keep}),
    }
    print(json.dumps(line), flush=True)
    # chdb's threads do not end by themselves.
    os._exit(0)


main()
