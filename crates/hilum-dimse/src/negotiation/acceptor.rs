//! As acceptor: what a caller asks for, and what it gets.

use std::collections::HashMap;

use dicom_ul::pdu::{
    AssociationAC, AssociationRJ, AssociationRJResult, AssociationRJServiceProviderASCEReason as AsceReason,
    AssociationRJServiceProviderPresentationReason as PresentationReason, AssociationRJServiceUserReason as UserReason,
    AssociationRJSource, AssociationRQ, Pdu, PresentationContextProposed, PresentationContextResult,
    PresentationContextResultReason, RequestorRoles, UserVariableItem, read_pdu,
};
use hilum_dicom::{AeTitle, matching::QueryOptions};

use super::{APPLICATION_CONTEXT, Agreement, Context, SCU_ALONE, max_pdu, own_information, roles_of, trim};
use crate::{
    command::Operation,
    peers::Allowed,
    query::{InformationModel, read_options, write_options},
    server::ScpConfig,
    service::Services,
    sop_class::{
        EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN, STORAGE_COMMITMENT, VERIFICATION, is_storage_sop_class,
        is_stored_transfer_syntax,
    },
    upper_layer::{AbortReason, RawPdu, UlError, protocol_error},
};

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

/// The calling AE title, if it is one.
pub(crate) fn calling_ae(request: &AssociationRQ) -> Option<AeTitle> {
    AeTitle::from_padded(request.calling_ae_title.as_bytes()).ok()
}

/// Decides on a request; `allowed` is what the caller may ask for, none when it is not recognised.
pub(crate) fn negotiate(
    request: AssociationRQ,
    config: &ScpConfig,
    services: &Services,
    allowed: Option<Allowed>,
) -> Result<Negotiated, UlError> {
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
    let (Some(calling_ae), Some(allowed)) = (calling_ae(&request), allowed) else {
        return Ok(rejected_by_user(UserReason::CallingAETitleNotRecognized));
    };

    let offer = Offer { config, services, allowed, proposed: &request.user_variables };
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
        let decision = offer.decide(proposed);
        results.push(result(proposed.id, &decision));
        if let Ok(context) = decision {
            contexts.insert(proposed.id, context);
        }
    }

    let peer_max_pdu = max_pdu(&request.user_variables);
    let (query_options, answers) = offer.user_information(&contexts);
    let ac = Pdu::AssociationAC(AssociationAC {
        protocol_version: 1,
        calling_ae_title: request.calling_ae_title,
        called_ae_title: request.called_ae_title,
        application_context_name: APPLICATION_CONTEXT.to_owned(),
        presentation_contexts: results,
        user_variables: own_information().into_iter().chain(answers).collect(),
    });
    let agreement = Agreement { calling_ae, called_ae, contexts, peer_max_pdu, query_options };
    Ok(Negotiated::Accepted(agreement, ac))
}

/// What we have to offer to one caller.
struct Offer<'a> {
    config: &'a ScpConfig,
    services: &'a Services,
    allowed: Allowed,
    proposed: &'a [UserVariableItem],
}

impl Offer<'_> {
    /// Of the transfer syntaxes that fit, the first that the peer proposes wins: it holds the data that way, and we convert
    /// nothing.
    fn decide(&self, proposed: &PresentationContextProposed) -> Result<Context, PresentationContextResultReason> {
        let abstract_syntax = trim(&proposed.abstract_syntax);
        let roles = self.roles(abstract_syntax)?;
        let stored = |uid: &&str| {
            let any = self.is_storage(abstract_syntax) || abstract_syntax == VERIFICATION;
            if any { is_stored_transfer_syntax(uid) } else { is_plain(uid) }
        };
        let transfer_syntax = proposed.transfer_syntaxes.iter().map(|uid| trim(uid)).find(stored);
        let transfer_syntax = transfer_syntax.and_then(|uid| uid.parse().ok());
        transfer_syntax
            .map(|transfer_syntax| Context { abstract_syntax: abstract_syntax.to_owned(), transfer_syntax, roles })
            .ok_or(PresentationContextResultReason::TransferSyntaxesNotSupported)
    }

    /// Which of the roles that the requestor wants it gets; none at all is a refusal of the context.
    fn roles(&self, sop_class: &str) -> Result<RequestorRoles, PresentationContextResultReason> {
        let Services { store, find, worklist, retrieve, commitment, commitment_results } = self.services;
        let allowed = self.allowed;
        // As SCU, and as SCP: offered here, and allowed to this caller.
        let (scu, scp) = if sop_class == VERIFICATION {
            ((true, true), (false, false))
        } else if self.is_storage(sop_class) {
            ((store.is_some(), allowed.store), (retrieve.is_some(), allowed.retrieve))
        } else if sop_class == STORAGE_COMMITMENT {
            ((commitment.is_some(), allowed.commitment), (commitment_results.is_some(), allowed.commitment))
        } else {
            let scu = match InformationModel::of_sop_class(sop_class) {
                Some((InformationModel::Worklist, _)) => (worklist.is_some(), allowed.find),
                Some((_, Operation::Find)) => (find.is_some(), allowed.find),
                Some(_) => (retrieve.is_some(), allowed.retrieve),
                None => (false, false),
            };
            (scu, (false, false))
        };
        let wanted = roles_of(self.proposed, sop_class).unwrap_or(SCU_ALONE);
        let granted = |wanted: bool, (offered, allowed): (bool, bool)| wanted && offered && allowed;
        let roles = RequestorRoles { scu: granted(wanted.scu, scu), scp: granted(wanted.scp, scp) };
        match (roles.scu || roles.scp, scu.0 || (wanted.scp && scp.0)) {
            (true, _) => Ok(roles),
            (false, true) => Err(PresentationContextResultReason::UserRejection),
            (false, false) => Err(PresentationContextResultReason::AbstractSyntaxNotSupported),
        }
    }

    fn is_storage(&self, sop_class: &str) -> bool {
        is_storage_sop_class(sop_class) || self.config.private_storage.iter().any(|class| class.as_ref() == sop_class)
    }

    /// Answers to role selection (PS3.7 D.3.3.4) and to extended negotiation of queries (PS3.4 C.5.1).
    fn user_information(
        &self,
        contexts: &HashMap<u8, Context>,
    ) -> (HashMap<String, QueryOptions>, Vec<UserVariableItem>) {
        let mut options = HashMap::new();
        let mut answers = Vec::new();
        for item in self.proposed {
            match item {
                UserVariableItem::ScuScpRoleSelectionSubItem(uid, _) => {
                    if let Some(context) = contexts.values().find(|context| context.abstract_syntax == trim(uid)) {
                        let uid = context.abstract_syntax.clone();
                        answers.push(UserVariableItem::ScuScpRoleSelectionSubItem(uid, context.roles));
                    }
                }
                UserVariableItem::SopClassExtendedNegotiationSubItem(uid, information) => {
                    let handler = match InformationModel::of_sop_class(trim(uid)) {
                        Some((InformationModel::Worklist, _)) => self.services.worklist.as_ref(),
                        Some((_, Operation::Find)) => self.services.find.as_ref(),
                        _ => None,
                    };
                    if let Some(handler) = handler.filter(|_| !information.is_empty()) {
                        let proposed = read_options(information);
                        let can = handler.supports(proposed);
                        let agreed = QueryOptions {
                            fuzzy_names: proposed.fuzzy_names && can.fuzzy_names,
                            combined_date_times: proposed.combined_date_times && can.combined_date_times,
                            empty_values: proposed.empty_values && can.empty_values,
                            ..proposed
                        };
                        let information = write_options(agreed, information.len());
                        let uid = trim(uid).to_owned();
                        options.insert(uid.clone(), agreed);
                        answers.push(UserVariableItem::SopClassExtendedNegotiationSubItem(uid, information));
                    }
                }
                _ => {}
            }
        }
        (options, answers)
    }
}

/// What identifiers and lists are exchanged in.
fn is_plain(uid: &str) -> bool {
    uid == IMPLICIT_VR_LITTLE_ENDIAN || uid == EXPLICIT_VR_LITTLE_ENDIAN
}

/// A rejected context still carries a transfer syntax item, which nobody may test (PS3.8 9.3.3.2.1).
fn result(id: u8, decision: &Result<Context, PresentationContextResultReason>) -> PresentationContextResult {
    let (reason, transfer_syntax) = match decision {
        Ok(context) => (PresentationContextResultReason::Acceptance, context.transfer_syntax.to_string()),
        Err(reason) => (reason.clone(), IMPLICIT_VR_LITTLE_ENDIAN.to_owned()),
    };
    PresentationContextResult { id, reason, transfer_syntax }
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
