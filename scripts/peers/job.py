#!/usr/bin/env python3
"""One workload on one engine in this process; prints one line of JSON with times and a check value.

    job.py ENGINE WORKLOAD FOLDER      engines: duckdb chdb polars datafusion

Workloads over egress records, written as fast as we could for each engine:
  sums     count, bytes and packets of accepted records
  job      what a detection batch computes: per host records, bytes, distinct external destinations and fullest hour;
           per (srcaddr, dstaddr, dstport, protocol) count, bytes, first and last; the beacon score of every such
           triple with 20 or more distinct starts (quartiles, MAD, skew, sizes; the best 100); remotes of at most two
           hosts with over 100 MB, joined with their host's baseline
  columns  (datafusion only) the 23 columns of flowsift's scan, read to batches and dropped

The clock runs from opening the engine to the fetched result; the start of Python and imports are outside of it.
"""

import hashlib
import sys

import engine
from engine import PRIVATE, RARE_BYTES, RARE_HOSTS

ENGINE, WORKLOAD, FOLDER = sys.argv[1:4]
MIN_STARTS = 20

SUMS = "select count(*) n, sum(bytes) b, sum(packets) p from f where action='ACCEPT'"
# The columns that flowsift's scan reads.
SCANNED = """srcaddr, dstaddr, srcport, dstport, protocol, packets, bytes, start, "end", action, log_status,
    account_id, interface_id, vpc_id, subnet_id, instance_id, tcp_flags, pkt_srcaddr, pkt_dstaddr, region,
    pkt_src_aws_service, pkt_dst_aws_service, flow_direction"""


def ask_duckdb(watch):
    import duckdb
    import pyarrow  # noqa: F401

    watch.start()
    db = engine.open_duckdb()
    db.execute(f"create view f as select * from read_parquet('{engine.files_of(FOLDER)}')")

    def ask(sql):
        return db.sql(sql).to_arrow_table()

    if WORKLOAD == "sums":
        return duckdb.__version__, ask(SUMS)
    # Addresses stay text: their dictionaries make the regular expression cheap, and integers were slower.
    db.execute("""create temp table e as select srcaddr, dstaddr, dstport, protocol, start, "end", bytes,
        action='ACCEPT' acc from f where flow_direction='egress'""")
    db.execute(f"""create temp table t as
        select srcaddr s, dstaddr d, start//3600 h, count(*)::BIGINT c, sum(bytes)::BIGINT b from e
        where regexp_matches(srcaddr,'{PRIVATE}') and not regexp_matches(dstaddr,'{PRIVATE}') group by all""")
    hours = """h as (select s, h, sum(c) c, sum(b) b from t group by all),
        hh as (select s, sum(c)::BIGINT flows, sum(b)::BIGINT bytes, max(b)::BIGINT mh from h group by s),
        d as (select s, count(*) nd from (select distinct s, d from t) group by s)"""
    hosts = ask(f"with {hours} select s, flows, bytes, nd, mh from hh join d using (s)")
    rare = ask(f"""with {hours}, p as (select s, d, sum(c)::BIGINT pf, sum(b)::BIGINT pb from t group by all),
        rr as (select d, count(*) nh, sum(pb)::BIGINT db from p group by d
               having count(*) <= {RARE_HOSTS} and sum(pb) > {RARE_BYTES})
        select p.s, p.d, pb, pf, nh, db, bytes, nd, mh from p join rr using (d) join hh on p.s = hh.s
        join d on p.s = d.s order by db desc, p.d, p.s limit 100""")
    groups = ask("""select count(*) g, sum(c) c, sum(b) b, sum(s) s, sum(e) e from (
        select count(*) c, sum(bytes) b, min(start) s, max("end") e from e
        where acc group by srcaddr, dstaddr, dstport, protocol)""")
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
        s as (select *,
              case when q3 > q1 and med <> q1 and med <> q3 then (q1 + q3 - 2 * med) / (q3 - q1) else 0 end skew,
              case when med > 0 then greatest(0, 1 - mad / med) else 0 end even,
              least(1.0, med * (n - 1) / span) cover,
              case when bmed > 0 then greatest(0, 1 - bmad / bmed) else 0 end size from q)
        select srcaddr, dstaddr, dstport, n, nrec, (1 - abs(skew) + even + cover + size) / 4 score from s
        order by score desc, srcaddr, dstaddr, dstport limit 100""")
    return duckdb.__version__, (hosts, groups, beacons, rare)


def ask_chdb(watch):
    import chdb
    import pyarrow  # noqa: F401

    watch.start()
    db = engine.ClickHouse(FOLDER)
    db.filter_after_reading()
    if WORKLOAD == "sums":
        answers = [db.ask(f"select count() n, sum(bytes) b, sum(packets) p from {db.logs} where action = 'ACCEPT'")]
    else:
        answers = _ask_chdb_job(db)
    watch.stop()
    tables = tuple(db.table(answer) for answer in answers)
    return chdb.__version__, tables if len(tables) > 1 else tables[0]


def _ask_chdb_job(db):
    """Returns ClickHouse's answers: hosts, groups, beacons, and rare remotes."""
    db.query(f"""create table e engine=Memory as {db.ADDRESSES}
        select sa, da, toUInt16(dstport) dstport, toUInt8(protocol) protocol, toUInt32(start) start,
        toUInt32(`end`) `end`, bytes, action = 'ACCEPT' acc from {db.logs} where flow_direction = 'egress'""")
    db.query(f"""create table t engine=Memory as
        select sa, da, intDiv(start, 3600) h, count() c0, sum(bytes) b0 from e
        where {db.is_private('sa')} and not {db.is_private('da')} group by sa, da, h""")
    hosts_sql = """select sa, sum(c) flows, sum(b) bytes, uniqExactMerge(u) nd, max(b) mh from
        (select sa, h, sum(c0) c, sum(b0) b, uniqExactState(da) u from t group by sa, h) group by sa"""
    hosts = db.ask(f"select IPv4NumToString(sa) s, flows, bytes, nd, mh from ({hosts_sql})")
    db.query("""create table g engine=Memory as
        select sa, da, dstport, protocol, count() c, sum(bytes) b, min(start) s, max(`end`) e from e
        where acc group by sa, da, dstport, protocol""")
    groups = db.ask("select count() g, sum(c) c, sum(b) b, sum(s) s, sum(e) e from g")
    beacons = db.ask(f"""with l as (select sa, da, dstport, count() nrec,
          arraySort(arrayDistinct(groupArray(start))) st, groupArray(bytes) bb from e
          where acc and (sa, da, dstport) in
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
          (1 - abs(skew) + even + cover + size) / 4 score from q
        order by score desc, srcaddr, dstaddr, dstport limit 100""")
    rare = db.ask(f"""with p as (select sa, da, sum(c0) pf, sum(b0) pb from t group by sa, da),
        rr as (select da, count() nh, sum(pb) db from p group by da
               having nh <= {RARE_HOSTS} and db > {RARE_BYTES}),
        pr as (select p.sa sa, p.da da, pb, pf, nh, db from p join rr on p.da = rr.da), hb as ({hosts_sql})
        select IPv4NumToString(pr.sa) s, IPv4NumToString(pr.da) d, pb, pf, nh, db, hb.bytes bytes, hb.nd nd, hb.mh mh
        from pr join hb on pr.sa = hb.sa order by db desc, d, s limit 100""")
    return [hosts, groups, beacons, rare]


def ask_polars(watch):
    import polars as pl
    import pyarrow  # noqa: F401

    watch.start()
    c = pl.col
    logs = pl.scan_parquet(engine.files_of(FOLDER), hive_partitioning=False)
    is_accepted = c.action == "ACCEPT"

    def run(plan):
        return plan.collect(engine="streaming")

    if WORKLOAD == "sums":
        accepted = logs.filter(is_accepted)
        sums = accepted.select(pl.len().alias("n"), c.bytes.sum().alias("b"), c.packets.sum().alias("p"))
        return pl.__version__, run(sums).to_arrow()
    egress = logs.filter(c.flow_direction == "egress")
    egress = egress.select("srcaddr", "dstaddr", "dstport", "protocol", "start", "end", "bytes", acc=is_accepted)
    egress = run(egress).lazy()
    outward = egress.filter(c.srcaddr.str.contains(PRIVATE) & ~c.dstaddr.str.contains(PRIVATE))
    outward = run(outward.select("srcaddr", "dstaddr", "start", "bytes")).lazy()
    by_hour = outward.group_by("srcaddr", h=c.start // 3600).agg(pl.len().alias("c"), b=c.bytes.sum())
    hours = by_hour.group_by("srcaddr").agg(flows=c.c.sum(), hbytes=c.b.sum(), mh=c.b.max())
    remotes = outward.group_by("srcaddr", "dstaddr").agg().group_by("srcaddr").agg(nd=pl.len())
    hosts = run(hours.join(remotes, on="srcaddr").select("srcaddr", "flows", "hbytes", "nd", "mh"))
    accepted = egress.filter(c.acc)
    groups = accepted.group_by("srcaddr", "dstaddr", "dstport", "protocol")
    groups = groups.agg(pl.len().alias("c"), b=c.bytes.sum(), s=c.start.min(), e=c.end.max())
    groups = run(groups.select(pl.len().alias("g"), c.c.sum(), c.b.sum(), c.s.sum(), c.e.sum()))
    beacons = run(_polars_beacons(pl, accepted))
    pairs = outward.group_by("srcaddr", "dstaddr").agg(pf=pl.len(), pb=c.bytes.sum())
    few = pairs.group_by("dstaddr").agg(nh=pl.len(), db=c.pb.sum())
    few = few.filter((c.nh <= RARE_HOSTS) & (c.db > RARE_BYTES))
    rare = pairs.join(few, on="dstaddr").join(hosts.lazy(), on="srcaddr")
    rare = rare.sort("db", "dstaddr", "srcaddr", descending=[True, False, False]).head(100)
    rare = run(rare.select("srcaddr", "dstaddr", "pb", "pf", "nh", "db", "hbytes", "nd", "mh"))
    return pl.__version__, tuple(frame.to_arrow() for frame in (hosts, groups, beacons, rare))


def _polars_beacons(pl, accepted):
    """Returns Polars' plan of the beacon scores: the best hundred."""
    c = pl.col
    key = ["srcaddr", "dstaddr", "dstport"]
    lists = accepted.select(*key, "start", "bytes").group_by(key).agg(c.start, c.bytes)
    lists = lists.filter(c.start.list.len() >= MIN_STARTS)
    lists = lists.with_columns(nrec=c.start.list.len(), st=c.start.list.unique().list.sort())
    lists = lists.filter(c.st.list.len() >= MIN_STARTS)
    lists = lists.with_columns(
        n=c.st.list.len(), span=c.st.list.last() - c.st.list.first(), dl=c.st.list.diff(null_behavior="drop"),
        bmed=c.bytes.list.median(),
    )
    spread = (pl.element() - pl.element().median()).abs().median()

    def quartile(share):
        return c.dl.list.eval(pl.element().quantile(share, "linear")).list.first()

    lists = lists.with_columns(
        med=c.dl.list.median(), q1=quartile(0.25), q3=quartile(0.75), mad=c.dl.list.eval(spread).list.first(),
        bmad=c.bytes.list.eval(spread).list.first(),
    ).drop("start", "bytes", "st", "dl")
    is_skewed = (c.q3 > c.q1) & (c.med != c.q1) & (c.med != c.q3)
    skew = pl.when(is_skewed).then((c.q1 + c.q3 - 2 * c.med) / (c.q3 - c.q1)).otherwise(0.0)
    even = pl.when(c.med > 0).then(pl.max_horizontal(0.0, 1 - c.mad / c.med)).otherwise(0.0)
    size = pl.when(c.bmed > 0).then(pl.max_horizontal(0.0, 1 - c.bmad / c.bmed)).otherwise(0.0)
    cover = pl.min_horizontal(1.0, c.med * (c.n.cast(pl.Float64) - 1) / c.span)
    scored = lists.with_columns(score=(1 - skew.abs() + even + cover + size) / 4)
    best = scored.sort("score", *key, descending=[True, False, False, False]).head(100)
    return best.select(*key, "n", "nrec", "score")


def ask_datafusion(watch):
    import datafusion
    import pyarrow as pa

    watch.start()
    db = engine.open_datafusion(FOLDER, {
        "datafusion.execution.collect_statistics": "true" if WORKLOAD == "job" else "false",
        "datafusion.sql_parser.dialect": "DuckDB",
    })

    def ask(sql):
        return db.sql(sql).to_arrow_table()

    if WORKLOAD == "columns":
        # The stock reader alone; batches are counted and dropped.
        rows = 0
        for stream in db.sql(f"select {SCANNED} from f").execute_stream_partitioned():
            for batch in stream:
                rows += batch.to_pyarrow().num_rows
        return datafusion.__version__, pa.table({"rows": [rows]})
    if WORKLOAD == "sums":
        return datafusion.__version__, ask(SUMS)
    accepted = "flow_direction='egress' and action='ACCEPT'"
    hourly = f"""select srcaddr s, dstaddr d, start/3600 h, count(*) c, sum(bytes) b from f
        where flow_direction='egress' and regexp_like(srcaddr,'{PRIVATE}') and not regexp_like(dstaddr,'{PRIVATE}')
        group by 1, 2, 3"""
    db.register_table("t", db.sql(hourly).cache())
    hours = """h as (select s, h, sum(c) c, sum(b) b from t group by 1, 2),
        hh as (select s, sum(c) flows, sum(b) bytes, max(b) mh from h group by s),
        d as (select s, count(distinct d) nd from t group by s)"""
    hosts = ask(f"with {hours} select hh.s, flows, bytes, nd, mh from hh join d on hh.s = d.s")
    groups = ask(f"""select count(*) g, sum(c) c, sum(b) b, sum(s) s, sum(e) e from (
        select count(*) c, sum(bytes) b, min(start) s, max("end") e from f
        where {accepted} group by srcaddr, dstaddr, dstport, protocol)""")

    def quantile(values, count, share):
        """Interpolates between the two values of a sorted list around a quantile."""
        position = f"({count}-1)*{share}"
        below = f"{values}[cast(floor({position}) as bigint)+1]"
        above = f"{values}[cast(ceil({position}) as bigint)+1]"
        return f"({below}+({position}-floor({position}))*({above}-{below}))"

    beacons = ask(f"""with g as (select srcaddr, dstaddr, dstport, count(*) nrec, array_agg(start) st0,
          array_agg(bytes) bb0 from f where {accepted} group by 1, 2, 3 having count(*) >= {MIN_STARTS}),
        s as (select *, array_sort(array_distinct(st0)) st, array_sort(bb0) bb from g),
        d as (select *, cast(array_length(st) as bigint) n, st[cast(array_length(st) as bigint)] - st[1] span,
          array_sort(array_subtract(array_pop_front(st), array_pop_back(st))) dl, {quantile('bb', 'nrec', 0.5)} bmed
          from s where array_length(st) >= {MIN_STARTS}),
        m as (select *, {quantile('dl', '(n-1)', 0.25)} q1, {quantile('dl', '(n-1)', 0.5)} med,
          {quantile('dl', '(n-1)', 0.75)} q3 from d),
        a as (select *, array_sort(array_transform(dl, x -> abs(x - med))) ad,
          array_sort(array_transform(bb, x -> abs(x - bmed))) ab from m),
        q as (select srcaddr, dstaddr, dstport, n, nrec, med, q1, q3, span, bmed,
          {quantile('ad', '(n-1)', 0.5)} mad, {quantile('ab', 'nrec', 0.5)} bmad from a),
        z as (select *,
          case when q3 > q1 and med <> q1 and med <> q3 then (q1 + q3 - 2 * med) / (q3 - q1) else 0 end skew,
          case when med > 0 then greatest(0.0, 1 - mad / med) else 0 end even,
          least(1.0, med * (n - 1) / span) cover,
          case when bmed > 0 then greatest(0.0, 1 - bmad / bmed) else 0 end size from q)
        select srcaddr, dstaddr, dstport, n, nrec, (1 - abs(skew) + even + cover + size) / 4 score from z
        order by score desc, srcaddr, dstaddr, dstport limit 100""")
    rare = ask(f"""with {hours}, p as (select s, d, sum(c) pf, sum(b) pb from t group by 1, 2),
        rr as (select d, count(*) nh, sum(pb) db from p group by d
               having count(*) <= {RARE_HOSTS} and sum(pb) > {RARE_BYTES})
        select p.s, p.d, pb, pf, nh, db, bytes, nd, mh from p join rr on p.d = rr.d join hh on p.s = hh.s
        join d on p.s = d.s order by db desc, p.d, p.s limit 100""")
    return datafusion.__version__, (hosts, groups, beacons, rare)


def digest(rows):
    """Returns a short hash of rows in any order."""
    return hashlib.md5(repr(sorted(rows)).encode()).hexdigest()[:12]


def check(result):
    """Returns what every engine must agree on: counts, sums, and hashes of whole results."""
    def columns(table):
        return [table.column(index).to_pylist() for index in range(table.num_columns)]

    if not isinstance(result, tuple):
        return [int(column[0]) for column in columns(result)]
    hosts, groups, beacons, rare = (columns(table) for table in result)
    best = [
        (round(score, 9), source, destination, int(port), int(starts), int(records))
        for source, destination, port, starts, records, score in zip(*beacons)
    ]
    return {
        "hosts": [len(hosts[0])] + [int(sum(column)) for column in hosts[1:]],
        "groups": [int(column[0]) for column in groups],
        "beacons": [len(best), digest(best)],
        "rare": [len(rare[0]), digest([tuple(str(value) for value in row) for row in zip(*rare)])],
    }


if __name__ == "__main__":
    engines = {"duckdb": ask_duckdb, "chdb": ask_chdb, "polars": ask_polars, "datafusion": ask_datafusion}
    engine.run(engines, ENGINE, WORKLOAD, check)
