//! What keeps lists and queries flat in a large archive: counts and modalities on the rows that show them, the index of words,
//! indexes for every key that selects, and partial indexes over what is due.

use crate::catalog::dialect::Dialect;
use crate::catalog::search::index;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct StudySearch;

#[async_trait::async_trait]
impl MigrationTrait for StudySearch {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        let dialect = Dialect::of(connection);
        for sql in COLUMNS.iter().chain(COUNTS) {
            connection.execute_unprepared(sql).await?;
        }
        connection.execute_unprepared(dialect.either(MODALITIES, MODALITIES_POSTGRES)).await?;
        // What is there already gets its words by the migration that last changed what an index holds of a study.
        for sql in INDEXES.iter().chain(index::create(dialect)) {
            connection.execute_unprepared(sql).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        for sql in UNDO {
            connection.execute_unprepared(sql).await?;
        }
        Ok(())
    }
}

const COLUMNS: &[&str] = &[
    "ALTER TABLE study ADD COLUMN study_id TEXT",
    "ALTER TABLE study ADD COLUMN referring_physician TEXT",
    // As in DICOM, joined by backslashes, in order of their letters.
    "ALTER TABLE study ADD COLUMN modalities TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE study ADD COLUMN series_count BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE study ADD COLUMN instance_count BIGINT NOT NULL DEFAULT 0",
    // The revision that every service has dealt with; due while it is behind.
    "ALTER TABLE study ADD COLUMN read_revision BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE series ADD COLUMN instance_count BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE series ADD COLUMN frame_count BIGINT NOT NULL DEFAULT 0",
];

const COUNTS: &[&str] = &[
    "UPDATE series SET \
     instance_count = (SELECT count(*) FROM instance WHERE series_row = series.id), \
     frame_count = (SELECT COALESCE(sum(frames), 0) FROM instance WHERE series_row = series.id)",
    "UPDATE study SET \
     series_count = (SELECT count(*) FROM series WHERE study_row = study.id), \
     instance_count = (SELECT COALESCE(sum(instance_count), 0) FROM series WHERE study_row = study.id), \
     read_revision = COALESCE((SELECT revision FROM reading WHERE study_row = study.id), 0)",
];

const MODALITIES: &str = "UPDATE study SET modalities = COALESCE((SELECT group_concat(modality, '\\') FROM \
     (SELECT DISTINCT modality FROM series WHERE study_row = study.id AND modality <> '' ORDER BY modality)), '')";
const MODALITIES_POSTGRES: &str = "UPDATE study SET modalities = COALESCE((SELECT string_agg(modality, '\\' ORDER BY modality) FROM \
     (SELECT DISTINCT modality COLLATE \"C\" AS modality FROM series WHERE study_row = study.id AND modality <> '') AS of_study), '')";

const INDEXES: &[&str] = &[
    "CREATE INDEX ix_patient_institution_id_patient_id ON patient (institution_id, patient_id)",
    "CREATE INDEX ix_study_study_uid ON study (study_uid)",
    "CREATE INDEX ix_study_institution_id_accession ON study (institution_id, accession)",
    "CREATE INDEX ix_series_institution_id_series_uid ON series (institution_id, series_uid)",
    "CREATE INDEX ix_series_unsettled ON series (quiet_at) WHERE settled_revision < revision",
    "CREATE INDEX ix_study_unread ON study (id) WHERE read_revision < revision",
    "DROP INDEX ix_series_quiet_at",
];

const UNDO: &[&str] = &[
    "DROP TABLE study_text",
    "CREATE INDEX ix_series_quiet_at ON series (quiet_at)",
    "DROP INDEX ix_study_unread",
    "DROP INDEX ix_series_unsettled",
    "DROP INDEX ix_series_institution_id_series_uid",
    "DROP INDEX ix_study_institution_id_accession",
    "DROP INDEX ix_study_study_uid",
    "DROP INDEX ix_patient_institution_id_patient_id",
    "ALTER TABLE series DROP COLUMN frame_count",
    "ALTER TABLE series DROP COLUMN instance_count",
    "ALTER TABLE study DROP COLUMN read_revision",
    "ALTER TABLE study DROP COLUMN instance_count",
    "ALTER TABLE study DROP COLUMN series_count",
    "ALTER TABLE study DROP COLUMN modalities",
    "ALTER TABLE study DROP COLUMN referring_physician",
    "ALTER TABLE study DROP COLUMN study_id",
];
