//! The anatomical frame: where kidneys, ureters, bladder and pelvis of one patient are, in patient coordinates (mm, LPS+).
//!
//! Whoever finds it (from coarse cells of a CT) and whoever asks it (for the site of a stone) share these types. What was not found is absent.

use ndarray::Array3;
use serde::{Deserialize, Serialize};

use crate::Affine;
use crate::vector::{Point, cross, distance, dot, minus, norm, normalised, plus, times};

/// Side of the patient, never of the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Patient x below the midline's.
    Right,
    /// Patient x above the midline's.
    Left,
}

impl Side {
    /// Both, right first.
    pub const BOTH: [Self; 2] = [Self::Right, Self::Left];

    /// The sign of patient x away from the midline.
    pub fn sign(self) -> f64 {
        match self {
            Self::Right => -1.0,
            Self::Left => 1.0,
        }
    }

    /// Index in pairs, right first.
    pub fn index(self) -> usize {
        usize::from(self == Self::Left)
    }
}

/// An ellipsoid anywhere in the patient.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ellipsoid {
    /// Centre.
    pub centre: Point,
    /// Three orthogonal unit directions.
    pub axes: [Point; 3],
    /// Radius (mm) along each of them.
    pub radii: Point,
}

impl Ellipsoid {
    /// Coordinates (mm) of a patient point along the axes, from the centre.
    pub fn local(&self, point: Point) -> Point {
        let d = minus(point, self.centre);
        self.axes.map(|axis| dot(axis, d))
    }

    /// The patient point with these coordinates (mm) along the axes.
    pub fn place(&self, local: Point) -> Point {
        (0..3).fold(self.centre, |p, k| plus(p, times(self.axes[k], local[k])))
    }

    /// Distance (mm) to the surface along the line to the centre; negative inside.
    pub fn outside_mm(&self, point: Point) -> f64 {
        let local = self.local(point);
        let share = (0..3).map(|k| (local[k] / self.radii[k]).powi(2)).sum::<f64>().sqrt();
        if share < 1e-9 {
            -self.radii.iter().copied().fold(f64::INFINITY, f64::min)
        } else {
            norm(local) * (1.0 - 1.0 / share)
        }
    }
}

/// A kidney: axes point laterally, to the front and to the upper pole along its long axis.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Kidney {
    /// The ellipsoid that fits it best.
    pub body: Ellipsoid,
    /// Share of its surface, hilum aside, at which soft tissue borders on fat, 0..=1.
    pub contour: f64,
}

/// Two femoral heads and two iliac wings make a frame of the pelvis: its own axes, half its width and its height as units.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pelvis {
    /// Middle between the hip joints.
    pub origin: Point,
    /// Unit directions to the left, to the back and to the head.
    pub axes: [Point; 3],
    /// Half the distance (mm) of the two sides' bone at the hips: the unit to the left and to the back.
    pub half_width_mm: f64,
    /// Height (mm) of the iliac wings' bone above the hips': the unit to the head.
    pub height_mm: f64,
    /// The hip joints themselves were seen; otherwise they were placed below the iliac wings by the average of adults.
    pub hips_seen: bool,
}

impl Pelvis {
    /// Pelvic coordinates (left, back, head; in units of the pelvis) of a patient point.
    pub fn local(&self, point: Point) -> Point {
        let d = minus(point, self.origin);
        let [x, y, z] = self.axes.map(|axis| dot(axis, d));
        [x / self.half_width_mm, y / self.half_width_mm, z / self.height_mm]
    }

    /// The patient point of pelvic coordinates.
    pub fn place(&self, [x, y, z]: Point) -> Point {
        let mm = [x * self.half_width_mm, y * self.half_width_mm, z * self.height_mm];
        (0..3).fold(self.origin, |p, k| plus(p, times(self.axes[k], mm[k])))
    }

    /// Axes from two directions that need not be orthogonal: the first is kept.
    pub fn axes_of(to_left: Point, upwards: Point) -> [Point; 3] {
        let left = normalised(to_left);
        let up = normalised(minus(upwards, times(left, dot(upwards, left))));
        [left, cross(up, left), up]
    }
}

/// The expected course of a ureter, from the ureteropelvic junction to the bladder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UreterCourse {
    /// Points about every 4 mm, kidney first.
    pub points: Vec<Point>,
    /// How uncertain each point is (mm, standard deviation across the course).
    pub sigma_mm: Vec<f64>,
    /// The upper end is the hilum of a kidney that was found.
    pub from_kidney: bool,
    /// The lower end is the wall of a bladder that was found.
    pub to_bladder: bool,
}

/// Where a point lies beside a ureter's course.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Beside {
    /// Distance (mm) from the course.
    pub distance_mm: f64,
    /// Uncertainty (mm) of the course there.
    pub sigma_mm: f64,
    /// Length (mm) of the course from its upper end to there.
    pub from_upper_end_mm: f64,
    /// Length (mm) of the course from there to its lower end.
    pub to_lower_end_mm: f64,
}

impl UreterCourse {
    /// The nearest place of the course.
    pub fn beside(&self, point: Point) -> Option<Beside> {
        let mut run = 0.0;
        let mut best: Option<Beside> = None;
        for (pair, sigmas) in self.points.windows(2).zip(self.sigma_mm.windows(2)) {
            let along = minus(pair[1], pair[0]);
            let length = norm(along);
            let t = if length > 0.0 {
                (dot(minus(point, pair[0]), along) / (length * length)).clamp(0.0, 1.0)
            } else {
                0.0
            };
            let distance_mm = distance(point, plus(pair[0], times(along, t)));
            if best.is_none_or(|b| distance_mm < b.distance_mm) {
                let sigma_mm = sigmas[0] + t * (sigmas[1] - sigmas[0]);
                best =
                    Some(Beside { distance_mm, sigma_mm, from_upper_end_mm: run + t * length, to_lower_end_mm: 0.0 });
            }
            run += length;
        }
        best.map(|b| Beside { to_lower_end_mm: run - b.from_upper_end_mm, ..b })
    }
}

/// Mean HU on cells of about 3 mm, `[z, y, x]` to the head, to the back and to the patient's left.
#[derive(Clone, Debug)]
pub struct Cells {
    /// Mean HU; -1024 where nothing was read.
    pub hu: Array3<i16>,
    /// True inside the skin.
    pub body: Array3<bool>,
    /// Patient coordinates of the cell centres.
    pub geometry: Affine,
}

impl Cells {
    /// The cell `[z, y, x]` that holds a patient point.
    pub fn at(&self, point: Point) -> Option<[usize; 3]> {
        let index = self.geometry.index_from_patient(point).map(f64::round);
        let (nz, ny, nx) = self.hu.dim();
        let inside = index.iter().zip([nz, ny, nx]).all(|(i, n)| *i >= 0.0 && *i < n as f64);
        inside.then(|| index.map(|i| i as usize))
    }

    /// HU at a patient point, linear between cells; `None` beyond the centres of the outermost cells.
    pub fn hu_at(&self, point: Point) -> Option<f64> {
        let index = self.geometry.index_from_patient(point);
        let (nz, ny, nx) = self.hu.dim();
        let mut low = [0; 3];
        let mut part = [0.0; 3];
        for ((k, i), n) in index.iter().enumerate().zip([nz, ny, nx]) {
            if !(*i >= 0.0 && *i <= n as f64 - 1.0) {
                return None;
            }
            low[k] = (*i as usize).min(n.saturating_sub(2));
            part[k] = *i - low[k] as f64;
        }
        let mut sum = 0.0;
        for corner in 0..8_usize {
            let bit = [corner >> 2 & 1, corner >> 1 & 1, corner & 1];
            let weight: f64 = (0..3).map(|k| if bit[k] == 1 { part[k] } else { 1.0 - part[k] }).product();
            if weight > 0.0 {
                sum += weight * f64::from(self.hu[std::array::from_fn::<usize, 3, _>(|k| low[k] + bit[k])]);
            }
        }
        Some(sum)
    }
}

/// What was found of one patient.
#[derive(Clone, Debug)]
pub struct AnatomicalFrame {
    /// Kidneys, right and left.
    pub kidneys: [Option<Kidney>; 2],
    /// Ureters, right and left.
    pub ureters: [Option<UreterCourse>; 2],
    /// The bladder.
    pub bladder: Option<Ellipsoid>,
    /// The pelvis.
    pub pelvis: Option<Pelvis>,
    /// The tissue around.
    pub cells: Cells,
}
