//! As requestor: what we ask for, and what we get.

use std::collections::HashMap;

use dicom_ul::pdu::{AssociationRQ, Pdu, PresentationContextProposed, RequestorRoles, UserVariableItem};
use hilum_dicom::{AeTitle, SopClassUid, TransferSyntaxUid, matching::QueryOptions};

use super::{APPLICATION_CONTEXT, Agreement, Context, SCU_ALONE, own_information, roles_of, trim};
use crate::{
    query::{read_options, write_options},
    sop_class::{EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN},
    upper_layer::{AbortReason, RawPdu, UlError, protocol_error},
};

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

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::upper_layer::PduType;

    fn read(items: &[u8]) -> Result<Agreement, UlError> {
        let raw = RawPdu { kind: PduType::AssociateAc, bytes: Bytes::from([&[0; 74][..], items].concat()) };
        let title: AeTitle = "HILUM".parse().expect("a title");
        let proposals = [Proposal::service("1.2.840.10008.1.1"), Proposal::service("1.2.3")];
        read_acceptance(&raw, title.clone(), title, &proposals)
    }

    #[test]
    fn a_rejected_context_without_its_transfer_syntax_is_left_out_and_no_error() {
        let accepted = [&[0x21, 0, 0, 25, 1, 0, 0, 0, 0x40, 0, 0, 17][..], b"1.2.840.10008.1.2"].concat();
        let rejected = [0x21, 0, 0, 4, 3, 0, 3, 0];
        let agreement = read(&[&accepted[..], &rejected].concat()).expect("an acceptance");
        assert_eq!(agreement.contexts.keys().collect::<Vec<_>>(), [&1]);
        // A syntax that nobody proposed.
        let foreign = [&[0x21, 0, 0, 13, 1, 0, 0, 0, 0x40, 0, 0, 5][..], b"1.2.9"].concat();
        assert!(read(&foreign).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_acceptance_or_refused(
            kind in prop::sample::select(vec![0x10u8, 0x21, 0x50, 0x99]),
            bytes in proptest::collection::vec(any::<u8>(), 0..64),
        ) {
            let item = [&[kind, 0, 0, bytes.len() as u8][..], &bytes].concat();
            if let Ok(agreement) = read(&item) {
                prop_assert!(agreement.contexts.len() <= 2);
            }
        }
    }
}
