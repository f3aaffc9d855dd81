//! Signing in and out, and who shows what.

use super::manage::name_of;
use super::{Caller, LinkPurpose, LinkView, SecondFactorRule, Shown, WeakPassword, password, secret};
use crate::access::{AccountId, Actor, Grant, InstitutionCode, Role, Scope, Whence};
use crate::audit::{Action, AuditEvent, Detail};
use crate::catalog::{AccountRow, CatalogError, LinkHolder, now};
use crate::engine::Engine;
use crate::error::EngineError;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// So many tries may fail before a login is locked.
const FREE_TRIES: i64 = 5;
const FIRST_LOCK_MS: i64 = 30_000;
const LONGEST_LOCK_MS: i64 = 3_600_000;
/// A session that is in use is noted no more often than this.
const SEEN_MS: i64 = 60_000;
/// What a token begins with, so that secret scanners know one when they see it.
const TOKEN: &str = "hilum_";

/// Why somebody is not signed in, or a password not changed.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// Login or password are wrong; which is not said.
    #[error("login or password are wrong")]
    WrongCredentials,
    /// The password is right; a code of the second factor is to go with it.
    #[error("send the code of your authenticator, or a recovery code, with login and password")]
    SecondFactorNeeded,
    /// The password is right, but everybody here needs a second factor, and this account has none.
    #[error("everybody here needs a second factor: add an authenticator first")]
    SecondFactorMissing,
    /// The code is wrong, or was used before.
    #[error("the code is wrong or was used before; wait for the next one")]
    WrongSecondFactor,
    /// Too many tries failed.
    #[error("too many tries to sign in failed; try again in {0} seconds")]
    Locked(u64),
    /// The link was used, is over, or was never there.
    #[error("this link does not work any longer; ask your administrator for a new one")]
    LinkUnknown,
    /// A provider knows who it is, and nobody here does.
    #[error(transparent)]
    Identity(#[from] crate::catalog::IdentityRefusal),
    /// The password is not taken.
    #[error(transparent)]
    WeakPassword(#[from] WeakPassword),
    /// Everything else.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl From<crate::catalog::CatalogError> for AccountError {
    fn from(error: crate::catalog::CatalogError) -> Self {
        Self::Engine(error.into())
    }
}

/// Somebody signed in.
#[derive(Clone, Debug)]
pub struct Signed {
    /// What the browser keeps in its cookie.
    pub session: String,
    /// What the page shows with each change.
    pub csrf: String,
    /// Who.
    pub caller: Arc<Caller>,
    /// Where signing in made the second factor count: codes that work in its place, shown once.
    pub recovery_codes: Option<Vec<String>>,
}

/// A link was used.
#[derive(Clone, Debug)]
pub enum LinkUsed {
    /// Whoever used it is signed in.
    Signed(Signed),
    /// The password is set. Signing in takes a second factor besides, which a link is not.
    PasswordSet,
}

/// What somebody who is signed in shows once more.
#[derive(Clone, PartialEq, Eq)]
pub enum Proof {
    /// The password.
    Password(String),
    /// A code of the second factor.
    Code(String),
}

impl std::fmt::Debug for Proof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Password(_) => "Password",
            Self::Code(_) => "Code",
        })
    }
}

/// How long a login is locked after so many failed tries, ms.
fn lock_after(failures: i64) -> i64 {
    if failures < FREE_TRIES {
        return 0;
    }
    let doublings = (failures - FREE_TRIES).min(16) as u32;
    FIRST_LOCK_MS.saturating_mul(1 << doublings).min(LONGEST_LOCK_MS)
}

/// The form in which logins are kept: 1 to 64 lower-case letters, digits and `.` `_` `-` `@`.
pub(super) fn login_of(text: &str) -> Option<String> {
    let login = text.trim().to_ascii_lowercase();
    let letters = login.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-@".contains(&b));
    (letters && (1..=64).contains(&login.len())).then_some(login)
}

impl Engine {
    /// Signs in with a password, and a code of the second factor where the account has one. Whether there is such a login is told by nothing:
    /// not by the answer, its time, or the lock.
    pub async fn sign_in(
        &self,
        login: &str,
        password: &str,
        code: Option<&str>,
        whence: Whence,
    ) -> Result<Signed, AccountError> {
        let (account, tried) = self.known_by_password(login, password, whence).await?;
        let recovery_codes = self.second_factor_shown(&account, &tried, code, whence).await?;
        // The account as it was before the code counted is as good.
        Ok(Signed { recovery_codes, ..self.begin_session(account, &tried, whence).await? })
    }

    /// The account whose login and password these are, and the digest under which failed tries are counted.
    pub(super) async fn known_by_password(
        &self,
        login: &str,
        password: &str,
        whence: Whence,
    ) -> Result<(AccountRow, String), AccountError> {
        let login = login_of(login);
        let tried = secret::digest(login.as_deref().unwrap_or_default());
        self.refuse_while_locked(&tried, whence).await?;
        let account = match &login {
            Some(login) => self.catalog().account_with(&system(), login).await?.filter(|account| !account.disabled),
            None => None,
        };
        Ok((self.proven(account, &tried, password, whence).await?, tried))
    }

    /// The account of somebody who is signed in, and the digest under which failed tries are counted; refused while it is locked.
    pub(super) async fn unlocked(&self, caller: &Caller, whence: Whence) -> Result<(AccountRow, String), AccountError> {
        let account = self.catalog().account(&system(), caller.id).await?.ok_or(AccountError::WrongCredentials)?;
        let tried = secret::digest(&account.login);
        self.refuse_while_locked(&tried, whence).await?;
        Ok((account, tried))
    }

    /// So many tries failed that none is looked at for a while.
    pub(super) async fn refuse_while_locked(&self, tried: &str, whence: Whence) -> Result<(), AccountError> {
        let wait = self.catalog().locked_until(&system(), tried).await? - now();
        if wait <= 0 {
            return Ok(());
        }
        self.refused_sign_in(whence, None, "locked").await?;
        Err(AccountError::Locked(wait.unsigned_abs().div_ceil(1000)))
    }

    /// The account, if this is its password; counted, if it is not.
    pub(super) async fn proven(
        &self,
        account: Option<AccountRow>,
        tried: &str,
        password: &str,
        whence: Whence,
    ) -> Result<AccountRow, AccountError> {
        let kept = account.as_ref().and_then(|account| account.password.clone());
        let password = password.to_owned();
        let right = self.while_hashing(move || password::verify(&password, kept.as_deref())).await?;
        if !right {
            self.count_failure(tried).await?;
            self.refused_sign_in(whence, account.as_ref(), "wrong_credentials").await?;
        }
        account.filter(|_| right).ok_or(AccountError::WrongCredentials)
    }

    pub(super) async fn count_failure(&self, tried: &str) -> Result<(), EngineError> {
        Ok(self.catalog().failed(&system(), tried, lock_after).await?)
    }

    /// It is in the trail before anybody hears of it; whose login was tried is told only where there is one.
    pub(super) async fn refused_sign_in(
        &self,
        whence: Whence,
        account: Option<&AccountRow>,
        code: &'static str,
    ) -> Result<(), EngineError> {
        let detail =
            Detail { account: account.map(|account| account.id), code: Some(code.into()), ..Detail::default() };
        let event = AuditEvent::new(Actor::Stranger, Action::SignIn).whence(whence).with(detail);
        self.audit_refusal(match account.and_then(|account| account.grants.first()) {
            Some(grant) => event.of(grant.institution.clone()),
            None => event,
        })
        .await
    }

    async fn begin_session(
        &self,
        account: AccountRow,
        login_digest: &str,
        whence: Whence,
    ) -> Result<Signed, AccountError> {
        let system = system();
        let session = secret::new()?;
        let digest = secret::digest(&session);
        let told = of_itself(account.id, &account.grants, whence, Action::SignIn, None);
        self.catalog().begin_session(&system, account.id, &digest, login_digest, &told).await?;
        let over = now() - milliseconds(self.account_rules().session.max(Duration::from_hours(24)));
        self.catalog().forget_what_is_over(&system, over).await?;
        Ok(self.remember(account, session, digest))
    }

    /// Whose session has begun.
    pub(super) fn remember(&self, account: AccountRow, session: String, digest: String) -> Signed {
        let caller = Arc::new(caller(account, Shown::Session, None));
        self.known().put(digest, &caller);
        Signed { csrf: secret::csrf(&session), session, caller, recovery_codes: None }
    }

    /// Who has this session, and what its page shows with each change.
    pub async fn caller_of_session(&self, session: &str) -> Result<Option<(Arc<Caller>, String)>, EngineError> {
        let digest = secret::digest(session);
        if let Some(caller) = self.known().get(&digest) {
            return Ok(Some((caller, secret::csrf(session))));
        }
        let system = system();
        let rules = self.account_rules();
        let (begun, seen) = (now() - milliseconds(rules.session), now() - milliseconds(rules.idle));
        let Some((account, seen_at)) = self.catalog().session(&system, &digest, begun, seen).await? else {
            return Ok(None);
        };
        let account = self.catalog().account(&system, account).await?.filter(|account| !account.disabled);
        let Some(account) = account else { return Ok(None) };
        if now() - seen_at > SEEN_MS {
            noted(self.catalog().saw_session(&system, &digest).await);
        }
        let caller = Arc::new(caller(account, Shown::Session, None));
        self.known().put(digest, &caller);
        Ok(Some((caller, secret::csrf(session))))
    }

    /// Who has this session, which does not count as used for it: for what a page hears without a hand on the machine.
    pub async fn onlooker_of_session(&self, session: &str) -> Result<Option<Arc<Caller>>, EngineError> {
        let (system, rules, digest) = (system(), self.account_rules(), secret::digest(session));
        let (begun, seen) = (now() - milliseconds(rules.session), now() - milliseconds(rules.idle));
        let Some((account, _)) = self.catalog().session(&system, &digest, begun, seen).await? else { return Ok(None) };
        let account = self.catalog().account(&system, account).await?.filter(|account| !account.disabled);
        Ok(account.map(|account| Arc::new(caller(account, Shown::Session, None))))
    }

    /// Who has this token: its owner, with those of the token's roles that the owner still has.
    pub async fn caller_of_token(&self, token: &str) -> Result<Option<Arc<Caller>>, EngineError> {
        let digest = secret::digest(token);
        if let Some(caller) = self.known().get(&digest) {
            return Ok(Some(caller));
        }
        let system = system();
        let Some(row) = self.catalog().token(&system, &digest).await? else { return Ok(None) };
        let account = self.catalog().account(&system, row.account).await?.filter(|account| !account.disabled);
        let Some(account) = account else { return Ok(None) };
        if row.used_at.is_none_or(|used| now() - used > SEEN_MS) {
            noted(self.catalog().used_token(&system, row.id).await);
        }
        let caller = Arc::new(caller(account, Shown::Token(row.id), Some(&row.grants)));
        self.known().put(digest, &caller);
        Ok(Some(caller))
    }

    /// Ends a session.
    pub async fn sign_out(&self, scope: &Scope, session: &str) -> Result<(), EngineError> {
        let told = [AuditEvent::by(scope, Action::SignOut).of(scope.home().clone())];
        self.catalog().end_session(&system(), &secret::digest(session), &told).await?;
        self.known().forget();
        Ok(())
    }

    /// A new password for whoever knows the old one. Every session of the account ends, and a new one begins.
    pub async fn change_password(
        &self,
        caller: &Caller,
        old: &str,
        new: &str,
        whence: Whence,
    ) -> Result<Signed, AccountError> {
        let (account, tried) = self.unlocked(caller, whence).await?;
        let account = self.proven(Some(account), &tried, old, whence).await?;
        // A session from before everybody needed a second factor is not to be prolonged without one.
        if !account.second_factor && self.account_rules().second_factor == SecondFactorRule::Required {
            return Err(AccountError::SecondFactorMissing);
        }
        let told = of_itself(account.id, &account.grants, whence, Action::ChangeAccount, Some("password_changed"));
        self.put_password(&account, new, &told).await?;
        self.begin_session(account, &tried, whence).await
    }

    /// Somebody who is signed in shows who they are once more, for what an open session alone must not do: by the password, or by a code of
    /// the second factor. What is wrong counts into the lock-out as at the sign-in.
    pub async fn show_again(&self, caller: &Caller, proof: &Proof, whence: Whence) -> Result<(), AccountError> {
        match proof {
            Proof::Password(password) => {
                let (account, tried) = self.unlocked(caller, whence).await?;
                let account = self.proven(Some(account), &tried, password, whence).await?;
                if !account.second_factor && self.account_rules().second_factor == SecondFactorRule::Required {
                    return Err(AccountError::SecondFactorMissing);
                }
                Ok(())
            }
            Proof::Code(code) if self.show_second_factor(caller, Some(code), whence).await? => Ok(()),
            Proof::Code(_) => Err(EngineError::Conflict("this account has no second factor; show the password").into()),
        }
    }

    /// Whether somebody looks after accounts.
    pub async fn has_administrator(&self) -> Result<bool, EngineError> {
        Ok(self.catalog().has_administrator(&system()).await?)
    }

    /// A link for the first account, as long as nobody manages accounts. The one before works no longer.
    pub async fn first_administrator_link(&self) -> Result<Option<String>, EngineError> {
        if self.has_administrator().await? {
            return Ok(None);
        }
        Ok(Some(self.new_link(None, LinkPurpose::FirstAdministrator, &[]).await?))
    }

    pub(super) async fn new_link(
        &self,
        account: Option<AccountId>,
        purpose: LinkPurpose,
        told: &[AuditEvent],
    ) -> Result<String, EngineError> {
        let link = secret::new()?;
        let until = now() + milliseconds(self.account_rules().link);
        let digest = secret::digest(&link);
        self.catalog().put_link(&system(), account, purpose.as_str(), &digest, until, told).await?;
        Ok(link)
    }

    /// What a link is for.
    pub async fn check_link(&self, link: &str) -> Result<LinkView, AccountError> {
        let (purpose, account) = self.linked(link).await?;
        let (login, name) = account.map(|account| (account.login, account.name)).unzip();
        Ok(LinkView { purpose, login, name })
    }

    async fn linked(&self, link: &str) -> Result<(LinkPurpose, Option<AccountRow>), AccountError> {
        let system = system();
        let row = self.catalog().link(&system, &secret::digest(link)).await?.ok_or(AccountError::LinkUnknown)?;
        let purpose = LinkPurpose::of(&row.purpose).ok_or(AccountError::LinkUnknown)?;
        let account = match row.account {
            Some(id) => Some(
                self.catalog()
                    .account(&system, id)
                    .await?
                    .filter(|account| !account.disabled)
                    .ok_or(AccountError::LinkUnknown)?,
            ),
            None if self.catalog().has_administrator(&system).await? => return Err(AccountError::LinkUnknown),
            None => None,
        };
        Ok((purpose, account))
    }

    /// Uses a link: the account gets its password, the first one is made. The link works no longer, and whoever used it is signed in, where no second
    /// factor is needed.
    pub async fn use_link(
        &self,
        link: &str,
        login: Option<&str>,
        name: Option<&str>,
        new: &str,
        whence: Whence,
    ) -> Result<LinkUsed, AccountError> {
        let system = self.catalog().system_scope().await?;
        let (_, account) = self.linked(link).await?;
        let chosen = match &account {
            Some(account) => account.login.clone(),
            None => login.and_then(login_of).ok_or(EngineError::BadRequest { field: "login", expected: LOGIN })?,
        };
        let named = match &account {
            Some(account) => account.name.as_str(),
            None => name_of(name.unwrap_or_default())?,
        };
        let hash = self.hashed(new, &[&chosen, named]).await?;
        let grants = account.as_ref().map_or_else(first_grants, |account| account.grants.clone());
        let holder = match &account {
            Some(account) => LinkHolder::Known(account.id),
            None => LinkHolder::First { login: &chosen, name: named, grants: &grants },
        };
        let told = |id| of_itself(id, &grants, whence, Action::ChangeAccount, Some("link_used"));
        let used = self.catalog().use_link(&system, &secret::digest(link), holder, &hash, told).await?;
        self.known().forget();
        let account = self.catalog().account(&system, used.ok_or(AccountError::LinkUnknown)?).await?;
        let account = account.ok_or(AccountError::LinkUnknown)?;
        if account.second_factor || self.account_rules().second_factor == SecondFactorRule::Required {
            return Ok(LinkUsed::PasswordSet);
        }
        self.begin_session(account, &secret::digest(&chosen), whence).await.map(LinkUsed::Signed)
    }

    /// A password as it is kept, if it is taken for an account with these names.
    async fn hashed(&self, new: &str, names: &[&str]) -> Result<String, AccountError> {
        password::check(new, names)?;
        let new = new.to_owned();
        Ok(self.while_hashing(move || password::hash(&new)).await?.map_err(EngineError::Internal)?)
    }

    pub(super) async fn put_password(
        &self,
        account: &AccountRow,
        new: &str,
        told: &[AuditEvent],
    ) -> Result<(), AccountError> {
        let hash = self.hashed(new, &[&account.login, &account.name]).await?;
        self.catalog().set_password(&system(), account.id, &hash, told).await?;
        self.known().forget();
        Ok(())
    }

    async fn while_hashing<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, EngineError> {
        let turn = self.known().hashing.acquire().await;
        let _turn = turn.map_err(|error| EngineError::Internal(error.to_string()))?;
        let done = tokio::task::spawn_blocking(work).await;
        done.map_err(|error| EngineError::Internal(format!("hashing a password ended early: {error}")))
    }

    pub(super) async fn make_token(
        &self,
        account: &AccountRow,
        name: &str,
        grants: &[Grant],
        days: u32,
        told: impl FnOnce(i64) -> AuditEvent,
    ) -> Result<(String, super::TokenView), EngineError> {
        let secret = format!("{TOKEN}{}", secret::new()?);
        let until = now() + i64::from(days) * 86_400_000;
        let digest = secret::digest(&secret);
        let row = self.catalog().add_token(&system(), account.id, name, &digest, grants, until, told).await?;
        Ok((secret, super::token_view(row)?))
    }
}

/// The engine asks in its own name: who somebody is must be found out before anybody has a scope.
pub(super) fn system() -> Scope {
    Scope::system(InstitutionCode::local())
}

pub(super) fn milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX / 2)
}

/// What the first account is, until it gives others their roles.
fn first_grants() -> Vec<Grant> {
    let roles = [Role::Administrator, Role::DataSteward, Role::Radiologist];
    roles.map(|role| Grant { institution: InstitutionCode::local(), role }).to_vec()
}

/// Something that an account did with itself, in each of its institutions.
pub(super) fn of_itself(
    account: AccountId,
    grants: &[Grant],
    whence: Whence,
    action: Action,
    code: Option<&'static str>,
) -> Vec<AuditEvent> {
    let detail = Detail { account: Some(account), code: code.map(Into::into), ..Detail::default() };
    let event = AuditEvent::new(Actor::Account(account), action).whence(whence).with(detail);
    events_of(grants, event)
}

/// An event in each of an account's institutions; of none, where it is nothing anywhere.
pub(super) fn events_of(grants: &[Grant], event: AuditEvent) -> Vec<AuditEvent> {
    let institutions: BTreeSet<_> = grants.iter().map(|grant| grant.institution.clone()).collect();
    if institutions.is_empty() {
        return vec![event];
    }
    institutions.into_iter().map(|institution| event.clone().of(institution)).collect()
}

/// Whoever may look may look on a full disk too.
fn noted(outcome: Result<(), CatalogError>) {
    if let Err(error) = outcome {
        tracing::warn!(code = error.code(), "that somebody was here could not be noted");
    }
}

pub(super) const LOGIN: &str = "1 to 64 letters, digits and . _ - @";

impl LinkPurpose {
    fn as_str(self) -> &'static str {
        match self {
            Self::FirstAdministrator => "first_administrator",
            Self::Invitation => "invitation",
            Self::Reset => "reset",
        }
    }

    fn of(text: &str) -> Option<Self> {
        [Self::FirstAdministrator, Self::Invitation, Self::Reset].into_iter().find(|purpose| purpose.as_str() == text)
    }
}

/// An account as a caller; with a token, what both may be.
fn caller(account: AccountRow, shown: Shown, token: Option<&[Grant]>) -> Caller {
    let AccountRow { id, login, name, mut grants, .. } = account;
    if let Some(token) = token {
        grants.retain(|grant| token.contains(grant));
    }
    Caller { id, login, name, grants, shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_locked_for_longer_each_time() {
        let locks: Vec<i64> = (1..=14).map(|failures| lock_after(failures) / 1000).collect();
        assert_eq!(locks, [0, 0, 0, 0, 30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]);
        assert_eq!(lock_after(i64::MAX), LONGEST_LOCK_MS);
    }

    #[test]
    fn logins_are_of_one_form() {
        assert_eq!(login_of(" Kim.MinJi@hospital.example "), Some("kim.minji@hospital.example".to_owned()));
        for bad in ["", "  ", "a b", "민지", "a\u{0}", "<img>", &"x".repeat(65)] {
            assert_eq!(login_of(bad), None, "{bad}");
        }
    }
}
