//! Patients of an institution under other names. Who they are stands nowhere but encrypted; they are found by an HMAC.

use super::entity::{institution, pseudonym};
use super::secrets::{PSEUDONYMS, current, of_pseudonym, ring_to_seal};
use super::{Catalog, CatalogError, now};
use crate::access::{InstitutionCode, Permission, Scope};
use crate::audit::AuditEvent;
use crate::error::EngineError;
use crate::keys::{Key, KeyError, KeyPlace, KeyRing, Sealed};
use crate::pseudonyms::{Identity, Pseudonym};
use sea_orm::{ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, Set};

const ACT: &str = "look after pseudonyms";

/// Where a patient is found under a key.
pub(super) fn lookup(key: &Key, institution: i64, identity: &Identity) -> String {
    key.index("pseudonym", &[&institution.to_string(), &identity.issuer, &identity.patient_id])
}

/// Who a pseudonym stands for, decrypted.
pub(super) fn read(identity: &[u8]) -> Result<Identity, KeyError> {
    serde_json::from_slice(identity).map_err(|_| KeyError::Forged { what: PSEUDONYMS })
}

#[derive(FromQueryResult)]
struct Needed {
    key_id: String,
}

/// Each key once, by a step through the index for each.
const KEYS: &str = "WITH RECURSIVE needed (key_id) AS (SELECT min(key_id) FROM pseudonym UNION ALL \
     SELECT (SELECT min(key_id) FROM pseudonym WHERE key_id > needed.key_id) FROM needed WHERE needed.key_id IS NOT NULL) \
     SELECT key_id FROM needed WHERE key_id IS NOT NULL";

impl Catalog {
    /// The pseudonym of a patient in the caller's institution; a new one where it has none. `told` is written where one is made.
    pub(crate) async fn pseudonym(
        &self,
        scope: &Scope,
        keys: &KeyPlace,
        identity: &Identity,
        fresh: Pseudonym,
        told: impl FnOnce(i64) -> AuditEvent,
    ) -> Result<Pseudonym, EngineError> {
        if !scope.may(Permission::Store, scope.home()) {
            return Err(EngineError::Forbidden);
        }
        let institution = self.home(scope).await?;
        let ring = keys.ring()?;
        if let Some(known) = self.pseudonym_of(&self.read, &ring, institution, identity).await? {
            return Ok(known);
        }
        let txn = self.begin(ACT).await?;
        let ring = ring_to_seal(&txn, keys).await?;
        // A patient whose row needs a key that is gone cannot be found, and would get a second pseudonym.
        let needed = Needed::find_by_statement(self.statement(KEYS, [])).all(&txn).await;
        for Needed { key_id } in needed.map_err(CatalogError::during(ACT))? {
            if ring.find(&key_id).is_none() {
                let key = key_id.parse().map_err(|_| CatalogError::Corrupt { what: "id of a key" })?;
                return Err(KeyError::Missing { key, what: PSEUDONYMS, place: keys.to_string() }.into());
            }
        }
        if let Some(known) = self.pseudonym_of(&txn, &ring, institution, identity).await? {
            return Ok(known);
        }
        let key = current(&ring, keys)?;
        let plain = serde_json::to_vec(identity).map(zeroize::Zeroizing::new);
        let plain = plain.map_err(|_| CatalogError::Corrupt { what: "identity" })?;
        let Sealed { key: key_id, text } = key.seal(&of_pseudonym(institution, fresh.as_str()), &plain)?;
        let row = pseudonym::ActiveModel {
            institution_id: Set(institution),
            pseudonym: Set(fresh.as_str().to_owned()),
            key_id: Set(key_id.into()),
            lookup: Set(lookup(key, institution, identity)),
            identity: Set(text),
            created_at: Set(now()),
            ..Default::default()
        };
        let row = row.insert(&txn).await.map_err(CatalogError::during(ACT))?;
        self.commit_told(txn, ACT, &[told(row.id)]).await?;
        Ok(fresh)
    }

    /// Found under whichever key its row has, so that a rotation under way changes nothing.
    async fn pseudonym_of(
        &self,
        connection: &impl ConnectionTrait,
        ring: &KeyRing,
        institution: i64,
        identity: &Identity,
    ) -> Result<Option<Pseudonym>, EngineError> {
        let row = pseudonym::Entity::find()
            .filter(pseudonym::Column::InstitutionId.eq(institution))
            .filter(pseudonym::Column::Lookup.is_in(ring.iter().map(|key| lookup(key, institution, identity))))
            .one(connection)
            .await
            .map_err(CatalogError::during(ACT))?;
        let parsed = |row: pseudonym::Model| row.pseudonym.parse();
        Ok(row.map(parsed).transpose().map_err(|_| CatalogError::Corrupt { what: "pseudonym" })?)
    }

    /// Who a pseudonym stands for. What tells of it is durable before anybody hears of it; a pseudonym of an institution where the caller may
    /// not ask this is not there.
    pub(crate) async fn identity_of(
        &self,
        scope: &Scope,
        keys: &KeyPlace,
        wanted: &Pseudonym,
        told: impl FnOnce(i64, InstitutionCode) -> AuditEvent,
    ) -> Result<Identity, EngineError> {
        scope.require(Permission::Reidentify)?;
        let institutions = self.where_may(scope, Permission::Reidentify).await?;
        let txn = self.begin(ACT).await?;
        let row = pseudonym::Entity::find()
            .filter(pseudonym::Column::Pseudonym.eq(wanted.as_str()))
            .filter(pseudonym::Column::InstitutionId.is_in(institutions))
            .one(&txn)
            .await
            .map_err(CatalogError::during(ACT))?
            .ok_or(EngineError::NotFound { what: "pseudonym" })?;
        let institution = institution::Entity::find_by_id(row.institution_id).one(&txn).await;
        let institution = institution.map_err(CatalogError::during(ACT))?;
        let code = institution
            .map(|row| row.code)
            .unwrap_or_default()
            .parse()
            .map_err(|_| CatalogError::Corrupt { what: "institution code" })?;
        let binding = of_pseudonym(row.institution_id, &row.pseudonym);
        let plain = keys.ring()?.open(&binding, &row.key_id, &row.identity, keys)?;
        let identity = read(&plain)?;
        self.commit_told(txn, ACT, &[told(row.id, code)]).await?;
        Ok(identity)
    }
}
