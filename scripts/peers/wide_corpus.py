#!/usr/bin/env python3
"""Makes a corpus in which hosts talk with very many remotes: four times the pairs of `flowsift generate`.

    wide_corpus.py --out FOLDER [--rows 10000000] [--hosts 2000]

Records of v2 to v5 in AWS's hourly Hive layout, one row group a file, GZIP, dictionaries. Inside a file
they lie as AWS delivers them: by capture minute, then by interface, with both directions of all connections
interleaved. The same options give the same rows on any number of workers.

| share of records | traffic | records a connection |
| --- | --- | --- |
| 46 % | hosts to services of the internet, with a Zipf popularity and favourites of each host | 2 |
| 10 % | clients of the internet to public hosts | 2 |
| 34 % | hosts among themselves, seen by both interfaces | 4 |
| 10 % | scanners of the internet, rejected | 1 |
| 0.1 % | NODATA and SKIPDATA | 1 |

On top come a heartbeat of 300 s on three hosts of ten, beacons and exfiltrations. Corpora like this one stress the
grouping of an engine; those of `flowsift generate` stress how well a detector judges.
"""

import argparse
import dataclasses
import datetime
import json
import multiprocessing
import pathlib
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ACCOUNT = "123456789012"
REGION = "us-east-1"
FLOW_LOG = "fl-0c0ffee00c0ffee00"
BEGIN = datetime.datetime(2026, 1, 5, tzinfo=datetime.timezone.utc)
BEGIN_S = int(BEGIN.timestamp())
HOUR_S = 3_600
# The longest interval that a record sums up.
WINDOW_S = 60

TCP, UDP = 6, 17
FIN_SYN, FIN_SYN_ACK = 3, 19
VPCS, SUBNETS_A_VPC = 4, 8
NODATA, SKIPDATA = 1, 2

SERVICE_SHARE, CLIENT_SHARE, INSIDE_SHARE, EMPTY_SHARE = 0.46, 0.10, 0.34, 0.001
# Port, protocol and share of the services that hosts call.
SERVICE_KINDS = [
    (443, TCP, 0.78), (80, TCP, 0.08), (53, UDP, 0.04), (22, TCP, 0.02),
    (8443, TCP, 0.03), (123, UDP, 0.02), (25, TCP, 0.01), (5671, TCP, 0.02),
]
AWS_SERVICES = ["AMAZON", "S3", "EC2", "DYNAMODB", "CLOUDFRONT", "API_GATEWAY", "KINESIS_VIDEO_STREAMS"]
INSIDE_PORTS = [5432, 3306, 6379, 9092, 8080, 443, 9200, 50051]
SCANNED_PORTS = [22, 23, 80, 443, 445, 3389, 8080, 5900, 1433, 6379]
FAVOURITES, PEERS = 48, 16
HEARTBEAT_S = 300
# `traffic_path` of egress records: inside the VPC, to another VPC, through an internet gateway.
WITHIN_VPC, PEERING, GATEWAY = 1, 4, 8
# First octets that hold private, shared, link-local, loopback or documentation networks.
RESERVED_OCTETS = [10, 100, 127, 169, 172, 192]


def zipf(count, exponent):
    """Returns the cumulative shares of `count` ranks whose weight falls with a power of the rank."""
    weights = np.arange(1, count + 1, dtype=np.float64) ** -exponent
    return np.cumsum(weights) / weights.sum()


def pick(rng, cumulative, count):
    """Draws `count` ranks from cumulative shares."""
    return np.minimum(np.searchsorted(cumulative, rng.random(count)), len(cumulative) - 1)


def dotted(addresses):
    """Writes IPv4 numbers as text."""
    octets = addresses.astype(">u4").view(np.uint8).reshape(-1, 4)
    return pa.array(["%d.%d.%d.%d" % tuple(four) for four in octets.tolist()], pa.string())


def identifiers(rng, prefix, count):
    """Makes AWS resource names such as `eni-0…`."""
    return pa.array([f"{prefix}0{rng.bytes(8).hex()}" for _ in range(count)])


def internet_addresses(rng, count):
    """Draws distinct addresses outside of private and reserved networks."""
    found = np.empty(0, np.uint32)
    while len(found) < count:
        drawn = rng.integers(1 << 24, 224 << 24, count + count // 4 + 64, dtype=np.uint32)
        drawn = drawn[~np.isin(drawn >> 24, RESERVED_OCTETS)]
        found = np.unique(np.concatenate([found, drawn]))
    return rng.permutation(found)[:count]


def host_addresses(rng, vpc, subnet):
    """Draws distinct addresses 10.x.y.z, the second octet by VPC and subnet."""
    addresses = np.empty(len(vpc), np.uint32)
    network = vpc * 16 + subnet
    for value in np.unique(network):
        members = np.flatnonzero(network == value)
        addresses[members] = (10 << 24 | int(value) << 16) + 300 + rng.permutation(65_000)[:len(members)]
    return addresses


class World:
    """The hosts, their remotes and their habits; addresses are numbered hosts first, then services, and so on."""

    def __init__(self, options):
        rng = np.random.default_rng([options.seed, 1])
        hosts = options.hosts
        self.options = options
        self.hosts = hosts
        self.services = max(20_000, 20 * hosts)
        self.clients = 100 * hosts
        self.scanners = max(5_000, 5 * hosts)
        self.first_service = hosts
        self.first_client = self.first_service + self.services
        self.first_scanner = self.first_client + self.clients
        self.first_planted = self.first_scanner + self.scanners
        planted = options.beacons + options.exfiltrations

        vpc = np.arange(hosts) % VPCS
        subnet = rng.integers(0, SUBNETS_A_VPC, hosts)
        remotes = internet_addresses(rng, self.services + self.clients + self.scanners + planted)
        self.addresses = dotted(np.concatenate([host_addresses(rng, vpc, subnet), remotes]))
        self.vpc, self.vpcs = vpc, identifiers(rng, "vpc-", VPCS)
        self.subnet, self.subnets = vpc * SUBNETS_A_VPC + subnet, identifiers(rng, "subnet-", VPCS * SUBNETS_A_VPC)
        self.zone, self.zones = subnet % 3, pa.array(["use1-az1", "use1-az2", "use1-az4"])
        self.interfaces = identifiers(rng, "eni-", hosts)
        self.instances = identifiers(rng, "i-", hosts)
        # Interfaces of balancers and the like belong to no instance.
        self.instance = np.where(rng.random(hosts) < 0.12, -1, np.arange(hosts))

        ports, protocols, shares = zip(*SERVICE_KINDS)
        kind = rng.choice(len(SERVICE_KINDS), self.services, p=shares)
        self.service_port, self.service_protocol = np.array(ports)[kind], np.array(protocols)[kind]
        of_aws = np.flatnonzero(rng.random(self.services) < 0.12)
        self.aws_service = np.full(len(self.addresses), -1)
        self.aws_service[self.first_service + of_aws] = rng.integers(0, len(AWS_SERVICES), len(of_aws))
        self.favourites = pick(rng, zipf(self.services, 1.05), hosts * FAVOURITES).reshape(hosts, FAVOURITES)
        self.favourite_shares = zipf(FAVOURITES, 1.1)

        self.peers = rng.integers(0, hosts, (hosts, PEERS))
        self.inside_port = np.array(INSIDE_PORTS)[rng.integers(0, len(INSIDE_PORTS), hosts)]
        activity = np.cumsum(rng.lognormal(0, 0.8, hosts))
        self.activity = activity / activity[-1]
        self.public = rng.permutation(hosts)[:max(4, hosts // 20)]
        self.exposed = rng.permutation(hosts)[:max(8, hosts * 3 // 10)]
        self.client_shares = zipf(self.clients, 0.6)

        self.beating = np.flatnonzero(rng.random(hosts) < 0.3)
        self.beat_service = self.first_service + rng.integers(0, 20, len(self.beating))
        self.beat_phase = rng.integers(5, HEARTBEAT_S - 10, len(self.beating))
        self.planted = self._plant(rng)

    def _plant(self, rng):
        """Makes the connections of beacons and exfiltrations, sorted by time."""
        span_s = self.options.hours * HOUR_S
        hosts = rng.permutation(self.hosts)
        connections = []
        for number in range(self.options.beacons):
            period_s = np.exp(rng.uniform(np.log(60), np.log(3_600)))
            jitter = rng.choice([0, 0.05, 0.1, 0.2, 0.3, 0.5])
            gaps_s = period_s * (1 + rng.uniform(-jitter, jitter, int(1.6 * span_s / period_s) + 4))
            times = (rng.uniform(0, period_s) + np.cumsum(gaps_s)).astype(np.int64)
            times = times[times < span_s - 2]
            base = rng.uniform(300, 3_000)
            size = rng.normal(base, 0.03 * base, len(times)).astype(np.int64)
            port = rng.choice([443, 443, 443, 8443, 80, 53, 4444, 8888])
            connections.append((hosts[number % self.hosts], number, port, times, size, np.maximum(3, size // 200)))
        for number in range(self.options.beacons, self.options.beacons + self.options.exfiltrations):
            minutes = int(rng.integers(20, min(120, 60 * self.options.hours)))
            first_s = int(rng.integers(0, max(1, span_s - 60 * minutes - 60)))
            times = first_s + np.repeat(np.arange(minutes) * 60, 2) + rng.integers(0, 50, 2 * minutes)
            weights = rng.lognormal(0, 0.3, len(times))
            total = np.exp(rng.uniform(np.log(5e8), np.log(5e10)))
            size = (total * weights / weights.sum()).astype(np.int64)
            port = rng.choice([443, 22, 443, 8080])
            connections.append((hosts[number % self.hosts], number, port, times, size, size // 1_400 + 1))
        if not connections:
            return {name: np.empty(0, np.int64) for name in ("host", "remote", "port", "time", "bytes", "packets")}
        repeated = [
            (np.full(len(times), host), np.full(len(times), self.first_planted + number), np.full(len(times), port),
             times, size, packets)
            for host, number, port, times, size, packets in connections
        ]
        columns = [np.concatenate(column) for column in zip(*repeated)]
        order = np.argsort(columns[3], kind="stable")
        return dict(zip(("host", "remote", "port", "time", "bytes", "packets"), (column[order] for column in columns)))


@dataclasses.dataclass
class Connections:
    """Connections by client and server: numbers of addresses, ports, and what went each way."""

    client: np.ndarray
    server: np.ndarray
    client_port: np.ndarray
    server_port: np.ndarray
    protocol: np.ndarray
    start: np.ndarray
    end: np.ndarray
    # Packets and bytes.
    call: tuple
    answer: tuple
    # Zero for connections that began and will end outside of the record.
    call_flags: np.ndarray
    answer_flags: np.ndarray


class Records:
    """The records of one file, gathered column by column."""

    COLUMNS = (
        "interface", "source", "destination", "source_port", "destination_port", "protocol", "packets", "bytes",
        "start", "end", "rejected", "egress", "flags", "path", "status",
    )

    def __init__(self):
        self._parts = {name: [] for name in self.COLUMNS}

    def __len__(self):
        return sum(map(len, self._parts["start"]))

    def add(self, count, **columns):
        """Adds `count` records; a single value stands for all, and a column that is not named is 0."""
        for name, parts in self._parts.items():
            parts.append(np.broadcast_to(np.asarray(columns.get(name, 0), np.int64), count))

    def add_both_ways(self, connections, interface, is_client, path):
        """Adds two records of each connection, as the interface of its client or of its server logs them."""
        of = connections
        common = {"interface": interface, "protocol": of.protocol, "start": of.start, "end": of.end}
        packets, size = of.call
        self.add(
            len(of.client), **common, source=of.client, destination=of.server, source_port=of.client_port,
            destination_port=of.server_port, packets=packets, bytes=size, flags=of.call_flags, egress=is_client,
            path=path if is_client else 0,
        )
        packets, size = of.answer
        self.add(
            len(of.client), **common, source=of.server, destination=of.client, source_port=of.server_port,
            destination_port=of.client_port, packets=packets, bytes=size, flags=of.answer_flags, egress=not is_client,
            path=0 if is_client else path,
        )

    def columns(self):
        """Returns all columns, whole."""
        return {name: np.concatenate(parts) for name, parts in self._parts.items()}


class FileMaker:
    """Makes the records of one file."""

    def __init__(self, world, number):
        options = world.options
        self.world = world
        self.rng = np.random.default_rng([options.seed, 2, number])
        self.span_s = HOUR_S // options.files_per_hour
        # Seconds since BEGIN.
        self.first_s = number * self.span_s
        self.hour = self.first_s // HOUR_S
        self.records = Records()

    def make(self, rows):
        """Returns the columns of about `rows` records in the order of delivery."""
        self._add_heartbeats()
        self._add_planted()
        empty = int(self.rng.binomial(rows, EMPTY_SHARE))
        rest = max(0, rows - len(self.records) - empty)
        services, clients = int(rest * SERVICE_SHARE) // 2, int(rest * CLIENT_SHARE) // 2
        inside = int(rest * INSIDE_SHARE) // 4
        self._add_calls_to_services(services)
        self._add_calls_of_clients(clients)
        self._add_calls_inside(inside)
        self._add_scans(rest - 2 * services - 2 * clients - 4 * inside)
        self._add_empty(empty)
        return self._in_order_of_delivery(self.records.columns())

    def _times(self, count):
        """Draws first and last seconds within a capture window."""
        start = self.rng.integers(0, self.span_s, count)
        window_end = start // WINDOW_S * WINDOW_S + WINDOW_S - 1
        end = np.minimum(start + self.rng.integers(0, WINDOW_S, count), window_end)
        return start + self.first_s, end + self.first_s

    def _volume(self, count, mean, deviation, packet_bytes):
        """Draws packets (log-normal) and bytes."""
        packets = np.ceil(self.rng.lognormal(mean, deviation, count)).astype(np.int64)
        return packets, (packets * self.rng.uniform(*packet_bytes, count)).astype(np.int64) + 40

    def _client_ports(self, count):
        return self.rng.integers(32_768, 61_000, count)

    def _kept_ports(self, client, server):
        """Returns the port that a long connection keeps for the whole hour."""
        return 32_768 + (client * 7_919 + server * 104_729 + self.hour * 31) % 28_232

    def _add_heartbeats(self):
        world = self.world
        until_beat_s = (world.beat_phase - self.first_s) % HEARTBEAT_S
        beats = [until_beat_s + beat * HEARTBEAT_S for beat in range(-(-self.span_s // HEARTBEAT_S))]
        beater = np.concatenate([np.flatnonzero(beat < self.span_s) for beat in beats])
        beat_s = np.concatenate([beat[beat < self.span_s] for beat in beats])
        count = len(beater)
        start = self.first_s + np.clip(beat_s + self.rng.integers(-2, 3, count), 0, self.span_s - 1)
        size, packets = self.rng.integers(900, 1_100, count), self.rng.integers(8, 12, count)
        host = world.beating[beater]
        connections = Connections(
            client=host, server=world.beat_service[beater], client_port=self._client_ports(count), server_port=443,
            protocol=TCP, start=start, end=start + 1, call=(packets, size), answer=(packets, 2 * size),
            call_flags=FIN_SYN, answer_flags=FIN_SYN_ACK,
        )
        self.records.add_both_ways(connections, host, True, GATEWAY)

    def _add_planted(self):
        planted = self.world.planted
        first, last = np.searchsorted(planted["time"], [self.first_s, self.first_s + self.span_s])
        planted = {name: column[first:last] for name, column in planted.items()}
        size, packets, start = planted["bytes"], planted["packets"], planted["time"]
        connections = Connections(
            client=planted["host"], server=planted["remote"], client_port=self._client_ports(last - first),
            server_port=planted["port"], protocol=TCP, start=start, end=start + 1, call=(packets, size),
            answer=(packets, size // 3 + 40), call_flags=FIN_SYN, answer_flags=FIN_SYN_ACK,
        )
        self.records.add_both_ways(connections, planted["host"], True, GATEWAY)

    def _add_calls_to_services(self, count):
        world, rng = self.world, self.rng
        host = pick(rng, world.activity, count)
        service = world.favourites[host, pick(rng, world.favourite_shares, count)]
        service = np.where(rng.random(count) < 0.06, rng.integers(0, world.services, count), service)
        is_long = rng.random(count) < 0.3
        protocol = world.service_protocol[service]
        opens = (protocol == TCP) & ~is_long
        start, end = self._times(count)
        connections = Connections(
            client=host, server=world.first_service + service,
            client_port=np.where(is_long, self._kept_ports(host, service), self._client_ports(count)),
            server_port=world.service_port[service], protocol=protocol, start=start, end=end,
            call=self._volume(count, 2.0, 1.3, (60, 500)), answer=self._volume(count, 2.3, 1.5, (60, 1_400)),
            call_flags=np.where(opens, FIN_SYN, 0), answer_flags=np.where(opens, FIN_SYN_ACK, 0),
        )
        self.records.add_both_ways(connections, host, True, GATEWAY)

    def _add_calls_of_clients(self, count):
        world = self.world
        host = self.rng.choice(world.public, count)
        start, end = self._times(count)
        connections = Connections(
            client=world.first_client + pick(self.rng, world.client_shares, count), server=host,
            client_port=self._client_ports(count), server_port=443, protocol=TCP, start=start, end=end,
            call=self._volume(count, 2.0, 1.0, (60, 300)), answer=self._volume(count, 2.6, 1.4, (200, 1_400)),
            call_flags=FIN_SYN, answer_flags=FIN_SYN_ACK,
        )
        self.records.add_both_ways(connections, host, False, GATEWAY)

    def _add_calls_inside(self, count):
        world, rng = self.world, self.rng
        host = pick(rng, world.activity, count)
        peer = world.peers[host, np.minimum(rng.geometric(0.2, count) - 1, PEERS - 1)]
        is_long = rng.random(count) < 0.4
        start, end = self._times(count)
        connections = Connections(
            client=host, server=peer,
            client_port=np.where(is_long, self._kept_ports(host, peer), self._client_ports(count)),
            server_port=world.inside_port[peer], protocol=TCP, start=start, end=end,
            call=self._volume(count, 2.2, 1.3, (60, 700)), answer=self._volume(count, 2.5, 1.4, (60, 1_400)),
            call_flags=np.where(is_long, 0, FIN_SYN), answer_flags=np.where(is_long, 0, FIN_SYN_ACK),
        )
        path = np.where(world.vpc[host] == world.vpc[peer], WITHIN_VPC, PEERING)
        self.records.add_both_ways(connections, host, True, path)
        self.records.add_both_ways(connections, peer, False, path)

    def _add_scans(self, count):
        world, rng = self.world, self.rng
        host = rng.choice(world.exposed, count)
        is_usual = rng.random(count) < 0.5
        protocol = np.where(rng.random(count) < 0.88, TCP, UDP)
        packets = rng.integers(1, 3, count)
        start, end = self._times(count)
        self.records.add(
            count, interface=host, source=world.first_scanner + rng.integers(0, world.scanners, count),
            destination=host, source_port=rng.integers(1_024, 65_536, count),
            destination_port=np.where(is_usual, rng.choice(SCANNED_PORTS, count), rng.integers(1, 65_536, count)),
            protocol=protocol, packets=packets, bytes=packets * rng.choice([40, 44, 52, 60], count), start=start,
            end=end, rejected=1, flags=np.where(protocol == TCP, 2, 0),
        )

    def _add_empty(self, count):
        """Adds records that say that an interface had no traffic, or that some was skipped."""
        start = self.rng.integers(0, max(1, self.span_s // WINDOW_S), count) * WINDOW_S + self.first_s
        self.records.add(
            count, interface=pick(self.rng, self.world.activity, count), source=-1, destination=-1, start=start,
            end=start + WINDOW_S - 1, status=np.where(self.rng.random(count) < 0.8, NODATA, SKIPDATA),
        )

    def _in_order_of_delivery(self, columns):
        """Sorts by capture window, then by interface in an order of the file's own, at random inside."""
        count = len(columns["start"])
        batch = self.rng.permutation(self.world.hosts)[columns["interface"]]
        order = np.lexsort((self.rng.random(count), batch, columns["start"] // WINDOW_S))
        return {name: column[order] for name, column in columns.items()}


def coded(codes, values, absent=None):
    """Makes a dictionary column of the values that occur; negative codes and `absent` rows are null."""
    missing = codes < 0 if absent is None else (codes < 0) | absent
    used, keys = np.unique(np.where(missing, -1, codes), return_inverse=True)
    nulls = int(len(used) > 0 and used[0] < 0)
    keys = pa.array(keys.astype(np.int32) - nulls, mask=missing)
    return pa.DictionaryArray.from_arrays(keys, pa.array(values).take(pa.array(used[nulls:])))


def table_of(world, columns):
    """Makes the table of a file in AWS's columns."""
    count = len(columns["start"])
    host, source, destination = columns["interface"], columns["source"], columns["destination"]
    empty = columns["status"] > 0
    nothing = np.zeros(count, np.int64)

    def numbers(name, kind, absent=empty):
        return pa.array(columns[name].astype(kind), mask=absent)

    def aws_service(address):
        return coded(np.where(empty, -1, world.aws_service[address]), AWS_SERVICES)

    from_address = coded(source, world.addresses)
    to_address = coded(destination, world.addresses)
    return pa.table({
        "version": pa.array(np.full(count, 5, np.int32)),
        "account_id": coded(nothing, [ACCOUNT]),
        "interface_id": coded(host, world.interfaces),
        "srcaddr": from_address,
        "dstaddr": to_address,
        "srcport": numbers("source_port", np.int32),
        "dstport": numbers("destination_port", np.int32),
        "protocol": numbers("protocol", np.int32),
        "packets": numbers("packets", np.int64),
        "bytes": numbers("bytes", np.int64),
        "start": pa.array(columns["start"] + BEGIN_S),
        "end": pa.array(columns["end"] + BEGIN_S),
        "action": coded(columns["rejected"], ["ACCEPT", "REJECT"], empty),
        "log_status": coded(columns["status"], ["OK", "NODATA", "SKIPDATA"]),
        "vpc_id": coded(world.vpc[host], world.vpcs),
        "subnet_id": coded(world.subnet[host], world.subnets),
        "instance_id": coded(world.instance[host], world.instances),
        "tcp_flags": numbers("flags", np.int32),
        "type": coded(nothing, ["IPv4"], empty),
        "pkt_srcaddr": from_address,
        "pkt_dstaddr": to_address,
        "region": coded(nothing, [REGION]),
        "az_id": coded(world.zone[host], world.zones),
        "sublocation_type": pa.nulls(count, pa.string()),
        "sublocation_id": pa.nulls(count, pa.string()),
        "pkt_src_aws_service": aws_service(source),
        "pkt_dst_aws_service": aws_service(destination),
        "flow_direction": coded(columns["egress"], ["ingress", "egress"], empty),
        "traffic_path": numbers("path", np.int32, empty | (columns["egress"] == 0)),
    })


def path_of(options, number):
    """Returns where a file lies, named by the end of its time span as AWS does."""
    span = datetime.timedelta(seconds=HOUR_S // options.files_per_hour)
    begin = BEGIN + number * span
    folder = begin.strftime(
        f"AWSLogs/aws-account-id={ACCOUNT}/aws-service=vpcflowlogs/aws-region={REGION}"
        "/year=%Y/month=%m/day=%d/hour=%H"
    )
    name = (begin + span).strftime(f"{ACCOUNT}_vpcflowlogs_{REGION}_{FLOW_LOG}_%Y%m%dT%H%MZ")
    return options.out / folder / f"{name}_{number * 2_654_435_761 % 2**32:08x}.log.parquet"


def rows_of_files(options):
    """Shares the rows out to the files, more by day than by night."""
    files = options.hours * options.files_per_hour
    hours = np.arange(files) / options.files_per_hour
    weights = 1 + 0.45 * np.sin((hours - 9) / 24 * 2 * np.pi)
    ends = np.round(np.cumsum(weights / weights.sum()) * options.rows).astype(np.int64)
    return np.diff(ends, prepend=0)


_world = None


def _adopt(world):
    """Takes over the world in a worker; it is shared by the fork and never copied."""
    global _world
    _world = world


def _write_file(task):
    """Writes one file in a worker, and returns its rows."""
    number, rows = task
    options = _world.options
    table = table_of(_world, FileMaker(_world, number).make(rows))
    path = path_of(options, number)
    path.parent.mkdir(parents=True, exist_ok=True)
    levels = {"gzip": 6, "zstd": 3}
    pq.write_table(
        table, path, compression=options.codec, compression_level=levels.get(options.codec), use_dictionary=True,
        row_group_size=1 << 20, data_page_version="1.0", store_schema=False,
    )
    return table.num_rows


def parse_options():
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder to write to")
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--hosts", type=int, default=2_000)
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument("--files-per-hour", type=int, default=12)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--codec", default="gzip", choices=["gzip", "zstd", "snappy", "none"])
    parser.add_argument("--beacons", type=int, default=50)
    parser.add_argument("--exfiltrations", type=int, default=10)
    parser.add_argument("--workers", type=int, default=2)
    return parser.parse_args()


def main():
    options = parse_options()
    begun = time.monotonic()
    world = World(options)
    tasks = [(number, int(rows)) for number, rows in enumerate(rows_of_files(options))]
    with multiprocessing.get_context("fork").Pool(options.workers, _adopt, (world,)) as pool:
        rows = sum(pool.imap_unordered(_write_file, tasks))
    # Written last, in the form of `flowsift generate`: a corpus without it is unfinished.
    kept = {name: getattr(options, name) for name in ("hosts", "hours", "files_per_hour", "seed", "codec")}
    note = {"generator": "wide", "options": {"rows": options.rows, **kept}, "files": len(tasks), "rows": rows}
    (options.out / "corpus.json").write_text(json.dumps(note, indent=1) + "\n")
    print(f"{rows:,} rows in {len(tasks)} files, {time.monotonic() - begun:.1f} s")


if __name__ == "__main__":
    main()
