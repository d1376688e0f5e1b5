//! The texts and addresses that rows refer to by index.

use crate::unit::parts::part_of;
use flow::Address;
use scan::FIRST_INTERNED;

/// The texts and addresses that rows refer to by index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LookupTables {
    /// Account and region, sorted.
    pub(crate) owners: Vec<(String, String)>,
    /// Names of ENIs, sorted.
    pub(crate) names: Vec<String>,
    /// AWS services, sorted.
    pub(crate) services: Vec<String>,
    /// Addresses that are not their own code, sorted.
    pub(crate) addresses: Vec<Address>,
}

impl LookupTables {
    /// Returns the bytes of memory that the tables take.
    pub(crate) fn memory_bytes(&self) -> usize {
        let text = |text: &String| text.capacity() + size_of::<String>();
        let texts = self.names.iter().chain(&self.services).map(text).sum::<usize>();
        let owners = self.owners.iter().map(|(account, region)| text(account) + text(region)).sum::<usize>();
        texts + owners + self.addresses.capacity() * size_of::<Address>()
    }
}

/// Returns the part and code of an address, given the sorted addresses of a table; `None` when the table does not have
/// it.
pub(crate) fn code_in(address: Address, addresses: &[Address]) -> Option<(usize, u32)> {
    let code = match scan::own_code(address) {
        Some(code) => code,
        None => addresses.binary_search(&address).ok().map(|index| FIRST_INTERNED + index as u32)?,
    };
    Some((part_of(address), code))
}
