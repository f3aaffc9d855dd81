//! Masks that physicians corrected, with the stones that they are.

use super::audit::of_study;
use super::entity::corrected_mask;
use super::review::{ACT, NewVerdict, account_of, insert_verdict, opened, study_of, touch};
use super::{Catalog, CatalogError, now, work};
use crate::access::Scope;
use crate::audit::{Action, AuditEvent, Detail, Subject};
use crate::error::EngineError;
use crate::review::ReviewVerdict;
use hilum_clinical::report::StoneEdits;
use hilum_clinical::urinary_stone::Stone;
use hilum_dicom::StudyUid;
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, Set};
use std::collections::BTreeMap;

const CORRUPT: CatalogError = CatalogError::Corrupt { what: "corrected mask" };

/// Runs along rows (`[z, y, first x, length]`), and what they measure.
pub(crate) type CorrectedMask = (Vec<[u32; 4]>, Stone);

impl Catalog {
    /// The corrected masks of a version by the numbers of their findings: those since which nothing but edits was said.
    pub(crate) async fn corrected_masks(
        &self,
        scope: &Scope,
        uid: &StudyUid,
        version: u32,
    ) -> Result<BTreeMap<u32, CorrectedMask>, CatalogError> {
        let visible = self.visible(scope).await?;
        let Some(study) = study_of(&self.read, &visible, uid).await? else { return Ok(BTreeMap::new()) };
        let Some(opened) = opened(&self.read, &study, version).await? else { return Ok(BTreeMap::new()) };
        let rows = corrected_mask::Entity::find()
            .filter(corrected_mask::Column::ReportRow.eq(opened.report.id))
            .order_by_asc(corrected_mask::Column::Id)
            .all(&self.read)
            .await
            .map_err(CatalogError::during(ACT))?;
        // The last of each.
        let last: BTreeMap<u32, corrected_mask::Model> = rows.into_iter().map(|row| (row.number as u32, row)).collect();
        let stands = |number: u32, mask: &corrected_mask::Model| {
            let said = opened.verdicts.get(&number).into_iter().flatten();
            let mut since = said.filter(|said| said.at >= mask.at).peekable();
            since.peek().is_some() && since.all(|said| said.verdict == ReviewVerdict::Edited.as_str())
        };
        last.into_iter()
            .filter(|(number, mask)| stands(*number, mask))
            .map(|(number, mask)| {
                let runs = serde_json::from_str(&mask.runs).map_err(|_| CORRUPT)?;
                let stone = serde_json::from_str(&mask.stone).map_err(|_| CORRUPT)?;
                Ok((number, (runs, stone)))
            })
            .collect()
    }

    /// Keeps a corrected mask, and says the finding edited: as large as the mask is.
    pub(crate) async fn correct_mask(
        &self,
        scope: &Scope,
        uid: &StudyUid,
        version: u32,
        revision: u32,
        number: u32,
        (runs, stone): (&[[u32; 4]], &Stone),
    ) -> Result<(), EngineError> {
        let (txn, study, opened) = self.begin_review(scope, uid, version, revision).await?;
        if !opened.findings.contains(&number) {
            return Err(EngineError::NotFound { what: "finding" });
        }
        let last = opened.verdicts.get(&number).and_then(|said| said.last());
        let before: StoneEdits = match last {
            Some(row) => serde_json::from_str(&row.stated).map_err(|_| CORRUPT)?,
            None => StoneEdits::default(),
        };
        let said = NewVerdict {
            number: Some(number),
            verdict: ReviewVerdict::Edited,
            stated: StoneEdits { largest_diameter_mm: stone.largest_diameter_mm, ..before },
            comment: last.map(|row| row.comment.clone()).unwrap_or_default(),
        };
        let at = now();
        insert_verdict(&txn, scope, &opened.report, number, &said, at).await?;
        let row = corrected_mask::ActiveModel {
            institution_id: Set(opened.report.institution_id),
            report_row: Set(opened.report.id),
            number: Set(i64::from(number)),
            runs: Set(serde_json::to_string(runs).map_err(|_| CORRUPT)?),
            stone: Set(serde_json::to_string(stone).map_err(|_| CORRUPT)?),
            account_id: Set(account_of(scope)),
            at: Set(at),
            ..Default::default()
        };
        row.insert(&txn).await.map_err(CatalogError::during(ACT))?;
        touch(&txn, &opened, None).await?;
        work::refresh(&txn, study.id).await?;
        let (institution, uid) = of_study(&txn, study.institution_id, study.id).await?;
        let detail = Detail {
            subject: Some(Subject::Report),
            report: Some(version),
            finding: Some(number),
            code: Some("mask_corrected".into()),
            ..Detail::default()
        };
        let event = AuditEvent::by(scope, Action::Review).of(institution).about([uid]).with(detail);
        Ok(self.commit_told(txn, ACT, &[event]).await?)
    }
}
