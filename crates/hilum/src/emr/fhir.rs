//! FHIR as a client: a transaction for each report.

use std::time::Duration;

use hilum_emr::fhir::{MEDIA_TYPE, taken};
use hilum_engine::deliveries::DeliveryOutcome;
use hilum_web::{Outbound, Outgoing, OutgoingFault};

use super::mllp::Broken;
use crate::settings::Fhir;

/// An answer names each resource, some with its text.
const LONGEST_ANSWER: usize = 4 * 1024 * 1024;

/// How a request ended, and whether the server may have it.
pub struct Posted {
    pub outcome: Result<DeliveryOutcome, Broken>,
    pub handed: bool,
}

/// A server, with what it is asked by.
pub struct Client {
    pub http: Outgoing,
    pub token: Option<String>,
    base: String,
}

impl Client {
    /// With its authorities and its token as their files are now.
    pub async fn open(server: &Fhir) -> Result<Self, Broken> {
        let http = Outgoing::new(server.authorities.as_deref());
        let http = http.map_err(|error| Broken(format!("authorities cannot be used: {error}")))?;
        Ok(Self { http, token: token(server).await.map_err(Broken)?, base: server.base.clone() })
    }

    /// Sends a transaction. Whatever is not an acceptance of all of it leaves the report with us.
    pub async fn post(&self, bundle: Vec<u8>, patience: Duration) -> Posted {
        let to = Outbound {
            address: &self.base,
            media_type: MEDIA_TYPE,
            accept: MEDIA_TYPE,
            bearer: self.token.as_deref(),
            patience,
            longest: LONGEST_ANSWER,
        };
        match self.http.post(to, bundle).await {
            Ok((status, body)) => Posted { outcome: judged(status, &body), handed: true },
            Err(fault @ (OutgoingFault::Unreachable | OutgoingFault::Unusable)) => {
                Posted { outcome: Err(Broken(fault.to_string())), handed: false }
            }
            Err(fault @ OutgoingFault::Late) => Posted { outcome: Err(Broken(fault.to_string())), handed: true },
            Err(fault @ (OutgoingFault::Redirected | OutgoingFault::TooLong)) => {
                Posted { outcome: Ok(DeliveryOutcome::Refused { reason: fault.to_string() }), handed: true }
            }
        }
    }
}

fn judged(status: u16, body: &[u8]) -> Result<DeliveryOutcome, Broken> {
    let Err(refusal) = taken(status, body) else { return Ok(DeliveryOutcome::Delivered) };
    let code = refusal.code.map(|code| format!(", {code}")).unwrap_or_default();
    let reason = format!("the server answered {}{code}", refusal.status);
    if refusal.passes { Err(Broken(reason)) } else { Ok(DeliveryOutcome::Refused { reason }) }
}

/// The token, where the server wants one.
async fn token(server: &Fhir) -> Result<Option<String>, String> {
    let Some(file) = &server.token_file else { return Ok(None) };
    let text = tokio::fs::read_to_string(file).await;
    let text = text.map_err(|error| format!("token_file cannot be read: {}", error.kind()))?;
    Ok(Some(text.trim().to_owned()))
}
