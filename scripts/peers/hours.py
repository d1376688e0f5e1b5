#!/usr/bin/env python3
"""The hour rollup of both directions on one engine in this process; prints one line of JSON.

    hours.py ENGINE hours FOLDER      engines: duckdb chdb polars datafusion

The same work as flowsift's scan and rollup, or a lower bound of it: every record is seen from the host of its
interface; connections are joined by hour and 5-tuple; they are folded to hour, host, remote, port, protocol and role,
with the start and the size of each. What flowsift does besides is left out: packets that several interfaces log are
counted once, connections are split where their records leave gaps, roles follow flags and known services.

The clock runs from opening the engine to the fetched sums; the start of Python and imports are outside of it.
"""

import sys

import engine

ENGINE, WORKLOAD, FOLDER = sys.argv[1:4]
SUMS = "sum(records) records, sum(bytes_out) bytes_out, sum(bytes_in) bytes_in"


def connections_sql(hour):
    """Returns the query of connections that DuckDB and DataFusion understand."""
    return f"""select {hour} h,
        case when flow_direction = 'egress' then srcaddr else dstaddr end host,
        case when flow_direction = 'egress' then dstaddr else srcaddr end remote,
        case when flow_direction = 'egress' then srcport else dstport end host_port,
        case when flow_direction = 'egress' then dstport else srcport end remote_port, protocol,
        count(*) records, count(*) filter (where action = 'REJECT') rejected,
        cast(sum(bytes) filter (where flow_direction = 'egress' and action = 'ACCEPT') as bigint) bytes_out,
        cast(sum(bytes) filter (where flow_direction = 'ingress' and action = 'ACCEPT') as bigint) bytes_in,
        cast(sum(packets) filter (where flow_direction = 'egress') as bigint) packets_out,
        cast(sum(packets) filter (where flow_direction = 'ingress') as bigint) packets_in,
        min(start) first_s, max("end") last_s, count(*) filter (where tcp_flags & 2 = 2) openings
        from f where log_status = 'OK' group by 1, 2, 3, 4, 5, 6"""


def hours_sql(listed):
    """Returns the query of the hours of pairs, with the function that gathers values into a list."""
    return f"""select h, host, remote, least(host_port, remote_port) port, protocol, host_port > remote_port is_client,
        sum(records) records, sum(rejected) rejected, sum(bytes_out) bytes_out, sum(bytes_in) bytes_in,
        sum(packets_out) packets_out, sum(packets_in) packets_in, min(first_s) first_seen, max(last_s) last_seen,
        max(last_s - first_s) longest_s, {listed}(first_s) starts, {listed}(bytes_out) sizes, count(*) connections
        from c group by 1, 2, 3, 4, 5, 6"""


def ask_duckdb(watch):
    import duckdb
    import pyarrow  # noqa: F401

    watch.start()
    db = engine.open_duckdb()
    db.execute(f"create view f as select * from read_parquet('{engine.files_of(FOLDER)}')")
    db.execute(f"create temp table c as {connections_sql('start // 3600')}")
    db.execute(f"create temp table pair_hours as {hours_sql('list')}")
    return duckdb.__version__, db.sql(f"select {SUMS} from pair_hours").to_arrow_table()


def ask_chdb(watch):
    import chdb
    import pyarrow  # noqa: F401

    watch.start()
    db = engine.ClickHouse(FOLDER)
    db.filter_after_reading()
    db.query(f"""create table c engine=Memory as {db.ADDRESSES}, flow_direction = 'egress' as is_out
        select intDiv(toUInt32(start), 3600) h, if(is_out, sa, da) host, if(is_out, da, sa) remote,
        toUInt16(if(is_out, srcport, dstport)) host_port, toUInt16(if(is_out, dstport, srcport)) remote_port,
        toUInt8(protocol) protocol, toUInt32(count()) records, toUInt32(countIf(action = 'REJECT')) rejected,
        sumIf(bytes, is_out and action = 'ACCEPT') bytes_out, sumIf(bytes, not is_out and action = 'ACCEPT') bytes_in,
        sumIf(packets, is_out) packets_out, sumIf(packets, not is_out) packets_in,
        toUInt32(min(start)) first_s, toUInt32(max(`end`)) last_s,
        groupUniqArrayIf(toUInt32(start), bitAnd(tcp_flags, 2) = 2) openings
        from {db.logs} where log_status = 'OK' group by h, host, remote, host_port, remote_port, protocol""")
    db.query("""create table pair_hours engine=Memory as
        select h, host, remote, least(host_port, remote_port) port, protocol, host_port > remote_port is_client,
        sum(c.records) records, sum(c.rejected) rejected, sum(c.bytes_out) bytes_out, sum(c.bytes_in) bytes_in,
        sum(c.packets_out) packets_out, sum(c.packets_in) packets_in, min(first_s) first_seen, max(last_s) last_seen,
        max(last_s - first_s) longest_s, arraySort(groupArray(first_s)) starts, groupArray(c.bytes_out) sizes,
        count() connections from c group by h, host, remote, port, protocol, is_client""")
    answer = db.ask(f"select {SUMS} from pair_hours")
    watch.stop()
    return chdb.__version__, db.table(answer)


def ask_polars(watch):
    import polars as pl
    import pyarrow  # noqa: F401

    watch.start()
    c = pl.col
    is_out = c.flow_direction == "egress"
    accepted = c.action == "ACCEPT"

    def near(inside, outside):
        return pl.when(is_out).then(inside).otherwise(outside)

    def where(condition, value):
        return pl.when(condition).then(value).otherwise(0)

    # Conditions are turned into columns first: filters inside of aggregates keep Polars from streaming.
    records = pl.scan_parquet(engine.files_of(FOLDER), hive_partitioning=False).filter(c.log_status == "OK").select(
        "protocol", "start", "end", h=c.start // 3600, host=near(c.srcaddr, c.dstaddr),
        remote=near(c.dstaddr, c.srcaddr), host_port=near(c.srcport, c.dstport),
        remote_port=near(c.dstport, c.srcport), rejected=~accepted, bytes_out=where(is_out & accepted, c.bytes),
        bytes_in=where(~is_out & accepted, c.bytes), packets_out=where(is_out, c.packets),
        packets_in=where(~is_out, c.packets), openings=c.tcp_flags & 2 == 2,
    )
    connections = records.group_by("h", "host", "remote", "host_port", "remote_port", "protocol").agg(
        c.rejected.sum(), c.bytes_out.sum(), c.bytes_in.sum(), c.packets_out.sum(), c.packets_in.sum(),
        c.openings.sum(), records=pl.len(), first_s=c.start.min(), last_s=c.end.max(),
    )
    hours = connections.group_by(
        "h", "host", "remote", "protocol", port=pl.min_horizontal("host_port", "remote_port"),
        is_client=c.host_port > c.remote_port,
    ).agg(
        c.records.sum(), c.rejected.sum(), c.bytes_out.sum(), c.bytes_in.sum(), c.packets_out.sum(),
        c.packets_in.sum(), first_seen=c.first_s.min(), last_seen=c.last_s.max(),
        longest_s=(c.last_s - c.first_s).max(), starts=c.first_s, sizes=c.bytes_out.alias("sizes"),
        connections=pl.len(),
    ).collect(engine="streaming")
    return pl.__version__, hours.select(c.records.sum(), c.bytes_out.sum(), c.bytes_in.sum()).to_arrow()


def ask_datafusion(watch):
    import datafusion

    watch.start()
    db = engine.open_datafusion(FOLDER, {})
    db.register_table("c", db.sql(connections_sql("start / 3600")).cache())
    db.register_table("pair_hours", db.sql(hours_sql("array_agg")).cache())
    return datafusion.__version__, db.sql(f"select {SUMS} from pair_hours").to_arrow_table()


def check(table):
    """Returns what every engine must agree on: records, and the bytes of both directions."""
    return [int(column[0]) for column in table.to_pydict().values()]


if __name__ == "__main__":
    engines = {"duckdb": ask_duckdb, "chdb": ask_chdb, "polars": ask_polars, "datafusion": ask_datafusion}
    engine.run(engines, ENGINE, WORKLOAD, check)
