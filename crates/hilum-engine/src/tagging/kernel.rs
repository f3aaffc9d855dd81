//! Soft or sharp: the convolution kernels of the vendors.

use super::words::{holds, words};
use super::{Evidence, Tag};
use hilum_dicom::InstanceFacts;
use serde::{Deserialize, Serialize};

/// What a reconstruction kernel is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KernelKind {
    /// Soft tissue.
    Soft,
    /// Nothing says.
    Unknown,
    /// Bone, lung, edges.
    Sharp,
}

const SOFT_WORDS: &[&str] = &["standard", "std", "soft", "smooth", "detail", "abdomen", "body"];
const SHARP_WORDS: &[&str] = &["bone", "boneplus", "lung", "edge", "sharp", "hrct", "chest", "ultra"];

pub(super) fn tag(facts: &InstanceFacts) -> Tag<KernelKind> {
    if let Some((kind, rule)) = facts.series.kernel.as_deref().and_then(of_kernel) {
        return Tag::new(kind, 0.9, vec![Evidence::new("ConvolutionKernel", rule)]);
    }
    // Series descriptions are written by hand: only the words that name a window or kernel count.
    let words = words(facts.series.description.as_deref().unwrap_or_default());
    for (kind, table) in
        [(KernelKind::Sharp, &["bone", "lung", "hrct", "골", "폐"][..]), (KernelKind::Soft, &["soft"][..])]
    {
        if let Some(word) = table.iter().find(|word| holds(&words, &[**word])) {
            return Tag::new(kind, 0.6, vec![Evidence::new("SeriesDescription", format!("says \"{word}\""))]);
        }
    }
    Tag::new(KernelKind::Unknown, 0.0, Vec::new())
}

fn of_kernel(value: &str) -> Option<(KernelKind, String)> {
    let first = value.split('\\').next()?.trim();
    let named = words(&first.replace('_', " "));
    if let Some(word) = SHARP_WORDS.iter().find(|word| holds(&named, &[**word])) {
        return Some((KernelKind::Sharp, format!("named \"{word}\"")));
    }
    if let Some(word) = SOFT_WORDS.iter().find(|word| holds(&named, &[**word])) {
        return Some((KernelKind::Soft, format!("named \"{word}\"")));
    }
    let upper = first.to_uppercase();
    let number = |prefix: &str| -> Option<u32> {
        let digits: String = upper.strip_prefix(prefix)?.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok()
    };
    // Canon/Toshiba FC: 30-39 bone, 50-59 lung, 80 and more high resolution.
    if let Some(number) = number("FC") {
        let sharp = matches!(number, 30..=39 | 50..=59 | 80..);
        return Some((if sharp { KernelKind::Sharp } else { KernelKind::Soft }, format!("FC, number {number}")));
    }
    // Siemens: a letter or two and the sharpness, soft below 50 (B30f, Br40, I31f against B70f, Bl57, Hr60).
    for prefix in ["BR", "BL", "BV", "BF", "HR", "HC", "QR", "SA", "B", "H", "I", "J", "D", "U"] {
        if let Some(number) = number(prefix).filter(|number| (10..=99).contains(number)) {
            let sharp = number >= 50;
            return Some((
                if sharp { KernelKind::Sharp } else { KernelKind::Soft },
                format!("Siemens, sharpness {number} of 99"),
            ));
        }
    }
    // Philips: A, B, C smooth to standard; D, E, L and the Y series sharp.
    match upper.as_str() {
        "A" | "B" | "C" => Some((KernelKind::Soft, "Philips filter A to C".to_owned())),
        "D" | "E" | "L" | "YA" | "YB" | "YC" | "YD" => {
            Some((KernelKind::Sharp, "Philips filter D, E, L or Y".to_owned()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_of_the_vendors_are_soft_or_sharp() {
        for (kernel, expected) in [
            ("B30f", Some(KernelKind::Soft)),
            ("B31s", Some(KernelKind::Soft)),
            ("Br40d\\3", Some(KernelKind::Soft)),
            ("I31f", Some(KernelKind::Soft)),
            ("B70f", Some(KernelKind::Sharp)),
            ("Bl57d", Some(KernelKind::Sharp)),
            ("STANDARD", Some(KernelKind::Soft)),
            ("SOFT", Some(KernelKind::Soft)),
            ("BONE", Some(KernelKind::Sharp)),
            ("BONEPLUS", Some(KernelKind::Sharp)),
            ("LUNG", Some(KernelKind::Sharp)),
            ("FC08", Some(KernelKind::Soft)),
            ("FC18", Some(KernelKind::Soft)),
            ("FC30", Some(KernelKind::Sharp)),
            ("FC52", Some(KernelKind::Sharp)),
            ("B", Some(KernelKind::Soft)),
            ("YB", Some(KernelKind::Sharp)),
            ("B_SOFT_A", Some(KernelKind::Soft)),
            ("B_SHARP_C", Some(KernelKind::Sharp)),
            ("mystery", None),
            ("", None),
        ] {
            assert_eq!(of_kernel(kernel).map(|(kind, _)| kind), expected, "{kernel}");
        }
    }
}
