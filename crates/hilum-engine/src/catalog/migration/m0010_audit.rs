//! The audit trail as a chain of events that nobody can change through the database, and in it what the table before it said.

use crate::access::Actor;
use crate::audit::{Action, AuditEvent, Detail, chain};
use crate::catalog::dialect::Dialect;
use crate::catalog::entity::{audit_event, audit_study};
use sea_orm::{ActiveModelTrait, EntityTrait, FromQueryResult, IntoActiveModel, Set};
use sea_orm_migration::prelude::*;
use uuid::Uuid;

#[derive(DeriveMigrationName)]
pub(super) struct Audit;

const TABLES: [&str; 5] = [
    "CREATE TABLE audit_event (number BIGINT PRIMARY KEY NOT NULL, process TEXT NOT NULL, at BIGINT NOT NULL, \
     actor_kind TEXT NOT NULL, actor TEXT, address TEXT, request TEXT, action TEXT NOT NULL, outcome TEXT NOT NULL, \
     institution TEXT, studies TEXT NOT NULL, detail TEXT NOT NULL, previous TEXT NOT NULL, hash TEXT NOT NULL)",
    "CREATE TABLE audit_study (study_uid TEXT NOT NULL, number BIGINT NOT NULL, PRIMARY KEY (study_uid, number))",
    "CREATE INDEX ix_audit_event_institution_number ON audit_event (institution, number)",
    "CREATE INDEX ix_audit_event_at ON audit_event (at)",
    "CREATE INDEX ix_audit_event_process_start ON audit_event (process) WHERE action = 'process_start'",
];

/// A row that replaces another one fires no trigger of deletion: hence the third one.
const FILE_TRIGGERS: [&str; 5] = [
    "CREATE TRIGGER audit_event_stays BEFORE UPDATE ON audit_event \
     BEGIN SELECT RAISE(ABORT, 'the audit trail is only added to'); END",
    "CREATE TRIGGER audit_event_is_kept BEFORE DELETE ON audit_event \
     BEGIN SELECT RAISE(ABORT, 'the audit trail is only added to'); END",
    "CREATE TRIGGER audit_event_follows BEFORE INSERT ON audit_event \
     WHEN NEW.number <> COALESCE((SELECT max(number) FROM audit_event), 0) + 1 \
     BEGIN SELECT RAISE(ABORT, 'the audit trail is only added to'); END",
    "CREATE TRIGGER audit_study_stays BEFORE UPDATE ON audit_study \
     BEGIN SELECT RAISE(ABORT, 'the audit trail is only added to'); END",
    "CREATE TRIGGER audit_study_is_kept BEFORE DELETE ON audit_study \
     BEGIN SELECT RAISE(ABORT, 'the audit trail is only added to'); END",
];

const SERVER_TRIGGERS: [&str; 5] = [
    "CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS \
     $$BEGIN RAISE EXCEPTION 'the audit trail is only added to'; END$$",
    "CREATE FUNCTION audit_follow() RETURNS trigger LANGUAGE plpgsql AS \
     $$BEGIN IF NEW.number <> COALESCE((SELECT max(number) FROM audit_event), 0) + 1 THEN \
     RAISE EXCEPTION 'the audit trail is only added to'; END IF; RETURN NEW; END$$",
    "CREATE TRIGGER audit_event_is_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_event \
     FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()",
    "CREATE TRIGGER audit_event_follows BEFORE INSERT ON audit_event FOR EACH ROW EXECUTE FUNCTION audit_follow()",
    "CREATE TRIGGER audit_study_is_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_study \
     FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()",
];

/// What the table before said. Nobody had an account: who could reach the machine could do it.
#[derive(FromQueryResult)]
struct Before {
    at: i64,
    action: String,
    institution: String,
    study_uid: Option<String>,
}

const BEFORE: &str = "SELECT audit.at, audit.action, institution.code AS institution, study.study_uid \
     FROM audit JOIN institution ON institution.id = audit.institution_id \
     LEFT JOIN study ON audit.object = 'study' AND study.id = audit.object_row ORDER BY audit.id";

#[async_trait::async_trait]
impl MigrationTrait for Audit {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        let dialect = Dialect::of(connection);
        let triggers: &[&str] = dialect.either(&FILE_TRIGGERS[..], &SERVER_TRIGGERS[..]);
        for sql in TABLES.iter().chain(triggers) {
            connection.execute_unprepared(sql).await?;
        }
        let before = Before::find_by_statement(dialect.statement(BEFORE, [])).all(connection).await?;
        if !before.is_empty() {
            carry_over(connection, before).await?;
        }
        manager.drop_table(Table::drop().table("audit").to_owned()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("audit_study").to_owned()).await?;
        manager.drop_table(Table::drop().table("audit_event").to_owned()).await?;
        let connection = manager.get_connection();
        if Dialect::of(connection) == Dialect::Postgres {
            connection.execute_unprepared("DROP FUNCTION audit_refuse, audit_follow").await?;
        }
        let id = ColumnDef::new("id").big_integer().not_null().auto_increment().primary_key().to_owned();
        let number = |name: &'static str| ColumnDef::new(name).big_integer().not_null().to_owned();
        let text = |name: &'static str| ColumnDef::new(name).text().not_null().to_owned();
        let mut table = Table::create();
        table.table("audit").col(id).col(number("institution_id")).col(number("at")).col(text("role"));
        table.col(text("action")).col(text("object")).col(number("object_row"));
        manager.create_table(table.clone()).await
    }
}

async fn carry_over(connection: &impl ConnectionTrait, before: Vec<Before>) -> Result<(), DbErr> {
    let process = Uuid::new_v4();
    let unreadable = |what: &str| DbErr::Custom(format!("an {what} of the audit table cannot be read"));
    let mut start = AuditEvent::new(Actor::System, Action::ProcessStart);
    start.detail = Detail { code: Some("carried_over".into()), ..Detail::default() };
    let mut events = vec![start];
    for Before { at, action, institution, study_uid } in before {
        let mut event = AuditEvent::new(Actor::Console, action.parse().map_err(|_| unreadable("action"))?)
            .of(institution.parse().map_err(|_| unreadable("institution"))?)
            .about(study_uid.and_then(|uid| uid.parse().ok()));
        event.at = at;
        events.push(event);
    }
    let mut head = None;
    for event in &events {
        let row = chain::sealed(head.as_ref(), process, event).map_err(|error| DbErr::Custom(error.to_string()))?;
        head = Some(chain::AuditHead { number: row.number, hash: row.hash.clone() });
        let named = event
            .studies
            .iter()
            .map(|study| audit_study::ActiveModel { study_uid: Set(study.to_string()), number: Set(row.number) });
        let named: Vec<_> = named.collect();
        audit_event::Entity::insert(row.into_active_model().reset_all()).exec_without_returning(connection).await?;
        if !named.is_empty() {
            audit_study::Entity::insert_many(named).exec_without_returning(connection).await?;
        }
    }
    Ok(())
}
