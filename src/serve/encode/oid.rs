//! The Postgres type that each Arrow type is sent as.

use arrow::datatypes::{DataType, Field};
use pgwire::api::Type;

/// The metadata key of a field that names its Postgres type where Arrow's type does not determine it: the catalogue's
/// OIDs are 32-bit integers.
pub(in crate::serve) const PG_TYPE: &str = "postgres.type";

/// Returns the Postgres type of an Arrow type; `None` where Postgres has none.
pub(in crate::serve) fn type_of(kind: &DataType) -> Option<Type> {
    Some(match kind {
        DataType::Null => Type::UNKNOWN,
        DataType::Boolean => Type::BOOL,
        DataType::Int8 | DataType::Int16 | DataType::UInt8 => Type::INT2,
        DataType::Int32 | DataType::UInt16 => Type::INT4,
        DataType::Int64 | DataType::UInt32 => Type::INT8,
        DataType::UInt64 | DataType::Decimal128(_, _) => Type::NUMERIC,
        DataType::Float16 | DataType::Float32 => Type::FLOAT4,
        DataType::Float64 => Type::FLOAT8,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Type::TEXT,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => Type::BYTEA,
        DataType::Timestamp(_, Some(_)) => Type::TIMESTAMPTZ,
        DataType::Timestamp(_, None) => Type::TIMESTAMP,
        DataType::Date32 | DataType::Date64 => Type::DATE,
        DataType::Time32(_) | DataType::Time64(_) => Type::TIME,
        DataType::Interval(_) | DataType::Duration(_) => Type::INTERVAL,
        DataType::Dictionary(_, value) => return type_of(value),
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            return type_of(item.data_type()).and_then(|item| array_of(&item));
        }
        _ => return None,
    })
}

/// Returns the Postgres type of a field, which its metadata may name.
pub(in crate::serve) fn type_of_field(field: &Field) -> Option<Type> {
    // A cast keeps the metadata: an OID as text is a text.
    let named = field.metadata().get(PG_TYPE).map(String::as_str);
    match named.filter(|named| *named == "regproc" || field.data_type().is_integer()) {
        Some("oid") => Some(Type::OID),
        Some("regclass") => Some(Type::REGCLASS),
        Some("regnamespace") => Some(Type::REGNAMESPACE),
        Some("regproc") => Some(Type::REGPROC),
        Some("regtype") => Some(Type::REGTYPE),
        _ => match (field.name().as_str(), type_of(field.data_type())?) {
            // asyncpg asks for the types of arrays it does not know, and knows this one only as OIDs.
            ("attrtypoids", Type::INT4_ARRAY) => Some(Type::OID_ARRAY),
            (_, kind) => Some(kind),
        },
    }
}

/// The array types of the types that columns are sent as.
const ARRAYS: &[(Type, Type)] = &[
    (Type::BOOL, Type::BOOL_ARRAY),
    (Type::INT2, Type::INT2_ARRAY),
    (Type::INT4, Type::INT4_ARRAY),
    (Type::INT8, Type::INT8_ARRAY),
    (Type::OID, Type::OID_ARRAY),
    (Type::NUMERIC, Type::NUMERIC_ARRAY),
    (Type::FLOAT4, Type::FLOAT4_ARRAY),
    (Type::FLOAT8, Type::FLOAT8_ARRAY),
    (Type::TEXT, Type::TEXT_ARRAY),
    (Type::VARCHAR, Type::VARCHAR_ARRAY),
    (Type::UNKNOWN, Type::TEXT_ARRAY),
    (Type::BYTEA, Type::BYTEA_ARRAY),
    (Type::TIMESTAMP, Type::TIMESTAMP_ARRAY),
    (Type::TIMESTAMPTZ, Type::TIMESTAMPTZ_ARRAY),
    (Type::DATE, Type::DATE_ARRAY),
    (Type::TIME, Type::TIME_ARRAY),
    (Type::INTERVAL, Type::INTERVAL_ARRAY),
    (Type::UUID, Type::UUID_ARRAY),
    (Type::BPCHAR, Type::BPCHAR_ARRAY),
    (Type::NAME, Type::NAME_ARRAY),
    (Type::JSON, Type::JSON_ARRAY),
];

/// Returns the array type of a type.
pub(in crate::serve) fn array_of(item: &Type) -> Option<Type> {
    ARRAYS.iter().find(|(known, _)| known == item).map(|(_, array)| array.clone())
}

/// Returns the element type of an array type.
pub(in crate::serve) fn item_of(array: &Type) -> Option<Type> {
    ARRAYS.iter().find(|(_, known)| known == array).map(|(item, _)| item.clone())
}

/// Returns the size of a value on the wire, as in `pg_type.typlen`; -1 where it varies.
pub(in crate::serve) fn size_of(kind: &Type) -> i16 {
    match *kind {
        Type::BOOL | Type::CHAR => 1,
        Type::INT2 => 2,
        Type::INT4 | Type::FLOAT4 | Type::DATE | Type::OID => 4,
        Type::INT8 | Type::FLOAT8 | Type::TIMESTAMP | Type::TIMESTAMPTZ | Type::TIME => 8,
        Type::INTERVAL => 16,
        _ => -1,
    }
}
