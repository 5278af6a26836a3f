//! What was measured: rows of a table, and pictures.

use std::path::Path;

use serde_json::{Value, json};

use crate::Done;
use crate::plot::Plot;

/// What a row is held against.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Goal {
    AtLeast(f64),
    AtMost(f64),
}

/// The middle of some figures, which are put in order.
pub(crate) fn median(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

/// All that was measured.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    rows: Vec<Value>,
    plots: Vec<Plot>,
}

impl Figures {
    /// A row; its figure is the middle of those of the rounds.
    pub(crate) fn row(&mut self, name: &str, unit: &str, mut rounds: Vec<f64>, goal: Goal) {
        let ratio = median(&mut rounds);
        let (way, goal, reached) = match goal {
            Goal::AtLeast(goal) => ("at least", goal, ratio >= goal),
            Goal::AtMost(goal) => ("at most", goal, ratio <= goal),
        };
        eprintln!("  {name}: {ratio:.3}{unit}, {way} {goal} {rounds:.3?}");
        let spread = [rounds.first(), rounds.last()];
        self.rows.push(json!({
            "name": name, "unit": unit, "ratio": ratio, "spread": spread, "way": way, "goal": goal, "reached": reached
        }));
    }

    pub(crate) fn plot(&mut self, plot: Plot) {
        for (name, points) in &plot.lines {
            eprintln!("  {}, {name}: {points:.2?}", plot.title);
        }
        self.plots.push(plot);
    }

    pub(crate) fn json(&self) -> Value {
        json!({ "rows": self.rows })
    }

    /// Writes the rows as `programs.json`, and draws the pictures beside them.
    pub(crate) fn save(&self, folder: &Path) -> Done {
        std::fs::write(folder.join("programs.json"), self.json().to_string())?;
        self.plots.iter().try_for_each(|plot| plot.draw(folder))
    }
}
