//! A table on a terminal.

use super::text::plain;
use comfy_table::{ContentArrangement, Table, presets};

/// Rows below a header, no wider than the terminal; what they hold is made inert. A line end follows.
#[must_use]
pub fn terminal(header: &[impl AsRef<str>], rows: &[Vec<String>], width: Option<u16>) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY).force_no_tty();
    if let Some(width) = width {
        table
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(width);
    }
    table.set_header(
        header
            .iter()
            .map(|cell| plain(cell.as_ref()))
            .collect::<Vec<_>>(),
    );
    for row in rows {
        table.add_row(row.iter().map(|cell| plain(cell)).collect::<Vec<_>>());
    }
    format!("{}\n", table.trim_fmt())
}
