//! Identities of OpenID providers that belong to accounts, and sign-ins by provider that are under way.

use super::accounts::{AccountRow, insert_account, is_administered, put_grants};
use super::entity::{account, institution, linked_identity, membership, openid_attempt, session};
use super::sessions::insert_session;
use super::{Catalog, CatalogError, now};
use crate::access::{AccountId, Actor, Grant, InstitutionCode, Role, Scope};
use crate::audit::AuditEvent;
use crate::error::EngineError;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DatabaseTransaction, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect, Set,
};
use std::collections::BTreeMap;

const ACT: &str = "look after identities of OpenID providers";
/// So many sign-ins are under way at a time; one more takes the place of the oldest.
const MOST_ATTEMPTS: u64 = 4096;

/// The roles that claims give, by row of the institution and name.
type Claims = BTreeMap<(i64, &'static str), Grant>;

/// An identity that belongs to an account.
#[derive(Clone, Debug)]
pub(crate) struct IdentityRow {
    pub(crate) id: i64,
    pub(crate) issuer: String,
    pub(crate) subject: String,
    pub(crate) created_at: i64,
    pub(crate) used_at: Option<i64>,
}

/// Somebody goes to a provider. What is secret is given by its digest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewAttempt<'a> {
    pub(crate) state: &'a str,
    pub(crate) browser: &'a str,
    pub(crate) provider: &'a str,
    pub(crate) returns: &'a str,
    /// Who links an identity, in which session.
    pub(crate) link: Option<(AccountId, &'a str)>,
    pub(crate) expires_at: i64,
}

/// Somebody came back from a provider.
#[derive(Clone, Debug)]
pub(crate) struct AttemptRow {
    pub(crate) returns: String,
    pub(crate) link: Option<(AccountId, String)>,
}

/// What a provider proved and claims of somebody.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClaimedIdentity<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) subject: &'a str,
    /// Of an account that is made.
    pub(crate) login: Option<&'a str>,
    pub(crate) name: &'a str,
    pub(crate) grants: &'a [Grant],
    /// Whether an account may be made.
    pub(crate) joins: bool,
}

/// What a sign-in by provider did.
#[derive(Clone, Debug)]
pub(crate) struct IdentitySession {
    pub(crate) account: AccountRow,
    pub(crate) identity: i64,
    /// The account was made.
    pub(crate) made: bool,
    /// Roles that claims give now and did not before.
    pub(crate) given: Vec<Grant>,
    /// Roles that claims no longer give.
    pub(crate) taken: Vec<Grant>,
}

/// Why somebody whom a provider knows is not signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityRefusal {
    /// No account has this identity, and none is made for it.
    #[error("the provider knows you, but no account here belongs to you; ask your administrator")]
    NoAccount,
    /// No account has this identity, and its claims give no role.
    #[error("the provider knows you, but nothing that it says of you gives you a role here; ask your administrator")]
    NoRole,
    /// No account can be made, because the claims name none.
    #[error("the provider names you in a way that cannot be a login here; ask your administrator")]
    LoginUnusable,
    /// The account that would be made has another one's login. An equal name is no proof.
    #[error("there is an account with your login; sign in with its password and link the provider in your settings")]
    LoginTaken,
    /// The account is disabled.
    #[error("your account is disabled; ask your administrator")]
    Disabled,
}

impl IdentityRefusal {
    /// Stable, for programs and for the trail.
    pub fn code(self) -> &'static str {
        match self {
            Self::NoAccount => "openid_no_account",
            Self::NoRole => "openid_no_role",
            Self::LoginUnusable => "openid_login_unusable",
            Self::LoginTaken => "openid_login_taken",
            Self::Disabled => "openid_account_disabled",
        }
    }
}

impl Catalog {
    /// Notes that somebody goes to a provider.
    pub(crate) async fn begin_attempt(&self, _scope: &Scope, new: NewAttempt<'_>) -> Result<(), CatalogError> {
        use openid_attempt::{ActiveModel, Column, Entity};
        let during = || CatalogError::during(ACT);
        let txn = self.begin(ACT).await?;
        Entity::delete_many().filter(Column::ExpiresAt.lt(now())).exec(&txn).await.map_err(during())?;
        if Entity::find().count(&txn).await.map_err(during())? >= MOST_ATTEMPTS {
            let oldest = Entity::find().order_by_asc(Column::Id).one(&txn).await.map_err(during())?;
            let oldest = oldest.map_or(0, |row| row.id);
            Entity::delete_many().filter(Column::Id.eq(oldest)).exec(&txn).await.map_err(during())?;
        }
        let row = ActiveModel {
            state: Set(new.state.to_owned()),
            browser: Set(new.browser.to_owned()),
            provider: Set(new.provider.to_owned()),
            returns: Set(new.returns.to_owned()),
            account_id: Set(new.link.map(|(account, _)| account.0)),
            session: Set(new.link.map(|(_, session)| session.to_owned())),
            expires_at: Set(new.expires_at),
            ..Default::default()
        };
        row.insert(&txn).await.map_err(during())?;
        txn.commit().await.map_err(during())
    }

    /// Somebody came back, in the browser that went; once.
    pub(crate) async fn take_attempt(
        &self,
        _scope: &Scope,
        state: &str,
        browser: &str,
        provider: &str,
    ) -> Result<Option<AttemptRow>, CatalogError> {
        use openid_attempt::{Column, Entity};
        let txn = self.begin(ACT).await?;
        let row = Entity::find()
            .filter(Column::State.eq(state))
            .filter(Column::Browser.eq(browser))
            .filter(Column::Provider.eq(provider))
            .filter(Column::ExpiresAt.gt(now()))
            .one(&txn)
            .await
            .map_err(CatalogError::during(ACT))?;
        let Some(row) = row else { return Ok(None) };
        Entity::delete_many().filter(Column::Id.eq(row.id)).exec(&txn).await.map_err(CatalogError::during(ACT))?;
        txn.commit().await.map_err(CatalogError::during(ACT))?;
        Ok(Some(AttemptRow { returns: row.returns, link: row.account_id.map(AccountId).zip(row.session) }))
    }

    /// Signs in whom a provider knows, in one go: the account is found by the identity or made, its roles become what the claims say, and the
    /// session begins. `told` says what of it belongs into the trail.
    pub(crate) async fn begin_identity_session(
        &self,
        _scope: &Scope,
        claimed: ClaimedIdentity<'_>,
        session: &str,
        told: impl FnOnce(&IdentitySession) -> Vec<AuditEvent>,
    ) -> Result<Result<IdentitySession, (IdentityRefusal, Option<AccountRow>)>, EngineError> {
        let during = || CatalogError::during(ACT);
        let txn = self.begin(ACT).await?;
        let claims = self.known_institutions(&txn, claimed.grants).await?;
        let known = found(&txn, claimed.issuer, claimed.subject).await?;
        let made = known.is_none();
        let identity = match known {
            Some(identity) => identity,
            None => match self.join(&txn, claimed, &claims).await? {
                Ok(identity) => identity,
                Err(refusal) => return Ok(Err((refusal, None))),
            },
        };
        let row = account::Entity::find_by_id(identity.account_id).one(&txn).await.map_err(during())?;
        let row = row.ok_or(CatalogError::Corrupt { what: "account of an identity" })?;
        if row.disabled_at.is_some() {
            let account = self.with_grants(&txn, vec![row]).await?.pop();
            return Ok(Err((IdentityRefusal::Disabled, account)));
        }
        let (given, taken) = self.refresh(&txn, &identity, &claims).await?;
        let mut used: linked_identity::ActiveModel = identity.clone().into();
        used.used_at = Set(Some(now()));
        used.update(&txn).await.map_err(during())?;
        insert_session(&txn, AccountId(row.id), session, Some(identity.id)).await?;
        let account = self.with_grants(&txn, vec![row]).await?.pop();
        let account = account.ok_or(CatalogError::Corrupt { what: "account of an identity" })?;
        let begun = IdentitySession { account, identity: identity.id, made, given, taken };
        self.commit_told(txn, ACT, &told(&begun)).await?;
        Ok(Ok(begun))
    }

    /// An account for an identity that nobody has; never one that is there, whatever it is called.
    async fn join(
        &self,
        txn: &DatabaseTransaction,
        claimed: ClaimedIdentity<'_>,
        claims: &Claims,
    ) -> Result<Result<linked_identity::Model, IdentityRefusal>, EngineError> {
        if !claimed.joins {
            return Ok(Err(IdentityRefusal::NoAccount));
        }
        if claims.is_empty() {
            return Ok(Err(IdentityRefusal::NoRole));
        }
        let Some(login) = claimed.login else { return Ok(Err(IdentityRefusal::LoginUnusable)) };
        let account = match insert_account(txn, login, claimed.name, &[]).await {
            Ok(id) => AccountId(id),
            Err(EngineError::Conflict(_)) => return Ok(Err(IdentityRefusal::LoginTaken)),
            Err(error) => return Err(error),
        };
        Ok(Ok(insert_identity(txn, account, claimed.issuer, claimed.subject).await?))
    }

    /// What grants give; of an institution that is not there nothing.
    async fn known_institutions(&self, txn: &DatabaseTransaction, grants: &[Grant]) -> Result<Claims, CatalogError> {
        let rows = institution::Entity::find()
            .filter(institution::Column::Code.is_in(grants.iter().map(|grant| grant.institution.as_str())))
            .all(txn)
            .await
            .map_err(CatalogError::during(ACT))?;
        let mut known = Claims::new();
        for grant in grants {
            if let Some(row) = rows.iter().find(|row| row.code == grant.institution.as_str()) {
                known.insert((row.id, grant.role.as_str()), grant.clone());
            } else {
                tracing::warn!(
                    institution = grant.institution.as_str(),
                    "[[openid.roles]] names an institution that is not there; `hilum institution add` adds it"
                );
            }
        }
        Ok(known)
    }

    /// The roles that an identity's claims give become these.
    async fn refresh(
        &self,
        txn: &DatabaseTransaction,
        identity: &linked_identity::Model,
        claims: &Claims,
    ) -> Result<(Vec<Grant>, Vec<Grant>), CatalogError> {
        use membership::{Column, Entity};
        let before: Vec<(i64, i64, String, String)> = Entity::find()
            .select_only()
            .column(Column::Id)
            .column(Column::InstitutionId)
            .column(Column::Role)
            .column(institution::Column::Code)
            .join(
                sea_orm::JoinType::InnerJoin,
                Entity::belongs_to(institution::Entity).from(Column::InstitutionId).to(institution::Column::Id).into(),
            )
            .filter(Column::AccountId.eq(identity.account_id))
            .filter(Column::IdentityId.eq(identity.id))
            .into_tuple()
            .all(txn)
            .await
            .map_err(CatalogError::during(ACT))?;
        let mut taken = Vec::new();
        let mut over = Vec::new();
        for (id, institution, role, code) in &before {
            if !claims.contains_key(&(*institution, role.as_str())) {
                over.push(*id);
                taken.push(grant(code, role)?);
            }
        }
        if !over.is_empty() {
            let gone = Entity::delete_many().filter(Column::Id.is_in(over)).exec(txn).await;
            gone.map_err(CatalogError::during(ACT))?;
        }
        let had =
            |institution: i64, role: &str| before.iter().any(|(_, row, name, _)| *row == institution && name == role);
        let (fresh, given): (Vec<_>, Vec<_>) =
            claims.iter().filter(|((row, role), _)| !had(*row, role)).map(|(row, grant)| (*row, grant.clone())).unzip();
        put_grants(txn, identity.account_id, identity.id, &fresh).await?;
        Ok((given, taken))
    }

    /// An account's identities, in the order in which they were linked.
    pub(crate) async fn identities_of(
        &self,
        _scope: &Scope,
        account: AccountId,
    ) -> Result<Vec<IdentityRow>, CatalogError> {
        let rows = linked_identity::Entity::find()
            .filter(linked_identity::Column::AccountId.eq(account.0))
            .order_by_asc(linked_identity::Column::Id)
            .all(&self.read)
            .await;
        Ok(rows.map_err(CatalogError::during(ACT))?.into_iter().map(identity).collect())
    }

    /// An identity belongs to an account from now on; refused where it belongs to one already.
    pub(crate) async fn link_identity(
        &self,
        _scope: &Scope,
        account: AccountId,
        issuer: &str,
        subject: &str,
        told: impl FnOnce(i64) -> Vec<AuditEvent>,
    ) -> Result<IdentityRow, EngineError> {
        let txn = self.begin(ACT).await?;
        match found(&txn, issuer, subject).await? {
            Some(known) if known.account_id == account.0 => {
                return Err(EngineError::Conflict("this identity is linked to the account already"));
            }
            Some(_) => return Err(EngineError::Conflict("this identity is linked to another account")),
            None => {}
        }
        let row = insert_identity(&txn, account, issuer, subject).await?;
        self.commit_told(txn, ACT, &told(row.id)).await?;
        Ok(identity(row))
    }

    /// An identity belongs to no account any longer: what its claims gave and who signed in by it ends. Its holder cannot unlink the last way in.
    /// False where the account has none of this number. `told` gets the roles that were taken.
    pub(crate) async fn unlink_identity(
        &self,
        scope: &Scope,
        account: AccountId,
        id: i64,
        told: impl FnOnce(&[Grant]) -> Vec<AuditEvent>,
    ) -> Result<bool, EngineError> {
        use linked_identity::{Column, Entity};
        let during = || CatalogError::during(ACT);
        let txn = self.begin(ACT).await?;
        let rows = Entity::find().filter(Column::AccountId.eq(account.0)).all(&txn).await.map_err(during())?;
        let others = rows.len() > 1;
        let Some(row) = rows.into_iter().find(|row| row.id == id) else { return Ok(false) };
        let holder = account::Entity::find_by_id(account.0).one(&txn).await.map_err(during())?;
        if *scope.actor() == Actor::Account(account) && !others && holder.is_none_or(|row| row.password.is_none()) {
            return Err(EngineError::Conflict("this is the only way to sign in with this account"));
        }
        let (_, taken) = self.refresh(&txn, &row, &Claims::new()).await?;
        let sessions = session::Entity::delete_many().filter(session::Column::IdentityId.eq(id));
        sessions.exec(&txn).await.map_err(during())?;
        Entity::delete_by_id(id).exec(&txn).await.map_err(during())?;
        if !is_administered(&txn).await? {
            return Err(EngineError::Conflict("somebody must be left who manages accounts"));
        }
        self.commit_told(txn, ACT, &told(&taken)).await?;
        Ok(true)
    }

    /// The issuer of the identity by which a session began, where it began so.
    pub(crate) async fn issuer_of_session(&self, _scope: &Scope, digest: &str) -> Result<Option<String>, CatalogError> {
        let row = session::Entity::find().filter(session::Column::Digest.eq(digest)).one(&self.read).await;
        let Some(id) = row.map_err(CatalogError::during(ACT))?.and_then(|row| row.identity_id) else { return Ok(None) };
        let row = linked_identity::Entity::find_by_id(id).one(&self.read).await.map_err(CatalogError::during(ACT))?;
        Ok(row.map(|row| row.issuer))
    }
}

async fn found(
    txn: &DatabaseTransaction,
    issuer: &str,
    subject: &str,
) -> Result<Option<linked_identity::Model>, CatalogError> {
    linked_identity::Entity::find()
        .filter(linked_identity::Column::Issuer.eq(issuer))
        .filter(linked_identity::Column::Subject.eq(subject))
        .one(txn)
        .await
        .map_err(CatalogError::during(ACT))
}

async fn insert_identity(
    txn: &DatabaseTransaction,
    account: AccountId,
    issuer: &str,
    subject: &str,
) -> Result<linked_identity::Model, CatalogError> {
    let row = linked_identity::ActiveModel {
        account_id: Set(account.0),
        issuer: Set(issuer.to_owned()),
        subject: Set(subject.to_owned()),
        created_at: Set(now()),
        ..Default::default()
    };
    row.insert(txn).await.map_err(CatalogError::during(ACT))
}

fn grant(code: &str, role: &str) -> Result<Grant, CatalogError> {
    let institution: InstitutionCode = code.parse().map_err(|_| CatalogError::Corrupt { what: "institution code" })?;
    let role: Role = role.parse().map_err(|_| CatalogError::Corrupt { what: "role" })?;
    Ok(Grant { institution, role })
}

fn identity(row: linked_identity::Model) -> IdentityRow {
    let linked_identity::Model { id, account_id: _, issuer, subject, created_at, used_at } = row;
    IdentityRow { id, issuer, subject, created_at, used_at }
}

#[cfg(test)]
mod tests {
    use super::super::accounts::CLAIMS_HOLD_MS;
    use super::*;
    use crate::engine::{Engine, EngineConfig};

    #[tokio::test]
    async fn what_claims_gave_is_over_a_month_after_the_provider_was_last_asked() {
        let folder = tempfile::tempdir().unwrap();
        let config = EngineConfig { shipped_model: false, ..EngineConfig::new(folder.path()) };
        let engine = Engine::open(config).await.unwrap();
        let (catalog, scope) = (engine.catalog(), Scope::local());
        catalog.home(&scope).await.unwrap();
        let grant = |institution: &str, role| Grant { institution: institution.parse().unwrap(), role };
        let claims = [grant("LOCAL", Role::Radiologist), grant("NOT_THERE", Role::Viewer)];
        let claimed = ClaimedIdentity {
            issuer: "https://login.example",
            subject: "248289761001",
            login: Some("kim"),
            name: "Kim",
            grants: &claims,
            joins: true,
        };
        let begun = catalog.begin_identity_session(&scope, claimed, "digest", |_| Vec::new()).await.unwrap().unwrap();
        assert_eq!((begun.account.grants, begun.made), (vec![grant("LOCAL", Role::Radiologist)], true));
        let asked = async |days_ago: i64| {
            let used = now() - days_ago * 86_400_000;
            linked_identity::Entity::update_many()
                .col_expr(linked_identity::Column::UsedAt, sea_orm::sea_query::Expr::value(used))
                .exec(&catalog.write)
                .await
                .unwrap();
            let account = catalog.account(&scope, begun.account.id).await.unwrap().unwrap();
            assert_eq!(account.grants, account.by_claims);
            account.grants.len()
        };
        let days = CLAIMS_HOLD_MS / 86_400_000;
        assert_eq!((asked(days - 1).await, asked(0).await, asked(days + 1).await), (1, 1, 0));
        // Whoever manages accounts there manages this one still.
        let roles = vec![grant("LOCAL", Role::Administrator)];
        let chief = crate::accounts::NewAccount { login: "chief".into(), name: String::new(), roles };
        engine.add_account(&scope, &chief).await.unwrap();
        let view = engine.account_with_login(&scope, "kim").await.unwrap();
        let patch = crate::accounts::AccountPatch { disabled: Some(true), ..Default::default() };
        assert!(engine.change_account(&scope, view.id, &patch).await.unwrap().disabled);
        assert!(engine.identities(&scope, view.id).await.unwrap()[0].last_used_at.is_some());
    }
}
