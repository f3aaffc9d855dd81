//! Person names (PS3.4 C.2.2.2.1.1): case-insensitive, by component group, with wild cards; and fuzzily.

use super::Pattern;
use std::borrow::Cow;
use std::iter;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfkc_quick};

/// What is asked of a person name.
///
/// One component group is looked for in every group of a value, so that 홍길동 is found whether the sender wrote the Hangul as
/// ideographic, phonetic or (as many do) as the only group. Several groups are each looked for in their own; a value with one
/// group alone may be any of them.
#[derive(Clone, PartialEq, Eq)]
pub struct NameKey {
    groups: Vec<Option<Pattern>>,
}

impl std::fmt::Debug for NameKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NameKey(hidden)")
    }
}

impl NameKey {
    /// From one value, `A=I=P` with wild cards.
    pub fn read(text: &str) -> Self {
        let group = |group: &str| {
            let folded = fold(group);
            (!folded.is_empty()).then(|| Pattern::new(&folded))
        };
        Self { groups: text.splitn(3, '=').map(group).collect() }
    }

    /// Whether one value of the attribute, `A=I=P`, fits.
    pub fn matches(&self, name: &str) -> bool {
        let groups: Vec<String> = name.splitn(3, '=').map(fold).collect();
        let said: Vec<&String> = groups.iter().filter(|group| !group.is_empty()).collect();
        match self.groups.as_slice() {
            [] | [None] => true,
            [Some(pattern)] => said.iter().any(|group| group_matches(pattern, group)),
            asked => asked.iter().enumerate().all(|(index, pattern)| {
                let Some(pattern) = pattern else { return true };
                match said.as_slice() {
                    [only] => group_matches(pattern, only),
                    _ => groups.get(index).is_some_and(|group| group_matches(pattern, group)),
                }
            }),
        }
    }
}

/// `HONG^*` is meant to find HONG without a given name too: empty components at the end may be there or not (PS3.5 6.2.1.1).
fn group_matches(pattern: &Pattern, group: &str) -> bool {
    if group.is_empty() {
        return false;
    }
    let missing = 4usize.saturating_sub(group.matches('^').count());
    pattern.matches(group) || pattern.matches(&format!("{group}{}", "^".repeat(missing)))
}

/// Lower case, [`unified`], no spaces around components, no empty components at the end.
fn fold(group: &str) -> String {
    let unified = unified(group).to_lowercase();
    let components: Vec<&str> = unified.split('^').map(|component| component.trim_matches([' ', '\0'])).collect();
    let end = components.iter().rposition(|component| !component.is_empty()).map_or(0, |last| last + 1);
    components[..end].join("^")
}

/// Characters that are written in several ways as one of them (Unicode NFKC): conjoining jamo become syllables, full-width letters
/// and half-width kana their usual forms, ideographs that KS X 1001 has once for each reading the one they are. What would become
/// a wild card or a delimiter stays as it is.
pub fn unified(text: &str) -> Cow<'_, str> {
    if is_nfkc_quick(text.chars()) == IsNormalized::Yes {
        return Cow::Borrowed(text);
    }
    let has_meaning =
        |c: char| !c.is_ascii() && iter::once(c).nfkc().any(|c| matches!(c, '*' | '?' | '^' | '=' | '\\'));
    let pieces = text.split_inclusive(has_meaning).map(|piece| match piece.chars().next_back() {
        Some(last) if has_meaning(last) => {
            let before = &piece[..piece.len() - last.len_utf8()];
            before.nfkc().chain([last]).collect()
        }
        _ => piece.nfkc().collect::<String>(),
    });
    Cow::Owned(pieces.collect())
}

/// The words of a name for fuzzy matching: [`unified`], lower case, accents of Latin letters removed, split at delimiters and spaces; wild
/// cards are left out.
pub fn fuzzy_words(name: &str) -> Vec<String> {
    let plain: String = unified(name).to_lowercase().chars().map(without_accent).collect();
    plain
        .split(['^', '=', ' ', ',', '.', '-', '\\'])
        .map(|word| word.chars().filter(|c| !matches!(c, '*' | '?' | '\'')).collect::<String>())
        .filter(|word| !word.is_empty())
        .collect()
}

/// Fuzzy semantic matching of person names (PS3.4 C.2.2.2.1.1; PS3.18 8.3.4.2): every word asked for begins some word of the
/// name, in any order and any group. A name written without delimiters (홍길동) is found in one written with them (홍^길동), and
/// the reverse.
pub fn name_matches_fuzzily(asked: &str, name: &str) -> bool {
    let asked = fuzzy_words(asked);
    let words = fuzzy_words(name);
    let joined: Vec<String> = name.splitn(3, '=').map(|group| fuzzy_words(group).concat()).collect();
    let found =
        |word: &String| words.iter().chain(&joined).any(|known| !known.is_empty() && known.starts_with(word.as_str()));
    let as_one = asked.concat();
    asked.iter().all(found) || joined.iter().any(|known| !as_one.is_empty() && known.starts_with(&as_one))
}

/// The Latin letter under an accent, for the letters of Latin 1 and 2 that names have.
fn without_accent(c: char) -> char {
    match c {
        'à'..='å' | 'ā' | 'ă' | 'ą' => 'a',
        'ç' | 'ć' | 'ĉ' | 'ċ' | 'č' => 'c',
        'ď' | 'đ' => 'd',
        'è'..='ë' | 'ē' | 'ĕ' | 'ė' | 'ę' | 'ě' => 'e',
        'ğ' | 'ģ' => 'g',
        'ì'..='ï' | 'ī' | 'į' | 'ı' => 'i',
        'ł' | 'ĺ' | 'ľ' => 'l',
        'ñ' | 'ń' | 'ň' => 'n',
        'ò'..='ö' | 'ø' | 'ō' | 'ő' => 'o',
        'ŕ' | 'ř' => 'r',
        'ś' | 'ş' | 'š' => 's',
        'ţ' | 'ť' => 't',
        'ù'..='ü' | 'ū' | 'ů' | 'ű' => 'u',
        'ý' | 'ÿ' => 'y',
        'ź' | 'ż' | 'ž' => 'z',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KOREAN: &str = "Hong^Gildong=洪^吉洞=홍^길동";

    #[test]
    fn one_group_is_looked_for_in_every_group() {
        for (key, expected) in [
            ("hong^gildong", true),
            ("HONG*", true),
            ("홍^길동", true),
            ("홍*", true),
            ("*길동", true),
            ("洪^吉洞", true),
            ("김*", false),
            ("Hong", false),
            ("Hong^*", true),
            ("?ong^Gildong", true),
            ("Hong^Gildong^^^", true),
        ] {
            assert_eq!(NameKey::read(key).matches(KOREAN), expected, "{key}");
        }
        assert!(NameKey::read("홍^*").matches("홍"), "no given name is an empty one");
        assert!(NameKey::read("홍^길동").matches("홍^길동"), "the native script as the only group");
    }

    #[test]
    fn several_groups_are_each_looked_for_in_their_own() {
        for (key, expected) in [
            ("Hong*=洪*=홍*", true),
            ("=洪^吉洞", true),
            ("==홍^길동", true),
            ("=홍*", false),
            ("Kim*=洪*", false),
            ("Hong*=*", true),
        ] {
            assert_eq!(NameKey::read(key).matches(KOREAN), expected, "{key}");
        }
        assert!(NameKey::read("==홍*").matches("홍^길동"), "a value with one group may be any of them");
        assert!(!NameKey::read("==홍*").matches("Hong^Gildong=洪^吉洞"));
    }

    #[test]
    fn decomposed_hangul_is_the_same_name() {
        let decomposed = "\u{1112}\u{1169}\u{11BC}^\u{1100}\u{1175}\u{11AF}\u{1103}\u{1169}\u{11BC}";
        assert_eq!(unified(decomposed), "홍^길동");
        assert!(NameKey::read(decomposed).matches(KOREAN));
        assert!(NameKey::read("홍^길?").matches(decomposed));
    }

    #[test]
    fn width_and_compatibility_forms_are_the_same_name() {
        // Half-width kana with a sound mark, full-width letters, and 金 and 李 as KS X 1001 has them for their other readings.
        for (known, asked) in
            [("ﾔﾏﾀﾞ^ﾀﾛｳ", "ヤマダ^タロウ"), ("Hong^Gildong", "ＨＯＮＧ^Ｇildong"), ("\u{F90A}^\u{F9E1}", "金^李")]
        {
            for (known, asked) in [(known, asked), (asked, known)] {
                assert!(NameKey::read(asked).matches(known), "{asked} in {known}");
                let begins = format!("{}*", asked.split('^').next().unwrap());
                assert!(NameKey::read(&begins).matches(known), "{begins} in {known}");
                assert!(name_matches_fuzzily(asked, known), "{asked} in {known}");
            }
        }
        assert!(!NameKey::read("ハマダ*").matches("ﾔﾏﾀﾞ^ﾀﾛｳ"));
    }

    #[test]
    fn nothing_becomes_a_wild_card_or_a_delimiter() {
        let (full_width, small) = ("＊？＾＝＼", "\u{FE61}\u{FE56}\u{2047}");
        assert_eq!(unified(full_width), full_width);
        assert_eq!(unified(&format!("Ａ{small}ﾔﾞＢ")), format!("A{small}ヤ\u{3099}B"));
        assert!(!NameKey::read("＊").matches("Hong") && NameKey::read("＊").matches("＊"));
    }

    #[test]
    fn fuzzy_names_match_by_the_beginnings_of_words_in_any_order() {
        for (asked, expected) in [
            ("gil hong", true),
            ("Hong, Gildong", true),
            ("홍길동", true),
            ("홍길", true),
            ("길동", true),
            ("hong kim", false),
            ("ildong", false),
        ] {
            assert_eq!(name_matches_fuzzily(asked, KOREAN), expected, "{asked}");
        }
        assert!(name_matches_fuzzily("muller", "Müller^Jürgen"));
        assert!(name_matches_fuzzily("홍 길동", "홍길동"), "asked with a space, written without");
    }
}
