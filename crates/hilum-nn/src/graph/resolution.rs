//! What the description alone says about the sizes of maps.

use super::Value;
use crate::geometry::{Path, adapted, sequence_len, sides};
use crate::network::{NetworkError, Op};

/// What is known of a value's size before there is an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// The input's size halved this many times without remainder (negative: doubled).
    Level(i32),
    /// These extents, `[d, h, w]`, whatever the input's.
    Fixed([usize; 3]),
    /// A matrix `[n, c]`.
    Matrix,
    /// Something that follows from the input's size only.
    Open,
}

/// The resolution of a layer's result.
pub(super) fn after(name: &str, op: &Op, inputs: &[&Value], axes: usize) -> Result<Resolution, NetworkError> {
    let refuse = |problem| Err(NetworkError::Input { layer: name.to_owned(), op: op.to_string(), problem });
    let x = inputs[0].resolution;
    let needs_map = matches!(
        op,
        Op::Conv2d { .. }
            | Op::ConvTranspose2d { .. }
            | Op::Conv(_)
            | Op::ConvTranspose { .. }
            | Op::MaxPool2d
            | Op::MaxPool(_)
            | Op::AvgPool { .. }
            | Op::GlobalAvgPool
            | Op::AdaptiveAvgPool { .. }
            | Op::AdaptiveMaxPool { .. }
            | Op::Gru(_)
            | Op::Lstm(_)
            | Op::InstanceNorm { .. }
            | Op::GroupNorm { .. }
            | Op::Upsample { .. }
            | Op::Flatten
    );
    if needs_map && x == Resolution::Matrix {
        return refuse("reads a matrix, expected a map");
    }
    Ok(match op {
        Op::Linear { .. } if x != Resolution::Matrix => return refuse("reads a map, expected a matrix: flatten it"),
        Op::Flatten if !matches!(x, Resolution::Fixed(_)) => {
            return refuse("reads a map whose size is not fixed: pool it to a fixed size, or fix the network's");
        }
        Op::Linear { .. } | Op::Flatten => Resolution::Matrix,
        Op::GlobalAvgPool => Resolution::Fixed([1; 3]),
        Op::AdaptiveAvgPool { size } | Op::AdaptiveMaxPool { size } => match x {
            _ if size.iter().all(|s| *s > 0) => Resolution::Fixed(sides(size, 1)),
            _ if size.iter().all(|s| *s == 0) => x,
            Resolution::Fixed(input) => Resolution::Fixed(adapted(size, input)),
            _ => Resolution::Open,
        },
        Op::Gru(recurrence) | Op::Lstm(recurrence) => match x {
            Resolution::Fixed(size) if sequence_len(size, axes).is_none() => {
                return refuse("reads a map with more than one position beside the sequence: pool it to one");
            }
            _ if recurrence.last => Resolution::Fixed([1; 3]),
            _ => x,
        },
        Op::MaxPool2d => match x {
            Resolution::Level(level) => Resolution::Level(level + 1),
            Resolution::Fixed([1, h, w]) if h % 2 == 0 && w % 2 == 0 => Resolution::Fixed([1, h / 2, w / 2]),
            Resolution::Fixed(_) => return refuse("halves an odd size"),
            other => other,
        },
        Op::Upsample { factors, .. } => match x {
            _ if factors.iter().all(|f| *f == 1) => x,
            Resolution::Level(level) if factors.iter().all(|f| *f == 2) => Resolution::Level(level - 1),
            Resolution::Fixed(size) => {
                let factors = sides(factors, 1);
                Resolution::Fixed(std::array::from_fn(|a| size[a].saturating_mul(factors[a])))
            }
            _ => Resolution::Open,
        },
        Op::Concat | Op::Add => {
            for other in inputs {
                match (x, other.resolution) {
                    (Resolution::Level(a), Resolution::Level(b)) if a != b => {
                        return Err(NetworkError::Resolution { layer: name.to_owned(), a, b });
                    }
                    (Resolution::Fixed(a), Resolution::Fixed(b)) if a != b => {
                        return refuse("joins inputs of different sizes");
                    }
                    (a, b) if (a == Resolution::Matrix) != (b == Resolution::Matrix) => {
                        return refuse("joins a matrix and a map");
                    }
                    _ => {}
                }
            }
            x
        }
        _ => match op.geometry() {
            Some(g) if g.keeps_size() => x,
            Some(g) => match x {
                Resolution::Level(level) if g.path(1) == Path::Up => Resolution::Level(level - 1),
                Resolution::Fixed(size) => match g.output(size) {
                    Some(size) => Resolution::Fixed(size),
                    None => return refuse("has a window that does not fit its input"),
                },
                _ => Resolution::Open,
            },
            None => x,
        },
    })
}
