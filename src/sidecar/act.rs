//! What a sidecar did, as long as it lasts.

use super::protocol::Done;
use async_trait::async_trait;

/// Something that was done to the target: it can be looked at and undone.
#[async_trait]
pub trait Act: Send {
    /// Looks, independently of how it was done.
    ///
    /// # Errors
    /// What was done is not there (any more); in words that name the subject.
    async fn look(&mut self) -> Result<Done, String>;

    /// Undoes it and looks that it is undone. May be done again.
    ///
    /// # Errors
    /// Something is left; in words that name the subject.
    async fn mend(&mut self) -> Result<Done, String>;
}
