//! Second factors of accounts: the encrypted secret of an authenticator, and codes that work once in its place.

use super::entity::{account_notice, recovery_code, second_factor, session};
use super::secrets::{current, of_second_factor, ring_to_seal};
use super::sessions::end_sessions;
use super::{Catalog, CatalogError, now};
use crate::access::{AccountId, Scope};
use crate::audit::AuditEvent;
use crate::error::EngineError;
use crate::keys::{Binding, KeyError, KeyPlace, Sealed};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, Set,
};

const ACT: &str = "look after second factors";

/// A secret as it is kept.
pub(crate) struct FactorRow {
    account: i64,
    pub(crate) key_id: String,
    pub(crate) secret: String,
}

impl FactorRow {
    /// Where it stands.
    pub(crate) fn binding(&self) -> Binding {
        of_second_factor(self.account)
    }
}

impl From<&second_factor::Model> for FactorRow {
    fn from(row: &second_factor::Model) -> Self {
        Self { account: row.account_id, key_id: row.key_id.clone(), secret: row.secret.clone() }
    }
}

/// What an account has.
pub(crate) struct FactorState {
    pub(crate) confirmed: bool,
    pub(crate) recovery_codes: u64,
    /// Code, and ms since 1970 UTC.
    pub(crate) notices: Vec<(String, i64)>,
}

impl Catalog {
    pub(crate) async fn factor_state(&self, _scope: &Scope, account: AccountId) -> Result<FactorState, CatalogError> {
        let during = || CatalogError::during(ACT);
        let factor = second_factor::Entity::find().filter(second_factor::Column::AccountId.eq(account.0));
        let factor = factor.one(&self.read).await.map_err(during())?;
        let codes = recovery_code::Entity::find().filter(recovery_code::Column::AccountId.eq(account.0));
        let notices = account_notice::Entity::find().filter(account_notice::Column::AccountId.eq(account.0));
        let notices = notices.all(&self.read).await.map_err(during())?;
        Ok(FactorState {
            confirmed: factor.is_some_and(|row| row.confirmed_at.is_some()),
            recovery_codes: codes.count(&self.read).await.map_err(during())?,
            notices: notices.into_iter().map(|row| (row.code, row.noted_at)).collect(),
        })
    }

    /// Keeps a new secret, which does not count yet. One that counts is not replaced.
    pub(crate) async fn put_factor(
        &self,
        _scope: &Scope,
        keys: &KeyPlace,
        account: AccountId,
        secret: &[u8],
    ) -> Result<(), EngineError> {
        let during = || CatalogError::during(ACT);
        let txn = self.begin(ACT).await?;
        let known = factor(&txn, account).await?;
        if known.is_some_and(|row| row.confirmed_at.is_some()) {
            return Err(EngineError::Conflict("this account has a second factor; remove it first"));
        }
        let gone = second_factor::Entity::delete_many().filter(second_factor::Column::AccountId.eq(account.0));
        gone.exec(&txn).await.map_err(during())?;
        let ring = ring_to_seal(&txn, keys).await?;
        let Sealed { key, text } = current(&ring, keys)?.seal(&of_second_factor(account.0), secret)?;
        let row = second_factor::ActiveModel {
            account_id: Set(account.0),
            key_id: Set(key.into()),
            secret: Set(text),
            created_at: Set(now()),
            confirmed_at: Set(None),
            last_step: Set(0),
            ..Default::default()
        };
        row.insert(&txn).await.map_err(during())?;
        Ok(txn.commit().await.map_err(during())?)
    }

    /// A secret counts from now on, where `step` finds the code's time step; with new recovery codes, and without the account's other sessions than `keep`.
    /// False where the code is none of it, or nothing was begun.
    pub(crate) async fn confirm_factor(
        &self,
        _scope: &Scope,
        account: AccountId,
        step: impl FnOnce(&FactorRow) -> Result<Option<i64>, KeyError>,
        recovery_codes: &[String],
        keep: Option<&str>,
        told: &[AuditEvent],
    ) -> Result<bool, EngineError> {
        let during = || CatalogError::during(ACT);
        let txn = self.begin(ACT).await?;
        let Some(row) = factor(&txn, account).await?.filter(|row| row.confirmed_at.is_none()) else { return Ok(false) };
        let Some(step) = step(&FactorRow::from(&row))? else { return Ok(false) };
        let mut changed = row.into_active_model();
        (changed.confirmed_at, changed.last_step) = (Set(Some(now())), Set(step));
        changed.update(&txn).await.map_err(during())?;
        replace_recovery_codes(&txn, account, recovery_codes).await?;
        let mut others = session::Entity::delete_many().filter(session::Column::AccountId.eq(account.0));
        if let Some(keep) = keep {
            others = others.filter(session::Column::Digest.ne(keep));
        }
        others.exec(&txn).await.map_err(during())?;
        self.commit_told(txn, ACT, told).await?;
        Ok(true)
    }

    /// Uses a code of an authenticator up, where `step` finds its time step. A step that was used, or one before it, is not taken again (RFC 6238 5.2).
    pub(crate) async fn use_factor(
        &self,
        _scope: &Scope,
        account: AccountId,
        step: impl FnOnce(&FactorRow) -> Result<Option<i64>, KeyError>,
    ) -> Result<bool, EngineError> {
        let txn = self.begin(ACT).await?;
        let Some(row) = factor(&txn, account).await?.filter(|row| row.confirmed_at.is_some()) else { return Ok(false) };
        let Some(step) = step(&FactorRow::from(&row))?.filter(|step| *step > row.last_step) else { return Ok(false) };
        let mut changed = row.into_active_model();
        changed.last_step = Set(step);
        changed.update(&txn).await.map_err(CatalogError::during(ACT))?;
        txn.commit().await.map_err(CatalogError::during(ACT))?;
        Ok(true)
    }

    /// Uses a recovery code up; false where the account has none such.
    pub(crate) async fn use_recovery_code(
        &self,
        _scope: &Scope,
        account: AccountId,
        digest: &str,
        told: &[AuditEvent],
    ) -> Result<bool, CatalogError> {
        let txn = self.begin(ACT).await?;
        let gone = recovery_code::Entity::delete_many()
            .filter(recovery_code::Column::AccountId.eq(account.0))
            .filter(recovery_code::Column::Digest.eq(digest))
            .exec(&txn)
            .await
            .map_err(CatalogError::during(ACT))?;
        let gone = gone.rows_affected == 1;
        if gone {
            self.commit_told(txn, ACT, told).await?;
        }
        Ok(gone)
    }

    /// New recovery codes in place of the old ones; false where the account has no second factor.
    pub(crate) async fn put_recovery_codes(
        &self,
        _scope: &Scope,
        account: AccountId,
        digests: &[String],
        told: &[AuditEvent],
    ) -> Result<bool, CatalogError> {
        let txn = self.begin(ACT).await?;
        if factor(&txn, account).await?.is_none_or(|row| row.confirmed_at.is_none()) {
            return Ok(false);
        }
        replace_recovery_codes(&txn, account, digests).await?;
        self.commit_told(txn, ACT, told).await?;
        Ok(true)
    }

    /// The account has no second factor any longer; with a notice for its owner, where somebody else did it, all sessions end.
    pub(crate) async fn remove_factor(
        &self,
        _scope: &Scope,
        account: AccountId,
        notice: Option<&str>,
        told: &[AuditEvent],
    ) -> Result<(), CatalogError> {
        let during = || CatalogError::during(ACT);
        let txn = self.begin(ACT).await?;
        let gone = second_factor::Entity::delete_many().filter(second_factor::Column::AccountId.eq(account.0));
        gone.exec(&txn).await.map_err(during())?;
        replace_recovery_codes(&txn, account, &[]).await?;
        if let Some(code) = notice {
            forget_notice(&txn, account, code).await?;
            let row = account_notice::ActiveModel {
                account_id: Set(account.0),
                code: Set(code.to_owned()),
                noted_at: Set(now()),
                ..Default::default()
            };
            row.insert(&txn).await.map_err(during())?;
            end_sessions(&txn, account).await?;
        }
        self.commit_told(txn, ACT, told).await
    }

    /// The account knows.
    pub(crate) async fn saw_notice(&self, _scope: &Scope, account: AccountId, code: &str) -> Result<(), CatalogError> {
        let txn = self.begin(ACT).await?;
        forget_notice(&txn, account, code).await?;
        txn.commit().await.map_err(CatalogError::during(ACT))
    }
}

async fn factor(txn: &DatabaseTransaction, account: AccountId) -> Result<Option<second_factor::Model>, CatalogError> {
    let row = second_factor::Entity::find().filter(second_factor::Column::AccountId.eq(account.0)).one(txn).await;
    row.map_err(CatalogError::during(ACT))
}

async fn replace_recovery_codes(
    txn: &DatabaseTransaction,
    account: AccountId,
    digests: &[String],
) -> Result<(), CatalogError> {
    let during = || CatalogError::during(ACT);
    let old = recovery_code::Entity::delete_many().filter(recovery_code::Column::AccountId.eq(account.0));
    old.exec(txn).await.map_err(during())?;
    if digests.is_empty() {
        return Ok(());
    }
    let rows = digests.iter().map(|digest| recovery_code::ActiveModel {
        account_id: Set(account.0),
        digest: Set(digest.clone()),
        ..Default::default()
    });
    recovery_code::Entity::insert_many(rows).exec_without_returning(txn).await.map_err(during())?;
    Ok(())
}

async fn forget_notice(txn: &DatabaseTransaction, account: AccountId, code: &str) -> Result<(), CatalogError> {
    account_notice::Entity::delete_many()
        .filter(account_notice::Column::AccountId.eq(account.0))
        .filter(account_notice::Column::Code.eq(code))
        .exec(txn)
        .await
        .map_err(CatalogError::during(ACT))?;
    Ok(())
}
