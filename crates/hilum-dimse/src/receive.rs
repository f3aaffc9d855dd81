//! Receiving an instance: PDVs gathered behind the file meta information (PS3.4 Annex B; PS3.10 7.1), a long one in a file.

use std::{
    io, mem,
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
};

use hilum_dicom::{ObjectBytes, ObjectDigest, ObjectHasher, SopClassUid, SopUid, Spool};

use crate::{
    command::CommandSet,
    messages::Messages,
    negotiation::Context,
    part10::{Meta, put_meta},
    service::{Caller, ReceivedInstance, StoreHandler},
    status::Status,
    threads,
    upper_layer::UlError,
};

/// Less than this is not moved to the disk when others need the memory.
const WORTH_SPILLING: u64 = 256 * 1024;

/// How much may be received.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    pub(crate) instance_bytes: u64,
    /// In memory, of all that share the counter; beyond it, an instance goes on in a file.
    pub(crate) bytes_in_flight: u64,
    /// Where an instance goes that is too long for memory.
    pub(crate) spool_folder: PathBuf,
}

/// What an association gathers an instance in, and its share of the bytes in flight.
pub(crate) struct Receiver<'a> {
    spool: Spool,
    in_flight: &'a AtomicU64,
    limits: Limits,
    /// This association's part of `in_flight`.
    counted: u64,
}

/// An instance that is all there.
struct Filled {
    object: ObjectBytes,
    data_set_offset: usize,
    digest: ObjectDigest,
}

impl Drop for Receiver<'_> {
    fn drop(&mut self) {
        self.uncount();
    }
}

impl<'a> Receiver<'a> {
    pub(crate) fn new(in_flight: &'a AtomicU64, limits: Limits) -> Self {
        Self { spool: Spool::new(limits.spool_folder.clone()), in_flight, limits, counted: 0 }
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
                let Some(filled) = self.fill(messages, context, request, caller).await? else {
                    return Ok(Status::TOO_LARGE);
                };
                let instance = ReceivedInstance {
                    calling_ae: caller.calling_ae.clone(),
                    called_ae: caller.called_ae.clone(),
                    address: caller.address,
                    sop_class,
                    sop,
                    transfer_syntax: context.transfer_syntax.clone(),
                    part10: filled.object,
                    data_set_offset: filled.data_set_offset,
                    digest: filled.digest,
                    may_block: threads::is_own(),
                };
                return Ok(self.hand_over(instance, handler).await);
            }
            _ => Status::INVALID_SOP_INSTANCE,
        };
        messages.skip_data_set().await?;
        Ok(refused)
    }

    /// Receives the data set, or reads past it: `None` when it is beyond a limit or there is no room for it. The digest is computed while the
    /// peer sends.
    async fn fill(
        &mut self,
        messages: &mut Messages,
        context: &Context,
        request: &CommandSet,
        caller: &Caller,
    ) -> Result<Option<Filled>, UlError> {
        self.spool.clear();
        put_meta(
            self.spool.memory(),
            &Meta {
                sop_class: &request.sop_class,
                sop: &request.sop,
                transfer_syntax: context.transfer_syntax.as_ref(),
                calling_ae: caller.calling_ae.as_ref(),
                called_ae: caller.called_ae.as_ref(),
            },
        );
        let data_set_offset = self.spool.memory().len();
        // What the memory holds was taken up to here.
        let (mut hasher, mut taken) = (ObjectHasher::default(), 0);
        while let Some(added) = messages.fragment_into(self.spool.memory()).await? {
            let memory = self.spool.memory();
            taken += hasher.take(&memory[taken..]);
            let added = added as u64;
            let all = self.in_flight.fetch_add(added, Ordering::Relaxed) + added;
            self.counted += added;
            if self.spool.len() > self.limits.instance_bytes {
                return self.give_up(messages).await;
            }
            let crowded = all > self.limits.bytes_in_flight && self.spool.held() >= WORTH_SPILLING;
            if crowded || self.spool.is_full() {
                hasher.update(&self.spool.memory()[taken..]);
                taken = 0;
                if let Err(error) = self.spill().await {
                    return self.no_room(&error, messages).await;
                }
            }
        }
        hasher.update(&self.spool.memory()[taken..]);
        let finished = if self.spool.has_spilled() { self.spill().await } else { Ok(()) };
        match finished.and_then(|()| self.spool.take()) {
            Ok(object) => Ok(Some(Filled { object, data_set_offset, digest: hasher.finish() })),
            Err(error) => self.no_room(&error, messages).await,
        }
    }

    async fn no_room(&mut self, error: &io::Error, messages: &mut Messages) -> Result<Option<Filled>, UlError> {
        tracing::warn!(kind = ?error.kind(), "a long instance cannot be put on the disk while it is received");
        self.give_up(messages).await
    }

    async fn give_up(&mut self, messages: &mut Messages) -> Result<Option<Filled>, UlError> {
        self.spool = Spool::new(self.limits.spool_folder.clone());
        self.uncount();
        messages.skip_data_set().await?;
        Ok(None)
    }

    /// Moves what is in memory to the disk, beside the network's threads.
    async fn spill(&mut self) -> io::Result<()> {
        let spool = mem::replace(&mut self.spool, Spool::new(PathBuf::new()));
        let spilled = tokio::task::spawn_blocking(move || spool.spill()).await.map_err(io::Error::other)?;
        self.uncount();
        self.spool = spilled?;
        Ok(())
    }

    async fn hand_over(&mut self, instance: ReceivedInstance, handler: &dyn StoreHandler) -> Status {
        let held = match &instance.part10 {
            ObjectBytes::Held(bytes) => bytes.len(),
            ObjectBytes::ByRange(_) => 0,
        };
        let outcome = handler.store(instance).await;
        self.uncount();
        // The handler has dropped its bytes, so the next instance is received into the same allocation.
        self.spool.memory().reserve(held);
        Status::from(outcome)
    }

    fn uncount(&mut self) {
        self.in_flight.fetch_sub(self.counted, Ordering::Relaxed);
        self.counted = 0;
    }
}
