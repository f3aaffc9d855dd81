//! Looking after keys, for whoever may read the data folder.

use super::{KeyError, KeyId, KeyPlace};
use crate::access::{Actor, Scope};
use crate::audit::{Action, AuditEvent, Detail};
use crate::catalog::KeyUse;
use crate::control::WorkControl;
use crate::engine::Engine;
use crate::error::EngineError;
use serde::Serialize;
use std::collections::BTreeMap;

/// `hilum key list`, one of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyView {
    /// Which key.
    pub id: KeyId,
    /// It encrypts what is new.
    pub current: bool,
    /// It is at hand; what needs one that is not cannot be read.
    pub at_hand: bool,
    /// How many secrets of each kind need it.
    pub needed_for: BTreeMap<&'static str, u64>,
}

/// What a rotation did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rotation {
    /// The key that everything at hand is encrypted with now.
    pub key: KeyId,
    /// Whether this rotation made it; one that goes on where another was cut off does not.
    pub made: bool,
    /// Secrets that were encrypted anew.
    pub encrypted_anew: u64,
    /// Stopped before the end; the same command goes on.
    pub cancelled: bool,
    /// Keys that are not at hand, whose secrets stayed as they are.
    pub missing: Vec<KeyView>,
}

impl Engine {
    /// Every key that is at hand, and every one that is needed.
    pub async fn key_list(&self, scope: &Scope) -> Result<Vec<KeyView>, EngineError> {
        on_the_console(scope)?;
        views(self.keys(), &self.catalog().key_uses(scope).await?)
    }

    /// Keys that something needs and that are not at hand.
    pub async fn missing_keys(&self, scope: &Scope) -> Result<Vec<KeyView>, EngineError> {
        Ok(self.key_list(scope).await?.into_iter().filter(|key| !key.at_hand).collect())
    }

    /// What cannot be read is told at the start, and nothing else waits for it.
    pub(crate) async fn name_missing_keys(&self) {
        match self.missing_keys(&Scope::local()).await {
            Ok(missing) => missing.iter().for_each(|key| {
                let (needed_for, place) = (counted(&key.needed_for), self.keys());
                tracing::error!(key = %key.id, needed_for, %place, "a key is not there: what needs it cannot be read");
            }),
            Err(error) => tracing::error!(code = error.code(), %error, "the keys cannot be read"),
        }
    }

    /// Makes a key, which encrypts what is new from now on.
    pub async fn add_key(&self, scope: &Scope) -> Result<KeyId, EngineError> {
        on_the_console(scope)?;
        let add = |_: &[KeyUse]| Ok(self.keys().add()?);
        self.catalog().change_keys(scope, add, |key| vec![told(scope, key, "made")]).await
    }

    /// Encrypts everything that is encrypted with an older key with the current one; makes a new one first where everything is already. It may be
    /// killed at any moment: everything stays readable, and the next one goes on.
    pub async fn rotate_keys(&self, scope: &Scope, control: &WorkControl) -> Result<Rotation, EngineError> {
        on_the_console(scope)?;
        let is_old = |key: &KeyView| key.at_hand && !key.current && !key.needed_for.is_empty();
        let list = self.key_list(scope).await?;
        let made = !list.iter().any(is_old);
        if made {
            self.add_key(scope).await?;
        }
        control.expect(list.iter().filter(|key| key.at_hand).flat_map(|key| key.needed_for.values()).sum());
        control.counted();
        let mut encrypted_anew = 0;
        let cancelled = loop {
            if control.is_cancelled() {
                break true;
            }
            let rows = self.catalog().encrypt_anew(scope, &self.keys().ring()?, self.keys()).await?;
            if rows == 0 {
                break false;
            }
            encrypted_anew += rows;
            control.advance(rows);
        };
        let list = self.key_list(scope).await?;
        let place = || KeyError::NoKey { place: self.keys().to_string() };
        let key = list.iter().find(|key| key.current).ok_or_else(place)?.id.clone();
        if !cancelled {
            self.audit(told(scope, &key, "rotated")).await?;
        }
        let missing = list.into_iter().filter(|key| !key.at_hand).collect();
        Ok(Rotation { key, made, encrypted_anew, cancelled, missing })
    }

    /// Takes an old key out of the file, once nothing needs it any more.
    pub async fn forget_key(&self, scope: &Scope, key: &KeyId) -> Result<(), EngineError> {
        on_the_console(scope)?;
        let unused = |uses: &[KeyUse]| {
            let KeyPlace::File(_) = self.keys() else { return Err(not_ours(self.keys())) };
            let views = views(self.keys(), uses)?;
            let known = views.into_iter().find(|known| known.id == *key && known.at_hand);
            let known = known.ok_or(EngineError::NotFound { what: "key" })?;
            let why = match (known.current, known.needed_for.is_empty()) {
                (true, _) => "the current one: `hilum key rotate` makes another".to_owned(),
                (false, false) => format!("needed for {}: `hilum key rotate` ends that", counted(&known.needed_for)),
                (false, true) => return Ok(()),
            };
            Err(KeyError::InUse { key: key.clone(), why }.into())
        };
        // Nothing is encrypted with a key that is not the current one, so that it stays unused after this.
        self.catalog().change_keys(scope, unused, |()| vec![told(scope, key, "forgotten")]).await?;
        Ok(self.keys().remove(key)?)
    }
}

fn not_ours(place: &KeyPlace) -> EngineError {
    match place {
        KeyPlace::Given(variable, _) => KeyError::NotOurs(variable).into(),
        KeyPlace::File(_) => KeyError::NoKey { place: place.to_string() }.into(),
    }
}

/// `3 second factors, 12 pseudonyms`
pub fn counted(needed_for: &BTreeMap<&'static str, u64>) -> String {
    needed_for.iter().map(|(what, count)| format!("{count} {what}")).collect::<Vec<_>>().join(", ")
}

fn views(place: &KeyPlace, uses: &[KeyUse]) -> Result<Vec<KeyView>, EngineError> {
    let ring = place.ring()?;
    let at_hand = ring.iter().enumerate().map(|(index, key)| KeyView {
        id: key.id().clone(),
        current: index == 0,
        at_hand: true,
        needed_for: BTreeMap::new(),
    });
    let mut views: Vec<KeyView> = at_hand.collect();
    for KeyUse { key, what, rows } in uses {
        let id: KeyId = key.parse().map_err(|_| KeyError::Forged { what })?;
        let needed_for = BTreeMap::from([(*what, *rows)]);
        if let Some(view) = views.iter_mut().find(|view| view.id == id) {
            view.needed_for.extend(needed_for);
        } else {
            views.push(KeyView { id, current: false, at_hand: false, needed_for });
        }
    }
    Ok(views)
}

fn on_the_console(scope: &Scope) -> Result<(), EngineError> {
    if *scope.actor() == Actor::Console { Ok(()) } else { Err(EngineError::Forbidden) }
}

fn told(scope: &Scope, key: &KeyId, code: &'static str) -> AuditEvent {
    let detail = Detail { key: Some(key.clone()), code: Some(code.into()), ..Detail::default() };
    AuditEvent::by(scope, Action::ChangeKeys).with(detail)
}
