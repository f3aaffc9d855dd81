//! TLS: our two sides with each other, and dcmtk on either.

use std::{path::Path, process::Command, sync::Arc};

use hilum_dimse::{Identity, Peer, Scu, ScuConfig, ScuError, TlsClient, TlsError, TlsServer};

use crate::{
    archive::{Archive, Program, free_port, serve},
    dcmtk::{dcmtk_is_here, run},
    server::config,
};

/// An authority and two certificates of it, made by openssl for this one test.
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
        std::fs::write(folder.path().join("san"), "subjectAltName=IP:127.0.0.1,DNS:localhost\n").unwrap();
        for name in ["server", "client"] {
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
        let (certificates, key, ca) = (self.read("server.pem"), self.read("server.key"), self.read("ca.pem"));
        let identity = Identity { certificates: &certificates, key: &key };
        TlsServer::new(identity, asks_for_certificates.then_some(&ca[..])).unwrap()
    }

    fn client(&self, has_certificate: bool) -> TlsClient {
        let (certificates, key, ca) = (self.read("client.pem"), self.read("client.key"), self.read("ca.pem"));
        let identity = Identity { certificates: &certificates, key: &key };
        TlsClient::new(&ca, has_certificate.then_some(identity)).unwrap()
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

#[test]
fn what_is_no_certificate_or_no_key_is_said() {
    let nothing = Identity { certificates: b"", key: b"" };
    assert!(matches!(TlsServer::new(nothing, None), Err(TlsError::Key)));
    assert!(matches!(TlsClient::new(b"-----BEGIN NONSENSE-----", None), Err(TlsError::Certificates(_))));
}
