//! The engine's session of one connection: the tables that all share, and the functions that know the connection.

use super::catalogue;
use super::options::Limits;
use super::protocol::pg_error::{self, PgError};
use super::settings::Settings;
use crate::sql::{PlanThreads, Workspace};
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use std::sync::Arc;
use tokio::task::JoinSet;

/// What all connections share.
pub(super) struct Shared {
    pub(super) workspace: Arc<Workspace>,
    /// The workspace's session with `pg_catalog`.
    pub(super) context: SessionContext,
    pub(super) limits: Limits,
    /// Whether a query may read files of the server that it names.
    pub(super) files: bool,
    /// Threads of each plan.
    pub(super) threads: usize,
    /// Statements are planned here, apart from the threads that talk to clients.
    pub(super) planning: PlanThreads,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// The session of one connection.
pub(super) struct Session {
    pub(super) shared: Arc<Shared>,
    pub(super) settings: Arc<Settings>,
    context: SessionContext,
}

impl Session {
    /// Opens a session for the connection `pid` of `user`.
    pub(super) fn open(shared: &Arc<Shared>, pid: i32, user: &str) -> Self {
        let settings = Arc::new(Settings::default());
        // A state of its own: what one connection registers or sets is nothing to the others.
        let context = SessionContext::new_with_state(shared.context.state());
        catalogue::register_functions_of(&context, &settings, pid, user);
        Self { shared: shared.clone(), settings, context }
    }

    /// The engine's session.
    pub(super) fn context(&self) -> &SessionContext {
        &self.context
    }

    /// Runs what plans a statement on the threads for it; dropping the future ends it.
    ///
    /// # Errors
    /// When it was cut off.
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

    /// Says what is wrong with a statement.
    pub(super) fn mistaken(&self, sql: &str, before: usize, failed: &DataFusionError) -> PgError {
        let error = pg_error::mistaken(&self.context, sql, before, failed);
        match error {
            PgError::Said(mut said) if said.code == "42P01" && !self.shared.files && said.message.contains("file") => {
                said.message = said.message.replace("no file", "no table").replace(" that is a table", "");
                said.hint = Some("this server reads no files; --allow-files lets it".to_owned());
                PgError::Said(said)
            }
            other => other,
        }
    }
}
