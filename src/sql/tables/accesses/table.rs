//! The tables of acts as the engine sees them.

use super::column::{Column, schema_of};
use super::columns::AccessTableKind;
use super::plan::AccessesExec;
use super::read::Reading;
use super::wanted::{WantedActs, understands};
use crate::source::{AccessObject, Grain, Source, TimeRange, WantedLogs};
use crate::sql::tables::SkippedObjects;
use crate::sql::tables::flows::{both, range_of};
use access::Tz;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use std::sync::Arc;
use tokio::sync::Mutex;

/// What the tables of one source share.
pub(in crate::sql) struct AccessTables {
    source: Source,
    /// Acts outside this range are not rows of the tables.
    range: TimeRange,
    zone: Option<Tz>,
    /// Object listings of this session, by time range.
    listings: Mutex<Vec<(TimeRange, Arc<[AccessObject]>)>>,
}

impl std::fmt::Debug for AccessTables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessTables").field("range", &self.range).finish_non_exhaustive()
    }
}

impl AccessTables {
    /// Returns the acts of `source` within `range`; local times without a zone are those of `zone`, else UTC.
    pub(in crate::sql) fn new(source: Source, range: TimeRange, zone: Option<Tz>) -> Self {
        Self { source, range, zone, listings: Mutex::default() }
    }

    /// Lists the objects of a time range, once per session.
    async fn listing(&self, range: TimeRange) -> Result<Arc<[AccessObject]>> {
        let mut listings = self.listings.lock().await;
        if let Some((_, known)) = listings.iter().find(|(known, _)| *known == range) {
            return Ok(known.clone());
        }
        let listed = self.source.list_by(&range, Grain::Object, WantedLogs::Accesses).await;
        let listed = listed.map_err(|error| DataFusionError::External(Box::new(error)))?;
        let objects: Arc<[AccessObject]> = listed.accesses.into();
        listings.push((range, objects.clone()));
        Ok(objects)
    }
}

/// One of the tables.
#[derive(Debug)]
pub(in crate::sql) struct AccessTable {
    tables: Arc<AccessTables>,
    kind: &'static AccessTableKind,
    schema: SchemaRef,
}

impl AccessTable {
    pub(in crate::sql) fn new(tables: &Arc<AccessTables>, kind: &'static AccessTableKind) -> Self {
        Self { tables: tables.clone(), kind, schema: schema_of(kind.columns) }
    }
}

#[async_trait]
impl TableProvider for AccessTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        // The engine evaluates them again: a scan leaves out what it can tell, no more.
        let judge = |filter: &&Expr| match understands(filter, self.kind.columns, self.kind.time) {
            true => TableProviderFilterPushDown::Inexact,
            false => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(judge).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let all = self.kind.columns;
        let columns: Vec<&'static Column> = match projection {
            Some(places) => places.iter().filter_map(|place| all.get(*place)).collect(),
            None => all.iter().collect(),
        };
        let of_time = |column: &str, from_s, to_s| match column == self.kind.time {
            true => TimeRange { from_s, to_s },
            false => TimeRange::default(),
        };
        let range = both(range_of(filters, &of_time), self.tables.range);
        let wanted = WantedActs::new(self.kind.logs, range, filters, all);
        let objects = self.tables.listing(range).await?;
        let objects: Vec<AccessObject> = objects.iter().filter(|object| wanted.has(object)).cloned().collect();
        let reading = Reading {
            reader: self.tables.source.reader(),
            objects: objects.into(),
            schema: schema_of(columns.iter().copied()),
            columns,
            wanted,
            zone: self.tables.zone,
            skipped: SkippedObjects::default(),
        };
        Ok(Arc::new(AccessesExec::new(reading, state.config().target_partitions(), limit)))
    }
}
