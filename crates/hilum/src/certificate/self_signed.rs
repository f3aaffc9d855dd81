//! A certificate that vouches for itself: encrypted from the first start on, and trusted once somebody has compared its fingerprint.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::Path,
};

use anyhow::Context;
use hilum_engine::storage::create_private;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, SerialNumber,
};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::Facts;

pub(super) const CERTIFICATE: &str = "certificate.pem";
pub(super) const KEY: &str = "key.pem";

/// As long as browsers take a certificate to be good at most (CA/Browser Forum Baseline Requirements 6.3.2 before 2026).
const DAYS: i64 = 397;
/// A new one is made this long before the end.
const RENEWED_BEFORE: Duration = Duration::days(30);
/// The line before the certificate that says for which names it was made; readers of PEM pass over it.
const NAMES: &str = "names: ";

/// Makes certificate and key, unless there are good ones. The key stays when the certificate is made anew.
pub(super) fn make_where_due(folder: &Path, names: &[String]) -> anyhow::Result<()> {
    let names_line = format!("{NAMES}{}\n", names.join(" "));
    let now = OffsetDateTime::now_utc();
    let there = read_if_there(&folder.join(CERTIFICATE))?.zip(read_if_there(&folder.join(KEY))?);
    let is_good = |certificate: &str| {
        let lasts = Facts::of(certificate.as_bytes()).is_some_and(|facts| facts.not_after - now > RENEWED_BEFORE);
        lasts && certificate.starts_with(&names_line)
    };
    if there.as_ref().is_some_and(|(certificate, _)| is_good(certificate)) {
        return Ok(());
    }
    create_private(folder).with_context(|| format!("folder {}", folder.display()))?;
    let key = if let Some((_, key)) = &there {
        KeyPair::from_pem(key).with_context(|| format!("{} is damaged; remove it", folder.join(KEY).display()))?
    } else {
        let key = KeyPair::generate()?;
        replace(folder, KEY, &key.serialize_pem())?;
        key
    };
    let mut params = CertificateParams::new(names.to_vec())?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, format!("Hilum {}", names.first().map_or("", String::as_str)));
    // Clocks of callers may be a little behind.
    params.not_before = now - Duration::days(1);
    params.not_after = now + Duration::days(DAYS - 1);
    // One issuer never gives a number twice (RFC 5280 4.1.2.2); Firefox refuses a second certificate with it.
    let mut serial = Uuid::new_v4().into_bytes();
    serial[0] &= 0x7F;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    let certificate = params.self_signed(&key)?;
    replace(folder, CERTIFICATE, &format!("{names_line}{}", certificate.pem()))
}

fn read_if_there(file: &Path) -> anyhow::Result<Option<String>> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("{} cannot be read", file.display())),
    }
}

/// Whole or not at all, and nobody else may read it.
fn replace(folder: &Path, name: &str, text: &str) -> anyhow::Result<()> {
    let written = folder.join(format!("{name}.{}", Uuid::new_v4()));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let replaced = options
        .open(&written)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&written, folder.join(name)));
    replaced.with_context(|| format!("{} cannot be written", folder.join(name).display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(folder: &Path, name: &str) -> String {
        fs::read_to_string(folder.join(name)).unwrap()
    }

    #[test]
    fn a_certificate_is_kept_until_it_ends_or_its_names_change_and_its_key_stays() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let names = |more: &[&str]| [&["localhost"], more].concat().iter().map(ToString::to_string).collect::<Vec<_>>();
        make_where_due(folder, &names(&[])).unwrap();
        let (certificate, key) = (read(folder, CERTIFICATE), read(folder, KEY));
        make_where_due(folder, &names(&[])).unwrap();
        assert_eq!(read(folder, CERTIFICATE), certificate);
        make_where_due(folder, &names(&["hilum.example"])).unwrap();
        let renamed = read(folder, CERTIFICATE);
        assert!(renamed != certificate && read(folder, KEY) == key);
        let key_pair = KeyPair::from_pem(&key).unwrap();
        let mut params = CertificateParams::new(names(&[])).unwrap();
        params.not_after = OffsetDateTime::now_utc() + Duration::days(29);
        let ending = params.self_signed(&key_pair).unwrap();
        fs::write(folder.join(CERTIFICATE), format!("{NAMES}localhost\n{}", ending.pem())).unwrap();
        make_where_due(folder, &names(&[])).unwrap();
        let days = (Facts::of(read(folder, CERTIFICATE).as_bytes()).unwrap().not_after - OffsetDateTime::now_utc())
            .whole_days();
        assert_eq!((days, read(folder, KEY)), (DAYS - 2, key));
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_may_read_the_key() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("https");
        make_where_due(&folder, &["localhost".to_owned()]).unwrap();
        for (path, mode) in [(folder.clone(), 0o700), (folder.join(KEY), 0o600)] {
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode, "{}", path.display());
        }
    }
}
