//! The loop over a real socket: `run` in a thread of its own, the daemon's end here. A state is waited for with a deadline so generous
//! that only a guard that never gets there misses it; how long it takes is measured elsewhere.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{fs, io};

use rustix::net::{AddressFamily, RecvFlags, SocketFlags, recv, socketpair};

use super::*;
use protocol::{Claimed, Field, Message};

const HEATER: usize = 0;
const FAN: usize = 1;
const LONG: Duration = Duration::from_secs(30);

fn line(name: &str, role: Role, gpio: u32) -> LineSpec {
    LineSpec { name: name.into(), role, gpio, active_low: false }
}

fn specs() -> Vec<LineSpec> {
    vec![line("heater", Role::Heater, 16), line("exhaust_fan", Role::Fan, 20)]
}

/// Limits that no slow machine meets by itself.
fn patient() -> Limits {
    Limits { lease: LONG, max_sample_age: LONG, ..Limits::default() }
}

fn options(limits: Limits) -> Options {
    Options { file: RelayFile { limits, ..RelayFile::default() }, ..Options::default() }
}

fn wants(heater: bool, fan: bool) -> [Want; MAX_LINES] {
    let mut wants = [Want::default(); MAX_LINES];
    wants[HEATER] = Want { active: heater, temperature_milli_c: 20_000, sample_age_ms: 100, latch: None };
    wants[FAN].active = fan;
    wants
}

fn encoded<F: Field>(sequence: u32, lines: [F; MAX_LINES]) -> Vec<u8> {
    Message { sequence, lines }.encode(&mut [0; MESSAGE_MAX]).to_vec()
}

fn lease(sequence: u32, heater: bool, fan: bool) -> Vec<u8> {
    encoded(sequence, wants(heater, fan))
}

type Running = JoinHandle<Result<(), GuardError>>;

/// A guard that holds both lines.
fn start(lines: impl Lines + Send + 'static, options: Options) -> (Link, Running) {
    let (mut link, socket) = Link::pair().unwrap();
    let guard = thread::spawn(move || run(socket, lines, options));
    assert_eq!(link.claim(&specs(), LONG), Ok(vec![Ok(()); 2]));
    (link, guard)
}

/// A bare end of the conversation, to say what no [`Link`] would. The claim had sequence 0.
fn start_bare(lines: impl Lines + Send + 'static, limits: Limits) -> (OwnedFd, Running) {
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
    let guard = thread::spawn(move || run(theirs, lines, options(limits)));
    say(&ours, &encoded(0, std::array::from_fn(|index| specs().get(index).cloned())));
    let claimed: Claimed = hear_any(&ours);
    assert!(claimed.lines[HEATER].held && claimed.lines[FAN].held);
    (ours, guard)
}

fn say(socket: &OwnedFd, bytes: &[u8]) {
    send(socket, bytes, SendFlags::NOSIGNAL).unwrap();
}

fn hear_any<F: Field>(socket: &OwnedFd) -> Message<F> {
    let mut bytes = [0; MESSAGE_MAX];
    let (length, _) = recv(socket, &mut bytes, RecvFlags::empty()).unwrap();
    Message::decode(&bytes[..length]).unwrap()
}

fn hear(socket: &OwnedFd) -> Report {
    hear_any(socket)
}

fn verdicts(report: &Report) -> [Verdict; 2] {
    [report.lines[HEATER].verdict, report.lines[FAN].verdict]
}

#[track_caller]
fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = clock::now().plus(LONG);
    while !is_so() {
        assert!(clock::now() < deadline, "never: {what}");
        thread::yield_now();
    }
}

#[test]
fn a_lease_makes_lines_active_and_its_daemon_s_end_makes_them_inactive() {
    let lines = SimulatedLines::new();
    let view = lines.view();
    let (mut link, guard) = start(lines, options(patient()));
    let report = link.exchange(&wants(true, true), LONG).unwrap();
    assert_eq!((report.sequence, verdicts(&report)), (2, [Verdict::Active; 2]));
    assert_eq!(report.lines[2].verdict, Verdict::NoSuchLine);
    assert!(view.is_active(HEATER) && view.is_active(FAN));

    let report = link.exchange(&wants(false, true), LONG).unwrap();
    assert_eq!(verdicts(&report), [Verdict::NotWanted, Verdict::Active]);
    assert!(!view.is_active(HEATER) && view.is_active(FAN));

    link.exchange(&wants(true, true), LONG).unwrap();
    drop(link);
    guard.join().unwrap().unwrap();
    assert!(!view.is_active(HEATER) && !view.is_active(FAN));
}

#[test]
fn a_message_that_is_no_good_makes_everything_inactive() {
    let check = |bad: &[u8]| {
        let lines = SimulatedLines::new();
        let view = lines.view();
        let (socket, guard) = start_bare(lines, patient());
        say(&socket, &lease(5, true, true));
        assert_eq!(hear(&socket).sequence, 5);
        assert!(view.is_active(HEATER) && view.is_active(FAN));
        say(&socket, bad);
        let report = hear(&socket);
        assert_eq!((report.sequence, verdicts(&report)), (0, [Verdict::NoLease; 2]), "{bad:?}");
        assert!(!view.is_active(HEATER) && !view.is_active(FAN));
        // And the conversation goes on.
        say(&socket, &lease(6, true, false));
        assert_eq!(verdicts(&hear(&socket)), [Verdict::Active, Verdict::NotWanted]);
        drop(socket);
        guard.join().unwrap().unwrap();
    };
    check(b"?");
    check(&lease(6, true, true)[..Lease::LEN - 1]);
    check(&[lease(6, true, true), vec![0]].concat());
    check(&[0; 4096]);
}

#[test]
fn a_message_that_is_not_newer_ends_the_lease() {
    let check = |first: u32, second: u32, granted: bool| {
        let lines = SimulatedLines::new();
        let view = lines.view();
        let (socket, guard) = start_bare(lines, patient());
        // Half of all sequences are newer than the claim's 0: what is beyond is reached in steps.
        for step in [first / 3, first / 3 * 2, first] {
            say(&socket, &lease(step, true, true));
            assert_eq!(hear(&socket).sequence, step);
        }
        say(&socket, &lease(second, true, true));
        let report = hear(&socket);
        assert_eq!(report.sequence, if granted { second } else { 0 }, "{first} {second}");
        assert_eq!(view.is_active(HEATER), granted, "{first} {second}");
        // Nor does an old claim or reset count.
        say(&socket, &encoded(first, [(); MAX_LINES]));
        assert_eq!(hear(&socket).sequence, 0);
        assert!(!view.is_active(HEATER));
        say(&socket, &encoded(first, [const { None::<LineSpec> }; MAX_LINES]));
        assert_eq!(hear(&socket).sequence, 0);
        drop(socket);
        guard.join().unwrap().unwrap();
    };
    check(7, 8, true);
    check(7, 7, false);
    check(7, 6, false);
    check(7, 1_000, true);
    check(u32::MAX, 0, true);
    check(1, u32::MAX, false);
    check(1, i32::MAX as u32 + 1, true);
    check(1, (1 << 31) + 1, false);
}

#[test]
fn a_lease_runs_out_by_itself() {
    let lines = SimulatedLines::new();
    let view = lines.view();
    let (mut link, guard) = start(lines, options(Limits { lease: Duration::from_millis(5), ..Limits::default() }));
    link.exchange(&wants(true, true), LONG).unwrap();
    wait_until("inactive", || !view.is_active(HEATER) && !view.is_active(FAN));
    assert!(!guard.is_finished());
    link.exchange(&wants(false, false), LONG).unwrap();
    drop(link);
    guard.join().unwrap().unwrap();
}

#[test]
fn a_daemon_that_does_not_read_its_reports_is_still_heard() {
    let lines = SimulatedLines::new();
    let view = lines.view();
    let (socket, guard) = start_bare(lines, patient());
    for sequence in 1..=5_000 {
        say(&socket, &lease(sequence, sequence % 2 == 0, sequence == 5_000));
    }
    wait_until("heard the last", || view.is_active(HEATER) && view.is_active(FAN));
    // Closed with answers unread, which the guard sees as a reset connection.
    drop(socket);
    guard.join().unwrap().unwrap();
    assert!(!view.is_active(HEATER) && !view.is_active(FAN));
}

/// Lines that go wrong on command.
struct Bad {
    lines: SimulatedLines,
    /// Setting the heater active does nothing.
    deaf: bool,
    /// The heater cannot be read any more once it is active, nor set again.
    dies: bool,
    /// Reading the active heater panics.
    panics: bool,
    /// Waited for when the heater becomes active.
    gate: Option<mpsc::Receiver<()>>,
    /// Waited for in the first claim.
    claim_gate: Option<mpsc::Receiver<()>>,
    /// The heater is active whatever was set.
    stuck: Arc<AtomicBool>,
    /// Somebody else makes the heater active, once.
    poked: Arc<AtomicBool>,
    /// Looked at also while nothing is asked.
    watched: bool,
    /// What was claimed and let go.
    story: Arc<Mutex<Vec<String>>>,
}

/// A pin that somebody else holds.
const NO_PIN: u32 = 99;

impl Bad {
    fn new() -> Self {
        let (stuck, poked, story) = Default::default();
        let lines = SimulatedLines::new();
        let (gate, claim_gate) = (None, None);
        Self { lines, deaf: false, dies: false, panics: false, gate, claim_gate, stuck, poked, watched: false, story }
    }

    fn heater_is_active(&self) -> bool {
        self.lines.view().is_active(HEATER)
    }
}

impl Lines for Bad {
    fn are_real(&self) -> bool {
        self.watched
    }

    fn claim(&mut self, index: usize, spec: &LineSpec) -> Result<(), LineError> {
        if spec.gpio == NO_PIN {
            return Err(LineError::Busy { gpio: NO_PIN, consumer: "somebody else".into() });
        }
        self.story.lock().unwrap().push(format!("claim {index}"));
        if let Some(gate) = self.claim_gate.take() {
            gate.recv().unwrap();
        }
        self.lines.claim(index, spec)
    }

    fn release(&mut self, index: usize) {
        if !self.panics && self.lines.read_back(index).unwrap() {
            self.story.lock().unwrap().push(format!("release {index} while active"));
        }
        self.story.lock().unwrap().push(format!("release {index}"));
    }

    fn set(&mut self, index: usize, active: bool) -> Result<(), LineError> {
        if index == HEATER && self.dies && self.heater_is_active() {
            return Err(LineError::Io(io::ErrorKind::BrokenPipe.into()));
        }
        self.lines.set(index, active && !(index == HEATER && self.deaf))?;
        if index == HEATER
            && active
            && let Some(gate) = self.gate.take()
        {
            gate.recv().unwrap();
        }
        Ok(())
    }

    fn read_back(&mut self, index: usize) -> Result<bool, LineError> {
        if index == HEATER && self.poked.swap(false, Ordering::SeqCst) {
            self.lines.set(HEATER, true)?;
        }
        if index == HEATER && self.heater_is_active() {
            assert!(!self.panics, "as planned");
            if self.dies {
                return Err(LineError::Io(io::ErrorKind::BrokenPipe.into()));
            }
        }
        Ok(self.lines.read_back(index)? || (index == HEATER && self.stuck.load(Ordering::SeqCst)))
    }
}

#[test]
fn a_line_that_does_not_obey_is_latched_and_the_others_go_on() {
    let check = |bad: Bad, at_fault: bool, then: LineReport| {
        let (mut link, guard) = start(bad, options(patient()));
        let report = link.exchange(&wants(true, true), LONG).unwrap();
        assert_eq!(
            report.lines[HEATER],
            LineReport { active: at_fault, verdict: Verdict::LineFault, latch: Some(Latch::LineFault) }
        );
        assert_eq!(report.lines[FAN].verdict, Verdict::Active);
        for _ in 0..3 {
            let report = link.exchange(&wants(true, true), LONG).unwrap();
            assert_eq!((report.lines[HEATER], report.lines[FAN].verdict), (then, Verdict::Active));
        }
        drop(link);
        guard.join().unwrap().unwrap();
    };
    let latched = LineReport { active: false, verdict: Verdict::Latched, latch: Some(Latch::LineFault) };
    check(Bad { deaf: true, ..Bad::new() }, false, latched);
    let fault = LineReport { active: true, verdict: Verdict::LineFault, latch: Some(Latch::LineFault) };
    check(Bad { dies: true, ..Bad::new() }, true, fault);
    check(Bad { stuck: Arc::new(AtomicBool::new(true)), ..Bad::new() }, true, fault);
}

#[test]
fn a_line_that_somebody_else_moves_is_a_fault_and_moved_back_if_it_can_be() {
    let check = |move_it: &dyn Fn(&Bad) -> Arc<AtomicBool>, stays_active: bool| {
        let bad = Bad::new();
        let moved = move_it(&bad);
        let (mut link, guard) = start(bad, options(patient()));
        let mut heater = || link.exchange(&wants(false, true), LONG).unwrap().lines[HEATER];
        assert_eq!(heater(), LineReport { active: false, verdict: Verdict::NotWanted, latch: None });
        moved.store(true, Ordering::SeqCst);
        assert_eq!(
            heater(),
            LineReport { active: stays_active, verdict: Verdict::LineFault, latch: Some(Latch::LineFault) }
        );
        moved.store(false, Ordering::SeqCst);
        assert_eq!(heater(), LineReport { active: false, verdict: Verdict::Latched, latch: Some(Latch::LineFault) });
        drop(link);
        guard.join().unwrap().unwrap();
    };
    check(&|bad| Arc::clone(&bad.poked), false);
    check(&|bad| Arc::clone(&bad.stuck), true);
}

#[test]
fn a_panic_leaves_the_lines_inactive() {
    let bad = Bad { panics: true, ..Bad::new() };
    let view = bad.lines.view();
    let (mut link, guard) = start(bad, options(patient()));
    assert_eq!(link.exchange(&wants(true, false), LONG), Err(LinkError::Lost));
    guard.join().unwrap_err();
    assert!(!view.is_active(HEATER));
}

#[test]
fn what_waited_while_the_guard_slept_past_its_lease_is_not_granted() {
    let (open, gate) = mpsc::channel();
    let bad = Bad { gate: Some(gate), ..Bad::new() };
    let view = bad.lines.view();
    let lease_time = Duration::from_millis(500);
    let (socket, guard) = start_bare(bad, Limits { lease: lease_time, ..patient() });
    say(&socket, &lease(1, true, true));
    wait_until("asleep in set", || view.is_active(HEATER));
    say(&socket, &lease(2, true, true));
    say(&socket, &lease(3, true, true));
    let over = clock::now().plus(lease_time);
    wait_until("lease 1 is over", || clock::now() > over);
    open.send(()).unwrap();
    assert_eq!(hear(&socket).sequence, 1);
    for sequence in [2, 3] {
        let report = hear(&socket);
        assert_eq!((report.sequence, verdicts(&report)), (sequence, [Verdict::NoLease; 2]));
    }
    // Once the queue is empty, the next one counts again.
    let deadline = clock::now().plus(LONG);
    let granted = (4..).take_while(|_| clock::now() < deadline).any(|sequence| {
        say(&socket, &lease(sequence, true, true));
        verdicts(&hear(&socket)) == [Verdict::Active; 2]
    });
    assert!(granted);
    drop(socket);
    guard.join().unwrap().unwrap();
    assert!(!view.is_active(HEATER));
}

fn claim(sequence: u32) -> Vec<u8> {
    encoded(sequence, std::array::from_fn(|index| specs().get(index).cloned()))
}

#[test]
fn what_waited_while_a_claim_took_longer_than_a_lease_is_not_granted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let _systemd = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    let watchdog = Duration::from_millis(30);
    let supervisor = Supervisor::at(path.to_str().unwrap(), Some(watchdog)).unwrap();
    let limits = Limits { lease: Duration::from_millis(20), ..patient() };
    let options = Options { supervisor: Some(supervisor), ..options(limits) };
    let (open, gate) = mpsc::channel();
    let bad = Bad { claim_gate: Some(gate), ..Bad::new() };
    let story = Arc::clone(&bad.story);
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
    let guard = thread::spawn(move || run(theirs, bad, options));
    say(&ours, &claim(1));
    wait_until("in the claim", || !story.lock().unwrap().is_empty());
    say(&ours, &lease(2, true, true));
    let over = clock::now().plus(limits.lease).plus(watchdog);
    wait_until("lease 2 is older than a lease lasts", || clock::now() > over);
    open.send(()).unwrap();
    let claimed: Claimed = hear_any(&ours);
    assert!(claimed.lines[HEATER].held);
    assert_eq!(verdicts(&hear(&ours)), [Verdict::NoLease; 2]);
    drop(ours);
    guard.join().unwrap().unwrap();
}

#[test]
fn a_stop_during_a_claim_lets_go_of_what_was_claimed_and_grants_nothing() {
    let (open, gate) = mpsc::channel();
    // An active heater would panic.
    let bad = Bad { claim_gate: Some(gate), panics: true, ..Bad::new() };
    let story = Arc::clone(&bad.story);
    let (stop, stopped) = std::os::unix::net::UnixStream::pair().unwrap();
    let options = Options { stop: Some(stopped.into()), ..options(patient()) };
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
    let guard = thread::spawn(move || run(theirs, bad, options));
    say(&ours, &claim(1));
    wait_until("in the claim", || !story.lock().unwrap().is_empty());
    say(&ours, &lease(2, true, true));
    drop(stop);
    open.send(()).unwrap();
    guard.join().unwrap().unwrap();
    assert_eq!(story.lock().unwrap()[..4], ["claim 0", "claim 1", "release 0", "release 1"]);
}

#[test]
fn a_heater_that_changes_its_place_in_the_claim_gets_no_on_time_for_it() {
    let limits = Limits { max_on_time: Duration::from_nanos(1), ..patient() };
    let (mut link, guard) = start(SimulatedLines::new(), options(limits));
    let all = [wants(true, true)[HEATER]; MAX_LINES];
    let mut heater = |claim: &[LineSpec]| {
        link.claim(claim, LONG).unwrap();
        let index = claim.iter().position(|line| line.role == Role::Heater).unwrap();
        link.exchange(&all, LONG).unwrap();
        link.exchange(&all, LONG).unwrap().lines[index].verdict
    };
    let [first, fan] = [&specs()[HEATER], &specs()[FAN]].map(Clone::clone);
    let (second, renamed) = (line("b.heater", Role::Heater, 17), line("c.heater", Role::Heater, 16));
    assert_eq!(heater(&[first.clone(), fan.clone()]), Verdict::OnTooLong);
    assert_eq!(heater(&[fan.clone(), first.clone()]), Verdict::OnTooLong);
    link.claim(&[fan.clone(), renamed.clone()], LONG).unwrap();
    assert_eq!(link.exchange(&all, LONG).unwrap().lines[1].verdict, Verdict::OnTooLong);
    // Nor does another one that takes its place have to rest for it.
    link.claim(&[second, renamed], LONG).unwrap();
    let report = link.exchange(&all, LONG).unwrap();
    assert_eq!(verdicts(&report), [Verdict::Active, Verdict::OnTooLong]);
    drop(link);
    guard.join().unwrap().unwrap();
}

#[test]
fn a_wish_of_a_daemon_that_is_gone_is_not_granted() {
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
    say(&ours, &encoded(1, std::array::from_fn(|index| specs().get(index).cloned())));
    say(&ours, &lease(2, true, true));
    drop(ours);
    // An active heater would panic.
    let lines = Bad { panics: true, ..Bad::new() };
    run(theirs, lines, options(patient())).unwrap();
}

#[test]
fn the_trace_tells_each_change_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace");
    fs::write(&path, "earlier\n").unwrap();
    let before = clock::now();
    let (mut link, guard) = start(SimulatedLines::new(), Options { trace: Some(path.clone()), ..options(patient()) });
    for heater in [true, true, false, true] {
        link.exchange(&wants(heater, false), LONG).unwrap();
    }
    drop(link);
    guard.join().unwrap().unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let (times, changes): (Vec<_>, Vec<_>) = text.lines().skip(1).map(|line| line.split_once(' ').unwrap()).unzip();
    let heater = ["output heater 1", "output heater 0", "output heater 1", "output heater 0"];
    assert_eq!(changes, [&["output heater 0", "output exhaust_fan 0"][..], &heater].concat());
    assert!(times.is_sorted_by_key(|time| time.parse::<f64>().unwrap()), "{times:?}");
    assert!(times.iter().all(|time| time.split_once('.').unwrap().1.len() == 6), "{times:?}");
    assert!(times[0].parse::<f64>().unwrap() >= before.0 as f64 / 1e9 - 1e-5);
}

#[test]
fn the_trace_tells_of_a_line_that_fails_between_two_reports() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace");
    let bad = Bad::new();
    let stuck = Arc::clone(&bad.stuck);
    let (mut link, guard) = start(bad, Options { trace: Some(path.clone()), ..options(patient()) });
    link.exchange(&wants(false, false), LONG).unwrap();
    stuck.store(true, Ordering::SeqCst);
    link.exchange(&wants(true, true), LONG).unwrap();
    stuck.store(false, Ordering::SeqCst);
    drop(link);
    guard.join().unwrap().unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let heater: Vec<_> =
        text.lines().filter(|line| line.contains("heater")).map(|line| &line[line.len() - 1..]).collect();
    assert_eq!(heater, ["0", "1", "0"], "{text}");
}

#[test]
fn a_trace_on_a_full_disk_changes_nothing() {
    let lines = SimulatedLines::new();
    let view = lines.view();
    let (mut link, guard) = start(lines, Options { trace: Some("/dev/full".into()), ..options(patient()) });
    link.exchange(&wants(true, true), LONG).unwrap();
    assert!(view.is_active(HEATER));
    drop(link);
    guard.join().unwrap().unwrap();
    assert!(!view.is_active(HEATER));
}

#[test]
fn a_guard_that_cannot_start_says_why() {
    let check = |socket: OwnedFd, options: Options, expected: &str| {
        assert_eq!(run(socket, SimulatedLines::new(), options).unwrap_err().to_string(), expected);
    };
    let no_socket = "the relay guard is started by the daemon, with a SOCK_SEQPACKET socket as its standard input";
    check(fs::File::open("/dev/null").unwrap().into(), Options::default(), no_socket);
    let (stream, _other) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None).unwrap();
    check(stream, Options::default(), no_socket);
    let trace = "cannot append to the trace /nowhere/trace: No such file or directory (os error 2)";
    let seqpacket = Link::pair().unwrap().1;
    check(seqpacket, Options { trace: Some("/nowhere/trace".into()), ..Options::default() }, trace);
}

#[test]
fn before_the_claim_there_is_no_line() {
    let (mut link, socket) = Link::pair().unwrap();
    let guard = thread::spawn(move || run(socket, SimulatedLines::new(), options(patient())));
    let report = link.exchange(&wants(true, true), LONG).unwrap();
    assert_eq!(report.lines, [LineReport::default(); MAX_LINES]);
    drop(link);
    guard.join().unwrap().unwrap();
}

#[test]
fn each_line_of_a_claim_is_taken_or_refused_by_itself() {
    let bad = Bad::new();
    let (mut link, socket) = Link::pair().unwrap();
    let file = RelayFile { limits: patient(), pins: Some(vec![16, 20, NO_PIN, 12]), heater_pins: Some(vec![12, 16]) };
    let folder = tempfile::tempdir().unwrap();
    let state_dir = Some(folder.path().to_owned());
    let guard = thread::spawn(move || run(socket, bad, Options { file, state_dir, ..Options::default() }));
    let mut claim = |lines: &[LineSpec]| link.claim(lines, LONG).unwrap();
    let refused = |why: &str| Err(why.to_owned());
    let lines = [
        line("heater", Role::Heater, 16),
        line("busy", Role::Fan, NO_PIN),
        line("heater", Role::Heater, 20),
        line("other", Role::Fan, 21),
        line("fan", Role::Fan, 20),
        line("disguised", Role::Fan, 12),
    ];
    let expected = [
        Ok(()),
        refused("GPIO99 is held by somebody else"),
        refused("another output has the same name"),
        refused("GPIO21 is not among the pins that relay.toml allows"),
        Ok(()),
        refused("GPIO12 is a heater in relay.toml"),
    ];
    assert_eq!(claim(&lines), expected);
    // Asked again, the answer is the same.
    assert_eq!(claim(&lines), expected);
    let report = link.exchange(&[Want { active: true, ..wants(true, true)[HEATER] }; MAX_LINES], LONG).unwrap();
    let held = report.lines.map(|line| line.verdict == Verdict::Active);
    assert_eq!(held, [true, false, false, false, true, false, false, false]);
    drop(link);
    guard.join().unwrap().unwrap();
    assert_eq!(recorded_lines(folder.path()).unwrap(), [lines[0].clone(), lines[4].clone()]);
}

#[test]
fn a_claim_makes_everything_inactive_and_lets_go_of_what_it_does_not_claim() {
    let bad = Bad::new();
    let (view, story) = (bad.lines.view(), Arc::clone(&bad.story));
    let (mut link, guard) = start(bad, options(patient()));
    link.exchange(&wants(true, true), LONG).unwrap();
    // The heater changes its pin, the fan stays as it is.
    let moved = LineSpec { gpio: 17, ..specs()[HEATER].clone() };
    assert_eq!(link.claim(&[moved, specs()[FAN].clone()], LONG), Ok(vec![Ok(()); 2]));
    assert!(!view.is_active(HEATER) && !view.is_active(FAN));
    assert_eq!(*story.lock().unwrap(), ["claim 0", "claim 1", "release 0", "claim 0"]);
    link.exchange(&wants(true, true), LONG).unwrap();
    assert!(view.is_active(HEATER) && view.is_active(FAN));
    assert_eq!(link.claim(&[], LONG), Ok(vec![]));
    let report = link.exchange(&wants(true, true), LONG).unwrap();
    assert_eq!(verdicts(&report), [Verdict::NoSuchLine; 2]);
    assert_eq!(story.lock().unwrap()[4..], ["release 0", "release 1"]);
    drop(link);
    guard.join().unwrap().unwrap();
    assert!(!story.lock().unwrap().iter().any(|step| step.ends_with("while active")));
}

#[test]
fn every_line_is_inactive_before_it_is_let_go() {
    let check = |end: &dyn Fn(Link, Running, OwnedFd)| {
        let bad = Bad::new();
        let (view, story) = (bad.lines.view(), Arc::clone(&bad.story));
        let (stop, stopped) = std::os::unix::net::UnixStream::pair().unwrap();
        let (mut link, guard) = start(bad, Options { stop: Some(stopped.into()), ..options(patient()) });
        link.exchange(&wants(true, true), LONG).unwrap();
        end(link, guard, stop.into());
        assert!(!view.is_active(HEATER) && !view.is_active(FAN));
        let story = story.lock().unwrap();
        assert!(story[2..].starts_with(&["release 0".into(), "release 1".into()]), "{story:?}");
    };
    check(&|link, guard, _stop| {
        drop(link);
        guard.join().unwrap().unwrap();
    });
    check(&|link, guard, stop| {
        rustix::io::write(&stop, b"X").unwrap();
        guard.join().unwrap().unwrap();
        drop(link);
    });
    check(&|link, guard, stop| {
        drop(stop);
        guard.join().unwrap().unwrap();
        drop(link);
    });
}

#[test]
fn a_line_that_somebody_moves_is_noticed_while_nothing_is_asked() {
    let bad = Bad { watched: true, ..Bad::new() };
    let (view, poked) = (bad.lines.view(), Arc::clone(&bad.poked));
    let (mut link, guard) = start(bad, options(patient()));
    poked.store(true, Ordering::SeqCst);
    wait_until("looked at", || !poked.load(Ordering::SeqCst));
    wait_until("moved back", || !view.is_active(HEATER));
    let report = link.exchange(&wants(true, false), LONG).unwrap();
    assert_eq!((report.lines[HEATER].verdict, report.lines[HEATER].latch), (Verdict::Latched, Some(Latch::LineFault)));
    drop(link);
    guard.join().unwrap().unwrap();
}

/// A guard as a service, and where it listens.
fn service(folder: &tempfile::TempDir, lines: impl Lines + Send + 'static) -> (PathBuf, OwnedFd, Running) {
    let path = folder.path().join("socket");
    let listener = listen_at(&path).unwrap();
    let (stop, stopped) = std::os::unix::net::UnixStream::pair().unwrap();
    let state_dir = Some(folder.path().to_owned());
    let options = Options { stop: Some(stopped.into()), state_dir, ..options(patient()) };
    (path, stop.into(), thread::spawn(move || serve(listener, lines, options)))
}

/// What the guard has heard a daemon say once it says so, although another may have been served a moment ago.
fn connect(path: &std::path::Path) -> Link {
    let deadline = clock::now().plus(LONG);
    loop {
        let mut link = Link::connect(path).unwrap();
        match link.exchange(&wants(false, false), LONG) {
            Ok(_) => return link,
            Err(error) => assert!(error == LinkError::Lost && clock::now() < deadline, "{error}"),
        }
    }
}

#[test]
fn one_daemon_is_served_at_a_time_and_the_next_finds_the_lines_held_and_inactive() {
    let folder = tempfile::tempdir().unwrap();
    let bad = Bad::new();
    let (view, story) = (bad.lines.view(), Arc::clone(&bad.story));
    let (path, stop, guard) = service(&folder, bad);
    let mut first = connect(&path);
    assert_eq!(first.claim(&specs(), LONG), Ok(vec![Ok(()); 2]));
    first.exchange(&wants(true, true), LONG).unwrap();
    let mut second = Link::connect(&path).unwrap();
    assert_eq!(second.claim(&specs(), LONG), Err(LinkError::Lost));
    // The first does not notice.
    assert_eq!(verdicts(&first.exchange(&wants(true, true), LONG).unwrap()), [Verdict::Active; 2]);
    drop(first);
    wait_until("inactive", || !view.is_active(HEATER) && !view.is_active(FAN));
    let mut third = connect(&path);
    // Held, but not its own yet.
    assert_eq!(verdicts(&third.exchange(&wants(true, true), LONG).unwrap()), [Verdict::NoSuchLine; 2]);
    assert!(!view.is_active(HEATER));
    assert_eq!(third.claim(&specs(), LONG), Ok(vec![Ok(()); 2]));
    assert_eq!(verdicts(&third.exchange(&wants(true, true), LONG).unwrap()), [Verdict::Active; 2]);
    assert_eq!(*story.lock().unwrap(), ["claim 0", "claim 1"]);
    // Nobody else can listen there.
    assert_eq!(listen_at(&path).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    drop(stop);
    guard.join().unwrap().unwrap();
    assert!(!view.is_active(HEATER));
    assert_eq!(recorded_lines(folder.path()).unwrap(), specs());
    // What it leaves behind is no hindrance.
    listen_at(&path).unwrap();
}

#[test]
fn a_file_in_the_way_of_the_socket_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    fs::write(&path, "precious").unwrap();
    assert_eq!(listen_at(&path).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
}

#[test]
fn the_socket_is_for_user_and_group() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let _listener = listen_at(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
}

#[test]
fn a_daemon_that_dies_heating_again_and_again_latches_its_heater() {
    let folder = tempfile::tempdir().unwrap();
    let (path, stop, guard) = service(&folder, Bad { watched: true, ..Bad::new() });
    let die = |heater: bool| {
        let mut link = connect(&path);
        link.claim(&specs(), LONG).unwrap();
        link.exchange(&wants(heater, true), LONG).unwrap().lines[HEATER].latch
    };
    for _ in 0..3 {
        assert_eq!(die(true), None);
        // One that goes in good order does not count.
        assert_eq!(die(false), None);
    }
    assert_eq!(die(true), None);
    assert_eq!(die(false), Some(Latch::CrashLoop));
    // A person resets it, and the count begins anew.
    let mut link = connect(&path);
    link.claim(&specs(), LONG).unwrap();
    assert_eq!(link.reset(LONG).unwrap().lines[HEATER].latch, None);
    drop(link);
    for _ in 0..4 {
        assert_eq!(die(true), None);
    }
    assert_eq!(die(true), Some(Latch::CrashLoop));
    drop(stop);
    guard.join().unwrap().unwrap();
}

#[test]
fn a_guard_that_is_stopped_while_heating_is_no_crash() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..5 {
        let (path, stop, guard) = service(&folder, SimulatedLines::new());
        let mut link = connect(&path);
        link.claim(&specs(), LONG).unwrap();
        assert_eq!(verdicts(&link.exchange(&wants(true, false), LONG).unwrap())[HEATER], Verdict::Active);
        drop(stop);
        guard.join().unwrap().unwrap();
    }
}

#[test]
fn the_record_of_held_lines_follows_the_claims() {
    let folder = tempfile::tempdir().unwrap();
    let live = |claims: &[&[LineSpec]]| {
        let options = Options { state_dir: Some(folder.path().to_owned()), ..options(patient()) };
        let (mut link, socket) = Link::pair().unwrap();
        let guard = thread::spawn(move || run(socket, SimulatedLines::new(), options));
        for claim in claims {
            link.claim(claim, LONG).unwrap();
        }
        drop(link);
        guard.join().unwrap().unwrap();
        recorded_lines(folder.path()).unwrap()
    };
    let (both, fan) = (specs(), vec![specs()[FAN].clone()]);
    assert_eq!(live(&[&both]), both);
    // What a guard held that is gone is not held by the next, unless it is claimed again.
    assert_eq!(live(&[&fan]), fan);
    assert_eq!(live(&[&fan, &both]), both);
    assert_eq!(live(&[&both, &[]]), []);
}

#[test]
fn a_latch_outlives_the_guard_until_a_reset() {
    let folder = tempfile::tempdir().unwrap();
    let options = || Options { state_dir: Some(folder.path().to_owned()), ..options(patient()) };
    let live = |latch: Option<Latch>, reset: bool| {
        let (mut link, guard) = start(SimulatedLines::new(), options());
        let mut wants = wants(true, true);
        wants[HEATER].latch = latch;
        let found = link.exchange(&wants, LONG).unwrap();
        if reset {
            link.reset(LONG).unwrap();
        }
        // In good order.
        link.exchange(&[Want::default(); MAX_LINES], LONG).unwrap();
        drop(link);
        guard.join().unwrap().unwrap();
        (found.lines[HEATER].latch, found.lines[FAN].active)
    };
    assert_eq!(live(None, false), (None, true));
    assert_eq!(live(Some(Latch::RelayStuck), false), (Some(Latch::RelayStuck), true));
    assert_eq!(live(None, false), (Some(Latch::RelayStuck), true));
    assert_eq!(live(None, true), (Some(Latch::RelayStuck), true));
    assert_eq!(live(None, false), (None, true));
}

#[test]
fn systemd_hears_that_the_guard_is_ready_and_then_that_it_works() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let systemd = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    let supervisor = Supervisor::at(path.to_str().unwrap(), Some(Duration::from_millis(30))).unwrap();
    let (_link, guard) = start(SimulatedLines::new(), Options { supervisor: Some(supervisor), ..options(patient()) });
    let hear = || {
        let mut bytes = [0; 64];
        let length = systemd.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    };
    assert_eq!([hear(), hear(), hear()], ["READY=1", "WATCHDOG=1", "WATCHDOG=1"]);
    drop(_link);
    guard.join().unwrap().unwrap();
}
