//! A-ASSOCIATE-RQ in, A-ASSOCIATE-AC or -RJ out (PS3.8 9.3.2 - 9.3.4).

use std::collections::HashMap;

use dicom_ul::pdu::{
    AssociationAC, AssociationRJ, AssociationRJResult, AssociationRJServiceProviderASCEReason as AsceReason,
    AssociationRJServiceProviderPresentationReason as PresentationReason, AssociationRJServiceUserReason as UserReason,
    AssociationRJSource, AssociationRQ, Pdu, PresentationContextProposed, PresentationContextResult,
    PresentationContextResultReason, UserVariableItem, read_pdu,
};
use hilum_dicom::{AeTitle, TransferSyntaxUid};

use crate::{
    part10::{IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME},
    server::ScpConfig,
    sop_class::{IMPLICIT_VR_LITTLE_ENDIAN, VERIFICATION, is_storage_sop_class, is_stored_transfer_syntax},
    upper_layer::{AbortReason, MAX_PDU, RawPdu, UlError, protocol_error},
};

/// DICOM Application Context Name (PS3.7 A.2.1).
const APPLICATION_CONTEXT: &str = "1.2.840.10008.3.1.1.1";

/// An accepted presentation context.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    pub(crate) abstract_syntax: String,
    pub(crate) transfer_syntax: TransferSyntaxUid,
}

/// What both sides agreed on.
#[derive(Debug)]
pub(crate) struct Agreement {
    pub(crate) calling_ae: AeTitle,
    pub(crate) called_ae: AeTitle,
    pub(crate) contexts: HashMap<u8, Context>,
    /// Longest P-DATA-TF that the peer takes; 0 is no limit (PS3.8 D.1.1).
    pub(crate) peer_max_pdu: u32,
}

/// The answer to a request.
pub(crate) enum Negotiated {
    Accepted(Agreement, Pdu),
    Rejected(Pdu),
}

/// Reads an A-ASSOCIATE-RQ.
pub(crate) fn read_request(raw: &RawPdu) -> Result<AssociationRQ, UlError> {
    match read_pdu(&raw.bytes[..], dicom_ul::pdu::MAXIMUM_PDU_SIZE, false) {
        Ok(Some(Pdu::AssociationRQ(request))) => Ok(request),
        _ => Err(protocol_error(AbortReason::InvalidParameterValue, "the A-ASSOCIATE-RQ cannot be read")),
    }
}

/// Decides on a request.
pub(crate) fn negotiate(request: AssociationRQ, config: &ScpConfig) -> Result<Negotiated, UlError> {
    // "Only test that bit 0 is set" (PS3.8 Table 9-11).
    if request.protocol_version & 1 == 0 {
        let reason = AssociationRJSource::ServiceProviderASCE(AsceReason::ProtocolVersionNotSupported);
        return Ok(Negotiated::Rejected(rejection(AssociationRJResult::Permanent, reason)));
    }
    if trim(&request.application_context_name) != APPLICATION_CONTEXT {
        return Ok(rejected_by_user(UserReason::ApplicationContextNameNotSupported));
    }
    let Ok(called_ae) = AeTitle::from_padded(request.called_ae_title.as_bytes()) else {
        return Ok(rejected_by_user(UserReason::CalledAETitleNotRecognized));
    };
    if config.check_called_ae && called_ae != config.ae_title {
        return Ok(rejected_by_user(UserReason::CalledAETitleNotRecognized));
    }
    let Ok(calling_ae) = AeTitle::from_padded(request.calling_ae_title.as_bytes()) else {
        return Ok(rejected_by_user(UserReason::CallingAETitleNotRecognized));
    };

    let mut contexts = HashMap::new();
    let mut results = Vec::with_capacity(request.presentation_contexts.len());
    let mut seen = [false; 256];
    for proposed in &request.presentation_contexts {
        // Odd and unique (PS3.8 Table 9-13).
        if proposed.id.is_multiple_of(2) || std::mem::replace(&mut seen[usize::from(proposed.id)], true) {
            return Err(protocol_error(
                AbortReason::InvalidParameterValue,
                "presentation context id is even or repeated",
            ));
        }
        let decision = decide(proposed, config);
        results.push(result(proposed.id, &decision));
        if let Ok(context) = decision {
            contexts.insert(proposed.id, context);
        }
    }

    let peer_max_pdu = request.user_variables.iter().find_map(|item| match item {
        UserVariableItem::MaxLength(length) => Some(*length),
        _ => None,
    });
    let ac = Pdu::AssociationAC(AssociationAC {
        protocol_version: 1,
        calling_ae_title: request.calling_ae_title,
        called_ae_title: request.called_ae_title,
        application_context_name: APPLICATION_CONTEXT.to_owned(),
        presentation_contexts: results,
        user_variables: vec![
            UserVariableItem::MaxLength(MAX_PDU),
            UserVariableItem::ImplementationClassUID(IMPLEMENTATION_CLASS_UID.to_owned()),
            UserVariableItem::ImplementationVersionName(IMPLEMENTATION_VERSION_NAME.to_owned()),
        ],
    });
    Ok(Negotiated::Accepted(Agreement { calling_ae, called_ae, contexts, peer_max_pdu: peer_max_pdu.unwrap_or(0) }, ac))
}

/// The first transfer syntax that the peer proposes wins: it holds the data that way, and we convert nothing.
fn decide(
    proposed: &PresentationContextProposed,
    config: &ScpConfig,
) -> Result<Context, PresentationContextResultReason> {
    let abstract_syntax = trim(&proposed.abstract_syntax);
    let served = abstract_syntax == VERIFICATION
        || is_storage_sop_class(abstract_syntax)
        || config.private_storage.iter().any(|class| class.as_ref() == abstract_syntax);
    if !served {
        return Err(PresentationContextResultReason::AbstractSyntaxNotSupported);
    }
    let stored = |uid: &&str| is_stored_transfer_syntax(uid);
    let transfer_syntax = proposed.transfer_syntaxes.iter().map(|uid| trim(uid)).find(stored);
    let transfer_syntax = transfer_syntax.and_then(|uid| uid.parse().ok());
    transfer_syntax
        .map(|transfer_syntax| Context { abstract_syntax: abstract_syntax.to_owned(), transfer_syntax })
        .ok_or(PresentationContextResultReason::TransferSyntaxesNotSupported)
}

/// A rejected context still carries a transfer syntax item, which nobody may test (PS3.8 9.3.3.2.1).
fn result(id: u8, decision: &Result<Context, PresentationContextResultReason>) -> PresentationContextResult {
    let (reason, transfer_syntax) = match decision {
        Ok(context) => (PresentationContextResultReason::Acceptance, context.transfer_syntax.to_string()),
        Err(reason) => (reason.clone(), IMPLICIT_VR_LITTLE_ENDIAN.to_owned()),
    };
    PresentationContextResult { id, reason, transfer_syntax }
}

fn trim(uid: &str) -> &str {
    uid.trim_matches(['\0', ' '])
}

fn rejection(result: AssociationRJResult, source: AssociationRJSource) -> Pdu {
    Pdu::AssociationRJ(AssociationRJ { result, source })
}

fn rejected_by_user(reason: UserReason) -> Negotiated {
    Negotiated::Rejected(rejection(AssociationRJResult::Permanent, AssociationRJSource::ServiceUser(reason)))
}

/// The answer when all associations are in use: try again later (PS3.8 Table 9-21).
pub(crate) fn local_limit_exceeded() -> Pdu {
    let reason = AssociationRJSource::ServiceProviderPresentation(PresentationReason::LocalLimitExceeded);
    rejection(AssociationRJResult::Transient, reason)
}
