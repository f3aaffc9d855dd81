//! The worklist: how urgent a study is, how far its reading by a physician is, what its series show, the keys that it is sorted by, and
//! what an account keeps of its filters.

use crate::catalog::dialect::Dialect;
use crate::catalog::work::{SeriesMarks, dated, folded, name_key, of_series};
use crate::tagging::SeriesTags;
use hilum_dicom::InstanceFacts;
use sea_orm::{FromQueryResult, Value};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Worklist;

/// Studies that get their columns in one go.
const CHUNK: i64 = 500;

/// `{text}` is a text that sorts by its code points, whatever the server's language is: Hangul then stands in the order of its syllables.
const COLUMNS: [&str; 16] = [
    "ALTER TABLE series ADD COLUMN body_part TEXT",
    "ALTER TABLE series ADD COLUMN contrast BIGINT NOT NULL DEFAULT -1",
    "ALTER TABLE study ADD COLUMN priority BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE study ADD COLUMN priority_by TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE study ADD COLUMN workflow BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE study ADD COLUMN stones BIGINT NOT NULL DEFAULT -1",
    "ALTER TABLE study ADD COLUMN body_parts TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE study ADD COLUMN contrast BIGINT NOT NULL DEFAULT -1",
    "ALTER TABLE study ADD COLUMN dated {text} NOT NULL DEFAULT ''",
    "ALTER TABLE study ADD COLUMN name_key {text} NOT NULL DEFAULT ''",
    "ALTER TABLE study ADD COLUMN patient_key {text} NOT NULL DEFAULT ''",
    "ALTER TABLE study ADD COLUMN described {text} NOT NULL DEFAULT ''",
    "ALTER TABLE worklist_item ADD COLUMN accession TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE worklist_item ADD COLUMN study_uid TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE worklist_item ADD COLUMN priority BIGINT NOT NULL DEFAULT 0",
    "CREATE TABLE worklist_filter (id {id}, account_id BIGINT NOT NULL REFERENCES account (id) ON DELETE CASCADE, name TEXT NOT NULL, \
     filter TEXT NOT NULL, created_at BIGINT NOT NULL, UNIQUE (account_id, name))",
];

/// A page of the list in each of its orders begins at an entry of one of these; those that begin with the state are for the lists of
/// what is not read yet.
const INDEXES: [(&str, &str); 14] = [
    ("ix_study_changed", "study (updated_at, id)"),
    ("ix_study_by_priority", "study (priority, id)"),
    ("ix_study_by_workflow", "study (workflow, id)"),
    ("ix_study_by_stones", "study (stones, id)"),
    ("ix_study_by_date", "study (dated, id)"),
    ("ix_study_by_name", "study (name_key, id)"),
    ("ix_study_by_patient", "study (patient_key, id)"),
    ("ix_study_by_description", "study (described, id)"),
    ("ix_study_by_modality", "study (modalities, id)"),
    ("ix_study_unread_by_priority", "study (workflow, priority, id)"),
    ("ix_study_unread_by_date", "study (workflow, dated, id)"),
    ("ix_worklist_item_accession", "worklist_item (institution_id, accession)"),
    ("ix_worklist_item_study", "worklist_item (institution_id, study_uid)"),
    ("ix_audit_event_backup", "audit_event (number) WHERE action = 'backup'"),
];

#[async_trait::async_trait]
impl MigrationTrait for Worklist {
    /// All of it or nothing, on SQLite too.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        let dialect = Dialect::of(connection);
        for sql in COLUMNS {
            let text = dialect.either("TEXT", "TEXT COLLATE \"C\"");
            let id = dialect.either("INTEGER PRIMARY KEY AUTOINCREMENT", "BIGSERIAL PRIMARY KEY");
            connection.execute_unprepared(&sql.replace("{text}", text).replace("{id}", id)).await?;
        }
        fill(connection, dialect).await?;
        for (name, columns) in INDEXES {
            connection.execute_unprepared(&format!("CREATE INDEX {name} ON {columns}")).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        for (name, _) in INDEXES {
            connection.execute_unprepared(&format!("DROP INDEX {name}")).await?;
        }
        for sql in COLUMNS.iter().rev() {
            let mut words = sql.split(' ').filter(|word| !["TABLE", "ADD", "COLUMN", "CREATE", "ALTER"].contains(word));
            let (table, column) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            let undo = if sql.starts_with("CREATE") {
                format!("DROP TABLE {table}")
            } else {
                format!("ALTER TABLE {table} DROP COLUMN {column}")
            };
            connection.execute_unprepared(&undo).await?;
        }
        Ok(())
    }
}

#[derive(FromQueryResult)]
struct Known {
    id: i64,
    name_alphabetic: String,
    name_ideographic: Option<String>,
    name_phonetic: Option<String>,
    patient_id: String,
    study_date: Option<String>,
    study_time: Option<String>,
    description: Option<String>,
}

#[derive(FromQueryResult)]
struct Settled {
    id: i64,
    study_row: i64,
    tags: Option<String>,
    facts: Option<String>,
}

/// What is there already gets its keys and its tags; the index of words is made by the migration that last changed what it holds.
async fn fill(connection: &SchemaManagerConnection<'_>, dialect: Dialect) -> Result<(), DbErr> {
    let mut after = 0;
    loop {
        let sql = "SELECT s.id, p.name_alphabetic, p.name_ideographic, p.name_phonetic, p.patient_id, s.study_date, s.study_time, \
                   s.description FROM study s JOIN patient p ON p.id = s.patient_row \
                   WHERE s.id > ? ORDER BY s.id LIMIT ?";
        let statement = dialect.statement(sql, [Value::from(after), Value::from(CHUNK)]);
        let studies = Known::find_by_statement(statement).all(connection).await?;
        let Some(last) = studies.last().map(|study| study.id) else { return Ok(()) };
        let mut marks = settled(connection, dialect, after, last).await?;
        for study in &studies {
            let (body_parts, contrast) = of_series(marks.remove(&study.id).unwrap_or_default());
            let names = [
                Some(study.name_alphabetic.as_str()),
                study.name_ideographic.as_deref(),
                study.name_phonetic.as_deref(),
            ];
            let values: [Value; 7] = [
                dated(study.study_date.as_deref(), study.study_time.as_deref()).into(),
                name_key(names).into(),
                folded(&study.patient_id).into(),
                folded(study.description.as_deref().unwrap_or_default()).into(),
                body_parts.into(),
                contrast.into(),
                study.id.into(),
            ];
            let sql = format!(
                "UPDATE study SET dated = ?, name_key = ?, patient_key = ?, described = ?, body_parts = ?, contrast = ?, \
                 modalities = substr(modalities, 1, 512), workflow = {WORKFLOW}, stones = {STONES} WHERE id = ?"
            );
            connection.execute_raw(dialect.statement(&sql, values)).await?;
        }
        after = last;
    }
}

/// As [`crate::catalog::work`] keeps them from now on; what that says later must not change what this did.
const STONES: &str = "COALESCE((SELECT CASE WHEN rep.stone_present IS NULL THEN -1 WHEN rep.stone_present \
    THEN COALESCE(rep.stone_count, 1) ELSE 0 END FROM report rep WHERE rep.study_row = study.id AND rep.superseded_by IS NULL \
    AND rep.after_row IS NULL), -1)";
const WORKFLOW: &str = "COALESCE((SELECT CASE WHEN EXISTS (SELECT 1 FROM signature WHERE report_row = rep.id) THEN 2 \
    WHEN EXISTS (SELECT 1 FROM review WHERE report_row = rep.id) THEN 1 ELSE 0 END FROM report rep WHERE rep.study_row = study.id \
    AND rep.superseded_by IS NULL AND rep.after_row IS NULL), 0)";

async fn settled(
    connection: &SchemaManagerConnection<'_>,
    dialect: Dialect,
    after: i64,
    last: i64,
) -> Result<std::collections::HashMap<i64, Vec<SeriesMarks>>, DbErr> {
    let sql = "SELECT series.id, series.study_row, series.tags, \
               (SELECT facts FROM instance WHERE series_row = series.id ORDER BY id LIMIT 1) AS facts \
               FROM series WHERE study_row > ? AND study_row <= ?";
    let statement = dialect.statement(sql, [Value::from(after), Value::from(last)]);
    let mut found: std::collections::HashMap<i64, Vec<SeriesMarks>> = std::collections::HashMap::new();
    for series in Settled::find_by_statement(statement).all(connection).await? {
        // What cannot be read says nothing here; it does not keep the archive from opening.
        let tags = series.tags.as_deref().and_then(|json| serde_json::from_str::<SeriesTags>(json).ok());
        let facts = series.facts.as_deref().and_then(|json| serde_json::from_str::<InstanceFacts>(json).ok());
        let Some(tags) = tags else { continue };
        let marks = SeriesMarks::of(&tags, facts.as_ref().and_then(|facts| facts.series.body_part.as_deref()));
        let values: [Value; 3] = [marks.body_part.clone().into(), marks.contrast.into(), series.id.into()];
        let sql = "UPDATE series SET body_part = ?, contrast = ? WHERE id = ?";
        connection.execute_raw(dialect.statement(sql, values)).await?;
        found.entry(series.study_row).or_default().push(marks);
    }
    Ok(found)
}
