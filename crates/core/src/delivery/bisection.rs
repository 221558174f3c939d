//! Finds the points that a server refuses, when it only says that something in a request is wrong: by halves, oldest first.
//!
//! One bad point among 1000 costs at most 21 requests, and the other 999 are stored. Sending a point twice does no harm (its identity
//! is its series and time), so a request that was refused may have been stored in part.
//!
//! **Invariant.** A refused point is set aside only on a sign that the server takes points at all: another one of the batch was
//! accepted, or another batch between two refusals of this one, or the server itself says which one it refuses or that its *time* is
//! the reason. Without a sign, nothing is set aside: a
//! wrong setting must not throw away a history.

use std::ops::Range;

/// After so many refused single points without a sign, the newest point of the batch is tried alone. When that is refused too, the
/// rest of the batch is not tried.
const SUSPECTS_MAX: usize = 8;

/// Whether points may be sent in any order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// They may.
    Any,
    /// A point must not come after a newer one.
    OldestFirst,
}

/// A point that the server refuses.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refused {
    /// Its index in the batch.
    pub index: usize,
    /// What the server said.
    pub reason: String,
}

/// What became of a batch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// So many points from the front of the batch are decided: accepted, or in [`Outcome::refused`].
    pub decided: usize,
    /// Those that were refused, by index.
    pub refused: Vec<Refused>,
    /// The server refuses whatever it is sent, for this reason. Nothing is decided then.
    pub hopeless: Option<String>,
}

#[derive(Clone, Debug)]
struct Part {
    range: Range<usize>,
    /// Something in it is known to be refused: it is divided without being sent.
    known: bool,
    /// The first half of a refused part whose second half is next. If all of it is accepted, the culprit is in the second.
    first_half: bool,
}

/// One batch on its way to a server.
#[derive(Clone, Debug)]
pub struct Bisection {
    order: Order,
    length: usize,
    /// Undecided parts, the next one last.
    parts: Vec<Part>,
    refused: Vec<Refused>,
    /// There is a sign that the server takes points.
    sign: bool,
    /// The newest point has been tried alone.
    probed: bool,
    /// The largest request that the server can take, as far as is known.
    largest: usize,
}

impl Bisection {
    /// A batch of `length` points, oldest first.
    pub fn new(length: usize, order: Order) -> Self {
        let part = Part { range: 0..length, known: false, first_half: false };
        let parts = if length > 0 { vec![part] } else { Vec::new() };
        Self { order, length, parts, refused: Vec::new(), sign: false, probed: false, largest: usize::MAX }
    }

    /// Requests have at most so many points. The batch may be longer: a bad point is only found beside a good one.
    #[must_use]
    pub fn limited(mut self, largest: usize) -> Self {
        self.largest = largest.max(1);
        self
    }

    /// The server has shown elsewhere that it takes points, after it had refused these once: that is the sign.
    pub fn takes_others(&mut self) {
        self.sign = true;
    }

    /// The points of the next request; `None` when the batch is decided, or given up.
    pub fn next_request(&mut self) -> Option<Range<usize>> {
        if self.is_hopeless() {
            return None;
        }
        if !self.sign && self.refused.len() >= SUSPECTS_MAX && self.order == Order::Any && !self.probed {
            self.probe_newest();
        }
        let largest = self.largest;
        while let Some(part) = self.parts.pop_if(|part| part.range.len() > if part.known { 1 } else { largest }) {
            match part.known {
                true => self.divide(part.range),
                false => self.divide_at(part.range, largest, false),
            }
        }
        self.parts.last().map(|part| part.range.clone())
    }

    /// The last request was accepted.
    pub fn accepted(&mut self) {
        let Some(part) = self.parts.pop() else { return };
        self.sign = true;
        if part.first_half
            && let Some(second) = self.parts.last_mut()
        {
            second.known = true;
        }
    }

    /// The last request was refused as a whole or in part, and the server did not say what in it is wrong. With `lasting`, the reason
    /// is the time of the points.
    pub fn rejected(&mut self, reason: &str, lasting: bool) {
        let Some(part) = self.parts.pop() else { return };
        self.sign |= lasting;
        if part.range.len() > 1 {
            self.divide(part.range);
        } else {
            self.refuse(part.range.start, reason);
        }
    }

    /// The server has stored the last request but for these: indices within the request.
    pub fn partly(&mut self, rejected: Vec<(usize, String)>) {
        let Some(part) = self.parts.pop() else { return };
        self.sign = true;
        for (index, reason) in rejected.into_iter().filter(|(index, _)| *index < part.range.len()) {
            self.refuse(part.range.start + index, &reason);
        }
    }

    /// The last request was too large.
    pub fn too_large(&mut self, reason: &str) {
        let Some(part) = self.parts.pop() else { return };
        if part.range.len() == 1 {
            return self.refuse(part.range.start, reason);
        }
        self.largest = part.range.len() / 2;
        self.divide_at(part.range, self.largest, false);
    }

    /// Requests should have so many points at most; `usize::MAX` while no request was too large.
    pub fn largest(&self) -> usize {
        self.largest
    }

    /// What became of the batch so far: at the end, or when the server could not be reached any more.
    pub fn outcome(mut self) -> Outcome {
        if !self.sign {
            let hopeless = self.refused.pop().map(|refused| refused.reason);
            return Outcome { decided: 0, refused: Vec::new(), hopeless };
        }
        let undecided = self.parts.iter().map(|part| part.range.start).min();
        let decided = undecided.unwrap_or(self.length);
        self.refused.retain(|refused| refused.index < decided);
        self.refused.sort_by_key(|refused| refused.index);
        Outcome { decided, refused: self.refused, hopeless: None }
    }

    fn is_hopeless(&self) -> bool {
        let tried = self.probed || self.order == Order::OldestFirst;
        !self.sign && tried && self.refused.len() >= SUSPECTS_MAX
    }

    fn refuse(&mut self, index: usize, reason: &str) {
        self.refused.push(Refused { index, reason: reason.to_owned() });
    }

    fn divide(&mut self, range: Range<usize>) {
        let middle = range.len() / 2;
        self.divide_at(range, middle, true);
    }

    fn divide_at(&mut self, range: Range<usize>, at: usize, first_half: bool) {
        let middle = range.start + at;
        self.parts.push(Part { range: middle..range.end, known: false, first_half: false });
        self.parts.push(Part { range: range.start..middle, known: false, first_half });
    }

    /// Takes the newest point out of the part it is in, and puts it first.
    fn probe_newest(&mut self) {
        self.probed = true;
        let Some(newest) = self.parts.first_mut() else { return };
        let last = newest.range.end - 1;
        newest.range.end = last;
        newest.known = false;
        if newest.range.is_empty() {
            self.parts.remove(0);
        }
        // What was known of a second half was known with this point in it.
        self.parts.iter_mut().for_each(|part| part.first_half = false);
        self.parts.push(Part { range: last..last + 1, known: false, first_half: false });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// A server that refuses every request with a bad point in it, or one of more than `largest` points.
    struct Server {
        bad: BTreeSet<usize>,
        largest: usize,
        stored: BTreeSet<usize>,
        requests: usize,
    }

    impl Server {
        fn new(bad: impl IntoIterator<Item = usize>) -> Self {
            Self { bad: bad.into_iter().collect(), largest: usize::MAX, stored: BTreeSet::new(), requests: 0 }
        }

        fn take(&mut self, bisection: &mut Bisection) {
            while let Some(range) = bisection.next_request() {
                self.requests += 1;
                assert!(self.requests < 100_000, "for ever");
                if range.len() > self.largest {
                    bisection.too_large("too large");
                } else if self.bad.range(range.clone()).next().is_some() {
                    bisection.rejected("bad", false);
                } else {
                    self.stored.extend(range);
                    bisection.accepted();
                }
            }
        }
    }

    fn indices(outcome: &Outcome) -> Vec<usize> {
        outcome.refused.iter().map(|refused| refused.index).collect()
    }

    #[test]
    fn one_bad_point_among_1000_costs_at_most_21_requests() {
        for bad in 0..1000 {
            let (mut server, mut bisection) = (Server::new([bad]), Bisection::new(1000, Order::OldestFirst));
            server.take(&mut bisection);
            let outcome = bisection.outcome();
            assert_eq!((server.stored.len(), indices(&outcome), outcome.decided), (999, vec![bad], 1000));
            assert!(server.requests <= 21, "{bad}: {}", server.requests);
        }
    }

    #[test]
    fn a_server_that_refuses_everything_loses_nothing_and_is_soon_left_alone() {
        for order in [Order::Any, Order::OldestFirst] {
            let (mut server, mut bisection) = (Server::new(0..5000), Bisection::new(5000, order));
            server.take(&mut bisection);
            let outcome = bisection.outcome();
            assert_eq!((outcome.decided, outcome.refused.len()), (0, 0));
            assert_eq!(outcome.hopeless.as_deref(), Some("bad"));
            assert!(server.requests < 40, "{}", server.requests);
        }
    }

    #[test]
    fn many_bad_points_before_a_good_one_are_found_by_trying_the_newest() {
        let (mut server, mut bisection) = (Server::new(0..4000), Bisection::new(5000, Order::Any));
        server.take(&mut bisection);
        let outcome = bisection.outcome();
        assert_eq!((server.stored.len(), outcome.refused.len(), outcome.decided), (1000, 4000, 5000));
    }

    #[test]
    fn a_single_point_is_not_set_aside_without_a_sign() {
        let mut bisection = Bisection::new(1, Order::Any);
        assert_eq!(bisection.next_request(), Some(0..1));
        bisection.rejected("why", false);
        assert_eq!(bisection.next_request(), None);
        assert_eq!(bisection.outcome(), Outcome { decided: 0, refused: vec![], hopeless: Some("why".to_owned()) });
        let mut bisection = Bisection::new(1, Order::Any);
        bisection.rejected("too old", true);
        let refused = vec![Refused { index: 0, reason: "too old".to_owned() }];
        assert_eq!(bisection.outcome(), Outcome { decided: 1, refused, hopeless: None });
    }

    #[test]
    fn with_requests_of_one_point_a_bad_one_is_found_beside_a_good_one() {
        let (mut server, mut bisection) = (Server::new([0]), Bisection::new(3, Order::OldestFirst).limited(1));
        server.take(&mut bisection);
        assert_eq!(server.requests, 3);
        let outcome = bisection.outcome();
        assert_eq!((indices(&outcome), outcome.decided), (vec![0], 3));
    }

    #[test]
    fn what_the_server_names_needs_no_search() {
        let mut bisection = Bisection::new(10, Order::Any);
        bisection.partly(vec![(3, "a".to_owned()), (7, "b".to_owned()), (10, "not ours".to_owned())]);
        assert_eq!(bisection.next_request(), None);
        let outcome = bisection.outcome();
        assert_eq!((indices(&outcome), outcome.decided), (vec![3, 7], 10));
    }

    #[test]
    fn when_the_server_goes_away_what_it_took_is_decided() {
        let mut bisection = Bisection::new(8, Order::Any);
        assert_eq!(bisection.next_request(), Some(0..8));
        bisection.rejected("bad", false);
        assert_eq!(bisection.next_request(), Some(0..4));
        bisection.accepted();
        assert_eq!(bisection.next_request(), Some(4..6), "the second half must have the bad one");
        let outcome = bisection.outcome();
        assert_eq!((outcome.decided, outcome.refused.len()), (4, 0));
    }

    proptest! {
        #[test]
        fn every_good_point_is_stored_and_every_bad_one_named(
            length in 1usize..300,
            bad in proptest::collection::btree_set(0usize..300, 0..40),
            largest in prop_oneof![Just(usize::MAX), 1usize..50],
            order in prop_oneof![Just(Order::Any), Just(Order::OldestFirst)],
        ) {
            let bad: BTreeSet<usize> = bad.into_iter().filter(|index| *index < length).collect();
            let mut server = Server { largest, ..Server::new(bad.clone()) };
            let mut bisection = Bisection::new(length, order);
            server.take(&mut bisection);
            let found_largest = bisection.largest();
            prop_assert!(found_largest == usize::MAX || found_largest <= length / 2);
            let outcome = bisection.outcome();
            if outcome.hopeless.is_some() {
                prop_assert!(server.stored.is_empty() && !bad.is_empty());
                prop_assert!(order == Order::OldestFirst || bad.contains(&(length - 1)) || bad.len() == length);
            } else {
                prop_assert_eq!(outcome.decided, length);
                prop_assert_eq!(indices(&outcome).into_iter().collect::<BTreeSet<_>>(), bad.clone());
                prop_assert_eq!(server.stored.len(), length - bad.len());
                let levels = length.next_power_of_two().trailing_zeros() as usize;
                if largest == usize::MAX {
                    prop_assert!(server.requests <= 2 + 2 * levels * bad.len().max(1), "{} requests", server.requests);
                }
            }
        }

        /// The server may go away at any moment: what is then called decided is stored or refused, and nothing else.
        #[test]
        fn an_interrupted_batch_decides_nothing_too_much(
            length in 1usize..200,
            bad in proptest::collection::btree_set(0usize..200, 0..10),
            stop_after in 0usize..30,
        ) {
            let mut server = Server::new(bad.iter().copied());
            let mut bisection = Bisection::new(length, Order::Any);
            for _ in 0..stop_after {
                let Some(range) = bisection.next_request() else { break };
                if bad.range(range.clone()).next().is_some() {
                    bisection.rejected("bad", false);
                } else {
                    server.stored.extend(range);
                    bisection.accepted();
                }
            }
            let outcome = bisection.outcome();
            let refused: BTreeSet<usize> = indices(&outcome).into_iter().collect();
            for index in 0..outcome.decided {
                prop_assert!(server.stored.contains(&index) != refused.contains(&index), "{}", index);
            }
        }
    }
}
