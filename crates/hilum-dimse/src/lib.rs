//! DICOM network services: associations (PS3.8), C-ECHO (PS3.4 Annex A), C-STORE (PS3.4 Annex B), C-FIND, C-MOVE and C-GET
//! (PS3.4 Annex C), modality worklist (PS3.4 Annex K) and storage commitment (PS3.4 Annex J), as provider and as user.
//!
//! An instance is received, never decoded: its presentation data values are appended to one buffer behind the file meta
//! information that the command and the presentation context already determine, so that what the [`StoreHandler`] gets is a
//! complete PS3.10 file. An instance is sent in the transfer syntax that it is kept in. Identifiers are read into texts in UTF-8
//! and answered in the character set that the requestor states. This crate knows no engine and no catalogue.
//!
//! ```text
//! server       accept loop, limits, shutdown         association  one association of a caller, read top-down
//! threads      one for each association              transport    TCP or TLS
//! upper_layer  PDUs on it, time limits               messages     commands and data sets out of and into PDVs
//! negotiation  A-ASSOCIATE-RQ, -AC, -RJ              command      DIMSE command sets (PS3.7)
//! status       ONE table: outcome -> DIMSE status
//! peers        who may call, and for what            service      the handlers of the binary
//! places       how many at a time, and of one caller
//! receive      C-STORE in                            send         C-STORE out
//! query        models, levels, identifiers           find, movement, get, commitment  the services as provider
//! requestor    an association that we request        scu          the services as user
//! sop_class    what is a storage SOP class           part10       file meta information
//! ```

mod association;
mod command;
mod commitment;
mod find;
mod get;
mod messages;
mod movement;
mod negotiation;
mod part10;
mod peers;
mod places;
mod query;
mod receive;
mod requestor;
mod scu;
mod send;
mod server;
mod service;
mod sop_class;
mod status;
mod threads;
mod transport;
mod upper_layer;

pub use command::Progress;
pub use hilum_dicom::matching::Level;
pub use part10::{Part10Error, read_meta};
pub use peers::{Allowed, Callers, InvalidPeerCertificate, Peer, PeerCertificate, RefusedCaller, Unrecognised};
pub use query::InformationModel;
pub use requestor::{ScuConfig, ScuError};
pub use scu::{FoundMatches, Question, RetrieveReport, Scu, StorageContext};
pub use send::{SentOutcome, StoreReport};
pub use server::{BindError, Scp, ScpConfig};
pub use service::{
    Caller, CommitFuture, CommitmentFailure, CommitmentHandler, CommitmentRequest, CommitmentResult, CommitmentResults,
    DestinationFuture, FindHandler, FindRequest, InstanceSource, LoadFuture, Matches, ReceivedInstance,
    ReferencedInstance, Refusal, RequestorFuture, RetrieveHandler, RetrieveRequest, SelectFuture, Selected, Services,
    StoreFuture, StoreHandler, StoreOutcome, StoredInstance, TakeFuture,
};
pub use sop_class::{is_storage_sop_class, is_stored_transfer_syntax};
pub use status::{Status, StatusClass};
pub use transport::{ClientCertificates, Duplex, Identity, TlsClient, TlsError, TlsServer};
