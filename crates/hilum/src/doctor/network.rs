//! Who can reach Hilum, and who can listen on the way.

use std::net::IpAddr;

use hilum_engine::{CataloguePlace, StoragePlace};
use time::OffsetDateTime;

use super::Finding;
use crate::{
    certificate::Place,
    settings::{By, CallersMode, Settings},
};

pub(super) fn examine(settings: &Settings) -> Vec<Finding> {
    let mut findings = Vec::new();
    web(settings, &mut findings);
    if let Some(place) = settings.https() {
        certificate("https", &place, &mut findings);
    }
    if let Some(source) = settings.tls_source()
        && settings.https().as_ref() != Some(&source.place)
    {
        certificate("tls", &source.place, &mut findings);
    }
    dimse(settings, &mut findings);
    servers(settings, &mut findings);
    records(settings, &mut findings);
    findings
}

fn web(settings: &Settings, findings: &mut Vec<Finding>) {
    if settings.http.ip().is_loopback() {
        return;
    }
    match (settings.https().is_some(), settings.trusted_proxies.is_empty()) {
        (true, _) => {}
        (false, false) => findings.push(Finding::warning(
            "http_behind_proxy",
            format!(
                "the web server at {} speaks HTTP: what it says to the proxy can be read on the way",
                settings.http
            ),
            "let the proxy speak HTTPS to Hilum ([https]), or run both on one machine and use 127.0.0.1",
        )),
        (false, true) => findings.push(Finding::serious(
            "http_in_the_clear",
            format!("the web server would speak HTTP at {}, readable for others; it does not start so", settings.http),
            "configure [https] (a certificate, or self_signed = true), or trusted_proxies, or use 127.0.0.1",
        )),
    }
    if settings.public_names.is_empty() {
        findings.push(Finding::warning(
            "no_public_names",
            "public_names is empty: browsers reach the server by its IP address or this machine's own name alone",
            "add the names that people type to public_names",
        ));
    }
}

fn certificate(table: &str, place: &Place, findings: &mut Vec<Finding>) {
    let facts = place.read().and_then(|pair| pair.facts());
    let facts = match facts {
        Ok(facts) => facts,
        Err(error) => {
            let made_later = matches!(place, Place::SelfSigned { .. }) && !place.certificate().exists();
            findings.push(if made_later {
                let text = format!("{table}: the self-signed certificate is not there yet");
                Finding::note("certificate_not_made", text, "`hilum serve` makes it when it starts")
            } else {
                let advice = format!("correct certificate and key under [{table}]");
                Finding::serious("certificate_unreadable", format!("{error:#}"), advice)
            });
            return;
        }
    };
    findings.push(Finding::note(
        "certificate",
        format!("{table}: the certificate has the SHA-256 fingerprint {}", facts.fingerprint),
        "compare it with what a browser or peer shows",
    ));
    let now = OffsetDateTime::now_utc();
    let days = (facts.not_after - now).whole_days();
    let renewed_by_us = matches!(place, Place::SelfSigned { .. });
    if facts.not_after <= now {
        let text = format!("{table}: the certificate ended on {}", facts.last_day());
        findings.push(Finding::serious("certificate_ended", text, renewal(renewed_by_us)));
    } else if facts.not_before > now {
        let text = format!("{table}: the certificate holds from {} on", facts.not_before.date());
        findings.push(Finding::serious(
            "certificate_not_yet_valid",
            text,
            "set this machine's clock, or use another certificate",
        ));
    } else if days < 30 {
        let text = format!("{table}: the certificate ends on {}, in {days} days", facts.last_day());
        let finding = if days < 7 { Finding::serious } else { Finding::warning };
        findings.push(finding("certificate_ends", text, renewal(renewed_by_us).to_owned()));
    }
    if facts.self_signed {
        findings.push(Finding::warning(
            "certificate_self_signed",
            format!("{table}: the certificate vouches for itself: whoever does not compare its fingerprint may talk to somebody else"),
            "use a certificate of the hospital's authority, or have callers trust this one by its fingerprint",
        ));
    }
}

fn renewal(by_us: bool) -> &'static str {
    if by_us {
        "`hilum serve` makes a new one; restart it if it does not run"
    } else {
        "put the new certificate in its place; the server reads it by itself"
    }
}

/// MLLP has no encryption of its own.
fn records(settings: &Settings, findings: &mut Vec<Finding>) {
    let here = |host: &str| host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    for destination in &settings.emr.destinations {
        let By::Mllp(mllp) = &destination.by else { continue };
        if !mllp.tls && !here(&mllp.host) {
            findings.push(Finding::warning(
                "emr_in_the_clear",
                format!("emr: reports go to {} in the clear: others on the way can read them", destination.rule.name),
                "set tls = true for the destination, where the receiver speaks it, or use a tunnel",
            ));
        }
    }
    if let Some(listen) = settings.emr.listen.filter(|listen| !listen.ip().is_loopback() && !settings.emr.listen_tls) {
        findings.push(Finding::warning(
            "emr_listens_in_the_clear",
            format!("emr: messages come to {listen} in the clear, from whoever has the address of a sender"),
            "set listen_tls = true, where the senders speak it, or use a tunnel",
        ));
    }
}

fn dimse(settings: &Settings, findings: &mut Vec<Finding>) {
    let reachable = !settings.dimse.ip().is_loopback();
    let anybody = settings.callers() == CallersMode::Anybody;
    if anybody && reachable {
        findings.push(Finding::serious(
            "dimse_open_to_anybody",
            format!("anybody could call the DICOM node at {}; it does not start so", settings.dimse),
            "configure [[peers]] and leave callers at \"known\"",
        ));
    } else if anybody {
        findings.push(Finding::warning(
            "dimse_open_to_this_machine",
            "every program on this machine may call the DICOM node, by any AE title",
            "configure [[peers]]: the known ones are the only callers then",
        ));
    }
    if !reachable {
        return;
    }
    let tls = settings.tls_source();
    if tls.is_none() {
        findings.push(Finding::warning(
            "dimse_in_the_clear",
            format!("the DICOM node at {} speaks without TLS: images and names can be read on the way", settings.dimse),
            "configure [tls], or keep node and peers in a network of their own",
        ));
    } else if tls.is_some_and(|source| !source.requires_certificates()) {
        findings.push(Finding::warning(
            "dimse_callers_unproven",
            "callers of the DICOM node show no certificate: a peer is known by AE title and IP address alone",
            "set client_certificates = \"required\" under [tls], and certificate for each of [[peers]]",
        ));
    }
    if !anybody && !settings.peers.checks_host() {
        findings.push(Finding::warning(
            "dimse_hosts_unchecked",
            "check_host = false: an AE title may call from any address",
            "leave check_host at true, or bind each peer to a certificate",
        ));
    }
    let plain = settings.peers.iter().filter(|known| !known.peer.tls && !is_this_machine(&known.peer.host)).count();
    if plain > 0 {
        findings.push(Finding::warning(
            "peers_in_the_clear",
            format!("{plain} of [[peers]] on other machines are called without TLS"),
            "set tls = true for those that speak it",
        ));
    }
}

fn is_this_machine(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The database server and the bucket.
fn servers(settings: &Settings, findings: &mut Vec<Finding>) {
    let engine = settings.engine(std::path::Path::new(""));
    if let CataloguePlace::Server(url) = &engine.catalogue
        && !url.is_on_this_machine()
    {
        let verified = "write sslmode=verify-full and sslrootcert into url under [catalogue]";
        match url.encryption() {
            hilum_engine::Encryption::None => findings.push(Finding::serious(
                "catalogue_in_the_clear",
                "the connection to the PostgreSQL server may be unencrypted: names and passwords can be read on the way",
                verified,
            )),
            hilum_engine::Encryption::Unverified => findings.push(Finding::warning(
                "catalogue_server_unproven",
                "the connection to the PostgreSQL server is encrypted, but nothing proves that it is this server",
                verified,
            )),
            hilum_engine::Encryption::Verified => {}
        }
    }
    if let StoragePlace::Bucket(bucket) = &engine.storage
        && bucket.endpoint.as_ref().is_some_and(hilum_engine::Endpoint::is_overheard)
    {
        findings.push(Finding::serious(
            "bucket_in_the_clear",
            "objects go to the bucket over http://: images and names can be read on the way",
            "use an https:// endpoint under [storage], and remove allow_http",
        ));
    }
}
