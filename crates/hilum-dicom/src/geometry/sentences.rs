//! Each finding as a sentence for the people who read the report.

use super::finding::GeometryFinding;

fn listed(values: &[f64]) -> String {
    values.iter().map(|v| format!("{v:.2}")).collect::<Vec<_>>().join(", ")
}

fn listed_pairs<T: std::fmt::Display>(values: &[[T; 2]]) -> String {
    values.iter().map(|[a, b]| format!("{a} x {b}")).collect::<Vec<_>>().join(", ")
}

impl GeometryFinding {
    /// The finding as an English sentence, with what it forbids.
    pub fn in_english(&self) -> String {
        match self {
            Self::GantryTilt { degrees } => {
                format!("The slices are sheared by {degrees:.1} degrees against their normal (gantry tilt).")
            }
            Self::GantryTiltContradicted { stated_degrees, plane_degrees } => format!(
                "The header states a gantry tilt of {stated_degrees:.1} degrees, but the slice plane leans by {plane_degrees:.1} degrees."
            ),
            Self::Gap { after, missing_mm } => {
                format!("{missing_mm:.2} mm of the stack are missing after slice {}.", after + 1)
            }
            Self::Duplicate { positions } => {
                format!("{} position(s) hold more than one slice.", positions.len())
            }
            Self::MixedSliceSpacing { spacings_mm } => {
                format!("The slice spacing changes within the series: {} mm.", listed(spacings_mm))
            }
            Self::MixedPixelSpacing { spacings_mm } => {
                format!("The pixel spacing changes within the series: {} mm.", listed_pairs(spacings_mm))
            }
            Self::MissingPixelSpacing { slices } => format!("{slices} slice(s) state no valid pixel spacing."),
            Self::MixedOrientation { orientations, degrees } => {
                format!("The series mixes {orientations} orientations, up to {degrees:.1} degrees apart.")
            }
            Self::UnevenSpacing { smallest_mm, largest_mm } => {
                format!("The slice spacing is uneven: {smallest_mm:.2} to {largest_mm:.2} mm.")
            }
            Self::LateralShift { largest_mm } => {
                format!("Slices are shifted sideways against each other by up to {largest_mm:.2} mm.")
            }
            Self::MixedSeries { series } => format!("The slices come from {series} different series."),
            Self::MissingPosition { slices } => format!("{slices} slice(s) state no valid position in the patient."),
            Self::MissingOrientation { slices } => {
                format!("{slices} slice(s) state no valid orientation in the patient.")
            }
            Self::NonOrthogonalOrientation { degrees } => {
                format!("Rows and columns are not perpendicular unit directions ({degrees:.1} degrees).")
            }
            Self::SingleSlice => "A single slice is no stack; nothing is known across it.".to_owned(),
            Self::DifferentSizes { sizes } => {
                format!("The slices differ in size (rows x columns): {}.", listed_pairs(sizes))
            }
        }
    }

    /// The finding as a Korean sentence.
    pub fn in_korean(&self) -> String {
        match self {
            Self::GantryTilt { degrees } => {
                format!("단면들이 법선에 대해 {degrees:.1}도 기울어져 있습니다(갠트리 틸트).")
            }
            Self::GantryTiltContradicted { stated_degrees, plane_degrees } => format!(
                "헤더에는 갠트리 틸트가 {stated_degrees:.1}도로 적혀 있으나 단면의 기울기는 {plane_degrees:.1}도입니다."
            ),
            Self::Gap { after, missing_mm } => {
                format!("{}번째 단면 뒤에 {missing_mm:.2} mm 구간의 단면이 없습니다.", after + 1)
            }
            Self::Duplicate { positions } => {
                format!("같은 위치에 단면이 둘 이상인 곳이 {}군데 있습니다.", positions.len())
            }
            Self::MixedSliceSpacing { spacings_mm } => {
                format!("시리즈 안에서 단면 간격이 달라집니다: {} mm.", listed(spacings_mm))
            }
            Self::MixedPixelSpacing { spacings_mm } => {
                format!("시리즈 안에서 픽셀 간격이 달라집니다: {} mm.", listed_pairs(spacings_mm))
            }
            Self::MissingPixelSpacing { slices } => format!("단면 {slices}장에 유효한 픽셀 간격이 없습니다."),
            Self::MixedOrientation { orientations, degrees } => {
                format!("시리즈에 방향이 {orientations}가지 섞여 있습니다(최대 {degrees:.1}도 차이).")
            }
            Self::UnevenSpacing { smallest_mm, largest_mm } => {
                format!("단면 간격이 고르지 않습니다: {smallest_mm:.2}~{largest_mm:.2} mm.")
            }
            Self::LateralShift { largest_mm } => {
                format!("단면들이 옆으로 최대 {largest_mm:.2} mm 어긋나 있습니다.")
            }
            Self::MixedSeries { series } => format!("서로 다른 시리즈 {series}개의 단면이 섞여 있습니다."),
            Self::MissingPosition { slices } => format!("단면 {slices}장에 유효한 환자 좌표 위치가 없습니다."),
            Self::MissingOrientation { slices } => format!("단면 {slices}장에 유효한 환자 좌표 방향이 없습니다."),
            Self::NonOrthogonalOrientation { degrees } => {
                format!("행과 열의 방향이 서로 수직인 단위 벡터가 아닙니다({degrees:.1}도).")
            }
            Self::SingleSlice => "단면이 한 장뿐이어서 입체로 볼 수 없습니다.".to_owned(),
            Self::DifferentSizes { sizes } => {
                format!("단면의 크기(행 x 열)가 서로 다릅니다: {}.", listed_pairs(sizes))
            }
        }
    }
}
