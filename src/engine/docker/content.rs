//! Configs and secrets: their content is put into the container before it starts.

use super::error::Named;
use super::{Docker, EngineError};
use crate::compose::topology::Mount;
use bollard::query_parameters::UploadToContainerOptionsBuilder;

impl Docker {
    /// Puts every config and secret of a container in place.
    pub(super) async fn put_content(
        &self,
        id: &str,
        name: &str,
        mounts: &[Mount],
    ) -> Result<(), EngineError> {
        let Some(archive) = archive(mounts).map_err(|e| EngineError::Refused {
            what: format!("configs of {name}"),
            answer: e.to_string(),
        })?
        else {
            return Ok(());
        };
        let options = UploadToContainerOptionsBuilder::new()
            .path("/")
            .copy_uidgid("true")
            .build();
        self.client
            .upload_to_container(id, Some(options), bollard::body_full(archive.into()))
            .await
            .doing(|| format!("putting configs into container {name}"))
    }
}

/// A tar of the files alone: the engine makes the folders that are missing, and an entry for one that is there
/// would change its owner and mode.
fn archive(mounts: &[Mount]) -> std::io::Result<Option<Vec<u8>>> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut any = false;
    for mount in mounts {
        let Mount::Content {
            target,
            content,
            uid,
            gid,
            mode,
        } = mount
        else {
            continue;
        };
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_size(content.len() as u64);
        header.set_uid(u64::from(*uid));
        header.set_gid(u64::from(*gid));
        header.set_mode(*mode);
        tar.append_data(
            &mut header,
            target.trim_start_matches('/'),
            content.as_slice(),
        )?;
        any = true;
    }
    Ok(if any { Some(tar.into_inner()?) } else { None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn only_files_are_put_in_with_their_owner_and_mode() {
        let content = Mount::Content {
            target: "/run/secrets/password".into(),
            content: b"hunter2".to_vec(),
            uid: 70,
            gid: 71,
            mode: 0o400,
        };
        let tar = archive(&[content]).expect("a tar").expect("not empty");
        let mut archive = tar::Archive::new(tar.as_slice());
        let mut entries: Vec<_> = archive
            .entries()
            .expect("entries")
            .map(|e| e.expect("entry"))
            .collect();
        assert_eq!(entries.len(), 1, "no folders");
        assert_eq!(
            entries[0].path().expect("path").to_str(),
            Some("run/secrets/password")
        );
        let header = entries[0].header();
        assert_eq!(
            (header.uid().ok(), header.gid().ok(), header.mode().ok()),
            (Some(70), Some(71), Some(0o400))
        );
        drop(entries.remove(0));
        let mut again = tar::Archive::new(tar.as_slice());
        let mut text = String::new();
        again
            .entries()
            .expect("entries")
            .next()
            .expect("one")
            .expect("entry")
            .read_to_string(&mut text)
            .expect("read");
        assert_eq!(text, "hunter2");
        assert!(super::archive(&[]).expect("nothing").is_none());
    }
}
