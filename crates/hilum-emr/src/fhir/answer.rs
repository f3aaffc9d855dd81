//! What a server says to a transaction.

use serde_json::Value;

/// Why a server has not taken a transaction: its own code, never its words, which may quote what it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// Code of the first issue of its OperationOutcome (R4 issue-type).
    pub code: Option<String>,
    /// Whether the same may be taken later without anybody's doing: the server is busy or fails.
    pub passes: bool,
}

/// Whether a server has taken the whole transaction (R4 3.1.0.11.1: all of it, or nothing).
pub fn taken(status: u16, body: &[u8]) -> Result<(), Refusal> {
    let answer: Option<Value> = serde_json::from_slice(body).ok();
    let refused = |status, code| Err(Refusal { status, code, passes: matches!(status, 408 | 425 | 429 | 500..) });
    if status != 200 {
        return refused(status, answer.as_ref().and_then(issue));
    }
    let Some(answer) = answer else { return refused(status, Some("not-fhir".to_owned())) };
    let entries = answer["entry"].as_array().map(Vec::as_slice).unwrap_or_default();
    if answer["type"] != "transaction-response" || entries.is_empty() {
        return refused(status, Some("no-transaction-response".to_owned()));
    }
    for entry in entries {
        let status = entry["response"]["status"].as_str().and_then(|status| status.get(..3)?.parse::<u16>().ok());
        match status {
            Some(200..=299) => {}
            other => return refused(other.unwrap_or(200), issue(&entry["response"]["outcome"])),
        }
    }
    Ok(())
}

fn issue(outcome: &Value) -> Option<String> {
    let code = outcome["issue"][0]["code"].as_str()?;
    let plain = (1..=40).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    plain.then(|| code.to_owned())
}
