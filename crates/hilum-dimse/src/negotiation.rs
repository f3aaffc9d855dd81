//! A-ASSOCIATE-RQ in, A-ASSOCIATE-AC or -RJ out, and the reverse (PS3.8 9.3.2 - 9.3.4).

use std::collections::HashMap;

use dicom_ul::pdu::{
    AssociationAC, AssociationRJ, AssociationRJResult, AssociationRJServiceProviderASCEReason as AsceReason,
    AssociationRJServiceProviderPresentationReason as PresentationReason, AssociationRJServiceUserReason as UserReason,
    AssociationRJSource, AssociationRQ, Pdu, PresentationContextProposed, PresentationContextResult,
    PresentationContextResultReason, RequestorRoles, UserVariableItem, read_pdu,
};
use hilum_dicom::{AeTitle, SopClassUid, TransferSyntaxUid, matching::QueryOptions};

use crate::{
    command::Operation,
    part10::{IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME},
    peers::Allowed,
    query::{InformationModel, read_options, write_options},
    server::ScpConfig,
    service::Services,
    sop_class::{
        EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN, STORAGE_COMMITMENT, VERIFICATION, is_storage_sop_class,
        is_stored_transfer_syntax,
    },
    upper_layer::{AbortReason, MAX_PDU, RawPdu, UlError, protocol_error},
};

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

/// A presentation context to propose.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Proposal {
    pub(crate) abstract_syntax: String,
    pub(crate) transfer_syntaxes: Vec<String>,
    pub(crate) roles: RequestorRoles,
}

impl Proposal {
    /// A service whose data sets are identifiers or lists.
    pub(crate) fn service(abstract_syntax: &str) -> Self {
        Self {
            abstract_syntax: abstract_syntax.to_owned(),
            transfer_syntaxes: vec![EXPLICIT_VR_LITTLE_ENDIAN.to_owned(), IMPLICIT_VR_LITTLE_ENDIAN.to_owned()],
            roles: SCU_ALONE,
        }
    }

    /// Storage of one SOP class.
    pub(crate) fn storage(class: &SopClassUid, syntaxes: &[TransferSyntaxUid], roles: RequestorRoles) -> Self {
        Self {
            abstract_syntax: class.as_str().to_owned(),
            transfer_syntaxes: syntaxes.iter().map(ToString::to_string).collect(),
            roles,
        }
    }
}

/// The A-ASSOCIATE-RQ for at most 128 proposals; context ids are odd and in their order.
pub(crate) fn request(
    calling_ae: &AeTitle,
    called_ae: &AeTitle,
    proposals: &[Proposal],
    options: Option<(&str, QueryOptions)>,
) -> Pdu {
    let contexts = proposals.iter().zip((1..=u8::MAX).step_by(2)).map(|(proposal, id)| PresentationContextProposed {
        id,
        abstract_syntax: proposal.abstract_syntax.clone(),
        transfer_syntaxes: proposal.transfer_syntaxes.clone(),
    });
    let mut user_variables = Vec::from(own_information());
    for proposal in proposals.iter().filter(|proposal| proposal.roles != SCU_ALONE) {
        if roles_of(&user_variables, &proposal.abstract_syntax).is_none() {
            let uid = proposal.abstract_syntax.clone();
            user_variables.push(UserVariableItem::ScuScpRoleSelectionSubItem(uid, proposal.roles));
        }
    }
    if let Some((uid, options)) = options.filter(|(_, options)| *options != QueryOptions::default()) {
        let length = if options.empty_values { 7 } else { 3 };
        let information = write_options(options, length);
        user_variables.push(UserVariableItem::SopClassExtendedNegotiationSubItem(uid.to_owned(), information));
    }
    Pdu::AssociationRQ(AssociationRQ {
        protocol_version: 1,
        calling_ae_title: calling_ae.as_str().to_owned(),
        called_ae_title: called_ae.as_str().to_owned(),
        application_context_name: APPLICATION_CONTEXT.to_owned(),
        presentation_contexts: contexts.collect(),
        user_variables,
    })
}

/// Reads an A-ASSOCIATE-AC. Contexts that were not accepted are left out; what they carry besides is not looked at, as some
/// peers leave out the transfer syntax that nobody may test there (PS3.8 9.3.3.2.1).
pub(crate) fn read_acceptance(
    raw: &RawPdu,
    calling_ae: AeTitle,
    called_ae: AeTitle,
    proposals: &[Proposal],
) -> Result<Agreement, UlError> {
    let unreadable = || protocol_error(AbortReason::InvalidParameterValue, "the A-ASSOCIATE-AC cannot be read");
    let mut agreement =
        Agreement { calling_ae, called_ae, contexts: HashMap::new(), peer_max_pdu: 0, query_options: HashMap::new() };
    let mut roles = HashMap::new();
    // Header, version, titles and reserved bytes (PS3.8 Table 9-17).
    let mut items = raw.bytes.get(74..).ok_or_else(unreadable)?;
    while !items.is_empty() {
        let (kind, item, rest) = item(items).ok_or_else(unreadable)?;
        items = rest;
        match kind {
            0x21 => {
                let [id, _, result, _, sub_items @ ..] = item else { return Err(unreadable()) };
                let proposal = usize::from(id / 2);
                let (Some(proposal), 1, 0) = (proposals.get(proposal), id % 2, result) else { continue };
                let (_, uid, _) = self::item(sub_items).filter(|(kind, ..)| *kind == 0x40).ok_or_else(unreadable)?;
                let uid = String::from_utf8_lossy(uid);
                let uid = trim(&uid);
                if !proposal.transfer_syntaxes.iter().any(|proposed| proposed == uid) {
                    return Err(unreadable());
                }
                let context = Context {
                    abstract_syntax: proposal.abstract_syntax.clone(),
                    transfer_syntax: uid.parse().map_err(|_| unreadable())?,
                    roles: SCU_ALONE,
                };
                agreement.contexts.insert(*id, context);
            }
            0x50 => {
                let mut sub_items = item;
                while !sub_items.is_empty() {
                    let (kind, value, rest) = self::item(sub_items).ok_or_else(unreadable)?;
                    sub_items = rest;
                    match (kind, value) {
                        (0x51, [a, b, c, d]) => agreement.peer_max_pdu = u32::from_be_bytes([*a, *b, *c, *d]),
                        (0x54, [a, b, uid @ .., scu, scp])
                            if usize::from(u16::from_be_bytes([*a, *b])) == uid.len() =>
                        {
                            let uid = trim(&String::from_utf8_lossy(uid)).to_owned();
                            roles.insert(uid, RequestorRoles { scu: *scu != 0, scp: *scp != 0 });
                        }
                        (0x56, [a, b, rest @ ..]) => {
                            let length = usize::from(u16::from_be_bytes([*a, *b]));
                            if let Some((uid, information)) = rest.split_at_checked(length) {
                                let uid = trim(&String::from_utf8_lossy(uid)).to_owned();
                                agreement.query_options.insert(uid, read_options(information));
                            }
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    for context in agreement.contexts.values_mut() {
        if let Some(roles) = roles.get(&context.abstract_syntax) {
            context.roles = *roles;
        }
    }
    Ok(agreement)
}

/// Type, value and what follows, of an item or sub-item (PS3.8 9.3.2, D.1).
fn item(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let ([kind, _, a, b], rest) = bytes.split_first_chunk::<4>()?;
    let (value, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([*a, *b])))?;
    Some((*kind, value, rest))
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
