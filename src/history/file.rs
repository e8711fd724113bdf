//! `history.ndjson`: the history as it is written while the run goes.
//!
//! One JSON object a line, with one key that names the record; moments are whole nanoseconds from the clock's
//! zero, so that reading gives back exactly what was written:
//!
//! | record | meaning |
//! | --- | --- |
//! | `head` | first line: versions, run id, plan, environment, wall time of zero |
//! | `instances` | names of a workload's instances, by the numbers that its slots use |
//! | `slot` | 100 ms of a workload, whole: a later line of the same `load` and `index` replaces an earlier one |
//! | `second` | latencies of one second, whole; replaced likewise. Histograms are pairs of microseconds and count |
//! | `event` | something that was seen |
//! | `sample` | a figure that an observer measured |
//! | `exemplar` | one operation that is worth a look for itself |
//! | `added_fault` | a fault that was not planned but made by hand: it stands behind those of the plan |
//! | `fault` | what became of a planned fault; a later line of the same `index` replaces an earlier one |
//! | `generator` | lbtest's own health; the last one counts |
//! | `end` | the end. Where it is missing, lbtest died |
//!
//! A file that was cut off anywhere after its head reads to what its whole lines say. Records of a kind that
//! this version does not know are skipped: changes of the format are additive.

use super::collect::{Changes, Collector};
use super::wire::{Instances, Line, SecondLine, SlotLine, Written};
use super::{
    End, Event, Exemplar, FaultRecord, GeneratorHealth, Head, History, Sample, Second, Slot,
};
use crate::plan::PlannedFault;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

/// The history file could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum HistoryFileError {
    /// Reading or writing failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A record could not be put into JSON.
    #[error("{}: a record cannot be written: {source}", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// The first line is not the head of a history.
    #[error("{}: this is not the history of a run (its first line is no head)", path.display())]
    NoHead {
        /// The file.
        path: PathBuf,
    },
    /// A line within the file is not a record.
    #[error("{}:{line}: {problem}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        problem: String,
    },
}

/// Writes a history as the run goes. Call [`Writer::flush`] about once a second: what was flushed survives.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    out: BufWriter<File>,
}

impl Writer {
    /// Makes the file (replacing one that is there) and writes its head.
    ///
    /// # Errors
    /// The file cannot be made or written.
    pub fn create(path: &Path, head: &Head) -> Result<Self, HistoryFileError> {
        let path = path.to_owned();
        let out = match File::create(&path) {
            Ok(file) => BufWriter::new(file),
            Err(source) => return Err(HistoryFileError::Io { path, source }),
        };
        let mut writer = Self { path, out };
        writer.write(&Written::Head(head))?;
        writer.flush()?;
        Ok(writer)
    }

    /// Writes everything that the collector has not yet given out.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn progress(&mut self, collector: &mut Collector) -> Result<(), HistoryFileError> {
        collector.write_changes(|changes| self.changes(changes))
    }

    fn changes(&mut self, changes: &Changes<'_>) -> Result<(), HistoryFileError> {
        if let Some(names) = changes.instances {
            self.instances(changes.load, names)?;
        }
        for (index, slot) in &changes.slots {
            self.slot(changes.load, *index, slot)?;
        }
        for (index, second) in &changes.seconds {
            self.second(changes.load, *index, second)?;
        }
        Ok(())
    }

    /// Writes the names of a workload's instances.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn instances(&mut self, load: usize, names: &[String]) -> Result<(), HistoryFileError> {
        let names = names.to_vec();
        self.write(&Written::Instances(Instances { load, names }))
    }

    /// Writes a slot, whole.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn slot(&mut self, load: usize, index: u32, slot: &Slot) -> Result<(), HistoryFileError> {
        self.write(&Written::Slot(SlotLine::of(load, index, slot)))
    }

    /// Writes a second, whole.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn second(
        &mut self,
        load: usize,
        index: u32,
        second: &Second,
    ) -> Result<(), HistoryFileError> {
        self.write(&Written::Second(SecondLine::of(load, index, second)))
    }

    /// Writes an event.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn event(&mut self, event: &Event) -> Result<(), HistoryFileError> {
        self.write(&Written::Event(event))
    }

    /// Writes a figure of an observer.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn sample(&mut self, sample: &Sample) -> Result<(), HistoryFileError> {
        self.write(&Written::Sample(sample))
    }

    /// Writes one operation.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn exemplar(&mut self, exemplar: &Exemplar) -> Result<(), HistoryFileError> {
        self.write(&Written::Exemplar(exemplar))
    }

    /// Writes a fault that is added to the plan.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn added_fault(&mut self, fault: &PlannedFault) -> Result<(), HistoryFileError> {
        self.write(&Written::AddedFault(fault))
    }

    /// Writes what became of a fault, so far.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn fault(&mut self, fault: &FaultRecord) -> Result<(), HistoryFileError> {
        self.write(&Written::Fault(fault))
    }

    /// Writes lbtest's own health, so far.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn generator(&mut self, health: &GeneratorHealth) -> Result<(), HistoryFileError> {
        self.write(&Written::Generator(health))
    }

    /// Writes the end, and sees to it that all is on disk.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn end(&mut self, end: &End) -> Result<(), HistoryFileError> {
        self.write(&Written::End(end))?;
        self.flush()?;
        let synced = self.out.get_ref().sync_data();
        synced.map_err(|source| self.io(source))
    }

    /// Hands everything written to the kernel: it survives the end of lbtest.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn flush(&mut self) -> Result<(), HistoryFileError> {
        let flushed = self.out.flush();
        flushed.map_err(|source| self.io(source))
    }

    fn write(&mut self, line: &Written<'_>) -> Result<(), HistoryFileError> {
        // Whole lines only: a record that cannot be put into JSON leaves no half of it behind.
        let text = serde_json::to_string(line).map_err(|source| HistoryFileError::Record {
            path: self.path.clone(),
            source,
        })?;
        let written = writeln!(self.out, "{text}");
        written.map_err(|source| self.io(source))
    }

    fn io(&self, source: std::io::Error) -> HistoryFileError {
        HistoryFileError::Io {
            path: self.path.clone(),
            source,
        }
    }
}

/// Reads a history file, also one that was cut off.
///
/// # Errors
/// It cannot be read, has no head, or holds a line (before the last one) that is not a record.
pub fn read(path: &Path) -> Result<History, HistoryFileError> {
    let io = |source| HistoryFileError::Io {
        path: path.to_owned(),
        source,
    };
    let mut reader = BufReader::new(File::open(path).map_err(io)?);
    let mut history: Option<History> = None;
    let mut text = Vec::new();
    for number in 1.. {
        text.clear();
        reader.read_until(b'\n', &mut text).map_err(io)?;
        if text.is_empty() {
            break;
        }
        let problem = match (parse(&text), &mut history) {
            (Ok(Some(Line::Head(head))), None) => {
                history = Some(History::new(*head));
                continue;
            }
            (_, None) => {
                return Err(HistoryFileError::NoHead {
                    path: path.to_owned(),
                });
            }
            (Ok(None), _) => continue,
            (Ok(Some(line)), Some(history)) => match apply(line, history) {
                Ok(()) => continue,
                Err(problem) => problem,
            },
            (Err(problem), _) => problem,
        };
        if text.last() != Some(&b'\n') {
            break;
        }
        return Err(HistoryFileError::Line {
            path: path.to_owned(),
            line: number,
            problem,
        });
    }
    history.ok_or_else(|| HistoryFileError::NoHead {
        path: path.to_owned(),
    })
}

/// The names of all records; others are skipped.
const KNOWN: [&str; 11] = [
    "head",
    "instances",
    "slot",
    "second",
    "event",
    "sample",
    "exemplar",
    "added_fault",
    "fault",
    "generator",
    "end",
];

fn parse(text: &[u8]) -> Result<Option<Line>, String> {
    match serde_json::from_slice::<Line>(text) {
        Ok(line) => Ok(Some(line)),
        Err(error) => {
            let object: Result<serde_json::Map<_, _>, _> = serde_json::from_slice(text);
            let foreign = object.is_ok_and(|o| o.keys().all(|k| !KNOWN.contains(&k.as_str())));
            if foreign {
                Ok(None)
            } else {
                Err(error.to_string())
            }
        }
    }
}

fn apply(line: Line, history: &mut History) -> Result<(), String> {
    let loads = history.loads.len();
    let no_load = |load: usize| format!("there is no workload {load}: the plan has {loads}");
    match line {
        Line::Head(_) => return Err("a second head".to_owned()),
        Line::Instances(line) => {
            let load = history.loads.get_mut(line.load);
            load.ok_or_else(|| no_load(line.load))?.instances = line.names;
        }
        Line::Slot(line) => {
            let (load, index) = (line.load, line.index);
            let slot = line
                .into_slot()
                .ok_or("a bin or a count that no slot can have")?;
            let load = history.loads.get_mut(load).ok_or_else(|| no_load(load))?;
            load.slots.insert(index, slot);
        }
        Line::Second(line) => {
            let load = history.loads.get_mut(line.load);
            let load = load.ok_or_else(|| no_load(line.load))?;
            load.seconds.insert(line.index, line.into_second());
        }
        Line::Event(event) => history.events.push(event),
        Line::Sample(sample) => history.samples.push(sample),
        Line::Exemplar(exemplar) => history.exemplars.push(exemplar),
        Line::AddedFault(fault) => history.head.plan.faults.push(*fault),
        Line::Fault(fault) => {
            history.faults.retain(|f| f.index != fault.index);
            history.faults.push(fault);
        }
        Line::Generator(health) => history.generator = Some(health),
        Line::End(end) => history.end = Some(end),
    }
    Ok(())
}

#[cfg(test)]
mod tests;
