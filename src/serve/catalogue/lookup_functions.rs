//! Postgres functions that look names, types and arrays up.

use super::functions::any_arguments;
use super::identifiers::{identifiers, quoted};
use super::pg_type;
use super::relations::CatalogOids;
use super::sizes::size_pretty;
use crate::serve::encode::PG_TYPE;
use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int32Array, Int64Array, ListArray, ListBuilder, StringArray, StringBuilder,
};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{ScalarValue, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature};
use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// What a [`LookupFunction`] returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum FunctionKind {
    ArrayLower,
    ArrayUpper,
    CurrentSchemas,
    EncodingName,
    FormatType,
    NamespaceOid,
    ParseIdent,
    QuoteIdent,
    RelationOid,
    SizePretty,
    TableVisible,
    TypeOid,
}

impl FunctionKind {
    const ALL: &[Self] = &[
        FunctionKind::ArrayLower,
        FunctionKind::ArrayUpper,
        FunctionKind::CurrentSchemas,
        FunctionKind::EncodingName,
        FunctionKind::FormatType,
        FunctionKind::NamespaceOid,
        FunctionKind::ParseIdent,
        FunctionKind::QuoteIdent,
        FunctionKind::RelationOid,
        FunctionKind::SizePretty,
        FunctionKind::TableVisible,
        FunctionKind::TypeOid,
    ];
}

/// A function of the names, types and arrays it is given.
#[derive(Debug)]
pub(super) struct LookupFunction {
    kind: FunctionKind,
    names: Arc<CatalogOids>,
    signature: Signature,
}

impl PartialEq for LookupFunction {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind && Arc::ptr_eq(&self.names, &other.names)
    }
}

impl Eq for LookupFunction {}

impl Hash for LookupFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.kind.hash(state);
    }
}

/// Returns an argument as texts.
fn texts(arguments: &[ArrayRef], index: usize) -> Result<StringArray> {
    let Some(argument) = arguments.get(index) else { return plan_err!("an argument is missing") };
    Ok(arrow::compute::cast(argument, &DataType::Utf8)?.as_string::<i32>().clone())
}

/// Returns an argument as numbers; NULL where there is none.
fn numbers(arguments: &[ArrayRef], index: usize, rows: usize) -> Result<Int64Array> {
    match arguments.get(index) {
        Some(argument) => Ok(arrow::compute::cast(argument, &DataType::Int64)?.as_primitive().clone()),
        None => Ok(Int64Array::new_null(rows)),
    }
}

impl LookupFunction {
    /// Returns all of them, which look names up in `names`.
    pub(super) fn all(names: &Arc<CatalogOids>) -> impl Iterator<Item = Self> {
        FunctionKind::ALL.iter().map(|kind| Self { kind: *kind, names: names.clone(), signature: any_arguments() })
    }

    fn of(&self, arguments: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        let oids = |of: &dyn Fn(&str) -> Option<i32>| -> Result<ArrayRef> {
            let names = texts(arguments, 0)?;
            let found = names.iter().map(|name| name.and_then(|name| name.parse().ok().or_else(|| of(name))));
            Ok(Arc::new(Int32Array::from_iter(found)))
        };
        Ok(match self.kind {
            FunctionKind::ArrayLower => bounds(arguments, rows, |_| 1)?,
            FunctionKind::ArrayUpper => bounds(arguments, rows, |length| length)?,
            FunctionKind::CurrentSchemas => {
                let implicit = match arguments.first() {
                    Some(argument) => arrow::compute::cast(argument, &DataType::Boolean)?.as_boolean().clone(),
                    None => BooleanArray::from(vec![false; rows]),
                };
                let schemas = implicit.iter().map(|implicit| {
                    let all = ["public", "information_schema", "pg_catalog"].map(str::to_owned);
                    Some(if implicit == Some(true) { all.to_vec() } else { all[..1].to_vec() })
                });
                lists(schemas)
            }
            FunctionKind::EncodingName => {
                let names = numbers(arguments, 0, rows)?;
                Arc::new(StringArray::from_iter(names.iter().map(|number| (number == Some(6)).then_some("UTF-8"))))
            }
            FunctionKind::FormatType => {
                let (oids, modifiers) = (numbers(arguments, 0, rows)?, numbers(arguments, 1, rows)?);
                let names = oids.iter().zip(modifiers.iter());
                Arc::new(StringArray::from_iter(
                    names.map(|(oid, modifier)| oid.map(|oid| pg_type::format_type(oid, modifier))),
                ))
            }
            FunctionKind::NamespaceOid => oids(&|name| self.names.schema_oid(&identifiers(name)?.pop()?))?,
            FunctionKind::ParseIdent => {
                let names = texts(arguments, 0)?;
                let mut parts = Vec::with_capacity(names.len());
                for name in names.iter() {
                    match name.map(|name| (name, identifiers(name))) {
                        None => parts.push(None),
                        Some((_, Some(found))) => parts.push(Some(found)),
                        Some((name, None)) => return plan_err!("string is not a valid identifier: \"{name}\""),
                    }
                }
                lists(parts.into_iter())
            }
            FunctionKind::QuoteIdent => {
                Arc::new(StringArray::from_iter(texts(arguments, 0)?.iter().map(|name| name.map(quoted))))
            }
            FunctionKind::RelationOid => oids(&|name| self.names.relation_oid(&identifiers(name)?))?,
            FunctionKind::SizePretty => {
                let sizes = numbers(arguments, 0, rows)?;
                Arc::new(StringArray::from_iter(sizes.iter().map(|bytes| bytes.map(size_pretty))))
            }
            FunctionKind::TableVisible => {
                let oids = numbers(arguments, 0, rows)?;
                let visible = oids.iter().map(|oid| oid.map(|oid| self.names.is_visible(oid)));
                Arc::new(BooleanArray::from_iter(visible))
            }
            FunctionKind::TypeOid => oids(&pg_type::oid_of)?,
        })
    }
}

impl ScalarUDFImpl for LookupFunction {
    fn name(&self) -> &str {
        match self.kind {
            FunctionKind::ArrayLower => "array_lower",
            FunctionKind::ArrayUpper => "array_upper",
            FunctionKind::CurrentSchemas => "current_schemas",
            FunctionKind::EncodingName => "pg_encoding_to_char",
            FunctionKind::FormatType => "format_type",
            FunctionKind::NamespaceOid => "to_regnamespace",
            FunctionKind::ParseIdent => "parse_ident",
            FunctionKind::QuoteIdent => "quote_ident",
            FunctionKind::RelationOid => "to_regclass",
            FunctionKind::SizePretty => "pg_size_pretty",
            FunctionKind::TableVisible => "pg_table_is_visible",
            FunctionKind::TypeOid => "to_regtype",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(match self.kind {
            FunctionKind::ArrayLower
            | FunctionKind::ArrayUpper
            | FunctionKind::NamespaceOid
            | FunctionKind::RelationOid
            | FunctionKind::TypeOid => DataType::Int32,
            FunctionKind::EncodingName
            | FunctionKind::FormatType
            | FunctionKind::QuoteIdent
            | FunctionKind::SizePretty => DataType::Utf8,
            FunctionKind::TableVisible => DataType::Boolean,
            FunctionKind::CurrentSchemas | FunctionKind::ParseIdent => DataType::new_list(DataType::Utf8, true),
        })
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs) -> Result<FieldRef> {
        let field = Field::new(self.name(), self.return_type(&[])?, true);
        let is_oid =
            matches!(self.kind, FunctionKind::NamespaceOid | FunctionKind::RelationOid | FunctionKind::TypeOid);
        let metadata = if is_oid { HashMap::from([(PG_TYPE.to_owned(), "oid".to_owned())]) } else { HashMap::new() };
        Ok(Arc::new(field.with_metadata(metadata)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = args.args.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { args.number_rows };
        let arguments = args.args.iter().map(|argument| argument.to_array(rows)).collect::<Result<Vec<_>>>()?;
        let found = self.of(&arguments, rows)?;
        if constant {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&found, 0)?));
        }
        Ok(ColumnarValue::Array(found))
    }
}

fn lists(rows: impl Iterator<Item = Option<Vec<String>>>) -> ArrayRef {
    let mut builder = ListBuilder::new(StringBuilder::new());
    for row in rows {
        match row {
            Some(items) => builder.append_value(items.into_iter().map(Some)),
            None => builder.append_null(),
        }
    }
    Arc::new(builder.finish())
}

/// Returns the bounds of arrays in the dimension asked for; they have only one.
fn bounds(arguments: &[ArrayRef], rows: usize, of: fn(i32) -> i32) -> Result<ArrayRef> {
    let dimensions = numbers(arguments, 1, rows)?;
    let lengths: Vec<Option<i32>> = match arguments.first() {
        Some(list) if matches!(list.data_type(), DataType::List(_) | DataType::LargeList(_)) => {
            let list: ListArray = match list.data_type() {
                DataType::LargeList(item) => {
                    arrow::compute::cast(list, &DataType::List(item.clone()))?.as_list().clone()
                }
                _ => list.as_list().clone(),
            };
            (0..list.len()).map(|row| list.is_valid(row).then(|| list.value_length(row))).collect()
        }
        Some(list) if list.data_type().is_null() => vec![None; rows],
        _ => return plan_err!("array bounds need an array"),
    };
    let found = lengths
        .into_iter()
        .zip(dimensions.iter())
        .map(|(length, dimension)| length.filter(|length| *length > 0 && dimension == Some(1)).map(of));
    Ok(Arc::new(Int32Array::from_iter(found)))
}
