//! Where the socket of a run is. In its folder, under a name that is the same for all; where the path is too long for a
//! socket, in a short one, and a file in the run's folder says which.

use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// The socket in the run's folder.
const SOCKET: &str = "ctl.sock";
/// The file that names the socket, where that is somewhere else.
const POINTER: &str = "ctl.path";
/// Longest path of a socket on every system: 104 bytes with the end, on some.
const LONGEST: usize = 103;

/// A socket that is listened to; it goes away with this.
#[derive(Debug)]
pub struct Place {
    /// The socket.
    path: PathBuf,
    /// The pointer, and the folder that was made for the socket.
    elsewhere: Option<(PathBuf, PathBuf)>,
}

impl Place {
    /// Listens for the run whose folder that is. `runtime` is `XDG_RUNTIME_DIR`.
    pub fn listen(dir: &Path, runtime: Option<&Path>) -> io::Result<(Self, UnixListener)> {
        let path = dir.join(SOCKET);
        if path.as_os_str().len() <= LONGEST {
            let listener = bind(&path)?;
            return Ok((Self { path, elsewhere: None }, listener));
        }
        let folder = private_folder(runtime)?;
        let path = folder.join(SOCKET);
        let pointer = dir.join(POINTER);
        let bound = bind(&path).and_then(|listener| {
            std::fs::write(&pointer, path.as_os_str().as_encoded_bytes())?;
            Ok(listener)
        });
        let place = Self {
            path,
            elsewhere: Some((pointer, folder)),
        };
        // On an error the drop takes away what there is already.
        Ok((place, bound?))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Who comes later finds no run, whether these are there or not.
        let _ = std::fs::remove_file(&self.path);
        if let Some((pointer, folder)) = &self.elsewhere {
            let _ = std::fs::remove_file(pointer);
            let _ = std::fs::remove_dir(folder);
        }
    }
}

fn bind(path: &Path) -> io::Result<UnixListener> {
    // The folder is ours alone, so nobody can come before the mode is set.
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// A new folder of ours with a short path.
fn private_folder(runtime: Option<&Path>) -> io::Result<PathBuf> {
    let mut random = [0_u8; 8];
    getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
    let name: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let places = runtime.into_iter().chain([Path::new("/tmp")]);
    let mut last = io::Error::other("no folder for the socket");
    for place in places {
        let folder = place.join(format!("batchssh-{name}"));
        if folder.join(SOCKET).as_os_str().len() > LONGEST {
            continue;
        }
        match std::fs::DirBuilder::new().mode(0o700).create(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Connects to the run whose folder that is. [`io::ErrorKind::NotFound`] and `ConnectionRefused`: it is not there any more.
pub fn connect(dir: &Path) -> io::Result<UnixStream> {
    use std::os::unix::ffi::OsStringExt;
    let path = dir.join(SOCKET);
    if path.as_os_str().len() <= LONGEST {
        return UnixStream::connect(path);
    }
    let named = std::fs::read(dir.join(POINTER))?;
    UnixStream::connect(PathBuf::from(std::ffi::OsString::from_vec(named)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn the_socket_is_in_the_runs_folder_and_goes_with_the_run() {
        let dir = tempfile::tempdir().unwrap();
        let (place, _listener) = Place::listen(dir.path(), None).unwrap();
        assert_eq!(mode(&dir.path().join(SOCKET)), 0o600);
        connect(dir.path()).unwrap();
        drop(place);
        assert!(connect(dir.path()).is_err());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_path_too_long_for_a_socket_is_pointed_to() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("x".repeat(120));
        std::fs::create_dir(&dir).unwrap();
        let runtime = root.path().join("run");
        std::fs::create_dir(&runtime).unwrap();
        let (place, _listener) = Place::listen(&dir, Some(&runtime)).unwrap();
        connect(&dir).unwrap();
        let folder = std::fs::read_dir(&runtime).unwrap().next().unwrap().unwrap().path();
        assert_eq!((mode(&folder), mode(&folder.join(SOCKET))), (0o700, 0o600));
        drop(place);
        assert_eq!(connect(&dir).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(std::fs::read_dir(&runtime).unwrap().count(), 0);
        // A folder that is no use is passed over.
        let (place, _listener) = Place::listen(&dir, Some(&dir)).unwrap();
        assert!(place.path.starts_with("/tmp"), "{place:?}");
        connect(&dir).unwrap();
    }
}
