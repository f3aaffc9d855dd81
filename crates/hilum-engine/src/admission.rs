//! Whether an instance is let in: examined, allowed, routed, and none of those that are known; all before anything of it is kept.

use crate::access::{InstitutionCode, Permission, Scope};
use crate::engine::{Engine, Source, Zone};
use crate::error::AcceptError;
use crate::intake::{self, Examined, Incoming, Receipt};
use crate::promise::Room;
use crate::routing::Route;
use crate::storage::ObjectKey;
use crate::storage::segment::{Provenance, Purpose};
use hilum_dicom::{AeTitle, StudyUid};

/// What was found out about an instance.
pub(crate) enum Admission {
    /// It is there, or was put aside: nothing is left to do.
    Known(Receipt),
    /// It is to be kept.
    New(Box<Admitted>),
}

/// An instance that is to be kept.
pub(crate) struct Admitted {
    /// The institution that it goes to.
    pub(crate) scope: Scope,
    /// Row id of that institution.
    pub(crate) institution: i64,
    /// That institution, where a rule gave it there.
    pub(crate) given_to: Option<InstitutionCode>,
    pub(crate) source: Source,
    pub(crate) study: StudyUid,
    pub(crate) new: Examined,
    pub(crate) provenance: Provenance,
    /// Name of the file it came in.
    pub(crate) file_name: Option<String>,
    /// Peers that it goes on to.
    pub(crate) forward: Vec<AeTitle>,
    /// The kept object that was found missing or damaged, if this one comes again.
    pub(crate) instead_of: Option<ObjectKey>,
    /// Its place among the promised, where its row follows.
    pub(crate) room: Option<Room>,
    row_follows: bool,
}

/// Looks at each of several instances, none of which has the SOP Instance UID of another.
pub(crate) async fn admit(
    engine: &Engine,
    scope: &Scope,
    zone: Zone,
    incoming: Vec<Incoming>,
) -> Vec<Result<Admission, AcceptError>> {
    let mut looked_at = Vec::with_capacity(incoming.len());
    for incoming in incoming {
        looked_at.push(admit_one(engine, scope, zone, incoming).await);
    }
    let promised = admitted(&looked_at).filter(|new| new.row_follows).count();
    let mut rooms = engine.room_for_promises(promised).await.into_iter();
    for outcome in &mut looked_at {
        if let Ok(Admission::New(new)) = outcome
            && new.row_follows
        {
            match rooms.next().unwrap_or(Err(AcceptError::Aborted)) {
                Ok(room) => new.room = Some(room),
                Err(error) => *outcome = Err(error),
            }
        }
    }
    looked_at
}

/// Those that are to be kept, in their order.
pub(crate) fn admitted(looked_at: &[Result<Admission, AcceptError>]) -> impl Iterator<Item = &Admitted> {
    looked_at.iter().filter_map(|outcome| match outcome {
        Ok(Admission::New(new)) => Some(&**new),
        _ => None,
    })
}

async fn admit_one(engine: &Engine, scope: &Scope, zone: Zone, incoming: Incoming) -> Result<Admission, AcceptError> {
    if zone == Zone::Research {
        return Err(AcceptError::ResearchZoneNeedsDeidentification);
    }
    if !scope.may(Permission::Store, scope.home()) {
        return Err(AcceptError::Forbidden);
    }
    let Incoming { received, source, file_name, sender, row_follows } = incoming;
    let new = intake::examine(received).await?;
    if sender.as_ref().is_some_and(|sender| (&sender.sop_class, &sender.sop) != (&new.facts.sop_class, &new.facts.sop))
    {
        return Err(AcceptError::NotAsAnnounced);
    }
    let title = sender.as_ref().map(|sender| &sender.ae_title);
    let Route { institution: given_to, forward } = engine.route(source, title, &new.facts);
    let scope = given_to.clone().map_or_else(|| scope.clone(), |institution| scope.given_to(institution));
    let study = new.facts.study.uid.clone();
    engine.settled(&scope, zone, &new.facts.sop).await;
    let mut instead_of = None;
    if let Some(known) = engine.catalog().known_instance(&scope, zone, &new.facts.sop).await? {
        if let Some(accepted) = intake::same_or_quarantined(engine, &scope, zone, source, &known, &new).await? {
            return Ok(Admission::Known(Receipt { accepted, study, institution: given_to }));
        }
        instead_of = Some(known.object);
    }
    let institution = engine.catalog().home(&scope).await?;
    let provenance = Provenance::now(Purpose::Instance, &scope, zone, source, file_name.clone());
    Ok(Admission::New(Box::new(Admitted {
        scope,
        institution,
        given_to,
        source,
        study,
        new,
        provenance,
        file_name,
        forward,
        instead_of,
        room: None,
        row_follows,
    })))
}
