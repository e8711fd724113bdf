//! Where programs are.

use crate::client::Client;
use crate::tools::Tool;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What `cargo install` puts here stays in the build folder: ignored by git, kept from run to run.
const INSTALLED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/peers/bin");

/// A program of the search path, or of this repository's own folder of peers.
pub fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let own = [PathBuf::from(INSTALLED)];
    let more = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    let mut folders = own
        .into_iter()
        .chain(std::env::split_paths(&path))
        .chain(more);
    folders.find_map(|folder| Some(folder.join(name)).filter(|file| file.is_file()))
}

/// The newest PostgreSQL's programs.
pub fn postgres() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .ok()
        .into_iter()
        .flatten();
    let mut folders: Vec<PathBuf> = versions
        .flatten()
        .map(|version| version.path().join("bin"))
        .collect();
    folders.sort();
    folders.retain(|bin| {
        ["initdb", "postgres", "pgbench"]
            .iter()
            .all(|program| bin.join(program).exists())
    });
    folders
        .pop()
        .or_else(|| Some(find("postgres")?.parent()?.to_owned()))
}

/// A client, where it is installed. lbtest is the one of this build, unless the environment names another in `LBTEST`.
pub fn client(tool: Box<dyn Tool>) -> Result<Client, &'static str> {
    let name = tool.program();
    let program = match name {
        "lbtest" => Some(
            std::env::var_os("LBTEST")
                .map_or_else(|| env!("CARGO_BIN_EXE_lbtest").into(), PathBuf::from),
        ),
        "pgbench" => postgres().map(|bin| bin.join(name)),
        _ => find(name),
    };
    let program = program.ok_or(name)?;
    let version = match tool.version() {
        Some(argument) => version(&program, argument),
        None => packaged(name),
    };
    let version = version.unwrap_or_else(|| format!("{name}, version unknown"));
    Ok(Client {
        tool,
        program,
        version,
    })
}

/// The first line that a program says about itself; some that have no version print their usage.
pub fn version(program: &Path, argument: &str) -> Option<String> {
    let output = Command::new(program).arg(argument).output().ok()?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    let line = text
        .lines()
        .find(|line| line.contains(|c: char| c.is_ascii_digit()))?;
    let line = line
        .split(" Copyright")
        .next()?
        .trim_start_matches("This is ")
        .trim();
    Some(line.split(" <").next().unwrap_or(line).to_owned()).filter(|line| line.len() < 80)
}

/// What Debian says about a program that does not know its own version.
fn packaged(name: &str) -> Option<String> {
    let output = Command::new("dpkg-query")
        .args(["-W", "-f", "${Version}", name])
        .output()
        .ok()?;
    let version = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !version.is_empty()).then(|| format!("{name} {version} (Debian)"))
}
