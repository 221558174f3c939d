//! A report for people: 80 columns, aligned, readable without colour.

use std::fmt::Write;

use super::finding::{Finding, Report, Status, Step};

/// Columns of the narrowest terminal in use.
const WIDTH: usize = 80;
/// Where what was found begins: after the status and the title.
const COLUMN: usize = 26;
/// Where a remedy begins.
const REMEDY: usize = 10;

/// The whole page, without a line end.
pub(super) fn page(report: &Report) -> String {
    let mut page = format!("filamentbox {} doctor on {}\n", env!("CARGO_PKG_VERSION"), report.machine);
    let mut group = "";
    for finding in &report.findings {
        if finding.check.group != group {
            group = finding.check.group;
            let _ = write!(page, "\n{group}\n");
        }
        write_finding(&mut page, finding);
    }
    let counts: Vec<String> =
        Status::ALL.into_iter().map(|status| format!("{} {}", report.count(status), status.name())).collect();
    let _ = write!(page, "\n{}", counts.join(", "));
    if report.has_failed() {
        page.push_str("\nMend what says fail, then run `filamentbox doctor` again.");
    }
    page
}

fn write_finding(page: &mut String, finding: &Finding) {
    let found = match &finding.subject {
        Some(subject) => format!("{subject}: {}", finding.found),
        None => finding.found.clone(),
    };
    let mut lines = wrapped(&found, WIDTH - COLUMN).into_iter();
    let first = lines.next().unwrap_or_default();
    let _ = writeln!(page, "  {:4}  {:17} {first}", finding.status.name(), finding.check.title);
    for line in lines {
        let _ = writeln!(page, "{:COLUMN$}{line}", "");
    }
    for step in &finding.remedy {
        write_step(page, step);
    }
}

/// Words are wrapped; what is to be copied stands on lines of its own, as it is.
fn write_step(page: &mut String, step: &Step) {
    let words = |page: &mut String, text: &str| {
        for (index, line) in wrapped(text, WIDTH - REMEDY - 2).into_iter().enumerate() {
            let mark = if index == 0 { "> " } else { "  " };
            let _ = writeln!(page, "{:REMEDY$}{mark}{line}", "");
        }
    };
    let verbatim = |page: &mut String, mark: &str, text: &str| {
        for (index, line) in text.lines().enumerate() {
            let mark = if index == 0 { mark } else { &"  "[..mark.len()] };
            let _ = writeln!(page, "{:REMEDY$}    {mark}{line}", "");
        }
    };
    match step {
        Step::Say { text } => words(page, text),
        Step::Run { text } => verbatim(page, "$ ", text),
        Step::Put { text, file } => {
            words(page, &format!("in {file}:"));
            verbatim(page, "", text);
        }
    }
}

/// `text` in lines of at most `width` characters, broken at spaces; a longer word has a line to itself.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::super::finding::{Check, put, run, say};
    use super::*;

    #[test]
    fn a_page_is_aligned_and_fits_80_columns() {
        const PINS: Check = Check::safety("pins", "pin-persistence", "pin persistence");
        let long = "word ".repeat(40);
        let remedy = [say(long.clone()), put("dtparam=strict_gpiod", "/boot/firmware/config.txt"), run("sudo reboot")];
        let report = Report {
            machine: "a test".to_owned(),
            findings: vec![PINS.fail(long).of("heater").mend(remedy), PINS.ok("short")],
        };
        let page = page(&report);
        assert!(page.lines().all(|line| line.chars().count() <= WIDTH), "{page}");
        let expected = "\npins\n  fail  pin persistence   heater: word word";
        assert!(page.contains(expected), "{page}");
        let copied = "          > in /boot/firmware/config.txt:\n              dtparam=strict_gpiod\n              $ sudo reboot\n";
        assert!(page.contains(copied), "{page}");
        assert!(page.contains("  ok    pin persistence   short\n"), "{page}");
        assert!(
            page.ends_with("1 ok, 0 warn, 1 fail, 0 skip\nMend what says fail, then run `filamentbox doctor` again.")
        );
    }

    #[test]
    fn words_are_never_broken() {
        assert_eq!(wrapped("a bb ccc", 4), ["a bb", "ccc"]);
        assert_eq!(wrapped("a longerthanwidth b", 4), ["a", "longerthanwidth", "b"]);
        assert_eq!(wrapped("  ", 4), Vec::<String>::new());
    }
}
