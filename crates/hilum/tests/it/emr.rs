//! Medical records: a scripted receiver gets every report, also after it was away, refused it, or its answer was lost; what a record tells is
//! acknowledged once it is kept.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::program::{Server, assert_code, command, out, small_study};

const PATIENCE: Duration = Duration::from_mins(2);

fn said(data: &Path, arguments: &[&str]) -> String {
    let configuration = data.with_extension("toml");
    let output = command().args(arguments).arg("--config").arg(configuration).arg("--data").arg(data).output().unwrap();
    assert_code(&output, 0);
    out(&output)
}

fn json(data: &Path, arguments: &[&str]) -> Value {
    serde_json::from_str(&said(data, arguments)).unwrap()
}

/// The events of an action, a line each.
fn trail(data: &Path, action: &str) -> String {
    said(data, &["audit", "list", "--action", action, "--json"])
}

fn deliveries(data: &Path) -> Vec<Value> {
    json(data, &["deliveries", "--json"])["items"].as_array().unwrap().clone()
}

fn until(what: &str, mut check: impl FnMut() -> bool) {
    let started = Instant::now();
    while !check() {
        assert!(started.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Reads a study into a running server.
fn import(data: &Path, folder: &Path) {
    let files = small_study(folder, 21);
    let output = command().args(["import", "--data"]).arg(data).arg(files).output().unwrap();
    assert_code(&output, 0);
}

/// The next connection.
fn connection(listener: &TcpListener, patience: Duration) -> Option<TcpStream> {
    listener.set_nonblocking(true).unwrap();
    let started = Instant::now();
    while started.elapsed() < patience {
        if let Ok((socket, _)) = listener.accept() {
            socket.set_nonblocking(false).unwrap();
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            return Some(socket);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    None
}

/// The next message over MLLP, without its frame.
fn message(socket: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\x1c\r") {
        assert_eq!(socket.read(&mut byte).unwrap(), 1, "the sender closed");
        bytes.push(byte[0]);
    }
    assert_eq!(bytes[0], 0x0b);
    bytes[1..bytes.len() - 2].to_vec()
}

fn control_id(message: &[u8]) -> String {
    String::from_utf8_lossy(message).split('|').nth(9).unwrap().to_owned()
}

fn acknowledge(socket: &mut TcpStream, of: &[u8], code: &str) {
    let text = format!("MSH|^~\\&|OCS||HILUM||20260101||ACK^R01^ACK|1|P|2.5.1\rMSA|{code}|{}\r", control_id(of));
    socket.write_all(&[b"\x0b", text.as_bytes(), b"\x1c\r"].concat()).unwrap();
}

#[test]
fn a_report_reaches_a_record_once_that_was_away_refused_it_lost_an_answer_and_saw_us_die() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    // Nobody listens there yet.
    let address = crate::ports::free_address();
    let configuration = format!(
        "quiet_after_seconds = 1\n[[emr.destinations]]\nname = \"ocs\"\nmllp = \"{address}\"\n\
         character_set = \"cp949\"\nreceiving_application = \"OCS\"\nanswer_seconds = 5\n"
    );
    let server = Server::start_with(&data, &configuration);
    import(&data, folder.path());
    until("a try that reaches nobody", || deliveries(&data).iter().any(|one| one["tries"].as_u64() >= Some(1)));
    let waiting = deliveries(&data).remove(0);
    assert_eq!(waiting["state"], "waiting");
    assert!(waiting["reason"].as_str().unwrap().starts_with("not connected"), "{waiting}");
    let id = waiting["control_id"].as_str().unwrap().to_owned();

    // It comes back, takes the message and falls over before it answers; then it does not want it; then we die before the answer.
    let listener = TcpListener::bind(address).unwrap();
    let due = || {
        json(&data, &["deliveries", "--retry", "--json"]);
    };
    due();
    let first = message(&mut connection(&listener, PATIENCE).unwrap());
    until("the lost answer is noted", || deliveries(&data)[0]["reason"].to_string().contains("without an answer"));
    due();
    let mut socket = connection(&listener, PATIENCE).unwrap();
    let second = message(&mut socket);
    acknowledge(&mut socket, &second, "AE");
    until("the refusal is noted", || deliveries(&data)[0]["reason"] == "the receiver answered AE");
    due();
    let mut socket = connection(&listener, PATIENCE).unwrap();
    let third = message(&mut socket);
    assert_eq!(server.signal("KILL"), None);
    drop(socket);

    let server = Server::start_with(&data, &configuration);
    due();
    let mut socket = connection(&listener, PATIENCE).unwrap();
    let fourth = message(&mut socket);
    acknowledge(&mut socket, &fourth, "AA");
    until("it is delivered", || deliveries(&data)[0]["state"] == "delivered");
    assert!([&second, &third, &fourth].into_iter().all(|again| *again == first), "the same bytes under the same ID");
    assert_eq!(control_id(&first), id);
    assert!(connection(&listener, Duration::from_secs(4)).is_none(), "nothing comes twice");
    let audited = trail(&data, "deliver");
    assert!(audited.contains("\"destination\":\"ocs\""), "{audited}");
    assert_eq!(server.signal("TERM"), Some(0));
}

/// A request over HTTP: its head and its body.
fn request(socket: &mut TcpStream) -> (String, Vec<u8>) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        assert_eq!(socket.read(&mut byte).unwrap(), 1, "the sender closed");
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
    let mut body = vec![0; length];
    socket.read_exact(&mut body).unwrap();
    (head, body)
}

fn answer(socket: &mut TcpStream, status: &str, body: &Value) {
    let body = body.to_string();
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    socket.write_all(&[head.as_bytes(), body.as_bytes()].concat()).unwrap();
}

#[test]
fn a_fhir_server_gets_a_transaction_with_our_token_until_it_has_taken_all_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    std::fs::write(folder.path().join("emr.token"), "first-token\n").unwrap();
    let configuration = format!(
        "quiet_after_seconds = 1\n[[emr.destinations]]\nname = \"emr\"\nfhir = \"http://{}/fhir\"\n\
         token_file = \"emr.token\"\nlanguage = \"en\"\n",
        listener.local_addr().unwrap()
    );
    let server = Server::start_with(&data, &configuration);
    import(&data, folder.path());
    let mut socket = connection(&listener, PATIENCE).unwrap();
    let (head, body) = request(&mut socket);
    assert!(head.starts_with("post /fhir http/1.1") && head.contains("authorization: bearer first-token"), "{head}");
    answer(&mut socket, "503 Service Unavailable", &serde_json::json!({}));
    until("the failure is noted", || deliveries(&data)[0]["reason"] == "the server answered 503");
    let bundle: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(
        (&bundle["type"], &bundle["entry"][0]["resource"]["resourceType"]),
        (&"transaction".into(), &"ImagingStudy".into())
    );

    std::fs::write(folder.path().join("emr.token"), "renewed-token").unwrap();
    json(&data, &["deliveries", "--retry", "--json"]);
    let mut socket = connection(&listener, PATIENCE).unwrap();
    let (head, again) = request(&mut socket);
    assert!(head.contains("authorization: bearer renewed-token"), "{head}");
    assert_eq!(again, body);
    let taken = |_: &Value| serde_json::json!({ "response": { "status": "201 Created" } });
    let entries: Vec<Value> = bundle["entry"].as_array().unwrap().iter().map(taken).collect();
    answer(
        &mut socket,
        "200 OK",
        &serde_json::json!({ "resourceType": "Bundle", "type": "transaction-response", "entry": entries }),
    );
    until("it is delivered", || deliveries(&data)[0]["state"] == "delivered");
    assert!(connection(&listener, Duration::from_secs(3)).is_none(), "nothing comes twice");
    assert_eq!(server.signal("TERM"), Some(0));
}

#[test]
fn what_a_record_tells_is_acknowledged_once_it_is_kept_and_strangers_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let configuration = "[emr]\nlisten = \"127.0.0.1:0\"\n[[emr.senders]]\nname = \"his\"\napplication = \"HIS\"\n\
                         facility = \"KSH\"\ncharacter_set = \"cp949\"\n";
    let server = Server::start_with(&data, configuration);
    let said = server.said("HL7 listener");
    let address = said.split_whitespace().find(|word| word.contains(':')).unwrap().trim_end_matches(',').to_owned();
    assert!(said.ends_with("from his"), "{said}");

    let mut socket = TcpStream::connect(&address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut say = |text: &str| {
        // Byte by byte, as a slow interface does.
        for byte in [b"\x0b", text.as_bytes(), b"\x1c\r"].concat() {
            socket.write_all(&[byte]).unwrap();
        }
        let answer = String::from_utf8(message(&mut socket)).unwrap();
        let msa = answer.split('\r').find(|line| line.starts_with("MSA")).unwrap().to_owned();
        (msa, answer)
    };
    let adt = |facility: &str, id: u32, rest: &str| {
        format!("MSH|^~\\&|HIS|{facility}|HILUM||20261126||ADT^A08|{id}|P|2.5.1\r{rest}")
    };
    let pregnant = "PID|||SYN-000021\rDG1|1||O26.8^^I10||20261101\r";
    for (text, expected) in [
        (adt("KSH", 1, pregnant), "MSA|AA|1"),
        (adt("KSH", 1, pregnant), "MSA|AA|1"),
        (adt("KSH", 2, "EVN|A08"), "MSA|AE|2"),
        (adt("OTHER", 3, pregnant), "MSA|AR|3"),
    ] {
        let (msa, answer) = say(&text);
        assert_eq!(msa, expected, "{answer}");
    }
    // Something else than MLLP ends the connection, and nobody else's.
    let mut stranger = TcpStream::connect(&address).unwrap();
    stranger.set_read_timeout(Some(PATIENCE)).unwrap();
    stranger.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    assert!(matches!(stranger.read(&mut [0; 16]), Ok(0) | Err(_)));
    // Nor is a stranger listened to after the refusal.
    let mut stranger = TcpStream::connect(&address).unwrap();
    stranger.set_read_timeout(Some(PATIENCE)).unwrap();
    stranger.write_all(&[b"\x0b", adt("OTHER", 5, pregnant).as_bytes(), b"\x1c\r"].concat()).unwrap();
    assert!(String::from_utf8(message(&mut stranger)).unwrap().contains("MSA|AR|5"));
    assert!(matches!(stranger.read(&mut [0; 16]), Ok(0) | Err(_)));
    assert_eq!(say(&adt("KSH", 4, pregnant)).0, "MSA|AA|4");
    let audited = trail(&data, "receive_patient_data");
    assert!(audited.contains("\"destination\":\"his\"") && !audited.contains("SYN-000021"), "{audited}");
    let audited = trail(&data, "admit");
    assert!(audited.contains("unknown_sender"), "{audited}");
    assert_eq!(server.signal("TERM"), Some(0));
}

#[test]
fn a_fhir_server_is_asked_for_a_patient_by_forms_and_what_it_says_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}/fhir", listener.local_addr().unwrap());
    let configuration = format!(
        "quiet_after_seconds = 1\n[[emr.sources]]\nname = \"record\"\nfhir = \"{base}\"\npatient_system = \"urn:oid:1.2\"\n"
    );
    let server = Server::start_with(&data, &configuration);
    import(&data, folder.path());
    let searchset = |entries: Value, next: Option<&str>| {
        let links: Vec<Value> = next.iter().map(|url| serde_json::json!({ "relation": "next", "url": url })).collect();
        serde_json::json!({ "resourceType": "Bundle", "type": "searchset", "link": links, "entry": entries })
    };
    let condition = |code: &str, day: &str| {
        let coding = serde_json::json!({ "system": "http://hl7.org/fhir/sid/icd-10", "code": code });
        serde_json::json!([{ "resource": {
            "resourceType": "Condition", "code": { "coding": [coding] }, "recordedDate": day, "subject": {},
        } }])
    };
    // The first answer leads elsewhere, where our questions do not go.
    let mut socket = connection(&listener, PATIENCE).unwrap();
    let (head, body) = request(&mut socket);
    assert!(head.starts_with("post /fhir/condition/_search http/1.1"), "{head}");
    let form = String::from_utf8(body).unwrap();
    assert!(form.starts_with("patient.identifier=urn:oid:1.2%7CSYN-"), "{form}");
    answer(&mut socket, "200 OK", &searchset(serde_json::json!([]), Some("http://127.0.0.1:9/steal")));
    until("the refusal is noted", || deliveries(&data)[0]["reason"].to_string().contains("somewhere else"));

    json(&data, &["deliveries", "--retry", "--json"]);
    for (expected, answered) in [
        ("post /fhir/condition/_search", searchset(condition("Z90.5", "2010-01-01"), Some(&format!("{base}?page=2")))),
        ("get /fhir?page=2", searchset(condition("I71.4", "2011-01-01"), None)),
        ("post /fhir/observation/_search", searchset(serde_json::json!([]), None)),
    ] {
        let mut socket = connection(&listener, PATIENCE).unwrap();
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            assert_eq!(socket.read(&mut byte).unwrap(), 1, "the sender closed");
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap().to_lowercase();
        assert!(head.starts_with(expected) && !head.contains("syn-"), "{expected}: {head}");
        let length =
            head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |n| n.parse().unwrap());
        socket.read_exact(&mut vec![0; length]).unwrap();
        answer(&mut socket, "200 OK", &answered);
    }
    until("it is asked", || deliveries(&data)[0]["state"] == "delivered");
    let audited = trail(&data, "receive_patient_data");
    assert!(audited.contains("\"destination\":\"record\""), "{audited}");
    assert_eq!(server.signal("TERM"), Some(0));
}
