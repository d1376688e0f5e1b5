//! Functions that format numbers as text.

use super::FunctionDoc;
use super::function::{Function, on_arrays, wrong_value};
use arrow::array::{Array, ArrayRef, AsArray, Float64Array, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use datafusion::error::Result;
use datafusion::logical_expr::ScalarUDF;
use flow::codes::{protocol_name, tcp_flags_text, traffic_path_text};
use flow::services::service_name;
use flow::units::{bytes_text, duration_text};
use std::sync::Arc;

const GROUP: &str = "words";

/// Documentation for `--functions` and the reference.
pub(super) const DOCS: &[FunctionDoc] = &[
    FunctionDoc {
        name: "protocol_name",
        group: GROUP,
        call: "protocol_name(number)",
        returns: "The name of an IANA protocol number, or the number as text.",
        example: "protocol_name(6)",
        result: "tcp",
    },
    FunctionDoc {
        name: "service_name",
        group: GROUP,
        call: "service_name(port[, protocol])",
        returns: "The usual name of the service on a port, NULL when it has none; TCP unless `protocol` says \
                otherwise.",
        example: "service_name(3389)",
        result: "rdp",
    },
    FunctionDoc {
        name: "tcp_flags_text",
        group: GROUP,
        call: "tcp_flags_text(flags)",
        returns: "The TCP flags seen in a window: flow logs report FIN, SYN, RST, and ACK only together with SYN.",
        example: "tcp_flags_text(18)",
        result: "SYN ACK",
    },
    FunctionDoc {
        name: "traffic_path_text",
        group: GROUP,
        call: "traffic_path_text(code)",
        returns: "The description of a code of `traffic_path`, 1 to 8; NULL for others.",
        example: "traffic_path_text(8)",
        result: "internet gateway",
    },
    FunctionDoc {
        name: "human_bytes",
        group: GROUP,
        call: "human_bytes(bytes)",
        returns: "Bytes in decimal units with at most three digits.",
        example: "human_bytes(4123456789)",
        result: "4.1 GB",
    },
    FunctionDoc {
        name: "human_duration",
        group: GROUP,
        call: "human_duration(seconds)",
        returns: "Seconds in their two largest units.",
        example: "human_duration(4510)",
        result: "1 h 15 m",
    },
    FunctionDoc {
        name: "signif",
        group: GROUP,
        call: "signif(x, digits)",
        returns: "The number rounded to so many significant digits, 1 to 17: for p-values, which `round` turns into 0.",
        example: "signif(4.50674e-40, 2)",
        result: "4.5e-40",
    },
];

/// Formats bytes as text; a difference may be negative.
fn signed_bytes_text(bytes: f64) -> String {
    let size = bytes_text(bytes.abs() as u64);
    if bytes <= -1.0 { format!("-{size}") } else { size }
}

/// Returns the name of a protocol; other numbers are kept as numbers.
fn protocol_text(code: f64) -> String {
    let number = code as u8;
    if f64::from(number) == code { protocol_name(number).into_owned() } else { code.to_string() }
}

/// Creates the formatting functions.
pub(super) fn functions() -> Vec<ScalarUDF> {
    let float = || DataType::Float64;
    let whole = || DataType::Int64;
    let text = || DataType::Utf8;
    let numbers = |write: fn(f64) -> String| on_arrays(move |args| Ok(number_texts(args, write)));
    let codes = |write: fn(i64) -> Option<String>| on_arrays(move |args| Ok(code_texts(args, write)));
    vec![
        Function::exact("human_bytes", vec![float()], text(), numbers(signed_bytes_text)),
        Function::exact("human_duration", vec![float()], text(), numbers(duration_text)),
        Function::exact("protocol_name", vec![float()], text(), numbers(protocol_text)),
        Function::exact(
            "tcp_flags_text",
            vec![whole()],
            text(),
            codes(|flags| u8::try_from(flags).ok().map(tcp_flags_text)),
        ),
        Function::exact(
            "traffic_path_text",
            vec![whole()],
            text(),
            codes(|code| traffic_path_text(code).map(str::to_owned)),
        ),
        Function::exact("signif", vec![float(), whole()], float(), on_arrays(significant)),
        Function::typed("service_name", &[1, 2], |_| Ok(DataType::Utf8), on_arrays(services)),
    ]
}

fn number_texts(args: &[ArrayRef], write: fn(f64) -> String) -> ArrayRef {
    let numbers = args[0].as_primitive::<Float64Type>();
    Arc::new(numbers.iter().map(|number| number.map(write)).collect::<StringArray>())
}

fn significant(args: &[ArrayRef]) -> Result<ArrayRef> {
    let (numbers, digits) = (args[0].as_primitive::<Float64Type>(), args[1].as_primitive::<Int64Type>());
    let rounded = |(number, digits): (Option<f64>, Option<i64>)| -> Result<Option<f64>> {
        let (Some(number), Some(digits)) = (number, digits) else { return Ok(None) };
        match usize::try_from(digits) {
            Ok(digits @ 1..=17) => Ok(Some(format!("{number:.*e}", digits - 1).parse().unwrap_or(number))),
            _ => Err(wrong_value("signif", format!("{digits} digits, expected 1 to 17"))),
        }
    };
    Ok(Arc::new(numbers.iter().zip(digits).map(rounded).collect::<Result<Float64Array>>()?))
}

fn code_texts(args: &[ArrayRef], write: fn(i64) -> Option<String>) -> ArrayRef {
    let codes = args[0].as_primitive::<Int64Type>();
    Arc::new(codes.iter().map(|code| code.and_then(write)).collect::<StringArray>())
}

fn services(args: &[ArrayRef]) -> Result<ArrayRef> {
    let columns = args.iter().map(|array| cast(array, &DataType::Int64)).collect::<Result<Vec<_>, _>>()?;
    let ports = columns[0].as_primitive::<Int64Type>();
    let protocols = columns.get(1).map(|protocols| protocols.as_primitive::<Int64Type>());
    let name = |(row, port): (usize, Option<i64>)| {
        let protocol = match protocols {
            Some(protocols) if protocols.is_null(row) => return None,
            Some(protocols) => protocols.value(row),
            None => 6,
        };
        service_name(u16::try_from(port?).ok()?, u8::try_from(protocol).ok()?)
    };
    Ok(Arc::new(ports.iter().enumerate().map(name).collect::<StringArray>()))
}
