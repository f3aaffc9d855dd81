//! The series that a report was made of, as its results refer to it.

use crate::access::Scope;
use crate::archive::aside;
use crate::catalog::DueResults;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::reading::Stack;
use hilum_dicom::Outline;
use hilum_dicom::write::result::{Source, SourceGeometry, SourceSlice};

/// The series as it was read; `None` where it has changed since, and another report follows.
pub(super) async fn of(
    engine: &Engine,
    scope: &Scope,
    due: &DueResults,
    input_hash: Option<&str>,
) -> Result<Option<Source>, EngineError> {
    let Some((stack, geometry, slices)) = placed(engine, scope, due, input_hash).await? else { return Ok(None) };
    let Some((first, _)) = stack.slices.first() else { return Ok(None) };
    let storage = engine.storage().clone();
    let object = stack.instances[*first].object.clone();
    aside("reading the header of a series", move || {
        let outline = Outline::read(&storage.open_object(&object)?)?;
        let instance = outline.instance().map_err(hilum_dicom::OutlineError::from)?;
        let source = Source::new(&instance, geometry, slices)
            .map_err(|error| EngineError::Internal(format!("results cannot refer to their series: {error}")))?;
        Ok(Some(source))
    })
    .await
}

/// The stack as it was read, and where its slices lie; `None` where the series has changed since.
pub(crate) async fn placed(
    engine: &Engine,
    scope: &Scope,
    due: &DueResults,
    input_hash: Option<&str>,
) -> Result<Option<(Stack, SourceGeometry, Vec<SourceSlice>)>, EngineError> {
    let Some(row) = due.series_row else { return Ok(None) };
    let settled = engine.catalog().settled_series(scope, due.study_row).await?;
    let Some(series) = settled.into_iter().find(|series| series.row == row) else { return Ok(None) };
    let stack = Stack::new(engine.catalog().series_instances(scope, row).await?, &series.stack.order);
    if Some(stack.input_hash().as_str()) != input_hash {
        return Ok(None);
    }
    let Some(geometry) = geometry(&stack, series.stack.slice_spacing_mm) else { return Ok(None) };
    let Some(slices) = slices(&stack) else { return Ok(None) };
    Ok(Some((stack, geometry, slices)))
}

fn geometry(stack: &Stack, slice_spacing: Option<f64>) -> Option<SourceGeometry> {
    let (instance, frame) = stack.slices.first()?;
    let facts = &stack.instances[*instance].facts;
    let placed = facts.frame(*frame as usize);
    let slice_spacing = slice_spacing?;
    Some(SourceGeometry {
        rows: facts.image.rows?,
        columns: facts.image.columns?,
        orientation: placed.orientation?,
        pixel_spacing: placed.pixel_spacing?,
        slice_thickness: placed.slice_thickness.filter(|mm| *mm > 0.0).unwrap_or(slice_spacing),
        slice_spacing,
    })
}

fn slices(stack: &Stack) -> Option<Vec<SourceSlice>> {
    let slice = |(instance, frame): &(usize, u32)| {
        let facts = &stack.instances[*instance].facts;
        Some(SourceSlice {
            sop_class: facts.sop_class.clone(),
            sop: facts.sop.clone(),
            frame: (facts.image.frames > 1).then_some(frame + 1),
            position: facts.frame(*frame as usize).position?,
        })
    };
    stack.slices.iter().map(slice).collect()
}
