//! The wall between the network and whoever keeps the instances and answers the questions.

use std::{future::Future, io, net::IpAddr, pin::Pin, sync::Arc};

use bytes::Bytes;
use futures::stream::BoxStream;
use hilum_dicom::{
    AeTitle, DataSet, ObjectBytes, ObjectDigest, SopClassUid, SopUid, TransferSyntaxUid,
    matching::{Level, QueryOptions},
};

use crate::{peers::Peer, query::InformationModel};

/// One instance as it came over a C-STORE, complete but not decoded.
#[derive(Debug, Clone)]
pub struct ReceivedInstance {
    /// Who sent it.
    pub calling_ae: AeTitle,
    /// Whom the sender meant.
    pub called_ae: AeTitle,
    /// Where the sender called from; none where we called it.
    pub address: Option<IpAddr>,
    /// Affected SOP Class UID of the command; equals the abstract syntax of its presentation context.
    pub sop_class: SopClassUid,
    /// Affected SOP Instance UID of the command.
    pub sop: SopUid,
    /// Transfer syntax of the presentation context that the data set came in on.
    pub transfer_syntax: TransferSyntaxUid,
    /// A PS3.10 file: preamble, file meta information, then the data set exactly as received.
    pub part10: ObjectBytes,
    /// Where the data set starts in `part10`.
    pub data_set_offset: usize,
    /// Digest of `part10`, computed while it came in.
    pub digest: ObjectDigest,
    /// [`StoreHandler::store`] is called on a thread that is the association's own: it may wait for the disk right there.
    pub may_block: bool,
}

impl ReceivedInstance {
    /// The data set alone, in `transfer_syntax`, in memory.
    pub fn data_set(&self) -> io::Result<Bytes> {
        Ok(self.part10.to_memory()?.slice(self.data_set_offset..))
    }
}

/// What became of an instance. [`Status`](crate::Status) says how each is told to the sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreOutcome {
    /// Durable: bytes and row would survive a power cut.
    Kept,
    /// The same data set was durable before.
    AlreadyThere,
    /// Durable, but set aside: a different data set is already kept under this SOP Instance UID.
    Quarantined,
    /// No room: disk full, over a limit. The sender may try again later.
    OutOfResources,
    /// The data set is of another SOP class or instance than the command says.
    DoesNotMatch,
    /// The data set cannot be read as DICOM.
    CannotUnderstand,
    /// Refused by rule; sending it again will not help.
    NotAuthorized,
    /// Our fault, not the sender's.
    Failed,
}

/// The future of [`StoreHandler::store`].
pub type StoreFuture<'a> = Pin<Box<dyn Future<Output = StoreOutcome> + Send + 'a>>;

/// Keeps received instances. The sender hears the outcome only after the future is done, so the future must not be done before
/// the instance is durable.
pub trait StoreHandler: Send + Sync + 'static {
    /// Keep one instance. Never cancelled by a sender that hangs up; a shutdown waits for it.
    fn store(&self, instance: ReceivedInstance) -> StoreFuture<'_>;
}

/// The services that a provider offers besides C-ECHO, each by its handler. A service without a handler is not negotiated.
#[derive(Clone)]
pub struct Services {
    /// C-STORE.
    pub store: Option<Arc<dyn StoreHandler>>,
    /// C-FIND of the patient root and study root models.
    pub find: Option<Arc<dyn FindHandler>>,
    /// C-FIND of the modality worklist.
    pub worklist: Option<Arc<dyn FindHandler>>,
    /// C-MOVE and C-GET.
    pub retrieve: Option<Arc<dyn RetrieveHandler>>,
    /// Storage commitment, as who commits.
    pub commitment: Option<Arc<dyn CommitmentHandler>>,
    /// Storage commitment, as who asked for it and hears the result on a later association.
    pub commitment_results: Option<Arc<dyn CommitmentResults>>,
}

impl Services {
    /// C-ECHO alone.
    pub fn none() -> Self {
        Self { store: None, find: None, worklist: None, retrieve: None, commitment: None, commitment_results: None }
    }

    /// C-ECHO and C-STORE.
    pub fn storing(handler: Arc<dyn StoreHandler>) -> Self {
        Self { store: Some(handler), ..Self::none() }
    }
}

/// Who asks, and whom it meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// AE title of the requestor.
    pub calling_ae: AeTitle,
    /// AE title that it called.
    pub called_ae: AeTitle,
    /// Where it called from; none where we called it.
    pub address: Option<IpAddr>,
}

/// Why a question is not answered. [`Status`](crate::Status) says how each is told to the requestor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Too much to look through, or too busy. The requestor may ask again later, or for less.
    OutOfResources,
    /// The identifier does not fit the information model or the level.
    DoesNotMatch,
    /// The identifier cannot be read or matched.
    CannotUnderstand,
    /// Refused by rule.
    NotAuthorized,
    /// Our fault, not the requestor's.
    Failed,
}

/// A question of a C-FIND.
#[derive(Debug, Clone)]
pub struct FindRequest {
    /// Who asks.
    pub caller: Caller,
    /// What the keys are about.
    pub model: InformationModel,
    /// Query/Retrieve Level (0008,0052); none for a worklist.
    pub level: Option<Level>,
    /// The identifier: keys to match and attributes to return, in UTF-8. Query/Retrieve Level is not among them.
    pub keys: DataSet,
    /// What was agreed on beyond the baseline.
    pub options: QueryOptions,
}

/// The matches of a [`FindHandler`], in the order in which they are told.
pub type Matches<'a> = BoxStream<'a, Result<DataSet, Refusal>>;

/// Answers queries. [`hilum_dicom::matching`] has the rules of matching.
pub trait FindHandler: Send + Sync + 'static {
    /// The matches. The stream is dropped when the requestor cancels or hangs up. A match holds what is known of the attributes
    /// that the keys name: an attribute without a value is told as such, an absent one as not supported. Attributes that
    /// nobody asked for are left out.
    fn find(&self, request: FindRequest) -> Matches<'_>;

    /// Of what a requestor proposes beyond the baseline, what this handler can do.
    fn supports(&self, _proposed: QueryOptions) -> QueryOptions {
        QueryOptions::default()
    }
}

/// An instance that can be sent, and what must be known to negotiate for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredInstance {
    /// Its SOP class.
    pub sop_class: SopClassUid,
    /// Its SOP Instance UID.
    pub sop: SopUid,
    /// The transfer syntax that it is kept in.
    pub transfer_syntax: TransferSyntaxUid,
}

/// The future of [`InstanceSource::load`].
pub type LoadFuture<'a> = Pin<Box<dyn Future<Output = io::Result<ObjectBytes>> + Send + 'a>>;

/// Where instances to be sent come from, one after the other.
pub trait InstanceSource: Send + Sync {
    /// The instance as a PS3.10 file in the transfer syntax that was said.
    fn load<'a>(&'a self, instance: &'a StoredInstance) -> LoadFuture<'a>;
}

impl<S: InstanceSource + ?Sized> InstanceSource for &S {
    fn load<'a>(&'a self, instance: &'a StoredInstance) -> LoadFuture<'a> {
        (**self).load(instance)
    }
}

/// The instances that a retrieval gives out, and where they come from.
pub struct Selected<'a> {
    /// In the order in which they are sent.
    pub instances: Vec<StoredInstance>,
    /// Loads them.
    pub source: Box<dyn InstanceSource + 'a>,
}

/// A request of a C-MOVE or C-GET.
#[derive(Debug, Clone)]
pub struct RetrieveRequest {
    /// Who asks.
    pub caller: Caller,
    /// What the keys are about.
    pub model: InformationModel,
    /// Query/Retrieve Level (0008,0052).
    pub level: Level,
    /// The unique keys, of which that of the level has a value.
    pub keys: DataSet,
    /// Where a C-MOVE sends to, if that is an AE title; of a C-GET it is the caller.
    pub destination: Option<AeTitle>,
}

/// The future of [`RetrieveHandler::select`].
pub type SelectFuture<'a> = Pin<Box<dyn Future<Output = Result<Selected<'a>, Refusal>> + Send + 'a>>;
/// The future of [`RetrieveHandler::destination`].
pub type DestinationFuture<'a> = Pin<Box<dyn Future<Output = Option<Peer>> + Send + 'a>>;

/// Gives instances out.
pub trait RetrieveHandler: Send + Sync + 'static {
    /// The instances that the keys name.
    fn select(&self, request: RetrieveRequest) -> SelectFuture<'_>;

    /// The application entity behind a move destination, if it is known and the caller may send there.
    fn destination<'a>(&'a self, title: &'a AeTitle, caller: &'a Caller) -> DestinationFuture<'a>;
}

/// An instance as storage commitment names it (PS3.4 J.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferencedInstance {
    /// Referenced SOP Class UID (0008,1150).
    pub sop_class: SopClassUid,
    /// Referenced SOP Instance UID (0008,1155).
    pub sop: SopUid,
}

/// Why an instance is not committed to: Failure Reason (0008,1197) of PS3.3 C.14.1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitmentFailure {
    /// 0110: processing failure.
    ProcessingFailure,
    /// 0112: no such instance here.
    NoSuchInstance,
    /// 0213: no room.
    ResourceLimitation,
    /// 0122: this SOP class is not supported.
    ClassNotSupported,
    /// 0119: the instance is here with another SOP class.
    ClassConflict,
    /// 0131: the transaction UID is in use already.
    DuplicateTransaction,
    /// A reason of a peer that PS3.3 does not list.
    Other(u16),
}

impl CommitmentFailure {
    /// Failure Reason (0008,1197).
    pub fn code(self) -> u16 {
        match self {
            Self::ProcessingFailure => 0x0110,
            Self::NoSuchInstance => 0x0112,
            Self::ResourceLimitation => 0x0213,
            Self::ClassNotSupported => 0x0122,
            Self::ClassConflict => 0x0119,
            Self::DuplicateTransaction => 0x0131,
            Self::Other(code) => code,
        }
    }

    pub(crate) fn of(code: u16) -> Self {
        match code {
            0x0110 => Self::ProcessingFailure,
            0x0112 => Self::NoSuchInstance,
            0x0213 => Self::ResourceLimitation,
            0x0122 => Self::ClassNotSupported,
            0x0119 => Self::ClassConflict,
            0x0131 => Self::DuplicateTransaction,
            other => Self::Other(other),
        }
    }
}

/// A request for storage commitment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitmentRequest {
    /// Transaction UID (0008,1195): digits and dots.
    pub transaction: String,
    /// What is to be committed to.
    pub instances: Vec<ReferencedInstance>,
}

/// The result of storage commitment, as an N-EVENT-REPORT tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitmentResult {
    /// Transaction UID (0008,1195) of the request.
    pub transaction: String,
    /// Kept for good.
    pub committed: Vec<ReferencedInstance>,
    /// Not kept, each with its reason.
    pub failed: Vec<(ReferencedInstance, CommitmentFailure)>,
}

/// The future of [`CommitmentHandler::commit`].
pub type CommitFuture = Pin<Box<dyn Future<Output = CommitmentResult> + Send>>;
/// The future of [`CommitmentHandler::requestor`].
pub type RequestorFuture = Pin<Box<dyn Future<Output = Option<Peer>> + Send>>;

/// Commits to the safekeeping of instances (PS3.4 Annex J).
pub trait CommitmentHandler: Send + Sync + 'static {
    /// Notes a request before it is answered with success, which promises a result (PS3.4 J.3.2); false where it cannot be noted.
    fn note<'a>(&'a self, caller: &'a Caller, request: &'a CommitmentRequest) -> TakeFuture<'a>;

    /// Looks after the instances; the result is told when the future is done, on the same association while it lasts and on a
    /// new one afterwards. A shutdown drops the future: what was noted and not [told](Self::told) by then, the handler tells by
    /// [`Scu::report_commitment`](crate::Scu::report_commitment).
    fn commit(&self, caller: &Caller, request: CommitmentRequest) -> CommitFuture;

    /// Where a new association with the result goes.
    fn requestor(&self, caller: &Caller) -> RequestorFuture;

    /// The requestor has heard the result of a transaction.
    fn told(&self, caller: &Caller, transaction: String);

    /// Takes back a result that the requestor did not take, to be told again later.
    fn undelivered(&self, caller: &Caller, result: CommitmentResult);
}

/// The future of [`CommitmentResults::take`] and of [`CommitmentHandler::note`]: whether it is kept.
pub type TakeFuture<'a> = Pin<Box<dyn Future<Output = bool> + Send + 'a>>;

/// Hears results of storage commitment that was asked for earlier.
pub trait CommitmentResults: Send + Sync + 'static {
    /// False when the transaction is not known.
    fn take<'a>(&'a self, caller: &'a Caller, result: CommitmentResult) -> TakeFuture<'a>;
}
