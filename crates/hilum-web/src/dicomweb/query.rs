//! The parameters of an address (WHATWG URL, application/x-www-form-urlencoded).

use crate::error::ApiError;
use std::collections::HashSet;

/// Names and values, decoded, in their order. Values are never logged: they name patients.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    pub(super) fn of(query: Option<&str>) -> Result<Self, ApiError> {
        let pairs = query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match (decoded(name), decoded(value)) {
                (Some(name), Some(value)) => Ok((name, value)),
                (Some(name), None) => Err(ApiError::bad_request(format!(
                    "parameter {name} cannot be read; expected UTF-8, percent-encoded"
                ))),
                (None, _) => Err(ApiError::bad_request(
                    "the name of a parameter cannot be read; expected UTF-8, percent-encoded",
                )),
            }
        };
        let pairs: Vec<(String, String)> = pairs.map(pair).collect::<Result<_, _>>()?;
        let mut names = HashSet::new();
        for (name, _) in &pairs {
            let name = name.to_ascii_lowercase();
            // PS3.18 Table 8.3.4-1: this one alone may be repeated. Of others one value would be dropped without a word.
            if name != "includefield" && !names.insert(name) {
                let message = "is given twice; expected once, with several values divided by commas";
                return Err(ApiError::bad_request(format!("a parameter {message}")));
            }
        }
        Ok(Self(pairs))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The first value of a parameter, whose name is compared without case.
    pub(super) fn first(&self, name: &str) -> Option<&str> {
        self.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// A whole number.
    pub(super) fn number(&self, name: &str) -> Result<Option<u64>, ApiError> {
        let number = |text: &str| {
            text.parse()
                .map_err(|_| ApiError::bad_request(format!("parameter {name} cannot be read; expected a whole number")))
        };
        self.first(name).map(number).transpose()
    }

    /// `true` or `false`.
    pub(super) fn flag(&self, name: &str) -> Result<bool, ApiError> {
        match self.first(name) {
            None => Ok(false),
            Some(text) if text.eq_ignore_ascii_case("true") => Ok(true),
            Some(text) if text.eq_ignore_ascii_case("false") => Ok(false),
            Some(_) => Err(ApiError::bad_request(format!("parameter {name} cannot be read; expected true or false"))),
        }
    }
}

fn decoded(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let digits = std::str::from_utf8(bytes.get(at + 1..at + 3)?).ok()?;
                out.push(u8::from_str_radix(digits, 16).ok()?);
                at += 2;
            }
            other => out.push(other),
        }
        at += 1;
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded_and_what_cannot_be_names_the_parameter_only() {
        let parameters =
            Parameters::of(Some("PatientName=%2A%ED%99%8D%2A&limit=10&includefield=a%2Cb&a+b=c+d&flag")).unwrap();
        let all: Vec<_> = parameters.iter().collect();
        assert_eq!(
            all,
            [("PatientName", "*홍*"), ("limit", "10"), ("includefield", "a,b"), ("a b", "c d"), ("flag", "")]
        );
        assert_eq!(parameters.number("Limit").unwrap(), Some(10));
        assert!(parameters.number("PatientName").unwrap_err().message.contains("PatientName"));
        assert!(parameters.flag("limit").is_err());
        assert!(Parameters::of(Some("limit=1&Limit=2")).is_err());
        assert!(Parameters::of(Some("includefield=a&includefield=b")).is_ok());
        for broken in ["PatientName=%zz", "PatientName=%4", "PatientName=%FF"] {
            let message = Parameters::of(Some(broken)).err().unwrap().message;
            assert!(message.contains("PatientName") && !message.contains('z'), "{message}");
        }
    }
}
