//! MLLP as a client: one connection, one message after the answer to the one before.

use std::{io, time::Duration};

use hilum_dimse::{Duplex, TlsClient};
use hilum_emr::hl7::{Ack, Framer, Message, framed};
use hilum_engine::deliveries::DeliveryOutcome;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, timeout, timeout_at},
};

use crate::settings::Mllp;

const CONNECT: Duration = Duration::from_secs(10);
/// An acknowledgment is some hundred bytes; no receiver needs more.
const LONGEST_ANSWER: usize = 64 * 1024;

/// A connection to a receiver.
pub struct Connection {
    socket: Box<dyn Duplex>,
    framer: Framer,
}

/// Why no message can be exchanged any more; without identity.
pub struct Broken(pub String);

impl Connection {
    /// Connects, and encrypts where that is configured.
    pub async fn open(receiver: &Mllp, tls: Option<&TlsClient>) -> Result<Self, Broken> {
        let connected = async {
            let socket = TcpStream::connect((receiver.host.as_str(), receiver.port)).await?;
            socket.set_nodelay(true)?;
            let socket: Box<dyn Duplex> = match tls.filter(|_| receiver.tls) {
                Some(tls) => tls.connect(&receiver.host, socket).await?,
                None => Box::new(socket),
            };
            Ok::<_, io::Error>(socket)
        };
        let socket = match timeout(CONNECT, connected).await {
            Ok(Ok(socket)) => socket,
            Ok(Err(error)) => return Err(Broken(format!("not connected: {error}"))),
            Err(_) => return Err(Broken(format!("not connected within {} s", CONNECT.as_secs()))),
        };
        Ok(Self { socket, framer: Framer::new(LONGEST_ANSWER) })
    }

    /// Sends a message and waits for its acknowledgment. Whatever is not an acceptance leaves the message with us.
    pub async fn exchange(
        &mut self,
        message: &[u8],
        control_id: &str,
        patience: Duration,
    ) -> Result<DeliveryOutcome, Broken> {
        let end = Instant::now() + patience;
        let late = || Broken(format!("no answer within {} s", patience.as_secs()));
        let lost = |error: io::Error| Broken(format!("the connection broke: {}", error.kind()));
        let frame = framed(message);
        let written = async {
            self.socket.write_all(&frame).await?;
            self.socket.flush().await
        };
        timeout_at(end, written).await.map_err(|_| late())?.map_err(lost)?;
        let mut buffer = vec![0; 4096];
        loop {
            let read = timeout_at(end, self.socket.read(&mut buffer)).await.map_err(|_| late())?.map_err(lost)?;
            if read == 0 {
                return Err(Broken("the receiver closed the connection without an answer".to_owned()));
            }
            let answers = self.framer.push(&buffer[..read]).map_err(|error| Broken(format!("the answer: {error}")))?;
            for answer in answers {
                if let Some(outcome) = judged(&answer, control_id) {
                    return Ok(outcome);
                }
            }
        }
    }
}

/// What an answer means for a message; none where it answers another one.
fn judged(answer: &[u8], control_id: &str) -> Option<DeliveryOutcome> {
    let refused = |reason: &str| Some(DeliveryOutcome::Refused { reason: reason.to_owned() });
    // What is read of it is ASCII in every character set.
    let Ok(message) = Message::parse(&String::from_utf8_lossy(answer)) else {
        return refused("the receiver answered with something that is no HL7 message");
    };
    let Ok(ack) = Ack::read(&message) else {
        return refused("the receiver answered with a message that is no acknowledgment");
    };
    // Some leave MSA-2 empty. Messages go one at a time, so that the answer can be to this one only.
    if !ack.control_id.is_empty() && ack.control_id != control_id {
        return None;
    }
    if ack.code.is_accept() {
        return Some(DeliveryOutcome::Delivered);
    }
    let code = ack.error.map(|code| format!(", error {code}")).unwrap_or_default();
    refused(&format!("the receiver answered {}{code}", ack.code.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(msa: &str) -> Option<DeliveryOutcome> {
        let text = format!("MSH|^~\\&|OCS||HILUM||20261126||ACK^R01|1|P|2.3\r{msa}\r");
        judged(text.as_bytes(), "A1")
    }

    #[test]
    fn only_an_acceptance_of_this_message_ends_its_delivery() {
        for accepted in ["MSA|AA|A1", "MSA|CA|A1", "MSA|AA|", "MSA|AA"] {
            assert_eq!(answered(accepted), Some(DeliveryOutcome::Delivered), "{accepted}");
        }
        assert_eq!(answered("MSA|AA|B2"), None, "a late answer to the message before");
        for (refusal, named) in [
            ("MSA|AE|A1\rERR|||101^Required field missing^HL70357|E", "AE, error 101"),
            ("MSA|AR|A1|unknown patient 880101-1234567", "AR"),
            ("MSA|AE|A1\rERR|PID^1^5^102&Hong Gildong&HL70357", "AE"),
            ("MSA|XX|A1", "no acknowledgment"),
            ("PID|1", "no acknowledgment"),
        ] {
            let Some(DeliveryOutcome::Refused { reason }) = answered(refusal) else { panic!("{refusal}") };
            assert!(reason.contains(named) && !reason.contains("Hong") && !reason.contains("880101"), "{reason}");
        }
        assert!(matches!(judged(b"HTTP/1.1 400", "A1"), Some(DeliveryOutcome::Refused { .. })));
    }
}
