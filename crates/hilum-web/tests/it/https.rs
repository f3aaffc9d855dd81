//! HTTPS, as openssl, curl and Python's ssl see it.

use std::{path::Path, process::Command};

use hilum_web::{Https, HttpsError, PublicName};

use crate::{
    client::{Running, start_with},
    oracle::python,
};

/// Certificates made by openssl for one test.
pub struct Certificates {
    folder: tempfile::TempDir,
}

impl Certificates {
    /// `NAME.pem` and `NAME.key` for each name, with a common name of its own.
    pub fn made(names: &[&str]) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let openssl = |arguments: &[&str]| Command::new("openssl").args(arguments).current_dir(folder.path()).output();
        if openssl(&["version"]).is_err() {
            assert!(std::env::var_os("HILUM_REQUIRE_ORACLES").is_none(), "openssl is not installed");
            println!("SKIPPED: openssl is not installed");
            return None;
        }
        for name in names {
            let (key, pem, subject) = (format!("{name}.key"), format!("{name}.pem"), format!("/CN={name}"));
            let output = openssl(&[
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
                "-days",
                "2",
                "-subj",
                &subject,
                "-addext",
                "subjectAltName=DNS:localhost,DNS:hilum.hospital.example,IP:127.0.0.1",
                "-keyout",
                &key,
                "-out",
                &pem,
            ]);
            let output = output.unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        Some(Self { folder })
    }

    pub fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(Path::new(&self.path(name))).unwrap()
    }

    pub fn https(&self, name: &str) -> Https {
        Https::new(&self.read(&format!("{name}.pem")), &self.read(&format!("{name}.key"))).unwrap()
    }
}

async fn start(https: &Https) -> Running {
    let names: Vec<PublicName> = vec!["hilum.hospital.example".parse().unwrap()];
    start_with(|config| {
        config.https = Some(https.clone());
        config.public_names = names;
    })
    .await
}

/// What a program prints, whatever it ends with.
async fn output(program: &'static str, arguments: Vec<String>) -> (bool, String) {
    let run = move || {
        let mut command = Command::new(program);
        command.args(arguments).stdin(std::process::Stdio::null()).output().unwrap()
    };
    let output = tokio::task::spawn_blocking(run).await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), text)
}

fn texts<const N: usize>(arguments: [&str; N]) -> Vec<String> {
    arguments.map(str::to_owned).to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_1_2_and_1_3_are_spoken_and_nothing_older() {
    let Some(certificates) = Certificates::made(&["first"]) else { return };
    let server = start(&certificates.https("first")).await;
    let address = server.address.to_string();
    for (version, spoken) in [("-tls1_3", "TLSv1.3"), ("-tls1_2", "TLSv1.2")] {
        let arguments = [
            "s_client",
            "-connect",
            &address,
            version,
            "-alpn",
            "h2,http/1.1",
            "-CAfile",
            &certificates.path("first.pem"),
        ];
        let (_, told) = output("openssl", texts(arguments)).await;
        assert!(told.contains(&format!("New, {spoken}")) || told.contains(&format!("Protocol  : {spoken}")), "{told}");
        assert!(told.contains("ALPN protocol: http/1.1") && told.contains("Verify return code: 0"), "{told}");
    }
    for version in ["-tls1_1", "-tls1"] {
        let arguments = ["s_client", "-connect", &address, version, "-cipher", "DEFAULT@SECLEVEL=0"];
        let (done, told) = output("openssl", texts(arguments)).await;
        assert!(!done && told.contains("New, (NONE)") && told.contains("alert"), "{version}: {told}");
    }
}

const CHECKED: &str = r"
import http.client, socket, ssl, sys
address, authority = sys.argv[1:]
host, port = address.split(':')
trusting = ssl.create_default_context(cafile=authority)
def ask(context, name, method='GET', path='/healthz', headers={}):
    connection = http.client.HTTPSConnection(host, int(port), context=context)
    plain = socket.create_connection((host, int(port)), timeout=20)
    connection.sock = context.wrap_socket(plain, server_hostname=name)
    connection.request(method, path, headers={'Host': name, **headers})
    answer = connection.getresponse()
    answer.read()
    return answer
def refused(context, name):
    try:
        ask(context, name)
    except ssl.SSLCertVerificationError:
        return True
careless = ssl.create_default_context()
careless.check_hostname = False
careless.verify_mode = ssl.CERT_NONE
for name in ['hilum.hospital.example', 'localhost', '127.0.0.1']:
    answer = ask(trusting, name)
    print(name, answer.status, answer.getheader('Strict-Transport-Security'))
print('wrong name', refused(trusting, 'other.example'))
print('unknown authority', refused(ssl.create_default_context(), 'localhost'))
print('careless', ask(careless, 'other.example').status)
cancel = '/api/v1/studies/1.2.3/reading/cancel'
for origin in ['https://hilum.hospital.example', 'http://hilum.hospital.example', 'https://evil.example']:
    print(origin, ask(trusting, 'hilum.hospital.example', 'POST', cancel, {'Origin': origin}).status == 403)
";

#[tokio::test(flavor = "multi_thread")]
async fn the_right_name_is_answered_with_hsts_and_another_never() {
    let Some(certificates) = Certificates::made(&["first"]) else { return };
    let server = start(&certificates.https("first")).await;
    let arguments = vec![server.address.to_string(), certificates.path("first.pem")];
    let Some(told) = python(CHECKED, arguments).await else { return };
    let expected = [
        "hilum.hospital.example 200 max-age=31536000",
        // Browsers keep HSTS by name, and other programs on localhost have no HTTPS.
        "localhost 200 None",
        "127.0.0.1 200 None",
        "wrong name True",
        "unknown authority True",
        "careless 421",
        "https://hilum.hospital.example False",
        "http://hilum.hospital.example True",
        "https://evil.example True",
    ];
    assert_eq!(told.lines().collect::<Vec<_>>(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_speaks_http_to_the_port_of_https_is_told_so() {
    let Some(certificates) = Certificates::made(&["first"]) else { return };
    let server = start(&certificates.https("first")).await;
    let answer = server.get("/api/v1/system").await;
    assert_eq!((answer.status, answer.text()), (400, "This port speaks HTTPS: write https:// instead"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_replaced_while_the_server_runs_and_a_wrong_one_is_not_taken() {
    let Some(certificates) = Certificates::made(&["first", "second"]) else { return };
    let https = certificates.https("first");
    let server = start(&https).await;
    let address = server.address.to_string();
    let shown = async || {
        let (_, told) = output("openssl", texts(["s_client", "-connect", &address])).await;
        told.lines().find_map(|line| line.strip_prefix("subject=")).unwrap_or_default().to_owned()
    };
    assert!(shown().await.ends_with("first"));
    let mixed = https.replace(&certificates.read("second.pem"), &certificates.read("first.key")).unwrap_err();
    assert!(matches!(mixed, HttpsError::Unusable(_)), "{mixed}");
    assert!(matches!(https.replace(b"", &certificates.read("second.key")), Err(HttpsError::Certificate)));
    assert!(matches!(https.replace(&certificates.read("second.pem"), b""), Err(HttpsError::Key)));
    assert!(shown().await.ends_with("first"));
    https.replace(&certificates.read("second.pem"), &certificates.read("second.key")).unwrap();
    assert!(shown().await.ends_with("second"));
}

#[tokio::test(flavor = "multi_thread")]
async fn urls_in_answers_lead_back_by_https() {
    let Some(certificates) = Certificates::made(&["first"]) else { return };
    let https = certificates.https("first");
    let server = start(&https).await;
    let series = crate::synthetic::series(7, 1, 0);
    let body = crate::synthetic::multipart("bound", &[&series.instances[0].1]);
    let path = certificates.path("body");
    std::fs::write(&path, body).unwrap();
    let (done, told) = output(
        "curl",
        texts([
            "-sS",
            "--cacert",
            &certificates.path("first.pem"),
            "--resolve",
            &format!("hilum.hospital.example:{}:127.0.0.1", server.address.port()),
            "-H",
            "Content-Type: multipart/related; type=\"application/dicom\"; boundary=bound",
            "-H",
            &format!("Authorization: Bearer {}", server.token),
            "--data-binary",
            &format!("@{path}"),
            &format!("https://hilum.hospital.example:{}/dicom-web/studies", server.address.port()),
        ]),
    )
    .await;
    let url = format!("https://hilum.hospital.example:{}/dicom-web/studies/", server.address.port());
    assert!(done && told.contains(&url), "{told}");
}
