//! The OpenID providers that people sign in by.

use hilum_web::ask_provider;

use super::Finding;
use crate::settings::Settings;

/// What the settings alone tell.
pub(super) fn examine(settings: &Settings) -> Vec<Finding> {
    let in_the_clear = settings.openid.iter().filter(|provider| provider.issuer.is_in_the_clear());
    let finding = |id: &str| {
        Finding::warning(
            "openid_in_the_clear",
            format!("openid: the provider {id} is called over http on this machine: its answers are not proven"),
            "use the provider's https address as issuer; http is for tries on one machine",
        )
    };
    in_the_clear.map(|provider| finding(provider.id.as_str())).collect()
}

/// What the providers say of themselves. This goes over the network.
pub async fn ask(settings: &Settings) -> Vec<Finding> {
    let mut findings = Vec::new();
    for provider in &settings.openid {
        let id = provider.id.as_str();
        match ask_provider(provider).await {
            Err(fault) => findings.push(Finding::serious(
                "openid_unusable",
                format!("openid: nobody can sign in by the provider {id} ({}): {fault}", fault.code()),
                "see whether issuer is the provider's own address, whether it runs, and whether this machine reaches it; passwords go on working",
            )),
            Ok(facts) if !facts.pkce && provider.client_secret.is_none() => findings.push(Finding::serious(
                "openid_without_pkce",
                format!("openid: the provider {id} advertises no PKCE, and we have no secret there: whoever sees a code can use it"),
                "configure a client secret, and have the provider check PKCE (S256)",
            )),
            Ok(facts) if !facts.pkce => findings.push(Finding::warning(
                "openid_without_pkce",
                format!("openid: the provider {id} advertises no PKCE; ours is sent, and perhaps not checked"),
                "have the provider check PKCE (S256)",
            )),
            Ok(_) => {}
        }
    }
    findings
}
