//! The function that tells public resolvers and time servers.

use super::FunctionDoc;
use super::addresses::{GROUP, addresses, check_address, check_number, numbers};
use super::function::{Function, on_arrays};
use crate::intel::known_service;
use arrow::array::{Array, StringArray};
use arrow::datatypes::DataType;
use datafusion::logical_expr::ScalarUDF;
use std::sync::Arc;

const NAME: &str = "known_service";

/// Documentation for `--functions` and the reference.
pub(super) const DOCS: &[FunctionDoc] = &[FunctionDoc {
    name: NAME,
    group: GROUP,
    call: "known_service(remote, port, protocol)",
    returns: "The operator of the public resolver or time server that the remote is on that port, by the list that comes \
            with flowsift; NULL for all others.",
    example: "known_service('9.9.9.9', 53, 17)",
    result: "Quad9",
}];

/// Creates the function.
pub(super) fn function() -> ScalarUDF {
    let typing = |types: &[DataType]| {
        check_address(NAME, "remote", &types[0])?;
        types[1..].iter().try_for_each(|kind| check_number(NAME, "argument", kind))?;
        Ok(DataType::Utf8)
    };
    Function::typed(
        NAME,
        &[3],
        typing,
        on_arrays(|args| {
            let (ports, protocols) = (numbers(&args[1])?, numbers(&args[2])?);
            let rows = addresses(&args[0]).into_iter().enumerate();
            let operators = rows.map(|(row, remote)| {
                let port = ports.is_valid(row).then(|| ports.value(row)).and_then(|port| u16::try_from(port).ok())?;
                let protocol = protocols.is_valid(row).then(|| protocols.value(row));
                known_service(remote?, port, protocol.and_then(|protocol| u8::try_from(protocol).ok())?)
            });
            Ok(Arc::new(operators.collect::<StringArray>()))
        }),
    )
}
