//! The certificates of a running server: read once, shown by web server and network node, and replaced when their files change.

use anyhow::Context;
use hilum_web::Https;

use crate::{
    certificate::{Facts, Pair, Place, keep_fresh},
    failure::WrongCall,
    settings::{Settings, Tls, TlsFiles, TlsSource},
    shutdown::Shutdown,
};

/// Those of `[https]` and `[tls]`, where they are configured.
pub struct Certificates {
    https: Option<(Place, Pair, Https)>,
    tls: Option<(TlsSource, TlsFiles, Tls)>,
}

impl Certificates {
    /// Reads the files; a certificate of our own is made where it is missing. What is wrong with the files is a wrong call.
    pub fn open(settings: &Settings) -> anyhow::Result<Self> {
        let https = settings.https().map(|place| {
            let pair = place.read_or_make().context("https")?;
            let https = Https::new(&pair.certificates, &pair.key).context("https")?;
            Ok((place, pair, https))
        });
        let https = https.transpose();
        let https = https.map_err(|error: anyhow::Error| WrongCall(format!("configuration: {error:#}")))?;
        let tls = match (settings.tls_source(), settings.tls()?) {
            (Some(source), Some(tls)) => {
                let files = source.read()?;
                Some((source, files, tls))
            }
            _ => None,
        };
        Ok(Self { https, tls })
    }

    /// For the web server.
    pub fn https(&self) -> Option<Https> {
        self.https.as_ref().map(|(_, _, https)| https.clone())
    }

    /// What is said of the certificate of HTTPS.
    pub fn facts(&self) -> anyhow::Result<Option<Facts>> {
        self.https.as_ref().map(|(_, pair, _)| pair.facts()).transpose()
    }

    /// Looks at the files until the shutdown.
    pub async fn keep_fresh(self, shutdown: &Shutdown) {
        let https = async {
            let Some((place, pair, https)) = self.https else { return };
            let take = |pair: &Pair| Ok(https.replace(&pair.certificates, &pair.key)?);
            keep_fresh("https", pair, || place.read_or_make(), take, shutdown.asked()).await;
        };
        let tls = async {
            let Some((source, files, tls)) = self.tls else { return };
            let take = |files: &TlsFiles| {
                tls.replace_by(&source.load(files)?);
                Ok(())
            };
            keep_fresh("tls", files, || source.read(), take, shutdown.asked()).await;
        };
        tokio::join!(https, tls);
    }
}
