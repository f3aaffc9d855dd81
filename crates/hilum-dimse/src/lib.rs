//! DICOM network services: associations (PS3.8), C-ECHO (PS3.4 Annex A) and C-STORE (PS3.4 Annex B) as service class provider.
//!
//! A data set is received, never decoded: its presentation data values are appended to one buffer behind the file meta information
//! that the command and the presentation context already determine, so that what the [`StoreHandler`] gets is a complete
//! PS3.10 file. This crate knows no engine and no catalogue.
//!
//! ```text
//! server      accept loop, limits, shutdown          association   one association, read top-down
//! upper_layer PDUs on a socket, time limits          negotiation   A-ASSOCIATE-RQ -> AC or RJ
//! command     DIMSE command sets (PS3.7)             status        ONE table: outcome -> DIMSE status
//! sop_class   what is a storage SOP class            part10        file meta information
//! ```

mod association;
mod command;
mod negotiation;
mod part10;
mod server;
mod service;
mod sop_class;
mod status;
mod upper_layer;

pub use part10::{IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME};
pub use server::{BindError, Scp, ScpConfig};
pub use service::{ReceivedInstance, StoreFuture, StoreHandler, StoreOutcome};
pub use sop_class::{is_storage_sop_class, is_stored_transfer_syntax};
pub use status::Status;
