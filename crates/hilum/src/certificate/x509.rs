//! What we say of a certificate: its fingerprint, until when it holds, whether it vouches for itself (RFC 5280 4.1).

use std::fmt::Write;

use rustls_pki_types::{CertificateDer, pem::PemObject};
use sha2::{Digest, Sha256};
use time::{Date, Month, OffsetDateTime, PrimitiveDateTime, Time};

/// Of the first certificate of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// SHA-256 of the certificate, as `openssl x509 -fingerprint -sha256` and browsers show it.
    pub fingerprint: String,
    pub not_before: OffsetDateTime,
    pub not_after: OffsetDateTime,
    /// Issuer and subject are the same.
    pub self_signed: bool,
}

impl Facts {
    /// None where there is no certificate in PEM form.
    pub fn of(pem: &[u8]) -> Option<Self> {
        let der = CertificateDer::pem_slice_iter(pem).next()?.ok()?;
        let (certificate, _) = sequence(&der)?;
        let (to_be_signed, _) = sequence(certificate)?;
        // version [0], which version 1 leaves out, serialNumber, signature, issuer, validity, subject
        let (first, after_first) = element(to_be_signed)?;
        let after_serial = if first.tag == VERSION { element(after_first)?.1 } else { after_first };
        let (_, after_signature) = element(after_serial)?;
        let (issuer, after_issuer) = element(after_signature)?;
        let (validity, after_validity) = sequence(after_issuer)?;
        let (subject, _) = element(after_validity)?;
        let (not_before, rest) = element(validity)?;
        let (not_after, _) = element(rest)?;
        let fingerprint = Sha256::digest(&der).iter().fold(String::new(), |mut text, byte| {
            let colon = if text.is_empty() { "" } else { ":" };
            write!(text, "{colon}{byte:02X}").expect("a string takes everything");
            text
        });
        Some(Self {
            fingerprint,
            not_before: moment(&not_before)?,
            not_after: moment(&not_after)?,
            self_signed: issuer.content == subject.content,
        })
    }

    /// The day on which it ends.
    pub fn last_day(&self) -> String {
        self.not_after.date().to_string()
    }
}

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xA0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

struct Element<'a> {
    tag: u8,
    content: &'a [u8],
}

/// The first element in DER, and what follows it.
fn element(bytes: &[u8]) -> Option<(Element<'_>, &[u8])> {
    let (&[tag, first], rest) = bytes.split_first_chunk()?;
    let (length, rest) = match first {
        0..=0x7F => (usize::from(first), rest),
        0x81..=0x84 => {
            let (length, rest) = rest.split_at_checked(usize::from(first & 0x7F))?;
            (length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((Element { tag, content }, rest))
}

/// The content of a sequence, and what follows it.
fn sequence(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    element(bytes).filter(|(element, _)| element.tag == SEQUENCE).map(|(element, rest)| (element.content, rest))
}

/// RFC 5280 4.1.2.5: whole seconds in UTC; a year of two digits is 1950 to 2049.
fn moment(element: &Element<'_>) -> Option<OffsetDateTime> {
    let text = std::str::from_utf8(element.content).ok()?.strip_suffix('Z')?;
    let (year, rest) = match element.tag {
        UTC_TIME => {
            let year: i32 = text.get(..2)?.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, text.get(2..)?)
        }
        GENERALIZED_TIME => (text.get(..4)?.parse().ok()?, text.get(4..)?),
        _ => return None,
    };
    let number = |at: usize| rest.get(at..at + 2)?.parse::<u8>().ok();
    let date = Date::from_calendar_date(year, Month::try_from(number(0)?).ok()?, number(2)?).ok()?;
    let time = Time::from_hms(number(4)?, number(6)?, number(8)?).ok()?;
    Some(PrimitiveDateTime::new(date, time).assume_utc())
}
