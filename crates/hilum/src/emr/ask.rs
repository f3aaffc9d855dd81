//! FHIR as a client: what a server knows of a patient, asked for once a report of theirs is recorded.

use std::ops::ControlFlow;

use chrono::{Days, Local};
use hilum_clinical::report::Sex;
use hilum_emr::{
    facts::{About, PatientId, Told},
    fhir::{MEDIA_TYPE, searches, told},
};
use hilum_engine::{
    EngineError,
    deliveries::{DeliveryOutcome, DueDelivery},
};
use hilum_web::{Outbound, OutgoingFault};

use super::{Emr, fhir, listener, mllp::Broken, worker::Ended};
use crate::settings::{Destination, Fhir};

const FORM: &str = "application/x-www-form-urlencoded";
/// A page of 200 resources, some with their text.
const LONGEST_ANSWER: usize = 16 * 1024 * 1024;
const MOST_PAGES: usize = 20;
/// Nothing that expires counts for longer (a pregnancy); what does not is a diagnosis, which is asked for of any age.
const DAYS_BACK: u64 = 300;

impl Emr {
    /// Asks what a server knows of the patient of a report, and keeps it.
    pub(super) async fn ask(
        &self,
        due: &DueDelivery,
        destination: &Destination,
        server: &Fhir,
        client: &fhir::Client,
    ) -> Result<Ended, EngineError> {
        let content = match self.content(due, None).await? {
            ControlFlow::Continue(content) => content,
            ControlFlow::Break(ended) => return Ok(Ok(ended)),
        };
        let patient = &content.report.patient;
        if patient.id.is_empty() {
            // Nobody can be asked for.
            return Ok(Ok(Some(DeliveryOutcome::Delivered)));
        }
        let about = About {
            born: patient.birth_date.and_then(|date| date.to_string().parse().ok()),
            female: patient.sex.and_then(|sex| match sex {
                Sex::F => Some(true),
                Sex::M => Some(false),
                Sex::O => None,
            }),
            on: None,
        };
        let id = PatientId { issuer: due.patient.issuer.clone(), id: patient.id.clone() };
        let asking = Asking { server, client, destination, id, about };
        // The server learns whose images are here.
        self.audit_before(due).await?;
        let found = match asking.all().await {
            Ok(found) => found,
            Err(Stopped::Broken(broken)) => return Ok(Err(broken)),
            Err(Stopped::Refused(reason)) => return Ok(Ok(Some(DeliveryOutcome::Refused { reason }))),
        };
        let scope = listener::adding(destination.rule.institution.clone());
        let facts = listener::kept(found, &destination.rule.name);
        self.engine.keep_patient_facts(&scope, &facts).await?;
        Ok(Ok(Some(DeliveryOutcome::Delivered)))
    }
}

enum Stopped {
    Broken(Broken),
    Refused(String),
}

struct Asking<'a> {
    server: &'a Fhir,
    client: &'a fhir::Client,
    destination: &'a Destination,
    id: PatientId,
    about: About,
}

impl Asking<'_> {
    async fn all(&self) -> Result<Told, Stopped> {
        let fhir::Client { http, token, .. } = self.client;
        let now = Local::now();
        let (zone, today) = (*now.offset(), now.date_naive());
        let since = today.checked_sub_days(Days::new(DAYS_BACK)).unwrap_or(today);
        let mut all =
            Told { patient: vec![self.id.clone()], merged: Vec::new(), facts: Vec::new(), withdrawn: Vec::new() };
        for (path, form) in searches(self.server.patient_system.as_deref(), &self.id.id, since) {
            let mut address = format!("{}/{path}", self.server.base);
            let mut form = Some(form);
            for page in 1.. {
                let to = Outbound {
                    address: &address,
                    media_type: FORM,
                    accept: MEDIA_TYPE,
                    bearer: token.as_deref(),
                    patience: self.destination.patience,
                    longest: LONGEST_ANSWER,
                };
                let answer = match form.take() {
                    Some(form) => http.post(to, form.into_bytes()).await,
                    None => http.get(to).await,
                };
                let (found, next) = self.read(answer, zone)?;
                all.facts.extend(found.facts);
                all.withdrawn.extend(found.withdrawn);
                let Some(next) = next else { break };
                // The token goes to nobody else.
                if page == MOST_PAGES
                    || !next.starts_with(&format!("{}/", self.server.base))
                        && !next.starts_with(&format!("{}?", self.server.base))
                {
                    return Err(Stopped::Refused(
                        "the server's answer goes on somewhere else, or without end".to_owned(),
                    ));
                }
                address = next;
            }
        }
        Ok(all)
    }

    fn read(
        &self,
        answer: Result<(u16, bytes::Bytes), OutgoingFault>,
        zone: chrono::FixedOffset,
    ) -> Result<(Told, Option<String>), Stopped> {
        let (status, body) = match answer {
            Ok(answer) => answer,
            Err(fault @ (OutgoingFault::Unreachable | OutgoingFault::Late)) => {
                return Err(Stopped::Broken(Broken(fault.to_string())));
            }
            Err(fault) => return Err(Stopped::Refused(fault.to_string())),
        };
        let said = format!("the server answered {status}");
        match status {
            200 => {}
            408 | 425 | 429 | 500.. => return Err(Stopped::Broken(Broken(said))),
            _ => return Err(Stopped::Refused(said)),
        }
        let bundle = serde_json::from_slice(&body).ok();
        let read = bundle.and_then(|bundle| told(&bundle, self.id.clone(), self.about, zone));
        read.ok_or_else(|| Stopped::Refused("the server answered with something that is no searchset".to_owned()))
    }
}
