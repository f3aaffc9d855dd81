//! What an ID token must say to be believed (OpenID Connect Core 3.1.3.7 and 3.1.3.8).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::digest;
use serde_json::{Map, Value};

use super::{
    fault::OpenIdFault,
    jws::{Algorithm, Keys},
};

/// Clocks may differ by so much, s.
const SKEW: i64 = 60;
/// A token that was issued longer ago is of no sign-in that goes on now, s.
const OLDEST: i64 = 600;
/// OpenID Connect Core 2.
const LONGEST_SUBJECT: usize = 255;

/// What is known of the sign-in before its token comes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) client_id: &'a str,
    pub(super) nonce: &'a str,
    pub(super) access_token: Option<&'a str>,
    /// Seconds since 1970 UTC.
    pub(super) now: i64,
}

/// The claims of a token that is believed.
#[derive(Clone, Debug)]
pub(super) struct Claims(Map<String, Value>);

impl Claims {
    /// The claims, if the token is the provider's, for us, of this sign-in, and of now.
    pub(super) fn verified(token: &str, keys: &Keys, expected: Expected<'_>) -> Result<Self, OpenIdFault> {
        let (algorithm, payload) = keys.verified(token)?;
        let claims: Map<String, Value> = serde_json::from_slice(&payload).map_err(|_| OpenIdFault::Token)?;
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        if text("iss") != Some(expected.issuer) {
            return Err(OpenIdFault::Issuer);
        }
        let audiences: Vec<&str> = match claims.get("aud") {
            Some(Value::String(one)) => vec![one],
            // Something that is no text names nobody that we could trust, and makes it several.
            Some(Value::Array(several)) => several.iter().map(|one| one.as_str().unwrap_or_default()).collect(),
            _ => Vec::new(),
        };
        if !audiences.contains(&expected.client_id) {
            return Err(OpenIdFault::Audience);
        }
        let party = claims.get("azp").map(Value::as_str);
        if party.is_some_and(|party| party != Some(expected.client_id)) || party.is_none() && audiences.len() > 1 {
            return Err(OpenIdFault::AuthorizedParty);
        }
        let seconds = |name: &str| claims.get(name).and_then(Value::as_f64).filter(|time| time.is_finite());
        let now = expected.now as f64;
        let (skew, oldest) = (SKEW as f64, OLDEST as f64);
        if seconds("exp").is_none_or(|end| end + skew <= now) {
            return Err(OpenIdFault::Expired);
        }
        if claims.contains_key("nbf") && seconds("nbf").is_none_or(|begin| begin - skew > now) {
            return Err(OpenIdFault::Expired);
        }
        if seconds("iat").is_none_or(|issued| issued - skew > now || issued + oldest < now) {
            return Err(OpenIdFault::IssuedAt);
        }
        if text("nonce") != Some(expected.nonce) {
            return Err(OpenIdFault::Nonce);
        }
        if let Some(hash) = claims.get("at_hash") {
            let own = expected.access_token.map(|token| access_token_hash(algorithm, token));
            if own.is_none() || own.as_deref() != hash.as_str() {
                return Err(OpenIdFault::AccessTokenHash);
            }
        }
        let names_somebody = |subject: &str| {
            (1..=LONGEST_SUBJECT).contains(&subject.len()) && subject.bytes().all(|byte| (0x20..0x7F).contains(&byte))
        };
        if !text("sub").is_some_and(names_somebody) {
            return Err(OpenIdFault::Subject);
        }
        Ok(Self(claims))
    }

    /// `sub`
    pub(super) fn subject(&self) -> &str {
        self.text("sub").unwrap_or_default()
    }

    /// A claim that is a text.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.value(name).and_then(Value::as_str)
    }

    /// Whether a claim is this text, or a list that holds it.
    pub(super) fn holds(&self, name: &str, wanted: &str) -> bool {
        match self.value(name) {
            Some(Value::String(text)) => text == wanted,
            Some(Value::Array(list)) => list.iter().any(|one| one.as_str() == Some(wanted)),
            _ => false,
        }
    }

    /// A claim by its name, or by the names that lead to it.
    fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name).or_else(|| {
            let mut names = name.split('.');
            let first = self.0.get(names.next()?)?;
            names.try_fold(first, |value, name| value.get(name))
        })
    }
}

/// OpenID Connect Core 3.1.3.6: the left half of the hash that the signature is made of.
fn access_token_hash(algorithm: Algorithm, token: &str) -> String {
    let hash = match algorithm {
        Algorithm::Rs256 | Algorithm::Ps256 | Algorithm::Es256 => &digest::SHA256,
        // RFC 8032 5.1: Ed25519 is made of SHA-512.
        Algorithm::EdDsa => &digest::SHA512,
    };
    let hash = digest::digest(hash, token.as_bytes());
    URL_SAFE_NO_PAD.encode(&hash.as_ref()[..hash.as_ref().len() / 2])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// OpenID Connect Core A.3: access token and at_hash of an RS256 token.
    #[test]
    fn the_hash_of_an_access_token_is_that_of_the_specification() {
        let hash = access_token_hash(Algorithm::Rs256, "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y");
        assert_eq!(hash, "77QmUPtjPfzWtF2AnpK9RQ");
    }

    #[test]
    fn claims_are_found_by_their_name_or_by_the_names_that_lead_to_them() {
        let claims = serde_json::json!({
            "groups": ["radiology-ksh", 7], "department": "radiology", "realm_access": {"roles": ["reader"]}, "a.b": "flat", "a": {"b": "deep"},
        });
        let Value::Object(claims) = claims else { unreachable!() };
        let claims = Claims(claims);
        for (name, value, held) in [
            ("groups", "radiology-ksh", true),
            ("groups", "radiology", false),
            ("groups", "7", false),
            ("department", "radiology", true),
            ("department", "radio", false),
            ("realm_access.roles", "reader", true),
            ("realm_access", "reader", false),
            ("a.b", "flat", true),
            ("a.b", "deep", false),
            ("missing", "", false),
        ] {
            assert_eq!(claims.holds(name, value), held, "{name} {value}");
        }
    }
}
