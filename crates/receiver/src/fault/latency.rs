//! How long an answer is held back: always the same, even between two bounds, or by the bell curve.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::MAX_HOLD;
use super::rule::{duration, show};

/// A delay, or what it is drawn from. What is drawn is never above [`MAX_HOLD`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Latency {
    /// Always this: `200ms`.
    Fixed(Duration),
    /// Evenly between the two: `100ms..300ms`.
    Uniform(Duration, Duration),
    /// Around the first with the second as standard deviation, never below zero: `200ms~50ms`.
    Normal(Duration, Duration),
}

impl Latency {
    /// Draws one delay.
    #[must_use]
    pub fn draw(&self, dice: &mut fastrand::Rng) -> Duration {
        let seconds = match *self {
            Self::Fixed(delay) => return delay.min(MAX_HOLD),
            Self::Uniform(low, high) => {
                low.as_secs_f64() + dice.f64() * high.saturating_sub(low).as_secs_f64()
            }
            Self::Normal(mean, deviation) => {
                // Box and Muller's transform of two even draws; the first must not be zero.
                let radius = (-2.0 * (1.0 - dice.f64()).ln()).sqrt();
                let angle = std::f64::consts::TAU * dice.f64();
                mean.as_secs_f64() + deviation.as_secs_f64() * radius * angle.cos()
            }
        };
        Duration::try_from_secs_f64(seconds.max(0.0)).map_or(MAX_HOLD, |delay| delay.min(MAX_HOLD))
    }
}

impl FromStr for Latency {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some((low, high)) = text.split_once("..") {
            let (low, high) = (duration(low)?, duration(high)?);
            if low > high {
                return Err(format!("{text:?} begins above its end"));
            }
            return Ok(Self::Uniform(low, high));
        }
        match text.split_once('~') {
            Some((mean, deviation)) => Ok(Self::Normal(duration(mean)?, duration(deviation)?)),
            None => Ok(Self::Fixed(duration(text)?)),
        }
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Fixed(delay) => f.write_str(&show(delay)),
            Self::Uniform(low, high) => write!(f, "{}..{}", show(low), show(high)),
            Self::Normal(mean, deviation) => write!(f, "{}~{}", show(mean), show(deviation)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_are_written_as_they_are_read() {
        for text in ["200ms", "100ms..300ms", "2s~500ms", "1m"] {
            assert_eq!(text.parse::<Latency>().unwrap().to_string(), text);
        }
        for (text, error) in [
            ("", "\"\" is no time; write it as 200ms, 2s or 1m"),
            ("5", "\"5\" is no time; write it as 200ms, 2s or 1m"),
            ("3s..1s", "\"3s..1s\" begins above its end"),
            ("11m", "\"11m\" is longer than 10m, the longest that is held"),
        ] {
            assert_eq!(text.parse::<Latency>().unwrap_err(), error);
        }
    }

    #[test]
    fn draws_follow_their_law() {
        let mut dice = fastrand::Rng::with_seed(1);
        let mut drawn = |latency: &str| -> Vec<f64> {
            let latency: Latency = latency.parse().unwrap();
            (0..10_000).map(|_| latency.draw(&mut dice).as_secs_f64()).collect()
        };
        let mean = |drawn: &[f64]| drawn.iter().sum::<f64>() / 10_000.0;
        let even = drawn("1s..3s");
        assert!(even.iter().all(|delay| (1.0..=3.0).contains(delay)));
        assert!((mean(&even) - 2.0).abs() < 0.05);
        let bell = drawn("2s~500ms");
        assert!((mean(&bell) - 2.0).abs() < 0.05);
        let near = bell.iter().filter(|delay| (1.5..2.5).contains(*delay)).count();
        assert!((6_500..7_200).contains(&near), "two thirds lie within one deviation: {near}");
        assert!(drawn("0s~1s").iter().all(|delay| *delay >= 0.0));
    }
}
