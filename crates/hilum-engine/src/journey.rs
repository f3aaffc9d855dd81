//! The main path: an instance arrives, its series settles, its study is read and reported, a physician signs. Read top-down.

use crate::access::Scope;
use crate::admission::{self, Admission};
use crate::catalog::{Claim, NewSignature};
use crate::engine::{Engine, Zone};
use crate::error::{AcceptError, EngineError};
use crate::intake::{self, Incoming, Receipt, append};
use crate::reading;
use crate::results;
use crate::review::{self, Draft};
use crate::tagging::{rank, tag_series};
use hilum_dicom::geometry::{SlicePlacement, check_stack};
use hilum_dicom::{InstanceFacts, StudyUid};

/// 1. Inside the request that brings it: examine, keep durable, record; only then the sender hears success. Over DIMSE, where one
///    instance waits for the answer to another, it hears success as soon as the bytes are durable, and the row is promised; so is that of a
///    part of a STOW-RS request, whose answer waits for all rows at once. Several that come together are made durable together.
pub(crate) async fn accept_instances(
    engine: &Engine,
    scope: &Scope,
    zone: Zone,
    incoming: Vec<Incoming>,
) -> Vec<Result<Receipt, AcceptError>> {
    let looked_at = admission::admit(engine, scope, zone, incoming).await;
    let new = admission::admitted(&looked_at).map(|admitted| (admitted.provenance.clone(), &admitted.new));
    let mut kept = append(engine, new).await.into_iter();
    let mut receipts = Vec::with_capacity(looked_at.len());
    for outcome in looked_at {
        receipts.push(match outcome {
            Ok(Admission::New(admitted)) => match kept.next().unwrap_or(Err(AcceptError::Aborted)) {
                Ok(staged) => intake::record(engine, zone, *admitted, staged).await,
                Err(error) => Err(error),
            },
            Ok(Admission::Known(receipt)) => Ok(receipt),
            Err(error) => Err(error),
        });
    }
    receipts
}

/// Step 1 for an instance that comes alone.
pub(crate) async fn accept_instance(
    engine: &Engine,
    scope: &Scope,
    zone: Zone,
    incoming: Incoming,
) -> Result<Receipt, AcceptError> {
    accept_instances(engine, scope, zone, vec![incoming]).await.pop().unwrap_or(Err(AcceptError::Aborted))
}

/// 2. A job, once the series is quiet: facts, geometry checked, tags with their evidence. Again at the same revision it does nothing.
pub(crate) async fn settle_series(engine: &Engine, scope: &Scope, row: i64, revision: i64) -> Result<(), EngineError> {
    let Some(series) = engine.catalog().unsettled_series(scope, row, revision).await? else { return Ok(()) };
    let facts: Vec<InstanceFacts> = series.instances.iter().map(|instance| instance.facts.clone()).collect();
    let placements: Vec<SlicePlacement> = facts.iter().flat_map(SlicePlacement::of).collect();
    let stack = check_stack(&placements);
    let tags = tag_series(&facts, &stack);
    if let Err(error) = Box::pin(engine.pack_metadata(scope, row, revision)).await {
        // They are computed from the headers whenever they are asked for.
        tracing::warn!(code = error.code(), "metadata of a series were not packed");
    }
    engine.catalog().settle_series(scope, &series, &stack, &tags).await?;
    Ok(())
}

/// 3. A job, once the study's series are settled: choose the best series, read it once, measure, and record ONE report; it supersedes the
///    one before. Only the holder of the claim ends a reading, so a second run changes nothing.
pub(crate) async fn settle_study(engine: &Engine, scope: &Scope, row: i64, revision: i64) -> Result<(), EngineError> {
    let process = engine.storage().process();
    let Some(claim) = engine.catalog().claim_reading(scope, row, revision, process, engine.readings_at_once()).await?
    else {
        return Ok(());
    };
    match read_and_report(engine, scope, &claim).await {
        Ok(()) => Ok(()),
        Err(error) => reading::give_up(engine, scope, &claim, &error).await,
    }
}

async fn read_and_report(engine: &Engine, scope: &Scope, claim: &Claim) -> Result<(), EngineError> {
    let study = reading::study_of(engine, scope, claim).await?;
    let series = engine.catalog().settled_series(scope, claim.study_row).await?;
    let choice = rank::choose(&series);
    let mut read = reading::read_best(engine, scope, claim, &series, &choice).await?;
    read.earlier = reading::earlier_report(engine, scope, claim).await?;
    read.recorded = engine.catalog().recorded_facts(scope, claim.study_row).await?;
    let (end, report) = reading::report_of(engine, scope, claim, &study, &series, &choice, read).await?;
    let staged = report.as_ref().map(|(new, staged)| (new, staged));
    engine.catalog().end_reading(scope, claim, &end, staged, engine.storage()).await
}

/// 4. Inside the request of the physician who signs: the reviewed report becomes a further version, which nobody changes any more; returns its
///    number.
pub(crate) async fn sign_report(
    engine: &Engine,
    scope: &Scope,
    study: &StudyUid,
    draft: Draft<'_>,
) -> Result<u32, EngineError> {
    let Draft { version, signing, .. } = draft;
    let drafted = review::drafted(engine, scope, study, draft).await?;
    let (document, staged) = review::signed_document(engine, &drafted).await?;
    let (rest, at) = (drafted.rest.as_slice(), drafted.at);
    let results_due = !engine.results().objects.is_empty();
    let deliver_to = &engine.deliveries_of(true);
    let new =
        NewSignature { version, revision: signing.revision, document: &document, rest, at, results_due, deliver_to };
    engine.catalog().sign(scope, study, new, &staged, engine.storage()).await?;
    Ok(document.version)
}

/// 5. A job, once a report's objects are due: what is not kept yet is made of it and comes in as instances do, so that a second run
///    changes nothing. They are instances of the study that nothing is read of.
pub(crate) async fn results_out(engine: &Engine, scope: &Scope, row: i64) -> Result<(), EngineError> {
    let Some(due) = engine.catalog().claim_results(scope, row).await? else { return Ok(()) };
    let made = results::keep(engine, &due).await?;
    Ok(engine.catalog().end_results(scope, &due, made).await?)
}
