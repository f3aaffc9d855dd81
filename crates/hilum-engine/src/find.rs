//! Searching by keys, page after page: behind a cursor, or at an offset as QIDO-RS counts.

use crate::access::Scope;
use crate::audit::Subject;
use crate::catalog::{Cursor, Find, Found};
use crate::engine::Engine;
use crate::error::EngineError;
use std::collections::VecDeque;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::{Mutex, PoisonError};

/// Where pages ended that were asked for lately, so that the next offset need not be counted to.
#[derive(Debug, Default)]
pub(crate) struct Pages(Mutex<VecDeque<(u64, usize, Cursor)>>);

/// Pages remembered.
const REMEMBERED: usize = 512;
/// Entities passed over in one go on the way to an offset.
const STRIDE: usize = 4096;

impl Pages {
    /// The largest known offset up to `offset`, and where its page begins.
    fn before(&self, question: u64, offset: usize) -> Option<(usize, Cursor)> {
        let pages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = pages.iter().filter(|(of, at, _)| *of == question && *at <= offset);
        known.max_by_key(|(_, at, _)| *at).map(|(_, at, cursor)| (*at, *cursor))
    }

    fn note(&self, question: u64, offset: usize, cursor: Cursor) {
        let mut pages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pages.retain(|(of, at, _)| (*of, *at) != (question, offset));
        if pages.len() == REMEMBERED {
            pages.pop_front();
        }
        pages.push_back((question, offset, cursor));
    }
}

impl Engine {
    /// A page of patients, studies, series or instances that match the keys, the study received last first.
    pub async fn find(&self, scope: &Scope, find: &Find) -> Result<Found, EngineError> {
        if find.after.is_none() {
            self.audit_query(scope, Subject::Studies, &find.keys).await?;
        }
        self.find_unnoted(scope, find).await
    }

    async fn find_unnoted(&self, scope: &Scope, find: &Find) -> Result<Found, EngineError> {
        self.caught_up().await;
        self.catalog().find(scope, find).await
    }

    /// The same from the `offset`th match on (0 is the first), whatever `find.after` says. The page after a page that was asked for
    /// before begins where that one ended, also when studies have come in meanwhile.
    pub async fn find_at(&self, scope: &Scope, find: &Find, offset: usize) -> Result<Found, EngineError> {
        self.audit_query(scope, Subject::Studies, &find.keys).await?;
        let question = question(scope, find);
        let (mut at, mut after) = match self.pages().before(question, offset) {
            Some((at, cursor)) => (at, Some(cursor)),
            None => (0, None),
        };
        while at < offset {
            let limit = (offset - at).min(STRIDE);
            let passed = self.find_unnoted(scope, &Find { after, limit, ..find.clone() }).await?;
            at += passed.answers.len();
            let Some(next) = passed.next else { return Ok(Found { answers: Vec::new(), ..passed }) };
            after = Some(next);
        }
        let found = self.find_unnoted(scope, &Find { after, ..find.clone() }).await?;
        if let Some(next) = found.next {
            self.pages().note(question, offset + found.answers.len(), next);
        }
        Ok(found)
    }

    /// How many match in all: every match is looked at, so this is for those who ask for it.
    pub async fn count(&self, scope: &Scope, find: &Find) -> Result<u64, EngineError> {
        self.audit_query(scope, Subject::Studies, &find.keys).await?;
        let (mut count, mut after) = (0, None);
        loop {
            let found = self.find_unnoted(scope, &Find { after, limit: STRIDE, ..find.clone() }).await?;
            count += found.answers.len() as u64;
            match found.next {
                Some(next) => after = Some(next),
                None => return Ok(count),
            }
        }
    }
}

#[cfg(feature = "bench")]
impl Engine {
    /// Synthetic rows without objects, for measuring.
    pub async fn fill_synthetic(&self, scope: &Scope, studies: u64, told: impl Fn(u64)) -> Result<(), EngineError> {
        Ok(self.catalog().fill_synthetic(scope, studies, told).await?)
    }

    /// Bytes that the catalogue takes.
    #[cfg(feature = "bench")]
    pub async fn catalogue_size(&self) -> Result<u64, EngineError> {
        Ok(self.catalog().size().await?)
    }
}

/// One number for who asks what. Keys are hashed, not kept: they name patients.
fn question(scope: &Scope, find: &Find) -> u64 {
    let mut hasher = DefaultHasher::new();
    scope.institutions().for_each(|institution| institution.hash(&mut hasher));
    find.zone.hash(&mut hasher);
    find.level.hash(&mut hasher);
    (find.options.fuzzy_names, find.options.empty_values, find.options.combined_date_times).hash(&mut hasher);
    find.options.local_offset.hash(&mut hasher);
    hash_keys(&find.keys, &mut hasher);
    hasher.finish()
}

fn hash_keys(keys: &hilum_dicom::DataSet, hasher: &mut DefaultHasher) {
    for (tag, _, value) in keys.iter() {
        (tag.0, tag.1).hash(hasher);
        match value {
            hilum_dicom::data_set::Value::Text(values) => values.hash(hasher),
            hilum_dicom::data_set::Value::Items(items) => items.iter().for_each(|item| hash_keys(item, hasher)),
        }
    }
}
