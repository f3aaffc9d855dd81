//! Labels of the rendered report: headings, column titles, words for kinds.

use super::Language;
use crate::report::{FindingVerdict, Sex, SliceFinding, StonePresent};
use crate::urinary_stone::{Side, TractPart};

macro_rules! labels {
    ($($variant:ident, $en:literal, $ko:literal;)*) => {
        /// A label of the rendered report.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Label {
            $(#[doc = $en] $variant,)*
        }

        impl Label {
            /// Every label.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Its name in templates.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($variant),)*
                }
            }

            /// Its text.
            pub fn text(self, language: Language) -> &'static str {
                match (self, language) {
                    $((Self::$variant, Language::English) => $en, (Self::$variant, Language::Korean) => $ko,)*
                }
            }
        }
    };
}

labels! {
    Title, "Urinary stone report", "요로결석 판독 지원 보고서";
    Subtitle, "CT decision support", "CT 의사결정 지원";
    Patient, "Patient", "환자";
    PatientId, "Patient ID", "환자 번호";
    BirthDate, "Born", "생년월일";
    Sex, "Sex", "성별";
    Age, "Age at study", "검사 시 나이";
    Years, "years", "세";
    Study, "Study", "검사";
    StudyDate, "Date", "검사일";
    Description, "Description", "검사명";
    Accession, "Accession", "접수 번호";
    Institution, "Institution", "기관";
    Series, "Series read", "판독 시리즈";
    FromRecord, "From the medical record", "의무기록";
    StonePresent, "Stone found", "결석 있음";
    StoneAbsent, "No stone found in the part that was searched", "확인한 범위에서 결석이 발견되지 않음";
    StoneNotAssessed, "Not assessed", "판독하지 않음";
    HighestScore, "Highest score", "최고 점수";
    Threshold, "Threshold", "기준값";
    Stones, "Stones", "결석";
    Number, "No.", "번호";
    Side, "Side", "좌우";
    Site, "Site", "부위";
    LargestDiameter, "Largest diameter (mm)", "최대 직경 (mm)";
    AxialDiameter, "Largest axial diameter (mm)", "축상면 최대 직경 (mm)";
    CoronalDiameter, "Largest coronal diameter (mm)", "관상면 최대 직경 (mm)";
    Width, "Width (mm)", "폭 (mm)";
    CoreHu, "HU of the stone itself", "결석 자체 HU";
    SkinToStone, "Skin-to-stone distance (mm)", "피부-결석 거리 (mm)";
    SiteShare, "Probability of the site (of synthetic patients)", "부위 확률 (합성 환자 기준)";
    Low, "95 % from", "95 % 하한";
    High, "95 % to", "95 % 상한";
    Reason, "Reason", "이유";
    RejectedCandidates, "Candidates that are no urinary stones", "요로결석이 아닌 후보";
    Volume, "Volume (mm³)", "부피 (mm³)";
    Hu, "HU mean / max / SD", "HU 평균 / 최대 / 표준편차";
    HuMean, "HU mean", "HU 평균";
    HuMax, "HU max", "HU 최대";
    HuSd, "HU SD", "HU 표준편차";
    Score, "Score", "점수";
    Slices, "Slices", "단면";
    Slice, "slice", "단면";
    StudyUid, "Study UID", "검사 UID";
    TablePosition, "z (mm)", "z (mm)";
    KeyImages, "Key images", "주요 영상";
    Stone, "Stone", "결석";
    Axial, "Axial", "축상면";
    Coronal, "Coronal", "관상면";
    Sagittal, "Sagittal", "시상면";
    Row, "row", "행";
    Column, "column", "열";
    Options, "Guideline options", "진료지침 선택지";
    OptionsNone, "No rule speaks of a stone like this.", "이 결석에 해당하는 규칙이 없습니다.";
    Guideline, "Guideline", "지침";
    Topic, "Topic", "주제";
    Offer, "Options", "선택지";
    BecauseOf, "Because of", "근거";
    IfKnown, "Applies only if (not known)", "다음이 확인되어야 적용";
    Citation, "Citation", "인용";
    NotKnown, "Not known to this program", "프로그램이 알지 못하는 정보";
    Passage, "Passed by themselves, % (95 % CI)", "자연 배출률, % (95 % 신뢰구간)";
    StatedByPhysician, "* stated by the physician; the review pages say what the model stated", "* 의사가 기재함. 모델이 기재한 내용은 검토 쪽에 있음";
    RejectedByPhysician, "The physician says that this is no stone.", "의사가 결석이 아니라고 판단함.";
    Nephrolithometry, "Scores before percutaneous nephrolithotomy", "경피적 신절석술 전 점수";
    Points, "points", "점";
    StoneFree, "free of stones", "결석 제거";
    PassageNone, "Told for stones of the ureter only.", "요관 결석에 대해서만 제시합니다.";
    Comparison, "Since the last study", "이전 검사와 비교";
    Coverage, "What was looked at", "확인한 범위";
    NotLookedAt, "What was NOT looked at", "확인하지 않은 범위";
    OtherSeries, "Series not read", "판독하지 않은 시리즈";
    GeometryFindings, "Geometry", "영상 기하";
    Provenance, "How this was made", "생성 정보";
    Model, "Model", "모델";
    ModelHash, "Model hash", "모델 해시";
    PlanHash, "Plan hash", "계획 해시";
    Engine, "Engine", "엔진";
    InputHash, "Input hash", "입력 해시";
    Software, "Software", "소프트웨어";
    CreatedAt, "Made", "작성 시각";
    Version, "Report version", "보고서 버전";
    Supersedes, "supersedes", "대체";
    FileName, "File name", "파일 이름";
    InstanceNumber, "Instance number", "영상 번호";
    Finding, "Normal/Abnormal", "정상/비정상";
    Normal, "Normal", "정상";
    Abnormal, "Abnormal", "비정상";
    NotAssessed, "Not assessed", "미확인";
    About, "About", "정보";
    Right, "Right", "우측";
    Left, "Left", "좌측";
    Midline, "Midline", "정중앙";
    Unknown, "Unknown", "알 수 없음";
    Kidney, "Kidney", "신장";
    Ureter, "Ureter", "요관";
    Bladder, "Bladder", "방광";
    Female, "Female", "여";
    Male, "Male", "남";
    OtherSex, "Other", "기타";
    More, "more in the JSON and XLSX report", "개 더 있음 (JSON, XLSX 보고서 참조)";
    MoreKeyImages, "more key images in the application", "개의 주요 영상은 프로그램에서 확인";
    Review, "Physician's review", "의사 검토";
    ReviewedStones, "Stones after review", "검토 후 결석";
    NoReviewedStones, "No stone after review", "검토 후 결석 없음";
    ByModel, "By the model", "모델 판독";
    Verdict, "Verdict", "판정";
    Accepted, "Accepted", "수락";
    Edited, "Edited", "수정";
    Rejected, "Rejected: no stone", "기각: 결석 아님";
    Added, "Added by the physician", "의사가 추가";
    Stated, "As stated", "판정 내용";
    Comment, "Comment", "의견";
    Judged, "Judged by", "판정자";
    Conclusion, "Conclusion", "결론";
    NoConclusion, "No text was written.", "작성된 내용이 없습니다.";
    Signed, "Signed by", "서명";
    SignedHash, "SHA-256 of what was signed", "서명된 내용의 SHA-256";
    Amends, "Amends version", "정정 대상 버전";
    AmendReason, "Reason", "정정 사유";
}

impl From<Side> for Label {
    fn from(side: Side) -> Self {
        match side {
            Side::Right => Self::Right,
            Side::Left => Self::Left,
            Side::Midline => Self::Midline,
            Side::Unknown => Self::Unknown,
        }
    }
}

impl From<TractPart> for Label {
    fn from(part: TractPart) -> Self {
        match part {
            TractPart::Kidney => Self::Kidney,
            TractPart::Ureter => Self::Ureter,
            TractPart::Bladder => Self::Bladder,
            TractPart::Unknown => Self::Unknown,
        }
    }
}

impl From<Sex> for Label {
    fn from(sex: Sex) -> Self {
        match sex {
            Sex::F => Self::Female,
            Sex::M => Self::Male,
            Sex::O => Self::OtherSex,
        }
    }
}

impl From<SliceFinding> for Label {
    fn from(finding: SliceFinding) -> Self {
        match finding {
            SliceFinding::Normal => Self::Normal,
            SliceFinding::Abnormal => Self::Abnormal,
            SliceFinding::NotAssessed => Self::NotAssessed,
        }
    }
}

impl From<StonePresent> for Label {
    fn from(present: StonePresent) -> Self {
        match present {
            StonePresent::Yes => Self::StonePresent,
            StonePresent::No => Self::StoneAbsent,
            StonePresent::NotAssessed => Self::StoneNotAssessed,
        }
    }
}

impl From<FindingVerdict> for Label {
    fn from(verdict: FindingVerdict) -> Self {
        match verdict {
            FindingVerdict::Accepted => Self::Accepted,
            FindingVerdict::Edited => Self::Edited,
            FindingVerdict::Rejected => Self::Rejected,
        }
    }
}
