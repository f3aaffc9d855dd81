//! Accounts, what they are to which institution, and the institutions themselves.

use super::entity::{account, institution, linked_identity, membership, second_factor};
use super::sessions::end_sessions;
use super::{Catalog, CatalogError, now};
use crate::access::{AccountId, Actor, Grant, InstitutionCode, Permission, Role, Scope};
use crate::audit::AuditEvent;
use crate::error::EngineError;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect, QueryTrait, Set,
};
use std::collections::{BTreeSet, HashMap};

const ACT: &str = "look after accounts";

/// An account as it is kept.
#[derive(Clone, Debug)]
pub(crate) struct AccountRow {
    pub(crate) id: AccountId,
    pub(crate) login: String,
    pub(crate) name: String,
    /// A PHC string.
    pub(crate) password: Option<String>,
    pub(crate) disabled: bool,
    /// Has one that counts.
    pub(crate) second_factor: bool,
    pub(crate) signed_in_at: Option<i64>,
    /// All that it is.
    pub(crate) grants: Vec<Grant>,
    /// Those that somebody gave by hand.
    pub(crate) by_hand: Vec<Grant>,
    /// Those that the claims of an OpenID provider gave.
    pub(crate) by_claims: Vec<Grant>,
    /// Those that claims gave too long ago. It still belongs to whoever manages accounts there.
    pub(crate) lapsed: Vec<Grant>,
}

impl AccountRow {
    /// The same account, as what it is where `keep` says so.
    pub(crate) fn only(mut self, keep: impl Fn(&Grant) -> bool) -> Self {
        for grants in [&mut self.grants, &mut self.by_hand, &mut self.by_claims, &mut self.lapsed] {
            grants.retain(|grant| keep(grant));
        }
        self
    }

    /// All that it is, and that it was by claims.
    pub(crate) fn belongs(&self) -> impl Iterator<Item = &Grant> {
        self.grants.iter().chain(&self.lapsed)
    }
}

/// What claims gave is over so long after the provider was last asked: whoever was let go there must not go on with a token here.
pub(super) const CLAIMS_HOLD_MS: i64 = 30 * 86_400_000;

/// A role that was given by hand.
pub(super) const BY_HAND: i64 = 0;

/// What is changed of an account; what is not given stays.
#[derive(Clone, Debug, Default)]
pub(crate) struct AccountChange {
    pub(crate) name: Option<String>,
    pub(crate) disabled: Option<bool>,
    /// Instead of all that it has where the caller may say so.
    pub(crate) grants: Option<Vec<Grant>>,
}

impl Catalog {
    /// Whether anybody who is not disabled manages accounts.
    pub(crate) async fn has_administrator(&self, _scope: &Scope) -> Result<bool, CatalogError> {
        is_administered(&self.read).await
    }

    /// Accounts of the institutions whose accounts the caller manages, with what they are there.
    pub(crate) async fn accounts(&self, scope: &Scope) -> Result<Vec<AccountRow>, EngineError> {
        let managed = self.where_may(scope, Permission::Manage).await?;
        let members = membership::Entity::find()
            .select_only()
            .column(membership::Column::AccountId)
            .filter(membership::Column::InstitutionId.is_in(managed.iter().copied()))
            .into_query();
        let rows = account::Entity::find()
            .filter(account::Column::Id.in_subquery(members))
            .order_by_asc(account::Column::Login)
            .all(&self.read)
            .await
            .map_err(CatalogError::during(ACT))?;
        let accounts = self.with_grants(&self.read, rows).await?.into_iter();
        Ok(accounts.map(|account| account.only(|grant| scope.may(Permission::Manage, &grant.institution))).collect())
    }

    /// The account with a login, whoever asks: to sign in, and for commands.
    pub(crate) async fn account_with(&self, _scope: &Scope, login: &str) -> Result<Option<AccountRow>, CatalogError> {
        let row = account::Entity::find().filter(account::Column::Login.eq(login)).one(&self.read).await;
        let rows = row.map_err(CatalogError::during(ACT))?.into_iter().collect();
        Ok(self.with_grants(&self.read, rows).await?.pop())
    }

    /// An account by its number, whoever asks.
    pub(crate) async fn account(&self, _scope: &Scope, id: AccountId) -> Result<Option<AccountRow>, CatalogError> {
        let row = account::Entity::find_by_id(id.0).one(&self.read).await;
        let rows = row.map_err(CatalogError::during(ACT))?.into_iter().collect();
        Ok(self.with_grants(&self.read, rows).await?.pop())
    }

    pub(super) async fn with_grants(
        &self,
        connection: &impl ConnectionTrait,
        rows: Vec<account::Model>,
    ) -> Result<Vec<AccountRow>, CatalogError> {
        let grants: Vec<(i64, String, String, i64, Option<i64>)> = membership::Entity::find()
            .select_only()
            .column(membership::Column::AccountId)
            .column(institution::Column::Code)
            .column(membership::Column::Role)
            .column(membership::Column::IdentityId)
            .column(linked_identity::Column::UsedAt)
            .join(
                sea_orm::JoinType::InnerJoin,
                membership::Entity::belongs_to(institution::Entity)
                    .from(membership::Column::InstitutionId)
                    .to(institution::Column::Id)
                    .into(),
            )
            .join(
                sea_orm::JoinType::LeftJoin,
                membership::Entity::belongs_to(linked_identity::Entity)
                    .from(membership::Column::IdentityId)
                    .to(linked_identity::Column::Id)
                    .into(),
            )
            .filter(membership::Column::AccountId.is_in(rows.iter().map(|row| row.id)))
            .order_by_asc(membership::Column::Id)
            .into_tuple()
            .all(connection)
            .await
            .map_err(CatalogError::during(ACT))?;
        let mut of: HashMap<i64, [Vec<Grant>; 4]> = HashMap::new();
        let claims_hold = now() - CLAIMS_HOLD_MS;
        for (account, code, role, identity, used_at) in grants {
            let institution = code.parse().map_err(|_| CatalogError::Corrupt { what: "institution code" })?;
            let role = role.parse().map_err(|_| CatalogError::Corrupt { what: "role" })?;
            let grant = Grant { institution, role };
            let [all, by_hand, by_claims, lapsed] = of.entry(account).or_default();
            let kind = if identity == BY_HAND {
                by_hand
            } else if used_at.is_some_and(|used| used > claims_hold) {
                by_claims
            } else {
                lapsed.push(grant);
                continue;
            };
            for grants in [all, kind] {
                if !grants.contains(&grant) {
                    grants.push(grant.clone());
                }
            }
        }
        let factors: Vec<i64> = second_factor::Entity::find()
            .select_only()
            .column(second_factor::Column::AccountId)
            .filter(second_factor::Column::ConfirmedAt.is_not_null())
            .filter(second_factor::Column::AccountId.is_in(rows.iter().map(|row| row.id)))
            .into_tuple()
            .all(connection)
            .await
            .map_err(CatalogError::during(ACT))?;
        let account = |row: account::Model| {
            let [grants, by_hand, by_claims, lapsed] = of.remove(&row.id).unwrap_or_default();
            AccountRow {
                id: AccountId(row.id),
                login: row.login,
                name: row.name,
                password: row.password,
                disabled: row.disabled_at.is_some(),
                second_factor: factors.contains(&row.id),
                signed_in_at: row.signed_in_at,
                grants,
                by_hand,
                by_claims,
                lapsed,
            }
        };
        Ok(rows.into_iter().map(account).collect())
    }

    /// Adds an account; its login is taken by nobody else.
    pub(crate) async fn add_account(
        &self,
        scope: &Scope,
        login: &str,
        name: &str,
        grants: &[Grant],
        told: impl FnOnce(AccountId) -> Vec<AuditEvent>,
    ) -> Result<AccountId, EngineError> {
        let institutions = self.institutions_of(scope, grants).await?;
        let txn = self.begin(ACT).await?;
        let id = AccountId(insert_account(&txn, login, name, &institutions).await?);
        self.commit_told(txn, ACT, &told(id)).await?;
        Ok(id)
    }

    /// Changes an account. Only who manages every institution that it belongs to may disable it; roles are changed where the caller
    /// manages accounts, and stay elsewhere. `told` gets the roles that were given and taken.
    pub(crate) async fn change_account(
        &self,
        scope: &Scope,
        id: AccountId,
        change: &AccountChange,
        told: impl FnOnce(&[Grant], &[Grant]) -> Vec<AuditEvent>,
    ) -> Result<(), EngineError> {
        let managed = self.where_may(scope, Permission::Manage).await?;
        let institutions = match &change.grants {
            Some(grants) => Some(self.institutions_of(scope, grants).await?),
            None => None,
        };
        let txn = self.begin(ACT).await?;
        let row = account::Entity::find_by_id(id.0).one(&txn).await.map_err(CatalogError::during(ACT))?;
        let known = membership::Entity::find().filter(membership::Column::AccountId.eq(id.0)).all(&txn).await;
        let known = known.map_err(CatalogError::during(ACT))?;
        let (Some(row), true) = (row, known.iter().any(|one| managed.contains(&one.institution_id))) else {
            return Err(EngineError::NotFound { what: "account" });
        };
        let before = self.grants_of(&txn, &row).await?;
        let mut changed: account::ActiveModel = row.clone().into();
        if change.name.is_some() || change.disabled.is_some() {
            if known.iter().any(|one| !managed.contains(&one.institution_id)) {
                return Err(EngineError::Forbidden);
            }
            changed.name = Set(change.name.clone().unwrap_or_else(|| row.name.clone()));
            changed.disabled_at = Set(match change.disabled {
                Some(true) => row.disabled_at.or(Some(now())),
                Some(false) => None,
                None => row.disabled_at,
            });
            changed.update(&txn).await.map_err(CatalogError::during(ACT))?;
        }
        if let Some(institutions) = institutions {
            membership::Entity::delete_many()
                .filter(membership::Column::AccountId.eq(id.0))
                .filter(membership::Column::InstitutionId.is_in(managed.iter().copied()))
                .filter(membership::Column::IdentityId.eq(BY_HAND))
                .exec(&txn)
                .await
                .map_err(CatalogError::during(ACT))?;
            put_grants(&txn, id.0, BY_HAND, &institutions).await?;
        }
        if change.disabled == Some(true) {
            end_sessions(&txn, id).await?;
        }
        // Locked out of one's own archive is what nobody wants.
        if !is_administered(&txn).await? {
            return Err(EngineError::Conflict("somebody must be left who manages accounts"));
        }
        let after = self.grants_of(&txn, &row).await?;
        let given: Vec<Grant> = after.iter().filter(|grant| !before.contains(grant)).cloned().collect();
        let taken: Vec<Grant> = before.into_iter().filter(|grant| !after.contains(grant)).collect();
        Ok(self.commit_told(txn, ACT, &told(&given, &taken)).await?)
    }

    /// What somebody gave it by hand.
    async fn grants_of(&self, txn: &DatabaseTransaction, row: &account::Model) -> Result<Vec<Grant>, CatalogError> {
        Ok(self.with_grants(txn, vec![row.clone()]).await?.pop().map(|account| account.by_hand).unwrap_or_default())
    }

    /// Rows of the institutions where grants are made; refused where the caller does not manage accounts.
    pub(super) async fn institutions_of(
        &self,
        scope: &Scope,
        grants: &[Grant],
    ) -> Result<Vec<(i64, &'static str)>, EngineError> {
        if grants.is_empty() {
            return Err(EngineError::BadRequest { field: "roles", expected: "at least one role in an institution" });
        }
        let mut rows = BTreeSet::new();
        for grant in grants {
            if !scope.may(Permission::Manage, &grant.institution) {
                return Err(EngineError::Forbidden);
            }
            let row = institution::Entity::find()
                .filter(institution::Column::Code.eq(grant.institution.as_str()))
                .one(&self.read)
                .await
                .map_err(CatalogError::during(ACT))?;
            let row = row.ok_or(EngineError::NotFound { what: "institution" })?;
            rows.insert((row.id, grant.role.as_str()));
        }
        Ok(rows.into_iter().collect())
    }

    /// A new password. Whoever was signed in is not any longer.
    pub(crate) async fn set_password(
        &self,
        _scope: &Scope,
        id: AccountId,
        password: &str,
        told: &[AuditEvent],
    ) -> Result<(), CatalogError> {
        let txn = self.begin(ACT).await?;
        put_password(&txn, id, password).await?;
        self.commit_told(txn, ACT, told).await
    }

    /// The institutions that the caller has to do with, by code.
    pub(crate) async fn institutions(&self, scope: &Scope) -> Result<Vec<(InstitutionCode, String)>, CatalogError> {
        let rows = institution::Entity::find()
            .filter(institution::Column::Code.is_in(scope.everywhere().map(InstitutionCode::as_str)))
            .order_by_asc(institution::Column::Code)
            .all(&self.read)
            .await
            .map_err(CatalogError::during(ACT))?;
        rows.into_iter()
            .map(|row| {
                let code = row.code.parse().map_err(|_| CatalogError::Corrupt { what: "institution code" })?;
                Ok((code, row.name))
            })
            .collect()
    }

    /// Adds an institution, or gives it a name. Whoever adds one manages its accounts.
    pub(crate) async fn add_institution(
        &self,
        scope: &Scope,
        code: &InstitutionCode,
        name: &str,
        told: &[AuditEvent],
    ) -> Result<(), EngineError> {
        let txn = self.begin(ACT).await?;
        let known = institution::Entity::find().filter(institution::Column::Code.eq(code.as_str())).one(&txn).await;
        let id = if let Some(known) = known.map_err(CatalogError::during(ACT))? {
            if !scope.may(Permission::Manage, code) {
                return Err(EngineError::Conflict("there is an institution with this code"));
            }
            let mut row: institution::ActiveModel = known.into();
            row.name = Set(name.to_owned());
            row.update(&txn).await.map_err(CatalogError::during(ACT))?.id
        } else {
            let row = institution::ActiveModel {
                code: Set(code.as_str().to_owned()),
                created_at: Set(now()),
                name: Set(name.to_owned()),
                ..Default::default()
            };
            row.insert(&txn).await.map_err(CatalogError::during(ACT))?.id
        };
        if let Actor::Account(account) = scope.actor() {
            put_grants(&txn, account.0, BY_HAND, &[(id, Role::Administrator.as_str())]).await?;
        }
        Ok(self.commit_told(txn, ACT, told).await?)
    }
}

/// Gives roles in institutions (rows), by hand or by the claims of an identity.
pub(super) async fn put_grants(
    txn: &DatabaseTransaction,
    account: i64,
    giver: i64,
    grants: &[(i64, &str)],
) -> Result<(), CatalogError> {
    use membership::Column;
    if grants.is_empty() {
        return Ok(());
    }
    let rows = grants.iter().map(|(institution, role)| membership::ActiveModel {
        account_id: Set(account),
        institution_id: Set(*institution),
        role: Set((*role).to_owned()),
        identity_id: Set(giver),
        ..Default::default()
    });
    membership::Entity::insert_many(rows)
        .on_conflict(
            OnConflict::columns([Column::AccountId, Column::InstitutionId, Column::Role, Column::IdentityId])
                .do_nothing()
                .to_owned(),
        )
        .exec_without_returning(txn)
        .await
        .map_err(CatalogError::during(ACT))?;
    Ok(())
}

/// Whether anybody who is not disabled manages accounts.
pub(super) async fn is_administered(connection: &impl ConnectionTrait) -> Result<bool, CatalogError> {
    let active = account::Entity::find()
        .select_only()
        .column(account::Column::Id)
        .filter(account::Column::DisabledAt.is_null())
        .into_query();
    let administrators = membership::Entity::find()
        .filter(membership::Column::Role.eq(Role::Administrator.as_str()))
        .filter(membership::Column::AccountId.in_subquery(active))
        .count(connection)
        .await;
    Ok(administrators.map_err(CatalogError::during(ACT))? > 0)
}

/// Adds an account; its login is taken by nobody else.
pub(super) async fn insert_account(
    txn: &DatabaseTransaction,
    login: &str,
    name: &str,
    grants: &[(i64, &str)],
) -> Result<i64, EngineError> {
    let taken = account::Entity::find().filter(account::Column::Login.eq(login)).count(txn).await;
    if taken.map_err(CatalogError::during(ACT))? > 0 {
        return Err(EngineError::Conflict("there is an account with this login"));
    }
    let row = account::ActiveModel {
        login: Set(login.to_owned()),
        name: Set(name.to_owned()),
        created_at: Set(now()),
        ..Default::default()
    };
    let row = row.insert(txn).await.map_err(CatalogError::during(ACT))?;
    put_grants(txn, row.id, BY_HAND, grants).await?;
    Ok(row.id)
}

/// A new password. Whoever was signed in is not any longer.
pub(super) async fn put_password(txn: &DatabaseTransaction, id: AccountId, password: &str) -> Result<(), CatalogError> {
    account::Entity::update_many()
        .col_expr(account::Column::Password, Expr::value(password))
        .filter(account::Column::Id.eq(id.0))
        .exec(txn)
        .await
        .map_err(CatalogError::during(ACT))?;
    end_sessions(txn, id).await
}
