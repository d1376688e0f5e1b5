//! A batch of flow records in the shape the rollup reads.

use super::books::Books;
use super::columns::{Codes, MISSING, Translator, leaf, numbers};
use super::describing::Lazy;
use super::numbers::{Flags, Narrow, Packets, Port, Protocol, Seconds, Volume};
use super::texts::value_of;
use super::{Binding, ScanError};
use crate::flow::Address;
use crate::flow::schema::Field;
use arrow::array::{RecordBatch, StringArray};
use std::borrow::Cow;
use std::cell::RefCell;

/// Codes of a record's `action`, `flow_direction` and `log_status`, decided once per dictionary.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Decision {
    /// `action` ACCEPT.
    Accept = 1,
    /// `action` REJECT.
    Reject = 2,
    /// `flow_direction` ingress.
    Ingress = 3,
    /// `flow_direction` egress.
    Egress = 4,
    /// `log_status` OK.
    Ok = 5,
    /// `log_status` NODATA: no traffic in the window.
    NoData = 6,
    /// `log_status` SKIPDATA: AWS lost records of the window.
    SkipData = 7,
}

/// Compares the numbers of a batch with a decision.
impl PartialEq<Decision> for u8 {
    fn eq(&self, other: &Decision) -> bool {
        *self == *other as u8
    }
}

impl Decision {
    /// AWS's word for it.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Accept => "ACCEPT",
            Self::Reject => "REJECT",
            Self::Ingress => "ingress",
            Self::Egress => "egress",
            Self::Ok => "OK",
            Self::NoData => "NODATA",
            Self::SkipData => "SKIPDATA",
        }
    }
}

/// Texts that stand for a decision, in any case.
const DECISIONS: &[(&str, Decision)] = &[
    ("ACCEPT", Decision::Accept),
    ("accepted", Decision::Accept),
    ("allowed", Decision::Accept),
    ("traffic", Decision::Accept),
    ("REJECT", Decision::Reject),
    ("rejected", Decision::Reject),
    ("blocked", Decision::Reject),
    ("denied", Decision::Reject),
    ("refuse", Decision::Reject),
    ("ingress", Decision::Ingress),
    ("inbound", Decision::Ingress),
    ("egress", Decision::Egress),
    ("outbound", Decision::Egress),
    ("OK", Decision::Ok),
    ("NODATA", Decision::NoData),
    ("SKIPDATA", Decision::SkipData),
];

/// Returns what a text of `action`, `flow_direction` or `log_status` decides, 0 for nothing.
pub(super) fn decide(text: &str) -> u8 {
    decision_of(text).map_or(0, |decision| decision as u8)
}

/// Returns the decision that a text stands for.
pub(super) fn decision_of(text: &str) -> Option<Decision> {
    DECISIONS.iter().find(|(known, _)| known.eq_ignore_ascii_case(text)).map(|(_, decision)| *decision)
}

/// Up to 8,192 flow records of one row group, column by column; every column is `rows` long, absent ones hold only
/// their missing value.
#[derive(Debug, Default)]
pub struct FlowBatch {
    /// Number of records.
    pub rows: usize,
    /// Which columns the file has, where it matters.
    pub present: Present,
    /// First packet's second in the window, since 1970; [`MISSING_S`] where missing or before 1970 or after 2106.
    pub start_s: Vec<u32>,
    /// Last packet's second in the window, since 1970; [`MISSING_S`] likewise.
    pub end_s: Vec<u32>,
    /// Source port; 0 where missing or out of range.
    pub srcport: Vec<u16>,
    /// Destination port; 0 where missing or out of range.
    pub dstport: Vec<u16>,
    /// IANA protocol number; [`MISSING_PROTOCOL`] where missing or out of range.
    pub protocol: Vec<u16>,
    /// Packets in the window, `u32::MAX` at most; 0 where missing or negative.
    pub packets: Vec<u32>,
    /// Bytes in the window; [`MISSING_BYTES`] where missing or negative.
    pub bytes: Vec<u64>,
    /// TCP flags OR-ed over the window; 0 where missing or out of range.
    pub tcp_flags: Vec<u8>,
    /// `srcaddr` as a code of the address book.
    pub srcaddr: Vec<u32>,
    /// `dstaddr` as a code of the address book.
    pub dstaddr: Vec<u32>,
    /// `pkt_srcaddr` as a code of the address book.
    pub pkt_srcaddr: Vec<u32>,
    /// `pkt_dstaddr` as a code of the address book.
    pub pkt_dstaddr: Vec<u32>,
    /// `action` as a [`Decision`], 0 for none.
    pub action: Vec<u8>,
    /// `log_status` as a [`Decision`], 0 for none.
    pub log_status: Vec<u8>,
    /// `flow_direction` as a [`Decision`], 0 for none.
    pub flow_direction: Vec<u8>,
    /// `interface_id` as a number of the text book.
    pub interface: Vec<u32>,
    /// `pkt_src_aws_service` as a number of the text book.
    pub src_service: Vec<u32>,
    /// `pkt_dst_aws_service` as a number of the text book.
    pub dst_service: Vec<u32>,
    /// Columns that are read for few records, in the order of [`DESCRIBING_FIELDS`].
    pub(super) describing: Describing,
}

/// Stands for a missing time.
pub const MISSING_S: u32 = u32::MAX;
/// Stands for a missing protocol.
pub const MISSING_PROTOCOL: u16 = u16::MAX;
/// Stands for a missing number of bytes.
pub const MISSING_BYTES: u64 = u64::MAX;

/// Which columns a file has, where a missing column means something else than missing values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Present {
    /// `tcp_flags`.
    pub tcp_flags: bool,
    /// `log_status`.
    pub log_status: bool,
    /// Which of [`DESCRIBING_FIELDS`], one a bit in their order.
    pub describing: u8,
}

impl Present {
    /// Tells which columns a bound file has.
    pub(super) fn of(binding: &Binding) -> Self {
        let is_bound = |field| binding.fields.iter().any(|(bound, _)| *bound == field);
        Self {
            tcp_flags: is_bound(Field::TcpFlags),
            log_status: is_bound(Field::LogStatus),
            describing: DESCRIBING_FIELDS.iter().zip(0..).map(|(field, at)| u8::from(is_bound(*field)) << at).sum(),
        }
    }

    /// Tells whether the file has one of [`DESCRIBING_FIELDS`].
    pub fn describes(&self, field: Field) -> bool {
        DESCRIBING_FIELDS.iter().zip(0..).any(|(of, at)| *of == field && self.describing >> at & 1 == 1)
    }
}

/// The text fields that only describe an ENI: few records of a file are asked for them, by [`FlowBatch::text`].
pub const DESCRIBING_FIELDS: &[Field] =
    &[Field::AccountId, Field::InstanceId, Field::VpcId, Field::SubnetId, Field::InterfaceType, Field::Region];

/// Codes of [`DESCRIBING_FIELDS`].
#[derive(Debug, Default)]
pub(super) struct Describing {
    /// Columns that are decoded already: several when several may hold a field.
    codes: Vec<Vec<Codes>>,
    /// Columns that are decoded when they are asked for; they go before the others.
    lazy: Option<Box<RefCell<Lazy>>>,
}

impl Describing {
    /// Returns the columns that are decoded when they are asked for, of which there are none at first.
    pub(super) fn lazy(&mut self) -> &mut Lazy {
        self.lazy.get_or_insert_default().get_mut()
    }
}

impl FlowBatch {
    /// Returns the number in the text book of one of the [`DESCRIBING_FIELDS`] of a row, or [`super::NONE`]: the first
    /// column that has a value counts.
    pub fn text(&self, field: Field, row: usize) -> u32 {
        let Some(at) = DESCRIBING_FIELDS.iter().position(|known| *known == field) else { return super::NONE };
        match &self.describing.lazy {
            None => {
                let columns = self.describing.codes.get(at).map(Vec::as_slice).unwrap_or_default();
                let mut numbers = columns.iter().map(|codes| codes.get(row));
                numbers.find(|number| *number != super::NONE).unwrap_or(super::NONE)
            }
            Some(_) if row >= self.rows => super::NONE,
            Some(lazy) => lazy.borrow_mut().text(at, row, field == Field::AccountId),
        }
    }
}

/// Turns decoded batches of one object into [`FlowBatch`]es, keeping translations from batch to batch.
pub(super) struct BatchMaker<'a> {
    object: &'a str,
    binding: &'a Binding,
    books: &'a Books,
    translators: Vec<Vec<Translator>>,
}

impl<'a> BatchMaker<'a> {
    pub(super) fn new(object: &'a str, binding: &'a Binding, books: &'a Books) -> Self {
        let translators =
            binding.fields.iter().map(|(_, l)| l.iter().map(|_| Translator::default()).collect()).collect();
        Self { object, binding, books, translators }
    }

    pub(super) fn make(&mut self, batch: &RecordBatch) -> Result<FlowBatch, ScanError> {
        let rows = batch.num_rows();
        let describing =
            DESCRIBING_FIELDS.iter().map(|field| self.texts(batch, *field)).collect::<Result<Vec<_>, _>>()?;
        let status = self.decisions(batch, Field::LogStatus)?;
        Ok(FlowBatch {
            rows,
            present: Present::of(self.binding),
            start_s: self.numbers::<Seconds>(batch, Field::Start)?,
            end_s: self.numbers::<Seconds>(batch, Field::End)?,
            srcport: self.numbers::<Port>(batch, Field::Srcport)?,
            dstport: self.numbers::<Port>(batch, Field::Dstport)?,
            protocol: self.numbers::<Protocol>(batch, Field::Protocol)?,
            packets: self.numbers::<Packets>(batch, Field::Packets)?,
            bytes: self.numbers::<Volume>(batch, Field::Bytes)?,
            tcp_flags: self.numbers::<Flags>(batch, Field::TcpFlags)?,
            srcaddr: self.addresses(batch, Field::Srcaddr)?,
            dstaddr: self.addresses(batch, Field::Dstaddr)?,
            pkt_srcaddr: self.addresses(batch, Field::PktSrcaddr)?,
            pkt_dstaddr: self.addresses(batch, Field::PktDstaddr)?,
            action: self.decisions(batch, Field::Action)?,
            log_status: status,
            flow_direction: self.decisions(batch, Field::FlowDirection)?,
            interface: self.text_numbers(batch, Field::InterfaceId)?,
            src_service: self.text_numbers(batch, Field::PktSrcAwsService)?,
            dst_service: self.text_numbers(batch, Field::PktDstAwsService)?,
            describing: Describing { codes: describing, lazy: None },
        })
    }

    /// Numbers of a field; all missing when the file has no such column.
    fn numbers<N: Narrow>(&self, batch: &RecordBatch, field: Field) -> Result<Vec<N::Out>, ScanError> {
        let mut out = Vec::with_capacity(batch.num_rows());
        if let Some((_, leaves)) = self.binding.fields.iter().find(|(bound, _)| *bound == field)
            && let Some(array) = leaves.first().and_then(|first| leaf(batch, &first.path))
        {
            numbers(self.object, field.name(), &array, &mut out)?;
        }
        out.resize(batch.num_rows(), MISSING);
        Ok(out.into_iter().map(N::narrow).collect())
    }

    fn codes(
        &mut self,
        batch: &RecordBatch,
        field: Field,
        enter: impl Fn(&StringArray) -> Vec<u32>,
    ) -> Result<Vec<Codes>, ScanError> {
        let Some(at) = self.binding.fields.iter().position(|(bound, _)| *bound == field) else {
            return Ok(Vec::new());
        };
        let mut columns = Vec::new();
        for (leaf_at, bound) in self.binding.fields[at].1.iter().enumerate() {
            if let Some(array) = leaf(batch, &bound.path) {
                let translator = &mut self.translators[at][leaf_at];
                columns.push(translator.codes(self.object, field.name(), &array, &enter)?);
            }
        }
        Ok(columns)
    }

    /// The rows of a field's first column.
    fn first(columns: &[Codes], rows: usize) -> Vec<u32> {
        columns.first().map_or_else(|| vec![super::NONE; rows], |codes| (0..rows).map(|row| codes.get(row)).collect())
    }

    fn addresses(&mut self, batch: &RecordBatch, field: Field) -> Result<Vec<u32>, ScanError> {
        let books = self.books;
        let enter = |values: &StringArray| {
            books.addresses.enter_all(values.iter().map(|text| text.and_then(|t| Address::parse(t.as_bytes()))))
        };
        Ok(Self::first(&self.codes(batch, field, enter)?, batch.num_rows()))
    }

    fn decisions(&mut self, batch: &RecordBatch, field: Field) -> Result<Vec<u8>, ScanError> {
        let enter =
            |values: &StringArray| values.iter().map(|text| text.map_or(0, |text| u32::from(decide(text)))).collect();
        let columns = self.codes(batch, field, enter)?;
        let none_is_zero = |code: u32| u8::try_from(code).unwrap_or(0);
        Ok(Self::first(&columns, batch.num_rows()).into_iter().map(none_is_zero).collect())
    }

    /// Numbers of a text field's rows: the first column that has a value counts.
    fn text_numbers(&mut self, batch: &RecordBatch, field: Field) -> Result<Vec<u32>, ScanError> {
        let columns = self.texts(batch, field)?;
        let number = |row| columns.iter().map(|codes| codes.get(row)).find(|number| *number != super::NONE);
        Ok((0..batch.num_rows()).map(|row| number(row).unwrap_or(super::NONE)).collect())
    }

    fn texts(&mut self, batch: &RecordBatch, field: Field) -> Result<Vec<Codes>, ScanError> {
        let books = self.books;
        let account = field == Field::AccountId;
        let enter = |values: &StringArray| {
            let values: Vec<Option<Cow<'_, str>>> =
                values.iter().map(|text| text.and_then(|text| value_of(text, account))).collect();
            books.texts.enter_all(values.iter().map(Option::as_deref))
        };
        self.codes(batch, field, enter)
    }
}
