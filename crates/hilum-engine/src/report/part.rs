//! Files of a report as they are asked for, and its options weighed again.

use super::{GuidelineOptions, Inputs, Plane, UrinaryStoneReport};
use crate::access::Scope;
use crate::audit::Subject;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::reading::files::{CSV_FILE, JSON_FILE, PDF_EN_FILE, PDF_KO_FILE, SIGNED_FILE, XLSX_FILE, key_image_file};
use crate::results::ResultKind;
use crate::storage::ObjectKey;
use bytes::Bytes;
use hilum_clinical::report::options;
use hilum_dicom::StudyUid;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

/// The language of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// Korean.
    Ko,
    /// English.
    En,
}

/// One file of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReportPart {
    /// The report as data: `hilum_clinical`'s `UrinaryStoneReport`.
    Json,
    /// One page.
    Pdf(Language),
    /// Per slice: file name, score, Normal/Abnormal.
    Xlsx,
    /// The stones, comma-separated.
    Csv,
    /// Key image of the `n`th stone as PNG, 0 is the first.
    KeyImage(usize, Plane),
    /// Of a signed version: the bytes that were signed, whose SHA-256 the signature names.
    Signed,
    /// The stones' voxels as DICOM Segmentation.
    Seg,
    /// The measurements as DICOM structured report (PS3.16 TID 1500).
    Sr,
}

impl Engine {
    /// One file of the study's current report.
    pub async fn report(&self, scope: &Scope, study: &StudyUid, part: ReportPart) -> Result<Bytes, EngineError> {
        let current = self.catalog().current_report(scope, study).await?;
        let folder = current.ok_or(EngineError::NotFound { what: "report" })?.folder;
        self.report_file(scope, study, folder, part).await
    }

    /// One file of a report's folder.
    pub(crate) async fn report_file(
        &self,
        scope: &Scope,
        study: &StudyUid,
        folder: ObjectKey,
        part: ReportPart,
    ) -> Result<Bytes, EngineError> {
        self.note_view(scope, Subject::Report, study, None).await?;
        let name = match part {
            ReportPart::Json => JSON_FILE.to_owned(),
            ReportPart::Pdf(Language::Ko) => PDF_KO_FILE.to_owned(),
            ReportPart::Pdf(Language::En) => PDF_EN_FILE.to_owned(),
            ReportPart::Xlsx => XLSX_FILE.to_owned(),
            ReportPart::Csv => CSV_FILE.to_owned(),
            ReportPart::KeyImage(n, plane) => key_image_file(n, plane),
            ReportPart::Signed => SIGNED_FILE.to_owned(),
            ReportPart::Seg => return self.result_object(scope, study, ResultKind::Seg).await,
            ReportPart::Sr => return self.result_object(scope, study, ResultKind::Sr).await,
        };
        let storage = Arc::clone(self.storage());
        let bytes = tokio::task::spawn_blocking(move || storage.read_file_of(&folder, &name))
            .await
            .map_err(|error| EngineError::Internal(format!("reading a report ended early: {error}")))??;
        let what = if part == ReportPart::Signed { "signature" } else { "key image" };
        bytes.ok_or(EngineError::NotFound { what })
    }

    /// The guideline options of the study's current report, weighed again with what a physician tells of the patient. Nothing is kept.
    pub async fn report_options(
        &self,
        scope: &Scope,
        study: &StudyUid,
        told: &Inputs,
    ) -> Result<GuidelineOptions, EngineError> {
        let document = self.report(scope, study, ReportPart::Json).await?;
        let report: UrinaryStoneReport = serde_json::from_slice(&document)
            .map_err(|_| EngineError::Internal("a report's document cannot be read".to_owned()))?;
        let recorded = match self.catalog().study_row(scope, study).await? {
            Some(row) => self.catalog().recorded_facts(scope, row.id).await?,
            None => Vec::new(),
        };
        Ok(options(self.guidelines(), &report.stones_as_judged(), &report.patient, told, &recorded))
    }
}
