//! `flows` as a table: a query becomes a plan that reads as little as possible.

use super::columns::{FlowColumn, schema_of};
use super::filter::Filter;
use super::plan::{FlowsExec, Pruned};
use super::prune::Pruner;
use super::read::Reading;
use super::rows::RowMaker;
use super::time_range::time_range;
use crate::hours::Skipped;
use crate::intel::InternalNetworks;
use crate::source::{Listing, Source, TimeRange};
use crate::sql::tables::SkippedObjects;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::{col, lit};
use std::collections::HashSet;
use std::sync::Arc;
use tokio::sync::Mutex;

/// The records of a source.
pub struct FlowsTable {
    schema: SchemaRef,
    source: Source,
    /// Records outside this range are not rows of the table.
    range: TimeRange,
    internal: Arc<InternalNetworks>,
    /// Object listings of this session, by time range.
    listings: Mutex<Vec<(TimeRange, Arc<Listing>)>>,
}

impl std::fmt::Debug for FlowsTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FlowsTable").field("range", &self.range).finish_non_exhaustive()
    }
}

impl FlowsTable {
    /// Returns the records of `source` that start within `range`; each scan notes the objects that it cannot read. The
    /// `internal` networks tell which end of a forwarded record is the host.
    pub fn new(source: Source, range: TimeRange, internal: Arc<InternalNetworks>) -> Self {
        let schema = schema_of(FlowColumn::all());
        Self { schema, source, range, internal, listings: Mutex::default() }
    }

    /// Lists the objects of a time range, once per session.
    ///
    /// # Errors
    /// When the source cannot be listed.
    pub async fn listing(&self, range: TimeRange) -> Result<Arc<Listing>> {
        let mut listings = self.listings.lock().await;
        if let Some((_, known)) = listings.iter().find(|(known, _)| *known == range) {
            return Ok(known.clone());
        }
        let listed = self.source.list(&range).await.map_err(|error| DataFusionError::External(Box::new(error)))?;
        let listed = Arc::new(listed);
        listings.push((range, listed.clone()));
        Ok(listed)
    }

    /// Returns the filters of a query and those of the table's own range.
    fn all_filters(&self, filters: &[Expr]) -> Vec<Expr> {
        let second = |time_s| lit(ScalarValue::TimestampSecond(Some(time_s), Some("UTC".into())));
        let from = self.range.from_s.map(|from_s| col("start").gt_eq(second(from_s)));
        let to = self.range.to_s.map(|to_s| col("start").lt(second(to_s)));
        filters.iter().cloned().chain(from).chain(to).collect()
    }
}

/// Returns whether a filter can be evaluated row by row within the scan.
fn is_plain(filter: &Expr) -> bool {
    !filter.is_volatile() && !filter.contains_outer() && !reads_other_columns(filter)
}

/// Returns whether a filter reads a column that the table does not have.
fn reads_other_columns(filter: &Expr) -> bool {
    filter.column_refs().iter().any(|column| FlowColumn::of(&column.name).is_none())
}

#[async_trait]
impl TableProvider for FlowsTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let judge = |filter: &&Expr| match is_plain(filter) {
            true => TableProviderFilterPushDown::Exact,
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
        let all = FlowColumn::all();
        let asked: Vec<FlowColumn> = match projection {
            Some(places) => places.iter().filter_map(|place| all.get(*place).copied()).collect(),
            None => all.to_vec(),
        };
        let filters = self.all_filters(filters);
        let read: HashSet<&str> =
            filters.iter().flat_map(Expr::column_refs).map(|column| column.name.as_str()).collect();
        let judged: Vec<FlowColumn> = all.iter().filter(|column| read.contains(column.name())).copied().collect();
        let filter = match conjunction(filters.iter().cloned()) {
            Some(filter) => {
                let schema = DFSchema::try_from(schema_of(&judged).as_ref().clone())?;
                Some(Filter::new(&judged, state.create_physical_expr(filter, &schema)?))
            }
            None => None,
        };
        let pruner = Pruner::new(filter.as_ref());
        let rows = RowMaker::new(&asked, filter, self.internal.clone());
        let listing = self.listing(time_range(&filters)).await?;
        let keeps = pruner.objects(&listing.objects);
        let objects: Vec<_> =
            listing.objects.iter().zip(&keeps).filter(|(_, keep)| **keep).map(|(object, _)| object.clone()).collect();
        let left = Pruned {
            objects: listing.pruned_objects + (listing.objects.len() - objects.len()) as u64,
            folders: listing.pruned_folders,
        };
        let (fields, first) = rows.fields();
        let skipped = SkippedObjects::default();
        for copy in &listing.copies {
            skipped.add_skipped(Skipped::copy(copy));
        }
        let reading = Reading {
            reader: self.source.reader(),
            objects: objects.into(),
            fields,
            first,
            rows,
            pruner,
            skipped,
            tries: Arc::default(),
        };
        Ok(Arc::new(FlowsExec::new(reading, left, state.config().target_partitions(), limit)))
    }
}
