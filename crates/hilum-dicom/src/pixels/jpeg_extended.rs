//! JPEG Extended (Process 4): the sequential DCT at 12 bits, one component (ISO/IEC 10918-1), which the registry's decoder does
//! not have. Everything of a damaged stream is an error; nothing is allocated by what the stream says.

use std::f32::consts::{FRAC_1_SQRT_2, PI};

/// A Huffman table for decoding (F.2.2.3): by code length, the first code and where its symbols begin.
#[derive(Clone, Default)]
struct Huffman {
    /// One past the last code of each length, and the offset from a code to its symbol.
    lengths: [(i32, i32); 17],
    symbols: Vec<u8>,
}

impl Huffman {
    fn new(counts: &[u8], symbols: &[u8]) -> Self {
        let mut lengths = [(0, 0); 17];
        let (mut code, mut first) = (0_i32, 0_i32);
        for (length, &count) in (1..).zip(counts) {
            let count = i32::from(count);
            lengths[length] = (code + count, first - code);
            code = (code + count) << 1;
            first += count;
        }
        Self { lengths, symbols: symbols.to_vec() }
    }
}

/// Entropy-coded bits (F.2.2.5): stuffed zero bytes fall away, a marker ends them.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    held: u32,
    count: u32,
}

impl Bits<'_> {
    fn bit(&mut self) -> Result<i32, &'static str> {
        if self.count == 0 {
            let byte = *self.bytes.get(self.at).ok_or("the frame ends early")?;
            self.at += 1;
            if byte == 0xFF {
                if self.bytes.get(self.at) != Some(&0) {
                    return Err("a marker stands within the coded blocks");
                }
                self.at += 1;
            }
            (self.held, self.count) = (byte.into(), 8);
        }
        self.count -= 1;
        Ok(((self.held >> self.count) & 1) as i32)
    }

    fn symbol(&mut self, table: &Huffman) -> Result<u8, &'static str> {
        let mut code = 0;
        for &(end, to_symbol) in &table.lengths[1..] {
            code = (code << 1) | self.bit()?;
            if code < end {
                return table.symbols.get((code + to_symbol) as usize).copied().ok_or("a code has no symbol");
            }
        }
        Err("a code has no symbol")
    }

    /// RECEIVE and EXTEND (F.2.2.1).
    fn value(&mut self, size: u8) -> Result<i32, &'static str> {
        if size > 16 {
            return Err("a coefficient is wider than 16 bits");
        }
        let mut value = 0;
        for _ in 0..size {
            value = (value << 1) | self.bit()?;
        }
        let negative = size > 0 && value < 1 << (size - 1);
        Ok(if negative { value - (1 << size) + 1 } else { value })
    }

    /// Skips to after the next restart marker.
    fn restart(&mut self) -> Result<(), &'static str> {
        self.count = 0;
        match self.bytes.get(self.at..self.at + 2) {
            Some([0xFF, 0xD0..=0xD7]) => {
                self.at += 2;
                Ok(())
            }
            _ => Err("a restart marker is missing"),
        }
    }
}

/// Order of coefficients in a block (figure A.6): row-major place of each.
const ZIGZAG: [usize; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21,
    28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54,
    47, 55, 62, 63,
];

#[derive(Default)]
struct Tables {
    quantisers: [Option<[f32; 64]>; 4],
    dc: [Option<Huffman>; 4],
    ac: [Option<Huffman>; 4],
    quantiser: usize,
    restart_interval: usize,
}

impl Tables {
    fn quantisers(&mut self, mut segment: &[u8]) -> Result<(), &'static str> {
        while let [head, rest @ ..] = segment {
            let width = if head >> 4 == 0 { 1 } else { 2 };
            let values = rest.get(..64 * width).ok_or("a quantisation table is cut off")?;
            let mut table = [0.0; 64];
            for (place, value) in ZIGZAG.iter().zip(values.chunks_exact(width)) {
                table[*place] = value.iter().fold(0_u16, |v, byte| (v << 8) | u16::from(*byte)).into();
            }
            *self.quantisers.get_mut(usize::from(head & 15)).ok_or("a quantisation table has no place")? = Some(table);
            segment = &rest[64 * width..];
        }
        Ok(())
    }

    fn huffman(&mut self, mut segment: &[u8]) -> Result<(), &'static str> {
        while let [head, rest @ ..] = segment {
            let counts = rest.get(..16).ok_or("a Huffman table is cut off")?;
            let total = counts.iter().map(|count| usize::from(*count)).sum::<usize>();
            let symbols = rest.get(16..16 + total).ok_or("a Huffman table is cut off")?;
            let class = if head >> 4 == 0 { &mut self.dc } else { &mut self.ac };
            let place = class.get_mut(usize::from(head & 15)).ok_or("a Huffman table has no place")?;
            *place = Some(Huffman::new(counts, symbols));
            segment = &rest[16 + total..];
        }
        Ok(())
    }
}

/// Samples of a frame whose size and single component have been checked, as little endian 16-bit values.
pub(super) fn decode(bytes: &[u8], rows: usize, columns: usize) -> Result<Vec<u8>, &'static str> {
    let cut = "the frame ends before its coded blocks";
    let mut tables = Tables::default();
    let mut at = 2;
    loop {
        let [0xFF, marker] = *bytes.get(at..at + 2).ok_or(cut)? else { return Err("a marker is missing") };
        if marker == 0xFF {
            at += 1;
            continue;
        }
        let [high, low] = *bytes.get(at + 2..at + 4).ok_or(cut)? else { return Err(cut) };
        let end = at + 2 + usize::from(u16::from_be_bytes([high, low])).max(2);
        let segment = bytes.get(at + 4..end).ok_or(cut)?;
        match marker {
            0xC0 | 0xC1 => tables.quantiser = (*segment.get(8).ok_or(cut)?).into(),
            0xC2..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF => return Err("it is not a sequential DCT image"),
            0xC4 => tables.huffman(segment)?,
            0xDB => tables.quantisers(segment)?,
            0xDD => tables.restart_interval = segment.iter().fold(0, |v, byte| (v << 8) | usize::from(*byte)),
            0xDA => {
                let selectors = usize::from(*segment.get(2).ok_or(cut)?);
                return scan(&bytes[end..], &tables, selectors, rows, columns);
            }
            _ => {}
        }
        at = end;
    }
}

fn scan(coded: &[u8], tables: &Tables, selectors: usize, rows: usize, columns: usize) -> Result<Vec<u8>, &'static str> {
    let missing = "a table that the scan names is missing";
    let dc = tables.dc.get(selectors >> 4).and_then(Option::as_ref).ok_or(missing)?;
    let ac = tables.ac.get(selectors & 15).and_then(Option::as_ref).ok_or(missing)?;
    let quantiser = tables.quantisers.get(tables.quantiser).and_then(Option::as_ref).ok_or(missing)?;
    let basis = basis();
    let mut bits = Bits { bytes: coded, at: 0, held: 0, count: 0 };
    let mut samples = vec![0; rows * columns * 2];
    let (across, down) = (columns.div_ceil(8), rows.div_ceil(8));
    let mut last_dc = 0_i32;
    for block in 0..across * down {
        if tables.restart_interval > 0 && block > 0 && block % tables.restart_interval == 0 {
            bits.restart()?;
            last_dc = 0;
        }
        let mut coefficients = [0.0_f32; 64];
        let size = bits.symbol(dc)?;
        last_dc = last_dc.wrapping_add(bits.value(size)?);
        coefficients[0] = last_dc as f32 * quantiser[0];
        let mut k = 1;
        while k < 64 {
            let symbol = bits.symbol(ac)?;
            let (run, size) = (usize::from(symbol >> 4), symbol & 15);
            if size == 0 {
                if run < 15 {
                    break;
                }
                k += 16;
                continue;
            }
            k += run;
            let place = *ZIGZAG.get(k).ok_or("a run leaves its block")?;
            coefficients[place] = bits.value(size)? as f32 * quantiser[place];
            k += 1;
        }
        let (top, left) = (block / across * 8, block % across * 8);
        let values = inverse_dct(&coefficients, &basis);
        for y in 0..8.min(rows - top) {
            for x in 0..8.min(columns - left) {
                let value = (values[y * 8 + x].round() + 2048.0).clamp(0.0, 4095.0) as u16;
                let to = ((top + y) * columns + left + x) * 2;
                samples[to..to + 2].copy_from_slice(&value.to_le_bytes());
            }
        }
    }
    Ok(samples)
}

/// `basis[u][x]` of the one-dimensional inverse DCT (A.3.3).
fn basis() -> [[f32; 8]; 8] {
    let mut basis = [[0.0; 8]; 8];
    for (u, row) in basis.iter_mut().enumerate() {
        for (x, value) in row.iter_mut().enumerate() {
            let scale = if u == 0 { FRAC_1_SQRT_2 } else { 1.0 };
            *value = 0.5 * scale * ((2 * x + 1) as f32 * u as f32 * PI / 16.0).cos();
        }
    }
    basis
}

fn inverse_dct(coefficients: &[f32; 64], basis: &[[f32; 8]; 8]) -> [f32; 64] {
    let mut by_row = [0.0; 64];
    for v in 0..8 {
        for u in 0..8 {
            let coefficient = coefficients[v * 8 + u];
            for x in 0..8 {
                by_row[v * 8 + x] += coefficient * basis[u][x];
            }
        }
    }
    let mut values = [0.0; 64];
    for v in 0..8 {
        for y in 0..8 {
            for x in 0..8 {
                values[y * 8 + x] += by_row[v * 8 + x] * basis[v][y];
            }
        }
    }
    values
}
