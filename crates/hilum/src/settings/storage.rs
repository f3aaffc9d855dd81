//! `[storage]`: where objects are kept.

use std::path::{Path, PathBuf};

use hilum_engine::{BucketSettings, BucketUrl, Credentials, Endpoint, StoragePlace};
use serde::Deserialize;

/// The table of the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StorageTable {
    url: String,
    endpoint: Option<String>,
    region: Option<String>,
    #[serde(default)]
    allow_http: bool,
    ca: Option<PathBuf>,
    credentials: Option<PathBuf>,
}

/// The file of credentials.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CredentialsFile {
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
}

impl StorageTable {
    /// The file with the access key, where one is named.
    pub(super) fn credentials(&self) -> Option<&PathBuf> {
        self.credentials.as_ref()
    }

    /// Paths that start at the file's folder.
    pub(super) fn paths(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        self.ca.as_mut().into_iter().chain(self.credentials.as_mut())
    }
}

/// In the data folder, unless the file names a bucket. The error names the key.
pub(super) fn place(table: Option<StorageTable>) -> Result<StoragePlace, String> {
    let Some(StorageTable { url, endpoint, region, allow_http, ca, credentials }) = table else {
        return Ok(StoragePlace::Folder);
    };
    let url: BucketUrl = url.parse().map_err(|error| format!("storage: url: {error}"))?;
    let endpoint = endpoint.map(|text| Endpoint::parse(&text, allow_http)).transpose();
    let endpoint = endpoint.map_err(|error| format!("storage: endpoint: {error}"))?;
    let region = region.unwrap_or_else(|| "us-east-1".to_owned());
    if region.is_empty() || !region.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
        return Err("storage: region: expected a name like eu-central-1".to_owned());
    }
    let credentials = match credentials {
        Some(file) => read_credentials(&file)?,
        None => Credentials::from_environment().ok_or(
            "storage: the credentials of the bucket stand in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and \
             AWS_SESSION_TOKEN), or in the file that credentials names; neither is there",
        )?,
    };
    Ok(StoragePlace::Bucket(BucketSettings { url, endpoint, region, ca, credentials }))
}

fn read_credentials(file: &Path) -> Result<Credentials, String> {
    let wrong = |reason: String| format!("storage: credentials: {}: {reason}", file.display());
    let text = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
    // The parser's error would show the line.
    let read: Result<CredentialsFile, _> = toml::from_str(&text);
    let CredentialsFile { access_key_id, secret_access_key, session_token } = read.map_err(|_| {
        wrong("expected access_key_id = \"...\" and secret_access_key = \"...\", and session_token or none".to_owned())
    })?;
    Ok(Credentials { access_key_id, secret_access_key, session_token })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> StorageTable {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn a_file_of_credentials_is_read_and_what_is_wrong_with_it_does_not_show_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("s3.toml");
        let text = format!("url = \"s3://images\"\ncredentials = {:?}", file.display().to_string());
        std::fs::write(&file, "access_key_id = \"a\"\nsecret_access_key = \"unlooked-for\"").unwrap();
        let StoragePlace::Bucket(settings) = place(Some(table(&text))).unwrap() else { panic!("a bucket") };
        assert_eq!(settings.credentials.secret_access_key, "unlooked-for");
        std::fs::write(&file, "access_key_id = \"a\"\nsecret_access_key = unlooked-for").unwrap();
        let error = place(Some(table(&text))).unwrap_err();
        assert!(error.contains("s3.toml") && !error.contains("unlooked-for"), "{error}");
    }

    #[test]
    fn what_is_wrong_in_the_table_is_named_by_its_key() {
        let url = "url = \"s3://images\"\n";
        for (text, key) in [
            ("url = \"images\"".to_owned(), "url"),
            (format!("{url}endpoint = \"http://minio.example\""), "endpoint"),
            (format!("{url}region = \"a b\""), "region"),
            (format!("{url}credentials = \"/nowhere/s3.toml\""), "credentials"),
        ] {
            let error = place(Some(table(&text))).unwrap_err();
            assert!(error.starts_with(&format!("storage: {key}: ")), "{error}");
        }
    }
}
