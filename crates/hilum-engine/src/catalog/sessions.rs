//! How accounts prove who they are: sessions, tokens of programs, links that work once, and tries that failed. Secrets are looked for
//! by their digest.

use super::accounts::{insert_account, is_administered, put_password};
use super::entity::{account, account_link, api_token, session, sign_in_failure};
use super::{Catalog, CatalogError, now};
use crate::access::{AccountId, Grant, Scope};
use crate::audit::AuditEvent;
use crate::error::EngineError;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ActiveModelTrait, ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder, Set};
use std::collections::HashMap;

const ACT: &str = "look after sessions";

/// A token of a program.
#[derive(Clone, Debug)]
pub(crate) struct TokenRow {
    pub(crate) id: i64,
    pub(crate) account: AccountId,
    pub(crate) name: String,
    pub(crate) grants: Vec<Grant>,
    pub(crate) created_at: i64,
    pub(crate) expires_at: i64,
    pub(crate) used_at: Option<i64>,
}

/// A link that works once.
#[derive(Clone, Debug)]
pub(crate) struct LinkRow {
    pub(crate) account: Option<AccountId>,
    pub(crate) purpose: String,
}

/// Whose a link is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum LinkHolder<'a> {
    /// An account that is there.
    Known(AccountId),
    /// The first one, which the link makes.
    First { login: &'a str, name: &'a str, grants: &'a [Grant] },
}

impl Catalog {
    /// Somebody signed in: notes when, and forgets the tries that failed.
    pub(crate) async fn begin_session(
        &self,
        _scope: &Scope,
        account: AccountId,
        digest: &str,
        login_digest: &str,
        told: &[AuditEvent],
    ) -> Result<(), CatalogError> {
        let txn = self.begin(ACT).await?;
        insert_session(&txn, account, digest, None).await?;
        sign_in_failure::Entity::delete_many()
            .filter(sign_in_failure::Column::Digest.eq(login_digest))
            .exec(&txn)
            .await
            .map_err(CatalogError::during(ACT))?;
        self.commit_told(txn, ACT, told).await
    }

    /// Whose session it is, if it began after `begun` and was used after `seen`.
    pub(crate) async fn session(
        &self,
        _scope: &Scope,
        digest: &str,
        begun: i64,
        seen: i64,
    ) -> Result<Option<(AccountId, i64)>, CatalogError> {
        let row = session::Entity::find()
            .filter(session::Column::Digest.eq(digest))
            .filter(session::Column::CreatedAt.gt(begun))
            .filter(session::Column::SeenAt.gt(seen))
            .one(&self.read)
            .await;
        Ok(row.map_err(CatalogError::during(ACT))?.map(|row| (AccountId(row.account_id), row.seen_at)))
    }

    /// The session is used.
    pub(crate) async fn saw_session(&self, _scope: &Scope, digest: &str) -> Result<(), CatalogError> {
        let txn = self.begin(ACT).await?;
        session::Entity::update_many()
            .col_expr(session::Column::SeenAt, Expr::value(now()))
            .filter(session::Column::Digest.eq(digest))
            .exec(&txn)
            .await
            .map_err(CatalogError::during(ACT))?;
        txn.commit().await.map_err(CatalogError::during(ACT))
    }

    /// Somebody signed out.
    pub(crate) async fn end_session(
        &self,
        _scope: &Scope,
        digest: &str,
        told: &[AuditEvent],
    ) -> Result<(), CatalogError> {
        let txn = self.begin(ACT).await?;
        session::Entity::delete_many()
            .filter(session::Column::Digest.eq(digest))
            .exec(&txn)
            .await
            .map_err(CatalogError::during(ACT))?;
        self.commit_told(txn, ACT, told).await
    }

    /// Forgets sessions, links and tries that are over since `before`.
    pub(crate) async fn forget_what_is_over(&self, _scope: &Scope, before: i64) -> Result<(), CatalogError> {
        let txn = self.begin(ACT).await?;
        let during = || CatalogError::during(ACT);
        session::Entity::delete_many().filter(session::Column::SeenAt.lt(before)).exec(&txn).await.map_err(during())?;
        let over = account_link::Column::ExpiresAt.lt(before);
        account_link::Entity::delete_many().filter(over).exec(&txn).await.map_err(during())?;
        let over = sign_in_failure::Column::FailedAt.lt(before);
        sign_in_failure::Entity::delete_many().filter(over).exec(&txn).await.map_err(during())?;
        txn.commit().await.map_err(during())
    }

    /// Until when a login is locked, ms since 1970 UTC; 0 where no try failed.
    pub(crate) async fn locked_until(&self, _scope: &Scope, digest: &str) -> Result<i64, CatalogError> {
        let row = sign_in_failure::Entity::find().filter(sign_in_failure::Column::Digest.eq(digest)).one(&self.read);
        let row = row.await.map_err(CatalogError::during(ACT))?;
        Ok(row.map_or(0, |row| row.locked_until))
    }

    /// The same of many logins; those of which no try failed are left out.
    pub(crate) async fn locks(
        &self,
        _scope: &Scope,
        digests: impl Iterator<Item = String>,
    ) -> Result<HashMap<String, i64>, CatalogError> {
        let digests: Vec<String> = digests.collect();
        let list = serde_json::to_string(&digests).map_err(|_| CatalogError::Corrupt { what: "login" })?;
        let sql = format!("SELECT * FROM sign_in_failure WHERE {}", self.dialect().in_json_list("digest"));
        let rows = sign_in_failure::Entity::find().from_raw_sql(self.statement(&sql, [list.into()]));
        let rows = rows.all(&self.read).await.map_err(CatalogError::during(ACT))?;
        Ok(rows.into_iter().map(|row| (row.digest, row.locked_until)).collect())
    }

    /// One more that failed; `pause` says how long the login is locked after so many.
    pub(crate) async fn failed(
        &self,
        _scope: &Scope,
        digest: &str,
        pause: impl Fn(i64) -> i64,
    ) -> Result<(), CatalogError> {
        let txn = self.begin(ACT).await?;
        let known = sign_in_failure::Entity::find().filter(sign_in_failure::Column::Digest.eq(digest)).one(&txn).await;
        let count = known.map_err(CatalogError::during(ACT))?.map_or(0, |row| row.failures) + 1;
        let row = sign_in_failure::ActiveModel {
            digest: Set(digest.to_owned()),
            failures: Set(count),
            failed_at: Set(now()),
            locked_until: Set(now() + pause(count)),
            ..Default::default()
        };
        use sign_in_failure::Column;
        let again = OnConflict::column(Column::Digest)
            .update_columns([Column::Failures, Column::FailedAt, Column::LockedUntil])
            .to_owned();
        sign_in_failure::Entity::insert(row)
            .on_conflict(again)
            .exec_without_returning(&txn)
            .await
            .map_err(CatalogError::during(ACT))?;
        txn.commit().await.map_err(CatalogError::during(ACT))
    }

    /// Keeps a link; those for the same account, or for the first one, work no longer.
    pub(crate) async fn put_link(
        &self,
        _scope: &Scope,
        account: Option<AccountId>,
        purpose: &str,
        digest: &str,
        expires_at: i64,
        told: &[AuditEvent],
    ) -> Result<(), CatalogError> {
        use account_link::Column;
        let txn = self.begin(ACT).await?;
        let of = match account {
            Some(account) => Column::AccountId.eq(account.0),
            None => Column::AccountId.is_null(),
        };
        account_link::Entity::delete_many().filter(of).exec(&txn).await.map_err(CatalogError::during(ACT))?;
        let row = account_link::ActiveModel {
            account_id: Set(account.map(|account| account.0)),
            purpose: Set(purpose.to_owned()),
            digest: Set(digest.to_owned()),
            created_at: Set(now()),
            expires_at: Set(expires_at),
            ..Default::default()
        };
        row.insert(&txn).await.map_err(CatalogError::during(ACT))?;
        self.commit_told(txn, ACT, told).await
    }

    /// A link that still works.
    pub(crate) async fn link(&self, _scope: &Scope, digest: &str) -> Result<Option<LinkRow>, CatalogError> {
        let row = account_link::Entity::find()
            .filter(account_link::Column::Digest.eq(digest))
            .filter(account_link::Column::ExpiresAt.gt(now()))
            .one(&self.read)
            .await
            .map_err(CatalogError::during(ACT))?;
        Ok(row.map(|row| LinkRow { account: row.account_id.map(AccountId), purpose: row.purpose }))
    }

    /// Uses a link, in one go: it works no longer, the account that it is for has this password, and the first account is made. `None` where
    /// another was faster.
    pub(crate) async fn use_link(
        &self,
        scope: &Scope,
        digest: &str,
        holder: LinkHolder<'_>,
        password: &str,
        told: impl FnOnce(AccountId) -> Vec<AuditEvent>,
    ) -> Result<Option<AccountId>, EngineError> {
        let institutions = match holder {
            LinkHolder::Known(_) => Vec::new(),
            LinkHolder::First { grants, .. } => self.institutions_of(scope, grants).await?,
        };
        let txn = self.begin(ACT).await?;
        let gone = account_link::Entity::delete_many()
            .filter(account_link::Column::Digest.eq(digest))
            .filter(account_link::Column::ExpiresAt.gt(now()))
            .exec(&txn)
            .await
            .map_err(CatalogError::during(ACT))?;
        if gone.rows_affected != 1 {
            return Ok(None);
        }
        let id = match holder {
            LinkHolder::Known(id) => id,
            LinkHolder::First { .. } if is_administered(&txn).await? => return Ok(None),
            LinkHolder::First { login, name, .. } => AccountId(insert_account(&txn, login, name, &institutions).await?),
        };
        put_password(&txn, id, password).await?;
        self.commit_told(txn, ACT, &told(id)).await?;
        Ok(Some(id))
    }

    /// Keeps a token.
    pub(crate) async fn add_token(
        &self,
        _scope: &Scope,
        account: AccountId,
        name: &str,
        digest: &str,
        grants: &[Grant],
        expires_at: i64,
        told: impl FnOnce(i64) -> AuditEvent,
    ) -> Result<TokenRow, CatalogError> {
        let txn = self.begin(ACT).await?;
        let roles = serde_json::to_string(grants).map_err(|_| CatalogError::Corrupt { what: "roles of a token" })?;
        let row = api_token::ActiveModel {
            account_id: Set(account.0),
            name: Set(name.to_owned()),
            digest: Set(digest.to_owned()),
            roles: Set(roles),
            created_at: Set(now()),
            expires_at: Set(expires_at),
            ..Default::default()
        };
        let row = row.insert(&txn).await.map_err(CatalogError::during(ACT))?;
        self.commit_told(txn, ACT, &[told(row.id)]).await?;
        token(row)
    }

    /// An account's tokens, the newest first.
    pub(crate) async fn tokens_of(&self, _scope: &Scope, account: AccountId) -> Result<Vec<TokenRow>, CatalogError> {
        let rows = api_token::Entity::find()
            .filter(api_token::Column::AccountId.eq(account.0))
            .order_by_desc(api_token::Column::Id)
            .all(&self.read)
            .await;
        rows.map_err(CatalogError::during(ACT))?.into_iter().map(token).collect()
    }

    /// A token that still works.
    pub(crate) async fn token(&self, _scope: &Scope, digest: &str) -> Result<Option<TokenRow>, CatalogError> {
        let row = api_token::Entity::find()
            .filter(api_token::Column::Digest.eq(digest))
            .filter(api_token::Column::ExpiresAt.gt(now()))
            .one(&self.read)
            .await;
        row.map_err(CatalogError::during(ACT))?.map(token).transpose()
    }

    /// The token is used.
    pub(crate) async fn used_token(&self, _scope: &Scope, id: i64) -> Result<(), CatalogError> {
        let txn = self.begin(ACT).await?;
        api_token::Entity::update_many()
            .col_expr(api_token::Column::UsedAt, Expr::value(now()))
            .filter(api_token::Column::Id.eq(id))
            .exec(&txn)
            .await
            .map_err(CatalogError::during(ACT))?;
        txn.commit().await.map_err(CatalogError::during(ACT))
    }

    /// A token works no longer; false where the account has none of this number.
    pub(crate) async fn revoke_token(
        &self,
        _scope: &Scope,
        account: AccountId,
        id: i64,
        told: AuditEvent,
    ) -> Result<bool, CatalogError> {
        let txn = self.begin(ACT).await?;
        let gone = api_token::Entity::delete_many()
            .filter(api_token::Column::Id.eq(id))
            .filter(api_token::Column::AccountId.eq(account.0))
            .exec(&txn)
            .await
            .map_err(CatalogError::during(ACT))?;
        let gone = gone.rows_affected == 1;
        if gone {
            self.commit_told(txn, ACT, &[told]).await?;
        }
        Ok(gone)
    }
}

/// Somebody is signed in, and when is noted. `identity`: the linked one by which they did.
pub(super) async fn insert_session(
    txn: &DatabaseTransaction,
    account: AccountId,
    digest: &str,
    identity: Option<i64>,
) -> Result<(), CatalogError> {
    let row = session::ActiveModel {
        account_id: Set(account.0),
        digest: Set(digest.to_owned()),
        created_at: Set(now()),
        seen_at: Set(now()),
        identity_id: Set(identity),
        ..Default::default()
    };
    row.insert(txn).await.map_err(CatalogError::during(ACT))?;
    account::Entity::update_many()
        .col_expr(account::Column::SignedInAt, Expr::value(now()))
        .filter(account::Column::Id.eq(account.0))
        .exec(txn)
        .await
        .map_err(CatalogError::during(ACT))?;
    Ok(())
}

pub(super) async fn end_sessions(txn: &DatabaseTransaction, account: AccountId) -> Result<(), CatalogError> {
    let sessions = session::Entity::delete_many().filter(session::Column::AccountId.eq(account.0));
    sessions.exec(txn).await.map_err(CatalogError::during(ACT))?;
    Ok(())
}

fn token(row: api_token::Model) -> Result<TokenRow, CatalogError> {
    let grants = serde_json::from_str(&row.roles).map_err(|_| CatalogError::Corrupt { what: "roles of a token" })?;
    Ok(TokenRow {
        id: row.id,
        account: AccountId(row.account_id),
        name: row.name,
        grants,
        created_at: row.created_at,
        expires_at: row.expires_at,
        used_at: row.used_at,
    })
}
