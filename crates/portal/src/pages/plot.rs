//! Small plots of the last hour, as SVG in the page: lines, their highest value, and nothing that runs.

use std::fmt::Write as _;

use maud::{Markup, html};

use crate::history::{EVERY, LOOKS};

const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 120.0;

/// A line of a plot: what it is called, its class, its values from the oldest; none where there is nothing.
pub(super) struct Line {
    pub(super) name: &'static str,
    pub(super) class: &'static str,
    pub(super) values: Vec<Option<f64>>,
}

impl Line {
    pub(super) fn new(name: &'static str, class: &'static str, values: impl Iterator<Item = f64>) -> Self {
        Self { name, class, values: values.map(Some).collect() }
    }
}

/// A plot whose right edge is now and whose left edge an hour ago; `told` writes a value with its unit.
pub(super) fn plot(title: &str, told: fn(f64) -> String, lines: &[Line]) -> Markup {
    let values = || lines.iter().flat_map(|line| line.values.iter().flatten().copied());
    let top = round_up(values().fold(0.0, f64::max));
    html! {
        figure.plot {
            figcaption {
                strong { (title) }
                @for line in lines {
                    " " span class={ "key " (line.class) } { (line.name) " " b { (latest(line, told)) } }
                }
            }
            svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } preserveAspectRatio="none" role="img" aria-label={ (title) ", the last hour" } {
                @for part in 1..4 { line.grid x1="0" x2=(WIDTH) y1=(HEIGHT * f64::from(part) / 4.0) y2=(HEIGHT * f64::from(part) / 4.0) {} }
                @for line in lines { path class=(line.class) d=(path(&line.values, top)) {} }
            }
            p.axis { span { "an hour ago" } span { "top: " (told(top)) } span { "now" } }
        }
    }
}

fn latest(line: &Line, told: fn(f64) -> String) -> String {
    line.values.iter().rev().flatten().next().map_or_else(|| "–".to_owned(), |value| told(*value))
}

/// The least of 1, 2, 5, 10, … that is no less.
fn round_up(value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(value.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|step| step * power).find(|step| *step >= value).unwrap_or(value)
}

/// A number with as many digits as tell something.
pub(super) fn number(value: f64) -> String {
    match value {
        v if v.fract() == 0.0 && v < 10_000.0 => format!("{v:.0}"),
        v if v < 10.0 => format!("{v:.1}"),
        v if v < 10_000.0 => format!("{v:.0}"),
        v if v < 10_000_000.0 => format!("{:.1} k", v / 1000.0),
        v => format!("{:.1} M", v / 1_000_000.0),
    }
}

/// Milliseconds in the unit that a person would take.
pub(super) fn time(milliseconds: f64) -> String {
    match milliseconds {
        ms if ms < 1_000.0 => format!("{} ms", number(ms)),
        ms if ms < 120_000.0 => format!("{} s", number(ms / 1_000.0)),
        ms => format!("{} min", number(ms / 60_000.0)),
    }
}

fn path(values: &[Option<f64>], top: f64) -> String {
    let (whole, mut drawn, mut pen) = ((LOOKS - 1) as f64, String::new(), false);
    for (index, value) in values.iter().enumerate() {
        let Some(value) = value else {
            pen = false;
            continue;
        };
        let x = WIDTH * (whole - (values.len() - 1 - index) as f64) / whole;
        // A line at the very edge would be cut in half.
        let y = HEIGHT - 1.0 - (HEIGHT - 2.0) * (value / top).clamp(0.0, 1.0);
        // Writing into a String does not fail. One value alone is a short line too.
        let _ = if pen {
            write!(drawn, "L{x:.1} {y:.1}")
        } else {
            write!(drawn, "M{:.1} {y:.1}L{x:.1} {y:.1}", x - 3.0)
        };
        pen = true;
    }
    drawn
}

/// How far apart the values are, for the page.
pub(super) const fn every() -> u64 {
    EVERY.as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plot_ends_now_and_leaves_gaps_where_there_is_nothing() {
        assert_eq!(path(&[Some(0.0), Some(2.0)], 2.0), "M595.3 119.0L598.3 119.0L600.0 1.0");
        assert_eq!(path(&[Some(1.0), None, Some(1.0)], 1.0).matches('M').count(), 2);
        assert_eq!(path(&[], 1.0), "");
        for (value, top) in [(0.0, 1.0), (0.3, 0.5), (1.0, 1.0), (3.0, 5.0), (70.0, 100.0), (1200.0, 2000.0)]
        {
            assert!((round_up(value) - top).abs() < 1e-9, "{value}: {}", round_up(value));
        }
        assert_eq!([0.0, 0.25, 12.4, 12_345.0].map(number), ["0", "0.2", "12", "12.3 k"]);
        assert_eq!([5.0, 36_400.0, 300_000.0].map(time), ["5 ms", "36 s", "5 min"]);
    }
}
