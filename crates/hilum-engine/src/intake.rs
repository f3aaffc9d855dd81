//! An instance on its way in, and what is known of it before anything of it is kept.

use crate::access::{InstitutionCode, Scope};
use crate::admission::Admitted;
use crate::catalog::{KnownInstance, NewInstance, NewQuarantine, RecordRequest, Recorded, Subject};
use crate::engine::{Accepted, Engine, Source, Zone};
use crate::error::AcceptError;
use crate::storage::segment::{Provenance, Purpose};
use crate::storage::{NewObject, Staged, Storage, StorageError, digest_by};
use bytes::Bytes;
use hilum_dicom::facts::ImageFacts;
use hilum_dicom::uid::PixelCoding;
use hilum_dicom::{
    AeTitle, DicomError, FactsError, HeaderError, InstanceFacts, ObjectBytes, ObjectDigest, ObjectHasher, Outline,
    SopClassUid, SopUid, StudyUid, TransferSyntaxUid, data_set_digest,
};
use std::io;
use std::mem;
use std::sync::Arc;

/// Bytes as received, and what their receiver found out on the way.
#[derive(Clone, Debug)]
pub struct Received {
    /// A whole Part 10 file, or file meta and data set without preamble.
    pub object: ObjectBytes,
    /// Their digest, where somebody knows it; else it is computed while the disk takes them.
    pub digest: Option<ObjectDigest>,
    /// The transfer syntax, where it was agreed on beforehand.
    pub transfer_syntax: Option<TransferSyntaxUid>,
    /// What its header says, where it was read already.
    pub facts: Option<Box<InstanceFacts>>,
    /// The thread that accepts it is nobody else's: it may wait for the disk right there.
    pub may_block: bool,
}

impl From<Bytes> for Received {
    fn from(bytes: Bytes) -> Self {
        Self::from(ObjectBytes::from(bytes))
    }
}

impl From<ObjectBytes> for Received {
    fn from(object: ObjectBytes) -> Self {
        Self { object, digest: None, transfer_syntax: None, facts: None, may_block: false }
    }
}

/// A header of this much is read in passing, not in a thread of its own.
const SMALL: u64 = 4 << 20;

impl Received {
    /// Reading it takes no longer than changing threads would.
    fn is_read_in_passing(&self) -> bool {
        let deflated = TransferSyntaxUid::deflated_explicit_little_endian();
        let inflates = self.transfer_syntax.as_ref().is_none_or(|stated| *stated == deflated);
        self.object.len() <= SMALL && !inflates
    }
}

/// An instance on its way in.
#[derive(Clone, Debug)]
pub(crate) struct Incoming {
    /// What was received.
    pub(crate) received: Received,
    /// How it came.
    pub(crate) source: Source,
    /// Name of its file, if it was one.
    pub(crate) file_name: Option<String>,
    /// Who sent it over DIMSE, and as what, if it came so.
    pub(crate) sender: Option<Sender>,
    /// It is accepted once it is durable, and its row is promised ([`crate::promise`]).
    pub(crate) row_follows: bool,
}

/// An application entity, and what its C-STORE said that the data set is (PS3.7 9.3.1.1).
#[derive(Clone, Debug)]
pub struct Sender {
    /// Its AE title.
    pub ae_title: AeTitle,
    /// Affected SOP Class UID.
    pub sop_class: SopClassUid,
    /// Affected SOP Instance UID.
    pub sop: SopUid,
}

/// What became of an instance, and whose study it belongs to.
#[derive(Clone, Debug)]
pub(crate) struct Receipt {
    /// What became of it.
    pub(crate) accepted: Accepted,
    /// Its study.
    pub(crate) study: StudyUid,
    /// The institution that a rule gave it to.
    pub(crate) institution: Option<InstitutionCode>,
}

/// An instance whose header was read and whose bytes are all there.
#[derive(Clone, Debug)]
pub(crate) struct Examined {
    pub(crate) facts: Box<InstanceFacts>,
    /// Where it is known yet.
    pub(crate) digest: Option<ObjectDigest>,
    pub(crate) object: ObjectBytes,
    /// As its receiver said.
    pub(crate) may_block: bool,
}

/// Reads the header and refuses what is no DICOM object or a damaged one.
pub(crate) async fn examine(received: Received) -> Result<Examined, AcceptError> {
    if received.is_read_in_passing() {
        return examine_now(received);
    }
    tokio::task::spawn_blocking(move || examine_now(received)).await.map_err(AcceptError::aborted)?
}

fn examine_now(received: Received) -> Result<Examined, AcceptError> {
    let Received { object, digest, facts, may_block, .. } = received;
    let facts = match facts {
        Some(facts) => facts,
        None => Box::new(object.facts().map_err(refusal)?),
    };
    check_pixel_data(&facts, object.len())?;
    Ok(Examined { facts, digest, object, may_block })
}

/// Whether its bytes have this digest.
async fn has_digest(new: &Examined, digest: ObjectDigest) -> Result<bool, AcceptError> {
    if let Some(known) = new.digest
        && mem::discriminant(&known) == mem::discriminant(&digest)
    {
        return Ok(known == digest);
    }
    let object = new.object.clone();
    let compute = move || digest_by(digest.hasher(), &object, 0);
    let found = tokio::task::spawn_blocking(compute).await.map_err(AcceptError::aborted)?;
    Ok(found.map_err(|error| refusal(FactsError::Read(error)))? == digest)
}

fn refusal(error: FactsError) -> AcceptError {
    let text = error.to_string();
    match error {
        FactsError::Header(DicomError::Header(HeaderError::Empty | HeaderError::NotDicom)) => {
            AcceptError::NotDicom(text)
        }
        FactsError::Header(DicomError::Header(_)) | FactsError::Outline(_) => {
            AcceptError::Damaged { code: "header_damaged", text }
        }
        FactsError::Header(_) => AcceptError::Damaged { code: "identity_missing", text },
        FactsError::Read(source) => StorageError::during("read a received object again")(source).into(),
    }
}

fn check_pixel_data(facts: &InstanceFacts, length: u64) -> Result<(), AcceptError> {
    if facts.image.truncated {
        let text = "the pixel data end before the length that the header states; send or copy the object again";
        return Err(AcceptError::Damaged { code: "pixel_data_truncated", text: text.to_owned() });
    }
    let needed = native_pixel_bytes(&facts.image, &facts.transfer_syntax);
    if needed.is_some_and(|needed| needed > length) {
        let text = "Rows x Columns x frames need more bytes than the whole object has; send or copy the object again";
        return Err(AcceptError::Damaged { code: "pixel_data_too_short", text: text.to_owned() });
    }
    Ok(())
}

/// Bytes of uncompressed pixel data by the header (PS3.3 C.7.6.3); `None` where the header alone does not say.
fn native_pixel_bytes(image: &ImageFacts, transfer_syntax: &TransferSyntaxUid) -> Option<u64> {
    let deflated = *transfer_syntax == TransferSyntaxUid::deflated_explicit_little_endian();
    let subsampled = image.photometric_interpretation.as_deref().is_some_and(|name| name.contains("_42"));
    if !image.has_pixel_data || deflated || subsampled || transfer_syntax.pixel_coding() != PixelCoding::Native {
        return None;
    }
    let pixels = u64::from(image.rows?) * u64::from(image.columns?) * u64::from(image.frames.max(1));
    let bits = u64::from(image.bits_allocated?) * u64::from(image.samples_per_pixel.unwrap_or(1));
    pixels.checked_mul(bits).map(|bits| bits / 8)
}

/// How a new object compares with the one that has its SOP Instance UID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// The same data set, transfer syntax aside.
    Same,
    /// The same bytes, and the kept ones are missing or damaged.
    Lost,
    /// A different one.
    Different,
    /// The kept one cannot be read, or pixel data cannot be decoded here: treated as different, and said so.
    Incomparable,
}

impl Comparison {
    /// Code and sentence for the quarantine.
    pub(crate) fn reason(self) -> (&'static str, &'static str) {
        match self {
            Self::Same | Self::Lost => ("same", "The same data set."),
            Self::Different => {
                ("different_object", "Another object with this SOP Instance UID and different content was kept before.")
            }
            Self::Incomparable => (
                "not_comparable",
                "Another object with this SOP Instance UID was kept before, and the two cannot be compared.",
            ),
        }
    }
}

/// Compares an object with the kept one, which is read: by bytes, then by data set. Of what is too long for memory only the bytes of the data set are
/// compared: another encoding of it cannot be told from another object.
pub(crate) async fn compare(
    storage: &Arc<Storage>,
    known: &KnownInstance,
    new: &Examined,
) -> Result<Comparison, AcceptError> {
    let same_bytes = match known.digest.parse() {
        Ok(digest) => has_digest(new, digest).await?,
        Err(_) => false,
    };
    let (storage, key, new) = (Arc::clone(storage), known.object.clone(), new.object.clone());
    tokio::task::spawn_blocking(move || {
        let Some(kept) = storage.load_whole(&key)? else {
            return Ok(if same_bytes { Comparison::Lost } else { Comparison::Incomparable });
        };
        if same_bytes {
            return Ok(Comparison::Same);
        }
        let (kept, new) = match (kept, new) {
            (ObjectBytes::Held(kept), ObjectBytes::Held(new)) => (kept, new),
            (kept, new) => {
                let same = same_data_set(&kept, &new).map_err(StorageError::during("compare two objects"))?;
                return Ok(if same { Comparison::Same } else { Comparison::Incomparable });
            }
        };
        Ok(match (data_set_digest(&kept), data_set_digest(&new)) {
            (Ok(kept), Ok(new)) if kept == new => Comparison::Same,
            (Ok(_), Ok(_)) => Comparison::Different,
            _ => Comparison::Incomparable,
        })
    })
    .await
    .map_err(AcceptError::aborted)?
}

/// Whether two objects have the same transfer syntax and the same bytes behind their file meta information.
fn same_data_set(a: &ObjectBytes, b: &ObjectBytes) -> io::Result<bool> {
    let (Ok(of_a), Ok(of_b)) = (Outline::read(a), Outline::read(b)) else { return Ok(false) };
    let length = |object: &ObjectBytes, outline: &Outline| object.len() - outline.data_set_offset;
    if of_a.transfer_syntax() != of_b.transfer_syntax() || length(a, &of_a) != length(b, &of_b) {
        return Ok(false);
    }
    let digest = |object, from| digest_by(ObjectHasher::default(), object, from);
    Ok(digest(a, of_a.data_set_offset)? == digest(b, of_b.data_set_offset)?)
}

/// Appends examined objects durably, those of a folder by one synchronisation.
pub(crate) async fn append(
    engine: &Engine,
    objects: impl IntoIterator<Item = (Provenance, &Examined)>,
) -> Vec<Result<(Staged, ObjectDigest), AcceptError>> {
    let (mut may_block, mut new) = (true, Vec::new());
    for (provenance, examined) in objects {
        // One that is too long for memory takes its time, and a connection of the catalogue may belong to this thread.
        may_block &= examined.may_block && matches!(examined.object, ObjectBytes::Held(_));
        new.push(NewObject { provenance, digest: examined.digest, object: examined.object.clone() });
    }
    let (storage, count) = (Arc::clone(engine.storage()), new.len());
    let appended = if may_block && storage.is_folder() {
        Ok(storage.append(&new))
    } else {
        tokio::task::spawn_blocking(move || storage.append(&new)).await
    };
    match appended {
        Ok(appended) => appended.into_iter().map(|appended| Ok(appended?)).collect(),
        Err(error) => {
            let _logged = AcceptError::aborted(error);
            (0..count).map(|_| Err(AcceptError::Aborted)).collect()
        }
    }
}

/// The same of one.
pub(crate) async fn append_one(
    engine: &Engine,
    provenance: Provenance,
    new: &Examined,
) -> Result<(Staged, ObjectDigest), AcceptError> {
    append(engine, [(provenance, new)]).await.pop().ok_or(AcceptError::Aborted)?
}

/// What the recorder is asked to do with it.
pub(crate) fn request(
    institution: i64,
    zone: Zone,
    source: Source,
    new: &Examined,
    (staged, digest): (Staged, ObjectDigest),
    subject: Subject,
) -> RecordRequest {
    RecordRequest { institution, zone, source, digest, bytes: new.object.len(), staged, subject }
}

/// The same data set again is one copy; a different one under the same UID is kept aside and shown. `None` where the kept object is missing or
/// damaged: this one is to take its place.
pub(crate) async fn same_or_quarantined(
    engine: &Engine,
    scope: &Scope,
    zone: Zone,
    source: Source,
    known: &KnownInstance,
    new: &Examined,
) -> Result<Option<Accepted>, AcceptError> {
    let comparison = compare(engine.storage(), known, new).await?;
    match comparison {
        Comparison::Same => return Ok(Some(Accepted::AlreadyThere)),
        Comparison::Lost => return Ok(None),
        Comparison::Different | Comparison::Incomparable => {}
    }
    let (reason_code, reason) = comparison.reason();
    let institution = engine.catalog().home(scope).await?;
    let staged = append_one(engine, Provenance::now(Purpose::Quarantine, scope, zone, source, None), new).await?;
    let aside = NewQuarantine { sop: new.facts.sop.clone(), reason_code, reason_text: reason.to_owned() };
    let request = request(institution, zone, source, new, staged, Subject::Quarantine(aside));
    engine.recorder().record(request).await?;
    Ok(Some(Accepted::Quarantined { reason: reason.to_owned() }))
}

/// Records a durable instance, or promises its row. Where another one came under its SOP Instance UID meanwhile, the two are compared; one
/// whose kept object is lost is mended.
pub(crate) async fn record(
    engine: &Engine,
    zone: Zone,
    admitted: Admitted,
    mut staged: (Staged, ObjectDigest),
) -> Result<Receipt, AcceptError> {
    let Admitted { scope, institution, given_to, source, study, new, provenance, file_name, forward, room, .. } =
        admitted;
    let (facts, quiet_after, mut instead_of) = (&new.facts, engine.quiet_after(), admitted.instead_of);
    let receipt = |accepted| Receipt { accepted, study, institution: given_to };
    let subject = |instead_of| {
        let (facts, file_name, forward) = (facts.clone(), file_name.clone(), forward.clone());
        Subject::Instance(NewInstance { facts, quiet_after, file_name, forward, instead_of })
    };
    if let Some(room) = room {
        let request = request(institution, zone, source, &new, staged, subject(instead_of));
        engine.promise(room, provenance, new.facts.sop.clone(), request).await;
        return Ok(receipt(Accepted::Kept));
    }
    loop {
        let request = request(institution, zone, source, &new, staged, subject(instead_of));
        let known = match engine.recorder().record(request).await? {
            Recorded::New => return Ok(receipt(Accepted::Kept)),
            Recorded::Healed => {
                engine.remove_what_was_lost().await;
                return Ok(receipt(Accepted::Kept));
            }
            Recorded::Taken(known) => known,
            // The answer to what is put aside; an instance never gets it.
            Recorded::AsideBefore => return Err(AcceptError::Aborted),
        };
        if let Some(accepted) = same_or_quarantined(engine, &scope, zone, source, &known, &new).await? {
            return Ok(receipt(accepted));
        }
        staged = append_one(engine, provenance.clone(), &new).await?;
        instead_of = Some(known.object);
    }
}
