//! Every sentence and every label of a report, once, in Korean and English.

mod comparison;
mod label;
mod options;
mod rejection;

use serde::{Deserialize, Serialize};

use crate::guideline::Site;
use crate::urinary_stone::{Side, Stone, TractPart};
use utoipa::ToSchema;

pub use label::Label;
pub use options::{known, named, offer, points, recorded, stone_free};

/// Language of a rendered report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub enum Language {
    /// Korean.
    #[serde(rename = "ko")]
    Korean,
    /// English.
    #[serde(rename = "en")]
    English,
}

/// A sentence of a report: a code for programs, a text for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Statement {
    /// Stable, `snake_case`.
    pub code: String,
    /// English.
    pub en: String,
    /// Korean.
    pub ko: String,
}

impl Statement {
    /// The text in a language.
    pub fn text(&self, language: Language) -> &str {
        match language {
            Language::Korean => &self.ko,
            Language::English => &self.en,
        }
    }
}

/// What a report can say. One row of the table in [`Message::statement`] each.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Message {
    // Why nothing was assessed.
    /// The slice stack is no regular volume.
    RefusedGeometry,
    /// The study has no series that the service can read.
    RefusedNoSuitableSeries,
    /// No model for this task is installed.
    RefusedNoModel,
    /// The kidneys, ureters and bladder were not found in the scan.
    RefusedNoUrinaryRegion,
    /// Pixel data of the series could not be read.
    RefusedUnreadablePixels,
    /// A person cancelled the reading.
    RefusedCancelled,
    /// The reading stopped with an error.
    RefusedFailed,

    // What was looked at, and what was not.
    /// A part of the tract was searched.
    Covered(TractPart, Side),
    /// A part of the tract is not in the scan.
    NotInScan(TractPart, Side),
    /// A part of the tract is in the scan only partly.
    PartlyInScan(TractPart, Side),
    /// Only the region of the urinary tract was searched, `[first, last]` slice of the stack, counted from 1.
    SearchedSlices {
        /// First slice, from 1.
        first: u32,
        /// Last slice, from 1.
        last: u32,
    },
    /// Slices are missing from the stack.
    SlicesMissing {
        /// How many.
        count: u32,
    },
    /// Slices could not be read.
    SlicesUnreadable {
        /// How many.
        count: u32,
    },
    /// The region finder was not sure, so every slice was searched.
    RegionUncertain,

    // Why a series was chosen or not.
    /// Chosen by rule.
    SeriesChosen,
    /// It is a scout (localizer).
    SeriesIsLocalizer,
    /// It is not axial.
    SeriesIsNotAxial,
    /// It is derived or reformatted.
    SeriesIsDerived,
    /// It was made with contrast medium.
    SeriesHasContrast,
    /// Its kernel is sharper than that of the chosen series.
    SeriesHasSharpKernel,
    /// Its slices are thicker than those of the chosen series.
    SeriesIsThicker,
    /// Its geometry was refused.
    SeriesGeometryRefused,
    /// It is not CT.
    SeriesIsNotCt,
    /// It has too few slices.
    SeriesTooShort,
    /// The chosen series ranks higher by the remaining rules.
    SeriesRanksLower,

    // What the check of the slice stack found.
    /// Slices are missing.
    GeometryGap {
        /// How many slices.
        missing: u32,
    },
    /// Two or more slices lie at the same place.
    GeometryDuplicates {
        /// How many slices too many.
        count: u32,
    },
    /// The gantry was tilted.
    GeometryGantryTilt {
        /// Angle in degrees.
        degrees: f64,
    },
    /// Pixel spacing differs between slices.
    GeometryMixedSpacing,
    /// Orientation differs between slices.
    GeometryMixedOrientation,
    /// Distance between slices is uneven.
    GeometryUnevenSpacing,
    /// A slice has no position or no orientation.
    GeometryMissingPosition,
    /// Rows or columns differ between slices.
    GeometryMixedSize,
    /// A single slice makes no volume.
    GeometrySingleSlice,

    // How far the report may be trusted.
    /// Decision support, no diagnosis.
    DecisionSupportOnly,
    /// Scores are not probabilities.
    ScoreIsNoProbability,
    /// The model has seen synthetic CT only.
    SyntheticTrainedModel,
    /// The patient is simulated.
    SyntheticStudy,
    /// Guideline options are weighed by a physician.
    OptionsAreNoOrder,
    /// The rules speak of adults, and the patient is none.
    OptionsAreForAdults,
}

impl Message {
    /// The sentence in both languages.
    pub fn statement(self) -> Statement {
        let (code, en, ko): (&str, String, String) = match self {
            Self::RefusedGeometry => row(
                "refused_geometry",
                "The slices do not form a regular volume, so nothing was measured.",
                "영상 단면들이 규칙적인 볼륨을 이루지 않아 판독과 측정을 하지 않았습니다.",
            ),
            Self::RefusedNoSuitableSeries => row(
                "refused_no_suitable_series",
                "The study has no original axial CT series that can be read.",
                "판독할 수 있는 원본 축상면 CT 시리즈가 없습니다.",
            ),
            Self::RefusedNoModel => row(
                "refused_no_model",
                "No model for urinary stones is installed.",
                "요로결석 모델이 설치되어 있지 않습니다.",
            ),
            Self::RefusedNoUrinaryRegion => row(
                "refused_no_urinary_region",
                "Kidneys, ureters and bladder were not found in this scan.",
                "이 영상에서 신장, 요관, 방광을 찾지 못했습니다.",
            ),
            Self::RefusedUnreadablePixels => row(
                "refused_unreadable_pixels",
                "The pixel data of the series could not be read.",
                "시리즈의 화소 데이터를 읽을 수 없습니다.",
            ),
            Self::RefusedCancelled => row("refused_cancelled", "The reading was cancelled.", "판독이 취소되었습니다."),
            Self::RefusedFailed => {
                row("refused_failed", "The reading stopped with an error.", "판독이 오류로 중단되었습니다.")
            }
            Self::Covered(part, side) => (
                "covered",
                format!("{}: searched.", site(side, part, Language::English)),
                format!("{}: 확인함.", site(side, part, Language::Korean)),
            ),
            Self::NotInScan(part, side) => (
                "not_in_scan",
                format!("{}: not in this scan.", site(side, part, Language::English)),
                format!("{}: 이 영상에 포함되지 않음.", site(side, part, Language::Korean)),
            ),
            Self::PartlyInScan(part, side) => (
                "partly_in_scan",
                format!("{}: only partly in this scan.", site(side, part, Language::English)),
                format!("{}: 이 영상에 일부만 포함됨.", site(side, part, Language::Korean)),
            ),
            Self::SearchedSlices { first, last } => (
                "searched_slices",
                format!("Slices {first} to {last} were searched, in the region of the urinary tract only."),
                format!("단면 {first}–{last}에서 요로 영역만 확인했습니다."),
            ),
            Self::SlicesMissing { count } => (
                "slices_missing",
                format!("Slices missing from the stack: {count}."),
                format!("누락된 단면: {count}장."),
            ),
            Self::SlicesUnreadable { count } => (
                "slices_unreadable",
                format!("Slices that could not be read: {count}."),
                format!("읽을 수 없는 단면: {count}장."),
            ),
            Self::RegionUncertain => row(
                "region_uncertain",
                "The region of the urinary tract is uncertain; more false findings are possible.",
                "요로 영역이 확실하지 않아 위양성이 늘 수 있습니다.",
            ),
            Self::SeriesChosen => row(
                "series_chosen",
                "Chosen by rule: original axial, non-contrast, soft kernel, thinnest.",
                "규칙에 따라 선택: 원본 축상면, 비조영, 연부조직 커널, 가장 얇은 단면.",
            ),
            Self::SeriesIsLocalizer => row("series_is_localizer", "Scout image.", "스카우트 영상."),
            Self::SeriesIsNotAxial => row("series_is_not_axial", "Not axial.", "축상면이 아님."),
            Self::SeriesIsDerived => row("series_is_derived", "Derived or reformatted.", "재구성 또는 파생 영상."),
            Self::SeriesHasContrast => row("series_has_contrast", "With contrast medium.", "조영제 사용."),
            Self::SeriesHasSharpKernel => row("series_has_sharp_kernel", "Sharper kernel.", "더 날카로운 재구성 커널."),
            Self::SeriesIsThicker => row("series_is_thicker", "Thicker slices.", "더 두꺼운 단면."),
            Self::SeriesGeometryRefused => {
                row("series_geometry_refused", "Its slices form no regular volume.", "단면이 규칙적인 볼륨이 아님.")
            }
            Self::SeriesIsNotCt => row("series_is_not_ct", "Not CT.", "CT가 아님."),
            Self::SeriesTooShort => row("series_too_short", "Too few slices.", "단면 수가 너무 적음."),
            Self::SeriesRanksLower => {
                row("series_ranks_lower", "The chosen series ranks higher.", "선택된 시리즈의 우선순위가 더 높음.")
            }
            Self::GeometryGap { missing } => (
                "geometry_gap",
                format!("The stack has a gap: {missing} slices are missing."),
                format!("단면 사이에 빈 곳이 있습니다: {missing}장 누락."),
            ),
            Self::GeometryDuplicates { count } => (
                "geometry_duplicates",
                format!("Slices at the same position: {count} too many."),
                format!("같은 위치의 단면이 중복되었습니다: {count}장."),
            ),
            Self::GeometryGantryTilt { degrees } => (
                "geometry_gantry_tilt",
                format!("The gantry was tilted by {degrees:.1}°."),
                format!("갠트리가 {degrees:.1}° 기울어져 있습니다."),
            ),
            Self::GeometryMixedSpacing => {
                row("geometry_mixed_spacing", "Pixel spacing differs between slices.", "단면마다 화소 간격이 다릅니다.")
            }
            Self::GeometryMixedOrientation => {
                row("geometry_mixed_orientation", "Orientation differs between slices.", "단면마다 방향이 다릅니다.")
            }
            Self::GeometryUnevenSpacing => row(
                "geometry_uneven_spacing",
                "The distance between slices is uneven.",
                "단면 사이의 간격이 고르지 않습니다.",
            ),
            Self::GeometryMissingPosition => row(
                "geometry_missing_position",
                "A slice has no position or orientation.",
                "위치나 방향 정보가 없는 단면이 있습니다.",
            ),
            Self::GeometryMixedSize => {
                row("geometry_mixed_size", "Rows or columns differ between slices.", "단면마다 영상 크기가 다릅니다.")
            }
            Self::GeometrySingleSlice => {
                row("geometry_single_slice", "A single slice makes no volume.", "단면이 한 장뿐이어서 볼륨이 아닙니다.")
            }
            Self::DecisionSupportOnly => row(
                "decision_support_only",
                "For research and decision support; not for diagnosis without a physician.",
                "연구 및 의사결정 지원용입니다. 의사의 판단 없이 진단에 사용할 수 없습니다.",
            ),
            Self::ScoreIsNoProbability => row(
                "score_is_no_probability",
                "Scores are raw network outputs, not calibrated probabilities.",
                "점수는 보정되지 않은 신경망 출력값이며 확률이 아닙니다.",
            ),
            Self::SyntheticTrainedModel => row(
                "synthetic_trained_model",
                "Synthetic-trained demonstration model: it has learnt from simulated CT only.",
                "합성 영상으로만 학습한 시연용 모델입니다.",
            ),
            Self::SyntheticStudy => row(
                "synthetic_study",
                "This study is simulated; it shows no real patient.",
                "이 검사는 시뮬레이션이며 실제 환자가 아닙니다.",
            ),
            Self::OptionsAreNoOrder => row(
                "options_are_no_order",
                "Guideline options are weighed by a physician; they are no order. Their values come from secondary sources.",
                "진료지침의 선택지는 의사가 판단할 자료이며 지시가 아닙니다. 수치는 2차 자료에서 가져왔습니다.",
            ),
            Self::OptionsAreForAdults => row(
                "options_are_for_adults",
                "The patient is under 18; the guideline options are those of adults.",
                "환자가 18세 미만이며, 진료지침의 선택지는 성인 기준입니다.",
            ),
        };
        Statement { code: code.to_owned(), en, ko }
    }
}

fn row(code: &'static str, en: &str, ko: &str) -> (&'static str, String, String) {
    (code, en.to_owned(), ko.to_owned())
}

/// A score with so many decimals, cut and not rounded: what is below the threshold never looks as if it reached it.
pub fn score_text(score: f32, decimals: usize) -> String {
    let scale = 10_f64.powi(decimals as i32);
    format!("{:.decimals$}", (f64::from(score) * scale).floor() / scale)
}

/// A part of the tract with its side: "Right kidney", "우측 신장", "Bladder"; what is unknown is left out.
pub fn site(side: Side, part: TractPart, language: Language) -> String {
    let part_text = Label::from(part).text(language);
    let side_text = Label::from(side).text(language);
    match (side, part, language) {
        (Side::Unknown | Side::Midline, _, _) => part_text.to_owned(),
        (_, TractPart::Unknown, _) => side_text.to_owned(),
        (_, _, Language::English) => format!("{side_text} {}", part_text.to_lowercase()),
        (_, _, Language::Korean) => format!("{side_text} {part_text}"),
    }
}

/// Where a stone lies, as finely as that was determined: "Left kidney, lower pole", "Right distal ureter", "Bladder".
pub fn place(stone: &Stone, language: Language) -> String {
    let coarse = || site(stone.side, stone.part, language);
    let Some(fine) = stone.site.as_ref().map(|finding| finding.site) else { return coarse() };
    let named = fine.text(language);
    match (fine, language) {
        (Site::Kidney | Site::Ureter | Site::Bladder, _) => coarse(),
        (Site::UpperPole | Site::LowerPole, Language::English) => {
            format!("{}, {named}", site(stone.side, TractPart::Kidney, language))
        }
        (Site::UpperPole | Site::MidKidney | Site::LowerPole, Language::Korean) => {
            format!("{} {named}", site(stone.side, TractPart::Kidney, language))
        }
        _ => match (stone.side, language) {
            (Side::Right | Side::Left, _) => format!("{} {named}", Label::from(stone.side).text(language)),
            (Side::Midline | Side::Unknown, _) => named.to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_reads_naturally_in_both_languages() {
        assert_eq!(site(Side::Right, TractPart::Kidney, Language::English), "Right kidney");
        assert_eq!(site(Side::Left, TractPart::Ureter, Language::Korean), "좌측 요관");
        assert_eq!(site(Side::Midline, TractPart::Bladder, Language::English), "Bladder");
        assert_eq!(site(Side::Left, TractPart::Unknown, Language::Korean), "좌측");
        assert_eq!(site(Side::Unknown, TractPart::Unknown, Language::English), "Unknown");
    }

    #[test]
    fn no_label_is_empty_and_labels_of_the_two_languages_differ_in_script() {
        let hangul = |text: &str| text.chars().any(|c| ('가'..='힣').contains(&c));
        for label in Label::ALL {
            let (en, ko) = (label.text(Language::English), label.text(Language::Korean));
            assert!(!en.is_empty() && !hangul(en), "{en}");
            assert!(hangul(ko) || ko == en, "{ko}");
        }
    }

    #[test]
    fn a_score_below_the_threshold_never_looks_as_if_it_reached_it() {
        assert_eq!([score_text(0.499_96, 3), score_text(0.999_99, 2)], ["0.499", "0.99"]);
        assert_eq!([score_text(0.5, 3), score_text(1.0, 3), score_text(0.0, 4)], ["0.500", "1.000", "0.0000"]);
    }
}
