//! Files and folders for their owner alone: keys, secrets, and customers' messages.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

/// Makes the files of this process readable by their owner alone, from now on.
#[cfg(unix)]
pub fn by_default() {
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
}

/// On other systems a folder's rights are inherited.
#[cfg(not(unix))]
pub fn by_default() {}

/// Makes a folder, or restricts an existing one and its files to their owner. A folder of another user stays as it is, with
/// a warning (for example a cluster's volume). Its files are still restricted.
///
/// # Errors
/// The folder cannot be made, or a file of ours in it cannot be restricted.
pub fn folder(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)?;
    if let Err(error) = close(path, 0o700) {
        tracing::warn!("others may look into {} and it cannot be closed: {error}", path.display());
    }
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            close(&entry.path(), 0o600)?;
        }
    }
    Ok(())
}

/// Opens a file. If it is missing, it is made for its owner alone.
///
/// # Errors
/// The file can be neither opened nor made.
pub fn file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Takes away the rights of all other users, if they have some.
#[cfg(unix)]
fn close(path: &Path, most: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(path)?.permissions().mode() & 0o7777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode & most))
}

#[cfg(not(unix))]
fn close(_: &Path, _: u32) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).expect("is there").permissions().mode() & 0o777
    }

    #[test]
    fn l4_a_folder_made_beforehand_is_closed_with_the_files_in_it() {
        let temp = tempfile::tempdir().expect("temp");
        let dir = temp.path().join("state");
        std::fs::create_dir(&dir).expect("creates");
        std::fs::write(dir.join("sqlite.db"), "").expect("writes");
        std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o755)).expect("sets");
        std::fs::set_permissions(dir.join("sqlite.db"), std::fs::Permissions::from_mode(0o644)).expect("sets");
        folder(&dir).expect("closes");
        assert_eq!((mode(&dir), mode(&dir.join("sqlite.db"))), (0o700, 0o600));
        file(&dir.join("new.db")).expect("makes");
        assert_eq!(mode(&dir.join("new.db")), 0o600);
        let deep = temp.path().join("a/b");
        folder(&deep).expect("makes");
        assert_eq!(mode(&deep), 0o700);
    }
}
