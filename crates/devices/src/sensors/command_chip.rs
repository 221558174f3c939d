//! A chip with commands instead of registers, in software: it notes what it is sent and answers what it was given.

use std::collections::VecDeque;
use std::time::Duration;

use crate::bus::{BusError, Chip, Fault};

#[derive(Clone, Default)]
pub(super) struct CommandChip {
    /// One answer for each time that something is received.
    pub answers: VecDeque<Vec<u8>>,
    pub sent: Vec<Vec<u8>>,
    /// So often it does not answer when it should send.
    pub silent_for: u32,
    pub paused: Duration,
}

impl CommandChip {
    pub fn new(answers: impl IntoIterator<Item = Vec<u8>>) -> Self {
        Self { answers: answers.into_iter().collect(), ..Self::default() }
    }
}

impl Chip for CommandChip {
    fn read_registers(&mut self, _: u8, _: &mut [u8]) -> Result<(), BusError> {
        unreachable!("it has no registers")
    }

    fn write_register(&mut self, _: u8, _: u8) -> Result<(), BusError> {
        unreachable!("it has no registers")
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), BusError> {
        self.sent.push(bytes.to_vec());
        Ok(())
    }

    fn receive(&mut self, into: &mut [u8]) -> Result<(), BusError> {
        if self.silent_for > 0 {
            self.silent_for -= 1;
            return Err(BusError { fault: Fault::Silent, text: "nothing answers".to_owned() });
        }
        let answer = self.answers.pop_front().expect("an answer is there for everything that is received");
        into.copy_from_slice(&answer);
        Ok(())
    }

    fn pause(&mut self, time: Duration) {
        self.paused += time;
    }

    fn place(&self) -> String {
        "0x44 on /dev/i2c-1".to_owned()
    }
}
