//! The `lbtest` executable: parse, dispatch, exit code. Everything else is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    lbtest::cli::main()
}
