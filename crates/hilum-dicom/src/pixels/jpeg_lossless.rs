//! Frames into JPEG Lossless, process 14, selection value 1 (ITU-T T.81 Annex H; PS3.5 A.4.1): each sample as its difference from
//! the one to its left, in Huffman codes made for the frame.

use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;

use super::{FrameSamples, ImageDescription, PixelError};
use crate::part10::padded;
use crate::uid::TransferSyntaxUid;

/// Categories of a difference: how many bits its size needs, 0 to 16 (T.81 table H.2).
const CATEGORIES: usize = 17;
/// Bits of the longest Huffman code (T.81 Annex C).
const LONGEST_CODE: usize = 16;

impl ImageDescription {
    /// Whether frames of this kind can be encoded (PS3.5 table 8.2.1-2): words of 8 or 16 bits, one a pixel, or three of RGB or YBR.
    pub fn fits_jpeg_lossless(&self) -> bool {
        // What JPEG 2000 makes of RGB (RCT, ICT) comes out of its decoder as RGB.
        let colour = matches!(self.photometric.as_str(), "RGB" | "YBR_FULL" | "YBR_FULL_422" | "YBR_RCT" | "YBR_ICT");
        matches!(self.allocated, 8 | 16) && (self.samples == 1 || self.samples == 3 && colour)
    }

    /// A frame's samples in JPEG Lossless: every bit comes back, also those outside the stored ones.
    pub fn encode_jpeg_lossless(&self, frame: &FrameSamples) -> Result<Vec<u8>, PixelError> {
        let refused = || PixelError::UnsupportedTransferSyntax(TransferSyntaxUid::jpeg_lossless_sv1());
        let components = usize::from(self.samples);
        let length = self.pixels() * components * usize::from(self.allocated / 8);
        let coded_colour = components == 1 || coded_photometric(&frame.photometric).is_some();
        if !self.fits_jpeg_lossless() || !coded_colour || frame.bytes.len() != length || length == 0 {
            return Err(refused());
        }
        let (Ok(rows), Ok(columns)) = (u16::try_from(self.rows), u16::try_from(self.columns)) else {
            return Err(refused());
        };
        let words: Vec<u16> = match self.allocated {
            8 => frame.bytes.iter().map(|&byte| byte.into()).collect(),
            _ => frame.bytes.as_chunks().0.iter().map(|&pair| u16::from_le_bytes(pair)).collect(),
        };
        let precision = self.jpeg_lossless_precision(&words);
        let differences = differences(&words, usize::from(columns), components, precision);
        let table = HuffmanTable::of(&counts(&differences));
        let mut out = Vec::with_capacity(table.coded_bytes + table.coded_bytes / 64 + 256);
        out.extend([0xFF, 0xD8]);
        if frame.photometric == "RGB" {
            // Adobe's APP14 with transform 0: without it, libjpeg takes three components for YCbCr.
            segment(&mut out, 0xEE, b"Adobe\0\x64\0\0\0\0\0");
        }
        segment(&mut out, 0xC4, &[&[0], &table.lengths[..], &table.symbols].concat());
        segment(&mut out, 0xC3, &frame_header(precision, rows, columns, self.samples));
        segment(&mut out, 0xDA, &scan_header(self.samples));
        let mut bits = BitWriter { out, held: 0, count: 0 };
        for &difference in &differences {
            let code = table.codes[category(difference)];
            bits.put(code.bits | low_bits(difference) & code.mask, code.length);
        }
        let mut out = bits.finish();
        out.extend([0xFF, 0xD9]);
        Ok(out)
    }

    /// What the header of an object says otherwise once its frames, of which one is given, are in JPEG Lossless. The bits stay what
    /// they are: decoding gives the same words back.
    pub fn jpeg_lossless_changes(&self, frame: &FrameSamples) -> Vec<(Tag, VR, Vec<u8>)> {
        let mut changes = Vec::new();
        if self.samples > 1 {
            let coded = coded_photometric(&frame.photometric).unwrap_or(&frame.photometric);
            changes.push((tags::PHOTOMETRIC_INTERPRETATION, VR::CS, padded(coded, b' ')));
            changes.push((tags::PLANAR_CONFIGURATION, VR::US, vec![0, 0]));
        }
        changes
    }

    /// Bits that a sample is coded as (P, T.81 B.2.2): Bits Stored, or the whole word, so that each word comes back as it was.
    ///
    /// A decoder fills with zeros what lies above the precision. That would lose the sign that a negative value carries on above
    /// Bits Stored, and an overlay there. Several frames are all coded as whole words, since some decoders (dcmtk) believe the first
    /// one's precision for all of them.
    fn jpeg_lossless_precision(&self, words: &[u16]) -> u16 {
        let used = words.iter().fold(0, |used, word| used | word);
        if self.signed || self.frames > 1 || u32::from(used) >> self.stored != 0 {
            return self.allocated;
        }
        // Decoders give a byte a sample up to 8 bits and two above, whatever Bits Allocated says; few know less than 8 bits.
        self.stored.max(if self.allocated == 8 { 8 } else { 9 })
    }
}

/// The photometric interpretation of three samples side by side as JPEG Lossless has them, which turns no colours.
fn coded_photometric(samples: &str) -> Option<&'static str> {
    match samples {
        "RGB" => Some("RGB"),
        // Chroma is no longer subsampled once the samples are side by side.
        "YBR_FULL" | "YBR_FULL_422" => Some("YBR_FULL"),
        _ => None,
    }
}

fn segment(out: &mut Vec<u8>, marker: u8, content: &[u8]) {
    out.extend([0xFF, marker]);
    out.extend((content.len() as u16 + 2).to_be_bytes());
    out.extend(content);
}

/// SOF3 (T.81 B.2.2): components 1, 2 ... without subsampling and quantisation.
fn frame_header(precision: u16, rows: u16, columns: u16, components: u16) -> Vec<u8> {
    let mut header = vec![precision as u8];
    header.extend(rows.to_be_bytes());
    header.extend(columns.to_be_bytes());
    header.push(components as u8);
    header.extend((1..=components as u8).flat_map(|component| [component, 0x11, 0]));
    header
}

/// SOS (T.81 B.2.3): all components in one scan by one table, predictor 1, point transform 0.
fn scan_header(components: u16) -> Vec<u8> {
    let mut header = vec![components as u8];
    header.extend((1..=components as u8).flat_map(|component| [component, 0]));
    header.extend([1, 0, 0]);
    header
}

/// Differences from the predictions, modulo 2^16 (T.81 H.1.2): the sample to the left, the one above at the start of a line, half the
/// range at the first one.
fn differences(words: &[u16], columns: usize, components: usize, precision: u16) -> Vec<i16> {
    let start = [1 << (precision - 1); 4];
    let mut above = &start[..components];
    let mut differences = Vec::with_capacity(words.len());
    for line in words.chunks_exact(columns * components) {
        let (first, others) = line.split_at(components);
        differences.extend(first.iter().zip(above).map(|(word, above)| word.wrapping_sub(*above) as i16));
        differences.extend(others.iter().zip(line).map(|(word, left)| word.wrapping_sub(*left) as i16));
        above = first;
    }
    differences
}

/// SSSS of a difference (T.81 table H.2); 16 is -32768 alone, which modulo 2^16 is the table's 32768.
#[inline(always)]
fn category(difference: i16) -> usize {
    (u32::from(difference.unsigned_abs()) << 1 | 1).ilog2() as usize
}

/// The bits that tell a difference from others of its category, low ones of these (T.81 F.1.2.1.1): a negative one less 1.
#[inline(always)]
fn low_bits(difference: i16) -> u32 {
    let difference = i32::from(difference);
    (difference + (difference >> 31)) as u32
}

fn counts(differences: &[i16]) -> [u64; CATEGORIES] {
    // Four counts side by side, so that equal neighbours do not wait for each other.
    let mut lanes = [[0_u32; 32]; 4];
    let (fours, rest) = differences.as_chunks::<4>();
    for four in fours {
        for (lane, &difference) in lanes.iter_mut().zip(four) {
            lane[category(difference)] += 1;
        }
    }
    for &difference in rest {
        lanes[0][category(difference)] += 1;
    }
    std::array::from_fn(|category| lanes.iter().map(|lane| u64::from(lane[category])).sum())
}

/// The code of a category, with room for the bits that follow it.
#[derive(Clone, Copy, Default)]
struct Code {
    bits: u32,
    mask: u32,
    length: u32,
}

struct HuffmanTable {
    /// Number of codes of 1, 2 ... 16 bits (BITS, T.81 B.2.4.2).
    lengths: [u8; LONGEST_CODE],
    /// Categories in order of their codes (HUFFVAL).
    symbols: Vec<u8>,
    /// By category; 32 of them, so that no index needs a check.
    codes: [Code; 32],
    /// Bytes of all that was counted, before stuffing.
    coded_bytes: usize,
}

impl HuffmanTable {
    fn of(counts: &[u64; CATEGORIES]) -> Self {
        let code_lengths = code_lengths(counts);
        let mut symbols: Vec<u8> = (0..CATEGORIES as u8).filter(|s| code_lengths[usize::from(*s)] > 0).collect();
        symbols.sort_by_key(|symbol| code_lengths[usize::from(*symbol)]);
        let mut lengths = [0; LONGEST_CODE];
        let mut codes = [Code::default(); 32];
        let (mut next, mut last_length, mut coded_bits) = (0_u32, 0, 0);
        for &symbol in &symbols {
            let category = usize::from(symbol);
            let length = u32::from(code_lengths[category]);
            next <<= length - last_length;
            last_length = length;
            // Category 16 is a single difference, which needs no further bits.
            let extra = u32::from(symbol) % 16;
            codes[category] = Code { bits: next << extra, mask: (1 << extra) - 1, length: length + extra };
            lengths[length as usize - 1] += 1;
            coded_bits += counts[category] * u64::from(length + extra);
            next += 1;
        }
        Self { lengths, symbols, codes, coded_bytes: coded_bits.div_ceil(8) as usize }
    }
}

/// Code lengths of the least total, none above 16 and none for a category that does not occur: package-merge (Larmore and Hirschberg,
/// J. ACM 37, 1990), which T.81 K.2 comes near to.
///
/// As there, a symbol that never occurs takes the last of the longest codes, which is all ones and may not be used (T.81 Annex C).
fn code_lengths(counts: &[u64; CATEGORIES]) -> [u8; CATEGORIES] {
    // A package: its weight, and how often it holds each symbol.
    type Package = (u64, [u8; CATEGORIES + 1]);
    let single = |symbol: usize| std::array::from_fn(|other| u8::from(other == symbol));
    let mut leaves: Vec<Package> = vec![(0, single(CATEGORIES))];
    leaves.extend((0..CATEGORIES).filter(|s| counts[*s] > 0).map(|symbol| (counts[symbol], single(symbol))));
    let mut packages = Vec::new();
    for _ in 0..LONGEST_CODE {
        let joined = packages.as_chunks::<2>().0.iter().map(|[(weight, one), (more, other)]: &[Package; 2]| {
            (weight + more, std::array::from_fn(|symbol| one[symbol] + other[symbol]))
        });
        let mut level = leaves.clone();
        level.extend(joined);
        level.sort_by_key(|(weight, _)| *weight);
        packages = level;
    }
    let chosen = &packages[..2 * (leaves.len() - 1)];
    std::array::from_fn(|symbol| chosen.iter().map(|(_, holds)| holds[symbol]).sum())
}

/// Bits into bytes, the first one highest; a zero byte follows each 0xFF (T.81 F.1.2.3).
struct BitWriter {
    out: Vec<u8>,
    held: u64,
    /// Bits held, below 32 between calls.
    count: u32,
}

impl BitWriter {
    /// Appends the low `length` bits, at most 32; those above must be 0.
    #[inline(always)]
    fn put(&mut self, bits: u32, length: u32) {
        self.held = self.held << length | u64::from(bits);
        self.count += length;
        if self.count >= 32 {
            self.count -= 32;
            let word = (self.held >> self.count) as u32;
            // Whether a byte is 0xFF: whether one of the inverted word is 0.
            if (!word).wrapping_sub(0x0101_0101) & word & 0x8080_8080 == 0 {
                self.out.extend(word.to_be_bytes());
            } else {
                self.stuffed(&word.to_be_bytes());
            }
        }
    }

    #[cold]
    fn stuffed(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.out.push(byte);
            if byte == 0xFF {
                self.out.push(0);
            }
        }
    }

    /// The bytes, the last one filled up with ones.
    fn finish(mut self) -> Vec<u8> {
        let fill = self.count.next_multiple_of(8) - self.count;
        self.put((1 << fill) - 1, fill);
        let bytes = self.count as usize / 8;
        self.stuffed(&(self.held as u32).to_be_bytes()[4 - bytes..]);
        self.out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_those_of_table_h_2() {
        let table: [(i16, usize, u32); 9] = [
            (0, 0, 0),
            (-1, 1, 0),
            (1, 1, 1),
            (-3, 2, 0),
            (2, 2, 2),
            (-32767, 15, 0),
            (-16384, 15, 0x3FFF),
            (32767, 15, 0x7FFF),
            (-32768, 16, 0),
        ];
        for (difference, expected, bits) in table {
            let mask = (1 << (expected % 16)) - 1;
            assert_eq!((category(difference), low_bits(difference) & mask), (expected, bits), "{difference}");
        }
    }

    #[test]
    fn codes_are_as_short_as_huffmans_and_none_is_all_ones() {
        let mut counts = [0; CATEGORIES];
        counts[..5].copy_from_slice(&[10, 30, 40, 15, 5]);
        // By hand, with the unused sixth symbol: 2, 1, 0 -> 40; 30; 15; 10; 5 and nothing.
        assert_eq!(code_lengths(&counts)[..6], [4, 2, 1, 3, 5, 0]);
        let table = HuffmanTable::of(&counts);
        assert_eq!((table.symbols, table.lengths[..6].to_vec()), (vec![2, 1, 3, 0, 4], vec![1, 1, 1, 1, 1, 0]));
        assert_eq!(table.codes[4].bits >> 4, 0b11110, "the code after it, of as many bits, is all ones");
    }

    #[test]
    fn a_single_category_has_a_code_of_one_zero() {
        let mut counts = [0; CATEGORIES];
        counts[7] = 9;
        let table = HuffmanTable::of(&counts);
        assert_eq!((table.lengths[0], &table.symbols[..]), (1, &[7][..]));
        assert_eq!((table.codes[7].bits, table.codes[7].length, table.coded_bytes), (0, 8, 9));
    }

    #[test]
    fn counts_that_ask_for_longer_codes_than_16_bits_get_16_and_fill_the_code_but_for_one() {
        // Fibonacci's numbers make the deepest tree: 17 levels for 17 symbols and the one that is left out.
        let mut counts = [1; CATEGORIES];
        for i in 2..CATEGORIES {
            counts[i] = counts[i - 1] + counts[i - 2];
        }
        let lengths = code_lengths(&counts);
        assert_eq!(lengths.iter().max(), Some(&16));
        let codes_of_16: u32 = lengths.iter().map(|length| 1 << (16 - length)).sum();
        assert_eq!(codes_of_16, (1 << 16) - 1);
    }

    #[test]
    fn a_zero_follows_every_byte_of_ones_and_ones_fill_the_last_byte() {
        let mut bits = BitWriter { out: Vec::new(), held: 0, count: 0 };
        for (value, length) in [(0x12FF, 16), (0xFFFF_FFFF, 32), (0x345, 12), (7, 3)] {
            bits.put(value, length);
        }
        assert_eq!(bits.finish(), [0x12, 0xFF, 0, 0xFF, 0, 0xFF, 0, 0xFF, 0, 0xFF, 0, 0x34, 0x5F]);
        let mut bits = BitWriter { out: Vec::new(), held: 0, count: 0 };
        bits.put(1, 1);
        assert_eq!(bits.finish(), [0xFF, 0]);
    }
}
