//! Passwords (NIST SP 800-63B-4, 3.1.1): long, not guessed by a list, of any characters; kept by Argon2id.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use unicode_normalization::UnicodeNormalization;

/// Characters of a password that is the only proof (3.1.1.2).
const FEWEST: usize = 15;
/// Beyond this it is no password; hashing it would only cost.
const MOST: usize = 256;
/// KiB of memory, passes and lanes (OWASP Password Storage Cheat Sheet's first choice).
const COST: (u32, u32, u32) = (19_456, 2, 1);

/// Why a password is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeakPassword {
    /// Too few characters.
    #[error("a password has at least {FEWEST} characters; a sentence is easier to keep in mind than signs")]
    Short,
    /// Too many characters.
    #[error("a password has at most {MOST} characters")]
    Long,
    /// Lists of passwords that are in use, words, names and keys beside each other find it.
    #[error("this password is guessed within hours: it is made of common words, of the login, or of keys in a row")]
    Guessed,
}

/// The same characters, however they were typed (3.1.1.2: NFKC).
fn normalized(password: &str) -> String {
    password.nfkc().collect()
}

/// Whether a password is taken, for an account with these names.
pub(super) fn check(password: &str, names: &[&str]) -> Result<(), WeakPassword> {
    let password = normalized(password);
    let characters = password.chars().count();
    if characters < FEWEST {
        return Err(WeakPassword::Short);
    }
    if characters > MOST {
        return Err(WeakPassword::Long);
    }
    let names: Vec<&str> = names.iter().copied().chain(["hilum", "radiology", "hospital"]).collect();
    if zxcvbn::zxcvbn(&password, &names).score() < zxcvbn::Score::Four {
        return Err(WeakPassword::Guessed);
    }
    Ok(())
}

fn argon2() -> Argon2<'static> {
    let (memory, passes, lanes) = COST;
    let params = Params::new(memory, passes, lanes, None).unwrap_or_default();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// A PHC string with a salt of its own.
pub(super) fn hash(password: &str) -> Result<String, String> {
    let hashed: PasswordHash =
        argon2().hash_password(normalized(password).as_bytes()).map_err(|error| error.to_string())?;
    Ok(hashed.to_string())
}

/// Whether it is the password. Without one to compare with the same time is spent, so that it does not tell which logins there are.
pub(super) fn verify(password: &str, kept: Option<&str>) -> bool {
    let password = normalized(password);
    let known = kept.and_then(|kept| PasswordHash::new(kept).ok());
    if let Some(known) = known {
        return argon2().verify_password(password.as_bytes(), &known).is_ok();
    }
    let spent: Result<PasswordHash, _> = argon2().hash_password(password.as_bytes());
    std::hint::black_box(spent.is_ok());
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_long_and_no_list_knows_it() {
        let names = ["kim.minji", "Kim Minji"];
        assert_eq!(check("Tr0ub4dor&3", &names), Err(WeakPassword::Short));
        assert_eq!(check(&"x7".repeat(200), &names), Err(WeakPassword::Long));
        for guessed in
            ["passwordpassword", "qwertyuiop12345", "aaaaaaaaaaaaaaaaaa", "kim.minjikim.minji", "123456789012345"]
        {
            assert_eq!(check(guessed, &names), Err(WeakPassword::Guessed), "{guessed}");
        }
        for taken in ["correct horse battery staple", "신장에서 방광까지 돌 하나가 지나간다", "vK9#mQ2!xL5$wR8"]
        {
            assert_eq!(check(taken, &names), Ok(()), "{taken}");
        }
    }

    #[test]
    fn a_password_is_the_same_however_its_hangul_was_composed() {
        let composed = "신장에서 방광까지 한 줄로";
        let decomposed: String = composed.nfd().collect();
        assert_ne!(composed, decomposed);
        let kept = hash(composed).unwrap();
        assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{kept}");
        assert!(verify(&decomposed, Some(&kept)));
        assert!(!verify("신장에서 방광까지 두 줄로", Some(&kept)));
        assert!(!verify(composed, None));
    }
}
