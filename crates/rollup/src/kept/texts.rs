//! The words that rows refer to, and the counts of a unit.

use super::cursor::{Cursor, put_text, put_u32};
use super::error::KeptError;
use crate::counts::UnitCounts;
use crate::pair_hours::lookup::LookupTables;
use flow::Address;

/// Returns the words of a table as bytes.
pub(super) fn lookup_bytes(lookup: &LookupTables) -> Vec<u8> {
    let LookupTables { owners, names, services, addresses } = lookup;
    let mut out = Vec::new();
    put_u32(owners.len(), &mut out);
    for (account, region) in owners {
        put_text(account, &mut out);
        put_text(region, &mut out);
    }
    for texts in [names, services] {
        put_u32(texts.len(), &mut out);
        texts.iter().for_each(|text| put_text(text, &mut out));
    }
    put_u32(addresses.len(), &mut out);
    addresses.iter().for_each(|address| out.extend_from_slice(&address.bits().to_le_bytes()));
    out
}

/// Reads what [`lookup_bytes`] wrote.
pub(super) fn lookup_of(bytes: &[u8]) -> Result<LookupTables, KeptError> {
    let mut cursor = Cursor::new(bytes, "words");
    let owners = cursor.list(|cursor| Ok((cursor.text()?, cursor.text()?)))?;
    let names = cursor.list(Cursor::text)?;
    let services = cursor.list(Cursor::text)?;
    let addresses = cursor.list(|cursor| Ok(Address::from_bits(cursor.u128()?)))?;
    cursor.end()?;
    Ok(LookupTables { owners, names, services, addresses })
}

/// Appends the counts of a unit.
pub(super) fn put_counts(counts: &UnitCounts, out: &mut Vec<u8>) {
    let mut counts = counts.clone();
    fields(&mut counts).iter().for_each(|count| out.extend_from_slice(&count.to_le_bytes()));
}

/// Reads what [`put_counts`] wrote.
pub(super) fn take_counts(head: &mut Cursor<'_>) -> Result<UnitCounts, KeptError> {
    let mut counts = UnitCounts::default();
    for count in fields(&mut counts) {
        *count = head.u64()?;
    }
    Ok(counts)
}

/// Returns all counts. A new one must stand here, or this does not compile.
fn fields(counts: &mut UnitCounts) -> [&mut u64; 10] {
    let UnitCounts {
        rows,
        nodata,
        skipdata,
        rejected,
        unusable,
        outside,
        transit,
        rejected_probes,
        without_packet_addresses,
        doubled,
    } = counts;
    [rows, nodata, skipdata, rejected, unusable, outside, transit, rejected_probes, without_packet_addresses, doubled]
}
