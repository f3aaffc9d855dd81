//! What codes of diagnoses and laboratory results say of a patient, one table for HL7 and FHIR.
//!
//! Only what a code says by itself is taken: a normal leukocyte count does not say that there is no infection, so it says nothing.

use chrono::{DateTime, FixedOffset, NaiveDate};
use hilum_clinical::guideline::Input;

/// Coding system of the diagnoses that are read: ICD-10, which KCD follows (HL7 table 0396).
pub const ICD_10: &str = "I10";
/// Coding system of the results that are read (HL7 table 0396).
pub const LOINC: &str = "LN";

/// Something that a record told of a patient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// What it says something about.
    pub input: Input,
    /// Whether it is so.
    pub holds: bool,
    /// [`ICD_10`] or [`LOINC`].
    pub system: &'static str,
    /// The code.
    pub code: String,
    /// When that was so.
    pub observed_at: DateTime<FixedOffset>,
    /// Whether the record says when; else that is when it told so.
    pub dated: bool,
}

/// Something that a record told before, and takes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withdrawn {
    /// [`ICD_10`] or [`LOINC`].
    pub system: &'static str,
    /// The code.
    pub code: String,
    /// Of when; none: whenever it was so.
    pub observed_at: Option<DateTime<FixedOffset>>,
}

/// A patient's number, with who gave it.
#[derive(Clone, PartialEq, Eq)]
pub struct PatientId {
    /// Assigning authority; empty where none is named.
    pub issuer: String,
    /// The number.
    pub id: String,
}

/// What a message or a resource told of one patient. It has no `Debug`: identity is not logged.
#[derive(Clone, PartialEq, Eq)]
pub struct Told {
    /// Every number that the patient is known by.
    pub patient: Vec<PatientId>,
    /// Numbers that stood for the same patient before (A40).
    pub merged: Vec<PatientId>,
    /// What is so.
    pub facts: Vec<Fact>,
    /// What is not so any more, and never was.
    pub withdrawn: Vec<Withdrawn>,
}

/// Diagnoses by the beginning of their code without its point: what holds with them.
const DIAGNOSES: &[(&str, &[(Input, bool)])] = &[
    // Pyonephrosis: obstruction with infection.
    ("N136", &[(Input::Obstruction, true), (Input::Infection, true)]),
    ("N130", &[(Input::Obstruction, true)]),
    ("N131", &[(Input::Obstruction, true)]),
    ("N132", &[(Input::Obstruction, true)]),
    // Acute pyelonephritis, pyelonephritis of no stated kind, renal abscess, acute cystitis, infection of no stated site.
    ("N10", &[(Input::Infection, true)]),
    ("N12", &[(Input::Infection, true)]),
    ("N151", &[(Input::Infection, true)]),
    ("N300", &[(Input::Infection, true)]),
    ("N390", &[(Input::Infection, true)]),
    // Renal colic.
    ("N23", &[(Input::Symptoms, true)]),
    // Acute kidney failure, chronic kidney disease from stage 3 on or of no stated stage, kidney failure of no stated kind.
    ("N17", &[(Input::ReducedRenalFunction, true)]),
    ("N183", &[(Input::ReducedRenalFunction, true)]),
    ("N184", &[(Input::ReducedRenalFunction, true)]),
    ("N185", &[(Input::ReducedRenalFunction, true)]),
    ("N186", &[(Input::ReducedRenalFunction, true)]),
    ("N189", &[(Input::ReducedRenalFunction, true)]),
    ("N19", &[(Input::ReducedRenalFunction, true)]),
    // Acquired absence of a kidney, renal agenesis of one side.
    ("Z905", &[(Input::SolitaryKidney, true)]),
    ("Q600", &[(Input::SolitaryKidney, true)]),
    // Long-term use of anticoagulants (ICD-10-CM; WHO and KCD), defects of clotting.
    ("Z7901", &[(Input::Anticoagulation, true)]),
    ("Z921", &[(Input::Anticoagulation, true)]),
    ("D65", &[(Input::Anticoagulation, true)]),
    ("D66", &[(Input::Anticoagulation, true)]),
    ("D67", &[(Input::Anticoagulation, true)]),
    ("D68", &[(Input::Anticoagulation, true)]),
    // Pregnant state, supervision of a pregnancy, weeks of gestation.
    ("Z33", &[(Input::Pregnancy, true)]),
    ("Z34", &[(Input::Pregnancy, true)]),
    ("Z35", &[(Input::Pregnancy, true)]),
    ("Z3A", &[(Input::Pregnancy, true)]),
];

/// What a diagnosis says; `code` with or without its point. An aneurysm of the aorta is I71.1 to I71.9: I71.0 is a dissection. Of the
/// chapter of pregnancy, O03 to O08 and O80 to O84 are its ends, O85 to O97 come after it.
pub fn of_diagnosis(code: &str) -> Vec<(Input, bool)> {
    let Some(plain) = plain_icd(code) else { return Vec::new() };
    if let Some(rest) = plain.strip_prefix("I71") {
        return if rest.starts_with(|c: char| ('1'..='9').contains(&c)) {
            vec![(Input::AorticAneurysm, true)]
        } else {
            Vec::new()
        };
    }
    if let Some(rest) = plain.strip_prefix('O') {
        let block: String = rest.chars().take(2).collect();
        return match block.as_str() {
            "9A" => vec![(Input::Pregnancy, true)],
            block => match block.parse::<u32>() {
                Ok(0..=2 | 9..=79 | 98 | 99) => vec![(Input::Pregnancy, true)],
                Ok(3..=8 | 80..=84) => vec![(Input::Pregnancy, false)],
                _ => Vec::new(),
            },
        };
    }
    let found = DIAGNOSES.iter().filter(|(start, _)| plain.starts_with(start));
    found.flat_map(|(_, said)| said.iter().copied()).collect()
}

/// A code of ICD-10 without its point, in capitals; none for what cannot be one.
pub fn plain_icd(code: &str) -> Option<String> {
    let plain: String = code.trim().chars().filter(|c| *c != '.').map(|c| c.to_ascii_uppercase()).collect();
    let bytes = plain.as_bytes();
    let shaped = (3..=8).contains(&bytes.len())
        && bytes[0].is_ascii_uppercase()
        && bytes[1].is_ascii_digit()
        && bytes.iter().all(u8::is_ascii_alphanumeric);
    shaped.then_some(plain)
}

/// A laboratory result.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LabValue {
    /// The number, where it is one.
    pub number: Option<f64>,
    /// Where the result is beside the number; none: it is the number.
    pub bound: Option<Bound>,
    /// Its unit, as UCUM or as laboratories write it.
    pub unit: String,
    /// Found or not found, where it says that.
    pub present: Option<bool>,
}

/// Where a result is that could not be measured exactly (HL7 v2 SN.1, FHIR `Quantity.comparator`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// Below its number.
    Below,
    /// Below it, or it.
    AtMost,
    /// Above it, or it.
    AtLeast,
    /// Above it.
    Above,
}

/// A number with the sign before it; no number where the sign says something else.
pub fn bounded(sign: &str, number: Option<f64>) -> (Option<f64>, Option<Bound>) {
    match sign.trim() {
        "" | "=" => (number, None),
        "<" => (number, Some(Bound::Below)),
        "<=" => (number, Some(Bound::AtMost)),
        ">=" => (number, Some(Bound::AtLeast)),
        ">" => (number, Some(Bound::Above)),
        _ => (None, None),
    }
}

/// Whether a result is below a limit; none where that does not follow.
fn is_below(number: f64, bound: Option<Bound>, limit: f64) -> Option<bool> {
    match bound {
        None => Some(number < limit),
        Some(Bound::Below) => (number <= limit).then_some(true),
        Some(Bound::AtMost) => (number < limit).then_some(true),
        Some(Bound::AtLeast | Bound::Above) => (number >= limit).then_some(false),
    }
}

/// Whether a result is above a limit; none where that does not follow.
fn is_above(number: f64, bound: Option<Bound>, limit: f64) -> Option<bool> {
    match bound {
        None => Some(number > limit),
        Some(Bound::Above) => (number >= limit).then_some(true),
        Some(Bound::AtLeast) => (number > limit).then_some(true),
        Some(Bound::Below | Bound::AtMost) => (number <= limit).then_some(false),
    }
}

/// What else a result needs to be judged by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// Birth date.
    pub born: Option<NaiveDate>,
    /// Whether the patient is female.
    pub female: Option<bool>,
    /// When the result was so.
    pub on: Option<NaiveDate>,
}

/// Above this, leukocytes are one of the criteria of SIRS (10⁹/l; Bone 1992).
const LEUKOCYTES: f64 = 12.0;
/// Below this, renal function is reduced (ml/min/1.73 m²; KDIGO 2012, category G3a).
const EGFR: f64 = 60.0;
/// Above this, clotting is impaired for a procedure (INR; SIR 2019, high risk of bleeding: 1.5 to 1.8).
const INR: f64 = 1.5;
/// Below this, too (platelets, 10⁹/l; SIR 2019).
const PLATELETS: f64 = 50.0;

/// LOINC codes that are read, each once, for the documentation and the tests.
pub const RESULTS: &[(&str, Input)] = &[
    ("5802-4", Input::Infection),
    ("5799-2", Input::Infection),
    ("630-4", Input::Infection),
    ("6690-2", Input::Infection),
    ("26464-8", Input::Infection),
    ("62238-1", Input::ReducedRenalFunction),
    ("33914-3", Input::ReducedRenalFunction),
    ("98979-8", Input::ReducedRenalFunction),
    ("2160-0", Input::ReducedRenalFunction),
    ("2106-3", Input::Pregnancy),
    ("2118-8", Input::Pregnancy),
    ("6301-6", Input::Anticoagulation),
    ("34714-6", Input::Anticoagulation),
    ("777-3", Input::Anticoagulation),
];

/// What a result says.
pub fn of_result(loinc: &str, value: &LabValue, about: About) -> Option<(Input, bool)> {
    let number = value.number.filter(|number| number.is_finite() && *number >= 0.0);
    let found = (value.present == Some(true)).then_some((Input::Infection, true));
    match loinc {
        // Nitrite and leukocyte esterase of urine by test strip; bacteria in urine by culture.
        "5802-4" | "5799-2" | "630-4" => found,
        // Leukocytes of blood.
        "6690-2" | "26464-8" => {
            let count = per_nanolitre(number?, &value.unit)?;
            is_above(count, value.bound, LEUKOCYTES)?.then_some((Input::Infection, true))
        }
        // Glomerular filtration rate, as estimated by the laboratory.
        "62238-1" | "33914-3" | "98979-8" => Some((Input::ReducedRenalFunction, is_below(number?, value.bound, EGFR)?)),
        // Creatinine of serum or plasma; the formula needs the number itself.
        "2160-0" => {
            let number = number.filter(|_| value.bound.is_none());
            let rate = ckd_epi_2021(milligrams_per_decilitre(number?, &value.unit)?, about)?;
            Some((Input::ReducedRenalFunction, rate < EGFR))
        }
        // Pregnancy test of urine; of serum.
        "2106-3" | "2118-8" => Some((Input::Pregnancy, value.present?)),
        // INR.
        "6301-6" | "34714-6" => Some((Input::Anticoagulation, is_above(number?, value.bound, INR)?)),
        // Platelets of blood. That there are enough says nothing of medication.
        "777-3" => {
            let count = per_nanolitre(number?, &value.unit)?;
            is_below(count, value.bound, PLATELETS)?.then_some((Input::Anticoagulation, true))
        }
        _ => None,
    }
}

fn unit(text: &str) -> String {
    let plain = text.trim().to_lowercase().replace(['μ', 'µ'], "u").replace("×", "x");
    plain.chars().filter(|c| !c.is_whitespace()).collect()
}

/// A count in 10⁹/l, which is the same as in 10³/µl.
fn per_nanolitre(number: f64, written: &str) -> Option<f64> {
    match unit(written).as_str() {
        "10*9/l" | "10^9/l" | "10*3/ul" | "10^3/ul" | "x10^3/ul" | "x10^9/l" | "10e3/ul" | "10e9/l" | "k/ul"
        | "g/l" | "thou/ul" | "10*3/mm3" | "x10^3/mm3" => Some(number),
        "/ul" | "/mm3" | "cells/ul" | "#/ul" => Some(number / 1000.0),
        _ => None,
    }
}

fn milligrams_per_decilitre(number: f64, written: &str) -> Option<f64> {
    match unit(written).as_str() {
        "mg/dl" => Some(number),
        "umol/l" => Some(number / 88.42),
        _ => None,
    }
}

/// Estimated glomerular filtration rate (ml/min/1.73 m²) by CKD-EPI 2021 (Inker, NEJM 2021, 10.1056/NEJMoa2102953); of adults alone.
fn ckd_epi_2021(creatinine_mg_dl: f64, about: About) -> Option<f64> {
    let (female, born, on) = (about.female?, about.born?, about.on?);
    let age = on.years_since(born).filter(|age| (18..=120).contains(age))?;
    if creatinine_mg_dl <= 0.0 {
        return None;
    }
    let (kappa, alpha, factor) = if female { (0.7, -0.241, 1.012) } else { (0.9, -0.302, 1.0) };
    let ratio = creatinine_mg_dl / kappa;
    let rate = 142.0 * ratio.min(1.0).powf(alpha) * ratio.max(1.0).powf(-1.2) * 0.9938_f64.powf(f64::from(age));
    Some(rate * factor)
}

/// Whether a word says that something was found; none where it says neither.
pub fn presence(text: &str) -> Option<bool> {
    let plain = text.trim().to_lowercase();
    let plain = plain.trim_matches(['(', ')', '.', ' ']);
    match plain {
        "positive" | "pos" | "p" | "detected" | "present" | "reactive" | "+" | "++" | "+++" | "++++" | "1+" | "2+"
        | "3+" | "4+" | "양성" | "10828004" | "52101004" | "260373001" | "la6576-8" | "la11882-0" => Some(true),
        "negative" | "neg" | "n" | "not detected" | "absent" | "non-reactive" | "nonreactive" | "-" | "음성"
        | "no growth" | "260385009" | "2667000" | "272519000" | "260415000" | "la6577-6" | "la11883-8" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn diagnoses_say_what_their_codes_mean_with_and_without_the_point() {
        use Input::{
            Anticoagulation, AorticAneurysm, Infection, Obstruction, Pregnancy, ReducedRenalFunction, SolitaryKidney,
        };
        for (code, expected) in [
            ("N13.6", vec![(Obstruction, true), (Infection, true)]),
            ("n132", vec![(Obstruction, true)]),
            ("N13.3", vec![]),
            ("N20.1", vec![]),
            ("N39.0", vec![(Infection, true)]),
            ("N39.3", vec![]),
            ("N18.2", vec![]),
            ("N18.30", vec![(ReducedRenalFunction, true)]),
            ("Z90.5", vec![(SolitaryKidney, true)]),
            ("Z79.01", vec![(Anticoagulation, true)]),
            ("Z79.02", vec![]),
            ("Z92.1", vec![(Anticoagulation, true)]),
            ("I71.0", vec![]),
            ("I71.4", vec![(AorticAneurysm, true)]),
            ("I71", vec![]),
            ("O26.83", vec![(Pregnancy, true)]),
            ("O9A.2", vec![(Pregnancy, true)]),
            ("O80", vec![(Pregnancy, false)]),
            ("O90.4", vec![]),
            ("Z33.1", vec![(Pregnancy, true)]),
            ("", vec![]),
            ("홍길동", vec![]),
            ("N", vec![]),
        ] {
            assert_eq!(of_diagnosis(code), expected, "{code}");
        }
    }

    #[test]
    fn results_say_only_what_they_show() {
        let day = |year, month, day| NaiveDate::from_ymd_opt(year, month, day);
        let woman = About { born: day(1966, 11, 26), female: Some(true), on: day(2026, 11, 26) };
        let number = |number, unit: &str| LabValue { number: Some(number), unit: unit.into(), ..LabValue::default() };
        let said = |present| LabValue { present: Some(present), ..LabValue::default() };
        use Input::{Anticoagulation, Infection, Pregnancy, ReducedRenalFunction};
        for (code, value, expected) in [
            ("5802-4", said(true), Some((Infection, true))),
            ("5802-4", said(false), None),
            ("6690-2", number(12.1, "10*3/uL"), Some((Infection, true))),
            ("6690-2", number(12100.0, "/μL"), Some((Infection, true))),
            ("6690-2", number(12.0, "10*3/uL"), None),
            ("6690-2", number(12100.0, "?"), None),
            ("62238-1", number(59.0, "mL/min/{1.73_m2}"), Some((ReducedRenalFunction, true))),
            ("62238-1", number(60.0, ""), Some((ReducedRenalFunction, false))),
            ("2106-3", said(false), Some((Pregnancy, false))),
            ("6301-6", number(2.4, "{INR}"), Some((Anticoagulation, true))),
            ("777-3", number(180.0, "10*3/uL"), None),
            ("777-3", number(31.0, "K/uL"), Some((Anticoagulation, true))),
            // CKD-EPI 2021, a woman of 60 years, worked out in Python: 1.05 mg/dl 60.8, 1.10 mg/dl 57.5 ml/min/1.73 m².
            ("2160-0", number(1.05, "mg/dL"), Some((ReducedRenalFunction, false))),
            ("2160-0", number(1.10, "mg/dL"), Some((ReducedRenalFunction, true))),
            ("2160-0", number(97.3, "umol/L"), Some((ReducedRenalFunction, true))),
            ("2160-0", number(f64::NAN, "mg/dL"), None),
            ("9999-9", said(true), None),
        ] {
            assert_eq!(of_result(code, &value, woman), expected, "{code} {value:?}");
        }
        assert_eq!(of_result("2160-0", &number(1.1, "mg/dL"), About::default()), None, "age and sex are not known");
    }

    #[test]
    fn a_result_beside_its_number_says_only_what_follows_from_that() {
        use Input::{Anticoagulation, Infection, ReducedRenalFunction};
        let day = |year| NaiveDate::from_ymd_opt(year, 1, 1);
        let about = About { born: day(1960), female: Some(false), on: day(2026) };
        let (yes, no) = (Some(true), Some(false));
        for (code, unit, input, limit, expected) in [
            // Of a limit below which it is so: "<", "<=", ">=" and ">" of a number below, at and above it.
            (
                "62238-1",
                "",
                ReducedRenalFunction,
                60.0,
                [[yes, yes, None, None], [yes, None, no, no], [None, None, no, no]],
            ),
            ("777-3", "K/uL", Anticoagulation, 50.0, [[yes, yes, None, None], [yes, None, None, None], [None; 4]]),
            // Of one above which it is so.
            ("6301-6", "", Anticoagulation, 1.5, [[no, no, None, None], [no, no, None, yes], [None, None, yes, yes]]),
            ("6690-2", "K/uL", Infection, 12.0, [[None; 4], [None, None, None, yes], [None, None, yes, yes]]),
            // Of creatinine the formula needs the number.
            ("2160-0", "mg/dL", ReducedRenalFunction, 1.2, [[None; 4]; 3]),
        ] {
            for (number, expected) in [limit - 0.5, limit, limit + 0.5].into_iter().zip(expected) {
                for (sign, expected) in ["<", "<=", ">=", ">"].into_iter().zip(expected) {
                    let (number, bound) = bounded(sign, Some(number));
                    let value = LabValue { number, bound, unit: unit.into(), present: None };
                    let said = of_result(code, &value, about);
                    assert_eq!(said, expected.map(|holds| (input, holds)), "{code} {sign} {number:?}");
                }
            }
        }
        assert_eq!(bounded("<>", Some(5.0)), (None, None));
        assert_eq!(bounded("=", Some(5.0)), (Some(5.0), None));
    }

    #[test]
    fn every_code_that_is_listed_is_read() {
        let values = [
            LabValue { number: Some(13.0), bound: None, unit: "10*3/uL".into(), present: Some(true) },
            LabValue { number: Some(5.0), bound: None, unit: "mg/dL".into(), present: Some(true) },
        ];
        let day = |year| NaiveDate::from_ymd_opt(year, 1, 1);
        let about = About { born: day(1960), female: Some(false), on: day(2026) };
        for (code, input) in RESULTS {
            let said = values.iter().find_map(|value| of_result(code, value, about));
            assert_eq!(said.map(|(input, _)| input), Some(*input), "{code}");
        }
    }
}
