//! Which series of a study is read: sound geometry, original, axial, non-contrast, soft kernel, thinnest.

use super::{ImageKind, KernelKind};
use crate::catalog::SettledSeries;
use hilum_clinical::message::Message;
use hilum_dicom::geometry::AnatomicalPlane;
use std::cmp::Ordering;

/// Fewer slices than this are no volume worth reading.
const FEWEST_SLICES: usize = 5;

/// The choice, and a reason for every series.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// Index of the series to read.
    pub chosen: Option<usize>,
    /// One reason for each series, in the order given.
    pub reasons: Vec<Message>,
}

/// Chooses the series to read for urinary stones.
pub fn choose(series: &[SettledSeries]) -> Choice {
    let barred: Vec<Option<Message>> = series.iter().map(barred).collect();
    let chosen = (0..series.len()).filter(|i| barred[*i].is_none()).min_by(|a, b| compare(&series[*a], &series[*b]));
    let reason = |(index, barred): (usize, Option<Message>)| match (barred, chosen) {
        (Some(message), _) => message,
        (None, Some(best)) if best != index => passed_over(&series[index], &series[best]),
        (None, _) => Message::SeriesChosen,
    };
    Choice { chosen, reasons: barred.into_iter().enumerate().map(reason).collect() }
}

/// What keeps a series from being read at all.
fn barred(series: &SettledSeries) -> Option<Message> {
    let tags = &series.tags;
    if !tags.ct {
        Some(Message::SeriesIsNotCt)
    } else if tags.kind.value == ImageKind::Localizer {
        Some(Message::SeriesIsLocalizer)
    } else if tags.kind.value == ImageKind::Projection {
        Some(Message::SeriesIsDerived)
    } else if tags.slices < FEWEST_SLICES {
        Some(Message::SeriesTooShort)
    } else if tags.plane.value.is_some_and(|plane| plane != AnatomicalPlane::Axial) {
        Some(Message::SeriesIsNotAxial)
    } else {
        None
    }
}

/// The rule, as one comparison after the other; the smaller one is read.
fn compare(a: &SettledSeries, b: &SettledSeries) -> Ordering {
    refused(a)
        .cmp(&refused(b))
        .then(a.tags.kind.value.cmp(&b.tags.kind.value))
        .then(contrast_rank(a).cmp(&contrast_rank(b)))
        .then(a.tags.kernel.value.cmp(&b.tags.kernel.value))
        .then(spacing(a).total_cmp(&spacing(b)))
        .then(b.tags.slices.cmp(&a.tags.slices))
        .then(a.uid.cmp(&b.uid))
}

fn passed_over(series: &SettledSeries, best: &SettledSeries) -> Message {
    if refused(series) && !refused(best) {
        Message::SeriesGeometryRefused
    } else if series.tags.kind.value != best.tags.kind.value {
        Message::SeriesIsDerived
    } else if contrast_rank(series) != contrast_rank(best) {
        if series.tags.contrast.value == Some(true) { Message::SeriesHasContrast } else { Message::SeriesRanksLower }
    } else if series.tags.kernel.value != best.tags.kernel.value {
        if series.tags.kernel.value == KernelKind::Sharp {
            Message::SeriesHasSharpKernel
        } else {
            Message::SeriesRanksLower
        }
    } else if spacing(series) > spacing(best) {
        Message::SeriesIsThicker
    } else {
        Message::SeriesRanksLower
    }
}

fn refused(series: &SettledSeries) -> bool {
    !series.stack.volume_allowed()
}

fn contrast_rank(series: &SettledSeries) -> u8 {
    match series.tags.contrast.value {
        Some(false) => 0,
        None => 1,
        Some(true) => 2,
    }
}

fn spacing(series: &SettledSeries) -> f64 {
    series.stack.slice_spacing_mm.unwrap_or(f64::INFINITY)
}
