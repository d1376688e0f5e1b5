//! A slow and obvious rollup, straight from the documented rules, over the stock Parquet reader.

use super::record::{Shape, V5, exchanges, is_internal, parquet, record, records, shapes, unit};
use super::rows::{Row, rows};
use super::twin_repeats::once;
use super::twin_rows::{Eni, Seen, is_client, network, pieces, row_of};
use crate::Vantage;
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type};
use bytes::Bytes;
use flow::Address;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// Records by host's and remote's port.
type Tuples = BTreeMap<(u16, u16), Vec<Seen>>;

fn text(batch: &RecordBatch, name: &str, row: usize) -> Option<String> {
    let value = batch.column_by_name(name)?.as_string::<i32>().value(row);
    (value != "-").then(|| value.to_owned())
}

fn number(batch: &RecordBatch, name: &str, row: usize) -> Option<i64> {
    let column = batch.column_by_name(name)?;
    if column.is_null(row) {
        return None;
    }
    Some(match column.as_primitive_opt::<Int32Type>() {
        Some(ints) => i64::from(ints.value(row)),
        None => column.as_primitive::<Int64Type>().value(row),
    })
}

pub fn slow(objects: &[Vec<u8>]) -> Vec<Row> {
    slow_of_logs(objects, &[])
}

/// Rolls up objects, each of one of several flow logs.
pub fn slow_of_logs(objects: &[Vec<u8>], logs: &[u32]) -> Vec<Row> {
    let read = |o: &Vec<u8>| ParquetRecordBatchReaderBuilder::try_new(Bytes::from(o.clone())).unwrap().build().unwrap();
    let batches: Vec<RecordBatch> = objects
        .iter()
        .map(|o| read(o).map(Result::unwrap).collect::<Vec<_>>())
        .map(|batches| arrow::compute::concat_batches(batches[0].schema_ref(), &batches).unwrap())
        .collect();
    let all = || batches.iter().flat_map(|b| (0..b.num_rows()).map(move |row| (b, row)));
    let object = |b: &RecordBatch| batches.iter().position(|other| std::ptr::eq(b, other)).unwrap();
    let usable = |b: &RecordBatch, row: usize| text(b, "log_status", row).as_deref() == Some("OK");
    let address = |b: &RecordBatch, name: &str, row: usize| text(b, name, row).and_then(|t| t.parse::<Address>().ok());
    // What the unit knows of each ENI. The first record with traffic of the first object that has the ENI describes it.
    let mut described: BTreeSet<(usize, Option<String>)> = BTreeSet::new();
    let mut enis: BTreeMap<Option<String>, Eni> = BTreeMap::new();
    for (b, row) in all().filter(|(b, row)| usable(b, *row)) {
        let eni = enis.entry(text(b, "interface_id", row)).or_default();
        let is_first = described.insert((object(b), text(b, "interface_id", row)));
        if is_first && !eni.told && b.column_by_name("instance_id").is_some() {
            (eni.told, eni.managed) = (true, text(b, "instance_id", row).is_none());
        }
        let (src, dst) = (address(b, "srcaddr", row).unwrap(), address(b, "dstaddr", row).unwrap());
        let differs = |name, plain| address(b, name, row).is_some_and(|pkt| pkt != plain);
        eni.translates |= differs("pkt_srcaddr", src) || differs("pkt_dstaddr", dst);
        let carrier = match text(b, "flow_direction", row).as_deref() {
            Some("egress") => [Some(src).filter(|_| differs("pkt_srcaddr", src)), None],
            Some(_) => [Some(dst).filter(|_| differs("pkt_dstaddr", dst)), None],
            None if differs("pkt_srcaddr", src) == differs("pkt_dstaddr", dst) => [None, None],
            None => {
                [Some(src).filter(|_| differs("pkt_srcaddr", src)), Some(dst).filter(|_| differs("pkt_dstaddr", dst))]
            }
        };
        eni.networks.extend(carrier.into_iter().flatten().map(network));
        eni.longest = eni.longest.max(number(b, "end", row).unwrap() - number(b, "start", row).unwrap());
        if b.column_by_name("flow_direction").is_none() {
            *eni.votes.entry(src).or_default() += 1;
            *eni.votes.entry(dst).or_default() += 1;
        }
    }
    // Networks of the IPv6 addresses that are surely an ENI's own.
    let named = enis.iter().filter(|(name, _)| name.is_some()).map(|(_, eni)| eni);
    let sure = named.filter(|eni| eni.votes.keys().filter(|a| !a.is_v4()).count() > 1).map(|eni| eni.best(false));
    let homes: BTreeSet<Vec<u8>> =
        sure.filter(|best| best.len() == 1).map(|best| best[0].to_bytes()[..7].to_vec()).collect();
    // Every record from its host.
    let mut peers: BTreeMap<(Address, Address, u8, Vantage), Tuples> = BTreeMap::new();
    for (b, row) in all().filter(|(b, row)| usable(b, *row)) {
        let name = text(b, "interface_id", row);
        let eni = &enis[&name];
        let nameless = name.is_none();
        let (src, dst) = (address(b, "srcaddr", row).unwrap(), address(b, "dstaddr", row).unwrap());
        let far_src = address(b, "pkt_srcaddr", row).unwrap_or(src);
        let far_dst = address(b, "pkt_dstaddr", row).unwrap_or(dst);
        let translated = far_src != src || far_dst != dst;
        let direction = text(b, "flow_direction", row);
        let gateway = eni.transit() && !nameless;
        if gateway && !translated {
            continue;
        }
        let guess = direction.is_none() && (far_src != src) == (far_dst != dst);
        let outbound = match direction.as_deref() {
            Some(direction) => direction == "egress",
            None if !guess => far_src != src,
            None if gateway => true,
            None => {
                let own = [true, false].map(|v4| eni.own(v4, &homes).filter(|_| !nameless));
                let is_own = |address: Address| own.contains(&Some(address));
                match is_own(far_src) || is_own(far_dst) {
                    true => is_own(far_src),
                    false => is_internal(far_src) || !is_internal(far_dst),
                }
            }
        };
        let outward = |outbound: bool| if outbound { (far_src, far_dst) } else { (far_dst, far_src) };
        let (host, remote) = outward(outbound);
        let carried = !guess && if outbound { far_src != src } else { far_dst != dst };
        let near = carried && eni.networks.contains(&network(host));
        let forwarded = carried && !near && !is_internal(host) && !host.is_local_scope();
        let transit = forwarded || (gateway && !near);
        let swapped = forwarded || (transit && !is_internal(host) && is_internal(remote));
        let outbound = outbound != swapped;
        let (host, remote) = outward(outbound);
        let port = |name| number(b, name, row).unwrap_or(0) as u16;
        let ports = (port("srcport"), port("dstport"));
        let protocol = number(b, "protocol", row).unwrap() as u8;
        let flags_known = b.column_by_name("tcp_flags").is_some() && protocol == 6;
        let rejected = text(b, "action", row).as_deref() == Some("REJECT");
        let service = match direction.as_deref() {
            Some("egress") => (text(b, "pkt_dst_aws_service", row), text(b, "pkt_src_aws_service", row)),
            _ => (text(b, "pkt_src_aws_service", row), text(b, "pkt_dst_aws_service", row)),
        };
        let service = service.0.or(service.1.filter(|_| carried));
        let start = number(b, "start", row).unwrap();
        let bits = [outbound, rejected, flags_known, translated, guess, transit, false, carried];
        let vantage = match (transit, carried) {
            (true, _) => Vantage::Transit,
            (_, true) => Vantage::Carried,
            _ => Vantage::Own,
        };
        let seen = Seen {
            start,
            bits: bits.iter().rev().fold(0, |bits, bit| bits << 1 | u8::from(*bit)),
            flags: number(b, "tcp_flags", row).unwrap_or(0) as u8,
            duration: number(b, "end", row).unwrap() - start,
            bytes: number(b, "bytes", row).unwrap() as u64,
            packets: number(b, "packets", row).unwrap() as u64,
            eni: name,
            log: logs.get(object(b)).copied(),
            service,
            host,
            remote,
            ports: if outbound { ports } else { (ports.1, ports.0) },
            protocol,
            outbound,
            rejected,
            flags_known,
        };
        peers.entry((host, remote, protocol, vantage)).or_default().entry(seen.ports).or_default().push(seen);
    }
    for ((_, _, _, vantage), tuples) in &mut peers {
        tuples.values_mut().for_each(|list| *list = once(std::mem::take(list), *vantage));
        tuples.retain(|_, list| !list.is_empty());
    }
    let mut found = BTreeMap::new();
    for ((host, remote, protocol, vantage), tuples) in &mut peers {
        let fan = |pick: &dyn Fn(&(u16, u16)) -> bool| tuples.keys().filter(|ports| pick(ports)).count();
        let fans: Vec<(usize, usize)> =
            tuples.keys().map(|p| (fan(&|other| other.0 == p.0), fan(&|other| other.1 == p.1))).collect();
        for ((ports, list), fans) in tuples.iter_mut().zip(fans) {
            list.sort();
            let client = is_client(*ports, fans, list);
            let (port, client_port) = if client { (ports.1, ports.0) } else { *ports };
            for (hour_s, piece) in pieces(list, &enis) {
                let key = (*host, *remote, *protocol, port, client, *vantage, hour_s);
                found.entry(key).or_insert_with(Vec::new).push((client_port, piece));
            }
        }
    }
    // Remotes that did no more than probe are summed up.
    let mut probes: BTreeMap<(Address, u8, Vantage, i64), Row> = BTreeMap::new();
    let mut out: Vec<Row> = Vec::new();
    for (key, pieces) in found {
        let (host, remote, protocol, _, _, vantage, hour_s) = key;
        let external = !is_internal(remote) && !remote.is_local_scope();
        let probed =
            pieces.len() < 3 && pieces.iter().all(|(_, piece)| piece.iter().all(|r| r.rejected && !r.outbound));
        let row = row_of(key, pieces, &enis);
        if !external || !probed {
            out.push(row);
            continue;
        }
        let blank = Row {
            remote: "0.0.0.0".to_owned(),
            port: 0,
            role: "server",
            service: None,
            counts: [0; 3],
            segments: vec![],
            sizes: vec![],
            ..row.clone()
        };
        let sum = probes.entry((host, protocol, vantage, hour_s)).or_insert(blank);
        (0..3).for_each(|at| sum.counts[at] += row.counts[at]);
        sum.seen_s = (sum.seen_s.0.min(row.seen_s.0), sum.seen_s.1.max(row.seen_s.1));
        sum.interface = [sum.interface.take(), row.interface].into_iter().flatten().min();
        sum.window_s = sum.window_s.max(row.window_s);
    }
    out.extend(probes.into_values());
    out.sort();
    out
}

/// Cuts records into objects, each starting where `cuts` says.
pub fn objects(records: &[super::record::Record], shape: Shape, cuts: &[prop::sample::Index]) -> Vec<Vec<u8>> {
    let mut at: BTreeSet<usize> = cuts.iter().map(|cut| cut.index(records.len())).collect();
    at.insert(0);
    at.insert(records.len());
    let at: Vec<usize> = at.into_iter().collect();
    at.windows(2).map(|cut| parquet(&records[cut[0]..cut[1]], shape)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_unit_equals_the_slow_twin(
        records in records(60),
        shape in shapes(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..3),
    ) {
        let objects = objects(&records, shape, &cuts);
        prop_assert_eq!(rows(&unit(&objects).pair_hours), slow(&objects));
    }

    #[test]
    fn a_crowded_pair_equals_the_slow_twin(records in prop::collection::vec(record(), 200..400), shape in shapes()) {
        let objects = [parquet(&records, shape)];
        prop_assert_eq!(rows(&unit(&objects).pair_hours), slow(&objects));
    }

    #[test]
    fn exchanges_equal_the_slow_twin(
        records in exchanges(60),
        shape in prop_oneof![3 => Just(V5), 1 => shapes()],
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..3),
    ) {
        let objects = objects(&records, shape, &cuts);
        prop_assert_eq!(rows(&unit(&objects).pair_hours), slow(&objects));
    }

    #[test]
    fn no_byte_is_lost_nor_counted_twice(records in records(80)) {
        // Instances only: every accepted record counts once, in its own direction.
        let records: Vec<_> = records
            .into_iter()
            .map(|mut r| {
                if !r.is_empty() {
                    r.instance = Some("i-1".to_owned());
                    (r.pkt_src, r.pkt_dst) = (r.src.clone(), r.dst.clone());
                }
                r
            })
            .collect();
        let told: u64 =
            records.iter().filter(|r| !r.is_empty() && r.action.as_deref() == Some("ACCEPT")).map(|r| r.bytes as u64).sum();
        let rows = rows(&unit(&[parquet(&records, super::record::V5)]).pair_hours);
        prop_assert_eq!(rows.iter().map(|r| r.bytes[0] + r.bytes[1]).sum::<u64>(), told);
    }
}
