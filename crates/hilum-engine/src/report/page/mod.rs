//! The report as one A4 page, and one more a stone.

mod content;
mod review;
mod stone;
mod world;

use hilum_clinical::Language;
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};
use typst::foundations::{Datetime, Smart};
use typst_layout::PagedDocument;
use typst_pdf::{PdfOptions, Timestamp};

pub(crate) use self::content::IN_THREE_PLANES;
pub(super) use self::review::stated;

use self::content::{Content, DENSITIES};
use self::world::PageWorld;
use super::{KeyImage, ReportError, UrinaryStoneReport};

/// A4 pages as PDF: one of the whole, then one of each stone (of the first [`IN_THREE_PLANES`]). The same report, key images and language
/// give the same bytes.
///
/// What does not fit is left to the JSON and XLSX report, and the page says so: the first page is set with as much as the first of
/// several densities allows, then with less, until it is one page. A physician's review stands on pages of its own behind them.
pub fn pdf(report: &UrinaryStoneReport, key_images: &[KeyImage], language: Language) -> Result<Vec<u8>, ReportError> {
    let created = OffsetDateTime::parse(&report.created_at, &Rfc3339).map_err(|_| ReportError::Time)?;
    let mut longest = String::new();
    for density in DENSITIES {
        let mut content = Content::new(report, key_images, language, created, density);
        // The first page alone shows whether it fits; those of the stones are set once it does.
        let stones = std::mem::take(&mut content.stone_pages);
        let first = typeset(&content, key_images)?.pages().len();
        if first != content.pages() {
            longest = format!("its first page takes {first}");
            continue;
        }
        content.stone_pages = stones;
        let document = typeset(&content, key_images)?;
        if document.pages().len() != content.pages() {
            longest = format!("{} stones take {} pages", content.pages() - 1, document.pages().len() - 1);
            continue;
        }
        content.review = review::content(report, language);
        let document = if content.review.is_some() { typeset(&content, key_images)? } else { document };
        return write(&document, report, language, created);
    }
    Err(ReportError::Page(format!("the report does not fit on its pages even at the highest density: {longest}")))
}

fn typeset(content: &Content<'_>, key_images: &[KeyImage]) -> Result<PagedDocument, ReportError> {
    let world = PageWorld::new(serde_json::to_vec(content)?, key_images)?;
    let document = typst::compile::<PagedDocument>(&world).output.map_err(|errors| diagnosis(&errors));
    // The typesetter memoises across calls; what is older than the last few pages is dropped.
    typst::comemo::evict(4);
    document
}

fn write(
    document: &PagedDocument,
    report: &UrinaryStoneReport,
    language: Language,
    created: OffsetDateTime,
) -> Result<Vec<u8>, ReportError> {
    let utc = created.to_offset(UtcOffset::UTC);
    let datetime =
        Datetime::from_ymd_hms(utc.year(), u8::from(utc.month()), utc.day(), utc.hour(), utc.minute(), utc.second())
            .ok_or(ReportError::Time)?;
    let options = PdfOptions {
        ident: Smart::Custom(format!("{}/{}/{language:?}", report.study.study_uid, report.version)),
        creator: Smart::Custom(Some(format!("Hilum {}", report.provenance.software_version))),
        timestamp: Some(Timestamp::new_utc(datetime)),
        ..PdfOptions::default()
    };
    typst_pdf::pdf(document, &options).map_err(|errors| diagnosis(&errors))
}

fn diagnosis(errors: &[typst::diag::SourceDiagnostic]) -> ReportError {
    ReportError::Page(errors.iter().map(|e| e.message.as_str()).collect::<Vec<_>>().join("; "))
}
