//! A description as whole words.

/// Lower-case words of a text; everything that is neither letter, digit nor `+` separates them.
pub(super) fn words(text: &str) -> Vec<String> {
    text.to_lowercase()
        .split(|c: char| !(c.is_alphanumeric() || c == '+'))
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Whether the words hold this run of words, each whole.
pub(super) fn holds(words: &[String], run: &[&str]) -> bool {
    words.windows(run.len()).any(|window| window.iter().zip(run).all(|(word, expected)| word == expected))
}
