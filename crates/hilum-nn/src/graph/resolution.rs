//! What the description alone says about the sizes of maps.

use super::Value;
use crate::geometry::{Path, sides};
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
pub(super) fn after(name: &str, op: &Op, inputs: &[&Value]) -> Result<Resolution, NetworkError> {
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
        Op::Flatten if x != Resolution::Fixed([1; 3]) => {
            return refuse("reads a map that may have more than one pixel: pool it globally");
        }
        Op::Linear { .. } | Op::Flatten => Resolution::Matrix,
        Op::GlobalAvgPool => Resolution::Fixed([1; 3]),
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
