//! The loop over a real socket: `run` in a thread of its own, the daemon's end here. A state is waited for with a deadline so generous
//! that only a guard that never gets there misses it; how long it takes is measured elsewhere.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{fs, process};

use rustix::net::{AddressFamily, SocketFlags, socketpair};

use super::*;

const HEATER: usize = 0;
const FAN: usize = 1;
const LONG: Duration = Duration::from_secs(30);

fn specs() -> Vec<LineSpec> {
    let line = |name: &str, role| LineSpec { name: name.into(), role };
    vec![line("heater", Role::Heater), line("exhaust fan", Role::Fan)]
}

/// Limits that no slow machine meets by itself.
fn patient() -> Limits {
    Limits { lease: LONG, max_sample_age: LONG, ..Limits::default() }
}

fn wants(heater: bool, fan: bool) -> [Want; MAX_LINES] {
    let mut wants = [Want::default(); MAX_LINES];
    wants[HEATER] = Want { active: heater, temperature_milli_c: 20_000, sample_age_ms: 100 };
    wants[FAN].active = fan;
    wants
}

fn lease(sequence: u32, heater: bool, fan: bool) -> Vec<u8> {
    Lease { sequence, wants: wants(heater, fan) }.encode().to_vec()
}

type Running = JoinHandle<Result<(), GuardError>>;

fn start(lines: impl Lines + Send + 'static, limits: Limits, trace: Option<PathBuf>) -> (Link, Running) {
    let (link, socket) = Link::pair().unwrap();
    let options = Options { lines: specs(), limits, trace };
    (link, thread::spawn(move || run(socket, lines, options)))
}

/// A bare end of the conversation, to say what no [`Link`] would.
fn start_bare(lines: impl Lines + Send + 'static, limits: Limits) -> (OwnedFd, Running) {
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
    let options = Options { lines: specs(), limits, trace: None };
    (ours, thread::spawn(move || run(theirs, lines, options)))
}

fn say(socket: &OwnedFd, bytes: &[u8]) {
    send(socket, bytes, SendFlags::NOSIGNAL).unwrap();
}

fn hear(socket: &OwnedFd) -> Report {
    let mut bytes = [0; protocol::REPORT_LEN];
    let (length, _) = recv(socket, &mut bytes, RecvFlags::empty()).unwrap();
    Report::decode(&bytes[..length]).unwrap()
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
    let (mut link, guard) = start(lines, patient(), None);
    let report = link.exchange(&wants(true, true), LONG).unwrap();
    assert_eq!((report.sequence, verdicts(&report)), (1, [Verdict::Active; 2]));
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
    check(&lease(6, true, true)[..LEASE_LEN - 1]);
    check(&[lease(6, true, true), vec![0]].concat());
    check(&[0; 4096]);
    check(&lease(5, true, true));
    check(&lease(4, true, true));
}

#[test]
fn a_lease_runs_out_by_itself() {
    let lines = SimulatedLines::new();
    let view = lines.view();
    let (mut link, guard) = start(lines, Limits { lease: Duration::from_millis(5), ..Limits::default() }, None);
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
    /// The heater is active whatever was set.
    stuck: Arc<AtomicBool>,
    /// Somebody else makes the heater active, once.
    poked: Arc<AtomicBool>,
}

impl Bad {
    fn new() -> Self {
        let (stuck, poked) = Default::default();
        Self { lines: SimulatedLines::new(), deaf: false, dies: false, panics: false, gate: None, stuck, poked }
    }

    fn heater_is_active(&self) -> bool {
        self.lines.view().is_active(HEATER)
    }
}

impl Lines for Bad {
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
        let (mut link, guard) = start(bad, patient(), None);
        let report = link.exchange(&wants(true, true), LONG).unwrap();
        assert_eq!(report.lines[HEATER], LineReport { active: at_fault, verdict: Verdict::LineFault });
        assert_eq!(report.lines[FAN].verdict, Verdict::Active);
        for _ in 0..3 {
            let report = link.exchange(&wants(true, true), LONG).unwrap();
            assert_eq!((report.lines[HEATER], report.lines[FAN].verdict), (then, Verdict::Active));
        }
        drop(link);
        guard.join().unwrap().unwrap();
    };
    let latched = LineReport { active: false, verdict: Verdict::Latched };
    check(Bad { deaf: true, ..Bad::new() }, false, latched);
    let fault = LineReport { active: true, verdict: Verdict::LineFault };
    check(Bad { dies: true, ..Bad::new() }, true, fault);
    check(Bad { stuck: Arc::new(AtomicBool::new(true)), ..Bad::new() }, true, fault);
}

#[test]
fn a_line_that_somebody_else_moves_is_a_fault_and_moved_back_if_it_can_be() {
    let check = |move_it: &dyn Fn(&Bad) -> Arc<AtomicBool>, stays_active: bool| {
        let bad = Bad::new();
        let moved = move_it(&bad);
        let (mut link, guard) = start(bad, patient(), None);
        let mut heater = || link.exchange(&wants(false, true), LONG).unwrap().lines[HEATER];
        assert_eq!(heater(), LineReport { active: false, verdict: Verdict::NotWanted });
        moved.store(true, Ordering::SeqCst);
        assert_eq!(heater(), LineReport { active: stays_active, verdict: Verdict::LineFault });
        moved.store(false, Ordering::SeqCst);
        assert_eq!(heater(), LineReport { active: false, verdict: Verdict::Latched });
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
    let (mut link, guard) = start(bad, patient(), None);
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

#[test]
fn a_wish_of_a_daemon_that_is_gone_is_not_granted() {
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
    say(&ours, &lease(1, true, true));
    drop(ours);
    // An active heater would panic.
    let lines = Bad { panics: true, ..Bad::new() };
    run(theirs, lines, Options { lines: specs(), limits: patient(), trace: None }).unwrap();
}

/// A path of our own, without its file.
fn fresh_path(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("filamentbox-guard-{}-{name}", process::id()));
    let _ = fs::remove_file(&path);
    path
}

#[test]
fn the_trace_tells_each_change_once() {
    let path = fresh_path("trace");
    fs::write(&path, "earlier\n").unwrap();
    let before = clock::now();
    let (mut link, guard) = start(SimulatedLines::new(), patient(), Some(path.clone()));
    for heater in [true, true, false, true] {
        link.exchange(&wants(heater, false), LONG).unwrap();
    }
    drop(link);
    guard.join().unwrap().unwrap();
    let text = fs::read_to_string(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let (times, changes): (Vec<_>, Vec<_>) = text.lines().skip(1).map(|line| line.split_once(' ').unwrap()).unzip();
    let heater = ["output heater 1", "output heater 0", "output heater 1", "output heater 0"];
    assert_eq!(changes, [&["output heater 0", "output exhaust_fan 0"][..], &heater].concat());
    assert!(times.is_sorted_by_key(|time| time.parse::<f64>().unwrap()), "{times:?}");
    assert!(times.iter().all(|time| time.split_once('.').unwrap().1.len() == 6), "{times:?}");
    assert!(times[0].parse::<f64>().unwrap() >= before.0 as f64 / 1e9 - 1e-5);
}

#[test]
fn the_trace_tells_of_a_line_that_fails_between_two_reports() {
    let path = fresh_path("fault");
    let bad = Bad::new();
    let stuck = Arc::clone(&bad.stuck);
    let (mut link, guard) = start(bad, patient(), Some(path.clone()));
    link.exchange(&wants(false, false), LONG).unwrap();
    stuck.store(true, Ordering::SeqCst);
    link.exchange(&wants(true, true), LONG).unwrap();
    stuck.store(false, Ordering::SeqCst);
    drop(link);
    guard.join().unwrap().unwrap();
    let text = fs::read_to_string(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let heater: Vec<_> =
        text.lines().filter(|line| line.contains("heater")).map(|line| &line[line.len() - 1..]).collect();
    assert_eq!(heater, ["0", "1", "0"], "{text}");
}

#[test]
fn a_trace_on_a_full_disk_changes_nothing() {
    let lines = SimulatedLines::new();
    let view = lines.view();
    let (mut link, guard) = start(lines, patient(), Some("/dev/full".into()));
    link.exchange(&wants(true, true), LONG).unwrap();
    assert!(view.is_active(HEATER));
    drop(link);
    guard.join().unwrap().unwrap();
    assert!(!view.is_active(HEATER));
}

#[test]
fn a_guard_that_cannot_start_says_why_and_leaves_its_lines_inactive() {
    let seqpacket = || Link::pair().unwrap().1;
    let check = |socket: OwnedFd, lines: Vec<LineSpec>, trace: Option<&str>, expected: &str| {
        let mut simulated = SimulatedLines::new();
        let view = simulated.view();
        simulated.set(HEATER, true).unwrap();
        let options = Options { lines, limits: Limits::default(), trace: trace.map(PathBuf::from) };
        assert_eq!(run(socket, simulated, options).unwrap_err().to_string(), expected);
        assert!(!view.is_active(HEATER));
    };
    let no_socket = "the relay guard is started by the daemon, with a SOCK_SEQPACKET socket as its standard input";
    check(fs::File::open("/dev/null").unwrap().into(), specs(), None, no_socket);
    let (stream, _other) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None).unwrap();
    check(stream, specs(), None, no_socket);
    let nine = vec![specs()[0].clone(); MAX_LINES + 1];
    check(seqpacket(), nine, None, "9 output lines are too many, a relay guard holds at most 8");
    let trace = "cannot append to the trace /nowhere/trace: No such file or directory (os error 2)";
    check(seqpacket(), specs(), Some("/nowhere/trace"), trace);
}

#[test]
fn eight_lines_are_not_too_many() {
    let (link, socket) = Link::pair().unwrap();
    drop(link);
    let options = Options { lines: vec![specs()[0].clone(); MAX_LINES], limits: Limits::default(), trace: None };
    run(socket, SimulatedLines::new(), options).unwrap();
}
