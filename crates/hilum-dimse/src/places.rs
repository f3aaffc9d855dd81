//! Who may stand at the door, and who has a place: no caller keeps all others out.
//!
//! A connection stands at the door until its association is accepted; it takes none of the places there. Where too many stand there, one
//! of the network that most of them come from goes, the one that has stood longest. A known peer has at most three quarters of the places,
//! unless it is the only one.

use std::{
    collections::{HashMap, HashSet},
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use hilum_dicom::AeTitle;
use tokio::sync::oneshot;

use crate::peers::Callers;

/// So many may stand at the door however few places there are.
const FEWEST_AT_THE_DOOR: usize = 16;

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Connections whose association is not accepted yet.
pub(crate) struct Door {
    most: usize,
    standing: Mutex<Standing>,
}

#[derive(Default)]
struct Standing {
    next_number: u64,
    /// In the order in which they came.
    seats: Vec<Seat>,
}

struct Seat {
    number: u64,
    network: IpAddr,
    /// Dropped to send it away.
    _stays: oneshot::Sender<()>,
}

/// One connection at the door, until this is dropped.
pub(crate) struct AtTheDoor {
    door: Arc<Door>,
    number: u64,
    stays: oneshot::Receiver<()>,
}

impl Door {
    /// As many as there are places.
    pub(crate) fn new(places: usize) -> Arc<Self> {
        Arc::new(Self { most: places.max(FEWEST_AT_THE_DOOR), standing: Mutex::default() })
    }

    /// Lets a connection stand there, where need be in the place of another one.
    pub(crate) fn stand(self: &Arc<Self>, address: IpAddr) -> AtTheDoor {
        let (sender, stays) = oneshot::channel();
        let mut standing = locked(&self.standing);
        if standing.seats.len() >= self.most {
            standing.send_one_away();
        }
        let number = standing.next_number;
        standing.next_number += 1;
        standing.seats.push(Seat { number, network: network_of(address), _stays: sender });
        AtTheDoor { door: Arc::clone(self), number, stays }
    }
}

impl Standing {
    fn send_one_away(&mut self) {
        let mut counts: HashMap<IpAddr, usize> = HashMap::new();
        for seat in &self.seats {
            *counts.entry(seat.network).or_default() += 1;
        }
        let most = counts.values().max();
        if let Some(at) = self.seats.iter().position(|seat| counts.get(&seat.network) == most) {
            self.seats.remove(at);
        }
    }
}

impl AtTheDoor {
    /// Done when it is to make room for another one.
    pub(crate) async fn sent_away(&mut self) {
        drop((&mut self.stays).await);
    }
}

impl Drop for AtTheDoor {
    fn drop(&mut self) {
        locked(&self.door.standing).seats.retain(|seat| seat.number != self.number);
    }
}

/// Of IPv6 one caller has a whole /64 network to choose addresses from.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
        address @ IpAddr::V4(_) => address,
    }
}

/// Accepted associations.
pub(crate) struct Places {
    most: usize,
    most_of_one: usize,
    taken: Mutex<HashMap<AeTitle, usize>>,
}

/// A place, until it is dropped.
pub(crate) struct Place {
    places: Arc<Places>,
    title: AeTitle,
}

/// All places that there are for a caller are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoPlace;

impl Places {
    /// Where anybody may call, that is from this machine, a title says nothing: there is no share.
    pub(crate) fn new(most: usize, callers: &Callers) -> Arc<Self> {
        let known = match callers {
            Callers::Anybody => 0,
            Callers::Known { peers, .. } => peers.iter().map(|peer| &peer.ae_title).collect::<HashSet<_>>().len(),
        };
        let most_of_one = if known > 1 { (most - most / 4).min(most.saturating_sub(1)).max(1) } else { most };
        Arc::new(Self { most, most_of_one, taken: Mutex::default() })
    }

    /// A place for a caller whose title is recognised.
    pub(crate) fn take(self: &Arc<Self>, title: &AeTitle) -> Result<Place, NoPlace> {
        let mut taken = locked(&self.taken);
        let (all, own) = (taken.values().sum::<usize>(), taken.get(title).copied().unwrap_or_default());
        if all >= self.most || own >= self.most_of_one {
            return Err(NoPlace);
        }
        taken.insert(title.clone(), own + 1);
        Ok(Place { places: Arc::clone(self), title: title.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = locked(&self.places.taken);
        if let Some(own) = taken.get_mut(&self.title) {
            *own -= 1;
            if *own == 0 {
                taken.remove(&self.title);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::Peer;

    fn title(text: &str) -> AeTitle {
        text.parse().unwrap()
    }

    fn known(titles: &[&str]) -> Callers {
        let peers = titles.iter().map(|text| Peer::new(title(text), "ct.example.org", 104)).collect();
        Callers::Known { peers, check_host: true }
    }

    #[test]
    fn a_peer_has_three_quarters_of_the_places_unless_nobody_else_can_call() {
        let two = &["CT1", "CT2"][..];
        // The same peer at two addresses is one.
        for (callers, most, expected) in [
            (known(two), 64, 48),
            (known(two), 256, 192),
            (known(two), 3, 2),
            (known(two), 2, 1),
            (known(two), 1, 1),
            (known(&["CT1", "CT1"]), 64, 64),
            (Callers::Anybody, 64, 64),
        ] {
            let places = Places::new(most, &callers);
            let held: Vec<Place> = std::iter::from_fn(|| places.take(&title("CT1")).ok()).collect();
            assert_eq!(held.len(), expected, "{callers:?} {most}");
            let other = places.take(&title("CT2"));
            assert_eq!(other.is_ok(), expected < most);
            drop((held, other));
            assert!(places.taken.lock().unwrap().is_empty());
        }
    }

    #[tokio::test]
    async fn whoever_crowds_the_door_makes_room_first() {
        let door = Door::new(1);
        let is_away = |seat: &mut AtTheDoor| seat.stays.try_recv() == Err(oneshot::error::TryRecvError::Closed);
        let mut early = door.stand("192.0.2.7".parse().unwrap());
        // One network of IPv6.
        let mut crowd: Vec<AtTheDoor> =
            (1..16).map(|host| door.stand(format!("2001:db8::{host}").parse().unwrap())).collect();
        let mut late = door.stand("192.0.2.8".parse().unwrap());
        crowd[0].sent_away().await;
        assert!(!is_away(&mut early) && !is_away(&mut late) && !is_away(&mut crowd[1]));
        // Where nobody crowds it, the one that has stood longest goes.
        drop(crowd);
        let mut others: Vec<AtTheDoor> =
            (0..15).map(|host| door.stand(format!("198.51.100.{host}").parse().unwrap())).collect();
        early.sent_away().await;
        assert!(!is_away(&mut late) && !others.iter_mut().any(is_away));
    }
}
