//! The native path from pages to batches: one cursor per column, and no Arrow arrays.

use super::flow_batch::{BATCH_ROWS, ENI_METADATA_FIELDS, FlowBatch, PresentColumns};
use crate::bound_object::BoundObject;
use crate::column::cursor::ColumnCursor;
use crate::column::decoder::ColumnDecoder;
use crate::column::lazy::LazyMetadata;
use crate::column::number::{NumberDecoder, PhysicalNumber};
use crate::column::text::{AddressDecoder, DecisionDecoder, NameDecoder};
use crate::interner::Interners;
use crate::value::number::{Flags, Packets, Port, Protocol, Seconds, Volume};
use flow::schema::Field;
use pages::decompress::Decompressor;
use parquet::errors::Result;
use std::cell::Cell;

/// The cursors of all columns and the batch that they fill; kept from object to object for its buffers.
#[derive(Default)]
pub(crate) struct NativeDecoder {
    pub(crate) batch: FlowBatch,
    decompressor: Decompressor,
    start: ColumnCursor<NumberDecoder<Seconds>>,
    end: ColumnCursor<NumberDecoder<Seconds>>,
    srcport: ColumnCursor<NumberDecoder<Port>>,
    dstport: ColumnCursor<NumberDecoder<Port>>,
    protocol: ColumnCursor<NumberDecoder<Protocol>>,
    packets: ColumnCursor<NumberDecoder<Packets>>,
    bytes: ColumnCursor<NumberDecoder<Volume>>,
    tcp_flags: ColumnCursor<NumberDecoder<Flags>>,
    srcaddr: ColumnCursor<AddressDecoder>,
    dstaddr: ColumnCursor<AddressDecoder>,
    pkt_srcaddr: ColumnCursor<AddressDecoder>,
    pkt_dstaddr: ColumnCursor<AddressDecoder>,
    action: ColumnCursor<DecisionDecoder>,
    log_status: ColumnCursor<DecisionDecoder>,
    flow_direction: ColumnCursor<DecisionDecoder>,
    interface: ColumnCursor<NameDecoder>,
    src_service: ColumnCursor<NameDecoder>,
    dst_service: ColumnCursor<NameDecoder>,
    rows_left: usize,
}

thread_local! {
    static KEPT: Cell<Option<Box<NativeDecoder>>> = const { Cell::new(None) };
}

/// Calls a macro for each column that is decoded for every row.
macro_rules! each_column {
    ($native:expr, $call:ident) => {
        $call!($native, start, start_s);
        $call!($native, end, end_s);
        $call!($native, srcport, srcport);
        $call!($native, dstport, dstport);
        $call!($native, protocol, protocol);
        $call!($native, packets, packets);
        $call!($native, bytes, bytes);
        $call!($native, tcp_flags, tcp_flags);
        $call!($native, srcaddr, srcaddr);
        $call!($native, dstaddr, dstaddr);
        $call!($native, action, action);
        $call!($native, log_status, log_status);
        $call!($native, flow_direction, flow_direction);
        $call!($native, interface, interface);
        $call!($native, src_service, src_service);
        $call!($native, dst_service, dst_service);
    };
}

impl NativeDecoder {
    /// Takes this thread's decoder, or makes a new one.
    pub(crate) fn take() -> Box<Self> {
        KEPT.take().unwrap_or_default()
    }

    /// Keeps the decoder for the thread's next object.
    pub(crate) fn give_back(mut self: Box<Self>) {
        self.close();
        KEPT.set(Some(self));
    }

    /// Releases the object's bytes, and all that belongs to its interners.
    fn close(&mut self) {
        macro_rules! close {
            ($native:expr, $cursor:ident, $column:ident) => {
                $native.$cursor.close();
                $native.$cursor.decoder.forget();
            };
        }
        each_column!(self, close);
        close!(self, pkt_srcaddr, pkt_srcaddr);
        close!(self, pkt_dstaddr, pkt_dstaddr);
        self.metadata().close();
    }

    fn metadata(&mut self) -> &mut LazyMetadata {
        self.batch.eni_metadata.lazy()
    }

    /// Opens a row group that [`crate::bound_object::supports_native`] approved.
    ///
    /// # Errors
    /// When the footer claims an impossible byte range for a column.
    pub(crate) fn open(&mut self, object: &BoundObject<'_>, group: usize) -> Result<()> {
        self.close();
        self.rows_left = usize::try_from(object.metadata.row_group(group).num_rows()).unwrap_or(0);
        self.batch.present = PresentColumns::of(object.binding);
        for (field, leaves) in &object.binding.fields {
            let Some(leaf) = leaves.first() else { continue };
            let stored = object.binding.arrow_type_of(leaf).and_then(PhysicalNumber::of).unwrap_or_default();
            macro_rules! open {
                ($cursor:ident) => {
                    self.$cursor.open(object.bytes, object.metadata, group, leaf.number)?
                };
                ($cursor:ident, $stored:expr) => {{
                    self.$cursor.decoder.stored = $stored;
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
        self.srcaddr.share_pages(self.pkt_srcaddr.is_open());
        self.dstaddr.share_pages(self.pkt_dstaddr.is_open());
        let columns = ENI_METADATA_FIELDS.iter().map(|field| {
            let bound = object.binding.fields.iter().find(|(bound, _)| bound == field);
            bound.and_then(|(_, leaves)| leaves.first()).map(|leaf| leaf.number)
        });
        self.metadata().open(object.bytes, object.metadata, group, &object.interners.texts, columns);
        self.batch.rows = 0;
        Ok(())
    }

    /// Decodes the next batch of the row group; `false` when there is none.
    ///
    /// # Errors
    /// When a page is damaged or of an unsupported kind.
    pub(crate) fn next(&mut self, interners: &Interners) -> Result<bool> {
        let rows = self.rows_left.min(BATCH_ROWS);
        if rows == 0 {
            return Ok(false);
        }
        let before = self.batch.rows;
        self.metadata().first_row += before;
        let (batch, decompressor) = (&mut self.batch, &mut self.decompressor);
        macro_rules! fill {
            ($native:expr, $cursor:ident, $column:ident) => {
                fill(&mut $native.$cursor, rows, decompressor, interners, &mut batch.$column)?;
            };
        }
        each_column!(self, fill);
        fill_reusing(
            &mut self.pkt_srcaddr,
            &self.srcaddr,
            &batch.srcaddr,
            decompressor,
            interners,
            &mut batch.pkt_srcaddr,
        )?;
        fill_reusing(
            &mut self.pkt_dstaddr,
            &self.dstaddr,
            &batch.dstaddr,
            decompressor,
            interners,
            &mut batch.pkt_dstaddr,
        )?;
        batch.rows = rows;
        self.rows_left -= rows;
        Ok(true)
    }

    /// Takes the first error of an ENI-metadata column.
    pub(crate) fn take_error(&mut self) -> Option<parquet::errors::ParquetError> {
        self.metadata().take_error()
    }
}

fn fill<D: ColumnDecoder>(
    cursor: &mut ColumnCursor<D>,
    rows: usize,
    decompressor: &mut Decompressor,
    interners: &Interners,
    column: &mut Vec<D::Out>,
) -> Result<()> {
    column.resize(rows, D::missing());
    if cursor.is_open() {
        cursor.fill(decompressor, interners, column)
    } else {
        column.fill(D::missing());
        Ok(())
    }
}

fn fill_reusing(
    cursor: &mut ColumnCursor<AddressDecoder>,
    original: &ColumnCursor<AddressDecoder>,
    original_rows: &[u32],
    decompressor: &mut Decompressor,
    interners: &Interners,
    column: &mut Vec<u32>,
) -> Result<()> {
    column.resize(original_rows.len(), AddressDecoder::missing());
    if cursor.is_open() {
        cursor.fill_reusing(original, original_rows, decompressor, interners, column)
    } else {
        column.fill(AddressDecoder::missing());
        Ok(())
    }
}
