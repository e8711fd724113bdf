//! The live view of a terminal: a line per image and container while they come up, a bar and a line per
//! workload while they are under load; what happened stays above as plain lines.

use super::words::{inert, load_row, moment, next, phase, seconds};
use crate::clock::Offset;
use crate::notice::{Notice, Phase, Tick};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::BTreeMap;
use std::time::Duration;

/// Names of workloads are aligned up to this length.
const MAX_NAME: usize = 32;

/// The view and its lines.
pub struct Live {
    all: MultiProgress,
    phase: ProgressBar,
    lines: BTreeMap<String, ProgressBar>,
    load: Option<Load>,
}

struct Load {
    bar: ProgressBar,
    workloads: Vec<ProgressBar>,
    next: ProgressBar,
    duration: Duration,
}

fn style(template: &str) -> ProgressStyle {
    // The templates are constants; the default is what is shown should one of them be wrong.
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━╸─")
}

impl Live {
    /// An empty view on stderr.
    pub fn new() -> Self {
        Self::on(ProgressDrawTarget::stderr_with_hz(10))
    }

    /// An empty view elsewhere.
    pub fn on(target: ProgressDrawTarget) -> Self {
        let all = MultiProgress::with_draw_target(target);
        let phase =
            all.add(ProgressBar::new_spinner().with_style(style("{spinner} {wide_msg} {elapsed}")));
        phase.enable_steady_tick(Duration::from_millis(200));
        Self {
            all,
            phase,
            lines: BTreeMap::new(),
            load: None,
        }
    }

    /// Shows one notice.
    pub fn show(&mut self, notice: &Notice) {
        match notice {
            Notice::Phase(p) => self.enter(*p),
            Notice::Image { service, line } => self.line(service).set_message(inert(line)),
            Notice::ImageReady { service, took } => {
                let words = if took.is_zero() {
                    "image there".to_owned()
                } else {
                    format!("image built in {}", seconds(*took))
                };
                self.line(service).set_message(words);
            }
            Notice::Container { service, state } => self.line(service).set_message(inert(state)),
            Notice::LoadStarted { duration } => self.start_load(*duration),
            Notice::Tick(tick) => self.tick(tick),
            Notice::Fault { at, name: _, what } => {
                self.keep(&format!("{:>9}  {}", moment(*at), inert(what)))
            }
            Notice::Warning(text) => self.keep(&format!("warning: {}", inert(text))),
            Notice::Info(text) => self.keep(&inert(text)),
            Notice::Settle(_) => {}
        }
    }

    fn keep(&self, line: &str) {
        let _ = self.all.println(line);
    }

    fn enter(&mut self, p: Phase) {
        self.phase.set_message(phase(p));
        match p {
            Phase::Images
            | Phase::Starting
            | Phase::Probing
            | Phase::Measuring
            | Phase::Draining => {}
            Phase::WarmUp | Phase::TearingDown => self.clear_lines(),
            Phase::Reporting => self.clear_load(),
        }
        if p == Phase::TearingDown {
            self.clear_load();
        }
    }

    fn line(&mut self, service: &str) -> &ProgressBar {
        let all = &self.all;
        self.lines.entry(service.to_owned()).or_insert_with(|| {
            let line =
                all.add(ProgressBar::new_spinner().with_style(style("  {prefix:20!} {wide_msg}")));
            line.set_prefix(inert(service));
            line
        })
    }

    fn clear_lines(&mut self) {
        for line in std::mem::take(&mut self.lines).into_values() {
            line.finish_and_clear();
            self.all.remove(&line);
        }
    }

    fn start_load(&mut self, duration: Duration) {
        self.clear_lines();
        self.clear_load();
        let length = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let bar = self
            .all
            .add(ProgressBar::new(length).with_style(style("  {wide_bar} {prefix}")));
        bar.set_prefix(format!("0/{}", seconds(duration)));
        let next = self
            .all
            .add(ProgressBar::new_spinner().with_style(style("  {msg}")));
        self.load = Some(Load {
            bar,
            workloads: Vec::new(),
            next,
            duration,
        });
    }

    fn tick(&mut self, tick: &Tick) {
        let Some(view) = &mut self.load else { return };
        let at = tick.at.max(Offset::ZERO).since_zero().min(view.duration);
        view.bar
            .set_position(u64::try_from(at.as_millis()).unwrap_or(u64::MAX));
        view.bar
            .set_prefix(format!("{}/{}", seconds(at), seconds(view.duration)));
        while view.workloads.len() < tick.loads.len() {
            let line = ProgressBar::new_spinner().with_style(style("  {wide_msg}"));
            view.workloads
                .push(self.all.insert_before(&view.next, line));
        }
        let names = tick.loads.iter().map(|l| inert(&l.name).chars().count());
        let width = names.max().unwrap_or(0).min(MAX_NAME);
        for (line, workload) in view.workloads.iter().zip(&tick.loads) {
            line.set_message(load_row(workload, width));
        }
        view.next.set_message(next(tick).unwrap_or_default());
    }

    fn clear_load(&mut self) {
        if let Some(view) = self.load.take() {
            for line in view.workloads.into_iter().chain([view.bar, view.next]) {
                line.finish_and_clear();
                self.all.remove(&line);
            }
        }
    }

    /// Leaves the terminal as it was, with what is kept above.
    pub fn finish(&mut self) {
        self.clear_lines();
        self.clear_load();
        self.phase.finish_and_clear();
        let _ = self.all.clear();
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.finish();
    }
}
