//! `information_schema`: the engine's own, but with Postgres's names for the types of columns; Grafana and others use
//! them to distinguish times, numbers and text.

use crate::serve::encode::type_of;
use arrow::array::{ArrayRef, Int32Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::information_schema::InformationSchemaProvider;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::catalog::{CatalogProviderList, SchemaProvider, TableProvider};
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use std::sync::Arc;

/// The schema.
#[derive(Debug)]
pub(super) struct Information {
    columns: Arc<TableColumns>,
    inner: InformationSchemaProvider,
}

impl Information {
    pub(super) fn new(catalogs: Arc<dyn CatalogProviderList>) -> Result<Self> {
        let schema = Rows::default().finish()?.schema();
        let inner = InformationSchemaProvider::new(catalogs.clone());
        Ok(Self { inner, columns: Arc::new(TableColumns { catalogs, schema }) })
    }
}

/// The table `columns`; computed when it is read.
#[derive(Debug)]
struct TableColumns {
    catalogs: Arc<dyn CatalogProviderList>,
    schema: SchemaRef,
}

impl TableColumns {
    /// Returns one row per column of a table.
    async fn made(&self) -> Result<RecordBatch> {
        let mut rows = Rows::default();
        for catalog_name in self.catalogs.catalog_names() {
            let Some(catalog) = self.catalogs.catalog(&catalog_name) else { continue };
            for schema_name in catalog.schema_names() {
                let Some(schema) = catalog.schema(&schema_name).filter(|_| schema_name != "information_schema") else {
                    continue;
                };
                for table_name in schema.table_names() {
                    let Some(table) = schema.table(&table_name).await? else { continue };
                    for (place, field) in table.schema().fields().iter().enumerate() {
                        let of = [&catalog_name, &schema_name, &table_name, field.name()];
                        rows.add(of.map(|name| name.as_str()), place, field.is_nullable(), field.data_type());
                    }
                }
            }
        }
        rows.finish()
    }
}

/// All rows of `columns`.
#[derive(Debug)]
struct ColumnsPartition(Arc<TableColumns>);

impl PartitionStream for ColumnsPartition {
    fn schema(&self) -> &SchemaRef {
        &self.0.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let columns = self.0.clone();
        let made = futures::stream::once(async move { columns.made().await });
        Box::pin(RecordBatchStreamAdapter::new(self.0.schema.clone(), made))
    }
}

#[async_trait]
impl SchemaProvider for Information {
    fn table_names(&self) -> Vec<String> {
        self.inner.table_names()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        if name.eq_ignore_ascii_case("columns") {
            let part = Arc::new(ColumnsPartition(self.columns.clone()));
            return Ok(Some(Arc::new(StreamingTable::try_new(self.columns.schema.clone(), vec![part])?)));
        }
        self.inner.table(name).await
    }

    fn table_exist(&self, name: &str) -> bool {
        self.inner.table_exist(name)
    }
}

/// Returns the names of a type: the SQL standard's, and the one in `pg_type`.
fn names_of(kind: &DataType) -> (String, String) {
    let Some(pg) = type_of(kind) else { return ("json".to_owned(), "json".to_owned()) };
    if matches!(kind, DataType::Struct(_)) {
        return ("json".to_owned(), "json".to_owned());
    }
    let standard = match pg.name() {
        "bool" => "boolean",
        "int2" => "smallint",
        "int4" => "integer",
        "int8" => "bigint",
        "float4" => "real",
        "float8" => "double precision",
        "timestamp" => "timestamp without time zone",
        "timestamptz" => "timestamp with time zone",
        "time" => "time without time zone",
        array if array.starts_with('_') => "ARRAY",
        other => other,
    };
    (standard.to_owned(), pg.name().to_owned())
}

#[derive(Default)]
struct Rows {
    names: [Vec<String>; 4],
    places: Vec<i32>,
    nullable: Vec<&'static str>,
    standard: Vec<String>,
    udt: Vec<String>,
    precision: Vec<Option<i32>>,
    digits: Vec<Option<i32>>,
}

impl Rows {
    fn add(&mut self, names: [&str; 4], place: usize, nullable: bool, kind: &DataType) {
        for (column, name) in self.names.iter_mut().zip(names) {
            column.push(name.to_owned());
        }
        self.places.push(i32::try_from(place + 1).unwrap_or(i32::MAX));
        self.nullable.push(if nullable { "YES" } else { "NO" });
        let (standard, udt) = names_of(kind);
        self.precision.push(match udt.as_str() {
            "int2" => Some(16),
            "int4" => Some(32),
            "int8" => Some(64),
            "float4" => Some(24),
            "float8" => Some(53),
            _ => None,
        });
        self.digits.push(udt.starts_with("time").then_some(6));
        self.standard.push(standard);
        self.udt.push(udt);
    }

    fn finish(self) -> Result<RecordBatch> {
        let count = self.places.len();
        let [catalogs, schemas, tables, columns] = self.names;
        let texts = |texts: Vec<String>| Arc::new(StringArray::from(texts)) as ArrayRef;
        let all = |text: &'static str| Arc::new(StringArray::from(vec![text; count])) as ArrayRef;
        let none = || Arc::new(StringArray::new_null(count)) as ArrayRef;
        let no_number = || Arc::new(Int32Array::new_null(count)) as ArrayRef;
        let radix: Int32Array = self.precision.iter().map(|precision| precision.map(|_| 2)).collect();
        let scale: Int32Array = self.udt.iter().map(|udt| udt.starts_with("int").then_some(0)).collect();
        Ok(RecordBatch::try_from_iter_with_nullable([
            ("table_catalog", texts(catalogs.clone()), false),
            ("table_schema", texts(schemas), false),
            ("table_name", texts(tables), false),
            ("column_name", texts(columns), false),
            ("ordinal_position", Arc::new(Int32Array::from(self.places)) as ArrayRef, false),
            ("column_default", none(), true),
            ("is_nullable", Arc::new(StringArray::from(self.nullable)), false),
            ("data_type", texts(self.standard), false),
            ("character_maximum_length", no_number(), true),
            ("character_octet_length", no_number(), true),
            ("numeric_precision", Arc::new(Int32Array::from(self.precision)), true),
            ("numeric_precision_radix", Arc::new(radix), true),
            ("numeric_scale", Arc::new(scale), true),
            ("datetime_precision", Arc::new(Int32Array::from(self.digits)), true),
            ("udt_catalog", texts(catalogs), false),
            ("udt_schema", all("pg_catalog"), false),
            ("udt_name", texts(self.udt), false),
            ("is_identity", all("NO"), false),
            ("is_generated", all("NEVER"), false),
            ("is_updatable", all("NO"), false),
        ])?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::datatypes::{Field, TimeUnit};

    #[test]
    fn types_have_the_names_that_clients_know() {
        let list = DataType::List(Arc::new(Field::new("item", DataType::Int64, true)));
        for (kind, standard, udt) in [
            (DataType::Timestamp(TimeUnit::Second, Some("UTC".into())), "timestamp with time zone", "timestamptz"),
            (DataType::Utf8View, "text", "text"),
            (DataType::Int64, "bigint", "int8"),
            (DataType::UInt8, "smallint", "int2"),
            (DataType::Date32, "date", "date"),
            (list, "ARRAY", "_int8"),
            (DataType::Struct(vec![Field::new("a", DataType::Int32, true)].into()), "json", "json"),
        ] {
            assert_eq!(names_of(&kind), (standard.to_owned(), udt.to_owned()), "{kind}");
        }
    }
}
