//! The text of a scenario with one fault, of what somebody asks for by hand: it is read, checked and planned as any other.

use toml::{Table, Value};

/// The fault takes place at once: a scenario wants a time after its warm-up.
const AT: &str = "1ms";
/// Longer than anybody waits.
const DURATION: &str = "23h";

/// A scenario whose only fault is called `name`, is of this kind with these keys, and is healed after `lasts` (none: at the
/// end). Its workload is there because a scenario must have one; it is not for use.
#[must_use]
pub fn one_fault(name: &str, kind: &str, keys: Table, lasts: Option<&str>) -> String {
    let mut fault = Table::new();
    fault.insert("name".to_owned(), Value::String(name.to_owned()));
    fault.insert("at".to_owned(), Value::String(AT.to_owned()));
    if let Some(lasts) = lasts {
        fault.insert("heal_after".to_owned(), Value::String(lasts.to_owned()));
    }
    fault.insert(kind.to_owned(), Value::Table(keys));
    let mut root = Table::new();
    root.insert("fault".to_owned(), Value::Array(vec![Value::Table(fault)]));
    format!(
        "name = \"by-hand\"\n\n[run]\nduration = \"{DURATION}\"\nwarmup = \"0s\"\nobserve = true\n\n[[load]]\nname = \"none\"\nrate = 1\nhttp = {{ url = \"http://127.0.0.1:9/\" }}\n\n{root}"
    )
}
