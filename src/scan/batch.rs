//! A batch of flow records in the shape the rollup reads.

use super::books::Books;
use super::columns::{Codes, MISSING, Translator, leaf, numbers};
use super::{Binding, ScanError};
use crate::flow::Address;
use crate::flow::schema::{Field, is_missing, to_seconds};
use arrow::array::{RecordBatch, StringArray};

/// Codes of a record's `action`, `flow_direction` and `log_status`, decided once per dictionary.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
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

/// Compares the numbers that [`Codes::get`] returns with a decision.
impl PartialEq<Decision> for u32 {
    fn eq(&self, other: &Decision) -> bool {
        *self == *other as u32
    }
}

fn decide(text: &str) -> u32 {
    match text.to_ascii_lowercase().as_str() {
        "accept" | "accepted" | "allowed" | "traffic" => Decision::Accept as u32,
        "reject" | "rejected" | "blocked" | "denied" | "refuse" => Decision::Reject as u32,
        "ingress" | "inbound" => Decision::Ingress as u32,
        "egress" | "outbound" => Decision::Egress as u32,
        "ok" => Decision::Ok as u32,
        "nodata" => Decision::NoData as u32,
        "skipdata" => Decision::SkipData as u32,
        _ => super::NONE,
    }
}

/// Up to 8,192 flow records of one row group. Numbers are [`MISSING`] and codes [`super::NONE`] where absent.
#[derive(Debug)]
pub struct FlowBatch {
    /// Number of records.
    pub rows: usize,
    /// First packet's second in the window, since 1970.
    pub start_s: Vec<i64>,
    /// Last packet's second in the window, since 1970.
    pub end_s: Vec<i64>,
    /// Source port.
    pub srcport: Vec<i64>,
    /// Destination port.
    pub dstport: Vec<i64>,
    /// IANA protocol number.
    pub protocol: Vec<i64>,
    /// Packets in the window.
    pub packets: Vec<i64>,
    /// Bytes in the window.
    pub bytes: Vec<i64>,
    /// TCP flags OR-ed over the window; empty when the file has no such column.
    pub tcp_flags: Vec<i64>,
    /// `srcaddr`, numbered in the address book.
    pub srcaddr: Codes,
    /// `dstaddr`, numbered in the address book.
    pub dstaddr: Codes,
    /// `pkt_srcaddr`, numbered in the address book.
    pub pkt_srcaddr: Codes,
    /// `pkt_dstaddr`, numbered in the address book.
    pub pkt_dstaddr: Codes,
    /// `action` as a [`Decision`].
    pub action: Codes,
    /// `log_status` as a [`Decision`].
    pub log_status: Codes,
    /// `flow_direction` as a [`Decision`].
    pub flow_direction: Codes,
    /// Texts numbered in the text book, in the order of [`TEXT_FIELDS`]: several columns when several may hold it.
    pub texts: Vec<Vec<Codes>>,
}

/// The text fields that a batch numbers in the text book.
pub const TEXT_FIELDS: &[Field] = &[
    Field::InterfaceId,
    Field::AccountId,
    Field::InstanceId,
    Field::VpcId,
    Field::SubnetId,
    Field::InterfaceType,
    Field::Region,
    Field::PktSrcAwsService,
    Field::PktDstAwsService,
];

impl FlowBatch {
    /// Returns the number of a row's text: the first column that has a value counts.
    #[inline]
    pub fn text(&self, field: usize, row: usize) -> u32 {
        for codes in &self.texts[field] {
            let number = codes.get(row);
            if number != super::NONE {
                return number;
            }
        }
        super::NONE
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
        let mut start_s = self.numbers(batch, Field::Start)?;
        let mut end_s = self.numbers(batch, Field::End)?;
        for time in start_s.iter_mut().chain(end_s.iter_mut()) {
            if *time != MISSING {
                *time = to_seconds(*time);
            }
        }
        let texts = TEXT_FIELDS.iter().map(|field| self.texts(batch, *field)).collect::<Result<_, _>>()?;
        Ok(FlowBatch {
            rows,
            start_s,
            end_s,
            srcport: self.numbers(batch, Field::Srcport)?,
            dstport: self.numbers(batch, Field::Dstport)?,
            protocol: self.numbers(batch, Field::Protocol)?,
            packets: self.numbers(batch, Field::Packets)?,
            bytes: self.numbers(batch, Field::Bytes)?,
            tcp_flags: self.numbers(batch, Field::TcpFlags)?,
            srcaddr: self.addresses(batch, Field::Srcaddr)?,
            dstaddr: self.addresses(batch, Field::Dstaddr)?,
            pkt_srcaddr: self.addresses(batch, Field::PktSrcaddr)?,
            pkt_dstaddr: self.addresses(batch, Field::PktDstaddr)?,
            action: self.decisions(batch, Field::Action)?,
            log_status: self.decisions(batch, Field::LogStatus)?,
            flow_direction: self.decisions(batch, Field::FlowDirection)?,
            texts,
        })
    }

    /// Numbers of a field; empty when the file has no such column.
    fn numbers(&self, batch: &RecordBatch, field: Field) -> Result<Vec<i64>, ScanError> {
        let mut out = Vec::with_capacity(batch.num_rows());
        if let Some((_, leaves)) = self.binding.fields.iter().find(|(bound, _)| *bound == field)
            && let Some(array) = leaves.first().and_then(|first| leaf(batch, &first.path))
        {
            numbers(self.object, field.name(), &array, &mut out)?;
        }
        Ok(out)
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

    fn first(mut columns: Vec<Codes>) -> Codes {
        if columns.is_empty() { Codes::absent() } else { columns.swap_remove(0) }
    }

    fn addresses(&mut self, batch: &RecordBatch, field: Field) -> Result<Codes, ScanError> {
        let books = self.books;
        let enter = |values: &StringArray| {
            books.addresses.enter_all(values.iter().map(|text| text.and_then(|t| Address::parse(t.as_bytes()))))
        };
        self.codes(batch, field, enter).map(Self::first)
    }

    fn decisions(&mut self, batch: &RecordBatch, field: Field) -> Result<Codes, ScanError> {
        let enter = |values: &StringArray| values.iter().map(|text| text.map_or(super::NONE, decide)).collect();
        self.codes(batch, field, enter).map(Self::first)
    }

    fn texts(&mut self, batch: &RecordBatch, field: Field) -> Result<Vec<Codes>, ScanError> {
        let books = self.books;
        // Account numbers that went through pandas lost their leading zeros.
        let account = field == Field::AccountId;
        let enter = |values: &StringArray| {
            let padded: Vec<Option<String>> = values
                .iter()
                .map(|text| {
                    let text = text.map(str::trim).filter(|text| !is_missing(text))?;
                    Some(if account && text.len() < 12 && text.bytes().all(|b| b.is_ascii_digit()) {
                        format!("{text:0>12}")
                    } else {
                        text.to_owned()
                    })
                })
                .collect();
            books.texts.enter_all(padded.iter().map(|text| text.as_deref()))
        };
        self.codes(batch, field, enter)
    }
}
