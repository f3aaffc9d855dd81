//! One provider: what it says of itself, where browsers are sent, and what a code is worth.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use hilum_engine::accounts::{Departed, ProvenIdentity};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use ring::digest;
use serde::Deserialize;
use time::OffsetDateTime;
use tokio::sync::{Mutex, Semaphore};

use super::{
    ProviderFacts,
    fault::OpenIdFault,
    http::Http,
    id_token::{Claims, Expected},
    jws::Keys,
    settings::{OpenIdProvider, UnusableProvider},
};
use crate::outgoing::is_safe;

/// What a provider says of itself is asked for again after this.
const FRESH: Duration = Duration::from_hours(1);
/// A provider that failed is not asked again before this.
const PAUSE: Duration = Duration::from_secs(5);
/// Keys are asked for again, for a token whose key is not among them, no more often than this.
const ROTATION: Duration = Duration::from_mins(1);

/// OpenID Connect Discovery 3, as far as it is used here.
#[derive(Clone, Debug, Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    end_session_endpoint: Option<String>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    code_challenge_methods_supported: Vec<String>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

#[derive(Debug, Default)]
struct Known {
    document: Option<(Instant, Arc<Document>)>,
    keys: Option<(Instant, Arc<Keys>)>,
    rotated: Option<Instant>,
    failed: Option<(Instant, OpenIdFault)>,
}

/// A provider with what is known of it.
#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) settings: OpenIdProvider,
    http: Http,
    known: Mutex<Known>,
}

/// Somebody came back: what the provider gave them, and what belongs to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Errand<'a> {
    pub(crate) code: &'a str,
    pub(crate) nonce: &'a str,
    pub(crate) verifier: &'a str,
    /// Where the provider sent them, as it was told.
    pub(crate) redirect_uri: &'a str,
}

/// RFC 6749 5.1.
#[derive(Deserialize)]
struct TokenAnswer {
    id_token: String,
    access_token: Option<String>,
}

/// RFC 6749 5.2.
#[derive(Deserialize)]
struct Refusal {
    error: String,
}

impl Provider {
    pub(super) fn new(settings: OpenIdProvider, turns: Arc<Semaphore>) -> Result<Self, UnusableProvider> {
        let http = Http::new(settings.authorities.as_deref(), turns).map_err(|reason| UnusableProvider {
            provider: settings.id.as_str().to_owned(),
            fault: OpenIdFault::Authorities,
            reason,
        })?;
        Ok(Self { settings, http, known: Mutex::default() })
    }

    /// Where a browser is sent to sign in (OpenID Connect Core 3.1.2.1).
    pub(crate) async fn authorization(&self, departed: &Departed, redirect_uri: &str) -> Result<String, OpenIdFault> {
        let document = self.document().await?;
        let challenge = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, departed.verifier.as_bytes()));
        let scopes = self.settings.scopes.join(" ");
        Ok(with_query(
            &document.authorization_endpoint,
            &[
                ("response_type", "code"),
                ("client_id", &self.settings.client_id),
                ("redirect_uri", redirect_uri),
                ("scope", &scopes),
                ("state", &departed.state),
                ("nonce", &departed.nonce),
                ("code_challenge", &challenge),
                ("code_challenge_method", "S256"),
            ],
        ))
    }

    /// Refused unless the answer is this provider's (RFC 9207 2.4).
    pub(crate) async fn check_issuer(&self, told: Option<&str>) -> Result<(), OpenIdFault> {
        let right = match told {
            Some(told) => told == self.settings.issuer.as_str(),
            None => !self.document().await?.authorization_response_iss_parameter_supported,
        };
        if right { Ok(()) } else { Err(OpenIdFault::AnswerIssuer) }
    }

    /// What a code is worth (OpenID Connect Core 3.1.3).
    pub(crate) async fn redeem(&self, errand: Errand<'_>) -> Result<ProvenIdentity, OpenIdFault> {
        let document = self.document().await?;
        let (authorization, form) = self.token_request(&document, errand)?;
        let (status, body) = self.http.post(&document.token_endpoint, authorization, form).await?;
        // RFC 6749 5.2.
        if status.is_client_error() {
            let said = serde_json::from_slice::<Refusal>(&body).map(|refusal| refusal.error);
            let client = said.is_ok_and(|error| ["invalid_client", "unauthorized_client"].contains(&error.as_str()));
            return Err(if client { OpenIdFault::ClientRefused } else { OpenIdFault::CodeRefused });
        }
        if status.as_u16() != 200 {
            return Err(OpenIdFault::Refused(status.as_u16()));
        }
        let answer: TokenAnswer =
            serde_json::from_slice(&body).map_err(|_| OpenIdFault::Unreadable("the answer with the ID token"))?;
        let expected = Expected {
            issuer: self.settings.issuer.as_str(),
            client_id: &self.settings.client_id,
            nonce: errand.nonce,
            access_token: answer.access_token.as_deref(),
            now: OffsetDateTime::now_utc().unix_timestamp(),
        };
        let claims = match Claims::verified(&answer.id_token, &*self.keys(&document).await?, expected) {
            Err(OpenIdFault::UnknownKey) => {
                let keys = self.rotated_keys(&document).await?.ok_or(OpenIdFault::UnknownKey)?;
                Claims::verified(&answer.id_token, &keys, expected)?
            }
            verified => verified?,
        };
        Ok(self.proven(&claims))
    }

    fn proven(&self, claims: &Claims) -> ProvenIdentity {
        let given = self.settings.roles.iter().filter(|role| claims.holds(&role.claim, &role.value));
        ProvenIdentity {
            issuer: self.settings.issuer.as_str().to_owned(),
            subject: claims.subject().to_owned(),
            login: claims.text(&self.settings.login_claim).map(str::to_owned),
            name: claims.text("name").unwrap_or_default().to_owned(),
            grants: given.map(|role| role.grant.clone()).collect(),
            joins: self.settings.new_accounts,
        }
    }

    fn token_request(&self, document: &Document, errand: Errand<'_>) -> Result<(Option<String>, String), OpenIdFault> {
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", errand.code),
            ("redirect_uri", errand.redirect_uri),
            ("code_verifier", errand.verifier),
        ];
        let id = &self.settings.client_id;
        let Some(secret) = &self.settings.client_secret else {
            form.push(("client_id", id));
            return Ok((None, query(&form)));
        };
        let methods = document.token_endpoint_auth_methods_supported.as_deref();
        let takes = |method: &str| methods.is_some_and(|methods| methods.iter().any(|one| one == method));
        // OpenID Connect Discovery 3: where nothing is said it is Basic.
        if methods.is_none() || takes("client_secret_basic") {
            // RFC 6749 2.3.1: both are encoded as in a form first.
            let shown = format!("{}:{}", encoded(id), encoded(secret.expose()));
            return Ok((Some(format!("Basic {}", STANDARD.encode(shown))), query(&form)));
        }
        if takes("client_secret_post") {
            form.extend([("client_id", id.as_str()), ("client_secret", secret.expose())]);
            return Ok((None, query(&form)));
        }
        Err(OpenIdFault::ClientAuthentication)
    }

    /// Where a browser is sent to sign out, where the provider offers it (OpenID Connect RP-Initiated Logout 2).
    pub(crate) async fn end_session(&self, back: &str) -> Option<String> {
        if !self.settings.end_session {
            return None;
        }
        let document = self.document().await.ok()?;
        let endpoint = document.end_session_endpoint.as_deref()?;
        let client_id = self.settings.client_id.as_str();
        Some(with_query(endpoint, &[("client_id", client_id), ("post_logout_redirect_uri", back)]))
    }

    pub(super) async fn facts(&self) -> Result<ProviderFacts, OpenIdFault> {
        let document = self.document().await?;
        self.keys(&document).await?;
        Ok(ProviderFacts { pkce: document.code_challenge_methods_supported.iter().any(|method| method == "S256") })
    }

    /// What the provider says of itself. Whoever comes while it is asked waits for the same answer.
    async fn document(&self) -> Result<Arc<Document>, OpenIdFault> {
        let mut known = self.known.lock().await;
        if let Some((since, document)) = &known.document
            && since.elapsed() < FRESH
        {
            return Ok(Arc::clone(document));
        }
        if let Some((since, fault)) = known.failed
            && since.elapsed() < PAUSE
        {
            return Err(fault);
        }
        match self.discover().await {
            Ok(document) => {
                let document = Arc::new(document);
                *known = Known { document: Some((Instant::now(), Arc::clone(&document))), ..Known::default() };
                Ok(document)
            }
            Err(fault) => {
                known.failed = Some((Instant::now(), fault));
                Err(fault)
            }
        }
    }

    async fn discover(&self) -> Result<Document, OpenIdFault> {
        let issuer = &self.settings.issuer;
        let document: Document = self.http.get(&issuer.discovery(), "the discovery document").await?;
        if document.issuer != issuer.as_str() {
            return Err(OpenIdFault::OtherIssuer);
        }
        let addresses = [
            ("authorization_endpoint", Some(&document.authorization_endpoint)),
            ("token_endpoint", Some(&document.token_endpoint)),
            ("jwks_uri", Some(&document.jwks_uri)),
            ("end_session_endpoint", document.end_session_endpoint.as_ref()),
        ];
        for (name, address) in addresses {
            let downgraded = |address: &String| !issuer.is_in_the_clear() && !address.starts_with("https://");
            if address.is_some_and(|address| !is_safe(address) || downgraded(address)) {
                return Err(OpenIdFault::Insecure(name));
            }
        }
        Ok(document)
    }

    async fn keys(&self, document: &Document) -> Result<Arc<Keys>, OpenIdFault> {
        let mut known = self.known.lock().await;
        if let Some((since, keys)) = &known.keys
            && since.elapsed() < FRESH
        {
            return Ok(Arc::clone(keys));
        }
        let keys = Arc::new(self.http.get(&document.jwks_uri, "the set of keys").await?);
        known.keys = Some((Instant::now(), Arc::clone(&keys)));
        Ok(keys)
    }

    /// The keys anew, for a token whose key is not among them; none where that was tried a moment ago.
    async fn rotated_keys(&self, document: &Document) -> Result<Option<Arc<Keys>>, OpenIdFault> {
        let mut known = self.known.lock().await;
        if known.rotated.is_some_and(|since| since.elapsed() < ROTATION) {
            return Ok(None);
        }
        known.rotated = Some(Instant::now());
        let keys = Arc::new(self.http.get(&document.jwks_uri, "the set of keys").await?);
        known.keys = Some((Instant::now(), Arc::clone(&keys)));
        Ok(Some(keys))
    }
}

/// An address with more in its query.
fn with_query(address: &str, pairs: &[(&str, &str)]) -> String {
    let address = address.split('#').next().unwrap_or_default();
    let joint = if address.contains('?') { '&' } else { '?' };
    format!("{address}{joint}{}", query(pairs))
}

/// `application/x-www-form-urlencoded`
fn query(pairs: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    pairs.join("&")
}

/// RFC 3986 2.1: all but the unreserved characters by their bytes.
fn encoded(text: &str) -> String {
    const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    utf8_percent_encode(text, RESERVED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_keep_their_own_query_and_values_are_encoded() {
        let pairs = [("scope", "openid profile"), ("redirect_uri", "http://127.0.0.1:1/a?b=c&d")];
        assert_eq!(
            with_query("https://a.example/authorize?tenant=1#x", &pairs),
            "https://a.example/authorize?tenant=1&scope=openid%20profile&redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2Fa%3Fb%3Dc%26d"
        );
        assert_eq!(encoded("김/+ ~"), "%EA%B9%80%2F%2B%20~");
    }
}
