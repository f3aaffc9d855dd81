//! What to do when a peer cannot be asked.

use hilum_dimse::{Peer, ScuError};

use crate::settings::Settings;

/// The failure and what to do about it, for the person at the terminal. A peer's own words are shown, and never logged.
pub fn explain(error: &ScuError, peer: &Peer, settings: &Settings) -> anyhow::Error {
    let Peer { ae_title, host, port, .. } = peer;
    let us = &settings.ae_title;
    let advice = match error {
        ScuError::Connect { .. } if peer.tls => format!(
            "is {ae_title} running at {host}:{port} and speaking TLS, is its certificate signed by one of [tls] authorities, \
             and does it name {host}?"
        ),
        ScuError::Connect { .. } => {
            format!("is {ae_title} running at {host}:{port}, and does a firewall let us through?")
        }
        ScuError::TimedOut { .. } => {
            format!("{host}:{port} does not answer; is it the DICOM port of {ae_title}, and does it expect TLS?")
        }
        ScuError::NoTls { .. } => "configure [tls] with certificate, key and authorities".to_owned(),
        ScuError::Rejected { transient: true, .. } => "try again later".to_owned(),
        ScuError::Rejected { .. } => format!(
            "it must know us by the AE title {us} and this machine's address, and we it by its own AE title: compare both \
             configurations"
        ),
        ScuError::NotOffered(_) => {
            format!("allow {us} this service in the configuration of {ae_title}, where it has it")
        }
        ScuError::Aborted(_) | ScuError::Cut(_) => {
            format!("look into the log of {ae_title}; a peer that expects TLS cuts connections in the clear")
        }
        ScuError::Status { code, comment } => {
            let meaning = match code {
                0xA700..=0xA7FF => "it is out of resources: ask for less, or later",
                0xA801 => "it does not know where we are: register our AE title, address and port there, or use C-GET",
                0xA900 => "it refuses the keys at this level",
                0x0124 => "it does not allow us to",
                _ => "its log says more",
            };
            let words: String = comment.chars().filter(|c| !c.is_control()).collect();
            if words.is_empty() { meaning.to_owned() } else { format!("{meaning}; it says: {words}") }
        }
        ScuError::Protocol(_) | ScuError::NoSuchService | ScuError::DataSet(_) | ScuError::Answer(_) => {
            return anyhow::anyhow!("{ae_title}: {error}");
        }
    };
    anyhow::anyhow!("{ae_title}: {error} ({advice})")
}
