//! The columns of `flows`, and what each is made of.

use arrow::datatypes::{DataType, Field as ArrowField, Schema, SchemaRef};
use flow::schema::{FIELDS, Field};
use scan::records::type_of;
use std::sync::{Arc, LazyLock};

/// A column of `flows`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Column {
    /// A field of the record, under its Parquet name.
    Record(Field),
    /// The monitored side.
    Host,
    /// The other side.
    Remote,
    /// The service port.
    Port,
    /// `client` or `server`: the host's part in the connection.
    Role,
    /// The record's packets left the host.
    Outbound,
    /// The account in the object's folder or name: whose flow log it is.
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
    /// Where the object lies.
    Object,
}

/// Columns that are not the record's own, in the order of the table.
const ADDED: &[(&str, Column)] = &[
    ("host", Column::Host),
    ("remote", Column::Remote),
    ("port", Column::Port),
    ("role", Column::Role),
    ("outbound", Column::Outbound),
    ("account", Column::Account),
    ("date", Column::Date),
    ("year", Column::Year),
    ("month", Column::Month),
    ("day", Column::Day),
    ("hour", Column::Hour),
    ("object", Column::Object),
];

/// Fields by which a record alone tells its host, remote, port and role.
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

impl Column {
    /// Every column of the table, in its order.
    pub(super) fn all() -> &'static [Column] {
        static ALL: LazyLock<Vec<Column>> = LazyLock::new(|| {
            let added = ADDED.iter().map(|(_, column)| *column);
            FIELDS.iter().map(|field| Column::Record(*field)).chain(added).collect()
        });
        &ALL
    }

    /// Finds a column by its name.
    pub(super) fn of(name: &str) -> Option<Column> {
        Self::all().iter().copied().find(|column| column.name() == name)
    }

    /// The column's name in SQL.
    pub(super) fn name(self) -> &'static str {
        match self {
            Column::Record(field) => field.name(),
            added => ADDED.iter().find(|(_, column)| *column == added).map_or("", |(name, _)| name),
        }
    }

    fn kind(self) -> DataType {
        match self {
            Column::Record(field) => type_of(field),
            Column::Host | Column::Remote | Column::Role | Column::Account | Column::Object => DataType::Utf8View,
            Column::Port | Column::Year | Column::Month | Column::Day | Column::Hour => DataType::Int32,
            Column::Outbound => DataType::Boolean,
            Column::Date => DataType::Date32,
        }
    }

    /// The fields that the column is made of.
    pub(super) fn fields(&self) -> &[Field] {
        match self {
            Column::Record(field) => std::slice::from_ref(field),
            Column::Host | Column::Remote | Column::Outbound => &SIDES[..5],
            Column::Port | Column::Role => SIDES,
            _ => &[],
        }
    }
}

/// The schema of some columns, in their order.
pub(super) fn schema_of(columns: &[Column]) -> SchemaRef {
    let field = |column: &Column| ArrowField::new(column.name(), column.kind(), *column != Column::Object);
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_has_a_name_of_its_own() {
        let all = Column::all();
        assert_eq!(all.len(), FIELDS.len() + ADDED.len());
        for column in all {
            assert_eq!(Column::of(column.name()), Some(*column));
        }
        assert_eq!(Column::of("srcadr"), None);
    }
}
