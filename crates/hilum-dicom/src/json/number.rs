//! Numbers as JSON knows them (RFC 8259, section 6).

use super::write_text;

/// A decimal or integer string as a number with its own digits; what is none stays a string (PS3.18 F.2.3).
pub(super) fn write(text: &str, out: &mut String) {
    // Beyond the range of a double a reader would make infinity of it.
    if is_json(text.as_bytes()) && text.parse::<f64>().is_ok_and(f64::is_finite) {
        out.push_str(text);
        return;
    }
    // "+1", ".5", "007" and the like are numbers of DICOM, but not of JSON. "nan" and "inf" are numbers of neither.
    let digits = text.bytes().any(|byte| byte.is_ascii_digit());
    match (text.parse::<i64>(), text.parse::<f64>()) {
        (Ok(whole), _) if digits => out.push_str(&whole.to_string()),
        (_, Ok(number)) if digits && number.is_finite() => out.push_str(&of(number)),
        _ => write_text(text, out),
    }
}

/// The shortest digits that mean the number; what JSON has no number for is a string.
pub(super) fn of(number: f64) -> String {
    if number.is_nan() {
        "\"NaN\"".to_owned()
    } else if number.is_infinite() {
        if number > 0.0 { "\"Infinity\"" } else { "\"-Infinity\"" }.to_owned()
    } else if number != 0.0 && !(1e-5..1e16).contains(&number.abs()) {
        format!("{number:e}")
    } else {
        number.to_string()
    }
}

fn is_json(text: &[u8]) -> bool {
    fn digits(text: &[u8]) -> Option<&[u8]> {
        let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        (count > 0).then(|| &text[count..])
    }
    let text = text.strip_prefix(b"-").unwrap_or(text);
    let whole = match text {
        [b'0', rest @ ..] => Some(rest),
        text => digits(text),
    };
    let Some(mut rest) = whole else { return false };
    if let [b'.', fraction @ ..] = rest {
        let Some(after) = digits(fraction) else { return false };
        rest = after;
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        let exponent = exponent.strip_prefix(b"+").or(exponent.strip_prefix(b"-")).unwrap_or(exponent);
        let Some(after) = digits(exponent) else { return false };
        rest = after;
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_keeps_its_digits_and_what_is_none_stays_a_text() {
        let written = |text: &str| {
            let mut out = String::new();
            write(text, &mut out);
            out
        };
        for (text, json) in [
            ("0.703125", "0.703125"),
            ("1.50", "1.50"),
            ("-0", "-0"),
            ("+5", "5"),
            ("007", "7"),
            ("-01.50", "-1.5"),
            (".5", "0.5"),
            ("5.", "5"),
            ("1E+03", "1E+03"),
            ("1e400", "\"1e400\""),
            ("12,5", "\"12,5\""),
            ("nan", "\"nan\""),
            ("1 2", "\"1 2\""),
            ("--1", "\"--1\""),
        ] {
            assert_eq!(written(text), json, "{text}");
        }
    }

    #[test]
    fn floats_come_back_as_they_were() {
        for number in [0.1_f64, 1e-300, -1e22, f64::MAX, f64::MIN_POSITIVE, f64::from(0.1_f32), 123_456.75, 0.0, -0.0] {
            assert_eq!(of(number).parse::<f64>().unwrap().to_bits(), number.to_bits());
            assert!(is_json(of(number).as_bytes()), "{}", of(number));
        }
        assert_eq!(of(f64::NAN), "\"NaN\"");
        assert_eq!(of(f64::NEG_INFINITY), "\"-Infinity\"");
    }
}
