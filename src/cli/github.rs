//! GitHub Actions: the report in the step's summary, annotations on the pull request.
//!
//! Nothing happens unless `GITHUB_ACTIONS` is `true`.

use super::output;
use crate::analysis::result::{GateResult, RunResult};
use crate::compare::{Compared, Repeated};
use crate::plan::GateScope;
use crate::report::github::{Place, annotations, annotations_of_repeated};
use crate::report::markdown::Markdown;
use crate::report::{Reporter, comparison, repeat};
use crate::source::SourceFile;
use std::io::Write;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A step's summary holds no more.
const SUMMARY: u64 = 1 << 20;

/// Whether this is a job of GitHub Actions.
#[must_use]
pub fn active() -> bool {
    std::env::var_os("GITHUB_ACTIONS").is_some_and(|v| v == "true")
}

/// Tells GitHub of a run: its report, how it compares with its baseline, its gates and reasons. Returns what could not
/// be written, in words.
pub fn tell(
    result: &RunResult,
    compared: Option<&Compared>,
    scenario: &SourceFile,
) -> Option<String> {
    if !active() {
        return None;
    }
    let place = |gate: Option<&GateResult>| {
        let line = gate.and_then(|gate| line_of(&scenario.text, gate));
        Some(Place {
            file: in_repository(&scenario.path),
            line: line.map(|at| scenario.line_column(at).0),
        })
    };
    output::workflow_commands(&annotations(result, place));
    summarize(&with_comparison(Markdown.render(result).ok()?, compared))
}

/// Tells GitHub of repeated runs, and how they compare with their baseline. Returns what could not be written, in words.
pub fn tell_repeated(
    repeated: &Repeated,
    compared: Option<&Compared>,
    scenario: &SourceFile,
) -> Option<String> {
    if !active() {
        return None;
    }
    let place = Place {
        file: in_repository(&scenario.path),
        line: None,
    };
    output::workflow_commands(&annotations_of_repeated(repeated, Some(&place)));
    summarize(&with_comparison(repeat::markdown(repeated), compared))
}

fn with_comparison(mut text: String, compared: Option<&Compared>) -> String {
    text.extend(compared.map(|c| format!("\n{}", comparison::markdown(c))));
    text
}

/// Appends to the step's summary.
fn summarize(text: &str) -> Option<String> {
    let path = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|p| !p.is_empty())?;
    let path = Path::new(&path);
    let taken = std::fs::metadata(path).map_or(0, |m| m.len());
    if taken + u64::try_from(text.len()).unwrap_or(SUMMARY) + 2 > SUMMARY {
        return Some("the step's summary is full: the report is not in it".to_owned());
    }
    let file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path);
    let written = file.and_then(|mut file| write!(file, "{text}\n\n"));
    written
        .err()
        .map(|e| format!("cannot write the step's summary: {e}"))
}

/// A path as GitHub wants it: from the root of the repository.
fn in_repository(path: &Path) -> String {
    let root = std::env::var_os("GITHUB_WORKSPACE");
    let whole = std::env::current_dir().map_or_else(|_| path.to_owned(), |here| here.join(path));
    let inside = root.and_then(|root| whole.strip_prefix(root).ok().map(Path::to_owned));
    inside
        .unwrap_or_else(|| path.to_owned())
        .display()
        .to_string()
}

/// Where a gate is written in a scenario file; none where it comes from an option.
fn line_of(text: &str, gate: &GateResult) -> Option<usize> {
    let (root, _) = DeTable::parse_recoverable(text);
    let root = root.into_inner();
    let table = match &gate.scope {
        GateScope::Run => value(&root, "gate")?,
        GateScope::Load(name) => value(named(value(&root, "load")?, name)?, "gate")?,
        GateScope::Fault(name) => value(named(value(&root, "fault")?, name)?, "gate")?,
    };
    let mut keys = table.get_ref().as_table()?.keys();
    let key = keys.find(|k| k.get_ref() == gate.metric.key())?;
    Some(key.span().start)
}

fn value<'a, 'i>(table: &'a DeTable<'i>, key: &str) -> Option<&'a Spanned<DeValue<'i>>> {
    table
        .iter()
        .find(|(k, _)| k.get_ref() == key)
        .map(|(_, value)| value)
}

fn named<'a, 'i>(list: &'a Spanned<DeValue<'i>>, name: &str) -> Option<&'a DeTable<'i>> {
    let tables = list.get_ref().as_array()?.iter();
    let mut tables = tables.filter_map(|item| item.get_ref().as_table());
    tables.find(|t| value(t, "name").is_some_and(|v| v.get_ref().as_str() == Some(name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Comparison, Metric};

    fn gate(metric: Metric, scope: GateScope) -> GateResult {
        GateResult {
            name: String::new(),
            limit: String::new(),
            measured: None,
            passed: false,
            judged: true,
            metric,
            comparison: Comparison::AtMost,
            limit_value: 0.0,
            scope,
            worst: None,
            note: None,
            baseline: None,
        }
    }

    #[test]
    fn a_gates_line_is_found_wherever_it_may_stand() {
        let text = "name = \"x\"\n\n[[load]]\nname = \"web\"\n[load.gate]\np99 = \"<= 1s\"\n\n[[fault]]\nname = \"stop\"\n\
                    gate = { time_to_recover = \"<= 2s\" }\n\n[gate]\nbad = 0\n";
        let lines = |metric, scope| {
            let at = line_of(text, &gate(metric, scope))?;
            Some(SourceFile::new("s.toml", text).line_column(at).0)
        };
        assert_eq!(
            lines(Metric::P99, GateScope::Load("web".to_owned())),
            Some(6)
        );
        assert_eq!(
            lines(Metric::TimeToRecover, GateScope::Fault("stop".to_owned())),
            Some(10)
        );
        assert_eq!(lines(Metric::Bad, GateScope::Run), Some(13));
        assert_eq!(lines(Metric::P50, GateScope::Run), None);
        assert_eq!(
            lines(Metric::P99, GateScope::Load("other".to_owned())),
            None
        );
    }
}
