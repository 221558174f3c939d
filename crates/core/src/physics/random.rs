//! Deterministic randomness: a stream for the sensor's noise, and hashes for what depends on the time alone (weather, lid),
//! so that it does not matter in how many calls the time passed.

/// One round of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): a bijection that scatters every bit.
fn scatter(state: u64) -> u64 {
    let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The odd constant that SplitMix64 counts by.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// 0 to 1, the end excluded, from the upper 53 bits.
fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

/// A stream of numbers: the same seed gives the same numbers, on every machine.
#[derive(Clone, Debug)]
pub struct SplitMix64(u64);

impl SplitMix64 {
    /// The stream of `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        scatter(self.0)
    }

    /// The next number from 0 to 1, the end excluded.
    pub fn next_unit(&mut self) -> f64 {
        unit(self.next_u64())
    }

    /// The next number of a bell curve around 0 with deviation 1 (four uniform numbers, so never beyond 3.5).
    pub fn next_bell(&mut self) -> f64 {
        let sum: f64 = (0..4).map(|_| self.next_unit()).sum();
        (sum - 2.0) * 3.0_f64.sqrt()
    }
}

/// A number from 0 to 1 that belongs to `(seed, stream, index)`.
pub(super) fn hashed_unit(seed: u64, stream: u64, index: u64) -> f64 {
    let mixed = scatter(seed ^ scatter(stream.wrapping_mul(GOLDEN)));
    unit(scatter(mixed.wrapping_add(index.wrapping_mul(GOLDEN))))
}

/// Smooth noise from -1 to 1 with a new knot every `knot_s` seconds.
pub(super) fn smooth_noise(seed: u64, stream: u64, time_s: f64, knot_s: f64) -> f64 {
    let position = time_s / knot_s;
    let index = position as u64;
    let fraction = (position - index as f64).clamp(0.0, 1.0);
    let weight = fraction * fraction * (3.0 - 2.0 * fraction);
    let (left, right) = (hashed_unit(seed, stream, index), hashed_unit(seed, stream, index.wrapping_add(1)));
    2.0 * (left + weight * (right - left)) - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first outputs of the reference implementation (prng.di.unimi.it/splitmix64.c) for seed 1234567.
    #[test]
    fn the_stream_is_splitmix64() {
        let mut stream = SplitMix64::new(1_234_567);
        let first: Vec<u64> = (0..3).map(|_| stream.next_u64()).collect();
        assert_eq!(first, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn the_bell_has_its_mean_and_deviation() {
        let mut stream = SplitMix64::new(1);
        let drawn: Vec<f64> = (0..20_000).map(|_| stream.next_bell()).collect();
        let mean = drawn.iter().sum::<f64>() / 20_000.0;
        let variance = drawn.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 20_000.0;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05, "{mean} {variance}");
    }

    #[test]
    fn noise_is_smooth_and_bounded() {
        let mut last = smooth_noise(7, 1, 0.0, 600.0);
        for step in 1..5_000_u32 {
            let next = smooth_noise(7, 1, f64::from(step) * 6.0, 600.0);
            assert!((-1.0..=1.0).contains(&next) && (next - last).abs() < 0.04, "{last} -> {next}");
            last = next;
        }
    }
}
