//! Which bucket, where, and with whose credentials.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Where objects are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum StoragePlace {
    /// In segments of the data folder.
    #[default]
    Folder,
    /// In a bucket of an S3 service. The data folder still holds locks, the catalogue and scratch.
    Bucket(BucketSettings),
}

/// A bucket of an S3 service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketSettings {
    /// Which bucket, and what every key in it begins with.
    pub url: BucketUrl,
    /// The service; AWS where `None`.
    pub endpoint: Option<Endpoint>,
    /// Region that requests are signed for.
    pub region: String,
    /// Certificates (PEM) of the authorities that sign the service's; those that everybody knows where `None`.
    pub ca: Option<PathBuf>,
    /// Whose requests they are.
    pub credentials: Credentials,
}

/// `s3://bucket/prefix`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketUrl {
    pub(super) bucket: String,
    pub(super) prefix: String,
}

/// What is wrong with an address of a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected s3://bucket or s3://bucket/prefix: {0}")]
pub struct BadBucketUrl(&'static str);

impl FromStr for BucketUrl {
    type Err = BadBucketUrl;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rest = text.strip_prefix("s3://").ok_or(BadBucketUrl("it does not begin with s3://"))?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let named = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-');
        if !(3..=63).contains(&bucket.len()) || !bucket.chars().all(named) {
            return Err(BadBucketUrl("a bucket's name has 3 to 63 of a-z, 0-9, '.' and '-'"));
        }
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        // Those that mean the same to every service, written or escaped.
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let part = |part: &str| !part.is_empty() && part != "." && part != ".." && part.chars().all(plain);
        if !prefix.is_empty() && (prefix.len() > 256 || !prefix.split('/').all(part)) {
            return Err(BadBucketUrl("a prefix is made of parts of A-Z, a-z, 0-9, '.', '-' and '_', with '/' between"));
        }
        Ok(Self { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }
}

impl fmt::Display for BucketUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let between = if self.prefix.is_empty() { "" } else { "/" };
        write!(f, "s3://{}{between}{}", self.bucket, self.prefix)
    }
}

/// Address of an S3 service: `https://host:port`, or `http://` where it is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint(String);

/// What is wrong with the address of a service; does not repeat it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected https://host or https://host:port: {0}")]
pub struct BadEndpoint(&'static str);

impl Endpoint {
    /// Reads an address.
    pub fn parse(text: &str, allow_http: bool) -> Result<Self, BadEndpoint> {
        let uri: hyper::Uri = text.parse().map_err(|_| BadEndpoint("it cannot be read"))?;
        match uri.scheme_str() {
            Some("https") => {}
            Some("http") if allow_http => {}
            Some("http") => {
                return Err(BadEndpoint("patients' data would be readable on the way; allow_http = true allows it"));
            }
            _ => return Err(BadEndpoint("it begins with neither https:// nor http://")),
        }
        if uri.authority().is_none_or(|authority| authority.as_str().contains('@')) {
            return Err(BadEndpoint("it names no host, or has credentials in it, which belong elsewhere"));
        }
        if uri.path_and_query().is_some_and(|rest| rest.as_str() != "/") {
            return Err(BadEndpoint("nothing follows the host; bucket and prefix stand in url"));
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }

    /// Whether requests go over a network in the clear.
    pub fn is_overheard(&self) -> bool {
        let authority = self.0.strip_prefix("http://");
        authority.is_some_and(|authority| {
            let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
            let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
            host != "localhost" && !address.is_ok_and(|address| address.is_loopback())
        })
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// An access key. Nothing shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Access key ID.
    pub access_key_id: String,
    /// Secret access key.
    pub secret_access_key: String,
    /// Session token of temporary credentials.
    pub session_token: Option<String>,
}

impl Credentials {
    /// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`; `None` where the first two are not set.
    pub fn from_environment() -> Option<Self> {
        let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        Some(Self {
            access_key_id: set("AWS_ACCESS_KEY_ID")?,
            secret_access_key: set("AWS_SECRET_ACCESS_KEY")?,
            session_token: set("AWS_SESSION_TOKEN"),
        })
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_a_bucket_is_read_whole_or_refused_with_what_was_expected() {
        let url: BucketUrl = "s3://images.example/archive/seoul/".parse().unwrap();
        assert_eq!((url.bucket.as_str(), url.prefix.as_str()), ("images.example", "archive/seoul"));
        assert_eq!(url.to_string(), "s3://images.example/archive/seoul");
        assert_eq!("s3://abc".parse::<BucketUrl>().unwrap().to_string(), "s3://abc");
        for wrong in
            ["abc", "https://abc", "s3://", "s3://a", "s3://Abc/x", "s3://abc/../x", "s3://abc/x//y", "s3://abc/a b"]
        {
            assert!(wrong.parse::<BucketUrl>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_endpoint_without_tls_or_with_credentials_is_refused() {
        assert!(Endpoint::parse("https://minio.example:9000/", false).is_ok());
        assert!(Endpoint::parse("http://127.0.0.1:9000", true).is_ok());
        for wrong in ["http://127.0.0.1:9000", "minio.example", "ftp://x", "https://a:b@x", "https://x/bucket"] {
            assert!(Endpoint::parse(wrong, false).is_err(), "{wrong}");
        }
    }

    #[test]
    fn credentials_are_not_shown() {
        let secret = "hidden-from-everybody";
        let credentials = Credentials {
            access_key_id: secret.to_owned(),
            secret_access_key: secret.to_owned(),
            session_token: Some(secret.to_owned()),
        };
        assert!(!format!("{credentials:?}").contains(secret));
    }
}
