//! The first tables. Every row belongs to an institution.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct FirstTables;

#[async_trait::async_trait]
impl MigrationTrait for FirstTables {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("institution")
                    .col(ColumnDef::new("id").big_integer().not_null().auto_increment().primary_key())
                    .col(ColumnDef::new("code").text().not_null())
                    .col(ColumnDef::new("created_at").big_integer().not_null())
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("patient")
                    .col(ColumnDef::new("id").big_integer().not_null().auto_increment().primary_key())
                    .col(ColumnDef::new("institution_id").big_integer().not_null())
                    .col(ColumnDef::new("zone").text().not_null())
                    .col(ColumnDef::new("issuer").text().not_null())
                    .col(ColumnDef::new("patient_id").text().not_null())
                    .col(ColumnDef::new("only_study_uid").text().not_null())
                    .col(ColumnDef::new("name_alphabetic").text().not_null())
                    .col(ColumnDef::new("name_ideographic").text().null())
                    .col(ColumnDef::new("name_phonetic").text().null())
                    .col(ColumnDef::new("birth_date").text().null())
                    .col(ColumnDef::new("sex").text().null())
                    .col(ColumnDef::new("created_at").big_integer().not_null())
                    .foreign_key(ForeignKey::create().from("patient", "institution_id").to("institution", "id"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("study")
                    .col(ColumnDef::new("id").big_integer().not_null().auto_increment().primary_key())
                    .col(ColumnDef::new("institution_id").big_integer().not_null())
                    .col(ColumnDef::new("zone").text().not_null())
                    .col(ColumnDef::new("study_uid").text().not_null())
                    .col(ColumnDef::new("patient_row").big_integer().not_null())
                    .col(ColumnDef::new("study_date").text().null())
                    .col(ColumnDef::new("study_time").text().null())
                    .col(ColumnDef::new("description").text().null())
                    .col(ColumnDef::new("accession").text().null())
                    .col(ColumnDef::new("age").text().null())
                    .col(ColumnDef::new("synthetic").boolean().not_null())
                    .col(ColumnDef::new("revision").big_integer().not_null())
                    .col(ColumnDef::new("created_at").big_integer().not_null())
                    .col(ColumnDef::new("updated_at").big_integer().not_null())
                    .foreign_key(ForeignKey::create().from("study", "institution_id").to("institution", "id"))
                    .foreign_key(ForeignKey::create().from("study", "patient_row").to("patient", "id"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("study_conflict")
                    .col(ColumnDef::new("id").big_integer().not_null().auto_increment().primary_key())
                    .col(ColumnDef::new("institution_id").big_integer().not_null())
                    .col(ColumnDef::new("study_row").big_integer().not_null())
                    .col(ColumnDef::new("code").text().not_null())
                    .col(ColumnDef::new("text").text().not_null())
                    .col(ColumnDef::new("created_at").big_integer().not_null())
                    .foreign_key(ForeignKey::create().from("study_conflict", "institution_id").to("institution", "id"))
                    .foreign_key(ForeignKey::create().from("study_conflict", "study_row").to("study", "id"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("series")
                    .col(ColumnDef::new("id").big_integer().not_null().auto_increment().primary_key())
                    .col(ColumnDef::new("institution_id").big_integer().not_null())
                    .col(ColumnDef::new("study_row").big_integer().not_null())
                    .col(ColumnDef::new("series_uid").text().not_null())
                    .col(ColumnDef::new("number").big_integer().null())
                    .col(ColumnDef::new("description").text().null())
                    .col(ColumnDef::new("modality").text().null())
                    .col(ColumnDef::new("kernel").text().null())
                    .col(ColumnDef::new("revision").big_integer().not_null())
                    .col(ColumnDef::new("settled_revision").big_integer().not_null())
                    .col(ColumnDef::new("quiet_at").big_integer().not_null())
                    .col(ColumnDef::new("stack").text().null())
                    .col(ColumnDef::new("tags").text().null())
                    .col(ColumnDef::new("created_at").big_integer().not_null())
                    .foreign_key(ForeignKey::create().from("series", "institution_id").to("institution", "id"))
                    .foreign_key(ForeignKey::create().from("series", "study_row").to("study", "id"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("instance")
                    .col(ColumnDef::new("id").big_integer().not_null().auto_increment().primary_key())
                    .col(ColumnDef::new("institution_id").big_integer().not_null())
                    .col(ColumnDef::new("zone").text().not_null())
                    .col(ColumnDef::new("sop_uid").text().not_null())
                    .col(ColumnDef::new("series_row").big_integer().not_null())
                    .col(ColumnDef::new("sop_class_uid").text().not_null())
                    .col(ColumnDef::new("transfer_syntax_uid").text().not_null())
                    .col(ColumnDef::new("object_key").text().not_null())
                    .col(ColumnDef::new("sha256").text().not_null())
                    .col(ColumnDef::new("bytes").big_integer().not_null())
                    .col(ColumnDef::new("frames").big_integer().not_null())
                    .col(ColumnDef::new("source").text().not_null())
                    .col(ColumnDef::new("file_name").text().null())
                    .col(ColumnDef::new("facts").text().not_null())
                    .col(ColumnDef::new("received_at").big_integer().not_null())
                    .foreign_key(ForeignKey::create().from("instance", "institution_id").to("institution", "id"))
                    .foreign_key(ForeignKey::create().from("instance", "series_row").to("series", "id"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("quarantine")
                    .col(ColumnDef::new("id").big_integer().not_null().auto_increment().primary_key())
                    .col(ColumnDef::new("institution_id").big_integer().not_null())
                    .col(ColumnDef::new("zone").text().not_null())
                    .col(ColumnDef::new("sop_uid").text().not_null())
                    .col(ColumnDef::new("object_key").text().not_null())
                    .col(ColumnDef::new("sha256").text().not_null())
                    .col(ColumnDef::new("bytes").big_integer().not_null())
                    .col(ColumnDef::new("source").text().not_null())
                    .col(ColumnDef::new("reason_code").text().not_null())
                    .col(ColumnDef::new("reason_text").text().not_null())
                    .col(ColumnDef::new("received_at").big_integer().not_null())
                    .foreign_key(ForeignKey::create().from("quarantine", "institution_id").to("institution", "id"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("reading")
                    .col(ColumnDef::new("id").big_integer().not_null().auto_increment().primary_key())
                    .col(ColumnDef::new("institution_id").big_integer().not_null())
                    .col(ColumnDef::new("study_row").big_integer().not_null())
                    .col(ColumnDef::new("service").text().not_null())
                    .col(ColumnDef::new("state").text().not_null())
                    .col(ColumnDef::new("revision").big_integer().not_null())
                    .col(ColumnDef::new("attempt").big_integer().not_null())
                    .col(ColumnDef::new("tries").big_integer().not_null())
                    .col(ColumnDef::new("progress").double().not_null())
                    .col(ColumnDef::new("reason_code").text().null())
                    .col(ColumnDef::new("reason_text").text().null())
                    .col(ColumnDef::new("lease_process").text().null())
                    .col(ColumnDef::new("lease_until").big_integer().not_null())
                    .col(ColumnDef::new("cancel_requested").boolean().not_null())
                    .col(ColumnDef::new("updated_at").big_integer().not_null())
                    .foreign_key(ForeignKey::create().from("reading", "institution_id").to("institution", "id"))
                    .foreign_key(ForeignKey::create().from("reading", "study_row").to("study", "id"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("report")
                    .col(ColumnDef::new("id").big_integer().not_null().auto_increment().primary_key())
                    .col(ColumnDef::new("institution_id").big_integer().not_null())
                    .col(ColumnDef::new("study_row").big_integer().not_null())
                    .col(ColumnDef::new("service").text().not_null())
                    .col(ColumnDef::new("version").big_integer().not_null())
                    .col(ColumnDef::new("revision").big_integer().not_null())
                    .col(ColumnDef::new("superseded_by").big_integer().null())
                    .col(ColumnDef::new("series_row").big_integer().null())
                    .col(ColumnDef::new("outcome").text().not_null())
                    .col(ColumnDef::new("reason_code").text().null())
                    .col(ColumnDef::new("reason_text").text().null())
                    .col(ColumnDef::new("stone_present").boolean().null())
                    .col(ColumnDef::new("stone_count").big_integer().null())
                    .col(ColumnDef::new("highest_score").double().null())
                    .col(ColumnDef::new("series_why").text().not_null())
                    .col(ColumnDef::new("model_hash").text().null())
                    .col(ColumnDef::new("plan_hash").text().null())
                    .col(ColumnDef::new("input_hash").text().null())
                    .col(ColumnDef::new("engine").text().null())
                    .col(ColumnDef::new("software_version").text().not_null())
                    .col(ColumnDef::new("object_key").text().not_null())
                    .col(ColumnDef::new("created_at").big_integer().not_null())
                    .foreign_key(ForeignKey::create().from("report", "institution_id").to("institution", "id"))
                    .foreign_key(ForeignKey::create().from("report", "study_row").to("study", "id"))
                    .foreign_key(ForeignKey::create().from("report", "series_row").to("series", "id"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("finding")
                    .col(ColumnDef::new("id").big_integer().not_null().auto_increment().primary_key())
                    .col(ColumnDef::new("institution_id").big_integer().not_null())
                    .col(ColumnDef::new("report_row").big_integer().not_null())
                    .col(ColumnDef::new("kind").text().not_null())
                    .col(ColumnDef::new("number").big_integer().not_null())
                    .col(ColumnDef::new("data").text().not_null())
                    .foreign_key(ForeignKey::create().from("finding", "institution_id").to("institution", "id"))
                    .foreign_key(ForeignKey::create().from("finding", "report_row").to("report", "id"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("audit")
                    .col(ColumnDef::new("id").big_integer().not_null().auto_increment().primary_key())
                    .col(ColumnDef::new("institution_id").big_integer().not_null())
                    .col(ColumnDef::new("at").big_integer().not_null())
                    .col(ColumnDef::new("role").text().not_null())
                    .col(ColumnDef::new("action").text().not_null())
                    .col(ColumnDef::new("object").text().not_null())
                    .col(ColumnDef::new("object_row").big_integer().not_null())
                    .foreign_key(ForeignKey::create().from("audit", "institution_id").to("institution", "id"))
                    .to_owned(),
            )
            .await?;
        for (name, table, columns, unique) in INDEXES {
            let mut index = Index::create();
            index.name(*name).table(*table);
            for column in *columns {
                index.col(*column);
            }
            if *unique {
                index.unique();
            }
            manager.create_index(index.clone()).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in TABLES.iter().rev() {
            manager.drop_table(Table::drop().table(*table).to_owned()).await?;
        }
        Ok(())
    }
}

/// In order of their foreign keys.
const TABLES: &[&str] = &[
    "institution",
    "patient",
    "study",
    "study_conflict",
    "series",
    "instance",
    "quarantine",
    "reading",
    "report",
    "finding",
    "audit",
];

/// Name, table, columns, unique.
const INDEXES: &[(&str, &str, &[&str], bool)] = &[
    ("uq_institution_code", "institution", &["code"], true),
    (
        "uq_patient_institution_id_zone_issuer_patient_id_only_study_uid",
        "patient",
        &["institution_id", "zone", "issuer", "patient_id", "only_study_uid"],
        true,
    ),
    ("uq_study_institution_id_zone_study_uid", "study", &["institution_id", "zone", "study_uid"], true),
    ("ix_study_institution_id_created_at", "study", &["institution_id", "created_at"], false),
    ("ix_study_patient_row", "study", &["patient_row"], false),
    ("uq_study_conflict_study_row_code", "study_conflict", &["study_row", "code"], true),
    ("uq_series_study_row_series_uid", "series", &["study_row", "series_uid"], true),
    ("ix_series_quiet_at", "series", &["quiet_at"], false),
    ("uq_instance_institution_id_zone_sop_uid", "instance", &["institution_id", "zone", "sop_uid"], true),
    ("ix_instance_series_row", "instance", &["series_row"], false),
    ("ix_instance_object_key", "instance", &["object_key"], false),
    (
        "uq_quarantine_institution_id_zone_sop_uid_sha256",
        "quarantine",
        &["institution_id", "zone", "sop_uid", "sha256"],
        true,
    ),
    ("ix_quarantine_object_key", "quarantine", &["object_key"], false),
    ("uq_reading_study_row_service", "reading", &["study_row", "service"], true),
    ("ix_reading_state", "reading", &["state"], false),
    ("uq_report_study_row_service_version", "report", &["study_row", "service", "version"], true),
    ("ix_report_object_key", "report", &["object_key"], false),
    ("uq_finding_report_row_kind_number", "finding", &["report_row", "kind", "number"], true),
    ("ix_audit_institution_id_at", "audit", &["institution_id", "at"], false),
];
