//! Fewer points where there are more than a screen can show. What is kept are points that were measured, among them the
//! lowest and the highest of every stretch: no peak is lost, and none is softened.

/// Indices of at most `limit` values (four at least): the first, the last, and of every stretch its lowest and its
/// highest; all of them, where they are few enough. Nulls are kept only where a stretch holds nothing else.
pub fn indices(values: &[Option<f64>], limit: usize) -> Vec<usize> {
    let count = values.len();
    if count <= limit.max(4) {
        return (0..count).collect();
    }
    let stretches = (limit.max(4) - 2) / 2;
    let mut kept = vec![0];
    for stretch in 0..stretches {
        let (from, to) = (
            count * stretch / stretches,
            count * (stretch + 1) / stretches,
        );
        let filled =
            || (from..to).filter_map(|i| values[i].filter(|v| v.is_finite()).map(|v| (i, v)));
        let lowest = filled().min_by(|a, b| a.1.total_cmp(&b.1));
        let highest = filled().max_by(|a, b| a.1.total_cmp(&b.1));
        match (lowest, highest) {
            (Some((low, _)), Some((high, _))) => kept.extend([low.min(high), low.max(high)]),
            _ => kept.push(from),
        }
    }
    kept.push(count - 1);
    kept.dedup();
    kept
}

/// Stretches of equal length, at most `limit`, that cover `count` values.
pub fn stretches(count: usize, limit: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    let length = count.div_ceil(limit.max(1)).max(1);
    (0..count)
        .step_by(length)
        .map(move |from| from..(from + length).min(count))
}

/// Five significant digits: enough to write three, and short.
pub fn short(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return if value.is_finite() { value } else { 0.0 };
    }
    format!("{value:.4e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_lowest_and_the_highest_value_survive(
            values in prop::collection::vec(prop::option::weighted(0.9, -1e6..1e6f64), 0..3000),
            limit in 4..700usize,
        ) {
            let kept = indices(&values, limit);
            prop_assert!(kept.len() <= limit.max(4));
            prop_assert!(kept.is_sorted() && kept.windows(2).all(|w| w[0] < w[1]), "in order, each once");
            let of = |indices: &mut dyn Iterator<Item = usize>, pick: fn(f64, f64) -> f64| {
                indices.filter_map(|i| values[i]).reduce(pick)
            };
            for pick in [f64::min as fn(f64, f64) -> f64, f64::max] {
                prop_assert_eq!(of(&mut kept.iter().copied(), pick), of(&mut (0..values.len()), pick));
            }
        }

        #[test]
        fn stretches_cover_everything_once(count in 0..5000usize, limit in 1..300usize) {
            let parts: Vec<_> = stretches(count, limit).collect();
            prop_assert!(parts.len() <= limit);
            prop_assert_eq!(parts.into_iter().flatten().collect::<Vec<_>>(), (0..count).collect::<Vec<_>>());
        }

        #[test]
        fn a_short_number_is_the_same_to_five_digits(value in -1e9..1e9f64) {
            prop_assert!((short(value) - value).abs() <= value.abs() * 1e-4);
        }
    }

    #[test]
    fn a_peak_of_one_interval_in_an_hour_is_kept() {
        let mut values = vec![Some(1.0); 3600];
        values[1777] = Some(950.0);
        values[1778] = None;
        let kept = indices(&values, 200);
        assert!(kept.contains(&1777));
    }

    #[test]
    fn few_values_are_all_kept() {
        assert_eq!(indices(&[Some(1.0), None, Some(2.0)], 10), [0, 1, 2]);
        assert_eq!(short(0.0), 0.0);
        assert_eq!(short(f64::NAN), 0.0);
        assert_eq!(short(123_456.7), 123_460.0);
    }
}
