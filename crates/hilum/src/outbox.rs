//! What waits for receivers, sent: each receiver has a task of its own, so that one that hangs keeps nobody but itself waiting. What is
//! due is in the catalogue; what was under way when the program ends is due again at the next start.

use std::{
    collections::{HashMap, HashSet},
    fmt::Display,
    future::Future,
    hash::Hash,
    time::Duration,
};

use hilum_engine::EngineError;
use tokio::{task, task::JoinSet, time::sleep};

use crate::failure::sentence;

/// How often the catalogue is looked at.
const EVERY: Duration = Duration::from_secs(1);

/// How a batch went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Batch {
    /// Nothing was due.
    Empty,
    /// The receiver answered.
    Answered,
    /// It was not reached, or did not answer.
    NotReached,
}

/// How long a receiver that was not reached is left alone: twice as long each time.
#[derive(Clone, Copy, Debug)]
pub struct Pauses {
    pub first: Duration,
    pub longest: Duration,
}

/// What waits for receivers of one kind.
pub trait Outbox: Clone + Send + Sync + 'static {
    /// What it calls them.
    type Name: Clone + Eq + Hash + Display + Send + 'static;
    /// One of them, as it is configured.
    type Receiver: Send + Sync + 'static;

    const PAUSES: Pauses;

    /// For whom something is due.
    fn due(&self) -> impl Future<Output = Result<Vec<Self::Name>, EngineError>> + Send;

    /// The receiver of a name; none where it is not configured any more.
    fn find(&self, name: &Self::Name) -> Option<Self::Receiver>;

    /// Sends some of what is due for a receiver, and writes how that went.
    fn send(&self, to: &Self::Receiver) -> impl Future<Output = anyhow::Result<Batch>> + Send;
}

/// Works until `shutdown` is done.
pub async fn run(outbox: impl Outbox, shutdown: impl Future<Output = ()> + Send) {
    tokio::select! {
        () = work(outbox) => {}
        () = shutdown => {}
    }
}

/// Works until it is dropped, and what it has under way with it.
pub async fn work<O: Outbox>(outbox: O) {
    let mut busy: HashMap<task::Id, O::Name> = HashMap::new();
    let mut unknown: HashSet<O::Name> = HashSet::new();
    let mut tasks: JoinSet<()> = JoinSet::new();
    loop {
        while let Some(ended) = tasks.try_join_next_with_id() {
            let id = match ended {
                Ok((id, ())) => id,
                Err(error) => {
                    tracing::error!(panic = error.is_panic(), "a sending task ended early");
                    error.id()
                }
            };
            busy.remove(&id);
        }
        match outbox.due().await {
            Ok(due) => {
                for name in due {
                    if busy.values().any(|one| *one == name) {
                        continue;
                    }
                    let Some(receiver) = outbox.find(&name) else {
                        if unknown.insert(name.clone()) {
                            tracing::warn!(%name, "something waits for a receiver that is not configured any more");
                        }
                        continue;
                    };
                    let outbox = outbox.clone();
                    let task = tasks.spawn(async move { drain(&outbox, &receiver).await });
                    busy.insert(task.id(), name);
                }
            }
            Err(error) => tracing::warn!(code = error.code(), "nobody could look for what is to be sent"),
        }
        sleep(EVERY).await;
    }
}

/// Sends what is due for a receiver, until nothing is.
async fn drain<O: Outbox>(outbox: &O, receiver: &O::Receiver) {
    let mut pause = O::PAUSES.first;
    loop {
        match outbox.send(receiver).await {
            Ok(Batch::Empty) => return,
            Ok(Batch::Answered) => pause = O::PAUSES.first,
            Ok(Batch::NotReached) => {
                sleep(pause).await;
                pause = (pause * 2).min(O::PAUSES.longest);
            }
            Err(error) => {
                tracing::warn!(error = sentence(&error), "what is to be sent could not be looked after");
                return sleep(pause).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    /// Its first receiver panics once, its second one hangs.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<HashMap<&'static str, u32>>>);

    impl Outbox for Kept {
        type Name = &'static str;
        type Receiver = &'static str;

        const PAUSES: Pauses = Pauses { first: Duration::from_millis(50), longest: Duration::from_millis(100) };

        async fn due(&self) -> Result<Vec<Self::Name>, EngineError> {
            Ok(vec!["panics", "hangs", "gone", "away"])
        }

        fn find(&self, name: &Self::Name) -> Option<Self::Receiver> {
            Some(*name).filter(|name| *name != "gone")
        }

        async fn send(&self, to: &Self::Receiver) -> anyhow::Result<Batch> {
            let tries = {
                let mut tries = self.0.lock().unwrap();
                let tries = tries.entry(*to).or_default();
                *tries += 1;
                *tries
            };
            match *to {
                "panics" if tries == 1 => panic!("a fault of ours"),
                "hangs" => std::future::pending().await,
                "away" => Ok(Batch::NotReached),
                _ => Ok(Batch::Empty),
            }
        }
    }

    #[tokio::test]
    async fn a_receiver_keeps_nobody_else_waiting_and_a_panic_ends_nothing() {
        let kept = Kept::default();
        let tries = |name| kept.0.lock().unwrap().get(name).copied().unwrap_or_default();
        let seen = async {
            while tries("panics") < 2 || tries("away") < 3 {
                sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::select! {
            () = work(kept.clone()) => panic!("it goes on until it is dropped"),
            seen = tokio::time::timeout(Duration::from_mins(1), seen) => seen.unwrap(),
        }
        assert_eq!((tries("hangs"), tries("gone")), (1, 0));
    }
}
