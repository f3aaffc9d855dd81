//! Pages of rows that go on behind a number, and pauses between tries: the same for forwards, deliveries, work items and the trail.

use super::CatalogError;
use crate::error::EngineError;
use crate::views::Page;

/// The number that a page goes on behind.
pub(super) fn behind(after: &str) -> Result<i64, EngineError> {
    after.parse().map_err(|_| no_page())
}

/// What is asked to be gone on behind ends no page.
pub(super) fn no_page() -> EngineError {
    EngineError::BadRequest { field: "after", expected: "the `next` of the page before" }
}

/// A page of at most `limit` rows, of which one more was asked for; the next page goes on behind the number of its last.
pub(super) fn page<Row, View>(
    mut rows: Vec<Row>,
    limit: u32,
    number: impl Fn(&Row) -> i64,
    view: impl Fn(Row) -> Result<View, CatalogError>,
) -> Result<Page<View>, CatalogError> {
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next = rows.last().filter(|_| more).map(|row| number(row).to_string());
    Ok(Page { items: rows.into_iter().map(view).collect::<Result<_, _>>()?, next })
}

/// Milliseconds until the next try after so many: twice as long each time, up to the longest.
pub(super) fn pause_ms(tries: i64, first: i64, longest: i64) -> i64 {
    let doublings = (tries - 1).clamp(0, 16) as u32;
    std::cmp::min(first.saturating_mul(1 << doublings), longest)
}
