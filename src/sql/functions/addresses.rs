//! Functions of addresses, given as text or as the 16 bytes of the derived tables.

use super::FunctionDoc;
use super::function::{Function, on_arrays, wrong_type_got, wrong_value};
use crate::intel::{InternalNetworks, Networks};
use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, FixedSizeBinaryBuilder, Int64Array, StringArray, StringViewArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};
use flow::{Address, Network};
use std::sync::Arc;

pub(super) const GROUP: &str = "addresses";

/// Documentation for `--functions` and the reference.
pub(super) const DOCS: &[FunctionDoc] = &[
    FunctionDoc {
        name: "ip",
        group: GROUP,
        call: "ip(address)",
        returns: "The address as text, in its shortest form; NULL for a text that is not an address (`-`).",
        example: "ip('2001:0DB8:0:0::1')",
        result: "2001:db8::1",
    },
    FunctionDoc {
        name: "address",
        group: GROUP,
        call: "address(text)",
        returns: "The 16 bytes of an address, the form of `host` and `remote` in detections: `WHERE host = \
                address('10.0.0.1')`, which also matches addresses as text. IPv4 is v4-mapped.",
        example: "address('10.0.0.1')",
        result: "00000000000000000000ffff0a000001",
    },
    FunctionDoc {
        name: "cidr_contains",
        group: GROUP,
        call: "cidr_contains(network, address)",
        returns: "Whether the network, in CIDR notation, contains the address; NULL for a missing address.",
        example: "cidr_contains('10.0.0.0/8', '10.200.3.4')",
        result: "true",
    },
    FunctionDoc {
        name: "ip_in",
        group: GROUP,
        call: "ip_in(address, networks)",
        returns: "Whether any of the addresses and networks, separated by commas or spaces, contains the address.",
        example: "ip_in('192.0.2.7', '10.0.0.0/8, 192.0.2.0/24')",
        result: "true",
    },
    FunctionDoc {
        name: "is_internal",
        group: GROUP,
        call: "is_internal(address)",
        returns: "Whether the address is in the networks of --internal (default RFC 1918, 100.64.0.0/10, fc00::/7). A \
                host of yours with a public address is not; `external` of `pairs` knows such hosts by their ENI.",
        example: "is_internal('8.8.8.8')",
        result: "false",
    },
    FunctionDoc {
        name: "prefix",
        group: GROUP,
        call: "prefix(address, length[, length_v6])",
        returns: "The network with that prefix length (0 to 32, for IPv6 0 to 128) that contains the address. Without \
                `length_v6`, IPv6 addresses get 64.",
        example: "prefix('10.1.2.3', 16)",
        result: "10.1.0.0/16",
    },
    FunctionDoc {
        name: "network_owner",
        group: GROUP,
        call: "network_owner(address)",
        returns: "The owner of the address according to the files of --networks; NULL when they do not list it.",
        example: "network_owner('192.0.2.7')",
        result: "",
    },
    FunctionDoc {
        name: "network_service",
        group: GROUP,
        call: "network_service(address)",
        returns: "The service of the address, such as `S3`, according to the files of --networks.",
        example: "network_service('192.0.2.7')",
        result: "",
    },
];

/// Returns whether a column of this type may hold addresses.
pub(super) fn is_address_type(kind: &DataType) -> bool {
    match kind {
        DataType::FixedSizeBinary(16) | DataType::Null => true,
        DataType::Dictionary(_, value) => is_address_type(value),
        kind => kind.is_string(),
    }
}

/// Reads a column of addresses; a text that is not an address becomes a missing one.
pub(super) fn addresses(array: &ArrayRef) -> Vec<Option<Address>> {
    of_addresses(array, |address| address)
}

/// Applies a predicate to every address of a column; a text that is not an address gives NULL.
pub(super) fn of_addresses<T: Copy>(array: &ArrayRef, ask: impl Fn(Address) -> T + Copy) -> Vec<Option<T>> {
    let read = |text: Option<&str>| text.and_then(|text| Address::parse(text.as_bytes())).map(ask);
    match array.data_type() {
        DataType::FixedSizeBinary(16) => {
            let array = array.as_fixed_size_binary();
            array.iter().map(|bytes| bytes?.try_into().ok().map(Address::from_bytes).map(ask)).collect()
        }
        DataType::Utf8 => array.as_string::<i32>().iter().map(read).collect(),
        DataType::LargeUtf8 => array.as_string::<i64>().iter().map(read).collect(),
        DataType::Utf8View => of_views(array.as_string_view(), read),
        DataType::Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            let values = of_addresses(dictionary.values(), ask);
            if values.is_empty() {
                return vec![None; array.len()];
            }
            let keys = dictionary.normalized_keys().into_iter().enumerate();
            keys.map(|(row, key)| if dictionary.keys().is_null(row) { None } else { values[key] }).collect()
        }
        _ => vec![None; array.len()],
    }
}

/// Entries of the cache of parsed texts, a power of two.
const REMEMBERED: usize = 1 << 11;

/// Reads texts among which a few values repeat, as views of the same bytes: each is parsed about once.
fn of_views<T: Copy>(array: &StringViewArray, read: impl Fn(Option<&str>) -> Option<T>) -> Vec<Option<T>> {
    // No view is all ones: its length would be larger than any buffer.
    let mut remembered: Vec<(u128, Option<T>)> =
        vec![(u128::MAX, None); REMEMBERED.min(array.len().next_power_of_two())];
    let mask = remembered.len() - 1;
    let views = array.views().iter().enumerate();
    views
        .map(|(row, view)| {
            if array.is_null(row) {
                return None;
            }
            let folded = (*view as u64 ^ (*view >> 64) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let slot = &mut remembered[(folded >> 40) as usize & mask];
            if slot.0 != *view {
                *slot = (*view, read(Some(array.value(row))));
            }
            slot.1
        })
        .collect()
}

pub(super) fn check_address(function: &str, argument: &str, kind: &DataType) -> Result<()> {
    if is_address_type(kind) {
        return Ok(());
    }
    Err(wrong_type_got(function, argument, "an address (text or 16 bytes)", kind))
}

pub(super) fn check_text(function: &str, argument: &str, kind: &DataType) -> Result<()> {
    if kind.is_string() || kind.is_null() {
        return Ok(());
    }
    Err(wrong_type_got(function, argument, "a text", kind))
}

pub(super) fn check_number(function: &str, argument: &str, kind: &DataType) -> Result<()> {
    if kind.is_numeric() || kind.is_null() || matches!(kind, DataType::Timestamp(..)) {
        return Ok(());
    }
    Err(wrong_type_got(function, argument, "a number", kind))
}

/// Creates `ip`.
pub(super) fn ip() -> ScalarUDF {
    Function::typed(
        "ip",
        &[1],
        |types| check_address("ip", "address", &types[0]).map(|()| DataType::Utf8),
        on_arrays(|args| Ok(texts(&args[0], |at| Some(at.to_string())))),
    )
}

/// Creates the functions of addresses.
pub(super) fn functions(networks: Arc<Networks>, internal: Arc<InternalNetworks>) -> Vec<ScalarUDF> {
    let owners = networks.clone();
    vec![
        ip(),
        Function::typed(
            "address",
            &[1],
            |types| check_address("address", "text", &types[0]).map(|()| DataType::FixedSizeBinary(16)),
            on_arrays(|args| {
                let mut bytes = FixedSizeBinaryBuilder::with_capacity(args[0].len(), 16);
                for address in addresses(&args[0]) {
                    match address {
                        Some(address) => bytes.append_value(address.to_bytes())?,
                        None => bytes.append_null(),
                    }
                }
                Ok(Arc::new(bytes.finish()))
            }),
        ),
        Function::typed(
            "cidr_contains",
            &[2],
            |types| {
                check_text("cidr_contains", "network", &types[0])?;
                check_address("cidr_contains", "address", &types[1])?;
                Ok(DataType::Boolean)
            },
            Arc::new(|values, rows| within("cidr_contains", &values[1], &values[0], rows)),
        ),
        Function::typed(
            "ip_in",
            &[2],
            |types| {
                check_address("ip_in", "address", &types[0])?;
                check_text("ip_in", "networks", &types[1])?;
                Ok(DataType::Boolean)
            },
            Arc::new(|values, rows| within("ip_in", &values[0], &values[1], rows)),
        ),
        Function::typed(
            "is_internal",
            &[1],
            |types| check_address("is_internal", "address", &types[0]).map(|()| DataType::Boolean),
            on_arrays(move |args| {
                let inside = of_addresses(&args[0], |address| internal.contains(address));
                Ok(Arc::new(BooleanArray::from(inside)))
            }),
        ),
        Function::typed(
            "prefix",
            &[2, 3],
            |types| {
                check_address("prefix", "address", &types[0])?;
                types[1..].iter().try_for_each(|kind| check_number("prefix", "length", kind))?;
                Ok(DataType::Utf8)
            },
            on_arrays(prefixes),
        ),
        Function::typed(
            "network_owner",
            &[1],
            |types| check_address("network_owner", "address", &types[0]).map(|()| DataType::Utf8),
            on_arrays(move |args| Ok(texts(&args[0], |at| owners.lookup(at).map(|owner| owner.owner.to_owned())))),
        ),
        Function::typed(
            "network_service",
            &[1],
            |types| check_address("network_service", "address", &types[0]).map(|()| DataType::Utf8),
            on_arrays(move |args| {
                let service = |at| networks.lookup(at).and_then(|owner| owner.service.map(str::to_owned));
                Ok(texts(&args[0], service))
            }),
        ),
    ]
}

fn texts(array: &ArrayRef, write: impl Fn(Address) -> Option<String>) -> ArrayRef {
    let written = addresses(array).into_iter().map(|address| address.and_then(&write));
    Arc::new(written.collect::<StringArray>())
}

/// Reads networks separated by commas or spaces.
fn networks_of(function: &str, text: &str) -> Result<InternalNetworks> {
    let words = text.split([',', ' ', '\n', '\t']).filter(|word| !word.is_empty());
    let networks = words.map(str::parse::<Network>).collect::<std::result::Result<Vec<Network>, _>>();
    Ok(InternalNetworks::new(&networks.map_err(|error| wrong_value(function, error))?))
}

/// Returns which addresses are in the networks of a text; the text is parsed again only when it changes.
fn within(function: &str, address: &ColumnarValue, networks: &ColumnarValue, rows: usize) -> Result<ArrayRef> {
    let array = address.to_array(rows)?;
    if let ColumnarValue::Scalar(text) = networks {
        let networks = match text.try_as_str().flatten() {
            Some(text) => networks_of(function, text)?,
            None => return ScalarValue::Boolean(None).to_array_of_size(rows),
        };
        return Ok(Arc::new(BooleanArray::from(of_addresses(&array, |address| networks.contains(address)))));
    }
    let found = addresses(&array);
    let texts = cast(&networks.to_array(rows)?, &DataType::Utf8)?;
    let texts = texts.as_string::<i32>();
    let mut last: Option<(&str, InternalNetworks)> = None;
    let mut inside = Vec::with_capacity(rows);
    for (address, text) in found.into_iter().zip(texts) {
        let Some(text) = text else {
            inside.push(None);
            continue;
        };
        if last.as_ref().is_none_or(|(before, _)| *before != text) {
            last = Some((text, networks_of(function, text)?));
        }
        inside.push(address.and_then(|at| last.as_ref().map(|(_, networks)| networks.contains(at))));
    }
    Ok(Arc::new(BooleanArray::from(inside)))
}

fn prefixes(args: &[ArrayRef]) -> Result<ArrayRef> {
    let lengths = args[1..].iter().map(numbers).collect::<Result<Vec<_>>>()?;
    let write = |row: usize, address: Address| -> Result<Option<String>> {
        let (lengths, most) = match address.is_v4() {
            true => (lengths.first(), 32),
            false => (lengths.get(1), 128),
        };
        let length = match lengths {
            Some(lengths) if lengths.is_null(row) => return Ok(None),
            Some(lengths) => lengths.value(row),
            None => 64,
        };
        if !(0..=most).contains(&length) {
            return Err(wrong_value("prefix", format!("a prefix length of {length}, expected 0 to {most}")));
        }
        let network: Network = format!("{address}/{length}").parse().map_err(|error| wrong_value("prefix", error))?;
        Ok(Some(network.to_string()))
    };
    let written = addresses(&args[0]).into_iter().enumerate().map(|(row, address)| match address {
        Some(address) => write(row, address),
        None => Ok(None),
    });
    Ok(Arc::new(written.collect::<Result<StringArray>>()?))
}

/// Returns numbers unchanged, and timestamps as Unix seconds.
pub(super) fn numbers(array: &ArrayRef) -> Result<Int64Array> {
    let whole = match array.data_type() {
        DataType::Timestamp(_, zone) => {
            cast(array, &DataType::Timestamp(arrow::datatypes::TimeUnit::Second, zone.clone()))?
        }
        _ => array.clone(),
    };
    Ok(cast(&whole, &DataType::Int64)?.as_primitive::<Int64Type>().clone())
}
