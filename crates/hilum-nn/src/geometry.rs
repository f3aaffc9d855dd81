//! Windows over a map: kernel, stride, padding and dilation along depth, height and width, and the sizes that they give.

/// How a convolution or pooling moves over its input, `[d, h, w]`; depth is 1 in networks over images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Geometry {
    pub(crate) kernel: [usize; 3],
    pub(crate) stride: [usize; 3],
    /// Zeros before the first and after the last input position.
    pub(crate) padding: [usize; 3],
    pub(crate) dilation: [usize; 3],
    /// Further output positions of a transposed convolution at the end of each axis.
    pub(crate) output_padding: [usize; 3],
    pub(crate) groups: usize,
    pub(crate) transposed: bool,
    /// Of pooling: whether a last window that leaves the input counts.
    pub(crate) ceil: bool,
}

/// Which kernels run a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Path {
    /// 3x3 or 1x1, stride 1, same padding: register tiles without tables; Winograd for 3x3.
    Same(usize),
    /// Transposed 2x2, stride 2.
    Up,
    /// Everything else.
    Window,
}

impl Geometry {
    /// A window that reads one position.
    pub(crate) const POINT: Self = Self {
        kernel: [1; 3],
        stride: [1; 3],
        padding: [0; 3],
        dilation: [1; 3],
        output_padding: [0; 3],
        groups: 1,
        transposed: false,
        ceil: false,
    };

    /// Kernel taps.
    pub(crate) fn taps(&self) -> usize {
        self.kernel.iter().product()
    }

    /// Whether this is a 3x3x3 convolution of stride 1 that keeps the size.
    pub(crate) fn is_cube(&self) -> bool {
        *self == Self { kernel: [3; 3], padding: [1; 3], ..Self::POINT }
    }

    /// The kernels for a map of this depth.
    pub(crate) fn path(&self, depth: usize) -> Path {
        let same = |kernel, padding| Self { kernel, padding, ..Self::POINT };
        let up = Self { kernel: [1, 2, 2], stride: [1, 2, 2], transposed: true, ..Self::POINT };
        if *self == Self::POINT {
            Path::Same(1)
        } else if depth == 1 && *self == same([1, 3, 3], [0, 1, 1]) {
            Path::Same(3)
        } else if depth == 1 && *self == up {
            Path::Up
        } else {
            Path::Window
        }
    }

    /// Whether the output has the size of the input, whatever that is.
    pub(crate) fn keeps_size(&self) -> bool {
        !self.transposed
            && (0..3).all(|a| self.stride[a] == 1 && 2 * self.padding[a] == self.dilation[a] * (self.kernel[a] - 1))
    }

    /// The size of the output, `None` where a window does not fit or sizes overflow.
    pub(crate) fn output(&self, input: [usize; 3]) -> Option<[usize; 3]> {
        let mut out = [0; 3];
        for a in 0..3 {
            out[a] = self.output_len(a, input[a])?;
        }
        Some(out)
    }

    fn output_len(&self, a: usize, len: usize) -> Option<usize> {
        let (stride, padding) = (self.stride[a], self.padding[a]);
        let extent = self.dilation[a].checked_mul(self.kernel[a] - 1)?.checked_add(1)?;
        if self.transposed {
            let full = len.checked_sub(1)?.checked_mul(stride)?.checked_add(extent)?;
            return full.checked_add(self.output_padding[a])?.checked_sub(2 * padding).filter(|&l| l > 0);
        }
        let padded = len.checked_add(2 * padding)?;
        let room = if self.ceil { padded.checked_add(stride - 1)? } else { padded };
        let count = room.checked_sub(extent)? / stride + 1;
        // PyTorch: rounded up, but for a window that would start in the padding at the end.
        Some(count - usize::from(self.ceil && (count - 1) * stride >= len + padding))
    }
}

/// Sides given for the spatial axes of a network, `[h, w]` or `[d, h, w]`, as `[d, h, w]`.
pub(crate) fn sides(given: &[usize], fill: usize) -> [usize; 3] {
    let mut out = [fill; 3];
    let rank = given.len().min(3);
    out[3 - rank..].copy_from_slice(&given[..rank]);
    out
}

/// What an adaptive pooling to `size`, per axis of the network and 0 where the input's stays, makes of a map of `[d, h, w]`.
pub(crate) fn adapted(size: &[usize], input: [usize; 3]) -> [usize; 3] {
    let size = sides(size, 1);
    std::array::from_fn(|a| if size[a] == 0 { input[a] } else { size[a] })
}

/// Positions of the sequence that a map of `[d, h, w]` is, in a network of this many axes; `None` where the other axes have more than one.
pub(crate) fn sequence_len([d, h, w]: [usize; 3], axes: usize) -> Option<usize> {
    match axes {
        3 => (h == 1 && w == 1).then_some(d),
        _ => (w == 1).then_some(h),
    }
}
