//! Is a relay released when its output is off? Only somebody who looks at the board knows, so somebody is asked.

use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;
use std::time::Duration;

use filamentbox_core::command::OutputKind;
use filamentbox_guard::{LineSpec, Role};

use super::finding::{Check, Finding, Status, Step, say};
use super::outputs::{NO_OUTPUT, Output, enabled, level};
use super::setting;
use super::system::{Daemon, System};
use crate::cli::RELAY_FILE;
use crate::runtime::guard;

const POLARITY: Check = Check::safety("pins", "relay-polarity", "relay polarity");

/// How long the fan is switched on for a look.
pub(super) const CLICK: Duration = Duration::from_secs(2);

/// An answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Answer {
    Yes,
    No,
    /// Nothing that was understood, or the end of the input.
    DoNotKnow,
}

/// Somebody who can look at the relay board.
pub(super) trait Person {
    fn ask(&mut self, question: &str) -> Answer;
}

/// What can switch the fan's output on for a moment.
pub(super) trait Switch {
    /// Switches this output, which is the fan's, on for `time`, then off again.
    ///
    /// # Errors
    /// Why it was not possible. It is off then.
    fn pulse(&mut self, fan: Output, time: Duration) -> Result<(), String>;
}

/// The way to the relay guard, which alone may touch an output.
pub(super) struct GuardSwitch {
    pub(super) data_dir: PathBuf,
}

impl Switch for GuardSwitch {
    fn pulse(&mut self, fan: Output, time: Duration) -> Result<(), String> {
        let name = fan.name().to_owned();
        let line = LineSpec { name, role: Role::Fan, gpio: fan.pin, active_low: fan.is_active_low };
        let plan = guard::Plan {
            simulate: false,
            service: guard::service(),
            trace: None,
            state_dir: self.data_dir.join(guard::STATE_DIR),
            limits: RELAY_FILE.into(),
            slots: vec![guard::Slot { box_index: 0, output: fan.kind, line }],
            boxes: 1,
        };
        guard::pulse(&plan, time)
    }
}

/// Whoever sits at the terminal. Questions go to stderr, so that stdout stays the report.
pub(super) struct AtTheTerminal;

impl Person for AtTheTerminal {
    fn ask(&mut self, question: &str) -> Answer {
        let mut err = std::io::stderr().lock();
        let _ = write!(err, "{question} [y/n, Enter if you do not know] ").and_then(|()| err.flush());
        let mut line = String::new();
        if std::io::stdin().lock().read_line(&mut line).is_err() {
            return Answer::DoNotKnow;
        }
        match line.trim().to_ascii_lowercase().as_str() {
            "y" | "yes" => Answer::Yes,
            "n" | "no" => Answer::No,
            _ => Answer::DoNotKnow,
        }
    }
}

/// Who can be asked: nobody when stdin or stderr is no terminal.
pub(super) fn person() -> Option<AtTheTerminal> {
    (std::io::stdin().is_terminal() && std::io::stderr().is_terminal()).then_some(AtTheTerminal)
}

/// Without `person` every question is skipped.
pub(super) fn checks(system: &System, person: Option<&mut dyn Person>, switch: &mut dyn Switch) -> Vec<Finding> {
    let outputs = enabled(system);
    if outputs.is_empty() {
        return vec![POLARITY.skip(NO_OUTPUT)];
    }
    let Some(person) = person else {
        let reason = "somebody has to look at the relays: run `filamentbox doctor` in a terminal";
        return outputs.iter().map(|output| POLARITY.skip(reason).of(output.name())).collect();
    };
    let mut findings = Vec::new();
    for output in outputs {
        let at_rest = at_rest(system, output, person);
        let is_fine = at_rest.status == Status::Ok;
        findings.push(at_rest.of(output.name()));
        if output.kind == OutputKind::Fan && is_fine {
            findings.extend(clicks(system, output, person, switch).map(|finding| finding.of(output.name())));
        }
    }
    findings
}

/// Whether the relay of an output that is off is released.
fn at_rest(system: &System, output: Output, person: &mut dyn Person) -> Finding {
    let (name, pin) = (output.name(), output.pin);
    let is_held = match &system.daemon {
        Daemon::Running(status) if status["controls"][name]["on"] == true => {
            return POLARITY.skip(format!("the {name} is on; ask again when it is off (filamentbox {name} off)"));
        }
        Daemon::Running(_) => true,
        Daemon::Unreachable(_) => return POLARITY.skip("whether the output is off cannot be asked of the daemon"),
        Daemon::Absent => false,
    };
    let state = if is_held { "is off now" } else { "is driven by nobody now (no daemon runs)" };
    let question = format!(
        "The {name}'s output, GPIO{pin}, {state}.\nLook at its relay: is its lamp dark, or has it released (the \
         {name} gets no power)?"
    );
    match (person.ask(&question), is_held) {
        (Answer::DoNotKnow, _) => POLARITY.skip("nobody knew"),
        (Answer::Yes, true) => POLARITY.ok("released while its output is off"),
        (Answer::Yes, false) => POLARITY.ok("released while nobody drives its pin"),
        (Answer::No, true) => POLARITY
            .fail(format!("switched on while its output is off: the {name} runs when it must not"))
            .mend(invert(output)),
        (Answer::No, false) => POLARITY
            .fail(format!("switched on while nobody drives its pin: the {name} runs whenever no daemon does"))
            .mend([say(format!(
                "a board that switches on at low level needs a resistor of 10 kΩ from GPIO{pin} to 3.3 V (one that \
                 switches on at high level: to ground), and the setting that says which it is:"
            ))])
            .mend(invert(output)),
    }
}

/// The setting the other way round.
fn invert(output: Output) -> Vec<Step> {
    let inverted = !output.is_active_low;
    let is_on_at = level(!inverted);
    let mut steps = vec![say(format!("tell FilamentBox that this board switches its relay on at {is_on_at} level:"))];
    steps.extend(setting(&format!("{}.active_low", output.section()), &inverted.to_string()));
    steps
}

/// Whether the fan's relay switches on when it is told to; `None` when that is not to be tried. Never the heater's.
fn clicks(system: &System, fan: Output, person: &mut dyn Person, switch: &mut dyn Switch) -> Option<Finding> {
    if system.daemon != Daemon::Absent {
        return None;
    }
    let seconds = CLICK.as_secs();
    let question =
        format!("Shall the fan's output, GPIO{}, be switched on for {seconds} seconds, to see it click?", fan.pin);
    if person.ask(&question) != Answer::Yes {
        return None;
    }
    if let Err(reason) = switch.pulse(fan, CLICK) {
        return Some(POLARITY.skip(format!("the fan was not switched: {reason}")));
    }
    Some(match person.ask("Did its relay switch on, and off again?") {
        Answer::Yes => POLARITY.ok("switches on when it is told to"),
        Answer::DoNotKnow => POLARITY.skip("nobody saw whether it switched"),
        Answer::No => POLARITY
            .fail("did not switch on: the wires, the pin or the level that switches it on are others than set")
            .mend([say(format!("compare the wire with {}.gpio_pin ({}); if it is right:", fan.section(), fan.pin))])
            .mend(invert(fan)),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{NoSwitch, Tree};
    use super::*;

    struct Script {
        answers: Vec<Answer>,
        questions: Vec<String>,
    }

    impl Person for Script {
        fn ask(&mut self, question: &str) -> Answer {
            self.questions.push(question.to_owned());
            assert!(!self.answers.is_empty(), "not expected: {question}");
            self.answers.remove(0)
        }
    }

    struct Recorder {
        pulses: Vec<(Output, Duration)>,
        outcome: Result<(), String>,
    }

    impl Switch for Recorder {
        fn pulse(&mut self, fan: Output, time: Duration) -> Result<(), String> {
            self.pulses.push((fan, time));
            self.outcome.clone()
        }
    }

    fn recorder() -> Recorder {
        Recorder { pulses: Vec::new(), outcome: Ok(()) }
    }

    /// The findings' statuses; all answers must be used up.
    fn ask(system: &System, answers: &[Answer], switch: &mut Recorder) -> Vec<Finding> {
        let mut script = Script { answers: answers.to_vec(), questions: Vec::new() };
        let findings = checks(system, Some(&mut script), switch);
        assert!(script.answers.is_empty(), "questions: {:?}", script.questions);
        findings
    }

    fn statuses(findings: &[Finding]) -> Vec<Status> {
        findings.iter().map(|finding| finding.status).collect()
    }

    fn only(section: &str) -> System {
        Tree::pi_4().set(&format!("{section}.enabled"), "true").system()
    }

    #[test]
    fn the_heater_is_asked_about_and_never_switched() {
        use Answer::{DoNotKnow, No, Yes};
        for (answer, status) in [(Yes, Status::Ok), (No, Status::Fail), (DoNotKnow, Status::Skip)] {
            let mut switch = recorder();
            let findings = ask(&only("heating_control"), &[answer], &mut switch);
            assert_eq!(statuses(&findings), [status], "{findings:?}");
            assert_eq!(switch.pulses, []);
        }
    }

    #[test]
    fn the_remedy_is_the_other_polarity() {
        let wrong = |active_low: &str| {
            let tree =
                Tree::pi_4().set("heating_control.enabled", "true").set("heating_control.active_low", active_low);
            format!("{:?}", ask(&tree.system(), &[Answer::No], &mut recorder()))
        };
        assert!(wrong("false").contains("FILAMENTBOX_HEATING_CONTROL__ACTIVE_LOW=true"), "{}", wrong("false"));
        assert!(wrong("false").contains("on at low level"), "{}", wrong("false"));
        assert!(wrong("true").contains("FILAMENTBOX_HEATING_CONTROL__ACTIVE_LOW=false"), "{}", wrong("true"));
        assert!(wrong("true").contains("on at high level"), "{}", wrong("true"));
    }

    #[test]
    fn the_fan_is_switched_only_with_consent_and_without_a_daemon() {
        use Answer::{DoNotKnow, No, Yes};
        let cases: [(&[Answer], &[Status], usize); 6] = [
            (&[Yes, No], &[Status::Ok], 0),
            (&[Yes, DoNotKnow], &[Status::Ok], 0),
            (&[No], &[Status::Fail], 0),
            (&[Yes, Yes, Yes], &[Status::Ok, Status::Ok], 1),
            (&[Yes, Yes, No], &[Status::Ok, Status::Fail], 1),
            (&[Yes, Yes, DoNotKnow], &[Status::Ok, Status::Skip], 1),
        ];
        for (answers, expected, pulses) in cases {
            let mut switch = recorder();
            let findings = ask(&only("humidity_control"), answers, &mut switch);
            assert_eq!(statuses(&findings), expected, "{answers:?}");
            assert_eq!(switch.pulses.len(), pulses, "{answers:?}");
            assert!(switch.pulses.iter().all(|(output, time)| output.kind == OutputKind::Fan && *time == CLICK));
        }
        let off = json!({ "controls": { "fan": { "enabled": true, "on": false } } });
        let running = Tree::pi_4().set("humidity_control.enabled", "true").daemon(Daemon::Running(off)).system();
        let mut switch = recorder();
        assert_eq!(statuses(&ask(&running, &[Yes], &mut switch)), [Status::Ok]);
        assert_eq!(switch.pulses, []);
    }

    #[test]
    fn an_output_that_is_on_or_simulated_is_not_asked_about() {
        for status in [
            json!({ "controls": { "heater": { "enabled": true, "on": true } } }),
            json!({ "controls": { "heater": { "enabled": true, "on": false } }, "simulated": true }),
        ] {
            let system = Tree::pi_4().daemon(Daemon::Running(status)).system();
            assert_eq!(statuses(&ask(&system, &[], &mut recorder())), [Status::Skip]);
        }
    }

    #[test]
    fn without_a_terminal_or_a_guard_it_is_skipped_with_the_reason() {
        let findings = checks(&only("heating_control"), None, &mut recorder());
        assert!(findings[0].status == Status::Skip && findings[0].found.contains("terminal"), "{findings:?}");
        let mut script = Script { answers: vec![Answer::Yes, Answer::Yes], questions: Vec::new() };
        let findings = checks(&only("humidity_control"), Some(&mut script), &mut NoSwitch);
        assert!(findings[1].status == Status::Skip && findings[1].found.contains("no GPIO20"), "{findings:?}");
    }
}
