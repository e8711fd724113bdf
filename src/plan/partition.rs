//! The groups of a partition.

use super::networks;
use super::targets::{Lookup, Purpose};
use crate::scenario::{Partition, Split, Target};
use crate::source::Mistake;

/// The groups, each sorted: two, or of an isolation one.
///
/// # Errors
/// A group that cannot be found, one container on both sides, too few for a minority.
pub fn groups(lookup: &Lookup<'_>, partition: &Partition) -> Result<Vec<Vec<String>>, Mistake> {
    match &partition.split {
        Split::Between(first, second) => between(lookup, first, second),
        Split::Isolate(target) => Ok(vec![group(lookup, target, Purpose::First, "isolate")?]),
        Split::MinorityOf(target) => minority(lookup, target),
    }
}

fn group(
    lookup: &Lookup<'_>,
    target: &Target,
    purpose: Purpose,
    key: &str,
) -> Result<Vec<String>, Mistake> {
    let found = lookup.find_now(target, purpose, key)?;
    networks::check_peers(lookup, target, &found)?;
    Ok(found)
}

fn between(
    lookup: &Lookup<'_>,
    first: &Target,
    second: &Target,
) -> Result<Vec<Vec<String>>, Mistake> {
    let one = group(lookup, first, Purpose::First, "between")?;
    let other = group(lookup, second, Purpose::Second, "between")?;
    if let Some(both) = one.iter().find(|name| other.contains(name)) {
        return Err(lookup.wrong(
            second,
            &format!("`{both}` is on both sides of the partition"),
            "a container cannot be cut off from itself: make the groups disjoint",
        ));
    }
    Ok(vec![one, other])
}

/// Fewer than half: the largest such number, so that the rest of them is still a majority.
fn minority(lookup: &Lookup<'_>, target: &Target) -> Result<Vec<Vec<String>>, Mistake> {
    let all = group(lookup, target, Purpose::First, "minority_of")?;
    let count = all.len().saturating_sub(1) / 2;
    if count == 0 {
        return Err(lookup.wrong(
            target,
            &format!("{} containers have no minority", all.len()),
            "it takes three or more; of two use `between`",
        ));
    }
    let few = lookup.draw(all.clone(), count, Purpose::Minority);
    let rest = all.into_iter().filter(|name| !few.contains(name)).collect();
    Ok(vec![few, rest])
}
