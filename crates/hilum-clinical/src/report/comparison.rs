//! What became of the stones of the patient's earlier study: the same stone? grown? passed?

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{AddedStone, Date, StoneEdits, StonePresent, UrinaryStoneReport};
use crate::guideline::Site;
use crate::message::Message;
use crate::urinary_stone::{Side, Stone, TractPart};

/// The stones of this study beside those of the patient's last study before it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Comparison {
    /// Study Instance UID of the earlier study.
    pub study_uid: String,
    /// Its date.
    #[schema(value_type = Option<String>, format = Date)]
    pub date: Option<Date>,
    /// Version of its report.
    pub report_version: u32,
    /// Each stone of this report, in its order.
    pub stones: Vec<StoneChange>,
    /// Stones of the earlier report that this one has not.
    pub gone: Vec<GoneStone>,
    /// Stones that a physician added to the earlier report. Nobody marked where they are, so that none is found again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub without_place: Vec<EarlierStone>,
}

/// What became of one stone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StoneChange {
    /// Its number in this report.
    pub stone: u32,
    /// The stone that it was, as the earlier report has it.
    pub earlier: Option<EarlierStone>,
    /// What changed.
    pub change: Change,
    /// Largest diameter now less that of then (mm).
    pub diameter_change_mm: Option<f64>,
    /// How far it moved towards the feet (mm), where that is more than breathing does.
    pub descended_mm: Option<f64>,
}

/// A stone of an earlier report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EarlierStone {
    /// Its number there.
    pub number: u32,
    /// Its side.
    pub side: Side,
    /// Its part of the tract.
    pub part: TractPart,
    /// Its largest diameter (mm).
    pub largest_diameter_mm: Option<f64>,
}

/// A stone that is not seen any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GoneStone {
    /// The stone, as the earlier report has it.
    pub earlier: EarlierStone,
    /// This scan shows the part in which it lay. Then it passed, was removed or was missed; otherwise nothing is known of it.
    pub looked_at: bool,
}

/// What changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// The earlier report has no such stone.
    New,
    /// Larger by more than both measurements are uncertain.
    Grown,
    /// Smaller by more than both measurements are uncertain.
    Smaller,
    /// The same size, as far as both measurements can tell.
    Unchanged,
    /// The same stone; one of the two has no measurement with an uncertainty.
    NotComparable,
}

/// Across (mm): what breathing, posture and the midline's own error make of one place in two scans.
const ACROSS_MM: f64 = 35.0;
/// Along the body (mm): breathing moves kidneys by this much.
const ALONG_MM: f64 = 40.0;
/// From a kidney to the bladder (mm).
const LONGEST_DESCENT_MM: f64 = 320.0;
/// Descent that breathing does not make (mm).
const DESCENDED_MM: f64 = 45.0;
/// What a descent of so many millimetres counts of, beside a stone that stayed.
const DESCENT_WEIGHT: f64 = 0.1;
/// A stone of twice the size is another one unless nothing else fits: this many millimetres for each factor of e.
const SIZE_WEIGHT_MM: f64 = 25.0;
/// Pairs that cost more are two stones.
const MOST: f64 = 60.0;

/// Compares the stones of a study with the report of an earlier one; `None` where that one assessed nothing.
///
/// Of a report that a physician has signed, what was rejected is no stone, and what was stated counts. A stone is found again by its place against landmarks of the body and by its size; one that moved towards the feet is still the same.
/// `not_looked_at` says which parts of the tract this scan lacks.
pub fn compare(stones: &[Stone], not_looked_at: &[Message], earlier: &UrinaryStoneReport) -> Option<Comparison> {
    if earlier.result.stone_present == StonePresent::NotAssessed {
        return None;
    }
    let mut pairs: Vec<(f64, usize, usize)> = Vec::new();
    let then = earlier.stones_as_judged();
    for (n, now) in stones.iter().enumerate() {
        pairs.extend(then.iter().enumerate().filter_map(|(e, then)| Some((cost(now, then)?, n, e))));
    }
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    let (mut was, mut is) = (vec![None; stones.len()], vec![false; then.len()]);
    for (_, n, e) in pairs {
        if was[n].is_none() && !is[e] {
            was[n] = Some(e);
            is[e] = true;
        }
    }
    let gone = then.iter().zip(&is).filter(|(_, found)| !**found).map(|(stone, _)| GoneStone {
        earlier: EarlierStone::of(stone),
        looked_at: !not_looked_at.iter().any(|message| lacks(message, stone)),
    });
    Some(Comparison {
        study_uid: earlier.study.study_uid.clone(),
        date: earlier.study.date,
        report_version: earlier.version,
        stones: stones.iter().zip(&was).map(|(now, was)| change(now, was.map(|e| &then[e]))).collect(),
        gone: gone.collect(),
        without_place: earlier.review.iter().flat_map(|review| &review.added).map(EarlierStone::added).collect(),
    })
}

/// How much speaks against two stones being one (mm); `None` where they are two.
fn cost(now: &Stone, then: &Stone) -> Option<f64> {
    let sides = |side| matches!(side, Side::Left | Side::Right);
    if sides(now.side) && sides(then.side) && now.side != then.side {
        return None;
    }
    let offset = now.position?.against(&then.position?)?;
    let may_descend = matches!(then.part, TractPart::Kidney | TractPart::Ureter | TractPart::Unknown);
    let into_bladder = now.part == TractPart::Bladder;
    let along = match -offset.higher_mm {
        descent if descent.abs() <= ALONG_MM => descent.abs(),
        descent if may_descend && (0.0..=LONGEST_DESCENT_MM).contains(&descent) && now.part != TractPart::Kidney => {
            ALONG_MM / 2.0 + descent * DESCENT_WEIGHT
        }
        _ => return None,
    };
    // On its way down a stone also moves across: kidneys lie further from the midline than ureters, bladders nearer.
    let across = if -offset.higher_mm > DESCENDED_MM { ACROSS_MM * 3.0 } else { ACROSS_MM };
    if offset.across_mm > across && !into_bladder {
        return None;
    }
    let size = match (now.largest_diameter_mm, then.largest_diameter_mm) {
        (Some(a), Some(b)) if a > 0.0 && b > 0.0 => (a / b).ln().abs() * SIZE_WEIGHT_MM,
        _ => 0.0,
    };
    let total = along / 2.0 + offset.across_mm * ACROSS_MM / across / 2.0 + size;
    (total <= MOST).then_some(total)
}

fn change(now: &Stone, then: Option<&Stone>) -> StoneChange {
    let Some(then) = then else {
        return StoneChange {
            stone: now.number,
            earlier: None,
            change: Change::New,
            diameter_change_mm: None,
            descended_mm: None,
        };
    };
    let difference = now.largest_diameter_mm.zip(then.largest_diameter_mm).map(|(now, then)| now - then);
    let uncertain = uncertain_mm(now).zip(uncertain_mm(then)).map(|(a, b)| a.hypot(b));
    let descended = now.position.zip(then.position).and_then(|(now, then)| now.against(&then));
    StoneChange {
        stone: now.number,
        earlier: Some(EarlierStone::of(then)),
        change: match difference.zip(uncertain) {
            None => Change::NotComparable,
            Some((more, uncertain)) if more > uncertain => Change::Grown,
            Some((more, uncertain)) if -more > uncertain => Change::Smaller,
            Some(_) => Change::Unchanged,
        },
        diameter_change_mm: difference,
        descended_mm: descended.map(|offset| -offset.higher_mm).filter(|descent| *descent > DESCENDED_MM),
    }
}

/// Half of the interval that holds the diameter in 95 % of cases.
fn uncertain_mm(stone: &Stone) -> Option<f64> {
    stone.largest_diameter_interval_mm.map(|interval| (interval.high - interval.low) / 2.0)
}

/// Whether a message says that the part in which a stone lay is not, or not wholly, in the scan.
fn lacks(message: &Message, stone: &Stone) -> bool {
    match *message {
        Message::NotInScan(part, side) | Message::PartlyInScan(part, side) => {
            part == stone.part && (side == stone.side || part == TractPart::Bladder)
        }
        _ => false,
    }
}

impl EarlierStone {
    fn added(stone: &AddedStone) -> Self {
        let StoneEdits { side, site, largest_diameter_mm } = stone.stated;
        let (side, part) = (side.unwrap_or(Side::Unknown), site.map_or(TractPart::Unknown, Site::part));
        Self { number: stone.number, side, part, largest_diameter_mm }
    }

    fn of(stone: &Stone) -> Self {
        Self {
            number: stone.number,
            side: stone.side,
            part: stone.part,
            largest_diameter_mm: stone.largest_diameter_mm,
        }
    }
}
