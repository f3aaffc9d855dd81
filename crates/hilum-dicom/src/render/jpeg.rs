//! Grey pictures as baseline JPEG (ITU-T T.81, JFIF 1.02).
//!
//! Most of a CT picture is one grey: a block of one value needs no transform. The rest is transformed a block at a time, eight
//! columns at once, which compilers make vector instructions of. Stripes of rows are coded side by side with a restart marker
//! between them (T.81 B.2.4.4), where the machine has more than one processor.

use multiversion::multiversion;
use std::num::NonZero;
use std::panic::resume_unwind;
use std::sync::LazyLock;
use std::thread;

/// Zigzag order (T.81 figure A.6): where in a block each coefficient stands.
const ZIGZAG: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21,
    28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54,
    47, 55, 62, 63,
];

/// Table K.1: quantisation of luminance at quality 50, row by row.
const LUMINANCE: [u8; 64] = [
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51,
    87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101,
    72, 92, 95, 98, 112, 100, 103, 99,
];

/// Tables K.3 and K.5: how many codes there are of each length from 1 bit on, and what they stand for.
const DC_LENGTHS: [u8; 16] = [0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0];
const DC_SYMBOLS: [u8; 12] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
const AC_LENGTHS: [u8; 16] = [0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7D];
const AC_SYMBOLS: [u8; 162] = [
    0x01, 0x02, 0x03, 0x00, 0x04, 0x11, 0x05, 0x12, 0x21, 0x31, 0x41, 0x06, 0x13, 0x51, 0x61, 0x07, 0x22, 0x71, 0x14,
    0x32, 0x81, 0x91, 0xA1, 0x08, 0x23, 0x42, 0xB1, 0xC1, 0x15, 0x52, 0xD1, 0xF0, 0x24, 0x33, 0x62, 0x72, 0x82, 0x09,
    0x0A, 0x16, 0x17, 0x18, 0x19, 0x1A, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2A, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3A,
    0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4A, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5A, 0x63, 0x64, 0x65,
    0x66, 0x67, 0x68, 0x69, 0x6A, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7A, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88,
    0x89, 0x8A, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9A, 0xA2, 0xA3, 0xA4, 0xA5, 0xA6, 0xA7, 0xA8, 0xA9,
    0xAA, 0xB2, 0xB3, 0xB4, 0xB5, 0xB6, 0xB7, 0xB8, 0xB9, 0xBA, 0xC2, 0xC3, 0xC4, 0xC5, 0xC6, 0xC7, 0xC8, 0xC9, 0xCA,
    0xD2, 0xD3, 0xD4, 0xD5, 0xD6, 0xD7, 0xD8, 0xD9, 0xDA, 0xE1, 0xE2, 0xE3, 0xE4, 0xE5, 0xE6, 0xE7, 0xE8, 0xE9, 0xEA,
    0xF1, 0xF2, 0xF3, 0xF4, 0xF5, 0xF6, 0xF7, 0xF8, 0xF9, 0xFA,
];

/// Blocks of a stripe, at least: for fewer a thread costs more to wake than it saves (512x512 pixels, after a pause: 0.29 ms in one
/// stripe, 0.32 in two).
const FEWEST_BLOCKS: usize = 4096;

/// Asking reads files of the system.
static PROCESSORS: LazyLock<usize> = LazyLock::new(|| thread::available_parallelism().map_or(1, NonZero::get));

/// A grey picture of `width` x `height` bytes, both at least 1, at `quality` (1 to 100, as libjpeg scales its tables).
pub(super) fn grey(pixels: &[u8], width: u16, height: u16, quality: u8) -> Vec<u8> {
    grey_in_stripes(pixels, width, height, quality, *PROCESSORS)
}

/// The same in at most `stripes` stripes side by side. What it looks like does not depend on their number.
fn grey_in_stripes(pixels: &[u8], width: u16, height: u16, quality: u8, stripes: usize) -> Vec<u8> {
    let coder = Coder::new(quality);
    let (across, down) = (usize::from(width).div_ceil(8), usize::from(height).div_ceil(8));
    let most = (across * down / FEWEST_BLOCKS).clamp(1, down).min(8);
    let mut rows = down.div_ceil(stripes.clamp(1, most));
    // The interval between restarts is a number of 16 bits.
    let mut restarts = down.div_ceil(rows) > 1;
    if across * rows > usize::from(u16::MAX) {
        (rows, restarts) = (down, false);
    }
    let mut file = Vec::with_capacity(pixels.len() / 4 + 1024);
    coder.head(width, height, restarts.then_some((across * rows) as u16), &mut file);
    let stripe = |first: usize| stripe(&coder, pixels, (width.into(), height.into()), first..(first + rows).min(down));
    let starts: Vec<usize> = (0..down).step_by(rows).collect();
    let coded: Vec<Vec<u8>> = match starts.as_slice() {
        [only] => vec![stripe(*only)],
        [first, others @ ..] => thread::scope(|scope| {
            let stripe = &stripe;
            let others: Vec<_> = others.iter().map(|&start| scope.spawn(move || stripe(start))).collect();
            let mut coded = vec![stripe(*first)];
            coded.extend(others.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic))));
            coded
        }),
        [] => Vec::new(),
    };
    for (index, stripe) in coded.iter().enumerate() {
        if index > 0 {
            file.extend([0xFF, 0xD0 + ((index - 1) % 8) as u8]);
        }
        file.extend(stripe);
    }
    file.extend([0xFF, 0xD9]);
    file
}

/// A code of so many bits.
#[derive(Clone, Copy, Default)]
struct Code {
    bits: u32,
    length: u32,
}

struct Coder {
    /// In zigzag order, as the file states it.
    quantisation: [u8; 64],
    /// What a coefficient is multiplied by, `[u][v]`.
    factors: [[f32; 8]; 8],
    dc: [Code; 256],
    ac: [Code; 256],
}

impl Coder {
    fn new(quality: u8) -> Self {
        let quality = u32::from(quality.clamp(1, 100));
        let scale = if quality < 50 { 5000 / quality } else { 200 - 2 * quality };
        let quantisation =
            ZIGZAG.map(|place| ((u32::from(LUMINANCE[usize::from(place)]) * scale + 50) / 100).clamp(1, 255) as u8);
        let mut factors = [[0.0; 8]; 8];
        for (place, divisor) in ZIGZAG.into_iter().zip(quantisation) {
            let (u, v) = (usize::from(place % 8), usize::from(place / 8));
            factors[u][v] = 1.0 / (f32::from(divisor) * SCALES[u] * SCALES[v] * 8.0);
        }
        Self { quantisation, factors, dc: codes(&DC_LENGTHS, &DC_SYMBOLS), ac: codes(&AC_LENGTHS, &AC_SYMBOLS) }
    }

    /// Everything before the coded data.
    fn head(&self, width: u16, height: u16, restart_interval: Option<u16>, out: &mut Vec<u8>) {
        let mut segment = |marker: u8, parts: &[&[u8]]| {
            let length = 2 + parts.iter().map(|part| part.len()).sum::<usize>();
            out.extend([0xFF, marker]);
            if !parts.is_empty() {
                out.extend((length as u16).to_be_bytes());
                out.extend(parts.concat());
            }
        };
        segment(0xD8, &[]);
        segment(0xE0, &[b"JFIF\0\x01\x02\0\0\x01\0\x01\0\0"]);
        segment(0xDB, &[&[0], &self.quantisation]);
        let ([top, bottom], [left, right]) = (height.to_be_bytes(), width.to_be_bytes());
        segment(0xC0, &[&[8, top, bottom, left, right, 1, 1, 0x11, 0]]);
        segment(0xC4, &[&[0x00], &DC_LENGTHS, &DC_SYMBOLS]);
        segment(0xC4, &[&[0x10], &AC_LENGTHS, &AC_SYMBOLS]);
        if let Some(interval) = restart_interval {
            segment(0xDD, &[&interval.to_be_bytes()]);
        }
        segment(0xDA, &[&[1, 1, 0x00, 0, 63, 0]]);
    }

    /// Quantised, `[u][v]`.
    #[inline(always)]
    fn coefficients(&self, block: &[[u8; 8]; 8]) -> [i16; 64] {
        let grey = u64::from_ne_bytes([block[0][0]; 8]);
        let mut other = 0;
        for line in block {
            other |= u64::from_ne_bytes(*line) ^ grey;
        }
        if other == 0 {
            let mut coefficients = [0; 64];
            coefficients[0] = ((f32::from(block[0][0]) - 128.0) * 64.0 * self.factors[0][0]).round_ties_even() as i16;
            return coefficients;
        }
        let transformed = transformed(block);
        let mut quantised = [0_i16; 64];
        for u in 0..8 {
            for v in 0..8 {
                // Adding 1.5 * 2^23 leaves the nearest whole number in the lower bits.
                quantised[8 * u + v] = (transformed[u][v] * self.factors[u][v] + 12_582_912.0).to_bits() as i16;
            }
        }
        quantised
    }

    /// Figures F.1 and F.2.
    #[inline(always)]
    fn code(&self, dc: i32, coefficients: &[i16; 64], bits: &mut Bits) {
        let size = 32 - dc.unsigned_abs().leading_zeros();
        bits.put(self.dc[size as usize]);
        bits.put(number(dc, size));
        let mut there = in_zigzag(nonzero(coefficients)) & !1;
        let mut before = 0;
        while there != 0 {
            let at = there.trailing_zeros();
            there &= there - 1;
            let mut run = at - before - 1;
            before = at;
            while run > 15 {
                bits.put(self.ac[0xF0]);
                run -= 16;
            }
            let value = i32::from(coefficients[usize::from(PLACES[at as usize & 63])]);
            let size = 32 - value.unsigned_abs().leading_zeros();
            let (code, number) = (self.ac[(run << 4 | size) as usize], number(value, size));
            bits.put(Code { bits: code.bits << size | number.bits, length: code.length + size });
        }
        if before < 63 {
            bits.put(self.ac[0]);
        }
    }
}

/// Rows of blocks, as they stand between two markers. What is called here is inlined, so that the whole is compiled for either
/// instruction set; both compute the same bits.
#[multiversion(targets("x86_64+avx2+bmi1+bmi2+lzcnt+popcnt"))]
fn stripe(coder: &Coder, pixels: &[u8], (width, height): (usize, usize), rows: std::ops::Range<usize>) -> Vec<u8> {
    let mut bits = Bits::new(rows.len() * width * 2);
    let mut last_dc = 0;
    let across = width.div_ceil(8);
    for row in rows {
        let mut lines: [&[u8]; 8] = [&[]; 8];
        for y in 0..8 {
            let start = (row * 8 + y).min(height - 1) * width;
            lines[y] = &pixels[start..start + width];
        }
        for column in 0..across {
            let block = block(&lines, column * 8);
            let coefficients = coder.coefficients(&block);
            let dc = i32::from(coefficients[0]);
            coder.code(dc - last_dc, &coefficients, &mut bits);
            last_dc = dc;
        }
    }
    bits.end()
}

/// A bit for each coefficient that is not zero.
#[inline(always)]
fn nonzero(coefficients: &[i16; 64]) -> u64 {
    let mut flags = [0_u8; 64];
    for at in 0..64 {
        flags[at] = u8::from(coefficients[at] != 0);
    }
    let (eights, _) = flags.as_chunks::<8>();
    let mut bits = 0;
    for index in 0..8 {
        // The product gathers the lowest bits of eight bytes in the highest byte.
        let gathered = u64::from_le_bytes(eights[index]).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        bits |= gathered << (8 * index);
    }
    bits
}

/// Where each coefficient of the zigzag order stands in `[u][v]`.
const PLACES: [u8; 64] = {
    let mut places = [0; 64];
    let mut at = 0;
    while at < 64 {
        places[at] = ZIGZAG[at] % 8 * 8 + ZIGZAG[at] / 8;
        at += 1;
    }
    places
};

/// For each eight bits of an `[u][v]` order, where they stand in the zigzag order: few coefficients are not zero, and only those are moved.
static IN_ZIGZAG: [[u64; 256]; 8] = {
    let mut table = [[0_u64; 256]; 8];
    let mut at = 0;
    while at < 64 {
        let place = PLACES[at] as usize;
        let mut eight = 0;
        while eight < 256 {
            table[place / 8][eight] |= (eight as u64 >> (place % 8) & 1) << at;
            eight += 1;
        }
        at += 1;
    }
    table
};

#[inline(always)]
fn in_zigzag(bits: u64) -> u64 {
    let (eights, mut all) = (bits.to_le_bytes(), 0);
    for index in 0..8 {
        all |= IN_ZIGZAG[index][usize::from(eights[index])];
    }
    all
}

/// A number's own bits (T.81 F.1.2.1.1): one below zero counts from the other end.
#[inline(always)]
fn number(value: i32, size: u32) -> Code {
    let value = value + (value >> 31);
    Code { bits: value as u32 & ((1 << size) - 1), length: size }
}

/// Annex C.2: the codes of a table, by symbol.
fn codes(lengths: &[u8; 16], symbols: &[u8]) -> [Code; 256] {
    let mut codes = [Code::default(); 256];
    let (mut next, mut symbols) = (0, symbols.iter());
    for (length, count) in (1..).zip(lengths) {
        for symbol in symbols.by_ref().take(usize::from(*count)) {
            codes[usize::from(*symbol)] = Code { bits: next, length };
            next += 1;
        }
        next <<= 1;
    }
    codes
}

/// Eight pixels of eight lines; beyond the right edge its last pixel again. Loops, here and in what is called for every block: closures are
/// functions of their own, which compilers do not put into one of another instruction set.
#[inline(always)]
fn block(lines: &[&[u8]; 8], left: usize) -> [[u8; 8]; 8] {
    let mut block = [[0; 8]; 8];
    for y in 0..8 {
        let line = lines[y];
        if let Some(eight) = line[left..].first_chunk() {
            block[y] = *eight;
        } else {
            for x in 0..8 {
                block[y][x] = line[(left + x).min(line.len() - 1)];
            }
        }
    }
    block
}

/// What [`transformed`] makes each frequency larger by, one way and the other; together eight times their product (Arai, Agui and
/// Nakajima, 1988).
const SCALES: [f32; 8] = [1.0, 1.387_039_8, 1.306_563, 1.175_875_6, 1.0, 0.785_694_96, 0.541_196_1, 0.275_899_38];

type Lines = [[f32; 8]; 8];

/// The discrete cosine transform of a block, `[u][v]`, still to be divided by [`SCALES`].
#[inline(always)]
fn transformed(block: &[[u8; 8]; 8]) -> Lines {
    let mut lines = [[0.0_f32; 8]; 8];
    for y in 0..8 {
        for x in 0..8 {
            lines[y][x] = f32::from(block[y][x]) - 128.0;
        }
    }
    down(&turned(&down(&lines)))
}

/// The transform of eight columns at once, after Arai, Agui and Nakajima: five multiplications a column.
#[inline(always)]
fn down(d: &Lines) -> Lines {
    let mut out = [[0.0; 8]; 8];
    for x in 0..8 {
        // Frequencies of even number know only the sums of what mirrors, the others only the differences.
        let (s0, s1, s2, s3) = (d[0][x] + d[7][x], d[1][x] + d[6][x], d[2][x] + d[5][x], d[3][x] + d[4][x]);
        let (d0, d1, d2, d3) = (d[0][x] - d[7][x], d[1][x] - d[6][x], d[2][x] - d[5][x], d[3][x] - d[4][x]);
        let (outer, inner, across) = (s0 + s3, s1 + s2, s0 - s3);
        let turn = (s1 - s2 + across) * std::f32::consts::FRAC_1_SQRT_2;
        let (a, b, c) = (d3 + d2, d2 + d1, d1 + d0);
        let both = (a - c) * 0.382_683_43;
        let (low, high) = (a * 0.541_196_1 + both, c * 1.306_563 + both);
        let middle = b * std::f32::consts::FRAC_1_SQRT_2;
        let (one, other) = (d0 + middle, d0 - middle);
        out[0][x] = outer + inner;
        out[1][x] = one + high;
        out[2][x] = across + turn;
        out[3][x] = other - low;
        out[4][x] = outer - inner;
        out[5][x] = other + low;
        out[6][x] = across - turn;
        out[7][x] = one - high;
    }
    out
}

/// Lines become columns: three times, the upper lines and the lower ones are dealt out in turn.
#[inline(always)]
fn turned(lines: &Lines) -> Lines {
    let mut lines = *lines;
    for _ in 0..3 {
        let mut dealt = [[0.0; 8]; 8];
        for line in 0..8 {
            let half = line % 2 * 4;
            for x in 0..4 {
                dealt[line][2 * x] = lines[line / 2][half + x];
                dealt[line][2 * x + 1] = lines[line / 2 + 4][half + x];
            }
        }
        lines = dealt;
    }
    lines
}

/// Bits on their way into bytes; a byte FF is followed by a zero (T.81 F.1.2.3).
struct Bits {
    /// Zeros beyond `length`.
    out: Vec<u8>,
    length: usize,
    waiting: u64,
    /// Bits of `waiting` that are not taken.
    free: u32,
}

/// Bytes that 64 bits become at most.
const WORD: usize = 16;

impl Bits {
    fn new(capacity: usize) -> Self {
        Self { out: vec![0; capacity.max(WORD)], length: 0, waiting: 0, free: 64 }
    }

    /// At most 27 bits: a code of 16 and a number of 11.
    #[inline(always)]
    fn put(&mut self, Code { bits, length }: Code) {
        if length <= self.free {
            self.waiting = self.waiting << length | u64::from(bits);
            self.free -= length;
        } else {
            // As many as there is room for; the others, with older bits above them that fall out, begin the next word.
            let over = length - self.free;
            self.flush(self.waiting << self.free | u64::from(bits >> over));
            self.waiting = u64::from(bits);
            self.free = 64 - over;
        }
    }

    #[inline(always)]
    fn flush(&mut self, word: u64) {
        if self.length + WORD > self.out.len() {
            self.out.resize(self.out.len() * 2, 0);
        }
        let bytes = word.to_be_bytes();
        // A byte is FF where adding one to it carries out of it.
        if (word & 0x8080_8080_8080_8080 & !word.wrapping_add(0x0101_0101_0101_0101)) == 0 {
            if let Some(eight) = self.out[self.length..].first_chunk_mut() {
                *eight = bytes;
            }
            self.length += 8;
        } else {
            for byte in bytes {
                self.push(byte);
            }
        }
    }

    /// There is room for it.
    fn push(&mut self, byte: u8) {
        self.out[self.length] = byte;
        self.length += 1 + usize::from(byte == 0xFF);
    }

    /// The last byte is filled with ones.
    fn end(mut self) -> Vec<u8> {
        let missing = self.free % 8;
        self.put(Code { bits: (1 << missing) - 1, length: missing });
        if self.length + WORD > self.out.len() {
            self.out.resize(self.length + WORD, 0);
        }
        for byte in (0..(64 - self.free) / 8).rev() {
            self.push((self.waiting >> (8 * byte)) as u8);
        }
        self.out.truncate(self.length);
        self.out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Grey in the corners, edges, and noise in between.
    fn picture(width: usize, height: usize) -> Vec<u8> {
        let mut noise = 1_u32;
        let mut pixel = |x: usize, y: usize| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            match (x * 4 / width, y * 4 / height) {
                (0, _) | (_, 0) => 0,
                (3, 3) => 255,
                (1, 1) => (x * 255 / width) as u8,
                (2, 2) => (noise >> 24) as u8,
                _ => 100 + (noise >> 28) as u8,
            }
        };
        (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).map(|(x, y)| pixel(x, y)).collect()
    }

    fn decoded(file: &[u8], width: u16, height: u16) -> Vec<u8> {
        let mut decoder = jpeg_decoder::Decoder::new(file);
        let pixels = decoder.decode().unwrap();
        let info = decoder.info().unwrap();
        assert_eq!((info.width, info.height), (width, height));
        pixels
    }

    const SIZES: [(u16, u16); 8] = [(1, 1), (8, 8), (9, 7), (64, 65), (17, 300), (513, 511), (512, 512), (2048, 1024)];

    #[test]
    fn a_picture_loses_no_more_than_its_quantisation_takes() {
        for (width, height) in SIZES {
            let pixels = picture(width.into(), height.into());
            for quality in [1, 25, 50, 75, 90, 100] {
                let shown = decoded(&grey(&pixels, width, height, quality), width, height);
                let squares = pixels.iter().zip(&shown).map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2));
                let lost = squares.sum::<f64>() / pixels.len() as f64;
                // No coefficient is further off than half its divisor, and the transform keeps the sum of squares; blocks that reach
                // beyond the edge may have theirs where it is seen. The decoder rounds by half a grey and more.
                let divisors = Coder::new(quality).quantisation;
                let most = divisors.iter().map(|&divisor| f64::from(divisor).powi(2) / 4.0).sum::<f64>() / 64.0;
                let (across, down) = (width.next_multiple_of(8), height.next_multiple_of(8));
                let beyond = f64::from(across) * f64::from(down) / (f64::from(width) * f64::from(height));
                assert!(lost <= most * beyond + 1.0, "{width}x{height} at {quality}: {lost} of {most}");
            }
        }
    }

    #[test]
    fn stripes_do_not_change_what_a_picture_looks_like() {
        for (width, height) in SIZES {
            let pixels = picture(width.into(), height.into());
            let whole = grey_in_stripes(&pixels, width, height, 90, 1);
            assert!(!whole.windows(2).any(|pair| pair == [0xFF, 0xDD]));
            for stripes in [2, 3, 8, 100] {
                let striped = grey_in_stripes(&pixels, width, height, 90, stripes);
                assert!(
                    decoded(&striped, width, height) == decoded(&whole, width, height),
                    "{width}x{height}, {stripes}"
                );
            }
        }
    }

    #[test]
    fn a_width_whose_stripes_no_restart_interval_can_count_is_one_stripe() {
        let (width, height) = (u16::MAX, 70);
        let pixels = picture(width.into(), height.into());
        let file = grey_in_stripes(&pixels, width, height, 50, 2);
        assert_eq!(decoded(&file, width, height).len(), pixels.len());
    }
}
