//! `target`: whom a fault hits, before the topology is asked.

use super::super::at::{At, OneOf};
use super::super::check::Check;
use super::super::file::{TargetKey, TargetTable};
use super::super::postgres::dsn;
use super::super::{Target, TargetChoice};
use std::ops::Range;

/// Reads a target.
pub fn target(check: &mut Check<'_>, key: &At<TargetKey>) -> Option<Target> {
    let empty = |names: &[String]| names.is_empty() || names.iter().any(|n| n.trim().is_empty());
    let choice = match &key.value {
        OneOf::One(name) => {
            pattern(check, name, &key.span)?;
            TargetChoice::Services(vec![name.clone()])
        }
        OneOf::Many(names) => {
            all_globs(check, names)?;
            TargetChoice::Services(names.iter().map(|n| n.value.clone()).collect())
        }
        OneOf::Table(table) => from_table(check, table, &key.span)?,
    };
    let nobody = match &choice {
        TargetChoice::Services(names) => empty(names),
        TargetChoice::AllOf(pattern) => pattern.is_empty(),
        TargetChoice::Random { from, .. } => empty(from),
        TargetChoice::Role { role, .. } => role.trim().is_empty(),
        TargetChoice::LastServed { load } => load.trim().is_empty(),
    };
    if nobody {
        check.wrong(
            &key.span,
            "the fault hits nobody",
            "name a service: target = \"app1\", or { all_of = \"app*\" }",
        );
        return None;
    }
    Some(Target {
        choice,
        span: key.span.clone(),
    })
}

fn from_table(
    check: &mut Check<'_>,
    table: &TargetTable,
    span: &Range<usize>,
) -> Option<TargetChoice> {
    let count = check.within("count", table.count.as_ref(), 1, 10_000);
    if table.count.is_some() && count.is_none() {
        return None;
    }
    if let (Some(count), None) = (&table.count, &table.random) {
        check.wrong(
            &count.span,
            "`count` means nothing without `random`",
            "use random = … for some of them",
        );
    }
    if let (Some(dsn), None) = (&table.dsn, &table.role) {
        check.wrong(
            &dsn.span,
            "`dsn` means nothing without `role`",
            "it tells how a database is asked for its role",
        );
    }
    match (
        &table.all_of,
        &table.random,
        &table.role,
        &table.last_served,
    ) {
        (Some(glob), None, None, None) => {
            pattern(check, glob, &glob.span)?;
            Some(TargetChoice::AllOf(glob.value.clone()))
        }
        (None, Some(random), None, None) => {
            let from = match &random.value {
                OneOf::One(one) => vec![At {
                    span: random.span.clone(),
                    value: one.clone(),
                }],
                OneOf::Many(many) => many.clone(),
                OneOf::Table(never) => match *never {},
            };
            all_globs(check, &from)?;
            Some(TargetChoice::Random {
                from: from.into_iter().map(|p| p.value).collect(),
                count: usize::try_from(count.unwrap_or(1)).ok()?,
            })
        }
        (None, None, Some(wanted), None) => role(check, wanted, table.dsn.as_ref()),
        (None, None, None, Some(load)) => Some(TargetChoice::LastServed {
            load: load.value.clone(),
        }),
        _ => {
            check.wrong(
                span,
                "a target table needs exactly one of `all_of`, `random`, `role`, `last_served`",
                "{ all_of = \"app*\" }, { random = [\"app1\", \"app2\"], count = 1 }, { role = \"primary\" } or { last_served = \"web\" }",
            );
            None
        }
    }
}

fn role(
    check: &mut Check<'_>,
    wanted: &At<String>,
    asked: Option<&At<String>>,
) -> Option<TargetChoice> {
    let role = match wanted.as_str() {
        "replicas" => "replica".to_owned(),
        other => other.to_owned(),
    };
    let Some(asked) = asked else {
        return Some(TargetChoice::Role { role, dsn: None });
    };
    if !matches!(role.as_str(), "primary" | "replica") {
        check.wrong(
            &asked.span,
            format!(
                "`dsn` means nothing with the role `{}`",
                wanted.escape_debug()
            ),
            "only primary and replicas are asked for; every other role stands in the compose file",
        );
        return None;
    }
    let dsn = Some(dsn(check, asked)?);
    Some(TargetChoice::Role { role, dsn })
}

fn all_globs(check: &mut Check<'_>, names: &[At<String>]) -> Option<()> {
    let found: Vec<_> = names.iter().map(|n| pattern(check, n, &n.span)).collect();
    found.into_iter().collect()
}

/// A glob that can be read.
pub fn pattern(check: &mut Check<'_>, glob: &str, span: &Range<usize>) -> Option<()> {
    if globset::Glob::new(glob).is_ok() {
        return Some(());
    }
    check.wrong(
        span,
        format!("`{}` is not a pattern", glob.escape_debug()),
        "`*` stands for any characters, `?` for one, [ab] for one of these",
    );
    None
}
