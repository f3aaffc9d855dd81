//! Where keys come from: a file of one key a line, or what somebody gives.

use super::{BadKey, Key, KeyError, KeyId, KeyRing};
use crate::catalog::{now, rfc3339};
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use uuid::Uuid;
use zeroize::Zeroizing;

/// Where keys come from.
#[derive(Clone, Debug)]
pub enum KeyPlace {
    /// A file, made when a key is first needed.
    File(PathBuf),
    /// Given, by the environment variable of this name.
    Given(&'static str, KeyRing),
}

impl fmt::Display for KeyPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file) => write!(f, "{}", file.display()),
            Self::Given(variable, _) => f.write_str(variable),
        }
    }
}

const HEAD: &str = "\
# Keys of this Hilum installation. Whoever has them and its catalogue reads what is encrypted there; without them nobody does.
# Keep a copy apart from the backups, which do not hold them. The first key is the current one.
";

impl KeyPlace {
    /// Where keys of a data folder are when nobody says otherwise.
    pub fn in_folder(data_dir: &Path) -> Self {
        Self::File(data_dir.join("keys").join("hilum.keys"))
    }

    /// The keys of a variable: base64, the current one first, with commas or spaces between them.
    pub fn given(variable: &'static str, text: &str) -> Result<Self, BadKey> {
        let texts = text.split(|letter: char| letter == ',' || letter.is_whitespace()).filter(|text| !text.is_empty());
        let keys = texts.map(str::parse).collect::<Result<Vec<Key>, _>>()?;
        if keys.is_empty() { Err(BadKey) } else { Ok(Self::Given(variable, KeyRing::new(keys))) }
    }

    /// The keys as they are now. They are read anew each time, so that a server sees what `hilum key` changed.
    pub fn ring(&self) -> Result<KeyRing, KeyError> {
        match self {
            Self::Given(_, ring) => Ok(ring.clone()),
            Self::File(file) => Ok(KeyRing::new(lines(file)?.into_iter().map(|line| line.key).collect())),
        }
    }

    /// The keys, one of which encrypts: where nothing is encrypted yet and there is no file, one is made. Where something is, a new key would
    /// hide that the others are gone.
    ///
    /// The caller holds the catalogue's write lock, so that two processes make no two.
    pub(crate) fn ring_to_seal(&self, in_use: bool) -> Result<KeyRing, KeyError> {
        let ring = self.ring()?;
        if ring.current().is_some() {
            return Ok(ring);
        }
        match self {
            Self::File(_) if !in_use => {
                self.add()?;
                self.ring()
            }
            _ => Err(KeyError::NoKey { place: self.to_string() }),
        }
    }

    /// Makes a key, which is the current one from now on. Durable when it returns.
    pub(crate) fn add(&self) -> Result<KeyId, KeyError> {
        let file = self.own_file()?;
        let key = Key::random()?;
        let id = key.id().clone();
        let made = rfc3339(now()).unwrap_or_default();
        let mut kept = lines(file)?;
        kept.insert(0, Line { key, made });
        write(file, &kept)?;
        Ok(id)
    }

    /// Takes a key out. Durable when it returns.
    pub(crate) fn remove(&self, id: &KeyId) -> Result<(), KeyError> {
        let file = self.own_file()?;
        let mut kept = lines(file)?;
        kept.retain(|line| line.key.id() != id);
        write(file, &kept)
    }

    fn own_file(&self) -> Result<&Path, KeyError> {
        match self {
            Self::File(file) => Ok(file),
            Self::Given(variable, _) => Err(KeyError::NotOurs(variable)),
        }
    }
}

struct Line {
    key: Key,
    /// RFC 3339; for people.
    made: String,
}

/// `ID KEY [WHEN]` a line.
fn lines(file: &Path) -> Result<Vec<Line>, KeyError> {
    let text = match fs::read_to_string(file) {
        Ok(text) => Zeroizing::new(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(KeyError::Io { act: "read", path: file.to_owned(), source }),
    };
    let mut keys: Vec<Line> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let unreadable = |reason| KeyError::Unreadable { place: file.display().to_string(), line: index + 1, reason };
        let mut words = line.split_whitespace();
        let Some(id) = words.next().filter(|word| !word.starts_with('#')) else { continue };
        let id: KeyId =
            id.parse().map_err(|_| unreadable("expected the id of a key, 16 hexadecimal digits, and the key"))?;
        let key = words.next().ok_or_else(|| unreadable("the key behind its id is missing"))?;
        let key: Key = key.parse().map_err(|_| unreadable("expected a key of 32 bytes in base64, 44 characters"))?;
        if *key.id() != id {
            return Err(unreadable("this is not the key of this id: one of them was changed"));
        }
        if keys.iter().any(|known| *known.key.id() == id) {
            return Err(unreadable("this key is there twice"));
        }
        keys.push(Line { key, made: words.next().unwrap_or_default().to_owned() });
    }
    Ok(keys)
}

/// Whole or not at all, and nobody else may read it.
fn write(file: &Path, keys: &[Line]) -> Result<(), KeyError> {
    let failed = |source| KeyError::Io { act: "written", path: file.to_owned(), source };
    let mut text = Zeroizing::new(String::with_capacity(HEAD.len() + keys.len() * 96));
    text.push_str(HEAD);
    for Line { key, made } in keys {
        for part in [key.id().as_str(), " ", key.text().as_str(), " ", made, "\n"] {
            text.push_str(part);
        }
    }
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    crate::storage::create_private(folder).map_err(failed)?;
    let unfinished = folder.join(format!(".keys.{}", Uuid::new_v4()));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options
        .open(&unfinished)
        .and_then(|mut new| new.write_all(text.as_bytes()).and_then(|()| new.sync_all()))
        .and_then(|()| fs::rename(&unfinished, file))
        .and_then(|()| File::open(folder)?.sync_all());
    if written.is_err() {
        drop(fs::remove_file(&unfinished));
    }
    written.map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_keeps_keys_in_their_order_for_its_owner_alone_and_names_the_line_that_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let place = KeyPlace::in_folder(folder.path());
        assert_eq!(place.ring().unwrap().iter().count(), 0);
        assert!(matches!(place.ring_to_seal(true), Err(KeyError::NoKey { .. })));
        let first = place.ring_to_seal(false).unwrap().current().unwrap().id().clone();
        let second = place.add().unwrap();
        let ids = |place: &KeyPlace| place.ring().unwrap().iter().map(|key| key.id().clone()).collect::<Vec<_>>();
        assert_eq!(ids(&place), [second.clone(), first.clone()]);
        place.remove(&second).unwrap();
        assert_eq!(ids(&place), [first]);
        let KeyPlace::File(file) = &place else { panic!() };
        #[cfg(unix)]
        for (path, mode) in [(file.as_path(), 0o600), (file.parent().unwrap(), 0o700)] {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, mode, "{}", path.display());
        }
        let kept = fs::read_to_string(file).unwrap();
        let key = kept.lines().nth(2).unwrap().split(' ').nth(1).unwrap().to_owned();
        for (line, reason) in [
            ("zz", "expected the id of a key"),
            ("0123456789abcdef", "the key behind its id is missing"),
            ("0123456789abcdef AAAA", "expected a key of 32 bytes"),
            (&format!("0123456789abcdef {key}"), "not the key of this id"),
            (kept.lines().nth(2).unwrap(), "there twice"),
        ] {
            fs::write(file, format!("{kept}{line}\n")).unwrap();
            let said = place.ring().unwrap_err().to_string();
            assert!(said.contains("line 4") && said.contains(reason) && !said.contains(&key), "{said}");
        }
    }

    #[test]
    fn keys_of_the_environment_are_taken_in_their_order_and_never_changed() {
        let (new, old) = (Key::random().unwrap(), Key::random().unwrap());
        let place = KeyPlace::given("HILUM_KEY", &format!("{}, {}\n", *new.text(), *old.text())).unwrap();
        assert_eq!(place.ring().unwrap().iter().map(Key::id).collect::<Vec<_>>(), [new.id(), old.id()]);
        assert!(matches!(place.add(), Err(KeyError::NotOurs("HILUM_KEY"))));
        assert!(matches!(place.remove(old.id()), Err(KeyError::NotOurs("HILUM_KEY"))));
        assert!(!format!("{place:?}").contains(old.text().as_str()));
        for bad in ["", " , ", "secret", &new.text()[1..]] {
            assert_eq!(KeyPlace::given("HILUM_KEY", bad).unwrap_err(), BadKey, "{bad}");
        }
    }
}
