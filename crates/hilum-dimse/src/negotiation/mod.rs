//! A-ASSOCIATE-RQ in, A-ASSOCIATE-AC or -RJ out, and the reverse (PS3.8 9.3.2 - 9.3.4).

mod acceptor;
mod requestor;

use std::collections::HashMap;

use dicom_ul::pdu::{RequestorRoles, UserVariableItem};
use hilum_dicom::{
    AeTitle, TransferSyntaxUid,
    matching::QueryOptions,
    part10::{IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME},
};

use crate::upper_layer::MAX_PDU;

pub(crate) use acceptor::{Negotiated, calling_ae, local_limit_exceeded, negotiate, read_request};
pub(crate) use requestor::{Proposal, read_acceptance, request};

/// DICOM Application Context Name (PS3.7 A.2.1).
const APPLICATION_CONTEXT: &str = "1.2.840.10008.3.1.1.1";

/// An accepted presentation context.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    pub(crate) abstract_syntax: String,
    pub(crate) transfer_syntax: TransferSyntaxUid,
    /// Who may ask on it (PS3.7 D.3.3.4): the requestor as SCU by default.
    pub(crate) roles: RequestorRoles,
}

/// The roles of a requestor that says nothing about them.
pub(crate) const SCU_ALONE: RequestorRoles = RequestorRoles { scu: true, scp: false };
/// The requestor provides, as for the instances of a C-GET and for results of storage commitment.
pub(crate) const SCP_ALONE: RequestorRoles = RequestorRoles { scu: false, scp: true };

/// What both sides agreed on.
#[derive(Debug)]
pub(crate) struct Agreement {
    pub(crate) calling_ae: AeTitle,
    pub(crate) called_ae: AeTitle,
    pub(crate) contexts: HashMap<u8, Context>,
    /// Longest P-DATA-TF that the peer takes; 0 is no limit (PS3.8 D.1.1).
    pub(crate) peer_max_pdu: u32,
    /// What was agreed on for queries, by SOP class.
    pub(crate) query_options: HashMap<String, QueryOptions>,
}

fn max_pdu(items: &[UserVariableItem]) -> u32 {
    let stated = items.iter().find_map(|item| match item {
        UserVariableItem::MaxLength(length) => Some(*length),
        _ => None,
    });
    stated.unwrap_or(0)
}

fn own_information() -> [UserVariableItem; 3] {
    [
        UserVariableItem::MaxLength(MAX_PDU),
        UserVariableItem::ImplementationClassUID(IMPLEMENTATION_CLASS_UID.to_owned()),
        UserVariableItem::ImplementationVersionName(IMPLEMENTATION_VERSION_NAME.to_owned()),
    ]
}

/// The role selection (PS3.7 D.3.3.4) for a SOP class.
fn roles_of(items: &[UserVariableItem], sop_class: &str) -> Option<RequestorRoles> {
    items.iter().find_map(|item| match item {
        UserVariableItem::ScuScpRoleSelectionSubItem(uid, roles) if trim(uid) == sop_class => Some(*roles),
        _ => None,
    })
}

fn trim(uid: &str) -> &str {
    uid.trim_matches(['\0', ' '])
}
