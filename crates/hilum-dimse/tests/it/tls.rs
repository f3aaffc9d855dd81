//! TLS: our two sides with each other, and dcmtk on either.

use std::{path::Path, process::Command, sync::Arc};

use hilum_dimse::{
    Callers, ClientCertificates, Identity, Peer, PeerCertificate, Scu, ScuConfig, ScuError, TlsClient, TlsError,
    TlsServer,
};

use crate::{
    archive::{Archive, Program, free_port, serve},
    dcmtk::{dcmtk_is_here, run},
    server::config,
};

/// An authority and three certificates of it, made by openssl for this one test.
struct Certificates {
    folder: tempfile::TempDir,
}

impl Certificates {
    fn made() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let openssl = |arguments: &[&str]| {
            let output = Command::new("openssl").args(arguments).current_dir(folder.path()).output();
            output.is_ok_and(|output| output.status.success())
        };
        if !openssl(&["version"]) {
            assert!(std::env::var_os("HILUM_REQUIRE_ORACLES").is_none(), "openssl is not installed");
            println!("SKIPPED: openssl is not installed");
            return None;
        }
        let ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
        let ca = [&["req", "-x509", "-subj", "/CN=Test CA", "-keyout", "ca.key", "-out", "ca.pem"][..], &ec].concat();
        assert!(openssl(&ca));
        let here = "IP:127.0.0.1,DNS:localhost";
        for (name, host) in [("server", here), ("client", here), ("ct1", "DNS:ct1.example.org")] {
            std::fs::write(folder.path().join("san"), format!("subjectAltName={host}\n")).unwrap();
            let (key, csr, pem) = (format!("{name}.key"), format!("{name}.csr"), format!("{name}.pem"));
            let subject = format!("/CN={name}");
            assert!(openssl(
                &[&["req", "-new", "-subj", &subject, "-keyout", &key, "-out", &csr][..], &ec[..5]].concat()
            ));
            assert!(openssl(&[
                "x509",
                "-req",
                "-in",
                &csr,
                "-CA",
                "ca.pem",
                "-CAkey",
                "ca.key",
                "-CAcreateserial",
                "-days",
                "2",
                "-extfile",
                "san",
                "-out",
                &pem,
            ]));
        }
        Some(Self { folder })
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(Path::new(&self.path(name))).unwrap()
    }

    fn server(&self, asks_for_certificates: bool) -> TlsServer {
        let ca = self.read("ca.pem");
        self.server_asking(if asks_for_certificates {
            ClientCertificates::Required(&ca)
        } else {
            ClientCertificates::NotAsked
        })
    }

    fn server_asking(&self, callers: ClientCertificates<'_>) -> TlsServer {
        let (certificates, key) = (self.read("server.pem"), self.read("server.key"));
        TlsServer::new(Identity { certificates: &certificates, key: &key }, callers).unwrap()
    }

    fn client(&self, has_certificate: bool) -> TlsClient {
        self.client_as(has_certificate.then_some("client"))
    }

    fn client_as(&self, name: Option<&str>) -> TlsClient {
        let shown = name.map(|name| (self.read(&format!("{name}.pem")), self.read(&format!("{name}.key"))));
        let identity = shown.as_ref().map(|(certificates, key)| Identity { certificates, key });
        TlsClient::new(&self.read("ca.pem"), identity).unwrap()
    }

    /// As openssl prints it.
    fn fingerprint(&self, name: &str) -> PeerCertificate {
        let output = Command::new("openssl")
            .args(["x509", "-noout", "-fingerprint", "-sha256", "-in", &self.path(&format!("{name}.pem"))])
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        format!("sha256:{}", said.trim().rsplit_once('=').unwrap().1).parse().unwrap()
    }
}

fn scu(tls: Option<TlsClient>) -> Scu {
    Scu::new(ScuConfig { tls, ..ScuConfig::new("HILUM".parse().unwrap()) })
}

fn peer(title: &str, port: u16) -> Peer {
    Peer { tls: true, ..Peer::new(title.parse().unwrap(), "127.0.0.1", port) }
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_cross_tls_and_callers_without_a_certificate_stay_out_where_one_is_asked_for() {
    let Some(certificates) = Certificates::made() else { return };
    let archive = Arc::new(Archive::with(6));
    for asks in [false, true] {
        let mut encrypted = config();
        encrypted.tls = Some(certificates.server(asks));
        let server = serve(encrypted, &archive).await;
        let hilum = peer("HILUM", server.address.port());
        let report = scu(Some(certificates.client(true)));
        let report = report.store(&hilum, &archive.files.instances(), &archive.files, |_, _| {}).await;
        assert!(report.is_complete(), "{report:?}");
        assert_eq!(server.kept(), 6);
        assert_eq!(scu(Some(certificates.client(false))).echo(&hilum).await.is_ok(), !asks);
        assert!(matches!(scu(None).echo(&hilum).await, Err(ScuError::NoTls { .. })));
        // In the clear where TLS is spoken.
        let plain = Peer { tls: false, ..hilum };
        assert!(scu(None).echo(&plain).await.is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_for_whom_no_place_is_left_is_told_so_over_tls() {
    let Some(certificates) = Certificates::made() else { return };
    let mut full = config();
    full.tls = Some(certificates.server(false));
    full.max_associations = 0;
    let server = serve(full, &Arc::new(Archive::default())).await;
    let error = scu(Some(certificates.client(false))).echo(&peer("HILUM", server.address.port())).await.unwrap_err();
    assert!(matches!(error, ScuError::Rejected { transient: true, .. }), "{error}");
    assert!(error.to_string().ends_with("it has no association left"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn dcmtk_speaks_tls_with_us_on_either_side() {
    if !dcmtk_is_here() {
        return;
    }
    let Some(certificates) = Certificates::made() else { return };
    let mut encrypted = config();
    encrypted.tls = Some(certificates.server(true));
    let server = serve(encrypted, &Arc::new(Archive::default())).await;
    let mut arguments =
        vec!["-v".to_owned(), "+tls".into(), certificates.path("client.key"), certificates.path("client.pem")];
    arguments.extend(["+cf".into(), certificates.path("ca.pem"), "127.0.0.1".into(), server.port()]);
    let output = run("echoscu", arguments).await;
    assert!(output.status.success(), "{output:?}");

    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let mut storescp = Command::new("storescp");
    storescp.args(["+xa", "+tls"]).args([certificates.path("server.key"), certificates.path("server.pem")]);
    storescp.arg("+cf").arg(certificates.path("ca.pem")).arg("-od").arg(folder.path()).arg(port.to_string());
    let _storescp = Program::listening(storescp, port).await;
    let files = Archive::with(3).files;
    let report = scu(Some(certificates.client(true)))
        .store(&peer("STORESCP", port), &files.instances(), &files, |_, _| {})
        .await;
    assert!(report.is_complete(), "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_known_title_with_another_certificate_than_its_own_is_refused() {
    let Some(certificates) = Certificates::made() else { return };
    let ct1 = |certificate| Peer { certificate, ..Peer::new("CT1".parse().unwrap(), "127.0.0.1", 104) };
    let call = async |known: Option<PeerCertificate>, shown: Option<&str>| {
        let ca = certificates.read("ca.pem");
        let mut strict = config();
        strict.tls = Some(certificates.server_asking(ClientCertificates::Optional(&ca)));
        strict.callers = Callers::Known { peers: vec![ct1(known)], check_host: true };
        let server = serve(strict, &Arc::new(Archive::default())).await;
        let calling = ScuConfig::new("CT1".parse().unwrap());
        let calling = ScuConfig { tls: Some(certificates.client_as(shown)), ..calling };
        Scu::new(calling).echo(&peer("HILUM", server.address.port())).await
    };
    let name = || Some("ct1.example.org".parse().unwrap());
    let own = || Some(certificates.fingerprint("ct1"));
    for (known, shown, expected) in [
        (None, None, true),
        (None, Some("client"), true),
        (name(), Some("ct1"), true),
        (name(), Some("client"), false),
        (name(), None, false),
        (own(), Some("ct1"), true),
        (own(), Some("client"), false),
        (own(), None, false),
    ] {
        let echoed = call(known.clone(), shown).await;
        assert_eq!(echoed.is_ok(), expected, "{known:?} {shown:?}");
        if let Err(error) = echoed {
            assert!(error.to_string().ends_with("it does not recognise our AE title"), "{error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_called_peer_with_another_certificate_than_its_own_is_not_spoken_to() {
    let Some(certificates) = Certificates::made() else { return };
    let mut encrypted = config();
    encrypted.tls = Some(certificates.server(false));
    let server = serve(encrypted, &Arc::new(Archive::default())).await;
    let scu = scu(Some(certificates.client(false)));
    for (certificate, expected) in [
        (certificates.fingerprint("server"), true),
        (certificates.fingerprint("client"), false),
        ("localhost".parse().unwrap(), true),
        ("ct1.example.org".parse().unwrap(), false),
    ] {
        let hilum = Peer { certificate: Some(certificate.clone()), ..peer("HILUM", server.address.port()) };
        assert_eq!(scu.echo(&hilum).await.is_ok(), expected, "{certificate:?}");
    }
}

#[test]
fn what_is_no_certificate_or_no_key_is_said() {
    let nothing = Identity { certificates: b"", key: b"" };
    assert!(matches!(TlsServer::new(nothing, ClientCertificates::NotAsked), Err(TlsError::Key)));
    assert!(matches!(TlsClient::new(b"-----BEGIN NONSENSE-----", None), Err(TlsError::Certificates(_))));
}
