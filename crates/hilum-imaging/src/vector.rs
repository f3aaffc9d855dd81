//! Points and directions in space.

/// Point or direction; in patient coordinates `[x, y, z]` in mm unless another space is named.
pub type Point = [f64; 3];

/// The sum.
pub fn plus(a: Point, b: Point) -> Point {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}

/// The difference.
pub fn minus(a: Point, b: Point) -> Point {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

/// A vector, scaled.
pub fn times(a: Point, k: f64) -> Point {
    a.map(|c| c * k)
}

/// Length.
pub fn norm(a: Point) -> f64 {
    a.iter().map(|c| c * c).sum::<f64>().sqrt()
}

/// Distance of two points.
pub fn distance(a: Point, b: Point) -> f64 {
    a.iter().zip(b).map(|(p, q)| (p - q) * (p - q)).sum::<f64>().sqrt()
}

/// The direction, of length one.
pub fn normalised(a: Point) -> Point {
    times(a, 1.0 / norm(a).max(1e-9))
}

/// The inner product.
pub fn dot(a: Point, b: Point) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/// The vector product.
pub fn cross(a: Point, b: Point) -> Point {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}
