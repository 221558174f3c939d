//! How often a password may be tried: 3 times a minute and 10 times an hour from one address, 30 times an hour by all together.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use filamentbox_core::time::Monotonic;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
/// So many tries of one address within the time.
const OF_ONE: [(usize, Duration); 2] = [(3, MINUTE), (10, HOUR)];
/// So many of all together within an hour, so that a guesser with many addresses is as slow; no more are remembered.
const OF_ALL: usize = 30;

/// The tries of the last hour. Those that succeed do not count.
#[derive(Default)]
pub struct Attempts(VecDeque<(Monotonic, IpAddr)>);

impl Attempts {
    /// Counts one try, before it is made, so that many at once are not more than so many in a row.
    ///
    /// # Errors
    /// How long to wait, when there were too many.
    pub fn take(&mut self, from: IpAddr, now: Monotonic) -> Result<(), Duration> {
        self.0.retain(|(at, _)| now.since(*at) < HOUR);
        let from = network(from);
        let of_one: Vec<Monotonic> = self.0.iter().filter(|(_, known)| *known == from).map(|(at, _)| *at).collect();
        let waits = OF_ONE.iter().filter_map(|(limit, time)| wait(&of_one, *limit, *time, now));
        let of_all: Vec<Monotonic> = self.0.iter().map(|(at, _)| *at).collect();
        match waits.chain(wait(&of_all, OF_ALL, HOUR, now)).max() {
            Some(wait) => Err(wait),
            None => {
                self.0.push_back((now, from));
                Ok(())
            }
        }
    }

    /// The try of `at` succeeded.
    pub fn give_back(&mut self, from: IpAddr, at: Monotonic) {
        let from = network(from);
        if let Some(index) = self.0.iter().rposition(|known| *known == (at, from)) {
            self.0.remove(index);
        }
    }
}

/// How long until fewer than `limit` of `tries`, oldest first, are younger than `time`.
fn wait(tries: &[Monotonic], limit: usize, time: Duration, now: Monotonic) -> Option<Duration> {
    let oldest_that_counts = tries.len().checked_sub(limit).and_then(|index| tries.get(index))?;
    time.checked_sub(now.since(*oldest_that_counts)).filter(|wait| !wait.is_zero())
}

/// Whoever has one IPv6 address has the other 2^64 of its network, too.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() & !u128::from(u64::MAX)).into()),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Monotonic {
        Monotonic::ZERO + Duration::from_secs(1_000_000 + seconds)
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn three_a_minute_and_ten_an_hour() {
        let (mut attempts, one) = (Attempts::default(), ip("192.0.2.1"));
        for second in [0, 1, 2] {
            assert_eq!(attempts.take(one, at(second)), Ok(()));
        }
        assert_eq!(attempts.take(one, at(10)), Err(Duration::from_secs(50)));
        assert_eq!(attempts.take(one, at(59)), Err(Duration::from_secs(1)));
        for second in [60, 61, 62, 120, 180, 240, 300] {
            assert_eq!(attempts.take(one, at(second)), Ok(()), "{second}");
        }
        assert_eq!(attempts.take(one, at(400)), Err(Duration::from_secs(3200)));
        assert_eq!(attempts.take(ip("192.0.2.2"), at(400)), Ok(()), "others are not concerned");
        assert_eq!(attempts.take(one, at(3600)), Ok(()));
    }

    #[test]
    fn thirty_an_hour_by_all() {
        let mut attempts = Attempts::default();
        for number in 0..30_u8 {
            assert_eq!(attempts.take(IpAddr::from([10, 0, 0, number]), at(number.into())), Ok(()));
        }
        assert_eq!(attempts.take(ip("10.0.1.1"), at(100)), Err(Duration::from_secs(3500)));
        assert_eq!(attempts.0.len(), 30, "what is refused is not remembered");
        assert_eq!(attempts.take(ip("10.0.1.1"), at(3600)), Ok(()));
    }

    #[test]
    fn an_ipv6_network_is_one_address_and_a_mapped_one_is_its_ipv4() {
        let mut attempts = Attempts::default();
        for address in ["2001:db8::1", "2001:db8::2", "2001:db8::ffff:0:0:1"] {
            assert_eq!(attempts.take(ip(address), at(0)), Ok(()));
        }
        assert!(attempts.take(ip("2001:db8::3"), at(1)).is_err());
        assert_eq!(attempts.take(ip("2001:db8:0:1::3"), at(1)), Ok(()));
        for address in ["::ffff:192.0.2.1", "192.0.2.1", "::ffff:192.0.2.1"] {
            assert_eq!(attempts.take(ip(address), at(0)), Ok(()));
        }
        assert!(attempts.take(ip("192.0.2.1"), at(1)).is_err());
    }

    #[test]
    fn what_succeeds_does_not_count() {
        let (mut attempts, one) = (Attempts::default(), ip("192.0.2.1"));
        for second in 0..20 {
            assert_eq!(attempts.take(one, at(second)), Ok(()));
            attempts.give_back(one, at(second));
        }
        assert!(attempts.0.is_empty());
    }
}
