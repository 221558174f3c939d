//! Temperature and humidity as little curves, and when the heater was on.

use super::super::trail::{Dot, Trail};
use super::{Look, NARROW, Row};
use crate::cmd::screen::text::{Tone, fit, width};

/// Columns before a curve, for its name and range.
const GUTTER: usize = 17;
const GUTTER_NARROW: usize = 11;
/// A curve's range is at least so wide: the noise of a sensor must not look like weather.
const TEMPERATURE_SPAN: f64 = 1.0;
const HUMIDITY_SPAN: f64 = 2.0;

/// A line filled from below, in steps from the empty one to the full one.
const BLOCKS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const ASCII: [char; 4] = [' ', '.', ':', '#'];

/// Two curves, each so many lines high, and a line of the heater.
pub(super) fn rows(trail: &Trail, columns: usize, lines: usize, has_heater: bool, look: Look) -> Vec<Row> {
    if lines == 0 {
        return Vec::new();
    }
    let is_narrow = columns < NARROW;
    let gutter = if is_narrow { GUTTER_NARROW } else { GUTTER };
    let dots = trail.columns(columns.saturating_sub(gutter));
    let steps: &[char] = if look.has_blocks { &BLOCKS } else { &ASCII };
    let of = |value: fn(&Dot) -> f64| dots.iter().map(|dot| dot.as_ref().map(value)).collect::<Vec<_>>();
    let mut all = Vec::new();
    let curves: [(_, _, Vec<Option<f64>>, f64); 2] = [
        ("Temperature", "°C", of(|dot| dot.temperature_c), TEMPERATURE_SPAN),
        ("Humidity", "%", of(|dot| dot.humidity_pct), HUMIDITY_SPAN),
    ];
    for (name, unit, values, span) in curves {
        let Some((low, high)) = range(&values) else { continue };
        let said =
            if is_narrow { format!("{low:.0}-{high:.0} {unit}") } else { format!("{low:.1} to {high:.1} {unit}") };
        for (nth, line) in curve(&values, (low, high), span, lines, steps).into_iter().enumerate() {
            // With one line the unit says what it is.
            let label = match (lines, nth) {
                (1, _) | (_, 1) => said.as_str(),
                (_, 0) => name,
                _ => "",
            };
            all.push(vec![(padded(label, gutter), Tone::Dim), (line, Tone::Plain)]);
        }
    }
    if has_heater {
        let shares: Vec<f64> = dots.iter().flatten().map(|dot| dot.heater_on).collect();
        let share = 100.0 * shares.iter().sum::<f64>() / shares.len().max(1) as f64;
        let label = if is_narrow { format!("heat {share:.0} %") } else { format!("Heater on {share:.0} %") };
        let (most, some) = if look.has_blocks { ('█', '▄') } else { ('#', '=') };
        let sign = |dot: &Option<Dot>| match dot {
            None => ' ',
            Some(dot) if dot.heater_on > 0.5 => most,
            Some(dot) if dot.heater_on > 0.0 => some,
            Some(_) => '.',
        };
        all.push(vec![(padded(&label, gutter), Tone::Dim), (dots.iter().map(sign).collect(), Tone::Plain)]);
    }
    all
}

fn padded(label: &str, columns: usize) -> String {
    let label = fit(label, columns - 1);
    format!("{label}{}", " ".repeat(columns - width(&label)))
}

fn range(values: &[Option<f64>]) -> Option<(f64, f64)> {
    let known = values.iter().flatten().copied();
    let low = known.clone().fold(f64::INFINITY, f64::min);
    let high = known.fold(f64::NEG_INFINITY, f64::max);
    (low <= high).then_some((low, high))
}

/// The lines of a curve, the upper first. What is known is never empty.
fn curve(
    values: &[Option<f64>],
    (low, high): (f64, f64),
    span_least: f64,
    lines: usize,
    steps: &[char],
) -> Vec<String> {
    let in_line = steps.len() - 1;
    let (middle, span) = (f64::midpoint(low, high), (high - low).max(span_least));
    let bottom = middle - span / 2.0;
    let level = |value: f64| {
        let highest = (in_line * lines - 1) as f64;
        1 + ((value - bottom) / span * highest).round().clamp(0.0, highest) as usize
    };
    let line = |from_below: usize| {
        let sign = |value: &Option<f64>| {
            let filled = value.map_or(0, level).saturating_sub(from_below * in_line).min(in_line);
            steps[filled]
        };
        values.iter().map(sign).collect()
    };
    (0..lines).rev().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_goes_from_its_lowest_to_its_highest() {
        let values = [Some(0.0), Some(5.0), None, Some(10.0)];
        for (lines, steps, expected) in [
            (1, &BLOCKS[..], vec!["▁▅ █"]),
            (2, &BLOCKS[..], vec![" ▁ █", "▁█ █"]),
            (1, &ASCII[..], vec![".: #"]),
            (2, &ASCII[..], vec![" . #", ".# #"]),
        ] {
            assert_eq!(curve(&values, (0.0, 10.0), 1.0, lines, steps), expected);
        }
    }

    #[test]
    fn noise_stays_in_the_middle() {
        let shown = curve(&[Some(20.0), Some(20.02)], (20.0, 20.02), 1.0, 1, &BLOCKS);
        assert!(shown[0].chars().all(|sign| matches!(sign, '▄' | '▅')), "{shown:?}");
    }
}
