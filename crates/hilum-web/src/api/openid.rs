//! Signing in by an OpenID provider: who there is, the way there, and the way back.

use std::sync::Arc;

use axum::{
    Json,
    extract::{
        Path, Query, State,
        rejection::{PathRejection, QueryRejection},
    },
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use hilum_engine::accounts::{AccountError, Departure, Returned, Signed};
use hilum_engine::{AccountId, EngineError, Whence};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    cookie,
    error::ApiError,
    guard::Arrival,
    openapi::Typed,
    openid::{Errand, OpenIdFault, Provider, is_own_page},
    sent::Sent,
    server::Server,
};

/// Where whoever links an identity comes back to.
pub(super) const SETTINGS: &str = "/settings/sign-in";
const SIGN_IN: &str = "/sign-in";

/// `GET /api/v1/openid`, one of them: a provider that people may sign in by.
#[derive(Serialize, ToSchema)]
pub(super) struct ProviderView {
    /// Stands in addresses.
    id: String,
    /// Stands on the button.
    name: String,
    /// What its identities are told by.
    issuer: String,
}

pub(super) async fn list(State(server): State<Server>) -> Json<Vec<ProviderView>> {
    let view = |provider: &crate::openid::OpenIdProvider| ProviderView {
        id: provider.id.as_str().to_owned(),
        name: provider.name.clone(),
        issuer: provider.issuer.as_str().to_owned(),
    };
    Json(server.openid.iter().map(view).collect())
}

/// `POST /api/v1/openid/{provider}`
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Begin {
    /// The page of ours that is opened after the sign-in.
    #[serde(default)]
    #[schema(max_length = 256, pattern = r"^/(?!(api|dicom-web|wado)(/|$))([A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*/?)?$")]
    return_to: Option<String>,
}

/// Where the browser is to go.
#[derive(Serialize, ToSchema)]
pub(super) struct Location {
    location: String,
}

pub(super) async fn begin(
    State(server): State<Server>,
    provider: Result<Path<String>, PathRejection>,
    arrival: Arrival,
    headers: HeaderMap,
    Sent(Begin { return_to }): Sent<Begin>,
) -> Result<Typed<Json<Location>>, ApiError> {
    let Path(provider) = provider?;
    let returns = return_to.unwrap_or_else(|| "/".to_owned());
    if !is_own_page(&returns) {
        return Err(ApiError::bad_request("return_to is no page of this server: expected a path like /studies/1.2.3"));
    }
    depart(&server, &provider, arrival, &headers, &returns, None).await
}

/// Answers where the browser goes, and gives it what it must come back with.
pub(super) async fn depart(
    server: &Server,
    provider: &str,
    arrival: Arrival,
    headers: &HeaderMap,
    returns: &str,
    link: Option<(AccountId, &str)>,
) -> Result<Typed<Json<Location>>, ApiError> {
    let provider = server.openid.find(provider).ok_or_else(unknown_provider)?;
    let id = provider.settings.id.as_str();
    let departure = Departure { provider: id, browser: cookie::openid(headers), returns, link };
    let departed = server.engine.depart(departure).await?;
    let back = callback_address(headers, arrival, provider)?;
    let location = provider.authorization(&departed, &back).await.map_err(|fault| {
        tracing::warn!(provider = id, code = fault.code(), "the way to an OpenID provider is not open");
        ApiError::new(StatusCode::BAD_GATEWAY, fault.code(), fault.to_string())
    })?;
    let mut response = Typed::of(Json(Location { location }));
    let kept = cookie::set_openid(&departed.browser, arrival.secure);
    response.0.headers_mut().append(header::SET_COOKIE, kept.ok_or_else(unwritable)?);
    Ok(response)
}

pub(super) fn unknown_provider() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "not_found", "no provider has this id; GET /api/v1/openid lists them")
}

fn unwritable() -> ApiError {
    ApiError::internal("a cookie that cannot be written")
}

/// The address that a browser knows us by. The guard lets no other name in than those that are ours.
pub(super) fn own_address(headers: &HeaderMap, arrival: Arrival) -> Result<String, ApiError> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = host.ok_or_else(|| ApiError::internal("a request without a host"))?;
    Ok(format!("{}://{host}", if arrival.secure { "https" } else { "http" }))
}

fn callback_address(headers: &HeaderMap, arrival: Arrival, provider: &Provider) -> Result<String, ApiError> {
    let id = provider.settings.id.as_str();
    Ok(format!("{}/api/v1/openid/{id}/callback", own_address(headers, arrival)?))
}

/// RFC 6749 4.1.2 and 4.1.2.1, RFC 9207. What a provider adds besides is not looked at.
#[derive(Default, Deserialize, IntoParams)]
pub(super) struct Answer {
    code: Option<String>,
    state: Option<String>,
    iss: Option<String>,
    error: Option<String>,
}

/// Why nobody is signed in, or nothing linked.
enum Refusal {
    Fault(OpenIdFault),
    Account(AccountError),
}

impl From<OpenIdFault> for Refusal {
    fn from(fault: OpenIdFault) -> Self {
        Self::Fault(fault)
    }
}

impl From<AccountError> for Refusal {
    fn from(error: AccountError) -> Self {
        Self::Account(error)
    }
}

impl From<EngineError> for Refusal {
    fn from(error: EngineError) -> Self {
        Self::Account(error.into())
    }
}

impl Refusal {
    fn code(&self) -> &'static str {
        match self {
            Self::Fault(fault) => fault.code(),
            Self::Account(AccountError::Identity(refusal)) => refusal.code(),
            Self::Account(AccountError::Engine(EngineError::Conflict(_))) => "openid_linked_already",
            Self::Account(AccountError::Engine(error)) => error.code(),
            Self::Account(_) => "internal",
        }
    }
}

/// What the way back led to, and the page that is opened.
enum Arrived {
    SignedIn(Box<Signed>, String),
    Linked,
}

/// A browser comes back. It may come from any site, so that nothing counts but what it brings: the state that went out, in the browser
/// that it went from.
pub(super) async fn callback(
    State(server): State<Server>,
    id: Result<Path<String>, PathRejection>,
    arrival: Arrival,
    headers: HeaderMap,
    answer: Result<Query<Answer>, QueryRejection>,
) -> Result<Response, ApiError> {
    let Path(id) = id?;
    let provider = server.openid.find(&id).ok_or_else(unknown_provider)?;
    // What cannot be read brings no state.
    let answer = answer.map(|Query(answer)| answer).unwrap_or_default();
    let (mut linking, redirect_uri) = (false, callback_address(&headers, arrival, provider)?);
    let visit = Visit { server: &server, provider, whence: arrival.whence, redirect_uri: &redirect_uri };
    let outcome = match visit.returned(&headers, &answer).await {
        Ok(returned) => {
            linking = returned.link.is_some();
            visit.arrive(&answer, returned).await
        }
        Err(refusal) => Err(refusal),
    };
    match outcome {
        Ok(Arrived::SignedIn(signed, returns)) => {
            let mut response = see(&returns)?;
            let kept = cookie::set(&signed.session, arrival.secure).ok_or_else(unwritable)?;
            response.headers_mut().append(header::SET_COOKIE, kept);
            Ok(response)
        }
        Ok(Arrived::Linked) => see(&format!("{SETTINGS}#openid=linked")),
        Err(refusal) => {
            let code = refusal.code();
            tracing::warn!(provider = id, code, "nobody is signed in by an OpenID provider");
            // What the engine refuses is in the trail already.
            if let Refusal::Fault(_) = refusal {
                server.engine.refused_by_provider(arrival.whence, code).await?;
            }
            see(&format!("{}#openid={code}", if linking { SETTINGS } else { SIGN_IN }))
        }
    }
}

/// Somebody at the address that a provider sends browsers back to.
struct Visit<'a> {
    server: &'a Server,
    provider: &'a Arc<Provider>,
    whence: Whence,
    redirect_uri: &'a str,
}

impl Visit<'_> {
    async fn returned(&self, headers: &HeaderMap, answer: &Answer) -> Result<Returned, Refusal> {
        let (Some(state), Some(browser)) = (answer.state.as_deref(), cookie::openid(headers)) else {
            return Err(OpenIdFault::State.into());
        };
        let id = self.provider.settings.id.as_str();
        Ok(self.server.engine.come_back(id, state, browser).await?.ok_or(OpenIdFault::State)?)
    }

    async fn arrive(&self, answer: &Answer, returned: Returned) -> Result<Arrived, Refusal> {
        self.provider.check_issuer(answer.iss.as_deref()).await?;
        match (&answer.error, &answer.code) {
            (Some(error), _) => {
                let denied = ["access_denied", "login_required", "consent_required", "interaction_required"];
                Err(if denied.contains(&error.as_str()) { OpenIdFault::Denied } else { OpenIdFault::Reported }.into())
            }
            (None, None) => Err(OpenIdFault::Reported.into()),
            (None, Some(code)) => {
                let (nonce, verifier) = (&returned.nonce, &returned.verifier);
                let errand = Errand { code, nonce, verifier, redirect_uri: self.redirect_uri };
                let identity = self.provider.redeem(errand).await?;
                let engine = &self.server.engine;
                let Some(account) = returned.link else {
                    let signed = engine.sign_in_by_provider(&identity, self.whence).await?;
                    return Ok(Arrived::SignedIn(Box::new(signed), returned.returns));
                };
                engine.link_own_identity(account, &identity.issuer, &identity.subject, self.whence).await?;
                Ok(Arrived::Linked)
            }
        }
    }
}

/// RFC 9110 15.4.4.
fn see(page: &str) -> Result<Response, ApiError> {
    let page = HeaderValue::from_str(page).map_err(|_| ApiError::internal("a page that cannot be written"))?;
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, page)]).into_response())
}
