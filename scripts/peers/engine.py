"""What the peers' scripts share: how each engine is opened, the clock, and the line of JSON that they print."""

import io
import json
import os
import resource
import time

THREADS = os.environ.get("PEER_THREADS", "2")
# Read by the engines when they are imported.
for _name in ("POLARS_MAX_THREADS", "RAYON_NUM_THREADS", "TOKIO_WORKER_THREADS"):
    os.environ[_name] = THREADS

PRIVATE = r"^(10\.|192\.168\.|172\.(1[6-9]|2[0-9]|3[01])\.)"
# Destinations of at most so many hosts, with more than so many bytes from all of them, are rare.
RARE_HOSTS, RARE_BYTES = 2, 100_000_000

PARTITIONS = ("aws-account-id", "aws-service", "aws-region", "year", "month", "day", "hour")


def root_of(folder):
    """Returns the folder below which a corpus has its partitions."""
    return folder.rstrip("/") + "/AWSLogs/"


def files_of(folder):
    """Returns a glob of all files of a corpus."""
    return root_of(folder) + "*/" * len(PARTITIONS) + "*.parquet"


class Stopwatch:
    """Measures from the opening of an engine to the fetched result; imports are outside of it."""

    def __init__(self):
        self._begun = self._ended = None

    def start(self):
        self._begun = self._now()

    def stop(self):
        """Ends the measurement; only the first call counts."""
        self._ended = self._ended or self._now()

    def seconds(self):
        """Returns wall and processor seconds."""
        wall_s, cpu_s = (ended - begun for begun, ended in zip(self._begun, self._ended))
        return {"wall_s": round(wall_s, 4), "cpu_s": round(cpu_s, 4)}

    @staticmethod
    def _now():
        return time.perf_counter(), time.process_time()


def open_duckdb():
    """Opens DuckDB."""
    import duckdb

    db = duckdb.connect()
    db.execute(f"set threads={THREADS}; set preserve_insertion_order=false")
    return db


class ClickHouse:
    """A session of ClickHouse inside this process; answers are taken as Arrow."""

    # Declared, so that no column is taken for nullable.
    TYPES = (
        "interface_id LowCardinality(String), srcaddr String, dstaddr String, srcport Int32, dstport Int32, "
        "protocol Int32, packets Int64, bytes Int64, start Int64, `end` Int64, action String, flow_direction String, "
        "tcp_flags Int32, log_status String"
    )
    ADDRESSES = "with toUInt32(toIPv4OrDefault(srcaddr)) as sa, toUInt32(toIPv4OrDefault(dstaddr)) as da"

    def __init__(self, folder):
        from chdb import session

        self._session = session.Session()
        self.query(f"set max_threads={THREADS}")
        self.files = f"file('{files_of(folder)}', 'Parquet'"
        self.logs = f"{self.files}, '{self.TYPES}')"

    def filter_after_reading(self):
        """Filters outside of the reader: where rows of both directions interleave, filtering inside only costs."""
        self.query("set optimize_move_to_prewhere=0")

    def query(self, sql):
        """Runs a statement without an answer."""
        self._session.query(sql)

    def ask(self, sql):
        """Returns an answer as the bytes of an Arrow file."""
        return self._session.query(sql, "Arrow")

    @staticmethod
    def table(answer):
        """Turns an answer into a table; for the check only, so outside of the clock."""
        import pyarrow as pa

        return pa.ipc.open_file(io.BytesIO(answer.bytes())).read_all()

    @staticmethod
    def is_private(address):
        """Returns the condition that an address, as a number, is private (RFC 1918)."""
        return (
            f"(bitAnd({address}, 4278190080) = 167772160 or bitAnd({address}, 4294901760) = 3232235520 "
            f"or bitAnd({address}, 4293918720) = 2886729728)"
        )


def open_datafusion(folder, settings):
    """Opens DataFusion with the corpus as table `f`."""
    import pyarrow as pa
    from datafusion import SessionConfig, SessionContext

    db = SessionContext(SessionConfig({
        "datafusion.execution.target_partitions": THREADS,
        "datafusion.execution.skip_partial_aggregation_probe_ratio_threshold": "0.3",
        "datafusion.execution.collect_statistics": "false",
        **settings,
    }))
    columns = [(name, pa.string()) for name in PARTITIONS]
    db.register_listing_table("f", root_of(folder), table_partition_cols=columns, file_extension=".parquet")
    return db


def run(engines, engine, workload, check):
    """Runs one engine, prints a line of JSON with its times and its check value, and ends the process.

    `engines` has a function for each engine, which takes a stopwatch and returns the engine's version and its result;
    `check` turns the result into what all engines must agree on.
    """
    watch = Stopwatch()
    version, result = engines[engine](watch)
    watch.stop()
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    line = {
        "engine": engine,
        "workload": workload,
        "version": version,
        **watch.seconds(),
        "peak_mb": round(peak_mb),
        "check": check(result),
    }
    print(json.dumps(line), flush=True)
    # chdb's threads do not end by themselves.
    os._exit(0)
