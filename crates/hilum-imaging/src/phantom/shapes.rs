//! Analytic shapes with a signed distance: negative inside, in mm.

use std::sync::Arc;

/// A point of the anatomy: x to the left, y to the back, z to the head (mm).
pub(super) use crate::vector::{Point, distance, minus, normalised, plus, times};

/// Cross section of a [`Loft`] at one height: an ellipse, turned by `angle` about its centre.
#[derive(Clone, Copy, Debug)]
pub(super) struct Section {
    pub z: f64,
    pub x: f64,
    pub y: f64,
    pub a: f64,
    pub b: f64,
    pub angle: f64,
}

/// Sections `(z, x, y, a, b)` without rotation.
pub(super) fn sections(rows: &[(f64, f64, f64, f64, f64)]) -> Vec<Section> {
    rows.iter().map(|&(z, x, y, a, b)| Section { z, x, y, a, b, angle: 0.0 }).collect()
}

/// Ellipses stacked along z, with interpolation between them.
#[derive(Debug)]
pub(super) struct Loft {
    low: f32,
    high: f32,
    /// x, y, a, b, cos, sin at every [`LOFT_STEP`] from `low`.
    table: Vec<[f32; 6]>,
    /// 0 is an ellipse, 1 a rounded rectangle (exponent 4).
    square: f32,
    bounds: Bounds,
}

const LOFT_STEP: f32 = 2.0;

impl Loft {
    pub(super) fn new(mut rows: Vec<Section>, square: f64) -> Self {
        rows.sort_by(|p, q| p.z.total_cmp(&q.z));
        let (low, high) = (rows[0].z, rows[rows.len() - 1].z);
        let steps = ((high - low) / f64::from(LOFT_STEP)).ceil() as usize + 1;
        let mut bounds = Bounds::empty();
        let table = (0..=steps)
            .map(|i| {
                let z = (low + i as f64 * f64::from(LOFT_STEP)).min(high);
                let s = section_at(&rows, z);
                let reach = s.a.max(s.b);
                let (wide, deep) = if s.angle == 0.0 { (s.a, s.b) } else { (reach, reach) };
                bounds.include([s.x - wide, s.y - deep, z]);
                bounds.include([s.x + wide, s.y + deep, z]);
                [s.x as f32, s.y as f32, s.a as f32, s.b as f32, s.angle.cos() as f32, s.angle.sin() as f32]
            })
            .collect();
        Self { low: low as f32, high: high as f32, table, square: square as f32, bounds }
    }

    /// The section at height z, clamped to the ends.
    pub(super) fn at(&self, z: f64) -> Section {
        let [x, y, a, b, cos, sin] = self.row(z as f32).map(f64::from);
        Section { z, x, y, a, b, angle: sin.atan2(cos) }
    }

    /// Height in steps of the table, clamped to it.
    #[inline(always)]
    fn height(&self, z: f32) -> f32 {
        ((z - self.low) / LOFT_STEP).clamp(0.0, (self.table.len() - 2) as f32)
    }

    fn row(&self, z: f32) -> [f32; 6] {
        let f = self.height(z);
        let i = f as usize;
        let t = f - i as f32;
        let (p, q) = (&self.table[i], &self.table[i + 1]);
        let mut row = [0.0; 6];
        for k in 0..6 {
            row[k] = p[k] + (q[k] - p[k]) * t;
        }
        row
    }

    pub(super) fn distance(&self, p: [f32; 3]) -> f32 {
        let (section, shell) = (self.row(p[2]), (self.low, self.high, self.square));
        if self.square > 0.0 { loft::<true>(p, section, shell) } else { loft::<false>(p, section, shell) }
    }

    /// Distances of points to the loft grown by `grow` mm.
    fn distances(&self, grow: f32, x: &[f32], y: &[f32], z: &[f32], out: &mut [f32]) {
        let shell = (self.low, self.high, self.square);
        in_runs(x, y, z, out, |x, y, z, out| {
            let mut heights = [0.0_f32; RUN];
            for i in 0..RUN {
                heights[i] = self.height(z[i]);
            }
            let low = heights.iter().copied().fold(f32::INFINITY, f32::min);
            let high = heights.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            // A row of a slice lies between two neighbouring sections, or crosses one.
            let (first, last) = (low as usize, high as usize);
            if last <= first + 1 {
                let (p, q, r) = (self.table[first], self.table[first + 1], self.table[last + 1]);
                let (base, middle) = (first as f32, (first + 1) as f32);
                let section = |i: usize| {
                    let height = heights[i];
                    let above = height >= middle;
                    let t = height - if above { middle } else { base };
                    let mut row = [0.0; 6];
                    for k in 0..6 {
                        let (from, to) = if above { (q[k], r[k]) } else { (p[k], q[k]) };
                        row[k] = from + (to - from) * t;
                    }
                    row
                };
                if self.square > 0.0 {
                    for i in 0..RUN {
                        out[i] = loft::<true>([x[i], y[i], z[i]], section(i), shell) - grow;
                    }
                } else {
                    for i in 0..RUN {
                        out[i] = loft::<false>([x[i], y[i], z[i]], section(i), shell) - grow;
                    }
                }
            } else {
                for i in 0..RUN {
                    out[i] = self.distance([x[i], y[i], z[i]]) - grow;
                }
            }
        });
    }
}

fn section_at(rows: &[Section], z: f64) -> Section {
    let after = rows.iter().position(|s| s.z >= z).unwrap_or(rows.len() - 1);
    if after == 0 {
        return Section { z, ..rows[0] };
    }
    let (p, q) = (&rows[after - 1], &rows[after]);
    let t = ((z - p.z) / (q.z - p.z)).clamp(0.0, 1.0);
    let mix = |a: f64, b: f64| a + (b - a) * t;
    Section { z, x: mix(p.x, q.x), y: mix(p.y, q.y), a: mix(p.a, q.a), b: mix(p.b, q.b), angle: mix(p.angle, q.angle) }
}

/// A shape of the anatomy.
#[derive(Clone, Debug)]
pub(super) enum Shape {
    /// Ellipsoid with semi-axes along the rows of `axes`; `square` makes it a rounded box.
    Ellipsoid { centre: [f32; 3], radii: [f32; 3], axes: [[f32; 3]; 3], square: bool },
    /// Tapered capsule.
    Capsule { a: [f32; 3], b: [f32; 3], ra: f32, rb: f32 },
    /// Stacked sections, grown outwards by the second value.
    Loft(Arc<Loft>, f32),
    /// A patch of a vessel wall: `half_arc` mm around and `half_length` mm along.
    WallPatch {
        on_axis: [f32; 3],
        axis: [f32; 3],
        towards: [f32; 3],
        radius: f32,
        half_thickness: f32,
        half_arc: f32,
        half_length: f32,
    },
}

pub(super) fn single(p: Point) -> [f32; 3] {
    p.map(|c| c as f32)
}

impl Shape {
    pub(super) fn ellipsoid(centre: Point, radii: Point) -> Self {
        Self::turned_ellipsoid(centre, radii, [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    }

    pub(super) fn turned_ellipsoid(centre: Point, radii: Point, axes: [Point; 3]) -> Self {
        Self::Ellipsoid { centre: single(centre), radii: single(radii), axes: axes.map(single), square: false }
    }

    pub(super) fn block(centre: Point, radii: Point) -> Self {
        let axes = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
        Self::Ellipsoid { centre: single(centre), radii: single(radii), axes, square: true }
    }

    pub(super) fn capsule(a: Point, b: Point, ra: f64, rb: f64) -> Self {
        Self::Capsule { a: single(a), b: single(b), ra: ra as f32, rb: rb as f32 }
    }

    /// Distances (mm) of points to the surface, exact near it: of `(x[i], y[i], z[i])` into `out[i]`.
    ///
    /// One loop for each kind of shape, without a branch inside, so that the compiler makes it wide.
    pub(super) fn distances(&self, x: &[f32], y: &[f32], z: &[f32], out: &mut [f32]) {
        match self {
            Self::Ellipsoid { centre, radii, axes, square: true } => {
                each(x, y, z, out, |p| rounded_box(p, *centre, *radii, axes));
            }
            Self::Ellipsoid { centre, radii, axes, square: false } => {
                each(x, y, z, out, |p| ellipsoid(p, *centre, *radii, axes));
            }
            Self::Capsule { a, b, ra, rb } => each(x, y, z, out, |p| capsule(p, *a, *b, *ra, *rb)),
            Self::Loft(loft, grow) => loft.distances(*grow, x, y, z, out),
            Self::WallPatch { on_axis, axis, towards, radius, half_thickness, half_arc, half_length } => {
                each(x, y, z, out, |p| {
                    let d = [p[0] - on_axis[0], p[1] - on_axis[1], p[2] - on_axis[2]];
                    let along = dot(d, *axis);
                    let r = [d[0] - axis[0] * along, d[1] - axis[1] * along, d[2] - axis[2] * along];
                    let length = dot(r, r).sqrt().max(1e-4);
                    let cosine = (dot(r, *towards) / length).clamp(-1.0, 1.0);
                    // A plaque tapers towards its rim: an ellipse over arc and length scales the thickness.
                    let (u, v) = (cosine.acos() * radius / half_arc, along / half_length);
                    let rim = (u * u + v * v).sqrt();
                    let thin = half_thickness * (1.0 - rim * rim).max(0.0).sqrt();
                    let wall = (length - radius).abs() - thin;
                    wall.max((rim - 1.0) * half_arc.min(*half_length))
                });
            }
        }
    }

    pub(super) fn bounds(&self) -> Bounds {
        match self {
            Self::Ellipsoid { centre, radii, axes, .. } => {
                let mut bounds = Bounds::empty();
                let reach: [f64; 3] =
                    std::array::from_fn(|i| (0..3).map(|k| f64::from((axes[k][i] * radii[k]).abs())).sum::<f64>());
                bounds.include(std::array::from_fn(|i| f64::from(centre[i]) - reach[i]));
                bounds.include(std::array::from_fn(|i| f64::from(centre[i]) + reach[i]));
                bounds
            }
            Self::Capsule { a, b, ra, rb } => {
                let mut bounds = Bounds::empty();
                for (end, r) in [(a, ra), (b, rb)] {
                    bounds.include(end.map(|c| f64::from(c - r)));
                    bounds.include(end.map(|c| f64::from(c + r)));
                }
                bounds
            }
            Self::Loft(loft, grow) => loft.bounds.grown(f64::from(*grow).max(0.0)),
            Self::WallPatch { on_axis, radius, half_thickness, half_length, .. } => {
                let mut bounds = Bounds::empty();
                bounds.include(on_axis.map(f64::from));
                bounds.grown(f64::from((radius + half_thickness).hypot(*half_length)))
            }
        }
    }
}

/// Distance to a loft of which `section` is the section at the height of `p`.
#[inline(always)]
fn loft<const SQUARE: bool>(p: [f32; 3], section: [f32; 6], (low, high, square): (f32, f32, f32)) -> f32 {
    let [x, y, a, b, cos, sin] = section;
    let (dx, dy) = (p[0] - x, p[1] - y);
    let u = (dx * cos + dy * sin) / a;
    let v = (dy * cos - dx * sin) / b;
    let (u2, v2) = (u * u, v * v);
    let k = (u2 + v2).sqrt();
    let (gu, gv) = (u / a, v / b);
    let near = k * (k - 1.0) / (gu * gu + gv * gv).sqrt().max(1e-6);
    let round = if k < 1e-3 { -a.min(b) } else { near };
    let side = if SQUARE {
        let k = (u2 * u2 + v2 * v2).sqrt().sqrt();
        let k3 = (k * k * k).max(1e-9);
        let (gu, gv) = (u2 * u / (k3 * a), v2 * v / (k3 * b));
        let boxed = (k - 1.0) / (gu * gu + gv * gv).sqrt().max(1e-4);
        round + (boxed - round) * square
    } else {
        round
    };
    side.max(low - p[2]).max(p[2] - high)
}

/// Points that are measured together.
const RUN: usize = 32;

/// Hands the points on in runs of one fixed length, which the compiler makes wide; the last run is padded.
#[inline(always)]
fn in_runs(
    x: &[f32],
    y: &[f32],
    z: &[f32],
    out: &mut [f32],
    mut run: impl FnMut(&[f32; RUN], &[f32; RUN], &[f32; RUN], &mut [f32; RUN]),
) {
    let mut last = [[0.0; RUN]; 3];
    let mut distances = [0.0; RUN];
    for (((out, x), y), z) in out.chunks_mut(RUN).zip(x.chunks(RUN)).zip(y.chunks(RUN)).zip(z.chunks(RUN)) {
        if let (Ok(x), Ok(y), Ok(z), Ok(out)) =
            (x.try_into(), y.try_into(), z.try_into(), <&mut [f32; RUN]>::try_from(&mut *out))
        {
            run(x, y, z, out);
        } else {
            for (padded, part) in last.iter_mut().zip([x, y, z]) {
                padded.fill(part[0]);
                padded[..part.len()].copy_from_slice(part);
            }
            run(&last[0], &last[1], &last[2], &mut distances);
            out.copy_from_slice(&distances[..out.len()]);
        }
    }
}

/// `out[i]` becomes the distance of the point `(x[i], y[i], z[i])`.
#[inline(always)]
fn each(x: &[f32], y: &[f32], z: &[f32], out: &mut [f32], distance: impl Fn([f32; 3]) -> f32) {
    in_runs(x, y, z, out, |x, y, z, out| {
        for i in 0..RUN {
            out[i] = distance([x[i], y[i], z[i]]);
        }
    });
}

/// Distance to an ellipsoid with semi-axes along the rows of `axes`, of the first order.
#[inline(always)]
fn ellipsoid(p: [f32; 3], centre: [f32; 3], radii: [f32; 3], axes: &[[f32; 3]; 3]) -> f32 {
    let d = [p[0] - centre[0], p[1] - centre[1], p[2] - centre[2]];
    let u = [dot(d, axes[0]) / radii[0], dot(d, axes[1]) / radii[1], dot(d, axes[2]) / radii[2]];
    let k = dot(u, u).sqrt();
    let g = [u[0] / radii[0], u[1] / radii[1], u[2] / radii[2]];
    let near = k * (k - 1.0) / dot(g, g).sqrt().max(1e-6);
    if k < 1e-3 { -radii[0].min(radii[1]).min(radii[2]) } else { near }
}

/// Distance to a rounded box (exponent 4) with semi-axes along the rows of `axes`, of the first order.
#[inline(always)]
fn rounded_box(p: [f32; 3], centre: [f32; 3], radii: [f32; 3], axes: &[[f32; 3]; 3]) -> f32 {
    let d = [p[0] - centre[0], p[1] - centre[1], p[2] - centre[2]];
    let u = [dot(d, axes[0]) / radii[0], dot(d, axes[1]) / radii[1], dot(d, axes[2]) / radii[2]];
    let s = [u[0] * u[0], u[1] * u[1], u[2] * u[2]];
    let k = (s[0] * s[0] + s[1] * s[1] + s[2] * s[2]).sqrt().sqrt();
    let k3 = (k * k * k).max(1e-9);
    let g = [s[0] * u[0] / (k3 * radii[0]), s[1] * u[1] / (k3 * radii[1]), s[2] * u[2] / (k3 * radii[2])];
    (k - 1.0) / dot(g, g).sqrt().max(1e-4)
}

/// Distance to a capsule from `a` to `b` whose radius goes from `ra` to `rb`.
#[inline(always)]
fn capsule(p: [f32; 3], a: [f32; 3], b: [f32; 3], ra: f32, rb: f32) -> f32 {
    let ab = [b[0] - a[0], b[1] - a[1], b[2] - a[2]];
    let ap = [p[0] - a[0], p[1] - a[1], p[2] - a[2]];
    let t = (dot(ap, ab) / dot(ab, ab).max(1e-9)).clamp(0.0, 1.0);
    let q = [ap[0] - ab[0] * t, ap[1] - ab[1] * t, ap[2] - ab[2] * t];
    dot(q, q).sqrt() - (ra + (rb - ra) * t)
}

#[inline(always)]
fn dot(a: [f32; 3], b: [f32; 3]) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/// An axis-parallel box.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub low: Point,
    pub high: Point,
}

impl Bounds {
    pub(super) fn empty() -> Self {
        Self { low: [f64::INFINITY; 3], high: [f64::NEG_INFINITY; 3] }
    }

    pub(super) fn include(&mut self, p: Point) {
        for i in 0..3 {
            self.low[i] = self.low[i].min(p[i]);
            self.high[i] = self.high[i].max(p[i]);
        }
    }

    pub(super) fn grown(&self, by: f64) -> Self {
        Self { low: self.low.map(|c| c - by), high: self.high.map(|c| c + by) }
    }

    pub(super) fn touches(&self, other: &Self) -> bool {
        (0..3).all(|i| self.low[i] <= other.high[i] && other.low[i] <= self.high[i])
    }

    pub(super) fn corners(&self) -> [Point; 8] {
        std::array::from_fn(|i| {
            std::array::from_fn(|axis| if i >> axis & 1 == 0 { self.low[axis] } else { self.high[axis] })
        })
    }

    pub(super) fn centre(&self) -> Point {
        std::array::from_fn(|i| f64::midpoint(self.low[i], self.high[i]))
    }
}

/// A smooth curve through the points (Catmull-Rom), sampled about every `step` mm.
pub(super) fn spline(points: &[Point], step: f64) -> Vec<Point> {
    let mut curve = Vec::new();
    for i in 0..points.len() - 1 {
        let p1 = points[i];
        let p2 = points[i + 1];
        let p0 = if i == 0 { p1 } else { points[i - 1] };
        let p3 = points.get(i + 2).copied().unwrap_or(p2);
        let pieces = (distance(p1, p2) / step).ceil().max(1.0) as usize;
        for k in 0..pieces {
            let t = k as f64 / pieces as f64;
            curve.push(std::array::from_fn(|c| {
                let (a, b, d, e) = (p0[c], p1[c], p2[c], p3[c]);
                0.5 * (2.0 * b
                    + (d - a) * t
                    + (2.0 * a - 5.0 * b + 4.0 * d - e) * t * t
                    + (3.0 * b - a - 3.0 * d + e) * t * t * t)
            }));
        }
    }
    curve.push(points[points.len() - 1]);
    curve
}
