//! How many arrivals a schedule holds, and how it reads in words.

use crate::scenario::{Arrivals, Stage};
use std::time::Duration;

/// The number of arrivals intended before `duration`; none in a closed loop.
///
/// Source: arrival `i` is intended when the integrated rate reaches `i`, so that `⌈N(duration)⌉` of them come
/// before it. Poisson arrivals are as many in expectation.
#[must_use]
pub fn scheduled(arrivals: &Arrivals, duration: Duration) -> Option<u64> {
    match arrivals {
        Arrivals::Closed { .. } => None,
        Arrivals::Open { stages, .. } => {
            let all = integrated(stages, duration.as_secs_f64());
            // An integral that is a whole number but for rounding is that number.
            let nearest = all.round();
            let exact = if (all - nearest).abs() < 1e-6 {
                nearest
            } else {
                all.ceil()
            };
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "at most 1e6/s for 24 h"
            )]
            Some(exact as u64)
        }
    }
}

fn integrated(stages: &[Stage], until: f64) -> f64 {
    let (mut begun, mut all) = (0.0, 0.0);
    for (i, stage) in stages.iter().enumerate() {
        let left = (until - begun).max(0.0);
        let length = stage.length.map_or(left, |l| l.as_secs_f64());
        let part = length.min(left);
        if length > 0.0 {
            let end = stage.from + (stage.to - stage.from) * part / length;
            all += (stage.from + end) / 2.0 * part;
        }
        // The last stage's rate holds until the end.
        if i + 1 == stages.len() {
            all += stage.to * (left - part);
        }
        begun += length;
    }
    all
}

/// In words: `200/s`, `50 users, think 100ms`.
#[must_use]
pub fn in_words(arrivals: &Arrivals) -> String {
    match arrivals {
        Arrivals::Closed { users, think } if think.is_zero() => format!("{users} users"),
        Arrivals::Closed { users, think } => format!("{users} users, think {think:?}"),
        Arrivals::Open { stages, poisson } => {
            let words: Vec<String> = stages.iter().map(stage).collect();
            format!(
                "{}{}",
                words.join(", then "),
                if *poisson { " (Poisson)" } else { "" }
            )
        }
    }
}

fn stage(stage: &Stage) -> String {
    #[expect(clippy::float_cmp, reason = "the same literal or not")]
    let rate = if stage.from == stage.to {
        format!("{}/s", stage.to)
    } else {
        format!("{} to {}/s", stage.from, stage.to)
    };
    stage
        .length
        .map_or_else(|| rate.clone(), |length| format!("{rate} for {length:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(stages: &[(f64, f64, Option<u64>)]) -> Arrivals {
        let stages = stages.iter().map(|(from, to, s)| Stage {
            from: *from,
            to: *to,
            length: s.map(Duration::from_secs),
        });
        Arrivals::Open {
            stages: stages.collect(),
            poisson: false,
        }
    }

    #[test]
    fn the_number_of_arrivals_is_the_integral_of_the_rate() {
        let of =
            |stages: &[_], seconds| scheduled(&open(stages), Duration::from_secs(seconds)).unwrap();
        assert_eq!(of(&[(200.0, 200.0, None)], 45), 9000);
        assert_eq!(of(&[(0.1, 0.1, None)], 15), 2, "at 0 s and at 10 s");
        assert_eq!(
            of(&[(0.0, 100.0, Some(10)), (100.0, 100.0, None)], 20),
            1500
        );
        assert_eq!(
            of(&[(0.0, 100.0, Some(10))], 5),
            125,
            "cut off within the ramp"
        );
        assert_eq!(
            of(&[(10.0, 10.0, Some(5))], 10),
            100,
            "the last stage holds until the end"
        );
        assert_eq!(
            scheduled(
                &Arrivals::Closed {
                    users: 1,
                    think: Duration::ZERO
                },
                Duration::from_secs(1)
            ),
            None
        );
    }
}
