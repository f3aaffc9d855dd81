//! Associations that break off in the middle of an object that we send.

use std::{
    io,
    net::SocketAddr,
    ops::Range,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use dicom_ul::pdu::{
    AbortRQServiceProviderReason, AbortRQSource, AssociationAC, AssociationRQ, PDataValueType, Pdu,
    PresentationContextResult, PresentationContextResultReason, UserVariableItem, read_pdu, write_pdu,
};
use hilum_dicom::{ObjectBytes, outline::ReadAt};
use hilum_dimse::{InstanceSource, LoadFuture, SentOutcome, StoredInstance};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::{
    archive::{Archive, Files, sop},
    server::{config, start},
    user::{peer, scu},
};

/// Reads one PDU whole.
pub async fn read_one(socket: &mut TcpStream) -> Option<Pdu> {
    let mut bytes = vec![0; 6];
    socket.read_exact(&mut bytes).await.ok()?;
    let length = u32::from_be_bytes(bytes[2..6].try_into().unwrap()) as usize;
    bytes.resize(6 + length, 0);
    socket.read_exact(&mut bytes[6..]).await.ok()?;
    read_pdu(&bytes[..], 1 << 20, false).unwrap()
}

/// Takes every context.
pub fn accepted(request: AssociationRQ) -> Pdu {
    let results = request.presentation_contexts.iter().map(|proposed| PresentationContextResult {
        id: proposed.id,
        reason: PresentationContextResultReason::Acceptance,
        transfer_syntax: proposed.transfer_syntaxes[0].clone(),
    });
    Pdu::AssociationAC(AssociationAC {
        protocol_version: 1,
        calling_ae_title: request.calling_ae_title,
        called_ae_title: request.called_ae_title,
        application_context_name: request.application_context_name,
        presentation_contexts: results.collect(),
        user_variables: vec![UserVariableItem::MaxLength(16384)],
    })
}

/// The PDU of a successful C-STORE-RSP.
pub fn store_response(context: u8, message_id: u8) -> Vec<u8> {
    let command: [&[u8]; 4] = [
        &[0, 0, 0, 1, 2, 0, 0, 0, 1, 0x80],
        &[0, 0, 0x20, 1, 2, 0, 0, 0, message_id, 0],
        &[0, 0, 0, 8, 2, 0, 0, 0, 1, 1],
        &[0, 0, 0, 9, 2, 0, 0, 0, 0, 0],
    ];
    let command = command.concat();
    let mut pdu = vec![4, 0];
    pdu.extend((command.len() as u32 + 6).to_be_bytes());
    pdu.extend((command.len() as u32 + 2).to_be_bytes());
    pdu.extend([context, 3]);
    pdu.extend(command);
    pdu
}

async fn write(socket: &mut TcpStream, pdu: &Pdu) -> io::Result<()> {
    let mut bytes = Vec::new();
    write_pdu(&mut bytes, pdu).unwrap();
    socket.write_all(&bytes).await
}

fn has(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// A peer that aborts as soon as it sees the command of one of some objects.
struct Picky {
    address: SocketAddr,
    associations: Arc<AtomicUsize>,
}

impl Picky {
    async fn aborts_on(bad: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let associations = Arc::new(AtomicUsize::new(0));
        let (counted, bad) = (Arc::clone(&associations), Arc::new(bad));
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(receive(socket, Arc::clone(&bad)));
            }
        });
        Self { address, associations }
    }

    fn associations(&self) -> usize {
        self.associations.load(Ordering::Relaxed)
    }
}

async fn receive(mut socket: TcpStream, bad: Arc<Vec<String>>) -> io::Result<()> {
    let Some(Pdu::AssociationRQ(request)) = read_one(&mut socket).await else { return Ok(()) };
    write(&mut socket, &accepted(request)).await?;
    let mut message_id = 0;
    while let Some(pdu) = read_one(&mut socket).await {
        let Pdu::PData { data } = pdu else { return write(&mut socket, &Pdu::ReleaseRP).await };
        for value in data {
            if value.value_type == PDataValueType::Command {
                // Message ID (0000,0110).
                let at = value.data.windows(8).position(|at| at == [0, 0, 0x10, 1, 2, 0, 0, 0]).unwrap();
                message_id = value.data[at + 8];
                if bad.iter().any(|bad| has(&value.data, bad.as_bytes())) {
                    let source = AbortRQSource::ServiceProvider(AbortRQServiceProviderReason::UnexpectedPdu);
                    return write(&mut socket, &Pdu::AbortRQ { source }).await;
                }
            } else if value.is_last {
                socket.write_all(&store_response(value.presentation_context_id, message_id)).await?;
            }
        }
    }
    Ok(())
}

/// Outcomes as letters: stored, broken off, not sent, not readable.
fn letters(outcomes: &[SentOutcome]) -> String {
    let letter = |outcome: &SentOutcome| match outcome {
        SentOutcome::Stored => 's',
        SentOutcome::BrokenOff { .. } => 'b',
        SentOutcome::NotSent => 'n',
        SentOutcome::NotReadable => 'r',
        other => panic!("{other:?}"),
    };
    outcomes.iter().map(letter).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_the_peer_aborts_on_is_told_apart_and_the_others_go_over_a_new_association() {
    let files = Archive::with(6).files;
    let picky = Picky::aborts_on(vec![sop(0), sop(3)]).await;
    let told = Mutex::new(vec![SentOutcome::NotSent; 6]);
    let report = scu()
        .store(&peer("PACS", picky.address.port()), &files.instances(), &files, |index, outcome| {
            told.lock().unwrap()[index] = outcome.clone();
        })
        .await;
    assert_eq!((letters(&report.outcomes).as_str(), picky.associations()), ("bssbss", 3));
    assert_eq!(*told.lock().unwrap(), report.outcomes);
    let SentOutcome::BrokenOff { reason } = &report.outcomes[0] else { panic!("{:?}", report.outcomes) };
    // Where the abort overtakes what is still to be written, the connection is seen to be cut.
    assert!(reason.starts_with("the peer aborted") || reason.starts_with("the connection was cut"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_aborts_on_everything_is_left_alone_after_three_objects() {
    let files = Archive::with(6).files;
    let picky = Picky::aborts_on((0..6).map(sop).collect()).await;
    let report = scu().store(&peer("PACS", picky.address.port()), &files.instances(), &files, |_, _| {}).await;
    assert_eq!((letters(&report.outcomes).as_str(), picky.associations()), ("bbbnnn", 3));
    assert!(report.error.is_some());
}

/// Gives out the first of its files without its last bytes.
struct BrokenDisk(Files);

struct Torn(Vec<u8>);

impl ReadAt for Torn {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, range: Range<u64>) -> io::Result<Vec<u8>> {
        if range.start > 0 || range.end == self.size() {
            return Err(io::Error::other("a bad sector"));
        }
        Ok(self.0[..range.end as usize].to_vec())
    }
}

impl InstanceSource for BrokenDisk {
    fn load<'a>(&'a self, instance: &'a StoredInstance) -> LoadFuture<'a> {
        let (first, file) = &self.0.0[0];
        if instance != first {
            return self.0.load(instance);
        }
        let torn = ObjectBytes::ByRange(Arc::new(Torn(file.repeat(20))));
        Box::pin(async move { Ok(torn) })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_cannot_be_read_to_its_end_keeps_no_other_from_being_sent() {
    let server = start(config()).await;
    let broken = BrokenDisk(Archive::with(4).files);
    let port = server.address.port();
    let report = scu().store(&peer("HILUM", port), &broken.0.instances(), &broken, |_, _| {}).await;
    assert_eq!((letters(&report.outcomes).as_str(), server.kept()), ("rsss", 3));
}
