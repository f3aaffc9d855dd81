//! The least receiver of C-STORE.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use anyhow::Context;

use super::set_aside;

/// As Hilum and storescp are told to take.
const LARGEST_PDU: u32 = 131_072;
/// So many bytes are added to a digest at a time, as Hilum does.
const STEP: usize = 65_536;
const EXPLICIT_LITTLE_ENDIAN: &[u8] = b"1.2.840.10008.1.2.1";
/// PDU types (PS3.8 9.3).
const ASSOCIATE_RQ: u8 = 1;
const ASSOCIATE_AC: u8 = 2;
const DATA: u8 = 4;
const RELEASE_RQ: u8 = 5;
const RELEASE_RP: u8 = 6;

/// Takes associations until it is dropped.
pub struct Least {
    pub address: SocketAddr,
    ended: Arc<AtomicBool>,
    failures: Arc<Mutex<Vec<io::Error>>>,
    listening: Option<JoinHandle<()>>,
    folder: PathBuf,
}

impl Least {
    /// Each association's file goes to `folder`, with `room` bytes set aside.
    pub fn start(folder: &Path, room: u64) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let (ended, failures) = (Arc::new(AtomicBool::new(false)), Arc::<Mutex<Vec<io::Error>>>::default());
        let (told, failed, files) = (Arc::clone(&ended), Arc::clone(&failures), folder.to_owned());
        let listening = std::thread::spawn(move || {
            let mut associations = Vec::new();
            for stream in listener.incoming() {
                if told.load(Ordering::Acquire) {
                    break;
                }
                let file = files.join(associations.len().to_string());
                associations.push(std::thread::spawn(move || receive(stream?, &file, room)));
            }
            for association in associations {
                if let Ok(Err(error)) = association.join() {
                    failed.lock().unwrap_or_else(PoisonError::into_inner).push(error);
                }
            }
        });
        Ok(Self { address, ended, failures, listening: Some(listening), folder: folder.to_owned() })
    }

    /// Ends it; an error of an association is told.
    pub fn end(mut self) -> anyhow::Result<()> {
        self.ended.store(true, Ordering::Release);
        TcpStream::connect(self.address)?;
        let listening = self.listening.take().context("ended before")?;
        listening.join().map_err(|_| anyhow::anyhow!("the least receiver ended early"))?;
        std::fs::remove_dir_all(&self.folder)?;
        let failure = self.failures.lock().unwrap_or_else(PoisonError::into_inner).pop();
        failure.map_or(Ok(()), |error| Err(error).context("an association of the least receiver"))
    }
}

fn receive(mut stream: TcpStream, path: &Path, room: u64) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut file = set_aside(path, room)?;
    let (mut command, mut instance) = (Vec::new(), Vec::new());
    let (mut sum, mut summed) = (blake3::Hasher::new(), 0);
    loop {
        let mut start = [0; 6];
        stream.read_exact(&mut start)?;
        let mut left = be32(&start[2..]);
        match start[0] {
            ASSOCIATE_RQ => {
                let mut request = vec![0; left];
                stream.read_exact(&mut request)?;
                stream.write_all(&accepted(&request)?)?;
            }
            DATA => {
                while left > 0 {
                    let mut header = [0; 6];
                    stream.read_exact(&mut header)?;
                    let length = be32(&header).checked_sub(2).ok_or_else(|| broken("a PDV without a header"))?;
                    left = left.checked_sub(length + 6).ok_or_else(|| broken("a PDV beyond its PDU"))?;
                    let (context, is_command, is_last) = (header[4], header[5] & 1 != 0, header[5] & 2 != 0);
                    let part = if is_command { &mut command } else { &mut instance };
                    (&mut stream).take(length as u64).read_to_end(part)?;
                    if !is_command {
                        let steps = (instance.len() - summed) / STEP * STEP;
                        sum.update(&instance[summed..summed + steps]);
                        summed += steps;
                    }
                    if is_last && !is_command {
                        std::hint::black_box(sum.update(&instance[summed..]).finalize());
                        sum.reset();
                        summed = 0;
                        file.write_all(&instance)?;
                        file.sync_data()?;
                        stream.write_all(&stored(context, &command)?)?;
                        command.clear();
                        instance.clear();
                    }
                }
            }
            RELEASE_RQ => {
                stream.read_exact(&mut [0; 4])?;
                return stream.write_all(&[RELEASE_RP, 0, 0, 0, 0, 4, 0, 0, 0, 0]);
            }
            _ => return Err(broken("a PDU of another type")),
        }
    }
}

/// A-ASSOCIATE-AC (PS3.8 9.3.3): every presentation context is taken that offers Explicit VR Little Endian.
fn accepted(request: &[u8]) -> io::Result<Vec<u8>> {
    let fixed = request.get(..68).ok_or_else(|| broken("a short A-ASSOCIATE-RQ"))?;
    let mut body = fixed.to_vec();
    for (kind, item) in items(&request[68..]) {
        match kind {
            0x10 => push_item(&mut body, kind, item),
            0x20 if item.len() > 4 => {
                let mut offered = items(&item[4..]).filter(|(kind, _)| *kind == 0x40);
                let taken = offered.any(|(_, syntax)| syntax == EXPLICIT_LITTLE_ENDIAN);
                let mut answer = vec![item[0], 0, if taken { 0 } else { 4 }, 0];
                push_item(&mut answer, 0x40, EXPLICIT_LITTLE_ENDIAN);
                push_item(&mut body, 0x21, &answer);
            }
            _ => {}
        }
    }
    let mut user = Vec::new();
    push_item(&mut user, 0x51, &LARGEST_PDU.to_be_bytes());
    push_item(&mut user, 0x52, b"2.25.1");
    push_item(&mut body, 0x50, &user);
    Ok(pdu(ASSOCIATE_AC, &body))
}

/// C-STORE-RSP (PS3.7 9.3.1.2) with status success.
fn stored(context: u8, request: &[u8]) -> io::Result<Vec<u8>> {
    let element = |number: u16| {
        let mut rest = request;
        while let [0, 0, low, high, a, b, c, d, tail @ ..] = rest {
            let length = u32::from_le_bytes([*a, *b, *c, *d]) as usize;
            let value = tail.get(..length)?;
            if u16::from_le_bytes([*low, *high]) == number {
                return Some(value);
            }
            rest = &tail[length..];
        }
        None
    };
    let asked = |number| element(number).ok_or_else(|| broken("a command without what its answer repeats"));
    let mut answer = Vec::new();
    let mut push = |number: u16, value: &[u8]| {
        answer.extend([0, 0]);
        answer.extend(number.to_le_bytes());
        answer.extend((value.len() as u32).to_le_bytes());
        answer.extend(value);
    };
    push(0x0002, asked(0x0002)?);
    push(0x0100, &0x8001_u16.to_le_bytes());
    push(0x0120, asked(0x0110)?);
    push(0x0800, &0x0101_u16.to_le_bytes());
    push(0x0900, &[0, 0]);
    push(0x1000, asked(0x1000)?);
    let group = [&[0, 0, 0, 0, 4, 0, 0, 0], &(answer.len() as u32).to_le_bytes()[..], &answer].concat();
    let header = [&(group.len() as u32 + 2).to_be_bytes()[..], &[context, 3]].concat();
    Ok(pdu(DATA, &[header, group].concat()))
}

fn pdu(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind, 0], &(body.len() as u32).to_be_bytes()[..], body].concat()
}

/// Items or sub-items: type, reserved, length of 16 bits, value.
fn items(mut bytes: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let [kind, _, high, low, rest @ ..] = bytes else { return None };
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let value = rest.get(..length)?;
        bytes = &rest[length..];
        Some((*kind, value))
    })
}

fn push_item(out: &mut Vec<u8>, kind: u8, value: &[u8]) {
    out.extend([kind, 0]);
    out.extend((value.len() as u16).to_be_bytes());
    out.extend(value);
}

fn be32(bytes: &[u8]) -> usize {
    bytes.iter().take(4).fold(0, |sum, byte| sum << 8 | usize::from(*byte))
}

fn broken(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
