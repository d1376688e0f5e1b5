//! Access to the page decoder for the fuzzer: one column chunk made of given pages, decoded by both paths.

use crate::arrow_columns::{DictionaryTranslator, read_numbers};
use crate::column::cursor::ColumnCursor;
use crate::column::decoder::ColumnDecoder;
use crate::column::lazy::LazyMetadata;
use crate::column::number::{NumberDecoder, PhysicalNumber};
use crate::column::text::{AddressDecoder, DecisionDecoder, NameDecoder};
use crate::interner::Interners;
use crate::value::decision::decision_code;
use crate::value::number::{Narrow, Seconds, Volume};
use crate::value::text::Meaning;
use arrow::array::{Array, ArrayRef, StringArray};
use arrow::datatypes::{DataType, Field, Fields};
use flow::Address;
use pages::ObjectBytes;
use pages::decompress::Decompressor;
use pages::row_group::CheckedRowGroup;
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;
use parquet::arrow::{ProjectionMask, parquet_to_arrow_field_levels};
use parquet::basic::{Compression, GzipLevel};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ColumnChunkMetaData, FileMetaData, ParquetMetaData, RowGroupMetaData};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::SchemaDescriptor;
use std::borrow::Cow;
use std::sync::Arc;

pub use pages::decompress::Decompressor as GzipInflater;

/// What a column holds, and what its values become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// Signed 32-bit numbers, as bytes of a record.
    I32,
    /// Unsigned 32-bit numbers, as a time.
    U32,
    /// 64-bit numbers, as bytes of a record.
    I64,
    /// Milliseconds since 1970, as a time.
    Millis,
    /// Texts of addresses.
    Addresses,
    /// Texts of decisions (`action` and the like).
    Decisions,
    /// Texts of names.
    Names,
    /// Texts of ENI metadata, read for every so many rows.
    Describing,
}

/// One page of a chunk, as its header describes it.
#[derive(Debug, Clone)]
pub struct PageSpec {
    /// The page is a dictionary.
    pub is_dictionary: bool,
    /// Values that the header claims.
    pub values: u16,
    /// Number of the encoding.
    pub encoding: u8,
    /// Bytes of levels that a header of version 2 claims.
    pub definition_len: u16,
    /// Bytes of the page as stored in the chunk.
    pub body: Vec<u8>,
    /// Uncompressed bytes that the header claims.
    pub uncompressed: usize,
}

/// A column chunk.
#[derive(Debug, Clone)]
pub struct Chunk {
    /// What it holds.
    pub column: Column,
    /// Pages have headers of version 2.
    pub v2: bool,
    /// Values may be missing.
    pub optional: bool,
    /// Pages are gzip.
    pub gzip: bool,
    /// Rows of the row group.
    pub rows: usize,
    /// Rows that are read at once, at least 1.
    pub step: usize,
    /// The pages.
    pub pages: Vec<PageSpec>,
}

/// Writes a number of thrift's compact protocol.
fn number(value: i64, out: &mut Vec<u8>) {
    let mut value = (value << 1 ^ value >> 63) as u64;
    while value > 0x7f {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

impl PageSpec {
    fn write(&self, v2: bool, out: &mut Vec<u8>) {
        const I32: u8 = 0x15;
        let field = |tag: u8, value: usize, out: &mut Vec<u8>| {
            out.push(tag);
            number(value as i64, out);
        };
        let (values, encoding) = (usize::from(self.values), usize::from(self.encoding));
        let kind = if self.is_dictionary { 2 } else { 3 * usize::from(v2) };
        field(I32, kind, out);
        field(I32, self.uncompressed, out);
        field(I32, self.body.len(), out);
        match kind {
            0 => {
                out.push(0x2c);
                [values, encoding, 3, 3].into_iter().for_each(|value| field(I32, value, out));
            }
            2 => {
                out.push(0x4c);
                [values, encoding].into_iter().for_each(|value| field(I32, value, out));
            }
            _ => {
                out.push(0x5c);
                let levels = usize::from(self.definition_len);
                [values, 0, values, encoding, levels, 0].into_iter().for_each(|value| field(I32, value, out));
            }
        }
        out.extend([0, 0]);
        out.extend(&self.body);
    }
}

impl Column {
    fn parquet(self) -> &'static str {
        match self {
            Column::I32 => "int32 c",
            Column::U32 => "int32 c (INTEGER(32,false))",
            Column::I64 => "int64 c",
            Column::Millis => "int64 c (TIMESTAMP(MILLIS,true))",
            _ => "binary c (UTF8)",
        }
    }

    fn is_text(self) -> bool {
        !matches!(self, Column::I32 | Column::U32 | Column::I64 | Column::Millis)
    }

    /// Returns the numbers that a decoded array stands for.
    fn of_array(self, array: &ArrayRef, interners: &Interners) -> Option<Vec<u64>> {
        if self.is_text() {
            let intern = |values: &StringArray| match self {
                Column::Addresses => interners
                    .addresses
                    .intern_all(values.iter().map(|text| text.and_then(|text| Address::parse(text.as_bytes())))),
                Column::Decisions => {
                    values.iter().map(|text| text.map_or(0, |text| u32::from(decision_code(text)))).collect()
                }
                _ => {
                    let values: Vec<Option<Cow<'_, str>>> =
                        values.iter().map(|text| text.and_then(|text| Meaning::Text.value_of(text))).collect();
                    interners.texts.intern_all(values.iter().map(Option::as_deref))
                }
            };
            let codes = DictionaryTranslator::default().codes("object", "c", array, intern).ok()?;
            let none_is_zero =
                |code: u32| if self == Column::Decisions { u8::try_from(code).unwrap_or(0).into() } else { code };
            return Some((0..array.len()).map(|row| u64::from(none_is_zero(codes.get(row)))).collect());
        }
        let mut out = Vec::new();
        read_numbers("object", "c", array, &mut out).ok()?;
        let narrow = |number: i64| match self {
            Column::U32 | Column::Millis => u64::from(Seconds::narrow(number)),
            _ => Volume::narrow(number),
        };
        Some(out.into_iter().map(narrow).collect())
    }
}

impl Chunk {
    /// Returns whether a row is requested: a lazy column is read for few rows only.
    pub fn asks(&self, row: usize) -> bool {
        self.column != Column::Describing || row.is_multiple_of(self.step)
    }

    fn open(&self) -> Result<(Arc<ObjectBytes>, Arc<ParquetMetaData>)> {
        let mut bytes = Vec::new();
        self.pages.iter().for_each(|page| page.write(self.v2, &mut bytes));
        let repetition = if self.optional { "optional" } else { "required" };
        let schema = parse_message_type(&format!("message m {{ {repetition} {}; }}", self.column.parquet()))?;
        let schema = Arc::new(SchemaDescriptor::new(Arc::new(schema)));
        let codec = if self.gzip { Compression::GZIP(GzipLevel::default()) } else { Compression::UNCOMPRESSED };
        let uncompressed: usize = self.pages.iter().map(|page| page.uncompressed + 64).sum();
        let chunk = ColumnChunkMetaData::builder(schema.column(0))
            .set_compression(codec)
            .set_total_compressed_size(bytes.len() as i64)
            .set_total_uncompressed_size(uncompressed as i64)
            .set_num_values(self.rows as i64)
            .set_data_page_offset(0)
            .build()?;
        let group = RowGroupMetaData::builder(schema.clone())
            .set_num_rows(self.rows as i64)
            .set_total_byte_size(uncompressed as i64)
            .add_column_metadata(chunk)
            .build()?;
        let file = FileMetaData::new(1, self.rows as i64, None, None, schema, None);
        Ok((Arc::new(ObjectBytes::Whole(bytes.into())), Arc::new(ParquetMetaData::new(file, vec![group]))))
    }

    /// Decodes the chunk by the native path. Rows that are not requested are 0.
    ///
    /// # Errors
    /// When a page is damaged or of a kind that the native path does not support.
    pub fn direct(&self, interners: &Interners) -> Result<Vec<u64>> {
        let (bytes, metadata) = self.open()?;
        macro_rules! rows {
            ($kind:ty, $stored:expr) => {{
                let mut cursor = ColumnCursor::<NumberDecoder<$kind>>::default();
                cursor.decoder.stored = $stored;
                self.rows(cursor, &bytes, &metadata, interners)
            }};
        }
        match self.column {
            Column::I32 => rows!(Volume, PhysicalNumber::I32),
            Column::U32 => rows!(Seconds, PhysicalNumber::U32),
            Column::I64 => rows!(Volume, PhysicalNumber::I64),
            Column::Millis => rows!(Seconds, PhysicalNumber::Ticks(1_000)),
            Column::Addresses => {
                let rows = self.rows(ColumnCursor::<AddressDecoder>::default(), &bytes, &metadata, interners)?;
                let followed = self.followed(&bytes, &metadata, interners)?;
                // A column that shares its own pages copies them and reads the same values.
                Ok(if rows == followed { rows } else { vec![u64::MAX; self.rows] })
            }
            Column::Decisions => self.rows(ColumnCursor::<DecisionDecoder>::default(), &bytes, &metadata, interners),
            Column::Names => self.rows(ColumnCursor::<NameDecoder>::default(), &bytes, &metadata, interners),
            Column::Describing => {
                let mut lazy = LazyMetadata::default();
                lazy.open(&bytes, &metadata, 0, &interners.texts, std::iter::once(Some(0)));
                let mut out = vec![0; self.rows];
                // Once on the way forward and once, for every other row, on the way back.
                for row in (0..self.rows).filter(|row| self.asks(*row)) {
                    out[row] = u64::from(lazy.text(0, row, Meaning::Text));
                }
                for row in (0..self.rows).rev().filter(|row| self.asks(*row)).step_by(2).take(8) {
                    if out[row] != u64::from(lazy.text(0, row, Meaning::Text)) {
                        out[row] = u64::MAX;
                    }
                }
                lazy.take_error().map_or(Ok(out), Err)
            }
        }
    }

    fn rows<D: ColumnDecoder>(
        &self,
        mut cursor: ColumnCursor<D>,
        bytes: &Arc<ObjectBytes>,
        metadata: &Arc<ParquetMetaData>,
        interners: &Interners,
    ) -> Result<Vec<u64>>
    where
        D::Out: Into<u64>,
    {
        cursor.open(bytes, metadata, 0, 0)?;
        let mut decompressor = Decompressor::new();
        let mut out = vec![D::missing(); self.rows];
        for rows in out.chunks_mut(self.step) {
            cursor.fill(&mut decompressor, interners, rows)?;
        }
        Ok(out.into_iter().map(Into::into).collect())
    }

    /// Decodes a column of addresses after another that reads the same pages.
    fn followed(
        &self,
        bytes: &Arc<ObjectBytes>,
        metadata: &Arc<ParquetMetaData>,
        interners: &Interners,
    ) -> Result<Vec<u64>> {
        let (mut leader, mut cursor) =
            (ColumnCursor::<AddressDecoder>::default(), ColumnCursor::<AddressDecoder>::default());
        leader.open(bytes, metadata, 0, 0)?;
        cursor.open(bytes, metadata, 0, 0)?;
        leader.share_pages(true);
        let mut decompressor = Decompressor::new();
        let (mut led, mut out) = (vec![0; self.rows], vec![0; self.rows]);
        for (led, out) in led.chunks_mut(self.step).zip(out.chunks_mut(self.step)) {
            leader.fill(&mut decompressor, interners, led)?;
            cursor.fill_reusing(&leader, led, &mut decompressor, interners, out)?;
        }
        Ok(out.into_iter().map(u64::from).collect())
    }

    /// Decodes the chunk through Arrow. Rows that are not requested are 0.
    ///
    /// # Errors
    /// When the parquet crate finds damage. It may also panic on damage.
    pub fn arrow(&self, interners: &Interners) -> Result<Vec<u64>> {
        let (bytes, metadata) = self.open()?;
        let schema = metadata.file_metadata().schema_descr();
        let text = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        let hint = self.column.is_text().then(|| Fields::from(vec![Field::new("c", text, self.optional)]));
        let levels = parquet_to_arrow_field_levels(schema, ProjectionMask::all(), hint.as_ref())?;
        let group = CheckedRowGroup { data: bytes, metadata: metadata.clone(), index: 0 };
        let reader = ParquetRecordBatchReader::try_new_with_row_groups(&levels, &group, self.step, None)?;
        let mut out = Vec::new();
        for batch in reader {
            let batch = batch.map_err(|error| ParquetError::General(error.to_string()))?;
            let rows = self.column.of_array(batch.column(0), interners);
            out.extend(rows.ok_or_else(|| ParquetError::General("column of another type".to_owned()))?);
        }
        // As in a scan: the decoder treats pages without values as the end of their column.
        if out.len() != self.rows {
            return Err(ParquetError::General(format!("{} rows decoded of {}", out.len(), self.rows)));
        }
        out.iter_mut().enumerate().filter(|(row, _)| !self.asks(*row)).for_each(|(_, number)| *number = 0);
        Ok(out)
    }
}
