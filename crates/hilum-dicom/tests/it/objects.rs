//! Small data sets written by hand, byte for byte, so that tests do not lean on a writer of ours.

use dicom_core::{Tag, VR};
use hilum_dicom::header::Encoding;

/// A data set being written.
#[derive(Clone)]
pub struct Bytes {
    pub encoding: Encoding,
    pub out: Vec<u8>,
}

impl Bytes {
    pub fn new(encoding: Encoding) -> Self {
        Self { encoding, out: Vec::new() }
    }

    fn u16(&mut self, n: u16) {
        self.out.extend(if self.encoding.big_endian { n.to_be_bytes() } else { n.to_le_bytes() });
    }

    fn u32(&mut self, n: u32) {
        self.out.extend(if self.encoding.big_endian { n.to_be_bytes() } else { n.to_le_bytes() });
    }

    pub fn start(&mut self, tag: Tag, vr: VR, len: u32) -> &mut Self {
        use VR::{OB, OD, OF, OL, OV, OW, SQ, SV, UC, UN, UR, UT, UV};
        self.u16(tag.0);
        self.u16(tag.1);
        if self.encoding.explicit_vr && tag.0 != 0xFFFE {
            self.out.extend(vr.to_bytes());
            if matches!(vr, OB | OD | OF | OL | OV | OW | SQ | SV | UC | UN | UR | UT | UV) {
                self.u16(0);
                self.u32(len);
            } else {
                self.u16(len as u16);
            }
        } else {
            self.u32(len);
        }
        self
    }

    /// A value as it is, padded to even length.
    pub fn put(&mut self, tag: Tag, vr: VR, value: impl AsRef<[u8]>) -> &mut Self {
        let mut value = value.as_ref().to_vec();
        if value.len() % 2 == 1 {
            value.push(if matches!(vr, VR::UI | VR::OB) { 0 } else { b' ' });
        }
        self.start(tag, vr, value.len() as u32);
        self.out.extend(value);
        self
    }

    pub fn number(&mut self, tag: Tag, vr: VR, number: u16) -> &mut Self {
        self.start(tag, vr, 2);
        self.u16(number);
        self
    }

    /// 16-bit words in the data set's byte order.
    pub fn words(&mut self, tag: Tag, words: &[u16]) -> &mut Self {
        self.start(tag, VR::OW, words.len() as u32 * 2);
        for word in words {
            self.u16(*word);
        }
        self
    }

    /// A sequence with one item, lengths defined or not.
    pub fn sequence(&mut self, tag: Tag, defined: bool, fill: impl Fn(&mut Bytes)) -> &mut Self {
        let mut item = Bytes::new(self.encoding);
        fill(&mut item);
        let len = item.out.len() as u32;
        self.start(tag, VR::SQ, if defined { len + 8 } else { u32::MAX });
        self.start(Tag(0xFFFE, 0xE000), VR::UN, if defined { len } else { u32::MAX });
        self.out.extend(item.out);
        if !defined {
            self.start(Tag(0xFFFE, 0xE00D), VR::UN, 0).start(Tag(0xFFFE, 0xE0DD), VR::UN, 0);
        }
        self
    }

    /// The data set behind a preamble and file meta information.
    pub fn part_10(&self, syntax: &str) -> Vec<u8> {
        let mut meta = Bytes::new(Encoding::EXPLICIT_LE);
        meta.put(Tag(0x0002, 0x0010), VR::UI, syntax);
        let mut out = vec![0; 128];
        out.extend(b"DICM");
        out.extend(meta.out);
        out.extend(&self.out);
        out
    }
}

pub const IMPLICIT: &str = "1.2.840.10008.1.2";
pub const EXPLICIT: &str = "1.2.840.10008.1.2.1";
pub const BIG_ENDIAN: &str = "1.2.840.10008.1.2.2";
pub const DEFLATED: &str = "1.2.840.10008.1.2.1.99";

/// A CT slice of `rows` x 4 with Korean text, a sequence, private elements and 12 stored bits.
pub fn ct(encoding: Encoding, rows: u16, defined_lengths: bool) -> Bytes {
    let mut object = Bytes::new(encoding);
    object
        .put(Tag(0x0008, 0x0005), VR::CS, "\\ISO 2022 IR 149")
        .put(Tag(0x0008, 0x0008), VR::CS, "ORIGINAL\\PRIMARY\\AXIAL")
        .put(Tag(0x0008, 0x0016), VR::UI, "1.2.840.10008.5.1.4.1.1.2")
        .put(Tag(0x0008, 0x0018), VR::UI, "1.2.3.4")
        .put(Tag(0x0008, 0x0020), VR::DA, "20260228")
        .put(Tag(0x0008, 0x0030), VR::TM, "101112.5")
        .put(Tag(0x0008, 0x0060), VR::CS, "CT")
        .put(Tag(0x0008, 0x1030), VR::LO, b"\x1b$)C\xba\xb9\xba\xce CT")
        .sequence(Tag(0x0008, 0x1140), defined_lengths, |item| {
            item.put(Tag(0x0008, 0x1150), VR::UI, "1.2.840.10008.5.1.4.1.1.2")
                .put(Tag(0x0008, 0x1155), VR::UI, "1.2.3.5")
                .sequence(Tag(0x0040, 0xA170), defined_lengths, |code| {
                    code.put(Tag(0x0008, 0x0100), VR::SH, "121311");
                });
        })
        .put(Tag(0x0009, 0x0010), VR::LO, "HILUM TEST")
        .put(Tag(0x0009, 0x1001), VR::UN, b"raw\0")
        .put(
            Tag(0x0010, 0x0010),
            VR::PN,
            b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf",
        )
        .put(Tag(0x0010, 0x0020), VR::LO, "KR0001")
        .put(Tag(0x0010, 0x0030), VR::DA, "19800101")
        .put(Tag(0x0010, 0x0040), VR::CS, "M")
        .put(Tag(0x0018, 0x0050), VR::DS, "1.25")
        .put(Tag(0x0018, 0x1120), VR::DS, "x")
        .put(Tag(0x0020, 0x000D), VR::UI, "1.2.3")
        .put(Tag(0x0020, 0x000E), VR::UI, "1.2.3.1")
        .put(Tag(0x0020, 0x0013), VR::IS, " 7")
        .put(Tag(0x0020, 0x0032), VR::DS, "-100\\-120.5\\33")
        .put(Tag(0x0020, 0x0037), VR::DS, "1\\0\\0\\0\\1\\0")
        .number(Tag(0x0028, 0x0002), VR::US, 1)
        .put(Tag(0x0028, 0x0004), VR::CS, "MONOCHROME2")
        .number(Tag(0x0028, 0x0010), VR::US, rows)
        .number(Tag(0x0028, 0x0011), VR::US, 4)
        .put(Tag(0x0028, 0x0030), VR::DS, "0.7\\0.8")
        .number(Tag(0x0028, 0x0100), VR::US, 16)
        .number(Tag(0x0028, 0x0101), VR::US, 12)
        .number(Tag(0x0028, 0x0102), VR::US, 11)
        .number(Tag(0x0028, 0x0103), VR::US, 1)
        .number(Tag(0x0028, 0x0120), VR::SS, (-2000_i16) as u16)
        .put(Tag(0x0028, 0x1052), VR::DS, "-1024")
        .put(Tag(0x0028, 0x1053), VR::DS, "1");
    object
}

/// The slice with its pixel data: small numbers of both signs.
pub fn ct_with_pixels(encoding: Encoding, rows: u16, defined_lengths: bool) -> Bytes {
    let mut object = ct(encoding, rows, defined_lengths);
    let words: Vec<u16> = (0..i32::from(rows) * 4).map(|i| (i % 600 - 300) as i16 as u16).collect();
    object.words(Tag(0x7FE0, 0x0010), &words);
    object
}
