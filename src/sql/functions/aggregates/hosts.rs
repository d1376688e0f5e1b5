//! `distinct_hosts(address)`: how many different addresses.

use super::super::addresses::{addresses, is_address_type};
use super::super::function::wrong_type_got;
use super::statistic::{Statistic, wrong_count};
use arrow::array::{ArrayRef, UInt64Array};
use arrow::datatypes::DataType;
use datafusion::error::Result;
use flow::Address;
use foldhash::fast::FixedState;
use hashbrown::HashSet;
use std::sync::Arc;

/// The aggregate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct DistinctHosts;

impl Statistic for DistinctHosts {
    const NAME: &'static str = "distinct_hosts";
    type Group = HashSet<u128, FixedState>;
    type Row = Address;

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match types {
            [kind] if is_address_type(kind) => Ok(vec![kind.clone()]),
            [kind] => Err(wrong_type_got(Self::NAME, "address", "an address (text or 16 bytes)", kind)),
            _ => Err(wrong_count("distinct_hosts(address)", types.len())),
        }
    }

    fn returns(&self) -> DataType {
        DataType::UInt64
    }

    fn rows(&self, arguments: &[ArrayRef]) -> Result<Vec<Option<Address>>> {
        Ok(addresses(&arguments[0]))
    }

    fn add(&self, group: &mut Self::Group, row: Address) {
        group.insert(row.bits());
    }

    fn held(&self, group: &Self::Group) -> usize {
        group.allocation_size()
    }

    fn write(&self, group: &Self::Group, words: &mut Vec<u64>) {
        // The iteration order does not matter, since the members go into another set.
        words.extend(group.iter().flat_map(|bits| [(bits >> 64) as u64, *bits as u64]));
    }

    fn merge(&self, group: &mut Self::Group, words: &[u64]) {
        group.extend(words.chunks_exact(2).map(|halves| u128::from(halves[0]) << 64 | u128::from(halves[1])));
    }

    fn judge(&self, groups: &[Self::Group]) -> Result<ArrayRef> {
        Ok(Arc::new(UInt64Array::from_iter_values(groups.iter().map(|group| group.len() as u64))))
    }
}
