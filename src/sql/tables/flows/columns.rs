//! The columns of `flows`, and the fields that each is computed from.

use arrow::datatypes::{DataType, Field as ArrowField, Schema, SchemaRef};
use flow::schema::{FIELDS, Field};
use scan::records::type_of;
use std::sync::{Arc, LazyLock};

/// A column of `flows`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum FlowColumn {
    /// A field of the record, under its Parquet name.
    Record(Field),
    /// The monitored side.
    Host,
    /// The other side.
    Remote,
    /// The service port.
    Port,
    /// `client` or `server`: the host's role in the connection.
    Role,
    /// The record's packets left the host.
    Outbound,
    /// How the ENI came to see the host: `own`, `carried` or `transit`.
    Vantage,
    /// The account in the object's folder or name: the owner of the flow log.
    Account,
    /// The day of the object's folder or name.
    Date,
    /// Its year.
    Year,
    /// Its month, 1–12.
    Month,
    /// Its day of the month, 1–31.
    Day,
    /// The hour of the object's folder; NULL where the layout has days only.
    Hour,
    /// The URL of the object.
    Object,
}

/// Columns that are not the record's own, in the order of the table.
const ADDED: &[(&str, FlowColumn)] = &[
    ("host", FlowColumn::Host),
    ("remote", FlowColumn::Remote),
    ("port", FlowColumn::Port),
    ("role", FlowColumn::Role),
    ("outbound", FlowColumn::Outbound),
    ("vantage", FlowColumn::Vantage),
    ("account", FlowColumn::Account),
    ("date", FlowColumn::Date),
    ("year", FlowColumn::Year),
    ("month", FlowColumn::Month),
    ("day", FlowColumn::Day),
    ("hour", FlowColumn::Hour),
    ("object", FlowColumn::Object),
];

/// Fields from which a single record yields its host, remote, port and role.
const SIDES: &[Field] = &[
    Field::Srcaddr,
    Field::Dstaddr,
    Field::PktSrcaddr,
    Field::PktDstaddr,
    Field::FlowDirection,
    Field::Srcport,
    Field::Dstport,
    Field::TcpFlags,
    Field::Protocol,
];

impl FlowColumn {
    /// Returns every column of the table, in its order.
    pub(super) fn all() -> &'static [FlowColumn] {
        static ALL: LazyLock<Vec<FlowColumn>> = LazyLock::new(|| {
            let added = ADDED.iter().map(|(_, column)| *column);
            FIELDS.iter().map(|field| FlowColumn::Record(*field)).chain(added).collect()
        });
        &ALL
    }

    /// Finds a column by its name.
    pub(super) fn of(name: &str) -> Option<FlowColumn> {
        Self::all().iter().copied().find(|column| column.name() == name)
    }

    /// Returns the column's name in SQL.
    pub(super) fn name(self) -> &'static str {
        match self {
            FlowColumn::Record(field) => field.name(),
            added => ADDED.iter().find(|(_, column)| *column == added).map_or("", |(name, _)| name),
        }
    }

    fn kind(self) -> DataType {
        match self {
            FlowColumn::Record(field) => type_of(field),
            FlowColumn::Host
            | FlowColumn::Remote
            | FlowColumn::Role
            | FlowColumn::Vantage
            | FlowColumn::Account
            | FlowColumn::Object => DataType::Utf8View,
            FlowColumn::Port | FlowColumn::Year | FlowColumn::Month | FlowColumn::Day | FlowColumn::Hour => {
                DataType::Int32
            }
            FlowColumn::Outbound => DataType::Boolean,
            FlowColumn::Date => DataType::Date32,
        }
    }

    /// Returns the fields that the column is computed from.
    pub(super) fn fields(&self) -> &[Field] {
        match self {
            FlowColumn::Record(field) => std::slice::from_ref(field),
            FlowColumn::Host | FlowColumn::Remote | FlowColumn::Outbound | FlowColumn::Vantage => &SIDES[..5],
            FlowColumn::Port | FlowColumn::Role => SIDES,
            _ => &[],
        }
    }
}

/// Returns the schema of some columns, in their order.
pub(super) fn schema_of(columns: &[FlowColumn]) -> SchemaRef {
    let field = |column: &FlowColumn| ArrowField::new(column.name(), column.kind(), *column != FlowColumn::Object);
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_has_a_name_of_its_own() {
        let all = FlowColumn::all();
        assert_eq!(all.len(), FIELDS.len() + ADDED.len());
        for column in all {
            assert_eq!(FlowColumn::of(column.name()), Some(*column));
        }
        assert_eq!(FlowColumn::of("srcadr"), None);
    }
}
