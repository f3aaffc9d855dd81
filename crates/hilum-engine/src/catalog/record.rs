//! Recording instances: rows and "this series is unsettled, revision n" in one transaction, a batch of instances at a time.

use super::delete::doom;
use super::dialect::Dialect;
use super::entity::{instance, quarantine, series, study};
use super::forward::record_forwards;
use super::known::{Found, KnownInstance, find_instances};
use super::rows::{RowCache, place_of};
use super::search::text;
use super::{Catalog, CatalogError, now};
use crate::access::Scope;
use crate::engine::{Source, Zone};
use crate::storage::{ObjectKey, Staged};
use hilum_dicom::{AeTitle, InstanceFacts, ObjectDigest, SopUid};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, NotSet,
    QueryFilter, Set,
};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// An instance that was staged and wants a row.
#[derive(Debug)]
pub struct NewInstance {
    /// What its header says.
    pub facts: Box<InstanceFacts>,
    /// Its series is settled after this long without a further instance.
    pub quiet_after: Duration,
    /// Name of the file it came in (no folder), for the table of slices; never logged.
    pub file_name: Option<String>,
    /// Peers that it goes on to.
    pub forward: Vec<AeTitle>,
    /// The kept object with the same bytes that was found missing or damaged: its row is to name this one. Where there is no such row any more
    /// it is an instance like others.
    pub instead_of: Option<ObjectKey>,
}

impl NewInstance {
    /// Milliseconds since 1970 UTC when its series is settled, if nothing else of it comes.
    fn quiet_at(&self) -> i64 {
        now() + self.quiet_after.as_millis() as i64
    }
}

/// An object that was staged to be put aside.
#[derive(Debug)]
pub struct NewQuarantine {
    /// The UID that was taken.
    pub sop: SopUid,
    /// Stable code of the reason.
    pub reason_code: &'static str,
    /// The reason as a sentence.
    pub reason_text: String,
}

/// What to record.
#[derive(Debug)]
pub enum Subject {
    /// A new instance.
    Instance(NewInstance),
    /// An object to put aside.
    Quarantine(NewQuarantine),
}

/// One request to record.
#[derive(Debug)]
pub struct RecordRequest {
    /// Row id of the institution, from the caller's scope.
    pub institution: i64,
    /// Zone.
    pub zone: Zone,
    /// How it came in.
    pub source: Source,
    /// Digest of the bytes as received.
    pub digest: ObjectDigest,
    /// Number of bytes.
    pub bytes: u64,
    /// The durable bytes.
    pub staged: Staged,
    /// What it is.
    pub subject: Subject,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// A new row; the bytes are at their place.
    New,
    /// The row of an instance whose object was missing or damaged names this one; what is left of the other is noted for removal.
    Healed,
    /// Another sender was first with this SOP Instance UID.
    Taken(KnownInstance),
    /// The very same object was put aside before.
    AsideBefore,
}

const ACT: &str = "record an instance";

impl Catalog {
    /// Records a batch in one transaction. All or nothing, and what of a batch that failed may have been committed keeps its bytes.
    pub(crate) async fn record_batch(&self, batch: &[RecordRequest]) -> Result<Vec<Recorded>, CatalogError> {
        let instances = batch.iter().filter_map(|request| match &request.subject {
            Subject::Instance(new) => Some(((request.institution, request.zone), new.facts.sop.to_string())),
            Subject::Quarantine(_) => None,
        });
        let _recording = self.gaps.recording(instances);
        let txn = self.begin(ACT).await?;
        let mut cache = known_rows(&txn, batch).await?;
        let mut touched: BTreeMap<i64, Touched> = BTreeMap::new();
        let outcomes = record_all(&txn, &mut cache, &mut touched, batch).await?;
        raise_revisions(&txn, &cache, &touched).await?;
        index_studies(&txn, &cache).await?;
        let committed = txn.commit().await;
        if outcomes.contains(&Recorded::Healed) {
            self.at_hand.let_go();
        }
        if let Err(error) = committed {
            // Whether it was committed nobody can say here: rows without bytes would be worse than bytes without rows.
            for request in batch {
                request.staged.stay();
            }
            return Err(CatalogError::during(ACT)(error));
        }
        for (request, outcome) in batch.iter().zip(&outcomes) {
            if matches!(outcome, Recorded::New | Recorded::Healed) {
                request.staged.recorded();
            }
        }
        Ok(outcomes)
    }

    /// Instances of these series came from an import that has ended: they are quiet now.
    pub async fn mark_quiet(&self, scope: &Scope, studies: &[String]) -> Result<(), CatalogError> {
        let institution = self.home(scope).await?;
        let rows: Vec<i64> = study::Entity::find()
            .filter(study::Column::InstitutionId.eq(institution))
            .filter(study::Column::StudyUid.is_in(studies))
            .all(&self.read)
            .await
            .map_err(CatalogError::during(ACT))?
            .into_iter()
            .map(|row| row.id)
            .collect();
        let txn = self.begin(ACT).await?;
        series::Entity::update_many()
            .col_expr(series::Column::QuietAt, Expr::value(now()))
            .filter(series::Column::StudyRow.is_in(rows))
            .filter(series::Column::QuietAt.gt(now()))
            .exec(&txn)
            .await
            .map_err(CatalogError::during(ACT))?;
        txn.commit().await.map_err(CatalogError::during(ACT))
    }
}

/// An instance among those of a batch: (institution, zone, SOP Instance UID).
type Key = (i64, Zone, String);

/// The instances of a batch, by institution and zone.
fn by_place(batch: &[RecordRequest]) -> HashMap<(i64, Zone), Vec<&InstanceFacts>> {
    let mut by_place: HashMap<_, Vec<_>> = HashMap::new();
    for request in batch {
        if let Subject::Instance(new) = &request.subject {
            by_place.entry((request.institution, request.zone)).or_default().push(&*new.facts);
        }
    }
    by_place
}

/// What the catalogue knows under the SOP Instance UIDs of a batch.
async fn known_of(txn: &DatabaseTransaction, batch: &[RecordRequest]) -> Result<HashMap<Key, Found>, CatalogError> {
    let mut known = HashMap::new();
    for ((institution, zone), facts) in by_place(batch) {
        for facts in facts.chunks(ROWS_AT_ONCE) {
            let found = find_instances(txn, institution, zone, facts.iter().map(|facts| facts.sop.as_str())).await?;
            known.extend(found.into_iter().map(|found| ((institution, zone, found.sop.clone()), found)));
        }
    }
    Ok(known)
}

/// What is there of the studies of a batch.
async fn known_rows(txn: &DatabaseTransaction, batch: &[RecordRequest]) -> Result<RowCache, CatalogError> {
    let mut cache = RowCache::default();
    for ((institution, zone), facts) in by_place(batch) {
        cache.learn(txn, institution, zone, &facts).await?;
    }
    Ok(cache)
}

/// Rows of one statement: few lengths, so that each is prepared once.
const ROWS_AT_ONCE: usize = 16;

async fn record_all(
    txn: &DatabaseTransaction,
    cache: &mut RowCache,
    touched: &mut BTreeMap<i64, Touched>,
    batch: &[RecordRequest],
) -> Result<Vec<Recorded>, CatalogError> {
    let before = known_of(txn, batch).await?;
    let (mut outcomes, mut rows, mut new_ones) = (Vec::with_capacity(batch.len()), Vec::new(), Vec::new());
    let mut taken: HashMap<Key, KnownInstance> = before.into_iter().map(|(key, found)| (key, found.known)).collect();
    for (at, request) in batch.iter().enumerate() {
        let new = match &request.subject {
            Subject::Instance(new) => new,
            Subject::Quarantine(new) => {
                outcomes.push(quarantine_one(txn, request, new).await?);
                continue;
            }
        };
        let key = (request.institution, request.zone, new.facts.sop.to_string());
        let known = KnownInstance { object: request.staged.target().clone(), digest: request.digest.to_string() };
        if let Some(before) = taken.get_mut(&key) {
            if new.instead_of.as_ref() != Some(&before.object) {
                outcomes.push(Recorded::Taken(before.clone()));
                continue;
            }
            heal(txn, touched, request, new, &before.object).await?;
            *before = known;
            outcomes.push(Recorded::Healed);
            continue;
        }
        let place = place_of(txn, cache, request.institution, request.zone, &new.facts).await?;
        rows.push(row_of(request, new, place.series_row)?);
        taken.insert(key, known);
        new_ones.push((at, new, place));
        outcomes.push(Recorded::New);
    }
    insert_instances(txn, rows).await?;
    if new_ones.iter().any(|(_, new, _)| !new.forward.is_empty()) {
        let rows = known_of(txn, batch).await?;
        for (at, new, _) in &new_ones {
            let request = &batch[*at];
            let key = (request.institution, request.zone, new.facts.sop.to_string());
            let row = rows.get(&key).ok_or(CatalogError::Corrupt { what: "instance" })?.row;
            record_forwards(txn, request.institution, row, &new.forward).await?;
        }
    }
    for (at, new, place) in new_ones {
        let touched = touched.entry(place.series_row).or_default();
        touched.to_read |= batch[at].source != Source::Result;
        touched.study_row = place.study_row;
        touched.quiet_at = new.quiet_at();
        touched.instances += 1;
        touched.frames += i64::from(new.facts.image.frames);
    }
    Ok(outcomes)
}

/// Lets the row of a lost object name the new one, whose bytes are the same. The series is settled again, for what is packed of it may have been
/// read from the damaged one; the study is not read again.
async fn heal(
    txn: &DatabaseTransaction,
    touched: &mut BTreeMap<i64, Touched>,
    request: &RecordRequest,
    new: &NewInstance,
    lost: &ObjectKey,
) -> Result<(), CatalogError> {
    let failed = || CatalogError::during(ACT);
    let row = instance::Entity::find().filter(instance::Column::ObjectKey.eq(lost.as_str())).one(txn).await;
    let row = row.map_err(failed())?.ok_or(CatalogError::Corrupt { what: "instance" })?;
    let series = series::Entity::find_by_id(row.series_row).one(txn).await;
    let series = series.map_err(failed())?.ok_or(CatalogError::Corrupt { what: "series" })?;
    let mut changed = row.into_active_model();
    changed.object_key = Set(request.staged.target().as_str().to_owned());
    changed.digest = Set(request.digest.to_string());
    changed.update(txn).await.map_err(failed())?;
    doom(txn, [lost.as_str().to_owned()]).await?;
    let touched = touched.entry(series.id).or_default();
    touched.study_row = series.study_row;
    touched.quiet_at = touched.quiet_at.max(new.quiet_at());
    Ok(())
}

fn row_of(request: &RecordRequest, new: &NewInstance, series_row: i64) -> Result<instance::ActiveModel, CatalogError> {
    let facts = &new.facts;
    Ok(instance::ActiveModel {
        id: NotSet,
        institution_id: Set(request.institution),
        zone: Set(request.zone.as_str().to_owned()),
        sop_uid: Set(facts.sop.to_string()),
        series_row: Set(series_row),
        sop_class_uid: Set(facts.sop_class.to_string()),
        transfer_syntax_uid: Set(facts.transfer_syntax.to_string()),
        object_key: Set(request.staged.target().as_str().to_owned()),
        digest: Set(request.digest.to_string()),
        bytes: Set(request.bytes as i64),
        frames: Set(i64::from(facts.image.frames)),
        source: Set(request.source.as_str().to_owned()),
        file_name: Set(new.file_name.clone()),
        facts: Set(serde_json::to_string(facts).map_err(|_| CatalogError::Corrupt { what: "header" })?),
        received_at: Set(now()),
    })
}

async fn insert_instances(txn: &DatabaseTransaction, rows: Vec<instance::ActiveModel>) -> Result<(), CatalogError> {
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        let some: Vec<_> = rows.by_ref().take(ROWS_AT_ONCE).collect();
        instance::Entity::insert_many(some).exec_without_returning(txn).await.map_err(CatalogError::during(ACT))?;
    }
    Ok(())
}

async fn quarantine_one(
    txn: &DatabaseTransaction,
    request: &RecordRequest,
    new: &NewQuarantine,
) -> Result<Recorded, CatalogError> {
    use quarantine::Column;
    let added = quarantine::Entity::insert(quarantine::ActiveModel {
        institution_id: Set(request.institution),
        zone: Set(request.zone.as_str().to_owned()),
        sop_uid: Set(new.sop.to_string()),
        object_key: Set(request.staged.target().as_str().to_owned()),
        digest: Set(request.digest.to_string()),
        bytes: Set(request.bytes as i64),
        source: Set(request.source.as_str().to_owned()),
        reason_code: Set(new.reason_code.to_owned()),
        reason_text: Set(new.reason_text.clone()),
        received_at: Set(now()),
        ..Default::default()
    })
    .on_conflict(
        OnConflict::columns([Column::InstitutionId, Column::Zone, Column::SopUid, Column::Digest])
            .do_nothing()
            .to_owned(),
    )
    .exec_without_returning(txn)
    .await
    .map_err(CatalogError::during("put an object aside"))?;
    Ok(if added == 0 { Recorded::AsideBefore } else { Recorded::New })
}

/// What a batch adds to a series.
#[derive(Default)]
struct Touched {
    study_row: i64,
    quiet_at: i64,
    instances: i64,
    frames: i64,
    /// There may be something else to read now. Results change nothing for the readings that they were made of.
    to_read: bool,
}

/// "This series is unsettled, revision n", its study has changed, and both hold more than before. One statement for all series and one for
/// all studies of a batch.
async fn raise_revisions(
    txn: &DatabaseTransaction,
    cache: &RowCache,
    touched: &BTreeMap<i64, Touched>,
) -> Result<(), CatalogError> {
    if touched.is_empty() {
        return Ok(());
    }
    let dialect = Dialect::of(txn);
    let mut studies: BTreeMap<i64, (i64, bool)> = BTreeMap::new();
    let mut rows = Vec::with_capacity(touched.len());
    for (series_row, touched) in touched {
        rows.push([*series_row, touched.quiet_at, touched.instances, touched.frames]);
        let (instances, to_read) = studies.entry(touched.study_row).or_default();
        *instances += touched.instances;
        *to_read |= touched.to_read;
    }
    let (more, rows) = dialect.numbers(["id", "quiet_at", "instances", "frames"], &rows);
    let series = format!(
        "UPDATE series SET revision = series.revision + 1, quiet_at = more.quiet_at, \
         instance_count = series.instance_count + more.instances, frame_count = series.frame_count + more.frames \
         FROM {more} AS more WHERE series.id = more.id"
    );
    txn.execute_raw(dialect.statement(&series, [rows])).await.map_err(CatalogError::during(ACT))?;
    let rows: Vec<_> = studies
        .into_iter()
        .map(|(row, (instances, to_read))| [row, i64::from(to_read), cache.new_series(row), instances])
        .collect();
    let (more, rows) = dialect.numbers(["id", "revisions", "series", "instances"], &rows);
    let study = format!(
        "UPDATE study SET revision = study.revision + more.revisions, series_count = study.series_count + more.series, \
         instance_count = study.instance_count + more.instances, updated_at = ? \
         FROM {more} AS more WHERE study.id = more.id"
    );
    txn.execute_raw(dialect.statement(&study, [now().into(), rows])).await.map_err(CatalogError::during(ACT))?;
    Ok(())
}

/// Puts the words of new studies, and of those with a new modality, into the index.
async fn index_studies(txn: &DatabaseTransaction, cache: &RowCache) -> Result<(), CatalogError> {
    for row in cache.to_index() {
        text::index(txn, row).await.map_err(CatalogError::during(ACT))?;
    }
    Ok(())
}
