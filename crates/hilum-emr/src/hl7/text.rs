//! Fields as text, with their escapes (2.5.1, 2.7).

use super::{Component, Delimiters, Field, Hl7Error, Repetition, Segment};

impl Delimiters {
    pub(super) fn segment(&self, line: &str, number: usize) -> Result<Segment, Hl7Error> {
        let (name, rest) = match line.split_once(self.field) {
            Some((name, rest)) => (name, Some(rest)),
            None => (line.trim_end(), None),
        };
        let named = name.len() == 3 && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
        if !named {
            return Err(Hl7Error::SegmentName { number });
        }
        let mut fields: Vec<Field> = Vec::new();
        let mut rest = rest;
        if name == "MSH" {
            // What separates cannot be told by what it separates.
            let (delimiters, after) = match rest.and_then(|rest| rest.split_once(self.field)) {
                Some((delimiters, after)) => (delimiters, Some(after)),
                None => (rest.unwrap_or_default(), None),
            };
            fields.push(self.field.to_string().into());
            fields.push(delimiters.into());
            rest = after;
        }
        if let Some(rest) = rest {
            fields.extend(rest.split(self.field).map(|field| self.field(field)));
        }
        Ok(Segment { name: name.to_owned(), fields })
    }

    fn field(&self, text: &str) -> Field {
        if text.is_empty() {
            return Field::default();
        }
        let component =
            |text: &str| Component(text.split(self.subcomponent).map(|text| self.unescaped(text)).collect());
        let repetition = |text: &str| Repetition(text.split(self.component).map(component).collect());
        Field(text.split(self.repetition).map(repetition).collect())
    }

    pub(super) fn write(&self, segment: &Segment) -> String {
        let mut out = segment.name.clone();
        let mut fields = segment.fields.as_slice();
        if segment.name == "MSH" {
            out.extend([self.field, self.component, self.repetition, self.escape, self.subcomponent]);
            fields = fields.get(2..).unwrap_or_default();
        }
        for field in fields {
            out.push(self.field);
            join(&mut out, &field.0, self.repetition, |out, repetition| {
                join(out, &repetition.0, self.component, |out, component| {
                    join(out, &component.0, self.subcomponent, |out, text| self.escape(text, out));
                });
            });
        }
        out
    }

    fn escape(&self, text: &str, out: &mut String) {
        let mut characters = text.chars().peekable();
        while let Some(c) = characters.next() {
            let name = match c {
                c if c == self.field => "F",
                c if c == self.component => "S",
                c if c == self.subcomponent => "T",
                c if c == self.repetition => "R",
                c if c == self.escape => "E",
                '\r' | '\n' => {
                    if c == '\r' && characters.peek() == Some(&'\n') {
                        characters.next();
                    }
                    ".br"
                }
                c if c.is_ascii_control() => {
                    out.push(self.escape);
                    out.push('X');
                    let digit = |value| char::from_digit(value, 16).map(|digit| digit.to_ascii_uppercase());
                    out.extend([u32::from(c) >> 4, u32::from(c) & 15].into_iter().filter_map(digit));
                    out.push(self.escape);
                    continue;
                }
                c => {
                    out.push(c);
                    continue;
                }
            };
            out.push(self.escape);
            out.push_str(name);
            out.push(self.escape);
        }
    }

    /// What is no escape that is known stays as it stands.
    fn unescaped(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find(self.escape) {
            let after = &rest[start + self.escape.len_utf8()..];
            out.push_str(&rest[..start]);
            let Some(end) = after.find(self.escape) else {
                out.push_str(&rest[start..]);
                return out;
            };
            if let Some(meaning) = self.meaning(&after[..end]) {
                out.push_str(&meaning);
                rest = &after[end + self.escape.len_utf8()..];
            } else {
                // The second mark may begin an escape of its own.
                out.push(self.escape);
                out.push_str(&after[..end]);
                rest = &after[end..];
                if end == 0 {
                    out.push(self.escape);
                    rest = &after[self.escape.len_utf8()..];
                }
            }
        }
        out + rest
    }

    fn meaning(&self, name: &str) -> Option<String> {
        Some(match name {
            "F" => self.field.to_string(),
            "S" => self.component.to_string(),
            "T" => self.subcomponent.to_string(),
            "R" => self.repetition.to_string(),
            "E" => self.escape.to_string(),
            // Highlighting says nothing that is kept.
            "H" | "N" => String::new(),
            ".br" | ".BR" => "\n".to_owned(),
            name => hexadecimal(name.strip_prefix('X')?)?,
        })
    }
}

/// Bytes of ASCII alone: in which character set others would be is not said.
fn hexadecimal(digits: &str) -> Option<String> {
    if digits.is_empty() || !digits.len().is_multiple_of(2) || !digits.is_ascii() {
        return None;
    }
    let byte = |start: usize| u8::from_str_radix(&digits[start..start + 2], 16).ok().filter(u8::is_ascii);
    (0..digits.len()).step_by(2).map(|start| byte(start).map(char::from)).collect()
}

fn join<T>(out: &mut String, parts: &[T], separator: char, write: impl Fn(&mut String, &T)) {
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            out.push(separator);
        }
        write(out, part);
    }
}
