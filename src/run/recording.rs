//! The history of a run as it is recorded: in memory for the analysis, and on disk for whoever survives a crash.

use super::output::Output;
use crate::clock::Offset;
use crate::history::collect::Collector;
use crate::history::file::{HistoryFileError, Writer};
use crate::history::{
    End, EndReason, Event, Exemplar, FaultRecord, GeneratorHealth, Head, History, Sample,
};
use crate::load::LoadSummary;
use crate::plan::PlannedFault;
use std::time::Duration;

/// The history as it is recorded: in memory and on disk.
///
/// A file that can no longer be written (a full disk) ends the load; what is in memory is analysed and reported all
/// the same.
pub struct Recording {
    history: History,
    /// What the workers recorded.
    pub collector: Collector,
    /// None: nothing is written to disk.
    writer: Option<Writer>,
    /// Load workers that were started.
    workers: usize,
    /// When somebody ended the load.
    pub interrupted_at: Option<Offset>,
    /// Why the file cannot be written.
    unwritten: Option<String>,
}

impl Recording {
    /// Begins a history of workloads that so many workers are going to record.
    ///
    /// # Errors
    /// Where the file cannot be made.
    pub fn begin(head: Head, output: &Output, workers: usize) -> Result<Self, HistoryFileError> {
        let file = output.history();
        let writer = file.map(|file| Writer::create(&file, &head)).transpose()?;
        let collector = Collector::new(head.plan.loads.iter().map(|l| l.name.clone()), workers);
        Ok(Self {
            history: History::new(head),
            collector,
            writer,
            workers,
            interrupted_at: None,
            unwritten: None,
        })
    }

    /// A later record of the same fault replaces the earlier one.
    pub fn fault(&mut self, record: FaultRecord) {
        self.written(|writer| writer.fault(&record));
        self.history.faults.retain(|f| f.index != record.index);
        self.history.faults.push(record);
    }

    /// Keeps a figure of an observer.
    pub fn sample(&mut self, sample: Sample) {
        self.written(|writer| writer.sample(&sample));
        self.history.samples.push(sample);
    }

    /// Keeps an operation.
    pub fn exemplar(&mut self, exemplar: Exemplar) {
        self.written(|writer| writer.exemplar(&exemplar));
        self.history.exemplars.push(exemplar);
    }

    /// How many faults the plan has by now: the index of the next one that is added.
    #[must_use]
    pub fn faults(&self) -> usize {
        self.history.head.plan.faults.len()
    }

    /// Adds a fault to the plan, and tells its index there.
    pub fn added_fault(&mut self, fault: PlannedFault) -> usize {
        self.written(|writer| writer.added_fault(&fault));
        let faults = &mut self.history.head.plan.faults;
        faults.push(fault);
        faults.len() - 1
    }

    /// Keeps an event.
    pub fn event(&mut self, event: Event) {
        self.written(|writer| writer.event(&event));
        self.history.events.push(event);
    }

    /// Writes what has come since the last time.
    pub fn write(&mut self) {
        for exemplar in self.collector.exemplars() {
            self.exemplar(exemplar);
        }
        let Self {
            writer, collector, ..
        } = self;
        let Some(writer) = writer else { return };
        let written = writer.progress(collector).and_then(|()| writer.flush());
        self.noted(written);
    }

    fn written(&mut self, write: impl FnOnce(&mut Writer) -> Result<(), HistoryFileError>) {
        if let Some(writer) = &mut self.writer {
            let written = write(writer);
            self.noted(written);
        }
    }

    /// Why the file can no longer be written.
    #[must_use]
    pub fn unwritten(&self) -> Option<&str> {
        self.unwritten.as_deref()
    }

    fn noted(&mut self, written: Result<(), HistoryFileError>) {
        if let Err(error) = written {
            self.unwritten.get_or_insert_with(|| error.to_string());
        }
    }

    /// Everything is over: the last records.
    pub fn close(
        &mut self,
        summary: &LoadSummary,
        host_idle: Option<f64>,
        duration: Duration,
        now: Offset,
    ) {
        self.collector.close();
        let load_ended_at = self
            .interrupted_at
            .unwrap_or_else(|| Offset::new(duration))
            .min(now);
        let generator = generator(&self.collector, summary, host_idle, load_ended_at);
        self.write();
        self.written(|writer| writer.generator(&generator));
        let end = End {
            at: now,
            reason: self.reason(summary),
            load_ended_at,
            scheduled: summary.scheduled.clone(),
        };
        self.written(|writer| writer.end(&end).and_then(|()| writer.flush()));
        self.history.generator = Some(generator);
        self.history.end = Some(end);
    }

    fn reason(&self, summary: &LoadSummary) -> EndReason {
        match &self.unwritten {
            Some(why) => EndReason::Failed(format!("the history cannot be written: {why}")),
            None => reason(self.interrupted_at.is_some(), self.workers, summary.workers),
        }
    }

    /// The whole history.
    #[must_use]
    pub fn finish(self) -> History {
        let Self {
            mut history,
            collector,
            ..
        } = self;
        history.loads = collector.into_loads();
        history.faults.sort_by_key(|f| f.index);
        history
    }
}

/// Why the load ended. What a worker that broke down had to do was not done, and nobody but it knows how much that was.
fn reason(interrupted: bool, started: usize, ended_well: usize) -> EndReason {
    if ended_well < started {
        EndReason::Failed(format!(
            "{} of {started} load workers broke down: that is a defect in lbtest",
            started - ended_well
        ))
    } else if interrupted {
        EndReason::Interrupted
    } else {
        EndReason::Completed
    }
}

fn generator(
    collector: &Collector,
    summary: &LoadSummary,
    host_idle_ratio: Option<f64>,
    ran: Offset,
) -> GeneratorHealth {
    let lateness = collector.lateness();
    #[expect(
        clippy::cast_precision_loss,
        reason = "microseconds of one run are far below 2^53"
    )]
    let ms = |micros: u64| micros as f64 / 1e3;
    #[expect(clippy::cast_precision_loss, reason = "a few threads")]
    let available = ran.since_zero().as_secs_f64() * summary.workers as f64;
    let scheduled: u64 = summary.scheduled.iter().sum();
    GeneratorHealth {
        late_p50_ms: ms(lateness.value_at_quantile(0.5)),
        late_p99_ms: ms(lateness.value_at_quantile(0.99)),
        late_max_ms: ms(lateness.max()),
        dropped: collector.dropped(),
        cpu_ratio: (available > 0.0).then(|| summary.cpu_time.as_secs_f64() / available),
        cpu_ms: Some(crate::clock::millis(summary.cpu_time)),
        operations: Some(scheduled.saturating_sub(collector.dropped())),
        host_idle_ratio,
        workers: summary.workers,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_that_lost_a_worker_did_not_complete() {
        assert_eq!(reason(false, 2, 2), EndReason::Completed);
        assert_eq!(reason(true, 2, 2), EndReason::Interrupted);
        for interrupted in [false, true] {
            let EndReason::Failed(why) = reason(interrupted, 2, 1) else {
                panic!("it has not failed")
            };
            assert!(why.contains("1 of 2"), "{why}");
        }
    }
}
