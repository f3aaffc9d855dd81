//! Small vectors in patient space.

pub(super) fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

pub(super) fn cross(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

pub(super) fn minus(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

pub(super) fn scaled(a: [f64; 3], k: f64) -> [f64; 3] {
    a.map(|v| v * k)
}

pub(super) fn length(a: [f64; 3]) -> f64 {
    dot(a, a).sqrt()
}

/// Angle between two directions in degrees; exact near 0 and 180, where the cosine is not.
pub(super) fn degrees_between(a: [f64; 3], b: [f64; 3]) -> f64 {
    length(cross(a, b)).atan2(dot(a, b)).to_degrees()
}

/// Index of the patient axis nearest to a direction.
pub(super) fn nearest_axis(a: [f64; 3]) -> usize {
    let mut nearest = 0;
    for axis in 1..3 {
        if a[axis].abs() > a[nearest].abs() {
            nearest = axis;
        }
    }
    nearest
}
