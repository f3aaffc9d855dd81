//! Wild cards (PS3.4 C.2.2.2.4).

/// A text with `*` (any characters, none too) and `?` (exactly one character).
#[derive(Clone, PartialEq, Eq)]
pub struct Pattern(Vec<char>);

impl Pattern {
    /// From what is asked.
    pub fn new(text: &str) -> Self {
        Self(text.chars().collect())
    }

    /// The text as it was asked.
    pub fn as_text(&self) -> String {
        self.0.iter().collect()
    }

    /// Whether the whole text fits; characters, not bytes, and case-sensitive. In time of at most the product of both lengths.
    pub fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        let (mut at, mut asked) = (0, 0);
        // Where the last star stands, and how far it reaches so far.
        let mut star: Option<(usize, usize)> = None;
        while at < text.len() {
            match self.0.get(asked) {
                Some('*') => {
                    star = Some((asked, at));
                    asked += 1;
                }
                Some('?') => (at, asked) = (at + 1, asked + 1),
                Some(c) if *c == text[at] => (at, asked) = (at + 1, asked + 1),
                _ => match star {
                    Some((stood, reached)) => {
                        star = Some((stood, reached + 1));
                        (at, asked) = (reached + 1, stood + 1);
                    }
                    None => return false,
                },
            }
        }
        self.0[asked..].iter().all(|c| *c == '*')
    }
}

impl std::fmt::Debug for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pattern(hidden)")
    }
}
