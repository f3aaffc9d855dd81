//! UPS-RS over a real socket: what PS3.18 11 says of each transaction, by requests that were written from it.

use serde_json::{Value, json};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use hilum_engine::accounts::AccountPatch;
use hilum_engine::{Grant, Role};

use crate::client::{Answer, Running, start, start_with, token, token_at};
use crate::oracle::python;

const JSON: &str = "application/dicom+json";
const WORKITEMS: &str = "/dicom-web/workitems";
const WORKLIST: &str = "1.2.840.10008.5.1.4.34.5";
const FILTERED: &str = "1.2.840.10008.5.1.4.34.5.1";
const UID: &str = "1.2.826.0.1.3680043.8.498.7";

/// PS3.4 Table CC.2.5-3: what is of type 1, and of type 2 what says something.
pub fn wanted() -> Value {
    let code = json!([{
        "00080100": {"vr": "SH", "Value": ["118293004"]},
        "00080102": {"vr": "SH", "Value": ["SCT"]},
        "00080104": {"vr": "LO", "Value": ["Radiology"]}
    }]);
    json!({
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Hong^Gildong", "Ideographic": "洪^吉洞", "Phonetic": "홍^길동"}]},
        "00100020": {"vr": "LO", "Value": ["KR0001"]},
        "00404005": {"vr": "DT", "Value": ["20261126190000+0900"]},
        "00404018": {"vr": "SQ", "Value": code},
        "00404021": {"vr": "SQ", "Value": [{"0020000D": {"vr": "UI", "Value": ["1.2.3.4"]}}]},
        "00404041": {"vr": "CS", "Value": ["READY"]},
        "00741000": {"vr": "CS", "Value": ["SCHEDULED"]},
        "00741200": {"vr": "CS", "Value": ["HIGH"]},
        "00741202": {"vr": "LO", "Value": ["CT stones"]},
        "00741204": {"vr": "LO", "Value": ["Stone reading"]}
    })
}

fn state(state: &str, transaction: &str) -> Value {
    json!({"00741000": {"vr": "CS", "Value": [state]}, "00081195": {"vr": "UI", "Value": [transaction]}})
}

async fn send(server: &Running, method: &str, path: &str, body: &Value) -> Answer {
    server.send(method, path, &[("Content-Type", JSON)], body.to_string().as_bytes()).await
}

async fn created(server: &Running) {
    let answer = send(server, "POST", &format!("{WORKITEMS}?{UID}"), &json!([wanted()])).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
}

fn item(rest: &str) -> String {
    format!("{WORKITEMS}/{UID}{rest}")
}

/// `299 <service>: text`
#[track_caller]
fn warned(server: &Running, answer: &Answer, text: &str) {
    let expected = format!("299 http://{}/dicom-web: {text}", server.address);
    assert_eq!(answer.header("warning"), Some(expected.as_str()), "{} {}", answer.status, answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_work_item_is_created_retrieved_updated_claimed_and_completed_as_the_standard_says() {
    let server = start().await;
    let answer = send(&server, "POST", &format!("{WORKITEMS}?{UID}"), &json!([wanted()])).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let url = format!("http://{}{}", server.address, item(""));
    assert_eq!(answer.header("location"), Some(url.as_str()));
    warned(&server, &answer, "The Workitem was created with modifications.");
    let again = send(&server, "POST", &format!("{WORKITEMS}?workitem={UID}"), &wanted()).await;
    assert_eq!(again.status, 409, "{}", again.text());

    let answer = server.get_as(&item(""), JSON).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some(JSON)));
    let got = answer.json();
    assert_eq!(got[0]["00080018"]["Value"], json!([UID]));
    assert_eq!(got[0]["00080016"]["Value"], json!(["1.2.840.10008.5.1.4.34.6.1"]));
    assert_eq!(got[0]["00080005"]["Value"], json!(["ISO_IR 192"]));
    assert_eq!(got[0]["00741000"]["Value"], json!(["SCHEDULED"]));
    assert_eq!(got[0]["00741216"], json!({"vr": "SQ"}), "type 2, and nothing was done yet");

    // Nobody has claimed it: a Transaction UID is out of place, and without one it can be changed.
    let label = json!({"00741204": {"vr": "LO", "Value": ["Another label"]}});
    let answer = send(&server, "POST", &item("?1.2.3"), &label).await;
    assert_eq!(answer.status, 409);
    warned(&server, &answer, "The target URI did not reference a claimed Workitem.");
    assert_eq!(send(&server, "POST", &item(""), &label).await.status, 200);
    assert_eq!(server.get(&item("")).await.json()[0]["00741204"]["Value"], json!(["Another label"]));

    let without = json!({"00741000": {"vr": "CS", "Value": ["IN PROGRESS"]}});
    let answer = send(&server, "PUT", &item("/state"), &without).await;
    assert_eq!(answer.status, 400);
    warned(&server, &answer, "The Transaction UID is missing.");
    assert_eq!(send(&server, "PUT", &item("/state"), &state("IN PROGRESS", "1.2.3")).await.status, 200);
    let answer = send(&server, "PUT", &item("/state"), &state("IN PROGRESS", "1.2.4")).await;
    assert_eq!(answer.status, 409);
    warned(&server, &answer, "The submitted request is inconsistent with the state of the UPS Instance.");
    assert!(!server.get(&item("")).await.text().contains("00081195"), "the lock is told to nobody");

    let code = |value: &str| json!([{"00080100": {"vr": "SH", "Value": [value]}}]);
    let step = json!({"00741216": {"vr": "SQ", "Value": [{
        "00404028": {"vr": "SQ", "Value": code("STATION")},
        "00404019": {"vr": "SQ", "Value": code("118293004")},
        "00404050": {"vr": "DT", "Value": ["20261126190000"]},
        "00404051": {"vr": "DT", "Value": ["20261126190500"]},
        "00404033": {"vr": "SQ", "Value": [{"0020000D": {"vr": "UI", "Value": ["1.2.3.4"]}}]}
    }]}});
    let answer = send(&server, "POST", &item(""), &step).await;
    assert_eq!(answer.status, 400);
    warned(&server, &answer, "The target URI did not reference a claimed Workitem.");
    let answer = send(&server, "POST", &item("?transaction-uid=1.2.4"), &step).await;
    assert_eq!(answer.status, 400, "PS3.18 Table 11.6.3-1");
    warned(&server, &answer, "The submitted request is inconsistent with the current state of the Workitem.");
    let answer = send(&server, "PUT", &item("/state"), &state("COMPLETED", "1.2.3")).await;
    assert_eq!(answer.status, 409, "its final state is not met");
    assert_eq!(send(&server, "POST", &item("?1.2.3"), &step).await.status, 200);
    let answer = send(&server, "PUT", &item("/state"), &state("COMPLETED", "1.2.4")).await;
    assert_eq!(answer.status, 400, "PS3.18 Table 11.7.3-1");
    warned(&server, &answer, "The Transaction UID is incorrect.");
    assert_eq!(send(&server, "PUT", &item("/state"), &state("COMPLETED", "1.2.3")).await.status, 200);
    let answer = send(&server, "PUT", &item("/state"), &state("COMPLETED", "1.2.3")).await;
    assert_eq!(answer.status, 200);
    warned(&server, &answer, "The UPS is already in the requested state of COMPLETED.");
    let answer = server.send("POST", &item("/cancelrequest"), &[], b"").await;
    assert_eq!(answer.status, 409);
    warned(&server, &answer, "The UPS is already COMPLETED.");
    let answer = send(&server, "POST", &item("?1.2.3"), &step).await;
    assert_eq!(answer.status, 400, "PS3.18 11.6.2");
    warned(&server, &answer, "The submitted request is inconsistent with the current state of the Workitem.");
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_is_accepted_told_twice_and_refused_where_nobody_hears() {
    let server = start().await;
    created(&server).await;
    let reason = json!({"00741238": {"vr": "LT", "Value": ["ordered twice"]}});
    assert_eq!(send(&server, "POST", &item("/cancelrequest"), &reason).await.status, 202);
    let got = server.get(&item("")).await.json();
    assert_eq!(got[0]["00741000"]["Value"], json!(["CANCELED"]));
    assert_eq!(got[0]["00741002"]["Value"][0]["00741238"]["Value"], json!(["ordered twice"]));
    let answer = send(&server, "POST", &item("/cancelrequest"), &reason).await;
    assert_eq!(answer.status, 202);
    warned(&server, &answer, "The UPS is already in the requested state of CANCELED.");

    let other = format!("{WORKITEMS}/1.2.9");
    assert_eq!(send(&server, "POST", &format!("{WORKITEMS}?1.2.9"), &wanted()).await.status, 201);
    assert_eq!(send(&server, "PUT", &format!("{other}/state"), &state("IN PROGRESS", "1.2.3")).await.status, 200);
    let answer = send(&server, "POST", &format!("{other}/cancelrequest"), &reason).await;
    assert_eq!(answer.status, 409);
    warned(&server, &answer, "The performer cannot be contacted.");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_work_item_is_refused_with_a_status_of_its_own_and_never_quoted() {
    let server = start().await;
    let refused = async |path: &str, content_type: &str, body: &str, status: u16| {
        let answer = server.send("POST", path, &[("Content-Type", content_type)], body.as_bytes()).await;
        assert_eq!(answer.status, status, "{path} {content_type} {body}: {}", answer.text());
        assert!(!answer.text().contains("SECRET"), "{}", answer.text());
    };
    let whole = wanted().to_string();
    refused(WORKITEMS, "text/plain", &whole, 415).await;
    refused(WORKITEMS, JSON, "{\"SECRET", 400).await;
    refused(WORKITEMS, JSON, "[]", 400).await;
    refused(WORKITEMS, JSON, "[{}, {}]", 400).await;
    refused(WORKITEMS, JSON, "{}", 400).await;
    refused(WORKITEMS, JSON, "{\"00741200\": {\"vr\": \"CS\", \"Value\": \"SECRET\"}}", 400).await;
    refused(&format!("{WORKITEMS}?workitem=SECRET"), JSON, &whole, 400).await;
    refused(&format!("{WORKITEMS}?other=SECRET"), JSON, &whole, 400).await;
    refused(&format!("{WORKITEMS}?1.02.3"), JSON, &whole, 400).await;
    refused(WORKITEMS, JSON, &whole.replace("HIGH", "SECRET"), 400).await;
    refused(WORKITEMS, JSON, &whole.replace("\"SCHEDULED\"", "\"COMPLETED\""), 400).await;
    refused(WORKITEMS, "application/dicom+xml", "<SECRET/>", 400).await;
    let long = format!("{{\"00741204\": {{\"vr\": \"LO\", \"Value\": [\"{}\"]}}}}", "x".repeat(2 << 20));
    refused(WORKITEMS, JSON, &long, 413).await;
    for path in [item(""), item("/state"), item("/cancelrequest")] {
        let method = if path.ends_with("state") { "PUT" } else { "POST" };
        let answer = send(&server, method, &path, &state("IN PROGRESS", "1.2.3")).await;
        let expected = if path.ends_with("cancelrequest") { 400 } else { 404 };
        assert_eq!(answer.status, expected, "{path}: {}", answer.text());
    }
    assert_eq!(server.get(&item("")).await.status, 404);
    assert_eq!(server.get(WORKITEMS).await.status, 204);
    assert_eq!(server.get_as(WORKITEMS, "text/plain").await.status, 406);
    assert_eq!(server.get(&format!("{WORKITEMS}?TransactionUID=1.2.3")).await.status, 400);
}

/// The data set in the Native DICOM Model that pydicom's JSON says, written by hand.
const XML: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<NativeDicomModel xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM" xml:space="preserve">
<DicomAttribute tag="00100010" vr="PN" keyword="PatientName"><PersonName number="1">
<Alphabetic><FamilyName>Hong</FamilyName><GivenName>Gildong</GivenName></Alphabetic>
<Phonetic><FamilyName>홍</FamilyName><GivenName>길동</GivenName></Phonetic></PersonName></DicomAttribute>
<DicomAttribute tag="00404005" vr="DT"><Value number="1">20261126</Value></DicomAttribute>
<DicomAttribute tag="00404018" vr="SQ"><Item number="1">
<DicomAttribute tag="00080100" vr="SH"><Value number="1">A &amp; B</Value></DicomAttribute></Item></DicomAttribute>
<DicomAttribute tag="00404041" vr="CS"><Value number="1">READY</Value></DicomAttribute>
<DicomAttribute tag="00741000" vr="CS"><Value number="1">SCHEDULED</Value></DicomAttribute>
<DicomAttribute tag="00741200" vr="CS"><Value number="1">LOW</Value></DicomAttribute>
<DicomAttribute tag="00741204" vr="LO"><Value number="1">Stone reading</Value></DicomAttribute>
</NativeDicomModel>"#;

#[tokio::test(flavor = "multi_thread")]
async fn xml_says_the_same_as_json_in_both_directions() {
    let server = start().await;
    let headers = [("Content-Type", "application/dicom+xml")];
    let answer = server.send("POST", &format!("{WORKITEMS}?{UID}"), &headers, XML.as_bytes()).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let got = server.get(&item("")).await.json();
    assert_eq!(got[0]["00100010"]["Value"], json!([{"Alphabetic": "Hong^Gildong", "Phonetic": "홍^길동"}]));
    assert_eq!(got[0]["00404018"]["Value"][0]["00080100"]["Value"], json!(["A & B"]));
    let answer = server.get_as(&item(""), "multipart/related; type=\"application/dicom+xml\"").await;
    let parts = answer.parts();
    assert_eq!((parts.len(), parts[0].0.as_str()), (1, "application/dicom+xml"));
    let text = String::from_utf8(parts[0].1.clone()).unwrap();
    assert!(text.contains("A &amp; B") && text.contains("<GivenName>길동</GivenName>"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn searching_matches_keys_returns_what_is_asked_for_and_says_that_there_is_more() {
    let server = start().await;
    for (uid, label) in [("1.2.1", "one"), ("1.2.2", "two"), ("1.2.3", "three")] {
        let mut stated = wanted();
        stated["00741204"]["Value"] = json!([label]);
        assert_eq!(send(&server, "POST", &format!("{WORKITEMS}?{uid}"), &stated).await.status, 201);
    }
    let labels = async |query: &str| -> Vec<String> {
        let answer = server.get(&format!("{WORKITEMS}?{query}")).await;
        if answer.status == 204 {
            return Vec::new();
        }
        let list = answer.json();
        let label = |one: &Value| one["00741204"]["Value"][0].as_str().unwrap().to_owned();
        list.as_array().unwrap().iter().map(label).collect()
    };
    assert_eq!(labels("ProcedureStepState=SCHEDULED").await, ["one", "two", "three"]);
    assert_eq!(labels("00741204=t*").await, ["two", "three"]);
    assert_eq!(labels("ScheduledWorkitemCodeSequence.CodeValue=118293004&limit=1&offset=1").await, ["two"]);
    assert_eq!(labels("ScheduledWorkitemCodeSequence.CodeValue=1").await, Vec::<String>::new());
    assert_eq!(labels("PatientName=%2A%EA%B8%B8%EB%8F%99%2A").await.len(), 3);
    assert_eq!(labels("ScheduledProcedureStepPriority=LOW").await, Vec::<String>::new());
    let answer =
        server.get(&format!("{WORKITEMS}?limit=2&includefield=00400400&CommentsOnTheScheduledProcedureStep=")).await;
    let text = "The number of results exceeded the limit. There are more: ask again with offset.";
    warned(&server, &answer, text);
    let first = &answer.json()[0];
    assert_eq!(first["00400400"], json!({"vr": "LT"}), "what was asked for and says nothing is there");
    assert!(first.get("00080018").is_some() && first.get("00741210").is_none(), "{first}");
    let whole = server.get(&format!("{WORKITEMS}?includefield=all&SOPInstanceUID=1.2.2")).await.json();
    assert!(whole[0].get("00741210").is_some() && whole.as_array().unwrap().len() == 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn pydicom_reads_a_work_item_by_its_keywords() {
    let server = start().await;
    created(&server).await;
    let one = server.get(&item("")).await.json()[0].to_string();
    let script = r#"
import sys
from pydicom import Dataset
ups = Dataset.from_json(sys.argv[1])
code = ups.ScheduledWorkitemCodeSequence[0]
print("|".join([
    ups.SOPInstanceUID, ups.SOPClassUID.name, ups.ProcedureStepState, ups.ScheduledProcedureStepPriority,
    str(ups.PatientName.phonetic), ups.PatientName.ideographic, code.CodeValue, ups.InputReadinessState,
    ups.InputInformationSequence[0].StudyInstanceUID, ups.SpecificCharacterSet, str(len(ups.ReferencedRequestSequence)),
]))
"#;
    let Some(said) = python(script, vec![one]).await else { return };
    let expected = format!(
        "{UID}|Unified Procedure Step - Push SOP Class|SCHEDULED|HIGH|홍^길동|洪^吉洞|118293004|READY|1.2.3.4|ISO_IR 192|0"
    );
    assert_eq!(said.trim(), expected);
}

/// A WebSocket client (RFC 6455), as little of it as hears what it is told.
struct Socket(TcpStream);

impl Socket {
    /// The answer's status, and the socket where it is one.
    async fn open(server: &Running, path: &str, more: &str) -> (u16, Option<Self>) {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        // Key and answer of RFC 6455 1.3.
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{more}\r\n",
            server.address, server.token
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).await.unwrap();
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        if status != 101 {
            return (status, None);
        }
        assert!(head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
        (status, Some(Self(stream)))
    }

    /// Opcode and payload of the next frame; servers send none masked.
    async fn frame(&mut self) -> (u8, Vec<u8>) {
        let mut head = [0; 2];
        self.0.read_exact(&mut head).await.unwrap();
        assert_eq!(head[0] & 0x80, 0x80, "one message a frame");
        assert_eq!(head[1] & 0x80, 0);
        let length = match head[1] {
            126 => {
                let mut long = [0; 2];
                self.0.read_exact(&mut long).await.unwrap();
                usize::from(u16::from_be_bytes(long))
            }
            127 => panic!("no event is so long"),
            short => usize::from(short),
        };
        let mut payload = vec![0; length];
        self.0.read_exact(&mut payload).await.unwrap();
        (head[0] & 0xF, payload)
    }

    /// The next frame that is no ping; pings are answered, masked as a client's frames are.
    async fn said(&mut self) -> (u8, Vec<u8>) {
        loop {
            let (opcode, payload) = self.frame().await;
            if opcode != 9 {
                return (opcode, payload);
            }
            let head = [0x8A, 0x80 | payload.len() as u8, 0, 0, 0, 0];
            self.0.write_all(&[&head[..], &payload].concat()).await.unwrap();
        }
    }

    /// The next event.
    async fn event(&mut self) -> Value {
        let (opcode, payload) = timeout(Duration::from_secs(10), self.said()).await.expect("an event");
        assert_eq!(opcode, 1, "PS3.18 8.10.5: a text frame");
        serde_json::from_slice(&payload).unwrap()
    }

    async fn silent(&mut self) -> bool {
        timeout(Duration::from_millis(1500), self.said()).await.is_err()
    }
}

fn told(event: &Value) -> (u64, &str) {
    (event["00001002"]["Value"][0].as_u64().unwrap(), event["00741000"]["Value"][0].as_str().unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_is_told_over_its_channel_and_after_a_break_of_what_it_missed() {
    let server = start().await;
    let subscribe = |uid: &str, query: &str| format!("{WORKITEMS}/{uid}/subscribers/PACS{query}");
    let answer = server.send("POST", &subscribe(WORKLIST, "?deletionlock=false"), &[], b"").await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let channel = format!("ws://{}/dicom-web/subscribers/PACS", server.address);
    assert_eq!(answer.header("content-location"), Some(channel.as_str()));
    let (_, socket) = Socket::open(&server, "/dicom-web/subscribers/PACS", "").await;
    let mut socket = socket.unwrap();
    created(&server).await;
    let event = socket.event().await;
    assert_eq!(told(&event), (1, "SCHEDULED"));
    assert_eq!(event["00001000"]["Value"], json!([UID]));
    assert_eq!(event["00000002"]["Value"], json!(["1.2.840.10008.5.1.4.34.6.1"]));
    assert_eq!(event["00404041"]["Value"], json!(["READY"]));
    send(&server, "PUT", &item("/state"), &state("IN PROGRESS", "1.2.3")).await;
    assert_eq!(told(&socket.event().await), (1, "IN PROGRESS"));

    // It has got that, for it answers; then it goes away, something happens, it comes back by the other address.
    assert!(socket.silent().await);
    drop(socket);
    let progress = json!({"00741002": {"vr": "SQ", "Value": [{"00741004": {"vr": "DS", "Value": [40]}}]}});
    assert_eq!(send(&server, "POST", &item("?1.2.3"), &progress).await.status, 200);
    let (_, socket) = Socket::open(&server, "/dicom-web/ws/subscribers/PACS", "").await;
    let mut socket = socket.unwrap();
    let event = socket.event().await;
    assert_eq!(told(&event).0, 3);
    assert_eq!(event["00741002"]["Value"][0]["00741004"]["Value"], json!([40]));
    let answer = server.send("POST", &item("/cancelrequest"), &[], b"").await;
    assert_eq!(answer.status, 202);
    assert_eq!(told(&socket.event().await).0, 2);
    let answer = server.send("DELETE", &subscribe(WORKLIST, ""), &[], b"").await;
    assert_eq!(answer.status, 200);
    send(&server, "POST", &item("?1.2.3"), &progress).await;
    assert!(socket.silent().await, "it is not subscribed any more");

    // Going down is told, and the channel is closed in order.
    server.send("POST", &subscribe(UID, ""), &[], b"").await;
    assert_eq!(told(&socket.event().await), (1, "IN PROGRESS"));
    let stopped = tokio::spawn(server.stop());
    let event = socket.event().await;
    assert_eq!((told(&event).0, &event["00741242"]["Value"]), (4, &json!(["GOING DOWN"])));
    assert_eq!(socket.said().await.0, 8);
    timeout(Duration::from_secs(5), stopped).await.expect("in time").unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn subscriptions_are_refused_where_they_mean_nothing() {
    let server = start().await;
    let status = async |method: &str, path: &str| server.send(method, path, &[], b"").await.status;
    let path = |uid: &str, rest: &str| format!("{WORKITEMS}/{uid}/subscribers/{rest}");
    assert_eq!(status("POST", &path(UID, "PACS")).await, 404);
    assert_eq!(status("DELETE", &path(UID, "PACS")).await, 404);
    assert_eq!(status("POST", &path(FILTERED, "PACS")).await, 400, "without a filter");
    assert_eq!(status("POST", &path(WORKLIST, "PACS?filter=PatientID=1")).await, 400, "a filter where there is none");
    assert_eq!(status("POST", &path(FILTERED, "PACS?filter=NoSuchAttribute=1")).await, 400);
    assert_eq!(status("POST", &path(FILTERED, "PACS?filter=WorklistLabel=CT*,PatientID=KR0001")).await, 201);
    assert_eq!(status("POST", &path(FILTERED, "PACS?WorklistLabel=CT*")).await, 201);
    assert_eq!(status("POST", &path(WORKLIST, "PACS?deletionlock=perhaps")).await, 400);
    assert_eq!(status("POST", &path(WORKLIST, "%20")).await, 400);
    assert_eq!(status("POST", &path(WORKLIST, "PACS/suspend")).await, 200);
    assert_eq!(status("POST", &path(UID, "PACS/suspend")).await, 404);
    assert_eq!(status("GET", "/dicom-web/subscribers/PACS").await, 426);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_is_for_who_may_look_and_for_no_page_of_another_site() {
    let mut server = start().await;
    let path = "/dicom-web/subscribers/PACS";
    let (status, _) = Socket::open(&server, path, "Origin: https://elsewhere.example\r\n").await;
    assert_eq!(status, 403, "RFC 6455 10.2");
    let own = format!("Origin: http://{}\r\n", server.address);
    assert_eq!(Socket::open(&server, path, &own).await.0, 101);
    created(&server).await;
    server.send("POST", &format!("{WORKITEMS}/{UID}/subscribers/PACS"), &[], b"").await;
    // Somebody of another institution, who calls itself by the same name, hears nothing.
    let all = std::mem::take(&mut server.token);
    server.token = token_at(&server.engine, "stranger", "ELSEWHERE", &Role::ALL).await;
    let (_, socket) = Socket::open(&server, path, "").await;
    assert!(socket.unwrap().silent().await);
    server.token = token(&server.engine, "none", &[Role::Researcher]).await;
    assert_eq!(Socket::open(&server, path, "").await.0, 403);
    server.token = "hilum_nobody".to_owned();
    assert_eq!(Socket::open(&server, path, "").await.0, 401);
    // One account does not take the places of all.
    server.token = token(&server.engine, "busy", &Role::ALL).await;
    let mut open = Vec::new();
    for _ in 0..12 {
        open.push(Socket::open(&server, path, "").await.1.unwrap());
    }
    assert_eq!(Socket::open(&server, path, "").await.0, 429);
    drop(open);
    server.token = all;
    // What was sent and not answered is sent again.
    for _ in 0..2 {
        let (_, socket) = Socket::open(&server, path, "").await;
        let (opcode, payload) = socket.unwrap().frame().await;
        assert_eq!((opcode, told(&serde_json::from_slice(&payload).unwrap())), (1, (1, "SCHEDULED")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_ends_when_its_account_may_see_something_else_or_nothing() {
    let mut server = start_with(|config| config.heartbeat = Duration::from_millis(200)).await;
    let role = |role| Grant { institution: "LOCAL".parse().unwrap(), role };
    server.token = token(&server.engine, "watcher", &[Role::Viewer, Role::Radiologist]).await;
    let scope = server.engine.console_scope().await.unwrap();
    let account = server.engine.account_with_login(&scope, "watcher").await.unwrap().id;
    for patch in [
        AccountPatch { roles: Some(vec![role(Role::Viewer)]), ..AccountPatch::default() },
        AccountPatch { disabled: Some(true), ..AccountPatch::default() },
    ] {
        let (_, socket) = Socket::open(&server, "/dicom-web/subscribers/PACS", "").await;
        let mut socket = socket.unwrap();
        assert!(socket.silent().await, "it stays open as long as nothing changes");
        server.engine.change_account(&scope, account, &patch).await.unwrap();
        let (opcode, payload) = timeout(Duration::from_secs(10), socket.said()).await.expect("an end");
        // Close, with the status code of RFC 6455 7.4.1 for a policy.
        assert_eq!((opcode, &payload[..2]), (8, &1008_u16.to_be_bytes()[..]));
    }
}
