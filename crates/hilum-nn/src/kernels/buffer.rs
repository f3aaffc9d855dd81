//! Aligned memory and views of blocked activations in it.
//!
//! Layout nChw16c: image, block of 16 channels, row, column, channel in the block. A view may be a run of blocks inside a larger buffer: that is how
//! concatenation costs nothing.

/// Channels per block.
pub(crate) const LANES: usize = 16;

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; LANES]);

/// Zeroed floats on 64-byte boundaries, in whole lines of 16.
#[derive(Clone)]
pub(crate) struct Aligned(Vec<Line>);

impl Aligned {
    pub(crate) fn zeroed(floats: usize) -> Self {
        Self(vec![Line([0.0; LANES]); floats.div_ceil(LANES)])
    }

    /// As [`Aligned::zeroed`], for sizes that the system may refuse.
    #[allow(clippy::cast_ptr_alignment, reason = "the memory has the alignment of the layout")]
    #[allow(clippy::same_length_and_capacity, reason = "the memory is new and full")]
    pub(crate) fn try_zeroed(floats: usize) -> Option<Self> {
        let lines = floats.div_ceil(LANES);
        let layout = std::alloc::Layout::array::<Line>(lines).ok()?;
        if layout.size() == 0 {
            return Some(Self(Vec::new()));
        }
        // SAFETY: the layout is not empty.
        let memory = unsafe { std::alloc::alloc_zeroed(layout) }.cast::<Line>();
        // SAFETY: the global allocator gave this memory for the layout of a vector of that many lines, and zeroed bytes are lines of 0.0.
        (!memory.is_null()).then(|| Self(unsafe { Vec::from_raw_parts(memory, lines, lines) }))
    }

    pub(crate) fn bytes(&self) -> usize {
        self.0.len() * size_of::<Line>()
    }
}

impl std::ops::Deref for Aligned {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        // SAFETY: `Line` is `repr(C)` and holds exactly 16 floats without padding (64 bytes, alignment 64), so the lines are 16 * len floats.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr().cast(), self.0.len() * LANES) }
    }
}

impl std::ops::DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as in `deref`; the exclusive borrow of `self` makes the slice exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.0.as_mut_ptr().cast(), self.0.len() * LANES) }
    }
}

/// How the numbers of a view lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub(crate) enum Format {
    /// A float each.
    #[default]
    F32,
    /// Two in the place of a float: the even channel's bf16 in its low half, the odd one's in its high half.
    Bf16,
}

impl Format {
    /// Floats of memory that the 16 channels of a pixel take.
    pub(crate) const fn pixel(self) -> usize {
        match self {
            Self::F32 => LANES,
            Self::Bf16 => LANES / 2,
        }
    }
}

/// Where a blocked activation lies in an arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct View {
    /// First float of image 0.
    pub(crate) offset: usize,
    /// Images.
    pub(crate) n: usize,
    /// Floats from one image to the next.
    pub(crate) image: usize,
    /// Blocks of 16 channels.
    pub(crate) blocks: usize,
    /// Depth; 1 for images.
    pub(crate) d: usize,
    /// Height.
    pub(crate) h: usize,
    /// Width.
    pub(crate) w: usize,
    /// How its numbers lie there.
    pub(crate) format: Format,
}

impl View {
    /// Pixels of one block of one image.
    pub(crate) fn pixels(&self) -> usize {
        self.d * self.h * self.w
    }

    /// Floats of one block of one image.
    pub(crate) fn plane(&self) -> usize {
        self.pixels() * self.format.pixel()
    }

    /// Depth, height and width.
    pub(crate) fn size(&self) -> [usize; 3] {
        [self.d, self.h, self.w]
    }

    /// The same memory with the slices of a volume under each other.
    pub(crate) fn flat(&self) -> Self {
        Self { d: 1, h: self.d * self.h, ..*self }
    }

    /// First float of a block.
    pub(crate) fn at(&self, n: usize, block: usize) -> usize {
        self.offset + n * self.image + block * self.plane()
    }

    /// One past the last float.
    pub(crate) fn end(&self) -> usize {
        self.at(self.n - 1, self.blocks)
    }

    /// A run of blocks of this view.
    pub(crate) fn part(&self, first_block: usize, blocks: usize) -> Self {
        Self { offset: self.offset + first_block * self.plane(), blocks, ..*self }
    }

    /// Whether no float belongs to both. Runs of blocks in one buffer interleave image by image, so they are compared in the first image.
    fn disjoint(&self, other: &Self) -> bool {
        if self.end() <= other.offset || other.end() <= self.offset {
            return true;
        }
        let (a, b) = if self.offset <= other.offset { (self, other) } else { (other, self) };
        a.image == b.image && a.at(0, a.blocks) <= b.offset && b.at(0, b.blocks) <= a.offset + a.image
    }
}

/// The base of an arena, shared by the threads of one operation.
///
/// Every operation takes `&mut Aligned`, checks its views with [`Base::of`], and lets its jobs touch disjoint parts of the written view only.
#[derive(Clone, Copy)]
pub(crate) struct Base(*mut f32);

// SAFETY: the pointer comes from an exclusive borrow that outlives the operation; jobs write disjoint ranges (stated at each operation).
unsafe impl Send for Base {}
// SAFETY: as above.
unsafe impl Sync for Base {}

impl Base {
    /// Panics where a view leaves the arena, or a written view overlaps a read one. Plans never make such views; this is the bounds check of all kernels.
    /// Only for kernels that know a single format; others take [`Base::of_any`].
    pub(crate) fn of(arena: &mut Aligned, read: &[View], written: &[View]) -> Self {
        assert!(read.iter().chain(written).all(|v| v.format == Format::F32), "a kernel of f32 alone meets bf16");
        Self::of_any(arena, read, written)
    }

    /// As [`Base::of`], for kernels that heed the views' formats.
    pub(crate) fn of_any(arena: &mut Aligned, read: &[View], written: &[View]) -> Self {
        for v in read.iter().chain(written) {
            assert!(
                v.n > 0 && v.blocks > 0 && v.image >= v.blocks * v.plane() && v.end() <= arena.len(),
                "view outside its arena"
            );
        }
        for (i, w) in written.iter().enumerate() {
            assert!(read.iter().chain(&written[..i]).all(|r| r.disjoint(w)), "a written view overlaps another");
        }
        Self(arena.as_mut_ptr())
    }

    /// Pointer to a float.
    ///
    /// # Safety
    /// `index` must lie inside (or one past) a view given to [`Base::of`].
    pub(crate) unsafe fn at(self, index: usize) -> *mut f32 {
        // SAFETY: the caller's promise.
        unsafe { self.0.add(index) }
    }

    /// Pointer to a value that one job alone uses.
    pub(crate) fn of_slice(slice: &mut [f32]) -> Self {
        Self(slice.as_mut_ptr())
    }
}

/// As [`Base`], for the f64 partial sums of reductions.
#[derive(Clone, Copy)]
pub(crate) struct Sums(*mut f64);

// SAFETY: as for `Base`: jobs write disjoint ranges.
unsafe impl Send for Sums {}
// SAFETY: as above.
unsafe impl Sync for Sums {}

impl Sums {
    pub(crate) fn of(slice: &mut [f64], needed: usize) -> Self {
        assert!(slice.len() >= needed, "partial sums do not fit");
        Self(slice.as_mut_ptr())
    }

    /// # Safety
    /// `(job + 1) * N` must be within the length checked by [`Sums::of`], and no other thread may use the same `job`.
    pub(crate) unsafe fn of_job<'a, const N: usize>(self, job: usize) -> &'a mut [f64; N] {
        // SAFETY: the caller's promise.
        unsafe { &mut *self.0.add(job * N).cast() }
    }
}
