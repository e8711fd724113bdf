//! What must hold between the two readers, whatever the bytes are.

use super::parser::Malformed;
use super::readers::{Accepted, block_on, hypers, ours};
use super::refusals::OnPurpose;

/// What became of one response, where the relation holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// Both accept it, and read the same.
    Accepted,
    /// Both refuse it.
    Refused(Malformed),
    /// lbtest refuses it for a reason that stands in the list.
    OnPurpose(OnPurpose),
}

/// Looks at the relation:
///
/// - The result does not depend on the pieces in which the bytes come.
/// - What lbtest accepts, hyper accepts, with the same status, the same headers and the same body; the response ends
///   where its bytes end: without the last one it is not complete, and what follows changes nothing.
/// - Where lbtest keeps the connection, hyper keeps it too, and reads the same answer to the next request.
/// - Where hyper accepts and lbtest refuses, the reason is one of [`OnPurpose`].
///
/// # Errors
/// What does not hold.
pub fn holds(bytes: &[u8], cuts: &[usize], head_only: bool) -> Result<Held, String> {
    let read = ours(bytes, &[], head_only);
    let each: Vec<usize> = (1..bytes.len().min(5000)).collect();
    for cuts in [cuts, &each] {
        let again = ours(bytes, cuts, head_only);
        if read.as_ref().ok() != again.as_ref().ok() {
            return Err(format!("at once: {read:?}\nin pieces: {again:?}"));
        }
    }
    match read {
        Ok(accepted) => as_hyper_reads(bytes, cuts, head_only, &accepted),
        Err(error) => {
            let Some(theirs) = block_on(hypers(bytes, cuts, head_only, 1)) else {
                return Ok(Held::Refused(error));
            };
            OnPurpose::of(bytes, head_only, error)
                .map(Held::OnPurpose)
                .ok_or_else(|| format!("refused as {error:?}, accepted by hyper: {theirs:?}"))
        }
    }
}

fn as_hyper_reads(
    bytes: &[u8],
    cuts: &[usize],
    head_only: bool,
    accepted: &Accepted,
) -> Result<Held, String> {
    ends_where_it_ends(bytes, head_only, accepted)?;
    let fields = &accepted.response.headers;
    // hyper sees no word in a field that is not ASCII throughout.
    let seen_alike = fields
        .iter()
        .all(|(name, value)| name != "connection" || value.is_ascii());
    let kept = accepted.keep_alive && accepted.left == 0 && seen_alike;
    let times = if kept { 2 } else { 1 };
    let expected = vec![accepted.response.clone(); times];
    match block_on(hypers(bytes, cuts, head_only, times)) {
        Some(theirs) if theirs == expected => Ok(Held::Accepted),
        theirs => Err(format!(
            "ours: {accepted:?}\nhyper's, {times} times: {theirs:?}"
        )),
    }
}

fn ends_where_it_ends(bytes: &[u8], head_only: bool, accepted: &Accepted) -> Result<(), String> {
    let end = bytes.len() - accepted.left;
    let response = &bytes[..end];
    let mut followed = response.to_vec();
    followed.extend_from_slice(b"HTTP/1.1 500 Next\r\nContent-Length: 0\r\n\r\n");
    let followed = ours(&followed, &[], head_only);
    let until_close = matches!(&followed, Ok(more) if more.left == 0);
    if until_close {
        // All that comes is body, and the connection is at its end with it.
        let fits = accepted.left == 0 && !accepted.keep_alive;
        return fits
            .then_some(())
            .ok_or_else(|| format!("no end: {accepted:?}"));
    }
    let same = |other: &Accepted| {
        (&other.response, other.keep_alive) == (&accepted.response, accepted.keep_alive)
    };
    if !followed.as_ref().is_ok_and(same) {
        return Err(format!("{accepted:?}\nfollowed by another: {followed:?}"));
    }
    match ours(&response[..end - 1], &[], head_only) {
        Err(Malformed::Truncated) => Ok(()),
        shorter => Err(format!("{accepted:?}\nwithout its last byte: {shorter:?}")),
    }
}
