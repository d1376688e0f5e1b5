//! The direct way from pages to batches: each column has its cursor, and no Arrow arrays are made.

use super::batch::{DESCRIBING_FIELDS, FlowBatch, Present};
use super::cursor::{Cursor, Kind};
use super::describing::Lazy;
use super::inflate::Inflater;
use super::numbers::{Flags, Numbers, Packets, Port, Protocol, Seconds, Stored, Volume};
use super::object::BATCH_ROWS;
use super::texts::{Addresses, Decisions, Names};
use super::{Binding, Books, ObjectBytes};
use crate::flow::schema::{Field, FieldKind};
use arrow::datatypes::DataType;
use parquet::basic::Encoding;
use parquet::errors::Result;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use std::cell::Cell;
use std::sync::Arc;

/// What the direct way needs to know of an object.
pub(super) struct Source<'a> {
    pub(super) bytes: &'a Arc<ObjectBytes>,
    pub(super) metadata: &'a Arc<ParquetMetaData>,
    pub(super) binding: &'a Binding,
    pub(super) books: &'a Books,
}

/// Cursors of all columns and the batch that they fill; kept from object to object for its buffers.
#[derive(Default)]
pub(super) struct Direct {
    pub(super) batch: FlowBatch,
    inflater: Inflater,
    start: Cursor<Numbers<Seconds>>,
    end: Cursor<Numbers<Seconds>>,
    srcport: Cursor<Numbers<Port>>,
    dstport: Cursor<Numbers<Port>>,
    protocol: Cursor<Numbers<Protocol>>,
    packets: Cursor<Numbers<Packets>>,
    bytes: Cursor<Numbers<Volume>>,
    tcp_flags: Cursor<Numbers<Flags>>,
    srcaddr: Cursor<Addresses>,
    dstaddr: Cursor<Addresses>,
    pkt_srcaddr: Cursor<Addresses>,
    pkt_dstaddr: Cursor<Addresses>,
    action: Cursor<Decisions>,
    log_status: Cursor<Decisions>,
    flow_direction: Cursor<Decisions>,
    interface: Cursor<Names>,
    src_service: Cursor<Names>,
    dst_service: Cursor<Names>,
    rows_left: usize,
}

thread_local! {
    static KEPT: Cell<Option<Box<Direct>>> = const { Cell::new(None) };
}

/// Calls something for each column that every row is read of.
macro_rules! each_column {
    ($direct:expr, $call:ident) => {
        $call!($direct, start, start_s);
        $call!($direct, end, end_s);
        $call!($direct, srcport, srcport);
        $call!($direct, dstport, dstport);
        $call!($direct, protocol, protocol);
        $call!($direct, packets, packets);
        $call!($direct, bytes, bytes);
        $call!($direct, tcp_flags, tcp_flags);
        $call!($direct, srcaddr, srcaddr);
        $call!($direct, dstaddr, dstaddr);
        $call!($direct, action, action);
        $call!($direct, log_status, log_status);
        $call!($direct, flow_direction, flow_direction);
        $call!($direct, interface, interface);
        $call!($direct, src_service, src_service);
        $call!($direct, dst_service, dst_service);
    };
}

impl Direct {
    /// Takes this thread's cursors, or makes new ones.
    pub(super) fn take() -> Box<Self> {
        KEPT.take().unwrap_or_default()
    }

    /// Gives the cursors back for the thread's next object.
    pub(super) fn give_back(mut self: Box<Self>) {
        self.close();
        KEPT.set(Some(self));
    }

    /// Lets go of the object's bytes, and of what belongs to its books.
    fn close(&mut self) {
        macro_rules! close {
            ($direct:expr, $cursor:ident, $column:ident) => {
                $direct.$cursor.close();
                $direct.$cursor.kind.forget();
            };
        }
        each_column!(self, close);
        close!(self, pkt_srcaddr, pkt_srcaddr);
        close!(self, pkt_dstaddr, pkt_dstaddr);
        self.lazy().close();
    }

    fn lazy(&mut self) -> &mut Lazy {
        self.batch.describing.lazy()
    }

    /// Begins with a row group that [`supports`] approved.
    ///
    /// # Errors
    /// When the footer's word about a column cannot be.
    pub(super) fn open(&mut self, source: &Source<'_>, group: usize) -> Result<()> {
        self.close();
        self.rows_left = usize::try_from(source.metadata.row_group(group).num_rows()).unwrap_or(0);
        self.batch.present = Present::of(source.binding);
        for (field, leaves) in &source.binding.fields {
            let Some(leaf) = leaves.first() else { continue };
            let stored = source.binding.kind_of(leaf).and_then(Stored::of).unwrap_or_default();
            macro_rules! open {
                ($cursor:ident) => {
                    self.$cursor.open(source.bytes, source.metadata, group, leaf.number)?
                };
                ($cursor:ident, $stored:expr) => {{
                    self.$cursor.kind.stored = $stored;
                    open!($cursor)
                }};
            }
            match field {
                Field::Start => open!(start, stored),
                Field::End => open!(end, stored),
                Field::Srcport => open!(srcport, stored),
                Field::Dstport => open!(dstport, stored),
                Field::Protocol => open!(protocol, stored),
                Field::Packets => open!(packets, stored),
                Field::Bytes => open!(bytes, stored),
                Field::TcpFlags => open!(tcp_flags, stored),
                Field::Srcaddr => open!(srcaddr),
                Field::Dstaddr => open!(dstaddr),
                Field::PktSrcaddr => open!(pkt_srcaddr),
                Field::PktDstaddr => open!(pkt_dstaddr),
                Field::Action => open!(action),
                Field::LogStatus => open!(log_status),
                Field::FlowDirection => open!(flow_direction),
                Field::InterfaceId => open!(interface),
                Field::PktSrcAwsService => open!(src_service),
                Field::PktDstAwsService => open!(dst_service),
                _ => {}
            }
        }
        self.srcaddr.lead(self.pkt_srcaddr.is_open());
        self.dstaddr.lead(self.pkt_dstaddr.is_open());
        let describing = DESCRIBING_FIELDS.iter().map(|field| {
            let bound = source.binding.fields.iter().find(|(bound, _)| bound == field);
            bound.and_then(|(_, leaves)| leaves.first()).map(|leaf| leaf.number)
        });
        self.lazy().open(source.bytes, source.metadata, group, &source.books.texts, describing);
        self.batch.rows = 0;
        Ok(())
    }

    /// Decodes the next batch of the row group; `false` when there is none.
    ///
    /// # Errors
    /// When a page is damaged or of a kind that is not read here.
    pub(super) fn next(&mut self, books: &Books) -> Result<bool> {
        let rows = self.rows_left.min(BATCH_ROWS);
        if rows == 0 {
            return Ok(false);
        }
        let before = self.batch.rows;
        self.lazy().first_row += before;
        let (batch, inflater) = (&mut self.batch, &mut self.inflater);
        macro_rules! fill {
            ($direct:expr, $cursor:ident, $column:ident) => {
                fill(&mut $direct.$cursor, rows, inflater, books, &mut batch.$column)?;
            };
        }
        each_column!(self, fill);
        follow(&mut self.pkt_srcaddr, &self.srcaddr, &batch.srcaddr, inflater, books, &mut batch.pkt_srcaddr)?;
        follow(&mut self.pkt_dstaddr, &self.dstaddr, &batch.dstaddr, inflater, books, &mut batch.pkt_dstaddr)?;
        batch.rows = rows;
        self.rows_left -= rows;
        Ok(true)
    }

    /// Takes what went wrong while describing columns were read.
    pub(super) fn take_error(&mut self) -> Option<parquet::errors::ParquetError> {
        self.lazy().take_error()
    }
}

fn fill<K: Kind>(
    cursor: &mut Cursor<K>,
    rows: usize,
    inflater: &mut Inflater,
    books: &Books,
    column: &mut Vec<K::Out>,
) -> Result<()> {
    column.resize(rows, K::missing());
    if cursor.is_open() {
        cursor.fill(inflater, books, column)
    } else {
        column.fill(K::missing());
        Ok(())
    }
}

fn follow(
    cursor: &mut Cursor<Addresses>,
    leader: &Cursor<Addresses>,
    led: &[u32],
    inflater: &mut Inflater,
    books: &Books,
    column: &mut Vec<u32>,
) -> Result<()> {
    column.resize(led.len(), Addresses::missing());
    if cursor.is_open() {
        cursor.follow(leader, led, inflater, books, column)
    } else {
        column.fill(Addresses::missing());
        Ok(())
    }
}

/// Tells whether every column of a row group is of a kind that the direct way reads: numbers in whole bytes, texts,
/// timestamps, plain or by a dictionary, one column to a field.
pub(super) fn supports(binding: &Binding, group: &RowGroupMetaData) -> bool {
    binding.fields.iter().all(|(field, leaves)| {
        let [leaf] = leaves.as_slice() else { return false };
        let Some(kind) = binding.kind_of(leaf) else { return false };
        let fits = match field.kind() {
            FieldKind::Text => matches!(kind, DataType::Utf8 | DataType::Binary),
            FieldKind::Int32 | FieldKind::Int64 => Stored::of(kind).is_some(),
        };
        let Some(chunk) = group.columns().get(leaf.number) else { return false };
        let column = chunk.column_descr();
        let plain = |encoding| {
            matches!(
                encoding,
                Encoding::PLAIN
                    | Encoding::RLE
                    | Encoding::PLAIN_DICTIONARY
                    | Encoding::RLE_DICTIONARY
                    // Of levels, where there are none.
                    | OLD_LEVELS
            )
        };
        fits && column.max_rep_level() == 0 && column.max_def_level() <= 1 && chunk.encodings().all(plain)
    })
}

/// Writers of old list it for the levels of columns that have none.
#[allow(deprecated)]
const OLD_LEVELS: Encoding = Encoding::BIT_PACKED;
