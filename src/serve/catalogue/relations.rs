//! The schema `pg_catalog`: tables about the tables of a session, computed when a statement first reads one.

use super::pg_type::{self, PG_CATALOG};
use super::table::{CatalogRow, Definitions, table};
use crate::serve::encode::{size_of, type_of};
use crate::serve::settings::KNOWN;
use crate::sql::CATALOG;
use arrow::datatypes::{DataType, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{CatalogProvider, SchemaProvider, TableProvider};
use datafusion::datasource::TableType;
use datafusion::error::Result;
use pgwire::api::Type;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::OnceCell;

/// The OID of the database, lower than those of its tables.
const DATABASE: i32 = 16_384;
/// OIDs that Postgres itself assigns; clients recognise its tables by them.
const OWN_OIDS: &[(&str, i32)] = &[
    ("pg_attribute", 1_249),
    ("pg_class", 1_259),
    ("pg_constraint", 2_606),
    ("pg_database", 1_262),
    ("pg_description", 2_609),
    ("pg_extension", 3_079),
    ("pg_index", 2_610),
    ("pg_namespace", 2_615),
    ("pg_proc", 1_255),
    ("pg_trigger", 2_620),
    ("pg_type", 1_247),
];
/// The tables that Postgres shows as views.
const VIEWS: &[&str] = &["pg_matviews", "pg_replication_slots", "pg_roles", "pg_settings", "pg_tables", "pg_views"];

/// A table of the session.
#[derive(Debug)]
struct Relation {
    oid: i32,
    schema: String,
    name: String,
    is_view: bool,
}

/// The names and OIDs of schemas and tables.
#[derive(Debug)]
pub(super) struct CatalogOids {
    schemas: Vec<(String, i32)>,
    relations: Vec<Relation>,
}

impl CatalogOids {
    /// Numbers the tables of a catalog and those of `pg_catalog`.
    fn new(catalog: &dyn CatalogProvider, definitions: &Definitions) -> Self {
        let mut names = Self { schemas: vec![("pg_catalog".to_owned(), PG_CATALOG)], relations: Vec::new() };
        for name in definitions.names() {
            let own = OWN_OIDS.iter().find(|(known, _)| *known == name).map(|(_, oid)| *oid);
            let is_view = is_view(&name);
            names.add("pg_catalog", name, own.unwrap_or(12_000 + names.relations.len() as i32), is_view);
        }
        let mut schemas = catalog.schema_names();
        schemas.retain(|schema| schema != "pg_catalog");
        schemas.sort_unstable();
        for schema in schemas {
            let oid = if schema == "public" { 2_200 } else { 13_000 + names.schemas.len() as i32 };
            let mut tables = catalog.schema(&schema).map_or_else(Vec::new, |schema| schema.table_names());
            tables.sort_unstable();
            for table in tables {
                let oid = DATABASE + 2 + names.relations.len() as i32;
                names.add(&schema, table, oid, schema == "information_schema");
            }
            names.schemas.push((schema, oid));
        }
        names
    }

    fn add(&mut self, schema: &str, name: String, oid: i32, is_view: bool) {
        self.relations.push(Relation { oid, schema: schema.to_owned(), name, is_view });
    }

    /// Returns whether a table can be named without its schema.
    pub(super) fn is_visible(&self, oid: i64) -> bool {
        let on_path = |relation: &&Relation| relation.schema == "public" || relation.schema == "pg_catalog";
        self.relations.iter().filter(on_path).any(|relation| i64::from(relation.oid) == oid)
    }

    /// Returns the OID of a schema.
    pub(super) fn schema_oid(&self, name: &str) -> Option<i32> {
        self.schemas.iter().find(|(known, _)| known == name).map(|(_, oid)| *oid)
    }

    /// Returns the OID of a table. Its name may include the schema; without one, the table is in `public` or
    /// `pg_catalog`.
    pub(super) fn relation_oid(&self, parts: &[String]) -> Option<i32> {
        let find = |schema: &str, name: &str| {
            self.relations.iter().find(|known| known.schema == schema && known.name == name).map(|known| known.oid)
        };
        match parts {
            [name] => find("public", name).or_else(|| find("pg_catalog", name)),
            [schema, name] => find(schema, name),
            _ => None,
        }
    }
}

fn is_view(name: &str) -> bool {
    VIEWS.contains(&name) || name.starts_with("pg_stat_")
}

/// The schema `pg_catalog`.
#[derive(Debug)]
pub(super) struct PgCatalog {
    catalog: Arc<dyn CatalogProvider>,
    definitions: Definitions,
    names: Arc<CatalogOids>,
    functions: Vec<String>,
    tables: OnceCell<HashMap<String, Arc<dyn TableProvider>>>,
}

impl PgCatalog {
    /// Returns the schema over the tables of a catalog, with functions by name.
    pub(super) fn new(catalog: Arc<dyn CatalogProvider>, functions: Vec<String>) -> Self {
        let definitions = Definitions::new();
        let names = Arc::new(CatalogOids::new(catalog.as_ref(), &definitions));
        Self { catalog, definitions, names, functions, tables: OnceCell::new() }
    }

    /// Returns the names and OIDs of schemas and tables.
    pub(super) fn names(&self) -> &Arc<CatalogOids> {
        &self.names
    }

    /// Computes all tables; the session's tables do not change while it lives.
    async fn made(&self) -> Result<HashMap<String, Arc<dyn TableProvider>>> {
        let mut rows: HashMap<&str, Vec<CatalogRow>> = self.fixed_rows();
        for relation in &self.names.relations {
            let columns = self.columns_of(relation).await?;
            let count = columns.as_ref().map_or(0, |columns| columns.fields().len());
            rows.entry("pg_class").or_default().push(self.class_row(relation, count));
            let attributes = rows.entry("pg_attribute").or_default();
            for (index, field) in columns.iter().flat_map(|columns| columns.fields()).enumerate() {
                attributes.push(attribute_row(
                    relation.oid,
                    index,
                    field.name(),
                    field.data_type(),
                    field.is_nullable(),
                ));
            }
            if !relation.is_view {
                rows.entry("pg_tables").or_default().push(CatalogRow::from([
                    ("schemaname", relation.schema.as_str().into()),
                    ("tablename", relation.name.as_str().into()),
                    ("tableowner", "postgres".into()),
                ]));
            }
        }
        let tables = self.definitions.names().into_iter().filter_map(|name| {
            let schema = self.definitions.schema(&name)?;
            let made = table(schema, rows.get(name.as_str()).map_or(&[], Vec::as_slice));
            Some(made.map(|made| (name, made as Arc<dyn TableProvider>)))
        });
        tables.collect()
    }

    async fn columns_of(&self, relation: &Relation) -> Result<Option<SchemaRef>> {
        if relation.schema == "pg_catalog" {
            return Ok(self.definitions.schema(&relation.name).cloned());
        }
        let Some(schema) = self.catalog.schema(&relation.schema) else { return Ok(None) };
        Ok(schema.table(&relation.name).await?.map(|table| table.schema()))
    }

    fn class_row(&self, relation: &Relation, columns: usize) -> CatalogRow {
        CatalogRow::from([
            ("oid", relation.oid.into()),
            ("relname", relation.name.as_str().into()),
            ("relnamespace", self.names.schema_oid(&relation.schema).unwrap_or(0).into()),
            ("relfilenode", relation.oid.into()),
            ("relpages", 1.into()),
            ("relpersistence", "p".into()),
            ("relkind", if relation.is_view { "v" } else { "r" }.into()),
            ("relnatts", (columns as i32).into()),
            ("relispopulated", true.into()),
            ("relreplident", "d".into()),
            ("relpartbound", "".into()),
        ])
    }

    /// Returns the rows that do not depend on tables.
    fn fixed_rows(&self) -> HashMap<&'static str, Vec<CatalogRow>> {
        let databases = [(DATABASE, CATALOG), (DATABASE + 1, "postgres")].map(|(oid, name)| {
            CatalogRow::from([
                ("oid", oid.into()),
                ("datname", name.into()),
                ("datdba", 10.into()),
                ("encoding", 6.into()),
                ("datlocprovider", "libc".into()),
                ("datcollate", "en_US.UTF-8".into()),
                ("datctype", "en_US.UTF-8".into()),
                ("datallowconn", true.into()),
                ("datconnlimit", (-1).into()),
                ("datfrozenxid", 1.into()),
                ("datminmxid", 1.into()),
                ("dattablespace", 1_663.into()),
            ])
        });
        let namespaces = self.names.schemas.iter().map(|(name, oid)| {
            CatalogRow::from([("oid", (*oid).into()), ("nspname", name.as_str().into()), ("nspowner", 10.into())])
        });
        let functions = self.functions.iter().zip(20_000..).map(|(name, oid)| {
            CatalogRow::from([
                ("oid", oid.into()),
                ("proname", name.as_str().into()),
                ("pronamespace", PG_CATALOG.into()),
                ("proowner", 10.into()),
                ("prolang", 12.into()),
                ("prokind", "f".into()),
                ("provolatile", "s".into()),
                ("proparallel", "s".into()),
                ("prorettype", (Type::ANY.oid() as i32).into()),
                ("prosrc", name.as_str().into()),
            ])
        });
        let named = |oid: i32, column: &'static str, name: &str, more: &[(&'static str, &str)]| {
            let mut row = CatalogRow::from([("oid", oid.into()), (column, name.into())]);
            row.extend(more.iter().map(|(column, text)| (*column, (*text).into())));
            row
        };
        let mut extension = named(14_000, "extname", "plpgsql", &[("extversion", "1.0")]);
        extension.extend([("extowner", 10.into()), ("extnamespace", PG_CATALOG.into())]);
        let spaces = [(1_663, "pg_default"), (1_664, "pg_global")].map(|(oid, name)| {
            CatalogRow::from([("oid", oid.into()), ("spcname", name.into()), ("spcowner", 10.into())])
        });
        let collations = [(100, "default", "d"), (950, "C", "c"), (951, "POSIX", "c")].map(|(oid, name, provider)| {
            let mut row = named(oid, "collname", name, &[("collprovider", provider)]);
            row.extend([("collnamespace", PG_CATALOG.into()), ("collencoding", (-1).into())]);
            row
        });
        let languages = [(12, "internal"), (14, "sql")].map(|(oid, name)| named(oid, "lanname", name, &[]));
        let settings = KNOWN
            .iter()
            .map(|(name, value, _)| CatalogRow::from([("name", (*name).into()), ("setting", (*value).into())]));
        let heap = named(2, "amname", "heap", &[("amhandler", "heap_tableam_handler"), ("amtype", "t")]);
        HashMap::from([
            ("pg_am", vec![heap]),
            ("pg_collation", collations.to_vec()),
            ("pg_database", databases.to_vec()),
            ("pg_extension", vec![extension]),
            ("pg_language", languages.to_vec()),
            ("pg_namespace", namespaces.collect()),
            ("pg_proc", functions.collect()),
            ("pg_settings", settings.collect()),
            ("pg_tablespace", spaces.to_vec()),
            ("pg_type", pg_type::rows()),
        ])
    }
}

fn attribute_row(table: i32, index: usize, name: &str, kind: &DataType, nullable: bool) -> CatalogRow {
    // A type that Postgres does not have is sent as JSON.
    let is_struct = matches!(kind, DataType::Struct(_));
    let pg = type_of(kind).filter(|_| !is_struct).unwrap_or(Type::JSON);
    let length = size_of(&pg);
    let (align, storage) = match length {
        1 => ("c", "p"),
        2 => ("s", "p"),
        4 => ("i", "p"),
        8.. => ("d", "p"),
        _ => ("i", "x"),
    };
    CatalogRow::from([
        ("attrelid", table.into()),
        ("attname", name.into()),
        ("atttypid", (pg.oid() as i32).into()),
        ("attstattarget", (-1).into()),
        ("attlen", i32::from(length).into()),
        ("attnum", (index as i32 + 1).into()),
        ("attcacheoff", (-1).into()),
        ("atttypmod", (-1).into()),
        ("attbyval", (length > 0 && length <= 8).into()),
        ("attalign", align.into()),
        ("attstorage", storage.into()),
        ("attnotnull", (!nullable).into()),
        ("attislocal", true.into()),
    ])
}

#[async_trait]
impl SchemaProvider for PgCatalog {
    fn table_names(&self) -> Vec<String> {
        self.definitions.names()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let tables = self.tables.get_or_try_init(|| self.made()).await?;
        Ok(tables.get(&name.to_ascii_lowercase()).cloned())
    }

    async fn table_type(&self, name: &str) -> Result<Option<TableType>> {
        let kind = if is_view(name) { TableType::View } else { TableType::Base };
        Ok(self.table_exist(name).then_some(kind))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.definitions.schema(&name.to_ascii_lowercase()).is_some()
    }
}
