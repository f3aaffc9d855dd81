//! What is configured of a provider.

use std::{fmt, path::PathBuf, str::FromStr};

use hilum_engine::Grant;
use thiserror::Error;

use super::fault::OpenIdFault;
use crate::outgoing::is_safe;

/// A provider that people sign in by.
#[derive(Clone, Debug)]
pub struct OpenIdProvider {
    /// Stands in addresses: the provider sends browsers back to `/api/v1/openid/{id}/callback`.
    pub id: ProviderId,
    /// Stands on the button.
    pub name: String,
    /// Where its discovery document is, and who its tokens say they are of.
    pub issuer: Issuer,
    /// What the provider calls us.
    pub client_id: String,
    /// What proves that it is us; a public client has none.
    pub client_secret: Option<ClientSecret>,
    /// What is asked for; `openid` among it.
    pub scopes: Vec<String>,
    /// The claim that names the login of an account that is made.
    pub login_claim: String,
    /// Which claims give which roles.
    pub roles: Vec<ClaimRole>,
    /// Whether an account is made at the first sign-in of somebody to whom `roles` give any.
    pub new_accounts: bool,
    /// Whether who signs out here signs out there too, where the provider offers it.
    pub end_session: bool,
    /// Who signs its certificate; those that everybody knows where not given.
    pub authorities: Option<PathBuf>,
}

/// A claim that gives a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimRole {
    /// Its name; `a.b` also is `b` in the object `a`.
    pub claim: String,
    /// What it is, or holds among others.
    pub value: String,
    /// What it gives.
    pub grant: Grant,
}

/// What proves to the provider that it is us; it is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientSecret(String);

impl ClientSecret {
    /// A secret as it stands in its file.
    pub fn new(secret: String) -> Self {
        Self(secret)
    }

    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientSecret")
    }
}

/// 1 to 32 lower-case letters, digits and `-`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderId(String);

impl ProviderId {
    /// As it stands in addresses.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ProviderId {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let letters = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        let fits = letters && (1..=32).contains(&text.len());
        if fits { Ok(Self(text.to_owned())) } else { Err("expected 1 to 32 lower-case letters, digits and -") }
    }
}

/// An issuer identifier (OpenID Connect Discovery 2): an https address without query and fragment; http on this machine only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer(String);

/// What is no issuer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "expected an https address without query and fragment, as the provider calls itself (http on this machine only)"
)]
pub struct InvalidIssuer;

impl Issuer {
    /// Exactly as it was given: `iss` is compared with it letter by letter.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether what it says can be read on the way.
    pub fn is_in_the_clear(&self) -> bool {
        self.0.starts_with("http://")
    }

    /// OpenID Connect Discovery 4.1.
    pub(super) fn discovery(&self) -> String {
        format!("{}/.well-known/openid-configuration", self.0.trim_end_matches('/'))
    }
}

impl FromStr for Issuer {
    type Err = InvalidIssuer;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = is_safe(text) && text.len() <= 255 && !text.contains(['?', '#']);
        if fits { Ok(Self(text.to_owned())) } else { Err(InvalidIssuer) }
    }
}

/// Why a provider cannot be asked at all.
#[derive(Debug, Error)]
#[error("provider {provider}: {fault}: {reason}")]
pub struct UnusableProvider {
    /// Its id.
    pub provider: String,
    /// What is wrong.
    pub fault: OpenIdFault,
    /// In the operating system's words.
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_https_or_on_this_machine() {
        for good in [
            "https://login.hospital.example",
            "https://login.hospital.example:8443/realms/main",
            "https://login.hospital.example/",
            "http://localhost:8080/realms/main",
            "http://127.0.0.1:4444",
            "http://[::1]:4444/a",
        ] {
            assert_eq!(good.parse::<Issuer>().as_ref().map(Issuer::as_str), Ok(good));
        }
        for bad in [
            "",
            "login.hospital.example",
            "http://login.hospital.example",
            "http://localhost.evil.example",
            "http://127.0.0.1@evil.example/",
            "https://user@login.hospital.example",
            "https://login.hospital.example/?a=b",
            "https://login.hospital.example/#a",
            "https://",
            "https:// login",
            "ftp://login.hospital.example",
            "file:///etc/passwd",
        ] {
            assert!(bad.parse::<Issuer>().is_err(), "{bad}");
        }
        let issuer = |text: &str| text.parse::<Issuer>().unwrap().discovery();
        assert_eq!(issuer("https://a.example/b"), "https://a.example/b/.well-known/openid-configuration");
        assert_eq!(issuer("https://a.example/"), "https://a.example/.well-known/openid-configuration");
    }

    #[test]
    fn a_client_secret_is_not_shown() {
        assert!(!format!("{:?}", ClientSecret::new("unlooked-for".into())).contains("unlooked"));
    }
}
