//! The types of Postgres: rows of `pg_type`, and their names in SQL.

use super::table::CatalogRow;
use crate::serve::encode::size_of;
use pgwire::api::Type;

/// The types' OIDs are below this one.
const MAX_TYPE_OID: u32 = 6_200;

/// The OID of the schema `pg_catalog`.
pub(super) const PG_CATALOG: i32 = 11;

/// Returns all types that the `pgwire` crate knows.
fn all() -> impl Iterator<Item = Type> {
    (1..MAX_TYPE_OID).filter_map(Type::from_oid)
}

/// Returns the OID of a type by its name in `pg_type` or in SQL, ignoring a schema before it.
pub(super) fn oid_of(name: &str) -> Option<i32> {
    let name = name.trim().rsplit('.').next().unwrap_or_default().trim_matches('"');
    let lower = name.to_ascii_lowercase();
    let found = all().find(|kind| kind.name() == lower || sql_name(kind) == lower)?;
    Some(found.oid() as i32)
}

/// Returns the name of a type in SQL, with its modifier: `character varying(10)`.
pub(super) fn format_type(oid: i64, modifier: Option<i64>) -> String {
    if oid == 0 {
        return "-".to_owned();
    }
    let Some(kind) = u32::try_from(oid).ok().and_then(Type::from_oid) else { return format!("oid({oid})") };
    let modifier = modifier.filter(|modifier| *modifier >= 0);
    match (kind, modifier) {
        // The length includes its own four bytes.
        (kind @ (Type::VARCHAR | Type::BPCHAR), Some(modifier)) if modifier > 4 => {
            format!("{}({})", sql_name(&kind), modifier - 4)
        }
        (Type::NUMERIC, Some(modifier)) if modifier > 4 => {
            format!("numeric({},{})", (modifier - 4) >> 16, (modifier - 4) & 0xffff)
        }
        (Type::TIMESTAMP, Some(digits)) => format!("timestamp({digits}) without time zone"),
        (Type::TIMESTAMPTZ, Some(digits)) => format!("timestamp({digits}) with time zone"),
        (Type::TIME, Some(digits)) => format!("time({digits}) without time zone"),
        (kind, _) => sql_name(&kind),
    }
}

fn sql_name(kind: &Type) -> String {
    if let Some(item) = item_name(kind) {
        return match all().find(|kind| kind.name() == item) {
            Some(item) => format!("{}[]", sql_name(&item)),
            None => kind.name().to_owned(),
        };
    }
    match *kind {
        Type::BOOL => "boolean",
        Type::BPCHAR => "character",
        Type::CHAR => "\"char\"",
        Type::FLOAT4 => "real",
        Type::FLOAT8 => "double precision",
        Type::INT2 => "smallint",
        Type::INT4 => "integer",
        Type::INT8 => "bigint",
        Type::TIME => "time without time zone",
        Type::TIMETZ => "time with time zone",
        Type::TIMESTAMP => "timestamp without time zone",
        Type::TIMESTAMPTZ => "timestamp with time zone",
        Type::VARBIT => "bit varying",
        Type::VARCHAR => "character varying",
        _ => kind.name(),
    }
    .to_owned()
}

/// Returns the name of the element type of an array type.
fn item_name(kind: &Type) -> Option<&str> {
    kind.name().strip_prefix('_')
}

/// Returns the size of a value in bytes, as in `pg_type.typlen`: -1 where it varies, -2 for a C string.
fn length_of(kind: &Type) -> i16 {
    match *kind {
        Type::CSTRING | Type::UNKNOWN => -2,
        Type::NAME => 64,
        Type::UUID | Type::POINT => 16,
        Type::MONEY | Type::XID8 | Type::PG_LSN | Type::MACADDR8 => 8,
        Type::MACADDR | Type::TID => 6,
        Type::TIMETZ => 12,
        Type::CIRCLE | Type::LINE => 24,
        Type::BOX | Type::LSEG => 32,
        Type::XID | Type::CID | Type::VOID | Type::ANY | Type::TRIGGER => 4,
        _ if kind.name().starts_with("reg") => 4,
        _ => size_of(kind),
    }
}

/// Returns the letters of `typtype` and `typcategory`.
fn class_of(kind: &Type) -> (&'static str, &'static str) {
    let name = kind.name();
    if item_name(kind).is_some() {
        return ("b", "A");
    }
    match *kind {
        Type::BOOL => ("b", "B"),
        Type::INT2
        | Type::INT4
        | Type::INT8
        | Type::FLOAT4
        | Type::FLOAT8
        | Type::NUMERIC
        | Type::OID
        | Type::MONEY => ("b", "N"),
        Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME => ("b", "S"),
        Type::DATE | Type::TIME | Type::TIMETZ | Type::TIMESTAMP | Type::TIMESTAMPTZ => ("b", "D"),
        Type::INTERVAL => ("b", "T"),
        Type::INET | Type::CIDR => ("b", "I"),
        Type::BIT | Type::VARBIT => ("b", "V"),
        Type::POINT | Type::LSEG | Type::PATH | Type::BOX | Type::POLYGON | Type::LINE | Type::CIRCLE => ("b", "G"),
        Type::CHAR => ("b", "Z"),
        Type::UNKNOWN => ("p", "X"),
        Type::RECORD | Type::CSTRING | Type::VOID | Type::TRIGGER | Type::INTERNAL => ("p", "P"),
        _ if name.ends_with("multirange") && !name.starts_with("any") => ("m", "R"),
        _ if name.ends_with("range") && !name.starts_with("any") => ("r", "R"),
        _ if name.starts_with("any") || name.ends_with("_handler") => ("p", "P"),
        _ if name.starts_with("reg") => ("b", "N"),
        _ => ("b", "U"),
    }
}

/// Returns the name of the function that reads or writes a type: `int4in`, `timestamptz_send`.
fn function_of(kind: &Type, what: &str) -> String {
    const APART: &[&str] = &[
        "bit",
        "box",
        "cash",
        "cidr",
        "circle",
        "date",
        "inet",
        "interval",
        "json",
        "jsonb",
        "jsonpath",
        "line",
        "lseg",
        "macaddr",
        "numeric",
        "path",
        "pg_lsn",
        "point",
        "record",
        "time",
        "timestamp",
        "timestamptz",
        "timetz",
        "uuid",
        "varbit",
        "xml",
    ];
    let name = match (item_name(kind), class_of(kind).0) {
        (Some(_), _) => return format!("array_{what}"),
        (None, "r") => return format!("range_{what}"),
        (None, "m") => return format!("multirange_{what}"),
        _ if *kind == Type::MONEY => "cash",
        _ => kind.name(),
    };
    let gap = if APART.contains(&name) { "_" } else { "" };
    format!("{name}{gap}{what}")
}

/// Returns the rows of `pg_type`.
pub(super) fn rows() -> Vec<CatalogRow> {
    let named: std::collections::HashMap<String, i32> =
        all().map(|kind| (kind.name().to_owned(), kind.oid() as i32)).collect();
    let oid_named = |name: &str| named.get(name).copied().unwrap_or(0);
    let rows = all().map(|kind| {
        let length = length_of(&kind);
        let (class, category) = class_of(&kind);
        let (align, storage) = match length {
            1 => ("c", "p"),
            2 => ("s", "p"),
            8 => ("d", "p"),
            0.. => ("i", "p"),
            _ => ("i", "x"),
        };
        let function = |what: &str| function_of(&kind, what);
        let preferred =
            matches!(kind, Type::BOOL | Type::TEXT | Type::FLOAT8 | Type::OID | Type::TIMESTAMPTZ | Type::INTERVAL);
        let mut row = CatalogRow::from([
            ("oid", (kind.oid() as i32).into()),
            ("typname", kind.name().into()),
            ("typnamespace", PG_CATALOG.into()),
            ("typowner", 10.into()),
            ("typlen", i32::from(length).into()),
            ("typbyval", matches!(length, 1 | 2 | 4 | 8).into()),
            ("typtype", class.into()),
            ("typcategory", category.into()),
            ("typispreferred", preferred.into()),
            ("typisdefined", true.into()),
            ("typdelim", if kind == Type::BOX { ";" } else { "," }.into()),
            ("typelem", item_name(&kind).map_or(0, oid_named).into()),
            ("typarray", oid_named(&format!("_{}", kind.name())).into()),
            ("typalign", align.into()),
            ("typstorage", storage.into()),
            ("typtypmod", (-1).into()),
        ]);
        let functions = [("typinput", "in"), ("typoutput", "out"), ("typreceive", "recv"), ("typsend", "send")];
        row.extend(functions.map(|(column, what)| (column, function(what).as_str().into())));
        row.extend(["typsubscript", "typmodin", "typmodout", "typanalyze"].map(|column| (column, "-".into())));
        row
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_their_names_in_sql() {
        for (oid, modifier, expected) in [
            (20, None, "bigint"),
            (1_009, Some(-1), "text[]"),
            (1_043, Some(14), "character varying(10)"),
            (1_184, None, "timestamp with time zone"),
            (1_700, Some(655_366), "numeric(10,2)"),
            (18, None, "\"char\""),
            (999_999, None, "oid(999999)"),
            (0, None, "-"),
        ] {
            assert_eq!(format_type(oid, modifier), expected);
        }
        for (name, oid) in
            [("int4", Some(23)), ("pg_catalog.integer", Some(23)), ("text[]", Some(1_009)), ("hstore", None)]
        {
            assert_eq!(oid_of(name), oid, "{name}");
        }
    }

    #[test]
    fn types_are_as_postgres_has_them() {
        for (kind, length, class, input, send) in [
            (Type::INT4, 4, ("b", "N"), "int4in", "int4send"),
            (Type::TEXT_ARRAY, -1, ("b", "A"), "array_in", "array_send"),
            (Type::TIMESTAMPTZ, 8, ("b", "D"), "timestamptz_in", "timestamptz_send"),
            (Type::INT4_RANGE, -1, ("r", "R"), "range_in", "range_send"),
            (Type::NAME, 64, ("b", "S"), "namein", "namesend"),
            (Type::RECORD, -1, ("p", "P"), "record_in", "record_send"),
        ] {
            assert_eq!((length_of(&kind), class_of(&kind)), (length, class), "{kind}");
            assert_eq!((function_of(&kind, "in").as_str(), function_of(&kind, "send").as_str()), (input, send));
        }
        assert!(rows().len() > 150);
    }
}
