//! How many arrivals a schedule holds, and how it reads in words.

use crate::load::arrivals::Schedule;
use crate::scenario::{Arrivals, Stage};
use std::time::Duration;

/// The number of arrivals intended before `duration`, as the load makes them; none in a closed loop. Poisson
/// arrivals are as many in expectation.
#[must_use]
pub fn scheduled(arrivals: &Arrivals, duration: Duration) -> Option<u64> {
    match arrivals {
        Arrivals::Closed { .. } => None,
        Arrivals::Open { stages, .. } => Some(Schedule::new(stages, duration).count()),
    }
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
