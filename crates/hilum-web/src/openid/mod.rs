//! Signing in by an OpenID provider: the Authorization Code flow of OpenID Connect Core 1.0, with PKCE (RFC 7636, S256), as a client of
//! discovery (OpenID Connect Discovery 1.0). Nothing that a provider says counts before it is checked, and no request to it waits for
//! longer, or takes more, than a limit.

mod fault;
mod http;
mod id_token;
mod jws;
mod provider;
mod settings;

use std::{sync::Arc, time::Duration};

use tokio::sync::Semaphore;

pub use fault::OpenIdFault;
pub(crate) use provider::{Errand, Provider};
pub use settings::{ClaimRole, ClientSecret, InvalidIssuer, Issuer, OpenIdProvider, ProviderId, UnusableProvider};

/// So many requests to providers are under way at a time.
const MOST_REQUESTS: usize = 16;

/// The providers that people sign in by, in the order of the configuration.
#[derive(Clone, Debug, Default)]
pub(crate) struct Providers(Vec<Arc<Provider>>);

impl Providers {
    pub(crate) fn new(settings: &[OpenIdProvider]) -> Result<Self, UnusableProvider> {
        let turns = Arc::new(Semaphore::new(MOST_REQUESTS));
        let provider = |settings: &OpenIdProvider| Provider::new(settings.clone(), Arc::clone(&turns)).map(Arc::new);
        settings.iter().map(provider).collect::<Result<_, _>>().map(Self)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &OpenIdProvider> {
        self.0.iter().map(|provider| &provider.settings)
    }

    pub(crate) fn find(&self, id: &str) -> Option<&Arc<Provider>> {
        self.0.iter().find(|provider| provider.settings.id.as_str() == id)
    }

    pub(crate) fn of_issuer(&self, issuer: &str) -> Option<&Arc<Provider>> {
        self.0.iter().find(|provider| provider.settings.issuer.as_str() == issuer)
    }
}

/// What a provider says of itself, for who looks after an installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProviderFacts {
    /// It advertises PKCE with S256.
    pub pkce: bool,
}

/// Asks a provider what it says of itself.
pub async fn ask_provider(settings: &OpenIdProvider) -> Result<ProviderFacts, OpenIdFault> {
    let provider = Provider::new(settings.clone(), Arc::new(Semaphore::new(1)));
    provider.map_err(|_| OpenIdFault::Authorities)?.facts().await
}

/// Whether a browser that comes back may be sent there: a path of this server, and nothing that a browser could take for another one's
/// (`//host`, `/\host`) or for an address of ours that does something.
pub(crate) fn is_own_page(path: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
    let first = path.strip_prefix('/').map(|rest| rest.split('/').next().unwrap_or_default());
    path.len() <= 256
        && path.bytes().all(plain)
        && !path.contains("//")
        && first.is_some_and(|first| !["api", "dicom-web", "wado"].contains(&first))
}

/// A request to a provider, with its answer, is over after this.
const PATIENCE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_is_a_page_of_ours() {
        for own in ["/", "/studies/1.2.840.113619.2", "/settings/sign-in", "/admin/accounts"] {
            assert!(is_own_page(own), "{own}");
        }
        for other in [
            "",
            "studies",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example/",
            "/a//b",
            "/%2f%2fevil.example",
            "/a?b=https://evil.example",
            "/a#b",
            "/a\r\nLocation: x",
            "/api/v1/session",
            "/wado",
            "/dicom-web/studies",
            "/@evil.example",
            "javascript:alert(1)",
            &format!("/{}", "a".repeat(256)),
        ] {
            assert!(!is_own_page(other), "{other}");
        }
    }
}
