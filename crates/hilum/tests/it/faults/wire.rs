//! A peer that says exactly the bytes that a test wants said.

use std::time::{Duration, Instant};

use dicom_core::Tag;
use hilum_dicom::{DataSet, charset::SpecificCharacterSet, data_set::Stated};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::program::authorization;

pub const CT: &str = "1.2.840.10008.5.1.4.1.1.2";
const EXPLICIT: &str = "1.2.840.10008.1.2.1";
/// The presentation context of Deflated Explicit VR Little Endian.
pub const DEFLATED_CONTEXT: u8 = 5;
const DEFLATED: &str = "1.2.840.10008.1.2.1.99";
const RLE: &str = "1.2.840.10008.1.2.5";
pub const STUDY: &str = "1.2.826.0.1.3680043.8.498.40";
pub const SERIES: &str = "1.2.826.0.1.3680043.8.498.41";

/// A-ASSOCIATE-RQ (PS3.8 9.3.2) with Verification as context 1 and CT in explicit, deflated and RLE as 3, 5 and 7.
pub fn associate_request() -> Vec<u8> {
    let item = |kind: u8, value: &[u8]| [&[kind, 0][..], &(value.len() as u16).to_be_bytes(), value].concat();
    let context = |id: u8, class: &str, syntax: &str| {
        item(0x20, &[&[id, 0, 0, 0][..], &item(0x30, class.as_bytes()), &item(0x40, syntax.as_bytes())].concat())
    };
    let body = [
        &[0, 1, 0, 0][..],
        b"HILUM           FAULTS          ",
        &[0; 32],
        &item(0x10, b"1.2.840.10008.3.1.1.1"),
        &context(1, "1.2.840.10008.1.1", "1.2.840.10008.1.2"),
        &context(3, CT, EXPLICIT),
        &context(DEFLATED_CONTEXT, CT, DEFLATED),
        &context(7, CT, RLE),
        &item(0x50, &[item(0x51, &16384_u32.to_be_bytes()), item(0x52, b"1.2.3")].concat()),
    ]
    .concat();
    [&[1, 0][..], &(body.len() as u32).to_be_bytes(), &body].concat()
}

pub const RELEASE: [u8; 10] = [5, 0, 0, 0, 0, 4, 0, 0, 0, 0];

/// A P-DATA-TF of one PDV; `control` is 1 for commands, 2 for the last fragment (PS3.8 E.2).
pub fn pdv(context: u8, control: u8, data: &[u8]) -> Vec<u8> {
    let mut out = vec![4, 0];
    out.extend((data.len() as u32 + 6).to_be_bytes());
    out.extend((data.len() as u32 + 2).to_be_bytes());
    out.extend([context, control]);
    out.extend(data);
    out
}

fn command(elements: &[(u16, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (element, value) in elements {
        out.extend([0, 0]);
        out.extend(element.to_le_bytes());
        out.extend((value.len() as u32).to_le_bytes());
        out.extend(*value);
    }
    out
}

fn uid(text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    bytes.resize(bytes.len().next_multiple_of(2), 0);
    bytes
}

pub fn echo_request() -> Vec<u8> {
    command(&[(0x0002, &uid("1.2.840.10008.1.1")), (0x0100, &[0x30, 0]), (0x0110, &[1, 0]), (0x0800, &[1, 1])])
}

pub fn store_request(sop: &str) -> Vec<u8> {
    command(&[
        (0x0002, &uid(CT)),
        (0x0100, &[1, 0]),
        (0x0110, &[9, 0]),
        (0x0700, &[0, 0]),
        (0x0800, &[1, 0]),
        (0x1000, &uid(sop)),
    ])
}

pub fn sop(number: usize) -> String {
    format!("1.2.826.0.1.3680043.8.498.42.{number}")
}

/// The header of a small CT image in Explicit VR Little Endian, up to its pixel data.
pub fn header(number: usize, size: u16) -> Vec<u8> {
    let mut header = DataSet::new();
    header
        .set(Tag(0x0008, 0x0016), CT)
        .set(Tag(0x0008, 0x0018), sop(number))
        .set(Tag(0x0008, 0x0020), "20261105")
        .set(Tag(0x0008, 0x0060), "CT")
        .set(Tag(0x0010, 0x0010), "Hong^Gildong=洪^吉洞=홍^길동")
        .set(Tag(0x0010, 0x0020), "KR0040")
        .set(Tag(0x0020, 0x000D), STUDY)
        .set(Tag(0x0020, 0x000E), SERIES)
        .set(Tag(0x0020, 0x0011), "1")
        .set(Tag(0x0020, 0x0013), number.to_string())
        .set_all(Tag(0x0020, 0x0032), vec!["0".into(), "0".into(), number.to_string()])
        .set(Tag(0x0028, 0x0002), "1")
        .set(Tag(0x0028, 0x0004), "MONOCHROME2")
        .set(Tag(0x0028, 0x0010), size.to_string())
        .set(Tag(0x0028, 0x0011), size.to_string())
        .set(Tag(0x0028, 0x0100), "16")
        .set(Tag(0x0028, 0x0101), "16")
        .set(Tag(0x0028, 0x0102), "15")
        .set(Tag(0x0028, 0x0103), "0");
    header.write(true, &SpecificCharacterSet::korean(), Stated::Always).unwrap()
}

/// The whole of it.
pub fn data_set(number: usize, size: u16) -> Vec<u8> {
    let length = usize::from(size) * usize::from(size) * 2;
    let mut out = header(number, size);
    out.extend([0xE0, 0x7F, 0x10, 0x00, b'O', b'W', 0, 0]);
    out.extend((length as u32).to_le_bytes());
    out.extend((0..length).map(|index| (index * 7 + number) as u8));
    out
}

/// As a Part 10 file.
pub fn part10(number: usize, size: u16) -> Vec<u8> {
    let [class, sop] = [CT.to_owned(), sop(number)];
    let mut file = hilum_dicom::part10::file_meta(
        &class.parse().unwrap(),
        &sop.parse().unwrap(),
        &hilum_dicom::TransferSyntaxUid::explicit_little_endian(),
    );
    file.extend(data_set(number, size));
    file
}

/// The next PDU, its type first; `None` when the server closed.
pub async fn receive(socket: &mut TcpStream) -> Option<Vec<u8>> {
    let mut bytes = vec![0; 6];
    let whole = async {
        socket.read_exact(&mut bytes).await.ok()?;
        let length = u32::from_be_bytes([bytes[2], bytes[3], bytes[4], bytes[5]]) as usize;
        bytes.resize(6 + length, 0);
        socket.read_exact(&mut bytes[6..]).await.ok()?;
        Some(bytes)
    };
    timeout(Duration::from_mins(1), whole).await.expect("the server answers or closes")
}

/// The status of the next response.
pub async fn status(socket: &mut TcpStream) -> u16 {
    let pdu = receive(socket).await.expect("a response");
    let at = pdu.windows(8).position(|window| window == [0, 0, 0, 9, 2, 0, 0, 0]).expect("a status");
    u16::from_le_bytes([pdu[at + 8], pdu[at + 9]])
}

/// An accepted association. While every place is taken the server says so; one that was just given up must soon be free.
pub async fn associate(dimse: &str) -> TcpStream {
    let started = Instant::now();
    loop {
        let mut socket = TcpStream::connect(dimse).await.unwrap();
        socket.set_nodelay(true).unwrap();
        socket.write_all(&associate_request()).await.unwrap();
        if receive(&mut socket).await.is_some_and(|pdu| pdu[0] == 2) {
            return socket;
        }
        assert!(started.elapsed() < Duration::from_secs(10), "no association becomes free");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Stores one object and returns the status.
pub async fn store(socket: &mut TcpStream, context: u8, number: usize, data_set: &[u8]) -> u16 {
    socket.write_all(&pdv(context, 3, &store_request(&sop(number)))).await.unwrap();
    let last = data_set.chunks(16_000).count() - 1;
    for (index, fragment) in data_set.chunks(16_000).enumerate() {
        socket.write_all(&pdv(context, if index == last { 2 } else { 0 }, fragment)).await.unwrap();
    }
    status(socket).await
}

/// A STOW-RS body.
pub fn multipart(files: &[Vec<u8>]) -> Vec<u8> {
    let mut body = Vec::new();
    for file in files {
        body.extend(b"--bound\r\nContent-Type: application/dicom\r\n\r\n");
        body.extend(file);
        body.extend(b"\r\n");
    }
    body.extend(b"--bound--\r\n");
    body
}

pub fn stow_head(http: &str, length: usize) -> String {
    format!(
        "POST /dicom-web/studies HTTP/1.1\r\nHost: {http}\r\n{}Connection: close\r\n\
         Content-Type: multipart/related; type=\"application/dicom\"; boundary=bound\r\nContent-Length: {length}\r\n\r\n",
        authorization(http)
    )
}

/// Status and body of the answer to a request on a connection of its own.
pub async fn http(address: &str, request: &[u8]) -> (u16, Vec<u8>) {
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.unwrap();
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    let body = answer.split_off(end + 4);
    (head.split(' ').nth(1).unwrap().parse().unwrap(), if is_chunked(&head) { unchunked(&body) } else { body })
}

fn is_chunked(head: &str) -> bool {
    head.lines().any(|line| line.eq_ignore_ascii_case("transfer-encoding: chunked"))
}

fn unchunked(mut body: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    loop {
        let line = body.windows(2).position(|window| window == b"\r\n").expect("a chunk");
        let length = usize::from_str_radix(std::str::from_utf8(&body[..line]).unwrap(), 16).unwrap();
        if length == 0 {
            return whole;
        }
        whole.extend(&body[line + 2..line + 2 + length]);
        body = &body[line + 2 + length + 2..];
    }
}

pub async fn stow(address: &str, files: &[Vec<u8>]) -> (u16, serde_json::Value) {
    let body = multipart(files);
    let (status, answer) = http(address, &[stow_head(address, body.len()).as_bytes(), &body].concat()).await;
    (status, serde_json::from_slice(&answer).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&answer))))
}

pub async fn get(address: &str, path: &str) -> (u16, serde_json::Value) {
    let key = authorization(address);
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n{key}Connection: close\r\n\r\n");
    let (status, body) = http(address, request.as_bytes()).await;
    (status, serde_json::from_slice(&body).unwrap_or(serde_json::Value::Null))
}

/// SOP Instance UIDs of what is kept.
pub async fn kept(address: &str) -> Vec<String> {
    let (_, found) = get(address, "/dicom-web/instances?limit=5000").await;
    let instances = found.as_array().into_iter().flatten();
    instances.map(|instance| instance["00080018"]["Value"][0].as_str().unwrap().to_owned()).collect()
}
