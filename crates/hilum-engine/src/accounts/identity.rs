//! Signing in by an OpenID provider, and which of its identities belong to whom. What a provider says is checked before it comes here.

use super::manage::name_of;
use super::sign_in::{AccountError, Signed, events_of, login_of, milliseconds, of_itself, system};
use super::{Caller, manages, secret};
use crate::access::{AccountId, Actor, Grant, Scope, Whence};
use crate::audit::{Action, AuditEvent, Detail};
use crate::catalog::{CatalogError, ClaimedIdentity, IdentityRow, IdentitySession, NewAttempt, now, rfc3339};
use crate::engine::Engine;
use crate::error::EngineError;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long somebody may be at a provider.
const AWAY: Duration = Duration::from_mins(15);
/// What names an identity is no longer (OpenID Connect Core 2: `sub` has at most 255 ASCII characters).
const LONGEST: usize = 255;

/// `GET /api/v1/identities`, one of them: somebody whom an OpenID provider knows, and whose account that is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct IdentityView {
    /// Number.
    pub id: i64,
    /// The provider (`iss`).
    pub issuer: String,
    /// Whom the provider calls so (`sub`).
    pub subject: String,
    /// RFC 3339.
    pub linked_at: String,
    /// RFC 3339: the last sign-in by it.
    pub last_used_at: Option<String>,
}

/// What a provider proved and claims of somebody.
#[derive(Clone, Debug)]
pub struct ProvenIdentity {
    /// `iss`
    pub issuer: String,
    /// `sub`
    pub subject: String,
    /// What an account that is made for it is called, where the claims say so.
    pub login: Option<String>,
    /// Its holder's name.
    pub name: String,
    /// The roles that its claims give.
    pub grants: Vec<Grant>,
    /// Whether an account is made where none has this identity, and the claims give a role.
    pub joins: bool,
}

/// Where somebody who goes to a provider comes back to, and what for.
#[derive(Clone, Copy, Debug)]
pub struct Departure<'a> {
    /// Which provider.
    pub provider: &'a str,
    /// What this browser keeps from an earlier departure.
    pub browser: Option<&'a str>,
    /// A path of ours.
    pub returns: &'a str,
    /// Who, in which session, wants to link an identity.
    pub link: Option<(AccountId, &'a str)>,
}

/// What goes to the provider, and what the browser keeps (RFC 6749 10.12, RFC 7636, OpenID Connect Core 3.1.2.1).
#[derive(Clone, Debug)]
pub struct Departed {
    /// What the browser keeps in a cookie; of two tabs the same.
    pub browser: String,
    /// Comes back with the code.
    pub state: String,
    /// Comes back in the ID token.
    pub nonce: String,
    /// Shown with the code; before that only its SHA-256 is.
    pub verifier: String,
}

/// Somebody who came back from a provider, in the browser that went.
#[derive(Clone, Debug)]
pub struct Returned {
    /// What the ID token must hold.
    pub nonce: String,
    /// What is shown with the code.
    pub verifier: String,
    /// A path of ours.
    pub returns: String,
    /// Who links an identity; the session is still there.
    pub link: Option<AccountId>,
}

impl Engine {
    /// Notes that somebody goes to a provider. Nothing that is kept lets anybody come back in their place: the browser has a secret, and from it
    /// and the state come nonce and verifier.
    pub async fn depart(&self, departure: Departure<'_>) -> Result<Departed, EngineError> {
        let browser = match departure.browser.filter(|kept| is_secret(kept)) {
            Some(kept) => kept.to_owned(),
            None => secret::new()?,
        };
        let state = secret::new()?;
        let session = departure.link.map(|(account, session)| (account, secret::digest(session)));
        let new = NewAttempt {
            state: &secret::digest(&state),
            browser: &secret::digest(&browser),
            provider: departure.provider,
            returns: departure.returns,
            link: session.as_ref().map(|(account, session)| (*account, session.as_str())),
            expires_at: now() + milliseconds(AWAY),
        };
        self.catalog().begin_attempt(&system(), new).await?;
        let (nonce, verifier) = proofs(&browser, &state);
        Ok(Departed { browser, state, nonce, verifier })
    }

    /// Who comes back with this state from this provider, in this browser: once, and within a quarter of an hour.
    pub async fn come_back(&self, provider: &str, state: &str, browser: &str) -> Result<Option<Returned>, EngineError> {
        let system = system();
        let (by_state, by_browser) = (secret::digest(state), secret::digest(browser));
        let row = self.catalog().take_attempt(&system, &by_state, &by_browser, provider).await?;
        let Some(row) = row else { return Ok(None) };
        if let Some((account, session)) = &row.link {
            let rules = self.account_rules();
            let (begun, seen) = (now() - milliseconds(rules.session), now() - milliseconds(rules.idle));
            let owner = self.catalog().session(&system, session, begun, seen).await?;
            if owner.is_none_or(|(owner, _)| owner != *account) {
                return Ok(None);
            }
        }
        let (nonce, verifier) = proofs(browser, state);
        Ok(Some(Returned { nonce, verifier, returns: row.returns, link: row.link.map(|(account, _)| account) }))
    }

    /// Signs in whom a provider knows. The account is the one that has the identity, and no other, whatever it is called.
    pub async fn sign_in_by_provider(&self, identity: &ProvenIdentity, whence: Whence) -> Result<Signed, AccountError> {
        let session = secret::new()?;
        let digest = secret::digest(&session);
        let login = identity.login.as_deref().and_then(login_of);
        let claimed = ClaimedIdentity {
            issuer: &identity.issuer,
            subject: &identity.subject,
            login: login.as_deref(),
            // A name is for people to read; one that cannot be shown is none.
            name: name_of(&identity.name).unwrap_or_default(),
            grants: &identity.grants,
            joins: identity.joins,
        };
        let told = |begun: &IdentitySession| signed_in_events(begun, whence);
        match self.catalog().begin_identity_session(&system(), claimed, &digest, told).await? {
            Ok(begun) => {
                self.known().forget();
                Ok(self.remember(begun.account, session, digest))
            }
            Err((refusal, account)) => {
                self.refused_sign_in(whence, account.as_ref(), refusal.code()).await?;
                Err(AccountError::Identity(refusal))
            }
        }
    }

    /// Somebody came back from a provider with something that is no proof; `code` says what.
    pub async fn refused_by_provider(&self, whence: Whence, code: &'static str) -> Result<(), EngineError> {
        self.refused_sign_in(whence, None, code).await
    }

    /// The identity belongs to whoever links it, while they are signed in.
    pub async fn link_own_identity(
        &self,
        account: AccountId,
        issuer: &str,
        subject: &str,
        whence: Whence,
    ) -> Result<IdentityView, EngineError> {
        let row = self.catalog().account(&system(), account).await?.filter(|account| !account.disabled);
        let row = row.ok_or(EngineError::NotFound { what: "account" })?;
        let told = |id| {
            let events = of_itself(account, &row.grants, whence, Action::ChangeAccount, Some("identity_linked"));
            of_identity(events, id)
        };
        Ok(view(self.catalog().link_identity(&system(), account, issuer, subject, told).await?)?)
    }

    /// An administrator links an identity; only who manages all of the account's institutions, for it opens them all.
    pub async fn link_identity(
        &self,
        scope: &Scope,
        account: AccountId,
        issuer: &str,
        subject: &str,
    ) -> Result<IdentityView, EngineError> {
        manages(scope)?;
        let row = self.wholly_managed(scope, account).await?;
        for (field, text) in [("issuer", issuer), ("subject", subject)] {
            if text.is_empty() || text.len() > LONGEST || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(EngineError::BadRequest { field, expected: "1 to 255 printable ASCII characters" });
            }
        }
        let told = |id| of_identity(by_administrator(scope, account, &row.grants, "identity_linked"), id);
        Ok(view(self.catalog().link_identity(scope, account, issuer, subject, told).await?)?)
    }

    /// The caller's own identities.
    pub async fn own_identities(&self, caller: &Caller) -> Result<Vec<IdentityView>, EngineError> {
        self.views(caller.id).await
    }

    /// An account's identities, for who manages all of its institutions.
    pub async fn identities(&self, scope: &Scope, account: AccountId) -> Result<Vec<IdentityView>, EngineError> {
        manages(scope)?;
        self.wholly_managed(scope, account).await?;
        self.views(account).await
    }

    async fn views(&self, account: AccountId) -> Result<Vec<IdentityView>, EngineError> {
        let rows = self.catalog().identities_of(&system(), account).await?;
        Ok(rows.into_iter().map(view).collect::<Result<_, _>>()?)
    }

    /// The caller's identity belongs to it no longer. The last way in stays.
    pub async fn unlink_own_identity(&self, caller: &Caller, id: i64, whence: Whence) -> Result<(), EngineError> {
        let row = self.catalog().account(&system(), caller.id).await?;
        let row = row.ok_or(EngineError::NotFound { what: "account" })?;
        let told = |taken: &[Grant]| {
            let events = of_itself(caller.id, &row.grants, whence, Action::ChangeAccount, Some("identity_unlinked"));
            let by = |action| AuditEvent::new(Actor::Account(caller.id), action).whence(whence);
            let roles = changed_roles(taken, "taken_by_claims", by);
            of_identity(events.into_iter().chain(of_account(roles, caller.id)).collect(), id)
        };
        self.unlinked(&caller.scope(), caller.id, id, told).await
    }

    /// An administrator unlinks an identity: whoever signed in by it is not any longer.
    pub async fn unlink_identity(&self, scope: &Scope, account: AccountId, id: i64) -> Result<(), EngineError> {
        manages(scope)?;
        let row = self.wholly_managed(scope, account).await?;
        let told = |taken: &[Grant]| {
            let events = by_administrator(scope, account, &row.grants, "identity_unlinked");
            let roles = changed_roles(taken, "taken_by_claims", |action| AuditEvent::by(scope, action));
            of_identity(events.into_iter().chain(of_account(roles, account)).collect(), id)
        };
        self.unlinked(scope, account, id, told).await
    }

    async fn unlinked(
        &self,
        scope: &Scope,
        account: AccountId,
        id: i64,
        told: impl FnOnce(&[Grant]) -> Vec<AuditEvent>,
    ) -> Result<(), EngineError> {
        let gone = self.catalog().unlink_identity(scope, account, id, told).await?;
        self.known().forget();
        if gone { Ok(()) } else { Err(EngineError::NotFound { what: "identity" }) }
    }

    /// The provider by which a session began, where it began so.
    pub async fn issuer_of_session(&self, session: &str) -> Result<Option<String>, EngineError> {
        Ok(self.catalog().issuer_of_session(&system(), &secret::digest(session)).await?)
    }
}

/// 256 bits in hexadecimal, as we make them.
fn is_secret(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// Nonce and PKCE verifier of a departure.
fn proofs(browser: &str, state: &str) -> (String, String) {
    (secret::digest(&format!("nonce {browser} {state}")), secret::digest(&format!("verifier {browser} {state}")))
}

fn view(row: IdentityRow) -> Result<IdentityView, CatalogError> {
    let IdentityRow { id, issuer, subject, created_at, used_at } = row;
    let last_used_at = used_at.map(rfc3339).transpose()?;
    Ok(IdentityView { id, issuer, subject, linked_at: rfc3339(created_at)?, last_used_at })
}

/// A sign-in by provider, the account that it made, and the roles that it changed.
fn signed_in_events(begun: &IdentitySession, whence: Whence) -> Vec<AuditEvent> {
    let id = begun.account.id;
    let by = |action| AuditEvent::new(Actor::Account(id), action).whence(whence);
    let mut events = Vec::new();
    if begun.made {
        events.extend(of_itself(id, &begun.account.grants, whence, Action::AddAccount, Some("openid")));
    }
    events.extend(of_account(changed_roles(&begun.given, "given_by_claims", by), id));
    events.extend(of_account(changed_roles(&begun.taken, "taken_by_claims", by), id));
    events.extend(of_itself(id, &begun.account.grants, whence, Action::SignIn, Some("openid")));
    of_identity(events, begun.identity)
}

fn changed_roles(grants: &[Grant], code: &'static str, by: impl Fn(Action) -> AuditEvent) -> Vec<AuditEvent> {
    let event = |grant: &Grant| {
        let detail = Detail { role: Some(grant.role), code: Some(code.into()), ..Detail::default() };
        by(Action::ChangeRoles).of(grant.institution.clone()).with(detail)
    };
    grants.iter().map(event).collect()
}

fn by_administrator(scope: &Scope, account: AccountId, grants: &[Grant], code: &'static str) -> Vec<AuditEvent> {
    let detail = Detail { account: Some(account), code: Some(code.into()), ..Detail::default() };
    events_of(grants, AuditEvent::by(scope, Action::ChangeAccount).with(detail))
}

fn of_account(mut events: Vec<AuditEvent>, account: AccountId) -> Vec<AuditEvent> {
    for event in &mut events {
        event.detail.account = Some(account);
    }
    events
}

fn of_identity(mut events: Vec<AuditEvent>, identity: i64) -> Vec<AuditEvent> {
    for event in &mut events {
        event.detail.identity = Some(identity);
    }
    events
}
