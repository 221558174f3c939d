//! A DHT22 or DHT11 on a simulated line: a process of its own, with real-time priority, that plays frames by pulling the line. It waits
//! as the sensor does: the host holds the line low for long enough, lets it go, and 20 to 40 µs later the answer begins (Aosong
//! AM2302 data sheet, "communication and signal"; the DHT11's differs in the length of the start signal).

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::FileExt as _;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::time::Duration;

use gpiocdev::Chip;
use gpiocdev::line::{Direction, InfoChangeKind};
use rustix::event::{PollFd, PollFlags, poll};

use super::clock;
use super::gpio::Bank;

/// Which of the two.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Model {
    Dht22,
    Dht11,
}

impl Model {
    fn shortest_start(self) -> Duration {
        match self {
            Self::Dht22 => Duration::from_micros(800),
            Self::Dht11 => Duration::from_millis(18),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Dht22 => "dht22",
            Self::Dht11 => "dht11",
        }
    }
}

/// What the sensor answers with from now on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Answer {
    /// Nothing.
    Mute,
    /// These five bytes.
    Frame([u8; 5]),
    /// These five bytes, but the pulse of this bit (0 to 39) is lost.
    Without([u8; 5], u8),
    /// The first so many bits of these five bytes.
    Cut([u8; 5], u8),
}

impl Answer {
    fn write(self) -> String {
        let hex = |bytes: [u8; 5]| bytes.map(|byte| format!("{byte:02x}")).concat();
        match self {
            Self::Mute => "mute".to_owned(),
            Self::Frame(bytes) => format!("frame {}", hex(bytes)),
            Self::Without(bytes, bit) => format!("without {} {bit}", hex(bytes)),
            Self::Cut(bytes, bits) => format!("cut {} {bits}", hex(bytes)),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let word = words.next()?;
        if word == "mute" {
            return Some(Self::Mute);
        }
        let hex = words.next()?;
        let mut bytes = [0; 5];
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(hex.get(2 * index..2 * index + 2)?, 16).ok()?;
        }
        let number = || words.next().and_then(|number| number.parse().ok());
        let mut number = number;
        match word {
            "frame" => Some(Self::Frame(bytes)),
            "without" => Some(Self::Without(bytes, number()?)),
            "cut" => Some(Self::Cut(bytes, number()?)),
            _ => None,
        }
    }
}

/// A frame's bytes with the checksum behind them.
pub(crate) fn with_checksum(bytes: [u8; 4]) -> [u8; 5] {
    let [a, b, c, d] = bytes;
    [a, b, c, d, a.wrapping_add(b).wrapping_add(c).wrapping_add(d)]
}

/// A DHT22's frame: tenths of a per cent, tenths of a degree with the sign in the highest bit.
pub(crate) fn dht22_frame(humidity_tenths: i32, temperature_tenths: i32) -> [u8; 5] {
    let humidity = u16::try_from(humidity_tenths).expect("a positive humidity").to_be_bytes();
    let magnitude = u16::try_from(temperature_tenths.unsigned_abs()).expect("a small temperature");
    let sign = if temperature_tenths < 0 { 0x8000 } else { 0 };
    let temperature = (magnitude | sign).to_be_bytes();
    with_checksum([humidity[0], humidity[1], temperature[0], temperature[1]])
}

/// The sensor, seen from the scenarios.
pub(crate) struct Dht {
    process: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Dht {
    /// Puts one on a line; it is mute.
    pub(crate) fn new(model: Model, bank: &Bank, offset: u32) -> Self {
        let program = std::env::current_exe().expect("this program's file");
        let mut command = Command::new("chrt");
        command.args(["-f", "10"]).arg(program).args(["--dht", model.name()]);
        command.arg(bank.device()).arg(offset.to_string()).arg(bank.pull_file(offset));
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("chrt(1)");
        let orders = process.stdin.take().expect("a pipe");
        let answers = BufReader::new(process.stdout.take().expect("a pipe"));
        let mut dht = Self { process, orders, answers };
        dht.answer(Answer::Mute);
        dht
    }

    /// Sets what it answers with. It has taken the order when this returns.
    pub(crate) fn answer(&mut self, answer: Answer) {
        writeln!(self.orders, "{}", answer.write()).expect("the sensor's process lives");
        let mut taken = String::new();
        self.answers.read_line(&mut taken).expect("the sensor's process lives");
        assert_eq!(taken.trim(), "taken");
    }
}

impl Drop for Dht {
    fn drop(&mut self) {
        self.process.kill().expect("it can be killed");
        self.process.wait().expect("it ends");
    }
}

/// The sensor's process: `--dht MODEL CHIP OFFSET PULL`; its orders come on its standard input.
pub(crate) fn play(arguments: &[String]) -> ExitCode {
    let [model, chip, offset, pull] = arguments else { panic!("MODEL CHIP OFFSET PULL") };
    let model = if model == "dht11" { Model::Dht11 } else { Model::Dht22 };
    let mut sensor =
        Sensor { pull: File::options().write(true).open(pull).expect("the line's pull"), answer: Answer::Mute };
    sensor.set(true);
    let chip = Chip::from_path(chip).expect("the chip");
    chip.watch_line_info(offset.parse().expect("a number")).expect("the line can be watched");
    let mut orders = BufReader::new(std::io::stdin());
    let mut driven_since = None;
    loop {
        let stdin = std::io::stdin();
        let mut sources = [PollFd::new(&stdin, PollFlags::IN), PollFd::new(&chip, PollFlags::IN)];
        poll(&mut sources, None).expect("poll");
        let [order_waits, change_waits] = [0, 1].map(|index| !sources[index].revents().is_empty());
        if change_waits {
            let change = chip.read_line_info_change_event().expect("a change of the line");
            let at = Duration::from_nanos(change.timestamp_ns);
            match (change.kind, change.info.direction) {
                (InfoChangeKind::Released, _) => {}
                (_, Direction::Output) => driven_since = driven_since.or(Some(at)),
                (_, Direction::Input) => {
                    let since = driven_since.take();
                    if since.is_some_and(|since| at.saturating_sub(since) >= model.shortest_start()) {
                        sensor.play();
                    }
                }
            }
        } else if order_waits {
            let mut order = String::new();
            if orders.read_line(&mut order).expect("stdin") == 0 {
                return ExitCode::SUCCESS;
            }
            sensor.answer = Answer::parse(&order).expect("an order");
            println!("taken");
        }
    }
}

struct Sensor {
    pull: File,
    answer: Answer,
}

impl Sensor {
    fn set(&self, up: bool) {
        let word: &[u8] = if up { b"pull-up" } else { b"pull-down" };
        self.pull.write_all_at(word, 0).expect("the line takes a pull");
    }

    fn play(&self) {
        let (bytes, bits, lost) = match self.answer {
            Answer::Mute => return,
            Answer::Frame(bytes) => (bytes, 40, None),
            Answer::Without(bytes, bit) => (bytes, 40, Some(bit)),
            Answer::Cut(bytes, bits) => (bytes, bits, None),
        };
        let mut end = clock::now();
        let mut hold = |up: bool, microseconds: u64| {
            self.set(up);
            end += Duration::from_micros(microseconds);
            // Sleeping is far too coarse: the emulated machine has this one processor, and nothing else runs meanwhile.
            while clock::now() < end {
                std::hint::spin_loop();
            }
        };
        hold(true, 30);
        hold(false, 80);
        hold(true, 80);
        for bit in 0..bits {
            let set = bytes[usize::from(bit / 8)] >> (7 - bit % 8) & 1 == 1;
            hold(lost == Some(bit), 50);
            hold(true, if set { 70 } else { 26 });
        }
        hold(false, 50);
        self.set(true);
    }
}
