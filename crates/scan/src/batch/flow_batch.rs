//! A batch of flow records in the shape that the rollup reads.

use crate::arrow_columns::DictionaryCodes;
use crate::binding::Binding;
use crate::column::lazy::LazyMetadata;
use crate::interner::NONE;
use crate::value::text::Meaning;
use flow::schema::Field;
use std::cell::RefCell;

/// Rows in a batch: small enough for the caches, large enough to hide the cost of a batch.
pub const BATCH_ROWS: usize = 8_192;

/// Up to 8,192 flow records of one row group, column by column. Every column is `rows` long; a column that the file
/// does not have holds its missing value.
#[derive(Debug, Default)]
pub struct FlowBatch {
    /// Number of records.
    pub rows: usize,
    /// Which columns the file has, where that matters.
    pub present: PresentColumns,
    /// First packet's second in the window, since 1970; [`MISSING_S`](crate::MISSING_S) where missing or before 1970 or
    /// after 2106.
    pub start_s: Vec<u32>,
    /// Last packet's second in the window, since 1970; [`MISSING_S`](crate::MISSING_S) likewise.
    pub end_s: Vec<u32>,
    /// Source port; 0 where missing or out of range.
    pub srcport: Vec<u16>,
    /// Destination port; 0 where missing or out of range.
    pub dstport: Vec<u16>,
    /// IANA protocol number; [`MISSING_PROTOCOL`](crate::MISSING_PROTOCOL) where missing or out of range.
    pub protocol: Vec<u16>,
    /// Packets in the window, `u32::MAX` at most; 0 where missing or negative.
    pub packets: Vec<u32>,
    /// Bytes in the window; [`MISSING_BYTES`](crate::MISSING_BYTES) where missing or negative.
    pub bytes: Vec<u64>,
    /// TCP flags OR-ed over the window; 0 where missing or out of range.
    pub tcp_flags: Vec<u8>,
    /// `srcaddr` as a code of [`Interners::addresses`](crate::Interners::addresses).
    pub srcaddr: Vec<u32>,
    /// `dstaddr` as a code of [`Interners::addresses`](crate::Interners::addresses).
    pub dstaddr: Vec<u32>,
    /// `pkt_srcaddr` as a code of [`Interners::addresses`](crate::Interners::addresses).
    pub pkt_srcaddr: Vec<u32>,
    /// `pkt_dstaddr` as a code of [`Interners::addresses`](crate::Interners::addresses).
    pub pkt_dstaddr: Vec<u32>,
    /// `action` as a [`Decision`](crate::Decision), 0 for none.
    pub action: Vec<u8>,
    /// `log_status` as a [`Decision`](crate::Decision), 0 for none.
    pub log_status: Vec<u8>,
    /// `flow_direction` as a [`Decision`](crate::Decision), 0 for none.
    pub flow_direction: Vec<u8>,
    /// `interface_id` as a number of [`Interners::texts`](crate::Interners::texts).
    pub interface: Vec<u32>,
    /// `pkt_src_aws_service` as a number of [`Interners::texts`](crate::Interners::texts).
    pub src_service: Vec<u32>,
    /// `pkt_dst_aws_service` as a number of [`Interners::texts`](crate::Interners::texts).
    pub dst_service: Vec<u32>,
    /// Columns that are decoded for few records, in the order of [`ENI_METADATA_FIELDS`].
    pub(crate) eni_metadata: EniMetadata,
}

/// Which columns a file has, where a missing column differs from missing values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PresentColumns {
    /// `tcp_flags`.
    pub tcp_flags: bool,
    /// `log_status`.
    pub log_status: bool,
    /// `pkt_srcaddr` or `pkt_dstaddr`.
    pub packet_addresses: bool,
    /// Which of [`ENI_METADATA_FIELDS`]: one bit each, in their order.
    pub eni_metadata: u8,
}

impl PresentColumns {
    /// Returns which columns a bound file has.
    pub(crate) fn of(binding: &Binding) -> Self {
        let is_bound = |field| binding.fields.iter().any(|(bound, _)| *bound == field);
        Self {
            tcp_flags: is_bound(Field::TcpFlags),
            log_status: is_bound(Field::LogStatus),
            packet_addresses: is_bound(Field::PktSrcaddr) || is_bound(Field::PktDstaddr),
            eni_metadata: ENI_METADATA_FIELDS
                .iter()
                .zip(0..)
                .map(|(field, bit)| u8::from(is_bound(*field)) << bit)
                .sum(),
        }
    }

    /// Returns whether the file has one of [`ENI_METADATA_FIELDS`].
    pub fn has_metadata(&self, field: Field) -> bool {
        ENI_METADATA_FIELDS.iter().zip(0..).any(|(of, bit)| *of == field && self.eni_metadata >> bit & 1 == 1)
    }
}

/// The text fields that only describe an ENI: [`FlowBatch::text`] reads them for few records of a file.
pub const ENI_METADATA_FIELDS: &[Field] =
    &[Field::AccountId, Field::InstanceId, Field::VpcId, Field::SubnetId, Field::InterfaceType, Field::Region];

/// The columns of [`ENI_METADATA_FIELDS`].
#[derive(Debug, Default)]
pub(crate) struct EniMetadata {
    /// Columns that are already decoded: several for a field that several columns may hold.
    pub(super) codes: Vec<Vec<DictionaryCodes>>,
    /// Columns that are decoded on request; they take precedence.
    pub(super) lazy: Option<Box<RefCell<LazyMetadata>>>,
}

impl EniMetadata {
    /// Returns the columns that are decoded on request; there are none at first.
    pub(crate) fn lazy(&mut self) -> &mut LazyMetadata {
        self.lazy.get_or_insert_default().get_mut()
    }
}

impl FlowBatch {
    /// Returns the interned text of one of [`ENI_METADATA_FIELDS`] in a row, or [`NONE`]: the first column that has a
    /// value counts.
    pub fn text(&self, field: Field, row: usize) -> u32 {
        let Some(index) = ENI_METADATA_FIELDS.iter().position(|known| *known == field) else { return NONE };
        match &self.eni_metadata.lazy {
            None => {
                let columns = self.eni_metadata.codes.get(index).map(Vec::as_slice).unwrap_or_default();
                let mut numbers = columns.iter().map(|codes| codes.get(row));
                numbers.find(|number| *number != NONE).unwrap_or(NONE)
            }
            Some(_) if row >= self.rows => NONE,
            Some(lazy) => lazy.borrow_mut().text(index, row, Meaning::of(field)),
        }
    }
}
