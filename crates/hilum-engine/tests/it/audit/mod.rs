//! The audit trail: what is in it, what is not, and that nobody changes it unnoticed.

mod acts;
mod chain;
mod syslog;

use crate::fixture::{place, query_server};
use crate::postgres_server as postgres;
use hilum_engine::audit::{Action, AuditSearch, AuditView, Verification, verify};
use hilum_engine::{Engine, Scope};
use sea_orm::{ConnectionTrait, Database};
use std::path::{Path, PathBuf};

/// Everything that a scope may read, the first event first.
async fn trail(engine: &Engine, scope: &Scope) -> Vec<AuditView> {
    let mut search = AuditSearch::default();
    let mut events = Vec::new();
    loop {
        let page = engine.audit_trail(scope, &search).await.unwrap();
        events.extend(page.items);
        search.after = page.next;
        if search.after.is_none() {
            events.reverse();
            return events;
        }
    }
}

/// The events of one action.
async fn of(engine: &Engine, action: Action) -> Vec<AuditView> {
    let search = AuditSearch { action: Some(action), ..AuditSearch::default() };
    let mut events = engine.audit_trail(&engine.console_scope().await.unwrap(), &search).await.unwrap().items;
    events.reverse();
    events
}

async fn verified(data: &Path, heads: &[PathBuf]) -> Verification {
    verify(&place(data), data, heads).await.unwrap().unwrap()
}

/// Runs SQL behind the engine's back; what the database says against it.
async fn behind(data: &Path, sql: &str) -> Result<(), String> {
    if postgres::is_asked_for() {
        return std::panic::catch_unwind(|| query_server(data, sql)).map(drop).map_err(|_| "refused".to_owned());
    }
    let database = Database::connect(format!("sqlite://{}", data.join("catalog.sqlite").display())).await.unwrap();
    let done = database.execute_unprepared(sql).await;
    database.close().await.unwrap();
    done.map(drop).map_err(|error| error.to_string())
}

/// What somebody does who owns the database: nothing holds the trail any more.
async fn take_off_triggers(data: &Path) {
    let sql = if postgres::is_asked_for() {
        "ALTER TABLE audit_event DISABLE TRIGGER ALL; ALTER TABLE audit_study DISABLE TRIGGER ALL"
    } else {
        "DROP TRIGGER audit_event_stays; DROP TRIGGER audit_event_is_kept; DROP TRIGGER audit_event_follows; \
         DROP TRIGGER audit_study_stays; DROP TRIGGER audit_study_is_kept"
    };
    behind(data, sql).await.unwrap();
}
