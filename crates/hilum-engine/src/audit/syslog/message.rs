//! An event as a DICOM audit message (PS3.15 A.5, codes of PS3.16 CID 400 to 405) in a syslog message (RFC 5424).
//!
//! The profile lets a message name the patients. These never do: patient objects are left out, and of a query its keys are told without their
//! values.

use crate::audit::chain::SEPARATOR;
use crate::audit::{Action, Detail, KeyTag, Outcome, Subject};
use crate::catalog::{AuditRow, rfc3339};
use hilum_dicom::json;
use std::fmt::Write as _;

/// A code of PS3.16 annex D: its value and its meaning.
type Code = (&'static str, &'static str);

const STUDY_INSTANCE_UID: Code = ("110180", "Study Instance UID");
const SOP_CLASS_UID: Code = ("110181", "SOP Class UID");
const APPLICATION: Code = ("110150", "Application");
const DESTINATION: Code = ("110152", "Destination Role ID");
const SOURCE: Code = ("110153", "Source Role ID");
const DESTINATION_MEDIA: Code = ("110154", "Destination Media");
const SOURCE_MEDIA: Code = ("110155", "Source Media");
/// Of PS3.16 CID 405: files that have an address.
const MEDIA_URI: Code = ("110037", "URI");

const SECURITY_ALERT: Code = ("110113", "Security Alert");
const INSTANCES_ACCESSED: Code = ("110103", "DICOM Instances Accessed");
const INSTANCES_TRANSFERRED: Code = ("110104", "DICOM Instances Transferred");
const PROCEDURE_RECORD: Code = ("110111", "Procedure Record");

/// SOP classes that are queried: Study Root Query/Retrieve - FIND, Modality Worklist - FIND.
const STUDY_ROOT_FIND: &str = "1.2.840.10008.5.1.4.1.2.2.1";
const WORKLIST_FIND: &str = "1.2.840.10008.5.1.4.31";
const IMPLICIT_LITTLE_ENDIAN: &str = "1.2.840.10008.1.2";

/// Event ID, Event Type Code and Event Action Code (PS3.15 A.5.3).
fn codes(action: Action, detail: &Detail) -> (Code, Option<Code>, char) {
    let alert = |kind| (SECURITY_ALERT, Some(kind), 'E');
    match action {
        Action::ProcessStart => (("110100", "Application Activity"), Some(("110120", "Application Start")), 'E'),
        Action::ProcessEnd => (("110100", "Application Activity"), Some(("110121", "Application Stop")), 'E'),
        Action::AuditRead => (("110101", "Audit Log Used"), None, 'R'),
        Action::SignIn => (("110114", "User Authentication"), Some(("110122", "Login")), 'E'),
        Action::SignOut => (("110114", "User Authentication"), Some(("110123", "Logout")), 'E'),
        Action::AddAccount | Action::ChangeAccount | Action::AddToken | Action::RevokeToken | Action::AddLink => {
            alert(("110137", "User Security Attributes Changed"))
        }
        Action::AddInstitution | Action::ChangeKeys | Action::ChangeConfiguration => {
            alert(("110129", "Security Configuration"))
        }
        Action::ChangeRoles => alert(("110136", "Security Roles Changed")),
        Action::RetryForwards | Action::RetryDeliveries | Action::Pseudonymise | Action::Reidentify => {
            alert(("110132", "Use of Restricted Function"))
        }
        Action::Admit => alert(("110126", "Node Authentication")),
        Action::Query | Action::Retrieve => (("110112", "Query"), None, 'E'),
        Action::View => (INSTANCES_ACCESSED, None, 'R'),
        Action::MakeResults => (INSTANCES_ACCESSED, None, 'C'),
        Action::Receive => (INSTANCES_TRANSFERRED, None, 'C'),
        Action::Send => (INSTANCES_TRANSFERRED, None, 'R'),
        Action::Import | Action::Restore => (("110107", "Import"), None, 'C'),
        Action::ImportWorklist => (("110109", "Order Record"), None, 'C'),
        Action::Export | Action::Backup | Action::Deliver => (("110106", "Export"), None, 'R'),
        Action::ReceivePatientData => (("110110", "Patient Record"), None, 'U'),
        Action::Delete if detail.series.is_some() => (INSTANCES_ACCESSED, None, 'D'),
        Action::Delete => (("110105", "DICOM Study Deleted"), None, 'D'),
        Action::Predict => (PROCEDURE_RECORD, None, 'C'),
        Action::ChangeWorkItem
        | Action::CancelReading
        | Action::ResumeReading
        | Action::ChangePriority
        | Action::Review
        | Action::SignReport
        | Action::ChangeLabelUse => (PROCEDURE_RECORD, None, 'U'),
    }
}

/// Participant Object Data Life Cycle (PS3.15 A.5.1.2.3) of what an action is about.
fn life_cycle(action: Action) -> u8 {
    match action {
        Action::MakeResults => 1,
        Action::Receive | Action::Import | Action::Restore | Action::ImportWorklist | Action::ReceivePatientData => 2,
        Action::ChangeWorkItem
        | Action::CancelReading
        | Action::ResumeReading
        | Action::ChangePriority
        | Action::Review
        | Action::ChangeLabelUse => 3,
        // Verification, PS3.15 A.5.1.2.3.
        Action::SignReport => 4,
        Action::Predict => 8,
        Action::Export | Action::Backup => 10,
        Action::Send | Action::Deliver => 11,
        Action::Delete => 15,
        _ => 6,
    }
}

/// The whole message; `None` for a row that cannot be read.
pub(super) fn syslog(row: &AuditRow, host: &str, source: &str) -> Option<String> {
    let action: Action = row.action.parse().ok()?;
    let (event, ..) = codes(action, &serde_json::from_str(&row.detail).ok()?);
    // Facility 10 (security), severity 4 (warning) for alerts, else 5 (notice): PS3.15 A.6.
    let priority = 10 * 8 + if event == SECURITY_ALERT { 4 } else { 5 };
    let (at, pid) = (rfc3339(row.at).ok()?, std::process::id());
    Some(format!("<{priority}>1 {at} {host} hilum {pid} DICOM+RFC3881 - \u{FEFF}{}", audit_message(row, source)?))
}

/// The message of PS3.15 A.5.1.
pub(super) fn audit_message(row: &AuditRow, source: &str) -> Option<String> {
    let action: Action = row.action.parse().ok()?;
    let outcome: Outcome = row.outcome.parse().ok()?;
    let detail: Detail = serde_json::from_str(&row.detail).ok()?;
    let (event, kind, action_code) = codes(action, &detail);
    let indicator = match outcome {
        Outcome::Done => 0,
        Outcome::Refused => 4,
        Outcome::Failed => 8,
    };
    let at = rfc3339(row.at).ok()?;
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><AuditMessage><EventIdentification EventActionCode=\"{action_code}\" \
         EventDateTime=\"{at}\" EventOutcomeIndicator=\"{indicator}\">{}",
        coded("EventID", event)
    );
    xml.extend(kind.map(|kind| coded("EventTypeCode", kind)));
    if let Some(code) = detail.code.clone().map(String::from) {
        write!(xml, "<EventOutcomeDescription>{}</EventOutcomeDescription>", escaped(&code)).ok()?;
    }
    xml.push_str("</EventIdentification>");
    participants(&mut xml, row, action, &detail).ok()?;
    let site = row.institution.as_deref().map(|code| format!(" AuditEnterpriseSiteID=\"{}\"", escaped(code)));
    write!(
        xml,
        "<AuditSourceIdentification{} AuditSourceID=\"{}\"><AuditSourceTypeCode csd-code=\"4\"/></AuditSourceIdentification>",
        site.unwrap_or_default(),
        escaped(source)
    )
    .ok()?;
    objects(&mut xml, row, action, &detail).ok()?;
    xml.push_str("</AuditMessage>");
    Some(xml)
}

/// Who took part: the actor, this process, and the other end.
fn participants(xml: &mut String, row: &AuditRow, action: Action, detail: &Detail) -> std::fmt::Result {
    // The roles of the actor and of this process.
    let (actor_role, own_role) = match action {
        Action::ProcessStart | Action::ProcessEnd => (None, Some(APPLICATION)),
        Action::Query | Action::Receive => (Some(SOURCE), Some(DESTINATION)),
        Action::Send | Action::Export | Action::Backup | Action::Deliver => (None, Some(SOURCE)),
        Action::Import | Action::Restore | Action::ReceivePatientData => (None, Some(DESTINATION)),
        _ => (None, None),
    };
    let own = row.actor_kind == "system";
    if !own {
        let (user, alternative) = match (row.actor_kind.as_str(), row.actor.as_deref()) {
            ("account", Some(number)) => (format!("account {number}"), None),
            ("peer", Some(title)) => (title.to_owned(), Some(format!("AETITLES={title}"))),
            (kind, _) => (kind.to_owned(), None),
        };
        participant(xml, &user, alternative.as_deref(), true, row.address.as_deref(), actor_role)?;
    }
    participant(xml, &row.process, None, own, None, own_role)?;
    if let Some(peer) = &detail.peer {
        let role = (action == Action::Send).then_some(DESTINATION);
        participant(xml, peer.as_str(), Some(&format!("AETITLES={peer}")), false, None, role)?;
    }
    if let Some(record) = &detail.destination {
        let role = match action {
            Action::Deliver => Some(DESTINATION),
            Action::ReceivePatientData => Some(SOURCE),
            _ => None,
        };
        participant(xml, record.as_str(), None, false, None, role)?;
    }
    let medium = match action {
        Action::Export | Action::Backup => Some(DESTINATION_MEDIA),
        Action::Import | Action::Restore => Some(SOURCE_MEDIA),
        _ => None,
    };
    if let Some(role) = medium {
        write!(
            xml,
            "<ActiveParticipant UserID=\"files\" UserIsRequestor=\"false\">{}<MediaIdentifier>{}</MediaIdentifier></ActiveParticipant>",
            coded("RoleIDCode", role),
            coded("MediaType", MEDIA_URI)
        )?;
    }
    Ok(())
}

fn participant(
    xml: &mut String,
    user: &str,
    alternative: Option<&str>,
    requestor: bool,
    address: Option<&str>,
    role: Option<Code>,
) -> std::fmt::Result {
    write!(xml, "<ActiveParticipant UserID=\"{}\"", escaped(user))?;
    if let Some(alternative) = alternative {
        write!(xml, " AlternativeUserID=\"{}\"", escaped(alternative))?;
    }
    write!(xml, " UserIsRequestor=\"{requestor}\"")?;
    if let Some(address) = address {
        write!(xml, " NetworkAccessPointID=\"{}\" NetworkAccessPointTypeCode=\"2\"", escaped(address))?;
    }
    write!(xml, ">{}</ActiveParticipant>", role.map(|role| coded("RoleIDCode", role)).unwrap_or_default())
}

/// What it was about: studies, what was asked, an account, the trail itself.
fn objects(xml: &mut String, row: &AuditRow, action: Action, detail: &Detail) -> std::fmt::Result {
    let cycle = life_cycle(action);
    for study in row.studies.split(SEPARATOR).filter(|uid| !uid.is_empty()) {
        let about = detail.instances.map(|count| {
            format!(
                "<ParticipantObjectDescription><SOPClass NumberOfInstances=\"{count}\"/></ParticipantObjectDescription>"
            )
        });
        let series = detail.series.as_ref().map(|series| value("SeriesInstanceUID", series.as_str().as_bytes()));
        write!(
            xml,
            "<ParticipantObjectIdentification ParticipantObjectID=\"{}\" ParticipantObjectTypeCode=\"2\" \
             ParticipantObjectTypeCodeRole=\"3\" ParticipantObjectDataLifeCycle=\"{cycle}\">{}\
             <ParticipantObjectName>study</ParticipantObjectName>{}{}</ParticipantObjectIdentification>",
            escaped(study),
            coded("ParticipantObjectIDTypeCode", STUDY_INSTANCE_UID),
            series.unwrap_or_default(),
            about.unwrap_or_default()
        )?;
    }
    match action {
        Action::Query => {
            let class = if detail.subject == Some(Subject::Worklist) { WORKLIST_FIND } else { STUDY_ROOT_FIND };
            write!(
                xml,
                "<ParticipantObjectIdentification ParticipantObjectID=\"{class}\" ParticipantObjectTypeCode=\"2\" \
                 ParticipantObjectTypeCodeRole=\"24\">{}<ParticipantObjectQuery>{}</ParticipantObjectQuery>{}\
                 </ParticipantObjectIdentification>",
                coded("ParticipantObjectIDTypeCode", SOP_CLASS_UID),
                base64(&without_values(&detail.keys)),
                value("TransferSyntax", IMPLICIT_LITTLE_ENDIAN.as_bytes())
            )
        }
        Action::AuditRead => xml.write_str(
            "<ParticipantObjectIdentification ParticipantObjectID=\"hilum:audit\" ParticipantObjectTypeCode=\"2\" \
             ParticipantObjectTypeCodeRole=\"13\"><ParticipantObjectIDTypeCode csd-code=\"12\" codeSystemName=\"RFC-3881\" \
             originalText=\"URI\"/><ParticipantObjectName>Security Audit Log</ParticipantObjectName>\
             </ParticipantObjectIdentification>",
        ),
        _ => match detail.account {
            Some(account) => write!(
                xml,
                "<ParticipantObjectIdentification ParticipantObjectID=\"{}\" ParticipantObjectTypeCode=\"1\" \
                 ParticipantObjectTypeCodeRole=\"6\"><ParticipantObjectIDTypeCode csd-code=\"11\" codeSystemName=\"RFC-3881\" \
                 originalText=\"User Identifier\"/><ParticipantObjectName>account</ParticipantObjectName>\
                 </ParticipantObjectIdentification>",
                account.0
            ),
            None => Ok(()),
        },
    }
}

/// The keys as a data set in Implicit VR Little Endian, each without a value.
fn without_values(keys: &[KeyTag]) -> Vec<u8> {
    let mut keys = keys.to_vec();
    keys.sort();
    keys.dedup();
    keys.iter().flat_map(|key| key.empty_element()).collect()
}

fn coded(element: &str, (code, meaning): Code) -> String {
    format!(
        "<{element} csd-code=\"{code}\" codeSystemName=\"DCM\" displayName=\"{meaning}\" originalText=\"{meaning}\"/>"
    )
}

fn value(kind: &str, bytes: &[u8]) -> String {
    format!("<ParticipantObjectDetail type=\"{kind}\" value=\"{}\"/>", base64(bytes))
}

fn base64(bytes: &[u8]) -> String {
    let mut text = String::new();
    json::base64(bytes, &mut text);
    text
}

/// Of an AE title or a code, which are printable ASCII.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            letter if letter.is_control() => out.push('?'),
            letter => out.push(letter),
        }
    }
    out
}
