//! Guideline options in words.

use super::Language;
use crate::guideline::{Input, Inputs, RecordedFact, Rule, Scored, Site, Topic, Treatment};
use crate::message::Label;

macro_rules! words {
    ($kind:ty { $($variant:ident, $en:literal, $ko:literal;)* }) => {
        impl $kind {
            /// In words.
            pub fn text(self, language: Language) -> &'static str {
                match (self, language) {
                    $((Self::$variant, Language::English) => $en, (Self::$variant, Language::Korean) => $ko,)*
                }
            }
        }
    };
}

words! { Treatment {
    Drainage, "drainage now (stent or nephrostomy)", "즉시 배액(스텐트 또는 경피적 신루)";
    Observation, "observation", "경과 관찰";
    AlphaBlocker, "alpha-blocker (expulsive therapy)", "알파차단제(배출 촉진 요법)";
    ActiveRemoval, "active removal", "적극적 제거";
    Swl, "shock wave lithotripsy (SWL)", "체외충격파쇄석술(SWL)";
    Urs, "ureteroscopy (URS)", "요관내시경(URS)";
    Pcnl, "percutaneous nephrolithotomy (PCNL)", "경피적 신절석술(PCNL)";
    Endourology, "endourology (URS or PCNL)", "내시경 수술(URS 또는 PCNL)";
    SwlFavourable, "SWL likely to work", "SWL 성공 가능성 높음";
    SwlUnlikelyToWork, "SWL unlikely to work", "SWL 성공 가능성 낮음";
    AskUrinePh, "uric acid possible: ask for urine pH", "요산석 가능: 소변 pH 확인";
} }

words! { Topic {
    Urgency, "Urgency", "응급";
    Observation, "Observation", "관찰";
    Removal, "Removal", "제거";
    Swl, "Shock waves", "충격파";
    Composition, "Composition", "성분";
} }

words! { Input {
    Place, "site", "부위";
    DiameterMm, "largest diameter", "최대 직경";
    WidthMm, "width", "폭";
    HuMean, "mean HU", "평균 HU";
    SkinToStoneMm, "skin-to-stone distance", "피부-결석 거리";
    AgeYears, "age", "나이";
    Obstruction, "obstruction", "요로 폐색";
    Infection, "infection", "감염";
    UncontrolledPain, "uncontrolled pain", "조절되지 않는 통증";
    Symptoms, "symptoms", "증상";
    ReducedRenalFunction, "reduced renal function", "신기능 저하";
    Pregnancy, "pregnancy", "임신";
    Anticoagulation, "impaired clotting", "항응고 상태";
    SolitaryKidney, "solitary kidney", "단신";
    AorticAneurysm, "aortic aneurysm", "대동맥류";
    UnfavourableAnatomy, "unfavourable anatomy", "불리한 해부학적 구조";
    Stones, "stones in the kidney", "신장 내 결석 수";
    AreaMm2, "stone area", "결석 면적";
    ModerateHydronephrosis, "moderate or severe hydronephrosis", "중등도 이상 수신증";
    ThreeCalyces, "stones in three calyces or more", "세 개 이상 신배의 결석";
    Staghorn, "complete staghorn", "완전 녹각석";
    PartialStaghorn, "partial staghorn", "부분 녹각석";
    CalycealDiverticulum, "calyceal diverticulum", "신배 게실";
    AbnormalAnatomy, "abnormal renal anatomy", "신장의 해부학적 이상";
    SpinalMalformation, "spina bifida or spinal cord injury", "척추이분증 또는 척수 손상";
} }

words! { Site {
    UpperPole, "upper pole", "상극";
    MidKidney, "mid kidney", "중간부";
    LowerPole, "lower pole", "하극";
    RenalPelvis, "renal pelvis", "신우";
    Kidney, "kidney", "신장";
    Upj, "ureteropelvic junction", "신우요관이행부";
    ProximalUreter, "proximal ureter", "상부 요관";
    MidUreter, "mid ureter", "중부 요관";
    DistalUreter, "distal ureter", "하부 요관";
    Uvj, "ureterovesical junction", "요관방광이행부";
    Ureter, "ureter", "요관";
    Bladder, "bladder", "방광";
} }

/// What a rule offers and what it advises against, in one line: "URS, then SWL; not PCNL".
pub fn offer(rule: &Rule, language: Language) -> String {
    let (or, then, not) = match language {
        Language::English => (" or ", "; then ", "not: "),
        Language::Korean => (" 또는 ", ", 다음으로 ", "권하지 않음: "),
    };
    let named = |some: &[Treatment], between| {
        some.iter().map(|treatment| treatment.text(language)).collect::<Vec<_>>().join(between)
    };
    let offered = rule.options.iter().map(|any| named(any, or)).collect::<Vec<_>>().join(then);
    let against = (!rule.against.is_empty()).then(|| format!("{not}{}", named(&rule.against, ", ")));
    let weeks = rule.reconsider_weeks.map(|[from, to]| match language {
        Language::English => format!("reconsider at {from}–{to} weeks"),
        Language::Korean => format!("{from}–{to}주 후 재평가"),
    });
    [Some(offered).filter(|offered| !offered.is_empty()), weeks, against]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join("; ")
}

/// What a score comes to, on which scale: "6-8 points (5-13)".
pub fn points(scored: &Scored, language: Language) -> String {
    let span = |[low, high]: [u32; 2]| if low == high { low.to_string() } else { format!("{low}–{high}") };
    let unit = Label::Points.text(language);
    let between = if language == Language::Korean { "" } else { " " };
    format!("{}{between}{unit} ({})", span(scored.points), span(scored.scale))
}

/// What became of such patients: "83-94 % free of stones"; nothing where the source does not say.
pub fn stone_free(scored: &Scored, language: Language) -> Option<String> {
    let [low, high] = scored.stone_free_percent?;
    let span = if low == high { low.to_string() } else { format!("{low}–{high}") };
    let free = Label::StoneFree.text(language);
    Some(match language {
        Language::English => format!("{span} % {free}"),
        Language::Korean => format!("{free} {span} %"),
    })
}

/// Inputs by name, separated by commas.
pub fn named(inputs: &[Input], language: Language) -> String {
    inputs.iter().map(|input| input.text(language)).collect::<Vec<_>>().join(", ")
}

/// What records told, with the source of each: "infection: yes (his, LN 5802-4, 2026-11-25)".
pub fn recorded(facts: &[RecordedFact], language: Language) -> String {
    let one = |fact: &RecordedFact| {
        let holds = match (fact.holds, language) {
            (true, Language::English) => "yes",
            (false, Language::English) => "no",
            (true, Language::Korean) => "있음",
            (false, Language::Korean) => "없음",
        };
        let day = fact.observed_at.get(..10).unwrap_or(&fact.observed_at);
        format!("{}: {holds} ({}, {} {}, {day})", fact.input.text(language), fact.source, fact.system, fact.code)
    };
    facts.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// What of a stone and its patient was known and is asked for by `used`: "distal ureter, largest diameter 6.1 mm".
pub fn known(inputs: &Inputs, used: &[Input], language: Language) -> String {
    let told = |input: &Input| {
        let name = input.text(language);
        let yes_or_no = |so: Option<bool>| match (so?, language) {
            (true, Language::English) => Some(format!("{name}: yes")),
            (false, Language::English) => Some(format!("{name}: no")),
            (true, Language::Korean) => Some(format!("{name}: 있음")),
            (false, Language::Korean) => Some(format!("{name}: 없음")),
        };
        match input {
            Input::Place => inputs.place.map(|site| site.text(language).to_owned()),
            Input::DiameterMm => inputs.diameter_mm.map(|mm| format!("{mm:.1} mm")),
            Input::WidthMm => inputs.width_mm.map(|mm| format!("{name} {mm:.1} mm")),
            Input::HuMean => inputs.hu_mean.map(|hu| format!("{hu:.0} HU")),
            Input::SkinToStoneMm => inputs.skin_to_stone_mm.map(|mm| format!("{name} {mm:.0} mm")),
            Input::AgeYears => inputs.age_years.map(|years| format!("{name} {years:.0}")),
            Input::Obstruction => yes_or_no(inputs.obstruction),
            Input::Infection => yes_or_no(inputs.infection),
            Input::UncontrolledPain => yes_or_no(inputs.uncontrolled_pain),
            Input::Symptoms => yes_or_no(inputs.symptoms),
            Input::ReducedRenalFunction => yes_or_no(inputs.reduced_renal_function),
            Input::Pregnancy => yes_or_no(inputs.pregnancy),
            Input::Anticoagulation => yes_or_no(inputs.anticoagulation),
            Input::SolitaryKidney => yes_or_no(inputs.solitary_kidney),
            Input::AorticAneurysm => yes_or_no(inputs.aortic_aneurysm),
            Input::UnfavourableAnatomy => yes_or_no(inputs.unfavourable_anatomy),
            Input::Stones => inputs.stones.map(|stones| format!("{name} {stones:.0}")),
            Input::AreaMm2 => inputs.area_mm2.map(|mm2| format!("{name} {mm2:.0} mm²")),
            Input::ModerateHydronephrosis => yes_or_no(inputs.moderate_hydronephrosis),
            Input::ThreeCalyces => yes_or_no(inputs.three_calyces),
            Input::Staghorn => yes_or_no(inputs.staghorn),
            Input::PartialStaghorn => yes_or_no(inputs.partial_staghorn),
            Input::CalycealDiverticulum => yes_or_no(inputs.calyceal_diverticulum),
            Input::AbnormalAnatomy => yes_or_no(inputs.abnormal_anatomy),
            Input::SpinalMalformation => yes_or_no(inputs.spinal_malformation),
        }
    };
    used.iter().filter_map(told).collect::<Vec<_>>().join(", ")
}
