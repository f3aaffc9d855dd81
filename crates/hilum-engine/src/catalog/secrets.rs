//! What is kept encrypted, by the key that it needs, and its passage from one key to another.

use super::entity::{pseudonym, second_factor};
use super::{Catalog, CatalogError};
use crate::access::Scope;
use crate::audit::AuditEvent;
use crate::error::EngineError;
use crate::keys::{Binding, Key, KeyPlace, KeyRing, Sealed};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
    Select, Set,
};

const ACT: &str = "look after what is encrypted";
/// Rows that a transaction of a rotation encrypts anew.
const CHUNK: u64 = 100;

pub(super) const SECOND_FACTORS: &str = "second factors";
pub(super) const PSEUDONYMS: &str = "pseudonyms";

/// So many secrets of one kind need a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyUse {
    pub(crate) key: String,
    pub(crate) what: &'static str,
    pub(crate) rows: u64,
}

pub(super) fn of_second_factor(account: i64) -> Binding {
    Binding::new(SECOND_FACTORS, "second_factor.secret", account)
}

/// A pseudonym is as good as its row, and also says whose it is.
pub(super) fn of_pseudonym(institution: i64, pseudonym: &str) -> Binding {
    Binding::new(PSEUDONYMS, "pseudonym.identity", format!("{institution} {pseudonym}"))
}

impl Catalog {
    /// Which keys are needed, and for how much.
    pub(crate) async fn key_uses(&self, _scope: &Scope) -> Result<Vec<KeyUse>, CatalogError> {
        uses(&self.read).await
    }

    /// Encrypts some of what is encrypted with other keys at hand with the current one, in one transaction; says how many rows, 0 where none is
    /// left. What needs a key that is not at hand stays as it is.
    pub(crate) async fn encrypt_anew(
        &self,
        _scope: &Scope,
        ring: &KeyRing,
        place: &KeyPlace,
    ) -> Result<u64, EngineError> {
        let during = || CatalogError::during(ACT);
        let current = ring.current().ok_or_else(|| crate::keys::KeyError::NoKey { place: place.to_string() })?;
        let others: Vec<&str> = ring.iter().skip(1).map(|key| key.id().as_str()).collect();
        let txn = self.begin(ACT).await?;
        let factors = second_factor::Entity::find()
            .filter(second_factor::Column::KeyId.is_in(others.iter().copied()))
            .order_by_asc(second_factor::Column::Id)
            .limit(CHUNK);
        let factors = factors.all(&txn).await.map_err(during())?;
        let pseudonyms = pseudonym::Entity::find()
            .filter(pseudonym::Column::KeyId.is_in(others.iter().copied()))
            .order_by_asc(pseudonym::Column::Id)
            .limit(CHUNK);
        let pseudonyms = pseudonyms.all(&txn).await.map_err(during())?;
        let rows = (factors.len() + pseudonyms.len()) as u64;
        for row in factors {
            let binding = of_second_factor(row.account_id);
            let secret = ring.open(&binding, &row.key_id, &row.secret, place)?;
            let Sealed { key, text } = current.seal(&binding, &secret)?;
            let mut changed = row.into_active_model();
            (changed.key_id, changed.secret) = (Set(key.into()), Set(text));
            changed.update(&txn).await.map_err(during())?;
        }
        for row in pseudonyms {
            let binding = of_pseudonym(row.institution_id, &row.pseudonym);
            let identity = ring.open(&binding, &row.key_id, &row.identity, place)?;
            let lookup = super::pseudonyms::lookup(current, row.institution_id, &super::pseudonyms::read(&identity)?);
            let Sealed { key, text } = current.seal(&binding, &identity)?;
            let mut changed = row.into_active_model();
            (changed.key_id, changed.identity, changed.lookup) = (Set(key.into()), Set(text), Set(lookup));
            changed.update(&txn).await.map_err(during())?;
        }
        txn.commit().await.map_err(during())?;
        Ok(rows)
    }

    /// Changes the keys while nobody writes, or says that they may be: `change` gets what needs which key.
    pub(crate) async fn change_keys<T>(
        &self,
        _scope: &Scope,
        change: impl FnOnce(&[KeyUse]) -> Result<T, EngineError>,
        told: impl FnOnce(&T) -> Vec<AuditEvent>,
    ) -> Result<T, EngineError> {
        let txn = self.begin(ACT).await?;
        let needed = uses(&txn).await?;
        let done = change(&needed)?;
        self.commit_told(txn, ACT, &told(&done)).await?;
        Ok(done)
    }
}

/// Which keys are needed, and for how much.
pub(super) async fn uses(connection: &impl ConnectionTrait) -> Result<Vec<KeyUse>, CatalogError> {
    let factors = by_key(connection, second_factor::Column::KeyId, second_factor::Entity::find()).await?;
    let pseudonyms = by_key(connection, pseudonym::Column::KeyId, pseudonym::Entity::find()).await?;
    let kinds = [(SECOND_FACTORS, factors), (PSEUDONYMS, pseudonyms)];
    let of_kind = |(what, keys): (&'static str, Vec<(String, i64)>)| {
        keys.into_iter().map(move |(key, rows)| KeyUse { key, what, rows: rows as u64 })
    };
    Ok(kinds.into_iter().flat_map(of_kind).collect())
}

/// How many rows need each key.
async fn by_key<E: EntityTrait>(
    connection: &impl ConnectionTrait,
    key: E::Column,
    rows: Select<E>,
) -> Result<Vec<(String, i64)>, CatalogError> {
    let counted = rows.select_only().column(key).column_as(key.count(), "rows").group_by(key);
    counted.into_tuple().all(connection).await.map_err(CatalogError::during(ACT))
}

/// Whether anything is encrypted at all.
pub(super) async fn is_anything_encrypted(connection: &impl ConnectionTrait) -> Result<bool, CatalogError> {
    let during = || CatalogError::during(ACT);
    if second_factor::Entity::find().one(connection).await.map_err(during())?.is_some() {
        return Ok(true);
    }
    Ok(pseudonym::Entity::find().one(connection).await.map_err(during())?.is_some())
}

/// The keys for a transaction that encrypts something; the first one is made where nothing is encrypted yet.
pub(super) async fn ring_to_seal(connection: &impl ConnectionTrait, place: &KeyPlace) -> Result<KeyRing, EngineError> {
    let ring = place.ring()?;
    if ring.current().is_some() {
        return Ok(ring);
    }
    Ok(place.ring_to_seal(is_anything_encrypted(connection).await?)?)
}

/// The current key of a ring that encrypts.
pub(super) fn current<'a>(ring: &'a KeyRing, place: &KeyPlace) -> Result<&'a Key, EngineError> {
    Ok(ring.current().ok_or_else(|| crate::keys::KeyError::NoKey { place: place.to_string() })?)
}
