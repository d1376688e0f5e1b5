//! The engine's session of one connection: the tables that all share, and the functions that depend on the connection.

use super::catalogue;
use super::options::Limits;
use super::protocol::pg_error::{self, PgError};
use super::settings::Settings;
use crate::sql::{PlanThreads, Workspace};
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use std::sync::Arc;
use tokio::task::JoinSet;

/// State shared by all connections.
pub(super) struct SharedState {
    pub(super) workspace: Arc<Workspace>,
    /// The workspace's session with `pg_catalog`.
    pub(super) context: SessionContext,
    pub(super) limits: Limits,
    /// Whether a query may read files of the server that it names.
    pub(super) files: bool,
    /// Threads of each plan.
    pub(super) threads: usize,
    /// Statements are planned on these threads, apart from those that talk to clients.
    pub(super) planning: PlanThreads,
}

impl std::fmt::Debug for SharedState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SharedState").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// The session of one connection.
pub(super) struct Session {
    pub(super) shared: Arc<SharedState>,
    pub(super) settings: Arc<Settings>,
    context: SessionContext,
}

impl Session {
    /// Opens a session for the connection `pid` of `user`.
    pub(super) fn open(shared: &Arc<SharedState>, pid: i32, user: &str) -> Self {
        let settings = Arc::new(Settings::default());
        // A state of its own: what one connection registers or sets does not affect the others.
        let context = SessionContext::new_with_state(shared.context.state());
        catalogue::register_functions_of(&context, &settings, pid, user);
        Self { shared: shared.clone(), settings, context }
    }

    /// Returns the engine's session.
    pub(super) fn context(&self) -> &SessionContext {
        &self.context
    }

    /// Runs the planning of a statement on the planning threads; dropping the future cancels it.
    ///
    /// # Errors
    /// When it was cancelled.
    pub(super) async fn planned<T: Send + 'static>(
        &self,
        planning: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, PgError> {
        let mut tasks = JoinSet::new();
        match self.shared.planning.handle() {
            Some(handle) => drop(tasks.spawn_on(planning, handle)),
            None => return Err(PgError::Gone),
        }
        match tasks.join_next().await {
            Some(Ok(planned)) => Ok(planned),
            _ => Err(pg_error::error("XX000", "the statement cannot be planned: a bug of flowsift")),
        }
    }

    /// Returns the error for a mistake in a statement.
    pub(super) fn mistaken(&self, sql: &str, before: usize, failed: &DataFusionError) -> PgError {
        let error = pg_error::mistaken(&self.context, sql, before, failed);
        match error {
            PgError::Error(mut details)
                if details.code == "42P01" && !self.shared.files && details.message.contains("file") =>
            {
                details.message = details.message.replace("no file", "no table").replace(" that is a table", "");
                details.hint = Some("this server does not read files; --allow-files allows it".to_owned());
                PgError::Error(details)
            }
            other => other,
        }
    }
}
