//! Who may be connected: a bounded number of places in all and for each address, and who makes room when all are taken.
//!
//! **A newcomer always gets in**, because it may be the person in the house who wants the heater off. Where there is no place, it takes
//! that of the connection which has been quiet longest: first among those of its own address, when that has its share, else among all.
//! Those that are logged in do not count to the share, and go last. What a new connection needs is the time for one request, and before
//! its place is taken again as many others must have come as there are places. An OFF that has reached its handler is obeyed even when the
//! connection is gone before the answer.
//!
//! Not here: sockets, tasks, time. A place's holder looks at [`Place::lost`] and goes.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tracing::{info, warn};

use super::limits::{PLACES, PLACES_EACH, PLACES_LOOPBACK};

/// Whose share of the places a connection is counted to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Origin {
    Loopback,
    Address(IpAddr),
}

impl Origin {
    /// Of an IPv6 address the network counts: a machine has as many addresses in it as it likes.
    fn of(peer: IpAddr) -> Self {
        match peer.to_canonical() {
            loopback if loopback.is_loopback() => Self::Loopback,
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Self::Address(IpAddr::from([a, b, c, d, 0, 0, 0, 0]))
            }
            address => Self::Address(address),
        }
    }

    fn share(self) -> usize {
        match self {
            Self::Loopback => PLACES_LOOPBACK,
            Self::Address(_) => PLACES_EACH,
        }
    }
}

struct Taken {
    origin: Origin,
    /// When it last began something, counted in such beginnings.
    active: u64,
    is_known: bool,
    lost: Arc<Notify>,
}

#[derive(Default)]
struct Table {
    next: u64,
    clock: u64,
    taken: BTreeMap<u64, Taken>,
    is_full: bool,
}

impl Table {
    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    /// Takes its place from whoever of `among` has been quiet longest, strangers first.
    fn make_room(&mut self, among: impl Fn(&Taken) -> bool) {
        let quietest = self.taken.iter().filter(|(_, taken)| among(taken));
        let quietest = quietest.min_by_key(|(_, taken)| (taken.is_known, taken.active)).map(|(id, _)| *id);
        if let Some(lost) = quietest.and_then(|id| self.taken.remove(&id)) {
            lost.lost.notify_one();
        }
    }

    fn tell(&mut self) {
        let taken = self.taken.len();
        if taken >= PLACES && !self.is_full {
            self.is_full = true;
            warn!(
                connections = taken,
                "all connections to the page are taken; whoever has been quiet longest makes room"
            );
        } else if taken < PLACES / 2 && self.is_full {
            self.is_full = false;
            info!(connections = taken, "there is room for connections to the page again");
        }
    }
}

/// All places.
#[derive(Clone, Default)]
pub(super) struct Places(Arc<Mutex<Table>>);

impl Places {
    /// A place for `peer`; somebody else may lose theirs.
    pub(super) fn take(&self, peer: IpAddr) -> Place {
        let origin = Origin::of(peer);
        let mut table = self.lock();
        let is_stranger_from_there = |taken: &Taken| !taken.is_known && taken.origin == origin;
        if table.taken.values().filter(|taken| is_stranger_from_there(taken)).count() >= origin.share() {
            table.make_room(is_stranger_from_there);
        }
        if table.taken.len() >= PLACES {
            table.make_room(|_| true);
        }
        let (id, active, lost) = (table.next, table.tick(), Arc::new(Notify::new()));
        table.next += 1;
        table.taken.insert(id, Taken { origin, active, is_known: false, lost: lost.clone() });
        table.tell();
        Place { visitor: Visitor { places: self.clone(), id }, lost }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // Nothing in here leaves the table half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's place, until dropped.
pub(super) struct Place {
    visitor: Visitor,
    lost: Arc<Notify>,
}

impl Place {
    /// Somebody else has it now.
    pub(super) async fn lost(&self) {
        self.lost.notified().await;
    }

    /// Who has it.
    pub(super) fn visitor(&self) -> Visitor {
        self.visitor.clone()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut table = self.visitor.places.lock();
        table.taken.remove(&self.visitor.id);
        table.tell();
    }
}

/// Who has a place, as its requests see it.
#[derive(Clone)]
pub(super) struct Visitor {
    places: Places,
    id: u64,
}

impl Visitor {
    /// A request begins.
    pub(super) fn is_active(&self) {
        let mut table = self.places.lock();
        let now = table.tick();
        if let Some(taken) = table.taken.get_mut(&self.id) {
            taken.active = now;
        }
    }

    /// It is somebody who is logged in.
    pub(super) fn is_known(&self) {
        if let Some(taken) = self.places.lock().taken.get_mut(&self.id) {
            taken.is_known = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUSE: &str = "192.168.1.2";

    /// Whether the place was taken by somebody else.
    fn is_lost(place: &Place) -> bool {
        !place.visitor.places.lock().taken.contains_key(&place.visitor.id)
    }

    fn take(places: &Places, peer: &str, count: usize) -> Vec<Place> {
        (0..count).map(|_| places.take(peer.parse().expect("an address"))).collect()
    }

    /// Which of the connections, in the order in which they came, lost their places.
    #[track_caller]
    fn check(connections: &[Place], expected: &[usize]) {
        let lost: Vec<usize> = (0..connections.len()).filter(|index| is_lost(&connections[*index])).collect();
        assert_eq!(lost, expected);
    }

    /// Every place taken, by addresses that do not exceed their shares.
    fn crowd(places: &Places) -> Vec<Place> {
        (0..PLACES / PLACES_EACH).flat_map(|host| take(places, &format!("10.0.0.{host}"), PLACES_EACH)).collect()
    }

    #[test]
    fn an_address_has_its_share_and_gives_way_to_itself() {
        let places = Places::default();
        let other = take(&places, HOUSE, 1);
        let mut many = take(&places, "10.0.0.1", PLACES_EACH);
        check(&many, &[]);
        many.extend(take(&places, "10.0.0.1", 2));
        check(&many, &[0, 1]);
        check(&other, &[]);
        many[2].visitor().is_active();
        many.extend(take(&places, "10.0.0.1", 1));
        check(&many, &[0, 1, 3]);
    }

    #[test]
    fn the_addresses_of_a_network_are_one_and_a_mapped_one_is_what_it_is() {
        let places = Places::default();
        let mut many = take(&places, "fd00::1", PLACES_EACH);
        many.extend(take(&places, "fd00::ffff:1", 1));
        check(&many, &[0]);
        many.extend(take(&places, "fd00:0:0:1::1", 1));
        check(&many, &[0]);
        let mut mapped = take(&places, "::ffff:10.0.0.1", PLACES_EACH);
        mapped.extend(take(&places, "10.0.0.1", 1));
        check(&mapped, &[0]);
        let mut loopback = take(&places, "::1", PLACES_LOOPBACK / 2);
        loopback.extend(take(&places, "127.0.0.9", PLACES_LOOPBACK / 2));
        check(&loopback, &[]);
        loopback.extend(take(&places, "::ffff:127.0.0.1", 1));
        check(&loopback, &[0]);
    }

    #[test]
    fn the_person_in_the_house_gets_in_and_stays_while_as_many_come_as_there_are_places() {
        let places = Places::default();
        let mut flood = crowd(&places);
        check(&flood, &[]);
        let person = take(&places, HOUSE, 1);
        check(&flood, &[0]);
        for round in 0..PLACES - 1 {
            assert!(!is_lost(&person[0]), "lost after {round} newcomers");
            flood.extend(take(&places, &format!("10.1.{round}.1"), 1));
        }
        check(&person, &[]);
        flood.extend(take(&places, "10.2.0.1", 1));
        check(&person, &[0]);
    }

    #[test]
    fn who_is_logged_in_goes_last_and_is_not_counted() {
        let places = Places::default();
        let proxied = take(&places, HOUSE, PLACES_EACH);
        proxied.iter().for_each(|place| place.visitor().is_known());
        let more = take(&places, HOUSE, PLACES_EACH);
        check(&proxied, &[]);
        check(&more, &[]);
        let flood = crowd(&places);
        check(&proxied, &[]);
        check(&more, &(0..PLACES_EACH).collect::<Vec<_>>());
        flood.iter().for_each(|place| place.visitor().is_known());
        let last = take(&places, "10.3.0.1", 1);
        check(&proxied, &[0]);
        check(&last, &[]);
    }

    #[test]
    fn who_goes_leaves_a_place() {
        let places = Places::default();
        let mut flood = crowd(&places);
        flood.remove(0);
        let person = take(&places, HOUSE, 1);
        check(&flood, &[]);
        check(&person, &[]);
    }

    #[tokio::test]
    async fn whoever_loses_a_place_learns_it() {
        let places = Places::default();
        let many = take(&places, HOUSE, PLACES_EACH + 1);
        many[0].lost().await;
    }
}
