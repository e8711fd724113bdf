//! What every experiment needs: where to run what, in which order, and for how long.

use crate::client::Client;
use crate::error::BenchError;
use crate::machine::Machine;
use crate::options::Options;
use crate::programs;
use crate::stop::Stop;
use crate::tools::Tool;
use rustix::fs::{FlockOperation, flock};
use std::fs::File;
use std::io::Write;
use std::path::Path;

/// The processor of the server, and of this program.
pub const SERVER_CPU: usize = 0;
/// The processor of the client.
pub const CLIENT_CPU: usize = 1;

/// Everything shared.
pub struct Bench {
    /// What was asked for.
    pub options: Options,
    /// What it runs on.
    pub machine: Machine,
    /// Whether to go on.
    pub stop: Stop,
    place: tempfile::TempDir,
}

/// The clients of an experiment: those that are there, and the names of those that are not.
pub struct Clients {
    /// Installed.
    pub present: Vec<Client>,
    /// Not installed.
    pub missing: Vec<&'static str>,
}

impl Bench {
    /// # Errors
    /// Where there are too few processors, or what pins and accounts processes is missing.
    pub fn new(options: Options) -> Result<Self, BenchError> {
        for program in ["setpriv", "taskset", "time"] {
            programs::find(program).ok_or(BenchError::Missing(program))?;
        }
        let machine = Machine::look();
        if machine.cores <= CLIENT_CPU {
            return Err(BenchError::Usage(
                "two processors are needed: one for the server, one for the client".to_owned(),
            ));
        }
        Ok(Self {
            options,
            machine,
            stop: Stop::listen()?,
            place: tempfile::tempdir()?,
        })
    }

    /// A folder for what clients write.
    pub fn place(&self) -> &Path {
        self.place.path()
    }

    /// `taskset`'s name of the server's processor.
    pub fn server_cpu(&self) -> String {
        SERVER_CPU.to_string()
    }

    /// `taskset`'s name of the client's processor.
    pub fn client_cpu(&self) -> String {
        CLIENT_CPU.to_string()
    }

    /// Measures every client once per round, one after the other, the order turned from round to round, so that a machine
    /// that becomes slower favours none of them. Per client, the rounds' results.
    /// `before` is done at the beginning of each round.
    ///
    /// # Errors
    /// The first of the measurements.
    pub fn alternate<T>(
        &self,
        clients: &[Client],
        mut before: impl FnMut() -> Result<(), BenchError>,
        mut measure: impl FnMut(&Client) -> Result<T, BenchError>,
    ) -> Result<Vec<Vec<T>>, BenchError> {
        let mut results: Vec<Vec<T>> = clients.iter().map(|_| Vec::new()).collect();
        for round in 0..self.options.rounds {
            let _alone = self.alone()?;
            before()?;
            let mut order: Vec<usize> = (0..clients.len()).collect();
            if round % 2 == 1 {
                order.reverse();
            }
            for index in order {
                self.stop.check()?;
                self.progress(&format!(
                    "round {} of {}: {}",
                    round + 1,
                    self.options.rounds,
                    clients[index].name()
                ));
                results[index].push(measure(&clients[index])?);
            }
        }
        Ok(results)
    }

    /// Tells what is going on, on standard error.
    pub fn progress(&self, what: &str) {
        // Where nobody can be told, the result still can be written.
        let _ = writeln!(std::io::stderr(), "  {what}");
    }

    /// Alone on the machine, where a file was named that those who measure on it lock: until the result is dropped.
    ///
    /// # Errors
    /// Where the file cannot be locked.
    pub fn alone(&self) -> Result<Option<File>, BenchError> {
        let Some(path) = &self.options.lock else {
            return Ok(None);
        };
        let file = File::options().create(true).append(true).open(path)?;
        flock(&file, FlockOperation::LockExclusive)?;
        Ok(Some(file))
    }
}

impl Clients {
    /// Looks which of these there are. Without lbtest there is nothing to compare.
    ///
    /// # Errors
    /// Where not even one peer is there.
    pub fn of(tools: Vec<Box<dyn Tool>>) -> Result<Self, BenchError> {
        let (mut present, mut missing) = (Vec::new(), Vec::new());
        for tool in tools {
            match programs::client(tool) {
                Ok(client) => present.push(client),
                Err(name) => missing.push(name),
            }
        }
        missing.dedup();
        match missing.first() {
            Some(&name) if present.len() < 2 => Err(BenchError::Missing(name)),
            _ => Ok(Self { present, missing }),
        }
    }

    /// Where a client stands.
    pub fn index(&self, name: &str) -> Option<usize> {
        self.present.iter().position(|client| client.name() == name)
    }
}
