//! A delivery as the bytes of a message.

use chrono::{DateTime, Local};
use hilum_clinical::Language as ReportLanguage;
use hilum_emr::{
    Patient, ReportToTell,
    fhir::{Subject, transaction},
    hl7::{Encoded, Envelope, oru_r01},
};
use hilum_engine::{
    Language,
    deliveries::{DeliveryContent, DueDelivery},
};

use crate::settings::{Destination, EmrSettings, Fhir, Mllp};

/// What is told, with times of this place.
pub fn told<'a>(due: &'a DueDelivery, content: &'a DeliveryContent, destination: &Destination) -> ReportToTell<'a> {
    let made_at = DateTime::parse_from_rfc3339(&content.report.created_at);
    let zone = *made_at.map_or_else(|_| Local::now(), |at| at.with_timezone(&Local)).offset();
    ReportToTell {
        report: &content.report,
        patient: Patient {
            issuer: &due.patient.issuer,
            alphabetic: &due.patient.alphabetic,
            ideographic: due.patient.ideographic.as_deref(),
            phonetic: due.patient.phonetic.as_deref(),
        },
        language: match destination.language {
            Language::Ko => ReportLanguage::Korean,
            Language::En => ReportLanguage::English,
        },
        zone,
        pdf: content.pdf.as_deref(),
    }
}

/// ORU^R01 in the receiver's character set.
pub fn oru(told: &ReportToTell<'_>, due: &DueDelivery, settings: &EmrSettings, mllp: &Mllp) -> Encoded {
    let envelope = Envelope {
        control_id: &due.control_id,
        sending: (&settings.sending.0, &settings.sending.1),
        receiving: (&mllp.receiving.0, &mllp.receiving.1),
        character_set: mllp.character_set,
        character_set_name: mllp.character_set_name.as_deref(),
    };
    mllp.character_set.encode(&oru_r01(told, &envelope).text())
}

/// The transaction of a FHIR server.
pub fn bundle(told: &ReportToTell<'_>, due: &DueDelivery, server: &Fhir) -> Vec<u8> {
    let subject = Subject { system: server.patient_system.as_deref(), reference: server.patient };
    transaction(told, due.institution.as_str(), subject).to_string().into_bytes()
}
