//! The faults that lbtest dies of, and what counts of its deaths.

use super::patient::Addresses;
use std::time::Duration;

/// From lbtest's death until its guardian has cleaned up.
pub const GUARDED: Duration = Duration::from_secs(15);

/// A command line, given where the application and the database are.
type Line = Box<dyn Fn(&Addresses) -> Vec<String> + Send>;

/// One command, done again and again, with death at another step each time.
pub struct Series {
    pub name: &'static str,
    pub line: Line,
    /// It has at least so many steps.
    pub steps: usize,
}

#[derive(Debug, Default, Clone)]
pub struct Deaths {
    pub count: usize,
    pub longest: Duration,
    pub leaks: Vec<String>,
}

impl Deaths {
    pub fn add(&mut self, more: &Self) {
        self.count += more.count;
        self.longest = self.longest.max(more.longest);
        self.leaks.extend(more.leaks.iter().cloned());
    }
}

/// The header, and the end of the journal: each before and after.
const JOURNAL: usize = 4;
/// Before a target is armed, and twice while it is.
const ARMED: usize = 3;
/// Before and after each of three lines of the journal (broken, shown, mended), twice in the midst of each of the two
/// calls, and once between call and look.
const BROKEN: usize = 11;
const USUAL: usize = JOURNAL + ARMED + BROKEN;
/// Nothing is armed where no container is hit.
const OUTSIDE: usize = JOURNAL + BROKEN;

fn on(kind: &'static str, target: &'static str, keys: &'static [&'static str]) -> Series {
    let words = [&["-t", target, "--for", "100ms"], keys].concat();
    Series {
        name: kind,
        line: Box::new(move |at| fault(at, kind, &words, true)),
        steps: USUAL,
    }
}

fn fault(at: &Addresses, kind: &str, words: &[&str], in_project: bool) -> Vec<String> {
    let mut line = vec!["fault".to_owned(), kind.to_owned()];
    if in_project {
        line.extend(["-p".to_owned(), at.project.clone()]);
    }
    let filled = |w: &&str| {
        w.replace("{port}", &at.port.to_string())
            .replace("{database}", &at.database.to_string())
            .replace("{mark}", &at.mark)
    };
    line.extend(words.iter().map(filled));
    line
}

fn outside(kind: &'static str, words: &'static [&'static str]) -> Series {
    Series {
        name: kind,
        line: Box::new(move |at| fault(at, kind, words, false)),
        steps: OUTSIDE,
    }
}

/// Every kind, the longest series first.
pub fn all_kinds() -> Vec<Series> {
    let more = |steps: usize, series: Series| Series { steps, ..series };
    let named = |name: &'static str, series: Series| Series { name, ..series };
    let everywhere = |keys: &'static [&'static str]| Series {
        name: "partition between",
        line: Box::new(move |at| fault(at, "partition", keys, true)),
        steps: JOURNAL + 2 * (ARMED + BROKEN),
    };
    vec![
        Series {
            name: "rolling, then a sequence, in a run",
            line: Box::new(|at| {
                let out = at.out.clone();
                ["run", &at.scenario, "--attach", &at.project, "--out", &out]
                    .map(str::to_owned)
                    .to_vec()
            }),
            steps: JOURNAL + 3 * (ARMED + BROKEN),
        },
        everywhere(&["--for", "100ms", "between=[\"api\", \"db\"]"]),
        named(
            "http from within",
            on(
                "http",
                "api",
                &[
                    "url=http://127.0.0.1:3025/api/switch",
                    "timeout=1s",
                    "heal={}",
                    "confirm={ url = \"http://127.0.0.1:3025/api/status\", expect = { status = 500 } }",
                ],
            ),
        ),
        on("fill_disk", "api", &["path=/data", "size=4MB"]),
        on("delay", "api", &["time=10ms"]),
        on("loss", "api", &["ratio=50%"]),
        on("bandwidth", "api", &["rate=1MB/s"]),
        named(
            "partition isolate",
            Series {
                line: Box::new(|at| {
                    fault(at, "partition", &["--for", "100ms", "isolate=api"], true)
                }),
                ..on("", "", &[])
            },
        ),
        on("stress", "idle", &["cpu=1"]),
        on("freeze_process", "idle", &["process=sleep*"]),
        // Nothing of it needs healing.
        more(
            JOURNAL + ARMED + 2,
            Series {
                line: Box::new(|at| fault(at, "reset_connections", &["-t", "api"], true)),
                ..on("reset_connections", "", &[])
            },
        ),
        outside(
            "sql",
            &[
                "--for",
                "100ms",
                "dsn=postgres://app:app@127.0.0.1:{database}/app",
                "inject=[\"BEGIN\", \"LOCK TABLE items\"]",
                "hold=true",
                "timeout=1s",
            ],
        ),
        named(
            "http from here",
            outside(
                "http",
                &[
                    "--for",
                    "100ms",
                    "url=http://127.0.0.1:{port}/api/switch",
                    "timeout=1s",
                    "heal={}",
                    "confirm={ url = \"http://127.0.0.1:{port}/api/status\", expect = { status = 500 } }",
                ],
            ),
        ),
        outside(
            "command",
            &[
                "--for",
                "100ms",
                "run=[\"sh\", \"-c\", \"touch {mark}; sleep 0.1\"]",
                "heal=[\"rm\", \"-f\", \"{mark}\"]",
                "confirm=[\"test\", \"-e\", \"{mark}\"]",
            ],
        ),
        on(
            "exec",
            "idle",
            &[
                "command=[\"sh\", \"-c\", \"sleep 0.1; touch /tmp/mark\"]",
                "heal=[\"rm\", \"-f\", \"/tmp/mark\"]",
                "confirm=[\"test\", \"-e\", \"/tmp/mark\"]",
                "timeout=1s",
            ],
        ),
        on("stop", "api", &["grace=1s"]),
        on("kill", "api", &[]),
        // It takes its second until SIGKILL: lbtest is long dead then.
        named("stop of the deaf", on("stop", "deaf", &["grace=1s"])),
        more(
            JOURNAL + ARMED + 9,
            Series {
                line: Box::new(|at| fault(at, "restart", &["-t", "idle", "grace=1s"], true)),
                ..on("restart", "", &[])
            },
        ),
        on("start", "asleep", &[]),
        on("disconnect", "api", &[]),
        on("pause", "api", &[]),
        on("cpu", "idle", &["limit=0.5"]),
        on("memory", "idle", &["limit=64MiB"]),
    ]
}
