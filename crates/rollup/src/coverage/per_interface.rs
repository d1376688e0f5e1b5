//! What `coverage` knows of each ENI: the host behind it, and the share of time with data.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{TimestampSecondType, UInt32Type, UInt64Type};
use flow::Address;
use flow::time::HOUR_S;
use foldhash::fast::FixedState;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// The host behind an ENI, as far as it is logged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostFacts {
    /// EC2 instance; `None` for requester-managed ENIs.
    pub instance_id: Option<String>,
    /// VPC.
    pub vpc_id: Option<String>,
    /// Subnet.
    pub subnet_id: Option<String>,
}

/// ENIs that forward for others, and the addresses under which they do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forwarders {
    /// Their own addresses.
    pub addresses: BTreeSet<Address>,
    /// Names of their ENIs, and of all other ENIs of the same instances: an appliance forwards from one to another.
    pub interfaces: HashSet<String>,
    /// Names of their ENIs whose instance is not logged, so that its other ENIs are not known.
    pub alone: BTreeSet<String>,
}

impl Forwarders {
    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.addresses.is_empty() && self.interfaces.is_empty()
    }
}

/// Returns the ENIs that `coverage` knows to forward for others, in whatever hour.
pub fn forwarders(tables: &[RecordBatch]) -> Forwarders {
    let mut found = Forwarders::default();
    let mut instances: HashSet<&str> = HashSet::new();
    let mut with_instance: HashSet<&str> = HashSet::new();
    for table in tables {
        let lists = table["forwards_as"].as_list::<i32>();
        let managed = table["transit"].as_boolean();
        let (names, of_instances) = (table["interface_id"].as_string::<i32>(), table["instance_id"].as_string::<i32>());
        for row in (0..table.num_rows()).filter(|row| lists.is_valid(*row)) {
            let addresses = lists.value(row);
            found
                .addresses
                .extend(addresses.as_string::<i32>().iter().flatten().filter_map(|text| text.parse::<Address>().ok()));
            if names.is_valid(row) {
                found.interfaces.insert(names.value(row).to_owned());
                if of_instances.is_valid(row) {
                    instances.insert(of_instances.value(row));
                }
                if of_instances.is_valid(row) || managed.value(row) {
                    with_instance.insert(names.value(row));
                }
            }
        }
    }
    found.alone = found.interfaces.iter().filter(|name| !with_instance.contains(name.as_str())).cloned().collect();
    for table in tables.iter().filter(|_| !instances.is_empty()) {
        let (names, of_instances) = (table["interface_id"].as_string::<i32>(), table["instance_id"].as_string::<i32>());
        let all = names.iter().zip(of_instances.iter()).filter_map(|(name, instance)| Some((name?, instance?)));
        let theirs = all.filter(|(_, instance)| instances.contains(instance)).map(|(name, _)| name);
        theirs.for_each(|name| {
            if !found.interfaces.contains(name) {
                found.interfaces.insert(name.to_owned());
            }
        });
    }
    found
}

/// Returns what `coverage` knows of each ENI, by name. For each field, the first row that has it counts.
pub fn host_facts(tables: &[RecordBatch]) -> HashMap<String, HostFacts> {
    let mut facts: HashMap<String, HostFacts> = HashMap::new();
    for table in tables {
        let texts = |name: &str| table[name].as_string::<i32>();
        let (names, instances, vpcs, subnets) =
            (texts("interface_id"), texts("instance_id"), texts("vpc_id"), texts("subnet_id"));
        for row in (0..table.num_rows()).filter(|row| names.is_valid(*row)) {
            let name = names.value(row);
            let fact = match facts.get_mut(name) {
                Some(fact) => fact,
                None => facts.entry(name.to_owned()).or_default(),
            };
            // A unit whose records were all outside the time range counts its ENIs but does not describe them.
            for (known, column) in
                [(&mut fact.instance_id, instances), (&mut fact.vpc_id, vpcs), (&mut fact.subnet_id, subnets)]
            {
                if known.is_none() && column.is_valid(row) {
                    *known = Some(column.value(row).to_owned());
                }
            }
        }
    }
    facts
}

/// Returns the share of `from_s` to `to_s` with data, by ENI, 0 to 1, rounded to four places: hours with any record,
/// less the windows in which AWS lost records. ENIs without any hour in that time are left out.
pub fn coverage_shares(tables: &[RecordBatch], from_s: i64, to_s: i64) -> BTreeMap<String, f64> {
    // An hour may be split over two units; it is still one hour.
    let mut covered_s: HashMap<&str, Vec<(i64, i64)>, FixedState> = HashMap::default();
    for table in tables {
        let names = table["interface_id"].as_string::<i32>();
        let hours = table["hour"].as_primitive::<TimestampSecondType>();
        let lost = table["skipdata_s"].as_primitive::<UInt32Type>();
        let records = table["records"].as_primitive::<UInt64Type>();
        let [nodata, skipdata] = ["nodata", "skipdata"].map(|name| table[name].as_primitive::<UInt32Type>());
        for row in 0..table.num_rows() {
            let hour_s = hours.value(row);
            // An hour without rows only holds the end of another hour's lost window.
            let logged = records.value(row) > 0 || nodata.value(row) > 0 || skipdata.value(row) > 0;
            if logged && !names.is_null(row) && (from_s..to_s).contains(&hour_s) {
                covered_s.entry(names.value(row)).or_default().push((hour_s, i64::from(lost.value(row))));
            }
        }
    }
    let window_s = (to_s - from_s).max(HOUR_S) as f64;
    let mut shares: BTreeMap<String, f64> = BTreeMap::new();
    for (name, mut hours) in covered_s {
        hours.sort_unstable();
        let hours = hours.chunk_by(|a, b| a.0 == b.0);
        let covered_s = hours.map(|rows| (HOUR_S - rows.iter().map(|(_, lost_s)| lost_s).sum::<i64>()).max(0));
        shares.insert(name.to_owned(), covered_s.map(|covered_s| covered_s as f64 / window_s).sum());
    }
    for share in shares.values_mut() {
        *share = (share.min(1.0) * 1e4).round() / 1e4;
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::super::test_tables::table;
    use super::*;
    use arrow::array::StringArray;
    use std::sync::Arc;

    #[test]
    fn facts_come_from_the_first_row_that_has_them() {
        let full = table(&[("eni-1", 3_600, 0)]);
        let index = full.schema().index_of("instance_id").unwrap();
        let mut columns = full.columns().to_vec();
        columns[index] = Arc::new(StringArray::from(vec![None::<&str>]));
        let silent = RecordBatch::try_new(full.schema(), columns).unwrap();
        for tables in [vec![silent.clone(), full.clone()], vec![full, silent]] {
            assert_eq!(host_facts(&tables)["eni-1"].instance_id.as_deref(), Some("i-eni-1"));
        }
    }

    #[test]
    fn lost_windows_and_silent_hours_lower_the_share() {
        let tables = [table(&[("a", 0, 0), ("a", 3_600, 360), ("b", 0, 0)]), table(&[("a", 0, 0), ("a", 7_200, 0)])];
        let shares = coverage_shares(&tables, 0, 4 * 3_600);
        assert_eq!(shares, BTreeMap::from([("a".to_owned(), 0.725), ("b".to_owned(), 0.25)]));
        assert_eq!(host_facts(&tables)["b"].instance_id.as_deref(), Some("i-b"));
    }
}
