//! The wall between the network and whoever keeps the instances.

use std::{future::Future, pin::Pin};

use bytes::Bytes;
use hilum_dicom::{AeTitle, SopClassUid, SopUid, TransferSyntaxUid};

/// One instance as it came over a C-STORE, complete but not decoded.
#[derive(Debug, Clone)]
pub struct ReceivedInstance {
    /// Who sent it.
    pub calling_ae: AeTitle,
    /// Whom the sender meant.
    pub called_ae: AeTitle,
    /// Affected SOP Class UID of the command; equals the abstract syntax of its presentation context.
    pub sop_class: SopClassUid,
    /// Affected SOP Instance UID of the command.
    pub sop: SopUid,
    /// Transfer syntax of the presentation context that the data set came in on.
    pub transfer_syntax: TransferSyntaxUid,
    /// A PS3.10 file: preamble, file meta information, then the data set exactly as received.
    pub part10: Bytes,
    /// Where the data set starts in `part10`.
    pub data_set_offset: usize,
}

impl ReceivedInstance {
    /// The data set alone, in `transfer_syntax`.
    pub fn data_set(&self) -> Bytes {
        self.part10.slice(self.data_set_offset..)
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
