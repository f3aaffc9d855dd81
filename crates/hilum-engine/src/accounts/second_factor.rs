//! The second factor: an authenticator, and codes that work once in its place.
//!
//! There is no session before both factors were shown, so that there is none that could do half of anything.

use super::sign_in::{AccountError, of_itself, system};
use super::totp::{NewAuthenticator, TotpSecret, base32};
use super::{Caller, manages, secret};
use crate::access::{AccountId, Scope, Whence};
use crate::audit::{Action, AuditEvent};
use crate::catalog::{AccountRow, FactorRow, FactorState};
use crate::engine::Engine;
use crate::error::EngineError;
use crate::keys::KeyError;
use serde::{Deserialize, Serialize};

/// Whether accounts need a second factor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecondFactorRule {
    /// Who wants one has one.
    #[default]
    Optional,
    /// Nobody signs in without one.
    Required,
}

/// Recovery codes that an account gets at a time.
const RECOVERY_CODES: usize = 10;
/// Bits of a recovery code: from 112 on a plain digest keeps it (NIST SP 800-63B-4 3.1.2.2).
const RECOVERY_BITS: usize = 120;
/// The notice of an account whose second factor somebody else took away.
const RESET: &str = "second_factor_reset";
const NONE: &str = "this account has no second factor";

/// The second factor of the account that is signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SecondFactorView {
    /// It has one.
    pub enrolled: bool,
    /// Everybody here needs one.
    pub required: bool,
    /// Codes that still work in place of the authenticator.
    pub recovery_codes_left: u64,
    /// RFC 3339: then an administrator took it away, and the account has not said that it knows.
    pub reset_at: Option<String>,
}

impl Engine {
    /// What the account has for a second factor.
    pub async fn second_factor(&self, caller: &Caller) -> Result<SecondFactorView, EngineError> {
        let FactorState { confirmed, recovery_codes, notices } =
            self.catalog().factor_state(&system(), caller.id).await?;
        let reset = notices.iter().find(|(code, _)| code == RESET).map(|(_, at)| *at);
        Ok(SecondFactorView {
            enrolled: confirmed,
            required: self.account_rules().second_factor == SecondFactorRule::Required,
            recovery_codes_left: recovery_codes,
            reset_at: reset.map(crate::catalog::rfc3339).transpose()?,
        })
    }

    /// A new secret for an authenticator, for whoever knows the password; it counts once a code of it was shown. One that counts stays
    /// until it is removed.
    pub async fn begin_second_factor(
        &self,
        caller: &Caller,
        password: &str,
        whence: Whence,
    ) -> Result<NewAuthenticator, AccountError> {
        let (account, tried) = self.unlocked(caller, whence).await?;
        let account = self.proven(Some(account), &tried, password, whence).await?;
        self.new_authenticator(&account).await
    }

    /// The same before there is a session, for an account without a second factor where everybody needs one.
    pub async fn begin_second_factor_at_sign_in(
        &self,
        login: &str,
        password: &str,
        whence: Whence,
    ) -> Result<NewAuthenticator, AccountError> {
        let (account, _) = self.known_by_password(login, password, whence).await?;
        if self.account_rules().second_factor != SecondFactorRule::Required {
            return Err(EngineError::Conflict("sign in, and add a second factor in the account menu").into());
        }
        self.new_authenticator(&account).await
    }

    async fn new_authenticator(&self, account: &AccountRow) -> Result<NewAuthenticator, AccountError> {
        let secret = TotpSecret::random()?;
        let shown = secret.shown("Hilum", &account.login)?;
        self.catalog().put_factor(&system(), self.keys(), account.id, secret.bytes()).await?;
        Ok(shown)
    }

    /// The authenticator counts from now on, as this code of it shows; returns the recovery codes, this once. Other sessions of the account end.
    pub async fn confirm_second_factor(
        &self,
        caller: &Caller,
        session: &str,
        code: &str,
        whence: Whence,
    ) -> Result<Vec<String>, AccountError> {
        let (account, tried) = self.unlocked(caller, whence).await?;
        let codes = self.confirmed(&account, &tried, code, Some(session), whence).await?;
        self.known().forget();
        Ok(codes)
    }

    async fn confirmed(
        &self,
        account: &AccountRow,
        tried: &str,
        code: &str,
        session: Option<&str>,
        whence: Whence,
    ) -> Result<Vec<String>, AccountError> {
        let (codes, digests) = recovery_codes()?;
        let typed = typed(code);
        let step = |row: &FactorRow| self.step_of(row, &typed);
        let told = of_itself(account.id, &account.grants, whence, Action::ChangeAccount, Some("second_factor_added"));
        let keep = session.map(secret::digest);
        let done = self.catalog().confirm_factor(&system(), account.id, step, &digests, keep.as_deref(), &told).await?;
        if done { Ok(codes) } else { Err(self.wrong_code(account, tried, whence).await?) }
    }

    /// The second factor of somebody whose password was right: refused without, and counted as a wrong password where it is wrong. Where an
    /// account without one needs one, a code of the authenticator that was begun makes it count: then these are its recovery codes.
    pub(super) async fn second_factor_shown(
        &self,
        account: &AccountRow,
        tried: &str,
        code: Option<&str>,
        whence: Whence,
    ) -> Result<Option<Vec<String>>, AccountError> {
        let required = self.account_rules().second_factor == SecondFactorRule::Required;
        match (account.second_factor, code) {
            (false, _) if !required => Ok(None),
            (false, None) => Err(AccountError::SecondFactorMissing),
            (false, Some(code)) => self.confirmed(account, tried, code, None, whence).await.map(Some),
            (true, None) => Err(AccountError::SecondFactorNeeded),
            (true, Some(code)) => self.used(account, tried, code, whence).await.map(|()| None),
        }
    }

    /// A code is used up.
    async fn used(&self, account: &AccountRow, tried: &str, code: &str, whence: Whence) -> Result<(), AccountError> {
        let typed = typed(code);
        let taken = if is_of_authenticator(&typed) {
            let step = |row: &FactorRow| self.step_of(row, &typed);
            self.catalog().use_factor(&system(), account.id, step).await?
        } else {
            let told =
                of_itself(account.id, &account.grants, whence, Action::ChangeAccount, Some("recovery_code_used"));
            self.catalog().use_recovery_code(&system(), account.id, &secret::digest(&typed), &told).await?
        };
        if taken { Ok(()) } else { Err(self.wrong_code(account, tried, whence).await?) }
    }

    fn step_of(&self, row: &FactorRow, code: &str) -> Result<Option<i64>, KeyError> {
        let keys = self.keys();
        let secret = TotpSecret::of(keys.ring()?.open(&row.binding(), &row.key_id, &row.secret, keys)?);
        Ok(secret.step_of(code, self.account_rules().seconds()))
    }

    async fn wrong_code(
        &self,
        account: &AccountRow,
        tried: &str,
        whence: Whence,
    ) -> Result<AccountError, AccountError> {
        self.count_failure(tried).await?;
        self.refused_sign_in(whence, Some(account), "wrong_second_factor").await?;
        Ok(AccountError::WrongSecondFactor)
    }

    /// Somebody who is signed in shows the second factor once more, for what an open session alone must not do. Who has none, and needs none, has
    /// none to show: then false.
    pub async fn show_second_factor(
        &self,
        caller: &Caller,
        code: Option<&str>,
        whence: Whence,
    ) -> Result<bool, AccountError> {
        let account = self.catalog().account(&system(), caller.id).await?.ok_or(AccountError::WrongCredentials)?;
        if !account.second_factor && self.account_rules().second_factor == SecondFactorRule::Required {
            return Err(AccountError::SecondFactorMissing);
        }
        let tried = secret::digest(&account.login);
        self.refuse_while_locked(&tried, whence).await?;
        self.second_factor_shown(&account, &tried, code, whence).await?;
        Ok(account.second_factor)
    }

    /// The account has no second factor any longer.
    pub async fn remove_second_factor(&self, caller: &Caller, code: &str, whence: Whence) -> Result<(), AccountError> {
        if self.account_rules().second_factor == SecondFactorRule::Required {
            return Err(
                EngineError::Conflict("everybody here needs a second factor (second_factor = \"required\")").into()
            );
        }
        if !self.show_second_factor(caller, Some(code), whence).await? {
            return Err(EngineError::Conflict(NONE).into());
        }
        let told = of_itself(caller.id, &caller.grants, whence, Action::ChangeAccount, Some("second_factor_removed"));
        self.catalog().remove_factor(&system(), caller.id, None, &told).await?;
        self.known().forget();
        Ok(())
    }

    /// New recovery codes in place of those that are left; shown this once.
    pub async fn new_recovery_codes(
        &self,
        caller: &Caller,
        code: &str,
        whence: Whence,
    ) -> Result<Vec<String>, AccountError> {
        self.show_second_factor(caller, Some(code), whence).await?;
        let (codes, digests) = recovery_codes()?;
        let told = of_itself(caller.id, &caller.grants, whence, Action::ChangeAccount, Some("recovery_codes_made"));
        let there = self.catalog().put_recovery_codes(&system(), caller.id, &digests, &told).await?;
        if there { Ok(codes) } else { Err(EngineError::Conflict(NONE).into()) }
    }

    /// Takes away the second factor of somebody who has lost it, and ends the account's sessions; from who manages all of the account's
    /// institutions. Its owner is told at the next sign-in.
    pub async fn reset_second_factor(&self, scope: &Scope, id: AccountId) -> Result<(), EngineError> {
        manages(scope)?;
        let account = self.wholly_managed(scope, id).await?;
        if !account.second_factor {
            return Err(EngineError::Conflict(NONE));
        }
        let event = super::manage::of_account(scope, id, Some(Action::ChangeAccount), Some(RESET), &[], &[]);
        let event: Vec<AuditEvent> = match account.grants.first() {
            Some(grant) => event.into_iter().map(|event| event.of(grant.institution.clone())).collect(),
            None => event,
        };
        self.catalog().remove_factor(scope, id, Some(RESET), &event).await?;
        self.known().forget();
        Ok(())
    }

    /// The account has seen that somebody took its second factor away.
    pub async fn saw_second_factor_reset(&self, caller: &Caller) -> Result<(), EngineError> {
        Ok(self.catalog().saw_notice(&system(), caller.id, RESET).await?)
    }
}

/// As people type codes: with spaces, hyphens, and in any case.
fn typed(code: &str) -> String {
    code.chars().filter(|letter| !letter.is_whitespace() && *letter != '-').flat_map(char::to_lowercase).collect()
}

fn is_of_authenticator(typed: &str) -> bool {
    typed.bytes().all(|byte| byte.is_ascii_digit())
}

/// Codes as they are shown, in six groups of four, and their digests.
fn recovery_codes() -> Result<(Vec<String>, Vec<String>), EngineError> {
    let code = || {
        let letters = base32(&secret::random::<{ RECOVERY_BITS / 8 }>()?).to_ascii_lowercase();
        let groups: Vec<&str> = (0..letters.len()).step_by(4).map(|at| &letters[at..at + 4]).collect();
        Ok((groups.join("-"), secret::digest(&letters)))
    };
    let codes: Result<Vec<(String, String)>, EngineError> = (0..RECOVERY_CODES).map(|_| code()).collect();
    Ok(codes?.into_iter().unzip())
}
