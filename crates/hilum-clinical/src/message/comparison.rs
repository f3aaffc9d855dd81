//! What became of the stones of an earlier study, in words.

use super::{Language, site};
use crate::report::{Change, Comparison, EarlierStone, GoneStone, StoneChange};

impl Comparison {
    /// A line for each stone of the report, one for each that is not seen any more, and one for each that nobody can look for.
    pub fn lines(&self, language: Language) -> Vec<String> {
        let date = self.date.map(|date| date.to_string());
        let date = date.unwrap_or_else(|| match language {
            Language::English => "the earlier study".to_owned(),
            Language::Korean => "이전 검사".to_owned(),
        });
        let stones = self.stones.iter().map(|one| one.line(&date, language));
        let gone = self.gone.iter().map(|one| one.line(&date, language));
        let unplaced = self.without_place.iter().map(|one| match language {
            Language::English => {
                format!(
                    "Not compared: {} of {date} was added by the physician, without a marked place.",
                    one.named(language)
                )
            }
            Language::Korean => {
                format!("비교하지 못함: {date}의 {} (의사가 추가했으며 위치 표시가 없음).", one.named(language))
            }
        });
        stones.chain(gone).chain(unplaced).collect()
    }
}

impl StoneChange {
    /// What became of this stone since the earlier study, by its date.
    pub fn line(&self, date: &str, language: Language) -> String {
        let Self { stone, earlier, change, diameter_change_mm, descended_mm } = self;
        let Some(earlier) = earlier else {
            return match language {
                Language::English => format!("Stone {stone}: new since {date}."),
                Language::Korean => format!("결석 {stone}: {date} 이후 새로 보임."),
            };
        };
        let was = earlier.named(language);
        let by = diameter_change_mm.map(f64::abs).unwrap_or_default();
        let changed = match (change, language) {
            (Change::Grown, Language::English) => format!("grown by {by:.1} mm"),
            (Change::Grown, Language::Korean) => format!("{by:.1} mm 커짐"),
            (Change::Smaller, Language::English) => format!("smaller by {by:.1} mm"),
            (Change::Smaller, Language::Korean) => format!("{by:.1} mm 작아짐"),
            (Change::Unchanged, Language::English) => "no change beyond the uncertainty of measurement".to_owned(),
            (Change::Unchanged, Language::Korean) => "측정 오차를 넘는 변화 없음".to_owned(),
            (Change::NotComparable | Change::New, Language::English) => "sizes cannot be compared".to_owned(),
            (Change::NotComparable | Change::New, Language::Korean) => "크기를 비교할 수 없음".to_owned(),
        };
        let descended = descended_mm.map(|mm| match language {
            Language::English => format!(", {mm:.0} mm further down"),
            Language::Korean => format!(", {mm:.0} mm 아래로 이동"),
        });
        let descended = descended.unwrap_or_default();
        match language {
            Language::English => format!("Stone {stone}: the same as {was} of {date}; {changed}{descended}."),
            Language::Korean => format!("결석 {stone}: {date}의 {was}과 동일, {changed}{descended}."),
        }
    }
}

impl GoneStone {
    fn line(&self, date: &str, language: Language) -> String {
        let was = self.earlier.named(language);
        match (self.looked_at, language) {
            (true, Language::English) => format!("Not seen any more: {was} of {date} (passed, removed or missed)."),
            (true, Language::Korean) => format!("더 이상 보이지 않음: {date}의 {was} (배출, 제거 또는 미검출)."),
            (false, Language::English) => {
                format!("Not looked for: {was} of {date}; its place is not wholly in this scan.")
            }
            (false, Language::Korean) => {
                format!("확인하지 못함: {date}의 {was} (해당 부위가 영상에 모두 포함되지 않음).")
            }
        }
    }
}

impl EarlierStone {
    fn named(&self, language: Language) -> String {
        let place = site(self.side, self.part, language);
        let size = self.largest_diameter_mm.map(|mm| format!(", {mm:.1} mm")).unwrap_or_default();
        match language {
            Language::English => format!("stone {} ({}{size})", self.number, place.to_lowercase()),
            Language::Korean => format!("결석 {}({place}{size})", self.number),
        }
    }
}
