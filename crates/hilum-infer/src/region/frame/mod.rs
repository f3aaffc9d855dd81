//! The anatomical frame, found by image analysis on cells of about 3 mm: no network, no contrast needed.

mod bladder;
mod course;
mod kidney;
mod pelvis;

use hilum_imaging::frame::{AnatomicalFrame, Cells, Side};
use ndarray::Array3;

use super::body::Section;
use super::{Coarse, Region, RegionFinding};

/// Finds the frame in cells that were averaged over the searched slices of a stack ([`Coarse::searched`]). Never fails: what is not found is absent.
pub fn find_frame(coarse: Coarse, region: &Region) -> AnatomicalFrame {
    let mut body = Array3::from_elem(coarse.hu.dim(), false);
    for (mut to, slice) in body.outer_iter_mut().zip(coarse.hu.outer_iter()) {
        for (to, inside) in to.iter_mut().zip(Section::of(slice).body) {
            *to = inside;
        }
    }
    let cells = Cells { hu: coarse.hu, body, geometry: coarse.geometry };
    if region.finding == RegionFinding::NoTrunk || region.finding == RegionFinding::TractNotInScan {
        return AnatomicalFrame { kidneys: [None; 2], ureters: [None, None], bladder: None, pelvis: None, cells };
    }
    let pelvis = pelvis::find(&cells, region);
    let kidneys = Side::BOTH.map(|side| kidney::find(&cells, region, side));
    let bladder = pelvis.as_ref().and_then(|pelvis| bladder::find(&cells, pelvis));
    let ureters =
        Side::BOTH.map(|side| course::of(side, kidneys[side.index()].as_ref(), pelvis.as_ref(), bladder.as_ref()));
    AnatomicalFrame { kidneys, ureters, bladder, pelvis, cells }
}
