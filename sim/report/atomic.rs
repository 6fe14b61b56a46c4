//! Writing a file so that it is there whole or not at all.

use std::io::Write as _;
use std::path::Path;

use crate::error::{Error, Result};

/// Writes `bytes` to a temporary file beside `path` and renames it.
///
/// # Errors
///
/// If the file cannot be written or renamed.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let failed = |error: std::io::Error| {
        Error::new(format!("cannot write {}: {error}", path.display()))
            .help("check the folder, its rights and the free space")
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".wavetank-").suffix(".tmp").tempfile_in(folder).map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    set_rights(file.as_file()).map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

/// A temporary file is its owner's alone; a report is as readable as any file.
#[cfg(unix)]
fn set_rights(file: &std::fs::File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn set_rights(_: &std::fs::File) -> std::io::Result<()> {
    Ok(())
}
