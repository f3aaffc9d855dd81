//! The signed version of a report: what it says, and its files.

use super::{NO_REPORT, ReviewVerdict, ReviewView, Signing, VerdictView};
use crate::access::{Permission, Scope};
use crate::catalog::{CorrectedMask, VersionFolder, now, rfc3339};
use crate::engine::Engine;
use crate::error::EngineError;
use crate::reading::files::{JSON_FILE, KEY_IMAGES_FILE, KeyImageNote, SIGNED_FILE, key_image_file};
use crate::reading::{files_of_report, report_failed};
use crate::report::{self, KeyImage, Plane, UrinaryStoneReport};
use crate::results::mask::{self, MASK_FILE};
use crate::storage::{ObjectKey, Staged, hex};
use bytes::Bytes;
use hilum_clinical::report::{AddedStone, Amendment, JudgedFinding, Review, Signature, StoneEdits};
use hilum_clinical::urinary_stone::Stone;
use hilum_dicom::StudyUid;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A review that is about to be signed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draft<'a> {
    /// The version whose review it is.
    pub(crate) version: u32,
    /// How it is signed.
    pub(crate) signing: &'a Signing,
    /// Name of the physician.
    pub(crate) name: &'a str,
}

/// What is signed, before it has its files.
#[derive(Debug)]
pub(crate) struct Drafted {
    place: VersionFolder,
    review: Review,
    amendment: Option<Amendment>,
    name: String,
    corrected: BTreeMap<u32, CorrectedMask>,
    /// Findings that are accepted by signing.
    pub(crate) rest: Vec<u32>,
    /// ms since 1970 UTC.
    pub(crate) at: i64,
}

const UNJUDGED: &str =
    "not every finding has a verdict: accept, edit or reject each, or accept the rest with the signature";
const NEEDS_REASON: &str = "this version is signed already: an amendment says why, in `reason`";

/// What the physician is about to sign; refused where findings were left without a verdict, or an amendment without a reason.
pub(crate) async fn drafted(
    engine: &Engine,
    scope: &Scope,
    study: &StudyUid,
    draft: Draft<'_>,
) -> Result<Drafted, EngineError> {
    let Draft { version, signing, name } = draft;
    scope.require(Permission::Review)?;
    let place = engine.catalog().version_folder(scope, study, version).await?.ok_or(NO_REPORT)?;
    let review = engine.catalog().review(scope, study, version).await?.ok_or(NO_REPORT)?;
    if review.revision != signing.revision {
        return Err(EngineError::ReviewChanged);
    }
    let unjudged = review.findings.iter().filter(|finding| finding.verdict.is_none());
    let rest: Vec<u32> = unjudged.map(|finding| finding.number).collect();
    if !rest.is_empty() && !signing.accept_rest {
        return Err(EngineError::Conflict(UNJUDGED));
    }
    let signed = review.state == super::ReportState::Signed;
    if signed && signing.reason.is_empty() {
        return Err(EngineError::Conflict(NEEDS_REASON));
    }
    let amendment = signed.then(|| Amendment { amends: version, reason: signing.reason.clone() });
    let corrected = engine.catalog().corrected_masks(scope, study, version).await?;
    let at = now();
    let review = judged(review, name, &rfc3339(at)?);
    Ok(Drafted { place, review, amendment, name: name.to_owned(), corrected, rest, at })
}

/// The review as the signed document has it; what nobody has judged is accepted by whoever signs.
fn judged(review: ReviewView, name: &str, at: &str) -> Review {
    let accepted = || VerdictView {
        verdict: ReviewVerdict::Accepted,
        edits: StoneEdits::default(),
        comment: String::new(),
        by: name.to_owned(),
        at: at.to_owned(),
    };
    let (mut findings, mut added) = (Vec::new(), Vec::new());
    for finding in review.findings {
        let number = finding.number;
        let VerdictView { verdict, edits, comment, by, at } = finding.verdict.unwrap_or_else(accepted);
        match verdict.on_finding() {
            Some(verdict) => findings.push(JudgedFinding { number, verdict, edits, comment, by, at }),
            None if verdict == ReviewVerdict::Added => {
                added.push(AddedStone { number, stated: edits, comment, by, at });
            }
            None => {}
        }
    }
    Review::new(review.version, findings, added, review.conclusion)
}

/// The signed version with its files, durable and not yet recorded.
pub(crate) async fn signed_document(
    engine: &Engine,
    drafted: &Drafted,
) -> Result<(UrinaryStoneReport, Arc<Staged>), EngineError> {
    let storage = Arc::clone(engine.storage());
    let Drafted { place, review, amendment, name, corrected, at, .. } = drafted;
    let corrected = corrected.clone();
    let (place, review, amendment, name) = (place.clone(), review.clone(), amendment.clone(), name.clone());
    let at = rfc3339(*at)?;
    let rules = Arc::clone(engine.guidelines());
    let written = tokio::task::spawn_blocking(move || {
        let kept: BTreeMap<String, Bytes> = storage.files_of(&place.folder)?.into_iter().collect();
        let unreadable = || EngineError::Internal("the report that is signed cannot be read back".to_owned());
        let mut before: UrinaryStoneReport =
            kept.get(JSON_FILE).and_then(|json| serde_json::from_slice(json).ok()).ok_or_else(unreadable)?;
        for stone in &mut before.stones {
            if let Some((_, measured)) = corrected.get(&stone.number) {
                stone.clone_from(measured);
            }
        }
        let mut document = before.reviewed(place.next_version, at.clone(), review, amendment, &rules);
        let content = report::json(&document).map_err(report_failed)?;
        let sha256 = hex(&Sha256::digest(&content));
        document.signature = Some(Signature { by: name, at, sha256 });
        let mut files = files_of_report(&document, &key_images(&document, &kept))?;
        files.push((SIGNED_FILE.to_owned(), content));
        if let Some(mask) = kept.get(MASK_FILE).filter(|_| !corrected.is_empty()) {
            files.push((MASK_FILE.to_owned(), mask::corrected(mask, &corrected)?));
        }
        // Whatever else the reading left, such as masks, belongs to the signed version, too.
        let others: Vec<_> = kept.into_iter().filter(|(name, _)| files.iter().all(|(made, _)| made != name)).collect();
        files.extend(others.into_iter().map(|(name, bytes)| (name, bytes.to_vec())));
        let staged = storage.stage_folder(ObjectKey::report(place.institution), &files)?;
        Ok::<_, EngineError>((document, Arc::new(staged)))
    });
    written.await.map_err(|error| EngineError::Internal(format!("writing a signed report ended early: {error}")))?
}

/// The key images that the reading drew. A report from before their planes were noted has its axial ones.
fn key_images(document: &UrinaryStoneReport, files: &BTreeMap<String, Bytes>) -> Vec<KeyImage> {
    let axial = |stone: &Stone| KeyImageNote { stone: stone.number, plane: Plane::Axial, index: stone.slices.key };
    let noted = files.get(KEY_IMAGES_FILE).and_then(|json| serde_json::from_slice::<Vec<KeyImageNote>>(json).ok());
    let notes = noted.unwrap_or_else(|| document.stones.iter().map(axial).collect());
    let image = |KeyImageNote { stone, plane, index }| {
        let png = files.get(&key_image_file(stone.saturating_sub(1) as usize, plane))?.to_vec();
        Some(KeyImage { stone, plane, index, png })
    };
    notes.into_iter().filter_map(image).collect()
}
