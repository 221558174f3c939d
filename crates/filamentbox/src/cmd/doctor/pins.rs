//! What becomes of the output pins while nobody holds them: after the guard's death, and from power-up to its start; and who
//! else holds them.

use std::path::Path;

use super::bootconfig::{BootPin, Model};
use super::finding::{Check, Finding, Status, Step, put, run, say};
use super::outputs::{NO_OUTPUT, Output, enabled, level, missing_protection};
use super::system::{ChipView, Daemon, LineView, System};

const GROUP: &str = "pins";
const PERSISTENCE: Check = Check::safety(GROUP, "pin-persistence", "pin persistence");
const BOOT_LEVEL: Check = Check::safety(GROUP, "boot-level", "boot level");
const CHOICE: Check = Check::safety(GROUP, "pin-choice", "choice of pins");
const HOLDER: Check = Check::safety(GROUP, "pin-holder", "pin in use");

/// GPIO0 to GPIO8 are pulled up by the reset of a BCM283x, BCM2711 and RP1, GPIO9 to GPIO27 down (BCM2711 ARM Peripherals,
/// 5.3, table of alternative functions; RP1 Peripherals, 3.1.3).
const LAST_PULLED_UP: u32 = 8;
/// Labels of the chips that hold the header's pins; their device numbers differ between kernels.
const HEADER_CHIPS: [&str; 3] = ["pinctrl-rp1", "pinctrl-bcm2711", "pinctrl-bcm2835"];
/// What the relay guard calls itself as the user of a line begins so.
const OUR_CONSUMER: &str = "filamentbox-relay";
/// Pins of the header that have another use on every Raspberry Pi, and what that does to a relay.
const OTHER_USES: [(u32, u32, &str); 3] = [
    (0, 1, "belong to the identification of add-on boards, which is read at every start"),
    (2, 3, "are the I2C bus, with fixed resistors to 3.3 V"),
    (14, 15, "are the serial port, which may write at every start"),
];
const NOT_A_PI: &str = "this is not a Raspberry Pi";

pub(super) fn checks(system: &System) -> Vec<Finding> {
    let outputs = enabled(system);
    let Some(model) = system.model() else {
        let reason = format!("{NOT_A_PI}: find out what its kernel does with a pin whose process dies");
        let others = [BOOT_LEVEL, CHOICE, HOLDER].map(|check| check.skip(NOT_A_PI));
        return std::iter::once(PERSISTENCE.skip(reason)).chain(others).collect();
    };
    let mut findings = vec![persistence(system, &model)];
    if outputs.is_empty() {
        findings.extend([BOOT_LEVEL, CHOICE, HOLDER].map(|check| check.skip(NO_OUTPUT)));
        return findings;
    }
    findings.extend(outputs.iter().map(|output| boot_level(system, &model, *output)));
    findings.push(choice(&outputs));
    let chips = system.machine.chips();
    findings.extend(outputs.iter().map(|output| holder(system, &chips, *output)));
    findings
}

/// Lines at the end of config.txt, in force whatever section it ends with, as one command.
pub(super) fn append(lines: &str, file: &str) -> [Step; 3] {
    let escaped = lines.replace('\n', "\\n");
    [
        put(format!("[all]\n{lines}"), format!("{file}, at its end")),
        say("or all of it as a command:"),
        run(format!("printf '\\n[all]\\n{escaped}\\n' |\nsudo tee -a {file}")),
    ]
}

fn persistence(system: &System, model: &Model) -> Finding {
    let driver = model.pin_driver();
    let parameter = |name: &str| {
        let text = system.read(&format!("/sys/module/{driver}/parameters/{name}"))?;
        Some(matches!(text.as_str(), "Y" | "y" | "1"))
    };
    // The first kernels with the switch had it by the name of its opposite.
    let persists = parameter("persist_gpio_outputs").or_else(|| parameter("strict_gpiod").map(|strict| !strict));
    let file = system.boot_config_path();
    let command_line = file.replace("config.txt", "cmdline.txt");
    let is_set = system.boot_config(model).is_some_and(|config| config.has_parameter("strict_gpiod"))
        || system.read(&command_line).is_some_and(|line| line.contains(&format!("{driver}.persist_gpio_outputs=n")));
    match persists {
        Some(false) => PERSISTENCE.ok("the kernel lets go of a pin when the process that drove it dies"),
        Some(true) if is_set => PERSISTENCE
            .found(
                missing_protection(system),
                format!(
                    "when the relay guard is killed its pins stay as they are; the remedy is in {file} or \
                     {command_line}, and not in force yet"
                ),
            )
            .mend([
                say("restart the machine; if that does not help, bring the system up to date first:"),
                run("sudo apt update && sudo apt full-upgrade"),
                run("sudo reboot"),
            ]),
        Some(true) => PERSISTENCE
            .found(
                missing_protection(system),
                format!(
                    "when the relay guard is killed its pins stay as they are, and so does a heater \
                     ({driver}.persist_gpio_outputs is Y, as Raspberry Pi kernels come)"
                ),
            )
            .mend(append("dtparam=strict_gpiod", file))
            .mend([run("sudo reboot")])
            .mend([say(format!("or add {driver}.persist_gpio_outputs=n to the one line of {command_line}"))]),
        None => PERSISTENCE
            .warn(format!(
                "this kernel has no switch {driver}.persist_gpio_outputs. Kernels of that age as kernel.org has \
                 them let go of a pin when its process dies; those of Raspberry Pi OS may keep it driven"
            ))
            .mend([
                say("bring the system up to date (Raspberry Pi OS has the switch since May 2024), then look again:"),
                run("sudo apt update && sudo apt full-upgrade && sudo reboot"),
            ]),
    }
}

fn boot_level(system: &System, model: &Model, output: Output) -> Finding {
    let file = system.boot_config_path();
    let Some(config) = system.boot_config(model) else {
        let finding = BOOT_LEVEL.skip(format!("{file} cannot be read")).of(output.name());
        return finding.mend([say("ask as root:"), run("sudo filamentbox doctor --safety")]);
    };
    let boot = config.pin(output.pin);
    let mut finding = judge_boot_level(output, boot);
    if boot.is_doubtful && finding.status == Status::Ok {
        finding.status = Status::Warn;
    }
    if boot.driven != Some(!output.active_level()) || boot.is_doubtful {
        let drive = if output.is_active_low { "dh" } else { "dl" };
        finding.remedy.splice(..0, append(&format!("gpio={}=op,{drive}", output.pin), file));
    }
    if boot.is_doubtful {
        let doubt = format!("a section of {file} that may or may not be in force sets this pin, too: look at it");
        finding = finding.mend([say(doubt)]);
    }
    finding
}

/// Both the seconds from power-up to the firmware's reading of config.txt, and the time from there to the guard's start.
fn judge_boot_level(output: Output, boot: BootPin) -> Finding {
    let pin = output.pin;
    let is_pulled_up = pin <= LAST_PULLED_UP;
    // Off in the first seconds; off later, by what config.txt leaves of the pulls.
    let rests = is_pulled_up != output.active_level();
    let stays = boot.pull.unwrap_or(Some(is_pulled_up)) == Some(!output.active_level());
    let pull = |is_up| if is_up { "up" } else { "down" };
    let seconds = format!(
        "for some seconds after power-up the chip pulls it {}, which may switch the relay on",
        pull(is_pulled_up)
    );
    let finding = match boot.driven {
        Some(driven) if driven == output.active_level() => BOOT_LEVEL.found(
            output.danger(),
            format!("config.txt drives GPIO{pin} {} at boot, which switches the relay on", level(driven)),
        ),
        Some(driven) if rests => {
            BOOT_LEVEL.ok(format!("GPIO{pin} is {} from power-up on, which is off", level(driven)))
        }
        Some(driven) => {
            BOOT_LEVEL.warn(format!("config.txt drives GPIO{pin} {}, which is off; but {seconds}", level(driven)))
        }
        None if rests && stays => BOOT_LEVEL.warn(format!(
            "until the daemon starts only the chip's weak pull {} keeps GPIO{pin} off; config.txt should drive it",
            pull(is_pulled_up)
        )),
        None if stays => BOOT_LEVEL.warn(format!("config.txt pulls GPIO{pin} to off; but {seconds}")),
        None => BOOT_LEVEL.found(
            output.danger(),
            format!(
                "the relay may be on until the daemon starts: nothing keeps GPIO{pin} {}, and {} is on",
                level(!output.active_level()),
                level(output.active_level()),
            ),
        ),
    };
    let finding = finding.of(output.name());
    if rests { finding } else { finding.mend(fit_resistor(output)) }
}

/// What no line of a file can mend: the first seconds after power-up.
fn fit_resistor(output: Output) -> [Step; 1] {
    let (rail, others) =
        if output.is_active_low { ("3.3 V", "GPIO5 or GPIO6") } else { ("ground", "GPIO16 or GPIO20") };
    [say(format!(
        "and against the seconds before config.txt is read: fit a resistor of 10 kΩ from GPIO{} to {rail}, or \
         move the relay to {others} ({}.gpio_pin), which the chip pulls the other way",
        output.pin,
        output.section(),
    ))]
}

/// A pin that something else does not use by default. (That each of ours has one use is checked with the settings.)
fn choice(outputs: &[Output]) -> Finding {
    let mend =
        [say("give each output a pin that nothing else uses, such as GPIO16 and GPIO20 (heating_control.gpio_pin, \
         humidity_control.gpio_pin)")];
    let other_use = |pin: u32| OTHER_USES.into_iter().find(|(first, last, _)| (*first..=*last).contains(&pin));
    match outputs.iter().find_map(|output| Some((output, other_use(output.pin)?))) {
        Some((output, (first, last, what))) => {
            let found = format!("the {} is on GPIO{}; GPIO{first} and GPIO{last} {what}", output.name(), output.pin);
            CHOICE.found(output.danger(), found).mend(mend)
        }
        None => CHOICE.ok("nothing else uses these pins"),
    }
}

fn holder(system: &System, chips: &[ChipView], output: Output) -> Finding {
    let header = |chip: &&ChipView| chip.opened.as_ref().is_ok_and(|(label, _)| HEADER_CHIPS.contains(&label.as_str()));
    let chip = chips.iter().find(header);
    let line = chip.and_then(|chip| chip.opened.as_ref().ok()).and_then(|(_, lines)| lines.get(output.pin as usize));
    let Some(line) = line else {
        return HOLDER.skip("no GPIO chip could be asked (see permissions)").of(output.name());
    };
    let path = chip.map_or(Path::new(""), |chip| chip.path.as_path());
    judge_holder(output, line, path, system.daemon != Daemon::Absent).of(output.name())
}

fn judge_holder(output: Output, line: &LineView, chip: &Path, may_be_ours: bool) -> Finding {
    let pin = output.pin;
    let who = if line.consumer.is_empty() { "the kernel" } else { line.consumer.as_str() };
    if !line.is_used {
        return HOLDER.ok(format!("GPIO{pin} is free"));
    }
    if line.consumer.starts_with(OUR_CONSUMER) {
        return if may_be_ours {
            HOLDER.ok(format!("GPIO{pin} is held by the relay guard"))
        } else {
            HOLDER.warn(format!("GPIO{pin} is held by a FilamentBox of which this command knows no daemon")).mend([
                say("name its data folder with --data-dir, or find the process:"),
                run(format!("sudo fuser -v {}", chip.display())),
            ])
        };
    }
    HOLDER.found(Status::Fail, format!("GPIO{pin} is held by {who}, so the relay guard cannot have it")).mend([
        say("stop that program, or remove the overlay that claims the pin from config.txt; to find it:"),
        run(format!("sudo fuser -v {}", chip.display())),
        say(format!("or use another pin: set {}.gpio_pin", output.section())),
    ])
}

#[cfg(test)]
mod tests {
    use filamentbox_core::command::OutputKind;

    use super::super::testing::{Tree, statuses};
    use super::*;

    fn heater(pin: u32, is_active_low: bool) -> Output {
        Output { kind: OutputKind::Heater, pin, is_active_low }
    }

    #[test]
    fn the_boot_level_on_both_sides() {
        use Status::{Fail, Ok, Warn};
        let driven = |is_high| BootPin { driven: Some(is_high), ..BootPin::default() };
        let pulled = |pull| BootPin { pull: Some(pull), ..BootPin::default() };
        // Pin, active low, what config.txt says: status, whether a resistor is needed.
        let cases = [
            (16, false, BootPin::default(), Warn, false),
            (16, false, driven(false), Ok, false),
            (16, false, driven(true), Fail, false),
            (16, false, pulled(Some(true)), Fail, false),
            (16, false, pulled(Some(false)), Warn, false),
            (16, false, pulled(None), Fail, false),
            (16, true, pulled(Some(true)), Warn, true),
            (16, true, BootPin::default(), Fail, true),
            (16, true, driven(true), Warn, true),
            (16, true, driven(false), Fail, true),
            (8, true, BootPin::default(), Warn, false),
            (8, true, driven(true), Ok, false),
            (8, false, BootPin::default(), Fail, true),
            (9, false, BootPin::default(), Warn, false),
            (8, false, driven(false), Warn, true),
        ];
        for (pin, is_active_low, boot, status, needs_resistor) in cases {
            let finding = judge_boot_level(heater(pin, is_active_low), boot);
            assert_eq!(finding.status, status, "GPIO{pin} active low {is_active_low} {boot:?}: {}", finding.found);
            let resistor =
                finding.remedy.iter().any(|step| matches!(step, Step::Say { text } if text.contains("10 kΩ")));
            assert_eq!(resistor, needs_resistor, "GPIO{pin} active low {is_active_low} {boot:?}");
        }
        let fan = Output { kind: OutputKind::Fan, ..heater(16, true) };
        assert_eq!(judge_boot_level(fan, BootPin::default()).status, Warn, "a fan that runs during boot is no danger");
    }

    #[test]
    fn a_section_that_may_be_in_force_is_a_weakness() {
        let status = |text: &str| {
            let tree = Tree::pi_4().set("heating_control.enabled", "true").file("boot/firmware/config.txt", text);
            statuses(&checks(&tree.system()), "boot-level")
        };
        assert_eq!(status("gpio=16=op,dl"), [Status::Ok]);
        assert_eq!(status("gpio=16=op,dl\n[gpio4=1]\ngpio=16=op,dh"), [Status::Warn]);
        assert_eq!(status("[pi5]\ngpio=16=op,dh\n[all]\ngpio=16=op,dl"), [Status::Ok]);
    }

    #[test]
    fn the_remedy_is_a_line_to_copy() {
        let system =
            Tree::pi_4().set("heating_control.enabled", "true").set("heating_control.active_low", "true").system();
        let finding = checks(&system).into_iter().find(|finding| finding.check == BOOT_LEVEL).expect("checked");
        let command = run("printf '\\n[all]\\ngpio=16=op,dh\\n' |\nsudo tee -a /boot/firmware/config.txt");
        assert!(finding.remedy.contains(&command), "{:?}", finding.remedy);
    }

    #[test]
    fn persistence_on_every_kind_of_kernel() {
        use Status::{Fail, Ok, Skip, Warn};
        let bcm = "sys/module/pinctrl_bcm2835/parameters/persist_gpio_outputs";
        let rp1 = "sys/module/pinctrl_rp1/parameters/persist_gpio_outputs";
        let cases = [
            (Tree::pi_4().file(bcm, "Y"), Fail),
            (Tree::pi_4().file(bcm, "N"), Ok),
            (Tree::pi_4().without(bcm), Warn),
            (Tree::pi_4().without(bcm).file("sys/module/pinctrl_bcm2835/parameters/strict_gpiod", "Y"), Ok),
            (Tree::pi_4().without(bcm).file("sys/module/pinctrl_bcm2835/parameters/strict_gpiod", "N"), Fail),
            // On a Pi 5 the processor's own pins are not those of the header.
            (Tree::pi_5().file(rp1, "Y").file(bcm, "N"), Fail),
            (Tree::pi_5().file(rp1, "N").file(bcm, "Y"), Ok),
            (Tree::pc(), Skip),
        ];
        for (index, (tree, status)) in cases.into_iter().enumerate() {
            let system = tree.set("heating_control.enabled", "true").system();
            assert_eq!(statuses(&checks(&system), "pin-persistence"), [status], "case {index}");
        }
        let system = Tree::pi_4().file(bcm, "Y").system();
        assert_eq!(statuses(&checks(&system), "pin-persistence"), [Warn], "nothing heats here");
    }

    #[test]
    fn a_remedy_that_waits_for_a_restart_says_so() {
        let system = Tree::pi_4()
            .file("sys/module/pinctrl_bcm2835/parameters/persist_gpio_outputs", "Y")
            .file("boot/firmware/config.txt", "[all]\ndtparam=strict_gpiod\n")
            .set("heating_control.enabled", "true")
            .system();
        let finding = &checks(&system)[0];
        assert_eq!(finding.status, Status::Fail);
        assert!(finding.remedy.contains(&run("sudo reboot")), "{finding:?}");
        assert!(!format!("{finding:?}").contains("tee"), "nothing is to be written again: {finding:?}");
    }

    #[test]
    fn a_pin_that_something_else_uses() {
        use Status::{Fail, Ok, Warn};
        let status = |values: &[(&str, &str)]| {
            let tree = Tree::pi_4().set("heating_control.enabled", "true").set("humidity_control.enabled", "true");
            let tree = values.iter().fold(tree, |tree, (key, value)| tree.set(key, value));
            statuses(&checks(&tree.system()), "pin-choice")
        };
        assert_eq!(status(&[]), [Ok]);
        assert_eq!(status(&[("heating_control.gpio_pin", "3")]), [Fail]);
        assert_eq!(status(&[("heating_control.gpio_pin", "4")]), [Ok]);
        assert_eq!(status(&[("humidity_control.gpio_pin", "14")]), [Warn]);
    }

    #[test]
    fn who_holds_a_pin() {
        let check = |is_used, consumer: &str, may_be_ours| {
            let line = LineView { is_used, consumer: consumer.to_owned() };
            judge_holder(heater(16, false), &line, Path::new("/dev/gpiochip0"), may_be_ours).status
        };
        assert_eq!(check(false, "", true), Status::Ok);
        assert_eq!(check(true, "filamentbox-relay", true), Status::Ok);
        assert_eq!(check(true, "filamentbox-relay", false), Status::Warn);
        assert_eq!(check(true, "filamentbox-sensor", true), Status::Fail);
        assert_eq!(check(true, "lg", true), Status::Fail);
        assert_eq!(check(true, "", true), Status::Fail);
    }
}
