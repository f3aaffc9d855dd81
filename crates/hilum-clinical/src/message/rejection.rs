//! Why a candidate is no urinary stone, and what a stone may be instead, in words.

use super::{Language, Statement, site};
use crate::urinary_stone::{MimicKind, RejectionReason};

impl RejectionReason {
    /// The sentence in both languages.
    pub fn statement(self) -> Statement {
        let percent = |share: f64| (share * 100.0).round();
        let (code, en, ko) = match self {
            Self::InDenseStructure { share, extent_mm } => (
                "in_dense_structure",
                format!(
                    "{:.0} % of it is part of a dense structure of {extent_mm:.0} mm: bone, contrast medium, metal or plaque.",
                    percent(share)
                ),
                format!(
                    "{:.0}%가 {extent_mm:.0} mm 크기의 고음영 구조(뼈, 조영제, 금속, 혈관 석회화)에 속함.",
                    percent(share)
                ),
            ),
            Self::InSpine { from_midline_mm, .. } => (
                "in_spine",
                format!("In or behind the spine, {from_midline_mm:.0} mm from the midline."),
                format!("척추 안 또는 뒤, 정중선에서 {from_midline_mm:.0} mm."),
            ),
            Self::InBone { bone_share } => (
                "in_bone",
                format!("Within bone: {:.0} % of the tissue around it is bone.", percent(bone_share)),
                format!("뼈 안에 있음: 주위 조직의 {:.0}%가 뼈입니다.", percent(bone_share)),
            ),
            Self::BelowBladder { below_mm } => (
                "below_bladder",
                format!("{below_mm:.0} mm below the bladder: prostate or pelvic floor."),
                format!("방광 아래 {below_mm:.0} mm: 전립선 또는 골반저 부위입니다."),
            ),
            Self::BeforeSpine { from_midline_mm, outside_mm } => (
                "before_spine",
                format!(
                    "{from_midline_mm:.0} mm from the midline before the spine, where the great vessels run, and {outside_mm:.0} mm outside the urinary tract."
                ),
                format!(
                    "큰 혈관이 지나는 척추 앞, 정중선에서 {from_midline_mm:.0} mm이며 요로에서 {outside_mm:.0} mm 벗어남."
                ),
            ),
            Self::InBowel { gas_share, outside_mm } => (
                "in_bowel",
                format!(
                    "Beside gas of the bowel ({:.0} % of the tissue around it), {outside_mm:.0} mm outside the urinary tract.",
                    percent(gas_share)
                ),
                format!("장내 가스 옆(주위의 {:.0}%)이며 요로에서 {outside_mm:.0} mm 벗어남.", percent(gas_share)),
            ),
            Self::InBodyWall { skin_mm, outside_mm } => (
                "in_body_wall",
                format!(
                    "In the wall of the trunk, {skin_mm:.0} mm under the skin and {outside_mm:.0} mm outside the urinary tract."
                ),
                format!("체벽 안, 피부에서 {skin_mm:.0} mm 깊이이며 요로에서 {outside_mm:.0} mm 벗어남."),
            ),
            Self::OutsideTract { outside_mm, nearest, side } => {
                let part = |language| site(side, nearest, language);
                (
                    "outside_tract",
                    format!(
                        "{outside_mm:.0} mm outside the urinary tract; the nearest part is: {}.",
                        part(Language::English).to_lowercase()
                    ),
                    format!("요로에서 {outside_mm:.0} mm 벗어남. 가장 가까운 부위: {}.", part(Language::Korean)),
                )
            }
        };
        Statement { code: code.to_owned(), en, ko }
    }
}

impl MimicKind {
    /// That it cannot be excluded, with the distance (mm) from the expected course of the ureter.
    pub fn statement(self, from_course_mm: f64) -> Statement {
        let (code, en, ko) = match self {
            Self::Phlebolith => (
                "phlebolith_not_excluded",
                format!(
                    "{from_course_mm:.0} mm beside the expected course of the ureter: a phlebolith cannot be excluded."
                ),
                format!("예상 요관 경로에서 {from_course_mm:.0} mm 떨어짐: 정맥석을 배제할 수 없습니다."),
            ),
            Self::VesselCalcification => (
                "vessel_calcification_not_excluded",
                format!(
                    "{from_course_mm:.0} mm beside the expected course of the ureter, over the iliac vessels: a calcified vessel wall cannot be excluded."
                ),
                format!(
                    "장골혈관 위, 예상 요관 경로에서 {from_course_mm:.0} mm 떨어짐: 혈관벽 석회화를 배제할 수 없습니다."
                ),
            ),
        };
        Statement { code: code.to_owned(), en, ko }
    }
}
