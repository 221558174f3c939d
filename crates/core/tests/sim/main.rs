//! The simulated world: a box's physics, a sensor that fails, the daemon's control as its thread runs it, and the relay guard's
//! judge, in simulated time. [`witness`] asserts what must never be at every moment, by rules of its own.
//!
//! `FILAMENTBOX_SIM_SEED=n` reruns one random schedule; `FILAMENTBOX_SOAK=1` runs more than ten thousand of them.
//! Not here: threads, sockets, the journal and real servers; those are tested on the real binary.

mod acts;
mod beliefs;
mod calm;
mod daemon;
mod delivery;
mod dice;
mod hazards;
mod people;
mod properties;
mod regressions;
mod relay;
mod schedule;
mod sensor;
mod silence;
mod strategy;
mod surroundings;
mod witness;
mod world;
