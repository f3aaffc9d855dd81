//! Looking after accounts, institutions and tokens.

use super::sign_in::{AccountError, LOGIN, login_of};
use super::{
    AccountPatch, AccountView, Caller, InstitutionView, LinkPurpose, NewAccount, TokenView, account_view, manages,
    secret, token_view,
};
use crate::access::{AccountId, Grant, InstitutionCode, Permission, Scope};
use crate::audit::{Action, AuditEvent, Detail};
use crate::catalog::{AccountChange, AccountRow};
use crate::engine::Engine;
use crate::error::EngineError;

/// A token is valid for so many days at most.
const MOST_DAYS: u32 = 366;
/// Characters of a name.
const LONGEST_NAME: usize = 200;

impl Engine {
    /// A command on this machine, for every institution.
    pub async fn console_scope(&self) -> Result<Scope, EngineError> {
        Ok(self.catalog().console_scope().await?)
    }

    /// Accounts of the institutions whose accounts the caller manages.
    pub async fn accounts(&self, scope: &Scope) -> Result<Vec<AccountView>, EngineError> {
        manages(scope)?;
        let rows = self.catalog().accounts(scope).await?;
        let locks = self.catalog().locks(scope, rows.iter().map(|row| secret::digest(&row.login))).await?;
        let view = |row: AccountRow| {
            let until = locks.get(&secret::digest(&row.login)).copied().unwrap_or_default();
            account_view(row, until)
        };
        Ok(rows.into_iter().map(view).collect::<Result<_, _>>()?)
    }

    async fn view_of(&self, scope: &Scope, row: AccountRow) -> Result<AccountView, EngineError> {
        let locked_until = self.catalog().locked_until(scope, &secret::digest(&row.login)).await?;
        Ok(account_view(row, locked_until)?)
    }

    /// Adds an account, with a link that lets its holder choose a password.
    pub async fn add_account(&self, scope: &Scope, new: &NewAccount) -> Result<(AccountView, String), EngineError> {
        manages(scope)?;
        let login = login_of(&new.login).ok_or(EngineError::BadRequest { field: "login", expected: LOGIN })?;
        let name = name_of(&new.name)?;
        let told = |id| of_account(scope, id, Some(Action::AddAccount), None, &new.roles, &[]);
        let id = self.catalog().add_account(scope, &login, name, &new.roles, told).await?;
        let link = self.new_link(Some(id), LinkPurpose::Invitation, &[]).await?;
        Ok((self.managed(scope, self.catalog().account(scope, id).await?).await?, link))
    }

    /// Changes an account. What it could do is over at once.
    pub async fn change_account(
        &self,
        scope: &Scope,
        id: AccountId,
        patch: &AccountPatch,
    ) -> Result<AccountView, EngineError> {
        manages(scope)?;
        let AccountPatch { name, disabled, roles } = patch.clone();
        let name = name.map(|name| name_of(&name).map(str::to_owned)).transpose()?;
        let code = match (&name, disabled) {
            (_, Some(true)) => Some("disabled"),
            (_, Some(false)) => Some("enabled"),
            (Some(_), None) => Some("renamed"),
            (None, None) => None,
        };
        let change = AccountChange { name, disabled, grants: roles };
        let action = code.map(|_| Action::ChangeAccount);
        let told = |given: &[Grant], taken: &[Grant]| of_account(scope, id, action, code, given, taken);
        self.catalog().change_account(scope, id, &change, told).await?;
        self.known().forget();
        // Whoever lost every role is looked after by nobody any longer; what it was changed to is told once more.
        let row = self.catalog().account(scope, id).await?.ok_or(EngineError::NotFound { what: "account" })?;
        self.view_of(scope, where_managed(scope, row)).await
    }

    /// An account with what it is where the caller manages accounts; one that is nothing there is none to the caller.
    async fn managed(&self, scope: &Scope, row: Option<AccountRow>) -> Result<AccountView, EngineError> {
        let row = row.map(|row| where_managed(scope, row)).filter(|row| row.belongs().next().is_some());
        self.view_of(scope, row.ok_or(EngineError::NotFound { what: "account" })?).await
    }

    /// A link with which the account's holder chooses a password; only from who manages all of the account's institutions, for it
    /// opens them all.
    pub async fn account_link(&self, scope: &Scope, id: AccountId) -> Result<String, EngineError> {
        manages(scope)?;
        let account = self.wholly_managed(scope, id).await?;
        let purpose = if account.password.is_some() { LinkPurpose::Reset } else { LinkPurpose::Invitation };
        let told = of_account(scope, id, Some(Action::AddLink), Some("link"), &[], &[]);
        self.new_link(Some(id), purpose, &told).await
    }

    /// The account with a login, where the caller manages accounts.
    pub async fn account_with_login(&self, scope: &Scope, login: &str) -> Result<AccountView, EngineError> {
        let login = login_of(login).ok_or(EngineError::BadRequest { field: "login", expected: LOGIN })?;
        manages(scope)?;
        self.managed(scope, self.catalog().account_with(scope, &login).await?).await
    }

    /// A password for an account, from whoever may read the data folder.
    pub async fn set_password(&self, scope: &Scope, id: AccountId, password: &str) -> Result<(), AccountError> {
        manages(scope)?;
        let account = self.wholly_managed(scope, id).await?;
        let told = of_account(scope, id, Some(Action::ChangeAccount), Some("password_set"), &[], &[]);
        self.put_password(&account, password, &told).await
    }

    /// An account that the caller sees, and all of whose institutions it manages.
    pub(super) async fn wholly_managed(&self, scope: &Scope, id: AccountId) -> Result<AccountRow, EngineError> {
        let account = self.catalog().account(scope, id).await?.ok_or(EngineError::NotFound { what: "account" })?;
        match account.belongs().filter(|grant| scope.may(Permission::Manage, &grant.institution)).count() {
            0 => Err(EngineError::NotFound { what: "account" }),
            some if some < account.belongs().count() => Err(EngineError::Forbidden),
            _ => Ok(account),
        }
    }

    /// The institutions that the caller has to do with.
    pub async fn institutions(&self, scope: &Scope) -> Result<Vec<InstitutionView>, EngineError> {
        let rows = self.catalog().institutions(scope).await?;
        Ok(rows.into_iter().map(|(code, name)| InstitutionView { code, name }).collect())
    }

    /// Adds an institution, or names one; for who manages the accounts of this installation's own institution.
    pub async fn add_institution(&self, scope: &Scope, new: &InstitutionView) -> Result<(), EngineError> {
        if !scope.may(Permission::Manage, &InstitutionCode::local()) {
            return Err(EngineError::Forbidden);
        }
        let told = [AuditEvent::by(scope, Action::AddInstitution).of(new.code.clone())];
        self.catalog().add_institution(scope, &new.code, name_of(&new.name)?, &told).await?;
        self.known().forget();
        Ok(())
    }

    /// The caller's own tokens.
    pub async fn tokens(&self, scope: &Scope, caller: &Caller) -> Result<Vec<TokenView>, EngineError> {
        self.tokens_of(scope, caller.id).await
    }

    /// An account's tokens.
    pub async fn tokens_of(&self, scope: &Scope, account: AccountId) -> Result<Vec<TokenView>, EngineError> {
        let rows = self.catalog().tokens_of(scope, account).await?;
        Ok(rows.into_iter().map(token_view).collect::<Result<_, _>>()?)
    }

    /// A token for one of the caller's programs; it may be what its owner is, or less. The secret is shown once.
    pub async fn add_token(
        &self,
        scope: &Scope,
        account: AccountId,
        name: &str,
        roles: &[Grant],
        days: u32,
    ) -> Result<(String, TokenView), EngineError> {
        let row = self.catalog().account(scope, account).await?.ok_or(EngineError::NotFound { what: "account" })?;
        if name.trim().is_empty() {
            return Err(EngineError::BadRequest { field: "name", expected: "what the token is for" });
        }
        if !(1..=MOST_DAYS).contains(&days) {
            return Err(EngineError::BadRequest { field: "days", expected: "1 to 366" });
        }
        if roles.is_empty() {
            return Err(EngineError::BadRequest { field: "roles", expected: "some of the account's own roles" });
        }
        if !roles.iter().all(|role| row.grants.contains(role)) {
            return Err(EngineError::Conflict(
                "a token may be what its owner is, or less: name some of the owner's roles",
            ));
        }
        let told = |id| of_token(scope, account, Action::AddToken, id);
        self.make_token(&row, name_of(name)?, roles, days, told).await
    }

    /// A token works no longer.
    pub async fn revoke_token(&self, scope: &Scope, account: AccountId, id: i64) -> Result<(), EngineError> {
        let told = of_token(scope, account, Action::RevokeToken, id);
        let gone = self.catalog().revoke_token(scope, account, id, told).await?;
        self.known().forget();
        if gone { Ok(()) } else { Err(EngineError::NotFound { what: "token" }) }
    }
}

/// With what it is where the caller manages accounts, alone.
fn where_managed(scope: &Scope, row: AccountRow) -> AccountRow {
    row.only(|grant| scope.may(Permission::Manage, &grant.institution))
}

/// What a caller did with an account: the act, and each role that it gave or took, in the role's institution.
pub(super) fn of_account(
    scope: &Scope,
    account: AccountId,
    action: Option<Action>,
    code: Option<&'static str>,
    given: &[Grant],
    taken: &[Grant],
) -> Vec<AuditEvent> {
    let detail = |code: Option<&'static str>, role| Detail {
        account: Some(account),
        role,
        code: code.map(Into::into),
        ..Detail::default()
    };
    let home = given.first().map_or_else(|| scope.home().clone(), |grant| grant.institution.clone());
    let mut events: Vec<AuditEvent> =
        action.map(|action| AuditEvent::by(scope, action).of(home).with(detail(code, None))).into_iter().collect();
    for (grants, code) in [(given, "given"), (taken, "taken")] {
        events.extend(grants.iter().map(|grant| {
            let event = AuditEvent::by(scope, Action::ChangeRoles).of(grant.institution.clone());
            event.with(detail(Some(code), Some(grant.role)))
        }));
    }
    events
}

fn of_token(scope: &Scope, account: AccountId, action: Action, id: i64) -> AuditEvent {
    let detail = Detail { account: Some(account), token: Some(id), ..Detail::default() };
    AuditEvent::by(scope, action).of(scope.home().clone()).with(detail)
}

/// Names are shown; control characters and endless ones are not.
pub(super) fn name_of(text: &str) -> Result<&str, EngineError> {
    let name = text.trim();
    if name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
        return Err(EngineError::BadRequest { field: "name", expected: "at most 200 characters in one line" });
    }
    Ok(name)
}
