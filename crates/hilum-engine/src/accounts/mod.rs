//! Who may sign in: accounts and their roles, sessions, tokens of programs, links that work once.
//!
//! Nothing secret is kept that could be shown: passwords by Argon2id, everything else by its SHA-256.

mod identity;
mod manage;
mod password;
mod second_factor;
mod secret;
mod sign_in;
mod totp;

pub use crate::catalog::IdentityRefusal;
pub use identity::{Departed, Departure, IdentityView, ProvenIdentity, Returned};
pub use password::WeakPassword;
pub use second_factor::{SecondFactorRule, SecondFactorView};
pub(crate) use secret::random;
pub use sign_in::{AccountError, LinkUsed, Proof, Signed};
pub(crate) use totp::base32;
pub use totp::{NewAuthenticator, QrPicture};

use crate::access::{AccountId, Grant, InstitutionCode, Permission, Permissions, Scope};
use crate::catalog::{AccountRow, CatalogError, TokenRow, rfc3339};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::Semaphore;
use utoipa::ToSchema;

/// How accounts sign in, and how long things are valid.
#[derive(Clone, Debug)]
pub struct AccountRules {
    /// A session that is not used for so long is over.
    pub idle: Duration,
    /// However much it is used, a session is over after this.
    pub session: Duration,
    /// A link works once, and no later than this.
    pub link: Duration,
    /// Whether everybody needs a second factor.
    pub second_factor: SecondFactorRule,
    /// The clock that codes of authenticators follow.
    pub clock: fn() -> SystemTime,
}

impl AccountRules {
    /// Seconds since 1970 UTC.
    fn seconds(&self) -> i64 {
        let since = (self.clock)().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    }
}

impl Default for AccountRules {
    fn default() -> Self {
        Self {
            idle: Duration::from_hours(1),
            session: Duration::from_hours(12),
            link: Duration::from_hours(72),
            second_factor: SecondFactorRule::default(),
            clock: SystemTime::now,
        }
    }
}

/// Who asks, once that is proven.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The account.
    pub id: AccountId,
    /// Its login.
    pub login: String,
    /// Its holder's name.
    pub name: String,
    /// What it is to which institution; of a program, what its token lets it be.
    pub grants: Vec<Grant>,
    /// What it showed.
    pub shown: Shown,
}

/// What a caller showed to prove who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// The cookie of a session: a browser sends it by itself, so that changes need the page's own token beside it.
    Session,
    /// A token in the header Authorization.
    Token(i64),
}

impl Caller {
    /// What it may do where.
    pub fn scope(&self) -> Scope {
        let mut rights: Vec<(InstitutionCode, Permissions)> = Vec::new();
        for grant in &self.grants {
            let permissions = grant.role.permissions();
            match rights.iter_mut().find(|(code, _)| *code == grant.institution) {
                Some((_, all)) => *all = all.and(permissions),
                None => rights.push((grant.institution.clone(), permissions)),
            }
        }
        Scope::account(self.id, rights)
    }
}

/// `GET /api/v1/accounts`, one of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AccountView {
    /// Number.
    pub id: AccountId,
    /// Login.
    pub login: String,
    /// Its holder's name.
    pub name: String,
    /// Nobody can sign in with it.
    pub disabled: bool,
    /// It has a second factor.
    pub second_factor: bool,
    /// RFC 3339: too many tries failed, and until then none is looked at.
    pub locked_until: Option<String>,
    /// RFC 3339.
    pub last_sign_in: Option<String>,
    /// What somebody made it in the institutions whose accounts the caller manages.
    pub roles: Vec<Grant>,
    /// What the claims of an OpenID provider make it there; they change with the next sign-in.
    #[serde(default)]
    pub claimed_roles: Vec<Grant>,
}

/// `POST /api/v1/accounts`
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    /// Login: 1 to 64 lower-case letters, digits and `.` `_` `-` `@`.
    #[schema(pattern = "^[A-Za-z0-9._@-]{1,64}$")]
    pub login: String,
    /// Its holder's name.
    #[serde(default)]
    #[schema(max_length = 200, pattern = r"^[^\x00-\x1F\x7F-\x9F]*$")]
    pub name: String,
    /// What it is to which institution.
    #[schema(min_items = 1)]
    pub roles: Vec<Grant>,
}

/// `PATCH /api/v1/accounts/{id}`; what is not given stays.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountPatch {
    /// Its holder's name.
    #[serde(default)]
    #[schema(max_length = 200, pattern = r"^[^\x00-\x1F\x7F-\x9F]*$")]
    pub name: Option<String>,
    /// Whether nobody can sign in with it.
    #[serde(default)]
    pub disabled: Option<bool>,
    /// Instead of all roles in the institutions whose accounts the caller manages.
    #[serde(default)]
    #[schema(min_items = 1)]
    pub roles: Option<Vec<Grant>>,
}

/// An institution, and what the caller is and may do there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct InstitutionView {
    /// Code.
    pub code: InstitutionCode,
    /// Name.
    #[schema(max_length = 200, pattern = r"^[^\x00-\x1F\x7F-\x9F]*$")]
    pub name: String,
}

/// `GET /api/v1/tokens`, one of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TokenView {
    /// Number.
    pub id: i64,
    /// What its owner calls it.
    pub name: String,
    /// Which of its owner's roles it lets a program have.
    pub roles: Vec<Grant>,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub expires_at: String,
    /// RFC 3339.
    pub last_used_at: Option<String>,
}

/// What a link is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LinkPurpose {
    /// The first account, which manages the others.
    FirstAdministrator,
    /// The first password of an account that somebody made.
    Invitation,
    /// A new password.
    Reset,
}

/// `POST /api/v1/links/check`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LinkView {
    /// What it is for.
    pub purpose: LinkPurpose,
    /// Of an account that is there.
    pub login: Option<String>,
    /// Its holder's name.
    pub name: Option<String>,
}

/// What this process remembers of who showed what, so that not every request asks the catalogue.
#[derive(Debug)]
pub(crate) struct Known {
    callers: Mutex<HashMap<String, (Instant, Arc<Caller>)>>,
    /// Passwords are hashed by so many at a time: each takes 19 MiB.
    hashing: Semaphore,
}

/// What another process changed is seen after this.
const REMEMBERED: Duration = Duration::from_secs(2);
const MOST_REMEMBERED: usize = 10_000;

impl Default for Known {
    fn default() -> Self {
        Self { callers: Mutex::default(), hashing: Semaphore::new(2) }
    }
}

impl Known {
    fn get(&self, digest: &str) -> Option<Arc<Caller>> {
        let callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        callers.get(digest).filter(|(since, _)| since.elapsed() < REMEMBERED).map(|(_, caller)| Arc::clone(caller))
    }

    fn put(&self, digest: String, caller: &Arc<Caller>) {
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        if callers.len() >= MOST_REMEMBERED {
            callers.retain(|_, (since, _)| since.elapsed() < REMEMBERED);
        }
        callers.insert(digest, (Instant::now(), Arc::clone(caller)));
    }

    /// Somebody's rights changed.
    fn forget(&self) {
        self.callers.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

fn account_view(row: AccountRow, locked_until: i64) -> Result<AccountView, CatalogError> {
    let AccountRow {
        id,
        login,
        name,
        password: _,
        disabled,
        second_factor,
        signed_in_at,
        grants: _,
        by_hand,
        by_claims,
        lapsed: _,
    } = row;
    let locked = (locked_until > crate::catalog::now()).then_some(locked_until);
    Ok(AccountView {
        id,
        login,
        name,
        disabled,
        second_factor,
        locked_until: locked.map(rfc3339).transpose()?,
        last_sign_in: signed_in_at.map(rfc3339).transpose()?,
        roles: by_hand,
        claimed_roles: by_claims,
    })
}

fn token_view(row: TokenRow) -> Result<TokenView, CatalogError> {
    let TokenRow { id, account: _, name, grants, created_at, expires_at, used_at } = row;
    Ok(TokenView {
        id,
        name,
        roles: grants,
        created_at: rfc3339(created_at)?,
        expires_at: rfc3339(expires_at)?,
        last_used_at: used_at.map(rfc3339).transpose()?,
    })
}

/// Refused unless the caller manages accounts somewhere.
fn manages(scope: &Scope) -> Result<(), crate::error::EngineError> {
    scope.require(Permission::Manage)
}
