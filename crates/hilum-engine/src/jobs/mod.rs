//! Jobs: the catalogue's state says what is due, the queue only distributes it among workers.
//!
//! apalis keeps its tasks in a database file of its own (`queue.sqlite`), because it cannot join the catalogue's transaction and sets
//! `synchronous = OFF` on its connections. Nothing depends on that file: without it, the next sweep enqueues the same work again.

mod queue;
mod turns;

pub(crate) use turns::Turns;

use crate::catalog::{CatalogError, Due};
use crate::engine::Engine;
use crate::error::EngineError;
use crate::journey;
use crate::ups;
use queue::Queue;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// How often the state is looked at.
const SWEEP: Duration = Duration::from_millis(500);

/// How often it is looked for work items that nobody needs any more.
const FORGET: Duration = Duration::from_mins(10);

/// Tasks of each kind that this process has in the queue at most: what waits longer waits in the catalogue, where turns go round.
const QUEUED: usize = 64;

/// Sweeps and works until `shutdown` resolves. A reading under way stops at its next slice and is due again at the next start.
pub(crate) async fn run(engine: &Engine, shutdown: impl Future<Output = ()> + Send) -> Result<(), EngineError> {
    let queue = Queue::open(engine.storage().root()).await?;
    let stop = Arc::new(Notify::new());
    let worker = tokio::spawn(queue.clone().work(engine.clone(), Arc::clone(&stop)));
    let outcome = tokio::select! {
        () = shutdown => Ok(()),
        outcome = sweep_forever(engine, &queue) => outcome,
    };
    engine.stop_readings();
    stop.notify_one();
    match worker.await {
        Ok(worked) => outcome.and(worked),
        Err(error) => Err(EngineError::Internal(format!("the job worker ended early: {error}"))),
    }
}

/// Does everything that is due in this task, without the queue: the answer is the same, for state alone decides.
pub(crate) async fn run_until_idle(engine: &Engine) -> Result<(), EngineError> {
    engine.caught_up().await;
    let mut tried = HashSet::new();
    loop {
        let scope = engine.catalog().system_scope().await?;
        let mut due = engine.catalog().due_series(&scope, true).await?;
        due.extend(engine.catalog().due_studies(&scope).await?);
        due.extend(engine.catalog().due_results(&scope, QUEUED as u64).await?);
        due.extend(engine.catalog().due_work_items(&scope, QUEUED as u64).await?);
        // What failed once in this run is left for the next one.
        due.retain(|due| tried.insert(*due));
        if due.is_empty() {
            return Ok(());
        }
        for due in due {
            perform(engine, due).await?;
        }
    }
}

async fn sweep_forever(engine: &Engine, queue: &Queue) -> Result<(), EngineError> {
    let mut ticks = tokio::time::interval(SWEEP);
    let mut old = tokio::time::interval(FORGET);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = queue.runs_short() => {}
            _ = old.tick() => {
                match engine.forget_work().await {
                    Ok(0) => {}
                    Ok(gone) => tracing::info!(gone, "work items that ended long ago were deleted"),
                    Err(error) => tracing::warn!(code = error.code(), "old work items could not be deleted"),
                }
                continue;
            }
        }
        match due_now(engine, queue).await {
            Ok(due) => {
                for due in due {
                    queue.push(due, engine.storage().process()).await?;
                }
            }
            // A full disk or a locked file passes; the next sweep sees the same state.
            Err(error) => tracing::warn!(code = error.code(), "the sweep could not look for what is due"),
        }
    }
}

/// What there is room for in the queue, in the order of turns.
async fn due_now(engine: &Engine, queue: &Queue) -> Result<Vec<Due>, CatalogError> {
    let scope = engine.catalog().system_scope().await?;
    let open = queue.open_tasks();
    let room = |kind: fn(&Due) -> bool| QUEUED.saturating_sub(open.iter().filter(|due| kind(due)).count());
    let room_to_settle = room(|due| matches!(due, Due::Series { .. }));
    let room_to_read = room(|due| matches!(due, Due::Study { .. }));
    let room_for_work = room(|due| matches!(due, Due::WorkItem { .. }));
    let room_for_results = room(|due| matches!(due, Due::Results { .. }));
    let mut due = Vec::new();
    if room_to_settle > 0 {
        // Those that are in the queue already are among the first.
        let mut waiting = engine.catalog().first_due_series(&scope, 2 * QUEUED).await?;
        waiting.retain(|waiting| !open.contains(&waiting.due));
        due = engine.turns().settle(waiting, room_to_settle);
    }
    if room_to_read > 0 {
        let (held, at_once) = (engine.turns().held(), engine.readings_at_once());
        let waiting = engine.catalog().first_due_studies(&scope, QUEUED, &held, at_once).await?;
        let waiting = waiting.into_iter().map(|waiting| waiting.due).filter(|due| !open.contains(due));
        due.extend(waiting.take(room_to_read));
    }
    if room_for_results > 0 {
        let results = engine.catalog().due_results(&scope, QUEUED as u64).await?;
        due.extend(results.into_iter().filter(|due| !open.contains(due)).take(room_for_results));
    }
    if room_for_work > 0 {
        let work = engine.catalog().due_work_items(&scope, QUEUED as u64).await?;
        due.extend(work.into_iter().filter(|due| !open.contains(due)).take(room_for_work));
    }
    Ok(due)
}

/// What a task of the queue stands for. That something is to be read brings a worker; what it reads is decided when it can begin: the
/// first study of the institution whose turn it is then.
async fn work(engine: &Engine, due: Due) -> Result<(), EngineError> {
    if let Due::Series { .. } | Due::Results { .. } | Due::WorkItem { .. } = due {
        return perform(engine, due).await;
    }
    let _turn = engine.reading_turn().await?;
    let scope = engine.catalog().system_scope().await?;
    let held = engine.turns().held();
    let waiting = engine.catalog().first_due_studies(&scope, 1, &held, engine.readings_at_once()).await?;
    let Some(Due::Study { row, revision, .. }) = engine.turns().read(waiting) else { return Ok(()) };
    let outcome = journey::settle_study(engine, &scope, row, revision).await;
    if outcome.is_err() {
        engine.turns().failed(row);
    }
    outcome
}

async fn perform(engine: &Engine, due: Due) -> Result<(), EngineError> {
    let scope = engine.catalog().system_scope().await?;
    match due {
        Due::Series { row, revision } => journey::settle_series(engine, &scope, row, revision).await,
        Due::Study { row, revision, .. } => {
            // One reading at a time uses every core; a second one would only slow both.
            let _turn = engine.reading_turn().await?;
            journey::settle_study(engine, &scope, row, revision).await
        }
        Due::Results { row, .. } => journey::results_out(engine, &scope, row).await,
        Due::WorkItem { row, .. } => ups::perform(engine, &scope, row).await,
    }
}
