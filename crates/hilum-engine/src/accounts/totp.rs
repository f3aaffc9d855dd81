//! Codes of authenticators: TOTP (RFC 6238) with what their makers support everywhere, HMAC-SHA-1, six digits and 30 seconds.

use super::secret::random;
use crate::error::EngineError;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use qrcodegen::{QrCode, QrCodeEcc};
use ring::hmac;
use serde::Serialize;
use std::fmt::Write as _;
use zeroize::Zeroizing;

/// Seconds of a time step (RFC 6238 5.2).
const STEP: i64 = 30;
/// Steps that a clock may be early or late (5.2: at most one).
const SKEW: i64 = 1;
const DIGITS: u32 = 6;
/// RFC 4226 4 R6: at least 128 bits, 160 recommended.
const SECRET: usize = 20;

/// A shared secret.
pub(super) struct TotpSecret(Zeroizing<Vec<u8>>);

impl TotpSecret {
    pub(super) fn random() -> Result<Self, EngineError> {
        let bytes = Zeroizing::new(random::<SECRET>()?);
        Ok(Self(Zeroizing::new(bytes.to_vec())))
    }

    pub(super) fn of(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The step around `seconds` (since 1970 UTC) that has this code.
    pub(super) fn step_of(&self, code: &str, seconds: i64) -> Option<i64> {
        let now = seconds.div_euclid(STEP);
        // The latest first: who is late has used the others up.
        (now - SKEW..=now + SKEW).rev().find(|step| same(self.code(*step).as_bytes(), code.as_bytes()))
    }

    /// RFC 4226 5.3.
    fn code(&self, step: i64) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.0);
        let tag = hmac::sign(&key, &step.to_be_bytes());
        let tag = tag.as_ref();
        let offset = usize::from(tag[tag.len() - 1] & 0xF);
        let number = tag[offset..offset + 4].iter().fold(0_u32, |number, byte| number << 8 | u32::from(*byte));
        let digits = DIGITS as usize;
        format!("{:0digits$}", (number & 0x7FFF_FFFF) % 10_u32.pow(DIGITS))
    }

    /// What an authenticator needs to know. `account` and `issuer` are what it shows.
    pub(super) fn shown(&self, issuer: &str, account: &str) -> Result<NewAuthenticator, EngineError> {
        let secret = base32(&self.0);
        let (label, issuer) = (percent(&format!("{issuer}:{account}")), percent(issuer));
        let uri = format!(
            "otpauth://totp/{label}?secret={secret}&issuer={issuer}&algorithm=SHA1&digits={DIGITS}&period={STEP}"
        );
        let qr = QrCode::encode_text(&uri, QrCodeEcc::Medium)
            .map_err(|error| EngineError::Internal(format!("no QR code holds the secret: {error:?}")))?;
        Ok(NewAuthenticator { secret, uri, qr: QrPicture::of(&qr) })
    }
}

/// A shared secret as an authenticator takes it; shown once.
#[derive(Clone, Serialize, utoipa::ToSchema)]
pub struct NewAuthenticator {
    /// Base32 (RFC 4648), to be typed.
    pub secret: String,
    /// `otpauth://totp/...`, the form that authenticators agree on.
    pub uri: String,
    /// The same as a picture.
    pub qr: QrPicture,
}

impl std::fmt::Debug for NewAuthenticator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NewAuthenticator(hidden)")
    }
}

/// A QR code (ISO/IEC 18004) as an SVG path.
#[derive(Clone, Serialize, utoipa::ToSchema)]
pub struct QrPicture {
    /// Modules of a side, with four of quiet zone at each edge.
    pub size: i32,
    /// `d` of the path: the dark modules.
    pub path: String,
}

/// Modules around a code (6.3.8).
const QUIET: i32 = 4;

impl QrPicture {
    fn of(code: &QrCode) -> Self {
        let mut path = String::new();
        for y in 0..code.size() {
            let mut x = 0;
            while x < code.size() {
                let run = (x..code.size()).take_while(|&x| code.get_module(x, y)).count() as i32;
                if run > 0 {
                    // Writing into a text does not fail.
                    write!(path, "M{} {}h{run}v1h-{run}z", x + QUIET, y + QUIET).unwrap_or_default();
                }
                x += run.max(1);
            }
        }
        Self { size: code.size() + 2 * QUIET, path }
    }
}

/// In a time that does not tell where they differ.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |different, (a, b)| different | (a ^ b)) == 0
}

/// RFC 3986 2.1.
fn percent(text: &str) -> String {
    const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    utf8_percent_encode(text, RESERVED).to_string()
}

/// RFC 4648 6, without padding.
pub(crate) fn base32(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let five = |chunk: &[u8]| {
        let bits = chunk.iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte)) << (8 * (5 - chunk.len()));
        let letters = (chunk.len() * 8).div_ceil(5);
        (0..letters).map(move |index| char::from(LETTERS[(bits >> (35 - 5 * index)) as usize & 31])).collect::<String>()
    };
    bytes.chunks(5).map(five).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vectors() -> TotpSecret {
        TotpSecret::of(Zeroizing::new(b"12345678901234567890".to_vec()))
    }

    /// RFC 6238 appendix B, SHA1: the last six of its eight digits, as both are the same number modulo a power of ten.
    #[test]
    fn codes_are_those_of_rfc_6238() {
        let table = [
            (59, "94287082"),
            (1_111_111_109, "07081804"),
            (1_111_111_111, "14050471"),
            (1_234_567_890, "89005924"),
            (2_000_000_000, "69279037"),
            (20_000_000_000, "65353130"),
        ];
        for (seconds, code) in table {
            assert_eq!(vectors().code(seconds / STEP), code[2..], "{seconds}");
            assert_eq!(vectors().step_of(&code[2..], seconds), Some(seconds / STEP));
        }
    }

    /// RFC 4226 appendix D.
    #[test]
    fn codes_are_those_of_rfc_4226() {
        let codes =
            ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"];
        for (step, code) in (0..).zip(codes) {
            assert_eq!(vectors().code(step), code);
        }
    }

    #[test]
    fn a_clock_may_be_one_step_off_and_no_more() {
        let at = 1_111_111_111;
        for (off, taken) in [(-60, false), (-30, true), (0, true), (30, true), (60, false)] {
            assert_eq!(vectors().step_of("050471", at + off).is_some(), taken, "{off}");
        }
        for wrong in ["", "50471", "0050471", "050472", "０５０４７１", "05047１"] {
            assert_eq!(vectors().step_of(wrong, at), None, "{wrong}");
        }
    }

    /// RFC 4648 10.
    #[test]
    fn base32_is_that_of_rfc_4648() {
        for (bytes, text) in [
            ("", ""),
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("foo", "MZXW6"),
            ("foob", "MZXW6YQ"),
            ("fooba", "MZXW6YTB"),
            ("foobar", "MZXW6YTBOI"),
        ] {
            assert_eq!(base32(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn the_picture_says_what_the_text_says() {
        let secret = TotpSecret::random().unwrap();
        let shown = secret.shown("Hilum 병원", "kim.minji@hospital.example").unwrap();
        assert!(
            shown.uri.starts_with("otpauth://totp/Hilum%20%EB%B3%91%EC%9B%90%3Akim.minji%40hospital.example?secret=")
        );
        assert!(shown.uri.contains(&format!("secret={}&", shown.secret)), "{}", shown.uri);
        // Drawn from the path, four pixels a module, and read by rqrr, which shares nothing with what wrote it.
        let side = shown.qr.size as usize;
        let mut dark = vec![false; side * side];
        for run in shown.qr.path.split('M').skip(1) {
            let numbers: Vec<usize> =
                run.split(|letter: char| !letter.is_ascii_digit()).filter_map(|text| text.parse().ok()).collect();
            dark[numbers[1] * side + numbers[0]..][..numbers[2]].fill(true);
        }
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(side * 4, side * 4, |x, y| {
            if dark[y / 4 * side + x / 4] { 0 } else { 255 }
        });
        let grids = image.detect_grids();
        assert_eq!(grids[0].decode().unwrap().1, shown.uri);
    }
}
