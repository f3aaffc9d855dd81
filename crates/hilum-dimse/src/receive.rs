//! Receiving an instance: PDVs appended to one buffer behind the file meta information (PS3.4 Annex B; PS3.10 7.1).

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{BufMut, BytesMut};
use hilum_dicom::{SopClassUid, SopUid};
use sha2::{Digest, Sha256};

use crate::{
    command::CommandSet,
    messages::Messages,
    negotiation::Context,
    part10::{Meta, put_meta},
    service::{Caller, ReceivedInstance, StoreHandler},
    status::Status,
    upper_layer::UlError,
};

/// A buffer above this is given back after its instance, so that one huge instance does not stay allocated.
const KEPT_BUFFER: usize = 64 * 1024 * 1024;

/// How much may be received.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) instance_bytes: u64,
    /// Of all that share the counter.
    pub(crate) bytes_in_flight: u64,
}

/// The one buffer of an association, and its share of the bytes in flight.
pub(crate) struct Receiver<'a> {
    buffer: BytesMut,
    in_flight: &'a AtomicU64,
    limits: Limits,
    /// This association's part of `in_flight`.
    counted: u64,
}

impl Drop for Receiver<'_> {
    fn drop(&mut self) {
        self.uncount();
    }
}

impl<'a> Receiver<'a> {
    pub(crate) fn new(in_flight: &'a AtomicU64, limits: Limits) -> Self {
        Self { buffer: BytesMut::new(), in_flight, limits, counted: 0 }
    }

    /// Takes the data set of a C-STORE-RQ and hands the instance over; the status says what became of it.
    pub(crate) async fn store(
        &mut self,
        messages: &mut Messages,
        context: &Context,
        request: &CommandSet,
        caller: &Caller,
        handler: &dyn StoreHandler,
    ) -> Result<Status, UlError> {
        let refused = match (request.sop_class.parse::<SopClassUid>(), request.sop.parse::<SopUid>()) {
            _ if request.sop_class != context.abstract_syntax => Status::SOP_CLASS_NOT_SUPPORTED,
            (Ok(sop_class), Ok(sop)) => {
                if !request.has_data_set {
                    return Ok(Status::MISTYPED_ARGUMENT);
                }
                let Some((data_set_offset, sha256)) = self.fill(messages, context, request, caller).await? else {
                    return Ok(Status::TOO_LARGE);
                };
                let instance = ReceivedInstance {
                    calling_ae: caller.calling_ae.clone(),
                    called_ae: caller.called_ae.clone(),
                    sop_class,
                    sop,
                    transfer_syntax: context.transfer_syntax.clone(),
                    part10: self.buffer.split().freeze(),
                    data_set_offset,
                    sha256,
                };
                return Ok(self.hand_over(instance, handler).await);
            }
            _ => Status::INVALID_SOP_INSTANCE,
        };
        messages.skip_data_set().await?;
        Ok(refused)
    }

    /// Receives the data set; where it begins in the buffer and the digest of all, or `None` when it is beyond a limit. The digest is
    /// computed while the peer sends, so that nobody waits for it at the end.
    async fn fill(
        &mut self,
        messages: &mut Messages,
        context: &Context,
        request: &CommandSet,
        caller: &Caller,
    ) -> Result<Option<(usize, [u8; 32])>, UlError> {
        self.buffer.clear();
        put_meta(
            &mut self.buffer,
            &Meta {
                sop_class: &request.sop_class,
                sop: &request.sop,
                transfer_syntax: context.transfer_syntax.as_ref(),
                calling_ae: caller.calling_ae.as_ref(),
                called_ae: caller.called_ae.as_ref(),
            },
        );
        let data_set_offset = self.buffer.len();
        let mut digest = Sha256::new_with_prefix(&self.buffer);
        while let Some(fragment) = messages.fragment().await? {
            let added = fragment.len() as u64;
            let all = self.in_flight.fetch_add(added, Ordering::Relaxed) + added;
            self.counted += added;
            if self.counted > self.limits.instance_bytes || all > self.limits.bytes_in_flight {
                self.buffer = BytesMut::new();
                self.uncount();
                messages.skip_data_set().await?;
                return Ok(None);
            }
            digest.update(&fragment);
            self.buffer.put_slice(&fragment);
        }
        Ok(Some((data_set_offset, digest.finalize().into())))
    }

    async fn hand_over(&mut self, instance: ReceivedInstance, handler: &dyn StoreHandler) -> Status {
        let size = instance.part10.len();
        let outcome = handler.store(instance).await;
        self.uncount();
        // The handler has dropped its bytes, so the next instance is received into the same allocation.
        if size > KEPT_BUFFER {
            self.buffer = BytesMut::new();
        } else {
            self.buffer.reserve(size);
        }
        Status::from(outcome)
    }

    fn uncount(&mut self) {
        self.in_flight.fetch_sub(self.counted, Ordering::Relaxed);
        self.counted = 0;
    }
}
