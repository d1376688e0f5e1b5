//! The Arrow path to batches: converts what the parquet crate decoded.

use super::flow_batch::{ENI_METADATA_FIELDS, EniMetadata, FlowBatch, PresentColumns};
use crate::arrow_columns::{DictionaryCodes, DictionaryTranslator, leaf_column, read_numbers};
use crate::binding::Binding;
use crate::error::ScanError;
use crate::interner::{Interners, NONE};
use crate::value::decision::decision_code;
use crate::value::number::{Flags, MISSING, Narrow, Packets, Port, Protocol, Seconds, Volume};
use crate::value::text::Meaning;
use arrow::array::{RecordBatch, StringArray};
use flow::Address;
use flow::schema::Field;
use std::borrow::Cow;

/// Converts decoded batches of one object to [`FlowBatch`]es, keeping translations from batch to batch.
pub(crate) struct BatchConverter<'a> {
    object: &'a str,
    binding: &'a Binding,
    interners: &'a Interners,
    translators: Vec<Vec<DictionaryTranslator>>,
}

impl<'a> BatchConverter<'a> {
    pub(crate) fn new(object: &'a str, binding: &'a Binding, interners: &'a Interners) -> Self {
        let translators =
            binding.fields.iter().map(|(_, l)| l.iter().map(|_| DictionaryTranslator::default()).collect()).collect();
        Self { object, binding, interners, translators }
    }

    pub(crate) fn convert(&mut self, batch: &RecordBatch) -> Result<FlowBatch, ScanError> {
        let rows = batch.num_rows();
        let eni_metadata =
            ENI_METADATA_FIELDS.iter().map(|field| self.texts(batch, *field)).collect::<Result<Vec<_>, _>>()?;
        let status = self.decisions(batch, Field::LogStatus)?;
        Ok(FlowBatch {
            rows,
            present: PresentColumns::of(self.binding),
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
            eni_metadata: EniMetadata { codes: eni_metadata, lazy: None },
        })
    }

    /// Returns the numbers of a field; all are missing when the file has no such column.
    fn numbers<N: Narrow>(&self, batch: &RecordBatch, field: Field) -> Result<Vec<N::Out>, ScanError> {
        let mut out = Vec::with_capacity(batch.num_rows());
        if let Some((_, leaves)) = self.binding.fields.iter().find(|(bound, _)| *bound == field)
            && let Some(array) = leaves.first().and_then(|first| leaf_column(batch, &first.path))
        {
            read_numbers(self.object, field.name(), &array, &mut out)?;
        }
        out.resize(batch.num_rows(), MISSING);
        Ok(out.into_iter().map(N::narrow).collect())
    }

    fn codes(
        &mut self,
        batch: &RecordBatch,
        field: Field,
        intern: impl Fn(&StringArray) -> Vec<u32>,
    ) -> Result<Vec<DictionaryCodes>, ScanError> {
        let Some(index) = self.binding.fields.iter().position(|(bound, _)| *bound == field) else {
            return Ok(Vec::new());
        };
        let mut columns = Vec::new();
        for (leaf_index, bound) in self.binding.fields[index].1.iter().enumerate() {
            if let Some(array) = leaf_column(batch, &bound.path) {
                let translator = &mut self.translators[index][leaf_index];
                columns.push(translator.codes(self.object, field.name(), &array, &intern)?);
            }
        }
        Ok(columns)
    }

    /// Returns the rows of a field's first column.
    fn first(columns: &[DictionaryCodes], rows: usize) -> Vec<u32> {
        columns.first().map_or_else(|| vec![NONE; rows], |codes| (0..rows).map(|row| codes.get(row)).collect())
    }

    fn addresses(&mut self, batch: &RecordBatch, field: Field) -> Result<Vec<u32>, ScanError> {
        let interners = self.interners;
        let intern = |values: &StringArray| {
            interners.addresses.intern_all(values.iter().map(|text| text.and_then(|t| Address::parse(t.as_bytes()))))
        };
        Ok(Self::first_known(&self.codes(batch, field, intern)?, batch.num_rows()))
    }

    fn decisions(&mut self, batch: &RecordBatch, field: Field) -> Result<Vec<u8>, ScanError> {
        let intern = |values: &StringArray| {
            values.iter().map(|text| text.map_or(0, |text| u32::from(decision_code(text)))).collect()
        };
        let columns = self.codes(batch, field, intern)?;
        let none_is_zero = |code: u32| u8::try_from(code).unwrap_or(0);
        Ok(Self::first(&columns, batch.num_rows()).into_iter().map(none_is_zero).collect())
    }

    /// Returns the interned texts of a field's rows: the first column that has a value counts.
    fn text_numbers(&mut self, batch: &RecordBatch, field: Field) -> Result<Vec<u32>, ScanError> {
        Ok(Self::first_known(&self.texts(batch, field)?, batch.num_rows()))
    }

    /// Returns for each row the code of the first column that has a value.
    fn first_known(columns: &[DictionaryCodes], rows: usize) -> Vec<u32> {
        let known = |row| columns.iter().map(|codes| codes.get(row)).find(|code| *code != NONE);
        (0..rows).map(|row| known(row).unwrap_or(NONE)).collect()
    }

    fn texts(&mut self, batch: &RecordBatch, field: Field) -> Result<Vec<DictionaryCodes>, ScanError> {
        let interners = self.interners;
        let meaning = Meaning::of(field);
        let intern = |values: &StringArray| {
            let values: Vec<Option<Cow<'_, str>>> =
                values.iter().map(|text| text.and_then(|text| meaning.value_of(text))).collect();
            interners.texts.intern_all(values.iter().map(Option::as_deref))
        };
        self.codes(batch, field, intern)
    }
}
