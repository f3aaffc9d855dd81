//! Media types with parameters (RFC 9110 8.3.1).

/// `type/subtype; name=value; name="value"`, names in lower case.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct MediaType {
    /// `type/subtype`, lower case.
    pub(super) essence: String,
    parameters: Vec<(String, String)>,
}

impl MediaType {
    /// None when it is not one.
    pub(super) fn read(text: &str) -> Option<Self> {
        let (essence, mut rest) = text.split_once(';').unwrap_or((text, ""));
        let essence = essence.trim().to_ascii_lowercase();
        if !essence.contains('/') {
            return None;
        }
        let mut parameters = Vec::new();
        while !rest.trim().is_empty() {
            let (name, after) = rest.split_once('=')?;
            let (value, after) = read_value(after)?;
            parameters.push((name.trim().to_ascii_lowercase(), value));
            rest = after.trim_start().strip_prefix(';').or_else(|| after.trim().is_empty().then_some(""))?;
        }
        Some(Self { essence, parameters })
    }

    /// The value of a parameter.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

/// A token or a quoted string, and what follows it.
fn read_value(text: &str) -> Option<(String, &str)> {
    let text = text.trim_start();
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(';').unwrap_or(text.len());
        return Some((text[..end].trim().to_owned(), &text[end..]));
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => value.push(characters.next()?.1),
            _ => value.push(character),
        }
    }
    None
}

/// Does an Accept header take this media type? Weights other than 0 do not matter where there is one type to offer.
pub(super) fn accepts(accept: &str, essence: &str) -> bool {
    let family = essence.split('/').next().unwrap_or_default();
    accept.split(',').filter_map(MediaType::read).any(|range| {
        let matches = range.essence == essence || range.essence == "*/*" || range.essence == format!("{family}/*");
        matches && range.parameter("q").is_none_or(|weight| weight.parse::<f32>().is_ok_and(|weight| weight > 0.0))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_come_quoted_or_not_and_in_any_case() {
        let read =
            MediaType::read(r#"Multipart/Related; Type="application/dicom"; boundary=a-b ; x="q\"uo;te""#).unwrap();
        assert_eq!(read.essence, "multipart/related");
        assert_eq!(read.parameter("type"), Some("application/dicom"));
        assert_eq!(read.parameter("boundary"), Some("a-b"));
        assert_eq!(read.parameter("x"), Some("q\"uo;te"));
        assert_eq!(MediaType::read("application/dicom;").unwrap().parameter("type"), None);
        for broken in ["", "dicom", "a/b; x", "a/b; x=\"y", "a/b; x=\"y\" z"] {
            assert_eq!(MediaType::read(broken), None, "{broken}");
        }
    }

    #[test]
    fn an_accept_list_may_name_ranges_and_weights() {
        for (accept, taken) in [
            ("application/dicom+json", true),
            ("application/dicom+xml;q=0.9, application/dicom+json;q=0.5", true),
            ("application/dicom+json;q=0", false),
            ("*/*", true),
            ("application/*", true),
            ("application/dicom+xml", false),
            ("text/*", false),
        ] {
            assert_eq!(accepts(accept, "application/dicom+json"), taken, "{accept}");
        }
    }
}
