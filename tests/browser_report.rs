//! The HTML report in a real browser: what it asks for, what it shows, what can be done with it, and what hostile text can
//! do in it. Needs Chromium: `.ci/prerequisites test` installs it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "what a test cannot do fails the test; the numbers are small"
)]

#[path = "browser_report/browser.rs"]
mod browser;
#[path = "browser_report/hostile.rs"]
mod hostile;
#[path = "browser_report/looks.rs"]
mod looks;
#[path = "browser_report/made.rs"]
mod made;
#[path = "browser_report/touch.rs"]
mod touch;

use lbtest::analysis::result::RunResult;
use lbtest::report::Reporter;
use lbtest::report::html::Html;

/// The page of a result.
fn page(result: &RunResult) -> String {
    Html.render(result).unwrap()
}
