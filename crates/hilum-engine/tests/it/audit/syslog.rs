//! The trail at a syslog server: what it hears is a DICOM audit message, and nothing depends on it.

use super::verified;
use crate::fixture::{config, engine, number, python};
use hilum_engine::audit::syslog::{SyslogIdentity, SyslogSettings};
use hilum_engine::audit::{Action, AuditEvent, Detail, KeyTag, Outcome, Subject};
use hilum_engine::{AccountId, Actor, Engine, EngineConfig, InstitutionCode, Role};
use std::net::{TcpListener, UdpSocket};
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::tempdir;
use tokio::io::AsyncReadExt as _;

pub fn settings(server: &str) -> SyslogSettings {
    SyslogSettings { server: server.parse().unwrap(), authorities: None, identity: None, source: "HILUM".into() }
}

fn event(index: usize) -> AuditEvent {
    let study = format!("1.2.{}", index + 1).parse().unwrap();
    AuditEvent::new(Actor::Console, Action::Export).of(InstitutionCode::local()).about([study])
}

/// One event of each action, with all that it can say.
fn one_of_each() -> Vec<AuditEvent> {
    let actors =
        [Actor::Account(AccountId(7)), Actor::Peer("A&B <\"C\">".parse().unwrap()), Actor::Console, Actor::System];
    let detail = Detail {
        subject: Some(Subject::Instances),
        series: Some("1.2.3.4".parse().unwrap()),
        keys: vec![KeyTag::try_from("00100020".to_owned()).unwrap(), KeyTag::try_from("00100010".to_owned()).unwrap()],
        peer: Some("PACS".parse().unwrap()),
        account: Some(AccountId(3)),
        role: Some(Role::Viewer),
        code: Some("because".into()),
        instances: Some(5),
        ..Detail::default()
    };
    let one = |(index, action): (usize, Action)| {
        let outcome = [Outcome::Done, Outcome::Refused, Outcome::Failed][index % 3];
        AuditEvent::new(actors[index % 4].clone(), action)
            .from_address("2001:db8::7".parse().unwrap())
            .ended(outcome)
            .of(InstitutionCode::local())
            .about(["1.2.3".parse().unwrap(), "1.2.4".parse().unwrap()])
            .with(if index % 2 == 0 { detail.clone() } else { Detail::default() })
    };
    let mut events: Vec<AuditEvent> = Action::ALL.into_iter().enumerate().map(one).collect();
    events.extend(Action::ALL.into_iter().enumerate().map(|(index, action)| one((index + 1, action))));
    events
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_syslog_server_hears_is_the_audit_message_of_the_standard() {
    let (data, scratch) = (tempdir().unwrap(), tempdir().unwrap());
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    server.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let address = format!("udp://{}", server.local_addr().unwrap());
    let engine = Engine::open(EngineConfig { syslog: Some(settings(&address)), ..config(data.path()) }).await.unwrap();
    let events = one_of_each();
    // A start and an end of the process beside them.
    let count = events.len() + 2;
    let mut heard = Vec::new();
    let mut datagram = vec![0; 65536];
    let mut hear = |until: usize| {
        while heard.len() < until {
            let length = server.recv(&mut datagram).unwrap();
            heard.push(String::from_utf8(datagram[..length].to_vec()).unwrap());
        }
        heard.clone()
    };
    // Some at a time: all together are more than a socket holds.
    let mut sent = 1;
    for some in events.chunks(20) {
        engine.audit_all(some).await.unwrap();
        sent += some.len();
        tokio::task::block_in_place(|| hear(sent));
    }
    engine.close().await;
    for (index, text) in hear(count).iter().enumerate() {
        let (header, xml) = text.split_once('\u{FEFF}').unwrap();
        let fields: Vec<&str> = header.trim_end().split(' ').collect();
        let [priority, _, _, app, process, kind, structured] = fields[..] else { panic!("{header}") };
        assert!(["<84>1", "<85>1"].contains(&priority), "{header}");
        assert_eq!((app, kind, structured), ("hilum", "DICOM+RFC3881", "-"));
        assert_eq!(process, std::process::id().to_string());
        std::fs::write(scratch.path().join(format!("{index:03}.xml")), xml).unwrap();
    }
    let Some(python) = python() else { return };
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/audit");
    let output = Command::new(python)
        .arg(format!("{folder}/messages.py"))
        .arg(format!("{folder}/message.rng"))
        .arg(scratch.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(said.trim(), format!("{count} messages are valid"));
}

/// The messages of a stream with octet counting (RFC 6587 3.4.1).
async fn framed(stream: &mut tokio::net::TcpStream, messages: usize) -> Vec<String> {
    let mut heard = Vec::new();
    let mut found = Vec::new();
    while found.len() < messages {
        let mut part = [0; 4096];
        let read = tokio::time::timeout(Duration::from_secs(20), stream.read(&mut part)).await.unwrap().unwrap();
        assert!(read > 0, "the stream ended after {} messages", found.len());
        heard.extend(&part[..read]);
        while let Some(space) = heard.iter().position(|byte| *byte == b' ') {
            let length: usize = std::str::from_utf8(&heard[..space]).unwrap().parse().unwrap();
            if heard.len() < space + 1 + length {
                break;
            }
            found.push(String::from_utf8(heard[space + 1..space + 1 + length].to_vec()).unwrap());
            heard.drain(..space + 1 + length);
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_syslog_server_that_is_away_holds_nobody_up_and_hears_everything_when_it_is_back() {
    let data = tempdir().unwrap();
    let address = crate::ports::free_address();
    let syslog = Some(settings(&format!("tcp://{address}")));
    let engine = Engine::open(EngineConfig { syslog, ..config(data.path()) }).await.unwrap();
    let started = Instant::now();
    for index in 0..20 {
        engine.audit(event(index)).await.unwrap();
    }
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert_eq!(number(data.path(), "SELECT count(*) FROM audit_event").await, 21);

    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    let (mut stream, _) = tokio::time::timeout(Duration::from_secs(20), listener.accept()).await.unwrap().unwrap();
    let heard = framed(&mut stream, 21).await;
    for (index, message) in heard.iter().enumerate().skip(1) {
        assert!(message.contains(&format!("ParticipantObjectID=\"1.2.{index}\"")), "{index}: {message}");
    }
    // It goes away in the middle, and comes back.
    drop(stream);
    tokio::time::sleep(Duration::from_millis(50)).await;
    engine.audit(event(30)).await.unwrap();
    let (mut stream, _) = tokio::time::timeout(Duration::from_secs(20), listener.accept()).await.unwrap().unwrap();
    assert!(framed(&mut stream, 1).await[0].contains("ParticipantObjectID=\"1.2.31\""));
    engine.close().await;
    assert!(verified(data.path(), &[]).await.whole);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_ends_though_the_syslog_server_never_answers() {
    let data = tempdir().unwrap();
    // It takes connections and reads nothing.
    let deaf = TcpListener::bind("127.0.0.1:0").unwrap();
    let syslog = Some(settings(&format!("tcp://{}", deaf.local_addr().unwrap())));
    let quick = engine(data.path()).await;
    quick.close().await;
    let engine = Engine::open(EngineConfig { syslog, ..config(data.path()) }).await.unwrap();
    let many: Vec<AuditEvent> = (0..20_000).map(event).collect();
    engine.audit_all(&many).await.unwrap();
    let started = Instant::now();
    engine.close().await;
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    let found = verified(data.path(), &[]).await;
    assert_eq!((found.whole, found.events), (true, 20_002));
}

/// An authority, and certificates for a server and a client that it signed.
const CERTIFICATES: &str = r"set -e
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=authority -keyout ca.key -out ca.pem
for name in server client; do
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=$name -keyout $name.key -out $name.csr
  printf 'subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n' > $name.ext
  openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile $name.ext -out $name.pem
done";

struct Killed(std::process::Child);

impl Drop for Killed {
    fn drop(&mut self) {
        drop(self.0.kill().and_then(|()| self.0.wait()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tls_openssl_hears_the_trail_of_who_shows_a_certificate_and_nothing_of_others() {
    let (data, other, folder) = (tempdir().unwrap(), tempdir().unwrap(), tempdir().unwrap());
    let folder = folder.path();
    let made = Command::new("sh").arg("-c").arg(CERTIFICATES).current_dir(folder).output();
    let Some(made) = made.ok().filter(|made| made.status.success()) else {
        assert!(std::env::var("HILUM_REQUIRE_ORACLES").as_deref() != Ok("1"), "openssl makes no certificates");
        println!("SKIPPED: there is no openssl");
        return;
    };
    drop(made);
    let port = crate::ports::free_address().port();
    let heard = folder.join("heard.txt");
    let server = Command::new("openssl")
        .args([
            "s_server",
            "-quiet",
            "-accept",
            &format!("127.0.0.1:{port}"),
            "-cert",
            "server.pem",
            "-key",
            "server.key",
        ])
        .args(["-Verify", "1", "-verify_return_error", "-CAfile", "ca.pem", "-naccept", "9"])
        .current_dir(folder)
        // It ends with its input.
        .stdin(std::process::Stdio::piped())
        .stdout(std::fs::File::create(&heard).unwrap())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let _server = Killed(server);
    let said = || std::fs::read_to_string(&heard).unwrap_or_default();
    let authorities = Some(folder.join("ca.pem"));
    let identity = Some(SyslogIdentity { certificate: folder.join("client.pem"), key: folder.join("client.key") });
    let own = SyslogSettings { authorities, identity, ..settings(&format!("tls://127.0.0.1:{port}")) };
    let nobody = SyslogSettings { identity: None, ..own.clone() };
    let refused = Engine::open(EngineConfig { syslog: Some(nobody), ..config(other.path()) }).await.unwrap();
    refused.audit(event(70)).await.unwrap();
    refused.close().await;

    let engine = Engine::open(EngineConfig { syslog: Some(own.clone()), ..config(data.path()) }).await.unwrap();
    for index in 0..3 {
        engine.audit(event(index)).await.unwrap();
    }
    let started = Instant::now();
    while !said().contains("ParticipantObjectID=\"1.2.3\"") {
        assert!(started.elapsed() < Duration::from_secs(20), "{}", said());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    engine.close().await;
    let said = said();
    // Octet counting (RFC 6587 3.4.1): the length stands before each, and the next one follows at once.
    let (length, first) = said.split_once(' ').unwrap();
    let first = &first.as_bytes()[..length.parse().unwrap()];
    assert!(first.starts_with(b"<8") && first.ends_with(b"</AuditMessage>"), "{said}");
    assert!(!said.contains("ParticipantObjectID=\"1.2.71\""), "{said}");
    for (missing, key) in [("ca.pem", "authorities"), ("client.pem", "certificate"), ("client.key", "key")] {
        std::fs::write(folder.join(missing), "nothing").unwrap();
        let error = Engine::open(EngineConfig { syslog: Some(own.clone()), ..config(data.path()) }).await.unwrap_err();
        assert!(error.to_string().starts_with(&format!("[audit] {key}: ")), "{error}");
        std::process::Command::new("sh").arg("-c").arg(CERTIFICATES).current_dir(folder).output().unwrap();
    }
}
