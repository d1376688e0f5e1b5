#!/usr/bin/env python3
"""One workload on one engine in this process; prints one line of JSON with times and a check value.

    job.py ENGINE WORKLOAD FOLDER      engines: duckdb chdb polars datafusion

Workloads over egress records, written as fast as we could for each engine:
  sums   count, bytes and packets of accepted records
  job    what a detection batch computes: per host records, bytes, distinct external destinations and fullest hour; per
         (srcaddr, dstaddr, dstport, protocol) count, bytes, first and last; the beacon score of every such triple with
         20 or more distinct starts (quartiles, MAD, skew, sizes; the best 100); remotes of at most two hosts with over
         100 MB, joined with their host's baseline
  columns  (datafusion only) the 23 columns of flowsift's scan, read to batches and dropped
The clock runs from opening the engine to the fetched result; start of Python and imports are outside of it.
"""
import hashlib, json, os, resource, sys, time

ENGINE, WORKLOAD, FOLDER = sys.argv[1:4]
THREADS = os.environ.get("PEER_THREADS", "2")
for name in ("POLARS_MAX_THREADS", "RAYON_NUM_THREADS", "TOKIO_WORKER_THREADS"):
    os.environ[name] = THREADS
ROOT = FOLDER.rstrip("/") + "/AWSLogs/"
GLOB = ROOT + "*/*/*/*/*/*/*/*.parquet"
PRIVATE = r"^(10\.|192\.168\.|172\.(1[6-9]|2[0-9]|3[01])\.)"
MIN_STARTS, RARE_HOSTS, RARE_BYTES = 20, 2, 100_000_000


def clock():
    return time.perf_counter(), time.process_time()


def duckdb_():
    import duckdb, pyarrow  # noqa: F401
    begun = clock()
    db = duckdb.connect()
    db.execute(f"set threads={THREADS}; set preserve_insertion_order=false")
    db.execute(f"create view f as select * from read_parquet('{GLOB}')")
    ask = lambda sql: db.sql(sql).to_arrow_table()
    if WORKLOAD == "sums":
        return begun, duckdb.__version__, ask("select count(*) n, sum(bytes) b, sum(packets) p from f where action='ACCEPT'")
    # Addresses stay text: their dictionaries make the regular expression cheap, and integers were slower.
    db.execute("""create temp table e as select srcaddr, dstaddr, dstport, protocol, start, "end", bytes,
        action='ACCEPT' acc from f where flow_direction='egress'""")
    db.execute(f"""create temp table t as select srcaddr s, dstaddr d, start//3600 h, count(*)::BIGINT c,
        sum(bytes)::BIGINT b from e where regexp_matches(srcaddr,'{PRIVATE}') and not regexp_matches(dstaddr,'{PRIVATE}')
        group by all""")
    hours = """h as (select s, h, sum(c) c, sum(b) b from t group by all),
        hh as (select s, sum(c)::BIGINT flows, sum(b)::BIGINT bytes, max(b)::BIGINT mh from h group by s),
        d as (select s, count(*) nd from (select distinct s, d from t) group by s)"""
    hosts = ask(f"with {hours} select s, flows, bytes, nd, mh from hh join d using (s)")
    rare = ask(f"""with {hours}, p as (select s, d, sum(c)::BIGINT pf, sum(b)::BIGINT pb from t group by all),
        rr as (select d, count(*) nh, sum(pb)::BIGINT db from p group by d
               having count(*) <= {RARE_HOSTS} and sum(pb) > {RARE_BYTES})
        select p.s, p.d, pb, pf, nh, db, bytes, nd, mh from p join rr using (d) join hh on p.s = hh.s join d on p.s = d.s
        order by db desc, p.d, p.s limit 100""")
    groups = ask("""select count(*) g, sum(c) c, sum(b) b, sum(s) s, sum(e) e from (select count(*) c, sum(bytes) b,
        min(start) s, max("end") e from e where acc group by srcaddr, dstaddr, dstport, protocol)""")
    beacons = ask(f"""with c as materialized (select srcaddr, dstaddr, dstport, row_number() over () id from
          (select srcaddr, dstaddr, dstport from e where acc group by all having count(*) >= {MIN_STARTS})),
        r as materialized (select id, start, bytes from e join c using (srcaddr, dstaddr, dstport) where acc),
        u as (select distinct id, start from r),
        l as (select id, start, start - lag(start) over (partition by id order by start) d from u),
        m as (select id, count(*) n, max(start) - min(start) span, quantile_cont(d, [0.25, 0.5, 0.75]) qq, mad(d) mad
              from l group by id having count(*) >= {MIN_STARTS}),
        b as (select id, count(*) nrec, median(bytes) bmed, mad(bytes) bmad from r group by id),
        q as (select srcaddr, dstaddr, dstport, n, nrec, qq[2] med, qq[1] q1, qq[3] q3, span, mad, bmed, bmad
              from m join b using (id) join c using (id)),
        s as (select *, case when q3 > q1 and med <> q1 and med <> q3 then (q1 + q3 - 2 * med) / (q3 - q1) else 0 end skew,
              case when med > 0 then greatest(0, 1 - mad / med) else 0 end even, least(1.0, med * (n - 1) / span) cover,
              case when bmed > 0 then greatest(0, 1 - bmad / bmed) else 0 end size from q)
        select srcaddr, dstaddr, dstport, n, nrec, (1 - abs(skew) + even + cover + size) / 4 score from s
        order by score desc, srcaddr, dstaddr, dstport limit 100""")
    return begun, duckdb.__version__, (hosts, groups, beacons, rare)


def chdb_():
    import io
    import chdb, pyarrow as pa
    from chdb import session
    begun = clock()
    db = session.Session()
    # Rows of both directions interleave, so filtering inside the reader only costs.
    db.query(f"set max_threads={THREADS}")
    db.query("set optimize_move_to_prewhere=0")
    types = ("srcaddr String, dstaddr String, srcport Int32, dstport Int32, protocol Int32, packets Int64, bytes Int64, "
             "start Int64, `end` Int64, action String, flow_direction String")
    logs = f"file('{GLOB}', 'Parquet', '{types}')"
    answers = []

    def ask(sql):
        answers.append(db.query(sql, "Arrow"))

    def private(x):
        return (f"(bitAnd({x}, 4278190080) = 167772160 or bitAnd({x}, 4294901760) = 3232235520 "
                f"or bitAnd({x}, 4293918720) = 2886729728)")

    if WORKLOAD == "sums":
        ask(f"select count() n, sum(bytes) b, sum(packets) p from {logs} where action = 'ACCEPT'")
    else:
        db.query(f"""create table e engine=Memory as with toUInt32(toIPv4OrDefault(srcaddr)) as sa,
            toUInt32(toIPv4OrDefault(dstaddr)) as da select sa, da, toUInt16(dstport) dstport, toUInt8(protocol) protocol,
            toUInt32(start) start, toUInt32(`end`) `end`, bytes, action = 'ACCEPT' acc from {logs}
            where flow_direction = 'egress'""")
        db.query(f"""create table t engine=Memory as select sa, da, intDiv(start, 3600) h, count() c0, sum(bytes) b0 from e
            where {private('sa')} and not {private('da')} group by sa, da, h""")
        hosts = """select sa, sum(c) flows, sum(b) bytes, uniqExactMerge(u) nd, max(b) mh from
            (select sa, h, sum(c0) c, sum(b0) b, uniqExactState(da) u from t group by sa, h) group by sa"""
        ask(f"select IPv4NumToString(sa) s, flows, bytes, nd, mh from ({hosts})")
        db.query("""create table g engine=Memory as select sa, da, dstport, protocol, count() c, sum(bytes) b, min(start) s,
            max(`end`) e from e where acc group by sa, da, dstport, protocol""")
        ask("select count() g, sum(c) c, sum(b) b, sum(s) s, sum(e) e from g")
        ask(f"""with l as (select sa, da, dstport, count() nrec, arraySort(arrayDistinct(groupArray(start))) st,
              groupArray(bytes) bb from e where acc and (sa, da, dstport) in
                (select sa, da, dstport from g group by sa, da, dstport having sum(c) >= {MIN_STARTS})
              group by sa, da, dstport having nrec >= {MIN_STARTS}),
            d as (select sa, da, dstport, nrec, bb, length(st) n, st[-1] - st[1] span,
              arrayPopFront(arrayDifference(st)) dl, arrayReduce('quantilesExactInclusive(0.25,0.5,0.75)', dl) qq,
              qq[1] q1, qq[2] med, qq[3] q3,
              arrayReduce('quantileExactInclusive(0.5)', arrayMap(x -> abs(x - med), dl)) mad,
              arrayReduce('quantileExactInclusive(0.5)', bb) bmed,
              arrayReduce('quantileExactInclusive(0.5)', arrayMap(x -> abs(x - bmed), bb)) bmad
              from l where length(st) >= {MIN_STARTS}),
            q as (select *, if(q3 > q1 and med <> q1 and med <> q3, (q1 + q3 - 2 * med) / (q3 - q1), 0) skew,
              if(med > 0, greatest(0, 1 - mad / med), 0) even, least(1.0, med * (n - 1) / span) cover,
              if(bmed > 0, greatest(0, 1 - bmad / bmed), 0) size from d)
            select IPv4NumToString(sa) srcaddr, IPv4NumToString(da) dstaddr, dstport, n, nrec,
              (1 - abs(skew) + even + cover + size) / 4 score from q order by score desc, srcaddr, dstaddr, dstport limit 100""")
        ask(f"""with p as (select sa, da, sum(c0) pf, sum(b0) pb from t group by sa, da),
            rr as (select da, count() nh, sum(pb) db from p group by da having nh <= {RARE_HOSTS} and db > {RARE_BYTES}),
            pr as (select p.sa sa, p.da da, pb, pf, nh, db from p join rr on p.da = rr.da), hb as ({hosts})
            select IPv4NumToString(pr.sa) s, IPv4NumToString(pr.da) d, pb, pf, nh, db, hb.bytes bytes, hb.nd nd, hb.mh mh
            from pr join hb on pr.sa = hb.sa order by db desc, d, s limit 100""")
    begun = (begun, clock())
    tables = tuple(pa.ipc.open_file(io.BytesIO(answer.bytes())).read_all() for answer in answers)
    return begun, chdb.__version__, tables if len(tables) > 1 else tables[0]


def polars_():
    import polars as pl, pyarrow  # noqa: F401
    begun = clock()
    c = pl.col
    logs = lambda: pl.scan_parquet(GLOB, hive_partitioning=False)
    run = lambda plan: plan.collect(engine="streaming")
    if WORKLOAD == "sums":
        accepted = logs().filter(c.action == "ACCEPT")
        return begun, pl.__version__, run(accepted.select(pl.len().alias("n"), c.bytes.sum().alias("b"), c.packets.sum().alias("p"))).to_arrow()
    egress = run(logs().filter(c.flow_direction == "egress").select("srcaddr", "dstaddr", "dstport", "protocol", "start", "end", "bytes", acc=c.action == "ACCEPT")).lazy()
    outward = run(egress.filter(c.srcaddr.str.contains(PRIVATE) & ~c.dstaddr.str.contains(PRIVATE)).select("srcaddr", "dstaddr", "start", "bytes")).lazy()
    by_hour = outward.group_by("srcaddr", h=c.start // 3600).agg(pl.len().alias("c"), b=c.bytes.sum())
    hours = by_hour.group_by("srcaddr").agg(flows=c.c.sum(), hbytes=c.b.sum(), mh=c.b.max())
    remotes = outward.group_by("srcaddr", "dstaddr").agg().group_by("srcaddr").agg(nd=pl.len())
    hosts = run(hours.join(remotes, on="srcaddr").select("srcaddr", "flows", "hbytes", "nd", "mh"))
    accepted = egress.filter(c.acc)
    groups = run(accepted.group_by("srcaddr", "dstaddr", "dstport", "protocol")
                 .agg(pl.len().alias("c"), b=c.bytes.sum(), s=c.start.min(), e=c.end.max())
                 .select(pl.len().alias("g"), c.c.sum(), c.b.sum(), c.s.sum(), c.e.sum()))
    key = ["srcaddr", "dstaddr", "dstport"]
    lists = accepted.select(*key, "start", "bytes").group_by(key).agg(c.start, c.bytes).filter(c.start.list.len() >= MIN_STARTS)
    lists = lists.with_columns(nrec=c.start.list.len(), st=c.start.list.unique().list.sort()).filter(c.st.list.len() >= MIN_STARTS)
    lists = lists.with_columns(n=c.st.list.len(), span=c.st.list.last() - c.st.list.first(), dl=c.st.list.diff(null_behavior="drop"), bmed=c.bytes.list.median())
    spread = (pl.element() - pl.element().median()).abs().median()
    quartile = lambda at: c.dl.list.eval(pl.element().quantile(at, "linear")).list.first()
    lists = lists.with_columns(med=c.dl.list.median(), q1=quartile(.25), q3=quartile(.75), mad=c.dl.list.eval(spread).list.first(), bmad=c.bytes.list.eval(spread).list.first()).drop("start", "bytes", "st", "dl")
    skew = pl.when((c.q3 > c.q1) & (c.med != c.q1) & (c.med != c.q3)).then((c.q1 + c.q3 - 2 * c.med) / (c.q3 - c.q1)).otherwise(0.0)
    even = pl.when(c.med > 0).then(pl.max_horizontal(0.0, 1 - c.mad / c.med)).otherwise(0.0)
    size = pl.when(c.bmed > 0).then(pl.max_horizontal(0.0, 1 - c.bmad / c.bmed)).otherwise(0.0)
    cover = pl.min_horizontal(1.0, c.med * (c.n.cast(pl.Float64) - 1) / c.span)
    scored = lists.with_columns(score=(1 - skew.abs() + even + cover + size) / 4)
    beacons = run(scored.sort("score", *key, descending=[True, False, False, False]).head(100).select(*key, "n", "nrec", "score"))
    pairs = outward.group_by("srcaddr", "dstaddr").agg(pf=pl.len(), pb=c.bytes.sum())
    few = pairs.group_by("dstaddr").agg(nh=pl.len(), db=c.pb.sum()).filter((c.nh <= RARE_HOSTS) & (c.db > RARE_BYTES))
    rare = run(pairs.join(few, on="dstaddr").join(hosts.lazy(), on="srcaddr").sort("db", "dstaddr", "srcaddr", descending=[True, False, False]).head(100)
               .select("srcaddr", "dstaddr", "pb", "pf", "nh", "db", "hbytes", "nd", "mh"))
    return begun, pl.__version__, tuple(frame.to_arrow() for frame in (hosts, groups, beacons, rare))


def datafusion_():
    import datafusion, pyarrow as pa
    from datafusion import SessionConfig, SessionContext
    begun = clock()
    db = SessionContext(SessionConfig({
        "datafusion.execution.target_partitions": THREADS,
        "datafusion.execution.skip_partial_aggregation_probe_ratio_threshold": "0.3",
        "datafusion.execution.collect_statistics": "false" if WORKLOAD != "job" else "true",
        "datafusion.sql_parser.dialect": "DuckDB",
    }))
    parts = ("aws-account-id", "aws-service", "aws-region", "year", "month", "day", "hour")
    db.register_listing_table("f", ROOT, table_partition_cols=[(name, pa.string()) for name in parts], file_extension=".parquet")
    ask = lambda sql: db.sql(sql).to_arrow_table()
    if WORKLOAD == "columns":
        # The stock reader alone, on the columns that flowsift's scan reads; batches are counted and dropped.
        names = ("srcaddr, dstaddr, srcport, dstport, protocol, packets, bytes, start, \"end\", action, log_status, account_id, "
                 "interface_id, vpc_id, subnet_id, instance_id, tcp_flags, pkt_srcaddr, pkt_dstaddr, region, "
                 "pkt_src_aws_service, pkt_dst_aws_service, flow_direction")
        rows = 0
        for stream in db.sql(f"select {names} from f").execute_stream_partitioned():
            for batch in stream:
                rows += batch.to_pyarrow().num_rows
        return begun, datafusion.__version__, pa.table({"rows": [rows]})
    if WORKLOAD == "sums":
        return begun, datafusion.__version__, ask("select count(*) n, sum(bytes) b, sum(packets) p from f where action='ACCEPT'")
    accepted = "flow_direction='egress' and action='ACCEPT'"
    hourly = f"""select srcaddr s, dstaddr d, start/3600 h, count(*) c, sum(bytes) b from f where flow_direction='egress'
        and regexp_like(srcaddr,'{PRIVATE}') and not regexp_like(dstaddr,'{PRIVATE}') group by 1, 2, 3"""
    db.register_table("t", db.sql(hourly).cache())
    hours = """h as (select s, h, sum(c) c, sum(b) b from t group by 1, 2),
        hh as (select s, sum(c) flows, sum(b) bytes, max(b) mh from h group by s),
        d as (select s, count(distinct d) nd from t group by s)"""
    hosts = ask(f"with {hours} select hh.s, flows, bytes, nd, mh from hh join d on hh.s = d.s")
    groups = ask(f"""select count(*) g, sum(c) c, sum(b) b, sum(s) s, sum(e) e from (select count(*) c, sum(bytes) b,
        min(start) s, max("end") e from f where {accepted} group by srcaddr, dstaddr, dstport, protocol)""")
    at = lambda l, n, x: (f"({l}[cast(floor(({n}-1)*{x}) as bigint)+1]+(({n}-1)*{x}-floor(({n}-1)*{x}))*"
                          f"({l}[cast(ceil(({n}-1)*{x}) as bigint)+1]-{l}[cast(floor(({n}-1)*{x}) as bigint)+1]))")
    beacons = ask(f"""with g as (select srcaddr, dstaddr, dstport, count(*) nrec, array_agg(start) st0, array_agg(bytes) bb0
          from f where {accepted} group by 1, 2, 3 having count(*) >= {MIN_STARTS}),
        s as (select *, array_sort(array_distinct(st0)) st, array_sort(bb0) bb from g),
        d as (select *, cast(array_length(st) as bigint) n, st[cast(array_length(st) as bigint)] - st[1] span,
          array_sort(array_subtract(array_pop_front(st), array_pop_back(st))) dl, {at('bb', 'nrec', 0.5)} bmed
          from s where array_length(st) >= {MIN_STARTS}),
        m as (select *, {at('dl', '(n-1)', 0.25)} q1, {at('dl', '(n-1)', 0.5)} med, {at('dl', '(n-1)', 0.75)} q3 from d),
        a as (select *, array_sort(array_transform(dl, x -> abs(x - med))) ad, array_sort(array_transform(bb, x -> abs(x - bmed))) ab from m),
        q as (select srcaddr, dstaddr, dstport, n, nrec, med, q1, q3, span, bmed, {at('ad', '(n-1)', 0.5)} mad, {at('ab', 'nrec', 0.5)} bmad from a),
        z as (select *, case when q3 > q1 and med <> q1 and med <> q3 then (q1 + q3 - 2 * med) / (q3 - q1) else 0 end skew,
          case when med > 0 then greatest(0.0, 1 - mad / med) else 0 end even, least(1.0, med * (n - 1) / span) cover,
          case when bmed > 0 then greatest(0.0, 1 - bmad / bmed) else 0 end size from q)
        select srcaddr, dstaddr, dstport, n, nrec, (1 - abs(skew) + even + cover + size) / 4 score from z
        order by score desc, srcaddr, dstaddr, dstport limit 100""")
    rare = ask(f"""with {hours}, p as (select s, d, sum(c) pf, sum(b) pb from t group by 1, 2),
        rr as (select d, count(*) nh, sum(pb) db from p group by d having count(*) <= {RARE_HOSTS} and sum(pb) > {RARE_BYTES})
        select p.s, p.d, pb, pf, nh, db, bytes, nd, mh from p join rr on p.d = rr.d join hh on p.s = hh.s join d on p.s = d.s
        order by db desc, p.d, p.s limit 100""")
    return begun, datafusion.__version__, (hosts, groups, beacons, rare)


def digest(rows):
    return hashlib.md5(repr(sorted(rows)).encode()).hexdigest()[:12]


def check(tables):
    """What every engine must agree on: counts, sums, and hashes of whole results."""
    columns = lambda table: [table.column(at).to_pylist() for at in range(table.num_columns)]
    if not isinstance(tables, tuple):
        return [int(column[0]) for column in columns(tables)]
    hosts, groups, beacons, rare = (columns(table) for table in tables)
    best = [(round(row[5], 9), row[0], row[1], int(row[2]), int(row[3]), int(row[4])) for row in zip(*beacons)]
    return {
        "hosts": [len(hosts[0])] + [int(sum(column)) for column in hosts[1:]],
        "groups": [int(column[0]) for column in groups],
        "beacons": [len(best), digest(best)],
        "rare": [len(rare[0]), digest([tuple(str(value) for value in row) for row in zip(*rare)])],
    }


def main():
    engine = {"duckdb": duckdb_, "chdb": chdb_, "polars": polars_, "datafusion": datafusion_}[ENGINE]
    begun, version, tables = engine()
    # chdb hands over bytes; making Arrow of them is for the check only.
    (begun, ended) = begun if isinstance(begun[0], tuple) else (begun, clock())
    line = {
        "engine": ENGINE, "workload": WORKLOAD, "version": version,
        "wall_s": round(ended[0] - begun[0], 4), "cpu_s": round(ended[1] - begun[1], 4),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024), "check": check(tables),
    }
    print(json.dumps(line), flush=True)
    # chdb's threads do not end by themselves.
    os._exit(0)


main()
